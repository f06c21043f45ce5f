"""Updates of parameters. `hyper` holds [learning_rate] in float64, `iterations` the updates so far.

Each op overwrites the parameter and its slots. Optional slots have a fixed place and may be absent.
"""

from ..table import Op, add, check_same_dtype, register, same
from ..tensor import Spec


class UpdateOp(Op):
    """One optimizer's update of one parameter (or of one flat buffer of parameters).

    Attributes:
        slots: {name: None, or which attributes need it}: the arrays after the parameter and before
            the gradient.
        options: Names of the attributes.
    """

    commits = True
    grad_index: int

    def __init__(self, name, slots, flops_per_element, *options):
        self.name = name
        self.options = (*options, "weight_decay")
        self.slots = slots
        self.grad_index = 1 + len(slots)
        self.writes = tuple(range(self.grad_index))
        self.flops_per_element = flops_per_element

    def infer(self, *inputs, **attributes):
        for key in attributes:
            if key not in self.options:
                raise TypeError(f"{self.name}: unexpected argument {key!r}")
        if len(inputs) != len(self.slots) + 4:
            raise ValueError(
                f"{self.name}: expected param, {', '.join(self.slots)}, grad, hyper and "
                f"iterations, received {len(inputs)} inputs"
            )
        for slot, (name, needed) in zip(inputs[1:], self.slots.items()):
            there = needed is None or bool(needed(attributes))
            if (slot is not None) != there:
                raise ValueError(
                    f"{self.name}: expected {name} to be {'an array' if there else 'None'} with "
                    f"{attributes}, received {'None' if slot is None else slot}"
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


_SLOTS = {
    "sgd": {"velocity": lambda a: a.get("momentum", 0.0) != 0.0},
    "adagrad": {"accumulator": None},
    "rmsprop": {
        "velocity": None,
        "momentum_buffer": lambda a: a.get("momentum", 0.0) > 0.0,
        "average_grad": lambda a: a.get("centered", False),
    },
    "adam": {"m": None, "v": None, "vhat": lambda a: a.get("amsgrad", False)},
}
UPDATES = {
    op.name: op
    for op in (
        UpdateOp("sgd", _SLOTS["sgd"], 4, "momentum", "nesterov"),
        UpdateOp("adagrad", _SLOTS["adagrad"], 6, "epsilon"),
        UpdateOp("rmsprop", _SLOTS["rmsprop"], 8, "rho", "momentum", "epsilon", "centered"),
        UpdateOp("adam", _SLOTS["adam"], 12, "beta_1", "beta_2", "epsilon", "amsgrad"),
    )
}

for _op in UPDATES.values():
    add(_op)


class ClipOp(Op):
    inplace = {0: 0}

    def __init__(self, name):
        self.name = name

    def infer(self, grad, limit):
        check_limit(self.name, limit)
        return same(grad)


def check_limit(name, limit):
    if not limit > 0:
        raise ValueError(f"{name}: expected a positive limit, received {limit}")


add(ClipOp("clip_by_value"))
add(ClipOp("clip_by_norm"))


@register
class GlobalNorm(Op):
    """sqrt of the sum of squares of all gradients, a scalar."""

    name = "global_norm"

    def infer(self, *grads):
        if not grads:
            raise ValueError(f"{self.name}: expected at least one gradient")
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
        check_same_dtype(self.name, grad, norm)
        check_limit(self.name, limit)
        if norm.shape not in ((), (1,)):
            raise ValueError(f"{self.name}: expected a scalar norm, received shape {norm.shape}")
        return same(grad)
