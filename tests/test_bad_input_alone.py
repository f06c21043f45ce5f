"""Bad arguments of losses, metrics, optimizers and callbacks by themselves."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from bad_input_models import ONE_HOT, SPARSE, X, Y, mlp

import dlnative
from dlnative import callbacks, losses, metrics, models, optimizers

ALONE = {
    "reduction": (
        lambda: losses.MeanSquaredError(reduction="avg"),
        ValueError,
        r"reduction: expected one of 'sum_over",
    ),
    "no loss": (
        lambda: dlnative.value_and_grad(dlnative.layers.Dense(1), None),
        TypeError,
        r"value_and_grad: expected a loss, received None",
    ),
    "dtype of a loss": (
        lambda: losses.MeanSquaredError(dtype="int32"),
        ValueError,
        r"expected dtype of",
    ),
    "label_smoothing": (
        lambda: losses.BinaryCrossentropy(label_smoothing=2.0),
        ValueError,
        r"label_smoothing in \[0, 1\], received 2.0",
    ),
    "axis": (
        lambda: losses.CategoricalCrossentropy(axis="last"),
        TypeError,
        r"expected axis to be an integer, received 'last'",
    ),
    "axis of a function": (
        lambda: losses.binary_crossentropy(ONE_HOT, ONE_HOT, axis=2),
        ValueError,
        r"axis 2 is out of range for 2 dimensions",
    ),
    "ignore_class": (
        lambda: losses.SparseCategoricalCrossentropy(ignore_class="void"),
        TypeError,
        r"expected ignore_class to be an integer, received 'void'",
    ),
    "ignore_class of a function": (
        lambda: losses.sparse_categorical_crossentropy(Y, ONE_HOT, ignore_class=2**31),
        ValueError,
        r"ignore_class in the range of int32, received 2147483648",
    ),
    "axis of a function that is a word": (
        lambda: losses.categorical_crossentropy(ONE_HOT, ONE_HOT, axis=True),
        ValueError,
        r"categorical_crossentropy: expected axis to be an integer, received True",
    ),
    "several axes of classes": (
        lambda: losses.SparseCategoricalCrossentropy(axis=(0, 1)),
        TypeError,
        r"expected axis to be an integer, received \(0, 1\)",
    ),
    "axes of a mean": (
        lambda: losses.Dice(axis=(0, "1")),
        TypeError,
        r"Dice: expected axis to be an integer, received '1'",
    ),
    **{
        f"axis of {name}": (
            functools.partial(getattr(losses, name), ONE_HOT, ONE_HOT, axis=2),
            ValueError,
            f"{name}: axis 2 is out of range for 2 dimensions",
        )
        for name in ("dice", "tversky", "cosine_similarity", "binary_focal_crossentropy")
    },
    "power of a loss": (
        lambda: losses.categorical_generalized_cross_entropy([0], ONE_HOT[:1], q=0),
        ValueError,
        r"expected q greater than 0, received 0",
    ),
    "weights of classes": (
        lambda: losses.categorical_focal_crossentropy(ONE_HOT, ONE_HOT, alpha=[0.5, "1", 0.5]),
        TypeError,
        r"expected alpha to be a number",
    ),
    "targets of another shape": (
        lambda: losses.Huber()(ONE_HOT[:, :2], ONE_HOT),
        ValueError,
        r"huber: expected labels of shape \(\d+, 3\) to match the predictions",
    ),
    "class numbers": (
        lambda: losses.sparse_categorical_crossentropy([3], ONE_HOT[:1]),
        ValueError,
        r"\[0, 3\) for 3 outputs, received 3",
    ),
    "shapes": (
        lambda: losses.mean_squared_error(np.zeros((2, 3)), np.zeros((2, 2))),
        ValueError,
        r"labels of shape \(2, 2\)",
    ),
    "weights": (
        lambda: losses.MeanSquaredError()(ONE_HOT, ONE_HOT, [1.0, 2.0]),
        ValueError,
        r"sample_weight: expected",
    ),
    "no call": (lambda: losses.Loss()(Y, Y), NotImplementedError, r"Loss does not implement call"),
    "unknown loss configuration": (
        lambda: losses.get({"class_name": "Mse", "config": {}}),
        ValueError,
        r"Mse",
    ),
    "dtype of a metric": (lambda: metrics.Mean(dtype="int8"), ValueError, r"expected dtype of"),
    "metric without update": (
        lambda: metrics.Metric(name="m")(1),
        NotImplementedError,
        r"update_state",
    ),
    "metric without result": (
        lambda: metrics.Metric(name="m").result(),
        NotImplementedError,
        r"result",
    ),
    "initial state": (
        lambda: metrics.Mean().add_variable((2,), "onez"),
        ValueError,
        r"Unknown initializer 'onez'",
    ),
    "learning_rate": (
        lambda: optimizers.SGD(learning_rate=-1),
        ValueError,
        r"SGD: expected learning_rate of at least 0, received -1",
    ),
    "learning_rate type": (
        lambda: optimizers.SGD(learning_rate="0.1"),
        TypeError,
        r"SGD: expected learning_rate to be a number",
    ),
    "learning_rate later": (
        lambda: setattr(optimizers.SGD(), "learning_rate", np.nan),
        ValueError,
        r"learning_rate",
    ),
    "momentum": (
        lambda: optimizers.SGD(momentum=1.5),
        ValueError,
        r"momentum in \[0, 1\], received 1.5",
    ),
    "rho": (lambda: optimizers.RMSprop(rho=2), ValueError, r"rho"),
    "beta_1": (
        lambda: optimizers.Adam(beta_1=1.0),
        ValueError,
        r"beta_1 in \[0, 1\), received 1.0",
    ),
    "epsilon": (lambda: optimizers.Adam(epsilon=-1e-7), ValueError, r"epsilon"),
    "accumulator": (
        lambda: optimizers.Adagrad(initial_accumulator_value=-1),
        ValueError,
        r"initial_accumulator_value",
    ),
    "two clippings": (
        lambda: optimizers.SGD(clipnorm=1.0, clipvalue=1.0),
        ValueError,
        r"only one of clipnorm",
    ),
    "clipnorm": (lambda: optimizers.SGD(clipnorm=-1.0), ValueError, r"clipnorm"),
    "weight_decay": (lambda: optimizers.SGD(weight_decay="a"), TypeError, r"weight_decay"),
    "use_ema": (lambda: optimizers.Adam(use_ema=1), TypeError, r"use_ema True or False"),
    "learning rate of an array": (
        lambda: optimizers.SGD(np.array([0.1])),
        ValueError,
        r"learning_rate to be a number, received an array of shape \(1,\)",
    ),
    "ema_momentum": (lambda: optimizers.Adam(ema_momentum=1.5), ValueError, r"ema_momentum in"),
    "gradient_accumulation_steps": (
        lambda: optimizers.Adam(gradient_accumulation_steps=1),
        ValueError,
        r"gradient_accumulation_steps to be None or an integer of at least 2",
    ),
    "number of gradients": (
        lambda: optimizers.SGD().apply([np.ones(2)], [np.ones(2)] * 2),
        ValueError,
        r"expected 2 gradients",
    ),
    "shape of a gradient": (
        lambda: optimizers.SGD().apply([np.ones(3)], [np.ones(2)]),
        ValueError,
        r"gradient 0 of shape \(2,\)",
    ),
    "dtype of a parameter": (
        lambda: optimizers.SGD().apply([np.ones(2)], [np.ones(2, int)]),
        TypeError,
        r"writable, contiguous float32",
    ),
    "strides of a parameter": (
        lambda: optimizers.SGD().apply([np.ones(2)], [np.ones(4)[::2]]),
        TypeError,
        r"contiguous: False",
    ),
    "type of a parameter": (
        lambda: optimizers.SGD().apply([np.ones(2)], [[1.0, 2.0]]),
        TypeError,
        r"received list",
    ),
    "no variables": (
        lambda: optimizers.SGD().apply([np.ones(2)]),
        ValueError,
        r"give the variables in the first call",
    ),
    "lambda hook": (
        lambda: callbacks.LambdaCallback(on_epoch=print),
        TypeError,
        r"there is no hook 'on_epoch'",
    ),
}


@pytest.mark.parametrize("case", ALONE)
def test_alone(case):
    call, error, message = ALONE[case]
    with pytest.raises(error, match=message):
        call()


def test_optimizer_state():
    optimizer = optimizers.Adam()
    w = np.ones(2)
    optimizer.apply([np.ones(2)], [w])
    with pytest.raises(ValueError, match="unknown parameter"):
        optimizer.apply([np.ones(3)], [np.ones(3)])
    before = [v.numpy() for v in optimizer.variables]
    with pytest.raises(ValueError, match="expected 4 arrays"):
        optimizer.set_weights(before[:-1])
    for a, b in zip(before, optimizer.variables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_early_stopping():
    model = mlp()
    model.compile("sgd", SPARSE, metrics=[losses.sparse_categorical_crossentropy])
    with pytest.raises(ValueError, match="'val_loss' is not in the logs .* which have loss"):
        model.fit(X, Y, verbose=0, callbacks=[callbacks.EarlyStopping()])
    with pytest.warns(UserWarning, match="mode 'best' is unknown"):
        callbacks.EarlyStopping(mode="best")
    stop = callbacks.EarlyStopping("sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="Pass mode='max' or mode='min'"):
        model.fit(X, Y, verbose=0, callbacks=[stop])


def test_everything_is_public():
    assert models.Model is dlnative.Model
