"""Where data sets are kept, and how they get there: pooch, with a checksum."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

__all__ = ["data_folders", "retrieve"]


def data_folders(name: str) -> list[Path]:
    """Returns the folders that `$DLNATIVE_DATA` stands for: its folder `name`, and itself."""
    root = os.environ.get("DLNATIVE_DATA")
    return [Path(root) / name, Path(root)] if root else []


def retrieve(data_set: str, file: str, sha256: str, mirrors: Sequence[str], folder: Path) -> Path:
    """Downloads a file from the first mirror that works.

    Args:
        data_set: Name of the data set, for the errors.
        file: Name of the file, at the mirrors and in the folder.
        sha256: Its checksum. A file that is in the folder already and has it is not fetched again.
        mirrors: Addresses that end with a slash.
        folder: Where it goes.

    Returns:
        The file, complete and checked.

    Raises:
        ImportError: If pooch is not installed.
        OSError: If the folder cannot be written.
        ConnectionError: If no mirror answers.
        ValueError: If a mirror sends a file with another checksum, of which nothing is kept.
    """
    try:
        import pooch
    except ImportError as error:
        raise ImportError(
            f"{data_set}.load_data: no local copy was found, and downloading needs pooch: "
            "pip install 'dlnative[datasets]'; or pass the folder that has the files, "
            "or name it in DLNATIVE_DATA"
        ) from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"{data_set}.load_data: no local copy was found, and a download cannot be kept in "
            f"{folder}: {error.strerror}; XDG_CACHE_HOME names another place for caches, "
            "DLNATIVE_DATA or --data-dir a folder that has the files"
        ) from error
    failures: list[str] = []
    for mirror in mirrors:
        try:
            return Path(
                pooch.retrieve(f"{mirror}{file}", f"sha256:{sha256}", fname=file, path=folder)
            )
        except OSError as error:  # requests' exceptions are OSErrors
            failures.append(f"{mirror}: {error}")
    raise ConnectionError(f"{data_set}.load_data: cannot download {file}: {'; '.join(failures)}")
