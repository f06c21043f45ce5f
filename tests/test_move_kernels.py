"""Slices, padding, take and scatter of the C++ core against the oracle: dtypes, axes, threads."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from kernel_checks import ALL, FLOATS, SHAPES, SIZES, check, draw, draw_bits, native, rows_of

from dlnative import _core, reference
from dlnative.config import num_threads, set_num_threads

pytestmark = pytest.mark.native


@pytest.fixture(autouse=True, params=(1, 3))
def threads(request):
    before = num_threads()
    set_num_threads(request.param)
    yield request.param
    set_num_threads(before)


# --- slices and padding --------------------------------------------------------------------------


def slices(rng, shape):
    """(starts, sizes, steps) of a random slice with steps."""
    starts, sizes, steps = [], [], []
    for n in shape:
        size = int(rng.integers(0, n + 1)) if rng.random() < 0.6 else n
        if size == 0 and rng.random() < 0.9:
            size = min(n, 1)
        most = max(1, (n - 1) // max(size - 1, 1)) if size else 3
        step = int(rng.integers(1, min(most, 4) + 1))
        room = n - (size - 1) * step if size else n + 1
        start = int(rng.integers(0, room))
        if rng.random() < 0.4:
            start, step = start + max(size - 1, 0) * step, -step
        starts.append(start)
        sizes.append(size)
        steps.append(step)
    return starts, sizes, steps


@pytest.mark.parametrize("dtype", [*ALL, "float16"])
def test_strided_slices(dtype):
    rng = np.random.default_rng(10)
    for shape in (*SHAPES, (), (3, 1, 2, 5, 4), (2, 3, 2, 2, 3, 2)):
        x = draw_bits(shape, dtype, 11)
        for _ in range(12 if np.prod(shape) < 1e5 else 4):
            starts, sizes, steps = slices(rng, shape)
            check("strided_slice", [x], starts=starts, sizes=sizes, steps=steps)


@pytest.mark.parametrize("step", [1, -1, 2, -3])
@pytest.mark.parametrize("n", SIZES)
def test_strided_slices_of_rows(n, step):
    x = draw((3, abs(step) * n + 5), "int32", 12)
    start = 2 if step > 0 else 2 - step * n
    check("strided_slice", [x], starts=[0, start], sizes=[3, n], steps=[1, step])


@pytest.mark.parametrize(
    "starts, sizes, steps",
    [
        ([0, 3], [4, 3], [1, 1]),
        ([0, -1], [4, 1], [1, 1]),
        ([0, 5], [4, 1], [1, 1]),
        ([0, 1], [4, 3], [1, -1]),
        ([0, 0], [4, 6], [1, 1]),
        ([0, 0], [4, -1], [1, 1]),
        ([0, 0], [4, 1], [1, 0]),
        ([0, 0], [4, 3], [1, 2**62]),
        ([0, 0], [4, 2], [1, -(2**63)]),
        ([0, 2**62], [4, 1], [1, 1]),
        ([0], [4], [1]),
        ([0, 0, 0], [4, 5, 1], [1, 1, 1]),
    ],
)
def test_slices_outside_of_x(starts, sizes, steps):
    x, y = np.zeros((4, 5), "f"), np.zeros((4, 5), "f")
    with pytest.raises(ValueError, match="strided_slice: "):
        _core.execute("strided_slice", [x], [y], {"starts": starts, "sizes": sizes, "steps": steps})


@pytest.mark.parametrize("dtype", ALL)
def test_padding(dtype):
    rng = np.random.default_rng(13)
    for shape in (*SHAPES[:9], (33, 70), (2, 9, 1500), (), (3, 1, 2, 5, 4), (5, 1024), (6, 1023)):
        x = draw(shape, dtype, 14)
        for amounts in ((0,), (0, 0, 1, 2), (0, 3), (1, 2, 5)):
            low, high, interior = (
                [int(n) for n in rng.choice(amounts, len(shape))] for _ in range(3)
            )
            value = 1 if dtype == "bool" else 7
            check("pad", [x], low=low, high=high, interior=interior, value=value)
            check("pad", [x], low=low, high=high, value=0)


@pytest.mark.parametrize("n", SIZES)
def test_padding_of_rows(n):
    for shape, k in (((n,), 0), ((2, n), 1), ((n, 2), 0), ((2, n), 0), ((n, 2), 1)):
        x = draw(shape, "float32", 15)
        for amounts in ((1, 0, 0), (0, 33000 if shape[k] == n else 3, 0), (5, 2, 1), (0, 0, 3)):
            low, high, interior = np.zeros((3, len(shape)), int).tolist()
            low[k], high[k], interior[k] = amounts
            check("pad", [x], low=low, high=high, interior=interior, value=-np.inf)


def test_padding_is_the_adjoint_of_slicing():
    x = draw((7, 9), "float64")
    starts, sizes, steps = [1, 8], [3, 4], [2, -2]
    y = reference.strided_slice(x, starts, sizes, steps)
    back = np.flip(y, 1).copy()
    whole = native("pad", [back], x, low=[1, 2], high=[1, 0], interior=[1, 1], value=0)
    np.testing.assert_array_equal(reference.strided_slice(whole, starts, sizes, steps), y)
    assert np.count_nonzero(whole) == y.size


@pytest.mark.parametrize(
    "dtype, value, works",
    [
        ("int32", 2**31 - 1, True),
        ("int32", 2**31, False),
        ("int32", -(2**31), True),
        ("int32", 0.5, False),
        ("int32", np.nan, False),
        ("int64", 2**63 - 1, True),
        ("int64", -(2**63), True),
        ("int64", 2.0**63, False),
        ("int64", 2**53 + 1, True),
        ("uint8", 255.0, True),
        ("uint8", 256, False),
        ("uint8", -1, False),
        ("bool", 3, True),
        ("float32", 0.1, True),
        ("float32", np.nan, True),
    ],
)
def test_the_value_of_padding_is_one_of_the_dtype(dtype, value, works):
    x = np.ones(3, dtype)
    if works:
        check("pad", [x], low=[1], high=[2], interior=[0], value=value)
        return
    with pytest.raises(ValueError, match="pad: expected a value of the integer type of x"):
        _core.execute("pad", [x], [np.zeros(6, dtype)], {"low": [1], "high": [2], "value": value})


@pytest.mark.parametrize(
    "low, high, interior",
    [
        ([1, 0], [0, 0], [0, 0]),
        ([-1, 0], [1, 0], [0, 0]),
        ([0, 0], [0, -1], [0, 0]),
        ([0, 0], [0, 0], [-1, 0]),
        ([2**62, 2**62], [2**62, 2**62], [0, 0]),
        ([0, 0], [0, 0], [0, 2**62]),
        ([0], [0], [0]),
    ],
)
def test_padding_that_does_not_fit(low, high, interior):
    with pytest.raises(ValueError, match="pad: "):
        _core.execute(
            "pad",
            [np.zeros((4, 3), "f")],
            [np.zeros((4, 3), "f")],
            {"low": low, "high": high, "interior": interior},
        )


# --- take and scatter ----------------------------------------------------------------------------

TAKE_SHAPES = ((1,), (5,), (70001,), (4, 5, 6), (2, 1, 3, 1), (257, 130), (40000, 3), (3, 40000))


def places(shape, size, dtype="int64", seed=0):
    return np.random.default_rng(seed).integers(-size, size, shape).astype(dtype)


@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("dtype", [*ALL, "float16"])
def test_take(dtype, index):
    for axis, shape in itertools.chain.from_iterable(map(rows_of, TAKE_SHAPES)):
        x = draw_bits(shape, dtype, 16)
        for form in ((), (0,), (1,), (3, 4), (300,)):
            if np.prod(form) * x.size / shape[axis] < 3e6:
                check("take", [x, places(form, shape[axis], index)], axis=axis)


@pytest.mark.parametrize("count", SIZES)
def test_take_of_many(count):
    for shape, axis in (((50, 3), 0), ((2, 50), 1), ((50,), 0), ((5, 70000 // (count + 1)), 0)):
        check("take", [draw(shape, "float32"), places((count,), shape[axis])], axis=axis)


def test_take_from_nothing_takes_nothing():
    for shape in ((0, 3), (0,)):
        check("take", [np.zeros(shape, "f"), np.zeros((2, 0), "i4")], axis=0)
    check("take", [np.zeros((3, 0), "f"), np.array([2, -3])], axis=0)


@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("dtype", [*ALL, "float16"])
def test_take_along_axis(dtype, index):
    for axis, shape in itertools.chain.from_iterable(map(rows_of, TAKE_SHAPES)):
        x = draw_bits(shape, dtype, 17)
        for count in (0, 1, 3, shape[axis]):
            form = list(shape)
            form[axis] = count
            check("take_along_axis", [x, places(form, shape[axis], index)], axis=axis)


MODES = ("add", "set", "max", "min", "multiply")


def draw_updates(shape, dtype, mode, seed):
    """Products of many must neither overflow nor be flushed to zero."""
    updates = draw(shape, dtype, seed)
    return np.exp(updates / 50) if mode == "multiply" and dtype in FLOATS else updates


@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ALL)
def test_scatter(dtype, mode, index):
    for shape in ((1,), (5,), (300,), (4, 5, 6), (9, 1), (57, 17), (8, 130), (6, 1000), (5, 0)):
        for count in (0, 1, 2 * shape[0], 400):
            x, updates = draw(shape, dtype, 18), draw_updates((count, *shape[1:]), dtype, mode, 19)
            with np.errstate(over="ignore"):
                check("scatter", [x, places((count,), shape[0], index), updates], mode=mode)


@pytest.mark.parametrize("width", [1, 15, 16, 17, 127, 128, 129, 200])
@pytest.mark.parametrize("mode", MODES)
def test_scatter_of_many_in_their_order(mode, width):
    """Large enough for several threads; few rows, so that the order shows in the bits."""
    x = draw((7, width), "float32", 20)
    count = 300_000 // width
    updates = draw_updates((count, width), "float32", mode, 21)
    indices = places((count,), 7, seed=22)
    indices[5:50] = 3
    expected = x.copy()
    if mode == "set":
        expected[indices] = updates  # NumPy keeps the last one, too
    else:
        names = {"max": "maximum", "min": "minimum"}
        getattr(np, names.get(mode, mode)).at(expected, indices, updates)
    result = native("scatter", [x, indices, updates], x, mode=mode)
    np.testing.assert_array_equal(result, expected)
    _core.execute("scatter", [x, indices, updates], [x], {"mode": mode})  # in place
    np.testing.assert_array_equal(x, result)


@pytest.mark.parametrize("mode", ["max", "min"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_a_nan_wins_when_scattered(dtype, mode):
    x = np.array([1, np.nan, 1, 1], dtype)
    updates = np.array([np.nan, 2, 2, 3, np.nan, 0], dtype)
    y = check("scatter", [x, np.array([0, 0, 1, 2, 3, 3]), updates], mode=mode)
    np.testing.assert_array_equal(np.isnan(y), [True, True, False, True])


@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ALL)
def test_scatter_along_axis(dtype, mode, index):
    for axis, shape in itertools.chain.from_iterable(
        map(rows_of, ((1,), (5,), (4, 5, 6), (9, 1), (30, 70), (3, 0, 2), (2, 60, 300)))
    ):
        for count in (0, 1, 3, shape[axis], 20):
            if shape[axis] == 0 and count > 0:
                continue
            form = list(shape)
            form[axis] = count
            indices = places(form, max(shape[axis], 1), index)
            x, updates = draw(shape, dtype, 23), draw_updates(form, dtype, mode, 24)
            with np.errstate(over="ignore"):
                check("scatter_along_axis", [x, indices, updates], axis=axis, mode=mode)


# --- indices out of range ------------------------------------------------------------------------


def calls(index):
    """(op, inputs with indices that fit on second place, attributes, axis, its size)"""
    x, cube = draw((5, 3), "float32"), draw((4, 5, 3), "float32")
    deep = places((4, 700, 3), 5, index)
    yield "take", [x, places((7,), 5, index)], {"axis": 0}, 0, 5
    yield "take", [cube, places((2, 40000), 3, index)], {"axis": -1}, 2, 3
    yield "take", [draw((5,), "uint8"), places((2,), 5, index)], {"axis": 0}, 0, 5
    yield "take_along_axis", [cube, deep], {"axis": 1}, 1, 5
    yield "scatter", [x, places((9,), 5, index), draw((9, 3), "float32")], {}, 0, 5
    many = places((40000,), 5, index)
    yield "scatter", [x, many, draw((40000, 3), "float32")], {"mode": "set"}, 0, 5
    yield "scatter_along_axis", [cube, deep, draw(deep.shape, "float32")], {"axis": 1}, 1, 5


@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("wrong", ["size", "-size - 1", "lowest", "highest"])
def test_an_index_out_of_range_is_named_before_anything_is_written(wrong, index):
    for name, inputs, attributes, axis, size in calls(index):
        limits = np.iinfo(index)
        value = {"size": size, "-size - 1": -size - 1, "lowest": limits.min, "highest": limits.max}
        bad = value[wrong]
        message = f"{name}: index {bad} is out of range for axis {axis} of size {size}"
        for place in (0, inputs[1].size // 2, inputs[1].size - 1):
            indices = inputs[1].copy()
            indices.reshape(-1)[place] = bad
            indices.reshape(-1)[place + 1 :][:1] = size + 1  # the first one is named
            arguments = [inputs[0], indices, *inputs[2:]]
            with pytest.raises(ValueError, match=message):
                getattr(reference, name)(*arguments, **attributes)
            like = getattr(reference, name)(*inputs, **attributes)
            y = np.full(like.shape, 77, like.dtype)
            with pytest.raises(ValueError, match=message):
                _core.execute(name, arguments, [y], attributes)
            assert (y == 77).all()


def test_every_index_is_out_of_range_of_nothing():
    with pytest.raises(ValueError, match="take: index 0 is out of range for axis 0 of size 0"):
        _core.execute(
            "take", [np.zeros((0, 2)), np.zeros(1, "i4")], [np.zeros((1, 2))], {"axis": 0}
        )


@pytest.mark.parametrize(
    "name, inputs, attributes, message",
    [
        ("take", [np.zeros(3), np.zeros(1, "f")], {}, "expected indices of int32 or int64"),
        ("take", [np.zeros(()), np.zeros(1, "i4")], {}, "expected an axis"),
        (
            "take_along_axis",
            [np.zeros((3, 1)), np.zeros((1, 2), "i4")],
            {"axis": 1},
            "of the shape",
        ),
        ("take_along_axis", [np.zeros(1), np.zeros((1, 1), "i4")], {}, "of the shape"),
        ("scatter", [np.zeros(1), np.zeros(1, "i4"), np.zeros(2)], {}, "expected updates of 1"),
        ("scatter", [np.zeros(1), np.zeros(1, "i4"), np.zeros(1, "f")], {}, "expected updates"),
        ("scatter", [np.zeros(1), np.zeros((1, 1), "i4"), np.zeros(1)], {}, "indices of one"),
        (
            "scatter",
            [np.zeros(1), np.zeros(1, "i4"), np.zeros(1)],
            {"mode": "mean"},
            "a mode 'add'",
        ),
        ("scatter_along_axis", [np.zeros(1), np.zeros(2, "i4"), np.zeros(1)], {}, "updates of 2"),
    ],
)
def test_moves_that_are_refused(name, inputs, attributes, message):
    with pytest.raises(ValueError, match=f"{name}: .*{message}"):
        _core.execute(name, inputs, [np.zeros(1)], attributes)


@pytest.mark.parametrize("profiling", [False, True])
@pytest.mark.parametrize("label", ["", "embedding"])
def test_a_program_names_the_layer_and_can_be_run_again(label, profiling):
    """Nothing is committed by the step that fails, and the next one finds all in order."""
    program = _core.Program(4096, _core.Arena())
    program.set_profiling(profiling)
    table, counter, one = (
        np.arange(15, dtype="f").reshape(5, 3),
        np.zeros(1, "i8"),
        np.ones(1, "i8"),
    )
    indices, rows = (0, "int32", (4,)), (64, "float32", (4, 3))
    program.add_feed(indices)
    program.add("take", [table, indices], [rows], {"axis": 0}, label)
    program.add("add", [counter, one], [counter], {}, "", True)
    program.add_output(rows)
    good, bad = np.array([0, 4, -1, -5], "i4"), np.array([0, 7, 1, 9], "i4")
    message = "take: index 7 is out of range for axis 0 of size 5"
    where = f"^layer '{label}': {message}$" if label else f"^{message}$"
    for k in range(5):
        np.testing.assert_array_equal(program.call([good])[0], table[good])
        with pytest.raises(ValueError, match=where):
            program.call([bad])
        assert counter[0] == k + 1
    out = np.zeros((12, 3), "f")
    with pytest.raises(ValueError, match=where):
        program.run([np.concatenate([good, bad, good])], None, 0, 3, out=[out])
    assert counter[0] == 6  # the first of three steps
    np.testing.assert_array_equal(out[:4], table[good])
    assert not out[4:].any()


# --- axes that change places, and broadcasts ------------------------------------------------------


@pytest.mark.parametrize("dtype", [*ALL, "float16"])
def test_transposes(isa, dtype):
    """Whole lines, the vectors at their ends, and what is too narrow for either."""
    for rows, columns in itertools.product((1, 3, 7, 8, 15, 16, 17, 24, 33, 300), repeat=2):
        x = draw_bits((rows, columns), dtype, rows + columns)
        check("transpose", [x], axes=[1, 0])
    for shape, axes in (
        ((2, 35, 50), [0, 2, 1]),
        ((3, 20, 4, 17), [2, 3, 0, 1]),
        ((3, 20, 4, 17), [3, 1, 0, 2]),
        ((5, 6, 40), [1, 0, 2]),
        ((1024, 512), [1, 0]),
        ((40000, 3), [1, 0]),
        ((3, 40000), [1, 0]),
    ):
        check("transpose", [draw_bits(shape, dtype, 21)], axes=axes)


@pytest.mark.parametrize("dtype", [*ALL, "float16"])
def test_broadcasts(dtype):
    for of, shape in (
        ((), (5,)),
        ((1,), (70001,)),
        ((3,), (5000, 3)),
        ((5000, 1), (5000, 3)),
        ((5000, 1), (5000, 32)),
        ((7, 1, 20), (7, 600, 20)),
        ((7, 600, 1), (7, 600, 20)),
        ((7, 1, 1), (7, 600, 20)),
        ((600, 1), (600, 900)),
        ((900,), (600, 900)),
        ((0, 1), (0, 4)),
        ((4, 1), (4, 0)),
    ):
        x = draw_bits(of, dtype, 22)
        expected = np.broadcast_to(x, shape)
        np.testing.assert_array_equal(native("broadcast_to", [x], expected), expected)
