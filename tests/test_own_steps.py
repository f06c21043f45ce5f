"""Steps of one's own: train_step, test_step, predict_step, compute_loss, compute_metrics."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import dlnative
from dlnative import Input, Model, Sequential, layers, losses, metrics, ops, optimizers


@pytest.fixture
def data(rng):
    x = rng.normal(size=(50, 5)).astype("float32")
    return x, (x @ rng.normal(size=(5, 1)) + 0.1).astype("float32")


class Net(Model):
    """A small net with dropout and batch normalisation."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(8, activation="relu")
        self.norm = layers.BatchNormalization()
        self.drop = layers.Dropout(0.3)
        self.out = layers.Dense(1)

    def call(self, x, training=None):
        x = self.norm(self.hidden(x), training=training)
        return self.out(self.drop(x, training=training))


class OwnStep(Net):
    """What the default step does, written by hand."""

    def train_step(self, data):
        x, y, weight = dlnative.utils.unpack_x_y_sample_weight(data)

        def loss_of_batch():
            pred = self(x, training=True)
            return self.compute_loss(x, y, pred, weight), pred

        variables = self.trainable_variables
        (loss, pred), grads = dlnative.value_and_grad(loss_of_batch, variables, has_aux=True)()
        self.optimizer.apply(grads, variables)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss, sample_weight=ops.shape(x)[0])
            else:
                metric.update_state(y, pred)
        return {metric.name: metric.result() for metric in self.metrics}


def trained(cls, data, run_eagerly=False, optimizer="adam", **options):
    """The history and the weights of a model after three epochs."""
    dlnative.utils.set_random_seed(7)
    model = cls()
    model.build((None, 5))
    model.compile(optimizer, "mse", metrics=["mae"], run_eagerly=run_eagerly)
    history = model.fit(
        *data, epochs=3, batch_size=16, verbose=0, validation_split=0.2, **options
    ).history
    return history, model.get_weights()


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "lion"])
def test_a_step_by_hand_is_the_default_step(data, optimizer):
    expected, weights = trained(Net, data, optimizer=optimizer)
    history, own = trained(OwnStep, data, optimizer=optimizer)
    for a, b in zip(own, weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert history["val_loss"] == expected["val_loss"]
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-12)
    # Keras shows the results of the metrics of compile as an entry of their own here.
    assert [entry for entry in history if entry != "mae"] == ["loss", "val_loss", "val_mae"]


@pytest.mark.parametrize("cls", [Net, OwnStep])
def test_eagerly_the_same_comes_out(data, cls):
    expected, weights = trained(cls, data)
    history, eager = trained(cls, data, run_eagerly=True)
    for a, b in zip(eager, weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-5)


def test_eagerly_values_are_seen(data, capsys):
    seen = []

    class Looks(Net):
        def call(self, x, training=None):
            seen.append(np.asarray(x).copy())
            if ops.sum(x) > 1e9:  # a condition on values
                return None
            return super().call(x, training=training)

        def train_step(self, data):
            logs = super().train_step(data)
            print("loss", float(logs["loss"]))
            return logs

    dlnative.utils.set_random_seed(7)
    model = Looks()
    model.compile("sgd", "mse", run_eagerly=True)
    x, y = data
    model.fit(x[:6], y[:6], batch_size=3, shuffle=False, verbose=0)
    np.testing.assert_array_equal(seen[-2], x[:3])
    np.testing.assert_array_equal(seen[-1], x[3:6])
    assert capsys.readouterr().out.count("loss") == 2


def test_a_value_that_is_needed_makes_the_step_eager(data):
    traced = []

    class Clipped(Net):
        def train_step(self, data):
            traced.append(len(traced))
            x, y = data

            def loss_of_batch():
                return ops.mean(ops.square(self(x, training=True) - y))

            variables = self.trainable_variables
            loss, grads = dlnative.value_and_grad(loss_of_batch, variables)()
            if float(loss) > 1.0:  # needs the value
                grads = [g * 0.5 for g in grads]
            self.optimizer.apply(grads, variables)
            return {"loss": loss}

    x, y = data
    model = Clipped()
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match=r"Clipped\.train_step needs .*test_own_steps\.py:\d+"):
        history = model.fit(x, y * 10, epochs=3, batch_size=25, verbose=0, shuffle=False).history
    assert len(traced) == 1 + 6  # one attempt to make a program, then each step
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is said once
        model.fit(x, y, batch_size=25, verbose=0)
    assert history["loss"][-1] < history["loss"][0]


def test_an_attempt_to_make_a_program_leaves_nothing(data):
    """Random state and attributes are what they would be had the step been eager from the start."""

    class Counts(OwnStep):
        def __init__(self):
            super().__init__()
            self.steps_seen = 0

        def train_step(self, data):
            self.steps_seen += 1
            logs = super().train_step(data)
            bool(data[0][0, 0] > 0)
            return logs

    dlnative.utils.set_random_seed(7)
    model = Counts()
    model.build((None, 5))
    model.compile("adam", "mse", metrics=["mae"])
    with pytest.warns(UserWarning, match="needs the value"):
        model.fit(*data, batch_size=25, verbose=0, shuffle=False)
    dlnative.utils.set_random_seed(7)
    other = Counts()
    other.build((None, 5))
    other.compile("adam", "mse", metrics=["mae"], run_eagerly=True)
    other.fit(*data, batch_size=25, verbose=0, shuffle=False)
    assert model.steps_seen == other.steps_seen == 2
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_logs_are_what_the_last_step_returned(data):
    class Last(Net):
        def train_step(self, data):
            x, y = data
            pred = self(x, training=False)
            return {
                "error": ops.mean(ops.abs(pred - y)),
                "both": ops.stack([ops.min(pred), ops.max(pred)]),
                "three": 3,
            }

    x, y = data
    model = Last()
    model.compile("sgd")
    history = model.fit(x, y, batch_size=20, verbose=0, shuffle=False, epochs=2).history
    pred = model.predict(x[40:], verbose=0)
    np.testing.assert_allclose(history["error"][1], np.abs(pred - y[40:]).mean(), rtol=1e-5)
    np.testing.assert_allclose(history["both"][0], [pred.min(), pred.max()], rtol=1e-5)
    assert history["three"] == [3.0, 3.0]


def test_a_gan_of_two_optimizers(data):
    """Each half by its own loss; the other half's updates are no part of its gradient."""

    class Gan(Model):
        def __init__(self):
            super().__init__()
            self.judge = Sequential([Input((5,)), layers.Dense(4, "tanh"), layers.Dense(1)])
            self.maker = Sequential([Input((2,)), layers.Dense(5)])

        def compile(self, judge_optimizer, maker_optimizer):
            super().compile()
            self.judge_optimizer = judge_optimizer
            self.maker_optimizer = maker_optimizer

        def train_step(self, data):
            real, noise = data
            fake = self.maker(noise)

            def judge_loss():
                return ops.mean(self.judge(fake)) - ops.mean(self.judge(real))

            def maker_loss():
                return -ops.mean(self.judge(self.maker(noise)))

            judged = self.judge.trainable_variables
            loss, grads = dlnative.value_and_grad(judge_loss, judged)()
            self.judge_optimizer.apply(grads, judged)
            made = self.maker.trainable_variables
            _, grads = dlnative.value_and_grad(maker_loss, made)()
            self.maker_optimizer.apply(grads, made)
            return {"judge": loss}

    x, _ = data
    noise = np.linspace(-1, 1, 100, dtype="float32").reshape(50, 2)
    dlnative.utils.set_random_seed(1)
    model = Gan()
    before = [v.numpy().astype("float64") for v in model.judge.weights]
    maker = [v.numpy().astype("float64") for v in model.maker.weights]
    model.compile(optimizers.SGD(0.1), optimizers.SGD(0.2))
    model.fit(x, noise, batch_size=50, shuffle=False, verbose=0)
    w, b, v, _ = before
    fake = noise @ maker[0] + maker[1]

    def judge_grads(w, b, v):
        total = [np.zeros_like(w), np.zeros_like(b), np.zeros_like(v)]
        for rows, sign in ((fake, 1.0), (x.astype("float64"), -1.0)):
            h = np.tanh(rows @ w + b)
            dh = sign / 50 * (1 - h**2) * v[:, 0]
            total[0] += rows.T @ dh
            total[1] += dh.sum(0)
            total[2] += sign / 50 * h.sum(0)[:, None]
        return total

    new = [p - 0.1 * g for p, g in zip((w, b, v), judge_grads(w, b, v), strict=True)]
    for a, e in zip(model.judge.get_weights(), new, strict=False):
        np.testing.assert_allclose(a, e, atol=1e-6)
    h = np.tanh(fake @ new[0] + new[1])
    d_fake = (-1 / 50 * (1 - h**2) * new[2][:, 0]) @ new[0].T
    expected = [maker[0] - 0.2 * noise.T @ d_fake, maker[1] - 0.2 * d_fake.sum(0)]
    for a, e in zip(model.maker.get_weights(), expected, strict=True):
        np.testing.assert_allclose(a, e, atol=1e-6)


def test_a_copied_variable_is_not_what_it_was_copied_from():
    """A target network that a step fills has no part in the gradient of its source."""
    w = dlnative.Variable([2.0], dtype="float32", name="w")
    target = dlnative.Variable([0.0], dtype="float32", name="target", trainable=False)

    class Copies(Model):
        def train_step(self, data):
            target.assign(w)
            _, (grad,) = dlnative.value_and_grad(lambda: ops.sum(w * 3.0 + target * 5.0), [w])()
            return {"grad": ops.sum(grad), "target": ops.sum(target)}

    model = Copies()
    model.compile()
    history = model.fit(np.ones((2, 1)), verbose=0).history
    assert history == {"grad": [3.0], "target": [2.0]}


def test_scalars_of_before_are_constants_to_a_function():
    s = dlnative.Variable(2.0, dtype="float32", name="s")

    class Scalars(Model):
        def train_step(self, data):
            before = s * 3.0
            _, (grad,) = dlnative.value_and_grad(lambda: (s * 3.0) * before, [s])()
            return {"grad": grad}

    model = Scalars()
    model.compile()
    assert model.fit(np.ones((2, 1)), verbose=0).history == {"grad": [18.0]}


def test_compute_loss_without_training_and_added_losses(data):
    class Weighed(Net):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            assert sample_weight is None
            return 2.0 * ops.mean(ops.abs(y_pred - y))

    class Mae(Net):
        pass

    x, y = data
    histories = []
    for cls, loss, weights in ((Weighed, None, None), (Mae, "mae", 2.0)):
        dlnative.utils.set_random_seed(3)
        model = cls()
        model.build((None, 5))
        model.compile("sgd", loss, loss_weights=weights, metrics=["mse"])
        histories.append(model.fit(x, y, epochs=2, verbose=0, shuffle=False).history)
        histories[-1]["evaluated"] = model.evaluate(x, y, verbose=0)
    for name, values in histories[1].items():
        np.testing.assert_allclose(histories[0][name], values, rtol=1e-5, err_msg=name)


def test_test_step_and_predict_step(data):
    class Own(Net):
        def test_step(self, data):
            x, y = data
            return {"error": ops.max(ops.abs(self(x, training=False) - y))}

        def predict_step(self, data):
            return {"p": self(data, training=False), "n": ops.shape(data)[0] + ops.sum(data, 1)}

    x, y = data
    model = Own()
    model.compile("sgd", "mse")
    model.fit(x, y, verbose=0)
    pred = model(x)
    last = np.abs(pred - y)[32:].max()
    np.testing.assert_allclose(model.evaluate(x, y, verbose=0), last, rtol=1e-6)
    assert model.evaluate(x, y, verbose=0, return_dict=True).keys() == {"error"}
    assert list(model.fit(x, y, verbose=0, validation_data=(x, y)).history) == ["loss", "val_error"]
    out = model.predict(x, batch_size=20, verbose=0)
    np.testing.assert_array_equal(out["p"], model(x))
    np.testing.assert_allclose(
        out["n"], np.repeat([20, 20, 10], [20, 20, 10]) + x.sum(1), rtol=1e-5
    )
    assert model.predict_on_batch(x[:3])["p"].shape == (3, 1)
    assert model.test_on_batch(x, y) == pytest.approx(np.abs(model(x) - y).max(), rel=1e-6)


def test_a_metric_among_the_attributes(data):
    class Watched(layers.Layer):
        def __init__(self):
            super().__init__()
            self.seen = metrics.Mean(name="seen")

        def call(self, x):
            self.seen.update_state(x)
            return x

    x, y = data
    model = Sequential([Input((5,)), Watched(), layers.Dense(1)])
    model.compile("sgd", "mse")
    assert [m.name for m in model.metrics] == ["loss", "seen"]
    history = model.fit(x, y, epochs=2, verbose=0, validation_data=(2 * x, y)).history
    np.testing.assert_allclose(history["seen"], [x.mean()] * 2, rtol=1e-4)
    np.testing.assert_allclose(history["val_seen"], [2 * x.mean()] * 2, rtol=1e-4)
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    assert list(logs) == ["loss", "seen"]
    assert model.train_on_batch(x, y, return_dict=True)["seen"] == pytest.approx(x.mean(), rel=1e-4)


def test_metrics_overridden(data):
    class Mine(OwnStep):
        def __init__(self):
            super().__init__()
            self.mean_error = metrics.Mean(name="error")
            self.resets = 0

        @property
        def metrics(self):
            return [self.mean_error]

        def reset_metrics(self):
            self.resets += 1
            super().reset_metrics()

        def train_step(self, data):
            x, y = data
            self.mean_error.update_state(ops.abs(self(x, training=False) - y))
            return {"error": self.mean_error.result()}

    x, y = data
    model = Mine()
    model.compile("sgd", "mse")
    history = model.fit(x, y, epochs=3, batch_size=20, verbose=0).history
    np.testing.assert_allclose(history["error"], [np.abs(model(x) - y).mean()] * 3, rtol=1e-5)
    assert model.resets == 3
    assert model.metrics_names == ["error"]


def test_nested_data_reach_the_step_as_given():
    seen = {}

    class Takes(Model):
        def train_step(self, data):
            x, y, weight = data
            seen.update(x=x, y=y, weight=weight)
            return {"n": ops.sum(x["a"]) + ops.sum(y[1]["c"])}

    model = Takes()
    model.compile()
    x = {"a": np.ones((4, 2)), "b": np.arange(4)}
    y = [np.zeros(4, bool), {"c": np.full((4, 3), 2, np.int64)}]
    history = model.fit(x, y, sample_weight=np.ones(4), batch_size=4, verbose=0).history
    assert history["n"] == [8.0 + 24.0]
    kinds = {k: t.dtype for k, t in seen["x"].items()}
    assert kinds == {"a": "float32", "b": "int64"}
    assert [seen["y"][0].dtype, seen["y"][1]["c"].dtype] == ["bool", "int64"]
    assert seen["weight"].dtype == "float32"


def test_class_weight_becomes_a_weight(data):
    class Sums(Model):
        def train_step(self, data):
            return {"total": ops.sum(data[2])}

    model = Sums()
    model.compile()
    history = model.fit(
        data[0][:4], np.array([0, 1, 1, 2]), class_weight={1: 5.0}, verbose=0
    ).history
    assert history["total"] == [12.0]


@pytest.mark.parametrize(
    ("returned", "message"),
    [(None, "return a dict .*NoneType"), (3.0, "return a dict .*float"), ([1], "return a .*list")],
)
def test_a_step_that_returns_something_else(data, returned, message):
    class Wrong(Net):
        def train_step(self, data):
            return returned

    model = Wrong()
    model.compile("sgd", "mse")
    with pytest.raises(TypeError, match=rf"Wrong\.train_step must {message}"):
        model.fit(*data, verbose=0)


def test_value_and_grad_on_arrays(data):
    x, y = data
    model = Sequential([Input((5,)), layers.Dense(3, "tanh"), layers.BatchNormalization()])
    model.add(layers.Dense(1))
    mse = losses.MeanSquaredError()

    def loss_of_batch(x, y):
        pred = model(x, training=True)
        return mse(y, pred), {"pred": pred}

    moving = model.layers[1].moving_mean.numpy()
    (loss, aux), grads = dlnative.value_and_grad(
        loss_of_batch, model.trainable_variables, has_aux=True
    )(x, y)
    assert not np.array_equal(moving, model.layers[1].moving_mean.numpy())
    expected, by_path = dlnative.value_and_grad(model, "mse")(x, y)
    assert isinstance(loss, np.ndarray)
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    for grad, (path, other) in zip(grads, by_path.items(), strict=True):
        np.testing.assert_allclose(grad, other, rtol=1e-4, atol=1e-7, err_msg=path)
    assert aux["pred"].shape == (50, 1)
    before = model.get_weights()
    optimizers.SGD(0.5).apply(grads, model.trainable_variables)
    kernel = model.layers[0].kernel.numpy()
    np.testing.assert_allclose(kernel, before[0] - np.float32(0.5) * grads[0], rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda v: dlnative.value_and_grad(3, [v]), TypeError, "a function and a list"),
        (lambda v: dlnative.value_and_grad(lambda: v, [3]), TypeError, "list of Variables"),
        (lambda v: dlnative.value_and_grad(lambda: v * 1.0, [v])(), TypeError, "scalar.*shape"),
        (lambda v: dlnative.value_and_grad(lambda: 3.0, [v])(), TypeError, "must return tensors"),
        (
            lambda v: dlnative.value_and_grad(lambda: ops.sum(v), [v], has_aux=True)(),
            TypeError,
            "a pair",
        ),
    ],
)
def test_value_and_grad_of_what_it_cannot(call, error, message):
    variable = dlnative.Variable([1.0, 2.0], dtype="float32")
    with pytest.raises(error, match=message):
        call(variable)


def test_a_variable_without_influence_has_a_gradient_of_zero():
    a, b = (dlnative.Variable([1.0, 2.0], dtype="float32") for _ in range(2))
    _, grads = dlnative.value_and_grad(lambda: ops.sum(a * a), [b, a])()
    assert [g.tolist() for g in grads] == [[0.0, 0.0], [2.0, 4.0]]


def eager_step(function):
    """The history of a model whose step differentiates `function(pred, y)`, op by op."""

    class Own(Net):
        def train_step(self, data):
            x, y = data
            variables = self.trainable_variables
            loss, grads = dlnative.value_and_grad(
                lambda: function(self(x, training=False), y), variables
            )()
            self.optimizer.apply(grads, variables)
            return {"loss": loss, "strange": bool(np.isnan(loss)) or not np.isfinite(loss)}

    model = Own()
    model.compile("sgd", run_eagerly=True)
    return model.fit(np.ones((4, 5)), np.ones((4, 1)), verbose=0).history


def test_functions_of_numpy_on_values():
    """Those that tell something of values work; those whose gradient would end there raise."""
    history = eager_step(lambda pred, y: ops.mean(ops.square(pred - y)))
    assert history["strange"] == [0.0] and history["loss"][0] > 0
    for function in (
        lambda pred, y: ops.mean(ops.square(pred - y)) + float(np.mean(np.asarray(pred))),
        lambda pred, y: ops.mean(np.exp(pred) * y),
        lambda pred, y: ops.mean(ops.square(pred - y)) + np.mean(pred),
        lambda pred, y: ops.mean(y * np.abs(pred.numpy() - 1.0)) + ops.sum(np.exp(pred)),
    ):
        with pytest.raises(TypeError, match=r"dlnative\.ops"):
            eager_step(function)
    scaled = eager_step(
        lambda pred, y: ops.mean(ops.square(pred - y)) / float(np.max(pred.numpy()))
    )
    assert np.isfinite(scaled["loss"][0])
