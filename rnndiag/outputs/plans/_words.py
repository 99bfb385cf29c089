"""Names, ranges and values of a plan as short text."""

from __future__ import annotations

from rnndiag.decays import written
from rnndiag.records.plan import Parameter, Step, Tied, Value

FRAMEWORKS = {"keras": "Keras", "torch": "PyTorch"}


def value(own: Value | None) -> str:
    """As people write it: ``1e-4``, ``0.2``, ``layer``."""
    if own is None:
        return ""
    return written(own) if isinstance(own, float) else str(own)


def extent(parameter: Parameter) -> str:
    """The range, or the choices."""
    if parameter.choices:
        return ", ".join(parameter.choices)
    how = ", log" if parameter.kind == "log_uniform" else ""
    return f"{bound(parameter, parameter.low)} to {bound(parameter, parameter.high)}{how}"


def bound(parameter: Parameter, end: float | None) -> str:
    """One end of the range."""
    end = end or 0.0
    return str(int(end)) if parameter.kind == "int" else written(end)


def asked_by(step: Step) -> str:
    """The rules that ask for a step, each once."""
    return ", ".join(dict.fromkeys(reason.rule for reason in step.reasons))


def least(own: Tied) -> str:
    """What a tied setting follows from."""
    bounds = [*own.least_of, *([] if own.at_most is None else [written(own.at_most)])]
    return f"min({', '.join(bounds)})" if len(bounds) > 1 else bounds[0]
