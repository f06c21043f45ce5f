"""Functional models: any directed graph of layers between inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ..graph import Tensor, apply
from ..graph.open_shapes import may_agree
from ..layers import calls, messages
from ..layers.layer import Layer
from ..naming import unknown
from ..utils import nest
from ..utils.warn import warn_user
from .configuration import functional_config
from .connect import sort_calls, start_at
from .model import Model, check_tensors, separate_paths


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

    _inputs: list[Tensor]  # flat
    _outputs: list[Tensor]
    _inputs_struct: object  # as given
    _outputs_struct: object
    _sequence: list[calls.LayerCall]  # in the order of computation
    _operations: list[Layer]
    _takes_any_size = False  # whether the layers alone say which sizes fit

    def __init__(
        self,
        inputs: Any,
        outputs: Any,
        name: str | None = None,
        trainable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        Model.__init__(self, name=name, trainable=trainable is not False, **kwargs)
        flat_inputs = check_tensors(self, "inputs", inputs)
        flat_outputs = check_tensors(self, "outputs", outputs)
        if len({id(t) for t in flat_inputs}) < len(flat_inputs):
            raise ValueError(f"{messages.describe(self)}: an input is given twice")
        if any(t.history is not None for t in flat_inputs):
            inputs, outputs = start_at(flat_inputs, inputs, flat_outputs, outputs)
            flat_inputs, flat_outputs = nest.flatten(inputs), nest.flatten(outputs)
        sequence, operations = sort_calls(self, flat_inputs, flat_outputs)
        self._functional_layers = operations  # tracked: their variables are the model's
        self.__dict__.update(
            _inputs_struct=inputs,
            _outputs_struct=outputs,
            _inputs=flat_inputs,
            _outputs=flat_outputs,
            _sequence=sequence,
            _operations=operations,
            built=True,
        )
        separate_paths(self)

    # --- what it is made of ----------------------------------------------------------------------

    @property
    def operations(self) -> list[Layer]:
        """All layers, ops that are used directly included, from the inputs to the outputs."""
        return list(self._operations)

    @property
    def layers(self) -> list[Layer]:
        """The layers from the inputs to the outputs, without ops that are used directly."""
        return [layer for layer in self._operations if layer._public_module != "dlnative.layers"]

    @property
    def inputs(self) -> list[Tensor]:
        """The symbolic inputs, as a flat list."""
        return list(self._inputs)

    @property
    def outputs(self) -> list[Tensor]:
        """The symbolic outputs, as a flat list."""
        return list(self._outputs)

    @property
    def input(self) -> Any:
        """The symbolic inputs as they were given."""
        return self._inputs_struct

    @property
    def output(self) -> Any:
        """The symbolic outputs as they were given."""
        return self._outputs_struct

    @property
    def input_names(self) -> list[str]:
        """Names of `inputs`: the keys where they were given as a dict, else those of the Inputs."""
        return _keys(self._inputs_struct) or [str(t.name) for t in self._inputs]

    @property
    def output_names(self) -> list[str]:
        """Names of `outputs`: the keys of a dict, else those of the layers they come from."""
        names = [calls.call_of(t).layer.name for t in self._outputs]
        return _keys(self._outputs_struct) or names

    @property
    def input_shape(self) -> Any:
        """Shape of the input; a list of them for several, in the order of `inputs`."""
        return _only([t.shape for t in self._inputs])

    @property
    def output_shape(self) -> Any:
        """Shape of the output; a list of them for several, in the order of `outputs`."""
        return _only([t.shape for t in self._outputs])

    def get_build_config(self) -> None:
        return None

    # --- running ---------------------------------------------------------------------------------

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        tensors = self._match(inputs)
        tensors = [
            self._fit(t, expected) for t, expected in zip(tensors, self._inputs, strict=True)
        ]
        return self._run(tensors, lambda layer, args, kwargs: layer(*args, **kwargs))

    def _run(self, tensors: Sequence[Any], call: Callable[..., Any]) -> Any:
        """Passes tensors through the layers: `call(layer, args, kwargs)` for each call of one."""
        values = {id(t): value for t, value in zip(self._inputs, tensors, strict=True)}

        def value(leaf: Any) -> Any:
            return values[id(leaf)] if isinstance(leaf, Tensor) else leaf

        for i, each in enumerate(self._sequence):
            args = nest.map_structure(value, each.args)
            kwargs = {key: nest.map_structure(value, v) for key, v in each.kwargs.items()}
            try:
                results = call(each.layer, args, kwargs)
            except (ValueError, TypeError, NotImplementedError) as error:
                before = [calls.call_of(t) for t in self._inputs] + self._sequence[:i]
                messages.add_chain(error, before, each.layer, calls.symbolic_tensors(args))
                raise
            for tensor, result in zip(each.outputs, nest.flatten(results), strict=True):
                values[id(tensor)] = result
        return nest.map_structure(value, self._outputs_struct)

    def _match(self, inputs: Any) -> list[Any]:
        """`inputs` as a flat list in the order of the model's inputs.

        Raises:
            ValueError: Their number or their names are not those of the model's inputs.
        """
        if isinstance(inputs, dict):
            names = self.input_names
            missing = [name for name in names if name not in inputs]
            extra = [name for name in inputs if name not in names]
            if missing and extra:
                raise unknown(f"input of {messages.describe(self)}", extra[0], names)
            if extra:
                self._warn_of(extra)
            if missing:
                raise ValueError(
                    f"{messages.describe(self)}: expected inputs {names}, "
                    f"received {sorted(inputs)}; {missing} missing"
                )
            return nest.flatten([inputs[name] for name in names])
        flat = nest.flatten(inputs)
        if len(flat) != len(self._inputs):
            raise ValueError(
                f"{messages.describe(self)}: expected {len(self._inputs)} inputs "
                f"{self.input_names}, received {len(flat)}"
            )
        return flat

    def _warn_of(self, extra: Iterable[str]) -> None:
        """Says once of each key of a dict of inputs that the model has no such input."""
        told = self.__dict__.setdefault("_told", set())
        new = sorted(set(extra) - told)
        if new:
            told.update(new)
            warn_user(
                f"{messages.describe(self)}: the data have {', '.join(map(repr, new))}, which is "
                f"no input and is ignored. The inputs are {', '.join(self.input_names)}"
            )

    def _fit(self, tensor: Any, expected: Tensor) -> Any:
        """The input with the rank that is expected: a last axis of size 1 may come or go.

        Raises:
            ValueError: The shape is another one.
        """
        if tensor is None:
            if expected.source.optional:
                return None
            raise ValueError(
                f"{messages.describe(self)}: expected input '{expected.name}', received None. Only "
                "an Input(optional=True) may be left out."
            )
        shape, reference = tensor.shape, expected.shape
        if tensor.ndim == len(reference) + 1 and shape[-1] == 1:
            tensor = apply("reshape", tensor, shape=shape[:-1])
        elif tensor.ndim == len(reference) - 1 and reference[-1] == 1:
            tensor = apply("reshape", tensor, shape=(*shape, 1))
        if may_agree(tensor.shape, reference):
            return tensor
        if self._takes_any_size and tensor.ndim == len(reference):
            return tensor
        remedy = "Reshape the data, or change the shape of the Input."
        if may_agree(tensor.shape, reference, 0):
            remedy = f"Pass {reference[0]} rows at a time, or make the Input without a batch size."
        error = ValueError(
            f"{messages.describe(self)}: expected input '{expected.name}' of shape "
            f"{messages.format_shape(reference)}, received {messages.format_shape(shape)}"
            f"{messages.source(tensor)}. {remedy}"
        )
        first = next((c for c in self._sequence if any(t is expected for t in c.inputs)), None)
        if first is not None:
            messages.add_chain(error, [calls.call_of(expected)], first.layer, [tensor])
        raise error

    def _feed_dtypes(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
        by_id = {id(a): t.dtype for a, t in zip(self._match(args[0]), self._inputs, strict=True)}
        arrays = [a for a in nest.flatten((args, kwargs)) if isinstance(a, np.ndarray)]
        return [by_id.get(id(a), self.input_dtype) for a in arrays]

    # --- configuration ---------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments of all layers and the calls that connect them."""
        if type(self).__init__ is not Functional.__init__:
            return super().get_config()
        return functional_config(self)


def _keys(structure: Any) -> list[str] | None:
    """The keys of a dict of tensors in the order of `nest.flatten`, None for anything else."""
    flat = isinstance(structure, dict) and all(isinstance(t, Tensor) for t in structure.values())
    return sorted(structure) if flat else None


def _only(shapes: Sequence[Any]) -> Any:
    return shapes[0] if len(shapes) == 1 else shapes
