"""A graph of layers as one layer: nested models, and the network itself."""

from __future__ import annotations

from torch import Tensor, nn

from rnndiag.layers.base import Layer, Recorder, Signal, build
from rnndiag.records import LayerSpec, NotAnalysed, Ref


class Model(Layer):
    """Runs its graph's calls in their order."""

    kinds = ("Functional", "Model", "Sequential")

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

    def forward(self, *values: Tensor) -> Tensor:
        raise NotImplementedError("a model runs with a recorder")

    def run(
        self, inputs: tuple[Signal, ...], initial: tuple[Signal, ...], recorder: Recorder
    ) -> tuple[Signal, ...]:
        signals: dict[tuple[str, int], tuple[Signal, ...]] = {
            (ref.layer, ref.call): (signal,)
            for ref, signal in zip(self.graph.inputs, inputs, strict=True)
        }

        def find(ref: Ref) -> Signal:
            outputs = signals[ref.layer, ref.call]
            if ref.tensor < len(outputs):
                return outputs[ref.tensor]
            lost = next((s.lost for s in outputs if s.lost), None)
            return Signal(None, lost=lost or f"{ref.layer} has no output {ref.tensor}")

        for call in self.graph.calls:
            layer = self.by_name[call.layer]
            assert isinstance(layer, Layer)
            given = tuple(map(find, call.inputs))
            states = tuple(map(find, call.initial_state))
            signals[call.layer, call.index] = layer.run(given, states, recorder)
        return tuple(map(find, self.graph.outputs))

    def not_analysed(self) -> list[NotAnalysed]:
        layers = [layer for layer in self.layers if isinstance(layer, Layer)]
        return [found for layer in layers for found in layer.not_analysed()]
