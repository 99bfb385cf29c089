"""Help in groups: click prints one list of options, and some commands have dozens."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import click

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]

_REST = "Other"
"""The heading of ungrouped options, which comes last."""


class GroupedOption(click.Option):
    """An option that stands in the help under the heading `group`."""

    def __init__(self, *declarations: Any, group: str, **attributes: Any) -> None:
        super().__init__(*declarations, **attributes)
        self.group = group


class GroupedCommand(click.Command):
    """A command whose options are listed by group, in the order in which they are declared."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for option in self.get_params(ctx):
            record = option.get_help_record(ctx)
            # Newer versions of click have records of arguments, too.
            if record is None or not isinstance(option, click.Option):
                continue
            title = option.group if isinstance(option, GroupedOption) else _REST
            groups.setdefault(title, []).append(record)
        for title, records in sorted(groups.items(), key=lambda item: item[0] == _REST):
            with formatter.section(title):
                formatter.write_dl(records)


def group(title: str) -> Callable[..., Decorator]:
    """``click.option`` for the options of one group."""
    return partial(click.option, cls=GroupedOption, group=title)


def together(*options: Decorator) -> Decorator:
    """Several options as one decorator; they stand in the help in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
