"""The models that `--model` names, with what comes before them."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from typing import Any

from .arguments import MODELS
from .augmentation import augmentation
from .task import Classification, Task

__all__ = ["build", "models_with", "resolve"]

# The options that only some models have, with the defaults there.
_OPTIONS: dict[str, dict[str, Any]] = {
    "hidden": {"mlp": [512, 256]},
    "activation": {"mlp": "relu"},
    "dropout": {"mlp": 0.2, "lenet": 0.0, "vgg6": 0.0},
}


def models_with(option: str) -> Collection[str]:
    """The models that have an option."""
    return _OPTIONS.get(option, MODELS)


def resolve(options: argparse.Namespace) -> None:
    """Fills in the defaults of the options that describe a model.

    Raises:
        ValueError: If the model has no such option.
    """
    for name, defaults in _OPTIONS.items():
        if getattr(options, name) is None:
            setattr(options, name, defaults.get(options.model))
        elif options.model not in defaults:
            models = ", ".join(defaults)
            raise ValueError(
                f"--{name} goes with --model {models}, not with --model {options.model}"
            )


def build(task: Task, options: argparse.Namespace, augment: dict[str, Any] | None = None) -> Any:
    """Builds a model: augmentation, rescaling of pixels, then what `--model` names.

    Args:
        task: What the model is for.
        options: The command's: `model`, and those that `resolve` fills in.
        augment: Amounts of augmentation by name, in the order of application.

    Raises:
        ValueError: If the samples are not images, or too small for the model.
    """
    from .. import Input, Sequential, layers

    shape = task.sample_shape
    stack = [Input(shape, name="input")]
    is_network = options.model != "mlp"
    if is_network or augment:
        _check_images(task, f"--model {options.model}" if is_network else "--augment")
        if augment and task.pixel_range is None:
            raise ValueError("--augment takes images of uint8 pixels; these are other numbers")
        if len(shape) == 2:
            shape = (*shape, 1)
            stack.append(layers.Reshape(shape, name="channel"))
    for name, amount in (augment or {}).items():
        stack.append(augmentation(name, amount, shape, task.pixel_range))
    if task.pixel_range is not None:
        stack.append(layers.Rescaling(1 / task.pixel_range, name="rescaling"))
    if is_network:
        stack.append(_network(options, shape, task))
    else:
        stack.extend(_mlp(task, len(shape) > 1, options))
    return Sequential(stack, name=options.model)


def _check_images(task: Task, option: str) -> None:
    if len(task.sample_shape) not in (2, 3):
        raise ValueError(
            f"{option} takes images, of shape (height, width) or (height, width, channels); "
            f"the samples have shape {task.sample_shape}"
        )


def _mlp(task: Task, flatten: bool, options: argparse.Namespace) -> list[Any]:
    from .. import layers

    stack: list[Any] = [layers.Flatten(name="flatten")] if flatten else []
    for i, units in enumerate(options.hidden, 1):
        stack.append(layers.Dense(units, activation=options.activation, name=f"hidden_{i}"))
        if options.dropout:
            stack.append(layers.Dropout(options.dropout, name=f"dropout_{i}"))
    return [*stack, layers.Dense(task.outputs, name="output")]


def _network(options: argparse.Namespace, shape: tuple[int, ...], task: Task) -> Any:
    from .. import applications

    if not isinstance(task, Classification):
        raise ValueError(f"--model {options.model} classifies; regression takes --model mlp")
    builder = getattr(applications, options.model)
    dropout = {} if options.dropout is None else {"dropout": options.dropout}
    return builder(shape, task.outputs, classifier_activation=None, name="network", **dropout)
