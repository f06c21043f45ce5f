"""Methods that Keras calls and this library does not: who overrides one is told so, by its name."""

from __future__ import annotations

from typing import NoReturn

_PACKAGE = __name__.partition(".")[0]

_STEP = (
    "a step is one compiled program. Put the computation into call(), the loss into a function or "
    "Loss, metrics into compile(metrics=...); a loop of one's own is made of "
    "dlnative.value_and_grad and optimizer.apply"
)
_METRICS = "give metrics to compile(metrics=...)"

TRAINER = {
    "train_step": _STEP,
    "test_step": _STEP,
    "compute_loss": "give a function or a Loss to compile(loss=...)",
    "stateless_compute_loss": "give a function or a Loss to compile(loss=...)",
    "compute_loss_and_updates": _STEP,
    "compute_metrics": _METRICS,
    "get_metrics_result": _METRICS,
    "reset_metrics": _METRICS,
    "metrics": _METRICS,
    "metrics_names": _METRICS,
    "make_train_function": _STEP,
    "make_test_function": _STEP,
    "train_function": _STEP,
    "test_function": _STEP,
}
PREDICTION = dict.fromkeys(
    ("predict_step", "make_predict_function", "predict_function"),
    "put what predict is to return into call()",
)
MODEL = {**TRAINER, **PREDICTION}
LAYER = {
    "compute_mask": "there are no masks yet; multiply by weights of 0 and 1 in call()",
    "symbolic_call": "shapes come from call()",
    "losses": "penalise weights by add_weight(regularizer=...), or make the term part of the loss",
    "save_own_variables": "what is to be saved must be made by add_weight()",
    "load_own_variables": "what is to be loaded must be made by add_weight()",
    "save_assets": "a model's folder has weights and a configuration only",
    "load_assets": "a model's folder has weights and a configuration only",
}
SUBLAYER = {"metrics": _METRICS}  # of a layer that is no model
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
        for name in _overridden(type(instance), tuple(table)):
            refuse(instance, name, table[name])


def refuse(instance: object, name: str, remedy: str) -> NoReturn:
    """Raises NotImplementedError: method `name` of a class is overridden and never called."""
    raise NotImplementedError(
        f"{type(instance).__name__}.{name} is overridden, but it would never be called: {remedy}."
    )


def _overridden(cls: type, names: tuple[str, ...]) -> tuple[str, ...]:
    """Which of these names the nearest class that has them is not of this package."""
    owners = ((name, next((c for c in cls.__mro__ if name in vars(c)), None)) for name in names)
    return tuple(
        name
        for name, owner in owners
        if owner is not None and owner.__module__.partition(".")[0] not in (_PACKAGE, "builtins")
    )
