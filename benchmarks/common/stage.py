"""Brings the libraries on stage, gives each the same work, and times them in turn."""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common.arguments import interpreter_for
from common.report import Case
from common.subjects import (
    OUT_OF_CACHE,
    BandwidthSubject,
    PeakSubject,
    TaskSubject,
    WorkerError,
    WorkerProcess,
)
from common.timer import Subject, compare

# Seconds of silence after which it is said what took so long: compilers, the first time.
PATIENCE = 10.0

# For single operations: the C library then keeps the memory of results for the next, so that
# peers do not pay for fresh pages in every call. Only we give our results a place beforehand.
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(8 << 30)}

# For networks, which XLA compiles for up to a minute: what it has compiled it keeps on disk for the
# next run, as PyTorch's compiler does anyway.
KEEP_COMPILED = {
    "JAX_COMPILATION_CACHE_DIR": str(Path(tempfile.gettempdir()) / "dlnative-benchmarks-jax"),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "1",
}


class Stage:
    """Our worker and the peers' workers.

    Args:
        arguments: The parsed shared options.
        threads: Threads for our library, and for the peers unless they are given their own.
        peers: Names of the peers that can do the benchmark's tasks.
        peer_threads: Threads for the peers, if they do best with another number than ours.
        pin: Whether processes of one thread are bound to a processor.
        environment: Environment variables for the peers.

    Attributes:
        described: What each worker said of itself, by name.
        missing: Peers that are not here, with the reason.
    """

    def __init__(
        self,
        arguments: argparse.Namespace,
        threads: int,
        peers: list[str],
        *,
        peer_threads: int | None = None,
        pin: bool = True,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.arguments = arguments
        self.threads = threads
        self.pin = pin
        self.environment = environment or {}
        self.workers: dict[str, WorkerProcess] = {}
        self.described: dict[str, dict[str, Any]] = {}
        self.missing: dict[str, str] = {}
        try:
            self.start(arguments.ours, threads)
            if arguments.ours in self.missing:
                raise SystemExit(f"{arguments.ours}: {self.missing[arguments.ours]}")
            for name in peers:
                if name in arguments.peers and name != arguments.ours:
                    self.start(name, peer_threads or threads)
        except BaseException:
            self.close()
            raise

    def start(self, name: str, threads: int) -> None:
        """Starts a worker, or notes why it is missing."""
        worker = self.process(name, threads)
        try:
            self.described[name] = worker.request(do="describe")
            self.workers[name] = worker
        except WorkerError as error:
            self.missing[name] = str(error)
            worker.close()

    def process(self, name: str, threads: int) -> WorkerProcess:
        """Starts a process for a library."""
        python = interpreter_for(name, self.arguments)
        environment = {} if name == self.arguments.ours else self.environment
        return WorkerProcess(name, python, threads, pin=self.pin, environment=environment)

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends all workers."""
        for worker in self.workers.values():
            worker.close()
        self.workers.clear()

    def query(self, query: str, **spec: Any) -> dict[str, Any]:
        """Asks our worker a question of its own; returns {} if it cannot answer."""
        try:
            return self.workers[self.arguments.ours].request(do="query", name=query, spec=spec)
        except WorkerError:
            return {}

    def selected(self, name: str) -> bool:
        """Returns whether the case was asked for."""
        return self.arguments.only in name

    def run(
        self,
        name: str,
        kind: str,
        spec: dict[str, Any],
        *,
        units: int = 1,
        flops: float | None = None,
        moved: float | None = None,
        copied: int = OUT_OF_CACHE,
        dtype: str = "float32",
        ours_variant: str | None = None,
        ours_too: tuple[str, ...] = (),
        peers: list[str] | None = None,
        tolerance: float = 1e-3,
        rounds: int | None = None,
        also_ran: float = math.inf,
    ) -> Case:
        """Times one task on all libraries.

        Args:
            name: The case's name in the report.
            kind: The kind of task, see `workers/base.py`.
            spec: Its parameters.
            units: Steps in one repetition; the report shows times of one step.
            flops: Floating-point operations of one step; adds the FMA peak to the comparison.
            moved: Bytes that one step reads and writes; adds the bandwidth to the comparison.
            copied: Bytes of each of the two arrays whose copies measure it.
            dtype: The type the peak is measured in.
            ours_variant: Which of our variants of the task to run; default: the first.
            ours_too: More of our variants, which are timed beside it.
            peers: Take these peers only.
            tolerance: Relative difference of the checks up to which results agree.
            rounds: Number of rounds, if not that of the command line.
            also_ran: See `common/timer.py`.

        Returns:
            The times; libraries that failed are in its `gaps`.

        Raises:
            WorkerError: Our own library failed.
        """
        ours_name = self.arguments.ours
        variants = self.described[ours_name]["variants"].get(kind, [""])
        ours = self.prepare(ours_name, kind, ours_variant or variants[0], spec, ours_name)
        subjects, gaps = [], {}
        for variant in ours_too:
            subjects.append(self.prepare(ours_name, kind, variant, spec, variant))
        for peer, variant, label in self.modes(kind, peers):
            try:
                subjects.append(self.prepare(peer, kind, variant, spec, label))
            except WorkerError as error:
                gaps[label] = str(error)
        comparison = compare(
            ours,
            [*self.ceilings(units, flops, moved, copied, dtype), *subjects],
            rounds=rounds or self.arguments.rounds,
            round_seconds=self.arguments.round_seconds,
            settle=self.arguments.settle,
            also_ran=also_ran,
        )
        disagreeing = [s.label for s in subjects if differs(s.check, ours.check, tolerance)]
        checks = {s.label: s.check for s in [ours, *subjects] if s.check is not None}
        for subject in [ours, *subjects]:
            subject.release()
        return Case(
            name,
            self.threads,
            comparison,
            units=units,
            flops=flops,
            moved=moved,
            note=ours.note,
            checks=checks,
            disagreeing=disagreeing,
            gaps=gaps,
        )

    def modes(self, kind: str, peers: list[str] | None = None) -> list[tuple[str, str, str]]:
        """Returns library, variant and label of every mode of the peers that does a task.

        Args:
            kind: The kind of task.
            peers: Take these peers only.
        """
        found = []
        for peer in self.workers:
            if peer == self.arguments.ours or (peers is not None and peer not in peers):
                continue
            variants = self.described[peer]["variants"].get(kind, [])
            for variant in variants:
                label = f"{peer} {variant}" if len(variants) > 1 else peer
                if not any(text in label for text in self.arguments.skip):
                    found.append((peer, variant, label))
        return found

    def ceilings(
        self, units: int, flops: float | None, moved: float | None, copied: int, dtype: str
    ) -> list[Subject]:
        """Returns the ceilings of the machine that our worker can measure."""
        worker = self.workers[self.arguments.ours]
        found: list[Subject] = []
        if flops is not None and self.query("fma_seconds", dtype=dtype, flops=1.0):
            found.append(PeakSubject(worker, dtype, flops * units, self.threads))
        if moved is not None and self.query("copy_seconds", bytes=1.0, size=1 << 20):
            found.append(BandwidthSubject(worker, moved * units, copied))
        return found

    def prepare(
        self, name: str, kind: str, variant: str, spec: dict[str, Any], label: str
    ) -> TaskSubject:
        """Prepares a task in a worker."""
        worker = self.workers[name]
        begin = time.perf_counter()
        answer = worker.request(do="prepare", kind=kind, variant=variant, spec=spec)
        seconds = time.perf_counter() - begin
        if seconds > PATIENCE:
            print(f"{'':4}{label}: {seconds:.0f} s to prepare", file=sys.stderr, flush=True)
        return TaskSubject(label, worker, answer["key"], answer["check"], answer["note"])

    def peak_memory(self, name: str, kind: str, variant: str, spec: dict[str, Any]) -> int:
        """Returns the memory that training needs at most.

        What the process holds with the library imported and the data and initial weights drawn does
        not count. A process of its own prepares the task, which trains a first epoch, and repeats
        it once.

        Raises:
            WorkerError: The library cannot do it.
        """
        worker = self.process(name, self.threads)
        try:
            worker.request(do="describe")
            request = {"do": "query", "name": "memory_before", "spec": {"training": spec}}
            before = worker.request(**request)["bytes"]
            key = worker.request(do="prepare", kind=kind, variant=variant, spec=spec)["key"]
            worker.request(do="measure", key=key, repetitions=1)
            after = worker.request(do="query", name="peak_memory", spec={})["bytes"]
        finally:
            worker.close()
        return int(after - before)


def differs(value: float | None, expected: float | None, tolerance: float) -> bool:
    """Returns whether two checks, if both are given, differ by more than a relative tolerance."""
    if value is None or expected is None:
        return False
    return not abs(value - expected) <= tolerance * max(abs(value), abs(expected))


def compare_threads(
    name: str,
    kind: str,
    spec: dict[str, Any],
    one: Stage,
    many: Stage,
    *,
    units: int = 1,
    variant: str | None = None,
) -> Case:
    """Times one task of our library with a single thread and with several.

    Args:
        name: The case's name in the report.
        kind: The kind of task.
        spec: Its parameters.
        one: A stage of one thread, like `many` not bound to a processor.
        many: A stage of several threads; the case counts as its own.
        units: Steps in one repetition.
        variant: Which of our variants of the task to run; default: the first.
    """
    arguments = many.arguments
    ours = arguments.ours
    variant = variant or many.described[ours]["variants"][kind][0]
    theirs = one.prepare(ours, kind, variant, spec, "one thread")
    subject = many.prepare(ours, kind, variant, spec, f"{many.threads} threads")
    comparison = compare(
        subject,
        [theirs],
        rounds=arguments.rounds,
        round_seconds=arguments.round_seconds,
        settle=arguments.settle,
    )
    subject.release()
    theirs.release()
    return Case(name, many.threads, comparison, units)
