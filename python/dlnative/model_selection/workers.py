"""A function of many arguments, computed in several processes."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import signal
import threading
import warnings
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from signal import SIG_DFL, SIG_IGN
from typing import Any, TypeVar

Argument = TypeVar("Argument")
Result = TypeVar("Result")

_function: Callable[[Any], Any] | None = None  # of a worker


def in_processes(
    function: Callable[[Argument], Result], arguments: Sequence[Argument], workers: int
) -> Generator[tuple[int, Result | Exception], None, None]:
    """(i, function(arguments[i])) as they come, computed by processes that have one thread each.

    Where the system has `fork` the processes are copies of this one, so that the function may be
    any; elsewhere it is sent to them and has to be picklable. What it raises is yielded like a
    result. When the iterator is closed, or this process is interrupted, those that run are ended.

    Raises:
        RuntimeError: A process has ended.
        TypeError: The function is not picklable, and the system has no `fork`.
    """
    has_fork = "fork" in multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("fork" if has_fork else "spawn")
    if not has_fork:
        try:
            pickle.dumps(function)
        except Exception as error:
            raise TypeError(f"expected a function that can be pickled: {error}") from error
    pool = ProcessPoolExecutor(workers, context, _begin, (function,))
    processes: list[Any] = []
    try:
        with warnings.catch_warnings():
            # Python 3.12, and JAX where it is imported, warn of threads beside `fork`; those of the
            # core are ready for it, and a worker uses no others.
            warnings.filterwarnings(
                "ignore", message=".*multi-threaded", category=DeprecationWarning
            )
            warnings.filterwarnings("ignore", message=r"os\.fork", category=RuntimeWarning)
            futures = {pool.submit(_call, each): i for i, each in enumerate(arguments)}
        processes = list(pool._processes.values())
        for future in as_completed(futures):
            yield futures.pop(future), _outcome(future)
        processes = []
    finally:
        for process in processes:
            process.terminate()
        pool.shutdown(cancel_futures=True)


def _outcome(future: Future[Result]) -> Result | Exception:
    try:
        return future.result()
    except BrokenProcessPool as broken:
        raise RuntimeError(
            "a worker process has ended: it was killed, perhaps for want of memory"
        ) from broken
    except Exception as error:
        return error


def _begin(function: Callable[[Any], Any]) -> None:
    global _function
    from .. import config

    # Ctrl-C and the end of a terminal reach all processes: the first one says what becomes of it.
    for name, handler in (("INT", SIG_IGN), ("HUP", SIG_IGN), ("TERM", SIG_DFL)):
        if hasattr(signal, f"SIG{name}"):  # no SIGHUP on Windows
            signal.signal(getattr(signal, f"SIG{name}"), handler)
    gc.freeze()  # what was there before the fork stays shared, and no collection goes through it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _function = function
    config.set_num_threads(1)


def _end_with_parent() -> None:
    """A process that is killed cannot end its workers, which would wait for it for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _call(argument: Any) -> Any:
    assert _function is not None
    try:
        return _function(argument)
    except Exception as error:
        raise _portable(error) from error


def _portable(error: Exception) -> Exception:
    """The error, or another with its message where it cannot be sent to another process."""
    try:
        copy = pickle.loads(pickle.dumps(error))
    except Exception:
        copy = None
    return error if type(copy) is type(error) else RuntimeError(f"{type(error).__name__}: {error}")
