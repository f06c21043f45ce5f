"""Operation, Function, KerasTensor, name_scope: pieces of graphs beside layers and models."""

import copy

import numpy as np
import pytest

import dlnative
from dlnative import Function, Input, KerasTensor, Model, Operation, Variable, layers, ops


class Scale(Operation):
    def __init__(self, factor, name=None):
        super().__init__(name=name)
        self.factor = factor

    def call(self, x):
        return x * self.factor


def test_an_operation_on_arrays_and_in_a_model(engine):
    scale = Scale(3.0)
    np.testing.assert_array_equal(scale(np.ones(2, np.float32)), [3.0, 3.0])
    x = Input((2,))
    model = Model(x, layers.Dense(1)(scale(x)))
    assert [type(layer).__name__ for layer in model.layers] == ["InputLayer", "Dense"]
    assert scale in model.operations
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
    assert Scale.from_config(scale.get_config()).factor == 3.0


def test_a_function_of_tensors_that_no_layer_has_made(engine):
    x, y = KerasTensor((None, 3)), KerasTensor((None, 3), "float32", name="second")
    function = Function([x, y], {"sum": x + y, "product": ops.multiply(x, y)})
    a, b = np.full((2, 3), 2.0, np.float32), np.full((2, 3), 5.0, np.float32)
    result = function([a, b])
    np.testing.assert_array_equal(result["sum"], a + b)
    np.testing.assert_array_equal(result["product"], a * b)
    assert function.compute_output_shape([(4, 3), (4, 3)]) == {"sum": (4, 3), "product": (4, 3)}
    assert [t.shape for t in function.inputs] == [(None, 3), (None, 3)]
    assert len(function.operations) == 4


def test_a_function_within_a_model_trains_its_layers(engine):
    x = KerasTensor((None, 3))
    dense = layers.Dense(2)
    function = Function(x, dense(x))
    inputs = Input((3,))
    model = Model(inputs, function(inputs))
    before = dense.get_weights()[0]
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    assert not np.array_equal(before, dense.get_weights()[0])
    np.testing.assert_allclose(
        function(np.ones((1, 3), np.float32)), dense(np.ones((1, 3), np.float32)), rtol=1e-6
    )


def test_what_is_no_function():
    x, y = KerasTensor((None, 3)), KerasTensor((None, 3))
    with pytest.raises(ValueError, match="the outputs also depend on"):
        Function(x, x + y)
    with pytest.raises(TypeError, match="expected inputs to be symbolic tensors"):
        Function(np.ones(3), x)
    with pytest.raises(ValueError, match="expected 1 inputs"):
        Function(x, ops.exp(x))([np.ones((1, 3)), np.ones((1, 3))])


def test_keras_tensors_are_symbolic():
    x = Input((3,))
    assert isinstance(x, KerasTensor)
    assert dlnative.utils.is_keras_tensor(x)
    assert not dlnative.utils.is_keras_tensor(np.ones(3))
    hidden = layers.Dense(2)(x)
    other = Input((2,))
    assert dlnative.utils.get_source_inputs(hidden + other) == [x, other]
    assert dlnative.utils.get_source_inputs(5) == 5
    assert Input(tensor=KerasTensor((None, 4))).shape == (None, 4)


def test_name_scopes(judge_paths):
    with dlnative.name_scope("a"):
        with dlnative.name_scope("b"):
            paths = [Variable([1.0], name="v").path]
            dense = layers.Dense(2, name="d")
            dense.build((None, 3))
            paths += [w.path for w in dense.weights]
        late = layers.Dense(2, name="e")
    late.build((None, 3))
    paths += [w.path for w in late.weights]

    class Own(layers.Layer):
        def build(self, shape):
            with dlnative.name_scope("inner"):
                self.w = self.add_weight(shape=(2,), name="w")
                self.dense = layers.Dense(2, name="d2")
                self.dense.build((None, 2))

    own = Own(name="m")
    own.build((None, 2))
    paths += [w.path for w in own.weights]
    assert paths == judge_paths
    with pytest.raises(ValueError, match="a name without '/'"):
        dlnative.name_scope("a/b")


@pytest.fixture
def judge_paths():
    keras = pytest.importorskip("keras")
    with keras.name_scope("a"):
        with keras.name_scope("b"):
            paths = [keras.Variable([1.0], name="v").path]
            dense = keras.layers.Dense(2, name="d")
            dense.build((None, 3))
            paths += [w.path for w in dense.weights]
        late = keras.layers.Dense(2, name="e")
    late.build((None, 3))
    paths += [w.path for w in late.weights]

    class Own(keras.layers.Layer):
        def build(self, shape):
            with keras.name_scope("inner"):
                self.w = self.add_weight(shape=(2,), name="w")
                self.dense = keras.layers.Dense(2, name="d2")
                self.dense.build((None, 2))

    own = Own(name="m")
    own.build((None, 2))
    return paths + [w.path for w in own.weights]


def test_copies_of_models_with_operations(engine):
    x = Input((2,))
    model = Model(x, layers.Dense(1)(Scale(2.0)(x)))
    data = np.ones((3, 2), np.float32)
    np.testing.assert_array_equal(copy.deepcopy(model)(data), model(data))
