"""`dlnative tune`: trains with options drawn at random, and keeps the best model."""

from __future__ import annotations

import argparse
import functools
import warnings
from typing import Any

from ..model_selection import Fit, Folds, fit_many
from .choices import Trial, draw_trials
from .machine import configure
from .model_folder import BestEpoch, LastEpoch, ModelFolder
from .parser import add_search
from .signals import Interrupted, held
from .task import describe
from .train import train
from .training import Data, arguments_of, make_model, read_data
from .trial_table import TrialTable

__all__ = ["run"]

_SHARE = 0.1  # of the training samples, to compare trials by


def run(options: argparse.Namespace) -> None:
    """Trains the trials side by side, prints a table of them, and keeps the best model.

    A trial is what `dlnative train` does with its options: the folder of `--out` is the one that
    this would have written, and `trials.csv` with all of them. It is replaced whenever a trial is
    better than those before, so that what ends the search leaves the best that there is.
    """
    configure(options)
    if options.folds is not None and options.validation_split:
        raise ValueError("--folds goes without --validation-split")
    if options.validation_split is None:
        options.validation_split = 0.0 if options.folds else _SHARE
    trials = draw_trials(options.choices, _train_arguments(options), options.trials)
    if options.out is None:
        _tune(options, trials, None)
        print("saved        no (--out DIR keeps the best model)")
    else:
        with ModelFolder(options.out) as folder:
            _tune(options, trials, folder)
            print(f"saved        {options.out}")


def _train_arguments(options: argparse.Namespace) -> list[str]:
    """The command without what is about the search: that of `train` with what all trials share."""
    search = argparse.ArgumentParser(allow_abbrev=False, add_help=False)
    add_search(search)
    search.add_argument("--log")
    _, rest = search.parse_known_args(options.arguments)
    rest.remove("tune")
    rest.remove(options.choices)
    return ["train", *rest, f"--validation-split={options.validation_split}"]


def _tune(options: argparse.Namespace, trials: list[Trial], folder: ModelFolder | None) -> None:
    data = read_data(options)
    if data.watched is None and options.folds is None:
        raise ValueError(
            f"{options.data}: expected a validation set to compare trials by, as "
            f"--validation-split or --folds make it of {len(data.x)} training samples"
        )
    data.print()
    few = "" if len(trials) == options.trials else ", all that are different"
    print(f"search       {len(trials)} trials{few}", flush=True)
    search = _Search(options, data, trials, folder)
    try:
        search.run()
    except BaseException as error:
        search.table.print()
        if isinstance(error, Interrupted):
            error.remark = search.left()
        if isinstance(error, RuntimeError):  # a worker was killed
            raise ChildProcessError(f"{error}; --workers 1 does without them") from error
        raise
    search.table.print()
    best = search.table.best
    if best is None:
        raise ValueError(f"none of the trials has trained a model: {search.table.reason}")
    search.finish(best)


class _Search:
    """Trials, what has come of them so far, and the best model."""

    def __init__(
        self,
        options: argparse.Namespace,
        data: Data,
        trials: list[Trial],
        folder: ModelFolder | None,
    ) -> None:
        self._options = options
        self._data = data
        self._trials = trials
        self._folder = folder
        paths = [options.log, options.out and f"{options.out}/trials.csv"]
        self.table = TrialTable(trials, options.folds or 1, [path for path in paths if path])
        self._best: Fit | None = None

    def run(self) -> None:
        """Trains all."""
        options, data = self._options, self._data
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "fit: ", RuntimeWarning)  # the table says it
            fit_many(
                functools.partial(_build, data, self._trials),
                data.x,
                data.y,
                choices=[{"trial": i} for i in range(len(self._trials))],
                seeds=[options.seed],
                folds=None if options.folds is None else Folds(options.folds, seed=options.seed),
                validation_data=None if options.folds else data.watched,
                workers=options.workers,
                on_error="keep",
                on_result=self._take,
            )

    def _take(self, fit: Fit) -> None:
        with held():
            trial = self._trials[fit.choice["trial"]]
            line = self.table.add(trial, fit)
            if line is not None and not self._options.quiet:
                print(line, flush=True)
            best = self.table.best
            if self._options.folds is None and best is not None and best.number == trial.number:
                self._best = fit
                if self._folder is not None:
                    self._write(trial, fit, {})
            else:
                fit.forget()
            if self._folder is not None and self._best is not None:
                self._folder.kept = self.left()

    def _write(self, trial: Trial, fit: Fit, figures: dict[str, Any]) -> None:
        assert self._folder is not None
        model, fitting = make_model(trial.options, self._data)
        results = {
            "seconds": fit.seconds,
            "samples_per_second": len(self._data.x) * trial.options.epochs / fit.seconds,
            **figures,
        }
        training = arguments_of(trial.options, self._data, fitting)
        last = LastEpoch.of(fit.history, fit.state)
        self._folder.write(model, self._data.task, training, last, results)
        self._folder.write_best(
            self._data.task, training, last, BestEpoch()
        )  # removes a former one
        self._folder.checkpoints.remove()

    def finish(self, best: Trial) -> None:
        """Says how good the best is, after training it on all samples where there were folds."""
        print(f"best         trial {best.number}: {best.command}")
        if self._options.folds is not None:
            if self._folder is not None:
                train(best.options, self._folder)
            return
        assert self._best is not None
        figures = self._data.measure(self._best.make_model())
        for name, values in figures.items():
            print(f"{name:12} {describe(values)}")
        if self._folder is not None:
            self._write(best, self._best, figures)

    def left(self) -> str:
        """What an interruption leaves."""
        best = self.table.best
        text = f"{self.table.count} of {len(self._trials)} trials have ended"
        if best is None:
            return text
        if self._best is not None and self._folder is not None:
            return f"{text}; {self._options.out} has the best"
        return f"{text}; the best is {best.command}"


def _build(data: Data, trials: list[Trial], trial: int) -> tuple[Any, dict[str, Any]]:
    return make_model(trials[trial].options, data)
