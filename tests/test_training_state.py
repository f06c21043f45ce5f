"""TrainingState, pickles and copies: a model goes on as the one it was taken from."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest
from trained_models import MODELS, default, fitted, same

import dlnative
from dlnative import Input, Sequential, layers
from dlnative.models.training_state import TrainingState


def by_state(model, make):
    other = make()
    TrainingState.of(model).put_back(other)
    return other


WAYS = {
    "pickle": lambda model, make: pickle.loads(pickle.dumps(model)),
    "deepcopy": lambda model, make: copy.deepcopy(model),
    "state": by_state,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", MODELS)
def test_goes_on_as_the_other(case, way):
    dlnative.utils.set_random_seed(11)
    model = MODELS[case]()
    fitted(model)
    other = WAYS[way](model, MODELS[case])
    same(model, other)
    histories = [fitted(each) for each in (model, other)]
    assert histories[0] == histories[1]
    same(model, other)


def test_the_global_stream_belongs_to_it():
    dlnative.utils.set_random_seed(3)
    model = default("sgd")
    fitted(model)
    state = TrainingState.of(model)
    first = layers.Dense(3, kernel_initializer="normal")
    first.build((None, 2))
    state.put_back(model)
    second = layers.Dense(3, kernel_initializer="normal")
    second.build((None, 2))
    np.testing.assert_array_equal(first.kernel.numpy(), second.kernel.numpy())


def test_it_is_a_copy_of_plain_values():
    model = default("adam")
    fitted(model)
    state = TrainingState.of(model)
    json.dumps(state.values)
    before = {name: array.copy() for name, array in state.arrays.items()}
    fitted(model)
    for name, array in state.arrays.items():
        np.testing.assert_array_equal(array, before[name])
    kinds = {name.partition("/")[0] for name in before}
    assert kinds == {"weights", "optimizer", "metrics", "training"}


def test_a_state_of_another_model():
    model = default("adam")
    fitted(model)
    state = TrainingState.of(model)
    other = Sequential([Input((4,)), layers.Dense(2)])
    other.compile("adam", "mse")
    before = other.get_weights()
    with pytest.raises(ValueError, match="not one of model .*the model lacks weights"):
        state.put_back(other)
    for a, b in zip(other.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    wider = default("adam")
    state.arrays["weights/0/kernel"] = np.zeros((4, 9), "float32")
    with pytest.raises(ValueError, match=r"expected weights/0/kernel of shape \(4, 8\)"):
        state.put_back(wider)
