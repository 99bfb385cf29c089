"""Plans as a Python module for Optuna: the search space as code, which needs nothing to import.

The module has ``suggest(trial)``, which gives settings under the framework's own names, the
documents' values as trials to begin with, and for PyTorch the parameter groups.
"""

from __future__ import annotations

import pprint
import textwrap
from collections.abc import Iterator

from rnndiag.outputs.plans._words import FRAMEWORKS, least
from rnndiag.records.plan import Parameter, Plan, Tied, Value

_WIDTH = 88
_TRIALS_EACH = 10
"""Trainings for each dimension: a rule of thumb of Bayesian optimization, and no more."""
_USE = """\
    import json
    import optuna

    def objective(trial):
        settings = suggest(trial)
        ...  # build and train a network with them, with early stopping
        return val_loss

    study = optuna.create_study(direction="minimize")
    for known in FIRST:
        study.enqueue_trial(known)
    study.optimize(objective, n_trials={trials})
    done = [own for own in study.trials if own.value is not None]
    with open("trials.json", "w") as file:
        json.dump([{{**own.params, "val_loss": own.value}} for own in done], file)

What came of it leads to the next plan: rnndiag plan CKPT --trials trials.json"""
_GROUPS = '''\
def parameter_groups(model, settings):
    """The optimizer's groups: decays of their own for recurrent layers, none given for the rest.

    torch.optim.AdamW(parameter_groups(model, settings), lr=..., weight_decay=...)
    """
    rest = dict(model.named_parameters())
    groups = [
        {
            "params": [rest.pop(name) for name in names],
            "weight_decay": settings[f"{part}_weight_decay"],
        }
        for part, names in GROUPS.items()
    ]
    return [*groups, {"params": list(rest.values())}]
'''


def render(plan: Plan, *, width: int, color: bool, verbose: bool) -> str:
    """The module's source; the terminal's `width`, `color` and `verbose` change nothing."""
    groups = _groups(plan)
    parts = [_docstring(plan), _first(plan)]
    if groups:
        parts.append(f"GROUPS = {pprint.pformat(groups, width=_WIDTH, sort_dicts=False)}\n")
    parts.append("\n" + _suggest(plan))
    if groups:
        parts.append("\n" + _GROUPS)
    return "\n".join(parts)


# ---------------------------------------------------------------- what stands above


def _docstring(plan: Plan) -> str:
    framework = FRAMEWORKS[plan.framework]
    lines = [
        f'"""What to search for {_safe(plan.checkpoint)} ({framework}), as rnndiag sees it.',
        "",
        *_wrapped(f"{plan.summary[:1].upper()}{plan.summary[1:]}."),
        "",
        *_USE.format(trials=max(1, _TRIALS_EACH * len(plan.space))).splitlines(),
    ]
    if plan.space:
        lines += ["", "Where the settings go:", ""]
        for own in _named(plan):
            use = own.use.replace("VALUE", f'settings["{own.argument}"]')
            lines += _wrapped(f"{own.argument}: {use}", "- ")
    lines += ["", "Left out on purpose:", ""]
    for left in plan.unsearched:
        lines += _wrapped(f"{left.setting}: {left.why} ({left.source})", "- ")
    return "\n".join([*lines, '"""', ""])


def _first(plan: Plan) -> str:
    """The documents' values: all first ones, then each other one by itself."""
    ladders = {own.name: own.ladder for own in plan.space if own.ladder}
    if not ladders:
        return "FIRST = []\n"
    start = [f"    {_quoted(name)}: {_literal(rungs[0])}," for name, rungs in ladders.items()]
    others = [
        f"    {{**START, {_quoted(name)}: {_literal(rung)}}},"
        for name, rungs in ladders.items()
        for rung in rungs[1:]
    ]
    return "\n".join(["START = {", *start, "}", "FIRST = [", "    START,", *others, "]", ""])


def _named(plan: Plan) -> tuple[Parameter | Tied, ...]:
    """All that ``suggest`` gives."""
    return (*plan.space, *plan.tied)


def _groups(plan: Plan) -> dict[str, tuple[str, ...]]:
    """The arrays of each matrix whose decay follows from a trial; Keras names none."""
    if plan.framework != "torch":
        return {}
    named = [own.name for own in _named(plan) if own.name.endswith("_decay")]
    parts = [name.removesuffix("_decay") for name in named]
    return {part: plan.parameters[part] for part in parts if plan.parameters.get(part)}


# ---------------------------------------------------------------- the function


def _suggest(plan: Plan) -> str:
    lines = ["def suggest(trial):", '    """One trial\'s settings, by the framework\'s names."""']
    for parameter in plan.space:
        lines += _wrapped(f"{parameter.why} ({parameter.source})", "    # ")
        lines.append(f"    {parameter.name} = {_call(parameter)}")
    for tied in plan.tied:
        lines += _wrapped(f"{tied.why} ({tied.source})", "    # ")
        lines.append(f"    {tied.name} = {least(tied)}")
    lines += ["    return {", *(f'        "{own.argument}": {own.name},' for own in _named(plan))]
    return "\n".join([*lines, "    }", ""])


def _call(parameter: Parameter) -> str:
    name = _quoted(parameter.name)
    if parameter.choices:
        listed = ", ".join(map(_quoted, parameter.choices))
        return f"trial.suggest_categorical({name}, [{listed}])"
    if parameter.kind == "int":
        return f"trial.suggest_int({name}, {_ends(parameter)})"
    log = ", log=True" if parameter.kind == "log_uniform" else ""
    return f"trial.suggest_float({name}, {_ends(parameter)}{log})"


def _ends(parameter: Parameter) -> str:
    """Both ends as arguments."""
    ends = (parameter.low or 0.0, parameter.high or 0.0)
    return ", ".join(str(int(end)) if parameter.kind == "int" else repr(end) for end in ends)


# ---------------------------------------------------------------- text that may be anything


def _literal(value: Value) -> str:
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(name: str) -> str:
    """One of rnndiag's own names as a text of Python's."""
    return f'"{name}"'


def _wrapped(text: str, head: str = "") -> Iterator[str]:
    """Lines behind `head`; those of a comment each with a mark of their own."""
    below = head if head.endswith("# ") else " " * len(head)
    yield from textwrap.wrap(
        _safe(text),
        _WIDTH,
        initial_indent=head,
        subsequent_indent=below,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _safe(text: str) -> str:
    """Text that ends no docstring and starts no line: paths and columns are anybody's."""
    shown = "".join(own if own.isprintable() else "?" for own in text)
    return shown.replace("\\", "/").replace('"""', "'''").rstrip('"')
