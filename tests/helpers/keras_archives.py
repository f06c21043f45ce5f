"""Small models in files of Keras, and changes of such files."""

from __future__ import annotations

import json

import keras_files as campaign
import numpy as np

import dlnative
from dlnative import layers


def small(units=3, names=("first", "second")):
    model = dlnative.Sequential(
        [
            dlnative.Input((4,)),
            layers.Dense(units, activation="relu", name=names[0]),
            layers.Dense(2, name=names[1]),
        ]
    )
    model.compile("adam", "mse", metrics=["mae"])
    return model


def fitted(rng, **options):
    model = small(**options)
    model.fit(rng.normal(size=(8, 4)), rng.normal(size=(8, 2)), verbose=0)
    return model


def edit(path, **members):
    """Puts other members into an archive; None removes one."""
    found = campaign.read_archive(path.read_bytes())
    for name, content in members.items():
        found[name.replace("__", ".")] = content
    found = {name: content for name, content in found.items() if content is not None}
    path.write_bytes(campaign.write_archive(found.items()))


def edit_config(path, change):
    config = json.loads(campaign.read_archive(path.read_bytes())["config.json"])
    change(config)
    edit(path, config__json=json.dumps(config).encode())


def equal(a, b):
    a, b = a.get_weights(), b.get_weights()
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
