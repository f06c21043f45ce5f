"""Folders of images, one folder per class, decoded once into a memory map."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..utils.warn import warn_user
from .cache import RowWriter, cache_folder, cached_rows
from .images import SUFFIXES, ImageFormat, UnreadableImage, decode, require_pillow

__all__ = ["Images", "image_folder"]

_CACHE_VERSION = 1  # to be raised when the same files give other pixels
_FILES_AT_ONCE = 16  # per task of a thread
_NAMED = 10  # broken files that an error names


class Images(NamedTuple):
    """Images with their classes.

    Attributes:
        x: uint8 of shape `(n, height, width, channels)`, a read-only memory map.
        y: int32 of shape `(n,)`: positions in `class_names`.
        class_names: Names of the classes, sorted.
        files: The image files, in the order of `x`, as paths below the folder.
    """

    x: np.ndarray
    y: np.ndarray
    class_names: list[str]
    files: list[str]


class _File(NamedTuple):
    name: str  # below the folder, with slashes
    label: int
    size: int
    modified: int  # in nanoseconds


def image_folder(
    path: str | os.PathLike[str],
    image_size: tuple[int, int] | None = None,
    *,
    validation_split: float | None = None,
    subset: str | None = None,
    seed: int = 0,
    color_mode: str = "rgb",
    interpolation: str = "bilinear",
    on_error: str = "raise",
    cache_dir: str | os.PathLike[str] | None = None,
    verbose: bool = True,
) -> Images | tuple[Images, Images]:
    """Reads the images of `<path>/<class>/*.jpg`, also `.jpeg`, `.png` and `.bmp`.

    They are decoded once, by several threads, into a cache on the disk. The cache is keyed by the
    options, and by name, size and time of change of every file; from then on it is mapped into
    memory, and pixels are read when they are used. So a set may be larger than the memory.

    Args:
        path: A folder with a folder per class. Names that begin with a dot are passed over.
        image_size: `(height, width)` to which all images are resized; their proportions may
            change. None takes them as they are, and they must then be of one size.
        validation_split: Share of each class, in (0, 1), that becomes a set of its own.
        subset: With `validation_split`: `"training"` or `"validation"` returns that set
            alone, `"both"` or None returns both.
        seed: Seed of the split, `Generator(PCG64(seed))`.
        color_mode: `"rgb"` or `"grayscale"`.
        interpolation: How images are resized; see `read_image`.
        on_error: What to do about files that cannot be read: `"raise"`, or `"skip"` them with
            a warning. Both name them.
        cache_dir: The folder of the cache. Default: `~/.cache/dlnative/images`. Whatever is in
            it may be removed at any time.
        verbose: Whether to show a progress bar while decoding.

    Returns:
        `Images`, that is `(x, y, class_names, files)`, sorted by file name; two of them,
        training and validation, where a split is asked for.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If there are no classes, classes without images, images that cannot be read,
            images of different sizes with `image_size=None`, or an option is none of the above.
        ImportError: If Pillow is not installed.
        OSError: If the folder of the cache cannot be written.

    Example:
        >>> train = image_folder("photos/train", image_size=(64, 64))  # doctest: +SKIP
        >>> train.x.shape, train.class_names  # doctest: +SKIP
        ((2000, 64, 64, 3), ['cat', 'dog'])

    Differs from Keras:
        `image_dataset_from_directory` returns a stream of batches in float32 and decodes in every
        epoch; its split is not taken per class.
    """
    wanted = ImageFormat(image_size, color_mode, interpolation)
    _check_options(validation_split, subset, on_error)
    root = Path(path)
    class_names, files = _scan(root)
    validation: list[_File] = []
    if validation_split:
        files, validation = _split(files, len(class_names), validation_split, seed, root)
    ordered = files + validation
    key = {
        "version": _CACHE_VERSION,
        "folder": str(root.resolve()),
        "files": [(file.name, file.size, file.modified) for file in ordered],
        "options": wanted.get_config(),
    }
    require_pillow()

    def build(writer: RowWriter) -> dict[str, str]:
        return _decode_all(root, ordered, wanted, writer, on_error, verbose)

    cache = cache_folder("images") if cache_dir is None else Path(cache_dir)
    rows, broken = cached_rows(cache, key, build)
    if broken:
        _report(root, broken, len(ordered), on_error)
        files = [file for file in files if file.name not in broken]
        validation = [file for file in validation if file.name not in broken]
        _check_every_class(root, class_names, files, "can be read")
    training = _images(rows[: len(files)], files, class_names)
    held_out = _images(rows[len(files) :], validation, class_names)
    if not validation_split:
        return training
    return {"training": training, "validation": held_out}.get(subset or "", (training, held_out))


def _check_options(validation_split: float | None, subset: str | None, on_error: str) -> None:
    if on_error not in ("raise", "skip"):
        raise ValueError(f"expected on_error to be 'raise' or 'skip', received {on_error!r}")
    if validation_split and not 0 < validation_split < 1:
        raise ValueError(
            f"expected validation_split to lie between 0 and 1, received {validation_split!r}"
        )
    if subset not in (None, "training", "validation", "both"):
        raise ValueError(
            f"expected subset to be 'training', 'validation' or 'both', received {subset!r}"
        )
    if subset is not None and not validation_split:
        raise ValueError(f"subset={subset!r} needs a validation_split")


def _scan(root: Path) -> tuple[list[str], list[_File]]:
    """Finds classes and files, both in the order of their names."""
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder")
    class_names = sorted(e.name for e in root.iterdir() if e.is_dir() and e.name[0] != ".")
    if not class_names:
        raise ValueError(f"{root}: expected a folder with a folder of images per class, found none")
    files = [file for i, name in enumerate(class_names) for file in _scan_class(root, name, i)]
    _check_every_class(root, class_names, files, f"is there ({', '.join(SUFFIXES)})")
    return class_names, files


def _scan_class(root: Path, name: str, label: int) -> list[_File]:
    found = []
    with os.scandir(root / name) as entries:
        for entry in entries:
            if entry.name[0] == "." or not entry.name.lower().endswith(SUFFIXES):
                continue
            if entry.is_file():
                status = entry.stat()
                found.append(
                    _File(f"{name}/{entry.name}", label, status.st_size, status.st_mtime_ns)
                )
    return sorted(found)


def _check_every_class(root: Path, class_names: list[str], files: list[_File], what: str) -> None:
    with_files = {file.label for file in files}
    empty = [name for i, name in enumerate(class_names) if i not in with_files]
    if not empty:
        return
    shown = ", ".join(empty[:_NAMED]) + (", ..." if len(empty) > _NAMED else "")
    inside = [name for name in empty if any(e.is_dir() for e in (root / name).iterdir())]
    hint = f"; did you mean {root / inside[0]}?" if inside else ""
    raise ValueError(
        f"{root}: {len(empty)} of {len(class_names)} classes of which no image {what}: "
        f"{shown}{hint}"
    )


def _split(
    files: list[_File], classes: int, share: float, seed: int, root: Path
) -> tuple[list[_File], list[_File]]:
    """Takes a share of every class for validation; both sets stay in the order of names."""
    generator = np.random.Generator(np.random.PCG64(seed))
    held_out: set[str] = set()
    for label in range(classes):
        names = [file.name for file in files if file.label == label]
        chosen = generator.permutation(len(names))[: round(len(names) * share)]
        held_out.update(names[i] for i in chosen)
    training = [file for file in files if file.name not in held_out]
    if not held_out or len({file.label for file in training}) < classes:
        raise ValueError(
            f"{root}: validation_split={share} of each class leaves one of the two sets without "
            f"images; there are {len(files)} in {classes} classes"
        )
    return training, [file for file in files if file.name in held_out]


def _decode_all(
    root: Path,
    files: list[_File],
    wanted: ImageFormat,
    writer: RowWriter,
    on_error: str,
    verbose: bool,
) -> dict[str, str]:
    """Writes the pixels of all files in order and returns those left out, with the reasons."""
    from tqdm import tqdm

    broken: dict[str, str] = {}
    first = None
    hidden = None if verbose else True  # None shows it on terminals
    with tqdm(total=len(files), desc="decoding", unit="image", leave=False, disable=hidden) as bar:
        for file, pixels in _decoded(root, files, wanted):
            bar.update()
            if isinstance(pixels, UnreadableImage):
                broken[file.name] = str(pixels)
                continue
            first = first or file
            if writer.row_shape not in (None, pixels.shape):
                raise ValueError(
                    f"{root}: images of different sizes: {first.name} has {_size(writer.row_shape)}"
                    f" pixels, {file.name} has {_size(pixels.shape)}; image_size=(height, width) "
                    f"resizes them"
                )
            writer.write([pixels])
    if broken and (on_error == "raise" or len(broken) == len(files)):
        _report(root, broken, len(files), "raise")
    return broken


def _decoded(
    root: Path, files: list[_File], wanted: ImageFormat
) -> Iterator[tuple[_File, np.ndarray | UnreadableImage]]:
    """Yields pixels, or what is wrong with a file, in the order of the files.

    Pillow decodes and resizes without the GIL. A few tasks are under way at a time, so that no
    more than their pixels are in memory.
    """
    from .. import config

    def decode_some(some: list[_File]) -> list[np.ndarray | UnreadableImage]:
        return [_attempt(root / file.name, wanted) for file in some]

    threads = config.num_threads()
    tasks = [files[i : i + _FILES_AT_ONCE] for i in range(0, len(files), _FILES_AT_ONCE)]
    running: deque[tuple[list[_File], Future[list[np.ndarray | UnreadableImage]]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for task in tasks:
                running.append((task, pool.submit(decode_some, task)))
                if len(running) > 2 * threads:
                    done, future = running.popleft()
                    yield from zip(done, future.result(), strict=True)
            for done, future in running:
                yield from zip(done, future.result(), strict=True)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _attempt(path: Path, wanted: ImageFormat) -> np.ndarray | UnreadableImage:
    try:
        return decode(path, wanted)
    except UnreadableImage as error:
        return error


class BrokenImages(ValueError):
    """Image files of a folder cannot be read.

    Attributes:
        summary: How many, and which.
    """

    def __init__(self, summary: str, remedy: str) -> None:
        super().__init__(f"{summary}; {remedy}")
        self.summary = summary


def _report(root: Path, broken: dict[str, str], total: int, on_error: str) -> None:
    """Raises or warns, with the names of the first broken files."""
    named = "; ".join(f"{name} ({reason})" for name, reason in [*broken.items()][:_NAMED])
    more = f"; and {len(broken) - _NAMED} more" if len(broken) > _NAMED else ""
    message = f"{root}: {len(broken)} of {total} images cannot be read: {named}{more}"
    if len(broken) == total:
        raise ValueError(message)
    if on_error == "raise":
        raise BrokenImages(message, "on_error='skip' leaves them out")
    warn_user(message)


def _images(rows: np.ndarray, files: list[_File], class_names: list[str]) -> Images:
    labels = np.array([file.label for file in files], np.int32)
    return Images(rows, labels, class_names, [file.name for file in files])


def _size(shape: tuple[int, ...] | None) -> str:
    return f"{shape[1]}x{shape[0]}" if shape else "no"
