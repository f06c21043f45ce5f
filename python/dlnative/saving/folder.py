"""A model as a folder, with everything that training goes on from.

`weights-<digest>.safetensors`
    One tensor per variable, named by the way to it through the layers (`dense/kernel`,
    `encoder/dense/kernel` in a nested model), and what layers keep besides (`own_values`).
`state-<digest>.safetensors`
    What else a TrainingState has as arrays: slots and counters of optimizers, sums of metrics,
    multipliers of constraints, states of seed generators.
`config.json`
    Written last; it names the files it belongs to and has a checksum of all of them::

        {"format": "dlnative-model", "version": 4, "dlnative": "0.1.0", "sha256": "...",
         "model": {"module": "keras", "class_name": "Sequential", "config": {...}, ...},
         "compile": {"optimizer": {...}, "loss": ..., "metrics": ..., ...} or null,
         "weights": {"file": "weights-<digest>.safetensors", "sha256": "..."},
         "state": {"file": "state-<digest>.safetensors", "sha256": "...", "values": {...}} or null,
         "seeds": {"dropout": 123, ...} or null,
         "classes": [...] or null, "preprocessing": {...} or null, "training": {...} or null}

    The first `sha256` is that of all other entries (`strict_json.digest`). `compile` is what
    `get_compile_config` returns, the values of `state` are those of a TrainingState (`training`).
    The seeds are those that layers have drawn because they were given none; with null they draw
    others.

Older versions: up to 3 there is no `compile` and no `state`; in 1 and 2 there are no seeds, and the
variables of a layer that another layer makes itself have its name and not that of the attribute
(`names.variables_of_version_2`); in 1 there is no first `sha256`, and the weights are called
`weights.safetensors`.

Loading looks the names in `config.json` up among the classes of this package and those that the
caller has registered, and runs nothing else: there is no pickle, no import by name, no expression
to evaluate.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import random
from .._version import __version__
from ..models.training_state import TrainingState
from ..placement import copies_of, without_memory
from .building import build_model, compile_config_of, record_of_model, refusals
from .configuration import VERSION, checked, parse, sealed
from .names import named_variables, renamed, variables_of_version_2
from .own_values import give_own_values, own_names, own_values
from .seeds import read_seeds, write_seeds
from .store import CONFIG, FORMAT, KINDS, is_tensors_name, read_config, replace_model, tensor_names
from .training import check_state, joined_state, split_state
from .weights import Weights, encode

__all__ = ["SavedModel", "Snapshot", "load", "save", "snapshot"]

_ATTEMPTS = 100  # to read a model that others replace meanwhile


@dataclass(frozen=True, eq=False)
class SavedModel:
    """What a folder holds.

    Attributes:
        model: The model with its trained weights, compiled if it was when it was saved; the next
            `fit` does what that of the saved model would do.
        classes: What the outputs of a classifier stand for, in order, or None.
        preprocessing: What is done to data before the model sees it, or None.
        training: With what the model was trained, or None.
        state: The TrainingState that was saved, or None. The model has it already, but for the
            global random stream and what callbacks remember: `state.put_back(model, callbacks)`.
        version: The version of the format.
        library: The version of dlnative that wrote it.
    """

    model: Any
    classes: list[int] | list[str] | None
    preprocessing: dict[str, Any] | None
    training: dict[str, Any] | None
    state: TrainingState | None = None
    version: int = VERSION
    library: str = __version__


def save(
    model: Any,
    folder: str | os.PathLike[str],
    *,
    classes: list[int] | list[str] | None = None,
    preprocessing: dict[str, Any] | None = None,
    training: dict[str, Any] | None = None,
    files: dict[str, str] | None = None,
    state: TrainingState | None = None,
) -> None:
    """Writes a model to a folder, which is made if it does not exist.

    The model that is in the folder is replaced in one step: whatever interrupts it (an error, a
    full disk, Ctrl-C, the end of the process), and whoever reads or saves at the same time, the
    folder has the old model or the new one. What an interrupted `save` has left is removed by the
    next.

    Args:
        model: A built `Sequential` or `Model`. If it is compiled, so is the one that is loaded. A
            loss, metric or function that has no name to be found by, such as a lambda, is a
            warning, and the model is saved as if it were not compiled.
        folder: The folder. Other files in it stay as they are.
        classes: What the outputs of a classifier stand for, in order.
        preprocessing: What is done to data before the model sees it. JSON values only.
        training: With what the model was trained, for people. JSON values only.
        files: Further text files for the same folder, by name. Each is replaced in a step of its
            own.
        state: What training goes on from; its weights are those that are saved. By default that of
            the model as it stands, if it is compiled.

    Raises:
        ValueError: If two variables have the same name, the configuration is not JSON, the state is
            one of another model, or a file is called as one of the model's.
        OSError: If the folder cannot be written, or has a `config.json` of something else
            (FileExistsError).

    Example:
        >>> import dlnative
        >>> model = dlnative.Sequential([dlnative.Input((4,)), dlnative.layers.Dense(2)])
        >>> save(model, getfixture("tmp_path"), classes=["cat", "dog"])
        >>> load(getfixture("tmp_path")).classes
        ['cat', 'dog']
    """
    snapshot(
        model,
        classes=classes,
        preprocessing=preprocessing,
        training=training,
        files=files,
        state=state,
    ).write(folder)


def snapshot(
    model: Any,
    *,
    classes: list[int] | list[str] | None = None,
    preprocessing: dict[str, Any] | None = None,
    training: dict[str, Any] | None = None,
    files: dict[str, str] | None = None,
    state: TrainingState | None = None,
) -> Snapshot:
    """What `save` writes, copied in memory; the arguments are those of `save`.

    Weights and state are those of a whole step, also while another thread trains the model.

    Raises:
        ValueError: As `save`.
    """
    files = dict(files or {})
    for name in files:
        if name in ("", "..", CONFIG) or is_tensors_name(name) or os.path.basename(name) != name:
            raise ValueError(f"save: expected the name of a further file, received {name!r}")
    if state is None and model.compiled:
        state = TrainingState.of(model)
    tensors, entry = {}, None
    if state is None:
        tensors["weights"] = copies_of(named_variables(model)) | own_values(model)
    else:
        tensors["weights"], tensors["state"], values = split_state(model, state)
        entry = {**_reference("state"), "values": values}
    config = checked(
        {
            "format": FORMAT,
            "version": VERSION,
            "dlnative": __version__,
            "sha256": None,
            "model": record_of_model(model),
            "compile": compile_config_of(model),
            "weights": _reference("weights"),
            "state": entry,
            "seeds": read_seeds(model),
            "classes": classes,
            "preprocessing": preprocessing,
            "training": training,
        }
    )
    return Snapshot(config, tensors, files)


class Snapshot:
    """A model at one moment, to be written by any thread; `snapshot` makes it."""

    def __init__(
        self,
        config: dict[str, Any],
        tensors: dict[str, dict[str, Any]],
        files: dict[str, str],
    ) -> None:
        self._config, self._tensors, self._files = config, tensors, files

    def write(self, folder: str | os.PathLike[str]) -> None:
        """Writes it to a folder as `save` does: digests, files, flushes, and the commit.

        Raises:
            OSError: If the folder cannot be written.
        """
        encoded = {kind: encode(arrays) for kind, arrays in self._tensors.items()}

        def configuration(names: dict[str, str]) -> str:
            config = dict(self._config)
            for kind, name in names.items():
                config[kind] = {**config[kind], "file": name, "sha256": encoded[kind][1]}
            return sealed(config)

        replace_model(Path(folder), encoded, configuration, self._files)


def _reference(kind: str) -> dict[str, str]:
    """The entry of a file of tensors that has not been written yet."""
    return {"file": next(tensor_names(kind, "0" * 64)), "sha256": "0" * 64}


def load(folder: str | os.PathLike[str], compile: bool = True) -> SavedModel:
    """Reads a model from a folder that `save` wrote.

    The shapes of the weights are compared with those that the layers ask for before memory is
    taken for them, so a damaged or malicious folder costs no more than its files are large. Random
    numbers that are drawn afterwards are those that would be drawn without loading.

    Args:
        folder: The folder.
        compile: Whether to compile the model as the saved one was, and to read what training goes
            on from.

    Returns:
        The model, with weights, and what was saved beside it.

    Raises:
        FileNotFoundError: If the folder or one of its files does not exist.
        ValueError: If a file is damaged, was edited, was written by a later version, names a layer,
            model, loss or metric this version does not have, or the files do not belong together.
        OSError: If a file cannot be read.
    """
    folder = Path(folder)
    path = folder / CONFIG
    with contextlib.ExitStack() as stack:
        config, files = _open(folder, KINDS if compile else KINDS[:1])
        for file in files.values():
            stack.enter_context(file)
        names = named_variables if config["version"] > 2 else variables_of_version_2
        stack.enter_context(random.separate_stream())
        with refusals(path, "build the model"):
            model, compilations = build_model(config["model"])
            variables = names(model)
        weights = files["weights"]
        if config["version"] <= 3:
            variables = renamed(variables, weights.entries)
        weights.check_fits(variables, own_names(model, weights.entries))
        own, digest = weights.read(variables=variables)
        _check_digest(weights, digest, config["weights"])
        if config["version"] > 3:
            with refusals(path, "give layers what they have kept"):
                give_own_values(model, own)
        if config["seeds"] is not None:
            write_seeds(model, config["seeds"], path, config["version"])
        if compile and config["compile"] is not None:
            with refusals(path, "compile the model"), without_memory():
                for each, arguments in [*compilations, (model, config["compile"])]:
                    each.compile_from_config(arguments)
        state = _restore(model, files["state"], config["state"], own) if "state" in files else None
    return SavedModel(
        model,
        config["classes"],
        config["preprocessing"],
        config["training"],
        state,
        config["version"],
        str(config.get("dlnative")),
    )


def _restore(
    model: Any, file: Weights, entry: dict[str, Any], own: dict[str, np.ndarray]
) -> TrainingState:
    """The state of a folder, which a compiled model gets."""
    with refusals(file.path, "go on with training"):
        values = check_state(model, file, entry["values"])
    arrays, digest = file.read()
    _check_digest(file, digest, entry)
    state = joined_state(model, arrays, values, own)
    if model.compiled:
        with refusals(file.path, "go on with training"):
            state.put_into(model)
    return state


def _check_digest(file: Weights, digest: str, entry: dict[str, Any]) -> None:
    if digest != entry["sha256"]:
        raise ValueError(
            f"{file.path}: damaged, or not the {entry['file'].partition('-')[0]} that {CONFIG} was "
            "written for"
        )


def _open(folder: Path, kinds: Sequence[str]) -> tuple[dict[str, Any], dict[str, Weights]]:
    """The configuration in a folder, and the files of tensors that it names.

    They are gone if another process has replaced the model since the configuration was read, and
    then there is another configuration.
    """
    content, stamp = read_config(folder)
    for _ in range(_ATTEMPTS):
        config = parse(content, folder / CONFIG)
        named = {kind: config[kind]["file"] for kind in kinds if config[kind] is not None}
        opened: dict[str, Weights] = {}
        try:
            for kind, name in named.items():
                opened[kind] = Weights(folder / name)
            return config, opened
        except (FileNotFoundError, ValueError) as error:
            failure = error
            for file in opened.values():
                file.close()
        before = stamp
        content, stamp = read_config(folder)
        if stamp == before:
            break
    if isinstance(failure, FileNotFoundError):
        raise FileNotFoundError(f"{folder}: not a complete model, it has no {name}") from failure
    raise failure
