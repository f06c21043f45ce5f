"""Runs an op on both engines and says where they disagree."""

from __future__ import annotations

import numpy as np

from dlnative import config, reference
from dlnative.graph import table
from dlnative.graph.attributes import checked
from dlnative.ops import rows as ops
from dlnative.reference.bounds import bounds, linear

REFUSALS = (ValueError, TypeError, MemoryError)

# Sums of products of inputs and of moved values. Of one infinity they make infinities, and NaN only
# where they multiply it by a 0 that stands for nothing: a lane, a tap or a pixel that is not there.
SUMS = {
    *("add", "subtract", "multiply", "sum", "mean", "bias_backward", "matmul", "dense"),
    *("dense_backward_input", "dense_backward_kernel", "conv1d", "conv2d", "depthwise_conv2d"),
    *("conv1d_backward_input", "conv2d_backward_input", "depthwise_conv2d_backward_input"),
    *("conv1d_backward_kernel", "conv2d_backward_kernel", "depthwise_conv2d_backward_kernel"),
    *("conv1d_transpose", "conv2d_transpose", "avg_pool1d", "avg_pool2d", "upsample2d"),
    *("avg_pool1d_backward", "avg_pool2d_backward", "upsample2d_backward", "max_pool1d"),
    *("max_pool2d", "max_pool1d_backward", "max_pool2d_backward", "zero_pad2d", "crop2d"),
    *("random_flip", "random_crop", "dropout", "concatenate", "broadcast_to", "weighted_sum"),
}


def refused(call):
    """(results, None), or (None, the error): no other may be raised."""
    try:
        with np.errstate(all="ignore"):
            results = call()
    except REFUSALS as error:
        return None, error
    results = results if isinstance(results, tuple) else (results,)
    return [np.asarray(r) for r in results if r is not None], None


def native(name, inputs, attributes):
    """The outputs of the native engine, or the new values of the state that the op writes."""
    op = table[name]
    given = [a.copy() if a is not None and i in op.writes else a for i, a in enumerate(inputs)]
    before = [None if a is None else a.tobytes() for a in inputs]
    results, error = refused(lambda: getattr(ops, name)(*given, **attributes))
    for a, content in zip(inputs, before):
        assert a is None or a.tobytes() == content, "an input was changed"
    if error is None and op.writes:
        results = [given[i] for i in op.writes if given[i] is not None]
    return results, error


def oracle(name, inputs, attributes):
    """The same of the NumPy engine, in the dtype of the inputs."""
    if table[name].writes:  # it computes these as graphs only
        return refused(lambda: getattr(reference, name)(*inputs, **attributes))
    with config.engine("numpy"):
        return refused(lambda: getattr(ops, name)(*inputs, **attributes))


def exactly(name, inputs, attributes):
    """The oracle's results in float64, and the inputs and attributes that it had."""
    attributes = checked(name, attributes)
    wide = [a.astype("float64") if a is not None and a.dtype.kind == "f" else a for a in inputs]
    with np.errstate(all="ignore"):
        results = getattr(reference, name)(*wide, **attributes)
    results = results if isinstance(results, tuple) else (results,)
    return [np.asarray(r) for r in results if r is not None], wide, attributes


def first_of(mask):
    return tuple(int(i) for i in np.argwhere(mask)[0])


def meets_padding(name, inputs, attributes, exact):
    """Where the first output may be finite or not: a weight that is not finite meets padding.

    Padding counts as zeros, so their product with such a weight is NaN. Kernels read the zeros, or
    leave out the taps that meet them; the oracle does one or the other, too. Either way the weight
    is felt where it meets pixels, in the same channel of y or of dx, or in the same filter.
    """
    family = name.removeprefix("depthwise_")
    if family[:4] != "conv" or np.isfinite(inputs[1]).all():
        return np.zeros(exact[0].shape, bool)
    ones, bad = np.ones_like(inputs[0]), 1.0 * ~np.isfinite(inputs[1])
    felt = linear(name, [ones, bad], attributes) > 0
    axes = tuple(range(bad.ndim - (1 if name.endswith("_kernel") else 2)))
    everywhere = np.broadcast_to(bad.max(axis=axes, keepdims=True), bad.shape)
    reached = linear(name, [ones, everywhere], attributes) > 0
    taps = tuple(range(felt.ndim - (2 if name.endswith("_kernel") else 1)))
    return reached.any(axis=taps, keepdims=True) & ~felt


def difference(result, exact, limit, unsure=False, strict=False):
    """None, or where a result is not the exact one: not finite or not, then beyond the limit.

    Args:
        unsure: True where either may be.
        strict: Whether an infinity must be one, too. Elsewhere it may be NaN in another order of
            the terms, as inf - inf is.
    """
    if result.shape != exact.shape:
        return f"shape {result.shape} for {exact.shape}"
    other = np.isfinite(result) != np.isfinite(exact)
    if strict:
        other |= (np.isnan(result) != np.isnan(exact)) | (np.isinf(exact) & (result != exact))
    other &= ~np.asarray(unsure)
    if other.any():
        return f"{result[first_of(other)]} for {exact[first_of(other)]} at {first_of(other)}"
    with np.errstate(all="ignore"):
        error = np.abs(result.astype("float64") - exact)
        wrong = np.isfinite(result) & np.isfinite(exact) & np.isfinite(limit) & ~(error <= limit)
    if wrong.any():
        at = first_of(wrong)
        return (
            f"{result[at]} for {exact[at]} at {at}, bound {np.broadcast_to(limit, exact.shape)[at]}"
        )
    return None


def disagreement(name, inputs, attributes, valid=False):
    """None, or in words how the two engines disagree about one call.

    Args:
        valid: True for a call that must have an answer.
    """
    results, error = native(name, inputs, attributes)
    if valid and error is not None:
        return f"native: {error!r}"
    if error is not None and table[name].writes:
        return None  # the oracle of these has no shape rule before it
    expected, refusal = oracle(name, inputs, attributes)
    if isinstance(error, MemoryError) or isinstance(refusal, MemoryError):
        return None  # the oracle makes arrays that the native engine does not
    if (error is None) != (refusal is None):
        return f"native: {error or 'an answer'!r}; oracle: {refusal or 'an answer'!r}"
    if error is not None:
        return None
    if len(results) != len(expected):
        return f"{len(results)} outputs for {len(expected)}"
    floats = [a.dtype for a in inputs if a is not None and a.dtype.kind == "f"]
    eps = max((np.finfo(dtype).eps for dtype in floats), default=0.0)
    exact, wide, attributes = exactly(name, inputs, attributes)
    limits = bounds(name, wide, attributes, exact, eps)
    unsure = [meets_padding(name, wide, attributes, exact)] + [False] * len(exact)
    for i, (result, of_oracle, e, limit) in enumerate(zip(results, expected, exact, limits)):
        if result.dtype != of_oracle.dtype:
            return f"output {i}: dtype {result.dtype} for {of_oracle.dtype}"
        strict = name in SUMS and not attributes.get("activation")
        wrong = difference(result, e, limit, unsure[i], strict)
        if wrong:
            return f"output {i}: {wrong}"
    return None
