"""Files from the net, fetched once, and archives unpacked."""

from __future__ import annotations

import contextlib
import lzma
import os
import shutil
import tarfile
import tempfile
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .warn import warn_user


def get_file(
    fname: str | os.PathLike[str] | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | Sequence[str] | None = "auto",
    cache_dir: str | os.PathLike[str] | None = None,
    force_download: bool = False,
) -> str:
    """The path of a file of an address, which is fetched unless it is there already.

    Only what has arrived whole, with the checksum that is given, gets its name. An archive is
    unpacked beside it; members that would lie elsewhere are refused.

    Args:
        fname: Name of the file, without folders; that of the address by default. With `extract`
            the name of the folder that is unpacked to, if it has no ".".
        origin: The address: http, https, ftp or file.
        untar: `extract` for tar archives only.
        md5_hash: `file_hash` for MD5.
        file_hash: The checksum that the file must have, in hexadecimal.
        cache_subdir: Folder in the cache, or an absolute path in its place.
        hash_algorithm: "sha256", "md5", or "auto" to tell by the length.
        extract: Whether to unpack an archive and return the folder.
        archive_format: "tar", "zip", a list of them, "auto" for both or None for neither.
        cache_dir: The cache; `$KERAS_HOME` or that of the user's system by default.
        force_download: Whether to fetch it in any case.

    Returns:
        The path of the file or of the folder.

    Raises:
        ImportError: pooch, the extra `dlnative[datasets]`, is not installed.
        ValueError: No address or name, another checksum, or an archive that is damaged, or whose
            members would lie outside of the folder.
        OSError: The address does not answer, or the file cannot be written.

    Differs from Keras: the cache is that of the system, such as `~/.cache/dlnative`, and not
    `~/.keras`; what is unpacked is there in full or not at all.
    """
    if origin is None:
        raise ValueError("get_file: expected the address of a file as origin, received None")
    name = os.fspath(fname) if fname else os.path.basename(urllib.parse.urlsplit(origin).path)
    if not name:
        raise ValueError(f"get_file: {origin!r} does not end with a name; give one with fname")
    if os.path.basename(name) != name or name in (".", ".."):
        raise ValueError(
            f"get_file: expected fname without folders (cache_dir is for these), received {name!r}"
        )
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    folder = _folder(cache_dir, cache_subdir)
    target, unpacked = folder / name, folder / name
    formats = _formats(archive_format if extract else ("tar" if untar else None))
    if (extract or untar) and fname and "." in name:
        unpacked = folder / f"{name[: name.find('.')]}_extracted"
    elif extract or untar:
        target = folder / f"{name}_archive"
    _fetch(origin, target, _known_hash(file_hash, hash_algorithm), force_download)
    if not (extract or untar):
        return str(target)
    with _damage(target):
        kind = next((kind for kind in formats if _IS[kind](target)), None)
    if kind is None:
        warn_user(f"get_file: {target} is no archive of {' or '.join(formats) or 'any kind'}")
        return str(unpacked)
    unpack(target, unpacked, kind)
    return str(unpacked)


def unpack(archive: Path, folder: Path, kind: str) -> None:
    """Unpacks a tar or zip archive to a folder, which takes its name once all is there.

    A folder that has been unpacked before is replaced.

    Raises:
        ValueError: The archive is damaged, or a member would lie outside of the folder.
    """
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        with _damage(archive):
            if kind == "tar":
                with tarfile.open(archive) as tar:
                    tar.extractall(scratch, filter="data")
            else:
                _unzip(archive, scratch)
        os.chmod(scratch, 0o777 & ~_umask())
        if folder.exists():
            former = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
            os.replace(folder, former / "former")
            os.replace(scratch, folder)
            shutil.rmtree(former, ignore_errors=True)
        else:
            os.replace(scratch, folder)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


@contextlib.contextmanager
def _damage(archive: Path) -> Iterator[None]:
    """Makes ValueErrors of what the readers of archives raise."""
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
        raise ValueError(f"get_file: {archive}: cannot be unpacked: {error}") from error


_IS: dict[str, Any] = {"tar": tarfile.is_tarfile, "zip": zipfile.is_zipfile}


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as source:
        root = folder.resolve()
        for member in source.namelist():
            if not (root / member).resolve().is_relative_to(root):
                raise ValueError(f"get_file: {archive}: {member!r} would lie outside of the folder")
        source.extractall(folder)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _formats(archive_format: str | Sequence[str] | None) -> list[str]:
    if archive_format is None:
        return []
    given = [archive_format] if isinstance(archive_format, str) else list(archive_format)
    formats = [each for kind in given for each in (["tar", "zip"] if kind == "auto" else [kind])]
    unknown = [kind for kind in formats if kind not in _IS]
    if unknown:
        raise ValueError(
            "get_file: expected archive_format 'auto', 'tar', 'zip' or None, received "
            f"{unknown[0]!r}"
        )
    return formats


def _folder(cache_dir: str | os.PathLike[str] | None, subdir: str) -> Path:
    root = os.environ.get("KERAS_HOME") if cache_dir is None else cache_dir
    if root is not None:
        return Path(root).expanduser() / subdir
    from ..data.cache import cache_folder

    return cache_folder(subdir)


def _known_hash(file_hash: str | None, algorithm: str) -> str | None:
    if algorithm not in ("auto", "sha256", "md5"):
        raise ValueError(
            f"get_file: expected hash_algorithm 'auto', 'sha256' or 'md5', received {algorithm!r}"
        )
    if file_hash is None:
        return None
    if algorithm == "auto":
        algorithm = "sha256" if len(str(file_hash)) == 64 else "md5"
    return f"{algorithm}:{str(file_hash).lower()}"


def _fetch(origin: str, target: Path, known_hash: str | None, force: bool) -> None:
    """Makes the file, unless it is there with the checksum; what is there stays until then."""
    if target.exists() and not force and known_hash is None:
        return
    pooch = _pooch()
    is_file = urllib.parse.urlsplit(origin).scheme == "file"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
        folder = Path(scratch) if force else target.parent
        fetched = pooch.retrieve(
            origin,
            known_hash,
            fname=target.name,
            path=folder,
            downloader=_copy if is_file else None,
        )
        if force:
            os.replace(fetched, target)


def _copy(url: str, output: Any, pooch: Any) -> None:
    """A downloader of pooch for `file:` addresses."""
    source = urllib.request.url2pathname(urllib.parse.urlsplit(url).path)
    shutil.copyfile(source, output)


def _pooch() -> Any:
    try:
        import pooch
    except ImportError as error:
        raise ImportError(
            "get_file: fetching files needs pooch: pip install 'dlnative[datasets]'"
        ) from error
    return pooch
