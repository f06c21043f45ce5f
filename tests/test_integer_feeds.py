"""Data for integer inputs: what the dtype of an input does not have raises, wherever it is fed."""

from __future__ import annotations

import numpy as np
import pytest
from small_training import assert_same

import dlnative
from dlnative import layers

pytestmark = pytest.mark.filterwarnings("ignore:The .* ran out of data:UserWarning")


def embedding(dtype="int32", **options):
    dlnative.utils.set_random_seed(3)
    model = dlnative.Sequential(
        [
            dlnative.Input((2,), dtype=dtype),
            layers.Embedding(5, 3),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse", **options)
    return model


X = np.array([[0, 1], [4, 2], [3, 3], [1, 0]] * 2)
Y = np.linspace(-1, 1, 8).reshape(8, 1).astype("float32")


@pytest.mark.parametrize("options", [{}, {"run_eagerly": True}], ids=["compiled", "eager"])
@pytest.mark.parametrize("given", ["float16", "float32", "float64", "uint64", "int8"])
def test_fit_takes_any_numbers_for_class_numbers(engine, given, options):
    """Floats lose their fractions, as in Keras."""
    if given == "float16" and options:
        pytest.skip("one of both is enough")
    expected, model = embedding(), embedding(**options)
    expected.fit(X.astype("int32"), Y, epochs=2, verbose=0)
    x = X.astype(given)
    model.fit(x + 0.75 if x.dtype.kind == "f" else x, Y, epochs=2, verbose=0)
    assert_same(expected.get_weights(), model.get_weights())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e9, -3e9, 1e20, 2.0**31])
def test_fit_names_the_sample_of_a_float(engine, value):
    model = embedding()
    before = model.get_weights()
    x = X.astype("float32")
    x[6, 1] = value
    message = r"^x: sample 6 has the value \S+ in column 1, which int32 does not have: expected "
    with pytest.raises(ValueError, match=message + r"-2147483648 to 2147483647.*dtype='int64'"):
        model.fit(x, Y, batch_size=2, verbose=0)
    assert_same(before, model.get_weights())
    assert model.optimizer.iterations == 0


def remainder(dtype="int32", width=1, **options):
    """The remainder of a division, as floats, and a weight to train."""
    i = dlnative.Input((width,), dtype=dtype, name="ids")
    x = dlnative.ops.cast(i % 100, "float32")
    model = dlnative.Model(i, layers.Dense(1, kernel_initializer="ones")(x))
    model.compile("sgd", "mse", **options)
    return model


class Batches:
    """An iterable of batches."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __iter__(self):
        return ((self.x[i : i + 2], self.y[i : i + 2]) for i in range(0, len(self.x), 2))


WAYS = {
    "predict": lambda m, x, y: m.predict(x, batch_size=2, verbose=0),
    "predict batches": lambda m, x, y: m.predict(Batches(x, y), verbose=0),
    "predict_on_batch": lambda m, x, y: m.predict_on_batch(x),
    "call": lambda m, x, y: m(x),
    "fit": lambda m, x, y: m.fit(x, y, batch_size=2, verbose=0),
    "fit unchecked": lambda m, x, y: m.fit(x, y, batch_size=8, check_finite=False, verbose=0),
    "fit batches": lambda m, x, y: m.fit(Batches(x, y), verbose=0),
    "fit batches unchecked": lambda m, x, y: m.fit(Batches(x, y), check_finite=False, verbose=0),
    "validation": lambda m, x, y: m.fit(x[:2], y[:2], validation_data=(x, y), verbose=0),
    "evaluate": lambda m, x, y: m.evaluate(x, y, batch_size=2, verbose=0),
    "evaluate batches": lambda m, x, y: m.evaluate(Batches(x, y), verbose=0),
    "train_on_batch": lambda m, x, y: m.train_on_batch(x, y),
    "test_on_batch": lambda m, x, y: m.test_on_batch(x, y),
}
TRAINS_BEFORE = {"fit batches", "fit batches unchecked"}


@pytest.mark.parametrize("eager", [False, True], ids=["compiled", "eager"])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_feed(engine, way, eager):
    model = remainder(run_eagerly=eager)
    x = np.arange(8).reshape(8, 1)
    WAYS[way](model, x, Y)  # a second call may be a shorter way
    before = model.get_weights()
    x[5] = 2**32 + 3
    message = r"the value 4294967299\b.*, which int32 does not have: expected -2147483648 to "
    with pytest.raises(ValueError, match=message + r"2147483647.*dtype='int64'") as caught:
        WAYS[way](model, x, Y)
    if "batches" in way:
        assert "Batches, batch 2: " in str(caught.value)
    if way not in TRAINS_BEFORE:
        assert_same(before, model.get_weights())
    x[5] = 5
    WAYS[way](model, x, Y)


def test_the_dtype_that_the_message_asks_for(engine):
    x = np.array([[2**32 + 3], [-(2**40)], [2**63 - 1], [7]])
    np.testing.assert_array_equal(remainder("int64").predict(x, verbose=0), x % 100)


LIMITS = {
    "uint8": (0, 255),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
}
SOURCES = [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
REALS = ["float16", "float32", "float64"]


def identity(dtype, width):
    i = dlnative.Input((width,), dtype=dtype)
    return dlnative.Model(i, i + dlnative.ops.zeros_like(i))


def layouts(values):
    """Rows of one value, many rows at once, columns of a wider array, parts of several tasks."""
    values = np.asarray(values)
    tiled = np.tile(values, 7)
    wide = np.zeros((len(tiled), 3), values.dtype)
    wide[:, 1] = tiled
    many = np.zeros((40, 3000), values.dtype)
    many[-1, -len(values) :] = values
    unaligned = np.frombuffer(b"x" + tiled.tobytes(), np.uint8)[1:].view(values.dtype)
    return [tiled[:, None], wide[:, 1:2], many, many[:, ::-2], unaligned.reshape(-1, len(values))]


def as_fed(model, x):
    """The input of a model that does nothing."""
    return model.predict(x, batch_size=len(x), verbose=0)


@pytest.mark.parametrize("source", [*SOURCES, *REALS])
@pytest.mark.parametrize("dtype", LIMITS)
def test_the_edges_of_every_type(engine, dtype, source):
    """Whatever a dtype has becomes that, and what is next to it raises, in any memory layout."""
    low, high = LIMITS[dtype]
    kind = np.dtype(source).type
    if source in SOURCES:
        own = np.iinfo(source)
        near = [low - 1, low, 0, 1, 77, high, high + 1, own.min, own.max]
        values = [kind(v) for v in near if own.min <= v <= own.max]
    else:
        with np.errstate(over="ignore"):
            near = [kind(v) for v in (low - 1, low, -0.75, 0, 99.5, high, high + 1, 1e30)]
        near += [np.nextafter(v, kind(to)) for v in near for to in (-np.inf, np.inf)]
        values = [*near, kind(np.nan), kind(np.inf), kind(-np.inf)]
    inside = [v for v in values if np.isfinite(v) and low <= int(v) <= high]
    for x in layouts(np.array(inside)):
        expected = np.array([int(v) for v in x.ravel()], dtype).reshape(x.shape)
        np.testing.assert_array_equal(as_fed(identity(dtype, x.shape[1]), x), expected)
    for value in values:
        if np.isfinite(value) and low <= int(value) <= high:
            continue
        for x in layouts(np.array([kind(1), kind(2), value])):
            with pytest.raises(ValueError, match=rf"which {dtype} does not have: expected {low}"):
                as_fed(identity(dtype, x.shape[1]), x)


@pytest.mark.parametrize("width", [1, 5])
def test_an_input_that_is_the_output(engine, width):
    """There is nothing to compute, but the values still have to be those of the dtype."""
    i = dlnative.Input((width,), dtype="int32")
    model = dlnative.Model(i, i)
    x = np.arange(2 * width).reshape(2, width)
    np.testing.assert_array_equal(model(x), x)
    x[1, 0] = -(2**31) - 1
    for way in (model, model.predict, model.predict_on_batch):
        with pytest.raises(ValueError, match="the value -2147483649, which int32 does not have"):
            way(x)


def test_a_layer_computes_in_the_dtype_of_the_array(engine):
    x = np.array([[2**32 + 3]])
    np.testing.assert_array_equal(layers.Lambda(lambda x: x % 7)(x), x % 7)


def test_what_is_not_zero_is_true(engine):
    x = np.array([[300.0], [0.0], [-0.5], [0.0]])
    out = dlnative.Input((1,), dtype="bool")
    model = dlnative.Model(out, dlnative.ops.cast(out, "float32"))
    np.testing.assert_array_equal(model.predict(x, verbose=0), x != 0)


def test_labels_of_a_loss_of_class_numbers(engine):
    """Where labels are looked at before, that message stays."""
    model = dlnative.Sequential([dlnative.Input((3,)), layers.Dense(4, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    y = np.array([0, 1, 2, 2**32 + 1])
    with pytest.raises(ValueError, match="4294967297"):
        model.fit(np.ones((4, 3)), y, verbose=0)
    with pytest.raises(ValueError, match="4294967297"):
        model.train_on_batch(np.ones((4, 3)), y)
