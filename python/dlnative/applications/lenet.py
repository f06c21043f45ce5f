"""LeNet: two convolutions with pooling, then dense layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import layers
from ..models import Sequential
from .arguments import check_image_size


def lenet5(
    input_shape: Sequence[int] = (28, 28, 1),
    classes: int = 10,
    classifier_activation: str | Callable[..., Any] | None = "softmax",
    name: str = "lenet5",
) -> Sequential:
    """LeNet-5: 6 and 16 filters of 5x5, tanh, average pooling, dense layers of 120 and 84.

    61,706 parameters for 28x28x1 images and 10 classes.

    Args:
        input_shape: (height, width, channels); 12x12 pixels at least. Below 32x32 the first
            convolution pads with zeros, as the paper does with the 28x28 digits.
        classes: Size of the output.
        classifier_activation: Activation of the output; None for logits.
        name: Name of the model.

    Returns:
        A Sequential model.

    Raises:
        TypeError: A size is not an integer.
        ValueError: The images are too small, or a size below 1.

    Example:
        >>> from dlnative import applications
        >>> applications.lenet5().count_params()
        61706

    Differs from the paper: every filter of the second convolution sees all 6 maps, pooling has no
    weights, tanh is not scaled, and the output is a softmax in the place of radial basis functions.

    Reference:
        LeCun et al. 1998, "Gradient-based learning applied to document recognition", section II.
    """
    height, width, channels = check_image_size("lenet5", input_shape, 12)
    padding = "same" if min(height, width) < 32 else "valid"
    return Sequential(
        [
            layers.Input((height, width, channels), name="images"),
            layers.Conv2D(6, 5, padding=padding, activation="tanh", name="conv1"),
            layers.AveragePooling2D(2, name="pool1"),
            layers.Conv2D(16, 5, activation="tanh", name="conv2"),
            layers.AveragePooling2D(2, name="pool2"),
            layers.Flatten(name="flatten"),
            layers.Dense(120, activation="tanh", name="dense1"),
            layers.Dense(84, activation="tanh", name="dense2"),
            layers.Dense(classes, activation=classifier_activation, name="predictions"),
        ],
        name=name,
    )


def lenet(
    input_shape: Sequence[int] = (28, 28, 1),
    classes: int = 10,
    dropout: float = 0.0,
    classifier_activation: str | Callable[..., Any] | None = "softmax",
    name: str = "lenet",
) -> Sequential:
    """The wide LeNet: 32 and 64 filters of 5x5, ReLU, max pooling, a dense layer of 512.

    1,663,370 parameters for 28x28x1 images and 10 classes.

    Args:
        input_shape: (height, width, channels); 4x4 pixels at least.
        classes: Size of the output.
        dropout: Rate after the dense layer, 0 for none; the tutorial that made this network known
            has 0.5.
        classifier_activation: Activation of the output; None for logits.
        name: Name of the model.

    Returns:
        A Sequential model.

    Raises:
        TypeError: A size is not an integer.
        ValueError: The images are too small, a size below 1, or a rate outside [0, 1).

    Example:
        >>> from dlnative import applications
        >>> applications.lenet().count_params()
        1663370

    Reference:
        LeCun et al. 1998, "Gradient-based learning applied to document recognition", with the
        widths of TensorFlow's MNIST tutorial (2015).
    """
    shape = check_image_size("lenet", input_shape, 4)
    stack = [
        layers.Input(shape, name="images"),
        layers.Conv2D(32, 5, padding="same", activation="relu", name="conv1"),
        layers.MaxPooling2D(2, name="pool1"),
        layers.Conv2D(64, 5, padding="same", activation="relu", name="conv2"),
        layers.MaxPooling2D(2, name="pool2"),
        layers.Flatten(name="flatten"),
        layers.Dense(512, activation="relu", name="dense"),
        layers.Dropout(dropout, name="dropout"),
        layers.Dense(classes, activation=classifier_activation, name="predictions"),
    ]
    return Sequential([each for each in stack if dropout or each.name != "dropout"], name=name)
