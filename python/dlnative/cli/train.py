"""`dlnative train`: from a data set to a folder with a trained model."""

from __future__ import annotations

import argparse
import time
from typing import Any

from .machine import configure
from .model_folder import BestEpoch, LastEpoch, ModelFolder
from .resumption import options_of_run
from .signals import held, released
from .task import describe
from .training import arguments_of, complete, make_model, read_data

__all__ = ["run", "train"]


def run(options: argparse.Namespace) -> None:
    """Trains, prints what came out, and writes the model if `--out` says where.

    The folder gets the model, `history.csv` (a row per epoch) and `history.json` (the same, and
    the final figures). Whatever ends training (Ctrl-C, an error), the folder has the model of the
    last whole epoch, or what it had before if there is none, and checkpoints for `--resume`.
    """
    if options.resume is not None:
        given, found = options, options_of_run(options)
        if found is None:
            print(f"{given.resume} has the model of a run that has ended: there is nothing to do")
            return
        options = found
    elif options.data is None:
        raise ValueError("the following arguments are required: --data, or --resume DIR")
    configure(options)
    complete(options)
    if options.out is None:
        train(options, None)
        print("saved        no (--out DIR keeps the model)")
    else:
        with ModelFolder(options.out) as folder:
            train(options, folder)
            print(f"saved        {options.out}")


def train(options: argparse.Namespace, folder: ModelFolder | None) -> None:
    """Does all but choosing where the model goes; the options are `complete`."""
    data = read_data(options)
    model, fitting = make_model(options, data)
    training = arguments_of(options, data, fitting)
    if folder is not None:
        folder.rehearse(model, data.task, training)
    data.print()
    print(f"model        {options.model}, {model.count_params()} parameters", flush=True)

    last, best, start = LastEpoch(), BestEpoch(), time.perf_counter()
    fitting["callbacks"] += [*_log(options.log), last, best]
    results: dict[str, Any] = {}
    if folder is not None and options.resume is None:
        folder.checkpoints.begin(options.arguments)
    with held():
        try:
            with released():
                model.fit(
                    data.x,
                    data.y,
                    **fitting,
                    verbose=0 if options.quiet else 1,
                    replay=options.replay,
                    resume=None if folder is None else folder.checkpoints.path,
                )
                last.end(model)
        finally:
            results["seconds"] = seconds = time.perf_counter() - start
            results["samples_per_second"] = len(data.x) * last.trained / seconds
            if folder is not None and last.state is not None:
                folder.write(model, data.task, training, last, results)
                folder.write_best(data.task, training, last, best)
                if last.count == options.epochs:
                    folder.checkpoints.remove()

    results.update(data.measure(model))
    if folder is not None:
        folder.add_results(last, results)
    _print_results(options.epochs, results)


def _log(path: str | None) -> list[Any]:
    """Callbacks that write the logs of epochs."""
    from ..callbacks import CSVLogger, JSONLLogger

    if path is None:
        return []
    return [CSVLogger(path) if path.endswith(".csv") else JSONLLogger(path)]


def _print_results(epochs: int, results: dict[str, Any]) -> None:
    speed = f"{results['samples_per_second']:,.0f} samples/s".replace(",", " ")
    print(f"trained      {epochs} epochs in {results['seconds']:.1f} s, {speed}")
    for name in ("validation", "test"):
        if name in results:
            print(f"{name:12} {describe(results[name])}")
