"""What steps of one's own are given and what they return: data without labels, logs."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import Model, layers, ops, optimizers


@pytest.fixture
def data(rng):
    x = rng.normal(size=(50, 5)).astype("float32")
    return x, (x @ rng.normal(size=(5, 1)) + 0.1).astype("float32")


class Net(Model):
    def __init__(self):
        super().__init__()
        self.out = layers.Dense(1)

    def call(self, x, training=None):
        return self.out(x)


@pytest.mark.parametrize("value", [None, "text", [None]])
def test_logs_that_are_no_numbers(data, value):
    class Wrong(Net):
        def train_step(self, data):
            return {"loss": 1.0, "odd": value}

    model = Wrong()
    model.compile("sgd", "mse")
    with pytest.raises(TypeError, match=r"Wrong\.train_step: what it returns as 'odd' must be a"):
        model.fit(*data, verbose=0)


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_numbers_of_the_step_in_logs(data, run_eagerly):
    """They are float64 wherever they go: a Variable takes them as they are, too."""
    kept = dlnative.Variable(0.0, dtype="float64", name="kept", trainable=False)

    class Logs(Net):
        def train_step(self, data):
            kept.assign(self.optimizer.learning_rate)
            logs = super().train_step(data)
            more = {"rate": self.optimizer.learning_rate, "steps": self.optimizer.iterations}
            return {**logs, **more, "kept": kept * 3}

    model = Logs()
    model.compile(optimizers.SGD(0.1), "mse", run_eagerly=run_eagerly)
    history = model.fit(*data, batch_size=10, epochs=2, verbose=0).history
    assert history["rate"] == [0.1, 0.1]
    assert history["steps"] == [5, 10]
    assert history["kept"] == pytest.approx([0.1 * 3] * 2, rel=1e-15)
    assert kept.numpy() == 0.1


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: (x,), lambda x: [x]])
def test_validation_without_labels(data, wrap):
    class Alone(Net):
        def train_step(self, data):
            return {"loss": ops.mean(self(data, training=True))}

        def test_step(self, data):
            assert not isinstance(data, tuple)
            return {"loss": ops.mean(self(data, training=False))}

    class Penalised(Net):
        def call(self, x, training=None):
            out = super().call(x, training=training)
            self.add_loss(ops.mean(out))
            return out

    x, y = data
    for cls in (Alone, Penalised):
        model = cls()
        model.compile("sgd")
        history = model.fit(x, validation_data=wrap(x), batch_size=50, verbose=0).history
        assert history["val_loss"][0] == pytest.approx(model.predict(x, verbose=0).mean(), rel=1e-5)
    model = Net()
    model.compile("sgd", "mse")
    with pytest.raises(
        ValueError, match=r"validation_data: (expected \(x, y\)|y: expected labels)"
    ):
        model.fit(x, y, validation_data=wrap(x), verbose=0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda x, y: (x, y[:4]), r"validation_data: Expected the same number of samples"),
        (lambda x, y: (x[:, :3], y), r"validation_data: .*received \(batch, 3\)"),
        (lambda x, y: (x,), r"validation_data: y: expected labels"),
    ],
)
def test_shapes_of_validation_data(data, given, message):
    model = dlnative.Sequential([dlnative.Input((5,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=message):
        model.fit(*data, validation_data=given(*data), verbose=0)


def test_a_loss_that_was_computed_before(data):
    class Before(Net):
        def train_step(self, data):
            loss = ops.mean(ops.square(self(data[0]) - data[1]))
            variables = self.trainable_variables
            _, grads = dlnative.value_and_grad(lambda: loss, variables)()
            self.optimizer.apply(grads, variables)
            return {"loss": loss}

    model = Before()
    model.compile("sgd")
    with pytest.warns(UserWarning, match="depends on none of the variables"):
        model.fit(*data, verbose=0, batch_size=50)


class Counts(Net):
    """A penalty that grows step by step, as a number of Python."""

    def __init__(self):
        super().__init__()
        self.count = 0
        self.is_odd = False
        self.rows = 0

    def train_step(self, data):
        self.set_numbers(data[0])
        self._calls_of_python = vars(self).get("_calls_of_python", 0) + 1

        def loss_of_batch():
            weight = self.count + 0.5 * self.is_odd + 0.01 * self.rows
            return weight * ops.mean(ops.square(self(data[0]) - data[1]))

        variables = self.trainable_variables
        loss, grads = dlnative.value_and_grad(loss_of_batch, variables)()
        self.optimizer.apply(grads, variables)
        return {"loss": loss, "count": self.count}

    def set_numbers(self, x):
        self.rows = x.shape[0]


class Adds(Counts):
    def set_numbers(self, x):
        self.count += 1


class Toggles(Counts):
    def set_numbers(self, x):
        self.is_odd = not self.is_odd


def fit_counting(cls, data, **options):
    dlnative.utils.set_random_seed(3)
    model = cls()
    model.build((None, 5))
    model.compile(optimizers.SGD(0.01), **options)
    history = model.fit(*data, batch_size=10, epochs=2, shuffle=False, verbose=0).history
    return model, history


@pytest.mark.parametrize(("cls", "name"), [(Adds, "count"), (Toggles, "is_odd")])
def test_numbers_that_a_step_sets(data, cls, name):
    with pytest.warns(
        UserWarning, match=rf"{cls.__name__}\.train_step sets {cls.__name__}\.{name} "
    ) as w:
        model, history = fit_counting(cls, data)
    expected, by_hand = fit_counting(cls, data, run_eagerly=True)
    assert len(w) == 1
    assert model.count == expected.count == (10 if cls is Adds else 0)
    assert history == by_hand
    for a, b in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert model._calls_of_python == 10


class Grows(layers.Layer):
    """A factor that grows each time that the layer is called."""

    def __init__(self):
        super().__init__()
        self.factor = 1.0

    def call(self, x):
        self.factor += 0.5
        return self.factor * x


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_numbers_that_a_layer_sets(data, optimizer):
    def fit(**options):
        dlnative.utils.set_random_seed(3)
        model = dlnative.Sequential([dlnative.Input((5,)), Grows(), layers.Dense(1)])
        model.layers[0].factor = 1.0
        model.compile(optimizer, "mse", **options)
        model.fit(*data, batch_size=10, verbose=0, shuffle=False)
        return model

    with pytest.warns(UserWarning, match=r"train_step sets Grows\.factor to another number"):
        model = fit()
    expected = fit(run_eagerly=True)
    assert model.layers[0].factor == expected.layers[0].factor
    for a, b in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_numbers_that_follow_from_the_shape(data):
    """A step sets them to the same each time; no warning (they are errors here)."""
    model, _ = fit_counting(Counts, data)
    assert model.rows == 10
    assert model._calls_of_python == 2  # the second time to see that it is the same
