"""keras.ops.pad: values around a tensor, made of a constant, of its edges or of its statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph.dtypes import FLOATS, INTEGERS
from ..graph.tensor import Tensor, apply
from ..graph.types import TensorLike
from . import arguments
from .creation import _linspace
from .public import as_tensor, op

_PICKING = {"edge": "edge", "reflect": "reflect", "symmetric": "symmetric", "wrap": "wrap"}
_PICKING["circular"] = "wrap"
_MODES = ("constant", "empty", "linear_ramp", "maximum", "mean", "median", "minimum", *_PICKING)


@op
def pad(
    x: TensorLike,
    pad_width: int | Sequence[Any],
    mode: str = "constant",
    constant_values: TensorLike | None = None,
) -> Tensor:
    """y = x with more values before and behind it, along each axis.

    Args:
        x: A tensor or array.
        pad_width: `((before, after), ...)` for each axis, `((before, after),)` for all of them, or
            an int for both ends of all.
        mode: What the values are. "constant": `constant_values`. "edge": the nearest value of x.
            "reflect", "symmetric": x mirrored at its last value, or behind it. "wrap", "circular":
            x again from its other end. "maximum", "minimum", "mean", "median": that of x along
            the axis. "linear_ramp": from the nearest value to 0. "empty": 0.
        constant_values: A number, or as `pad_width`; only with mode "constant".

    Raises:
        ValueError: An unknown mode, or widths that do not fit the shape.
    """
    x = as_tensor(x, name="pad")
    if mode not in _MODES:
        raise ValueError(f"pad: expected a mode of {', '.join(_MODES)}, received {mode!r}")
    if constant_values is not None and mode != "constant":
        raise ValueError(
            f"pad: constant_values are for mode 'constant', received mode {mode!r} and "
            f"{constant_values!r}"
        )
    widths = _widths(pad_width, x)
    if mode in ("constant", "empty"):
        return _constant(x, widths, 0 if constant_values is None else constant_values)
    for axis, (before, after) in enumerate(widths):
        if not before and not after:
            continue
        if x.shape[axis] == 0:
            raise ValueError(
                f"pad: axis {axis} of shape {x.shape} has no values to pad it by in mode {mode!r}"
            )
        if mode in _PICKING:
            x = _picked(x, axis, before, after, _PICKING[mode])
        elif mode == "linear_ramp":
            x = _ramps(x, axis, before, after)
        else:
            x = _statistics(x, axis, before, after, mode)
    return x


def _widths(pad_width: int | Sequence[Any], x: Tensor) -> list[tuple[int, ...]]:
    """A pair (before, after) for each axis of x."""
    pairs = pad_width if isinstance(pad_width, (list, tuple)) else np.asarray(pad_width).tolist()
    pairs = pairs if isinstance(pairs, (list, tuple)) else [(pairs, pairs)]
    if all(np.ndim(p) == 0 for p in pairs):
        pairs = [pairs]
    pairs = [tuple(p) * 2 if len(p) == 1 else tuple(p) for p in pairs]
    pairs = pairs * x.ndim if len(pairs) == 1 else pairs
    if len(pairs) != x.ndim or any(len(p) != 2 for p in pairs):
        raise ValueError(
            f"pad: expected a pair of widths for each axis of shape {x.shape}, received {pad_width}"
        )
    return [arguments.sizes("pad", "pad_width", p) for p in pairs]


def _constant(x: Tensor, widths: Sequence[Sequence[int]], values: Any) -> Tensor:
    if isinstance(values, (bool, int, float)) and float(values) == values and x.ndim:
        low, high = [a for a, _ in widths], [b for _, b in widths]
        return apply("pad", x, low=low, high=high, value=float(values))
    values = as_tensor(values, x.dtype, "pad")
    if x.ndim:
        values = apply("broadcast_to", values, shape=(x.ndim, 2))
    for axis, (before, after) in enumerate(widths):
        parts = [_fill(values[axis, 0], x, axis, before), x, _fill(values[axis, 1], x, axis, after)]
        x = _joined([p for p in parts if p is not None], axis)
    return x


def _fill(value: Tensor, x: Tensor, axis: int, width: int) -> Tensor | None:
    """`width` slices of a value that broadcasts to slices of x; None for no slice."""
    if not width:
        return None
    return apply("broadcast_to", value, shape=(*x.shape[:axis], width, *x.shape[axis + 1 :]))


def _joined(parts: Sequence[Tensor], axis: int) -> Tensor:
    return parts[0] if len(parts) == 1 else apply("concatenate", *parts, axis=axis)


def _picked(x: Tensor, axis: int, before: int, after: int, mode: Any) -> Tensor:
    rows = np.pad(np.arange(x.shape[axis], dtype="int32"), (before, after), mode=mode)
    return apply("take", x, rows, axis=axis)


def _ramps(x: Tensor, axis: int, before: int, after: int) -> Tensor:
    first = apply("slice", x, axis=axis, start=0, stop=1)
    last = apply("slice", x, axis=axis, start=x.shape[axis] - 1, stop=x.shape[axis])
    parts = [x]
    if before:
        parts.insert(0, _ramp(first, axis, before))
    if after:
        ramp = _ramp(last, axis, after)
        down = (*(slice(None),) * axis, slice(None, None, -1))
        parts.append(ramp[down])
    return _joined(parts, axis)


def _ramp(edge: Tensor, axis: int, width: int) -> Tensor:
    """`width` values from 0 towards the one of `edge`, which is not reached."""
    end = apply("reshape", edge, shape=edge.shape[:axis] + edge.shape[axis + 1 :])
    return _linspace("pad", 0, end, width, False, edge.dtype, axis)[0]


def _statistics(x: Tensor, axis: int, before: int, after: int, mode: str) -> Tensor:
    if mode in ("maximum", "minimum"):
        value = apply(mode[:3], x, axis=axis, keepdims=True)
    else:
        value = _mean(x, axis) if mode == "mean" else _median(x, axis)
        value = apply("round", value) if x.dtype in INTEGERS else value
        value = as_tensor(value, x.dtype)
    parts = [_fill(value, x, axis, before), x, _fill(value, x, axis, after)]
    return _joined([p for p in parts if p is not None], axis)


def _mean(x: Tensor, axis: int) -> Tensor:
    return apply("mean", x, axis=axis, keepdims=True)


def _median(x: Tensor, axis: int) -> Tensor:
    """The middle value along `axis`, or the mean of the two; NaN where one is NaN."""
    order = apply("argsort", x, axis=axis)
    ranked = apply("take_along_axis", x, order, axis=axis)
    n = x.shape[axis]
    middle = apply("slice", ranked, axis=axis, start=(n - 1) // 2, stop=n // 2 + 1)
    value = _mean(middle, axis)
    if x.dtype not in FLOATS:
        return value
    last = apply("slice", ranked, axis=axis, start=n - 1, stop=n)
    return apply("where", apply("isnan", last), last, value)
