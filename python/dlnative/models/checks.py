"""Checks of arguments and data: everything that is wrong raises before any work is done."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..engines.feeding import integer_limits
from ..graph.graph import Graph
from ..losses.base import reduce_values
from ..metrics.base import update_metric
from ..utils.numbers import finite_number
from .arrays import Rows, check_finite, named_leaves
from .batch import flat_arrays, label_dtype

# The index of an array among `flat_arrays`, and a function of it that raises.
Check = tuple[int, Callable[[Any], None]]


def check_flag(name: str, value: Any) -> bool:
    """A bool; TypeError for anything else."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"compile: expected {name} True or False, received {value!r}")
    return bool(value)


def check_count(name: str, value: Any, low: int = 1, optional: bool = False) -> Any:
    """`value` as an int of at least `low`; None stays None where it is `optional`.

    Raises:
        TypeError: Not a whole number.
        ValueError: Too small.
    """
    if value is None and optional:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(
            f"{name}: expected a whole number, received {value!r} of type {type(value).__name__}"
        )
    if value < low:
        raise ValueError(f"{name}: expected {low} or more, received {value}")
    return int(value)


def check_fraction(name: str, value: Any) -> float:
    """A number in (0, 1), or 0 for none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(
            f"{name}: expected a number, received {value!r} of type {type(value).__name__}"
        )
    if value != 0 and not 0 < value < 1:
        raise ValueError(f"{name}: expected a number between 0 and 1, received {value!r}")
    return float(value)


def check_max_seconds(value: Any, epochs: int) -> float | None:
    """A positive number, or None; ValueError where a number of epochs is given with it."""
    if value is None:
        return None
    seconds = finite_number("fit", "max_seconds", value)
    if seconds <= 0:
        raise ValueError(f"fit: expected max_seconds greater than 0, received {value!r}")
    if epochs != 1:
        raise ValueError(
            "fit: expected epochs to be left out where max_seconds says how many there are, "
            f"received {epochs}"
        )
    return seconds


def check_verbose(value: Any) -> Any:
    """ "auto", 0, 1 or 2; ValueError for anything else."""
    if value not in ("auto", 0, 1, 2):
        raise ValueError(f"verbose: expected 'auto', 0, 1 or 2, received {value!r}")
    return value


def check_validation_freq(value: Any) -> int | set[int]:
    """A number of epochs, or the list of epochs (from 1) after which to validate."""
    if isinstance(value, (list, tuple, set)):
        return {check_count("validation_freq", epoch) for epoch in value}
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise ValueError(
            f"validation_freq: expected a whole number or a list of epochs, received {value!r} of "
            f"type {type(value).__name__}"
        )
    return check_count("validation_freq", value)


def check_shapes(rows: Rows, preds: list[tuple], dtypes: list[str], objectives: Any) -> None:
    """Emits all losses and metrics into a graph that is thrown away, for their shape rules.

    Args:
        rows: The data set; its sizes appear in messages.
        preds: Shape of each output, the batch first.
        dtypes: Dtype of each output.
        objectives: Resolved Objectives.

    Raises:
        ValueError: Labels or weights do not fit the predictions.
    """
    graph = Graph(training=False)

    def feed(array: np.ndarray, dtype: Any) -> Any:
        return graph.feed(array.shape, dtype)

    outputs = [
        graph.feed((rows.count, *shape[1:]), dtype)
        for shape, dtype in zip(preds, dtypes, strict=True)
    ]
    for target in objectives.targets:
        pred, labels, weight = _of_output(rows, outputs, target.index)
        y = feed(labels, label_dtype(target.loss, pred))
        w = None if weight is None else feed(weight, pred.dtype)
        values = target.loss._values(y, pred)
        if not graph.depends(values, pred):
            raise ValueError(f"loss '{target.loss.name}': it does not depend on the predictions")
        reduce_values(values, w, target.loss.reduction)
    for index, metric, weighted, _ in objectives.reported:
        pred, labels, weight = _of_output(rows, outputs, index)
        extra = (feed(weight, pred.dtype),) if weighted and weight is not None else ()
        update_metric(metric, feed(labels, label_dtype(metric, pred)), pred, *extra)


def _of_output(rows: Rows, outputs: list[Any], index: int) -> tuple[Any, Any, Any]:
    return outputs[index], rows.y[index], rows.weights[index]


def check_labels(rows: Rows, preds: list[tuple], objectives: Any, what: str = "y") -> None:
    """The values of labels that losses cannot compute with: class numbers out of range, ..."""
    arrays = flat_arrays(rows)
    for index, check in label_value_checks(rows, preds, objectives, what):
        check(arrays[index])


def label_value_checks(
    rows: Rows, preds: list[tuple], objectives: Any, what: str = "y"
) -> list[Check]:
    """(index among `flat_arrays`, function of these labels that raises), see `label_checks`."""
    return [
        (
            len(rows.x) + index,
            _with_arguments(check, preds[index], what if len(rows.y) == 1 else f"{what}[{index}]"),
        )
        for index, check in label_checks(objectives)
    ]


def _with_arguments(check: Callable[..., None], shape: tuple, name: str) -> Callable[[Any], None]:
    return lambda labels: check(labels, shape, name)


def label_checks(
    objectives: Any, classes_only: bool = False
) -> list[tuple[int, Callable[..., None]]]:
    """(index of the output, check(labels, shape of predictions, name)) of losses and metrics.

    Args:
        objectives: Resolved Objectives.
        classes_only: Only those of class numbers, by which memory is read.
    """
    found = [
        (target.index, target.loss._check_labels)
        for target in objectives.targets
        if target.loss.sparse_labels or (target.loss._looks_at_labels and not classes_only)
    ]
    for index, metric, _, _ in objectives.reported:
        function = getattr(metric, "_fn", None)
        check = getattr(function, "check_labels", None)
        if check is not None and getattr(function, "sparse_labels", False):
            found.append((index, functools.partial(check, **metric._fn_kwargs)))
    return found


@dataclass(frozen=True)
class FiniteCheck:
    """Looks for NaN and infinity in an array, and for what integers do not have.

    Attributes:
        name: What it is called in messages.
        dtype: The dtype in which it is computed with.
    """

    name: str
    dtype: str

    def __call__(self, array: Any) -> None:
        check_finite(self.name, array, self.dtype)


def finite_checks(
    rows: Rows, inputs: Iterable[str], outputs: Iterable[str], prefix: str = ""
) -> list[tuple[int, FiniteCheck]]:
    """(which of `flat_arrays`, where NaN and infinity are looked for): inputs, labels, weights.

    Args:
        rows: The data set.
        inputs: The dtype in which each input is computed with.
        outputs: The same of each output, and so of its labels and weights.
        prefix: What to put in front of the names.

    """
    names = [name for name, _ in named_leaves(rows.structure, f"{prefix}x")]
    for what, arrays in (("y", rows.y), ("sample_weight", rows.weights)):
        name = f"{prefix}{what}"
        names += [name] if len(arrays) == 1 else [f"{name}[{i}]" for i in range(len(arrays))]
    given = iter(inputs)
    dtypes = ["" if array is None else next(given) for array in rows.x]
    dtypes += [*outputs, *outputs]
    return [
        (i, FiniteCheck(name, dtype))
        for i, (name, dtype, array) in enumerate(zip(names, dtypes, flat_arrays(rows), strict=True))
        if array is not None and (array.dtype.kind == "f" or integer_limits(dtype, array.dtype))
    ]


def free_finite_checks(rows: Rows, dtype: str, prefix: str = "") -> list[tuple[int, FiniteCheck]]:
    """The same of data of any nesting, which are computed with in one dtype."""
    nested = {"x": rows.structure, "y": rows.y_structure, "sample_weight": rows.weight_structure}
    named = [leaf for what in nested for leaf in named_leaves(nested[what], prefix + what)]
    names = [name for name, array in named if array is not None]
    return [(i, FiniteCheck(name, dtype)) for i, name in enumerate(names)]


def class_weights(labels: np.ndarray, class_weight: Any, outputs: Any) -> np.ndarray:
    """One weight per sample from a dict {class number: weight}; classes that it leaves out get 1.

    Args:
        labels: Class numbers (n,) or (n, 1), or one-hot rows (n, classes).
        class_weight: The dict.
        outputs: Size of the last axis of the predictions: the number of classes, unless it is 1.

    Raises:
        TypeError: Not a dict of numbers.
        ValueError: Labels of another shape, a class that there is not, a weight that is not finite.
    """
    if not isinstance(class_weight, dict):
        raise TypeError(
            f"class_weight: expected a dict {{class: weight}}, received "
            f"{type(class_weight).__name__}"
        )
    for key, value in class_weight.items():
        if isinstance(key, bool) or not isinstance(key, (int, np.integer)):
            raise TypeError(f"class_weight: expected class numbers as keys, received {key!r}")
        if key < 0 or ((outputs or 1) > 1 and key >= outputs):
            raise ValueError(
                f"class_weight: there is no class {key}; expected class numbers in [0, {outputs}) "
                f"for {outputs} outputs"
            )
        finite_number("class_weight", f"the weight of class {key}", value)
    if labels.ndim > 2:
        raise ValueError(
            f"class_weight: expected one class per sample, received labels of shape {labels.shape}"
        )
    if labels.ndim == 2:
        labels = labels[:, 0] if labels.shape[1] == 1 else labels.argmax(axis=1)
    numbers = np.round(labels).astype(np.int64)
    weights = np.ones(len(numbers), dtype=np.float32)
    for key, value in class_weight.items():
        weights[numbers == key] = value
    return weights
