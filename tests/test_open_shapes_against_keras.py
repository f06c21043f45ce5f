"""Shapes with open axes: each layer, with every set of axes open, says what Keras says."""

from __future__ import annotations

import itertools

import pytest

import dlnative

IMAGE = (4, 9, 7, 6)
RGB = (4, 9, 7, 3)
LINE = (4, 9, 6)
ROWS = (4, 6)
FIRST = "channels_first"
KERNELS = [
    {},
    {"padding": "same"},
    {"strides": 2},
    {"padding": "same", "strides": 3},
    {"dilation_rate": 2},
]


def each(make, options, shape):
    return [(lambda k, o=o: make(k, **o), [shape]) for o in options]


LAYERS = {
    "Activation": [(lambda k: k.layers.Activation("gelu"), [LINE])],
    "ActivityRegularization": [(lambda k: k.layers.ActivityRegularization(0.1), [LINE])],
    "AdaptiveAveragePooling1D": [(lambda k: k.layers.AdaptiveAveragePooling1D(4), [LINE])],
    "AdaptiveAveragePooling2D": [(lambda k: k.layers.AdaptiveAveragePooling2D((3, 7)), [IMAGE])],
    "AdaptiveMaxPooling1D": [(lambda k: k.layers.AdaptiveMaxPooling1D(3), [LINE])],
    "AdaptiveMaxPooling2D": [(lambda k: k.layers.AdaptiveMaxPooling2D(2), [IMAGE])],
    "Add": [
        (lambda k: k.layers.Add(), [LINE, LINE]),
        (lambda k: k.layers.Add(), [LINE, (4, 1, 6)]),
        (lambda k: k.layers.Add(), [LINE, ROWS]),
    ],
    "AlphaDropout": [
        (lambda k: k.layers.AlphaDropout(0.5), [LINE]),
        (lambda k: k.layers.AlphaDropout(0.5, noise_shape=(None, 1, None)), [LINE]),
    ],
    "AugMix": [(lambda k: k.layers.AugMix(), [RGB])],
    "AutoContrast": [(lambda k: k.layers.AutoContrast(), [IMAGE])],
    "Average": [(lambda k: k.layers.Average(), [LINE, (4, 9, 1)])],
    "AveragePooling1D": each(
        lambda k, **o: k.layers.AveragePooling1D(2, **o), [*KERNELS[:4]], LINE
    ),
    "AveragePooling2D": each(
        lambda k, **o: k.layers.AveragePooling2D(2, **o), [*KERNELS[:4]], IMAGE
    ),
    "BatchNormalization": [
        (lambda k: k.layers.BatchNormalization(), [IMAGE]),
        (lambda k: k.layers.BatchNormalization(axis=1), [LINE]),
    ],
    "Concatenate": [
        (lambda k: k.layers.Concatenate(), [LINE, LINE]),
        (lambda k: k.layers.Concatenate(axis=1), [LINE, (4, 3, 6)]),
        (lambda k: k.layers.Concatenate(axis=-2), [LINE, LINE, LINE]),
    ],
    "ContrastLimitedAdaptiveHistogramEqualization": [
        (lambda k: k.layers.ContrastLimitedAdaptiveHistogramEqualization(), [IMAGE])
    ],
    "Conv1D": each(
        lambda k, **o: k.layers.Conv1D(4, 3, **o), [*KERNELS, {"padding": "causal"}], LINE
    ),
    "channels first": [
        *each(lambda k, **o: k.layers.Conv1D(4, 3, data_format=FIRST, **o), KERNELS, LINE),
        *each(lambda k, **o: k.layers.DepthwiseConv2D(3, data_format=FIRST, **o), KERNELS, IMAGE),
        *each(lambda k, **o: k.layers.MaxPooling2D(2, data_format=FIRST, **o), KERNELS[:4], IMAGE),
        (lambda k: k.layers.GlobalMaxPooling2D(data_format=FIRST, keepdims=True), [IMAGE]),
        (lambda k: k.layers.ZeroPadding1D(2, data_format=FIRST), [LINE]),
        (lambda k: k.layers.SpatialDropout2D(0.5, data_format=FIRST), [IMAGE]),
    ],
    "Conv1DTranspose": each(lambda k, **o: k.layers.Conv1DTranspose(4, 3, **o), KERNELS, LINE),
    "Conv2D": each(lambda k, **o: k.layers.Conv2D(4, 3, **o), [*KERNELS, {"groups": 2}], IMAGE),
    "Conv2DTranspose": each(
        lambda k, **o: k.layers.Conv2DTranspose(4, 3, **o),
        [*KERNELS, {"strides": 2, "output_padding": 1}],
        IMAGE,
    ),
    "Cropping1D": [
        (lambda k: k.layers.Cropping1D(2), [LINE]),
        (lambda k: k.layers.Cropping1D((3, 0)), [LINE]),
    ],
    "Cropping2D": [
        (lambda k: k.layers.Cropping2D(2), [IMAGE]),
        (lambda k: k.layers.Cropping2D(((1, 2), (0, 3))), [IMAGE]),
    ],
    "CutMix": [(lambda k: k.layers.CutMix(), [IMAGE])],
    "Dense": [
        (lambda k: k.layers.Dense(5), [ROWS]),
        (lambda k: k.layers.Dense(5), [LINE]),
        (lambda k: k.layers.Dense(5, activation="softmax"), [IMAGE]),
    ],
    "DepthwiseConv1D": each(lambda k, **o: k.layers.DepthwiseConv1D(3, **o), KERNELS, LINE),
    "DepthwiseConv2D": each(lambda k, **o: k.layers.DepthwiseConv2D(3, **o), KERNELS, IMAGE),
    "Dot": [
        (lambda k: k.layers.Dot(1), [ROWS, ROWS]),
        (lambda k: k.layers.Dot(-1, normalize=True), [LINE, (4, 3, 6)]),
        (lambda k: k.layers.Dot((1, 2)), [LINE, (4, 3, 9)]),
        (lambda k: k.layers.Dot((3, 1)), [IMAGE, (4, 6, 2, 5)]),
    ],
    "Dropout": [
        (lambda k: k.layers.Dropout(0.5), [LINE]),
        (lambda k: k.layers.Dropout(0.5, noise_shape=(None, 1, None)), [LINE]),
    ],
    "ELU": [(lambda k: k.layers.ELU(), [LINE])],
    "Embedding": [
        (lambda k: k.layers.Embedding(7, 3), [ROWS]),
        (lambda k: k.layers.Embedding(7, 3), [(4,)]),
    ],
    "Equalization": [(lambda k: k.layers.Equalization(), [IMAGE])],
    "Flatten": [
        (lambda k: k.layers.Flatten(), [IMAGE]),
        (lambda k: k.layers.Flatten(), [ROWS]),
        (lambda k: k.layers.Flatten(), [(4,)]),
        (lambda k: k.layers.Flatten(data_format="channels_first"), [IMAGE]),
    ],
    "GaussianDropout": [(lambda k: k.layers.GaussianDropout(0.5), [LINE])],
    "GaussianNoise": [(lambda k: k.layers.GaussianNoise(0.5), [LINE])],
    "GlobalAveragePooling1D": each(
        lambda k, **o: k.layers.GlobalAveragePooling1D(**o), [{}, {"keepdims": True}], LINE
    ),
    "GlobalAveragePooling2D": each(
        lambda k, **o: k.layers.GlobalAveragePooling2D(**o), [{}, {"keepdims": True}], IMAGE
    ),
    "GlobalMaxPooling1D": each(
        lambda k, **o: k.layers.GlobalMaxPooling1D(**o), [{}, {"keepdims": True}], LINE
    ),
    "GlobalMaxPooling2D": each(
        lambda k, **o: k.layers.GlobalMaxPooling2D(**o), [{}, {"keepdims": True}], IMAGE
    ),
    "GroupNormalization": [
        (lambda k: k.layers.GroupNormalization(groups=3), [IMAGE]),
        (lambda k: k.layers.GroupNormalization(groups=-1), [LINE]),
    ],
    "Identity": [(lambda k: k.layers.Identity(), [LINE])],
    "LayerNormalization": [
        (lambda k: k.layers.LayerNormalization(), [LINE]),
        (lambda k: k.layers.LayerNormalization(axis=[1, 2]), [LINE]),
        (lambda k: k.layers.LayerNormalization(center=False, scale=False), [LINE]),
    ],
    "LeakyReLU": [(lambda k: k.layers.LeakyReLU(), [LINE])],
    "MaxPooling1D": each(lambda k, **o: k.layers.MaxPooling1D(2, **o), [*KERNELS[:4]], LINE),
    "MaxPooling2D": each(lambda k, **o: k.layers.MaxPooling2D(2, **o), [*KERNELS[:4]], IMAGE),
    "Maximum": [(lambda k: k.layers.Maximum(), [LINE, ROWS])],
    "Minimum": [(lambda k: k.layers.Minimum(), [LINE, (4, 1, 6)])],
    "MixUp": [(lambda k: k.layers.MixUp(), [IMAGE])],
    "Multiply": [(lambda k: k.layers.Multiply(), [LINE, LINE])],
    "PReLU": [
        (lambda k: k.layers.PReLU(), [LINE]),
        (lambda k: k.layers.PReLU(shared_axes=[1, 2]), [IMAGE]),
    ],
    "Permute": [(lambda k: k.layers.Permute((3, 1, 2)), [IMAGE])],
    "Pipeline": [
        (lambda k: k.layers.Pipeline([k.layers.Conv1D(2, 3), k.layers.GaussianNoise(0.1)]), [LINE])
    ],
    "RMSNormalization": [
        (lambda k: k.layers.RMSNormalization(), [LINE]),
        (lambda k: k.layers.RMSNormalization(axis=[1, 2]), [LINE]),
    ],
    "RandomBrightness": [(lambda k: k.layers.RandomBrightness(0.2), [IMAGE])],
    "RandAugment": [(lambda k: k.layers.RandAugment(), [RGB])],
    "RandomColorDegeneration": [(lambda k: k.layers.RandomColorDegeneration(0.2), [RGB])],
    "RandomColorJitter": [(lambda k: k.layers.RandomColorJitter(hue_factor=0.2), [RGB])],
    "RandomContrast": [(lambda k: k.layers.RandomContrast(0.2), [IMAGE])],
    "RandomCrop": [(lambda k: k.layers.RandomCrop(5, 4), [IMAGE])],
    "RandomElasticTransform": [(lambda k: k.layers.RandomElasticTransform(), [IMAGE])],
    "RandomErasing": [(lambda k: k.layers.RandomErasing(), [IMAGE])],
    "RandomFlip": [(lambda k: k.layers.RandomFlip(), [IMAGE])],
    "RandomGaussianBlur": [(lambda k: k.layers.RandomGaussianBlur(), [IMAGE])],
    "RandomGrayscale": [(lambda k: k.layers.RandomGrayscale(), [RGB])],
    "RandomHue": [(lambda k: k.layers.RandomHue(0.2), [RGB])],
    "RandomInvert": [(lambda k: k.layers.RandomInvert(), [IMAGE])],
    "RandomPerspective": [(lambda k: k.layers.RandomPerspective(), [IMAGE])],
    "RandomPosterization": [(lambda k: k.layers.RandomPosterization(4), [IMAGE])],
    "RandomRotation": [(lambda k: k.layers.RandomRotation(0.2), [IMAGE])],
    "RandomSaturation": [(lambda k: k.layers.RandomSaturation(0.2), [RGB])],
    "RandomSharpness": [(lambda k: k.layers.RandomSharpness(0.2), [IMAGE])],
    "RandomShear": [(lambda k: k.layers.RandomShear(0.2), [IMAGE])],
    "RandomTranslation": [(lambda k: k.layers.RandomTranslation(0.2, 0.1), [IMAGE])],
    "RandomZoom": [(lambda k: k.layers.RandomZoom(0.2), [IMAGE])],
    "ReLU": [(lambda k: k.layers.ReLU(), [LINE])],
    "RepeatVector": [(lambda k: k.layers.RepeatVector(3), [ROWS])],
    "Rescaling": [
        (lambda k: k.layers.Rescaling(0.5, offset=1.0), [IMAGE]),
        (lambda k: k.layers.Rescaling([1.0] * 6), [LINE]),
    ],
    "Reshape": [
        (lambda k: k.layers.Reshape((-1, 3)), [LINE]),
        (lambda k: k.layers.Reshape((9, 2, -1)), [LINE]),
        (lambda k: k.layers.Reshape((54,)), [LINE]),
        (lambda k: k.layers.Reshape((-1,)), [IMAGE]),
    ],
    "SeparableConv1D": each(lambda k, **o: k.layers.SeparableConv1D(4, 3, **o), KERNELS, LINE),
    "SeparableConv2D": each(lambda k, **o: k.layers.SeparableConv2D(4, 3, **o), KERNELS, IMAGE),
    "SpectralNormalization": [
        (lambda k: k.layers.SpectralNormalization(k.layers.Dense(3)), [LINE]),
        (lambda k: k.layers.SpectralNormalization(k.layers.Conv2D(3, 2)), [IMAGE]),
    ],
    "Softmax": [
        (lambda k: k.layers.Softmax(), [LINE]),
        (lambda k: k.layers.Softmax(axis=1), [LINE]),
    ],
    "Solarization": [(lambda k: k.layers.Solarization(), [IMAGE])],
    "SpatialDropout1D": [(lambda k: k.layers.SpatialDropout1D(0.5), [LINE])],
    "SpatialDropout2D": [(lambda k: k.layers.SpatialDropout2D(0.5), [IMAGE])],
    "Subtract": [(lambda k: k.layers.Subtract(), [LINE, LINE])],
    "UnitNormalization": [(lambda k: k.layers.UnitNormalization(axis=[1, 2]), [LINE])],
    "UpSampling1D": [(lambda k: k.layers.UpSampling1D(3), [LINE])],
    "UpSampling2D": [
        (lambda k: k.layers.UpSampling2D((2, 3)), [IMAGE]),
        (lambda k: k.layers.UpSampling2D(2, interpolation="bilinear"), [IMAGE]),
    ],
    "ZeroPadding1D": [(lambda k: k.layers.ZeroPadding1D((1, 2)), [LINE])],
    "ZeroPadding2D": [
        (lambda k: k.layers.ZeroPadding2D(2), [IMAGE]),
        (lambda k: k.layers.ZeroPadding2D(((1, 2), (0, 3))), [IMAGE]),
    ],
    "operators": [
        (lambda k: lambda x: x[0] + x[1], [LINE, LINE]),
        (lambda k: lambda x: x[0] * x[1], [LINE, ROWS[1:]]),
        (lambda k: lambda x: x[0] @ x[1], [(4, 9, 6), (4, 6, 3)]),
        (lambda k: lambda x: x[:, 1:-1], [LINE]),
        (lambda k: lambda x: x[:, ::2, -1], [LINE]),
        (lambda k: lambda x: x[:, -1], [LINE]),
        (lambda k: lambda x: x[:, :5], [LINE]),
        (lambda k: lambda x: x[:, 2:4], [LINE]),
        (lambda k: lambda x: x[:, -5:, 1:], [LINE]),
        (lambda k: lambda x: x[:, 6:2:-1], [LINE]),
        (lambda k: lambda x: x[..., 3:3], [LINE]),
        (lambda k: lambda x: -x / 2.0 > 1, [LINE]),
    ],
    "ops": [
        (lambda k: lambda x: k.ops.reshape(x, (-1, 6)), [LINE]),
        (lambda k: lambda x: k.ops.mean(x, axis=1), [LINE]),
        (lambda k: lambda x: k.ops.max(x, axis=(1, 2), keepdims=True), [LINE]),
        (lambda k: lambda x: k.ops.sum(x), [LINE]),
        (lambda k: lambda x: k.ops.transpose(x, (0, 2, 1)), [LINE]),
        (lambda k: lambda x: k.ops.concatenate(x, axis=1), [LINE, (4, 3, 6)]),
        (lambda k: lambda x: k.ops.stack(x, axis=1), [LINE, LINE]),
        (lambda k: lambda x: k.ops.expand_dims(x, 1), [LINE]),
        (lambda k: lambda x: k.ops.squeeze(x, 1), [(4, 1, 6)]),
        (lambda k: lambda x: k.ops.matmul(x[0], x[1]), [LINE, (4, 6, 2)]),
        (lambda k: lambda x: k.ops.where(x[0] > 0, x[0], x[1]), [LINE, LINE]),
        (lambda k: lambda x: k.ops.maximum(x[0], x[1]), [LINE, (4, 1, 6)]),
        (lambda k: lambda x: k.ops.pad(x, [[0, 0], [1, 2], [0, 0]]), [LINE]),
        (lambda k: lambda x: k.ops.cumsum(x, axis=1), [LINE]),
        (lambda k: lambda x: k.ops.flip(x, axis=1), [LINE]),
        (lambda k: lambda x: k.ops.repeat(x, 2, axis=1), [LINE]),
        (lambda k: lambda x: k.ops.tile(x, (1, 2, 1)), [LINE]),
        (lambda k: lambda x: k.ops.softmax(x, axis=1), [LINE]),
        (lambda k: lambda x: k.ops.argmax(x, axis=1), [LINE]),
        (lambda k: lambda x: k.ops.einsum("btc,bsc->bts", *x), [LINE, (4, 3, 6)]),
        (lambda k: lambda x: k.ops.zeros_like(x), [LINE]),
        (lambda k: lambda x: k.ops.split(x, 2, axis=-1)[0], [LINE]),
        (lambda k: lambda x: k.ops.swapaxes(x, 1, 2), [LINE]),
        (lambda k: lambda x: k.ops.moveaxis(x, 1, 2), [LINE]),
        (lambda k: lambda x: k.ops.one_hot(k.ops.argmax(x, axis=-1), 6), [LINE]),
        (lambda k: lambda x: k.ops.take(x, [0, 2], axis=1), [LINE]),
        (lambda k: lambda x: k.ops.norm(x, axis=-1), [LINE]),
        (lambda k: lambda x: k.ops.logsumexp(x, axis=1), [LINE]),
        (lambda k: lambda x: k.ops.average_pool(x, 2), [IMAGE]),
        (lambda k: lambda x: k.ops.max_pool(x, 2, padding="same"), [IMAGE]),
        (lambda k: lambda x: k.ops.broadcast_to(x, (4, 9, 6)), [LINE]),
        (lambda k: lambda x: k.ops.diagonal(x, axis1=1, axis2=2), [LINE]),
        (lambda k: lambda x: k.ops.var(x, axis=(0, 1)), [LINE]),
    ],
}
CASES = [(name, i) for name, cases in LAYERS.items() for i in range(len(cases))]


def opened(shapes):
    """The shapes with every set of their axes open, the same set of axes in all of them."""
    axes = range(max(map(len, shapes)))
    for count in range(len(axes) + 1):
        for chosen in itertools.combinations(axes, count):
            yield [tuple(None if i in chosen else n for i, n in enumerate(s)) for s in shapes]


def only_first(shapes):
    """The shapes with an axis of one of them open, so that the size stands in another one."""
    for which, shape in enumerate(shapes):
        for axis in range(len(shape)):
            changed = list(shapes)
            changed[which] = (*shape[:axis], None, *shape[axis + 1 :])
            yield changed


def answer(library, make, shapes):
    """The shape of what the layer returns for symbolic tensors, or the error."""
    tensors = [library.Input(batch_shape=shape) for shape in shapes]
    try:
        result = make(library)(tensors[0] if len(tensors) == 1 else tensors)
    except Exception as error:
        return error
    return tuple(result.shape)


def differences(ours, theirs, closed, strict):
    """Whether our answer is not that of Keras.

    Of several operands, and of an array that is one, we know more: a size that is open in one of
    them is that of another (Keras: in ops, but not in all layers).
    """
    if isinstance(theirs, Exception):
        return not isinstance(ours, ValueError)
    if strict or not isinstance(ours, tuple):
        return ours != theirs
    return not all(n in (m, known) for n, m, known in zip(ours, theirs, closed, strict=True))


def sets_of(shapes):
    return [*opened(shapes), *(only_first(shapes) if len(shapes) > 1 else ())]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name, number", CASES)
def test_shapes_are_those_of_keras(keras, name, number):
    make, shapes = LAYERS[name][number]
    closed = answer(dlnative, make, shapes)
    strict = len(shapes) == 1 and name != "Rescaling"
    wrong = []
    for given in sets_of(shapes):
        ours, theirs = answer(dlnative, make, given), answer(keras, make, given)
        if differences(ours, theirs, closed, strict):
            wrong.append(f"{given}: {ours!r}, Keras: {theirs!r}"[:600])
        if name in ("ops", "operators") or isinstance(ours, Exception):
            continue
        layer = make(dlnative)
        computed = layer.compute_output_shape(given[0] if len(given) == 1 else given)
        if computed != ours or layer.built:
            wrong.append(f"{given}: compute_output_shape gives {computed}, called {ours}")
    assert not wrong, "\n".join(wrong)


class Wrapped(dlnative.layers.Layer):
    """A function as a layer, as users write them."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, inputs):
        return self.function(inputs)


def as_model(make, shapes):
    """What a functional model of a function gives for inputs that are open in other axes."""

    def made(library):
        tensors = [library.Input(batch_shape=(None,) * len(shape)) for shape in shapes]
        inputs = tensors[0] if len(tensors) == 1 else tensors
        return library.Model(inputs, make(library)(inputs))

    return made


@pytest.mark.parametrize("name, number", [(n, i) for n, i in CASES if n in ("ops", "operators")])
def test_ops_in_layers_and_models_have_the_same_shapes(name, number):
    make, shapes = LAYERS[name][number]
    wrong = []
    all_open = answer(dlnative, make, [(None,) * len(shape) for shape in shapes])
    for given in sets_of(shapes):
        plain = answer(dlnative, make, given)
        inside = {"layer": answer(dlnative, lambda k: Wrapped(make(k)), given)}
        if not isinstance(all_open, Exception):
            inside["model"] = answer(dlnative, as_model(make, given), given)
        for where, found in inside.items():
            same = found == plain or type(found) is type(plain) is ValueError
            if not same:
                wrong.append(f"{given}: {where} {found!r}, outside: {plain!r}"[:400])
    assert not wrong, "\n".join(wrong)


def test_every_layer_is_in_the_table():
    import dlnative.layers as layers

    kinds = {
        value.__name__
        for value in vars(layers).values()
        if isinstance(value, type) and issubclass(value, layers.Layer)
    }
    missing = kinds - set(LAYERS) - {"InputLayer", "Lambda", "Layer", "OpLayer", "Wrapper"}
    assert not missing
