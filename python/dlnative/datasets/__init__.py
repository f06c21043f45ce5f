"""Data sets to try things on: handwritten digits, MNIST, CIFAR-10 and toy problems.

Every `load_data` returns `(x_train, y_train), (x_test, y_test)` as Keras does.

Example:
    >>> from dlnative.datasets import digits, toy
    >>> (x_train, y_train), (x_test, y_test) = digits.load_data()
    >>> x_train.shape, x_test.shape
    ((1438, 8, 8), (359, 8, 8))
    >>> x, y = toy.xor()
    >>> y.tolist()
    [0, 1, 1, 0]
"""

from . import cifar10, digits, mnist, toy

__all__ = ["cifar10", "digits", "mnist", "toy"]
