"""What is wrong with batches, with those who make them, and with arguments beside them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback

import numpy as np
import pytest
from batch_sources import BATCHES, Loader, X, Y, batch, failing, generator, make_dataset
from small_training import assert_same, compiled, mlp

import dlnative

pytestmark = pytest.mark.filterwarnings(
    "ignore:The .* ran out of data:UserWarning",
    "ignore:os.fork:RuntimeWarning",
    "ignore:This process .* is multi-threaded:DeprecationWarning",
)


def then(*items):
    """Three good batches, then others."""
    yield from generator(stop=3)
    yield from items


def trained_on(count):
    """The weights after the first `count` batches."""
    dlnative.utils.set_random_seed(3)
    model = compiled()
    for i in range(count):
        model.train_on_batch(*batch(i))
    return model.get_weights()


def nothing_runs():
    """No thread and no process is left of those that read."""
    threads = [t for t in threading.enumerate() if t.name == "dlnative-reader"]
    return not threads and not multiprocessing.active_children()


WITH_NAN = X[:8].copy()
WITH_NAN[5, 2] = np.nan
INFINITE = X[:8] * np.float32(np.inf)

BAD = {
    "another width": (
        (X[:8, :3], Y[:8]),
        ValueError,
        r"generator, batch 3: .*expected input .*\(batch, 4\), received \(batch, 3\)",
    ),
    "another rank": (
        (np.stack([X[:8]] * 2, 1), Y[:8]),
        ValueError,
        r"generator, batch 3: .*\(batch, 4\), received \(batch, 2, 4\)",
    ),
    "another structure": (
        (X[:8], Y[:8], np.ones(8)),
        ValueError,
        r"batch 3: expected \(float32 \(8, 4\), int64 \(8,\)\), as in the first batch, received "
        r"\(float32 \(8, 4\), int64 \(8,\), float64 \(8,\)\)",
    ),
    "no labels": ((X[:8],), ValueError, r"batch 3: expected .*, received \(float32 \(8, 4\),\)"),
    "a dict": (
        ({"a": X[:8]}, Y[:8]),
        ValueError,
        r"batch 3: expected .*received \({'a': float32 \(8, 4\)}, int64",
    ),
    "strings": ((X[:8].astype(str), Y[:8]), TypeError, r"batch 3: x: .*received dtype <U32"),
    "objects": ((X[:8].astype(object), Y[:8]), TypeError, r"batch 3: x: .*received dtype object"),
    "complex": ((X[:8] * 1j, Y[:8]), TypeError, r"batch 3: x: .*received dtype complex64"),
    "other counts": ((X[:8], Y[:7]), ValueError, r"batch 3: .*x has 8, y has 7"),
    "no rows": ((X[:0], Y[:0]), ValueError, r"batch 3: x: expected at least one sample"),
    "None": (None, ValueError, r"batch 3: expected \(x,\), \(x, y\) or .*received no x: None"),
    "a number": ((3.0, 4.0), TypeError, r"batch 3: x: expected an array, received 3.0"),
    "a class too many": ((X[:8], Y[:8] + 7), ValueError, r"batch 3: y: expected class numbers in"),
    "NaN": ((WITH_NAN, Y[:8]), ValueError, r"batch 3: x: sample 5 has the value nan in column 2"),
    "infinity": (
        (INFINITE, Y[:8]),
        ValueError,
        r"batch 3: x: sample 0 has the value -?inf",
    ),
    "four items": ((1, 2, 3, 4), ValueError, r"batch 3: expected x, .* a tuple of 4"),
}


@pytest.mark.parametrize(("item", "error", "message"), BAD.values(), ids=BAD)
def test_a_bad_batch(item, error, message):
    """The message has its number; the model is as the batches before have made it."""
    dlnative.utils.set_random_seed(3)
    model = compiled()
    with pytest.raises(error, match=message):
        model.fit(then(item), verbose=0)
    assert_same(model.get_weights(), trained_on(3))
    assert nothing_runs()


@pytest.mark.parametrize(("item", "error", "message"), BAD.values(), ids=BAD)
def test_a_bad_first_batch(item, error, message):
    if "as in the first" in message or "structure" in message:
        pytest.skip("it is the first")
    model = compiled()
    before = model.get_weights()
    with pytest.raises((TypeError, ValueError)):
        model.fit(iter([item, batch(0)]), verbose=0)
    assert_same(model.get_weights(), before)
    assert model.history is None


@pytest.mark.filterwarnings("ignore:fit. the loss is nan:RuntimeWarning")
def test_checks_of_finite_values_can_be_left_out():
    model = compiled()
    model.fit(then((WITH_NAN, Y[:8])), verbose=0, check_finite=False)
    assert np.isnan(model.get_weights()[0]).any()


def test_a_bad_batch_of_validation():
    model = compiled()
    with pytest.raises(ValueError, match="generator, batch 3: validation_x: sample 5"):
        model.fit(generator(), validation_data=then((WITH_NAN, Y[:8])), verbose=0)


def test_the_first_batch_of_validation_is_checked_before_training():
    model = compiled()
    before = model.get_weights()
    with pytest.raises(ValueError, match="generator, batch 0: validation_x: sample 5"):
        model.fit(generator(), validation_data=iter_of((WITH_NAN, Y[:8])), verbose=0)
    assert_same(model.get_weights(), before)


def iter_of(*items):
    yield from items


@pytest.mark.parametrize("workers", [{"workers": 3}, {"workers": 2, "use_multiprocessing": True}])
def test_nothing_runs_after_what_is_wrong_before_training(workers):
    class Wrong(dlnative.utils.PyDataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            return X[:8], Y[:8] + 9

    for dataset, options, error in [
        (Wrong(**workers), {}, ValueError),
        (make_dataset(**workers), {"callbacks": [3]}, TypeError),
    ]:
        with pytest.raises(error):
            compiled().fit(dataset, verbose=0, **options)
        assert nothing_runs()


def test_a_bad_batch_that_was_read_ahead():
    """In a thread the numbers of batches, and the model, are the same."""

    def slow():
        for item in then((WITH_NAN, Y[:8])):
            time.sleep(0.001)
            yield item

    class Slow(dlnative.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            time.sleep(0.001)

    long = [batch(i % 3) for i in range(12)]

    def batches():
        for item in [*long, (WITH_NAN, Y[:8])]:
            time.sleep(0.002)
            yield item

    dlnative.utils.set_random_seed(3)
    model = compiled()
    with pytest.raises(ValueError, match="batch 12: x: sample 5 has the value nan"):
        model.fit(batches(), verbose=0, callbacks=Slow())
    dlnative.utils.set_random_seed(3)
    expected = compiled()
    for item in long:
        expected.train_on_batch(*item)
    assert_same(model.get_weights(), expected.get_weights())
    assert nothing_runs()


# --- those who make batches -----------------------------------------------------------------------


class OwnError(Exception):
    """It cannot be pickled."""

    def __init__(self, first, second):
        super().__init__(first)


class Failing(dlnative.utils.PyDataset):
    def __init__(self, action, **options):
        super().__init__(**options)
        self.action = action

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return self.action(index) if index == 3 else batch(index % BATCHES)


def raise_own(index):
    raise OwnError("what", index)


def raise_value(index):
    raise ValueError(f"no item {index}")


WORKERS = {
    "inline": {"workers": 0},
    "ahead": {},
    "threads": {"workers": 3},
    "processes": {"workers": 2, "use_multiprocessing": True},
}


@pytest.mark.parametrize("options", WORKERS.values(), ids=WORKERS)
@pytest.mark.parametrize(
    ("action", "error"),
    [(raise_own, OwnError), (raise_value, ValueError)],
    ids=["own", "ValueError"],
)
def test_an_error_of_an_item(options, action, error):
    """It comes out of fit as it is, with the lines of the user's code in its traceback."""
    dlnative.utils.set_random_seed(3)
    model = compiled()
    remote = options.get("use_multiprocessing", False)
    # An exception that cannot be pickled comes as one that says the same.
    kind = RuntimeError if remote and error is OwnError else error
    with pytest.raises(kind) as caught:
        model.fit(Failing(action, **options), verbose=0, shuffle=False)
    text = "".join(traceback.format_exception(caught.value))
    assert f"in {action.__name__}" in text
    assert "what" in text or "no item 3" in text
    assert_same(model.get_weights(), trained_on(3))
    assert nothing_runs()


def test_an_error_of_a_generator():
    dlnative.utils.set_random_seed(3)
    model = compiled()
    with pytest.raises(OwnError) as caught:
        model.fit(failing(OwnError("a", "b")), verbose=0)
    assert "in failing" in "".join(traceback.format_exception(caught.value))
    assert_same(model.get_weights(), trained_on(3))


@pytest.mark.parametrize("options", WORKERS.values(), ids=WORKERS)
def test_items_that_are_none(options):
    with pytest.raises(ValueError, match=r"Failing, batch 3: expected .*received no x: None"):
        compiled().fit(Failing(lambda i: None, **options), verbose=0, shuffle=False)
    assert nothing_runs()


def test_the_item_is_named_where_batches_are_shuffled():
    with pytest.raises(ValueError, match=r"Failing, batch \d: item 3: expected .*no x: None"):
        compiled().fit(Failing(lambda i: None), verbose=0, shuffle=True)


@pytest.mark.parametrize("options", WORKERS.values(), ids=WORKERS)
def test_a_length_that_is_wrong(options):
    class Wrong(dlnative.utils.PyDataset):
        def __len__(self):
            return 8

        def __getitem__(self, index):
            return [batch(i) for i in range(BATCHES)][index]

    with pytest.raises(IndexError, match="list index out of range"):
        compiled().fit(Wrong(**options), verbose=0, shuffle=False)
    assert nothing_runs()


def kill_itself(index):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_killed():
    dlnative.utils.set_random_seed(3)
    model = compiled()
    dataset = Failing(kill_itself, workers=2, use_multiprocessing=True)
    with pytest.raises(RuntimeError, match=r"Failing: the worker process .* batch 3 .* code -9"):
        model.fit(dataset, verbose=0, shuffle=False)
    assert_same(model.get_weights(), trained_on(3))
    assert nothing_runs()


def test_items_that_cannot_be_sent():
    dataset = Failing(lambda i: lambda: 0, workers=1, use_multiprocessing=True)
    with pytest.raises((AttributeError, TypeError, RuntimeError), match="pickle"):
        compiled().fit(dataset, verbose=0, shuffle=False)
    assert nothing_runs()


def test_nothing_is_left_running():
    for options in WORKERS.values():
        model = compiled()
        dataset = make_dataset(**options)
        model.fit(dataset, verbose=0, validation_data=dataset, epochs=2)
        model.predict(dataset, verbose=0, steps=2)
        assert nothing_runs()


def test_methods_that_are_missing():
    class Nothing(dlnative.utils.PyDataset):
        pass

    class NoItems(dlnative.utils.PyDataset):
        def __len__(self):
            return 2

    with pytest.raises(NotImplementedError, match=r"Nothing must define __len__\(\)"):
        compiled().fit(Nothing(), verbose=0)
    with pytest.raises(NotImplementedError, match=r"NoItems must define __getitem__\(index\)"):
        compiled().fit(NoItems(), verbose=0)
    for options in ({"workers": -1}, {"max_queue_size": 0}):
        with pytest.raises(ValueError, match=r"PyDataset: expected .* or more, received"):
            NoItems(**options)
    with pytest.raises(TypeError, match=r"PyDataset: expected workers to be a whole number"):
        NoItems(workers=1.5)


# --- arguments ------------------------------------------------------------------------------------


def test_what_a_source_brings_itself():
    model = compiled()
    for make in (generator, Loader, make_dataset):
        for options, name in [
            ({"y": Y}, "y"),
            ({"sample_weight": np.ones(37)}, "sample_weight"),
            ({"batch_size": 8}, "batch_size"),
        ]:
            with pytest.raises(ValueError, match=f"^{name}: expected None where x is a"):
                model.fit(make(), verbose=0, **options)
            with pytest.raises(ValueError, match=f"^{name}: expected None where x is a"):
                model.evaluate(make(), verbose=0, **options)
        with pytest.raises(ValueError, match="batch_size: expected None where x is a"):
            model.predict(make(), verbose=0, batch_size=8)
        with pytest.raises(ValueError, match="validation_split: expected arrays to split"):
            model.fit(make(), verbose=0, validation_split=0.2)
        with pytest.raises(ValueError, match="validation_batch_size: expected None where"):
            model.fit(X, Y, verbose=0, validation_data=make(), validation_batch_size=4)
    for make in (generator, Loader):
        with pytest.raises(ValueError, match="shuffle: expected True or False, received 'batch'"):
            model.fit(make(), verbose=0, shuffle="batch")
    assert_same(model.get_weights(), model.get_weights())
    model.fit(X, Y, 8, verbose=0, validation_data=make_dataset())  # batch_size is that of x


def test_an_optimizer_that_needs_all_samples():
    class Whole(dlnative.utils.PyDataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            return X, Y

    model = compiled("lbfgs")
    with pytest.raises(ValueError, match="LBFGS needs all samples in one batch: .* received 5"):
        model.fit(make_dataset(), verbose=0)
    with pytest.raises(ValueError, match="expected steps_per_epoch=1 for a generator, .* None"):
        model.fit(generator(), verbose=0)
    weights = model.get_weights()
    model.fit(Whole(), verbose=0, epochs=3)
    other = compiled("lbfgs")
    other.set_weights(weights)
    other.fit(X, Y, 37, verbose=0, epochs=3)
    assert_same(model.get_weights(), other.get_weights())


def test_data_that_give_no_batches():
    model = compiled()
    for empty in (iter(()), (b for b in ())):
        with pytest.raises(ValueError, match="x: expected at least one batch, received an empty"):
            model.fit(empty, verbose=0)
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    with pytest.raises(TypeError, match="x: expected arrays, received TensorDataset"):
        model.fit(data, verbose=0)
    with pytest.raises(TypeError, match=r"y: expected arrays, received generator"):
        model.fit(X, generator(), verbose=0)
    with pytest.raises(ValueError, match=r"validation_data: expected \(x, y\), .*received ndarray"):
        model.fit(X, Y, verbose=0, validation_data=X)
    with pytest.raises(TypeError, match=r"x: expected arrays, received generator"):
        model.train_on_batch(generator(), Y)


def test_a_model_that_is_not_built_stays_so():
    model = dlnative.Sequential([dlnative.layers.Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    with pytest.raises(ValueError, match="batch 0"):
        model.fit(iter([(X[:8], Y[:8] + 9)]), verbose=0)
    assert not model.built
    model.fit(generator(), verbose=0)
    assert model.built


# --- waiting --------------------------------------------------------------------------------------

WAITING = """
import sys, threading, time, warnings
import numpy as np
import dlnative

def batches():
    i = 0
    while True:
        i += 1
        if i == 20:
            print("waiting", flush=True)
            time.sleep(60)
        time.sleep(0.002)
        yield np.ones((4, 3), "float32"), np.ones((4, 1), "float32")

class Slow(dlnative.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        time.sleep(0.002)

class Waits(dlnative.utils.PyDataset):
    def __len__(self):
        return 30
    def __getitem__(self, index):
        if index == 12:
            print("waiting", flush=True)
            time.sleep(60)
        return np.ones((4, 3), "float32"), np.ones((4, 1), "float32")

if __name__ == "__main__":
    model = dlnative.Sequential([dlnative.Input((3,)), dlnative.layers.Dense(1)])
    model.compile("sgd", "mse")
    data = eval(sys.argv[1])
    try:
        model.fit(data, verbose=0, shuffle=False, callbacks=Slow())
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.parametrize(
    "source",
    [
        "batches()",
        "Waits(workers=0)",
        "Waits(workers=2)",
        "Waits(workers=2, use_multiprocessing=True)",
    ],
)
def test_an_interrupt_while_a_batch_is_awaited(source, tmp_path):
    path = tmp_path / "waiting.py"
    path.write_text(textwrap.dedent(WAITING))
    with subprocess.Popen(
        [sys.executable, str(path), source], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "waiting\n"
        time.sleep(0.3)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        process.wait(30)
        assert time.monotonic() - start < 10
        assert process.returncode == 0


def test_a_model_that_predicts_in_its_generator():
    """Between two steps, in the thread that reads ahead, too."""
    model = compiled()

    def batches():
        for _ in range(12):
            time.sleep(0.002)
            model.predict(X, verbose=0)
            yield batch(0)

    class Slow(dlnative.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            time.sleep(0.002)

    model.fit(batches(), verbose=0, callbacks=Slow())
    assert int(model.optimizer.iterations) == 12
    assert mlp() is not None
