"""Models: functional graphs, stacks, subclasses, what they are made of, and what they refuse."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import dlnative
from dlnative import Input, Model, Sequential, layers, losses, ops
from dlnative.graph import Graph
from dlnative.models import Functional, clone_model


def values(*shape, seed=0):
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape).astype("float32")


# --- models that both libraries can make ---------------------------------------------------------


def stack(k):
    return k.Sequential(
        [
            k.Input((4, 4)),
            k.layers.Flatten(),
            k.layers.Dense(8, activation="relu", name="hidden"),
            k.layers.Dropout(0.5),
            k.layers.Dense(3, activation="softmax"),
        ]
    )


def two_towers(k):
    a, b = k.Input((3,), name="a"), k.Input((5,), name="b")
    left = k.layers.Dense(4, activation="tanh", name="left")(a)
    right = k.layers.Dense(6, name="right")(b)
    right = k.layers.Dense(4, name="right_2")(right)
    both = k.layers.Concatenate(name="both")([left, right])
    total = k.layers.Add(name="total")([left, right])
    outputs = [k.layers.Dense(2, name="head")(both), k.layers.Dense(1, name="value")(total)]
    return k.Model([a, b], outputs, name="two_towers")


def shared(k):
    a, b = k.Input((3,), name="a"), k.Input((3,), name="b")
    twin = k.layers.Dense(4, name="twin")
    deep = twin(k.layers.Dense(3, name="before")(a))
    return k.Model([a, b], k.layers.Subtract(name="difference")([deep, twin(b)]), name="shared")


def nested(k):
    inner_in = k.Input((3,), name="inner_in")
    inner = k.Model(inner_in, k.layers.Dense(4, name="inner_dense")(inner_in), name="inner")
    pile = k.Sequential([k.Input((4,)), k.layers.Dense(3, name="piled")], name="pile")
    x = k.Input((3,), name="x")
    once = inner(x)
    twice = inner(pile(once))
    return k.Model(x, [k.layers.Add(name="sum")([once, twice]), inner(x)], name="nested")


def by_name(k):
    inputs = {"b": k.Input((3,), name="b"), "a": k.Input((2,), name="a")}
    h = k.layers.Concatenate(name="join")([inputs["a"], inputs["b"]])
    outputs = {"y": k.layers.Dense(2, name="y")(h), "x": k.layers.Dense(1, name="x")(h)}
    return k.Model(inputs, outputs, name="by_name")


def residual(k):
    x = k.Input((6,), name="x")
    h = x
    for i in range(3):
        step = k.layers.Dense(6, activation="relu", name=f"step_{i}")(h)
        h = k.layers.Add(name=f"add_{i}")([h, step])
    return k.Model(x, h, name="residual")


MODELS = [stack, two_towers, shared, nested, by_name, residual]


def inputs_for(model, rows=5):
    if isinstance(model.input, dict):
        return {
            name: values(rows, *t.shape[1:], seed=i)
            for i, (name, t) in enumerate(model.input.items())
        }
    if isinstance(model.input, list):
        return [values(rows, *t.shape[1:], seed=i) for i, t in enumerate(model.input)]
    return values(rows, *model.input_shape[1:])


def flat(result):
    if isinstance(result, dict):
        return [np.asarray(result[key]) for key in sorted(result)]
    return [np.asarray(r) for r in (result if isinstance(result, (list, tuple)) else [result])]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras with NumPy 2
@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_model_is_that_of_keras(keras, engine, make):
    ours, theirs = make(dlnative), make(keras)
    assert ours.input_shape == theirs.input_shape
    assert ours.output_shape == theirs.output_shape
    assert ours.count_params() == theirs.count_params()
    their_names = [layer.name for layer in theirs.layers]
    our_names = [layer.name for layer in ours.layers]
    if make is not stack:
        assert our_names == their_names
        assert ours.output_names == theirs.output_names
        paths = [v.path for v in ours.weights]
        assert paths == [v.path for v in theirs.weights]
    assert len(our_names) == len(their_names)
    assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    ours.set_weights(theirs.get_weights())
    x = inputs_for(ours)
    for mine, other in zip(flat(ours(x)), flat(theirs(x)), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)


def test_order_of_weights_follows_depth_as_in_keras(keras):
    def build(k):
        x = k.Input((3,), name="x")
        short = k.layers.Dense(2, name="short")(x)
        long = k.layers.Dense(2, name="long_2")(k.layers.Dense(4, name="long_1")(x))
        out = k.layers.Add(name="sum")([short, k.layers.Dense(2, name="long_3")(long)])
        return k.Model(x, out)

    assert [v.path for v in build(dlnative).weights] == [v.path for v in build(keras).weights]


# --- functional ----------------------------------------------------------------------------------


def test_parts_of_a_functional_model():
    model = two_towers(dlnative)
    assert isinstance(model, Functional)
    assert [t.name for t in model.inputs] == ["a", "b"] == model.input_names
    assert [t.shape for t in model.outputs] == [(None, 2), (None, 1)]
    assert model.get_layer("left").units == 4
    assert model.get_layer(index=-1) is model.layers[-1]
    assert model.built
    assert [v.path for v in model.variables][:2] == ["right/kernel", "right/bias"]
    assert two_towers(dlnative).name == "two_towers"
    dlnative.utils.clear_session()
    x = Input((2,))
    assert Model(x, layers.Dense(1)(x)).name == "functional"


def test_inputs_by_list_dict_and_name(engine):
    model = two_towers(dlnative)
    a, b = values(4, 3), values(4, 5)
    expected = model([a, b])
    for given in ((a, b), {"a": a, "b": b}, {"b": b, "a": a}):
        for mine, other in zip(model(given), expected, strict=True):
            np.testing.assert_array_equal(mine, other)
    model = by_name(dlnative)
    result = model({"a": values(4, 2), "b": values(4, 3)})
    assert list(result) == ["y", "x"]
    assert result["x"].shape == (4, 1)


def test_axis_of_size_one_comes_and_goes(engine):
    x = Input((1,))
    model = Model(x, layers.Dense(2)(x))
    data = values(5, 1)
    np.testing.assert_array_equal(model(data[:, 0]), model(data))
    y = Input((3,))
    model = Model(y, layers.Dense(2)(y))
    np.testing.assert_array_equal(model(data[:3].T[..., None]), model(data[:3].T))


def test_shared_layers_share_weights(engine):
    model = shared(dlnative)
    assert len(model.weights) == 4
    model.get_layer("before").set_weights([np.eye(3), np.zeros(3)])
    x = values(4, 3)
    np.testing.assert_allclose(model([x, x]), np.zeros((4, 4)), atol=1e-6)


def test_models_between_inner_tensors(engine):
    model = residual(dlnative)
    middle = model.get_layer("add_0").output
    first, rest = Model(model.inputs, middle), Model(middle, model.outputs)
    x = values(4, 6)
    np.testing.assert_allclose(rest(first(x))[0], model(x), rtol=1e-6)
    assert rest.input_shape == (None, 6)
    assert [layer.name for layer in rest.layers][1:] == ["step_1", "add_1", "step_2", "add_2"]
    assert rest.get_layer("step_2").kernel is model.get_layer("step_2").kernel
    hidden = Model(model.inputs, [model.get_layer("step_1").output, model.output])
    assert [r.shape for r in hidden(x)] == [(4, 6), (4, 6)]


def test_nodes_carry_the_names_of_layers():
    graph = Graph(training=False)
    model = nested(dlnative)
    model(graph.feed((2, 3), "float32"))
    assert [node.scope for node in graph.nodes] == [
        "inner/inner_dense",
        "pile/piled",
        "inner/inner_dense",
        "sum",
        "inner/inner_dense",
    ]


def test_nested_models_of_one_function_keep_their_variables_apart():
    def tower(name):
        x = Input((3,))
        return Model(x, layers.Dense(2, name="hidden")(x), name=name)

    a, b = Input((3,)), Input((3,))
    model = Model([a, b], layers.Add()([tower("left")(a), tower("right")(b)]))
    assert [v.path for v in model.weights] == [
        "left/hidden/kernel",
        "left/hidden/bias",
        "right/hidden/kernel",
        "right/hidden/bias",
    ]
    piles = [Sequential([Input((3,)), layers.Dense(2, name="hidden")], name=n) for n in "pq"]
    model = Model([a, b], layers.Add()([piles[0](a), piles[1](b)]))
    assert [v.path for v in model.weights][::2] == ["p/hidden/kernel", "q/hidden/kernel"]


def test_paths_below_a_model_follow_from_names_alone():
    base = Sequential([Input((4,)), layers.Dense(3, name="hidden"), layers.Dense(2)], name="base")
    model = Sequential([Input((4,)), base.layers[0], layers.Dense(5, name="new")], name="model")
    assert model.weights[0].path == "base/hidden/kernel"
    again = Sequential.from_config(model.get_config())
    assert list(model.variables_by_path()) == list(again.variables_by_path())
    expected = ["hidden/kernel", "hidden/bias", "new/kernel", "new/bias"]
    assert list(model.variables_by_path()) == expected
    paths = nested(dlnative).variables_by_path()
    assert list(paths) == [
        "inner/inner_dense/kernel",
        "inner/inner_dense/bias",
        "pile/piled/kernel",
        "pile/piled/bias",
    ]

    class Twins(layers.Layer):
        def __init__(self):
            super().__init__()
            self.parts = [layers.Dense(2, name="part"), layers.Dense(2, name="part")]

        def call(self, x):
            return self.parts[1](self.parts[0](x))

    twins = Twins()
    twins.build((None, 2))
    assert list(twins.variables_by_path())[::2] == ["part/kernel", "part_1/kernel"]


def test_deep_models_need_no_recursion():
    x = h = Input((2,))
    for _ in range(1500):
        h = layers.Identity()(h)
    model = Model(x, h)
    assert len(model.layers) == 1501


def test_subclass_of_a_functional_model(engine):
    class Net(Model):
        def __init__(self, width):
            x = Input((3,))
            super().__init__(inputs=x, outputs=layers.Dense(width)(x))
            self.width = width

    net = Net(4)
    assert type(net).__bases__ == (Model,)
    assert net.is_functional
    assert net.width == 4
    assert net(values(2, 3)).shape == (2, 4)


def test_trainable_flags():
    model = nested(dlnative)
    assert len(model.trainable_weights) == 4
    model.get_layer("inner").trainable = False
    assert [v.path for v in model.trainable_weights] == ["pile/piled/kernel", "pile/piled/bias"]
    model.trainable = False
    assert model.trainable_weights == []
    assert len(model.non_trainable_weights) == 4
    x = Input((2,))
    frozen = layers.Dense(2, trainable=False)
    model = Model(x, layers.Dense(1)(frozen(x)), trainable=True)
    assert len(model.trainable_weights) == 2
    assert Model(x, frozen(x), trainable=False).trainable_weights == []


def unconnected():
    a, b = Input((2,), name="a"), Input((2,), name="b")
    return a, b, layers.Dense(1, name="d")(a)


def same_names():
    x = Input((2,))
    return Model(x, layers.Dense(1, name="d")(layers.Dense(2, name="d")(x)), name="m")


FUNCTIONAL_ERRORS = [
    (lambda a, b, y: Model(b, y, name="m"), ValueError, "'m': the outputs also depend .*'a'"),
    (lambda a, b, y: Model([a, a], y, name="m"), ValueError, "'m': an input is given twice"),
    (lambda a, b, y: Model(a, "y", name="m"), TypeError, "'m': expected outputs .* received 'y'"),
    (lambda a, b, y: Model(a, np.ones(3), name="m"), TypeError, "'m': expected outputs"),
    (lambda a, b, y: Model(a, layers.Dense(1, name="e"), name="m"), TypeError, "Dense 'e'"),
    (lambda a, b, y: Model(np.ones(3), y, name="m"), TypeError, "'m': expected inputs"),
    (lambda a, b, y: Model([], y, name="m"), ValueError, "'m': expected at least one tensor in in"),
    (
        lambda a, b, y: Model(a, [], name="m"),
        ValueError,
        "'m': expected at least one tensor in out",
    ),
    (lambda a, b, y: Model(a), TypeError, "expected inputs and outputs"),
    (lambda a, b, y: same_names(), ValueError, "'m': the name 'd' belongs to 2 layers"),
    (lambda a, b, y: Model(a, y).get_layer("x"), ValueError, "Unknown layer .* 'x'"),
    (lambda a, b, y: Model(a, y).get_layer("dd"), ValueError, "Did you mean 'd'"),
    (lambda a, b, y: Model(a, y).get_layer(index=7), ValueError, "index below 2"),
    (lambda a, b, y: Model(a, y).get_layer(), ValueError, "a name or an index"),
    (lambda a, b, y: Model(a, y)([values(2, 2)] * 2), ValueError, r"expected 1 inputs \['a'\]"),
    (lambda a, b, y: Model(a, y)({"c": values(2, 2)}), ValueError, "Did you mean|Known names: a"),
    (lambda a, b, y: two_towers(dlnative)({"a": values(2, 3)}), ValueError, r"\['b'\] missing"),
    (lambda a, b, y: Model(a, y, wrong=1), ValueError, "'wrong'"),
]


@pytest.mark.parametrize("number", range(len(FUNCTIONAL_ERRORS)))
def test_bad_functional_models(number):
    make, error, words = FUNCTIONAL_ERRORS[number]
    with pytest.raises(error, match=words):
        make(*unconnected())


def test_wrong_input_shape_shows_the_chain():
    x = Input((784,), name="pixels")
    model = Model(x, layers.Dense(10, name="head")(x), name="net")
    with dlnative.engine("numpy"), pytest.raises(ValueError, match="'net'") as caught:
        model(np.ones((32, 64)))
    assert str(caught.value).splitlines() == [
        "Functional 'net': expected input 'pixels' of shape (batch, 784), received (32, 64). "
        "Reshape the data, or change the shape of the Input.",
        "The layers up to here, with their outputs:",
        "    InputLayer 'pixels'  (batch, 784)",
        "  > Dense 'head'         does not fit (32, 64)",
    ]


def test_long_chains_are_cut():
    x = Input((4,))
    for i in range(40):
        x = layers.Identity(name=f"i{i}")(x)
    with pytest.raises(ValueError, match="21 layers before") as caught:
        layers.Reshape((3,))(x)
    assert len(str(caught.value).splitlines()) == 24


def test_error_in_a_later_layer_of_a_running_model():
    x = Input((None, 3))
    h = layers.Flatten(name="flat")(x)

    class Fussy(layers.Layer):
        def call(self, t):
            return ops.matmul(t, np.ones((6, 2), "float32")) if t.shape[-1] else t

    model = Model(x, Fussy(name="fussy")(layers.Identity(name="same")(h)))
    with dlnative.engine("numpy"):
        assert model(np.ones((4, 2, 3))).shape == (4, 2)
        with pytest.raises(ValueError, match=r"(?s)'fussy'.*'flat' +\(batch, None\).*> Fussy"):
            model(np.ones((4, 3, 3)))


class Net(Model):
    def __init__(self, width=4, **kwargs):
        super().__init__(**kwargs)
        self.hidden = layers.Dense(width, activation="relu")
        self.drop = layers.Dropout(0.5)
        self.head = layers.Dense(2)

    def call(self, inputs, training=None):
        return self.head(self.drop(self.hidden(inputs), training=training))


# --- copies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_clone_has_new_weights(engine, make):
    model = make(dlnative)
    copy = clone_model(model)
    assert type(copy) is type(model)
    assert copy.name == model.name
    assert copy.count_params() == model.count_params()
    assert not {id(v) for v in copy.weights} & {id(v) for v in model.weights}
    copy.set_weights(model.get_weights())
    x = inputs_for(model)
    for mine, other in zip(flat(copy(x)), flat(model(x)), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_clone_with_other_layers():
    model = residual(dlnative)

    def wider(layer):
        config = layer.get_config()
        if isinstance(layer, layers.Dense):
            config["activation"] = "tanh"
        return type(layer).from_config(config)

    copy = clone_model(model, clone_function=wider)
    assert copy.get_layer("step_0").activation is dlnative.activations.tanh
    drops = clone_model(
        model,
        clone_function=lambda layer: layer,
        call_function=lambda layer, *a, **k: layers.Dropout(0.1)(layer(*a, **k)),
    )
    assert sum(isinstance(layer, layers.Dropout) for layer in drops.layers) == 6
    x = Input((6,), name="new")
    assert clone_model(model, input_tensors=x).inputs[0] is x
    inner = clone_model(nested(dlnative), clone_function=wider, recursive=True)
    assert inner.get_layer("inner").get_layer("inner_dense").activation is dlnative.activations.tanh


def test_bad_clones():
    with pytest.raises(TypeError, match="expected a model"):
        clone_model(layers.Dense(2))
    with pytest.raises(ValueError, match="functional models only"):
        clone_model(stack(dlnative), call_function=lambda layer, x: layer(x))
    with pytest.raises(ValueError, match="2 symbolic input tensors"):
        clone_model(two_towers(dlnative), input_tensors=Input((3,)))
    with pytest.raises(ValueError, match="neither Sequential nor functional"):
        clone_model(Net(), clone_function=lambda layer: layer)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_train_on_alone(rng, duplicate):
    """A copy has the weights, the optimizer's state and the random numbers, and shares nothing."""
    inputs = layers.Input((6, 5, 2))
    x = layers.Conv2D(4, 3, activation="relu")(inputs)
    x = layers.Dropout(0.3)(layers.BatchNormalization()(x))
    model = Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
    images, labels = rng.random((20, 6, 5, 2), dtype="float32"), rng.integers(0, 3, 20)
    model(images[:2])  # keeps a program
    model.compile("adam", losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images, labels, batch_size=8, verbose=0)
    before = model.get_weights()
    same = duplicate(model)
    np.testing.assert_array_equal(same.predict(images, verbose=0), model.predict(images, verbose=0))
    same.fit(images, labels, batch_size=8, verbose=0)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    model.fit(images, labels, batch_size=8, verbose=0)
    for a, b in zip(same.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert same.optimizer.iterations == model.optimizer.iterations == 6


@pytest.mark.parametrize("nested", [False, True])
def test_a_call_keeps_the_training_it_was_given(nested, rng):
    """The way to leave the statistics of a network alone while its weights are trained on."""
    norm = layers.BatchNormalization()
    if nested:
        inside = dlnative.Input((3,))
        block = dlnative.Model(inside, norm(inside))
    else:
        block = norm
    inputs = dlnative.Input((3,))
    kept = dlnative.Model(inputs, block(inputs, training=False))
    dropped = dlnative.Model(inputs, layers.Dropout(0.5)(inputs, training=True))
    x = rng.normal(3, 2, size=(20, 3)).astype("float32")
    np.testing.assert_allclose(kept(x, training=True), x / np.sqrt(1.001), rtol=1e-6)
    kept.compile("sgd", "mse")
    kept.fit(x, x, verbose=0)
    gamma, beta, mean, variance = norm.get_weights()
    assert mean.tolist() == [0, 0, 0]
    assert variance.tolist() == [1, 1, 1]
    assert np.all(gamma != 1)
    assert np.all(beta != 0)
    assert 10 < np.count_nonzero(dropped.predict(x, verbose=0) == 0) < 50


def test_a_subclass_may_use_the_names_of_a_graph_for_itself(engine):
    class Net(Model):
        def __init__(self):
            super().__init__()
            self.input_shape = (3,)
            self.outputs = 4
            self.dense = layers.Dense(self.outputs)

        def call(self, inputs):
            return self.dense(inputs)

    net = Net()
    assert net(values(2, 3)).shape == (2, 4)
    assert net.input_shape == (3,)
    with pytest.raises(AttributeError, match="has no inputs: it is not made of inputs and outputs"):
        net.inputs  # noqa: B018
    assert not hasattr(net, "output_shape")
    net.compile("sgd", "mse")
    history = net.fit(values(4, 3), values(4, 4), epochs=1, verbose=0)
    assert len(history.history["loss"]) == 1
    net.summary(print_fn=lambda line: None)
