"""Models and weights in files: which format a path stands for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["load_model", "load_weights", "save_model", "save_weights"]

_LEGACY = (".h5", ".hdf5")
_PathLike = str | os.PathLike[str]


def save_model(
    model: Any, filepath: _PathLike, overwrite: bool = True, zipped: bool | None = None
) -> None:
    """Writes a model: its configuration, weights, and how it was compiled.

    The file that was there is replaced in one step: whatever interrupts it, the old model or the
    new one is there in full.

    Args:
        model: The model.
        filepath: A path that ends in ".keras" is a file of Keras 3, which Keras loads, too. One
            without a suffix is a folder in the format of this package (see docs/models.md).
        overwrite: Whether what is there may be replaced.
        zipped: None, or True for a ".keras" file.

    Raises:
        FileExistsError: There is something, and `overwrite` is False.
        ValueError: The path ends in something else, or the model has a part that has no name to
            be found by, such as a lambda.
        OSError: The file cannot be written.

    Example:
        >>> import dlnative
        >>> model = dlnative.Sequential([dlnative.Input((4,)), dlnative.layers.Dense(2)])
        >>> path = getfixture("tmp_path") / "model.keras"
        >>> save_model(model, path)
        >>> load_model(path).count_params()
        10

    Differs from Keras: `overwrite=False` raises where Keras asks. Whole models in HDF5 (".h5") and
    folders of Keras (`zipped=False`) are not written. A loss or metric that has no name, such as a
    lambda, is a warning, and the model is saved as if it were not compiled.
    """
    path = Path(filepath)
    if not os.fspath(filepath):
        raise ValueError("save_model: expected a path, received an empty one")
    if zipped not in (None, path.suffix == ".keras" or None):
        raise ValueError(
            f"save_model: {path}: expected zipped=None, or True for a path that ends in '.keras', "
            f"received {zipped!r}"
        )
    if path.suffix in _LEGACY:
        raise ValueError(
            f"save_model: {path}: whole models in HDF5 are a format of Keras 2. Expected a path "
            "that ends in '.keras', or one without suffix"
        )
    if path.suffix not in ("", ".keras") and not path.is_dir():
        raise ValueError(
            f"save_model: expected a path that ends in '.keras', or one without suffix, for a "
            f"folder, received {str(path)!r}"
        )
    _check_free("save_model", path, overwrite)
    if path.suffix == ".keras":
        from .keras_file import save_keras_file

        save_keras_file(model, path)
    else:
        from .folder import save

        save(model, path)


def load_model(
    filepath: _PathLike,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Any:
    """Reads a model that `save_model`, or Keras, has written.

    Args:
        filepath: A ".keras" file, or a folder of this package or of Keras (`zipped=False`).
        custom_objects: Dict from names to classes and functions that are not registered.
        compile: Whether to compile the model as the saved one was.
        safe_mode: Accepted as in Keras. Code in files is never run, also where it is False.

    Returns:
        The model.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, of another format, or has a class, function or layer that is
            not known, or the code of a lambda.
        OSError: It cannot be read.

    Differs from Keras: code of a lambda is refused with `safe_mode=False`, too. Models in HDF5
    (".h5") are refused; Keras turns them into ".keras" files. All errors of a file are ValueErrors.
    """
    from ..utils.serialization import CustomObjectScope

    path = Path(filepath)
    if path.suffix in _LEGACY:
        raise ValueError(
            f"load_model: {path}: whole models in HDF5 are a format of Keras 2. Load it with Keras "
            "and save it with a name that ends in '.keras'"
        )
    with CustomObjectScope(custom_objects):
        from .keras_file import is_keras_folder, load_keras_file

        if path.is_dir() and not is_keras_folder(path):
            from .folder import load

            return load(path, compile).model
        if path.suffix != ".keras" and not path.is_dir():
            if not path.exists():
                raise FileNotFoundError(f"{path}: no such file or folder")
            raise ValueError(f"load_model: {path}: expected a '.keras' file, or a folder")
        return load_keras_file(path, compile)


def save_weights(
    model: Any,
    filepath: _PathLike,
    overwrite: bool = True,
    max_shard_size: float | None = None,
    objects_to_skip: Sequence[Any] | None = None,
) -> None:
    """Writes the weights of a model.

    Args:
        model: A built model.
        filepath: A path that ends in ".weights.h5", a file that Keras reads, with the state of the
            optimizer; or in ".safetensors", with one tensor for each variable of the model, named
            by the way to it through the layers ("encoder/dense/kernel").
        overwrite: Whether a file that is there may be replaced.
        max_shard_size: Must be None: a file is not cut into several.
        objects_to_skip: Layers, models and optimizers that are left out.

    Raises:
        FileExistsError: There is a file, and `overwrite` is False.
        ValueError: The path ends in something else, or the model is not built.
        OSError: The file cannot be written.

    Differs from Keras: `overwrite=False` raises where Keras asks. Several files
    (`max_shard_size`) are not available; ".safetensors" is new.
    """
    from . import weights_file

    path = Path(filepath)
    if max_shard_size is not None:
        raise ValueError(
            f"save_weights: expected max_shard_size=None, received {max_shard_size!r}; weights are "
            "one file here"
        )
    save = weights_file.writer_of(path)
    weights_file.check_built(model, "save_weights")
    _check_free("save_weights", path, overwrite)
    save(model, path, objects_to_skip or ())


def load_weights(
    model: Any,
    filepath: _PathLike,
    skip_mismatch: bool = False,
    objects_to_skip: Sequence[Any] | None = None,
) -> None:
    """Gives a model the weights in a file.

    Args:
        model: A built model of the same layers.
        filepath: What `save_weights`, or Keras, has written (".weights.h5", ".safetensors"), or a
            ".keras" file, of which the weights are taken.
        skip_mismatch: Whether layers whose weights have another shape or number in the file stay
            as they are, with a warning.
        objects_to_skip: Layers, models and optimizers that stay as they are; not with ".keras".

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, of another format, or the weights do not fit; the model is as it
            was.
        OSError: It cannot be read.

    Differs from Keras: where something does not fit, nothing is loaded. Legacy weights (".h5") and
    those in several files are refused.
    """
    from . import weights_file

    path = Path(filepath)
    load = weights_file.reader_of(path)
    if objects_to_skip is not None and path.suffix == ".keras":
        raise ValueError(
            f"load_weights: objects_to_skip is for files of weights only, received {path}"
        )
    weights_file.check_built(model, "load_weights")
    load(model, path, skip_mismatch, objects_to_skip or ())


def _check_free(what: str, path: Path, overwrite: bool) -> None:
    if not overwrite and os.path.lexists(path):
        raise FileExistsError(f"{what}: {path} exists, and overwrite is False")
