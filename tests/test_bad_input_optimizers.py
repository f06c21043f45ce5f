"""Bad options, rates and state of optimizers are named before anything happens."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import Input, Sequential, layers, ops, optimizers

BAD = {
    "SGD": {"loss_scale_factor": 0.0, "clipvalue": -1.0, "ema_momentum": 1.5},
    "Adadelta": {"rho": 1.1, "epsilon": -1.0, "learning_rate": np.inf},
    "Adafactor": {"beta_2_decay": 0.1, "epsilon_1": -1.0, "epsilon_2": -1.0, "clip_threshold": 0},
    "Adam": {"gradient_accumulation_steps": 1, "ema_overwrite_frequency": 0},
    "AdamW": {"weight_decay": -0.1, "gradient_accumulation_steps": 2.0},
    "Adamax": {"beta_1": 1.0, "beta_2": -0.1, "epsilon": np.nan},
    "Ftrl": {
        "learning_rate": 0.0,
        "learning_rate_power": 0.5,
        "initial_accumulator_value": -0.1,
        "l1_regularization_strength": -1,
        "l2_regularization_strength": -1,
        "l2_shrinkage_regularization_strength": -1,
        "beta": -1,
    },
    "Lamb": {"beta_1": 1.0, "beta_2": 1.0, "epsilon": -1e-3},
    "LBFGS": {
        "learning_rate": -1.0,
        "history": 0,
        "line_search": "wolfe",
        "max_evaluations": 0,
        "tolerance_gradient": -1.0,
        "tolerance_change": np.nan,
        "sufficient_decrease": 0.9,
        "curvature": 1e-4,
        "weight_decay": 0.1,
        "clipnorm": 1.0,
        "clipvalue": 1.0,
        "global_clipnorm": 1.0,
        "gradient_accumulation_steps": 2,
    },
    "Lion": {"beta_1": 0.0, "beta_2": 1.5, "weight_decay": -1},
    "Muon": {
        "adam_beta_1": 1.0,
        "adam_beta_2": 1.0,
        "adam_weight_decay": -1,
        "adam_lr_ratio": -1,
        "momentum": 1.5,
        "ns_steps": 1.5,
        "muon_a": np.inf,
        "rms_rate": -0.1,
        "exclude_layers": ["("],
    },
    "Nadam": {"beta_1": 1.0, "beta_2": 1.0, "epsilon": -1},
    "ScheduleFreeAdamW": {"beta_1": 0.0, "beta_2": 1.0, "warmup_steps": -1},
}


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [(name, option, value) for name, given in BAD.items() for option, value in given.items()],
)
def test_an_option_out_of_range(name, option, value):
    make = getattr(optimizers, name)
    message = rf"{name}: .*{option}"
    with pytest.raises(ValueError, match=message):
        make(**{option: value})
    optimizer = make()
    before = optimizer.get_config()
    with pytest.raises(ValueError, match=message):
        setattr(optimizer, option, value)
    assert optimizer.get_config() == before


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("Nadam", "beta_1", "0.9"),
        ("Muon", "nesterov", 1),
        ("Muon", "exclude_layers", "out"),
        ("Adafactor", "relative_step", None),
    ],
)
def test_an_option_of_another_type(name, option, value):
    with pytest.raises(TypeError, match=rf"{name}: .*{option}.*received {value!r}"):
        getattr(optimizers, name)(**{option: value})


@pytest.mark.parametrize("name", sorted(optimizers.CLASSES))
def test_an_unknown_argument(name):
    """A ValueError, as in Keras."""
    message = rf"Unknown argument of {name} 'learning_rat'\. Did you mean 'learning_rate'"
    with pytest.raises(ValueError, match=message):
        getattr(optimizers, name)(learning_rat=0.1)


def test_a_constructor_that_does_not_call_the_base_class():
    class Bad(optimizers.Optimizer):
        def __init__(self):
            self.momentum = 0.9

    with pytest.raises(RuntimeError, match=r"Bad: call super\(\).__init__"):
        Bad()


def state_of(model):
    return [v.numpy() for v in (*model.weights, *model.optimizer.variables)]


class Failing(optimizers.schedules.LearningRateSchedule):
    """A rate that is not one from the third step on, made from the step counter."""

    def __init__(self, value):
        self.value = value

    def __call__(self, step):
        return ops.where(step + 1 > 2, self.value, 0.1)


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("value", [np.nan, -1.0, np.inf])
@pytest.mark.parametrize("name", ["SGD", "Nadam", "Muon"])
def test_a_rate_from_a_schedule_is_looked_at_before_anything_is_written(name, value, engine, rng):
    x, y = rng.normal(size=(8, 3)).astype("float32"), rng.normal(size=(8, 2)).astype("float32")
    with dlnative.engine(engine):
        model = Sequential(
            [Input((3,)), layers.Dense(4), layers.BatchNormalization(), layers.Dense(2)]
        )
        optimizer = getattr(optimizers, name)(Failing(value), use_ema=True, name="mine")
        model.compile(optimizer, "mse")
        model.train_on_batch(x, y)
        model.train_on_batch(x, y)
        before = state_of(model)
        for run in (model.train_on_batch, lambda x, y: model.fit(x, y, verbose=0)):
            with pytest.raises(ValueError, match="the learning rate of 'mine'"):
                run(x, y)
            for a, b in zip(before, state_of(model), strict=True):
                np.testing.assert_array_equal(a, b)


def test_state_that_does_not_fit():
    optimizer = optimizers.Nadam(name="mine")
    with pytest.raises(ValueError, match="'mine': expected 2 arrays.*It is not built yet"):
        optimizer.set_weights([np.zeros(2)] * 5)
    optimizer.apply([np.ones(2)], [np.ones(2)])
    state = [v.numpy() for v in optimizer.variables]
    for value, message in (
        (np.ones(3), r"shape \(2,\) for 'mine/array_0_velocity', received float64 \(3,\)"),
        (np.array(["a", "b"]), r"'mine/array_0_velocity', received <U1 \(2,\)"),
    ):
        bad = [np.zeros(v.shape) for v in state]
        bad[3] = value
        with pytest.raises(ValueError, match=message):
            optimizer.set_weights(bad)
    for a, b in zip(state, optimizer.variables, strict=True):
        np.testing.assert_array_equal(a, b.numpy())


@pytest.mark.parametrize("given", [{"var_names": "gamma"}, {"var_list": [np.ones(3)]}])
def test_what_is_excluded_from_decay_is_a_list(given):
    with pytest.raises(TypeError, match="exclude_from_weight_decay: expected var_"):
        optimizers.SGD(0.1, weight_decay=0.5).exclude_from_weight_decay(**given)
