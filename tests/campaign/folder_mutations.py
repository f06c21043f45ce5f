"""Damage to the folder of a model."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket

import numpy as np

from dlnative.saving import strict_json
from dlnative.saving.weights import Weights, encode

NASTY = [
    None, True, False, -1, 0, 1, 2, 7, 10**6, 10**9, 2**31, 2**63, 2**64, 10**30, -(2**63), 0.5,
    -0.0, 1e300, 1e-320, "", "x", "relu", "Dense", "../../etc", "\ud800", "\0", "9" * 5000, [], {},
    [[]], [None], [-1, 3], [10**9] * 4, [1] * 70, {"class_name": "Dense", "config": {}},
    {"class_name": "__numpy__", "config": {"value": ["a"] * 9, "dtype": "S999999999"}},
    {"class_name": "__lambda__", "config": {}}, {"module": "os", "class_name": "system"},
    {"module": "keras.metrics", "class_name": "AUC", "config": {"num_thresholds": 10**9}},
    {"module": "keras.metrics", "class_name": "MeanIoU", "config": {"num_classes": 10**6}},
    {"module": "keras.optimizers", "class_name": "LBFGS", "config": {"history_size": 10**9}},
    {"module": "keras.optimizers", "class_name": "Adam", "config": {"use_ema": True}},
    "adam", "mse", "accuracy", {"__float__": "nan"}, {"__float__": "x"},
]  # fmt: skip


EXTREMES = {
    "f": [float("nan"), float("inf"), -1.0, 0.0, 1e300, 1e-320, 2.0**63],
    "i": [-1, 0, 3, 10**9, 2**62, 2**63 - 1, -(2**63)],
}


def change(draw, folder):
    """Changes something in a folder.

    Args:
        draw: A `random.Random`.
        folder: The folder.

    Returns:
        What was done, and whether `load` must refuse it.

    Raises:
        RecursionError: Several changes have nested the configuration too deeply to be written.
    """
    kinds = [change_values] * 6 + [change_bytes, change_tensors, change_tensors, change_files]
    kinds += [change_numbers]
    return draw.choice(kinds)(draw, folder)


def change_values(draw, folder):
    """Other values in the configuration, of which the checksum is right, absent, or wrong."""
    path = folder / "config.json"
    before = json.loads(path.read_text())
    config = clone(before)
    what = [mutate(draw, config) for _ in range(draw.choice([1, 1, 1, 2, 5]))]
    seal = draw.choice(["right", "right", "absent", "wrong"])
    if seal != "wrong":
        config.pop("sha256", None)
    if seal == "right":
        config["sha256"] = strict_json.digest(config)
    path.write_text(json.dumps(config))
    return f"{folder.name}: {what}, sha256 {seal}", seal == "wrong" and not same(config, before)


def mutate(draw, config):
    """Changes one entry somewhere."""
    places = [(config, key) for key in config if key != "sha256"]
    if draw.random() < 0.6:  # the model has by far the most
        parts = [(config, key) for key in ("compile", "state") if config.get(key)]
        places = [draw.choice(parts)] if parts else places
    for parent, key in places:
        child = parent[key]
        keys = child if isinstance(child, dict) else range(len(child) if type(child) is list else 0)
        places.extend((child, each) for each in keys)
    parent, key = draw.choice(places)
    old = parent[key]
    way = draw.choice(["nasty", "nasty", "other", "delete", "wrap", "deep", "scale", "twice"])
    if way == "nasty":
        parent[key] = clone(draw.choice(NASTY))
    elif way == "other":
        other, other_key = draw.choice(places)
        parent[key] = clone(other[other_key])
    elif way == "delete":
        del parent[key]
    elif way == "wrap":
        parent[key] = [old]
    elif way == "deep":
        for _ in range(draw.choice([3, 50, 300])):
            parent[key] = draw.choice([[parent[key]], {"config": parent[key], "class_name": "x"}])
    elif way == "scale" and isinstance(old, (int, float)):
        parent[key] = old * draw.choice([-1, 2, 1000, 10**8])
    elif isinstance(old, list) and old:
        old.append(clone(draw.choice(old)))
    elif isinstance(parent, dict):
        parent[f"{key}_"] = old
    return (
        f"{way} at {key!r}: {old!r:.60} -> {parent.get(key) if type(parent) is dict else ''!r:.60}"
    )


def clone(value):
    return json.loads(json.dumps(value))


def same(a, b):
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


def change_bytes(draw, folder):
    """Damaged bytes of one of the two files."""
    path = draw.choice([folder / "config.json", *tensors(folder)])
    before = path.read_bytes()
    content = damage(draw, before)
    path.write_bytes(content)
    if path.suffix == ".json":
        with contextlib.suppress(ValueError, RecursionError):
            return f"{path.name}: bytes", not same(json.loads(content), json.loads(before))
    return f"{path.name}: bytes", content != before


def damage(draw, content):
    data = bytearray(content)
    for _ in range(draw.choice([1, 1, 3])):
        at, length = draw.randrange(len(data) + 1), draw.choice([1, 1, 8, 500])
        way = draw.choice(["flip", "cut", "delete", "insert", "repeat", "bom", "empty"])
        if way == "flip" and at < len(data):
            data[at] ^= 1 << draw.randrange(8)
        elif way == "cut":
            del data[at:]
        elif way == "delete":
            del data[at : at + length]
        elif way == "insert":
            data[at:at] = draw.choice(
                [draw.randbytes(length), b"[" * 10**5, b"NaN", b"\0", b"9" * 5000]
            )
        elif way == "repeat":
            data[at:at] = data[at : at + length]
        elif way == "bom":
            data[:0] = b"\xef\xbb\xbf"
        elif way == "empty" and draw.random() < 0.2:
            data.clear()
    return bytes(data)


def tensors(folder):
    return sorted(folder.glob("*.safetensors"))


def change_tensors(draw, folder):
    """Another header or other bytes of a file, with a configuration that vouches for them."""
    path = draw.choice(tensors(folder))
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header, values = json.loads(content[8 : 8 + length]), content[8 + length :]
    what = "bytes"
    if draw.random() < 0.7:
        what = mutate(draw, header)
        text = json.dumps(header).encode()
        content = len(text).to_bytes(8, "little") + text + values
    else:
        content = damage(draw, content)
    path.write_bytes(content)
    vouch(folder, path, hashlib.sha256(content).hexdigest())
    return f"{path.name} of {folder.name}: {what}", False


def change_numbers(draw, folder):
    """Extreme numbers in a file, with a configuration that vouches for them."""
    path = draw.choice(tensors(folder))
    with Weights(path) as file:
        arrays, _ = file.read()
    names = draw.sample(sorted(arrays), draw.choice([1, 1, min(3, len(arrays))]))
    with np.errstate(all="ignore"):
        for name in names:
            array = arrays[name].reshape(-1)
            number = draw.choice(EXTREMES["fi"[array.dtype.kind != "f"]])
            at = draw.randrange(array.size) if array.size and draw.random() < 0.5 else slice(None)
            array[at] = np.array(number).astype(array.dtype)
    parts, digest = encode(arrays)
    path.write_bytes(b"".join(map(bytes, parts)))
    vouch(folder, path, digest)
    return f"numbers of {path.name} of {folder.name}: {names}", False


def vouch(folder, path, digest):
    """Makes the configuration name the digest of a file, and gives it a right checksum."""
    config = json.loads((folder / "config.json").read_text())
    config[path.name.partition("-")[0]]["sha256"] = digest
    config["sha256"] = strict_json.digest({k: v for k, v in config.items() if k != "sha256"})
    (folder / "config.json").write_text(json.dumps(config))


def change_files(draw, folder):
    """Something else in the place of a file."""
    path = draw.choice([folder / "config.json", *tensors(folder)])
    path.unlink()
    way = draw.choice(["none", "folder", "pipe", "socket", "loop", "device", "folder is a file"])
    if way == "folder":
        path.mkdir()
    elif way == "pipe":
        os.mkfifo(path)
    elif way == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    elif way == "loop":
        path.symlink_to(path.name)
    elif way == "device":
        path.symlink_to("/dev/zero")
    elif way == "folder is a file":
        shutil.rmtree(folder)
        folder.write_text("")
    return f"{path.name}: {way}", True
