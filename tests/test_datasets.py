"""The data sets, and what happens when their files are missing or broken."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from dlnative.datasets import digits, idx, mnist, toy

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def idx_bytes(array: np.ndarray, code: int = 0x08) -> bytes:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def small_mnist() -> dict[str, np.ndarray]:
    generator = np.random.Generator(np.random.PCG64(0))
    return {
        NAMES[0]: generator.integers(0, 256, (6, 28, 28), dtype=np.uint8),
        NAMES[1]: np.arange(6, dtype=np.uint8),
        NAMES[2]: generator.integers(0, 256, (3, 28, 28), dtype=np.uint8),
        NAMES[3]: np.arange(3, dtype=np.uint8),
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of four IDX files, two of them compressed, one with a dot in its name."""
    arrays = small_mnist()
    root = tmp_path / "mnist"
    root.mkdir()
    (root / f"{NAMES[0]}.gz").write_bytes(gzip.compress(idx_bytes(arrays[NAMES[0]]), mtime=0))
    (root / NAMES[1]).write_bytes(idx_bytes(arrays[NAMES[1]]))
    (root / "t10k-images.idx3-ubyte").write_bytes(idx_bytes(arrays[NAMES[2]]))
    (root / f"{NAMES[3]}.gz").write_bytes(gzip.compress(idx_bytes(arrays[NAMES[3]]), mtime=0))
    return root


@pytest.fixture
def no_local_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs load_data with an empty cache, no DLNATIVE_DATA and no mirror; returns the cache."""
    monkeypatch.delenv("DLNATIVE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(mnist, "_MIRRORS", ())
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache" / "dlnative" / "mnist"


def assert_small_mnist(loaded: tuple) -> None:
    arrays = small_mnist()
    (x_train, y_train), (x_test, y_test) = loaded
    np.testing.assert_array_equal(x_train, arrays[NAMES[0]])
    np.testing.assert_array_equal(y_train, arrays[NAMES[1]])
    np.testing.assert_array_equal(x_test, arrays[NAMES[2]])
    np.testing.assert_array_equal(y_test, arrays[NAMES[3]])
    assert {a.dtype for a in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}


# --- digits ---------------------------------------------------------------------------------------


def test_digits_are_complete_and_split_by_seed():
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    assert x_train.shape == (1438, 8, 8)
    assert x_test.shape == (359, 8, 8)
    assert x_train.dtype == y_train.dtype == np.uint8
    assert (x_train.min(), x_train.max()) == (0, 16)
    every = np.concatenate([x_train, x_test]).reshape(-1, 64)
    from sklearn.datasets import load_digits

    expected = load_digits().data.astype(np.uint8)
    assert sorted(map(bytes, every)) == sorted(map(bytes, expected))
    np.testing.assert_array_equal(
        np.bincount(y_train) + np.bincount(y_test), np.bincount(load_digits().target)
    )
    (again, _), _ = digits.load_data()
    (other, _), _ = digits.load_data(seed=1)
    np.testing.assert_array_equal(x_train, again)
    assert not np.array_equal(x_train, other)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, 0.0001])
def test_digits_refuse_an_empty_side(fraction):
    with pytest.raises(ValueError, match="test_fraction"):
        digits.load_data(test_fraction=fraction)


# --- MNIST ----------------------------------------------------------------------------------------


@pytest.mark.data
def test_mnist_is_the_published_one(data_dir):
    (x_train, y_train), (x_test, y_test) = mnist.load_data(data_dir)
    assert x_train.shape == (60000, 28, 28)
    assert x_test.shape == (10000, 28, 28)
    assert y_train[:5].tolist() == [5, 0, 4, 1, 9]
    assert y_test[:5].tolist() == [7, 2, 1, 0, 4]
    # The mean and deviation every tutorial normalises with.
    assert x_train.mean() / 255 == pytest.approx(0.1307, abs=1e-4)
    assert x_train.std() / 255 == pytest.approx(0.3081, abs=1e-4)


def test_mnist_from_a_folder(folder):
    assert_small_mnist(mnist.load_data(folder))
    assert_small_mnist(mnist.load_data(str(folder)))


def test_mnist_from_the_environment(folder, no_local_copy, monkeypatch):
    monkeypatch.setenv("DLNATIVE_DATA", str(folder))
    assert_small_mnist(mnist.load_data())
    monkeypatch.setenv("DLNATIVE_DATA", str(folder.parent))
    assert_small_mnist(mnist.load_data())


def test_mnist_from_an_archive(tmp_path):
    arrays = dict(
        zip(("x_train", "y_train", "x_test", "y_test"), small_mnist().values(), strict=True)
    )
    np.savez(tmp_path / "mnist.npz", **arrays)
    assert_small_mnist(mnist.load_data(tmp_path / "mnist.npz"))


def test_mnist_missing_things_are_named(folder, no_local_copy):
    with pytest.raises(FileNotFoundError, match="there is none at nowhere"):
        mnist.load_data("nowhere")
    (folder / NAMES[1]).unlink()
    with pytest.raises(FileNotFoundError, match="missing train-labels-idx1-ubyte"):
        mnist.load_data(folder)


def test_mnist_lengths_must_match(folder):
    (folder / NAMES[1]).write_bytes(idx_bytes(np.zeros(5, np.uint8)))
    with pytest.raises(ValueError, match="6 training images and 5 training labels"):
        mnist.load_data(folder)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 half"])
def test_mnist_broken_archive(tmp_path, content):
    (tmp_path / "mnist.npz").write_bytes(content)
    with pytest.raises(ValueError, match="cannot read it as an"):
        mnist.load_data(tmp_path / "mnist.npz")


def test_mnist_archive_never_unpickles(tmp_path):
    arrays = dict.fromkeys(("x_train", "y_train", "x_test", "y_test"), np.array([{}], object))
    np.savez(tmp_path / "mnist.npz", **arrays)
    with pytest.raises(ValueError, match="allow_pickle"):
        mnist.load_data(tmp_path / "mnist.npz")


# --- download -------------------------------------------------------------------------------------


@pytest.fixture
def mirror(tmp_path, no_local_copy, monkeypatch, serve):
    """A mirror on this machine that serves four small files; returns its folder."""
    import hashlib

    served = tmp_path / "mirror"
    served.mkdir()
    sums = {}
    for name, array in small_mnist().items():
        content = gzip.compress(idx_bytes(array), mtime=0)
        (served / f"{name}.gz").write_bytes(content)
        sums[name] = hashlib.sha256(content).hexdigest()
    url = serve(served)
    monkeypatch.setattr(mnist, "_MIRRORS", (f"{url}gone/", url))
    monkeypatch.setattr(mnist, "_FILES", sums)
    return served


def test_mnist_downloads_once_from_the_first_mirror_that_works(mirror, no_local_copy):
    assert_small_mnist(mnist.load_data())
    for file in mirror.iterdir():
        file.unlink()
    assert_small_mnist(mnist.load_data())


def test_mnist_download_goes_on_where_it_stopped(mirror, no_local_copy):
    kept = (mirror / f"{NAMES[3]}.gz").read_bytes()
    (mirror / f"{NAMES[3]}.gz").unlink()
    with pytest.raises(ConnectionError, match=f"cannot download {NAMES[3]}.gz"):
        mnist.load_data()
    (mirror / f"{NAMES[3]}.gz").write_bytes(kept)
    (mirror / f"{NAMES[0]}.gz").unlink()
    assert_small_mnist(mnist.load_data())


def test_mnist_wrong_checksum_leaves_nothing(mirror, no_local_copy):
    (mirror / f"{NAMES[0]}.gz").write_bytes(gzip.compress(b"something else", mtime=0))
    with pytest.raises(ValueError, match="hash"):
        mnist.load_data()
    assert [*no_local_copy.iterdir()] == []


def test_mnist_without_network_says_so(no_local_copy):
    with pytest.raises(ConnectionError, match="cannot download"):
        mnist.load_data()


def test_mnist_without_pooch_names_the_remedies(no_local_copy, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pooch", None)
    with pytest.raises(ImportError, match=r"dlnative\[datasets\].*DLNATIVE_DATA"):
        mnist.load_data()


# --- IDX ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "dtype"),
    [(0x08, "u1"), (0x09, "i1"), (0x0B, "i2"), (0x0C, "i4"), (0x0D, "f4"), (0x0E, "f8")],
)
@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4), (0,), (2, 0)])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_idx_round_trip(tmp_path, code, dtype, shape, compress):
    expected = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    (tmp_path / "file").write_bytes(compress(idx_bytes(expected, code)))
    received = idx.read(tmp_path / "file")
    assert received.dtype == np.dtype(dtype)
    assert received.dtype.isnative
    assert received.flags.writeable
    np.testing.assert_array_equal(received, expected)


GOOD = idx_bytes(np.arange(12, dtype=np.uint8).reshape(3, 4))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a file of 0 bytes"),
        (GOOD[:3], "a file of 3 bytes"),
        (b"hello, world", "not an IDX file.*68 65 6c 6c"),
        (b"\0\0\x07\x01" + GOOD[4:], "not an IDX file"),
        (b"\0\0\x08\0", "not an IDX file"),
        (GOOD[:10], "truncated in its header, after 10 bytes"),
        (GOOD[:-1], r"expected 12 bytes of data for shape \(3, 4\), received 11"),
        (GOOD + b"x", "expected 12 bytes of data .* received more"),
        (b"\0\0\x0e\x04" + b"\xff" * 16 + b"data", "received 4$"),
        (gzip.compress(GOOD, mtime=0)[:-9], "damaged or truncated gzip"),
        (gzip.compress(GOOD, mtime=0)[:6], "damaged or truncated gzip"),
        (gzip.compress(GOOD, mtime=0)[:12] + b"\0" * 20, "damaged or truncated gzip"),
        (gzip.compress(GOOD[:-1], mtime=0), "received 11"),
    ],
)
def test_idx_broken_files(tmp_path, content, message):
    (tmp_path / "broken").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        idx.read(tmp_path / "broken")
    assert str(tmp_path / "broken") in str(caught.value)


def test_idx_other_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        idx.read(tmp_path / "none")
    (tmp_path / "file").write_bytes(GOOD)
    with pytest.raises(ValueError, match="expected an array of rank 3, received rank 2"):
        idx.read(tmp_path / "file", rank=3)


# --- toy sets -------------------------------------------------------------------------------------

GATES = {"and_": [0, 0, 0, 1], "or_": [0, 1, 1, 1], "nand": [1, 1, 1, 0], "xor": [0, 1, 1, 0]}


@pytest.mark.parametrize("name", GATES)
def test_gates(name):
    x, y = getattr(toy, name)()
    assert x.dtype == np.float32
    assert y.dtype == np.int32
    assert x.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert y.tolist() == GATES[name]


@pytest.mark.parametrize("bits", [1, 2, 5, 10])
def test_parity_counts_ones(bits):
    x, y = toy.parity(bits)
    assert x.shape == (2**bits, bits)
    assert y.tolist() == [number.bit_count() % 2 for number in range(2**bits)]
    assert x.dot(2.0 ** np.arange(bits)[::-1]).tolist() == [*range(2**bits)]


@pytest.mark.parametrize("make", [toy.moons, toy.spirals, toy.blobs])
def test_points_are_balanced_and_seeded(make):
    x, y = make(101, seed=3)
    assert x.shape == (101, 2)
    assert x.dtype == np.float32
    assert y.dtype == np.int32
    counts = np.bincount(y)
    assert counts.max() - counts.min() <= 1
    assert (np.diff(y) != 0).any(), "the classes must be mixed"
    np.testing.assert_array_equal(make(101, seed=3)[0], x)
    assert not np.array_equal(make(101, seed=4)[0], x)


def test_points_lie_where_the_formulas_say():
    x, y = toy.moons(200, noise=0)
    np.testing.assert_allclose(np.hypot(*(x[y == 0]).T), 1, atol=1e-6)
    np.testing.assert_allclose(np.hypot(*(x[y == 1] - [1, 0.5]).T), 1, atol=1e-6)
    x, y = toy.spirals(300, classes=3, turns=2, noise=0)
    radius = np.hypot(*x.T)
    angle = 2 * np.pi * (2 * radius + y / 3)
    np.testing.assert_allclose(
        x, np.stack([np.cos(angle), np.sin(angle)], 1) * radius[:, None], atol=1e-5
    )
    x, y = toy.blobs(5000, classes=2, features=5, spread=0.5)
    assert x.shape == (5000, 5)
    np.testing.assert_allclose(x[y == 1].std(axis=0), 0.5, rtol=0.05)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: toy.parity(0), "1 to 20 bits, received 0"),
        (lambda: toy.parity(21), "received 21"),
        (lambda: toy.moons(1), "at least one sample for each of 2 classes, received 1"),
        (lambda: toy.moons(noise=-1), "standard deviation of at least 0, received -1"),
        (lambda: toy.moons(noise=float("nan")), "received nan"),
        (lambda: toy.spirals(classes=1), "at least 2 classes, received 1"),
        (lambda: toy.blobs(features=0), "at least 1 feature, received 0"),
    ],
)
def test_toy_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
