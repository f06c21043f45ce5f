"""learning_curve: what more data would bring."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..utils.numbers import is_integer
from .many import Task, count_rows, run_tasks
from .pictures import axes


@dataclass(frozen=True)
class LearningCurve:
    """Scores of models that were trained with more and more rows.

    Attributes:
        sizes: Numbers of rows.
        train: {name: array (sizes, seeds)}: the last epoch's logs of training.
        test: {name: array (sizes, seeds)}: scores of the rows that were never trained with.
    """

    sizes: list[int]
    train: dict[str, np.ndarray]
    test: dict[str, np.ndarray]

    def plot(self, path: str | os.PathLike[str], metric: str = "loss") -> None:
        """Draws a metric by set size to a file: means, and the spread over the seeds.

        Raises:
            ImportError: matplotlib, the extra `dlnative[examples]`, is not installed.
            ValueError: There is no such metric.
        """
        if metric not in self.test:
            raise ValueError(f"plot: expected one of {sorted(self.test)}, received {metric!r}")
        with axes(path, "rows to train with", metric) as ax:
            for name, values in (("train", self.train), ("test", self.test)):
                scores = values[metric]
                ax.plot(self.sizes, scores.mean(1), "o-", label=name)
                ax.fill_between(self.sizes, scores.min(1), scores.max(1), alpha=0.2)
            ax.set_xscale("log")
            ax.legend()


def learning_curve(
    build: Callable[..., Any],
    x: Any,
    y: Any,
    *,
    validation_data: tuple[Any, Any],
    sizes: Sequence[float] = (0.1, 0.2, 0.4, 0.7, 1.0),
    seeds: Iterable[int] = (0,),
    workers: int | None = None,
    **options: Any,
) -> LearningCurve:
    """Trains the same model with parts of a data set of several sizes.

    A smaller part is contained in a larger one of the same seed. All are evaluated on the same
    rows, and trained side by side as by `fit_many`.

    Args:
        build: Function without arguments that returns a compiled model.
        x, y: Arrays, or nested arrays, to train with.
        validation_data: (x, y) to evaluate with.
        sizes: Numbers of rows, or shares of them (floats up to 1.0).
        seeds: For each of these rows are drawn, and a model is trained, anew.
        workers: See `fit_many`.
        **options: Further arguments of `fit`.

    Returns:
        A LearningCurve.

    Raises:
        ValueError: A size that is none, and what `fit_many` raises.

    Reference: Hastie, Tibshirani and Friedman (2009), "The elements of statistical learning", 7.10.
    """
    rows = count_rows(x, y)
    counts = sorted({_count(size, rows) for size in sizes})
    seeds = list(seeds)
    orders = {seed: np.random.default_rng(seed).permutation(rows) for seed in seeds}
    tasks = [
        Task({}, seed, None, np.sort(orders[seed][:count]), None)
        for count in counts
        for seed in seeds
    ]
    if not tasks:
        raise ValueError(
            f"learning_curve: nothing to train: {len(counts)} sizes, {len(seeds)} seeds"
        )
    fits = run_tasks(build, x, y, validation_data, tasks, workers, options)
    by_size = [fits[i : i + len(seeds)] for i in range(0, len(fits), len(seeds))]
    names = list(fits[0].score or ())
    return LearningCurve(
        counts,
        {name: np.array([[f.history[name][-1] for f in row] for row in by_size]) for name in names},
        {
            name: np.array([[(f.score or {})[name] for f in row] for row in by_size])
            for name in names
        },
    )


def _count(size: Any, rows: int) -> int:
    if is_integer(size) and 1 <= size <= rows:
        return int(size)
    if isinstance(size, (float, np.floating)) and 0 < size <= 1:
        return max(1, round(size * rows))
    raise ValueError(
        f"learning_curve: expected sizes from 1 to {rows}, or shares up to 1.0, received {size!r}"
    )
