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

    stack = [Input(task.sample_shape)]
    if pixel_range is not None:
        stack.append(layers.Rescaling(1 / pixel_range))
    if len(task.sample_shape) > 1:
        stack.append(layers.Flatten())
    for units in hidden:
        stack.append(layers.Dense(units, activation=activation))
        if dropout:
            stack.append(layers.Dropout(dropout))
    stack.append(layers.Dense(task.outputs))
    return Sequential(stack)
