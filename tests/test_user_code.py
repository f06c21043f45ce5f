"""Losses, metrics, activations, penalties, initializers and layers of one's own, made of ops.

Each is written as Keras documents it. It runs inside the program, on both engines, and computes the
same when it is called on arrays.
"""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import Input, Model, Sequential, layers, losses, metrics, ops

X = np.random.default_rng(1).standard_normal((24, 5)).astype("float32")
W = np.random.default_rng(2).standard_normal((5, 1)).astype("float32")
Y = (X @ W > 0).astype("float32")


class MaskedHuber(losses.Loss):
    """Huber's loss where there is a label; -1 stands for none."""

    def __init__(self, delta=1.0, name="masked_huber"):
        super().__init__(name=name)
        self.delta = delta

    def call(self, y_true, y_pred):
        mask = ops.cast(y_true != -1, y_pred.dtype)
        error = abs(y_pred - y_true)
        huber = ops.where(
            error <= self.delta, 0.5 * error**2, self.delta * error - 0.5 * self.delta**2
        )
        return ops.sum(huber * mask, axis=-1) / ops.maximum(ops.sum(mask, axis=-1), 1)


def masked_huber(y, p, delta=1.0):
    """The same in NumPy."""
    mask, error = (y != -1).astype(float), np.abs(p - y)
    huber = np.where(error <= delta, 0.5 * error**2, delta * error - 0.5 * delta**2)
    return (huber * mask).sum(-1) / np.maximum(mask.sum(-1), 1)


class F1(metrics.Metric):
    """2 TP / (2 TP + FP + FN), of three counters."""

    def __init__(self, name="f1", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.hits = self.add_weight(shape=(), initializer="zeros", name="hits", dtype="int64")
        self.wrong = self.add_weight(shape=(), initializer="zeros", name="wrong", dtype="float32")

    def update_state(self, y_true, y_pred, sample_weight=None):
        is_true, is_pred = y_true > 0.5, y_pred > 0.5
        self.hits.assign_add(ops.sum(is_true & is_pred))
        self.wrong.assign(self.wrong + ops.sum(ops.cast(is_true ^ is_pred, "float32")))

    def result(self):
        return 2 * self.hits / (2 * self.hits + self.wrong + 1e-7)


def f1(y, p):
    t, q = y > 0.5, p > 0.5
    return 2 * (t & q).sum() / (2 * (t & q).sum() + (t ^ q).sum() + 1e-7)


def swish_like(x):
    return x * ops.sigmoid(1.5 * x) + 0.1 * ops.log1p(ops.exp(-abs(x)))


def orthogonality(w):
    gram = ops.matmul(ops.transpose(w), w)
    return 0.01 * ops.sum(ops.square(gram - ops.eye(gram.shape[0])))


class Ones(dlnative.initializers.Initializer):
    def __call__(self, shape, dtype=None):
        return ops.full(shape, 0.25, dtype=dtype or "float32")


class Windowed(layers.Layer):
    """Slices, gathers, statistics of the batch that it keeps, and a table for integers."""

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")
        self.mean = self.add_weight(
            shape=(shape[-1],), initializer="zeros", trainable=False, name="mean"
        )
        self.calls = self.add_weight(
            shape=(), initializer="zeros", trainable=False, dtype="int32", name="calls"
        )

    def call(self, x, training=False):
        if training:
            self.mean.assign(0.9 * self.mean + 0.1 * ops.mean(x, axis=0))
            self.calls.assign_add(1)
        centred = (x - self.mean) * self.scale
        return ops.concatenate([centred[:, ::2], ops.take(centred, [1, 3], axis=1)], axis=-1)


def network(**compiled):
    dlnative.utils.set_random_seed(3)
    model = Sequential(
        [
            Input((5,)),
            Windowed(),
            layers.Dense(6, activation=swish_like, kernel_regularizer=orthogonality),
            layers.Dense(1, activation="sigmoid", kernel_initializer=Ones()),
        ]
    )
    model.compile(**{"optimizer": "sgd", "loss": MaskedHuber(0.3), "metrics": [F1()], **compiled})
    return model


def test_everything_of_ones_own_trains_alike_on_both_engines():
    histories, weights = [], []
    labels = Y.copy()
    labels[::5] = -1
    for engine in ("native", "numpy"):
        with dlnative.engine(engine):
            model = network()
            histories.append(model.fit(X, labels, epochs=3, batch_size=7, verbose=0).history)
            weights.append(model.get_weights())
    for key in histories[0]:
        np.testing.assert_allclose(histories[0][key], histories[1][key], rtol=1e-5)
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    layer = model.layers[0]
    assert layer.calls.numpy() == 3 * 4
    assert layer.calls.dtype == "int32"


def test_the_state_of_a_layer_follows_its_formula():
    layer = Windowed()
    layer(X)
    mean = np.zeros(5)
    for _ in range(3):
        layer(X, training=True)
        mean = 0.9 * mean + 0.1 * X.mean(axis=0)
    np.testing.assert_allclose(layer.mean.numpy(), mean, rtol=1e-5)
    assert layer.calls.numpy() == 3


def test_a_loss_and_a_metric_of_ones_own_on_arrays():
    model = network()
    labels = Y.copy()
    labels[3] = -1
    p = model.predict(X, verbose=0)
    loss = MaskedHuber(0.3)
    assert float(loss(labels, p)) == pytest.approx(masked_huber(labels, p, 0.3).mean(), rel=1e-5)
    metric = F1()
    metric.update_state(Y[:10], p[:10])
    metric.update_state(Y[10:], p[10:])
    assert float(metric.result()) == pytest.approx(f1(Y, p), rel=1e-5)
    metric.reset_state()
    assert float(metric.result()) == 0.0


def test_evaluate_reports_what_numpy_computes():
    model = network()
    penalty = 0.01 * np.sum(
        np.square(model.layers[1].kernel.numpy().T @ model.layers[1].kernel.numpy() - np.eye(6))
    )
    loss, score = model.evaluate(X, Y, batch_size=5, verbose=0)
    p = model.predict(X, verbose=0)
    assert loss == pytest.approx(masked_huber(Y, p, 0.3).mean() + penalty, rel=1e-4)
    assert score == pytest.approx(f1(Y, p), rel=1e-5)


def test_the_gradient_of_ones_own_loss():
    result = dlnative.gradcheck(network(), X, Y)
    assert result.max_error < 1e-6


def test_a_functional_model_of_ops():
    x = Input((6, 6, 1))
    n = Input((3,), dtype="int32")
    y = ops.mean(x[:, 1:-1, ::2], axis=(1, 2)) ** 2 + ops.cast(n[:, :1] // 2, "float32")
    z = ops.where(y > 0.5, ops.log(y + 1.0), -y)
    model = Model([x, n], z)
    assert model.output_shape == (None, 1)
    a = np.random.default_rng(0).random((4, 6, 6, 1)).astype("float32")
    b = np.array([[5, 0, 0], [0, 1, 0], [-3, 2, 2], [2**30, 0, 0]], dtype="int32")
    got = model.predict([a, b], verbose=0)
    y = a[:, 1:-1, ::2].mean((1, 2)) ** 2 + (b[:, :1] // 2).astype("float32")
    expected = np.where(y > 0.5, np.log(np.maximum(y, 0) + 1), -y)
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    again = Model.from_config(model.get_config())
    np.testing.assert_array_equal(again.predict([a, b], verbose=0), got)


def test_integers_stay_what_they_are_in_a_layer():
    class Large(layers.Layer):
        def call(self, x):
            return x + 1

    numbers = np.array([2**40, 7], dtype="int64")
    np.testing.assert_array_equal(Large()(numbers), numbers + 1)
    assert Large()(np.array([1, 2], dtype="uint8")).dtype == "uint8"
    assert Large()(np.array([1.0])).dtype == "float32"


def test_what_has_no_meaning_in_a_program_raises_with_a_remedy():
    class Masks(layers.Layer):
        def call(self, x):
            return x[x > 0]

    with pytest.raises(TypeError, match=r"dlnative\.ops\.where"):
        Masks()(X)
    with pytest.raises(ValueError, match="division of integers by the constant 0"):
        layers.Lambda(lambda x: x // 0)(X.astype("int32"))
    with pytest.raises(TypeError, match="complex|numbers"):
        ops.add(np.ones(2, dtype="complex64"), 1)


@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_an_index_out_of_range_changes_nothing(engine):
    class Table(layers.Layer):
        def build(self, shape):
            self.table = self.add_weight(shape=(4, 2), initializer="ones", name="table")

        def call(self, x):
            return ops.take(self.table, x, axis=0)

    model = Sequential([Input((2,), dtype="int32"), Table(name="words"), layers.Flatten()])
    model.compile("sgd", "mse")
    before = model.get_weights()
    rows = np.array([[0, 1], [3, 9]], dtype="int32")
    with dlnative.engine(engine):
        with pytest.raises(ValueError, match=r"layer 'words': take: index 9 is out of range"):
            model.fit(rows, np.zeros((2, 4)), verbose=0)
        for a, b in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        history = model.fit(rows % 4, np.zeros((2, 4)), verbose=0, epochs=2).history
    assert history["loss"][1] < history["loss"][0]


def test_a_function_of_numpy_trains_in_a_program():
    class Sine(layers.Layer):
        def call(self, x):
            return dlnative.numpy_function(np.sin, x, backward=lambda dy, x: dy * np.cos(x))

    dlnative.utils.set_random_seed(0)
    model = Sequential([Input((5,)), layers.Dense(3), Sine(), layers.Dense(1)])
    model.compile("adam", "mse")
    history = model.fit(X, Y, epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0]
    assert dlnative.gradcheck(model, X, Y).max_error < 1e-7
    names = str(model.profile(X, Y))
    assert "numpy_function" in names

    class Blind(layers.Layer):
        def call(self, x):
            return dlnative.numpy_function(np.sin, x)

    model = Sequential([Input((5,)), layers.Dense(3), Blind(name="blind"), layers.Dense(1)])
    model.compile("adam", "mse")
    with pytest.raises(ValueError, match="numpy_function 'sin' has no gradient.*backward"):
        model.fit(X, Y, verbose=0)

    def breaks(x):
        raise KeyError("of the function")

    class Breaks(layers.Layer):
        def call(self, x):
            return dlnative.numpy_function(breaks, x)

    with pytest.raises(KeyError, match="of the function"):
        Breaks()(X)


@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_integers_have_no_gradient(engine):
    """Neither through a loss of integers nor into weights of integers."""

    class Counted(layers.Layer):
        def build(self, input_shape):
            self.k = self.add_weight(shape=(2,), dtype="int32", initializer="ones", name="k")

        def call(self, inputs):
            return inputs * ops.cast(self.k, "float32")

    x = np.ones((4, 2), "float32")
    with dlnative.engine(engine):
        y, pullback = dlnative.vjp(lambda v: ops.sum(ops.cast(v * 10, "int32")), x)
        assert y == 80
        assert (pullback(np.ones((), "int32"))[0][0] == 0).all()
        model = Sequential([Input((2,)), layers.Dense(2)])
        with pytest.raises(ValueError, match="does not depend on the predictions, or only in st"):
            model.compile("sgd", lambda a, b: ops.cast(ops.sum(b * 100), "int32"))
        model = Sequential([Input((2,)), Counted(), layers.Dense(2)])
        model.compile("sgd", "mse")
        with pytest.raises(ValueError, match="counted.*/k' is int32, .*trainable=False"):
            model.fit(x, x, verbose=0)


def test_a_penalty_of_several_numbers_is_summed():
    kernels = []
    for penalty in (lambda w: 0.1 * ops.square(w), lambda w: 0.1 * ops.sum(ops.square(w))):
        model = Sequential([Input((2,))])
        model.add(layers.Dense(2, kernel_initializer="ones", kernel_regularizer=penalty))
        model.compile("sgd", "mse")
        model.fit(np.ones((4, 2)), np.ones((4, 2)), verbose=0)
        kernels.append(model.layers[0].kernel.numpy())
    np.testing.assert_allclose(*kernels, rtol=1e-6)
