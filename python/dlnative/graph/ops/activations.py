"""Activations: y = f(x), elementwise, and their backward ops dx = dy * f'(x)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .. import dtypes
from ..table import Op, add, check_same_dtype, link, same
from ..tensor import Node, Spec, Tensor, apply
from ..types import Attributes, Gradients


class ActivationOp(Op):
    """y = f(x). `saves` says whether the derivative is written in terms of y or of x."""

    inplace = {0: 0}
    elementwise = True
    fusion: str | None = "activation"
    open_shapes = True
    dtype_rule = dtypes.floating
    saves: str

    def __init__(self, name: str, saves: str, flops_per_element: int, **defaults: Any) -> None:
        self.name = name
        self.saves = saves
        self.defaults = defaults
        self.flops_per_element = flops_per_element

    def saves_of(self, attributes: Attributes) -> str:
        """What the gradient needs for these attributes: "output" or "input"."""
        return self.saves

    def line(self, attributes: Attributes) -> str | None:
        return self.map if not any(attributes.values()) else None

    def infer(self, x: Tensor, **attributes: Any) -> Spec:
        check_attributes(self.name, attributes, self.defaults)
        return same(x)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        saved = node.outputs[0] if self.saves_of(node.attributes) == "output" else node.inputs[0]
        return (apply(self.name + "_backward", dy, saved, **node.attributes),)

    def flops(self, node: Node) -> int:
        return self.flops_per_element * node.outputs[0].size


class ActivationBackwardOp(Op):
    """dx = dy * f'(saved)."""

    inplace = {0: 0}
    elementwise = True
    fusion = "activation_gradient"

    def __init__(self, forward: ActivationOp) -> None:
        self.name = forward.name + "_backward"
        link(forward, self)

    def line(self, attributes: Attributes) -> str | None:
        return self.map if not any(attributes.values()) else None

    def infer(self, dy: Tensor, saved: Tensor, **attributes: Any) -> Spec:
        check_attributes(self.name, attributes, self.forward.defaults)
        check_same_dtype(self.name, dy, saved)
        if dy.shape != saved.shape:
            raise ValueError(
                f"{self.name}: expected dy of shape {saved.shape}, received {dy.shape}"
            )
        return same(dy)

    def rectifies(self, attributes: Attributes) -> bool:
        return self.forward.rectifies(attributes)

    def gradient(self, node: Node, ddx: Tensor, needs: Sequence[bool]) -> Gradients:
        dy, saved = node.inputs
        slope = SLOPES.get(self.forward.name)
        dsaved = None
        if needs[1] and slope is not None:
            dsaved = ddx * dy * slope(saved, **node.attributes)
        return apply(self.name, ddx, saved, **node.attributes) if needs[0] else None, dsaved


class ReluOp(ActivationOp):
    """y = max(x, 0), with the slope, bound and threshold of Keras."""

    def saves_of(self, attributes: Attributes) -> str:
        cut = attributes.get("max_value") is not None or attributes.get("threshold", 0.0) != 0.0
        return "input" if cut else self.saves

    def rectifies(self, attributes: Attributes) -> bool:
        return not any(v not in (None, 0, 0.0) for v in attributes.values())


class LinearOp(ActivationOp):
    """y = x"""

    fusion = None  # nothing is left of it in a graph

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        return (dy,)


class StepOp(ActivationOp):
    """y = 1 where x > 0, else 0; without a gradient."""

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        return (None,)


# --- d f'(saved) / d saved, of which second derivatives are made; 0 without a row -----------------


def _between(x: Tensor, bound: float) -> Tensor:
    """x within [-bound, bound]: beyond it all curvature has rounded to 0, and powers overflow."""
    return apply("minimum", apply("maximum", x, -bound), bound)


def _one_below(y: Tensor, **attributes: Any) -> Tensor:
    """f' = y + a constant where y <= 0, and a constant elsewhere."""
    return apply("cast", y <= 0, dtype=y.dtype)


def _gelu_slope(x: Tensor, approximate: bool = False) -> Tensor:
    """Exact: phi(x) (2 - x^2); else (1 - t^2) (u' + x / 2 (u'' - 2 t u'^2)), t = tanh(u)."""
    x = _between(x, 64.0)
    if not approximate:
        return apply("exp", x * x * -0.5) * (2.0 - x * x) * (1 / math.sqrt(2 * math.pi))
    scale, cubic = math.sqrt(2 / math.pi), 0.044715
    t = apply("tanh", x * (x * x * cubic + 1.0) * scale)
    du, ddu = (x * x * (3 * cubic) + 1.0) * scale, x * (6 * cubic * scale)
    return (1.0 - t * t) * (du + x * 0.5 * (ddu - t * du * du * 2.0))


def _silu_slope(x: Tensor) -> Tensor:
    """s (1 - s) (2 + x (1 - 2 s)), s = sigmoid(x)."""
    x = _between(x, 1000.0)
    s = apply("sigmoid", x)
    return s * (1.0 - s) * (x * (1.0 - s * 2.0) + 2.0)


SLOPES: dict[str, Callable[..., Any]] = {
    "elu": _one_below,
    "selu": _one_below,
    "gelu": _gelu_slope,
    "silu": _silu_slope,
    "sigmoid": lambda y: 1.0 - y * 2.0,
    "tanh": lambda y: y * -2.0,
    "softplus": lambda y: apply("exp", -y),
    "softsign": lambda y: (apply("abs", y) - 1.0) * apply("sign", y) * 2.0,
    "exponential": lambda y: 1.0,
}


def check_activation(name: str, activation: str | None, attributes: Attributes) -> None:
    """ValueError or TypeError unless it is known, and the attributes are those it has."""
    if activation is not None and activation not in ACTIVATIONS:
        raise ValueError(f"{name}: unknown activation {activation!r}")
    check_attributes(name, attributes, ACTIVATIONS[activation].defaults if activation else {})


def check_attributes(name: str, attributes: Attributes, defaults: Attributes) -> None:
    """TypeError unless the attributes are among those that have a default."""
    for key in attributes:
        if key not in defaults:
            raise TypeError(
                f"{name}: unexpected argument {key!r}; expected {sorted(defaults) or 'none'}"
            )


ACTIVATIONS = {
    op.name: op
    for op in (
        LinearOp("linear", "output", 0),
        ReluOp("relu", "output", 1, negative_slope=0.0, max_value=None, threshold=0.0),
        ActivationOp("leaky_relu", "output", 1, negative_slope=0.2),
        ActivationOp("elu", "output", 10, alpha=1.0),
        ActivationOp("selu", "output", 10),
        ActivationOp("gelu", "input", 20, approximate=False),
        ActivationOp("silu", "input", 12),
        ActivationOp("sigmoid", "output", 11),
        ActivationOp("hard_sigmoid", "output", 3),
        ActivationOp("tanh", "output", 12),
        ActivationOp("softplus", "output", 15),
        ActivationOp("softsign", "output", 2),
        ActivationOp("exponential", "output", 10),
        StepOp("step", "input", 1),
    )
}

for _op in ACTIVATIONS.values():
    add(_op)
    add(ActivationBackwardOp(_op))
# Those that are lines of loops where they have no parameters.
_LINES = ("relu", "selu", "gelu", "silu", "sigmoid", "hard_sigmoid", "tanh", "softplus", "softsign")
for _name in (*_LINES, "exponential"):
    ACTIVATIONS[_name].map, ACTIVATIONS[_name].backward.map = _name, f"{_name}_backward"
