"""How far the result of every op may lie from the oracle's in float64.

`bounds(name, inputs, attributes, exact, eps)` has one array for each output: the rounding errors of
the op's formula, from the values that went in. A sum of K products in any order errs by at most
(K + 2) u times the sum of their absolute values (Higham 2002, 3.1), u = eps / 2.
"""

from . import elementwise, normalization, products, training
from .fused import expected
from .products import linear
from .table import BOUNDS, bounds

__all__ = [
    "BOUNDS",
    "bounds",
    "elementwise",
    "expected",
    "linear",
    "normalization",
    "products",
    "training",
]
