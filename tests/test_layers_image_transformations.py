"""Layers that draw a transformation and apply it: in models, on arrays, with labels, overridden."""

from __future__ import annotations

import copy
import itertools
import pickle

import numpy as np
import pytest

import dlnative
from dlnative import config, layers, ops, random
from dlnative.layers import Dense, GlobalAveragePooling2D, Input
from dlnative.models import Sequential
from dlnative.optimizers import SGD

# Layers that draw for each image alone, and how to make them.
PER_IMAGE = {
    "RandomColorDegeneration": {"factor": 0.7},
    "RandomColorJitter": {"brightness_factor": 0.2, "contrast_factor": 0.3, "hue_factor": 0.5},
    "RandomErasing": {"factor": (0.5, 1.0), "fill_value": 9.0},
    "RandomGrayscale": {},
    "RandomHue": {"factor": 0.7},
    "RandomInvert": {"factor": (0.5, 0.5)},
    "RandomPerspective": {"factor": (0.5, 1.0), "scale": 0.5},
    "RandomPosterization": {"factor": 5},
    "RandomSaturation": {"factor": 0.7},
    "RandomSharpness": {"factor": 0.7},
    "RandomShear": {"x_factor": 0.3, "y_factor": 0.2},
    "Solarization": {"addition_factor": 0.3, "threshold_factor": 0.6},
}
# Those where images share what is drawn.
PER_BATCH = {
    "AugMix": {"num_chains": 2, "chain_depth": 1},
    "CutMix": {},
    "MixUp": {"alpha": 1.0},
    "RandAugment": {"num_ops": 1},
    "RandomElasticTransform": {"factor": (0.5, 1.0)},
    "RandomGaussianBlur": {"factor": (0.5, 1.0)},
}
RANDOM = {**PER_IMAGE, **PER_BATCH}
PLAIN = {
    "AutoContrast": {},
    "ContrastLimitedAdaptiveHistogramEqualization": {"tile_grid_size": (2, 2)},
    "Equalization": {},
}
IN_INFERENCE = ("AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization")
COLORS = ("RandomColorJitter", "RandomHue", "RandomSaturation")


def made(name, seed=1, **more):
    options = {**RANDOM, **PLAIN}[name]
    return getattr(layers, name)(**options, **({"seed": seed} if name in RANDOM else {}), **more)


@pytest.fixture
def x(rng):
    return rng.uniform(0, 255, (24, 9, 8, 3)).astype("float32")


@pytest.fixture
def y(rng):
    return rng.standard_normal((24, 2)).astype("float32")


def trained(layer, x, y, shape=None, **fit_arguments):
    """The loss of each epoch of a model whose weights stay: a fingerprint of all that it sees."""
    random.set_random_seed(7)
    stack = [Input(shape or x.shape[1:]), layer, GlobalAveragePooling2D(), Dense(2)]
    model = Sequential(stack)
    model.compile(optimizer=SGD(0.0), loss="mse")
    arguments = {"epochs": 2, "batch_size": 8, "verbose": 0, **fit_arguments}
    return np.array(model.fit(x, y, **arguments).history["loss"])


# --- in models -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RANDOM)
def test_fit_does_not_depend_on_threads_engines_and_open_sizes(x, y, threads, name):
    threads(1)
    losses = trained(made(name), x, y)
    assert losses[0] != losses[1]  # a new draw in every epoch
    threads(3)
    np.testing.assert_array_equal(trained(made(name), x, y), losses)
    open_sizes = trained(made(name), x, y, shape=(None, None, 3))
    np.testing.assert_allclose(open_sizes, losses, rtol=1e-5)
    with config.engine("numpy"):
        np.testing.assert_allclose(trained(made(name), x, y), losses, rtol=1e-4)
    assert not np.allclose(trained(made(name, seed=2), x, y), losses, rtol=1e-5)


@pytest.mark.parametrize("name", PER_IMAGE)
def test_an_image_is_changed_alike_in_any_batch(x, y, name):
    losses = trained(made(name), x, y)
    for changed in ({"batch_size": 5}, {"batch_size": 1}, {"shuffle": False}):
        np.testing.assert_allclose(trained(made(name), x, y, **changed), losses, rtol=1e-5)


@pytest.mark.parametrize("name", RANDOM)
def test_inference_is_the_identity(x, name):
    layer = made(name)
    np.testing.assert_array_equal(layer(x, training=False), x)
    np.testing.assert_array_equal(Sequential([Input(x.shape[1:]), layer]).predict(x, verbose=0), x)


@pytest.mark.parametrize("name", PLAIN)
def test_layers_without_draws(x, name):
    layer = made(name)
    first = layer(x, training=True)
    np.testing.assert_array_equal(layer(x, training=True), first)
    assert not np.allclose(first, x)
    same = layer(x, training=False)
    np.testing.assert_array_equal(same, first if name in IN_INFERENCE else x)
    predicted = Sequential([Input(x.shape[1:]), layer]).predict(x, verbose=0)
    np.testing.assert_allclose(predicted, same, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("name", [*RANDOM, *PLAIN])
@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (2, 5, 1, 3), (2, 1, 4, 3), (1, 1, 3)])
def test_small_images(rng, name, shape):
    y = made(name)(rng.uniform(0, 255, shape).astype("float32"), training=True)
    assert y.shape == shape and np.isfinite(y).all()


def test_images_of_one_batch_do_not_meet_but_where_they_must(x):
    """Each image of a batch is what it is alone, where nothing is drawn."""
    for name in IN_INFERENCE:
        y = made(name)(x)
        np.testing.assert_allclose(made(name)(x[3]), y[3], rtol=1e-6)


# --- on arrays -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*RANDOM, *PLAIN])
def test_images_of_any_kind(x, name):
    channels = (3,) if name in COLORS else (3, 1, 2) if name in PLAIN else (3, 1)
    for count in channels:
        images = x[..., :count]
        y = made(name)(images, training=True)
        assert y.shape == images.shape and y.dtype == np.float32
        whole = made(name)(images.astype("uint8"), training=True)
        keeps = name in ("RandomGrayscale", "ContrastLimitedAdaptiveHistogramEqualization")
        assert whole.dtype == ("uint8" if keeps else "float32")
        floats = made(name)(np.floor(images), training=True)
        np.testing.assert_array_equal(whole, np.trunc(floats) if keeps else floats)
        single = made(name)(images[0], training=True)
        assert single.shape == images.shape[1:]
        if name in PER_IMAGE:
            np.testing.assert_array_equal(single, made(name)(images[:1], training=True)[0])
        wide = made(name, dtype="float64")(images.astype("float64"), training=True)
        assert wide.dtype == np.float64 and wide.shape == images.shape


@pytest.mark.parametrize("name", RANDOM)
def test_each_call_draws_anew_and_copies_go_on(x, name):
    layer = made(name, seed=None)
    first = layer(x, training=True)
    copies = [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))]
    again = layers.deserialize(layers.serialize(made(name)))
    second = layer(x, training=True)
    assert not np.array_equal(first, second) and not np.array_equal(first, x)
    for other in copies:
        np.testing.assert_array_equal(other(x, training=True), second)
    np.testing.assert_array_equal(again(x, training=True), made(name)(x, training=True))


@pytest.mark.parametrize("name", RANDOM)
def test_a_saved_model_draws_as_before(x, y, name, tmp_path):
    stack = [Input(x.shape[1:]), made(name, seed=None), GlobalAveragePooling2D(), Dense(2)]
    model = Sequential(stack)
    model.compile(optimizer=SGD(0.0), loss="mse")
    model.save(tmp_path / "model")
    loaded = dlnative.models.load_model(tmp_path / "model")
    losses = [m.fit(x, y, verbose=0, shuffle=False).history["loss"] for m in (model, loaded)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("name", RANDOM)
def test_what_is_drawn_is_what_is_applied(x, name):
    """The same transformation gives the same images: nothing is drawn when it is applied."""
    layer = made(name)
    if name == "RandomElasticTransform":
        drawn = layer.get_random_transformation(x, seed=5)  # which moves pixels by this seed
    else:
        drawn = layer.get_random_transformation(x)
    first = layer.transform_images(x, drawn)
    np.testing.assert_array_equal(layer.transform_images(x, drawn), first)
    assert layer.get_random_transformation(x, training=False) is None
    other = layer.transform_images(x, layer.get_random_transformation(x))
    assert not np.array_equal(other, first)


# --- labels --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*RANDOM, *PLAIN])
def test_a_dict_of_images_and_labels(x, name):
    labels = np.eye(24, dtype="float32")
    data = {"images": x, "labels": labels, "weight": np.arange(24.0, dtype="float32")}
    result = made(name)(data, training=True)
    assert result.keys() == data.keys() and data["images"] is x
    np.testing.assert_array_equal(result["images"], made(name)(x, training=True))
    np.testing.assert_array_equal(result["weight"], data["weight"])
    mixes = name in ("MixUp", "CutMix")
    assert np.array_equal(result["labels"], labels) != mixes
    np.testing.assert_allclose(result["labels"].sum(axis=1), 1.0, rtol=1e-5)
    kept = made(name)(data, training=False)
    np.testing.assert_array_equal(kept["labels"], labels)
    single = made(name)({"images": x[0], "labels": labels[0]}, training=True)
    assert single["images"].shape == x[0].shape
    np.testing.assert_array_equal(single["labels"], labels[0])


@pytest.mark.parametrize("name", ["MixUp", "CutMix"])
def test_labels_are_mixed_as_the_images_are(name):
    """Images of one value, which says whose they are: means of images are those of labels."""
    count, size = 16, 20
    numbers = np.arange(count, dtype="float32")
    x = np.broadcast_to(numbers.reshape(-1, 1, 1, 1), (count, size, size, 1))
    layer = made(name)
    result = layer({"images": x, "labels": np.eye(count, dtype="int32")}, training=True)
    expected = (result["labels"] * numbers).sum(axis=1)
    tolerance = 1e-4 if name == "MixUp" else count * 2 * 2 / size  # whole pixels of a box
    np.testing.assert_allclose(result["images"].mean(axis=(1, 2, 3)), expected, atol=tolerance)


@pytest.mark.parametrize("name", ["MixUp", "CutMix"])
def test_mixing_in_a_functional_model(x, name):
    """Called on symbolic tensors the images and the labels of a model are mixed in its steps."""
    images, labels = Input(x.shape[1:], name="images"), Input((24,), name="labels")
    mixed = made(name)({"images": images, "labels": labels})
    model = dlnative.Model([images, labels], [mixed["images"], mixed["labels"]])
    eye = np.eye(24, dtype="float32")
    results = model([x, eye], training=True)
    assert [r.shape for r in results] == [x.shape, (24, 24)]
    np.testing.assert_allclose(results[1].sum(axis=1), 1.0, rtol=1e-5)
    assert not np.array_equal(results[1], eye)
    still = model.predict([x, eye], verbose=0)
    np.testing.assert_array_equal(still[0], x)
    np.testing.assert_array_equal(still[1], eye)


def test_mixing_before_the_model(x):
    """As a function of the batches that `fit` is given."""
    mix, labels = layers.MixUp(seed=1), np.eye(24, dtype="float32")

    def batches():
        for start in range(0, 24, 8):
            data = {"images": x[start : start + 8], "labels": labels[start : start + 8]}
            mixed = mix(data, training=True)
            yield mixed["images"], mixed["labels"]

    model = Sequential([Input(x.shape[1:]), GlobalAveragePooling2D(), Dense(24, "softmax")])
    model.compile("sgd", "categorical_crossentropy")
    assert np.isfinite(model.fit(batches(), steps_per_epoch=3, verbose=0).history["loss"]).all()


# --- distributions -------------------------------------------------------------------------------


def drawn_in_a_program(layer, x):
    """What a layer draws within a program, as arrays."""

    class Draw(layers.Layer):
        def call(self, x):
            drawn = layer.get_random_transformation(x)
            if not isinstance(drawn, dict):
                return drawn
            return {key: value for key, value in drawn.items() if key != "input_shape"}

    return Draw()(x)


MANY = np.zeros((4000, 4, 4, 3), "float32")


@pytest.mark.parametrize("draw", [lambda layer, x: layer.get_random_transformation(x), None])
@pytest.mark.parametrize(
    ("make", "key", "low", "high"),
    [
        (lambda: layers.RandomSharpness((0.2, 0.6), seed=1), "factor", 0.2, 0.6),
        (lambda: layers.RandomColorDegeneration(0.5, seed=1), "factor", -0.5, 0.5),
        (lambda: layers.RandomHue(0.5, seed=1), "factor", -0.25, 0.25),
        (lambda: layers.RandomShear(0.5, seed=1), "shear_factor", -0.5, 0.5),
        (lambda: layers.Solarization(0.2, (0.4, 0.6), seed=1), "thresholds", 102.0, 153.0),
        (lambda: layers.RandomBrightness((0.1, 0.3), seed=1), "rgb_delta", 25.5, 76.5),
        (lambda: layers.RandomContrast((0.25, 0.5), seed=1), "contrast_factor", 0.75, 1.5),
    ],
)
def test_factors_are_uniform(make, key, low, high, draw):
    values = (draw or drawn_in_a_program)(make(), MANY)[key].reshape(4000, -1)[:, 0]
    assert low <= values.min() and values.max() <= high
    share = (values - low) / (high - low)
    counts = np.histogram(share, 8, (0, 1))[0]
    assert np.abs(counts - 500).max() < 5 * np.sqrt(500 * 7 / 8)


@pytest.mark.parametrize("draw", [lambda layer, x: layer.get_random_transformation(x), None])
@pytest.mark.parametrize(
    ("make", "key", "rate"),
    [
        (lambda f: layers.RandomInvert(f, seed=1), "apply_inversion", 0.5),
        (lambda f: layers.RandomGaussianBlur(f, seed=1), "should_apply_blur", 0.5),
        (lambda f: layers.RandomErasing(f, fill_value=0, seed=1), "apply_erasing", 0.5),
        (lambda f: layers.RandomPerspective(f, seed=1), "apply_perspective", 0.5),
        (lambda f: layers.RandomGrayscale(f, seed=1), None, 1.0),
    ],
)
def test_rates_of_change(make, key, rate, draw):
    """A number f is drawn from (0, f) for each image, but for grayscale."""
    for factor in (0.0, 0.4, 1.0):
        drawn = (draw or drawn_in_a_program)(make(factor), MANY)
        happens = np.asarray(drawn[key] if key else drawn)
        p = rate * factor
        assert abs(happens.mean() - p) <= 5 * np.sqrt(p * (1 - p) / 4000)
    if key:
        assert (draw or drawn_in_a_program)(make((1.0, 1.0)), MANY)[key].all()


def test_posterization_draws_below_its_upper_number():
    shift = drawn_in_a_program(layers.RandomPosterization((2, 6), seed=1), MANY)["shift_factor"]
    bits, counts = np.unique(8 - shift.astype(int), return_counts=True)
    assert bits.tolist() == [2, 3, 4, 5] and np.abs(counts - 1000).max() < 150


def test_boxes_have_the_areas_that_were_drawn():
    x = np.zeros((300, 60, 40, 1), "float32")
    erase = layers.RandomErasing((1.0, 1.0), (0.1, 0.3), fill_value=1, seed=1)
    share = erase(x, training=True).mean(axis=(1, 2, 3))
    assert share.min() > 0.08 and share.max() < 0.32 and share.std() > 0.03
    drawn = layers.CutMix((1.0, 1.0), seed=1).get_random_transformation(x)
    area = 1 - drawn["batch_masks"].mean(axis=(1, 2, 3))
    np.testing.assert_allclose(area, drawn["mix_weight"].reshape(-1), atol=0.06)
    assert 0.4 < area.mean() < 0.6  # beta of (1, 1) is uniform
    assert sorted(drawn["permutation_order"]) == list(range(300))


def test_mixing_weights_are_those_of_the_beta_distribution():
    weight = layers.MixUp(0.2, seed=1).get_random_transformation(MANY)["mix_weight"]
    assert abs(weight.mean() - 0.5) < 0.05 and abs(weight.var() - 1 / (4 * 1.4)) < 0.02


@pytest.mark.parametrize("name", ["RandAugment", "AugMix"])
def test_a_program_chooses_anew_at_each_step(x, name):
    """Of images that most changes leave a mark on, the results of steps differ, as on arrays."""
    model = Sequential([Input(x.shape[1:]), made(name)])
    seen = [model(x, training=True) for _ in range(4)]
    assert all(not np.allclose(a, b) for a, b in itertools.pairwise(seen))
    layer = getattr(layers, name)(seed=3)
    names = set()
    for _ in range(30):
        drawn = layer.get_random_transformation(x)
        if name == "RandAugment":
            names.update(int(n) for n in drawn["layer_idxes"])
        else:
            names.update(link["layer_name"] for c in drawn["chain_transforms"] for link in c)
    assert len(names) == 11


@pytest.mark.parametrize("name", ["RandAugment", "AugMix"])
def test_a_program_applies_what_is_chosen_as_arrays_do(x, name):
    """Each choice in turn, given as a number that only the program knows."""
    layer = made(name)
    names = layer._parts
    transforms = {n: getattr(layer, n).get_random_transformation(x, seed=5) for n in names}

    class Choose(layers.Layer):
        def call(self, inputs):
            return layer._chosen(ops.cast(inputs["number"], "int32"), transforms, inputs["images"])

    choose = Choose()
    for number in range(len(names) + 1):
        result = choose({"number": np.float32(number), "images": x})
        np.testing.assert_allclose(result, layer._chosen(number, transforms, x), atol=2e-3)


# --- overridden ----------------------------------------------------------------------------------


class Tinted(layers.RandomInvert):
    """A user's layer: other draws, and labels that follow."""

    def get_random_transformation(self, data, training=True, seed=None):
        if not training:
            return None
        images = data["images"] if isinstance(data, dict) else data
        shape = (images.shape[0], 1, 1, 1)
        return {"tint": random.uniform(shape, 0.0, 50.0, seed=self.generator)}

    def transform_images(self, images, transformation, training=True):
        return images + transformation["tint"] if training else images

    def transform_labels(self, labels, transformation, training=True):
        return labels + ops.reshape(transformation["tint"], (-1, 1)) if training else labels


def test_an_overridden_layer_is_called_as_it_says(x, y):
    labels = np.zeros((24, 1), "float32")
    result = Tinted(seed=1)({"images": x, "labels": labels}, training=True)
    tint = (result["images"] - x).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(result["labels"][:, 0], tint, atol=1e-3)
    assert tint.std() > 10
    losses = trained(Tinted(seed=1), x, y)
    assert losses[0] != losses[1]


class HalfFlip(layers.RandomFlip):
    """A layer with a row of its own, whose transformation a user gives."""

    def transform_images(self, images, transformation, training=True):
        return ops.flip(images, axis=2) if training else images


class Cropped(layers.RandomInvert):
    """Images of another size than they had."""

    def transform_images(self, images, transformation, training=True):
        return images[:, 1:-1, 1:-1]


def test_overriding_what_a_row_does_and_sizes(x):
    np.testing.assert_array_equal(HalfFlip()(x, training=True), x[:, :, ::-1])
    np.testing.assert_array_equal(HalfFlip()(x, training=False), x)
    assert Cropped()(Input((9, 8, 3))).shape == (None, 7, 6, 3)
    assert Cropped()(Input((None, None, 3))).shape == (None, None, None, 3)
    assert Cropped()(x).shape == (24, 7, 6, 3)


# --- errors --------------------------------------------------------------------------------------

ONES = np.ones((2, 4, 4, 3), "float32")
BAD = [
    (lambda: layers.MixUp(0.0), ValueError, r"alpha in \(0, inf\)|alpha"),
    (lambda: layers.MixUp("a"), TypeError, "alpha to be a number"),
    (lambda: layers.RandomErasing(fill_value=(1, 2)), ValueError, "fill_value to be None"),
    (lambda: layers.RandomErasing(fill_value=(1, 2, 3))(ONES[..., :1]), ValueError, "3 channels"),
    (lambda: layers.RandomHue(0.1)(ONES[..., :1]), ValueError, "expected images of 3 channels"),
    (lambda: layers.RandomHue(0.1, (1, 1)), ValueError, "value_range to be two different"),
    (lambda: layers.RandomPosterization(2.5), ValueError, "one integer or two"),
    (lambda: layers.Equalization(bins=0), ValueError, "bins of at least 1"),
    (lambda: layers.RandAugment(num_ops=0), ValueError, "num_ops of at least 1"),
    (lambda: layers.AugMix(num_chains=1.5), TypeError, "num_chains to be an integer"),
    (lambda: layers.RandomInvert()(ONES[0, 0]), ValueError, "expected images of shape"),
    (lambda: layers.RandomInvert()(Input((4, 4))), ValueError, r"\(batch, 4, 4\).*channels"),
    (lambda: layers.RandomInvert()([ONES, ONES]), TypeError, "expected one tensor"),
    (lambda: layers.RandomInvert()({"labels": ONES}), ValueError, "a dict with 'images'"),
    (
        lambda: layers.RandomInvert()({"images": ONES, "bounding_boxes": ONES}),
        NotImplementedError,
        "bounding_boxes are not available",
    ),
    (
        lambda: layers.RandomFlip()({"images": ONES, "segmentation_masks": ONES}),
        NotImplementedError,
        "segmentation_masks are not available",
    ),
    (
        lambda: layers.MixUp()({"images": ONES, "labels": np.arange(2)}, training=True),
        ValueError,
        "class numbers cannot be mixed",
    ),
    (
        lambda: layers.MixUp().get_random_transformation(Input((4, 4, 3))),
        TypeError,
        "received a symbolic tensor. Call the layer on it",
    ),
    (lambda: layers.MixUp(bounding_box_format="xyxy"), (TypeError, ValueError), "bounding_box"),
]


@pytest.mark.parametrize("make, kind, message", BAD)
def test_errors(make, kind, message):
    with pytest.raises(kind, match=message):
        make()
