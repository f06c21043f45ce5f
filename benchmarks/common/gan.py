"""The GAN of `bench_gan.py`: sizes, and the images and noise that all libraries are given."""

from __future__ import annotations

from typing import Any

import numpy as np

NOISE = 32  # numbers that an image is made of
SPEC: dict[str, Any] = {"batch": 64, "seed": 1, "rate": 2e-4}


def given(spec: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Images (batch, 28, 28, 1) and noise (batch, NOISE)."""
    rng = np.random.default_rng(spec["seed"])
    images = rng.random((spec["batch"], 28, 28, 1), dtype=np.float32)
    return images, rng.standard_normal((spec["batch"], NOISE), dtype=np.float32)
