"""The libraries compared: one long-lived process each, driven one at a time over a pipe."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from typing import Any

from common.machine import BENCHMARKS, usable_cpus
from common.timer import BANDWIDTH, PEAK

THREAD_VARIABLES = (
    "DLNATIVE_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)


# Bytes of an array that no cache holds.
OUT_OF_CACHE = 96 << 20


class WorkerError(RuntimeError):
    """A worker could not do what it was asked to; the message says what and why."""


class WorkerProcess:
    """A process in which one library runs.

    Args:
        name: The library: `workers/<name>_worker.py`.
        python: Interpreter that has the library installed.
        threads: Threads the library may use. With one thread the process is also bound to one
            processor, the only limit that every library respects.
        pin: Whether to bind a process of one thread to a processor.
        environment: Further environment variables.
        timeout: Seconds after which a request is given up and the process ended.
    """

    def __init__(
        self,
        name: str,
        python: str,
        threads: int,
        *,
        pin: bool = True,
        environment: dict[str, str] | None = None,
        timeout: float = 900.0,
    ) -> None:
        self.name = name
        self.timeout = timeout
        command = [python, str(BENCHMARKS / "worker.py"), name, "--threads", str(threads)]
        if threads == 1 and pin:
            command += ["--cpu", str(usable_cpus()[-1])]
        variables = dict.fromkeys(THREAD_VARIABLES, str(threads))
        # A file, not a pipe: nobody reads it unless the process ends, and a full pipe blocks.
        self.errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env={**os.environ, **variables, **(environment or {})},
        )

    def request(self, **message: Any) -> dict[str, Any]:
        """Sends a request and waits for its answer; requests are listed in `workers/base.py`.

        Raises:
            WorkerError: The worker answered with an error, ended, or did not answer in time.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        watchdog = threading.Timer(self.timeout, self.process.kill)
        watchdog.start()
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            watchdog.cancel()
        if not line:
            raise WorkerError(f"the process ended: {self.last_words()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(str(answer["error"]))
        return answer

    def last_words(self) -> str:
        """Returns the last line the process wrote to its standard error."""
        self.process.wait(timeout=10)
        self.errors.seek(0)
        lines = self.errors.read().strip().splitlines()
        return lines[-1] if lines else f"exit status {self.process.returncode}"

    def close(self) -> None:
        """Ends the process."""
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.errors.close()


@dataclass
class TaskSubject:
    """A task prepared in a worker, to be timed there."""

    label: str
    worker: WorkerProcess
    key: int
    check: float | None
    note: str = ""

    def measure(self, repetitions: int) -> float:
        answer = self.worker.request(do="measure", key=self.key, repetitions=repetitions)
        return float(answer["seconds"])

    def release(self) -> None:
        """Frees what the task holds."""
        self.worker.request(do="release", key=self.key)


@dataclass
class PeakSubject:
    """The FMA peak of the machine, as if it were a library.

    A repetition is as many FLOPs as ours, divided among the threads, all of them fused
    multiply-adds on the registers of one core in our own worker's process. Turns are as long as
    those of a library, and their mean counts like a library's. The time over ours is the share of
    the peak that we reach.
    """

    worker: WorkerProcess
    dtype: str
    flops: float
    threads: int
    label: str = PEAK

    def measure(self, repetitions: int) -> float:
        flops = self.flops * repetitions / self.threads
        answer = self.worker.request(
            do="query", name="fma_seconds", spec={"dtype": self.dtype, "flops": flops}
        )
        return float(answer["seconds"]) / repetitions


@dataclass
class BandwidthSubject:
    """The memory bandwidth of the machine, as if it were a library.

    A repetition copies until as many bytes as ours are read and written, on all threads of our own
    worker's process, between buffers of `size` bytes, larger than any cache. The time over ours is
    the share of the memory bandwidth that we reach.
    """

    worker: WorkerProcess
    bytes: float
    size: int = OUT_OF_CACHE
    label: str = BANDWIDTH

    def measure(self, repetitions: int) -> float:
        answer = self.worker.request(
            do="query",
            name="copy_seconds",
            spec={"bytes": self.bytes * repetitions, "size": self.size},
        )
        return float(answer["seconds"]) / repetitions
