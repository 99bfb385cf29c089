#!/usr/bin/env python3
"""Train the sample checkpoints that stand beside this file.

Every sample is really trained, by this script alone and on one CPU core: the healthy ones with
care, the faulty ones with a mistake that people make (a default that does not suit the task, a
learning rate that is too large, no gradient clipping, too many epochs). No weight is edited
after training has begun. ``README.md`` says what came of each.

    python samples/train.py                      # all samples, some minutes
    python samples/train.py recall_chrono        # one of them
    python samples/train.py --out DIR NAME...    # somewhere else

A sample NAME is three files: the checkpoint (``.h5``, ``.pt`` or ``.ckpt``; a folder of one for
each epoch in a single case), held-out data in ``NAME.probe.npz`` (arrays ``x`` and ``y``) and the
losses in ``NAME.history.csv``.
"""

from __future__ import annotations

import argparse
import codecs
import contextlib
import csv
import io
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from pydoc_data.topics import topics

# Keras picks its backend while it is imported; PyTorch is needed here in any case.
os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import torch
from keras import layers
from torch import nn
from torch.nn import functional

SEED = 7
PROBE_SIZE = 16
HistoryRow = tuple[int, float, float]  # epoch, training loss, validation loss


# ---------------------------------------------------------------------------------------- tasks


@dataclass(frozen=True)
class Task:
    """Sequences ``x`` with their targets ``y``; the ``_val`` half is never trained on."""

    x: np.ndarray
    y: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray

    @classmethod
    def split(cls, x: np.ndarray, y: np.ndarray, held_out: int) -> Task:
        """Keep the last ``held_out`` sequences for validation."""
        return cls(x[:-held_out], y[:-held_out], x[-held_out:], y[-held_out:])


Run = tuple[Task, list[HistoryRow]]  # what a sample was trained on and how that went


def recall_task(rng: np.random.Generator, steps: int, symbols: int = 8) -> Task:
    """Name at the last step the symbol that was shown at step 0, with noise in between.

    Channels: one per symbol, then the cue "answer now", then the noise.
    """
    count = 8448
    y = rng.integers(symbols, size=count)
    x = np.zeros((count, steps, symbols + 2), np.float32)
    x[np.arange(count), 0, y] = 1
    x[:, -1, symbols] = 1
    x[:, 1:-1, symbols + 1] = rng.normal(size=(count, steps - 2))
    return Task.split(x, y, held_out=256)


def adding_task(rng: np.random.Generator, steps: int) -> Task:
    """Add the two marked numbers among many (Hochreiter and Schmidhuber, 1997).

    One mark lies in each half. Always answering 1 gives a squared error of 1/6.
    """
    count = 4352
    rows = np.arange(count)
    values = rng.uniform(size=(count, steps))
    marks = np.zeros((count, steps))
    marks[rows, rng.integers(steps // 2, size=count)] = 1
    marks[rows, rng.integers(steps // 2, steps, size=count)] = 1
    x = np.stack([values, marks], axis=2).astype(np.float32)
    y = (values * marks).sum(axis=1, keepdims=True).astype(np.float32)
    return Task.split(x, y, held_out=256)


def copy_task(rng: np.random.Generator, lag: int, length: int = 5, symbols: int = 8) -> Task:
    """Repeat ``length`` symbols after ``lag`` blanks, the last of which is the cue to begin."""
    count, blank, cue = 3328, symbols, symbols + 1
    y = rng.integers(symbols, size=(count, length))
    x = np.full((count, length + lag + length), blank, np.int32)
    x[:, :length] = y
    x[:, length + lag - 1] = cue
    return Task.split(x, y, held_out=256)


def bracket_sequence(rng: np.random.Generator, pairs: int) -> list[int]:
    """A random balanced row of ``pairs`` brackets: 1 opens, 2 closes."""
    row: list[int] = []
    unopened, depth = pairs, 0
    while unopened or depth:
        if unopened and (not depth or rng.random() < 0.5):
            row.append(1)
            unopened, depth = unopened - 1, depth + 1
        else:
            row.append(2)
            depth -= 1
    return row


def bracket_task(rng: np.random.Generator, max_pairs: int = 10, letters: int = 4) -> Task:
    """Tell whether brackets, scattered among letters, are balanced.

    An unbalanced row has one bracket turned round, which shows only to those who count over the
    whole row. Rows differ in length and are filled up with id 0, which the embedding masks.
    """
    count, steps = 4352, 4 * max_pairs
    x = np.zeros((count, steps), np.int32)
    y = rng.integers(2, size=(count, 1))
    for row, balanced in zip(x, y[:, 0], strict=True):
        brackets = bracket_sequence(rng, int(rng.integers(2, max_pairs + 1)))
        if not balanced:
            turned = rng.integers(len(brackets))
            brackets[turned] = 3 - brackets[turned]
        length = int(rng.integers(len(brackets), steps + 1))
        row[:length] = rng.integers(3, 3 + letters, size=length)
        row[np.sort(rng.choice(length, len(brackets), replace=False))] = brackets
    return Task.split(x, y.astype(np.float32), held_out=256)


def zen_of_python() -> str:
    """The text that ``import this`` prints, decoded from that module."""
    with contextlib.redirect_stdout(io.StringIO()):
        import this
    return codecs.decode(this.s, "rot13")


def encode(text: str) -> tuple[np.ndarray, int]:
    """The text as ids from 1 on (0 is free for padding, as usual) and the number of ids."""
    alphabet, ids = np.unique(list(text), return_inverse=True)
    return ids.astype(np.int32) + 1, len(alphabet) + 1


def windows(ids: np.ndarray, steps: int, stride: int) -> np.ndarray:
    """Stretches of ``steps + 1`` characters: ``steps`` to read and one more to predict."""
    return np.lib.stride_tricks.sliding_window_view(ids, steps + 1)[::stride]


def zen_task(steps: int = 32) -> tuple[Task, int]:
    """Every next character of the Zen of Python; its last quarter is held out."""
    ids, vocabulary = encode(zen_of_python())
    cut = 3 * len(ids) // 4
    train, held_out = windows(ids[:cut], steps, stride=1), windows(ids[cut:], steps, stride=1)
    task = Task(train[:, :-1], train[:, 1:], held_out[:, :-1], held_out[:, 1:])
    return task, vocabulary


def manual_task(steps: int = 60) -> tuple[Task, int]:
    """The character after each stretch of a chapter of Python's manual, as ``help()`` has it."""
    ids, vocabulary = encode(topics["compound"].lower())
    cut = 9 * len(ids) // 10
    train, held_out = windows(ids[:cut], steps, stride=11), windows(ids[cut:], steps, stride=11)
    return Task(train[:, :-1], train[:, -1], held_out[:, :-1], held_out[:, -1]), vocabulary


# -------------------------------------------------------------------------------------- PyTorch


class SequenceModel(nn.Module):
    """An optional embedding, a recurrent network, and a linear read-out of every step."""

    def __init__(self, rnn: nn.RNNBase, outputs: int, vocabulary: int | None = None) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, rnn.input_size) if vocabulary else None
        self.rnn = rnn
        self.head = nn.Linear(rnn.hidden_size, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.embedding is not None:
            x = self.embedding(x)
        states, _ = self.rnn(x)
        logits: torch.Tensor = self.head(states)
        return logits


def chrono_init(lstm: nn.LSTM, longest: int) -> None:
    """Spread the memory times of a one-layer LSTM from 1 to ``longest`` steps.

    Tallec and Ollivier (2018): the forget bias is ln u with u uniform in [1, longest - 1], so
    that a unit forgets over about u steps, and the input bias is its negative. PyTorch stacks
    the gates as input, forget, cell, output, and adds two biases, of which one is left at 0.
    """
    size = lstm.hidden_size
    bias, other_bias = lstm.get_parameter("bias_ih_l0"), lstm.get_parameter("bias_hh_l0")
    memory = torch.empty(size).uniform_(1, longest - 1).log()
    with torch.no_grad():
        bias.zero_()
        other_bias.zero_()
        bias[:size] = -memory
        bias[size : 2 * size] = memory


def tensors(x: np.ndarray, y: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """The same data for PyTorch, which wants class numbers as 64-bit integers."""
    return torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(y.astype(np.int64))


def class_loss(logits: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross entropy and accuracy over the last steps, as many as ``y`` has targets."""
    y = y.reshape(len(y), -1)
    logits = logits[:, -y.shape[1] :]
    accuracy = (logits.argmax(dim=2) == y).float().mean()
    return functional.cross_entropy(logits.flatten(0, 1), y.flatten()), accuracy


def fit_torch(
    model: SequenceModel,
    optimizer: torch.optim.Optimizer,
    task: Task,
    epochs: int,
    batch: int = 64,
    clip: float | None = None,
) -> list[HistoryRow]:
    """Train on shuffled batches; ``clip`` bounds the norm of the gradient, None leaves it."""
    x, y = tensors(task.x, task.y)
    x_val, y_val = tensors(task.x_val, task.y_val)
    history: list[HistoryRow] = []
    accuracy = torch.zeros(())
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(x)).split(batch):
            loss, _ = class_loss(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            total += loss.item() * len(rows)
        with torch.no_grad():
            val_loss, accuracy = class_loss(model(x_val), y_val)
        history.append((epoch, total / len(x), val_loss.item()))
    print(f"  held-out accuracy {accuracy:.3f}")
    return history


def regression_epoch(
    rnn: nn.RNNBase, head: nn.Linear, optimizer: torch.optim.Optimizer, task: Task
) -> tuple[float, float]:
    """One pass over the data in batches of 32: squared errors in training and held out."""

    def error(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        states, _ = rnn(x)
        return functional.mse_loss(head(states[:, -1]), y)

    x, y, x_val, y_val = map(torch.from_numpy, (task.x, task.y, task.x_val, task.y_val))
    total = 0.0
    for rows in torch.randperm(len(x)).split(32):
        loss = error(x[rows], y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    with torch.no_grad():
        return total / len(x), error(x_val, y_val).item()


def training_state(
    model: nn.Module, optimizer: torch.optim.Optimizer, epochs: int, **hyper_parameters: object
) -> dict[str, object]:
    """What a training loop of one's own usually saves, to be able to go on."""
    return {
        "epoch": epochs,
        "model_state_dict": model.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
        "hyper_parameters": hyper_parameters,
    }


def lightning_state(
    model: nn.Module, optimizer: torch.optim.Optimizer, epochs: int, **hyper_parameters: object
) -> dict[str, object]:
    """The layout of a PyTorch Lightning checkpoint whose module keeps its network in ``model``.

    Lightning itself takes no part, so the entry with its version is left out.
    """
    return {
        "epoch": epochs,
        "state_dict": {f"model.{name}": value for name, value in model.state_dict().items()},
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [],
        "hyper_parameters": hyper_parameters,
    }


# ---------------------------------------------------------------------------------------- Keras


def fit_keras(model: keras.Model, task: Task, epochs: int, batch: int = 64) -> list[HistoryRow]:
    """Train a compiled model."""
    record = model.fit(
        task.x,
        task.y,
        batch_size=batch,
        epochs=epochs,
        validation_data=(task.x_val, task.y_val),
        verbose=0,
    ).history
    if "val_accuracy" in record:
        print(f"  held-out accuracy {record['val_accuracy'][-1]:.3f}")
    return list(zip(range(epochs), record["loss"], record["val_loss"], strict=True))


# -------------------------------------------------------------------------------------- samples


def recall_lstm(path: Path, chrono: bool) -> Run:
    """An LSTM that must carry a symbol over 219 steps, with either kind of first biases."""
    task = recall_task(np.random.default_rng(SEED), steps=220)
    lstm = nn.LSTM(task.x.shape[2], 48, batch_first=True)
    if chrono:
        # Three times the length of a sequence: most units then lose little before its end, so
        # that the gradient, too, comes back to the first step without a dip on the way.
        chrono_init(lstm, longest=3 * task.x.shape[1])
    model = SequenceModel(lstm, outputs=8)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    epochs = 10
    history = fit_torch(model, optimizer, task, epochs, clip=1.0)
    state = training_state(model, optimizer, epochs, hidden_size=48, lr=2e-3, clip=1.0)
    # The twin keeps the weights alone: the other usual kind of file.
    torch.save(state if chrono else model.state_dict(), path)
    return task, history


def recall_chrono(path: Path) -> Run:
    """Healthy: biases that let the cell remember for as long as the task asks."""
    return recall_lstm(path, chrono=True)


def recall_default(path: Path) -> Run:
    """Faulty: PyTorch's default biases, under which the cell forgets half at each step."""
    return recall_lstm(path, chrono=False)


def adding_gru(path: Path) -> Run:
    """Healthy: a GRU with a modest learning rate and clipping."""
    task = adding_task(np.random.default_rng(SEED), steps=50)
    model = keras.Sequential([keras.Input((50, 2)), layers.GRU(32), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(5e-3, clipnorm=1.0), loss="mean_squared_error")
    history = fit_keras(model, task, epochs=25)
    model.save(path)
    return task, history


def adding_dead_relu(path: Path) -> Run:
    """Faulty: Adam at 0.02, unclipped, throws units to where they never fire again."""
    task = adding_task(np.random.default_rng(SEED), steps=50)
    rnn = layers.SimpleRNN(48, activation="relu")
    model = keras.Sequential([keras.Input((50, 2)), rnn, layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.02), loss="mean_squared_error")
    history = fit_keras(model, task, epochs=8)
    model.save(path)
    return task, history


def manual_sigmoid_stack(path: Path) -> Run:
    """Faulty: three layers of sigmoids, each step of which shrinks a gradient to a quarter."""
    task, vocabulary = manual_task()
    model = keras.Sequential(
        [
            keras.Input((task.x.shape[1],), dtype="int32"),
            layers.Embedding(vocabulary, 16),
            layers.SimpleRNN(32, activation="sigmoid", return_sequences=True),
            layers.SimpleRNN(32, activation="sigmoid", return_sequences=True),
            layers.SimpleRNN(32, activation="sigmoid"),
            layers.Dense(vocabulary, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.Adam(1e-2)
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = fit_keras(model, task, epochs=12)
    model.save(path)
    return task, history


def brackets_bidirectional(path: Path) -> Run:
    """Healthy: a masked LSTM that reads both ways."""
    task = bracket_task(np.random.default_rng(SEED))
    model = keras.Sequential(
        [
            keras.Input((task.x.shape[1],), dtype="int32"),
            layers.Embedding(int(task.x.max()) + 1, 8, mask_zero=True),
            layers.Bidirectional(layers.LSTM(20)),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    optimizer = keras.optimizers.Adam(5e-3, clipnorm=1.0)
    model.compile(optimizer, loss="binary_crossentropy", metrics=["accuracy"])
    history = fit_keras(model, task, epochs=10)
    model.save(path)
    return task, history


def zen_overfit(path: Path) -> Run:
    """Faulty: a text of 640 characters, read until the network knows it by heart."""
    task, vocabulary = zen_task()
    gru = nn.GRU(16, 40, num_layers=2, batch_first=True)
    model = SequenceModel(gru, outputs=vocabulary, vocabulary=vocabulary)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    epochs = 60
    history = fit_torch(model, optimizer, task, epochs, batch=32, clip=1.0)
    torch.save(lightning_state(model, optimizer, epochs, lr=5e-3, num_layers=2), path)
    return task, history


def copy_exploding(path: Path) -> Run:
    """Faulty: recurrent weights 2.5 times too large, and no clipping of what they lead to."""
    task = copy_task(np.random.default_rng(SEED), lag=60)
    rnn = nn.RNN(10, 48, nonlinearity="tanh", batch_first=True)
    nn.init.orthogonal_(rnn.get_parameter("weight_hh_l0"), gain=2.5)
    model = SequenceModel(rnn, outputs=8, vocabulary=int(task.x.max()) + 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    epochs = 20
    history = fit_torch(model, optimizer, task, epochs)
    state = training_state(model, optimizer, epochs, nonlinearity="tanh", lr=1e-3, clip=None)
    torch.save(state, path)
    return task, history


def zen_decay(path: Path, decay: float) -> Run:
    """A small GRU on the Zen of Python, its recurrent kernel decayed or not."""
    task, vocabulary = zen_task()
    gru = nn.GRU(12, 24, batch_first=True)
    model = SequenceModel(gru, outputs=vocabulary, vocabulary=vocabulary)
    recurrent = [gru.weight_hh_l0]
    others = [own for own in model.parameters() if own is not gru.weight_hh_l0]
    groups = [
        {"params": others, "weight_decay": 0.0},
        {"params": recurrent, "weight_decay": decay},
    ]
    optimizer = torch.optim.AdamW(groups, lr=5e-3)
    epochs = 6
    history = fit_torch(model, optimizer, task, epochs, batch=32, clip=1.0)
    torch.save(training_state(model, optimizer, epochs, lr=5e-3, recurrent_decay=decay), path)
    return task, history


def zen_plain(path: Path) -> Run:
    """Healthy: the first of a pair that differs in one setting."""
    return zen_decay(path, decay=0.0)


def zen_decayed(path: Path) -> Run:
    """Faulty: the second of the pair, with far too strong a decay on the recurrent kernel."""
    return zen_decay(path, decay=2.0)


def bias_outgrows(folder: Path) -> Run:
    """Faulty: the kernels are decayed much, the biases not at all. Saved after every epoch.

    Biases start at 0, as is usual. What the decay takes from the kernels, training puts into
    the one thing that costs nothing.
    """
    whole = adding_task(np.random.default_rng(SEED), steps=20)
    some = Task(whole.x[:256], whole.y[:256], whole.x_val, whole.y_val)
    lstm = nn.LSTM(2, 8, batch_first=True)
    head = nn.Linear(8, 1)
    biases = [own for name, own in lstm.named_parameters() if name.startswith("bias")]
    kernels = [own for name, own in lstm.named_parameters() if name.startswith("weight")]
    for bias in biases:
        nn.init.zeros_(bias)
    groups = [
        {"params": [*kernels, head.weight], "weight_decay": 0.3},
        {"params": [*biases, head.bias], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-2)
    folder.mkdir(exist_ok=True)
    history: list[HistoryRow] = []
    model = nn.ModuleDict({"rnn": lstm, "head": head})
    for epoch in range(1, 13):
        history.append((epoch, *regression_epoch(lstm, head, optimizer, some)))
        torch.save(training_state(model, optimizer, epoch), folder / f"epoch-{epoch}.pt")
    return some, history


SAMPLES: dict[str, Callable[[Path], Run]] = {
    "recall_chrono.pt": recall_chrono,
    "recall_default.pt": recall_default,
    "adding_gru.h5": adding_gru,
    "adding_dead_relu.h5": adding_dead_relu,
    "manual_sigmoid_stack.h5": manual_sigmoid_stack,
    "brackets_bidirectional.h5": brackets_bidirectional,
    "zen_overfit.ckpt": zen_overfit,
    "copy_exploding.pt": copy_exploding,
    "zen_plain.pt": zen_plain,
    "zen_decayed.pt": zen_decayed,
    "bias_outgrows": bias_outgrows,
}


def write_probe(path: Path, task: Task) -> None:
    """Save held-out sequences, taken evenly because neighbours in a text overlap."""
    rows = np.linspace(0, len(task.x_val) - 1, PROBE_SIZE).astype(int)
    np.savez_compressed(path, x=task.x_val[rows], y=task.y_val[rows])


def write_history(path: Path, history: list[HistoryRow]) -> None:
    """Save the losses under the headings that the CSVLogger of Keras uses."""
    with path.open("w", newline="", encoding="ascii") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["epoch", "loss", "val_loss"])
        table.writerows([epoch, f"{loss:.6g}", f"{val:.6g}"] for epoch, loss, val in history)


def main() -> None:
    """Train the samples named on the command line, or all of them."""
    by_name = {Path(file).stem: file for file in SAMPLES}
    parser = argparse.ArgumentParser(description="Train the sample checkpoints.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(by_name))
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to fill")
    options = parser.parse_args()
    if unknown := set(options.names) - set(by_name):
        parser.error(f"no such sample: {', '.join(sorted(unknown))}")

    # The order in which threads add up numbers would change the last digits, and one thread is
    # as fast for networks this small.
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names or by_name:
        # Seeds and layer names start afresh, so that a sample does not depend on those before.
        keras.utils.clear_session()
        keras.utils.set_random_seed(SEED)
        checkpoint = options.out / by_name[name]
        print(checkpoint.name, flush=True)
        start = time.perf_counter()
        task, history = SAMPLES[checkpoint.name](checkpoint)
        seconds = time.perf_counter() - start
        write_probe(options.out / f"{name}.probe.npz", task)
        write_history(options.out / f"{name}.history.csv", history)
        best = min(history, key=lambda row: row[2])
        print(f"  held-out loss {history[-1][2]:.4g}, best {best[2]:.4g} at epoch {best[0]}")
        files = [*checkpoint.iterdir()] if checkpoint.is_dir() else [checkpoint]
        size = sum(file.stat().st_size for file in files)
        print(f"  {size / 1000:.0f} kB, {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
