"""Rules: one a file, called as the rule is. `base` says what a rule is made of."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from types import ModuleType

from rnndiag import registry
from rnndiag.errors import BadOption
from rnndiag.rules.base import Rule


@cache
def catalogue() -> dict[str, ModuleType]:
    """Every rule's module by its code, in the order of the codes."""
    found = {_rule(module).code: module for module in registry.modules(__name__).values()}
    return dict(sorted(found.items()))


def name_of(module: ModuleType) -> str:
    """A rule's name: that of its file, with dashes."""
    return module.__name__.rpartition(".")[2].replace("_", "-")


def find(wanted: str) -> str:
    """The code of the rule that `wanted` is the code or the name of, in any spelling of case.

    Raises `BadOption` with the nearest names where there is none.
    """
    names = {name_of(module): code for code, module in catalogue().items()}
    key = wanted.strip()
    code = names.get(key.lower().replace("_", "-"), key.upper())
    if code in catalogue():
        return code
    near = _near(key.lower(), {word.lower(): word for word in (*names, *catalogue())})
    hint = f"did you mean {', '.join(near)}?" if near else "`rnndiag rules` lists them"
    raise BadOption(f"there is no rule {wanted!r}", hint)


def _near(key: str, words: Mapping[str, str]) -> list[str]:
    """A few words that `key` is a part of, if it is no single letter; else those spelt like it."""
    parts = [word for word in words if len(key) > 1 and key in word]
    return [words[word] for word in (parts or difflib.get_close_matches(key, words))[:3]]


def _rule(module: ModuleType) -> Rule:
    rule: Rule = module.RULE
    return rule
