"""The files of a model in a folder, replaced and read as one.

Files of tensors have a name with their digest, which no other file in the folder has, and
`config.json` names them. So the moment in which `config.json` takes its name is the one in
which the new model takes the place of the old one, whoever reads or writes beside it.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from .files import (
    TEMPORARY,
    Content,
    flush_folder,
    fresh_file,
    made_folder,
    names_beside,
    open_regular,
    remove_abandoned,
    temporary_file,
)
from .strict_json import loads

__all__ = [
    "CONFIG",
    "FORMAT",
    "KINDS",
    "check_replaceable",
    "is_tensors_name",
    "read_config",
    "remove_model",
    "replace_model",
    "tensor_names",
]

CONFIG = "config.json"
FORMAT = "dlnative-model"
KINDS = ("weights", "state")  # of files of tensors, and the entries of `config.json` that name them
_UNIQUE = re.compile(rf"({'|'.join(KINDS)})-[0-9a-f]{{16}}(-[0-9]+)?\.safetensors")
_FORMER = "weights.safetensors"  # in folders of version 1; elsewhere it may be a file of the user's
_NAMED = re.compile(rf'"({"|".join(KINDS)})": *\{{\s*"file": *"([^"]*)"'.encode())
_LONGEST_CONFIG = 2**28  # bytes


def tensor_names(kind: str, digest: str) -> Iterator[str]:
    """Names for a file of tensors of a SHA-256, the usual one first."""
    for suffix in itertools.chain([""], map("-{}".format, itertools.count(2))):
        yield f"{kind}-{digest[:16]}{suffix}.safetensors"


def is_tensors_name(name: str, kind: str | None = None) -> bool:
    """Whether a file of tensors, of any kind or of this one, may have the name."""
    if name == _FORMER:
        return kind in (None, "weights")
    found = _UNIQUE.fullmatch(name)
    return found is not None and kind in (None, found[1])


def replace_model(
    folder: Path,
    tensors: Mapping[str, tuple[Content, str]],
    configuration: Callable[[dict[str, str]], str],
    others: Mapping[str, str],
) -> None:
    """Writes a model to a folder, and removes what it replaces.

    Args:
        folder: The folder, which is made if it does not exist.
        tensors: {kind: (contents, their SHA-256)} of the files of tensors.
        configuration: Returns the text of `config.json` for {kind: name} of these files.
        others: Text of further files by name, each replaced in one step just before.

    Raises:
        OSError: The folder cannot be written, or see `check_replaceable`.
    """
    with made_folder(folder):
        check_replaceable(folder)
        former = _named_files(folder)
        try:
            with contextlib.ExitStack() as stack:
                names = {}
                for kind, (content, digest) in tensors.items():
                    paths = map(folder.joinpath, tensor_names(kind, digest))
                    names[kind] = stack.enter_context(fresh_file(paths, content)).name
                contents = {**others, CONFIG: configuration(names)}
                written = {
                    name: stack.enter_context(temporary_file(names_beside(folder / name), content))
                    for name, content in contents.items()
                }
                flush_folder(folder)
                for name, temporary in written.items():
                    os.replace(temporary, folder / name)
                flush_folder(folder)
        finally:
            # Before the commit that is our own; after it what was replaced. An interruption does
            # not tell which, the configuration does.
            _sweep(folder, former)


def check_replaceable(folder: Path) -> None:
    """Raises FileExistsError where `config.json` is something else's, which would be lost."""
    try:
        found = loads(read_config(folder)[0])
    except (OSError, ValueError):  # none, or a damaged one
        return
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        path = str(folder / CONFIG)
        raise FileExistsError(
            errno.EEXIST, "there already, and not of a dlnative model; choose another folder", path
        )


def remove_model(folder: Path, others: Sequence[str] = ()) -> None:
    """Removes the files of a model, and the folder if nothing else is in it.

    Args:
        folder: The folder; it need not exist.
        others: Names of further files that were written with the model.
    """
    with contextlib.suppress(FileNotFoundError):
        for name in sorted(os.listdir(folder), key=CONFIG.__ne__):  # without it there is no model
            if name == CONFIG or name in others or is_tensors_name(name):
                (folder / name).unlink()
        if not os.listdir(folder):
            folder.rmdir()


def read_config(folder: Path) -> tuple[bytes, tuple[int, ...]]:
    """The contents of `config.json`, and a stamp that no other file of that name has.

    Raises:
        FileNotFoundError: There is no such folder, or no such file.
        ValueError: The file is too long for a configuration.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder")
    path = folder / CONFIG
    try:
        stream = open_regular(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"{folder}: not a saved model, it has no {CONFIG}") from None
    with stream:
        facts = os.fstat(stream.fileno())
        if facts.st_size > _LONGEST_CONFIG:
            raise ValueError(f"{path}: damaged: it is longer than {_LONGEST_CONFIG} bytes")
        content = stream.read()
    return content, (facts.st_ino, facts.st_mtime_ns, facts.st_size)


def _sweep(folder: Path, former: set[str]) -> None:
    """Removes files of tensors that the configuration does not name, and temporary files.

    Args:
        folder: The folder.
        former: The files that it named before, which nobody is about to name again.
    """
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            is_ours = _UNIQUE.fullmatch(name) or TEMPORARY.fullmatch(name)
            if is_ours or (name == _FORMER and name in former):
                is_needed = functools.partial(_is_named, folder, name)
                remove_abandoned(folder / name, is_needed, without_locks=name in former)


def _is_named(folder: Path, name: str) -> bool:
    """Whether the configuration in a folder names a file; if it cannot be read, whether it may."""
    try:
        return f'"{name}"'.encode() in read_config(folder)[0]
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True


def _named_files(folder: Path) -> set[str]:
    """The files of tensors that the configuration in a folder names."""
    try:
        content = read_config(folder)[0]
    except (OSError, ValueError):
        return set()
    return {found[2].decode(errors="replace") for found in _NAMED.finditer(content)}
