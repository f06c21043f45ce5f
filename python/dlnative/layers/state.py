"""The attributes that every layer has."""

from __future__ import annotations

from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .calls import LayerCall
    from .input_spec import InputSpec


class LayerState:
    """Base of the parts of a layer: what they know of each other.

    Attributes:
        name: Name in the model.
        built: Whether the weights are there.
        input_spec: What is checked of the inputs, or None.
    """

    name: str
    kind: str  # the word for it in messages
    built: bool
    autocast: bool
    activity_regularizer: Any
    trainable_variables: Any
    supports_masking: bool
    input_spec: InputSpec | list[InputSpec] | None
    _trainable: bool
    _learning_rate_factor: float | None  # None: that of the layer it belongs to
    _dtype: str
    _calls: list[LayerCall]  # calls on symbolic tensors
    # Weights are keys themselves, as their ids are others in a copy.
    _tracked: dict  # attribute, or weight -> variable, layer, or a list or dict with some
    _created_trainable: dict  # own variable -> whether it was trainable when it came
    _locked: bool  # whether variables and layers are fixed
    _configured: tuple[str, ...] = ()  # weights with options of their own, see `options`
    _weight_of: dict  # those by their names, once they are made
    _init_arguments: tuple
    _input_shape_argument: tuple | None

    def _check_initialized(self) -> None:
        if "_initialized" not in self.__dict__:
            raise RuntimeError(
                f"{type(self).__name__}: call super().__init__(**kwargs) first in __init__"
            )
