"""A callback from functions."""

from __future__ import annotations

from collections.abc import Callable

from .callback import Callback

HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))


class LambdaCallback(Callback):
    """A callback whose hooks are given as functions.

    Functions of epochs and batches take (epoch, logs) and (batch, logs), the others take (logs).

    Args:
        on_epoch_begin: Called before every epoch.
        on_epoch_end: Called after every epoch.
        on_train_begin: Called before training.
        on_train_end: Called after training.
        on_train_batch_begin: Called before every batch.
        on_train_batch_end: Called after every batch.
        **kwargs: Any other hook of `Callback`.

    Raises:
        TypeError: There is no hook of that name, or something is no function.

    Example:
        >>> import dlnative
        >>> callback = dlnative.callbacks.LambdaCallback(
        ...     on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., object] | None = None,
        on_epoch_end: Callable[..., object] | None = None,
        on_train_begin: Callable[..., object] | None = None,
        on_train_end: Callable[..., object] | None = None,
        on_train_batch_begin: Callable[..., object] | None = None,
        on_train_batch_end: Callable[..., object] | None = None,
        **kwargs: Callable[..., object] | None,
    ) -> None:
        super().__init__()
        named = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        }
        for name, function in kwargs.items():
            if name not in HOOKS:
                raise TypeError(
                    f"LambdaCallback: there is no hook {name!r}; expected one of {', '.join(HOOKS)}"
                )
            named[name] = function
        for name, function in named.items():
            if function is not None and not callable(function):
                raise TypeError(
                    f"LambdaCallback: expected {name} to be a function, received {function!r}"
                )
            if function is not None:
                setattr(self, name, function)
