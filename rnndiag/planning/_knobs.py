"""The settings that a plan may change: what each is called, where it goes, what to watch.

Their order is that of document A's numbered advice, behind what document B has against unstable
training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rnndiag import ladders
from rnndiag.records.plan import Kind, Value


@dataclass(frozen=True, kw_only=True)
class Knob:
    """One setting."""

    called: str
    section: str
    """Of the document that says how to try it."""
    kind: Kind
    keras: tuple[str, str]
    """The argument, and where it goes; `VALUE` stands for the value."""
    torch: tuple[str, str]
    watch: str
    ladder: tuple[Value, ...] = ()
    """The documents' values; those of decays depend on the matrix."""


_BETTER = "validation loss falls, training loss may rise"
_GROUP = 'weight_decay of an optimizer group of its own: "weight_decay": VALUE'

KNOBS: Mapping[str, Knob] = {
    "clipping": Knob(
        called="gradient clipping",
        section="B: tuning: unstable",
        kind="log_uniform",
        keras=("global_clipnorm", "an argument of the optimizer"),
        torch=("max_norm", "nn.utils.clip_grad_norm_(model.parameters(), VALUE)"),
        watch="no more leaps in the training loss",
    ),
    "learning_rate": Knob(
        called="learning rate",
        section="B: tuning: unstable",
        kind="log_uniform",
        keras=("learning_rate", "an argument of the optimizer"),
        torch=("lr", "an argument of the optimizer"),
        watch="a smoother training loss that still falls",
    ),
    "kernel_decay": Knob(
        called="kernel decay",
        section="A: what to do 1",
        kind="log_uniform",
        keras=("kernel_regularizer", "kernel_regularizer=keras.regularizers.L2(VALUE)"),
        torch=("kernel_weight_decay", _GROUP),
        watch="‖K‖ and extreme outputs go down, the span does not; validation loss falls",
    ),
    "recurrent_decay": Knob(
        called="recurrent decay",
        section="A: what to do 1",
        kind="log_uniform",
        keras=("recurrent_regularizer", "recurrent_regularizer=keras.regularizers.L2(VALUE)"),
        torch=("recurrent_weight_decay", _GROUP),
        watch="‖R‖ goes down and the span up; training loss must not suffer",
    ),
    "bias_decay": Knob(
        called="bias decay",
        section="A: what to do 9",
        kind="log_uniform",
        keras=("bias_regularizer", "bias_regularizer=keras.regularizers.L2(VALUE)"),
        torch=("bias_weight_decay", _GROUP),
        watch="the biases' share of the pre-activations goes down",
    ),
    "dropout": Knob(
        called="dropout on the inputs",
        section="A: what to do 2",
        kind="uniform",
        keras=("dropout", "the recurrent layer's argument"),
        torch=("input_dropout", "nn.Dropout(VALUE) before the recurrent layer"),
        watch=_BETTER,
        ladder=ladders.LADDERS["dropout"].rungs,
    ),
    "recurrent_dropout": Knob(
        called="recurrent dropout",
        section="A: what to do 3",
        kind="uniform",
        keras=("recurrent_dropout", "the recurrent layer's argument"),
        torch=("recurrent_dropout", "of the recurrent weights: `rnndiag plan -v` has the lines"),
        watch=f"{_BETTER}; the state moves in more directions",
        ladder=(0.2, 0.3, 0.4, 0.5),
    ),
    "normalization": Knob(
        called="normalization",
        section="A: what to do 4",
        kind="categorical",
        keras=("normalization", "a layer behind the recurrent one; keep or scrap"),
        torch=("normalization", "a module behind the recurrent one; keep or scrap"),
        watch="fewer extreme outputs, a steadier loss",
    ),
    "between_dropout": Knob(
        called="dropout between layers",
        section="B: checklist",
        kind="uniform",
        keras=("rate", "keras.layers.Dropout(VALUE) behind each recurrent layer"),
        torch=("dropout", "nn.Dropout(VALUE) behind it; of a stack, its own argument"),
        watch=_BETTER,
        ladder=(0.3, 0.5),
    ),
    "max_norm": Knob(
        called="bound on column norms",
        section="A: what to do 6",
        kind="log_uniform",
        keras=(
            "kernel_constraint",
            "keras.constraints.MaxNorm(VALUE) as kernel_constraint and recurrent_constraint",
        ),
        torch=("max_row_norm", "weight.renorm_(2, 0, VALUE) after each step"),
        watch="norms stay where they are, the gradient no longer grows on its way back",
    ),
    "optimizer": Knob(
        called="optimizer",
        section="A: what to do 13",
        kind="categorical",
        keras=("optimizer", "model.compile"),
        torch=("optimizer", "torch.optim"),
        watch="validation loss after as many updates",
    ),
    "units": Knob(
        called="units",
        section="A: depth vs. width",
        kind="int",
        keras=("units", "the recurrent layer's argument"),
        torch=("hidden_size", "the recurrent module's argument"),
        watch="the share of dead units; validation loss does not rise",
    ),
    "zoneout": Knob(
        called="zoneout",
        section="A: what to do 10",
        kind="uniform",
        keras=("zoneout", "a wrapper of the cell: `rnndiag plan -v` has the lines"),
        torch=("zoneout", "in a loop over cells: `rnndiag plan -v` has the lines"),
        watch=_BETTER,
        ladder=(0.1,),
    ),
}
"""By the name that a file for ``--trials`` has."""


def argument(name: str, framework: str) -> tuple[str, str]:
    """The key and the place of a setting in a framework's own words."""
    return KNOBS[name].keras if framework == "keras" else KNOBS[name].torch
