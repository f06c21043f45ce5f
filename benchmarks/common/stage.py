"""Brings the libraries on stage, gives each the same work, and times them in turn."""

from __future__ import annotations

import argparse
from typing import Any

from common.arguments import interpreter_for
from common.report import Case
from common.subjects import CeilingSubject, TaskSubject, WorkerError, WorkerProcess
from common.timer import Subject, compare


class Stage:
    """Our worker and the peers' workers.

    Args:
        arguments: The parsed shared options.
        threads: Threads for our library, and for the peers unless they are given their own.
        peers: Names of the peers that can do the benchmark's tasks.
        peer_threads: Threads for the peers, if they do best with another number than ours.
        pin: Whether processes of one thread are bound to a processor.

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
    ) -> None:
        self.arguments = arguments
        self.threads = threads
        self.workers: dict[str, WorkerProcess] = {}
        self.described: dict[str, dict[str, Any]] = {}
        self.missing: dict[str, str] = {}
        try:
            self.start(arguments.ours, threads, pin)
            if arguments.ours in self.missing:
                raise SystemExit(f"{arguments.ours}: {self.missing[arguments.ours]}")
            for name in peers:
                if name in arguments.peers and name != arguments.ours:
                    self.start(name, peer_threads or threads, pin)
        except BaseException:
            self.close()
            raise

    def start(self, name: str, threads: int, pin: bool) -> None:
        """Starts a worker, or notes why it is missing."""
        python = interpreter_for(name, self.arguments)
        worker = WorkerProcess(name, python, threads, pin=pin)
        try:
            self.described[name] = worker.request(do="describe")
            self.workers[name] = worker
        except WorkerError as error:
            self.missing[name] = str(error)
            worker.close()

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
        dtype: str = "float32",
        ours_variant: str | None = None,
        peers: list[str] | None = None,
        tolerance: float = 1e-3,
    ) -> Case:
        """Times one task on all libraries.

        Args:
            name: The case's name in the report.
            kind: The kind of task, see `workers/base.py`.
            spec: Its parameters.
            units: Steps in one repetition; the report shows times of one step.
            flops: Floating-point operations of one step; adds the FMA peak to the comparison.
            dtype: The type the peak is measured in.
            ours_variant: Which of our variants of the task to run; default: the first.
            peers: Take these peers only.
            tolerance: Relative difference of the checks up to which results agree.

        Returns:
            The times; libraries that failed are in its `gaps`.

        Raises:
            WorkerError: Our own library failed.
        """
        ours_name = self.arguments.ours
        variants = self.described[ours_name]["variants"].get(kind, [""])
        ours = self.prepare(ours_name, kind, ours_variant or variants[0], spec, ours_name)
        subjects, gaps = [], {}
        for peer in self.workers:
            if peer == ours_name or (peers is not None and peer not in peers):
                continue
            variants = self.described[peer]["variants"].get(kind, [])
            for variant in variants:
                label = f"{peer} {variant}" if len(variants) > 1 else peer
                try:
                    subjects.append(self.prepare(peer, kind, variant, spec, label))
                except WorkerError as error:
                    gaps[label] = str(error)
        others: list[Subject] = list(subjects)
        if flops is not None and self.query("fma_peak", dtype=dtype, seconds=0.001):
            worker = self.workers[ours_name]
            others.insert(0, CeilingSubject(worker, dtype, flops * units, self.threads))
        comparison = compare(
            ours,
            others,
            rounds=self.arguments.rounds,
            round_seconds=self.arguments.round_seconds,
            settle=self.arguments.settle,
        )
        disagreeing = [s.label for s in subjects if differs(s.check, ours.check, tolerance)]
        checks = {s.label: s.check for s in [ours, *subjects] if s.check is not None}
        for subject in [ours, *subjects]:
            subject.release()
        return Case(name, self.threads, comparison, units, flops, checks, disagreeing, gaps)

    def prepare(
        self, name: str, kind: str, variant: str, spec: dict[str, Any], label: str
    ) -> TaskSubject:
        """Prepares a task in a worker."""
        worker = self.workers[name]
        answer = worker.request(do="prepare", kind=kind, variant=variant, spec=spec)
        return TaskSubject(label, worker, answer["key"], answer["check"])


def differs(value: float | None, expected: float | None, tolerance: float) -> bool:
    """Returns whether two checks, if both are given, differ by more than a relative tolerance."""
    if value is None or expected is None:
        return False
    return not abs(value - expected) <= tolerance * max(abs(value), abs(expected))
