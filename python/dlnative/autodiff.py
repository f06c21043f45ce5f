"""Gradients as NumPy arrays: value_and_grad and vjp."""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import config, engines
from .engines.immediate import ImmediateGraph, ImmediateTensor
from .graph import Graph, Tensor
from .graph.tensor import Tracing, ValueTensor, is_variable, traced_graph
from .losses.labels import check_class_numbers
from .plan import gradients
from .utils import nest
from .utils.warn import warn_user

if TYPE_CHECKING:
    from .graph.types import ArrayLike, Shape
    from .losses import Loss
    from .utils.serialization import Identifier

KEPT = 8  # evaluations per function, one per list of shapes

_runs = itertools.count()  # numbers runs op by op, for their random masks


def value_and_grad(
    function: Any,
    variables: Any = None,
    *options: Any,
    has_aux: bool = False,
    dtype: str | None = None,
    training: bool = True,
) -> Callable[..., Any]:
    """A function that computes a value and its gradients.

    There are two forms:

    * `value_and_grad(fn, variables, has_aux=False)(*args)`: `fn(*args)` returns a scalar, made of
      layers, `dlnative.ops` and losses; the result is (value, gradients) with one gradient per
      variable, in their order, 0 where the value does not depend on it (a warning says so where it
      depends on none). With `has_aux` `fn` returns
      (scalar, anything else), and the result is ((scalar, anything else), gradients). Outside of a
      step it computes at once, op by op, and arguments and results are arrays; variables that
      layers assign to, such as moving statistics, are written. In a step that is being made, such
      as `train_step`, arguments and results are its tensors.
    * `value_and_grad(model, loss)(x, y)`: the loss of a model on a batch, as one program that is
      kept for the next call; the gradients are a dict of arrays by the paths of all trainable
      variables.

    Args:
        function: A function; or a built model or layer.
        variables: The variables to differentiate by; or the loss: its name, a loss object, or a
            function (y_true, y_pred) -> scalar tensor.
        has_aux: Whether `function` returns a pair, the scalar first.
        dtype: Of the second form: "float32" or "float64", the precision to compute in, whatever the
            variables have; by default the variables' own.
        training: What the layers see as `training`. In training every call moves the moving
            statistics of batch normalization, as a training step does.

    Returns:
        A function, as above.

    Raises:
        TypeError: Arguments that are of neither form, no loss, or a value that is no scalar tensor.
        ValueError: An op on the way to a variable has no gradient.

    Example:
        >>> import numpy as np, dlnative
        >>> model = dlnative.Sequential([dlnative.Input((2,)), dlnative.layers.Dense(1)])
        >>> x, y = np.ones((4, 2)), np.zeros((4, 1))
        >>> def loss_of_batch(x, y):
        ...     return dlnative.ops.mean(dlnative.ops.square(model(x) - y))
        >>> variables = model.trainable_variables
        >>> loss, grads = dlnative.value_and_grad(loss_of_batch, variables)(x, y)
        >>> [g.shape for g in grads]
        [(2, 1), (1,)]
        >>> loss, grads = dlnative.value_and_grad(model, "mse")(x, y)
        >>> sorted(g.shape for g in grads.values())
        [(1,), (2, 1)]
    """
    from .layers.tracking import is_layer

    if is_layer(function):
        if has_aux or len(options) > 2 or (options and dtype is not None):
            raise TypeError(
                "value_and_grad: of a model expected (model, loss, dtype, training), received "
                f"has_aux={has_aux}, dtype={dtype!r} and {options!r}"
            )
        if options:
            dtype, training = (*options, training)[:2]
        return _of_model(function, variables, dtype, training)
    if dtype is not None or len(options) > 1 or (options and has_aux):
        raise TypeError(
            "value_and_grad: of a function expected (function, variables, has_aux, training=...), "
            f"received dtype={dtype!r}, has_aux={has_aux} and {options!r}"
        )
    if options:
        (has_aux,) = options
    if not callable(function) or not _are_variables(variables):
        raise TypeError(
            "value_and_grad: expected a function and a list of Variables, or a model and a loss, "
            f"received {type(function).__name__} and {variables!r}"
        )
    return _of_function(function, list(variables), has_aux, training)


def _are_variables(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(is_variable(v) for v in value)


def _of_function(
    function: Callable[..., Any], variables: Sequence[Any], has_aux: bool, training: bool
) -> Callable[..., Any]:
    def in_trace(*args: Any, **kwargs: Any) -> tuple[Any, list]:
        graph: Any = traced_graph()
        first, at = graph.begin_function(variables)
        with graph.differentiating():
            returned = function(*args, **kwargs)
        if has_aux and not (isinstance(returned, tuple) and len(returned) == 2):
            raise TypeError(
                "value_and_grad: with has_aux the function must return a pair (scalar, anything "
                f"else), it returned {type(returned).__name__}"
            )
        value, aux = returned if has_aux else (returned, None)
        value = graph.result(value, "value_and_grad: the function")
        if value.shape != ():
            raise TypeError(
                "value_and_grad: the function must return a scalar, it returned shape "
                f"{value.shape}"
            )
        found = gradients(graph, value, at, first=first)
        if not graph.differentiated:
            graph.watched.append(value)
        if found and all(g is None for g in found):
            warn_user(
                "value_and_grad: the value depends on none of the variables, so all gradients are "
                "0; what was computed before the function was called is constant to it"
            )
        grads = [
            graph.constant(np.zeros(v.shape, v.dtype)) if g is None else g
            for v, g in zip(variables, found, strict=True)
        ]
        return ((value, aux) if has_aux else value), grads

    def run(*args: Any, **kwargs: Any) -> tuple[Any, list]:
        if traced_graph() is not None:
            return in_trace(*args, **kwargs)
        return run_at_once(in_trace, *args, training=training, **kwargs)

    return run


def run_at_once(
    function: Callable[..., Any], *args: Any, training: bool = True, **kwargs: Any
) -> Any:
    """Runs a function of tensors on arrays, op by op; arrays among its results are NumPy's.

    What it assigns to Variables is written.
    """
    graph = ImmediateGraph(training=training, step=next(_runs))

    def given(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            dtype = value.dtype.name
            return graph.constant(value, config.floatx() if dtype == "float64" else None)
        return graph.constant(value.value) if isinstance(value, ValueTensor) else value

    def result(value: Any) -> Any:
        return np.array(value.value) if isinstance(value, ImmediateTensor) else value

    with Tracing(graph):
        tensors = nest.map_structure(given, args)
        options = nest.map_structure(given, kwargs)
        results = function(*tensors, **options)
    graph.commit()
    return nest.map_structure(result, results)


def _of_model(
    model: Any, loss: Identifier, dtype: str | None, training: bool
) -> Callable[[Any, Any], tuple[float, dict[str, np.ndarray]]]:
    from . import losses

    known = losses.as_loss(loss)
    if known is None:
        raise TypeError("value_and_grad: expected a loss, received None")
    cache = engines.ProgramCache(KEPT)

    def function(x: Any, y: Any) -> tuple[float, dict[str, np.ndarray]]:
        evaluation = evaluation_of(cache, model, known, x, y, dtype, training)
        total, *grads = evaluation.run(True)
        return total.item(), dict(zip(evaluation.paths, grads))

    return function


class _Evaluation:
    """The loss of one model on one batch and its gradients, as Functions that are fed variables."""

    arrays: list[np.ndarray]  # of the batch

    def __init__(
        self,
        model: Any,
        loss: Loss,
        x: list[np.ndarray],
        y: list[np.ndarray],
        dtype: str | None,
        training: bool,
        arenas: Any = None,
    ) -> None:
        self.variables = list(model.trainable_variables)
        path_of = {id(v): path for path, v in model.variables_by_path().items()}
        self.paths = [path_of[id(v)] for v in self.variables]
        self.dtype = dtype or (self.variables[0].dtype if self.variables else config.floatx())
        self.shapes = None
        self.functions = {}
        for with_gradients in (False, True):
            graph = Graph(training=training)
            graph.floatx = self.dtype
            feeds = [graph.feed(a.shape, self.dtype) for a in x]
            numbers = getattr(loss, "sparse_labels", False)
            labels = [
                graph.feed(a.shape, "int32" if numbers or a.dtype.kind in "iu" else self.dtype)
                for a in y
            ]
            cast = [
                v for v in model.variables if v.dtype != self.dtype and v.dtype.startswith("float")
            ]
            self.fed = list(self.variables) + [v for v in cast if not v.trainable]
            for v in self.fed:
                graph.leaves[id(v)] = graph.feed(v.shape, self.dtype, v.path)
            prediction = model(feeds[0] if len(feeds) == 1 else feeds)
            total = _total(loss, labels, prediction)
            self.checks = _label_checks(loss, graph, labels, prediction)
            outputs = [total]
            if with_gradients:
                leaves = [graph.variable(v) for v in self.variables]
                for v, g in zip(self.variables, gradients(graph, total, leaves)):
                    outputs.append(
                        graph.constant(np.zeros(v.shape, self.dtype)) if g is None else g
                    )
            self.functions[with_gradients] = engines.build(graph, outputs, arenas=arenas)

    def bind(self, x: list[np.ndarray], y: list[np.ndarray]) -> _Evaluation:
        for i, check in self.checks:
            check(y[i], "y" if len(y) == 1 else f"y[{i}]")
        bound = copy.copy(self)  # another thread may run it with its own
        bound.arrays = [*x, *y]
        return bound

    def run(self, with_gradients: bool, values: list[np.ndarray] | None = None) -> Any:
        """(total, *gradients); `values` replaces the values of the variables."""
        values = [v.live for v in self.fed] if values is None else values
        return self.functions[with_gradients](*self.arrays, *values)


def _label_checks(
    loss: Loss, graph: Graph, labels: list[Tensor], prediction: Any
) -> list[tuple[int, Callable[[np.ndarray, str], None]]]:
    """(index, check(array, name)) of the labels whose values must be looked at, as `fit` does.

    Class numbers are found by the ops that take them, so that those of a user's function are, too.
    """
    predictions = prediction if isinstance(prediction, (list, tuple)) else [prediction]
    found: list[tuple[int, Callable[[np.ndarray, str], None]]] = [
        (i, functools.partial(_check_labels, loss, p.shape)) for i, p in enumerate(predictions)
    ]
    made_of = {id(t): i for i, t in enumerate(labels)}
    for node in graph.nodes:
        if node.op.view and id(node.inputs[0]) in made_of:
            made_of[id(node.outputs[0])] = made_of[id(node.inputs[0])]
        for i, (other, axis) in node.op.index_inputs.items():
            if id(node.inputs[i]) in made_of:
                check = functools.partial(_check_numbers, node.inputs[other].shape[axis])
                found.append((made_of[id(node.inputs[i])], check))
    return found


def _check_labels(loss: Loss, predictions: Shape, labels: np.ndarray, name: str) -> None:
    loss._check_labels(labels, predictions, name)


def _check_numbers(classes: int, labels: np.ndarray, name: str) -> None:
    check_class_numbers(labels, classes, name)


def _total(loss: Loss, labels: list[Tensor], prediction: Any) -> Any:
    predictions = prediction if isinstance(prediction, (list, tuple)) else [prediction]
    if len(labels) != len(predictions):
        raise ValueError(f"expected {len(predictions)} arrays of labels, received {len(labels)}")
    total = None
    for label, p in zip(labels, predictions):
        value = loss(label, p)
        total = value if total is None else total + value
    return total


def _batch(data: Any, name: str) -> list[np.ndarray]:
    arrays = (
        list(data)
        if isinstance(data, (list, tuple)) and all(hasattr(a, "shape") for a in data)
        else [data]
    )
    arrays = [np.asarray(a) for a in arrays]
    for a in arrays:
        if a.dtype.kind not in "biuf":
            raise TypeError(f"{name}: expected numeric arrays, received dtype {a.dtype}")
    return arrays


def evaluation_of(
    cache: engines.ProgramCache,
    model: Any,
    loss: Loss,
    x: Any,
    y: Any,
    dtype: str | None,
    training: bool,
) -> _Evaluation:
    """The program of the loss for arrays of these shapes, kept in `cache`, on one batch."""
    x, y = _batch(x, "x"), _batch(y, "y")
    if not model.built:
        model(x[0] if len(x) == 1 else x)
    key = (tuple((a.shape, a.dtype.kind) for a in (*x, *y)), *config.program_settings())
    evaluation = cache.get(
        key, lambda arenas: _Evaluation(model, loss, x, y, dtype, training, arenas)
    )
    return evaluation.bind(x, y)


def vjp(
    function: Callable[..., Any], *inputs: ArrayLike, training: bool = False
) -> tuple[Any, Callable[..., tuple[Any, dict[str, np.ndarray]]]]:
    """Outputs of a function, and the function from output cotangents to gradients.

    Args:
        function: A layer, a model, or a function of tensors made of dlnative.ops.
        *inputs: NumPy arrays.
        training: What layers see as `training`.

    Integers and booleans among the inputs become floats; an index belongs into the function.

    Returns:
        (outputs, pullback). `outputs` is an array, or a tuple where the function returns several.
        `pullback(*cotangents)` returns (input gradients, variable gradients): a tuple with one
        array per input, and a dict of arrays by path of the trainable variables that were used.

    Example:
        >>> import numpy as np, dlnative
        >>> y, pullback = dlnative.vjp(dlnative.ops.tanh, np.zeros(3))
        >>> pullback(np.ones(3))[0][0]
        array([1., 1., 1.])
    """
    arrays = [np.asarray(a) for a in inputs]
    arrays = [
        a if a.dtype.name in ("float32", "float64") else a.astype(config.floatx()) for a in arrays
    ]
    if getattr(function, "built", True) is False:
        function(arrays[0] if len(arrays) == 1 else arrays)
    is_layer = hasattr(function, "trainable_variables")

    def trace(graph: Graph) -> tuple[list[Tensor], Any]:
        feeds = [graph.feed(a.shape, a.dtype.name) for a in arrays]
        with Tracing(graph):
            if is_layer:
                result = function(feeds[0] if len(feeds) == 1 else feeds)
            else:
                result = function(*feeds)
        return feeds, result

    graph = Graph(training=training)
    _, result = trace(graph)
    results = list(result) if isinstance(result, (list, tuple)) else [result]
    for t in results:
        if not isinstance(t, Tensor):
            raise TypeError(
                f"vjp: expected a function that returns tensors, received {type(t).__name__}"
            )
    outputs = engines.build(graph, results)(*arrays)

    def pullback(*cotangents: ArrayLike) -> tuple[Any, dict[str, np.ndarray]]:
        if len(cotangents) != len(outputs):
            raise ValueError(f"vjp: expected {len(outputs)} cotangents, received {len(cotangents)}")
        weights = [np.asarray(c, dtype=o.dtype) for c, o in zip(cotangents, outputs)]
        for w, o in zip(weights, outputs):
            if w.shape != o.shape:
                raise ValueError(
                    f"vjp: expected a cotangent of shape {o.shape}, received {w.shape}"
                )
        backward = Graph(training=training)
        feeds, result = trace(backward)
        results = list(result) if isinstance(result, (list, tuple)) else [result]
        seeds = [backward.feed(w.shape, w.dtype.name) for w in weights]
        variables = [t for t in backward.leaves.values() if getattr(t.source, "trainable", False)]
        targets = feeds + variables
        grads = [
            backward.constant(np.zeros(t.shape, t.dtype)) if g is None else g
            for t, g in zip(targets, gradients(backward, results, targets, seeds))
        ]
        # The forward pass has changed the state already.
        backward.assigned.clear()
        values = engines.build(backward, grads)(*arrays, *weights)
        by_path = {t.source.path: g for t, g in zip(variables, values[len(feeds) :])}
        return values[: len(feeds)], by_path

    return (outputs[0] if len(outputs) == 1 else outputs), pullback
