"""Checks of labels, for losses on arrays and for the data sets of a trainer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import numpy as np

if TYPE_CHECKING:
    from .base import Values

CHUNK = 1 << 20  # elements looked at in one go: a check never holds a copy of the set
FEW = 64  # up to here a Python loop is faster than NumPy's reductions


def check_class_numbers(
    labels: np.ndarray, classes: int, what: str = "labels", ignored: int | None = None
) -> None:
    """Raises unless every label is a whole number in [0, classes).

    Args:
        labels: Integer, boolean or float array of any shape; a memory map is read in pieces.
        classes: Number of classes.
        what: What to call the labels in the message.
        ignored: A number that may stand for no class, such as -1 or 255.

    Raises:
        ValueError: Names the first offending label and where it is.
    """
    if labels.size <= FEW:
        for i, value in enumerate(labels.ravel().tolist()):
            if value != ignored and (not 0 <= value < classes or value != int(value)):
                _raise_class_number(labels, i, value, classes, what)
        return
    flat = labels.reshape(-1)
    integers = labels.dtype.kind in "iub"
    for start in range(0, flat.size, CHUNK):
        part = flat[start : start + CHUNK]
        if (
            part.min() >= 0
            and part.max() < classes
            and (integers or bool((part == np.floor(part)).all()))
        ):
            continue
        wrong = ~((part >= 0) & (part < classes))
        if not integers:
            wrong |= part != np.floor(part)
        if ignored is not None:
            wrong &= part != ignored
            if not wrong.any():
                continue
        i = int(np.argmax(wrong))
        _raise_class_number(labels, start + i, part[i].item(), classes, what)


def _raise_class_number(
    labels: np.ndarray, index: int, value: float, classes: int, what: str
) -> NoReturn:
    row = np.unravel_index(index, labels.shape)[0] if labels.ndim else 0
    if isinstance(value, float) and 0 <= value < classes:
        raise ValueError(
            f"{what}: expected whole class numbers, received {value} in sample {row}. For "
            "probabilities per class use CategoricalCrossentropy."
        )
    raise ValueError(
        f"{what}: expected class numbers in [0, {classes}) for {classes} outputs, received "
        f"{value} in sample {row}. Give the last layer one unit per class, or number the classes "
        "from 0."
    )


def check_unit_interval(labels: np.ndarray, what: str = "labels") -> None:
    """Raises unless every label lies in [0, 1], as binary cross-entropy needs it."""
    if labels.dtype.kind == "b":
        return
    flat = labels.reshape(-1)
    for start in range(0, flat.size, CHUNK):
        part = flat[start : start + CHUNK]
        if part.min() >= 0 and part.max() <= 1:
            continue
        i = int(np.argmax(~((part >= 0) & (part <= 1))))
        row = np.unravel_index(start + i, labels.shape)[0]
        raise ValueError(
            f"{what}: expected values in [0, 1] for binary cross-entropy, received "
            f"{part[i].item()} in sample {row}. For class numbers use "
            "SparseCategoricalCrossentropy with one output per class."
        )


def check_one_hot(name: str, y_true: Values, y_pred: Values) -> None:
    """Raises where class numbers meet a loss or metric for one-hot labels."""
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    if true == pred:
        return
    if true in (pred[:-1], (*pred[:-1], 1)):
        raise ValueError(
            f"{name}: expected one-hot labels of shape {pred}, received {true}. For class numbers "
            f"use sparse_{name.removeprefix('sparse_')}, or encode them: "
            f"np.eye({pred[-1]})[labels]."
        )
    raise ValueError(
        f"{name}: expected labels of shape {pred} to match the predictions, received {true}"
    )


def check_sparse(name: str, y_true: Values, y_pred: Values) -> None:
    """Raises where one-hot labels meet a loss or metric for class numbers."""
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    if true == pred[:-1]:
        return
    if true == pred:
        raise ValueError(
            f"{name}: expected class numbers of shape {pred[:-1]}, received {true}, which looks "
            f"one-hot. Use {name.removeprefix('sparse_')}, or decode the labels: "
            "np.argmax(labels, axis=-1)."
        )
    raise ValueError(
        f"{name}: expected class numbers of shape {pred[:-1]} to match predictions {pred}, "
        f"received {true}"
    )


def check_same_shape(name: str, y_true: Values, y_pred: Values) -> None:
    """Raises where targets do not have the shape of the predictions."""
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    if true != pred:
        hint = ""
        if len(true) == 2 and true[-1] > 1 and pred == (true[0], 1):
            hint = f" One-hot labels need {true[-1]} outputs and categorical_crossentropy."
        elif len(true) == 1 and len(pred) == 2:
            hint = f" Class numbers for {pred[-1]} outputs need sparse_categorical_crossentropy."
        raise ValueError(
            f"{name}: expected labels of shape {pred} to match the predictions, received "
            f"{true}.{hint}"
        )
