"""The part of a layer that has weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import constraints, initializers, regularizers
from ..changes import note_flag
from ..graph.open_shapes import unless_open
from ..naming import path_of_layer
from ..numbered_values import load_values, save_values
from ..placement import is_without_memory
from ..utils.numbers import finite_number
from ..variables import Variable
from . import messages, tracking
from .options import weight_options
from .state import LayerState

if TYPE_CHECKING:
    from ..graph.types import ArrayLike, DTypeLike, Size
    from ..utils.serialization import Identifier


class WeightOwner(LayerState):
    """Variables of a layer: its own, and those of the layers among its attributes."""

    @property
    def trainable(self) -> bool:
        """Whether training may change the weights; setting it reaches all sublayers."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        value = bool(value)
        waiting: list[Any] = [self]
        seen = {id(self)}
        while waiting:
            layer = waiting.pop()
            layer.__dict__["_trainable"] = value
            created = layer._created_trainable
            for member in tracking.members(layer):
                if isinstance(member, Variable):
                    if created.setdefault(member, member.trainable):
                        member.__dict__["_trainable"] = value
                elif id(member) not in seen:
                    seen.add(id(member))
                    waiting.append(member)
        note_flag()

    @property
    def learning_rate_factor(self) -> float:
        """By what optimizers multiply their learning rate for the weights, 1 by default.

        A finite number, 0 or greater; with 0 an optimizer leaves the weights as they are. Setting
        it reaches all sublayers, also those that the layer gets later; it may be set at any time,
        and counts from the next update on. It is no part of configurations.

        Example:
            >>> from dlnative import Sequential, layers
            >>> model = Sequential([layers.Dense(8), layers.Dense(1)])
            >>> model.layers[0].learning_rate_factor = 0.1
        """
        factor = self._learning_rate_factor
        return 1.0 if factor is None else factor

    @learning_rate_factor.setter
    def learning_rate_factor(self, value: float) -> None:
        owner = messages.describe(self)
        value = finite_number(owner, "learning_rate_factor", value)
        if value < 0:
            raise ValueError(
                f"{owner}: expected learning_rate_factor 0 or greater, received {value}"
            )
        for layer in tracking.all_layers(self):
            layer.__dict__["_learning_rate_factor"] = value
            for variable in tracking.own_variables(layer):
                vars(variable).pop("_factor_of_layer", None)
        tracking.collect_variables(self, {})

    def add_weight(
        self,
        shape: Sequence[int] | int | None = None,
        initializer: Identifier = None,
        dtype: DTypeLike | None = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Identifier = None,
        constraint: Identifier = None,
        aggregation: str | None = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """Creates a variable of the layer.

        Args:
            shape: Sizes, all known; a scalar by default.
            initializer: See `initializers.get`; "glorot_uniform" by default, "zeros" for integers.
            dtype: The layer's by default.
            trainable: Whether training may change it.
            autocast: Of no meaning, as there are no policies with two dtypes yet.
            aggregation: Of no meaning on one machine.
            overwrite_with_gradient: Must be False.
            regularizer: See `regularizers.get`; a penalty that training adds to the loss.
            constraint: See `constraints.get`; what training makes of it after each update.
            name: Name within the layer.

        Returns:
            The Variable.

        Raises:
            RuntimeError: The layer is built already.
            ValueError: A size that is not known, an initializer that returns another shape, or
                `overwrite_with_gradient`.
        """
        if overwrite_with_gradient:
            raise ValueError(
                f"{messages.describe(self)}: overwrite_with_gradient is not available; assign to "
                "the weight in call()"
            )
        self._check_initialized()
        given = (shape,) if isinstance(shape, int) else tuple(shape or ())
        sizes = tuple(map(unless_open, given))
        if None in sizes:
            raise ValueError(
                f"{messages.describe(self)}: cannot make the weight {name!r} of shape {sizes}: "
                "all its sizes must be known. Give Input these sizes."
            )
        kind = np.dtype(dtype or self._dtype).name
        default = "glorot_uniform" if "float" in kind else "zeros"
        draw: Any = initializers.get(initializer or default)
        name = name or self._free_name("variable")
        place: dict[str, Any] = {
            "name": name,
            "path": self._variable_path(name),
            "trainable": bool(trainable and self.trainable),
            "regularizer": regularizers.get(regularizer),
            "constraint": constraints.get(constraint),
        }
        if is_without_memory():
            variable = Variable.empty(sizes, kind, **place)
        else:
            value = np.asarray(draw(sizes, dtype=kind))
            if value.shape != sizes:
                raise ValueError(
                    f"{messages.describe(self)}: the initializer of {name!r} returned shape "
                    f"{value.shape}, expected {sizes}"
                )
            variable = Variable(value, dtype=kind, **place)
        variable.learning_rate_factor = self.learning_rate_factor
        tracking.track(self, variable, variable)
        self._created_trainable[variable] = trainable
        return variable

    add_variable = add_weight

    def _set_weight_options(self, **options: Identifier) -> None:
        """Sets "kernel_initializer" and the like."""
        for name, value in options.items():
            setattr(self, name, value)

    def _add_configured(
        self, weight: str, shape: Sequence[Size], name: str | None = None
    ) -> Variable:
        """Creates one of the weights that have options of their own."""
        made = self.add_weight(shape=shape, name=name or weight, **weight_options(self, weight))
        # Another dict: that of a build which fails is left behind.
        self.__dict__["_weight_of"] = {**self._weight_of, weight: made}
        return made

    def _free_name(self, name: str) -> str:
        taken = {v.name for v in tracking.own_variables(self)}
        count = sum(t == name or t.startswith(name + "_") for t in taken)
        return f"{name}_{count}" if count else name

    def _variable_path(self, name: str) -> str:
        path = path_of_layer(self)
        self.__dict__["_path"] = path
        return f"{path}/{name}"

    @property
    def variables(self) -> list[Variable]:
        """All variables: the layer's own, trainable before others, then its sublayers'."""
        found: dict = {}
        tracking.collect_variables(self, found)
        return list(found.values())

    def variables_by_path(self) -> dict[str, Variable]:
        """Dict of `variables` by their path below this layer, such as "hidden/kernel".

        It follows from the names of the layers alone. A variable's own `path` is the one it was
        made under, which is another where models share layers.
        """
        found: dict = {}
        _collect(self, "", found)
        return {path: variable for variable, path in found.values()}

    @property
    def weights(self) -> list[Variable]:
        """The same as `variables`."""
        return self.variables

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables that training may change; none of a layer that is not trainable."""
        return [v for v in self.variables if v.trainable] if self.trainable else []

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The variables that training leaves alone."""
        return [v for v in self.variables if not (v.trainable and self.trainable)]

    trainable_weights = trainable_variables
    non_trainable_weights = non_trainable_variables

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Puts the values of the layer's own variables, without those of layers in it, into a dict.

        A class that keeps more than its variables in a file of Keras's formats overrides it, and
        `load_own_variables`.

        Args:
            store: Takes arrays by name; the names are "0", "1", ...
        """
        save_values(tracking.own_variables(self), store)

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Takes the values that `save_own_variables` has put into a dict.

        Raises:
            ValueError: Their number, a shape or a kind of numbers is not that of the variables.
        """
        variables = tracking.own_variables(self)
        if len(store) != len(variables):
            hint = "" if self.built else ". It is not built: call it on data first"
            raise ValueError(
                f"{messages.describe(self)}: expected {len(variables)} variables, "
                f"{[v.name for v in variables]}, received {len(store)}{hint}"
            )
        load_values(variables, store)

    def _merged_variables(self) -> list[Variable]:
        """Those of whose values `save_own_variables` makes others, and that keep theirs beside."""
        return []

    def get_weights(self) -> list[np.ndarray]:
        """Copies of the values of `weights`, in their order."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Overwrites the values of `weights`, in their order.

        Raises:
            ValueError: Their number or a shape does not fit; nothing has been written.
        """
        variables, values = self.weights, [np.asarray(w) for w in weights]
        if len(values) != len(variables):
            hint = "" if self.built else ". It is not built yet: call it on data first"
            raise ValueError(
                f"{messages.describe(self)}: expected {len(variables)} arrays of weights, "
                f"received {len(values)}{hint}"
            )
        for variable, value in zip(variables, values, strict=True):
            if value.shape != variable.shape or value.dtype.kind not in "fiub":
                raise ValueError(
                    f"{messages.describe(self)}: expected values of shape {variable.shape} for "
                    f"'{variable.path}', received {value.dtype} {value.shape}"
                )
        for variable, value in zip(variables, values, strict=True):
            variable.write(value)

    def count_params(self) -> int:
        """Number of scalars in all weights.

        Raises:
            ValueError: The layer is not built.
        """
        if not self.built:
            raise ValueError(
                f"{messages.describe(self)} has no weights to count: it is not built yet. "
                "Call build(input_shape), or call it on data."
            )
        return sum(math.prod(v.shape) for v in self.weights)


def _collect(layer: Any, prefix: str, found: dict[int, tuple[Variable, str]]) -> None:
    """Adds (variable, path) by id for everything below a layer; paths are made unique."""
    taken = {path for _, path in found.values()}
    for variable in tracking.own_variables(layer):
        if id(variable) not in found:
            found[id(variable)] = (variable, _numbered(prefix + variable.name, taken))
    names: set[str] = set()
    for each in tracking.sublayers(layer):
        _collect(each, prefix + _numbered(each.name, names) + "/", found)


def _numbered(name: str, taken: set[str]) -> str:
    """`name`, with a number if it is taken; notes what it returns."""
    count, free = 0, name
    while free in taken:
        count += 1
        free = f"{name}_{count}"
    taken.add(free)
    return free
