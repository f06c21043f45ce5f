"""Sets the learning rate before each epoch."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..utils.messages import print_message
from .callback import Callback


class LearningRateScheduler(Callback):
    """Sets the learning rate to `schedule(epoch)` or `schedule(epoch, rate)` before each epoch.

    The logs of an epoch have its rate as "learning_rate".

    Args:
        schedule: A function of the number of the epoch, from 0, and where it takes two arguments of
            the present learning rate, a float. It returns the new one, a float.
        verbose: 1 says what is set.

    Raises:
        TypeError: `schedule` is no function of one or two arguments; or, by `fit`, the learning
            rate of the optimizer is a schedule.
        ValueError: By `fit`, `schedule` returns no float, or a negative or not finite one.

    Example:
        >>> import numpy as np, dlnative
        >>> model = dlnative.Sequential([dlnative.Input((1,)), dlnative.layers.Dense(1)])
        >>> model.compile(dlnative.optimizers.SGD(0.4), "mse")
        >>> halve = dlnative.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
        >>> fitted = model.fit(np.ones((4, 1)), np.ones(4), epochs=3, verbose=0, callbacks=[halve])
        >>> fitted.history["learning_rate"]
        [0.2, 0.1, 0.05]

    Differs from Keras: how many arguments `schedule` takes is read from its signature and not found
    out by a call, so that a TypeError in it is not taken for one about its arguments.
    """

    _adds_logs = ("learning_rate",)

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        self.schedule = schedule
        self.verbose = verbose
        self._takes_rate = _takes_two(schedule)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        optimizer = self.model.optimizer
        if self._takes_rate:
            rate = self.schedule(epoch, float(optimizer.learning_rate))
        else:
            rate = self.schedule(epoch)
        if not isinstance(rate, (float, np.floating)):
            raise ValueError(
                "LearningRateScheduler: expected schedule to return a float, it returned "
                f"{rate!r} of type {type(rate).__name__} for epoch {epoch}"
            )
        optimizer.learning_rate = rate
        if self.verbose > 0:
            print_message(
                f"\nEpoch {epoch + 1}: LearningRateScheduler sets the learning rate to {rate}."
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


def _takes_two(schedule: Any) -> bool:
    """Whether a function takes the learning rate beside the number of the epoch."""
    if callable(schedule):
        try:
            signature = inspect.signature(schedule)
        except ValueError:  # one of C's, that does not say
            return True
        for count in (2, 1):
            try:
                signature.bind(*range(count))
                return count == 2
            except TypeError:
                continue
    raise TypeError(
        "LearningRateScheduler: expected schedule to be a function (epoch) or (epoch, "
        f"learning_rate), received {schedule!r}"
    )
