"""A step that was not finite is written to a folder, and runs again in another process."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings

import numpy as np
import pytest

import dlnative
from dlnative import layers, ops
from dlnative.cli import main

X = np.random.default_rng(0).normal(size=(48, 6)).astype("float32")
Y = np.random.default_rng(1).integers(0, 3, 48).astype("int32")
SPOILED = X.copy()
SPOILED[[21, 37]] = 1e30  # of which exp makes infinities, in the third batch and in the fifth


def net(optimizer="adam", *middle):
    dlnative.utils.set_random_seed(3)
    model = dlnative.Sequential(
        [
            layers.Input((6,), name="x"),
            layers.Dense(8, name="first"),
            *(make() for make in middle),
            layers.Dropout(0.4),
            layers.Activation("exponential", name="planted"),
            layers.Dense(3, "softmax"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def written(model, folder, x=SPOILED, y=Y, **options):
    """The reports of `fit`."""
    given = {"batch_size": 8, "verbose": 0, "shuffle": False, "epochs": 2, **options}
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        return model.fit(x, y, replay=folder, check_finite=False, **given).nonfinite


def same(report, again):
    assert again.is_same and again.held_back
    assert again.report.finding == report.finding
    assert report.message.startswith(again.report.message)


@pytest.mark.parametrize("policy", ["warn", "stop", "skip", "rollback"])
def test_another_process_prints_the_same_report(tmp_path, policy):
    folder = tmp_path / "bad"
    [report, *_] = written(net(), folder, on_nonfinite=policy)
    assert report.file == str(folder) and report.finding.layer == "planted"
    command = [sys.executable, "-m", "dlnative", "replay", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    lines = done.stdout.splitlines()
    assert report.message.startswith(lines[0]) and "batch 3 of epoch 1" in lines[0]
    assert "op 'exponential'" in lines[0] and "sample 21" in lines[0]
    assert lines[1] == "The compiled step is held back."


MODELS = {
    "batch norm": lambda: net("adam", layers.BatchNormalization),
    "accumulation": lambda: net(dlnative.optimizers.SGD(0.1, gradient_accumulation_steps=2)),
    "EMA": lambda: net(dlnative.optimizers.Adam(0.01, use_ema=True, clipnorm=1.0)),
    "schedule": lambda: net(
        dlnative.optimizers.SGD(dlnative.optimizers.schedules.CosineDecay(0.1, 20), momentum=0.9)
    ),
}


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("case", MODELS)
def test_everything_that_the_step_depends_on_is_there(tmp_path, case, engine):
    with dlnative.engine(engine):
        weights = {0: 1.0, 1: 0.5}
        model = MODELS[case]()
        # Batch normalization makes numbers of any size small.
        x = SPOILED if case != "batch norm" else np.where(SPOILED > 1e29, np.inf, SPOILED)
        [report, *_] = written(model, tmp_path, x=x, shuffle=True, class_weight=weights)
        same(report, dlnative.replay(tmp_path))


def test_the_random_mask_is_that_of_the_step(tmp_path):
    """Values that only the units make that dropout has left in: another mask, other rows."""
    dlnative.utils.set_random_seed(7)
    model = dlnative.Sequential(
        [layers.Input((6,)), layers.Dropout(0.9), layers.Activation("exponential"), layers.Dense(3)]
    )
    model.compile("sgd", "mse")
    x = np.full((48, 6), 20.0, "float32")  # 200 where it is left in
    reports = written(model, tmp_path, x=x, y=X[:, :3])
    rows = reports[0].finding.rows
    assert 0 < len(rows) < 8
    same(reports[0], dlnative.replay(tmp_path))


def test_augmentation_is_that_of_the_samples(tmp_path):
    dlnative.utils.set_random_seed(7)
    model = dlnative.Sequential(
        [
            layers.Input((4, 4, 1)),
            layers.RandomBrightness(1.0, value_range=(0.0, 200.0)),
            layers.Activation("exponential", name="planted"),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    images = np.full((32, 4, 4, 1), 60.0, "float32")
    reports = written(model, tmp_path, x=images, y=np.zeros((32, 1)), shuffle=True)
    assert 0 < len(reports[0].finding.rows) < 8
    same(reports[0], dlnative.replay(tmp_path))


def two_inputs():
    a, b = layers.Input((6,), name="a"), layers.Input((2,), name="b")
    joined = layers.Concatenate()([a, b])
    outputs = [layers.Dense(3, name="one")(joined), layers.Dense(1, name="two")(ops.exp(joined))]
    model = dlnative.Model({"a": a, "b": b}, outputs)
    loss = dlnative.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", [loss, "mse"], loss_weights=[1.0, 0.5])
    return model


def test_several_inputs_and_outputs(tmp_path):
    given = {"a": SPOILED, "b": X[:, :2]}, [Y, X[:, :1]]
    sample_weight = [np.linspace(0, 1, 48), np.ones(48)]
    reports = written(two_inputs(), tmp_path, *given, sample_weight=sample_weight)
    again = dlnative.replay(tmp_path)
    same(reports[0], again)
    assert again.report.samples == [21]


def test_generators(tmp_path):
    def batches():
        for i in range(0, 48, 8):
            yield {"a": SPOILED[i : i + 8], "b": X[i : i + 8, :2]}, [Y[i : i + 8], X[i : i + 8, :1]]

    given = {"batch_size": None, "shuffle": True, "epochs": 1, "steps_per_epoch": 6}
    reports = written(two_inputs(), tmp_path, batches(), None, **given)
    again = dlnative.replay(tmp_path)
    same(reports[0], again)
    assert again.report.samples is None and again.report.finding.rows == [5]


class Own(dlnative.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.dense = layers.Dense(3, name="dense", kernel_initializer="ones")

    def call(self, x):
        return ops.exp(self.dense(x))

    def train_step(self, data):
        x, y = data

        def loss_of_batch():
            return ops.mean(ops.square(self(x) - y))

        loss, grads = dlnative.value_and_grad(loss_of_batch, self.trainable_variables)()
        self.optimizer.apply(grads, self.trainable_variables)
        return {"loss": loss}

    def get_config(self):
        return {"name": self.name}


def test_a_step_of_ones_own_wants_its_class(tmp_path, capsys):
    model = Own()
    model.compile("adam")
    reports = written(model, tmp_path, y=X[:, :3])
    with dlnative.utils.custom_object_scope({"Own": Own}):
        same(reports[0], dlnative.replay(tmp_path))
    assert main(["replay", str(tmp_path)]) == 2
    assert "Own" in capsys.readouterr().err


def test_a_model_without_a_form_in_json(tmp_path):
    model = net()
    model.compile("sgd", lambda y_true, y_pred: ops.mean(ops.square(y_pred)) + 0.0 * y_true)
    [report] = written(model, tmp_path / "bad", on_nonfinite="warn")
    assert report.file is None and "could not be written to" in report.message
    assert not (tmp_path / "bad" / "replay.json").exists()


def test_damaged_and_other_folders(tmp_path, capsys):
    written(net(), tmp_path / "bad")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        dlnative.replay(tmp_path / "none")
    dlnative.saving.save(net(), tmp_path / "model")
    with pytest.raises(FileNotFoundError, match=r"it has no replay\.json"):
        dlnative.replay(tmp_path / "model")
    facts = tmp_path / "bad" / "replay.json"
    good = facts.read_text()
    for change in (
        {"version": 2},
        {"format": "else"},
        {"step": -1},
        {"x": 9},
        {"x": {"set": [0]}},
        {"place": {}},
        {"finding": {"what": "x", "more": 1}},
        {"sha256": "0" * 64},
    ):
        facts.write_text(json.dumps({**json.loads(good), **change}))
        with pytest.raises(ValueError, match=r"replay\.json"):
            dlnative.replay(tmp_path / "bad")
    changed = {**json.loads(good)}
    changed["finding"] = {**changed["finding"], "rows": [0]}
    facts.write_text(json.dumps(changed))
    assert not dlnative.replay(tmp_path / "bad").is_same
    assert main(["replay", str(tmp_path / "bad")]) == 2
    assert "recorded was another op, layer or rows" in capsys.readouterr().err
    facts.write_text(good)
    batch = tmp_path / "bad" / "batch.safetensors"
    content = bytearray(batch.read_bytes())
    content[-3] ^= 1
    batch.write_bytes(content)
    with pytest.raises(ValueError, match=r"batch\.safetensors: damaged"):
        dlnative.replay(tmp_path / "bad")


def test_other_threads_and_engines_give_the_same_report(tmp_path, capsys):
    before = dlnative.config.num_threads(), dlnative.config.current_engine()
    reports = written(net(), tmp_path)
    try:
        for options in (["--threads", "1"], ["--threads", "2"], ["--engine", "numpy"]):
            assert main(["replay", str(tmp_path), *options]) == 0
            assert reports[0].message.startswith(capsys.readouterr().out.splitlines()[0])
    finally:
        dlnative.config.set_num_threads(before[0])
        dlnative.config.set_engine(before[1])


def test_only_a_path_is_taken():
    with pytest.raises(TypeError, match="replay: expected the path of a folder or None"):
        net().fit(X, Y, replay=True)


def test_train_of_the_command_line(tmp_path, capsys):
    """A rate that explodes: it ends, says so, and the step can be run again."""
    rows = np.column_stack([X, X.sum(1)])
    np.savetxt(tmp_path / "data.csv", rows, delimiter=",")
    command = ["train", "--data", str(tmp_path / "data.csv"), "--task", "regression"]
    command += ["--optimizer", "sgd", "--learning-rate", "1e15", "--quiet", "--header", "no"]
    command += ["--on-nonfinite", "stop", "--replay", str(tmp_path / "bad")]
    with pytest.warns(RuntimeWarning, match="Training ends with the model as it was before"):
        assert main(command) == 0
    capsys.readouterr()
    assert main(["replay", str(tmp_path / "bad")]) == 0
    assert "learning rate 1e+15; forward: op" in capsys.readouterr().out
