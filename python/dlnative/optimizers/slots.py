"""The state of an optimizer: Variables of its own, most of them slots of parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .. import initializers
from ..numbered_values import load_values, save_values
from ..placement import place
from ..utils.warn import warn_user
from ..variables import Variable

if TYPE_CHECKING:
    from ..graph.types import ArrayLike, DTypeLike
    from ..utils.serialization import Identifier

V = TypeVar("V", bound=Variable)


class Slots:
    """State that is made when parameters become known, in Keras's order and under its names.

    `build` may run again. What `add_variable` and `add_variable_from_reference` gave to the calls
    of the run before, they give to the same calls of the next one.
    """

    name: str
    built: bool

    def __init__(self) -> None:
        self._variables: list[Variable] = []
        self._trainable_variables: list[Variable] = []
        self._indices: dict[int, int] = {}  # id of a parameter -> its index
        self._slots: dict[str, dict[int, Variable]] = {}  # name -> {index of a parameter: slot}
        self._loose: dict[str, list[Variable]] = {}  # name -> slots that have no place yet
        self._given: dict[Any, list[Variable]] = {}  # what was asked for -> what it was
        self._asked: Counter | None = None  # how often each was asked for, in this run of `build`
        self._is_again = False
        self._order: list[Variable] = []  # what was asked for in this run of `build`

    @property
    def variables(self) -> list[Variable]:
        """All state, in the order in which it is made: iteration, learning rate, then the slots.

        Where slots have come later, it is the order in which one `build` makes all. The learning
        rate is not among it where it is a schedule or a function.
        """
        return list(self._variables)

    def _tracked(self, variable: V) -> V:
        variable.path = f"{self.name}/{variable.name}"
        self._variables.append(variable)
        self._note(variable)
        return variable

    def set_weights(self, weights: Iterable[ArrayLike]) -> None:
        """Overwrites all state; `weights` in the order of `variables`.

        Raises:
            ValueError: Number or shapes do not fit; nothing has been written.
        """
        variables = self.variables
        values = [np.asarray(w) for w in weights]
        if len(values) != len(variables):
            hint = "" if self.built else ". It is not built yet: call build(variables) first"
            raise ValueError(
                f"Optimizer '{self.name}': expected {len(variables)} arrays, as many as "
                f"`variables`, received {len(values)}{hint}"
            )
        for variable, value in zip(variables, values, strict=True):
            if value.shape != variable.shape or value.dtype.kind not in "fiub":
                raise ValueError(
                    f"Optimizer '{self.name}': expected values of shape {variable.shape} for "
                    f"'{variable.path}', received {value.dtype} {value.shape}"
                )
        for variable, value in zip(variables, values, strict=True):
            variable.write(value)

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Puts all state into a dict, in the order of `variables`: "0", "1", ..."""
        save_values(self._saved_variables(), store)

    def _saved_variables(self) -> Sequence[Variable | None]:
        """`variables`, with None where Keras has another that means nothing."""
        return self.variables

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Takes the state that `save_own_variables` has put into a dict.

        Where their number is another one it stays as it is, with a warning, as in Keras.

        Raises:
            ValueError: A shape or a kind of numbers is not that of the state.
        """
        variables = self._saved_variables()
        if len(store) != len(variables):
            warn_user(
                f"Optimizer '{self.name}' keeps its state: it has {len(variables)} variables, the "
                f"saved optimizer {len(store)}"
            )
            return
        load_values(variables, store)

    def add_variable(
        self,
        shape: Sequence[int],
        initializer: Identifier = "zeros",
        dtype: DTypeLike | None = None,
        aggregation: str | None = "none",
        layout: None = None,
        name: str | None = None,
    ) -> Variable:
        """A Variable of the optimizer's state.

        Args:
            shape: Its shape.
            initializer: See `initializers.get`.
            dtype: Its dtype; `config.floatx()` by default.
            aggregation, layout: Of no meaning on one machine; "none" and None.
            name: Its name.
        """
        if layout is not None or aggregation not in (
            None,
            "none",
            "mean",
            "sum",
            "only_first_replica",
        ):
            raise ValueError(
                f"add_variable: expected layout=None and an aggregation of one machine, received "
                f"layout={layout!r}, aggregation={aggregation!r}"
            )
        name, shape = name or "variable", tuple(shape)
        return self._once(
            (name, shape, dtype), lambda: self._new_variable(shape, initializer, dtype, name)
        )

    def _new_variable(
        self, shape: Sequence[int], initializer: Identifier, dtype: DTypeLike | None, name: str
    ) -> Variable:
        value = _initial(initializer, shape, dtype)
        variable = Variable(0, dtype=value.dtype.name, name=name, trainable=False)
        # Slots are as large as the model: a constant is only spread out when they are placed.
        variable._value, variable.shape = value, value.shape
        return self._tracked(variable)

    def add_variable_from_reference(
        self,
        reference_variable: Variable,
        name: str | None = None,
        initializer: Identifier = "zeros",
    ) -> Variable:
        """A slot: a Variable of the shape and dtype of a parameter.

        Args:
            reference_variable: The parameter.
            name: Name of the slot.
            initializer: See `initializers.get`.
        """
        kind = name or "var"
        index = self._indices.get(id(reference_variable))
        if index is None:
            return self._new_slot(reference_variable, kind, initializer)
        return self._once(
            (kind, index), lambda: self._new_slot(reference_variable, kind, initializer)
        )

    def _new_slot(self, reference: Variable, kind: str, initializer: Identifier) -> Variable:
        name = f"{reference.path.replace('/', '_')}_{kind}"
        slot = self._new_variable(reference.shape, initializer, reference.dtype, name)
        self._loose.setdefault(kind, []).append(slot)
        return slot

    def add_optimizer_variables(
        self,
        trainable_variables: Sequence[Variable],
        name: str | Sequence[str],
        initializer: Identifier | Sequence[Identifier] = "zeros",
    ) -> Any:
        """Slots of several parameters, those that exist already as they are.

        Args:
            trainable_variables: The parameters.
            name: Name of the slot, or a list of names.
            initializer: See `initializers.get`; one, or a list with one for each name.

        Returns:
            A list of Variables; for several names a tuple of lists.
        """
        names = [name] if isinstance(name, str) else list(name)
        kinds = (
            initializer if isinstance(initializer, (list, tuple)) else [initializer] * len(names)
        )
        if len(kinds) != len(names):
            raise ValueError(
                f"add_optimizer_variables: expected one initializer or {len(names)}, received "
                f"{len(kinds)}"
            )
        for variable in trainable_variables:
            for kind, initial in zip(names, kinds, strict=True):
                slots = self._slots.setdefault(kind, {})
                index = self._get_variable_index(variable)
                if index not in slots:
                    slots[index] = self._new_slot(variable, kind, initial)
                self._note(slots[index])
        lists = tuple(
            [self._slots[kind][self._get_variable_index(v)] for v in trainable_variables]
            for kind in names
        )
        return lists[0] if isinstance(name, str) else lists

    def add_slot(self, variable: Variable, kind: str, shape: Sequence[int], name: str) -> None:
        """State of a parameter that has another shape, unless it exists.

        Args:
            variable: The parameter.
            kind: What `slots_of` finds it by.
            shape: Its shape.
            name: Name of the Variable.
        """
        slots = self._slots.setdefault(kind, {})
        index = self._get_variable_index(variable)
        if index not in slots:
            slots[index] = self._new_variable(shape, "zeros", variable.dtype, name)
        self._note(slots[index])

    def slots_of(self, variable: Variable, *names: str) -> tuple[Variable, ...]:
        """The slots of a parameter that `add_optimizer_variables` has made, a tuple."""
        index = self._get_variable_index(variable)
        return tuple(self._slots[name][index] for name in names)

    def _get_variable_index(self, variable: Variable) -> int:
        return self._indices[id(variable)]

    def _arrange(self, variables: Sequence[Variable]) -> bool:
        """Gives the parameters the order of `variables`, if all of them are among these.

        They keep their slots. Those that are new have none yet.
        """
        ordered = list({id(v): v for v in variables}.values())
        indices = {id(v): i for i, v in enumerate(ordered)}
        moved = [indices.get(id(v), -1) for v in self._trainable_variables]
        if not moved or -1 in moved:
            return False
        self._trainable_variables, self._indices = ordered, indices
        self._slots = {
            kind: {moved[i]: slot for i, slot in slots.items()}
            for kind, slots in self._slots.items()
        }
        self._given = {
            (key[0], moved[key[1]]) if len(key) == 2 else key: given
            for key, given in self._given.items()
        }
        return True

    def _place_slots(self) -> None:
        """Lays the slots of a name side by side, as the parameters are."""
        for slots in self._loose.values():
            place(slots)
        self._loose.clear()

    # --- `build` once more ------------------------------------------------------------------------

    def _ask_again(self) -> None:
        self._asked, self._is_again = Counter(), True

    def _asked_again(self) -> None:
        """Puts the state into the order in which one run, as after loading, would have made it."""
        self._is_again = False
        asked = {id(v): v for v in self._order}
        self._order = []
        is_asked = [id(v) in asked for v in self._variables]
        first = is_asked.index(True) if any(is_asked) else len(is_asked)
        rest = [v for v in self._variables[first:] if id(v) not in asked]
        self._variables = [*self._variables[:first], *asked.values(), *rest]

    def _note(self, variable: Variable) -> None:
        if self._is_again:
            self._order.append(variable)

    def _begin_asking(self) -> None:
        """The first thing in a run of `build` that somebody else has called."""
        if not self._is_again:
            self._asked = Counter()

    def _once(self, key: Hashable, make: Callable[[], Variable]) -> Variable:
        """What the same call gave in the run of `build` before; `make()` in the first."""
        if self._asked is None:
            return make()
        given = self._given.setdefault(key, [])
        number = self._asked[key]
        self._asked[key] += 1
        if number == len(given):
            given.append(make())
        self._note(given[number])
        return given[number]


class ValuesOf:
    """An initializer: the present values of a Variable."""

    def __init__(self, variable: Variable) -> None:
        self.variable = variable

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> np.ndarray:
        return np.array(self.variable.array, dtype)


def _initial(initializer: Identifier, shape: Sequence[int], dtype: DTypeLike | None) -> np.ndarray:
    """The first values of a Variable: an array, of a constant only a view of one number."""
    draw: Any = initializers.get(initializer or "zeros")
    if isinstance(draw, (initializers.Zeros, initializers.Ones, initializers.Constant)):
        return np.broadcast_to(np.asarray(draw((), dtype=dtype)), shape)
    return np.asarray(draw(shape, dtype=dtype))
