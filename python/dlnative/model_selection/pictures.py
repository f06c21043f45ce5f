"""One picture of one plot."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def axes(path: str | os.PathLike[str], x: str, y: str) -> Iterator[Any]:
    """A `with` block that draws on Matplotlib's axes, which are then written to a file.

    Raises:
        ImportError: Matplotlib, the extra `dlnative[examples]`, is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "plot: pictures need Matplotlib: pip install 'dlnative[examples]'"
        ) from error
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    ax = figure.add_subplot()
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.grid(alpha=0.3)
    yield ax
    figure.savefig(path, dpi=120)
