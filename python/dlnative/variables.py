"""Variables: the named arrays that a model owns and a program reads and writes."""

from __future__ import annotations

import itertools
import math

import numpy as np

from .changes import TrackedAttribute

ALIGNMENT = 64  # bytes, of every variable in a flat buffer

_changes = itertools.count(1)


class Variable:
    """A named parameter or state, backed by one NumPy array.

    The array never moves once a program uses it: `value` shows it live, `numpy()` is a copy, and
    `assign` changes it.

    Args:
        value: Initial values.
        dtype: Name of the dtype; that of `value` by default.
        name: Name within its layer.
        trainable: Whether training may change it.
        path: Name within the model, such as "dense/kernel".

    Example:
        >>> v = Variable([1.0, 2.0], dtype="float32", name="bias")
        >>> v.assign([3.0, 4.0])
        >>> v.numpy()
        array([3., 4.], dtype=float32)
    """

    is_graph_variable = True

    # What programs are built from, beside the shape.
    trainable = TrackedAttribute()
    regularizer = TrackedAttribute()
    constraint = TrackedAttribute()

    def __init__(self, value, dtype=None, name="variable", trainable=True, path=None):
        value = np.array(value, dtype=dtype, order="C", ndmin=0)
        self._value = value
        self._placed = False
        self._buffer = None  # the FlatBuffer that it is a part of
        self.shape = value.shape
        self.dtype = value.dtype.name
        self.name = name
        self.path = path or name
        self.trainable = trainable
        self.regularizer = None
        self.constraint = None

    @property
    def value(self):
        """The live values, to be read only; `assign` writes them."""
        view = self._value.view()
        view.flags.writeable = False
        return view

    @property
    def array(self):
        """The memory itself, for programs: who writes there calls `changed` afterwards.

        Its address is fixed once a program has been built.
        """
        return self._value

    @property
    def buffer(self):
        """The FlatBuffer in which the values lie; None before a program uses them."""
        return self._buffer

    def changed(self):
        """What was made of the values, such as packed weights, is made anew when it is needed."""
        if self._buffer is not None:
            self._buffer.changed()

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def size(self):
        return math.prod(self.shape)

    def numpy(self):
        """A copy of the values."""
        return self._value.copy()

    def assign(self, value):
        """Overwrites the values in place.

        Raises:
            ValueError: The shape is not that of the variable; nothing has been written.
        """
        value = value.value if isinstance(value, Variable) else value
        value = np.asarray(value).astype(self.dtype, copy=False)
        if value.shape != self.shape:
            raise ValueError(
                f"Variable '{self.path}': expected values of shape {self.shape}, "
                f"received {value.shape}"
            )
        self._value[...] = value
        self.changed()

    def __getstate__(self):
        """For copies and pickles: with values of its own, in no buffer."""
        return {**self.__dict__, "_value": self.numpy(), "_placed": False, "_buffer": None}

    def __array__(self, dtype=None, copy=None):
        if copy is False and (dtype is None or dtype == self._value.dtype):
            return self.value
        return np.array(self._value, dtype=dtype)

    def __repr__(self):
        return f"<Variable path={self.path} shape={self.shape} dtype={self.dtype}>"


class FlatBuffer:
    """Memory in which variables lie side by side.

    Attributes:
        array: The values of all of them, and the gaps between.
        version: When one of them changed last, in changes of all buffers of the process: what was
            made at the latest version of several buffers is as new as each of them.
    """

    __slots__ = ("array", "version")

    def __init__(self, array):
        self.array = array
        self.version = 0

    def changed(self):
        self.version = next(_changes)


def place(variables):
    """Moves variables that no program uses yet next to each other, in one flat buffer per dtype.

    An optimizer then updates the whole buffer in one pass. Variables that were placed before stay
    where they are; each new one starts on a 64-byte boundary, so a gap may follow it.

    Args:
        variables: Variables in the order in which they shall lie.
    """
    fresh = [v for v in variables if not v._placed]
    for dtype in dict.fromkeys(v.dtype for v in fresh):
        group = [v for v in fresh if v.dtype == dtype]
        step = ALIGNMENT // np.dtype(dtype).itemsize
        offsets, end = [], 0
        for v in group:
            offsets.append(end)
            end += -(-v.size // step) * step
        buffer = FlatBuffer(aligned_zeros(end, dtype))
        for v, offset in zip(group, offsets):
            view = buffer.array[offset : offset + v.size].reshape(v.shape)
            view[...] = v._value
            v._value = view
            v._placed = True
            v._buffer = buffer


def aligned_zeros(size, dtype):
    """A zeroed one-dimensional array that starts on a 64-byte boundary."""
    dtype = np.dtype(dtype)
    raw = np.zeros(size * dtype.itemsize + ALIGNMENT, dtype=np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size * dtype.itemsize].view(dtype)
