"""More small Keras networks: operations as nodes, attention, and the rarer layers.

``python -m tests.keras_operations FOLDER [NAME…]`` writes them as `tests.keras_networks` does.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from tests.keras_networks import STEPS, network, write_all


def _sequence(keras: Any, units: int = 4) -> tuple[Any, Any]:
    """An input, and what a masked LSTM makes of it."""
    layers = keras.layers
    source = layers.Input((STEPS, 3))
    lstm = layers.LSTM(units, return_sequences=True, name="lstm")
    return source, lstm(layers.Masking(name="masking")(source))


TENSORFLOW = (
    "tensorflow_arithmetic",
    "tensorflow_slices",
    "tensorflow_shapes",
    "tensorflow_attention",
    "graph_attention",
    "graph_arithmetic",
    "graph_reductions",
    "graph_shapes",
)

# ---------------------------------------------------------------- operators


@network
def operators(keras: Any) -> Any:
    """Python's own: arithmetic with constants on either side, slices, comparisons."""
    source, h = _sequence(keras)
    outputs = [h + h, h * 2.0, 1 - h, 2.0 / (h + 2.0), h / 2, h**2, -h, abs(h), h % 0.3]
    outputs += [h + np.arange(4, dtype=np.float32), h @ h[:, :4]]
    gate = keras.layers.Dense(4, activation="sigmoid", name="gate")(h)
    skipped = gate * h + (1 - gate) * h[:, -1:]
    behind = keras.layers.GRU(2, name="behind")(skipped)
    return keras.models.Model(source, [*outputs, skipped, behind])


@network
def slices(keras: Any) -> Any:
    """The last step, all but some, every second, and a new axis."""
    source, h = _sequence(keras)
    outputs = [h[:, -1], h[:, 1:-1, :2], h[:, ::2], h[:, None, 0], h[..., 0], h[..., None, :2]]
    behind = keras.layers.LSTM(2, name="behind")(h[:, :3])
    return keras.models.Model(source, [*outputs, behind])


# ---------------------------------------------------------------- operations of Keras 3


@network
def keras3_arithmetic(keras: Any) -> Any:
    """Elementwise operations and activations."""
    ops, (source, h) = keras.ops, _sequence(keras)
    positive = ops.abs(h) + 0.1
    outputs = [getattr(ops, name)(h) for name in ONE]
    outputs += [getattr(ops, name)(positive) for name in ("log", "log1p", "sqrt", "rsqrt")]
    outputs += [ops.reciprocal(positive), ops.isnan(h), ops.logical_not(h > 0)]
    outputs += [getattr(ops, name)(h, positive) for name in TWO]
    outputs += [ops.mod(h, 0.3), ops.power(positive, 1.5)]
    outputs += [h >= 0.1, h < 0.1, ops.equal(h, h), ops.logical_or(h > 0.1, h < -0.1)]
    outputs += [ops.where(h > 0, h, 0.5), ops.clip(h, -0.1, 0.1), ops.cast(h * 9, "int32")]
    outputs += [ops.leaky_relu(h, 0.1), ops.gelu(h), ops.gelu(h, False), ops.elu(h, 0.5)]
    outputs.append(keras.activations.relu(h, 0.1, 0.2, 0.05))
    return keras.models.Model(source, outputs)


ONE = (
    *("exp", "expm1", "floor", "ceil", "round", "sign", "sin", "cos", "square", "negative", "erf"),
    *("relu", "relu6", "sigmoid", "tanh", "softplus", "softsign", "silu", "selu", "celu"),
    *("hard_sigmoid", "hard_silu", "log_sigmoid", "softmax", "log_softmax", "stop_gradient"),
)
TWO = ("add", "subtract", "multiply", "divide", "maximum", "minimum", "not_equal")


@network
def keras3_reductions(keras: Any) -> Any:
    """Along time, along the features, along both."""
    ops, (source, h) = keras.ops, _sequence(keras)
    names = ("mean", "sum", "max", "min", "std", "var", "prod", "logsumexp", "amax")
    outputs = [getattr(ops, name)(h, axis=1) for name in names]
    outputs += [getattr(ops, name)(h, axis=(1, 2), keepdims=True) for name in ("mean", "sum")]
    outputs += [ops.any(h > 0.1, axis=1), ops.all(h > -0.1, axis=-1), ops.argmax(h, axis=-1)]
    outputs += [ops.cumsum(h, axis=1), ops.sort(h, axis=1), ops.norm(h, axis=-1)]
    outputs += [ops.normalize(h, axis=-1), *ops.moments(h, axes=[1]), *ops.top_k(h, 2)]
    outputs += [ops.mean(ops.cast(h > 0, "int32"), axis=1), ops.softmax(h, axis=1)]
    return keras.models.Model(source, outputs)


@network
def keras3_shapes(keras: Any) -> Any:
    """Operations that move values about, or make new ones of a shape."""
    ops, (source, h) = keras.ops, _sequence(keras)
    outputs = [
        ops.reshape(h, (-1, 2 * STEPS, 2)),
        ops.expand_dims(h, (1, -1)),
        ops.squeeze(h[:, :1], axis=1),
        ops.transpose(h, (0, 2, 1)),
        ops.swapaxes(h, 1, 2),
        ops.moveaxis(h, 1, -1),
        ops.concatenate([h, h[:, :2]], axis=1),
        ops.stack([h, h * 2], axis=2),
        *ops.split(h, 2, axis=-1),
        *ops.split(h, [1, 3], axis=1),
        *ops.unstack(h[:, :2], axis=1),
        ops.tile(h, [1, 2, 1]),
        ops.repeat(h, 2, axis=1),
        ops.flip(h, axis=1),
        ops.roll(h, 1, axis=1),
        ops.pad(h, [[0, 0], [1, 0], [0, 2]], constant_values=0.5),
        ops.broadcast_to(h[0, -1], (STEPS, 4)),
        ops.take(h, [0, -1], axis=1),
        ops.take_along_axis(h, ops.argmax(h, axis=1, keepdims=True), axis=1),
        ops.one_hot(ops.argmax(h, axis=-1), 4),
        ops.zeros_like(h),
        ops.full_like(h, 0.5),
    ]
    return keras.models.Model(source, outputs)


@network
def keras3_attention(keras: Any) -> Any:
    """Attention over time steps written with operations, masks and all."""
    layers, ops, (source, h) = keras.layers, keras.ops, _sequence(keras)
    mask = ops.any(ops.not_equal(source, 0.0), axis=-1)
    scores = ops.squeeze(layers.Dense(1, activation="tanh", name="score")(h), axis=-1)
    scores = ops.where(mask, scores, -1e9)
    weights = ops.softmax(scores, axis=-1)
    context = ops.sum(h * ops.expand_dims(weights, -1), axis=1)
    outer = ops.einsum("btf,btg->bfg", h, h)
    dots = [ops.matmul(h, ops.transpose(h, (0, 2, 1))), ops.tensordot(h, np.ones((4, 2)), 1)]
    same = ops.cast(h, "float32")
    behind = layers.GRU(2, name="behind")(same)
    return keras.models.Model(source, [context, weights, outer, *dots, behind])


# ---------------------------------------------------------------- operations of TensorFlow


@network
def tensorflow_arithmetic(keras: Any) -> Any:
    import tensorflow as tf

    source, h = _sequence(keras)
    nn, math, positive = tf.nn, tf.math, tf.abs(h) + 0.1
    outputs = [f(h) for f in (tf.exp, tf.sign, tf.tanh, tf.sigmoid, nn.relu, nn.gelu, nn.silu)]
    outputs += [nn.leaky_relu(h), nn.softmax(h, axis=1), nn.elu(h), math.softplus(h)]
    outputs += [tf.sqrt(positive), tf.pow(positive, 1.5), tf.maximum(h, 0.1), h // 0.3]
    outputs += [tf.where(h > 0, h, tf.zeros_like(h)), tf.clip_by_value(h, -0.1, 0.1)]
    outputs += [math.squared_difference(h, positive), math.add_n([h, positive]), tf.divide(h, 2)]
    outputs += [tf.cast(h * 9, tf.int32), tf.one_hot(tf.argmax(h, -1), 4), tf.identity(h)]
    return keras.models.Model(source, outputs)


@network
def tensorflow_slices(keras: Any) -> Any:
    """Backwards, which PyTorch does not know."""
    source, h = _sequence(keras)
    outputs = [h[:, ::-1], h[:, 4:1:-1, 1], h[..., None, ::-2], h[:, None, 3, ::-1]]
    return keras.models.Model(source, [*outputs, keras.layers.GRU(2, name="behind")(outputs[0])])


@network
def tensorflow_shapes(keras: Any) -> Any:
    import tensorflow as tf

    source, h = _sequence(keras)
    outputs = [
        tf.reshape(h, [-1, tf.shape(h)[1], 2, 2]),
        tf.expand_dims(h, 1),
        tf.squeeze(h[:, :1], axis=1),
        tf.transpose(h, [0, 2, 1]),
        tf.concat([h, h], axis=-1),
        tf.stack([h, h], axis=1),
        *tf.split(h, [1, -1], axis=-1),
        tf.unstack(h, axis=1)[2],
        tf.tile(h, [1, 2, 1]),
        tf.repeat(h, 2, axis=1),
        tf.reverse(h, [1]),
        tf.pad(h, [[0, 0], [1, 0], [0, 0]]),
        tf.gather(h, [0, 2], axis=1),
        tf.gather(h, tf.argmax(h, 1)[:, 0], batch_dims=1),
        h[:, : tf.shape(h)[1] - 1],
        tf.ones((tf.shape(h)[0], 4)),
    ]
    return keras.models.Model(source, outputs)


@network
def tensorflow_attention(keras: Any) -> Any:
    """As people write it, with functions of TensorFlow and of Keras's backend."""
    import tensorflow as tf

    layers, backend, (source, h) = keras.layers, keras.backend, _sequence(keras)
    scores = tf.squeeze(layers.Dense(1, activation="tanh", name="score")(h), -1)
    weights = tf.nn.softmax(scores)
    context = tf.reduce_sum(h * tf.expand_dims(weights, -1), axis=1)
    dots = tf.matmul(h, h, transpose_b=True)
    outputs = [context, dots, backend.mean(h, axis=1), backend.max(h, axis=-1, keepdims=True)]
    outputs += [tf.reduce_mean(h, [1, 2]), tf.math.reduce_std(h, 1), tf.cumsum(h, 1)]
    outputs += [tf.math.l2_normalize(h, -1), tf.norm(h, axis=-1), tf.math.reduce_logsumexp(h, 1)]
    kept = layers.GRU(2, name="kept")(tf.cast(h, tf.float32))
    ended = layers.GRU(2, name="ended")(tf.identity(h))
    return keras.models.Model(source, [*outputs, kept, ended])


# ---------------------------------------------------------------- nodes of a TensorFlow graph

# Before TensorFlow 2.4 functions became the nodes they are made of. A name with a slash before
# the one it starts with cannot be saved in HDF5: hence no functions that make such nodes.


@network
def graph_attention(keras: Any) -> Any:
    """Weights over time steps, names with a scope, and a GRU behind, which finds no mask."""
    import tensorflow as tf

    source, h = _sequence(keras)
    scores = keras.layers.Dense(1, activation="tanh", name="score")(h)
    weights = tf.nn.softmax(tf.squeeze(scores, [-1]))
    context = tf.reduce_sum(h * tf.expand_dims(weights, -1), axis=1)
    with tf.name_scope("mixing"):
        mixed = tf.matmul(tf.nn.softmax(tf.matmul(h, h, transpose_b=True)), h)
    return keras.models.Model(source, [context, keras.layers.GRU(2, name="behind")(mixed)])


@network
def graph_arithmetic(keras: Any) -> Any:
    """Constants on either side, a comparison, and a layer called on what they make."""
    import tensorflow as tf

    source, h = _sequence(keras)
    left = 1 - h * np.float32([1, 2, 3, 4])
    right = tf.where(h > 0.1, h, tf.maximum(-h, 0.05) / 2)
    joined = tf.sigmoid(left) - tf.pow(right, 1.5)
    last = tf.nn.relu(joined[:, -1]) + tf.add_n([h[:, 0], h[:, 1]])
    return keras.models.Model(source, [keras.layers.GRU(2, name="behind")(joined), last])


@network
def graph_reductions(keras: Any) -> Any:
    """Along time, along both, with the axes kept, and of numbers of another type."""
    import tensorflow as tf

    source, h = _sequence(keras)
    centred = h - tf.reduce_mean(h, axis=1, keepdims=True)
    outputs = [keras.backend.mean(h, axis=1), tf.reduce_max(h, [1, 2]), tf.reduce_min(h, -1)]
    outputs += [tf.reduce_sum(tf.cast(h > 0, tf.float32), 1), tf.reduce_prod(h, [1])]
    outputs += [tf.argmax(h, axis=-1), keras.layers.GRU(2, name="behind")(centred)]
    return keras.models.Model(source, outputs)


@network
def graph_shapes(keras: Any) -> Any:
    """Sizes that are tensors, parts of a split, and slices that run backwards."""
    import tensorflow as tf

    source, h = _sequence(keras)
    sizes = tf.stack([-1, tf.shape(h)[1], 2, 2], name="sizes")
    first, second = tf.split(h, 2, axis=-1)
    _, tail = tf.split(h, [1, -1], axis=1)
    outputs = [tf.reshape(h, sizes), tf.stack([first, second], 2), tf.tile(tail, [1, 2, 1])]
    outputs += [tf.transpose(h, [0, 2, 1]), h[:, ::-1, None, 1:], tf.unstack(h, axis=1)[2]]
    behind = keras.layers.GRU(2, name="behind")(tf.concat([second, first], axis=-1)[:, 1:4])
    return keras.models.Model(source, [*outputs, behind])


# ---------------------------------------------------------------- attention


def _two_sequences(keras: Any, length: int = STEPS, size: int = 4) -> tuple[list[Any], Any, Any]:
    layers = keras.layers
    sources = [layers.Input((STEPS, 3)), layers.Input((length, 3))]
    a, b = (layers.Masking(name=f"mask_{k}")(x) for k, x in enumerate(sources))
    query = layers.LSTM(4, return_sequences=True, name="query")(a)
    return sources, query, layers.GRU(size, return_sequences=True, name="value")(b)


@network
def attention_layers(keras: Any) -> Any:
    layers, (sources, query, value) = keras.layers, _two_sequences(keras)
    outputs = [
        layers.Attention(name="dot")([query, value]),
        layers.Attention(use_scale=True, score_mode="concat", name="sum")([query, value, query]),
        layers.AdditiveAttention(name="additive")([query, value]),
        layers.AdditiveAttention(use_scale=False, name="bare")([query, value]),
        *layers.Attention(name="causal")(
            [query, query], return_attention_scores=True, use_causal_mask=True
        ),
    ]
    outputs.append(layers.SimpleRNN(2, name="behind")(outputs[0]))
    return keras.models.Model(sources, outputs)


@network
def heads_and_a_sum(keras: Any) -> Any:
    """What reads the query after multi-head attention finds it without a mask in Keras 3."""
    layers, (sources, query, value) = keras.layers, _two_sequences(keras, STEPS - 1, 3)
    y = layers.MultiHeadAttention(2, 3, name="heads")(query, value)
    joined = layers.Add(name="sum")([y, query])
    return keras.models.Model(sources, [y, joined, layers.GRU(2, name="behind")(joined)])


@network
def heads_with_scores(keras: Any) -> Any:
    source, h = _sequence(keras)
    heads = keras.layers.MultiHeadAttention(2, 3, value_dim=2, use_bias=False, name="heads")
    y, scores = heads(h, h, return_attention_scores=True)
    # The scores themselves carry a mask that nothing heeds.
    return keras.models.Model(source, [y, scores * 1.0, keras.layers.GRU(2, name="behind")(y)])


@network
def causal_heads(keras: Any) -> Any:
    layers = keras.layers
    source = layers.Input((STEPS, 3))
    h = layers.LSTM(4, return_sequences=True, name="lstm")(source)
    y = layers.MultiHeadAttention(2, 3, dropout=0.1, name="heads")(h, h, use_causal_mask=True)
    return keras.models.Model(source, [y, layers.GRU(2, name="behind")(y)])


@network
def heads_masked_by_hand(keras: Any) -> Any:
    layers, (source, h) = keras.layers, _sequence(keras)
    mask = layers.Input((STEPS, STEPS), dtype="bool")
    y = layers.MultiHeadAttention(2, 3, name="heads")(h, h, key=h, attention_mask=mask)
    return keras.models.Model([source, mask], [y, layers.GRU(2, name="behind")(y)])


# ---------------------------------------------------------------- rarer layers


@network
def sample_normalizations(keras: Any) -> Any:
    layers = keras.layers
    source = layers.Input((STEPS, 4))
    x = layers.Masking(name="masking")(source)
    outputs = [
        layers.UnitNormalization(name="unit")(x),
        layers.UnitNormalization(axis=[1, 2], name="unit_both")(x),
        layers.GroupNormalization(2, name="groups")(x),
        layers.GroupNormalization(-1, epsilon=0.1, scale=False, name="each")(x),
        layers.GroupNormalization(1, center=False, name="one")(x),
    ]
    return keras.models.Model(source, outputs)


@network
def rms_normalization(keras: Any) -> Any:
    source, h = _sequence(keras)
    layer = keras.layers.RMSNormalization(epsilon=0.1, name="rms")
    return keras.models.Model(source, [layer(h), keras.layers.GRU(2, name="behind")(layer(h))])


@network
def preprocessing(keras: Any) -> Any:
    layers = keras.layers
    source, tokens = layers.Input((STEPS, 4)), layers.Input((STEPS,), dtype="int32")
    x = layers.Masking(name="masking")(source)
    learnt = layers.Normalization(name="learnt")
    learnt.build((None, STEPS, 4))
    told = layers.Normalization(mean=[1.0, 2, 3, 4], variance=[4.0, 1, 0, 2], name="told")
    outputs = [
        layers.Rescaling(0.5, 1.0, name="rescaling")(x),
        learnt(x),
        told(x),
        layers.Normalization(axis=None, mean=1.0, variance=4.0, name="one")(x),
        *(
            layers.CategoryEncoding(9, output_mode=m, name=m)(tokens)
            for m in ("multi_hot", "count")
        ),
    ]
    return keras.models.Model([source, tokens], outputs)


@network
def depthwise_and_transposed(keras: Any) -> Any:
    layers = keras.layers
    source = layers.Input((STEPS + 1, 4))
    outputs = [
        layers.DepthwiseConv1D(3, depth_multiplier=2, padding="same", activation="relu")(source),
        layers.DepthwiseConv1D(2, strides=2, use_bias=False)(source),
        layers.Conv1DTranspose(3, 3, dilation_rate=2, padding="same")(source),
    ]
    for padding in ("valid", "same"):
        for size, stride in ((3, 1), (3, 2), (2, 3), (4, 2), (5, 3)):
            layer = layers.Conv1DTranspose(3, size, strides=stride, padding=padding)
            outputs.append(layer(source))
    return keras.models.Model(source, outputs)


@network
def einsum_dense(keras: Any) -> Any:
    layers = keras.layers
    source = layers.Input((STEPS, 4))
    biased = layers.EinsumDense(
        "abc,cd->abd", output_shape=(None, 5), bias_axes="d", activation="tanh", name="biased"
    )
    bare = layers.EinsumDense("...c,cd->...d", output_shape=(STEPS, 5), name="bare")
    return keras.models.Model(source, [biased(source), bare(source)])


@network
def distributed_layers(keras: Any) -> Any:
    """Over an unknown number of timesteps."""
    layers = keras.layers
    source = layers.Input((None, STEPS, 4))
    each = [
        layers.GroupNormalization(2),
        layers.DepthwiseConv1D(3),
        layers.EinsumDense("abc,cd->abd", output_shape=(None, 5)),
        layers.Rescaling(2.0),
        layers.Conv1D(2, 3),
        layers.GlobalMaxPooling1D(),
    ]
    outputs = [
        layers.TimeDistributed(layer, name=f"td_{k}")(source) for k, layer in enumerate(each)
    ]
    behind = layers.LSTM(2, name="behind")(outputs[-1])
    return keras.models.Model(source, [*outputs, behind])


@network
def operations_in_nested(keras: Any) -> Any:
    """A nested model of operations, called twice, and the states of an LSTM among them."""
    layers = keras.layers
    inner_source = layers.Input((STEPS, 3))
    made = layers.LSTM(3, return_sequences=True, return_state=True, name="inside")(inner_source)
    inner = made[0] * 0.5 + layers.RepeatVector(STEPS, name="again")(made[1] - made[2])
    tower = keras.models.Model(inner_source, inner, name="tower")
    source = layers.Input((STEPS, 3))
    first = tower(source)
    return keras.models.Model(source, layers.GRU(2, name="behind")(tower(first) + first))


if __name__ == "__main__":
    import keras

    for line in write_all(keras, Path(sys.argv[1]), sys.argv[2:]):
        print(line)
