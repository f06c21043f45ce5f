"""A trained model as a folder.

``weights.safetensors``
    One tensor per variable, named by the way to it through the layers (``dense/kernel``,
    ``encoder/dense/kernel`` in a nested model).
``config.json``
    Written last; it names the checksum of the weights it belongs to::

        {"format": "dlnative-model", "version": 1, "dlnative": "0.1.0",
         "model": {"module": "keras", "class_name": "Sequential", "config": {...}, ...},
         "weights": {"file": "weights.safetensors", "sha256": "..."},
         "classes": [...] or null, "preprocessing": {...} or null, "training": {...} or null}

Loading looks the names in ``config.json`` up among the classes of this package and those that the
caller has registered, and runs nothing else: there is no pickle, no import by name, no expression
to evaluate.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .._version import __version__
from .files import replace_together

__all__ = ["SavedModel", "load", "save"]

CONFIG = "config.json"
WEIGHTS = "weights.safetensors"
_FORMAT = "dlnative-model"
_VERSION = 1


@dataclass(frozen=True, eq=False)
class SavedModel:
    """What a folder holds.

    Attributes:
        model: The model with its trained weights, not compiled.
        classes: What the outputs of a classifier stand for, in order, or None.
        preprocessing: What is done to data before the model sees it, or None.
        training: With what the model was trained, or None.
    """

    model: Any
    classes: list[int] | list[str] | None
    preprocessing: dict | None
    training: dict | None


def save(
    model: Any,
    folder: str | os.PathLike[str],
    *,
    classes: list[int] | list[str] | None = None,
    preprocessing: dict | None = None,
    training: dict | None = None,
    files: dict[str, str] | None = None,
) -> None:
    """Writes a model to a folder, which is made if it does not exist.

    All files are on the disk in full before any takes its name, so an interruption leaves what
    was there before.

    Args:
        model: A built ``Sequential`` or ``Model``.
        folder: The folder. Other files in it stay as they are.
        classes: What the outputs of a classifier stand for, in order.
        preprocessing: What is done to data before the model sees it. JSON values only.
        training: With what the model was trained, for people. JSON values only.
        files: Further text files for the same folder, by name.

    Raises:
        ValueError: If two variables have the same name, or the configuration is not JSON.
        OSError: If the folder cannot be written.

    Example:
        >>> import dlnative
        >>> model = dlnative.Sequential([dlnative.Input((4,)), dlnative.layers.Dense(2)])
        >>> save(model, getfixture("tmp_path"), classes=["cat", "dog"])
        >>> load(getfixture("tmp_path")).classes
        ['cat', 'dog']
    """
    from safetensors.numpy import save as to_bytes

    from ..utils.serialization import serialize_keras_object

    architecture = serialize_keras_object(model)
    architecture.pop("compile_config", None)
    weights = to_bytes({name: v.numpy() for name, v in _named_variables(model).items()})
    config = {
        "format": _FORMAT,
        "version": _VERSION,
        "dlnative": __version__,
        "model": architecture,
        "weights": {"file": WEIGHTS, "sha256": hashlib.sha256(weights).hexdigest()},
        "classes": classes,
        "preprocessing": preprocessing,
        "training": training,
    }
    try:
        text = json.dumps(config, indent=2, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise ValueError(f"save: the configuration cannot be written as JSON: {error}") from error
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    replace_together(folder, {**(files or {}), WEIGHTS: weights, CONFIG: text})


def load(folder: str | os.PathLike[str]) -> SavedModel:
    """Reads a model from a folder that `save` wrote.

    Args:
        folder: The folder.

    Returns:
        The model, with weights, and what was saved beside it.

    Raises:
        FileNotFoundError: If the folder or one of its two files does not exist.
        ValueError: If a file is damaged, was written by a later version, names a layer or model
            this version does not have, or the two files do not belong together.
    """
    folder = Path(folder)
    config = _read_config(folder)
    tensors = _read_weights(folder, config["weights"])
    model = _build(config["model"], folder / CONFIG)
    _assign(model, tensors, folder / WEIGHTS)
    return SavedModel(model, config["classes"], config["preprocessing"], config["training"])


def _read_config(folder: Path) -> dict:
    path = folder / CONFIG
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder")
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: not a saved model, it has no {CONFIG}")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: damaged: {error}") from error
    if not isinstance(config, dict) or config.get("format") != _FORMAT:
        raise ValueError(f"{path}: not the configuration of a dlnative model")
    version = config.get("version")
    if not isinstance(version, int) or version < 1:
        raise ValueError(f"{path}: expected a version of at least 1, received {version!r}")
    if version > _VERSION:
        raise ValueError(
            f"{path}: written in version {version} of the format by dlnative "
            f"{config.get('dlnative')}; this is dlnative {__version__}, which reads up to version "
            f"{_VERSION}"
        )
    for key, kinds in _SCHEMA.items():
        if not isinstance(config.get(key), kinds):
            raise ValueError(f"{path}: damaged: {key!r} is missing or of the wrong type")
    return config


_SCHEMA: dict[str, tuple[type, ...]] = {
    "model": (dict,),
    "weights": (dict,),
    "classes": (list, type(None)),
    "preprocessing": (dict, type(None)),
    "training": (dict, type(None)),
}


def _read_weights(folder: Path, entry: dict) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    path = folder / WEIGHTS
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: not a complete model, it has no {WEIGHTS}")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != entry.get("sha256"):
        raise ValueError(f"{path}: damaged, or not the weights that {CONFIG} was written for")
    try:
        return from_bytes(content)
    except SafetensorError as error:
        raise ValueError(f"{path}: not a safetensors file: {error}") from error


def _build(entry: dict, path: Path) -> Any:
    from ..models import Model
    from ..utils.serialization import deserialize_keras_object

    try:
        model = deserialize_keras_object(entry)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise ValueError(f"{path}: cannot build the model: {error}") from error
    if not isinstance(model, Model):
        raise ValueError(f"{path}: expected a model, received {entry.get('class_name')!r}")
    return model


def _named_variables(model: Any) -> dict[str, Any]:
    """Returns a model's variables by names that do not change when it is built anew.

    A variable's path does: it tells where in the process the layer was built, and so may or may
    not begin with the name of the model.
    """
    named: dict[str, Any] = {}
    seen: set[int] = set()

    def visit(layers: list, prefix: str) -> None:
        for layer in layers:
            if hasattr(layer, "layers"):
                visit(layer.layers, f"{prefix}{layer.name}/")
            for variable in layer.variables:
                if id(variable) in seen:  # of a shared layer or a nested model
                    continue
                seen.add(id(variable))
                name = f"{prefix}{layer.name}/{variable.path.rpartition(f'{layer.name}/')[2]}"
                if name in named:
                    raise ValueError(f"two variables of the model are called '{name}'")
                named[name] = variable

    visit(model.layers, "")
    return named


def _assign(model: Any, tensors: dict[str, np.ndarray], path: Path) -> None:
    variables = _named_variables(model)
    for missing in variables.keys() - tensors.keys():
        raise ValueError(f"{path}: lacks the weights of '{missing}'")
    for extra in tensors.keys() - variables.keys():
        raise ValueError(f"{path}: holds weights of '{extra}', which the model does not have")
    for name, variable in variables.items():
        stored = tensors[name]
        expected = (tuple(variable.shape), np.dtype(variable.dtype))
        if (stored.shape, stored.dtype) != expected:
            raise ValueError(
                f"{path}: expected '{name}' of shape {expected[0]} and dtype {expected[1]}, "
                f"received {stored.shape} and {stored.dtype}"
            )
    for name, variable in variables.items():
        variable.assign(tensors[name])
