"""The oracle's tests: helpers on the import path, and real Keras where it is installed."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent / "helpers"))


@pytest.fixture
def keras() -> Iterator[ModuleType]:
    """Real Keras on JAX, computing in float64; tests that use it are skipped where it is absent."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    jax = pytest.importorskip("jax")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("keras")
    if module.backend.backend() != "jax":
        pytest.skip(f"needs Keras on JAX, found it on {module.backend.backend()}")
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield module
    jax.config.update("jax_enable_x64", before)
