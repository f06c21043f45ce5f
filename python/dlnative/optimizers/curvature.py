"""The last steps and changes of the gradient, and what L-BFGS makes of them: a direction."""

from __future__ import annotations

import numpy as np

from ..placement import place
from ..variables import Variable

SMALLEST = 1e-10  # cosine of the angle between s and y, below which a pair says nothing


def dot(a: np.ndarray, b: np.ndarray) -> float:
    """The inner product. Added pairwise, as BLAS has other bits for other numbers of threads."""
    return float(np.add.reduce(a * b))


class CurvaturePairs:
    """The last pairs of s, a step, and y, the change of the gradient along it, with y's > 0.

    They lie in the rows of two matrices, one more than there are pairs: the next pair is written
    into the row that none of them has, and counts once `index` says so. Thus the program that
    writes the weights decides about both.

    Args:
        index: int64 (2,): the number of pairs, the row of the last one.
        steps: float64 (rows, size): s.
        changes: The same: y.
    """

    def __init__(self, index: Variable, steps: Variable, changes: Variable) -> None:
        self.index = index
        self.steps = steps
        self.changes = changes

    @property
    def variables(self) -> list[Variable]:
        return [self.index, self.steps, self.changes]

    def place(self) -> None:
        """Gives them memory."""
        place(self.variables)

    def rows(self) -> list[int]:
        """The rows of the pairs, the oldest first.

        Raises:
            ValueError: There are more pairs than rows, as in a state that was not this optimizer's.
        """
        (count, last), rows = self.index.numpy().tolist(), self.steps.shape[0]
        if not (0 <= count < rows and 0 <= last < rows):
            raise ValueError(
                f"L-BFGS: expected its state to have less than {rows} pairs, the last of them in a "
                f"row below {rows}, received {count} pairs, the last in row {last}"
            )
        return [(last - i) % rows for i in reversed(range(count))]

    def direction(self, gradient: np.ndarray) -> np.ndarray:
        """-H g, with H the inverse Hessian that the pairs approximate (algorithm 7.4).

        Where the gradient of some weights is 0 as they are not trained any more, the others still
        descend: their part of H is positive definite, too.
        """
        s, y, rows = self.steps.array, self.changes.array, self.rows()
        q = -gradient
        products = {row: dot(s[row], y[row]) for row in rows}
        shares = {}
        for row in reversed(rows):
            shares[row] = dot(s[row], q) / products[row]
            q -= shares[row] * y[row]
        if rows:
            q *= products[rows[-1]] / dot(y[rows[-1]], y[rows[-1]])
        for row in rows:
            q += (shares[row] - dot(y[row], q) / products[row]) * s[row]
        return q

    def added(self, step: np.ndarray, change: np.ndarray, kept: bool) -> np.ndarray:
        """Notes a pair; returns `index` with it, or without it where y's is not positive.

        Args:
            step: s.
            change: y.
            kept: Whether the pairs so far stay.
        """
        rows = self.steps.shape[0]
        count, last = self.index.numpy().tolist()
        count = count if kept else 0
        length = np.sqrt(dot(step, step)) * np.sqrt(dot(change, change))
        if not dot(step, change) > SMALLEST * length:
            return np.array([count, last])
        row = (last + 1) % rows
        self.steps.array[row] = step
        self.changes.array[row] = change
        return np.array([min(count + 1, rows - 1), row])
