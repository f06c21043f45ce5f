"""Sizes, options and values of a call of an op, and the table of the builders that use them."""

from __future__ import annotations

import numpy as np

from dlnative import reference
from dlnative.graph.ops.activations import ACTIVATIONS

CASES = {}  # name of an op -> builder: Draw -> (inputs, attributes)

SIZES = (0, 1, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33)


class Draw:
    """Sizes, options and values of one call.

    Args:
        rng: Where values come from.
        dtype: "float32" or "float64".
        variant: Which of its options each attribute takes; None draws them, and the sizes.
        zero: Names of sizes that are 0.
    """

    def __init__(self, rng, dtype, variant=0, zero=()):
        self.rng = rng
        self.dtype = dtype
        self.variant = variant
        self.zero = zero
        self.sizes = {}

    def size(self, name, default, most=33):
        """The size of all axes of one name."""
        if name not in self.sizes:
            drawn = default
            if self.variant is None:
                drawn = int(self.rng.choice([n for n in SIZES if n <= most]))
            self.sizes[name] = 0 if name in self.zero else drawn
        return self.sizes[name]

    def one_of(self, *options):
        """An option: the variant's, or a random one."""
        if self.variant is None:
            return options[self.rng.integers(len(options))]
        return options[self.variant % len(options)]

    def normal(self, *shape):
        return np.asarray(self.rng.standard_normal(shape)).astype(self.dtype)

    def between(self, low, high, *shape):
        return np.asarray(self.rng.uniform(low, high, shape)).astype(self.dtype)

    def positive(self, *shape):
        return self.between(0.5, 2.0, *shape)

    def maybe(self, array):
        return self.one_of(array, None)

    def labels(self, classes, *shape):
        return self.rng.integers(0, max(classes, 1), shape).astype("int32")


def builds(*names):
    """Decorator: the builder of these ops; it is given the name after the Draw."""

    def add(builder):
        for name in names:
            assert name not in CASES, name
            CASES[name] = lambda d, name=name: builder(d, name)
        return builder

    return add


def rows(d, *more):
    """A shape (batch, features), or of one axis more or less."""
    n, c = d.size("batch", 3), d.size("features", 5)
    return d.one_of((n, c), (n, d.size("middle", 2, 5), c), (n, c)) + more


# --- activations, alone or behind a product ------------------------------------------------------

OPTIONS = {
    "relu": (
        {},
        {"negative_slope": 0.25, "max_value": 1.5, "threshold": 0.5},
        {"max_value": 1.0},
        {"negative_slope": 0.125},
    ),
    "leaky_relu": ({}, {"negative_slope": 0.125}),
    "elu": ({}, {"alpha": 0.5}),
    "gelu": ({}, {"approximate": True}),
}


def of_activation(d, name):
    return dict(d.one_of(*OPTIONS.get(name, ({},))))


def fused(d):
    """Attributes of an activation in the epilogue of a product."""
    name = d.one_of(None, "relu", "tanh", "gelu", "leaky_relu", "elu", "linear")
    return {} if name is None else {"activation": name, **of_activation(d, name)}


def fused_backward(d, *shape):
    """`saved` of such an activation, and its attributes."""
    attributes = fused(d)
    if not attributes:
        return None, {}
    name = attributes["activation"]
    saved = 2 * d.normal(*shape)
    options = {k: v for k, v in attributes.items() if k != "activation"}
    if ACTIVATIONS[name].saves_of(options) == "output":
        saved = getattr(reference, name)(saved, **options)
    return saved, attributes
