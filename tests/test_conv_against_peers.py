"""Convolutions and a whole ResNet-20 against Keras (on JAX) and PyTorch: the same numbers.

Layers are compared within twice the rounding error of a sum of products in float32. Training in
float64 is compared tightly with PyTorch's. In float32, a rounding error may turn a ReLU on or off,
and the difference grows from there on, whoever makes it; so runs may differ by as much as float64
runs do from initial weights that are changed by the size of float32's errors.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest

import dlnative
from dlnative import applications

pytestmark = [
    pytest.mark.native,  # layers and ResNets take minutes on the oracle, which it names itself
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

EPS = 2.0**-24


@pytest.fixture(scope="module")
def torch():
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)  # its threads get in each other's way on such small images
    return torch


@pytest.fixture(scope="module", params=["numpy", "native"])
def engine(request):
    if request.param == "native":
        pytest.importorskip("dlnative._core")
    with dlnative.engine(request.param):
        yield request.param


def values(*shape, seed=0):
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape).astype("float32")


SEQUENCE, IMAGE = (3, 13, 4), (2, 9, 8, 4)
CASES = [  # class, arguments, shape of x
    ("Conv1D", {"filters": 5, "kernel_size": 3}, SEQUENCE),
    ("Conv1D", {"filters": 5, "kernel_size": 4, "strides": 2, "padding": "same"}, SEQUENCE),
    ("Conv1D", {"filters": 6, "kernel_size": 3, "dilation_rate": 2, "groups": 2}, SEQUENCE),
    ("Conv1D", {"filters": 5, "kernel_size": 3, "padding": "causal"}, SEQUENCE),
    (
        "Conv1D",
        {"filters": 5, "kernel_size": 2, "padding": "causal", "dilation_rate": 3},
        SEQUENCE,
    ),
    ("Conv2D", {"filters": 7, "kernel_size": 3}, IMAGE),
    ("Conv2D", {"filters": 7, "kernel_size": 1, "use_bias": False}, IMAGE),
    ("Conv2D", {"filters": 7, "kernel_size": 1, "strides": 2}, IMAGE),
    ("Conv2D", {"filters": 7, "kernel_size": (5, 2), "padding": "same"}, IMAGE),
    ("Conv2D", {"filters": 32, "kernel_size": 3, "padding": "same"}, (2, 8, 8, 32)),
    ("Conv2D", {"filters": 6, "kernel_size": 5, "padding": "same"}, (3, 12, 12, 1)),
    ("Conv2D", {"filters": 16, "kernel_size": 3, "padding": "same"}, (3, 12, 12, 3)),
    ("Conv2D", {"filters": 7, "kernel_size": 3, "strides": 2, "padding": "same"}, IMAGE),
    ("Conv2D", {"filters": 7, "kernel_size": (3, 2), "strides": (2, 3)}, IMAGE),
    ("Conv2D", {"filters": 7, "kernel_size": 2, "strides": 3, "padding": "same"}, IMAGE),
    ("Conv2D", {"filters": 7, "kernel_size": 3, "dilation_rate": (2, 3)}, IMAGE),
    ("Conv2D", {"filters": 7, "kernel_size": 3, "dilation_rate": 2, "padding": "same"}, IMAGE),
    ("Conv2D", {"filters": 8, "kernel_size": 3, "groups": 2}, IMAGE),
    ("Conv2D", {"filters": 8, "kernel_size": 3, "groups": 4, "strides": 2}, IMAGE),
    ("Conv2D", {"filters": 4, "kernel_size": 7, "padding": "same"}, (2, 4, 4, 4)),
    ("DepthwiseConv2D", {"kernel_size": 3}, IMAGE),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 3, "padding": "same"}, IMAGE),
    ("DepthwiseConv2D", {"kernel_size": 3, "strides": 2, "padding": "same"}, IMAGE),
    ("DepthwiseConv2D", {"kernel_size": (2, 3), "dilation_rate": 2, "use_bias": False}, IMAGE),
    ("SeparableConv2D", {"filters": 6, "kernel_size": 3}, IMAGE),
    (
        "SeparableConv2D",
        {"filters": 6, "kernel_size": 3, "strides": 2, "padding": "same", "depth_multiplier": 2},
        IMAGE,
    ),
    ("Conv1DTranspose", {"filters": 5, "kernel_size": 3, "strides": 2}, SEQUENCE),
    ("Conv2DTranspose", {"filters": 5, "kernel_size": 3}, IMAGE),
    ("Conv2DTranspose", {"filters": 5, "kernel_size": 3, "strides": 2}, IMAGE),
    ("Conv2DTranspose", {"filters": 5, "kernel_size": 3, "strides": 2, "padding": "same"}, IMAGE),
    ("Conv2DTranspose", {"filters": 5, "kernel_size": 2, "strides": 3, "padding": "same"}, IMAGE),
    (
        "Conv2DTranspose",
        {"filters": 5, "kernel_size": 4, "strides": 2, "padding": "same", "use_bias": False},
        IMAGE,
    ),
    ("Conv2DTranspose", {"filters": 5, "kernel_size": 3, "strides": 2, "output_padding": 1}, IMAGE),
    (
        "Conv2DTranspose",
        {"filters": 5, "kernel_size": 3, "strides": 2, "output_padding": 1, "padding": "same"},
        IMAGE,
    ),
    ("Conv2DTranspose", {"filters": 5, "kernel_size": 3, "dilation_rate": 2}, IMAGE),
]
IDS = [f"{kind}-{number}" for number, (kind, _, _) in enumerate(CASES)]


def ours_of(kind, options, shape, dtype=None):
    layer = getattr(dlnative.layers, kind)(dtype=dtype, **options)
    layer.build((None, *shape[1:]))
    layer.set_weights([values(*w.shape, seed=i + 1) for i, w in enumerate(layer.weights)])
    return layer


def run(layer, x, dy):
    """Output, gradient of the input, gradients of the weights in their order."""
    y, pullback = dlnative.vjp(layer, x)
    (dx,), by_path = pullback(dy)
    return [y, dx, *(by_path[w.path] for w in layer.weights)]


def limits(kind, options, shape, x, dy):
    """What two float32 results may differ by: 2 (terms + 3) eps of the sum of absolute products."""
    with dlnative.engine("numpy"):
        layer = ours_of(kind, options, shape, "float64")
        layer.set_weights([abs(w) for w in layer.get_weights()])
        sizes = run(layer, abs(x).astype("float64"), abs(dy).astype("float64"))
    taps = max(w.numpy().size for w in layer.weights)  # no sum over taps has more terms
    pixels = max(x.size // x.shape[-1], dy.size // dy.shape[-1])
    terms = [taps, taps] + [pixels + taps] * len(layer.weights)
    return [2 * (n + 3) * EPS * size for n, size in zip(terms, sizes, strict=True)]


def check(results, expected, bounds, names):
    for name, result, other, bound in zip(names, results, expected, bounds, strict=True):
        other = np.asarray(other)
        assert result.shape == other.shape, name
        assert result.dtype == other.dtype == np.float32, name
        assert np.all(abs(result - other) <= bound), (name, np.max(abs(result - other) / bound))


@pytest.mark.parametrize("number", range(len(CASES)), ids=IDS)
def test_layer_and_its_gradients_are_those_of_keras(keras, engine, number):
    kind, options, shape = CASES[number]
    layer = ours_of(kind, options, shape)
    x = values(*shape)
    dy = values(*layer.compute_output_shape(shape), seed=9)
    names, shapes, expected = run_keras(keras, number)
    assert names == [w.name for w in layer.weights]
    assert shapes == [w.shape for w in layer.weights]
    bounds = limits(kind, options, shape, x, dy)
    check(run(layer, x, dy), expected, bounds, ["y", "dx", *names])


@functools.cache  # JAX compiles each case for a second
def run_keras(keras, number):
    """Names and shapes of the weights, and what `run` returns, of the layer of Keras."""
    import jax

    kind, options, shape = CASES[number]
    layer = ours_of(kind, options, shape)
    theirs = getattr(keras.layers, kind)(**options)
    theirs.build(shape)

    def forward(x, weights):
        return theirs.stateless_call(weights, [], x)[0]

    weights = [jax.numpy.asarray(w) for w in layer.get_weights()]
    y, pullback = jax.vjp(forward, jax.numpy.asarray(values(*shape)), weights)
    dx, gradients = pullback(jax.numpy.asarray(values(*y.shape, seed=9)))
    names, shapes = zip(*((w.name, tuple(w.shape)) for w in theirs.weights), strict=True)
    return list(names), list(shapes), [np.asarray(a) for a in (y, dx, *gradients)]


@pytest.mark.parametrize("number", range(len(CASES)), ids=IDS)
def test_layer_and_its_gradients_are_those_of_pytorch(torch, engine, number):
    kind, options, shape = CASES[number]
    if kind.endswith("Transpose") and options.get("padding") == "same":
        pytest.skip("its uneven cropping is checked against Keras")
    layer = ours_of(kind, options, shape)
    x = values(*shape)
    dy = values(*layer.compute_output_shape(shape), seed=9)
    tensors = [torch.tensor(a, requires_grad=True) for a in (x, *layer.get_weights())]
    y = torch_layer(torch, layer, *tensors)
    gradients = torch.autograd.grad(y, tensors, torch.tensor(dy))
    expected = [t.detach().numpy() for t in (y, *gradients)]
    names = ["y", "dx", *(w.name for w in layer.weights)]
    check(run(layer, x, dy), expected, limits(kind, options, shape, x, dy), names)


def torch_layer(torch, layer, x, *weights):
    """What the layer computes, by torch.nn.functional."""
    functional = torch.nn.functional
    rank = layer.rank
    kind = type(layer).__name__
    weights = list(weights)
    bias = weights.pop() if layer.use_bias else None
    x = x.movedim(-1, 1)
    geometry = {"stride": layer.strides, "dilation": layer.dilation_rate}
    spatial = tuple(range(rank))
    kernel = weights[0].permute(rank + 1, rank, *spatial)
    if kind.endswith("Transpose"):
        extra = layer.output_padding
        if extra is None:  # as Keras: at least one whole stride per pixel
            taps = zip(layer.kernel_size, layer.dilation_rate, strict=True)
            spans = [(k - 1) * d + 1 for k, d in taps]
            extra = [max(s - e, 0) for s, e in zip(layer.strides, spans, strict=True)]
        transposed = getattr(functional, f"conv_transpose{rank}d")
        y = transposed(x, kernel, bias, output_padding=tuple(extra), **geometry)
        return y.movedim(1, -1)
    x = functional.pad(x, torch_padding(layer, x.shape[2:]))
    convolve = getattr(functional, f"conv{rank}d")
    if kind in ("DepthwiseConv2D", "SeparableConv2D"):
        channels = x.shape[1]
        kernel = weights[0].permute(2, 3, 0, 1).reshape(-1, 1, *layer.kernel_size)
        if kind == "DepthwiseConv2D":
            return convolve(x, kernel, bias, groups=channels, **geometry).movedim(1, -1)
        x = convolve(x, kernel, None, groups=channels, **geometry)
        return convolve(x, weights[1].permute(3, 2, 0, 1), bias).movedim(1, -1)
    return convolve(x, kernel, bias, groups=layer.groups, **geometry).movedim(1, -1)


def torch_padding(layer, sizes):
    """Keras's padding in the order of torch.nn.functional.pad: the last axis first."""
    pads = []
    axes = zip(sizes, layer.kernel_size, layer.strides, layer.dilation_rate, strict=True)
    for n, k, s, d in reversed(list(axes)):
        span = (k - 1) * d + 1
        total = max((-(-n // s) - 1) * s + span - n, 0)
        pads += {
            "valid": [0, 0],
            "same": [total // 2, total - total // 2],
            "causal": [span - 1, 0],
        }[layer.padding]
    return pads


# --- ResNet-20 ------------------------------------------------------------------------------------

STEPS, BATCH, SIDE, RATE, MOMENTUM = 20, 8, 16, 0.003, 0.9
SNAPSHOTS = (1, STEPS)  # steps after which runs are compared
NOISE = 32 * EPS  # about what 20 layers in float32 differ by from float64


class Run:
    """What came of training: the loss of each step, and values by the path of the variable."""

    def __init__(self, losses, weights):
        self.losses = np.array(losses, "float64")
        self.weights = {path: np.array(value, "float64") for path, value in weights.items()}

    def distance(self, other):
        """Largest difference of the losses and, relative to each variable's size, of the values."""
        found = {"losses": np.max(abs(self.losses - other.losses))}
        for path, value in other.weights.items():
            scale = np.sqrt(np.mean(value**2)) + 1e-3
            found[path] = np.sqrt(np.mean((self.weights[path] - value) ** 2)) / scale
        return found


def follow(step, weights):
    """Runs the steps on batch after batch; a Run for each of SNAPSHOTS.

    Args:
        step: A function (images, labels) -> loss.
        weights: A function () -> values of all variables by path.
    """
    x = values(STEPS * BATCH, SIDE, SIDE, 3, seed=3)
    y = np.arange(STEPS * BATCH) * 7 % 10
    losses, runs = [], {}
    for i in range(0, len(x), BATCH):
        losses.append(step(x[i : i + BATCH], y[i : i + BATCH]))
        if len(losses) in SNAPSHOTS:
            runs[len(losses)] = Run(losses, weights())
    return runs


def resnet(shortcut, dtype="float32"):
    """ResNet-20 on small images, from the same values in both dtypes."""
    before = dlnative.config.floatx()
    dlnative.config.set_floatx(dtype)
    try:
        dlnative.utils.set_random_seed(5)
        return applications.resnet20((SIDE, SIDE, 3), shortcut=shortcut)
    finally:
        dlnative.config.set_floatx(before)


@functools.cache
def initial(shortcut):
    return {path: v.numpy() for path, v in resnet(shortcut).variables_by_path().items()}


@functools.cache
def train_ours(engine, shortcut, dtype, noise=None):
    """A run of ours; `noise` is a seed for relative changes of NOISE in the initial weights."""
    model = resnet(shortcut, dtype)
    variables = model.variables_by_path()
    for number, (path, value) in enumerate(initial(shortcut).items()):
        change = 0.0 if noise is None else NOISE * values(*value.shape, seed=(noise, number))
        variables[path].assign(value.astype("float64") * (1.0 + change))
    optimizer = dlnative.optimizers.SGD(RATE, momentum=MOMENTUM)
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy")
    with dlnative.engine(engine):
        return follow(one_step(model), lambda: {path: v.numpy() for path, v in variables.items()})


def one_step(model):
    """The step of a compiled model of Keras or ours; its metrics begin anew each time."""

    def step(x, y):
        model.reset_metrics()
        return np.ravel(model.train_on_batch(x, y))[0]

    return step


@functools.cache
def train_keras(keras, shortcut):
    """The same model, made by Keras from our configuration."""
    model = keras.Model.from_config(resnet(shortcut).get_config())
    variables = {"/".join(v.path.split("/")[-2:]): v for v in model.variables}
    start = initial(shortcut)
    assert set(variables) == set(start)
    for path, v in variables.items():
        v.assign(start[path])
    optimizer = keras.optimizers.SGD(RATE, momentum=MOMENTUM)
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy")
    return follow(one_step(model), lambda: {path: np.asarray(v) for path, v in variables.items()})


@functools.cache
def train_torch(torch, shortcut, dtype):
    """A plain loop over torch.nn.functional with PyTorch's own SGD."""
    kind = getattr(torch, dtype)
    start = {path: torch.tensor(v).to(kind) for path, v in initial(shortcut).items()}
    weights = {path: t for path, t in start.items() if "/moving_" not in path}
    moving = {path: t for path, t in start.items() if "/moving_" in path}
    for t in weights.values():
        t.requires_grad_(True)
    optimizer = torch.optim.SGD(weights.values(), lr=RATE, momentum=MOMENTUM)

    def step(x, y):
        images = torch.tensor(x).to(kind).movedim(-1, 1)
        logits = torch_resnet(torch, weights, moving, images, shortcut)
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(y))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return follow(step, lambda: {path: t.detach().numpy() for path, t in start.items()})


def torch_resnet(torch, weights, moving, x, shortcut):
    functional = torch.nn.functional

    def conv(x, name, strides=1, relu=True):
        kernel = weights[f"{name}_conv/kernel"].permute(3, 2, 0, 1)
        size, n = kernel.shape[-1], x.shape[-1]
        total = max((-(-n // strides) - 1) * strides + size - n, 0)
        before = total // 2
        x = functional.pad(x, (before, total - before) * 2)
        x = functional.conv2d(x, kernel, stride=strides)
        mean, variance = moving[f"{name}_bn/moving_mean"], moving[f"{name}_bn/moving_variance"]
        with torch.no_grad():  # PyTorch would count the unbiased variance
            mean += 0.01 * (x.mean((0, 2, 3)) - mean)
            variance += 0.01 * (x.var((0, 2, 3), unbiased=False) - variance)
        gamma, beta = weights[f"{name}_bn/gamma"], weights[f"{name}_bn/beta"]
        x = functional.batch_norm(x, None, None, gamma, beta, training=True, eps=1e-3)
        return functional.relu(x) if relu else x

    x = conv(x, "stem")
    for stage, block in np.ndindex(3, 3):
        name = f"stage{stage + 1}_block{block + 1}"
        strides = 2 if stage > 0 and block == 0 else 1
        y = conv(conv(x, f"{name}_1", strides), f"{name}_2", relu=False)
        if strides == 2 and shortcut == "B":
            x = conv(x, f"{name}_shortcut", 2, relu=False)
        elif strides == 2:
            x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, x.shape[1]))
        x = functional.relu(x + y)
    features = x.mean((2, 3))
    return features @ weights["predictions/kernel"] + weights["predictions/bias"]


@pytest.mark.parametrize(("engine", "shortcut"), [("native", "A"), ("native", "B"), ("numpy", "A")])
def test_resnet20_in_float64_is_that_of_pytorch(torch, engine, shortcut):
    """Losses, weights and moving statistics after each of SNAPSHOTS."""
    if engine == "native":
        pytest.importorskip("dlnative._core")
    ours, theirs = train_ours(engine, shortcut, "float64"), train_torch(torch, shortcut, "float64")
    for steps in SNAPSHOTS:
        for name, distance in ours[steps].distance(theirs[steps]).items():
            assert distance < 1e-9, (steps, name)
    assert theirs[STEPS].losses[-1] < 0.9 * theirs[STEPS].losses[0]  # something has been learned


@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_resnet20_in_float32_is_that_of_pytorch(torch, shortcut):
    check_runs(train_torch(torch, shortcut, "float32"), shortcut)


@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_resnet20_in_float32_is_that_of_keras(keras, shortcut):
    check_runs(train_keras(keras, shortcut), shortcut)


def check_runs(theirs, shortcut):
    """Ours and theirs, both float32, may differ by four times what NOISE makes of float64."""
    pytest.importorskip("dlnative._core")
    ours = train_ours("native", shortcut, "float32")
    exact = train_ours("native", shortcut, "float64")
    noisy = [train_ours("native", shortcut, "float64", seed) for seed in range(4)]
    for steps, largest in zip(SNAPSHOTS, (1e-5, 5e-2), strict=True):
        distances = [run[steps].distance(exact[steps]) for run in noisy]
        bounds = {name: max(d[name] for d in distances) for name in distances[0]}
        typical = np.median(list(bounds.values()))
        assert typical < largest  # else the comparison would say nothing
        for name, distance in ours[steps].distance(theirs[steps]).items():
            assert distance <= 4 * max(bounds[name], typical), (steps, name)
