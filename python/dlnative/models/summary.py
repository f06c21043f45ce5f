"""The table that `Model.summary` prints."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from ..graph import Graph
from ..graph.table import ITEMSIZE
from ..layers import calls
from ..layers.layer import Layer, map_shapes
from ..utils import nest
from ..utils.messages import print_message

if TYPE_CHECKING:
    from ..variables import Variable
    from .model import Model


UNKNOWN = "?"


def print_summary(
    model: Model,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: Callable[[str], Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
    flops: bool = True,
) -> None:
    """Prints the table; the arguments are those of `Model.summary`."""
    layers = _listed_layers(model, layer_range)
    connected = not _is_chain(model)
    counted = count_flops(model) if flops else None
    titles = ["Layer (type)", "Output Shape", "Param #"]
    titles += ["FLOPs"] * flops + ["Connected to"] * connected + ["Trainable"] * show_trainable
    rows: list[_Row] = []
    for layer in layers:
        _add_rows(rows, model, layer, "", layer.name, counted, connected, expand_nested)
    table = [_cells(row, flops, connected, show_trainable) for row in rows]
    lines = [f'Model: "{model.name}"', *_draw(titles, table, line_length, positions)]
    lines += _totals(model, counted if flops else None)
    for line in lines:
        (print_fn or print_message)(line)


def count_flops(model: Model) -> dict[str, int] | None:
    """FLOPs of the forward pass for one sample, by scope, the name of a layer within the model.

    Returns:
        A dict with a total under "", or None where a size other than the batch is open or the model
        is not built.
    """
    if not model.built:
        return None
    graph = Graph(training=False)
    if model._graph is not None:
        inputs = model._graph.input
        feeds = nest.map_structure(lambda t: graph.feed((1, *t.shape[1:]), t.dtype), inputs)
    elif shapes := (model.get_build_config() or {}).get("input_shape"):
        feeds = map_shapes(lambda shape: graph.feed((1, *shape[1:]), model.input_dtype), shapes)
    else:
        return None
    if any(None in feed.shape for feed in graph.feeds):
        return None
    model(feeds)
    counts = {"": 0}
    for node in graph.nodes:
        flops = node.op.flops(node)
        scope = node.scope or ""
        counts[""] += flops
        while scope:
            counts[scope] = counts.get(scope, 0) + flops
            scope = scope.rpartition("/")[0]
    return counts


class _Row:
    """One line of the table."""

    def __init__(self, layer: Layer, name: str, scope: str, flops: Any, connections: str) -> None:
        self.layer = layer
        self.name = name
        self.scope = scope
        self.flops = flops
        self.connections = connections


def _add_rows(
    rows: list[_Row],
    model: Model,
    layer: Layer,
    prefix: str,
    scope: str,
    flops: Any,
    connected: bool,
    expand_nested: bool,
) -> None:
    count = UNKNOWN if flops is None else f"{flops.get(scope, 0):,}"
    connections = _connections(model, layer) if connected and not prefix else ""
    rows.append(_Row(layer, f"{prefix}{layer.name} ({layer.kind})", scope, count, connections))
    if expand_nested and layer.is_model:
        for inner in cast("Model", layer).layers:
            path = f"{scope}/{inner.name}"
            _add_rows(rows, model, inner, f"   {prefix}", path, flops, connected, True)


def _cells(row: _Row, flops: Any, connected: bool, show_trainable: bool) -> list[str]:
    layer = row.layer
    params = f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"
    cells = [row.name, _output_shape(layer), params]
    cells += [row.flops] * flops + [row.connections] * connected
    if show_trainable:
        cells.append(("Y" if layer.trainable else "N") if layer.built and layer.weights else "-")
    return cells


def _output_shape(layer: Layer) -> str:
    if layer.is_model:
        graph = layer._graph  # type: ignore[attr-defined]
        return UNKNOWN if graph is None else _join(graph.output_shape)
    if layer._calls:
        return ", ".join(str(t.shape) for t in layer._calls[-1].outputs)
    shapes = layer.__dict__.get("_build_shapes")
    if not shapes or len(shapes) > 1 or None in shapes.values():
        return UNKNOWN
    try:
        return _join(layer.compute_output_shape(next(iter(shapes.values()))))
    except (ValueError, TypeError, NotImplementedError):
        return UNKNOWN


def _join(shapes: Any) -> str:
    if isinstance(shapes, tuple) and all(n is None or isinstance(n, int) for n in shapes):
        return str(shapes)
    values = shapes.values() if isinstance(shapes, dict) else shapes
    return ", ".join(_join(shape) for shape in values)


def _connections(model: Any, layer: Layer) -> str:
    """The layers that a layer gets its inputs from, within the model."""
    names = []
    for each in model._graph.calls:
        if each.layer is layer:
            names += [calls.call_of(t).layer.name for t in each.inputs]
    return ", ".join(dict.fromkeys(names)) or "-"


def _is_chain(model: Any) -> bool:
    """Whether each layer is called once, on what the one before returned."""
    if not model.is_functional:
        return True
    sequence = model._graph.calls
    before = calls.call_of(model.inputs[0])
    for each in sequence:
        if len(each.inputs) != 1 or calls.call_of(each.inputs[0]) is not before:
            return False
        before = each
    return len(model.inputs) == 1 and len({id(each.layer) for each in sequence}) == len(sequence)


def _listed_layers(model: Any, layer_range: Sequence[str] | None) -> list[Layer]:
    layers = model.operations if model.is_functional else model.layers
    if layer_range is None:
        return layers
    if len(layer_range) != 2 or not all(isinstance(name, str) for name in layer_range):
        raise ValueError(f"summary: expected layer_range to be two names, received {layer_range!r}")
    found = [
        [i for i, layer in enumerate(layers) if re.match(name, layer.name)] for name in layer_range
    ]
    if not all(found):
        raise ValueError(
            f"summary: layer_range {layer_range!r} names no layer of '{model.name}'; "
            f"it has {[layer.name for layer in layers]}"
        )
    return layers[min(found[0]) : max(found[1]) + 1]


def _draw(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    line_length: int | None,
    positions: Sequence[float] | None,
) -> list[str]:
    """The lines of a table with `|` between the columns; wide cells are continued below."""
    widths = [max(len(str(cell)) for cell in column) for column in zip(titles, *rows, strict=True)]
    if positions:
        total, shares = line_length or 100, [0.0, *positions]
        ends = [int(share * total) for share in shares]
        widths = [ends[i + 1] - ends[i] - 3 for i in range(min(len(titles), len(positions)))]
    elif line_length:
        spare = line_length - sum(widths) - 3 * len(widths) - 1
        widths[0] = max(8, widths[0] + spare) if spare < 0 else widths[0] + spare
    if len(widths) < len(titles) or min(widths) < 4:
        raise ValueError("summary: line_length is too short for the columns")
    right = [title in ("Param #", "FLOPs") for title in titles]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    lines = [rule, *_row_lines(titles, widths, right), rule.replace("-", "=")]
    for row in rows:
        lines += _row_lines(row, widths, right)
    return [*lines, rule]


def _row_lines(cells: Sequence[str], widths: Sequence[int], right: Any) -> list[str]:
    parts = [
        [cell[i : i + width] for i in range(0, max(len(cell), 1), width)]
        for cell, width in zip(cells, widths, strict=True)
    ]
    lines = []
    for i in range(max(len(part) for part in parts)):
        texts = [part[i] if i < len(part) else "" for part in parts]
        padded = [
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(texts, widths, right, strict=True)
        ]
        lines.append("| " + " | ".join(padded) + " |")
    return lines


def _totals(model: Model, flops: Any) -> list[str]:
    trainable, frozen = model.trainable_weights, model.non_trainable_weights
    optimizer = getattr(model, "optimizer", None)
    slots = list(getattr(optimizer, "variables", ()) or ()) if optimizer is not None else []
    lines = [
        f" Total params: {_amount([*trainable, *frozen, *slots])}",
        f" Trainable params: {_amount(trainable)}",
        f" Non-trainable params: {_amount(frozen)}",
    ]
    if slots:
        lines.append(f" Optimizer params: {_amount(slots)}")
    if flops is not None:
        lines.append(f" FLOPs per sample, forward: {flops['']:,}")
    return lines


def _amount(variables: Iterable[Variable]) -> str:
    count = sum(math.prod(v.shape) for v in variables)
    size = float(sum(math.prod(v.shape) * ITEMSIZE.get(v.dtype, 4) for v in variables))
    unit = 0
    while size >= 1024 and unit < 4:
        size, unit = size / 1024, unit + 1
    return f"{count:,} ({size:.2f} {('B', 'KB', 'MB', 'GB', 'TB')[unit]})"
