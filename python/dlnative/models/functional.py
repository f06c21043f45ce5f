"""Functional models: any directed graph of layers between inputs and outputs."""

from __future__ import annotations

import numpy as np

from ..graph import Tensor, apply
from ..layers import calls, messages, tracking
from ..layers.core import Input, InputLayer
from ..naming import unknown
from ..utils import nest
from ..utils.serialization import deserialize_keras_object, serialize_keras_object
from .model import Model, check_tensors, separate_paths, without_build


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

    Differs from Keras: an input that leads to no output is refused.
    """

    _public_module = "keras.src.models.functional"

    def __init__(self, inputs, outputs, name=None, trainable=None, **kwargs):
        Model.__init__(self, name=name, trainable=trainable is not False, **kwargs)
        flat_inputs = check_tensors(self, "inputs", inputs)
        flat_outputs = check_tensors(self, "outputs", outputs)
        if len({id(t) for t in flat_inputs}) < len(flat_inputs):
            raise ValueError(f"{messages.describe(self)}: an input is given twice")
        if any(t.history is not None for t in flat_inputs):
            inputs, outputs = _start_at(flat_inputs, inputs, flat_outputs, outputs)
            flat_inputs, flat_outputs = nest.flatten(inputs), nest.flatten(outputs)
        sequence, operations = _sort_calls(self, flat_inputs, flat_outputs)
        self.__dict__.update(
            _inputs_struct=inputs,
            _outputs_struct=outputs,
            _inputs=flat_inputs,
            _outputs=flat_outputs,
            _sequence=sequence,
            _operations=operations,
            built=True,
        )
        self._functional_layers = operations  # tracked: their variables are the model's
        separate_paths(self)

    # --- what it is made of ----------------------------------------------------------------------

    @property
    def operations(self):
        """All layers, ops that are used directly included, from the inputs to the outputs."""
        return list(self._operations)

    @property
    def layers(self):
        """The layers from the inputs to the outputs, without ops that are used directly."""
        return [layer for layer in self._operations if layer._public_module != "dlnative.layers"]

    @property
    def inputs(self):
        """The symbolic inputs, as a flat list."""
        return list(self._inputs)

    @property
    def outputs(self):
        """The symbolic outputs, as a flat list."""
        return list(self._outputs)

    @property
    def input(self):
        """The symbolic inputs as they were given."""
        return self._inputs_struct

    @property
    def output(self):
        """The symbolic outputs as they were given."""
        return self._outputs_struct

    @property
    def input_names(self):
        """Names of `inputs`: the keys where they were given as a dict, else those of the Inputs."""
        return _keys(self._inputs_struct) or [t.name for t in self._inputs]

    @property
    def output_names(self):
        """Names of `outputs`: the keys of a dict, else those of the layers they come from."""
        names = [calls.call_of(t).layer.name for t in self._outputs]
        return _keys(self._outputs_struct) or names

    @property
    def input_shape(self):
        """Shape of the input; a list of them for several, in the order of `inputs`."""
        return _only([t.shape for t in self._inputs])

    @property
    def output_shape(self):
        """Shape of the output; a list of them for several, in the order of `outputs`."""
        return _only([t.shape for t in self._outputs])

    def get_build_config(self):
        return None

    # --- running ---------------------------------------------------------------------------------

    def call(self, inputs, training=None):
        tensors = self._match(inputs)
        tensors = [
            self._fit(t, expected) for t, expected in zip(tensors, self._inputs, strict=True)
        ]
        return self._run(tensors, lambda layer, args, kwargs: layer(*args, **kwargs))

    def _run(self, tensors, call):
        """Passes tensors through the layers: `call(layer, args, kwargs)` for each call of one."""
        values = {id(t): value for t, value in zip(self._inputs, tensors, strict=True)}

        def value(leaf):
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

    def _match(self, inputs):
        """`inputs` as a flat list in the order of the model's inputs.

        Raises:
            ValueError: Their number or their names are not those of the model's inputs.
        """
        if isinstance(inputs, dict):
            names = self.input_names
            for name in inputs:
                if name not in names:
                    raise unknown(f"input of {messages.describe(self)}", name, names)
            missing = [name for name in names if name not in inputs]
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

    def _fit(self, tensor, expected):
        """The input with the rank that is expected: a last axis of size 1 may come or go.

        Raises:
            ValueError: The shape is another one.
        """
        shape, reference = tensor.shape, expected.shape
        if tensor.ndim == len(reference) + 1 and shape[-1] == 1:
            tensor = apply("reshape", tensor, shape=shape[:-1])
        elif tensor.ndim == len(reference) - 1 and reference[-1] == 1:
            tensor = apply("reshape", tensor, shape=(*shape, 1))
        pairs = zip(tensor.shape, reference, strict=False)
        if tensor.ndim == len(reference) and all(n == m or None in (n, m) for n, m in pairs):
            return tensor
        error = ValueError(
            f"{messages.describe(self)}: expected input '{expected.name}' of shape "
            f"{messages.format_shape(reference)}, received {messages.format_shape(shape)}"
            f"{messages.source(tensor)}. Reshape the data, or change the shape of the Input."
        )
        first = next((c for c in self._sequence if any(t is expected for t in c.inputs)), None)
        if first is not None:
            messages.add_chain(error, [calls.call_of(expected)], first.layer, [tensor])
        raise error

    def _feed_dtypes(self, args, kwargs):
        by_id = {id(a): t.dtype for a, t in zip(self._match(args[0]), self._inputs, strict=True)}
        arrays = [a for a in nest.flatten((args, kwargs)) if isinstance(a, np.ndarray)]
        return [by_id.get(id(a), self.input_dtype) for a in arrays]

    # --- configuration ---------------------------------------------------------------------------

    def get_config(self):
        """Constructor arguments of all layers and the calls that connect them."""
        if type(self).__init__ is not Functional.__init__:
            return super().get_config()
        included = {id(each) for each in self._sequence}
        included |= {id(calls.call_of(t)) for t in self._inputs}
        numbers = {}  # id of a call -> its number among the calls of its layer in this model
        for layer in self._operations:
            own = [each for each in layer._calls if id(each) in included]
            numbers.update((id(each), i) for i, each in enumerate(own))

        def place(tensor, first=0):
            each = calls.call_of(tensor)
            index = tensor.history[1] if tensor.history is not None else 0
            return [each.layer.name, numbers[id(each)] + first, index]

        def place_end(tensor):
            # Keras counts the calls of a functional model from 1 here.
            return place(tensor, int(isinstance(calls.call_of(tensor).layer, Functional)))

        def record(leaf):
            if not isinstance(leaf, Tensor):
                return serialize_keras_object(leaf)
            config = {"shape": leaf.shape, "dtype": leaf.dtype, "keras_history": place(leaf)}
            return {"class_name": "__keras_tensor__", "config": config}

        layers = []
        for layer in self._operations:
            entry = serialize_keras_object(layer)
            own = [each for each in layer._calls if id(each) in included]
            entry["name"] = layer.name
            entry["inbound_nodes"] = [
                {
                    "args": list(nest.map_structure(record, each.args)),
                    "kwargs": nest.map_structure(record, each.kwargs),
                }
                for each in own
                if not isinstance(layer, InputLayer)
            ]
            layers.append(entry)
        return {
            "name": self.name,
            "trainable": self.trainable,
            "layers": layers,
            "input_layers": nest.map_structure(place_end, self._inputs_struct),
            "output_layers": nest.map_structure(place_end, self._outputs_struct),
        }


def functional_from_config(cls, config):
    """The model of a configuration: makes the layers, then calls them as their inputs appear.

    Raises:
        ValueError: Two layers of one name, a layer that is not there, or calls that depend on each
            other.
    """
    layers, waiting = {}, []
    for entry in config["layers"]:
        layer = deserialize_keras_object(without_build(entry))
        if not tracking.is_layer(layer) or layer.name in layers:
            raise ValueError(f"Model configuration: {entry['name']!r} is not a layer of its own")
        layers[layer.name] = layer
        waiting += [(layer, i, node) for i, node in enumerate(entry.get("inbound_nodes", ()))]
    made = {name: list(layer._calls) for name, layer in layers.items() if layer._calls}

    def find(name, number, index):
        if name not in layers:
            raise unknown("layer in the model configuration", name, layers)
        found = made.get(name, ())
        return found[number].outputs[index] if number < len(found) else None

    while waiting:
        later = []
        for layer, number, node in waiting:
            args, kwargs = _arguments(node, find)
            ready = len(made.get(layer.name, ())) == number
            if not ready or any(_is_missing(leaf) for leaf in nest.flatten((args, kwargs))):
                later.append((layer, number, node))
                continue
            layer(*args, **kwargs)
            made.setdefault(layer.name, []).append(layer._calls[-1])
        if len(later) == len(waiting):
            names = sorted({layer.name for layer, _, _ in later})
            raise ValueError(f"Model configuration: the inputs of {names} are not connected")
        waiting = later

    def end(place):
        name, number, index = place
        return find(name, number - int(isinstance(layers.get(name), Functional)), index)

    def ends(places):
        if isinstance(places, dict):
            return {key: ends(value) for key, value in places.items()}
        if len(places) == 3 and isinstance(places[0], str):
            return end(places)
        return [ends(value) for value in places]

    rest = {k: v for k, v in config.items() if k not in ("layers", "input_layers", "output_layers")}
    return cls(inputs=ends(config["input_layers"]), outputs=ends(config["output_layers"]), **rest)


_MISSING = object()


def _is_missing(leaf):
    return leaf is _MISSING


def _arguments(node, find):
    """Arguments of a layer call; tensors that are not made yet are _MISSING."""

    def value(leaf):
        if isinstance(leaf, dict) and leaf.get("class_name") == "__keras_tensor__":
            tensor = find(*leaf["config"]["keras_history"])
            return _MISSING if tensor is None else tensor
        if isinstance(leaf, dict) and "class_name" not in leaf:
            return {key: value(item) for key, item in leaf.items()}
        if isinstance(leaf, (list, tuple)):
            return [value(item) for item in leaf]
        return deserialize_keras_object(leaf)

    kwargs = {k: value(v) for k, v in node["kwargs"].items() if (k, v) != ("mask", None)}
    return tuple(value(leaf) for leaf in node["args"]), kwargs


def _sort_calls(model, inputs, outputs):
    """Layer calls in the order of computation, and layers in Keras's order.

    A layer's depth is the longest way from it to an output; layers come by decreasing depth, and
    those of one depth in the order in which a search from the outputs meets them.

    Raises:
        ValueError: The graph does not connect inputs and outputs, or a name is used twice.
    """
    order, visited = calls.ancestors(outputs)
    given = {id(calls.call_of(t)) for t in inputs}
    used = {id(each) for each in order}
    for each in order:
        if isinstance(each.layer, InputLayer) and id(each) not in given:
            names = [t.name for t in inputs]
            raise ValueError(
                f"{messages.describe(model)}: the outputs also depend on the Input "
                f"'{each.layer.name}', which is not among the inputs {names}. Add it to them."
            )
    for t in inputs:
        if id(calls.call_of(t)) not in used:
            raise ValueError(
                f"{messages.describe(model)}: the input '{t.name}' does not lead to any output. "
                "Leave it out, or connect it."
            )
    call_depth, layer_depth = {}, {}
    for each in reversed(order):
        depth = max(call_depth.get(id(each), 0), layer_depth.get(id(each.layer), 0))
        call_depth[id(each)] = layer_depth[id(each.layer)] = depth
        for t in each.inputs:
            before = id(calls.call_of(t))
            call_depth[before] = max(depth + 1, call_depth.get(before, 0))
    layers = list({id(each.layer): each.layer for each in order}.values())
    layers.sort(key=lambda layer: (-layer_depth[id(layer)], visited[id(layer)]))
    names = [layer.name for layer in layers]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"{messages.describe(model)}: the name '{twice[0]}' belongs to "
            f"{names.count(twice[0])} layers. Give each its own with name=."
        )
    return [each for each in order if not isinstance(each.layer, InputLayer)], layers


def _start_at(flat_inputs, inputs, flat_outputs, outputs):
    """The part of a graph from tensors between layers on, with new Inputs in their place."""
    values = {}
    for t in flat_inputs:
        name = None if t.history is None else f"{t.name}_input"
        new = t if t.history is None else Input(batch_shape=t.shape, dtype=t.dtype, name=name)
        values[id(t)] = new
    order, _ = calls.ancestors(flat_outputs, stop=flat_inputs)

    def value(leaf):
        return values.get(id(leaf), leaf) if isinstance(leaf, Tensor) else leaf

    for each in order:
        if isinstance(each.layer, InputLayer):
            continue
        kwargs = {key: nest.map_structure(value, v) for key, v in each.kwargs.items()}
        results = each.layer(*nest.map_structure(value, each.args), **kwargs)
        for old, new in zip(each.outputs, nest.flatten(results), strict=True):
            values.setdefault(id(old), new)
    return nest.map_structure(value, inputs), nest.map_structure(value, outputs)


def _keys(structure):
    """The keys of a dict of tensors in the order of `nest.flatten`, None for anything else."""
    flat = isinstance(structure, dict) and all(isinstance(t, Tensor) for t in structure.values())
    return sorted(structure) if flat else None


def _only(shapes):
    return shapes[0] if len(shapes) == 1 else shapes
