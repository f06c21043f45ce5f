"""Batch, layer and group normalisation over the last axis or axes, and moving averages.

y = (x - mean) / sqrt(variance + epsilon) * gamma + beta; an absent gamma counts as 1, an absent
beta as 0. Where statistics come from and what the gradients are, the oracle says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..table import Op, check_same_dtype, check_scalar, link, register, same, table
from ..tensor import Node, Spec, Tensor, apply
from ..types import Gradients, Shape, Specs


def channels_of(name: str, x: Tensor) -> int:
    """The size of the last axis; ValueError where there is no axis before it."""
    if x.ndim < 2:
        raise ValueError(f"{name}: expected x of shape (batch, ..., channels), received {x.shape}")
    return x.shape[-1]


def check_arrays(name: str, x: Tensor, shape: Shape, **arrays: Tensor | None) -> None:
    """ValueError unless every array is absent or has `shape` and the dtype of `x`."""
    check_same_dtype(name, x, *arrays.values())
    for key, array in arrays.items():
        if array is not None and array.shape != tuple(shape):
            raise ValueError(
                f"{name}: expected {key} of shape {tuple(shape)} for x of shape {x.shape}, "
                f"received {array.shape}"
            )


def check_activation(name: str, activation: str | None) -> None:
    """ValueError unless it is relu or none."""
    if activation not in (None, "relu"):
        raise ValueError(f"{name}: expected activation None or 'relu', received {activation!r}")


def check_dy(name: str, dy: Tensor, x: Tensor) -> None:
    """ValueError unless `dy` has the shape and dtype of `x`."""
    check_same_dtype(name, dy, x)
    if dy.shape != x.shape:
        raise ValueError(f"{name}: expected dy of shape {x.shape}, received {dy.shape}")


def input_or_none(node: Node, index: int) -> Tensor | None:
    """An input of a node; None where the node has fewer."""
    return node.inputs[index] if index < len(node.inputs) else None


def placed(parts: dict[int, Tensor], needs: Sequence[bool]) -> Gradients:
    """One gradient per input: parts[i] at index i where it is needed, else None."""
    return tuple(parts.get(i) if need else None for i, need in enumerate(needs))


@register
class BatchNorm(Op):
    """y = act((x - mean) / sqrt(variance + epsilon) * gamma + beta + residual) per channel.

    The statistics are given, as for inference and for training of a frozen layer.
    """

    name = "batch_norm"
    inplace = {0: 0}
    fusion = "normalization"
    epilogue = frozenset({"relu"})
    residual = 5

    def infer(
        self,
        x: Tensor,
        mean: Tensor,
        variance: Tensor,
        gamma: Tensor | None = None,
        beta: Tensor | None = None,
        residual: Tensor | None = None,
        epsilon: float = 1e-3,
        activation: str | None = None,
    ) -> Spec:
        shape = (channels_of(self.name, x),)
        check_arrays(self.name, x, shape, mean=mean, variance=variance, gamma=gamma, beta=beta)
        check_arrays(self.name, x, x.shape, residual=residual)
        check_activation(self.name, activation)
        return same(x)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        x, mean, variance = node.inputs[:3]
        gamma = input_or_none(node, 3)
        epsilon = node.attributes.get("epsilon", 1e-3)
        if node.attributes.get("activation") == "relu":
            dy = apply("relu_backward", dy, node.outputs[0])
        parts = {5: dy}
        if any(needs[1:5]):
            parts[0], parts[3], parts[4] = apply(
                "batch_norm_backward", dy, x, mean, variance, gamma, epsilon=epsilon
            )
            if any(needs[1:3]):  # dy / dmean = -scale, dy / dvariance = -scale xhat / (2 sigma)
                inverse = apply("rsqrt", variance + epsilon)
                scale = inverse if gamma is None else inverse * gamma
                parts[1], parts[2] = -scale * parts[4], scale * inverse * parts[3] * -0.5
        elif needs[0]:  # dy is scaled as x is: without sums, and without reading x
            zero = dy.graph.constant(np.zeros(mean.shape), dy.dtype)
            parts[0] = apply("batch_norm", dy, zero, variance, gamma, epsilon=epsilon)
        return placed(parts, needs)

    def flops(self, node: Node) -> int:
        return 4 * node.outputs[0].size


@register
class BatchNormBackward(Op):
    """dx, dgamma and dbeta of batch_norm, in one pass."""

    name = "batch_norm_backward"
    inplace = {0: 0}

    def infer(
        self,
        dy: Tensor,
        x: Tensor,
        mean: Tensor,
        variance: Tensor,
        gamma: Tensor | None = None,
        epsilon: float = 1e-3,
    ) -> tuple[Spec, ...]:
        shape = (channels_of(self.name, x),)
        check_dy(self.name, dy, x)
        check_arrays(self.name, x, shape, mean=mean, variance=variance, gamma=gamma)
        return same(x), Spec(shape, x.dtype), Spec(shape, x.dtype)

    def flops(self, node: Node) -> int:
        return 5 * node.inputs[1].size


@register
class BatchNormTraining(Op):
    """batch_norm with the batch's own statistics: y, mean and (biased) variance.

    `moments` (blocks, 2, channels) are mean and sum of squared deviations of blocks of equally many
    rows, from whoever wrote x; then only their merging is left of the statistics.
    """

    name = "batch_norm_training"
    inplace = {0: 0}
    fusion = "normalization"
    epilogue = frozenset({"relu"})
    residual = 3
    moments = 4

    def infer(
        self,
        x: Tensor,
        gamma: Tensor | None = None,
        beta: Tensor | None = None,
        residual: Tensor | None = None,
        moments: Tensor | None = None,
        epsilon: float = 1e-3,
        activation: str | None = None,
    ) -> tuple[Spec, ...]:
        shape = (channels_of(self.name, x),)
        check_arrays(self.name, x, shape, gamma=gamma, beta=beta)
        check_arrays(self.name, x, x.shape, residual=residual)
        check_activation(self.name, activation)
        if moments is not None:
            self._check_moments(x, moments)
        return same(x), Spec(shape, x.dtype), Spec(shape, x.dtype)

    def _check_moments(self, x: Tensor, moments: Tensor) -> None:
        check_same_dtype(self.name, x, moments)
        if moments.ndim != 3 or moments.shape[1:] != (2, x.shape[-1]):
            raise ValueError(
                f"{self.name}: expected moments of shape (blocks, 2, {x.shape[-1]}), "
                f"received {moments.shape}"
            )
        rows, blocks = math.prod(x.shape[:-1]), moments.shape[0]
        if blocks < 1 or rows % blocks:
            raise ValueError(
                f"{self.name}: expected moments of blocks of equally many rows, received "
                f"{blocks} blocks for {rows} rows"
            )

    def gradient(
        self,
        node: Node,
        dy: Tensor | None,
        dmean: Tensor | None,
        dvariance: Tensor | None,
        needs: Sequence[bool],
    ) -> Gradients:
        if dy is None or dmean is not None or dvariance is not None:
            raise ValueError(
                f"{self.name}: mean and variance have no gradient. Use them for moving averages "
                "only, or take dlnative.ops.mean of x."
            )
        x, gamma = node.inputs[0], input_or_none(node, 1)
        y, mean, variance = node.outputs
        activation = node.attributes.get("activation")
        residual = len(needs) > 3 and needs[3]
        grads = apply(
            "batch_norm_training_backward",
            dy,
            x,
            mean,
            variance,
            gamma,
            y if activation else None,
            epsilon=node.attributes.get("epsilon", 1e-3),
            activation=activation,
            residual=residual,
        )
        return placed(dict(enumerate(grads)), needs)

    def flops(self, node: Node) -> int:
        return 8 * node.outputs[0].size


@register
class BatchNormTrainingBackward(Op):
    """dx, dgamma and dbeta of batch_norm_training; `residual`: and the residual's gradient."""

    name = "batch_norm_training_backward"
    epilogue = frozenset({"relu_gradient"})
    # Every element is read before anything is written in its place.
    inplace = {0: 0, 3: 1}

    def infer(
        self,
        dy: Tensor,
        x: Tensor,
        mean: Tensor,
        variance: Tensor,
        gamma: Tensor | None = None,
        saved: Tensor | None = None,
        epsilon: float = 1e-3,
        activation: str | None = None,
        residual: bool = False,
    ) -> Specs:
        shape = (channels_of(self.name, x),)
        check_dy(self.name, dy, x)
        check_arrays(self.name, x, shape, mean=mean, variance=variance, gamma=gamma)
        check_arrays(self.name, x, x.shape, saved=saved)
        check_activation(self.name, activation)
        if (saved is None) != (activation is None):
            raise ValueError(f"{self.name}: expected 'saved', the output, with an activation only")
        specs = (same(x), Spec(shape, x.dtype), Spec(shape, x.dtype))
        return (*specs, same(x)) if residual else specs

    def flops(self, node: Node) -> int:
        return 9 * node.inputs[1].size


@register
class MovingAverage(Op):
    """state * momentum + value * (1 - momentum)"""

    name = "moving_average"
    inplace = {0: 0}

    input_dtypes = {2: "float64"}

    def check_constant(self, index: int, value: Any, dtype: str) -> None:
        if index == 2 and not 0.0 <= value <= 1.0:
            raise ValueError(f"moving_average: expected momentum in [0, 1], received {value}")

    def infer(self, state: Tensor, value: Tensor, momentum: Tensor) -> Spec:
        check_scalar(self.name, "momentum", momentum)
        check_same_dtype(self.name, state, value)
        if state.shape != value.shape:
            raise ValueError(
                f"moving_average: expected a value of shape {state.shape}, received {value.shape}"
            )
        return same(state)

    def flops(self, node: Node) -> int:
        return 3 * node.inputs[0].size


class SampleNormOp(Op):
    """Normalisation within a sample. `inner` gives the shape of gamma and checks the attributes."""

    inner: Callable[..., tuple[int, ...]]

    def infer(
        self,
        x: Tensor,
        gamma: Tensor | None = None,
        beta: Tensor | None = None,
        epsilon: float = 1e-3,
        **attributes: Any,
    ) -> Spec:
        shape = self.inner(self.name, x, **attributes)
        check_arrays(self.name, x, shape, gamma=gamma, beta=beta)
        return same(x)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        grads = apply(
            self.name + "_backward", dy, node.inputs[0], input_or_none(node, 1), **node.attributes
        )
        return placed(dict(enumerate(grads)), needs)

    def flops(self, node: Node) -> int:
        return 8 * node.outputs[0].size


class SampleNormBackwardOp(Op):
    """dx, dgamma and dbeta; the statistics are computed again."""

    inner: Callable[..., tuple[int, ...]]
    inplace = {0: 0}

    def infer(
        self,
        dy: Tensor,
        x: Tensor,
        gamma: Tensor | None = None,
        epsilon: float = 1e-3,
        **attributes: Any,
    ) -> tuple[Spec, ...]:
        shape = self.inner(self.name, x, **attributes)
        check_dy(self.name, dy, x)
        check_arrays(self.name, x, shape, gamma=gamma)
        return same(x), Spec(shape, x.dtype), Spec(shape, x.dtype)

    def flops(self, node: Node) -> int:
        return 16 * node.inputs[1].size


def normalized_shape(name: str, x: Tensor, axes: int = 1) -> Shape:
    """The last `axes` axes of x, over which layer_norm takes its statistics."""
    if not isinstance(axes, int) or not 1 <= axes < x.ndim:
        raise ValueError(
            f"{name}: expected axes, the number of last axes, in [1, {x.ndim}) for x of shape "
            f"{x.shape}, received {axes}"
        )
    return x.shape[-axes:]


def grouped_channels(name: str, x: Tensor, groups: int = 32) -> tuple[int]:
    """(channels,), which `groups` must divide."""
    channels = channels_of(name, x)
    if channels % groups:
        raise ValueError(
            f"{name}: expected a number of channels that is a multiple of {groups} groups, "
            f"received {channels} in {x.shape}"
        )
    return (channels,)


@register
class LayerNorm(SampleNormOp):
    """Every sample over its last `axes` axes; gamma and beta have their shape."""

    name = "layer_norm"
    inplace = {0: 0}
    inner = staticmethod(normalized_shape)


@register
class LayerNormBackward(SampleNormBackwardOp):
    """dx, dgamma and dbeta of layer_norm."""

    name = "layer_norm_backward"
    inner = staticmethod(normalized_shape)


@register
class GroupNorm(SampleNormOp):
    """Every sample over all inner axes and each of `groups` groups of neighbouring channels."""

    name = "group_norm"
    inplace = {0: 0}
    inner = staticmethod(grouped_channels)


@register
class GroupNormBackward(SampleNormBackwardOp):
    """dx, dgamma and dbeta of group_norm."""

    name = "group_norm_backward"
    inner = staticmethod(grouped_channels)


for _name in ("batch_norm", "batch_norm_training", "layer_norm", "group_norm"):
    link(table[_name], table[f"{_name}_backward"])
