"""What a long process does again and again takes no more memory than once."""

from __future__ import annotations

import gc
import sys
import threading
import tracemalloc

import numpy as np
import pytest

import dlnative
from dlnative import _core, layers

pytestmark = pytest.mark.native


def resident_bytes():
    """Of this process; 0 where the system does not say."""
    if not sys.platform.startswith("linux"):
        return 0
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def core_bytes():
    """What C++ holds for arenas, tables and packed weights."""
    return _core.memory_count()[0]


class Growth:
    """A `with` block whose end tells how much there is more than at its begin.

    Args:
        traced: Whether memory of Python's is counted, which is slow.

    Attributes:
        objects: Objects of Python's that may hold others.
        python: Bytes of objects of Python's, arrays among them; 0 unless traced.
        core: Bytes of C++.
        resident: Bytes of the process.
    """

    def __init__(self, traced=True):
        self.traced = traced

    def __enter__(self):
        if self.traced:
            tracemalloc.start()
        self.before = self.counts()
        return self

    def __exit__(self, *_):
        after = self.counts()
        if self.traced:
            tracemalloc.stop()
        growth = (b - a for a, b in zip(self.before, after, strict=True))
        self.objects, self.python, self.core, self.resident = growth

    def counts(self):
        gc.collect()
        python = tracemalloc.get_traced_memory()[0] if self.traced else 0
        return len(gc.get_objects()), python, core_bytes(), resident_bytes()


def test_models_that_are_dropped_leave_nothing_behind(request):
    """Created, trained and dropped 300 times; the garbage collector does not come by itself."""
    x = np.random.default_rng(0).random((20, 192), "float32")
    y = np.ones((20, 3), "float32")

    def one():
        model = dlnative.Sequential(
            [dlnative.Input((192,)), layers.Dense(64, activation="relu"), layers.Dense(3)]
        )
        model.compile("adam", "mse")
        model.fit(x, y, batch_size=16, verbose=0)
        model.predict_on_batch(x)

    for _ in range(20):
        one()
    gc.collect()
    gc.disable()  # as in a process of so many objects that it hardly comes
    request.addfinalizer(gc.enable)
    most = before = core_bytes()
    with Growth(traced=False) as growth:
        for _ in range(300):
            one()
            most = max(most, core_bytes())
    assert growth.core == 0
    assert growth.objects < 300  # a model has thousands
    assert growth.resident < 16 * 2**20
    assert most - before < 4 * 2**20 + before // 4 + 2**20


class Net(dlnative.Model):
    """For images of any size."""

    def __init__(self):
        super().__init__()
        self.first = layers.Conv2D(16, 3, activation="relu")
        self.second = layers.Conv2D(8, 3)

    def call(self, x):
        return dlnative.ops.mean(self.second(self.first(x)), axis=(1, 2))


def test_sizes_in_turn_take_the_memory_of_one_round():
    net = Net()
    images = [np.zeros((4, size, size, 3), "float32") for size in range(24, 64, 2)]

    def one_round():
        for image in images:
            net.predict_on_batch(image)

    one_round()
    one_round()
    before = net._trainer.programs.arenas.bytes
    with Growth() as growth:
        for _ in range(10):
            one_round()
    assert net._trainer.programs.arenas.bytes == before
    assert growth.core == 0
    assert growth.python < 64 * 1024
    assert growth.resident < 8 * 2**20


def test_threads_that_come_and_go_use_the_arenas_of_those_before():
    net = Net()
    image = np.zeros((4, 48, 48, 3), "float32")

    def one_round():
        begin = threading.Barrier(4)

        def work():
            begin.wait()
            for _ in range(3):
                net.predict_on_batch(image)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    for _ in range(5):
        one_round()
    arenas = net._trainer.programs.arenas
    largest = arenas.bytes // len(arenas)
    with Growth() as growth:
        for _ in range(30):
            one_round()
    assert len(arenas) <= 4
    assert arenas.bytes == len(arenas) * largest
    assert growth.resident < 8 * 2**20 + 4 * largest
    assert growth.python < 64 * 1024
