"""Normalisation layers: their modes, statistics, errors, and Keras and PyTorch where installed."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import layers
from dlnative.layers import BatchNormalization, GroupNormalization, LayerNormalization
from dlnative.saving import load, save


@pytest.fixture(params=["numpy", "native"])
def engine(request):
    with dlnative.engine(request.param):
        yield request.param


def values(*shape, seed=0, mean=0.0):
    rng = np.random.Generator(np.random.PCG64(seed))
    return (mean + rng.standard_normal(shape)).astype("float32")


def randomize(layer, seed=7):
    """Weights that are not 0 and 1; a moving variance stays positive."""
    rng = np.random.Generator(np.random.PCG64(seed))
    layer.set_weights([rng.uniform(0.5, 1.5, w.shape).astype(w.dtype) for w in layer.weights])


# --- batch normalisation ------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [-1, 3, 1, 2, -2])
def test_batch_statistics_in_training(engine, axis):
    x = values(6, 4, 5, 3, mean=2.0)
    layer = BatchNormalization(axis=axis, momentum=0.75, epsilon=1e-5)
    y = layer(x, training=True)
    others = tuple(i for i in range(4) if i != axis % 4)
    np.testing.assert_allclose(y.mean(axis=others), 0, atol=1e-5)
    np.testing.assert_allclose(y.var(axis=others), 1, atol=1e-4)
    np.testing.assert_allclose(layer.moving_mean.numpy(), 0.25 * x.mean(axis=others), rtol=1e-5)
    expected = 0.75 + 0.25 * x.var(axis=others)
    np.testing.assert_allclose(layer.moving_variance.numpy(), expected, rtol=1e-5)


def test_weights_and_their_order():
    layer = BatchNormalization()
    layer.build((None, 8, 8, 5))
    assert [w.name for w in layer.weights] == ["gamma", "beta", "moving_mean", "moving_variance"]
    assert [w.name for w in layer.trainable_variables] == ["gamma", "beta"]
    assert layer.count_params() == 20
    bare = BatchNormalization(center=False, scale=False)
    bare.build((None, 5))
    assert [w.name for w in bare.weights] == ["moving_mean", "moving_variance"]
    assert bare.trainable_variables == []


def test_inference_uses_the_moving_statistics(engine):
    layer = BatchNormalization(epsilon=0.0)
    layer.build((None, 2))
    layer.set_weights([[2.0, 1.0], [0.5, 0.0], [1.0, -1.0], [4.0, 0.25]])
    y = layer(np.array([[3.0, 0.0]]))
    np.testing.assert_allclose(y, [[2.5, 2.0]], rtol=1e-6)
    np.testing.assert_array_equal(layer.moving_mean.numpy(), [1.0, -1.0])


def test_a_frozen_layer_runs_inference_and_keeps_everything(engine):
    x, y = values(32, 4, mean=3.0), values(32, 2)
    model = dlnative.Sequential(
        [dlnative.Input((4,)), layers.Dense(3), BatchNormalization(), layers.Dense(2)]
    )
    frozen = model.layers[1]
    randomize(frozen)
    frozen.trainable = False
    before, dense = frozen.get_weights(), model.layers[0].get_weights()
    model.compile(dlnative.optimizers.SGD(0.1), "mse")
    expected = float(np.square(model.predict(x, verbose=0) - y).mean())
    assert model.train_on_batch(x, y) == pytest.approx(expected, rel=1e-5)
    for a, b in zip(before, frozen.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(dense[0], model.layers[0].get_weights()[0])  # gradients pass through
    np.testing.assert_array_equal(
        frozen(values(5, 3), training=True), frozen(values(5, 3), training=False)
    )
    frozen.trainable = True
    frozen(values(5, 3), training=True)
    assert not np.array_equal(before[2], frozen.moving_mean.numpy())


def test_moving_statistics_are_part_of_the_training_program(engine):
    """fit on batches is the average by hand, and evaluate does not touch it."""
    x, y = values(48, 3, mean=5.0), values(48, 1)
    layer = BatchNormalization(momentum=0.5)
    model = dlnative.Sequential([dlnative.Input((3,)), layer, layers.Dense(1)])
    model.compile(dlnative.optimizers.SGD(0.01), "mse")
    model.fit(x, y, epochs=2, batch_size=16, shuffle=False, verbose=0)
    mean, variance = np.zeros(3), np.ones(3)
    for batch in [*np.split(x.astype("float64"), 3)] * 2:
        mean = 0.5 * mean + 0.5 * batch.mean(axis=0)
        variance = 0.5 * variance + 0.5 * batch.var(axis=0)
    np.testing.assert_allclose(layer.moving_mean.numpy(), mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance.numpy(), variance, rtol=1e-5)
    before = layer.get_weights()
    model.evaluate(x, y, verbose=0)
    model.predict(x, verbose=0)
    for a, b in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def small_model(seed=3):
    dlnative.utils.set_random_seed(seed)
    inputs = dlnative.Input((4, 4, 6))
    h = BatchNormalization(momentum=0.9)(inputs)
    h = layers.ReLU()(h)
    h = layers.Dense(6)(h)
    h = layers.Add()([BatchNormalization()(h), inputs])
    h = layers.ReLU()(h)
    h = GroupNormalization(groups=3)(layers.Dense(6)(h))
    h = LayerNormalization(axis=[-2, -1])(h)
    h = layers.Dense(2)(layers.Flatten()(h))
    model = dlnative.Model(inputs, h)
    model.compile(dlnative.optimizers.SGD(0.05, momentum=0.9), "mse")
    return model


def test_engines_train_alike():
    """Losses step by step, weights and moving statistics, from one start."""
    x, y = values(64, 4, 4, 6, mean=1.0), values(64, 2)
    results = []
    for name in ("native", "numpy"):
        with dlnative.engine(name):
            model = small_model()
            losses = [
                float(model.train_on_batch(x[i : i + 16], y[i : i + 16])) for i in range(0, 48, 8)
            ]
            results.append((losses, model.get_weights()))
    (losses, weights), (expected_losses, expected_weights) = results
    np.testing.assert_allclose(losses, expected_losses, rtol=2e-5)
    for a, b in zip(weights, expected_weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_same_bits_for_any_number_of_threads(threads):
    x, y = values(256, 4, 4, 6), values(256, 2)
    seen = set()
    for count in (1, 2, 3):
        threads(count)
        model = small_model()
        model.fit(x, y, epochs=1, batch_size=128, verbose=0)
        seen.add(b"".join(w.tobytes() for w in model.get_weights()))
    assert len(seen) == 1


@pytest.mark.parametrize("filters", [17, 48, 100])
@pytest.mark.parametrize("images", [1, 2])
def test_same_bits_behind_a_convolution(threads, conv_algorithm, rng, filters, images):
    """Statistics that a convolution takes of its result while it is cut for the threads at hand."""
    x = rng.normal(size=(images, 16, 16, 32)).astype("float32")
    y = rng.normal(size=(images, filters)).astype("float32")
    weights, results = None, []
    for n_threads in (1, 2, 5, 16):
        threads(n_threads)
        model = dlnative.Sequential(
            [
                dlnative.Input((16, 16, 32)),
                layers.Conv2D(filters, 3, padding="same", use_bias=False),
                layers.BatchNormalization(),
                layers.ReLU(),
                layers.GlobalAveragePooling2D(),
            ]
        )
        weights = weights or model.get_weights()
        model.set_weights(weights)
        model.compile(dlnative.optimizers.SGD(0.01), "mse")
        model.fit(x, y, epochs=2, shuffle=False, verbose=0)
        results.append(b"".join(w.tobytes() for w in model.get_weights()))
    assert len(set(results)) == 1


@pytest.mark.parametrize("training", [False, True])
def test_gradients_by_finite_differences(training):
    x, y = values(5, 4, 4, 6), values(5, 2)
    result = dlnative.gradcheck(small_model(), x, y, training=training, max_params=150)
    assert result.max_error < 1e-7


def test_a_zero_gamma_makes_a_residual_block_the_identity(engine):
    inputs = dlnative.Input((4, 4, 6))
    h = layers.Dense(6)(inputs)
    h = BatchNormalization(gamma_initializer="zeros")(h)
    model = dlnative.Model(inputs, layers.Add()([h, inputs]))
    x = values(3, 4, 4, 6)
    np.testing.assert_array_equal(model(x), x)
    np.testing.assert_array_equal(model(x, training=True), x)


def test_regularizers_and_initializers_have_an_effect():
    layer = BatchNormalization(
        gamma_regularizer="l2",
        beta_initializer="ones",
        moving_mean_initializer=dlnative.initializers.Constant(2.0),
        moving_variance_initializer=dlnative.initializers.Constant(9.0),
    )
    layer.build((None, 3))
    assert len(layer.losses) == 1 and layer.losses[0] == pytest.approx(0.03)
    assert [w[0] for w in layer.get_weights()] == [1, 1, 2, 9]


# --- layer and group normalisation --------------------------------------------------------------


@pytest.mark.parametrize("axis", [-1, 1, [1, 2], [-1, 1], [3, 2, 1]])
def test_layer_normalization_axes(engine, axis):
    x = values(3, 4, 5, 6, mean=4.0)
    layer = LayerNormalization(axis=axis, epsilon=1e-6)
    layer.build(x.shape)
    axes = tuple(sorted(a % 4 for a in (axis if isinstance(axis, list) else [axis])))
    sizes = tuple(x.shape[a] for a in (sorted(axis) if isinstance(axis, list) else [axis]))
    assert [w.shape for w in layer.weights] == [sizes] * 2  # as in Keras, negative axes first
    randomize(layer)
    gamma, beta = (
        w.reshape([x.shape[i] if i in axes else 1 for i in range(4)]) for w in layer.get_weights()
    )
    expected = (x - x.mean(axis=axes, keepdims=True)) / x.std(axis=axes, keepdims=True)
    np.testing.assert_allclose(layer(x), expected * gamma + beta, rtol=1e-4, atol=1e-4)
    assert layer.compute_output_shape((None, 4, 5, 6)) == (None, 4, 5, 6)


@pytest.mark.parametrize("axis", [[-1, 1], [-1, 2], [1], [-1, 1, 2], [2, 1]])
def test_rms_normalization_axes(engine, axis):
    """The shape of the scale has negative axes first; its values go by the order of the axes."""
    x = values(3, 4, 5, 6, mean=4.0)
    layer = layers.RMSNormalization(axis=axis, epsilon=1e-6)
    layer.build(x.shape)
    axes = tuple(sorted(a % 4 for a in axis))
    assert layer.scale.shape == tuple(x.shape[a] for a in sorted(axis))
    randomize(layer)
    (scale,) = layer.get_weights()
    expected = x / np.sqrt((x**2).mean(axis=axes, keepdims=True) + 1e-6)
    expected = expected * scale.reshape([x.shape[i] if i in axes else 1 for i in range(4)])
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-4)
    model = dlnative.Sequential([layers.Input((4, 5, 6)), layer])
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("axis", [-1, 1, 2])
@pytest.mark.parametrize("groups", [1, 2, -1])
def test_group_normalization(engine, axis, groups):
    x = values(3, 4, 6, 8, mean=4.0)
    layer = GroupNormalization(groups=groups, axis=axis, epsilon=1e-6)
    layer.build(x.shape)
    randomize(layer)
    last = np.moveaxis(x, axis, -1)
    channels = last.shape[-1]
    grouped = last.reshape(*last.shape[:-1], channels if groups == -1 else groups, -1)
    inner = (1, 2, 4)
    xhat = (grouped - grouped.mean(axis=inner, keepdims=True)) / grouped.std(
        axis=inner, keepdims=True
    )
    gamma, beta = layer.get_weights()
    expected = np.moveaxis(xhat.reshape(last.shape) * gamma + beta, -1, axis)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-4)


def test_an_open_size_that_no_statistic_depends_on():
    x = dlnative.Input((None, 4))
    assert LayerNormalization()(x).shape == (None, None, 4)
    assert BatchNormalization()(x).shape == (None, None, 4)
    assert GroupNormalization(groups=2)(x).shape == (None, None, 4)


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: BatchNormalization(axis=1.5), TypeError, "expected axis to be an integer"),
        (lambda: BatchNormalization(axis=[1]), TypeError, "expected axis to be an integer"),
        (lambda: BatchNormalization(momentum="a"), TypeError, "expected momentum to be a number"),
        (lambda: BatchNormalization(momentum=1.1), ValueError, r"momentum in \[0, 1\]"),
        (lambda: BatchNormalization(epsilon=-1e-3), ValueError, "epsilon of at least 0"),
        (lambda: BatchNormalization(epsilon=float("nan")), ValueError, "epsilon of at least 0"),
        (
            lambda: BatchNormalization(synchronized=True),
            ValueError,
            "expected synchronized to be False",
        ),
        (lambda: BatchNormalization(gamma_constraint="norm"), ValueError, "constraint 'norm'"),
        (lambda: LayerNormalization(axis="last"), TypeError, "expected axis to be an integer"),
        (lambda: LayerNormalization(axis=[]), ValueError, "at least one axis"),
        (lambda: GroupNormalization(groups=0), ValueError, "groups of at least 1, or -1"),
        (lambda: GroupNormalization(groups=2.0), TypeError, "groups to be an integer"),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    "layer, shape, message",
    [
        (BatchNormalization(name="bn", axis=4), (4, 4, 3), r"'bn'.*axis 4 is out of range"),
        (BatchNormalization(axis=0), (4, 3), "axis 0 is the batch"),
        (BatchNormalization(), (4, None), "size of axis -1 of its input must be known"),
        (LayerNormalization(axis=[1, -2]), (4, 3), "names an axis twice"),
        (LayerNormalization(axis=[0, 1]), (4, 3), "axis 0 is the batch"),
        (LayerNormalization(axis=[1, 2]), (None, 3), "size of axis 1 of its input must be known"),
        (GroupNormalization(name="gn"), (4, 48), r"'gn'.*multiple of 32 groups, received 48"),
        (GroupNormalization(groups=4, axis=1), (6, 4), "multiple of 4 groups, received 6"),
    ],
)
def test_inputs_that_do_not_fit(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer(dlnative.Input(shape))
    assert not layer.built and layer.weights == []


def test_another_number_of_channels_than_it_was_built_for():
    layer = BatchNormalization(name="bn")
    layer.build((None, 4, 3))
    with pytest.raises(ValueError, match=r"'bn': expected input with size 3 of axis -1"):
        layer(np.zeros((2, 4, 5)))
    with pytest.raises(ValueError, match="a mask of 2 dimensions"):
        layer(np.zeros((2, 4, 3)), mask=np.ones((2, 4, 3)))


def test_configurations_survive_a_round_trip():
    for layer in (
        BatchNormalization(1, 0.9, 1e-5, center=False, gamma_regularizer="l2", name="a"),
        BatchNormalization(renorm=True, renorm_clipping={"rmin": 0.5, "dmax": 3.0}, name="a"),
        LayerNormalization([1, 2], 1e-5, scale=False, beta_initializer="ones", name="b"),
        GroupNormalization(-1, 2, name="c"),
    ):
        again = layers.deserialize(layers.serialize(layer))
        assert type(again) is type(layer) and again.get_config() == layer.get_config()


def test_saved_models_keep_their_moving_statistics(tmp_path):
    model = small_model()
    model.fit(values(32, 4, 4, 6), values(32, 2), verbose=0)
    save(model, tmp_path / "model")
    x = values(5, 4, 4, 6, seed=9)
    again = load(tmp_path / "model").model
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


# --- Keras and PyTorch --------------------------------------------------------------------------


X = (5, 4, 6, 8)
PAIRS = [  # how to make the layer, shape of its input
    (lambda k: k.layers.BatchNormalization(), X),
    (lambda k: k.layers.BatchNormalization(axis=1, momentum=0.8, epsilon=1e-5), X),
    (lambda k: k.layers.BatchNormalization(center=False), (7, 8)),
    (lambda k: k.layers.BatchNormalization(scale=False, gamma_regularizer="l2"), (7, 3, 8)),
    (lambda k: k.layers.LayerNormalization(), X),
    (lambda k: k.layers.LayerNormalization(axis=[-2, -1], epsilon=1e-5), X),
    (lambda k: k.layers.LayerNormalization(axis=[1, 2]), X),
    (lambda k: k.layers.LayerNormalization(center=False), X),
    (lambda k: k.layers.LayerNormalization(scale=False), (7, 5)),
    (lambda k: k.layers.GroupNormalization(groups=4), X),
    (lambda k: k.layers.GroupNormalization(groups=-1), X),
    (lambda k: k.layers.GroupNormalization(groups=2, axis=1, epsilon=1e-5), X),
    (lambda k: k.layers.GroupNormalization(groups=1, scale=False), (5, 8)),
]


@pytest.mark.filterwarnings("ignore")  # warnings of the peer are its own
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("number", range(len(PAIRS)))
def test_outputs_gradients_and_statistics_are_those_of_keras(keras, engine, number, training):
    jax = pytest.importorskip("jax")
    make, shape = PAIRS[number]
    ours, theirs = make(dlnative), make(keras)
    theirs.build(shape)
    ours.build(shape)
    assert [(w.name, w.shape) for w in ours.weights] == [(w.name, w.shape) for w in theirs.weights]
    randomize(ours)
    theirs.set_weights(ours.get_weights())
    x, dy = values(*shape, mean=1.5), values(*shape, seed=1)
    y, pullback = dlnative.vjp(ours, x, training=training)
    (dx,), dweights = pullback(dy)
    randomize(ours)  # vjp ran the layer twice
    ours(x, training=training)

    def run(variables, array):
        has_training = "Batch" in type(theirs).__name__
        options = {"training": training} if has_training else {}
        frozen = [v.value for v in theirs.non_trainable_variables]
        return theirs.stateless_call(variables, frozen, array, **options)

    trainable = [v.value for v in theirs.trainable_variables]
    expected, back, state = jax.vjp(run, trainable, jax.numpy.asarray(x), has_aux=True)
    np.testing.assert_allclose(y, expected, rtol=2e-5, atol=1e-5)
    expected_weights, expected_dx = back(jax.numpy.asarray(dy))
    np.testing.assert_allclose(dx, expected_dx, rtol=1e-4, atol=2e-5)
    for variable, grad in zip(ours.trainable_variables, expected_weights, strict=True):
        np.testing.assert_allclose(dweights[variable.path], grad, rtol=1e-4, atol=1e-4)
    for variable, value in zip(ours.non_trainable_variables, state, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, rtol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", range(len(PAIRS)))
def test_configuration_is_that_of_keras(keras, number):
    make, _ = PAIRS[number]
    ours, theirs = make(dlnative), make(keras)
    config, expected = ours.get_config(), theirs.get_config()
    assert set(config) == set(expected)
    for key, value in config.items():
        if key == "dtype":
            assert value == expected["dtype"]["config"]["name"]
        elif key != "name" and not key.endswith("regularizer"):
            assert value == expected[key], key
    assert type(ours).from_config(expected).get_config() == {**config, "name": theirs.name}
    assert type(theirs).from_config(config).name == ours.name


def test_torch_normalizes_alike():
    torch = pytest.importorskip("torch")
    x, dy = values(6, 5, 7, 8, mean=1.0), values(6, 5, 7, 8, seed=1)
    n = x.size // 8
    theirs = torch.nn.BatchNorm2d(8, eps=1e-3, momentum=0.1)
    ours = BatchNormalization(momentum=0.9)
    compare_with_torch(torch, ours, theirs, x, dy, channels_first=True)
    ours(x, training=True)  # vjp inside ran it twice; from here on once on each side
    ours.moving_mean.assign(np.zeros(8))
    ours.moving_variance.assign(np.ones(8))
    ours(x, training=True)
    np.testing.assert_allclose(ours.moving_mean.numpy(), theirs.running_mean.numpy(), rtol=1e-4)
    unbiased = (theirs.running_var.numpy() - 0.9) / 0.1
    biased = (ours.moving_variance.numpy() - 0.9) / 0.1
    np.testing.assert_allclose(biased * n / (n - 1), unbiased, rtol=1e-4)
    theirs = torch.nn.LayerNorm([7, 8], eps=1e-3)
    compare_with_torch(torch, LayerNormalization(axis=[-2, -1]), theirs, x, dy)
    theirs = torch.nn.GroupNorm(4, 8, eps=1e-3)
    compare_with_torch(torch, GroupNormalization(groups=4), theirs, x, dy, channels_first=True)


def compare_with_torch(torch, ours, theirs, x, dy, channels_first=False):
    ours.build(x.shape)
    gamma, beta = ours.gamma, ours.beta
    for variable, parameter in ((gamma, theirs.weight), (beta, theirs.bias)):
        variable.assign(values(*variable.shape, seed=4))
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(variable.numpy()))

    def there(a):
        return torch.from_numpy(
            np.ascontiguousarray(np.moveaxis(a, -1, 1) if channels_first else a)
        )

    def back(t):
        a = t.detach().numpy()
        return np.moveaxis(a, 1, -1) if channels_first else a

    leaf = there(x).requires_grad_()
    expected = theirs(leaf)
    expected.backward(there(dy))
    y, pullback = dlnative.vjp(ours, x, training=True)
    (dx,), grads = pullback(dy)
    np.testing.assert_allclose(y, back(expected), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(dx, back(leaf.grad), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(grads[gamma.path], theirs.weight.grad, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(grads[beta.path], theirs.bias.grad, rtol=1e-4, atol=1e-3)


def test_vjp_moves_the_statistics_once():
    layer = layers.BatchNormalization(momentum=0.5)
    x = np.arange(12.0, dtype="float32").reshape(6, 2)
    layer.build(x.shape)
    y, pullback = dlnative.vjp(layer, x, training=True)
    np.testing.assert_allclose(layer.moving_mean.numpy(), 0.5 * x.mean(axis=0))
    pullback(np.ones_like(y))
    np.testing.assert_allclose(layer.moving_mean.numpy(), 0.5 * x.mean(axis=0))
