"""The networks of dlnative.applications: sizes, options, and what makes them what they are."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import dlnative
from dlnative import Model, applications, layers


def values(*shape, seed=0):
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape).astype("float32")


def trainable(model):
    return sum(v.numpy().size for v in model.trainable_variables)


# Trainable parameters by hand: a convolution has taps * in * out (+ out with bias), batch
# normalization 2 per channel, a dense layer in * out + out.
CONV = 9
RESNET = {
    depth: 3 * CONV * 16
    + CONV * (2 * n * 16 * 16 + 16 * 32 + (2 * n - 1) * 32 * 32 + 32 * 64 + (2 * n - 1) * 64 * 64)
    + 2 * (16 * (2 * n + 1) + 32 * 2 * n + 64 * 2 * n)
    + 64 * 10
    + 10
    for depth, n in ((20, 3), (32, 5), (56, 9), (110, 18))
}
PARAMETERS = {
    "lenet5": 156 + 2416 + 48120 + 10164 + 850,
    "lenet": 832 + 51264 + 3136 * 512 + 512 + 5130,
    "vgg6": 1792 + 36928 + 73856 + 147584 + 295168 + 590080 + 4096 * 256 + 256 + 2570,
    "resnet18": 11_173_962,  # torchvision's 11,689,512 with this stem and 10 classes
    **{f"resnet{depth}": count for depth, count in RESNET.items()},
}


@pytest.mark.parametrize("name", applications.__all__)
def test_parameters(name):
    model = getattr(applications, name)()
    assert trainable(model) == PARAMETERS[name]
    assert f"{trainable(model):,}" in getattr(applications, name).__doc__
    assert model.name == name
    assert model.output_shape == (None, 10)


def test_parameters_of_the_papers():
    """He et al. 2015, table 6: 0.27, 0.46, 0.85 and 1.7 million."""
    millions = [trainable(getattr(applications, f"resnet{d}")()) / 1e6 for d in (20, 32, 56, 110)]
    np.testing.assert_allclose(millions, [0.27, 0.46, 0.85, 1.7], rtol=0.02)


@pytest.mark.parametrize(("depth", "add"), [(20, 9), (32, 15), (56, 27)])
def test_depth_counts_layers_with_weights(depth, add):
    build = getattr(applications, f"resnet{depth}")
    for options, expected in (({}, add), ({"residual": False}, 0)):
        model = build((8, 8, 3), **options)
        weighted = [m for m in model.layers if isinstance(m, (layers.Conv2D, layers.Dense))]
        assert len(weighted) == depth
        assert sum(isinstance(m, layers.Add) for m in model.layers) == expected
        assert trainable(model) == RESNET[depth]


SIZES = [
    ("lenet5", (12, 12, 1)),
    ("lenet5", (32, 32, 1)),
    ("lenet5", (40, 17, 3)),
    ("lenet", (4, 4, 1)),
    ("lenet", (33, 20, 3)),
    ("vgg6", (8, 8, 1)),
    ("vgg6", (50, 37, 3)),
    ("resnet20", (1, 1, 1)),
    ("resnet20", (7, 13, 2)),
    ("resnet18", (17, 32, 3)),
    ("resnet18", (96, 70, 3)),
]


@pytest.mark.parametrize(("name", "shape"), SIZES)
def test_any_size_that_fits(engine, name, shape):
    model = getattr(applications, name)(shape, classes=3)
    y = model.predict(values(2, *shape), verbose=0)
    assert y.shape == (2, 3)
    np.testing.assert_allclose(y.sum(axis=1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("name", applications.__all__)
def test_logits(engine, name):
    build = getattr(applications, name)
    shape = (16, 16, 3)
    if name in ("resnet56", "resnet110", "resnet18"):
        shape = (4, 4, 3)
    probabilities = build(shape, classes=4)
    logits = build(shape, classes=4, classifier_activation=None, name="other")
    assert logits.name == "other"
    logits.set_weights(probabilities.get_weights())
    x = values(2, *shape)
    expected = dlnative.activations.softmax(logits.predict(x, verbose=0))
    np.testing.assert_allclose(probabilities.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-6)


def names_of(model):
    return [layer.name for layer in model.layers]


def test_options():
    assert "dropout" not in names_of(applications.lenet())
    assert applications.lenet(dropout=0.5).get_layer("dropout").rate == 0.5
    assert {"dropout1", "dropout2"} <= set(names_of(applications.vgg6(dropout=0.3)))
    normalized = applications.vgg6(normalization="batch")
    assert sum(isinstance(m, layers.BatchNormalization) for m in normalized.layers) == 6
    assert applications.lenet5((28, 28, 1)).get_layer("conv1").padding == "same"
    assert applications.lenet5((32, 32, 1)).get_layer("conv1").padding == "valid"
    assert "stem_pool" in names_of(applications.resnet18((64, 64, 3)))
    assert "stem_pool" not in names_of(applications.resnet18((63, 64, 3)))
    assert "stem_pool" not in names_of(applications.resnet18((64, 64, 3), stem="small"))
    assert "stem_pool" in names_of(applications.resnet18((32, 32, 3), stem="large"))
    regularized = applications.resnet20((8, 8, 3), kernel_regularizer="l2")
    assert len(regularized.losses) == 20
    with_projections = applications.resnet20(shortcut="B")
    assert trainable(with_projections) == RESNET[20] + 16 * 32 + 32 * 64 + 2 * (32 + 64)


def test_shortcut_a_takes_pixels_and_appends_zeros(engine):
    model = applications.resnet20((8, 6, 3))
    block = Model(
        model.get_layer("stage1_block3_relu").output,
        model.get_layer("stage2_block1_shortcut_images").output,
    )
    x = values(2, 8, 6, 16)
    y = block.predict(x, verbose=0)
    assert y.shape == (2, 4, 3, 32)
    np.testing.assert_array_equal(y[..., :16], x[:, ::2, ::2])
    np.testing.assert_array_equal(y[..., 16:], 0.0)


@pytest.mark.parametrize("training", [False, True])
def test_residual_block_of_gamma_zero_is_the_identity(engine, training):
    """The branch adds exactly zero, so ReLU of a non-negative input is that input, bit by bit."""
    model = applications.resnet20((8, 8, 3), zero_init_residual=True)
    for name in ("stage1_block2", "stage3_block3"):
        start = model.get_layer(f"{name}_1_conv").input
        block = Model(start, model.get_layer(f"{name}_relu").output)
        x = np.abs(values(4, *start.shape[1:]))
        np.testing.assert_array_equal(block(x, training=training), x)
    # Without it the block is something else.
    plain = applications.resnet20((8, 8, 3))
    start = plain.get_layer("stage1_block2_1_conv").input
    block = Model(start, plain.get_layer("stage1_block2_relu").output)
    x = np.abs(values(4, *start.shape[1:]))
    assert not np.array_equal(block(x, training=training), x)


def test_gamma_zero_learns_to_leave_the_identity(engine):
    model = applications.resnet20((8, 8, 3), zero_init_residual=True)
    _, gradients = dlnative.value_and_grad(model, "sparse_categorical_crossentropy")(
        values(4, 8, 8, 3), np.arange(4)
    )
    by_name = {
        path.split("/", 1)[-1] if path.startswith(model.name) else path: g
        for path, g in gradients.items()
    }
    assert np.any(by_name["stage1_block2_2_bn/gamma"] != 0)
    assert np.all(by_name["stage1_block2_1_conv/kernel"] == 0)


def test_configuration_makes_the_same_model_again(engine):
    for model in (
        applications.lenet5(),
        applications.resnet20((8, 8, 3), shortcut="A"),
        applications.resnet20((8, 8, 3), shortcut="B"),
    ):
        again = type(model).from_config(model.get_config())
        again.set_weights(model.get_weights())
        x = values(2, *model.input_shape[1:])
        np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("name", ["lenet5", "lenet", "resnet20"])
def test_a_batch_is_learned(engine, name):
    dlnative.utils.set_random_seed(1)
    model = getattr(applications, name)((12, 12, 1), classes=4)
    optimizer = dlnative.optimizers.Adam(0.003)
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy")
    x, y = values(16, 12, 12, 1), np.arange(16) % 4
    losses = model.fit(x, y, batch_size=16, epochs=12, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]


BAD = [
    (lambda: applications.lenet5((11, 28, 1)), ValueError, "lenet5: .*at least 12x12.*11, 28, 1"),
    (lambda: applications.lenet((3, 28, 28)), ValueError, "lenet: .*4x4.*x.transpose.0, 2, 3, 1"),
    (lambda: applications.vgg6((32, 7, 3)), ValueError, "vgg6: expected images of at least 8x8"),
    (
        lambda: applications.vgg6((32, 32)),
        ValueError,
        "vgg6: .*height, width, channels.*append a 1",
    ),
    (lambda: applications.vgg6((None, 32, 32, 3)), ValueError, "Leave the batch size out"),
    (lambda: applications.resnet20((None, None, 3)), ValueError, "resnet20: .*all sizes known"),
    (lambda: applications.resnet20((0, 32, 3)), ValueError, "resnet20: .*at least 1x1"),
    (lambda: applications.resnet20((32, 32, 0)), ValueError, "one channel"),
    (lambda: applications.resnet20(32), TypeError, "resnet20: expected input_shape"),
    (lambda: applications.resnet20((32.0, 32, 3)), TypeError, "resnet20: expected input_shape"),
    (lambda: applications.resnet20(classes=0), ValueError, "units of at least 1, received 0"),
    (lambda: applications.resnet20(classes=2.5), TypeError, "integer"),
    (lambda: applications.resnet20(shortcut="C"), ValueError, "resnet20: .*'A' or 'B'.*'C'"),
    (
        lambda: applications.resnet110(residual=False, zero_init_residual=True),
        ValueError,
        "resnet110: zero_init_residual=True needs residual=True",
    ),
    (lambda: applications.resnet18(stem="tiny"), ValueError, "stem to be None or 'small' or 'lar"),
    (lambda: applications.vgg6(normalization="group"), ValueError, "normalization .*'group'"),
    (lambda: applications.lenet(dropout=1.5), ValueError, "rate"),
    (lambda: applications.lenet(classifier_activation="sofmax"), ValueError, "'softmax'"),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_bad_arguments(number):
    build, error, words = BAD[number]
    with pytest.raises(error, match=words):
        build()


def test_import_is_lazy():
    code = "import dlnative, sys; print('dlnative.applications' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False"]
    assert dlnative.applications is applications


@pytest.mark.parametrize(("name", "blocks"), [("resnet20", 3), ("resnet110", 18)])
def test_memory_plan(name, blocks):
    """Of each convolution its output and the normalized one are kept, and little else."""
    pytest.importorskip("dlnative._core")
    model = getattr(applications, name)()
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
    pixels = 32 * 32 * 16 * (2 * blocks + 1) + (16 * 16 * 32 + 8 * 8 * 64) * 2 * blocks
    batch = 16
    plan = model.memory_plan(batch)
    kept = 2 * 4 * pixels * batch
    assert plan.arena_bytes < 1.2 * kept + 8e6
    assert plan.variable_bytes >= 4 * model.count_params()
