"""Matrix products: matmul, dense (x @ kernel + bias) and the parts of its gradient."""

import math

from ..table import Op, check_same_dtype, register
from ..tensor import Spec, apply
from .activations import ACTIVATIONS, check_activation


def rows_of(shape):
    """Product of all sizes but the last; None while one is open."""
    return None if None in shape[:-1] else math.prod(shape[:-1])


@register
class Matmul(Op):
    """C = op(A) op(B), op(M) = M or its transpose; A (m, k), B (k, n) after op."""

    name = "matmul"

    def infer(self, a, b, transpose_a=False, transpose_b=False):
        check_same_dtype(self.name, a, b)
        if a.ndim != 2 or b.ndim != 2:
            raise ValueError(
                f"matmul: expected two matrices, received shapes {a.shape} and {b.shape}"
            )
        m, k = a.shape[::-1] if transpose_a else a.shape
        k2, n = b.shape[::-1] if transpose_b else b.shape
        if k != k2:
            raise ValueError(
                f"matmul: inner sizes differ, {k} and {k2}, for shapes {a.shape}"
                f"{' transposed' if transpose_a else ''} and {b.shape}"
                f"{' transposed' if transpose_b else ''}"
            )
        return Spec((m, n), a.dtype)

    def gradient(self, node, dy, needs):
        a, b = node.inputs
        ta = node.attributes.get("transpose_a", False)
        tb = node.attributes.get("transpose_b", False)
        da = db = None
        if needs[0]:  # dA = dC B^T, dA^T = B dC^T
            da = (
                apply("matmul", b, dy, transpose_a=tb, transpose_b=True)
                if ta
                else apply("matmul", dy, b, transpose_b=not tb)
            )
        if needs[1]:
            db = (
                apply("matmul", dy, a, transpose_a=True, transpose_b=ta)
                if tb
                else apply("matmul", a, dy, transpose_a=not ta)
            )
        return da, db

    def flops(self, node):
        a = node.inputs[0]
        k = a.shape[0] if node.attributes.get("transpose_a", False) else a.shape[1]
        return 2 * node.outputs[0].size * k


@register
class Dense(Op):
    """y = activation(x @ kernel + bias); x (..., in), kernel (in, out), bias (out,), y (..., out).

    With `pre_activation` the op has a second output, x @ kernel + bias, for activations whose
    gradient needs their input.
    """

    name = "dense"
    epilogue = frozenset({"activation"})

    def infer(self, x, kernel, bias=None, activation=None, pre_activation=False, **attributes):
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

    def gradient(self, node, dy, needs):
        x, kernel = node.inputs[:2]
        activation = node.attributes.get("activation")
        if activation not in (None, "linear"):
            raise NotImplementedError("dense: the gradient is taken before activations are fused")
        return (
            apply("dense_backward_input", dy, kernel) if needs[0] else None,
            apply("dense_backward_kernel", x, dy) if needs[1] else None,
            apply("bias_backward", dy) if len(needs) > 2 and needs[2] else None,
        )

    def flops(self, node):
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

    def infer(self, dy, kernel, saved=None, activation=None, **attributes):
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

    def flops(self, node):
        return 2 * node.outputs[0].size * node.inputs[1].shape[1]


@register
class DenseBackwardKernel(Op):
    """dkernel = x^T @ dy over all rows; with `bias` also dbias, the sum of dy over rows."""

    name = "dense_backward_kernel"
    epilogue = frozenset({"bias_gradient"})

    def infer(self, x, dy, bias=False):
        check_same_dtype(self.name, x, dy)
        if x.ndim < 2 or x.shape[:-1] != dy.shape[:-1]:
            raise ValueError(
                "dense_backward_kernel: expected x and dy with the same rows, "
                f"received {x.shape} and {dy.shape}"
            )
        dkernel = Spec((x.shape[-1], dy.shape[-1]), x.dtype)
        return (dkernel, Spec((dy.shape[-1],), x.dtype)) if bias else dkernel

    def flops(self, node):
        return 2 * node.outputs[0].size * rows_of(node.inputs[0].shape)


@register
class BiasBackward(Op):
    """dbias = sum of dy over all axes but the last."""

    name = "bias_backward"
    fusion = "bias_gradient"

    def infer(self, dy):
        return Spec(dy.shape[-1:], dy.dtype)

    def flops(self, node):
        return node.inputs[0].size
