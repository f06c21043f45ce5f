"""What the steps of one kind report: the metrics of a model, or what a step of its own returns."""

from __future__ import annotations

from typing import Any

from ..graph.tensor import Tensor, Tracing
from ..metrics.base import Result
from ..utils import overrides
from ..variables import Variable
from .objectives import logged

_OWN = ("metrics", "get_metrics_result", "reset_metrics")


class Returned:
    """What the steps of a kind return that are a model's own.

    Attributes:
        logs: {name: Variable, Result or number} of the last step; None before the first.
    """

    def __init__(self) -> None:
        self.logs: dict[str, Any] | None = None
        self._variables: dict[tuple, Variable] = {}

    def variable(self, name: str, tensor: Tensor) -> Variable:
        """The Variable into which all programs write the value of this name."""
        key = name, tensor.shape, tensor.dtype
        if key not in self._variables:
            with Tracing(None):
                place = {"name": "log", "path": f"log/{name}", "trainable": False}
                variable = Variable.empty(tensor.shape, tensor.dtype, **place)
                variable.allocate()
            self._variables[key] = variable
        return self._variables[key]


class Report:
    """Logs of one run over a data set.

    Args:
        model: The model.
        objectives: Its Objectives.
        returned: What steps of the model's own return; None where it has none.
    """

    def __init__(self, model: Any, objectives: Any, returned: Returned | None = None) -> None:
        self.objectives = objectives
        self._returned = returned
        self._model = model
        self._is_own = bool(overrides.overridden(type(model), _OWN))
        objectives.extra = model._attribute_metrics()
        # Whether the metrics of the Objectives say it all.
        self.is_plain = not (self._is_own or objectives.extra or returned is not None)
        if not self._is_own and returned is None:
            self.logs = objectives.logs  # type: ignore[method-assign]

    def reset(self) -> None:
        """Forgets all batches so far."""
        self.objectives.reset()
        if self._is_own:
            self._model.reset_metrics()

    def logs(self) -> dict[str, Any]:
        """{name: value} in alphabetical order."""
        returned = None if self._returned is None else self._returned.logs
        if returned is None:
            if not self._is_own:
                return self.objectives.logs()
            returned = self._model.get_metrics_result()
        return dict(sorted(_values(returned).items()))

    def in_order(self, logs: dict[str, Any]) -> Any:
        """Values of `logs` as `evaluate` returns them."""
        return self.objectives.in_order(logs)


def _values(returned: dict[str, Any]) -> dict[str, Any]:
    """{name: number or array}; dicts among the values give their own names."""
    logs: dict[str, Any] = {}
    for name, value in returned.items():
        value = _value_of(value)
        if isinstance(value, dict):
            logs.update(_values(value))
        else:
            logs[name] = value if isinstance(value, float) else logged(value)
    return logs


def _value_of(value: Any) -> Any:
    if isinstance(value, Result):
        with Tracing(None):
            return value.compute()
    if isinstance(value, Variable):
        return value.numpy()
    return value
