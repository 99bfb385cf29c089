"""What the command line and the configuration say together."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
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
    loaded = configuration.load(config)
    if loaded.format not in _formats(context.command):
        # It is meant for another command, as SARIF for advise.
        loaded = replace(loaded, format=None)
    unsaid = (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP, None)
    return Chosen(
        configuration=loaded,
        parameters=parameters,
        given=[name for name, source in sources.items() if source not in unsaid],
    )


def _formats(command: click.Command) -> Collection[str]:
    """What the command's ``--format`` takes."""
    types = (option.type for option in command.params if option.name == "format_")
    return next((own.choices for own in types if isinstance(own, click.Choice)), ())
