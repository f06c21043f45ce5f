"""Pictures of models: the boxes and arrows are those of Keras."""

from __future__ import annotations

import re
import shutil
from typing import Any

import pytest

import dlnative
from dlnative import Input, Model, Sequential, layers, utils

pytest.importorskip("pydot")
needs_graphviz = pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz")


def several(package: Any) -> Any:
    """Two inputs, a nested functional model and stack, a layer used twice, an op, two outputs."""
    a = package.Input((8, 8, 1), name="image")
    b = package.Input((3,), name="table")
    i = package.Input((36,), name="in")
    inner = package.Model(
        i, package.layers.Dense(8, activation="relu", name="deep")(i), name="inner"
    )
    stack = package.Sequential(
        [
            package.Input((8,)),
            package.layers.Dense(4, activation="tanh", name="s1"),
            package.layers.Dense(3, name="s2"),
        ],
        name="stack",
    )
    flat = package.layers.Flatten(name="flat")(
        package.layers.Conv2D(1, 3, activation="relu", name="conv")(a)
    )
    h = stack(inner(flat))
    shared = package.layers.Dense(2, name="shared")
    inner.trainable = False
    both = package.layers.Add(name="both")([shared(h), shared(b)])
    return package.Model([a, b], [both, h * 2.0], name="several")


def parts(dot: Any) -> tuple[list[str], list[tuple[str, str]]]:
    """(labels of the boxes, pairs of titles that an arrow joins), frames included."""
    titles: dict[str, str] = {}
    labels, arrows = [], []

    def visit(graph: Any) -> None:
        for node in graph.get_nodes():
            label = node.get("label")
            if label is None:
                continue
            text = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "|", label))
            titles[node.get_name().strip('"')] = re.search(r"[|]+([^|]+)", text)[1]
            labels.append("|".join(filter(str.strip, text.split("|"))))
        for each in graph.get_subgraphs():
            visit(each)

    def join(graph: Any) -> None:
        for edge in graph.get_edges():
            ends = (str(edge.get_source()).strip('"'), str(edge.get_destination()).strip('"'))
            arrows.append((titles[ends[0]], titles[ends[1]]))
        for each in graph.get_subgraphs():
            join(each)

    visit(dot)
    join(dot)
    return sorted(labels), sorted(arrows)


OPTIONS = [
    {},
    {"expand_nested": True},
    {"show_shapes": True, "show_dtype": True},
    {"show_trainable": True, "show_layer_activations": True, "show_layer_names": False},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_boxes_and_arrows_are_those_of_keras(options: dict[str, Any]) -> None:
    keras = pytest.importorskip("keras")
    ours = parts(utils.model_to_dot(several(dlnative), **options))
    theirs = parts(keras.utils.model_to_dot(several(keras), **options))
    if options.get("show_layer_names", True):
        arrows = [[tuple(map(_same_op, each)) for each in made[1]] for made in (ours, theirs)]
        assert sorted(arrows[0]) == sorted(arrows[1])
    assert len(ours[0]) == len(theirs[0])
    for label in ours[0]:
        assert any(_same_op(label) == _same_op(other) for other in theirs[0]), (label, theirs[0])


def _same_op(text: str) -> str:
    """Keras calls a product of tensors Multiply, and puts several shapes in brackets.

    Names are counted in each process.
    """
    text = re.sub(r"multiply_\d+", "multiply", text.replace("Multiply", "multiply"))
    return re.sub(r"[][]", "", text)


def test_a_stack_and_a_model_of_its_own() -> None:
    stack = Sequential([Input((3,)), layers.Dense(2, name="a"), layers.Dense(1, name="b")])
    labels, arrows = parts(utils.model_to_dot(stack))
    assert len(labels) == 2
    assert arrows == [("a", "b")]

    class Own(Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    own = Own()
    with pytest.raises(ValueError, match="is not built"):
        utils.model_to_dot(own)
    own.build((None, 2))
    labels, arrows = parts(utils.model_to_dot(own))
    assert (len(labels), arrows) == (1, [])


@needs_graphviz
@pytest.mark.parametrize(
    ("suffix", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_files(tmp_path: Any, suffix: str, start: bytes) -> None:
    path = tmp_path / f"model.{suffix}"
    utils.plot_model(several(dlnative), path, expand_nested=True, show_shapes=True, dpi=50)
    assert path.read_bytes().startswith(start)


def test_names_are_no_markup() -> None:
    dot = utils.model_to_dot(Sequential([Input((3,)), layers.Dense(2, name="a <b>")]))
    assert "a &lt;b&gt;" in dot.to_string()


@needs_graphviz
def test_files_that_cannot_be(tmp_path: Any) -> None:
    model = Sequential([Input((3,)), layers.Dense(2)])
    with pytest.raises(ValueError, match="received 'xyz'"):
        utils.plot_model(model, tmp_path / "model.xyz")
    with pytest.raises(OSError, match="missing"):
        utils.plot_model(model, tmp_path / "missing" / "model.png")
    utils.plot_model(model, tmp_path / "model")
    assert (tmp_path / "model.png").exists()


def test_without_graphviz(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    model = Sequential([Input((3,)), layers.Dense(2)])
    with pytest.raises(ImportError, match="needs Graphviz"):
        utils.plot_model(model, tmp_path / "model.png")
    utils.plot_model(model, tmp_path / "model.dot")
    assert "digraph" in (tmp_path / "model.dot").read_text()
