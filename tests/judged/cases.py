"""The judged tables: calls that real Keras and dlnative must answer alike.

`cases_<family>.py` beside this file holds the calls of a family of ops as `CASES: list[Case]`.
Keras answers them in a process of its own (`keras_worker.py`), and `test_judged.py` compares.

Example:
    CASES = [
        Case("add", (A(3, 4), A(4)), grad=(0, 1)),
        Case("sum", (A(2, 3, 4, special=(float("nan"),)),), {"axis": (0, -1)}, grad=(0,)),
        Case("concatenate", ([A(2, 3), A(1, 3)],), grad=(0,)),
        Case("reshape", (A(2, 3), (4, 2)), raises=ValueError),
        Case("nonzero", (V([0, 1, 2], "int32"),), graph=False),
        Case("get_item", (A(3, 4),), call=lambda k, x: x[::-1, None], grad=(0,)),
    ]
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Array:
    """An array that both processes make: given values, or numbers from a seeded generator."""

    shape: tuple[int, ...]
    dtype: str
    low: float = 0
    high: float = 0
    seed: int = 0
    special: tuple[float, ...] = ()
    values: Any = None

    def make(self, number: int) -> np.ndarray:
        """The values.

        Args:
            number: Which array of its case it is: arrays of one shape and seed are different.
        """
        if self.values is not None:
            return np.array(self.values, dtype=self.dtype).reshape(self.shape)
        random = np.random.Generator(np.random.PCG64((20260101, self.seed, number)))
        if self.dtype.startswith("float"):
            result = random.uniform(self.low, self.high, self.shape).astype(self.dtype)
        elif self.dtype == "bool":
            result = random.integers(0, 2, self.shape).astype(bool)
        else:
            low = max(self.low, 0) if self.dtype == "uint8" else self.low
            result = random.integers(int(low), int(self.high) + 1, self.shape).astype(self.dtype)
        result = np.asarray(result)
        count = min(len(self.special), result.size)
        result.reshape(-1)[:count] = self.special[:count]
        return result


def A(
    *shape: int,
    dtype: str = "float32",
    low: float = -2,
    high: float = 2,
    seed: int = 0,
    special: tuple[float, ...] = (),
) -> Array:
    """An array of random numbers in [low, high), integers in [low, high].

    Args:
        *shape: Its shape.
        dtype: One of the six dtypes.
        low, high: The range; booleans are false or true.
        seed: Another seed gives other numbers.
        special: Values for the first elements.
    """
    return Array(shape, dtype, low, high, seed, special)


def V(values: Any, dtype: str = "float32") -> Array:
    """An array of the values given."""
    return Array(np.shape(values), dtype, values=values)


@dataclass(frozen=True)
class Case:
    """One call of an op, and how its answers are compared.

    Attributes:
        op: Name in keras.ops, such as "add" or "image.resize"; "random.normal" is keras.random's.
        args, kwargs: The arguments. `Array`s in them, also within lists, tuples and dicts, become
            tensors; all else is passed as it is.
        grad: The args (by position) and kwargs (by name) whose gradients are compared, too: of the
            sum of the results times fixed random weights. Float arrays, or lists of such.
        call: Instead of the op a function of the package (keras or dlnative) and the arguments, for
            what is no single call: operators, indexing, custom gradients. `args` are tensors then.
        values: False: only shapes and dtypes are compared, as for random numbers.
        graph: False: the shape of the result depends on values, so that dlnative must refuse to
            trace it.
        static: Names of kwargs and positions of args that are known when a graph is made: they are
            arrays there, not tensors.
        rtol, atol: Tolerances, the second relative to the largest of the results; by default those
            of the dtype: 2e-6 for float32, 1e-13 for float64.
        why: The reason where a case has tolerances of its own.
        signs: Whether the signs of zeros are compared.
        raises: Both raise: dlnative an error of this class, Keras any.
        differs: A deliberate difference and its reason, for docs/keras.md.
        differs_expect: What dlnative answers there: an `Array`, a number, a list or tuple of such
            for several results, or the class of an error.
        differs_gradients: What the gradients of `grad` are there, as `Array`s, if cotangents are 1.
    """

    op: str
    args: tuple = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    grad: tuple[int | str, ...] = ()
    call: Callable[..., Any] | None = None
    values: bool = True
    graph: bool = True
    static: tuple[int | str, ...] = ()
    rtol: float | None = None
    atol: float | None = None
    why: str = ""
    signs: bool = False
    raises: type[Exception] | None = None
    differs: str = ""
    differs_expect: Any = None
    differs_gradients: tuple[Array, ...] = ()

    @property
    def label(self) -> str:
        """The call as it is written, for messages."""
        parts = [_text(a) for a in self.args] + [f"{k}={_text(v)}" for k, v in self.kwargs.items()]
        if self.call is not None:
            return f"{self.op}: {_source(self.call)} of {', '.join(parts)}"
        return f"{self.op}({', '.join(parts)})"

    @property
    def key(self) -> str:
        """A name for what Keras is asked."""
        call = "" if self.call is None else _identity(self.call)
        asked = (self.op, self.args, self.kwargs, self.grad, self.values, call)
        return hashlib.sha256(repr(asked).encode()).hexdigest()[:24]

    @property
    def wide(self) -> bool:
        """Whether 64-bit dtypes take part: Keras is asked with JAX_ENABLE_X64 then."""
        return any(word in repr((self.args, self.kwargs)) for word in ("float64", "int64"))


def _source(call: Callable[..., Any]) -> str:
    """The text of a function; of a lambda the lines in which it stands."""
    return " ".join(inspect.getsource(call).split())


def _identity(call: Callable[..., Any]) -> str:
    """What tells a function from others: its text and the values that it holds."""
    held = [cell.cell_contents for cell in getattr(call, "__closure__", None) or ()]
    return f"{_source(call)} {call.__defaults__} {held}"


def _text(value: Any) -> str:
    if isinstance(value, Array):
        size = "x".join(map(str, value.shape))
        if value.values is None:
            return f"{value.dtype}[{size}]"
        values = str(value.values)
        return f"{values if len(values) < 60 else values[:50] + '...'}:{value.dtype}"
    if isinstance(value, (list, tuple)):
        inner = ", ".join(map(_text, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    return repr(value)


class Place:
    """Where a tensor stands in the arguments of a call."""

    def __init__(self, number: int):
        self.number = number


class Call:
    """The arguments of a case, with Places for its tensors.

    Attributes:
        case: The case.
        tensors: The values of the tensors, by the numbers of their places.
        args, kwargs: The arguments, in which `Array`s have become Places, and arrays where they
            are static.
    """

    def __init__(self, case: Case):
        self.case = case
        self.tensors: list[np.ndarray] = []
        self._count = 0
        self.args = [self._placed(a, i in case.static) for i, a in enumerate(case.args)]
        self.kwargs = {k: self._placed(v, k in case.static) for k, v in case.kwargs.items()}

    def _placed(self, value: Any, static: bool) -> Any:
        if isinstance(value, Array):
            self._count += 1
            array = value.make(self._count)
            if static:
                return array
            self.tensors.append(array)
            return Place(len(self.tensors) - 1)
        if isinstance(value, (list, tuple)):
            return type(value)([self._placed(v, static) for v in value])
        if isinstance(value, dict):
            return {k: self._placed(v, static) for k, v in value.items()}
        return value

    def run(self, package: Any, function: Callable[..., Any], tensors: Sequence[Any]) -> list[Any]:
        """The results, one by one, of the call with these tensors.

        Args:
            package: keras or dlnative, for a case with a `call`.
            function: The op, for all others.
            tensors: What is put into the places.
        """
        args, kwargs = filled(self.args, tensors), filled(self.kwargs, tensors)
        if self.case.call is not None:
            return leaves(self.case.call(package, *args, **kwargs))
        return leaves(function(*args, **kwargs))

    def chosen(self) -> list[int]:
        """The numbers of the tensors whose gradients are compared."""
        given = [self.args[c] if isinstance(c, int) else self.kwargs[c] for c in self.case.grad]
        return [place.number for place in leaves(given)]


def filled(value: Any, tensors: Sequence[Any]) -> Any:
    """`value` with tensors in the places."""
    if isinstance(value, Place):
        return tensors[value.number]
    if isinstance(value, (list, tuple)):
        return type(value)([filled(v, tensors) for v in value])
    if isinstance(value, dict):
        return {k: filled(v, tensors) for k, v in value.items()}
    return value


def leaves(value: Any) -> list[Any]:
    """The results of a call one by one, out of tuples, lists and dicts."""
    if isinstance(value, dict):
        return [leaf for key in sorted(value) for leaf in leaves(value[key])]
    if isinstance(value, (list, tuple)):
        return [leaf for v in value for leaf in leaves(v)]
    return [value]


def weights(number: int, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """The weights of result `number` in the sum whose gradient is compared."""
    random = np.random.Generator(np.random.PCG64((7, number)))
    return np.asarray(random.uniform(0.5, 1.5, shape) * random.choice([-1, 1], shape)).astype(dtype)


def all_cases() -> dict[str, list[Case]]:
    """The cases of all families, by family."""
    families = sorted(path.stem for path in FOLDER.glob("cases_*.py"))
    return {name.removeprefix("cases_"): importlib.import_module(name).CASES for name in families}
