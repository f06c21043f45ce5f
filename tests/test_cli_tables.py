"""Tables on the command line: --header and --task, what is printed, and what a model remembers."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

TRAIN = ["--quiet", "--hidden", "4", "--epochs", "1"]


@pytest.fixture
def iris(tmp_path, monkeypatch):
    """Writes `iris.csv` with any first line, in the columns 0, 1, 2 and species."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.Generator(np.random.PCG64(1))
    rows = [
        ",".join([*(f"{x:.1f}" for x in generator.normal(5, 2, 3)), ("ant", "bee", "cow")[i % 3]])
        for i in range(60)
    ]

    def write(first: str | None, name: str = "iris.csv"):
        lines = rows if first is None else [first, *rows]
        (tmp_path / name).write_text("\n".join(lines) + "\n")
        return name

    return write


def train(run, *arguments):
    status, out, err = run("train", *TRAIN, *arguments)
    assert (status, err) == (0, ""), err
    return out


def test_a_header_of_numbers_is_decided_by_an_option(run, fails, iris, tmp_path):
    data = iris("0,1,2,species")
    error = fails("train", "--data", data, "--out", "model")
    assert "iris.csv: line 1: numbers, and 'species'" in error
    assert "--header yes or --header no" in error

    out = train(run, "--data", data, "--header", "yes", "--out", tmp_path / "model")
    assert "header       line 1; 3 features and the target 'species'" in out
    assert "task         classification, 3 classes: ant, bee, cow" in out
    assert "54 training samples of shape (3,), 6 for validation" in out
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    columns = config["preprocessing"]["columns"]
    assert columns["header"] is True and columns["features"] == ["0", "1", "2"]

    # The same file is read in the same way from then on; one without the names is not.
    _, out, _ = run("evaluate", tmp_path / "model", "--data", data)
    assert "(60 samples)" in out
    _, out, _ = run("predict", tmp_path / "model", "--data", data)
    assert len(out.splitlines()) == 61
    bare = iris(None, "bare.csv")
    for command in ("evaluate", "predict"):
        error = fails(command, "model", "--data", bare)
        assert "bare.csv: line 1: numbers, as the names were" in error
    status, predicted, _ = run("predict", tmp_path / "model", "--data", bare, "--header", "no")
    assert (status, predicted) == (0, out)
    _, out, _ = run("evaluate", tmp_path / "model", "--data", bare, "--header", "no")
    assert "(60 samples)" in out


def test_no_header_is_printed_and_kept(run, iris, tmp_path):
    out = train(run, "--data", iris(None), "--header", "auto", "--out", tmp_path / "model")
    assert (
        "header       none, the columns go by position; 3 features and the target 'column 4'" in out
    )
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["preprocessing"]["columns"]["header"] is False
    # A first row that counts is data here, as it was while training.
    (tmp_path / "counts.csv").write_text("0,1,2\n3,4,5\n")
    _, out, _ = run("predict", tmp_path / "model", "--data", tmp_path / "counts.csv")
    assert len(out.splitlines()) == 3


def test_a_column_without_a_name(fails, iris):
    error = fails("train", "--data", iris(",a,b,species"))
    assert "iris.csv: line 1: column 1 has no name in the header" in error
    assert "to_csv(index=False)" in error


def targets_csv(targets) -> str:
    return "x,y\n" + "".join(f'{i % 7},"{target}"\n' for i, target in enumerate(targets))


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([*range(214)], "bad.csv: column 'y': 214 different whole numbers in 214 targets"),
        ([*range(214)] * 3, "bad.csv: column 'y': 214 different whole numbers in 642 targets"),
        (["x", "12,5", "x", "12,5"], "bad.csv: line 3, column 'y': '12,5' is not a number"),
        ([1.5, 2.5, "O.5", 3.5], "bad.csv: line 4, column 'y': 'O.5' among numbers"),
        (["0.0", "1.0"] * 3, "bad.csv: line 2, column 'y': 2 different whole numbers"),
        ([f"2020-01-{d}" for d in range(10, 30)], "bad.csv: column 'y': 20 different ones"),
    ],
)
def test_tasks_that_are_not_certain(fails, tmp_path, targets, message):
    (tmp_path / "bad.csv").write_text(targets_csv(targets))
    error = fails("train", "--data", "bad.csv", "--out", "model")
    assert message in error
    assert "; --task classification or --task regression decides" in error


def test_the_option_decides_the_task(run, tmp_path):
    data = tmp_path / "numbers.csv"
    data.write_text(targets_csv([*range(30)] * 2))
    out = train(run, "--data", data, "--task", "regression", "--out", tmp_path / "values")
    assert "task         regression, one number" in out
    _, out, _ = run("evaluate", tmp_path / "values", "--data", data)
    assert "mean absolute error" in out
    out = train(run, "--data", data, "--task", "classification", "--out", tmp_path / "classes")
    assert "task         classification, 30 classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ..." in out
    # What was decided is kept: five values are still values.
    data.write_text(targets_csv([1, 2, 3, 4, 5] * 2))
    assert "r2" in run("evaluate", tmp_path / "values", "--data", data)[1]
    assert "accuracy" in run("evaluate", tmp_path / "classes", "--data", data)[1]


@pytest.mark.parametrize("target", ["1,5", "1_000", "1e400", "x", "inf"])
def test_values_that_are_no_numbers(run, fails, tmp_path, target):
    (tmp_path / "good.csv").write_text(targets_csv([0.5, 1.5, 2.5]))
    train(run, "--data", tmp_path / "good.csv", "--out", tmp_path / "model")
    (tmp_path / "bad.csv").write_text(targets_csv([0.5, target]))
    place = "bad.csv: line 3, column 'y': regression needs numbers as targets: expected a"
    assert place in fails("train", "--data", "bad.csv", "--task", "regression")
    assert place in fails("evaluate", "model", "--data", "bad.csv")


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_targets_of_archives(run, fails, tmp_path, dtype):
    y = np.arange(50).repeat(2).astype(dtype)
    x = np.random.Generator(np.random.PCG64(0)).normal(size=(100, 3))
    np.savez(tmp_path / "many.npz", x=x, y=y)
    np.savez(tmp_path / "few.npz", x=x, y=y % 3)
    if dtype is np.int64:
        error = fails("train", "--data", "many.npz")
        assert "many.npz: 'y': 50 different whole numbers" in error and "--task reg" in error
    else:
        error = fails("train", "--data", "few.npz")
        assert "few.npz: 'y', sample 0: 3 different whole numbers in 100 targets, written" in error
    for name, task in (("many", "regression"), ("few", "classification")):
        data = ["--data", tmp_path / f"{name}.npz"]
        out = train(run, *data, "--task", task, "--out", tmp_path / name)
        assert f"task         {task}" in out and "header" not in out
        assert run("evaluate", tmp_path / name, *data)[0] == 0


def test_header_goes_with_tables(fails, iris):
    assert "--header goes with a CSV file" in fails("train", "--data", "digits", "--header", "no")
    error = fails("predict", "model", "image.png", "--header", "no")
    assert "no such folder" in error or "--header goes with --data" in error
    assert "invalid choice: 'perhaps'" in fails(
        "train", "--data", iris(None), "--header", "perhaps"
    )


def test_predictions_do_not_depend_on_how_the_file_is_written(run, iris, tmp_path):
    """With or without a header, other order and separators: the same samples, the same answers."""
    data = tmp_path / iris("a,b,c,animal")
    train(run, "--data", data, "--out", tmp_path / "model")
    rows = [*csv.reader(io.StringIO(data.read_text()))]
    variants = {
        "reordered": [[row[3], row[1], row[2], row[0]] for row in rows],
        "bare": rows[1:],
        "without target": [row[:3] for row in rows],
        "bare, without target": [row[:3] for row in rows[1:]],
        "with an index": [[str(i - 1) if i else "", *row] for i, row in enumerate(rows)],
    }
    _, expected, _ = run("predict", tmp_path / "model", "--data", data)
    for name, variant in variants.items():
        for separator in ",;\t":
            file = tmp_path / "variant.csv"
            file.write_text("\ufeff" + "\r\n".join(map(separator.join, variant)), encoding="utf-8")
            status, out, err = run("predict", tmp_path / "model", "--data", file)
            assert (status, out, err) == (0, expected, ""), name
