"""Modules that have a part of the public ops under the names of Keras's namespaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..naming import unknown


def namespace(
    module: str, names: tuple[str, ...]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a module that has these ops of `dlnative.ops`.

    Args:
        module: Name of the module.
        names: Names of public ops.
    """

    def find(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in names:
            raise AttributeError(f"{module}: {unknown('op', name, names)}")
        from .. import ops

        return getattr(ops, name)

    def listed() -> list[str]:
        return sorted(names)

    return find, listed
