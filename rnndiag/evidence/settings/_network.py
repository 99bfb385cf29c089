"""How the whole network was trained, as far as its file tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from rnndiag.evidence.settings._facts import Facts, named
from rnndiag.evidence.settings._values import (
    number,
    optimizer_name,
    optimizer_names,
    scheduled_rate,
    whole,
)
from rnndiag.records import Setting, Settings, TrainingFact

_RATES = ("learning_rate", "lr", "max_lr", "peak_lr", "base_lr", "initial_lr", "init_lr")
_DECAYS = ("weight_decay", "wd")
_OPTIMIZERS = ("optimizer", "optimizer_name", "optimizer_type", "optim", "opt")
_KERAS_CLIPPING = ("clipnorm", "global_clipnorm", "clipvalue")
_CLIPPING = (
    *("gradient_clip_val", "clip_grad_norm", "max_grad_norm", "grad_clip_norm", "grad_norm_clip"),
    *("gradient_clip_norm", "grad_clip", "gradient_clip", "gradient_clipping", "clip_grad"),
    *("grad_clipping", "clip_norm", "clipnorm", "clip_value", "clipvalue", "clip"),
)
_COUNTED_STEPS = ("optimizer_step", "global_step", "step", "iteration", "iterations", "iter")
_PLANNED_STEPS = ("max_steps", "total_steps", "train_steps")
_COUNTED_EPOCHS = ("epoch", "current_epoch")
_PLANNED_EPOCHS = ("epochs", "max_epochs", "max_epoch", "num_epochs", "n_epochs", "nb_epochs")
_BATCHES = ("batch_size", "train_batch_size", "batchsize")
_SAMPLES = ("num_train_samples", "train_samples", "n_train")
_COUPLED = ("Adam", "Adamax", "Adagrad", "Adadelta", "ASGD", "Nadam", "RAdam", "RMSprop", "SGD")
"""PyTorch's optimizers whose weight decay is added to the gradient, unless told otherwise."""
_DECOUPLED = ("AdamW", "Lion", "NadamW", "SGDW")
_PLAIN = ("Adadelta", "Adafactor", "Adagrad", "Adam", "Adamax", "Lion", "Nadam", "RMSprop", "SGD")
"""Keras's optimizers whose configuration tells of every decay and every clipping they have."""


def of_keras(facts: Facts) -> Settings:
    """From the compile settings; an optimizer's configuration there is complete."""
    optimizer = named(facts.stored, ("optimizer",), optimizer_name)
    decay = named(facts.stored, ("weight_decay",), number)
    if decay is None and optimizer is not None and optimizer.value in _PLAIN:
        decay = Setting(value=0.0, source=optimizer.source)
    return Settings(
        optimizer=optimizer,
        learning_rate=named(facts.stored, ("learning_rate",), scheduled_rate),
        weight_decay=decay,
        clipping=_keras_clipping(facts, optimizer),
        steps=named(facts.stored, _COUNTED_STEPS, whole),
    )


def _keras_clipping(facts: Facts, optimizer: Setting[str] | None) -> Setting[str] | None:
    if optimizer is None:
        return None
    found = {name: named(facts.stored, (name,), number) for name in _KERAS_CLIPPING}
    told = [f"{name} {limit.value:g}" for name, limit in found.items() if limit is not None]
    if not told and optimizer.value not in _PLAIN:
        return None
    return Setting(value=", ".join(told), source=optimizer.source)


def of_torch(facts: Facts) -> Settings:
    """From the optimizer's state; from hyper-parameters, of the usual names, where it is silent."""
    return Settings(
        optimizer=_torch_optimizer(facts),
        learning_rate=_highest(facts.optimizer, ("max_lr", "initial_lr", "learning_rate"))
        or named(facts.chosen, _RATES, number),
        weight_decay=_highest(facts.optimizer, ("weight_decay",))
        or named(facts.chosen, _DECAYS, number),
        decoupled=named(facts.optimizer, ("decoupled_weight_decay",), _truth),
        clipping=_torch_clipping(facts),
        steps=named(facts.stored, _COUNTED_STEPS, whole)
        or named(facts.chosen, _PLANNED_STEPS, whole),
        epochs=named(facts.stored, _COUNTED_EPOCHS, whole)
        or named(facts.chosen, _PLANNED_EPOCHS, whole)
        or _planned_epochs(facts),
        batch_size=named(facts.chosen, _BATCHES, whole),
        samples=named(facts.chosen, _SAMPLES, whole),
        shuffle=named(facts.chosen, ("shuffle",), _truth),
    )


def _planned_epochs(facts: Facts) -> Setting[int] | None:
    """``epochs`` beside the weights, as many as were to be: the source tells it from a count."""
    found = named(facts.stored, _PLANNED_EPOCHS, whole)
    return found and replace(found, source=f"{found.source}, planned")


def _torch_optimizer(facts: Facts) -> Setting[str] | None:
    """The class; hyper-parameters may settle what the state leaves open."""
    stored = named(facts.stored, ("optimizer",), _names)
    chosen = named(facts.chosen, _OPTIMIZERS, optimizer_name)
    if stored is None or chosen is None:
        return stored or chosen
    choice = stored.value.split(" or ")
    return chosen if len(choice) > 1 and chosen.value in choice else stored


def _names(value: Any) -> str | None:
    return optimizer_names(value) if isinstance(value, str) else None


def _highest(facts: tuple[TrainingFact, ...], names: tuple[str, ...]) -> Setting[float] | None:
    """The largest of the groups' values.

    Schedules end low, and what a rate did to the weights it did at its height; groups opt out
    of a decay.
    """
    found = [
        Setting(value=value, source=fact.source)
        for fact in facts
        if fact.name in names and (value := number(fact.value)) is not None
    ]
    return max(found, key=lambda setting: setting.value, default=None)


def _torch_clipping(facts: Facts) -> Setting[str] | None:
    for name in _CLIPPING:
        found = named(facts.chosen, (name,), lambda value: value)
        if found is not None:
            return Setting(value=_limit(name, found.value), source=found.source)
    return None


def _limit(name: str, value: Any) -> str:
    """``clip 1``; ``""`` for what the usual trainers take as "do not clip"."""
    limit = number(value)
    if limit is None:
        return name if value else ""
    return f"{name} {limit:g}" if limit > 0 else ""


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


# ---------------------------------------------------------------- what follows from these


def decoupled(settings: Settings, framework: str) -> Setting[bool] | None:
    """Whether the optimizer's decay stays out of the gradient, by its class; None if unknown."""
    optimizer = settings.optimizer
    if optimizer is None:
        return None
    if optimizer.value in _DECOUPLED:
        return Setting(value=True, source=optimizer.source)
    if framework == "keras":
        # Keras takes lr·λ·w off the weight, whatever its optimizer makes of the gradient.
        return _where_it_decays(settings)
    if optimizer.value in _COUPLED:
        return Setting(value=False, source=optimizer.source)
    return None


def _where_it_decays(settings: Settings) -> Setting[bool] | None:
    decay = settings.weight_decay
    return Setting(value=True, source=decay.source) if decay is not None and decay.value else None


def steps(settings: Settings) -> Setting[int] | None:
    """Updates of the whole run, by epochs, samples and batch size where they are all known."""
    if settings.steps is not None:
        return settings.steps
    known = (settings.epochs, settings.samples, settings.batch_size)
    if any(setting is None for setting in known):
        return None
    epochs, samples, batch = (setting.value for setting in known if setting is not None)
    return Setting(value=epochs * -(-samples // batch), source="epochs · samples / batch_size")


OF_FRAMEWORK: Mapping[str, Callable[[Facts], Settings]] = {"keras": of_keras, "torch": of_torch}
