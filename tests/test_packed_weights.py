"""Copies of weights that programs keep follow every change of the weights."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import config, layers

pytest.importorskip("dlnative._core", reason="the native engine is not built")
pytestmark = [pytest.mark.native, pytest.mark.usefixtures("conv_algorithm")]


def convolutions():
    """All the ways in which convolutions run forwards: planes, taps, groups, phases, folded."""
    model = dlnative.Sequential(
        [
            dlnative.Input((9, 9, 3)),
            layers.Conv2D(8, 3, padding="same"),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Conv2D(8, 3, strides=2, groups=2, bias_initializer="ones"),
            layers.Conv2DTranspose(6, 3, strides=2),
            layers.Conv2D(20, 3),
            layers.BatchNormalization(),
            layers.Activation("tanh"),
            layers.Flatten(),
            layers.Dense(4),
        ]
    )
    model.compile(dlnative.optimizers.SGD(0.01), "mse")
    return model


def oracle(model, x):
    with config.engine("numpy"):
        return model.predict(x, verbose=0)


def check(model, x):
    for batch_size in (1, 5):
        expected = oracle(model, x)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(
            model.predict(x, batch_size=batch_size, verbose=0), expected, rtol=0, atol=1e-5 * scale
        )


def by_assign(model, x, y):
    for variable in model.layers[4].weights:
        variable.assign(variable.numpy() * 2.0 + 0.25)


def by_statistics(model, x, y):
    model.layers[1].moving_variance.assign(np.linspace(0.5, 2.0, 8))


def by_set_weights(model, x, y):
    model.set_weights([w + np.float32(0.125) for w in model.get_weights()])


def by_fit(model, x, y):
    model.fit(x, y, epochs=2, batch_size=2, verbose=0)


def by_train_on_batch(model, x, y):
    model.train_on_batch(x, y)


def by_the_oracle(model, x, y):
    with config.engine("numpy"):
        model.train_on_batch(x, y)


def by_apply(model, x, y):
    _, gradients = dlnative.value_and_grad(model, "mse")(x, y)
    dlnative.optimizers.SGD(0.5).apply(gradients.values(), model.trainable_variables)


def by_an_op(model, x, y):
    kernel = model.layers[3].kernel
    dlnative.ops.assign(kernel, np.ones(kernel.shape, "float32"))


def by_frozen_training(model, x, y):
    """The convolutions are constant in this step, the statistics are not."""
    for layer in model.layers:
        if "conv" in layer.name:
            layer.trainable = False
    model.compile(dlnative.optimizers.SGD(0.01), "mse")
    frozen = model.layers[0].kernel.numpy()
    model.fit(x, y, epochs=2, batch_size=2, verbose=0)
    np.testing.assert_array_equal(model.layers[0].kernel.numpy(), frozen)
    check(model, x)
    model.layers[0].kernel.assign(frozen + 0.5)
    model.fit(x, y, batch_size=2, verbose=0)


CHANGES = [
    by_assign,
    by_statistics,
    by_set_weights,
    by_fit,
    by_train_on_batch,
    by_the_oracle,
    by_apply,
    by_an_op,
    by_frozen_training,
]


@pytest.mark.parametrize("change", CHANGES)
def test_predictions_see_changes(rng, change):
    model = convolutions()
    x = rng.normal(size=(5, 9, 9, 3)).astype("float32")
    y = rng.normal(size=(5, 4)).astype("float32")
    check(model, x)
    before = model.predict(x, verbose=0)
    change(model, x, y)
    assert not np.allclose(model.predict(x, verbose=0), before, atol=1e-3)
    check(model, x)


def test_evaluate_sees_changes(rng):
    model = convolutions()
    x = rng.normal(size=(5, 9, 9, 3)).astype("float32")
    y = rng.normal(size=(5, 4)).astype("float32")
    for _ in range(2):
        loss = model.evaluate(x, y, batch_size=2, verbose=0)
        np.testing.assert_allclose(loss, np.mean((oracle(model, x) - y) ** 2), rtol=1e-5)
        model.layers[5].kernel.assign(-2.0 * model.layers[5].kernel.numpy())


def test_training_with_frozen_layers_is_that_of_the_oracle(rng):
    x = rng.normal(size=(6, 9, 9, 3)).astype("float32")
    y = rng.normal(size=(6, 4)).astype("float32")
    results = []
    weights = convolutions().get_weights()
    for engine in ("native", "numpy"):
        model = convolutions()
        model.set_weights(weights)
        model.layers[5].trainable = model.layers[3].trainable = False
        model.compile(dlnative.optimizers.SGD(0.01), "mse")
        with config.engine(engine):
            for scale in (1.0, 0.5):  # the frozen weights change between the calls
                model.layers[5].kernel.assign(scale * model.layers[5].kernel.numpy())
                model.fit(x, y, batch_size=3, epochs=2, shuffle=False, verbose=0)
        results.append(model.get_weights())
    for native, expected in zip(*results, strict=True):
        np.testing.assert_allclose(native, expected, rtol=0, atol=1e-4)


def test_weights_are_packed_once(rng):
    """What no call reports as a change is not seen: packing was done before."""
    model = convolutions()
    x = rng.normal(size=(1, 9, 9, 3)).astype("float32")
    before = model.predict(x, verbose=0)
    model.layers[5].kernel.array[...] = 0.0
    np.testing.assert_array_equal(model.predict(x, verbose=0), before)
    # A program for another batch shares the copies.
    several = model.predict(np.repeat(x, 3, axis=0), verbose=0)
    np.testing.assert_allclose(several, np.repeat(before, 3, axis=0), rtol=0, atol=1e-6)
    model.layers[5].kernel.assign(np.zeros(model.layers[5].kernel.shape))
    assert not np.allclose(model.predict(x, verbose=0), before)


def test_programs_that_share_copies_may_depend_on_other_variables(rng):
    """A step that writes the bias, and one that does not, have the kernel packed once."""
    layer = layers.Conv2D(8, 3, padding="same")
    model = dlnative.Sequential([dlnative.Input((6, 6, 8)), layer, layers.Flatten()])
    layer.kernel.trainable = False  # so it does not lie in the buffer of the bias
    model.compile(dlnative.optimizers.SGD(0.0), "mse")
    x = rng.normal(size=(4, 6, 6, 8)).astype("float32")
    y = np.zeros((4, 288), "float32")
    model.fit(x, y, epochs=5, verbose=0)
    assert layer.kernel.buffer is not layer.bias.buffer
    for _ in range(3):
        check(model, x)
        layer.kernel.assign(0.5 * layer.kernel.numpy())
        loss = model.fit(x, y, batch_size=4, verbose=0).history["loss"][0]
        np.testing.assert_allclose(loss, np.mean(oracle(model, x) ** 2), rtol=1e-5)


def test_a_failing_assignment_changes_nothing(rng):
    variable = convolutions().layers[0].kernel
    before = variable.numpy()
    values = np.full(variable.shape, 2.0, object)
    values[-1, -1, -1, -1] = "not a number"
    with pytest.raises(ValueError, match="not a number"):
        variable.assign(values)
    np.testing.assert_array_equal(variable.numpy(), before)


def test_values_cannot_be_written(rng):
    model = convolutions()
    kernel = model.layers[0].kernel
    for values in (kernel.value, kernel.live, kernel[:], np.array(kernel, copy=False)):
        with pytest.raises(ValueError, match="read-only"):
            values[...] = 0.0


def test_memory_plan_counts_packed_weights(conv_algorithm):
    model = convolutions()
    train = model.memory_plan(2)
    model = dlnative.Sequential([dlnative.Input((9, 9, 3)), *model.layers])
    predict = model.memory_plan(2)
    kernels = sum(w.nbytes for w in model.get_weights() if w.ndim == 4)
    assert train.packed_bytes == 0
    # Whole vectors, and 36 points of 9 taps. Six filters fill 8 lanes, or with AVX-512 one of 16.
    most = {"direct": 4, "winograd": 16 if config.isa() == "avx512" else 8}[conv_algorithm]
    assert kernels <= predict.packed_bytes < most * kernels + 4096
    assert f"{predict.packed_bytes:,} bytes" in str(predict)
    assert predict.total_bytes == (
        predict.arena_bytes
        + predict.packed_bytes
        + predict.table_bytes
        + predict.variable_bytes
        + predict.optimizer_bytes
    )
