"""Keras 3's own model files: a zip archive with

`config.json`
    What `serialize_keras_object` returns of the model, `compile_config` included.
`model.weights.h5`
    The values of layers and optimizers, see `object_values`.
`metadata.json`
    The version of Keras whose format it is, and the date. Here also, under "dlnative", the seeds
    that layers have drawn because they were given none (`seeds.read_seeds`), which Keras does not
    keep.

Names in `config.json` are looked up among the classes of this package and those that the caller has
registered; code that Keras has put there for a lambda is not run.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .. import random
from .._version import __version__
from ..models.compiling import unprepared
from .building import build_model, compile_config_of, record_of_model, refusals
from .files import open_regular
from .object_values import SavedObjects, is_optimizer, values_to_hdf5
from .output import atomic_write
from .seeds import is_seeds, read_seeds, write_seeds
from .strict_json import dumps, loads
from .training import apply_settings, settings_of

__all__ = ["VALUES", "is_keras_folder", "load_keras_file", "opened", "save_keras_file"]

VALUES = "model.weights.h5"
_CONFIG, _METADATA = "config.json", "metadata.json"
_KERAS_VERSION = "3.15.1"  # whose files these are
_MOST_MEMBERS = 10_000
_LARGEST_RATIO = 100  # of a member's size to what it is compressed to; Keras compresses nothing
_SLACK = 1 << 20  # bytes that any member may have


def save_keras_file(model: Any, path: Path) -> None:
    """Writes a model; see `public.save_model`.

    Raises:
        ValueError: The configuration is not JSON.
        OSError: The file cannot be written.
    """
    record = record_of_model(model)
    compiled = compile_config_of(model)
    if compiled is not None:
        record["compile_config"] = compiled
    now = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    metadata = {
        "keras_version": _KERAS_VERSION,
        "date_saved": now,
        "dlnative": {
            "version": __version__,
            "seeds": read_seeds(model),
            "settings": settings_of(model),
        },
    }
    try:
        members = {_METADATA: dumps(metadata).encode(), _CONFIG: dumps(record).encode()}
    except ValueError as error:
        raise ValueError(f"save_model: the configuration {error}") from error
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as stack:
        for name, content in members.items():
            stack.writestr(name, content)
        with stack.open(VALUES, "w", force_zip64=True) as member:
            member.write(values_to_hdf5(model))
    atomic_write(path, archive.getbuffer())


def load_keras_file(path: Path, compile: bool) -> Any:
    """Reads a model; see `public.load_model`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, or names something that is not known.
    """
    with opened(path) as read:
        texts = [read(name) for name in (_CONFIG, _METADATA)]
        content = read(VALUES)
    with refusals(path, "read its configuration"):
        config, metadata = map(loads, texts)
        seeds, settings = _own(metadata)
    if not isinstance(config, dict):
        raise ValueError(f"{path}: damaged: {_CONFIG} is not an object")
    with refusals(path, "build the model"), random.separate_stream():
        model, compilations = build_model(config, is_of_keras=seeds is None)
    with refusals(path, "read the weights"):
        saved = SavedObjects(io.BytesIO(content), len(content))
        saved.load(model, lambda value: not is_optimizer(value))
        _check_values(model)
        if seeds is not None:
            write_seeds(model, seeds, path)
    if settings is not None:  # before an optimizer makes slots of what is not frozen
        with refusals(path, "read what was set"):
            apply_settings(model, settings)
    if compile:
        told = contextlib.nullcontext() if settings is None else unprepared(model)
        with refusals(path, "compile the model"), told:
            for each, arguments in compilations:
                each.compile_from_config(arguments)
    if settings is not None and model.compiled:  # now also what the optimizer was told
        with refusals(path, "read what was set"):
            apply_settings(model, settings)
    with refusals(path, "read the state of the optimizer"):
        saved.load(model, is_optimizer)
    return model


def is_keras_folder(path: Path) -> bool:
    """Whether a folder has what is in a file otherwise, as Keras writes it with `zipped=False`."""
    return (path / VALUES).is_file()


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Callable[[str], bytes]]:
    """A `with` block with a function from the name of a member to its content.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no archive that Keras would write, or is damaged.
    """
    if path.is_dir():
        yield lambda name: _read_file(path / name)
        return
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(open_regular(path))
        stack.enter_context(refusals(path, "read it as a Keras file"))
        archive = stack.enter_context(zipfile.ZipFile(stream))
        members = _members(archive)
        yield lambda name: _read_member(archive, members, name)


def _read_file(path: Path) -> bytes:
    with open_regular(path) as stream:
        return stream.read()


def _read_member(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], name: str) -> bytes:
    """The content of a member of an archive.

    Nothing is expanded before it is known that the size is in proportion to that of the file.
    """
    info = members.get(name)
    if info is None:
        raise ValueError(f"it has no {name}")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is compressed by method {info.compress_type}")
    if info.file_size > _SLACK + _LARGEST_RATIO * info.compress_size:
        raise ValueError(
            f"{name} announces {info.file_size} bytes, which {info.compress_size} bytes are "
            "not believed"
        )
    with archive.open(info) as member:
        content = member.read(info.file_size)
        if len(content) != info.file_size or member.read(1):
            raise ValueError(f"{name} has not the {info.file_size} bytes that it announces")
        return content


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > _MOST_MEMBERS:
        raise ValueError(f"it has {len(infos)} members, more than {_MOST_MEMBERS}")
    members = {info.filename: info for info in infos}
    if len(members) < len(infos):
        raise ValueError("two of its members have the same name")
    return members


def _own(metadata: Any) -> tuple[dict[str, Any] | None, Any]:
    """(seeds, settings) of our own in `metadata.json`; None where Keras has written it."""
    own = metadata.get("dlnative") if isinstance(metadata, dict) else None
    if own is None:
        return None, None
    if not isinstance(own, dict) or not is_seeds(own.get("seeds")):
        raise ValueError(f"{_METADATA} has no seeds under 'dlnative'")
    return own["seeds"], own.get("settings")


def _check_values(model: Any) -> None:
    """Raises ValueError where a layer has not given a variable a value."""
    for variable in model.variables:
        if not variable.array.flags.writeable:
            raise ValueError(f"it has no values for '{variable.path}'")
