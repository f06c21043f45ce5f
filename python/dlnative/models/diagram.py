"""Pictures of models: boxes for layers, arrows for the tensors between them, drawn by Graphviz."""

from __future__ import annotations

import html
import os
from collections.abc import Iterator
from typing import Any

from ..activations import serialize
from ..layers import calls
from ..utils import nest

_LABEL = '<<table border="0" cellborder="1" bgcolor="black" cellpadding="10">{}</table>>'
_TITLE = (
    '<tr><td colspan="{}" bgcolor="black"><font point-size="16" color="white">{}</font></td></tr>'
)
_CELL = '<td bgcolor="{}"{}><font point-size="14"{}>{}</font></td>'


def model_to_dot(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    subgraph: bool = False,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
) -> Any:
    """A model as a graph of pydot.

    Args:
        model: A built model. One with a `call` of its own is a single box.
        show_shapes: Whether boxes have the shapes of inputs and outputs.
        show_dtype: Whether they have the dtypes of outputs.
        show_layer_names: Whether they have names beside classes.
        rankdir: "TB" from top to bottom, "LR" from left to right.
        expand_nested: Whether nested models are drawn as frames around their layers.
        dpi: Resolution of pictures, in dots per inch.
        subgraph: Whether to return a `pydot.Cluster`, for a frame in another graph.
        show_layer_activations: Whether boxes have the activation of the layer.
        show_trainable: Whether they say which layers with weights are trained.
        splines: How arrows run: "ortho", "curved", "polyline", "spline" or "line".

    Returns:
        A `pydot.Dot`, or a `pydot.Cluster`.

    Raises:
        ImportError: pydot, the extra `dlnative[diagrams]`, is not installed.
        ValueError: The model is not built.
    """
    if not model.built:
        raise ValueError(
            f"model_to_dot: model '{model.name}' is not built. Call build(), or call it on data."
        )
    pydot = _pydot()
    if subgraph:
        dot = pydot.Cluster(style="dashed", graph_name=model.name)
        dot.set("label", f'"{model.name}"')
        dot.set("labeljust", "l")
    else:
        dot = pydot.Dot()
        for option, value in (("rankdir", rankdir), ("concentrate", True), ("dpi", dpi)):
            dot.set(option, value)
        dot.set("splines", splines)
        dot.set_node_defaults(shape="record")
    shown: dict[str, Any] = {
        "show_shapes": show_shapes,
        "show_dtype": show_dtype,
        "show_layer_names": show_layer_names,
        "show_layer_activations": show_layer_activations,
        "show_trainable": show_trainable,
    }
    for layer in _boxes(model):
        if expand_nested and _is_open(layer):
            dot.add_subgraph(model_to_dot(layer, expand_nested=True, subgraph=True, **shown))
            continue
        node = pydot.Node(_id(layer), label=_label(layer, **shown), fontname="Helvetica")
        node.set("border", "0")
        node.set("margin", "0")
        dot.add_node(node)
    for source, destination in dict.fromkeys(_arrows(model, expand_nested)):
        dot.add_edge(pydot.Edge(source, destination, penwidth="2"))
    return dot


def plot_model(
    model: Any,
    to_file: str | os.PathLike[str] = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
) -> Any:
    """Draws a model to a file.

    Args:
        model: A built model.
        to_file: The file; its suffix says of what kind: png (also without a suffix), svg, pdf, dot,
            or another that Graphviz writes.
        show_shapes, show_dtype, show_layer_names, rankdir, expand_nested, dpi,
        show_layer_activations, show_trainable, splines: See `model_to_dot`.

    Returns:
        The picture as IPython shows it, where that is at work and the file is none of pdf and dot.

    Raises:
        ImportError: pydot, the extra `dlnative[diagrams]`, or Graphviz is not installed.
        ValueError: The model is not built, or Graphviz does not write files of this kind.
        OSError: The file cannot be written.
    """
    path = os.fspath(to_file)
    kind = os.path.splitext(path)[1][1:].lower() or "png"
    if not os.path.splitext(path)[1]:
        path = f"{path}.png"
    dot = model_to_dot(
        model,
        show_shapes=show_shapes,
        show_dtype=show_dtype,
        show_layer_names=show_layer_names,
        rankdir=rankdir,
        expand_nested=expand_nested,
        dpi=dpi,
        show_layer_activations=show_layer_activations,
        show_trainable=show_trainable,
        splines=splines,
    )
    content = dot.to_string().encode() if kind == "dot" else _drawn(dot, kind)
    with open(path, "wb") as file:
        file.write(content)
    return None if kind in ("pdf", "dot") else _shown(path, kind)


def _drawn(dot: Any, kind: str) -> bytes:
    if kind not in dot.formats:
        raise ValueError(
            f"plot_model: expected a file of {', '.join(dot.formats)}, received {kind!r}"
        )
    try:
        return dot.create(format=kind)
    except FileNotFoundError as error:
        raise ImportError(
            "plot_model: drawing needs Graphviz, whose command `dot` was not found; the suffix "
            ".dot writes the graph without it"
        ) from error


def _shown(path: str, kind: str) -> Any:
    import sys

    if "IPython" not in sys.modules:
        return None
    from IPython import display

    return display.SVG(filename=path) if kind == "svg" else display.Image(filename=path)


def _pydot() -> Any:
    try:
        import pydot
    except ImportError as error:
        raise ImportError(
            "model_to_dot: graphs need pydot: pip install 'dlnative[diagrams]'"
        ) from error
    return pydot


def _id(layer: Any) -> str:
    return f"n{id(layer)}"


def _is_open(layer: Any) -> bool:
    """Whether it is a model whose layers can be drawn."""
    return layer.is_model and layer.is_composed and layer._graph is not None


def _boxes(model: Any) -> list[Any]:
    """The layers that are drawn; a model with a `call` of its own is one box."""
    if not model.is_composed:
        return [model]
    return list(model.operations) if model.is_functional else list(model.layers)


def _arrows(model: Any, expand_nested: bool) -> Iterator[tuple[str, str]]:
    """(source, destination) of the tensors between boxes."""
    if not model.is_composed:
        return
    drawn = {id(layer) for layer in _boxes(model)}
    for each in model._graph.calls:
        for place, tensor in enumerate(each.inputs):
            source: Any = calls.call_of(tensor).layer
            destination: Any = each.layer
            if id(source) not in drawn:
                continue  # the Input of a stack
            while expand_nested and _is_open(source):
                index = tensor.history[1]
                tensor = source._graph.outputs[index]
                source = calls.call_of(tensor).layer
            while expand_nested and _is_open(destination):
                if destination.is_functional:
                    destination = calls.call_of(destination._graph.inputs[place]).layer
                else:
                    destination = destination.layers[0]
            yield _id(source), _id(destination)


def _label(
    layer: Any,
    show_shapes: bool,
    show_dtype: bool,
    show_layer_names: bool,
    show_layer_activations: bool,
    show_trainable: bool,
) -> str:
    """The label of a box: a table in Graphviz's HTML."""
    kind = html.escape(layer.kind)
    title = f"<b>{kind}</b>"
    if show_layer_names:
        title = f"<b>{html.escape(layer.name)}</b> ({kind})"
    cells = []
    last = layer._calls[-1] if layer._calls else None
    inputs, outputs = _ends(layer, last)
    if show_shapes:
        if last is None or last.inputs or layer.is_model:
            cells.append(_fact("Input shape", _joined([t.shape for t in inputs])))
        cells.append(_fact("Output shape", _joined([t.shape for t in outputs])))
    if show_dtype:
        cells.append(_fact("Output dtype", _joined([t.dtype for t in outputs])))
    if show_trainable and layer.weights:
        color, text = ("firebrick", "Non-trainable")
        if layer.trainable:
            color, text = ("forestgreen", "Trainable")
        cells.append(_CELL.format(color, "", ' color="white"', f"<b>{text}</b>"))
    width = max(1, len(cells))
    rows = [_TITLE.format(width, title)]
    activation = getattr(layer, "activation", None)
    if show_layer_activations and activation is not None:
        fact = _fact("Activation", _name(activation), f' colspan="{width}"')
        rows.append(f"<tr>{fact}</tr>")
    if cells:
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return _LABEL.format("".join(rows))


def _ends(layer: Any, call: Any) -> tuple[list[Any], list[Any]]:
    """The tensors that go into a layer and come out, where they are known."""
    if call is not None:
        return call.inputs, nest.flatten(call.structure)
    graph = getattr(layer, "_graph", None)
    return ([], []) if graph is None else (graph.inputs, graph.outputs)


def _name(activation: Any) -> str:
    try:
        return str(serialize(activation))
    except (TypeError, ValueError):
        return getattr(activation, "__name__", type(activation).__name__)


def _fact(what: str, value: str, options: str = "") -> str:
    return _CELL.format("white", options, "", f"{what}: <b>{html.escape(value)}</b>")


def _joined(values: list[Any]) -> str:
    return ", ".join(map(str, values)) or "?"
