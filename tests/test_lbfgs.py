"""LBFGS: the iterations, beside a plain replica, PyTorch and SciPy; minima; what ends a search."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from plain_lbfgs import minimise

import dlnative
from dlnative import Input, Sequential, layers, ops
from dlnative.optimizers import LBFGS

ENGINES = ["native", "numpy"]


class Weights(layers.Layer):
    """A function of one vector of weights, whatever the inputs are."""

    def __init__(self, start, function):
        super().__init__(dtype="float64")
        self.start = np.asarray(start, "float64")
        self.function = function

    def build(self, shape):
        self.w = self.add_weight(shape=self.start.shape, initializer=lambda s, dtype: self.start)

    def call(self, x):
        return x * 0.0 + self.function(ops, self.w)


def value(y, p):
    return ops.mean(p)


ONE = np.ones((1, 1))


def weights_model(start, function, **options):
    model = Sequential([Input((1,), dtype="float64"), Weights(start, function)])
    model.compile(LBFGS(**{"tolerance_gradient": 0.0, **options}), value)
    return model


def rosenbrock(library, w):
    a = w[1:] - w[:-1] ** 2
    return library.sum(100.0 * a * a + (1.0 - w[:-1]) ** 2)


def logistic_data(count=80, inputs=4, seed=3):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, inputs))
    y = (x @ rng.normal(size=inputs) + rng.normal(size=count) > 0.3).astype("float64")
    return x, y[:, None]


def logistic(x, y, penalty=0.01):
    """Function from weights to the loss and its gradient."""

    def function(w):
        z = x @ w[:-1] + w[-1]
        losses = np.logaddexp(0.0, z) - y[:, 0] * z
        error = 1.0 / (1.0 + np.exp(-z)) - y[:, 0]
        gradient = np.concatenate([x.T @ error, [error.sum()]]) / len(x)
        gradient[:-1] += 2 * penalty * w[:-1]
        return losses.mean() + penalty * (w[:-1] ** 2).sum(), gradient

    return function


def logistic_model(inputs=4, dtype="float64", **options):
    dense = layers.Dense(
        1,
        kernel_initializer="zeros",
        kernel_regularizer=dlnative.regularizers.L2(0.01),
        dtype=dtype,
    )
    model = Sequential([Input((inputs,), dtype=dtype), dense])
    options = {"tolerance_gradient": 0.0, **options}
    model.compile(LBFGS(**options), dlnative.losses.BinaryCrossentropy(from_logits=True))
    return model


def flat(model):
    return np.concatenate([w.ravel() for w in model.get_weights()])


# --- iterations -----------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("history", [1, 3, 10])
def test_iterations_as_a_plain_replica(history, engine):
    """On a badly scaled problem, where a history of another length goes another way."""
    x, y = logistic_data()
    x = x * [1.0, 5.0, 0.2, 1.0]
    expected = minimise(logistic(x, y), np.zeros(5), 12, history)
    with dlnative.engine(engine):
        model = logistic_model(history=history)
        for point in expected:
            model.train_on_batch(x, y)
            np.testing.assert_allclose(flat(model), point, rtol=1e-7, atol=1e-9)
    other = minimise(logistic(x, y), np.zeros(5), 12, 2)
    assert np.abs(other[-1] - expected[-1]).max() > 1e-6


@pytest.mark.parametrize("size", [2, 6])
def test_iterations_as_torch(size):
    """On Rosenbrock's function, whose valley makes the line search bracket and zoom."""
    torch = pytest.importorskip("torch")
    start = np.where(np.arange(size) % 2, 1.0, -1.2)
    model = weights_model(start, rosenbrock, history=5)
    w = torch.tensor(start, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [w], max_iter=1, max_eval=26, history_size=5, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        loss = rosenbrock(torch, w)
        loss.backward()
        return loss

    for _ in range(25):
        model.train_on_batch(ONE, ONE)
        optimizer.step(closure)
        np.testing.assert_allclose(flat(model), w.detach().numpy(), rtol=1e-6, atol=1e-7)
    assert np.abs(flat(model) - start).max() > 0.5


def test_learning_rate_without_a_line_search():
    """w - lr H g, at first lr / |g|_1 along -g, as in PyTorch."""
    model = weights_model([3.0, -1.0], lambda lib, w: lib.sum(w * w), line_search=None)
    model.optimizer.learning_rate = 0.5
    model.train_on_batch(ONE, ONE)
    first = np.array([3.0, -1.0]) * (1.0 - 2.0 * 0.5 / 8.0)
    np.testing.assert_allclose(flat(model), first, rtol=1e-14)
    model.train_on_batch(ONE, ONE)  # H is exact along g
    np.testing.assert_allclose(flat(model), first * 0.5, rtol=1e-12)


# --- minima ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("line_search", ["strong_wolfe", "backtracking", "armijo"])
def test_minimum_of_a_logistic_regression(line_search, engine):
    optimize = pytest.importorskip("scipy.optimize")
    x, y = logistic_data()
    function = logistic(x, y)
    with dlnative.engine(engine):
        model = logistic_model(line_search=line_search)
        model.fit(x, y, batch_size=80, epochs=30, verbose=0)
    assert np.linalg.norm(function(flat(model))[1]) < 1e-8
    found = optimize.minimize(
        function, np.zeros(5), jac=True, method="L-BFGS-B", options={"ftol": 0, "gtol": 1e-10}
    )
    np.testing.assert_allclose(flat(model), found.x, atol=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_minimum_of_least_squares(dtype):
    """Also that float32 comes as near as it can, and keeps its dtype."""
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(60, 6)), rng.normal(size=(60, 2))
    model = Sequential([Input((6,), dtype=dtype), layers.Dense(2, use_bias=False, dtype=dtype)])
    model.compile("lbfgs", "mse")
    model.fit(x, y, batch_size=60, epochs=30, verbose=0)
    (kernel,) = model.get_weights()
    assert kernel.dtype == dtype
    expected = np.linalg.lstsq(x, y, rcond=None)[0]
    np.testing.assert_allclose(kernel, expected, atol=3e-6 if dtype == "float32" else 1e-7)


def test_minimum_of_rosenbrock():
    model = weights_model([-1.2, 1.0, -1.2, 1.0], rosenbrock)
    model.fit(ONE, ONE, epochs=70, verbose=0)
    np.testing.assert_allclose(flat(model), 1.0, atol=1e-10)


@pytest.mark.parametrize("line_search", ["strong_wolfe", "backtracking", None])
def test_points_that_are_not_finite_are_too_far_away(line_search):
    """-log(w) - log(1 - w), which is NaN outside of (0, 1); the first step leads there."""

    def barrier(lib, w):
        return lib.sum(-lib.log(w) - lib.log(1.0 - w))

    model = weights_model([0.001], barrier, line_search=line_search)
    history = model.fit(ONE, ONE, epochs=40, verbose=0).history["loss"]
    assert np.isfinite(history).all()
    np.testing.assert_allclose(flat(model), 0.5, atol=1e-6)


@pytest.mark.parametrize("line_search", ["strong_wolfe", "backtracking"])
def test_a_first_step_that_is_much_too_long(line_search):
    """A step to infinity shrinks to a tenth each time, so that 25 evaluations suffice."""
    model = weights_model([3.0], lambda lib, w: lib.sum(lib.exp(w * w)), line_search=line_search)
    model.optimizer.learning_rate = 1e12 * np.exp(9.0)
    start = np.exp(9.0)
    assert model.train_on_batch(ONE, ONE) < start
    assert flat(model) != 3.0


# --- ends -----------------------------------------------------------------------------------------


def test_tolerance_of_the_gradient():
    model = weights_model([1.0, 2.0], lambda lib, w: lib.sum(w * w), tolerance_gradient=4.5)
    model.train_on_batch(ONE, ONE)
    np.testing.assert_array_equal(flat(model), [1.0, 2.0])
    model.optimizer.tolerance_gradient = 3.5
    model.train_on_batch(ONE, ONE)
    assert (flat(model) != [1.0, 2.0]).all()
    assert model.optimizer.iterations == 2


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("line_search", ["strong_wolfe", "backtracking"])
def test_a_search_that_fails_leaves_the_weights(line_search, engine):
    """A gradient of the wrong sign; after two right steps, whose pairs are given up, too."""
    sign = [1.0]

    def bowl(lib, w):
        turned = dlnative.numpy_function(lambda w: w, w, backward=lambda dy, w: sign[0] * dy)
        return lib.sum(turned**2 * np.array([1.0, 3.0]))

    with dlnative.engine(engine):
        model = weights_model([1.0, 2.0], bowl, line_search=line_search)
        model.fit(ONE, ONE, epochs=2, verbose=0)
        before = flat(model)
        assert model.optimizer.pairs.index.numpy()[0] == 2
        sign[0] = -1.0
        with pytest.warns(UserWarning, match="no step along the steepest descent lowers the loss"):
            loss = model.train_on_batch(ONE, ONE)
        np.testing.assert_array_equal(flat(model), before)
        assert loss == pytest.approx((before**2 * [1, 3]).sum(), rel=1e-14)
        assert model.optimizer.iterations == 3
        assert model.optimizer.pairs.index.numpy()[0] == 0
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.train_on_batch(ONE, ONE)  # said once
        sign[0] = 1.0
        model.fit(ONE, ONE, epochs=12, verbose=0)
        np.testing.assert_allclose(flat(model), 0.0, atol=1e-6)


def test_directions_that_do_not_descend_are_given_up():
    """Pairs with y's < 0, as only someone else can write them: the steepest descent goes on."""
    model = weights_model([1.0, 2.0], lambda lib, w: lib.sum(w * w * np.array([1.0, 3.0])))
    model.fit(ONE, ONE, epochs=1, verbose=0)
    pairs = model.optimizer.pairs
    row = pairs.rows()[-1]
    pairs.changes.array[row] *= -1.0
    loss = model.train_on_batch(ONE, ONE)
    assert loss < 13.0
    model.fit(ONE, ONE, epochs=10, verbose=0)
    np.testing.assert_allclose(flat(model), 0.0, atol=1e-6)


def test_a_loss_that_is_not_finite_at_the_start():
    model = weights_model([-1.0], lambda lib, w: lib.sum(lib.log(w)))
    assert np.isnan(model.train_on_batch(ONE, ONE))
    np.testing.assert_array_equal(flat(model), [-1.0])
    assert model.optimizer.iterations == 1


def test_concave_pairs_are_left_out():
    """Backtracking may end where y's < 0: such a pair is no curvature."""
    model = weights_model([0.1], lambda lib, w: lib.sum(lib.cos(w)), line_search="backtracking")
    model.train_on_batch(ONE, ONE)
    assert model.optimizer.pairs.index.numpy()[0] == 0
    model.fit(ONE, ONE, epochs=15, verbose=0)
    np.testing.assert_allclose(flat(model), np.pi, atol=1e-6)


@pytest.mark.parametrize(("line_search", "limit"), [("strong_wolfe", 4), ("backtracking", 3)])
def test_max_evaluations(line_search, limit):
    """Of a search along a direction whose slope has the wrong sign: two of them in a step."""
    calls = []

    def falling(lib, w):
        def note(w):
            calls.append(w)
            return w

        turned = dlnative.numpy_function(note, w, backward=lambda dy, w: -dy)
        return lib.sum(turned)

    model = weights_model([1.0], falling, line_search=line_search, max_evaluations=limit)
    calls.clear()
    with pytest.warns(UserWarning, match="no step"):
        model.train_on_batch(ONE, ONE)
    assert len(calls) == 1 + limit
    assert len({float(w[0]) for w in calls}) == 1 + limit
