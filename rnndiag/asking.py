"""What rules can ask for, by the types of their parameters.

The types are compared by name: a rule names the fact of a measurement without importing it,
so that the catalogue of rules can be read where not even numpy is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

from rnndiag import registry
from rnndiag.records import (
    LayerReport,
    LayerSettings,
    Policy,
    Report,
    Settings,
    Skipped,
    Trials,
)
from rnndiag.rules.base import NO_SERIES


@dataclass(frozen=True, kw_only=True)
class Question:
    """One rule asked about one layer, or about the whole network."""

    report: Report
    policy: Policy
    trials: Trials | None
    thresholds: Any
    layer: LayerReport | None = None

    @property
    def settings(self) -> Settings:
        """What is known of the training."""
        return self.report.settings or Settings()


Provider = Callable[[Question], Any]


def arguments(check: Callable[..., Any], question: Question) -> dict[str, Any] | Skipped:
    """What `check` asks for, by parameter; `Skipped` where something needed is not there."""
    found: dict[str, Any] = {}
    for name, wanted, optional in _parameters(check):
        fact = _provider(wanted)(question)
        if isinstance(fact, Skipped):
            if not optional:
                return fact
            fact = None
        found[name] = fact
    return found


def concerns_layer(check: Callable[..., Any]) -> bool:
    """Whether a rule is asked once for each layer."""
    return any(wanted in {*_OF_LAYER, *_measured()} for _, wanted, _ in _parameters(check))


def asks_for(check: Callable[..., Any], wanted: str) -> bool:
    """Whether a rule looks at the fact of that type, needed or not."""
    return any(own == wanted for _, own, _ in _parameters(check))


@cache
def _parameters(check: Callable[..., Any]) -> tuple[tuple[str, str, bool], ...]:
    """Each parameter's name, the name of its type, and whether it may be None."""
    types = (
        (name, str(own.annotation)) for name, own in inspect.signature(check).parameters.items()
    )
    return tuple(
        (name, wanted.removesuffix(" | None"), wanted.endswith(" | None")) for name, wanted in types
    )


def _provider(wanted: str) -> Provider:
    for providers in (_OF_NETWORK, _OF_LAYER):
        if wanted in providers:
            return providers[wanted]
    return _measured()[wanted]


@cache
def _measured() -> dict[str, Provider]:
    """A provider for each measurement's fact, by the name of its class."""
    modules = registry.modules("rnndiag.measurements").items()
    return {_fact_class(module): _measurement(name) for name, module in modules}


def _fact_class(module: ModuleType) -> str:
    """What the measurement returns where it does not skip."""
    returned = str(module.measure.__annotations__["return"])
    return returned.removesuffix(" | Skipped")


def _measurement(name: str) -> Provider:
    def provide(question: Question) -> Any:
        assert question.layer is not None
        missing = Skipped(reason=f"the report has no {name}")
        return question.layer.measurements.get(name, missing)

    return provide


# ---------------------------------------------------------------- facts that are no measurement


def _layer_settings(question: Question) -> LayerSettings:
    assert question.layer is not None
    return question.settings.layers.get(question.layer.id, LayerSettings())


def _snippets(question: Question) -> Any:
    from rnndiag import snippets

    return snippets.for_(question.report, question.layer)


def _or_skip(fact: Any, enables: str) -> Any:
    return Skipped(reason=enables) if fact is None else fact


_OF_LAYER: Mapping[str, Provider] = {
    "LayerReport": lambda asked: asked.layer,
    "LayerSettings": _layer_settings,
}
_OF_NETWORK: Mapping[str, Provider] = {
    "Report": lambda asked: asked.report,
    "Settings": lambda asked: asked.settings,
    "ProbeReport": lambda asked: asked.report.probe,
    "Snippets": _snippets,
    "Cuts": lambda asked: asked.thresholds,
    "Profile": lambda asked: asked.policy.profile,
    "Lag": lambda asked: _or_skip(asked.policy.lag, "no lag to compare with: give --lag N"),
    "History": lambda asked: _or_skip(
        asked.report.history, "no history of the losses: give --history FILE"
    ),
    "Series": lambda asked: asked.report.series or NO_SERIES,
    "Trials": lambda asked: _or_skip(asked.trials, "no trials: give --trials FILE"),
}
