"""Damaged files: whatever is wrong with them, a reader returns what they say, or raises ValueError.

`search` takes good files of every format, changes bytes, words or sizes in them at random, and
reads them. A finding is an exception other than ValueError, an array of another shape than the
file's or with other values than another reader's, and time or memory that the size of the file does
not account for.
"""

from __future__ import annotations

import gzip
import io
import pickle
import tempfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlnative.data import (
    UnclearTargets,
    encode,
    infer_task,
    learn_classes,
    npz_names,
    read_csv,
    read_image,
    read_npz,
)
from dlnative.data.cache import cached_rows
from dlnative.datasets import cifar10, idx, pickles

__all__ = ["READERS", "search"]

# DEFLATE expands up to 1032 times. A reader may hold that twice, and a little more.
_BYTES_PER_BYTE = 2 * 1032
_BYTES = 16 << 20
_SECONDS = 20.0  # for files of some thousand bytes: a hang, whatever else the machine does

_INTEGERS = [b"\xff" * n for n in (1, 2, 4, 8)] + [b"\0" * n for n in (1, 4, 8)]
_INTEGERS += [b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\0\0\1\0"]
_WORDS = [",", ";", "\t", "\n", "\r\n", '"', "'", " ", "", ".", "-", "e", "0", "NA", "nan", "inf"]
_WORDS += [
    "1e400",
    "1_000",
    "1,5",
    "1.234,5",
    "0x1F",
    "1e-400",
    "\u0663",
    "\uff11",
    "x",
    "Unnamed: 0",
]
_WORDS += ["9" * 400, "2020-01-02", "12 kg", "\0", "\ufeff", "()", "(4294967295,)", "'|O'", "-1"]


def search(
    seed: int,
    cases: int,
    report: Callable[[str], None],
    readers: Sequence[str] | None = None,
) -> None:
    """Reads so many changed files, and reports every one that is mishandled.

    Args:
        seed: The same seed gives the same files.
        cases: How many.
        report: Takes the description of a finding.
        readers: Names in `READERS`, which take turns. None is all.
    """
    names = [*(readers or READERS)]
    tracemalloc.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            for case in range(cases):
                name = names[case % len(names)]
                generator = np.random.Generator(np.random.PCG64([seed, case]))
                finding = _attempt(READERS[name](generator), Path(folder))
                if finding is not None:
                    report(f"{name}, seed {seed}, case {case}: {finding}")
    finally:
        tracemalloc.stop()


Case = tuple[bytes, Callable[[Path, Path], None]]  # a file, and what reads it and checks


def _attempt(case: Case, folder: Path) -> str | None:
    content, read = case
    path = folder / "file"
    path.write_bytes(content)
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    start = time.perf_counter()
    finding = None
    try:
        try:
            read(path, folder)
        except ValueError as error:
            _check_name(path, error)
    except Exception as error:  # whatever it is, it is not what was promised
        finding = repr(error)
    seconds = time.perf_counter() - start
    peak = tracemalloc.get_traced_memory()[1] - before
    if seconds > _SECONDS:
        finding = f"{seconds:.1f} s for {len(content)} bytes"
    if peak > _BYTES + _BYTES_PER_BYTE * len(content):
        finding = f"{peak} bytes of memory for {len(content)} bytes"
    return finding and f"{finding}; the file begins with {content[:100]!r}"


def _check_name(path: Path, error: ValueError) -> None:
    if str(path) not in str(error):
        raise TypeError(f"an error that does not name the file: {error!r}") from error


# --- changes --------------------------------------------------------------------------------------


def _changed(content: bytes, generator: np.random.Generator, words: bool = False) -> bytes:
    """Returns bytes with one to four changes."""
    for _ in range(generator.integers(1, 5)):
        content = _change(content, generator, words)
    return content


def _change(content: bytes, generator: np.random.Generator, words: bool) -> bytes:
    at, end = sorted(generator.integers(0, len(content) + 1, 2).tolist())
    kind = generator.integers(0, 9 if words else 7)
    if kind == 0:  # other bits
        return content[:at] + generator.bytes(1) + content[at + 1 :]
    if kind == 1:  # an extreme number
        number = _INTEGERS[generator.integers(len(_INTEGERS))]
        return content[:at] + number + content[at + len(number) :]
    if kind == 2:  # less in the middle
        return content[:at] + content[min(end, at + 16) :]
    if kind == 3:  # some of it twice
        return content[:end] + content[max(at, end - 64) : end] + content[end:]
    if kind == 4:  # more in the middle
        return content[:at] + generator.bytes(generator.integers(1, 9)) + content[at:]
    if kind == 5 and generator.integers(4) == 0:  # truncated
        return content[:at]
    if kind == 6:  # two parts change places
        return content[:at] + content[end:] + content[at:end]
    word = _WORDS[generator.integers(len(_WORDS))].encode()
    return content[:at] + word + content[at + int(generator.integers(0, 4)) :]


# --- tables ---------------------------------------------------------------------------------------


def _csv(generator: np.random.Generator) -> Case:
    rows, columns = (int(n) for n in generator.integers((1, 1), (12, 6)))
    numbers = generator.normal(0, 10, (rows, columns))
    digits = int(generator.integers(0, 3))
    cells = [[f"{number:.{digits}f}" for number in row] for row in numbers]
    targets = [["a", "b"], ["0", "1", "2"], ["0.5", "1.5", "7"]][generator.integers(3)]
    for row in cells:
        row.append(str(generator.choice(targets)))
    named = [[], [[*"pqrstu"[:columns], "y"]], [[str(i) for i in range(columns + 1)]]]
    cells = named[generator.integers(3)] + cells
    separator = ",;\t"[generator.integers(3)]
    content = "\n".join(map(separator.join, cells)).encode()
    header = [None, True, False][generator.integers(3)]

    def read(path: Path, folder: Path) -> None:
        table = read_csv(path, header=header)
        assert table.targets is not None
        shape = (len(table.targets), len(table.columns.features))
        assert table.features.shape == shape and len(table.lines) == shape[0] > 0 < shape[1]
        assert np.isfinite(table.features).all()
        again = read_csv(path, columns=table.columns, header=table.header is not None)
        np.testing.assert_array_equal(again.features, table.features)
        np.testing.assert_array_equal(again.targets, table.targets)
        try:
            task = infer_task(table.targets)
        except UnclearTargets:
            task = "classification"
        if task == "regression":
            assert table.numeric_targets().shape == table.targets.shape
        else:
            classes = learn_classes(table.targets)
            positions = encode(table.targets, classes, str(path))
            assert sorted({*positions.tolist()}) == [*range(len(classes))]

    return _changed(content, generator, words=True), read


# --- archives -------------------------------------------------------------------------------------


def _npz(generator: np.random.Generator) -> Case:
    arrays = {"x": _array(generator), "y": _array(generator)}
    method = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED][generator.integers(2)]
    inside = bool(generator.integers(2))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.save(member, array)
            content = member.getvalue()
            if inside:  # the archive is whole, and its checksums are right
                content = _changed(content, generator, words=True)
            archive.writestr(f"{name}.npy", content)
    whole = buffer.getvalue()

    def read(path: Path, folder: Path) -> None:
        for name in npz_names(path):
            try:
                found = read_npz(path, [name])[name]
            except ValueError as error:
                _check_name(path, error)
                continue
            if path.read_bytes()[:4] != b"PK\x03\x04":
                continue  # NumPy takes archives for such by these, zipfile by their end
            with np.load(path, allow_pickle=False) as archive:
                np.testing.assert_array_equal(found, archive[name])

    return (whole if inside else _changed(whole, generator)), read


def _array(generator: np.random.Generator) -> np.ndarray:
    shape = generator.integers(0, 5, generator.integers(0, 4))
    dtype = ["u1", ">i4", "f4", "f8", "U3"][generator.integers(5)]
    array = generator.integers(0, 100, shape).astype(dtype)
    return np.asfortranarray(array) if generator.integers(2) else array


def _idx(generator: np.random.Generator) -> Case:
    shape = generator.integers(0, 6, generator.integers(1, 4))
    head = bytes([0, 0, 8, len(shape)]) + shape.astype(">u4").tobytes()
    content = head + generator.bytes(int(np.prod(shape)))
    content = _changed(content, generator)
    compressed = bool(generator.integers(2))
    if compressed:
        content = gzip.compress(content)
        content = _changed(content, generator) if generator.integers(2) else content

    def read(path: Path, folder: Path) -> None:
        array = idx.read(path)
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        assert array.shape == tuple(np.frombuffer(raw[4 : 4 + 4 * raw[3]], ">u4").tolist())
        assert len(raw) == 4 + 4 * raw[3] + array.nbytes

    return content, read


# --- CIFAR-10 -------------------------------------------------------------------------------------


def _pickle(generator: np.random.Generator) -> Case:
    labels = generator.integers(0, 10, 2).tolist()
    data = generator.integers(0, 256, (2, 3072), np.uint8)
    batch: dict[Any, Any] = {b"data": data, b"labels": labels, b"filenames": [b"a.png", "b.png"]}
    content = pickle.dumps(batch, int(generator.integers(0, pickle.HIGHEST_PROTOCOL + 1)))
    if generator.integers(2):  # where the instructions are
        content = content.replace(data.tobytes(), bytes(3072 * 2))
        edges = (content[:200], content[200:-200], content[-200:])
        content = _changed(edges[0], generator) + edges[1] + _changed(edges[2], generator)
    else:
        content = _changed(content, generator)

    def read(path: Path, folder: Path) -> None:
        pickles.read(path)

    return content, read


def _batch(generator: np.random.Generator) -> Case:
    """One file of six, in either layout; `load_data` reads them all."""
    pickled = bool(generator.integers(2))
    images = generator.integers(0, 256, (2, 3072), np.uint8)
    labels = generator.integers(0, 10, 2)
    good = (
        pickle.dumps({"data": images, "labels": labels.tolist()}, 2)
        if pickled
        else np.column_stack([labels.astype(np.uint8), images]).tobytes()
    )

    def read(path: Path, folder: Path) -> None:
        place = folder / ("py" if pickled else "bin")
        place.mkdir(exist_ok=True)
        suffix = "" if pickled else ".bin"
        for name in ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4"):
            (place / f"{name}{suffix}").write_bytes(good)
        (place / f"test_batch{suffix}").write_bytes(good)
        (place / f"data_batch_5{suffix}").write_bytes(path.read_bytes())
        try:
            (x, y), _ = cifar10.load_data(place)
        except ValueError as error:
            _check_name(place, error)
            return
        assert x.dtype == y.dtype == np.uint8
        assert x.shape == (len(y), 32, 32, 3) and len(y) > 8 and y.max() < 10

    return _changed(good, generator), read


# --- images ---------------------------------------------------------------------------------------


def _image(generator: np.random.Generator) -> Case:
    from PIL import Image

    height, width = (int(n) for n in generator.integers(1, 20, 2))
    pixels = generator.integers(0, 256, (height, width, 3), np.uint8)
    picture = Image.fromarray(pixels).convert(["RGB", "L", "P"][generator.integers(3)])
    kind = ["PNG", "BMP", "JPEG"][generator.integers(3)]
    buffer = io.BytesIO()
    (picture.convert("RGB") if kind == "JPEG" else picture).save(buffer, kind)
    size = [None, (5, 7)][generator.integers(2)]

    def read(path: Path, folder: Path) -> None:
        found = read_image(path, size)
        assert found.dtype == np.uint8 and found.ndim == 3 and found.shape[2] == 3
        assert size is None or found.shape[:2] == size

    return _changed(buffer.getvalue(), generator), read


def _cache(generator: np.random.Generator) -> Case:
    """A damaged entry of the cache is made anew: its content is right, always."""
    expected = generator.integers(0, 256, (3, 4, 5), np.uint8)
    damaged = ["rows.npy", "notes.json"][generator.integers(2)]

    def read(path: Path, folder: Path) -> None:
        cache = Path(tempfile.mkdtemp(dir=folder))

        def build(writer: Any) -> str:
            writer.write(expected)
            return "notes"

        cached_rows(cache, "key", build)
        (entry,) = cache.iterdir()
        file = entry / damaged
        file.write_bytes(_changed(file.read_bytes(), generator, damaged == "notes.json"))
        rows, notes = cached_rows(cache, "key", build)
        np.testing.assert_array_equal(rows, expected)
        assert rows.shape == expected.shape and notes == "notes"

    return b"", read


READERS: dict[str, Callable[[np.random.Generator], Case]] = {
    "csv": _csv,
    "npz": _npz,
    "idx": _idx,
    "pickle": _pickle,
    "cifar10": _batch,
    "image": _image,
    "cache": _cache,
}
