"""What callbacks remember, as JSON, so that training goes on in another process."""

from __future__ import annotations

import json

import numpy as np
import pytest

import dlnative
from dlnative import callbacks

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
Y = np.random.default_rng(1).normal(size=(8, 2)).astype("float32")


class Counts(dlnative.metrics.Metric):
    """A metric of two numbers."""

    def __init__(self):
        super().__init__(name="counts")
        self.seen = self.add_weight(shape=(2,), initializer="zeros", name="seen")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.seen.assign(self.seen + dlnative.ops.sum(y_pred, axis=0))

    def result(self):
        return self.seen.value


def make(weights=None):
    model = dlnative.Sequential([dlnative.Input((3,)), dlnative.layers.Dense(2)])
    model.set_weights(weights or [np.full((3, 2), 0.5), np.zeros(2)])
    # It gets worse from epoch to epoch: each goes far beyond the minimum.
    model.compile(dlnative.optimizers.SGD(1.5), "mse", metrics=[Counts()])
    return model


def all_callbacks():
    return [
        callbacks.EarlyStopping("loss", patience=4, restore_best_weights=True),
        callbacks.LearningRateScheduler(lambda epoch: 1.5 + epoch / 100),
        callbacks.TerminateOnNaN(),
        callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None),
        callbacks.ProgbarLogger(),
        callbacks.History(),
    ]


def fit(model, used, **options):
    return model.fit(X, Y, batch_size=8, shuffle=False, verbose=0, callbacks=used, **options)


class Interrupted(Exception):
    """What ends the first process."""


def interrupt(after):
    def stop(epoch, logs):
        if epoch == after:
            raise Interrupted

    return callbacks.LambdaCallback(on_epoch_end=stop)


@pytest.mark.parametrize("as_list", [False, True])
def test_training_goes_on_by_json(as_list):
    whole = all_callbacks()
    expected = make()
    fit(expected, whole, epochs=9)
    assert whole[0].stopped_epoch == 4 and whole[0].best_epoch == 0

    first, model = all_callbacks(), make()
    with pytest.raises(Interrupted):
        fit(model, [*first, interrupt(after=1)], epochs=9)
    if as_list:
        text = json.dumps(callbacks.CallbackList(first).get_state())
    else:
        text = json.dumps([callback.get_state() for callback in first])
    second, model = all_callbacks(), make(model.get_weights())
    if as_list:
        callbacks.CallbackList(second).set_state(json.loads(text))
    else:
        for callback, state in zip(second, json.loads(text), strict=True):
            callback.set_state(state)
    fitted = fit(model, second, epochs=9, initial_epoch=2)

    assert fitted is second[-1] and fitted.epoch == whole[-1].epoch == [0, 1, 2, 3, 4]
    assert fitted.history.keys() == whole[-1].history.keys()
    for name, values in whole[-1].history.items():
        np.testing.assert_array_equal(fitted.history[name], values)
        assert [type(v) for v in fitted.history[name]] == [type(v) for v in values]
    for got, want in zip(second, whole, strict=True):
        assert got.get_state() == want.get_state()
    for got, want in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(
            got, want
        )  # the best ones, of an epoch before the interruption


def test_a_state_is_for_the_next_fit_only():
    stop, history = callbacks.EarlyStopping("loss", patience=4), callbacks.History()
    state = {
        "wait": 3,
        "stopped_epoch": 0,
        "best": (-1.0).hex(),
        "best_weights": None,
        "best_epoch": 0,
    }
    stop.set_state(state)
    history.set_state({"history": {"loss": [3.0]}, "epoch": [7]})
    fit(make(), [stop, history], epochs=3)
    assert stop.stopped_epoch == 1  # the first epoch never stops training
    assert history.epoch == [7, 0, 1] and history.history["loss"][0] == 3.0
    fit(make(), [stop, history], epochs=2)
    assert stop.best > 0 and history.epoch == [0, 1]


@pytest.mark.parametrize(
    ("callback", "state"),
    [
        (callbacks.Callback(), {"wait": 1}),
        (callbacks.Callback(), None),
        (callbacks.EarlyStopping(), {"wait": 1}),
        (callbacks.History(), []),
        (callbacks.CallbackList([callbacks.History()]), {"callbacks": []}),
    ],
)
def test_a_state_of_something_else(callback, state):
    with pytest.raises(ValueError, match=rf"{type(callback).__name__}.set_state: expected"):
        callback.set_state(state)
