"""Layer: configuration, variables and the ops that a piece of a model is made of."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import changes, regularizers
from ..dtype_policies import DTypePolicy
from ..graph import Graph, Tensor
from ..graph.dtypes import dtype_of
from ..graph.open_shapes import unless_open, with_open_sizes, with_size
from ..graph.tensor import Tracing, traced_graph
from ..hyperparameters import Option
from ..naming import auto_name, check_layer_name, unknown
from ..utils import nest, overrides, signatures
from ..variables import Variable
from . import calls, messages, tracking
from .configurable import Configurable, float_dtype
from .extra_losses import ExtraLosses, own_metrics
from .input_spec import check_input_spec
from .options import add_weight_options, resolved
from .weights import WeightOwner

if TYPE_CHECKING:
    from ..graph.types import Shape
    from ..utils.serialization import Identifier
    from .calls import LayerCall


def _recorded(build: Callable[..., None]) -> Callable[..., None]:
    """Wraps a `build` method: names its variables, undoes it if it fails, and notes its shapes."""

    @functools.wraps(build)
    def wrapper(self: Layer, *args: Any, **kwargs: Any) -> None:
        state = self.__dict__
        if state.get("_building"):  # super().build(...)
            build(self, *args, **kwargs)
            return
        self._check_initialized()
        if state["built"]:
            changes.note(self)
        with tracking.Rollback(self), calls.Scope(self), Tracing(None):
            state["_building"], state["_locked"] = True, False
            try:
                build(self, *args, **kwargs)
            finally:
                state["_building"] = False
            names = signatures.parameters(build)[1:]
            state["_build_shapes"] = {**dict(zip(names, args, strict=False)), **kwargs}
            state["built"] = True
            state["_locked"] = self._locks_when_built

    return wrapper


def _of_numbers(get_config: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Wraps a `get_config`: numbers of the step are numbers, also where a program is made."""

    @functools.wraps(get_config)
    def wrapper(self: Any) -> dict[str, Any]:
        with Tracing(None):
            return get_config(self)

    return wrapper


class Layer(WeightOwner, ExtraLosses, Configurable):
    """Base class of all layers.

    A layer is called on symbolic tensors (from `Input`, to describe a model), on NumPy arrays
    (computes and returns NumPy arrays) and, inside `call` of another layer, on tensors of a graph.

    Subclasses give some of:

    * `__init__`: configuration; sublayers assigned to attributes belong to the layer.
    * `build(self, input_shape)`: weights that depend on the shape, by `add_weight`; called once,
      before the first call, with None for the batch size.
    * `call(self, inputs, training=None)`: the computation, made of other layers and `dlnative.ops`.
    * `get_config(self)`: constructor arguments. If it is not given and all constructor arguments
      are plain values, they are remembered.

    Args:
        activity_regularizer: A penalty of the outputs, see `regularizers.get`: divided by the size
            of the batch it becomes a term of the loss.
        trainable: Whether training may change the weights.
        dtype: "float32" or "float64", of weights and computation, or a DTypePolicy;
            `config.floatx()` by default.
        autocast: Whether floating inputs are cast to `compute_dtype`.
        name: Name in the model; "dense", "dense_1", ... by default.

    Raises:
        ValueError: An unknown argument, a dtype that is not available, or a name with "/".
        TypeError: An argument of the wrong type.

    Example:
        >>> import numpy as np
        >>> from dlnative import layers, ops
        >>> class Affine(layers.Layer):
        ...     def __init__(self, units, **kwargs):
        ...         super().__init__(**kwargs)
        ...         self.units = units
        ...     def build(self, input_shape):
        ...         self.w = self.add_weight(shape=(input_shape[-1], self.units), name="w")
        ...         self.b = self.add_weight(shape=(self.units,), initializer="zeros", name="b")
        ...     def call(self, inputs):
        ...         return ops.matmul(inputs, self.w) + self.b
        >>> Affine(4)(np.ones((2, 3))).shape
        (2, 4)

    Differs from Keras: masks are not available.
    """

    is_layer = True
    is_model = False
    input_spec: Any = None
    supports_masking = False
    activity_regularizer = Option(resolved(regularizers.get))
    infers_by_sizes = False  # whether open sizes of its results are found by trying two sizes
    computes_at_once = False  # whether no program is made for calls on arrays
    _locks_when_built = True
    _public_module = "keras.layers"  # in configurations, see utils.serialization
    is_listed = True  # among the layers of a functional model; what is a mere function is not

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        add_weight_options(cls, cls.__dict__.get("_configured", ()))
        if "build" in cls.__dict__:
            cls.build = _recorded(cls.build)  # type: ignore[method-assign]
        if "get_config" in cls.__dict__:
            cls.get_config = _of_numbers(cls.get_config)  # type: ignore[method-assign]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        layer = super().__new__(cls)
        layer.__dict__.update(
            _tracked={},
            _created_trainable={},
            _weight_of={},
            _learning_rate_factor=None,
            _locked=False,
            _calls=[],
            _init_arguments=(args, kwargs),
            built=False,
        )
        return layer

    def __init__(
        self,
        *,
        activity_regularizer: Identifier = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        overrides.refuse_overrides(self, overrides.LAYER)
        kind = type(self).__name__
        input_dim = kwargs.pop("input_dim", None)
        input_shape = kwargs.pop("input_shape", None if input_dim is None else (input_dim,))
        for key in kwargs:
            raise unknown(f"argument of {kind}", key, signatures.constructor_parameters(type(self)))
        if name is None:
            name = auto_name(kind)
        check_layer_name(kind, name)
        if not isinstance(trainable, (bool, np.bool_)):
            raise TypeError(f"{kind} '{name}': expected trainable True or False, not {trainable!r}")
        self.__dict__["name"] = name
        self.activity_regularizer = activity_regularizer
        self.__dict__.update(
            autocast=autocast,
            _trainable=bool(trainable),
            _dtype=float_dtype(f"{kind} '{name}'", dtype),
            _input_shape_argument=input_shape,
            _initialized=True,
        )

    # --- attributes ------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: without programs and what they read, and what is found anew."""
        left = ("_programs", "_scalars", "_members")
        return {name: value for name, value in self.__dict__.items() if name not in left}

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "trainable":  # a flag, which programs compare
            object.__setattr__(self, name, value)
            return
        before, was_built = self.__dict__.get(name, changes.ABSENT), self.built
        if was_built and before is changes.ABSENT:
            self._check_is_kept(name)
        tracking.track(self, name, value)
        object.__setattr__(self, name, value)
        if was_built:
            changes.note_new(self, name, before)

    def _check_is_kept(self, name: str) -> None:
        """Raises where a new attribute is an argument of the constructor, of which nothing is kept.

        A layer of a user's may set what it likes.
        """
        cls = type(self)
        is_own = cls.__module__.partition(".")[0] == __name__.partition(".")[0]
        if not is_own or self.is_model or hasattr(cls, name):
            return
        if name in signatures.constructor_parameters(cls):
            raise AttributeError(
                f"{messages.describe(self)}: {name} is an argument of the constructor and cannot "
                "be set later. Make a new layer."
            )

    def __delattr__(self, name: str) -> None:
        tracking.untrack(self, name)
        object.__delattr__(self, name)
        if self.built:
            changes.note(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.__dict__.get('name')}, built={self.built}>"

    @property
    def kind(self) -> str:
        """The word for the layer in messages and summaries."""
        return self.__dict__.get("_kind") or type(self).__name__

    @property
    def dtype(self) -> str:
        """Dtype of the weights."""
        return self._dtype

    @property
    def dtype_policy(self) -> DTypePolicy:
        """The dtypes of weights and computation, a DTypePolicy."""
        return DTypePolicy(self._dtype)

    @property
    def compute_dtype(self) -> str:
        """Dtype of the computation: what floating inputs are cast to."""
        return self._dtype

    @property
    def variable_dtype(self) -> str:
        """Dtype of the weights, where `add_weight` is not given another."""
        return self._dtype

    @property
    def input_dtype(self) -> str:
        """Dtype that arrays are converted to."""
        return self._dtype

    @property
    def metrics(self) -> list[Any]:
        """The Metrics among the attributes."""
        return list(own_metrics(self))

    @property
    def path(self) -> str | None:
        """Name within the model it was built in, None before."""
        return self.__dict__.get("_path")

    @property
    def input(self) -> Any:
        """The symbolic tensor (or tensors) of the first call."""
        return _singleton(self._first_call("input").inputs)

    @property
    def output(self) -> Any:
        """The symbolic tensor (or tensors) that the first call returned."""
        return _singleton(self._first_call("output").outputs)

    def _first_call(self, attribute: str) -> LayerCall:
        if not self._calls:
            raise AttributeError(
                f"{messages.describe(self)} has no {attribute}: it was not called on a tensor yet"
            )
        return self._calls[0]

    # --- building --------------------------------------------------------------------------------

    @_recorded
    def build(self, input_shape: Any) -> None:
        """Creates the weights for inputs of a shape; a layer without its own just runs `call`."""
        if type(self).build is Layer.build and any(
            not layer.built for layer in tracking.sublayers(self)
        ):
            self.compute_output_shape(input_shape)

    def get_build_config(self) -> dict[str, Any] | None:
        """What `build_from_config` needs: {"input_shape": ...}; None if the layer is not built."""
        shapes = self.__dict__.get("_build_shapes")
        if not shapes:
            return None
        if len(shapes) == 1:
            return {"input_shape": next(iter(shapes.values()))}
        return {"shapes_dict": shapes}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Builds the layer with the shapes that `get_build_config` returned."""
        if config.get("input_shape") is not None:
            self.build(as_shapes(config["input_shape"]))
        elif config.get("shapes_dict"):
            shapes = {key: as_shapes(value) for key, value in config["shapes_dict"].items()}
            self.build(**shapes)

    def _build_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Builds the layer for the tensors that it is called on."""

        def shape(value: Any) -> Shape | None:
            if not isinstance(value, Tensor):
                return None
            return (None, *map(unless_open, value.shape[1:])) if value.shape else ()

        named = dict(zip(signatures.parameters(self.call), args, strict=False))
        named.update(kwargs)
        named = {k: v for k, v in named.items() if calls.symbolic_tensors(v)}
        shapes = {f"{key}_shape": nest.map_structure(shape, v) for key, v in named.items()}
        wanted = signatures.parameters(self.build)
        input_shape = next(iter(shapes.values()), None)
        if len(shapes) > 1 and all(key in wanted for key in shapes):
            self.build(**shapes)
        elif type(self).build is not Layer.build:
            self.build(input_shape)
        else:  # its sublayers are built as `call` reaches them
            self.__dict__.update(built=True, _build_shapes={"input_shape": input_shape})

    # --- calling ---------------------------------------------------------------------------------

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The computation; `inputs` are tensors of a graph."""
        raise NotImplementedError(f"{type(self).__name__} must implement call(self, inputs)")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._check_initialized()
        if len(args) > 1:
            args, kwargs = self._flag_by_name(args, kwargs)
        graphs = {id(t.graph): t.graph for t in calls.symbolic_tensors((args, kwargs))}
        if len(graphs) > 1:
            raise TypeError(
                f"{messages.describe(self)}: expected tensors of one graph; "
                "symbolic tensors of a model and tensors of a running call do not mix"
            )
        if not graphs and (graph := traced_graph()) is not None:
            # Its weights may change before the program runs: no present result is taken for fixed.
            args, run = (
                calls.as_arrays(self, args),
                functools.partial(calls.call_in_graph, self, graph),
            )
        elif not graphs:
            compute = calls.call_at_once if self.computes_at_once else calls.call_on_arrays
            run = functools.partial(compute, self)
        elif None in graphs.values():
            run = functools.partial(calls.call_symbolic, self)
        else:
            run = functools.partial(calls.call_in_graph, self, *graphs.values())
        if self.built:
            return run(args, kwargs)
        with tracking.Rollback(self):
            return run(args, kwargs)

    def _flag_by_name(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of a call with `training`, and what follows it, by name."""
        names = list(signatures.parameters(self.call))
        at = names.index("training") if "training" in names else len(args)
        by_name = dict(zip(names[at:], args[at:]))
        if not by_name or len(args) > len(names) or by_name.keys() & kwargs.keys():
            return args, kwargs  # what does not fit is said where `call` is called
        return args[:at], {**by_name, **kwargs}

    @property
    def _takes_training(self) -> bool:
        return "training" in signatures.parameters(self.call)

    def _as_tensor(self, value: Any, graph: Graph, dtype: str | None) -> Any:
        """A positional argument as a tensor of the graph; `dtype` is that of constants."""
        if value is None or isinstance(value, Tensor):
            return value
        if isinstance(value, Variable):
            return graph.variable(value)
        if isinstance(value, (np.ndarray, np.generic)):
            return graph.constant(value, dtype)
        raise TypeError(
            f"{messages.describe(self)}: expected tensors as positional arguments, received "
            f"{value!r} of type {type(value).__name__}"
        )

    def _feed_dtypes(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
        """Dtypes that the arrays of a call are converted to, in order.

        Integers and booleans stay what they are; floats become those that the layer computes in,
        unless it has `autocast=False`.
        """
        arrays = [v for v in nest.flatten((args, kwargs)) if isinstance(v, np.ndarray)]
        kept = "iub" if self.autocast else "iubf"
        return [
            dtype_of(v, messages.describe(self)) if v.dtype.kind in kept else self.input_dtype
            for v in arrays
        ]

    def _check_inputs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raises ValueError where the inputs do not fit; called before and after building."""
        if self.input_spec is not None and args:
            check_input_spec(self, self.input_spec, calls.symbolic_tensors(args[0]))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shape of the output for inputs of a shape (or a structure of shapes).

        A layer that is not built yet stays so.
        """
        outputs: Any = None

        def run(size: int | None) -> list[Any]:
            nonlocal outputs
            graph = Graph(training=None)
            inputs = map_shapes(
                lambda shape: graph.feed(
                    shape if size is None else with_size(shape, size), self.input_dtype
                ),
                input_shape,
            )
            outputs = calls.call_in_graph(self, graph, (inputs,), {})
            return nest.flatten(outputs)

        unbuilt = [each for each in tracking.all_layers(self) if not each.built]
        building = self.__dict__.get("_building")
        keep = [(each, tracking.snapshot(each)) for each in unbuilt if not building]
        try:
            specs = with_open_sizes(run)
        finally:
            for each, state in keep:
                tracking.restore(each, state)
        return nest.map_structure(lambda t: t.shape, nest.pack(outputs, specs))


class UnaryLayer(Layer):
    """Base of the layers that are called on exactly one tensor."""

    def _check_inputs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        first = args[0] if args else kwargs.get("inputs")
        if not isinstance(first, Tensor):
            received = type(first).__name__
            if isinstance(first, (list, tuple, dict)):
                received = f"a {received} of {len(first)}"
            raise TypeError(f"{messages.describe(self)}: expected one tensor, received {received}")
        super()._check_inputs(args, kwargs)


def map_shapes(function: Callable[[tuple[Any, ...]], Any], shapes: Any) -> Any:
    """The structure of `shapes` with `function(shape)` in the place of each shape."""
    if isinstance(shapes, dict):
        return {key: map_shapes(function, value) for key, value in shapes.items()}
    if all(n is None or isinstance(n, (int, np.integer)) for n in shapes):
        return function(tuple(shapes))
    return [map_shapes(function, shape) for shape in shapes]


def as_shapes(value: Any) -> Any:
    """Shapes out of JSON: every innermost list becomes a tuple."""
    return map_shapes(lambda shape: shape, value)


def _singleton(tensors: Sequence[Any]) -> Any:
    return tensors[0] if len(tensors) == 1 else tensors
