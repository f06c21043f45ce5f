"""A trained model as a folder.

`weights-<digest>.safetensors`
    One tensor per variable, named by the way to it through the layers (`dense/kernel`,
    `encoder/dense/kernel` in a nested model).
`config.json`
    Written last; it names the weights it belongs to and has a checksum of both::

        {"format": "dlnative-model", "version": 3, "dlnative": "0.1.0", "sha256": "...",
         "model": {"module": "keras", "class_name": "Sequential", "config": {...}, ...},
         "weights": {"file": "weights-<digest>.safetensors", "sha256": "..."},
         "seeds": {"dropout": 123, ...} or null,
         "classes": [...] or null, "preprocessing": {...} or null, "training": {...} or null}

    The first `sha256` is that of all other entries (`strict_json.digest`). The seeds are those that
    layers have drawn because they were given none; with null they draw others.

Older versions: in 1 and 2 there are no seeds, and the variables of a layer that another layer makes
itself have its name and not that of the attribute (`names.variables_of_version_2`); in 1 there is
no first `sha256`, and the weights are called `weights.safetensors`.

Loading looks the names in `config.json` up among the classes of this package and those that the
caller has registered, and runs nothing else: there is no pickle, no import by name, no expression
to evaluate.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import random
from .._version import __version__
from ..models import Model
from ..variables import without_memory
from .configuration import FORMAT, VERSION, checked, parse, sealed
from .names import named_variables, variables_of_version_2
from .seeds import read_seeds, write_seeds
from .store import CONFIG, is_weights_name, read_config, replace_model, weight_names
from .weights import Weights

__all__ = ["SavedModel", "load", "save"]

_ATTEMPTS = 100  # to read a model that others replace meanwhile
_MOST_CALLS = 100_000  # of layers, in one model; ResNet-110 has 500


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
    preprocessing: dict[str, Any] | None
    training: dict[str, Any] | None


def save(
    model: Any,
    folder: str | os.PathLike[str],
    *,
    classes: list[int] | list[str] | None = None,
    preprocessing: dict[str, Any] | None = None,
    training: dict[str, Any] | None = None,
    files: dict[str, str] | None = None,
) -> None:
    """Writes a model to a folder, which is made if it does not exist.

    The model that is in the folder is replaced in one step: whatever interrupts it (an error, a
    full disk, Ctrl-C, the end of the process), and whoever reads or saves at the same time, the
    folder has the old model or the new one. What an interrupted `save` has left is removed by the
    next.

    Args:
        model: A built `Sequential` or `Model`.
        folder: The folder. Other files in it stay as they are.
        classes: What the outputs of a classifier stand for, in order.
        preprocessing: What is done to data before the model sees it. JSON values only.
        training: With what the model was trained, for people. JSON values only.
        files: Further text files for the same folder, by name. Each is replaced in a step of its
            own.

    Raises:
        ValueError: If two variables have the same name, the configuration is not JSON, or a file
            is called as one of the model's.
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

    files = files or {}
    for name in files:
        if name in ("", "..", CONFIG) or is_weights_name(name) or os.path.basename(name) != name:
            raise ValueError(f"save: expected the name of a further file, received {name!r}")
    architecture = serialize_keras_object(model)
    architecture.pop("compile_config", None)
    weights = to_bytes({name: v.numpy() for name, v in named_variables(model).items()})
    digest = hashlib.sha256(weights).hexdigest()

    config = checked(
        {
            "format": FORMAT,
            "version": VERSION,
            "dlnative": __version__,
            "sha256": None,
            "model": architecture,
            "weights": {"file": next(weight_names(digest)), "sha256": digest},
            "seeds": read_seeds(model),
            "classes": classes,
            "preprocessing": preprocessing,
            "training": training,
        }
    )

    def configuration(name: str) -> str:
        config["weights"]["file"] = name
        return sealed(config)

    replace_model(Path(folder), weights, digest, configuration, files)


def load(folder: str | os.PathLike[str]) -> SavedModel:
    """Reads a model from a folder that `save` wrote.

    The shapes of the weights are compared with those that the layers ask for before memory is
    taken for them, so a damaged or malicious folder costs no more than its files are large. Random
    numbers that are drawn afterwards are those that would be drawn without loading.

    Args:
        folder: The folder.

    Returns:
        The model, with weights, and what was saved beside it.

    Raises:
        FileNotFoundError: If the folder or one of its two files does not exist.
        ValueError: If a file is damaged, was edited, was written by a later version, names a layer
            or model this version does not have, or the two files do not belong together.
        OSError: If a file cannot be read.
    """
    folder = Path(folder)
    path = folder / CONFIG
    config, weights = _open(folder)
    with weights:
        names = named_variables if config["version"] > 2 else variables_of_version_2
        model, variables = _build(config["model"], path, names)
        weights.check_fits(variables)
        if weights.read_into(variables) != config["weights"]["sha256"]:
            raise ValueError(
                f"{weights.path}: damaged, or not the weights that {CONFIG} was written for"
            )
    if config["seeds"] is not None:
        write_seeds(model, config["seeds"], path)
    return SavedModel(model, config["classes"], config["preprocessing"], config["training"])


def _open(folder: Path) -> tuple[dict[str, Any], Weights]:
    """The configuration in a folder, and the weights that it names.

    They are gone if another process has replaced the model since the configuration was read, and
    then there is another configuration.
    """
    content, stamp = read_config(folder)
    for _ in range(_ATTEMPTS):
        config = parse(content, folder / CONFIG)
        name = config["weights"]["file"]
        try:
            return config, Weights(folder / name)
        except (FileNotFoundError, ValueError) as error:
            failure = error
        before = stamp
        content, stamp = read_config(folder)
        if stamp == before:
            break
    if isinstance(failure, FileNotFoundError):
        raise FileNotFoundError(f"{folder}: not a complete model, it has no {name}") from failure
    raise failure


def _build(
    entry: dict[str, Any], path: Path, names: Callable[[Any], dict[str, Any]]
) -> tuple[Any, dict[str, Any]]:
    """The model of a configuration and its variables by name, which have no memory yet."""
    from ..utils.serialization import deserialize_keras_object

    try:
        calls = _count_calls(entry)
        if calls > _MOST_CALLS:
            raise ValueError(f"it has {calls} calls of layers, more than {_MOST_CALLS}")
        with without_memory(), random.separate_stream():
            model = deserialize_keras_object(entry)
        if not isinstance(model, Model):
            raise ValueError(f"expected a model, received {entry.get('class_name')!r}")
        return model, names(model)
    except RecursionError as error:
        raise ValueError(f"{path}: cannot build the model: it is nested too deeply") from error
    except Exception as error:  # a file may ask for anything, and get as far as any line
        reason = str(error) if isinstance(error, ValueError) else repr(error)
        raise ValueError(f"{path}: cannot build the model: {reason:.2000}") from error


def _count_calls(value: Any) -> int:
    """How often layers are called in a configuration, or in a part of one; rather too many.

    Thirty models inside each other, each called twice by the next, would take forever to connect.
    """
    if isinstance(value, list):
        return sum(map(_count_calls, value))
    if not isinstance(value, dict):
        return 0
    own = sum(_count_calls(part) for key, part in value.items() if key != "inbound_nodes")
    nodes = value.get("inbound_nodes")
    times = len(nodes) if isinstance(nodes, list) else 1
    return max(1, times) * max(own, "class_name" in value)
