"""What was read of a Variable stays as it was, as in Keras, whatever training does later."""

from __future__ import annotations

import copy
import operator

import numpy as np
import pytest

import dlnative
from dlnative import layers, ops

X = np.random.default_rng(0).normal(size=(40, 5)).astype("float32")
Y = X[:, :2].copy()

READ = {
    "value": lambda v: v.value,
    "slice": lambda v: v[:2],
    "slice of columns": lambda v: v[:, 1:],
    "row": lambda v: v[0],
    "new axis": lambda v: v[None],
    "everything": lambda v: v[...],
    "mask": lambda v: v[np.array([True, False, True, False, False])],
    "numbers": lambda v: v[[0, 3]],
    "element": lambda v: v[0, 1],
    "numpy": lambda v: v.numpy(),
    "asarray": np.asarray,
    "array": np.array,
    "ascontiguousarray": np.ascontiguousarray,
    "atleast_3d": np.atleast_3d,
    "transpose": np.transpose,
    "ravel": np.ravel,
    "rows": list,
    "unpacked": lambda v: [*v],
    "pos": operator.pos,
    "neg": operator.neg,
    "abs": abs,
    "round": round,
    "times one": lambda v: v * 1,
    "plus zero": lambda v: 0 + v,
    "divided by one": lambda v: v / 1,
    "power of one": lambda v: v**1,
    "np.positive": np.positive,
    "np.add": lambda v: np.add(v, 0),
    "ops.reshape": lambda v: ops.reshape(v, (-1,)),
    "ops.reshape to the same": lambda v: ops.reshape(v, (5, 2)),
    "ops.transpose": ops.transpose,
    "ops.squeeze": lambda v: ops.squeeze(ops.expand_dims(v, 0)),
    "ops.cast": lambda v: ops.cast(v, "float32"),
    "ops.convert_to_tensor": ops.convert_to_tensor,
    "ops.convert_to_numpy": ops.convert_to_numpy,
    "ops.stop_gradient": ops.stop_gradient,
    "ops.copy": ops.copy,
    "ops.split": lambda v: ops.split(v, 2, axis=1),
    "ops.unstack": lambda v: ops.unstack(v, axis=0),
    "ops.broadcast_to": lambda v: ops.broadcast_to(v, (5, 2)),
    "ops.stack": lambda v: ops.stack([v]),
    "ops.relu": ops.relu,
    "deepcopy": lambda v: copy.deepcopy(v).value,
    "assigned": lambda v: v.assign(v * 2),
    "added": lambda v: v.assign_add(np.ones((5, 2))),
}


def trained():
    model = dlnative.Sequential([dlnative.Input((5,)), layers.Dense(2)])
    model.compile(dlnative.optimizers.Adam(0.1, use_ema=True), "mse", metrics=["mae"])
    model.fit(X, Y, verbose=0)
    return model


@pytest.fixture(scope="module")
def model():
    return trained()


@pytest.mark.parametrize("how", READ)
def test_a_step_changes_nothing_that_was_read(how, model):
    kernel = model.layers[0].kernel
    kernel.assign(np.arange(10.0).reshape(5, 2))
    read = READ[how](kernel)
    before = np.array(read)
    model.train_on_batch(X, Y)
    kernel.assign(kernel.numpy() + 1)
    np.testing.assert_array_equal(read, before)


@pytest.mark.parametrize("how", ["value", "slice", "row", "everything", "new axis"])
def test_what_was_read_is_read_only(how, model):
    with pytest.raises(ValueError, match="read-only"):
        READ[how](model.layers[0].kernel)[...] = 0.0


def test_an_old_value_can_be_assigned_again(model):
    kernel = model.layers[0].kernel
    kernel.assign(kernel * 0)
    old = kernel.value
    kernel.assign(np.ones((5, 2)))
    kernel.assign(old)
    np.testing.assert_array_equal(kernel, np.zeros((5, 2)))
    part = kernel[1:]
    kernel.assign(np.concatenate([part, np.ones((1, 2))]))
    np.testing.assert_array_equal(part, np.zeros((4, 2)))


def test_reading_row_by_row_while_it_trains(model):
    kernel = model.layers[0].kernel
    before, seen = kernel.numpy(), []
    for row in kernel:
        seen.append(row)
        model.train_on_batch(X, Y)
    np.testing.assert_array_equal(seen, before)


OF_MODEL = {
    "get_weights": lambda m: m.get_weights(),
    "weights": lambda m: [w.value for w in m.weights],
    "state of the optimizer": lambda m: [v.value for v in m.optimizer.variables],
    "iterations": lambda m: [m.optimizer.iterations.value, m.optimizer.iterations[()]],
    "learning rate": lambda m: [m.optimizer.learning_rate.value],
    "metrics": lambda m: [v.value for metric in m.metrics for v in metric.variables],
    "results": lambda m: [*m.get_metrics_result().values()],
    "own variables": lambda m: own_variables(m.optimizer) + own_variables(m.layers[0]),
    "prediction": lambda m: [m.predict(X, verbose=0), m(X), m.predict_on_batch(X)],
    "shown weight": lambda m: [Shown(m.layers[0].kernel)(X)],
    "shown by a model": lambda m: [shown_by_a_model(m.layers[0].kernel)],
    "gradient": lambda m: dlnative.value_and_grad(lambda: m.layers[0].kernel[0, 0] * 1.0, [])(),
}


class Shown(layers.Layer):
    """A layer that returns a weight."""

    def __init__(self, kernel):
        super().__init__()
        self.kernel = kernel

    def call(self, inputs):
        return ops.reshape(self.kernel, (5, 2))


def shown_by_a_model(kernel):
    model = dlnative.Sequential([dlnative.Input((5,), batch_size=5), Shown(kernel)])
    return model.predict_on_batch(X[:5])


def own_variables(owner):
    store = {}
    owner.save_own_variables(store)
    return [*store.values()]


@pytest.mark.parametrize("how", OF_MODEL)
def test_a_step_changes_nothing_that_a_model_gave(how, model):
    model.train_on_batch(X, Y)
    read = OF_MODEL[how](model)
    before = copy.deepcopy(read)
    model.optimizer.learning_rate = float(model.optimizer.learning_rate) / 2
    model.fit(X, Y, verbose=0)
    for a, b in zip(read, before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("eager", [False, True])
def test_what_a_step_of_ones_own_keeps(eager):
    """Tensors that code in an eager step keeps have the values of that step."""

    class Keeping(dlnative.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2, kernel_initializer="ones")

        def call(self, x):
            if eager and self.dense.built:
                seen.append(self.dense.kernel.value)
            return self.dense(x)

    seen = []
    model = Keeping()
    model.compile(dlnative.optimizers.SGD(0.1), "mse", run_eagerly=eager)
    weights = []
    for _ in range(3):
        model.train_on_batch(X, Y)
        weights.append(model.dense.kernel.value)
    assert not np.array_equal(weights[0], weights[1])
    for tensor, before in zip(seen[1:], weights, strict=False):
        np.testing.assert_array_equal(tensor.numpy(), before)
    assert len(seen) == (3 if eager else 0)
