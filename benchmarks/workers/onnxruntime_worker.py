"""ONNX Runtime: inference only, on graphs written node by node with ONNX's own helpers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from common.models import Model
from common.shapes import window_output
from workers.base import BaseWorker, Spec, Unsupported
from workers.data import Array, dataset, initial_weights

ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}
OPSET = 17


class GraphWriter:
    """Writes a model in NCHW, ONNX's order, with its weights as constants.

    Args:
        model: The model's description.
        weights: Its parameters in the order of the description.
    """

    def __init__(self, model: Model, weights: Sequence[Array]) -> None:
        self.weights = iter(weights)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        *image, channels = model["input"]
        self.shape: tuple[int, ...] = (channels, *image)
        self.flattened: tuple[int, ...] | None = None
        self.image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *self.shape])
        self.result = self.sequence(model["layers"], "x")

    def proto(self) -> Any:
        """Returns the checked model."""
        output = helper.make_tensor_value_info(self.result, TensorProto.FLOAT, ["N", *self.shape])
        graph = helper.make_graph(self.nodes, "network", [self.image], [output], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = 8
        onnx.checker.check_model(model)
        return model

    def constant(self, value: Array) -> str:
        """Adds a constant and returns its name."""
        name = f"w{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, op: str, inputs: list[str], **attributes: Any) -> str:
        """Adds a node and returns the name of its output."""
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def sequence(self, layers: Sequence[dict[str, Any]], x: str) -> str:
        """Adds layers in turn and returns the name of the last output."""
        for layer in layers:
            x = self.layer(layer, x)
            activation = layer.get("activation", "linear")
            if activation != "linear":
                x = self.node(ACTIVATIONS[activation], [x])
        return x

    def layer(self, layer: dict[str, Any], x: str) -> str:
        """Adds a layer without its activation."""
        kind = layer["kind"]
        if kind == "dense":
            kernel, bias = self.dense_kernel(next(self.weights)), next(self.weights)
            self.shape, self.flattened = (layer["units"],), None
            return self.node("Gemm", [x, self.constant(kernel), self.constant(bias)])
        if kind == "conv":
            kernel = self.constant(next(self.weights).transpose(3, 2, 0, 1))
            inputs = [x, kernel] + ([self.constant(next(self.weights))] if layer["bias"] else [])
            attributes = self.window(layer, layer["kernel"])
            self.shape = (layer["filters"], *self.shape[1:])
            return self.node("Conv", inputs, **attributes)
        if kind == "batch_norm":
            inputs = [x, *(self.constant(next(self.weights)) for _ in range(4))]
            return self.node("BatchNormalization", inputs, epsilon=layer["epsilon"])
        if kind in ("max_pool", "average_pool"):
            attributes = self.window(layer, layer["size"])
            return self.node("MaxPool" if kind == "max_pool" else "AveragePool", [x], **attributes)
        if kind == "global_average":
            self.shape = self.shape[:1]
            return self.node("Flatten", [self.node("GlobalAveragePool", [x])])
        if kind == "flatten":
            self.flattened, self.shape = self.shape, (math.prod(self.shape),)
            return self.node("Flatten", [x])
        if kind == "enlarge":
            return self.enlarge(layer, x)
        if kind == "residual":
            before = self.shape
            body = self.sequence(layer["body"], x)
            self.shape = before
            return self.node("Add", [body, self.sequence(layer["shortcut"], x)])
        if kind == "activation":
            return x
        raise Unsupported(f"layer {kind}")

    def enlarge(self, layer: dict[str, Any], x: str) -> str:
        """Adds a choice of pixels and the appending of channels of zeros."""
        channels, height, width = self.shape
        strides, filters = layer["strides"], layer["filters"]
        numbers = ([0, 0], [height, width], [2, 3], [strides] * 2)
        inputs = [self.constant(np.array(values, np.int64)) for values in numbers]
        pixels = self.node("Slice", [x, *inputs])
        pads = self.constant(np.array([0, 0, 0, 0, 0, filters - channels, 0, 0], np.int64))
        self.shape = (filters, -(-height // strides), -(-width // strides))
        return self.node("Pad", [pixels, pads])

    def window(self, layer: dict[str, Any], size: int) -> dict[str, list[int]]:
        """Returns the attributes of a window, with Keras's padding, and follows the shape."""
        strides = layer["strides"]
        before = self.shape[1:]
        after = tuple(window_output(n, size, strides, layer["padding"]) for n in before)
        totals = [max((m - 1) * strides + size - n, 0) for n, m in zip(before, after, strict=True)]
        if layer["padding"] == "valid":
            totals = [0, 0]
        begins = [total // 2 for total in totals]
        ends = [total - begin for total, begin in zip(totals, begins, strict=True)]
        self.shape = (self.shape[0], *after)
        return {
            "kernel_shape": [size, size],
            "strides": [strides, strides],
            "pads": [*begins, *ends],
        }

    def dense_kernel(self, kernel: Array) -> Array:
        """Returns a kernel with its inputs in the order in which NCHW images are flattened."""
        if self.flattened is None or len(self.flattened) < 3:
            return kernel
        channels, height, width = self.flattened
        images = kernel.reshape(height, width, channels, -1)
        return images.transpose(2, 0, 1, 3).reshape(kernel.shape)


class OnnxPredictor:
    """A session; the images are given as NCHW, as this library wants them."""

    def __init__(self, spec: Spec, threads: int) -> None:
        weights = initial_weights(spec["model"], spec["moving"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(
            GraphWriter(spec["model"], weights).proto().SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
        )
        self.x = np.ascontiguousarray(np.moveaxis(dataset(spec)[0], -1, 1))

    def predict(self) -> Array:
        result: Array = self.session.run(None, {"x": self.x})[0]
        return result


class Worker(BaseWorker):
    """ONNX Runtime on `threads` threads, all graph optimizations on."""

    variants: ClassVar = {"infer": ["run"]}

    def versions(self) -> dict[str, str]:
        return {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__}

    def predictor(self, spec: Spec, variant: str) -> OnnxPredictor:
        return OnnxPredictor(spec, self.threads)
