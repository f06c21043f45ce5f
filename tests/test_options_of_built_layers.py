"""Whatever the constructor of a layer takes, set on a built layer it counts or it raises."""

from __future__ import annotations

import copy
import inspect
import pickle
import zlib

import numpy as np
import pytest

import dlnative
from dlnative import constraints, layers, regularizers

RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((4, 6, 6, 4)).astype("float32")
RGB = IMAGES[:, :3, :, :3]  # of as many rows as channels
STEPS = IMAGES[:, 0]
ROWS = IMAGES[:, 0, 0]


def _power(x, power):
    return x**power


PAIR = {"height_factor": 0.2, "width_factor": 0.3}

# Every class: what it is made with, and what it is called on.
MADE = {
    layers.Activation: ({"activation": "tanh"}, ROWS),
    layers.AdaptiveAveragePooling1D: ({"output_size": 2}, STEPS),
    layers.AdaptiveAveragePooling2D: ({"output_size": 2}, IMAGES),
    layers.AdaptiveMaxPooling1D: ({"output_size": 2}, STEPS),
    layers.AdaptiveMaxPooling2D: ({"output_size": 2}, IMAGES),
    layers.ActivityRegularization: ({"l1": 0.1, "l2": 0.1}, ROWS),
    layers.Add: ({}, [ROWS, ROWS]),
    layers.AlphaDropout: ({"rate": 0.5, "seed": 1}, IMAGES),
    layers.AugMix: ({"num_chains": 2, "chain_depth": 1, "seed": 1}, RGB),
    layers.AutoContrast: ({}, RGB),
    layers.Average: ({}, [ROWS, ROWS]),
    layers.AveragePooling1D: ({"pool_size": 2, "strides": 2}, STEPS),
    layers.AveragePooling2D: ({"pool_size": 2, "strides": 2}, IMAGES),
    layers.BatchNormalization: ({}, ROWS),
    layers.Concatenate: ({}, [IMAGES, IMAGES]),
    layers.ContrastLimitedAdaptiveHistogramEqualization: (
        {"value_range": (-2, 2), "tile_grid_size": (1, 2), "clip_limit": 40.0},
        RGB,
    ),
    layers.Conv1D: ({"filters": 4, "kernel_size": 3}, STEPS),
    layers.Conv1DTranspose: ({"filters": 2, "kernel_size": 3, "strides": 2}, STEPS),
    layers.Conv2D: ({"filters": 4, "kernel_size": 3}, IMAGES),
    layers.Conv2DTranspose: ({"filters": 2, "kernel_size": 3, "strides": 2}, IMAGES),
    layers.Cropping1D: ({"cropping": 1}, STEPS),
    layers.Cropping2D: ({"cropping": 1}, IMAGES),
    layers.CutMix: ({"seed": 1}, IMAGES),
    layers.Dense: ({"units": 3}, ROWS),
    layers.DepthwiseConv1D: ({"kernel_size": 3}, STEPS),
    layers.DepthwiseConv2D: ({"kernel_size": 3}, IMAGES),
    layers.Dot: ({"axes": 2}, [STEPS, STEPS[:, :4]]),
    layers.Dropout: ({"rate": 0.5, "seed": 1}, IMAGES),
    layers.ELU: ({}, ROWS),
    layers.Embedding: ({"input_dim": 7, "output_dim": 4}, np.arange(12).reshape(4, 3) % 7),
    layers.Equalization: ({"value_range": (-2, 2)}, RGB),
    layers.Flatten: ({}, IMAGES),
    layers.GaussianDropout: ({"rate": 0.5, "seed": 1}, IMAGES),
    layers.GaussianNoise: ({"stddev": 0.5, "seed": 1}, IMAGES),
    layers.GlobalAveragePooling1D: ({}, STEPS),
    layers.GlobalAveragePooling2D: ({}, IMAGES),
    layers.GlobalMaxPooling1D: ({}, STEPS),
    layers.GlobalMaxPooling2D: ({}, IMAGES),
    layers.GroupNormalization: ({"groups": 2}, IMAGES),
    layers.Identity: ({}, ROWS),
    layers.Lambda: ({"function": _power, "arguments": {"power": 2}}, ROWS),
    layers.LayerNormalization: ({}, ROWS),
    layers.LeakyReLU: ({}, ROWS),
    layers.MaxPooling1D: ({"pool_size": 2, "strides": 2}, STEPS),
    layers.MaxPooling2D: ({"pool_size": 2, "strides": 2}, IMAGES),
    layers.Maximum: ({}, [ROWS, STEPS[:, 1]]),
    layers.Minimum: ({}, [ROWS, STEPS[:, 1]]),
    layers.MixUp: ({"seed": 1}, RGB),
    layers.Multiply: ({}, [ROWS, ROWS]),
    layers.PReLU: ({}, STEPS),
    layers.Permute: ({"dims": (2, 1, 3)}, IMAGES),
    layers.Pipeline: ({"layers": [layers.Dense(3)]}, ROWS),
    layers.RMSNormalization: ({}, ROWS),
    layers.RandomBrightness: ({"factor": 0.2, "value_range": (0, 1), "seed": 1}, IMAGES),
    layers.RandAugment: ({"num_ops": 1, "seed": 1}, RGB),
    layers.RandomColorDegeneration: ({"factor": 0.2, "value_range": (0, 1), "seed": 1}, RGB),
    layers.RandomColorJitter: (
        {"brightness_factor": 0.2, "hue_factor": 0.2, "value_range": (0, 1), "seed": 1},
        RGB,
    ),
    layers.RandomContrast: ({"factor": 0.2, "value_range": (0, 1), "seed": 1}, IMAGES),
    layers.RandomCrop: ({"height": 5, "width": 5, "seed": 1}, IMAGES),
    layers.RandomElasticTransform: ({"value_range": (0, 1), "seed": 1}, RGB),
    layers.RandomErasing: ({"value_range": (0, 1), "seed": 1}, RGB),
    layers.RandomFlip: ({"seed": 1}, IMAGES),
    layers.RandomGaussianBlur: ({"value_range": (0, 1), "seed": 1}, RGB),
    layers.RandomGrayscale: ({"seed": 1}, RGB),
    layers.RandomHue: ({"factor": 0.2, "value_range": (0, 1), "seed": 1}, RGB),
    layers.RandomInvert: ({"factor": (0.5, 0.5), "seed": 1}, RGB),
    layers.RandomPerspective: ({"seed": 1}, RGB),
    layers.RandomPosterization: ({"factor": 8, "value_range": (-3, 3), "seed": 1}, RGB),
    layers.RandomRotation: ({"factor": 0.2, "seed": 1}, IMAGES),
    layers.RandomSaturation: ({"factor": 0.2, "value_range": (0, 1), "seed": 1}, RGB),
    layers.RandomSharpness: ({"factor": 0.2, "value_range": (0, 1), "seed": 1}, RGB),
    layers.RandomShear: ({"x_factor": 0.2, "seed": 1}, RGB),
    layers.RandomTranslation: ({**PAIR, "seed": 1}, IMAGES),
    layers.RandomZoom: ({**PAIR, "seed": 1}, IMAGES),
    layers.ReLU: ({}, ROWS),
    layers.Rescaling: ({"scale": 2.0}, ROWS),
    layers.RepeatVector: ({"n": 2}, ROWS),
    layers.Reshape: ({"target_shape": (-1,)}, IMAGES),
    layers.SeparableConv1D: ({"filters": 4, "kernel_size": 3}, STEPS),
    layers.SeparableConv2D: ({"filters": 4, "kernel_size": 3}, IMAGES),
    layers.Softmax: ({}, STEPS),
    layers.Solarization: (
        {"addition_factor": 0.5, "threshold_factor": 0.5, "value_range": (0, 1), "seed": 1},
        RGB,
    ),
    layers.SpatialDropout1D: ({"rate": 0.5, "seed": 1}, STEPS),
    layers.SpatialDropout2D: ({"rate": 0.5, "seed": 1}, IMAGES),
    layers.SpectralNormalization: ({"layer": layers.Dense(3)}, ROWS),
    layers.Subtract: ({}, [ROWS, STEPS[:, 1]]),
    layers.UnitNormalization: ({}, STEPS),
    layers.UpSampling1D: ({}, STEPS),
    layers.UpSampling2D: ({}, IMAGES),
    layers.ZeroPadding1D: ({}, STEPS),
    layers.ZeroPadding2D: ({}, IMAGES),
}

# What is set: by the name of the argument, or of the class and the argument.
VALUES = {
    "activation": "sigmoid",
    "addition_factor": 0.25,
    "arguments": {"power": 3},
    "function": lambda x, power: x * power,
    "mask": np.ones(4),
    "output_shape": (5,),
    "all_ops": False,
    "alpha": 0.5,
    "axes": (2, 1),
    "axis": 1,
    "bins": 4,
    "brightness_factor": 0.5,
    "center": False,
    "chain_depth": 2,
    "clip_limit": 0.5,
    "contrast_factor": 0.5,
    "cropping": 2,
    "data_format": "channels_first",
    "depth_multiplier": 2,
    "dilation_rate": 2,
    "dims": (3, 1, 2),
    "dtype": "float64",
    "epsilon": 0.5,
    "factor": 0.4,
    "fill_mode": "constant",
    "fill_value": 3.0,
    "filters": 8,
    "groups": 4,
    "height": 4,
    "height_factor": 0.5,
    "input_dim": 5,
    "hue_factor": 0.5,
    "interpolation": "nearest",
    "keepdims": True,
    "kernel_size": 2,
    "l1": 0.5,
    "l2": 0.5,
    "layer": layers.Dense(5),
    "layers": [layers.Dense(5)],
    "lora_alpha": 5.0,
    "lora_rank": 2,
    "mask_zero": True,
    "max_value": 0.5,
    "mode": "horizontal",
    "momentum": 0.5,
    "n": 3,
    "negative_slope": 0.5,
    "noise_shape": (None, 1, 1, None),
    "normalize": True,
    "num_chains": 3,
    "num_ops": 3,
    "offset": 1.0,
    "output_dim": 5,
    "output_padding": 1,
    "output_size": 3,
    "padding": "same",
    "padding_mode": "reflect",
    "pool_size": 3,
    "rate": 0.25,
    "power_iterations": 3,
    "quantization_config": "int8",
    "renorm": True,
    "renorm_clipping": {"rmax": 1.0, "dmax": 0.0},
    "renorm_momentum": 0.25,
    "rms_scaling": True,
    "saturation_factor": 0.5,
    "scale": False,
    "seed": 3,
    "shared_axes": [1],
    "sigma": 0.25,
    "size": 3,
    "stddev": 0.25,
    "strides": 3,
    "synchronized": True,
    "target_shape": (12, 12),
    "threshold": 0.5,
    "threshold_factor": 0.25,
    "tile_grid_size": (2, 1),
    "trainable": False,
    "units": 5,
    "use_bias": False,
    "value_range": (-1, 1),
    "weights": [np.ones((7, 4))],
    "width": 4,
    "width_factor": 0.5,
    "x_factor": 0.5,
    "y_factor": 0.5,
    "GroupNormalization axis": 2,
    "LayerNormalization axis": [1],
    "RandomCrop padding": 2,
    "RandomElasticTransform scale": 0.5,
    "RandomGrayscale factor": 0.0,
    "RandomErasing fill_value": 0.5,
    "RandomErasing scale": 0.5,
    "RandomInvert factor": 0.0,
    "RandomInvert value_range": (0, 2),
    "RandomGaussianBlur kernel_size": 5,
    "RandomPerspective scale": 0.5,
    "RandomPosterization factor": 4,
    "Rescaling scale": 3.0,
    "UpSampling2D interpolation": "bilinear",
    "ZeroPadding1D padding": 2,
    "ZeroPadding2D padding": 2,
}
# These change each value alone, or whole images.
WITHOUT_EFFECT = [
    f"{kind} data_format"
    for kind in (
        *("MixUp", "RandomBrightness", "RandomInvert", "RandomPosterization"),
        "Solarization",
    )
]
# Beside what an argument has an effect.
WITH = {
    "BatchNormalization renorm_clipping": {"renorm": True},
    "Dense lora_alpha": {"lora_rank": 2},
    "Embedding lora_alpha": {"lora_rank": 2},
    "BatchNormalization renorm_momentum": {"renorm": True},
    "RandomCrop padding_mode": {"padding": 2},
    **{
        f"Random{kind} fill_value": {"fill_mode": "constant"}
        for kind in ("ElasticTransform", "Rotation", "Shear", "Translation", "Zoom")
    },
    **{
        f"{kind}Pooling{n}D padding": {"pool_size": 4}
        for kind in ("Average", "Max")
        for n in (1, 2)
    },
}


def value_of(cls, name):
    if name.endswith("_initializer"):
        return "random_normal"
    if name.endswith("_regularizer"):
        return regularizers.L2(0.5)
    if name.endswith("_constraint"):
        return constraints.MaxNorm(0.1)
    return VALUES.get(f"{cls.__name__} {name}", VALUES.get(name))


def arguments_of(cls):
    """The arguments of a constructor and of those that get its keywords."""
    found = {}
    for base in cls.__mro__:
        if "__init__" not in vars(base):
            continue
        parameters = list(inspect.signature(base.__init__).parameters.values())[1:]
        found.update(
            (p.name, p) for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
        )
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    left = ["name", "autocast"]
    if "Spatial" in cls.__name__:
        left.append("noise_shape")  # of Dropout, which gets it from this class
    if cls is layers.ActivityRegularization:
        left.append("activity_regularizer")  # of Layer, which gets it from this class
    # As in Keras that given to a wrapper's constructor leaves the layer inside as it is.
    if issubclass(cls, layers.Wrapper) or not model_of(cls, MADE[cls][0])[0].weights:
        left.append("trainable")
    left += [n for n in found if f"{cls.__name__} {n}" in WITHOUT_EFFECT]
    return [name for name in found if name not in left]


def model_of(cls, arguments):
    """A layer in a functional model, whose weights and draws are always the same."""
    dlnative.utils.set_random_seed(3)
    x = MADE[cls][1]
    several = isinstance(x, list)
    inputs = [dlnative.Input(each.shape[1:]) for each in (x if several else [x])]
    layer = cls(**copy.deepcopy(arguments))  # also the layers among them
    y = layer(inputs if several else inputs[0])
    model = dlnative.Model(inputs, y)
    for weight in model.weights:
        values = np.random.default_rng(zlib.crc32(weight.name.encode()))
        weight.assign(values.uniform(0.2, 1.0, weight.shape))
    return model, layer


CASES = [(cls, name) for cls in MADE for name in arguments_of(cls)]


def trained(cls, arguments, change=None):
    """What a layer gives, and its weights after a step of training."""
    model, layer = model_of(cls, arguments)
    x = MADE[cls][1]

    def call():
        layer.__dict__["_eager_steps"] = 0
        return layer(x, training=True) if layer._takes_training else layer(x)

    weights = model.get_weights()
    if change is not None:
        call()
        model.set_weights(weights)
        setattr(layer, *change)
    y = call()
    model.set_weights(weights)
    model.compile(dlnative.optimizers.SGD(0.1), lambda t, p: dlnative.ops.mean(p * p, axis=-1))
    zeros = np.zeros(model.predict(x, verbose=0).shape, "float32")
    loss = model.test_on_batch(x, zeros)
    if model.trainable_weights:
        model.train_on_batch(x, zeros)
    return [y, loss, *(w.numpy() for w in model.weights)]


def refused(layer, name, value):
    """The message with which a layer refuses an option, None where it takes it."""
    try:
        setattr(layer, name, value)
    except (AttributeError, RuntimeError, ValueError) as error:
        return str(error)
    return None


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize(("cls", "name"), CASES, ids=[f"{c.__name__} {n}" for c, n in CASES])
def test_an_argument_set_on_a_built_layer_counts_or_raises(cls, name, engine):
    value = value_of(cls, name)
    assert value is not None, "a new argument needs a value here"
    before = {**MADE[cls][0], **WITH.get(f"{cls.__name__} {name}", {})}
    with dlnative.engine(engine):
        layer = model_of(cls, before)[1]
        config = layer.get_config()
        refusal = refused(layer, name, value)
        if refusal is not None:
            assert name in refusal
            assert layer.get_config() == config
            return
        changed = trained(cls, before, change=(name, value))
        fresh = trained(cls, {**before, name: value})
        unchanged = trained(cls, before)
    if len(changed) > len(fresh):  # a fresh layer has no weight where there is none in use
        changed, fresh, unchanged = changed[:1], fresh[:1], unchanged[:1]
    for a, b in zip(changed, fresh, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(not np.array_equal(a, b) for a, b in zip(changed, unchanged, strict=True))


def test_every_layer_is_here():
    public = {getattr(layers, name) for name in layers.__all__}
    public = {cls for cls in public if isinstance(cls, type) and issubclass(cls, layers.Layer)}
    assert public - set(MADE) == {
        layers.Layer,
        layers.InputLayer,
        layers.OpLayer,
        layers.Wrapper,  # a base, without a call
    }


FIXED = {
    layers.Conv2D: ("filters", "kernel_size", "groups", "use_bias", "kernel_initializer"),
    layers.Dense: ("units", "use_bias", "bias_initializer"),
    layers.DepthwiseConv2D: ("kernel_size", "depth_multiplier", "depthwise_initializer"),
    layers.SeparableConv2D: ("filters", "pointwise_initializer"),
    layers.Conv2DTranspose: ("filters", "kernel_size"),
    layers.BatchNormalization: ("axis", "gamma_initializer", "moving_mean_initializer"),
    layers.LayerNormalization: ("axis",),
    layers.PReLU: ("shared_axes", "alpha_initializer"),
}


@pytest.mark.parametrize(("cls", "name"), [(cls, n) for cls, names in FIXED.items() for n in names])
def test_what_weights_were_made_with_is_fixed(cls, name):
    layer = cls(**MADE[cls][0])
    first = getattr(layer, name)
    setattr(layer, name, value_of(cls, name))
    setattr(layer, name, first)
    layer(MADE[cls][1])
    setattr(layer, name, first)
    with pytest.raises(
        AttributeError, match=f"{cls.__name__} '{layer.name}': {name} is fixed once"
    ):
        setattr(layer, name, value_of(cls, name))
    assert getattr(layer, name) is first or getattr(layer, name) == first


def test_arguments_of_which_nothing_is_kept():
    layer = layers.InputLayer((3,))
    for name in ("shape", "batch_size"):
        with pytest.raises(AttributeError, match=f"{name} is an argument of the constructor"):
            setattr(layer, name, (4,))
    with pytest.raises(AttributeError, match="batch_shape is fixed"):
        layer.batch_shape = (None, 4)


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("name", ["kernel_regularizer", "kernel_constraint", "bias_regularizer"])
def test_a_penalty_or_constraint_set_after_training_counts(name, engine):
    """From the next step on; it is that of the weight, and of copies and configurations."""
    value = value_of(layers.Dense, name)

    def model_with(**options):
        dlnative.utils.set_random_seed(3)
        model = dlnative.Sequential([dlnative.Input((4,)), layers.Dense(3, **options)])
        model.compile(dlnative.optimizers.SGD(0.1), "mse")
        return model

    y = np.ones((4, 3), "float32")
    with dlnative.engine(engine):
        changed, fresh, unchanged = model_with(), model_with(**{name: value}), model_with()
        for model in (changed, unchanged):
            model.train_on_batch(ROWS, y)
        setattr(changed.layers[0], name, value)
        fresh.set_weights(changed.get_weights())
        copied = pickle.loads(pickle.dumps(changed))
        for model in (changed, fresh, unchanged, copied):
            model.train_on_batch(ROWS, y)
    layer = changed.layers[0]
    part, _, kind = name.rpartition("_")
    assert getattr(layer, name) is getattr(getattr(layer, part), kind) is value
    assert layer.get_config()[name] == fresh.layers[0].get_config()[name]
    for a, b, c in zip(*(m.get_weights() for m in (changed, fresh, copied)), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(c, b)
    assert (
        not np.array_equal(changed.get_weights()[0], unchanged.get_weights()[0]) or part == "bias"
    )
    setattr(getattr(layer, part), kind, None)
    assert getattr(layer, name) is None


def test_strides_set_in_a_functional_model():
    """The layers behind get the images that there are now, or say that they do not fit."""

    def model_with(strides, *behind):
        dlnative.utils.set_random_seed(3)
        inputs = dlnative.Input(IMAGES.shape[1:])
        conv = layers.Conv2D(2, 3, strides=strides)
        y = conv(inputs)
        for layer in behind:
            y = layer(y)
        return dlnative.Model(inputs, y), conv

    changed, conv = model_with(1, layers.GlobalAveragePooling2D(), layers.Dense(1))
    changed.predict(IMAGES, verbose=0)
    conv.strides = 2
    fresh, _ = model_with(2, layers.GlobalAveragePooling2D(), layers.Dense(1))
    fresh.set_weights(changed.get_weights())
    np.testing.assert_array_equal(
        changed.predict(IMAGES, verbose=0), fresh.predict(IMAGES, verbose=0)
    )
    changed, conv = model_with(1, layers.Flatten(), layers.Dense(1, name="head"))
    conv.strides = 2
    with pytest.raises(ValueError, match=r"Dense 'head': expected input of shape \(batch, 32\)"):
        changed.predict(IMAGES, verbose=0)
