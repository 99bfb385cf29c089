"""Snippets for Keras 3, whatever it runs on; most of them for late Keras 2, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rnndiag.decays import SMALLEST
from rnndiag.records import LayerReport
from rnndiag.snippets import _keras_blocks as blocks
from rnndiag.snippets import _keras_changes as changes
from rnndiag.snippets import _keras_training as training
from rnndiag.snippets._code import Expression, call, listed, literal, number, real, write
from rnndiag.snippets._keras_layers import (
    Changes,
    constructor,
    convolves,
    family_of,
    keeps_size,
    kind_of,
    name_of,
    running,
    stands_in_stack,
)
from rnndiag.snippets.base import Snippets

_ONE_FOR_ALL = """\
# {name} scales a penalty along with its gradient. AdamW would not, but it has
# one decay for all weights; separate values take a penalty each."""


class KerasSnippets(Snippets):
    """Layers as constructor calls with their own arguments, the changed ones among them."""

    # ------------------------------------------------------------ weights

    def decay(self, kernel: float, recurrent: float, bias: float) -> str:
        factors = (kernel, recurrent, bias)
        lines = self._each(lambda layer: changes.penalties(layer, factors))
        known, own = training.known_optimizer(self.settings), self.settings.weight_decay
        if not lines or not any(factors) or known is None:
            return lines
        if own and own.value:
            return "\n".join((lines, *self._spared(known)))
        if known in training.ADAPTIVE:
            return f"{_ONE_FOR_ALL.format(name=known)}\n{lines}"
        return lines

    def constraint(self, maximum: float, *, bias: bool = False) -> str:
        change = changes.bias_bound if bias else changes.bounds
        return self._each(lambda layer: change(layer, maximum))

    def chrono(self, lag: int) -> str:
        gated = [layer for layer in self._layers() if family_of(layer) in ("LSTM", "GRU")]
        made = {kind: blocks.chrono(kind, lag) for kind in map(family_of, gated)}
        lines = [
            write(constructor(layer, changes.bias_start(layer, made[family_of(layer)][0])))
            for layer in gated
        ]
        return _after([code for _, code in made.values()], lines)

    def orthogonal(self) -> str:
        return self._changed(
            kernel_initializer='"glorot_uniform"', recurrent_initializer='"orthogonal"'
        )

    # ------------------------------------------------------------ training

    def clipping(self, norm: float) -> str:
        known = training.known_optimizer(self.settings)
        if known is None:
            return f"model.optimizer.global_clipnorm = {real(norm)}"
        return self._compiled(known, clipping={"global_clipnorm": real(norm)})

    def optimizer(self, name: str, learning_rate: float | None, decay: float | None) -> str:
        wanted = training.OPTIMIZERS.get(name.lower(), name)
        known = self.settings.weight_decay
        if wanted == "AdamW" and decay is None and not (known and known.value):
            # Keras's own default of 4e-3 is more than either document would try.
            decay = SMALLEST
        lines = [self._compiled(wanted, learning_rate, decay)]
        penalized = [layer for layer in self._layers() if changes.has_penalties(layer)]
        if decay and penalized:
            lines.append("# A penalty would come on top of that decay; the layers without:")
            lines += [
                write(constructor(layer, changes.penalties(layer, (0, 0, 0))))
                for layer in penalized
            ]
        return "\n".join(lines)

    def learning_rate(self, value: float) -> str:
        known = training.known_optimizer(self.settings)
        if known is None:
            return f"model.optimizer.learning_rate = {real(value)}"
        return self._compiled(known, value)

    def early_stopping(self, patience: int) -> str:
        stop = call(
            "keras.callbacks.EarlyStopping",
            patience=str(patience),
            restore_best_weights="True",
        )
        fit = "# model.fit(..., validation_data=..., callbacks=callbacks)"
        return f"{write(listed([stop]), 'callbacks = ')}\n{fit}"

    def shuffling(self) -> str:
        known = self.settings.batch_size
        carrying = [layer for layer in self._layers() if running(layer).get("stateful")]
        if carrying:
            probe, last = self.report.probe, carrying[-1]
            return blocks.stateful_shuffling(
                [literal(name_of(layer)) for layer in carrying],
                known.value if known else probe.batch,
                probe.timesteps,
                each_step=bool(running(last).get("return_sequences")),
            )
        batch = {"batch_size": str(known.value)} if known else {}
        return write(call("model.fit", "x_train", "y_train", **batch, shuffle="True"))

    def split(self) -> str:
        return blocks.SPLIT

    def scaled_inputs(self) -> str:
        return blocks.SCALED_INPUTS

    # ------------------------------------------------------------ the layer itself

    def dropout(self, rate: float) -> str:
        return self._changed(dropout=number(rate))

    def recurrent_dropout(self, rate: float) -> str:
        return self._changed(recurrent_dropout=number(rate))

    def units(self, count: int) -> str:
        return self._changed(units=str(count))

    def activation(self, name: str) -> str:
        return self._changed(activation=literal(name))

    def with_bias(self) -> str:
        return self._changed(use_bias="True")

    def without_activity_regularizer(self) -> str:
        return self._changed(activity_regularizer=None)

    def zoneout(self, rate: float) -> str:
        # What runs a convolution's cell takes no other.
        layers = [layer for layer in self._layers() if not convolves(layer)]
        made = {kind: blocks.zoneout(kind, rate) for kind in map(kind_of, layers)}
        cells = {kind: name for kind, (name, _) in made.items()}
        # It stands in the place of recurrent dropout: both at once are another experiment.
        lines = [
            write(constructor(layer, {"recurrent_dropout": None}, cell=cells[kind_of(layer)]))
            for layer in layers
        ]
        return _after([code for _, code in made.values()], lines)

    # ------------------------------------------------------------ around the layer

    def between_dropout(self, rate: float) -> str:
        dropout = call("keras.layers.Dropout", number(rate))
        return self._flow(lambda layer: (constructor(layer), dropout))

    def layer_normalization(self) -> str:
        normalization = call("keras.layers.LayerNormalization")
        return self._flow(lambda layer: (constructor(layer), normalization))

    def batch_normalization(self) -> str:
        normalization = call("keras.layers.BatchNormalization")
        return self._flow(lambda layer: (constructor(layer), normalization))

    def stacked(self) -> str:
        return self._flow(lambda layer: changes.twice(layer) if keeps_size(layer) else ())

    def strided_convolution(self, stride: int) -> str:
        made = {layer.id: changes.striding(layer, stride) for layer in self._whole()}
        convolved = {key: found for key, found in made.items() if found is not None}
        return self._flow(
            lambda layer: (convolved[layer.id], constructor(layer)) if layer.id in convolved else ()
        )

    def residual(self) -> str:
        fit = (layer for layer in self._whole() if keeps_size(layer))
        return "\n".join(line for layer in fit for line in changes.residual(layer))

    # ------------------------------------------------------------ putting lines together

    def _layers(self) -> list[LayerReport]:
        """Each layer once: its directions and its calls share one constructor."""
        found: dict[str, LayerReport] = {}
        for layer in self.layers:
            found.setdefault(layer.id, layer)
        return list(found.values())

    def _whole(self) -> list[LayerReport]:
        """Those that take and give a tensor: a cell of a stack does not."""
        return [layer for layer in self._layers() if not stands_in_stack(layer)]

    def _each(self, change: Callable[[LayerReport], Changes]) -> str:
        return "\n".join(write(constructor(layer, change(layer))) for layer in self._layers())

    def _changed(self, **change: Expression | None) -> str:
        return self._each(lambda _: change)

    def _flow(self, parts: Callable[[LayerReport], Sequence[Expression]]) -> str:
        """What `x` goes through, one layer after the other."""
        return "\n".join(
            write(part, "x = ", "(x)") for layer in self._whole() for part in parts(layer)
        )

    def _compiled(
        self,
        name: str,
        learning_rate: float | None = None,
        decay: float | None = None,
        clipping: dict[str, Expression] | None = None,
    ) -> str:
        made = training.optimizer(self.report, self.settings, name, learning_rate, decay, clipping)
        return write(training.compiling(self.report, made))

    def _spared(self, known: str) -> Iterator[str]:
        """The optimizer's own decay, kept from layers that have penalties."""
        made = training.optimizer(self.report, self.settings, known)
        own = [
            f"*model.get_layer({literal(name_of(layer))}).trainable_variables"
            for layer in self._whole()
        ]
        yield f"# {known}'s own decay, which is for all weights, is to leave these out:"
        yield write(made, "optimizer = ")
        yield write(call("optimizer.exclude_from_weight_decay", var_list=listed(own)))
        yield write(training.compiling(self.report, "optimizer"))


def _after(definitions: Sequence[str], lines: Sequence[str]) -> str:
    """Lines below what they use; nothing where there are none."""
    return "\n\n\n".join((*definitions, "\n".join(lines))) if lines else ""
