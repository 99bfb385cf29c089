"""Whether an array fits an input of the network: `BadProbe` says what was expected."""

from __future__ import annotations

import numpy as np

from rnndiag.errors import BadProbe
from rnndiag.probe.inputs import InputNeed
from rnndiag.records import Array

_AXES = ("samples", "timesteps", "features")


def fitted(array: Array, need: InputNeed, label: str) -> Array:
    """The input as the network takes it: float32 features or int64 token ids.

    `label` names the array and its file in messages.
    """
    if need.free:
        return _as_given(array, need, label)
    array = real_numbers(array, label)
    if not _fits(array, need):
        kind = "features" if need.vocabulary is None else "token ids"
        raise BadProbe(
            f"{label} has shape {array.shape}, but input {need.name!r} takes {kind} "
            f"of shape {need.wanted}",
            _shape_hint(array, need),
        )
    if 0 in array.shape:
        what = _AXES[min(array.shape.index(0), 2)]
        raise BadProbe(f"{label} has shape {array.shape}: no {what}", "was the array cut wrongly?")
    check_finite(array, label)
    return features(array, label) if need.vocabulary is None else _ids(array, need, label)


def _as_given(array: Array, need: InputNeed, label: str) -> Array:
    """The array for a network that is code: only its numbers are looked at, not its shape."""
    if array.ndim == 0 or 0 in array.shape:
        raise BadProbe(f"{label} has shape {array.shape}: no samples", "is it the right array?")
    if array.dtype.kind == "b":
        return array
    array = real_numbers(array, label)
    check_finite(array, label)
    # Tables and some writers have token ids as floats.
    ids = need.vocabulary is not None and bool((array == array.round()).all())
    whole = ids or array.dtype.kind in "iu"
    return array.astype(np.int64) if whole else features(array, label)


def real_numbers(array: Array, label: str) -> Array:
    """The array, booleans as integers; anything but real numbers is refused."""
    if array.dtype.kind == "b":
        return array.astype(np.int64)
    if array.dtype.kind not in "fiu":
        raise BadProbe(f"{label} holds {array.dtype}, not real numbers", "save floats or integers")
    return array


def check_finite(array: Array, label: str) -> None:
    """Refuse NaN and infinite values; the message says where the first one is."""
    bad = ~np.isfinite(array)
    if bad.any():
        where = ", ".join(str(index) for index in np.argwhere(bad)[0])
        raise BadProbe(
            f"{label} is NaN or infinite at {bad.sum()} of {bad.size} places, first at [{where}]",
            "replace these values as was done for training",
        )


def features(array: Array, label: str) -> Array:
    """The array in float32, if it can hold the numbers."""
    if np.abs(array).max(initial=0) > np.finfo(np.float32).max:
        raise BadProbe(f"{label} holds numbers too large for float32", "scale them down")
    return array.astype(np.float32)


def _fits(array: Array, need: InputNeed) -> bool:
    if need.axes is None:
        return array.ndim >= 2
    return array.ndim == len(need.axes) + 1 and _same(array.shape[1:], need)


def _same(sizes: tuple[int, ...], need: InputNeed) -> bool:
    axes = need.axes or ()
    return len(sizes) == len(axes) and all(
        want in (None, have) for want, have in zip(axes, sizes, strict=True)
    )


def _shape_hint(array: Array, need: InputNeed) -> str:
    """What to try, where little is missing."""
    if _same(array.shape, need):
        return "a single sample needs a batch axis: x[None]"
    if _same((*array.shape[1:], 1), need):
        return "a single feature needs an axis: x[..., None]"
    if need.vocabulary is not None and _same(array.shape[1:-1], need):
        return "one-hot vectors become ids by x.argmax(-1)"
    if array.ndim == 3 and _same((array.shape[2], array.shape[1]), need):
        return "features come last: x.transpose(0, 2, 1)"
    steps, sizes = need.fixed_steps, array.shape[1:]
    if steps is not None and sizes and _same((steps, *sizes[1:]), need):
        return f"the network takes {steps} timesteps, no more and no fewer: cut or pad the probe"
    return "axes are batch, timesteps, features"


def _ids(array: Array, need: InputNeed, label: str) -> Array:
    if (array != np.floor(array)).any():
        raise BadProbe(
            f"{label} holds fractions, but input {need.name!r} takes token ids", "save integers"
        )
    assert need.vocabulary is not None
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= need.vocabulary:
        raise BadProbe(
            f"{label} holds token id {low if low < 0 else high}, but input {need.name!r} "
            f"takes ids from 0 to {need.vocabulary - 1}",
            "use the vocabulary that the network was trained with",
        )
    return array.astype(np.int64)
