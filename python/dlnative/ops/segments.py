"""keras.ops: values put together by the numbers of the segments that they belong to."""

from __future__ import annotations

import numpy as np

from ..graph.dtypes import FLOATS
from ..graph.tensor import Tensor, apply
from ..graph.types import TensorLike
from . import arguments
from .public import as_tensor, op

_ARGS = """
    Args:
        data: A tensor or array.
        segment_ids: A vector of integers: the segment of each data[i]. Those out of range, as -1,
            do not count.
        num_segments: The size of the result; by default the largest number of a segment and one
            more, which needs an array.
        sorted: Whether segment_ids are known to be sorted; it changes nothing here.
"""


def _segments(
    name: str,
    data: TensorLike,
    segment_ids: TensorLike,
    num_segments: int | None,
    mode: str,
    start: TensorLike,
) -> Tensor:
    data = as_tensor(data, name=name)
    data = arguments.rank(name, as_tensor(data, "int32") if data.dtype == "bool" else data, 1)
    ids = arguments.rank(name, as_tensor(segment_ids, name=name), 1, 1)
    if ids.dtype in FLOATS or ids.dtype == "bool":
        raise TypeError(f"{name}: expected segment_ids of integers, received {ids.dtype}")
    if ids.shape[0] != data.shape[0]:
        raise ValueError(
            f"{name}: expected a segment for each of {data.shape[0]} slices of data, received "
            f"segment_ids of shape {ids.shape}"
        )
    if num_segments is None:
        found = arguments.known(name, ids, "give num_segments")
        num_segments = int(found.max(initial=-1)) + 1
    count = arguments.at_least(name, "num_segments", num_segments, 0)
    # One more segment takes what does not count.
    ids = as_tensor(ids, "int32") if ids.dtype == "uint8" else ids
    outside = apply("logical_or", apply("less", ids, 0), apply("greater_equal", ids, count))
    ids = apply("where", outside, count, ids)
    first = arguments.filled((data, ids), start, (count + 1, *data.shape[1:]), data.dtype)
    y = apply("scatter", first, ids, data, mode=mode)
    return apply("slice", y, axis=0, start=0, stop=count)


def _end(data: TensorLike, sign: int) -> float:
    """The number of the dtype that no other is above, or below with sign -1."""
    dtype = as_tensor(data).dtype
    if dtype in FLOATS:
        return sign * float("inf")
    info = np.iinfo("int32" if dtype == "bool" else dtype)
    return int(info.max if sign > 0 else info.min)


@op
def segment_sum(
    data: TensorLike, segment_ids: TensorLike, num_segments: int | None = None, sorted: bool = False
) -> Tensor:
    return _segments("segment_sum", data, segment_ids, num_segments, "add", 0)


@op
def segment_prod(
    data: TensorLike, segment_ids: TensorLike, num_segments: int | None = None, sorted: bool = False
) -> Tensor:
    return _segments("segment_prod", data, segment_ids, num_segments, "multiply", 1)


@op
def segment_max(
    data: TensorLike, segment_ids: TensorLike, num_segments: int | None = None, sorted: bool = False
) -> Tensor:
    return _segments("segment_max", data, segment_ids, num_segments, "max", _end(data, -1))


@op
def segment_min(
    data: TensorLike, segment_ids: TensorLike, num_segments: int | None = None, sorted: bool = False
) -> Tensor:
    return _segments("segment_min", data, segment_ids, num_segments, "min", _end(data, 1))


segment_sum.__doc__ = f"""y[k] = the sum of the data[i] of segment k; 0 for none.
{_ARGS}"""
segment_prod.__doc__ = f"""y[k] = the product of the data[i] of segment k; 1 for none.
{_ARGS}"""
segment_max.__doc__ = f"""y[k] = the largest data[i] of segment k; -infinity for none.
{_ARGS}"""
segment_min.__doc__ = f"""y[k] = the smallest data[i] of segment k; infinity for none.
{_ARGS}"""
