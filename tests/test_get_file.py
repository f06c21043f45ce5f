"""`utils.get_file`: what is fetched, checked, kept and unpacked."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from dlnative.utils import get_file

pytest.importorskip("pooch")
CONTENT = b"some text\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with a file, and archives of it."""
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "data.txt").write_bytes(CONTENT)
    with tarfile.open(folder / "data.tar.gz", "w:gz") as archive:
        archive.add(folder / "data.txt", "inner/data.txt")
    with zipfile.ZipFile(folder / "data.zip", "w") as zipped:
        zipped.write(folder / "data.txt", "inner/data.txt")
    return folder


@pytest.fixture(params=["http", "file"])
def address(request: pytest.FixtureRequest, source: Path, serve) -> str:
    return serve(source) if request.param == "http" else f"{source.as_uri()}/"


def test_a_file_is_fetched_once(address: str, source: Path, tmp_path: Path) -> None:
    first = get_file(origin=f"{address}data.txt", cache_dir=tmp_path / "cache")
    assert Path(first) == tmp_path / "cache" / "datasets" / "data.txt"
    assert Path(first).read_bytes() == CONTENT
    (source / "data.txt").write_bytes(b"other")
    get_file(origin=f"{address}data.txt", cache_dir=tmp_path / "cache")
    assert Path(first).read_bytes() == CONTENT
    get_file(origin=f"{address}data.txt", cache_dir=tmp_path / "cache", force_download=True)
    assert Path(first).read_bytes() == b"other"
    assert os.listdir(tmp_path / "cache" / "datasets") == ["data.txt"]


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
@pytest.mark.parametrize("named", [True, False])
def test_the_checksum(address: str, tmp_path: Path, algorithm: str, named: bool) -> None:
    digest = hashlib.new(algorithm, CONTENT).hexdigest()
    options = {"hash_algorithm": algorithm if named else "auto", "cache_dir": tmp_path / "cache"}
    path = get_file("a.txt", f"{address}data.txt", file_hash=digest, **options)
    assert Path(path).name == "a.txt"
    Path(path).write_bytes(b"damaged")
    get_file("a.txt", f"{address}data.txt", file_hash=digest.upper(), **options)
    assert Path(path).read_bytes() == CONTENT
    with pytest.raises(ValueError, match="hash"):
        get_file("b.txt", f"{address}data.txt", file_hash="0" * len(digest), **options)
    assert os.listdir(Path(path).parent) == ["a.txt"]


@pytest.mark.parametrize("archive", ["data.tar.gz", "data.zip"])
def test_archives_are_unpacked(address: str, tmp_path: Path, archive: str) -> None:
    options = {"cache_dir": tmp_path / "cache", "extract": True}
    for name, expected in ((None, archive), ("folder", "folder"), ("x.tar", "x_extracted")):
        folder = Path(get_file(name, f"{address}{archive}", **options))
        assert folder.name == expected
        assert (folder / "inner" / "data.txt").read_bytes() == CONTENT
    again = Path(get_file("folder", f"{address}{archive}", **options))
    assert (again / "inner" / "data.txt").read_bytes() == CONTENT
    assert not [name for name in os.listdir(again.parent) if name.startswith(".")]


def test_an_archive_that_reaches_outside(source: Path, tmp_path: Path) -> None:
    with tarfile.open(source / "evil.tar", "w") as archive:
        member = tarfile.TarInfo("../evil.txt")
        member.size = len(CONTENT)
        archive.addfile(member, io.BytesIO(CONTENT))
    with zipfile.ZipFile(source / "evil.zip", "w") as zipped:
        zipped.writestr("../evil.txt", CONTENT)
    for name in ("evil.tar", "evil.zip"):
        with pytest.raises(ValueError, match="evil.txt"):
            get_file("out", f"{source.as_uri()}/{name}", extract=True, cache_dir=tmp_path / name)
        assert not list((tmp_path / name).rglob("evil.txt"))
        assert not (tmp_path / name / "datasets" / "out").exists()


def test_a_damaged_archive_leaves_what_was_unpacked(source: Path, tmp_path: Path) -> None:
    options = {"extract": True, "cache_dir": tmp_path / "cache"}
    folder = Path(get_file("out", f"{source.as_uri()}/data.tar.gz", **options))
    whole = (source / "data.tar.gz").read_bytes()
    (source / "data.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="cannot be unpacked"):
        get_file("out", f"{source.as_uri()}/data.tar.gz", force_download=True, **options)
    assert (folder / "inner" / "data.txt").read_bytes() == CONTENT


def test_what_is_no_archive(source: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="is no archive of tar or zip"):
        get_file("out", f"{source.as_uri()}/data.txt", extract=True, cache_dir=tmp_path / "c")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "expected the address"),
        ({"origin": "http://host/"}, "does not end with a name"),
        ({"fname": "a/b", "origin": "http://host/x"}, "without folders"),
        ({"fname": "..", "origin": "http://host/x"}, "without folders"),
        ({"origin": "http://host/x", "hash_algorithm": "crc"}, "expected hash_algorithm"),
        ({"origin": "http://host/x", "extract": True, "archive_format": "rar"}, "archive_format"),
    ],
)
def test_bad_arguments(arguments: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        get_file(cache_dir=tmp_path, **arguments)


def test_the_cache(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    path = get_file(origin=f"{source.as_uri()}/data.txt")
    assert Path(path) == tmp_path / "xdg" / "dlnative" / "datasets" / "data.txt"
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    path = get_file(origin=f"{source.as_uri()}/data.txt", cache_subdir="other")
    assert Path(path) == tmp_path / "keras" / "other" / "data.txt"


def test_an_address_that_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(OSError):  # noqa: PT011  whose text depends on the system
        get_file(origin=f"{tmp_path.as_uri()}/missing.txt", cache_dir=tmp_path / "cache")
    assert not (tmp_path / "cache" / "datasets" / "missing.txt").exists()
