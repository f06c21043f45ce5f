"""lr_find: the learning rate range test."""

from __future__ import annotations

import copy
import math
import os
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..callbacks import Callback
from ..utils.numbers import is_integer, is_number
from .many import own_randomness
from .pictures import axes

_SMOOTHING = 0.9  # of the exponential mean of losses
_DIVERGED = 4.0  # times the least loss: the test ends
_FEWEST = 5  # losses that make a curve
_MARGIN = 1.5  # by which the suggestion is below the rate that was best for the mean loss


@dataclass(frozen=True)
class LearningRateCurve:
    """What a range test has seen.

    Attributes:
        rates: The learning rates, ascending.
        losses: The loss of the batch at each rate.
        smoothed: Their exponential mean.
        suggestion: The rate to train with.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggestion: float

    def plot(self, path: str | os.PathLike[str]) -> None:
        """Draws losses by learning rate to a file.

        Raises:
            ImportError: Matplotlib, the extra `dlnative[examples]`, is not installed.
        """
        with axes(path, "learning rate", "loss of a batch") as ax:
            ax.plot(self.rates, self.losses, ".", alpha=0.3, label="loss")
            ax.plot(self.rates, self.smoothed, label="smoothed")
            ax.axvline(self.suggestion, color="C3", label=f"suggestion {self.suggestion:.2g}")
            ax.set_xscale("log")
            low = min(self.smoothed.min(), float(np.quantile(self.losses, 0.05)))
            high = float(np.quantile(self.smoothed, 0.9))  # it ends with the divergence
            ax.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
            ax.legend()


def lr_find(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    min_lr: float = 1e-6,
    max_lr: float = 10.0,
    steps: int = 100,
    **options: Any,
) -> LearningRateCurve:
    """The learning rate range test: trains with rates that grow step by step.

    rate[i] = min_lr * (max_lr / min_lr)^(i / (steps - 1)). It ends early where the smoothed loss is
    4 times the least, or not finite. What is trained is a copy: the model stays as it is.

    Args:
        model: A compiled model.
        x, y: Data as `fit` takes them.
        min_lr, max_lr: Between which rates are tried.
        steps: How many rates, one batch each.
        **options: Further arguments of `fit` such as `batch_size` and `sample_weight`.

    Returns:
        A LearningRateCurve. Its `suggestion` is the largest rate at which the loss still fell, less
        a margin.

    Raises:
        ValueError: Rates or steps that make no test, or whatever `fit` raises.

    Reference: Smith (2017), "Cyclical learning rates for training neural networks", 3.3.
    """
    for name, rate in (("min_lr", min_lr), ("max_lr", max_lr)):
        if not is_number(rate) or not 0 < rate < math.inf:
            raise ValueError(f"lr_find: expected {name} to be a positive number, received {rate!r}")
    if not min_lr < max_lr:
        raise ValueError(f"lr_find: expected min_lr below max_lr, received {min_lr} and {max_lr}")
    if not is_integer(steps) or steps < 10:
        raise ValueError(f"lr_find: expected 10 steps or more, received {steps!r}")
    taken = {"epochs", "verbose", "callbacks", "validation_data", "validation_split"} & set(options)
    if taken:
        raise ValueError(f"lr_find: {sorted(taken)} have no meaning in a range test")
    if not getattr(model, "compiled", False) or model.optimizer is None:
        raise ValueError(f"lr_find: expected a model that is compiled to train, received {model!r}")
    if model.optimizer.full_batch:
        raise ValueError(
            f"lr_find: {type(model.optimizer).__name__} chooses its step by a line search"
        )
    rates = np.geomspace(min_lr, max_lr, steps)
    test = _RangeTest(rates)
    with own_randomness(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "fit: .* not finite|fit: the loss", RuntimeWarning)
        trained = copy.deepcopy(model)
        trained.optimizer.learning_rate = test.rate
        trained.fit(x, y, epochs=steps, verbose=0, callbacks=[test], **options)
    if len(test.losses) < _FEWEST:
        raise ValueError(
            f"lr_find: the loss is {test.losses[-1]:g} at a rate of "
            f"{rates[len(test.losses) - 1]:g} already; begin with a smaller min_lr"
        )
    count = len(test.losses) if math.isfinite(test.losses[-1]) else len(test.losses) - 1
    losses, smoothed = np.array(test.losses[:count]), np.array(test.smoothed[:count])
    rates = rates[:count]
    return LearningRateCurve(rates, losses, smoothed, _suggestion(rates, smoothed))


class _RangeTest(Callback):
    """Sets the rate of each step, and keeps its loss."""

    def __init__(self, rates: np.ndarray) -> None:
        super().__init__()
        self._rates = rates
        self._mean = 0.0
        self.losses: list[float] = []
        self.smoothed: list[float] = []

    def rate(self) -> float:
        """The rate of the step that comes next."""
        return float(self._rates[min(len(self.losses), len(self._rates) - 1)])

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.model.reset_metrics()  # or the loss would be the mean of the epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        loss = float((logs or {})["loss"])
        self.losses.append(loss)
        self._mean = _SMOOTHING * self._mean + (1 - _SMOOTHING) * loss
        self.smoothed.append(self._mean / (1 - _SMOOTHING ** len(self.losses)))
        ended = len(self.losses) == len(self._rates) or not math.isfinite(loss)
        if ended or self.smoothed[-1] > _DIVERGED * min(self.smoothed):
            self.model.stop_training = True


def _suggestion(rates: np.ndarray, smoothed: np.ndarray) -> float:
    """The largest rate at which the loss still fell, as the mean lags behind it, less a margin.

    For dense and convolutional networks, regression and classification, SGD and Adam it is 0.4 to
    2.1 times the best rate of a sweep (tests/test_model_selection.py).
    """
    lag = round(1 / (1 - _SMOOTHING))
    return float(rates[max(0, int(np.argmin(smoothed)) - lag)] / _MARGIN)
