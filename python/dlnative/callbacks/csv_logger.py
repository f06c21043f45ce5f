"""Writes the logs of every epoch to a CSV file."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from .callback import Logs
from .log_file import LogFileCallback


class CSVLogger(LogFileCallback):
    """Writes a row for every epoch: its number, then losses and metrics by name.

    The columns are those of the first epoch of a `fit`; where that has no validation, each name
    also with "val_". A value that an epoch does not have is "NA". A row is in the file when its
    epoch has ended.

    Args:
        filename: The file.
        separator: What stands between two values, one character.
        append: Whether `fit` appends to a file that is there, which then has a header already.
            Otherwise it begins the file anew.

    Raises:
        TypeError: An argument of a wrong type.

    Example:
        >>> import pathlib, tempfile, numpy as np, dlnative
        >>> model = dlnative.Sequential([dlnative.Input((1,)), dlnative.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> path = pathlib.Path(tempfile.mkdtemp(), "log.csv")
        >>> fitted = model.fit(np.zeros((4, 1)), np.zeros(4), epochs=2, verbose=0,
        ...                    callbacks=[dlnative.callbacks.CSVLogger(path)])
        >>> print(path.read_text())
        epoch,loss,val_loss
        0,0.0,NA
        1,0.0,NA
        <BLANKLINE>
    """

    _remembered = ("keys", "append_header")

    def __init__(
        self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False
    ) -> None:
        super().__init__(filename, append)
        if not isinstance(separator, str) or len(separator) != 1:
            raise TypeError(
                f"CSVLogger: expected separator to be one character, received {separator!r}"
            )
        self.sep = separator
        self.keys: list[str] | None = None
        self.append_header = True

    def _begin(self) -> None:
        super()._begin()
        self.append_header = not self._file.position
        self.keys = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        text = io.StringIO()
        writer = csv.writer(text, delimiter=self.sep)
        if self.keys is None:
            self.keys = sorted(logs)
            if not any(key.startswith("val_") for key in self.keys):
                self.keys += [f"val_{key}" for key in self.keys]
            if self.append_header:
                writer.writerow(["epoch", *self.keys])
        writer.writerow([epoch, *(_cell(logs.get(key, "NA")) for key in self.keys)])
        self._file.write(text.getvalue().encode())


def _cell(value: Any) -> Any:
    """A value as `csv` takes it: of several numbers their list."""
    is_list = isinstance(value, Iterable) and not isinstance(value, str) and np.ndim(value)  # type: ignore[arg-type]
    return f'"[{", ".join(map(str, value))}]"' if is_list else value
