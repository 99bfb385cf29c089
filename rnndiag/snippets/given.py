"""Settings that were given before: the next lines keep them, instead of taking them back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

from rnndiag.records import LayerReport, LayerSettings, Report, Setting, Settings
from rnndiag.snippets._keras_changes import with_arguments

_SOURCE = "an earlier step"
_OF_LAYERS = {own.name for own in fields(LayerSettings)}


def with_settings(report: Report, given: Mapping[str, float | str]) -> Report:
    """The report as it would be with these settings, named as a file for ``--trials`` names them.

    What stands beside a layer, such as its normalization, is not changed by lines for the layer.
    """
    return replace(
        report,
        settings=_settings(report, given),
        layers=tuple(_layer(own, given, report.checkpoint.framework) for own in report.layers),
    )


def _settings(report: Report, given: Mapping[str, float | str]) -> Settings:
    known = report.settings or Settings()
    told = {name: Setting(value=value, source=_SOURCE) for name, value in given.items()}
    if "clipping" in told:
        clipping = Setting(value=f"global_clipnorm {given['clipping']}", source=_SOURCE)
        known = replace(known, clipping=clipping)
    whole = {name: told[name] for name in ("optimizer", "learning_rate") if name in told}
    own = {name: setting for name, setting in told.items() if name in _OF_LAYERS}
    layers = {
        layer.id: replace(known.layers.get(layer.id, LayerSettings()), **own)  # type: ignore[arg-type]
        for layer in report.layers
        if layer.analysed
    }
    return replace(known, **whole, layers={**known.layers, **layers})  # type: ignore[arg-type]


def _layer(layer: LayerReport, given: Mapping[str, float | str], framework: str) -> LayerReport:
    """With the arguments that its constructor is written from."""
    if not layer.analysed:
        return layer
    if framework == "keras":
        layer = replace(layer, arguments=with_arguments(layer, given))
    elif "units" in given:
        layer = replace(layer, arguments={**layer.arguments, "hidden_size": given["units"]})
    return replace(layer, hidden_size=int(given.get("units", layer.hidden_size or 0)))
