"""Small Keras networks for the tests, each built by any Keras that has its layers.

The tests build them with the Keras that is installed. The files in ``data/networks`` that other
versions wrote come from here too: ``python -m tests.keras_networks FOLDER [NAME…]``, run
where such a version is installed, saves every network that it can build, with inputs and
what it predicts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from rnndiag.records import Array

ROWS, STEPS, TOKENS = 5, 6, 9
NETWORKS: dict[str, Callable[[Any], Any]] = {}


def network(build: Callable[[Any], Any]) -> Callable[[Any], Any]:
    NETWORKS[build.__name__] = build
    return build


# ---------------------------------------------------------------- what goes in


def randomize(model: Any, seed: int = 0) -> None:
    """Weights that leave no bias at zero and no moving variance at one."""
    rng = np.random.default_rng(seed)
    arrays = []
    for array in map(np.asarray, model.get_weights()):
        drawn = rng.normal(0, 0.5, array.shape).astype(np.float32)
        # Variances start as ones; with scales, they stay positive.
        arrays.append(np.abs(drawn) + 0.5 if (array == 1).all() else drawn)
    model.set_weights(arrays)


def inputs_for(model: Any, seed: int = 1) -> list[Array]:
    """A batch for each input; zeros at its start, its end, in the middle, and throughout."""
    rng = np.random.default_rng(seed)
    batches = []
    for place, tensor in enumerate(model.inputs):
        shape = tensor.shape.as_list() if hasattr(tensor.shape, "as_list") else tensor.shape
        sizes = [ROWS, *(STEPS if size is None else int(size) for size in shape[1:])]
        kind = str(tensor.dtype)
        if "int" in kind or "bool" in kind:
            batch = rng.integers(1, TOKENS, sizes).astype(np.int32)
        else:
            batch = rng.normal(size=sizes).astype(np.float32)
        if len(sizes) > 2 or batch.dtype.kind == "i":
            batch[place % 3, 4:] = 0
            batch[(place + 1) % 3, :2] = 0
            batch[(place + 2) % 3, 2:4] = 0
            batch[4] = 0
        batches.append(batch.astype(bool) if "bool" in kind else batch)
    return batches


def outputs_of(model: Any, inputs: list[Array]) -> list[Array]:
    found = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
    return list(_flat(found))


def _flat(found: Any) -> Iterator[Array]:
    """Stacked cells' states come as lists in a list."""
    if isinstance(found, (list, tuple)):
        for part in found:
            yield from _flat(part)
    else:
        yield np.asarray(found)


def save(build: Callable[[Any], Any], keras: Any, path: Path) -> tuple[list[Array], list[Array]]:
    """Write the network to `path`; its inputs and outputs."""
    model = build(keras)
    randomize(model)
    inputs = inputs_for(model)
    outputs = outputs_of(model, inputs)
    model.save(str(path))
    return inputs, outputs


# ---------------------------------------------------------------- the networks


@network
def shared_twice(keras: Any) -> Any:
    """One LSTM reads two inputs, and then what a Dense layer made of it."""
    layers = keras.layers
    a, b = layers.Input((STEPS, 3)), layers.Input((STEPS, 3))
    lstm = layers.LSTM(3, return_sequences=True, name="shared")
    again = lstm(layers.Dense(3, name="between")(lstm(b)))
    joined = layers.Concatenate(name="joined")([lstm(a), again])
    return keras.models.Model([a, b], layers.GRU(4, name="behind")(joined))


def _tower(keras: Any) -> Any:
    """Frozen layers and moving statistics, so that the stored order is not the layers'."""
    layers = keras.layers
    source = layers.Input((STEPS, 3))
    x = layers.Dense(4, name="frozen", trainable=False)(source)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.LSTM(3, return_sequences=True, name="inside")(x)
    return keras.models.Model(source, layers.Dense(3, name="last")(x), name="tower")


@network
def nested(keras: Any) -> Any:
    layers = keras.layers
    source = layers.Input((STEPS, 3))
    return keras.models.Model(source, layers.GRU(2, name="behind")(_tower(keras)(source)))


@network
def nested_twice(keras: Any) -> Any:
    """A shared nested model whose first call feeds its second."""
    layers = keras.layers
    source, tower = layers.Input((STEPS, 3)), _tower(keras)
    first = tower(source)
    second = tower(first)
    joined = layers.Add(name="sum")([first, second])
    return keras.models.Model(source, [layers.LSTM(2, name="behind")(joined), second])


@network
def nested_in_nested(keras: Any) -> Any:
    layers = keras.layers
    inner_source = layers.Input((STEPS, 3))
    inner = layers.BatchNormalization(name="norm_b")(_tower(keras)(inner_source))
    middle = keras.models.Model(inner_source, inner, name="middle")
    source = layers.Input((STEPS, 3))
    x = layers.Dense(3, name="before")(source)
    return keras.models.Model(source, layers.SimpleRNN(2, name="behind")(middle(x)))


@network
def nested_and_beside(keras: Any) -> Any:
    """A model stands in another, and once more behind it."""
    layers, models = keras.layers, keras.models
    first = layers.Input((STEPS, 2))
    x = layers.LSTM(2, return_sequences=True, name="lstm")(first)
    small = models.Model(first, layers.Dense(2, name="dense")(x), name="small")
    second = layers.Input((STEPS, 2))
    large = models.Model(second, layers.GRU(2, return_sequences=True)(small(second)), name="large")
    source = layers.Input((STEPS, 2))
    x = large(source)
    return models.Model(source, [layers.SimpleRNN(1, name="behind")(small(x)), x])


@network
def models_in_sequential(keras: Any) -> Any:
    layers, models = keras.layers, keras.models
    inner = models.Sequential(name="inner")
    inner.add(layers.Dense(4, activation="relu", input_shape=(STEPS, 3), name="inner_dense"))
    inner.add(layers.GRU(3, return_sequences=True, name="inner_gru"))
    model = models.Sequential(name="outer")
    model.add(inner)
    model.add(_tower(keras))
    model.add(layers.LSTM(2, name="behind"))
    return model


@network
def sequential_in_functional(keras: Any) -> Any:
    layers, models = keras.layers, keras.models
    inner = models.Sequential(name="inner")
    inner.add(layers.LSTM(3, return_sequences=True, input_shape=(STEPS, 3), name="inner_lstm"))
    inner.add(layers.Dense(3, name="inner_dense"))
    source = layers.Input((STEPS, 3))
    joined = layers.Concatenate(name="joined")([inner(source), inner(inner(source))])
    return models.Model(source, layers.GRU(2, name="behind")(joined))


@network
def masked_bidirectional(keras: Any) -> Any:
    """Whether masked steps come out as zeros depends on the writer."""
    layers = keras.layers
    source = layers.Input((STEPS, 3))
    x = layers.Masking(name="masking")(source)
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="concat")(x)
    y = layers.Bidirectional(layers.GRU(2, return_sequences=True), merge_mode="sum", name="sum")(x)
    last = layers.Bidirectional(layers.LSTM(2), merge_mode="mul", name="mul")(y)
    return keras.models.Model(source, [x, y, last])


@network
def unrolled_bidirectional(keras: Any) -> Any:
    """Where it is unrolled, the backward half zeroes other steps than the masked ones."""
    layers = keras.layers
    source = layers.Input((STEPS, 3))
    x = layers.Masking(name="masking")(source)
    rnn = layers.GRU(2, return_sequences=True, unroll=True)
    x = layers.Bidirectional(rnn, name="all")(x)
    last = layers.Bidirectional(layers.LSTM(2, unroll=True), name="last")(x)
    return keras.models.Model(source, [x, last])


@network
def bidirectional_modes(keras: Any) -> Any:
    layers = keras.layers
    source = layers.Input((STEPS, 3))
    outputs = []
    for mode in ("concat", "sum", "mul", "ave", None):
        rnn = layers.GRU(3, return_sequences=mode != "ave")
        made = layers.Bidirectional(rnn, merge_mode=mode, name=f"mode_{mode}")(source)
        outputs += made if isinstance(made, (list, tuple)) else [made]
    return keras.models.Model(source, outputs)


@network
def bidirectional_of_cells(keras: Any) -> Any:
    layers = keras.layers
    source = layers.Input((STEPS, 3))
    cells = [layers.LSTMCell(3), layers.GRUCell(2)]
    x = layers.Bidirectional(layers.RNN(cells, return_sequences=True), name="stack")(source)
    return keras.models.Model(source, x)


@network
def backward_layer(keras: Any) -> Any:
    """The backward half is of another kind, and the wrapped half itself runs backwards."""
    layers = keras.layers
    source = layers.Input((STEPS, 3))
    back = layers.GRU(3, return_sequences=True, go_backwards=True, reset_after=False)
    x = layers.Bidirectional(
        layers.LSTM(3, return_sequences=True), backward_layer=back, name="two_kinds"
    )(source)
    turned = layers.LSTM(2, go_backwards=True)
    ahead = layers.SimpleRNN(2, use_bias=False)
    y = layers.Bidirectional(turned, backward_layer=ahead, name="turned")(x)
    return keras.models.Model(source, [x, y])


@network
def merged_masks(keras: Any) -> Any:
    """Layers that merge two masks: all, any or none of them, by the writer's version."""
    layers = keras.layers
    a, b = layers.Input((STEPS, 3)), layers.Input((STEPS, 3))
    x, y = layers.Masking(name="mask_a")(a), layers.Masking(name="mask_b")(b)
    kinds = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")
    outputs = []
    for kind in kinds:
        merged = getattr(layers, kind)(name=f"by_{kind}")([x, y])
        rnn = layers.GRU(2, return_sequences=True, name=f"behind_{kind}")
        outputs += [merged, rnn(merged)]
    return keras.models.Model([a, b], outputs)


@network
def partly_masked_merge(keras: Any) -> Any:
    """Only one of the merged inputs has a mask."""
    layers = keras.layers
    a, b = layers.Input((STEPS, 3)), layers.Input((STEPS, 3))
    x = layers.Masking(name="mask_a")(a)
    outputs = []
    for kind in ("Add", "Multiply", "Maximum", "Concatenate"):
        merged = getattr(layers, kind)(name=f"by_{kind}")([x, b])
        outputs.append(layers.SimpleRNN(2, name=f"behind_{kind}")(merged))
    return keras.models.Model([a, b], outputs)


@network
def masks_in_a_row(keras: Any) -> Any:
    """Concatenation along time puts the masks one after the other."""
    layers = keras.layers
    a, b = layers.Input((STEPS, 3)), layers.Input((STEPS, 3))
    x, y = layers.Masking(name="mask_a")(a), layers.Masking(name="mask_b")(b)
    joined = layers.Concatenate(axis=1, name="joined")([x, y])
    return keras.models.Model([a, b], layers.LSTM(2, return_sequences=True, name="lstm")(joined))


@network
def ranks_merged(keras: Any) -> Any:
    """A vector for each sample is added to, and scales, every timestep."""
    layers = keras.layers
    a, b = layers.Input((STEPS, 3)), layers.Input((3,))
    x = layers.Add(name="add")([a, b])
    x = layers.Multiply(name="multiply")([layers.Dense(3, name="scale")(b), x])
    return keras.models.Model([a, b], layers.GRU(2, name="gru")(x))


@network
def dot_attention(keras: Any) -> Any:
    layers = keras.layers
    a, b = layers.Input((STEPS, 3)), layers.Input((STEPS + 1, 3))
    query = layers.LSTM(4, return_sequences=True, name="query")(a)
    memory = layers.GRU(4, return_sequences=True, name="memory")(b)
    scores = layers.Dot(axes=(2, 2), name="scores")([query, memory])
    weights = layers.Activation("softmax", name="weights")(scores)
    context = layers.Dot(axes=(2, 1), name="context")([weights, memory])
    cosine = layers.Dot(axes=-1, normalize=True, name="cosine")(
        [layers.Flatten(name="flat_a")(query), layers.Flatten(name="flat_c")(context)]
    )
    return keras.models.Model([a, b], [scores, context, cosine])


@network
def stacked_cells(keras: Any) -> Any:
    """The states of stacked cells: first cell first, or last cell first in old Keras."""
    layers = keras.layers
    source = layers.Input((STEPS, 3))
    cells = [layers.LSTMCell(2), layers.GRUCell(3), layers.SimpleRNNCell(4)]
    stack = layers.RNN(cells, return_sequences=True, return_state=True, name="stack")
    return keras.models.Model(source, list(stack(source)))


@network
def masked_cells(keras: Any) -> Any:
    """Of equal size, or Keras before 2.3 cannot mask them."""
    layers = keras.layers
    source = layers.Input((STEPS, 3))
    cells = [layers.LSTMCell(2), layers.GRUCell(2)]
    stack = layers.RNN(cells, return_sequences=True, return_state=True, name="stack")
    return keras.models.Model(source, list(stack(layers.Masking(name="masking")(source))))


@network
def one_cell(keras: Any) -> Any:
    layers = keras.layers
    source = layers.Input((STEPS, 3))
    x = layers.RNN(layers.LSTMCell(3), return_sequences=True, name="rnn")(source)
    x = layers.RNN(layers.GRUCell(2), go_backwards=True, name="rnn_back")(x)
    return keras.models.Model(source, x)


@network
def stacked_states(keras: Any) -> Any:
    """The states of one stack start another."""
    layers = keras.layers
    a, b = layers.Input((STEPS, 3)), layers.Input((STEPS, 3))
    cells = [layers.LSTMCell(2), layers.LSTMCell(3)]
    _, *states = layers.RNN(cells, return_state=True, name="encoder")(a)
    decoder = layers.RNN([layers.LSTMCell(2), layers.LSTMCell(3)], name="decoder")
    return keras.models.Model([a, b], decoder(b, initial_state=list(states)))


@network
def encoder_decoder(keras: Any) -> Any:
    """Masks beside initial states, which Keras 3 does not obey but hands on."""
    layers = keras.layers
    a, b = layers.Input((STEPS, 3)), layers.Input((STEPS, 3))
    _, h, c = layers.LSTM(4, return_state=True, name="encoder")(layers.Masking(name="mask_a")(a))
    decoder = layers.LSTM(4, return_sequences=True, name="decoder")
    x = decoder(layers.Masking(name="mask_b")(b), initial_state=[h, c])
    return keras.models.Model([a, b], [x, layers.GRU(2, name="behind")(x)])


@network
def mask_by_hand(keras: Any) -> Any:
    """A mask that the call is given is obeyed, in Keras 3 beside initial states too."""
    layers = keras.layers
    a, b = layers.Input((STEPS, 3)), layers.Input((4,))
    mask = layers.Input((STEPS,), dtype="bool")
    x = layers.GRU(4, return_sequences=True, name="gru")(a, initial_state=b, mask=mask)
    return keras.models.Model([a, b, mask], [x, layers.LSTM(2, name="behind")(x)])


@network
def bare_initial_state(keras: Any) -> Any:
    layers = keras.layers
    a, b = layers.Input((STEPS, 3)), layers.Input((4,))
    x, last = layers.GRU(4, return_sequences=True, return_state=True, name="gru")(
        a, initial_state=layers.Dense(4, name="start")(b)
    )
    return keras.models.Model([a, b], [x, last])


@network
def bidirectional_states(keras: Any) -> Any:
    layers = keras.layers
    a, b = layers.Input((STEPS, 3)), layers.Input((STEPS, 3))
    encoder = layers.Bidirectional(layers.LSTM(3, return_state=True), name="encoder")
    y, *states = encoder(a)
    decoder = layers.Bidirectional(
        layers.LSTM(3, return_sequences=True, return_state=True), merge_mode="ave", name="decoder"
    )
    return keras.models.Model([a, b], [y, *decoder(b, initial_state=list(states))])


@network
def time_distributed(keras: Any) -> Any:
    """A Dense layer, a recurrent one and a nested model on every timestep."""
    layers = keras.layers
    source = layers.Input((None, STEPS, 3))
    inner_source = layers.Input((STEPS, 2))
    inner = layers.GRU(2, return_sequences=True, name="in_model")(inner_source)
    inner = layers.BatchNormalization(name="norm")(layers.Dense(3, name="in_model_dense")(inner))
    inner = layers.Flatten(name="flat")(inner)
    model = keras.models.Model(inner_source, inner, name="each")
    x = layers.TimeDistributed(layers.Dense(2, activation="tanh"), name="td_dense")(source)
    y = layers.TimeDistributed(layers.Bidirectional(layers.LSTM(2)), name="td_rnn")(x)
    z = layers.TimeDistributed(model, name="td_model")(x)
    joined = layers.Concatenate(name="joined")([y, z])
    return keras.models.Model(source, layers.LSTM(3, name="behind")(joined))


@network
def hierarchical_masks(keras: Any) -> Any:
    """Words of sentences of documents: the mask of words, and of sentences that have none."""
    layers = keras.layers
    source = layers.Input((3, STEPS), dtype="int32")
    words = layers.Embedding(TOKENS, 3, mask_zero=True, name="words")(source)
    sentences = layers.TimeDistributed(layers.Bidirectional(layers.GRU(2)), name="td")(words)
    return keras.models.Model(source, layers.LSTM(3, return_sequences=True, name="doc")(sentences))


@network
def masked_sequences(keras: Any) -> Any:
    """What hands a mask on, and what ends it."""
    layers = keras.layers
    source = layers.Input((None,), dtype="int32")
    x = layers.Embedding(TOKENS, 4, mask_zero=True, name="embedding")(source)
    x = layers.SpatialDropout1D(0.3, name="dropout")(x)
    x = layers.Dense(3, name="dense")(x)
    x = layers.Activation("tanh", name="tanh")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.GRU(3, return_sequences=True, go_backwards=True, name="back")(x)
    x = layers.TimeDistributed(layers.Dense(2), name="each")(x)
    kept = layers.LSTM(2, name="kept")(x)
    return keras.models.Model(source, [x, kept])


@network
def masked_pooling(keras: Any) -> Any:
    layers = keras.layers
    source = layers.Input((STEPS, 3))
    # Biased, so that no sample is masked throughout.
    shifted = layers.Masking(mask_value=0.25, name="masking")(source)
    x = layers.LSTM(3, return_sequences=True, name="lstm")(shifted)
    return keras.models.Model(source, layers.GlobalAveragePooling1D(name="pool")(x))


@network
def ended_masks(keras: Any) -> Any:
    layers = keras.layers
    source = layers.Input((STEPS, 3))
    x = layers.Masking(name="masking")(source)
    outputs = [
        layers.Conv1D(2, 2, name="conv")(x),
        layers.MaxPooling1D(name="pool")(x),
        layers.ZeroPadding1D(name="pad")(x),
    ]
    made = [layers.SimpleRNN(2, name=f"rnn_{k}")(y) for k, y in enumerate(outputs)]
    return keras.models.Model(source, made)


@network
def mask_in_nested(keras: Any) -> Any:
    """A mask goes into a nested model, and comes out of it."""
    layers = keras.layers
    inner_source = layers.Input((STEPS, 3))
    inner = layers.LSTM(3, return_sequences=True, name="inside")(inner_source)
    model = keras.models.Model(inner_source, inner, name="tower")
    source = layers.Input((STEPS, 3))
    x = model(layers.Masking(name="masking")(source))
    return keras.models.Model(source, [x, layers.GRU(2, name="behind")(x)])


@network
def time_major(keras: Any) -> Any:
    """Only tf.keras has it; the batch of the input is then time."""
    layers = keras.layers
    source = layers.Input((STEPS, 3))
    x = layers.Permute((1, 2), name="same")(source)
    rnn = layers.GRU(2, return_sequences=True, time_major=True, name="gru")
    both = layers.Bidirectional(layers.LSTM(2, return_sequences=True, time_major=True), name="both")
    return keras.models.Model(source, [rnn(x), both(x)])


@network
def gru_kinds(keras: Any) -> Any:
    """The reset gate before and after the product, with and without biases."""
    layers = keras.layers
    source = layers.Input((STEPS, 3))
    outputs = [
        layers.GRU(2, reset_after=after, use_bias=bias, name=f"gru_{after}_{bias}")(source)
        for after in (True, False)
        for bias in (True, False)
    ]
    return keras.models.Model(source, outputs)


@network
def activations(keras: Any) -> Any:
    """hard_sigmoid is another function in Keras 3."""
    layers = keras.layers
    source = layers.Input((STEPS, 3))
    names = ("hard_sigmoid", "relu", "elu", "selu", "softplus", "softsign", "softmax", "linear")
    outputs = [layers.Activation(name, name=f"a_{name}")(source) for name in names]
    for recurrent in ("hard_sigmoid", "sigmoid"):
        lstm = layers.LSTM(2, recurrent_activation=recurrent, activation="softsign")
        outputs += [lstm(source), layers.GRU(2, recurrent_activation=recurrent)(source)]
    return keras.models.Model(source, outputs)


@network
def convolutions(keras: Any) -> Any:
    layers = keras.layers
    source = layers.Input((STEPS + 3, 4))
    options: list[dict[str, Any]] = [
        {"padding": "valid", "strides": 2},
        {"padding": "same", "strides": 2},
        {"padding": "same", "dilation_rate": 2, "activation": "relu"},
        {"padding": "causal", "dilation_rate": 2, "use_bias": False},
    ]
    outputs = [layers.Conv1D(3, 4, **more)(source) for more in options]
    outputs.append(layers.SeparableConv1D(3, 3, depth_multiplier=2, padding="same")(source))
    return keras.models.Model(source, [layers.LSTM(2)(y) for y in outputs] + outputs)


@network
def pooling_and_shapes(keras: Any) -> Any:
    layers = keras.layers
    source = layers.Input((STEPS + 1, 4))
    kinds = (layers.MaxPooling1D, layers.AveragePooling1D)
    outputs = [
        kind(pool_size=3, padding=pad)(source) for kind in kinds for pad in ("valid", "same")
    ]
    outputs.append(layers.MaxPooling1D(2, strides=1, padding="same")(source))
    outputs.append(layers.GlobalMaxPooling1D()(source))
    outputs.append(layers.GlobalAveragePooling1D()(source))
    x = layers.ZeroPadding1D((1, 2))(source)
    x = layers.UpSampling1D(2)(layers.Cropping1D((2, 1))(x))
    x = layers.Permute((2, 1))(x)
    outputs.append(layers.Reshape((-1, 8))(x))
    outputs.append(layers.RepeatVector(3)(layers.Flatten()(x)))
    return keras.models.Model(source, outputs)


@network
def normalizations(keras: Any) -> Any:
    layers = keras.layers
    source = layers.Input((STEPS, 4))
    outputs = [
        layers.BatchNormalization()(source),
        layers.BatchNormalization(axis=1, epsilon=0.1)(source),
        layers.BatchNormalization(scale=False)(source),
        layers.BatchNormalization(center=False, scale=False)(source),
        layers.BatchNormalization(center=False)(source),
    ]
    return keras.models.Model(source, outputs)


@network
def layer_normalizations(keras: Any) -> Any:
    layers = keras.layers
    source = layers.Input((STEPS, 4))
    outputs = [
        layers.LayerNormalization()(source),
        layers.LayerNormalization(epsilon=0.1)(source),
        layers.LayerNormalization(scale=False)(source),
        layers.LayerNormalization(center=False)(source),
        layers.LayerNormalization(center=False, scale=False)(source),
    ]
    return keras.models.Model(source, outputs)


@network
def activation_layers(keras: Any) -> Any:
    layers = keras.layers
    source = layers.Input((STEPS, 4))
    outputs = [
        layers.LeakyReLU()(source),
        layers.ELU(alpha=0.7)(source),
        layers.PReLU()(source),
        layers.PReLU(shared_axes=[1])(source),
        layers.Softmax()(source),
        layers.Softmax(axis=1)(source),
        layers.ReLU(max_value=1.0, negative_slope=0.2, threshold=0.1)(source),
        layers.Dense(3, activation=layers.LeakyReLU())(source),
    ]
    return keras.models.Model(source, outputs)


@network
def training_only(keras: Any) -> Any:
    layers = keras.layers
    source = layers.Input((STEPS, 4))
    x = layers.Dropout(0.5)(source)
    x = layers.SpatialDropout1D(0.5)(x)
    x = layers.GaussianDropout(0.5)(x)
    x = layers.GaussianNoise(0.5)(x)
    x = layers.AlphaDropout(0.5)(x)
    x = layers.ActivityRegularization(l1=0.1)(x)
    rnn = layers.LSTM(3, dropout=0.3, recurrent_dropout=0.3)
    return keras.models.Model(source, rnn(x))


@network
def several_kinds_in_sequential(keras: Any) -> Any:
    """No input layer is written: the first layer carries the shape."""
    layers = keras.layers
    model = keras.models.Sequential()
    rnn = layers.LSTM(3, return_sequences=True)
    model.add(layers.Bidirectional(rnn, input_shape=(STEPS, 3)))
    model.add(layers.TimeDistributed(layers.Dense(2)))
    model.add(layers.SimpleRNN(2))
    return model


@network
def conv_lstm(keras: Any) -> Any:
    """Convolutional LSTMs as networks for video have them, the last one backwards."""
    layers = keras.layers
    source = layers.Input((STEPS, 6, 5, 2))
    x = layers.TimeDistributed(layers.Conv2D(3, 3, activation="relu"), name="each")(source)
    x = layers.ConvLSTM2D(
        3, (3, 2), padding="same", return_sequences=True, activation="relu", name="same"
    )(x)
    x = layers.BatchNormalization(name="norm")(x)
    y = layers.MaxPooling3D((1, 2, 2), padding="same", name="pooled")(x)
    y = layers.Conv3D(1, 3, padding="same", activation="sigmoid", name="predicted")(y)
    z = layers.ConvLSTM2D(
        2, 2, strides=(2, 1), use_bias=False, go_backwards=True, name="backwards"
    )(x)
    z = layers.Dense(3, name="dense")(layers.Flatten(name="flat")(z))
    return keras.models.Model(source, [y, z])


@network
def conv_lstm_states(keras: Any) -> Any:
    """The last state of one starts another, and two directions."""
    layers = keras.layers
    a, b = layers.Input((STEPS, 5, 4, 2)), layers.Input((STEPS, 5, 4, 1))
    encoder = layers.ConvLSTM2D(3, 3, padding="same", return_state=True, name="encoder")
    _, h, c = encoder(a)
    decoder = layers.ConvLSTM2D(3, 3, padding="same", return_sequences=True, name="decoder")
    x = decoder(b, initial_state=[h, c])
    wrapped = layers.ConvLSTM2D(2, 2, dilation_rate=2, return_sequences=True)
    y = layers.Bidirectional(wrapped, name="both")(x)
    return keras.models.Model([a, b], [x, layers.GlobalAveragePooling3D(name="mean")(y)])


@network
def conv_lstm_of_other_ranks(keras: Any) -> Any:
    """Along one axis of space, and along three."""
    layers = keras.layers
    a, b = layers.Input((STEPS, 7, 2)), layers.Input((STEPS, 3, 4, 3, 1))
    x = layers.ConvLSTM1D(3, 3, dilation_rate=2, return_sequences=True, name="line")(a)
    y = layers.ConvLSTM3D(2, 2, padding="same", strides=(1, 2, 1), name="volume")(b)
    return keras.models.Model([a, b], [x, layers.Flatten(name="flat")(y)])


@network
def images(keras: Any) -> Any:
    """What stands around convolutional LSTMs, on each timestep."""
    layers = keras.layers
    source = layers.Input((STEPS, 6, 5, 2))
    made = (
        layers.MaxPooling2D(2, padding="same"),
        layers.AveragePooling2D(3, strides=1, padding="same"),
        layers.UpSampling2D((1, 2)),
        layers.ZeroPadding2D(((1, 2), (0, 1))),
        layers.Cropping2D((1, 2)),
        layers.Conv2D(3, 2, dilation_rate=2, padding="same", use_bias=False),
        layers.GlobalMaxPooling2D(),
        layers.GlobalAveragePooling2D(),
    )
    outputs = [layers.TimeDistributed(own, name=f"each_{k}")(source) for k, own in enumerate(made)]
    volume = layers.Conv3D(3, (2, 3, 3), strides=(2, 1, 1), padding="same", name="volume")(source)
    for own in (layers.AveragePooling3D(2), layers.ZeroPadding3D(1), layers.Cropping3D(1)):
        outputs.append(own(volume))
    outputs.append(layers.UpSampling3D((2, 1, 1))(volume))
    outputs.append(layers.LSTM(2, name="lstm")(outputs[-6]))
    return keras.models.Model(source, outputs)


# ---------------------------------------------------------------- by other writers


def write_all(keras: Any, folder: Path, names: list[str]) -> Iterator[str]:
    """Save each network that this Keras can build, and what it predicts; a line on each."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [(name, build) for name, build in NETWORKS.items() if not names or name in names]
    for (name, build), suffix in product(wanted, (".h5", ".keras")):
        path = folder / f"{name}{suffix}"
        try:
            inputs, outputs = save(build, keras, path)
        except Exception as error:
            path.unlink(missing_ok=True)
            yield f"{path.name}: {type(error).__name__}: {str(error)[:100]}"
            continue
        arrays = {f"x{k}": x for k, x in enumerate(inputs)}
        arrays |= {f"y{k}": y for k, y in enumerate(outputs)}
        np.savez_compressed(path.with_suffix(".npz"), **arrays)
        yield f"{path.name}: {len(outputs)} outputs"


if __name__ == "__main__":
    import keras

    for line in write_all(keras, Path(sys.argv[1]), sys.argv[2:]):
        print(line)
