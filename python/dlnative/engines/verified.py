"""Steps that are compared with the oracle: `dlnative.verify`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import config
from ..graph.tensor import is_variable
from ..placement import exclusive
from ..plan import constant_inputs, fused_rows
from ..reference.bounds import expected
from . import eager
from .feeding import fed
from .immediate import ImmediateGraph
from .stepping import Stepwise

if TYPE_CHECKING:
    from ..graph.graph import Graph
    from ..graph.table import Op
    from ..graph.tensor import Node, Tensor
    from ..graph.types import Attributes


class Disagreement(ArithmeticError):
    """The native engine's result of an op lies beyond its bound.

    Attributes:
        op: Name of the op; of the one whose result a variable or an output gets where the compiled
            step gives other bits than its ops one by one.
        layer: The layer it belongs to, by its way through the model; of an update the optimizer
            and the weight; or None.
        output: Which of its outputs, from 0.
        index: The first element that is wrong.
        native, oracle, bound: The values there.
    """

    def __init__(
        self,
        op: str,
        layer: str | None,
        output: int,
        index: tuple[int, ...],
        native: Any,
        oracle: Any,
        bound: Any,
        why: str = "",
    ) -> None:
        self.op, self.layer, self.output, self.index = op, layer, output, index
        self.native, self.oracle, self.bound = native, oracle, bound
        where = "" if layer is None else f" of '{layer}'"
        why = why or f"the oracle has {oracle!r} there, and the bound is {float(bound):.3g}"
        super().__init__(
            f"verify: op '{op}'{where} gives {native!r} at {index} of output {output}; {why}"
        )


@contextlib.contextmanager
def verify() -> Iterator[None]:
    """A `with` block in which every step of a model is compared with the oracle.

    `fit`, `evaluate`, `predict` and the calls on single batches compute each step op by op on the
    native engine, fused as in the compiled step but for loops of elementwise functions, and each op
    once more by `dlnative.reference` in float64, from the same inputs. The first whose result lies
    beyond the bound of its rounding errors raises. Then the compiled step runs, and what it writes
    and returns must have the bits of its ops one by one. Steps that raise have written nothing, but
    for those whose bits are others.

    It is slow. Ops that call functions of the user's (`numpy_function`) are not compared.

    Raises:
        Disagreement: It names the op, its layer, the element, both values and the bound.

    Example:
        >>> import numpy as np, dlnative
        >>> model = dlnative.Sequential([dlnative.Input((2,)), dlnative.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> with dlnative.verify():
        ...     _ = model.fit(np.ones((8, 2)), np.zeros((8, 1)), verbose=0)
    """
    with config.verifying():
        yield


class VerifiedFunction(Stepwise):
    """Runs each step op by op beside the oracle, and then the Function that it stands for.

    Args:
        graph: The graph of the step, whose assignments are emitted.
        outputs: What it returns.
        function: The Function of the engine.
    """

    def __init__(self, graph: Graph, outputs: Sequence[Tensor], function: Any) -> None:
        self.function = function
        self._has_bits = config.current_engine() == "native"  # which the oracle's are not
        self.feeds = graph.feeds
        schedule = fused_rows(graph, outputs)
        self.outputs = schedule.outputs
        schedule.sort()
        schedule.commits_last()
        self.nodes = schedule.nodes
        written = {id(v) for v in schedule.written_variables()}
        self._constants = {id(n): constant_inputs(n, written) for n in self.nodes}
        leaves = [t for n in self.nodes for t in n.inputs if t is not None and t.source is not None]
        used = {id(t.source): t.source for t in leaves if is_variable(t.source)}
        self._used = list(used.values())

    @property
    def variables(self) -> list:
        """It keeps none."""
        return []

    @property
    def rows(self) -> list[int]:
        """See `Stepwise.rows`."""
        return [feed.shape[0] for feed in self.feeds]

    def __call__(self, *arrays: np.ndarray, step: int = 0) -> tuple[np.ndarray, ...]:
        """One run on whole arrays; see `NativeFunction`."""
        walk = self._walk(arrays, step, step, None)
        results = self.function(*arrays, step=step)
        if self._has_bits:
            walk.compare(results, self.outputs)
        return results

    def run(
        self,
        arrays: Sequence[Any],
        indices: np.ndarray | None,
        first: int,
        steps: int,
        step: int = 0,
        max_seconds: float | None = None,
        out: Sequence[np.ndarray] | None = None,
        epoch: int = 0,
    ) -> int:
        """One step, however many are asked for; see `NativeFunction.run`."""
        batch, samples = self.gathered(arrays, indices, first, 0)
        walk = self._walk(batch, step, epoch, np.arange(0) if samples is None else samples)
        done = self.function.run(arrays, indices, first, 1, step, None, out, epoch)
        if done and self._has_bits:
            results = [
                array[first : first + t.shape[0]]
                for array, t in zip(out or (), self.outputs, strict=bool(out))
            ]
            walk.compare(results, self.outputs[: len(results)])
        return done

    def once(
        self, arrays: Sequence[np.ndarray], step: int, epoch: int, samples: np.ndarray | None
    ) -> tuple[np.ndarray, ...]:
        """See `Stepwise.once`."""
        raise NotImplementedError("verified steps are run by `run`")

    def _walk(
        self, arrays: Sequence[Any], step: int, epoch: int, samples: np.ndarray | None
    ) -> _Walk:
        walk = _Walk(self.feeds, arrays, step, epoch, samples)
        with exclusive(self._used):
            for node in self.nodes:
                walk.compute(node, self._constants[id(node)])
        return walk


class VerifiedGraph(ImmediateGraph):
    """A graph whose nodes are computed one by one, each of them beside the oracle."""

    def computed(
        self, node: Node, inputs: list[Any], attributes: Attributes, results: tuple[Any, ...]
    ) -> None:
        """See `ImmediateGraph.computed`."""
        check(node.op, inputs, attributes, results, node.scope)


class _Walk:
    """The values of one step, each node computed by itself on the native engine and checked."""

    def __init__(
        self,
        feeds: Sequence[Tensor],
        arrays: Sequence[Any],
        step: int,
        epoch: int,
        samples: np.ndarray | None,
    ) -> None:
        self.values = {
            id(feed): fed(feed, array) for feed, array in zip(feeds, arrays, strict=True)
        }
        self._given = step, epoch, samples
        self.makers: dict[int, Node] = {}  # id of a tensor -> its node
        self.writers: list[Node] = []

    def value(self, tensor: Tensor | None) -> Any:
        """The values of an input."""
        if tensor is None:
            return None
        if id(tensor) in self.values:
            return self.values[id(tensor)]
        source = tensor.source
        return source if isinstance(source, np.ndarray) else np.array(source.array)

    def compute(self, node: Node, constants: list[int]) -> None:
        """Computes a node, some inputs of which do not change, and checks it; notes its writes."""
        if node.op.writes:
            self.writers.append(node)
            for tensor in node.inputs:  # as they are before the program runs
                if tensor is not None:
                    self.values[id(tensor)] = self.value(tensor)
            return
        inputs = [self.value(t) for t in node.inputs]
        if node.op.holds_back:  # the program does that
            inputs[0] = np.zeros_like(inputs[0])
        attributes = {**self._of_step(node), **_present(node.attributes)}
        results = run_node(node, inputs, attributes, constants)
        check(node.op, inputs, attributes, results, node.scope)
        for tensor, result in zip(node.outputs, results, strict=True):
            self.values[id(tensor)] = np.asarray(result)
            self.makers[id(tensor)] = node

    def _of_step(self, node: Node) -> Attributes:
        step, epoch, samples = self._given
        if node.op.random:
            return {"step": step}
        if not node.op.per_sample:
            return {}
        rows = np.arange(node.inputs[0].shape[0]) if samples is None else samples
        return {"epoch": epoch, "samples": tuple(int(row) for row in rows)}

    def compare(self, results: Sequence[Any], outputs: Sequence[Tensor]) -> None:
        """Raises where a program has given other bits."""
        for tensor, result in zip(outputs, results, strict=True):
            maker = self.makers.get(id(tensor))
            self._same(maker, tensor, np.asarray(result), "the output")
        for writer in self.writers:
            leaf, tensor, condition = writer.inputs
            if condition is None or bool(self.value(condition)):
                maker = self.makers.get(id(tensor), writer)
                self._same(maker, tensor, leaf.source.array, f"variable '{leaf.source.path}'")

    def _same(self, maker: Node | None, tensor: Tensor, found: np.ndarray, what: str) -> None:
        expected = self.value(tensor)
        equal = (found == expected) | ((found != found) & (expected != expected))
        if equal.all():
            return
        index = tuple(int(i) for i in np.argwhere(~np.atleast_1d(equal))[0])
        index = index if found.ndim else ()
        op, layer = ("", None) if maker is None else (maker.op.name, maker.scope)
        why = (
            f"computed by itself it is {expected[index]!r}: the compiled step has another value "
            f"for {what}"
        )
        raise Disagreement(op, layer, 0, index, found[index], expected[index], 0.0, why)


def run_node(
    node: Node, inputs: list[Any], attributes: Attributes, constants: list[int]
) -> tuple[Any, ...]:
    """What the native engine computes for a node by itself, as an instruction of a plan."""
    if node.op.calls_python:
        results = node.op.reference(*inputs, **attributes)
        return results if isinstance(results, tuple) else (results,)
    outputs = [np.empty(t.shape, t.dtype) for t in node.outputs]
    given = [None if a is None else np.asarray(a, order="C") for a in inputs]
    options = node.op.native_attributes(node.inputs, attributes)
    step = attributes.get("step", 0) % 2**64
    eager.native()(node.op.name, given, outputs, options, step, False, constants)
    return tuple(outputs)


def check(
    op: Op,
    inputs: Sequence[Any],
    attributes: Attributes,
    results: Sequence[Any],
    scope: str | None,
) -> None:
    """Compares the native results of an op with the oracle's in float64.

    Args:
        op: A row of the table that writes nothing.
        inputs: Arrays, or None.
        attributes: Its attributes, with those that the step gives.
        results: What the native engine has computed.
        scope: The layer, for the message.

    Raises:
        Disagreement: One lies beyond its bound.
    """
    if op.calls_python:
        return
    floats = [a.dtype for a in inputs if a is not None and a.dtype.kind == "f"]
    eps = max((float(np.finfo(dtype).eps) for dtype in floats), default=0.0)
    wide = [a.astype("float64") if a is not None and a.dtype.kind == "f" else a for a in inputs]
    with np.errstate(all="ignore"):
        exact, limits = expected(op, wide, attributes, eps)
        are_finite = all(a is None or np.isfinite(a).all() for a in wide)
        for i, (result, e, limit) in enumerate(zip(results, exact, limits, strict=True)):
            result = np.asarray(result)
            wrong = np.atleast_1d(_beyond(result, e, limit if floats else 0.0, are_finite))
            if wrong.any():
                index = tuple(int(k) for k in np.argwhere(wrong)[0]) if result.ndim else ()
                bound = np.broadcast_to(limit, e.shape)[index]
                raise Disagreement(op.name, scope, i, index, result[index], e[index], bound)


def _beyond(result: np.ndarray, exact: np.ndarray, limit: Any, are_finite: bool) -> np.ndarray:
    """Where a result is not the exact one.

    What is too large for its dtype may be infinite. Where inputs are not finite neither is the
    result, and which elements are is not asked.
    """
    if result.dtype.kind != "f":
        return result != exact
    error = np.abs(result.astype("float64") - exact)
    wrong = np.isfinite(result) & np.isfinite(exact) & np.isfinite(limit) & ~(error <= limit)
    if are_finite:
        largest = float(np.finfo(result.dtype).max)
        fits = np.abs(exact) + np.abs(limit) < largest * (1 - 1e-3)
        wrong |= ~np.isfinite(result) & fits
    return wrong


def _present(attributes: Attributes) -> Attributes:
    return {name: value for name, value in attributes.items() if value is not None}
