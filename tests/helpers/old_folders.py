"""A model that each version of the format was written with: `python old_folders.py version_N`.

The folders under `tests/saved_models` were written by this program with the package of each version
on the path: 1 by commit 9340c89, 2 by the one before ff3d24a, 3 by a8b5f3a, 4 by the one that added
this line. They are never written again.
"""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path

import numpy as np

import dlnative
from dlnative import layers, utils

CLASSES = ["cat", "dog", "fox"]
TRAINING = {"epochs": 3, "rate": 0.5}
PREPROCESSING = {"mean": [0.25, -1.0]}


@utils.register_keras_serializable("old_folders")
class Pair(layers.Layer):
    """Makes two layers itself."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.Dense(3, activation="tanh")
        self.second = layers.Dense(2, use_bias=False)

    def call(self, inputs):
        return self.second(self.first(inputs))


def make_model(version):
    """A nested model that is called twice, layers that draw, and a layer that makes layers."""
    inner = dlnative.Sequential(
        [layers.Input((4,)), layers.Dense(4, activation="tanh", name="dense"), layers.Dropout(0.5)],
        name="inner",
    )
    inputs = layers.Input((4,), name="inputs")
    hidden = inner(inner(inputs))
    if version > 1:  # there was none before
        hidden = layers.BatchNormalization(name="norm")(hidden)
    pair = Pair(name="pair")(layers.Dropout(0.25, name="drop")(hidden))
    return dlnative.Model(inputs, layers.Dense(3, name="out")(pair), name="model")


def numbers(shapes):
    """Weights that can be told from each other, a list of arrays of these shapes."""
    return [
        np.sin(np.arange(np.prod(shape, dtype=int)) + 10 * i).reshape(shape).astype(np.float32)
        for i, shape in enumerate(shapes)
    ]


def train(model):
    """Two epochs; returns the logs."""
    x = np.sin(np.arange(40.0)).reshape(10, 4)
    return model.fit(x, x[:, :3], batch_size=4, epochs=2, verbose=0).history


def main():
    folder = Path(sys.argv[1])
    version = int(folder.name.removeprefix("version_"))
    model = make_model(version)
    if version > 3:
        model.compile(dlnative.optimizers.Adam(0.01, use_ema=True), "mse", metrics=["mae"])
        train(model)
    model.set_weights(numbers([w.shape for w in model.get_weights()]))
    save = functools.partial(dlnative.saving.save, model, folder)
    save(classes=CLASSES, preprocessing=PREPROCESSING, training=TRAINING)
    if version > 3:
        (folder / "next.json").write_text(json.dumps(train(model)) + "\n")


if __name__ == "__main__":
    main()
