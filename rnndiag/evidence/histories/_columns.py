"""Which columns hold the training and the validation loss."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from rnndiag.errors import BadOption
from rnndiag.evidence.tabular import Table, words

_ROLES = {
    "train": {"train", "training", "trn", "tr"},
    "validation": {"val", "valid", "validation", "validate", "dev", "eval", "evaluation"},
    "test": {"test", "testing"},
}
VALIDATION_OR_TRAIN = _ROLES["train"] | _ROLES["validation"]
"""Names that say which data a loss is of."""
_SAY_NOTHING = {"epoch", "step", "iteration", "iterations", "avg", "average", "mean", "total", "vs"}
"""Words beside a loss that do not make it another one; ``decoder_loss`` would be a part of it."""
_FINER = {"step", "iteration", "iterations"}


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns that were chosen; at least one is there."""

    train: str | None
    validation: str | None
    notes: tuple[str, ...] = ()


def choose(path: Path, table: Table, train: str | None, validation: str | None) -> Columns:
    """The columns that the user names, the others by their names; `BadOption` if there are none."""
    if train is not None and train == validation:
        told = f"{train!r} is named as the training and as the validation loss"
        raise BadOption(told, "name another column, or leave one out")
    for option, name in (("--train-column", train), ("--val-column", validation)):
        _check_named(path, table, option, name)
    taken = {train, validation}
    train = train or _best(table, "train", taken)
    validation = validation or _best(table, "validation", taken)
    notes: tuple[str, ...] = ()
    if validation is None and (validation := _best(table, "test", taken)):
        notes = (
            f"{validation} stands in for the validation loss: a test set that training looks at "
            "no longer tests",
        )
    if train is None and validation is None:
        raise BadOption(
            f"{path}: no column with losses was found among: {table.listed()}",
            "name them: --train-column NAME, --val-column NAME",
        )
    return Columns(train=train, validation=validation, notes=notes)


def _check_named(path: Path, table: Table, option: str, name: str | None) -> None:
    if name is None:
        return
    if name not in table.columns:
        near = get_close_matches(name, table.columns, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"its columns: {table.listed()}"
        raise BadOption(f"{path}: {option}: there is no column {name!r}", hint)
    if not table.count(name):
        raise BadOption(f"{path}: {option}: the column {name!r} holds no numbers", "name another")


def _best(table: Table, role: str, taken: set[str | None]) -> str | None:
    """The column that is most surely the loss of `role`."""
    found = [name for name in table.columns if name not in taken and role_of(name) == role]
    counts = {name: table.count(name) for name in found}
    most = max(counts.values(), default=0)

    def doubts(name: str) -> tuple[bool, bool, bool]:
        # Hugging Face's log ends with one train_loss, the mean over all that was logged as loss.
        summary = counts[name] == 1 < most
        spoken = set(words(name))
        return summary, bool(spoken & _FINER), spoken.isdisjoint(_ROLES[role])

    return min((name for name in found if counts[name]), key=doubts, default=None)


def role_of(name: str) -> str | None:
    """Whose loss a column holds, by its name; None where it is no loss, or a part of one."""
    spoken = set(words(name))
    if "loss" not in spoken:
        return None
    rest = spoken - {"loss"} - _SAY_NOTHING
    roles = [role for role, names in _ROLES.items() if rest & names]
    known = rest.issubset(set().union(*_ROLES.values()))
    if not known or len(roles) > 1:
        return None
    return roles[0] if roles else "train"
