"""Copies and pickles of models, some of whose weights have been frozen: the order of variables."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dlnative
from dlnative import layers, saving

RNG = np.random.default_rng(0)
X = RNG.standard_normal((16, 4)).astype("float32")
Y = RNG.standard_normal((16, 4)).astype("float32")


@saving.register_keras_serializable()
class Scaled(layers.Layer):
    """x a + b, where the two have one shape."""

    def build(self, input_shape):
        self.a = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="a")
        self.b = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="b")

    def call(self, inputs):
        return inputs * self.a + self.b


@saving.register_keras_serializable()
class Holder(layers.Layer):
    """Variables that come as attributes and in a list, and a layer."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = dlnative.Variable(np.ones(4), name="first")
        self.rest = [dlnative.Variable(np.full(4, i + 2.0), name=f"rest_{i}") for i in range(2)]
        self.inner = Scaled(name="inner")

    def call(self, inputs):
        return self.inner(inputs * self.first) * self.rest[0] + self.rest[1]


def frozen(*numbers: int) -> Callable[[Any], None]:
    """Freezes the weights of these numbers, one by one."""

    def change(layer: Any) -> None:
        weights = layer.weights
        for number in numbers:
            weights[number].trainable = False

    return change


def as_a_whole(layer: Any) -> None:
    layer.trainable = False


def thawed(layer: Any) -> None:
    as_a_whole(layer)
    layer.trainable = True


def adapted(layer: Any) -> None:
    layer.enable_lora(2)


def replaced(layer: Any) -> None:
    """An attribute with another variable, which comes frozen, in the place of the first."""
    layer.first = dlnative.Variable(np.full(4, 7.0), trainable=False, name="other")
    layer.first.trainable = True


CASES = {
    "the kernel": (lambda: layers.Dense(4), frozen(0)),
    "the bias": (lambda: layers.Dense(4), frozen(1)),
    "all of a layer": (lambda: layers.Dense(4), as_a_whole),
    "thawed": (lambda: layers.BatchNormalization(), thawed),
    "low rank": (lambda: layers.Dense(4), adapted),
    "low rank of the constructor": (lambda: layers.Dense(4, lora_rank=2), frozen()),
    "low rank, a frozen": (lambda: layers.Dense(4, lora_rank=2), frozen(2)),
    "gamma": (lambda: layers.BatchNormalization(), frozen(0)),
    "beta": (lambda: layers.BatchNormalization(), frozen(1)),
    "gamma of a layer": (lambda: layers.LayerNormalization(), frozen(0)),
    "one of two alike": (Scaled, frozen(0)),
    "made in a frozen layer": (lambda: Scaled(trainable=False), frozen()),
    "within a wrapper": (lambda: layers.SpectralNormalization(layers.Dense(4)), frozen(0)),
    "variables of the user's": (Holder, frozen(0, 2, 3)),
}
COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "old pickle": lambda model: pickle.loads(pickle.dumps(model, 2)),
    "twice": lambda model: pickle.loads(pickle.dumps(copy.deepcopy(model))),
}


def trained(case: str) -> Any:
    make, change = CASES[case]
    dlnative.utils.set_random_seed(0)
    model = dlnative.Sequential([dlnative.Input((4,)), layers.Dense(4), make(), layers.Dense(4)])
    change(model.layers[1])
    model.compile("adam", "mse")
    model.fit(X, Y, epochs=2, verbose=0)
    return model


def order(model: Any) -> dict[str, Any]:
    """Paths of all variables, and how the optimizer's slots belong to them."""
    names = ("weights", "variables", "trainable_weights", "non_trainable_weights")
    found = {
        (each.name, name): [v.path for v in getattr(each, name)]
        for each in (model, *model.layers)
        for name in names
    }
    optimizer = model.optimizer
    found["slots"] = [v.path for v in optimizer.variables]
    found["parameters"] = [v.path for v in optimizer._trainable_variables]
    return found


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("case", CASES)
def test_a_copy_has_the_order_of_the_original(case, how, tmp_path):
    model = trained(case)
    expected = model.predict(X, verbose=0)
    before = order(model)
    made = COPIES[how](model)
    assert order(made) == before == order(model)
    for ours, theirs in zip(model.get_weights(), made.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # Values by their order, both ways.
    made.set_weights(model.get_weights())
    np.testing.assert_array_equal(made.predict(X, verbose=0), expected)
    model.set_weights(made.get_weights())
    np.testing.assert_array_equal(model.predict(X, verbose=0), expected)
    # Files that the copy writes.
    made.save(tmp_path / "m.keras")
    made.save_weights(tmp_path / "m.weights.h5")
    tolerance = 1e-6 if "low rank" in case else 0.0
    loaded = saving.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(loaded.predict(X, verbose=0), expected, atol=tolerance)
    model.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, atol=tolerance)


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("case", CASES)
def test_a_copy_goes_on_as_the_original(case, how):
    model = trained(case)
    made = COPIES[how](model)
    for each in (model, made):
        each.layers[1].trainable = False
        each.layers[1].trainable = True  # what was made to be trained is again
    assert order(made) == order(model)
    losses = [each.fit(X, Y, epochs=3, verbose=0).history["loss"] for each in (model, made)]
    assert losses[0] == losses[1]
    assert order(made) == order(model)


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_is_adapted_as_the_original(how):
    model = trained("the bias")
    made = COPIES[how](model)
    assert made.layers[1].weights[0].path == model.layers[1].weights[0].path
    for each in (model, made):
        each.layers[1].enable_lora(2)
        each.layers[1].bias.trainable = True
        each.compile("adam", "mse")
    assert order(made)[made.name, "weights"] == order(model)[model.name, "weights"]
    again = COPIES[how](made)
    assert order(again)[again.name, "weights"] == order(model)[model.name, "weights"]


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_forgets_what_is_replaced(how):
    dlnative.utils.set_random_seed(0)
    layer = Holder()
    made = COPIES[how](layer)
    for each in (layer, made):
        replaced(each)
        each(X)
    names = [v.name for v in layer.weights]
    assert names == [v.name for v in made.weights]
    assert "first" not in names and names.index("other") == 2  # after those that are trained
    scaled = dlnative.Sequential([dlnative.Input((4,)), Scaled()]).layers[0]
    made = COPIES[how](scaled)
    for each in (scaled, made):
        each.__dict__["_locked"] = False
        each.a = dlnative.Variable(np.ones(4), name="c")
        assert [v.name for v in each.weights] == ["c", "b"]


def users_layer(library: Any) -> Any:
    """A layer whose variables come trainable or not, and are frozen before anybody looks."""

    class Own(library.layers.Layer):
        def __init__(self):
            super().__init__()
            for name, trainable in (("a", False), ("b", True), ("c", True)):
                made = library.Variable(np.ones(4), trainable=trainable, name=name)
                setattr(self, name, made)
            self.b.trainable = False
            self.a.trainable = True
            self.d = self.add_weight(shape=(4,), trainable=False, name="d")
            self.e = self.add_weight(shape=(4,), name="e")
            self.e.trainable = False

        def call(self, inputs):
            return inputs * self.a

    return Own()


OF_KERAS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], None]]] = {
    "variables of the user's": (users_layer, frozen()),
    "frozen afterwards": (users_layer, frozen(0, 2)),
    "kernel": (lambda library: library.layers.Dense(4), frozen(0)),
    "bias": (lambda library: library.layers.Dense(4), frozen(1)),
    "low rank": (lambda library: library.layers.Dense(4), adapted),
    "gamma": (lambda library: library.layers.BatchNormalization(), frozen(0)),
    "frozen from the start": (lambda library: library.layers.Dense(4, trainable=False), frozen()),
    "thawed": (lambda library: library.layers.BatchNormalization(), thawed),
}


@pytest.mark.parametrize("case", OF_KERAS)
def test_the_order_is_that_of_keras(keras, case):
    make, change = OF_KERAS[case]
    found = []
    for library in (keras, dlnative):
        layer = make(library)
        model = library.Sequential([library.Input((4,)), layer])
        change(layer)
        for each in (layer, *([copy.deepcopy(model).layers[0]] if library is dlnative else ())):
            lists = (each.weights, each.trainable_weights, each.non_trainable_weights)
            found.append([[v.name for v in variables] for variables in lists])
    assert found[1] == found[0]
    assert found[2] == found[0]
