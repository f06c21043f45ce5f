"""Keras's files, and files of weights, that are damaged: loading ends in the model or a ValueError.

`search(seed, cases, report)` changes the configuration in an archive, the archive itself, the HDF5
in it (byte by byte, and by h5py where that is installed), and the header of safetensors. It reports
a case that ends in anything else, whose message does not name the file, that takes too long or too
much memory, that draws from the global stream, or that leaves a model half loaded.
"""

from __future__ import annotations

import io
import json
import random
import struct
import tempfile
import time
import warnings
import zipfile
from pathlib import Path

import file_models
import folder_mutations
import folders
import numpy as np

import dlnative
from dlnative.random import seeds
from dlnative.saving import load, load_model

try:
    import h5py
except ImportError:
    h5py = None

SECONDS = 20
WEIGHTS = "model.weights.h5"


def search(seed, cases, report):
    """Runs random cases.

    Args:
        seed: An integer; the same one gives the same changes.
        cases: How many.
        report: Called with a description of each finding.
    """
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bases = write_bases(Path(place))
        for case in range(cases):
            draw = random.Random(f"{seed} {case}")
            for finding in try_file(draw, draw.choice(bases), Path(place)):
                report(f"keras_files: case {case} of seed {seed}: {finding}")


def write_bases(place):
    """[(model, contents of its three files by suffix)]."""
    written = (*folders.write_models(place), *folders.write_trained(place))
    models = [load(folder).model for folder in written]
    models.append(file_models.between_layers(dlnative))
    bases = []
    for model in models:
        contents = {}
        for suffix in (".keras", ".weights.h5", ".safetensors"):
            path = place / f"base{suffix}"
            (model.save if suffix == ".keras" else model.save_weights)(path)
            contents[suffix] = path.read_bytes()
        bases.append((model, contents))
    return bases


def try_file(draw, base, place):
    """Changes a file, and loads it."""
    model, contents = base
    suffix = draw.choice(
        [".keras", ".keras", ".keras", ".weights.h5", ".weights.h5", ".safetensors"]
    )
    try:
        what, content = CHANGES[suffix](draw, contents[suffix])
    except (RecursionError, UnicodeEncodeError):  # nothing that can be written
        return
    path = place / f"case{suffix}"
    path.write_bytes(content)
    drawn = dict(seeds._state)
    before = {v.path: v.numpy() for v in model.variables}
    start = time.perf_counter()
    with folders.bounded():
        if suffix == ".keras" and draw.random() < 0.9:
            result = folders.outcome(lambda: load_model(path))
            fine = dlnative.Model
        else:
            result = folders.outcome(lambda: model.load_weights(path, draw.random() < 0.3))
            fine = type(None)
    what = f"{suffix}: {what}"
    if not isinstance(result, (fine, ValueError)):
        yield f"{what}: raised {result!r:.300}"
    elif isinstance(result, Exception) and str(path) not in str(result):
        yield f"{what}: the message does not name the file: {result!r:.300}"
    elif isinstance(result, Exception) and fine is type(None):
        changed = [v.path for v in model.variables if not same(v.numpy(), before[v.path])]
        if changed:
            yield f"{what}: half loaded: {changed}"
    if {**seeds._state, "streams": drawn["streams"]} != drawn and fine is type(None):
        yield f"{what}: drew from the global stream"
    if time.perf_counter() - start > SECONDS:
        yield f"{what}: took {time.perf_counter() - start:.0f} s"
    for variable in model.variables:
        variable.assign(before[variable.path])


def same(a, b):
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


# --- archives ------------------------------------------------------------------------------------


def change_archive(draw, content):
    """Another configuration, other weights, or another archive."""
    members = read_archive(content)
    way = draw.choice(["config"] * 6 + ["metadata", "weights", "weights", "hdf5", "bytes", "zip"])
    if way in ("config", "metadata"):
        name = f"{way}.json"
        value = json.loads(members[name])
        what = [folder_mutations.mutate(draw, value) for _ in range(draw.choice([1, 1, 2, 5]))]
        members[name] = json.dumps(value).encode()
    elif way == "weights":
        what, members[WEIGHTS] = change_hdf5_bytes(draw, members[WEIGHTS])
    elif way == "hdf5":
        what, members[WEIGHTS] = change_hdf5(draw, members[WEIGHTS])
    elif way == "bytes":
        return "bytes of the archive", folder_mutations.damage(draw, content)
    else:
        return change_zip(draw, members)
    return f"{way}: {what}", write_archive(members.items())


def read_archive(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_archive(members, method=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def change_zip(draw, members):
    """An archive that is whole, and not as Keras writes it."""
    name = draw.choice(list(members))
    ways = ["missing", "twice", "renamed", "compressed", "bomb", "sizes", "encrypted", "more"]
    way = draw.choice(ways)
    pairs = list(members.items())
    if way == "missing":
        pairs = [pair for pair in pairs if pair[0] != name]
    elif way == "twice":
        pairs.append((name, draw.choice([b"", b"{}", members[name]])))
    elif way == "renamed":
        others = ["../" + name, "/" + name, name + "\0x", name.upper(), "assets/" + name, "x" * 999]
        pairs = [(draw.choice(others) if n == name else n, c) for n, c in pairs]
    elif way == "more":
        extra = [(f"../../{i}", b"x") for i in range(draw.choice([1, 100, 12_000]))]
        pairs += extra
    elif way == "bomb":
        pairs = [(n, bytes(draw.choice([2**22, 2**27])) if n == name else c) for n, c in pairs]
        return f"{way} {name}", write_archive(pairs, zipfile.ZIP_DEFLATED)
    if way == "compressed":
        methods = [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
        return f"{way} {name}", write_archive(pairs, draw.choice(methods))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of duplicate names
        content = bytearray(write_archive(pairs))
    at = content.find(b"PK\1\2")  # the directory, whose words are believed
    if way == "sizes":
        struct.pack_into("<I", content, at + draw.choice([16, 20, 24, 42]), draw.choice(WORDS))
    elif way == "encrypted":
        content[at + 8] |= 1
    return f"{way} {name}", bytes(content)


# --- HDF5 ----------------------------------------------------------------------------------------

WORDS = [0, 1, 7, 96, 2**16, 2**31 - 1, 2**31, 2**32 - 1]
SIGNS = (b"TREE", b"SNOD", b"HEAP", b"\x89HDF")


def change_weights(draw, content):
    return (change_hdf5 if draw.random() < 0.4 else change_hdf5_bytes)(draw, content)


def change_hdf5_bytes(draw, content):
    """Damaged bytes: anywhere, or the numbers of a node, where they decide what is read."""
    if draw.random() < 0.3:
        return "bytes", folder_mutations.damage(draw, content)
    data = bytearray(content)
    for _ in range(draw.choice([1, 1, 2, 5])):
        sign = draw.choice(SIGNS)
        places = [i for i in range(0, len(data) - 8, 8) if data[i : i + 4] == sign]
        start = draw.choice(places or [0])
        at = min(start + 8 * draw.randrange(24), len(data) - 8)
        way = draw.choice(["word", "half", "byte", "copy"])
        if way == "word":
            value = draw.choice([*WORDS, *places, 2**63, 2**64 - 1, at, start, len(data)])
            struct.pack_into("<Q", data, at, value)
        elif way == "half":
            struct.pack_into("<H", data, at + draw.randrange(6), draw.choice([0, 1, 9, 255, 65535]))
        elif way == "byte":
            data[at + draw.randrange(8)] = draw.randrange(256)
        else:
            other = draw.choice(places or [0])
            data[at : at + 8] = data[other : other + 8]
    return f"nodes, {way}", bytes(data)


def change_hdf5(draw, content):
    """A sound file of h5py that is not as Keras writes it."""
    if h5py is None:
        return change_hdf5_bytes(draw, content)
    stream = io.BytesIO(content)
    with h5py.File(stream, "a") as file:
        paths = []
        file.visititems(lambda path, each: paths.append(path) or None)
        path = draw.choice(paths)
        way = draw.choice(list(HDF5))
        member = file[path]
        shape = member.shape if isinstance(member, h5py.Dataset) else (2,)
        if way == "more":
            member = member if isinstance(member, h5py.Group) else member.parent
            name = draw.choice([name for name in ("9", "w", "\u00fc") if name not in member])
            member[name] = np.zeros(shape, "float32")
        else:
            del file[path]
            HDF5[way](file, path, shape)
    return f"{way} at {path}", stream.getvalue()


def virtual(file, path, shape):
    layout = h5py.VirtualLayout(shape, "float32")
    file.create_virtual_dataset(path, layout)


def chunked(file, path, shape):
    file.create_dataset(path, data=np.zeros((*shape, 3)), chunks=True, compression="gzip")


def external(file, path, shape):
    file.create_dataset(path, shape or (1,), "float32", external=[("/etc/passwd", 0, 4096)])


HDF5 = {
    "more": None,
    "deleted": lambda file, path, shape: None,
    "group": lambda file, path, shape: file.create_group(path),
    "other shape": lambda file, path, shape: file.create_dataset(path, data=np.ones((*shape, 1))),
    "huge": lambda file, path, shape: file.create_dataset(path, (2**20, 2**20), "float32"),
    "never written": lambda file, path, shape: file.create_dataset(path, shape, "float32"),
    "text": lambda file, path, shape: file.create_dataset(path, data=b"x" * 7),
    "many texts": lambda file, path, shape: file.create_dataset(path, data=["a", "bc"]),
    "complex": lambda file, path, shape: file.create_dataset(path, data=np.ones(shape, "c8")),
    "integers": lambda file, path, shape: file.create_dataset(path, data=np.ones(shape, ">i2")),
    "float16": lambda file, path, shape: file.create_dataset(path, data=np.ones(shape, "f2")),
    "booleans": lambda file, path, shape: file.create_dataset(path, data=np.ones(shape, bool)),
    "records": lambda file, path, shape: file.create_dataset(path, shape, "f4,i4"),
    "empty": lambda file, path, shape: file.create_dataset(path, data=h5py.Empty("f4")),
    "not finite": lambda file, path, shape: file.create_dataset(
        path, data=np.full(shape, np.nan, "float32")
    ),
    "soft link": lambda file, path, shape: file.__setitem__(path, h5py.SoftLink("/optimizer")),
    "loop": lambda file, path, shape: file.__setitem__(path, h5py.SoftLink(f"/{path}")),
    "hard loop": lambda file, path, shape: file.__setitem__(path, file["/"]),
    "external link": lambda file, path, shape: file.__setitem__(
        path, h5py.ExternalLink("/etc/passwd", "/")
    ),
    "reference": lambda file, path, shape: file.create_dataset(path, data=file.ref),
    "chunks": chunked,
    "virtual": virtual,
    "external": external,
}


# --- safetensors ---------------------------------------------------------------------------------


def change_safetensors(draw, content):
    """Another header, or other bytes."""
    if draw.random() < 0.3:
        return "bytes", folder_mutations.damage(draw, content)
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    what = folder_mutations.mutate(draw, header)
    text = json.dumps(header).encode()
    return what, len(text).to_bytes(8, "little") + text + content[8 + length :]


CHANGES = {
    ".keras": change_archive,
    ".weights.h5": change_weights,
    ".safetensors": change_safetensors,
}
