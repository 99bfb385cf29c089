"""What the command line and the configuration say together."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from rnndiag.configuration import Configuration


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A command's parameters, and the configuration that lies below them."""

    configuration: Configuration
    parameters: Mapping[str, Any]
    """By click's names, defaults included."""
    given: Collection[str]
    """Those of them that a user has given."""

    def about(self, path: str | None = None) -> dict[str, Any]:
        """The parameters for one checkpoint, or what is said for all; raises `BadOption`."""
        from rnndiag import configuration

        entry = None
        if path is not None:
            (entry,) = configuration.checkpoints(self.configuration, [path])
        return configuration.merged(self.parameters, self.given, self.configuration, entry)


def choose(config: Path | None, parameters: Mapping[str, Any]) -> Chosen:
    """What is chosen by the current command; raises `BadOption` for a broken configuration."""
    from rnndiag import configuration

    context = click.get_current_context()
    sources = {name: context.get_parameter_source(name) for name in parameters}
    unsaid = (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP, None)
    return Chosen(
        configuration=configuration.load(config),
        parameters=parameters,
        given=[name for name, source in sources.items() if source not in unsaid],
    )
