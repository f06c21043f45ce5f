"""What Python would answer by itself about a tensor, or answer with a riddle: each raises instead.

A tensor has no values yet, so `y_true == 1` would compare addresses, without a word. Every
operator, conversion and protocol that has no op says so, and what to write in its place.
"""

from __future__ import annotations

_STEP = "dlnative.ops.step(a - b) is 1 where a > b, else 0"
_LATER = "there is no op for it yet"
_VALUES = "it has no values yet; call a model or a layer on a NumPy array to get values"

_OPERATORS = {
    "==": (
        "eq",
        f"there is no comparison yet: {_STEP}, and 1 - step(a - b) - step(b - a) where a equals b. "
        "`is` compares identities",
    ),
    "!=": (
        "ne",
        f"there is no comparison yet: {_STEP}, and step(a - b) + step(b - a) where they differ. "
        "`is not` compares identities",
    ),
    "<": ("lt", f"there is no comparison yet: {_STEP}"),
    "<=": ("le", f"there is no comparison yet: {_STEP}"),
    ">": ("gt", f"there is no comparison yet: {_STEP}"),
    ">=": ("ge", f"there is no comparison yet: {_STEP}"),
    "**": ("pow rpow", f"{_LATER}. Write a square as x * x"),
    "//": ("floordiv rfloordiv", _LATER),
    "%": ("mod rmod", _LATER),
    "divmod()": ("divmod rdivmod", _LATER),
    "&": ("and rand", f"{_LATER}. Multiply masks of 0 and 1"),
    "|": ("or ror", f"{_LATER}. dlnative.ops.maximum joins masks of 0 and 1"),
    "^": ("xor rxor", _LATER),
    "~": ("invert", f"{_LATER}. Write 1 - mask for a mask of 0 and 1"),
    "<<": ("lshift rlshift", _LATER),
    ">>": ("rshift rrshift", _LATER),
    "abs()": ("abs", f"{_LATER}. Write dlnative.ops.maximum(x, -x)"),
    "round()": ("round", _LATER),
    "math.trunc()": ("trunc", _LATER),
    "math.floor()": ("floor", _LATER),
    "math.ceil()": ("ceil", _LATER),
    "[]": ("getitem", "use dlnative.ops.slice(x, axis=..., start=..., stop=...)"),
    "len()": ("len", "its sizes are in tensor.shape"),
    "`for` or unpacking": (
        "iter reversed",
        "its sizes are in tensor.shape; use dlnative.ops.slice",
    ),
    "`in`": ("contains", "compare tensors by `is`: any(t is x for t in tensors)"),
    "bool()": ("bool", f"it has no truth value: {_VALUES}"),
    "float()": ("float", _VALUES),
    "int()": ("int", _VALUES),
    "complex()": ("complex", _VALUES),
    "an index": ("index", _VALUES),
    "NumPy": ("array", f"{_VALUES}. Inside a model use dlnative.ops"),
}


class Refusals:
    """The special methods of `_OPERATORS`: each raises TypeError. The hash is the identity."""

    __slots__ = ()


def _refusal(symbol, reason):
    def refuse(self, *args, **kwargs):
        raise TypeError(f"{symbol} of the symbolic tensor {self!r}: {reason}.")

    return refuse


for _symbol, (_names, _reason) in _OPERATORS.items():
    for _name in _names.split():
        setattr(Refusals, f"__{_name}__", _refusal(_symbol, _reason))
