"""Settings of the process: threads, instruction set, engine, default dtype and seed."""

from __future__ import annotations

import contextlib

_state = {"floatx": "float32", "epsilon": 1e-7, "engine": None, "seed": None}


def floatx():
    """The default dtype of layers, "float32" or "float64"."""
    return _state["floatx"]


def set_floatx(dtype):
    """Sets the default dtype of layers that are made from now on.

    Raises:
        ValueError: `dtype` is neither "float32" nor "float64".
    """
    if dtype not in ("float32", "float64"):
        raise ValueError(f"set_floatx: expected 'float32' or 'float64', received {dtype!r}")
    _state["floatx"] = dtype


def epsilon():
    """The small number that losses and optimizers add or clip with, 1e-7."""
    return _state["epsilon"]


def set_num_threads(n):
    """Sets how many threads an op may use at most. Results do not depend on it.

    Raises:
        ValueError: `n` is not a positive integer.
    """
    from . import _core

    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"set_num_threads: expected a positive integer, received {n!r}")
    _core.set_num_threads(n)


def num_threads():
    """The number of threads that an op may use at most."""
    from . import _core

    return _core.num_threads()


def isa():
    """Name of the instruction set in use."""
    from . import _core

    return _core.isa()


def available_isas():
    """Names of the instruction sets that this build has and this machine supports, best first."""
    from . import _core

    return _core.available_isas()


def current_engine():
    """Name of the engine that runs models: "native" or "numpy"."""
    if _state["engine"] is None:
        import os

        set_engine(os.environ.get("DLNATIVE_ENGINE", "native"))
    return _state["engine"]


def set_engine(name):
    """Chooses what runs models: "native" (C++) or "numpy" (the oracle).

    Raises:
        ValueError: There is no engine of that name.
    """
    if name not in ("native", "numpy"):
        raise ValueError(f"set_engine: expected 'native' or 'numpy', received {name!r}")
    _state["engine"] = name


@contextlib.contextmanager
def engine(name):
    """Runs models on another engine for the length of a `with` block."""
    before = current_engine()
    set_engine(name)
    try:
        yield
    finally:
        _state["engine"] = before


def set_seed(seed):
    """Fixes every random number drawn from now on: weights, shuffles, masks.

    Args:
        seed: An integer, 0 or greater.
    """
    from .random import set_random_seed

    set_random_seed(seed)
