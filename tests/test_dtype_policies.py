"""Dtypes of weights and of the computation: what a layer casts, against Keras."""

import numpy as np
import pytest

import dlnative


def answers(library):
    """What each call gives: dtypes, in one list."""
    layers, ops = library.layers, library.ops

    class Wide(layers.Layer):
        """A float64 weight in a float32 layer."""

        def build(self, input_shape):
            self.w = self.add_weight(shape=(3, 2), dtype="float64", initializer="ones")
            self.count = self.add_weight(
                shape=(), dtype="int32", initializer="zeros", trainable=False
            )

        def call(self, inputs):
            return ops.matmul(inputs, self.w)

    class Kept(layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight(shape=(3, 2), dtype="float64", autocast=False)

        def call(self, inputs):
            return ops.matmul(ops.cast(inputs, "float64"), self.w)

    class Plain(layers.Layer):
        def call(self, inputs):
            return inputs * 2

    single, double = np.ones((2, 3), "float32"), np.ones((2, 3), "float64")
    model = library.Sequential(
        [library.Input((3,), dtype="float64"), layers.Dense(3), layers.Dense(2, dtype="float64")]
    )
    wide = Wide()
    calls = [
        *(layer(x) for layer in (wide, Kept(), Plain()) for x in (single, double)),
        *(Plain(autocast=False)(x) for x in (single, double)),
        *(layers.Dense(2, dtype=d)(x) for d in ("float32", "float64") for x in (single, double)),
        Plain()(np.ones((2, 3), "int32")),
        model(double),
    ]
    found = [str(np.asarray(y).dtype) for y in calls]
    layer = layers.Dense(2, dtype="float64")
    found += [layer.dtype, layer.compute_dtype, layer.variable_dtype, layer.dtype_policy.name]
    return [*found, wide.w.dtype, wide.count.dtype, wide.dtype_policy.compute_dtype]


def test_as_keras(keras):
    import jax

    with jax.enable_x64(True):
        expected = answers(keras)
    assert answers(dlnative) == expected


@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_weights_of_another_dtype_are_trained_in_it(engine):
    """Steps of 2^-40 move a float64 weight of a float32 layer; float32 would lose them."""

    class Wide(dlnative.layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight(shape=(1, 1), dtype="float64", initializer="ones")

        def call(self, inputs):
            return dlnative.ops.matmul(inputs, self.w)

    with dlnative.engine(engine):
        model = dlnative.Sequential([dlnative.Input((1,)), Wide()])
        model.compile(dlnative.optimizers.SGD(2.0**-40), "mse")
        model.fit(np.ones((4, 1)), np.zeros((4, 1)), epochs=3, verbose=0)
    (weight,) = model.get_weights()
    assert weight.dtype == np.float64
    assert weight[0, 0] == 1.0 - 3 * 2.0**-39


def test_policies_that_are_not_there_raise():
    for make in (
        lambda: dlnative.DTypePolicy("mixed_bfloat16"),
        lambda: dlnative.layers.Dense(2, dtype="int32"),
    ):
        with pytest.raises(ValueError, match="float32"):
            make()
    policy = dlnative.DTypePolicy("float64")
    assert dlnative.layers.Dense(2, dtype=policy).dtype_policy == policy
    assert dlnative.DTypePolicy.from_config(policy.get_config()) == policy
