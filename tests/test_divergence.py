"""Where `fit` says that a step stops being finite: op, layer, rows, on the way forward or back."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import dlnative
from dlnative import layers, ops

X = np.random.default_rng(0).uniform(0.5, 1.5, (64, 4)).astype("float32")
Y = np.random.default_rng(1).normal(size=(64, 2)).astype("float32")


def positive(**options):
    """A layer of weights above 0, without a bias: of zeros it makes zeros."""
    weights = dlnative.initializers.RandomUniform(0.1, 0.2, seed=3)
    return layers.Dense(6, use_bias=False, kernel_initializer=weights, **options)


def sequential(*middle, **first):
    return dlnative.Sequential(
        [layers.Input((4,), name="x"), positive(name="first", **first), *middle, last()]
    )


def last():
    return layers.Dense(2, name="last", kernel_initializer="ones")


def functional(*middle):
    x = layers.Input((4,), name="x")
    y = positive(name="first")(x)
    for layer in middle:
        y = layers.Add()([layer(y), y])
    return dlnative.Model(x, last()(y))


def nested(*middle):
    x = layers.Input((4,), name="x")
    inner = dlnative.Sequential([layers.Input((6,)), *middle], name="inner")
    return dlnative.Model(x, last()(inner(positive(name="first")(x))))


class Own(dlnative.Model):
    """A step of its own."""

    def __init__(self, *middle):
        super().__init__()
        self.stack = [positive(name="first"), *middle, last()]

    def call(self, x):
        for layer in self.stack:
            x = layer(x)
        return x

    def train_step(self, data):
        x, y = data

        def loss_of_batch():
            return ops.mean(ops.square(self(x) - y))

        loss, grads = dlnative.value_and_grad(loss_of_batch, self.trainable_variables)()
        self.optimizer.apply(grads, self.trainable_variables)
        return {"loss": loss}


MODELS = {"sequential": sequential, "functional": functional, "nested": nested, "own": Own}


def applied(function, name):
    return layers.Lambda(function, name=name)


def with_zeros(rows):
    x = X.copy()
    x[rows] = 0.0
    return x


def with_large(rows):
    x = X.copy()
    x[rows] = 500.0
    return x


# name: (layer, data, phase, op, gradient_of, rows of the batch, samples)
PLANTED = {
    "log of 0": (
        lambda: applied(ops.log, "planted"),
        with_zeros([11, 14]),
        ("forward", "log", None, [3, 6], [11, 14]),
    ),
    "exp overflows": (
        lambda: applied(ops.exp, "planted"),
        with_large([20]),
        ("forward", "exp", None, [4], [20]),
    ),
    "gradient of sqrt at 0": (
        lambda: applied(ops.sqrt, "planted"),
        with_zeros([9]),
        ("backward", "divide", "sqrt", [1], [9]),
    ),
}


def trained(model, x=X, y=Y, **options):
    """The messages of `fit`, and the History."""
    given = {"batch_size": 8, "epochs": 2, "verbose": 0, "shuffle": False, **options}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = model.fit(x, y, **given)
    found = [w for w in caught if w.category is RuntimeWarning]
    assert all(w.filename == __file__ for w in found)
    return [str(w.message) for w in found], fitted


def compiled(model, rate=0.01, loss="mse", **options):
    model.compile(dlnative.optimizers.SGD(rate), loss, **options)
    return model


@pytest.mark.parametrize("policy", ["warn", "skip"])
@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("case", PLANTED)
def test_names_op_layer_and_rows(case, kind, policy):
    layer, x, (phase, op, gradient_of, rows, samples) = PLANTED[case]
    model = compiled(MODELS[kind](layer()), rate=1e-5)
    messages, fitted = trained(model, x, on_nonfinite=policy)
    report = fitted.nonfinite[0]
    finding = report.finding
    assert (finding.phase, finding.op, finding.gradient_of) == (phase, op, gradient_of)
    assert finding.layer.split("/")[-1] == "planted"
    assert finding.rows == rows and report.samples == samples
    assert (report.epoch, report.batch) == (1, samples[0] // 8 + 1)
    assert report.learning_rate == pytest.approx(1e-5)
    for part in (f"batch {report.batch} of epoch 1", f"op '{op}'", "planted'", phase, "rate 1e-05"):
        assert part in messages[0]
    assert f"sample{'s' if len(samples) > 1 else ''} {samples[0]}" in messages[0]


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("case", PLANTED)
def test_both_engines_and_steps_op_by_op(case, engine):
    layer, x, (phase, op, _, rows, _) = PLANTED[case]
    with dlnative.engine(engine):
        for eager in (False, True):
            model = compiled(sequential(layer()), rate=1e-5, run_eagerly=eager)
            _, fitted = trained(model, x, on_nonfinite="skip")
            finding = fitted.nonfinite[0].finding
            assert (finding.phase, finding.op, finding.rows) == (phase, op, rows)
            assert np.isfinite(fitted.history["loss"]).all()


def test_a_learning_rate_that_explodes():
    messages, fitted = trained(compiled(sequential(), rate=1e30))
    finding = fitted.nonfinite[0].finding
    assert (finding.phase, finding.op, finding.rows) == ("forward", "dense", list(range(8)))
    assert "batch 2 of epoch 1" in messages[0] and "learning rate 1e+30" in messages[0]
    assert len(messages) == len(fitted.nonfinite) == 1  # it goes on, as in Keras
    assert np.isnan(fitted.history["loss"]).all() and len(fitted.epoch) == 2


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_data_that_are_not_finite(bad):
    x = X.copy()
    x[33, 1] = bad
    messages, fitted = trained(compiled(sequential()), x, check_finite=False)
    report = fitted.nonfinite[0]
    assert (report.finding.phase, report.finding.name) == ("data", "x")
    assert (report.batch, report.finding.rows, report.samples) == (5, [1], [33])
    assert f"'x' is {bad} in row 1 of the batch (sample 33)" in messages[0]
    y = Y.copy()
    y[63, 0] = bad
    _, fitted = trained(compiled(sequential()), X, y, check_finite=False)
    assert fitted.nonfinite[0].finding.name == "y" and fitted.nonfinite[0].samples == [63]


def test_samples_are_those_of_the_data_when_shuffled():
    x = X.copy()
    x[[33, 50]] = np.inf
    _, fitted = trained(
        compiled(sequential()), x, check_finite=False, shuffle=True, on_nonfinite="skip", epochs=1
    )
    assert set(fitted.nonfinite[0].samples) <= {33, 50}


def test_the_loss_itself():
    def unlucky(y_true, y_pred):
        return ops.log(ops.abs(y_true - y_true[:, :1])) * 0.0 + ops.abs(y_pred)

    finding = trained(compiled(sequential(), loss=unlucky))[1].nonfinite[0].finding
    assert (finding.op, finding.layer, finding.rows) == ("log", None, list(range(8)))
    constant = lambda y_true, y_pred: ops.abs(y_pred) + float("inf")  # noqa: E731
    finding = trained(compiled(sequential(), loss=constant))[1].nonfinite[0].finding
    assert (finding.phase, finding.op) == ("forward", "add")


def test_what_is_infinite_on_purpose_is_passed_by():
    def masked(x):
        hidden = ops.log(ops.zeros_like(x))  # -inf, which softmax makes 0 of
        return ops.softmax(ops.where(x > 1.0, x, hidden))

    inside = applied(lambda x: masked(ops.pad(x, [[0, 0], [0, 1]], constant_values=2.0)), "mask")
    messages, fitted = trained(compiled(sequential(inside, applied(ops.log, "planted"))))
    assert fitted.nonfinite[0].finding.layer == "planted"
    messages, _ = trained(compiled(sequential(inside)))
    assert not messages


def test_weights_that_became_so_in_the_step_before():
    """A large gradient that nothing looks at unless it is asked for."""

    def net():
        kernel = dlnative.initializers.Constant(1.0)
        wide = layers.Dense(4096, use_bias=False, name="wide", kernel_initializer=kernel)
        end = layers.Dense(2, use_bias=False, name="end", kernel_initializer=kernel)
        return dlnative.Sequential([layers.Input((4,), name="x"), wide, end])

    def steep(y_true, y_pred):  # the loss is finite, its gradient is not
        return ops.sqrt(ops.abs(y_pred - y_pred))

    messages, fitted = trained(compiled(net(), loss=steep))
    report = fitted.nonfinite[0]
    assert report.finding.phase == "weights" and report.batch == 2
    assert [p.split("/", 1)[1] for p in report.finding.weights] == ["wide/kernel", "end/kernel"]
    assert "began in the step before, batch 1, whose loss was finite" in messages[0]
    _, fitted = trained(compiled(net(), loss=steep), on_nonfinite="stop")
    report = fitted.nonfinite[0]
    assert (report.batch, report.finding.phase) == (1, "backward")
    assert (report.finding.op, report.finding.gradient_of) == ("divide", "sqrt")
    model = compiled(net())
    model.layers[0].kernel.assign(np.full((4, 4096), np.nan))
    assert "Not finite before training: sequential" in trained(model)[0][0]


def test_an_update_that_is_not_finite():
    model = sequential()
    model.compile(dlnative.optimizers.Adam(0.01), "mse")
    y = np.full_like(Y, 1e19)  # its gradients are finite, and their squares are not
    before = model.get_weights()
    _, fitted = trained(model, y=y, on_nonfinite="stop")
    finding = fitted.nonfinite[0].finding
    assert finding.what == "a new weight is not finite"
    assert finding.phase == "update" and finding.name.endswith("/first/kernel")
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("policy", ["warn", "skip"])
def test_generators(policy):
    def batches():
        while True:
            for i in range(0, 64, 8):
                yield with_zeros([11])[i : i + 8], Y[i : i + 8]

    model = compiled(sequential(applied(ops.log, "planted")))
    given = {"batch_size": None, "shuffle": True, "steps_per_epoch": 4, "epochs": 3}
    messages, fitted = trained(model, batches(), None, on_nonfinite=policy, **given)
    report = fitted.nonfinite[0]
    assert (report.batch, report.finding.rows, report.samples) == (2, [3], None)
    assert len(fitted.nonfinite) == (1 if policy == "warn" else 2)
    assert "layer 'planted'" in messages[0] and len(fitted.epoch) == 3


def test_a_loss_that_nobody_sees_before_the_epoch_ends():
    class Unseen(Own):
        def train_step(self, data):
            super().train_step(data)
            return {"loss": self.optimizer.iterations * float("inf")}

    model = compiled(Unseen())
    messages, _ = trained(model)
    assert len(messages) == 1


def test_lbfgs():
    model = sequential(applied(ops.log, "planted"))
    model.compile("lbfgs", "mse")
    before = model.get_weights()
    _, fitted = trained(model, with_zeros([2]), batch_size=64, on_nonfinite="skip")
    assert [r.finding and r.finding.layer for r in fitted.nonfinite] == ["planted", None]
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_terminate_on_nan_ends_training_there():
    model = compiled(sequential(), rate=1e30)
    messages, fitted = trained(model, callbacks=[dlnative.callbacks.TerminateOnNaN()])
    assert "batch 2 of epoch 1" in messages[0] and len(fitted.epoch) == 1
    assert not np.isfinite(fitted.history["loss"][-1])


def test_nothing_is_said_of_numbers():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = compiled(sequential()).fit(X, Y, epochs=3, verbose=0)
    assert fitted.nonfinite == []
