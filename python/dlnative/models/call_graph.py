"""The layer calls between the symbolic inputs and outputs of a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..graph import Tensor, apply
from ..graph.open_shapes import may_agree
from ..layers import calls, messages, tracking
from ..naming import unknown
from ..utils import nest
from ..utils.warn import warn_user
from .connect import sort_calls, start_at

if TYPE_CHECKING:
    from ..layers.layer import Layer


class CallGraph:
    """What a functional or sequential model computes.

    Args:
        model: The model, which is named in messages; it is not kept.
        inputs: A symbolic tensor, or a list or dict of them.
        outputs: A symbolic tensor, or a list or dict of them.
        takes_any_size: Whether the layers alone say which sizes fit.

    Attributes:
        inputs, outputs: The symbolic tensors, flat.
        input, output: The same as they were given.
        calls: The layer calls in the order of computation.
        operations: The layers, ops that are used directly included, from the inputs to the outputs.

    Raises:
        TypeError: Something among inputs or outputs is not a symbolic tensor.
        ValueError: An output depends on an input that is not given, an input is given twice, or two
            layers have the same name.
    """

    def __init__(
        self, model: Layer, inputs: Any, outputs: Any, takes_any_size: bool = False
    ) -> None:
        flat_inputs = _symbolic(model, "inputs", inputs)
        flat_outputs = _symbolic(model, "outputs", outputs)
        if len({id(t) for t in flat_inputs}) < len(flat_inputs):
            raise ValueError(f"{messages.describe(model)}: an input is given twice")
        if any(t.history is not None for t in flat_inputs):
            inputs, outputs = start_at(flat_inputs, inputs, flat_outputs, outputs)
            flat_inputs, flat_outputs = nest.flatten(inputs), nest.flatten(outputs)
        self.inputs: list[Tensor] = flat_inputs
        self.outputs: list[Tensor] = flat_outputs
        self.input = inputs
        self.output = outputs
        self.calls, self.operations = sort_calls(model, flat_inputs, flat_outputs)
        self._takes_any_size = takes_any_size
        self._told: set[str] = set()  # keys of data that are no input

    @property
    def input_names(self) -> list[str]:
        """The keys of inputs that were given as a dict, else the names of the Inputs."""
        return _keys(self.input) or [str(t.name) for t in self.inputs]

    @property
    def output_names(self) -> list[str]:
        """The keys of outputs in a dict, else the names of the layers they come from."""
        return _keys(self.output) or [calls.call_of(t).layer.name for t in self.outputs]

    @property
    def input_shape(self) -> Any:
        """Shape of the input; a list of them for several."""
        return _only([t.shape for t in self.inputs])

    @property
    def output_shape(self) -> Any:
        """Shape of the output; a list of them for several."""
        return _only([t.shape for t in self.outputs])

    def __call__(self, model: Layer, inputs: Any) -> Any:
        """The outputs for inputs, nested as the model's or flat.

        Raises:
            ValueError: Their number, names or shapes are not those of the model's inputs.
        """
        tensors = [
            self._fit(model, t, expected)
            for t, expected in zip(self.match(model, inputs), self.inputs, strict=True)
        ]
        return self.run(tensors, lambda layer, args, kwargs: layer(*args, **kwargs))

    def run(self, tensors: Sequence[Any], call: Callable[..., Any]) -> Any:
        """Passes tensors through the layers: `call(layer, args, kwargs)` for each call of one."""
        values = {id(t): value for t, value in zip(self.inputs, tensors, strict=True)}

        def value(leaf: Any) -> Any:
            return values[id(leaf)] if isinstance(leaf, Tensor) else leaf

        for i, each in enumerate(self.calls):
            args = nest.map_structure(value, each.args)
            kwargs = {key: nest.map_structure(value, v) for key, v in each.kwargs.items()}
            try:
                results = call(each.layer, args, kwargs)
            except (ValueError, TypeError, NotImplementedError) as error:
                before = [calls.call_of(t) for t in self.inputs] + self.calls[:i]
                messages.add_chain(error, before, each.layer, calls.symbolic_tensors(args))
                raise
            for tensor, result in zip(each.outputs, nest.flatten(results), strict=True):
                values[id(tensor)] = result
        return nest.map_structure(value, self.output)

    def match(self, model: Layer, inputs: Any) -> list[Any]:
        """`inputs` as a flat list in the order of the model's inputs.

        Raises:
            ValueError: Their number or their names are not those of the model's inputs.
        """
        if isinstance(inputs, dict):
            names = self.input_names
            missing = [name for name in names if name not in inputs]
            extra = [name for name in inputs if name not in names]
            if missing and extra:
                raise unknown(f"input of {messages.describe(model)}", extra[0], names)
            if extra:
                self._warn_of(model, extra)
            if missing:
                raise ValueError(
                    f"{messages.describe(model)}: expected inputs {names}, "
                    f"received {sorted(inputs)}; {missing} missing"
                )
            return nest.flatten([inputs[name] for name in names])
        flat = nest.flatten(inputs)
        if len(flat) != len(self.inputs):
            raise ValueError(
                f"{messages.describe(model)}: expected {len(self.inputs)} inputs "
                f"{self.input_names}, received {len(flat)}"
            )
        return flat

    def _warn_of(self, model: Layer, extra: Sequence[str]) -> None:
        """Says once of each key of a dict of inputs that the model has no such input."""
        new = sorted(set(extra) - self._told)
        if new:
            self._told.update(new)
            warn_user(
                f"{messages.describe(model)}: the data have {', '.join(map(repr, new))}, which is "
                f"no input and is ignored. The inputs are {', '.join(self.input_names)}"
            )

    def _fit(self, model: Layer, tensor: Any, expected: Tensor) -> Any:
        """The input with the rank that is expected: a last axis of size 1 may come or go.

        Raises:
            ValueError: The shape is another one.
        """
        if tensor is None:
            if expected.source.optional:
                return None
            raise ValueError(
                f"{messages.describe(model)}: expected input '{expected.name}', received None. "
                "Only an Input(optional=True) may be left out."
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
            f"{messages.describe(model)}: expected input '{expected.name}' of shape "
            f"{messages.format_shape(reference)}, received {messages.format_shape(shape)}"
            f"{messages.source(tensor)}. {remedy}"
        )
        first = next((c for c in self.calls if any(t is expected for t in c.inputs)), None)
        if first is not None:
            messages.add_chain(error, [calls.call_of(expected)], first.layer, [tensor])
        raise error


class OfGraph:
    """An attribute of the CallGraph of a model. A model without one may have its own of that name.

    Args:
        doc: What it is.

    Raises:
        AttributeError: There is no graph, or not yet.
    """

    def __init__(self, doc: str) -> None:
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, model: Any, owner: type) -> Any:
        if model is None:
            return self
        if model._graph is None:
            raise AttributeError(
                f"{messages.describe(model)} has no {self._name}{model._why_no_graph}"
            )
        value = getattr(model._graph, self._name)
        return list(value) if isinstance(value, list) else value


def _symbolic(model: Layer, what: str, structure: Any) -> list[Tensor]:
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


def _keys(structure: Any) -> list[str] | None:
    """The keys of a dict of tensors in the order of `nest.flatten`, None for anything else."""
    flat = isinstance(structure, dict) and all(isinstance(t, Tensor) for t in structure.values())
    return sorted(structure) if flat else None


def _only(shapes: Sequence[Any]) -> Any:
    return shapes[0] if len(shapes) == 1 else shapes
