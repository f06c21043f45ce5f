"""Steps over the rows of a data set: which rows, in which order, and when Python has its turn."""

from __future__ import annotations

import numpy as np

from .batch import flat_arrays

PAUSE = 0.1  # seconds after which a run returns, for the progress bar and for Ctrl-C
CHECKED = 1 << 20  # rows that the first run of an epoch may ask for


class Pass:
    """All batches of a data set, the last of which may be smaller.

    Args:
        rows: A Rows.
        batch: Rows per batch.
        get_step: Function from a number of rows to a Step.
        current: Function that tells what Steps depend on beside their arguments: they are got anew
            where it returns something else than before.
        out: None, or one array per output of the Step, for all rows.

    Attributes:
        batches: Number of batches.
        batch: Rows per batch.
        count: Number of rows.
    """

    def __init__(self, rows, batch, get_step, current, out=None):
        self._arrays = flat_arrays(rows)
        self._get_step = get_step
        self._current = current
        self.count = rows.count
        self.batch = min(batch, rows.count)
        self.full, self._rest = divmod(rows.count, self.batch)
        self.batches = self.full + (self._rest > 0)
        self.out = out
        self._load()

    def _load(self):
        step = self._get_step(self.batch)
        self._run_full, self._full_arrays = step.function.run, step.pick(self._arrays)
        if self._rest:
            step = self._get_step(self._rest)
            self._run_rest, self._rest_arrays = step.function.run, step.pick(self._arrays)
        self._loaded = self._current()

    def rows_before(self, batch):
        """Number of rows in the batches before one."""
        return min(batch * self.batch, self.count)

    def run(self, indices, start, stop, step=0, epoch=0, progress=None):
        """Runs batches `start` to `stop`.

        Args:
            indices: Row numbers in the order of the epoch, or None.
            start: The first batch.
            stop: The batch after the last.
            step: Number of the first step, for random masks.
            epoch: Number of the epoch, for augmentation.
            progress: Function of a number of batches, called at least every `PAUSE` seconds.
        """
        if self._current() != self._loaded:
            self._load()
        done, size = start, self.batch
        full = self.full if stop > self.full else stop
        limit = max(1, CHECKED // size)
        while done < full:
            asked = min(full - done, limit)
            ran = self._run_full(
                self._full_arrays,
                indices,
                done * size,
                asked,
                step + done - start,
                PAUSE,
                self.out,
                epoch,
            )
            done += ran
            # Row numbers are checked before the first step; no more than these steps may need.
            limit = 2 * ran
            if progress is not None:
                progress(done)
        if stop > full:
            last = step + full - start
            self._run_rest(self._rest_arrays, indices, full * size, 1, last, None, self.out, epoch)
            if progress is not None:
                progress(stop)

    def run_hooked(self, indices, start, stop, step, epoch, begin, end, together=1):
        """Runs batches `start` to `stop` with a call of `begin` and `end` around each.

        Args:
            begin: Called with the number of the batch, from 0.
            end: Called with the number of the batch; True ends the run.
            together: How many batches are run between two calls.

        Returns:
            The batch after the last that was run.
        """
        done = start
        while done < stop:
            upto = min(done + together, stop)
            begin(done - start)
            self.run(indices, done, upto, step + done - start, epoch)
            last, done = done, upto
            if end(last - start + together - 1):
                break
        return done


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

    def __init__(self, count, batch, shuffle, seed):
        self.count = count
        self.batch = batch
        self.shuffle = shuffle
        if shuffle:
            philox = np.random.Philox(key=np.array([seed, 0], dtype=np.uint64))
            self._philox = philox
            self._generator = np.random.Generator(philox)
            self._start = philox.state
            self._key = self._start["state"]["key"]

    def indices(self, epoch):
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


class Epochs:
    """Walks through a data set in epochs of a given number of steps, as Keras's epoch iterator.

    Without `steps` an epoch is the whole set in a new order. With `steps` an epoch goes on where
    the last one stopped; at the end of the set a new order begins with the next epoch.

    Args:
        batches: Number of batches in the set.
        order: An Order.
        steps: Steps per epoch, or None.
        number: Number of the first epoch, for the order.
    """

    def __init__(self, batches, order, steps, number):
        self.batches = batches
        self.order = order
        self.steps = steps
        self.number = number
        self.position = 0
        self._indices = None

    @property
    def length(self):
        return self.steps or self.batches

    def next(self):
        """(indices, first batch, batch after the last, number of the order) of the next epoch."""
        if self.steps is None:
            indices = self.order.indices(self.number)
            self.number += 1
            return indices, 0, self.batches, self.number - 1
        if self.position == 0:
            self._indices = self.order.indices(self.number)
            self.number += 1
        start = self.position
        stop = min(start + self.steps, self.batches)
        self.position = 0 if stop == self.batches else stop
        if stop - start < self.steps:
            import warnings

            warnings.warn(
                f"The data has only {stop - start} batches left for an epoch of {self.steps} "
                "steps, which ends early. Give fewer steps_per_epoch or more data.",
                stacklevel=4,
            )
        return self._indices, start, stop, self.number - 1
