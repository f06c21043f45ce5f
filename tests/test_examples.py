"""The examples do what they say."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import example_runs
import numpy as np
import pytest

import dlnative

pytestmark = pytest.mark.native  # networks of images take minutes on the oracle

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
README = ROOT / "README.md"
PACKAGES = Path(dlnative.__file__).resolve().parent.parent  # PYTHONPATH may be relative


def run(name: str, *arguments: object, folder: Path) -> str:
    """What an example prints."""
    result = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(PACKAGES)},
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_demo_reaches_its_accuracy_and_draws(tmp_path):
    printed = run("demo", folder=tmp_path)
    assert float(re.search(r"test accuracy +([\d.]+)%", printed)[1]) >= 98
    assert re.search(r"speed +[\d,]+ samples/s", printed)
    assert re.search(r"training step +\d+ microseconds", printed)
    picture = (tmp_path / "demo.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(picture) > 20_000


def numbers(pattern: str, printed: str) -> list[float]:
    """The number after each match of a pattern."""
    return [float(n) for n in re.findall(pattern + r"\s*(-?[\d.]+)", printed)]


def learns_mnist(printed):
    assert numbers("test loss .* accuracy", printed)[0] > 90


def learns_two_outputs(printed):
    assert numbers("rain_accuracy", printed)[-1] > 0.9
    assert numbers("warmth_mae", printed)[-1] < 0.12


def takes_noise_away(printed):
    noisy, linear, decoded = numbers("mean squared error", printed)
    assert decoded < linear < noisy


def draws_digits(printed):
    assert numbers(" - loss:", printed)[-1] < 28
    assert 1 < numbers(" - val_divergence:", printed)[-1] < 3
    picture = printed.splitlines()[-32:]
    assert {len(line) for line in picture} == {8 * 8 + 7 * 2}
    assert len(set(picture)) > 30


def draws_a_ring(printed):
    assert numbers("radius", printed)[0] == pytest.approx(1, abs=0.2)
    assert numbers(r"\+-", printed)[0] < 0.25


def tells_unknown_digits_apart(printed):
    assert float(re.search(r"([\d.]+)% right", printed)[1]) > 57


def learns_from_few(printed):
    from_nothing, head, tuned = (float(n) for n in re.findall(r"([\d.]+)% of", printed))
    assert from_nothing < head < tuned + 2
    assert tuned > 75


def keeps_few_units_active(printed):
    without, with_penalty = numbers("active", printed)
    assert with_penalty < without / 2
    assert min(numbers("accuracy", printed)) > 0.85
    assert max(numbers("worst_recall", printed)) < min(numbers("accuracy", printed))


def reads_images_of_any_size(printed):
    right = {size: float(share) for size, share in re.findall(r"(\d+ x \d+): ([\d.]+)%", printed)}
    assert len(right) == 5
    assert min(right.values()) > 85


def reads_a_dataloader(printed):
    assert numbers("test loss .* accuracy", printed)[0] > 80


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        ("mnist_convnet", learns_mnist),
        ("inputs_and_outputs", learns_two_outputs),
        ("autoencoder", takes_noise_away),
        ("vae", draws_digits),
        ("gan", draws_a_ring),
        ("siamese", tells_unknown_digits_apart),
        ("transfer_learning", learns_from_few),
        ("custom_layer", keeps_few_units_active),
        ("images_of_several_sizes", reads_images_of_any_size),
        ("pytorch_data", reads_a_dataloader),
    ],
)
def test_example(name, holds, tmp_path):
    if name == "pytorch_data" and find_spec("torch") is None:
        pytest.skip("needs torch")
    holds(run(name, folder=tmp_path))


def test_every_example_is_listed_and_short():
    readme = README.read_text()
    for path in EXAMPLES.glob("*.py"):
        assert f"examples/{path.name}" in readme
        if path.name != "demo.py":
            assert len(path.read_text().splitlines()) < 100


def write_idx(folder: Path, images: np.ndarray, labels: np.ndarray, packed: bool) -> None:
    """The four files of MNIST, from a few images."""
    for part in ("train", "t10k"):
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            sizes = np.array(array.shape, ">i4").tobytes()
            content = bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()
            path = folder / f"{part}-{kind}-ubyte"
            if packed:
                path.with_name(path.name + ".gz").write_bytes(gzip.compress(content))
            else:
                path.write_bytes(content)


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files(packed, tmp_path, rng):
    images = rng.integers(256, size=(20, 28, 28), dtype=np.uint8)
    labels = np.arange(20, dtype=np.uint8) % 10
    write_idx(tmp_path, images, labels, packed)
    x, y, x_test, y_test = example_runs.load("mnist_convnet").load_data(tmp_path)
    assert x.dtype == "float32"
    np.testing.assert_allclose(x[..., 0] * 255, images, rtol=1e-6)
    np.testing.assert_array_equal(x_test, x)
    assert y.tolist() == y_test.tolist() == labels.tolist()
    assert "accuracy" in run("mnist_convnet", tmp_path, folder=tmp_path)


@pytest.mark.data
@pytest.mark.slow
def test_mnist(data_dir, tmp_path):
    printed = run("mnist_convnet", data_dir, folder=tmp_path)
    assert numbers("test loss .* accuracy", printed)[0] > 98.5


def test_first_example_of_the_readme():
    (code, *_) = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    assert float(result.stdout.splitlines()[-1]) > 0.95
