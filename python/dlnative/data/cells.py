"""What a cell of a text file says."""

from __future__ import annotations

__all__ = ["is_missing", "is_number"]

_MISSING = {"", "?", "na", "n/a", "nan", "null", "none"}


def is_missing(cell: str) -> bool:
    """Tells whether a cell stands for a value that is not there."""
    return cell.lower() in _MISSING


def is_number(cell: str) -> bool:
    """Tells whether a cell is a number, which includes infinity and NaN."""
    try:
        float(cell)
    except ValueError:
        return False
    return True
