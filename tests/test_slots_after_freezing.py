"""State of optimizers where other weights are trained than at first, through files and states."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dlnative
from dlnative import layers, optimizers, saving
from dlnative.models.training_state import TrainingState

RNG = np.random.default_rng(0)
X = RNG.standard_normal((16, 4)).astype("float32")
Y = RNG.standard_normal((16, 4)).astype("float32")

OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "Adam": lambda: optimizers.Adam(0.01),
    "AMSGrad": lambda: optimizers.Adam(0.01, amsgrad=True),
    "averages": lambda: optimizers.Adam(0.01, use_ema=True),
    "accumulated": lambda: optimizers.SGD(0.01, momentum=0.9, gradient_accumulation_steps=2),
    "centered": lambda: optimizers.RMSprop(0.01, momentum=0.9, centered=True),
    "Nadam": lambda: optimizers.Nadam(0.01),
    "Muon": lambda: optimizers.Muon(0.01),
    "schedule-free": lambda: optimizers.ScheduleFreeAdamW(0.01),
}


def freeze(model: Any, value: bool = False) -> None:
    for layer in model.layers[:2]:
        layer.kernel.trainable = value


def compiled(make: Callable[[], Any], before: Callable[[Any], None] | None = None) -> Any:
    """A model whose layers have weights of the same shapes, so that exchanged slots would fit."""
    dlnative.utils.set_random_seed(0)
    model = dlnative.Sequential([dlnative.Input((4,)), *(layers.Dense(4) for _ in range(3))])
    if before is not None:
        before(model)
    model.compile(make(), "mse")
    model.fit(X, Y, epochs=2, verbose=0)
    return model


def frozen(make: Callable[[], Any]) -> Any:
    model = compiled(make)
    freeze(model)
    return model


def thawed(make: Callable[[], Any]) -> Any:
    model = compiled(make, freeze)
    freeze(model, True)
    return model


def adapted(make: Callable[[], Any]) -> Any:
    model = compiled(make)
    model.layers[1].enable_lora(4)
    return model


def with_averages(make: Callable[[], Any]) -> Any:
    model = compiled(make)
    model.optimizer.use_ema = True
    return model


CASES = {"frozen": frozen, "thawed": thawed, "adapted": adapted, "averages": with_averages}


def loaded_from(model: Any, path: Any) -> Any:
    model.save(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return saving.load_model(path)


def slots(model: Any) -> dict[str, list[np.ndarray]]:
    """{path of a parameter: its slots}, by the way in which an update finds them."""
    optimizer = model.optimizer
    return {
        v.path: [
            kind[index].numpy()
            for _, kind in sorted(optimizer._slots.items())
            if (index := optimizer._get_variable_index(v)) in kind
        ]
        for v in optimizer._trainable_variables
    }


@pytest.mark.parametrize("way", ["m.keras", "folder", "copy", "pickle"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_it_goes_on_with_the_slots_of_the_same_weights(tmp_path, kind, case, way):
    model = CASES[case](OPTIMIZERS[kind])
    model.fit(X, Y, epochs=2, verbose=0)
    if way in ("copy", "pickle"):
        other = copy.deepcopy(model) if way == "copy" else pickle.loads(pickle.dumps(model))
    else:
        other = loaded_from(model, tmp_path / way)
    assert len(other.optimizer.variables) == len(model.optimizer.variables)
    for a, b in zip(slots(model).values(), slots(other).values(), strict=True):
        for ours, theirs in zip(a, b, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    losses = [each.fit(X, Y, epochs=3, verbose=0).history["loss"] for each in (model, other)]
    assert losses[0] == losses[1]
    for ours, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_state_comes_to_the_same_weights(kind):
    """Of a model that began with others than the one that it is put into."""
    model = thawed(OPTIMIZERS[kind])
    model.layers[0].kernel.trainable = False  # not all that the optimizer knows: they stay
    model.fit(X, Y, epochs=2, verbose=0)
    other = compiled(OPTIMIZERS[kind], lambda m: setattr(m.layers[0].kernel, "trainable", False))
    other.layers[0].kernel.trainable = False
    state = TrainingState.of(model)
    state.put_back(other)
    losses = [each.fit(X, Y, epochs=3, verbose=0).history["loss"] for each in (model, other)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("make", [OPTIMIZERS["Adam"], OPTIMIZERS["AMSGrad"]])
def test_a_state_of_another_order(make):
    model, other = compiled(make), compiled(make)
    freeze(model)
    optimizer = model.optimizer
    reverse = list(reversed(optimizer._trainable_variables))
    before = slots(model)
    optimizer.prepare_in_order(reverse)
    assert list(slots(model)) == [v.path for v in reverse]
    for path, each in slots(model).items():
        for ours, theirs in zip(each, before[path], strict=True):
            np.testing.assert_array_equal(ours, theirs)
    TrainingState.of(model).put_back(other)
    losses = [each.fit(X, Y, epochs=3, verbose=0).history["loss"] for each in (model, other)]
    assert losses[0] == losses[1]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["Adam", "AMSGrad", "averages", "centered"])
def test_keras_reads_the_slots_of_the_same_weights(keras, tmp_path, kind):
    model = thawed(OPTIMIZERS[kind])
    model.fit(X, Y, epochs=2, verbose=0)
    model.save(tmp_path / "m.keras")
    theirs = keras.models.load_model(tmp_path / "m.keras")
    again = saving.load_model(tmp_path / "m.keras")
    losses = [
        each.fit(X, Y, epochs=3, shuffle=False, verbose=0).history["loss"]
        for each in (again, theirs)
    ]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


def test_a_learning_rate_that_was_a_function_is_the_second(tmp_path):
    model = compiled(lambda: optimizers.Adam(lambda: 0.01))
    model.optimizer.learning_rate = 0.02
    model.fit(X, Y, verbose=0)
    other = loaded_from(model, tmp_path / "m.keras")
    assert [v.name for v in other.optimizer.variables][:2] == ["iteration", "learning_rate"]
    losses = [each.fit(X, Y, epochs=3, verbose=0).history["loss"] for each in (model, other)]
    assert losses[0] == losses[1]
