"""How a Keras network was trained, from its layer and compile configurations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

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


def training_facts(
    config: Mapping[str, Any], training: Mapping[str, Any]
) -> tuple[TrainingFact, ...]:
    """Facts of the layers in model order, then of loss and optimizer."""
    return (*_layer_facts(config), *_compile_facts(training))


def _layer_facts(config: Mapping[str, Any]) -> Iterator[TrainingFact]:
    for layer in _layers(config):
        kind = layer.get("class_name")
        own = layer.get("config")
        if not isinstance(own, Mapping):
            continue
        yield from _layer_facts(layer)
        name = str(own.get("name") or layer.get("name"))
        wrapped = own.get("layer") or own.get("cell") or {}
        inner = wrapped.get("config", {}) if isinstance(wrapped, Mapping) else {}
        for key in _LAYER_KEYS:
            value = own.get(key, inner.get(key) if isinstance(inner, Mapping) else None)
            if value:
                yield TrainingFact(name=key, value=_plain(value), layer=name, source="config")
        if kind in _RATE_LAYERS:
            rate = own.get("rate", own.get("stddev"))
            yield TrainingFact(name=str(kind), value=rate, layer=name, source="config")


def _layers(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    inner = config.get("config")
    layers = inner.get("layers", []) if isinstance(inner, Mapping) else inner
    return (
        [layer for layer in layers if isinstance(layer, Mapping)]
        if isinstance(layers, list)
        else []
    )


def _plain(value: Any) -> Any:
    """A regularizer or constraint as {class_name, its numbers}; other values as they are."""
    if isinstance(value, Mapping) and "class_name" in value:
        numbers = value.get("config")
        return {"class_name": value["class_name"], **(numbers if numbers else {})}
    return value


def _compile_facts(training: Mapping[str, Any]) -> Iterator[TrainingFact]:
    source = "training_config"
    if training.get("loss") is not None:
        yield TrainingFact(name="loss", value=_loss_name(training["loss"]), source=source)
    optimizer = training.get("optimizer_config") or training.get("optimizer") or {}
    if not isinstance(optimizer, Mapping):
        return
    config = optimizer.get("config")
    if not isinstance(config, Mapping):
        return
    inner = config.get("inner_optimizer") or config.get("optimizer")
    if isinstance(inner, Mapping):
        # LossScaleOptimizer wraps the one that matters.
        optimizer, config = inner, inner.get("config") or {}
    if optimizer.get("class_name"):
        name = str(optimizer["class_name"]).rsplit(">", 1)[-1]
        yield TrainingFact(name="optimizer", value=name, source=source)
    for key, fact in _OPTIMIZER_KEYS.items():
        if config.get(key) is not None:
            yield TrainingFact(name=fact, value=_plain(config[key]), source=source)


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
    name = config.get("name") or loss["class_name"]
    return f"{name}_from_logits" if config.get("from_logits") else name
