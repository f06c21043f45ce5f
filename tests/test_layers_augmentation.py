"""Layers of random changes: ranges, inference, `fit`, configurations, and Keras."""

import numpy as np
import pytest

import dlnative
from dlnative import config, layers, ops
from dlnative.layers import (
    Dense,
    Flatten,
    Input,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
    SpatialDropout1D,
    SpatialDropout2D,
)
from dlnative.models import Sequential
from dlnative.optimizers import SGD

ALL = {
    "flip": lambda seed=1: RandomFlip(seed=seed),
    "crop": lambda seed=1: RandomCrop(8, 8, seed=seed, padding=2),
    "translation": lambda seed=1: RandomTranslation(0.3, 0.3, seed=seed),
    "rotation": lambda seed=1: RandomRotation(0.2, seed=seed),
    "zoom": lambda seed=1: RandomZoom(0.3, seed=seed),
    "brightness": lambda seed=1: RandomBrightness(0.4, seed=seed),
    "contrast": lambda seed=1: RandomContrast(0.6, seed=seed),
}


@pytest.fixture
def x(rng):
    return rng.uniform(0, 255, (24, 8, 8, 3)).astype("float32")


def same_image(n, shape=(5, 6, 3), seed=0):
    image = np.random.default_rng(seed).uniform(0, 255, shape).astype("float32")
    return np.broadcast_to(image, (n, *shape)).copy()


# --- one layer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("training", [False, None])
def test_inference_is_the_identity(x, name, training):
    np.testing.assert_array_equal(ALL[name]()(x, training=training), x)
    with config.engine("numpy"):
        np.testing.assert_array_equal(ALL[name]()(x, training=training), x)


@pytest.mark.parametrize(
    ("padding", "mode"),
    [(0, "constant"), (1, "constant"), (9, "constant"), (1, "reflect"), (4, "reflect")],
)
def test_crop_of_the_images_size_is_the_identity_in_inference(rng, padding, mode):
    x = rng.uniform(0, 255, (3, 5, 8, 2)).astype("float32")
    layer = RandomCrop(5, 8, padding=padding, padding_mode=mode)
    np.testing.assert_array_equal(layer(x, training=False), x)
    np.testing.assert_array_equal(Sequential([Input((5, 8, 2)), layer]).predict(x, verbose=0), x)


@pytest.mark.parametrize("name", ALL)
def test_a_model_in_inference_is_one_without_the_layer(x, y, name):
    """`predict`, `evaluate`, `test_on_batch` and the validation of `fit`, after training."""
    model = Sequential([Input(x.shape[1:]), ALL[name](), Flatten(), Dense(5)])
    model.compile(optimizer=SGD(1e-9), loss="mse")
    history = model.fit(x, y, validation_data=(x, y), epochs=2, verbose=0).history
    bare = Sequential([Input(x.shape[1:]), *model.layers[1:]])
    bare.compile(optimizer=SGD(0.0), loss="mse")
    loss = bare.evaluate(x, y, verbose=0)
    assert history["val_loss"][-1] == model.evaluate(x, y, verbose=0) == loss
    assert model.test_on_batch(x, y) == bare.test_on_batch(x, y)
    np.testing.assert_array_equal(model.predict(x, verbose=0), bare.predict(x, verbose=0))


@pytest.mark.parametrize("name", ALL)
def test_training_changes_images_and_each_call_draws_anew(x, name):
    layer = ALL[name]()
    first, second = layer(x, training=True), layer(x, training=True)
    assert first.shape == x.shape and first.dtype == np.float32
    assert not np.array_equal(first, x) and not np.array_equal(first, second)
    again = ALL[name]()
    np.testing.assert_array_equal(again(x), first)  # training is the default, as in Keras
    np.testing.assert_array_equal(again(x), second)
    assert not np.array_equal(ALL[name](2)(x), first)


@pytest.mark.parametrize("name", ALL)
def test_channels_first(x, name):
    first = np.ascontiguousarray(np.moveaxis(x, -1, 1))
    layer = ALL[name]()
    layer.data_format = "channels_first"
    y = layer(first, training=True)
    np.testing.assert_array_equal(np.moveaxis(y, 1, -1), ALL[name]()(x, training=True))
    np.testing.assert_array_equal(layer(first, training=False), first)
    np.testing.assert_array_equal(layer(first[0], training=False), first[0])
    assert layer(Input((3, None, None))).shape[:2] == (None, 3)
    drawn = layer.get_random_transformation(first)
    plain = ALL[name]().transform_images(x, drawn)
    np.testing.assert_allclose(
        np.moveaxis(layer.transform_images(first, drawn), 1, -1), plain, rtol=1e-5, atol=1e-4
    )


@pytest.mark.parametrize("name", ALL)
def test_what_is_drawn_is_what_is_applied(x, name):
    layer = ALL[name]()
    drawn = layer.get_random_transformation(x)
    first = layer.transform_images(x, drawn)
    np.testing.assert_array_equal(layer.transform_images(x, drawn), first)
    assert first.shape == x.shape and not np.array_equal(first, x)
    np.testing.assert_array_equal(layer.transform_images(x, None, training=False), x)
    single = layer.get_random_transformation(x[0])
    assert layer.transform_single_image(x[0], single).shape == x[0].shape


@pytest.mark.parametrize("name", ALL)
def test_a_class_of_a_user_s_that_changes_nothing_draws_alike(x, name):
    """What the row does, and the methods that users override, have the same distribution."""
    layer = ALL[name]()
    ours = type(layer)

    class Own(ours):
        def transform_images(self, images, transformation, training=True):
            return super().transform_images(images, transformation, training)

    own = Own.from_config(layer.get_config())
    many = np.broadcast_to(x[:1], (500, 8, 8, 3)).copy()
    means = [each(many, training=True).mean(axis=0) for each in (layer, own)]
    np.testing.assert_allclose(*means, atol=255 * 5 * np.sqrt(2 / 500) / 3)
    np.testing.assert_array_equal(own(x, training=False), x)


@pytest.mark.parametrize("name", ALL)
def test_one_image_without_batch(x, name):
    y = ALL[name]()(x[0], training=True)
    np.testing.assert_array_equal(y, ALL[name]()(x[:1], training=True)[0])
    np.testing.assert_array_equal(ALL[name]()(x[0], training=False), x[0])


@pytest.mark.parametrize("name", ALL)
def test_integers_become_floats(x, name):
    y = ALL[name]()(x.astype("uint8"), training=True)
    np.testing.assert_array_equal(y, ALL[name]()(np.floor(x), training=True))


@pytest.mark.parametrize("name", ALL)
def test_engines_agree(x, name):
    expected = ALL[name]()(x, training=True)
    with config.engine("numpy"):
        np.testing.assert_allclose(ALL[name]()(x, training=True), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", ALL)
def test_configuration_round_trip(x, name):
    layer = ALL[name]()
    copy = layers.deserialize(layers.serialize(layer))
    assert copy.get_config() == layer.get_config()
    np.testing.assert_array_equal(copy(x, training=True), layer(x, training=True))


def test_two_layers_of_one_seed_draw_independently():
    x = same_image(64, (1, 3, 1))
    model = Sequential([Input((1, 3, 1)), RandomFlip(seed=1), RandomFlip(seed=1)])
    turned = (model(x, training=True) != x).any(axis=(1, 2, 3))
    assert 10 < turned.sum() < 54  # the same draws twice would give none
    dropped = dlnative.layers.Dropout(0.5, seed=1)(np.ones((64, 4), "float32"), training=True)
    flipped = (RandomFlip(seed=1)(x) != x).any(axis=(1, 2, 3))
    assert 10 < ((dropped[:, 0] > 0) == flipped).sum() < 54


# --- distributions -------------------------------------------------------------------------------


def test_flip_modes():
    x = same_image(400)
    for mode, axes in [
        ("horizontal", (2,)),
        ("vertical", (1,)),
        ("horizontal_and_vertical", (1, 2)),
    ]:
        y = RandomFlip(mode, seed=3)(x)
        flipped = (y == np.flip(x, axes)).all(axis=(1, 2, 3))
        assert ((y == x).all(axis=(1, 2, 3)) | flipped).all()
        assert 150 < flipped.sum() < 250  # five standard deviations


def test_crop_takes_every_place_alike():
    x = np.broadcast_to(np.arange(30.0).reshape(1, 5, 6, 1), (3000, 5, 6, 1))
    y = RandomCrop(3, 5, seed=1)(x, training=True)
    top, left = y[:, 0, 0, 0] // 6, y[:, 0, 0, 0] % 6
    counts = np.histogram2d(top, left, [np.arange(4) - 0.5, np.arange(3) - 0.5])[0]
    assert counts.sum() == 3000 and (np.abs(counts - 500) < 5 * np.sqrt(500)).all()
    np.testing.assert_array_equal(y - y[:, :1, :1], (x - x[:, :1, :1])[:, :3, :5])


def test_cifar_crop_shifts_by_up_to_four_pixels():
    x = np.zeros((2000, 9, 9, 1), "float32")
    x[:, 4, 4] = 1.0
    y = RandomCrop(9, 9, seed=1, padding=4)(x, training=True)
    places = np.argwhere(y[..., 0] == 1.0)
    assert len(places) == 2000 and set(places[:, 1]) == set(places[:, 2]) == set(range(9))
    assert (y.reshape(2000, -1).sum(axis=1) == 1.0).all()


def test_crop_in_inference_is_the_middle(x):
    np.testing.assert_array_equal(RandomCrop(4, 4)(x, training=False).shape, (24, 4, 4, 3))
    wide = x[:, :4]  # 4 x 8
    np.testing.assert_array_equal(RandomCrop(4, 4)(wide, training=False), wide[:, :, 2:6])
    # Resized where the size differs: rows and columns of the middle in pairs.
    pairs = (x[:, ::2] + x[:, 1::2]) / 2
    pairs = (pairs[:, :, ::2] + pairs[:, :, 1::2]) / 2
    np.testing.assert_allclose(RandomCrop(4, 4)(x, training=False), pairs, rtol=1e-5)
    np.testing.assert_array_equal(
        RandomCrop(12, 12)(x, training=True), RandomCrop(12, 12)(x, training=False)
    )


def test_shift_range():
    x = np.zeros((1000, 1, 21, 1), "float32")
    x[:, :, 10] = 1.0
    y = RandomTranslation(0, (-0.2, 0.4), "constant", "nearest", seed=1)(x)
    shifts = y.argmax(axis=2) - 10
    assert shifts.min() == -4 and shifts.max() == 8
    assert abs(shifts.mean() - 2.1) < 5 * 3.7 / np.sqrt(1000)


def test_rotation_keeps_the_middle_and_turns_counter_clockwise():
    x = same_image(50, (5, 5, 2))
    y = RandomRotation(0.5, seed=1)(x)
    np.testing.assert_allclose(y[:, 2, 2], x[:, 2, 2], rtol=1e-6)
    quarter = RandomRotation((0.25, 0.25), seed=1)(x)
    np.testing.assert_array_equal(quarter, np.rot90(x, axes=(1, 2)))


def test_zoom_keeps_the_aspect_ratio_unless_told_otherwise():
    i, j = np.meshgrid(np.arange(9.0) - 4, np.arange(9.0) - 4, indexing="ij")
    x = np.broadcast_to(np.stack([i, j], -1), (200, 9, 9, 2))
    y = RandomZoom((-0.6, -0.1), seed=1)(x)
    rows, columns = y[:, 8, 4, 0] / 4, y[:, 4, 8, 1] / 4
    np.testing.assert_allclose(rows, columns, rtol=1e-5)
    assert 0.4 <= rows.min() < 0.45 and 0.85 < rows.max() <= 0.9
    y = RandomZoom((-0.6, -0.1), (-0.5, -0.5), seed=1)(x)
    np.testing.assert_allclose(y[:, 4, 8, 1] / 4, 0.5, rtol=1e-5)
    np.testing.assert_allclose(y[:, 8, 4, 0] / 4, rows, rtol=1e-5)


def test_brightness_and_contrast_ranges():
    x = np.full((2000, 1, 1, 1), 100.0, "float32")
    y = RandomBrightness((-0.2, 0.1), seed=1)(x).flatten() - 100
    assert -51 <= y.min() < -50 and 25 < y.max() <= 25.5 and abs(y.mean() + 12.75) < 2.5
    assert RandomBrightness(0.2).factor == RandomBrightness(-0.2).factor == (-0.2, 0.2)
    np.testing.assert_array_equal(RandomBrightness((1, 1))(x), 255.0)
    x = np.broadcast_to(np.array([[[0.4], [0.6]]], "float32"), (2000, 1, 2, 1))
    y = RandomContrast((0.5, 0.9), value_range=(0, 1), seed=1)(x)
    np.testing.assert_allclose(y.mean(axis=2), 0.5, rtol=1e-5)
    spread = (y[:, 0, 1, 0] - y[:, 0, 0, 0]) / 0.2
    assert 0.5 <= spread.min() < 0.52 and 1.88 < spread.max() <= 1.9001
    assert RandomContrast(0.3).factor == (0.3, 0.3)


# --- training ------------------------------------------------------------------------------------


def trained(augmentation, x, y, **fit_arguments):
    """The loss of each epoch of a model whose weights stay: a fingerprint of all that it sees."""
    dlnative.random.set_random_seed(7)
    model = Sequential([Input(x.shape[1:]), augmentation, Flatten(), Dense(5)])
    model.compile(optimizer=SGD(0.0), loss="mse")
    arguments = {"epochs": 3, "batch_size": 8, "verbose": 0, **fit_arguments}
    return np.array(model.fit(x, y, **arguments).history["loss"])


@pytest.fixture
def y(rng):
    return rng.standard_normal((24, 5)).astype("float32")


@pytest.mark.parametrize("name", ALL)
def test_fit_does_not_depend_on_batches_order_and_threads(x, y, threads, name):
    make = ALL[name]
    losses = trained(make(), x, y)
    assert len(set(losses)) == 3  # a new draw in every epoch
    for n in (1, 2, 3):
        threads(n)
        np.testing.assert_array_equal(trained(make(), x, y), losses)
    for changed in (
        {"batch_size": 5},
        {"batch_size": 1},
        {"shuffle": False},
        {"shuffle": "batch"},
        {"callbacks": [dlnative.callbacks.LambdaCallback(on_train_batch_end=lambda b, logs: None)]},
    ):
        np.testing.assert_allclose(trained(make(), x, y, **changed), losses, rtol=1e-5)
    with config.engine("numpy"):
        np.testing.assert_allclose(trained(make(), x, y), losses, rtol=1e-4)
    assert not np.allclose(trained(make(2), x, y), losses, rtol=1e-4)


def test_initial_epoch_continues(x, y):
    whole = trained(RandomFlip(seed=1), x, y, epochs=5)
    np.testing.assert_array_equal(
        trained(RandomFlip(seed=1), x, y, epochs=5, initial_epoch=2), whole[2:]
    )
    dlnative.random.set_random_seed(7)
    model = Sequential([Input(x.shape[1:]), RandomFlip(seed=1), Flatten(), Dense(5)])
    model.compile(optimizer=SGD(0.0), loss="mse")
    parts = [model.fit(x, y, epochs=n, batch_size=8, verbose=0) for n in (2, 3)]
    parts = np.concatenate([part.history["loss"] for part in parts])
    np.testing.assert_array_equal(parts, whole)


def test_steps_per_epoch_see_the_draws_of_one_pass(x, y):
    whole = trained(RandomFlip(seed=1), x, y, epochs=2, shuffle=False)
    halves = trained(
        RandomFlip(seed=1), x, y, epochs=6, shuffle=False, steps_per_epoch=1, batch_size=8
    )
    np.testing.assert_allclose(halves.reshape(2, 3).mean(axis=1), whole, rtol=1e-5)


def test_what_a_model_sees_is_what_the_op_gives(x):
    """The loss against the op's own result is zero."""
    target = np.mean(ops.random_flip(x, seed=1, epoch=0), axis=(1, 2, 3), keepdims=True)
    model = Sequential([Input((8, 8, 3)), RandomFlip(seed=1), Flatten(), Dense(1)])
    weights = [np.full((192, 1), 1 / 192, "float32"), np.zeros(1, "float32")]
    model.layers[-1].set_weights(weights)
    model.compile(optimizer=SGD(0.0), loss="mse")
    loss = model.fit(x, target.reshape(-1, 1), batch_size=7, verbose=0).history["loss"][0]
    assert loss < 1e-6  # a mean does not change under a flip; its parts do:
    half = np.zeros((8, 8, 3), "float32")
    half[:4] = 1.0
    model.layers[-1].set_weights([half.reshape(-1, 1), weights[1]])
    target = (ops.random_flip(x, seed=1, epoch=1) * half).sum(axis=(1, 2, 3)).reshape(-1, 1)
    assert model.fit(x, target, batch_size=7, verbose=0).history["loss"][0] < 1e-4
    assert model.fit(x, target, batch_size=7, verbose=0).history["loss"][0] > 1.0


def test_train_on_batch_draws_by_step(x, y):
    dlnative.random.set_random_seed(7)
    model = Sequential([Input(x.shape[1:]), RandomFlip(seed=1), Flatten(), Dense(5)])
    model.compile(optimizer=SGD(0.0), loss="mse")
    losses = [model.train_on_batch(x, y) for _ in range(4)]
    assert len(set(losses)) == 4
    np.testing.assert_array_equal(model.predict(x, verbose=0), model(x, training=False))


# --- spatial dropout -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "layer, shape", [(SpatialDropout1D, (50, 7, 40)), (SpatialDropout2D, (50, 3, 4, 40))]
)
def test_spatial_dropout(layer, shape):
    x = np.random.default_rng(0).uniform(1, 2, shape).astype("float32")
    y = layer(0.25, seed=3)(x, training=True)
    axes = tuple(range(1, len(shape) - 1))
    kept = (y != 0).any(axis=axes, keepdims=True)
    np.testing.assert_allclose(y, np.where(kept, x / 0.75, 0), rtol=1e-6)
    assert 0.25 - 0.05 < 1 - kept.mean() < 0.25 + 0.05  # five standard deviations of 2000 draws
    np.testing.assert_array_equal(layer(0.25)(x), x)
    np.testing.assert_array_equal(layer(0.0)(x, training=True), x)
    copy = layers.deserialize(layers.serialize(layer(0.25, seed=3)))
    np.testing.assert_array_equal(copy(x, training=True), y)
    with pytest.raises(ValueError, match=f"{len(shape)} dimensions"):
        layer(0.5)(x[0])


def test_spatial_dropout_trains(threads, x, y):
    losses = trained(SpatialDropout2D(0.5, seed=1), x, y)
    assert len(set(losses)) == 3
    threads(2)
    np.testing.assert_array_equal(trained(SpatialDropout2D(0.5, seed=1), x, y), losses)


# --- errors --------------------------------------------------------------------------------------

BAD = [
    (lambda: RandomFlip("diagonal"), ValueError, "RandomFlip .*Unknown mode"),
    (lambda: RandomFlip(seed=1.5), TypeError, "RandomFlip .*expected seed to be an integer"),
    (lambda: RandomFlip(data_format="last"), ValueError, "Unknown data_format"),
    (lambda: SpatialDropout2D(0.5, data_format="first"), ValueError, "data_format 'first'"),
    (lambda: RandomCrop(0, 3), ValueError, "RandomCrop .*height of at least 1"),
    (lambda: RandomCrop(2.5, 3), TypeError, "RandomCrop .*height to be an integer"),
    (lambda: RandomCrop(2, 3, padding=-1), ValueError, "padding of at least 0"),
    (lambda: RandomCrop(2, 3, padding_mode="wrap"), ValueError, "Unknown padding_mode"),
    (lambda: RandomTranslation(1.2, 0), ValueError, r"height_factor .*in \[-1, 1\], received 1.2"),
    (lambda: RandomTranslation(0, (0, 0.1, 0.2)), ValueError, "width_factor to be a number or two"),
    (lambda: RandomTranslation("a", 0), TypeError, "height_factor to be a number or two"),
    (lambda: RandomTranslation(0, 0, fill_mode="mirror"), ValueError, "Unknown fill_mode"),
    (lambda: RandomRotation(0.1, interpolation="cubic"), ValueError, "Unknown interpolation"),
    (lambda: RandomRotation(1.5), ValueError, r"RandomRotation .*factor .*in \[-1, 1\]"),
    (lambda: RandomZoom(-1.0), ValueError, r"height_factor in \(-1, 1\], received -1.0"),
    (lambda: RandomZoom(0, 1.5), ValueError, "width_factor"),
    (lambda: RandomBrightness(2), ValueError, "factor"),
    (lambda: RandomBrightness(0.1, value_range=255), ValueError, "value_range to be two numbers"),
    (lambda: RandomContrast(-0.1), ValueError, r"factor in \[0, 1\], received -0.1"),
    (lambda: RandomContrast((-0.5, 0.2)), ValueError, "leaves nothing"),
    (
        lambda: RandomFlip()(Input((28, 28))),
        ValueError,
        r"RandomFlip .*\(batch, height, width, channels\).*received \(batch, 28, 28\).*channels",
    ),
    (lambda: RandomFlip()(np.zeros((2, 2))), ValueError, "expected images of shape"),
]


@pytest.mark.parametrize("make, kind, message", BAD)
def test_errors(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


# --- against Keras -------------------------------------------------------------------------------

FIXED = [
    ("RandomTranslation", {"height_factor": (0.3, 0.3), "width_factor": (-0.45, -0.45)}),
    ("RandomTranslation", {"height_factor": (-0.21, -0.21), "width_factor": (0.9, 0.9)}),
    ("RandomRotation", {"factor": (0.1, 0.1)}),
    ("RandomRotation", {"factor": (-0.33, -0.33)}),
    ("RandomZoom", {"height_factor": (0.37, 0.37)}),
    ("RandomZoom", {"height_factor": (-0.37, -0.37), "width_factor": (0.6, 0.6)}),
]


@pytest.mark.parametrize("fill_mode", ["constant", "nearest", "reflect", "wrap"])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("name, arguments", FIXED)
def test_maps_agree_with_keras(rng, name, arguments, interpolation, fill_mode, keras):
    x = rng.uniform(0, 255, (2, 10, 13, 3)).astype("float32")
    options = {**arguments, "interpolation": interpolation, "fill_mode": fill_mode}
    if fill_mode == "constant":
        options["fill_value"] = 17.0
    expected = np.array(getattr(keras.layers, name)(**options)(x, training=True))
    y = getattr(layers, name)(**options)(x, training=True)
    error = np.abs(y - expected)
    if interpolation == "bilinear":  # Keras has coordinates in float32: 1e-6 * 13 pixels
        assert error.max() < 255 * 2e-5
    else:
        assert (error > 0).mean() < 0.01


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("RandomBrightness", {"factor": (0.3, 0.3)}),
        ("RandomBrightness", {"factor": (-0.4, -0.4), "value_range": (-1.0, 300.0)}),
        ("RandomContrast", {"factor": (-0.3, 0.3)}),
        ("RandomCrop", {"height": 20, "width": 26}),
        ("RandomCrop", {"height": 10, "width": 13}),
    ],
)
def test_values_agree_with_keras(rng, name, arguments, keras):
    x = rng.uniform(0, 255, (2, 10, 13, 3)).astype("float32")
    expected = np.array(getattr(keras.layers, name)(**arguments)(x, training=True))
    y = getattr(layers, name)(**arguments)(x, training=True)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("size", [(14, 17), (4, 9), (10, 5), (1, 1), (3, 31)])
def test_the_middle_agrees_with_smart_resize(rng, size, keras):
    """What Keras documents for RandomCrop in inference; its layer returns its input."""
    x = rng.uniform(0, 255, (2, 10, 13, 3)).astype("float32")
    expected = keras.preprocessing.image.smart_resize(x, size)
    np.testing.assert_allclose(RandomCrop(*size)(x, training=False), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("training", [False, None])
def test_keras_has_the_same_identity_in_inference(x, name, training, keras):
    layer = ALL[name]() if name != "crop" else RandomCrop(8, 8, seed=1)
    given = {k: v for k, v in layer.get_config().items() if k not in ("trainable", "dtype")}
    expected = getattr(keras.layers, type(layer).__name__)(**given)(x, training=training)
    np.testing.assert_array_equal(layer(x, training=training), np.array(expected))


@pytest.mark.parametrize("name", ALL)
def test_keras_loads_the_configuration(name, keras):
    layer = ALL[name]() if name != "crop" else RandomCrop(4, 5, seed=2)
    kind = type(layer).__name__
    given = {k: v for k, v in layer.get_config().items() if k not in ("trainable", "dtype")}
    other = getattr(keras.layers, kind)(**given)
    for key in given:
        if key != "value_range":
            assert getattr(other, key) == given[key], key
