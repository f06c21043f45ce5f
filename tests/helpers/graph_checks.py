"""What must hold of a random graph: its numbers, its bits, its gradients."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from op_runs import difference, exactly
from primitive_graphs import Drawing

from dlnative import config, engines, reference
from dlnative.engines.eager import compute
from dlnative.engines.native import NativeFunction
from dlnative.graph import Node, Tensor, apply
from dlnative.graph.dtypes import FLOATS
from dlnative.plan import gradients, make_plan
from dlnative.reference.bounds import bounds

STEP = 1e-3  # of finite differences
CLOSE = 1e-5  # how well they must agree with one another, and the gradient with them
NOT_SMOOTH = "not smooth"
LARGEST = 1e4  # with larger values on the way their rounding errors count


# --- numbers --------------------------------------------------------------------------------------


def ends(drawing: Drawing) -> list[Tensor]:
    """The results that no node uses."""
    used = {id(t) for node in drawing.graph.nodes for t in node.inputs}
    results = [t for node in drawing.graph.nodes for t in node.outputs]
    return [t for t in results if id(t) not in used]


def scalar(drawing: Drawing) -> Tensor | None:
    """A weighted sum of all ends that are floats; None without any."""
    total = None
    for t in ends(drawing):
        if t.dtype in FLOATS:
            weights = drawing.rng.standard_normal(t.shape)
            part = apply("sum", apply("multiply", t, drawing.graph.constant(weights, t.dtype)))
            total = part if total is None else total + part
    return total


def one_by_one(drawing: Drawing) -> dict[int, np.ndarray]:
    """{id of a tensor: its values}, each node computed by itself."""
    values = {id(t): a for t, a in zip(drawing.graph.feeds, drawing.arrays)}
    for node in drawing.graph.nodes:
        results = compute(node.op, inputs_of(node, values), node.attributes)
        results = results if isinstance(results, tuple) else (results,)
        values.update((id(t), np.asarray(r)) for t, r in zip(node.outputs, results))
    return values


def inputs_of(node: Node, values: dict[int, np.ndarray]) -> list[np.ndarray]:
    return [values.get(id(t), t.source) for t in node.inputs]


def beyond_bounds(node: Node, values: dict[int, np.ndarray]) -> str | None:
    """None, or where the result of a node is not that of the oracle from the same inputs."""
    inputs, result = inputs_of(node, values), values[id(node.outputs[0])]
    (exact,), wide, attributes = exactly(node.op.name, inputs, node.attributes)
    floats = [np.finfo(a.dtype).eps for a in inputs if a.dtype.kind == "f"]
    eps = max(floats, default=0.0)
    with np.errstate(all="ignore"):
        (limit,) = bounds(node.op.name, wide, attributes, [exact], eps)
    if not floats:
        limit = np.zeros(exact.shape)
    unsure: np.ndarray | bool = False
    if result.dtype.kind == "f":
        info = np.finfo(result.dtype)
        if exact.dtype != result.dtype:  # what is too large for the narrower dtype
            with np.errstate(all="ignore"):
                unsure = np.abs(exact) > float(info.max) * (1 - 8 * float(info.eps))
                unsure &= np.isposinf(np.abs(result)) | (np.abs(result) > 0.99 * info.max)
    wrong = difference(result, exact, limit, unsure)
    if wrong is None and node.outputs[0].dtype != result.dtype.name:
        wrong = f"dtype {result.dtype} for {node.outputs[0].dtype}"
    return wrong


def bits(array: np.ndarray) -> bytes:
    """Its shape, dtype and bytes; all NaN are one."""
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), np.asarray(np.nan, array.dtype), array)
    return repr((array.shape, array.dtype.str)).encode() + array.tobytes()


def wrong_numbers(drawing: Drawing) -> str | None:
    """None, or in words what is wrong with the native engine's answers.

    Each node is compared with the oracle in float64 from the inputs that it had; the whole graph,
    planned with every result an output, with its nodes computed one by one; and the graph with
    fused loops, on one thread and on three, with the same instructions one after another.
    """
    graph = drawing.graph
    total = scalar(drawing)
    leaves = [t for t in graph.feeds if t.dtype in FLOATS]
    if total is not None and drawing.choices.integer(0, 1):
        try:
            slopes = gradients(graph, total, leaves)
        except (ValueError, NotImplementedError) as error:
            if "has no gradient" not in str(error):
                raise
            slopes = []
        for feed, slope in zip(leaves, slopes):
            if slope is not None and (slope.shape, slope.dtype) != (feed.shape, feed.dtype):
                return f"gradient {slope!r} of {feed!r}"
    values = one_by_one(drawing)
    for node in graph.nodes:
        wrong = beyond_bounds(node, values)
        if wrong:
            return f"{described(node)}: {wrong}"
    results = ends(drawing)
    everything = [t for node in graph.nodes for t in node.outputs]
    before = config.num_threads()
    try:
        unfused = NativeFunction(make_plan(graph, results, loops=False))(*drawing.arrays)
        planned = {id(t): array for t, array in zip(results, unfused)}
        runs = ((results, 1, planned), (results, 3, planned), (everything, 3, values))
        for outputs, threads, expected in runs:
            config.set_num_threads(threads)
            program = engines.build(graph, outputs, "native")
            for run in range(2):  # the second finds the arena as the first has left it
                for t, array in zip(outputs, program(*drawing.arrays)):
                    if bits(array) != bits(expected[id(t)]):
                        return (
                            f"run {run} on {threads} threads: {described(t.node)} gives "
                            f"{array!r}, and alone {expected[id(t)]!r}"
                        )
    finally:
        config.set_num_threads(before)
    return None


def described(node: Node) -> str:
    inputs = ", ".join(f"{t.dtype}{list(t.shape)}" for t in node.inputs)
    return f"{node.op.name}({inputs}; {node.attributes})"


# --- gradients ------------------------------------------------------------------------------------


def _side(name: str, node: Node, inputs: list[np.ndarray], y: np.ndarray) -> np.ndarray | None:
    """On which side of its kinks or jumps each element of a node is; None where there are none."""
    if y.dtype.kind != "f" or name in ("sign", "floor", "ceil", "round", "trunc", "floor_divide"):
        return y
    if name == "abs":
        return np.sign(inputs[0])
    if name in ("maximum_gradient", "minimum_gradient"):
        return np.sign(inputs[1] - inputs[2])
    if name in ("maximum", "minimum"):
        return np.sign(inputs[0] - inputs[1])
    if name in ("mod", "fmod"):
        return (np.floor if name == "mod" else np.trunc)(inputs[0] / inputs[1])
    if name in ("max", "min"):
        axis = node.attributes.get("axis")
        return inputs[0] == getattr(reference, name)(inputs[0], axis=axis, keepdims=True)
    if name == "scatter" and node.attributes["mode"] in ("max", "min"):
        return np.concatenate([inputs[0] == y, inputs[2] == y[inputs[1]]])
    return None


def wrong_gradient(drawing: Drawing) -> str | None:
    """None, NOT_SMOOTH, or in words where a gradient is not that of finite differences.

    The derivative along a random direction of each feed is compared with central differences of
    three steps, extrapolated. Where a kink or a jump is near, or where they do not converge because
    the function is too steep, there is nothing to compare with.
    """
    graph = drawing.graph
    total = scalar(drawing)
    feeds = [i for i, t in enumerate(graph.feeds) if t.dtype in FLOATS]
    if total is None:
        return NOT_SMOOTH
    nodes = list(graph.nodes)
    program = engines.build(graph, [node.outputs[0] for node in nodes])
    last = next(i for i, node in enumerate(nodes) if node.outputs[0] is total)
    slopes = gradients(graph, total, [graph.feeds[i] for i in feeds])
    wanted = [s for s in slopes if s is not None]
    found = iter(engines.build(graph, wanted)(*drawing.arrays) if wanted else ())

    def evaluate(arrays: list[np.ndarray]) -> tuple[float, list[np.ndarray | None], float]:
        results = program(*arrays)
        values = {id(t): a for t, a in zip(graph.feeds, arrays)}
        values.update((id(n.outputs[0]), r) for n, r in zip(nodes, results))
        sides = [_side(n.op.name, n, inputs_of(n, values), values[id(n.outputs[0])]) for n in nodes]
        sizes = [
            np.max(np.nan_to_num(np.abs(r), nan=np.inf), initial=0.0)
            for r in results
            if r.dtype.kind == "f"
        ]
        return float(results[last]), sides, max(sizes, default=0.0)

    _, sides, largest = evaluate(drawing.arrays)
    if not largest < LARGEST:
        return NOT_SMOOTH
    smooth = False
    for i, slope in zip(feeds, slopes):
        direction = np.asarray(drawing.rng.standard_normal(drawing.arrays[i].shape))
        with np.errstate(invalid="ignore"):
            analytic = 0.0 if slope is None else float((next(found) * direction).sum())
        if not np.isfinite(analytic):
            continue  # a vertical tangent, as of cbrt at 0
        quotients = []
        for step in (STEP, STEP / 2, STEP / 4):
            values = []
            for sign in (1, -1):
                arrays = list(drawing.arrays)
                arrays[i] = np.asarray(arrays[i] + sign * step * direction)
                value, there, _ = evaluate(arrays)
                if any(a is not None and not np.array_equal(a, b) for a, b in zip(sides, there)):
                    break
                values.append(value)
            if len(values) < 2:
                break
            quotients.append((values[0] - values[1]) / (2 * step))
        if len(quotients) < 3:
            continue
        rough, numeric = ((4 * fine - coarse) / 3 for coarse, fine in pairwise(quotients))
        limit = CLOSE * (1 + abs(numeric) + abs(analytic))
        if not abs(rough - numeric) < limit:
            continue
        smooth = True
        if not abs(numeric - analytic) <= limit + 1e-9 * largest:
            listed = "\n".join(described(node) for node in nodes)
            return f"gradient of feed {i}: {analytic}, by differences {numeric}, of\n{listed}"
    return None if smooth else NOT_SMOOTH
