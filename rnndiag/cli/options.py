"""The options that commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from rnndiag.registry import names

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]

_LOSSES = (
    "mean_square (no targets), mse, mae, binary_crossentropy, categorical_crossentropy, "
    "sparse_categorical_crossentropy; the last three also with _from_logits"
)

PROBE: tuple[Decorator, ...] = (
    click.option("--probe", metavar="FILE", help="Real input: .npy, .npz, .pt, .csv or .h5."),
    click.option(
        "--probe-key",
        multiple=True,
        metavar="NAME",
        help="Array in the probe file; once for each network input.",
    ),
    click.option(
        "--probe-kind",
        default="auto",
        show_default=True,
        type=click.Choice(["auto", "normal", "uniform", "onehot", "ids"]),
        help="What to make up where there is no --probe.",
    ),
    click.option("--targets", metavar="FILE", help="Targets for the loss; same file types."),
    click.option(
        "--targets-key",
        multiple=True,
        metavar="NAME",
        help="Array in the targets file; once for each network output.",
    ),
    click.option("--loss", metavar="NAME", help=f"Loss to send back: {_LOSSES}."),
    click.option("--timesteps", type=click.IntRange(min=1), help="Length of a made-up probe."),
    click.option(
        "--batch",
        type=click.IntRange(min=1),
        default=16,
        show_default=True,
        help="Samples of a made-up probe, for each seed.",
    ),
    click.option(
        "--seeds",
        type=click.IntRange(min=1),
        default=3,
        show_default=True,
        help="How many made-up probes.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="The first seed.",
    ),
    click.option(
        "--device",
        default="auto",
        show_default=True,
        type=click.Choice(["auto", "cpu", "cuda", "mps"]),
        help="What runs the probe; auto takes CUDA where there is one.",
    ),
    click.option(
        "--nonlinearity",
        default="tanh",
        show_default=True,
        type=click.Choice(["tanh", "relu"]),
        help="Of a PyTorch nn.RNN, whose file does not tell.",
    ),
    click.option(
        "--windows",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        help="Windows that a stateful model carries its state across.",
    ),
    click.option(
        "--alpha",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        default=1e-2,
        show_default=True,
        help="Share of the gradient that still counts as reaching.",
    ),
)
"""What is run through the network, and how."""

_FILE = click.Path(path_type=Path, allow_dash=True)
_PATH = click.Path(path_type=Path)

OUTPUT: tuple[Decorator, ...] = (
    click.option(
        "--output", type=_FILE, metavar="FILE", help="Write the report there, not to stdout."
    ),
    click.option(
        "-v",
        "--verbose",
        is_flag=True,
        help="Say all there is to say.",
    ),
    click.option("-q", "--quiet", is_flag=True, help="No progress bar."),
)
"""What becomes of the report."""

SAVE: tuple[Decorator, ...] = (
    click.option(
        "--save-arrays",
        type=click.Path(path_type=Path),
        metavar="FILE.npz",
        help="Save states, gates and gradients.",
    ),
)
"""What else may be kept of the run."""

EVIDENCE: tuple[Decorator, ...] = (
    click.option("--lag", type=click.IntRange(min=1), help="Timesteps the task has to remember."),
    click.option(
        "--history",
        type=_PATH,
        metavar="FILE",
        help="Losses: Keras CSV or JSON, Lightning metrics.csv, TensorBoard.",
    ),
    click.option("--train-column", metavar="NAME", help="Its training loss, if not found by name."),
    click.option("--val-column", metavar="NAME", help="Its validation loss, likewise."),
    click.option(
        "--series",
        multiple=True,
        metavar="FILE",
        help="Earlier checkpoints of the run: files, a pattern or a folder.",
    ),
    click.option(
        "--context",
        type=_PATH,
        metavar="FILE.toml",
        help="What the checkpoint does not tell: optimizer, decay, samples.",
    ),
    click.option(
        "--trials", type=_PATH, metavar="FILE", help="Settings tried so far, with their metric."
    ),
)
"""What is known beside the checkpoint."""

POLICY: tuple[Decorator, ...] = (
    click.option("--select", multiple=True, metavar="RULE", help="Ask these: RNN101, RNN1, name."),
    click.option("--ignore", multiple=True, metavar="RULE", help="Do not ask these."),
    click.option(
        "--severity", multiple=True, metavar="RULE=LEVEL", help="Give a rule's findings this level."
    ),
    click.option(
        "--threshold", multiple=True, metavar="RULE.NAME=N", help="Move a cut; `explain` has them."
    ),
    click.option(
        "--profile",
        type=click.Choice(["a", "b"]),
        default="a",
        show_default=True,
        help="Which document counts where the two disagree.",
    ),
    click.option(
        "--fail-on",
        type=click.Choice(["error", "warning", "note", "never"]),
        default="error",
        show_default=True,
        help="Least severity that makes the exit status 1.",
    ),
    click.option("--baseline", type=_PATH, metavar="FILE", help="Findings that are known."),
    click.option(
        "--write-baseline", type=_PATH, metavar="FILE", help="Keep today's findings as known."
    ),
    click.option(
        "--config",
        type=_PATH,
        metavar="FILE",
        help="Instead of the nearest rnndiag.toml or [tool.rnndiag] of pyproject.toml.",
    ),
)
"""How findings are judged."""


def shared(options: Sequence[Decorator]) -> Decorator:
    """Several options as one decorator; they stand in the help in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def format_option(choices: Sequence[str] | None = None) -> Decorator:
    """``--format``, which takes the name of any file in ``rnndiag/outputs/``, or of `choices`."""
    return click.option(
        "--format",
        "format_",
        default="table",
        show_default=True,
        type=click.Choice(choices or names("rnndiag.outputs")),
        help="Tables for people, the others for programs.",
    )
