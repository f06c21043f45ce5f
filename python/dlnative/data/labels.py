"""Targets as they stand in a file, and the numbers a model is trained on."""

from __future__ import annotations

import numpy as np

from .cells import hint, is_number, is_whole, whole_number

__all__ = ["UnclearTargets", "decode", "encode", "infer_task", "learn_classes"]

_FEW = 20  # classes that whole numbers, or names with digits in them, stand for without a doubt


class UnclearTargets(ValueError):
    """Targets that could be classes or values, or are neither.

    Attributes:
        row: The position of a target that shows it, or None where all of them together do.
    """

    def __init__(self, reason: str, row: int | None = None) -> None:
        super().__init__(reason)
        self.row = row


def infer_task(targets: np.ndarray) -> str:
    """Tells classification from regression where the targets leave no doubt.

    Names are classes, and so are up to 20 different whole numbers; on average each must come
    twice, unless there are two. Other numbers are values.

    Args:
        targets: Integers, floats, or the strings of a file's cells.

    Returns:
        `"classification"` or `"regression"`.

    Raises:
        UnclearTargets: If there is a doubt: many different whole numbers, a few whole numbers
            written as decimals, numbers among names, numbers with a decimal comma or a unit,
            names that hardly come twice (dates, identifiers).

    Example:
        >>> infer_task(np.array(["setosa", "virginica"])), infer_task(np.array(["1.5", "2"]))
        ('classification', 'regression')
    """
    if targets.dtype.kind == "b":
        return "classification"
    unique, rows = np.unique(targets, return_index=True)
    is_text = targets.dtype.kind == "U"
    numeric = [is_number(text) for text in unique.tolist()] if is_text else [True]
    if not all(numeric):
        _check_names(unique, rows, numeric, len(targets))
        return "classification"
    values = unique.astype(np.float64)
    few = len(unique) <= _FEW and 2 * len(unique) <= len(targets)
    found = f"{len(unique)} different whole numbers in {len(targets)} targets"
    if all(map(is_whole, unique.tolist())) if is_text else targets.dtype.kind in "iu":
        if few or len(unique) <= 2:
            return "classification"
        raise UnclearTargets(f"{found} could be classes or values")
    if few and (values == np.rint(values)).all():
        raise UnclearTargets(f"{found}, written as decimals, could be classes or values", rows[0])
    return "regression"


def _check_names(unique: np.ndarray, rows: np.ndarray, numeric: list[bool], total: int) -> None:
    """Raises UnclearTargets unless these are the names of classes."""
    for text, row in zip(unique.tolist(), rows.tolist()):
        if hint(text):
            raise UnclearTargets(f"{text!r} is not a number{hint(text)}, and hardly a name", row)
    if any(numeric):
        odd = numeric.index(2 * sum(numeric) < len(numeric))  # the kind of which there are fewer
        kind = "names" if numeric[odd] else "numbers"
        raise UnclearTargets(f"{str(unique[odd])!r} among {kind}", int(rows[odd]))
    with_digits = any(character.isdigit() for text in unique.tolist() for character in text)
    repeated = len(unique) <= 2 or 2 * len(unique) <= total
    if not repeated or (with_digits and len(unique) > _FEW):
        raise UnclearTargets(
            f"{len(unique)} different ones in {total} targets ({_shortened(unique.tolist())}) are "
            "hardly the names of classes"
        )


def learn_classes(targets: np.ndarray) -> list[int] | list[str]:
    """Returns the distinct targets in order: numerical for whole numbers, else alphabetical.

    Raises:
        ValueError: If they are floats that are not whole.

    Example:
        >>> learn_classes(np.array(["10", "9", "9"])), learn_classes(np.array(["b", "a"]))
        ([9, 10], ['a', 'b'])
    """
    unique = np.unique(targets).tolist()
    numbers = {whole_number(value) for value in unique}
    if None not in numbers:
        return sorted(number for number in numbers if number is not None)
    if targets.dtype.kind == "U":
        return unique
    odd = next(value for value in unique if whole_number(value) is None)
    raise ValueError(f"expected whole numbers or names as classes, received {odd!r}")


def encode(targets: np.ndarray, classes: list[int] | list[str], source: str) -> np.ndarray:
    """Returns the position of every target in `classes`.

    Args:
        targets: Integers, or the strings of a file's cells, shape `(n,)`.
        classes: What `learn_classes` returned for the training data.
        source: What the targets are, for the error: `"iris.csv, column 'species'"`.

    Returns:
        int32 of shape `(n,)`.

    Raises:
        ValueError: If a target is not among the classes.
    """
    unique, inverse = np.unique(targets, return_inverse=True)
    known = {name: position for position, name in enumerate(classes)}
    positions = np.empty(len(unique), np.int32)
    for i, value in enumerate(unique.tolist()):
        name = whole_number(value) if isinstance(classes[0], int) else str(value)
        if name not in known:
            raise ValueError(
                f"{source}: expected one of the {len(classes)} classes of the training data "
                f"({_shortened(classes)}), received {str(value)!r}"
            )
        positions[i] = known[name]
    return positions[inverse.reshape(targets.shape)]


def decode(positions: np.ndarray, classes: list[int] | list[str]) -> np.ndarray:
    """Returns the class at every position: the inverse of `encode`."""
    return np.array(classes)[positions]


def _shortened(classes: list[int] | list[str]) -> str:
    shown = ", ".join(str(name) for name in classes[:8])
    return shown if len(classes) <= 8 else f"{shown}, ..."
