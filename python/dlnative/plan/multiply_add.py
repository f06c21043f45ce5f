"""One form for products and sums, before loops are made: fma, fnma and lerp.

A value then has the same bits whether or not its node becomes a part of a loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..graph.dtypes import FLOATS
from ..graph.ops.elementwise import FMA, FNMA, LERP
from ..graph.tensor import Node, Tensor
from .schedule import Schedule, merged_node

if TYPE_CHECKING:
    from ..graph.table import Op


def multiply_add(schedule: Schedule) -> None:
    """a * b + c, c - a * b and a + (b - a) * t of floats become one node each."""
    for node in schedule.each(lambda op: op.fusion in _SUMS):
        if node.outputs[0].dtype in FLOATS:
            _SUMS[str(node.op.fusion)](schedule, node)


def _rescale(schedule: Schedule, node: Node) -> None:
    x = node.inputs[0]
    scale = _constant(node.attributes.get("scale", 1.0), x.dtype)
    offset = _constant(node.attributes.get("offset", 0.0), x.dtype)
    _replace(schedule, node, FMA, (x, scale, offset))


def _add(schedule: Schedule, node: Node) -> None:
    for a, product in (node.inputs, node.inputs[::-1]):
        factors = _factors(schedule, node, product)
        if factors is None:
            continue
        for t, difference in (factors, factors[::-1]):
            minus = schedule.producer(difference)
            if (
                minus is not None
                and minus.op.fusion == "difference"
                and minus.inputs[1] is a
                and _is_inner(schedule, minus, schedule.producer(product))
            ):
                _replace(
                    schedule,
                    node,
                    LERP,
                    (a, minus.inputs[0], t),
                    (schedule.producer(product), minus),
                )
                return
        _replace(schedule, node, FMA, (*factors, a), (schedule.producer(product),))
        return


def _subtract(schedule: Schedule, node: Node) -> None:
    factors = _factors(schedule, node, node.inputs[1])
    if factors is not None:
        product = schedule.producer(node.inputs[1])
        _replace(schedule, node, FNMA, (*factors, node.inputs[0]), (product,))


_SUMS = {"rescale": _rescale, "add": _add, "difference": _subtract}


def _factors(schedule: Schedule, node: Node, tensor: Tensor) -> Sequence[Tensor | None] | None:
    """The factors of a product that only `node` uses, or None."""
    product = schedule.producer(tensor)
    if product is None or product.op.fusion not in ("product", "square"):
        return None
    if not _is_inner(schedule, product, node):
        return None
    return product.inputs if product.op.fusion == "product" else product.inputs * 2


def _is_inner(schedule: Schedule, node: Node, user: Node) -> bool:
    """Whether a node is of the shape of its only user."""
    (y,) = node.outputs
    return y.shape == user.outputs[0].shape and schedule.used_by(y) == [user]


def _constant(value: float, dtype: str) -> Tensor:
    return Tensor((), dtype, source=np.array(value, dtype))


def _replace(
    schedule: Schedule,
    node: Node,
    op: Op,
    inputs: Sequence[Tensor | None],
    dropped: Sequence[Node] = (),
) -> None:
    merged = merged_node(op, inputs, node.outputs, {}, node.scope)
    schedule.replace(merged, dropped, at=node)
