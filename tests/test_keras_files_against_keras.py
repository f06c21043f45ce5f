"""Keras's files in both directions: real Keras loads ours, we load Keras's, and both go on."""

from __future__ import annotations

import warnings

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


@pytest.mark.parametrize("form", ["model.keras", "folder"])
@pytest.mark.parametrize("name", MODELS)
def test_our_own(rng, tmp_path, name, form):
    """Bits, masks and the state of training come back; nothing is drawn to be overwritten."""
    model, x, y = trained(dlnative, name, rng)
    model.save(tmp_path / form)
    before = seeds_drawn()
    loaded = dlnative.saving.load_model(tmp_path / form, compile=False)
    assert seeds_drawn() == before
    assert not loaded.compiled
    loaded = dlnative.saving.load_model(tmp_path / form)
    compare(loaded.predict(x, verbose=0), model.predict(x, verbose=0), 0)
    compare(loaded.optimizer.variables, model.optimizer.variables, 0)
    compare(on_batch(loaded, x, y), on_batch(model, x, y), 0)
    compare(loaded.get_weights(), model.get_weights(), 0)


OWN_OPTIONS = {
    "SGD": {"momentum": 0.9, "nesterov": True},
    "Adafactor": {"beta_2_decay": -0.6, "relative_step": False},
    "Adam": {"amsgrad": True, "beta_1": 0.8},
    "AdamW": {"weight_decay": 0.1},
    "Ftrl": {"l1_regularization_strength": 0.01},
    "Muon": {"exclude_layers": ["last"], "adam_lr_ratio": 0.5},
    "RMSprop": {"momentum": 0.5, "centered": True},
}
FURTHER = {
    "schedule, average": (
        "Adam",
        {"schedule": True, "use_ema": True, "ema_momentum": 0.6, "ema_overwrite_frequency": 2},
    ),
    "average": ("SGD", {"use_ema": True, "ema_momentum": 0.9}),
    "accumulation, clipping": ("RMSprop", {"gradient_accumulation_steps": 2, "clipnorm": 0.5}),
    "scale, decay": ("Adagrad", {"loss_scale_factor": 4.0, "weight_decay": 0.1}),
}
OPTIMIZERS = {
    **{n: (n, OWN_OPTIONS.get(n, {})) for n in dlnative.optimizers.CLASSES if n != "LBFGS"},
    **FURTHER,
}


def optimizer_of(library, name):
    kind, options = OPTIMIZERS[name]
    options = dict(options)
    if options.pop("schedule", False):
        schedules = library.optimizers.schedules
        options["learning_rate"] = schedules.CosineDecay(
            0.02, 8, warmup_target=0.05, warmup_steps=3
        )
    return getattr(library.optimizers, kind)(**options)


def state_of(optimizer):
    """The variables, without those that Keras's Adafactor has for nothing."""
    numbers = ("iteration", "learning_rate")
    return [v for v in optimizer.variables if v.shape or v.name.rpartition("/")[2] in numbers]


@pytest.mark.parametrize("direction", ["ours", "Keras's"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(keras, rng, tmp_path, name, direction):
    """State, order of variables, schedules and averages: both train on as if nothing had been."""
    libraries = (dlnative, keras) if direction == "ours" else (keras, dlnative)
    library, other = libraries
    layers = library.layers
    model = library.Sequential(
        [library.Input((4,)), layers.Dense(3, activation="tanh"), layers.Dense(2, name="last")]
    )
    x, y = rng.normal(size=(6, 4)).astype("float32"), rng.normal(size=(6, 2)).astype("float32")
    model.compile(optimizer_of(library, name), "mse")
    on_batch(model, x, y)
    model.save(tmp_path / "model.keras")
    loaded = other.models.load_model(tmp_path / "model.keras")
    config, theirs = loaded.optimizer.get_config(), model.optimizer.get_config()
    assert config.keys() == theirs.keys()
    compare(state_of(loaded.optimizer), state_of(model.optimizer), 1e-6)
    compare(on_batch(loaded, x, y), on_batch(model, x, y), 1e-4)
    compare(loaded.get_weights(), model.get_weights(), 1e-4)
    compare(state_of(loaded.optimizer), state_of(model.optimizer), 1e-4)


def losses_of(library):
    """(model, arguments of `compile`) of every shape that these may have."""
    layers, losses, metrics = library.layers, library.losses, library.metrics

    @library.saving.register_keras_serializable("files")
    def half_square(y_true, y_pred):
        return library.ops.mean(library.ops.square(y_true - y_pred), axis=-1) / 2

    x = library.Input((4,))
    one = layers.Dense(3, activation="softmax", name="one")(x)
    two = layers.Dense(1, name="two")(x)
    several = library.Model(x, {"one": one, "two": two})
    single = library.Model(x, two)
    return {
        "names": (single, {"loss": "mse", "metrics": ["mae", "RootMeanSquaredError"]}),
        "objects": (
            single,
            {
                "loss": losses.Huber(reduction="sum"),
                "metrics": [metrics.MeanAbsoluteError(name="error"), metrics.R2Score()],
                "weighted_metrics": ["mse"],
                "loss_weights": 0.5,
            },
        ),
        "functions": (single, {"loss": half_square, "metrics": [half_square]}),
        "a function of losses": (single, {"loss": losses.mean_squared_error}),
        "dicts": (
            several,
            {
                "loss": {"one": losses.CategoricalCrossentropy(label_smoothing=0.1), "two": "mae"},
                "loss_weights": {"one": 2.0, "two": 0.25},
                "metrics": {"one": ["accuracy", metrics.TopKCategoricalAccuracy(2)], "two": "mse"},
            },
        ),
        "steps": (single, {"loss": "mse", "steps_per_execution": 2}),
        "eager": (single, {"loss": "mse", "run_eagerly": True}),
    }


COMPILED = ("names", "objects", "functions", "a function of losses", "dicts", "steps", "eager")


@pytest.mark.parametrize("direction", ["ours", "Keras's"])
@pytest.mark.parametrize("name", COMPILED)
def test_how_it_is_compiled(keras, rng, tmp_path, name, direction):
    library, other = (dlnative, keras) if direction == "ours" else (keras, dlnative)
    losses_of(other)  # registers the function
    model, arguments = losses_of(library)[name]
    model.compile("sgd", **arguments)
    x = rng.normal(size=(6, 4)).astype("float32")
    one = np.eye(3, dtype="float32")[rng.integers(0, 3, 6)]
    two = rng.normal(size=(6, 1)).astype("float32")
    y = {"one": one, "two": two} if name == "dicts" else two
    model.save(tmp_path / "model.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the optimizer has no state yet
        loaded = other.models.load_model(tmp_path / "model.keras")
    for attribute in ("steps_per_execution", "run_eagerly"):
        assert getattr(loaded, attribute) == getattr(model, attribute)
    expected = model.evaluate(x, y, verbose=0, return_dict=True)
    found = loaded.evaluate(x, y, verbose=0, return_dict=True)
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", ["lenet5", "resnet20"])
def test_applications(keras, rng, tmp_path, name):
    """Keras predicts with our networks, and its file of them comes back."""
    model = getattr(dlnative.applications, name)()
    for variable in model.variables:  # weights that have been trained
        scale = np.abs(variable.numpy()) + 0.05
        variable.assign(variable + rng.uniform(0, 0.1, variable.shape) * scale)
    x = rng.normal(size=(2, *model.input_shape[1:])).astype("float32")
    expected = model.predict(x, verbose=0)
    model.save(tmp_path / "model.keras")
    theirs = keras.models.load_model(tmp_path / "model.keras")
    compare(theirs.predict(x, verbose=0), expected, 1e-4)
    theirs.save(tmp_path / "theirs.keras")
    back = dlnative.models.load_model(tmp_path / "theirs.keras")
    compare(back.predict(x, verbose=0), expected, 1e-6)
    assert type(back) is type(model) and back.count_params() == model.count_params()
