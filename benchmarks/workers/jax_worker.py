"""JAX: one jit call for each step, and one `lax.scan` over the steps of an epoch."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from common.models import ADAM_EPSILON
from workers.base import BaseWorker, Spec, Task, Unsupported
from workers.data import dataset, factors, initial_weights, matmul_check

ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
}


def make_loss(model: Spec) -> Any:
    """Returns loss(parameters, x, y) for a model's description."""
    for layer in model["layers"]:
        if layer["kind"] != "dense":
            raise Unsupported(f"layer {layer['kind']}")

    def logits(parameters: list[Any], x: Any) -> Any:
        for i, layer in enumerate(model["layers"]):
            x = x @ parameters[2 * i] + parameters[2 * i + 1]
            x = ACTIVATIONS[layer["activation"]](x)
        return x

    def loss(parameters: list[Any], x: Any, y: Any) -> Any:
        z = logits(parameters, x)
        if model["loss"] == "sparse_softmax_cross_entropy":
            chosen = jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], axis=-1)
            return -chosen.mean()
        return jnp.mean(jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z))))

    return logits, loss


def make_update(spec: Spec) -> Any:
    """Returns update(parameters, gradients, moments, t), hand-written."""
    rate = spec["learning_rate"]

    def sgd(parameters: Any, gradients: Any, moments: Any, t: Any) -> Any:
        return jax.tree.map(lambda p, g: p - rate * g, parameters, gradients), moments

    def adam(parameters: Any, gradients: Any, moments: Any, t: Any) -> Any:
        first, second = moments
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
        alpha = rate * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        parameters = jax.tree.map(
            lambda p, m, v: p - alpha * m / (jnp.sqrt(v) + ADAM_EPSILON), parameters, first, second
        )
        return parameters, (first, second)

    return {"sgd": sgd, "adam": adam}[spec["optimizer"]]


class JaxTrainer:
    """State is (parameters, moments, t, sum of losses); rows are gathered inside the step."""

    def __init__(self, spec: Spec, variant: str) -> None:
        x, y = dataset(spec)
        self.variant = variant
        self.batch = spec["batch"]
        self.x, self.y = jnp.asarray(x), jnp.asarray(y)
        self.initial = initial_weights(spec["model"])
        self.generator = np.random.default_rng(3)
        logits, loss = make_loss(spec["model"])
        update = make_update(spec)

        def step(state: Any, x: Any, y: Any, rows: Any) -> Any:
            parameters, moments, t, total = state
            value, gradients = jax.value_and_grad(loss)(parameters, x[rows], y[rows])
            parameters, moments = update(parameters, gradients, moments, t + 1)
            return parameters, moments, t + 1, total + value

        def epoch(state: Any, x: Any, y: Any, order: Any) -> Any:
            def body(state: Any, rows: Any) -> Any:
                return step(state, x, y, rows), None

            return jax.lax.scan(body, state, order)[0]

        self.run_step = jax.jit(step, donate_argnums=0)
        self.run_epoch = jax.jit(epoch, donate_argnums=0)
        self.run_forward = jax.jit(logits)
        self.first_rows = jnp.arange(self.batch)
        self.restore()

    def restore(self) -> None:
        def zeros() -> list[Any]:
            return [jnp.zeros_like(w) for w in self.initial]

        parameters = [jnp.array(w) for w in self.initial]
        self.state = (parameters, (zeros(), zeros()), jnp.float32(0), jnp.float32(0))

    def fit(self, epochs: int, shuffle: bool) -> float:
        samples = len(self.x)
        for _ in range(epochs):
            order = self.generator.permutation(samples) if shuffle else np.arange(samples)
            order = order.reshape(-1, self.batch).astype(np.int32)
            self.state = (*self.state[:3], jnp.float32(0))
            if self.variant == "scan":
                self.state = self.run_epoch(self.state, self.x, self.y, order)
            else:
                for rows in order:
                    self.state = self.run_step(self.state, self.x, self.y, rows)
        jax.block_until_ready(self.state)
        return float(self.state[3]) * self.batch / samples

    def train_on_batch(self) -> object:
        self.state = self.run_step(self.state, self.x, self.y, self.first_rows)
        return jax.block_until_ready(self.state)

    def predict(self) -> object:
        return np.asarray(self.run_forward(self.state[0], self.x[:1]))


class Worker(BaseWorker):
    """JAX on the processors it was bound to; XLA counts them itself."""

    variants: ClassVar = {
        "matmul": ["jit"],
        "train": ["jit", "scan"],
        "train_on_batch": ["jit"],
        "predict": ["jit"],
        "start": ["jit"],
    }

    def versions(self) -> dict[str, str]:
        import jaxlib

        return {"jax": jax.__version__, "jaxlib": jaxlib.__version__}

    def trainer(self, spec: Spec, variant: str) -> JaxTrainer:
        return JaxTrainer(spec, variant)

    def prepare_matmul(self, spec: Spec, variant: str) -> Task:
        jax.config.update("jax_enable_x64", spec["dtype"] == "float64")
        a, b = (jnp.asarray(array) for array in factors(spec))

        @partial(jax.jit)
        def product(a: Any, b: Any) -> Any:
            left = a.T if spec["transpose_a"] else a
            right = b.T if spec["transpose_b"] else b
            return left @ right

        return Task(
            lambda: product(a, b).block_until_ready(),
            check=matmul_check(np.asarray(product(a, b))),
        )
