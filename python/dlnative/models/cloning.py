"""New models out of old ones: from JSON, and as copies with new weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..graph import Tensor
from ..layers import messages
from ..layers.core import Input, InputLayer
from ..utils import nest
from ..utils.serialization import deserialize_keras_object, serialize_keras_object
from .configuration import give_name
from .model import Functional, Model
from .sequential import Sequential

if TYPE_CHECKING:
    from ..layers.layer import Layer


def model_from_json(json_string: str, custom_objects: dict[str, Any] | None = None) -> Model:
    """The model of what `Model.to_json` returned, with new weights.

    Args:
        json_string: JSON.
        custom_objects: Dict from names to classes and functions that are not registered.

    Raises:
        ValueError: It is no JSON, names something that is not known, or is no model.

    Example:
        >>> import dlnative
        >>> model = dlnative.Sequential([dlnative.Input((2,)), dlnative.layers.Dense(1)])
        >>> dlnative.models.model_from_json(model.to_json()).count_params()
        3
    """
    import json

    model = deserialize_keras_object(json.loads(json_string), custom_objects)
    if not isinstance(model, Model):
        raise ValueError(f"model_from_json: expected the configuration of a model, made {model!r}")
    return model


def clone_model(
    model: Model,
    input_tensors: Any = None,
    clone_function: Callable[[Layer], Layer] | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
) -> Model:
    """A model of the same layers with new weights.

    Args:
        model: The model.
        input_tensors: Symbolic tensors to start from, nested as the model's inputs; new Inputs by
            default.
        clone_function: Function from a layer to the layer that takes its place;
            `layer.from_config(layer.get_config())` by default.
        call_function: Function of (layer, *args, **kwargs) that calls a layer, for functional
            models.
        recursive: Whether nested models are cloned layer by layer, too.

    Raises:
        ValueError: An argument that does not apply to this kind of model.
        TypeError: `model` is no model.
    """
    if not isinstance(model, Model):
        raise TypeError(f"clone_model: expected a model, received {model!r}")
    copies: dict[int, Layer] = {}

    def clone(layer: Layer) -> Layer:
        if id(layer) not in copies:
            if recursive and isinstance(layer, Model) and layer.is_composed:
                copies[id(layer)] = clone_model(layer, None, clone_function, None, True)
            elif clone_function is not None:
                copies[id(layer)] = clone_function(layer)
            else:
                copies[id(layer)] = type(layer).from_config(layer.get_config())
                give_name(copies[id(layer)], layer.name)
        return copies[id(layer)]

    if isinstance(model, Sequential):
        if call_function is not None:
            raise ValueError("clone_model: call_function applies to functional models only")
        return _clone_sequential(model, input_tensors, clone)
    if model.is_functional:
        return _clone_functional(model, input_tensors, clone, call_function)
    if input_tensors is not None or clone_function is not None or call_function is not None:
        raise ValueError(
            f"clone_model: {messages.describe(model)} is neither Sequential nor functional; "
            "only its configuration can be cloned"
        )
    return deserialize_keras_object(
        serialize_keras_object(model), {type(model).__name__: type(model)}
    )


def _clone_sequential(
    model: Sequential, input_tensors: Any, clone: Callable[[Layer], Layer]
) -> Any:
    layers = [clone(layer) for layer in model.layers]
    first = model.operations[0] if model.operations else None
    tensors = nest.flatten(input_tensors) if input_tensors is not None else []
    if len(tensors) > 1:
        raise ValueError(f"clone_model: expected one input tensor, received {len(tensors)}")
    if tensors:
        layers.insert(0, Input(tensor=tensors[0]))
    elif isinstance(first, InputLayer) and not model._made_input:
        layers.insert(0, type(first).from_config(first.get_config()))
    copy = Sequential(layers, trainable=model.trainable, name=model.name)
    if model._made_input and not tensors:
        copy.build(model.input_shape)
    return copy


def _clone_functional(
    model: Any,
    input_tensors: Any,
    clone: Callable[[Layer], Layer],
    call_function: Callable[..., Any] | None,
) -> Any:
    if input_tensors is None:
        input_tensors = nest.map_structure(
            lambda t: Input(batch_shape=t.shape, dtype=t.dtype, name=t.name), model.input
        )
    tensors = nest.flatten(input_tensors)
    wrong = [t for t in tensors if not (isinstance(t, Tensor) and t.graph is None)]
    if wrong or len(tensors) != len(model.inputs):
        raise ValueError(
            f"clone_model: expected {len(model.inputs)} symbolic input tensors, "
            f"received {input_tensors!r}"
        )

    def call(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        copy = clone(layer)
        if call_function is not None:
            return call_function(copy, *args, **kwargs)
        return copy(*args, **kwargs)

    outputs = model._graph.run(tensors, call)
    kind = type(model) if type(model).__init__ is Model.__init__ else Functional
    return kind(input_tensors, outputs, name=model.name, trainable=model.trainable)
