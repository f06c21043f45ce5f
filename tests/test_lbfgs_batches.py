"""LBFGS wants all samples in one batch: which data are that, and what is refused."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from lbfgs_models import regression, small_model
from small_training import assert_same

from dlnative import layers

ENGINES = ["native", "numpy"]


@pytest.mark.parametrize("size", [None, 7, 39])
def test_several_batches_are_refused(size, rng):
    x, y = regression(rng)
    model = small_model()
    before = model.get_weights()
    message = rf"LBFGS needs all samples in one batch: .* 40 or more, received {size or 32}"
    with pytest.raises(ValueError, match=message):
        model.fit(x, y, batch_size=size, epochs=2, verbose=0)
    assert_same(before, model.get_weights())
    assert model.optimizer.iterations == 0
    with pytest.raises(ValueError, match="one batch"):
        model.fit(x, y, steps_per_epoch=2, verbose=0)


class Batches:
    """An iterable that has no length."""

    def __init__(self, *batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


@pytest.mark.parametrize(
    ("source", "epochs"),
    [
        (lambda batch: iter([batch]), 1),
        (lambda batch: iter([batch] * 5), 2),
        (lambda batch: (batch for _ in range(5)), 2),
        (Batches, 1),
    ],
    ids=["iterator", "iterator of more", "generator", "iterable"],
)
def test_a_source_of_which_an_epoch_takes_one_batch(source, epochs, rng):
    x, y = regression(rng)
    expected, model = small_model(), small_model()
    expected.fit(x, y, batch_size=40, epochs=epochs, verbose=0)
    with pytest.raises(ValueError, match=r"LBFGS .* expected steps_per_epoch=1 .* received None"):
        model.fit(source((x, y)), verbose=0)
    with pytest.raises(ValueError, match=r"LBFGS .* expected steps_per_epoch=1 .* received 2"):
        model.fit(source((x, y)), steps_per_epoch=2, verbose=0)
    model.fit(source((x, y)), steps_per_epoch=1, epochs=epochs, verbose=0)
    assert model.optimizer.iterations == epochs
    assert_same(expected.get_weights(), model.get_weights())


def test_ways_to_give_one_batch(rng):
    x, y = regression(rng)
    results = []
    for options in (
        {"batch_size": 40},
        {"batch_size": 64},
        {"steps_per_epoch": 1},
        {"batch_size": 40, "shuffle": False},
        {"batch_size": 40, "shuffle": "batch"},
    ):
        model = small_model(partial(layers.Dropout, 0.3))
        history = model.fit(x, y, epochs=4, verbose=0, **options).history
        assert len(history["loss"]) == 4
        assert model.optimizer.iterations == 4
        results.append(model.get_weights())
    for other in results[1:]:
        assert_same(results[0], other)


def test_train_on_batch_goes_the_way_of_fit(rng):
    x, y = regression(rng)
    model, other = (
        small_model(partial(layers.Dropout, 0.3)),
        small_model(partial(layers.Dropout, 0.3)),
    )
    history = model.fit(x, y, batch_size=40, epochs=5, verbose=0).history
    logs = [other.train_on_batch(x, y) for _ in range(5)]
    assert_same(model.get_weights(), other.get_weights())
    np.testing.assert_array_equal([loss for loss, _ in logs], history["loss"])
    np.testing.assert_array_equal([mae for _, mae in logs], history["mae"])
