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

import datetime
import io
import zipfile
from pathlib import Path
from typing import Any

from .. import random
from .._version import __version__
from .building import build_model, refusals
from .files import open_regular
from .object_values import SavedObjects, is_optimizer, values_to_hdf5
from .output import atomic_write
from .seeds import is_seeds, read_seeds, write_seeds
from .strict_json import dumps, loads

__all__ = ["VALUES", "load_keras_file", "read_member", "save_keras_file"]

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
    from ..utils.serialization import WholeModel, serialize_keras_object

    with WholeModel() as whole:
        record = whole.without_single_numbers(serialize_keras_object(model))
    now = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    metadata = {
        "keras_version": _KERAS_VERSION,
        "date_saved": now,
        "dlnative": {"version": __version__, "seeds": read_seeds(model)},
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
    from ..utils.serialization import WholeModel

    with open_regular(path) as stream, refusals(path, "read it as a Keras file"):
        members = _members(stream)
        config = loads(read_member(stream, _CONFIG))
        content = read_member(stream, VALUES)
        own = _own_metadata(read_member(stream, _METADATA)) if _METADATA in members else None
    if not isinstance(config, dict):
        raise ValueError(f"{path}: damaged: {_CONFIG} is not an object")
    with WholeModel(is_of_keras=own is None) as whole:
        with refusals(path, "build the model"), random.separate_stream():
            model = build_model(config)
        with refusals(path, "read the weights"):
            saved = SavedObjects(io.BytesIO(content), len(content))
            saved.load(model, lambda value: not is_optimizer(value))
            _check_values(model)
            if own is not None:
                write_seeds(model, own["seeds"], path)
        if compile:
            with refusals(path, "compile the model"):
                for each, arguments in whole.compile_configs:
                    each.compile_from_config(arguments)
    with refusals(path, "read the state of the optimizer"):
        saved.load(model, is_optimizer)
    return model


def read_member(stream: Any, name: str) -> bytes:
    """The content of a member of an archive.

    Nothing is expanded before it is known that the size is in proportion to that of the file.

    Raises:
        ValueError: It is not there, or too large for what it is compressed to.
        zipfile.BadZipFile: It is damaged.
    """
    with zipfile.ZipFile(stream) as archive:
        info = _members(stream).get(name)
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


def _members(stream: Any) -> dict[str, zipfile.ZipInfo]:
    with zipfile.ZipFile(stream) as archive:
        infos = archive.infolist()
    if len(infos) > _MOST_MEMBERS:
        raise ValueError(f"it has {len(infos)} members, more than {_MOST_MEMBERS}")
    members = {info.filename: info for info in infos}
    if len(members) < len(infos):
        raise ValueError("two of its members have the same name")
    return members


def _own_metadata(content: bytes) -> dict[str, Any] | None:
    """What stands under "dlnative" in `metadata.json`; None where Keras has written it."""
    metadata = loads(content)
    own = metadata.get("dlnative") if isinstance(metadata, dict) else None
    if own is not None and not (isinstance(own, dict) and is_seeds(own.get("seeds"))):
        raise ValueError(f"{_METADATA} has no seeds under 'dlnative'")
    return own


def _check_values(model: Any) -> None:
    """Raises ValueError where a layer has not given a variable a value."""
    for variable in model.variables:
        if not variable.array.flags.writeable:
            raise ValueError(f"it has no values for '{variable.path}'")
