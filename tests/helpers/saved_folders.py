"""A saved model, and what may be done to its folder."""

from __future__ import annotations

import hashlib
import json

import dlnative
from dlnative import layers


def make_model(seed: int = 0):
    dlnative.config.set_seed(seed)
    return dlnative.Sequential(
        [
            layers.Input((2, 3)),
            layers.Rescaling(0.5),
            layers.Flatten(),
            layers.Dense(4, activation="relu", name="hidden"),
            layers.Dropout(0.5),
            layers.Dense(2),
        ]
    )


def edit(folder, change):
    """Applies a function to the configuration in a folder, which goes without a checksum then."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config.pop("sha256", None)
    path.write_text(json.dumps(change(config) or config))


def weights_of(folder):
    """The path of the weights."""
    return folder / json.loads((folder / "config.json").read_text())["weights"]["file"]


def rewrite_weights(folder, content: bytes):
    """Replaces the weights and makes the configuration vouch for them."""
    weights_of(folder).write_bytes(content)
    edit(folder, lambda c: c["weights"].update(sha256=hashlib.sha256(content).hexdigest()))


def with_header(header, values=b""):
    """A safetensors file of this header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + values
