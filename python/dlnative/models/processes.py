"""A process that makes the batches of a data set."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import traceback
from multiprocessing.connection import Connection, wait
from typing import Any

GRACE = 1.0  # seconds that a process has for its end before it is terminated


class WorkerTraceback(Exception):
    """The cause of an error that was raised in a worker process: its traceback there, as text."""

    def __str__(self) -> str:
        return f"\n\n{self.args[0]}"


class WorkerProcess:
    """Calls `dataset[index]` in a process of its own.

    Args:
        dataset: The data set, which is copied.
        kind: What to call it in messages.
    """

    def __init__(self, dataset: Any, kind: str) -> None:
        context: Any = multiprocessing.get_context()
        self._kind = kind
        self._connection, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(dataset, there), daemon=True)
        self._process.start()
        there.close()  # or the end of the process would not be seen here

    def __call__(self, index: int) -> Any:
        """The item.

        Raises:
            RuntimeError: The process has ended.
            Exception: What was raised there.
        """
        try:
            self._connection.send(index)
            wait([self._connection, self._process.sentinel])
            if not self._connection.poll():
                raise EOFError
            done, value = self._connection.recv()
        except (EOFError, OSError):
            self._process.join(GRACE)
            raise RuntimeError(
                f"{self._kind}: the worker process that made batch {index} ended with exit code "
                f"{self._process.exitcode}; it was killed, perhaps for want of memory"
            ) from None
        if done:
            return value
        error, text = value
        raise error from WorkerTraceback(text)

    def close(self, now: bool) -> None:
        """Ends the process: after what it does, or `now`."""
        try:
            if now:
                self._process.terminate()
            else:
                self._connection.send(None)
                self._process.join(GRACE)
        except OSError:  # it has ended already
            pass
        if self._process.is_alive():
            self._process.terminate()
        self._process.join(GRACE)
        self._connection.close()


def _serve(dataset: Any, connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that trains
    while True:
        try:
            index = connection.recv()
        except (EOFError, OSError):
            return
        if index is None:
            return
        try:
            answer = pickle.dumps((True, dataset[index]), pickle.HIGHEST_PROTOCOL)
        except BaseException as error:
            text = traceback.format_exc()
            answer = pickle.dumps((False, (_portable(error), text)))
        try:
            connection.send_bytes(answer)
        except OSError:
            return


def _portable(error: BaseException) -> BaseException:
    """The error itself where it survives pickling, else one that says the same."""
    try:
        if type(pickle.loads(pickle.dumps(error))) is type(error):
            return error
    except Exception:
        pass
    return RuntimeError(f"{type(error).__name__}: {error}")
