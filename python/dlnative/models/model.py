"""Model: the base of functional, sequential and subclassed models."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..layers import tracking
from ..layers.layer import Layer
from ..naming import unknown
from ..utils import nest
from .call_graph import CallGraph, OfGraph
from .configuration import functional_config, functional_from_config
from .inspection import Inspection
from .trainer import Trainer


class Model(Trainer, Inspection, Layer):
    """A layer made of layers, which can be trained.

    There are three ways to make one:

    * `Model(inputs, outputs)`: a functional model, any directed graph of layers; see `Functional`.
    * `Sequential([...])`: a stack of layers.
    * A subclass that makes layers in `__init__` and uses them in `call`.

    Args:
        inputs: A symbolic tensor of `Input`, or a list or dict of them.
        outputs: A symbolic tensor, or a list or dict of them.
        name: Name of the model.
        trainable: Whether training may change the weights.

    Example:
        >>> import numpy as np
        >>> import dlnative
        >>> x = dlnative.Input((4,))
        >>> h = dlnative.layers.Dense(8, activation="relu")(x)
        >>> model = dlnative.Model(x, dlnative.layers.Dense(2)(h))
        >>> model(np.zeros((3, 4))).shape
        (3, 2)
        >>> model.count_params()
        58
    """

    is_model = True
    is_functional = False  # whether it was made of inputs and outputs
    _locks_when_built = False
    _why_no_graph = ": it is not made of inputs and outputs"

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        made = Functional if cls is Model and _is_functional(args, kwargs) else cls
        return super().__new__(made, *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if _is_functional(args, kwargs):
            self._init_functional(*args, **kwargs)
            return
        if args:
            raise TypeError(
                f"{type(self).__name__}: expected inputs and outputs, received {args!r} only"
            )
        super().__init__(**kwargs)

    def _init_functional(
        self,
        inputs: Any,
        outputs: Any,
        name: str | None = None,
        trainable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, trainable=trainable is not False, **kwargs)
        graph = CallGraph(self, inputs, outputs)
        self._functional_layers = graph.operations  # tracked: their variables are the model's
        self.__dict__.update(_graph=graph, is_functional=True, built=True)
        separate_paths(self)

    # --- layers ----------------------------------------------------------------------------------

    @property
    def is_composed(self) -> bool:
        """Whether it is a graph or a stack of layers that it was given, each with its own name."""
        return self.is_functional

    @property
    def layers(self) -> list[Layer]:
        """The layers of the model, without those inside them.

        Those of a functional model come from the inputs to the outputs, without ops that are used
        directly.
        """
        if self.is_functional:
            operations = self._functional_layers
            return [each for each in operations if each.is_listed]
        return tracking.sublayers(self)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of a name, or at a place in `layers`.

        Raises:
            ValueError: There is none (the nearest names are offered), or not exactly one of the
                arguments is given.
        """
        if (name is None) == (index is None):
            raise ValueError("get_layer: give a name or an index")
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(
                    f"get_layer: expected an index below {len(layers)}, the number of layers of "
                    f"'{self.name}', received {index}"
                )
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise unknown(f"layer of '{self.name}'", name, [layer.name for layer in layers])

    # --- the ends of functional and sequential models ---------------------------------------------

    operations = OfGraph("All layers, ops used directly included, from the inputs to the outputs.")
    inputs = OfGraph("The symbolic inputs, as a flat list.")
    outputs = OfGraph("The symbolic outputs, as a flat list.")
    input = OfGraph("The symbolic inputs as they were given.")
    output = OfGraph("The symbolic outputs as they were given.")
    input_names = OfGraph("Names of `inputs`: the keys of a dict, else those of the Inputs.")
    output_names = OfGraph("Names of `outputs`: the keys of a dict, else those of their layers.")
    input_shape = OfGraph("Shape of the input; a list of them for several, as `inputs`.")
    output_shape = OfGraph("Shape of the output; a list of them for several, as `outputs`.")

    # --- running ---------------------------------------------------------------------------------

    @property
    def has_call(self) -> bool:
        """Whether it can be called: a subclass that trains by its own `train_step` need not."""
        return self._graph is not None or type(self).call is not Model.call

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if self._graph is None:
            raise NotImplementedError(
                f"{type(self).__name__} must implement call(self, inputs), or be made of inputs "
                "and outputs"
            )
        return self._graph(self, inputs)

    def _feed_dtypes(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
        if self._graph is None or not args:
            return super()._feed_dtypes(args, kwargs)
        inputs = self._graph.match(self, args[0])
        by_id = {id(a): t.dtype for a, t in zip(inputs, self._graph.inputs, strict=True)}
        arrays = [a for a in nest.flatten((args, kwargs)) if isinstance(a, np.ndarray)]
        return [by_id.get(id(a), self.input_dtype) for a in arrays]

    def _check_inputs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self.input_spec is not None:
            super()._check_inputs(args, kwargs)

    # --- configuration ---------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments; of a functional model all layers and the calls between them."""
        if self.is_functional and type(self).__init__ is Model.__init__:
            assert self._graph is not None
            return functional_config(self, self._graph)
        is_inherited = type(self).get_config is Model.get_config
        return self._automatic_config() if is_inherited else super().get_config()

    def get_build_config(self) -> dict[str, Any] | None:
        return None if self.is_functional else super().get_build_config()

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Any:
        """The model of a configuration that `get_config` returned, with new weights.

        Args:
            config: The configuration.
            custom_objects: Dict from names to classes and functions that are not registered.

        Raises:
            ValueError: A name that is not known, or a graph that does not connect.
        """
        from ..utils.serialization import CustomObjectScope

        with CustomObjectScope(custom_objects):
            keys = ("name", "layers", "input_layers", "output_layers")
            if all(key in config for key in keys) and cls.__init__ is Model.__init__:
                return functional_from_config(cls, config)
            return super().from_config(config)

    def to_json(self, **kwargs: Any) -> str:
        """The configuration as JSON, without weights; `kwargs` go to `json.dumps`.

        Read it with `dlnative.models.model_from_json`.
        """
        import json

        from ..utils.serialization import serialize_keras_object

        return json.dumps(serialize_keras_object(self), **kwargs)

    # --- files -----------------------------------------------------------------------------------

    def save(
        self,
        filepath: str | os.PathLike[str],
        overwrite: bool = True,
        zipped: bool | None = None,
    ) -> None:
        """Writes the model to a file or folder; see `dlnative.saving.save_model`."""
        from ..saving import public

        public.save_model(self, filepath, overwrite, zipped)

    def save_weights(
        self,
        filepath: str | os.PathLike[str],
        overwrite: bool = True,
        max_shard_size: float | None = None,
        objects_to_skip: Sequence[Any] | None = None,
    ) -> None:
        """Writes the weights to a file; see `dlnative.saving.save_weights`."""
        from ..saving import public

        public.save_weights(self, filepath, overwrite, max_shard_size, objects_to_skip)

    def load_weights(
        self,
        filepath: str | os.PathLike[str],
        skip_mismatch: bool = False,
        objects_to_skip: Sequence[Any] | None = None,
    ) -> None:
        """Takes the weights in a file; see `dlnative.saving.load_weights`."""
        from ..saving import public

        public.load_weights(self, filepath, skip_mismatch, objects_to_skip)

    # --- information -----------------------------------------------------------------------------

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
        flops: bool = True,
    ) -> None:
        """Prints a table of the layers: output shape, parameters, and FLOPs for one sample.

        FLOPs are those of the forward pass, a multiplication and an addition counted as two.

        Args:
            line_length: Width of the table.
            positions: Where the columns end, as shares of the width.
            print_fn: Called with each line; by default they go where messages go, to standard
                output or the logger (`config.disable_interactive_logging`).
            expand_nested: Whether to list the layers of nested models, too.
            show_trainable: Whether to add a column that says which layers are trained.
            layer_range: Names (or regular expressions) of the first and the last layer to list.
            flops: Whether to add the column of FLOPs.

        Raises:
            ValueError: `layer_range` names no layer.
        """
        from .summary import print_summary

        options = (line_length, positions, print_fn, expand_nested, show_trainable, layer_range)
        print_summary(self, *options, flops)


class Functional(Model):
    """The model between symbolic tensors; made by `Model(inputs, outputs)`.

    Layers may be used several times (their weights are shared), models may be layers, and there may
    be several inputs and outputs. Inputs may also be tensors between two layers: the new model
    starts there and shares the layers.

    Args:
        inputs: A symbolic tensor, or a list or dict of them.
        outputs: A symbolic tensor, or a list or dict of them.
        name: Name of the model.
        trainable: Whether training may change the weights.

    Raises:
        TypeError: Something among inputs or outputs is not a symbolic tensor.
        ValueError: An output depends on an input that is not given, an input leads to no output, or
            two layers have the same name.

    Differs from Keras: an input that leads to no output is refused. A layer that was called with
    `training=False` or `training=True` keeps to that; in Keras the flag of `fit`, `evaluate` and
    `predict` overrides it.
    """

    _public_module = "keras.src.models.functional"


def separate_paths(model: Model) -> None:
    """Gives variables of the same path in several nested models the names of these in front."""
    paths = [v.path for v in model.variables]
    if len(set(paths)) == len(paths):
        return
    for layer in model.layers:
        for variable in layer.variables if layer.is_model else ():
            if paths.count(variable.path) > 1 and not variable.path.startswith(f"{layer.name}/"):
                variable.path = f"{layer.name}/{variable.path}"


def _is_functional(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether the arguments are those of a functional model."""
    return len(args) >= 2 or (len(args) == 1 and "outputs" in kwargs) or "inputs" in kwargs
