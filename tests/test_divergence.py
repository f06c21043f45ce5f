"""What `fit` says where the loss is no number any more."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import dlnative
from dlnative import layers

X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
Y = np.random.default_rng(1).normal(size=(64, 2)).astype("float32")


def make(*middle, rate=0.01, loss="mse", **options):
    stack = [
        layers.Input((4,)),
        layers.Dense(6, name="first"),
        *middle,
        layers.Dense(2, name="last"),
    ]
    model = dlnative.Sequential(stack)
    model.compile(dlnative.optimizers.SGD(rate), loss, **options)
    return model


def warned(model, x=X, y=Y, **options):
    """The one warning of `fit`, and the History."""
    given = {"batch_size": 8, "epochs": 4, "verbose": 0, "shuffle": False, **options}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = model.fit(x, y, **given)
    [message] = [w for w in caught if w.category is RuntimeWarning]
    assert message.filename == __file__
    return str(message.message), fitted


class EachBatch(dlnative.callbacks.Callback):
    """Makes `fit` look at each batch."""

    def on_train_batch_end(self, batch, logs=None):
        pass


@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_one_warning_with_epoch_batch_and_layer(engine):
    with dlnative.engine(engine):
        model = make(layers.Lambda(lambda x: dlnative.ops.log(x + 1e6), name="logarithm"))
        model.get_layer("first").set_weights([np.zeros((4, 6)), np.zeros(6)])
        model.get_layer("first").trainable = False
        x = X.copy()
        x[40:48] = 1e30  # in the sixth batch; the second epoch makes a negative number of it

        def spoil(epoch, logs):
            if epoch == 1:
                model.get_layer("first").kernel.assign(np.full((4, 6), -1.0))

        once = dlnative.callbacks.LambdaCallback(on_epoch_begin=spoil)
        message, fitted = warned(model, x, callbacks=[EachBatch(), once])
    assert "the loss is nan since batch 6 of epoch 2 (counted from 1)" in message
    assert len(fitted.epoch) == 4  # it goes on, as in Keras
    assert "layer 'logarithm' is the first whose output is not finite" in message


def test_the_layer_whose_weights_are_still_finite():
    model = make(layers.Lambda(lambda x: dlnative.ops.log(x), name="logarithm"))
    for layer in model.layers:
        layer.trainable = layer.name == "last"
    message, _ = warned(model, epochs=1)
    assert "one of the batches 1 to 8 of epoch 1" in message
    assert "layer 'logarithm' is the first whose output is not finite" in message
    assert message.count("finite") == 2 and "its weights are finite" in message


def test_what_else_may_be_wrong():
    huge = lambda y_true, y_pred: dlnative.ops.abs(y_pred) + float("inf")  # noqa: E731
    assert "the outputs of all layers are finite" in warned(make(loss=huge), epochs=1)[0]
    x = X.copy()
    x[63, 1] = np.inf
    assert "the inputs of that batch are not finite" in warned(make(), x, check_finite=False)[0]


@pytest.mark.parametrize("options", [{}, {"run_eagerly": True}])
def test_generators_and_steps_of_ones_own(options):
    class Own(dlnative.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2, name="dense")

        def call(self, x):
            return self.dense(x)

        def train_step(self, data):
            loss = dlnative.ops.sum(self(data[0])) / 0.0
            return {"loss": loss}

    def batches():
        for i in range(0, 64, 8):
            yield X[i : i + 8], Y[i : i + 8]

    model = Own()
    model.compile("sgd", **options)
    assert "outputs of all layers are finite" in warned(model)[0]
    model = make(rate=1e30, **options)
    given = {"batch_size": None, "shuffle": True, "steps_per_epoch": 4, "epochs": 2}
    message, _ = warned(model, batches(), None, **given)
    assert "of epoch 1" in message and "layer 'first'" in message
    assert "first/kernel, sequential" in message


def test_terminate_on_nan_ends_training_there():
    message, fitted = warned(make(rate=1e30), callbacks=[dlnative.callbacks.TerminateOnNaN()])
    assert "since batch 2 of epoch 1" in message and len(fitted.epoch) == 1


def test_nothing_is_said_of_numbers():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make().fit(X, Y, epochs=3, verbose=0)
