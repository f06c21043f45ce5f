"""Trains a small convolutional network on handwritten digits and draws what came out.

    make demo
    python examples/demo.py [picture.png]

The digits are scikit-learn's. It prints the test accuracy and the speed of training, and writes a
picture: the curves of loss and accuracy, the filters that the first layer has learned, and a grid
of test digits in which every mistake is framed.
"""

from __future__ import annotations

import math
import sys
import time

import matplotlib
import numpy as np
from tqdm import tqdm

import dlnative as keras
from dlnative import layers
from dlnative.datasets import digits

matplotlib.use("Agg")
import matplotlib.pyplot as plt

EPOCHS = 40
BATCH_SIZE = 32
LEARNING_RATE = 0.002
ROWS, COLUMNS = 5, 10

INK = "#1f2933"
PALE = "#9aa5b1"
TRAIN = "#2563eb"
TEST = "#f59e0b"
WRONG = "#dc2626"


def main(picture: str = "demo.png") -> None:
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    model = make_model()

    start = time.perf_counter()
    with tqdm(total=EPOCHS, unit="epoch", disable=None) as bar:
        history = model.fit(
            x_train,
            y_train,
            batch_size=BATCH_SIZE,
            epochs=EPOCHS,
            validation_data=(x_test, y_test),
            callbacks=[show_in(bar), anneal(model.optimizer)],
            verbose=0,
        ).history
    seconds = time.perf_counter() - start

    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    logits = model.predict(x_test, verbose=0)
    filters = model.get_layer("conv1").get_weights()[0]
    draw(history, filters, x_test, y_test, logits.argmax(axis=1), picture)

    steps = EPOCHS * -(-len(x_train) // BATCH_SIZE)
    print(f"test accuracy   {accuracy:.2%} of {len(x_test)} digits, loss {loss:.3f}")
    print(f"speed           {EPOCHS * len(x_train) / seconds:,.0f} samples/s")
    print(f"training step   {seconds / steps * 1e6:.0f} microseconds, batch {BATCH_SIZE}")
    print(f"picture         {picture}")


def show_in(bar: tqdm) -> keras.callbacks.Callback:
    """A callback that moves the bar; `verbose=1` would print a line per epoch instead."""

    def on_epoch_end(epoch: int, logs: dict[str, float]) -> None:
        bar.set_postfix(loss=f"{logs['loss']:.3f}", test=f"{logs['val_accuracy']:.1%}")
        bar.update()

    return keras.callbacks.LambdaCallback(on_epoch_end=on_epoch_end)


def anneal(optimizer: keras.optimizers.Optimizer) -> keras.callbacks.Callback:
    """A callback that lowers the learning rate along half a cosine, epoch by epoch."""

    def on_epoch_begin(epoch: int, logs: dict[str, float] | None = None) -> None:
        optimizer.learning_rate = LEARNING_RATE * (1 + math.cos(math.pi * epoch / EPOCHS)) / 2

    return keras.callbacks.LambdaCallback(on_epoch_begin=on_epoch_begin)


def make_model() -> keras.Model:
    keras.config.set_seed(0)
    model = keras.Sequential(
        [
            layers.Input((8, 8)),
            layers.Rescaling(1 / 16),
            layers.Reshape((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="conv1"),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.4),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(LEARNING_RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def draw(
    history: dict[str, list[float]],
    filters: np.ndarray,
    images: np.ndarray,
    labels: np.ndarray,
    predictions: np.ndarray,
    picture: str,
) -> None:
    plt.rcParams.update(
        {
            "font.size": 10,
            "text.color": INK,
            "axes.edgecolor": PALE,
            "axes.labelcolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#e4e7eb",
        }
    )
    figure = plt.figure(figsize=(13.5, 7), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06)
    curves, right = figure.subfigures(1, 2, width_ratios=[1, 1.7], wspace=0.04)
    above, below = right.subfigures(2, 1, height_ratios=[1, 2.1], hspace=0.04)
    draw_curves(curves, history)
    draw_filters(above, filters)
    draw_grid(below, images, labels, predictions)
    figure.savefig(picture, dpi=120)
    plt.close(figure)


def draw_curves(figure: plt.Figure, history: dict[str, list[float]]) -> None:
    figure.suptitle(f"{len(history['loss'])} epochs of training", fontsize=14, weight="bold")
    epochs = np.arange(1, len(history["loss"]) + 1)
    above, below = figure.subplots(2, 1, sharex=True)
    above.semilogy(epochs, history["loss"], color=TRAIN, lw=2, label="training set")
    above.semilogy(epochs, history["val_loss"], color=TEST, lw=2, label="test set")
    above.set_ylabel("loss")
    above.legend(frameon=False)
    for name, color in (("accuracy", TRAIN), ("val_accuracy", TEST)):
        percent = 100 * np.array(history[name])
        below.plot(epochs, percent, color=color, lw=2)
        below.annotate(
            f"{percent[-1]:.1f}",
            (epochs[-1], percent[-1]),
            xytext=(5, 0),
            textcoords="offset points",
            color=color,
            va="center",
            weight="bold",
        )
    below.set_ylim(90, 100.4)
    below.set_ylabel("accuracy, %")
    below.set_xlabel("epoch")
    below.set_xlim(1, len(epochs))


def draw_filters(figure: plt.Figure, filters: np.ndarray) -> None:
    """Draws filters of shape (3, 3, 1, n), all in one scale: red adds, blue takes away."""
    count = filters.shape[-1]
    figure.suptitle(
        f"the {count} filters of the first layer, 3x3 weights each", fontsize=14, weight="bold"
    )
    limit = np.abs(filters).max()
    for i, axes in enumerate(figure.subplots(2, count // 2).flat):
        shown = axes.imshow(filters[:, :, 0, i], cmap="RdBu_r", vmin=-limit, vmax=limit)
        axes.set(xticks=[], yticks=[])
        axes.grid(False)
        for spine in axes.spines.values():
            spine.set(visible=True, color="#e4e7eb")
    bar = figure.colorbar(shown, ax=figure.axes, shrink=0.9, pad=0.02)
    bar.outline.set_visible(False)


def draw_grid(
    figure: plt.Figure, images: np.ndarray, labels: np.ndarray, predictions: np.ndarray
) -> None:
    wrong = predictions != labels
    figure.suptitle(
        f"{wrong.sum()} of {len(labels)} test digits are read wrongly",
        fontsize=14,
        weight="bold",
    )
    # Mistakes come first, then the others in the order of the test set.
    order = np.argsort(~wrong, kind="stable")[: ROWS * COLUMNS]
    for axes, i in zip(figure.subplots(ROWS, COLUMNS).flat, order, strict=True):
        axes.imshow(images[i], cmap="gray_r", interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        axes.grid(False)
        if wrong[i]:
            title, color = f"{predictions[i]}, is {labels[i]}", WRONG
        else:
            title, color = str(predictions[i]), INK
        axes.set_title(title, color=color, fontsize=10, weight="bold" if wrong[i] else None, pad=3)
        for spine in axes.spines.values():
            spine.set(visible=True, color=WRONG if wrong[i] else "#e4e7eb")
            spine.set_linewidth(2.5 if wrong[i] else 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
