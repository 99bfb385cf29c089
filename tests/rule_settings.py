"""How the layer of `rule_reports` was trained, and checkpoints of that training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rule_reports import layer, report

from rnndiag.records import (
    LayerReport,
    LayerSettings,
    Report,
    Series,
    Setting,
    Settings,
    WeightSizes,
)

SOURCE = "run.toml"


def known(value: Any) -> Setting[Any]:
    """A setting that somebody told."""
    return Setting(value=value, source=SOURCE)


def decayed(
    kernel: float | None = None,
    recurrent: float | None = None,
    bias: float | None = None,
    **others: Any,
) -> LayerSettings:
    """A layer's decays; None is not known. `others` are values by the name of their setting."""
    return LayerSettings(
        kernel_decay=None if kernel is None else known(kernel),
        recurrent_decay=None if recurrent is None else known(recurrent),
        bias_decay=None if bias is None else known(bias),
        **{name: known(value) for name, value in others.items()},
    )


def trained(
    own: LayerSettings | None = None,
    of: LayerReport | None = None,
    *,
    series: Series | None = None,
    framework: str = "keras",
    **network: Any,
) -> Report:
    """The report of a network with one layer; `network` are its settings by their names."""
    made = of or layer()
    settings = Settings(
        layers={made.id: own or LayerSettings()},
        **{name: known(value) for name, value in network.items()},
    )
    return report(made, framework=framework, series=series, settings=settings)


def checkpoints(
    kernel: Sequence[float | None],
    recurrent: Sequence[float | None],
    bias: Sequence[float | None] = (),
    name: str = "lstm/forward",
) -> Series:
    """Norms of the three arrays, the earliest checkpoint first."""
    sizes = WeightSizes(kernel=tuple(kernel), recurrent=tuple(recurrent), bias=tuple(bias))
    count = len(sizes.kernel)
    return Series(
        checkpoints=tuple(f"epoch-{place}.h5" for place in range(count)),
        steps=tuple(map(float, range(count))),
        layers={name: sizes},
    )
