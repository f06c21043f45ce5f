"""Layers and activations against Keras: the same numbers and the same configurations."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import layers


@pytest.fixture(params=["numpy", "native"])
def engine(request):
    if request.param == "native":
        pytest.importorskip("dlnative._core")
    with dlnative.engine(request.param):
        yield request.param


def values(*shape, seed=0):
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape).astype("float32")


X = (5, 4, 6)
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
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras with NumPy 2
@pytest.mark.parametrize("number", range(len(PAIRS)))
def test_layer_computes_what_keras_computes(keras, engine, number):
    make, shapes = PAIRS[number]
    ours, theirs = make(dlnative), make(keras)
    arrays = [values(*shape, seed=i) for i, shape in enumerate(shapes)]
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


@pytest.mark.parametrize("number", range(len(PAIRS)))
def test_configuration_is_that_of_keras(keras, number):
    make, _ = PAIRS[number]
    ours, theirs = make(dlnative), make(keras)
    config, expected = ours.get_config(), theirs.get_config()
    for key, value in config.items():
        if key == "dtype":
            assert value == expected["dtype"]["config"]["name"]
        elif key != "name":
            assert value == expected[key] or list(value) == list(expected[key]), key
    assert set(expected) - set(config) <= {"quantization_config"}
    again = type(ours).from_config(expected)  # ours reads theirs
    assert again.get_config() == {**config, "name": theirs.name}
    reborn = type(theirs).from_config(config)  # theirs reads ours
    assert reborn.name == ours.name


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
