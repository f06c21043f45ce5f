"""Elementwise arithmetic with NumPy's broadcasting."""

from ..table import Op, add, check_same_dtype, register, same
from ..tensor import Spec, apply


def broadcast_shapes(name, a, b):
    """The broadcast shape; None sizes (an open batch) are equal to each other only."""
    shape = []
    for i in range(1, max(len(a), len(b)) + 1):
        n = a[-i] if i <= len(a) else 1
        m = b[-i] if i <= len(b) else 1
        if n != m and n != 1 and m != 1:
            raise ValueError(f"{name}: shapes {a} and {b} cannot be broadcast together")
        shape.append(m if n == 1 else n)
    return tuple(reversed(shape))


def sum_to_shape(x, shape):
    """Sums `x` over the dimensions along which `shape` was broadcast."""
    if x.shape == shape:
        return x
    lead = x.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(
        lead + i for i, n in enumerate(shape) if n == 1 and x.shape[lead + i] != 1
    )
    x = apply("sum", x, axis=axes, keepdims=True)
    return x if x.shape == shape else apply("reshape", x, shape=shape)


class BinaryOp(Op):
    inplace = {0: 0}

    def __init__(self, name, gradient=None, fusion=None):
        self.name = name
        self.rule = gradient
        self.fusion = fusion

    def infer(self, a, b):
        check_same_dtype(self.name, a, b)
        return Spec(broadcast_shapes(self.name, a.shape, b.shape), a.dtype)

    @property
    def differentiable(self):
        return self.rule is not None

    def gradient(self, node, dy, needs):
        if self.rule is None:
            return super().gradient(node, dy, needs=needs)
        grads = self.rule(dy, *node.inputs, needs)
        return tuple(
            sum_to_shape(g, x.shape) if g is not None else None for g, x in zip(grads, node.inputs)
        )


def _multiply_gradient(dy, a, b, needs):
    return apply("multiply", dy, b) if needs[0] else None, apply("multiply", dy, a) if needs[
        1
    ] else None


def _divide_gradient(dy, a, b, needs):
    da = apply("divide", dy, b)
    db = (
        apply("rescale", apply("divide", apply("multiply", da, a), b), scale=-1.0)
        if needs[1]
        else None
    )
    return da if needs[0] else None, db


add(BinaryOp("add", lambda dy, a, b, needs: (dy, dy), fusion="add"))
add(
    BinaryOp(
        "subtract",
        lambda dy, a, b, needs: (dy, apply("rescale", dy, scale=-1.0) if needs[1] else None),
    )
)
add(BinaryOp("multiply", _multiply_gradient))
add(BinaryOp("divide", _divide_gradient))
add(BinaryOp("maximum"))
add(BinaryOp("minimum"))


@register
class Rescale(Op):
    """y = x * scale + offset"""

    name = "rescale"
    inplace = {0: 0}

    def infer(self, x, scale=1.0, offset=0.0):
        return same(x)

    def gradient(self, node, dy, needs):
        return (apply("rescale", dy, scale=node.attributes.get("scale", 1.0)),)
