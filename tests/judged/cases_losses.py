"""Judged calls of keras.losses: functions, classes, reductions, names and configurations."""

from __future__ import annotations

from math import inf, nan
from typing import Any

from cases import A, Array, Case, V

INTEGERS = ("int32", "int64", "uint8", "bool")
ONE_HOT = V([[1, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]])
CLASSES = V([0, 2, 1, 0], "int32")


def _positive(*shape: int, dtype: str = "float32", seed: int = 0) -> Array:
    return A(*shape, dtype=dtype, low=0.05, high=0.95, seed=seed)


def _function(name: str):
    """A loss as a function, on tensors: options by name."""

    def call(k, y_true, y_pred, **options):
        return getattr(k.losses, name)(y_true, y_pred, **options)

    return call


def _object(name: str):
    """A loss as a class: all keywords but the weights are arguments of the class."""

    def call(k, y_true, y_pred, sample_weight=None, **options):
        return getattr(k.losses, name)(**options)(y_true, y_pred, sample_weight=sample_weight)

    return call


def _losses(
    name: str,
    function: str,
    options: tuple[dict[str, Any], ...] = (),
    needs: dict[str, Any] | None = None,
    sparse: bool = False,
    signed: bool = False,
    **tolerances: Any,
) -> list[Case]:
    """A function and its class: dtypes, shapes, options, weights, gradients.

    Args:
        name: The class.
        function: The function.
        options: Keywords that both take.
        needs: Keywords that the function has no default for.
        sparse: Whether labels are class numbers.
        signed: Whether numbers may be negative.
        **tolerances: For float64.
    """
    needs = needs or {}
    free = A if signed else _positive
    labels = CLASSES if sparse else free(4, 3, seed=1)
    wide = CLASSES if sparse else free(4, 3, dtype="float64", seed=1)
    deep = V([[0, 1], [2, 2]], "int32") if sparse else free(2, 2, 3, seed=1)
    at, of = f"losses.{function}", f"losses.{name}"
    pred, run, make = free(4, 3), _function(function), _object(name)
    return [
        Case(at, (labels, pred), needs),
        Case(at, (labels, pred), needs, grad=(1,), call=run),
        Case(at, (wide, free(4, 3, dtype="float64")), needs, grad=(1,), call=run, **tolerances),
        Case(at, (deep, free(2, 2, 3)), needs, grad=(1,), call=run),
        Case(of, (labels, pred), grad=(1,), call=make),
        Case(of, (labels, pred, _positive(4, seed=2)), grad=(1,), call=make),
        Case(of, (labels, pred), {"dtype": "float64"}, grad=(1,), call=make, **tolerances),
        Case(of, (V([[0]], "int32") if sparse else free(1, 1, seed=1), free(1, 1)), call=make)
        if "categorical_c" not in function and "categorical_f" not in function
        else Case(of, (labels, pred), {"reduction": "sum"}, call=make),
        Case(of, (deep, free(2, 2, 3)), {"reduction": None}, grad=(1,), call=make),
        *(
            Case(at, (V([0, 2, 1, 0] if sparse else ONE_HOT.values, dtype), pred), needs)
            for dtype in INTEGERS
            if not (sparse and dtype == "bool")
        ),
        *(Case(at, (labels, pred), {**needs, **o}, grad=(1,), call=run) for o in options),
        *(Case(of, (labels, pred), o, grad=(1,), call=make) for o in options),
    ]


FUNCTIONS = [
    *_losses("MeanSquaredError", "mean_squared_error", signed=True),
    *_losses("MeanAbsoluteError", "mean_absolute_error", signed=True),
    *_losses("MeanAbsolutePercentageError", "mean_absolute_percentage_error", signed=True),
    *_losses("MeanSquaredLogarithmicError", "mean_squared_logarithmic_error"),
    *_losses("CosineSimilarity", "cosine_similarity", ({"axis": 0}, {"axis": -2})),
    *_losses("Huber", "huber", ({"delta": 0.3}, {"delta": 3}, {"delta": 0.0}), signed=True),
    *_losses(
        "LogCosh",
        "log_cosh",
        signed=True,
        rtol=3e-7,
        why="Keras rounds the logarithm of 2 to float32",
    ),
    *_losses("Hinge", "hinge", signed=True),
    *_losses("SquaredHinge", "squared_hinge", signed=True),
    *_losses("CategoricalHinge", "categorical_hinge", signed=True),
    *_losses("KLDivergence", "kl_divergence"),
    *_losses("Poisson", "poisson"),
    *_losses(
        "BinaryCrossentropy",
        "binary_crossentropy",
        (
            {"from_logits": True},
            {"label_smoothing": 0.2},
            {"axis": 0},
            {"axis": 0, "from_logits": True, "label_smoothing": 0.1},
            {"axis": (0, 1)},
        ),
    ),
    *_losses(
        "CategoricalCrossentropy",
        "categorical_crossentropy",
        (
            {"from_logits": True},
            {"label_smoothing": 0.2},
            {"axis": 0},
            {"axis": -2, "from_logits": True, "label_smoothing": 0.1},
            {"axis": 0, "label_smoothing": 0.1},
        ),
    ),
    *_losses(
        "SparseCategoricalCrossentropy",
        "sparse_categorical_crossentropy",
        (
            {"from_logits": True},
            {"ignore_class": 1},
            {"ignore_class": 0, "from_logits": True},
        ),
        sparse=True,
    ),
    *_losses(
        "BinaryFocalCrossentropy",
        "binary_focal_crossentropy",
        (
            {"from_logits": True},
            {"label_smoothing": 0.2, "gamma": 1.5},
            {"apply_class_balancing": True, "alpha": 0.7},
            {"axis": 0, "gamma": 0.0},
        ),
    ),
    *_losses(
        "CategoricalFocalCrossentropy",
        "categorical_focal_crossentropy",
        (
            {"from_logits": True},
            {"label_smoothing": 0.2, "gamma": 1.5},
            {"alpha": [0.2, 0.5, 0.7]},
            {"axis": 0, "alpha": 1},
            {"axis": 0, "from_logits": True},
        ),
    ),
    *_losses(
        "CategoricalGeneralizedCrossEntropy",
        "categorical_generalized_cross_entropy",
        ({"q": 0.3},),
        needs={"q": 0.7},
        sparse=True,
    ),
    *_losses("Dice", "dice", ({"axis": 0}, {"axis": -1}, {"axis": (0, 1)})),
    *_losses("Tversky", "tversky", ({"axis": 1}, {"alpha": 0.2, "beta": 0.9, "axis": (0,)})),
]


def _at(function: str, y_true: Any, y_pred: Any, grad: bool = True, **options: Any) -> Case:
    """A function at special numbers."""
    true = y_true if isinstance(y_true, Array) else V(y_true)
    where = (1,) if grad else ()
    return Case(
        f"losses.{function}", (true, V(y_pred)), options, grad=where, call=_function(function)
    )


KINKS = [
    _at("mean_squared_error", [[0, 1, nan]], [[0, inf, 1]], grad=False),
    _at("mean_absolute_percentage_error", [[0, 1, -2, 3]], [[0, 1, -2, 4]]),
    _at("mean_absolute_percentage_error", [[1e-8, -1e-9]], [[1, 1]]),
    _at("mean_squared_logarithmic_error", [[0, -1, 2]], [[-3, 1, 0.5]]),
    _at("huber", [[0, 0, 0, 0, 0]], [[0, 1, -1, 2, -2]]),
    _at("huber", [[0, 0]], [[inf, nan]], grad=False),
    _at("log_cosh", [[0, 0, 0]], [[0, 500, -500]]),
    _at("cosine_similarity", [[0, 0], [3, 4]], [[1, 2], [6, -8]]),
    _at("cosine_similarity", [[1, 2]], [[0, 0]]),
    *(
        _at(name, labels, [[1, -1, 0, 2]])
        for name in ("hinge", "squared_hinge")
        for labels in ([[1, -1, 1, -1]], [[1, 0, 1, 0]], [[1, 1, 1, 1]], [[0, 0, 0, 0]], [[2] * 4])
    ),
    _at("categorical_hinge", [[1, 0, 0], [0, 1, 0]], [[1, 0, 0], [2, 1, 2]]),
    _at("categorical_hinge", [[1, 0, 0]], [[-5, -5, -5]]),
    _at("kl_divergence", [[0, 1, 0.5, 2]], [[0.5, 1, 0, 2]]),
    _at("poisson", [[0, 1, 2]], [[0, 1e-8, -1]], grad=False),
    _at("poisson", [[0, 1, 2]], [[0, 1, 3]]),
    _at("binary_crossentropy", [[0, 1, 1, 0]], [[0, 1, 0, 1]]),
    _at("binary_crossentropy", [[0, 1, 1]], [[80, -80, 0]], from_logits=True),
    _at("binary_crossentropy", [[0, 1, 1, 0]], [[0, 1, 0, 1]], axis=0),
    _at("categorical_crossentropy", [[0, 1], [1, 0]], [[0, 1], [0, 1]], grad=False),
    _at("categorical_crossentropy", [[0, 1], [1, 0]], [[0, 90], [0, 90]], from_logits=True),
    _at("categorical_focal_crossentropy", [[0, 1], [1, 0]], [[0.25, 0.75], [0.5, 0.5]], gamma=0.5),
    _at("binary_focal_crossentropy", [[0, 1, 1, 0]], [[0, 1, 0.5, 0.5]], gamma=2.0),
    _at("binary_focal_crossentropy", [[0, 1, 1]], [[30, -30, 0]], from_logits=True),
    _at(
        "categorical_generalized_cross_entropy", V([0, 1], "int32"), [[0, 1], [0, 1]], False, q=0.5
    ),
    _at("dice", [[0, 0]], [[0, 0]]),
    _at("dice", [[0, 1], [1, 1]], [[0, 1], [0, 0]], axis=-1),
    _at("tversky", [[0, 0]], [[0, 0]]),
]


def _classes(values: Any) -> Array:
    return V(values, "int32")


VOID = _classes([0, 255, 1, 2])
MAPS = _classes([[[0, 1], [-1, 2]], [[2, -1], [-1, 0]]])  # two images of 2 x 2 pixels
IGNORED = [
    Case(f"losses.{name}", (labels, pred, *weight), options, grad=(1,), call=call)
    for name, call in (
        ("sparse_categorical_crossentropy", _function("sparse_categorical_crossentropy")),
        ("SparseCategoricalCrossentropy", _object("SparseCategoricalCrossentropy")),
    )
    for labels, pred, options in (
        (VOID, _positive(4, 3), {"ignore_class": 255}),
        (VOID, A(4, 3), {"ignore_class": 255, "from_logits": True}),
        (MAPS, _positive(2, 2, 2, 3), {"ignore_class": -1}),
        (_classes([7, 7]), _positive(2, 3), {"ignore_class": 7}),
        (_classes([[1], [2]]), _positive(2, 3), {}),
    )
    for weight in (
        ((),)
        if name.islower() or len(labels.shape) > 1
        else ((), (_positive(labels.shape[0], seed=3),))
    )
] + [
    Case(
        "losses.SparseCategoricalCrossentropy",
        (labels, pred, *weight),
        {"ignore_class": number, "reduction": reduction},
        call=_object("SparseCategoricalCrossentropy"),
        grad=(1,),
    )
    for reduction in ("sum", "mean", "mean_with_sample_weight", None)
    for labels, pred, number, weight in (
        (VOID, _positive(4, 3), 255, ()),
        (VOID, _positive(4, 3), 255, (_positive(4, seed=3),)),
        (MAPS, _positive(2, 2, 2, 3), -1, (_positive(2, 2, 2, seed=3),)),
        (MAPS, _positive(2, 2, 2, 3), -1, (_positive(2, 1, 1, seed=3),)),
    )
]

REDUCED = [
    Case(
        f"losses.{name}",
        (labels, pred, *weight),
        {"reduction": reduction, **options},
        grad=(1,),
        call=_object(name),
    )
    for name, labels, pred, options in (
        ("Huber", A(4, 3, seed=1), A(4, 3), {}),
        ("BinaryCrossentropy", ONE_HOT, _positive(4, 3), {"label_smoothing": 0.1}),
        ("Dice", ONE_HOT, _positive(4, 3), {"axis": None}),
    )
    for reduction in ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None)
    for weight in ((), (A(4, low=0.1, seed=3),), (A(4, 1, low=0, seed=3),), (V([0, 0, 0, 0]),))
] + [
    Case(
        "losses.MeanSquaredError",
        (A(4, 2, 3, seed=1), A(4, 2, 3), weight),
        {"reduction": reduction},
        grad=(1,),
        call=_object("MeanSquaredError"),
    )
    for reduction in ("sum_over_batch_size", "mean_with_sample_weight", None)
    for weight in (A(4, 2, seed=3), A(4, 1, seed=3), A(4, 2, 1, seed=3), 0.5)
]

RANKS = [
    Case(f"losses.{name}", (A(*true, seed=1), A(*pred)), grad=(1,), call=_object(name))
    for name in ("MeanSquaredError", "Hinge", "LogCosh", "Poisson", "KLDivergence")
    for true, pred in (((4,), (4, 1)), ((4, 1), (4,)), ((4, 2), (4, 2, 1)))
]


def _own_huber(k, y_true, y_pred, reduction="sum_over_batch_size"):
    """A loss of the user's, which is Huber's."""

    class Own(k.losses.Loss):
        def call(self, y_true, y_pred):
            error = k.ops.abs(y_pred - y_true)
            return k.ops.mean(k.ops.where(error <= 1, 0.5 * error**2, error - 0.5), axis=-1)

    return Own(reduction=reduction)(y_true, y_pred)


def _own_masked(k, y_true, y_pred):
    """A loss of the user's that leaves classes out by a function of the package."""

    class Own(k.losses.Loss):
        def call(self, y_true, y_pred):
            return k.losses.sparse_categorical_crossentropy(y_true, y_pred, ignore_class=255)

    return Own()(y_true, y_pred)


def _config(of: str, options: dict[str, Any]):
    def call(k):
        loss = getattr(k.losses, of)(**options)
        kept = k.losses.deserialize(k.losses.serialize(loss))
        return [
            sorted(loss.get_config().items(), key=str),
            sorted(kept.get_config().items(), key=str),
        ]

    return call


STRINGS = [
    "bce",
    "BCE",
    "kld",
    "KLD",
    "mae",
    "MAE",
    "mse",
    "MSE",
    "mape",
    "MAPE",
    "msle",
    "MSLE",
    "huber",
    "log_cosh",
    "hinge",
    "squared_hinge",
    "categorical_hinge",
    "poisson",
    "dice",
    "tversky",
    "cosine_similarity",
    "binary_focal_crossentropy",
    "categorical_focal_crossentropy",
    "kl_divergence",
]
CLASS_NAMES = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "Dice",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "Tversky",
]
NAMES = [
    *(
        Case("losses.get", (name,), call=lambda k, name: k.losses.get(name).__name__, graph=True)
        for name in STRINGS
    ),
    *(
        Case("losses.get", (name,), call=lambda k, name: k.losses.get(name).name)
        for name in CLASS_NAMES
    ),
    *(
        Case("losses.get", (name,), raises=ValueError)
        for name in ("logcosh", "no_such_loss", "cosine", "focal")
    ),
    Case("losses.get", (None,), call=lambda k, name: k.losses.get(name) is None),
    Case(
        "losses.get",
        ({"class_name": "Huber", "config": {"delta": 2.0}},),
        call=lambda k, config: k.losses.get(config)._fn_kwargs["delta"],
    ),
    *(
        Case(
            "losses.serialize", (name,), call=lambda k, name: k.losses.serialize(k.losses.get(name))
        )
        for name in (*STRINGS, *CLASS_NAMES)
    ),
    *(
        Case(
            "losses.deserialize", (name,), call=lambda k, name: k.losses.deserialize(name).__name__
        )
        for name in STRINGS
        if len(name) > 4  # of "mse" Keras makes a metric
    ),
    *(
        Case(f"losses.{name}", (), call=_config(name, options))
        for name, options in (
            ("BinaryFocalCrossentropy", {"gamma": 3.0, "alpha": 0.1, "name": "own"}),
            ("CategoricalFocalCrossentropy", {"alpha": 0.5, "label_smoothing": 0.1}),
            ("SparseCategoricalCrossentropy", {"ignore_class": 255, "reduction": "sum"}),
            ("Tversky", {"alpha": 0.3, "axis": -1}),
            ("Dice", {"axis": 1, "reduction": None}),
        )
    ),
    Case(
        "losses.CategoricalGeneralizedCrossEntropy",
        (),
        {"q": 0.2},
        call=lambda k, q: k.losses.CategoricalGeneralizedCrossEntropy(q=q).get_config(),
    ),
    Case("losses.Loss", (A(4, 3, seed=1), A(4, 3)), call=_own_huber, grad=(1,)),
    Case("losses.Loss", (A(4, 3, seed=1), A(4, 3)), {"reduction": "sum"}, call=_own_huber),
    Case("losses.Loss", (VOID, _positive(4, 3)), call=_own_masked, grad=(1,)),
    Case("losses.Loss", (), {"reduction": "average"}, raises=ValueError),
    Case("losses.CategoricalGeneralizedCrossEntropy", (), {"q": 1.0}, raises=ValueError),
]

ONE_CLASS = "one class raises, as there is nothing to choose from; Keras warns"
BROADCAST = "shapes that differ raise; Keras broadcasts them, which is hardly ever meant"
DIFFERENT = (
    [
        Case(
            f"losses.{name}",
            (A(4, 1), _positive(4, 1)),
            differs=ONE_CLASS,
            differs_expect=ValueError,
        )
        for name in ("categorical_crossentropy", "categorical_focal_crossentropy")
    ]
    + [
        Case(f"losses.{name}", (A(4, 1), A(4, 3)), differs=BROADCAST, differs_expect=ValueError)
        for name in (
            "mean_squared_error",
            "mean_absolute_error",
            "mean_absolute_percentage_error",
            "mean_squared_logarithmic_error",
            "huber",
            "log_cosh",
            "cosine_similarity",
            "hinge",
            "squared_hinge",
            "categorical_hinge",
            "poisson",
            "kl_divergence",
            "dice",
            "tversky",
        )
    ]
    + [
        Case(
            "losses.sparse_categorical_crossentropy",
            (V([0, 3], "int32"), _positive(2, 3)),
            differs="labels that are no class numbers raise; Keras gives NaN or 0",
            differs_expect=ValueError,
        ),
        Case(
            "losses.categorical_generalized_cross_entropy",
            (V([0, -1], "int32"), _positive(2, 3)),
            {"q": 0.5},
            differs="labels that are no class numbers raise; Keras gives 1 / q",
            differs_expect=ValueError,
        ),
        Case(
            "losses.Huber",
            (),
            {"delta": -1.0},
            differs="a negative delta raises",
            differs_expect=ValueError,
        ),
    ]
)

CASES = [*FUNCTIONS, *KINKS, *IGNORED, *REDUCED, *RANKS, *NAMES, *DIFFERENT]
