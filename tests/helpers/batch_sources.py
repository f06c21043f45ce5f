"""Generators, iterables and PyDatasets of small batches for the tests of sources."""

from __future__ import annotations

import numpy as np

import dlnative

RANDOM = np.random.Generator(np.random.PCG64(7))
X = RANDOM.normal(size=(37, 4)).astype("float32")
Y = RANDOM.integers(0, 3, 37)
WEIGHTS = RANDOM.uniform(0, 2, 37).astype("float32")
BATCH = 8
BATCHES = 5  # the last of which has 5 rows


def batch(i, weights=False):
    """Batch `i` of the data above."""
    rows = slice(i * BATCH, (i + 1) * BATCH)
    return (X[rows], Y[rows], WEIGHTS[rows]) if weights else (X[rows], Y[rows])


def generator(weights=False, loop=False, stop=BATCHES):
    """Yields the batches in order, once or again and again."""
    while True:
        for i in range(stop):
            yield batch(i, weights)
        if not loop:
            return


def failing(error, at=3):
    """Yields `at` batches and raises."""
    yield from generator(stop=at)
    raise error


class Loader:
    """What can be iterated over again and again, like PyTorch's DataLoader."""

    def __init__(self, known=True):
        self.known = known

    def __len__(self):
        if not self.known:
            raise TypeError("no length")
        return BATCHES

    def __iter__(self):
        return ([x, y] for x, y in generator())


def make_dataset(base=dlnative.utils.PyDataset, shift=0, **options):
    """A PyDataset of the batches that begins `shift` batches later after each epoch."""

    class Batches(base):
        def __init__(self, **options):
            super().__init__(**options)
            self.first = 0
            self.asked = []
            self.begun = self.ended = 0

        def __len__(self):
            return BATCHES

        def __getitem__(self, index):
            self.asked.append(index)
            return batch((index + self.first) % BATCHES)

        def on_epoch_begin(self):
            self.begun += 1

        def on_epoch_end(self):
            self.ended += 1
            self.first += shift

    return Batches(**options)
