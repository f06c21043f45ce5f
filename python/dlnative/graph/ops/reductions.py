"""Sums, means and extrema over axes."""

from ..table import Op, add, normalize_axes, normalize_axis, register
from ..tensor import Spec, apply


def reduced_shape(shape, axes, keepdims):
    if keepdims:
        return tuple(1 if i in axes else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in axes)


class ReductionOp(Op):
    reduces = True

    def __init__(self, name):
        self.name = name

    def infer(self, x, axis=None, keepdims=False):
        axes = normalize_axes(self.name, axis, x.ndim)
        return Spec(reduced_shape(x.shape, axes, keepdims), x.dtype)

    def flops(self, node):
        return node.inputs[0].size


class ExtremumOp(ReductionOp):
    def infer(self, x, axis=None, keepdims=False):
        if any(x.shape[a] == 0 for a in normalize_axes(self.name, axis, x.ndim)):
            raise ValueError(
                f"{self.name}: an empty axis has no extremum, received shape {x.shape}"
            )
        return super().infer(x, axis, keepdims)


class SumOp(ReductionOp):
    def gradient(self, node, dy, needs):
        x = node.inputs[0]
        axes = normalize_axes(self.name, node.attributes.get("axis"), x.ndim)
        kept = reduced_shape(x.shape, axes, True)
        dy = dy if dy.shape == kept else apply("reshape", dy, shape=kept)
        return (apply("broadcast_to", dy, shape=x.shape),)


class MeanOp(SumOp):
    def gradient(self, node, dy, needs):
        x = node.inputs[0]
        count = 1
        for a in normalize_axes(self.name, node.attributes.get("axis"), x.ndim):
            count *= x.shape[a]
        return super().gradient(node, apply("rescale", dy, scale=1.0 / count), needs)


add(SumOp("sum"))
add(MeanOp("mean"))
add(ExtremumOp("max"))
add(ExtremumOp("min"))


@register
class Argmax(Op):
    """The index of the first maximum along one axis, int32."""

    name = "argmax"

    def infer(self, x, axis=-1):
        axis = normalize_axis(self.name, axis, x.ndim)
        if x.shape[axis] == 0:
            raise ValueError(f"argmax: axis {axis} is empty, received shape {x.shape}")
        return Spec(reduced_shape(x.shape, (axis,), False), "int32")


@register
class BroadcastTo(Op):
    """y = x repeated along the dimensions where its size is 1."""

    name = "broadcast_to"

    def infer(self, x, shape):
        from .arithmetic import broadcast_shapes

        if broadcast_shapes(self.name, x.shape, tuple(shape)) != tuple(shape):
            raise ValueError(f"broadcast_to: shape {x.shape} does not broadcast to {tuple(shape)}")
        return Spec(shape, x.dtype)

    def gradient(self, node, dy, needs):
        from .arithmetic import sum_to_shape

        return (sum_to_shape(dy, node.inputs[0].shape),)
