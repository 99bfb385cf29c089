"""A graph of layers as one layer: nested models, and the network itself."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from rnndiag.layers.base import Layer, Recorder, Signal, build, follow_padding
from rnndiag.records import Call, LayerSpec, NotAnalysed, Ref


class Model(Layer):
    """Runs its graph's calls in their order."""

    kinds = ("Model",)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        if spec.graph is None:
            raise ValueError("a model without layers")
        self.graph = spec.graph
        inputs = {ref.layer for ref in self.graph.inputs}
        built = {
            name: build(inner) for name, inner in self.graph.layers.items() if name not in inputs
        }
        # nn.ModuleDict accepts no dots and no names of its own methods as keys.
        self.layers = nn.ModuleList(built.values())
        self.by_name = dict(zip(built, self.layers, strict=True))

    def run(
        self, inputs: tuple[Signal, ...], initial: tuple[Signal, ...], recorder: Recorder
    ) -> tuple[Signal, ...]:
        done = _Signals()
        for ref, signal in zip(self.graph.inputs, inputs, strict=False):
            done.put(ref.layer, ref.call, (replace(signal, mask=signal.heeded, told=None),))
        for call in self.graph.calls:
            layer = self.by_name[call.layer]
            assert isinstance(layer, Layer)
            states = tuple(map(done.find, call.initial_state))
            given = done.inputs(call)
            outputs = layer.run(given, states, recorder)
            if layer.takes_masks_away:
                done.unmask(call.inputs)
            done.put(call.layer, call.index, follow_padding(given, outputs))
        return tuple(map(done.find, self.graph.outputs))

    def not_analysed(self) -> list[NotAnalysed]:
        layers = [layer for layer in self.layers if isinstance(layer, Layer)]
        return [found for layer in layers for found in layer.not_analysed()]


class _Signals:
    """What each call gave so far."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, int], tuple[Signal, ...]] = {}

    def put(self, layer: str, call: int, signals: tuple[Signal, ...]) -> None:
        self._given[layer, call] = signals

    def unmask(self, refs: tuple[Ref, ...]) -> None:
        """Take the masks of these signals away, for what comes later."""
        for layer, call in {(ref.layer, ref.call) for ref in refs}:
            taken = {ref.tensor for ref in refs if (ref.layer, ref.call) == (layer, call)}
            signals = enumerate(self._given.get((layer, call), ()))
            self.put(
                layer,
                call,
                tuple(replace(s, mask=None) if place in taken else s for place, s in signals),
            )

    def find(self, ref: Ref) -> Signal:
        """The signal that `ref` names, or why it is not there."""
        outputs = self._given.get((ref.layer, ref.call), ())
        if ref.tensor < len(outputs):
            return outputs[ref.tensor]
        lost = next((s.lost for s in outputs if s.lost), None)
        return Signal(None, lost=lost or f"{ref.layer} gives nothing that could be found")

    def inputs(self, call: Call) -> tuple[Signal, ...]:
        """A call's inputs, with the mask that it is given by hand."""
        given = tuple(map(self.find, call.inputs))
        if not given:
            return (Signal(None, lost=f"{call.layer} is called on nothing"),)
        if call.mask is None:
            return given
        mask = self.find(call.mask)
        if mask.value is None:
            return (Signal(None, lost=mask.lost), *given[1:])
        lost = given[0].lost or mask.lost
        return (replace(given[0], told=mask.value.bool(), lost=lost), *given[1:])
