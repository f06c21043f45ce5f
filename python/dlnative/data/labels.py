"""Targets as they stand in a file, and the numbers a model is trained on."""

from __future__ import annotations

import re

import numpy as np

from .cells import is_number

__all__ = ["decode", "encode", "infer_task", "learn_classes"]

_INTEGER = re.compile(r"[+-]?\d+")


def infer_task(targets: np.ndarray) -> str:
    """Tells classification from regression by the type of the targets.

    Args:
        targets: Integers, floats, or the strings of a file's cells.

    Returns:
        ``"classification"`` for integers and names, ``"regression"`` for other numbers.

    Example:
        >>> infer_task(np.array(["setosa", "virginica"])), infer_task(np.array(["1.5", "2"]))
        ('classification', 'regression')
    """
    if targets.dtype.kind != "U":
        return "regression" if targets.dtype.kind == "f" else "classification"
    unique = np.unique(targets)
    if _integers(unique):
        return "classification"
    return "regression" if all(map(is_number, unique)) else "classification"


def learn_classes(targets: np.ndarray) -> list[int] | list[str]:
    """Returns the distinct targets in order: numerical for integers, else alphabetical.

    Example:
        >>> learn_classes(np.array(["10", "9", "9"])), learn_classes(np.array(["b", "a"]))
        ([9, 10], ['a', 'b'])
    """
    unique = np.unique(targets)
    if targets.dtype.kind == "U" and not _integers(unique):
        return [str(name) for name in unique]
    return sorted({int(number) for number in unique})


def encode(targets: np.ndarray, classes: list[int] | list[str], source: str) -> np.ndarray:
    """Returns the position of every target in `classes`.

    Args:
        targets: Integers, or the strings of a file's cells, shape ``(n,)``.
        classes: What `learn_classes` returned for the training data.
        source: What the targets are, for the error: ``"iris.csv, column 'species'"``.

    Returns:
        int32 of shape ``(n,)``.

    Raises:
        ValueError: If a target is not among the classes.
    """
    if targets.dtype.kind == "b":
        targets = targets.astype(np.uint8)
    unique, inverse = np.unique(targets, return_inverse=True)
    known = {str(name): position for position, name in enumerate(classes)}
    positions = np.empty(len(unique), np.int32)
    for i, value in enumerate(unique):
        text = str(value)
        if isinstance(classes[0], int) and _INTEGER.fullmatch(text):
            text = str(int(text))
        if text not in known:
            raise ValueError(
                f"{source}: expected one of the {len(classes)} classes of the training data "
                f"({_shortened(classes)}), received {str(value)!r}"
            )
        positions[i] = known[text]
    return positions[inverse.reshape(targets.shape)]


def decode(positions: np.ndarray, classes: list[int] | list[str]) -> np.ndarray:
    """Returns the class at every position: the inverse of `encode`."""
    return np.array(classes)[positions]


def _integers(unique: np.ndarray) -> bool:
    return unique.dtype.kind in "iub" or all(_INTEGER.fullmatch(str(text)) for text in unique)


def _shortened(classes: list[int] | list[str]) -> str:
    shown = ", ".join(str(name) for name in classes[:8])
    return shown if len(classes) <= 8 else f"{shown}, ..."
