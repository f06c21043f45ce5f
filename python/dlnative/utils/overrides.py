"""Methods that Keras calls and this library does not: who overrides one is told so, by its name."""

from __future__ import annotations

from typing import NoReturn

_PACKAGE = __name__.partition(".")[0]

_FUNCTION = "override train_step, test_step or predict_step, of which programs are made"

MODEL = {
    name: _FUNCTION
    for kind in ("train", "test", "predict")
    for name in (f"make_{kind}_function", f"{kind}_function", f"stateless_{kind}_step")
}
MODEL["stateless_compute_loss"] = MODEL["compute_loss_and_updates"] = "override compute_loss"
LAYER = {
    "compute_mask": "there are no masks yet; multiply by weights of 0 and 1 in call()",
    "symbolic_call": "shapes come from call()",
    "losses": "call add_loss in call()",
    "save_assets": "a saved model has weights and a configuration only",
    "load_assets": "a saved model has weights and a configuration only",
}
NAMED_VARIABLES = dict.fromkeys(
    ("save_own_variables", "load_own_variables"),
    "safetensors have variables only; save it as a folder, '.keras' or '.weights.h5'",
)
LOSS = {"__call__": "override call(y_true, y_pred), which training uses"}
FITTING_OPTIMIZER = dict.fromkeys(
    ("apply", "apply_gradients", "stateless_apply"),
    "training does not call it: override update_step(gradient, variable, learning_rate)",
)


def refuse_overrides(instance: object, *tables: dict[str, str]) -> None:
    """Raises where an object of a user's class overrides what is not called.

    Args:
        instance: The object.
        *tables: {name of a method: what to do instead}.

    Raises:
        NotImplementedError: Its class has a method of such a name.
    """
    if type(instance).__module__.partition(".")[0] == _PACKAGE:
        return
    for table in tables:
        for name in overridden(type(instance), tuple(table)):
            refuse(instance, name, table[name])


def refuse(instance: object, name: str, remedy: str) -> NoReturn:
    """Raises NotImplementedError: method `name` of a class is overridden and never called."""
    raise NotImplementedError(
        f"{type(instance).__name__}.{name} is overridden, but it would never be called: {remedy}."
    )


def overridden(cls: type, names: tuple[str, ...]) -> tuple[str, ...]:
    """Which of these names the nearest class that has them is not of this package."""
    owners = ((name, next((c for c in cls.__mro__ if name in vars(c)), None)) for name in names)
    return tuple(
        name
        for name, owner in owners
        if owner is not None and owner.__module__.partition(".")[0] not in (_PACKAGE, "builtins")
    )
