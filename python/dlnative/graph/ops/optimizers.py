"""Updates of optimizers that are computed by kernels of their own, and the norm of all gradients.

An update takes a parameter, its slots, the gradient and the numbers of this step, and gives the new
parameter and slots. All other optimizers are compositions of primitives (`dlnative.optimizers`).
"""

from __future__ import annotations

from typing import Any

from ..table import Op, add, check_same_dtype, check_scalar, register
from ..tensor import Node, Spec, Tensor
from ..types import Specs


class UpdateOp(Op):
    """One update of one parameter (or of one flat buffer of parameters).

    Args:
        name: Name of the op.
        slots: Names of the arrays after the parameter; those that the options do not need are None.
        numbers: Names of the float64 scalars after the gradient; None is 0.
        options: Names of the attributes.
        flops: Per element.
    """

    elementwise = True

    def __init__(
        self,
        name: str,
        slots: tuple[str, ...],
        numbers: tuple[str, ...],
        options: tuple[str, ...],
        flops: int,
    ) -> None:
        self.name = name
        self.slots = slots
        self.numbers = numbers
        self.options = options
        self.flops_per_element = flops
        self.input_dtypes = {
            i + len(slots) + 2: "int64" if number == "iterations" else "float64"
            for i, number in enumerate(numbers)
        }

    def overwrites(self, node: Node, output: int) -> tuple[int, ...]:
        present = [i for i in range(1 + len(self.slots)) if node.inputs[i] is not None]
        return (present[output],)

    def infer(self, param: Tensor, *inputs: Any, **attributes: Any) -> Specs:
        for key in attributes:
            if key not in self.options:
                raise TypeError(f"{self.name}: unexpected argument {key!r}")
        if len(inputs) != len(self.slots) + 1 + len(self.numbers):
            raise ValueError(
                f"{self.name}: expected param, {', '.join(self.slots)}, grad, "
                f"{', '.join(self.numbers)}, received {1 + len(inputs)} inputs"
            )
        slots = [t for t in inputs[: len(self.slots)] if t is not None]
        grad, numbers = inputs[len(self.slots)], inputs[len(self.slots) + 1 :]
        check_same_dtype(self.name, param, *slots, grad)
        for t in (*slots, grad):
            if t.shape != param.shape:
                raise ValueError(
                    f"{self.name}: expected arrays of shape {param.shape}, received {t.shape}"
                )
        for number, t in zip(self.numbers, numbers):
            if t is not None:
                check_scalar(self.name, number, t)
        specs = tuple(Spec(param.shape, param.dtype) for _ in (param, *slots))
        return specs if slots else specs[0]

    def flops(self, node: Node) -> int:
        return self.flops_per_element * node.inputs[0].size


add(UpdateOp("sgd", ("momentum",), ("learning_rate", "share", "weight_decay"), ("nesterov",), 4))
add(
    UpdateOp(
        "adam",
        ("momentum", "velocity", "velocity_hat"),
        ("learning_rate", "beta_1", "beta_2", "epsilon", "iterations", "weight_decay"),
        (),
        12,
    )
)


@register
class GlobalNorm(Op):
    """sqrt of the sum of squares of all gradients, a scalar."""

    name = "global_norm"

    def infer(self, *grads: Tensor) -> Spec:
        if not grads:
            raise ValueError(f"{self.name}: expected at least one gradient")
        check_same_dtype(self.name, *grads)
        return Spec((), grads[0].dtype)

    def flops(self, node: Node) -> int:
        return sum(2 * g.size for g in node.inputs)


@register
class CheckedRate(Op):
    """y = x, a learning rate that changes from step to step; negative and not finite ones raise."""

    name = "checked_rate"
    may_fail = True

    def infer(self, x: Tensor, what: str) -> Spec:
        if x.shape != () or x.dtype != "float64":
            raise ValueError(f"{self.name}: expected a float64 scalar, received {x}")
        return Spec((), x.dtype)

    def flops(self, node: Node) -> int:
        return 0
