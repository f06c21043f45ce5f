"""Sequential: a stack of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import changes
from ..graph import Tensor
from ..layers import calls, messages, tracking
from ..layers.core import InputLayer
from ..layers.layer import Layer, as_shapes
from ..utils import signatures
from .call_graph import CallGraph
from .configuration import entry_of_layer, layer_from_entry, without_build
from .model import Model, separate_paths

if TYPE_CHECKING:
    from ..graph.types import Shape


class Sequential(Model):
    """A stack of layers, each fed with what the one before returns.

    With an `Input` as the first layer the weights are made as layers are added; without, when the
    model first sees data or `build(input_shape)` is called.

    Without an `Input` it takes what its layers take, also of other sizes than those of the data or
    the shape that have built it.

    Args:
        layers: The layers, the first of them possibly an `Input`.
        trainable: Whether training may change the weights.
        name: Name of the model; variables are called "<model>/<layer>/<variable>".

    Raises:
        TypeError: Something that is not a layer.
        ValueError: Two layers of one name, a second Input, or a layer that does not fit.

    Example:
        >>> import dlnative
        >>> from dlnative import layers
        >>> model = dlnative.Sequential([dlnative.Input((784,)), layers.Dense(10)])
        >>> model.output_shape
        (None, 10)
        >>> model.count_params()
        7850

    Differs from Keras: a model that is built by data has an open batch size, and its configuration
    the shape but no Input. `add` leaves the model as it was if the layer does not fit.
    """

    _public_module = "keras"
    is_composed = True  # type: ignore[assignment]
    _why_no_graph = (
        " yet: it is not built. Start with an Input, call build(input_shape), or call it on data."
    )

    _layers: list[Layer]  # the Input included
    _made_input: bool  # whether the Input was made for data or a shape, not given
    _ends: list[Tensor]  # the symbolic tensor after each layer that has been called

    def __init__(
        self,
        layers: Sequence[Layer | Tensor] | None = None,
        trainable: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(trainable=trainable, name=name, **kwargs)
        self.__dict__["_ends"] = []
        self.__dict__["_made_input"] = False
        self._layers = []
        for layer in layers or ():
            self._append(layer)
        self._extend()

    # --- the stack -------------------------------------------------------------------------------

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Puts a layer on top of the stack.

        Args:
            layer: A layer, or for the first one also the tensor that `Input` returns.
            rebuild: Whether to make its weights at once, if the shape of its input is known.
        """
        stack = list(self._layers)
        self._append(layer)
        if not rebuild:
            self._forget()
            return
        try:
            self._extend()
        except Exception:
            self._layers = stack
            raise

    def pop(self, rebuild: bool = True) -> Layer:
        """Removes the last layer and returns it.

        Raises:
            ValueError: There is no layer.
        """
        if not self.layers:
            raise ValueError(f"{messages.describe(self)} has no layer to remove")
        layer = self._layers[-1]
        self._layers = self._layers[:-1]
        del self._ends[len(self._layers) :]
        self._connect()
        if rebuild:
            self._extend()
        return layer

    def _append(self, layer: Any) -> None:
        if isinstance(layer, Tensor) and isinstance(layer.source, InputLayer):
            layer = layer.source
        if not tracking.is_layer(layer):
            hint = ". Call add(layer), not add(layer(x))" if isinstance(layer, Tensor) else ""
            raise TypeError(
                f"{messages.describe(self)}: expected a layer, received {layer!r} of type "
                f"{type(layer).__name__}{hint}"
            )
        if not self._layers and layer._input_shape_argument is not None:
            self._layers = [InputLayer(layer._input_shape_argument, dtype=layer.input_dtype)]
        if any(each.name == layer.name for each in self._layers):
            raise ValueError(
                f"{messages.describe(self)}: the name '{layer.name}' belongs to a layer already. "
                "Give each its own with name=."
            )
        if isinstance(layer, InputLayer) and self._layers:
            first = self._layers[0]
            if isinstance(first, InputLayer):
                raise ValueError(
                    f"{messages.describe(self)} has the Input '{first.name}' of shape "
                    f"{messages.format_shape(first.batch_shape)} already"
                )
            raise ValueError(f"{messages.describe(self)}: an Input must come first")
        self._layers = [*self._layers, layer]

    def _extend(self) -> None:
        """Calls the layers that were not called yet, if the shape of the input is known."""
        if not self._layers:
            return
        first = self._layers[0]
        if not isinstance(first, InputLayer):
            shape = _known_input_shape(first)
            if shape is not None and len(self._layers) > 1:
                self.build(shape)
            return
        with tracking.Rollback(self), calls.Scope(self):
            ends = list(self._ends) or [first.output]
            for layer in self._layers[len(ends) :]:
                _check_call(layer)
                ends.append(layer(ends[-1]))
        self.__dict__["_ends"] = ends
        self._connect()

    def _connect(self) -> None:
        """Makes the graph of the calls so far."""
        ends, state = self._ends, self.__dict__
        if self.built:
            changes.note(self)
        state["_graph"], state["built"] = None, False
        if len(ends) > 1:
            state["_graph"] = CallGraph(self, ends[0], ends[-1], takes_any_size=self._made_input)
            state["built"] = True
            separate_paths(self)

    def _forget(self) -> None:
        self._ends.clear()
        self._connect()

    def build(self, input_shape: Any = None) -> None:
        """Makes the weights for inputs of a shape, given with the batch size or None for it.

        Raises:
            ValueError: There are no layers, or the shape is not that of the Input.
        """
        if not self._layers:
            raise ValueError(f"{messages.describe(self)} has no layers. Call add(layer) first.")
        first = self._layers[0]
        if isinstance(first, InputLayer):
            if input_shape is not None and tuple(input_shape)[1:] != first.batch_shape[1:]:
                raise ValueError(
                    f"{messages.describe(self)} has an Input of shape "
                    f"{messages.format_shape(first.batch_shape)}, it cannot be built with "
                    f"{messages.format_shape(input_shape)}"
                )
            self._extend()
            return
        if isinstance(input_shape, dict) or not _is_one_shape(input_shape):
            return  # several inputs: the layers are built as data passes through
        entry = InputLayer(batch_shape=input_shape, dtype=first.input_dtype)
        self.__dict__["_made_input"] = True
        self._layers = [entry, *self._layers]
        self._extend()

    # --- what it is made of ----------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers without the Input."""
        layers = self._layers
        return layers[1:] if layers and isinstance(layers[0], InputLayer) else list(layers)

    @property
    def operations(self) -> list[Layer]:
        """All layers, the Input included."""
        return list(self._layers)

    @property
    def input_dtype(self) -> str:
        """Dtype that arrays are converted to: that of the Input."""
        first = self._layers[0] if self._layers else None
        if isinstance(first, InputLayer):
            return first.output.dtype
        return super().input_dtype if first is None else first.input_dtype

    # --- running ---------------------------------------------------------------------------------

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if self._graph is not None:
            return self._graph(self, inputs)
        for layer in self.layers:
            inputs = layer(inputs)
        return inputs

    # --- configuration ---------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        stack = self.layers if self._made_input else self._layers
        config = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": self._dtype,
            "layers": [entry_of_layer(layer) for layer in stack],
        }
        if self._graph is not None:
            config["build_input_shape"] = self.input_shape
        return config

    def get_build_config(self) -> dict[str, Any] | None:
        return None if self._graph is None else {"input_shape": self.input_shape}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Any:
        """The model of a configuration that `get_config` returned, with new weights.

        Raises:
            ValueError: There is no "name" or no "layers" in it, or a name is not known.
        """
        from ..utils.serialization import CustomObjectScope

        if not isinstance(config, dict) or "name" not in config or "layers" not in config:
            raise ValueError(
                "Sequential.from_config: expected a dict with 'name' and 'layers', "
                f"received {config!r}"
            )
        entries = config["layers"]
        starts_with_input = bool(entries) and entries[0].get("class_name") == "InputLayer"
        if starts_with_input or config.get("build_input_shape"):
            entries = [without_build(entry) for entry in entries]
        with CustomObjectScope(custom_objects):
            layers = [layer_from_entry(entry) for entry in entries]
        model = cls(layers, trainable=config.get("trainable", True), name=config["name"])
        if not model.built and config.get("build_input_shape"):
            model.build(as_shapes(config["build_input_shape"]))
        return model


def _is_one_shape(shape: Any) -> bool:
    return shape is not None and all(n is None or isinstance(n, int) for n in shape)


def _known_input_shape(layer: Any) -> Shape | None:
    """The input shape of a layer that is a built model with one input, else None."""
    if not layer.is_model or not layer.built:
        return None
    shape = getattr(layer, "input_shape", None)
    return shape if _is_one_shape(shape) else None


def _check_call(layer: Any) -> None:
    """Raises TypeError where a layer cannot be called on one tensor."""
    names = signatures.parameters(layer.call)
    if not names and not signatures.takes_any_keyword(layer.call):
        raise TypeError(
            f"{messages.describe(layer)}: its call takes no argument; in a Sequential model it "
            "must take the output of the layer before"
        )
