"""Layers and activations against Keras: the same numbers and the same configurations."""

from __future__ import annotations

import functools
import inspect
import warnings

import numpy as np
import pytest
from names import LAYERS_LACK

import dlnative
from dlnative import layers

# Of rms_scaling and alpha, which are deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:.*(rms_scaling|alpha|mask)")


def values(*shape, seed=0):
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape).astype("float32")


X = (5, 4, 6)
LINE = (5, 9, 6)
IMAGE = (2, 9, 6, 4)
FIRST = "channels_first"
INDICES = (5, 4)
RENORM = {"renorm": True, "momentum": 0.5, "renorm_momentum": 0.75}
CLIPPED = {**RENORM, "renorm_clipping": {"rmin": 0.9, "rmax": 1.2, "dmax": 0.1}}
PAIRS = [  # how to make the layer, shapes of its inputs
    (lambda k: k.layers.Dense(7), [(5, 6)]),
    (lambda k: k.layers.Dense(7, use_bias=False, activation="tanh"), [(5, 6)]),
    (lambda k: k.layers.Dense(7, bias_initializer="ones", activation="relu"), [X]),
    (lambda k: k.layers.Dense(3, activation="softmax"), [X]),
    (lambda k: k.layers.Activation("gelu"), [X]),
    (lambda k: k.layers.ReLU(), [X]),
    (lambda k: k.layers.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.2), [X]),
    (lambda k: k.layers.LeakyReLU(), [X]),
    (lambda k: k.layers.LeakyReLU(0.1), [X]),
    (lambda k: k.layers.ELU(), [X]),
    (lambda k: k.layers.ELU(0.5), [X]),
    (lambda k: k.layers.PReLU(alpha_initializer="ones"), [X]),
    (lambda k: k.layers.PReLU(alpha_initializer="ones", shared_axes=[1]), [X]),
    (lambda k: k.layers.Softmax(), [X]),
    (lambda k: k.layers.Softmax(axis=1), [X]),
    (lambda k: k.layers.Softmax(axis=[1]), [X]),
    (lambda k: k.layers.Flatten(), [X]),
    (lambda k: k.layers.Flatten(data_format="channels_first"), [X]),
    (lambda k: k.layers.Flatten(), [(5,)]),
    (lambda k: k.layers.Reshape((3, 8)), [X]),
    (lambda k: k.layers.Reshape((-1, 2, 2)), [X]),
    (lambda k: k.layers.Permute((2, 1)), [X]),
    (lambda k: k.layers.Rescaling(2.0, offset=-1.0), [X]),
    (lambda k: k.layers.Rescaling([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], offset=0.5), [X]),
    (lambda k: k.layers.Dropout(0.5), [X]),
    (lambda k: k.layers.Identity(), [X]),
    (lambda k: k.layers.Add(), [X, X, X]),
    (lambda k: k.layers.Add(), [X, (5, 1, 6)]),
    (lambda k: k.layers.Add(), [X, (5, 6)]),
    (lambda k: k.layers.Subtract(), [X, X]),
    (lambda k: k.layers.Multiply(), [X, X]),
    (lambda k: k.layers.Average(), [X, X, X]),
    (lambda k: k.layers.Concatenate(), [X, (5, 4, 2)]),
    (lambda k: k.layers.Concatenate(axis=1), [X, (5, 3, 6), X]),
    (lambda k: k.layers.Maximum(), [X, X, (5, 1, 6)]),
    (lambda k: k.layers.Minimum(), [X, X, (5, 6)]),
    (lambda k: k.layers.Dot(1), [(5, 6), (5, 6)]),
    (lambda k: k.layers.Dot(-1, normalize=True), [(5, 6), (5, 6)]),
    (lambda k: k.layers.Dot(2), [X, (5, 3, 6)]),
    (lambda k: k.layers.Dot((1, 2)), [X, (5, 3, 4)]),
    (lambda k: k.layers.Dot([2, 1], normalize=True), [X, (5, 6)]),
    (lambda k: k.layers.Dot((1, -2)), [(5, 6), (5, 2, 6, 3)]),
    (lambda k: k.layers.Dot((2, 3)), [(5, 2, 6, 3), (5, 1, 4, 6)]),
    (lambda k: k.layers.DepthwiseConv1D(3), [LINE]),
    (lambda k: k.layers.DepthwiseConv1D(4, depth_multiplier=2, activation="relu"), [LINE]),
    (lambda k: k.layers.DepthwiseConv1D(3, 2, "same", use_bias=False), [LINE]),
    (lambda k: k.layers.DepthwiseConv1D(3, padding="same", dilation_rate=3), [LINE]),
    (lambda k: k.layers.DepthwiseConv1D(1, bias_initializer="ones"), [(1, 1, 1)]),
    (lambda k: k.layers.SeparableConv1D(3, 3), [LINE]),
    (lambda k: k.layers.SeparableConv1D(3, 2, 3, "same", depth_multiplier=2), [LINE]),
    (lambda k: k.layers.SeparableConv1D(3, 2, dilation_rate=2, activation="tanh"), [LINE]),
    (lambda k: k.layers.DepthwiseConv2D(3, 2, "same", activation="relu"), [IMAGE]),
    (lambda k: k.layers.SeparableConv2D(3, 2, (2, 2), "same"), [IMAGE]),
    (lambda k: k.layers.AdaptiveAveragePooling1D(3), [LINE]),
    (lambda k: k.layers.AdaptiveAveragePooling1D(4), [LINE]),
    (lambda k: k.layers.AdaptiveAveragePooling1D((12,)), [LINE]),
    (lambda k: k.layers.AdaptiveMaxPooling1D(9), [LINE]),
    (lambda k: k.layers.AdaptiveMaxPooling1D(5), [LINE]),
    (lambda k: k.layers.AdaptiveAveragePooling2D(3), [IMAGE]),
    (lambda k: k.layers.AdaptiveAveragePooling2D((3, 4)), [IMAGE]),
    (lambda k: k.layers.AdaptiveMaxPooling2D((2, 3)), [IMAGE]),
    (lambda k: k.layers.AdaptiveMaxPooling2D((1, 4)), [IMAGE]),
    (lambda k: k.layers.Cropping1D(), [LINE]),
    (lambda k: k.layers.Cropping1D((0, 3)), [LINE]),
    (lambda k: k.layers.Cropping1D([3, 0]), [LINE]),
    (lambda k: k.layers.ZeroPadding1D(2), [LINE]),
    (lambda k: k.layers.ZeroPadding1D((0, 3)), [LINE]),
    (lambda k: k.layers.UpSampling1D(), [LINE]),
    (lambda k: k.layers.UpSampling1D(3), [LINE]),
    (lambda k: k.layers.RepeatVector(3), [(5, 6)]),
    (lambda k: k.layers.RepeatVector(1), [(1, 1)]),
    (lambda k: k.layers.Embedding(7, 3), [INDICES]),
    (lambda k: k.layers.Embedding(7, 3, "ones", "l2", "unit_norm"), [(5,)]),
    (lambda k: k.layers.Embedding(7, 1, activity_regularizer=k.regularizers.L1(0.5)), [(2, 3, 4)]),
    (lambda k: k.layers.UnitNormalization(), [X]),
    (lambda k: k.layers.UnitNormalization(axis=1), [X]),
    (lambda k: k.layers.UnitNormalization(axis=[1, -1]), [X]),
    (lambda k: k.layers.UnitNormalization(axis=0), [X]),
    (lambda k: k.layers.RMSNormalization(), [X]),
    (lambda k: k.layers.RMSNormalization(axis=[2, 1], epsilon=0.1), [X]),
    (lambda k: k.layers.RMSNormalization(axis=-1), [(5, 1)]),
    (lambda k: k.layers.LayerNormalization(axis=[-1, 1]), [X]),
    (lambda k: k.layers.LayerNormalization(axis=[1, -1], rms_scaling=True), [X]),
    (lambda k: k.layers.ActivityRegularization(l1=0.1, l2=0.2), [X]),
    (lambda k: k.layers.ActivityRegularization(l2=0.2), [(5, 6)]),
    (lambda k: k.layers.AlphaDropout(0.5), [X]),
    (lambda k: k.layers.AlphaDropout(0.5, noise_shape=(5, 1, 6), seed=3), [X]),
    (lambda k: k.layers.GaussianDropout(0.5), [X]),
    (lambda k: k.layers.GaussianNoise(0.5, seed=3), [X]),
    (lambda k: k.layers.GaussianNoise(0.0), [X]),
    (lambda k: k.layers.SpectralNormalization(k.layers.Dense(3, name="d")), [(5, 6)]),
    (lambda k: k.layers.SpectralNormalization(k.layers.Conv1D(3, 2, name="c"), 3), [LINE]),
    (lambda k: k.layers.Softmax(axis=[1, 2]), [X]),
    (lambda k: k.layers.BatchNormalization(), [X]),
    (lambda k: k.layers.BatchNormalization(axis=1, momentum=0.5, center=False), [X]),
    (lambda k: k.layers.BatchNormalization(**RENORM), [X]),
    (lambda k: k.layers.BatchNormalization(**CLIPPED), [IMAGE]),
    (lambda k: k.layers.BatchNormalization(1, scale=False, center=False, **CLIPPED), [X]),
    (lambda k: k.layers.LayerNormalization(axis=[1, 2]), [X]),
    (lambda k: k.layers.LayerNormalization(axis=1, rms_scaling=True), [X]),
    (lambda k: k.layers.LayerNormalization(scale=False, rms_scaling=True), [X]),
    (lambda k: k.layers.LeakyReLU(alpha=0.25), [X]),
    (lambda k: k.layers.Conv1D(3, 4, padding="causal", data_format=FIRST), [LINE]),
    (lambda k: k.layers.Conv2D(4, 3, activation="relu", data_format=FIRST), [IMAGE]),
    (lambda k: k.layers.Conv2D(6, (3, 2), 2, "same", FIRST, groups=3), [IMAGE]),
    (lambda k: k.layers.Conv1DTranspose(3, 4, 2, data_format=FIRST), [LINE]),
    (lambda k: k.layers.Conv2DTranspose(3, 2, padding="same", data_format=FIRST), [IMAGE]),
    (lambda k: k.layers.DepthwiseConv1D(4, depth_multiplier=2, data_format=FIRST), [LINE]),
    (lambda k: k.layers.DepthwiseConv2D(3, data_format=FIRST), [IMAGE]),
    (lambda k: k.layers.SeparableConv1D(4, 3, data_format=FIRST), [LINE]),
    (lambda k: k.layers.SeparableConv2D(4, 3, data_format=FIRST, activation="tanh"), [IMAGE]),
    (lambda k: k.layers.MaxPooling1D(2, padding="same", data_format=FIRST), [LINE]),
    (lambda k: k.layers.MaxPooling2D((3, 2), data_format=FIRST), [IMAGE]),
    (lambda k: k.layers.AveragePooling1D(4, data_format=FIRST), [LINE]),
    (lambda k: k.layers.AveragePooling2D((3, 2), 1, "same", FIRST), [IMAGE]),
    (lambda k: k.layers.GlobalMaxPooling1D(FIRST), [LINE]),
    (lambda k: k.layers.GlobalMaxPooling2D(FIRST, keepdims=True), [IMAGE]),
    (lambda k: k.layers.GlobalAveragePooling1D(FIRST, keepdims=True), [LINE]),
    (lambda k: k.layers.GlobalAveragePooling2D(FIRST), [IMAGE]),
    (lambda k: k.layers.AdaptiveMaxPooling1D(3, FIRST), [LINE]),
    (lambda k: k.layers.AdaptiveAveragePooling2D((2, 3), FIRST), [IMAGE]),
    (lambda k: k.layers.ZeroPadding1D(2, FIRST), [LINE]),
    (lambda k: k.layers.ZeroPadding2D(((1, 0), (2, 3)), FIRST), [IMAGE]),
    (lambda k: k.layers.Cropping2D(((1, 0), (2, 1)), FIRST), [IMAGE]),
    (lambda k: k.layers.UpSampling2D((1, 3), FIRST), [IMAGE]),
    (lambda k: k.layers.SpatialDropout2D(0.5, FIRST), [IMAGE]),
    (lambda k: k.layers.Dense(4, lora_rank=2, kernel_regularizer="l2"), [X]),
    (lambda k: k.layers.Dense(4, "relu", False, lora_rank=3), [(5, 6)]),
    (lambda k: k.layers.Conv2D(4, 3, lora_rank=2, activation="relu"), [IMAGE]),
    (lambda k: k.layers.Conv1D(4, 3, lora_rank=1, lora_alpha=2, groups=2), [LINE]),
    (lambda k: k.layers.Embedding(7, 3, lora_rank=2), [INDICES]),
    (lambda k: k.layers.Pipeline([k.layers.Dense(4, name="d")]), [X]),
    (lambda k: k.layers.Pipeline([k.layers.ReLU(name="r"), k.layers.Dropout(0.0, name="o")]), [X]),
]

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    LAYERS = [make(dlnative) for make, _ in PAIRS]
SPECTRAL = [n for n, a in enumerate(LAYERS) if isinstance(a, layers.SpectralNormalization)]
DRAWING = [n for n, layer in enumerate(LAYERS) if hasattr(layer, "seed")]
EVERY = range(len(PAIRS))
OF_INDICES = [n for n, layer in enumerate(LAYERS) if isinstance(layer, layers.Embedding)]


def arrays_of(number):
    """The inputs of a layer: floats, or indices."""
    arrays = [values(*shape, seed=i) for i, shape in enumerate(PAIRS[number][1])]
    if number in OF_INDICES:
        arrays = [np.abs(4 * a).astype("int32") % 7 for a in arrays]
    return arrays


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras with NumPy 2
@pytest.mark.parametrize("number", EVERY)
def test_layer_computes_what_keras_computes(keras, engine, number):
    make, shapes = PAIRS[number]
    ours, theirs = make(dlnative), make(keras)
    arrays = arrays_of(number)
    arrays = arrays[0] if len(arrays) == 1 else arrays
    expected = np.asarray(theirs(arrays))
    ours.build([np.shape(a) for a in arrays] if isinstance(arrays, list) else arrays.shape)
    assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
    ours.set_weights([np.asarray(w) for w in theirs.weights])
    result = ours(arrays)
    assert isinstance(result, np.ndarray)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=2e-5, atol=2e-6)
    open_shapes = [(None, *shape[1:]) for shape in shapes]
    shape = ours.compute_output_shape(open_shapes[0] if len(shapes) == 1 else open_shapes)
    assert shape == (None, *expected.shape[1:])


@pytest.mark.parametrize("number", EVERY)
def test_configuration_is_that_of_keras(keras, number):
    make, _ = PAIRS[number]
    ours, theirs = make(dlnative), make(keras)
    config, expected = ours.get_config(), theirs.get_config()
    for key, value in config.items():
        if key == "dtype":
            theirs_dtype = expected["dtype"]
            is_record = isinstance(theirs_dtype, dict)
            assert value == (theirs_dtype["config"]["name"] if is_record else theirs_dtype)
        elif key not in ("name", "layer", "layers"):
            assert value == expected[key] or list(value) == list(expected[key]), key
    assert set(expected) - set(config) <= {"quantization_config"}
    again = type(ours).from_config(expected)  # ours reads theirs
    assert again.get_config() == {**config, "name": theirs.name}
    reborn = type(theirs).from_config(config)  # theirs reads ours
    assert reborn.name == ours.name


PUBLIC = sorted(
    name
    for name in layers.__all__
    if isinstance(getattr(layers, name), type)
    and getattr(layers, name).__name__ == name
    and name not in ("InputSpec", "Layer", "OpLayer", "Wrapper")
)


def arguments_of(function):
    """Its arguments with their defaults, without those of all layers."""
    left = ("self", "activity_regularizer", "autocast", "dtype", "name", "trainable")
    return {
        name: p.default if isinstance(p.default, (int, float, str, type(None))) else [*p.default]
        for name, p in inspect.signature(function).parameters.items()
        if name not in left and p.kind is p.POSITIONAL_OR_KEYWORD and p.default is not p.empty
    }


@pytest.mark.parametrize("name", PUBLIC)
def test_arguments_are_those_of_keras(keras, name):
    ours, theirs = getattr(layers, name), getattr(keras.layers, name)
    for method in ("__init__", "call"):
        wanted, found = (arguments_of(getattr(cls, method)) for cls in (theirs, ours))
        for lacking in LAYERS_LACK.get(name, ()):
            assert lacking not in found, "it is there: take it out of LAYERS_LACK"
            wanted.pop(lacking, None)
        assert [n for n in found if n in wanted] == [*wanted], method
        for argument, default in wanted.items():
            mine = found[argument]
            assert mine == default or [mine, mine] == default, (method, argument)


def shifted(library, inputs):
    """The inputs and a weight of their shape, whose gradient is that of the inputs."""

    class Shift(library.layers.Layer):
        def build(self, input_shape):
            self.shift = self.add_weight(shape=input_shape[1:], initializer="zeros", name="shift")

        def call(self, x):
            return x + self.shift

    return [Shift()(x) for x in inputs]


def steps(library, make, arrays, weights=None):
    """The weights before and after three steps of training, losses, predictions at both ends."""
    inputs = [library.Input(a.shape[1:], dtype=a.dtype.name) for a in arrays]
    floats = arrays[0].dtype == np.float32
    between = [*shifted(library, inputs[:1]), *inputs[1:]] if floats else inputs
    if len(inputs) > 1 and arrays[1].dtype == np.float32:
        between = shifted(library, inputs)
    model = library.Model(inputs, make(library)(between if len(between) > 1 else between[0]))
    if weights is not None:
        model.set_weights(weights)
    before = [np.asarray(w) for w in model.get_weights()]
    eager = {"run_eagerly": True} if library is not dlnative else {}
    model.compile(library.optimizers.SGD(0.5), "mse", **eager)
    predictions = [model.predict(arrays, verbose=0)]
    y = values(*predictions[0].shape, seed=7)
    losses = [float(model.train_on_batch(arrays, y)) for _ in range(3)]
    predictions.append(model.predict(arrays, verbose=0))
    return before, model.get_weights(), losses, predictions


@functools.cache
def expected_steps(keras, table, number):
    make, arrays = TABLES[table][number]
    return steps(keras, make, arrays)


def check_steps(keras, table, number):
    before, after, losses, predictions = expected_steps(keras, table, number)
    make, arrays = TABLES[table][number]
    ours = steps(dlnative, make, arrays, before)
    assert ours[2] == pytest.approx(losses, rel=2e-5)
    for mine, theirs in zip([*ours[3], *ours[1]], [*predictions, *after], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=5e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("number", [n for n in EVERY if n not in (*DRAWING, *SPECTRAL)])
def test_steps_of_training_are_those_of_keras(keras, engine, number):
    check_steps(keras, "plain", number)


def mask(*shape, dtype="bool", seed=3):
    return (values(*shape, seed=seed) > -0.3).astype(dtype)


def masked(make):
    """A function of a library that gives a function of [x, mask].

    In Keras the mask goes on to the loss, up to a layer that does not support masks.
    """

    def made(k):
        class Unmasked(k.layers.Layer):
            def call(self, x):
                return 1.0 * x

        return lambda given: Unmasked()(make(k)(given[0], mask=given[1]))

    return made


MASKED = [
    (
        masked(lambda k: k.layers.GlobalAveragePooling1D(FIRST, keepdims=True)),
        [values(*X), mask(5, 6)],
    ),
    (masked(lambda k: k.layers.Softmax()), [values(*X), mask(*X)]),
    (masked(lambda k: k.layers.Softmax(axis=1)), [values(*X), mask(5, 4, 1)]),
    (masked(lambda k: k.layers.Softmax(axis=(1, 2))), [values(*X), mask(*X, dtype="float32")]),
    (masked(lambda k: k.layers.Softmax()), [values(5, 6), np.zeros((5, 6), bool)]),
    (masked(lambda k: k.layers.BatchNormalization()), [values(*X), mask(*X[:2])]),
    (
        masked(lambda k: k.layers.BatchNormalization(axis=1, momentum=0.5)),
        [values(*X), mask(*X[:2], dtype="int32")],
    ),
    (masked(lambda k: k.layers.BatchNormalization(scale=False)), [values(5, 6), mask(5)]),
    (masked(lambda k: k.layers.BatchNormalization(**RENORM)), [values(*X), mask(*X[:2])]),
    (
        masked(lambda k: k.layers.BatchNormalization()),
        [values(*X), np.arange(20).reshape(5, 4) < 2],
    ),
    (masked(lambda k: k.layers.GlobalAveragePooling1D()), [values(*X), mask(*X[:2])]),
    (
        masked(lambda k: k.layers.GlobalAveragePooling1D(keepdims=True)),
        [values(*X), values(*X[:2]) * mask(*X[:2])],
    ),
]
TABLES = {
    "plain": [(make, arrays_of(n)) for n, (make, _) in enumerate(PAIRS)],
    "masked": MASKED,
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("number", range(len(MASKED)))
def test_steps_with_masks_are_those_of_keras(keras, engine, number):
    check_steps(keras, "masked", number)


NAMES = sorted(
    name
    for name in dlnative.activations.__all__
    if name not in ("deserialize", "get", "serialize", "step", "threshold")
    and name != "sparsemax"  # Keras's is another one: see tests/judged/cases_nn.py
)


@pytest.mark.parametrize("name", NAMES)
def test_activation_computes_what_keras_computes(keras, engine, name):
    x = np.linspace(-8, 8, 120, dtype="float32").reshape(4, 30)
    expected = np.asarray(keras.activations.get(name)(keras.ops.convert_to_tensor(x)))
    np.testing.assert_allclose(dlnative.activations.get(name)(x), expected, rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(layers.Activation(name)(x), expected, rtol=2e-5, atol=2e-6)
