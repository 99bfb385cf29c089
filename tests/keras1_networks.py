"""Small networks in the words of Keras 1, saved by it with what it predicts.

``python tests/keras1_networks.py FOLDER [NAME…]``, run where Keras 1.2.2 is installed, wrote the
files in ``data/networks/keras-1.2.2*``; it needs nothing of rnndiag. See `tests.keras_networks`
for later versions.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

ROWS, STEPS, TOKENS = 5, 6, 9
NETWORKS: dict[str, Any] = {}


def network(build: Any) -> Any:
    NETWORKS[build.__name__] = build
    return build


# ---------------------------------------------------------------- the networks


@network
def sequential(keras: Any) -> Any:
    """Every cell, a list of layers, and all that Keras 1 says of training."""
    layers, l1l2 = keras.layers, keras.regularizers.l1l2
    model = keras.models.Sequential()
    penalties = {"W_regularizer": l1l2(0.01, 0.02), "U_regularizer": "l2", "b_regularizer": "l1"}
    model.add(
        layers.LSTM(
            4,
            input_shape=(STEPS, 3),
            return_sequences=True,
            dropout_W=0.1,
            dropout_U=0.2,
            **penalties,
        )
    )
    model.add(layers.Dropout(0.3))
    model.add(layers.GRU(3, return_sequences=True, activation="softsign", inner_activation="tanh"))
    model.add(layers.BatchNormalization())
    model.add(layers.SimpleRNN(4, go_backwards=True))
    model.add(layers.Dense(2, bias=False, activation="hard_sigmoid", W_constraint="maxnorm"))
    return model


@network
def fused_gates(keras: Any) -> Any:
    """With consume_less="gpu" the gates are stored in one array, in another order."""
    layers = keras.layers
    model = keras.models.Sequential()
    model.add(layers.LSTM(4, input_shape=(STEPS, 3), return_sequences=True, consume_less="gpu"))
    model.add(layers.GRU(3, return_sequences=True, consume_less="gpu"))
    model.add(layers.LSTM(3, consume_less="mem"))
    return model


@network
def masked(keras: Any) -> Any:
    layers = keras.layers
    model = keras.models.Sequential()
    model.add(layers.Embedding(TOKENS, 4, input_length=STEPS, mask_zero=True, dropout=0.2))
    model.add(layers.Bidirectional(layers.LSTM(3, return_sequences=True)))
    model.add(layers.Bidirectional(layers.GRU(2, return_sequences=True), merge_mode="sum"))
    model.add(layers.TimeDistributed(layers.Dense(3, activation="relu")))
    model.add(layers.GRU(2, return_sequences=True))
    model.add(layers.LSTM(2))
    return model


@network
def convolved(keras: Any) -> Any:
    layers = keras.layers
    model = keras.models.Sequential()
    model.add(
        layers.Convolution1D(4, 3, border_mode="same", activation="relu", input_shape=(12, 2))
    )
    model.add(layers.MaxPooling1D(pool_length=2))
    model.add(layers.AtrousConvolution1D(3, 2, atrous_rate=2))
    model.add(layers.LSTM(3, return_sequences=True))
    model.add(layers.TimeDistributedDense(2))
    model.add(layers.GlobalMaxPooling1D())
    return model


def _tower(keras: Any) -> Any:
    layers = keras.layers
    source = layers.Input((STEPS, 3))
    x = layers.TimeDistributed(layers.Dense(4), name="wide")(source)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.LSTM(3, return_sequences=True, name="inside")(x)
    return keras.models.Model(source, x, name="tower")


@network
def nested(keras: Any) -> Any:
    """A shared model, whose calls are counted from 1, and every way of merging."""
    layers = keras.layers
    a, b = layers.Input((STEPS, 3), name="a"), layers.Input((STEPS, 3), name="b")
    tower = _tower(keras)
    x, y = tower(a), tower(b)
    kinds = [layers.merge([x, y], mode=mode) for mode in ("sum", "mul", "ave", "max")]
    joined = layers.merge(kinds, mode="concat", concat_axis=-1)
    shared = layers.GRU(2, name="shared")
    lasts = [shared(joined), shared(layers.merge([joined, joined], mode="sum"))]
    dot = layers.merge(lasts, mode="dot", dot_axes=1)
    return keras.models.Model([a, b], [layers.merge(lasts, mode="concat"), dot])


@network
def two_branches(keras: Any) -> Any:
    """A Sequential that begins with the joining of two others."""
    layers, models = keras.layers, keras.models
    words, numbers = models.Sequential(), models.Sequential()
    words.add(layers.Embedding(TOKENS, 3, input_length=STEPS))
    words.add(layers.LSTM(3))
    numbers.add(layers.Dense(3, input_dim=4, activation="tanh"))
    model = models.Sequential()
    model.add(layers.Merge([words, numbers], mode="concat"))
    model.add(layers.RepeatVector(STEPS))
    model.add(layers.GRU(3))
    model.add(layers.Dense(2))
    return model


# ---------------------------------------------------------------- what goes in, and out


def randomize(model: Any) -> None:
    """Weights that leave no bias at zero and no variance at one."""
    rng = np.random.RandomState(0)
    drawn = [rng.normal(0, 0.5, array.shape) for array in model.get_weights()]
    ones = [(array == 1).all() for array in model.get_weights()]
    model.set_weights([np.abs(x) + 0.5 if one else x for x, one in zip(drawn, ones)])  # noqa: B905 - Python 3.7


def inputs_for(model: Any) -> list[Any]:
    """A batch for each input, with zeros in it."""
    rng = np.random.RandomState(1)
    batches = []
    for source in model.inputs:
        shape = (ROWS, *source._keras_shape[1:])
        readers = source._keras_history[0].outbound_nodes
        reads_tokens = any(type(node.outbound_layer).__name__ == "Embedding" for node in readers)
        tokens = rng.randint(1, TOKENS, shape).astype("int32")
        batch = tokens if reads_tokens else rng.normal(size=shape).astype("float32")
        if len(shape) > 1:
            batch[0, 4:], batch[1, :2], batch[2, 2:4], batch[4] = 0, 0, 0, 0
        batches.append(batch)
    return batches


def write(keras: Any, build: Any, path: Path) -> None:
    """Save a network that was trained for a step, with inputs and outputs."""
    model = build(keras)
    randomize(model)
    inputs = inputs_for(model)
    model.compile(keras.optimizers.Adam(lr=0.002, decay=0.001), "mse")
    outputs = model.predict(inputs)
    model.train_on_batch(inputs, outputs)
    outputs = model.predict(inputs)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    model.save(str(path))
    arrays = {f"x{k}": x for k, x in enumerate(inputs)}
    arrays.update({f"y{k}": y for k, y in enumerate(outputs)})
    np.savez_compressed(str(path.with_suffix(".npz")), **arrays)


def main(folder: Path, names: list[str]) -> None:
    keras = import_module("keras")
    for part in ("layers", "models", "optimizers", "regularizers"):
        import_module(f"keras.{part}")
    folder.mkdir(parents=True, exist_ok=True)
    for name, build in NETWORKS.items():
        if not names or name in names:
            write(keras, build, folder / f"{name}.h5")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
