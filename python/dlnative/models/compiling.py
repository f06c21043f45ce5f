"""The arguments of `compile` as plain values, and back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from ..placement import is_without_memory

_unprepared: ContextVar[Any] = ContextVar("unprepared", default=None)


@contextlib.contextmanager
def unprepared(model: Any) -> Iterator[None]:
    """A `with` block in which the optimizer that `model` gets is not told what it trains."""
    token = _unprepared.set(model)
    try:
        yield
    finally:
        _unprepared.reset(token)


def compile_config(arguments: dict[str, Any]) -> dict[str, Any]:
    """The configuration of arguments of `compile`.

    Raises:
        ValueError, TypeError: One of them has no name to be found by, or no `get_config`.
    """
    from ..utils.serialization import serialize_keras_object

    return serialize_keras_object(_made(arguments))


def compile_again(model: Any, config: dict[str, Any]) -> None:
    """Compiles a model with the arguments of a configuration."""
    from ..utils.serialization import deserialize_keras_object

    given = {key: deserialize_keras_object(value) for key, value in config.items()}
    given.pop("jit_compile", None)  # in Keras's files; it has no effect
    model.compile(**given)
    is_told = is_without_memory() or _unprepared.get() is model
    if model.built and not is_told:  # else a state tells for what there are slots
        model.optimizer.prepare(model.trainable_variables)


def _made(value: Any) -> Any:
    """Arguments in which a class stands for what it makes without arguments."""
    if isinstance(value, type):
        return value()
    if isinstance(value, (list, tuple)):
        return [_made(item) for item in value]
    if isinstance(value, dict):
        return {key: _made(item) for key, item in value.items()}
    return value
