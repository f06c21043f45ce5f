"""Layers of random changes against Keras: with what Keras has drawn, they give the same images."""

from __future__ import annotations

import json

import numpy as np
import pytest

import dlnative
from dlnative import layers

UNIT = {"value_range": (0, 1)}
SEED = {"seed": 1}
# Layer -> the arguments of each case.
CASES = {
    "AugMix": [SEED, {"num_chains": 2, "chain_depth": 4, "all_ops": False, **UNIT, **SEED}],
    "AutoContrast": [{}, UNIT],
    "ContrastLimitedAdaptiveHistogramEqualization": [
        {},
        UNIT,
        {"tile_grid_size": (3, 2), "clip_limit": 2.0},
        {"clip_limit": 0.0},
    ],
    "CutMix": [SEED, {"factor": (0.2, 0.5), "seed": 2}],
    "Equalization": [{}, UNIT, {"bins": 17}],
    "MixUp": [SEED, {"alpha": 1.0, "seed": 2}],
    "RandAugment": [{"num_ops": 4, **SEED}, {"factor": (0.2, 0.7), "num_ops": 5, **UNIT, **SEED}],
    "RandomBrightness": [{"factor": 0.3, **SEED}],
    "RandomColorDegeneration": [
        {"factor": 0.7, **SEED},
        {"factor": (0.2, 0.7), **UNIT, **SEED},
    ],
    "RandomContrast": [{"factor": (0.3, 0.3), **SEED}],
    "RandomCrop": [{"height": 6, "width": 5, **SEED}],
    "RandomErasing": [
        SEED,
        {"factor": 0.5, "scale": (0.1, 0.5), "fill_value": 3.0, **UNIT, **SEED},
    ],
    "RandomFlip": [{"mode": "horizontal", **SEED}, {"mode": "vertical", **SEED}, SEED],
    "RandomGaussianBlur": [
        SEED,
        {"factor": (0.2, 0.7), "kernel_size": (3, 5), "sigma": (0.3, 0.9), **UNIT, **SEED},
    ],
    "RandomGrayscale": [SEED, {"factor": 0.2, **SEED}],
    "RandomHue": [{"factor": 0.7, **SEED}, {"factor": (0.2, 0.7), **UNIT, **SEED}],
    "RandomInvert": [{"factor": 0.7, **SEED}, {"factor": (0.2, 0.7), **UNIT, **SEED}],
    "RandomPerspective": [
        SEED,
        {"factor": 0.6, "scale": 0.4, "interpolation": "nearest", "fill_value": 3.0, **SEED},
    ],
    "RandomPosterization": [
        {"factor": 5, **SEED},
        {"factor": (2, 7), **UNIT, **SEED},
        {"factor": (3, 3), **SEED},
    ],
    "RandomRotation": [{"factor": 0.3, **SEED}],
    "RandomSaturation": [{"factor": 0.7, **SEED}, {"factor": (0.2, 0.7), **UNIT, **SEED}],
    "RandomSharpness": [{"factor": 0.7, **SEED}, {"factor": (0.2, 0.7), **UNIT, **SEED}],
    "RandomShear": [
        {"x_factor": 0.3, "y_factor": 0.4, **SEED},
        {"x_factor": (0.1, 0.3), "interpolation": "nearest", "fill_mode": "constant", **SEED},
        {"x_factor": 0.6, "fill_mode": "wrap", **SEED},
    ],
    "RandomTranslation": [{"height_factor": 0.3, "width_factor": 0.2, **SEED}],
    "RandomZoom": [{"height_factor": 0.3, **SEED}, {"height_factor": 0.3, "width_factor": 0.2}],
    "Solarization": [
        SEED,
        {"addition_factor": 0.3, "threshold_factor": 0.6, **SEED},
        {"addition_factor": 0.3, "threshold_factor": 0.6, **UNIT, **SEED},
    ],
}
# Those whose transformations and configurations test_layers_augmentation.py has.
FUSED = (
    *("RandomBrightness", "RandomContrast", "RandomCrop", "RandomFlip"),
    *("RandomRotation", "RandomTranslation", "RandomZoom"),
)
# What is not asked: Keras stretches columns there; of integers it takes none, or they overflow.
DIFFERS = {
    ("AutoContrast", "channels_first", "float32"),
    ("RandomSaturation", "channels_last", "uint8"),
    ("RandomBrightness", "channels_last", "uint8"),
}


def plain(drawn):
    """What Keras has drawn, as arrays."""
    if isinstance(drawn, dict):
        return {key: plain(value) for key, value in drawn.items()}
    if isinstance(drawn, list):
        return [plain(value) for value in drawn]
    return drawn if drawn is None or isinstance(drawn, (int, str, tuple)) else np.asarray(drawn)


def images_of(arguments, dtype, channels, data_format):
    high = arguments.get("value_range", (0, 255))[1]
    x = np.random.default_rng(0).uniform(0, high, (5, 14, 11, channels)).astype(dtype)
    return np.ascontiguousarray(np.moveaxis(x, -1, 1)) if data_format == "channels_first" else x


def judged():
    """(layer, arguments, data_format, dtype): the first arguments in all forms, the others once."""
    for name, cases in CASES.items():
        yield from ((name, arguments, "channels_last", "float32") for arguments in cases)
        forms = [("channels_first", "float32"), ("channels_last", "uint8")]
        yield from ((name, cases[0], *form) for form in forms if (name, *form) not in DIFFERS)


def assert_same_images(result, expected, high, steps=0.0):
    """`steps` is the share of pixels that may be on the other side of a step of a curve."""
    assert isinstance(result, np.ndarray)
    assert (result.shape, result.dtype) == (expected.shape, expected.dtype)
    far = np.abs(result.astype(float) - expected.astype(float))
    if result.dtype == np.uint8:  # truncated, so that rounding may make it another number
        assert far.max() <= 1 and np.mean(far) < 0.005
    else:
        assert np.mean(far > 3e-5 * high) <= steps


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "arguments", "data_format", "dtype"), list(judged()))
def test_images_are_those_of_keras(keras, name, arguments, data_format, dtype):
    arguments = {**arguments, "data_format": data_format}
    ours, theirs = (getattr(k.layers, name)(**arguments) for k in (dlnative, keras))
    x = images_of(arguments, dtype, 3, data_format)
    steps = 0.005 if name in ("AugMix", "RandAugment") else 0.0
    forms = [(x, "transform_images")]
    if arguments == {**CASES[name][0], "data_format": "channels_last"} and dtype == "float32":
        forms.append((x[0], "transform_single_image"))
        if "Hue" not in name and "Saturation" not in name:
            forms.append((x[..., :1], "transform_images"))
    for given, method in forms:
        drawn = plain(theirs.get_random_transformation(given))
        tensor = keras.ops.convert_to_tensor(given)
        for training in (True, False)[: 1 if name == "RandomCrop" else 2]:  # a window here, too
            expected = getattr(theirs, method)(tensor, drawn, training=training)
            for engine in ("native", "numpy"):
                with dlnative.engine(engine):
                    result = getattr(ours, method)(given, drawn, training=training)
                assert_same_images(result, np.asarray(expected), max(1.0, x.max()), steps)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(set(CASES) - {*FUSED, "AugMix"}))
def test_what_is_drawn_has_the_form_of_keras(keras, name):
    x = images_of({}, "float32", 3, "channels_last")
    arguments = CASES[name][0]
    ours, theirs = (
        plain(getattr(k.layers, name)(**arguments).get_random_transformation(x))
        for k in (dlnative, keras)
    )

    def form(drawn):
        if isinstance(drawn, dict):
            return {key: form(value) for key, value in drawn.items()}
        return getattr(drawn, "shape", drawn), str(getattr(drawn, "dtype", ""))

    ours, theirs = form(ours), form(theirs)
    for each in (ours, theirs):
        if isinstance(each, dict) and "permutation_order" in each:
            each["permutation_order"] = each["permutation_order"][0]  # int64 without jax's x64
    assert ours == theirs


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["MixUp", "CutMix"])
def test_mixed_labels_are_those_of_keras(keras, name):
    x = images_of({}, "float32", 3, "channels_last")
    labels = np.eye(5, dtype="float32")
    ours, theirs = (getattr(k.layers, name)(seed=3) for k in (dlnative, keras))
    drawn = plain(theirs.get_random_transformation(x))
    expected = np.asarray(theirs.transform_labels(labels, drawn))
    np.testing.assert_allclose(ours.transform_labels(labels, drawn), expected, atol=1e-6)
    np.testing.assert_array_equal(ours.transform_labels(labels, drawn, training=False), labels)


@pytest.mark.filterwarnings("ignore")
def test_color_jitter_is_what_keras_makes_of_it(keras):
    """Keras draws when it transforms: with one value in each range nothing is left to chance."""
    x = images_of(UNIT, "float32", 3, "channels_last")
    factors = {
        "brightness_factor": (0.1, 0.1),
        "contrast_factor": (0.25, -0.25),
        "saturation_factor": (0.6, 0.6),
    }
    result = layers.RandomColorJitter(**UNIT, **factors, seed=1)(x, training=True)
    contrast = keras.layers.RandomContrast(0.5, **UNIT)
    theirs = [
        keras.layers.RandomBrightness((0.1, 0.1), **UNIT),
        contrast,
        keras.layers.RandomSaturation((0.6, 0.6), **UNIT),
    ]
    expected = x
    for layer in theirs:
        drawn = layer.get_random_transformation(expected)
        if layer is contrast:
            drawn = {"contrast_factor": np.full((5, 1, 1, 1), 0.75, "float32")}
        expected = layer.transform_images(expected, drawn)
    assert_same_images(result, np.asarray(expected), 1.0)
    first = np.ascontiguousarray(np.moveaxis(x, -1, 1))
    ours = layers.RandomColorJitter(**UNIT, **factors, seed=1, data_format="channels_first")
    np.testing.assert_allclose(np.moveaxis(ours(first, training=True), 1, -1), result, atol=1e-6)


def keras_config(layer):
    config = json.loads(json.dumps(layer.get_config()))
    del config["name"], config["dtype"]
    return config


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(CASES))
def test_configurations_are_those_of_keras(keras, name):
    if name in FUSED:
        pytest.skip("test_layers_augmentation.py has it")
    for arguments in CASES[name]:
        ours = keras_config(getattr(layers, name)(**arguments))
        theirs = keras_config(getattr(keras.layers, name)(**arguments))
        if name == "RandomShear":  # ranges around 0 are numbers
            for key in ("x_factor", "y_factor"):
                ours[key] = ours[key] if isinstance(ours[key], list) else [-ours[key], ours[key]]
        if name == "RandomGrayscale":
            assert ours.pop("seed") == 1
        assert ours == theirs


WRONG = [
    ("AugMix", {"factor": 2.0}),
    ("AugMix", {"interpolation": "cubic"}),
    ("RandAugment", {"factor": (0.5, 1.5, 2.0)}),
    ("RandAugment", {"interpolation": "cubic"}),
    ("RandomColorJitter", {"hue_factor": 1.5}),
    ("AutoContrast", {"value_range": 1}),
    ("AutoContrast", {"value_range": (1, 2, 3)}),
    ("CutMix", {"factor": 2.0}),
    ("CutMix", {"factor": "x"}),
    ("RandomColorDegeneration", {"factor": 1.5}),
    ("RandomElasticTransform", {"interpolation": "cubic"}),
    ("RandomElasticTransform", {"fill_mode": "none"}),
    ("RandomElasticTransform", {"scale": -0.5}),
    ("RandomErasing", {"factor": (0.1, 0.2, 0.3)}),
    ("RandomErasing", {"scale": 1.5}),
    ("RandomGaussianBlur", {"kernel_size": 4}),
    ("RandomGaussianBlur", {"kernel_size": (3, 3, 3)}),
    ("RandomGaussianBlur", {"sigma": 2.0}),
    ("RandomGrayscale", {"factor": 1.5}),
    ("RandomHue", {"factor": -0.5}),
    ("RandomInvert", {"factor": 2}),
    ("RandomPerspective", {"scale": 1.5}),
    ("RandomPerspective", {"interpolation": "cubic"}),
    ("RandomPosterization", {"factor": 9}),
    ("RandomPosterization", {"factor": 0}),
    ("RandomSaturation", {"factor": 1.5}),
    ("RandomSharpness", {"factor": (0.5,)}),
    ("RandomShear", {"x_factor": 1.5}),
    ("RandomShear", {"x_factor": -0.5}),
    ("RandomShear", {"y_factor": None}),
    ("RandomShear", {"fill_mode": "none"}),
    ("Solarization", {"addition_factor": 1.5}),
    ("Solarization", {"threshold_factor": (0.1, 0.2, 0.3)}),
    ("Solarization", {"value_range": 3}),
    ("MixUp", {"data_format": "last"}),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "arguments"), WRONG)
def test_wrong_arguments_raise_what_keras_raises(keras, name, arguments):
    with pytest.raises((ValueError, NotImplementedError)) as theirs:
        getattr(keras.layers, name)(**arguments)
    with pytest.raises(type(theirs.value), match=next(iter(arguments))):
        getattr(layers, name)(**arguments)
