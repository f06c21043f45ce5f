"""Error messages of layers: who, what was expected, what came, and the chain of layers before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..graph.types import Shape
    from .calls import LayerCall
    from .state import LayerState

LONGEST_CHAIN = 20


def format_shape(shape: Sequence[Any]) -> str:
    """A shape as the user thinks of it: an open first size is the batch.

    Example:
        >>> format_shape((None, 128))
        '(batch, 128)'
    """
    sizes = ["batch" if n is None and i == 0 else str(n) for i, n in enumerate(shape)]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def describe(layer: LayerState) -> str:
    """A layer as the user wrote it: Dense 'head'."""
    return f"{layer.kind} '{layer.name}'"


def source(tensor: Tensor) -> str:
    """The words " from 'flatten'" for a tensor that a layer made, else an empty string.

    What the layer at work has made of its input itself is that input.
    """
    while tensor.node is not None and tensor.node.op.permutes:
        if tensor.graph is None or tensor.node.scope != tensor.graph.scope:
            break
        tensor = tensor.node.inputs[0]
    if tensor.history is not None:
        return f" from '{tensor.history[0].layer.name}'"
    if tensor.node is not None and tensor.node.scope:
        return f" from '{tensor.node.scope.rsplit('/', 1)[-1]}'"
    return f" from '{tensor.name}'" if tensor.name and tensor.source is not None else ""


def format_inputs(tensors: Sequence[Tensor]) -> str:
    """The shapes of a layer's inputs and where they come from."""
    texts = [f"{format_shape(t.shape)}{source(t)}" for t in tensors]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def open_size(layer: LayerState, axis: int, shape: Shape, remedy: str = "") -> ValueError:
    """The ValueError that says that weights need the size of an axis, and what to do.

    Args:
        layer: The layer.
        axis: The axis whose size is open.
        shape: Shape of its input.
        remedy: What else can be done than to give `Input` that size: empty, or ", or ...".
    """
    return ValueError(
        f"{describe(layer)}: the size of axis {axis} of its input must be known, as its weights "
        f"have that size, received {format_shape(shape)}. Give Input that size{remedy}."
    )


def locate(error: Exception, layer: LayerState) -> None:
    """Puts the name of the layer in front of an error's message, once."""
    if getattr(error, "located", False) or len(error.args) != 1:
        return
    text = str(error.args[0])
    if not text.startswith(describe(layer)):
        text = f"{describe(layer)}: {text}"
    error.args = (text,)
    error.located = True  # type: ignore[attr-defined]


def add_chain(
    error: Exception, calls: Sequence[LayerCall], layer: LayerState, inputs: Sequence[Tensor] = ()
) -> None:
    """Appends the chain of layer calls up to the one that failed, which is marked.

    Args:
        error: The exception; it gets one chain at most.
        calls: Layer calls before it, in the order of computation.
        layer: The layer that does not fit.
        inputs: The symbolic tensors it was called on.
    """
    if getattr(error, "chained", False) or len(error.args) != 1 or not calls:
        return
    rows = [(describe(c.layer), " ".join(format_shape(t.shape) for t in c.outputs)) for c in calls]
    skipped = len(rows) - LONGEST_CHAIN
    rows = rows[-LONGEST_CHAIN:]
    received = ", ".join(format_shape(t.shape) for t in inputs)
    failing = (describe(layer), f"does not fit {received}".rstrip())
    width = max(len(name) for name, _ in (*rows, failing))
    lines = [f"    ... {skipped} layers before"] if skipped > 0 else []
    lines += [f"    {name:<{width}}  {shape}" for name, shape in rows]
    lines.append(f"  > {failing[0]:<{width}}  {failing[1]}")
    title = "The layers up to here, with their outputs:"
    error.args = ("\n".join([str(error.args[0]), title, *lines]),)
    error.chained = True  # type: ignore[attr-defined]
