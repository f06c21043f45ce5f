"""One model in several threads and processes, and the memory that its programs share."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time

import numpy as np
import pytest

import dlnative
from dlnative import layers
from dlnative.plan import make_plan


def classifier(units=64, **options):
    model = dlnative.Sequential(
        [
            dlnative.Input((16,)),
            layers.Dense(units, activation="relu"),
            layers.BatchNormalization(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", **options)
    return model


def data(rows=64):
    rng = np.random.default_rng(5)
    return rng.standard_normal((rows, 16)).astype("float32"), rng.integers(0, 3, rows)


def in_threads(count, work):
    """Runs `work(number)` in threads; raises what one of them raised."""
    errors = []

    def guarded(number):
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("batch_size", [None, 1, 50])
def test_predict_in_several_threads(engine, batch_size):
    """Every thread gets the results of its own rows, whatever the others ask for."""
    with dlnative.engine(engine):
        model = classifier(units=2048)  # a run takes long enough that others come meanwhile
        x, _ = data(400)
        expected = model.predict(x, verbose=0)

        def work(number):
            for i in range(8):
                rows = slice(number, number + 1 + (37 * i + 61 * number) % 300)
                result = model.predict(x[rows], batch_size=batch_size, verbose=0)
                np.testing.assert_allclose(result, expected[rows], rtol=1e-4, atol=1e-5)

        in_threads(4, work)


def test_a_model_is_built_by_one_of_the_threads_that_call_it_first():
    model = dlnative.Sequential([layers.Dense(8, activation="relu"), layers.Dense(2)])
    x, _ = data()
    results = [None] * 4

    def work(number):
        results[number] = model.predict(x, verbose=0)

    in_threads(4, work)
    for result in results:
        np.testing.assert_array_equal(result, results[0])


def test_training_in_several_threads_takes_turns():
    """Steps of all threads count, and every loss is that of a whole batch."""
    model = classifier(metrics=["accuracy"])
    x, y = data()
    model.train_on_batch(x, y)

    def work(number):
        for _ in range(20):
            loss, accuracy = model.train_on_batch(x, y)
            assert np.isfinite(loss) and 0 <= accuracy <= 1 and (accuracy * 64) % 1 == 0
            loss, accuracy = model.evaluate(x, y, batch_size=7, verbose=0)
            assert (accuracy * 64) % 1 == pytest.approx(0, abs=1e-6)

    in_threads(3, work)
    assert int(model.optimizer.iterations) == 1 + 3 * 20


def test_predict_beside_fit_does_not_wait_for_its_end():
    model = classifier()
    x, y = data()
    model.predict(x[:1], verbose=0)
    began, finished = threading.Event(), threading.Event()

    class Begin(dlnative.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            began.set()
            self.model.stop_training = finished.is_set()

    def work(number):
        if number:
            model.fit(x, y, epochs=10**9, verbose=0, callbacks=[Begin()])
        else:
            began.wait()
            for rows in (1, 2, 3):
                assert np.isfinite(model.predict(x[:rows], verbose=0)).all()
            finished.set()

    in_threads(2, work)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # fork beside threads, Python 3.12
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # JAX's, where Keras has loaded it
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_a_child_forked_while_the_parent_trains_can_train(engine):
    """It finds the model between two steps, with nothing locked."""
    with dlnative.engine(engine):
        model = classifier(units=256)
        x, y = data()
        model.fit(x, y, verbose=0)
        stop = threading.Event()

        class Stop(dlnative.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                self.model.stop_training = stop.is_set()

        def child(pipe):
            before = model.optimizer.iterations.numpy()
            model.fit(x, y, epochs=2, verbose=0)
            loss = model.train_on_batch(x, y)
            result = model.predict(x, verbose=0)
            done = int(model.optimizer.iterations) - int(before)
            pipe.send((done, float(loss), bool(np.isfinite(result).all())))

        context = multiprocessing.get_context("fork")
        trainer = threading.Thread(
            target=lambda: model.fit(x, y, epochs=10**9, verbose=0, callbacks=[Stop()])
        )
        trainer.start()
        try:
            for _ in range(5):
                time.sleep(0.01)
                ours, theirs = context.Pipe()
                process = context.Process(target=child, args=(theirs,))
                process.start()
                assert ours.poll(60), "the child hangs"
                steps, loss, finite = ours.recv()
                process.join()
                assert (steps, finite) == (5, True) and np.isfinite(loss)
        finally:
            stop.set()
            trainer.join()
        assert np.isfinite(model.evaluate(x, y, verbose=0))


@pytest.mark.native
def test_programs_of_one_model_share_one_arena():
    """Many batch sizes take the memory of the largest, in whatever order they come."""
    model = classifier()
    x, y = data(64)
    for rows in (3, 64, 5, 17, 33, 64, 8):
        model.train_on_batch(x[:rows], y[:rows])
        model.predict_on_batch(x[:rows])
        model.test_on_batch(x[:rows], y[:rows])
    programs = model._trainer.programs
    assert len(programs.arenas) == 1
    assert programs.arenas.bytes == model.memory_plan(batch_size=64).arena_bytes
    assert len(programs) == 3 * 6
    expected = [model.predict_on_batch(x[:rows]) for rows in (5, 17)]
    model.evaluate(x, y, verbose=0)
    for rows, result in zip((5, 17), expected, strict=True):
        np.testing.assert_array_equal(model.predict_on_batch(x[:rows]), result)


class ImageModel(dlnative.Model):
    """For images of any size."""

    def __init__(self):
        super().__init__()
        self.first = layers.Conv2D(16, 3, activation="relu")
        self.second = layers.Conv2D(8, 3)

    def call(self, x):
        return dlnative.ops.mean(self.second(self.first(x)), axis=(1, 2))


@pytest.mark.native
def test_twenty_image_sizes_are_planned_once_each_in_the_memory_of_the_largest(monkeypatch):
    """Ascending sizes are the worst case: each replaces the arena that all before have used."""
    plans = []

    def counted(*args, **kwargs):
        plans.append(make_plan(*args, **kwargs))
        return plans[-1]

    monkeypatch.setattr("dlnative.plan.make_plan", counted)
    model = ImageModel()
    images = [np.random.default_rng(s).random((2, s, s, 3), "float32") for s in range(16, 36)]
    model.predict_on_batch(images[0][:1])
    expected = [image_model_result(model, image) for image in images]
    plans.clear()
    for _ in range(3):
        for image, result in zip(images, expected, strict=True):
            np.testing.assert_array_equal(model.predict(image, verbose=0), result)
            np.testing.assert_array_equal(model.predict_on_batch(image), result)
    assert len(plans) == 20
    arenas = model._trainer.programs.arenas
    assert (len(arenas), arenas.bytes) == (1, max(plan.bytes for plan in plans))
    assert arenas.bytes > 2 * min(plan.bytes for plan in plans)


def image_model_result(model, image):
    fresh = ImageModel()
    fresh.predict_on_batch(image)
    fresh.set_weights(model.get_weights())
    return fresh.predict_on_batch(image)


@pytest.mark.native
def test_training_goes_on_in_a_program_that_was_built_again():
    """Its state lies outside of the arena; a batch that is larger comes in between."""
    x, y = data(64)
    models = []
    for between in (0, 64):
        dlnative.config.set_seed(3)
        model = classifier()
        for _ in range(3):
            model.train_on_batch(x[:8], y[:8])
            if between:
                model.test_on_batch(x[:between], y[:between])
        models.append(model)
    for a, b in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.native
def test_memory_of_many_batch_sizes_is_that_of_the_largest():
    """Ascending sizes are the worst case: each needs a larger arena than all before."""
    resource = pytest.importorskip("resource")
    net = dlnative.Sequential(
        [dlnative.Input((64, 64, 3)), layers.Conv2D(32, 3), layers.Conv2D(4, 3), layers.Flatten()]
    )
    x = np.zeros((40, 64, 64, 3), "float32")
    net.predict_on_batch(x)
    largest = net._trainer.programs.arenas.bytes
    assert largest > 10e6
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fresh = dlnative.models.clone_model(net)
    for rows in range(1, 41):
        fresh.predict_on_batch(x[:rows])
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    assert grown < 3 * largest
    assert fresh._trainer.programs.arenas.bytes == largest


@pytest.mark.native
def test_layers_called_on_many_shapes_share_one_arena():
    layer = layers.Dense(8)
    results = [layer(np.ones((rows, 4), "float32")) for rows in (2, 9, 4)]
    assert len(layer._programs.arenas) == 1
    for rows, result in zip((2, 9, 4), results, strict=True):
        np.testing.assert_array_equal(layer(np.ones((rows, 4), "float32")), result)
