"""Names of a function's parameters, without the cost of importing `inspect`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_VARKEYWORDS = 0x08  # code.co_flags: the function takes **kwargs


def parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """Names of the parameters that can be passed by keyword, without `self` of a method.

    Example:
        >>> parameters(lambda x, y=1, *, z: None)
        ('x', 'y', 'z')
    """
    skip = 1 if getattr(function, "__self__", None) is not None else 0
    function = _unwrap(function)
    code = getattr(function, "__code__", None)
    if code is None:
        import inspect

        try:
            return tuple(inspect.signature(function).parameters)
        except (TypeError, ValueError):
            return ()
    count = code.co_argcount + code.co_kwonlyargcount
    return code.co_varnames[skip:count]


def takes_any_keyword(function: Callable[..., Any]) -> bool:
    """Whether the function has a `**kwargs` parameter."""
    code = getattr(_unwrap(function), "__code__", None)
    return code is not None and bool(code.co_flags & _VARKEYWORDS)


def constructor_parameters(cls: type) -> tuple[str, ...]:
    """Names that a class's constructor knows, its bases' included as far as `**kwargs` go."""
    names: list[str] = []
    for base in cls.__mro__:
        init = base.__dict__.get("__init__")
        if init is None:
            continue
        names.extend(n for n in parameters(init) if n != "self" and n not in names)
        if not takes_any_keyword(init):
            break
    return tuple(names)


def _unwrap(function: Any) -> Any:
    function = getattr(function, "__func__", function)
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function
