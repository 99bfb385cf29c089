"""What Keras has no layer for: functions and classes that a snippet brings along."""

from __future__ import annotations

from rnndiag.snippets._code import number

_CHRONO_LSTM = '''\
@keras.saving.register_keras_serializable()
def chrono_lstm(shape, dtype=None):
    """b_f = ln U(1, {most}) and b_i = -b_f; the blocks are i, f, c, o."""
    units = shape[0] // 4
    forget = keras.ops.log(keras.random.uniform((units,), 1, {most}, dtype))
    rest = keras.ops.zeros((2 * units,), dtype)
    return keras.ops.concatenate([-forget, forget, rest])'''
_CHRONO_GRU = '''\
@keras.saving.register_keras_serializable()
def chrono_gru(shape, dtype=None):
    """b_z = ln U(1, {most}), as z keeps the state; the blocks are z, r, h."""
    units = shape[-1] // 3
    keep = keras.ops.log(keras.random.uniform((units,), 1, {most}, dtype))
    bias = keras.ops.concatenate([keep, keras.ops.zeros((2 * units,), dtype)])
    # With reset_after there is a second row, which is added to the first.
    second = [keras.ops.zeros_like(bias)] * (len(shape) - 1)
    return keras.ops.reshape(keras.ops.stack([bias, *second]), shape)'''
_ZONEOUT = '''\
@keras.saving.register_keras_serializable()
class Zoneout{kind}(keras.layers.{kind}Cell):
    """Units keep their old state with chance {rate} (Krueger et al. 2017)."""

    def call(self, inputs, states, training=False):
        _, new = super().call(inputs, states, training=training)
        kept = [self.mix(old, now, training) for old, now in zip(states, new)]
        return kept[0], kept

    def mix(self, old, new, training):
        step = new - old
        if training:
            step = keras.random.dropout(step, {rate}, seed=self.seed_generator)
        # Dropout scales up what it leaves; out of training, the mean is taken.
        return old + (1 - {rate}) * step'''
_STATEFUL = """\
import numpy as np

# Whole sequences change places; the windows of each stay in order.
order, window = np.random.permutation(len(x_train)), {window}
for rows in order[: len(order) // {batch} * {batch}].reshape(-1, {batch}):
{resets}
    for start in range(0, x_train.shape[1], window):
        steps = slice(start, start + window)
        model.train_on_batch(x_train[rows, steps], y_train[{wanted}])"""
SPLIT = """\
import numpy as np

order = np.random.default_rng(0).permutation(len(samples))
cuts = [int(0.8 * len(order)), int(0.9 * len(order))]
train, validation, test = np.split(order, cuts)
model.fit(
    *(samples[train], targets[train]),
    validation_data=(samples[validation], targets[validation]),
)
# Once, when everything is decided:
model.evaluate(samples[test], targets[test])"""

SCALED_INPUTS = """\
scaling = keras.layers.Normalization()
scaling.adapt(x_train)  # of each feature, over samples and timesteps
x = scaling(x)"""


def chrono(kind: str, lag: int) -> tuple[str, str]:
    """The name of a bias initializer for LSTM or GRU, and the lines that define it."""
    lines = {"LSTM": _CHRONO_LSTM, "GRU": _CHRONO_GRU}[kind]
    # U(1, lag - 1) is empty below 2 steps; ln 1 = 0 is as short as memory gets.
    return f"chrono_{kind.lower()}", lines.format(most=max(lag - 1, 1))


def zoneout(kind: str, rate: float) -> tuple[str, str]:
    """The name of a cell with zoneout, and the lines that define it."""
    return f"Zoneout{kind}", _ZONEOUT.format(kind=kind, rate=number(rate))


def stateful_shuffling(names: list[str], batch: int, window: int, *, each_step: bool) -> str:
    """One epoch of a stateful network; `each_step` where there are targets at each step."""
    resets = "\n".join(f"    model.get_layer({name}).reset_state()" for name in names)
    wanted = "rows, steps" if each_step else "rows"
    return _STATEFUL.format(batch=batch, window=window, resets=resets, wanted=wanted)
