"""Snippets are run, not read: what the tests of both frameworks share."""

from __future__ import annotations

import ast
from typing import Any

from rnndiag.records import Setting, Settings
from rnndiag.snippets._code import WIDTH
from rnndiag.snippets.base import Snippets

EVERY: dict[str, tuple[Any, ...]] = {
    "decay": (1e-4, 2e-5, 2e-5),
    "constraint": (3.0,),
    "clipping": (1.0,),
    "optimizer": ("AdamW", 1e-3, 1e-4),
    "learning_rate": (3e-4,),
    "dropout": (0.1,),
    "recurrent_dropout": (0.2,),
    "between_dropout": (0.3,),
    "chrono": (100,),
    "orthogonal": (),
    "units": (5,),
    "activation": ("relu",),
    "layer_normalization": (),
    "batch_normalization": (),
    "with_bias": (),
    "without_activity_regularizer": (),
    "stacked": (),
    "residual": (),
    "zoneout": (0.1,),
    "strided_convolution": (4,),
    "early_stopping": (7,),
    "shuffling": (),
    "split": (),
    "scaled_inputs": (),
}
"""Every method with arguments."""


def known(**values: Any) -> Settings:
    """Settings of which these are known."""
    return Settings(**{k: Setting(value=v, source="test") for k, v in values.items()})


def run(snippet: str, **names: Any) -> tuple[list[Any], dict[str, Any]]:
    """The values of a snippet's bare expressions, and all names after it."""
    values = []
    for statement in ast.parse(snippet).body:
        if isinstance(statement, ast.Expr):
            code = compile(ast.Expression(statement.value), "snippet", "eval")
            values.append(eval(code, names))
        else:
            exec(compile(ast.Module([statement], []), "snippet", "exec"), names)
    return values, names


def check_lines(snippets: Snippets, empty: tuple[str, ...] = ()) -> None:
    """Every method's lines are narrow and valid; only those named in `empty` have none."""
    assert set(EVERY) == Snippets.__abstractmethods__
    for method, arguments in EVERY.items():
        snippet = getattr(snippets, method)(*arguments)
        compile(snippet, method, "exec")
        assert bool(snippet) == (method not in empty), method
        assert snippet == snippet.strip("\n"), method
        assert [line for line in snippet.splitlines() if len(line) > WIDTH] == [], method
        assert [line for line in snippet.splitlines() if line != line.rstrip()] == [], method
