"""Assignment, the one op that writes state; running means; the check that a step waits for."""

from __future__ import annotations

from .. import dtypes
from ..table import Op, check_same_dtype, register
from ..tensor import Node, Spec, Tensor


@register
class Assign(Op):
    """variable = value, where there is no condition or it is true; a step does it last."""

    name = "assign"
    writes = (0,)

    def infer(
        self, variable: Tensor, value: Tensor, condition: Tensor | None = None
    ) -> tuple[Spec, ...]:
        check_same_dtype(self.name, variable, value)
        if variable.shape != value.shape:
            raise ValueError(f"assign: expected shape {variable.shape}, received {value.shape}")
        if condition is not None and (condition.shape != () or condition.dtype != "bool"):
            raise ValueError(f"assign: expected a condition of one bool, received {condition}")
        return ()

    def flops(self, node: Node) -> int:
        return 0


@register
class AccumulateMean(Op):
    """state + [sum(values * weight), sum(weight)]; without weight, the number of values."""

    name = "accumulate_mean"
    input_dtypes = {0: "float64"}
    inplace = {0: 0}

    def infer(self, state: Tensor, values: Tensor, weight: Tensor | None = None) -> Spec:
        if state.shape != (2,) or state.dtype != "float64":
            raise ValueError(
                f"accumulate_mean: expected a float64 state of shape (2,), received {state}"
            )
        if weight is not None and weight.shape != values.shape:
            raise ValueError(
                f"accumulate_mean: expected a weight of shape {values.shape}, "
                f"received {weight.shape}"
            )
        return Spec(state.shape, state.dtype)

    def flops(self, node: Node) -> int:
        return 2 * node.inputs[1].size


@register
class CheckFinite(Op):
    """Whether all values are finite; where they are not and `armed` is not 0, it raises.

    In the graph of a step it holds the step back: nothing of that is written.
    """

    name = "check_finite"
    dtype_rule = dtypes.own
    may_fail = True
    holds_back = True

    def infer(self, armed: Tensor, *values: Tensor) -> Spec:
        if armed.shape != () or armed.dtype != "int64":
            raise ValueError(f"{self.name}: expected armed to be an int64 scalar, received {armed}")
        for value in values:
            if value.dtype not in dtypes.FLOATS:
                raise ValueError(f"{self.name}: expected floats, received {value}")
        return Spec((), "bool")

    def flops(self, node: Node) -> int:
        return sum(t.size for t in node.inputs[1:])
