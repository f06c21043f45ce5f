"""Numbers of layers, regularizers and constraints are read at each step: nothing is rebuilt."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import dlnative
from dlnative import changes, constraints, engines, layers, losses, regularizers, saving

X = np.random.default_rng(0).standard_normal((24, 6)).astype("float32")
Y = np.random.default_rng(1).standard_normal((24, 1)).astype("float32")


def model_of(make, optimizer="sgd"):
    dlnative.utils.set_random_seed(3)
    model = dlnative.Sequential([dlnative.Input((6,)), *make(), layers.Dense(1)])
    model.compile(optimizer, "mse")
    return model


# What has the number: a function that makes layers of it and one that finds its owner; the name of
# the number, its first value and the later ones.
NUMBERS = {
    "dropout": (
        lambda v: [layers.Dropout(v, seed=1)],
        lambda m: m.layers[0],
        *("rate", 0.5, (0.25, 0.75)),
    ),
    "alpha dropout": (
        lambda v: [layers.AlphaDropout(v, seed=1)],
        lambda m: m.layers[0],
        *("rate", 0.5, (0.25, 0.75)),
    ),
    "gaussian dropout": (
        lambda v: [layers.GaussianDropout(v, seed=1)],
        lambda m: m.layers[0],
        *("rate", 0.5, (0.25, 0.75)),
    ),
    "gaussian noise": (
        lambda v: [layers.GaussianNoise(v, seed=1)],
        lambda m: m.layers[0],
        *("stddev", 0.5, (0.25, 1.0)),
    ),
    "spatial dropout": (
        lambda v: [layers.Reshape((2, 3)), layers.SpatialDropout1D(v, seed=1), layers.Flatten()],
        lambda m: m.layers[1],
        *("rate", 0.5, (0.25, 0.75)),
    ),
    "batch normalization": (
        lambda v: [layers.BatchNormalization(momentum=v)],
        lambda m: m.layers[0],
        *("momentum", 0.9, (0.5, 0.0, 1.0)),
    ),
    "l1": (
        lambda v: [layers.Dense(3, kernel_regularizer=regularizers.L1(v))],
        lambda m: m.layers[0].kernel_regularizer,
        *("l1", 0.1, (0.5, 0.01)),
    ),
    "l2": (
        lambda v: [layers.Dense(3, kernel_regularizer=regularizers.L1L2(0.1, v))],
        lambda m: m.layers[0].kernel_regularizer,
        *("l2", 0.1, (0.5, 0.01)),
    ),
    "orthogonal": (
        lambda v: [layers.Dense(3, kernel_regularizer=regularizers.OrthogonalRegularizer(v))],
        lambda m: m.layers[0].kernel_regularizer,
        *("factor", 0.1, (0.5, 0.0)),
    ),
    "max norm": (
        lambda v: [layers.Dense(3, kernel_constraint=constraints.MaxNorm(v))],
        lambda m: m.layers[0].kernel_constraint,
        *("max_value", 0.5, (0.25, 0.1)),
    ),
    "min norm": (
        lambda v: [layers.Dense(3, kernel_constraint=constraints.MinMaxNorm(v, 2.0, rate=0.5))],
        lambda m: m.layers[0].kernel_constraint,
        *("min_value", 0.5, (1.25, 0.0)),
    ),
    "rate of norm": (
        lambda v: [layers.Dense(3, kernel_constraint=constraints.MinMaxNorm(0.9, 1.0, rate=v))],
        lambda m: m.layers[0].kernel_constraint,
        *("rate", 0.5, (1.0, 0.0)),
    ),
}


@pytest.fixture
def builds(monkeypatch):
    """A list with an entry for each program that is built."""
    made: list = []
    build = engines.build

    def counted(*args, **kwargs):
        made.append(args)
        return build(*args, **kwargs)

    monkeypatch.setattr(engines, "build", counted)
    return made


def state_of(model):
    """Weights, and what an optimizer has beside them."""
    return [v.numpy() for v in (*model.variables, *model.optimizer.variables)]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_set_between_batches_counts_and_rebuilds_nothing(name, engine, builds):
    """Each step has the bits of a model that was built with the number of that step."""
    make, owner_of, option, first, later = NUMBERS[name]

    class Schedule(dlnative.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch:
                setattr(owner_of(self.model), option, later[batch - 1])
            elif self.begun:
                self.built = len(builds)
            self.begun = True
            self.states.append(state_of(self.model))

    schedule = Schedule()
    schedule.begun, schedule.states = False, []
    steps = 1 + len(later)
    rows = 24 // steps
    with dlnative.engine(engine):
        model = model_of(lambda: make(first))
        before = changes.count()
        model.fit(X, Y, batch_size=rows, shuffle=False, verbose=0, callbacks=[schedule])
        assert changes.count() == before
        assert len(builds) == 1
        states = [*schedule.states, state_of(model)]
        for i, value in enumerate((first, *later)):
            fresh = model_of(lambda value=value: make(value))
            for variable, values in zip(
                (*fresh.variables, *fresh.optimizer.variables), states[i], strict=True
            ):
                variable.assign(values)
            batch = slice(i * rows, (i + 1) * rows)
            fresh.train_on_batch(X[batch], Y[batch])
            assert same(state_of(fresh), states[i + 1]), value
    assert getattr(owner_of(model), option) == later[-1]


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_slope_is_a_constant_until_it_is_set(dtype, engine, builds):
    """The first change rebuilds; later ones do not, with the bits of the kernels all the way."""

    def model_with(slope):
        dlnative.utils.set_random_seed(3)
        options = {"dtype": dtype}
        model = dlnative.Sequential(
            [
                dlnative.Input((6, 4, 1), dtype=dtype),
                layers.Conv2D(3, 3, **options),
                layers.LeakyReLU(slope, **options),
                layers.Flatten(**options),
                layers.Dense(5, **options),
                layers.LeakyReLU(0.3, **options),
                layers.Dense(1, **options),
            ]
        )
        model.compile("sgd", "mse")
        return model

    x = np.random.default_rng(2).standard_normal((24, 6, 4, 1)).astype(dtype)
    x[:4] = 0  # where the slope decides the gradient
    with dlnative.engine(engine):
        model = model_with(0.3)
        model.train_on_batch(x, Y)
        for i, slope in enumerate((0.1, 0.0, 0.7)):
            model.layers[1].negative_slope = slope
            fresh = model_with(slope)
            fresh.set_weights(model.get_weights())
            fresh.train_on_batch(x, Y)
            builds.clear()
            model.train_on_batch(x, Y)
            assert len(builds) == (i == 0)
            assert same(fresh.get_weights(), model.get_weights())
        assert model.layers[1].get_config()["negative_slope"] == 0.7
        copied = pickle.loads(pickle.dumps(model))
        copied.layers[1].negative_slope = 0.2
        for each in (model, fresh):
            each.train_on_batch(x, Y)
        assert same(fresh.get_weights(), model.get_weights())


# A loss, its number, the first value and the later ones.
LOSSES = {
    "huber": (losses.Huber, "delta", 0.5, (0.25, 2.0)),
    "tversky": (losses.Tversky, "alpha", 0.5, (0.25, 2)),
    "tversky's beta": (losses.Tversky, "beta", 0.5, (0.25, 2.0)),
    "binary focal": (losses.BinaryFocalCrossentropy, "gamma", 2.0, (1.5, 0.5)),
    "smoothed focal": (losses.BinaryFocalCrossentropy, "label_smoothing", 0.25, (0.5, 0.125)),
    "balanced focal": (
        lambda **o: losses.BinaryFocalCrossentropy(apply_class_balancing=True, **o),
        *("alpha", 0.25, (0.5, 0.75)),
    ),
    "focal": (losses.CategoricalFocalCrossentropy, "gamma", 2.0, (1.5, 0.5)),
    "generalized": (losses.CategoricalGeneralizedCrossEntropy, "q", 0.5, (0.25, 0.75)),
}


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("name", LOSSES)
def test_a_number_of_a_loss_rebuilds_nothing(name, engine, builds):
    make, option, first, later = LOSSES[name]
    labels = np.eye(3, dtype="float32")[np.arange(24) % 3]
    if name == "generalized":
        labels = np.arange(24) % 3

    def compiled(loss):
        dlnative.utils.set_random_seed(3)
        model = dlnative.Sequential([dlnative.Input((6,)), layers.Dense(3, activation="softmax")])
        model.compile("sgd", loss)
        return model

    with dlnative.engine(engine):
        loss = make(**{option: first})
        model = compiled(loss)
        for value in (first, *later):
            setattr(loss, option, value)
            fresh = compiled(make(**{option: value}))
            fresh.set_weights(model.get_weights())
            count = len(builds)
            assert fresh.train_on_batch(X, labels) == model.train_on_batch(X, labels)
            assert same(fresh.get_weights(), model.get_weights())
            assert len(builds) == count + (2 if value is first else 1)
        assert loss.get_config()[option] == later[-1]
        loss_of_arrays = loss(labels, model.predict(X, verbose=0))
        assert loss_of_arrays == pytest.approx(model.test_on_batch(X, labels), rel=1e-5)
        other = copy.copy(loss)
        setattr(other, option, first)
        fresh = compiled(make(**{option: later[-1]}))
        fresh.set_weights(model.get_weights())
        assert fresh.train_on_batch(X, labels) == model.train_on_batch(X, labels)


def test_a_number_of_a_loss_that_becomes_0():
    loss = losses.BinaryFocalCrossentropy(label_smoothing=0.0)
    model = dlnative.Sequential([dlnative.Input((6,)), layers.Dense(1, activation="sigmoid")])
    model.compile(dlnative.optimizers.SGD(0.0), loss)
    labels = (Y > 0).astype("float32")
    values = []
    for smoothing in (0.0, 0.5, 0.0):
        loss.label_smoothing = smoothing
        values.append(model.test_on_batch(X, labels))
    assert values[0] == values[2] != values[1]


@pytest.mark.parametrize("name", ["dropout", "l1", "l2"])
def test_a_number_that_becomes_0_or_begins_rebuilds(name, builds):
    make, owner_of, option, first, _ = NUMBERS[name]
    model = model_of(lambda: make(0.0))
    for i, value in enumerate((0.0, first, 0.0)):
        setattr(owner_of(model), option, value)
        fresh = model_of(lambda value=value: make(value))
        for variable, other in zip(
            (*fresh.variables, *fresh.optimizer.variables),
            (*model.variables, *model.optimizer.variables),
            strict=True,
        ):
            variable.assign(other.numpy())
        builds.clear()
        model.train_on_batch(X, Y)
        assert len(builds) == 1, i
        fresh.train_on_batch(X, Y)
        assert same(state_of(model), state_of(fresh))


@pytest.mark.parametrize("name", NUMBERS)
def test_both_engines_agree(name):
    make, owner_of, option, first, later = NUMBERS[name]
    results = []
    for engine in ("native", "numpy"):
        with dlnative.engine(engine):
            model = model_of(lambda: make(first))
            found = []
            for value in (first, *later):
                setattr(owner_of(model), option, value)
                found.append(model.train_on_batch(X, Y))
            results.append(found)
    np.testing.assert_allclose(results[0], results[1], rtol=1e-5)


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
@pytest.mark.parametrize("name", NUMBERS)
def test_a_copy_has_a_number_of_its_own(name, copied):
    make, owner_of, option, first, later = NUMBERS[name]
    model = model_of(lambda: make(first))
    model.train_on_batch(X, Y)
    owner = owner_of(model)
    other = copied(owner)
    setattr(other, option, later[0])
    assert getattr(owner, option) == first
    assert type(owner.get_config()[option]) is float
    assert other.get_config()[option] == later[0]
    twin = pickle.loads(pickle.dumps(model))
    setattr(owner, option, later[0])
    assert getattr(owner_of(twin), option) == first
    fresh = model_of(lambda: make(first))
    for variable, twin_variable in zip(fresh.variables, twin.variables, strict=True):
        variable.assign(twin_variable.numpy())
    fresh.optimizer.iterations.assign(twin.optimizer.iterations.numpy())
    for each in (fresh, twin):
        each.train_on_batch(X, Y)
    assert same(fresh.get_weights(), twin.get_weights())


def test_a_saved_model_has_the_number(tmp_path):
    model = model_of(lambda: [layers.Dropout(0.5), layers.BatchNormalization(momentum=0.9)])
    model.train_on_batch(X, Y)
    model.layers[0].rate, model.layers[1].momentum = 0.25, 0.5
    model.train_on_batch(X, Y)
    saving.save(model, tmp_path / "model")
    loaded = saving.load(tmp_path / "model").model
    assert (loaded.layers[0].rate, loaded.layers[1].momentum) == (0.25, 0.5)


def test_a_layer_of_ones_own_uses_the_number(builds):
    class Thinned(layers.Dropout):
        def call(self, inputs, training=None):
            return dlnative.random.dropout(inputs, self.rate, seed=1) * (1.0 - self.rate)

    layer = Thinned(0.5)
    kept = []
    for rate in (0.5, 0.25):
        layer.rate = rate
        kept.append((layer(np.ones((50, 50)), training=True) != 0).mean())
    np.testing.assert_allclose(kept, [0.5, 0.75], atol=0.05)
    assert len(builds) == 1


@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_rates_that_a_program_computes_are_limited(engine):
    class Computed(layers.Layer):
        def call(self, x):
            rates = dlnative.ops.max(x) * 0.5
            return dlnative.ops.stop_gradient(x) + dlnative.random.dropout(x * 0 + 1, rates, seed=1)

    with dlnative.engine(engine):
        layer = Computed()
        for value, expected in ((-3.0, -2.0), (5.0, 5.0)):
            np.testing.assert_array_equal(layer(np.full((2, 3), value)), np.full((2, 3), expected))
        assert np.isnan(layer(np.full((2, 3), np.nan))).all()


def test_an_array_of_one_number_is_one():
    for value in (np.float32(0.25), np.array(0.25), np.array([0.25])):
        assert layers.ELU(alpha=value).alpha == layers.LeakyReLU(value).negative_slope == 0.25
        assert constraints.MaxNorm(value).max_value == layers.Dropout(value).rate == 0.25
    with pytest.raises(TypeError, match="expected rate to be a number"):
        layers.Dropout(np.array([True]))


def test_configurations_have_numbers_where_a_program_is_made():
    class Copying(layers.Layer):
        def __init__(self):
            super().__init__()
            self.dropout = layers.Dropout(0.5, seed=1)

        def call(self, x, training=None):
            self.found = self.dropout.get_config()["rate"]
            return self.dropout(x, training=training)

    layer = Copying()
    layer(np.ones((2, 3)), training=True)
    assert layer.found == 0.5
    assert type(layer.found) is float
