"""Pooling, padding, cropping and enlarging layers: shapes, gradients, errors, and against Keras."""

from __future__ import annotations

import json

import numpy as np
import pytest

import dlnative
from dlnative import layers

IMAGE, LINE = (3, 7, 8, 5), (3, 9, 4)
PAIRS = [  # how to make the layer, shape of its input
    (lambda k: k.layers.MaxPooling2D(), IMAGE),
    (lambda k: k.layers.MaxPooling2D(2, padding="same"), IMAGE),
    (lambda k: k.layers.MaxPooling2D((3, 2), strides=(2, 1), padding="same"), IMAGE),
    (lambda k: k.layers.MaxPooling2D(3, 1), IMAGE),
    (lambda k: k.layers.MaxPooling2D(2, 3), IMAGE),
    (lambda k: k.layers.MaxPooling2D((7, 8)), IMAGE),
    (lambda k: k.layers.AveragePooling2D(2), IMAGE),
    (lambda k: k.layers.AveragePooling2D((3, 2), strides=2, padding="same"), IMAGE),
    (lambda k: k.layers.AveragePooling2D(3, strides=1, padding="same"), IMAGE),
    (lambda k: k.layers.MaxPooling1D(), LINE),
    (lambda k: k.layers.MaxPooling1D(3, strides=2, padding="same"), LINE),
    (lambda k: k.layers.AveragePooling1D(2), LINE),
    (lambda k: k.layers.AveragePooling1D(4, strides=1, padding="same"), LINE),
    (lambda k: k.layers.GlobalMaxPooling2D(), IMAGE),
    (lambda k: k.layers.GlobalMaxPooling2D(keepdims=True), IMAGE),
    (lambda k: k.layers.GlobalMaxPooling2D(), (2, 20, 21, 3)),
    (lambda k: k.layers.GlobalMaxPooling1D(), LINE),
    (lambda k: k.layers.GlobalMaxPooling1D(keepdims=True), LINE),
    (lambda k: k.layers.GlobalAveragePooling2D(), IMAGE),
    (lambda k: k.layers.GlobalAveragePooling2D(keepdims=True), IMAGE),
    (lambda k: k.layers.GlobalAveragePooling1D(), LINE),
    (lambda k: k.layers.GlobalAveragePooling1D(keepdims=True), LINE),
    (lambda k: k.layers.ZeroPadding2D(), IMAGE),
    (lambda k: k.layers.ZeroPadding2D((0, 2)), IMAGE),
    (lambda k: k.layers.ZeroPadding2D(((1, 0), (2, 3))), IMAGE),
    (lambda k: k.layers.Cropping2D(), IMAGE),
    (lambda k: k.layers.Cropping2D(2), IMAGE),
    (lambda k: k.layers.Cropping2D(((1, 0), (2, 3))), IMAGE),
    (lambda k: k.layers.UpSampling2D(), IMAGE),
    (lambda k: k.layers.UpSampling2D((3, 1)), IMAGE),
    (lambda k: k.layers.UpSampling2D(2, interpolation="bilinear"), IMAGE),
    (lambda k: k.layers.UpSampling2D((2, 3), interpolation="bicubic"), IMAGE),
    (lambda k: k.layers.UpSampling2D((3, 2), interpolation="lanczos3"), IMAGE),
    (lambda k: k.layers.UpSampling2D((1, 2), interpolation="lanczos5"), IMAGE),
]
ALIASES = {
    "MaxPool1D": "MaxPooling1D",
    "MaxPool2D": "MaxPooling2D",
    "AvgPool1D": "AveragePooling1D",
    "AvgPool2D": "AveragePooling2D",
    "GlobalMaxPool1D": "GlobalMaxPooling1D",
    "GlobalMaxPool2D": "GlobalMaxPooling2D",
    "GlobalAvgPool1D": "GlobalAveragePooling1D",
    "GlobalAvgPool2D": "GlobalAveragePooling2D",
}
EVERY = range(len(PAIRS))


def values(shape, seed=0, dtype="float32"):
    """Values that are far from each other, so that a small step changes no order."""
    rng = np.random.Generator(np.random.PCG64(seed))
    return (rng.permutation(np.prod(shape)).reshape(shape) / np.prod(shape) * 4 - 2).astype(dtype)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", EVERY)
def test_layer_computes_what_keras_computes(keras, engine, number):
    make, shape = PAIRS[number]
    ours, theirs = make(dlnative), make(keras)
    x = values(shape)
    expected = np.asarray(theirs(x))
    result = ours(x)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=2e-5, atol=5e-6)
    assert ours.compute_output_shape((None, *shape[1:])) == (None, *expected.shape[1:])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", EVERY)
def test_gradient_is_that_of_keras(keras, engine, number):
    jax = pytest.importorskip("jax")
    if keras.backend.backend() != "jax":
        pytest.skip("needs Keras on JAX")
    make, shape = PAIRS[number]
    ours, theirs = make(dlnative), make(keras)
    x = values(shape)
    y, pull = jax.vjp(lambda v: theirs(v), x)
    dy = np.random.default_rng(3).standard_normal(y.shape).astype("float32")
    _, pullback = dlnative.vjp(ours, x)
    (dx,), variables = pullback(dy)
    assert not variables
    np.testing.assert_allclose(dx, np.asarray(pull(dy)[0]), rtol=1e-4, atol=2e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", EVERY)
def test_configuration_is_that_of_keras(keras, number):
    make, _ = PAIRS[number]
    ours, theirs = make(dlnative), make(keras)
    config, expected = ours.get_config(), theirs.get_config()
    for key, value in config.items():
        if key == "dtype":
            assert value == expected["dtype"]["config"]["name"]
        elif key != "name":
            assert value == expected[key], key
    assert set(expected) - set(config) <= {"quantization_config"}
    again = type(ours).from_config(json.loads(json.dumps(expected)))  # ours reads theirs
    assert again.get_config() == {**config, "name": theirs.name}
    assert type(theirs).from_config(config).name == ours.name  # theirs reads ours


@pytest.mark.parametrize("number", EVERY)
def test_engines_agree(number, monkeypatch):
    make, shape = PAIRS[number]
    monkeypatch.setattr(dlnative.config, "floatx", lambda: "float64")
    layer, x = make(dlnative), values(shape, seed=number, dtype="float64")
    results = {}
    for name in ("numpy", "native"):
        with dlnative.engine(name):
            y, pullback = dlnative.vjp(layer, x)
            results[name] = y, pullback(np.cos(np.arange(y.size)).reshape(y.shape))[0][0]
    for a, b in zip(results["numpy"], results["native"], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("number", EVERY)
def test_gradient_by_finite_differences(number):
    make, shape = PAIRS[number]
    if np.prod(shape) > 1000:
        pytest.skip("too many differences")
    layer, x = make(dlnative), values(shape, dtype="float64")
    layer = type(layer).from_config({**layer.get_config(), "dtype": "float64"})
    y, pullback = dlnative.vjp(layer, x)
    dy = np.cos(np.arange(y.size)).reshape(y.shape)
    (dx,), _ = pullback(dy)
    step = 1e-5
    rng = np.random.default_rng(number)
    for index in rng.choice(x.size, 12, replace=False):
        e = np.zeros(x.size)
        e[index] = step
        e = e.reshape(x.shape)
        slope = np.sum(dy * (layer(x + e) - layer(x - e))) / (2 * step)
        assert dx.flat[index] == pytest.approx(slope, rel=1e-6, abs=1e-8)


def test_aliases():
    for alias, name in ALIASES.items():
        assert getattr(layers, alias) is getattr(layers, name)


def test_ties_go_to_the_first_maximum(engine):
    x = np.ones((1, 4, 4, 1), "float32")
    y, pullback = dlnative.vjp(layers.MaxPooling2D(2), x)
    (dx,), _ = pullback(np.ones(y.shape, "float32"))
    places = list(zip(*np.nonzero(dx[0, :, :, 0]), strict=True))
    assert places == [(0, 0), (0, 2), (2, 0), (2, 2)]


def test_ties_of_a_whole_image_share(keras, engine):
    """As those of `max`, unlike those of a window: so it is in Keras with JAX."""
    import jax

    x = np.array([1.0, 3.0, 3.0, 2.0], "float32").reshape(1, 2, 2, 1)
    y, pullback = dlnative.vjp(layers.GlobalMaxPooling2D(), x)
    (dx,), _ = pullback(np.ones(y.shape, "float32"))
    pool = keras.layers.GlobalMaxPooling2D()
    expected = jax.grad(lambda a: pool(a).sum())(x)
    np.testing.assert_array_equal(dx, expected)
    assert dx.ravel().tolist() == [0.0, 0.5, 0.5, 0.0]


def test_nan_passes(engine):
    x = np.zeros((1, 4, 4, 1), "float32")
    x[0, 1, 1] = np.nan
    y = layers.MaxPooling2D(2)(x)
    assert np.isnan(y[0, 0, 0, 0]) and np.isfinite(y).sum() == 3
    assert np.isnan(layers.GlobalMaxPooling2D()(x)).all()


def test_padding_does_not_count(engine):
    x = -np.ones((1, 3, 3, 2), "float32")
    for layer in (
        layers.MaxPooling2D(2, padding="same"),
        layers.AveragePooling2D(2, padding="same"),
    ):
        np.testing.assert_array_equal(layer(x), -np.ones((1, 2, 2, 2)))


def test_a_model_with_every_layer_trains(engine):
    model = dlnative.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.ZeroPadding2D(1),
            layers.MaxPooling2D(2),
            layers.UpSampling2D(2, interpolation="bilinear"),
            layers.Cropping2D(1),
            layers.AveragePooling2D(2, strides=1, padding="same"),
            layers.Reshape((8, 8)),
            layers.MaxPooling1D(2),
            layers.AveragePooling1D(2),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    model.compile("sgd", "mse")
    x, y = values((16, 8, 8, 1)), values((16, 2), 1)
    history = model.fit(x, y, epochs=5, batch_size=8, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]


NAMES = [
    (layers.MaxPooling2D, (2,), 2),
    (layers.AveragePooling2D, (2,), 2),
    (layers.MaxPooling1D, (2,), 1),
    (layers.AveragePooling1D, (2,), 1),
    (layers.GlobalMaxPooling2D, (), 2),
    (layers.GlobalAveragePooling2D, (), 2),
    (layers.GlobalMaxPooling1D, (), 1),
    (layers.GlobalAveragePooling1D, (), 1),
    (layers.ZeroPadding2D, (), 2),
    (layers.Cropping2D, (), 2),
    (layers.UpSampling2D, (), 2),
]


@pytest.mark.parametrize("kind, arguments, rank", NAMES)
def test_data_formats(kind, arguments, rank):
    assert kind(*arguments).data_format == "channels_last"
    assert kind(*arguments, data_format="channels_first").data_format == "channels_first"
    with pytest.raises(ValueError, match=f"{kind.__name__} 'p': .*data_format 'last'"):
        kind(*arguments, data_format="last", name="p")


@pytest.mark.parametrize("kind, arguments, rank", NAMES)
def test_wrong_rank(kind, arguments, rank):
    axes = "length" if rank == 1 else "height, width"
    with pytest.raises(ValueError, match=rf"{kind.__name__} 'p'.*\(batch, {axes}, channels\)"):
        kind(*arguments, name="p")(layers.Input((8,) * rank))


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: layers.MaxPooling2D((2, 2, 2), name="p"), ValueError, "'p'.*pool_size"),
        (lambda: layers.MaxPooling2D("2", name="p"), TypeError, "'p'.*pool_size"),
        (lambda: layers.MaxPooling2D(0, name="p"), ValueError, "'p'.*at least 1"),
        (lambda: layers.MaxPooling1D(2, strides=0, name="p"), ValueError, "'p'.*at least 1"),
        (lambda: layers.AveragePooling2D(2, padding="sam", name="p"), ValueError, "'p'.*'same'"),
        (lambda: layers.AveragePooling2D(), TypeError, "pool_size"),
        (lambda: layers.ZeroPadding2D((1, 2, 3), name="p"), ValueError, "'p'.*padding"),
        (lambda: layers.ZeroPadding2D(-1, name="p"), ValueError, "'p'.*at least 0"),
        (lambda: layers.ZeroPadding2D(1.5, name="p"), TypeError, "'p'.*padding"),
        (lambda: layers.Cropping2D(((1, 2), (3,)), name="p"), ValueError, "'p'.*cropping"),
        (lambda: layers.UpSampling2D(0, name="p"), ValueError, "'p'.*at least 1"),
        (lambda: layers.UpSampling2D(interpolation="cubic", name="p"), ValueError, "bicubic"),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    "layer, shape, message",
    [
        (
            lambda: layers.MaxPooling2D(5, name="p"),
            (4, 8, 3),
            r"MaxPooling2D 'p'.*\(5, 5\) is larger.*input's is 4.*Received \(batch, 4, 8, 3\) from",
        ),
        (lambda: layers.AveragePooling1D(9, name="p"), (8, 3), "AveragePooling1D 'p'.*larger"),
        (lambda: layers.MaxPooling2D(8), (3, 4, 64), r"transpose\(0, 2, 3, 1\)"),
        (lambda: layers.Cropping2D(4, name="p"), (8, 9, 3), "Cropping2D 'p'.*height 8.*Crop less"),
    ],
)
def test_inputs_that_do_not_fit(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer()(layers.Input(shape, name="image"))
