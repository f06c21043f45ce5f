"""The command line on images: folders, single files, networks, augmentation, profiles."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlnative.cli.arguments import AUGMENTATIONS, MODELS, augmentations, image_size

NAMES = ("bars", "blobs", "dots")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch) -> Path:
    """Every test has a cache of its own, which does not count as files left behind."""
    place = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))
    return place / "dlnative" / "images"


@pytest.fixture(autouse=True)
def same_settings():
    """Undoes --engine and --threads."""
    import dlnative

    engine, threads = dlnative.config.current_engine(), dlnative.config.num_threads()
    yield
    dlnative.config.set_engine(engine)
    dlnative.config.set_num_threads(threads)


def draw(name: str, generator: np.random.Generator, size: int = 16) -> Image.Image:
    """Stripes, a square or single points, each somewhere else and in another colour."""
    pixels = generator.integers(0, 40, (size, size, 3), dtype=np.uint8)
    color = generator.integers(150, 256, 3, dtype=np.uint8)
    row, column = generator.integers(0, size // 2, 2)
    if name == "bars":
        pixels[row % 4 :: 4] = color
    elif name == "blobs":
        pixels[row : row + size // 2, column : column + size // 2] = color
    else:
        pixels[generator.integers(0, size, 12), generator.integers(0, size, 12)] = color
    return Image.fromarray(pixels)


def make_folder(root: Path, count: int, seed: int) -> Path:
    generator = np.random.Generator(np.random.PCG64(seed))
    for name in NAMES:
        (root / name).mkdir(parents=True)
        for i in range(count):
            draw(name, generator).save(root / name / f"{i:03}.png")
    return root


@pytest.fixture
def photos(tmp_path) -> Path:
    """A folder with train/<class> and test/<class>."""
    make_folder(tmp_path / "photos" / "train", 60, seed=1)
    make_folder(tmp_path / "photos" / "test", 10, seed=2)
    return tmp_path / "photos"


def train(run, *arguments):
    status, out, err = run("train", "--quiet", *arguments)
    assert (status, err) == (0, "")
    return out


def words(text: str, name: str) -> float:
    """Returns the number behind a name in a line of figures."""
    return float(text.split(f"{name} ")[1].split(",")[0].split()[0])


def config_of(folder: Path) -> dict:
    return json.loads((folder / "config.json").read_text())


def layer_names(folder: Path) -> list[str]:
    layers = config_of(folder)["model"]["config"]["layers"]
    return [layer["config"]["name"] for layer in layers]


# --- the way through: train, evaluate, predict ----------------------------------------------------


@pytest.mark.native  # takes a minute on the oracle
def test_folder_of_images(run, photos, tmp_path):
    model = tmp_path / "model"
    out = train(run, "--data", photos, "--model", "lenet", "--epochs", 6, "--batch-size", 16,
                "--out", model)  # fmt: skip
    assert "180 training samples of shape (16, 16, 3), 30 for testing" in out
    assert "classification, 3 classes" in out
    assert "model        lenet, " in out
    assert words(out, "test         accuracy") >= 0.9
    config = config_of(model)
    assert config["classes"] == [*NAMES]
    assert config["preprocessing"]["images"]["image_size"] == [16, 16]
    assert config["preprocessing"]["pixel_range"] == 255
    assert layer_names(model) == ["input", "rescaling", "network"]

    status, out, _ = run("evaluate", model, "--data", photos)
    assert status == 0
    assert "(30 samples)" in out
    assert words(out, "accuracy") >= 0.9
    _, out, _ = run("evaluate", model, "--data", photos / "train")
    assert "(180 samples)" in out

    files = [photos / "test" / name / "003.png" for name in NAMES]
    status, out, err = run("predict", model, *files)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    for line, file, name in zip(lines, files, NAMES, strict=True):
        assert line.startswith(f"{file}")
        answers = [answer.split() for answer in line[len(str(file)) :].split(",")]
        assert answers[0][0] == name
        assert sorted(answer[0] for answer in answers) == [*NAMES]
        shares = [float(answer[1].rstrip("%")) for answer in answers]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) == pytest.approx(100, abs=0.2)


def test_predictions_as_csv(run, photos, tmp_path):
    model, table = tmp_path / "model", tmp_path / "predictions.csv"
    train(run, "--data", photos / "train", "--hidden", 8, "--epochs", 1, "--out", model)
    files = sorted((photos / "test" / "dots").glob("*.png"))
    status, out, _ = run("predict", model, *files, "--out", table)
    assert (status, out) == (0, "")
    rows = [*csv.DictReader(table.read_text().splitlines())]
    assert [row["file"] for row in rows] == [str(file) for file in files]
    assert [*rows[0]] == ["file", "prediction", "probability"]
    _, out, _ = run("predict", model, files[0], "--probabilities")
    (row,) = csv.DictReader(out.splitlines())
    assert sum(float(row[f"probability of {name}"]) for name in NAMES) == pytest.approx(1, abs=1e-4)
    _, out, _ = run("predict", model, "--data", photos)
    rows = [*csv.DictReader(out.splitlines())]
    assert [row["file"] for row in rows] == [f"{n}/{i:03}.png" for n in NAMES for i in range(10)]


def test_images_of_another_size_are_resized(run, photos, tmp_path):
    model = tmp_path / "model"
    out = train(run, "--data", photos / "train", "--image-size", "8x12", "--color-mode",
                "grayscale", "--hidden", 8, "--epochs", 1, "--out", model)  # fmt: skip
    assert "162 training samples of shape (8, 12, 1), 18 for validation" in out
    _, out, _ = run("evaluate", model, "--data", photos)
    assert "(30 samples)" in out
    Image.new("RGB", (300, 200)).save(tmp_path / "large.jpg")
    status, out, _ = run("predict", model, tmp_path / "large.jpg")
    assert status == 0
    assert out.count("%") == 3


def test_validation_folder_beside_train(run, photos, tmp_path):
    (photos / "test").rename(photos / "val")
    out = train(run, "--data", photos, "--hidden", 8, "--epochs", 1)
    assert "180 training samples of shape (16, 16, 3), 30 for validation" in out


def test_validation_split_of_a_folder(run, photos):
    out = train(run, "--data", photos, "--hidden", 8, "--epochs", 1, "--validation-split", 0.25)
    assert "135 training samples of shape (16, 16, 3), 45 for validation, 30 for testing" in out


def test_cache_folder_and_no_second_decoding(run, photos, tmp_path, cache):
    options = ["--data", photos, "--hidden", 8, "--epochs", 1, "--cache-dir", tmp_path / "mine"]
    train(run, *options)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "mine").rglob("*")}
    assert len([*(tmp_path / "mine").iterdir()]) == 2
    train(run, *options)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "mine").rglob("*")} == before
    assert not cache.exists()


def test_broken_images_are_named_and_skipped(run, fails, photos, tmp_path):
    (photos / "train" / "dots" / "bad.jpg").write_bytes(b"\xff\xd8\xff half")
    message = fails("train", "--data", photos)
    assert "1 of 181 images cannot be read: dots/bad.jpg" in message
    assert "--skip-broken leaves them out" in message
    status, out, err = run("train", "--data", photos, "--hidden", 8, "--epochs", 1, "--quiet",
                           "--skip-broken")  # fmt: skip
    assert status == 0
    assert "180 training samples" in out
    assert err.startswith("dlnative: warning: ")
    assert "dots/bad.jpg" in err and err.count("\n") == 1


def test_digits_take_image_files(run, tmp_path):
    """Pixels of the digits count from 0 to 16, those of files to 255."""
    from dlnative.datasets import digits

    model = tmp_path / "model"
    train(run, "--data", "digits", "--hidden", 64, "--epochs", 15, "--out", model)
    _, (x, y) = digits.load_data()
    files = []
    for i in range(40):
        files.append(tmp_path / f"{i}.png")
        Image.fromarray((x[i] * 15).astype(np.uint8)).save(files[-1])
    _, out, _ = run("predict", model, *files)
    answers = [int(line.split()[1]) for line in out.splitlines()]
    assert np.mean(answers == y[:40]) >= 0.9


def test_cifar10_folder(run, tmp_path):
    """The command reads the official layout and keeps the names of the classes."""
    from dlnative.datasets import cifar10

    generator = np.random.Generator(np.random.PCG64(0))
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        records = generator.integers(0, 256, (20, 3073), dtype=np.uint8)
        records[:, 0] = np.arange(20) % 10
        (tmp_path / f"{name}.bin").write_bytes(records.tobytes())
    out = train(run, "--data", "cifar10", "--data-dir", tmp_path, "--hidden", 8, "--epochs", 1,
                "--out", tmp_path / "model")  # fmt: skip
    assert "100 training samples of shape (32, 32, 3), 20 for testing" in out
    assert config_of(tmp_path / "model")["classes"] == [*cifar10.CLASS_NAMES]


@pytest.mark.data
@pytest.mark.slow
def test_photographs_are_learned(run, photographs, tmp_path):
    out = train(run, "--data", photographs, "--model", "lenet", "--epochs", 5, "--augment",
                "flip,crop", "--out", tmp_path / "model")  # fmt: skip
    assert words(out, "validation   accuracy") > 0.4
    _, out, _ = run("predict", tmp_path / "model", photographs / "frog" / "0000.jpg")
    assert out.count("%") == 3


# --- networks and augmentation --------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("mlp", "resnet110")])
def test_every_network_has_a_profile(run, name):
    size = {"lenet5": 16, "lenet": 8, "vgg6": 8}.get(name, 8)
    options = ["--batch-size", 2, "--steps", 1, "--classes", 4, "--inference"]
    shape = f"{size},{size},3"
    status, out, err = run("profile", "--model", name, "--input-shape", shape, *options)
    assert (status, err) == (0, "")
    assert out.startswith(f"inference step of 2 samples of shape ({size}, {size}, 3)\n")
    assert "conv2d" in out
    assert "% of peak" in out


def test_profile_of_a_saved_model(run, photos, tmp_path):
    train(run, "--data", photos, "--hidden", 8, "--epochs", 1, "--out", tmp_path / "model")
    status, out, _ = run("profile", tmp_path / "model", "--batch-size", 4, "--steps", 2)
    assert status == 0
    assert "training step of 4 samples of shape (16, 16, 3)" in out
    assert "dense_backward_kernel" in out and "adam" in out
    status, out, _ = run("profile", tmp_path / "model", "--batch-size", 4, "--inference")
    assert "dense_backward_kernel" not in out


def test_profile_of_a_perceptron(run):
    status, out, _ = run("profile", "--model", "mlp", "--input-shape", 10, "--hidden", "7",
                         "--batch-size", 4, "--steps", 1)  # fmt: skip
    assert status == 0
    assert "hidden_1: dense" in out and "hidden_2" not in out and "rescaling" not in out


def test_augmentation_comes_before_rescaling(run, photos, tmp_path):
    everything = ",".join(AUGMENTATIONS)
    train(run, "--data", photos, "--model", "lenet", "--epochs", 1, "--augment", everything,
          "--out", tmp_path / "model")  # fmt: skip
    names = layer_names(tmp_path / "model")
    assert names[-2:] == ["rescaling", "network"]
    assert names[1:-2] == [*AUGMENTATIONS]
    assert config_of(tmp_path / "model")["training"]["augment"] == AUGMENTATIONS
    first = run("predict", tmp_path / "model", photos / "test" / "dots" / "000.png")
    assert first == run("predict", tmp_path / "model", photos / "test" / "dots" / "000.png")


def test_augmentation_of_digits_without_a_channel_axis(run, tmp_path):
    train(run, "--data", "digits", "--hidden", 16, "--epochs", 1, "--augment", "translation=0.2",
          "--out", tmp_path / "model")  # fmt: skip
    assert layer_names(tmp_path / "model")[1:4] == ["channel", "translation", "rescaling"]


@pytest.mark.native  # takes a minute on the oracle
def test_network_on_digits(run):
    out = train(run, "--data", "digits", "--model", "lenet", "--epochs", 3)
    assert words(out, "test         accuracy") >= 0.95


def test_amounts_of_augmentation():
    assert augmentations("flip") == {"flip": "horizontal"}
    assert augmentations("zoom=0.3,crop=2,flip=both") == {"zoom": 0.3, "crop": 2, "flip": "both"}
    assert [*augmentations("zoom,crop")] == ["zoom", "crop"]
    assert image_size("64") == (64, 64)
    assert image_size("48x64") == (48, 64)


def test_dropout_reaches_the_networks(run, photos, tmp_path):
    train(run, "--data", photos, "--model", "lenet", "--dropout", 0.3, "--epochs", 1,
          "--out", tmp_path / "model")  # fmt: skip
    assert '"rate": 0.3' in json.dumps(config_of(tmp_path / "model")["model"])


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--data", "empty"], "empty: expected a folder with a folder of images per"),
        (["train", "--data", "photos/test/dots"], "a folder of images per class, found none"),
        (["train", "--data", "nowhere"], "FILE.npz or a folder of images, received 'nowhere'"),
        (["train", "--data", "digits", "--image-size", "8"], "--image-size goes with a folder"),
        (["train", "--data", "digits", "--color-mode", "rgb"], "--color-mode goes with a folder"),
        (["train", "--data", "digits", "--cache-dir", "x"], "--cache-dir goes with a folder"),
        (["train", "--data", "digits", "--skip-broken"], "--skip-broken goes with a folder"),
        (["train", "--data", "photos", "--data-dir", "x"], "goes with --data mnist or cifar10"),
        (["train", "--data", "cifar10", "--data-dir", "x"], "there is none at x"),
        (["train", "--data", "photos", "--image-size", "0"], "expected N or HEIGHTxWIDTH"),
        (["train", "--data", "photos", "--image-size", "8x"], "expected N or HEIGHTxWIDTH"),
        (["train", "--data", "photos", "--augment", "flop"], "flip, crop, translation"),
        (["train", "--data", "photos", "--augment", "flip=up"], "flip to be horizontal, vertical"),
        (["train", "--data", "photos", "--augment", "crop=1.5"], "crop: expected a positive int"),
        (["train", "--data", "photos", "--augment", "zoom=2"], "zoom: expected a number above 0"),
        (["train", "--data", "photos", "--augment", ""], "received ''"),
        (
            ["train", "--data", "photos", "--model", "resnet20", "--hidden", "8"],
            "--hidden goes with --model mlp, not with --model resnet20",
        ),
        (
            ["train", "--data", "photos", "--model", "lenet5", "--dropout", "0.5"],
            "--dropout goes with --model mlp, lenet, vgg6, not with --model lenet5",
        ),
        (["train", "--data", "digits", "--model", "lenet5"], "at least 12x12 pixels"),
        (["train", "--data", "table.csv", "--model", "lenet"], "--model lenet takes images"),
        (["train", "--data", "table.csv", "--augment", "flip"], "--augment takes images"),
        (
            ["train", "--data", "table.npz", "--augment", "flip"],
            "--augment takes images of uint8 pixels",
        ),
        (["predict", "model"], "takes image files, or --data, and not both"),
        (["predict", "model", "a.png", "--data", "digits"], "and not both"),
        (["profile"], "the folder of a saved model, or --model and --input-shape"),
        (["profile", "--model", "lenet"], "or --model and --input-shape"),
        (["profile", "nowhere"], "nowhere: no such folder"),
        (["profile", "model", "--model", "mlp"], "--model describes a new model"),
        (["profile", "--model", "lenet", "--input-shape", "8"], "--model lenet takes images"),
        (["profile", "--model", "lenet", "--input-shape", "8,x"], "a positive integer"),
        (["profile", "--model", "lenet5", "--input-shape", "8,8,1"], "at least 12x12 pixels"),
    ],
)
def test_errors_are_one_line(fails, photos, tmp_path, arguments, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "table.csv").write_text("a,b,c\n" + "1,2,x\n3,4,y\n" * 10)
    np.savez(tmp_path / "table.npz", x=np.zeros((20, 4, 4)), y=np.arange(20) % 2)
    assert message in fails(*arguments)


def test_image_files_that_do_not_fit_the_model(run, fails, photos, tmp_path):
    (tmp_path / "table.csv").write_text("a,b,c\n" + "1,2,x\n3,4,y\n" * 10)
    image = photos / "test" / "dots" / "000.png"
    train(run, "--data", tmp_path / "table.csv", "--hidden", 4, "--epochs", 1, "--out",
          tmp_path / "tables")  # fmt: skip
    assert "not trained on images" in fails("predict", "tables", image)
    assert "not trained on images" in fails("evaluate", "tables", "--data", photos)
    train(run, "--data", photos, "--hidden", 4, "--epochs", 1, "--out", tmp_path / "model")
    assert "none.png: no such file" in fails("predict", "model", "none.png")
    (tmp_path / "bad.png").write_bytes(b"")
    assert "bad.png: cannot read the image: empty file" in fails("predict", "model", "bad.png")
    assert "--cache-dir goes with --data" in fails("predict", "model", image, "--cache-dir", "x")
    (photos / "test" / "dots").rename(photos / "test" / "yaks")
    assert "received 'yaks'" in fails("evaluate", "model", "--data", photos)


def test_help_is_quick():
    """It takes less than 0.1 s; the bound leaves room for a busy machine."""
    command = [sys.executable, "-m", "dlnative", "train", "--help"]
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        result = subprocess.run(command, capture_output=True, env=os.environ, timeout=60)
        seconds.append(time.perf_counter() - start)
        assert result.returncode == 0
    assert b"--augment" in result.stdout
    assert min(seconds) < 1
