"""Runs cases with dlnative, on arrays, in a graph and backwards, and compares with Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
from cases import Array, Case, arguments, leaves, weights
from names import find

import dlnative
from dlnative import engines
from dlnative.graph import Graph, Tensor
from dlnative.graph.tensor import Tracing, ValueTensor

TOLERANCE = {"float32": 2e-6, "float64": 1e-13}


class Missing(Exception):
    """dlnative has no such name, or an engine no such primitive, yet."""


def findings(case: Case, answer: dict[str, Any], engine: str) -> list[str]:
    """What is wrong with dlnative's answers to a case.

    Args:
        case: The case.
        answer: What Keras answers.
        engine: "native" or "numpy".

    Raises:
        Missing: There is nothing to be compared yet.
    """
    try:
        function = find(dlnative, case.op)
    except (AttributeError, ImportError):
        raise Missing(f"no {case.op}") from None
    if getattr(function, "__module__", "") == "dlnative.ops.rows":
        raise Missing(f"no {case.op} but the row of the op table")
    with dlnative.engine(engine):
        return [f"{case.label}: {wrong}" for wrong in _findings(case, answer)]


def _findings(case: Case, answer: dict[str, Any]) -> list[str]:
    eager = _outcome(_eager, case)
    if case.differs:
        return _differing(case, answer, eager)
    if case.raises is not None:
        wrong = [] if "error" in answer else ["Keras raises nothing"]
        wrong += _raised(case.raises, eager, "on arrays")
        if case.graph:
            wrong += _raised(case.raises, _outcome(_traced, case), "in a graph")
        return wrong
    if "error" in answer:
        return [f"Keras raises {answer['error']}"]
    wrong = _compared(case, eager, answer["results"], "on arrays")
    if case.graph:
        wrong += _compared(case, _outcome(_traced, case), answer["results"], "in a graph")
    elif not isinstance(_outcome(_traced, case), (TypeError, ValueError)):
        wrong.append("in a graph: raises nothing, though the shape depends on values")
    if case.grad:
        gradients = _outcome(_gradients, case)
        wrong += _compared(case, gradients, answer["gradients"], "gradient")
    return wrong


def _outcome(run: Any, case: Case) -> Any:
    """The results, or the error that was raised.

    Raises:
        Missing: The error is that an engine has no kernel.
    """
    try:
        return run(case)
    except Exception as error:
        text = str(error)
        if "no native kernel" in text or "module 'dlnative.reference' has no" in text:
            raise Missing(text) from None
        return error


# --- dlnative's answers ---------------------------------------------------------------------------


def _called(case: Case, args: list[Any], kwargs: dict[str, Any]) -> list[Any]:
    if case.call is not None:
        return leaves(case.call(dlnative, *args, **kwargs))
    return leaves(find(dlnative, case.op)(*args, **kwargs))


def _eager(case: Case) -> list[Any]:
    """The results on arrays; where a function is called, on value tensors."""
    plain = case.call is None
    args, kwargs = arguments(case, lambda a, static: a if plain or static else ValueTensor(a))
    return [_value(r) for r in _called(case, args, kwargs)]


def _value(result: Any) -> Any:
    return result.value if isinstance(result, ValueTensor) else result


def _traced(case: Case) -> list[Any]:
    """The results of a graph that is fed the arrays."""
    graph, arrays = Graph(), []

    def feed(array: np.ndarray, static: bool) -> Any:
        if static:
            return array
        arrays.append(array)
        return graph.feed(array.shape, array.dtype.name)

    args, kwargs = arguments(case, feed)
    with Tracing(graph):
        results = [_value(r) for r in _called(case, args, kwargs)]
    tensors = [r for r in results if isinstance(r, Tensor)]
    values = iter(engines.build(graph, tensors)(*arrays) if tensors else ())
    return [next(values) if isinstance(r, Tensor) else r for r in results]


def _gradients(case: Case) -> list[np.ndarray]:
    """The gradients of the chosen arguments, one after another."""
    inputs: list[np.ndarray] = []

    def note(array: np.ndarray, static: bool) -> Any:
        if static or array.dtype.kind != "f":
            return array
        inputs.append(array)
        return _Place(len(inputs) - 1)

    args, kwargs = arguments(case, note)
    chosen = [
        p.number for c in case.grad for p in leaves(args[c] if isinstance(c, int) else kwargs[c])
    ]

    def function(*tensors: Any) -> list[Any]:
        filled = _filled(args, tensors), _filled(kwargs, tensors)
        results = _called(case, *filled)
        return [r for r in results if isinstance(r, Tensor) and r.dtype.startswith("float")]

    results, pullback = dlnative.vjp(function, *inputs)
    results = results if isinstance(results, tuple) else (results,)
    cotangents = [weights(i, r.shape, r.dtype.name) for i, r in enumerate(results)]
    found, _ = pullback(*cotangents)
    return [found[i] for i in chosen]


class _Place:
    """Where a tensor will stand."""

    def __init__(self, number: int):
        self.number = number


def _filled(value: Any, tensors: tuple[Any, ...]) -> Any:
    if isinstance(value, _Place):
        return tensors[value.number]
    if isinstance(value, (list, tuple)):
        return type(value)([_filled(v, tensors) for v in value])
    if isinstance(value, dict):
        return {k: _filled(v, tensors) for k, v in value.items()}
    return value


# --- comparison -----------------------------------------------------------------------------------


def _raised(expected: type[Exception], outcome: Any, where: str) -> list[str]:
    if isinstance(outcome, expected):
        return []
    return [f"{where}: expected {expected.__name__}, {_described(outcome)}"]


def _described(outcome: Any) -> str:
    if isinstance(outcome, Exception):
        return f"it raises {type(outcome).__name__}: {outcome}"
    return f"it gives {outcome}"


def _differing(case: Case, answer: dict[str, Any], eager: Any) -> list[str]:
    """dlnative's answer must be the one that is expected, and another than that of Keras."""
    expected = case.differs_expect
    if isinstance(expected, type) and issubclass(expected, Exception):
        wrong = _raised(expected, eager, "on arrays")
        return wrong if "error" not in answer else [*wrong, "Keras raises, too"]
    wanted = [e.make(0) if isinstance(e, Array) else e for e in leaves(expected)]
    wrong = _compared(case, eager, wanted, "on arrays")
    if "error" not in answer and not _compared(case, eager, answer["results"], ""):
        wrong.append("it does not differ from Keras")
    return wrong


def _compared(case: Case, outcome: Any, expected: list[Any], where: str) -> list[str]:
    if isinstance(outcome, Exception):
        return [f"{where}: {_described(outcome)}"]
    if len(outcome) != len(expected):
        return [f"{where}: {len(outcome)} results, expected {len(expected)}"]
    wrong = []
    for i, (ours, theirs) in enumerate(zip(outcome, expected)):
        difference = _difference(case, ours, theirs)
        if difference:
            wrong.append(f"{where}: result {i}: {difference}")
    return wrong


def _difference(case: Case, ours: Any, theirs: Any) -> str:
    """How two results differ; empty where they do not."""
    if not isinstance(theirs, np.ndarray):
        same = type(ours) is type(theirs) and ours == theirs
        return "" if same else f"{ours!r}, expected {theirs!r}"
    if not isinstance(ours, np.ndarray):
        return f"a {type(ours).__name__}, expected an array of shape {theirs.shape}"
    if ours.dtype != theirs.dtype:
        return f"dtype {ours.dtype}, expected {theirs.dtype}"
    if ours.shape != theirs.shape:
        return f"shape {ours.shape}, expected {theirs.shape}"
    if not case.values or not ours.size:
        return ""
    if ours.dtype.kind != "f":
        equal = ours == theirs
    else:
        equal = _close(case, ours, theirs)
        if case.signs:
            equal &= (ours != 0) | (np.signbit(ours) == np.signbit(theirs))
    if equal.all():
        return ""
    at = tuple(int(i) for i in np.argwhere(~equal)[0])
    return f"{int((~equal).sum())} of {equal.size} differ, at {at} {ours[at]!r}, not {theirs[at]!r}"


def _close(case: Case, ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    finite = np.isfinite(theirs)
    tolerance = TOLERANCE[ours.dtype.name]
    rtol = tolerance if case.rtol is None else case.rtol
    atol = tolerance if case.atol is None else case.atol
    scale = np.abs(theirs[finite]).max() if finite.any() else 0
    with np.errstate(all="ignore"):
        close = np.abs(ours - theirs) <= atol * scale + rtol * np.abs(theirs)
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    return np.where(finite, close, same)
