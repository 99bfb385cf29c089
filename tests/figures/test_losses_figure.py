"""The training's losses: as the history has them, with the best, the end, and what broke."""

from __future__ import annotations

import numpy as np
import pytest
from figure_subjects import draw, lines, subject
from layer_runs import build

from rnndiag.figures.base import Picture
from rnndiag.figures.checkpoint import losses
from rnndiag.records import History


def history(
    train: tuple[float | None, ...] = (),
    validation: tuple[float | None, ...] = (),
    **more: object,
) -> History:
    count = max(len(train), len(validation))
    given = {"source": "log.csv", "epochs": tuple(range(count)), "axis": "epoch", **more}
    return History(train=train, validation=validation, **given)


def pictures(found: History | None) -> list[Picture]:
    drawn = draw(losses, subject(build(), history=found))
    for picture in drawn:
        picture.figure.canvas.draw()
    return drawn


def test_both_losses_the_best_and_the_end() -> None:
    told = history((3.0, 2.0, 1.0, 0.9), (3.1, 2.5, 2.7, 2.9), validation_column="val_loss")
    (picture,) = pictures(told)
    found = lines(picture)
    np.testing.assert_array_equal(found["training"].get_ydata(), [3, 2, 1, 0.9])
    np.testing.assert_array_equal(found["validation (val_loss)"].get_ydata(), [3.1, 2.5, 2.7, 2.9])
    assert found["best validation 2.5, epoch 1"].get_data() == ([1], [2.5])
    assert found["ends at epoch 3"].get_xdata()[0] == 3
    assert picture.layer is None
    assert "best validation 2.5 at epoch 1" in picture.alt


def test_of_the_file_only_its_name_is_told() -> None:
    (picture,) = pictures(history((2.0, 1.0), source="/home/me/run/log.csv"))
    assert "from log.csv." in picture.caption


def test_losses_over_decades_have_a_log_axis() -> None:
    (wide,) = pictures(history((10.0, 1.0, 0.5)))
    assert wide.figure.axes[0].get_yscale() == "log"
    (narrow,) = pictures(history((5.0, 1.0, 0.6)))
    assert narrow.figure.axes[0].get_yscale() == "linear"
    # A likelihood may be negative, which no logarithm shows.
    (signed,) = pictures(history((100.0, 1.0, -0.5)))
    assert signed.figure.axes[0].get_yscale() == "linear"


def test_gaps_are_bridged_and_broken_losses_are_marked() -> None:
    told = history((1.0, None, 0.5), (None, 0.8, None), not_finite=(1,))
    (picture,) = pictures(told)
    found = lines(picture)
    np.testing.assert_array_equal(found["training"].get_xdata(), [0, 2])
    np.testing.assert_array_equal(found["training loss NaN or infinite"].get_xdata(), [1])
    assert "A cross stands where" in picture.caption
    assert "1 NaN or infinite" in picture.alt


def test_without_validation_that_is_said() -> None:
    (picture,) = pictures(history((1.0, 0.5), axis="step"))
    assert "has no validation loss" in picture.caption
    assert picture.figure.axes[0].get_xlabel() == "step"
    assert not any("best" in label for label in lines(picture))


@pytest.mark.parametrize(
    "told",
    [
        None,
        history(),
        history((None, None), not_finite=(0, 1)),
        history((float("nan"),)),
    ],
)
def test_where_there_is_nothing_to_show(told: History | None) -> None:
    assert pictures(told) == []


@pytest.mark.parametrize("loss", [0.0, 1e-300, 1e38, 1e308, -5.0])
def test_a_single_loss_of_any_size(loss: float) -> None:
    drawn = pictures(history((1.0,), (loss,)))
    assert len(drawn) == 1


def test_thousands_of_evaluations_have_no_dots() -> None:
    (picture,) = pictures(history(tuple(np.linspace(2, 1, 20_000))))
    assert lines(picture)["training"].get_marker() in ("", "None")
