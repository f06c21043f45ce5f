"""What `resume` compares does not depend on what layers are called, only on what they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from trained_models import X, Y

import dlnative
from dlnative import layers, ops, saving

TARGETS = {"one": Y.astype("float32")[:, None], "two": X[:, :2]}


@saving.register_keras_serializable("resumed")
class Kind(layers.Layer):
    """A layer whose arguments look like names."""

    def __init__(self, kind, named=None, **kwargs):
        super().__init__(**kwargs)
        self.kinds, self.named = kind, named

    def call(self, x):
        return dlnative.activations.get(self.kinds["name"])(x)

    def get_config(self):
        return {**super().get_config(), "kind": self.kinds, "named": self.named}


@saving.register_keras_serializable("resumed")
class Wraps(layers.Layer):
    """A layer with the configuration of another inside, once without its class."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second = layers.Dense(units), layers.Dense(units)

    def call(self, x):
        return self.second(self.first(x))

    def get_config(self):
        second = dlnative.utils.serialize_keras_object(self.second)
        return {**super().get_config(), "first": self.first.get_config(), "second": second}


@saving.register_keras_serializable("resumed")
class Power(dlnative.regularizers.Regularizer):
    def __init__(self, name):
        self.name = name

    def __call__(self, x):
        return 0.01 * ops.sum(ops.abs(x) if self.name == "one" else ops.square(x))

    def get_config(self):
        return {"name": self.name}


def dense(x, activation=None, **options):
    return layers.Dense(3, activation=activation, **options)(x)


def made(outputs, entry, loss="mse", **options):
    model = dlnative.Model(entry, outputs)
    model.compile("adam", loss, **options)
    return model


def an_op(activation="relu", op=ops.relu):
    entry = layers.Input((4,))
    return made(layers.Dense(1)(op(dense(entry, activation) - 0.1)), entry)


def a_name(activation="tanh", called="tanh", loss="mse", **options):
    """Of a layer that is also that of an activation, a loss, a dtype, a class, a key, an op."""
    entry = layers.Input((4,))
    inner = dense(dense(entry, activation, **options), name=called)
    return made(layers.Dense(1)(inner), entry, loss)


def nested(swapped=False, activation="relu"):
    """Models inside a model, whose layers have names of those outside, and a shared layer."""
    inner = dlnative.Input((4,), name="relu")
    shared = layers.Dense(4, activation=activation, name="mse")
    encoder = dlnative.Model(inner, shared(shared(inner)), name="linear")
    entry = layers.Input((4,), name="mse")
    row = dlnative.Sequential([layers.Dense(4, name="relu"), layers.Dense(4)])
    a, b = ops.tanh(encoder(entry)), row(entry)
    joined = layers.Concatenate()([b, a] if swapped else [a, b])
    return made(layers.Dense(1)(joined), entry)


def two_outputs(weight=0.5, exchanged=False, by_key=False, called=("mse", "relu")):
    entry = layers.Input((4,))
    called = (None, None) if by_key else called
    one, two = layers.Dense(1, name=called[0]), layers.Dense(2, name=called[1])
    names = ("one", "two") if by_key else (one.name, two.name)
    losses = dict(zip(names, ("mae", "mse") if exchanged else ("mse", "mae"), strict=True))
    weights, metrics = {names[0]: weight, names[1]: 1.0}, {names[1]: ["mae"]}
    ends = [one(entry), two(entry)]
    outputs = {"one": ends[0], "two": ends[1]} if by_key else ends
    return made(outputs, entry, losses, loss_weights=weights, metrics=metrics)


def one_output_by_name(loss="mse"):
    entry, end = layers.Input((4,)), layers.Dense(1)
    return made(end(dense(entry)), entry, {end.name: loss}, metrics={end.name: ["mae"]})


def kind(name="relu", named=None, **options):
    return dlnative_sequential(Kind({"name": name}, named, **options))


def wraps(units=3):
    return dlnative_sequential(Wraps(units))


def penalized(name="one"):
    return dlnative_sequential(layers.Dense(3, kernel_regularizer=Power(name)))


def policy(dtype="float32"):
    """A policy is an object with a name, too."""
    return dlnative_sequential(
        Kind({"name": "relu"}, {"dtype": {"class_name": "DTypePolicy", "config": {"name": dtype}}})
    )


def dlnative_sequential(layer):
    model = dlnative.Sequential([layers.Input((4,)), layer, layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def fit(make, folder, **options):
    dlnative.utils.set_random_seed(0)
    model = make(**options)
    targets = TARGETS["one"]
    if len(model.outputs) > 1:
        targets = TARGETS if isinstance(model.output, dict) else list(TARGETS.values())
    history = model.fit(X, targets, batch_size=8, epochs=2, verbose=0, resume=folder)
    return list(history.history.values()), model.get_weights()


SAME = {
    "an op": (an_op, {}),
    **{
        f"a layer called {called}": (a_name, {"called": called})
        for called in ("tanh", "linear", "mse", "adam", "float32", "Dense", "dense_5", "config")
    },
    "zeros": (a_name, {"called": "glorot_uniform"}),
    "nested": (nested, {}),
    "two outputs": (two_outputs, {}),
    "two outputs by keys": (two_outputs, {"by_key": True}),
    "an output by its name": (one_output_by_name, {}),
    "an argument": (kind, {}),
    "an explicit name": (kind, {"name": "tanh"}),
    "a layer inside": (wraps, {}),
    "a regularizer": (penalized, {}),
    "a policy": (policy, {}),
}


@pytest.mark.parametrize("number", [0, 3])
@pytest.mark.parametrize("case", SAME)
def test_the_same_run_is_known(case, number, tmp_path):
    """Again, also where other layers of the classes have been made before."""
    make, options = SAME[case]
    dlnative.utils.clear_session()
    expected = fit(make, tmp_path, **options)
    for cls in (layers.Dense, Kind, Wraps, layers.Concatenate, lambda *_: layers.Input((1,))):
        for _ in range(number):
            cls(1)
    for _ in range(number):
        ops.tanh(ops.relu(layers.Input((2,))) - 1.0)
    history, weights = fit(make, tmp_path, **options)
    assert history == expected[0]
    for a, b in zip(weights, expected[1], strict=True):
        np.testing.assert_array_equal(a, b)


OTHERS = {
    "an activation": (an_op, {}, {"activation": "tanh"}, "expected 'relu', received 'tanh'"),
    "an op": (an_op, {}, {"op": ops.tanh}, "expected .*nn', received .*numpy'"),
    "an activation that is a name": (a_name, {}, {"activation": "relu", "called": "relu"}, "relu"),
    "a loss that is a name": (
        a_name,
        {"called": "mse"},
        {"called": "mae", "loss": "mae"},
        "compile.loss: expected 'mse', received 'mae'",
    ),
    "the order of branches": (nested, {}, {"swapped": True}, "keras_history|layers"),
    "inside": (nested, {}, {"activation": "tanh"}, "activation: expected 'relu'"),
    "losses of outputs": (two_outputs, {}, {"exchanged": True}, "compile.loss.output 0"),
    "a weight of an output": (two_outputs, {}, {"weight": 0.25}, "compile.loss_weights.output 0"),
    "another loss of the output": (
        one_output_by_name,
        {},
        {"loss": "mae"},
        "compile.loss.output 0",
    ),
    "logs of other names": (
        two_outputs,
        {"called": (None, None)},
        {"called": (None, None)},
        "names of outputs.0.: expected 'dense.*', received 'dense",
    ),
    "losses by keys": (two_outputs, {"by_key": True}, {"by_key": True, "exchanged": True}, "one"),
    "an argument": (kind, {}, {"name": "tanh"}, "kind.name: expected 'relu', received 'tanh'"),
    "a regularizer": (penalized, {}, {"name": "two"}, "expected 'one', received 'two'"),
    "a policy": (policy, {}, {"dtype": "float64"}, "expected 'float32', received 'float64'"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_another_run_is_refused(case, tmp_path):
    make, first, second, message = OTHERS[case]
    fit(make, tmp_path, **first)
    with pytest.raises(ValueError, match=f"(?s)checkpoints of another run.*{message}"):
        fit(make, tmp_path, **second)


def test_in_another_process(tmp_path):
    code = (
        "import sys; sys.path[:0] = sys.argv[2:]; import test_resume_names as t; "
        "[t.layers.Dense(1) for _ in range(12)]; t.ops.relu(t.layers.Input((1,)));"
        "print([t.fit(m, f'{sys.argv[1]}/{m.__name__}')[0] for m in (t.an_op, t.two_outputs)])"
    )
    expected = [fit(make, tmp_path / make.__name__)[0] for make in (an_op, two_outputs)]
    command = [sys.executable, "-c", code, str(tmp_path), str(Path(__file__).parent), *sys.path]
    result = subprocess.run(command, capture_output=True, text=True)
    assert not result.returncode, result.stderr
    assert result.stdout.strip() == str(expected)
