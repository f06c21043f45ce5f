"""The three ways to call a layer: in a graph, on symbolic tensors, and on arrays.

All three run the layer's `call` on tensors of a graph. A call on symbolic tensors uses a graph that
is thrown away, for the shapes, and records a LayerCall; a call on arrays has the graph compiled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import config
from ..changes import used
from ..graph import Graph, Tensor
from ..graph.open_shapes import with_open_sizes, with_size
from ..graph.tensor import Tracing, apply, traced_graph
from ..naming import at_work
from ..utils import nest
from ..variables import Variable
from . import messages, tracking
from .extra_losses import forget_losses, keep_losses

if TYPE_CHECKING:
    from .._core import ArenaPool
    from .layer import Layer


CACHED_PROGRAMS = 32  # per layer, for calls on arrays


class LayerCall:
    """One call of a layer on symbolic tensors: a node of a functional model.

    Attributes:
        layer: The layer.
        args: Positional arguments, nested structures with symbolic tensors.
        kwargs: Keyword arguments.
        inputs: The symbolic tensors among them, in order.
        outputs: The symbolic tensors that the call made.
        structure: `outputs` as the call returned them.
    """

    __slots__ = ("args", "inputs", "kwargs", "layer", "outputs", "structure")

    def __init__(
        self, layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any], structure: Any
    ) -> None:
        self.layer = layer
        self.args = args
        self.kwargs = kwargs
        self.inputs = symbolic_tensors((args, kwargs))
        self.structure = structure
        self.outputs = nest.flatten(structure)

    @property
    def index(self) -> int:
        """Which call of its layer it is."""
        return next(i for i, call in enumerate(self.layer._calls) if call is self)


class Scope:
    """A `with` block in which `layer` is at work: names of variables and nodes follow."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer

    def __enter__(self) -> None:
        layers = at_work.layers
        self.pushed = not layers or layers[-1] is not self.layer
        if self.pushed:
            layers.append(self.layer)

    def __exit__(self, *exception: Any) -> None:
        if self.pushed:
            at_work.layers.pop()


def node_scope() -> str | None:
    """The same for nodes, without the model that is being run."""
    layers = at_work.layers
    first = 1 if layers and layers[0].is_model else 0
    return "/".join(layer.name for layer in layers[first:]) or None


def symbolic_tensors(structure: Any) -> list[Tensor]:
    """The tensors in a structure of arguments, flat."""
    return [t for t in nest.flatten(structure) if isinstance(t, Tensor)]


def call_of(tensor: Tensor) -> LayerCall:
    """The LayerCall that made a symbolic tensor; for an `Input` that of its InputLayer."""
    if tensor.history is not None:
        return tensor.history[0]
    if not tracking.is_layer(tensor.source):  # made by the user: it is an input
        from .core import InputLayer

        InputLayer.around(tensor)
    return tensor.source._calls[0]


def ancestors(
    tensors: Sequence[Tensor], stop: Iterable[Tensor] = ()
) -> tuple[list[LayerCall], dict[int, int]]:
    """All layer calls that `tensors` depend on, in the order of computation.

    Args:
        tensors: Symbolic tensors.
        stop: Symbolic tensors whose calls are not followed.

    Returns:
        The calls in topological order, and a dict from id of a layer to its place in the order of
        first visit (depth first, from the first output).
    """
    ends = {id(t) for t in stop}
    order: list[LayerCall] = []
    done: set[int] = set()
    visited: dict[int, int] = {}
    waiting = [(call_of(t), False) for t in reversed(tensors) if id(t) not in ends]
    while waiting:
        call, finished = waiting.pop()
        if finished:
            order.append(call)
        elif id(call) not in done:
            done.add(id(call))
            visited.setdefault(id(call.layer), len(visited))
            waiting.append((call, True))
            waiting.extend((call_of(t), False) for t in reversed(call.inputs) if id(t) not in ends)
    return order, visited


def call_in_graph(layer: Layer, graph: Graph, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Emits the layer's ops into `graph`; returns what `call` returned."""
    if layer.infers_by_sizes and _is_open(args, kwargs):  # a graph of shapes, which is not run
        outputs = _outputs(layer, args, kwargs)
        return nest.map_structure(lambda t: graph.feed(t.shape, t.dtype), outputs)
    return _emit(layer, graph, args, kwargs)


def _emit(layer: Layer, graph: Graph, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    given = "training" in kwargs  # as Keras: None that is given is no training, not the default
    training = kwargs.pop("training", None)
    scope, was_training = graph.scope, graph.training
    is_outermost = not at_work.layers
    for each in tracking.all_layers(layer) if is_outermost else (layer,):
        used(each)
    if training is not None:
        graph.training = bool(training)
    try:
        with Scope(layer), Tracing(graph):
            graph.scope = node_scope()
            dtype = _float_dtype((args, kwargs)) or layer.input_dtype
            target = graph.floatx or layer.compute_dtype
            casts = layer.autocast and not layer.is_model

            def argument(value: Any) -> Any:
                tensor = layer._as_tensor(value, graph, dtype)
                floats = isinstance(tensor, Tensor) and tensor.dtype.startswith("float")
                if casts and floats and tensor.dtype != target:
                    tensor = apply("cast", tensor, dtype=target)
                return tensor

            # Arrays take part in the computation, everything else does not.
            def option(value: Any) -> Any:
                return argument(value) if isinstance(value, (np.ndarray, Variable)) else value

            args = nest.map_structure(argument, args)
            kwargs = {key: nest.map_structure(option, value) for key, value in kwargs.items()}
            layer._check_inputs(args, kwargs)
            if is_outermost:
                forget_losses(layer, graph)
            if not layer.built:
                layer._build_for(args, kwargs)
                layer._check_inputs(args, kwargs)
            if layer._takes_training and (given or graph.training is not None):
                kwargs["training"] = graph.training
            outputs = layer.call(*args, **kwargs)
            what = f"{messages.describe(layer)}: its call"
            outputs = nest.map_structure(lambda v: graph.result(v, what), outputs)
            layer._regularize_activity(graph, outputs)
            return outputs
    except (ValueError, TypeError, NotImplementedError) as error:
        messages.locate(error, layer)
        raise
    finally:
        graph.scope, graph.training = scope, was_training


def call_symbolic(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Runs the layer's shape rule, records the call, and returns new symbolic tensors."""
    try:
        outputs = _outputs(layer, args, kwargs)
    except (ValueError, TypeError, NotImplementedError) as error:
        inputs = symbolic_tensors((args, kwargs))
        messages.add_chain(error, ancestors(inputs)[0], layer, inputs)
        raise
    structure = nest.map_structure(lambda t: Tensor(t.shape, t.dtype, name=layer.name), outputs)
    call = LayerCall(layer, args, kwargs, structure)
    for index, tensor in enumerate(call.outputs):
        tensor.history = (call, index)
    layer._calls.append(call)
    return structure


def _is_open(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return any(None in t.shape for t in symbolic_tensors((args, kwargs)))


def _outputs(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What the layer returns for symbolic tensors: tensors or Specs."""
    if not _is_open(args, kwargs):
        return _shapes(layer, args, kwargs)
    structure = None

    def run(size: int | None) -> list[Any]:
        nonlocal structure
        structure = _shapes(layer, args, kwargs, size)
        return nest.flatten(structure)

    found = with_open_sizes(run, layer.infers_by_sizes)  # before `structure` is looked at
    return nest.pack(structure, found)


def _shapes(
    layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any], size: int | None = None
) -> Any:
    """What the layer returns, in a graph that is thrown away; `size` stands for open sizes."""
    graph = Graph(training=None)
    feeds = {}

    def feed(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        if id(value) not in feeds:
            shape = value.shape if size is None else with_size(value.shape, size)
            feeds[id(value)] = graph.feed(shape, value.dtype, name=_origin(value))
        return feeds[id(value)]

    return _emit(
        layer,
        graph,
        nest.map_structure(feed, args),
        {key: nest.map_structure(feed, value) for key, value in kwargs.items()},
    )


def call_on_arrays(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Computes the layer on arrays; the program is kept for the next call of the same shapes."""
    from ..engines.feeding import fed

    args = as_arrays(layer, args)
    arrays = [v for v in nest.flatten((args, kwargs)) if isinstance(v, np.ndarray)]
    run, structure, draws, owners = _program(layer, args, kwargs)
    step = 0
    if draws:
        step = layer.__dict__.get("_eager_steps", 0)
        layer.__dict__["_eager_steps"] = step + 1
    values = run(*arrays, step=step) if run else ()
    if owners:
        count = len(values) - len(owners)
        keep_losses(layer, owners, values[count:])
        values = values[:count]
    results = iter(values)

    def result(tensor: Any) -> Any:
        if tensor.node is not None:
            return next(results)
        leaf = tensor.source  # a layer that returns its input, a variable or a constant as it is
        if isinstance(leaf, np.ndarray):
            return leaf.copy()
        value = arrays[leaf.index] if hasattr(leaf, "index") else leaf.value
        return fed(tensor, value)

    return nest.map_structure(result, structure)


def call_at_once(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Computes the layer on arrays op by op: which ops there are depends on what it has drawn."""
    from ..engines.immediate import ImmediateGraph

    step = layer.__dict__.get("_eager_steps", 0)
    layer.__dict__["_eager_steps"] = step + 1
    graph = ImmediateGraph(training=kwargs.get("training"), step=step, epoch=step)
    args = as_arrays(layer, args)
    dtypes = iter(layer._feed_dtypes(args, kwargs))

    def feed(value: Any) -> Any:
        return graph.feed_array(value, next(dtypes)) if isinstance(value, np.ndarray) else value

    args = nest.map_structure(feed, args)
    kwargs = {key: nest.map_structure(feed, value) for key, value in kwargs.items()}
    structure = call_in_graph(layer, graph, args, kwargs)
    if graph.losses:
        terms: list[Any] = [apply("reshape", term, shape=()) for _, term in graph.losses]
        values = [term.value for term in terms]
        keep_losses(layer, [owner for owner, _ in graph.losses], values)
    return nest.map_structure(lambda tensor: np.array(tensor.value), structure)


def _program(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    key = None
    try:
        key = (*config.program_settings(), _signature(args), _signature(kwargs))
        hash(key)
    except TypeError:  # an argument that cannot be compared: nothing is kept
        key = None
    if key is None:
        return _compile(layer, args, kwargs)
    cache = layer.__dict__.get("_programs")
    if cache is None:
        from ..engines import ProgramCache

        cache = layer.__dict__.setdefault("_programs", ProgramCache(CACHED_PROGRAMS))
    return cache.get(key, lambda arenas: _compile(layer, args, kwargs, arenas))


def _compile(
    layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any], arenas: ArenaPool | None = None
) -> Any:
    from .. import engines

    graph = Graph(training=kwargs.get("training"))
    dtypes = iter(layer._feed_dtypes(args, kwargs))

    def feed(value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return value
        return graph.feed(value.shape, next(dtypes))

    structure = call_in_graph(
        layer,
        graph,
        nest.map_structure(feed, args),
        {key: nest.map_structure(feed, value) for key, value in kwargs.items()},
    )
    computed = [t for t in nest.flatten(structure) if t.node is not None]
    computed += [apply("reshape", term, shape=()) for _, term in graph.losses]
    run = engines.build(graph, computed, arenas=arenas) if computed else None
    draws = any(node.op.random or node.op.per_sample for node in graph.nodes)
    return run, structure, draws, [owner for owner, _ in graph.losses]


def _signature(value: Any) -> Any:
    """What decides which program a call needs: shapes, structure and other arguments."""
    if isinstance(value, np.ndarray):
        return ("array", value.shape, value.dtype.name)
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, *map(_signature, value))
    if isinstance(value, dict):
        return ("dict", *((key, _signature(value[key])) for key in sorted(value)))
    return value


def as_arrays(layer: Layer, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Positional arguments without tensors as arrays; in a traced call Variables stay."""
    return tuple(_to_arrays(layer, value) for value in args)


def _to_arrays(layer: Layer, value: Any) -> Any:
    """Array-likes as arrays; a list of numbers is one array, a list of arrays is several."""
    if isinstance(value, dict):
        return {key: _to_arrays(layer, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and any(_is_nested(item) for item in value):
        return type(value)(_to_arrays(layer, item) for item in value)
    if isinstance(value, Variable):
        return value if traced_graph() is not None else np.asarray(value)
    if value is None:
        return None
    if tracking.is_layer(value):
        raise TypeError(
            f"{messages.describe(layer)}: expected a tensor or an array, received the layer "
            f"{messages.describe(value)}. Pass what it returns."
        )
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{messages.describe(layer)}: not an array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"{messages.describe(layer)}: expected numbers, received "
            f"{type(value).__name__} of dtype {array.dtype}"
        )
    return array


def _is_nested(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_is_nested(item) for item in value)
    return value is None or isinstance(value, dict) or getattr(value, "shape", ()) != ()


def _float_dtype(structure: Any) -> str | None:
    """Dtype of the first tensor of floats, None if there is none."""
    dtypes = (t.dtype for t in symbolic_tensors(structure))
    return next((dtype for dtype in dtypes if dtype.startswith("float")), None)


def _origin(tensor: Tensor) -> str | None:
    return tensor.history[0].layer.name if tensor.history is not None else tensor.name
