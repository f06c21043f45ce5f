"""What has come of the trials of `dlnative tune`: a table, and files of it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..model_selection import Fit
from ..saving import atomic_write, check_output
from .choices import Trial
from .model_folder import csv_text

__all__ = ["TrialTable"]


class TrialTable:
    """Trials that have ended, the best first.

    Trials are compared by accuracy, and by loss where that is equal or there is none; those whose
    loss is not finite come last, and then those that have failed.

    Args:
        trials: Those to come.
        folds: Models for each of them.
        paths: Files that have the table, `.csv` or `.jsonl`; they are written anew with each trial.

    Raises:
        OSError: A file cannot be written.
    """

    def __init__(self, trials: Sequence[Trial], folds: int, paths: Sequence[str]) -> None:
        self._total = len(trials)
        self._options = list(dict.fromkeys(name for trial in trials for name in trial.chosen))
        self._folds = folds
        self._paths = paths
        self._fits: dict[int, list[Fit]] = {}
        self._ended: list[tuple[Trial, dict[str, Any]]] = []
        for path in paths:
            check_output(path)

    @property
    def count(self) -> int:
        """How many trials have ended."""
        return len(self._ended)

    @property
    def best(self) -> Trial | None:
        """The best trial so far, if any has a finite loss."""
        if not self._ended or self._ended[0][1]["status"] != "done":
            return None
        return self._ended[0][0]

    @property
    def reason(self) -> str:
        """Why the first trial of the table has no model."""
        row = self._ended[0][1]
        return row["error"] or row["status"]

    def add(self, trial: Trial, fit: Fit) -> str | None:
        """Takes a model of a trial; returns a line about the trial if that was its last."""
        fits = self._fits.setdefault(trial.number, [])
        fits.append(fit)
        if len(fits) < self._folds:
            return None
        row = _row(trial, self._fits.pop(trial.number))
        self._ended.append((trial, row))
        self._ended.sort(key=lambda each: _rank(each[1]))
        self._write()
        return f"trial        {self.count}/{self._total}: {_describe(row)}: {trial}"

    def print(self) -> None:
        """Prints the table, the best first."""
        if not self._ended:
            return
        names = _figures(self._ended[0][1])
        heads = ["trial", *names, "seconds", *self._options]
        cells = [
            [
                str(row["trial"]),
                *(_cell(row.get(name)) for name in names),
                _cell(row["seconds"]),
                *(trial.chosen.get(name, "") for name in self._options),
            ]
            for trial, row in self._ended
        ]
        widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
        for line, (_, row) in zip([heads, *cells], [(None, {}), *self._ended], strict=True):
            text = "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
            print(f"{text}  {_trouble(row)}".rstrip(), flush=True)

    def _write(self) -> None:
        names = dict.fromkeys(name for _, row in self._ended for name in row)
        rows = [
            {"rank": rank, **{name: row.get(name, "") for name in names}, **self._chosen(trial)}
            for rank, (trial, row) in enumerate(self._ended, 1)
        ]
        for path in self._paths:
            if path.endswith(".csv"):
                atomic_write(path, csv_text(rows))
            else:
                atomic_write(path, "".join(json.dumps(_plain(row)) + "\n" for row in rows))

    def _chosen(self, trial: Trial) -> dict[str, str]:
        return {name: trial.chosen.get(name, "") for name in self._options}


def _row(trial: Trial, fits: list[Fit]) -> dict[str, Any]:
    """What a trial has brought: means over its folds."""
    failed = next((fit.error for fit in fits if fit.error is not None), None)
    row: dict[str, Any] = {"trial": trial.number, "status": "done", "error": ""}
    row["seconds"] = sum(fit.seconds for fit in fits if fit.error is None)
    if failed is not None:
        text = " ".join(str(failed).split())
        return {**row, "status": "failed", "error": f"{type(failed).__name__}: {text}"}
    for name in sorted(fits[0].score or {}):
        values = [(fit.score or {})[name] for fit in fits]
        row[name] = float(np.mean(values))
        if len(fits) > 1:
            row[f"{name}_deviation"] = float(np.std(values))
    if not math.isfinite(row["loss"]):
        row["status"] = "diverged"
    return row


def _rank(row: dict[str, Any]) -> tuple[Any, ...]:
    order = ["done", "diverged", "failed"].index(row["status"])
    if order:
        return order, row["trial"]
    return order, -row.get("accuracy", 0.0), row["loss"], row["trial"]


def _figures(row: dict[str, Any]) -> list[str]:
    return [name for name in row if name not in ("trial", "status", "error", "seconds")]


def _describe(row: dict[str, Any]) -> str:
    figures = ", ".join(f"{name} {row[name]:.4g}" for name in _figures(row))
    return _trouble(row) or f"{figures} in {row['seconds']:.1f} s"


def _trouble(row: dict[str, Any]) -> str:
    if row.get("status", "done") == "done":
        return ""
    return f"{row['status']}{row['error'] and ': '}{row['error']}"


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """JSON proper: what is not finite becomes null."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }
