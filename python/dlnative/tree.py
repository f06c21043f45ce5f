"""Nested structures: lists, tuples, dicts and deques, and what is done to their leaves.

Everything else is a leaf, None included. A dict is visited in the order of its sorted keys, an
OrderedDict in its own order.

Differs from Keras: instances of subclasses of list, tuple and dict are nested too; what is mapped
has plain lists, tuples and dicts in their place. `map_structure_up_to` takes None in the shallow
structure as a leaf, as Keras's documentation says.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

__all__ = [
    "MAP_TO_NONE",
    "assert_same_paths",
    "assert_same_structure",
    "flatten",
    "flatten_with_path",
    "is_nested",
    "lists_to_tuples",
    "map_shape_structure",
    "map_structure",
    "map_structure_up_to",
    "pack_sequence_as",
    "traverse",
]

_SEQUENCES = (list, tuple, deque)


class MAP_TO_NONE:
    """What the function given to `traverse` returns to put None in the place of a part."""


def is_nested(structure: Any) -> bool:
    """Whether it is a list, tuple, dict or deque.

    Example:
        >>> is_nested(42), is_nested({"foo": 42})
        (False, True)
    """
    return isinstance(structure, (list, tuple, dict, deque))


def flatten(structure: Any) -> list[Any]:
    """The leaves in order.

    Example:
        >>> flatten([1, {"b": 2, "a": (3, None)}])
        [1, 3, None, 2]
    """
    leaves: list[Any] = []
    _flatten(structure, leaves)
    return leaves


def _flatten(structure: Any, leaves: list[Any]) -> None:
    if isinstance(structure, _SEQUENCES):
        for value in structure:
            _flatten(value, leaves)
    elif isinstance(structure, dict):
        for key in _keys(structure):
            _flatten(structure[key], leaves)
    else:
        leaves.append(structure)


def flatten_with_path(structure: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """(path, leaf) of each leaf in order; a path has the indices and keys that lead there.

    Example:
        >>> flatten_with_path([{"foo": 42}])
        [((0, 'foo'), 42)]
    """
    if not is_nested(structure):
        return [((), structure)]
    return [
        ((key, *path), leaf)
        for key, part in _items(structure)
        for path, leaf in flatten_with_path(part)
    ]


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    """The same structure with `func(leaf, ...)` in the place of each leaf.

    Args:
        func: Function of one leaf of each structure.
        *structures: Structures of the same nesting.
        none_is_leaf: Whether None is given to `func`; otherwise it stays, and must be in the same
            places of all structures.

    Raises:
        TypeError: `func` is not callable.
        ValueError: No structure is given, or they are nested in different ways.

    Example:
        >>> map_structure(str, {"a": [1, 2]})
        {'a': ['1', '2']}
        >>> map_structure(max, [1, 5], [3, 4])
        [3, 5]
    """
    _check_callable(func)
    if not structures:
        raise ValueError("map_structure: expected at least one structure, received none")
    if len(structures) == 1:
        return _map(func, structures[0], none_is_leaf)

    def mapped(first: Any, *rest: Any) -> Any:
        nones = [each is None for each in (first, *rest)]
        if not none_is_leaf and any(nones):
            if not all(nones):
                raise ValueError(
                    f"map_structure: expected None in all structures, received {(first, *rest)}"
                )
            return None
        if any(is_nested(each) for each in rest):
            raise ValueError(
                f"map_structure: expected a leaf in all structures, as {first!r}, received {rest}"
            )
        return func(first, *rest)

    return _map_up_to(mapped, "map_structure", *structures)


def _map(func: Callable[[Any], Any], structure: Any, none_is_leaf: bool) -> Any:
    if isinstance(structure, (list, tuple, dict, deque)):
        values = [_map(func, part, none_is_leaf) for _, part in _items(structure)]
        return _rebuilt(structure, values)
    return None if structure is None and not none_is_leaf else func(structure)


def map_structure_up_to(shallow_structure: Any, func: Callable[..., Any], *structures: Any) -> Any:
    """`map_structure` that takes what lies where `shallow_structure` has a leaf as a leaf.

    Args:
        shallow_structure: A structure; its leaves do not matter.
        func: Function of one part of each structure.
        *structures: Structures that are nested as it is, or deeper.

    Raises:
        TypeError: `func` is not callable.
        ValueError: No structure is given, or one is nested in another way.

    Example:
        >>> map_structure_up_to([None, None], len, [[1, 1], [2]])
        [2, 1]
    """
    _check_callable(func)
    if not structures:
        raise ValueError("map_structure_up_to: expected at least one structure, received none")
    return _map_up_to(
        lambda _, *parts: func(*parts), "map_structure_up_to", shallow_structure, *structures
    )


def _map_up_to(func: Callable[..., Any], what: str, first: Any, *rest: Any) -> Any:
    """`func(leaf of the first, parts of the others)` in the place of each leaf of the first."""
    if not is_nested(first):
        return func(first, *rest)
    for each in rest:
        _check_node(what, first, each)
    values = [
        _map_up_to(func, what, part, *(each[key] for each in rest)) for key, part in _items(first)
    ]
    return _rebuilt(first, values)


def assert_same_structure(a: Any, b: Any, check_types: bool | None = None) -> None:
    """Raises ValueError where two structures are not nested in the same way.

    Lists, tuples, named tuples of one class and deques differ; dicts of all kinds are alike if they
    have the same keys. What the leaves are does not matter.

    Args:
        a, b: The structures.
        check_types: Without effect, as in Keras, which warns of it.

    Example:
        >>> assert_same_structure([(0, 1)], [(2, 3)])
    """
    if check_types is not None:
        import warnings

        warnings.warn(
            "assert_same_structure: check_types has no effect; assert_same_paths compares less",
            DeprecationWarning,
            stacklevel=2,
        )

    def check(first: Any, second: Any) -> None:
        if is_nested(second):
            raise ValueError(
                f"assert_same_structure: expected a leaf, as {first!r}, received {second!r}"
            )

    _map_up_to(check, "assert_same_structure", a, b)


def assert_same_paths(a: Any, b: Any) -> None:
    """Raises ValueError where the paths of the leaves of two structures differ.

    Example:
        >>> assert_same_paths([0, 1], (2, 3))
    """
    first, second = ({path for path, _ in flatten_with_path(each)} for each in (a, b))
    if first != second:
        raise ValueError(
            f"assert_same_paths: only the first has {sorted(first - second, key=repr)}, only the "
            f"second has {sorted(second - first, key=repr)}"
        )


def pack_sequence_as(structure: Any, flat_sequence: Iterable[Any]) -> Any:
    """The same structure with the items of `flat_sequence`, in the order of `flatten`, as leaves.

    Raises:
        TypeError: `flat_sequence` is not iterable.
        ValueError: It has more or fewer items than there are leaves.

    Example:
        >>> pack_sequence_as({"b": 0, "a": (0, 0)}, [1, 2, 3])
        {'b': 3, 'a': (1, 2)}
    """
    leaves = list(flat_sequence)
    expected = len(flatten(structure))
    if len(leaves) != expected:
        raise ValueError(f"pack_sequence_as: expected {expected} leaves, received {len(leaves)}")
    remaining = iter(leaves)
    return _map(lambda _: next(remaining), structure, True)


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """Calls `func` with the structure and each of its parts, and puts in what it returns.

    Args:
        func: Function of a part that returns None where the part stays (and, from the top, where
            its own parts are to be visited), MAP_TO_NONE to put None in its place, or anything else
            that takes its place.
        structure: The structure.
        top_down: Whether parts come after what they are in.

    Raises:
        TypeError: `func` is not callable.

    Example:
        >>> traverse(lambda part: len(part) if isinstance(part, list) else None, ([1, 2], 3))
        (2, 3)
    """
    _check_callable(func)

    def visit_parts(part: Any) -> Any:
        if not is_nested(part):
            return part
        return _rebuilt(part, [traverse(func, each, top_down) for _, each in _items(part)])

    visited = structure if top_down else visit_parts(structure)
    result = func(visited)
    if result is None:
        return visit_parts(structure) if top_down else visited
    return None if result is MAP_TO_NONE else result


def lists_to_tuples(structure: Any) -> Any:
    """The same structure with a tuple in the place of each list.

    Example:
        >>> lists_to_tuples([1, {"a": [2]}])
        (1, {'a': (2,)})
    """
    return traverse(
        lambda part: tuple(part) if isinstance(part, list) else None, structure, top_down=False
    )


def map_shape_structure(func: Callable[[Any], Any], structure: Any) -> Any:
    """The same structure with `func(shape)` in the place of each shape.

    Args:
        func: Function of a shape.
        structure: Nested shapes: lists or tuples of integers and None.

    Example:
        >>> map_shape_structure(len, {"a": (2, None), "b": [(3,)]})
        {'a': 2, 'b': [1]}
    """
    _check_callable(func)
    if not is_nested(structure) or _is_shape(structure):
        return func(structure)
    return _rebuilt(structure, [map_shape_structure(func, each) for _, each in _items(structure)])


def _is_shape(structure: Any) -> bool:
    return isinstance(structure, (list, tuple)) and all(
        each is None or isinstance(each, int) for each in structure
    )


def _keys(structure: dict) -> Iterable[Any]:
    if isinstance(structure, OrderedDict):
        return structure
    try:
        return sorted(structure)
    except TypeError:  # keys of different types have no order; that of Keras's library is this one
        return sorted(
            structure, key=lambda key: (f"{type(key).__module__}.{type(key).__qualname__}", key)
        )


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _items(structure: Any) -> Iterator[tuple[Any, Any]]:
    """(index or key, part) of what is nested, in the order in which it is visited."""
    if isinstance(structure, dict):
        return ((key, structure[key]) for key in _keys(structure))
    return iter(enumerate(structure))


def _rebuilt(structure: Any, parts: list[Any]) -> Any:
    """The same list, tuple, dict or deque of other parts, given in the order of `_items`."""
    if isinstance(structure, list):
        return parts
    if isinstance(structure, tuple):
        return type(structure)(*parts) if hasattr(structure, "_fields") else tuple(parts)
    if isinstance(structure, deque):
        return deque(parts, maxlen=structure.maxlen)
    found = dict(zip(_keys(structure), parts, strict=True))
    ordered = {key: found[key] for key in structure}
    if isinstance(structure, defaultdict):
        return defaultdict(structure.default_factory, ordered)
    return OrderedDict(ordered) if isinstance(structure, OrderedDict) else ordered


def _kind(structure: Any) -> type:
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return type(structure)
    return next(each for each in (list, tuple, dict, deque) if isinstance(structure, each))


def _check_node(what: str, first: Any, other: Any) -> None:
    """Raises ValueError where another structure is not nested as the first at this place."""
    kind = _kind(first)
    if not is_nested(other) or _kind(other) is not kind:
        raise ValueError(f"{what}: expected a {kind.__name__}, as {first!r}, received {other!r}")
    if len(first) != len(other) or (kind is dict and set(first) != set(other)):
        expected = f"the keys {list(first)}" if kind is dict else f"{len(first)} parts"
        raise ValueError(f"{what}: expected {expected}, received {other!r}")


def _check_callable(func: Any) -> None:
    if not callable(func):
        raise TypeError(f"expected a function, received {func!r}")
