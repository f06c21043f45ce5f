"""Layers: what they compute, what they own, how they are built, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import Input, layers, ops
from dlnative.graph import Graph, Tensor
from dlnative.layers.calls import CACHED_PROGRAMS


def values(*shape, seed=0):
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape).astype("float32")


# --- numbers --------------------------------------------------------------------------------------

X = (5, 4, 6)


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


FORMULAS = [  # a layer, shapes of its inputs, and the same in NumPy
    (layers.ReLU(), [X], lambda x: np.maximum(x, 0)),
    (
        layers.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.2),
        [X],
        lambda x: np.where(x >= 1, 1, np.where(x >= 0.2, x, 0.1 * (x - 0.2))),
    ),
    (layers.LeakyReLU(), [X], lambda x: np.where(x > 0, x, 0.3 * x)),
    (layers.ELU(0.5), [X], lambda x: np.where(x > 0, x, 0.5 * (np.exp(x) - 1))),
    (layers.PReLU(alpha_initializer="ones"), [X], lambda x: x),
    (layers.Softmax(), [X], lambda x: softmax(x, -1)),
    (layers.Softmax(axis=1), [X], lambda x: softmax(x, 1)),
    (layers.Flatten(), [X], lambda x: x.reshape(5, 24)),
    (
        layers.Flatten(data_format="channels_first"),
        [X],
        lambda x: x.transpose(0, 2, 1).reshape(5, 24),
    ),
    (layers.Flatten(), [(5,)], lambda x: x.reshape(5, 1)),
    (layers.Reshape((3, -1)), [X], lambda x: x.reshape(5, 3, 8)),
    (layers.Permute((2, 1)), [X], lambda x: x.transpose(0, 2, 1)),
    (layers.Rescaling(2.0, offset=-1.0), [X], lambda x: 2 * x - 1),
    (layers.Rescaling(np.arange(6), offset=0.5), [X], lambda x: x * np.arange(6) + 0.5),
    (layers.Identity(), [X], lambda x: x),
    (layers.Add(), [X, X, X], lambda a, b, c: a + b + c),
    (layers.Add(), [X, (5, 1, 6)], lambda a, b: a + b),
    (layers.Add(), [(5, 6), X], lambda a, b: a[:, None] + b),
    (layers.Subtract(), [X, X], lambda a, b: a - b),
    (layers.Multiply(), [X, X, X], lambda a, b, c: a * b * c),
    (layers.Average(), [X, X, X], lambda a, b, c: (a + b + c) / 3),
    (layers.Concatenate(), [X, (5, 4, 2)], lambda a, b: np.concatenate([a, b], -1)),
    (layers.Concatenate(axis=1), [X, (5, 3, 6)], lambda a, b: np.concatenate([a, b], 1)),
]


@pytest.mark.parametrize("number", range(len(FORMULAS)))
def test_layer_follows_its_formula(engine, number):
    layer, shapes, formula = FORMULAS[number]
    arrays = [values(*shape, seed=i) for i, shape in enumerate(shapes)]
    expected = formula(*arrays)
    result = layer(arrays[0] if len(arrays) == 1 else arrays)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)
    inputs = [Input(shape[1:]) for shape in shapes]
    assert layer(inputs[0] if len(inputs) == 1 else inputs).shape == (None, *expected.shape[1:])


def test_dense_follows_its_formula(engine):
    for shape in ((5, 6), X, (2, 3, 4, 6)):
        layer = layers.Dense(3, activation="tanh", bias_initializer="ones")
        x = values(*shape)
        result = layer(x)
        np.testing.assert_allclose(
            result, np.tanh(x @ layer.kernel.numpy() + 1), rtol=1e-5, atol=1e-6
        )
    plain = layers.Dense(3, use_bias=False)
    np.testing.assert_allclose(plain(x), x @ plain.kernel.numpy(), rtol=1e-5, atol=1e-6)
    assert len(plain.weights) == 1


def test_functions_that_merge():
    a, b = Input((3,)), Input((3,))
    for name in ("add", "subtract", "multiply", "average"):
        assert getattr(layers, name)([a, b], name=f"my_{name}").shape == (None, 3)
    assert layers.concatenate([a, b], axis=1).shape == (None, 6)


# --- the three ways to call ----------------------------------------------------------------------


def test_call_on_symbolic_tensor_records_the_layer():
    x = Input((6,))
    layer = layers.Dense(3)
    y = layer(x)
    assert y.shape == (None, 3)
    assert y.graph is None
    call, index = y.history
    assert call.layer is layer
    assert index == 0
    assert call.inputs == [x]
    assert layer.input is x
    assert layer.output is y
    assert layer.kernel.shape == (6, 3)


def test_call_in_a_graph_names_nodes_after_the_layer():
    graph = Graph(training=False)
    block = layers.Dense(3, activation="relu", name="head")
    y = block(graph.feed((2, 6), "float32"))
    assert y.shape == (2, 3)
    assert {node.scope for node in graph.nodes} == {"head"}
    assert graph.scope is None


def test_call_on_arrays(engine):
    layer = layers.Dense(3, kernel_initializer="ones")
    expected = np.full((2, 3), 6.0, "float32")
    for x in (np.ones((2, 6)), np.ones((2, 6), "int8"), [[1.0] * 6] * 2, np.ones((2, 6), bool)):
        result = layer(x)
        np.testing.assert_array_equal(result, expected)
        assert result.dtype == np.float32
    strided = np.ones((4, 12))[::2, ::2]
    np.testing.assert_array_equal(layer(strided), expected)


def test_results_of_calls_do_not_share_memory(engine):
    layer = layers.Dense(3)
    first = layer(np.ones((2, 4)))
    kept = first.copy()
    layer(np.zeros((2, 4)))
    np.testing.assert_array_equal(first, kept)
    x = np.ones((2, 2), "float32")
    y = layers.Identity()(x)
    y[...] = 0
    np.testing.assert_array_equal(x, np.ones((2, 2)))


def test_program_is_kept_for_the_next_call(monkeypatch):
    built = []
    original = dlnative.engines.build
    monkeypatch.setattr(
        dlnative.engines, "build", lambda *a, **k: built.append(1) or original(*a, **k)
    )
    layer = layers.Dense(3)
    with dlnative.engine("numpy"):
        layer(np.ones((2, 4)))
        layer(np.zeros((2, 4)))
        assert len(built) == 1
        layer.set_weights([np.ones((4, 3)), np.ones(3)])
        np.testing.assert_array_equal(layer(np.ones((2, 4))), np.full((2, 3), 5.0))
        assert len(built) == 1
        layer(np.ones((3, 4)))
        assert len(built) == 2
        layer.activation = dlnative.activations.get("tanh")  # what it computes has changed
        np.testing.assert_allclose(layer(np.ones((2, 4))), np.tanh(np.full((2, 3), 5.0)), rtol=1e-6)
        for rows in range(5, 10 + CACHED_PROGRAMS):
            layer(np.ones((rows, 4)))
    assert len(layer._programs) == CACHED_PROGRAMS


def test_float64(engine):
    layer = layers.Dense(3, dtype="float64")
    result = layer(np.ones((2, 4), "float32"))
    assert result.dtype == np.float64
    assert layer.kernel.dtype == "float64"
    dlnative.config.set_floatx("float64")
    try:
        assert layers.Dense(3).dtype == "float64"
        assert Input((3,)).dtype == "float64"
    finally:
        dlnative.config.set_floatx("float32")


def test_dropout(engine):
    x = np.ones((200, 50))
    layer = layers.Dropout(0.25, seed=3)
    np.testing.assert_array_equal(layer(x), x)
    first, second = layer(x, training=True), layer(x, training=True)
    assert abs(np.mean(first == 0) - 0.25) < 0.02
    np.testing.assert_allclose(np.unique(first), [0, 4 / 3], rtol=1e-6)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, layers.Dropout(0.25, seed=3)(x, training=True))
    assert not np.array_equal(first, layers.Dropout(0.25, seed=4)(x, training=True))
    shared = layers.Dropout(0.25, seed=3, noise_shape=(None, 1))(x, training=True)
    assert np.all(shared == shared[:, :1])
    assert 0 < np.mean(shared == 0) < 0.5


def test_a_rate_of_one_drops_everything(engine):
    x = np.full((3, 4), np.inf)
    np.testing.assert_array_equal(layers.Dropout(1.0)(x), x)
    np.testing.assert_array_equal(layers.Dropout(1)(x, training=True), np.zeros((3, 4)))
    weight = dlnative.Variable(np.ones((3, 4), "float32"))

    def total():
        return dlnative.ops.sum(layers.Dropout(1.0)(weight * 2.0, training=True))

    _, (gradient,) = dlnative.value_and_grad(total, [weight])()
    np.testing.assert_array_equal(gradient, np.zeros((3, 4)))


def test_dropout_used_twice_draws_two_masks():
    class Twice(layers.Layer):
        def __init__(self):
            super().__init__()
            self.drop = layers.Dropout(0.5, seed=1)

        def call(self, x):
            return self.drop(x) - self.drop(x)

    with dlnative.engine("numpy"):
        assert np.abs(Twice()(np.ones((20, 20)), training=True)).max() > 0


# --- layers of one's own -------------------------------------------------------------------------


class Affine(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), name="w")
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", name="b")
        self.count = self.add_weight(shape=(), initializer="ones", trainable=False, name="count")

    def call(self, inputs):
        return ops.matmul(inputs, self.w) + self.b


class Block(layers.Layer):
    def __init__(self, widths=(4, 3), rate=0.0, **kwargs):
        super().__init__(**kwargs)
        self.steps = []
        for width in widths:
            self.steps.append(layers.Dense(width, activation="relu"))
        self.named = {"drop": layers.Dropout(rate, seed=1)}

    def call(self, inputs, training=None):
        for step in self.steps:
            inputs = step(inputs)
        return self.named["drop"](inputs, training=training)


def test_custom_layer(engine):
    layer = Affine(3)
    x = values(4, 2)
    y = layer(x)
    np.testing.assert_allclose(y, x @ layer.w.numpy() + layer.b.numpy(), rtol=1e-5, atol=1e-6)
    assert [v.name for v in layer.weights] == ["w", "b", "count"]
    assert [v.name for v in layer.trainable_weights] == ["w", "b"]
    assert [v.path for v in layer.weights] == [f"{layer.name}/{n}" for n in ("w", "b", "count")]
    assert layer.count_params() == 6 + 3 + 1


def test_layers_in_lists_and_dicts_belong_to_the_layer():
    block = Block()
    assert block.weights == []
    assert block(Input((2,))).shape == (None, 3)
    assert [v.shape for v in block.weights] == [(2, 4), (4,), (4, 3), (3,)]
    assert block.weights[0].path == f"{block.name}/{block.steps[0].name}/kernel"
    assert [type(m).__name__ for m in dlnative.layers.tracking.all_layers(block)] == [
        "Block",
        "Dense",
        "Dense",
        "Dropout",
    ]


def test_training_reaches_inner_layers(engine):
    block = Block(rate=0.5)
    block.steps[1].bias_initializer = dlnative.initializers.get("ones")
    x = np.zeros((50, 2))
    assert np.all(block(x) == 1)
    assert set(np.unique(block(x, training=True))) == {0.0, 2.0}

    class Frozen(layers.Layer):
        def __init__(self):
            super().__init__()
            self.drop = layers.Dropout(0.5)

        def call(self, x):
            return self.drop(x, training=False)

    assert np.all(Frozen()(np.ones((9, 9)), training=True) == 1)


def test_default_of_training_in_the_signature():
    class Always(layers.Layer):
        def __init__(self):
            super().__init__()
            self.drop = layers.Dropout(0.5)

        def call(self, x, training=True):
            return self.drop(x, training=training)

    with dlnative.engine("numpy"):
        assert Always()(np.ones((20, 20))).min() == 0
        assert Always()(np.ones((20, 20)), training=False).min() == 1


def test_several_arguments(engine):
    class Scaled(layers.Layer):
        def build(self, x_shape, scale_shape):
            self.seen = (x_shape, scale_shape)

        def call(self, x, scale):
            return x * scale

    layer = Scaled()
    np.testing.assert_array_equal(layer(np.ones((2, 3)), np.full((2, 1), 4.0)), np.full((2, 3), 4))
    assert layer.seen == ((None, 3), (None, 1))
    assert layer(Input((3,)), scale=Input((1,))).shape == (None, 3)


def test_nested_outputs(engine):
    class Split(layers.Layer):
        def call(self, inputs):
            return {"double": inputs["a"] * 2.0, "both": [inputs["a"], inputs["b"]]}

    result = Split()({"a": np.ones((2, 2)), "b": np.zeros((2, 1))})
    np.testing.assert_array_equal(result["double"], np.full((2, 2), 2.0))
    assert result["both"][1].shape == (2, 1)
    symbolic = Split()({"a": Input((2,)), "b": Input((1,))})
    assert symbolic["both"][1].shape == (None, 1)


def test_ops_on_symbolic_tensors_become_layers(engine):
    x = Input((3,), name="x")
    y = ops.relu(x * 2.0 - np.array([1.0, 2.0, 3.0])) + 1
    assert isinstance(y, Tensor)
    assert y.shape == (None, 3)
    model = dlnative.Model(x, 3.0 - y)
    data = values(4, 3)
    expected = 3 - (np.maximum(data * 2 - [1, 2, 3], 0) + 1)
    np.testing.assert_allclose(model(data), expected, rtol=1e-5)
    assert [layer.op for layer in model.operations[1:]] == [
        "multiply",
        "subtract",
        "relu",
        "add",
        "subtract",
    ]
    assert model.layers == [model.get_layer("x")]


def test_activation_may_be_a_function_or_a_layer(engine):
    x = values(3, 4)
    double = layers.Dense(4, kernel_initializer="identity", activation=lambda t: t + t)
    np.testing.assert_allclose(double(x), 2 * x, rtol=1e-6)
    leaky = layers.Dense(4, kernel_initializer="identity", activation=layers.LeakyReLU(0.5))
    np.testing.assert_allclose(leaky(x), np.where(x > 0, x, x / 2), rtol=1e-6)


# --- weights and flags ---------------------------------------------------------------------------


def test_weights_can_be_read_and_set():
    layer = layers.Dense(2)
    layer.build((None, 3))
    new = [np.arange(6.0).reshape(3, 2), np.ones(2)]
    layer.set_weights(new)
    for got, expected in zip(layer.get_weights(), new, strict=True):
        np.testing.assert_array_equal(got, expected)
    layer.get_weights()[0][...] = 99
    np.testing.assert_array_equal(layer.kernel.numpy(), new[0])


def test_failed_set_weights_writes_nothing():
    layer = layers.Dense(2)
    layer.build((None, 3))
    before = layer.get_weights()
    with pytest.raises(ValueError, match=r"expected values of shape \(2,\) for 'dense.*bias'"):
        layer.set_weights([np.zeros((3, 2)), np.zeros(3)])
    with pytest.raises(ValueError, match="expected 2 arrays of weights, received 1"):
        layer.set_weights([np.zeros((3, 2))])
    np.testing.assert_array_equal(layer.kernel.numpy(), before[0])


def test_members_of_lists_and_dicts_are_followed_as_these_change():
    """What a layer holds is kept between two looks, unless a container has changed in place."""
    kernel = [dlnative.Variable(np.ones(n), name=f"w{n}") for n in range(5)]

    class Holder(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.list, self.dict, self.nested = [], {"a": kernel[0]}, [[kernel[1]]]

    holder = Holder()

    def sizes():
        return sorted(v.size for v in holder.weights)

    assert sizes() == sizes() == [0, 1]
    holder.list.append(kernel[2])
    assert sizes() == sizes() == [0, 1, 2]
    holder.list[0] = kernel[3]
    assert sizes() == sizes() == [0, 1, 3]
    holder.dict["a"] = kernel[4]
    holder.nested[0].append(kernel[2])
    assert sizes() == sizes() == [1, 2, 3, 4]
    holder.trainable = False
    assert not any(v.trainable for v in holder.weights)
    holder.list.clear()
    del holder.dict["a"]
    holder.nested[0] = "nothing"
    assert sizes() == sizes() == []
    holder.nested[0] = [kernel[1]]
    holder.trainable = True
    assert sizes() == [1] and kernel[1].trainable and not kernel[4].trainable


def test_trainable_reaches_all_sublayers():
    block = Block()
    block.build((None, 2))
    assert len(block.trainable_weights) == 4
    block.steps[0].trainable = False
    assert [v.shape for v in block.trainable_weights] == [(4, 3), (3,)]
    assert [v.shape for v in block.non_trainable_weights] == [(2, 4), (4,)]
    block.trainable = False
    assert block.trainable_weights == []
    assert not block.steps[1].trainable
    block.trainable = True
    assert len(block.trainable_weights) == 4
    affine = Affine(2, trainable=False)
    affine.build((None, 3))
    assert affine.trainable_weights == []
    affine.trainable = True
    assert [v.name for v in affine.trainable_weights] == ["w", "b"]


def test_names_count_up_as_in_keras():
    dlnative.utils.clear_session()
    assert [layers.Dense(1).name for _ in range(3)] == ["dense", "dense_1", "dense_2"]
    assert layers.LeakyReLU().name == "leaky_re_lu"
    assert layers.ReLU().name == "re_lu"
    assert layers.Dense(1, name="mine").name == "mine"
    assert Input((1,)).name == "input_layer"


def test_deleted_and_replaced_attributes_are_forgotten():
    block = Block()
    block.extra = layers.Dense(1)
    assert len(dlnative.layers.tracking.sublayers(block)) == 4
    block.extra = layers.Dense(2)
    assert len(dlnative.layers.tracking.sublayers(block)) == 4
    del block.extra
    assert len(dlnative.layers.tracking.sublayers(block)) == 3


def test_constructor_arguments_are_remembered_without_get_config():
    class Plain(layers.Layer):
        def __init__(self, size, scale=2.0, **kwargs):
            super().__init__(**kwargs)

        def call(self, x):
            return x

    class Object(layers.Layer):
        def __init__(self, thing, **kwargs):
            super().__init__(**kwargs)

    config = Plain(3, name="p").get_config()
    assert config == {"size": 3, "scale": 2.0, "name": "p", "trainable": True, "dtype": "float32"}
    assert Plain.from_config(config).name == "p"
    with pytest.raises(NotImplementedError, match="get_config"):
        Object(object()).get_config()


def test_regularizers_are_kept_by_the_weights():
    layer = layers.Dense(2, kernel_regularizer="l2", kernel_initializer="ones")
    layer.build((None, 3))
    assert layer.kernel.regularizer.l2 == 0.01
    assert layer.bias.regularizer is None
    assert layer.losses == [pytest.approx(0.06)]


def test_input_layer():
    x = Input((28, 28), batch_size=8, name="image", dtype="uint8")
    assert x.shape == (8, 28, 28)
    assert x.name == "image"
    assert x.dtype == "uint8"
    assert Input((2,), dtype="int16").dtype == "int32"
    assert x.source.dtype == "uint8"
    assert Input(batch_shape=(None, 3)).shape == (None, 3)
    assert Input((None, 3)).shape == (None, None, 3)
    assert Input(tensor=x) is x
    assert layers.Dense(2)(Input((None, 3))).shape == (None, None, 2)
    assert layers.Flatten()(Input((None, 3))).shape == (None, None)


def test_old_names_of_arguments():
    assert layers.InputLayer(input_shape=(3,)).batch_shape == (None, 3)
    assert layers.InputLayer(batch_input_shape=(2, 3)).batch_shape == (2, 3)
    with pytest.warns(UserWarning, match="alpha is an old name of negative_slope"):
        assert layers.LeakyReLU(alpha=0.5).negative_slope == 0.5
    with pytest.warns(UserWarning, match="see RMSNormalization"):
        layer = layers.LayerNormalization(rms_scaling=True)
    assert layer(np.arange(6).reshape(2, 3)).dtype == np.float32


def test_training_by_position(engine):
    x = np.ones((50, 4), "float32")
    for make in (
        lambda: layers.Dropout(0.5, seed=1),
        layers.BatchNormalization,
        lambda: dlnative.Sequential([dlnative.Input((4,)), layers.Dropout(0.5, seed=1)]),
    ):
        for training in (True, False):
            np.testing.assert_array_equal(make()(x, training), make()(x, training=training))
    tensor = dlnative.Input((4,))
    model = dlnative.Model(tensor, layers.Dropout(0.5, seed=1)(tensor, True))
    assert (model.predict(x, verbose=0) == 0).any()

    class Own(layers.Layer):
        def call(self, inputs, training=None, scale=1.0):
            return inputs * scale if training else inputs

    np.testing.assert_array_equal(Own()(x, True, 3.0), 3 * x)
    for args, kwargs in (((x, True, 3.0, 4.0), {}), ((x, True), {"training": False})):
        with pytest.raises((TypeError, ValueError)):
            Own()(*args, **kwargs)
