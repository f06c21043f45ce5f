"""Judged calls of keras.activations: values, kinks, options, names."""

from __future__ import annotations

from cases import A, Case, V
from cases_nn import INSIDE, SMALL_INTEGERS, _activation

NAMES = [
    "celu",
    "elu",
    "exponential",
    "gelu",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
]


def _of(name, *options, **kinds):
    return _activation(f"activations.{name}", options, **kinds)


def _along(name, *options, grad=(0,)):
    """A function of a whole axis, of an even size."""
    arrays = (A(3, 4), A(2, 4, 6), A(2, 4, dtype="float64"), V([[1.0, 1.0], [1.5, -80.0]]))
    return [
        Case(f"activations.{name}", (x,), kwargs, grad=grad)
        for kwargs in ({}, *options)
        for x in arrays
    ]


VALUES = [
    *_of("celu", {"alpha": 0.5}, kinks=V([-1.0, 0.0, 1.0])),
    *_of("elu", {"alpha": 0.5}),
    *_of("exponential", line=INSIDE),
    *_of("gelu", {"approximate": True}, line=INSIDE),
    *_along("glu", {"axis": 1}),
    *_of("hard_shrink", {"threshold": 1.0}),
    *_of("hard_sigmoid"),
    *_of("hard_silu", line=INSIDE),
    *_of("hard_swish", line=INSIDE),
    *_of("hard_tanh", integers=("int32", "bool")),
    *_of("leaky_relu", {"negative_slope": 0.5}, kinks=V([-1.0, 1.0])),
    *(Case("activations.linear", (A(3, dtype=d),)) for d in ("float32", "float64", "int32")),
    Case("activations.linear", (A(3, 4),), grad=(0,)),
    *_of("log_sigmoid", integers=()),
    *_along("log_softmax", {"axis": 0}),
    *_of("mish", line=INSIDE, integers=()),
    *_of(
        "relu",
        {"negative_slope": 0.1},
        {"max_value": 2.25},
        {"threshold": 1.0},
        {"max_value": 6.0},
        {"max_value": 3.0, "threshold": 0.5},
        {"negative_slope": 0.2, "max_value": 3.0, "threshold": 0.5},
        line=INSIDE,
        kinks=V([-1.0, 1.0, 4.0]),
        integers=("int32",),
    ),
    *_of("relu6"),
    *_of("selu"),
    *_of("sigmoid", integers=()),
    *_of("silu", line=INSIDE, integers=()),
    *_of("swish", line=INSIDE, integers=()),
    *_of("soft_shrink", {"threshold": 1.0}),
    *_along("softmax", {"axis": 0}, {"axis": -2}),
    *_of("softplus"),
    *_of("softsign", line=INSIDE),
    *_of("sparse_plus"),
    *_of("sparse_sigmoid"),
    Case("activations.sparsemax", (V([[3.0, 1.0, -2.0], [0.5, -4.0, 2.0]]),), grad=(0,)),
    Case(
        "activations.sparsemax", (V([[3.0, 1.0], [0.5, 2.0]], "float64"),), {"axis": 0}, grad=(0,)
    ),
    *_of("squareplus", {"b": 0.5}),
    *_of("tanh", integers=SMALL_INTEGERS),
    *_of("tanh_shrink"),
    *(
        Case("activations.threshold", (x, *options), grad=(0,))
        for x in (A(3, 5), V([-1.0, 0.0, 0.5, 1.0]), A(2, 2, dtype="float64"))
        for options in ((0.5, 0.0), (0.0, -1.0), (1.0, 20.0))
    ),
]


def _kept(k, name):
    """What is got by a name, what is written of it and what is read again."""
    function = k.activations.get(name)
    record = k.activations.serialize(function)
    read = k.activations.deserialize(record)
    return [function.__name__, record, read.__name__]


KNOWN = [
    *(
        Case(f"activations.{function}", (name,), call=_kept)
        for name in NAMES
        for function in ("get", "serialize", "deserialize")
    ),
    *(
        Case("activations.serialize", (name,), call=lambda k, name: _written(k, name))
        for name in NAMES
    ),
    Case("activations.get", (None,), call=lambda k, name: k.activations.get(name).__name__),
    *(
        Case("activations.get", (name,), raises=ValueError)
        for name in ("no_such", "ReLU", "log_soft_max", "leakyrelu")
    ),
]


def _written(k, name):
    return k.activations.serialize(getattr(k.activations, name))


DIFFERENT = [
    Case(
        "activations.relu",
        (V([1.0, 2.0, 3.0]),),
        {"max_value": 2.0},
        grad=(0,),
        differs="the gradient at max_value is 0, as beyond; with JAX it is 1/2, but 0 at 6",
        differs_expect=V([1.0, 2.0, 2.0]),
        differs_gradients=(V([1.0, 0.0, 0.0]),),
    ),
    Case(
        "activations.sparsemax",
        (V([1.0, 0.9, -1.0]),),
        differs="The results have the sum 1, as in the paper; see `ops.sparsemax`.",
        differs_expect=V([0.55, 0.45, 0.0]),
        rtol=1e-6,
    ),
]
CASES = [*VALUES, *KNOWN, *DIFFERENT]
