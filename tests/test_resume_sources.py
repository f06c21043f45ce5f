"""Runs over generators, iterables and PyDatasets go on where a checkpoint has them."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest
from resumed_runs import Batches, assert_goes_on, ending, whole_run  # noqa: F401
from trained_models import X, Y, default

import dlnative

SIZE = 6
COUNT = len(X) // SIZE


def batch(rows):
    return X[rows], Y[rows]


def rows(index):
    return np.arange(index * SIZE, (index + 1) * SIZE)


def generator(pause=0.0):
    draws = np.random.default_rng(2)
    while True:
        time.sleep(pause)
        yield batch(draws.integers(0, len(X), SIZE))


class Loader:
    """Other batches in each pass, from one stream of random numbers."""

    def __init__(self):
        self.draws = np.random.default_rng(2)

    def __len__(self):
        return COUNT

    def __iter__(self):
        order = self.draws.permutation(len(X))
        for index in range(COUNT):
            yield batch(order[rows(index)])


class Passes(Loader):
    """The same, that can be asked where it is."""

    pause = 0.0

    def __init__(self):
        super().__init__()
        self.order = self.draws.permutation(len(X))
        self.at = 0

    def give(self):
        if self.at == COUNT:
            self.order, self.at = self.draws.permutation(len(X)), 0
        time.sleep(self.pause)
        self.at += 1
        return batch(self.order[rows(self.at - 1)])

    def __iter__(self):
        while True:
            yield self.give()

    def get_state(self):
        return {
            "order": self.order.tolist(),
            "at": self.at,
            "draws": self.draws.bit_generator.state,
        }

    def set_state(self, state):
        self.order, self.at = np.array(state["order"]), state["at"]
        self.draws.bit_generator.state = state["draws"]


class Remembering(Passes):
    """One that is an iterator itself, without end."""

    def __iter__(self):
        return self

    def __next__(self):
        return self.give()


class Slow(Remembering):
    """One that is read ahead by a thread."""

    pause = 0.002


class Dataset(dlnative.utils.PyDataset):
    def __init__(self, **options):
        super().__init__(**options)
        self.draws = np.random.default_rng(2)
        self.order = np.arange(len(X))

    def __len__(self):
        return COUNT

    def __getitem__(self, index):
        return batch(self.order[rows(index)])

    def on_epoch_end(self):
        self.order = self.draws.permutation(self.order)


class RememberingDataset(Dataset):
    def get_state(self):
        return {"order": self.order.tolist(), "draws": self.draws.bit_generator.state}

    def set_state(self, state):
        self.order = np.array(state["order"])
        self.draws.bit_generator.state = state["draws"]


SOURCES = {
    "generator": generator,
    "slow generator": lambda: generator(0.002),
    "loader": Loader,
    "iterator with a state": Remembering,
    "slow iterator with a state": Slow,
    "iterable with a state": Passes,
    "data set": Dataset,
    "data set of workers": lambda: Dataset(workers=2),
    "data set with a state": RememberingDataset,
}
REPLAYED = ("generator", "slow generator", "loader")


def make():
    return default("adam")


@pytest.mark.parametrize("steps", [None, 4, 8])
@pytest.mark.parametrize("case", SOURCES)
def test_goes_on_in_a_source(case, steps, whole_run, tmp_path):  # noqa: F811
    if steps is None and ("generator" in case or "iterator" in case):  # without end
        steps = 5
    whole = None

    def fit(model, *added):
        mine = [Batches()]
        replays = whole is not None and case in REPLAYED
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            history = model.fit(
                SOURCES[case](),
                epochs=3,
                steps_per_epoch=steps,
                validation_data=SOURCES[case](),
                validation_steps=2,
                verbose=0,
                callbacks=[*mine, *added],
            )
        messages = [str(each.message) for each in caught if "ran out" not in str(each.message)]
        assert all("read again and left out" in message for message in messages)
        assert replays or not messages
        return ending(model, history, mine)

    whole, checkpoints = whole_run(make, fit)
    assert_goes_on(whole, checkpoints, make, fit, tmp_path, some=3)


def test_fewer_batches_than_before(tmp_path):
    def fit(count, *added):
        data = (batch(rows(i)) for i in range(count))
        backup = dlnative.callbacks.BackupAndRestore(tmp_path, 4)
        make().fit(data, steps_per_epoch=5, verbose=0, callbacks=[*added, backup])

    def stop(batch, logs):
        raise KeyboardInterrupt

    interrupt = dlnative.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: stop(batch, logs) if batch == 4 else None
    )
    with pytest.raises(KeyboardInterrupt):
        fit(6, interrupt)
    with (
        pytest.warns(UserWarning, match="4 batches are read again"),
        pytest.raises(ValueError, match="expected a generator of at least 4 batches"),
    ):
        fit(3)
