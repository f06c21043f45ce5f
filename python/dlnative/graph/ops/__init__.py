"""The rows of the op table, one file per family."""

from . import (  # noqa: F401
    activations,
    arithmetic,
    losses,
    matmul,
    metrics,
    optimizers,
    random,
    reductions,
    shape,
    softmax,
    state,
)
