"""What Python would answer by itself about a tensor, or answer with a riddle: each raises instead.

A tensor of a graph has no values yet, so it has no truth value, no length in bytes and no number.
Every conversion and protocol without a meaning says so, and what to write in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn


class ValueNeeded(TypeError):
    """Code asks for the value of a tensor that a program has yet to compute."""


_VALUES = (
    "it has no values yet, or is of a step that is over; call a model or a layer on a NumPy array "
    "to get values"
)

_PROTOCOLS = {
    "divmod()": ("divmod rdivmod", "use // and %"),
    "round()": ("round", "use dlnative.ops.round"),
    "math.trunc()": ("trunc", "use dlnative.ops.trunc"),
    "math.floor()": ("floor", "use dlnative.ops.floor"),
    "math.ceil()": ("ceil", "use dlnative.ops.ceil"),
    "`in`": ("contains", "compare tensors by `is`: any(t is x for t in tensors)"),
    "bool()": (
        "bool",
        f"it has no truth value: {_VALUES}. Inside a model choose by dlnative.ops.where",
    ),
    "float()": ("float", _VALUES),
    "int()": ("int", _VALUES),
    "complex()": ("complex", _VALUES),
    "an index": ("index", _VALUES),
    "NumPy": ("array", f"{_VALUES}. Inside a model use dlnative.ops"),
}
_OF_VALUES = ("bool()", "float()", "int()", "complex()", "an index", "NumPy")  # the others: of none


class Refusals:
    """The special methods of `_PROTOCOLS`: each raises TypeError."""

    __slots__ = ()

    def numpy(self) -> Any:
        raise ValueNeeded(f"numpy() of the symbolic tensor {self!r}: {_VALUES}.")

    def item(self) -> Any:
        raise ValueNeeded(f"item() of the symbolic tensor {self!r}: {_VALUES}.")


def _refusal(symbol: str, reason: str) -> Callable[..., NoReturn]:
    kind = ValueNeeded if symbol in _OF_VALUES else TypeError

    def refuse(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
        raise kind(f"{symbol} of the symbolic tensor {self!r}: {reason}.")

    return refuse


for _symbol, (_names, _reason) in _PROTOCOLS.items():
    for _name in _names.split():
        setattr(Refusals, f"__{_name}__", _refusal(_symbol, _reason))
