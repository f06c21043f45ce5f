"""A call of every op of the table, of any sizes: what tests that go over the whole table draw from.

`CASES[name]` builds the inputs and the attributes of one call from a `Draw`, which decides sizes
and options. All sizes of one name are one size, so a test can set one of them to zero and get a
call that is consistent otherwise. A new row of the table needs a builder here; a test says so.
"""

from __future__ import annotations

import numpy as np
import op_cases_images  # noqa: F401  (the builders of convolutions, pooling and images)
import op_cases_primitives  # noqa: F401  (elementwise, reductions, movement)
from op_draw import CASES, Draw, builds, fused, fused_backward, of_activation, rows

from dlnative import reference
from dlnative.graph.ops.activations import ACTIVATIONS
from dlnative.graph.ops.losses import LOSSES

__all__ = ["CASES", "Draw"]

# --- elementwise ----------------------------------------------------------------------------------


@builds(*ACTIVATIONS)
def activation(d, name):
    return [2 * d.normal(*rows(d))], of_activation(d, name)


@builds(*(f"{name}_backward" for name in ACTIVATIONS))
def activation_backward(d, name):
    forward = name.removesuffix("_backward")
    (x,), attributes = activation(d, forward)
    if ACTIVATIONS[forward].saves_of(attributes) == "output":
        x = getattr(reference, forward)(x, **attributes)
    return [d.normal(*x.shape), x], attributes


@builds("softmax", "log_softmax")
def softmax(d, name):
    return [3 * d.normal(*rows(d))], d.one_of({}, {"axis": 0}, {"axis": 1})


@builds("softmax_backward", "log_softmax_backward")
def softmax_backward(d, name):
    (x,), attributes = softmax(d, name)
    y = getattr(reference, name.removesuffix("_backward"))(x, **attributes)
    return [d.normal(*x.shape), y], attributes


@builds("dropout")
def dropout(d, name):
    attributes = {"seed": 7, "op_id": 3, "step": 2}
    return [d.normal(*rows(d)), np.array(d.one_of(0.5, 0.0, 0.875))], attributes


# --- products -------------------------------------------------------------------------------------


@builds("matmul")
def matmul(d, name):
    m, n, k = d.size("m", 3), d.size("n", 4), d.size("k", 5)
    a, b = d.one_of(False, True), d.one_of(False, False, True)
    c = d.size("batch", 3, 5)
    leads = d.one_of(((), ()), ((c,), ()), ((c, 1), (d.size("middle", 2, 5),)))
    shapes = leads[0] + ((k, m) if a else (m, k)), leads[1] + ((n, k) if b else (k, n))
    return [d.normal(*shapes[0]), d.normal(*shapes[1])], {"transpose_a": a, "transpose_b": b}


@builds("dense")
def dense(d, name):
    shape, out = rows(d), d.size("units", 4)
    attributes = fused(d)
    if d.one_of(False, True, False):
        attributes["pre_activation"] = True
    return [d.normal(*shape), d.normal(shape[-1], out), d.maybe(d.normal(out))], attributes


@builds("dense_backward_input")
def dense_backward_input(d, name):
    shape, out = rows(d), d.size("units", 4)
    saved, attributes = fused_backward(d, *shape)
    return [d.normal(*shape[:-1], out), d.normal(shape[-1], out), saved], attributes


@builds("dense_backward_kernel")
def dense_backward_kernel(d, name):
    shape, out = rows(d), d.size("units", 4)
    return [d.normal(*shape), d.normal(*shape[:-1], out)], {"bias": d.one_of(False, True)}


@builds("bias_backward")
def bias_backward(d, name):
    return [d.normal(*rows(d))], {}


# --- normalisation --------------------------------------------------------------------------------


@builds("batch_norm")
def batch_norm(d, name):
    shape = rows(d)
    c = shape[-1]
    arrays = [d.normal(*shape), d.normal(c), d.positive(c), d.maybe(d.normal(c))]
    arrays += [d.maybe(d.normal(c)), d.maybe(d.normal(*shape))]
    return arrays, {"epsilon": 0.125, "activation": d.one_of(None, "relu")}


@builds("batch_norm_backward")
def batch_norm_backward(d, name):
    shape = rows(d)
    c = shape[-1]
    arrays = [d.normal(*shape), d.normal(*shape), d.normal(c), d.positive(c), d.maybe(d.normal(c))]
    return arrays, {"epsilon": 0.125}


@builds("batch_norm_training")
def batch_norm_training(d, name):
    shape = rows(d)
    c = shape[-1]
    moments = None
    if d.one_of(False, False, True):
        moments = np.stack([d.normal(1, c), d.positive(1, c)], axis=1)
    arrays = [d.normal(*shape), d.maybe(d.normal(c)), d.maybe(d.normal(c))]
    arrays += [d.one_of(None, d.normal(*shape)), moments]
    return arrays, {"epsilon": 0.125, "activation": d.one_of(None, "relu")}


@builds("batch_norm_training_backward")
def batch_norm_training_backward(d, name):
    shape = rows(d)
    c = shape[-1]
    x, gamma = d.normal(*shape), d.maybe(d.normal(c))
    y, mean, variance = reference.batch_norm_training(x, gamma, epsilon=0.125)
    relu = d.one_of(None, "relu")
    saved = np.maximum(y, 0) if relu else None
    attributes = {"epsilon": 0.125, "activation": relu, "residual": d.one_of(False, True)}
    return [d.normal(*shape), x, mean, variance, gamma, saved], attributes


@builds("layer_norm", "layer_norm_backward")
def layer_norm(d, name):
    x = d.normal(d.size("batch", 3), d.size("middle", 2), d.size("features", 5))
    axes = d.one_of(1, 2)
    gamma, beta = d.maybe(d.normal(*x.shape[-axes:])), d.one_of(None, d.normal(*x.shape[-axes:]))
    arrays = [d.normal(*x.shape), x, gamma] if "backward" in name else [x, gamma, beta]
    return arrays, {"axes": axes, "epsilon": 0.125}


@builds("group_norm", "group_norm_backward")
def group_norm(d, name):
    groups = d.one_of(1, 2)
    c = groups * d.size("channels_of_group", 3)
    x = d.normal(d.size("batch", 2), *d.one_of((d.size("length", 4),), ()), c)
    gamma, beta = d.maybe(d.normal(c)), d.one_of(None, d.normal(c))
    arrays = [d.normal(*x.shape), x, gamma] if "backward" in name else [x, gamma, beta]
    return arrays, {"groups": groups, "epsilon": 0.125}


# --- losses, metrics ------------------------------------------------------------------------------


def predictions(d, name):
    """Predictions, labels and attributes of a loss or an accuracy."""
    shape = rows(d)
    if "sparse" in name:
        labels = d.labels(shape[-1], *shape[:-1])
    elif "mean" in name:
        labels = d.normal(*shape)
    else:
        labels = d.between(0.0, 1.0, *shape)
    if "logits" in name or "softmax" in name or "mean" in name:
        return 2 * d.normal(*shape), labels
    return d.between(0.05, 0.95, *shape), labels


def smoothing(d, name):
    return d.one_of({}, {"label_smoothing": 0.125}) if LOSSES[name].smoothing else {}


@builds(*LOSSES)
def loss(d, name):
    return [*predictions(d, name)], smoothing(d, name)


@builds(*(f"{name}_backward" for name in LOSSES))
def loss_backward(d, name):
    pred, labels = predictions(d, name)
    forward = name.removesuffix("_backward")
    return [d.normal(*pred.shape[:-1]), pred, labels], smoothing(d, forward)


@builds(*(f"{name}_with_gradient" for name in LOSSES))
def loss_with_gradient(d, name):
    pred, labels = predictions(d, name)
    forward = name.removesuffix("_with_gradient")
    weight = d.maybe(d.positive(*pred.shape[:-1]))
    return [pred, labels, weight], {"scale": d.one_of(0.5, 1.0), **smoothing(d, forward)}


@builds("weighted_sum")
def weighted_sum(d, name):
    n = d.size("batch", 5)
    return [d.normal(n), d.maybe(d.positive(n))], {"scale": 0.25}


@builds("weighted_sum_backward")
def weighted_sum_backward(d, name):
    n = d.size("batch", 5)
    return [d.normal(), d.normal(n), d.maybe(d.positive(n))], {"scale": 0.25}


@builds("categorical_accuracy", "sparse_categorical_accuracy")
def accuracy(d, name):
    return [*predictions(d, name)], {}


@builds("binary_accuracy")
def binary_accuracy(d, name):
    pred, labels = predictions(d, name)
    return [pred, np.round(labels)], d.one_of({}, {"threshold": 0.25})


# --- state ----------------------------------------------------------------------------------------


@builds("assign")
def assign(d, name):
    shape = rows(d)
    return [d.normal(*shape), d.normal(*shape)], {}


@builds("accumulate_mean")
def accumulate_mean(d, name):
    n = d.size("batch", 5)
    return [np.array([1.5, 2.0]), d.normal(n), d.maybe(d.positive(n))], {}


@builds("check_finite")
def check_finite(d, name):
    return [np.array(d.one_of(0, 1)), d.normal(*rows(d)), d.normal(d.size("other", 4))], {}


@builds("moving_average")
def moving_average(d, name):
    n = d.size("features", 5)
    return [d.normal(n), d.normal(n), np.array(d.one_of(0.75, 0.0, 1.0))], {}


def update(d, slots, numbers):
    """Parameter, slots (True: there), gradient, numbers of the step and weight decay."""
    shape = rows(d)
    arrays = [d.positive(*shape) if there else None for there in slots]
    numbers = [n if n is None else np.array(n) for n in (*numbers, d.one_of(None, 0.25))]
    return [d.normal(*shape), *arrays, d.normal(*shape), *numbers]


@builds("sgd")
def sgd(d, name):
    share = d.one_of(None, 0.5, 0.875)
    inputs = update(d, [share is not None], [0.125, share])
    return inputs, {"nesterov": d.one_of(False, True)}


@builds("adam")
def adam(d, name):
    slots = [True, True, d.one_of(False, True)]
    return update(d, slots, [0.125, 0.5, 0.75, 1e-7, 4]), {}


@builds("checked_rate")
def checked_rate(d, name):
    return [np.array(0.125)], {"what": "the rate"}


@builds("global_norm")
def global_norm(d, name):
    return [d.normal(*rows(d)), d.normal(d.size("other", 4))][: d.one_of(2, 1)], {}
