"""PyTorch's optimizers, as the file tells of them and as they are to be."""

from __future__ import annotations

from rnndiag.decays import SMALLEST
from rnndiag.records import Report, Settings
from rnndiag.snippets._code import Brackets, Expression, call, literal, real

_DECOUPLED = {
    **dict.fromkeys(("adam", "adamw", "adamax", "adagrad", "adadelta", "rmsprop"), "AdamW"),
    **dict.fromkeys(("nadam", "nadamw"), "NAdam"),
    **{"radam": "RAdam", "sgd": "SGD"},
}
"""The class of torch.optim that decays apart from the gradient, in the place of any other."""
_SAME_SCALE = ("adam", "adamw", "adamax", "nadam", "nadamw", "radam", "rmsprop")
"""Optimizers for which the same learning rates are usual."""
_USUAL_RATE = 1e-3
GROUPS = "groups"
"""Parameter groups that have decays of their own."""


def optimizer(
    report: Report, name: str | None, parameters: str, rate: float | None, decay: float | None
) -> Brackets:
    """The call that makes it for these parameters; None keeps what is known or usual."""
    settings = report.settings or Settings()
    known = settings.optimizer.value.lower() if settings.optimizer else ""
    wanted = (name or known).lower()
    made = _DECOUPLED.get(wanted, name or "AdamW")
    told: dict[str, Expression] = {"lr": real(rate or _rate(settings, known, wanted))}
    if decay is None:
        before = settings.weight_decay.value if settings.weight_decay else 0.0
        decay = before or (SMALLEST if made == "AdamW" else None)
    if decay is not None and parameters != GROUPS:
        told["weight_decay"] = real(decay)
    if made in ("NAdam", "RAdam"):
        told["decoupled_weight_decay"] = "True"
    return call(f"torch.optim.{made}", parameters, **told, **_momentum(report, made))


def _rate(settings: Settings, known: str, wanted: str) -> float:
    """The learning rate that is known, unless it was for another kind of optimizer."""
    alike = known in ("", wanted) or {known, wanted} <= set(_SAME_SCALE)
    rate = settings.learning_rate
    return rate.value if rate and alike else _USUAL_RATE


def _momentum(report: Report, made: str) -> dict[str, Expression]:
    told = [fact.value for fact in report.training if fact.name == "momentum"]
    return {"momentum": literal(told[0])} if made == "SGD" and told and told[0] else {}
