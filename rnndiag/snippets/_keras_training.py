"""How a Keras network is compiled, as the file tells of it and as it is to be."""

from __future__ import annotations

from rnndiag.records import Report, Settings
from rnndiag.snippets._code import Brackets, Expression, call, literal, real

OPTIMIZERS = {
    name.lower(): name
    for name in (
        *("Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lamb", "Lion"),
        *("Muon", "Nadam", "RMSprop", "SGD"),
    )
} | {"nadamw": "Nadam"}
"""Keras's classes by any spelling; there, every optimizer's own decay is decoupled."""
ADAPTIVE = ("Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Lamb", "Nadam", "RMSprop")
"""Those that scale each weight's gradient by its past size, and an L2 penalty's with it."""
_CLIPPING = ("global_clipnorm", "clipnorm", "clipvalue")
_LOSSES = (
    *("mse", "mae", "mean_squared_error", "mean_absolute_error", "MeanSquaredError"),
    *("binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"),
    *("BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy"),
    *("MeanAbsoluteError", "Huber", "huber", "KLDivergence", "kl_divergence", "poisson"),
)


def known_optimizer(settings: Settings) -> str | None:
    """Keras's class of the optimizer that trained the network."""
    return OPTIMIZERS.get(settings.optimizer.value.lower()) if settings.optimizer else None


def known_clipping(settings: Settings) -> dict[str, Expression]:
    """``clipnorm 1`` as the argument it came from."""
    name, _, value = (settings.clipping.value if settings.clipping else "").partition(" ")
    try:
        return {name: real(float(value))} if name in _CLIPPING else {}
    except ValueError:
        return {}


def optimizer(
    report: Report,
    settings: Settings,
    name: str,
    learning_rate: float | None = None,
    decay: float | None = None,
    clipping: dict[str, Expression] | None = None,
) -> Brackets:
    """The call that makes it; what is not given stays as it is known, and else is left out."""
    rate = learning_rate if learning_rate is not None else _known_rate(settings, name)
    if decay is None and settings.weight_decay:
        decay = settings.weight_decay.value
    told: dict[str, Expression] = {"learning_rate": real(rate)} if rate else {}
    if decay:
        told["weight_decay"] = real(decay)
    told |= known_clipping(settings) if clipping is None else clipping
    return call(f"keras.optimizers.{name}", **told, **_momentum(report, name))


def compiling(report: Report, optimizer: Expression) -> Brackets:
    """``model.compile`` with the loss that the network had."""
    return call("model.compile", optimizer=optimizer, loss=_loss(report))


def _known_rate(settings: Settings, name: str) -> float | None:
    """The learning rate, unless it was for another kind of optimizer."""
    if settings.learning_rate is None:
        return None
    before = known_optimizer(settings)
    alike = before == name or before is None or {before, name} <= set(ADAPTIVE)
    return settings.learning_rate.value if alike else None


def _momentum(report: Report, name: str) -> dict[str, Expression]:
    told = [fact.value for fact in report.training if fact.name == "momentum"]
    return {"momentum": literal(told[0])} if name == "SGD" and told and told[0] else {}


def _loss(report: Report) -> str:
    """By its name where that says all; else what the loaded model was compiled with."""
    for fact in report.training:
        if fact.name == "loss" and fact.value in _LOSSES:
            return literal(fact.value)
    return "model.loss"
