"""The options that commands share, by the heading under which their help lists them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from rnndiag import memory
from rnndiag.cli.grouping import Decorator, group, together
from rnndiag.registry import names

_PATH = click.Path(path_type=Path)
_FILE = click.Path(path_type=Path, allow_dash=True)
_AT_LEAST_1 = click.IntRange(min=1)
_LOSSES = (
    "mean_square (no targets), mse, mae, binary_crossentropy, categorical_crossentropy, "
    "sparse_categorical_crossentropy; the last three also with _from_logits"
)


def _parts(ctx: click.Context, option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Every item of an option that may be repeated, and may take several with commas."""
    return tuple(part.strip() for value in given for part in value.split(","))


def _size(ctx: click.Context, option: click.Parameter, given: str | None) -> str | None:
    """An option's size, in the user's words; raises `BadOption` where it is none."""
    if given is not None:
        memory.parse(given)
    return given


# ---------------------------------------------------------------- what goes in

_input = group("Input")
DATA = together(
    _input("--probe", metavar="FILE", help="Real input: .npy, .npz, .pt, .csv or .h5."),
    _input(
        "--probe-key",
        multiple=True,
        metavar="NAME",
        help="Array in the probe file; once for each network input.",
    ),
    _input("--targets", metavar="FILE", help="Targets for the loss; same file types."),
    _input(
        "--targets-key",
        multiple=True,
        metavar="NAME",
        help="Array in the targets file; once for each network output.",
    ),
    _input("--loss", metavar="NAME", help=f"Loss to send back: {_LOSSES}."),
    _input("--architecture", metavar="FILE.json", help="Of Keras weights that came without one."),
    _input(
        "--model",
        metavar="MODULE:FACTORY",
        help="Run your own network, with a PyTorch file's weights: package.module:factory or "
        "path/to/file.py:factory, a function or class without arguments. Its code runs.",
    ),
)
"""What is run through the network; no code but the user's own."""

INPUT = together(
    DATA,
    _input(
        "--unsafe-load",
        is_flag=True,
        help="Let a pickle's own code run, and run the network that it holds; what it would "
        "run is said first. For files of people you trust; never read from a configuration.",
    ),
)
"""What is run through the network, a file's own code too where that is asked for."""

_known = group("What else is known")
LAG = _known("--lag", metavar="N", type=_AT_LEAST_1, help="Timesteps the task has to remember.")
CONTEXT = _known(
    "--context",
    type=_PATH,
    metavar="FILE.toml",
    help="What the checkpoint does not tell: optimizer, decay, samples.",
)
KNOWN = together(
    LAG,
    _known(
        "--history",
        type=_PATH,
        metavar="FILE",
        help="Losses: Keras CSV or JSON, Lightning metrics.csv, TensorBoard.",
    ),
    _known("--train-column", metavar="NAME", help="Its training loss, if not found by name."),
    _known("--val-column", metavar="NAME", help="Its validation loss, likewise."),
    CONTEXT,
    _known("--trials", type=_PATH, metavar="FILE", help="Settings tried so far: CSV or JSON."),
)
"""What is known beside the checkpoint, other checkpoints apart."""

EVIDENCE = together(
    KNOWN,
    _known(
        "--series",
        multiple=True,
        metavar="FILE",
        help="Earlier checkpoints of the run: files, a pattern in quotes or a folder.",
    ),
)
"""The same, and other checkpoints."""

# ---------------------------------------------------------------- how it is judged

_policy = group("Judgement")
RULES = together(
    _policy(
        "--select",
        multiple=True,
        callback=_parts,
        metavar="RULES",
        help="Ask only these: RNN101, a name, or RNN1 for a family; with commas between.",
    ),
    _policy("--ignore", multiple=True, callback=_parts, metavar="RULES", help="Do not ask these."),
    _policy(
        "--severity",
        multiple=True,
        callback=_parts,
        metavar="RULE=LEVEL",
        help="Give a rule's findings this level: error, warning or note.",
    ),
    _policy(
        "--threshold",
        multiple=True,
        callback=_parts,
        metavar="RULE.NAME=N",
        help="Move a cut; `rnndiag explain RULE` names them.",
    ),
    _policy(
        "--profile",
        type=click.Choice(["a", "b"]),
        default="a",
        show_default=True,
        help="Which of the rules' two documents counts where they disagree.",
    ),
)
"""Which rules are asked, and how they judge."""

POLICY = together(
    _policy(
        "--fail-on",
        metavar="LEVEL",
        type=click.Choice(["error", "warning", "note", "never"]),
        default="error",
        show_default=True,
        help="Least severity that makes the exit status 1: error, warning, note or never.",
    ),
    RULES,
    _policy(
        "--baseline",
        type=_PATH,
        metavar="FILE",
        help="Findings that are known, and count only where they got clearly worse.",
    ),
)
"""What counts, and how much."""

WRITE_BASELINE = _policy(
    "--write-baseline",
    type=_PATH,
    metavar="FILE",
    help="Keep today's findings as known; the exit status is still today's.",
)
"""For the command that is run to find what is known."""

# ---------------------------------------------------------------- what comes out


def output(formats: Sequence[str] | None = None, *, verbose: str, more: bool = False) -> Decorator:
    """What becomes of the report, in one of the `formats`: any file of ``rnndiag/outputs/``.

    `verbose` is what ``-v`` adds; `more` offers to save arrays, too.
    """
    option = group("Output")
    choices = sorted(formats or names("rnndiag.outputs.reports"), key=lambda name: name != "table")
    arrays = option(
        "--save-arrays",
        type=_PATH,
        metavar="FILE.npz",
        help="Save states, gates and gradients.",
    )
    return together(
        option(
            "--format",
            "format_",
            default="table",
            show_default=True,
            metavar="NAME",
            type=click.Choice(choices),
            help=f"{', '.join(choices[:-1])} or {choices[-1]}.",
        ),
        option("--output", type=_FILE, metavar="FILE", help="Write the report there."),
        *([arrays] if more else []),
        option("-v", "--verbose", is_flag=True, help=verbose),
        option(
            "-q", "--quiet", is_flag=True, help="No progress bar, nothing on stderr but errors."
        ),
    )


_folder = group("Output")
FOLDER = together(
    _folder(
        "-o",
        "--report",
        "folder",
        type=_PATH,
        metavar="DIR",
        help="Also a folder with figures and a page to open.",
    ),
    _folder("--force", is_flag=True, help="Replace that folder whatever it holds."),
)
"""For commands whose first result is a text."""

CONFIG = click.option(
    "--config",
    type=_PATH,
    metavar="FILE",
    help="Instead of the nearest rnndiag.toml, or [tool.rnndiag] of pyproject.toml. "
    "What the command line says wins over it.",
)
"""Where else all of this may be said."""

# ---------------------------------------------------------------- how it is run

_run = group("How the probe is run")
RUN = together(
    _run(
        "--probe-kind",
        default="auto",
        show_default=True,
        metavar="KIND",
        type=click.Choice(["auto", "normal", "uniform", "onehot", "ids"]),
        help="What to make up without --probe: auto, normal, uniform, onehot or ids.",
    ),
    _run("--timesteps", metavar="N", type=_AT_LEAST_1, help="Length of a made-up probe."),
    _run(
        "--batch",
        metavar="N",
        type=_AT_LEAST_1,
        default=16,
        show_default=True,
        help="Samples of a made-up probe, for each seed.",
    ),
    _run(
        "--seeds",
        metavar="N",
        type=_AT_LEAST_1,
        default=3,
        show_default=True,
        help="How many made-up probes.",
    ),
    _run(
        "--seed",
        metavar="N",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="The first seed.",
    ),
    _run(
        "--device",
        default="auto",
        show_default=True,
        metavar="NAME",
        type=click.Choice(["auto", "cpu", "cuda", "mps"]),
        help="auto, cpu, cuda or mps; auto takes CUDA where there is one.",
    ),
    _run(
        "--nonlinearity",
        default="tanh",
        show_default=True,
        type=click.Choice(["tanh", "relu"]),
        help="Of a PyTorch nn.RNN, whose file does not tell.",
    ),
    _run(
        "--windows",
        metavar="N",
        type=_AT_LEAST_1,
        default=1,
        show_default=True,
        help="Windows that a stateful model carries its state across.",
    ),
    _run(
        "--alpha",
        metavar="SHARE",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        default=1e-2,
        show_default=True,
        help="Share of the gradient that still counts as reaching.",
    ),
    _run(
        "--max-memory",
        metavar="SIZE",
        callback=_size,
        help="What the file may make rnndiag take: 2GB, 512MiB or bytes. "
        "[default: 8 GiB, or 3/4 of the machine's]",
    ),
)
"""How the network is run on it, and what is made up."""
