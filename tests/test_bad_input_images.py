"""Bad images, kernels and groups: what is raised names the layer, the shapes and the remedy."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import Input, Sequential, layers

IMAGES = (8, 8, 4)


def conv(*arguments, **options):
    return layers.Conv2D(*arguments, name="c", **options)


CONSTRUCTORS = {
    "no filters": (lambda: conv(0, 3), ValueError, "filters of at least 1, received 0"),
    "filters not whole": (lambda: conv(2.5, 3), TypeError, "filters to be an integer"),
    "empty kernel": (lambda: conv(4, 0), ValueError, r"kernel_size of at least 1, .*\(0, 0\)"),
    "kernel of three sizes": (
        lambda: conv(4, (3, 3, 3)),
        ValueError,
        r"kernel_size to be an integer or a tuple of 2 integers, received \(3, 3, 3\)",
    ),
    "kernel not whole": (lambda: conv(4, (3, 2.5)), TypeError, "kernel_size .*received"),
    "kernel in words": (lambda: conv(4, "3"), TypeError, "kernel_size to be an integer"),
    "strides of zero": (lambda: conv(4, 3, strides=0), ValueError, "strides of at least 1"),
    "negative dilation": (
        lambda: conv(4, 3, dilation_rate=-1),
        ValueError,
        "dilation_rate of at least 1",
    ),
    "strides and dilation": (
        lambda: conv(4, 3, strides=2, dilation_rate=2),
        ValueError,
        r"strides above 1 do not go with .*strides=\(2, 2\).*Leave one of them at 1",
    ),
    "strides and dilation, transposed": (
        lambda: layers.Conv2DTranspose(4, 3, strides=2, dilation_rate=2),
        ValueError,
        "strides above 1 do not go with",
    ),
    "output padding as large as strides": (
        lambda: layers.Conv2DTranspose(4, 3, strides=2, output_padding=2),
        ValueError,
        "output_padding below the strides",
    ),
    "groups that do not divide the filters": (
        lambda: conv(4, 3, groups=3),
        ValueError,
        "'c': expected groups that divide the filters, received groups=3 and filters=4",
    ),
    "no groups": (lambda: conv(4, 3, groups=0), ValueError, "groups of at least 1"),
    "no multiplier": (
        lambda: layers.DepthwiseConv2D(3, depth_multiplier=0),
        ValueError,
        "depth_multiplier of at least 1",
    ),
    "misspelt padding": (lambda: conv(4, 3, padding="smae"), ValueError, "Did you mean 'same'"),
    "causal in two dimensions": (
        lambda: conv(4, 3, padding="causal"),
        ValueError,
        "padding 'causal'. Known names: same, valid",
    ),
    "misspelt data format": (
        lambda: conv(4, 3, data_format="chanels_last"),
        ValueError,
        "Did you mean 'channels_last'",
    ),
    "misspelt activation": (lambda: conv(4, 3, activation="rleu"), ValueError, "'relu'"),
    "misspelt argument": (lambda: conv(4, 3, dilation=2), ValueError, "'dilation_rate'"),
    "constraint": (
        lambda: conv(4, 3, kernel_constraint="non_negative"),
        ValueError,
        "constraint 'non_negative'",
    ),
    "depthwise constraint": (
        lambda: layers.SeparableConv2D(4, 3, pointwise_constraint=0.5),
        TypeError,
        "constraint: expected a name",
    ),
    "empty pool": (lambda: layers.MaxPooling2D(0), ValueError, "pool_size of at least 1"),
    "pooling padding": (lambda: layers.MaxPooling2D(2, padding="full"), ValueError, "padding"),
    "negative zeros": (lambda: layers.ZeroPadding2D(-1), ValueError, "padding"),
}


@pytest.mark.parametrize("case", CONSTRUCTORS)
def test_bad_arguments(case):
    make, error, words = CONSTRUCTORS[case]
    with pytest.raises(error, match=words):
        make()


CALLS = {  # layer, shape of a sample, words
    "kernel larger than the image": (
        lambda: conv(4, 9),
        IMAGES,
        r"kernel of size \(9, 9\) is larger than the padded input: its height is 9, the input's "
        r"is 8\. Use a smaller kernel, larger images, or padding='same'",
    ),
    "kernel wider than the image": (lambda: conv(4, (3, 9)), IMAGES, "its width is 9"),
    "dilated kernel": (lambda: conv(4, 3, dilation_rate=4), IMAGES, r"is 3 \(dilated to 9\)"),
    "kernel longer than the sequence": (
        lambda: layers.Conv1D(4, 9, name="c"),
        (8, 4),
        "its length is 9, the input's is 8",
    ),
    "depthwise kernel": (lambda: layers.DepthwiseConv2D(9, name="c"), IMAGES, "its height is 9"),
    "separable kernel": (lambda: layers.SeparableConv2D(4, 9, name="c"), IMAGES, "height is 9"),
    "pool larger than the image": (
        lambda: layers.MaxPooling2D(9, name="c"),
        IMAGES,
        r"pool of size \(9, 9\) is larger than the padded input",
    ),
    "cropped to nothing": (lambda: layers.Cropping2D(4, name="c"), IMAGES, "leaves nothing|crop"),
    "transposed to nothing": (
        lambda: layers.Conv2DTranspose(4, 2, strides=2, padding="same", output_padding=0, name="c"),
        (1, 1, 4),
        "height would be 0.*larger",
    ),
    "groups that do not divide the channels": (
        lambda: conv(6, 3, groups=3),
        IMAGES,
        r"groups=3 and input \(batch, 8, 8, 4\) of 4 channels. Choose groups that divide 4 and 6",
    ),
    "vectors": (
        lambda: conv(4, 3),
        (784,),
        r"expected input of shape \(batch, height, width, channels\), received \(batch, 784\)",
    ),
    "images without channels": (
        lambda: conv(4, 3),
        (28, 28),
        r"received \(batch, 28, 28\).* x\[\.\.\., None\]",
    ),
    "films": (lambda: conv(4, 3), (5, 28, 28, 1), r"received \(batch, 5, 28, 28, 1\)"),
    "sequences in two dimensions": (
        lambda: layers.Conv1D(4, 3, name="c"),
        IMAGES,
        r"\(batch, length, channels\), received \(batch, 8, 8, 4\)",
    ),
    "images for a pool without channels": (
        lambda: layers.MaxPooling2D(2, name="c"),
        (28, 28),
        r"received \(batch, 28, 28\)",
    ),
    "open channels": (
        lambda: conv(4, 3),
        (8, 8, None),
        "size of axis -1 of its input must be known",
    ),
    "channels first in the data": (
        lambda: conv(4, 3),
        (1, 28, 28),
        r"If axis 1 holds the channels, transpose: x\.transpose\(0, 2, 3, 1\)",
    ),
}


@pytest.mark.parametrize("case", CALLS)
def test_layer_that_does_not_fit(case):
    make, shape, words = CALLS[case]
    with pytest.raises(ValueError, match=words) as caught:
        make()(Input(shape, name="images"))
    text = str(caught.value)
    assert text.split("'", 1)[1].startswith("c'")  # the layer, by its name
    assert "The layers up to here" in text
    assert "InputLayer 'images'" in text
    layer = make()
    with pytest.raises(ValueError, match=words):
        layer.compute_output_shape((None, *shape))
    assert layer.weights == []
    if None not in shape:
        with pytest.raises(ValueError, match=words.replace("batch", "(2|batch)")):
            make()(np.zeros((2, *shape), "float32"))


def test_built_layer_refuses_other_channels():
    layer = conv(4, 3)
    layer.build((None, *IMAGES))
    with pytest.raises(ValueError, match="4 channels to match its kernel.*from 'images'"):
        layer(Input((8, 8, 3), name="images"))
    with pytest.raises(ValueError, match="4 channels to match its kernel"):
        layer(np.zeros((1, 8, 8, 3), "float32"))
    assert layer(np.zeros((1, 5, 9, 4), "float32")).shape == (1, 3, 7, 4)


def test_message_names_layer_shapes_remedy_and_chain():
    with pytest.raises(ValueError, match="Conv2D 'second'") as caught:
        Sequential(
            [
                Input((8, 8, 1), name="images"),
                layers.Conv2D(4, 3, name="first"),
                layers.MaxPooling2D(2, name="pool"),
                layers.Conv2D(8, 5, name="second"),
            ]
        )
    assert str(caught.value).splitlines() == [
        "Conv2D 'second': the kernel of size (5, 5) is larger than the padded input: its height is "
        "5, the input's is 3. Use a smaller kernel, larger images, or padding='same'.",
        "The layers up to here, with their outputs:",
        "    InputLayer 'images'  (batch, 8, 8, 1)",
        "    Conv2D 'first'       (batch, 6, 6, 4)",
        "    MaxPooling2D 'pool'  (batch, 3, 3, 4)",
        "  > Conv2D 'second'      does not fit (batch, 3, 3, 4)",
    ]


def small():
    model = Sequential(
        [
            Input((8, 8, 1), name="images"),
            layers.Conv2D(2, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
    return model


X = np.linspace(0, 1, 6 * 64, dtype="float32").reshape(6, 8, 8, 1)
Y = np.arange(6) % 3
DATA = {
    "other size": (X[:, :7], r"input 'images' of shape \(batch, 8, 8, 1\), received \(batch, 7"),
    "other channels": (np.repeat(X, 3, axis=-1), r"received \(batch, 8, 8, 3\)"),
    "channels first": (X.transpose(0, 3, 1, 2), r"received \(batch, 1, 8, 8\)"),
    "flat": (X.reshape(6, 64), r"received \(batch, 64\)"),
    "no images": (X[:0], "at least one sample"),
    "a NaN": (np.where(np.arange(6)[:, None, None, None] == 4, np.nan, X), "sample 4 has the val"),
    "too few": (X[:5], "x has 5, y has 6"),
}


@pytest.mark.parametrize("engine", ["numpy", "native"])
@pytest.mark.parametrize("case", DATA)
def test_bad_images_leave_the_model_as_it_was(case, engine):
    if engine == "native":
        pytest.importorskip("dlnative._core")
    x, words = DATA[case]
    with dlnative.engine(engine):
        model = small()
        before = model.get_weights()
        with pytest.raises(ValueError, match=words):
            model.fit(x, Y if len(x) else Y[:0], verbose=0)
        for old, new in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
        history = model.fit(X[..., 0], Y, verbose=0).history  # one channel may be left out
        assert np.isfinite(history["loss"]).all()


def write(path, size=8, broken=False):
    image = pytest.importorskip("PIL.Image")
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.Generator(np.random.PCG64(0)).integers(0, 255, (size, size), "uint8")
    image.fromarray(pixels).save(path)
    if broken:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
    return path


def test_folders_of_images(tmp_path, monkeypatch):
    """A truncated file, a file that is no image, a class without files, images of several sizes."""
    pytest.importorskip("PIL")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    from dlnative.data import image_folder

    root = tmp_path / "train"
    with pytest.raises(FileNotFoundError, match="train: no such folder"):
        image_folder(root)
    write(root / "cat" / "1.png")
    write(root / "dog" / "1.png")
    (root / "emu").mkdir()
    with pytest.raises(ValueError, match="1 of 3 classes .*emu"):
        image_folder(root)
    write(root / "emu" / "1.png", size=5)
    with pytest.raises(ValueError, match="different sizes: .*image_size=.height, width. resizes"):
        image_folder(root)
    write(root / "emu" / "1.png")
    write(root / "dog" / "2.png", broken=True)
    (root / "dog" / "3.jpg").write_text("not an image")
    with pytest.raises(ValueError, match=r"2 of 5 images cannot be read: .*on_error='skip'"):
        image_folder(root)
