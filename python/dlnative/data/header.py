"""Whether the first row of a table holds the names of its columns.

Names that are not numbers tell. Where numbers could be either, as in the `0,1,2,species` that
pandas writes above an array, nothing is guessed: `UnclearHeader` says why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from .cells import hint, is_data, is_number

__all__ = ["UnclearHeader", "check_names", "has_header", "looks_named"]

_UNNAMED = re.compile(r"Unnamed: \d+")  # what pandas calls a column without a name
_PANDAS = (
    "leave the column out or give it a name; if it is pandas's index, to_csv(index=False) leaves "
    "it out"
)


class UnclearHeader(ValueError):
    """The first row could be names or data."""


def looks_named(first: Sequence[str], target: int | None) -> bool:
    """Tells whether the first row cannot be data, because its features are no numbers.

    Args:
        first: The first row.
        target: The position of the target, whose cell tells nothing, or None.

    Raises:
        UnclearHeader: If some of the features are numbers and others are not.
    """
    features = _without(first, target)
    names = [cell for cell in features if not is_data(cell)]
    if names and len(names) < len(features):
        raise UnclearHeader(
            f"expected names of columns or only numbers, received {names[0]!r} among numbers"
            f"{hint(names[0])}"
        )
    return bool(names)


def has_header(first: Sequence[str], rest: Sequence[Sequence[str]], target: int) -> bool:
    """Tells whether the first row of an unknown file holds names.

    Args:
        first: The first row.
        rest: Rows below it, some thousands at most.
        target: The position of the target.

    Raises:
        UnclearHeader: If that is not certain.
    """
    if looks_named(first, target):
        return True
    if len(set(first)) < len(first):
        return False  # no two columns have the same name
    features, label = _without(first, target), first[target]
    whole = all(map(_is_plain, features))
    if not is_data(label):
        # A class comes again, and a name does not (in another row than the header itself).
        labels = [row[target] for row in rest if row != first]
        if label in labels:
            return False
        if whole and labels and all(map(is_number, labels)):
            return True
        if whole or _stands_out(features, [_without(row, target) for row in rest]):
            raise UnclearHeader(f"numbers, and {label!r}, which is no target in the rows below")
        return False
    if _counts(first) or (len(features) > 2 and _counts_on(features)):
        raise UnclearHeader("it counts, as the names do that pandas gives to the columns of arrays")
    if _stands_out(first, rest):
        raise UnclearHeader("its numbers are of another kind than those below")
    return False


def check_names(names: Sequence[str]) -> None:
    """Refuses a header with a column that has no name, which is no feature.

    Raises:
        ValueError: The message says which.
    """
    for position, name in enumerate(names, 1):
        if name == "":
            raise ValueError(f"column {position} has no name in the header: {_PANDAS}")
        if _UNNAMED.fullmatch(name):
            raise ValueError(f"column {position} has no name ({name!r}): {_PANDAS}")


def _without(row: Sequence[str], target: int | None) -> Sequence[str]:
    return [cell for i, cell in enumerate(row) if i != target] or row


def _counts(row: Sequence[str]) -> bool:
    """`0,1,2`; and `1,2,3,0`, where somebody has moved the target."""
    return [*row] == _count(0, len(row)) or (
        len(row) > 3 and sorted(row) == sorted(_count(0, len(row)))
    )


def _counts_on(row: Sequence[str]) -> bool:
    """`1,2,3` or `2019,2020,2021`."""
    return _is_plain(row[0]) and [*row] == _count(int(row[0]), len(row))


def _count(start: int, length: int) -> list[str]:
    return [str(start + i) for i in range(length)]


def _is_plain(cell: str) -> bool:
    """Digits and nothing else: of all numbers, those that are names now and then."""
    return cell.isascii() and cell.isdigit()


def _stands_out(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Tells whether a row of numbers is not like those below.

    Either it alone is of whole numbers, where a column has none (years above prices), or it alone
    rises from cell to cell (the wavelengths of a spectrum).
    """
    if all(map(_is_plain, first)):
        return len(rest) > 1 and any(not any(map(_is_plain, column)) for column in zip(*rest))
    return len(first) > 4 and _rises(first) and not any(map(_rises, rest))


def _rises(row: Iterable[str]) -> bool:
    return all(is_number(cell) for cell in row) and all(a < b for a, b in pairwise(map(float, row)))
