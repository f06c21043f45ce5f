"""What is set after the first call counts: options of layers."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import layers

IMAGES = np.arange(2 * 6 * 6 * 4, dtype="float32").reshape(2, 6, 6, 4) / 100 - 1
STEPS = IMAGES[:, 0]
PAIR = {"height_factor": (0.2, 0.2), "width_factor": (0.3, 0.3), "fill_mode": "constant"}
MOVED = {"gamma_initializer": "random_uniform", "beta_initializer": "random_uniform"}

# layer, its arguments, the option, the new value
LAYERS = [
    (layers.Dense, {"units": 3}, "activation", dlnative.activations.get("tanh")),
    (layers.Activation, {"activation": "relu"}, "activation", dlnative.activations.get("tanh")),
    (layers.ReLU, {}, "max_value", 0.25),
    (layers.ReLU, {}, "negative_slope", 0.25),
    (layers.ReLU, {}, "threshold", 0.25),
    (layers.LeakyReLU, {}, "negative_slope", 0.5),
    (layers.ELU, {}, "alpha", 0.5),
    (layers.Softmax, {}, "axis", 1),
    (layers.Softmax, {"axis": [1]}, "axis", [2]),
    (layers.Softmax, {}, "axis", [1]),
    (layers.Softmax, {}, "axis", [1, 2]),
    (layers.Flatten, {}, "data_format", "channels_first"),
    (layers.Reshape, {"target_shape": (-1,)}, "target_shape", (12, 12)),
    (layers.Permute, {"dims": (1, 2, 3)}, "dims", (3, 1, 2)),
    (layers.Rescaling, {"scale": 2.0}, "scale", 3.0),
    (layers.Rescaling, {"scale": 2.0}, "offset", 1.0),
    (layers.Dropout, {"rate": 0.5, "seed": 1}, "rate", 0.25),
    (layers.Dropout, {"rate": 0.5, "seed": 1}, "seed", 2),
    (layers.Dropout, {"rate": 0.5, "seed": 1}, "seed", -3),
    (layers.Dropout, {"rate": 0.5, "seed": 1}, "noise_shape", [None, 1, None, 1]),
    (layers.SpatialDropout1D, {"rate": 0.5, "seed": 1}, "rate", 0.25),
    (layers.SpatialDropout1D, {"rate": 0.5, "seed": 1}, "seed", 3),
    (layers.SpatialDropout2D, {"rate": 0.5, "seed": 1}, "rate", 0.25),
    (layers.SpatialDropout2D, {"rate": 0.5, "seed": 1}, "seed", 3),
    (layers.RandomFlip, {"mode": "horizontal", "seed": 1}, "mode", "vertical"),
    (layers.RandomFlip, {"mode": "horizontal", "seed": 1}, "seed", 2),
    (layers.RandomCrop, {"height": 3, "width": 3, "seed": 1}, "height", 4),
    (layers.RandomCrop, {"height": 3, "width": 3, "seed": 1}, "width", [4]),
    (layers.RandomCrop, {"height": 3, "width": 3, "seed": 1}, "seed", 2),
    (layers.RandomCrop, {"height": 6, "width": 6, "seed": 1}, "padding", 4),
    (
        layers.RandomCrop,
        {"height": 6, "width": 6, "seed": 1, "padding": 4},
        "padding_mode",
        "reflect",
    ),
    (layers.RandomTranslation, {**PAIR, "seed": 1}, "height_factor", (-0.5, -0.5)),
    (layers.RandomTranslation, {**PAIR, "seed": 1}, "height_factor", 0.5),
    (layers.RandomTranslation, {**PAIR, "seed": 1}, "width_factor", [-0.5, -0.5]),
    (layers.RandomTranslation, {**PAIR, "seed": 1}, "fill_mode", "nearest"),
    (layers.RandomTranslation, {**PAIR, "seed": 1}, "interpolation", "nearest"),
    (layers.RandomTranslation, {**PAIR, "seed": 1}, "fill_value", 3),
    (
        layers.RandomTranslation,
        {"height_factor": 0.2, "width_factor": 0.3, "seed": 1},
        "seed",
        2,
    ),
    (layers.RandomRotation, {"factor": 0.1, "seed": 1}, "factor", 0.3),
    (layers.RandomRotation, {"factor": 0.1, "seed": 1}, "factor", [0.25, 0.25]),
    (layers.RandomRotation, {"factor": 0.1, "seed": 1}, "seed", 2),
    (layers.RandomZoom, {**PAIR, "seed": 1}, "height_factor", (-0.5, -0.5)),
    (layers.RandomZoom, {**PAIR, "seed": 1}, "width_factor", 0.5),
    (layers.RandomZoom, {**PAIR, "seed": 1}, "width_factor", None),
    (layers.RandomZoom, {"height_factor": 0.5, "seed": 1}, "seed", 2),
    (layers.RandomBrightness, {"factor": 0.1, "seed": 1}, "factor", 0.3),
    (layers.RandomBrightness, {"factor": 0.3, "seed": 1}, "value_range", [-1, 1]),
    (layers.RandomBrightness, {"factor": 0.3, "seed": 1}, "seed", 2),
    (layers.RandomContrast, {"factor": 0.1, "seed": 1}, "factor", 0.3),
    (layers.RandomContrast, {"factor": 0.3, "seed": 1}, "value_range", [1, -1]),
    (layers.RandomContrast, {"factor": 0.3, "seed": 1}, "seed", 2),
    (layers.ZeroPadding2D, {}, "padding", 2),
    (layers.Cropping2D, {"cropping": 1}, "cropping", ((0, 1), (2, 0))),
    (layers.UpSampling2D, {}, "size", 3),
    (layers.UpSampling2D, {}, "interpolation", "Bilinear"),
    (layers.MaxPooling1D, {"pool_size": 2, "strides": 2}, "pool_size", 3),
    (layers.AveragePooling1D, {"pool_size": 2, "strides": 2}, "pool_size", 3),
    (layers.MaxPooling2D, {"strides": 2}, "pool_size", 3),
    (layers.MaxPooling2D, {"strides": 2}, "pool_size", [1, 3]),
    (layers.MaxPooling2D, {}, "strides", 1),
    (layers.MaxPooling2D, {"pool_size": 3, "strides": 1}, "strides", None),
    (layers.MaxPooling2D, {"pool_size": 4}, "padding", "SAME"),
    (layers.AveragePooling2D, {"pool_size": 2, "strides": 2}, "pool_size", 3),
    (layers.GlobalMaxPooling1D, {}, "keepdims", True),
    (layers.GlobalMaxPooling2D, {}, "keepdims", True),
    (layers.GlobalAveragePooling1D, {}, "keepdims", True),
    (layers.GlobalAveragePooling2D, {}, "keepdims", True),
    (layers.Conv1D, {"filters": 2, "kernel_size": 3}, "padding", "Causal"),
    (layers.Conv2D, {"filters": 2, "kernel_size": 3}, "strides", 2),
    (layers.Conv2D, {"filters": 2, "kernel_size": 3}, "dilation_rate", [2, 1]),
    (layers.Conv2D, {"filters": 2, "kernel_size": 3}, "padding", "same"),
    (layers.DepthwiseConv2D, {"kernel_size": 3}, "strides", 2),
    (layers.SeparableConv2D, {"filters": 2, "kernel_size": 3}, "strides", 2),
    (layers.Conv2DTranspose, {"filters": 2, "kernel_size": 3}, "strides", 2),
    (layers.BatchNormalization, {}, "epsilon", 0.5),
    (layers.BatchNormalization, MOVED, "center", False),
    (layers.BatchNormalization, MOVED, "scale", False),
    (layers.LayerNormalization, {}, "epsilon", 0.5),
    (layers.LayerNormalization, MOVED, "center", False),
    (layers.GroupNormalization, {"groups": 2}, "groups", 4),
    (layers.GroupNormalization, {"groups": 2, **MOVED}, "scale", False),
]


def called(layer, model, x):
    return layer(x, training=True) if layer._takes_training else layer(x)


def predicted(layer, model, x):
    return model.predict(x, verbose=0)


def made(layer_type, arguments, x):
    """A layer, and a model of it; two of the same arguments have the same weights and draws."""
    dlnative.utils.set_random_seed(3)
    layer = layer_type(**arguments)
    return layer, dlnative.Sequential([dlnative.Input(x.shape[1:]), layer])


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("run", [called, predicted])
@pytest.mark.parametrize(
    ("layer_type", "arguments", "option", "value"),
    LAYERS,
    ids=[f"{row[0].__name__} {row[2]} {getattr(row[3], '__name__', row[3])}" for row in LAYERS],
)
def test_an_option_of_a_layer_counts(layer_type, arguments, option, value, run, engine):
    x = STEPS if "1D" in layer_type.__name__ else IMAGES
    with dlnative.engine(engine):
        changed, unchanged = (made(layer_type, arguments, x) for _ in range(2))
        fresh = made(layer_type, {**arguments, option: value}, x)
        # The second call draws anew: all three are called twice.
        before = [run(*each, x) for each in (changed, unchanged, fresh)]
        setattr(changed[0], option, value)
        after = [run(*each, x) for each in (changed, fresh, unchanged)]
    np.testing.assert_array_equal(before[0], before[1])
    np.testing.assert_array_equal(after[0], after[1])
    if run is called:
        assert not np.array_equal(after[0], after[2])
    assert changed[0].get_config()[option] == fresh[0].get_config()[option]


WRONG = [
    (layers.Softmax, {}, "axis", [], ValueError),
    (layers.Softmax, {}, "axis", 1.0, TypeError),
    (layers.Flatten, {}, "data_format", "first", ValueError),
    (layers.Dropout, {"rate": 0.5}, "rate", 1.5, ValueError),
    (layers.Dropout, {"rate": 0.5}, "rate", float("nan"), ValueError),
    (layers.Dropout, {"rate": 0.5}, "rate", "0.5", TypeError),
    (layers.Dropout, {"rate": 0.5}, "seed", 1.5, TypeError),
    (layers.Dropout, {"rate": 0.5}, "noise_shape", (0, 1), ValueError),
    (layers.RandomFlip, {}, "seed", True, TypeError),
    (layers.RandomFlip, {}, "mode", "diagonal", ValueError),
    (layers.RandomCrop, {"height": 3, "width": 3}, "height", 0, ValueError),
    (layers.RandomTranslation, PAIR, "height_factor", 1.5, ValueError),
    (layers.RandomTranslation, PAIR, "width_factor", "0.5", TypeError),
    (layers.RandomTranslation, PAIR, "data_format", "channels_second", ValueError),
    (layers.RandomRotation, {"factor": 0.1}, "factor", (0, 1, 2), ValueError),
    (layers.RandomRotation, {"factor": 0.1}, "fill_mode", "mirror", ValueError),
    (layers.RandomZoom, PAIR, "width_factor", -1, ValueError),
    (layers.RandomBrightness, {"factor": 0.1}, "value_range", 255, ValueError),
    (layers.RandomContrast, {"factor": 0.1}, "factor", (-0.5, -0.5), ValueError),
    (layers.MaxPooling2D, {}, "pool_size", 0, ValueError),
    (layers.MaxPooling2D, {}, "strides", (1, 2, 3), ValueError),
    (layers.MaxPooling2D, {}, "padding", "full", ValueError),
    (layers.AveragePooling1D, {"pool_size": 2}, "data_format", "first", ValueError),
    (layers.GlobalMaxPooling2D, {}, "data_format", "channels", ValueError),
    (layers.Conv2D, {"filters": 2, "kernel_size": 3}, "strides", "2", TypeError),
    (layers.Conv2D, {"filters": 2, "kernel_size": 3}, "padding", "causal", ValueError),
    (layers.UpSampling2D, {}, "interpolation", "cubic", ValueError),
    (layers.ZeroPadding2D, {}, "padding", -1, ValueError),
]


@pytest.mark.parametrize(
    ("layer_type", "arguments", "option", "value", "error"),
    WRONG,
    ids=[f"{row[0].__name__} {row[2]} {row[3]}" for row in WRONG],
)
def test_a_wrong_option_of_a_layer_is_refused_and_the_old_one_stays(
    layer_type, arguments, option, value, error
):
    layer = layer_type(**arguments)
    before = layer.get_config()
    with pytest.raises(error, match=f"{layer_type.__name__} '{layer.name}': .*{option}"):
        setattr(layer, option, value)
    assert layer.get_config() == before


def test_strides_stay_when_pool_size_changes(keras):
    for library in (dlnative, keras):
        layer = library.layers.MaxPooling2D(2)
        layer.pool_size = (3, 3)
        assert tuple(layer.strides) == (2, 2)


def test_a_weight_that_a_normalization_was_built_without():
    layer = layers.LayerNormalization(center=False)
    layer(STEPS)
    layer.center = True
    with pytest.raises(ValueError, match="center is True, but there is no weight for it"):
        layer(STEPS)


def test_a_seed_of_ones_own_and_one_from_the_stream():
    layer = layers.Dropout(0.5)
    own = layer._drawn_seed
    layer.seed = None
    assert layer._drawn_seed == own
    layer.seed = 5
    first = layer(IMAGES, training=True)
    np.testing.assert_array_equal(first, layers.Dropout(0.5, seed=5)(IMAGES, training=True))
    layer.seed = None
    assert layer._drawn_seed not in (own, 5)
    assert layer.get_config()["seed"] is None


@pytest.mark.parametrize("seed", [4, None])
def test_a_seed_set_between_epochs_counts(seed):
    """In the training program, too: the same as a model of that seed from the start."""
    x, y = IMAGES.reshape(2, -1), np.ones((2, 1), "float32")

    def model_of(seed):
        model = dlnative.Sequential(
            [
                dlnative.Input((144,)),
                layers.Dropout(0.5, seed=seed),
                layers.Dense(1, kernel_initializer="ones"),
            ]
        )
        model.compile(dlnative.optimizers.SGD(0.0), "mse")
        return model

    changed, fresh, unchanged = model_of(1), model_of(4), model_of(1)
    assert changed.train_on_batch(x, y) == unchanged.train_on_batch(x, y)
    fresh.train_on_batch(x, y)
    changed.layers[0].seed = seed
    after = [model.train_on_batch(x, y) for model in (changed, fresh, unchanged)]
    assert after[0] != after[2]
    assert (after[0] == after[1]) == (seed == 4)
