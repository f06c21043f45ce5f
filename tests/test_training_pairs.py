"""Whole training runs of features in pairs: every optimizer with everything that joins its step.

What a step is made of (normalisation, masks, penalties, limits on gradients, several outputs, a
smaller last batch) is reordered and fused by the native engine; the oracle runs the graph as it was
traced, and where nothing is drawn Keras trains beside both.
"""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import layers

OPTIMIZERS = {
    "sgd": ("SGD", {"learning_rate": 0.05}),
    "sgd momentum": ("SGD", {"learning_rate": 0.05, "momentum": 0.9}),
    "sgd nesterov": ("SGD", {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True}),
    "adagrad": ("Adagrad", {"learning_rate": 0.05}),
    "rmsprop": ("RMSprop", {"learning_rate": 0.01}),
    "rmsprop centered": ("RMSprop", {"learning_rate": 0.01, "momentum": 0.5, "centered": True}),
    "adam": ("Adam", {"learning_rate": 0.01}),
    "amsgrad": ("Adam", {"learning_rate": 0.01, "amsgrad": True}),
    "adam decay": ("Adam", {"learning_rate": 0.01, "weight_decay": 0.1}),
    "sgd decay": ("SGD", {"learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.1}),
    "adadelta": ("Adadelta", {"learning_rate": 1.0, "epsilon": 1e-3}),
    "adafactor": ("Adafactor", {"learning_rate": 0.01}),
    "adamax": ("Adamax", {"learning_rate": 0.01}),
    "ftrl": ("Ftrl", {"learning_rate": 0.05, "l1_regularization_strength": 0.01}),
    "lamb": ("Lamb", {"learning_rate": 0.01}),
    "lion": ("Lion", {"learning_rate": 0.01}),
    "muon": ("Muon", {"learning_rate": 0.01}),
    "nadam": ("Nadam", {"learning_rate": 0.01}),
    "schedule free": ("ScheduleFreeAdamW", {"learning_rate": 0.01, "warmup_steps": 3}),
    "accumulation": (
        "Nadam",
        {"learning_rate": 0.01, "gradient_accumulation_steps": 2, "use_ema": True},
    ),
}
FEATURES = {
    "plain": {},
    "batch norm": {"norm": True},
    "frozen batch norm": {"norm": True, "frozen": True},
    "l2": {"l2": 0.02},
    "clipnorm": {"limits": {"clipnorm": 0.05}},
    "clipvalue": {"limits": {"clipvalue": 0.01}},
    "global clipnorm": {"limits": {"global_clipnorm": 0.1}},
    "two outputs": {"outputs": 2},
    "batch norm, two outputs, l2, limits": {
        "norm": True,
        "outputs": 2,
        "l2": 0.02,
        "limits": {"global_clipnorm": 0.1},
    },
}
DRAWN = {
    "dropout": {"dropout": 0.4},
    "batch norm, dropout, l2": {"norm": True, "dropout": 0.4, "l2": 0.02},
    "augmentation": {"augment": True},
    "augmentation, batch norm, dropout": {"augment": True, "norm": True, "dropout": 0.4},
}
ROWS, BATCH, EPOCHS = 21, 8, 3  # the last batch has 5 rows


def network(library, dtype, norm=False, frozen=False, l2=None, outputs=1, dropout=0, augment=False):
    """A small convolutional network with whatever is asked for."""
    k = library.layers
    penalty = {"kernel_regularizer": library.regularizers.L2(l2)} if l2 else {}
    x = inputs = library.Input((6, 6, 2), dtype=dtype)
    if augment:
        x = k.RandomFlip("horizontal", seed=3, dtype=dtype)(x)
        x = k.RandomTranslation(0.2, 0.2, fill_mode="constant", seed=4, dtype=dtype)(x)
    # The gradient of a bias before normalisation is 0 but for rounding, which Adam would enlarge.
    x = k.Conv2D(4, 3, padding="same", use_bias=not norm, dtype=dtype, **penalty)(x)
    if norm:
        x = k.BatchNormalization(momentum=0.7, trainable=not frozen, dtype=dtype)(x)
    x = k.ReLU(dtype=dtype)(x)
    if dropout:
        x = k.Dropout(dropout, seed=5, dtype=dtype)(x)
    x = k.Flatten(dtype=dtype)(x)
    heads = [k.Dense(3, name=f"head{i}", dtype=dtype, **penalty)(x) for i in range(outputs)]
    return library.Model(inputs, heads[0] if outputs == 1 else heads)


def train(library, optimizer, options, weights, dtype="float32"):
    """(losses by epoch, weights, optimizer state) of one whole run."""
    options = dict(options)
    limits = options.pop("limits", {})
    outputs = options.get("outputs", 1)
    rng = np.random.default_rng(7)
    x = rng.standard_normal((ROWS, 6, 6, 2)).astype(dtype)
    y = [rng.standard_normal((ROWS, 3)).astype(dtype) for _ in range(outputs)]
    model = network(library, dtype, **options)
    if weights is not None:
        model.set_weights(weights)
    name, arguments = OPTIMIZERS[optimizer]
    model.compile(getattr(library.optimizers, name)(**arguments, **limits), "mse")
    start = model.get_weights()
    history = model.fit(
        x,
        y[0] if outputs == 1 else y,
        batch_size=BATCH,
        epochs=EPOCHS,
        shuffle=False,
        verbose=0,
    )
    state = [np.asarray(v.value) for v in model.optimizer.variables]
    return history.history["loss"], model.get_weights(), state, start


def seeded(optimizer, options, engine, dtype):
    """A run on one engine with weights and masks of one seed."""
    dlnative.utils.set_random_seed(11)
    with dlnative.engine(engine):
        return train(dlnative, optimizer, options, None, dtype)


def assert_same_run(a, b, tolerance):
    """Losses, weights and state of two runs agree, relative to the largest entry of each array.

    Of small entries the updates are compared, which Adam makes as large as its rate, 0.01.
    """
    np.testing.assert_allclose(a[0], b[0], rtol=tolerance)
    for ours, theirs in zip((*a[1], *a[2]), (*b[1], *b[2]), strict=True):
        scale = max(1e-2, float(np.abs(theirs).max(initial=0)))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * scale)


@pytest.mark.native  # it takes minutes, and names both engines
@pytest.mark.parametrize("features", [*FEATURES, *DRAWN])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_equals_the_oracles(optimizer, features):
    """In float64 nine steps differ by rounding only: a few hundred times its unit of 2e-16."""
    options = {**FEATURES, **DRAWN}[features]
    native, oracle = (seeded(optimizer, options, e, "float64") for e in ("native", "numpy"))
    assert_same_run(native, oracle, 1e-11)
    assert any((a != b).any() for a, b in zip(native[1], native[3], strict=True))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras with NumPy 2
@pytest.mark.parametrize(
    ("optimizer", "features"),
    [
        (optimizer, features)
        for optimizer in OPTIMIZERS
        for features in FEATURES
        if (features.startswith("batch norm") and optimizer in list(OPTIMIZERS)[:10])
        or optimizer in ("sgd momentum", "amsgrad")
        or (features.endswith("limits") and optimizer in ("ftrl", "lamb", "muon", "accumulation"))
    ],
)
def test_a_run_equals_keras(keras, optimizer, features):
    """float32, the same weights, nine steps: losses, weights and slots."""
    options = FEATURES[features]
    ours = train(dlnative, optimizer, options, None)
    theirs = train(keras, optimizer, options, ours[3])
    assert_same_run(ours, theirs, 2e-4)


def test_adam_behind_batch_normalization_by_hand():
    """x = 0, 1 becomes -1, 1; the errors are -6 and -6, so the bias moves by the rate."""
    model = dlnative.Sequential(
        [
            dlnative.Input((1,)),
            layers.BatchNormalization(),
            layers.Dense(1, kernel_initializer="ones"),
        ]
    )
    model.compile(dlnative.optimizers.Adam(0.01), "mse")
    model.train_on_batch(np.array([[0.0], [1.0]]), np.array([[5.0], [7.0]]))
    np.testing.assert_allclose(model.layers[-1].bias.numpy(), [0.01], rtol=1e-5)


@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_a_constraint_follows_its_update_behind_batch_normalization(engine):
    """The projection sees the updated weight, also where updates are moved behind statistics."""
    with dlnative.engine(engine):
        model = dlnative.Sequential(
            [dlnative.Input((1,)), layers.BatchNormalization(), layers.Dense(1, use_bias=False)]
        )
        kernel = model.layers[-1].kernel
        kernel.assign([[2.0]])
        kernel.constraint = lambda w: dlnative.ops.multiply(w, 0.5)
        model.compile(dlnative.optimizers.SGD(0.0), "mse")
        for expected in (1.0, 0.5, 0.25):
            model.train_on_batch(np.array([[0.0], [1.0]]), np.array([[5.0], [7.0]]))
            np.testing.assert_array_equal(kernel.numpy(), [[expected]])
        model.compile(dlnative.optimizers.SGD(0.1), "mse")
        before = kernel.numpy()
        loss = model.train_on_batch(np.array([[0.0], [1.0]]), np.array([[0.0], [0.0]]))
        # Outputs are -w and w (up to epsilon): the loss is w^2, its gradient 2 w.
        assert loss == pytest.approx(float(before[0, 0]) ** 2, rel=1e-2)
        np.testing.assert_allclose(kernel.numpy(), 0.5 * (before - 0.1 * 2 * before), rtol=1e-2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("between", [None, "relu", "add"])
@pytest.mark.parametrize("rank", [1, 2])
def test_normalisations_behind_each_other(dtype, count, between, rank):
    """Only one of them may be folded into the weights of the convolution before."""
    rng = np.random.default_rng(3)
    convolution = layers.Conv1D if rank == 1 else layers.Conv2D
    x = inputs = dlnative.Input((*(5,) * rank, 2), dtype=dtype)
    x = first = convolution(3, 3, padding="same", use_bias=False, dtype=dtype)(x)
    for _ in range(count):
        x = layers.BatchNormalization(dtype=dtype)(x)
        if between == "relu":
            x = layers.ReLU(dtype=dtype)(x)
        elif between == "add":
            x = layers.Add(dtype=dtype)([x, first])
    model = dlnative.Model(inputs, x)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2.0, 3) for _ in range(4)])
    images = rng.standard_normal((4, *(5,) * rank, 2))
    results = []
    for engine in ("native", "numpy"):
        with dlnative.engine(engine):
            results.append(model.predict(images, verbose=0))
    scale = np.abs(results[1]).max()
    tolerance = 200 * np.finfo(dtype).eps * scale
    np.testing.assert_allclose(results[0], results[1], rtol=0, atol=tolerance)
