"""Python source for a snippet, broken over lines where it would be too wide."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

WIDTH = 80
"""Columns of a snippet: it has to fit a terminal, a code review and a README."""
_INDENT = "    "


@dataclass(frozen=True)
class Brackets:
    """A call or a list: what may be broken between its brackets."""

    before: str
    """Up to the opening bracket, which is its last character."""
    items: tuple[Expression, ...]
    after: str

    def __str__(self) -> str:
        """On one line, however long."""
        return f"{self.before}{', '.join(map(str, self.items))}{self.after}"


Expression = str | Brackets


def call(function: str, *arguments: Expression, **named: Expression) -> Brackets:
    """``function(…)``."""
    given = (keyword(name, value) for name, value in named.items())
    return Brackets(f"{function}(", (*arguments, *given), ")")


def keyword(name: str, value: Expression) -> Expression:
    """``name=value``."""
    if isinstance(value, str):
        return f"{name}={value}"
    return Brackets(f"{name}={value.before}", value.items, value.after)


def listed(items: Iterable[Expression]) -> Brackets:
    """``[…]``."""
    return Brackets("[", tuple(items), "]")


def names(texts: Iterable[str]) -> Brackets:
    """A list of strings."""
    return listed(map(literal, texts))


def write(expression: Expression, start: str = "", end: str = "", indent: str = "") -> str:
    """The expression between `start` and `end`, one line or as few as look like code.

    First all arguments on a line of their own, then each on its own, as formatters do.
    """
    flat = f"{indent}{start}{expression}{end}"
    if isinstance(expression, str) or len(flat) <= WIDTH:
        return flat
    deeper = indent + _INDENT
    body = deeper + ", ".join(map(str, expression.items))
    if len(body) > WIDTH:
        body = "\n".join(write(item, end=",", indent=deeper) for item in expression.items)
    return f"{indent}{start}{expression.before}\n{body}\n{indent}{expression.after}{end}"


def literal(value: Any) -> str:
    """A number, text, truth value or list of these as source."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        return real(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(literal, value))}]"
    return repr(value)


def real(value: float) -> str:
    """A number that stays a float in Python: Keras takes no 1 for a learning rate."""
    text = number(value)
    return f"{text}.0" if text.lstrip("-").isdigit() else text


def number(value: float) -> str:
    """A number as people write it: ``1e-4``, ``0.2``, ``3``.

    Six digits, because files hold float32: 0.01 is stored as 0.009999999776.
    """
    text = f"{value:.6g}"
    if 0 < abs(float(text)) < 0.01:
        mantissa, exponent = f"{value:.5e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return text
