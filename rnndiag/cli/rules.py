"""``rnndiag rules``: the catalogue."""

from __future__ import annotations

import click

from rnndiag.cli.writing import on_terminal, show, width


@click.command()
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    show_default=True,
    help="A table for people, JSON for programs.",
)
def rules(format_: str) -> None:
    """List every rule: what it watches, and how grave its findings are."""
    from rnndiag import explaining

    if format_ == "table":
        show(explaining.rule_table(width=width(), color=on_terminal()))
    elif format_ == "json":
        show(explaining.rule_json())
    else:
        show(explaining.rule_markdown())
