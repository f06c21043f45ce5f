"""The values of a model's objects in HDF5, in the groups in which Keras has them.

The variables of the object at a path are the arrays `path/vars/0`, `path/vars/1`, ... Where a layer
merges some of them, as Keras does with LoRA, `path/vars:dlnative` has these as they are. Keras does
not look there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np

from ..layers import tracking
from ..numbered_values import load_values, save_values
from ..optimizers import Optimizer
from ..utils.warn import warn_user
from ..variables import Variable
from .hdf5_read import Group, HDF5File
from .hdf5_write import hdf5_bytes
from .object_paths import visit_objects

__all__ = ["SavedObjects", "values_to_hdf5"]

_VARIABLES = "vars"  # the group of an object's own
_MERGED = "vars:dlnative"  # no attribute, whose groups are beside it, has such a name


def values_to_hdf5(model: Any, skipped: Iterable[Any] = ()) -> bytearray:
    """The contents of a file with the values of a model's layers and optimizers.

    Args:
        model: The model.
        skipped: Layers, models and optimizers that are left out.

    Raises:
        TypeError: A layer puts something else than arrays into its store.
        ValueError: A name with "/", or a model nested too deeply.
    """
    tree: dict[str, Any] = {}

    def save(path: str, value: Any) -> bool:
        stores: dict[str, dict[str, Any]] = {_VARIABLES: {}, _MERGED: {}}
        value.save_own_variables(stores[_VARIABLES])
        save_values(_merged(value), stores[_MERGED])
        for last, store in stores.items():
            if store:
                group = tree
                for name in (*filter(None, path.split("/")), last):
                    group = group.setdefault(name, {})
                group.update(store)
        return True

    visit_objects(model, save, skipped)
    return hdf5_bytes(tree)


class SavedObjects:
    """A file with the values of a model's layers and optimizers, open for reading.

    Args:
        stream: The file.
        size: Its size in bytes.

    Raises:
        ValueError: It is not an HDF5 file as Keras writes it.
    """

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._file = HDF5File(stream, size)

    def load(
        self,
        model: Any,
        kinds: Callable[[Any], bool],
        skip_mismatch: bool = False,
        skipped: Iterable[Any] = (),
    ) -> None:
        """Gives a model's objects the values in the file.

        Args:
            model: The model.
            kinds: Whether an object is to be given values, at all.
            skip_mismatch: Whether an object that does not fit stays as it is, with a warning.
            skipped: Layers, models and optimizers that stay as they are.

        Raises:
            ValueError: An object does not fit, and `skip_mismatch` is False.
        """
        failed: dict[int, tuple[Any, Exception]] = {}

        def load(path: str, value: Any) -> bool:
            if not kinds(value):
                return True
            try:
                value.load_own_variables(self._stored(path, _VARIABLES))
                self._load_merged(path, value)
            except Exception as error:
                failed.setdefault(id(value), (value, error))
                return False
            failed.pop(id(value), None)
            return True

        visit_objects(model, load, skipped)
        if failed:
            _, error = next(iter(failed.values()))
            reason = str(error) if isinstance(error, ValueError) else repr(error)
            names = ", ".join(f"'{each.name}'" for each, _ in failed.values())
            message = f"the values of {names:.500} do not fit: {reason}"
            if not skip_mismatch:
                raise ValueError(message) from error
            warn_user(f"{message}. They stay as they are.")

    def _load_merged(self, path: str, value: Any) -> None:
        """Gives a layer what was merged, if the file has it; the sum stands for another rank."""
        variables, stored = _merged(value), self._stored(path, _MERGED)
        if len(stored) != len(variables):
            return
        arrays = {name: stored[name] for name in stored}
        shapes = [getattr(arrays.get(str(i)), "shape", None) for i in range(len(variables))]
        if shapes == [v.shape for v in variables]:
            load_values(variables, arrays)

    def _stored(self, path: str, last: str) -> Stored:
        return Stored(self._file.root.group(f"{path}/{last}" if path else last))


class Stored(Mapping[str, Any]):
    """The arrays of one object by name, each of which is read when it is asked for."""

    def __init__(self, group: Group | None) -> None:
        self._group = group

    def __getitem__(self, name: str) -> np.ndarray:
        if self._group is None or name not in self._group:
            raise KeyError(name)
        return self._group.array(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._group or ())

    def __len__(self) -> int:
        return 0 if self._group is None else len(self._group)


def _merged(value: Any) -> list[Variable]:
    """The variables whose values an object does not save as they are."""
    return value._merged_variables() if tracking.is_layer(value) else []


def is_optimizer(value: Any) -> bool:
    """Whether an object of `SavedObjects.load` is an optimizer, and not a layer."""
    return isinstance(value, Optimizer)
