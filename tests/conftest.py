"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import random
import signal
import sys
import tarfile
import threading
import warnings
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import dlnative

ROOT = Path(__file__).resolve().parent.parent

sys.path[:0] = [str(ROOT / "tests" / name) for name in ("helpers", "campaign", "judged")]

# Keras, where it is installed, judges with this backend.
os.environ.setdefault("KERAS_BACKEND", "jax")

# A shell starts jobs in the background with Ctrl-C ignored, and their children inherit that: the
# tests that send it to a child would wait in vain.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def keras() -> ModuleType:
    """Real Keras; tests that use it are skipped where it is absent."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("keras")


@pytest.fixture(params=["numpy", "native"])
def engine(request):
    """The test runs once on each engine, whose name it gets."""
    if request.param == "native":
        pytest.importorskip("dlnative._core")
    with dlnative.engine(request.param):
        yield request.param


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the MNIST files: $DLNATIVE_DATA/mnist, $DLNATIVE_DATA, or shared data."""
    root = os.environ.get("DLNATIVE_DATA")
    folders = [Path(root) / "mnist", Path(root)] if root else []
    folders.append(ROOT.parent / "shared" / "data" / "mnist")
    for folder in folders:
        if any(folder.glob("train-images*")):
            return folder
    pytest.skip("needs the MNIST files: name their folder in DLNATIVE_DATA (see docs/data.md)")


@pytest.fixture(scope="session")
def photographs(tmp_path_factory) -> Path:
    """A folder with a folder per class of 1000 JPEG files each: the test images of CIFAR-10.

    They come from cifar10-jpeg.tar.gz in $DLNATIVE_DATA, or in shared data.
    """
    root = os.environ.get("DLNATIVE_DATA")
    folders = [Path(root)] if root else []
    folders.append(ROOT.parent / "shared" / "data")
    for folder in folders:
        archive = folder / "cifar10-jpeg.tar.gz"
        if archive.is_file():
            break
    else:
        pytest.skip("needs cifar10-jpeg.tar.gz: name its folder in DLNATIVE_DATA")
    place = tmp_path_factory.mktemp("photographs")
    safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Python 3.11.4
    with tarfile.open(archive) as contents:
        for member in contents:
            if member.name.startswith("train"):  # sorted: nothing of the test set follows
                break
            contents.extract(member, place, **safely)
    return place / "test"


@pytest.fixture(autouse=True)
def seeded():
    """Weights, masks and shuffles are the same in every run, in whatever order the tests run.

    So are those of Keras, which takes its seeds from Python's generator.
    """
    from dlnative.utils import set_random_seed

    set_random_seed(20260101)
    random.seed(20260101)


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run."""
    return np.random.Generator(np.random.PCG64(20260101))


# They choose among kernels and threads, of which the oracle has none.
_NATIVE_FIXTURES = frozenset({"isa", "conv_algorithm", "threads"})


def pytest_collection_modifyitems(items):
    """Tests of the native engine are skipped where the suite runs on the other one."""
    from dlnative import config

    if config.current_engine() == "numpy":
        skip = pytest.mark.skip(reason="a test of the native engine")
        for item in items:
            chosen = _NATIVE_FIXTURES.intersection(item.fixturenames)
            if chosen or item.get_closest_marker("native"):
                item.add_marker(skip)


def pytest_generate_tests(metafunc):
    """`isa` runs a test once per instruction set that this machine supports."""
    if "isa" in metafunc.fixturenames:
        from dlnative import config

        metafunc.parametrize("isa", config.available_isas(), indirect=True)


@pytest.fixture
def isa(request):
    """The kernels of one instruction set, for the length of a test."""
    from dlnative import _core

    before = _core.isa()
    _core.set_isa(request.param)
    yield request.param
    _core.set_isa(before)


@pytest.fixture(params=["direct", "winograd"])
def conv_algorithm(request):
    """With and without Winograd's algorithm wherever it applies, for the length of a test."""
    from dlnative import config

    config.set_conv_algorithm(request.param)
    yield request.param
    config.set_conv_algorithm("auto")


@pytest.fixture
def threads():
    """A function that sets the number of threads; the former number comes back after the test."""
    from dlnative import config

    before = config.num_threads()
    yield config.set_num_threads
    config.set_num_threads(before)


@pytest.fixture
def run(capsys):
    """Returns a function that runs a command line in this process: status, stdout, stderr."""
    from dlnative.cli import main

    def call(*arguments):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as exit:
            status = exit.code
        out, err = capsys.readouterr()
        return status, out, err

    return call


@pytest.fixture
def fails(run, tmp_path, monkeypatch):
    """Returns a function that runs a command that must fail with one line; returns that line."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        before = sorted(tmp_path.rglob("*"))
        status, out, err = run(*arguments)
        assert status == 2
        assert out == ""
        assert err.startswith("dlnative: error: ")
        assert err.count("\n") == 1
        assert sorted(tmp_path.rglob("*")) == before, "it left files behind"
        return err

    return call


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


@pytest.fixture
def serve():
    """Returns a function that serves a folder on this machine and returns its address."""
    running = []

    def start(folder: Path) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=folder))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_address[1]}/"

    yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()
