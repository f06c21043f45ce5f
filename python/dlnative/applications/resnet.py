"""Residual networks: those for CIFAR, and ResNet-18."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import layers
from ..graph import Tensor
from ..models import Model
from .arguments import check_image_size, check_option


def resnet18(
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    stem: str | None = None,
    residual: bool = True,
    shortcut: str = "B",
    zero_init_residual: bool = False,
    kernel_regularizer: Any = None,
    classifier_activation: str | Callable[..., Any] | None = "softmax",
    name: str = "resnet18",
) -> Model:
    """ResNet-18: four stages of two blocks with 64, 128, 256 and 512 filters.

    11,183,562 parameters (11,173,962 of them trainable) for 32x32x3 images and 10 classes.

    Args:
        input_shape: (height, width, channels).
        classes: Size of the output.
        stem: "small" for a 3x3 convolution with stride 1, "large" for the paper's 7x7 with stride 2
            and 3x3 max pooling with stride 2; by default "large" from 64x64 pixels on.
        residual: Whether blocks have shortcuts; without, it is the paper's plain network.
        shortcut: Where the shape changes: "A" takes every second pixel and appends channels of
            zeros, "B" is a 1x1 convolution with batch normalization.
        zero_init_residual: Whether the last batch normalization of each block starts with gamma 0,
            so that each block starts as the identity (Goyal et al. 2017).
        kernel_regularizer: Of all convolutions and the dense layer; see `regularizers.get`.
        classifier_activation: Activation of the output; None for logits.
        name: Name of the model.

    Returns:
        A functional Model.

    Raises:
        TypeError: A size is not an integer.
        ValueError: A size below 1, an unknown option, or `zero_init_residual` without `residual`.

    Example:
        >>> from dlnative import applications
        >>> applications.resnet18(classes=100).output_shape
        (None, 100)

    Differs from the paper: where images halve, padding is "same", so for even sizes the odd row of
    zeros is at the bottom.

    Reference:
        He et al. 2015, "Deep residual learning for image recognition", table 1.
    """
    shape = check_image_size("resnet18", input_shape)
    check_option("resnet18", "stem", stem, (None, "small", "large"))
    large = stem == "large" or (stem is None and min(shape[:2]) >= 64)
    parts = _Parts("resnet18", residual, shortcut, zero_init_residual, kernel_regularizer)
    images = layers.Input(shape, name="images")
    x = parts.convolution(images, 64, 7 if large else 3, 2 if large else 1, "stem")
    if large:
        x = layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
    x = parts.stages(x, (64, 128, 256, 512), 2)
    return Model(images, parts.classifier(x, classes, classifier_activation), name=name)


_DOCSTRING = """ResNet-{depth} for CIFAR: three stages of {blocks} blocks of 16, 32 and 64 filters.

    A block is conv 3x3, batch normalization, ReLU, conv 3x3, batch normalization, plus the block's
    input, then ReLU; the first block of a stage halves the image. {parameters:,} trainable
    parameters for 32x32x3 images and 10 classes.

    Args:
        input_shape: (height, width, channels).
        classes: Size of the output.
        residual: Whether blocks have shortcuts; without, it is the paper's plain network.
        shortcut: Where the shape changes: "A" (the paper's for CIFAR) takes every second pixel and
            appends channels of zeros, "B" is a 1x1 convolution with batch normalization.
        zero_init_residual: Whether the last batch normalization of each block starts with gamma 0,
            so that each block starts as the identity (Goyal et al. 2017).
        kernel_regularizer: Of all convolutions and the dense layer; see `regularizers.get`.
        classifier_activation: Activation of the output; None for logits.
        name: Name of the model.

    Returns:
        A functional Model.

    Raises:
        TypeError: A size is not an integer.
        ValueError: A size below 1, an unknown option, or `zero_init_residual` without `residual`.

    Example:
        >>> from dlnative import applications
        >>> applications.{builder}(input_shape=(16, 16, 1), classes=3).output_shape
        (None, 3)

    Differs from the paper: where images halve, padding is "same", so for even sizes the odd row of
    zeros is at the bottom.

    Reference:
        He et al. 2015, "Deep residual learning for image recognition", section 4.2.
    """


def _cifar_resnet(depth: int, parameters: int) -> Callable[..., Model]:
    """The function that builds the network of 6 n + 2 = `depth` layers."""
    blocks = (depth - 2) // 6
    builder = f"resnet{depth}"

    def resnet(
        input_shape: Sequence[int] = (32, 32, 3),
        classes: int = 10,
        residual: bool = True,
        shortcut: str = "A",
        zero_init_residual: bool = False,
        kernel_regularizer: Any = None,
        classifier_activation: str | Callable[..., Any] | None = "softmax",
        name: str = builder,
    ) -> Model:
        shape = check_image_size(builder, input_shape)
        parts = _Parts(builder, residual, shortcut, zero_init_residual, kernel_regularizer)
        images = layers.Input(shape, name="images")
        x = parts.convolution(images, 16, 3, 1, "stem")
        x = parts.stages(x, (16, 32, 64), blocks)
        return Model(images, parts.classifier(x, classes, classifier_activation), name=name)

    resnet.__name__ = resnet.__qualname__ = builder
    resnet.__doc__ = _DOCSTRING.format(
        depth=depth, blocks=blocks, parameters=parameters, builder=builder
    )
    return resnet


resnet20 = _cifar_resnet(20, 269_722)
resnet32 = _cifar_resnet(32, 464_154)
resnet56 = _cifar_resnet(56, 853_018)
resnet110 = _cifar_resnet(110, 1_727_962)


class _Parts:
    """The parts of a residual network, with the options that they share."""

    def __init__(
        self,
        builder: str,
        residual: bool,
        shortcut: str,
        zero_init_residual: bool,
        kernel_regularizer: Any,
    ) -> None:
        check_option(builder, "shortcut", shortcut, ("A", "B"))
        check_option(builder, "residual", residual, (True, False))
        if zero_init_residual and not residual:
            raise ValueError(
                f"{builder}: zero_init_residual=True needs residual=True: without shortcuts, "
                "blocks of gamma 0 pass nothing on"
            )
        self.residual = residual
        self.project = shortcut == "B"
        self.last_gamma = "zeros" if zero_init_residual else "ones"
        self.options = {
            "padding": "same",
            "use_bias": False,
            "kernel_initializer": "he_normal",
            "kernel_regularizer": kernel_regularizer,
        }

    def convolution(
        self,
        x: Tensor,
        filters: int,
        size: int,
        strides: int,
        name: str,
        relu: bool = True,
        gamma: str = "ones",
    ) -> Tensor:
        """Convolution, batch normalization, and ReLU if it is wanted."""
        conv = layers.Conv2D(filters, size, strides, name=f"{name}_conv", **self.options)
        x = layers.BatchNormalization(gamma_initializer=gamma, name=f"{name}_bn")(conv(x))
        return layers.Activation("relu", name=f"{name}_relu")(x) if relu else x

    def stages(self, x: Tensor, widths: Sequence[int], blocks: int) -> Tensor:
        """Blocks of each width in turn; all stages but the first halve the image."""
        for stage, filters in enumerate(widths, start=1):
            for block in range(1, blocks + 1):
                strides = 2 if stage > 1 and block == 1 else 1
                x = self.block(x, filters, strides, f"stage{stage}_block{block}")
        return x

    def block(self, x: Tensor, filters: int, strides: int, name: str) -> Tensor:
        """relu(x + f(x)), f two 3x3 convolutions; relu(f(x)) in a plain network."""
        y = self.convolution(x, filters, 3, strides, f"{name}_1")
        y = self.convolution(y, filters, 3, 1, f"{name}_2", relu=False, gamma=self.last_gamma)
        if self.residual:
            y = layers.Add(name=f"{name}_add")([self.shortcut(x, filters, strides, name), y])
        return layers.Activation("relu", name=f"{name}_relu")(y)

    def shortcut(self, x: Tensor, filters: int, strides: int, name: str) -> Tensor:
        """x in the shape of the block's output."""
        channels = x.shape[-1]
        if strides == 1 and channels == filters:
            return x
        name = f"{name}_shortcut"
        if self.project:
            return self.convolution(x, filters, 1, strides, name, relu=False)
        x = layers.AveragePooling2D(1, strides=strides, name=f"{name}_pixels")(x)
        height, width = x.shape[1:3]
        # Channels become the columns of an image, so that padding can append zeros to them.
        x = layers.Reshape((height * width, channels, 1), name=f"{name}_flat")(x)
        padding = ((0, 0), (0, filters - channels))
        x = layers.ZeroPadding2D(padding, name=f"{name}_zeros")(x)
        return layers.Reshape((height, width, filters), name=f"{name}_images")(x)

    def classifier(
        self, x: Tensor, classes: int, activation: str | Callable[..., Any] | None
    ) -> Tensor:
        """The mean over all pixels, and a dense layer."""
        x = layers.GlobalAveragePooling2D(name="pool")(x)
        regularizer = self.options["kernel_regularizer"]
        return layers.Dense(
            classes, activation=activation, kernel_regularizer=regularizer, name="predictions"
        )(x)
