"""Signals that end a command, as exceptions that can wait until what counts has been written."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

__all__ = ["Interrupted", "as_exceptions", "held", "released"]

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl-C, kill, a terminal that is closed


class Interrupted(KeyboardInterrupt):
    """Raised by a signal.

    Attributes:
        number: Of the signal.
        remark: What the user should know besides.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.remark = ""


class _State:
    held = False  # inside of `held`
    released = False  # and inside of `released` in it
    pending: int | None = None


@contextlib.contextmanager
def as_exceptions() -> Iterator[None]:
    """The signals that would end the process raise `Interrupted` instead, so that it tidies up.

    One that is ignored (as by nohup) stays ignored, and one that has a handler keeps it.
    """
    if threading.current_thread() is not threading.main_thread():  # Python has no signals there
        yield
        return
    former = {}
    try:
        for name in _NAMES:
            number = getattr(signal, name, None)
            if number is None:  # SIGHUP, on Windows
                continue
            handler = signal.getsignal(number)
            if handler in (signal.SIG_DFL, signal.default_int_handler):
                former[number] = handler
                signal.signal(number, _handle)
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Signals wait until the block ends, except while a block of `released` runs in it."""
    _State.held = True
    try:
        yield
    finally:
        _State.held = False
        _raise_pending()


@contextlib.contextmanager
def released() -> Iterator[None]:
    """A part of a block of `held` that the first signal ends; from then on they wait again."""
    _State.released = True
    try:
        _raise_pending()
        yield
    finally:
        _State.released = False


def _handle(number: int, frame: FrameType | None) -> None:
    if _State.held and not _State.released:
        _State.pending = number
        return
    _State.released = False  # what follows in the block of `held` is not interrupted
    raise Interrupted(number)


def _raise_pending() -> None:
    number, _State.pending = _State.pending, None
    if number is not None:
        raise Interrupted(number)
