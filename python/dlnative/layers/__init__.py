"""Layers: the parts that models are made of."""

from .activation_layers import ELU, LeakyReLU, PReLU, ReLU, Softmax
from .core import Activation, Dense, Identity, Input, InputLayer
from .input_spec import InputSpec
from .layer import Layer
from .merging import (
    Add,
    Average,
    Concatenate,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    multiply,
    subtract,
)
from .op_layer import OpLayer
from .preprocessing import Rescaling
from .regularization import Dropout
from .reshaping import Flatten, Permute, Reshape

__all__ = [
    "Input",
    "InputLayer",
    "InputSpec",
    "Layer",
    "Dense",
    "Activation",
    "Identity",
    "ELU",
    "LeakyReLU",
    "PReLU",
    "ReLU",
    "Softmax",
    "Dropout",
    "Flatten",
    "Permute",
    "Reshape",
    "Rescaling",
    "Add",
    "Average",
    "Concatenate",
    "Multiply",
    "Subtract",
    "OpLayer",
    "add",
    "average",
    "concatenate",
    "multiply",
    "subtract",
    "deserialize",
    "serialize",
]


def serialize(layer):
    """The configuration of a layer."""
    from ..utils.serialization import serialize_keras_object

    return serialize_keras_object(layer)


def deserialize(config, custom_objects=None):
    """The layer of a configuration."""
    from ..utils.serialization import deserialize_keras_object

    layer = deserialize_keras_object(config, custom_objects)
    if not isinstance(layer, Layer):
        raise ValueError(f"layers.deserialize: expected a layer's configuration, made {layer!r}")
    return layer
