"""`dlnative.tree` beside real Keras's, over all pairs of structures."""

from collections import OrderedDict, defaultdict, deque, namedtuple

import pytest

from dlnative import tree

Point = namedtuple("Point", "x y")
STRUCTURES = [
    1,
    None,
    "a",
    [],
    (),
    {},
    [1, [2, (3,)]],
    {"b": 1, "a": [2, None]},
    OrderedDict(b=1, a=2),
    defaultdict(int, {"b": 1, "a": 2}),
    {"a": 1, "b": 2},
    deque([1, 2], maxlen=3),
    Point(1, [2]),
    {1: 2, "a": 3, (1, 2): 4, 2.0: 5},
    [(1, None), {"a": (2, 3)}],
]


@pytest.fixture(scope="module")
def judge():
    return pytest.importorskip("keras").tree


def answer(function, *args, **kwargs):
    """(type, text) of a result, or the class of the error."""
    try:
        result = function(*args, **kwargs)
    except (TypeError, ValueError) as error:
        return type(error)
    return type(result), repr(result)


def agree(judge, name, *args, **kwargs):
    ours = answer(getattr(tree, name), *args, **kwargs)
    assert ours == answer(getattr(judge, name), *args, **kwargs), (name, args, kwargs)


@pytest.mark.parametrize("structure", STRUCTURES, ids=repr)
def test_one_structure(judge, structure):
    for name in ("is_nested", "flatten", "flatten_with_path", "lists_to_tuples"):
        agree(judge, name, structure)
    agree(judge, "map_shape_structure", repr, structure)
    for count in range(6):
        agree(judge, "pack_sequence_as", structure, list(range(count)))


@pytest.mark.parametrize("structure", STRUCTURES, ids=repr)
@pytest.mark.parametrize("top_down", [True, False])
def test_traverse_visits_in_the_same_order(judge, structure, top_down):
    def visits(package):
        seen = []

        def visit(part):
            seen.append(repr(part))
            return package.MAP_TO_NONE if part == 1 else ("two" if part == (3,) else None)

        return answer(package.traverse, visit, structure, top_down), seen

    assert visits(tree) == visits(judge)


@pytest.mark.parametrize("a", STRUCTURES, ids=repr)
def test_two_structures(judge, a):
    for b in STRUCTURES:
        agree(judge, "assert_same_structure", a, b)
        agree(judge, "assert_same_paths", a, b)
        for none_is_leaf in (True, False):
            agree(judge, "map_structure", lambda *each: each, a, b, none_is_leaf=none_is_leaf)
        if None not in tree.flatten(a):
            agree(judge, "map_structure_up_to", a, repr, b)


def test_none_is_a_leaf_of_the_shallow_structure():
    assert tree.map_structure_up_to([None, None], len, [[1, 1], [2]]) == [2, 1]


def test_what_is_no_function_or_sequence():
    for call in (tree.map_structure, tree.traverse, tree.map_shape_structure):
        with pytest.raises(TypeError, match="expected a function, received 5"):
            call(5, [1])
    with pytest.raises(ValueError, match="at least one structure"):
        tree.map_structure(len)
    with pytest.raises(TypeError):
        tree.pack_sequence_as([1], 5)
    with pytest.warns(DeprecationWarning, match="check_types"):
        tree.assert_same_structure([1], [2], check_types=True)
