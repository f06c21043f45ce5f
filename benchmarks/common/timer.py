"""The one timer: interleaved rounds and ratios taken within a round.

Time on a shared machine drifts by tens of per cent within seconds, so a figure measured now must
not be divided by a figure measured a minute ago. In every round each other subject is timed right
after ours (ours, A, ours, B, ...), and a ratio is formed from two neighbours only:

    ratio = seconds of the other / seconds of ours just before        (above 1: ours is faster)

Reported are the median of these ratios, which a disturbed round does not move, and the ratio of
the two best times, which a quiet machine would show.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

# The labels of subjects that stand for what the machine can do.
PEAK = "FMA peak"
BANDWIDTH = "bandwidth"
CEILINGS = (PEAK, BANDWIDTH)


class Subject(Protocol):
    """Something that can be timed."""

    label: str

    def measure(self, repetitions: int) -> float:
        """Returns the mean seconds of one repetition, after one untimed repetition."""


@dataclass
class Timing:
    """The times of one subject in one case.

    Attributes:
        label: The subject's name.
        repetitions: Repetitions within a round.
        seconds: Mean seconds of one repetition, one entry for each turn.
        trial: Seconds of one repetition before the rounds.
        ratios: This subject's seconds over ours just before, one entry for each round; empty for
            ours.
    """

    label: str
    repetitions: int
    trial: float = 0.0
    seconds: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)

    @property
    def best(self) -> float:
        """The shortest time in seconds."""
        return min(self.seconds)

    @property
    def median(self) -> float:
        """The median time in seconds."""
        return statistics.median(self.seconds)


@dataclass
class Comparison:
    """All times of one case."""

    ours: Timing
    others: list[Timing]

    def ratio(self, label: str) -> float:
        """Returns the median over the rounds of a subject's time over ours."""
        return statistics.median(self.find(label).ratios)

    def ratio_of_best(self, label: str) -> float:
        """Returns a subject's best time over our best time."""
        return self.find(label).best / self.ours.best

    def find(self, label: str) -> Timing:
        """Returns the timing of the subject with this label.

        Raises:
            KeyError: No other subject has this label.
        """
        for timing in self.others:
            if timing.label == label:
                return timing
        raise KeyError(label)


def calibrate(subject: Subject, round_seconds: float) -> tuple[int, float]:
    """Returns how many repetitions fill a round, and the seconds of one.

    The first estimate comes from a single repetition, whose time for a short task is mostly the
    clock and cold caches, so it is refined until a trial takes a quarter of the round.

    Args:
        subject: The subject to try.
        round_seconds: Wanted length of a round in seconds.

    Returns:
        A number of repetitions, at least 1, and the seconds of one in the last trial.
    """
    repetitions = 1
    while True:
        seconds = subject.measure(repetitions)
        elapsed = seconds * repetitions
        if elapsed >= round_seconds / 4:
            return max(1, math.ceil(round_seconds / seconds)), seconds
        growth = round_seconds / max(elapsed, 1e-9)
        repetitions = math.ceil(repetitions * min(growth, 50.0))


def compare(
    ours: Subject,
    others: Sequence[Subject],
    *,
    rounds: int = 7,
    round_seconds: float = 0.1,
    settle: float = 0.04,
    also_ran: float = math.inf,
) -> Comparison:
    """Times ours against others in interleaved rounds.

    Args:
        ours: The subject all ratios are against.
        others: The subjects to compare with; may be empty, then ours alone is timed.
        rounds: Number of rounds.
        round_seconds: Length of one subject's turn in seconds; one repetition at least.
        settle: Pause in seconds before each turn. Worker threads of the subject before go on
            spinning for a while (OpenBLAS: 2**26 clock ticks, about 27 ms at 2.45 GHz) and would
            take a core from the next.
        also_ran: Others that before the rounds took more than this many times as long as the
            fastest of the others are timed in the first round only.

    Returns:
        The times of every turn and the ratios of every round.
    """

    def turn(subject: Subject, timing: Timing) -> float:
        time.sleep(settle)
        seconds = subject.measure(timing.repetitions)
        timing.seconds.append(seconds)
        return seconds

    def start(subject: Subject) -> Timing:
        time.sleep(settle)
        return Timing(subject.label, *calibrate(subject, round_seconds))

    ours_timing = start(ours)
    timings = [start(subject) for subject in others]
    limit = also_ran * min((t.trial for t in timings if t.label not in CEILINGS), default=math.inf)
    for index in range(rounds):
        if not others:
            turn(ours, ours_timing)
        for subject, timing in zip(others, timings, strict=True):
            if index >= 1 and timing.trial > limit and timing.label not in CEILINGS:
                continue
            ours_seconds = turn(ours, ours_timing)
            timing.ratios.append(turn(subject, timing) / ours_seconds)
    return Comparison(ours_timing, timings)
