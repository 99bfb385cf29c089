"""What the versions of Keras do differently: every such rule in one place, by its name.

Most of them are in no documentation; they were found by running the versions side by side.
A writer without a version counts as an early one.
"""

from __future__ import annotations

from rnndiag.records import Writer


def is_keras3(writer: Writer) -> bool:
    """Keras 3 and later."""
    return writer.framework == "keras" and writer.numbers >= (3,)


def _is_tensorflows(writer: Writer) -> bool:
    """tf.keras of TensorFlow 1 to 2.3, whose version numbers run beside Keras's own."""
    return "tf" in (writer.version or "")


def _is_keras_before(writer: Writer, version: tuple[int, ...]) -> bool:
    """Keras 1 or 2 itself, not TensorFlow's, before `version`."""
    return () < writer.numbers < version and not _is_tensorflows(writer)


# ---------------------------------------------------------------- cells


def clips_hard_sigmoid(writer: Writer) -> bool:
    """Up to Keras 2 it is clip(0.2 x + 0.5, 0, 1); then relu6(x + 3) / 6, as in PyTorch."""
    return writer.framework == "keras" and writer.numbers < (3,)


def cells_default_to_hard_sigmoid(writer: Writer) -> bool:
    """The cells of Keras 2.0 write no configuration of their own."""
    return _is_keras_before(writer, (2, 3))


def cells_default_to_reset_after(writer: Writer) -> bool:
    """A GRU's reset gate stands after the recurrent product since TensorFlow 2 and Keras 3."""
    return not _is_keras_before(writer, (2, 4))


def puts_last_cell_first(writer: Writer) -> bool:
    """Stacked cells gave their states from the last cell to the first."""
    return _is_keras_before(writer, (2, 2, 3))


# ---------------------------------------------------------------- convolutions


def turns_kernels_around(writer: Writer) -> bool:
    """Theano convolves in the mathematical sense; the others correlate, and call it the same."""
    return writer.framework == "keras" and writer.backend == "theano"


# ---------------------------------------------------------------- masks in recurrent layers


def bidirectional_zeroes_masked_steps(writer: Writer) -> bool:
    """Both wrapped layers do so, where they return sequences, since tf.keras 1.13."""
    return writer.numbers >= ((2, 2) if _is_tensorflows(writer) else (2, 4))


def shows_state_at_masked_steps(writer: Writer) -> bool:
    """Keras before 2.3 on TensorFlow does, not the previous output, unless it unrolls.

    The two differ before the first real step, and where the first state is not the last
    cell's.
    """
    return writer.backend == "tensorflow" and _is_keras_before(writer, (2, 3))


def ignores_mask_beside_states(writer: Writer) -> bool:
    """Keras 3 tells a layer the mask of its input only where that is its only tensor."""
    return is_keras3(writer)


def hands_on_the_values_mask(writer: Writer) -> bool:
    """Keras 3.0 to 3.10 does, even where a call is given another mask by hand."""
    return is_keras3(writer) and writer.numbers < (3, 11)


# ---------------------------------------------------------------- masks elsewhere


def merges_drop_masks(writer: Writer) -> bool:
    """Keras 3.0 to 3.3 found no mask on a list of inputs."""
    return is_keras3(writer) and writer.numbers < (3, 4)


def any_mask_is_enough(writer: Writer) -> bool:
    """Keras 3.4 and later keep a step that any input has; before, all had to have it."""
    return is_keras3(writer) and writer.numbers >= (3, 4)


def time_distributed_hides_mask(writer: Writer) -> bool:
    """Before Keras 2.2 the wrapped layer never saw the mask."""
    return _is_keras_before(writer, (2, 2))


def time_distributed_asks_for_mask(writer: Writer) -> bool:
    """From Keras 2.2 to 2.15 the wrapped layer tells the output's mask."""
    return not time_distributed_hides_mask(writer) and writer.numbers < (3,)


def attention_takes_masks_away(writer: Writer) -> bool:
    """Since Keras 3.8 multi-head attention leaves its inputs without masks."""
    return is_keras3(writer) and writer.numbers >= (3, 8)


def softmax_zeroes_masked_rows(writer: Writer) -> bool:
    """Where nothing counts, Softmax gave equal shares up to Keras 3.13, and then nothing."""
    return is_keras3(writer) and writer.numbers >= (3, 14)
