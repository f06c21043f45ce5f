"""How large the content of a compressed file may be: what it says is not believed."""

from __future__ import annotations

import os
import sys

__all__ = ["check_expansion"]

# DEFLATE, the method of gzip and zip, spends at least 2 bits on 258 bytes.
_LARGEST_RATIO = 1032
_SLACK = 1 << 16


def check_expansion(size: int, compressed: int) -> None:
    """Refuses to expand what cannot be as large as announced, or does not fit into the memory.

    Args:
        size: The bytes that a header announces.
        compressed: The bytes they are compressed to.

    Raises:
        ValueError: If no compressed data of this length gives `size` bytes, or the machine does
            not have as much memory.
    """
    if size > _LARGEST_RATIO * compressed + _SLACK:
        raise ValueError(
            f"damaged: {size} bytes are announced, and {compressed} compressed bytes cannot be so "
            "many"
        )
    memory = _memory()
    if size > memory:
        raise ValueError(f"{size} bytes do not fit into the memory of {memory} bytes")


def _memory() -> int:
    """Returns the size of the machine's memory, as far as it is known."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return sys.maxsize
