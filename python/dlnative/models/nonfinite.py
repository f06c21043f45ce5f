"""What `fit` does where a loss, a gradient or a new weight stops being finite."""

from __future__ import annotations

import dataclasses
import math
import os
from types import TracebackType
from typing import Any

import numpy as np

from ..optimizers import Optimizer
from ..utils.warn import warn_user
from .divergence import Finding, describe, examine
from .loop import Feed, HeldStep, Verdict
from .training_state import optimizers_of, variables_of

POLICIES = ("warn", "stop", "skip", "rollback")
LOWERED = 0.5  # what a rollback multiplies the learning rate by

_ADVICE = (
    "A lower learning rate, clipped gradients (clipnorm of the optimizer) or data on a smaller "
    "scale may help"
)


@dataclasses.dataclass(frozen=True)
class NonFinite:
    """A step of `fit` whose values were not finite; `History.nonfinite` has them.

    Attributes:
        epoch, batch: Of the step, counted from 1.
        learning_rate: Of the step, of the first optimizer; None where none is used.
        finding: What was found, see `divergence.Finding`; None for steps after the first, which
            are counted only.
        samples: Numbers of the samples in the data at fault; None where they are not known.
        message: The report in words, "" for steps after the first.
        file: The folder of the step for `dlnative replay`, or None.
    """

    epoch: int
    batch: int
    learning_rate: float | None
    finding: Finding | None = None
    samples: list[int] | None = None
    message: str = ""
    file: str | None = None


@dataclasses.dataclass(frozen=True)
class Place:
    """Where in the training a step is.

    Attributes:
        epoch, batch: Counted from 1.
        learning_rate: Of the step, or None.
        has_trained: Whether `fit` has done steps before it.
    """

    epoch: int
    batch: int
    learning_rate: float | None
    has_trained: bool


def report_of(finding: Finding, place: Place, samples: np.ndarray | None) -> NonFinite:
    """The report of a step that was examined.

    Args:
        finding: What was found.
        place: Where the step is.
        samples: The numbers of its rows in the data, or None.
    """
    named = None
    if finding.rows is not None and samples is not None:
        named = [int(samples[row]) for row in finding.rows]
    rate = "" if place.learning_rate is None else f", learning rate {place.learning_rate:g}"
    message = (
        f"fit: {finding.what} in batch {place.batch} of epoch {place.epoch} (counted from 1)"
        f"{rate}; {describe(finding, samples)}.{_before(finding, place)}"
    )
    return NonFinite(place.epoch, place.batch, place.learning_rate, finding, named, message)


def _before(finding: Finding, place: Place) -> str:
    """In which step weights that are not finite have become so."""
    if finding.phase != "weights":
        return ""
    paths = ", ".join(finding.weights[:4]) + (" and others" if len(finding.weights) > 4 else "")
    if not place.has_trained:
        return f" Not finite before training: {paths}."
    before = f"batch {place.batch - 1}" if place.batch > 1 else "the last of the epoch before"
    return (
        f" It began in the step before, {before}, whose loss was finite: its gradients or its "
        f"update were not, for {paths}. on_nonfinite='stop' looks at these, too, and names the op."
    )


class Doctor:
    """Watches the steps of one `fit`; a `with` block, in which steps are held back.

    Args:
        model: The model that is trained.
        state: Its TrainerState.
        feed: The Feed that it is trained on.
        policy: One of `POLICIES`.
        replay: The folder to which the first step that is held back is written, or None.

    Attributes:
        reports: The NonFinite of each step that was held back.
    """

    def __init__(self, model: Any, state: Any, feed: Feed, policy: str, replay: Any) -> None:
        self._model = model
        self._state = state
        self._feed = feed
        self._policy = policy
        self._replay = replay
        self._epoch = 0
        self._began = 0
        self._lost = 0  # steps of this epoch that count for nothing
        self._has_warned = False
        self._kept: dict[str, np.ndarray] = {}
        self.reports: list[NonFinite] = []

    def __enter__(self) -> Doctor:
        self._feed.on_held = self._held
        self._feed.armed = self._state.armed.array
        self._began = int(self._state.counter)
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._disarm()
        self._feed.on_held = None
        if kind is None and len(self.reports) > 1:
            first, last = self.reports[0], self.reports[-1]
            done = {"skip": "left out", "rollback": "followed by a rollback"}[self._policy]
            warn_user(
                f"fit: {len(self.reports)} steps were not finite and were {done}, from batch "
                f"{first.batch} of epoch {first.epoch} to batch {last.batch} of epoch {last.epoch}",
                RuntimeWarning,
            )

    def _disarm(self) -> None:
        self._state.armed.array.fill(0)
        self._feed.armed = None

    @property
    def needs_whole_epochs(self) -> bool:
        """Whether training can go on in another process from between two epochs only."""
        return self._policy == "rollback"

    def get_state(self) -> dict[str, Any]:
        """How many steps of this epoch count for nothing, and whether it has warned."""
        return {"lost": self._lost, "has_warned": self._has_warned}

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes on within an epoch from where `get_state` was called."""
        self._lost, self._has_warned = state["lost"], state["has_warned"]

    def begin_epoch(self, epoch: int, within: bool = False) -> None:
        """Notes the number of an epoch, from 0, that begins, and for a rollback its state.

        Args:
            epoch: The number.
            within: Whether `set_state` has told of the begin of the epoch.
        """
        self._epoch = epoch
        if not within:
            self._lost = 0
        if self._policy == "rollback":
            self._kept = {name: v.numpy() for name, v in variables_of(self._model).items()}

    def end_epoch(self, logs: dict[str, Any]) -> dict[str, Any]:
        """Looks at the logs of an epoch.

        They are NaN where no step of it was done. Where no step was held back, a loss that is not
        finite is that of a step of a model's own whose loss nobody sees before.
        """
        if (self._lost or self._feed.ended) and self._lost >= self._feed.steps:
            return dict.fromkeys(logs, math.nan)
        loss = logs.get("loss")
        if isinstance(loss, float) and not math.isfinite(loss) and not self._has_warned:
            self._warn(f"fit: the loss of epoch {self._epoch + 1} is {loss}. {_ADVICE}")
        return logs

    def _warn(self, message: str) -> None:
        self._has_warned = True
        warn_user(message, RuntimeWarning)

    def _held(self, held: HeldStep) -> Verdict:
        """What becomes of a step that is held back."""
        trained = int(self._state.counter) > self._began
        place = Place(self._epoch + 1, self._feed.steps + 1, self._rate(), trained)
        report = NonFinite(place.epoch, place.batch, place.learning_rate)
        if not self._has_warned:
            finding = examine(held)
            report = report_of(finding, place, held.samples)
            if self._replay is not None:
                report = self._written(report, held, place, finding)
        self.reports.append(report)
        verdict = self._decide()
        if report.message:
            self._warn(f"{report.message} {self._consequence()}")
        return verdict

    def _written(
        self, report: NonFinite, held: HeldStep, place: Place, finding: Finding
    ) -> NonFinite:
        """The report, once the step is in a folder or cannot be put there."""
        from ..saving.replay import write_replay

        folder = os.fspath(self._replay)
        try:
            write_replay(folder, held, place, finding)
        except (OSError, ValueError, TypeError, NotImplementedError) as error:
            message = f"{report.message} It could not be written to {folder}: {error}."
            return dataclasses.replace(report, message=message)
        message = f"{report.message} `dlnative replay {folder}` runs it again."
        return dataclasses.replace(report, message=message, file=folder)

    def _rate(self) -> float | None:
        optimizers = self._optimizers()
        return float(optimizers[0].learning_rate) if optimizers else None

    def _decide(self) -> Verdict:
        if self._policy == "warn":
            self._disarm()  # what comes now is not finite
            return "again"
        if self._policy == "stop":
            self._model.stop_training = True
            return "end"
        self._lost += 1
        if self._policy == "rollback":
            self._roll_back()
            self._lost = self._feed.steps + 1
        return "next"

    def _roll_back(self) -> None:
        rates = [float(optimizer.learning_rate) for optimizer in self._optimizers()]
        for name, variable in variables_of(self._model).items():
            if name in self._kept:
                variable.write(self._kept[name])
        for optimizer, rate in zip(self._optimizers(), rates, strict=True):
            if optimizer.has_plain_rate:
                optimizer.learning_rate = LOWERED * rate

    def _optimizers(self) -> list[Optimizer]:
        """Those that train: steps of the model's own may have several, and leave that of `compile`
        unused.
        """
        return [o for o in optimizers_of(self._model) if o.built]

    def _consequence(self) -> str:
        if self._policy == "stop":
            return "Training ends with the model as it was before that step."
        if self._policy == "skip":
            return "That step is left out, and training goes on with the next batch."
        if self._policy == "rollback":
            rate = f"learning rate {self._rate():g}" if self._rate() is not None else "rate"
            return (
                "The model is again what it was at the begin of that epoch, and training goes on "
                f"with the next batch and {rate}."
            )
        return f"{_ADVICE}; on_nonfinite='skip', 'stop' or 'rollback' hold such steps back"
