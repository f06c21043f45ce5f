"""`dlnative info MODEL`: what the folder of a saved model holds."""

from __future__ import annotations

import argparse
import json
import math
import os
from pathlib import Path
from typing import Any

from ..saving import SavedModel, load

__all__ = ["run"]

_SHOWN = 10  # classes


def run(options: argparse.Namespace) -> None:
    """Prints a table of the layers and what training goes on from, or JSON with `--json`."""
    saved = load(options.folder)
    facts = _collect(saved, Path(options.folder))
    if options.json:
        print(json.dumps(facts, indent=2))
        return
    saved.model.summary()
    for name, value in facts.items():
        if value is not None and name in _SHOWN_AS:
            print(f"{name.replace('_', ' '):14} {_SHOWN_AS[name](value)}")


def _collect(saved: SavedModel, folder: Path) -> dict[str, Any]:
    model = saved.model
    compiled = model.get_compile_config()
    position = {} if saved.state is None else saved.state.values["training"] or {}
    optimizer = model.optimizer if model.compiled else None
    return {
        "folder": str(folder),
        "written_by": {"dlnative": saved.library, "version": saved.version},
        "files": _sizes(folder),
        "model": {"name": model.name, "class": type(model).__name__},
        "parameters": {
            "total": model.count_params(),
            "trainable": sum(math.prod(v.shape) for v in model.trainable_variables),
        },
        "compiled": compiled,
        "epochs": position.get("epochs"),
        "steps": None if optimizer is None else int(optimizer._iterations),
        "learning_rate": None if optimizer is None else float(optimizer.learning_rate),
        "classes": saved.classes,
        "training": saved.training,
    }


def _sizes(folder: Path) -> dict[str, int]:
    """{name: bytes} of the files in a folder, without those in folders there."""
    with os.scandir(folder) as entries:
        return {e.name: e.stat().st_size for e in sorted(entries, key=_name) if e.is_file()}


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _compiled(config: dict[str, Any]) -> str:
    parts = [_short(config["optimizer"])]
    for key in ("loss", "loss_weights", "metrics", "weighted_metrics", "inequality", "equality"):
        if config.get(key) is not None:
            parts.append(f"{key} {_short(config[key])}")
    return ", ".join(parts)


def _short(value: Any) -> str:
    """A configuration as a few words: the names of classes and functions."""
    if isinstance(value, dict):
        if value.get("class_name") == "function":
            return str(value["config"])
        if "class_name" in value:
            return str(value["class_name"])
        return "{" + ", ".join(f"{key}: {_short(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_short, value)) + "]"
    return str(value)


def _classes(classes: list[Any]) -> str:
    more = ", ..." if len(classes) > _SHOWN else ""
    return f"{len(classes)}: {', '.join(map(str, classes[:_SHOWN]))}{more}"


def _bytes(count: int) -> str:
    for unit, size in (("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


_SHOWN_AS: dict[str, Any] = {
    "written_by": lambda w: f"dlnative {w['dlnative']}, version {w['version']} of the format",
    "files": lambda files: ", ".join(f"{name} {_bytes(size)}" for name, size in files.items()),
    "compiled": _compiled,
    "epochs": str,
    "steps": str,
    "learning_rate": "{:g}".format,
    "classes": _classes,
    "training": lambda given: ", ".join(
        f"{key} {value}" for key, value in given.items() if value is not None
    ),
}
