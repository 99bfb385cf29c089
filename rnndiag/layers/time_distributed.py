"""TimeDistributed: the same layer on every timestep, by folding time into the batch."""

from __future__ import annotations

from torch import Tensor

from rnndiag.dialects import time_distributed_asks_for_mask, time_distributed_hides_mask
from rnndiag.layers.base import Layer, Recorder, Signal, build
from rnndiag.records import LayerSpec, NotAnalysed


class TimeDistributed(Layer):
    """Keras's wrapper: (B, T, …) goes through the wrapped layer as (B·T, …).

    What becomes of a mask depends on the writer: whether the wrapped layer sees it, and
    whether it is asked for the output's.
    """

    kinds = ("TimeDistributed",)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        self.inner = build(spec.inner[0])
        self.tells_inner = not time_distributed_hides_mask(spec.writer)
        self.asks_inner = time_distributed_asks_for_mask(spec.writer)

    def run(
        self, inputs: tuple[Signal, ...], initial: tuple[Signal, ...], recorder: Recorder
    ) -> tuple[Signal, ...]:
        source = inputs[0]
        if source.value is None or source.value.dim() < 3:
            lost = Signal(None, lost=source.lost or f"{self.spec.name}: no timesteps come in")
            self.inner.run((lost,), (), recorder)
            return (lost,)
        steps = source.value.shape[:2]
        outputs = self.inner.run(tuple(map(self._folded, inputs)), (), recorder)
        mask = source.handed_on(self.spec.writer)
        return tuple(self._unfolded(output, mask, steps) for output in outputs)

    def _folded(self, signal: Signal) -> Signal:
        if signal.value is None:
            return signal
        mask = signal.heeded
        # A mask of whole timesteps says nothing about what is inside one of them.
        inside = mask is not None and mask.dim() > 2
        told = mask.flatten(0, 1) if mask is not None and inside and self.tells_inner else None
        return Signal(signal.value.flatten(0, 1), told, signal.lost)

    def _unfolded(self, output: Signal, mask: Tensor | None, steps: tuple[int, ...]) -> Signal:
        if output.value is None or len(output.value) != steps[0] * steps[1]:
            # Noise that stood in for the input has another batch.
            return Signal(None, lost=output.lost)
        value = output.value.reshape(*steps, *output.value.shape[1:])
        if not self.asks_inner:
            return Signal(value, mask, output.lost)
        if output.mask is not None:
            inside = output.mask.reshape(*steps, *output.mask.shape[1:])
            return Signal(value, inside, output.lost)
        # The wrapped layer ended the mask: a timestep is real if anything in it was.
        if mask is not None and mask.dim() > 2:
            mask = mask.flatten(2).any(-1)
        return Signal(value, mask, output.lost)

    def not_analysed(self) -> list[NotAnalysed]:
        return self.inner.not_analysed()
