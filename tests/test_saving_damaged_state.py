"""Training states in folders that are not as `save` wrote them."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from saved_folders import edit, with_header
from trained_models import X, Y, default, fitted, net

from dlnative import Input, Sequential, callbacks, layers, metrics, ops, optimizers
from dlnative.models.training_state import TrainingState
from dlnative.saving import load, save
from dlnative.saving.weights import Weights, encode
from dlnative.utils import register_keras_serializable

ARRAY = {"shape": [1], "base64": "AAAAAA=="}  # as EarlyStopping keeps them


@register_keras_serializable("test_saving_damaged_state")
def mostly_first(y_pred):
    return ops.mean(y_pred[:, 1]) - 0.3


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model with everything that a state may have."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    model = net()
    model.layers[0].learning_rate_factor = 0.5
    y = np.eye(2, dtype="float32")[Y]
    model.compile(
        optimizers.AdamW(0.01, use_ema=True),
        "categorical_crossentropy",
        metrics=["accuracy", metrics.AUC(num_thresholds=9, multi_label=True)],
        weighted_metrics=[metrics.R2Score()],
        inequality=mostly_first,
    )
    stop = callbacks.EarlyStopping("loss", restore_best_weights=True)
    model.fit(X, y, callbacks=[stop], verbose=0)
    save(model, folder, state=TrainingState.of(model, [stop]))
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "model")
    return tmp_path / "model"


def values(config):
    return config["state"]["values"]


def state_of(folder):
    return folder / json.loads((folder / "config.json").read_text())["state"]["file"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(compile=[]), "expects 'compile' to be an object or null"),
        (lambda c: c.update(compile=None), None),
        (lambda c: c.update(state=None), None),
        (lambda c: c.update(state={}), "expects 'state' to be the name and the SHA-256"),
        (lambda c: c["state"].update(file=c["weights"]["file"]), "expects 'state' to be the name"),
        (lambda c: c["weights"].update(file=c["state"]["file"]), "expects 'weights' to be the"),
        (lambda c: c["state"].update(file="state.safetensors"), "expects 'state' to be the name"),
        (lambda c: c["state"].update(sha256="0" * 64), "damaged, or not the state that config"),
        (lambda c: c["state"].pop("values"), "expects 'state' to be the name and the SHA-256 of"),
        (lambda c: c["compile"].update(loss="mean_sqared_error"), "cannot compile .*Did you mean"),
        (lambda c: c["compile"].update(optimizer="adm"), "cannot compile the model: .*adm"),
        (lambda c: c["compile"].update(optimizer="sgd"), r"not those of this model: .*optimizer/0"),
        (lambda c: c["compile"].update(metrics=["mse"]), "not those of this model: .*metrics/"),
        (lambda c: c["compile"].update(metrics=7), "cannot go on|cannot compile"),
        (lambda c: c["compile"].update(more=1), r"cannot compile .*unexpected keyword argument"),
        (lambda c: c["compile"]["optimizer"]["config"].update(use_ema=False), "not those of this"),
        *(
            (lambda c, key=key: values(c).pop(key), f"cannot go on with training: .*{key}")
            for key in ("version", "layers", "random", "optimizers", "excluded", "factors",
                        "frozen", "objectives", "training", "callbacks")
        ),
        (lambda c: values(c).update(version=2), "'version' cannot be 2"),
        (lambda c: values(c).update(layers={"": {"call": 1}}), "'layers' cannot be"),
        (lambda c: values(c).update(layers={"": {"_drawn_seed": "x"}}), "'layers' cannot be"),
        (lambda c: values(c).update(layers={"other": {"_drawn_seed": 1}}), "other"),
        (lambda c: values(c)["random"].update(drawn=-1), "'random' cannot be"),
        (lambda c: values(c)["random"].update(more=1), "'random' cannot be"),
        (lambda c: values(c)["optimizers"].append([]), None),
        (lambda c: values(c).update(optimizers=[[]]), "not those of this model: holds 'optimizer"),
        (lambda c: values(c)["optimizers"][0].pop(), "not those of this model: holds 'optimizer"),
        (lambda c: values(c)["optimizers"][0].append("x/kernel"), "cannot go on .*x/kernel"),
        (lambda c: values(c)["optimizers"][0].extend(["norm/gamma"] * 2), "cannot go on .*norm"),
        (lambda c: values(c)["optimizers"][0].extend(values(c)["optimizers"][0]), "'optimizers'"),
        (lambda c: values(c)["frozen"].update(layers=[[]]), "cannot go on with training"),
        (lambda c: values(c)["frozen"].update(variables=["x"]), "cannot go on with training"),
        (lambda c: values(c)["frozen"].pop("layers"), "cannot go on with training"),
        (lambda c: values(c)["factors"].update(layers={"": -1.0}), "'factors' cannot be"),
        (lambda c: values(c)["factors"].update(layers={"": {"__float__": "nan"}}), "'factors'"),
        (lambda c: values(c)["factors"].update(layers={"": {"__float__": "x"}}), "cannot go on"),
        (lambda c: values(c).update(objectives=7), "'objectives' cannot be 7"),
        (lambda c: values(c)["objectives"].update(metrics=[]), "cannot go on with training"),
        (lambda c: values(c)["training"].update(epochs="3"), "expected a seed and a number"),
        (lambda c: values(c).update(callbacks=3), "'callbacks' cannot be 3"),
    ],
)  # fmt: skip
def test_bad_configuration(folder, change, message):
    edit(folder, lambda c: change(c) and None)
    if message is None:
        load(folder)
        return
    with pytest.raises(ValueError, match=message) as caught:
        load(folder)
    assert str(folder) in str(caught.value)


SIZES = {
    "labels of a metric": lambda c: values(c)["objectives"]["metrics"].__setitem__(
        1, [[None, 10**10]]
    ),
    "values of a constraint": lambda c: values(c)["objectives"].update(
        constraints=[[[10**10], "float32"]]
    ),
    "classes of a metric": lambda c: c["compile"]["metrics"].__setitem__(
        1, {"module": "keras.metrics", "class_name": "MeanIoU", "config": {"num_classes": 10**6}}
    ),
    "thresholds": lambda c: c["compile"]["metrics"][1]["config"].update(num_thresholds=10**9),
    "history": lambda c: c["compile"].update(
        optimizer={
            "module": "keras.optimizers",
            "class_name": "LBFGS",
            "config": {"history": 10**9},
        }
    ),
}


@pytest.mark.parametrize("change", SIZES.values(), ids=SIZES)
def test_shapes_are_compared_before_memory_is_taken(folder, change):
    edit(folder, lambda c: change(c) and None)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="not those of|cannot go on|cannot compile"):
            load(folder)
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()


def test_damaged_state(folder):
    path = state_of(folder)
    content = path.read_bytes()
    for at in range(0, len(content), 41):
        damaged = bytearray(content)
        damaged[at] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=f"{path.name}: "):
            load(folder)
    for end in range(0, len(content), 97):
        path.write_bytes(content[:end])
        with pytest.raises(ValueError, match=f"{path.name}: (damaged: expected|not a safetensors)"):
            load(folder)
    load(folder, compile=False)


def rewrite_state(folder, name, value):
    """Gives an array of the state another value, for which the configuration vouches."""
    path = state_of(folder)
    with Weights(path) as file:
        arrays, _ = file.read()
    arrays[name][...] = value
    parts, sha256 = encode(arrays)
    path.write_bytes(b"".join(map(bytes, parts)))
    edit(folder, lambda c: c["state"].update(sha256=sha256))


@pytest.mark.parametrize("count", [-1, 2**62, 2**63 - 1])
def test_steps_that_cannot_be_counted(folder, count):
    rewrite_state(folder, "optimizer/0/0", count)
    with pytest.raises(ValueError, match="expected optimizer/0/0 to be a number of steps"):
        load(folder)


@pytest.mark.parametrize("index", [[10**9, 0], [-1, 0], [1, 11]])
def test_pairs_that_l_bfgs_cannot_have(tmp_path, index):
    model = default("lbfgs")
    fitted(model)
    save(model, tmp_path)
    rewrite_state(tmp_path, "optimizer/0/2", index)
    with pytest.raises(ValueError, match="L-BFGS: expected its state to have less than 11 pairs"):
        fitted(load(tmp_path).model)


def test_the_state_of_another_model(folder, tmp_path):
    """The message lists names and shapes."""
    other = Sequential([Input((4,)), layers.Dense(3), layers.Dense(2)])
    other.compile("adam", "mse")
    other.fit(X, np.zeros((40, 2)), verbose=0)
    save(other, tmp_path / "other")
    content = state_of(tmp_path / "other").read_bytes()
    state_of(folder).write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    edit(folder, lambda c: c["state"].update(sha256=sha256))
    with pytest.raises(ValueError, match="not those of this model: ") as caught:
        load(folder)
    assert "lacks 'constraints/0/penalty' of shape () and dtype float64" in str(caught.value)
    assert "more" in str(caught.value)


def test_header_without_tensors(folder):
    content = with_header({})
    state_of(folder).write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    edit(folder, lambda c: c["state"].update(sha256=sha256))
    with pytest.raises(ValueError, match="not those of this model: lacks"):
        load(folder)


@pytest.mark.parametrize("entry", [{"best": 7}, {"best_weights": [{**ARRAY, "dtype": "9" * 5000}]}])
def test_what_a_callback_cannot_take(folder, entry):
    edit(folder, lambda c: values(c)["callbacks"][0].update(entry))
    state = load(folder).state
    model = load(folder).model
    with pytest.raises(ValueError, match="no state of the callback EarlyStopping"):
        state.put_back(model, [callbacks.EarlyStopping("loss")])


@pytest.mark.parametrize("limit", [100_000, 1_500_000])
def test_the_disk_is_full(tmp_path, limit):
    """In the midst of the weights, and in the midst of the state."""
    model = Sequential([Input((500,)), layers.Dense(500)])
    model.compile("adam", "mse")
    save(model, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    model.train_on_batch(np.ones((1, 500)), np.ones((1, 500)))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            save(model, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    save(model, tmp_path)
    assert len([*tmp_path.iterdir()]) == 3


READ_ONLY = """
import os, sys
import numpy as np
from dlnative import Input, Sequential, layers
from dlnative.saving import load, save
folder = sys.argv[1]
model = Sequential([Input((3,)), layers.Dense(2)])
model.compile("adam", "mse")
load(folder)
if os.getuid() == 0:
    os.setuid(65534)
try:
    save(model, folder)
except PermissionError as error:
    print("refused", load(folder).classes)
"""


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_folder_that_may_not_be_written():
    with tempfile.TemporaryDirectory() as place:  # which others may enter
        os.chmod(place, 0o755)
        folder = Path(place) / "model"
        model = Sequential([Input((3,)), layers.Dense(2)])
        model.compile("adam", "mse")
        save(model, folder, classes=["old"])
        before = sorted(os.listdir(folder))
        os.chmod(folder, 0o555)
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        result = subprocess.run(
            [sys.executable, "-c", READ_ONLY, str(folder)],
            capture_output=True, text=True, env=environment, check=False,
        )  # fmt: skip
        assert result.stdout == "refused ['old']\n", result.stderr
        assert sorted(os.listdir(folder)) == before
        os.chmod(folder, 0o755)


def test_links(folder, tmp_path):
    """A file that is a link to one elsewhere is read, and not written."""
    path = state_of(folder)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    model = load(folder).model
    save(model, folder)
    assert path.is_symlink()  # the user's
    assert state_of(folder) != path
    assert not state_of(folder).is_symlink()
    assert (tmp_path / "elsewhere").exists()


def test_a_state_does_not_go_with_another_compile(tmp_path):
    model = default("adam")
    fitted(model)
    state = TrainingState.of(model)
    other = default("sgd")
    save(other, tmp_path, state=state)  # what the model is compiled with is not looked at
    with pytest.raises(ValueError, match="not those of this model"):
        load(tmp_path)
