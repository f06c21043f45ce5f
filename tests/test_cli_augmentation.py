"""`--augment` changes what is trained on, and nothing else.

Figures and predictions are those of the same weights in a model without it.
"""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from dlnative.cli.arguments import AUGMENTATIONS
from dlnative.cli.samples import Samples, hold_out
from dlnative.saving import load, save

SPLIT = 0.25


@pytest.fixture
def images(tmp_path):
    """An archive of images with a bright half, left or right: 80 to train on, 40 to test on."""
    generator = np.random.Generator(np.random.PCG64(3))
    arrays = {}
    for part, count in (("train", 80), ("test", 40)):
        y = np.arange(count) % 2
        x = generator.integers(0, 120, (count, 12, 12, 3), dtype=np.uint8)
        for image, label in zip(x, y, strict=True):
            image[:, 6 * label : 6 * label + 6] += 100
        arrays |= {f"x_{part}": x, f"y_{part}": y}
    np.savez(tmp_path / "images.npz", **arrays)
    return tmp_path / "images.npz"


def train(run, *arguments):
    status, out, err = run("train", "--quiet", *arguments)
    assert (status, err) == (0, "")
    return out


def without_augmentation(run, folder, *arguments):
    """Writes the weights of a folder with the model that the command makes without --augment."""
    bare = folder.with_name("bare")
    train(run, *arguments, "--epochs", 1, "--out", bare)
    saved, other = load(folder), load(bare)
    other.model.set_weights(saved.model.get_weights())
    save(other.model, bare, classes=other.classes, preprocessing=other.preprocessing)
    return bare


@pytest.mark.parametrize("augment", [*AUGMENTATIONS, ",".join(AUGMENTATIONS), "crop=9"])
def test_figures_and_predictions_are_those_of_the_bare_model(run, images, tmp_path, augment):
    model = tmp_path / "model"
    arguments = ["--data", images, "--hidden", 8, "--validation-split", SPLIT]
    out = train(run, *arguments, "--epochs", 3, "--augment", augment, "--out", model)
    bare = without_augmentation(run, model, *arguments)

    expected = run("evaluate", bare, "--data", images)
    assert run("evaluate", model, "--data", images) == expected
    figures = expected[1].partition(" (")[0]
    assert f"test         {figures}\n" in out
    options = ["--data", images, "--probabilities"]
    assert run("predict", model, *options) == run("predict", bare, *options)

    with np.load(images) as arrays:
        samples = Samples(arrays["x_train"], arrays["y_train"])
    _, watched = hold_out(samples, SPLIT, seed=0)
    network = load(bare).model
    network.compile("sgd", "mse")  # a loss must be there; the accuracy is counted below
    accuracy = np.mean(network.predict(watched.x, verbose=0).argmax(axis=1) == watched.y)
    history = json.loads((model / "history.json").read_text())
    assert history["validation"]["accuracy"] == pytest.approx(accuracy, abs=1e-6)
    assert history["epochs"][-1]["val_accuracy"] == pytest.approx(accuracy, abs=1e-6)


@pytest.mark.parametrize("augment", AUGMENTATIONS)
def test_training_sees_the_changes(run, images, tmp_path, augment):
    arguments = ["--data", images, "--hidden", 8, "--epochs", 1]
    train(run, *arguments, "--out", tmp_path / "bare")
    train(run, *arguments, "--augment", augment, "--out", tmp_path / "model")
    losses = [
        next(csv.DictReader((tmp_path / name / "history.csv").read_text().splitlines()))["loss"]
        for name in ("bare", "model")
    ]
    assert losses[0] != losses[1]


def test_images_without_a_channel_axis(run, tmp_path):
    model = tmp_path / "model"
    arguments = ["--data", "digits", "--model", "lenet"]
    train(run, *arguments, "--epochs", 1, "--augment", "crop=2", "--out", model)
    bare = without_augmentation(run, model, *arguments)
    options = ["--data", "digits", "--probabilities"]
    assert run("predict", model, *options) == run("predict", bare, *options)


@pytest.mark.data
@pytest.mark.slow
def test_lenet5_on_mnist_has_the_accuracy_of_its_weights(run, data_dir, tmp_path):
    model = tmp_path / "model"
    data = ["--data", "mnist", "--data-dir", data_dir]
    arguments = [*data, "--model", "lenet5"]
    out = train(run, *arguments, "--epochs", 1, "--augment", "crop", "--out", model)
    bare = without_augmentation(run, model, *arguments)
    figures = run("evaluate", bare, *data)[1].partition(" (")[0]
    assert f"test         {figures}\n" in out
    assert float(figures.split()[1].rstrip(",")) >= 0.9  # shrunken images: 0.7
