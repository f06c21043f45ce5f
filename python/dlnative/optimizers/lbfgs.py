"""L-BFGS: quasi-Newton steps with a line search, for the whole set in one batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..changes import used
from ..graph.graph import Graph
from ..graph.tensor import Tensor, Tracing
from ..hyperparameters import Absent, Count, Option, StepNumber
from ..utils.warn import warn_user
from ..variables import Variable
from .curvature import CurvaturePairs, dot
from .learning_rate import Rate, rate_of_step
from .line_search import SEARCHES, Limits, Line, Trial
from .optimizer import Optimizer
from .search_step import Objective, Point, SearchStep

_CLIPPING = "a line search needs the gradient of the loss as it is"
_ONE_BATCH = (
    "evaluates the loss several times in a step, and a gradient that is given allows no second "
    "evaluation. Use model.compile(optimizer=...) and model.fit(x, y, batch_size=len(x)) or "
    "model.train_on_batch(x, y)"
)


def _line_search(instance: Any, name: str, value: Any) -> Any:
    if value is not None and not (isinstance(value, str) and value in SEARCHES):
        known = ", ".join(repr(key) for key in SEARCHES if key)
        raise ValueError(
            f"{type(instance).__name__}: expected {name} to be {known} or None, received {value!r}"
        )
    return value


class LBFGS(Optimizer):
    """Limited-memory BFGS (Broyden, Fletcher, Goldfarb, Shanno).

    w = w - t H g, with H an approximation of the inverse Hessian that is made of the last steps s
    and changes y of the gradient, and t found by a line search. One step of training is one such
    iteration. It evaluates the loss and its gradient where it begins and at each t that it tries,
    mostly one: a smooth loss of a small model comes to its minimum in tens of steps. The first
    direction is -g, with t at most 1 / |g|_1.

    All evaluations of a step are on the same batch, with the same random masks. `fit` therefore
    wants the whole set in one batch, `batch_size=len(x)`, and does not shuffle it; for a generator
    or another source of batches whose number is not known that is `steps_per_epoch=1`. What is
    logged, and moving statistics, are those of the point that a step ends at. Penalties of
    regularizers are a part of the loss. Inner products and directions are float64, whatever the
    weights are.

    A point whose loss or gradient is not finite counts as too far away. Where no step lowers the
    loss, the steepest descent is tried; if that lowers nothing, either, the weights stay as they
    are, and the first time there is a warning.

    Args:
        learning_rate: The first t that a line search tries, after the first direction; mostly 1.
        history: How many pairs of s and y are kept.
        line_search: "strong_wolfe"; "backtracking", also called "armijo", which only shortens t;
            or None: t is the learning rate.
        max_evaluations: How many t a line search tries at most.
        tolerance_gradient: Where no element of the gradient is larger, the weights stay.
        tolerance_change: Where no weight would change by more, a line search ends.
        sufficient_decrease: c1 of the Wolfe conditions, in (0, 1).
        curvature: c2 of the strong Wolfe conditions, in (sufficient_decrease, 1).
        **options: See `Optimizer`. Clipping, weight decay (use a regularizer) and accumulation of
            gradients have no meaning for a line search and must be None.

    Raises:
        ValueError: An option out of range; when training begins, a weight with a constraint or
            with a `learning_rate_factor` other than 0 and 1; from `fit`, several batches.

    Example:
        >>> import numpy as np, dlnative
        >>> x = np.linspace(-1.0, 1.0, 20)[:, None]
        >>> model = dlnative.Sequential([dlnative.Input((1,)), dlnative.layers.Dense(1)])
        >>> model.compile(dlnative.optimizers.LBFGS(), "mse")
        >>> _ = model.fit(x, 3.0 * x - 1.0, batch_size=20, epochs=10, verbose=0)
        >>> print([w.round(4).tolist() for w in model.get_weights()])
        [[[3.0]], [-1.0]]

    Differs from Keras: new. From `torch.optim.LBFGS`: a step is one iteration, not up to 20, and
    "strong_wolfe" is the default; a step that no search accepts is not taken.

    Reference: Nocedal and Wright 2006, "Numerical Optimization", algorithms 7.4 and 7.5; Liu and
    Nocedal 1989, "On the Limited Memory BFGS Method for Large Scale Optimization".
    """

    history = Count(1)
    line_search = Option(_line_search)
    max_evaluations = Count(1)
    tolerance_gradient = StepNumber(0.0)
    tolerance_change = StepNumber(0.0)
    sufficient_decrease = StepNumber(0.0, 1.0, above=True, below=True)
    curvature = StepNumber(0.0, 1.0, above=True, below=True)

    weight_decay = Absent("give layers a kernel_regularizer, whose penalty is a part of the loss")
    clipnorm = Absent(_CLIPPING)
    clipvalue = Absent(_CLIPPING)
    global_clipnorm = Absent(_CLIPPING)
    gradient_accumulation_steps = Absent("the loss of a step must be that of all its samples")

    full_batch = True
    pairs: CurvaturePairs

    def __init__(
        self,
        learning_rate: Rate = 1.0,
        history: int = 10,
        line_search: str | None = "strong_wolfe",
        max_evaluations: int = 25,
        tolerance_gradient: float = 1e-7,
        tolerance_change: float = 1e-9,
        sufficient_decrease: float = 1e-4,
        curvature: float = 0.9,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.history = history
        self.line_search = line_search
        self.max_evaluations = max_evaluations
        self.tolerance_gradient = tolerance_gradient
        self.tolerance_change = tolerance_change
        self.sufficient_decrease = sufficient_decrease
        self.curvature = curvature
        self._has_warned = False
        self._check_options()

    def _check_options(self) -> None:
        super()._check_options()
        low, high = self.__dict__.get("sufficient_decrease"), self.__dict__.get("curvature")
        if low is not None and high is not None and low >= high:
            raise ValueError(
                f"{type(self).__name__}: expected sufficient_decrease to be less than curvature, "
                f"received {low:g} and {high:g}"
            )

    # --- a part of a step -------------------------------------------------------------------------

    def build(self, variables: list) -> None:
        super().build(variables)
        shape = (self.history + 1, sum(v.size for v in self._trainable_variables))
        pairs = self.__dict__.get("pairs")
        if pairs is not None:
            if pairs.steps.shape == shape:
                return
            old = {id(v) for v in pairs.variables}
            self._variables = [v for v in self._variables if id(v) not in old]
        self.pairs = CurvaturePairs(
            self._new_variable((2,), "zeros", "int64", "pairs"),
            self._new_variable(shape, "zeros", "float64", "steps"),
            self._new_variable(shape, "zeros", "float64", "gradient_changes"),
        )

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Raises NotImplementedError: a line search cannot evaluate given gradients again."""
        raise NotImplementedError(
            f"{type(self).__name__}.apply: {type(self).__name__} {_ONE_BATCH}"
        )

    def apply_nodes(self, graph: Graph, variables: list, grads: list) -> None:
        """Raises NotImplementedError, as `apply`."""
        self.apply(grads, variables)

    def train_nodes(
        self, graph: Graph, variables: list, grads: list, loss: Tensor
    ) -> Callable[[Any, Any], Any]:
        """See `Optimizer.train_nodes`."""
        used(self)
        trained = self._with_gradients(variables, grads)
        self._check_weights(graph, [v for v, _ in trained])
        self._place_slots()
        self.pairs.place()
        places, end = {}, 0
        for v in self._trainable_variables:
            places[id(v)] = slice(end, end + v.size)
            end += v.size
        trained = [(v, g) for v, g in trained if v.learning_rate_factor != 0.0]
        weights = [(places[id(v)], v) for v, _ in trained]
        with Tracing(graph):
            scale = self.loss_scale_factor
            given = [g if scale is None else g / scale for _, g in trained]
            self._iterations.assign_add(1)
            return SearchStep(self, graph, weights, given, loss, end).of

    def _check_weights(self, graph: Graph, variables: list[Variable]) -> None:
        """Raises where weights move in another way than along a line."""
        owner = type(self).__name__
        for v in variables:
            if v.learning_rate_factor not in (0.0, 1.0):
                raise ValueError(
                    f"{owner}: expected a learning_rate_factor of 0 or 1, as all weights go along "
                    f"one line, received {v.learning_rate_factor} for '{v.path}'"
                )
            if v.constraint is not None:
                raise ValueError(
                    f"{owner}: weight '{v.path}' has the constraint "
                    f"{type(v.constraint).__name__}, which the points of a line do not keep. Give "
                    "compile(inequality=...) a function instead, or take another optimizer"
                )
            if id(v) in graph.assigned:
                raise ValueError(
                    f"{owner}: weight '{v.path}' is trained and also assigned to in a call of its "
                    "layer, which a line search does not allow; make it with trainable=False"
                )

    # --- an iteration -----------------------------------------------------------------------------

    def iterate(self, objective: Objective, start: Point) -> tuple[Point, np.ndarray]:
        """One iteration; changes nothing that counts.

        Args:
            objective: The Objective.
            start: The Point of the present weights.

        Returns:
            (the Point to go to, what `pairs.index` becomes).
        """
        pairs, rate = self.pairs, rate_of_step(self)
        index = pairs.index.numpy()
        largest = np.abs(start.gradient).max(initial=0.0)
        if rate == 0.0 or not start.is_finite or largest <= self.tolerance_gradient:
            return start, index
        if index[0]:
            point = self._search(objective, start, pairs.direction(start.gradient), rate)
            if point is not None:
                return point, self._added(start, point, True)
        rate *= min(1.0, 1.0 / float(np.add.reduce(np.abs(start.gradient))))
        point = self._search(objective, start, -start.gradient, rate)
        if point is not None:
            return point, self._added(start, point, False)
        self._warn(start)
        return start, np.array([0, index[1]])

    def _added(self, start: Point, point: Point, kept: bool) -> np.ndarray:
        step, change = point.weights - start.weights, point.gradient - start.gradient
        return self.pairs.added(step, change, kept)

    def _search(
        self, objective: Objective, start: Point, direction: np.ndarray, rate: float
    ) -> Point | None:
        """The Point that a line search finds; None where it finds none."""
        slope = dot(start.gradient, direction)
        if not (slope < 0.0 and np.isfinite(direction).all()):
            return None

        def trial(step: float) -> Trial:
            point = objective.at(start.weights + step * direction)
            if not point.is_finite:
                return Trial(step, np.inf, np.nan, None)
            return Trial(step, point.loss, dot(point.gradient, direction), point)

        limits = Limits(
            sufficient_decrease=self.sufficient_decrease,
            curvature=self.curvature,
            evaluations=self.max_evaluations,
            shortest=self.tolerance_change / float(np.abs(direction).max()),
            rounding=objective.rounding,
        )
        line = Line(trial, Trial(0.0, start.loss, slope, start), limits)
        found = SEARCHES[self.line_search](line, rate)
        return None if found is None else found.point

    def _warn(self, start: Point) -> None:
        if self._has_warned:
            return
        self._has_warned = True
        warn_user(
            f"{type(self).__name__}: no step along the steepest descent lowers the loss "
            f"{start.loss:g}, so the weights stay as they are. They may be at a minimum as exactly "
            "as their dtype allows; or the loss is not smooth there."
        )
