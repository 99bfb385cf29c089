"""Operations by themselves: their places, masks, padding, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from rnndiag.layers._ops.arguments import Slot
from rnndiag.layers.base import Recorder, Signal, build
from rnndiag.records import Array
from tests.graphs import called, layer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 4, 3)).astype(np.float32)
MASK = torch.tensor([[True, True, False, False], [True, True, True, True]])
PADDING = ~MASK
S = Slot(0)


def run(kind: str, *signals: Signal, args: tuple[Any, ...] = (S,), **kwargs: Any) -> Signal:
    given = signals or (Signal(torch.from_numpy(X)),)
    recorder = Recorder(torch.Generator(), 2, 4, torch.device("cpu"))
    return build(layer("o", kind, config=called(*args, **kwargs))).run(given, (), recorder)[0]


def value(signal: Signal) -> Array:
    assert signal.lost is None, signal.lost
    assert signal.value is not None
    found: Array = signal.value.numpy()
    return found


def piece(*bounds: int | None) -> dict[str, Any]:
    return {
        "class_name": "__slice__",
        "config": dict(zip(("start", "stop", "step"), bounds, strict=True)),
    }


ALL = piece(None, None, None)
FROM_1_TO_3 = {"begin_mask": 1, "end_mask": 1}
LAST_STEP = {"begin_mask": 1, "end_mask": 1, "shrink_axis_mask": 2}
CASES = [
    ("ops.GetItem", (S, [ALL, -1]), {}, X[:, -1]),
    ("ops.GetItem", (S, [{"class_name": "__ellipsis__"}, None, 0]), {}, X[..., None, 0]),
    ("ops.GetItem", (S, [ALL, piece(3, 0, -2), 1]), {}, X[:, 3:0:-2, 1]),
    ("ops.GetItem", (S, {"class_name": "__tuple__", "items": [1, 2]}), {}, X[1, 2]),
    ("tf.__operators__.getitem", (S,), {"slice_spec": 1}, X[1]),
    ("tf.math.subtract", (1.0,), {"y": S, "name": None}, 1 - X),
    ("tf.__operators__.add", (S,), {"y": [1.0, 2.0, 3.0]}, X + np.float32([1, 2, 3])),
    (
        "ops.Add",
        (S, {"class_name": "__numpy__", "config": {"value": [1.0], "dtype": "float32"}}),
        {},
        X + 1,
    ),
    (
        "tf.math.reduce_mean",
        (S,),
        {"axis": [1, 2], "keepdims": True},
        X.mean((1, 2), keepdims=True),
    ),
    ("ops.Sum", (S,), {"axis": None}, X.sum()),
    ("ops.Prod", (S,), {"axis": [0, -1]}, X.prod((0, 2))),
    ("ops.Std", (S,), {"axis": -1}, X.std(-1)),
    ("ops.Softmax", (S,), {"axis": [1, 2]}, np.exp(X) / np.exp(X).sum((1, 2), keepdims=True)),
    ("tf.math.argmax", (S,), {"output_type": "int64"}, X.argmax(0)),
    ("tf.split", (S,), {"num_or_size_splits": [1, -1], "axis": 2}, X[..., :1]),
    ("tf.gather", (S,), {"indices": [-1, 0], "axis": 1, "batch_dims": 0}, X[:, [-1, 0]]),
    ("tf.gather", (S,), {"indices": [3, 1], "batch_dims": 1}, X[[0, 1], [3, 1]]),
    ("tf.gather_nd", (S,), {"indices": [[0, 1], [1, 2]]}, X[[0, 1], [1, 2]]),
    ("ops.Dot", (S, [[1.0], [2.0], [3.0]]), {}, X @ np.float32([[1], [2], [3]])),
    ("ops.FloorDivide", (S, 0.3), {}, np.floor(X / np.float32(0.3))),
    ("ops.Roll", (S,), {"shift": 1, "axis": 1}, np.roll(X, 1, 1)),
    ("ops.Round", (S,), {"decimals": 1}, X.round(1)),
    ("ops.ExpandDims", (S,), {"axis": [0, -1]}, X[None, ..., None]),
    ("ops.Cast", (S,), {"dtype": "int32"}, X.astype(np.int32)),
    ("tf.sequence_mask", (S,), {"maxlen": 2}, np.arange(2) < X[..., None]),
    ("tf.raw_ops.StridedSlice", (S, [0, -1], [0, 0], [1, 1]), LAST_STEP, X[:, -1]),
    (
        "tf.raw_ops.StridedSlice",
        (S, [0, 0, 2], [0, 0, 0], [1, 1, -1]),
        {"ellipsis_mask": 1, "new_axis_mask": 2},
        X[..., None, 2:0:-1],
    ),
    # An ellipsis and a new axis count before the other bits of the same part.
    (
        "tf.raw_ops.StridedSlice",
        (S, [0, 0, 1], [0, 0, 2], [1, 1, 1]),
        {"ellipsis_mask": 1, "new_axis_mask": 3, "shrink_axis_mask": 7},
        X[..., None, 1],
    ),
    ("tf.raw_ops.Mean", (S, [1, 2]), {"keep_dims": True}, X.mean((1, 2), keepdims=True)),
    ("tf.raw_ops.BatchMatMulV2", (S, S), {"adj_x": True}, X.transpose(0, 2, 1) @ X),
    ("tf.raw_ops.BatchMatMulV2", (S, S), {"adj_y": True}, X @ X.transpose(0, 2, 1)),
    ("tf.raw_ops.Split", (2, S), {"num_split": 3}, X[..., :1]),
    ("tf.raw_ops.SplitV", (S, [1, -1], 2), {"num_split": 2}, X[..., :1]),
    ("tf.raw_ops.Equal", (S, S), {"incompatible_shape_error": True}, X == X),
    ("tf.raw_ops.BiasAdd", (S, [1.0, 2.0, 3.0]), {"data_format": "NHWC"}, X + np.arange(1, 4)),
    ("tf.raw_ops.Einsum", ([S, S],), {"equation": "btf,bsf->bts"}, X @ X.transpose(0, 2, 1)),
    ("tf.raw_ops.Fill", ([2, 3], 0.5), {}, np.full((2, 3), 0.5)),
    ("tf.raw_ops.Pow", (S, 2.0), {}, X**2),
    ("tf.raw_ops.ArgMax", (S, 1), {}, X.argmax(1)),
    ("tf.raw_ops.GatherV2", (S, [2, 0], 1), {"batch_dims": 0}, X[:, [2, 0]]),
]


@pytest.mark.parametrize(("kind", "args", "kwargs", "want"), CASES)
def test_values(kind: str, args: tuple[Any, ...], kwargs: dict[str, Any], want: Array) -> None:
    np.testing.assert_allclose(value(run(kind, args=args, **kwargs)), want, rtol=2e-6, atol=1e-6)


def test_softmax_of_steps_that_are_all_far_away_is_even() -> None:
    """Where all scores are -1e9, as of a sample without a single real step."""
    far = Signal(torch.full((1, 5), -1e9))
    np.testing.assert_allclose(value(run("ops.Softmax", far, axis=-1)), np.full((1, 5), 0.2))


def test_only_the_tensor_that_came_in_keeps_its_mask() -> None:
    given = Signal(torch.from_numpy(X), MASK)
    assert run("ops.Cast", given, dtype="float32").mask is MASK
    for kind, more in (
        ("ops.Cast", {"dtype": "float16"}),
        ("ops.Negative", {}),
        ("ops.Transpose", {"axes": [0, 1, 2]}),
        ("tf.identity", {}),
        ("tf.raw_ops.Identity", {}),
        ("tf.raw_ops.Cast", {"DstT": "float32"}),
    ):
        assert run(kind, given, **more).mask is None, kind
    assert run("tf.raw_ops.AddN", given, args=([S],)).mask is None


@pytest.mark.parametrize("axes", [[], [0, 1]])
def test_a_node_without_named_axes_loses_all_of_size_1(axes: list[int]) -> None:
    given = Signal(torch.zeros(1, 1, 3))
    assert value(run("tf.raw_ops.Squeeze", given, squeeze_dims=axes)).shape == (3,)


@pytest.mark.parametrize(
    ("kind", "condition"),
    [("Select", [True, False]), ("Select", X > 0), ("SelectV2", [True, False, True])],
)
def test_a_node_that_selects(kind: str, condition: Any) -> None:
    """The older one takes whole samples by a vector, the newer one stretches it as NumPy does."""
    given = torch.as_tensor(np.asarray(condition)), torch.from_numpy(X), torch.from_numpy(-X)
    found = run(f"tf.raw_ops.{kind}", *map(Signal, given), args=(S, Slot(1), Slot(2)))
    by_sample = kind == "Select" and len(np.shape(condition)) == 1
    chosen = np.reshape(condition, (2, 1, 1)) if by_sample else condition
    np.testing.assert_array_equal(value(found), np.where(chosen, X, -X))


@pytest.mark.parametrize(
    ("kind", "args", "kwargs", "want"),
    [
        ("ops.GetItem", (S, [ALL, piece(1, None, None)]), {}, PADDING[:, 1:]),
        ("ops.GetItem", (S, [ALL, ALL, 0]), {}, None),
        ("ops.Flip", (S,), {"axis": 1}, PADDING.flip(1)),
        ("tf.reverse", (S,), {"axis": [1]}, PADDING.flip(1)),
        ("tf.raw_ops.StridedSlice", (S, [0, 1], [0, 3], [1, 1]), FROM_1_TO_3, PADDING[:, 1:3]),
        ("ops.Repeat", (S,), {"repeats": 2, "axis": 1}, PADDING.repeat_interleave(2, 1)),
        ("ops.Concatenate", ([S, S],), {"axis": 1}, torch.cat([PADDING, PADDING], 1)),
        ("ops.Transpose", (S,), {"axes": [0, 2, 1]}, torch.zeros(2, 3, dtype=torch.bool)),
    ],
)
def test_padding_moves_as_the_values_do(
    kind: str, args: tuple[Any, ...], kwargs: dict[str, Any], want: torch.Tensor | None
) -> None:
    found = run(kind, Signal(torch.from_numpy(X), padding=PADDING), args=args, **kwargs).padding
    assert (found is None) == (want is None)
    assert found is None or want is None or torch.equal(found, want)


@pytest.mark.parametrize(
    ("kind", "args", "kwargs", "said"),
    [
        ("ops.Tile", (S,), {"repeats": [1, 10**12, 1]}, "too large"),
        ("ops.Repeat", (S,), {"repeats": 10**12, "axis": 1}, "too large"),
        ("ops.BroadcastTo", (S,), {"shape": [10**6, 10**6, 4, 3]}, "too large"),
        ("ops.Pad", (S,), {"pad_width": [[0, 0], [10**12, 0], [0, 0]]}, "too large"),
        ("ops.OneHot", (S,), {"num_classes": 10**12}, "too large"),
        ("tf.ones", ([10**6, 10**6],), {}, "too large"),
        ("ops.Matmul", (S, S), {}, "does not take (2, 4, 3)"),
        ("ops.Squeeze", (S,), {"axis": 1}, "not all of size 1"),
        ("tf.math.reduce_mean", ([[1, 2]],), {}, "does not take"),
        ("ops.Norm", (S,), {"ord": "nuc", "axis": [1, 2]}, "nuc"),
        ("tf.raw_ops.Fill", ([10**6, 10**6], 1.0), {}, "too large"),
        ("tf.raw_ops.BiasAdd", (S, [1.0]), {"data_format": "NCHW"}, "NCHW"),
        ("tf.raw_ops.Cast", (S,), {"DstT": "complex64"}, "complex64"),
        ("tf.raw_ops.StridedSlice", (S, [0, 0], [1], [1]), {}, "does not take"),
    ],
)
def test_what_does_not_work_is_told(
    kind: str, args: tuple[Any, ...], kwargs: dict[str, Any], said: str
) -> None:
    found = run(kind, args=args, **kwargs)
    assert found.value is None
    assert said in str(found.lost)


def test_a_lost_input_stays_lost() -> None:
    found = run("ops.Negative", Signal(torch.from_numpy(X), lost="for a reason"))
    assert found.lost == "for a reason"
    assert found.value is not None
