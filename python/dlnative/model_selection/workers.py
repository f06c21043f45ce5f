"""A function of many arguments, computed in several processes."""

from __future__ import annotations

import multiprocessing
import pickle
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

Argument = TypeVar("Argument")
Result = TypeVar("Result")

_function: Callable[[Any], Any] | None = None  # of a worker


def in_processes(
    function: Callable[[Argument], Result], arguments: Sequence[Argument], workers: int
) -> list[Result]:
    """[function(a) for a in arguments], computed by so many processes, each with one thread.

    Where the system has `fork` the processes are copies of this one, so that the function may be
    any; elsewhere it is sent to them and has to be picklable.

    Raises:
        RuntimeError: A process has ended.
        TypeError: The function is not picklable, and the system has no `fork`.
        Exception: What the function raises; nothing further is begun then.
    """
    has_fork = "fork" in multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("fork" if has_fork else "spawn")
    if not has_fork:
        try:
            pickle.dumps(function)
        except Exception as error:
            raise TypeError(f"expected a function that can be pickled: {error}") from error
    with warnings.catch_warnings():
        # Python 3.12 warns of threads beside `fork`; those of the core are ready for it.
        warnings.filterwarnings("ignore", message=".*multi-threaded", category=DeprecationWarning)
        with ProcessPoolExecutor(workers, context, _begin, (function,)) as pool:
            futures: list[Future[Result]] = [pool.submit(_call, each) for each in arguments]
            try:
                return [future.result() for future in futures]
            except BrokenProcessPool as error:
                raise RuntimeError(
                    "a worker process has ended: it was killed, perhaps for want of memory"
                ) from error
            finally:
                pool.shutdown(wait=False, cancel_futures=True)


def _begin(function: Callable[[Any], Any]) -> None:
    global _function
    from .. import config

    _function = function
    config.set_num_threads(1)


def _call(argument: Any) -> Any:
    assert _function is not None
    return _function(argument)
