"""Runs cases with dlnative, on arrays, in a graph and backwards, and compares with Keras."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from cases import Array, Call, Case, leaves, weights
from document import is_there
from names import find

import dlnative
from dlnative import engines
from dlnative.graph import Graph, Tensor
from dlnative.graph.tensor import Tracing, ValueTensor

TOLERANCE = {"float32": 2e-6, "float64": 1e-13}


_LACKING = (
    "no native kernel",
    "module 'dlnative.reference' has no",
    "dlnative.ops has no op",
    "module 'dlnative.random' has no",
)


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
    if case.call is None and not is_there(case.op):
        raise Missing(f"no {case.op}")
    with dlnative.engine(engine):
        return [f"{case.label}: {wrong}" for wrong in _findings(case, answer)]


def _findings(case: Case, answer: dict[str, Any]) -> list[str]:
    eager = _outcome(_eager, case)
    answer = _of_floatx(case, answer)
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


def _of_floatx(case: Case, answer: dict[str, Any]) -> dict[str, Any]:
    """The answer in float32 where it is float64 only because integers of 64 bits took part.

    Keras says that such integers become floats of `floatx`; JAX with 64 bits gives float64.
    """
    if "error" in answer or not case.wide or "float64" in repr((case.args, case.kwargs)):
        return answer

    def narrow(result: Any) -> Any:
        wide = isinstance(result, np.ndarray) and result.dtype == np.float64
        return result.astype("float32") if wide else result

    return {key: [narrow(result) for result in results] for key, results in answer.items()}


def _outcome(run: Any, case: Case) -> Any:
    """The results, or the error that was raised.

    Raises:
        Missing: The error is that an engine has no kernel.
    """
    try:
        return run(case)
    except Exception as error:
        text = str(error)
        if any(part in text for part in _LACKING):
            raise Missing(text) from None
        return error


# --- dlnative's answers ---------------------------------------------------------------------------


def _run(call: Call, tensors: Sequence[Any]) -> list[Any]:
    function = None if call.case.call is not None else find(dlnative, call.case.op)
    results = call.run(dlnative, function, tensors)
    return [r.value if isinstance(r, ValueTensor) else r for r in results]


def _eager(case: Case) -> list[Any]:
    """The results on arrays; where a function is called, on value tensors."""
    call = Call(case)
    return _run(call, call.tensors if case.call is None else [ValueTensor(t) for t in call.tensors])


def _traced(case: Case) -> list[Any]:
    """The results of a graph that is fed the arrays."""
    call, graph = Call(case), Graph()
    feeds = [graph.feed(t.shape, t.dtype.name) for t in call.tensors]
    with Tracing(graph):
        results = _run(call, feeds)
    tensors = [r for r in results if isinstance(r, Tensor)]
    values = iter(engines.build(graph, tensors)(*call.tensors) if tensors else ())
    return [next(values) if isinstance(r, Tensor) else r for r in results]


def _plain_gradients(case: Case) -> list[np.ndarray]:
    return _gradients(case, weighted=False)


def _gradients(case: Case, weighted: bool = True) -> list[np.ndarray]:
    """The gradients of the chosen tensors, one after another, of a weighted or a plain sum."""
    call = Call(case)
    floats = [i for i, t in enumerate(call.tensors) if t.dtype.kind == "f"]

    def function(*given: Any) -> list[Any]:
        replaced = dict(zip(floats, given))
        results = _run(call, [replaced.get(i, t) for i, t in enumerate(call.tensors)])
        return [r for r in results if isinstance(r, Tensor) and r.dtype.startswith("float")]

    results, pullback = dlnative.vjp(function, *(call.tensors[i] for i in floats))
    results = results if isinstance(results, tuple) else (results,)
    make = weights if weighted else (lambda number, *like: np.ones(*like))
    found, _ = pullback(*(make(i, r.shape, r.dtype.name) for i, r in enumerate(results)))
    return [found[floats.index(i)] for i in call.chosen()]


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
    same = "error" not in answer and not _compared(case, eager, answer["results"], "")
    if case.graph:
        wrong += _compared(case, _outcome(_traced, case), wanted, "in a graph")
    if case.grad:
        wanted = [g.make(0) for g in case.differs_gradients]
        wrong += _compared(case, _outcome(_plain_gradients, case), wanted, "gradient")
        same &= not _compared(case, _outcome(_gradients, case), answer["gradients"], "")
    return [*wrong, "it does not differ from Keras"] if same else wrong


def _compared(case: Case, outcome: Any, expected: list[Any], where: str) -> list[str]:
    if isinstance(outcome, Exception):
        return [f"{where}: {_described(outcome)}"]
    if len(outcome) != len(expected):
        return [f"{where}: {len(outcome)} results, expected {len(expected)}"]
    wrong = []
    for i, (ours, theirs) in enumerate(zip(outcome, expected)):
        difference = _difference(case, ours, theirs, case.signs and where != "gradient")
        if difference:
            wrong.append(f"{where}: result {i}: {difference}")
    return wrong


def _difference(case: Case, ours: Any, theirs: Any, signs: bool) -> str:
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
        if signs:
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
