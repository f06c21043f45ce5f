"""A progress bar for loops of one's own."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from .messages import print_message

FULL, EMPTY, BOLD, END = "\x1b[32m", "\x1b[37m", "\x1b[1m", "\x1b[0m"  # colours of a terminal
PART = "\u2501"


class Progbar:
    """A line with a bar, the time that is left and means of values, written to standard output.

    Values are averaged over the steps, those of `stateful_metrics` are shown as they are; with
    `stateless_metrics` only these are averaged.

    Args:
        target: The number of steps; None where it is not known.
        width: Characters of the bar.
        verbose: 0 for nothing, 1 for a bar, 2 for one line at the end.
        interval: Seconds between two changes of what is shown.
        stateful_metrics: Names of values that are not averaged.
        stateless_metrics: Names of the only values that are averaged.
        unit_name: What a step is called.

    Raises:
        ValueError: Both `stateful_metrics` and `stateless_metrics` are given.

    Example:
        >>> import dlnative
        >>> bar = dlnative.utils.Progbar(target=2, verbose=2)
        >>> bar.update(1, [("loss", 1.0)])
        >>> bar.update(2, [("loss", 0.5)])  # doctest: +ELLIPSIS
        2/2 - 0s - ... - loss: 0.5000
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError(
                "Progbar: expected stateful_metrics or stateless_metrics, received both: all "
                "others are of the other kind"
            )
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        averages_rest = stateless_metrics is None
        self.stateful_metrics = set(stateful_metrics or ()) if averages_rest else None
        self.stateless_metrics = None if averages_rest else set(stateless_metrics or ())
        self._values: dict[str, tuple[Any, int]] = {}  # name -> (sum, number of steps)
        self._seen = 0
        self._start = time.time()
        self._last_update = 0.0
        self._after_first: float | None = None
        self._shown = 0  # characters of the line on the screen
        # As Keras decides it: a line is written over where somebody may be looking.
        self._writes_over = _is_watched()

    def update(
        self,
        current: int,
        values: Iterable[tuple[str, Any]] | None = None,
        finalize: bool | None = None,
    ) -> None:
        """Shows that `current` steps are done.

        Args:
            current: Number of steps so far.
            values: (name, value) of the steps since the last call.
            finalize: Whether the line ends here, with the values as they are given now; by default
                where `current` has reached `target`.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        for name, value in values or ():
            self._note(name, value, max(current - self._seen, 1), finalize)
        self._seen = current
        now = time.time()
        duration = self._duration(current, now)
        if self.verbose == 1:
            if now - self._last_update < self.interval and not finalize:
                return
            self._show(current, now, duration, finalize)
        elif self.verbose == 2 and finalize and self.target:
            line = f"{current:{len(str(self.target))}d}/{self.target} - {now - self._start:.0f}s -"
            print_message(line + _per_unit(duration, self.unit_name) + self._averages())
        self._last_update = now

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """Shows that `n` more steps are done; see `update`."""
        self.update(self._seen + n, values)

    def _note(self, name: str, value: Any, steps: int, finalize: bool) -> None:
        if self.stateless_metrics is None:
            averaged = name not in (self.stateful_metrics or ())
        else:
            averaged = name in self.stateless_metrics
        if not averaged or finalize:
            self._values[name] = value, 1
        else:
            total, count = self._values.get(name, (0, 0))
            self._values[name] = total + value * steps, count + steps

    def _duration(self, current: int, now: float) -> float:
        """Seconds of a step; the first one, which may be long, counts only while it is alone."""
        if not current:
            return 0.0
        if self._after_first is not None and current > 1:
            duration = (now - self._after_first) / (current - 1)
        else:
            duration = (now - self._start) / current
        if current == 1:
            self._after_first = now
        return duration

    def _show(self, current: int, now: float, duration: float, finalize: bool) -> None:
        if self.target:
            number = f"{current:{len(str(self.target))}d}/{self.target}"
            done = int(self.width * current / self.target)
            colours = [f"{BOLD}{number}{END} "]
            if done > 0:
                colours.append(f"{FULL}{PART * done}{END}")
            colours.append(f"{EMPTY}{PART * (self.width - done)}{END}")
            left = "" if finalize else _left(duration * (self.target - current))
        else:
            colours, left = [f"{current:7d}/Unknown"], ""
        left = left or f"{now - self._start:.0f}s"
        line = "".join(colours) + f" {BOLD}{left}{END}"
        line += _per_unit(duration, self.unit_name) + self._averages()
        length = len(line) - sum(line.count(c) * len(c) for c in (FULL, EMPTY, BOLD, END))
        begin = "\b" * self._shown + "\r" if self._writes_over else "\n"
        rest = " " * (self._shown - length) + ("\n" if finalize else "")
        print_message(begin + line + rest, line_break=False)
        self._shown = length

    def _averages(self) -> str:
        parts = []
        for name, (total, count) in self._values.items():
            mean = (total if isinstance(total, float) else np.mean(total)) / max(1, count)
            parts.append(f" - {name}: " + (f"{mean:.4f}" if abs(mean) > 1e-3 else f"{mean:.4e}"))
        return "".join(parts)


def _left(seconds: float) -> str:
    """Time that is left."""
    minutes, rest = divmod(int(seconds), 60)
    if seconds > 3600:
        return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
    return f"{minutes}:{rest:02d}" if seconds > 60 else f"{int(seconds)}s"


def _per_unit(seconds: float, unit: str) -> str:
    if seconds >= 1 or seconds == 0:
        return f" {seconds:.0f}s/{unit}"
    return f" {seconds * 1e3:.0f}ms/{unit}" if seconds >= 1e-3 else f" {seconds * 1e6:.0f}us/{unit}"


def _is_watched() -> bool:
    return (
        bool(getattr(sys.stdout, "isatty", lambda: False)())
        or any(name in sys.modules for name in ("ipykernel", "posix"))
        or "PYCHARM_HOSTED" in os.environ
    )
