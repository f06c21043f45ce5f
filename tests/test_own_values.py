"""What layers keep besides their variables goes wherever the state of training goes."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from resumed_runs import alone, assert_same, backup, ending, whole_run  # noqa: F401

import dlnative
from dlnative import layers
from dlnative.models.training_state import TrainingState
from dlnative.saving import folder

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = np.random.default_rng(1).normal(size=(40, 1)).astype("float32")


class Scale(layers.Layer):
    def build(self, shape):
        self.factor = self.add_weight(shape=(), initializer="ones", name="factor")

    def call(self, inputs):
        return inputs * self.factor


@dlnative.saving.register_keras_serializable("own values")
class Remembering(Scale):
    """Keeps a list of numbers besides its weight."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seen = []

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["seen"] = np.array(self.seen)

    def load_own_variables(self, store):
        self.seen = [int(n) for n in store["seen"]]
        super().load_own_variables({"0": store["0"]})


class Notes(dlnative.callbacks.Callback):
    """Has the layer remember each batch."""

    def on_train_batch_end(self, batch, logs=None):
        seen_by(self.model).append(batch)


def make(layer=Remembering):
    inner = dlnative.Sequential([dlnative.Input((3,)), layer()], name="inner")
    model = dlnative.Sequential([dlnative.Input((3,)), inner, layers.Dense(1)])
    model.compile(dlnative.optimizers.SGD(0.1, momentum=0.9), "mse")
    return model


def seen_by(model):
    return model.layers[0].layers[0].seen


@pytest.mark.parametrize("save_freq", [2, "epoch"])
def test_resume(whole_run, tmp_path, save_freq):  # noqa: F811
    def fit(model, checkpoints):
        used = [Notes(), checkpoints]
        history = model.fit(X, Y, batch_size=8, epochs=3, verbose=0, callbacks=used)
        return ending(model, history, used[:1]), seen_by(model)

    (whole, seen), checkpoints = whole_run(make, fit, save_freq)
    assert seen == 3 * [0, 1, 2, 3, 4]
    for part in alone(checkpoints, tmp_path):
        ended, found = fit(make(), backup(part, save_freq))
        assert_same(whole, ended)
        assert found == seen


def test_the_state(tmp_path):
    """It is that of the moment: in memory, and in a folder that is written later."""
    model = make()
    model.fit(X, Y, batch_size=8, verbose=0, callbacks=Notes())
    state = TrainingState.of(model)
    model.fit(X, Y, batch_size=20, verbose=0, callbacks=Notes())
    assert seen_by(model) == [0, 1, 2, 3, 4, 0, 1]

    folder.save(model, tmp_path / "model", state=state)
    saved = folder.load(tmp_path / "model")
    assert seen_by(saved.model) == [0, 1, 2, 3, 4]
    assert saved.state.arrays.keys() == state.arrays.keys()

    other = make()
    saved.state.put_back(other)
    state.put_back(model)
    runs = [m.fit(X, Y, batch_size=8, verbose=0).history for m in (model, saved.model, other)]
    assert runs[0] == runs[1] == runs[2]
    assert seen_by(model) == seen_by(other) == seen_by(copy.deepcopy(model)) == [0, 1, 2, 3, 4]


def test_another_model():
    """What its layers do not keep is not theirs; nothing has been written."""
    state = TrainingState.of(make())
    plain = make(Scale)
    before = plain.get_weights()
    with pytest.raises(ValueError, match="the state is not one of model.*own/./0, own/./seen"):
        state.put_back(plain)
    for one, other in zip(before, plain.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_no_array():
    model = make()
    seen_by(model).append("a")
    with pytest.raises(ValueError, match="expected save_own_variables to keep arrays of numbers"):
        TrainingState.of(model)
