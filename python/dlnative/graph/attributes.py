"""What the attributes of ops may be: one rule for each name, whichever op has it.

A rule returns the value as the shape rules and both engines take it: numbers as float, sizes as
tuples of int. It raises ValueError for what could mean something else in one of them: a bool where
a number is expected, NaN, an integer that does not fit into 64 bits, a size that would overflow the
arithmetic of addresses. What depends on shapes or on other attributes, the op's `infer` checks.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

import numpy as np

from .dtypes import standard_dtype
from .types import Attributes, Shape

# (name of the op, name of the attribute, value) -> the value in its one form
Rule: TypeAlias = Callable[[str, str, Any], Any]

MAX_SIZE = 2**31 - 1  # of a window, a stride, an axis
_BOOLS = (bool, np.bool_)


def _fail(op: str, name: str, expected: str, value: Any) -> NoReturn:
    raise ValueError(f"{op}: expected {name!r} to be {expected}, received {value!r}")


def _integer(value: Any, low: int, high: int) -> int | None:
    """`value` as an int of [low, high], or None."""
    if isinstance(value, _BOOLS):
        return None
    if not isinstance(value, int):  # also the sizes that stand for open ones
        try:
            value = operator.index(value)
        except TypeError:
            return None
    return value if low <= value <= high else None


def _number(value: Any) -> float | None:
    """`value` as a finite float, or None."""
    if isinstance(value, _BOOLS) or not isinstance(value, (int, float, np.integer, np.floating)):
        return None
    try:
        value = float(value)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


def number(low: float = -math.inf, below: float = math.inf) -> Rule:
    """A finite number of at least `low`, and less than `below`."""
    expected = "a finite number" + (f" of at least {low:g}" if math.isfinite(low) else "")
    expected += f" and below {below:g}" if math.isfinite(below) else ""

    def rule(op: str, name: str, value: Any) -> float:
        result = _number(value)
        if result is None or not low <= result < below:
            _fail(op, name, expected, value)
        return result

    return rule


def numbers(op: str, name: str, value: Any) -> tuple[float, ...]:
    """A pair of finite numbers."""
    result = _several(value, _number)
    if result is None or len(result) != 2:
        _fail(op, name, "two finite numbers", value)
    return result


def integer(low: int = -(2**63), high: int = 2**63 - 1) -> Rule:
    """An integer in [low, high], by default of 64 bits."""

    def rule(op: str, name: str, value: Any) -> int:
        result = _integer(value, low, high)
        if result is None:
            expected = f"an integer of at least {low}" if low >= 0 else "an integer of 64 bits"
            _fail(op, name, expected, value)
        return result

    return rule


def flag(op: str, name: str, value: Any) -> bool:
    """True or False."""
    return bool(value) if isinstance(value, _BOOLS) else _fail(op, name, "True or False", value)


def text(op: str, name: str, value: Any) -> str:
    """A string."""
    return value if isinstance(value, str) else _fail(op, name, "a string", value)


def _several(value: Any, of: Callable[[Any], Any]) -> tuple[Any, ...] | None:
    """A tuple of what `of` makes of each element, or None."""
    if not isinstance(value, (tuple, list, np.ndarray)):
        return None
    result = tuple(of(v) for v in value)
    return None if None in result else result


def _are_sizes(value: Any, low: int) -> bool:
    """Whether a value is a tuple of int in [low, MAX_SIZE] already, as nearly all are."""
    return type(value) is tuple and all(type(n) is int and low <= n <= MAX_SIZE for n in value)


def sizes(low: int) -> Rule:
    """Several integers of [low, MAX_SIZE]."""

    def rule(op: str, name: str, value: Any) -> tuple[int, ...]:
        if _are_sizes(value, low):
            return value
        result = _several(value, lambda v: _integer(v, low, MAX_SIZE))
        expected = f"a tuple of integers of at least {low} and at most {MAX_SIZE}"
        return result if result is not None else _fail(op, name, expected, value)

    return rule


def shape(op: str, name: str, value: Any) -> Shape:
    """Sizes of axes; None for one that is open."""
    if _are_sizes(value, 0):
        return value
    result = _several(value, lambda v: -1 if v is None else _integer(v, 0, 2**63 - 1))
    if result is None:
        _fail(op, name, "a tuple of integers of at least 0", value)
    return tuple(None if n == -1 else n for n in result)


def padding(op: str, name: str, value: Any) -> str | tuple[int, ...]:
    """ "valid", "same" or another word, or pixels on each side."""
    return value if isinstance(value, str) else sizes(0)(op, name, value)


def integers(op: str, name: str, value: Any) -> tuple[int, ...]:
    """Several integers of 32 bits."""
    result = _several(value, lambda v: _integer(v, -MAX_SIZE, MAX_SIZE))
    return result if result is not None else _fail(op, name, "a tuple of integers", value)


def value(op: str, name: str, value: Any) -> float:
    """Any number, also one that is not finite."""
    if isinstance(value, (int, float, np.number, np.bool_)) and not isinstance(value, complex):
        return float(value)
    return _fail(op, name, "a number", value)


def function(op: str, name: str, value: Any) -> Callable[..., Any]:
    """Anything that can be called."""
    return value if callable(value) else _fail(op, name, "a function", value)


def dtype(op: str, name: str, value: Any) -> str:
    """The name of one of the six dtypes."""
    return standard_dtype(value, f"{op}: {name}")


def each(rule: Rule, expected: str) -> Rule:
    """A tuple of what `rule` allows."""

    def several(op: str, name: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, (tuple, list)):
            _fail(op, name, expected, value)
        return tuple(rule(op, name, v) for v in value)

    return several


def axes(op: str, name: str, value: Any) -> int | tuple[int, ...] | None:
    """None, an axis or several."""
    if value is None:
        return None
    one = _integer(value, -MAX_SIZE, MAX_SIZE)
    if one is not None:
        return one
    result = _several(value, lambda v: _integer(v, -MAX_SIZE, MAX_SIZE))
    return result if result is not None else _fail(op, name, "an axis or a tuple of axes", value)


def samples(op: str, name: str, value: Any) -> tuple[int, ...]:
    """Numbers of samples: integers of at least 0."""
    result = _several(value, lambda v: _integer(v, 0, 2**63 - 1))
    return result if result is not None else _fail(op, name, "numbers of samples", value)


_SEED = integer(high=2**64 - 1)  # all 64 bits, with or without a sign
RULES: dict[str, Rule] = {
    **dict.fromkeys(
        ("alpha", "fill_value", "label_smoothing", "offset", "scale", "threshold"),
        number(),
    ),
    **dict.fromkeys(("epsilon", "max_value", "negative_slope"), number(0)),
    **dict.fromkeys(
        ("factor", "height_shift", "height_zoom", "rotation", "value_range")
        + ("width_shift", "width_zoom"),
        numbers,
    ),
    **dict.fromkeys(("epoch", "op_id", "seed", "step"), _SEED),
    **dict.fromkeys(("height", "start", "stop", "width"), integer(0, MAX_SIZE)),
    "groups": integer(1, MAX_SIZE),
    **dict.fromkeys(
        ("approximate", "bias", "indices", "keepdims", "log", "nesterov")
        + ("pre_activation", "residual", "transpose_a", "transpose_b"),
        flag,
    ),
    **dict.fromkeys(("activation", "fill_mode", "interpolation", "mode", "padding_mode"), text),
    **dict.fromkeys(
        ("dilation_rate", "kernel_size", "pool_size", "size", "strides"),
        sizes(1),
    ),
    **dict.fromkeys(("cropping", "output_padding", "window"), sizes(0)),
    **dict.fromkeys(("input_shape", "shape", "sizes"), shape),
    **dict.fromkeys(("starts", "steps"), integers),
    **dict.fromkeys(("high", "interior", "low"), sizes(0)),
    **dict.fromkeys(("descending", "reverse"), flag),
    **dict.fromkeys(("side", "what"), text),
    "value": value,
    "dtype": dtype,
    "dtypes": each(dtype, "a tuple of dtypes"),
    "shapes": each(shape, "a tuple of shapes"),
    **dict.fromkeys(("backward", "function", "rule"), function),
    "padding": padding,
    "axis": axes,
    "axes": axes,
    "samples": samples,
}

# Where None stands for what the op does without the attribute.
OPTIONAL = frozenset(
    (
        "activation",
        "backward",
        "dilation_rate",
        "epoch",
        "interior",
        "max_value",
        "output_padding",
        "samples",
        "step",
    )
    + ("strides", "width_zoom")
)


def checked(op: str, attributes: Attributes) -> Attributes:
    """The attributes of the op of this name in their one form, those without effect left out.

    Raises:
        ValueError: An attribute is of a wrong type or beyond what any op takes.
    """
    result = {}
    for name, value in attributes.items():
        if value is None and name in OPTIONAL:
            continue
        rule = RULES.get(name)
        result[name] = value if rule is None else rule(op, name, value)
    return result
