"""``rnndiag explain``: one rule, from its own docstring."""

from __future__ import annotations

import click

from rnndiag.cli.writing import on_terminal, show, width


@click.command(short_help="Say what a rule means, and what to do about it.")
@click.argument("rule", metavar="RULE")
@click.option("--eli5", is_flag=True, help="As for a child of five.")
def explain(rule: str, eli5: bool) -> None:
    """Say what RULE means, why it matters, what to do, and where that comes from.

    RULE is a code or a name: RNN101, vanishing-gradient.
    """
    from rnndiag import explaining, rules

    code = rules.find(rule)
    show(explaining.explanation(code, eli5=eli5, width=width(), color=on_terminal()))
