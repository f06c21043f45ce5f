"""Lambda layers."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import Input, Model, Sequential, layers, ops


@dlnative.utils.register_keras_serializable("tests")
def halved(x, by=2.0):
    return x / by


def test_in_models(rng):
    x = rng.normal(size=(6, 4)).astype("float32")
    model = Sequential([Input((4,)), layers.Lambda(lambda v: v**2), layers.Dense(1)])
    np.testing.assert_allclose(model.layers[0](x), x**2, rtol=1e-6)
    model.compile("sgd", "mse")
    first, second = model.fit(x, x[:, :1], epochs=2, verbose=0).history["loss"]
    assert second < first
    a, b = Input((4,)), Input((4,))
    both = Model([a, b], layers.Lambda(lambda v: ops.maximum(v[0], v[1]))([a, b]))
    np.testing.assert_array_equal(both.predict([x, -x], verbose=0), np.abs(x))


def test_training_and_arguments():
    layer = layers.Lambda(
        lambda x, by, training: x * by if training else x, arguments={"by": 3.0}, output_shape=(2,)
    )
    x = np.ones((2, 2), "float32")
    assert layer(x, training=True).tolist() == (3 * x).tolist()
    assert layer(x, training=False).tolist() == x.tolist()


def test_configuration():
    model = Sequential([Input((2,)), layers.Lambda(halved, arguments={"by": 4.0})])
    again = Sequential.from_config(model.get_config())
    x = np.ones((1, 2), "float32")
    np.testing.assert_array_equal(again(x), x / 4)
    with pytest.raises(ValueError, match="a lambda has no name"):
        layers.Lambda(lambda x: x).get_config()


def test_code_in_a_configuration_is_not_run(keras):
    record = keras.layers.Lambda(lambda x: x + 1, name="code").get_config()
    with pytest.raises(ValueError, match=r"'code'.*code of a function, which is never run"):
        layers.Lambda.from_config(record)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: layers.Lambda(3), TypeError, "expected a function, received 3"),
        (lambda: layers.Lambda(halved, mask=halved), ValueError, "mask must be None"),
        (
            lambda: layers.Lambda(halved, output_shape=(3,))(np.ones((2, 2))),
            ValueError,
            r"expected output_shape \(2, 3\).*returned shape \(2, 2\)",
        ),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()
