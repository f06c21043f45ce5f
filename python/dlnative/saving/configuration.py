"""`config.json`: what it must have, and its checksum."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from .._version import __version__
from .seeds import is_seeds
from .store import FORMAT, is_tensors_name
from .strict_json import digest, dumps, loads

__all__ = ["VERSION", "checked", "parse", "sealed"]

VERSION = 4
_SHA256 = re.compile("[0-9a-f]{64}")


def checked(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration as it is read again.

    Raises:
        ValueError: It is not JSON, or an entry is not of the type it must have.
    """
    try:
        read = loads(dumps(config).encode())
        _check_entries(read)
    except ValueError as error:
        raise ValueError(f"save: the configuration {error}") from error
    return read


def sealed(config: dict[str, Any]) -> str:
    """The text of `config.json`: a configuration with the checksum of its other entries."""
    return json.dumps({**config, "sha256": _digest(config)}, indent=2) + "\n"


def parse(content: bytes, path: Path) -> dict[str, Any]:
    """The configuration in a file.

    Args:
        content: What the file holds.
        path: The file, for messages.

    Raises:
        ValueError: It is damaged, was edited, or is of a later version.
    """
    try:
        config = loads(content)
    except ValueError as error:
        raise ValueError(f"{path}: damaged: {error}") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise ValueError(f"{path}: not the configuration of a dlnative model")
    version = config.get("version")
    if type(version) is not int or version < 1:
        raise ValueError(f"{path}: expected a version of at least 1, received {version!r}")
    if version > VERSION:
        raise ValueError(
            f"{path}: written in version {version} of the format by dlnative "
            f"{config.get('dlnative')}; this is dlnative {__version__}, which reads up to version "
            f"{VERSION}"
        )
    if "sha256" in config and config["sha256"] != _digest(config):
        raise ValueError(
            f"{path}: damaged or edited: its entries do not have the SHA-256 that it gives. If you "
            'have edited it, remove its first entry "sha256": then it is read as it is'
        )
    for key, since in _SINCE.items():
        if version < since:
            config.setdefault(key, None)
    try:
        _check_entries(config)
    except ValueError as error:
        raise ValueError(f"{path}: damaged: it {error}") from error
    return config


def _digest(config: dict[str, Any]) -> str:
    return digest({key: value for key, value in config.items() if key != "sha256"})


def _check_entries(config: dict[str, Any]) -> None:
    """Raises ValueError where an entry is not of the type it must have."""
    for key, (expected, is_right) in _ENTRIES.items():
        if key not in config:
            raise ValueError(f"has no entry {key!r}")
        if not is_right(config[key]):
            raise ValueError(f"expects {key!r} to be {expected}, received {_short(config[key])}")
    for key in config.keys() - _ENTRIES.keys() - _FIRST:
        raise ValueError(f"has an entry {_short(key)}, which is not known")


def _is_file(kind: str, value: Any) -> bool:
    names = ("file", "sha256")
    if not isinstance(value, dict) or not all(isinstance(value.get(n), str) for n in names):
        return False
    return is_tensors_name(value["file"], kind) and bool(_SHA256.fullmatch(value["sha256"]))


def _is_state(value: Any) -> bool:
    return value is None or (_is_file("state", value) and isinstance(value.get("values"), dict))


def _is_classes(value: Any) -> bool:
    if not isinstance(value, list):
        return value is None
    return any(all(type(each) is kind for each in value) for kind in (int, str))


def _is_object_or_null(value: Any) -> bool:
    return value is None or isinstance(value, dict)


_SINCE = {"seeds": 3, "compile": 4, "state": 4}  # versions in which entries came up
_FIRST = {"format", "version", "dlnative", "sha256"}  # entries that are checked before
_ENTRIES = {
    "model": ("an object", lambda value: isinstance(value, dict)),
    "compile": ("an object or null", _is_object_or_null),
    "weights": (
        "the name and the SHA-256 of a file of weights",
        lambda value: _is_file("weights", value),
    ),
    "state": ("the name and the SHA-256 of a file, and values, or null", _is_state),
    "seeds": ("the seeds of layers, or null", lambda value: value is None or is_seeds(value)),
    "classes": ("a list of integers or of strings, or null", _is_classes),
    "preprocessing": ("an object or null", _is_object_or_null),
    "training": ("an object or null", _is_object_or_null),
}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
