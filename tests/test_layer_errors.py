"""Layers: what they refuse, in which words, and that nothing has changed afterwards."""

from __future__ import annotations

import numpy as np
import pytest

from dlnative import Input, layers, ops
from dlnative.graph import Graph, apply

CONSTRUCTORS = [
    (lambda: layers.Dense(0), ValueError, "units of at least 1, received 0"),
    (lambda: layers.Dense(-3), ValueError, "units of at least 1, received -3"),
    (lambda: layers.Dense(2.5), TypeError, "units to be an integer, received 2.5"),
    (lambda: layers.Dense("3"), TypeError, "units to be an integer"),
    (lambda: layers.Dense(True), TypeError, "units to be an integer"),
    (lambda: layers.Dense(3, activation="rleu"), ValueError, "Did you mean 'relu'"),
    (lambda: layers.Dense(3, activation=4), TypeError, "activation"),
    (lambda: layers.Dense(3, kernel_initializer="he_norml"), ValueError, "'he_normal'"),
    (lambda: layers.Dense(3, kernel_regularizer="l7"), ValueError, "regularizer"),
    (lambda: layers.Dense(3, kernel_constraint="non_negative"), ValueError, "constraint"),
    (
        lambda: layers.Dense(3, bias_constraint=2),
        TypeError,
        "constraint: expected a name.*received 2",
    ),
    (lambda: layers.Dense(3, activity_regularizer="l7"), ValueError, "regularizer.*l7"),
    (lambda: layers.Dense(3, activaton="relu"), ValueError, "Did you mean 'activation'"),
    (lambda: layers.Dense(3, name="a/b"), ValueError, "'/'"),
    (lambda: layers.Dense(3, name=3), TypeError, "name"),
    (lambda: layers.Dense(3, trainable="yes"), TypeError, "trainable"),
    (lambda: layers.Dense(3, dtype="float16"), ValueError, "'float32' or 'float64'"),
    (lambda: layers.Dense(3, dtype="flaot32"), ValueError, "flaot32"),
    (lambda: layers.Dense(3, dtype=[1]), TypeError, "dtype"),
    (lambda: layers.Dropout(1.5), ValueError, r"rate in \[0, 1\], received 1.5"),
    (lambda: layers.Dropout(-0.1), ValueError, "received -0.1"),
    (lambda: layers.Dropout(float("nan")), ValueError, "nan"),
    (lambda: layers.Dropout("half"), TypeError, "rate to be a number"),
    (lambda: layers.Dropout(0.5, seed=1.5), TypeError, "seed"),
    (lambda: layers.Dropout(0.5, noise_shape=(0, 1)), ValueError, "noise_shape"),
    (lambda: layers.Reshape((-2, 3)), ValueError, "target_shape"),
    (lambda: layers.Reshape((-1, -1)), ValueError, "at most once"),
    (lambda: layers.Reshape(7), TypeError, "tuple"),
    (lambda: layers.Reshape((2.5,)), TypeError, "integers"),
    (lambda: layers.Permute((0, 1)), ValueError, "dims"),
    (lambda: layers.Flatten(data_format="last"), ValueError, "channels_last"),
    (lambda: layers.Concatenate(axis=0), ValueError, "batch"),
    (lambda: layers.Concatenate(axis="x"), TypeError, "integer"),
    (lambda: layers.Dot("x"), TypeError, "axes to be an integer or two of them"),
    (lambda: layers.Dot((1, 2, 3)), ValueError, "axes to be an integer or two of them"),
    (lambda: layers.Dot((1, 2.5)), ValueError, "axes to be an integer or two of them"),
    (lambda: layers.RepeatVector(0), ValueError, "n of at least 1"),
    (lambda: layers.RepeatVector(2.0), TypeError, "n to be an integer"),
    (lambda: layers.UpSampling1D(-1), ValueError, "size of at least 1"),
    (lambda: layers.UpSampling1D((2,)), TypeError, "size to be an integer"),
    (lambda: layers.ZeroPadding1D(-1), ValueError, "padding of at least 0"),
    (lambda: layers.ZeroPadding1D((1, 2, 3)), ValueError, "padding"),
    (lambda: layers.Cropping1D((1, "x")), TypeError, "cropping"),
    (lambda: layers.AdaptiveMaxPooling1D(0), ValueError, "output_size of at least 1"),
    (lambda: layers.AdaptiveAveragePooling2D((1, 2, 3)), ValueError, "output_size"),
    (lambda: layers.AdaptiveAveragePooling2D("x"), TypeError, "output_size"),
    (lambda: layers.DepthwiseConv1D(3, padding="causal"), ValueError, "padding 'causal'"),
    (lambda: layers.DepthwiseConv1D(3, depth_multiplier=0), ValueError, "depth_multiplier"),
    (lambda: layers.SeparableConv1D(4, 0), ValueError, "kernel_size of at least 1"),
    (lambda: layers.Embedding(0, 3), ValueError, "input_dim of at least 1"),
    (lambda: layers.Embedding(3, 2.5), TypeError, "output_dim to be an integer"),
    (lambda: layers.Embedding(3, 2, mask_zero=True), ValueError, "mask_zero to be False"),
    (lambda: layers.Embedding(3, 2, weights=np.ones((2, 2))), ValueError, "expected values"),
    (lambda: layers.Embedding(3, 2, weights=[1, 2, 3]), ValueError, "expected values"),
    (lambda: layers.AlphaDropout(1.0), ValueError, r"rate in \[0, 1\), received 1.0"),
    (lambda: layers.AlphaDropout(0.5, noise_shape=(0, 1)), ValueError, "noise_shape"),
    (lambda: layers.GaussianDropout(-0.5), ValueError, "rate in"),
    (lambda: layers.GaussianNoise(1.5), ValueError, r"stddev in \[0, 1\], received 1.5"),
    (lambda: layers.GaussianNoise("a"), TypeError, "stddev to be a number"),
    (lambda: layers.ActivityRegularization(l1=-1), ValueError, "l1 of at least 0"),
    (lambda: layers.UnitNormalization(axis="x"), TypeError, "axis to be an integer"),
    (lambda: layers.UnitNormalization(axis=[]), ValueError, "at least one axis"),
    (lambda: layers.RMSNormalization(epsilon=-1.0), ValueError, "epsilon of at least 0"),
    (lambda: layers.Wrapper("layer"), ValueError, "expected a layer, received 'layer'"),
    (lambda: layers.SpectralNormalization(layers.Dense(2), 0), ValueError, "power_iterations"),
    (lambda: layers.Pipeline(["x"]), TypeError, "list of layers, received 'x'"),
    (lambda: layers.Pipeline.from_config({"layers": None}), ValueError, "list of layers"),
    (lambda: layers.Softmax(axis=[]), ValueError, "at least one axis"),
    (
        lambda: layers.BatchNormalization(renorm=True, renorm_clipping={"rmix": 1}),
        ValueError,
        "renorm_clipping 'rmix'.*Did you mean",
    ),
    (
        lambda: layers.BatchNormalization(renorm=True, renorm_clipping={"rmin": 2, "rmax": 1}),
        ValueError,
        "rmax of at least rmin",
    ),
    (
        lambda: layers.BatchNormalization(renorm=True, renorm_clipping={"dmax": -1}),
        ValueError,
        "dmax of at least 0",
    ),
    (
        lambda: layers.BatchNormalization(renorm=True, renorm_clipping={"dmax": "a"}),
        TypeError,
        "renorm_clipping dmax",
    ),
    (lambda: layers.Softmax(axis=1.5), TypeError, "integer"),
    (lambda: layers.ReLU(max_value=-1.0), ValueError, "max_value"),
    (lambda: layers.ReLU(negative_slope=-0.1), ValueError, "negative_slope"),
    (lambda: layers.LeakyReLU(None), TypeError, "negative_slope"),
    (lambda: layers.Rescaling("a"), TypeError, "scale"),
    (lambda: layers.Activation("tanhh"), ValueError, "'tanh'"),
    (lambda: layers.OpLayer("rleu"), ValueError, "'relu'"),
    (lambda: Input(), ValueError, "expected a shape"),
    (lambda: Input(784), TypeError, r"write \(784,\)"),
    (lambda: Input("ab"), TypeError, "integer"),
    (lambda: Input((0,)), ValueError, "at least 1"),
    (lambda: Input((-1,)), ValueError, "at least 1"),
    (lambda: Input((2.5,)), TypeError, "integer"),
    (lambda: Input((2,), batch_shape=(None, 2)), ValueError, "not both"),
    (lambda: Input((2,), dtype="string"), ValueError, "dtype"),
    (lambda: layers.InputLayer((2,), input_shap=(2,)), ValueError, "Did you mean 'input_shape'"),
    (lambda: layers.InputLayer((2,), input_tensor=Input((2,))), ValueError, "any symbolic tensor"),
    (lambda: Input((2,), sparse=True), ValueError, "sparse"),
    (lambda: Input(tensor=np.ones(3)), TypeError, "made by Input"),
]


@pytest.mark.parametrize("number", range(len(CONSTRUCTORS)))
def test_bad_arguments(number):
    make, error, words = CONSTRUCTORS[number]
    with pytest.raises(error, match=words):
        make()


CALLS = [
    (lambda: layers.Dense(3, name="d")(Input((None,))), ValueError, "'d': the size of axis -1"),
    (lambda: layers.Dense(3, name="d")(np.ones(3)), ValueError, r"'d': expected input of shape"),
    (lambda: layers.Dense(3, name="d")([Input((2,)), Input((2,))]), TypeError, "a list of 2"),
    (lambda: layers.Dense(3, name="d")(None), TypeError, "'d': expected one tensor"),
    (lambda: layers.Dropout(0.5, name="d")({"x": np.ones((2, 2))}), TypeError, "a dict of 1"),
    (lambda: layers.Dense(3, name="d")("text"), TypeError, "'d': expected numbers"),
    (lambda: layers.Dense(3, name="d")([["a", "b"]]), TypeError, "'d': expected numbers"),
    (lambda: layers.Dense(3, name="d")([[1.0], [1.0, 2.0]]), ValueError, "'d': not an array"),
    (lambda: layers.Dense(3, name="d")(np.array([1 + 2j])), TypeError, "complex"),
    (
        lambda: layers.Dense(3, name="d")(layers.Dense(2, name="e")),
        TypeError,
        "the layer Dense 'e'",
    ),
    (lambda: layers.Reshape((5,), name="r")(Input((4, 4))), ValueError, "'r': cannot give 16"),
    (lambda: layers.Reshape((-1, 5), name="r")(Input((4, 4))), ValueError, "multiple of 5"),
    (lambda: layers.Add(name="a")(Input((4,))), ValueError, "'a': expected a list of tensors"),
    (lambda: layers.Add(name="a")([Input((4,)), Input((5,))]), ValueError, "'a': expected inputs"),
    (lambda: layers.Subtract(name="s")([Input((4,))] * 3), ValueError, "'s': expected 2 tensors"),
    (lambda: layers.Concatenate(name="c")(Input((4,))), ValueError, "'c': expected a list"),
    (
        lambda: layers.Concatenate(name="c")([Input((4, 2)), Input((5, 2))]),
        ValueError,
        "'c': expected inputs that agree except in axis 2",
    ),
    (lambda: layers.Concatenate(axis=3)([Input((4,))] * 2), ValueError, "out of range"),
    (lambda: layers.Maximum(name="m")(Input((4,))), ValueError, "'m': expected a list of tensors"),
    (lambda: layers.Minimum(name="m")([Input((4,)), Input((5,))]), ValueError, "'m': expected"),
    (lambda: layers.Dot(1, name="d")(Input((4,))), ValueError, "'d': expected a list of two"),
    (lambda: layers.Dot(1, name="d")([Input((4,))] * 3), ValueError, "'d': expected a list of two"),
    (lambda: layers.Dot(1, name="d")([Input((4,)), Input((5,))]), ValueError, "received 4 and 5"),
    (lambda: layers.Dot(0, name="d")([Input((4,))] * 2), ValueError, "not the batch"),
    (lambda: layers.Dot(2, name="d")([Input((4,))] * 2), ValueError, "'d': expected inputs of at"),
    (lambda: layers.Dot(1)([np.ones((2, 3)), np.ones((4, 3))]), ValueError, "one batch size"),
    (lambda: layers.Cropping1D(2, name="c")(Input((4, 3))), ValueError, "'c': .*leaves nothing"),
    (lambda: layers.Cropping1D(name="c")(Input((4,))), ValueError, "'c': .*3 dimensions"),
    (lambda: layers.ZeroPadding1D(name="z")(Input((4,))), ValueError, "'z': .*length, channels"),
    (lambda: layers.UpSampling1D(name="u")(Input((4,))), ValueError, "'u': .*3 dimensions"),
    (lambda: layers.RepeatVector(2, name="r")(Input((4, 2))), ValueError, "'r': .*2 dimensions"),
    (lambda: layers.AdaptiveMaxPooling1D(2)(Input((4,))), ValueError, "x\\[..., None\\]"),
    (lambda: layers.DepthwiseConv1D(5)(Input((4, 2))), ValueError, "larger than the padded input"),
    (lambda: layers.SeparableConv1D(2, 3)(Input((4, None))), ValueError, "size of axis -1"),
    (
        lambda: layers.BatchNormalization()(np.ones((2, 3)), mask=np.ones((2, 3), bool)),
        ValueError,
        "a mask of 1 dimensions",
    ),
    (
        lambda: layers.Softmax()(np.ones((2, 3)), mask=np.ones(2, bool)),
        ValueError,
        "a mask that broadcasts",
    ),
    (
        lambda: layers.GlobalAveragePooling1D()(np.ones((2, 3, 4)), mask=np.ones((2, 4))),
        ValueError,
        r"a mask of shape \(batch, length\)",
    ),
    (lambda: layers.UnitNormalization(2)(Input((4,))), ValueError, "axis 2 is out of range"),
    (lambda: layers.UnitNormalization([1, -1])(Input((4,))), ValueError, "names an axis twice"),
    (lambda: layers.RMSNormalization()(Input((None,))), ValueError, "size of axis 1"),
    (lambda: layers.RMSNormalization(3)(Input((4,))), ValueError, "out of range"),
    (lambda: layers.Embedding(3, 2)(np.array([0, 3])), ValueError, "index 3"),
    (
        lambda: layers.AlphaDropout(0.5, (1,))(np.ones((2, 2)), training=True),
        ValueError,
        "noise_shape",
    ),
    (lambda: layers.SpectralNormalization(layers.ReLU())(Input((3,))), ValueError, "a kernel or"),
    (lambda: layers.Softmax(axis=4, name="s")(Input((4,))), ValueError, "'s': .*axis 4"),
    (lambda: layers.Permute((2, 1), name="p")(Input((4,))), ValueError, "'p': .*3 dimensions"),
    (lambda: Input((3,)) + Input((4,)), ValueError, "add 'add.*broadcast"),
    (lambda: ops.matmul(Input((3,)), np.ones((4, 2))), ValueError, "inner sizes differ"),
    (lambda: Input((3,)) + "a", TypeError, "expected a tensor"),
]


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_bad_calls(number):
    call, error, words = CALLS[number]
    with pytest.raises(error, match=words):
        call()


def test_message_names_layer_shapes_source_and_chain():
    x = Input((8, 8), name="image")
    flat = layers.Flatten(name="flatten")(x)
    head = layers.Dense(10, name="head")
    head.build((None, 128))
    with pytest.raises(ValueError, match="Dense 'head'") as caught:
        head(flat)
    assert str(caught.value).splitlines() == [
        "Dense 'head': expected input of shape (batch, 128) to match its kernel (128, 10), "
        "received (batch, 64) from 'flatten'. Rebuild the model or change the layer before.",
        "The layers up to here, with their outputs:",
        "    InputLayer 'image'  (batch, 8, 8)",
        "    Flatten 'flatten'   (batch, 64)",
        "  > Dense 'head'        does not fit (batch, 64)",
    ]


def test_failed_build_leaves_the_layer_unbuilt():
    class Broken(layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = layers.Dense(3)
            self.parts = []

        def build(self, input_shape):
            self.w = self.add_weight(shape=(2,))
            self.parts.append(layers.Dense(4))
            raise ValueError("no")

        def call(self, x):
            return x

    layer = Broken()
    for call in (lambda: layer(Input((3,))), lambda: layer.build((None, 3)), lambda: layer([1.0])):
        with pytest.raises(ValueError, match="no"):
            call()
        assert not layer.built
        assert layer.weights == []
        assert layer.parts == []
        assert not hasattr(layer, "w")

    class Late(layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = layers.Dense(3)

        def call(self, x):
            return ops.matmul(self.inner(x), np.ones((7, 7), "float32"))

    late = Late()
    with pytest.raises(ValueError, match="late"):
        late(Input((3,)))
    assert not late.inner.built
    assert late.inner.weights == []


def test_built_layer_takes_no_more_weights():
    block = layers.Dense(2)
    block.build((None, 3))
    with pytest.raises(RuntimeError, match="is built"):
        block.more = layers.Dense(2)
    with pytest.raises(RuntimeError, match="is built"):
        block.add_weight(shape=(2,))


def test_missing_super_init():
    class Forgetful(layers.Layer):
        def __init__(self):
            self.units = 3

    with pytest.raises(RuntimeError, match=r"super\(\).__init__"):
        Forgetful()(Input((3,)))


def test_call_must_return_tensors():
    class Wrong(layers.Layer):
        def call(self, x):
            return 3

    with pytest.raises(TypeError, match="'wrong.*must return tensors, it returned int"):
        Wrong()(Input((3,)))
    with pytest.raises(NotImplementedError, match="must implement call"):
        layers.Layer(name="l")(Input((3,)))


def test_symbolic_tensor_has_no_values():
    with pytest.raises(TypeError, match="no values yet"):
        np.asarray(Input((3,)))
    with pytest.raises(TypeError, match="truth value"):
        bool(Input((3,)))


def test_input_spec():
    class Images(layers.Layer):
        def __init__(self, **spec):
            super().__init__(name="images")
            self.input_spec = layers.InputSpec(**spec)

        def call(self, x):
            return x

    x = Input((8, 3))
    for good in ({"ndim": 3}, {"min_ndim": 2}, {"axes": {-1: 3}}, {"shape": (None, 8, None)}):
        Images(**good)(x)
    for bad, words in (
        ({"ndim": 4}, "4 dimensions"),
        ({"min_ndim": 4}, "at least 4"),
        ({"max_ndim": 2}, "at most 2"),
        ({"axes": {-1: 4}}, "size 4 of axis -1"),
        ({"shape": (None, 9, None)}, r"\(batch, 9, None\)"),
        ({"dtype": "int32"}, "dtype int32"),
    ):
        with pytest.raises(ValueError, match=f"'images': expected input with .*{words}"):
            Images(**bad)(x)


def test_tensors_of_models_and_of_running_calls_do_not_mix():
    graph = Graph(training=False)
    with pytest.raises(TypeError, match="do not mix"):
        layers.Add()([Input((3,)), graph.feed((2, 3), "float32")])


def test_apply_needs_numbers():
    with pytest.raises(TypeError, match="relu: expected numbers"):
        apply("relu", "three")
