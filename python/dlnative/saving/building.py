"""Models of configurations that come from files, which may ask for anything."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..models import Model
from ..placement import without_memory
from ..utils.warn import warn_user

__all__ = ["build_model", "compile_config_of", "record_of_model", "refusals"]

Compilations = list[tuple[Model, dict[str, Any]]]

_MOST_CALLS = 100_000  # of layers, in one model; ResNet-110 has 500


@contextlib.contextmanager
def refusals(path: Path, what: str) -> Iterator[None]:
    """A `with` block in which a file may get as far as any line: what it raises is a ValueError.

    Args:
        path: The file, which the message names.
        what: What is being done, such as "build the model".
    """
    try:
        yield
    except RecursionError as error:
        raise ValueError(f"{path}: cannot {what}: it is nested too deeply") from error
    except Exception as error:
        reason = str(error) if isinstance(error, ValueError) else repr(error)
        if reason.startswith(str(path)):
            raise
        raise ValueError(f"{path}: cannot {what}: {reason:.2000}") from error


def record_of_model(model: Model) -> dict[str, Any]:
    """What `build_model` makes a model of; a layer that two models share is told to be one."""
    from ..utils.serialization import WholeModel, record_of

    whole = WholeModel()
    record: dict[str, Any] = whole.run(record_of, model, ["build_config"])
    return whole.without_single_numbers(record)


def build_model(entry: dict[str, Any], is_of_keras: bool = False) -> tuple[Model, Compilations]:
    """The model of a configuration, whose variables have no memory yet.

    Args:
        entry: The configuration, as of `record_of_model`.
        is_of_keras: Whether Keras has written it, see `WholeModel`.

    Returns:
        (the model, [(model within, what it is to be compiled with)]).

    Raises:
        ValueError: It is no model, or one of too many calls.
        Exception: Whatever a configuration leads to; see `refusals`.
    """
    from ..utils.serialization import WholeModel, deserialize_keras_object

    calls = _count_calls(entry)
    if calls > _MOST_CALLS:
        raise ValueError(f"it has {calls} calls of layers, more than {_MOST_CALLS}")
    whole = WholeModel(is_of_keras)
    with without_memory():
        model = whole.run(deserialize_keras_object, entry)
    if not isinstance(model, Model):
        raise ValueError(f"expected a model, received {entry.get('class_name')!r}")
    return model, whole.compile_configs


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


def compile_config_of(model: Any) -> dict[str, Any] | None:
    """What the model was compiled with, or None, with a warning where it has no form in JSON."""
    if not model.compiled:
        return None
    try:
        return model.get_compile_config()
    except (ValueError, TypeError) as error:
        warn_user(f"The model is saved as if it were not compiled: {error}")
        return None
