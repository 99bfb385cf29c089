"""How a Keras network was trained, from its layer and compile configurations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rnndiag.checkpoints._keras.configs import layers_of
from rnndiag.records import TrainingFact

_LAYER_KEYS = (
    "kernel_regularizer",
    "recurrent_regularizer",
    "bias_regularizer",
    "activity_regularizer",
    "embeddings_regularizer",
    "kernel_constraint",
    "recurrent_constraint",
    "bias_constraint",
    "dropout",
    "recurrent_dropout",
    "stateful",
    "unit_forget_bias",
)
_RATE_LAYERS = (
    "Dropout",
    "SpatialDropout1D",
    "AlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
)
_SPECIAL = ("reduction", "label_smoothing", "ignore_class", "axis")
"""Of a loss: what makes its value another than its name says."""
_USUAL = (None, 0, -1, "auto", "mean", "mean_with_sample_weight", "sum_over_batch_size")
_OPTIMIZER_KEYS = {
    "lr": "learning_rate",
    "learning_rate": "learning_rate",
    "decay": "learning_rate_decay",
    "weight_decay": "weight_decay",
    "clipnorm": "clipnorm",
    "clipvalue": "clipvalue",
    "global_clipnorm": "global_clipnorm",
    "momentum": "momentum",
    "use_ema": "use_ema",
}
_AVERAGE_KEYS = ("ema_momentum", "ema_overwrite_frequency")
"""Of averages of the weights, where any are kept; the optimizer's state has them, no layer."""


def training_facts(
    config: Mapping[str, Any], training: Mapping[str, Any], source: str = "training_config"
) -> tuple[TrainingFact, ...]:
    """Facts of the layers in model order, then of loss and optimizer; these are of `source`."""
    return (*_layer_facts(config), *_compile_facts(training, source))


def _layer_facts(config: Mapping[str, Any]) -> Iterator[TrainingFact]:
    for layer in layers_of(config):
        yield from _layer_facts(layer)
        own = layer.get("config")
        if not isinstance(own, Mapping):
            continue
        if isinstance(own.get("layer"), Mapping):
            yield from _layer_facts(own["layer"])
        name = str(own.get("name") or layer.get("name"))
        for part in (own, *_wrapped(own)):
            for key in _LAYER_KEYS:
                if part.get(key):
                    value = _plain(part[key])
                    yield TrainingFact(name=key, value=value, layer=name, source="config")
        kind = layer.get("class_name")
        if kind in _RATE_LAYERS:
            rate = own.get("rate", own.get("stddev"))
            yield TrainingFact(name=str(kind), value=rate, layer=name, source="config")


def _wrapped(own: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The configurations of a wrapper's layer or cells; a backward one is its mirror image."""
    for inner in (own.get("layer"), own.get("cell"), *(own.get("cells") or ())):
        config = inner.get("config") if isinstance(inner, Mapping) else None
        if isinstance(config, Mapping):
            yield config
            yield from _wrapped(config)


def _plain(value: Any) -> Any:
    """A regularizer or constraint as {class_name, its numbers}; other values as they are."""
    if isinstance(value, Mapping) and "class_name" in value:
        numbers = value.get("config")
        if isinstance(numbers, Mapping):
            return {"class_name": value["class_name"], **numbers}
        # A function of the user's own is stored by its name.
        return numbers or value["class_name"]
    return value


def _compile_facts(training: Mapping[str, Any], source: str) -> Iterator[TrainingFact]:
    if training.get("loss") is not None:
        yield TrainingFact(name="loss", value=_loss_name(training["loss"]), source=source)
    if training.get("loss_weights") is not None:
        yield TrainingFact(name="loss_weights", value=training["loss_weights"], source=source)
    kind, config = optimizer_of(training)
    if kind is not None:
        yield TrainingFact(name="optimizer", value=kind, source=source)
    for key, fact in _OPTIMIZER_KEYS.items():
        if config.get(key) is not None:
            yield TrainingFact(name=fact, value=_plain(config[key]), source=source)
    for key in _AVERAGE_KEYS if config.get("use_ema") else ():
        if config.get(key) is not None:
            yield TrainingFact(name=key, value=config[key], source=source)
    if config.get("weight_decay"):
        # Keras takes it off the weights beside the step, whichever optimizer it is.
        yield TrainingFact(name="decoupled_weight_decay", value=True, source=source)


def optimizer_of(training: Mapping[str, Any]) -> tuple[str | None, Mapping[str, Any]]:
    """The class and configuration of the optimizer, without what wraps it."""
    optimizer = training.get("optimizer_config") or training.get("optimizer")
    # By its name alone where it was chosen so, with Keras's defaults.
    kind, config = optimizer if isinstance(optimizer, str) else None, None
    while isinstance(optimizer, Mapping):
        # LossScaleOptimizer wraps the one that matters.
        kind, config = optimizer.get("class_name"), optimizer.get("config")
        inner = config if isinstance(config, Mapping) else {}
        optimizer = inner.get("inner_optimizer") or inner.get("optimizer")
    name = str(kind).rsplit(">", 1)[-1] if kind else None
    return name, config if isinstance(config, Mapping) else {}


def _loss_name(loss: Any) -> Any:
    """Losses by name where they are stored as objects; several in their list or dictionary."""
    if isinstance(loss, list):
        return [_loss_name(item) for item in loss]
    if not isinstance(loss, Mapping):
        return loss
    if "class_name" not in loss:
        return {key: _loss_name(item) for key, item in loss.items()}
    config = loss.get("config") or {}
    if not isinstance(config, Mapping):
        return config
    kind = str(loss["class_name"])
    name = config.get("name") or kind if kind == "LossFunctionWrapper" else kind
    name = f"{name}_from_logits" if config.get("from_logits") else name
    special = {key: config[key] for key in _SPECIAL if config.get(key) not in _USUAL}
    told = ", ".join(f"{key}={value}" for key, value in special.items())
    return f"{name}({told})" if told else name
