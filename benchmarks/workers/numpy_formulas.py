"""Primitives in NumPy, into given results where it has that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from common.formulas import COLUMNS, NARROW
from workers.base import Spec, Task, Unsupported
from workers.data import Array, magnitude, primitive_arguments

Arguments = list[Any]


def sigmoid(a: Arguments, out: Array) -> None:
    np.negative(a[0], out=out)
    np.exp(out, out=out)
    np.add(out, 1.0, out=out)
    np.reciprocal(out, out=out)


def rsqrt(a: Arguments, out: Array) -> None:
    np.sqrt(a[0], out=out)
    np.reciprocal(out, out=out)


# What is not a function of that name with `out`.
CALLS: dict[str, Callable[[Arguments, Array], Any]] = {
    "where": lambda a, out: np.where(*a),  # without `out`, and faster than copies with it
    "sum": lambda a, out: np.sum(a[0], out=out),
    "sum last axis": lambda a, out: np.sum(a[0], -1, out=out),
    "sum leading axis": lambda a, out: np.sum(a[0], 0, out=out),
    "mean": lambda a, out: np.mean(a[0], out=out),
    "max": lambda a, out: np.max(a[0], out=out),
    "add column": lambda a, out: np.add(a[0], a[1], out=out),
    "transpose": lambda a, out: np.copyto(out, a[0].T),
    "transpose narrow": lambda a, out: np.copyto(out, a[0].T),
    "concatenate": lambda a, out: np.concatenate(a, -1, out=out),
    "slice": lambda a, out: np.copyto(out, a[0][:, : COLUMNS // 2]),
    "take": lambda a, out: np.take(a[0], a[1], 0, out=out, mode="clip"),
    "take narrow": lambda a, out: np.take(a[0], a[1], 0, out=out, mode="clip"),
    "broadcast_to": lambda a, out: np.copyto(out, a[0]),
    "broadcast_to column": lambda a, out: np.copyto(out, a[0]),
    "cast": lambda a, out: np.copyto(out, a[0]),
    "cast to int32": lambda a, out: np.copyto(out, a[0], casting="unsafe"),
    "sigmoid": sigmoid,
    "power": lambda a, out: np.power(a[0], np.float32(1.7), out=out),
    "rsqrt": rsqrt,
    "cumsum": lambda a, out: np.cumsum(a[0], -1, out=out),
}


def empty_result(spec: Spec) -> Array:
    """Returns an array for the result of a primitive."""
    rows, columns = spec["shape"]
    shapes: dict[str, tuple[int, ...]] = {
        **dict.fromkeys(("sum", "mean", "max"), ()),
        "sum last axis": (rows,),
        "sum leading axis": (columns,),
        "transpose": (columns, rows),
        "transpose narrow": (NARROW, rows * columns // NARROW),
        "take narrow": (rows * columns // NARROW, NARROW),
        "slice": (rows, columns // 2),
    }
    dtypes = {"greater": np.bool_, "cast": np.float64, "cast to int32": np.int32}
    return np.zeros(shapes.get(spec["op"], (rows, columns)), dtypes.get(spec["op"], np.float32))


def primitive(spec: Spec) -> Task:
    """Prepares a primitive."""
    name = spec["op"]
    if name == "erf":
        raise Unsupported("no erf")
    arguments, out = primitive_arguments(spec), empty_result(spec)
    if name in CALLS:
        call = CALLS[name]

        def run() -> Any:
            return call(arguments, out)

    else:
        function = getattr(np, name)

        def run() -> Any:
            return function(*arguments, out=out)

    result = run()
    return Task(run, check=magnitude(out if result is None else result))
