"""Random stacks of layers, trained on both engines: the same numbers, the same refusals.

`search(seed, cases, report)` draws models, optimizers, losses, dtypes, memory layouts and sizes
with Hypothesis. Both engines train each model from the same weights; in float64 they must agree, in
float32 one thread and three must give the same bits. What one engine refuses the other refuses,
with ValueError, TypeError or NotImplementedError and nothing else.
"""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

import dlnative
from dlnative import layers

# Engines differ by rounding, which kinks, small variances and roots of small squares enlarge.
TOLERANCE = 1e-6
RUNS = 3  # steps of an epoch at most

FINITE = st.sampled_from([0.0, 0.05, 0.3])
SIZES = st.sampled_from([0, 1, 1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 33])
CHANNELS = st.sampled_from([1, 1, 2, 3, 4, 8, 16, 17])
WINDOWS = st.sampled_from([1, 2, 3, 3, 5])
STRIDES = st.sampled_from([1, 1, 1, 2, 3])
PADDINGS = st.sampled_from(["valid", "same"])
ACTIVATIONS = st.sampled_from(
    [None, "relu", "tanh", "sigmoid", "softplus", "elu", "gelu", "silu", "leaky_relu", "softmax"]
)


@st.composite
def optimizers(draw):
    """A constructor's name and its arguments."""
    name = draw(st.sampled_from(["SGD", "Adam", "RMSprop", "Adagrad"]))
    options = {"learning_rate": draw(st.sampled_from([0.0, 0.001, 0.05]))}
    if draw(st.booleans()):
        options["weight_decay"] = draw(FINITE)
    limit = draw(st.sampled_from([None, None, "clipnorm", "clipvalue", "global_clipnorm"]))
    if limit:
        options[limit] = draw(st.sampled_from([0.01, 1.0]))
    if name in ("SGD", "RMSprop"):
        options["momentum"] = draw(st.sampled_from([0.0, 0.9]))
    if name == "SGD":
        options["nesterov"] = draw(st.booleans())
    if name == "RMSprop":
        options["centered"] = draw(st.booleans())
    if name == "Adam":
        options["amsgrad"] = draw(st.booleans())
    return name, options


@st.composite
def layer_of(draw, rank):
    """(class name, positional arguments, keyword arguments, rank of the output)."""
    common = [
        ("Activation", [draw(ACTIVATIONS) or "relu"], {}, rank),
        (
            "Dropout",
            [draw(st.sampled_from([0.0, 0.3, 0.9]))],
            {"seed": draw(st.integers(0, 9))},
            rank,
        ),
        ("BatchNormalization", [], {"momentum": 0.7, "trainable": draw(st.booleans())}, rank),
        ("LayerNormalization", [], {}, rank),
        ("Rescaling", [0.5], {"offset": -0.25}, rank),
        ("LeakyReLU", [], {"negative_slope": 0.3}, rank),
        ("PReLU", [], {}, rank),
    ]
    filters, window, stride = draw(CHANNELS), draw(WINDOWS), draw(STRIDES)
    padding, activation = draw(PADDINGS), draw(ACTIVATIONS)
    dense = {
        "activation": activation,
        "use_bias": draw(st.booleans()),
        "kernel_regularizer": draw(st.sampled_from([None, None, "l2", "l1_l2"])),
    }
    convolution = {**dense, "strides": stride, "padding": padding}
    if draw(st.booleans()) and stride == 1:
        convolution["dilation_rate"] = 2
    pooling = {"strides": draw(st.sampled_from([None, 1, 2])), "padding": padding}
    if rank == 1:
        special = [("Dense", [draw(CHANNELS)], dense, 1)] * 3
    elif rank == 2:
        special = [
            ("Conv1D", [filters, window], convolution, 2),
            ("MaxPooling1D", [window], pooling, 2),
            ("AveragePooling1D", [window], pooling, 2),
            ("GlobalMaxPooling1D", [], {}, 1),
            ("SpatialDropout1D", [0.3], {"seed": 1}, 2),
            ("Flatten", [], {}, 1),
            ("Dense", [draw(CHANNELS)], dense, 2),
        ]
    else:
        plain = {key: value for key, value in convolution.items() if key != "kernel_regularizer"}
        special = [
            ("Conv2D", [filters, window], convolution, 3),
            ("Conv2D", [filters, 3], {"padding": "same", "activation": "relu"}, 3),
            ("DepthwiseConv2D", [window], plain, 3),
            ("SeparableConv2D", [filters, window], plain, 3),
            ("Conv2DTranspose", [filters, window], {"strides": stride, "padding": padding}, 3),
            ("MaxPooling2D", [window], pooling, 3),
            ("AveragePooling2D", [window], pooling, 3),
            ("GlobalAveragePooling2D", [], {}, 1),
            ("GlobalMaxPooling2D", [], {}, 1),
            ("SpatialDropout2D", [0.3], {"seed": 1}, 3),
            (
                "UpSampling2D",
                [2],
                {"interpolation": draw(st.sampled_from(["nearest", "bilinear"]))},
                3,
            ),
            ("ZeroPadding2D", [1], {}, 3),
            ("RandomFlip", ["horizontal_and_vertical"], {"seed": 2}, 3),
            ("RandomTranslation", [0.2, 0.3], {"seed": 3, "fill_mode": "constant"}, 3),
            ("Flatten", [], {}, 1),
        ]
    return draw(st.sampled_from(special + special + common))


@st.composite
def problems(draw):
    """Everything that a training run depends on."""
    rank = draw(st.sampled_from([1, 2, 3, 3]))
    shape = tuple(draw(SIZES) for _ in range(rank - 1)) + (draw(CHANNELS),)
    stack, now = [], rank
    for _ in range(draw(st.integers(0, 4))):
        stack.append(draw(layer_of(now)))
        now = stack[-1][3]
    return {
        "shape": shape,
        "stack": stack,
        "rank": now,
        "residual": draw(st.booleans()),
        "classes": draw(st.sampled_from([1, 2, 3, 10])),
        "loss": draw(
            st.sampled_from(
                ["mse", "mae", "sparse_categorical_crossentropy", "categorical_crossentropy"]
            )
        ),
        "optimizer": draw(optimizers()),
        "rows": draw(st.sampled_from([0, 1, 2, 3, 5, 8, 11, 16])),
        "batch": draw(st.sampled_from([1, 3, 4, 8, 32])),
        "weights": draw(st.sampled_from([None, None, "sample", "class"])),
        "layout": draw(st.sampled_from(sorted(LAYOUTS))),
        "dtype": draw(st.sampled_from(["float64", "float64", "float32"])),
        "shuffle": draw(st.booleans()),
        "seed": draw(st.integers(0, 2**32)),
    }


def unaligned(x):
    """The same values at an odd address."""
    raw = np.zeros(x.nbytes + 1, np.uint8)[1:]
    view = raw.view(x.dtype) if x.size else x
    view = np.ndarray(x.shape, x.dtype, raw)
    view[...] = x
    return view


LAYOUTS = {
    "C": lambda x: x,
    "Fortran": np.asfortranarray,
    "every second row": lambda x: np.repeat(x, 2, axis=0)[::2],
    "reversed": lambda x: x[::-1].copy()[::-1],
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
    "float16": lambda x: x.astype("float16"),
    "int8": lambda x: (4 * x).astype("int8"),
    "bool": lambda x: x > 0,
    "unaligned": unaligned,
}


def build(problem):
    """The model, compiled; the same weights for the same problem."""
    dlnative.utils.set_random_seed(problem["seed"])
    dtype = problem["dtype"]
    x = inputs = dlnative.Input(problem["shape"], dtype=dtype)
    for name, arguments, options, _ in problem["stack"]:
        y = getattr(layers, name)(*arguments, **options, dtype=dtype)(x)
        if problem["residual"] and y.shape == x.shape:
            y = layers.Add(dtype=dtype)([y, x])
        x = y
    if problem["rank"] > 1:
        x = layers.Flatten(dtype=dtype)(x)
    softmax = "softmax" if problem["loss"].endswith("crossentropy") else None
    x = layers.Dense(problem["classes"], activation=softmax, dtype=dtype)(x)
    model = dlnative.Model(inputs, x)
    name, options = problem["optimizer"]
    metrics = ["mse"] if softmax is None else ["accuracy"]
    model.compile(getattr(dlnative.optimizers, name)(**options), problem["loss"], metrics=metrics)
    return model


def data(problem):
    rng = np.random.default_rng(problem["seed"])
    rows, classes = problem["rows"], problem["classes"]
    x = LAYOUTS[problem["layout"]](rng.standard_normal((rows, *problem["shape"])))
    numbers = rng.integers(0, classes, rows)
    y = {
        "sparse_categorical_crossentropy": numbers,
        "categorical_crossentropy": np.eye(classes)[numbers],
    }
    options = {}
    if problem["weights"] == "sample":
        options["sample_weight"] = rng.uniform(0, 2, rows)
    elif problem["weights"] == "class" and "crossentropy" in problem["loss"]:
        options["class_weight"] = {i: 0.5 + i for i in range(classes)}
    return x, y.get(problem["loss"], rng.standard_normal((rows, classes))), options


def run(problem, engine, threads):
    """(what it ended in, numbers): "refused" with the kind of error, or "trained"."""
    dlnative.config.set_num_threads(threads)
    with dlnative.engine(engine):
        try:
            model = build(problem)
            x, y, options = data(problem)
            history = model.fit(
                x,
                y,
                batch_size=problem["batch"],
                epochs=2,
                shuffle=problem["shuffle"],
                verbose=0,
                **options,
            )
            results = [
                np.array([history.history[name] for name in sorted(history.history)]),
                *model.get_weights(),
                *(np.asarray(v.value, "float64") for v in model.optimizer.variables),
                model.predict(x, batch_size=problem["batch"], verbose=0),
                model.predict(x[:1], verbose=0),
            ]
        except (ValueError, TypeError, NotImplementedError) as error:
            return type(error).__name__, str(error)
    return "trained", results


def difference(a, b):
    """The largest difference of two lists of arrays, relative to the size of each array."""
    worst = 0.0
    for u, v in zip(a, b, strict=True):
        if u.shape != v.shape:
            return np.inf
        if not u.size:
            continue
        with np.errstate(all="ignore"):
            odd = ~np.isfinite(u) | ~np.isfinite(v)
            if not np.array_equal(u[odd], v[odd], equal_nan=True):
                return np.inf
            scale = max(1.0, float(np.abs(v[~odd]).max(initial=0)))
            worst = max(worst, float(np.abs(u[~odd] - v[~odd]).max(initial=0)) / scale)
    return worst


def check(problem):
    """A description of what is wrong with this problem, or None."""
    native, single = run(problem, "native", 3), run(problem, "native", 1)
    if native[0] != single[0]:
        return f"three threads: {native}, one: {single}"
    if native[0] == "trained" and difference_of_bits(native[1], single[1]):
        return "one thread and three give different bits"
    oracle = run(problem, "numpy", 1)
    if native[0] != oracle[0]:
        return f"native: {native[:1]} {native[1]!s:.300}, oracle: {oracle[:1]} {oracle[1]!s:.300}"
    if native[0] != "trained" or problem["dtype"] != "float64":
        return None
    worst = difference(native[1], oracle[1])
    return f"engines differ by {worst:.2g}" if worst > TOLERANCE else None


def difference_of_bits(a, b):
    return any(not np.array_equal(u, v, equal_nan=True) for u, v in zip(a, b, strict=True))


def search(seed, cases, report):
    """Trains random models.

    Args:
        seed: An integer; the same one gives the same models.
        cases: How many.
        report: Called with a description of the smallest failing model, if any fails.
    """

    @seeded(seed)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(problems())
    def trial(problem):
        wrong = check(problem)
        assert wrong is None, f"{wrong}: {problem}"

    threads = dlnative.config.num_threads()
    try:
        trial()
    except Exception as error:  # whatever it is, it is a finding
        report(f"stacks: {type(error).__name__}: {error}")
    finally:
        dlnative.config.set_num_threads(threads)
