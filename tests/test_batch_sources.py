"""fit, evaluate and predict on what gives batch after batch."""

from __future__ import annotations

import contextlib
import threading
import time
import warnings

import numpy as np
import pytest
from batch_sources import (
    BATCH,
    BATCHES,
    WEIGHTS,
    Loader,
    X,
    Y,
    batch,
    generator,
    make_dataset,
)
from small_training import assert_same, compiled, mlp, weights_of

import dlnative
from dlnative import layers

# Another test may have loaded JAX, and later Pythons warn of threads.
pytestmark = pytest.mark.filterwarnings(
    "ignore:os.fork:RuntimeWarning", "ignore:This process .* is multi-threaded:DeprecationWarning"
)
RAN_OUT = "ignore:The .* ran out of data:UserWarning"
ENDS = pytest.mark.filterwarnings(RAN_OUT)


def fitted(x, y=None, seed=3, **options):
    """Weights and history after training a model from the same beginning."""
    dlnative.utils.set_random_seed(seed)
    model = compiled("adam", metrics=["accuracy"])
    history = model.fit(x, y, verbose=0, **{"shuffle": False, **options})
    return model.get_weights(), history.history


SOURCES = {
    "generator": generator,
    "iterator": lambda: iter(list(generator())),
    "iterable": Loader,
    "iterable of unknown length": lambda: Loader(known=False),
    "PyDataset": make_dataset,
    "PyDataset, no workers": lambda: make_dataset(workers=0),
    "PyDataset, threads": lambda: make_dataset(workers=3),
    "PyDataset, processes": lambda: make_dataset(workers=2, use_multiprocessing=True),
}


@ENDS
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_the_same_batches_give_the_same_training(source, engine):
    with dlnative.engine(engine):
        expected, history = fitted(X, Y, batch_size=BATCH)
        weights, logs = fitted(source())
    assert_same(weights, expected)
    assert logs == history


@ENDS
@pytest.mark.parametrize("name", [name for name in SOURCES if "iterable" in name or "Py" in name])
def test_epochs_begin_anew(name):
    expected, history = fitted(X, Y, batch_size=BATCH, epochs=3)
    weights, logs = fitted(SOURCES[name](), epochs=3)
    assert_same(weights, expected)
    assert logs == history


@ENDS
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_evaluate_and_predict(source):
    model = compiled("sgd", metrics=["accuracy"])
    assert model.evaluate(source(), verbose=0) == model.evaluate(X, Y, BATCH, verbose=0)
    np.testing.assert_array_equal(
        model.predict(source(), verbose=0), model.predict(X, BATCH, verbose=0)
    )
    assert len(model.predict(source(), verbose=0, steps=2)) == 2 * BATCH


@ENDS
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_validation(source):
    expected = fitted(X, Y, batch_size=BATCH, validation_data=(X, Y), epochs=1)[1]
    assert fitted(X, Y, batch_size=BATCH, validation_data=source(), epochs=1)[1] == expected
    assert fitted(Loader(), validation_data=source(), epochs=1)[1] == expected


def test_steps_per_epoch_go_on():
    """An epoch goes on where the last one stopped, and no more is read than is trained on."""
    for source in (generator(loop=True), Loader(), make_dataset(), make_dataset(workers=2)):
        endless = hasattr(source, "send")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            weights, _ = fitted(source, steps_per_epoch=3, epochs=3)
        assert [str(w.message)[-51:] for w in caught] == (
            [] if endless else ["must have at least steps_per_epoch * epochs batches"]
        )
        if endless:
            order = [0, 1, 2, 3, 4, 0, 1, 2, 3]
            np.testing.assert_array_equal(next(source)[0], batch(4)[0])
        else:  # the second epoch has but two batches left, the third begins anew
            order = [0, 1, 2, 3, 4, 0, 1, 2]
        dlnative.utils.set_random_seed(3)
        model = compiled("adam", metrics=["accuracy"])
        for i in order:
            model.train_on_batch(*batch(i))
        assert_same(weights, model.get_weights())


def test_a_generator_that_ends_early():
    with pytest.warns(UserWarning, match="generator ran out of data after 5 of 7 steps"):
        _, history = fitted(generator(), steps_per_epoch=7)
    assert len(history["loss"]) == 1
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted(generator(), epochs=2)
    counts = [str(w.message).split(" steps")[0][-1] for w in caught]
    assert counts == ["5", "2"]  # the first two are there again, as in Keras


@ENDS
def test_weights_of_samples():
    expected, _ = fitted(X, Y, batch_size=BATCH, sample_weight=WEIGHTS)
    assert_same(fitted(generator(weights=True))[0], expected)


@ENDS
def test_weights_of_classes():
    weights = {0: 2.0, 1: 0.5}
    expected, _ = fitted(X, Y, batch_size=BATCH, class_weight=weights)
    for source in (generator(), Loader(), make_dataset()):
        assert_same(fitted(source, class_weight=weights)[0], expected)
    with pytest.raises(ValueError, match="batch 0: Give sample_weight or class_weight, not both"):
        fitted(generator(weights=True), class_weight=weights)


@ENDS
def test_batches_of_any_form():
    """Lists of numbers, dicts, frames and tensors, in tuples and lists."""
    expected, _ = fitted(X, Y, batch_size=BATCH)
    torch = pytest.importorskip("torch")
    pandas = pytest.importorskip("pandas")
    forms = [
        lambda x, y: [x, y],
        lambda x, y: (x.tolist(), y.tolist()),
        lambda x, y: ([x], [y]),
        lambda x, y: (torch.tensor(x), torch.tensor(y)),
        lambda x, y: (pandas.DataFrame(x), pandas.Series(y)),
        lambda x, y: (x, y, None),
        lambda x, y: (x.astype("float64"), y.astype("int32")),
        lambda x, y: (x.astype(">f4"), y),
        lambda x, y: (np.asfortranarray(x), y[::-1][::-1]),
    ]
    for form in forms:
        assert_same(fitted(form(x, y) for x, y in generator())[0], expected)


@ENDS
def test_nested_inputs_and_outputs():
    def model():
        dlnative.utils.set_random_seed(4)
        inputs = {name: dlnative.Input((2,), name=name) for name in "pq"}
        both = layers.Concatenate()([inputs["p"], inputs["q"]])
        left, right = layers.Dense(3, "softmax", name="left"), layers.Dense(1, name="right")
        outputs = [left(both), right(both)]
        model = dlnative.Model(inputs, outputs)
        model.compile("sgd", ["sparse_categorical_crossentropy", "mse"])
        return model

    def batches():
        for x, y in generator():
            yield {"q": x[:, 2:], "p": x[:, :2]}, [y, y * 1.0]

    whole, streamed = model(), model()
    whole.fit({"p": X[:, :2], "q": X[:, 2:]}, [Y, Y * 1.0], BATCH, verbose=0, shuffle=False)
    streamed.fit(batches(), verbose=0)
    assert_same(streamed.get_weights(), whole.get_weights())
    a = streamed.predict(batches(), verbose=0)
    b = whole.predict({"p": X[:, :2], "q": X[:, 2:]}, BATCH, verbose=0)
    assert_same(a, b)


@ENDS
def test_inputs_alone():
    model = compiled()
    expected = model.predict(X, BATCH, verbose=0)
    for form in (lambda x: x, lambda x: (x,), lambda x: [x]):
        outputs = model.predict((form(x) for x, _ in generator()), verbose=0)
        np.testing.assert_array_equal(outputs, expected)


@ENDS
def test_batches_of_different_shapes():
    """Each number of rows has its step, and each length of rows."""
    sizes = [8, 3, 8, 5, 3, 10]
    ends = np.cumsum(sizes)
    batches = [(X[e - n : e], Y[e - n : e]) for n, e in zip(sizes, ends, strict=True)]
    weights, _ = fitted(iter(batches))
    dlnative.utils.set_random_seed(3)
    model = compiled("adam", metrics=["accuracy"])
    for x, y in batches:
        model.train_on_batch(x, y)
    assert_same(weights, model.get_weights())
    model = dlnative.Sequential([dlnative.Input((None, 4)), layers.Dense(3, "softmax")])
    model.compile("sgd", "mse")
    rng = np.random.default_rng(0)
    rows = [rng.normal(size=(4, n, 4)).astype("float32") for n in (5, 7, 5, 6)]
    model.fit(((x, x[..., :3]) for x in rows), verbose=0)
    evaluated = model.evaluate(((x, x[..., :3]) for x in rows), verbose=0)
    each = [model.test_on_batch(x, x[..., :3]) for x in rows]
    np.testing.assert_allclose(evaluated, np.mean(each), rtol=1e-6)
    with pytest.raises(ValueError, match=r"predict: expected outputs of shape \(5, 3\)"):
        model.predict(iter(rows), verbose=0)


class Slow(dlnative.callbacks.Callback):
    """Makes steps so long that reading ahead pays."""

    def on_train_batch_end(self, batch, logs=None):
        time.sleep(0.002)


@ENDS
def test_a_generator_that_fills_one_array():
    """What it returned is not read after it has been asked again, in a thread, too."""
    names = []

    def reusing(seconds):
        x = np.empty((BATCH, 4), "float32")
        for _ in range(4):
            for a, b in generator(stop=4):
                time.sleep(seconds)
                names.append(threading.current_thread().name)
                x[...] = a
                yield x, b
                x[...] = np.nan

    whole = [batch(i) for _ in range(4) for i in range(4)]
    expected, _ = fitted(iter(whole))
    assert_same(fitted(reusing(0))[0], expected)
    assert_same(fitted(reusing(0.002), callbacks=Slow())[0], expected)
    assert "dlnative-reader" in names


# --- the order of a PyDataset ---------------------------------------------------------------------


def test_shuffle_is_the_order_of_batches():
    def orders(seed, **options):
        dlnative.utils.set_random_seed(seed)
        model = compiled()
        model.fit(X, Y, verbose=0)  # so that nothing is looked at before
        dataset = make_dataset(**options)
        model.fit(dataset, verbose=0, epochs=3)
        return np.array(dataset.asked).reshape(3, BATCHES)

    found = orders(1)
    assert (np.sort(found, axis=1) == np.arange(BATCHES)).all()
    assert len({tuple(order) for order in found.tolist()}) == 3
    np.testing.assert_array_equal(orders(1), found)
    assert (orders(2) != found).any()


def test_the_order_for_any_number_of_workers():
    expected, history = fitted(make_dataset(shift=2), epochs=3, shuffle=True)
    for options in (
        {"workers": 0},
        {"workers": 2},
        {"workers": 4, "max_queue_size": 2},
        {"workers": 1, "use_multiprocessing": True},
        {"workers": 3, "use_multiprocessing": True, "max_queue_size": 1},
    ):
        weights, logs = fitted(make_dataset(shift=2, **options), epochs=3, shuffle=True)
        assert_same(weights, expected)
        assert logs == history


def test_a_dataset_without_end():
    class Endless(dlnative.utils.PyDataset):
        num_batches = None

        def __getitem__(self, index):
            return batch(index % BATCHES)

    expected, _ = fitted(generator(loop=True), steps_per_epoch=3, epochs=2)
    assert_same(fitted(Endless(), steps_per_epoch=3, epochs=2)[0], expected)
    assert_same(fitted(Endless(workers=3), steps_per_epoch=3, epochs=2)[0], expected)


def test_a_dataset_that_does_not_call_init():
    class Bare(dlnative.utils.PyDataset):
        def __init__(self):
            pass

        def __len__(self):
            return BATCHES

        def __getitem__(self, index):
            return batch(index)

    assert_same(fitted(Bare())[0], fitted(generator(), steps_per_epoch=BATCHES)[0])
    assert len(list(Bare())) == BATCHES


# --- hooks and progress ---------------------------------------------------------------------------


class Hooks(dlnative.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.calls = []

    def on_train_batch_begin(self, batch, logs=None):
        self.calls.append(("begin", batch))

    def on_train_batch_end(self, batch, logs=None):
        self.calls.append(("end", batch, round(logs["loss"], 6)))

    def on_test_batch_end(self, batch, logs=None):
        self.calls.append(("test", batch, round(logs["loss"], 6)))

    def on_predict_batch_end(self, batch, logs=None):
        self.calls.append(("predict", batch, logs["outputs"].shape))


@ENDS
@pytest.mark.parametrize("together", [1, 2])
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_hooks_of_batches(source, together):
    calls = []
    for data in ((X, Y), (source(), None)):
        hooks = Hooks()
        dlnative.utils.set_random_seed(3)
        model = mlp()
        model.compile("sgd", "sparse_categorical_crossentropy", steps_per_execution=together)
        size = None if data[1] is None else BATCH
        model.fit(*data, size, verbose=0, callbacks=hooks, shuffle=False)
        source_again = source() if data[1] is None else X
        model.predict(source_again, size, verbose=0, callbacks=hooks)
        calls.append(hooks.calls)
    assert calls[0] == calls[1]


def test_a_callback_ends_an_epoch():
    class Stop(dlnative.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    dlnative.utils.set_random_seed(3)
    model = compiled("adam")
    model.fit(generator(), verbose=0, epochs=4, callbacks=Stop())
    assert int(model.optimizer.iterations) == 2
    assert not readers()


def test_what_callbacks_are_told():
    """Steps, and samples where they are known; what is learned is printed."""
    model = compiled()
    for source, steps in ((make_dataset(), BATCHES), (Loader(known=False), None)):
        seen = dlnative.callbacks.LambdaCallback()
        model.fit(source, verbose=0, callbacks=seen)
        assert seen.params["steps"] == steps
        assert seen.params["samples"] is None


@ENDS
def test_the_line_of_an_epoch(capsys):
    model = compiled()
    model.fit(generator(), verbose=2)
    assert "samples/s" in capsys.readouterr().out
    model.evaluate(Loader(known=False), verbose=2)
    assert "samples/s" in capsys.readouterr().out


def readers():
    return [t for t in threading.enumerate() if t.name == "dlnative-reader"]


# --- random numbers -------------------------------------------------------------------------------


@ENDS
def test_masks_and_augmentation_change_from_batch_to_batch():
    model = dlnative.Sequential([dlnative.Input((4, 4, 1)), layers.RandomTranslation(0.5, 0.5)])
    model.add(layers.Flatten())
    model.add(layers.Dense(1, use_bias=False, kernel_initializer="ones"))
    rates = []

    class Rates(dlnative.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            rates.append(logs["loss"])
            self.model.reset_metrics()

    model.compile(dlnative.optimizers.SGD(0.0), "mse")
    image = np.arange(32.0).reshape(2, 4, 4, 1)
    model.fit(((image, np.zeros(2)) for _ in range(6)), verbose=0, callbacks=Rates())
    assert len(set(rates)) > 3


# --- position -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["arrays", "dataset", "generator"])
def test_the_position_in_a_source_can_be_kept(kind):
    from dlnative.models.epochs import Epochs
    from dlnative.models.loop import Pass
    from dlnative.models.order import Order
    from dlnative.models.sources import as_source
    from dlnative.models.state import Rows
    from dlnative.models.step import Step
    from dlnative.models.stream import Layout, Stream

    def feed(seen):
        def run(arrays, indices, first, steps, *_):
            values = arrays[0] if indices is None else arrays[0][indices[first : first + steps]]
            seen.extend(values.ravel().tolist())
            return steps

        class Function:
            finite_dtypes = ()

        function = Function()
        function.run = run
        values = np.arange(7.0).reshape(7, 1)
        if kind == "arrays":
            rows = Rows([values], [], [], values, 7)
            order = Order(7, 1, True, 5)
            return Pass(rows, 1, lambda size: Step(function, [0], None), lambda: 0, order)

        class Numbers(dlnative.utils.PyDataset):
            def __len__(self):
                return 7

            def __getitem__(self, index):
                return (values[index : index + 1],)

        data = Numbers() if kind == "dataset" else ((values[i : i + 1],) for i in range(40))
        source = as_source(data, kind == "dataset", 5)

        def layout_of(batch):
            return Layout(Rows([batch[0]], [], [], batch[0], 1), list, [], [], [])

        return Stream(source, layout_of, lambda rows: Step(function, [0], None), lambda: 0)

    def epochs(feed, state=None):
        walk = Epochs(feed, 3 if kind != "generator" else 2)
        if state is not None:
            walk.set_state(state)
        return walk

    whole: list[float] = []
    walk = epochs(feed(whole))
    state = None
    for i in range(3):
        walk.feed.run(walk.begin())
        if i < 2:
            walk.end()
        if i == 1:
            state, length = walk.get_state(), len(whole)
    again: list[float] = []
    replays = pytest.warns(UserWarning, match="4 batches are read again and left out")
    with replays if kind == "generator" else contextlib.nullcontext():
        walk = epochs(feed(again), state)
    walk.feed.run(walk.begin())
    assert again == whole[length:]
    assert again
    assert weights_of(mlp())  # the helper works for models of ours
