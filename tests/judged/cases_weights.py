"""Judged calls of keras.constraints and keras.regularizers."""

from __future__ import annotations

from math import nan
from typing import Any

from cases import A, Array, Case, V

SHAPES = ((4, 3), (3, 3, 2, 4), (5,))
KINKS = V([[0, 0, 3, 1, -0.0], [0, 2, 4, 0, -1]])


def _made(namespace: str, name: str, options: dict[str, Any]):
    """A constraint or regularizer, called on a weight."""

    def call(k, w):
        return getattr(getattr(k, namespace), name)(**options)(w)

    return call


def _constraint(name: str, *options: dict[str, Any]) -> list[Case]:
    weights = [*(A(*shape) for shape in SHAPES), A(4, 3, dtype="float64"), KINKS, A(0, 3)]
    weights += [A(1, 1), V([[nan, 1], [1, 1]]), A(3, 2, dtype="int32")]
    cases = []
    for kwargs in ({}, *options):
        call = _made("constraints", name, kwargs)
        cases += [
            Case(f"constraints.{name}", (w,), call=call)
            for w in weights
            if len(w.shape) > _last(kwargs.get("axis", 0))
        ]
    return cases


def _last(axis: Any) -> int:
    axes = axis if isinstance(axis, (list, tuple)) else [axis]
    return max(a if a >= 0 else -a - 1 for a in axes)


CONSTRAINTS = [
    *_constraint(
        "MaxNorm",
        {"max_value": 0.5},
        {"max_value": 1, "axis": 1},
        {"axis": -1},
        {"max_value": 1.5, "axis": [0, 1, 2]},
        {"max_value": 0},
    ),
    *_constraint(
        "MinMaxNorm",
        {"min_value": 1.5, "max_value": 2.5},
        {"min_value": 0.5, "max_value": 1, "rate": 0.3, "axis": 1},
        {"min_value": 3, "max_value": 4, "rate": 0.5, "axis": (0, 1)},
    ),
    *_constraint("NonNeg"),
    *_constraint("UnitNorm", {"axis": 1}, {"axis": [0, 1, 2]}),
    *_constraint("Constraint"),
]


def _regularizer(name: str, weights: list[Array], *options: dict[str, Any]) -> list[Case]:
    """Called on tensors: on arrays they give Python's numbers here."""
    return [
        Case(
            f"regularizers.{name}",
            (w,),
            grad=(0,) if all(w.shape) else (),
            call=_made("regularizers", name, kwargs),
        )
        for kwargs in ({}, *options)
        for w in weights
    ]


WEIGHTS = [*(A(*shape) for shape in SHAPES), A(4, 3, dtype="float64"), A(1), A(0, 3)]
SQUARES = [
    A(4, 3),
    A(2, 5),
    A(4, 3, dtype="float64"),
    V([[1, 2], [1, 2.5]]),
    V([[0, 0], [3, 4], [2, 1]]),
]
REGULARIZERS = [
    *_regularizer("L1", WEIGHTS, {"l1": 0.3}, {"l1": 2}),
    *_regularizer("L2", WEIGHTS, {"l2": 0.3}, {"l2": 0.0}),
    *_regularizer("L1L2", WEIGHTS, {"l1": 0.3, "l2": 0.2}, {"l1": 0.5}, {"l2": 1}),
    *_regularizer(
        "OrthogonalRegularizer", SQUARES, {"factor": 2.0}, {"mode": "columns", "factor": 0.5}
    ),
]


def _own(k, w):
    """A regularizer and a constraint of the user's, as Keras documents them."""

    class Mine(k.regularizers.Regularizer):
        def __call__(self, x):
            return 0.5 * k.ops.sum(k.ops.square(x))

    class Bounded(k.constraints.Constraint):
        def __call__(self, w):
            return k.ops.clip(w, -0.5, 0.5)

    return Mine()(w), Bounded()(w)


def _rounded(value: Any) -> Any:
    """A configuration without the digits that Keras loses, as it keeps some numbers in float32.

    Integers are floats: some numbers stay here what they were given as, and are floats there.
    """
    if isinstance(value, dict):
        return {key: _rounded(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return round(float(value), 6) if is_number else value


def _kept(namespace: str, name: str, options: dict[str, Any]):
    """What is written, and what is read of it."""

    def call(k):
        module = getattr(k, namespace)
        made = getattr(module, name)(**options)
        record = module.serialize(made)
        read = module.deserialize(record), module.get(record)
        return _rounded([record, *(made.get_config() for made in read)])

    return call


OPTIONS = {
    "constraints": {
        "MaxNorm": {"max_value": 3, "axis": [0, 1]},
        "MinMaxNorm": {"min_value": 0.5, "rate": 0.1},
        "NonNeg": {},
        "UnitNorm": {"axis": -1},
        "Constraint": {},
        "max_norm": {"max_value": 0.5},
        "min_max_norm": {},
        "non_neg": {},
        "unit_norm": {},
    },
    "regularizers": {
        "L1": {"l1": 0.5},
        "L2": {},
        "L1L2": {"l1": 0.25},
        "OrthogonalRegularizer": {"factor": 0.5, "mode": "columns"},
        "l1": {},
        "l2": {"l2": 1.0},
        "l1_l2": {"l2": 0.5},
        "orthogonal_regularizer": {"mode": "columns"},
    },
}
KNOWN = {
    "constraints": [*OPTIONS["constraints"]],
    "regularizers": [*(n for n in OPTIONS["regularizers"] if n != "l1_l2"), "l1l2"],
}


def _got(namespace: str):
    def call(k, name):
        module = getattr(k, namespace)
        got, read = module.get(name), module.deserialize(name)
        configs = _rounded([got.get_config(), read.get_config()])
        return [type(got).__name__, *configs, module.get(got) is got]

    return call


NAMES = [
    *(
        Case(f"{space}.{name}", (), call=_kept(space, name, options))
        for space, kinds in OPTIONS.items()
        for name, options in kinds.items()
    ),
    *(
        Case(f"{space}.{function}", (name,), call=_got(space))
        for space, kinds in KNOWN.items()
        for name in kinds
        for function in ("get", "deserialize")
    ),
    *(
        Case(f"{space}.serialize", (), call=_kept(space, name, {}))
        for space, kinds in KNOWN.items()
        for name in kinds
        if name != "l1l2"
    ),
    *(
        Case(f"{space}.get", (name,), raises=ValueError)
        for space in OPTIONS
        for name in ("no_such", "Max_Norm", "l1L2", "nonneg")
    ),
    Case("constraints.get", (None,), call=lambda k, name: k.constraints.get(name) is None),
    Case("regularizers.get", (None,), call=lambda k, name: k.regularizers.get(name) is None),
    Case("constraints.Constraint", (A(3, 4),), call=_own),
    Case("regularizers.Regularizer", (A(3, 4),), call=_own, grad=(0,)),
    *(
        Case(f"regularizers.{name}", (), {key: value}, raises=ValueError)
        for name, key in (("L1", "l1"), ("L2", "l2"), ("L1L2", "l1"))
        for value in (-1.0, nan)
    ),
    Case("regularizers.OrthogonalRegularizer", (), {"mode": "row"}, raises=ValueError),
    Case(
        "regularizers.OrthogonalRegularizer",
        (A(3),),
        call=_made("regularizers", "OrthogonalRegularizer", {}),
        raises=ValueError,
    ),
    Case(
        "regularizers.OrthogonalRegularizer",
        (A(1, 3),),
        call=_made("regularizers", "OrthogonalRegularizer", {}),
        differs="a single row has no angles and raises; in Keras the penalty is NaN",
        differs_expect=ValueError,
    ),
    Case(
        "regularizers.L1",
        (V([0.0, -0.0, 1.0]),),
        call=lambda k, w: k.regularizers.L1(0.5)(w),
        grad=(0,),
        differs="the gradient of the penalty at 0 is 0; Keras with JAX moves zeros",
        differs_expect=V(0.5),
        differs_gradients=(V([0.0, 0.0, 0.5]),),
    ),
    Case(
        "constraints.MaxNorm",
        (),
        {"max_value": -1.0},
        differs="a negative norm raises",
        differs_expect=ValueError,
    ),
]

CASES = [*CONSTRAINTS, *REGULARIZERS, *NAMES]
