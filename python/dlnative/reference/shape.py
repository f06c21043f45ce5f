"""Ops that move elements and compute nothing; every result is a new C-contiguous array."""

from __future__ import annotations

import builtins

import numpy as np

from ._arrays import Array, as_array


def reshape(x: Array, shape: tuple[int, ...]) -> Array:
    """The elements of `x`, in C order, under another `shape` of the same size."""
    return as_array(np.reshape(x, shape).copy(), x.dtype)


def concatenate(*xs: Array, axis: int = -1) -> Array:
    """Join arrays along `axis`; their other axes have the same sizes."""
    return np.concatenate(xs, axis=axis)


def slice(x: Array, axis: int, start: int, stop: int) -> Array:
    """Elements `start <= i < stop` of `axis`: `y = x[..., start:stop, ...]`."""
    index = [builtins.slice(None)] * x.ndim
    index[axis] = builtins.slice(start, stop)
    return as_array(x[tuple(index)].copy(), x.dtype)


def transpose(x: Array, axes: tuple[int, ...]) -> Array:
    """Permute axes: axis `k` of the result is axis `axes[k]` of `x`."""
    return as_array(np.transpose(x, axes).copy(), x.dtype)
