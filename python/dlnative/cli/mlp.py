"""The model that ``--model mlp`` names."""

from __future__ import annotations

from typing import Any

from .task import Task

__all__ = ["build"]


def build(
    task: Task, hidden: list[int], activation: str, dropout: float, pixel_range: int | None
) -> Any:
    """Builds a multi-layer perceptron.

    Args:
        task: What the model is for.
        hidden: Units of the hidden layers.
        activation: Activation of the hidden layers.
        dropout: Rate of the dropout after each hidden layer.
        pixel_range: The inputs are pixels from 0 to this, and the model divides by it; or None.
    """
    from .. import Input, Sequential, layers

    stack = [Input(task.sample_shape, name="input")]
    if pixel_range is not None:
        stack.append(layers.Rescaling(1 / pixel_range, name="rescaling"))
    if len(task.sample_shape) > 1:
        stack.append(layers.Flatten(name="flatten"))
    for i, units in enumerate(hidden, 1):
        stack.append(layers.Dense(units, activation=activation, name=f"hidden_{i}"))
        if dropout:
            stack.append(layers.Dropout(dropout, name=f"dropout_{i}"))
    stack.append(layers.Dense(task.outputs, name="output"))
    return Sequential(stack, name="mlp")
