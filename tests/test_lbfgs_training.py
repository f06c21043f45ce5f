"""LBFGS in `fit` and around it: what a step writes, and when; state, options, data, refusals."""

from __future__ import annotations

import copy
import pickle
import threading
from functools import partial

import numpy as np
import pytest
from lbfgs_models import regression, small_model, state_of
from small_training import assert_same, classes, mlp

import dlnative
from dlnative import Input, Sequential, callbacks, layers, ops, optimizers
from dlnative.optimizers import LBFGS

ENGINES = ["native", "numpy"]


# --- what a step writes ---------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_logs_are_those_of_the_new_weights(engine, rng):
    x, y = regression(rng)
    with dlnative.engine(engine):
        model = small_model()
        for _ in range(6):
            logs = model.fit(x, y, batch_size=40, verbose=0).history
            loss, mae = model.evaluate(x, y, batch_size=40, verbose=0)
            np.testing.assert_allclose([logs["loss"][0], logs["mae"][0]], [loss, mae], rtol=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_moving_statistics_move_once_a_step(engine, rng):
    """By the batch at the accepted point, however many points were tried."""
    x, y = regression(rng)
    calls = []

    def note(t):
        calls.append(t)
        return t

    def noting(t):
        return dlnative.numpy_function(note, t, backward=lambda dy, t: dy)

    norm = partial(layers.BatchNormalization, momentum=0.75)
    with dlnative.engine(engine):
        model = small_model(partial(layers.Activation, noting), norm, optimizer=LBFGS(4.0))
        mean, evaluations = np.zeros(5), 0
        for _ in range(8):
            calls.clear()
            model.train_on_batch(x, y)
            evaluations += len(calls)
            kernel, bias = model.get_weights()[:2]
            mean = 0.75 * mean + 0.25 * np.tanh(x @ kernel + bias).mean(axis=0)
            np.testing.assert_allclose(model.layers[2].moving_mean.numpy(), mean, rtol=1e-10)
    assert evaluations > 16  # some step tried several
    assert model.optimizer.iterations == 8


@pytest.mark.parametrize("engine", ENGINES)
def test_a_step_has_one_random_mask(engine, rng):
    """With a rate of 0 the loss of the next step at the present weights, with its own mask."""
    x, y = regression(rng)
    with dlnative.engine(engine):
        model = small_model(partial(layers.Dropout, 0.4))
        found = []
        for _ in range(10):
            still = pickle.loads(pickle.dumps(model))
            still.optimizer.learning_rate = 0.0
            start, again = still.train_on_batch(x, y), still.train_on_batch(x, y)
            assert start[0] != again[0]  # another step, another mask
            assert_same(model.get_weights(), still.get_weights())
            reached = model.train_on_batch(x, y)
            found.append(start[0] - reached[0])
        assert min(found) > 0.0


def test_nobody_sees_weights_that_are_tried(rng):
    """Neither during the evaluations of a step nor after one of them raised."""
    x, y = regression(rng)
    seen, fails_at = [], [10**9]

    def note(t):
        if len(seen) == fails_at[0]:
            raise ArithmeticError("no more")
        seen.append(state_of(model))
        return t

    def noting(t):
        return dlnative.numpy_function(note, t, backward=lambda dy, t: dy)

    model = small_model(partial(layers.Activation, noting), layers.BatchNormalization)
    model.train_on_batch(x, y)
    for _ in range(4):
        before = state_of(model)
        seen.clear()
        model.train_on_batch(x, y)
        assert len(seen) >= 2
        # The row that no pair has may be written to before the step ends.
        for state in seen:
            assert_same(before, state)
    before, seen[:], fails_at[0] = state_of(model), [], 1
    metrics = model.get_metrics_result()
    with pytest.raises(ArithmeticError, match="no more"):
        model.train_on_batch(x, y)
    assert_same(before, state_of(model))
    fails_at[0] = 10**9
    assert model.train_on_batch(x, y)[0] < metrics["loss"]


@pytest.mark.parametrize("engine", ENGINES)
def test_predictions_of_other_threads(engine, rng):
    """They are those of weights between two steps."""
    x, y = regression(rng)
    allowed, found, done = [], [], threading.Event()
    with dlnative.engine(engine):
        model = small_model()
        model.fit(x, y, batch_size=40, verbose=0)
        allowed.append(model.predict(x[:4], verbose=0))

        def watch():
            with dlnative.engine(engine):
                while not done.is_set():
                    found.append(model.predict_on_batch(x[:4]))

        thread = threading.Thread(target=watch)
        thread.start()
        for _ in range(15):
            model.train_on_batch(x, y)
            allowed.append(model.predict(x[:4], verbose=0))
        done.set()
        thread.join()
    assert found
    for each in found:
        assert any(np.array_equal(each, a) for a in allowed)


# --- state ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_go_on_with_the_same_bits(copied, rng):
    x, y = regression(rng)
    model = small_model(partial(layers.Dropout, 0.2), optimizer=LBFGS(history=4))
    model.fit(x, y, batch_size=40, epochs=7, verbose=0)  # the rows have gone round
    other = copied(model)
    for each in (model, other):
        each.fit(x, y, batch_size=40, epochs=5, verbose=0)
    assert_same(state_of(model), state_of(other))
    other.fit(x, y, batch_size=40, verbose=0)
    assert_same(state_of(model), state_of(other), same=False)


def test_variables_are_the_whole_state(rng):
    x, y = regression(rng)
    model, other = small_model(), small_model()
    model.fit(x, y, batch_size=40, epochs=7, verbose=0)
    other.optimizer.build(other.trainable_variables)
    names = [v.name for v in other.optimizer.variables]
    assert names == ["iteration", "learning_rate", "pairs", "steps", "gradient_changes"]
    other.set_weights(model.get_weights())
    other.optimizer.set_weights([v.numpy() for v in model.optimizer.variables])
    for each in (model, other):
        each.fit(x, y, batch_size=40, epochs=5, verbose=0)
    assert_same(state_of(model), state_of(other))


@pytest.mark.native
def test_the_same_bits_for_any_number_of_threads(rng):
    x, y = regression(rng, count=700, dtype="float32")
    results = []
    before = dlnative.config.num_threads()
    try:
        for threads in (1, 3):
            dlnative.config.set_num_threads(threads)
            model = small_model(partial(layers.Dense, 64, activation="relu"), dtype="float32")
            model.fit(x, y, batch_size=700, epochs=10, verbose=0)
            results.append(state_of(model))
    finally:
        dlnative.config.set_num_threads(before)
    assert_same(*results)


def test_configuration():
    given = {
        "learning_rate": 0.5,
        "history": 3,
        "line_search": "backtracking",
        "max_evaluations": 9,
        "tolerance_gradient": 1e-3,
        "tolerance_change": 1e-4,
        "sufficient_decrease": 0.01,
        "curvature": 0.5,
    }
    optimizer = LBFGS(**given)
    config = optimizer.get_config()
    assert given.items() <= config.items()
    assert LBFGS.from_config(config).get_config() == config
    assert optimizers.deserialize(optimizers.serialize(optimizer)).get_config() == config
    for name in ("lbfgs", "LBFGS"):
        assert type(optimizers.get(name)) is LBFGS
    assert LBFGS(line_search=None).get_config()["line_search"] is None


def test_other_history_begins_anew(rng):
    x, y = regression(rng)
    model = small_model()
    model.fit(x, y, batch_size=40, epochs=4, verbose=0)
    model.optimizer.history = 2
    assert [v.shape[0] for v in model.optimizer.variables[2:]] == [2, 3, 3]
    loss = model.evaluate(x, y, verbose=0)[0]
    assert model.fit(x, y, batch_size=40, epochs=4, verbose=0).history["loss"][-1] < loss
    assert len(model.optimizer.pairs.rows()) == 2


@pytest.mark.parametrize("how", ["trainable", "learning_rate_factor"])
def test_weights_that_are_frozen_later_stay(how, rng):
    """The pairs of before have parts along them; weights that come back may go on."""
    x, y = regression(rng)
    model = small_model()
    model.fit(x, y, batch_size=40, epochs=4, verbose=0)
    before = model.get_weights()
    setattr(model.layers[0], how, 0)
    losses = model.fit(x, y, batch_size=40, epochs=4, verbose=0).history["loss"]
    assert_same(before[:2], model.get_weights()[:2])
    assert not np.array_equal(before[2], model.get_weights()[2])
    setattr(model.layers[0], how, 1)
    more = model.fit(x, y, batch_size=40, epochs=4, verbose=0).history["loss"]
    assert (np.diff([*losses, *more]) < 0).all()
    assert not np.array_equal(before[0], model.get_weights()[0])


def test_weights_that_come_later(rng):
    """Slots for weights that an optimizer has not seen: of a layer that was frozen at first."""
    x, y = regression(rng)
    model = small_model()
    model.layers[0].trainable = False
    model.fit(x, y, batch_size=40, epochs=4, verbose=0)
    model.layers[0].trainable = True
    losses = model.fit(x, y, batch_size=40, epochs=8, verbose=0).history["loss"]
    assert (np.diff(losses) < 0).all()
    assert [v.name for v in model.optimizer.variables].count("steps") == 1


# --- options --------------------------------------------------------------------------------------


def test_loss_scale_factor_of_a_power_of_two(rng):
    x, y = regression(rng)
    results = []
    for factor in (None, 2.0**20):
        model = small_model(optimizer=LBFGS(loss_scale_factor=factor))
        losses = model.fit(x, y, batch_size=40, epochs=5, verbose=0).history["loss"]
        results.append([*model.get_weights(), losses])
    assert_same(*results)


def test_averages(rng):
    x, y = regression(rng)
    plain, model = small_model(), small_model(optimizer=LBFGS(use_ema=True, ema_momentum=0.5))
    plain.train_on_batch(x, y)
    average = plain.get_weights()
    for _ in range(4):
        plain.train_on_batch(x, y)
        average = [0.5 * a + 0.5 * w for a, w in zip(average, plain.get_weights(), strict=True)]
    model.fit(x, y, batch_size=40, epochs=5, verbose=0)
    for a, b in zip(model.get_weights(), average, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_a_schedule_of_the_learning_rate(rng):
    """Read before the step counts, and refused where it is not a rate; the model stays."""
    x, y = regression(rng)
    rates = {0: 0.25, 1: 0.5, 2: 1.0, 3: np.nan}
    by_hand = small_model(optimizer=LBFGS(line_search=None))

    class Table(optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            rate = 0.0
            for key, value in rates.items():
                rate = ops.where(step == key, value, rate)
            return rate

    model = small_model(optimizer=LBFGS(Table(), line_search=None, name="mine"))
    for step in range(3):
        by_hand.optimizer.learning_rate = rates[step]
        by_hand.train_on_batch(x, y)
        model.train_on_batch(x, y)
    assert_same(by_hand.get_weights(), model.get_weights())
    before = state_of(model)
    with pytest.raises(ValueError, match="the learning rate of 'mine' is nan"):
        model.train_on_batch(x, y)
    assert_same(before, state_of(model))


@pytest.mark.parametrize("engine", ENGINES)
def test_given_gradients_are_refused(engine, rng):
    x, y = regression(rng)
    with dlnative.engine(engine):
        model = small_model()
        _, grads = dlnative.value_and_grad(model, "mse")(x, y)
        for call in (
            lambda o, g, v: o.apply(g, v),
            lambda o, g, v: o.apply_gradients(zip(g, v, strict=True)),
        ):
            with pytest.raises(NotImplementedError, match=r"LBFGS.apply: .*model.fit\(x, y, batch"):
                call(model.optimizer, grads.values(), model.trainable_variables)


def test_what_moves_weights_otherwise_is_refused(rng):
    x, y = regression(rng)
    model = small_model()
    kernel = model.layers[0].kernel
    kernel.constraint = dlnative.constraints.NonNeg()
    with pytest.raises(ValueError, match=r"dense.*/kernel' has the constraint NonNeg"):
        model.fit(x, y, batch_size=40, verbose=0)
    kernel.constraint = None
    model.layers[0].learning_rate_factor = 0.5
    with pytest.raises(
        ValueError, match=r"learning_rate_factor of 0 or 1.*received 0.5 for '.*kernel"
    ):
        model.fit(x, y, batch_size=40, verbose=0)
    model.layers[0].learning_rate_factor = 1.0

    class Shrinking(layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

        def call(self, x):
            self.scale.assign(self.scale * 0.5)
            return x * self.scale

    other = small_model(Shrinking)
    with pytest.raises(ValueError, match="scale' is trained and also assigned to"):
        other.fit(x, y, batch_size=40, verbose=0)
    model.fit(x, y, batch_size=40, verbose=0)


# --- data, losses, callbacks ----------------------------------------------------------------------


def linear(dtype="float64", **options):
    dense = layers.Dense(2, kernel_initializer="zeros", dtype=dtype, **options)
    model = Sequential([Input((3,), dtype=dtype), dense])
    model.compile(LBFGS(tolerance_gradient=0.0), "mse")
    return model


def test_weights_of_samples_and_penalties(rng):
    """The minimum of weighted least squares with a penalty, in closed form."""
    x, y = rng.normal(size=(50, 3)), rng.normal(size=(50, 2))
    weight = rng.uniform(0.0, 2.0, size=50)
    model = linear(use_bias=False, kernel_regularizer=dlnative.regularizers.L2(0.1))
    model.fit(x, y, batch_size=50, epochs=25, sample_weight=weight, verbose=0)
    a = x.T * weight @ x / 100 + 0.1 * np.eye(3)
    expected = np.linalg.solve(a, x.T * weight @ y / 100)
    np.testing.assert_allclose(model.get_weights()[0], expected, atol=1e-9)


def test_weights_of_classes(rng):
    x, y = classes(rng)
    results = []
    for given in ({"class_weight": {0: 3.0, 2: 0.5}}, {"sample_weight": np.array([3, 1, 0.5])[y]}):
        dlnative.utils.set_random_seed(2)
        model = mlp()
        model.compile(LBFGS(), "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(x, y, batch_size=37, epochs=6, verbose=0, **given).history
        assert history["accuracy"][-1] > history["accuracy"][0]
        results.append(model.get_weights())
    assert_same(*results)


@pytest.mark.parametrize("engine", ENGINES)
def test_several_outputs(engine, rng):
    """The minimum of each, as if alone, and its loss in the logs."""
    x, y = rng.normal(size=(50, 3)), rng.normal(size=(50, 2))
    with dlnative.engine(engine):
        inputs = Input((3,), dtype="float64")
        outputs = [layers.Dense(1, name=n, dtype="float64")(inputs) for n in ("a", "b")]
        model = dlnative.Model(inputs, outputs)
        model.compile(LBFGS(), "mse", loss_weights=[1.0, 0.25])
        targets = [y[:, :1], y[:, 1:]]
        history = model.fit(x, targets, batch_size=50, epochs=30, verbose=0).history
    a = np.column_stack([x, np.ones(50)])
    solution, residuals, *_ = np.linalg.lstsq(a, y, rcond=None)
    losses = residuals / 50
    found = [history[n][-1] for n in ("a_loss", "b_loss", "loss")]
    np.testing.assert_allclose(found, [*losses, losses @ [1.0, 0.25]], rtol=1e-9)
    kernels = np.column_stack([model.get_weights()[0], model.get_weights()[2]])
    np.testing.assert_allclose(kernels, solution[:3], atol=1e-6)


def test_validation_and_callbacks(rng):
    """A validation in small batches; the best weights; a rate that falls; a run that ends early."""
    x, y = regression(rng)
    model = small_model()
    seen = []
    stop = callbacks.EarlyStopping("loss", min_delta=1e-7, patience=2, restore_best_weights=True)
    history = model.fit(
        x[:30],
        y[:30],
        batch_size=30,
        epochs=2000,
        validation_data=(x[30:], y[30:]),
        validation_batch_size=4,
        callbacks=[
            stop,
            callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(logs)),
            callbacks.LearningRateScheduler(lambda epoch: 1.0 if epoch < 5 else 0.9),
        ],
        verbose=0,
    ).history
    epochs = len(history["loss"])
    assert 10 < epochs < 2000
    assert [logs["loss"] for logs in seen] == history["loss"]
    best = stop.best_epoch
    for name, part in (("loss", slice(30)), ("val_loss", slice(30, None))):
        loss = model.evaluate(x[part], y[part], verbose=0)[0]
        assert loss == pytest.approx(history[name][best], rel=1e-9)


def test_inequalities(rng):
    """The augmented Lagrangian of docs/training.md, whose multipliers move once a step."""
    x = rng.normal(size=(40, 3))
    y = x @ [0.9, 0.5, -0.4]
    model = Sequential([Input((3,)), layers.Dense(1, use_bias=False)])
    model.compile(
        LBFGS(),
        "mse",
        inequality=[lambda model: -model.layers[0].kernel],
        equality=[lambda model: ops.sum(model.layers[0].kernel) - 1.0],
        constraint_period=10,
    )
    history = model.fit(x, y, batch_size=40, epochs=300, verbose=0).history
    assert history["constraint_violation"][-1] < 1e-3
    kernel = model.get_weights()[0]
    assert kernel.sum() == pytest.approx(1.0, abs=1e-3)
    assert kernel.min() > -1e-3


@pytest.mark.native
def test_memory_plan_and_profile_change_nothing(rng):
    x, y = regression(rng)
    model = small_model()
    model.fit(x, y, batch_size=40, epochs=2, verbose=0)
    before = state_of(model)
    plan = model.memory_plan(batch_size=40)
    assert plan.arena_bytes > 0
    weights, slots = ([v.numpy().nbytes for v in o.variables] for o in (model, model.optimizer))
    # Of weights and gradients, the loss, two metrics of two numbers, step and pairs.
    assert plan.optimizer_bytes == sum(slots) + 2 * sum(weights) + 8 * (1 + 4 + 1 + 2)
    assert len(model.profile(x, y, batch_size=40, steps=2).rows) > 3
    assert_same(before, state_of(model))
