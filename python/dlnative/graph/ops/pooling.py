"""Pooling: the largest or the mean value of windows, over (batch, length, channels) and images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..table import Op, add, check_same_dtype, link, same
from ..tensor import Node, Spec, Tensor, apply
from ..types import Attributes, Gradients, Padding, Shape, Specs
from ..window import AXES, slide

MAX_INDEXED_WINDOW = 255  # positions of a window that a one-byte index is used for


def window_attributes(node: Node) -> Attributes:
    """The attributes that the gradient of a pooling hands on."""
    return {
        key: node.attributes[key]
        for key in ("pool_size", "strides", "padding")
        if key in node.attributes
    }


class PoolOp(Op):
    """What the ops of pooling share: `rank` spatial axes between batch and channels."""

    def __init__(self, name: str, rank: int) -> None:
        self.name = name
        self.rank = rank

    def out_shape(
        self,
        shape: Shape,
        pool_size: Sequence[int],
        strides: Sequence[int] | None,
        padding: Padding,
    ) -> Shape:
        """Shape of y for x of `shape`; ValueError where the window does not fit."""
        if len(shape) != self.rank + 2:
            axes = ", ".join(("batch", *AXES[self.rank], "channels"))
            raise ValueError(
                f"{self.name}: expected input of shape ({axes}), received {tuple(shape)}"
            )
        strides = pool_size if strides is None else strides
        sizes, pads = slide(self.name, shape[1:-1], pool_size, strides, padding, what="pool")
        # A window must never lie in the padding alone: it would have no largest value and no mean.
        if any(max(pads[2 * i : 2 * i + 2]) >= n for i, n in enumerate(pool_size)):
            raise ValueError(
                f"{self.name}: expected less padding than the pool_size {tuple(pool_size)}, "
                f"received padding {padding!r}. Use zero_pad2d for more."
            )
        return (shape[0], *sizes, shape[-1])

    def check_cotangent(self, dy: Tensor, shape: Shape, **window: Any) -> None:
        """ValueError unless `dy` has the shape of y for x of `shape`."""
        expected = self.out_shape(shape, **window)
        if dy.shape != expected:
            raise ValueError(
                f"{self.name}: expected dy of shape {expected} for an input of shape "
                f"{tuple(shape)}, received {dy.shape}"
            )

    def flops(self, node: Node) -> int:
        pooled = min(t.size for t in (*node.inputs, *node.outputs) if t is not None)
        return pooled * math.prod(node.attributes["pool_size"])


class MaxPool(PoolOp):
    """y = the largest value of each window, padding not counted; NaN wins.

    With `indices` a second output, uint8, says where in its window (row by row) the first maximum
    stood. `activation` may be "relu", which is applied to y.
    """

    epilogue = frozenset({"indices", "relu"})
    open_shapes = True

    def infer(
        self,
        x: Tensor,
        pool_size: Sequence[int],
        strides: Sequence[int] | None = None,
        padding: Padding = "valid",
        indices: bool = False,
        activation: str | None = None,
    ) -> Specs:
        if activation not in (None, "linear", "relu"):
            raise ValueError(f"{self.name}: expected activation 'relu', received {activation!r}")
        shape = self.out_shape(x.shape, pool_size, strides, padding)
        if not indices:
            return Spec(shape, x.dtype)
        check_indexable(self.name, pool_size)
        return Spec(shape, x.dtype), Spec(shape, "uint8")

    def gradient(self, node: Node, dy: Tensor, *_: Tensor, needs: Sequence[bool]) -> Gradients:
        if node.attributes.get("activation") not in (None, "linear"):
            raise NotImplementedError(f"{self.name}: the gradient is taken before ops are fused")
        return (apply(f"{self.name}_backward", dy, node.inputs[0], **window_attributes(node)),)


class MaxPoolBackward(PoolOp):
    """dx = each dy at the first maximum of its window of x, summed where windows overlap."""

    def infer(
        self,
        dy: Tensor,
        x: Tensor,
        pool_size: Sequence[int],
        strides: Sequence[int] | None = None,
        padding: Padding = "valid",
    ) -> Spec:
        check_same_dtype(self.name, dy, x)
        self.check_cotangent(dy, x.shape, pool_size=pool_size, strides=strides, padding=padding)
        return same(x)


class MaxPoolBackwardIndices(PoolOp):
    """The same from the indices of the forward pass; with "relu", for dy where `saved` > 0.

    `saved` is y, the output of the pooling with its activation.
    """

    input_dtypes = {1: "uint8"}
    epilogue = frozenset({"relu_gradient"})

    def infer(
        self,
        dy: Tensor,
        indices: Tensor,
        saved: Tensor | None = None,
        input_shape: Any = None,
        pool_size: Any = None,
        strides: Sequence[int] | None = None,
        padding: Padding = "valid",
        activation: str | None = None,
    ) -> Spec:
        check_same_dtype(self.name, dy, saved)
        if activation not in (None, "linear", "relu"):
            raise ValueError(f"{self.name}: expected activation 'relu', received {activation!r}")
        if (saved is not None) != (activation == "relu"):
            raise ValueError(f"{self.name}: expected 'saved' with activation 'relu', and only then")
        if indices.dtype != "uint8":
            raise ValueError(f"{self.name}: expected indices of uint8, received {indices.dtype}")
        self.check_cotangent(dy, input_shape, pool_size=pool_size, strides=strides, padding=padding)
        check_indexable(self.name, pool_size)
        for name, t in (("indices", indices), ("saved", saved)):
            if t is not None and t.shape != dy.shape:
                raise ValueError(
                    f"{self.name}: expected {name} of shape {dy.shape}, received {t.shape}"
                )
        return Spec(input_shape, dy.dtype)


class AveragePool(PoolOp):
    """y = the mean value of each window; padding does not count."""

    open_shapes = True

    def infer(
        self,
        x: Tensor,
        pool_size: Sequence[int],
        strides: Sequence[int] | None = None,
        padding: Padding = "valid",
    ) -> Spec:
        return Spec(self.out_shape(x.shape, pool_size, strides, padding), x.dtype)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        shape = node.inputs[0].shape
        name = f"{self.name}_backward"
        return (apply(name, dy, input_shape=shape, **window_attributes(node)),)


class AveragePoolBackward(PoolOp):
    """dx = each dy, divided by the pixels in its window, at all of them, summed over windows."""

    def infer(
        self,
        dy: Tensor,
        input_shape: Shape,
        pool_size: Sequence[int],
        strides: Sequence[int] | None = None,
        padding: Padding = "valid",
    ) -> Spec:
        self.check_cotangent(dy, input_shape, pool_size=pool_size, strides=strides, padding=padding)
        return Spec(input_shape, dy.dtype)


def check_indexable(name: str, pool_size: Sequence[int]) -> None:
    """ValueError where a window has more positions than a byte can number."""
    if math.prod(pool_size) > MAX_INDEXED_WINDOW:
        raise ValueError(
            f"{name}: expected a window of at most {MAX_INDEXED_WINDOW} positions for one-byte "
            f"indices, received pool_size {tuple(pool_size)}"
        )


for _rank in (1, 2):
    _pool = add(MaxPool(f"max_pool{_rank}d", _rank))
    _backward = add(MaxPoolBackward(f"max_pool{_rank}d_backward", _rank))
    _backward.fused = add(MaxPoolBackwardIndices(f"max_pool{_rank}d_backward_indices", _rank))
    link(_pool, _backward)
    link(
        add(AveragePool(f"avg_pool{_rank}d", _rank)),
        add(AveragePoolBackward(f"avg_pool{_rank}d_backward", _rank)),
    )
