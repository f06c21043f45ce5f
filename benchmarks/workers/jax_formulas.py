"""Primitives, updates, activations and losses in JAX, each a jit call; updates donate state."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from workers.base import Spec, Task
from workers.data import (
    change,
    composition_arrays,
    magnitude,
    primitive_arguments,
    update_arrays,
)
from workers.formulas import COMPOSITIONS, PRIMITIVES, UPDATES, momentum_at

OPERATIONS = SimpleNamespace(
    **{name: getattr(jnp, name) for name in ("abs", "add", "broadcast_to", "clip", "concatenate")},
    **{name: getattr(jnp, name) for name in ("exp", "greater", "log", "max", "maximum", "mean")},
    **{name: getattr(jnp, name) for name in ("minimum", "multiply", "power", "sign", "sin")},
    **{name: getattr(jnp, name) for name in ("sqrt", "sum", "take", "tanh", "transpose", "where")},
    **{name: getattr(jnp, name) for name in ("log2", "log1p", "cos", "tan", "arctan", "sinh")},
    **{name: getattr(jnp, name) for name in ("arcsinh", "cumsum")},
    cast=lambda x, dtype: x.astype(dtype),
    erf=lax.erf,
    rsqrt=lax.rsqrt,
    sigmoid=jax.nn.sigmoid,
    softplus=jax.nn.softplus,
)


def primitive(spec: Spec) -> Task:
    """Prepares a primitive; arrays are arguments of the call, numbers constants."""
    arguments = primitive_arguments(spec)
    arrays = [jnp.asarray(a) for a in arguments if isinstance(a, np.ndarray)]
    numbers = [a for a in arguments if not isinstance(a, np.ndarray)]
    formula = PRIMITIVES[spec["op"]]
    jax.config.update("jax_enable_x64", spec["op"] == "cast")
    run = jax.jit(lambda *arrays: formula(OPERATIONS, [*arrays, *numbers]))
    check = magnitude(np.asarray(run(*arrays)))
    return Task(lambda: run(*arrays).block_until_ready(), check=check)


def composition(spec: Spec) -> Task:
    """Prepares an activation or loss with its gradient by `jax.vjp` and `jax.value_and_grad`."""
    jax.config.update("jax_enable_x64", False)
    formula = COMPOSITIONS[spec["formula"]]
    first, second = (jnp.asarray(array) for array in composition_arrays(spec))
    if spec["loss"]:
        run = jax.jit(jax.value_and_grad(lambda p, t: formula(OPERATIONS, t, p).mean(), argnums=0))
        arguments = second, first
    else:

        def with_gradient(x: Any, dy: Any) -> Any:
            y, pull_back = jax.vjp(lambda x: formula(OPERATIONS, x), x)
            return y, pull_back(dy)[0]

        run, arguments = jax.jit(with_gradient), (first, second)
    check = magnitude(np.asarray(run(*arguments)[1]))
    return Task(lambda: jax.block_until_ready(run(*arguments)), check=check)


class Update:
    """An update; state is (parameters, slots, t, product of Nadam's momenta)."""

    def __init__(self, spec: Spec) -> None:
        jax.config.update("jax_enable_x64", False)
        weights, grads = update_arrays(spec)
        self.grads = [jnp.asarray(g) for g in grads]
        parameters = [jnp.array(w) for w in weights]
        slots = [[jnp.zeros_like(w) for _ in range(spec["slots"])] for w in parameters]
        self.state = (parameters, slots, jnp.float32(0), jnp.float32(1))
        formula = UPDATES[spec["optimizer"]]

        def step(state: Any, grads: Any) -> Any:
            parameters, slots, t, product = state
            t = t + 1.0
            product = product * momentum_at(t)
            updated = [
                formula(OPERATIONS, w, g, s, t, product)
                for w, g, s in zip(parameters, grads, slots, strict=True)
            ]
            return [w for w, _ in updated], [s for _, s in updated], t, product

        self.step = jax.jit(step, donate_argnums=0)
        self.run()
        self.check = change(self.state[0], weights)

    def run(self) -> None:
        self.state = self.step(self.state, self.grads)
        jax.block_until_ready(self.state)


def update(spec: Spec) -> Task:
    """Prepares an update."""
    made = Update(spec)
    return Task(made.run, check=made.check)
