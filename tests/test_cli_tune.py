"""`dlnative tune`, run as a user runs it: its draws, its table, the model it keeps, its errors."""

from __future__ import annotations

import csv
import json
import math
import os
import shlex
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import dlnative
from dlnative.datasets import toy

if sys.version_info < (3, 11):
    pytest.importorskip("tomli", reason="TOML files need Python 3.11, or tomli: dlnative[tune]")

CHOICES = """
learning-rate = { log-uniform = [1e-3, 0.1] }
hidden = { layers = [0, 1, 2], units = { log-integer = [2, 16] } }
optimizer = ["adam", "sgd"]
batch-size = { integer = [8, 32] }
epochs = [1, 2]
dropout = { uniform = [0, 0.5] }
"""
OPTIONS = ["learning-rate", "hidden", "optimizer", "batch-size", "epochs", "dropout"]


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    """A folder with a table of three classes that have names, and the choices."""
    monkeypatch.chdir(tmp_path)
    x, y = toy.blobs(120, classes=3, features=4, spread=1.0, seed=1)
    with open("blobs.csv", "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["a", "b", "c", "d", "animal"])
        writer.writerows([*p, ("ant", "bee", "cow")[c]] for p, c in zip(x.tolist(), y, strict=True))
    (tmp_path / "choices.toml").write_text(CHOICES)


def rows_of(path):
    return [*csv.DictReader(path.read_text().splitlines())]


def tune(run, *arguments, choices="choices.toml", data="blobs.csv"):
    status, out, err = run("tune", choices, "--data", data, "--quiet", *arguments)
    assert (status, err) == (0, "")
    return out


def without_seconds(rows):
    return [{name: text for name, text in row.items() if name != "seconds"} for row in rows]


# --- draws ----------------------------------------------------------------------------------------


def test_twenty_trials_are_those_of_their_seed(run, tmp_path):
    """Whoever trains them, and whichever ends first."""
    log = tmp_path / "trials.csv"
    tables = []
    for arguments in (["--workers", 1], ["--workers", 3], ["--seed", 1]):
        tune(run, "--log", log, *arguments)
        tables.append(without_seconds(rows_of(log)))
    assert len(tables[0]) == 20
    assert tables[0] == tables[1] != tables[2]
    assert sorted(int(row["trial"]) for row in tables[0]) == [*range(1, 21)]
    for row in tables[0]:
        assert 1e-3 <= float(row["learning-rate"]) <= 0.1
        assert 8 <= int(row["batch-size"]) <= 32
        assert 0 <= float(row["dropout"]) <= 0.5
        assert row["optimizer"] in ("adam", "sgd") and row["epochs"] in ("1", "2")
        layers = [] if row["hidden"] == "none" else row["hidden"].split(",")
        assert len(layers) <= 2 and all(2 <= int(units) <= 16 for units in layers)


def test_draws_do_not_depend_on_other_options_or_more_trials():
    from dlnative.cli.choices import draw_trials

    train = ["train", "--data", "blobs.csv"]
    ten, five = (draw_trials("choices.toml", train, n) for n in (10, 5))
    assert [t.chosen for t in ten[:5]] == [t.chosen for t in five]
    with open("fewer.toml", "w") as stream:
        stream.write(CHOICES.replace("epochs", "# epochs"))
    fewer = draw_trials("fewer.toml", train, 10)
    assert [{**t.chosen, "epochs": ""} for t in ten] == [
        {**t.chosen, "epochs": ""} | {"epochs": ""} for t in fewer
    ]


def test_ranges_are_as_likely_as_they_say():
    from dlnative.cli.choices import Range

    rng = np.random.default_rng(0)

    def drawn(*arguments):
        return np.array([float(Range(*arguments).draw(rng)) for _ in range(4000)])

    assert np.median(drawn(1e-4, 1.0, True, False)) == pytest.approx(1e-2, rel=0.2)
    assert np.median(drawn(0.0, 1.0, False, False)) == pytest.approx(0.5, abs=0.03)
    counts = np.bincount(drawn(1, 4, False, True).astype(int), minlength=6)
    assert counts[0] == counts[5] == 0 and counts[1:5].min() > 900  # the ends, too
    assert np.median(drawn(1, 256, True, True)) == pytest.approx(math.sqrt(0.5 * 256.5), rel=0.15)
    assert set(drawn(3, 3, False, True)) == {3.0}
    assert set(drawn(0.5, 0.5, True, False)) == {0.5}
    assert drawn(0.12341, 0.12349, False, False).min() >= 0.12341  # rounded, and yet within


def test_there_are_no_more_trials_than_differ(run, tmp_path):
    (tmp_path / "few.toml").write_text('epochs = [1, 2]\nhidden = [[], "4"]\n')
    out = tune(run, "--log", "trials.csv", choices="few.toml")
    assert "4 trials, all that are different" in out
    rows = rows_of(tmp_path / "trials.csv")
    assert {(row["epochs"], row["hidden"]) for row in rows} == {
        (epochs, hidden) for epochs in "12" for hidden in ("none", "4")
    }


def test_one_trial_of_fixed_values(run, tmp_path):
    (tmp_path / "one.toml").write_text('hidden = "4"\nepochs = 2\n')
    out = tune(run, "--trials", 1, "--out", "model", choices="one.toml")
    assert "1 trials\n" in out
    assert len(rows_of(tmp_path / "model" / "trials.csv")) == 1


def test_a_model_or_optimizer_is_spared_what_it_does_not_have(run, tmp_path):
    (tmp_path / "both.toml").write_text(
        'model = ["mlp", "lenet5"]\nhidden = ["8", "4"]\nepochs = 1\n'
        'optimizer = ["adam", "lbfgs"]\nbatch-size = [16, 32]\n'
    )
    generator = np.random.Generator(np.random.PCG64(0))
    x = generator.integers(0, 255, (40, 12, 12), dtype=np.uint8)
    np.savez("images.npz", x=x, y=np.arange(40) % 2)
    tune(run, "--log", "trials.jsonl", "--trials", 16, choices="both.toml", data="images.npz")
    rows = [json.loads(line) for line in (tmp_path / "trials.jsonl").read_text().splitlines()]
    assert {row["status"] for row in rows} == {"done"}
    assert {(row["model"], bool(row["hidden"])) for row in rows} == {
        ("mlp", True),
        ("lenet5", False),
    }
    assert {(row["optimizer"], bool(row["batch-size"])) for row in rows} == {
        ("adam", True),
        ("lbfgs", False),
    }


# --- what is kept ---------------------------------------------------------------------------------


def contents(folder, kind):
    (path,) = folder.glob(f"{kind}-*.safetensors")
    return path.read_bytes()


def test_the_best_model_is_the_one_that_train_makes(run, tmp_path):
    out = tune(run, "--trials", 6, "--out", "best", "--workers", 2)
    rows = rows_of(tmp_path / "best" / "trials.csv")
    accuracies = [float(row["accuracy"]) for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert [row["rank"] for row in rows] == list("123456")
    table = out.splitlines()
    assert table[table.index("search       6 trials") + 2].split()[0] == rows[0]["trial"]

    command = next(line for line in table if line.startswith("best ")).split("dlnative ")[1]
    arguments = shlex.split(command.replace("--out best", "--out alone"))
    assert run(*arguments)[0] == 0
    for kind in ("weights", "state"):
        assert contents(tmp_path / "best", kind) == contents(tmp_path / "alone", kind)
    found, expected = (
        json.loads((tmp_path / name / "config.json").read_text()) for name in ("best", "alone")
    )
    for config in (found, expected):  # its number counts the models of a process
        del config["compile"]["optimizer"]["config"]["name"]
    for name in ("model", "training", "classes", "preprocessing", "compile"):
        assert found.get(name) == expected.get(name), name
    found, expected = (
        json.loads((tmp_path / name / "history.json").read_text()) for name in ("best", "alone")
    )
    assert found["epochs"] == expected["epochs"]
    assert found["validation"] == expected["validation"]
    assert found["validation"]["accuracy"] == pytest.approx(accuracies[0])

    status, out, _ = run("evaluate", "best", "--data", "blobs.csv")
    assert status == 0 and "(120 samples)" in out
    _, out, _ = run("predict", "best", "--data", "blobs.csv")
    assert {row["prediction"] for row in csv.DictReader(out.splitlines())} <= {"ant", "bee", "cow"}


def test_folds(run, tmp_path):
    """Means over folds; then the best options are trained with on all samples."""
    out = tune(run, "--trials", 3, "--folds", 4, "--out", "best")
    rows = rows_of(tmp_path / "best" / "trials.csv")
    assert {"accuracy", "accuracy_deviation", "loss", "loss_deviation"} < set(rows[0])
    assert "120 training samples" in out and "for validation" not in out
    config = json.loads((tmp_path / "best" / "config.json").read_text())
    assert config["training"]["samples"] == 120
    assert config["training"]["epochs"] == int(rows[0]["epochs"])
    assert not (tmp_path / "best" / "checkpoints").exists()
    command = next(line for line in out.splitlines() if line.startswith("best "))
    assert run(*shlex.split(command.split("dlnative ")[1].replace("best", "alone")))[0] == 0
    assert contents(tmp_path / "best", "weights") == contents(tmp_path / "alone", "weights")


def test_regression(run, tmp_path):
    x = np.random.Generator(np.random.PCG64(2)).normal(size=(200, 3))
    np.savez("line.npz", x=x, y=50_000 + 20_000 * x @ [1.0, -2.0, 0.5])
    (tmp_path / "rates.toml").write_text("learning-rate = [1e-5, 0.01]\n")
    out = tune(run, "--epochs", 40, "--hidden", 8, "--out", "m", choices="rates.toml",
               data="line.npz")  # fmt: skip
    rows = rows_of(tmp_path / "m" / "trials.csv")
    assert [row["learning-rate"] for row in rows] == ["0.01", "1e-05"]
    assert "accuracy" not in rows[0]
    assert "validation   mean absolute error" in out and "r2" in out
    assert run("evaluate", "m", "--data", "line.npz")[0] == 0


def test_a_folder_of_images(run, tmp_path):
    Image = pytest.importorskip("PIL.Image")
    for number in range(24):
        name = tmp_path / "photos" / ("dark", "light")[number % 2] / f"{number}.png"
        name.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 12), (40 + 150 * (number % 2), number, number)).save(name)
    (tmp_path / "images.toml").write_text(
        'model = ["mlp", "lenet5"]\nhidden = ["8"]\naugment = ["flip", "flip=both,brightness"]\n'
    )
    tune(run, "--trials", 4, "--epochs", 2, "--out", "m", "--cache-dir", "cache",
         "--validation-split", 0.3, choices="images.toml", data="photos")  # fmt: skip
    status, out, _ = run("predict", "m", tmp_path / "photos" / "dark" / "0.png")
    assert status == 0 and "dark" in out and "%" in out


def test_a_former_model_is_replaced_with_all_that_belongs_to_it(run, tmp_path):
    assert run("train", "--data", "blobs.csv", "--epochs", 2, "--quiet", "--out", "m")[0] == 0
    assert (tmp_path / "m" / "best").is_dir()
    tune(run, "--trials", 2, "--out", "m")
    assert not (tmp_path / "m" / "best" / "config.json").exists()


# --- what goes wrong ------------------------------------------------------------------------------


def test_trials_that_fail_or_diverge_are_reported_and_the_search_goes_on(run, tmp_path):
    (tmp_path / "wild.toml").write_text(
        'learning-rate = [1e30, 0.01]\noptimizer = "sgd"\nmodel = ["mlp", "lenet5"]\n'
        "epochs = 1\nhidden = [[8]]\n"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        status, out, err = run("tune", "wild.toml", "--data", "blobs.csv", "--out", "m")
    assert (status, err) == (0, "")
    rows = rows_of(tmp_path / "m" / "trials.csv")
    assert [row["status"] for row in rows] == ["done", "diverged", "failed", "failed"]
    assert "--model lenet5 takes images" in rows[2]["error"]
    assert (
        out.count("failed: ValueError: --model lenet5 takes images") == 4
    )  # as it came, and table
    assert out.count("diverged") == 2
    assert run("evaluate", "m", "--data", "blobs.csv")[0] == 0


def test_nothing_but_failures(run, tmp_path):
    (tmp_path / "none.toml").write_text('model = ["lenet5", "vgg6"]\n')
    status, _, err = run("tune", "none.toml", "--data", "blobs.csv", "--out", "m")
    assert status == 2
    assert "none of the trials has trained a model" in err and "takes images" in err
    assert [p.name for p in (tmp_path / "m").iterdir()] == ["trials.csv"]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for workers in /proc")
def test_a_worker_that_is_killed_ends_the_search_with_one_line(tmp_path):
    (tmp_path / "long.toml").write_text("epochs = [1, 100000000]\nhidden = [[2], [3], [4]]\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "dlnative", "tune", "long.toml", "--data", "blobs.csv", "--out", "m"]
        + ["--workers", "2", "--seed", "3"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if line.startswith("trial  "):
            break
    tasks = Path(f"/proc/{process.pid}/task").glob("*/children")
    workers = [int(worker) for children in tasks for worker in children.read_text().split()]
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    remark, error = err.splitlines()
    assert "m has the best" in remark
    assert error.startswith("dlnative: error: a worker process has ended: it was killed")
    assert rows_of(tmp_path / "m" / "trials.csv")[0]["status"] == "done"


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to a process")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interruption_keeps_what_is_done(tmp_path, workers):
    (tmp_path / "long.toml").write_text("epochs = [1, 100000000]\nhidden = [[2], [3], [4]]\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "dlnative", "tune", "long.toml", "--data", "blobs.csv", "--out", "m"]
        + ["--workers", workers, "--seed", "3"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if line.startswith("trial  "):
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "of 6 trials have ended; m has the best" in err
    assert "Traceback" not in err and err.count("\n") == 2
    assert out.startswith("trial  accuracy") or "\ntrial  accuracy" in out
    rows = rows_of(tmp_path / "m" / "trials.csv")
    assert rows[0]["epochs"] == "1"
    model = [sys.executable, "-m", "dlnative", "evaluate", "m", "--data", "blobs.csv"]
    assert subprocess.run(model, capture_output=True, timeout=60).returncode == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected options to choose, among augment, model"),
        ("a = ", "choices.toml: expected TOML: Invalid value"),
        ("epochs = 1\nepochs = 2", "expected TOML"),
        ("units = 3", "choices.toml: units: expected an option of train among augment, model"),
        ("batch_size = 3", "batch_size: expected an option of train among"),
        ("seed = [1, 2]", "seed: expected an option of train among"),
        ("epochs = true", "epochs: expected a value, a list of values, or one of { uniform"),
        ("epochs = []", "epochs: expected a value, a list of values"),
        ("epochs = [1, true]", "epochs: expected a text or a number in the list, received True"),
        ("epochs = [[1]]", "epochs: expected a text or a number in the list, received [1]"),
        ("epochs = 1979-05-27", "epochs: expected a value, a list of values"),
        ("epochs = 0", "epochs: expected a positive integer, received '0'"),
        ("epochs = [1, 2.5]", "epochs: expected a positive integer, received '2.5'"),
        ("epochs = { uniform = [1, 9] }", "epochs: expected a positive integer, received '1.0'"),
        ("epochs = { integer = [0, 9] }", "epochs: expected a positive integer, received '0'"),
        (
            "epochs = { integer = [1.5, 9] }",
            "integer: expected two integers, [low, high], received",
        ),
        ("epochs = { integer = [9, 1] }", "integer: expected two integers, [low, high], received"),
        ("epochs = { integer = [1] }", "integer: expected two integers"),
        ("epochs = { integer = 3 }", "integer: expected two integers, [low, high], received 3"),
        ("epochs = { log-integer = [0, 9] }", "expected two integers above 0"),
        ("epochs = { normal = [0, 9] }", "expected a value, a list of values, or one of"),
        ("epochs = { integer = [1, 2], uniform = [1, 2] }", "expected a value, a list of values"),
        ("learning-rate = { log-uniform = [0, 1] }", "log-uniform: expected two numbers above 0"),
        ("learning-rate = { uniform = [0, 1] }", "expected a positive number, received '0.0'"),
        ("learning-rate = { uniform = ['a', 1] }", "uniform: expected two numbers, [low, high]"),
        ("learning-rate = { uniform = [0.1, inf] }", "uniform: expected two numbers, [low, high]"),
        ("learning-rate = nan", "learning-rate: expected a positive number, received 'nan'"),
        ("dropout = [0.1, 1.0]", "dropout: expected a number from 0 up to"),
        ("optimizer = ['adam', 'adm']", "optimizer: "),
        ("activation = 'rellu'", "activation: "),
        ("model = ['mlp', 'cnn']", "model: invalid choice: 'cnn'"),
        ("augment = ['spin']", "augment: expected names among flip"),
        ("hidden = [0]", "hidden: expected a positive integer, received '0'"),
        ("hidden = [[8, 'a']]", "hidden: expected a text or a number in the list"),
        ("hidden = { layers = 2 }", "or { layers = ..., units = ... }, received {'layers': 2}"),
        ("hidden = { layers = -1, units = 3 }", "layers: expected integers from 0 on, received -1"),
        ("hidden = { layers = 1, units = 0 }", "units: expected integers from 1 on, received 0"),
        ("hidden = { layers = 1, units = [] }", "units: expected a value, a list of values"),
        (
            "model = 'lenet5'\nhidden = [[8]]",
            "hidden: expected with model mlp, received model lenet5",
        ),
    ],
)
def test_bad_choices(fails, tmp_path, text, message):
    (tmp_path / "choices.toml").write_text(text)
    assert message in fails("tune", "choices.toml", "--data", "blobs.csv", "--out", "m")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trials", "0"], "expected a positive integer"),
        (["--folds", "1"], "expected an integer from 2 on"),
        (["--folds", "3", "--validation-split", "0.2"], "--folds goes without --validation-split"),
        (["--workers", "0"], "expected a positive integer"),
        (["--resume", "m"], "unrecognized arguments: --resume"),
        (["--epochs", "3"], "epochs: it is given as --epochs, too"),
        (["--log", "none/log.csv"], "log.csv"),
        (["--model", "lenet5"], "hidden: expected with model mlp, received model lenet5"),
    ],
)
def test_bad_arguments(run, arguments, message):
    status, _, err = run("tune", "choices.toml", "--data", "blobs.csv", *arguments)
    assert status == 2 and err.count("\n") == 1
    assert message in err


def test_data_that_do_not_serve(fails, run, tmp_path):
    assert "none.toml: No such file" in fails("tune", "none.toml", "--data", "blobs.csv")
    assert "none.csv: no such file" in fails("tune", "choices.toml", "--data", "none.csv")
    np.savez("two.npz", x=np.array([[0.0], [1.0]]), y=np.array(["a", "b"]))
    error = fails("tune", "choices.toml", "--data", "two.npz", "--out", "m")
    assert "expected a validation set to compare trials by" in error
    status, _, err = run("tune", "choices.toml", "--data", "two.npz", "--folds", 3)
    assert status == 2 and "3 rows or more, received 2" in err
    status, _, err = run("tune", "choices.toml", "--data", "two.npz", "--folds", 2, "--trials", 1,
                         "--out", "m")  # fmt: skip
    assert (status, err) == (0, "")
    assert math.isfinite(float(rows_of(tmp_path / "m" / "trials.csv")[0]["loss"]))


def test_the_numpy_engine(run, tmp_path):
    before = dlnative.config.current_engine()
    try:
        tune(run, "--trials", 2, "--engine", "numpy", "--log", "trials.csv")
    finally:
        dlnative.config.set_engine(before)
    assert [row["status"] for row in rows_of(tmp_path / "trials.csv")] == ["done", "done"]
