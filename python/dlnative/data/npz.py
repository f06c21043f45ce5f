"""Arrays from NumPy's ``.npz`` archives, without running anything that is in them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

__all__ = ["read_npz"]


def read_npz(path: str | os.PathLike[str], names: Sequence[str] | None = None) -> dict:
    """Returns the arrays of an archive by name.

    Args:
        path: An ``.npz`` file as ``numpy.savez`` or ``numpy.savez_compressed`` writes it.
        names: The arrays that must be there; the others are not read. None reads all.

    Returns:
        A dictionary from name to array, in the order of `names`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not a readable archive, an array is missing, or an array holds
            pickled Python objects, which are never loaded.

    Example:
        >>> np.savez("points.npz", x=np.zeros((4, 2)), y=np.arange(4))  # doctest: +SKIP
        >>> read_npz("points.npz", ["x", "y"])["x"].shape  # doctest: +SKIP
        (4, 2)
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        # The file is opened here: NumPy leaves it open when it turns out to be no archive.
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
            missing = [name for name in names or () if name not in archive]
            if missing:
                raise ValueError(
                    f"expected an array {missing[0]!r}, received {', '.join(archive) or 'none'}"
                )
            return {name: archive[name] for name in names or archive}
    except Exception as error:  # zipfile, zlib and NumPy's own reader each raise their own kinds
        raise ValueError(f"{path}: cannot read it as an .npz archive: {error}") from error
