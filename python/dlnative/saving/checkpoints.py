"""Checkpoints of a training run: a folder with the newest few, each one file.

`checkpoint-<number>-<digest>.safetensors`
    The arrays of a `TrainingState`, and in the header's `__metadata__`::

        {"format": "dlnative-checkpoint", "version": "1", "dlnative": "0.1.0", "state": "{...}"}

    `state` is the JSON of its plain values; the digest is the begin of that of `weights.BlockSums`
    over the file.

A file is written under another name, flushed, and then takes its name in one step. The oldest goes
afterwards or, where several are kept, becomes the new one. So however a process ends there is a
whole checkpoint, and what the disk has damaged since is detected by the digest.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._version import __version__
from ..utils.warn import warn_user
from .files import (
    TEMPORARY,
    flush_folder,
    held_lock,
    names_beside,
    remove_abandoned,
)
from .weights import BlockSums, Weights, encode

__all__ = ["CheckpointFolder"]

FORMAT = "dlnative-checkpoint"
VERSION = 1
LOCK = "checkpoints.lock"
_NAME = re.compile(r"checkpoint-([0-9]{8,})-([0-9a-f]{16})\.safetensors")
_PACKED = {"base64", "dtype", "shape"}  # an array among plain values, as callbacks have them


class CheckpointFolder:
    """The checkpoints of one run, as a context in which no other process writes them.

    Args:
        path: The folder, which is made if it does not exist. Other files in it stay as they are.
        keep: How many of the newest checkpoints stay.

    Raises:
        NotADirectoryError: By `with`: the path is a file.
        PermissionError: The folder cannot be written.
        BlockingIOError: Another process trains with it.
    """

    def __init__(self, path: str | os.PathLike[str], keep: int = 2) -> None:
        self.path = Path(path)
        self.keep = keep
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> CheckpointFolder:
        if self.path.exists() and not self.path.is_dir():
            raise NotADirectoryError(
                errno.ENOTDIR, "expected a folder for checkpoints, received a file", str(self.path)
            )
        self.path.mkdir(parents=True, exist_ok=True)
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "no permission to write there", str(self.path))
        self._stack.enter_context(held_lock(self.path / LOCK))
        self._sweep()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    @property
    def number(self) -> int:
        """Number of the newest checkpoint, from 1; 0 where there is none."""
        return max((number for number, _ in self._files()), default=0)

    def newest(self) -> Iterator[tuple[dict[str, np.ndarray], dict[str, Any]]]:
        """(arrays, plain values) of each whole checkpoint, the newest first.

        Warns of those that are damaged.

        Raises:
            ValueError: A checkpoint is of a later version of this package.
        """
        for _, path in reversed(self._files()):
            try:
                found = _read(path)
            except _LaterVersion as error:
                raise ValueError(str(error)) from None
            except (OSError, ValueError) as error:
                warn_user(f"{path}: not a whole checkpoint, an older one is used: {error}")
                continue
            yield found

    def write(self, arrays: dict[str, np.ndarray], values: dict[str, Any]) -> None:
        """Adds a checkpoint, and removes those that are too many.

        Raises:
            OSError: It could not be written; the others stay.
        """
        files, number = self._files(), self.number + 1
        arrays = dict(arrays)
        metadata = {
            "format": FORMAT,
            "version": str(VERSION),
            "dlnative": __version__,
            "state": json.dumps(_without_arrays(values, arrays)),
        }
        parts, digest = encode(arrays, metadata, BlockSums)
        path = self.path / f"checkpoint-{number:08d}-{digest[:16]}.safetensors"
        temporary = next(names_beside(path))
        # Pages that the system has for a file cost a tenth of new ones: the oldest is overwritten.
        is_reused = 1 < self.keep <= len(files)
        if is_reused:
            os.replace(files.pop(0)[1], temporary)
        try:
            with open(temporary, "r+b" if is_reused else "xb", buffering=0) as stream:
                _write(stream, parts)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        flush_folder(self.path)
        for _, old in files[: len(files) + 1 - self.keep]:
            with contextlib.suppress(OSError):
                old.unlink()

    def clear(self) -> None:
        """Removes all checkpoints, and the folder if nothing else is in it."""
        for _, path in self._files():
            path.unlink(missing_ok=True)
        self._stack.close()
        (self.path / LOCK).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not empty
            self.path.rmdir()

    def _files(self) -> list[tuple[int, Path]]:
        """(number, path) of each checkpoint, in their order."""
        found = map(_NAME.fullmatch, os.listdir(self.path))
        return sorted((int(match[1]), self.path / match[0]) for match in found if match)

    def _sweep(self) -> None:
        """Removes what writers that were killed have left."""
        for name in os.listdir(self.path):
            if TEMPORARY.fullmatch(name) and name.startswith(".checkpoint-"):
                remove_abandoned(self.path / name, lambda: False, without_locks=False)


def _write(stream: Any, parts: Sequence[Any]) -> None:
    """Makes a file, which may be longer, consist of these parts, on the disk."""
    for part in parts:
        left = memoryview(part)
        while left:
            left = left[stream.write(left) :]
    stream.truncate()
    os.fsync(stream.fileno())


class _LaterVersion(Exception):
    """A checkpoint that this version cannot read."""


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    with Weights(path) as file:
        metadata = file.metadata
        arrays, digest = file.read(BlockSums)
    if f"-{digest[:16]}." not in path.name:
        raise ValueError("damaged: its digest is not the one in its name")
    if metadata.get("format") != FORMAT:
        raise ValueError("it is none")
    if int(metadata["version"]) > VERSION:
        raise _LaterVersion(
            f"{path}: written in version {metadata['version']} of the format by dlnative "
            f"{metadata['dlnative']}; this is dlnative {__version__}, which reads up to version "
            f"{VERSION}"
        )
    return arrays, _with_arrays(json.loads(metadata["state"]), arrays)


def _without_arrays(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Plain values whose arrays, as callbacks pack them, are put among the others."""
    if isinstance(value, list):
        return [_without_arrays(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == _PACKED:
        name = f"values/{len(arrays)}"
        arrays[name] = np.frombuffer(base64.b64decode(value["base64"]), np.uint8)
        return {"array": name, "dtype": value["dtype"], "shape": value["shape"]}
    return {key: _without_arrays(item, arrays) for key, item in value.items()}


def _with_arrays(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """The inverse of `_without_arrays`, which takes its arrays away again."""
    if isinstance(value, list):
        return [_with_arrays(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"array", "dtype", "shape"}:
        content = base64.b64encode(arrays.pop(value["array"]).tobytes()).decode()
        return {"base64": content, "dtype": value["dtype"], "shape": value["shape"]}
    return {key: _with_arrays(item, arrays) for key, item in value.items()}
