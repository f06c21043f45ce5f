"""Sources of batches against real Keras: the same weights, logs, calls and predictions."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from batch_sources import BATCH, BATCHES, Loader, X, Y, batch, generator, make_dataset
from small_training import mlp, weights_of

import dlnative


def both(keras, make, metrics=("accuracy",), check=True, **options):
    """Trains two models of equal weights for two epochs, ours and that of Keras.

    Args:
        keras: The library.
        make: Function from a library to x.
        metrics: Of the models.
        check: Whether weights and logs are compared.
        **options: Of fit; functions are called with the library.

    Returns:
        The two x and the two models.
    """
    found, sources, models = [], [], []
    ours, theirs = mlp(), mlp(keras)
    theirs.set_weights(ours.get_weights())
    for model, library in ((ours, dlnative), (theirs, keras)):
        model.compile("adam", "sparse_categorical_crossentropy", metrics=list(metrics))
        given = {k: v(library) if callable(v) else v for k, v in options.items()}
        x = make(library)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            history = model.fit(x, verbose=0, **{"epochs": 2, "shuffle": False, **given}).history
        count = sum("ran out of data" in str(w.message) for w in caught)
        found.append((history, weights_of(model), count))
        sources.append(x)
        models.append(model)
    if check:
        (logs, weights, warned), (their_logs, their_weights, they_warned) = found
        assert list(logs) == list(their_logs)
        for name in logs:
            np.testing.assert_allclose(logs[name], their_logs[name], rtol=2e-4, atol=2e-5)
        for a, b in zip(weights, their_weights, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)
        assert warned == they_warned
    return sources, models


def dataset(shift=0, **options):
    return lambda library: make_dataset(library.utils.PyDataset, shift, **options)


CASES = {
    "generator": (lambda _: generator(), {}),
    "weights of samples": (lambda _: generator(weights=True), {}),
    "a generator that goes on": (lambda _: generator(loop=True), {"steps_per_epoch": 3}),
    "a generator that ends early": (lambda _: generator(), {"steps_per_epoch": 4}),
    "PyDataset": (dataset(), {}),
    "on_epoch_end": (dataset(shift=2), {"epochs": 3}),
    "steps of a PyDataset": (dataset(), {"steps_per_epoch": 3, "epochs": 3}),
    "steps that fit": (dataset(), {"steps_per_epoch": BATCHES, "epochs": 2}),
    "class_weight": (dataset(), {"class_weight": {0: 2.0, 1: 0.5}}),
    "validation by a PyDataset": (dataset(), {"validation_data": dataset()}),
    "validation by a generator": (
        dataset(),
        {"validation_data": lambda _: generator(loop=True), "validation_steps": 3},
    ),
    "validation by a generator that ends": (dataset(), {"validation_data": lambda _: generator()}),
    "validation by arrays": (
        lambda _: generator(loop=True),
        {"validation_data": lambda _: (X, Y), "steps_per_epoch": 4, "validation_batch_size": 16},
    ),
    "validation_freq": (dataset(), {"validation_data": dataset(), "validation_freq": 2}),
}


@pytest.mark.parametrize(("make", "options"), CASES.values(), ids=CASES)
def test_fit(keras, make, options):
    both(keras, make, **options)


def test_a_data_loader(keras):
    """Shuffled, so that both must take the same random numbers of PyTorch."""
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))

    def make(_):
        torch.manual_seed(1)
        return torch.utils.data.DataLoader(data, batch_size=BATCH, shuffle=True)

    both(keras, make, validation_data=lambda _: torch.utils.data.DataLoader(data, batch_size=9))


def test_a_data_loader_of_unknown_length():
    torch = pytest.importorskip("torch")

    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return zip(torch.tensor(X), torch.tensor(Y), strict=True)

    loader = torch.utils.data.DataLoader(Stream(), batch_size=BATCH)
    weights = []
    for x in (loader, Loader()):
        dlnative.utils.set_random_seed(3)
        model = mlp()
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.fit(x, verbose=0, epochs=2)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_calls_of_a_dataset(keras):
    """on_epoch_begin and on_epoch_end are called as often, and the same items are asked for."""
    (ours, theirs), _ = both(keras, dataset(shift=1))
    assert ours.asked == theirs.asked
    assert (ours.begun, ours.ended) == (theirs.begun, theirs.ended)


def test_how_far_a_generator_is_read(keras):
    (ours, theirs), _ = both(keras, lambda _: generator(loop=True), steps_per_epoch=3)
    np.testing.assert_array_equal(next(ours)[0], next(theirs)[0])


def test_a_dataset_of_keras_in_a_model_of_ours(keras):
    (_, theirs), (model, other) = both(keras, dataset())
    assert model.evaluate(theirs, verbose=0) == pytest.approx(
        other.evaluate(theirs, verbose=0), rel=1e-4
    )
    np.testing.assert_allclose(
        model.predict(theirs, verbose=0), other.predict(theirs, verbose=0), rtol=1e-3, atol=1e-5
    )


@pytest.mark.filterwarnings("ignore:.*ran out of data", "ignore:`shuffle=True`")
def test_evaluate_and_predict(keras):
    _, (ours, theirs) = both(keras, dataset())
    for make, steps in [
        (generator, None),
        (lambda: generator(loop=True), 7),
        (lambda: generator(weights=True), None),
    ]:
        a = ours.evaluate(make(), steps=steps, verbose=0)
        assert a == pytest.approx(theirs.evaluate(make(), steps=steps, verbose=0), rel=1e-4)
        a = ours.predict(make(), steps=steps, verbose=0)
        b = theirs.predict(make(), steps=steps, verbose=0)
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_what_keras_refuses(keras):
    """y and sample_weight beside a generator."""
    for library in (dlnative, keras):
        model = mlp(library)
        model.compile("sgd", "sparse_categorical_crossentropy")
        for options in ({"y": Y}, {"sample_weight": np.ones(37)}):
            with pytest.raises(ValueError, match="(?s)generator"):
                model.fit(generator(), verbose=0, shuffle=False, **options)
        with pytest.raises(ValueError, match="empty generator"):
            model.fit((b for b in ()), verbose=0, shuffle=False)
        with pytest.raises(ValueError, match="sample_weight"):
            model.fit(
                with_weights(library),
                verbose=0,
                class_weight={0: 1.0},
                shuffle=False,
            )


def with_weights(library):
    class Weighted(library.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return batch(index, weights=True)

    return Weighted()


def test_names(keras):
    assert dlnative.utils.Sequence is dlnative.utils.PyDataset
    for library in (dlnative, keras):
        unpack = library.utils.unpack_x_y_sample_weight
        assert unpack(([1], [2])) == ([1], [2], None)
        assert unpack({"a": 1}) == ({"a": 1}, None, None)
        assert unpack([[1]]) == ([1], None, None)
        pack = library.utils.pack_x_y_sample_weight
        assert pack([1]) == ([1],)
        assert pack("x") == "x"
        assert pack([1], [2], [3]) == ([1], [2], [3])
        with pytest.raises(ValueError, match="expected|Data is"):
            unpack((1, 2, 3, 4))
