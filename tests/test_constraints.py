"""Constraints in training: beside Keras's, on every layer that takes one, with every optimizer."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import constraints, layers, losses, ops, optimizers, regularizers

ENGINES = ("native", "numpy")
# Without L-BFGS: Keras has none, and it refuses weights with constraints.
OPTIMIZERS = {
    name: cls
    for name, cls in vars(optimizers).items()
    if isinstance(cls, type)
    and issubclass(cls, optimizers.Optimizer)
    and cls not in (optimizers.Optimizer, optimizers.LBFGS)
}
CONSTRAINTS = {
    "MaxNorm": {"max_value": 0.3},
    "MinMaxNorm": {"min_value": 0.8, "max_value": 0.9, "rate": 0.5, "axis": 1},
    "NonNeg": {},
    "UnitNorm": {"axis": 0},
}


def dense(library, kernel, bias):
    return library.Sequential(
        [
            library.Input((3,)),
            library.layers.Dense(4, kernel_constraint=kernel, bias_constraint=bias),
        ]
    )


def trained(model, optimizer, rng, **fit):
    model.compile(optimizer, "mse", **fit)
    x, y = rng.normal(size=(10, 3)).astype("float32"), rng.normal(size=(10, 4)).astype("float32")
    model.fit(x, y, batch_size=4, epochs=1, shuffle=False, verbose=0)
    return [np.array(v.value) for v in model.trainable_variables]


@pytest.mark.parametrize(
    ("name", "optimizer"),
    [("MaxNorm", name) for name in sorted(OPTIMIZERS)] + [(name, "SGD") for name in CONSTRAINTS],
)
def test_training_as_keras(keras, name, optimizer):
    def made(library):
        options = CONSTRAINTS[name]
        kernel = getattr(library.constraints, name)(**options)
        return dense(library, kernel, "non_neg"), getattr(library.optimizers, optimizer)(0.1)

    theirs, rule = made(keras)
    start = [np.array(v.value) for v in theirs.variables]
    expected = trained(theirs, rule, np.random.default_rng(1), run_eagerly=True)
    assert not np.array_equal(expected[0], start[0])
    for engine in ENGINES:
        ours, rule = made(dlnative)
        ours.set_weights(start)
        with dlnative.engine(engine):
            found = trained(ours, rule, np.random.default_rng(1))
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6)


# layer, shape of a sample, the arguments that take a constraint
LAYERS = [
    (lambda **o: layers.Dense(3, **o), (4,), ("kernel", "bias")),
    (lambda **o: layers.Conv1D(3, 2, **o), (6, 2), ("kernel", "bias")),
    (lambda **o: layers.Conv2D(3, 2, **o), (5, 5, 2), ("kernel", "bias")),
    (lambda **o: layers.Conv1DTranspose(3, 2, **o), (4, 2), ("kernel", "bias")),
    (lambda **o: layers.Conv2DTranspose(3, 2, **o), (4, 4, 2), ("kernel", "bias")),
    (lambda **o: layers.DepthwiseConv2D(2, **o), (5, 5, 2), ("depthwise", "bias")),
    (
        lambda **o: layers.SeparableConv2D(3, 2, **o),
        (5, 5, 2),
        ("depthwise", "pointwise", "bias"),
    ),
    (lambda **o: layers.BatchNormalization(**o), (5,), ("beta", "gamma")),
    (lambda **o: layers.LayerNormalization(**o), (5,), ("beta", "gamma")),
    (lambda **o: layers.GroupNormalization(2, **o), (3, 3, 4), ("beta", "gamma")),
    (lambda **o: layers.PReLU(**o), (5,), ("alpha",)),
]


@pytest.mark.parametrize(
    ("make", "shape", "parts"), LAYERS, ids=[type(make()).__name__ for make, _, _ in LAYERS]
)
def test_every_layer_that_takes_one(keras, make, shape, parts, rng):
    """The constraint holds after training, is kept by files and clones, and read by Keras."""
    options = {f"{part}_constraint": constraints.NonNeg() for part in parts}
    penalties = {f"{part}_regularizer": "l2" for part in parts}
    layer = make(**options, **penalties)
    model = dlnative.Sequential([dlnative.Input(shape), layer])
    free = dlnative.Sequential([dlnative.Input(shape), make(**penalties)])
    free.set_weights(model.get_weights())
    x = rng.normal(size=(8, *shape)).astype("float32")
    y = rng.normal(size=(8, *model.output_shape[1:])).astype("float32")
    y += 1 if parts == ("alpha",) else -1  # it pulls weights below 0
    for each in (model, free):
        each.compile(optimizers.SGD(0.3), "mse")
        each.fit(x, y, epochs=3, batch_size=8, verbose=0)
    assert len(model.trainable_variables) == len(parts)
    for variable in model.trainable_variables:
        assert variable.numpy().min() >= 0
        assert isinstance(variable.constraint, constraints.NonNeg)
    assert min(v.numpy().min() for v in free.trainable_variables) < 0
    clone = dlnative.models.clone_model(model)
    assert all(v.constraint is not None for v in clone.trainable_variables)
    theirs = keras.layers.deserialize(dlnative.utils.serialize_keras_object(layer))
    config = theirs.get_config()
    for part in parts:
        kept = getattr(theirs, f"{part}_constraint")
        assert isinstance(kept, keras.constraints.NonNeg)
        read = layers.deserialize(keras.layers.serialize(theirs))
        assert isinstance(getattr(read, f"{part}_constraint"), constraints.NonNeg)
        assert isinstance(getattr(read, f"{part}_regularizer"), regularizers.L2)
        assert layer.get_config()[f"{part}_constraint"] == config[f"{part}_constraint"]


class Bounded(constraints.Constraint):
    """A constraint of the user's, as Keras documents it."""

    def __init__(self, limit=0.1):
        self.limit = limit

    def __call__(self, w):
        return ops.clip(w, -self.limit, self.limit)

    def get_config(self):
        return {"limit": self.limit}


@pytest.mark.parametrize("engine", ENGINES)
def test_the_users_own(engine, rng):
    """A subclass, one changed later, and a function; in files under its registered name."""
    limit = Bounded()
    with dlnative.engine(engine):
        model = dense(dlnative, limit, lambda w: ops.maximum(w, 0.05))
        kernel, bias = trained(model, "sgd", rng)
        assert np.abs(kernel).max() == np.float32(0.1)
        assert bias.min() == np.float32(0.05)
        limit.limit = 0.01
        x, y = np.ones((4, 3), "float32"), np.ones((4, 4), "float32")
        model.train_on_batch(x, y)
        assert np.abs(model.layers[-1].kernel.numpy()).max() == np.float32(0.01)
    record = constraints.serialize(limit)
    read = constraints.deserialize(record, custom_objects={"Bounded": Bounded})
    assert isinstance(read, Bounded)
    assert read.limit == 0.01


@pytest.mark.parametrize(
    ("constraint", "error", "message"),
    [
        (lambda w: 1.0, TypeError, "the constraint of '.*dense.*/kernel' must return tensors"),
        (lambda w: ops.sum(w, axis=0), ValueError, r"dense.*kernel'.*\(3, 4\).*\(4,\)"),
    ],
)
def test_what_is_no_weight_raises_before_training(constraint, error, message, rng):
    model = dense(dlnative, constraint, None)
    start = model.get_weights()
    with pytest.raises(error, match=message):
        trained(model, "sgd", rng)
    for a, b in zip(start, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_variables_updated_by_hand_and_frozen_ones(rng):
    variable = dlnative.Variable(np.array([1.0, -1.0]), name="w", constraint=constraints.NonNeg())
    optimizers.SGD(0.5).apply([np.array([4.0, 1.0])], [variable])
    np.testing.assert_array_equal(variable.numpy(), [0.0, 0.0])
    model = dense(dlnative, "non_neg", None)
    model.layers[-1].trainable = False
    model = dlnative.Sequential([model, layers.Dense(4)])
    before = model.layers[0].layers[-1].kernel.numpy()
    trained(model, "sgd", rng)
    np.testing.assert_array_equal(before, model.layers[0].layers[-1].kernel.numpy())
    assert before.min() < 0


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: constraints.get("max_nrm"), ValueError, "constraint 'max_nrm'.*'max_norm'"),
        (lambda: constraints.get(3), TypeError, "constraint: expected a name.*received 3"),
        (lambda: constraints.MaxNorm(-1), ValueError, "MaxNorm: expected max_value of at least 0"),
        (lambda: constraints.MinMaxNorm("1"), TypeError, "MinMaxNorm: expected min_value"),
        (lambda: constraints.MinMaxNorm(rate=float("nan")), ValueError, "rate to be finite"),
        (lambda: constraints.UnitNorm(axis=0.5), TypeError, "UnitNorm: expected axis"),
        (lambda: regularizers.OrthogonalRegularizer(mode="row"), ValueError, "'rows' or 'columns'"),
        (lambda: regularizers.OrthogonalRegularizer()(np.ones(3)), ValueError, "two axes"),
        (lambda: regularizers.OrthogonalRegularizer()(np.ones((1, 3))), ValueError, "two rows"),
        (lambda: regularizers.get("l3"), ValueError, "regularizer 'l3'"),
    ],
)
def test_errors(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("mode", ["rows", "columns"])
def test_a_penalty_of_angles_makes_rows_orthogonal(engine, mode):
    with dlnative.engine(engine):
        dlnative.utils.set_random_seed(1)
        penalty = regularizers.OrthogonalRegularizer(1.0, mode)
        model = dlnative.Sequential(
            [dlnative.Input((3,)), layers.Dense(3, use_bias=False, kernel_regularizer=penalty)]
        )
        kernel = model.layers[-1].kernel
        before = penalty(kernel.value)
        assert model.losses == [before]
        model.compile(optimizers.SGD(0.05), lambda t, p: 0.0 * losses.mean_squared_error(t, p))
        x = np.ones((4, 3), "float32")
        model.fit(x, x, epochs=60, verbose=0)
    assert penalty(kernel.value) < 0.1 * before
