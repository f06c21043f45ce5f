"""Commands on folders of models that are not as `train` wrote them: status 2 and one line."""

from __future__ import annotations

import json

import numpy as np
import pytest

import dlnative
from dlnative import layers
from dlnative.saving import save


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    draw = np.random.Generator(np.random.PCG64(1))
    path = tmp_path_factory.mktemp("data") / "table.csv"
    rows = [[*draw.normal(i % 2, 1, 3).round(3), i / 7, ["cat", "dog"][i % 2]] for i in range(20)]
    lines = ["a,b,c,size,kind", *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def classifier(run, table, tmp_path):
    folder = tmp_path / "model"
    status, _, err = run("train", "--data", table, "--epochs", 1, "--hidden", 3, "--out", folder)
    assert (status, err) == (0, "")
    return folder


@pytest.fixture
def regression(run, table, tmp_path):
    rows = [line.split(",")[:4] for line in table.read_text().splitlines()]
    (tmp_path / "sizes.csv").write_text("".join(",".join(row) + "\n" for row in rows))
    folder = tmp_path / "regression"
    status, _, err = run(
        "train", "--data", tmp_path / "sizes.csv", "--task", "regression", "--epochs", 1,
        "--hidden", 3, "--out", folder,
    )  # fmt: skip
    assert (status, err) == (0, "")
    return folder


def edit(folder, change):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config.pop("sha256", None)
    change(config)
    path.write_text(json.dumps(config))


def preprocessing(**entries):
    return lambda config: config["preprocessing"].update(entries)


def statistics(part, **entries):
    return lambda config: config["preprocessing"][part].update(entries)


@pytest.mark.parametrize("command", ["predict", "evaluate"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (preprocessing(task="sorting"), "expected a task with its classes, received 'sorting'"),
        (preprocessing(task=["classification"]), "expected a task with its classes"),
        (lambda config: config["preprocessing"].pop("task"), "it has no task"),
        (lambda config: config.update(preprocessing=None), "it has no task"),
        (lambda config: config["preprocessing"].pop("inputs"), "KeyError('inputs')"),
        (lambda config: config.update(classes=None), "expected a task with its classes"),
        (lambda config: config.update(classes=["cat"]), "outputs of shape (None, 1), the model of"),
        (lambda config: config.update(classes=["a", "b", "c"]), "outputs of shape (None, 3)"),
        (preprocessing(sample_shape="4"), "expected a shape as 'sample_shape', received '4'"),
        (preprocessing(sample_shape=[4.0]), "expected a shape as 'sample_shape'"),
        (preprocessing(sample_shape=[-4]), "expected a shape as 'sample_shape'"),
        (preprocessing(sample_shape=[5]), "inputs of shape (None, 5), the model of (None, 4)"),
        (preprocessing(pixel_range=10**30), "expected 1 to 255 or null as 'pixel_range'"),
        (preprocessing(pixel_range=True), "expected 1 to 255 or null as 'pixel_range'"),
        (preprocessing(inputs=[1]), "not as dlnative train writes it"),
        (statistics("inputs", mean=[0, 0, 0, 10**400]), "not as dlnative train writes it"),
        (statistics("inputs", mean=None), "not as dlnative train writes it"),
        (statistics("inputs", mean=[[1], [2, 3]]), "not as dlnative train writes it"),
        (statistics("inputs", scale=[1, 1, 1, 0]), "as many scales that are not zero"),
        (statistics("inputs", scale=[1]), "expected finite means and as many scales"),
        (statistics("inputs", mean=[0], scale=[1]), "statistics of the inputs of shape (4,)"),
        (preprocessing(columns=7), "not as dlnative train writes it"),
        (statistics("columns", more=1), "not as dlnative train writes it"),
        (statistics("columns", features=["a", "b", "c", 4]), "names and places of columns"),
        (statistics("columns", features="abcd"), "names and places of columns"),
        (statistics("columns", features=["a", "b"]), "2 feature columns do not make samples"),
        (statistics("columns", target=None), "names and places of columns"),
        (statistics("columns", target_position=-1), "names and places of columns"),
        (statistics("columns", header="no"), "names and places of columns"),
        (preprocessing(images={"image_size": [0, 3]}), "expected image_size to be None or"),
        (preprocessing(images={"image_size": [10**9, 10**9]}), "do not make samples of (4,)"),
        (preprocessing(images={"colour": 1}), "not as dlnative train writes it"),
        (lambda config: config["model"].pop("class_name"), "expected a model"),
        (lambda config: config["weights"].update(file="/dev/zero"), "expects 'weights' to be"),
    ],
)  # fmt: skip
def test_an_edited_configuration(fails, classifier, table, command, change, message):
    edit(classifier, change)
    assert message in fails(command, classifier, "--data", table)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda config: config["preprocessing"].pop("targets"), "KeyError('targets')"),
        (statistics("targets", mean="x"), "not as dlnative train writes it"),
        (statistics("targets", mean=[0, 1], scale=[1, 1]), "statistics of the targets of shape ()"),
        (preprocessing(task="classification"), "expected a task with its classes"),
    ],
)
def test_an_edited_regression(fails, regression, table, change, message):
    edit(regression, change)
    assert message in fails("predict", regression, "--data", table)


def test_damaged_configuration(fails, classifier, table):
    path = classifier / "config.json"
    path.write_bytes(path.read_bytes().replace(b"cat", b"car"))
    assert "damaged or edited" in fails("predict", classifier, "--data", table)
    path.write_bytes(path.read_bytes()[:-5])
    assert "damaged" in fails("predict", classifier, "--data", table)


def test_a_model_that_takes_more_memory_than_there_is(
    fails, tmp_path, monkeypatch, classifier, table
):
    monkeypatch.setattr(dlnative.Sequential, "predict", lambda *_, **__: bytes(2**62))
    assert "dlnative: error: out of memory: " in fails("predict", classifier, "--data", table)


def test_a_model_of_another_origin(fails, tmp_path, table):
    save(dlnative.Sequential([layers.Input((4,)), layers.Dense(2)]), tmp_path / "model")
    assert "not written by dlnative train" in fails("predict", tmp_path / "model", "--data", table)


def test_info_on_a_model(run, classifier, tmp_path):
    status, out, err = run("info", classifier)
    assert (status, err) == (0, "")
    lines = dict(line.split(maxsplit=1) for line in out.splitlines() if line[:1].islower())
    assert "Dense" in out
    assert lines["compiled"] == "Adam, loss SparseCategoricalCrossentropy, metrics [accuracy]"
    assert (lines["epochs"], lines["steps"]) == ("1", "1")
    assert lines["classes"] == "2: cat, dog"
    assert f"dlnative {dlnative.__version__}, version 4 of the format" in lines["written"]
    status, out, _ = run("info", classifier, "--json")
    facts = json.loads(out)
    assert facts["files"]["config.json"] == (classifier / "config.json").stat().st_size
    assert facts["parameters"] == {"total": 23, "trainable": 23}
    assert facts["compiled"]["optimizer"]["class_name"] == "Adam"
    assert facts["training"]["trained_epochs"] == facts["epochs"] == facts["steps"] == 1

    save(dlnative.Sequential([layers.Input((4,)), layers.Dense(2)]), tmp_path / "plain")
    status, out, _ = run("info", tmp_path / "plain")
    assert status == 0
    assert "compiled" not in out
    status, _, err = run("info", tmp_path / "none")
    assert (status, err) == (2, f"dlnative: error: {tmp_path / 'none'}: no such folder\n")
