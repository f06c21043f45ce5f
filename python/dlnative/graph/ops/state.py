"""Ops that write state: they overwrite the inputs that `writes` names and have no outputs."""

from ..table import Op, check_same_dtype, register


class StateOp(Op):
    commits = True

    def flops(self, node):
        return 0


@register
class Assign(StateOp):
    """variable = value"""

    name = "assign"
    writes = (0,)

    def infer(self, variable, value):
        check_same_dtype(self.name, variable, value)
        if variable.shape != value.shape:
            raise ValueError(f"assign: expected shape {variable.shape}, received {value.shape}")
        return ()


@register
class Increment(StateOp):
    """counter = counter + 1"""

    name = "increment"
    writes = (0,)

    def infer(self, counter):
        if counter.shape != (1,) or counter.dtype != "int64":
            raise ValueError(
                f"increment: expected an int64 counter of shape (1,), received {counter}"
            )
        return ()


@register
class AccumulateMean(StateOp):
    """state = state + [sum(values * weight), sum(weight)]; without weight, the number of values."""

    name = "accumulate_mean"
    writes = (0,)
    commits = False  # no step reads the accumulator of a metric

    def infer(self, state, values, weight=None):
        if state.shape != (2,) or state.dtype != "float64":
            raise ValueError(
                f"accumulate_mean: expected a float64 state of shape (2,), received {state}"
            )
        if weight is not None and weight.shape != values.shape:
            raise ValueError(
                f"accumulate_mean: expected a weight of shape {values.shape}, "
                f"received {weight.shape}"
            )
        return ()
