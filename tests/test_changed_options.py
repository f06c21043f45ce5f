"""What is set after a program was built counts: options of optimizers, penalties, layers."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import dlnative
from dlnative import layers, optimizers, regularizers

X = np.array([[1.0, -2.0], [0.5, 3.0], [2.0, 1.0]])
Y = np.array([[1.0], [-1.0], [0.5]])


def model_with(optimizer):
    model = dlnative.Sequential(
        [dlnative.Input((2,), dtype="float64"), layers.Dense(1, dtype="float64")]
    )
    model.set_weights([np.array([[0.3], [-0.7]]), np.array([0.1])])
    model.compile(optimizer, "mse")
    return model


def fit(model):
    model.fit(X, Y, epochs=2, batch_size=2, shuffle=False, verbose=0)


def on_batch(model):
    for _ in range(3):
        model.train_on_batch(X, Y)


def apply(model):
    for scale in (1.0, -0.5):
        grads = [np.full(v.shape, scale * 0.3) for v in model.trainable_variables]
        model.optimizer.apply(grads, model.trainable_variables)


CHANGES = {
    "weight_decay": (optimizers.SGD, {"weight_decay": 0.3}, {"weight_decay": 0.0}),
    "weight_decay begins": (optimizers.Adam, {}, {"weight_decay": 0.2}),
    "momentum begins": (optimizers.SGD, {}, {"momentum": 0.9}),
    "momentum ends": (optimizers.SGD, {"momentum": 0.9}, {"momentum": 0.0}),
    "nesterov": (optimizers.SGD, {"momentum": 0.9}, {"nesterov": True}),
    "beta_1": (optimizers.Adam, {}, {"beta_1": 0.5}),
    "beta_2": (optimizers.Adam, {}, {"beta_2": 0.5}),
    "epsilon": (optimizers.Adam, {}, {"epsilon": 0.1}),
    "amsgrad begins": (optimizers.Adam, {"beta_2": 0.3}, {"amsgrad": True}),
    "rho": (optimizers.RMSprop, {}, {"rho": 0.5}),
    "centered begins": (optimizers.RMSprop, {}, {"centered": True}),
    "momentum of rmsprop begins": (optimizers.RMSprop, {}, {"momentum": 0.5}),
    "adagrad's epsilon": (optimizers.Adagrad, {}, {"epsilon": 0.5}),
    "clipnorm": (optimizers.SGD, {}, {"clipnorm": 0.01}),
    "clipvalue": (optimizers.SGD, {}, {"clipvalue": 0.01}),
    "global_clipnorm": (optimizers.SGD, {}, {"global_clipnorm": 0.01}),
    "clipnorm ends": (optimizers.SGD, {"clipnorm": 0.01}, {"clipnorm": None}),
}


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("run", [fit, on_batch, apply])
@pytest.mark.parametrize("name", CHANGES)
def test_an_option_set_after_training_counts(name, run, engine):
    """The same as an optimizer of that option from the start that is given the state so far."""
    make, before, after = CHANGES[name]
    with dlnative.engine(engine):
        changed, fresh, unchanged = (model_with(make(0.1, **before)) for _ in range(3))
        for model in (changed, fresh, unchanged):
            run(model)
        for option, value in after.items():
            setattr(changed.optimizer, option, value)
        state = {v.name: v.numpy() for v in fresh.optimizer.variables}
        other = make(0.1, **{**before, **after})
        other.build(fresh.trainable_variables)
        for variable in other.variables:
            if variable.name in state:  # a slot that was not there begins anew
                variable.assign(state[variable.name])
        fresh.compile(other, "mse")
        for model in (changed, fresh, unchanged):
            run(model)
    for a, b in zip(changed.get_weights(), fresh.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(
        (a != b).any() for a, b in zip(changed.get_weights(), unchanged.get_weights(), strict=True)
    )
    kept = changed.optimizer.variables
    if name == "momentum ends":  # its slots stay, unused
        kept = [v for v in kept if not v.name.endswith("momentum")]
    for a, b in zip(kept, fresh.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("run", [fit, on_batch, apply])
def test_exclusion_from_decay_after_training_counts(run):
    decaying, excluded, plain = (
        model_with(optimizers.SGD(0.1, weight_decay=decay)) for decay in (0.3, 0.3, None)
    )
    run(excluded)
    excluded.set_weights(plain.get_weights())
    excluded.optimizer.exclude_from_weight_decay(var_names=["kernel", "bias"])
    for model in (decaying, excluded, plain):
        run(model)
    for a, b in zip(excluded.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (decaying.get_weights()[0] != plain.get_weights()[0]).any()


def test_a_callback_changes_an_option_between_epochs_and_batches():
    class Switch(dlnative.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.optimizer.weight_decay = 0.5

    class SwitchOnBatch(Switch):
        def on_train_batch_end(self, batch, logs=None):
            pass

    results = []
    for callbacks in ([Switch()], [SwitchOnBatch()], None):
        model = model_with(optimizers.SGD(0.1, weight_decay=0.01))
        if callbacks is None:
            fit_once = {"batch_size": 2, "shuffle": False, "verbose": 0}
            model.fit(X, Y, epochs=1, **fit_once)
            model.optimizer.weight_decay = 0.5
            model.fit(X, Y, epochs=1, **fit_once)
        else:
            model.fit(X, Y, batch_size=2, epochs=2, shuffle=False, verbose=0, callbacks=callbacks)
        results.append(model.get_weights())
    for weights in results[:2]:
        for a, b in zip(weights, results[2], strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_layer_frozen_by_a_callback_stays_as_it_is():
    class Freeze(dlnative.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.layers[0].trainable = False
                self.kept = self.model.layers[0].get_weights()

    model = dlnative.Sequential([dlnative.Input((2,)), layers.Dense(3), layers.Dense(1)])
    model.compile("adam", "mse")
    freeze = Freeze()
    model.fit(X, Y, epochs=3, verbose=0, callbacks=[freeze])
    for a, b in zip(model.layers[0].get_weights(), freeze.kept, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("run", [fit, on_batch])
def test_a_penalty_changed_after_training_counts(run):
    results = []
    for late in (True, False):
        penalty = regularizers.L2(0.0 if late else 0.5)
        model = dlnative.Sequential(
            [dlnative.Input((2,)), layers.Dense(1, kernel_regularizer=penalty)]
        )
        start = [np.array([[0.3], [-0.7]], "float32"), np.array([0.1], "float32")]
        model.compile(optimizers.SGD(0.1), "mse")
        run(model)
        penalty.l2 = 0.5
        model.set_weights(start)
        model.layers[0].bias.regularizer = regularizers.L1(0.1)
        run(model)
        results.append(model.get_weights())
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)
    assert regularizers.L2(0.5).l2 == 0.5


def test_gradients_follow_a_changed_layer():
    """`value_and_grad` keeps programs; a rate or a frozen layer makes new ones."""
    model = dlnative.Sequential([dlnative.Input((2,)), layers.Dense(3), layers.Dense(1)])
    gradient = dlnative.value_and_grad(model, "mse")
    assert len(gradient(X, Y)[1]) == 4
    model.layers[0].trainable = False
    assert len(gradient(X, Y)[1]) == 2
    model.layers[1].activation = dlnative.activations.get("tanh")
    model.layers[1].set_weights([np.zeros((3, 1)), np.array([50.0])])
    assert gradient(X, Y)[0] == pytest.approx(((1 - Y) ** 2).mean())


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        ("weight_decay", -1.0, ValueError),
        ("weight_decay", "0.1", TypeError),
        ("momentum", 1.5, ValueError),
        ("momentum", float("nan"), ValueError),
        ("nesterov", "yes", TypeError),
        ("learning_rate", -0.1, ValueError),
        ("clipvalue", 1.0, ValueError),
    ],
)
def test_a_wrong_value_is_refused_and_the_old_one_stays(option, value, error):
    optimizer = optimizers.SGD(0.1, momentum=0.5, clipnorm=1.0)
    before = optimizer.get_config()
    with pytest.raises(error, match=f"SGD: .*{option}"):
        setattr(optimizer, option, value)
    assert optimizer.get_config() == before


def test_slots_that_begin_late_are_copied():
    model = model_with(optimizers.SGD(0.1))
    fit(model)
    model.optimizer.momentum = 0.9
    fit(model)
    copy = pickle.loads(pickle.dumps(model))
    for each in (model, copy):
        fit(each)
    for a, b in zip(model.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_building_and_training_a_model_is_no_change():
    """A model that is made and trained beside another one leaves the other's programs alone."""
    from dlnative import changes

    before = changes.count()
    model = dlnative.Sequential(
        [
            dlnative.Input((2,)),
            layers.Dense(3, kernel_regularizer="l2", trainable=False),
            layers.BatchNormalization(),
            layers.PReLU(),
            layers.Dense(1, kernel_regularizer=regularizers.L1(0.1)),
        ]
    )
    model.compile(optimizers.Adam(0.1, amsgrad=True, clipnorm=1.0), "mse", metrics=["mae"])
    model.fit(X, Y, epochs=2, verbose=0, validation_data=(X, Y))
    model.train_on_batch(X, Y)
    model.predict(X, verbose=0)
    assert changes.count() == before
