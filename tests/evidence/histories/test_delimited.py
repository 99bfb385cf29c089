"""CSV histories as the frameworks and people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rnndiag.errors import BadOption
from rnndiag.evidence import histories
from rnndiag.records import History

SAMPLES = sorted((Path(__file__).parents[3] / "samples").glob("*.history.csv"))


def history(tmp_path: Path, text: str, **columns: str) -> History:
    path = tmp_path / "history"
    path.write_bytes(text.encode())
    return histories.read(path, **columns)


def test_keras_csv_logger(tmp_path: Path) -> None:
    text = "epoch,accuracy,loss,val_accuracy,val_loss\n0,.5,1.5,.4,1.75\n1,.6,1.25,.5,1.625\n"
    got = history(tmp_path, text)
    assert got == History(
        source=str(tmp_path / "history"),
        epochs=(0.0, 1.0),
        axis="epoch",
        train=(1.5, 1.25),
        validation=(1.75, 1.625),
        train_column="loss",
        validation_column="val_loss",
    )


def test_keras_writes_na_where_it_did_not_validate(tmp_path: Path) -> None:
    got = history(tmp_path, "epoch,loss,val_loss\n0,3,NA\n1,2,2.5\n")
    assert (got.train, got.validation, got.notes) == ((3, 2), (None, 2.5), ())


def test_lightning_metrics(tmp_path: Path) -> None:
    """Sparse rows: steps, the epoch's mean and the validation each on a line of their own."""
    text = (
        "epoch,step,train_loss_epoch,train_loss_step,val_loss\n"
        "0,49,,2.0,\n0,99,,1.0,\n0,99,,,1.25\n0,99,1.5,,\n"
        "1,149,,0.5,\n1,199,,,0.75\n1,199,0.625,,\n"
    )
    got = history(tmp_path, text)
    assert (got.train_column, got.validation_column) == ("train_loss_epoch", "val_loss")
    assert (got.epochs, got.train, got.validation) == ((0, 1), (1.5, 0.625), (1.25, 0.75))
    assert got.notes == ()


def test_losses_of_steps_become_the_mean_of_their_epoch(tmp_path: Path) -> None:
    text = (
        "epoch,step,train_loss,val_loss\n"
        "0,49,4.0,\n0,99,2.0,\n0,99,,3.5\n1,149,1.0,\n1,199,0.5,\n1,199,,1.5\n1,249,,1.25\n"
    )
    got = history(tmp_path, text)
    assert (got.train, got.validation) == ((3.0, 0.75), (3.5, 1.25))
    assert got.notes == ("a training loss is the mean of those that the file has of its epoch",)


def test_steps_where_there_are_no_epochs(tmp_path: Path) -> None:
    got = history(tmp_path, "step,loss,eval_loss\n100,2,\n200,1,1.5\n")
    assert (got.axis, got.epochs) == ("step", (100, 200))
    assert (got.train, got.validation) == ((2, 1), (None, 1.5))


@pytest.mark.parametrize(
    ("train", "validation"),
    [
        ("loss", "val_loss"),
        ("train_loss", "valid_loss"),
        ("training loss", "validation loss"),
        ("Training Loss", "Validation Loss"),
        ("train/loss", "val/loss"),
        ("Loss/train", "Loss/dev"),
        ("trainLoss", "valLoss"),
        ("trainloss", "valloss"),
        ("loss (train)", "loss (valid)"),
        ("avg_train_loss", "dev_loss"),
        ("train/epoch_loss", "eval/loss"),
        ("tr_loss", "evaluation-loss"),
        ("Training Losses", "VAL_LOSS"),
    ],
)
def test_spellings(tmp_path: Path, train: str, validation: str) -> None:
    got = history(tmp_path, f"epoch,{validation},lr,{train}\n1,2,.1,3\n")
    assert (got.train_column, got.validation_column) == (train, validation)
    assert (got.train, got.validation) == ((3,), (2,))


@pytest.mark.parametrize(
    ("text", "delimiter"), [("epoch\tloss\n1\t0.5\n", "tab"), ("epoch;loss\n1;0,5\n", "semicolon")]
)
def test_delimiters(tmp_path: Path, text: str, delimiter: str) -> None:
    assert history(tmp_path, text).train == (0.5,)


def test_one_column_is_a_history(tmp_path: Path) -> None:
    got = history(tmp_path, "loss\n3\n2\n1\n")
    assert (got.axis, got.epochs, got.train, got.validation) == ("epoch", (0, 1, 2), (3, 2, 1), ())


def test_validation_alone(tmp_path: Path) -> None:
    got = history(tmp_path, "epoch,val_loss\n0,2\n1,1\n")
    assert (got.train_column, got.train, got.validation) == (None, (), (2, 1))


def test_a_part_of_the_loss_is_not_the_loss(tmp_path: Path) -> None:
    text = "epoch,decoder_loss,loss,val_decoder_loss,val_loss\n0,1,2,3,4\n"
    got = history(tmp_path, text)
    assert (got.train, got.validation) == ((2,), (4,))
    with pytest.raises(BadOption, match="epoch, decoder_loss"):
        history(tmp_path, "epoch,decoder_loss\n0,1\n")


def test_a_test_loss_stands_in_with_a_note(tmp_path: Path) -> None:
    got = history(tmp_path, "epoch,loss,test_loss\n0,1,2\n")
    assert (got.validation_column, got.validation) == ("test_loss", (2,))
    assert "test_loss stands in" in got.notes[0]
    with_validation = history(tmp_path, "epoch,loss,test_loss,val_loss\n0,1,2,3\n")
    assert (with_validation.validation, with_validation.notes) == ((3,), ())


def test_a_summary_at_the_end_is_not_the_training_loss(tmp_path: Path) -> None:
    got = history(tmp_path, "epoch,loss,train_loss\n1,3,\n2,2,\n3,1,\n3,,2\n")
    assert (got.train_column, got.train) == ("loss", (3, 2, 1))


@pytest.mark.parametrize(
    ("columns", "train"),
    [
        ("train_loss_step,train_loss_epoch", "train_loss_epoch"),
        ("train_loss_step,train_loss", "train_loss"),
        ("loss,train_loss", "train_loss"),
        ("train_val_loss,loss", "loss"),
        ("loss_seconds,loss", "loss"),
    ],
)
def test_which_of_several_training_losses(tmp_path: Path, columns: str, train: str) -> None:
    assert history(tmp_path, f"epoch,{columns}\n0,1,2\n").train_column == train


def test_an_epoch_with_a_prefix(tmp_path: Path) -> None:
    got = history(tmp_path, "train/epoch,train/global_step,train/loss\n1,50,3\n2,100,2\n")
    assert (got.axis, got.epochs) == ("epoch", (1, 2))
    got = history(tmp_path, "train/global_step,steps_per_epoch,train/loss\n50,9,3\n100,9,2\n")
    assert (got.axis, got.epochs) == ("step", (50, 100))


def test_an_empty_column_is_none(tmp_path: Path) -> None:
    got = history(tmp_path, "epoch,loss,val_loss\n0,1,\n1,.5,\n")
    assert (got.validation_column, got.validation) == (None, ())


def test_columns_can_be_named(tmp_path: Path) -> None:
    text = "epoch,nll,held out,loss\n0,1,2,9\n"
    got = history(tmp_path, text, train_column="nll", validation_column="held out")
    assert (got.train, got.validation) == ((1,), (2,))
    assert history(tmp_path, text, validation_column="nll").train == (9,)


def test_a_named_column_is_not_taken_twice(tmp_path: Path) -> None:
    got = history(tmp_path, "epoch,loss\n0,1\n", validation_column="loss")
    assert (got.train_column, got.train, got.validation) == (None, (), (1,))


@pytest.mark.parametrize(
    ("columns", "message", "hint"),
    [
        ({"train_column": "los"}, r"--train-column: there is no column 'los'", "'loss'"),
        ({"validation_column": "zzz"}, r"--val-column: there is no column", "epoch, loss, name"),
        ({"train_column": "name"}, "holds no numbers", "another"),
        ({"train_column": "loss", "validation_column": "loss"}, "as the training and as", "one"),
    ],
)
def test_columns_that_cannot_be(
    tmp_path: Path, columns: dict[str, str], message: str, hint: str
) -> None:
    with pytest.raises(BadOption, match=message) as caught:
        history(tmp_path, "epoch,loss,name\n0,1,a\n", **columns)
    assert hint in caught.value.hint


def test_no_losses_lists_the_columns_and_the_options(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="among: epoch, accuracy") as caught:
        history(tmp_path, "epoch,accuracy\n0,1\n")
    assert caught.value.hint == "name them: --train-column NAME, --val-column NAME"


def test_many_columns_are_not_all_listed(tmp_path: Path) -> None:
    header = ",".join(f"m{i}" for i in range(30))
    with pytest.raises(BadOption, match=r"m19 and 10 more$"):
        history(tmp_path, f"{header}\n1\n")


@pytest.mark.parametrize("bad", ["nan", "NaN", "inf", "-Infinity", "1e999"])
def test_losses_that_are_not_finite(tmp_path: Path, bad: str) -> None:
    got = history(tmp_path, f"epoch,loss,val_loss\n0,2,3\n1,{bad},2\n2,{bad},\n")
    assert (got.train, got.validation) == ((2, None, None), (3, 2, None))
    assert got.not_finite == (1, 2)
    assert got.notes == (
        "2 of 3 training losses are not finite (NaN or infinite), the first at epoch 1",
    )


def test_a_validation_loss_that_is_not_finite(tmp_path: Path) -> None:
    got = history(tmp_path, "epoch,loss,val_loss\n0,2,3\n1,1,nan\n")
    assert (got.train, got.validation, got.not_finite) == ((2, 1), (3, None), ())
    assert got.notes[0].startswith("1 of 2 validation losses are not finite")


def test_a_history_of_nothing_but_nan(tmp_path: Path) -> None:
    got = history(tmp_path, "epoch,loss\n0,nan\n1,nan\n")
    assert got.train == (None, None)
    assert "2 of 2 training losses are not finite" in got.notes[0]


def test_one_nan_among_an_epochs_steps_is_not_averaged_away(tmp_path: Path) -> None:
    got = history(tmp_path, "epoch,loss\n0,1\n0,nan\n1,1\n1,3\n")
    assert got.train == (None, 2)


def test_the_last_run_of_each_epoch_is_kept(tmp_path: Path) -> None:
    text = "epoch,loss,val_loss\n0,9,9\n1,8,8\n2,7,7\n3,6,6\n2,5,5\n3,4,4\n1,3,3\n2,2,2\n"
    got = history(tmp_path, text)
    assert (got.epochs, got.train, got.validation) == ((0, 1, 2), (9, 3, 2), (9, 3, 2))
    assert len(got.notes) == 1
    assert got.notes[0].startswith("the epoch falls back 2 times, last to 1:")


def test_the_steps_of_an_earlier_run_are_not_in_the_mean(tmp_path: Path) -> None:
    got = history(tmp_path, "epoch,loss\n0,5\n0,4\n1,8\n1,8\n2,7\n2,7\n1,2\n1,1\n")
    assert (got.epochs, got.train) == ((0, 1), (4.5, 1.5))


def test_an_epoch_that_is_run_again_counts_by_its_last_run(tmp_path: Path) -> None:
    got = history(tmp_path, "epoch,loss\n0,9\n1,8\n1,7\n2,6\n")
    assert (got.epochs, got.train) == ((0, 1, 2), (9, 7, 6))


def test_the_newest_on_top(tmp_path: Path) -> None:
    got = history(tmp_path, "epoch,loss\n3,1\n2,2\n1,3\n")
    assert (got.epochs, got.train, got.notes) == ((1, 2, 3), (3, 2, 1), ())


def test_runs_appended_with_their_headers(tmp_path: Path) -> None:
    """Keras sorts its columns by name, so that another metric moves them."""
    text = "epoch,loss,val_loss\n0,9,8\nepoch,acc,loss,val_loss\n1,.5,7,6\n"
    got = history(tmp_path, text)
    assert (got.train, got.validation, got.notes) == ((9, 7), (8, 6), ())


def test_ragged_rows(tmp_path: Path) -> None:
    got = history(tmp_path, "epoch,loss,val_loss\n0,3,4\n1,2,3,9\n2,1\n")
    assert (got.train, got.validation) == ((3, 2, 1), (4, 3, None))
    assert got.notes == ("2 rows have more or fewer cells than the header has columns",)


def test_duplicate_headers(tmp_path: Path) -> None:
    text = "epoch,loss,loss\n0,1,2\n"
    got = history(tmp_path, text)
    assert (got.train, got.validation) == ((1,), ())
    assert "loss#2" in got.notes[0]
    assert history(tmp_path, text, validation_column="loss#2").validation == (2,)


def test_words_among_the_losses(tmp_path: Path) -> None:
    got = history(tmp_path, "epoch,loss\n0,1\n1,diverged\n2,.5\n")
    assert (got.epochs, got.train) == ((0, 2), (1, 0.5))
    assert got.notes == ("1 cells of loss are no numbers and were left out",)


def test_rows_without_an_epoch(tmp_path: Path) -> None:
    got = history(tmp_path, "epoch,loss\n0,3\n1,2\n,1\n")
    assert (got.epochs, got.train) == ((0, 1), (3, 2))
    assert got.notes == ("1 losses stand in rows without epoch and were left out",)


def test_epochs_that_are_mostly_missing_do_not_count(tmp_path: Path) -> None:
    got = history(tmp_path, "epoch,step,loss\n0,10,3\n,20,2\n,30,1\n")
    assert (got.axis, got.epochs, got.train) == ("step", (10, 20, 30), (3, 2, 1))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "history"
    path.write_bytes("epoch,loss\r\n0,1\r\n".encode(encoding))
    got = histories.read(path)
    assert (got.epochs, got.train) == ((0,), (1,))


def test_a_header_that_is_a_comment_and_an_index(tmp_path: Path) -> None:
    assert history(tmp_path, "# epoch, loss\n5, 1\n").epochs == (5,)
    assert history(tmp_path, ",epoch,loss\n0,7,1\n").epochs == (7,)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"\xef\xbb\xbf\n", "is empty"),
        (b"\x89HDF\r\n\x1a\n\0\0\0\0", "not a history"),
        (b"epoch,loss\n0,1\n\xff\xfe\x80", "is not text"),
        (b"epoch,loss\n" + b" " * 600 + b"0,\0", "is not text"),
        (b"0,0.5,0.6\n1,0.4,0.5\n", "has no header"),
        (b"epoch,loss\n", "no column with losses"),
        (b"epoch,loss\n0,-\n", "no column with losses"),
        (b"epoch," + b"x" * 200_000 + b"\n0,1\n", "is not CSV"),
    ],
)
def test_bad_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "history.csv"
    path.write_bytes(content)
    with pytest.raises(BadOption, match=message) as caught:
        histories.read(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="cannot be read: No such file"):
        histories.read(tmp_path / "nowhere.csv")


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_samples(path: Path) -> None:
    got = histories.read(path)
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    rows = [tuple(map(float, line.split(","))) for line in lines]
    assert list(zip(got.epochs, got.train, got.validation, strict=True)) == rows
    assert got.notes == ()


def test_there_are_samples() -> None:
    assert len(SAMPLES) >= 8


def test_an_epoch_column_by_another_name(tmp_path: Path) -> None:
    path = tmp_path / "losses.csv"
    path.write_text("Epoch No,loss,val_loss\n1,3,4\n2,2,3\n", encoding="utf-8")
    assert histories.read(path).epochs == (1.0, 2.0)
