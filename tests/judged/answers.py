"""What Keras answers to cases: asked once, in a process for each mode, and kept in build/judged."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import pickle
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cases import FOLDER, Case

KEPT = FOLDER.parent.parent / "build" / "judged"
# The key under which the parameters are kept: another one for every list of names.
_NAMES = "".join((FOLDER / name).read_text() for name in ("names.py", "keras_names.tsv"))
SIGNATURES = f"signatures-{hashlib.sha256(_NAMES.encode()).hexdigest()[:12]}"


def installed() -> bool:
    """Whether Keras with the JAX backend can be asked."""
    return all(importlib.util.find_spec(name) for name in ("keras", "jax"))


def ask(cases: Iterable[Case]) -> dict[str, Any]:
    """The answers by key, and under SIGNATURES the parameters of all names.

    Raises:
        RuntimeError: Keras did not answer.
    """
    KEPT.mkdir(parents=True, exist_ok=True)
    wanted: dict[bool, set[str]] = {False: {SIGNATURES}, True: set()}
    for case in cases:
        wanted[case.wide].add(case.key)
    with _lock(KEPT / "lock"):
        known = {wide: _load(_path(wide)) | _load(_fresh(wide)) for wide in wanted}
        running = {
            wide: _start(wide, keys - set(known[wide]))
            for wide, keys in wanted.items()
            if keys - set(known[wide])
        }
        for wide, process in running.items():
            if process.wait():
                said = _fresh(wide).with_suffix(".log").read_text()
                raise RuntimeError(f"Keras did not answer:\n{said}")
            known[wide].update(_load(_fresh(wide)))
            _save(_path(wide), known[wide])
            _fresh(wide).unlink()
    return known[False] | known[True]


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """One process asks, the others wait and find the answers."""
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _path(wide: bool) -> Path:
    """The file of a mode: another one for every version of Keras, JAX and the asking code."""
    text = "".join((FOLDER / name).read_text() for name in ("cases.py", "keras_worker.py"))
    versions = [importlib.metadata.version(name) for name in ("keras", "jax")]
    name = "-".join([*versions, hashlib.sha256(text.encode()).hexdigest()[:12]])
    return KEPT / f"{name}{'-x64' if wide else ''}.pickle"


def _fresh(wide: bool) -> Path:
    """What a process writes from time to time: something is left where it was stopped."""
    return _path(wide).with_suffix(".fresh")


def _load(path: Path) -> dict[str, Any]:
    return pickle.loads(path.read_bytes()) if path.is_file() else {}


def _save(path: Path, answers: dict[str, Any]) -> None:
    partial = path.with_suffix(".part")
    partial.write_bytes(pickle.dumps(answers))
    partial.replace(path)


def _start(wide: bool, keys: set[str]) -> subprocess.Popen:
    """Starts the process that answers `keys`."""
    fresh = _fresh(wide)
    questions = fresh.with_suffix(".txt")
    questions.write_text("\n".join(sorted(keys)))
    environment = {**os.environ, "JAX_ENABLE_X64": "1" if wide else "0"}
    with questions.open() as asked, fresh.with_suffix(".log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, FOLDER / "keras_worker.py", fresh],
            env=environment,
            stdin=asked,
            stdout=log,
            stderr=log,
        )
