"""Logs and options of steps beside each other: what is shown is what ran."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import Input, Model, Sequential, callbacks, layers, metrics, ops

X = np.arange(40, dtype="float32").reshape(10, 4)


class Counts(Model):
    def train_step(self, data):
        return {"n": data.shape[0], "v": data[:, 0]}


class Sees(callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.logs = []

    def on_train_batch_end(self, batch, logs=None):
        self.logs.append({name: np.copy(value) for name, value in logs.items()})


@pytest.mark.parametrize("run_eagerly", [False, True])
@pytest.mark.parametrize("source", ["arrays", "batches"])
def test_logs_are_those_of_the_step_that_ran(source, run_eagerly):
    """Steps of several shapes are kept; the last batch of all may be of any."""
    model = Counts()
    model.compile(run_eagerly=run_eagerly)
    seen = Sees()
    sizes = (4, 4, 2) if source == "arrays" else (8, 4, 8, 4, 8)
    if source == "arrays":
        model.fit(X, batch_size=4, shuffle=False, verbose=0, callbacks=[seen])
    else:
        batches = (X[:size] for size in sizes)
        model.fit(batches, steps_per_epoch=5, verbose=0, callbacks=[seen])
    assert [int(logs["n"]) for logs in seen.logs] == list(sizes)
    assert [logs["v"].shape for logs in seen.logs] == [(size,) for size in sizes]
    first = [logs["v"][0] for logs in seen.logs]
    assert first == ([0.0, 16.0, 32.0] if source == "arrays" else [0.0] * 5)


def test_a_mean_of_negative_weights_in_a_step():
    class Means(Model):
        def __init__(self):
            super().__init__()
            self.mean = metrics.Mean()

        def test_step(self, data):
            self.mean.update_state(data[:, 0], sample_weight=data[:, 1])
            return {"twice": self.mean.result() * 2.0}

    model = Means()
    model.compile()
    data = np.array([[2.0, -1.0], [4.0, -3.0]], "float32")
    assert model.evaluate(data, verbose=0) == pytest.approx(7.0)
    mean = metrics.Mean()
    mean.update_state(data[:, 0], sample_weight=data[:, 1])
    assert mean.result() == pytest.approx(3.5)


@pytest.mark.parametrize("what", ["profile", "memory_plan"])
def test_a_step_without_a_program_has_nothing_to_look_at(what):
    model = Sequential([Input((4,)), layers.Dense(2)])
    model.compile("sgd", "mse", run_eagerly=True)
    if what == "memory_plan":
        assert model.memory_plan(3).arena_bytes > 0  # of the program that it would be
    else:
        with pytest.raises(ValueError, match="profile: the step runs op by op"):
            model.profile(X, X[:, :2])


@pytest.mark.parametrize(
    "call",
    [
        lambda m: dlnative.value_and_grad(m, "mse", "float64", False, "more"),
        lambda m: dlnative.value_and_grad(m, "mse", "float64", dtype="float32"),
        lambda m: dlnative.value_and_grad(m, "mse", has_aux=True),
        lambda m: dlnative.value_and_grad(lambda: 0, m.trainable_variables, dtype="float64"),
        lambda m: dlnative.value_and_grad(lambda: 0, m.trainable_variables, True, False),
    ],
)
def test_options_of_the_other_form_are_refused(call):
    with pytest.raises(TypeError, match="value_and_grad: of a (model|function) expected"):
        call(Sequential([Input((4,)), layers.Dense(1)]))


def test_predict_for_no_batch():
    class Nothing:
        def __iter__(self):
            return iter(())

    with pytest.raises(ValueError, match="at least one batch"):
        Sequential([Input((4,)), layers.Dense(1)]).predict(Nothing(), verbose=0)


def test_a_weight_has_the_learning_rate_factor_that_was_set_last():
    dense = layers.Dense(2)
    model = Sequential([Input((4,)), dense])
    dense.learning_rate_factor = 0.5
    dense.kernel.learning_rate_factor = 0.1
    assert len(model.variables) == 2
    assert (dense.kernel.learning_rate_factor, dense.bias.learning_rate_factor) == (0.1, 0.5)
    model.learning_rate_factor = 0.25
    assert [v.learning_rate_factor for v in model.variables] == [0.25, 0.25]


def test_dropout_along_axes_with_a_rate_of_the_step():
    class Drops(layers.Layer):
        def call(self, x):
            rate = ops.sum(x) * 0.0 - 1.0  # below 0 counts as 0
            return dlnative.random.dropout(x, rate, noise_shape=(None, 1))

    x = np.ones((3, 4), "float32")
    np.testing.assert_array_equal(Drops()(x), x)
    kept = dlnative.random.dropout(x, np.float32(0.5), noise_shape=(None, 1), seed=1)
    assert kept.dtype == "float32" and set(np.unique(kept)) <= {0.0, 2.0}


def test_the_slope_of_leaky_relu_is_one_number():
    class Leaks(layers.Layer):
        def call(self, x):
            return ops.leaky_relu(x, x[0] * 0.1)

    with pytest.raises(ValueError, match="leaky_relu: expected negative_slope to be a scalar"):
        Leaks()(X)
    slope = ops.convert_to_tensor(0.2)
    np.testing.assert_allclose(ops.leaky_relu(-X, slope), -0.2 * X, rtol=1e-6)


def test_a_program_that_another_one_calls_sees_the_weights_of_the_step_before():
    """Packed weights, too: what the outer run has written is known to the inner one."""
    rng = np.random.default_rng(0)
    x, y, probes = (rng.normal(size=(n, 512)).astype("float32") for n in (256, 256, 128))
    shared = layers.Dense(512)
    serve = Sequential([Input((512,)), shared])
    errors = []

    def look(values):
        got = serve.predict(probes, verbose=0, batch_size=128)
        kernel, bias = (v.value for v in (shared.kernel, shared.bias))
        errors.append(np.abs(got - (probes @ kernel + bias)).max())
        return values

    def loss(y_true, y_pred):
        seen = dlnative.numpy_function(look, y_pred, backward=lambda dy, x: dy)
        return ops.mean(ops.square(seen - y_true), axis=-1)

    model = Sequential([Input((512,)), shared])
    model.compile(dlnative.optimizers.SGD(0.5), loss)
    serve.predict(probes, verbose=0, batch_size=128)
    model.fit(x, y, batch_size=32, epochs=2, verbose=0)
    assert len(errors) >= 16 and max(errors) < 2e-3
