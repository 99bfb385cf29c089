"""How each recurrent layer was trained, as far as its file tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from rnndiag.evidence.settings._facts import Facts, named
from rnndiag.evidence.settings._values import activity, constraint, l2_penalty, number
from rnndiag.records import LayerReport, LayerSettings, Setting, Settings, TrainingFact

T = TypeVar("T")
_SOURCE = "config"
MATRICES = ("kernel", "recurrent", "bias")
_INPUT_DROPOUTS = ("input_dropout", "dropout_input", "dropout_in", "in_dropout", "dropouti")
_RECURRENT_DROPOUTS = (
    *("recurrent_dropout", "dropout_recurrent", "rec_dropout", "rnn_recurrent_dropout"),
    *("hidden_to_hidden_dropout", "weight_drop", "weight_dropout", "wdrop"),
)
"""Of hyper-parameters. Plain ``dropout`` is none of these: ``nn.LSTM`` drops between the layers
of a stack, and many models drop before their output."""


# ---------------------------------------------------------------- Keras


def of_keras(layer: LayerReport, network: Settings) -> LayerSettings:
    """From the layer's configuration: what is null there is known to be absent."""
    config = _whole(layer.arguments)
    penalties = {part: _read(config, f"{part}_regularizer", l2_penalty) for part in MATRICES}
    decays = {part: _keras_decay(own, network) for part, own in penalties.items()}
    return LayerSettings(
        kernel_decay=decays["kernel"],
        recurrent_decay=decays["recurrent"],
        bias_decay=decays["bias"],
        penalty=_keras_penalty(penalties),
        dropout=_read(config, "dropout", number),
        recurrent_dropout=_read(config, "recurrent_dropout", number),
        kernel_constraint=_read(config, "kernel_constraint", constraint),
        recurrent_constraint=_read(config, "recurrent_constraint", constraint),
        bias_constraint=_read(config, "bias_constraint", constraint),
        activity=_read(config, "activity_regularizer", activity),
        use_bias=_read(config, "use_bias", _truth),
        stateful=_read(config, "stateful", _truth),
    )


def _whole(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with those of the cell or layer that it wraps, which knows the weights."""
    found = dict(arguments)
    for key in ("layer", "cell"):
        inner = arguments.get(key)
        config = inner.get("config") if isinstance(inner, Mapping) else None
        if isinstance(config, Mapping):
            found |= _whole(config)
    return found


def _read(
    config: Mapping[str, Any], key: str, convert: Callable[[Any], T | None]
) -> Setting[T] | None:
    """One setting of a configuration; None where it is not in it, or makes no sense."""
    value = convert(config[key]) if key in config else None
    return None if value is None else Setting(value=value, source=_SOURCE)


def _keras_decay(penalty: Setting[float] | None, network: Settings) -> Setting[float] | None:
    """The L2 penalty; where there is none, what the optimizer does to every weight."""
    return network.weight_decay if penalty is not None and not penalty.value else penalty


def _keras_penalty(penalties: Mapping[str, Setting[float] | None]) -> Setting[bool] | None:
    if any(own is not None and own.value for own in penalties.values()):
        return Setting(value=True, source=_SOURCE)
    known = all(own is not None for own in penalties.values())
    return Setting(value=False, source=_SOURCE) if known else None


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


# ---------------------------------------------------------------- PyTorch


def of_torch(layer: LayerReport, network: Settings, facts: Facts) -> LayerSettings:
    """From the optimizer's parameter groups, and hyper-parameters with plain names."""
    decays = {part: _torch_decay(part, layer, network, facts) for part in MATRICES}
    outside = named(facts.chosen, _INPUT_DROPOUTS, number)
    return LayerSettings(
        kernel_decay=decays["kernel"],
        recurrent_decay=decays["recurrent"],
        bias_decay=decays["bias"],
        penalty=_torch_penalty(decays, network),
        dropout=outside if layer.index == 0 else _between_layers(layer),
        recurrent_dropout=named(facts.chosen, _RECURRENT_DROPOUTS, number),
        use_bias=_torch_bias(layer),
    )


def _between_layers(layer: LayerReport) -> Setting[float] | None:
    """What a pickled ``nn.LSTM`` drops of the output of the layer below."""
    told = number(layer.arguments.get("dropout"))
    return None if told is None else Setting(value=told, source="module")


def _torch_decay(
    part: str, layer: LayerReport, network: Settings, facts: Facts
) -> Setting[float] | None:
    """λ of one matrix; what the user says of the whole network leaves exceptions as they are."""
    told = network.weight_decay
    groups = [fact for fact in facts.optimizer if fact.name == "weight_decay"]
    stored = _of_parameters(layer.parameters.get(part, ()), facts) or _agreed(groups)
    if told is None or any(told.source == fact.source for fact in groups):
        return stored
    if stored is not None and not stored.value and any(number(fact.value) for fact in groups):
        # Its group was kept out of a decay that others have.
        return stored
    if part == "bias" and told.value and any(told.source == fact.source for fact in facts.chosen):
        # Many trainings that have a weight decay keep biases out of it.
        return None
    return told


def _of_parameters(names: Any, facts: Facts) -> Setting[float] | None:
    """The decay that all the arrays of a matrix have; None where one has another."""
    found = {fact.parameter: fact for fact in facts.parameters if fact.name == "weight_decay"}
    own = [found.get(name) for name in names]
    return _agreed(own) if own and None not in own else None


def _agreed(facts: Sequence[TrainingFact | None]) -> Setting[float] | None:
    """The value that all have, so that it does not matter which is whose."""
    values = {number(fact.value) for fact in facts if fact is not None}
    first = facts[0] if facts else None
    if first is None or len(values) != 1:
        return None
    (value,) = values
    return None if value is None else Setting(value=value, source=first.source)


def _torch_penalty(
    decays: Mapping[str, Setting[float] | None], network: Settings
) -> Setting[bool] | None:
    """PyTorch's coupled decay is the gradient of an L2 penalty."""
    known = [own for own in decays.values() if own is not None]
    decayed = [own for own in known if own.value]
    if decayed:
        way = network.decoupled
        return None if way is None else Setting(value=not way.value, source=way.source)
    return Setting(value=False, source=known[0].source) if len(known) == len(decays) else None


def _torch_bias(layer: LayerReport) -> Setting[bool] | None:
    told = layer.arguments.get("bias")
    if isinstance(told, bool):
        return Setting(value=told, source="tensors")
    if not layer.parameters:
        return None
    return Setting(value=bool(layer.parameters.get("bias")), source="tensors")
