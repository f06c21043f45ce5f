"""data_format="channels_first": the numbers of channels last, without transposes in between."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import dlnative
from dlnative import layers, plan, saving
from dlnative.graph import Graph

FIRST = {"data_format": "channels_first"}
MAKERS = {
    "Conv1D": (lambda **k: layers.Conv1D(4, 3, activation="relu", **k), 1),
    "Conv2D": (lambda **k: layers.Conv2D(4, 3, padding="same", **k), 2),
    "DepthwiseConv1D": (lambda **k: layers.DepthwiseConv1D(3, **k), 1),
    "DepthwiseConv2D": (lambda **k: layers.DepthwiseConv2D(3, **k), 2),
    "SeparableConv1D": (lambda **k: layers.SeparableConv1D(4, 3, **k), 1),
    "SeparableConv2D": (lambda **k: layers.SeparableConv2D(4, 3, **k), 2),
    "Conv1DTranspose": (lambda **k: layers.Conv1DTranspose(4, 3, **k), 1),
    "Conv2DTranspose": (lambda **k: layers.Conv2DTranspose(4, 3, **k), 2),
    "MaxPooling1D": (lambda **k: layers.MaxPooling1D(2, **k), 1),
    "MaxPooling2D": (lambda **k: layers.MaxPooling2D((2, 3), **k), 2),
    "AveragePooling1D": (lambda **k: layers.AveragePooling1D(2, **k), 1),
    "AveragePooling2D": (lambda **k: layers.AveragePooling2D(2, **k), 2),
    "AdaptiveMaxPooling2D": (lambda **k: layers.AdaptiveMaxPooling2D((2, 3), **k), 2),
    "AdaptiveAveragePooling1D": (lambda **k: layers.AdaptiveAveragePooling1D(3, **k), 1),
    "ZeroPadding1D": (lambda **k: layers.ZeroPadding1D((1, 2), **k), 1),
    "ZeroPadding2D": (lambda **k: layers.ZeroPadding2D((1, 2), **k), 2),
    "Cropping2D": (lambda **k: layers.Cropping2D((1, 2), **k), 2),
    "UpSampling2D": (lambda **k: layers.UpSampling2D((1, 2), **k), 2),
}


def first(x):
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


@pytest.mark.parametrize("name", MAKERS)
def test_the_bits_are_those_of_channels_last(engine, name):
    make, rank = MAKERS[name]
    x = np.random.default_rng(0).standard_normal((3, 9, 7, 5)[: rank + 1] + (5,)).astype("float32")
    one, other = make(), make(**FIRST)
    expected = one(x)
    other.build(first(x).shape)
    other.set_weights(one.get_weights())
    np.testing.assert_array_equal(other(first(x)), first(expected))


@pytest.mark.parametrize("name", MAKERS)
def test_errors_speak_of_channels_first(name):
    make, rank = MAKERS[name]
    axes = "length" if rank == 1 else "height, width"
    words = rf"{name} '.*expected input of shape \(batch, channels, {axes}\), received"
    for shape in ((5,), (5, 9, 7, 2)):
        with pytest.raises(ValueError, match=words):
            make(**FIRST)(dlnative.Input(shape))
    with pytest.raises(ValueError, match="data_format 'first'"):
        make(data_format="first")


def test_the_axis_of_weights_is_fixed():
    layer = layers.Conv2D(4, 3, **FIRST)
    layer.build((None, 3, 8, 8))
    with pytest.raises(AttributeError, match="data_format is fixed once the layer is built"):
        layer.data_format = "channels_last"
    with pytest.raises(ValueError, match="expected input with 3 channels"):
        layer(np.zeros((1, 4, 8, 8)))
    with pytest.raises(ValueError, match="from 'before'"):
        layer(layers.UpSampling2D(name="before", **FIRST)(dlnative.Input((4, 8, 8))))
    with pytest.raises(ValueError, match="the size of axis -1"):
        layers.Conv2D(4, 3, **FIRST)(dlnative.Input((None, 8, 8)))


def network(channels_first):
    options = FIRST if channels_first else {}
    dlnative.utils.set_random_seed(1)
    return dlnative.Sequential(
        [
            dlnative.Input((3, 12, 10) if channels_first else (12, 10, 3)),
            layers.Conv2D(8, 3, padding="same", use_bias=False, **options),
            layers.BatchNormalization(axis=1 if channels_first else -1),
            layers.MaxPooling2D(**options),
            layers.ZeroPadding2D(1, **options),
            layers.DepthwiseConv2D(3, activation="relu", **options),
            layers.Conv2D(4, 3, activation="tanh", **options),
            layers.GlobalAveragePooling2D(**options),
            layers.Dense(2),
        ]
    )


X = np.random.default_rng(2).standard_normal((24, 12, 10, 3)).astype("float32")
Y = np.random.default_rng(3).standard_normal((24, 2)).astype("float32")


def test_a_network_trains_with_the_bits_of_channels_last(engine, tmp_path):
    last, model = network(False), network(True)
    for each, x in ((last, X), (model, first(X))):
        each.compile(dlnative.optimizers.SGD(0.05, momentum=0.9), "mse")
        each.fit(x, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    for a, b in zip(last.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    saving.save(model, tmp_path / "model")
    expected = last.predict(X, verbose=0)
    for again in (
        model,
        saving.load(tmp_path / "model").model,
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
    ):
        np.testing.assert_array_equal(again.predict(first(X), verbose=0), expected)


def permutations(make_outputs, shape):
    """How many nodes of a plan permute axes."""
    graph = Graph(training=False)
    x = graph.feed(shape, "float32")
    return sum(node.op.permutes for node in plan.make_plan(graph, [make_outputs(x)]).schedule.nodes)


@pytest.mark.native
def test_neighbours_have_no_transposes_between_them():
    assert permutations(network(True), (2, 3, 12, 10)) == 1
    assert permutations(network(False), (2, 12, 10, 3)) == 0


@pytest.mark.native
def test_transposes_that_do_not_undo_each_other_stay():
    transpose = dlnative.ops.transpose
    order = (0, 2, 3, 1)
    assert permutations(lambda x: transpose(transpose(x, order), order) * 2, (2, 3, 4, 5)) == 2
    assert permutations(lambda x: transpose(transpose(x, (1, 0)), (1, 0)) * 2, (2, 3)) == 0
    assert permutations(lambda x: transpose(transpose(x, (1, 0)), (1, 0)), (2, 3)) == 2


def test_a_transpose_that_is_wanted_twice(engine):
    x = dlnative.Input((3, 4))
    turned = layers.Permute((2, 1))(x)
    model = dlnative.Model(x, [turned, layers.Permute((2, 1))(turned), layers.ReLU()(turned)])
    data = X[:5, :3, :4, 0]
    a, b, c = model.predict(data, verbose=0)
    np.testing.assert_array_equal(a, data.transpose(0, 2, 1))
    np.testing.assert_array_equal(b, data)
    np.testing.assert_array_equal(c, np.maximum(data.transpose(0, 2, 1), 0))
