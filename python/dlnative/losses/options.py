"""Options of losses and metrics that are arguments of the function they wrap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..changes import is_same, note
from ..hyperparameters import Option, of_step, set_of_step


class FunctionOption(Option):
    """An attribute that is an argument of the wrapped function: a new value counts at once.

    The value is kept in `_fn_kwargs`, which the function is called with, and nowhere else.

    Args:
        validate: Function (name of the class, value) that raises where the value is wrong.
    """

    def __init__(self, validate: Callable[[str, Any], object] | None = None) -> None:
        super().__init__(self._validated)
        self.validate = validate

    def _validated(self, instance: Any, name: str, value: Any) -> Any:
        if self.validate is not None:
            self.validate(type(instance).__name__, value)
        return value

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else instance._fn_kwargs[self.name]

    def __set__(self, instance: Any, value: Any) -> None:
        value = self.check(instance, self.name, value)
        before = instance._fn_kwargs[self.name]
        # Another dict: a shallow copy of the instance keeps its own options.
        instance._fn_kwargs = {**instance._fn_kwargs, self.name: value}
        if not is_same(before, value) and self.rebuilds(before, value):
            note(instance)


class FunctionNumber(FunctionOption):
    """A number that programs read at each step, so that setting it rebuilds none.

    A 0 is fixed in a program: what it turns off is left out. See `hyperparameters.StepNumber`.
    """

    def __set__(self, instance: Any, value: Any) -> None:
        super().__set__(instance, value)
        set_of_step(instance, self.name, value)

    def rebuilds(self, before: Any, value: Any) -> bool:
        return (before == 0) != (value == 0)


def step_arguments(owner: Any) -> dict[str, Any]:
    """Arguments of the wrapped function, in a program with the tensors that its numbers are."""
    return {
        name: of_step(owner, name, value)
        if isinstance(getattr(type(owner), name, None), FunctionNumber) and value != 0
        else value
        for name, value in owner._fn_kwargs.items()
    }


def checked_arguments(owner: object, arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments of the wrapped function, each checked that is a FunctionOption of `owner`.

    Args:
        owner: The loss or metric that is made.
        arguments: {name: value}.
    """
    checked = dict(arguments)
    for name, value in arguments.items():
        option = getattr(type(owner), name, None)
        if isinstance(option, FunctionOption):
            checked[name] = option.check(owner, name, value)
    return checked
