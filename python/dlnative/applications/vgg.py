"""VGG: pairs of 3x3 convolutions, each pair followed by pooling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import layers
from ..models import Sequential
from .arguments import check_image_size, check_option


def vgg6(
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    dropout: float = 0.0,
    normalization: str | None = None,
    classifier_activation: str | Callable[..., Any] | None = "softmax",
    name: str = "vgg6",
) -> Sequential:
    """Six 3x3 convolutions, 64-64-128-128-256-256, max pooling after each pair, dense 256.

    2,196,810 parameters for 32x32x3 images and 10 classes without normalization.

    Args:
        input_shape: (height, width, channels); 8x8 pixels at least.
        classes: Size of the output.
        dropout: Rate before each dense layer, 0 for none.
        normalization: "batch" for batch normalization between each convolution and its ReLU.
        classifier_activation: Activation of the output; None for logits.
        name: Name of the model.

    Returns:
        A Sequential model.

    Raises:
        TypeError: A size is not an integer.
        ValueError: The images are too small, a size below 1, a rate outside [0, 1), or an unknown
            normalization.

    Example:
        >>> from dlnative import applications
        >>> applications.vgg6().count_params()
        2196810

    Reference:
        Simonyan and Zisserman 2015, "Very deep convolutional networks for large-scale image
        recognition", cut to three pairs for small images; initial weights by He et al. 2015.
    """
    shape = check_image_size("vgg6", input_shape, 8)
    check_option("vgg6", "normalization", normalization, (None, "batch"))
    stack = [layers.Input(shape, name="images")]
    for block, filters in enumerate((64, 128, 256), start=1):
        for i in (1, 2):
            stack += _convolution(filters, normalization, f"block{block}_conv{i}")
        stack.append(layers.MaxPooling2D(2, name=f"block{block}_pool"))
    stack.append(layers.Flatten(name="flatten"))
    if dropout:
        stack.append(layers.Dropout(dropout, name="dropout1"))
    stack.append(layers.Dense(256, activation="relu", kernel_initializer="he_normal", name="dense"))
    if dropout:
        stack.append(layers.Dropout(dropout, name="dropout2"))
    stack.append(layers.Dense(classes, activation=classifier_activation, name="predictions"))
    return Sequential(stack, name=name)


def _convolution(filters: int, normalization: str | None, name: str) -> list[layers.Layer]:
    """A 3x3 convolution, its normalization if it has one, and ReLU."""
    options: dict[str, Any] = {"padding": "same", "kernel_initializer": "he_normal", "name": name}
    if normalization is None:
        return [layers.Conv2D(filters, 3, activation="relu", **options)]
    return [
        layers.Conv2D(filters, 3, use_bias=False, **options),
        layers.BatchNormalization(name=f"{name}_bn"),
        layers.Activation("relu", name=f"{name}_relu"),
    ]
