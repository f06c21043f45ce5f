"""Data that PyTorch reads: `fit` takes a DataLoader as it is.

    python examples/pytorch_data.py

The Dataset shifts each digit by a pixel or none, anew each time it is asked, and the DataLoader
shuffles them and makes batches. What it yields are tensors of PyTorch.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset

import dlnative as keras
from dlnative import layers


class Digits(Dataset):
    """The handwritten digits of scikit-learn; shifted at random if `shift` is more than 0."""

    def __init__(self, part: slice, shift: int = 0) -> None:
        bunch = load_digits()
        self.x = torch.tensor(bunch.images[part], dtype=torch.float32)[..., None] / 16
        self.y = torch.tensor(bunch.target[part])
        self.shift = shift

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        by = torch.randint(-self.shift, self.shift + 1, (2,)).tolist()
        return torch.roll(self.x[index], by, dims=(0, 1)), self.y[index]


def make_model() -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    return model


def main(epochs: int = 15) -> None:
    train = DataLoader(Digits(slice(0, 1500), shift=1), batch_size=32, shuffle=True)
    test = DataLoader(Digits(slice(1500, None)), batch_size=100)
    model = make_model()
    model.fit(train, epochs=epochs, validation_data=test, verbose=2)
    loss, accuracy = model.evaluate(test, verbose=0)
    print(f"test loss {loss:.3f}, accuracy {accuracy:.2%}")
    chances = model.predict(test, verbose=0)
    print("first five:", np.argmax(chances[:5], axis=1), "are", test.dataset.y[:5].numpy())


if __name__ == "__main__":
    main()
