"""Keras's files in both directions: real Keras loads ours, we load Keras's, and both go on."""

from __future__ import annotations

import numpy as np
import pytest
from file_models import DRAWING, MODELS, NOT_BY_KERAS, NOT_OF_KERAS, data

import dlnative
from dlnative.utils import nest

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore:__array__", "ignore:Skipping nested container"
)


def compare(a, b, bound=2e-5):
    """Two nested results, element by element."""
    a, b = nest.flatten(a), nest.flatten(b)
    assert len(a) == len(b)
    for one, other in zip(a, b, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=bound, atol=bound)


def on_batch(model, x, y, steps=3):
    return [model.train_on_batch(x, y) for _ in range(steps)]


def seeds_drawn():
    state = dlnative.random.seeds.get_state()
    return {key: value for key, value in state.items() if key != "streams"}


def trained(library, name, rng):
    """(a model of MODELS that has taken some steps, x, y)."""
    model = MODELS[name][0](library)
    x, y = data(name, model, rng)
    model.compile(library.optimizers.SGD(0.01, momentum=0.9), "mse")
    model.fit(x, y, epochs=2, batch_size=4, verbose=0)
    return model, x, y


@pytest.mark.parametrize("direction", ["ours", "Keras's"])
@pytest.mark.parametrize("name", MODELS)
def test_models(keras, rng, tmp_path, name, direction):
    """The other library predicts the same, and trains on from the same state."""
    library, other, fails = dlnative, keras, NOT_BY_KERAS
    if direction == "Keras's":
        library, other, fails = keras, dlnative, NOT_OF_KERAS
    MODELS[name][0](other)  # registers the classes of the user's there
    model, x, y = trained(library, name, rng)
    path = tmp_path / "model.keras"
    model.save(path)
    if name in fails:
        for each in (other, keras):
            with pytest.raises(ValueError, match="connected|could not be loaded|do not fit"):
                each.models.load_model(path)
        return
    loaded = other.models.load_model(path)
    assert loaded.name == model.name
    assert [v.shape for v in loaded.weights] == [v.shape for v in model.weights]
    compare(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    compare(loaded.optimizer.variables, model.optimizer.variables, 1e-6)
    if name not in DRAWING:
        compare(on_batch(loaded, x, y), on_batch(model, x, y), 1e-4)
        compare(loaded.get_weights(), model.get_weights(), 1e-4)
    weights = [np.array(w) for w in loaded.get_weights()]
    loaded.save_weights(tmp_path / "again.weights.h5")
    model.load_weights(tmp_path / "again.weights.h5")
    compare(model.get_weights(), weights, 0)


@pytest.mark.parametrize("name", MODELS)
def test_groups(keras, rng, tmp_path, name):
    """Keras and we have the same arrays under the same names."""
    h5py = pytest.importorskip("h5py")
    found = []
    for library in (dlnative, keras):
        model = MODELS[name][0](library)
        data(name, model, rng)  # builds it
        model.compile("rmsprop", "mse")
        model.optimizer.build(model.trainable_variables)
        model.save_weights(tmp_path / "model.weights.h5")
        arrays: dict = {}
        with h5py.File(tmp_path / "model.weights.h5") as file:
            file.visititems(
                lambda path, each, arrays=arrays: (
                    arrays.update({path: each.shape}) if isinstance(each, h5py.Dataset) else None
                )
            )
        found.append(arrays)
    assert found[0] == found[1]


@pytest.mark.parametrize("name", MODELS)
def test_our_own(rng, tmp_path, name):
    """Bits, masks and the state of training come back; nothing is drawn to be overwritten."""
    model, x, y = trained(dlnative, name, rng)
    model.save(tmp_path / "model.keras")
    before = seeds_drawn()
    loaded = dlnative.saving.load_model(tmp_path / "model.keras", compile=False)
    assert seeds_drawn() == before
    assert not loaded.compiled
    loaded = dlnative.saving.load_model(tmp_path / "model.keras")
    compare(loaded.predict(x, verbose=0), model.predict(x, verbose=0), 0)
    compare(loaded.optimizer.variables, model.optimizer.variables, 0)
    compare(on_batch(loaded, x, y), on_batch(model, x, y), 0)
    compare(loaded.get_weights(), model.get_weights(), 0)
