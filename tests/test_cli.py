"""The command line, run as a user runs it, and its errors, one line each."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from dlnative.datasets import toy

COMMAND = [sys.executable, "-m", "dlnative"]


def write_csv(path, header, rows):
    with open(path, "w", newline="") as stream:
        writer = csv.writer(stream)
        if header:
            writer.writerow(header)
        writer.writerows(rows)
    return path


def read_csv(path):
    return [*csv.DictReader(path.read_text().splitlines())]


@pytest.fixture
def blobs(tmp_path):
    """A CSV file of three clouds, sorted by class, far from mean 0 and deviation 1."""
    x, y = toy.blobs(300, classes=3, features=4, spread=0.5, seed=1)
    order = np.argsort(y, kind="stable")
    rows = [
        [*(100 + 50 * point).tolist(), ("ant", "bee", "cow")[label]]
        for point, label in zip(x[order], y[order], strict=True)
    ]
    return write_csv(tmp_path / "blobs.csv", ["a", "b", "c", "d", "animal"], rows)


@pytest.fixture
def line(tmp_path):
    """A CSV file of a linear function of large numbers."""
    x = np.random.Generator(np.random.PCG64(2)).normal(size=(400, 3))
    y = 50_000 + 20_000 * x @ [1.0, -2.0, 0.5]
    rows = np.column_stack([y, x]).tolist()
    return write_csv(tmp_path / "line.csv", ["price", "x", "y", "z"], rows)


def train(run, *arguments):
    status, out, err = run("train", "--quiet", "--hidden", "16", *arguments)
    assert (status, err) == (0, "")
    return out


def words(text: str, name: str) -> float:
    """Returns the number behind a name in a line of figures."""
    return float(text.split(f"{name} ")[1].split(",")[0].split()[0])


# --- help and info --------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(arguments):
    code = f"""
import sys
from dlnative.cli import main
try:
    main({arguments!r})
except SystemExit as exit:
    assert exit.code == 0, exit.code
heavy = {{"numpy", "dlnative._core", "dlnative.config", "tqdm"}} & set(sys.modules)
assert not heavy, heavy
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "dlnative" in result.stdout


def test_info(run):
    import dlnative

    status, out, _ = run("info")
    assert status == 0
    for expected in (dlnative.__version__, np.__version__, dlnative.config.isa(), "threads"):
        assert expected in out
    status, out, _ = run("info", "--json")
    facts = json.loads(out)
    assert facts["isa"] in facts["available_isas"]
    assert facts["threads"] == dlnative.config.num_threads()


@pytest.mark.parametrize(
    ("variables", "threads", "origin"),
    [
        ({"DLNATIVE_NUM_THREADS": "3", "OMP_NUM_THREADS": "2"}, 3, "DLNATIVE_NUM_THREADS"),
        ({"OMP_NUM_THREADS": "5,2"}, 5, "OMP_NUM_THREADS"),
        ({}, None, "C"),
    ],
)
def test_info_says_where_the_threads_come_from(variables, threads, origin):
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    result = subprocess.run(
        [*COMMAND, "info", "--json"], env=environment | variables,
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    facts = json.loads(result.stdout)
    assert origin in facts["threads_from"]
    assert threads in (None, facts["threads"])


# --- the way through: train, evaluate, predict ----------------------------------------------------


def test_classification_from_csv(run, blobs, tmp_path):
    folder = tmp_path / "model"
    out = train(run, "--data", blobs, "--epochs", 20, "--out", folder)
    assert "270 training samples of shape (4,), 30 for validation" in out
    assert "classification, 3 classes" in out
    assert words(out, "accuracy") > 0.95
    names = ["best", "config.json", "history.csv", "history.json"]
    names += [next(folder.glob(f"{kind}-*.safetensors")).name for kind in ("state", "weights")]
    assert sorted(os.listdir(folder)) == names

    status, out, _ = run("evaluate", folder, "--data", blobs)
    assert status == 0
    assert words(out, "accuracy") > 0.95
    assert "(300 samples)" in out

    predictions = tmp_path / "predictions.csv"
    status, out, _ = run("predict", folder, "--data", blobs, "--out", predictions)
    assert (status, out) == (0, "")
    rows = read_csv(predictions)
    truth = [row["animal"] for row in read_csv(blobs)]
    assert [*rows[0]] == ["prediction", "probability"]
    assert np.mean([row["prediction"] == t for row, t in zip(rows, truth, strict=True)]) > 0.95
    assert all(1 / 3 <= float(row["probability"]) <= 1 for row in rows)


def test_predict_probabilities_to_stdout_without_targets(run, blobs, tmp_path):
    train(run, "--data", blobs, "--epochs", 3, "--out", tmp_path / "model")
    few = write_csv(tmp_path / "few.csv", ["d", "c", "b", "a"], [[1, 2, 3, 4], [5, 6, 7, 8]])
    _, out, _ = run("predict", tmp_path / "model", "--data", few, "--probabilities")
    rows = [*csv.DictReader(out.splitlines())]
    names = ["probability of ant", "probability of bee", "probability of cow"]
    assert [*rows[0]] == ["prediction", "probability", *names]
    for row in rows:
        values = [float(row[name]) for name in names]
        assert sum(values) == pytest.approx(1, abs=1e-4)
        assert float(row["probability"]) == max(values)
        assert row["prediction"] == ("ant", "bee", "cow")[int(np.argmax(values))]


def test_regression_from_csv(run, line, tmp_path):
    folder = tmp_path / "model"
    out = train(run, "--data", line, "--target", "price", "--epochs", 60, "--dropout", 0,
                "--learning-rate", 0.01, "--out", folder)  # fmt: skip
    assert "regression, one number" in out
    assert words(out, "r2") > 0.98
    _, out, _ = run("evaluate", folder, "--data", line)
    assert words(out, "r2") > 0.98
    assert words(out, "error") < 5000, "figures are in the unit of the target"
    _, out, _ = run("predict", folder, "--data", line)
    predicted = [float(row["prediction"]) for row in csv.DictReader(out.splitlines())]
    assert np.mean(predicted) == pytest.approx(50_000, rel=0.1)


def test_npz_with_images_and_test_set(run, tmp_path):
    generator = np.random.Generator(np.random.PCG64(0))
    y = generator.integers(0, 2, 200)
    x = generator.integers(0, 100, (200, 5, 5), dtype=np.uint8)
    x[y == 1, 0] += 150
    arrays = {"x_train": x[:150], "y_train": y[:150], "x_test": x[150:], "y_test": y[150:]}
    np.savez(tmp_path / "images.npz", **arrays)
    data = ["--data", tmp_path / "images.npz"]
    out = train(run, *data, "--epochs", 40, "--out", tmp_path / "model")
    assert "150 training samples of shape (5, 5), 50 for testing" in out
    assert words(out, "test         accuracy") > 0.95
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["classes"] == [0, 1]
    assert config["preprocessing"]["inputs"] is None
    assert "Rescaling" in json.dumps(config["model"])
    _, out, _ = run("evaluate", tmp_path / "model", *data)
    assert "(50 samples)" in out


@pytest.mark.native  # takes a minute on the oracle
def test_digits_reach_their_accuracy(run):
    status, out, _ = run("train", "--data", "digits", "--quiet")
    assert status == 0
    assert words(out, "test         accuracy") >= 0.97
    assert "--out DIR keeps the model" in out


@pytest.mark.slow
@pytest.mark.data
def test_mnist_reaches_its_accuracy_in_five_epochs(run, data_dir):
    status, out, _ = run("train", "--data", "mnist", "--data-dir", data_dir, "--model", "mlp",
                         "--epochs", 5, "--quiet")  # fmt: skip
    assert status == 0
    assert words(out, "test         accuracy") >= 0.98


def test_history_has_a_row_per_epoch(run, blobs, tmp_path):
    train(run, "--data", blobs, "--epochs", 4, "--out", tmp_path / "model")
    rows = read_csv(tmp_path / "model" / "history.csv")
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} < set(rows[0])
    history = json.loads((tmp_path / "model" / "history.json").read_text())
    assert [row["loss"] for row in history["epochs"]] == [float(row["loss"]) for row in rows]
    assert history["validation"]["accuracy"] == pytest.approx(float(rows[-1]["val_accuracy"]))


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_log(run, blobs, tmp_path, kind):
    path = tmp_path / f"log.{kind}"
    train(run, "--data", blobs, "--epochs", 3, "--out", tmp_path / "model", "--log", path)
    if kind == "csv":
        rows = read_csv(path)
    else:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    history = json.loads((tmp_path / "model" / "history.json").read_text())["epochs"]
    for name in ("loss", "accuracy", "val_loss"):
        assert [float(row[name]) for row in rows] == [row[name] for row in history]
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2]
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert "log" not in config["training"]  # where it was written is no argument of training


def test_a_log_that_cannot_be_written(run, blobs, tmp_path):
    status, _, err = run("train", "--data", blobs, "--log", "log.txt")
    assert status == 2
    assert "ends in .csv or .jsonl, received 'log.txt'" in err
    path = tmp_path / "none" / "log.csv"
    status, _, err = run("train", "--data", blobs, "--log", path, "--out", tmp_path / "model")
    assert status == 2
    assert err == f"dlnative: error: {path}: No such file or directory\n"
    assert not (tmp_path / "model").exists()


def test_seed_decides_the_weights_and_threads_do_not(run, blobs, tmp_path):
    def weights(*arguments):
        train(run, "--data", blobs, "--epochs", 2, "--out", tmp_path / "model", *arguments)
        (path,) = (tmp_path / "model").glob("weights-*.safetensors")
        return path.read_bytes()

    import dlnative

    before = dlnative.config.num_threads()
    try:
        first = weights("--seed", 1, "--threads", 1)
        assert weights("--seed", 1, "--threads", 3) == first
        assert weights("--seed", 2) != first
    finally:
        dlnative.config.set_num_threads(before)


def test_options_have_an_effect(run, blobs, tmp_path):
    def config(*arguments):
        train(run, "--data", blobs, "--epochs", 1, "--out", tmp_path / "model", *arguments)
        return json.loads((tmp_path / "model" / "config.json").read_text())

    text = json.dumps(
        config("--hidden", "7,5", "--activation", "tanh", "--dropout", "0.4")["model"]
    )
    for expected in ('"units": 7', '"units": 5', '"tanh"', '"rate": 0.4'):
        assert expected in text
    assert "Dropout" not in json.dumps(config("--dropout", 0)["model"])
    assert "relu" not in json.dumps(config("--hidden", "none")["model"])
    training = config("--batch-size", 17, "--optimizer", "sgd", "--learning-rate", 0.5,
                      "--validation-split", 0.5, "--engine", "numpy")["training"]  # fmt: skip
    assert training["batch_size"] == 17
    assert training["optimizer"] == "sgd"
    assert training["learning_rate"] == 0.5
    assert training["samples"] == 150
    assert training["engine"] == "numpy"


@pytest.fixture(autouse=True)
def same_engine():
    """Undoes --engine."""
    import dlnative

    before = dlnative.config.current_engine()
    yield
    dlnative.config.set_engine(before)


def test_the_two_engines_agree(run, blobs, tmp_path):
    losses = []
    for engine in ("native", "numpy"):
        train(run, "--data", blobs, "--epochs", 2, "--engine", engine, "--out", tmp_path / "model")
        history = json.loads((tmp_path / "model" / "history.json").read_text())
        losses.append([row["loss"] for row in history["epochs"]])
    np.testing.assert_allclose(*losses, rtol=1e-4)


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["train"], "the following arguments are required: --data"),
        (["train", "--data", "digits", "--epochs", "0"], "expected a positive integer"),
        (["train", "--data", "digits", "--epochs", "ten"], "received 'ten'"),
        (["train", "--data", "digits", "--batch-size", "-1"], "expected a positive integer"),
        (["train", "--data", "digits", "--learning-rate", "0"], "expected a positive number"),
        (["train", "--data", "digits", "--learning-rate", "nan"], "expected a positive number"),
        (["train", "--data", "digits", "--dropout", "1"], "a number from 0 up to"),
        (["train", "--data", "digits", "--validation-split", "1"], "a number from 0 up to"),
        (["train", "--data", "digits", "--seed", "-1"], "an integer from 0"),
        (["train", "--data", "digits", "--hidden", "5,,5"], "expected a positive integer"),
        (["train", "--data", "digits", "--hidden", "0"], "expected a positive integer"),
        (["train", "--data", "digits", "--model", "cnn"], "invalid choice: 'cnn'"),
        (["train", "--data", "digits", "--engine", "gpu"], "invalid choice: 'gpu'"),
        (["train", "--data", "digits", "--optimizer", "adm"], "Did you mean 'Adam'"),
        (["train", "--data", "digits", "--activation", "rellu"], "relu"),
        (["train", "--data", "digits", "--data-dir", "x"], "--data-dir goes with --data mnist"),
        (["train", "--data", "digits", "--target", "x"], "--target goes with a CSV file"),
        (["train", "--data", "digit"], "expected digits, mnist, cifar10, FILE.csv, FILE.npz"),
        (["train", "--data", "none.csv"], "none.csv: no such file"),
        (["train", "--data", "none.npz"], "none.npz: no such file"),
        (["train", "--data", "mnist", "--data-dir", "none"], "there is none at none"),
        (["evaluate", "none", "--data", "digits"], "none: no such folder"),
        (["predict", "none", "--data", "digits"], "none: no such folder"),
    ],
)
def test_errors_are_one_line(fails, arguments, message):
    assert message in fails(*arguments)


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("a,b,c\n1,2,0\n1,x,1\n", [], "line 3, column 'b': expected a number, received 'x'"),
        ("a,b,c\n1,2,0\n1,2\n", [], "line 3: expected 3 cells"),
        ("a,b,c\n1,2,0\n1,,1\n", [], "line 3, column 'b': the value is missing"),
        ("a,b,c\n1,2,0\n1,2,1\n", ["--target", "d"], "there is no column 'd'"),
        ("a,b,c\n1,2,0\n1,2,0\n", [], "the targets are all 0: there is nothing to tell apart"),
        ("a,c\n1,x\n2,y\n", ["--task", "regression"], "regression needs numbers as targets"),
        ("a,c\n1,0\n2,1\n", ["--validation-split", "0.9"], "leaves nothing of 2 samples"),
    ],
)
def test_bad_tables(fails, tmp_path, text, arguments, message):
    (tmp_path / "bad.csv").write_text(text)
    error = fails("train", "--data", "bad.csv", "--out", "model", *arguments)
    assert message in error


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((3, 2))}, "expected an array 'y', received x"),
        ({"a": np.zeros(3)}, "expected an array 'x', received a"),
        ({"x": np.zeros(3), "y": np.arange(3)}, "float64 of shape (3,)"),
        ({"x": np.zeros((0, 2)), "y": np.arange(0)}, "not empty"),
        ({"x": np.zeros((3, 2)), "y": np.arange(4)}, "shape (3,)"),
        ({"x": np.array([["a"]]), "y": np.arange(1)}, "to hold numbers"),
        ({"x": np.array([[0.0], [np.nan]]), "y": np.arange(2)}, "NaN or infinity in sample 1"),
        ({"x": np.zeros((2, 1)), "y": np.array([0, np.inf])}, "NaN or infinity in sample 1"),
    ],
)
def test_bad_archives(fails, tmp_path, arrays, message):
    np.savez(tmp_path / "bad.npz", **arrays)
    assert message in fails("train", "--data", "bad.npz", "--out", "model")


def test_models_and_data_that_do_not_fit(run, fails, blobs, line, tmp_path):
    train(run, "--data", blobs, "--epochs", 1, "--out", tmp_path / "model")
    assert "missing: a, b, c, d" in fails("evaluate", "model", "--data", line.name)
    assert "not on a table" not in fails("evaluate", "model", "--data", line.name)
    assert "expected samples of shape (4,)" in fails("evaluate", "model", "--data", "digits")
    write_csv(tmp_path / "yak.csv", ["a", "b", "c", "d", "animal"], [[1, 2, 3, 4, "yak"]])
    assert "received 'yak'" in fails("evaluate", "model", "--data", "yak.csv")
    write_csv(tmp_path / "bare.csv", ["a", "b", "c", "d"], [[1, 2, 3, 4]])
    assert "target column 'animal'" in fails("evaluate", "model", "--data", "bare.csv")


def test_out_that_is_a_file(fails, blobs, tmp_path):
    (tmp_path / "file").write_text("mine")
    assert "file" in fails("train", "--data", blobs, "--epochs", 1, "--out", "file")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_out_without_permission(fails, blobs, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    assert "permission" in fails("train", "--data", blobs, "--out", "closed").lower()


# --- a closed pipe --------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_closed_pipe_is_quiet(run, blobs, tmp_path):
    train(run, "--data", blobs, "--epochs", 1, "--out", tmp_path / "model")
    many = write_csv(tmp_path / "many.csv", None, [[1, 2, 3, 4]] * 50_000)
    buffered = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(
        [*COMMAND, "predict", str(tmp_path / "model"), "--data", str(many)], env=buffered,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "prediction,probability\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=60) == 141


def test_lbfgs_takes_the_whole_set(run, fails, blobs, tmp_path):
    """In one batch and at one rate, unless another one is asked for; a small batch is refused."""
    folder = tmp_path / "model"
    arguments = ("train", "--data", blobs, "--optimizer", "lbfgs", "--hidden", "8", "--quiet")
    arguments = (*arguments, "--dropout", 0, "--epochs", 15)
    error = fails(*arguments, "--batch-size", 100, "--out", folder)
    assert "--batch-size: LBFGS needs all 270 training samples in one batch" in error
    assert run(*arguments, "--out", folder)[0] == 0
    training = json.loads((folder / "config.json").read_text())["training"]
    assert (training["batch_size"], training["schedule"]) == (270, "constant")
    losses = [float(row["loss"]) for row in read_csv(folder / "history.csv")]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.01
    assert run("evaluate", folder, "--data", blobs)[0] == 0
    assert run(*arguments, "--schedule", "cosine", "--out", folder)[0] == 0
    assert json.loads((folder / "config.json").read_text())["training"]["schedule"] == "cosine"
