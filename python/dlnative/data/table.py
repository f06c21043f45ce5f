"""Numeric tables from CSV files: a column of targets and columns of features.

The separator is the one of comma, semicolon and tab that occurs most in the first line. A header
is recognised by its cells not being numbers.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import TextIO

import numpy as np

from .cells import is_missing, is_number

__all__ = ["Columns", "Table", "read_csv"]

_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Columns:
    """Which columns of a file are what; stored with a model, to read the next file alike.

    Attributes:
        features: Names of the feature columns, in the order in which the model takes them.
        target: Name of the target column.
        target_position: Its position, counted from 0, for files without a header.
        header: Whether the names come from a header; without one they are "column 1" and so on.
    """

    features: list[str]
    target: str
    target_position: int
    header: bool

    def get_config(self) -> dict:
        """Returns the attributes as a dictionary for JSON."""
        return asdict(self)

    @classmethod
    def from_config(cls, config: dict) -> Columns:
        """Restores what `get_config` returned.

        Raises:
            TypeError: If an attribute is missing, or there is one more.
            ValueError: If one has another type.
        """
        columns = cls(**config)
        features, position = columns.features, columns.target_position
        if not (
            isinstance(features, list)
            and all(isinstance(name, str) for name in (*features, columns.target))
            and isinstance(columns.header, bool)
            and type(position) is int
            and position >= 0
        ):
            raise ValueError(f"expected names and places of columns, received {config!r:.200}")
        return columns


@dataclass(frozen=True, eq=False)
class Table:
    """The contents of a file.

    Attributes:
        columns: Which columns they are.
        features: float64 of shape ``(rows, features)``, all finite.
        targets: The cells of the target column as strings, shape ``(rows,)``; None if not read.
    """

    columns: Columns
    features: np.ndarray
    targets: np.ndarray | None


def read_csv(
    path: str | os.PathLike[str],
    target: str | None = None,
    columns: Columns | None = None,
    with_target: bool = True,
) -> Table:
    """Reads a table of numbers with one column of targets.

    Args:
        path: A text file in UTF-8. Blank lines are skipped.
        target: The target column: its name or, in a file without header, its number counted
            from 1. None takes the last. Not used together with `columns`.
        columns: The columns of the file a model was trained on: features are then found by name
            (further columns are ignored), or by position in files without header.
        with_target: False does not read targets, which may then be absent.

    Returns:
        The table.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is empty, a row has too few or too many cells, a cell of a feature
            is missing or not a finite number, or a column does not exist. The message names file,
            line and column.

    Example:
        >>> path = getfixture("tmp_path") / "iris.csv"
        >>> _ = path.write_text("length,width,species\\n5.1,3.5,setosa\\n6.2,2.9,virginica\\n")
        >>> table = read_csv(path)
        >>> table.columns.features, table.features.shape, table.targets.tolist()
        (['length', 'width'], (2, 2), ['setosa', 'virginica'])
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    with open(path, newline="", encoding="utf-8-sig") as stream:
        try:
            return _read(stream, path, target, columns, with_target)
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: not a text file in UTF-8 ({error.reason})") from error


def _read(
    stream: TextIO, path: Path, target: str | None, columns: Columns | None, with_target: bool
) -> Table:
    rows = _rows(stream, path)
    line, first = next(rows, (0, []))
    if not first:
        raise ValueError(f"{path}: the file is empty")
    header = _header(first, path, line, target, columns)
    names = header or [f"column {i + 1}" for i in range(len(first))]
    if columns is None:
        columns = _choose_columns(names, header is not None, target, path)
    positions = _feature_positions(names, header is not None, columns, path)
    target_position = _target_position(names, header is not None, columns)
    if not with_target:
        target_position = None
    elif target_position is None:
        raise ValueError(
            f"{path}: expected a target column {columns.target!r}, received {', '.join(names)}"
        )
    remaining = rows if header else _chain((line, first), rows)
    features, targets = [], []
    while chunk := list(islice(remaining, _ROWS_AT_ONCE)):
        features.append(_numbers(chunk, positions, names, path))
        if target_position is not None:
            targets.append(_cells(chunk, target_position, names, path))
    if not features:
        raise ValueError(f"{path}: a header and no rows of data")
    return Table(
        columns, np.concatenate(features), np.concatenate(targets) if with_target else None
    )


def _rows(stream: TextIO, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yields line number and stripped cells of every row, all rows of one length."""
    first_line = stream.readline()
    stream.seek(0)
    separator = max(",;\t", key=first_line.count)
    reader = csv.reader(stream, delimiter=separator, strict=True)
    width = 0
    try:
        for row in reader:
            if not row or row == [""]:
                continue
            if width and len(row) != width:
                raise ValueError(
                    f"{path}: line {reader.line_num}: expected {width} cells as in the first row, "
                    f"received {len(row)}"
                )
            width = len(row)
            yield reader.line_num, [cell.strip() for cell in row]
    except csv.Error as error:
        raise ValueError(f"{path}: line {reader.line_num}: {error}") from error


def _chain(
    first: tuple[int, list[str]], rest: Iterator[tuple[int, list[str]]]
) -> Iterator[tuple[int, list[str]]]:
    yield first
    yield from rest


def _header(
    first: list[str], path: Path, line: int, target: str | None, columns: Columns | None
) -> list[str] | None:
    """Returns the names in the first row, or None if that is data already."""
    numbered = target is not None and target.isdecimal()
    named = columns is not None and set(columns.features) <= set(first)
    named = named or (target in first and not numbered)
    if numbered:
        skipped = int(target or 0) - 1
    else:
        skipped = columns.target_position if columns else len(first) - 1
    cells = [cell for i, cell in enumerate(first) if i != skipped] or first
    names = [cell for cell in cells if not _is_data(cell)]
    if not named and not names:
        return None
    if not named and len(names) < len(cells):
        raise ValueError(
            f"{path}: line {line}: expected names of columns or only numbers, received "
            f"{names[0]!r} among numbers"
        )
    header = [cell or f"column {i + 1}" for i, cell in enumerate(first)]
    repeated = {name for name in header if header.count(name) > 1}
    if repeated:
        raise ValueError(f"{path}: line {line}: two columns are called {min(repeated)!r}")
    return header


def _choose_columns(names: list[str], header: bool, target: str | None, path: Path) -> Columns:
    if len(names) < 2:
        raise ValueError(
            f"{path}: expected at least one feature column and a target column, received one column"
        )
    if target is None:
        position = len(names) - 1
    elif target in names:
        position = names.index(target)
    elif not header and target.isdecimal() and 1 <= int(target) <= len(names):
        position = int(target) - 1
    else:
        near = get_close_matches(target, names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"the columns are {', '.join(names)}"
        raise ValueError(f"{path}: there is no column {target!r}; {hint}")
    features = names[:position] + names[position + 1 :]
    return Columns(features, names[position], position, header)


def _feature_positions(names: list[str], header: bool, columns: Columns, path: Path) -> list[int]:
    wanted = columns.features
    if header and set(wanted) <= set(names):
        return [names.index(name) for name in wanted]
    if header and columns.header:
        missing = [name for name in wanted if name not in names]
        raise ValueError(
            f"{path}: expected the columns the model was trained on; missing: {', '.join(missing)}"
        )
    if len(names) == len(wanted):
        return [*range(len(names))]
    if len(names) == len(wanted) + 1:
        return [i for i in range(len(names)) if i != columns.target_position]
    raise ValueError(
        f"{path}: expected {len(wanted)} columns of features, with or without the target, "
        f"received {len(names)} columns"
    )


def _target_position(names: list[str], header: bool, columns: Columns) -> int | None:
    if columns.target in names:
        return names.index(columns.target)
    if header and columns.header:
        return None
    return columns.target_position if len(names) == len(columns.features) + 1 else None


def _numbers(
    chunk: list[tuple[int, list[str]]], positions: list[int], names: list[str], path: Path
) -> np.ndarray:
    pick = itemgetter(*positions, positions[0])  # one position alone would not give a tuple
    try:
        numbers = np.array([pick(cells) for _, cells in chunk], np.float64)[:, :-1]
        if np.isfinite(numbers).all():
            return numbers
    except ValueError:
        pass
    raise ValueError(f"{path}: {_first_bad_cell(chunk, positions, names)}")


def _first_bad_cell(
    chunk: list[tuple[int, list[str]]], positions: list[int], names: list[str]
) -> str:
    """Says where the first cell is that is no finite number, and what is wrong with it."""
    for line, cells in chunk:
        for position in positions:
            cell = cells[position]
            where = f"line {line}, column {names[position]!r}"
            if is_missing(cell):
                return f"{where}: the value is missing ({cell!r})"
            if not is_number(cell):
                return f"{where}: expected a number, received {cell!r}"
            if not math.isfinite(float(cell)):
                return f"{where}: expected a finite number, received {cell!r}"
    raise AssertionError("every cell is a finite number")


def _cells(
    chunk: list[tuple[int, list[str]]], position: int, names: list[str], path: Path
) -> np.ndarray:
    for line, cells in chunk:
        if is_missing(cells[position]):
            raise ValueError(
                f"{path}: line {line}, column {names[position]!r}: "
                f"the value is missing ({cells[position]!r})"
            )
    return np.array([cells[position] for _, cells in chunk])


def _is_data(cell: str) -> bool:
    return is_number(cell) or (cell != "" and is_missing(cell))
