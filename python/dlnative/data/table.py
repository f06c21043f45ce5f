"""Numeric tables from CSV files: a column of targets and columns of features.

The separator is a tab, a semicolon or a comma. Whether the first row holds the names of the columns
is said by the caller, known from the file a model was trained on, or told by `header`.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from .cells import is_missing, is_number, not_a_number
from .header import UnclearHeader, check_names, has_header, looks_named

__all__ = ["Columns", "Table", "read_csv"]

_ROWS_AT_ONCE = 4096
_CELLS_AT_ONCE = 1 << 20  # so many strings are in memory at a time, however wide the table is
_NAMED = 8  # columns that an error names

_Row = tuple[int, list[str]]  # line number and cells


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

    def get_config(self) -> dict[str, Any]:
        """Returns the attributes as a dictionary for JSON."""
        return asdict(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Columns:
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
        features: float64 of shape `(rows, features)`, all finite.
        targets: The cells of the target column as strings, shape `(rows,)`; None if not read.
        header: The line with the names of the columns, or None if there is none.
        lines: The line where each row ends, int64 of shape `(rows,)`.
        path: The file.
    """

    columns: Columns
    features: np.ndarray
    targets: np.ndarray | None
    header: int | None
    lines: np.ndarray
    path: Path

    def where(self, row: int | None) -> str:
        """Returns the place of a target, or of all of them, for an error."""
        line = "" if row is None else f"line {self.lines[row]}, "
        return f"{self.path}: {line}column {self.columns.target!r}"

    def numeric_targets(self) -> np.ndarray:
        """Returns the targets as float64.

        Raises:
            ValueError: If one of them is not a finite number.
        """
        assert self.targets is not None
        cells = self.targets.tolist()
        numbers = np.array([float(cell) if is_number(cell) else np.nan for cell in cells])
        if not np.isfinite(numbers).all():
            row = int(np.isfinite(numbers).argmin())
            raise ValueError(
                f"{self.where(row)}: regression needs numbers as targets: "
                f"{not_a_number(cells[row])}"
            )
        return numbers


def read_csv(
    path: str | os.PathLike[str],
    target: str | None = None,
    columns: Columns | None = None,
    with_target: bool = True,
    header: bool | None = None,
) -> Table:
    """Reads a table of numbers with one column of targets.

    Args:
        path: A text file in UTF-8. Blank lines are skipped.
        target: The target column: its name or, in a file without header, its number counted
            from 1. None takes the last. Not used together with `columns`.
        columns: The columns of the file a model was trained on: features are then found by name
            (further columns are ignored), or by position in files without header.
        with_target: False does not read targets, which may then be absent.
        header: Whether the first row holds the names of the columns. None finds out.

    Returns:
        The table.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is empty, it is not certain whether it has a header, a row has too
            few or too many cells, a cell of a feature is missing or not a finite number, or a
            column does not exist or has no name. The message names file, line and column.

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
            return _read(stream, path, target, columns, with_target, header)
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: not a text file in UTF-8 ({error.reason})") from error


def _read(
    stream: TextIO,
    path: Path,
    target: str | None,
    columns: Columns | None,
    with_target: bool,
    header: bool | None,
) -> Table:
    rows = _rows(stream, path)
    line, first = next(rows, (0, []))
    if not first:
        raise ValueError(f"{path}: the file is empty")
    at_once = min(_ROWS_AT_ONCE, -(-_CELLS_AT_ONCE // len(first)))
    below = [*islice(rows, at_once)]
    try:
        if header is None and columns is None:
            header = _guess_header(first, [cells for _, cells in below], target)
        elif header is None and columns is not None:
            header = _has_known_header(first, columns)
    except UnclearHeader as error:
        raise ValueError(
            f"{path}: line {line}: {error}; --header yes or --header no (in Python header=True or "
            "header=False) says whether these are the names of the columns"
        ) from error
    names = _names(first, header, columns, f"{path}: line {line}")
    if columns is None:
        columns = _choose_columns(names, bool(header), target, path)
    positions = _feature_positions(names, bool(header), columns, path)
    target_position = _target_position(names, bool(header), columns)
    if not with_target:
        target_position = None
    elif target_position is None:
        raise ValueError(
            f"{path}: expected a target column {columns.target!r}, received {_shortened(names)}"
        )
    remaining: Iterator[_Row] = chain(below, rows)
    if header:
        remaining = _without_repeats(remaining, first, line, path)
    else:
        remaining = chain([(line, first)], remaining)
    features, targets, lines = [], [], []
    while chunk := list(islice(remaining, at_once)):
        features.append(_numbers(chunk, positions, names, path))
        lines.append(np.array([number for number, _ in chunk]))
        if target_position is not None:
            targets.append(_cells(chunk, target_position, names, path))
    if not features:
        raise ValueError(f"{path}: a header and no rows of data")
    return Table(
        columns,
        np.concatenate(features),
        np.concatenate(targets) if with_target else None,
        line if header else None,
        np.concatenate(lines),
        path,
    )


def _rows(stream: TextIO, path: Path) -> Iterator[_Row]:
    """Yields line number and stripped cells of every row, all rows of one length."""
    separator = _separator([*islice((line for line in stream if line.strip()), 2)])
    stream.seek(0)
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


def _separator(lines: list[str]) -> str:
    """Returns the first of tab, semicolon and comma that is in every line, outside of quotes.

    So a decimal comma does not count against semicolons.
    """
    unquoted = ["".join(line.split('"')[::2]) for line in lines] or [""]
    return next((mark for mark in "\t;" if all(mark in line for line in unquoted)), ",")


def _without_repeats(
    rows: Iterator[_Row], header: list[str], line: int, path: Path
) -> Iterator[_Row]:
    for number, cells in rows:
        if cells == header:
            raise ValueError(f"{path}: line {number}: the header of line {line} once more")
        yield number, cells


def _guess_header(first: list[str], below: list[list[str]], target: str | None) -> bool:
    """Tells whether the file of a new model has a header; see `header`."""
    position = len(first) - 1
    if target is not None and target.isdecimal():
        position = int(target) - 1 if 0 < int(target) <= len(first) else position
    elif target in first:
        return True
    return has_header(first, below, position)


def _has_known_header(first: list[str], columns: Columns) -> bool:
    """Tells whether a further file has a header, by the one that a model was trained on."""
    names, known = columns.features, set(columns.features)
    if columns.header and known <= set(first):
        if all(map(is_number, names)) and names != [cell for cell in first if cell in known]:
            raise UnclearHeader("the names that the model was trained on, or numbers like them")
        return True
    has_target = len(first) > len(columns.features)
    if looks_named(first, columns.target_position if has_target else None):
        return True
    if columns.header:
        if any(map(is_number, names)):
            raise UnclearHeader("numbers, as the names were that the model was trained on")
        if first == [str(i) for i in range(len(first))]:
            raise UnclearHeader("it counts, as the names that pandas gives to arrays do")
    return False


def _names(first: list[str], header: bool | None, columns: Columns | None, where: str) -> list[str]:
    """Returns the names in the first row, or those by which the columns go without a header."""
    if not header:
        return [f"column {i + 1}" for i in range(len(first))]
    if columns is None:
        try:
            check_names(first)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
    needed = set(first if columns is None else [*columns.features, columns.target])
    seen: set[str] = set()
    for name in first:
        if name in seen and name in needed:
            raise ValueError(f"{where}: two columns are called {name!r}")
        seen.add(name)
    return first


def _choose_columns(names: list[str], header: bool, target: str | None, path: Path) -> Columns:
    if len(names) < 2:
        raise ValueError(
            f"{path}: expected at least one feature column and a target column, received one "
            "column; columns are separated by commas, semicolons or tabs"
        )
    if target is None:
        position = len(names) - 1
    elif target in names:
        position = names.index(target)
    elif not header and target.isdecimal() and 1 <= int(target) <= len(names):
        position = int(target) - 1
    else:
        near = get_close_matches(target, names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"the columns are {_shortened(names)}"
        raise ValueError(f"{path}: there is no column {target!r}; {hint}")
    features = names[:position] + names[position + 1 :]
    return Columns(features, names[position], position, header)


def _feature_positions(names: list[str], header: bool, columns: Columns, path: Path) -> list[int]:
    wanted = columns.features
    known = {name: position for position, name in enumerate(names)}
    if header and columns.header:
        missing = [name for name in wanted if name not in known]
        if missing:
            raise ValueError(
                f"{path}: expected the columns the model was trained on; missing: "
                f"{_shortened(missing)}"
            )
        return [known[name] for name in wanted]
    if len(names) == len(wanted):
        return [*range(len(names))]
    if len(names) == len(wanted) + 1:
        return [i for i in range(len(names)) if i != columns.target_position]
    raise ValueError(
        f"{path}: expected {len(wanted)} columns of features, with or without the target, "
        f"received {len(names)} columns"
    )


def _target_position(names: list[str], header: bool, columns: Columns) -> int | None:
    if header and columns.header:
        return names.index(columns.target) if columns.target in names else None
    return columns.target_position if len(names) == len(columns.features) + 1 else None


def _numbers(chunk: list[_Row], positions: list[int], names: list[str], path: Path) -> np.ndarray:
    pick = itemgetter(*positions, positions[0])  # one position alone would not give a tuple
    picked = [pick(cells) for _, cells in chunk]
    try:
        numbers = np.array(picked, np.float64)[:, :-1]
        text = "".join(chain(*picked))
        # NumPy also takes 1_000 and the digits of other scripts.
        if np.isfinite(numbers).all() and text.isascii() and "_" not in text:
            return numbers
    except ValueError:
        pass
    raise ValueError(f"{path}: {_first_bad_cell(chunk, positions, names)}")


def _first_bad_cell(chunk: list[_Row], positions: list[int], names: list[str]) -> str:
    """Says where the first cell is that is no finite number, and what is wrong with it."""
    for line, cells in chunk:
        for position in positions:
            cell = cells[position]
            if not is_number(cell) or not np.isfinite(float(cell)):
                return f"line {line}, column {names[position]!r}: {not_a_number(cell)}"
    raise AssertionError("every cell is a finite number")


def _cells(chunk: list[_Row], position: int, names: list[str], path: Path) -> np.ndarray:
    for line, cells in chunk:
        if is_missing(cells[position]):
            raise ValueError(
                f"{path}: line {line}, column {names[position]!r}: {not_a_number(cells[position])}"
            )
    return np.array([cells[position] for _, cells in chunk])


def _shortened(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown}, ... ({len(names)} columns)"
