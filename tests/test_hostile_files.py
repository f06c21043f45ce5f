"""Files made to hang a reader, to fill the memory, or to be taken for something else."""

from __future__ import annotations

import gzip
import importlib.util
import io
import json
import os
import pickle
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlnative.data import image_folder, npz_names, read_image, read_npz
from dlnative.data.cache import CacheError, cached_rows
from dlnative.datasets import idx, mnist, pickles

MEGABYTE = 1 << 20


def peak_of(function) -> int:
    """Returns the bytes of memory that a function takes at its most."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def refusal(read, path, match: str) -> int:
    """Checks that a file is refused by name, and returns the memory that it took."""

    def run():
        with pytest.raises(ValueError, match=match) as caught:
            read(path)
        assert str(path) in str(caught.value)

    return peak_of(run)


# --- thousands of damaged files -------------------------------------------------------------------


def load_campaign():
    path = Path(__file__).parent / "campaign" / "readers.py"
    spec = importlib.util.spec_from_file_location("campaign_readers", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CAMPAIGN = load_campaign()
CASES = {"csv": 800, "npz": 400, "idx": 600, "pickle": 600, "image": 100}


@pytest.mark.parametrize("reader", CAMPAIGN.READERS)
def test_damaged_files(reader):
    findings: list[str] = []
    CAMPAIGN.search(20260101, CASES.get(reader, 25), findings.append, [reader])
    assert findings == []


def test_the_search_finds_something(monkeypatch):
    def broken(path, header=None):
        raise IndexError("list index out of range")

    monkeypatch.setattr(CAMPAIGN, "read_csv", broken)
    findings: list[str] = []
    CAMPAIGN.search(1, 3, findings.append, ["csv"])
    assert len(findings) == 3 and "IndexError" in findings[0] and "seed 1, case 0" in findings[0]


# --- pickles --------------------------------------------------------------------------------------

# Each tuple holds the one before twice: 60 of them are 2**60 deep, and so long takes their hash.
NESTED = b")q\x000" + b"".join(b"h%ch%c\x86q%c0" % (i, i, i + 1) for i in range(60)) + b"h\x3c"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x02Nr\xff\xff\xff\x1f.", None),  # 8 bytes and a dot: kept under a large number
        (b"r\xff\xff\xff\x1fN.", "list index|operands"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\x00\x00\x00\x00.", "expected 4294967295 bytes"),
        (b"\x80\x05\x96\xff\xff\xff\xff\x00\x00\x00\x00.", "expected 4294967295 bytes"),
        (b"\x80\x04T\xff\xff\xff\x7f.", "expected 2147483647 bytes"),
        (b"\x80\x04\x8b\xff\xff\xff\x7f.", "not enough data"),
        (b"\x80\x02}" + NESTED + b"Ns.", "expected a string as a key, received tuple"),
        (b"]" * 20_000 + b"a" * 19_999 + b".", None),
        (b"]" * 20_000, "it ends early"),
        (b"I" + b"9" * 100_000 + b"\n.", ""),
        (b"\x80\x02(" + b"l" * 10 + b".", ""),
        (b"\x80\x02\x8f.", "EMPTY_SET is not one of plain data"),
        (b"\xfa.", "is no instruction"),
        (b"(.", "lacks its operands"),
        (b"}(K\x01u.", ""),
        (b"}(U\x01au.", ""),
        (b"NNb.", "a state for something else than an array: NoneType"),
        (b"N)R.", "a call of something that is not plain data"),
        (b"h\x07.", "7"),
        (b"Sno quotes\n.", "a string without its quotes"),
    ],
)
def test_pickles_are_bounded(tmp_path, content, message):
    path = tmp_path / "file"
    path.write_bytes(content)
    if message is None:
        assert peak_of(lambda: pickles.read(path)) < 8 * MEGABYTE + 100 * len(content)
    else:
        assert refusal(pickles.read, path, f"damaged, or not plain data.*{message}") < 64 * MEGABYTE


def test_pickles_share_what_occurs_often(tmp_path):
    """A list of some hundred bytes that holds 2**30 lists: it is never walked through."""
    content = b"\x80\x02]q\x00" + b"".join(b"](h%ch%ceq%c" % (i, i, i + 1) for i in range(30))
    (tmp_path / "file").write_bytes(content + b".")
    assert len(content) < 400
    value = pickles.read(tmp_path / "file")
    assert value[0] is value[1] and value[0][0] is value[0][1]


def test_pickles_do_not_copy_what_occurs_often(tmp_path):
    text = b"X" + (MEGABYTE).to_bytes(4, "little") + b"x" * MEGABYTE + b"q\x00"
    latin1 = b"X\x06\x00\x00\x00latin1q\x01"
    again = b"c_codecs\nencode\nh\x00h\x01\x86R"
    path = tmp_path / "file"
    path.write_bytes(b"\x80\x02(" + text + latin1 + again * 1000 + b"t.")
    assert refusal(pickles.read, path, "the same text is encoded again") < 8 * MEGABYTE

    array = pickle.dumps(np.zeros(MEGABYTE, np.uint8), 4)
    start = array.index(b"C\x01b") if b"C\x01b" in array else 0
    assert start and peak_of(lambda: path.write_bytes(array) and pickles.read(path)) < 6 * MEGABYTE


# --- archives -------------------------------------------------------------------------------------


def npy(header: dict | str, content: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = (header if isinstance(header, str) else repr(header)).encode().ljust(117) + b"\n"
    return b"\x93NUMPY" + version + len(text).to_bytes(2, "little") + text + content


def described(shape, descr="|u1") -> dict:
    return {"descr": descr, "fortran_order": False, "shape": shape}


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (npy(described((1000, 1000, 1000)), bytes(1000)), "1000000000 bytes for shape"),
        (npy(described((10,)), bytes(MEGABYTE)), "10 bytes for shape .10,. of uint8, and 1048576"),
        (npy(described((-1, 5))), "is no array: dtype uint8 and shape .-1, 5."),
        (npy(described((2**70,), "|u1"), bytes(8)), "bytes for shape"),
        (npy(described((10**12,), "<U0")), "is no array"),
        (npy(described((2,), "|O"), bytes(16)), "allow_pickle"),
        (npy(described((2,)), bytes(2), b"\x09\x00"), "version"),
        (npy("__import__('os').system('true')"), ""),
        (npy("(" * 5000), ""),
        (b"no array", ""),
    ],
)
def test_headers_in_archives_are_not_believed(tmp_path, member, message):
    path = archive(tmp_path / "a.npz", x=member)
    assert npz_names(path) == ["x"]
    match = f"cannot read it as an .npz archive: .*{message}"
    assert refusal(lambda path: read_npz(path, ["x"]), path, match) < 8 * MEGABYTE


def test_arrays_that_are_not_asked_for_are_not_read(tmp_path):
    bomb = npy(described((64 * MEGABYTE,)), bytes(64 * MEGABYTE))
    path = archive(tmp_path / "a.npz", x=npy(described((2,)), b"ab"), unused=bomb, z=b"no array")
    assert npz_names(path) == ["x", "unused", "z"]
    assert peak_of(lambda: read_npz(path, ["x"])) < 8 * MEGABYTE
    assert read_npz(path, ["x"])["x"].tobytes() == b"ab"


def test_the_command_line_reads_no_more_than_it_needs(run, tmp_path):
    """x and y of an archive are small; what lies beside them is 32 MB each, or nothing at all."""
    x = np.random.Generator(np.random.PCG64(0)).normal(size=(40, 3))
    arrays = {"x_train": x, "y_train": np.arange(40) % 2, "x_test": x, "y_test": np.arange(40) % 2}
    members = {}
    for name, array in arrays.items():
        buffer = io.BytesIO()
        np.save(buffer, array)
        members[name] = buffer.getvalue()
    bomb = npy(described((32 * MEGABYTE,)), bytes(32 * MEGABYTE))
    path = archive(tmp_path / "a.npz", **members, unused=bomb, x=bomb, y=b"no array")
    train = ["train", "--data", path, "--epochs", 1, "--hidden", 4, "--quiet"]
    results = []
    for arguments in (
        [*train, "--out", tmp_path / "model"],
        ["evaluate", tmp_path / "model", "--data", path],
        ["predict", tmp_path / "model", "--data", path],
    ):
        assert peak_of(lambda: results.append(run(*arguments))) < 24 * MEGABYTE  # noqa: B023
        assert results[-1][0] == 0, results[-1][2]


def test_sizes_that_no_compression_gives(tmp_path, monkeypatch):
    """The directory of the archive announces 3 GB for a member of some bytes."""
    path = archive(tmp_path / "a.npz", x=npy(described((2,)), b"ab"))
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = (3_000_000_000).to_bytes(4, "little")
    path.write_bytes(content)
    match = "3000000000 bytes are announced, and [0-9]+ compressed bytes cannot be so many"
    assert refusal(read_npz, path, match) < MEGABYTE

    whole = archive(tmp_path / "b.npz", x=npy(described((MEGABYTE,)), bytes(MEGABYTE)))
    monkeypatch.setattr("dlnative.data.expansion._memory", lambda: MEGABYTE // 2)
    assert refusal(read_npz, whole, "do not fit into the memory of 524288 bytes") < MEGABYTE


def test_other_methods_of_compression_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_LZMA) as file:
        file.writestr("x.npy", npy(described((2,)), b"ab"))
    with pytest.raises(ValueError, match="x.npy is compressed by method 14, expected DEFLATE"):
        read_npz(tmp_path / "a.npz")


@pytest.mark.parametrize("shape", [(), (2,), (2, 4, 4, 1)])
def test_mnist_archives_hold_images(tmp_path, shape):
    arrays = dict.fromkeys(("x_train", "x_test"), np.zeros((2, 4, 4), np.uint8))
    arrays |= dict.fromkeys(("y_train", "y_test"), np.zeros(2, np.uint8))
    np.savez(tmp_path / "a.npz", **arrays)
    assert mnist.load_data(tmp_path / "a.npz")[0][0].shape == (2, 4, 4)
    np.savez(tmp_path / "a.npz", **arrays | {"x_train": np.zeros(shape)})
    with pytest.raises(ValueError, match="a.npz: expected training images of shape"):
        mnist.load_data(tmp_path / "a.npz")


# --- IDX ------------------------------------------------------------------------------------------


def idx_header(*shape: int) -> bytes:
    return bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()


def test_idx_files_that_cannot_be_so_large(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(idx_header(2**32 - 1, 2**32 - 1, 8) + bytes(100))
    match = "expected .* bytes of data for shape .*, received 100"
    assert refusal(idx.read, path, match) < 20 * MEGABYTE
    path.write_bytes(gzip.compress(idx_header(2**31, 28, 28) + bytes(64 * MEGABYTE)))
    assert refusal(idx.read, path, "compressed bytes cannot be so many") < MEGABYTE
    path.write_bytes(gzip.compress(idx_header(2) + bytes(64 * MEGABYTE)))
    assert refusal(idx.read, path, "expected 2 bytes of data .*received more") < MEGABYTE
    path.write_bytes(idx_header(0, *[2**32 - 1] * 8))
    refusal(idx.read, path, "no array has the shape")
    path.write_bytes(bytes([0, 0, 8, 200]) + bytes(800))
    refusal(idx.read, path, "not an IDX file")
    path.write_bytes(gzip.compress(idx_header(MEGABYTE) + bytes(MEGABYTE)))
    assert idx.read(path).shape == (MEGABYTE,)
    monkeypatch.setattr("dlnative.data.expansion._memory", lambda: MEGABYTE // 2)
    refusal(idx.read, path, "1048576 bytes do not fit into the memory of 524288 bytes")


# --- images ---------------------------------------------------------------------------------------


def test_a_chunk_of_a_picture_claims_four_gigabytes(tmp_path):
    """Its length is not believed before the file has shown as many bytes."""
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 6)).save(path)
    content = bytearray(path.read_bytes())
    start = content.index(b"IDAT") - 4
    content[start : start + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert peak_of(lambda: read_image(path)) < MEGABYTE  # Pillow finds all pixels before the end


def test_images_of_too_many_pixels(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    Image.new("L", (40, 30)).save(path)
    assert read_image(path).shape == (30, 40, 3)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ValueError, match="a.png: cannot read the image"):
        read_image(path)  # warnings are errors here
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1200)
    assert read_image(path).shape == (30, 40, 3)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_images_of_which_pillow_only_warns(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    Image.new("L", (40, 30)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    match = "a.png: cannot read the image: 1200 pixels, more than PIL.Image.MAX_IMAGE_PIXELS = 1000"
    with pytest.raises(ValueError, match=match):
        read_image(path)


# --- the cache ------------------------------------------------------------------------------------

ROWS = np.arange(60, dtype=np.uint8).reshape(5, 3, 4)


@pytest.fixture
def entry(tmp_path):
    """An entry of the cache; and a function that reads it, building it if need be."""
    builds: list[int] = []

    def build(writer):
        builds.append(1)
        writer.write(ROWS)
        return {"a note": 1}

    def read():
        return (*cached_rows(tmp_path / "cache", "key", build), len(builds))

    assert read()[2] == read()[2] == 1
    return next((tmp_path / "cache").iterdir()), read


def header_of(shape) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    return buffer.getvalue()


@pytest.mark.parametrize("shape", [(4, 3, 4), (5, 4, 3), (60,), (5, 12), (1, 60), (0,), (6, 3, 4)])
def test_a_cache_with_another_shape_is_built_anew(entry, shape):
    place, read = entry
    content = (place / "rows.npy").read_bytes()
    (place / "rows.npy").write_bytes(header_of(shape)[:128] + content[128:])
    rows, note, builds = read()
    np.testing.assert_array_equal(rows, ROWS)
    assert note == {"a note": 1} and builds == 2
    assert read()[2] == 2


@pytest.mark.parametrize("file", ["rows.npy", "notes.json"])
@pytest.mark.parametrize("change", ["one byte", "longer", "shorter", "folder"])
def test_a_damaged_cache_is_built_anew(entry, file, change):
    place, read = entry
    content = bytearray((place / file).read_bytes())
    if change == "one byte":
        content[-20] ^= 1
    elif change == "longer":
        content += b"\0"
    elif change == "shorter":
        content.pop()
    (place / file).write_bytes(content)
    if change == "folder":
        (place / file).unlink()
        (place / file).mkdir()
    rows, note, builds = read()
    np.testing.assert_array_equal(rows, ROWS)
    assert note == {"a note": 1} and builds == 2


def test_notes_of_another_entry_are_not_taken(entry):
    place, read = entry
    notes = json.loads((place / "notes.json").read_text())
    notes["about"]["notes"] = {"another note": 2}
    (place / "notes.json").write_text(json.dumps(notes))
    _, note, builds = read()
    assert note == {"a note": 1} and builds == 2


def test_a_cache_that_is_only_touched_is_kept(entry):
    place, read = entry
    os.utime(place / "rows.npy", (1, 1))
    rows, _, builds = read()
    np.testing.assert_array_equal(rows, ROWS)
    assert builds == 1


@pytest.fixture
def photos(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(3):
            Image.new("RGB", (8, 8), (i, 2, 3)).save(tmp_path / "photos" / name / f"{i}.png")
    return tmp_path / "photos"


def test_a_home_that_cannot_be_written(fails, run, photos, tmp_path, monkeypatch):
    """A file stands where the folder should be, which stops even the superuser."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    (tmp_path / "home").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    train = ["train", "--data", photos, "--epochs", 1, "--hidden", 4, "--quiet"]
    train += ["--validation-split", 0]
    error = fails(*train)
    assert f"{tmp_path / 'home' / '.cache' / 'dlnative' / 'images'}: the cache cannot be" in error
    assert "Not a directory; --cache-dir DIR names another folder" in error
    with pytest.raises(CacheError, match="cache_dir names another folder"):
        image_folder(photos)
    assert run(*train, "--cache-dir", tmp_path / "cache")[0] == 0

    error = fails("train", "--data", "mnist", "--epochs", 1)
    assert "mnist.load_data" in error and "XDG_CACHE_HOME names another" in error
    assert "--data-dir" in error


def test_no_home_at_all(fails, photos, monkeypatch):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    error = fails("train", "--data", photos, "--validation-split", 0)
    assert "Could not determine home directory" in error and "--cache-dir DIR" in error
    assert "XDG_CACHE_HOME names one" in fails("train", "--data", "cifar10")


# --- tables ---------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
@pytest.mark.parametrize(
    "text",
    ["1" * 4_000_000, "1," * 300_000, '"' + "1,2\n" * 1_000_000, "x" * 130_000 + ",1\n" * 2],
    ids=["one cell", "one row", "one quotation", "a long name"],
)
def test_tables_of_one_endless_line(tmp_path, text):
    """In a process with 768 MB of addresses, of which the interpreter itself takes some."""
    (tmp_path / "a.csv").write_text(text)
    code = """
import resource, sys
from dlnative.data import read_csv
resource.setrlimit(resource.RLIMIT_AS, (3 << 28, 3 << 28))
try:
    read_csv(sys.argv[1])
except ValueError as error:
    assert sys.argv[1] in str(error)
    assert len(str(error)) < 140_000
    print("refused")
"""
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.csv")],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (result.stdout, result.stderr) == ("refused\n", "")
