"""Folders that training goes on from: what is compiled, and what is remembered."""

from __future__ import annotations

import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from trained_models import MODELS, Pair, X, Y, default, fitted, mostly_second, net, same

import dlnative
from dlnative import Input, Sequential, layers, losses, metrics, optimizers
from dlnative.callbacks import EarlyStopping
from dlnative.models.training_state import TrainingState
from dlnative.saving import load, load_model, save, save_model, snapshot
from dlnative.utils import CustomObjectScope

KNOWN = {"Pair": Pair, "mostly_second": mostly_second}


@pytest.mark.parametrize("epochs", [0, 2])
@pytest.mark.parametrize("case", MODELS)
def test_goes_on_as_the_saved_one(tmp_path, case, epochs):
    dlnative.utils.set_random_seed(11)
    model = MODELS[case]()
    if epochs:
        fitted(model, epochs)
    save(model, tmp_path)
    with CustomObjectScope(KNOWN), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        saved = load(tmp_path)
    other = saved.model
    if case == "own steps":  # its `compile` takes two optimizers
        assert "`Pair.compile()` was not called" in str(caught[0].message)
        assert not other.compiled
        other.compile(optimizers.Adam(0.01), optimizers.Lion(0.001))
        saved.state.put_back(other)
    same(model, other)
    histories = [fitted(each) for each in (model, other)]
    assert histories[0] == histories[1]
    same(model, other)


def test_in_another_process(tmp_path):
    program = f"""
import sys
sys.path[:0] = {sys.path!r}
from trained_models import MODELS, fitted
from dlnative.saving import load, save
saved = load({str(tmp_path)!r})
print(fitted(saved.model))
save(saved.model, {str(tmp_path)!r})
"""
    dlnative.utils.set_random_seed(11)
    model = MODELS["momentum with EMA"]()
    fitted(model)
    save(model, tmp_path)
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout.strip() == str(fitted(model)), result.stderr
    same(load(tmp_path).model, model)


def test_the_state_and_not_the_model_decides_what_is_saved(tmp_path):
    model = default("adam")
    fitted(model)
    state, weights = TrainingState.of(model), model.get_weights()
    after = fitted(model)
    save(model, tmp_path, state=state)
    other = load(tmp_path).model
    for a, b in zip(other.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert fitted(other) == after
    with pytest.raises(ValueError, match="the state is not one of model"):
        save(Sequential([Input((4,)), layers.Dense(2)]), tmp_path, state=state)


def test_callbacks_and_the_global_stream(tmp_path):
    dlnative.utils.set_random_seed(4)
    model = default("adam")
    first = EarlyStopping("loss", patience=3)
    model.fit(X, Y, epochs=2, callbacks=[first], verbose=0)
    save(model, tmp_path, state=TrainingState.of(model, [first]))
    expected = dlnative.random.next_seed()
    dlnative.utils.set_random_seed(5)
    before = dlnative.random.seeds.get_state()
    saved = load(tmp_path)
    assert dlnative.random.seeds.get_state() == {**before, "streams": before["streams"] + 1}
    second = EarlyStopping("loss", patience=3)
    saved.state.put_back(saved.model, [second])
    assert second.get_state() == first.get_state()
    assert dlnative.random.next_seed() == expected


def test_numbers_that_json_does_not_have(tmp_path):
    model = default("adam")
    history = dlnative.callbacks.History()
    history.history, history.epoch = {"loss": [np.nan, np.inf, -np.inf, 0.1]}, [0, 1, 2, 3]
    save(model, tmp_path, state=TrainingState.of(model, [history]))
    state = load(tmp_path).state
    assert repr(state.values["callbacks"][0]["history"]) == "{'loss': [nan, inf, -inf, 0.1]}"


def test_what_is_compiled(tmp_path):
    inputs = Input((4,))
    model = dlnative.Model(
        inputs, {"a": layers.Dense(2, name="a")(inputs), "b": layers.Dense(1, name="b")(inputs)}
    )
    model.compile(
        optimizers.Adam(0.5, clipnorm=2.0),
        {"a": losses.SparseCategoricalCrossentropy(from_logits=True), "b": "mse"},
        loss_weights={"a": 0.5, "b": 2.0},
        metrics={"a": ["accuracy"]},
        weighted_metrics={"b": [metrics.MeanAbsoluteError(name="off")]},
        steps_per_execution=3,
    )
    y = {"a": Y, "b": X.sum(1)}
    model.optimizer.clipnorm = 1.0
    model.optimizer.learning_rate = 0.01
    model.steps_per_execution = 2
    model.fit(X, y, verbose=0)
    save(model, tmp_path)
    other = load(tmp_path).model
    assert other.get_compile_config() == model.get_compile_config()
    assert (other.steps_per_execution, float(other.optimizer.learning_rate)) == (2, 0.01)
    assert other.optimizer.clipnorm == 1.0
    results = [m.evaluate(X, y, return_dict=True, verbose=0) for m in (model, other)]
    assert results[0] == results[1]
    assert set(results[0]) == {"loss", "a_loss", "b_loss", "a_accuracy", "b_off"}


def test_not_compiled(tmp_path):
    model = Sequential([Input((4,)), layers.Dense(2)])
    save(model, tmp_path / "plain")
    saved = load(tmp_path / "plain")
    assert not saved.model.compiled
    assert saved.state is None
    model.compile("sgd", "mse")
    save(model, tmp_path / "compiled")
    saved = load(tmp_path / "compiled", compile=False)
    assert not saved.model.compiled
    assert saved.state is None
    (next((tmp_path / "compiled").glob("state-*"))).unlink()
    load(tmp_path / "compiled", compile=False)
    with pytest.raises(FileNotFoundError, match="not a complete model, it has no state-"):
        load(tmp_path / "compiled")


def test_a_loss_without_a_name(tmp_path):
    def compiled(model):
        model.compile("adam", lambda y, p: dlnative.ops.mean(dlnative.ops.square(y - p)))
        return model

    model = compiled(Sequential([Input((4,)), layers.Dense(1)]))
    fitted(model)
    with pytest.warns(UserWarning, match="saved as if it were not compiled: .*lambda"):
        save(model, tmp_path)
    saved = load(tmp_path)
    assert not saved.model.compiled
    saved.state.put_back(compiled(saved.model))
    assert fitted(saved.model) == fitted(model)


def test_a_loss_that_is_not_known(tmp_path):
    def own_loss(y_true, y_pred):
        return dlnative.ops.mean(dlnative.ops.square(y_true - y_pred))

    model = Sequential([Input((4,)), layers.Dense(1)])
    model.compile("adam", own_loss)
    save(model, tmp_path)
    with pytest.raises(ValueError, match=r"config.json: cannot compile the model: .*own_loss"):
        load(tmp_path)
    assert not load(tmp_path, compile=False).model.compiled
    with CustomObjectScope({"own_loss": own_loss}):
        assert load(tmp_path).model.loss is own_loss


def test_a_snapshot_is_written_by_another_thread_while_training_goes_on(tmp_path):
    model = default("adam")
    fitted(model)
    taken = snapshot(model, classes=[0, 1])
    weights = model.get_weights()
    thread = threading.Thread(target=lambda: taken.write(tmp_path))
    thread.start()
    after = fitted(model)
    thread.join()
    other = load(tmp_path).model
    for a, b in zip(other.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert fitted(other) == after


class Counting(dlnative.Model):
    """Each step adds 1 to all weights, so that those of a whole step are equal."""

    def __init__(self):
        super().__init__()
        self.parts = [layers.Dense(300, kernel_initializer="zeros") for _ in range(6)]

    def build(self, shape):
        for part in self.parts:
            part.build((None, 300))
        self.built = True

    def train_step(self, data):
        for variable in self.variables:
            variable.assign_add(dlnative.ops.ones(variable.shape))
        return {"sum": dlnative.ops.sum(data[0])}


def test_weights_are_those_of_a_whole_step(tmp_path):
    model = Counting()
    model.compile("sgd")
    model.build((None, 300))
    x = np.zeros((2000, 1), "float32")
    thread = threading.Thread(target=lambda: model.fit(x, batch_size=1, verbose=0))
    thread.start()
    found = []
    while thread.is_alive():
        found.append(TrainingState.of(model))
    thread.join()
    for state in found:
        weights = [a for name, a in state.arrays.items() if name.startswith("weights/")]
        assert {float(n) for a in weights for n in (a.min(), a.max())} == {float(weights[0][0, 0])}
    assert len({float(state.arrays["training/steps"]) for state in found}) > 2


def test_what_is_in_no_configuration(tmp_path):
    """Factors of the learning rate, single frozen weights, and what weight decay leaves out."""

    def make():
        model = net()
        model.compile(optimizers.AdamW(0.01, weight_decay=0.1), "sparse_categorical_crossentropy")
        return model

    def changed(model):
        model.layers[0].learning_rate_factor = 0.1
        model.layers[0].bias.learning_rate_factor = 3.0
        model.layers[-1].kernel.learning_rate_factor = 0.0
        model.layers[-1].bias.trainable = False
        model.layers[norm].trainable = False
        model.optimizer.exclude_from_weight_decay(var_names=["bias", "gamma"])
        return model

    norm = 1
    model = changed(make())
    fitted(model)
    save(model, tmp_path)
    other, third = load(tmp_path).model, make()
    TrainingState.of(model).put_back(third)
    trained = [True, True, *[False] * 4, True, False]
    factors = [0.1, 3.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0]
    for each in (model, other, third):
        assert [v.learning_rate_factor for v in each.variables] == factors
        assert each.layers[0].learning_rate_factor == 0.1
        assert [v.trainable for v in each.variables] == trained
        assert not each.layers[norm].trainable
    assert fitted(model) == fitted(other) == fitted(third)
    same(model, other)
    plain = make()
    fitted(plain)
    model = changed(make())
    TrainingState.of(plain).put_back(model)  # and back to none of them
    assert {v.learning_rate_factor for v in model.variables} == {1.0}
    assert [v.trainable for v in model.variables] == [*[True] * 4, False, False, True, True]
    assert model.layers[norm].trainable
    assert all(model.optimizer.decays(v) for v in model.variables)


def test_classes_stand_for_what_they_make(tmp_path):
    model = Sequential([Input((4,)), layers.Dense(1)])
    model.compile("adam", losses.Huber, metrics=[metrics.MeanAbsoluteError])
    fitted(model)
    save(model, tmp_path)
    other = load(tmp_path).model
    assert isinstance(other.loss, losses.Huber)
    assert fitted(model) == fitted(other)


# --- the public door ------------------------------------------------------------------------------


def test_save_and_load_model(tmp_path):
    model = default("adam")
    fitted(model)
    model.save(tmp_path / "model")
    other = load_model(tmp_path / "model")
    assert not load_model(tmp_path / "model", compile=False).compiled
    with pytest.raises(FileExistsError, match="overwrite is False"):
        model.save(tmp_path / "model", overwrite=False)
    assert fitted(model) == fitted(other)
    save_model(other, tmp_path / "model")
    assert fitted(load_model(tmp_path / "model")) == fitted(model)
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        load_model(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="not a saved model, it has no config.json"):
        load_model(tmp_path / "empty")


def test_from_a_file_of_keras_to_a_folder_and_back(tmp_path):
    model = default("adam")
    fitted(model)
    model.save(tmp_path / "model.keras")
    first = load_model(tmp_path / "model.keras")
    first.save(tmp_path / "model")
    second = load_model(tmp_path / "model")
    second.save(tmp_path / "again.keras")
    third = load_model(tmp_path / "again.keras")
    x, y = X[:8], Y[:8]
    losses = [[m.train_on_batch(x, y) for _ in range(3)] for m in (first, second, third)]
    assert losses[0] == losses[1] == losses[2]


def test_classes_of_ones_own(tmp_path):
    class Own(layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")

        def call(self, inputs):
            return inputs * self.scale

    model = Sequential([Input((4,)), Own(), layers.Dense(1)])
    model.compile("adam", "mse")
    fitted(model)
    model.save(tmp_path)
    with pytest.raises(ValueError, match="cannot build the model: .*Own"):
        load_model(tmp_path)
    other = load_model(tmp_path, custom_objects={"Own": Own})
    assert fitted(model) == fitted(other)
