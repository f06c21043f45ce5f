"""Updates of parameters. `hyper` holds [learning_rate] in float64, `iterations` the updates so far.

Each op overwrites the parameter and its slots. Optional slots have a fixed place and may be absent.
"""

from ..table import Op, add, check_same_dtype, register, same
from ..tensor import Spec


class UpdateOp(Op):
    """One optimizer's update of one parameter (or of one flat buffer of parameters)."""

    def __init__(self, name, slots, flops_per_element):
        self.name = name
        self.slots = slots  # names of the slot arrays, after the parameter and before the gradient
        self.writes = tuple(range(1 + len(slots)))
        self.flops_per_element = flops_per_element

    @property
    def grad_index(self):
        return 1 + len(self.slots)

    def infer(self, *inputs, **attributes):
        if len(inputs) != len(self.slots) + 4:
            raise ValueError(
                f"{self.name}: expected param, {', '.join(self.slots)}, grad, hyper and "
                f"iterations, received {len(inputs)} inputs"
            )
        param, grad = inputs[0], inputs[self.grad_index]
        arrays = [t for t in inputs[: self.grad_index + 1] if t is not None]
        check_same_dtype(self.name, *arrays)
        for t in arrays:
            if t.shape != param.shape:
                raise ValueError(
                    f"{self.name}: expected arrays of shape {param.shape}, received {t.shape}"
                )
        if grad is None or inputs[-2].dtype != "float64" or inputs[-1].dtype != "int64":
            raise ValueError(
                f"{self.name}: expected a gradient, float64 hyper and int64 iterations"
            )
        return ()

    def flops(self, node):
        return self.flops_per_element * node.inputs[0].size


UPDATES = {
    op.name: op
    for op in (
        UpdateOp("sgd", ("velocity",), 4),
        UpdateOp("adagrad", ("accumulator",), 6),
        UpdateOp("rmsprop", ("velocity", "momentum_buffer", "average_grad"), 8),
        UpdateOp("adam", ("m", "v", "vhat"), 12),
    )
}

for _op in UPDATES.values():
    add(_op)


class ClipOp(Op):
    inplace = {0: 0}

    def __init__(self, name):
        self.name = name

    def infer(self, grad, limit):
        return same(grad)


add(ClipOp("clip_by_value"))
add(ClipOp("clip_by_norm"))


@register
class GlobalNorm(Op):
    """sqrt of the sum of squares of all gradients, a scalar."""

    name = "global_norm"

    def infer(self, *grads):
        check_same_dtype(self.name, *grads)
        return Spec((), grads[0].dtype)

    def flops(self, node):
        return sum(2 * g.size for g in node.inputs)


@register
class ScaleByGlobalNorm(Op):
    """grad * limit / max(norm, limit)"""

    name = "scale_by_global_norm"
    inplace = {0: 0}

    def infer(self, grad, norm, limit):
        return same(grad)
