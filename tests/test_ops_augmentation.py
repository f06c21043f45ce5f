"""Random changes of images: the native kernels against the oracle, and what draws depend on."""

import itertools

import numpy as np
import pytest

from dlnative import config, reference
from dlnative.graph import apply, table
from dlnative.graph.graph import Graph
from dlnative.ops import rows as ops

pytestmark = pytest.mark.native

SHAPES = [(0, 5, 4, 3), (1, 1, 1, 1), (3, 7, 5, 3), (2, 6, 9, 1), (2, 5, 5, 4), (2, 4, 6, 17)]
AFFINE = {
    "height_shift": (-0.4, 0.3),
    "width_shift": (-1.2, 1.5),
    "rotation": (-0.4, 0.5),
    "height_zoom": (0.4, 2.5),
    "width_zoom": (0.5, 1.7),
    "fill_value": 3.5,
}
CASES = {
    "flip": ("random_flip", {}),
    "flip horizontal": ("random_flip", {"mode": "horizontal"}),
    "flip vertical": ("random_flip", {"mode": "vertical"}),
    "brightness": ("random_brightness", {"factor": (-0.9, 0.6)}),
    "brightness of [-1, 1]": (
        "random_brightness",
        {"factor": (0.1, 0.5), "value_range": (-1.0, 1.0)},
    ),
    "contrast": ("random_contrast", {"factor": (0.2, 2.0)}),
    **{
        f"affine {fill} {interpolation}": (
            "random_affine",
            {**AFFINE, "fill_mode": fill, "interpolation": interpolation},
        )
        for fill, interpolation in itertools.product(
            ("constant", "nearest", "reflect", "wrap"), ("nearest", "bilinear")
        )
    },
}
DRAWN = [
    ("random_flip", {"mode": "horizontal"}),
    ("random_crop", {"height": 6, "width": 5, "padding": (2, 2, 3, 1)}),
    ("random_affine", AFFINE),
    ("random_brightness", {"factor": (-0.5, 0.5)}),
    ("random_contrast", {"factor": (0.5, 1.5)}),
]


def images(rng, shape, dtype="float32"):
    return rng.uniform(0, 255, shape).astype(dtype)


def agree(name, x, attributes):
    y = getattr(ops, name)(x, **attributes)
    expected = getattr(reference, name)(x.astype("float64"), **attributes)
    assert y.dtype == x.dtype
    # Values up to 255, a few operations each; means of contrast are rounded to the dtype.
    np.testing.assert_allclose(y, expected, rtol=0, atol=255 * 16 * np.finfo(x.dtype).eps)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_kernels_are_the_oracles(isa, rng, case, dtype):
    name, attributes = CASES[case]
    for seed, shape in enumerate(SHAPES):
        x = images(rng, shape, dtype)
        agree(name, x, {**attributes, "seed": seed, "op_id": 2, "epoch": 3})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", ["constant", "reflect"])
def test_crop_is_the_oracles(isa, rng, dtype, mode):
    for shape, size, padding in [
        ((5, 7, 6, 3), (7, 6), (4, 4, 4, 4)),
        ((4, 7, 6, 3), (3, 2), (0, 0, 0, 0)),
        ((4, 7, 6, 1), (7, 6), (0, 0, 0, 0)),
        ((4, 5, 9, 2), (1, 20), (0, 3, 8, 5)),
        ((0, 5, 9, 2), (2, 2), (1, 0, 0, 1)),
    ]:
        x = images(rng, shape, dtype)
        attributes = {
            "height": size[0],
            "width": size[1],
            "padding": padding,
            "padding_mode": mode,
            "fill_value": -2.0,
            "seed": 8,
            "epoch": 1,
        }
        y = ops.random_crop(x, **attributes)
        np.testing.assert_array_equal(y, reference.random_crop(x, **attributes))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_resized_window_is_the_oracles(isa, rng, dtype):
    for window, size in [
        ((0, 0, 7, 6), (7, 6)),
        ((1, 2, 4, 3), (8, 9)),
        ((2, 0, 5, 6), (2, 3)),
        ((0, 0, 1, 1), (3, 2)),
    ]:
        attributes = {"window": window, "height": size[0], "width": size[1]}
        agree("crop_resize2d", images(rng, (2, 7, 6, 3), dtype), attributes)


@pytest.mark.parametrize("case", [c for c in CASES if c.endswith("nearest") or "flip" in c])
def test_moved_pixels_are_the_same_bits_on_every_instruction_set(rng, case):
    from dlnative import _core

    name, attributes = CASES[case]
    x = images(rng, (40, 13, 11, 3))
    before, results = _core.isa(), []
    try:
        for isa in config.available_isas():
            _core.set_isa(isa)
            results.append(getattr(ops, name)(x, **attributes))
    finally:
        _core.set_isa(before)
    for y in results:
        np.testing.assert_array_equal(y, reference.__dict__[name](x, **attributes))


@pytest.mark.parametrize("name, attributes", DRAWN)
def test_same_bits_for_any_number_of_threads(rng, threads, name, attributes):
    x = images(rng, (200, 12, 12, 3))
    results = []
    for n in (1, 2, 3):
        threads(n)
        results.append(getattr(ops, name)(x, **attributes))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("name, attributes", DRAWN)
def test_draws_belong_to_the_sample(rng, name, attributes, engine):
    """In any order and any batch a sample gets what it gets in order, in one batch."""
    x = images(rng, (30, 8, 8, 3))
    op = getattr(ops, name)
    with config.engine(engine):
        whole = op(x, seed=5, epoch=2, **attributes)
        order = rng.permutation(30)
        shuffled = op(x[order], seed=5, epoch=2, samples=order.tolist(), **attributes)
        np.testing.assert_array_equal(shuffled, whole[order])
        part = op(x[7:11], seed=5, epoch=2, samples=[7, 8, 9, 10], **attributes)
        np.testing.assert_array_equal(part, whole[7:11])
        for other in ({"epoch": 3}, {"seed": 6}, {"op_id": 1}):
            changed = op(x, **{"seed": 5, "epoch": 2, **attributes, **other})
            assert not np.array_equal(changed, whole), other


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("name, attributes", DRAWN)
def test_a_program_draws_by_row_number(rng, name, attributes, engine):
    """Function.run: batches of every size, with and without an order."""
    from dlnative import engines

    x = images(rng, (24, 8, 8, 3))
    for epoch in (0, 4):
        expected = getattr(ops, name)(x, seed=9, epoch=epoch, **attributes)
        for batch, indices in itertools.product((1, 4, 24), (None, rng.permutation(24))):
            graph = Graph(training=True)
            feed = graph.feed((batch, 8, 8, 3), "float32")
            y = apply(name, feed, seed=9, **attributes)
            run = engines.build(graph, [y], engine)
            out = np.zeros((24, *y.shape[1:]), "float32")
            half = 12 // batch  # in two calls, as `fit` does between callbacks
            for first, steps in ((0, half), (half, 24 // batch - half)):
                if steps:
                    run.run([x], indices, first * batch, steps, out=[out], epoch=epoch)
            rows = slice(None) if indices is None else indices
            close = {"rtol": 0, "atol": 255 * 16 * np.finfo("float32").eps}
            np.testing.assert_allclose(out, expected[rows], **close)


def test_a_call_numbers_rows_and_takes_the_step_for_the_epoch(rng):
    from dlnative import engines

    x = images(rng, (6, 8, 8, 3))
    for engine in ("native", "numpy"):
        graph = Graph(training=True)
        y = apply("random_flip", graph.feed(x.shape, "float32"), seed=2)
        run = engines.build(graph, [y], engine)
        for step in (0, 7):
            expected = ops.random_flip(x, seed=2, epoch=step)
            np.testing.assert_array_equal(run(x, step=step)[0], expected)


def test_several_images_of_one_sample_have_draws_of_their_own(rng):
    x = images(rng, (6, 4, 4, 1))
    expected = ops.random_flip(x, seed=1, samples=[10, 11, 4, 5, 8, 9])
    np.testing.assert_array_equal(ops.random_flip(x, seed=1, samples=[5, 2, 4]), expected)
    np.testing.assert_array_equal(reference.random_flip(x, seed=1, samples=[5, 2, 4]), expected)


def test_flip_is_its_own_gradient(rng):
    x = images(rng, (8, 3, 4, 2), "float64")
    dy = images(rng, (8, 3, 4, 2), "float64")
    attributes = {"seed": 3, "epoch": 1}
    graph = Graph()
    feed = graph.feed(x.shape, "float64")
    y = apply("random_flip", feed, **attributes)
    (dx,) = table["random_flip"].gradient(y.node, y, needs=(True,))
    assert dx.node.attributes == attributes
    y, dx = ops.random_flip(x, **attributes), ops.random_flip(dy, **attributes)
    assert np.isclose((y * dy).sum(), (x * dx).sum())


def test_others_have_no_gradient():
    graph = Graph()
    y = apply("random_brightness", graph.feed((2, 3, 3, 1), "float32"), factor=(0.0, 1.0))
    with pytest.raises(NotImplementedError, match="random_brightness has no gradient: it belongs"):
        table["random_brightness"].gradient(y.node, y, needs=(True,))


def test_nan_stays(rng):
    x = images(rng, (2, 3, 3, 3))
    x[0, 1, 1, 2] = np.nan
    y = ops.random_brightness(x, factor=(0.1, 0.1))
    assert np.isnan(y[0, 1, 1, 2]) and np.isnan(y).sum() == 1
    y = ops.random_contrast(x, factor=(0.5, 0.5))
    assert np.isnan(y[0, :, :, 2]).all() and np.isnan(y).sum() == 9


BAD = [
    ("random_flip", {"mode": "diagonal"}, "mode to be one of .* received 'diagonal'"),
    ("random_crop", {"height": 9, "width": 2}, "9 x 2 does not fit into"),
    ("random_crop", {"height": 2, "width": 0}, "2 x 0 does not fit into"),
    ("random_crop", {"height": 2, "width": 2, "padding": (1, 1)}, "expected padding"),
    (
        "random_crop",
        {"height": 2, "width": 2, "padding": (0, 6, 0, 0), "padding_mode": "reflect"},
        "mirrored padding must be smaller",
    ),
    ("random_crop", {"height": 2, "width": 2, "padding_mode": "wrap"}, "padding_mode to be one of"),
    ("random_affine", {"rotation": (0.5, 0.2)}, "rotation to be two numbers in order"),
    ("random_affine", {"height_zoom": (0.0, 0.2)}, "height_zoom to be .* above 0"),
    ("random_affine", {"fill_mode": "mirror"}, "fill_mode to be one of"),
    ("random_affine", {"interpolation": "cubic"}, "interpolation to be one of"),
    ("random_brightness", {"factor": (1.0, 0.0)}, "factor to be two numbers in order"),
    (
        "random_contrast",
        {"factor": (1.0, 1.0), "value_range": (1.0, 0.0)},
        "value_range to be two numbers",
    ),
    (
        "crop_resize2d",
        {"window": (1, 0, 6, 2), "height": 2, "width": 2},
        r"cannot make 2 x 2 pixels of the window \(1, 0, 6, 2\)",
    ),
]


@pytest.mark.parametrize("name, attributes, message", BAD)
def test_errors(name, attributes, message):
    with pytest.raises(ValueError, match=f"{name}: .*{message}"):
        getattr(ops, name)(np.zeros((2, 6, 6, 3), "float32"), **attributes)


def test_images_have_four_axes():
    with pytest.raises(ValueError, match=r"random_flip: expected images of shape \(batch, height"):
        ops.random_flip(np.zeros((6, 6, 3), "float32"))
