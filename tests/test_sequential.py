"""Stacks of layers and subclassed models: how they are built, changed, and left as they were."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import Input, Model, Sequential, layers


def values(*shape, seed=0):
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape).astype("float32")


def test_stack_is_built_as_layers_are_added(engine):
    model = Sequential(name="s")
    assert not model.built
    model.add(Input((4,)))
    model.add(layers.Dense(3))
    assert model.built
    assert len(model.weights) == 2
    model.add(layers.Dense(2))
    assert model.output_shape == (None, 2)
    assert len(model.layers) == 2
    last = model.pop()
    assert last.units == 2
    assert model.output_shape == (None, 3)
    assert len(model.weights) == 2
    model.add(layers.Dense(5, activation="relu"))
    assert model(values(2, 4)).shape == (2, 5)
    assert model.input_shape == (None, 4)
    assert model.weights[0].path.startswith("s/dense")


def test_stack_is_built_by_the_first_data(engine):
    model = Sequential([layers.Dense(3), layers.Dense(2)])
    assert not model.built
    assert model.weights == []
    with pytest.raises(AttributeError, match="not built"):
        model.output_shape  # noqa: B018
    with pytest.raises(ValueError, match="not built"):
        model.count_params()
    assert model(values(7, 4)).shape == (7, 2)
    assert model.input_shape == (None, 4)
    assert model.count_params() == 15 + 8
    assert model(values(3, 4)).shape == (3, 2)
    other = Sequential([layers.Dense(3)])
    other.build((None, 6))
    assert other.count_params() == 21


def test_stack_of_models(engine):
    inner = Sequential([Input((4,)), layers.Dense(3)], name="inner")
    outer = Sequential([inner, layers.Dense(2)], name="outer")
    assert outer.built
    assert outer.output_shape == (None, 2)
    assert outer(values(2, 4)).shape == (2, 2)
    assert [v.path.split("/")[0] for v in outer.weights] == ["inner", "inner", "outer", "outer"]


def test_stack_with_input_shape_of_the_first_layer():
    model = Sequential([layers.Dense(3, input_shape=(4,)), layers.Dense(2)])
    assert model.input_shape == (None, 4)
    assert Sequential([layers.Dense(3, input_dim=5)]).count_params() == 18


def test_stack_of_merging_layers_takes_a_list(engine):
    model = Sequential([layers.Add(), layers.Dense(2)])
    assert model([values(3, 4), values(3, 4)]).shape == (3, 2)
    assert model.count_params() == 10


def test_empty_and_input_only_stacks():
    with pytest.raises(ValueError, match="has no layers"):
        Sequential(name="s").build((None, 3))
    model = Sequential([Input((3,))])
    assert model.layers == []
    with pytest.raises(ValueError, match="no layer to remove"):
        model.pop()


STACK_ERRORS = [
    (lambda: Sequential(["relu"]), TypeError, "expected a layer, received 'relu'"),
    (lambda: Sequential([layers.Dense(2)(Input((3,)))]), TypeError, r"not add\(layer\(x\)\)"),
    (
        lambda: Sequential([layers.Dense(2, name="d"), layers.Dense(2, name="d")]),
        ValueError,
        "the name 'd' belongs to a layer already",
    ),
    (lambda: Sequential([Input((3,)), Input((3,))]), ValueError, "has the Input"),
    (lambda: Sequential([layers.Dense(2), Input((3,))]), ValueError, "must come first"),
    (lambda: Sequential([Input((3,))]).build((None, 4)), ValueError, "cannot be built with"),
    (lambda: Sequential([Input((6,)), layers.Reshape((4,))]), ValueError, "cannot give 6 values"),
]


@pytest.mark.parametrize("number", range(len(STACK_ERRORS)))
def test_bad_stacks(number):
    make, error, words = STACK_ERRORS[number]
    with pytest.raises(error, match=words):
        make()


def test_failed_add_leaves_the_stack_as_it_was(engine):
    model = Sequential([Input((6,)), layers.Dense(4, name="d")])
    before = model(np.ones((1, 6)))
    reshape = layers.Reshape((5,))
    with pytest.raises(ValueError, match="(?s)Reshape.*> Reshape"):
        model.add(reshape)
    assert [layer.name for layer in model.layers] == ["d"]
    assert model.built
    np.testing.assert_array_equal(model(np.ones((1, 6))), before)
    model.add(layers.Reshape((2, 2)))
    assert model.output_shape == (None, 2, 2)


def test_failed_build_by_data_leaves_the_stack_unbuilt():
    model = Sequential([layers.Dense(4, name="first"), layers.Reshape((3,)), layers.Dense(1)])
    with dlnative.engine("numpy"):
        with pytest.raises(ValueError, match=r"(?s)Reshape.*Dense 'first' +\(batch, 4\)"):
            model(np.ones((2, 6)))
        assert not model.built
        assert not any(layer.built for layer in model.layers)
        assert model.weights == []
        assert len(model.layers) == 3
        with pytest.raises(ValueError, match="Reshape"):
            model.build((None, 7))
        assert model.weights == []


# --- subclassed ----------------------------------------------------------------------------------


class Net(Model):
    def __init__(self, width=4, **kwargs):
        super().__init__(**kwargs)
        self.hidden = layers.Dense(width, activation="relu")
        self.drop = layers.Dropout(0.5)
        self.head = layers.Dense(2)

    def call(self, inputs, training=None):
        return self.head(self.drop(self.hidden(inputs), training=training))


def test_subclassed_model(engine):
    model = Net(name="net")
    assert not model.built
    assert model(values(3, 5)).shape == (3, 2)
    assert model.built
    assert model.count_params() == 24 + 10
    assert len(model.layers) == 3
    assert [v.path.split("/")[0] for v in model.weights] == ["net"] * 4
    assert model.get_config()["width"] == 4
    other = Net()
    other.build((None, 5))
    assert other.count_params() == 34
    x = Input((5,))
    assert Model(x, model(x)).output_shape == (None, 2)


def test_subclassed_model_without_call():
    class Empty(Model):
        pass

    with pytest.raises(NotImplementedError, match="must implement call"):
        Empty()(values(2, 2))
