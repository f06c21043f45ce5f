"""Primitives, updates, activations and losses in dlnative: programs whose tensors have places.

Inputs lie in memory before a program runs and results stay in its arena or in the variables, as in
a training step, so nothing is allocated while it is timed. Notes say which instructions ran.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import dlnative
from dlnative import engines, ops, optimizers
from dlnative.graph import Graph
from dlnative.placement import place
from dlnative.plan import gradients
from dlnative.variables import Variable
from workers.base import Spec, Task
from workers.data import (
    change,
    composition_arrays,
    magnitude,
    primitive_arguments,
    update_arrays,
)
from workers.dlnative_operations import leaf
from workers.formulas import (
    BELIEF_EPSILON,
    BETA_1,
    BETA_2,
    COMPOSITIONS,
    LION_BETA_2,
    PRIMITIVES,
    RATE,
    RHO,
    RMSPROP_EPSILON,
)


class AdaBelief(dlnative.optimizers.Optimizer):
    """AdaBelief as a user writes it by Keras's guide."""

    def build(self, variables: list[Any]) -> None:
        if self.built:
            return
        super().build(variables)
        self.means = [self.add_variable_from_reference(v, name="mean") for v in variables]
        self.beliefs = [self.add_variable_from_reference(v, name="belief") for v in variables]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        rate = ops.cast(learning_rate, variable.dtype)
        t = ops.cast(self.iterations + 1, variable.dtype)
        index = self._get_variable_index(variable)
        m, s = self.means[index], self.beliefs[index]
        self.assign_add(m, (gradient - m) * (1.0 - BETA_1))
        error = gradient - m
        self.assign(s, BETA_2 * s + (1.0 - BETA_2) * error * error + BELIEF_EPSILON)
        rate = rate * ops.sqrt(1.0 - ops.power(BETA_2, t)) / (1.0 - ops.power(BETA_1, t))
        self.assign_sub(variable, rate * m / (ops.sqrt(s) + BELIEF_EPSILON))


# What the optimizers are made with, where the shared formula does not have Keras's default.
OPTIONS: dict[str, dict[str, float]] = {
    "RMSprop": {"rho": RHO, "epsilon": RMSPROP_EPSILON},
    "Lion": {"beta_2": LION_BETA_2},
}


def make_optimizer(name: str) -> Any:
    """Returns an optimizer of the library, or the one written above."""
    if name == "AdaBelief":
        return AdaBelief(learning_rate=RATE)
    return getattr(optimizers, name)(learning_rate=RATE, **OPTIONS.get(name, {}))


def task(function: Any, check: float) -> Task:
    """A program as a task; the note counts its instructions, `loop` x 2 + `take`."""
    counts: dict[str, int] = {}
    for node in function.plan.instructions:
        counts[node.op.name] = counts.get(node.op.name, 0) + 1
    note = " + ".join(name if n == 1 else f"{name} x {n}" for name, n in counts.items())
    run = function.run
    return Task(lambda: run([], None, 0, 1), check=check, note=note)


def primitive(spec: Spec) -> Task:
    """Prepares a primitive of `workers/formulas.py`."""
    function = primitive_function(spec)
    return task(function, magnitude(function()[0]))


def primitive_function(spec: Spec) -> Any:
    """Builds the program of a primitive."""
    graph = Graph()
    arguments = [
        leaf(graph, value) if isinstance(value, np.ndarray) else value
        for value in primitive_arguments(spec)
    ]
    return engines.build(graph, [PRIMITIVES[spec["op"]](ops, arguments)])


def composition(spec: Spec) -> Task:
    """Prepares an activation or loss with its gradient."""
    function = composition_function(spec)
    return task(function, magnitude(function()[1]))


def composition_function(spec: Spec) -> Any:
    """Builds the program whose outputs are y and dx, or the mean loss and its gradient."""
    graph = Graph(training=True)
    formula = COMPOSITIONS[spec["formula"]]
    first, second = (leaf(graph, array) for array in composition_arrays(spec))
    if spec["loss"]:
        y = ops.mean(formula(ops, first, second))
        (dx,) = gradients(graph, y, [second])
    else:
        y = formula(ops, first)
        (dx,) = gradients(graph, y, [first], second)
    return engines.build(graph, [y, dx])


def update(spec: Spec, optimizer: str) -> Task:
    """Prepares an update; gradients lie side by side, as in the arena of a training step."""
    weights, grads = update_arrays(spec)
    function, variables = update_function(weights, grads, optimizer)
    function.run([], None, 0, 1)
    return task(function, change([v.value for v in variables], weights))


def update_function(weights: list[Any], grads: list[Any], optimizer: str) -> tuple[Any, list[Any]]:
    """Builds the program of an update; returns it with the parameters."""
    variables = [Variable(w.copy(), name=f"w{i}") for i, w in enumerate(weights)]
    given = [Variable(g.copy(), name=f"g{i}", trainable=False) for i, g in enumerate(grads)]
    place(given)
    made = make_optimizer(optimizer)
    made.build(variables)
    graph = Graph(training=True)
    made.apply_nodes(graph, variables, [graph.variable(g) for g in given])
    return engines.build(graph, []), variables
