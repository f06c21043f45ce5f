"""What the oracle makes of a node of a plan, also of what only plans make."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import numpy as np

from ... import config, reference
from ...graph.table import Op
from ...graph.types import Attributes
from .table import Arrays, bounds

_WINDOWS = ((3, 3), (5, 5))  # of Winograd's algorithms


def expected(
    op: Op, inputs: Arrays, attributes: Attributes, eps: float
) -> tuple[list[Any], list[Any]]:
    """The oracle's results of a node, and their bounds.

    A convolution in a plan may have taken in a normalisation with constant statistics and a
    residual, or give the statistics of blocks of its result; its gradient may add another one. For
    these the oracle's functions are composed.

    Args:
        op: Its row.
        inputs: In float64.
        attributes: Its attributes, with those that the step gives.
        eps: Machine epsilon of the dtype in which it computes.
    """
    at: Any = op.residual
    given = list(inputs)
    if "moments" in op.epilogue:
        return _with_statistics(op, given, dict(attributes), eps)
    if "activation_gradient" in op.epilogue and at is not None and len(given) > at:
        other = given[at]
        exact, limits = _plain(op, [a for a in given[:at] if a is not None], attributes, eps)
        total = exact[0] + other
        return [total], [limits[0] + 4 * eps * (np.abs(exact[0]) + np.abs(other))]
    return _plain(op, given, attributes, eps)


def _plain(op: Op, inputs: list[Any], attributes: Attributes, eps: float) -> tuple[list, list]:
    results = op.reference(*inputs, **attributes)
    exact = [np.asarray(r) for r in (results if isinstance(results, tuple) else (results,))]
    absent = [None] * (_most_inputs(op) - len(inputs))
    limits = bounds(op.name, [*inputs, *absent], attributes, exact, eps)
    axes = _mixed_axes(op, inputs, exact[0])
    if axes:
        limits[0] = np.broadcast_to(limits[0].max(axis=axes, keepdims=True), exact[0].shape)
    return exact, limits


@functools.cache
def _most_inputs(op: Op) -> int:
    """How many inputs it takes with all that are optional; 0 where it takes any number."""
    parameters = inspect.signature(op.infer).parameters.values()
    tensors = [p for p in parameters if "Tensor" in str(p.annotation)]
    return 0 if any(p.kind is p.VAR_POSITIONAL for p in tensors) else len(tensors)


def _mixed_axes(op: Op, inputs: list[Any], result: Any) -> tuple[int, ...]:
    """The axes over which a rounding error may spread: those of Winograd's transform.

    It adds and subtracts all pixels of a tile, or all taps of a window, so an error follows the
    largest of them.
    """
    if config.conv_algorithm() == "direct" or result.ndim != 4 or result.size == 0:
        return ()
    if not op.epilogue:  # no convolution: what kernels of them go through
        return ()
    if "bias_gradient" in op.epilogue:
        return (0, 1) if result.shape[:2] in _WINDOWS else ()
    kernel = inputs[1] if len(inputs) > 1 else None
    is_window = kernel is not None and kernel.ndim == 4 and kernel.shape[:2] in _WINDOWS
    return (1, 2) if is_window else ()


def _with_statistics(
    op: Op, inputs: list[Any], attributes: Attributes, eps: float
) -> tuple[list, list]:
    pixels, folded = attributes.pop("moments", None), inputs[3:]
    if any(a is not None for a in folded):
        return _normalized(op, inputs, attributes, eps)
    exact, limits = _plain(op, inputs[:3], attributes, eps)
    if pixels is None:
        return exact, limits
    blocks = exact[0].reshape(-1, pixels, exact[0].shape[-1])
    mean = blocks.mean(axis=1)
    squares = np.square(blocks - mean[:, None]).sum(axis=1)
    error = limits[0].reshape(blocks.shape).max(axis=1)
    size = np.abs(blocks).mean(axis=1)
    of_mean = error + (pixels + 2) * eps * size
    spread = np.sqrt(pixels * squares)
    of_squares = 2 * spread * (error + of_mean) + pixels * (error + of_mean) ** 2
    of_squares = of_squares + (pixels + 16) * eps * squares
    moments, bound = np.stack([mean, squares], axis=1), np.stack([of_mean, of_squares], axis=1)
    return [*exact, moments], [*limits, bound]


def _normalized(op: Op, inputs: list[Any], attributes: Attributes, eps: float) -> tuple[list, list]:
    """act(batch_norm(conv(x)) + residual)."""
    mean, variance, gamma, beta, residual = (*inputs[3:], *[None] * 5)[:5]
    activation, epsilon = attributes.pop("activation", None), attributes.pop("epsilon", 1e-3)
    exact, limits = _plain(op, inputs[:3], attributes, eps)
    scale = np.abs(1.0 if gamma is None else gamma) / np.sqrt(variance + epsilon)
    options = {"epsilon": epsilon, "activation": activation}
    y = reference.batch_norm(exact[0], mean, variance, gamma, beta, residual, **options)
    parts = [exact[0], mean, variance, gamma, beta, residual]
    bound = bounds("batch_norm", parts, options, [y], eps)[0]
    # The weights that were scaled are rounded once more.
    sums = bounds(op.name, [*inputs[:2], None], attributes, exact, eps)[0]
    return [y], [bound + 4 * scale * (limits[0] + sums)]


__all__ = ["expected"]
