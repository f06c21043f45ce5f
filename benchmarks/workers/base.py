"""What a worker answers, and what a library must offer to be timed.

Requests and answers are JSON objects, one a line:

    {"do": "describe"}                                    -> versions, threads, variants of tasks
    {"do": "prepare", "kind", "variant", "spec"}          -> {"key", "check", "note"}
    {"do": "measure", "key", "repetitions"}               -> {"seconds"}  mean of one repetition
    {"do": "release", "key"}                              -> {}
    {"do": "query", "name", "spec"}                       -> whatever the worker's query returns

Anything that goes wrong is answered with {"error": message}. The worker reads its own clock around
its own loop, so the pipe costs nothing in any figure.

Kinds of task:
    matmul          one product of two matrices
    train           `epochs` epochs over a data set, shuffled, in the library's best mode
    train_on_batch  one update on one batch that is already in memory
    predict         the outputs for one row, as a NumPy array
    start           build a model, compile it, train one epoch: all a user waits for
    train_images    as `train`, for convolutional networks
    infer           the outputs for a batch of images, from NumPy arrays to a NumPy array
    conv, pool, norm  one operation of `common/operations.py` on tensors that stay where they are
    primitive, composition, update  one call of `common/formulas.py`, likewise
    fit_many        `models` models, each built and trained as by `train`
    callers         predictions of several threads side by side (dlnative only)
    written_step    as `train`, of a model some parts of which are a user's (dlnative only)
"""

from __future__ import annotations

import contextlib
import gc
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, TextIO

import numpy as np

from workers.allocations import resident_bytes
from workers.data import keep, magnitude

Spec = dict[str, Any]

# A repetition of this many seconds needs no other before it to warm the caches.
LONG = 0.25


class Unsupported(Exception):
    """The library cannot do this task; the table shows a gap."""


def nothing() -> None:
    """Does nothing."""


@dataclass
class Task:
    """A piece of work to repeat.

    Attributes:
        run: One repetition; its result is complete when it returns.
        reset: Called before each round, untimed.
        check: A number all libraries must agree on, which shows that they did the same work.
        note: How it is done, for the table.
    """

    run: Callable[[], object]
    reset: Callable[[], None] = nothing
    check: float | None = None
    note: str = ""


class Trainer(Protocol):
    """A model with its optimizer and data, ready to train."""

    def fit(self, epochs: int, shuffle: bool) -> float:
        """Trains and returns the mean loss of the last epoch."""

    def restore(self) -> None:
        """Sets the weights back to their initial values."""

    def train_on_batch(self) -> object:
        """Makes one update with the first batch of the data and returns when it is done."""

    def predict(self) -> object:
        """Computes the outputs for the first row as a NumPy array."""


class Predictor(Protocol):
    """A model and images, ready to predict."""

    def predict(self) -> Any:
        """Returns the outputs for all images as a NumPy array."""


class BaseWorker:
    """The tasks that are alike for all libraries.

    A worker's module has a class `Worker` derived from this one. It overrides some of `trainer`,
    `predictor`, `prepare_matmul` and `prepare_operation`, and says in `variants` which of its modes
    take part in which kind.
    """

    variants: ClassVar[dict[str, list[str]]] = {}

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def versions(self) -> dict[str, str]:
        """Returns the versions of the libraries in use."""
        raise NotImplementedError

    def facts(self) -> dict[str, object]:
        """Returns what else a reader should know, for instance the instruction set in use."""
        return {}

    def trainer(self, spec: Spec, variant: str) -> Trainer:
        """Builds a model with its data."""
        raise Unsupported("no training")

    def predictor(self, spec: Spec, variant: str) -> Predictor:
        """Builds a model for inference with its images."""
        raise Unsupported("no inference")

    def prepare_operation(self, spec: Spec, variant: str) -> Task:
        """Prepares an operation of `common/operations.py`."""
        raise Unsupported("no single operations")

    def prepare_conv(self, spec: Spec, variant: str) -> Task:
        return self.prepare_operation(spec, variant)

    def prepare_pool(self, spec: Spec, variant: str) -> Task:
        return self.prepare_operation(spec, variant)

    def prepare_norm(self, spec: Spec, variant: str) -> Task:
        return self.prepare_operation(spec, variant)

    def prepare_primitive(self, spec: Spec, variant: str) -> Task:
        """Prepares a primitive of `common/formulas.py`."""
        raise Unsupported("no primitives")

    def prepare_composition(self, spec: Spec, variant: str) -> Task:
        """Prepares an activation or loss of `common/formulas.py`."""
        raise Unsupported("no compositions")

    def prepare_update(self, spec: Spec, variant: str) -> Task:
        """Prepares an update of `common/formulas.py`."""
        raise Unsupported("no updates")

    def prepare_written_step(self, spec: Spec, variant: str) -> Task:
        """Prepares training of a model some parts of which are written with ops."""
        raise Unsupported("no parts written with ops")

    def prepare_gan(self, spec: Spec, variant: str) -> Task:
        """Prepares a step of the GAN of `common/gan.py`."""
        raise Unsupported("no GAN")

    def prepare_fit_many(self, spec: Spec, variant: str) -> Task:
        """Prepares a loop in which models are built and trained one after the other."""
        training = spec["training"]
        keep(training)

        def run() -> None:
            for _ in range(spec["models"]):
                self.trainer(training, variant).fit(training["epochs"], shuffle=True)

        return Task(run)

    def prepare_matmul(self, spec: Spec, variant: str) -> Task:
        """Prepares a product; `spec` has m, n, k, dtype, transpose_a, transpose_b, seed."""
        raise Unsupported("no matmul")

    def prepare_train(self, spec: Spec, variant: str) -> Task:
        """Prepares training; the check is the loss of one epoch in the data's own order.

        A trainer whose timed mode differs a little from what all agree on has a `check` of its own.
        """
        trainer = self.trainer(spec, variant)
        check = trainer.check() if hasattr(trainer, "check") else trainer.fit(1, shuffle=False)
        return Task(lambda: trainer.fit(spec["epochs"], shuffle=True), trainer.restore, check)

    def prepare_train_images(self, spec: Spec, variant: str) -> Task:
        return self.prepare_train(spec, variant)

    def prepare_infer(self, spec: Spec, variant: str) -> Task:
        """Prepares predictions; the check is the mean absolute output."""
        predictor = self.predictor(spec, variant)
        own = getattr(predictor, "check", None)
        return Task(predictor.predict, check=own() if own else magnitude(predictor.predict()))

    def prepare_train_on_batch(self, spec: Spec, variant: str) -> Task:
        """Prepares single updates."""
        trainer = self.trainer(spec, variant)
        return Task(trainer.train_on_batch, trainer.restore)

    def prepare_predict(self, spec: Spec, variant: str) -> Task:
        """Prepares single predictions; the check is the first output."""
        trainer = self.trainer(spec, variant)
        return Task(trainer.predict, check=float(np.asarray(trainer.predict()).ravel()[0]))

    def prepare_start(self, spec: Spec, variant: str) -> Task:
        """Prepares building and training a model from nothing."""
        return Task(lambda: self.trainer(spec, variant).fit(1, shuffle=True))

    def released(self) -> None:
        """Called after a task was dropped."""

    def query_memory_before(self, training: Spec) -> dict[str, int]:
        """Draws data and weights and returns the memory of this process, where the peak starts."""
        keep(training)
        gc.collect()
        with contextlib.suppress(OSError):  # Linux: forget the peak that the import may have had
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return {"bytes": resident_bytes()}

    def query_peak_memory(self) -> dict[str, int]:
        """Returns the most physical memory that this process has held."""
        import resource  # not everywhere

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {"bytes": peak * (1 if sys.platform == "darwin" else 1024)}


def measure(task: Task, repetitions: int) -> float:
    """Returns the mean seconds of one repetition, after one that is not timed.

    A repetition so long that cold caches do not matter is timed from the first. The garbage
    collector stays off meanwhile, for every library alike.
    """
    task.reset()
    gc.collect()
    gc.disable()
    try:
        run = task.run
        begin = time.perf_counter()
        run()
        seconds = time.perf_counter() - begin
        if seconds >= LONG and repetitions == 1:
            return seconds
        begin = time.perf_counter()
        for _ in range(repetitions):
            run()
        return (time.perf_counter() - begin) / repetitions
    finally:
        gc.enable()


class Server:
    """Keeps the tasks of one worker and answers requests."""

    def __init__(self, worker: BaseWorker) -> None:
        self.worker = worker
        self.tasks: dict[int, Task] = {}
        self.next_key = 0

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Carries out one request; see the top of this file."""
        what = request.pop("do")
        answer: dict[str, Any] = getattr(self, f"do_{what}")(**request)
        return answer

    def do_describe(self) -> dict[str, Any]:
        return {
            "versions": self.worker.versions(),
            "threads": self.worker.threads,
            "variants": self.worker.variants,
            "facts": self.worker.facts(),
        }

    def do_prepare(self, kind: str, variant: str, spec: Spec) -> dict[str, Any]:
        task = getattr(self.worker, f"prepare_{kind}")(spec, variant)
        self.next_key += 1
        self.tasks[self.next_key] = task
        return {"key": self.next_key, "check": task.check, "note": task.note}

    def do_measure(self, key: int, repetitions: int) -> dict[str, Any]:
        return {"seconds": measure(self.tasks[key], repetitions)}

    def do_release(self, key: int) -> dict[str, Any]:
        del self.tasks[key]
        gc.collect()
        self.worker.released()
        return {}

    def do_query(self, name: str, spec: Spec) -> dict[str, Any]:
        result: dict[str, Any] = getattr(self.worker, f"query_{name}")(**spec)
        return result


def serve(make_worker: Callable[[], BaseWorker], requests: TextIO, answers: TextIO) -> None:
    """Answers requests until the input ends.

    Args:
        make_worker: Imports the library and returns its worker; a library that is not installed
            is answered as an error to the first request.
        requests: Where requests are read from.
        answers: Where answers are written to.
    """

    def send(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    server: Server | None = None
    for line in requests:
        try:
            server = server or Server(make_worker())
            send(server.answer(json.loads(line)))
        except Exception as error:  # Every failure of a library is an answer, not an end.
            message = str(error).strip().splitlines() or [""]
            send({"error": f"{type(error).__name__}: {message[0]}"})
