"""The operations of `common/operations.py` by PyTorch's own functions, outputs allocated by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from workers.base import Spec, Task, Unsupported
from workers.data import Array, magnitude, operation_arrays

aten = torch.ops.aten
Run = Callable[[], Any]


def tensors(spec: Spec, channels_last: bool) -> dict[str, torch.Tensor]:
    """Returns all arrays with axes as PyTorch has them, in one of the two memory orders."""
    layout = torch.channels_last if channels_last else torch.contiguous_format

    def convert(name: str, value: Array) -> torch.Tensor:
        tensor = torch.from_numpy(value)
        if name == "kernel":
            tensor = tensor.permute(3, 2, 0, 1)
        elif tensor.ndim == 4:
            tensor = tensor.permute(0, 3, 1, 2)
        return tensor.contiguous(memory_format=layout) if tensor.ndim == 4 else tensor

    return {name: convert(name, value) for name, value in operation_arrays(spec).items()}


def convolution(spec: Spec, given: dict[str, torch.Tensor]) -> Run:
    """One pass; gradients by the function that autograd calls."""
    x, dy, kernel = given["x"], given["dy"], given["kernel"]
    strides, pads = [spec["strides"]] * 2, [spec["pad"]] * 2
    if spec["pass"] == "forward":
        return lambda: functional.conv2d(x, kernel, None, strides, pads, groups=spec["groups"])
    for_input = spec["pass"] == "backward_input"
    mask, index = [for_input, not for_input, False], 0 if for_input else 1
    rest = (None, strides, pads, [1, 1], False, [0, 0], spec["groups"], mask)
    return lambda: aten.convolution_backward(dy, x, kernel, *rest)[index]


def pooling(spec: Spec, given: dict[str, torch.Tensor]) -> Run:
    """One pass; max pooling always stores positions, as int64."""
    x, dy = given["x"], given["dy"]
    size, strides = [spec["size"]] * 2, [spec["strides"]] * 2
    if spec["kind"] == "average":
        if spec["pass"] == "forward":
            return lambda: aten.avg_pool2d(x, size, strides)
        rest = (size, strides, [0, 0], False, True, None)
        return lambda: aten.avg_pool2d_backward(dy, x, *rest)
    if spec["pass"] == "forward":
        return lambda: aten.max_pool2d_with_indices(x, size, strides)[0]
    positions = aten.max_pool2d_with_indices(x, size, strides)[1]
    rest = (size, strides, [0, 0], [1, 1], False, positions)
    return lambda: aten.max_pool2d_with_indices_backward(dy, x, *rest)


def elementwise(spec: Spec, given: dict[str, torch.Tensor]) -> Run:
    """ReLU and normalisations."""
    op = spec["op"]
    if op == "relu":
        if spec["pass"] == "forward":
            return lambda: torch.relu(given["x"])
        saved = torch.relu(given["x"])
        return lambda: aten.threshold_backward(given["dy"], saved, 0.0)
    if op in ("batch_norm", "batch_norm_training"):
        return batch_norm(spec, given)
    if op == "layer_norm":
        return layer_norm(spec, given)
    return group_norm(spec, given)


def batch_norm(spec: Spec, given: dict[str, torch.Tensor]) -> Run:
    """Batch normalisation, ReLU and addition in place after it."""
    x, gamma, beta = given["x"], given["gamma"], given["beta"]
    moving = given["mean"].clone(), given["variance"].clone()
    training, epsilon = spec["op"] == "batch_norm_training", spec["epsilon"]
    residual = given.get("residual")

    def forward() -> torch.Tensor:
        y = functional.batch_norm(x, *moving, gamma, beta, training, 0.01, epsilon)
        if residual is not None:
            y = y.add_(residual)
        return y.relu_() if spec["relu"] else y

    if spec["pass"] == "forward":
        return forward
    inverse = torch.rsqrt(given["variance"] + epsilon)
    mask = [True, True, True]
    saved = forward()

    def backward() -> tuple[torch.Tensor, ...]:
        dy = aten.threshold_backward(given["dy"], saved, 0.0) if spec["relu"] else given["dy"]
        statistics = (*moving, given["mean"], inverse, training, epsilon, mask)
        return aten.native_batch_norm_backward(dy, x, gamma, *statistics)

    return lambda: backward()[0]


def layer_norm(spec: Spec, given: dict[str, torch.Tensor]) -> Run:
    """Layer normalisation of the channels, which have to be the last axis here."""
    x = given["x"].permute(0, 2, 3, 1)
    if not x.is_contiguous():
        raise Unsupported("layer normalisation of channels that are not the last axis")
    shape, gamma, beta = [x.shape[-1]], given["gamma"], given["beta"]
    if spec["pass"] == "forward":
        return lambda: functional.layer_norm(x, shape, gamma, beta, spec["epsilon"])
    _, mean, inverse = torch.native_layer_norm(x, shape, gamma, beta, spec["epsilon"])
    dy = given["dy"].permute(0, 2, 3, 1)
    rest = (shape, mean, inverse, gamma, beta, [True, True, True])
    return lambda: aten.native_layer_norm_backward(dy, x, *rest)[0]


def group_norm(spec: Spec, given: dict[str, torch.Tensor]) -> Run:
    """Group normalisation."""
    x, gamma, beta, groups = given["x"], given["gamma"], given["beta"], spec["groups"]
    batch, channels, height, width = x.shape
    sizes = (batch, channels, height * width, groups)
    if spec["pass"] == "forward":
        return lambda: functional.group_norm(x, groups, gamma, beta, spec["epsilon"])
    _, mean, inverse = torch.native_group_norm(x, gamma, beta, *sizes, spec["epsilon"])
    rest = (*sizes, [True, True, True])
    backward = aten.native_group_norm_backward
    return lambda: backward(given["dy"], x, mean, inverse, gamma, *rest)[0]


def operation(spec: Spec, variant: str) -> Task:
    """Prepares an operation; variants are "NHWC" and "NCHW", and either compiled."""
    given = tensors(spec, variant.startswith("NHWC"))
    make = {"convolution": convolution, "pooling": pooling}.get(spec["op"], elementwise)
    run = make(spec, given)
    if variant.endswith("compiled"):
        run = torch.compile(run, dynamic=False)

    @torch.no_grad()
    def repeat() -> Any:
        return run()

    return Task(repeat, check=magnitude(repeat()))
