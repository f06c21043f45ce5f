"""The models and data sets of the benchmarks, as plain data that travels to every worker.

A model is a list of layer descriptions; each worker builds it with its own library's means. Adding
a kind of layer means one branch in `common/shapes.py` and one in each worker that supports it; a
worker that does not says so, and the table shows the gap. Convolutional networks are described in
`common/networks.py`.

Data sets are named by their shape and a seed, and drawn alike in every worker (`workers/data.py`).
"""

from __future__ import annotations

from typing import Any

from common.shapes import parameters

# PyTorch adds epsilon to the corrected square root of v, Keras and scikit-learn to the plain one.
# At Keras's default of 1e-7 that moves the loss of the first epoch by up to 3 %, at 1e-10 by 1 %.
ADAM_EPSILON = 1e-10

Layer = dict[str, Any]
Model = dict[str, Any]


def dense(units: int, activation: str = "linear") -> Layer:
    """Describes a dense layer."""
    return {"kind": "dense", "units": units, "activation": activation}


def mlp(name: str, sizes: list[int], activation: str, loss: str) -> Model:
    """Describes a multi-layer perceptron that ends in logits.

    Args:
        name: Name in the tables.
        sizes: Number of inputs, then the number of units of each layer.
        activation: Activation of all layers but the last.
        loss: "sparse_softmax_cross_entropy" (labels int32, shape (batch,)) or
            "sigmoid_cross_entropy" (targets float32, shape (batch, 1)).
    """
    hidden = [dense(units, activation) for units in sizes[1:-1]]
    return {
        "name": name,
        "input": [sizes[0]],
        "layers": [*hidden, dense(sizes[-1])],
        "loss": loss,
    }


MNIST_MLP = mlp("784-512-256-10", [784, 512, 256, 10], "relu", "sparse_softmax_cross_entropy")
SMALL_MLP = mlp("20-64-64-3", [20, 64, 64, 3], "relu", "sparse_softmax_cross_entropy")
TINY_MLP = mlp("4-8-3", [4, 8, 3], "relu", "sparse_softmax_cross_entropy")
XOR_MLP = mlp("2-8-1", [2, 8, 1], "tanh", "sigmoid_cross_entropy")


def training_spec(
    model: Model,
    *,
    samples: int,
    batch: int,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    momentum: float = 0.0,
    epochs: int = 1,
) -> dict[str, Any]:
    """Describes a training run, to be timed over `epochs` epochs.

    Args:
        model: The model's description.
        samples: Number of samples; a multiple of `batch`, so that all do the same steps.
        batch: Samples in a step.
        optimizer: "adam" (beta 0.9 and 0.999, `ADAM_EPSILON`) or "sgd".
        learning_rate: The learning rate.
        momentum: Momentum of "sgd".
        epochs: Epochs in one timed repetition.
    """
    if samples % batch:
        raise ValueError(f"samples must be a multiple of batch, received {samples} and {batch}.")
    return {
        "model": model,
        "samples": samples,
        "batch": batch,
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "momentum": momentum,
        "epochs": epochs,
        "seed": 1,
    }


def training_steps(spec: dict[str, Any]) -> int:
    """Returns the number of updates in one timed repetition."""
    return int(spec["epochs"] * spec["samples"] // spec["batch"])


def forward_macs(model: Model) -> list[int]:
    """Returns the multiply-adds of each layer for one sample."""
    return [parameter.macs for parameter in parameters(model) if parameter.macs]


def step_flops(model: Model, batch: int) -> int:
    """Returns the floating-point operations in the products and convolutions of a training step.

    Forward, kernel gradient and input gradient cost the same; the first layer needs no input
    gradient.
    """
    macs = forward_macs(model)
    return 2 * batch * (3 * sum(macs) - macs[0])
