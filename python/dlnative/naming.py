"""Names: automatic ones for unnamed objects, paths, and the nearest known one to a misspelt one."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from typing import Any

_counts: dict[str, int] = {}
_AUTOMATIC = re.compile("variable(_[0-9]+)?")  # names of Variables that were given none


class _AtWork(threading.local):
    """The layers whose calls or builds are under way in a thread, and scopes, outermost first."""

    def __init__(self) -> None:
        self.layers: list[Any] = []


at_work = _AtWork()


class name_scope:
    """A `with` block whose name stands in the paths of what is made in it.

    Args:
        name: The name, without "/".

    Raises:
        ValueError: `name` is no string, or has a "/".

    Example:
        >>> from dlnative import Variable
        >>> with name_scope("encoder"), name_scope("head"):
        ...     Variable([1.0], name="scale").path
        'encoder/head/scale'

    Differs from Keras: there are no arguments to tell callers apart.
    """

    is_model = False

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or "/" in name:
            raise ValueError(f"name_scope: expected a name without '/', received {name!r}")
        self.name = name

    def __enter__(self) -> name_scope:
        at_work.layers.append(self)
        return self

    def __exit__(self, *exception: Any) -> None:
        at_work.layers.pop()


def path_of(name: str) -> str:
    """A name behind those of the layers and scopes at work: "block/dense/kernel"."""
    return "/".join([*(each.name for each in at_work.layers), name])


def path_of_layer(layer: Any) -> str:
    """The path of a layer that is at work, or is made within those that are."""
    layers = at_work.layers
    outer = next((i for i, each in enumerate(layers) if each is layer), len(layers))
    return "/".join([*(each.name for each in layers[:outer]), layer.name])


def check_layer_name(owner: str, name: Any) -> None:
    """Raises TypeError or ValueError where a layer cannot have a name.

    Args:
        owner: What was to have it, for the message.
        name: The name.
    """
    if not isinstance(name, str):
        raise TypeError(f"{owner}: expected name to be a string, received {name!r}")
    if "/" in name or not name:
        raise ValueError(f"{owner}: a name must not be empty or contain '/', received {name!r}")


def to_snake_case(name: str) -> str:
    """Keras's snake case: "rmsprop" of "RMSprop", "mean_squared_error" of "MeanSquaredError"."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def object_name(value: Any) -> str:
    """The name of an object, else in snake case that of a function or else of the class.

    So a lambda is called "lambda", as in Keras.
    """
    name = getattr(value, "name", None)
    return name or to_snake_case(getattr(value, "__name__", None) or type(value).__name__)


def lasting_name(variable: Any) -> str:
    """The name of a Variable within its layer; "variable" for one that was given none.

    Automatic names have numbers by how many there were before.
    """
    name: str = variable.path.rpartition("/")[2]
    return "variable" if _AUTOMATIC.fullmatch(name) else name


def auto_name(class_name: str) -> str:
    """A name that no object of the process has yet: "adam", "adam_1", "adam_2", ..."""
    name = to_snake_case(class_name)
    count = _counts.get(name, 0)
    _counts[name] = count + 1
    return f"{name}_{count}" if count else name


def unknown(kind: str, name: object, known: Iterable[str]) -> ValueError:
    """The ValueError for a name that is not known; it offers the nearest names.

    Args:
        kind: What the name was to name, such as "loss".
        name: The name as the user wrote it.
        known: All names that are known.
    """
    import difflib

    by_lower = {}
    for other in known:
        if (
            other.islower() == str(name).islower()
        ):  # "acuracy" is offered "accuracy", not "Accuracy"
            by_lower[other.lower()] = other
        else:
            by_lower.setdefault(other.lower(), other)
    near = difflib.get_close_matches(str(name).lower(), by_lower, n=3, cutoff=0.5)
    offer = " or ".join(repr(by_lower[n]) for n in near)
    hint = (
        f"Did you mean {offer}?"
        if near
        else f"Known names: {', '.join(sorted(by_lower.values()))}."
    )
    return ValueError(f"Unknown {kind} {name!r}. {hint}")
