"""The operations of `common/operations.py` in dlnative: programs of one instruction.

Inputs lie in memory before the program runs and its outputs stay in its arena, as within a training
step; calling the operation on arrays would add new memory for the result.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dlnative import engines
from dlnative.graph import Graph, Tensor, apply
from dlnative.placement import aligned_zeros
from workers.base import Spec, Task
from workers.data import Array, magnitude, operation_arrays

Call = tuple[str, list[Any], dict[str, Any]]  # name, inputs, attributes of an op


def convolution(spec: Spec, given: dict[str, Array]) -> Call:
    """One pass; as many groups as channels are the depthwise convolution."""
    kernel, groups = given["kernel"], spec["groups"]
    attributes: dict[str, Any] = {
        "strides": (spec["strides"],) * 2,
        "padding": (spec["pad"],) * 4,
        "dilation_rate": (1, 1),
    }
    name = "conv2d"
    if groups == spec["x"][-1] > 1:
        name = "depthwise_conv2d"
        kernel = np.ascontiguousarray(kernel.transpose(0, 1, 3, 2))  # (height, width, channels, 1)
    else:
        attributes["groups"] = groups
    if spec["pass"] == "forward":
        return name, [given["x"], kernel], attributes
    if spec["pass"] == "backward_input":
        attributes["input_shape"] = tuple(spec["x"])
        return f"{name}_backward_input", [given["dy"], kernel], attributes
    attributes["kernel_size"] = tuple(kernel.shape[:2])
    return f"{name}_backward_kernel", [given["x"], given["dy"]], attributes


def pooling(spec: Spec, given: dict[str, Array]) -> Call:
    """One pass, max pooling with one byte for the position of each maximum or without."""
    x, dy = given["x"], given["dy"]
    attributes: dict[str, Any] = {
        "pool_size": (spec["size"],) * 2,
        "strides": (spec["strides"],) * 2,
        "padding": "valid",
    }
    positions = spec["kind"] == "max with positions"
    if spec["kind"] == "average":
        if spec["pass"] == "forward":
            return "avg_pool2d", [x], attributes
        return "avg_pool2d_backward", [dy], {**attributes, "input_shape": x.shape}
    if spec["pass"] == "forward":
        return "max_pool2d", [x], {**attributes, "indices": positions}
    if not positions:
        return "max_pool2d_backward", [dy, x], attributes
    _, indices = compute("max_pool2d", [x], {**attributes, "indices": True})
    return "max_pool2d_backward_indices", [dy, indices], {**attributes, "input_shape": x.shape}


def elementwise(spec: Spec, given: dict[str, Array]) -> Call:
    """ReLU and normalisations, ReLU and the addition of a residual within the same op."""
    op, forward = spec["op"], spec["pass"] == "forward"
    x, dy = given["x"], given["dy"]
    if op == "relu":
        return ("relu", [x], {}) if forward else ("relu_backward", [dy, np.maximum(x, 0)], {})
    gamma, beta, residual = given["gamma"], given["beta"], given.get("residual")
    attributes: dict[str, Any] = {"epsilon": spec["epsilon"]}
    if op == "layer_norm":
        attributes["axes"] = 1
    elif op == "group_norm":
        attributes["groups"] = spec["groups"]
    if op in ("layer_norm", "group_norm"):
        inputs = [x, gamma, beta] if forward else [dy, x, gamma]
        return op if forward else f"{op}_backward", inputs, attributes
    if spec["relu"]:
        attributes["activation"] = "relu"
    moments = [given["mean"], given["variance"]]
    if op == "batch_norm":
        return op, [x, *moments, gamma, beta, residual], attributes
    values = [x, gamma, beta, residual]
    if forward:
        return op, values, attributes
    saved = compute(op, values, attributes)[0] if spec["relu"] else None
    attributes["residual"] = spec["residual"]
    return f"{op}_backward", [dy, x, *moments, gamma, saved], attributes


def build(name: str, inputs: list[Any], attributes: dict[str, Any]) -> Any:
    """Makes a program of one op; `inputs` are arrays, or None for those left out."""
    graph = Graph()
    while inputs and inputs[-1] is None:
        inputs = inputs[:-1]
    outputs = apply(name, *(leaf(graph, value) for value in inputs), **attributes)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return engines.build(graph, list(outputs))


def leaf(graph: Graph, value: Array | None) -> Tensor | None:
    """Returns an array as a leaf of the graph, where a program would put it: at 64 bytes."""
    if value is None:
        return None
    aligned = aligned_zeros(value.size, value.dtype).reshape(value.shape)
    aligned[...] = value
    return Tensor(value.shape, value.dtype.name, graph, source=aligned)


def compute(name: str, inputs: list[Any], attributes: dict[str, Any]) -> tuple[Array, ...]:
    """Runs an op once."""
    results: tuple[Array, ...] = build(name, inputs, attributes)()
    return results


def operation(spec: Spec) -> Task:
    """Prepares an operation; notes which algorithm runs it."""
    make = {"convolution": convolution, "pooling": pooling}.get(spec["op"], elementwise)
    function = build(*make(spec, operation_arrays(spec)))
    check = magnitude(function()[0])
    function.program.set_profiling(True)
    function.run([], None, 0, 1)
    algorithms = [str(row[1]) for row in function.program.profile() if row[1]]
    function.program.set_profiling(False)
    run = function.run
    return Task(lambda: run([], None, 0, 1), check=check, note=" + ".join(algorithms))
