"""Models of `common/models.py` as PyTorch modules."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from common.models import Model
from workers.base import Unsupported
from workers.data import Array

Convert = Callable[[Array], Array]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


class OneDnnLinear(nn.Linear):
    """A linear layer by oneDNN, where PyTorch would take MKL.

    MKL is held back to AVX2 on processors that are not Intel's; where those have AVX-512, this
    may be the faster way.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x.to_mkldnn(), self.weight, self.bias).to_dense()


class Convolution(nn.Conv2d):
    """A convolution with half its kernel's size as padding.

    That is how networks are written in PyTorch, but with strides it is not Keras's "same" padding,
    which for even sizes adds one pixel at the end only. `exact`, which costs a copy of the input,
    computes that, so that results can be compared; it is never timed.
    """

    exact = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.exact and self.stride[0] > 1 and self.padding[0] > 0:
            pads: list[int] = []
            for axis in (3, 2):
                size, stride, kernel = x.shape[axis], self.stride[0], self.kernel_size[0]
                total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
                pads += [total // 2, total - total // 2]
            padded = functional.pad(x, pads)
            return functional.conv2d(padded, self.weight, self.bias, self.stride)
        return super().forward(x)


class Flatten(nn.Module):
    """Flattens in the order in which the values lie in memory, which costs nothing."""

    def __init__(self, channels_last: bool) -> None:
        super().__init__()
        self.channels_last = channels_last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x.permute(0, 2, 3, 1) if self.channels_last else x).flatten(1)


class GlobalAverage(nn.Module):
    """The mean over height and width."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


class Enlarge(nn.Module):
    """Every `strides`-th pixel, and channels of zeros appended."""

    def __init__(self, strides: int, channels: int) -> None:
        super().__init__()
        self.strides = strides
        self.channels = channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pixels = x[:, :, :: self.strides, :: self.strides]
        return functional.pad(pixels, (0, 0, 0, 0, 0, self.channels))


class Residual(nn.Module):
    """body(x) + shortcut(x), then ReLU."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu_(self.body(x) + self.shortcut(x))


class Network:
    """A module and where the weights of a description go in it.

    Args:
        model: The model's description.
        channels_last: The layout of images: NHWC, else NCHW.
        linear: The class of linear layers.

    Attributes:
        module: The module; its input has the shape (batch, channels, height, width), in memory as
            `channels_last` says, or (batch, inputs).
    """

    def __init__(
        self, model: Model, channels_last: bool = False, linear: type[nn.Linear] = nn.Linear
    ) -> None:
        self.channels_last = channels_last
        self.linear = linear
        self.slots: list[tuple[torch.Tensor, Convert]] = []
        shape = tuple(model["input"])
        # From (height, width, channels); without a leading batch a row is what it is.
        self.shape = (shape[2], *shape[:2]) if len(shape) == 3 else shape
        self.flattened: tuple[int, ...] | None = None
        self.module = self.sequence(model["layers"])
        if channels_last:
            self.module = self.module.to(memory_format=torch.channels_last)

    def sequence(self, layers: Iterable[dict[str, Any]]) -> nn.Sequential:
        """Builds layers in turn and follows the shape."""
        modules: list[nn.Module] = []
        for layer in layers:
            modules += self.build(layer)
            activation = layer.get("activation", "linear")
            if activation != "linear" and layer["kind"] != "residual":
                modules.append(ACTIVATIONS[activation]())
        return nn.Sequential(*modules)

    def build(self, layer: dict[str, Any]) -> list[nn.Module]:
        """Builds one layer without its activation."""
        kind = layer["kind"]
        if kind == "dense":
            module: nn.Module = self.linear(math.prod(self.shape), layer["units"])
            self.slots.append((module.weight, self.dense_kernel(self.flattened)))
            self.slots.append((module.bias, np.asarray))
            self.shape, self.flattened = (layer["units"],), None
        elif kind == "conv":
            size, same = layer["kernel"], layer["padding"] == "same"
            channels, strides = layer["filters"], layer["strides"]
            padding = size // 2 if same else 0
            module = Convolution(
                self.shape[0], channels, size, strides, padding, bias=layer["bias"]
            )
            self.slots.append((module.weight, lambda w: w.transpose(3, 2, 0, 1)))
            if layer["bias"]:
                self.slots.append((module.bias, np.asarray))
            self.shape = (channels, *self.window(size, strides, padding))
        elif kind == "batch_norm":
            module = nn.BatchNorm2d(self.shape[0], layer["epsilon"], 1.0 - layer["momentum"])
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                self.slots.append((tensor, np.asarray))
        elif kind in ("max_pool", "average_pool"):
            if layer["padding"] != "valid":
                raise Unsupported("pooling with padding")
            make = nn.MaxPool2d if kind == "max_pool" else nn.AvgPool2d
            module = make(layer["size"], layer["strides"])
            self.shape = (self.shape[0], *self.window(layer["size"], layer["strides"], 0))
        elif kind == "global_average":
            module = GlobalAverage()
            self.shape = self.shape[:1]
        elif kind == "flatten":
            module = Flatten(self.channels_last)
            self.flattened, self.shape = self.shape, (math.prod(self.shape),)
        elif kind == "enlarge":
            strides, filters = layer["strides"], layer["filters"]
            module = Enlarge(strides, filters - self.shape[0])
            self.shape = (filters, *(-(-n // strides) for n in self.shape[1:]))
        elif kind == "residual":
            before = self.shape
            body = self.sequence(layer["body"])
            self.shape = before
            module = Residual(body, self.sequence(layer["shortcut"]))
        elif kind == "activation":
            return []
        else:
            raise Unsupported(f"layer {kind}")
        return [module]

    def window(self, size: int, strides: int, padding: int) -> tuple[int, int]:
        """Returns height and width after a window has moved over the images."""
        height, width = ((n + 2 * padding - size) // strides + 1 for n in self.shape[1:])
        return height, width

    def dense_kernel(self, flattened: tuple[int, ...] | None) -> Convert:
        """Returns how a kernel (in, out) becomes (out, in), its inputs in this layout's order."""
        if flattened is None or len(flattened) < 3 or self.channels_last:
            return np.transpose
        channels, height, width = flattened

        def convert(kernel: Array) -> Array:
            images = kernel.reshape(height, width, channels, -1)
            return images.transpose(3, 2, 0, 1).reshape(kernel.shape[1], -1)

        return convert

    @torch.no_grad()
    def load(self, weights: Iterable[Array]) -> None:
        """Sets all parameters and moving statistics from those of the description."""
        for (tensor, convert), value in zip(self.slots, weights, strict=True):
            tensor.copy_(torch.from_numpy(np.ascontiguousarray(convert(value))))

    def set_exact(self, exact: bool) -> bool:
        """Chooses Keras's padding for convolutions with strides, or PyTorch's.

        Returns:
            Whether the network has any.
        """
        found = False
        for module in self.module.modules():
            if isinstance(module, Convolution) and module.stride[0] > 1:
                module.exact, found = exact, True
        return found

    def batch(self, x: torch.Tensor) -> torch.Tensor:
        """Returns rows of `images(x)` as the module takes them."""
        return x.permute(0, 3, 1, 2) if self.channels_last and x.ndim == 4 else x

    def images(self, x: Array) -> torch.Tensor:
        """Returns a data set (rows, height, width, channels) in this layout's memory order."""
        tensor = torch.from_numpy(x)
        if tensor.ndim == 4 and not self.channels_last:
            tensor = tensor.permute(0, 3, 1, 2).contiguous()
        return tensor
