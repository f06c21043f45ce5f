"""Where a step stops being finite: which op of which layer, for which rows, on which way."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..engines.immediate import ImmediateGraph
from ..graph.graph import Graph
from ..graph.tensor import Feed, Node, is_variable
from ..layers.tracking import Attributes
from .guard import watched_tensors
from .loop import HeldStep
from .report import Returned

SHOWN = 8  # row numbers in a message


class Finding(NamedTuple):
    """What is the first in a step that is not finite.

    Attributes:
        what: What the step was held back for, such as "the loss is nan".
        phase: "forward", "backward" or "update"; "data" for a feed, "weights" for weights that were
            not finite before; None where op by op all is finite.
        op: Name of the op, of the public one where it is a part of that; None where it is none.
        gradient_of: Name of the op whose gradient it is a part of, or None.
        layer: The layer it belongs to, by its way through the model; None for losses and updates.
        name: Of the feed, or of the first weight.
        value: What it gives: "nan", "inf" or "-inf".
        rows: Numbers of the rows of the batch for which it does; None where it is not of rows.
        weights: Paths of the weights that were not finite before the step.
    """

    what: str
    phase: str | None = None
    op: str | None = None
    gradient_of: str | None = None
    layer: str | None = None
    name: str | None = None
    value: str | None = None
    rows: list[int] | None = None
    weights: tuple[str, ...] = ()


def examine(held: HeldStep) -> Finding:
    """Runs a step once more, op by op, and looks where it stops being finite.

    Nothing is written. The step goes back from the loss, the gradients and the new weights through
    what is not finite, to the first op all of whose inputs are finite: values that are infinite on
    purpose, such as those of a mask, are passed by where what is made of them is finite.

    Args:
        held: The step, with the weights as they were before it.
    """
    recipe = held.step.recipe
    model = recipe.model
    weights = tuple(v.path for v in model.variables if not _is_finite(v.array))
    before = Attributes(model)
    graph: Any = ImmediateGraph(True, held.number, held.epoch, held.samples)
    try:
        with np.errstate(all="ignore"):
            _trace(recipe, graph, held.arrays)
            watched: list[Any] = watched_tensors(graph, model)
    except Exception as error:  # code of the user's, or a check of values
        return Finding(f"its values are not finite, and op by op it raises {error!r}"[:500])
    finally:
        before.restore()
    wrong = [t for t in watched if not _is_finite(t.value)]
    losses = [t for t in graph.watched[:1] if t.shape == () and not _is_finite(t.value)]
    what = f"the loss is {_first_bad(losses[0].value)}" if losses else _kind(graph, wrong)
    nodes, leaves = _ancestors(losses or wrong)
    feeds = [t for t in leaves if isinstance(t.source, Feed)]
    if feeds:
        bad = feeds[0]
        rows = _bad_rows(bad.value)
        name = bad.source.name or "x"
        return Finding(what, "data", None, None, None, name, _first_bad(bad.value), rows, weights)
    variables = [t.source for t in leaves]
    if variables:
        value = _first_bad(variables[0].value)
        return Finding(what, "weights", name=variables[0].path, value=value, weights=weights)
    if not nodes:
        return Finding(what, weights=weights)
    return _of_node(what, recipe, graph, nodes, weights)


def _trace(recipe: Any, graph: Graph, arrays: Sequence[Any]) -> None:
    """Adds the step of a recipe to a graph, and leaves the recipe as it is."""
    recipe = copy.copy(recipe)
    if recipe.returned is not None:
        recipe.returned = Returned()
    recipe.trace(graph, arrays)


def _kind(graph: Graph, wrong: Sequence[Any]) -> str:
    if not wrong:
        return "its values are not finite"
    given = {id(t) for t in graph.watched}
    return "a gradient is not finite" if id(wrong[0]) in given else "a new weight is not finite"


def _ancestors(wrong: Iterable[Any]) -> tuple[dict[int, Node], list[Any]]:
    """What is not finite before some tensors: {id: node}, and feeds and variables."""
    nodes: dict[int, Node] = {}
    leaves: dict[int, Any] = {}
    waiting = list(wrong)
    while waiting:
        tensor = waiting.pop()
        node = tensor.node
        if node is None:
            if isinstance(tensor.source, Feed) or is_variable(tensor.source):
                leaves[id(tensor)] = tensor
        elif id(node) not in nodes:
            nodes[id(node)] = node
            waiting += [t for t in node.inputs if t is not None and not _is_finite(t.value)]
    return nodes, list(leaves.values())


def _of_node(
    what: str, recipe: Any, graph: Any, nodes: dict[int, Any], weights: tuple[str, ...]
) -> Finding:
    """The first node whose inputs are finite, and the rows that it or what follows has."""
    places = {id(node): i for i, node in enumerate(graph.nodes) if id(node) in nodes}
    ordered = sorted(nodes.values(), key=lambda node: places[id(node)])
    first = next((n for n in ordered if all(map(_is_known, n.inputs))), ordered[0])
    of_rows = _tensors_of_rows(recipe, graph)
    rows = None
    for node in ordered[ordered.index(first) :]:
        bad = [t for t in node.outputs if not _is_finite(t.value)]
        if node is first or _follows(node, first):
            found = [t for t in bad if id(t) in of_rows]
            if found:
                rows = _bad_rows(found[0].value)
                break
    source = graph.gradient_of.get(id(first))
    value = next(_first_bad(t.value) for t in first.outputs if not _is_finite(t.value))
    phase = "forward" if source is None else "backward"
    if source is None and places[id(first)] > _last_gradient(graph) >= 0:
        phase = "update"
    gradient_of = None if source is None else source.composite or source.op.name
    op, layer, name = first.composite or first.op.name, first.scope, None
    if phase == "update":  # its scope is that of the optimizer, and the weight
        layer, name = None, (first.scope or "").partition("/")[2] or None
    return Finding(what, phase, op, gradient_of, layer, name, value, rows, weights)


def _is_known(tensor: Any) -> bool:
    """Whether an input is finite, or a constant."""
    is_leaf = tensor is not None and tensor.node is None
    is_constant = is_leaf and isinstance(tensor.source, np.ndarray)
    return tensor is None or is_constant or _is_finite(tensor.value)


def _follows(node: Node, first: Node) -> bool:
    """Whether a node computes with the results of another."""
    waiting, seen = [node], set()
    while waiting:
        current = waiting.pop()
        if current is first:
            return True
        if id(current) not in seen:
            seen.add(id(current))
            waiting += [t.node for t in current.inputs if t is not None and t.node is not None]
    return False


def _last_gradient(graph: Graph) -> int:
    """The place of the last node of a gradient; -1 where there is none."""
    return max((i for i, n in enumerate(graph.nodes) if id(n) in graph.gradient_of), default=-1)


def _tensors_of_rows(recipe: Any, graph: Any) -> set[int]:
    """Ids of the tensors whose first axis is that of the rows of the batch.

    These are the ones that have a row more in the graph of a batch with one row more.
    """
    rows = recipe.batch
    alike = [t for node in graph.nodes for t in node.outputs if t.shape[:1] == (rows,)]
    larger = copy.copy(recipe)
    larger.batch = rows + 1
    other = Graph(training=True)
    before = Attributes(recipe.model)
    try:
        _trace(larger, other, None)  # type: ignore[arg-type]
    except Exception:  # a model of one batch size, or a step that asks for values
        return {id(t) for t in alike}
    finally:
        before.restore()
    if [n.op for n in other.nodes] != [n.op for n in graph.nodes]:
        return {id(t) for t in alike}
    return {
        id(t)
        for node, twin in zip(graph.nodes, other.nodes, strict=True)
        for t, u in zip(node.outputs, twin.outputs, strict=True)
        if u.shape[:1] == (rows + 1,) and t.shape[:1] == (rows,)
    }


def _bad_rows(values: Any) -> list[int]:
    array = np.asarray(values)
    bad = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
    return [int(row) for row in np.flatnonzero(bad)]


def _first_bad(values: Any) -> str:
    array = np.asarray(values).ravel()
    return f"{array[~np.isfinite(array)][0]}"


def _is_finite(value: Any) -> bool:
    array = np.asarray(value)
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def describe(finding: Finding, samples: np.ndarray | None) -> str:
    """A Finding as a sentence without an end."""
    rows = _rows_in_words(finding, samples)
    layer = "" if finding.layer is None else f" of layer '{finding.layer}'"
    if finding.phase == "data":
        first = "the data are the first that are not finite"
        return f"{first}: '{finding.name}' is {finding.value}{rows}"
    if finding.phase == "weights":
        return f"weight '{finding.name}' was {finding.value} before the step"
    if finding.phase is None:
        return "op by op, all values of the step are finite"
    gradient = f" in the gradient of '{finding.gradient_of}'" if finding.gradient_of else ""
    weight = f" of the new '{finding.name}'" if finding.phase == "update" else ""
    where = f"op '{finding.op}'{gradient}{layer}{weight}"
    return f"{finding.phase}: {where} is the first that is not finite: {finding.value}{rows}"


def _rows_in_words(finding: Finding, samples: np.ndarray | None) -> str:
    rows = finding.rows
    if rows is None:
        return ", which is of no single row"
    named = ""
    if samples is not None:
        named = f" ({_counted('sample', [int(samples[row]) for row in rows])})"
    return f" in {_counted('row', rows)} of the batch{named}"


def _counted(word: str, values: Sequence[int]) -> str:
    """ "row 3", or "rows 1, 5 and 7 more"."""
    shown = ", ".join(map(str, values[:SHOWN]))
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return f"{word if len(values) == 1 else word + 's'} {shown}{more}"
