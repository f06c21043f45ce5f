"""The rows of the op table, one file per family."""

from . import (  # noqa: F401
    activations,
    augmentation,
    convolution,
    custom,
    depthwise,
    elementwise,
    losses,
    matmul,
    metrics,
    movement,
    normalization,
    optimizers,
    pooling,
    random,
    reductions,
    shape,
    softmax,
    spatial,
    state,
)
