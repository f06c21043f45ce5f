"""The instruction loop against the instructions of its lines, run one after another: equal bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from dlnative import _core, config

FLOATS = ("float32", "float64")
DTYPES = (*FLOATS, "int32", "int64", "uint8", "bool")
FULL, SCALAR, ROW, COLUMN = range(4)

# name -> (dtypes of the operands, whether the result is bool)
UNARY_FLOAT = ("negative", "abs", "sign", "square", "sqrt", "exp", "erf", "round", "tan")
BINARY_ALL = ("add", "multiply", "maximum", "minimum")
COMPARISONS = ("equal", "less", "greater_equal")
TERNARY = ("fma", "fnma", "lerp", "maximum_gradient", "minimum_gradient")
MAPS = {
    **dict.fromkeys(UNARY_FLOAT, (1, FLOATS, False)),
    **dict.fromkeys(("isnan", "signbit"), (1, FLOATS, True)),
    **dict.fromkeys(BINARY_ALL, (2, DTYPES, False)),
    **dict.fromkeys(("subtract", "divide"), (2, FLOATS, False)),
    **dict.fromkeys(COMPARISONS, (2, DTYPES, True)),
    **dict.fromkeys(TERNARY, (3, FLOATS, False)),
    "floor_divide": (2, (*FLOATS, "int32", "int64", "uint8"), False),
    "bitwise_xor": (2, ("int32", "int64", "uint8", "bool"), False),
    "where": (3, DTYPES, False),
    "cast": (1, DTYPES, False),
}
AXES = {"all": (0, 1), "last": (1,), "leading": (0,)}
REDUCTIONS = ("sum", "mean", "max", "min")


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = config.num_threads()
    yield config.set_num_threads
    config.set_num_threads(before)


def values(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if dtype not in FLOATS:
        return rng.integers(0 if dtype == "uint8" else -20, 20, shape).astype(dtype)
    x = rng.standard_normal(shape)
    special = rng.choice([0.0, -0.0, 1.0, np.inf, -np.inf, np.nan, 1e30], shape)
    return np.asarray(np.where(rng.random(shape) < 0.02, special, x), dtype)


class Loop:
    """A program in the terms of the instruction, as it is put together."""

    def __init__(self, rows: int, cols: int) -> None:
        self.shape = (rows, cols)
        self.inputs: list[np.ndarray] = []
        self.access: list[int] = []
        self.lines: list[tuple[str, str, str, list[int]]] = []  # map, dtype, result, operands
        self.outputs: list[tuple[int, str]] = []  # line, reduction

    def add_input(self, array: np.ndarray, access: int = FULL) -> int:
        self.inputs.append(np.ascontiguousarray(array))
        self.access.append(access)
        return len(self.inputs) - 1

    def add_line(self, name: str, *operands: int, to: str | None = None) -> int:
        """The operand that stands for the line's result."""
        dtype = self.dtype(operands[-1])
        result = to or ("bool" if name in MAPS and MAPS[name][2] else dtype)
        self.lines.append((name, dtype, result, list(operands)))
        return -len(self.lines)

    def dtype(self, operand: int) -> str:
        return self.inputs[operand].dtype.name if operand >= 0 else self.lines[-operand - 1][2]

    def attributes(self) -> dict:
        columns = [list(column) for column in zip(*self.lines, strict=True)]
        return {
            "rows": self.shape[0],
            "cols": self.shape[1],
            "access": self.access,
            "maps": " ".join(columns[0]),
            "dtypes": " ".join(columns[1]),
            "results": " ".join(columns[2]),
            "operands": [i for operands in columns[3] for i in operands],
            "stores": [line for line, _ in self.outputs],
            "reductions": " ".join(reduction for _, reduction in self.outputs),
        }

    def blank(self) -> list[np.ndarray]:
        rows, cols = self.shape
        shapes = {"all": (), "last": (rows,), "leading": (cols,), "none": (rows, cols)}
        return [
            np.full(shapes[how.split(":")[-1]], 77, self.lines[line][2])
            for line, how in self.outputs
        ]

    def run(self, outputs: list[np.ndarray] | None = None) -> list[np.ndarray]:
        outputs = self.blank() if outputs is None else outputs
        _core.execute("loop", self.inputs, outputs, self.attributes())
        return outputs

    def expected(self) -> list[np.ndarray]:
        """By the instructions of the lines, on whole arrays."""
        rows, cols = self.shape
        views = {FULL: (rows, cols), SCALAR: (1, 1), ROW: (1, cols), COLUMN: (rows, 1)}
        whole = [
            np.broadcast_to(x.reshape(views[access]), self.shape).copy()
            for x, access in zip(self.inputs, self.access, strict=True)
        ]
        results: list[np.ndarray] = []
        for name, _, result, operands in self.lines:
            y = np.empty(self.shape, result)
            arrays = [whole[i] if i >= 0 else results[-i - 1] for i in operands]
            _core.execute(name, arrays, [y], {})
            results.append(y)
        outputs = self.blank()
        for y, (line, how) in zip(outputs, self.outputs, strict=True):
            if how == "none":
                y[...] = results[line]
            else:
                name, axes = how.split(":")
                _core.execute(name, [results[line]], [y], {"axis": list(AXES[axes])})
        return outputs


def same_bits(got: list[np.ndarray], expected: list[np.ndarray], message: object) -> None:
    """NaN is NaN: which of two operands' it is, no instruction says."""
    for i, (a, b) in enumerate(zip(got, expected, strict=True)):
        assert a.shape == b.shape and a.dtype == b.dtype
        if a.dtype.kind == "f":
            a, b = (np.where(np.isnan(x), np.nan, x).astype(x.dtype) for x in (a, b))
        np.testing.assert_array_equal(
            a.view(f"u{a.itemsize}"), b.view(f"u{a.itemsize}"), err_msg=f"output {i} of {message}"
        )


def random_loop(rng: np.random.Generator, rows: int, cols: int, accesses: tuple[int, ...]) -> Loop:
    loop = Loop(rows, cols)
    sizes = {FULL: rows * cols, SCALAR: 1, ROW: cols, COLUMN: rows}
    dtypes = list(rng.choice(FLOATS, 2)) + list(rng.choice(DTYPES, 3))
    for dtype in dtypes:
        access = int(rng.choice(accesses))
        loop.add_input(values(rng, str(dtype), (sizes[access],)), access)
    operands = list(range(len(dtypes)))

    def find(dtype: str) -> int:
        fitting = [i for i in operands if loop.dtype(i) == dtype]
        recent = fitting[-3:]
        return int(rng.choice(recent if rng.random() < 0.5 else fitting))

    for _ in range(int(rng.integers(1, 20))):
        name = str(rng.choice(list(MAPS)))
        count, allowed, _ = MAPS[name]
        there = [i for i in operands if loop.dtype(i) in allowed]
        if not there:
            continue
        last = int(rng.choice(there))
        dtype = loop.dtype(last)
        others = [find(dtype) for _ in range(count - 1)]
        if name == "where":
            if not any(loop.dtype(i) == "bool" for i in operands):
                continue
            others[0] = find("bool")
        to = str(rng.choice(DTYPES)) if name == "cast" else None
        operands.append(loop.add_line(name, *others, last, to=to))
    if not loop.lines:
        loop.add_line("abs", 0)
    for _ in range(int(rng.integers(1, 5))):
        line = int(rng.integers(len(loop.lines)))
        how = "none"
        if loop.lines[line][2] in FLOATS and rng.random() < 0.5:
            how = f"{rng.choice(REDUCTIONS)}:{rng.choice(list(AXES))}"
            if rows * cols == 0 and not how.startswith("sum"):
                how = "none"
        loop.outputs.append((line, how))
    return loop


FLAT = (FULL, FULL, SCALAR)
ALL = (FULL, SCALAR, ROW, COLUMN)
SHAPES = (
    *((1, 0), (0, 5), (5, 0), (1, 1), (1, 7), (1, 31), (1, 1000), (1000, 1), (1, 40000)),
    *((3, 5), (40, 7), (200, 127), (7, 128), (70, 130), (3, 5000), (300, 33), (4000, 10)),
)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_random_programs(isa, rng, threads, shape):
    for case in range(8):
        loop = random_loop(rng, *shape, ALL if case % 2 else FLAT)
        expected = loop.expected()
        for count in (1, 2, 3):
            threads(count)
            same_bits(loop.run(), expected, (shape, loop.attributes()))


ARITHMETIC = ("add", "subtract", "multiply", "divide", "sqrt", "maximum", "minimum", *TERNARY)
PAIRS = [
    (inner, outer, i) for inner in ARITHMETIC for outer in ARITHMETIC for i in range(MAPS[outer][0])
]


@pytest.mark.parametrize("dtype", FLOATS)
def test_lines_that_take_in_another(isa, rng, dtype):
    """Every function of every other one, where it has a loop of its own and where not."""
    for case, (inner, outer, position) in enumerate(PAIRS):
        size = (1, 15, 67, 1024)[case % 4]
        loop = Loop(1, size)
        # Few values, so that many are equal.
        draws = [np.round(2 * values(rng, dtype, (size,))) / 2 for _ in range(5)]
        x = [loop.add_input(*((v, FULL) if rng.random() < 0.7 else (v[:1], SCALAR))) for v in draws]
        of_inner, of_outer = MAPS[inner][0], MAPS[outer][0]
        y = loop.add_line(inner, *x[:of_inner])
        operands = x[of_inner:]
        while len(operands) < of_outer:
            operands.append(x[0])
        operands = operands[: of_outer - 1]
        operands.insert(position, y)
        last = loop.add_line(outer, *operands)
        loop.outputs = [(-last - 1, "none")]
        expected = loop.expected()
        same_bits(loop.run(), expected, (inner, outer, position, loop.access))
        for i in {i for i in (*x[:of_inner], *operands) if i >= 0 and loop.access[i] == FULL}:
            before = loop.inputs[i].copy()
            same_bits(loop.run([loop.inputs[i].reshape(1, size)]), expected, "in place")
            loop.inputs[i] = before


@pytest.mark.parametrize("dtype", FLOATS)
def test_multiply_add(isa, rng, dtype):
    """Rounded once everywhere, or twice everywhere."""
    bits = 24 if dtype == "float32" else 53
    a, b, c = ([int(v) for v in rng.integers(-(2**bits), 2**bits, 67)] for _ in range(3))
    c = [v * 2 ** (bits - 3) + 1 for v in c]
    c = [int(np.array(v, dtype)) for v in c]
    number = np.dtype(dtype).type

    def rounded(v: int) -> np.floating:  # an integer to the nearest, ties to even
        shift = max(0, abs(v).bit_length() - bits)
        low, half = abs(v) & ((1 << shift) - 1), (1 << shift) >> 1
        kept = abs(v) >> shift
        kept += low > half or (low == half and shift > 0 and kept & 1)
        return number(np.ldexp(float(kept), shift) * (1 if v >= 0 else -1))

    x = [np.array(v, dtype) for v in (a, b, c)]
    for name, sign in (("fma", 1), ("fnma", -1)):
        y = np.empty(67, dtype)
        _core.execute(name, x, [y], {})
        once = np.array([rounded(sign * p * q + r) for p, q, r in zip(a, b, c, strict=True)])
        twice = x[2] + sign * (x[0] * x[1])
        assert (once != twice).any()
        np.testing.assert_array_equal(y, twice if isa == "baseline" else once)
    y, low, high = np.empty(67, dtype), *(np.full(67, v, dtype) for v in (2, 10))
    t = np.linspace(0, 1, 67).astype(dtype)
    _core.execute("lerp", [low, high, t], [y], {})
    np.testing.assert_allclose(y, 2 + 8 * t, rtol=2 * np.finfo(dtype).eps)
    assert y[0] == 2 and y[-1] == 10


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", TERNARY)
def test_multiply_add_with_scalars_and_in_place(isa, rng, name, dtype):
    x = [values(rng, dtype, (67,)) for _ in range(3)]
    for stays in np.ndindex(2, 2, 2):
        operands = [v[5:6].copy() if s else v for v, s in zip(x, stays, strict=True)]
        whole = [np.full_like(v, v[5]) if s else v for v, s in zip(x, stays, strict=True)]
        y, expected = np.empty(67, dtype), np.empty(67, dtype)
        _core.execute(name, operands, [y], {})
        _core.execute(name, whole, [expected], {})
        same_bits([y], [expected], (name, stays))
        for k, s in enumerate(stays):
            if not s:
                into = [v.copy() for v in operands]
                _core.execute(name, into, [into[k]], {})
                same_bits([into[k]], [expected], (name, stays, k))


@pytest.mark.parametrize("size", [0, 1, 31, 1000, 40000])
def test_an_optimizer_updates_its_slots_in_place(rng, threads, size):
    """Slots and parameters are written over, and read by lines behind those that write them."""
    loop = Loop(1, size)
    p, g, m, v = (loop.add_input(values(rng, "float32", (size,))) for _ in range(4))
    b1, b2, rate, eps = (
        loop.add_input(np.array(x, "float32"), SCALAR) for x in (0.1, 0.01, 1e-3, 1e-7)
    )
    mean = loop.add_line("lerp", m, g, b1)
    power = loop.add_line("lerp", v, loop.add_line("square", g), b2)
    root = loop.add_line("add", loop.add_line("sqrt", loop.add_line("abs", power)), eps)
    step = loop.add_line("divide", loop.add_line("multiply", mean, rate), root)
    new = loop.add_line("subtract", p, step)
    change = loop.add_line("subtract", new, m)  # of the old slot, behind the line that writes it
    swap = loop.add_line("maximum", v, change)
    loop.outputs = [(-line - 1, "none") for line in (mean, power, new, swap)]
    expected = loop.expected()
    inputs = loop.inputs
    for count in (1, 2, 3):
        threads(count)
        for targets in ((m, v, p, g), (p, m, g, v), (v, p, m, g)):
            loop.inputs = [x.copy() for x in inputs]
            into = [loop.inputs[i].reshape(1, size) for i in targets]
            same_bits(loop.run(into), expected, targets)


@pytest.mark.parametrize("shift", [0, 1])
def test_what_no_cache_holds(rng, threads, shift):
    """Outputs of 18 MB go past the caches, wherever they begin; not what is updated in place."""
    size = 2_250_007
    loop = Loop(1, size)
    x, y = (loop.add_input(rng.standard_normal(size)) for _ in range(2))
    total = loop.add_line("add", x, y)
    loop.add_line("less", total, x)
    loop.add_line("multiply", total, y)
    loop.outputs = [(0, "none"), (1, "none"), (2, "none"), (2, "sum:all"), (0, "none")]
    expected = loop.expected()
    for count in (1, 3):
        threads(count)
        loop.inputs[x] = loop.inputs[x].copy()
        shapes = [(a.size, a.dtype) for a in loop.blank()]
        into = [np.full(n + 2 * shift, 77, d)[shift : n + shift] for n, d in shapes]
        into = [a.reshape(b.shape) for a, b in zip(into, expected, strict=True)]
        into[4] = loop.inputs[x].reshape(1, size)
        before = loop.inputs[x].copy()
        same_bits(loop.run(into), expected, (count, shift))
        loop.inputs[x] = before


def test_in_place_with_rows_columns_and_reductions(rng, threads):
    for rows, cols in ((300, 20), (30, 1300), (9, 5000), (1000, 128)):
        loop = Loop(rows, cols)
        x = loop.add_input(values(rng, "float64", (rows * cols,)))
        row = loop.add_input(values(rng, "float64", (cols,)), ROW)
        column = loop.add_input(values(rng, "float64", (rows,)), COLUMN)
        scaled = loop.add_line("multiply", x, row)
        shifted = loop.add_line("add", scaled, column)
        loop.add_line("subtract", shifted, x)
        loop.outputs = [
            *[(1, "none"), (0, "sum:all"), (1, "max:leading"), (1, "mean:last"), (2, "min:last")],
            *[(2, "sum:leading"), (0, "mean:leading"), (1, "sum:all"), (2, "none")],
        ]
        expected = loop.expected()
        original = loop.inputs[x]
        for count in (1, 3):
            threads(count)
            loop.inputs[x] = original.copy()
            into = loop.blank()
            into[0] = loop.inputs[x].reshape(rows, cols)
            same_bits(loop.run(into), expected, (rows, cols))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "shape",
    [(1, 70000), (70000, 1), (300, 300), (66000, 3), (3, 66000), (200, 4097), (5, 9000), (40, 41)],
    ids=str,
)
def test_reductions(rng, threads, shape, dtype):
    """Of a line that is stored, one that is not, and one that others read."""
    loop = Loop(*shape)
    x = loop.add_input(rng.standard_normal(shape).astype(dtype))
    column = loop.add_input(rng.standard_normal(shape[0]).astype(dtype), COLUMN)
    centred = loop.add_line("subtract", x, column)
    loop.add_line("square", centred)
    loop.outputs = [(0, "none")]
    for axes in AXES:
        for name in REDUCTIONS:
            loop.outputs += [(0, f"{name}:{axes}"), (1, f"{name}:{axes}")]
    for outputs in (loop.outputs[:15], loop.outputs[15:]):
        loop.outputs = outputs
        expected = loop.expected()
        for count in (1, 2, 3):
            threads(count)
            same_bits(loop.run(), expected, (shape, outputs))


def test_empty_reductions():
    loop = Loop(0, 4)
    loop.add_line("abs", loop.add_input(np.empty(0, "float32")))
    loop.outputs = [(0, "sum:all"), (0, "sum:leading"), (0, "sum:last"), (0, "mean:all")]
    total, leading, last, mean = loop.run()
    assert total == 0 and (leading == 0).all() and last.size == 0 and np.isnan(mean)
    for how in ("max:all", "min:leading"):
        loop.outputs = [(0, how)]
        with pytest.raises(ValueError, match="loop: an empty axis has no extremum"):
            loop.run()


def test_workspace_is_planned(rng, threads):
    """A program runs with any number of threads in the workspace of the number it was planned for,
    between other memory that it leaves alone."""
    loop = Loop(500, 90)
    x = loop.add_input(values(rng, "float32", (500 * 90,)))
    row = loop.add_input(values(rng, "float32", (90,)), ROW)
    column = loop.add_input(values(rng, "float32", (500,)), COLUMN)
    for _ in range(8):
        x = loop.add_line("exp", loop.add_line("multiply", loop.add_line("add", x, row), column))
    loop.outputs = [(len(loop.lines) - 1, "none"), (5, "sum:last"), (8, "sum:leading")]
    expected = loop.expected()
    for planned, run in ((1, 3), (3, 1), (2, 3), (3, 3)):
        threads(planned)
        bytes_ = _core.workspace_bytes("loop", loop.inputs, loop.blank(), loop.attributes())
        assert 0 < bytes_ < 2**20 and bytes_ % 64 == 0
        program = _core.Program(bytes_ + 2 * 4096, _core.Arena())
        around = [(0, "int32", (1024,)), (4096 + bytes_, "int32", (1024,))]
        for buffer in around:
            program.add_feed(buffer)
            program.add_output(buffer)
        outputs = loop.blank()
        program.add("loop", loop.inputs, outputs, loop.attributes(), workspace=(4096, bytes_))
        threads(run)
        fed = [rng.integers(0, 2**31, 1024).astype("int32") for _ in around]
        kept = program.call(fed)
        same_bits(outputs, expected, (planned, run))
        np.testing.assert_array_equal(kept, fed)
    with pytest.raises(RuntimeError, match="loop: the workspace is smaller"):
        program.add("loop", loop.inputs, outputs, loop.attributes(), workspace=(64, 64))


def plain_loop() -> Loop:
    loop = Loop(2, 6)
    x = loop.add_input(np.ones(12, "float32"))
    y = loop.add_input(np.ones(6, "float32"), ROW)
    loop.add_line("less", loop.add_line("multiply", x, y), x)
    loop.outputs = [(0, "none"), (1, "none")]
    return loop


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 3}, "expected input 0 of 18 elements"),
        ({"rows": -2}, "expected 'rows' and 'cols' of at least 0, received -2 and 6"),
        ({"rows": None}, "expected 'rows' and 'cols' of at least 0, received -1"),
        ({"rows": 2**62}, "expected 'rows' and 'cols'"),
        ({"access": [0]}, "expected 2 numbers in 'access', one for each of the inputs, received 1"),
        ({"access": [0, 4]}, "expected 0, 1, 2 or 3 in 'access', received 4"),
        ({"access": [0, 3]}, "expected input 1 of 2 elements"),
        ({"maps": "multiply lesser"}, "no function 'lesser'"),
        ({"maps": ""}, "expected 1 to 64 words in 'maps', received 0"),
        ({"maps": "abs " * 65}, "expected 1 to 64 words in 'maps', received 65"),
        ({"maps": "gcd less"}, "gcd is not defined for float32"),
        ({"maps": "where less"}, r"expected operand 0 of line 0 \(where\) to be bool, received fl"),
        ({"dtypes": "float32"}, "expected 2 words in 'dtypes', one for each of the maps"),
        ({"dtypes": "float32 float16"}, "in 'dtypes', received 'float16'"),
        ({"dtypes": "float32 float64"}, "expected operand 0 of line 1 .less. to be float64, rec"),
        ({"results": "float32 float32"}, "less of float32 gives bool, 'results' has float32"),
        ({"operands": [0, 1, -1]}, "too few numbers in 'operands', received 3"),
        ({"operands": [0, 1, -1, 0, 0]}, "expected 4 numbers in 'operands', received 5"),
        ({"operands": [0, -1, -1, 0]}, r"expected operands of line 0 in \[0, 2\), received -1"),
        ({"operands": [0, 1, -2, 0]}, r"expected operands of line 1 in \[-1, 2\), received -2"),
        ({"operands": [0, 2, -1, 0]}, r"expected operands of line 0 in \[0, 2\), received 2"),
        ({"stores": [0]}, "expected 2 numbers in 'stores', one for each of the outputs"),
        ({"stores": [0, 2]}, r"expected lines in \[0, 2\) in 'stores', received 2"),
        ({"stores": [1, 1]}, "expected output 0 of 12 elements of bool"),
        ({"reductions": "none"}, "expected 2 words in 'reductions'"),
        ({"reductions": "prod:all none"}, "in 'reductions', received 'prod:all'"),
        ({"reductions": "sum none"}, "in 'reductions', received 'sum'"),
        ({"reductions": "none sum:all"}, "expected float32 or float64 for 'sum:all', rec"),
        ({"reductions": "sum:last none"}, "expected output 0 of 2 elements"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    loop = plain_loop()
    with pytest.raises(ValueError, match="loop: .*" + message):
        _core.execute("loop", loop.inputs, loop.blank(), {**loop.attributes(), **change})


def test_numbers_of_arrays_are_bounded():
    for inputs, outputs in ((33, 1), (1, 17), (1, 0), (0, 1)):
        loop = Loop(1, 3)
        for _ in range(inputs):
            loop.add_input(np.ones(3, "float32"))
        loop.lines = [("abs", "float32", "float32", [0])]
        loop.outputs = [(0, "none")] * outputs
        with pytest.raises(ValueError, match="loop: expected 1 to (32 inputs|16 outputs)"):
            loop.run()


def test_overlaps_are_refused():
    memory = np.zeros(64, "float32")
    for x, row, y, z in (
        (memory[:12], memory[20:26], memory[4:16], None),  # shifted
        (memory[:12], memory[20:26], memory[15:27], None),  # over a row
        (memory[:12], memory[20:26], memory[:12], memory[:3].view(bool)),  # two outputs
        (memory[:12], memory[20:26], memory[30:42], memory[:3].view(bool)),  # narrower elements
    ):
        loop = plain_loop()
        loop.inputs = [x, row]
        into = [y.reshape(2, 6), np.empty((2, 6), bool) if z is None else z.reshape(2, 6)]
        with pytest.raises(ValueError, match="loop: output.* overlap"):
            loop.run(into)
    loop = plain_loop()
    loop.outputs = [(0, "sum:leading"), (1, "none")]
    with pytest.raises(ValueError, match="loop: output 0 overlaps input 1"):
        loop.run([loop.inputs[1], np.empty((2, 6), bool)])
