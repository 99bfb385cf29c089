"""Snippets for PyTorch: the network's own modules and parameters, by their real names.

What goes before or after a module stands beside it and is hooked to it: it follows ``train()``
and ``eval()``, leaves the names of all other parameters as they are, and needs no change to
``forward``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from rnndiag.records import LayerReport
from rnndiag.snippets import _torch_blocks as blocks
from rnndiag.snippets import _torch_training as training
from rnndiag.snippets import _torch_weights as weights
from rnndiag.snippets._code import Expression, call, literal, number, real, write
from rnndiag.snippets._torch_modules import Module, modules
from rnndiag.snippets.base import Snippets

_NEW_PARAMETERS = "# Before the optimizer is made, which has to know the new parameters."
_NEW_SIZE = "# Hooks and optimizer come after it; what reads it has to take {width} features."
_LAST = """\
# On what leaves layer {count} of its {count}; what goes between them stays as it is."""
_PARTIAL = "from functools import partial"
_USUAL_EPOCHS = 100
_USUAL_BATCH = 32


class TorchSnippets(Snippets):
    """Parameter groups, initialisation, hooks, and modules made anew.

    Cells (``nn.LSTMCell``) stand in a loop of the user's own, which most changes have to enter:
    for them, only what concerns their weights, input and construction is given.
    """

    # ------------------------------------------------------------ weights

    def decay(self, kernel: float, recurrent: float, bias: float) -> str:
        return self._grouped({"kernel": kernel, "recurrent": recurrent, "bias": bias}, None, None)

    def constraint(self, maximum: float, *, bias: bool = False) -> str:
        bounded = weights.bounded_biases if bias else weights.bounded_rows
        return bounded(self._layers(), maximum)

    def chrono(self, lag: int) -> str:
        gated = [module for module in self._modules() if module.family in ("LSTM", "GRU")]
        starts = weights.chrono(gated, lag)
        without = [module for module in gated if not module.arguments["bias"]]
        return starts and "\n".join((*_made_anew(without, bias="True"), starts))

    def orthogonal(self) -> str:
        return weights.initialised(self._modules())

    def recurrent_dropout(self, rate: float) -> str:
        dropped = weights.dropped(self._modules(), rate)
        return dropped and f"{blocks.WEIGHT_DROP}\n\n\n{dropped}"

    # ------------------------------------------------------------ training

    def clipping(self, norm: float) -> str:
        return (
            "# Between loss.backward() and optimizer.step().\n"
            f"nn.utils.clip_grad_norm_(model.parameters(), max_norm={real(norm)})"
        )

    def optimizer(self, name: str, learning_rate: float | None, decay: float | None) -> str:
        own = weights.known_decays(self.settings, self._layers()) if decay is None else {}
        if own:
            return self._grouped(own, name, learning_rate)
        made = training.optimizer(self.report, name, "model.parameters()", learning_rate, decay)
        return write(made, "optimizer = ")

    def learning_rate(self, value: float) -> str:
        return f'for group in optimizer.param_groups:\n    group["lr"] = {real(value)}'

    def early_stopping(self, patience: int) -> str:
        known = self.settings.epochs
        return blocks.early_stopping(patience, known.value if known else _USUAL_EPOCHS)

    def shuffling(self) -> str:
        known = self.settings.batch_size
        batch = known.value if known else _USUAL_BATCH
        made = call("torch.utils.data.DataLoader", "dataset", batch_size=str(batch), shuffle="True")
        return write(made, "loader = ")

    def split(self) -> str:
        return blocks.SPLIT

    def scaled_inputs(self) -> str:
        return blocks.SCALED_INPUTS

    # ------------------------------------------------------------ the module itself

    def units(self, count: int) -> str:
        lines = []
        for module in self._modules():
            anew = replace(module, arguments={**module.arguments, "hidden_size": count})
            lines.append(_NEW_SIZE.format(width=anew.width))
            lines += _made_anew([anew])
        return "\n".join(lines)

    def activation(self, name: str) -> str:
        plain = [module for module in self._modules() if module.family == "RNN"]
        return "\n".join(_made_anew(plain, nonlinearity=literal(name)))

    def with_bias(self) -> str:
        return "\n".join(_made_anew(self._modules(), bias="True"))

    def without_activity_regularizer(self) -> str:
        return ""

    def stacked(self) -> str:
        return "\n".join(
            line
            for module in self._sequences()
            for line in _made_anew([module], num_layers=str(module.count + 1))
        )

    def zoneout(self, rate: float) -> str:
        fit = [module for module in self._sequences() if not module.arguments["bidirectional"]]
        found = [blocks.zoneout(family) for family in dict.fromkeys(m.family for m in fit)]
        lines = [m.replaced(call("Zoneout", m.code, number(rate))) for m in fit]
        return "\n\n\n".join((*found, "\n".join(lines))) if lines else ""

    # ------------------------------------------------------------ around the module

    def dropout(self, rate: float) -> str:
        first = [m for m in self._modules() if any(own.index == 0 for own in m.layers)]
        inner = [m for m in self._modules() if m not in first]
        return _together(
            _hooked(blocks.INPUT_DROPOUT, first, lambda _: f"nn.Dropout({number(rate)})"),
            _between(inner, rate),
        )

    def between_dropout(self, rate: float) -> str:
        last = [m for m in self._sequences() if all(own.index == m.count - 1 for own in m.layers)]
        inner = [m for m in self._sequences() if m not in last]
        return _together(
            _hooked(blocks.OUTPUT_DROPOUT, last, lambda _: f"nn.Dropout({number(rate)})"),
            _between(inner, rate),
        )

    def layer_normalization(self) -> str:
        return self._around(blocks.LAYER_NORMALIZATION, lambda m: f"nn.LayerNorm({m.width})")

    def batch_normalization(self) -> str:
        return self._around(blocks.BATCH_NORMALIZATION, lambda m: f"nn.BatchNorm1d({m.width})")

    def residual(self) -> str:
        return self._around(blocks.RESIDUAL, _skip)

    def strided_convolution(self, stride: int) -> str:
        return self._around(blocks.STRIDING, lambda m: _convolution(m, stride))

    def _around(self, hook: blocks.Hook, module: Callable[[Module], Expression]) -> str:
        return _hooked(hook, self._sequences(), module)

    def _grouped(self, decays: Mapping[str, float], name: str | None, rate: float | None) -> str:
        """An optimizer with a decay for each part, and the one of now for all others."""
        known = self.settings.weight_decay
        groups = weights.groups(self._layers(), decays, known.value if known else 0.0)
        made = training.optimizer(self.report, name, training.GROUPS, rate, None)
        return groups and f"{groups}\n{write(made, 'optimizer = ')}"

    # ------------------------------------------------------------ what it is about

    def _layers(self) -> list[LayerReport]:
        """The layers with both their directions, which share one module."""
        wanted = {layer.id for layer in self.layers}
        return [own for own in self.report.layers if own.analysed and own.id in wanted]

    def _modules(self) -> list[Module]:
        return modules(self._layers())

    def _sequences(self) -> list[Module]:
        return [module for module in self._modules() if not module.is_cell]


def _made_anew(modules: list[Module], **changes: Expression) -> list[str]:
    """The modules with changes; what no file tells of them is taken from the old ones."""
    lines = []
    for module in modules:
        if module.untold:
            lines.append(f"old = {module.code}")
        lines.append(module.replaced(module.constructor(**changes)))
    return lines


def _hooked(hook: blocks.Hook, modules: list[Module], made: Callable[[Module], Expression]) -> str:
    """The hook's function, and each module with what the function uses."""
    if not modules:
        return ""
    lines = [_NEW_PARAMETERS] if hook.learns else []
    register = "register_forward_pre_hook" if hook.before else "register_forward_hook"
    for module in modules:
        if module.count > 1 and not hook.before:
            lines.append(_LAST.format(count=module.count))
        own = module.beside(hook.attribute)
        lines.append(write(made(module), f"{own} = "))
        lines.append(write(call(f"{module.code}.{register}", call("partial", hook.function, own))))
    return "\n\n\n".join((_PARTIAL, hook.code, "\n".join(lines)))


def _between(modules: list[Module], rate: float) -> str:
    """A stack's own dropout, on what goes from layer to layer."""
    return "\n".join(f"{m.code}.dropout = {number(rate)}  # between its layers" for m in modules)


def _together(*parts: str) -> str:
    return "\n".join(filter(None, parts))


def _skip(module: Module) -> Expression:
    """What brings the input to the output's width."""
    if module.input_size == module.width:
        return "nn.Identity()"
    return call("nn.Linear", str(module.input_size), str(module.width), bias="False")


def _convolution(module: Module, stride: int) -> Expression:
    """Keeps every `stride`-th step; its windows are odd, centred, and leave no step out."""
    size = str(module.input_size)
    sizes = {"kernel_size": str(stride | 1), "stride": str(stride), "padding": str(stride // 2)}
    return call("nn.Conv1d", size, size, **sizes)
