"""The rows of the op table, one file per family."""

from . import (  # noqa: F401
    activations,
    arithmetic,
    augmentation,
    convolution,
    depthwise,
    losses,
    matmul,
    metrics,
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
