"""Epochs of a feed: what each of them runs over, and where a run is in its data."""

from __future__ import annotations

from typing import Any

from .. import config
from ..utils.warn import warn_user
from .loop import Feed


class Epochs:
    """Walks through a Feed in epochs of a given number of steps, as Keras's epoch iterator.

    Without `steps` an epoch is a pass: everything, in a new order. With `steps` an epoch goes on
    where the last one stopped; where the data end a new pass begins with the next epoch.
    `config.max_steps_per_epoch` limits both.

    Args:
        feed: The Feed.
        steps: Steps per epoch, or None.
        number: Number of the first pass, for the order.
    """

    def __init__(self, feed: Feed, steps: int | None, number: int = 0) -> None:
        limit = config.max_steps_per_epoch()
        wanted = steps or feed.batches
        if limit is not None and (wanted is None or limit < wanted):
            warn_user(f"Limiting the steps of an epoch to {limit}")
            steps = limit
        self.feed = feed
        self.steps = steps
        self.number = number
        self._open = self._running = False
        self._resumed: tuple[int, int] | None = None  # an epoch that `begin` goes on with

    @property
    def is_running(self) -> bool:
        """Whether an epoch has begun and not ended."""
        return self._running

    @property
    def length(self) -> int | None:
        """Steps of an epoch, or None where that is not known."""
        return self.steps or self.feed.batches

    @property
    def samples(self) -> int | None:
        """Rows of an epoch, or None where that is not known."""
        return None if self.length is None else self.feed.rows_before(self.length)

    def begin(self) -> int | None:
        """Begins the next epoch; returns how many steps it has, None for all that there are.

        After `set_state` within an epoch it goes on with that one, and returns how many are left.
        """
        feed, resumed = self.feed, self._resumed
        self._resumed = None
        if resumed is None:
            feed.on_epoch_begin()
            if self.steps is None or not self._open:
                feed.open(self.number)
                self.number += 1
                self._open = True
        limit = self.steps
        if limit is not None and resumed is not None:
            limit -= feed.position - resumed[0]
        if feed.batches is not None:
            left = feed.batches - feed.position
            limit = left if limit is None else min(limit, left)
        feed.limit(limit)
        if resumed is not None:
            feed.go_on(*resumed)
        self._running = True
        return limit

    def end(self, stopped: bool = False) -> None:
        """Ends the epoch.

        Args:
            stopped: Whether a callback has ended it.
        """
        feed = self.feed
        wanted = self.steps or feed.batches
        ended = feed.ends if wanted is None else feed.position - feed.first < wanted
        if ended and not stopped:
            warn_out_of_data(feed.kind, feed.steps, wanted)
            self._open = False
        elif feed.position == feed.batches:
            self._open = False
        feed.on_epoch_end()
        self._running = False

    def get_state(self) -> dict[str, Any]:
        """Where it is: the number of the pass, batches of it so far and, within an epoch, `first`,
        those before it, and its rows.
        """
        feed = self.feed
        state = {"number": self.number, "position": 0, "first": None, "rows": 0}
        if self._running:
            state.update(first=feed.first, rows=feed.rows)
        within = self._running or (self._open and self.steps is not None)
        if within:
            state.update(number=self.number - 1, position=feed.position)
        return {**state, "feed": feed.get_state(within), "within": within}

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes on from where `get_state` was called."""
        self.number = state["number"]
        self.feed.set_state(state["feed"], state["within"])
        self._open = state["within"]
        if state["within"]:
            self.feed.open(self.number)
            self.feed.skip(state["position"])
            self.number += 1
        if state["first"] is not None:
            self._resumed = state["first"], state["rows"]


def warn_out_of_data(kind: str, steps: int, wanted: int | None) -> None:
    """Keras's warning that an epoch ends early."""
    asked = "" if wanted is None else f" of {wanted}"
    warn_user(
        f"The {kind} ran out of data after {steps}{asked} steps, and the epoch ends there. It must "
        "have at least steps_per_epoch * epochs batches"
    )
