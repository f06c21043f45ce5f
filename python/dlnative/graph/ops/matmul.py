"""Matrix products: matmul, dense (x @ kernel + bias) and the parts of its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import dtypes
from ..open_shapes import total
from ..table import Op, check_same_dtype, register
from ..tensor import Node, Spec, Tensor, apply
from ..types import Gradients, Shape, Size, Specs
from .activations import ACTIVATIONS, check_activation
from .elementwise import broadcast_shapes, sum_to_shape


def rows_of(shape: Shape) -> Size:
    """Product of all sizes but the last; None while one is open."""
    return total(shape[:-1])


def _swapped(x: Tensor) -> Shape:
    """The shape of a matrix, or of many, with the last two axes swapped."""
    return (*x.shape[:-2], x.shape[-1], x.shape[-2])


@register
class Matmul(Op):
    """C = op(A) op(B) as NumPy's matmul, op(M) = M or M with its last two axes swapped.

    After op A is (..., m, k) and B (..., k, n), and the axes before these broadcast. A vector, that
    has no op, is one row on the left or one column on the right, and C does not have that axis.
    """

    name = "matmul"
    open_shapes = True
    dtype_rule = dtypes.common

    def infer(
        self, a: Tensor, b: Tensor, transpose_a: bool = False, transpose_b: bool = False
    ) -> Spec:
        check_same_dtype(self.name, a, b)
        for x, side, swap in ((a, "left", transpose_a), (b, "right", transpose_b)):
            if x.ndim < (2 if swap else 1):
                raise ValueError(
                    f"matmul: expected a matrix{'' if swap else ' or a vector'} on the {side}"
                    f"{' to transpose' if swap else ''}, received shape {x.shape}"
                )
        left = _swapped(a) if transpose_a else a.shape
        right = _swapped(b) if transpose_b else b.shape
        k, k2 = left[-1], right[-2 if b.ndim > 1 else -1]
        if k != k2 and None not in (k, k2):
            raise ValueError(
                f"matmul: inner sizes differ, {k} and {k2}, for shapes {a.shape}"
                f"{' transposed' if transpose_a else ''} and {b.shape}"
                f"{' transposed' if transpose_b else ''}"
            )
        batch = broadcast_shapes(self.name, left[:-2], right[:-2])
        rows = left[-2:-1]
        return Spec(batch + rows + (right[-1:] if b.ndim > 1 else ()), a.dtype)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        a, b = node.inputs
        ta = node.attributes.get("transpose_a", False)
        tb = node.attributes.get("transpose_b", False)
        left = a if a.ndim > 1 else apply("reshape", a, shape=(1, *a.shape))
        right = b if b.ndim > 1 else apply("reshape", b, shape=(*b.shape, 1))
        m, n = left.shape[-1 if ta else -2], right.shape[-2 if tb else -1]
        if right.ndim == 2 and left.ndim > 2 and not ta:  # one product of all rows
            left = apply("reshape", left, shape=(rows_of(left.shape), left.shape[-1]))
            dy = apply("reshape", dy, shape=(left.shape[0], n))
        elif a.ndim == 1 or b.ndim == 1:
            batch = broadcast_shapes(self.name, left.shape[:-2], right.shape[:-2])
            dy = apply("reshape", dy, shape=(*batch, m, n))
        da = db = None
        if needs[0]:  # dA = dC B^T, dA^T = B dC^T
            da = (
                apply("matmul", right, dy, transpose_a=tb, transpose_b=True)
                if ta
                else apply("matmul", dy, right, transpose_b=not tb)
            )
        if needs[1]:
            db = (
                apply("matmul", dy, left, transpose_a=True, transpose_b=ta)
                if tb
                else apply("matmul", left, dy, transpose_a=not ta)
            )
        return _like(da, left, a), _like(db, right, b)

    def flops(self, node: Node) -> int:
        a = node.inputs[0]
        swapped = node.attributes.get("transpose_a", False)
        return 2 * node.outputs[0].size * a.shape[-2 if swapped else -1]


def _like(gradient: Tensor | None, matrix: Tensor, operand: Tensor) -> Tensor | None:
    """The gradient of a matrix summed over what was broadcast, in the shape of the operand."""
    if gradient is None:
        return None
    gradient = sum_to_shape(gradient, matrix.shape)
    if matrix.shape == operand.shape:
        return gradient
    return apply("reshape", gradient, shape=operand.shape)


def _check_not_fused(name: str, node: Node) -> None:
    if node.attributes.get("activation") not in (None, "linear"):
        raise NotImplementedError(f"{name}: the gradient is taken before activations are fused")


@register
class Dense(Op):
    """y = activation(x @ kernel + bias); x (..., in), kernel (in, out), bias (out,), y (..., out).

    With `pre_activation` the op has a second output, x @ kernel + bias, for activations whose
    gradient needs their input.
    """

    name = "dense"
    epilogue = frozenset({"activation"})

    def infer(
        self,
        x: Tensor,
        kernel: Tensor,
        bias: Tensor | None = None,
        activation: str | None = None,
        pre_activation: bool = False,
        **attributes: Any,
    ) -> Specs:
        check_same_dtype(self.name, x, kernel, bias)
        check_activation(self.name, activation, attributes)
        if kernel.ndim != 2:
            raise ValueError(
                f"dense: expected a kernel of shape (in, out), received {kernel.shape}"
            )
        if x.ndim < 2 or x.shape[-1] != kernel.shape[0]:
            raise ValueError(
                f"dense: expected input of shape (batch, {kernel.shape[0]}) to match the kernel "
                f"{kernel.shape}, received {x.shape}"
            )
        if bias is not None and bias.shape != kernel.shape[1:]:
            raise ValueError(
                f"dense: expected a bias of shape {kernel.shape[1:]}, received {bias.shape}"
            )
        y = Spec(x.shape[:-1] + (kernel.shape[1],), x.dtype)
        return (y, y) if pre_activation else y

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        x, kernel = node.inputs[:2]
        _check_not_fused(self.name, node)
        return (
            apply("dense_backward_input", dy, kernel) if needs[0] else None,
            apply("dense_backward_kernel", x, dy) if needs[1] else None,
            apply("bias_backward", dy) if len(needs) > 2 and needs[2] else None,
        )

    def flops(self, node: Node) -> int:
        flops = 2 * node.outputs[0].size * node.inputs[1].shape[0]
        if len(node.inputs) > 2 and node.inputs[2] is not None:
            flops += node.outputs[0].size
        activation = node.attributes.get("activation")
        if activation:
            flops += ACTIVATIONS[activation].flops_per_element * node.outputs[0].size
        return flops


@register
class DenseBackwardInput(Op):
    """dx = dy @ kernel^T; with `activation`, times the activation's derivative at `saved`."""

    name = "dense_backward_input"
    epilogue = frozenset({"activation_gradient"})

    def infer(
        self,
        dy: Tensor,
        kernel: Tensor,
        saved: Tensor | None = None,
        activation: str | None = None,
        **attributes: Any,
    ) -> Spec:
        check_same_dtype(self.name, dy, kernel, saved)
        check_activation(self.name, activation, attributes)
        if kernel.ndim != 2 or dy.ndim < 2 or dy.shape[-1] != kernel.shape[-1]:
            raise ValueError(
                f"dense_backward_input: expected dy of shape (batch, {kernel.shape[-1]}) to match "
                f"the kernel {kernel.shape}, received {dy.shape}"
            )
        shape = dy.shape[:-1] + (kernel.shape[0],)
        if (saved is None) != (activation is None) or (saved is not None and saved.shape != shape):
            raise ValueError(
                f"dense_backward_input: expected 'saved' of shape {shape} with an activation and "
                f"only then, received {None if saved is None else saved.shape}"
            )
        return Spec(shape, dy.dtype)

    def gradient(self, node: Node, ddx: Tensor, needs: Sequence[bool]) -> Gradients:
        dy, kernel = node.inputs[:2]
        _check_not_fused(self.name, node)
        return (
            apply("dense", ddx, kernel) if needs[0] else None,
            apply("dense_backward_kernel", ddx, dy) if needs[1] else None,
            *([None] * (len(needs) - 2)),
        )

    def flops(self, node: Node) -> int:
        return 2 * node.outputs[0].size * node.inputs[1].shape[1]


@register
class DenseBackwardKernel(Op):
    """dkernel = x^T @ dy over all rows; with `bias` also dbias, the sum of dy over rows."""

    name = "dense_backward_kernel"
    epilogue = frozenset({"bias_gradient"})

    def infer(self, x: Tensor, dy: Tensor, bias: bool = False) -> Specs:
        check_same_dtype(self.name, x, dy)
        if x.ndim < 2 or x.shape[:-1] != dy.shape[:-1]:
            raise ValueError(
                "dense_backward_kernel: expected x and dy with the same rows, "
                f"received {x.shape} and {dy.shape}"
            )
        dkernel = Spec((x.shape[-1], dy.shape[-1]), x.dtype)
        return (dkernel, Spec((dy.shape[-1],), x.dtype)) if bias else dkernel

    def gradient(
        self, node: Node, ddkernel: Tensor, ddbias: Tensor | None = None, *, needs: Sequence[bool]
    ) -> Gradients:
        x, dy = node.inputs
        dx = ddy = None
        if ddkernel is not None:
            dx = apply("dense_backward_input", dy, ddkernel) if needs[0] else None
            ddy = apply("dense", x, ddkernel) if needs[1] else None
        if ddbias is not None and needs[1]:
            spread = apply("broadcast_to", ddbias, shape=dy.shape)
            ddy = spread if ddy is None else ddy + spread
        return dx, ddy

    def flops(self, node: Node) -> int:
        return 2 * node.outputs[0].size * rows_of(node.inputs[0].shape)


@register
class BiasBackward(Op):
    """dbias = sum of dy over all axes but the last."""

    name = "bias_backward"
    fusion = "bias_gradient"

    def infer(self, dy: Tensor) -> Spec:
        return Spec(dy.shape[-1:], dy.dtype)

    def gradient(self, node: Node, ddbias: Tensor, needs: Sequence[bool]) -> Gradients:
        return (apply("broadcast_to", ddbias, shape=node.inputs[0].shape),)

    def flops(self, node: Node) -> int:
        return node.inputs[0].size
