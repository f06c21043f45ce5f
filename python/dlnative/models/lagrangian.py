"""Constraints on what is trained, by augmented Lagrangians: multipliers and a penalty in the step.

For inequalities g <= 0 and equalities h = 0, elementwise, each step minimises

    loss + sum(max(0, lambda + mu g)^2 - lambda^2) / (2 mu) + sum(nu h + mu h^2 / 2),

and every `constraint_period` steps lambda = max(0, lambda + mu g), nu = nu + mu h, with g and h
averaged over the second half of these steps, when the weights have settled for the multipliers.
mu grows where the violation has not fallen to a half, as long as it is not tiny.

Reference: Nocedal and Wright 2006, "Numerical Optimization", chapter 17; Birgin and Martinez 2014,
"Practical Augmented Lagrangian Methods for Constrained Optimization".
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import ops
from ..graph.dtypes import FLOATS
from ..graph.graph import Graph
from ..graph.table import table
from ..graph.tensor import StepScalar, Tensor, Tracing
from ..metrics.base import Metric
from ..naming import to_snake_case
from ..placement import place
from ..plan import gradients
from ..scalar import Scalar
from ..utils.numbers import finite_number
from ..variables import Variable
from .checks import check_count

PARAMETERS = ("model", "y_true", "y_pred")
KINDS = ("inequality", "equality")
SUFFICIENT = 0.5  # the penalty grows where the violation is still more than this share
TOLERANCE = 1e-4  # of a violation, below which the penalty need not grow
SIZES = (2, 3)  # batches for which shapes are looked at


class Constrained:
    """One function of the user's.

    Attributes:
        kind: "inequality" or "equality".
        name: Its name in logs and messages.
        function: Function of any of `PARAMETERS`.
        takes: Which of them it takes.
        multiplier: Its multipliers, a Variable of the shape of its values; None before `resolve`.
        total: The sum of its values in the present period.
        magnitude: The sum of its absolute values at the last step.
    """

    def __init__(self, kind: str, name: str, function: Callable[..., Any]) -> None:
        self.kind = kind
        self.name = name
        self.function = function
        self.takes = _arguments_of(kind, name, function)
        self.multiplier: Any = None
        self.total: Any = None
        self.magnitude: Any = None

    def __repr__(self) -> str:
        return f"the {self.kind} constraint '{self.name}'"

    def values(self, graph: Graph, arguments: dict[str, Any]) -> Any:
        """What the function returns for tensors of `graph`.

        Raises:
            TypeError: It returns something else than a tensor of floats.
        """
        value = graph.result(
            self.function(**{name: arguments[name]() for name in self.takes}), repr(self)
        )
        if value.dtype not in FLOATS:
            raise TypeError(f"{self!r}: expected a tensor of floats, it returned {value.dtype}")
        return value

    def violation(self, values: Any) -> Any:
        """How far values of floats, arrays or tensors, are from what is asked for, elementwise."""
        return ops.abs(values) if self.kind == "equality" else ops.maximum(values, 0.0)

    def term(self, values: Any, penalty: Any) -> Any:
        """The addend of the augmented Lagrangian."""
        if self.kind == "equality":
            return ops.sum(self.multiplier * values + ops.square(values) * (0.5 * penalty))
        moved = ops.maximum(self.multiplier + penalty * values, 0.0)
        return ops.sum(ops.square(moved) - ops.square(self.multiplier)) * (0.5 / penalty)

    def moved(self, values: Any, penalty: Any) -> Any:
        """The multipliers after a period of these mean values."""
        moved = self.multiplier + penalty * values
        return moved if self.kind == "equality" else ops.maximum(moved, 0.0)

    def measure(self, values: Any, penalty: Any) -> Any:
        """The largest violation or, where an inequality is slack, failure of complementarity."""
        if self.kind == "inequality":
            values = ops.maximum(values, self.multiplier * (-1.0 / penalty))
        return ops.max(ops.abs(values))


class ConstraintViolation(Metric):
    """The largest element of the violations of all constraints, of their means over the batches."""

    _direction = "down"

    def __init__(self, constraints: list[Constrained]) -> None:
        super().__init__(name="constraint_violation")
        self._constraints = constraints
        self._totals: list[Variable] = []

    def make(self, shapes: list[tuple]) -> None:
        """Makes the state for values of these shapes."""
        self._totals = [self.add_variable(shape, name="total") for shape in shapes]
        self._count = self.add_variable((), name="count")

    def update_state(self, values: Sequence[Tensor], batch: Any) -> None:
        """Adds the values of a batch.

        Args:
            values: List of tensors, one for each constraint.
            batch: Number of its rows.
        """
        for total, value in zip(self._totals, values, strict=True):
            total.assign_add(ops.cast(value, "float64") * float(batch))
        self._count.assign_add(float(batch))

    def result(self) -> float:
        if not self._totals or not float(self._count):
            return 0.0
        means = [total.numpy() / float(self._count) for total in self._totals]
        largest = [
            np.max(constraint.violation(mean))
            for constraint, mean in zip(self._constraints, means, strict=True)
        ]
        return float(np.max(largest))  # NaN where one is


class Constraints:
    """All constraints of a compiled model, and what of them lasts from step to step.

    Args:
        inequality: A function, a list of functions, a dict of them by name, or None.
        equality: The same.
        period: Steps between two updates of the multipliers.
        penalty: The first penalty parameter.
        growth: By how much it grows.
        penalty_max: The largest penalty parameter.

    Raises:
        TypeError, ValueError: See `Trainer.compile`.
    """

    def __init__(
        self,
        inequality: Any,
        equality: Any,
        period: Any = 100,
        penalty: Any = 1.0,
        growth: Any = 2.0,
        penalty_max: Any = 10.0,
    ) -> None:
        self.all = [*_functions("inequality", inequality), *_functions("equality", equality)]
        names = [constraint.name for constraint in self.all]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(
                    f"compile: two constraints are called {name!r}; give a dict with a name each"
                )
        self.period = check_count("constraint_period", period)
        first = _at_least("constraint_penalty", penalty, 0.0, open_low=True)
        self.growth = _at_least("constraint_growth", growth, 1.0)
        self.penalty_max = _at_least("constraint_penalty_max", penalty_max, first)
        self.penalty: Any = Scalar(first, "float64", "penalty", "constraints/penalty")
        self.count: Any = Scalar(0, "int64", "count", "constraints/count")
        self.measure: Any = Scalar(math.inf, "float64", "measure", "constraints/measure")
        self.violation = ConstraintViolation(self.all)
        self._shapes: Any = None
        self._seen: Any = None

    def __bool__(self) -> bool:
        return bool(self.all)

    @property
    def variables(self) -> list[Variable]:
        """What lasts from step to step, in a fixed order; nothing without constraints."""
        if not self.all:
            return []
        found = [self.penalty, self.count, self.measure]
        for constraint in self.all:
            parts = (constraint.multiplier, constraint.total, constraint.magnitude)
            found += [part for part in parts if part is not None]
        return found

    def logs(self) -> dict[str, Any]:
        """{name in the logs: multipliers}: a float, or an array where there are several."""
        return {
            f"{c.name}_multiplier": c.multiplier.numpy()
            if c.multiplier.shape
            else float(c.multiplier)
            for c in self.all
        }

    def names(self) -> list[str]:
        """The names in `logs`."""
        return [f"{constraint.name}_multiplier" for constraint in self.all]

    def resolve(self, model: Any, key: Any, trace: Callable[[Graph, int], dict[str, Any]]) -> None:
        """Makes the state at the first call; afterwards looks at the shapes.

        Args:
            model: The model.
            key: What the result depends on: nothing is looked at twice in a row.
            trace: Function (graph, batch size) that gives each of `PARAMETERS` as a function
                without arguments.

        Raises:
            TypeError: A function returns no tensor of floats.
            ValueError: Its values depend on nothing that is trained, have no gradient, have a shape
                that depends on the batch or is not that of before.
        """
        if key == self._seen:
            return
        found: list[list[Any]] = []
        for size in SIZES:
            graph = Graph(training=False)
            with Tracing(graph):
                arguments = trace(graph, size)
                found.append([c.values(graph, arguments) for c in self.all])
                for constraint, values in zip(self.all, found[-1], strict=True):
                    _check_gradient(constraint, graph, values, model.trainable_variables)
        for constraint, value, other in zip(self.all, *found, strict=True):
            if value.shape != other.shape:
                raise ValueError(
                    f"{constraint!r}: expected values of a shape that does not depend on the batch "
                    f"size, received {value.shape} for {SIZES[0]} samples and {other.shape} for "
                    f"{SIZES[1]}. Each element has a multiplier of its own: reduce over the "
                    "samples, by dlnative.ops.mean(values, axis=0) or max"
                )
        shapes = [value.shape for value in found[0]]
        if self._shapes is None:
            self.make([(value.shape, value.dtype) for value in found[0]])
        for constraint, before, shape in zip(self.all, self._shapes, shapes, strict=True):
            if before != shape:
                raise ValueError(
                    f"{constraint!r}: expected values of shape {before}, as at first, received "
                    f"{shape}"
                )
        self._seen = key

    @property
    def made(self) -> list[Any] | None:
        """The shapes and dtypes that `make` was given; None before."""
        if self._shapes is None or not self.all:
            return None
        return [(list(c.multiplier.shape), c.multiplier.dtype) for c in self.all]

    def make(self, specs: list[Any]) -> None:
        """Makes the state for values of these shapes and dtypes, where there is none yet."""
        if self._shapes is not None:
            return
        self._shapes = [tuple(shape) for shape, _ in specs]
        for constraint, (shape, dtype) in zip(self.all, specs, strict=True):
            for name in ("multiplier", "total"):
                path = f"constraints/{constraint.name}_{name}"
                variable = Variable.empty(shape, dtype, name=name, trainable=False, path=path)
                setattr(constraint, name, variable)
            constraint.magnitude = Scalar(0.0, "float64", "magnitude")
        self.violation.make(self._shapes)
        place([v for c in self.all for v in (c.multiplier, c.total)])
        place(self.violation.variables)

    def evaluated(self, graph: Graph, arguments: dict[str, Any], batch: int) -> list[Any]:
        """The values of all constraints in a step, which the violation takes note of."""
        values = [constraint.values(graph, arguments) for constraint in self.all]
        self.violation.update_state(values, batch)
        return values

    def penalised(self, total: Any, values: list[Any]) -> Any:
        """The augmented Lagrangian: the loss `total` and the terms of all constraints."""
        for constraint, value in zip(self.all, values, strict=True):
            total = total + constraint.term(value, self.penalty)
        return total

    def update(self, graph: Graph, values: list[Any]) -> None:
        """Makes the update of the multipliers and of the penalty a part of a step."""
        for constraint, value in zip(self.all, values, strict=True):
            # A check whose result nothing needs would be left out of the program.
            constraint.magnitude.assign(_finite(graph, constraint, value))
        skipped = self.period // 2
        is_last = self.count + 1 >= self.period
        counts = self.count >= skipped
        means = []
        for constraint, value in zip(self.all, values, strict=True):
            total = ops.where(counts, constraint.total + value, constraint.total)
            means.append(total * (1.0 / (self.period - skipped)))
            constraint.total.assign(ops.where(is_last, total * 0.0, total))
        self.count.assign(ops.where(is_last, 0, self.count + 1))
        measures = [
            ops.cast(c.measure(m, self.penalty), "float64")
            for c, m in zip(self.all, means, strict=True)
        ]
        measure = measures[0]
        for other in measures[1:]:
            measure = ops.maximum(measure, other)
        grown = ops.minimum(self.penalty * self.growth, self.penalty_max)
        grows = (measure > self.measure * SUFFICIENT) & (measure > TOLERANCE)
        moved = [c.moved(m, self.penalty) for c, m in zip(self.all, means, strict=True)]
        penalty = ops.where(grows, grown, self.penalty)
        with graph.only_where(is_last):
            for constraint, value in zip(self.all, moved, strict=True):
                constraint.multiplier.assign(value)
            self.penalty.assign(penalty)
            self.measure.assign(measure)


def _functions(kind: str, given: Any) -> list[Constrained]:
    if given is None:
        return []
    if isinstance(given, dict):
        return [Constrained(kind, str(name), function) for name, function in given.items()]
    given = list(given) if isinstance(given, (list, tuple)) else [given]
    return [Constrained(kind, _name(kind, i, f), f) for i, f in enumerate(given)]


def _name(kind: str, index: int, function: Any) -> str:
    name = getattr(function, "__name__", None) or to_snake_case(type(function).__name__)
    return f"{kind}_{index}" if name == "<lambda>" else name


def _arguments_of(kind: str, name: str, function: Any) -> tuple[str, ...]:
    """Which of `PARAMETERS` a function takes."""
    expected = f"compile: expected {kind} to be functions of any of (model, y_true, y_pred)"
    if not callable(function):
        raise TypeError(f"{expected}, received {function!r}")
    parameters = inspect.signature(function).parameters.values()
    for p in parameters:
        named = p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        optional = p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        if not (named and p.name in PARAMETERS) and not optional:
            raise TypeError(f"{expected}, '{name}' takes {p.name!r}")
    return tuple(p.name for p in parameters if p.name in PARAMETERS)


def _at_least(name: str, value: Any, low: float, open_low: bool = False) -> float:
    number = finite_number("compile", name, value)
    if number < low or (open_low and number == low):
        bound = "greater than" if open_low else "of at least"
        raise ValueError(f"compile: expected {name} {bound} {low:g}, received {value!r}")
    return number


def _check_gradient(constraint: Constrained, graph: Graph, values: Any, variables: list) -> None:
    try:
        grads = gradients(graph, ops.sum(values), [graph.variable(v) for v in variables])
    except ValueError as error:
        raise ValueError(f"{constraint!r}: {error}") from None
    if all(grad is None for grad in grads):
        raise ValueError(
            f"{constraint!r}: its values depend on no trainable weight, or only in steps"
        )


def _finite(graph: Graph, constraint: Constrained, values: Any) -> Any:
    """The sum of absolute values; a step in which it is not finite raises and writes nothing."""
    total = ops.cast(ops.sum(ops.abs(values)), "float64")
    what = f"the sum of the absolute values of {constraint!r}"
    return graph.apply(table["checked_rate"], (total,), {"what": what}, StepScalar)
