"""A step of training that evaluates the loss several times before it changes anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..graph.graph import Graph
from ..graph.tensor import Tensor, Tracing
from ..reference.state import NotFinite
from ..variables import Variable

ROUNDING = 4.0  # machine epsilons: the relative error that a loss may have


class Point(NamedTuple):
    """The loss at one point.

    Attributes:
        weights: float64 (size,), as they are after rounding to their dtypes.
        loss: A number.
        gradient: float64 (size,); 0 for weights that are not trained.
        state: What the step would make of metrics, moving statistics and counters.
    """

    weights: np.ndarray
    loss: float
    gradient: np.ndarray
    state: list[np.ndarray]

    @property
    def is_finite(self) -> bool:
        """Whether the loss and all of its gradient are numbers."""
        return bool(np.isfinite(self.loss) and np.isfinite(self.gradient).all())


class Objective(NamedTuple):
    """The loss of one step as a function of the weights.

    Attributes:
        at: Function from weights, float64 (size,), to a Point.
        rounding: The relative rounding error of losses.
    """

    at: Callable[[np.ndarray], Point]
    rounding: float


class SearchStep:
    """What runs in the place of a training step's Function: one iteration of an optimizer.

    The program of the step reads weights of its own and writes the loss, the gradient and the new
    state into variables of its own. So the model is as it was, for other threads and after Ctrl-C,
    until a second program writes all that the iteration has found, at once.

    Args:
        optimizer: It chooses among the points, by
            `iterate(objective, start) -> (Point, index of the pairs)`.
        graph: Graph of the loss, in which all other state has been assigned to.
        weights: List of (place in flat vectors, Variable).
        grads: Tensors like these Variables.
        loss: A scalar tensor.
        size: Elements of flat vectors.

    Attributes:
        armed: A Scalar; while it is not 0 an iteration that would begin where the loss or its
            gradient is not finite is held back.
    """

    def __init__(
        self,
        optimizer: Any,
        graph: Graph,
        weights: list[tuple[slice, Variable]],
        grads: list[Tensor],
        loss: Tensor,
        size: int,
    ) -> None:
        self.optimizer = optimizer
        self.size = size
        self.armed: Any = None
        self._rounding = ROUNDING * float(np.finfo(loss.dtype).eps)
        self._weights = weights
        self._trials = [_like(v, trainable=True) for _, v in weights]
        self._gradients = [_like(v) for _, v in weights]
        self._loss = Variable(0.0, dtype="float64", name="loss", trainable=False)
        self._state = [v for v, _, _ in graph.assigned.values()]
        self._pending = [_like(v) for v in self._state]
        results = [loss, *grads, *(graph.variable(v) for v in self._state)]
        graph.assigned.clear()
        targets = [self._loss, *self._gradients, *self._pending]
        for target, result in zip(targets, results, strict=True):
            target.assign(result)
        for (_, variable), trial in zip(weights, self._trials, strict=True):
            graph.substitute(variable, trial)
        self._index = _like(optimizer.pairs.index)
        self._last: Point | None = None  # whose values lie in the variables of the program
        self._evaluate: Any = None
        self._commit: Any = None

    finite_dtypes = ()  # it has no `run_finite`

    @property
    def variables(self) -> list[Variable]:
        """The variables of its own."""
        return [*self._trials, *self._gradients, self._loss, *self._pending, self._index]

    def of(self, function: Any, arenas: Any) -> SearchStep:
        """The step, with the Function of `graph` and one beside it, on the same arenas."""
        from .. import engines

        graph = Graph(training=True)
        with Tracing(graph):
            for (_, variable), trial in zip(self._weights, self._trials, strict=True):
                variable.assign(graph.leaf(trial))
            self.optimizer.average(graph)
            for variable, pending in zip(self._state, self._pending, strict=True):
                variable.assign(graph.leaf(pending))
            self.optimizer.pairs.index.assign(graph.leaf(self._index))
        self._evaluate = function
        self._commit = engines.build(graph, [], arenas=arenas)
        return self

    def __call__(self, *arrays: Any, step: int = 0) -> tuple:
        """One iteration on whole arrays; see NativeFunction."""
        if not self._iterate(lambda: self._evaluate(*arrays, step=step)):
            raise NotFinite("the step has values that are not finite")
        return ()

    def run(
        self,
        arrays: Any,
        indices: Any,
        first: int,
        steps: int,
        step: int = 0,
        max_seconds: float | None = None,
        out: Any = None,
        epoch: int = 0,
    ) -> int:
        """One iteration, however many steps are asked for; see NativeFunction.run."""
        done = self._iterate(
            lambda: self._evaluate.run(arrays, indices, first, 1, step, max_seconds, None, epoch)
        )
        return int(done)

    def _iterate(self, run: Callable[[], Any]) -> bool:
        """Whether there was an iteration: it may be held back."""
        start = np.zeros(self.size)
        for place, variable in self._weights:
            start[place] = variable.array.ravel()

        def at(weights: np.ndarray) -> Point:
            return self._at(weights, run)

        objective = Objective(at, self._rounding)
        first = at(start)
        if self.armed is not None and self.armed.array and not first.is_finite:
            return False
        point, index = self.optimizer.iterate(objective, first)
        if point is not self._last:
            self._write(point.weights)
            for pending, value in zip(self._pending, point.state, strict=True):
                pending.write(value)
        self._last = None
        self._index.assign(index)
        self._commit()
        return True

    def _at(self, weights: np.ndarray, run: Callable[[], Any]) -> Point:
        """The loss and its gradient at `weights`."""
        self._write(weights)
        run()
        rounded, gradient = np.zeros(self.size), np.zeros(self.size)
        for (place, _), trial, slot in zip(
            self._weights, self._trials, self._gradients, strict=True
        ):
            rounded[place] = trial.array.ravel()
            gradient[place] = slot.array.ravel()
        state = [pending.numpy() for pending in self._pending]
        self._last = Point(rounded, float(self._loss.array), gradient, state)
        return self._last

    def _write(self, weights: np.ndarray) -> None:
        self._last = None
        for (place, variable), trial in zip(self._weights, self._trials, strict=True):
            trial.write(weights[place].reshape(variable.shape))


def _like(variable: Variable, trainable: bool = False) -> Variable:
    zeros = np.zeros(variable.shape, variable.dtype)
    return Variable(zeros, name=variable.name, path=variable.path, trainable=trainable)
