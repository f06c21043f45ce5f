"""Judged calls of the ops of keras.ops.nn."""

from cases import A, Case, V

NAN, INF = float("nan"), float("inf")
LINE = V([-INF, -7.5, -3.25, -0.75, -1e-3, 1e-3, 0.6, 2.5, 4.25, 9.0, INF, NAN])
INSIDE = V([-7.5, -3.25, -0.75, -1e-3, 1e-3, 0.6, 2.5, 4.25, 9.0])
KINKS = V([-6.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0, NAN])


SMALL_INTEGERS = ("int32", "uint8", "bool")


def _activation(name, options=(), line=LINE, kinks=KINKS, integers=SMALL_INTEGERS):
    """One function of x on arrays of all dtypes and at its kinks, with each of its options."""
    cases = []
    for kwargs in ({}, *options):
        cases += [
            Case(name, (A(3, 5, low=-4, high=4),), kwargs, grad=(0,)),
            Case(name, (line,), kwargs),
            Case(name, (INSIDE,), kwargs, grad=(0,)),
            Case(name, (kinks,), kwargs, grad=(0,)),
        ]
    return [
        *cases,
        Case(name, (A(2, 3, dtype="float64", low=-4, high=4),), grad=(0,)),
        *(Case(name, (A(2, 4, dtype=d, low=-3, high=3),)) for d in integers),
        Case(name, (A(0, 3),), grad=(0,)),
        Case(name, (V(1.5),), grad=(0,)),
        Case(name, ([-1.0, 0.5],)),
    ]


ACTIVATIONS = [
    *_activation("relu", integers=(*SMALL_INTEGERS, "int64")),
    *_activation("relu6"),
    *_activation("leaky_relu", ({"negative_slope": 0.5},), kinks=V([-1.0, 1.0, NAN])),
    *_activation("elu", ({"alpha": 0.5},)),
    *_activation("selu"),
    *_activation("celu", ({"alpha": 0.5}, {"alpha": 2}), kinks=V([-1.0, 0.0, 1.0])),
    *_activation("gelu", ({"approximate": False},), line=INSIDE),
    *_activation("silu", line=INSIDE, integers=()),
    *_activation("swish", line=INSIDE, integers=()),
    *_activation("sigmoid", integers=()),
    *_activation("hard_sigmoid"),
    *_activation("hard_silu", line=INSIDE),
    *_activation("hard_swish", line=INSIDE),
    *_activation("hard_tanh", integers=("int32", "int64", "bool")),
    *_activation("hard_shrink", ({"threshold": 1.0}, {"threshold": 0})),
    *_activation("soft_shrink", ({"threshold": 1.0}, {"threshold": 0})),
    *_activation("tanh_shrink"),
    *_activation("softplus"),
    *_activation("softsign", line=INSIDE),
    *_activation("log_sigmoid", integers=("int32", "uint8")),
    *_activation("squareplus", ({"b": 0.5},)),
    *_activation("sparse_plus"),
    *_activation("sparse_sigmoid"),
]


DIFFERENT_ACTIVATIONS = [
    Case(
        "leaky_relu",
        (V([0.0, -0.0]),),
        grad=(0,),
        differs="The gradient at 0 is negative_slope, as with TensorFlow and PyTorch; with JAX 1.",
        differs_expect=V([0.0, -0.0]),
        differs_gradients=(V([0.2, 0.2]),),
    ),
    Case(
        "leaky_relu",
        (A(3), -0.5),
        differs="A negative slope raises: the gradient is written in terms of the result.",
        differs_expect=ValueError,
    ),
    Case(
        "hard_tanh",
        (V([0, 1, 7], "uint8"),),
        differs="min(x, 1) for uint8: in Keras the lower bound -1 becomes 255.",
        differs_expect=V([0, 1, 1], "uint8"),
    ),
    Case(
        "sparsemax",
        (V([1.0, 0.9, -1.0]),),
        differs="The results have the sum 1, as in the paper. In Keras the threshold is made of "
        "running sums of running sums: wrong where more than one result is positive.",
        differs_expect=V([0.55, 0.45, 0.0]),
        rtol=1e-6,
    ),
]

ALONG_AXES = [
    *(
        case
        for name in ("softmax", "log_softmax")
        for case in (
            Case(name, (A(3, 5),), grad=(0,)),
            Case(name, (A(3, 5, 2),), {"axis": 1}, grad=(0,)),
            Case(name, (A(3, 5, 2), -3), grad=(0,)),
            Case(name, (A(3, 5, 2), (0, 2)), grad=(0,)),
            Case(name, (A(3, 5, 2), (2, 1)), grad=(0,)),
            Case(name, (A(3, 5), None), grad=(0,)),
            Case(name, (A(3, 5, dtype="float64", low=-40, high=40),), grad=(0,)),
            Case(name, (A(2, 4, dtype="int32"),)),
            Case(name, (A(2, 3, special=(-INF,)),)),
            Case(name, (A(2, 3, special=(NAN,)),)),
            Case(name, (A(2, 3, low=80, high=100),), grad=(0,)),
            Case(name, (A(3, 1),), grad=(0,)),
            Case(name, (A(0, 4),), grad=(0,)),
            Case(name, (A(3, 5), 2), raises=ValueError),
        )
    ),
    Case("sparsemax", (V([[3.0, 1.0, -2.0], [0.5, -4.0, 2.0]]),), grad=(0,)),
    Case("sparsemax", (V([[3.0, 1.0], [0.5, 2.0]]), 0), grad=(0,)),
    Case("sparsemax", (V([[3.0, 1.0], [0.5, 2.0]], "float64"),), {"axis": -2}, grad=(0,)),
    Case("sparsemax", (V([[0.3], [-5.0]]),), grad=(0,)),
    Case("sparsemax", (V([[3, 1, -2]], "int32"),)),
    Case("sparsemax", (A(2, 3), 2), raises=ValueError),
    Case("glu", (A(3, 6),), grad=(0,)),
    Case("glu", (A(4, 3, 2),), {"axis": 0}, grad=(0,)),
    Case("glu", (A(3, 6, dtype="float64"), -1), grad=(0,)),
    Case("glu", (A(3, 5),), raises=ValueError),
    Case("glu", (A(3, 4), 2), raises=ValueError),
    Case("glu", (A(3, 0),), grad=(0,)),
    Case("threshold", (A(3, 5), 0.5, 0.0), grad=(0,)),
    Case("threshold", (A(3, 5, special=(NAN, INF, -INF)), -0.5, 7.0)),
    Case("threshold", (V([-1.0, 0.0, 1.0]),), {"threshold": 0, "default_value": -2}, grad=(0,)),
    Case("threshold", (A(3, 5, dtype="float64"), 0.5, 0.25), grad=(0,)),
    Case("threshold", (A(3, 5, dtype="int32", low=-9, high=9), 1, 0)),
    Case("threshold", (A(3, 5, dtype="int32", low=-9, high=9), 1, 0.5)),
]

IMAGE, LINES = A(2, 5, 6, 3), A(2, 7, 3)


def _at_size(name, x, size, **kwargs):
    """A pooling without strides, which with JAX this Keras has to be given."""

    def call(k, x):
        strides = size if k.__name__ == "keras" else None
        return getattr(k.ops, name)(x, size, strides, **kwargs)

    return Case(name, (x,), call=call, grad=(0,))


def _pooling(name):
    return [
        _at_size(name, LINES, 2),
        Case(name, (LINES, 3, 2), grad=(0,)),
        Case(name, (LINES, (3,), (1,), "same"), grad=(0,)),
        _at_size(name, IMAGE, (2, 2)),
        Case(name, (IMAGE, (3, 2)), {"strides": 1, "padding": "same"}, grad=(0,)),
        Case(name, (IMAGE, (2, 3)), {"strides": (2, 1)}, grad=(0,)),
        _at_size(name, IMAGE, 3, padding="SAME", data_format="channels_last"),
        _at_size(name, IMAGE, 2, data_format="channels_first"),
        _at_size(name, LINES, 2, data_format="channels_first", padding="same"),
        _at_size(name, A(1, 4, 4, 2, dtype="float64"), 2),
        Case(name, (A(1, 4, 4, 2, special=(NAN, INF, -INF)), 2, 2)),
        _at_size(name, A(1, 4, 4, 2), 1),
        _at_size(name, A(0, 4, 4, 2), 2),
        Case(name, (IMAGE, 2, 2), {"padding": "full"}, raises=ValueError),
        Case(name, (IMAGE, 2, 2), {"data_format": "first"}, raises=ValueError),
        Case(name, (IMAGE, (2, 2, 2), 2), raises=ValueError),
        Case(name, (IMAGE, 2, 0), raises=ValueError),
    ]


def _adaptive(name):
    return [
        Case(name, (LINES, 3), grad=(0,)),
        Case(name, (LINES, (6,)), grad=(0,)),
        Case(name, (LINES, 10), grad=(0,)),
        Case(name, (LINES, 1), grad=(0,)),
        Case(name, (LINES, 5), grad=(0,)),
        Case(name, (IMAGE, 2), grad=(0,)),
        Case(name, (IMAGE, (3, 4)), grad=(0,)),
        Case(name, (IMAGE, (5, 3)), {"data_format": "channels_last"}, grad=(0,)),
        Case(name, (A(2, 3, 6, 5), (3, 2)), {"data_format": "channels_first"}, grad=(0,)),
        Case(name, (A(1, 6, 4, 2, dtype="float64"), (3, 3)), grad=(0,)),
        Case(name, (A(2, 3), 1), raises=ValueError),
        Case(name, (IMAGE, 0), raises=ValueError),
    ]


POOLING = [
    *_pooling("max_pool"),
    *_pooling("average_pool"),
    *_adaptive("adaptive_average_pool"),
    *_adaptive("adaptive_max_pool"),
    Case("adaptive_average_pool", (A(1, 4, 1, dtype="int32"), 2)),
    Case("max_pool", (A(1, 4, 1, dtype="int32"), 2), raises=TypeError),
    # Ties: the first of a window has the gradient.
    Case("max_pool", (V([[[1.0], [1.0], [0.0], [1.0]]]), 3, 1), grad=(0,)),
    _at_size("max_pool", V([[[[1.0], [1.0]], [[1.0], [1.0]]]]), 2),
    Case("adaptive_max_pool", (V([[[[1.0], [2.0]], [[2.0], [1.0]]]]), 1), grad=(0,)),
]

KERNEL = A(2, 3, 3, 4)
CONVOLUTIONS = [
    Case("conv", (LINES, A(3, 3, 4)), grad=(0, 1)),
    Case("conv", (LINES, A(3, 3, 4)), {"strides": 2, "padding": "same"}, grad=(0, 1)),
    Case("conv", (LINES, A(2, 3, 4)), {"dilation_rate": (3,), "strides": (2,)}, grad=(0, 1)),
    Case("conv", (IMAGE, KERNEL), grad=(0, 1)),
    Case("conv", (IMAGE, KERNEL, (2, 1), "same"), grad=(0, 1)),
    Case("conv", (IMAGE, KERNEL), {"padding": "SAME", "dilation_rate": 2}, grad=(0, 1)),
    Case("conv", (IMAGE, A(2, 2, 1, 6)), {"data_format": "channels_last"}, grad=(0, 1)),
    Case("conv", (A(2, 5, 6, 4), A(2, 2, 2, 6)), {"padding": "same"}, grad=(0, 1)),
    Case("conv", (A(2, 3, 5, 6), KERNEL), {"data_format": "channels_first"}, grad=(0, 1)),
    Case("conv", (A(2, 3, 7), A(2, 3, 4), 2), {"data_format": "channels_first"}, grad=(0, 1)),
    Case("conv", (A(1, 4, 4, 2, dtype="float64"), A(2, 2, 2, 3, dtype="float64")), grad=(0, 1)),
    Case("conv", (A(1, 4, 4, 2, dtype="int32"), A(2, 2, 2, 3)), grad=(1,)),
    Case("conv", (A(1, 4, 4, 2, dtype="float64"), A(2, 2, 2, 3))),
    Case("conv", (IMAGE, A(6, 2, 3, 4)), raises=ValueError),
    Case("conv", (IMAGE, A(2, 2, 2, 4)), raises=ValueError),
    Case("conv", (IMAGE, A(2, 2, 1, 4)), raises=ValueError),
    Case("conv", (IMAGE, A(2, 3, 4)), raises=ValueError),
    Case("conv", (IMAGE, KERNEL), {"padding": "causal"}, raises=ValueError),
    Case("conv", (IMAGE, KERNEL), {"strides": 0}, raises=ValueError),
    Case("conv", (IMAGE, KERNEL), {"strides": (1, 1, 1)}, raises=ValueError),
    Case("depthwise_conv", (LINES, A(3, 3, 2)), grad=(0, 1)),
    Case("depthwise_conv", (LINES, A(3, 3, 1), 2, "same"), grad=(0, 1)),
    Case("depthwise_conv", (LINES, A(2, 3, 1)), {"dilation_rate": 2}, grad=(0, 1)),
    Case("depthwise_conv", (IMAGE, A(2, 3, 3, 2)), grad=(0, 1)),
    Case("depthwise_conv", (IMAGE, A(3, 3, 3, 1)), {"strides": 2, "padding": "same"}, grad=(0, 1)),
    Case("depthwise_conv", (IMAGE, A(2, 2, 3, 1)), {"dilation_rate": (2, 1)}, grad=(0, 1)),
    Case(
        "depthwise_conv",
        (A(2, 3, 5, 6), A(2, 3, 3, 2)),
        {"data_format": "channels_first"},
        grad=(0, 1),
    ),
    Case("depthwise_conv", (IMAGE, A(2, 2, 2, 1)), raises=ValueError),
    Case("separable_conv", (LINES, A(3, 3, 2), A(1, 6, 4)), grad=(0, 1, 2)),
    Case("separable_conv", (IMAGE, A(2, 3, 3, 2), A(1, 1, 6, 4)), grad=(0, 1, 2)),
    Case("separable_conv", (IMAGE, A(2, 3, 3, 1), A(1, 1, 3, 4), 2, "same"), grad=(0, 1, 2)),
    Case(
        "separable_conv",
        (A(2, 3, 5, 6), A(2, 3, 3, 1), A(1, 1, 3, 4)),
        {"data_format": "channels_first", "dilation_rate": 2},
        grad=(0, 1, 2),
    ),
    Case("conv_transpose", (LINES, A(3, 4, 3)), grad=(0, 1)),
    Case("conv_transpose", (LINES, A(3, 4, 3), 2, "same"), grad=(0, 1)),
    Case("conv_transpose", (LINES, A(2, 4, 3), 3), grad=(0, 1)),
    Case("conv_transpose", (LINES, A(3, 4, 3), 2), {"output_padding": 1}, grad=(0, 1)),
    Case("conv_transpose", (IMAGE, A(2, 3, 4, 3)), grad=(0, 1)),
    Case("conv_transpose", (IMAGE, A(3, 3, 4, 3), (2, 1), "same"), grad=(0, 1)),
    Case(
        "conv_transpose",
        (IMAGE, A(3, 3, 4, 3)),
        {"strides": 2, "padding": "same", "output_padding": (1, 0)},
        grad=(0, 1),
    ),
    Case("conv_transpose", (IMAGE, A(2, 2, 4, 3)), {"dilation_rate": 2}, grad=(0, 1)),
    Case(
        "conv_transpose",
        (A(2, 3, 5, 6), A(2, 2, 4, 3), 2),
        {"data_format": "channels_first"},
        grad=(0, 1),
    ),
    Case("conv_transpose", (IMAGE, A(2, 2, 4, 2)), raises=ValueError),
]

WALK = [[[1.0], [5.0], [2.0], [6.0], [3.0], [7.0], [4.0]]]
THREE = "There are kernels for one and two spatial axes; three raise."
EMPTY = "A window that is larger than the inputs raises; Keras gives a result without elements."
INTEGERS = "Integers raise: cast them to floats."
ROUNDED = "Windows end where their definition says; with JAX some are one too long, by rounding."
DIFFERENT_WINDOWS = [
    *(
        Case(name, (V(WALK), 7), differs=ROUNDED, differs_expect=V(WALK))
        for name in ("adaptive_average_pool", "adaptive_max_pool")
    ),
    *(
        Case(name, args, differs=THREE, differs_expect=ValueError)
        for name, args in (
            ("max_pool", (A(1, 2, 2, 2, 1), 2, 2)),
            ("average_pool", (A(1, 2, 2, 2, 1), 2, 2)),
            ("adaptive_average_pool", (A(1, 2, 2, 2, 1), 1)),
            ("adaptive_max_pool", (A(1, 2, 2, 2, 1), 1)),
            ("conv", (A(1, 2, 2, 2, 1), A(1, 1, 1, 1, 1))),
            ("depthwise_conv", (A(1, 2, 2, 2, 1), A(1, 1, 1, 1, 1))),
            ("separable_conv", (A(1, 2, 2, 2, 1), A(1, 1, 1, 1, 1), A(1, 1, 1, 1, 1))),
            ("conv_transpose", (A(1, 2, 2, 2, 1), A(1, 1, 1, 1, 1))),
        )
    ),
    Case("max_pool", (IMAGE, 6, 6), differs=EMPTY, differs_expect=ValueError),
    Case("average_pool", (IMAGE, 6, 6), differs=EMPTY, differs_expect=ValueError),
    Case("depthwise_conv", (IMAGE, A(6, 2, 3, 1)), differs=EMPTY, differs_expect=ValueError),
    Case(
        "conv",
        (A(1, 4, 4, 2, dtype="int32"), A(2, 2, 2, 3, dtype="int32")),
        differs=INTEGERS,
        differs_expect=TypeError,
    ),
    Case(
        "adaptive_max_pool",
        (A(1, 4, 1, dtype="int32"), 2),
        differs=INTEGERS,
        differs_expect=TypeError,
    ),
    Case(
        "conv_transpose",
        (LINES, A(2, 4, 3), 2),
        {"output_padding": 2},
        differs="output_padding must be less than the strides, as the layers ask for.",
        differs_expect=ValueError,
    ),
]

PATCHES = [
    Case("unfold", (A(2, 3, 5, 6), 2), grad=(0,)),
    Case("unfold", (A(2, 3, 5, 6), (2, 3), 1, (1, 0), (2, 1)), grad=(0,)),
    Case("unfold", (A(2, 3, 5, 6), [2, 2]), {"dilation": (2, 3), "padding": 2}, grad=(0,)),
    Case("unfold", (A(1, 2, 4, 4, dtype="float64"), 3), {"stride": 1}, grad=(0,)),
    Case("unfold", (A(3, 5, 6), 2), raises=ValueError),
    Case("fold", (A(2, 12, 9), (4, 4), 2), grad=(0,)),
    Case("fold", (A(2, 12, 12), (4, 5), (2, 2), 1, (0, 0), (1, 1)), grad=(0,)),
    Case("fold", (A(2, 8, 9), 4, 2), {"padding": 1, "stride": 2}, grad=(0,)),
    Case("fold", (A(2, 8, 16), 6, 2), {"dilation": 2}, grad=(0,)),
    Case("fold", (A(2, 8, 4, dtype="float64"), 4, 2), {"stride": 2}, grad=(0,)),
    Case(
        "fold",
        (V([[[1.0], [2.0], [3.0], [4.0]]]), 3, 2),
        {"stride": 2},
        differs="The images have the output_size that is asked for, with zeros where no window "
        "reaches; with JAX they end at the last window.",
        differs_expect=V([[[[1.0, 2.0, 0.0], [3.0, 4.0, 0.0], [0.0, 0.0, 0.0]]]]),
    ),
    Case("fold", (A(2, 12, 8), 4, 2), raises=ValueError),
    Case("fold", (A(2, 11, 9), 4, 2), raises=ValueError),
    Case("fold", (A(2, 3, 12, 9), 4, 2), raises=ValueError),
    Case("depth_to_space", (A(2, 2, 3, 8), 2), grad=(0,)),
    Case("depth_to_space", (A(1, 2, 1, 9, dtype="int32"), 3)),
    Case("depth_to_space", (A(2, 8, 2, 3), 2, "channels_first"), grad=(0,)),
    Case("depth_to_space", (A(2, 2, 3, 6), 2), raises=ValueError),
    Case("depth_to_space", (A(2, 2, 3, 8), 1), raises=ValueError),
    Case("space_to_depth", (A(2, 4, 6, 2), 2), grad=(0,)),
    Case("space_to_depth", (A(1, 3, 6, 1, dtype="bool"), 3)),
    Case("space_to_depth", (A(2, 2, 4, 6), 2, "channels_first"), grad=(0,)),
    Case("space_to_depth", (A(2, 4, 6, 2), 4), raises=ValueError),
    Case("space_to_depth", (A(4, 6, 2), 2), raises=ValueError),
]

P, T = A(4, 3, low=0.05, high=0.95), A(4, 3, low=0, high=1)
CROSSENTROPIES = [
    Case("binary_crossentropy", (T, P), grad=(0, 1)),
    Case("binary_crossentropy", (T, A(4, 3, low=-6, high=6)), {"from_logits": True}, grad=(0, 1)),
    Case("binary_crossentropy", (V([0.0, 1.0, 1.0, 0.0]), V([0.0, 0.0, 1.0, 1.0])), grad=(0, 1)),
    Case("binary_crossentropy", (V([0.0, 1.0]), V([-200.0, 200.0]), True), grad=(0, 1)),
    Case("binary_crossentropy", (A(4, 3, dtype="int32", low=0, high=1), P), grad=(1,)),
    Case(
        "binary_crossentropy",
        (A(4, dtype="float64", low=0, high=1), A(4, dtype="float64", low=0.1, high=0.9)),
        grad=(0, 1),
    ),
    Case("binary_crossentropy", (A(4, 3), A(4)), raises=ValueError),
    Case("categorical_crossentropy", (T, P), grad=(0, 1)),
    Case("categorical_crossentropy", (T, P), {"axis": 0}, grad=(0, 1)),
    Case("categorical_crossentropy", (T, A(4, 3, low=-6, high=6), True), grad=(0, 1)),
    Case("categorical_crossentropy", (T, A(4, 3), True, 0), grad=(0, 1)),
    Case("categorical_crossentropy", (V([[0.0, 1.0]]), V([[1.0, 0.0]])), grad=(0, 1)),
    Case("categorical_crossentropy", (A(4, 3), A(4, 2)), raises=ValueError),
    Case("categorical_crossentropy", (V(1.0), V(1.0)), raises=ValueError),
    Case("sparse_categorical_crossentropy", (V([0, 2, 1, 1], "int32"), P), grad=(1,)),
    Case("sparse_categorical_crossentropy", (V([[0], [2], [1], [1]], "int32"), P), grad=(1,)),
    Case("sparse_categorical_crossentropy", (V([0, 2, 1, 1], "int32"), A(4, 3), True), grad=(1,)),
    Case(
        "sparse_categorical_crossentropy",
        (A(2, 3, dtype="int32", low=0, high=2), A(2, 3, 3)),
        {"from_logits": True, "axis": 1},
        grad=(1,),
    ),
    Case("sparse_categorical_crossentropy", (V([0, 5, -1, 1], "int32"), P), grad=(1,)),
    Case("sparse_categorical_crossentropy", (V([0.0, 2.0, 1.0, 1.0]), P)),
    Case("sparse_categorical_crossentropy", (V([0, 1], "int32"), P), raises=ValueError),
    Case("psnr", (P, T, 1.0), grad=(0, 1)),
    Case("psnr", (P, T), {"max_val": 255}, grad=(0, 1)),
    Case("psnr", (V([1.0, 2.0]), V([1.0, 2.0]), 2.0)),
    Case("psnr", (A(3, dtype="float64"), A(3, dtype="float64"), 2.0), grad=(0, 1)),
    Case("psnr", (A(3), A(4), 1.0), raises=ValueError),
    Case(
        "psnr",
        (V([3, 250], "uint8"), V([5, 0], "uint8"), 255),
        differs="Differences of uint8 are taken in floats: they wrap in Keras.",
        differs_expect=V(3.1820255),
        rtol=1e-5,
    ),
]

SINGLE = "Keras computes it in float32"
VECTOR = A(3, low=0.5, high=2)
NORMALISATIONS = [
    Case("moments", (A(2, 3, 4), [0, 1]), grad=(0,)),
    Case("moments", (A(2, 3, 4), (-1,)), {"keepdims": True}, grad=(0,)),
    Case("moments", (A(2, 3, 4), 1), grad=(0,)),
    Case("moments", (A(5, dtype="float64"), [0]), grad=(0,)),
    Case("moments", (A(2, 3, dtype="int32"), (0,))),
    Case("moments", (A(2, 3), (2,)), raises=ValueError),
    Case("batch_normalization", (A(4, 3), VECTOR, VECTOR, -1), grad=(0, 1, 2)),
    Case(
        "batch_normalization",
        (A(2, 4, 5, 3), VECTOR, VECTOR, 3, A(3), A(3), 0.1),
        grad=(0, 1, 2, 4, 5),
    ),
    Case("batch_normalization", (A(4, 3), VECTOR, VECTOR, 1, A(3)), grad=(0, 1, 2, 4)),
    Case(
        "batch_normalization",
        (A(2, 3, 4), VECTOR, VECTOR),
        {"axis": 1, "scale": A(3), "epsilon": 0.01},
        grad=(0, 1, 2, "scale"),
    ),
    Case(
        "batch_normalization",
        (A(2, 3, 4), VECTOR, VECTOR, -2, A(3), A(3)),
        grad=(0, 1, 2, 4, 5),
    ),
    Case("batch_normalization", (A(3), VECTOR, VECTOR, 0), grad=(0, 1, 2)),
    Case("batch_normalization", (A(4, 3, dtype="int32"), VECTOR, VECTOR, -1), grad=(1, 2)),
    Case("batch_normalization", (A(4, 3), VECTOR, VECTOR, 0), raises=ValueError),
    Case("batch_normalization", (A(4, 3), VECTOR, VECTOR, 2), raises=ValueError),
    Case("layer_normalization", (A(4, 6),), grad=(0,)),
    Case("layer_normalization", (A(4, 6), A(6), A(6)), grad=(0, 1, 2)),
    Case("layer_normalization", (A(4, 6),), {"beta": A(6), "epsilon": 0.1}, grad=(0, "beta")),
    Case("layer_normalization", (A(2, 3, 4), A(3, 4), A(3, 4), (1, 2)), grad=(0, 1, 2)),
    Case("layer_normalization", (A(2, 3, 4), A(3), A(3), 1), grad=(0, 1, 2)),
    Case("layer_normalization", (A(2, 3, 4), A(2, 4), None, [0, 2]), grad=(0, 1)),
    Case("layer_normalization", (A(2, 3, 4), A(1, 3, 1)), {"axis": 1}, grad=(0, 1)),
    Case("layer_normalization", (A(6), A(6)), {"axis": 0}, grad=(0, 1)),
    Case("layer_normalization", (A(4, 6), A(6)), {"rms_scaling": True}, grad=(0, 1)),
    Case(
        "layer_normalization",
        (A(4, 6, dtype="float64"), A(6, dtype="float64")),
        grad=(0, 1),
        rtol=1e-6,
        atol=1e-6,
        why=SINGLE,
    ),
    Case("layer_normalization", (A(4, 6, dtype="int32", low=-9, high=9),)),
    Case("layer_normalization", (A(4, 6), A(5)), raises=ValueError),
    Case("layer_normalization", (A(2, 3, 4), A(5), None, 1), raises=ValueError),
    Case("layer_normalization", (A(4, 6), None, None, 2), raises=ValueError),
    Case("rms_normalization", (A(4, 6),), grad=(0,)),
    Case("rms_normalization", (A(4, 6), A(6)), grad=(0, 1)),
    Case("rms_normalization", (A(2, 3, 4), A(3, 1)), {"axis": 1, "epsilon": 0.1}, grad=(0, 1)),
    Case("rms_normalization", (A(2, 3, 4),), {"axis": (0, 2)}, grad=(0,)),
    Case(
        "rms_normalization",
        (A(4, 6, dtype="float64"),),
        grad=(0,),
        rtol=1e-6,
        atol=1e-6,
        why=SINGLE,
    ),
    Case("rms_normalization", (A(4, 6, dtype="int32", low=-9, high=9),)),
    Case("rms_normalization", (V(3.0),)),
    Case("normalize", (A(4, 6),), grad=(0,)),
    Case("normalize", (A(4, 6), 0), grad=(0,)),
    Case("normalize", (A(2, 3, 4), (0, 2)), grad=(0,)),
    Case("normalize", (A(4, 6), None), grad=(0,)),
    Case("normalize", (A(4, 6), -1, 1), grad=(0,)),
    Case("normalize", (A(4, 6), -1, 3), grad=(0,)),
    Case("normalize", (A(4, 6),), {"order": 4, "epsilon": 5.0}, grad=(0,)),
    Case("normalize", (A(4, 6),), {"epsilon": 5.0}, grad=(0,)),
    Case("normalize", (A(2, 3, 4), (0, 1), 1), grad=(0,)),
    Case("normalize", (V([[0.0, 0.0], [3.0, 4.0]]),)),
    Case("normalize", (V([[0.0, 0.0], [3.0, 4.0]]), -1, 1), grad=(0,)),
    Case("normalize", (V([[0.0, 0.0], [3.0, 4.0]]), -1, 3)),
    Case("normalize", (A(4, 6, dtype="float64"),), grad=(0,)),
    Case("normalize", (A(4, 6, dtype="int32"), -1, 1)),
    Case("normalize", (V(3.0),)),
    Case("normalize", (A(4, 6), -1, 0), raises=ValueError),
    Case("normalize", (A(2, 3, 4), (0, 1, 2), 1), raises=ValueError),
    Case("normalize", (A(4, 6), 2), raises=ValueError),
]

CASES = [
    *ACTIVATIONS,
    *DIFFERENT_ACTIVATIONS,
    *ALONG_AXES,
    *POOLING,
    *CONVOLUTIONS,
    *DIFFERENT_WINDOWS,
    *PATCHES,
    *CROSSENTROPIES,
    *NORMALISATIONS,
]
