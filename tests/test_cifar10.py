"""CIFAR-10 in its two layouts, and what happens when its files are missing or broken."""

from __future__ import annotations

import hashlib
import pickle
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from dlnative.datasets import cifar10

BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")


def small_cifar10() -> dict[str, tuple[np.ndarray, list[int]]]:
    """Two images per batch, colours last, and their labels."""
    generator = np.random.Generator(np.random.PCG64(0))
    return {
        name: (generator.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8), [i, 9 - i])
        for i, name in enumerate(BATCHES)
    }


def planes(images: np.ndarray) -> np.ndarray:
    """The layout of the files: all of red, all of green, all of blue."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(len(images), 3072)


def write_binary(root: Path) -> Path:
    root.mkdir(parents=True)
    for name, (images, labels) in small_cifar10().items():
        records = np.concatenate([np.array(labels, np.uint8)[:, None], planes(images)], axis=1)
        (root / f"{name}.bin").write_bytes(records.tobytes())
    (root / "batches.meta.txt").write_text("\n".join(cifar10.CLASS_NAMES))
    return root


def write_pickled(root: Path, protocol: int = 2) -> Path:
    root.mkdir(parents=True)
    for name, (images, labels) in small_cifar10().items():
        batch = {
            b"batch_label": b"training batch",
            b"labels": labels,
            b"data": planes(images),
            b"filenames": [b"one.png", b"two.png"],
        }
        (root / name).write_bytes(pickle.dumps(batch, protocol))
    return root


def python_2_batch() -> bytes:
    """A batch written opcode by opcode as Python 2 and the NumPy of 2009 did."""
    pixels = bytes(range(256)) * 12
    return (
        b"\x80\x02}(U\x0bbatch_labelU\x09batch oneU\x06labels](K\x03eU\x04data"
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
        b"(K\x01K\x01M\x00\x0c\x86cnumpy\ndtype\n(U\x02u1K\x00K\x01tR"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"T\x00\x0c\x00\x00" + pixels + b"tbu."
    )


def assert_small_cifar10(loaded: tuple) -> None:
    batches = [*small_cifar10().values()]
    (x_train, y_train), (x_test, y_test) = loaded
    np.testing.assert_array_equal(x_train, np.concatenate([x for x, _ in batches[:5]]))
    np.testing.assert_array_equal(y_train, np.concatenate([y for _, y in batches[:5]]))
    np.testing.assert_array_equal(x_test, batches[5][0])
    np.testing.assert_array_equal(y_test, batches[5][1])
    assert {a.dtype for a in (x_train, y_train, x_test, y_test)} == {np.dtype(np.uint8)}
    assert x_train.flags.c_contiguous and x_test.flags.c_contiguous


@pytest.fixture
def no_local_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs load_data with an empty cache, no DLNATIVE_DATA and no mirror; returns the cache."""
    monkeypatch.delenv("DLNATIVE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(cifar10, "_MIRRORS", ())
    return tmp_path / "cache" / "dlnative" / "cifar10"


def test_binary(tmp_path):
    write_binary(tmp_path / "cifar-10-batches-bin")
    assert_small_cifar10(cifar10.load_data(tmp_path / "cifar-10-batches-bin"))
    assert_small_cifar10(cifar10.load_data(str(tmp_path)))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_python(tmp_path, protocol):
    write_pickled(tmp_path / "cifar-10-batches-py", protocol)
    assert_small_cifar10(cifar10.load_data(tmp_path / "cifar-10-batches-py"))
    assert_small_cifar10(cifar10.load_data(tmp_path))


def test_as_python_2_pickled_it(tmp_path):
    root = write_pickled(tmp_path / "py")
    assert pickle.loads(python_2_batch(), encoding="bytes")[b"data"].shape == (1, 3072)
    (root / "test_batch").write_bytes(python_2_batch())
    _, (x, y) = cifar10.load_data(root)
    assert y.tolist() == [3]
    assert planes(x).tobytes() == bytes(range(256)) * 12


def test_from_the_environment(tmp_path, no_local_copy, monkeypatch):
    write_binary(tmp_path / "data" / "cifar10" / "cifar-10-batches-bin")
    for folder in (tmp_path / "data", tmp_path / "data" / "cifar10"):
        monkeypatch.setenv("DLNATIVE_DATA", str(folder))
        assert_small_cifar10(cifar10.load_data())


def test_missing_things_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a folder with data_batch_1.bin .*none"):
        cifar10.load_data(tmp_path / "none")
    root = write_binary(tmp_path / "bin")
    (root / "data_batch_2.bin").unlink()
    (root / "test_batch.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"missing data_batch_2\.bin, test_batch\.bin"):
        cifar10.load_data(root)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "received 0 bytes"),
        (bytes(3073 + 3072), "received 6145 bytes, which is 2.00 images"),
        (bytes(5000), "truncated or not CIFAR-10.*1.63 images"),
        (bytes(3073) + b"\x0a" + bytes(3072), "labels from 0 to 9, received 10 for image 1"),
    ],
)
def test_broken_binary_files(tmp_path, content, message):
    root = write_binary(tmp_path / "bin")
    (root / "data_batch_4.bin").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        cifar10.load_data(root)
    assert str(root / "data_batch_4.bin") in str(caught.value)


def batch(**changes) -> bytes:
    whole = {"data": np.zeros((2, 3072), np.uint8), "labels": [0, 1]}
    return pickle.dumps({k: v for k, v in (whole | changes).items() if v is not None}, 4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged, or not plain data"),
        (b"no pickle", "damaged, or not plain data"),
        (batch()[:-500], "damaged, or not plain data"),
        (pickle.dumps([1, 2]), "expected a dictionary, received list"),
        (batch(data=None), "expected 'data' of uint8"),
        (batch(data=np.zeros((2, 3072))), "expected 'data' of uint8"),
        (batch(data=np.zeros((2, 3000), np.uint8)), r"shape \(n, 3072\)"),
        (batch(labels=None), "'labels' to be a list of integers"),
        (batch(labels=[0, "1"]), "'labels' to be a list of integers"),
        (batch(labels=[0, 1, 2]), "2 images and 3 labels"),
        (batch(labels=[0, -1]), "received -1 for image 1"),
        (batch(labels=None, fine_labels=[0, 99]), "this is CIFAR-100"),
    ],
)
def test_broken_python_files(tmp_path, content, message):
    root = write_pickled(tmp_path / "py")
    (root / "data_batch_3").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        cifar10.load_data(root)
    assert str(root / "data_batch_3") in str(caught.value)


@pytest.fixture
def mirror(tmp_path, no_local_copy, monkeypatch, serve):
    """A mirror on this machine that serves a small archive; returns its folder."""
    served = tmp_path / "mirror"
    served.mkdir()
    write_binary(tmp_path / "packed" / "cifar-10-batches-bin")
    with tarfile.open(served / "cifar-10-binary.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "packed" / "cifar-10-batches-bin", "cifar-10-batches-bin")
    content = (served / "cifar-10-binary.tar.gz").read_bytes()
    url = serve(served)
    monkeypatch.setattr(cifar10, "_MIRRORS", (f"{url}gone/", url))
    monkeypatch.setattr(cifar10, "_SHA256", hashlib.sha256(content).hexdigest())
    return served


def test_downloads_once(mirror, no_local_copy):
    assert_small_cifar10(cifar10.load_data())
    assert [file.name for file in no_local_copy.iterdir()] == ["cifar-10-batches-bin"]
    (mirror / "cifar-10-binary.tar.gz").unlink()
    assert_small_cifar10(cifar10.load_data())


def test_wrong_checksum_leaves_nothing(mirror, no_local_copy):
    (mirror / "cifar-10-binary.tar.gz").write_bytes(b"something else")
    with pytest.raises(ValueError, match="hash"):
        cifar10.load_data()
    assert [*no_local_copy.iterdir()] == []


def test_without_network_or_pooch(no_local_copy, monkeypatch):
    with pytest.raises(ConnectionError, match="cifar10.load_data: cannot download"):
        cifar10.load_data()
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"cifar10.load_data: .*dlnative\[datasets\]"):
        cifar10.load_data()
