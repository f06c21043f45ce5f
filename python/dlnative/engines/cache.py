"""Programs of one model: kept by what they were built for, on one arena, run by turns."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

from ..changes import Basis

if TYPE_CHECKING:
    from .._core import Arena

_caches: weakref.WeakSet[ProgramCache] = weakref.WeakSet()
_held: list[ProgramCache] = []  # by a fork that is under way


class ProgramCache:
    """The programs that were used last; they share one arena, which grows to the largest.

    When the arena grows, programs built before are dropped: they hold addresses in the old one. So
    however many batch sizes a model sees, its programs take the memory of the largest. One of
    whose Basis something has changed is dropped; what was built while flags had other values is
    kept until they have these again.

    Args:
        kept: How many are kept.

    Attributes:
        lock: Held while programs are looked up and built.
        training: A lock for whoever changes state over several runs: one thread at a time.
        dropped: How often the kept programs were dropped; who holds one of them looks at it.
    """

    def __init__(self, kept: int) -> None:
        from .. import _core

        self.kept = kept
        self._make_locks()
        self.arena = _core.Arena()
        self.dropped = 0
        self._entries: dict[Hashable, list[tuple[Any, Basis]]] = {}
        _caches.add(self)

    def _make_locks(self) -> None:
        self.lock = threading.RLock()
        self.training = threading.RLock()

    def get(self, key: Hashable, build: Callable[[Arena], Any]) -> Any:
        """What `build(arena)` returned for this key; it is called where nothing current is kept."""
        return self.get_with_basis(key, build)[0]

    def get_with_basis(self, key: Hashable, build: Callable[[Arena], Any]) -> tuple[Any, Basis]:
        """The same, and what it was built from."""
        with self.lock:
            found = [entry for entry in self._entries.pop(key, ()) if not entry[1].is_outdated()]
            entry = next((entry for entry in found if entry[1].is_current()), None)
            if entry is None:
                entry = self._build(build)
                found.append(entry)
            self._entries[key] = found
            return entry

    def _build(self, build: Callable[[Arena], Any]) -> tuple[Any, Basis]:
        size = self.arena.bytes
        basis = Basis()
        with basis:
            built = build(self.arena)
        if self.arena.bytes > size:
            self.clear()
        elif len(self) >= self.kept:
            self._entries.pop(next(iter(self._entries)))
        return built, basis

    def clear(self) -> None:
        """Drops all programs."""
        self._entries.clear()
        self.dropped += 1

    def __len__(self) -> int:
        return sum(map(len, self._entries.values()))


# A child process is forked between two runs of every model, so that it finds whole steps; there the
# thread that forked is alone, and whatever others held is free.


def _before_fork() -> None:
    for cache in list(_caches):
        try:
            cache.arena.acquire()
        except RuntimeError:  # by this thread, whose run goes on in the child
            continue
        _held.append(cache)


def _after_fork_in_parent() -> None:
    while _held:
        _held.pop().arena.release()


def _after_fork_in_child() -> None:
    for cache in _held:
        cache.arena.reset_turns()
    _held.clear()
    for cache in list(_caches):
        cache._make_locks()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
