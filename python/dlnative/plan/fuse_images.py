"""Fusions around convolution: normalisation, residual sums, ReLU and pooling."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..graph.ops.pooling import MAX_INDEXED_WINDOW
from ..graph.tensor import Node, Tensor
from .schedule import Schedule, merged_node, same_tensors

if TYPE_CHECKING:
    from ..graph.table import Op


def max_pool_indices(schedule: Schedule) -> None:
    """Pooling notes in one byte where each maximum stood; ReLU goes behind it.

    max(relu(z)) = relu(max(z)), and both pass a gradient to the first maximum only, and only where
    it is positive: with ReLU behind the pooling, what is kept for the backward pass is the pooled
    image and the bytes.
    """
    for pool in schedule.that_take("indices"):
        x, y = pool.inputs[0], pool.outputs[0]
        backward = [u for u in schedule.used_by(x) if _is_row(u, pool.op.backward)]
        if len(backward) != 1 or math.prod(pool.attributes["pool_size"]) > MAX_INDEXED_WINDOW:
            continue
        backward = backward[0]
        window = {k: v for k, v in backward.attributes.items() if v is not None}
        if backward.inputs[1] is not x or any(
            pool.attributes.get(k, v) != v for k, v in window.items()
        ):
            continue
        indices = Tensor(y.shape, "uint8", name="indices")
        window["input_shape"] = x.shape
        relu = schedule.producer(x)
        gradient = schedule.only_user(backward.outputs[0])
        behind = (
            _is_relu(relu)
            and _is_row(gradient, relu.op.backward)
            and same_tensors(gradient.inputs, (backward.outputs[0], x))
            and len(schedule.used_by(x)) == 3
        )
        attributes = {**pool.attributes, "indices": True}
        source, result = x, backward.outputs[0]
        saved: tuple[Any, ...] = ()
        dropped: tuple[Any, ...] = ()
        if behind:
            attributes["activation"] = window["activation"] = "relu"
            source, result, saved = relu.inputs[0], gradient.outputs[0], (y,)
            dropped = (relu,)
        schedule.replace(
            merged_node(pool.op, (source,), (y, indices), attributes, pool.scope),
            dropped,
            at=pool,
        )
        schedule.replace(
            merged_node(
                backward.op.fused,
                (backward.inputs[0], indices, *saved),
                (result,),
                window,
                pool.scope,
            ),
            (backward,) if behind else (),
            at=gradient if behind else backward,
        )


def normalize_add_relu(schedule: Schedule) -> None:
    """Batch normalisation, a residual sum and ReLU in one pass, forwards and backwards."""
    for node in schedule.that_are("normalization"):
        y = node.outputs[0]
        user = schedule.only_user(y)
        if "relu" not in node.op.epilogue or node.op.residual is None:
            continue
        if node.attributes.get("activation"):
            continue
        add = residual = relu = None
        if _is(user, "add") and user.inputs[0].shape == user.inputs[1].shape:
            add = user
            residual = add.inputs[1] if add.inputs[0] is y else add.inputs[0]
            if residual is y:
                continue
            user = schedule.only_user(add.outputs[0])
        if _is_relu(user):
            relu = user
        if add is None and relu is None:
            continue
        _merge_normalization(schedule, node, add, residual, relu)


def _merge_normalization(
    schedule: Schedule,
    node: Node,
    add: Node | None,
    residual: Tensor | None,
    relu: Node | None,
) -> None:
    last: Any = relu or add
    result = last.outputs[0]
    at: Any = node.op.residual
    inputs = _inputs(node, max(at + 1, len(node.inputs)))
    if inputs[at] is not None:
        return
    inputs[at] = residual
    attributes = dict(node.attributes)
    if relu is not None:
        attributes["activation"] = "relu"
    if relu is not None and not _merge_backward(schedule, node, add, relu):
        return
    merged = merged_node(node.op, inputs, (result, *node.outputs[1:]), attributes, node.scope)
    schedule.replace(merged, [n for n in (node, add) if n is not None and n is not last], at=last)


def _merge_backward(schedule: Schedule, node: Node, add: Node | None, relu: Node) -> bool:
    """The gradient of ReLU inside that of the normalisation; False where that cannot be done."""
    if node.op.backward is None or "relu_gradient" not in node.op.backward.epilogue:
        return True
    result = relu.outputs[0]
    masks = [u for u in schedule.used_by(result) if _is_row(u, relu.op.backward)]
    if not masks:
        return True
    mask = masks[0]
    if len(masks) > 1 or mask.inputs[1] is not result:
        return False
    masked = mask.outputs[0]
    users = schedule.used_by(masked)
    backward = [
        u
        for u in users
        if _is_row(u, node.op.backward) and u.inputs[0] is masked and u.inputs[2] is node.outputs[1]
    ]
    if len(backward) != 1 or (add is None and len(users) != 1):
        return False
    backward = backward[0]
    others = len(users) > 1
    merged = merged_node(
        backward.op,
        (mask.inputs[0], *_inputs(backward, 5)[1:], result),
        (*backward.outputs, masked) if others else backward.outputs,
        {**backward.attributes, "activation": "relu", "residual": others},
        backward.scope,
    )
    schedule.replace(merged, (mask,), at=backward)
    return True


def convolution_moments(schedule: Schedule) -> None:
    """Statistics for a normalisation are taken of each image while it is in the cache."""
    for node in schedule.each(lambda op: op.moments is not None):
        x = node.inputs[0]
        at: Any = node.op.moments
        conv = schedule.producer(x)
        inputs = _inputs(node, at + 1)
        if not _takes(conv, "moments") or len(conv.outputs) > 1 or inputs[at] is not None:
            continue
        if conv.attributes.get("activation"):
            continue
        pixels = _block_of_pixels(math.prod(x.shape[1:-1]))
        if pixels is None:
            continue
        blocks = math.prod(x.shape[:-1]) // pixels
        moments = Tensor((blocks, 2, x.shape[-1]), x.dtype, name="moments")
        schedule.replace(
            merged_node(
                conv.op,
                conv.inputs,
                (x, moments),
                {**conv.attributes, "moments": pixels},
                conv.scope,
            ),
            (),
            at=conv,
        )
        inputs[at] = moments
        schedule.replace(
            merged_node(node.op, inputs, node.outputs, node.attributes, node.scope), (), at=node
        )


def sum_of_gradients(schedule: Schedule) -> None:
    """The gradient of an image that was used twice: the convolution adds its part to the other."""
    for node in schedule.that_are("add"):
        a, b = node.inputs
        if a.shape != b.shape or a is b:
            continue
        for part, other in ((a, b), (b, a)):
            conv = schedule.producer(part)
            if (
                _takes(conv, "activation_gradient")
                and conv.op.residual is not None
                and len(conv.inputs) == 2
                and schedule.only_user(part) is node
                and other.node is not None
            ):
                merged = merged_node(
                    conv.op,
                    (*_inputs(conv, conv.op.residual), other),
                    node.outputs,
                    conv.attributes,
                    conv.scope,
                )
                schedule.replace(merged, (conv,), at=node)
                break


def fold_batch_norm(schedule: Schedule) -> None:
    """Normalisation with constant statistics scales the weights of the convolution before it.

    A residual is what the convolution adds its products to.
    """
    for node in schedule.that_are("normalization"):
        if node.op.moments is not None:  # statistics of the batch are not known beforehand
            continue
        x = node.inputs[0]
        conv = schedule.producer(x)
        residual: Any = node.op.residual
        inputs = _inputs(node, residual + 1)
        if not _takes(conv, "normalization") or schedule.only_user(x) is not node:
            continue
        if conv.attributes.get("activation") or len(conv.outputs) > 1:
            continue
        if any(t is not None for t in conv.inputs[3:]):  # another normalisation is folded in
            continue
        attributes = {**conv.attributes, "epsilon": node.attributes.get("epsilon", 1e-3)}
        if node.attributes.get("activation"):
            attributes["activation"] = node.attributes["activation"]
        merged = merged_node(
            conv.op,
            (*_inputs(conv, 3), *inputs[1:]),
            node.outputs,
            attributes,
            conv.scope,
        )
        schedule.replace(merged, (conv,), at=node)


def _block_of_pixels(image: int, least: int = 16, most: int = 256) -> int | None:
    """The largest part of an image's pixels, at most 256, that divides them; None below 16.

    Sums of more rows could lose digits of the variance (csrc/kernels/norm_kernels.h).
    """
    if image < least:
        return image
    return next((n for n in range(most, least - 1, -1) if image % n == 0), None)


def _inputs(node: Node, count: int) -> list[Tensor | None]:
    """The first inputs of a node as a list, None where optional ones are left out."""
    return [*node.inputs, *[None] * count][:count]


def _is(node: Node | None, word: str) -> bool:
    return node is not None and node.op.fusion == word


def _takes(node: Node | None, word: str) -> bool:
    return node is not None and word in node.op.epilogue


def _is_row(node: Node | None, op: Op | None) -> bool:
    return node is not None and node.op is op


def _is_relu(node: Any) -> bool:
    return _is(node, "activation") and node.op.rectifies(node.attributes)
