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
        "application": {"name": application, "input_shape": list(image), "classes": 10},
    }


def lenet() -> Model:
    """Two 5x5 convolutions of 32 and 64 filters and two dense layers, on 28x28."""
    layers = [
        conv(32, 5, activation="relu"),
        pool("max_pool"),
        conv(64, 5, activation="relu"),
        pool("max_pool"),
        FLATTEN,
        dense(1024, "relu"),
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


def block(filters: int, strides: int, project: bool) -> Layer:
    """Describes two 3x3 convolutions with their shortcut, a 1x1 convolution where shapes change."""
    body = [
        conv(filters, 3, strides, bias=False),
        batch_norm("relu"),
        conv(filters, 3, bias=False),
        batch_norm(),
    ]
    shortcut = [conv(filters, 1, strides, bias=False), batch_norm()] if project else []
    return {"kind": "residual", "body": body, "shortcut": shortcut, "activation": "relu"}


def residual_network(
    name: str, stages: tuple[int, ...], blocks: int, application: str = ""
) -> Model:
    """Describes a residual network on 32x32 with a 3x3 convolution in front.

    Args:
        name: Name in the tables.
        stages: Filters of each stage; from one to the next images halve.
        blocks: Blocks of a stage.
        application: The function of `dlnative.applications`; default: the name.
    """
    layers = [conv(stages[0], 3, bias=False), batch_norm("relu")]
    width = stages[0]
    for stage, filters in enumerate(stages):
        for i in range(blocks):
            strides = 2 if stage > 0 and i == 0 else 1
            layers.append(block(filters, strides, strides > 1 or filters != width))
            width = filters
    layers += [GLOBAL_AVERAGE, dense(10)]
    return network(name, (32, 32, 3), layers, application or name)


def cifar_resnet(depth: int) -> Model:
    """The ResNet for CIFAR with 16, 32 and 64 filters; `depth` is 6 n + 2."""
    return residual_network(f"resnet{depth}", (16, 32, 64), (depth - 2) // 6)


def resnet18() -> Model:
    """ResNet-18 with the stem for small images."""
    return residual_network("resnet18", (64, 128, 256, 512), 2)


def networks() -> dict[str, Model]:
    """Returns all networks that are timed, by name."""
    models = [lenet(), lenet5(), vgg6(), cifar_resnet(20), resnet18()]
    return {model["name"]: model for model in models}


def infer_spec(model: Model, batch: int) -> dict[str, Any]:
    """Describes predictions for a batch, moving statistics as after some training."""
    return {"model": model, "samples": batch, "batch": batch, "moving": "random", "seed": 1}
