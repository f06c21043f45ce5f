"""`dlnative evaluate`: a trained model's figures on labelled data."""

from __future__ import annotations

import argparse

from ..saving import load
from .machine import configure
from .sources import read_samples
from .task import describe, task_of

__all__ = ["run"]


def run(options: argparse.Namespace) -> None:
    """Prints the figures in one line."""
    configure(options)
    saved = load(options.folder, compile=False)
    task = task_of(saved, options.folder)
    samples = read_samples(options, task)
    task.compile(saved.model)
    figures = task.measure(saved.model, samples.x, samples.y, options.data)
    print(f"{describe(figures)} ({len(samples.x)} samples)")
