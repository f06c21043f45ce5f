"""EarlyStopping: the epochs it stops after as Keras does, and what is refused before training."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import callbacks, layers


def make_model(learning_rate=0.1):
    model = dlnative.Sequential([layers.Input((3,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile(dlnative.optimizers.SGD(learning_rate), "mse", metrics=["mae"])
    return model


@pytest.fixture
def data(rng):
    x = rng.normal(size=(10, 3)).astype("float32")
    return x, x.sum(axis=1, keepdims=True) * 0.5


class FakeModel:
    """What EarlyStopping needs of a model: weights that say which epoch it is."""

    def __init__(self, library=None):
        self.stop_training = False
        self.weights = -1
        self.metrics = []

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.weights = weights

    def metric_direction(self, name):
        return {"loss": "down", "accuracy": "up"}.get(name)


def stop_epoch(stopping, values, name="val_loss"):
    """(number of epochs that were run, the weights at the end)."""
    model = FakeModel()
    stopping.set_model(model)
    stopping.on_train_begin()
    epochs = 0
    for epoch, value in enumerate(values):
        model.weights = epoch
        epochs += 1
        stopping.on_epoch_end(epoch, {name: value})
        if model.stop_training:
            break
    stopping.on_train_end()
    return epochs, model.weights


STOPPING = [
    ({}, [1.0, 0.5, 0.6, 0.1]),
    ({"patience": 2}, [1.0, 0.5, 0.6, 0.7, 0.1]),
    ({"patience": 2, "restore_best_weights": True}, [1.0, 0.5, 0.6, 0.7, 0.1]),
    ({"patience": 1, "min_delta": 0.2}, [1.0, 0.9, 0.85, 0.1]),
    ({"patience": 2, "mode": "max"}, [1.0, 0.5, 0.6, 2.0, 1.0, 1.0, 1.0]),
    ({"patience": 2, "baseline": 0.5}, [1.0, 0.9, 0.8, 0.4, 0.3]),
    ({"patience": 2, "baseline": 0.5, "restore_best_weights": True}, [1.0, 0.8, 0.9, 0.4]),
    ({"patience": 1, "start_from_epoch": 3}, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
    ({"patience": 0}, [1.0, 1.0, 1.0]),
    ({"patience": 1}, [float("nan"), 1.0, float("nan"), 0.5]),
    ({"patience": 3, "restore_best_weights": True}, [5.0, 4.0, 3.0]),
]


@pytest.mark.parametrize(("options", "values"), STOPPING)
def test_early_stopping_as_keras(keras, options, values):
    ours = stop_epoch(callbacks.EarlyStopping(**options), values)
    assert ours == stop_epoch(keras.callbacks.EarlyStopping(**options), values)


def test_early_stopping(data):
    model = make_model(learning_rate=0.0)
    stop = callbacks.EarlyStopping(monitor="loss", patience=2)
    assert len(model.fit(*data, epochs=9, shuffle=False, verbose=0, callbacks=[stop]).epoch) == 3
    assert stop.stopped_epoch == 2


def test_early_stopping_restores_the_best_weights(data):
    model = make_model(learning_rate=0.0)
    steps = [0.0, 0.1, -0.5, -0.5]

    def move(epoch, logs):
        model.optimizer.learning_rate = 0.0
        model.layers[0].kernel.assign(np.full((3, 1), 0.5 + steps[epoch]))

    stop = callbacks.EarlyStopping("loss", patience=3, restore_best_weights=True)
    model.fit(
        *data, epochs=4, verbose=0, callbacks=[callbacks.LambdaCallback(on_epoch_begin=move), stop]
    )
    assert stop.best_epoch == 0
    np.testing.assert_array_equal(model.layers[0].kernel.numpy(), 0.5)


def test_early_stopping_says_what_it_does(data, capsys):
    model = make_model(learning_rate=0.0)
    stop = callbacks.EarlyStopping("loss", verbose=1, restore_best_weights=True)
    model.fit(*data, epochs=5, verbose=0, callbacks=[stop])
    text = capsys.readouterr().out
    assert "Epoch 2: early stopping" in text
    assert "best epoch: 1" in text


def test_early_stopping_by_an_accuracy(rng):
    model = dlnative.Sequential([layers.Input((2,)), layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    stop = callbacks.EarlyStopping("val_accuracy", patience=1)
    model.fit(
        rng.normal(size=(8, 2)),
        rng.integers(0, 3, 8),
        validation_split=0.5,
        verbose=0,
        callbacks=[stop],
    )
    assert stop._better(1.0, 0.5)


# --- what fit can know before the first step ------------------------------------------------------


def refused(data, match, stop, error=ValueError, before=(), **options):
    """`fit` raises, and the weights are as they were."""
    model = make_model()
    weights = model.get_weights()
    with pytest.raises(error, match=match):
        model.fit(*data, verbose=0, callbacks=[*before, stop], **options)
    np.testing.assert_array_equal(model.get_weights()[0], weights[0])
    assert model.optimizer.iterations == 0


@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_monitor_that_will_not_be_there(data, mode):
    stop = callbacks.EarlyStopping("nope", mode=mode)
    refused(data, "'nope' is not in the logs of this model, which have loss, mae", stop)
    refused(data, "val_loss, val_mae", stop, validation_split=0.5)


def test_a_monitor_of_unknown_direction(data):
    stop = callbacks.EarlyStopping("nope")
    refused(data, "not known whether 'nope' is better", stop)
    # Whatever another callback puts into the logs, there is no direction.
    refused(data, "not known whether 'nope' is better", stop, before=[callbacks.Callback()])


def test_a_monitor_of_a_validation_that_is_not_there(data):
    for stop in (callbacks.EarlyStopping(), callbacks.EarlyStopping("val_mae")):
        refused(data, "Pass validation_data or validation_split", stop)
    stop = callbacks.EarlyStopping("val_mae", patience=5)
    assert make_model().fit(*data, validation_split=0.5, verbose=0, callbacks=[stop]).epoch == [0]


def test_a_callback_may_put_the_monitor_into_the_logs(data):
    class Adds(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["mine"] = 1.0

    def add(epoch, logs):
        logs["mine"] = 1.0

    for before in (Adds(), callbacks.LambdaCallback(on_epoch_end=add)):
        stop = callbacks.EarlyStopping("mine", mode="min", patience=2)
        history = make_model().fit(*data, epochs=9, verbose=0, callbacks=[before, stop])
        assert len(history.epoch) == 3
    stop = callbacks.EarlyStopping("mine", mode="min")
    model = make_model()
    with pytest.raises(ValueError, match="'mine' is not in the logs"):  # it would come too late
        model.fit(*data, verbose=0, callbacks=[stop, Adds()])


def test_a_monitor_of_ones_own(data):
    class Own(callbacks.EarlyStopping):
        def get_monitor_value(self, logs):
            return 1.0

    stop = Own("mine", mode="min", patience=1)
    assert len(make_model().fit(*data, epochs=5, verbose=0, callbacks=[stop]).epoch) == 2


@pytest.mark.parametrize(
    "options",
    [
        {"monitor": None},
        {"patience": "3"},
        {"patience": None},
        {"patience": float("nan")},
        {"min_delta": "0.1"},
        {"baseline": "0.1"},
        {"start_from_epoch": [1]},
    ],
)
def test_arguments_of_early_stopping(options):
    with pytest.raises(TypeError, match=f"EarlyStopping: expected {next(iter(options))} to be"):
        callbacks.EarlyStopping(**options)
