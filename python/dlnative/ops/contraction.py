"""keras.ops.einsum: sums of products over axes with labels, as matrix products of pairs."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any, TypeAlias

from ..graph.dtypes import result_type
from ..graph.open_shapes import total
from ..graph.tensor import Tensor, apply
from ..graph.types import Shape, Size, TensorLike
from .public import as_tensor, op

Term: TypeAlias = tuple[Tensor, list[Any]]  # an operand, and the labels of its axes


@op
def einsum(subscripts: str, *operands: TensorLike, **kwargs: Any) -> Tensor:
    """y = the sums of products that the labels of axes say, in Einstein's notation.

    Args:
        subscripts: A letter for each axis of each operand, the operands apart by commas, then "->"
            and the letters of y: "bij,bjk->bik" is a product of matrices. What y does not have is
            summed over. Without "->" y has the letters that occur once, in alphabetical order.
            "..." stands for further axes, which broadcast; a letter that occurs twice in one
            operand, for its diagonal.
        *operands: Tensors or arrays.
        **kwargs: Must be empty.

    Raises:
        ValueError: The letters do not fit the axes, or an axis has two sizes.
        TypeError: The subscripts are not a string, or there are options.

    Differs from Keras: no options, such as the order of the products: of three operands and more,
    the pair whose product saves the most elements goes first.

    Reference: Smith and Gray, opt_einsum, Journal of Open Source Software 3(26), 2018 (the order).
    """
    if not isinstance(subscripts, str):
        raise TypeError(f"einsum: expected a string of subscripts, received {subscripts!r}")
    if kwargs:
        raise TypeError(f"einsum: unexpected argument {next(iter(kwargs))!r}; there are no options")
    tensors = [as_tensor(x) for x in operands]
    inputs, output = _parsed(subscripts, [x.shape for x in tensors])
    sizes = _sizes(subscripts, tensors, inputs)
    dtype = result_type(*(x.dtype for x in tensors))
    terms = [_diagonal(apply("cast", x, dtype=dtype), i) for x, i in zip(tensors, inputs)]
    while len(terms) > 1:
        first, second = _next_pair(terms, output, sizes)
        pair = terms[first], terms[second]
        terms = [t for i, t in enumerate(terms) if i not in (first, second)]
        terms.append(_product(*pair, _wanted(terms, output)))
    (x, labels), *_ = terms
    x, labels = _summed(x, labels, set(output))
    order = tuple(labels.index(label) for label in output)
    return x if order == tuple(range(x.ndim)) else apply("transpose", x, axes=order)


def _parsed(subscripts: str, shapes: list[Shape]) -> tuple[list[list[Any]], list[Any]]:
    """The labels of each operand and of the result: letters, and numbers for the axes of "..."."""
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(shapes):
        raise ValueError(
            f"einsum: expected {len(terms)} operands for {subscripts!r}, received {len(shapes)}"
        )
    for term in (*terms, right):
        letters = term.replace("...", "", 1)
        if letters and not (letters.isascii() and letters.isalpha()):
            raise ValueError(f"einsum: expected letters in {subscripts!r}, received {term!r}")
    widths = []
    for term, shape in zip(terms, shapes):
        width = len(shape) - len(term.replace("...", ""))
        if width < 0 or (width > 0 and "..." not in term):
            raise ValueError(
                f"einsum: {term!r} of {subscripts!r} does not fit an operand of shape {shape}"
            )
        widths.append(width)
    inputs = [_expanded(term, width) for term, width in zip(terms, widths)]
    width = max(widths)
    if not arrow:
        counts = Counter(left.replace("...", "").replace(",", ""))
        right = "..." + "".join(sorted(label for label, n in counts.items() if n == 1))
    output = _expanded(right, width)
    unknown = set(output).difference(*inputs)
    if unknown or len(set(output)) != len(output):
        raise ValueError(
            f"einsum: expected the result of {subscripts!r} to have letters of the operands, each "
            f"once, received {right!r}"
        )
    return inputs, output


def _expanded(term: str, width: int) -> list[Any]:
    """A list of labels; the axes of "..." are numbered from the last one."""
    before, dots, after = term.partition("...")
    return [*before, *(range(-width, 0) if dots else ()), *after]


def _sizes(subscripts: str, tensors: list[Tensor], inputs: list[list[Any]]) -> dict[Any, Size]:
    sizes: dict = {}
    for x, labels in zip(tensors, inputs):
        for label, n in zip(labels, x.shape):
            known = sizes.setdefault(label, n)
            if None in (n, known):  # open in one operand: another one may say the size
                sizes[label] = next((m for m in (n, known) if m not in (1, None)), None)
                continue
            if n != known and 1 not in (n, known):
                raise ValueError(
                    f"einsum: {subscripts!r} gives one axis the sizes {known} and {n}, for shapes "
                    f"{', '.join(str(x.shape) for x in tensors)}"
                )
            sizes[label] = n if known == 1 else known
    return sizes


def _diagonal(x: Tensor, labels: list[Any]) -> Term:
    """x with one axis for each label: where it has two of one label, their diagonal."""
    while len(set(labels)) < len(labels):
        label = next(label for label in labels if labels.count(label) > 1)
        i = labels.index(label)
        j = labels.index(label, i + 1)
        n = max(x.shape[i], x.shape[j])
        rest = [a for a in range(x.ndim) if a not in (i, j)]
        shape = tuple(x.shape[a] for a in rest)
        x = apply("transpose", x, axes=(*rest, i, j))
        x = apply("broadcast_to", x, shape=(*shape, n, n))
        x = apply("reshape", x, shape=(*shape, n * n))[..., :: n + 1]
        labels = [*(labels[a] for a in rest), label]
    return x, labels


def _wanted(terms: list[Term], output: list[Any]) -> set[Any]:
    return set(output).union(*(labels for _, labels in terms))


def _next_pair(terms: list[Term], output: list[Any], sizes: dict[Any, Size]) -> tuple[int, int]:
    """The two terms whose product has the fewest elements more than they have themselves."""

    def growth(pair: tuple[int, int]) -> int:
        others = [t for i, t in enumerate(terms) if i not in pair]
        labels = [set(terms[i][1]) for i in pair]
        result = (labels[0] | labels[1]) & _wanted(others, output)
        shapes = [terms[i][0].shape for i in pair]
        counts = [
            math.prod(1 if n is None else n for n in shape)
            for shape in ([sizes[label] for label in result], *shapes)
        ]
        return counts[0] - counts[1] - counts[2]

    return min(itertools.combinations(range(len(terms)), 2), key=growth)


def _summed(x: Tensor, labels: list[Any], wanted: set[Any]) -> Term:
    """x summed over the axes whose labels are not wanted, in its own dtype."""
    axes = [i for i, label in enumerate(labels) if label not in wanted]
    if not axes:
        return x, labels
    total = apply("cast", apply("sum", x, axis=axes), dtype=x.dtype)
    return total, [label for label in labels if label in wanted]


def _without_broadcast(term: Term, other: Term) -> Term:
    """A term without its axes of size 1 that meet a larger one."""
    x, labels = term
    sizes = dict(zip(other[1], other[0].shape))
    kept = [i for i, label in enumerate(labels) if x.shape[i] != 1 or sizes.get(label, 1) == 1]
    if len(kept) == len(labels):
        return x, labels
    return apply("reshape", x, shape=tuple(x.shape[i] for i in kept)), [labels[i] for i in kept]


def _product(first: Term, second: Term, wanted: set[Any]) -> Term:
    """The product of two terms, summed over what is not wanted any more."""
    a, labels_a = _without_broadcast(first, second)
    b, labels_b = _without_broadcast(second, first)
    a, labels_a = _summed(a, labels_a, wanted | set(labels_b))
    b, labels_b = _summed(b, labels_b, wanted | set(labels_a))
    shared = [label for label in labels_a if label in labels_b]
    batch = [label for label in shared if label in wanted]
    inner = [label for label in shared if label not in wanted]
    rows = [label for label in labels_a if label not in shared]
    columns = [label for label in labels_b if label not in shared]
    both = [*zip(labels_a, a.shape), *zip(labels_b, b.shape)]
    sizes = {**dict(both), **{label: n for label, n in both if n is not None}}
    left, transpose_a = _matrices(a, labels_a, batch, rows, inner)
    right, transpose_b = _matrices(b, labels_b, batch, inner, columns)
    if inner:
        y = apply("matmul", left, right, transpose_a=transpose_a, transpose_b=transpose_b)
    else:
        y = apply("multiply", left, right)
    labels = batch + rows + columns
    return apply("reshape", y, shape=tuple(sizes[label] for label in labels)), labels


def _matrices(
    x: Tensor, labels: list[Any], batch: list[Any], rows: list[Any], columns: list[Any]
) -> tuple[Tensor, bool]:
    """(x with the axes batch, rows and columns merged to one each, whether it is transposed)."""
    sizes = dict(zip(labels, x.shape))
    swapped = labels == [*batch, *columns, *rows] and bool(rows) and bool(columns)
    order = [*batch, *columns, *rows] if swapped else [*batch, *rows, *columns]
    if order != labels:
        x = apply("transpose", x, axes=tuple(labels.index(label) for label in order))
    merged = [batch] if batch else []
    merged += [columns, rows] if swapped else [rows, columns]
    shape = tuple(total(sizes[label] for label in part) for part in merged)
    return apply("reshape", x, shape=shape), swapped
