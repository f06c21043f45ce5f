"""Numbers that a program reads and Python sets: the learning rate and the count of updates."""

from __future__ import annotations

from ..variables import Variable, place


class Scalar(Variable):
    """A Variable of shape () that shows the only element of another Variable of shape (1,).

    It can be used as a number: `optimizer.learning_rate * 0.5`, `float(optimizer.learning_rate)`.

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

    def __float__(self):
        return float(self._value)

    def __int__(self):
        return int(self._value)

    __index__ = __int__

    def __format__(self, spec):
        return format(self._value.item(), spec)

    def __hash__(self):
        return id(self)

    def __eq__(self, other):
        return self is other or self._value.item() == other

    def __lt__(self, other):
        return self._value.item() < other

    def __le__(self, other):
        return self._value.item() <= other

    def __gt__(self, other):
        return self._value.item() > other

    def __ge__(self, other):
        return self._value.item() >= other

    def __add__(self, other):
        return self._value.item() + other

    __radd__ = __add__

    def __sub__(self, other):
        return self._value.item() - other

    def __rsub__(self, other):
        return other - self._value.item()

    def __mul__(self, other):
        return self._value.item() * other

    __rmul__ = __mul__

    def __truediv__(self, other):
        return self._value.item() / other

    def __rtruediv__(self, other):
        return other / self._value.item()

    def __neg__(self):
        return -self._value.item()

    def __pow__(self, other):
        return self._value.item() ** other
