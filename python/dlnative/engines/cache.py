"""Programs of one model: kept by what they were built for, on one pool of arenas."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

from .. import changes, placement
from ..changes import Basis

if TYPE_CHECKING:
    from .._core import ArenaPool

_caches: weakref.WeakSet[ProgramCache] = weakref.WeakSet()
_held: list[Any] = []  # what keeps all variables as they are, by a fork that is under way


class ProgramCache:
    """The programs that were used last, with the arenas on which they run.

    What is kept is a plan with the programs that were built from it. An arena grows to the largest
    plan that is run on it; then programs that hold addresses in the old one are built anew from
    their plans when they are run. So however many batch sizes a model sees, its programs take the
    memory of the largest, for each thread that runs one at the same time as others. One of whose
    Basis something has changed is dropped; what was built while flags had other values is kept
    until they have these again.

    Args:
        kept: How many are kept.

    Attributes:
        lock: Held while programs are looked up and noted.
        training: A lock for whoever changes state over several runs: one thread at a time.
        arenas: The arenas.
    """

    def __init__(self, kept: int) -> None:
        from .. import _core

        self.kept = kept
        self._make_locks()
        self.arenas = _core.ArenaPool()
        self._entries: dict[Hashable, list[tuple[Any, Basis]]] = {}
        _caches.add(self)

    def _make_locks(self) -> None:
        self.lock = threading.RLock()
        self.training = threading.RLock()

    def get(self, key: Hashable, build: Callable[[ArenaPool], Any]) -> Any:
        """What `build(arenas)` has returned for this key; called where nothing current is kept."""
        return self.get_with_basis(key, build)[0]

    def get_with_basis(self, key: Hashable, build: Callable[[ArenaPool], Any]) -> tuple[Any, Basis]:
        """The same, and what it was built from."""
        entry = self._find(key)
        if entry is not None:
            return entry
        with changes.tracing:
            entry = self._find(key)  # another thread may have been faster
            if entry is not None:
                return entry
            basis = Basis()
            with basis:
                built = build(self.arenas)
            with self.lock:
                if len(self) >= self.kept:
                    self._entries.pop(next(iter(self._entries)))
                self._entries.setdefault(key, []).append((built, basis))
            return built, basis

    def _find(self, key: Hashable) -> tuple[Any, Basis] | None:
        with self.lock:
            found = [entry for entry in self._entries.pop(key, ()) if not entry[1].is_outdated()]
            if found:
                self._entries[key] = found
            return next((entry for entry in found if entry[1].is_current()), None)

    def clear(self) -> None:
        """Drops all programs."""
        self._entries.clear()

    def __len__(self) -> int:
        return sum(map(len, self._entries.values()))


# A child process is forked between two steps of every program, so that it finds whole ones; there
# the thread that forked is alone, and whatever others held is free.


def _before_fork() -> None:
    from .. import _core

    with placement.placing:
        held = _core.Exclusive(sorted(placement.locks, key=lambda lock: lock.number))
        held.__enter__()
    _held.append(held)


def _after_fork_in_parent() -> None:
    while _held:
        _held.pop().__exit__()


def _after_fork_in_child() -> None:
    placement.placing = threading.Lock()
    changes.tracing = threading.RLock()
    for lock in list(placement.locks):
        lock.reset_in_child()
    _after_fork_in_parent()
    for cache in list(_caches):
        cache.arenas.reset_in_child()
        cache._make_locks()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
