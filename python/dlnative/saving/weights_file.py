"""The weights of a model in one file: in Keras's HDF5, or in safetensors."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..layers import tracking
from ..utils import overrides
from ..utils.warn import warn_user
from .building import refusals
from .files import open_regular
from .keras_file import VALUES, opened
from .names import named_variables, renamed
from .object_paths import visit_objects
from .object_values import SavedObjects, values_to_hdf5
from .output import atomic_write
from .weights import Weights

__all__ = ["check_built", "reader_of", "writer_of"]

_HDF5, _SAFETENSORS = ".weights.h5", ".safetensors"


def check_built(model: Any, what: str) -> None:
    """Raises ValueError where a model has no weights yet."""
    if not model.built:
        raise ValueError(
            f"{what}: the model '{model.name}' is not built yet. Call it on data or build(...) "
            "first"
        )


def writer_of(path: Path) -> Callable[[Any, Path, Sequence[Any]], None]:
    """The function that writes weights to files of this suffix.

    Raises:
        ValueError: There is none.
    """
    if path.name.endswith(_HDF5):
        return _save_hdf5
    if path.suffix == _SAFETENSORS:
        return _save_safetensors
    raise ValueError(
        f"save_weights: expected a path that ends in {_HDF5!r} or {_SAFETENSORS!r}, received "
        f"{str(path)!r}"
    )


def reader_of(path: Path) -> Callable[[Any, Path, bool, Sequence[Any]], None]:
    """The function that reads weights from files of this suffix.

    Raises:
        ValueError: There is none.
    """
    if path.name.endswith(_HDF5) or path.suffix == ".keras":
        return _load_hdf5
    if path.suffix == _SAFETENSORS:
        return _load_safetensors
    legacy = path.suffix in (".h5", ".hdf5")
    raise ValueError(
        f"load_weights: expected a path that ends in {_HDF5!r}, {_SAFETENSORS!r} or '.keras', "
        f"received {str(path)!r}"
        + (". Load weights of Keras 2 with Keras, and save them under such a name" * legacy)
    )


def _save_hdf5(model: Any, path: Path, skipped: Sequence[Any]) -> None:
    atomic_write(path, memoryview(values_to_hdf5(model, skipped)))


def _save_safetensors(model: Any, path: Path, skipped: Sequence[Any]) -> None:
    from safetensors.numpy import save as to_bytes

    named = _without(_named(model), skipped)
    atomic_write(path, to_bytes({name: variable.numpy() for name, variable in named.items()}))


def _load_hdf5(model: Any, path: Path, skip_mismatch: bool, skipped: Sequence[Any]) -> None:
    before = _values(model)
    with contextlib.ExitStack() as stack:
        if path.suffix == ".keras":
            with opened(path) as read:
                stream: BinaryIO = io.BytesIO(read(VALUES))
        else:
            stream = stack.enter_context(open_regular(path))
        stack.enter_context(refusals(path, "read the weights"))
        saved = SavedObjects(stream, stream.seek(0, os.SEEK_END))
        try:
            saved.load(model, lambda value: True, skip_mismatch, skipped)
        except BaseException:
            for variable, value in before:
                variable.write(value)
            raise


def _load_safetensors(model: Any, path: Path, skip_mismatch: bool, skipped: Sequence[Any]) -> None:
    named = _named(model)
    with Weights(path) as weights:
        if not named.keys() <= weights.entries.keys():
            named = renamed(named, weights.entries)
        wanted = _without(named, skipped)
        if skip_mismatch:
            unfit = [name for name, v in wanted.items() if not weights.fits(name, v)]
            if unfit:
                warn_user(f"{path}: {', '.join(unfit):.500} do not fit and stay as they are")
            wanted = {name: v for name, v in wanted.items() if name not in unfit}
        else:
            weights.check_fits(wanted, named.keys() - wanted.keys())
        before = [(variable, variable.numpy()) for variable in wanted.values()]
        try:
            arrays, _ = weights.read()
            for name, variable in wanted.items():
                variable.write(arrays[name])
        except BaseException:
            for variable, value in before:
                variable.write(value)
            raise


def _named(model: Any) -> dict[str, Any]:
    """The variables by name; NotImplementedError where a layer has more to save than these."""
    for layer in tracking.all_layers(model):
        overrides.refuse_overrides(layer, overrides.NAMED_VARIABLES)
    return named_variables(model)


def _without(named: dict[str, Any], skipped: Sequence[Any]) -> dict[str, Any]:
    left = {id(v) for each in skipped for v in getattr(each, "variables", ())}
    return {name: variable for name, variable in named.items() if id(variable) not in left}


def _values(model: Any) -> list[tuple[Any, np.ndarray]]:
    """Copies of everything that loading may change."""
    found: dict[int, tuple[Any, np.ndarray]] = {}

    def note(path: str, value: Any) -> bool:
        own = tracking.own_variables(value) if tracking.is_layer(value) else value.variables
        found.update((id(variable), (variable, variable.numpy())) for variable in own)
        return True

    visit_objects(model, note)
    return list(found.values())
