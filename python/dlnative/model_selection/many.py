"""fit_many: models for several seeds, hyperparameters and folds, trained side by side."""

from __future__ import annotations

import functools
import itertools
import math
import random as python_random
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .. import config, tree
from ..models.training_state import TrainingState
from ..random import seeds as random_seeds
from ..random import set_random_seed
from ..utils.numbers import is_integer
from .workers import in_processes


class Folds:
    """Cross-validation: the rows in `count` parts, each of which is held out once.

    Args:
        count: Number of parts, 2 or more.
        shuffle: Whether rows come to parts in any order.
        seed: Seed of that order.

    Raises:
        ValueError: `count` is below 2.

    Reference: Hastie, Tibshirani and Friedman (2009), "The elements of statistical learning", 7.10.
    """

    def __init__(self, count: int, shuffle: bool = True, seed: int = 0) -> None:
        if not is_integer(count) or count < 2:
            raise ValueError(f"Folds: expected 2 or more folds, received {count!r}")
        self.count = int(count)
        self.shuffle = shuffle
        self.seed = seed

    def split(self, rows: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """(rows to train with, rows held out) of each fold.

        Raises:
            ValueError: There are fewer rows than folds.
        """
        if rows < self.count:
            raise ValueError(f"Folds: expected {self.count} rows or more, received {rows}")
        order = np.arange(rows)
        if self.shuffle:
            np.random.default_rng(self.seed).shuffle(order)
        parts = np.array_split(order, self.count)
        return [
            (np.sort(np.concatenate([*parts[:i], *parts[i + 1 :]])), np.sort(part))
            for i, part in enumerate(parts)
        ]


@dataclass(eq=False)
class Fit:
    """One of the models that `fit_many` has trained.

    Attributes:
        choice: What `build` was called with.
        seed: The seed that was set before.
        fold: Number of the fold, or None.
        history: {name: values by epoch}, as `History.history`.
        score: {name: value} of the rows that were held out, None where none were.
        weights: The arrays of the trained model, as `get_weights` gives them.
        state: All that its training remembers, such as the slots of the optimizer; None after
            `forget`, or where there is no model.
        seconds: How long it took.
        error: What has been raised instead (`fit_many(on_error="keep")`): history and weights are
            empty then, score and state None, seconds NaN.
    """

    choice: dict[str, Any]
    seed: int
    fold: int | None
    history: dict[str, list[Any]]
    score: dict[str, float] | None
    weights: list[np.ndarray]
    state: TrainingState | None
    seconds: float
    error: Exception | None
    _build: Callable[..., Any]
    _sample: Any

    def make_model(self) -> Any:
        """The trained model: `build` is called again, and given weights and state.

        Its next `fit` goes on as that of the model which was trained.

        Raises:
            ValueError: There is none: training has raised an error, or `forget` was called.
        """
        if self.state is None:
            reason = self.error or "forget was called"
            raise ValueError(f"make_model: there are no weights: {reason}")
        with own_randomness(self.seed):
            model, _ = _built(self._build, self.choice)
            if not model.built:
                model(self._sample)
        self.state.put_into(model)
        return model

    def forget(self) -> None:
        """Drops the arrays, so that a search of many models need not hold them all."""
        self.weights, self.state = [], None

    def __repr__(self) -> str:
        if self.error is not None:
            return f"<Fit {self.choice} seed={self.seed}: {self.error!r}>"
        fold = "" if self.fold is None else f" fold={self.fold}"
        figures = self.score or {
            name: values[-1] for name, values in self.history.items() if values
        }
        shown = " ".join(f"{name}={value:.4g}" for name, value in figures.items())
        return f"<Fit {self.choice} seed={self.seed}{fold}: {shown}>"


@dataclass(frozen=True)
class Task:
    """One model to train: rows None are all of them, held out None are those given besides."""

    choice: dict[str, Any]
    seed: int
    fold: int | None
    train: np.ndarray | None  # rows, None for all
    held_out: np.ndarray | None


class Report(NamedTuple):
    """What becomes of errors and results; see `fit_many`."""

    on_error: str = "raise"
    on_result: Callable[[Fit], None] | None = None


_RAISE = Report()


def fit_many(
    build: Callable[..., Any],
    x: Any,
    y: Any,
    *,
    choices: Iterable[Mapping[str, Any]] | Mapping[str, Sequence[Any]] = ({},),
    seeds: Iterable[int] = (0,),
    folds: int | Folds | None = None,
    validation_data: tuple[Any, Any] | None = None,
    workers: int | None = None,
    on_error: str = "raise",
    on_result: Callable[[Fit], None] | None = None,
    **options: Any,
) -> list[Fit]:
    """Trains a model for each choice, seed and fold, side by side on the cores of the machine.

    Each is trained in a process that has one thread, so small models share the cores without
    waiting for each other. What comes out does not depend on the number of workers: each model
    begins with a seed of its own, and a result is a function of (choice, seed, fold) alone.

    Args:
        build: Function that returns a compiled model; it is called with each choice as keyword
            arguments. It may return `(model, options)`, with arguments of `fit` for this choice,
            such as its batch size, epochs or callbacks.
        x, y: Arrays, or nested arrays, as `fit` takes them.
        choices: Dicts of arguments of `build`; or one dict from names to lists of values, of which
            every combination is tried.
        seeds: Each choice is trained with each of these (`utils.set_random_seed`).
        folds: A number or `Folds`: each choice and seed is trained once for each fold, and
            evaluated on the rows held out.
        validation_data: (x, y) to evaluate with once at the end, where there are no folds; give it
            by what `build` returns to have it in the history of each epoch.
        workers: How many processes; by default as many as `config.num_threads()`. With 1 the models
            are trained here one after the other, with all threads.
        on_error: What an error of one model does: "raise" ends it all, "keep" leaves it in `error`
            of its Fit, and the others go on. A loss that is not finite is no error.
        on_result: Function that is called here with each Fit as soon as there is one, in whatever
            order they come. So Ctrl-C loses none that has ended.
        **options: Further arguments of `fit`, such as `epochs` and `batch_size`; verbose is 0.

    Returns:
        One Fit for each, in the order of choices, seeds, folds. `min(fits, key=lambda f:
        f.score["loss"])` is the best.

    Raises:
        ValueError: Nothing to train, rows that do not fit together, or folds together with
            validation data.
        KeyboardInterrupt: Ctrl-C, which ends the workers.
        RuntimeError: A worker has ended, such as for want of memory.
        Exception: What training raises, with a note of which choice it was.

    Example:
        >>> import numpy as np, dlnative
        >>> from dlnative.model_selection import fit_many
        >>> def build(units):
        ...     net = dlnative.Sequential([dlnative.Input((2,)), dlnative.layers.Dense(units)])
        ...     net.compile("sgd", "mse")
        ...     return net
        >>> x, y = np.ones((8, 2)), np.ones((8, 1))
        >>> fits = fit_many(build, x, y, choices={"units": [1]}, seeds=[0, 1], workers=1, epochs=2)
        >>> [(f.choice["units"], f.seed, len(f.history["loss"])) for f in fits]
        [(1, 0, 2), (1, 1, 2)]
    """
    if folds is not None and validation_data is not None:
        raise ValueError("fit_many: give folds or validation_data, not both")
    tasks = _tasks(choices, seeds, folds, count_rows(x, y))
    report = Report(on_error, on_result)
    return run_tasks(build, x, y, validation_data, tasks, workers, options, report)


def run_tasks(
    build: Callable[..., Any],
    x: Any,
    y: Any,
    validation_data: tuple[Any, Any] | None,
    tasks: Sequence[Task],
    workers: int | None,
    options: dict[str, Any],
    report: Report = _RAISE,
) -> list[Fit]:
    """Trains what there is to train; see `fit_many`."""
    _check_verbose(options)
    if report.on_error not in ("raise", "keep"):
        raise ValueError(
            f'fit_many: expected on_error "raise" or "keep", received {report.on_error!r}'
        )
    workers = config.num_threads() if workers is None else workers
    if not is_integer(workers) or workers < 1:
        raise ValueError(f"fit_many: expected 1 worker or more, received {workers!r}")
    run = functools.partial(_train, build, x, y, validation_data, options)
    count = min(int(workers), len(tasks))
    outcomes = _in_turn(run, tasks) if count == 1 else in_processes(run, tasks, count)
    sample = take_rows(x, np.arange(1))
    fits: dict[int, Fit] = {}
    with closing(outcomes):
        for i, outcome in outcomes:
            error = outcome if isinstance(outcome, Exception) else None
            if error is not None and report.on_error == "raise":
                raise error
            result = _NOTHING if isinstance(outcome, Exception) else outcome
            task = tasks[i]
            fits[i] = Fit(task.choice, task.seed, task.fold, *result, error, build, sample)
            if report.on_result is not None:
                report.on_result(fits[i])
    return [fits[i] for i in range(len(tasks))]


_Outcome: TypeAlias = (
    "tuple[dict[str, Any], dict[str, float] | None, list[np.ndarray], TrainingState | None, float]"
)
_NOTHING: _Outcome = ({}, None, [], None, math.nan)


def _in_turn(
    run: Callable[[Task], _Outcome], tasks: Sequence[Task]
) -> Generator[tuple[int, _Outcome | Exception], None, None]:
    """As `in_processes`, but here."""
    for i, task in enumerate(tasks):
        try:
            outcome: _Outcome | Exception = run(task)
        except Exception as error:
            outcome = error
        yield i, outcome


def _train(
    build: Callable[..., Any],
    x: Any,
    y: Any,
    validation_data: tuple[Any, Any] | None,
    options: dict[str, Any],
    task: Task,
) -> _Outcome:
    """(history, score, weights, state, seconds) of one model."""
    begun = time.perf_counter()
    if task.held_out is not None:
        validation_data = take_rows(x, task.held_out), take_rows(y, task.held_out)
    if task.train is not None:
        x, y = take_rows(x, task.train), take_rows(y, task.train)
    try:
        with own_randomness(task.seed):
            model, more = _built(build, task.choice)
            history = model.fit(x, y, verbose=0, **{**options, **more}).history
            state = TrainingState.of(model)
            score = None
            if validation_data is not None:
                score = model.evaluate(*validation_data, verbose=0, return_dict=True)
            weights = model.get_weights()
    except Exception as error:
        if hasattr(error, "add_note"):  # Python 3.11
            fold = "" if task.fold is None else f", fold {task.fold}"
            error.add_note(f"fit_many: choice {task.choice}, seed {task.seed}{fold}")
        raise
    return history, score, weights, state, time.perf_counter() - begun


def _built(build: Callable[..., Any], choice: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """A compiled model, and the arguments of `fit` that go with the choice."""
    built = build(**choice)
    model, options = built if isinstance(built, tuple) and len(built) == 2 else (built, {})
    if not getattr(model, "compiled", False) or not isinstance(options, Mapping):
        raise ValueError(
            "fit_many: expected build to return a compiled model, or one and a dict of arguments "
            f"of fit, not {built!r}"
        )
    _check_verbose(options)
    return model, dict(options)


def _check_verbose(options: Mapping[str, Any]) -> None:
    if "verbose" in options:
        raise ValueError("fit_many: verbose is 0, as the models train side by side")


def _tasks(choices: Any, seeds: Iterable[int], folds: Any, rows: int) -> list[Task]:
    """What there is to train, in the order of the results."""
    if isinstance(choices, Mapping):
        for name, values in choices.items():
            if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
                raise ValueError(
                    f"fit_many: expected a list of values for {name!r}, not {values!r}"
                )
        product = itertools.product(*choices.values())
        choices = [dict(zip(choices, values, strict=True)) for values in product]
    choices = [dict(choice) for choice in choices]
    seeds = list(seeds)
    parts: list[Any] = [(None, None, None)]
    if folds is not None:
        folds = folds if isinstance(folds, Folds) else Folds(folds)
        parts = [(i, *part) for i, part in enumerate(folds.split(rows))]
    tasks = [
        Task(choice, seed, fold, train, held_out)
        for choice in choices
        for seed in seeds
        for fold, train, held_out in parts
    ]
    if not tasks:
        raise ValueError(f"fit_many: nothing to train: {len(choices)} choices, {len(seeds)} seeds")
    return tasks


def count_rows(x: Any, y: Any) -> int:
    """The number of rows, which all arrays must have."""
    counts = {len(each) for each in tree.flatten((x, y)) if each is not None}
    if len(counts) != 1:
        raise ValueError(f"fit_many: expected arrays of one length, received {sorted(counts)}")
    return counts.pop()


def take_rows(data: Any, rows: np.ndarray) -> Any:
    """Some rows of nested arrays."""
    return tree.map_structure(
        lambda array: None if array is None else np.asarray(array)[rows], data
    )


@contextmanager
def own_randomness(seed: int | None = None) -> Iterator[None]:
    """A `with` block after which random numbers go on as before it; it may begin with a seed."""
    before = random_seeds.get_state(), python_random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        if seed is not None:
            set_random_seed(seed)
        yield
    finally:
        random_seeds.set_state(before[0])
        python_random.setstate(before[1])
        np.random.set_state(before[2])  # noqa: NPY002
