"""Gradients and computations of one's own: stop_gradient is in `elementwise`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import dtypes
from ..table import Op, register, same
from ..tensor import Node, Spec, Tensor, apply
from ..types import Attributes, Gradients, Shape, Specs


@register
class CustomGradient(Op):
    """y = the first input, whose cotangent `rule` turns into those of the others."""

    name = "custom_gradient"
    open_shapes = True
    view = True
    dtype_rule = dtypes.own

    def infer(
        self, y: Tensor, *xs: Tensor, rule: Callable[[Tensor], Sequence[Tensor | None]]
    ) -> Spec:
        return same(y)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        return (None, *node.attributes["rule"](dy))

    def native_attributes(self, inputs: Sequence[Any], attributes: Attributes) -> Attributes:
        return {}

    def flops(self, node: Node) -> int:
        return 0


@register
class NumpyFunction(Op):
    """Results of a function of NumPy arrays, called at each run of the program."""

    name = "numpy_function"
    dtype_rule = dtypes.own
    calls_python = True
    may_fail = True

    def infer(
        self,
        *xs: Tensor,
        function: Callable[..., Any],
        shapes: Sequence[Shape],
        dtypes: Sequence[str],
        backward: Callable[..., Any] | None = None,
    ) -> Specs:
        return tuple(Spec(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True))

    @property
    def differentiable(self) -> bool:
        return True

    def gradient(self, node: Node, *dys: Tensor | None, needs: Sequence[bool]) -> Gradients:
        backward = node.attributes.get("backward")
        name = getattr(node.attributes["function"], "__name__", "function")
        if backward is None:
            raise ValueError(
                f"numpy_function '{name}' has no gradient: give it one by backward=, a function "
                "(*dy, *inputs) that returns the gradient of each input"
            )
        given = [apply("multiply", y, 0) if dy is None else dy for dy, y in zip(dys, node.outputs)]
        grads: Any = apply(
            "numpy_function",
            *given,
            *node.inputs,
            function=backward,
            shapes=tuple(x.shape for x in node.inputs),
            dtypes=tuple(x.dtype for x in node.inputs),
        )
        return grads

    def native_attributes(self, inputs: Sequence[Any], attributes: Attributes) -> Attributes:
        return {"function": attributes["function"]}
