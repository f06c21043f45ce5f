"""What the values of options look like. Nothing is imported here but the standard library."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeVar

__all__ = [
    "AUGMENTATIONS",
    "FLIPS",
    "MODELS",
    "augmentations",
    "folds",
    "fraction",
    "image_size",
    "log_file",
    "positive",
    "positive_number",
    "seed",
    "shape",
    "sizes",
]

Value = TypeVar("Value", int, float)

MODELS = (
    "mlp",
    "lenet5",
    "lenet",
    "vgg6",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet56",
    "resnet110",
)

FLIPS = {"horizontal": "horizontal", "vertical": "vertical", "both": "horizontal_and_vertical"}

# What --augment can name, and how much of it where that is not said: pixels of padding for crop,
# shares of the image's side for translation, zoom, shear and perspective, of a full turn for
# rotation, of the range of a pixel for brightness, of its distance from the mean for contrast, of
# half the circle of hues for hue, probabilities for grayscale, invert, blur and erasing; of the
# largest change for the others.
AUGMENTATIONS: dict[str, str | int | float] = {
    "flip": "horizontal",
    "crop": 4,
    "translation": 0.1,
    "rotation": 0.05,
    "zoom": 0.1,
    "shear": 0.1,
    "perspective": 0.2,
    "elastic": 0.2,
    "brightness": 0.2,
    "contrast": 0.2,
    "saturation": 0.3,
    "hue": 0.1,
    "grayscale": 0.1,
    "invert": 0.1,
    "sharpness": 0.5,
    "blur": 0.3,
    "erasing": 0.3,
    "randaugment": 0.3,
    "augmix": 0.3,
}


def log_file(text: str) -> str:
    """`log.csv` or `log.jsonl`"""
    if not text.endswith((".csv", ".jsonl")):
        raise argparse.ArgumentTypeError(
            f"expected a file whose name ends in .csv or .jsonl, received {text!r}"
        )
    return text


def positive(text: str) -> int:
    """`12`"""
    return _number(text, int, lambda n: n > 0, "a positive integer")


def folds(text: str) -> int:
    """`5`"""
    return _number(text, int, lambda n: n > 1, "an integer from 2 on")


def seed(text: str) -> int:
    """`0`"""
    return _number(text, int, lambda n: 0 <= n < 2**32, "an integer from 0 to 2**32 - 1")


def positive_number(text: str) -> float:
    """`0.01`"""
    return _number(text, float, lambda n: 0 < n < float("inf"), "a positive number")


def fraction(text: str) -> float:
    """`0.2`"""
    return _number(text, float, lambda n: 0 <= n < 1, "a number from 0 up to, not including, 1")


def sizes(text: str) -> list[int]:
    """`512,256`, or `none`"""
    return [] if text == "none" else [positive(size) for size in text.split(",")]


def shape(text: str) -> tuple[int, ...]:
    """`32,32,3`"""
    return tuple(positive(size) for size in text.split(","))


def image_size(text: str) -> tuple[int, int]:
    """`64` or `48x64`, which is height and width"""
    height, by, width = text.partition("x")
    try:
        return positive(height), positive(width if by else height)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"expected N or HEIGHTxWIDTH, received {text!r}") from None


def augmentations(text: str) -> dict[str, str | int | float]:
    """`flip,crop` or `flip=both,crop=2,zoom=0.2`, in the order of application"""
    chosen: dict[str, str | int | float] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if name not in AUGMENTATIONS:
            raise argparse.ArgumentTypeError(
                f"expected names among {', '.join(AUGMENTATIONS)}, received {part!r}"
            )
        chosen[name] = _amount(name, value) if equals else AUGMENTATIONS[name]
    return chosen


def _amount(name: str, text: str) -> str | int | float:
    if name == "flip":
        if text not in FLIPS:
            raise argparse.ArgumentTypeError(
                f"expected flip to be {', '.join(FLIPS)}, received {text!r}"
            )
        return text
    try:
        if name == "crop":
            return positive(text)
        return _number(text, float, lambda n: 0 < n <= 1, "a number above 0 and up to 1")
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{name}: {error}") from None


def _number(
    text: str, kind: Callable[[str], Value], accept: Callable[[Value], bool], expected: str
) -> Value:
    try:
        number: Value | None = kind(text)
    except ValueError:
        number = None
    if number is None or not accept(number):
        raise argparse.ArgumentTypeError(f"expected {expected}, received {text!r}")
    return number
