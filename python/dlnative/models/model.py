"""Model: the base of functional, sequential and subclassed models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..graph import Tensor
from ..layers import calls, messages, tracking
from ..layers.layer import Layer
from ..naming import unknown
from ..utils import nest
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
    _locks_when_built = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is Model and _is_functional(args, kwargs):
            from .functional import Functional

            cls = Functional
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if _is_functional(args, kwargs):
            from .functional import Functional

            _become_functional(type(self), Functional)
            Functional.__init__(self, *args, **kwargs)  # type: ignore[arg-type]
            return
        if args:
            raise TypeError(
                f"{type(self).__name__}: expected inputs and outputs, received {args!r} only"
            )
        super().__init__(**kwargs)

    # --- layers ----------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers of the model, without those inside them."""
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

    @property
    def has_call(self) -> bool:
        """Whether it can be called: a subclass that trains by its own `train_step` need not."""
        return type(self).call is not Model.call

    def call(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            f"{type(self).__name__} must implement call(self, inputs), or be made of inputs and "
            "outputs"
        )

    def _check_inputs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self.input_spec is not None:
            super()._check_inputs(args, kwargs)

    # --- configuration ---------------------------------------------------------------------------

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
        from .configuration import functional_from_config
        from .functional import Functional

        with CustomObjectScope(custom_objects):
            keys = ("name", "layers", "input_layers", "output_layers")
            if all(key in config for key in keys) and (cls is Model or issubclass(cls, Functional)):
                return functional_from_config(cls, config)
            return super().from_config(config)

    def to_json(self, **kwargs: Any) -> str:
        """The configuration as JSON, without weights; `kwargs` go to `json.dumps`.

        Read it with `dlnative.models.model_from_json`.
        """
        import json

        from ..utils.serialization import serialize_keras_object

        return json.dumps(serialize_keras_object(self), **kwargs)

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
            print_fn: Called with each line; `print` by default.
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


def separate_paths(model: Model) -> None:
    """Gives variables of the same path in several nested models the names of these in front."""
    paths = [v.path for v in model.variables]
    if len(set(paths)) == len(paths):
        return
    for layer in model.layers:
        for variable in layer.variables if layer.is_model else ():
            if paths.count(variable.path) > 1 and not variable.path.startswith(f"{layer.name}/"):
                variable.path = f"{layer.name}/{variable.path}"


def without_build(record: dict[str, Any]) -> dict[str, Any]:
    """The record of a layer that its model is going to build, under the model's name."""
    return {key: value for key, value in record.items() if key != "build_config"}


def check_tensors(model: Model, what: str, structure: Any) -> list[Tensor]:
    """The symbolic tensors of `inputs` or `outputs`, flat.

    Raises:
        TypeError: Something else is among them.
        ValueError: There are none.
    """
    tensors = nest.flatten(structure)
    for t in tensors:
        if isinstance(t, Tensor) and t.graph is None:
            calls.call_of(t)
            continue
        received = messages.describe(t) if tracking.is_layer(t) else repr(t)
        raise TypeError(
            f"{messages.describe(model)}: expected {what} to be symbolic tensors (from Input, or "
            f"returned by layers), received {received}"
        )
    if not tensors:
        raise ValueError(f"{messages.describe(model)}: expected at least one tensor in {what}")
    return tensors


def _is_functional(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether the arguments are those of a functional model."""
    return len(args) >= 2 or (len(args) == 1 and "outputs" in kwargs) or "inputs" in kwargs


def _become_functional(cls: type, functional: type) -> None:
    """Puts Functional in the place of Model among the bases of a subclass of Model."""
    if issubclass(cls, functional):
        return
    bases = tuple(functional if base is Model else base for base in cls.__bases__)
    if bases == cls.__bases__:
        for base in cls.__bases__:
            if issubclass(base, Model):
                _become_functional(base, functional)
    else:
        cls.__bases__ = bases
