"""Folders of image files: classes, splits, broken files, and the cache."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlnative.data import Images, image_folder
from dlnative.data.cache import cached_rows

COLORS = {"blue": (10, 20, 220), "green": (10, 220, 20), "red": (220, 10, 20)}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """Every test has a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "dlnative" / "images"


def picture(color, size=(6, 4)) -> Image.Image:
    """An image of one colour, `size` is (width, height)."""
    return Image.new("RGB", size, color)


def make_folder(root: Path, count: int = 4, suffix: str = ".png", size=(6, 4)) -> Path:
    """A folder of three classes; image i of a class has i as its last colour in the corner."""
    for name, color in COLORS.items():
        (root / name).mkdir(parents=True)
        for i in range(count):
            image = picture(color, size)
            image.putpixel((0, 0), (i, i, i))
            image.save(root / name / f"{i:03}{suffix}")
    return root


@pytest.fixture
def folder(tmp_path) -> Path:
    return make_folder(tmp_path / "photos")


def expected(data: Images) -> np.ndarray:
    """What `make_folder` wrote, from the names of the files alone."""
    x = np.empty((len(data.files), 4, 6, 3), np.uint8)
    for row, file in zip(x, data.files, strict=True):
        name, number = file.split("/")
        row[:] = COLORS[name]
        row[0, 0] = int(number.split(".")[0])
    return x


# --- folders --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".PNG", ".Bmp"])
def test_folder(tmp_path, suffix):
    data = image_folder(make_folder(tmp_path / "photos", count=20, suffix=suffix))
    assert data.class_names == ["blue", "green", "red"]
    assert data.files == sorted(data.files)
    assert data.files[0] == f"blue/000{suffix}"
    assert data.y.dtype == np.int32
    assert data.y.tolist() == [0] * 20 + [1] * 20 + [2] * 20
    assert isinstance(data.x, np.memmap)
    assert not data.x.flags.writeable
    np.testing.assert_array_equal(data.x, expected(data))
    x, y, class_names, files = data
    assert x is data.x and y is data.y and class_names is data.class_names and files is data.files


def test_what_is_not_an_image_is_passed_over(folder):
    (folder / "red" / "notes.txt").write_text("mine")
    (folder / "red" / "._000.png").write_bytes(b"left by a file manager")
    (folder / "red" / "folder.png").mkdir()
    (folder / ".hidden").mkdir()
    (folder / "README").write_text("three colours")
    assert len(image_folder(folder).files) == 12


def test_sizes_and_colours(folder):
    picture((1, 2, 3), size=(30, 20)).save(folder / "red" / "large.png")
    data = image_folder(folder, (10, 15), color_mode="grayscale")
    assert data.x.shape == (13, 10, 15, 1)
    assert image_folder(str(folder), image_size=[8, 8]).x.shape == (13, 8, 8, 3)
    with pytest.raises(ValueError, match=r"sizes: blue/000.png has 6x4 .*red/large.png has 30x20"):
        image_folder(folder)


def test_order_does_not_depend_on_threads(tmp_path, threads):
    folder = make_folder(tmp_path / "photos", count=100)
    threads(1)
    one = image_folder(folder, cache_dir=tmp_path / "one")
    threads(5)
    five = image_folder(folder, cache_dir=tmp_path / "five")
    np.testing.assert_array_equal(one.x, five.x)
    np.testing.assert_array_equal(one.x, expected(one))


def test_a_model_trains_on_it(tmp_path):
    from dlnative import Input, Sequential, layers

    train, test = image_folder(make_folder(tmp_path / "photos", count=30), validation_split=0.2)
    model = Sequential(
        [Input((4, 6, 3)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(3)]
    )
    model.compile("adam", "mse", metrics=["accuracy"])
    targets = np.eye(3, dtype=np.float32)
    model.fit(train.x, targets[train.y], epochs=60, batch_size=8, verbose=0)
    predicted = model.predict(test.x, verbose=0).argmax(axis=1)
    np.testing.assert_array_equal(predicted, test.y)


# --- splits ---------------------------------------------------------------------------------------


def test_split_takes_a_share_of_each_class(tmp_path):
    folder = make_folder(tmp_path / "photos", count=10)
    training, validation = image_folder(folder, validation_split=0.3)
    assert np.bincount(training.y).tolist() == [7, 7, 7]
    assert np.bincount(validation.y).tolist() == [3, 3, 3]
    for part in (training, validation):
        assert isinstance(part.x, np.memmap)
        assert part.files == sorted(part.files)
        np.testing.assert_array_equal(part.x, expected(part))
    assert sorted(training.files + validation.files) == image_folder(folder).files


def test_split_follows_the_seed_and_the_subset(tmp_path):
    folder = make_folder(tmp_path / "photos", count=10)
    training, validation = image_folder(folder, validation_split=0.3, seed=1)
    again = image_folder(folder, validation_split=0.3, seed=1, subset="both")
    assert again[1].files == validation.files
    other = image_folder(folder, validation_split=0.3, seed=2, subset="validation")
    assert other.files != validation.files
    alone = image_folder(folder, validation_split=0.3, seed=1, subset="training")
    assert alone.files == training.files
    np.testing.assert_array_equal(alone.x, training.x)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"validation_split": 1.0}, "between 0 and 1, received 1.0"),
        ({"validation_split": -0.1}, "between 0 and 1, received -0.1"),
        ({"validation_split": 0.01}, "one of the two sets without images; there are 12 in 3"),
        ({"validation_split": 0.99}, "leaves one of the two sets without images"),
        ({"subset": "training"}, "needs a validation_split"),
        ({"subset": "test", "validation_split": 0.5}, "received 'test'"),
        ({"on_error": "ignore"}, "'raise' or 'skip', received 'ignore'"),
    ],
)
def test_bad_splits_and_options(folder, options, message):
    with pytest.raises(ValueError, match=message):
        image_folder(folder, **options)


# --- what can be wrong with a folder --------------------------------------------------------------


def test_folder_that_is_not_one(tmp_path, folder):
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        image_folder(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        image_folder(folder / "red" / "000.png")
    with pytest.raises(ValueError, match="a folder of images per class, found none"):
        image_folder(folder / "red")


def test_classes_without_images_are_named(tmp_path, folder):
    (folder / "amber").mkdir()
    (folder / "cyan").mkdir()
    (folder / "cyan" / "notes.txt").write_text("soon")
    with pytest.raises(ValueError, match=r"2 of 5 classes .*\.bmp, \.jpeg.*: amber, cyan$"):
        image_folder(folder)
    make_folder(tmp_path / "set" / "train")
    make_folder(tmp_path / "set" / "test")
    with pytest.raises(ValueError, match=r"test, train; did you mean .*set/test\?"):
        image_folder(tmp_path / "set")
    assert len(image_folder(tmp_path / "set" / "train").x) == 12


def test_broken_files_are_named(folder, cache):
    picture(COLORS["red"], (60, 40)).save(folder / "red" / "half.jpg")
    whole = (folder / "red" / "half.jpg").read_bytes()
    (folder / "red" / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "red" / "empty.png").write_bytes(b"")
    with pytest.raises(ValueError, match="2 of 14 images cannot be read") as caught:
        image_folder(folder, (4, 6))
    for expected_part in ("red/half.jpg (", "red/empty.png (empty file)", "on_error='skip'"):
        assert expected_part in str(caught.value)
    assert [*cache.iterdir()] == [], "nothing is left of a failed build"


def test_broken_files_are_named_up_to_ten(folder):
    for i in range(12):
        (folder / "green" / f"z{i:02}.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match="12 of 24 images .*and 2 more") as caught:
        image_folder(folder)
    assert "z09.jpg" in str(caught.value)
    assert "z10.jpg" not in str(caught.value)


def test_broken_files_are_skipped_with_a_warning(folder):
    (folder / "green" / "000.png").write_bytes(b"")
    (folder / "red" / "zzz.png").write_bytes(b"PNG")
    for _ in range(2):  # decoded, and from the cache
        with pytest.warns(UserWarning, match="2 of 13 images .*green/000.png .*red/zzz.png"):
            data = image_folder(folder, on_error="skip")
        assert len(data.files) == len(data.x) == len(data.y) == 11
        assert data.y.tolist() == [0] * 4 + [1] * 3 + [2] * 4
        np.testing.assert_array_equal(data.x, expected(data))
    with pytest.raises(ValueError, match="2 of 13 images cannot be read"):
        image_folder(folder)
    with pytest.warns(UserWarning, match="cannot be read"):
        training, validation = image_folder(folder, on_error="skip", validation_split=0.5)
    for part in (training, validation):
        np.testing.assert_array_equal(part.x, expected(part))


def test_a_class_of_broken_files_cannot_be_skipped(folder):
    for file in (folder / "green").iterdir():
        file.write_bytes(b"")
    with (
        pytest.warns(UserWarning, match="4 of 12"),
        pytest.raises(ValueError, match="1 of 3 classes of which no image can be read: green"),
    ):
        image_folder(folder, on_error="skip")
    for file in folder.rglob("*.png"):
        file.write_bytes(b"")
    with pytest.raises(ValueError, match="12 of 12 images cannot be read"):
        image_folder(folder, on_error="skip")


# --- the cache ------------------------------------------------------------------------------------


@pytest.fixture
def decoded(monkeypatch) -> list[Path]:
    """The files that have been decoded."""
    from dlnative.data import image_folder as function

    module = sys.modules[function.__module__]
    files: list[Path] = []
    decode = module.decode

    def count(path, wanted):
        files.append(path)
        return decode(path, wanted)

    monkeypatch.setattr(module, "decode", count)
    return files


def test_files_are_decoded_once(folder, decoded, cache):
    first = image_folder(folder)
    assert len(decoded) == 12
    second = image_folder(folder)
    assert len(decoded) == 12
    np.testing.assert_array_equal(first.x, second.x)
    (entry,) = cache.iterdir()
    np.testing.assert_array_equal(np.load(entry / "rows.npy"), first.x)


@pytest.mark.parametrize(
    "options",
    [{"image_size": (4, 4)}, {"color_mode": "grayscale"}, {"interpolation": "nearest"}],
)
def test_options_are_part_of_the_key(folder, decoded, options):
    image_folder(folder)
    image_folder(folder, **options)
    assert len(decoded) == 24


def test_changed_files_are_decoded_again(folder, decoded):
    image_folder(folder)
    path = folder / "red" / "002.png"
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))
    image_folder(folder)
    assert len(decoded) == 24
    picture(COLORS["red"]).save(folder / "red" / "004.png")
    assert len(image_folder(folder).x) == 13
    path.unlink()
    assert len(image_folder(folder).x) == 12


@pytest.mark.parametrize("damage", ["truncated", "no notes", "no rows", "no header"])
def test_damaged_cache_is_built_anew(folder, decoded, cache, damage):
    expected_pixels = np.array(image_folder(folder).x)
    (entry,) = cache.iterdir()
    rows = (entry / "rows.npy").read_bytes()
    if damage == "truncated":
        (entry / "rows.npy").write_bytes(rows[:-10])
    elif damage == "no header":
        (entry / "rows.npy").write_bytes(bytes(len(rows)))
    else:
        (entry / {"no notes": "notes.json", "no rows": "rows.npy"}[damage]).unlink()
    np.testing.assert_array_equal(image_folder(folder).x, expected_pixels)
    assert len(decoded) == 24
    assert [*cache.iterdir()] == [entry]


def test_interrupted_build_leaves_nothing(tmp_path):
    def build(writer):
        writer.write([np.zeros((2, 2), np.uint8)])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_rows(tmp_path, "key", build)
    assert [*tmp_path.glob("*")] == []


def test_cache_folder_can_be_chosen(folder, tmp_path, cache):
    image_folder(folder, cache_dir=tmp_path / "mine")
    assert len([*(tmp_path / "mine").iterdir()]) == 1
    assert not cache.exists()


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_may_build_at_once(tmp_path, cache, processes):
    """All wait for one signal, then decode the same folder into the same cache."""
    folder = make_folder(tmp_path / "photos", count=60)
    code = """
import sys, zlib
from dlnative.data import image_folder
print("ready", flush=True)
sys.stdin.readline()
data = image_folder(sys.argv[1])
print(len(data.x), zlib.crc32(data.x.tobytes()), flush=True)
"""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]
    try:
        assert all(process.stdout.readline() == "ready\n" for process in running)
        for process in running:
            process.stdin.write("go\n")
            process.stdin.flush()
        results = [process.communicate(timeout=60) for process in running]
    finally:
        for process in running:
            process.kill()
            process.communicate()
    assert [err for _, err in results] == [""] * processes
    data = image_folder(folder)
    np.testing.assert_array_equal(data.x, expected(data))
    assert {out for out, _ in results} == {f"180 {zlib.crc32(data.x.tobytes())}\n"}
    assert len([*cache.iterdir()]) == 1, "no temporary folder is left"


def test_the_slower_of_two_builders_takes_what_is_there(tmp_path):
    row = np.arange(6, dtype=np.uint8).reshape(2, 3)

    def slow(writer):
        cached_rows(tmp_path, "key", lambda faster: faster.write([row, row]))
        writer.write([row])
        return "slower"

    rows, notes = cached_rows(tmp_path, "key", slow)
    assert notes is None and len(rows) == 2
    assert len([*tmp_path.iterdir()]) == 1


# --- photographs ----------------------------------------------------------------------------------


@pytest.mark.data
def test_photographs(photographs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = image_folder(photographs)
    assert data.x.shape == (10_000, 32, 32, 3)
    assert np.bincount(data.y).tolist() == [1000] * 10
    assert data.class_names[::3] == ["airplane", "cat", "frog", "truck"]
    for i in (0, 4321, 9999):
        with Image.open(photographs / data.files[i]) as image:
            np.testing.assert_array_equal(data.x[i], np.asarray(image.convert("RGB")))
    # What is published about the pixels of CIFAR-10; JPEG changes them but little.
    means = data.x[::7].mean(axis=(0, 1, 2)) / 255
    np.testing.assert_allclose(means, [0.4942, 0.4851, 0.4504], atol=0.01)
