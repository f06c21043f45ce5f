"""Optimizers: how gradients change parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..naming import unknown
from . import schedules
from .adadelta import Adadelta
from .adafactor import Adafactor
from .adagrad import Adagrad
from .adam import Adam, AdamW
from .adamax import Adamax
from .ftrl import Ftrl
from .lamb import Lamb
from .lbfgs import LBFGS
from .lion import Lion
from .muon import Muon
from .nadam import Nadam
from .optimizer import Optimizer
from .rmsprop import RMSprop
from .schedule_free_adamw import ScheduleFreeAdamW
from .sgd import SGD

if TYPE_CHECKING:
    from ..utils.serialization import Identifier

_CLASSES = (
    SGD,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    AdamW,
    Adamax,
    Ftrl,
    Lamb,
    LBFGS,
    Lion,
    Muon,
    Nadam,
    RMSprop,
    ScheduleFreeAdamW,
)
CLASSES = {cls.__name__: cls for cls in _CLASSES}
KNOWN = {**CLASSES, **{name.lower(): cls for name, cls in CLASSES.items()}}


def get(identifier: Identifier | Optimizer) -> Optimizer | None:
    """The optimizer that `identifier` means.

    Args:
        identifier: A name such as "adam" (of any case), a configuration (from `serialize`), an
            Optimizer, or None.

    Raises:
        ValueError: There is no optimizer of that name; the message offers the nearest.
        TypeError: `identifier` is none of the above.
    """
    if identifier is None or isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, str):
        if identifier.lower() not in KNOWN:
            raise unknown("optimizer", identifier, CLASSES)
        return KNOWN[identifier.lower()]()
    if isinstance(identifier, dict):
        return deserialize(identifier)
    hint = ""
    if isinstance(identifier, type) and issubclass(identifier, Optimizer):
        hint = f" Call the class: {identifier.__name__}()."
    raise TypeError(
        f"optimizer: expected a name or an Optimizer, received {identifier!r} of type "
        f"{type(identifier).__name__}.{hint}"
    )


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """The configuration of an optimizer, as plain values, in Keras's format."""
    from ..utils.serialization import serialize_keras_object

    return serialize_keras_object(optimizer)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """The optimizer of a configuration that `serialize` gave."""
    from ..utils.serialization import deserialize_keras_object

    return deserialize_keras_object(config, custom_objects, module_objects=KNOWN)


__all__ = ["Optimizer", *CLASSES, "deserialize", "get", "schedules", "serialize"]
