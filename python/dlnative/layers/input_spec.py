"""InputSpec: what a layer expects of its inputs, checked before it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import messages

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..graph.types import Shape
    from .state import LayerState


class InputSpec:
    """Expected rank, shape and dtype of one input; a layer sets `self.input_spec` to it.

    Args:
        dtype: Expected dtype.
        shape: Expected shape, None where any size fits.
        ndim: Expected number of dimensions.
        max_ndim: Largest number of dimensions.
        min_ndim: Smallest number of dimensions.
        axes: Dict from an axis to its expected size.
        allow_last_axis_squeeze: A last axis of size 1 may be missing or too many.
        name: Name of the input, for inputs given as a dict.
        optional: None may be passed.
    """

    def __init__(
        self,
        dtype: str | None = None,
        shape: Sequence[int | None] | None = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: Mapping[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = dtype
        self.shape = None if shape is None else tuple(shape)
        self.ndim = ndim if self.shape is None else len(self.shape)
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = {int(axis): size for axis, size in (axes or {}).items()}
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name = name
        self.optional = optional

    def problem(self, tensor: Tensor) -> str | None:
        """What is wrong with a tensor, in words, or None."""
        shape, ndim = tensor.shape, tensor.ndim
        if self.dtype is not None and tensor.dtype != self.dtype:
            return f"dtype {self.dtype}"
        if self.ndim is not None and ndim != self.ndim and not self.allow_last_axis_squeeze:
            return f"{self.ndim} dimensions"
        if self.min_ndim is not None and ndim < self.min_ndim:
            return f"at least {self.min_ndim} dimensions"
        if self.max_ndim is not None and ndim > self.max_ndim:
            return f"at most {self.max_ndim} dimensions"
        for axis, size in self.axes.items():
            if size is None:
                continue
            if not -ndim <= axis < ndim or shape[axis] not in (size, None):
                return f"size {size} of axis {axis}"
        if self.shape is not None and not self._fits(shape, self.shape):
            return f"shape {messages.format_shape(self.shape)}"
        return None

    def _fits(self, shape: Shape, expected: Sequence[int | None]) -> bool:
        if self.allow_last_axis_squeeze:
            shape = shape[:-1] if shape and shape[-1] == 1 else shape
            expected = expected[:-1] if expected and expected[-1] == 1 else expected
        return len(shape) == len(expected) and all(
            n is None or m is None or n == m for n, m in zip(expected, shape, strict=True)
        )


def check_input_spec(layer: LayerState, spec: Any, tensors: Sequence[Tensor]) -> None:
    """Raises ValueError if the tensors are not what the layer's `input_spec` says."""
    specs = list(spec) if isinstance(spec, (list, tuple)) else [spec]
    if len(specs) != len(tensors):
        raise ValueError(
            f"{messages.describe(layer)}: expected {len(specs)} input{'s' * (len(specs) > 1)}, "
            f"received {len(tensors)}: {[messages.format_shape(t.shape) for t in tensors]}"
        )
    for each, tensor in zip(specs, tensors, strict=True):
        problem = each.problem(tensor) if each is not None else None
        if problem:
            raise ValueError(
                f"{messages.describe(layer)}: expected input with {problem}, received "
                f"{messages.format_shape(tensor.shape)} {tensor.dtype}{messages.source(tensor)}"
            )
