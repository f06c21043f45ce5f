"""Which parameters of an optimizer take part in weight decay."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..changes import note
from ..graph.tensor import is_variable

if TYPE_CHECKING:
    from ..variables import Variable


class WeightDecay:
    """The part of an optimizer that knows which parameters its `weight_decay` leaves out."""

    weight_decay: Any
    _no_decay: Any = ((), None)  # Variables, and a pattern of names

    def exclude_from_weight_decay(
        self, var_list: Iterable[Variable] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Leaves parameters out of weight decay.

        Args:
            var_list: Variables to leave out.
            var_names: Regular expressions; a Variable is left out where one is found in its name.
        """
        if isinstance(var_names, str):
            raise TypeError(
                "exclude_from_weight_decay: expected var_names to be a list of texts, received "
                f"{var_names!r}"
            )
        for variable in var_list or ():
            if not is_variable(variable):
                raise TypeError(
                    "exclude_from_weight_decay: expected var_list to be a list of Variables, "
                    f"received {type(variable).__name__}"
                )
        pattern = re.compile("|".join(var_names)) if var_names else None
        self._no_decay = (tuple(var_list or ()), pattern)
        note(self)

    def decays(self, variable: Variable) -> bool:
        """Whether a parameter takes part in weight decay; see `exclude_from_weight_decay`."""
        excluded, pattern = self._no_decay
        if any(v is variable for v in excluded):
            return False
        return pattern is None or not pattern.search(variable.name)

    def decay_of(self, variable: Variable) -> Any:
        """The weight decay of a parameter: a number or tensor, None where there is none."""
        return self.weight_decay if self.decays(variable) else None
