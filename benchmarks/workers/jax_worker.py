"""JAX: one jit call for each step, and one `lax.scan` over the steps of an epoch."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from common.models import ADAM_EPSILON, Model
from common.shapes import parameters
from workers import jax_formulas
from workers.base import BaseWorker, Spec, Task
from workers.data import Array, dataset, factors, initial_weights, magnitude
from workers.jax_networks import make_logits, make_loss
from workers.jax_operations import operation


def make_update(spec: Spec) -> Any:
    """Returns update(parameters, gradients, moments, t), hand-written."""
    rate, momentum = spec["learning_rate"], spec["momentum"]

    def sgd(parameters: Any, gradients: Any, moments: Any, t: Any) -> Any:
        if momentum:
            (velocity,) = moments
            gradients = jax.tree.map(lambda v, g: momentum * v + g, velocity, gradients)
            moments = (gradients,)
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


def count_moments(spec: Spec) -> int:
    """Returns how many arrays like the parameters the optimizer keeps."""
    return 2 if spec["optimizer"] == "adam" else int(spec["momentum"] > 0)


def split(model: Model, weights: list[Any]) -> tuple[list[Any], list[Any]]:
    """Returns the trainable parameters and the moving statistics, as new JAX arrays."""
    parts: tuple[list[Any], list[Any]] = ([], [])
    for parameter, value in zip(parameters(model), weights, strict=True):
        parts[0 if parameter.trainable else 1].append(jnp.array(value))
    return parts


class JaxTrainer:
    """State is (parameters, moving statistics, moments, t, sum of losses).

    Rows are gathered inside the step.
    """

    def __init__(self, spec: Spec, variant: str) -> None:
        x, y = dataset(spec)
        self.spec = spec
        self.variant = variant
        self.batch = spec["batch"]
        self.x, self.y = jnp.asarray(x), jnp.asarray(y)
        self.initial = initial_weights(spec["model"])
        self.generator = np.random.default_rng(3)
        loss, logits = make_loss(spec["model"]), make_logits(spec["model"])
        update = make_update(spec)

        def step(state: Any, x: Any, y: Any, rows: Any) -> Any:
            parameters, moving, moments, t, total = state
            (value, moving), gradients = jax.value_and_grad(loss, has_aux=True)(
                parameters, moving, x[rows], y[rows]
            )
            parameters, moments = update(parameters, gradients, moments, t + 1)
            return parameters, moving, moments, t + 1, total + value

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
        weights, moving = split(self.spec["model"], self.initial)
        moments = tuple(
            [jnp.zeros_like(w) for w in weights] for _ in range(count_moments(self.spec))
        )
        self.state = (weights, moving, moments, jnp.float32(0), jnp.float32(0))

    def fit(self, epochs: int, shuffle: bool) -> float:
        samples = len(self.x)
        for _ in range(epochs):
            order = self.generator.permutation(samples) if shuffle else np.arange(samples)
            order = order.reshape(-1, self.batch).astype(np.int32)
            self.state = (*self.state[:4], jnp.float32(0))
            if self.variant == "scan":
                self.state = self.run_epoch(self.state, self.x, self.y, order)
            else:
                for rows in order:
                    self.state = self.run_step(self.state, self.x, self.y, rows)
        jax.block_until_ready(self.state)
        return float(self.state[4]) * self.batch / samples

    def train_on_batch(self) -> object:
        self.state = self.run_step(self.state, self.x, self.y, self.first_rows)
        return jax.block_until_ready(self.state)

    def predict(self) -> object:
        return np.asarray(self.run_forward(self.state[0], self.state[1], self.x[:1]))


class JaxPredictor:
    """A jit call for inference."""

    def __init__(self, spec: Spec) -> None:
        self.x = dataset(spec)[0]
        weights = initial_weights(spec["model"], spec["moving"])
        self.weights, self.moving = split(spec["model"], weights)
        self.forward = jax.jit(make_logits(spec["model"]))

    def predict(self) -> Array:
        return np.asarray(self.forward(self.weights, self.moving, self.x))


class Worker(BaseWorker):
    """JAX on the processors it was bound to; XLA counts them itself."""

    variants: ClassVar = {
        "matmul": ["jit"],
        "conv": ["jit"],
        "pool": ["jit"],
        "norm": ["jit"],
        "primitive": ["jit"],
        "composition": ["jit"],
        "update": ["jit"],
        "train": ["jit", "scan"],
        # Convolutions within a scan run without XLA's fast kernels: ten times slower, not a mode.
        "train_images": ["jit"],
        "infer": ["jit"],
        "train_on_batch": ["jit"],
        "predict": ["jit"],
        "start": ["jit"],
    }

    def versions(self) -> dict[str, str]:
        import jaxlib

        return {"jax": jax.__version__, "jaxlib": jaxlib.__version__}

    def trainer(self, spec: Spec, variant: str) -> JaxTrainer:
        return JaxTrainer(spec, variant)

    def predictor(self, spec: Spec, variant: str) -> JaxPredictor:
        return JaxPredictor(spec)

    def prepare_operation(self, spec: Spec, variant: str) -> Task:
        return operation(spec)

    def prepare_primitive(self, spec: Spec, variant: str) -> Task:
        return jax_formulas.primitive(spec)

    def prepare_composition(self, spec: Spec, variant: str) -> Task:
        return jax_formulas.composition(spec)

    def prepare_update(self, spec: Spec, variant: str) -> Task:
        return jax_formulas.update(spec)

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
            check=magnitude(np.asarray(product(a, b))),
        )
