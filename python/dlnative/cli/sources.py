"""What `--data` names, as arrays."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data import (
    Columns,
    ImageFormat,
    Images,
    Table,
    UnclearTargets,
    decode,
    infer_task,
    read_csv,
)
from .archives import read_archive, read_archive_inputs, suffix_of
from .image_files import read_folder
from .samples import Samples, hold_out
from .task import Classification, Regression, Task

__all__ = ["Source", "read_inputs", "read_samples", "read_source"]

_BUILT_IN = {"digits": 16, "mnist": 255, "cifar10": 255}  # and the largest value of a pixel
_DOWNLOADED = ("mnist", "cifar10")
_VALIDATION = ("validation", "val")  # names of a folder beside train
_SHARE = 0.1  # that becomes the validation set of a source without a test set


@dataclass(frozen=True, eq=False)
class Source:
    """What there is to train on.

    Attributes:
        train: The training set, with targets.
        task: `"classification"` or `"regression"`, said by the user or known for certain.
        validation: The samples to watch while training, if any.
        test: The test set, where the source has one.
        columns: Which columns of a CSV file these are.
        header: The line with the names of the columns, if there is one.
        images: How files become images, for a folder of them.
        pixel_range: The largest value of a pixel, for images in uint8.
    """

    train: Samples
    validation: Samples | None
    task: str
    test: Samples | None = None
    columns: Columns | None = None
    header: int | None = None
    images: ImageFormat | None = None
    pixel_range: int | None = None

    @property
    def targets(self) -> np.ndarray:
        """The targets of the training and the validation samples."""
        parts = [self.train, self.validation]
        return np.concatenate([part.y for part in parts if part is not None])


def read_source(options: argparse.Namespace) -> Source:
    """Reads a training set, and the validation and test sets that go with it.

    Args:
        options: `data`, `data_dir`, `target`, `header`, `task`, the options of images,
            `validation_split`, `seed`.

    Raises:
        ValueError, FileNotFoundError: If the data cannot be read; the message names the file.
    """
    kind = _kind(options)
    if kind == "folder":
        return _read_image_source(options)
    columns = test = pixel_range = header = None
    task = options.task or Classification.kind
    if kind == "csv":
        table = read_csv(options.data, options.target, header=_header(options))
        task = options.task or _infer_task(table.targets, table.where)
        train, columns, header = _samples(table, task), table.columns, table.header
    elif kind in _BUILT_IN:
        train, test = _load_built_in(kind, options.data_dir)
        pixel_range = _BUILT_IN[kind]
    else:
        suffix = suffix_of(options.data, "train")
        train = read_archive(options.data, suffix)
        place = f"{options.data}: 'y{suffix}'"
        task = options.task or _infer_task(
            train.y, lambda row: place if row is None else f"{place}, sample {row}"
        )
        if suffix_of(options.data, "test"):
            test = read_archive(options.data, "_test")
        pixel_range = 255 if train.x.dtype == np.uint8 else None
    train, validation = hold_out(train, _share(options, test is not None), options.seed)
    return Source(
        train, validation, task, test, columns=columns, header=header, pixel_range=pixel_range
    )


def read_samples(options: argparse.Namespace, task: Task) -> Samples:
    """Reads one set with targets, the test set where there are two.

    Args:
        options: `data`, `data_dir`, `header`, and the options of folders of images.
        task: That of the model: it knows the columns of its CSV file and the size of its images.

    Raises:
        ValueError, FileNotFoundError: If the data cannot be read; the message names the file.
    """
    kind = _kind(options)
    if kind == "csv":
        columns = _known(task.columns, options.data)
        return _samples(read_csv(options.data, columns=columns, header=_header(options)), task.kind)
    if kind in _BUILT_IN:
        return _load_built_in(kind, options.data_dir)[1]
    if kind == "folder":
        images = _read_test_images(options, task)
        return Samples(task.take_pixels(images.x), _names(images))
    return read_archive(options.data, suffix_of(options.data, "test"))


def read_inputs(options: argparse.Namespace, task: Task) -> tuple[np.ndarray, list[str] | None]:
    """Reads inputs, which need not have targets, and their files; otherwise as `read_samples`."""
    kind = _kind(options)
    if kind == "csv":
        columns = _known(task.columns, options.data)
        table = read_csv(options.data, columns=columns, with_target=False, header=_header(options))
        return table.features, None
    if kind in _BUILT_IN:
        return _load_built_in(kind, options.data_dir)[1].x, None
    if kind == "folder":
        images = _read_test_images(options, task)
        return task.take_pixels(images.x), images.files
    return read_archive_inputs(options.data, suffix_of(options.data, "test")), None


def _kind(options: argparse.Namespace) -> str:
    """Tells what `--data` names, and refuses options that go with something else."""
    data, suffix = options.data, Path(options.data).suffix.lower()
    if data in _BUILT_IN:
        kind = data
    elif Path(data).is_dir():
        kind = "folder"
    elif suffix in (".csv", ".tsv", ".txt"):
        kind = "csv"
    elif suffix == ".npz":
        kind = "npz"
    else:
        raise ValueError(
            f"--data: expected {', '.join(_BUILT_IN)}, FILE.csv, FILE.npz or a folder of images, "
            f"received {data!r}"
        )
    for name, kinds, what in (
        ("data_dir", _DOWNLOADED, "--data mnist or cifar10"),
        ("target", ("csv",), "a CSV file"),
        ("header", ("csv",), "a CSV file"),
        ("image_size", ("folder",), "a folder of images"),
        ("color_mode", ("folder",), "a folder of images"),
        ("skip_broken", ("folder",), "a folder of images"),
        ("cache_dir", ("folder",), "a folder of images"),
    ):
        if getattr(options, name, None) and kind not in kinds:
            option = name.replace("_", "-")
            raise ValueError(f"--{option} goes with {what}, not with --data {data}")
    return kind


def _share(options: argparse.Namespace, has_test: bool) -> float:
    if options.validation_split is not None:
        return options.validation_split
    return 0.0 if has_test else _SHARE


def _known(columns: Columns | None, data: str) -> Columns:
    if columns is None:
        raise ValueError(f"{data}: the model was trained on arrays, not on a table")
    return columns


def _header(options: argparse.Namespace) -> bool | None:
    return {"yes": True, "no": False}.get(options.header)


def _infer_task(targets: np.ndarray | None, where: Callable[[int | None], str]) -> str:
    assert targets is not None  # read_csv was asked for them
    try:
        return infer_task(targets)
    except UnclearTargets as error:
        raise ValueError(
            f"{where(error.row)}: {error}; --task classification or --task regression decides"
        ) from error


def _samples(table: Table, task: str) -> Samples:
    assert table.targets is not None  # read_csv was asked for them
    if task == Regression.kind:
        return Samples(table.features, table.numeric_targets())
    return Samples(table.features, table.targets)


def _load_built_in(kind: str, data_dir: str | None) -> tuple[Samples, Samples]:
    from ..datasets import cifar10, digits, mnist

    if kind == "digits":
        train, test = digits.load_data()
    elif kind == "mnist":
        train, test = mnist.load_data() if data_dir is None else mnist.load_data(data_dir)
    else:
        sets = cifar10.load_data(data_dir)
        train, test = ((x, decode(y, [*cifar10.CLASS_NAMES])) for x, y in sets)
    return Samples(*train), Samples(*test)


def _read_image_source(options: argparse.Namespace) -> Source:
    """Reads `DIR/<class>/*`, or `DIR/train/<class>/*` and what stands beside it."""
    root = Path(options.data)
    wanted = ImageFormat(options.image_size, options.color_mode or "rgb")
    has_parts = (root / "train").is_dir()
    parts = {name: root / name for name in ("test", *_VALIDATION) if (root / name).is_dir()}
    test = validation = None
    if has_parts and "test" in parts:
        test = _labelled(read_folder(parts["test"], wanted, options))
    for name in _VALIDATION:
        if has_parts and validation is None and name in parts:
            validation = _labelled(read_folder(parts[name], wanted, options))
    share = 0.0 if validation is not None else _share(options, test is not None)
    images = read_folder(
        root / "train" if has_parts else root,
        wanted,
        options,
        validation_split=share,
        seed=options.seed,
    )
    if isinstance(images, Images):
        train = _labelled(images)
    else:
        train, validation = (_labelled(part) for part in images)
    height, width = train.x.shape[1:3]
    exact = ImageFormat((height, width), wanted.color_mode)
    task = options.task or Classification.kind
    return Source(train, validation, task, test, images=exact, pixel_range=255)


def _read_test_images(options: argparse.Namespace, task: Task) -> Images:
    if task.images is None:
        raise ValueError(f"{options.data}: the model was not trained on images")
    root = Path(options.data)
    if (root / "train").is_dir() and (root / "test").is_dir():
        root = root / "test"
    images = read_folder(root, task.images, options)
    assert isinstance(images, Images)  # no split was asked for
    return images


def _labelled(images: Images | tuple[Images, Images]) -> Samples:
    assert isinstance(images, Images)
    return Samples(images.x, _names(images))


def _names(images: Images) -> np.ndarray:
    """The names of the classes, which mean the same in every folder, as numbers do not."""
    return decode(images.y, images.class_names)
