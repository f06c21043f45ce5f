"""A file that a callback appends to, and that goes on where the state of a run says."""

from __future__ import annotations

import os
from typing import Any

from ..utils.numbers import is_integer, whole_number
from .callback import Callback, state_values


class LogFile:
    """Appends to a file; between two writes it is not open.

    Args:
        path: Where it is.

    Attributes:
        path: Where it is, as text.
        position: Where the last write has ended, in bytes; None before `begin`.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.position: int | None = None

    def begin(self, append: bool) -> None:
        """Makes the file, or goes on at its end.

        Args:
            append: Whether what is in the file stays.
        """
        with open(self.path, "ab" if append else "wb") as file:
            self.position = file.tell()

    def write(self, data: bytes) -> None:
        """Appends."""
        with open(self.path, "ab") as file:
            file.write(data)
            self.position = file.tell()

    def cut(self, owner: str, position: Any) -> None:
        """Takes away what was written after a position, and goes on there.

        Args:
            owner: Whose file it is, for messages.
            position: A former `position`.

        Raises:
            ValueError: It is no position of this file, which is shorter or not there.
        """
        if position is None:
            self.position = None
            return
        if position == 0:
            self.begin(append=False)
            return
        size = os.path.getsize(self.path) if os.path.exists(self.path) else -1
        if not is_integer(position) or position < 0 or size < position:
            has = "which is not there" if size < 0 else f"which has {size}"
            raise ValueError(
                f"{owner}: expected a file of at least {position!r} bytes at '{self.path}', to go "
                f"on after them, {has}"
            )
        os.truncate(self.path, position)
        self.position = position


class LogFileCallback(Callback):
    """Base class of callbacks that write one file.

    Args:
        filename: The file: text or a path.
        append: Whether `fit` appends to a file that is there. Otherwise it begins anew.

    Raises:
        TypeError: `filename` is neither.
    """

    def __init__(self, filename: str | os.PathLike[str], append: bool) -> None:
        super().__init__()
        if not isinstance(filename, (str, os.PathLike)):
            raise TypeError(
                f"{type(self).__name__}: expected filename to be text or a path, received "
                f"{filename!r}"
            )
        self.filename = os.fsdecode(filename)
        self.append = append
        self._file = LogFile(self.filename)
        self._goes_on = False  # whether the state of another process has been set for the next fit

    _remembered: tuple[str, ...] = ()  # attributes that belong to the state

    def get_state(self) -> dict[str, Any]:
        """{"position": length of the file so far in bytes, or None before the first `fit`}, and
        what else the callback needs to go on.
        """
        state = {"position": self._file.position}
        return state | {name: getattr(self, name) for name in self._remembered}

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes on in the file as it was when `get_state` was called: cuts off what came later."""
        position, *others = state_values(self, state, "position", *self._remembered)
        self._file.cut(f"{type(self).__name__}.set_state", position)
        for name, value in zip(self._remembered, others, strict=True):
            setattr(self, name, value)
        self._goes_on = position is not None

    def on_train_begin(self, logs: Any = None) -> None:
        if not self._goes_on:
            self._begin()
        self._goes_on = False

    def _begin(self) -> None:
        """Makes the file, or goes on at its end."""
        self._file.begin(self.append)


def batches_between(owner: str, update_freq: Any) -> int | None:
    """Every how many batches something is written: None for "epoch", 1 for "batch".

    Args:
        owner: Whose argument it is, for messages.
        update_freq: The argument.

    Raises:
        TypeError, ValueError: It is none of "epoch", "batch" and a positive integer.
    """
    if update_freq in ("epoch", "batch"):
        return None if update_freq == "epoch" else 1
    if isinstance(update_freq, str):
        raise ValueError(
            f"{owner}: expected update_freq to be 'epoch', 'batch' or a number of batches, "
            f"received {update_freq!r}"
        )
    return whole_number(owner, "update_freq", update_freq, 1)
