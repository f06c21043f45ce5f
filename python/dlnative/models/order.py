"""The order of rows, or of batches, in each epoch."""

from __future__ import annotations

from typing import Any

import numpy as np


class Order:
    """The order of rows in each epoch, a function of (seed, number of the epoch).

    Random numbers are Philox's, keyed by both, so that training goes on in the same way from a
    saved epoch.

    Args:
        count: Number of rows.
        batch: Rows per batch.
        shuffle: True for any order, "batch" for an order within each batch, False for none.
        seed: 64-bit seed.
    """

    def __init__(self, count: int, batch: int, shuffle: bool | str, seed: int) -> None:
        self.count = count
        self.batch = batch
        self.shuffle = shuffle
        if shuffle:
            philox = np.random.Philox(key=np.array([seed, 0], dtype=np.uint64))
            self._philox = philox
            self._generator = np.random.Generator(philox)
            self._start = philox.state
            self._key = self._start["state"]["key"]

    def indices(self, epoch: int) -> Any:
        """Row numbers in the order of an epoch; None for the order of the data."""
        if not self.shuffle:
            return None
        # Setting the state is several times cheaper than a new generator, which for a data set of
        # four rows would cost more than the epoch.
        self._key[1] = epoch
        self._philox.state = self._start
        if self.shuffle != "batch":
            return self._generator.permutation(self.count)
        order = np.arange(self.count)
        full = self.count // self.batch * self.batch
        blocks = order[:full].reshape(-1, self.batch)
        self._generator.permuted(blocks, axis=1, out=blocks)
        self._generator.shuffle(order[full:])
        return order
