"""What a hook reads and changes in the middle of an epoch: it counts from the next step on."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import layers

X = np.random.default_rng(0).normal(size=(12, 4)).astype("float32")
Y = np.random.default_rng(1).normal(size=(12, 2)).astype("float32")


def make():
    inner = dlnative.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(5, activation="tanh"),
            layers.BatchNormalization(name="bn"),
        ],
        name="inner",
    )
    x = layers.Input((4,))
    dropped = layers.Dropout(0.0, seed=1, name="dropout")(inner(x))
    model = dlnative.Model(x, layers.Dense(2, name="last")(dropped))
    rng = np.random.default_rng(2)
    model.set_weights([rng.uniform(0.1, 1, w.shape) for w in model.get_weights()])
    model.compile(dlnative.optimizers.SGD(0.1, momentum=0.9), "mse", metrics=["mae"])
    return model


def set_on(path, attribute, value):
    """Sets an attribute of the model or of what it has under a name."""

    def change(model):
        owner = model
        for name in filter(None, path.split("/")):
            owner = owner.optimizer if name == "optimizer" else owner.get_layer(name)
        setattr(owner, attribute, value() if callable(value) else value)

    return change


CHANGES = {
    "weights": lambda model: model.set_weights([w * 0.5 for w in model.get_weights()]),
    "a weight": lambda model: model.get_layer("last").kernel.assign(np.ones((5, 2))),
    "slots": lambda model: [v.assign(np.zeros(v.shape)) for v in model.optimizer.variables[2:]],
    "rate": set_on("optimizer", "learning_rate", 0.01),
    "momentum": set_on("optimizer", "momentum", 0.1),
    "clipping": set_on("optimizer", "clipnorm", 0.01),
    "decay": set_on("optimizer", "weight_decay", 0.1),
    "optimizer": set_on("", "optimizer", lambda: dlnative.optimizers.Adam(0.01)),
    "optimizer by name": set_on("", "optimizer", "adagrad"),
    "frozen layer": set_on("last", "trainable", False),
    "frozen model": set_on("inner", "trainable", False),
    "frozen normalization": set_on("inner/bn", "trainable", False),
    "statistics": set_on("inner/bn", "momentum", 0.5),
    "dropout": set_on("dropout", "rate", 0.5),
    "activation": set_on("last", "activation", lambda: dlnative.activations.tanh),
    "penalty": set_on("last", "kernel_regularizer", lambda: dlnative.regularizers.L2(0.1)),
    "op by op": set_on("", "run_eagerly", True),
}


class Changing(dlnative.callbacks.Callback):
    """Changes something at a batch, and notes weights and losses after each."""

    def __init__(self, change, hook, number):
        super().__init__()
        self.change, self.hook, self.number = change, hook, number
        self.weights, self.losses = [], []

    def on_train_batch_begin(self, batch, logs=None):
        if self.hook == "begin" and batch == self.number:
            self.change(self.model)

    def on_train_batch_end(self, batch, logs=None):
        self.weights.append(self.model.get_weights())
        self.losses.append(logs["loss"])
        if self.hook == "end" and batch == self.number:
            self.change(self.model)


def steps(change, number):
    """Weights after each of six single steps; the change comes before one of them."""
    model = make()
    weights = []
    for batch in range(6):
        if batch == number:
            change(model)
        rows = slice(2 * batch, 2 * batch + 2)
        model.train_on_batch(X[rows], Y[rows])
        weights.append(model.get_weights())
    return weights


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_counts_from_the_next_step_on(name):
    change = CHANGES[name]
    expected = steps(change, 3)
    if name != "op by op":
        unchanged = steps(lambda model: None, 3)
        same = [np.array_equal(a[0], b[0]) for a, b in zip(expected, unchanged, strict=True)]
        later = [np.array_equal(a[-3], b[-3]) for a, b in zip(expected, unchanged, strict=True)]
        assert all(same[:3]) and not all(same + later)
    for hook, number in (("begin", 3), ("end", 2)):
        model, callback = make(), Changing(change, hook, number)
        model.fit(X, Y, batch_size=2, shuffle=False, verbose=0, callbacks=[callback])
        last = callback.weights[-1]
        for batch, (got, want) in enumerate(zip(callback.weights, expected, strict=True)):
            if hook == "end" and batch == number:
                continue  # noted before the change
            for a, b in zip(got, want, strict=True):
                np.testing.assert_array_equal(a, b, err_msg=f"{name} at {hook}, batch {batch}")
        for a, b in zip(model.get_weights(), last, strict=True):
            np.testing.assert_array_equal(a, b)


def test_metrics_that_a_hook_resets():
    kept = Changing(lambda model: None, "end", 2)
    reset = Changing(lambda model: model.reset_metrics(), "end", 2)
    for callback in (kept, reset):
        make().fit(X, Y, batch_size=2, shuffle=False, verbose=0, callbacks=[callback])
    np.testing.assert_allclose(
        np.mean(reset.losses[5]) * 3, kept.losses[5] * 6 - kept.losses[2] * 3, rtol=1e-5
    )


def test_what_compile_was_given_can_be_set_later():
    model = make()
    assert (model.run_eagerly, model.steps_per_execution) == (False, 1)
    model.steps_per_execution = 4
    seen = []
    callback = dlnative.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(batch)
    )
    model.fit(X, Y, batch_size=2, verbose=0, callbacks=[callback])
    assert seen == [3, 7]
    model.optimizer = "adam"
    assert model.get_compile_config()["optimizer"]["class_name"] == "Adam"
    with pytest.raises(ValueError, match="steps_per_execution"):
        model.steps_per_execution = 0
    with pytest.raises(TypeError, match="run_eagerly"):
        model.run_eagerly = "yes"
    with pytest.raises(TypeError, match="optimizer"):
        model.optimizer = 3
    with pytest.raises(RuntimeError, match="compile"):
        dlnative.Sequential([layers.Dense(1)]).run_eagerly = True
