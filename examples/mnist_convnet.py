"""A convolutional network that reads handwritten digits.

    python examples/mnist_convnet.py [folder]

The folder has the four IDX files of MNIST, plain or `.gz`. Without one, the network learns the
smaller digits that come with scikit-learn, of 8x8 pixels.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import dlnative as keras
from dlnative import layers


def load_data(folder: str | None = None) -> tuple[np.ndarray, ...]:
    """Training images, training labels, test images, test labels; pixels from 0 to 1."""
    if folder is None:
        bunch = load_digits()
        x, y = bunch.images[..., None] / 16, bunch.target
        return x[:1500], y[:1500], x[1500:], y[1500:]
    arrays = []
    for part in ("train", "t10k"):
        images = read_idx(folder, f"{part}-images-idx3-ubyte", header=16)
        arrays.append(images.reshape(-1, 28, 28, 1).astype("float32") / 255)
        arrays.append(read_idx(folder, f"{part}-labels-idx1-ubyte", header=8))
    return tuple(arrays)


def read_idx(folder: str, name: str, header: int) -> np.ndarray:
    """The bytes of a file after its header."""
    plain = Path(folder, name)
    packed = plain.with_name(f"{name}.gz")
    content = gzip.decompress(packed.read_bytes()) if packed.exists() else plain.read_bytes()
    return np.frombuffer(content, np.uint8, offset=header)


def make_model(shape: tuple[int, ...], dropout: float = 0.5) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(dropout),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(folder: str | None = None, epochs: int | None = None) -> None:
    x_train, y_train, x_test, y_test = load_data(folder)
    model = make_model(x_train.shape[1:])
    model.summary()
    epochs = epochs or (3 if folder else 30)
    model.fit(x_train, y_train, batch_size=64, epochs=epochs, validation_split=0.1, verbose=2)
    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"test loss {loss:.3f}, accuracy {accuracy:.2%} of {len(x_test)} digits")


if __name__ == "__main__":
    main(*sys.argv[1:])
