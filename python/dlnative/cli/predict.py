"""``dlnative predict``: a trained model's predictions as CSV."""

from __future__ import annotations

import argparse
import csv
import io
import sys

import numpy as np

from ..saving import atomic_write, load
from .machine import configure
from .sources import read_inputs
from .task import Regression, task_of

__all__ = ["run"]


def run(options: argparse.Namespace) -> None:
    """Writes a header and a row per sample, in the order of the data.

    Columns: ``prediction``; for classification also ``probability``, that of the predicted class,
    and with ``--probabilities`` one column per class.
    """
    configure(options)
    saved = load(options.folder)
    task = task_of(saved, options.folder)
    if options.probabilities and isinstance(task, Regression):
        raise ValueError("--probabilities goes with classification; this model does regression")
    x = read_inputs(options.data, options.data_dir, task.columns)
    outputs = task.run(saved.model, x, options.data)

    columns: dict[str, list] = {"prediction": task.decode(outputs).tolist()}
    if not isinstance(task, Regression):
        probabilities = task.probabilities(outputs)
        columns["probability"] = _rounded(probabilities.max(axis=1))
        if options.probabilities:
            for name, column in zip(task.classes, probabilities.T, strict=True):
                columns[f"probability of {name}"] = _rounded(column)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    if options.out is None:
        sys.stdout.write(stream.getvalue())
    else:
        atomic_write(options.out, stream.getvalue())


def _rounded(probabilities: np.ndarray) -> list[str]:
    return [f"{p:.6g}" for p in probabilities]
