"""The types that annotations of many modules share; nothing is imported for them at run time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    from ..variables import Variable
    from .tensor import Spec, Tensor

# --- What a graph is made of ----------------------------------------------------------------------

# int, or None where an axis is open. Not `int | None`: rules compute with sizes that they have
# checked, or for which `open_shapes` has put numbers.
Size: TypeAlias = Any
Shape: TypeAlias = tuple[Size, ...]
Attributes: TypeAlias = dict[str, Any]  # of a node, by name; `graph.attributes` says what they are
# How operands of several dtypes meet: from the name of the op and the dtypes, see `graph.dtypes`.
DTypeRule: TypeAlias = Callable[[str, list[str]], "str | None"]
Specs: TypeAlias = "Spec | tuple[Spec, ...]"  # what a shape rule returns
Gradients: TypeAlias = "tuple[Tensor | None, ...]"  # what a gradient rule returns, one per input

# --- What the public ops take ---------------------------------------------------------------------

Number: TypeAlias = "bool | int | float | np.generic"
ArrayLike: TypeAlias = "np.ndarray | Number | Sequence[Any]"  # values, nested lists of them too
TensorLike: TypeAlias = "Tensor | Variable | ArrayLike"
Result: TypeAlias = Any  # a tensor where one was given, else an array
DTypeLike: TypeAlias = "str | np.dtype | type"  # see `dtypes.standard_dtype`
Axes: TypeAlias = int | Sequence[int] | None  # one, several, or all
Sizes: TypeAlias = int | Sequence[int]  # one for all axes, or one for each
Padding: TypeAlias = str | Sequence[int]  # "valid", "same", or pixels on each side
