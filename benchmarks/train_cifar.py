"""Trains residual networks on the CIFAR-10 images and records the curves.

The recipe is that of He et al. 2015, section 4.2: SGD with momentum 0.9, images flipped, and
cropped after padding with 4 pixels; the learning rate follows one cosine. DIR holds
`train/<class>/*.jpg` and `test/<class>/*.jpg`, or is whatever `datasets.cifar10` reads.

    python train_cifar.py DIR --model resnet20 --epochs 12 --out results/cifar_resnet20.json
    python train_cifar.py DIR --model resnet56 --plain --images 10000 --epochs 6
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import dlnative
from common.machine import describe_machine
from dlnative import applications, callbacks, layers


def read_images(folder: Path) -> tuple[Any, Any]:
    """Returns (x, y) for training and for testing, x of uint8."""
    if (folder / "train").is_dir():
        from dlnative.data import image_folder

        train, test = (image_folder(folder / part) for part in ("train", "test"))
        return (train.x, train.y), (test.x, test.y)
    return dlnative.datasets.cifar10.load_data(folder)


def build(name: str, residual: bool, seed: int) -> Any:
    """The network behind augmentation and scaling."""
    network = getattr(applications, name)(classes=10, residual=residual)
    return dlnative.Sequential(
        [
            dlnative.Input((32, 32, 3), dtype="uint8"),
            layers.RandomFlip("horizontal", seed=seed),
            layers.RandomCrop(32, 32, padding=4, seed=seed + 1),
            layers.Rescaling(1 / 64, -2.0),
            network,
        ]
    )


def _without_out(arguments: list[str]) -> list[str]:
    """The arguments without the place of the result, which belongs to one machine."""
    if "--out" not in arguments:
        return arguments
    at = arguments.index("--out")
    return arguments[:at] + arguments[at + 2 :]


def main() -> int:
    """Runs the training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="resnet20")
    parser.add_argument("--plain", action="store_true", help="without shortcuts")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--images", type=int, help="this many training images, drawn at random")
    parser.add_argument("--test-images", type=int, help="the first of a random order")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()

    (x, y), test = read_images(options.folder)
    if options.images is not None:
        chosen = np.sort(np.random.default_rng(options.seed).permutation(len(x))[: options.images])
        x, y = np.asarray(x[chosen]), y[chosen]
    if options.test_images is not None:
        order = np.random.default_rng(options.seed).permutation(len(test[0]))
        chosen = np.sort(order[: options.test_images])
        test = np.asarray(test[0][chosen]), test[1][chosen]
    dlnative.utils.set_random_seed(options.seed)
    model = build(options.model, not options.plain, options.seed)
    optimizer = dlnative.optimizers.SGD(options.learning_rate, momentum=0.9, weight_decay=5e-4)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])

    steps = -(-len(x) // options.batch_size) * options.epochs

    def set_rate(batch: int, logs: dict[str, float] | None = None) -> None:
        # One cosine over all steps, after a rise over the first twentieth.
        step = float(np.asarray(optimizer.iterations))
        rise = min(1.0, (step + 1) / (0.05 * steps))
        cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
        optimizer.learning_rate = options.learning_rate * rise * cosine

    start = time.perf_counter()
    seconds: list[float] = []
    history = model.fit(
        x,
        y,
        batch_size=options.batch_size,
        epochs=options.epochs,
        validation_data=test,
        callbacks=[
            callbacks.LambdaCallback(
                on_train_batch_begin=set_rate,
                on_epoch_end=lambda epoch, logs: seconds.append(time.perf_counter() - start),
            )
        ],
        verbose=2,
    )
    result = {
        "command": "python train_cifar.py DIR " + " ".join(_without_out(sys.argv[2:])),
        "model": options.model + (" without shortcuts" if options.plain else ""),
        "parameters": model.count_params(),
        "training_images": len(x),
        "test_images": len(test[0]),
        "seconds_at_epoch_end": [round(s, 1) for s in seconds],
        "curves": {k: [round(float(v), 5) for v in vs] for k, vs in history.history.items()},
        "machine": describe_machine(),
    }
    accuracy = history.history["val_accuracy"][-1]
    print(f"{result['model']}: test accuracy {accuracy:.4f} after {seconds[-1]:.0f} s")
    if options.out is not None:
        options.out.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
