"""One model run from many threads side by side, beside training, with exact results."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest

import dlnative
from dlnative import layers
from dlnative.engines.native import NativeFunction
from dlnative.placement import exclusive

READERS = 8


def in_threads(*works):
    """Runs functions side by side; raises what one of them raised."""
    errors = []
    begin = threading.Barrier(len(works))

    def guarded(work):
        try:
            begin.wait()
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def packing_model():
    """Convolutions and wide dense layers keep their weights packed in prediction."""
    model = dlnative.Sequential(
        [
            dlnative.Input((8, 8, 8)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(96, activation="relu"),
            layers.Dense(3),
        ]
    )
    model.compile(dlnative.optimizers.SGD(0.05), "mse")
    return model


def small_model():
    model = dlnative.Sequential(
        [dlnative.Input((8, 8, 8)), layers.Flatten(), layers.Dense(4, activation="tanh")]
    )
    model.add(layers.Dense(3))
    model.compile(dlnative.optimizers.SGD(0.05), "mse")
    return model


def data(rows):
    rng = np.random.default_rng(7)
    x = rng.standard_normal((rows, 8, 8, 8)).astype("float32")
    return x, rng.standard_normal((rows, 3)).astype("float32")


RUNS = {
    "predict": lambda model, x: model.predict(x, verbose=0),
    "predict_on_batch": lambda model, x: model.predict_on_batch(x),
    "call": lambda model, x: np.asarray(model(x)),
}


class Steps(dlnative.callbacks.Callback):
    """Keeps the weights before the first step and after each."""

    def __init__(self):
        super().__init__()
        self.kept = []

    def on_train_begin(self, logs=None):
        self.kept.append(self.model.get_weights())

    def on_train_batch_end(self, batch, logs=None):
        self.kept.append(self.model.get_weights())


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("make", [packing_model, small_model])
@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_every_prediction_beside_training_is_that_of_a_whole_step(engine, make, run, threads):
    """And all of them are exactly what the weights of that step give when nobody trains."""
    steps = 40 if engine == "native" else 8
    before = dlnative.config.num_threads()
    dlnative.config.set_num_threads(threads)
    try:
        with dlnative.engine(engine):
            check_whole_steps(make(), RUNS[run], steps)
    finally:
        dlnative.config.set_num_threads(before)


def check_whole_steps(model, run, steps):
    x, y = data(4 * steps)
    probe = x[:2].copy()
    run(model, probe)
    seen = [[] for _ in range(READERS)]
    kept = Steps()
    done = threading.Event()

    def train():
        try:
            model.fit(x, y, batch_size=4, verbose=0, callbacks=[kept])
        finally:
            done.set()

    def read(number):
        while not (seen[number] and done.is_set()):
            seen[number].append(run(model, probe))

    in_threads(train, *(lambda i=i: read(i) for i in range(READERS)))
    assert len(kept.kept) == steps + 1
    possible = set()
    for weights in kept.kept:
        model.set_weights(weights)
        possible.add(run(model, probe).tobytes())
    assert len(possible) > steps // 2
    for results in seen:
        assert {result.tobytes() for result in results} <= possible


@pytest.mark.native
def test_steps_that_run_in_one_call_are_seen_one_by_one():
    """All of an epoch is one call; who predicts meanwhile neither waits for it nor sees half."""
    model = packing_model()
    x, y = data(4)
    model.fit(x, y, verbose=0)
    start = model.get_weights()
    count = 3000
    repeated = [np.broadcast_to(a, (count, *a.shape)).reshape(-1, *a.shape[1:]) for a in (x, y)]
    probe = x[:2].copy()
    model.predict_on_batch(probe)
    seen, done = [], threading.Event()

    def train():
        try:
            model.fit(*repeated, batch_size=4, shuffle=False, verbose=0)
        finally:
            done.set()

    def read():
        while not done.is_set():
            seen.append(model.predict_on_batch(probe).tobytes())

    in_threads(train, read, read)
    model.set_weights(start)
    order = {model.predict_on_batch(probe).tobytes(): 0}
    for step in range(count):
        model.train_on_batch(x, y)
        order.setdefault(model.predict_on_batch(probe).tobytes(), step + 1)
    assert set(seen) <= set(order)
    assert len(set(seen)) > 3


@pytest.mark.native
def test_threads_share_plans_and_packed_weights_and_have_arenas_of_their_own():
    model = packing_model()
    x, _ = data(64)
    expected = model.predict_on_batch(x)
    arenas = model._trainer.programs.arenas
    alone = arenas.bytes
    assert len(arenas) == 1
    plans = len(model._trainer.programs)

    def work():
        for _ in range(30):
            np.testing.assert_array_equal(model.predict_on_batch(x), expected)

    for _ in range(3):
        in_threads(*[work] * 4)
        assert 1 <= len(arenas) <= 4
        assert arenas.bytes == len(arenas) * alone
    assert len(model._trainer.programs) == plans


@pytest.mark.native
def test_several_threads_run_a_step_at_the_same_time():
    """Each waits within its step until all have come."""
    everyone = threading.Barrier(4, timeout=60)

    def meet(x):
        everyone.wait()
        return 2 * x

    inputs = dlnative.Input((3,))
    outputs = dlnative.ops.numpy_function(meet, inputs, shape=(1, 3))
    model = dlnative.Model(inputs, outputs)
    x = np.ones((1, 3), "float32")

    def work():
        np.testing.assert_array_equal(model.predict_on_batch(x), 2 * x)

    in_threads(*[work] * 4)
    assert len(model._trainer.programs.arenas) == 4


@pytest.mark.native
def test_a_commit_waits_for_those_who_read_and_they_do_not_wait_for_the_step():
    """A reader stays in its step while another thread trains, and sees the weights of before."""
    model = dlnative.Sequential([dlnative.Input((1,)), layers.Dense(1, use_bias=False)])
    model.compile(dlnative.optimizers.SGD(0.1), "mse")
    reading, may_end, order = threading.Event(), threading.Event(), []

    def pause(x):
        reading.set()
        may_end.wait(60)
        return x

    inputs = dlnative.Input((1,))
    paused = dlnative.ops.numpy_function(pause, model(inputs), shape=(1, 1))
    slow = dlnative.Model(inputs, paused + model.layers[-1](inputs))
    x, y = np.ones((1, 1), "float32"), np.zeros((1, 1), "float32")
    may_end.set()
    slow.predict_on_batch(x)
    model.train_on_batch(x, y)
    before = float(model.layers[-1].kernel.numpy()[0, 0])
    for _ in range(2):  # the second time the locks are in use from the begin
        reading.clear()
        may_end.clear()
        order.clear()

        def read():
            order.append(("read", float(slow.predict_on_batch(x)[0, 0])))

        def train():
            reading.wait(60)
            trainer = threading.Thread(
                target=lambda: order.append(("train", model.train_on_batch(x, y)))
            )
            trainer.start()
            time.sleep(0.2)
            assert not order
            may_end.set()
            trainer.join()

        in_threads(read, train)
        assert ("read", 2 * before) in order
        before = float(model.layers[-1].kernel.numpy()[0, 0])


@pytest.mark.native
def test_a_step_within_a_step_of_the_same_thread():
    """Reading is fine; a second writer would have to wait for itself."""
    model = small_model()
    x, y = data(4)
    expected = model.predict_on_batch(x[:1])
    seen = []

    def inner(t):
        seen.append(model.predict_on_batch(x[:1]))
        with pytest.raises(RuntimeError, match="running in this thread already"):
            model.train_on_batch(x, y)
        return t

    inputs = dlnative.Input((8, 8, 8))
    outer = dlnative.Model(inputs, dlnative.ops.numpy_function(inner, model(inputs), shape=(1, 3)))
    model.train_on_batch(x, y)
    expected = model.predict_on_batch(x[:1])
    np.testing.assert_array_equal(outer.predict_on_batch(x[:1]), expected)
    np.testing.assert_array_equal(seen[0], expected)
    assert np.isfinite(model.train_on_batch(x, y))


def test_an_error_in_a_step_leaves_nothing_locked():
    class Embedding(layers.Layer):
        def build(self, shape):
            self.embeddings = self.add_weight(shape=(5, 3))

        def call(self, indices):
            return dlnative.ops.take(self.embeddings, indices, axis=0)

    model = dlnative.Sequential([dlnative.Input((2,), dtype="int32"), Embedding()])
    good, bad = np.array([[0, 4]], "int32"), np.array([[0, 9]], "int32")
    expected = model.predict_on_batch(good)

    def work():
        for _ in range(20):
            with pytest.raises(ValueError, match="out of range"):
                model.predict_on_batch(bad)
            np.testing.assert_array_equal(model.predict_on_batch(good), expected)

    in_threads(*[work] * 4)
    model.layers[-1].embeddings.assign(np.ones((5, 3)))
    np.testing.assert_array_equal(model.predict_on_batch(good), np.ones((1, 2, 3)))


def test_assigning_beside_predictions_is_seen_whole():
    model = dlnative.Sequential([dlnative.Input((512,)), layers.Dense(512, use_bias=False)])
    x = np.ones((1, 512), "float32")
    model.predict_on_batch(x)
    kernel = model.layers[-1].kernel
    kernel.assign(np.zeros((512, 512)))
    done = threading.Event()

    def assign():
        for value in range(200):
            kernel.assign(np.full((512, 512), value, "float32"))
        done.set()

    def read():
        while not done.is_set():
            assert np.unique(model.predict_on_batch(x)).size == 1

    in_threads(assign, read, read)


@pytest.mark.native
def test_a_function_builds_a_program_for_each_thread_that_needs_one():
    graph = dlnative.graph.Graph()
    x = graph.feed((4,), "float32")
    everyone = threading.Barrier(3, timeout=60)

    def meet(value):
        everyone.wait()
        return value

    (out,) = dlnative.graph.apply(
        "numpy_function", x, function=meet, shapes=((4,),), dtypes=("float32",)
    )
    function = dlnative.engines.build(graph, [out])
    assert isinstance(function, NativeFunction)
    results = []
    in_threads(
        *[lambda i=i: results.append(function(np.full(4, i, "float32"))[0]) for i in range(3)]
    )
    assert sorted(r[0] for r in results) == [0, 1, 2]


def test_the_first_calls_of_a_model_build_it_once():
    """Whichever thread comes first, and by whatever call."""
    x = np.random.default_rng(0).random((4, 16), "float32")
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(15):
            model = dlnative.Sequential([layers.Dense(8, activation="relu"), layers.Dense(2)])
            results = []
            works = [lambda run=run: results.append(run(model, x)) for run in RUNS.values()]  # noqa: B023
            in_threads(*works, *works)
            assert len(model.weights) == 4
            for result in results:
                np.testing.assert_allclose(result, results[0], rtol=1e-5, atol=1e-6)
    finally:
        sys.setswitchinterval(before)


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("run", ["predict_on_batch", "train_on_batch"])
def test_ctrl_c_ends_a_wait_for_another_thread(run, engine):
    """Nothing stays locked, and the model is as it was."""
    with dlnative.engine(engine):
        model = small_model()
        x, y = data(4)
        given = (x,) if run == "predict_on_batch" else (x, y)
        model.train_on_batch(x, y)
        model.predict_on_batch(x)
        expected = model.get_weights()
        held, may_end = threading.Event(), threading.Event()

        def hold():
            with exclusive(model.variables):
                held.set()
                may_end.wait(60)

        holder = threading.Thread(target=hold)
        holder.start()
        held.wait(60)
        timer = threading.Timer(0.1, lambda: signal.raise_signal(signal.SIGINT))
        timer.start()
        begin = time.monotonic()
        try:
            with pytest.raises(KeyboardInterrupt):
                getattr(model, run)(*given)
            assert time.monotonic() - begin < 5
        finally:
            may_end.set()
            holder.join()
            timer.join()
        for weight, before in zip(model.get_weights(), expected, strict=True):
            np.testing.assert_array_equal(weight, before)
        in_threads(
            lambda: model.train_on_batch(x, y),
            lambda: model.predict_on_batch(x),
        )
        assert int(model.optimizer.iterations) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # fork beside threads, Python 3.12
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # JAX's, where Keras has loaded it
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_a_child_forked_beside_predictions_and_training_finds_nothing_locked(engine):
    with dlnative.engine(engine):
        model = packing_model()
        x, y = data(8)
        model.train_on_batch(x, y)
        model.predict_on_batch(x)
        model(x)
        done = threading.Event()

        def repeat(call):
            while not done.is_set():
                call()

        def child(pipe):
            results = [model.predict_on_batch(x), np.asarray(model(x))]
            loss = model.train_on_batch(x, y)
            arenas = model._trainer.programs.arenas
            pipe.send((np.ptp(results, axis=0).max() < 1e-4, np.isfinite(loss), len(arenas)))

        def fork():
            try:
                context = multiprocessing.get_context("fork")
                for _ in range(5):
                    ours, theirs = context.Pipe()
                    process = context.Process(target=child, args=(theirs,))
                    process.start()
                    assert ours.poll(60), "the child hangs"
                    same, finite, arenas = ours.recv()
                    process.join()
                    assert same and finite and arenas <= 4
            finally:
                done.set()

        in_threads(
            fork,
            lambda: repeat(lambda: model.train_on_batch(x, y)),
            lambda: repeat(lambda: model.predict_on_batch(x)),
            lambda: repeat(lambda: model(x)),
        )
        assert np.isfinite(model.evaluate(x, y, verbose=0))
