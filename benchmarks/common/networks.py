"""The convolutional networks of the benchmarks: those of `dlnative.applications`, as plain data.

Images are (height, width, channels). Our own worker trains the model that `dlnative.applications`
builds; every other worker builds the same layers from the description here, and all must come to
the same loss, so a difference between the two shows.
"""

from __future__ import annotations

from typing import Any

from common.models import Layer, Model, dense

LOSS = "sparse_softmax_cross_entropy"
FLATTEN: Layer = {"kind": "flatten"}
GLOBAL_AVERAGE: Layer = {"kind": "global_average"}


def conv(
    filters: int,
    kernel: int,
    strides: int = 1,
    padding: str = "same",
    activation: str = "linear",
    bias: bool = True,
) -> Layer:
    """Describes a convolution with a square kernel."""
    return {
        "kind": "conv",
        "filters": filters,
        "kernel": kernel,
        "strides": strides,
        "padding": padding,
        "activation": activation,
        "bias": bias,
    }


def batch_norm(activation: str = "linear") -> Layer:
    """Describes a batch normalisation with Keras's momentum and epsilon."""
    return {
        "kind": "batch_norm",
        "momentum": 0.99,
        "epsilon": 1e-3,
        "activation": activation,
    }


def pool(kind: str, size: int = 2, strides: int = 2, padding: str = "valid") -> Layer:
    """Describes a pooling layer; `kind` is "max_pool" or "average_pool"."""
    return {"kind": kind, "size": size, "strides": strides, "padding": padding}


def network(name: str, image: tuple[int, int, int], layers: list[Layer], application: str) -> Model:
    """Describes a network of 10 classes.

    Args:
        name: Name in the tables.
        image: Shape of an input.
        layers: All layers.
        application: The function of `dlnative.applications` that builds it.
    """
    return {
        "name": name,
        "input": list(image),
        "layers": layers,
        "loss": LOSS,
        "application": application,
    }


def lenet() -> Model:
    """Two 5x5 convolutions of 32 and 64 filters and a dense layer of 512, on 28x28."""
    layers = [
        conv(32, 5, activation="relu"),
        pool("max_pool"),
        conv(64, 5, activation="relu"),
        pool("max_pool"),
        FLATTEN,
        dense(512, "relu"),
        dense(10),
    ]
    return network("lenet", (28, 28, 1), layers, "lenet")


def lenet5() -> Model:
    """LeNet-5 of 1998 with 6 and 16 filters and average pooling, on 28x28."""
    layers = [
        conv(6, 5, activation="tanh"),
        pool("average_pool"),
        conv(16, 5, padding="valid", activation="tanh"),
        pool("average_pool"),
        FLATTEN,
        dense(120, "tanh"),
        dense(84, "tanh"),
        dense(10),
    ]
    return network("lenet5", (28, 28, 1), layers, "lenet5")


def vgg6() -> Model:
    """Three pairs of 3x3 convolutions with 64, 128 and 256 filters, on 32x32."""
    layers: list[Layer] = []
    for filters in (64, 128, 256):
        layers += [conv(filters, 3, activation="relu"), conv(filters, 3, activation="relu")]
        layers.append(pool("max_pool"))
    layers += [FLATTEN, dense(256, "relu"), dense(10)]
    return network("vgg6", (32, 32, 3), layers, "vgg6")


def enlarge(filters: int, strides: int) -> Layer:
    """Describes a shortcut without weights: every second pixel, and channels of zeros appended."""
    return {"kind": "enlarge", "filters": filters, "strides": strides}


def block(filters: int, strides: int, shortcut: str) -> Layer:
    """Describes two 3x3 convolutions with their shortcut.

    Args:
        filters: Filters of both.
        strides: Strides of the first.
        shortcut: "" where shapes do not change, else "A", without weights, or "B", a 1x1
            convolution.
    """
    body = [
        conv(filters, 3, strides, bias=False),
        batch_norm("relu"),
        conv(filters, 3, bias=False),
        batch_norm(),
    ]
    other: list[Layer] = []
    if shortcut == "A":
        other = [enlarge(filters, strides)]
    elif shortcut == "B":
        other = [conv(filters, 1, strides, bias=False), batch_norm()]
    return {"kind": "residual", "body": body, "shortcut": other, "activation": "relu"}


def residual_network(name: str, stages: tuple[int, ...], blocks: int, shortcut: str) -> Model:
    """Describes a residual network on 32x32 with a 3x3 convolution in front.

    Args:
        name: Name in the tables and of the function of `dlnative.applications`.
        stages: Filters of each stage; from one to the next images halve.
        blocks: Blocks of a stage.
        shortcut: "A" or "B", for the blocks where images halve.
    """
    layers = [conv(stages[0], 3, bias=False), batch_norm("relu")]
    for stage, filters in enumerate(stages):
        for i in range(blocks):
            halve = stage > 0 and i == 0
            layers.append(block(filters, 2 if halve else 1, shortcut if halve else ""))
    layers += [GLOBAL_AVERAGE, dense(10)]
    return network(name, (32, 32, 3), layers, name)


def cifar_resnet(depth: int) -> Model:
    """The ResNet for CIFAR with 16, 32 and 64 filters; `depth` is 6 n + 2."""
    return residual_network(f"resnet{depth}", (16, 32, 64), (depth - 2) // 6, "A")


def resnet18() -> Model:
    """ResNet-18 with the stem for small images."""
    return residual_network("resnet18", (64, 128, 256, 512), 2, "B")


def networks() -> dict[str, Model]:
    """Returns all networks that are timed, by name."""
    models = [lenet(), lenet5(), vgg6(), cifar_resnet(20), resnet18()]
    return {model["name"]: model for model in models}


def infer_spec(model: Model, batch: int) -> dict[str, Any]:
    """Describes predictions for a batch, moving statistics as after some training."""
    return {"model": model, "samples": batch, "batch": batch, "moving": "random", "seed": 1}
