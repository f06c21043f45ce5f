"""Primitives, updates, activations and losses in PyTorch, eager and compiled.

Eager calls write into given results (`out`) and use the library's own function where it has one;
compiled ones copy into given results, which the compiler turns into writing them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from workers.base import Spec, Task, Unsupported
from workers.data import (
    change,
    composition_arrays,
    magnitude,
    primitive_arguments,
    update_arrays,
)
from workers.formulas import (
    BETA_1,
    BETA_2,
    COMPOSITIONS,
    DECAY,
    EPSILON,
    PRIMITIVES,
    RATE,
    RHO,
    UPDATES,
    momentum_at,
)

Run = Callable[[], Any]


def maximum(x: Any, y: Any) -> Any:
    return torch.maximum(x, y) if isinstance(y, torch.Tensor) else torch.clamp(x, min=y)


def take(x: Any, indices: Any, axis: int) -> Any:
    return torch.index_select(x, axis, indices)


OPERATIONS = SimpleNamespace(
    **{name: getattr(torch, name) for name in ("abs", "add", "broadcast_to", "concatenate")},
    **{name: getattr(torch, name) for name in ("erf", "exp", "log", "mean", "multiply", "rsqrt")},
    **{name: getattr(torch, name) for name in ("sigmoid", "sign", "sin", "sqrt", "sum", "tanh")},
    **{name: getattr(torch, name) for name in ("log2", "log1p", "cos", "tan", "arctan", "sinh")},
    **{name: getattr(torch, name) for name in ("arcsinh", "cumsum")},
    cast=lambda x, dtype: x.to(getattr(torch, dtype)),
    clip=torch.clamp,
    greater=torch.gt,
    max=torch.amax,
    maximum=maximum,
    minimum=lambda x, y: torch.clamp(x, max=y),
    power=torch.pow,
    softplus=functional.softplus,
    take=take,
    transpose=torch.t,
    where=torch.where,
)

# The eager function with `out` where it is called otherwise than in the formula.
EAGER: dict[str, Callable[..., Any]] = {
    "sum": lambda a, out: torch.sum(a[0], (0, 1), out=out),
    "sum last axis": lambda a, out: torch.sum(a[0], -1, out=out),
    "sum leading axis": lambda a, out: torch.sum(a[0], 0, out=out),
    "mean": lambda a, out: torch.mean(a[0], (0, 1), out=out),
    "max": lambda a, out: torch.amax(a[0], (0, 1), out=out),
    "concatenate": lambda a, out: torch.cat(a, -1, out=out),
    "take": lambda a, out: torch.index_select(a[0], 0, a[1], out=out),
    "take narrow": lambda a, out: torch.index_select(a[0], 0, a[1], out=out),
    "add column": lambda a, out: torch.add(*a, out=out),
    "cumsum": lambda a, out: torch.cumsum(a[0], -1, out=out),
    "greater": lambda a, out: torch.gt(*a, out=out),
    "power": lambda a, out: torch.pow(a[0], 1.7, out=out),
}
# Views and casts, copied into the result.
COPIED = (
    *("transpose", "transpose narrow", "slice", "broadcast_to", "broadcast_to column"),
    *("cast", "cast to int32"),
)

NATIVE: dict[str, Callable[..., Any]] = {
    "gelu": functional.gelu,
    "gelu_tanh": partial(functional.gelu, approximate="tanh"),
    "mish": functional.mish,
    "celu": functional.celu,
    "log_sigmoid": functional.logsigmoid,
    "hard_shrink": functional.hardshrink,
    "soft_shrink": functional.softshrink,
    "hard_swish": functional.hardswish,
    "tanh_shrink": functional.tanhshrink,
    "huber": lambda t, p: functional.huber_loss(p, t, delta=0.25),
    "poisson": lambda t, p: functional.poisson_nll_loss(p, t, log_input=False, eps=1e-7),
}


@torch.no_grad()
def primitive(spec: Spec, variant: str) -> Task:
    """Prepares a primitive."""
    name = spec["op"]
    arguments = [
        torch.from_numpy(a) if isinstance(a, np.ndarray) else a for a in primitive_arguments(spec)
    ]
    formula = PRIMITIVES[name]
    out = formula(OPERATIONS, arguments).contiguous()
    if name in COPIED:
        out = out.clone()
    if variant == "compiled":

        def write(arguments: Any, out: Any) -> None:
            out.copy_(formula(OPERATIONS, arguments))

        call = torch.compile(write, dynamic=False)
    elif name in COPIED:

        def call(arguments: Any, out: Any) -> None:
            out.copy_(formula(OPERATIONS, arguments))

    elif name in EAGER:
        call = EAGER[name]
    else:
        function = getattr(torch, name)

        def call(arguments: Any, out: Any) -> None:
            function(*arguments, out=out)

    @torch.no_grad()
    def run() -> None:
        call(arguments, out)

    out.zero_()
    run()
    return Task(run, check=magnitude(out.numpy()))


def composition(spec: Spec, variant: str) -> Task:
    """Prepares an activation or loss with its gradient."""
    name, loss = spec["formula"], spec["loss"]
    first, second = (torch.from_numpy(array) for array in composition_arrays(spec))
    shared = COMPOSITIONS[name]

    def formula(*arguments: Any) -> Any:
        y = shared(OPERATIONS, *arguments)
        return y.mean() if loss else y

    if variant == "compiled":
        run = compiled_gradient(formula, first, second, loss)
    else:
        run = eager_gradient(NATIVE.get(name, formula), first, second, loss)
    return Task(run, check=magnitude(run()[1]))


def eager_gradient(function: Callable[..., Any], first: Any, second: Any, loss: bool) -> Run:
    """Returns what computes (y, dx) by autograd."""
    x = (second if loss else first).requires_grad_()

    def run() -> Any:
        y = function(first, x) if loss else function(x)
        (dx,) = torch.autograd.grad(y, x, None if loss else second)
        return y.detach(), dx

    return run


def compiled_gradient(formula: Callable[..., Any], first: Any, second: Any, loss: bool) -> Run:
    """Returns what computes (y, dx) as one compiled function, forward and backward together."""

    def with_gradient(first: Any, second: Any) -> Any:
        if loss:
            dx, y = torch.func.grad_and_value(lambda p: formula(first, p))(second)
            return y, dx
        y, pull_back = torch.func.vjp(formula, first)
        return y, pull_back(second)[0]

    compiled = torch.compile(with_gradient, dynamic=False)
    return torch.no_grad()(lambda: compiled(first, second))


def update(spec: Spec, variant: str) -> Task:
    """Prepares an update: the library's optimizer, or the formula compiled."""
    weights, grads = update_arrays(spec)
    if variant == "compiled":
        return compiled_update(spec, weights, grads)
    parameters = [torch.nn.Parameter(torch.from_numpy(w.copy())) for w in weights]
    for parameter, grad in zip(parameters, grads, strict=True):
        parameter.grad = torch.from_numpy(grad)
    optimizer = make_optimizer(spec["optimizer"], parameters, variant)
    optimizer.step()
    check = change([p.detach().numpy() for p in parameters], weights)
    return Task(optimizer.step, check=check)


def make_optimizer(name: str, parameters: list[Any], variant: str) -> Any:
    """Returns an optimizer of `torch.optim`, "foreach" or "fused"."""
    options: dict[str, Any] = {"lr": RATE, "eps": EPSILON, variant: True}
    if name == "AdamW":
        betas = (BETA_1, BETA_2)
        return torch.optim.AdamW(parameters, betas=betas, weight_decay=DECAY, **options)
    if variant == "fused" or name not in ("Nadam", "RMSprop"):
        raise Unsupported(f"no {variant} {name}")
    if name == "Nadam":
        # Keras's momentum is 0.96^t, PyTorch's 0.96^(t * momentum_decay).
        return torch.optim.NAdam(parameters, momentum_decay=1.0, **options)
    return torch.optim.RMSprop(parameters, alpha=RHO, **options)


def compiled_update(spec: Spec, weights: list[Any], grads: list[Any]) -> Task:
    """The formula of an update, compiled with all parameters, in place."""
    parameters = [torch.from_numpy(w.copy()) for w in weights]
    given = [torch.from_numpy(g) for g in grads]
    slots = [[torch.zeros_like(w) for _ in range(spec["slots"])] for w in parameters]
    t, product = torch.zeros(()), torch.ones(())
    formula = UPDATES[spec["optimizer"]]

    @torch.compile(dynamic=False)
    def step(parameters: Any, given: Any, slots: Any, t: Any, product: Any) -> None:
        t.add_(1.0)
        product.mul_(momentum_at(t))
        for w, g, kept in zip(parameters, given, slots):
            value, new = formula(OPERATIONS, w, g, kept, t, product)
            w.copy_(value)
            for slot, slot_value in zip(kept, new):
                slot.copy_(slot_value)

    @torch.no_grad()
    def run() -> None:
        step(parameters, given, slots, t, product)

    run()
    return Task(run, check=change([w.numpy() for w in parameters], weights))
