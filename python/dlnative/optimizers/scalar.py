"""Numbers that a program reads and Python sets: the learning rate and the count of updates."""

from __future__ import annotations

from ..variables import Variable, place


class Scalar(Variable):
    """A Variable of shape () that shows the only element of another Variable of shape (1,).

    As every Variable it answers as its array does, here as a number:
    `optimizer.learning_rate * 0.5`, `float(optimizer.learning_rate)`.

    Args:
        variable: A Variable of shape (1,); it is given its final place in memory here.
    """

    def __init__(self, variable):
        place([variable])
        super().__init__(
            variable.value[0], dtype=variable.dtype, name=variable.name, trainable=False
        )
        self.path = variable.path
        self._value = variable.array.reshape(())
        self._placed = True
        self._buffer = variable.buffer
