"""Which label, weight, loss and metric belongs to which output of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..naming import unknown


def per_output(
    value: Any, names: Sequence[str] | None, count: int, what: str, single: Any = None
) -> list[Any]:
    """One entry per output from what the user gave for all of them.

    Args:
        value: For one output the entry itself, or a list or dict with it. For several a list with
            one entry each, or a dict by the names of outputs; outputs that it leaves out get None.
        names: Names of the outputs, or None where they have none.
        count: Number of outputs.
        what: What the entries are, for messages.
        single: Whether something is an entry and not a list or dict of them; by default whatever is
            neither.

    Returns:
        A list of `count` entries.

    Raises:
        ValueError: Numbers or names do not fit.
    """
    is_entry = single or (lambda v: not isinstance(v, (list, tuple, dict)))
    if value is None:
        return [None] * count
    if is_entry(value):
        if count == 1:
            return [value]
        raise ValueError(
            f"{what}: the model has {count} outputs{_listed(names)}; give a list with one entry "
            f"each, or a dict by their names. Received {_describe(value)}."
        )
    if isinstance(value, dict):
        known = names or [str(i) for i in range(count)]
        for key in value:
            if key not in known:
                raise unknown("output", key, known)
        return [value.get(name) for name in known]
    if len(value) != count:
        raise ValueError(
            f"{what}: expected {count} entries, one per output of the model{_listed(names)}, "
            f"received {len(value)}"
        )
    return list(value)


def _listed(names: Sequence[str] | None) -> str:
    return f" ({', '.join(names)})" if names else ""


def _describe(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return f"an array of shape {tuple(shape)}" if shape is not None else repr(value)
