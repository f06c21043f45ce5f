"""Every optimizer with every option beside Keras's, step by step; arguments and configurations."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import dlnative
from dlnative import optimizers
from dlnative.variables import Variable

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras with NumPy 2

OWN = {
    "SGD": {"momentum": 0.9, "nesterov": True},
    "Adadelta": {"rho": 0.8, "epsilon": 1e-3},
    "Adafactor": {"beta_2_decay": -0.6, "clip_threshold": 0.7, "relative_step": False},
    "Adagrad": {"initial_accumulator_value": 0.5, "epsilon": 1e-3},
    "Adam": {"amsgrad": True, "beta_1": 0.8},
    "AdamW": {"weight_decay": 0.1},
    "Adamax": {"beta_1": 0.7, "beta_2": 0.8},
    "Ftrl": {
        "learning_rate_power": -0.4,
        "initial_accumulator_value": 0.2,
        "l1_regularization_strength": 1.5,
        "l2_regularization_strength": 0.1,
        "l2_shrinkage_regularization_strength": 0.02,
        "beta": 0.3,
    },
    "Lamb": {"beta_1": 0.8, "epsilon": 1e-2},
    "Lion": {"beta_1": 0.6, "beta_2": 0.8},
    "Muon": {
        "exclude_layers": ["out"],
        "adam_lr_ratio": 0.5,
        "adam_weight_decay": 0.2,
        "momentum": 0.8,
        "nesterov": False,
        "ns_steps": 3,
        "rms_rate": None,
        "muon_a": 3.0,
    },
    "Nadam": {"beta_1": 0.8, "beta_2": 0.9},
    "RMSprop": {"rho": 0.8, "momentum": 0.5, "centered": True},
    "ScheduleFreeAdamW": {"beta_1": 0.8, "warmup_steps": 6},
}
KERAS = sorted(set(optimizers.CLASSES) - {"LBFGS"})
# Every optimizer with all options of the base class; Adam with each alone.
CASES = {
    "own options": None,
    "decay, clipnorm, schedule, average": {
        "weight_decay": 0.3,
        "clipnorm": 1.2,
        "schedule": True,
        "use_ema": True,
        "ema_momentum": 0.6,
    },
    "accumulation, global_clipnorm, scale, average": {
        "gradient_accumulation_steps": 3,
        "global_clipnorm": 1.5,
        "loss_scale_factor": 4.0,
        "weight_decay": 0.1,
        "use_ema": True,
        "ema_momentum": 0.7,
        "ema_overwrite_frequency": 2,
    },
}
ALONE = {
    "plain": {},
    "decay": {"weight_decay": 0.3},
    "clipvalue": {"clipvalue": 0.8},
    "scale": {"loss_scale_factor": 4.0},
    "accumulation": {"gradient_accumulation_steps": 3},
    "accumulation, schedule": {"gradient_accumulation_steps": 3, "schedule": True},
    "average": {"use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 3},
}
SHAPES = {"kernel": (4, 3), "bias": (3,), "conv": (2, 2, 3), "out": (3, 5)}
STEPS = 20


def schedule(base, ops):
    class Falling(base):
        def __call__(self, step):
            return 0.05 / (1.0 + 0.2 * ops.cast(step, "float32"))

    return Falling()


def pair(keras, name, options):
    """Our optimizer and Keras's."""
    options = dict(OWN[name]) if options is None else dict(options)
    rates = {}
    if options.pop("schedule", False):
        for library in (dlnative, keras):
            base = library.optimizers.schedules.LearningRateSchedule
            rates[library] = schedule(base, library.ops)
    return [
        getattr(library.optimizers, name)(learning_rate=rates.get(library, 0.05), **options)
        for library in (dlnative, keras)
    ]


@pytest.mark.parametrize(
    ("name", "case"),
    [
        *((name, case) for name in KERAS for case in CASES),
        *(("Adam", case) for case in ALONE),
    ],
)
def test_as_keras(keras, name, case, rng):
    import jax

    options = {**CASES, **ALONE}[case]
    ours, theirs = pair(keras, name, options)
    values = {key: rng.normal(size=s).astype("float32") for key, s in SHAPES.items()}
    own = [Variable(v, name=key) for key, v in values.items()]
    other = [keras.Variable(v, name=key) for key, v in values.items()]
    own[0].constraint = dlnative.constraints.MinMaxNorm(0.5, 1.0, rate=0.5)
    other[0].constraint = keras.constraints.MinMaxNorm(0.5, 1.0, rate=0.5)
    for optimizer, variables in ((ours, own), (theirs, other)):
        optimizer.build(variables)
        if case.startswith("decay"):
            optimizer.exclude_from_weight_decay(var_list=[variables[3]], var_names=["^bia"])
    # Compiled, since without it Keras compiles its conditions anew in each step.
    step_of_keras = jax.jit(theirs.stateless_apply)
    state, weights = [v.value for v in theirs.variables], [v.value for v in other]
    for step in range(STEPS):
        if step == 10 and not (options or {}).get("schedule"):
            ours.learning_rate = 0.02
            state[1] = np.float32(0.02)
        size = 3.0 if step % 5 == 2 else 1.0
        grads = [size * rng.normal(size=s).astype("float32") for s in SHAPES.values()]
        ours.apply(grads, own)
        weights, state = step_of_keras(state, grads, weights)
    # Keras has 1 - beta_2^t in float32: at first eps / (1 - beta_2) = 6e-5 of a step off.
    atol = 2e-5 if name in ("Adam", "AdamW", "Muon", "Nadam", "Lamb") else 4e-6
    theirs_by_name = list(zip((v.name for v in theirs.variables), state, strict=True))
    if name == "Adafactor":  # without placeholders
        theirs_by_name = [(n, v) for n, v in theirs_by_name if n != "bias"]
    names = ["variable" if n.startswith("variable") else n for n, _ in theirs_by_name]
    assert [v.name for v in ours.variables] == names
    expected = [*weights, *(v for _, v in theirs_by_name)]
    for a, b in zip([*own, *ours.variables], expected, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a.numpy(), np.asarray(b), rtol=4e-5, atol=atol, err_msg=a.name)
    if ours.use_ema:
        ours.finalize_variable_values(own)
        averages = [v for n, v in theirs_by_name if n.endswith("_average")]
        for a, b in zip(own, averages, strict=True):
            np.testing.assert_allclose(a.numpy(), np.asarray(b), rtol=4e-5, atol=atol)


@pytest.mark.parametrize("name", KERAS)
def test_arguments_as_keras(keras, name):
    """Keras's parameters in Keras's order."""
    ours = inspect.signature(getattr(optimizers, name).__init__).parameters
    theirs = inspect.signature(getattr(keras.optimizers, name).__init__).parameters
    expected = [(p.name, p.default) for p in theirs.values() if p.name != "kwargs"]
    assert [(p.name, p.default) for p in ours.values()] == expected


@pytest.mark.parametrize("options", [{}, None], ids=["defaults", "own options"])
@pytest.mark.parametrize("name", KERAS)
def test_configurations_both_ways(keras, name, options):
    ours, theirs = pair(keras, name, options)
    config = keras.optimizers.serialize(theirs)
    read = optimizers.deserialize(config)
    assert type(read) is type(ours)
    expected = {**theirs.get_config(), "learning_rate": pytest.approx(0.05)}
    assert read.get_config() == expected
    back = keras.saving.deserialize_keras_object(optimizers.serialize(read))
    assert type(back) is type(theirs)
    assert back.get_config() == expected
    for word in (name, name.lower(), name.upper()):
        assert type(optimizers.get(word)) is type(ours)
