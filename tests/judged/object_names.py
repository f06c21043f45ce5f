"""The names of Keras beside `ops`, from object_names.tsv, and how their arguments differ."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from cases import FOLDER

# Arguments of every layer, which a class may take by **kwargs.
_OF_EVERY_LAYER = frozenset(("activity_regularizer", "trainable", "dtype", "autocast", "name"))

# Names whose arguments differ, and why.
DIFFERS: dict[str, str] = {
    "Variable": "no `layout`, as there is one device; `path`, `regularizer` and `constraint` are "
    "keywords",
    "KerasTensor": "dense tensors only",
    "callbacks.BackupAndRestore": "`seconds` is new",
    "callbacks.ModelCheckpoint": "`keep` and `seconds` are new",
    "layers.AutoContrast": "`data_format` by name",
    "layers.LayerNormalization": "`rms_scaling` as in Keras's configurations",
    "layers.RandomCrop": "`padding` and `padding_mode` are new",
    "layers.Solarization": "`data_format` by name",
    "utils.deserialize_keras_object": "`module_objects` is one of them",
}


def object_names() -> list[str]:
    """Dotted names below `keras`, such as "layers.Dense" and "Model"."""
    lines = (FOLDER / "object_names.tsv").read_text().splitlines()[1:]
    return [".".join(part for part in line.split("\t") if part != ".") for line in lines]


def find_object(package: Any, name: str) -> Any:
    """What has a name in `package` (keras or dlnative).

    Raises:
        AttributeError: There is none.
    """
    found = package
    for part in name.split("."):
        if inspect.ismodule(found) and not hasattr(found, part):
            try:
                found = importlib.import_module(f"{found.__name__}.{part}")
            except ImportError:
                raise AttributeError(name) from None
        else:
            found = getattr(found, part)
    return found


def arguments(value: Any) -> dict[str, Any] | None:
    """{name: default} of a function's or constructor's arguments, without those of every layer.

    None where there are none, as for constants and modules.
    """
    if not callable(value):
        return None
    function = value.__init__ if inspect.isclass(value) else value
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    found = {
        p.name: None if p.default is p.empty else repr(_plain(p.default))
        for p in parameters[1 if inspect.isclass(value) else 0 :]
        if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    }
    return {name: default for name, default in found.items() if name not in _OF_EVERY_LAYER}


def _plain(default: Any) -> Any:
    """A default; (1, 1) where a size for all axes means the same."""
    return default[0] if isinstance(default, tuple) and len(set(default)) == 1 else default
