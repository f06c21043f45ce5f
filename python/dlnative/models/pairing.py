"""Losses and metrics of probabilities that are given logits, and the other way round."""

from __future__ import annotations

from typing import Any

from .. import activations, metrics
from ..layers import calls, tracking
from ..layers.activation_layers import Softmax
from ..utils import signatures
from ..utils.warn import warn_user

_PROBABILITIES = (activations.sigmoid, activations.softmax, activations.hard_sigmoid)


def warn_of_pairings(model: Any, objectives: Any) -> None:
    """Warns where the last layer of an output and its loss or accuracy do not belong together.

    Nothing is said where it is not known what a layer gives, such as of the outputs of a subclassed
    model or of a user's layer.

    Args:
        model: A built model.
        objectives: Its resolved Objectives.
    """
    ends = _ends(model)
    for target in objectives.targets:
        kind = _kind(ends.get(target.index))
        takes_logits = _takes_logits(target.loss)
        if kind is None or takes_logits is None or takes_logits == (kind == "logits"):
            continue
        name, layer = target.loss.name, ends[target.index].name
        if kind == "logits":
            warn_user(
                f"loss '{name}' takes probabilities, and '{layer}', which has no activation, gives "
                "logits: give the loss from_logits=True, or the layer a sigmoid or softmax"
            )
        else:
            warn_user(
                f"loss '{name}' has from_logits=True, and '{layer}' gives probabilities: leave out "
                "from_logits, or the activation"
            )
    for index, metric, _, name in objectives.reported:
        is_binary = type(metric) is metrics.BinaryAccuracy and metric.threshold == 0.5
        if is_binary and _kind(ends.get(index)) == "logits" and _is_of_logits(objectives, index):
            warn_user(
                f"metric '{name}' counts predictions above 0.5 as 1, and '{ends[index].name}' "
                "gives logits, of which 0 is the middle: use BinaryAccuracy(threshold=0)"
            )


def _is_of_logits(objectives: Any, index: int) -> bool:
    return any(t.index == index and _takes_logits(t.loss) for t in objectives.targets)


def _ends(model: Any) -> dict[int, Any]:
    """The last layer before each output of a functional model."""
    if model._graph is None:
        return {}
    ends: dict[int, Any] = {}
    for index, tensor in enumerate(model._graph.outputs):
        layer: Any = calls.call_of(tensor).layer
        while getattr(layer, "is_model", False):
            if layer._graph is None or len(layer._graph.outputs) != 1:
                layer = None
                break
            layer = calls.call_of(layer._graph.outputs[0]).layer
        ends[index] = layer
    return ends


def _kind(layer: Any) -> str | None:
    """What a layer gives: "logits", "probabilities", or None where it may be anything."""
    if isinstance(layer, Softmax):
        return "probabilities"
    if layer is None or (not tracking.own_variables(layer) and not hasattr(layer, "activation")):
        return None
    activation = getattr(layer, "activation", None)
    if any(activation is known for known in _PROBABILITIES):
        return "probabilities"
    is_product = any(v.name == "kernel" for v in tracking.own_variables(layer))
    package = __name__.partition(".")[0]
    is_ours = type(layer).__module__.partition(".")[0] == package
    return "logits" if is_ours and is_product and activation is activations.linear else None


def _takes_logits(loss: Any) -> bool | None:
    """Whether a loss is told that it is given logits; None where it takes no such option."""
    function = getattr(loss, "fn", None)
    if function is None or "from_logits" not in signatures.parameters(function):
        return None
    return bool(loss._fn_kwargs.get("from_logits", False))
