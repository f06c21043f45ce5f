"""What a cell of a text file says."""

from __future__ import annotations

import math
import re

__all__ = ["hint", "is_data", "is_missing", "is_number", "is_whole", "whole_number"]

_MISSING = {"", "?", "na", "n/a", "nan", "null", "none"}

# Decimal notation only. Python's float() also takes 1_000, digits of other scripts, and infinity.
# No two parts can take the same digit, so that a long cell is matched in one go.
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)  # fits int64

# A number for people: 1,5 or 1.234,5 or 1 234 or 1_000 or $5 or 12%.
_AMOUNT = re.compile(r"[$€£¥]?\s?[+-]?\d[\d.,'_\u00a0\u202f ]*[$€£¥%]?", re.ASCII)


def is_missing(cell: str) -> bool:
    """Tells whether a cell stands for a value that is not there."""
    return cell.lower() in _MISSING


def is_number(cell: str) -> bool:
    """Tells whether a cell is a number in decimal notation, which may be too large for a float."""
    return _NUMBER.fullmatch(cell) is not None


def is_whole(cell: str) -> bool:
    """Tells whether a cell is a whole number, written as such and of up to 18 digits."""
    return _WHOLE.fullmatch(cell) is not None


def is_data(cell: str) -> bool:
    """Tells whether a cell can be one of a column of numbers, if need be a missing one."""
    return is_number(cell) or (cell != "" and is_missing(cell)) or _is_infinite(cell)


def whole_number(value: object) -> int | None:
    """Returns the whole number that a cell or an element is (`"2"`, `"2.0"`, 2.0), or None."""
    if isinstance(value, str):
        if is_whole(value):
            return int(value)
        value = float(value) if is_number(value) else None
    if isinstance(value, float):
        # Above 2**53 not every whole number is a float.
        return int(value) if value.is_integer() and abs(value) <= 2**53 else None
    return value if value is None or isinstance(value, int) else None


def hint(cell: str) -> str:
    """Returns what to do about a cell that is no number, as the end of a sentence, or nothing."""
    if not _AMOUNT.fullmatch(cell) or is_number(cell):
        return ""
    return " (numbers have a decimal point, no separators and no unit: 1234.5)"


def not_a_number(cell: str) -> str:
    """Says what is wrong with a cell that is no finite number."""
    if is_missing(cell):
        return f"the value is missing ({cell!r})"
    if _is_infinite(cell) or (is_number(cell) and math.isinf(float(cell))):
        return f"expected a finite number, received {cell!r}"
    return f"expected a number, received {cell!r}{hint(cell)}"


def _is_infinite(cell: str) -> bool:
    return cell.lower().lstrip("+-") in ("inf", "infinity")
