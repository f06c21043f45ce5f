"""What passes, engines and checks know of an op stands in its row: none asks for it by name."""

import ast
from pathlib import Path

import pytest

import dlnative
from dlnative.graph import Graph, Op, Spec, Tensor, table
from dlnative.graph.table import same
from dlnative.plan import fuse

ROOT = Path(dlnative.__file__).parent
WORDS = {
    "activation",
    "activation_gradient",
    "add",
    "bias_gradient",
    "difference",
    "indices",
    "loss_sum",
    "moments",
    "normalization",
    "product",
    "relu",
    "relu_gradient",
    "rescale",
    "square",
}


def sources(*names):
    paths = [ROOT / name for name in names]
    files = [p for path in paths for p in ([path] if path.is_file() else path.rglob("*.py"))]
    assert files
    return files


def is_op_name(node):
    """`op.name` or `<anything>.op.name`."""
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "name"
        and (getattr(node.value, "id", None) == "op" or getattr(node.value, "attr", None) == "op")
    )


def questions_of_names(source):
    """Lines that compare the name of an op, look into it or look it up."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Compare, ast.BinOp)):
            parts = list(ast.walk(node))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            parts = [node.func.value]  # op.name.startswith(...)
        elif isinstance(node, ast.Subscript):
            parts = [node.value, node.slice]
        else:
            continue
        if any(is_op_name(part) for part in parts):
            yield node.lineno


def names_of_ops(source):
    """(line, text) of strings that name an op, but for those that an `apply` is called with.

    Keys, such as an attribute's name, are no names of ops.
    """
    tree = ast.parse(source)
    left_out = set()
    for node in ast.walk(tree):
        called = node.func if isinstance(node, ast.Call) else None
        if getattr(called, "id", None) == "apply" or getattr(called, "attr", None) == "get":
            left_out.add(id(node.args[0]))
        elif isinstance(node, ast.Dict):
            left_out.update(map(id, node.keys))
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and text in table.keys() - WORDS and id(node) not in left_out:
            yield node.lineno, text


@pytest.mark.parametrize("path", ["plan", "engines", "ops", "autodiff.py", "models", "losses"])
def test_nobody_asks_for_the_name_of_an_op(path):
    path = path if (ROOT / path).exists() else f"{path}.py"
    for file in sources(path):
        assert not list(questions_of_names(file.read_text())), file


@pytest.mark.parametrize("path", ["plan", "engines"])
def test_passes_and_engines_know_no_names(path):
    for file in sources(path):
        assert not list(names_of_ops(file.read_text())), file


@pytest.mark.parametrize(
    "line",
    [
        'if node.op.name == "relu": pass',
        'if op.name in ("sum", "mean"): pass',
        'found = "sparse" in node.op.name',
        'name = node.op.name.removesuffix("_backward")',
        'backward = node.op.name + "_backward"',
        "row = table[node.op.name]",
    ],
)
def test_such_questions_are_found(line):
    assert list(questions_of_names(line)) == [1]


def test_messages_and_calls_are_no_questions():
    assert not list(questions_of_names('raise ValueError(f"{op.name}: {node.op.name}")'))
    assert not list(questions_of_names("program.add(node.op.name, inputs)"))
    assert list(names_of_ops('schedule.each("bias_backward")')) == [(1, "bias_backward")]
    assert not list(names_of_ops('apply("bias_backward", dy)'))


def test_links_between_rows_are_mutual():
    for name, op in table.items():
        if op.backward is not None:
            assert op.backward is table[op.backward.name] and op.backward.forward is op
        if op.forward is not None:
            assert op.forward.backward is op
        forward = name.removesuffix("_backward")
        if forward != name and forward in table:
            assert op.forward is table[forward]
        if op.fused is not None:
            assert op.fused is table[op.fused.name]


def test_words_of_fusion_are_known():
    for op in table.values():
        assert op.fusion is None or op.fusion in WORDS
        assert op.epilogue <= WORDS
    said = {op.fusion for op in table.values()} - {None}
    done = frozenset().union(*(op.epilogue for op in table.values()))
    assert done - said == {"indices", "moments", "relu", "relu_gradient"}
    # `add` is taken in through `residual`, the others by `plan.multiply_add`.
    assert said - done == {"add", "difference", "product", "rescale", "square"}


def test_only_assignment_writes_state():
    assert [op.name for op in table.values() if op.writes] == ["assign"]


def test_indices_are_integers_in_the_shape_rule():
    """Where a row says that an input is an index, its shape rule refuses anything else."""
    rows = [op for op in table.values() if op.index_inputs]
    assert {op.name for op in rows} == {name for name in table if "sparse" in name}
    pred, floats, numbers = (
        Tensor((4, 3), "float32"),
        Tensor((4,), "float32"),
        Tensor((4,), "int32"),
    )
    for op in rows:
        ((index, (other, axis)),) = op.index_inputs.items()
        assert axis == -1
        inputs = [floats] * (max(index, other) + 1)
        inputs[other] = pred
        with pytest.raises(ValueError, match="expected int32 labels"):
            op.check_call(inputs, {})
        inputs[index] = numbers
        op.check_call(inputs, {})


class Product(Op):
    name = "test_product"
    epilogue = frozenset({"activation"})

    def infer(self, x, w, activation=None):
        return same(x)


class Cube(Op):
    name = "test_cube"
    fusion = "activation"

    def infer(self, x):
        return same(x)


def test_a_new_row_joins_fusion_by_its_traits():
    graph = Graph()
    x, w = graph.feed((4, 4), "float32"), graph.feed((4, 4), "float32")
    y = graph.apply(Cube(), (graph.apply(Product(), (x, w), {}),), {})
    (node,) = fuse(graph, [y]).nodes
    assert node.op.name == "test_product" and node.attributes == {"activation": "test_cube"}
    assert node.outputs == (y,)


class Shift(Cube):
    name = "test_shift"
    fusion = None

    def infer(self, x):
        return Spec(x.shape, x.dtype)


def test_a_row_without_the_trait_is_left_alone():
    graph = Graph()
    x, w = graph.feed((4, 4), "float32"), graph.feed((4, 4), "float32")
    y = graph.apply(Shift(), (graph.apply(Product(), (x, w), {}),), {})
    assert [n.op.name for n in fuse(graph, [y]).nodes] == ["test_product", "test_shift"]
