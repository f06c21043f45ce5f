"""Checkpoints from which an interrupted `fit` goes on."""

from __future__ import annotations

import os

from ..utils.numbers import is_number
from .callback import Callback


class BackupAndRestore(Callback):
    """Has `fit` write checkpoints, and go on from the newest where there is one.

    The run ends with the bits of one that was not interrupted: weights, state of the optimizer,
    history, order of rows, random numbers and what callbacks remember (`Callback.get_state`). See
    `resume` of `fit`, which does the same with other options, and docs/training.md.

    Args:
        backup_dir: The folder for the checkpoints, of this run only; made if it does not exist.
        save_freq: "epoch" for one after each epoch, a number of batches, or False for none but
            those by `seconds`, the first and the last. A thread writes them; where the one before
            is still being written, training waits for it.
        double_checkpoint: Whether the last two are kept, in case the newest is damaged.
        delete_checkpoint: Whether they are removed when training has ended.
        seconds: One is written every so many seconds, too, or later where the one before is not
            yet written; None for not.

    Raises:
        ValueError: There is no `backup_dir`, or no such `save_freq`. By `fit`: the checkpoints are
            those of another model, other data or other options.
        OSError: By `fit`: the folder cannot be written.

    Example:
        >>> import numpy as np, dlnative
        >>> folder = getfixture("tmp_path") / "backup"
        >>> model = dlnative.Sequential([dlnative.Input((1,)), dlnative.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> x, y = np.ones((8, 1)), np.zeros(8)
        >>> def interrupt(epoch, logs):
        ...     if epoch == 2:
        ...         raise KeyboardInterrupt
        >>> end = dlnative.callbacks.LambdaCallback(on_epoch_begin=interrupt)
        >>> backup = dlnative.callbacks.BackupAndRestore(folder)
        >>> try:
        ...     _ = model.fit(x, y, epochs=4, verbose=0, callbacks=[backup, end])
        ... except KeyboardInterrupt:
        ...     pass
        >>> model.fit(x, y, epochs=4, verbose=0, callbacks=[backup]).epoch
        [0, 1, 2, 3]

    Differs from Keras: training goes on at the batch, not at the epoch, and with everything that it
    remembers, so that the history is that of all epochs. A checkpoint of another model or of other
    data is refused. The model need not be built before. `seconds` is new.
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
        seconds: float | None = None,
    ) -> None:
        super().__init__()
        if not backup_dir:
            raise ValueError(
                f"BackupAndRestore: expected backup_dir to be a folder, received {backup_dir!r}"
            )
        is_count = isinstance(save_freq, int) and (save_freq is False or save_freq > 0)
        if save_freq != "epoch" and not is_count:
            raise ValueError(
                "BackupAndRestore: expected save_freq to be 'epoch', a number of batches or False, "
                f"received {save_freq!r}"
            )
        if seconds is not None and not (is_number(seconds) and seconds >= 0):
            raise ValueError(
                f"BackupAndRestore: expected seconds to be a number or None, received {seconds!r}"
            )
        self.backup_dir = backup_dir
        self.save_freq = save_freq if save_freq == "epoch" or save_freq is False else int(save_freq)
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self.seconds = seconds
