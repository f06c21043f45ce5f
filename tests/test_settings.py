"""Settings of `dlnative.config` that every model depends on."""

import warnings

import numpy as np
import pytest

import dlnative
from dlnative import DTypePolicy, Input, Sequential, config, dtype_policies, layers


@pytest.fixture(autouse=True)
def unchanged():
    before = dict(config._state)
    yield
    for name, value in before.items():
        config._change(name, value)


def model():
    net = Sequential([Input((2,)), layers.Dense(1)])
    net.compile("sgd", "mse")
    return net


x, y = np.ones((24, 2)), np.ones((24, 1))


def test_epochs_and_steps_are_limited_as_in_keras():
    config.set_max_epochs(2)
    config.set_max_steps_per_epoch(3)
    net = model()
    ran = []
    count = dlnative.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: ran.append(batch)
    )
    with pytest.warns(UserWarning, match="Limiting") as caught:
        history = net.fit(x, y, batch_size=4, epochs=5, callbacks=[count], verbose=0)
    assert sorted(str(w.message) for w in caught) == [
        "Limiting epochs to 2",
        "Limiting the steps of an epoch to 3",
    ]
    assert history.epoch == [0, 1]
    assert ran == [0, 1, 2, 0, 1, 2]
    with pytest.warns(UserWarning, match="Limiting the steps"):
        assert net.predict(x, batch_size=4, verbose=0).shape == (12, 1)
    with pytest.warns(UserWarning, match="Limiting the steps"):
        net.evaluate(x, y, batch_size=4, verbose=0)
    assert net.predict(x, batch_size=12, verbose=0).shape == (24, 1)  # two steps are below it
    assert (config.max_epochs(), config.max_steps_per_epoch()) == (2, 3)
    config.set_max_epochs(None)
    config.set_max_steps_per_epoch(None)
    assert len(net.fit(x, y, epochs=3, verbose=0).epoch) == 3


@pytest.mark.parametrize("setting", [config.set_max_epochs, config.set_max_steps_per_epoch])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2"])
def test_limits_that_are_none(setting, value):
    with pytest.raises(ValueError, match="positive integer or None"):
        setting(value)


def test_epsilon_reaches_steps_that_were_compiled(engine):
    target, output = np.array([[1.0]]), np.array([[0.0]], np.float32)
    net = Sequential([Input((1,)), layers.Activation("relu")])
    net.compile("sgd", "binary_crossentropy")
    first = net.evaluate(output, target, verbose=0)
    assert first == pytest.approx(-np.log(1e-7), rel=1e-5)
    config.set_epsilon(1e-3)
    assert net.evaluate(output, target, verbose=0) == pytest.approx(-np.log(1e-3), rel=1e-5)
    for wrong in (0, -1.0, np.inf, np.nan, "x", True):
        with pytest.raises(ValueError, match="positive number"):
            config.set_epsilon(wrong)


def test_the_dtype_policy_of_layers_without_a_dtype():
    assert config.dtype_policy() == DTypePolicy("float32")
    config.set_floatx("float64")
    assert config.dtype_policy() == DTypePolicy("float64")
    config.set_floatx("float32")
    config.set_dtype_policy("float64")
    assert layers.Dense(1).dtype_policy == DTypePolicy("float64")
    assert layers.Dense(1, dtype="float32").dtype_policy == DTypePolicy("float32")
    config.set_dtype_policy(DTypePolicy("float32"))
    assert layers.Dense(1).dtype_policy == DTypePolicy("float32")
    with pytest.raises(ValueError, match="expected a DTypePolicy or its name"):
        config.set_dtype_policy(5)
    with pytest.raises(ValueError, match="float16"):
        config.set_dtype_policy("float16")


def test_policies_by_name_and_configuration():
    policy = DTypePolicy("float64")
    record = dtype_policies.serialize(policy)
    assert record["module"] == "keras"
    assert dtype_policies.deserialize(record) == policy
    for identifier in (policy, "float64", record):
        assert dtype_policies.get(identifier) == policy
    assert dtype_policies.get(None) == config.dtype_policy()
    with pytest.raises(ValueError, match="expected a DTypePolicy"):
        dtype_policies.get(5)


def test_what_computes():
    assert config.backend() == "dlnative"
    assert dlnative.version() == dlnative.__version__


RNG = np.random.Generator(np.random.PCG64(0))
CLASSES = RNG.integers(0, 4, 6)
ONE_HOT, BITS = np.eye(4, dtype="float32")[CLASSES], RNG.integers(0, 2, (6, 4)).astype("float32")
PROBABILITIES = np.concatenate([[[0, 1, 0, 0], [1e-9] * 4], RNG.random((4, 4))]).astype("float32")


@pytest.mark.parametrize("epsilon", [1e-7, 1e-3, 0.1])
@pytest.mark.parametrize(
    ("loss", "labels"),
    [
        ("binary_crossentropy", BITS),
        ("categorical_crossentropy", ONE_HOT),
        ("sparse_categorical_crossentropy", CLASSES),
        ("binary_focal_crossentropy", BITS),
        ("categorical_focal_crossentropy", ONE_HOT),
        ("kl_divergence", ONE_HOT),
        ("poisson", BITS),
        ("mean_absolute_percentage_error", BITS),
        ("mean_squared_logarithmic_error", BITS),
    ],
)
def test_the_epsilon_of_losses_is_that_of_keras(loss, labels, epsilon):
    keras = pytest.importorskip("keras")
    before = keras.config.epsilon()
    config.set_epsilon(epsilon)
    keras.config.set_epsilon(epsilon)
    try:
        expected = np.asarray(getattr(keras.losses, loss)(labels, PROBABILITIES))
    finally:
        keras.config.set_epsilon(before)
    ours = getattr(dlnative.losses, loss)
    np.testing.assert_allclose(ours(labels, PROBABILITIES), expected, rtol=2e-5, atol=1e-6)
    net = Sequential([Input((4,)), layers.Activation("linear")])
    net.compile("sgd", ours)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a linear layer gives no probabilities
        value = net.evaluate(PROBABILITIES, labels, batch_size=6, verbose=0)
    assert value == pytest.approx(expected.mean(), rel=2e-5)


def test_channels_first_as_the_default():
    images = RNG.standard_normal((2, 3, 8, 6)).astype("float32")
    last = images.transpose(0, 2, 3, 1)
    pooled = layers.MaxPooling2D()(last)
    flat = layers.Flatten()(last)
    config.set_image_data_format("channels_first")
    np.testing.assert_array_equal(layers.MaxPooling2D()(images), pooled.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(layers.MaxPooling2D(data_format="channels_last")(last), pooled)
    np.testing.assert_array_equal(layers.Flatten()(images), flat)
    assert layers.Conv2D(4, 3)(images).shape == (2, 4, 6, 4)
    assert dlnative.ops.average_pool(images, 2).shape == (2, 3, 4, 3)
    assert dlnative.ops.image.rgb_to_grayscale(images).shape == (2, 1, 8, 6)
    with pytest.raises(ValueError, match="images with channels last"):
        dlnative.applications.lenet5((28, 28, 1))
    assert config.image_data_format() == "channels_first"
    config.set_image_data_format("channels_last")
    np.testing.assert_array_equal(layers.MaxPooling2D()(last), pooled)
    with pytest.raises(ValueError, match="expected 'channels_last' or 'channels_first'"):
        config.set_image_data_format("first")


def test_a_step_that_was_compiled_follows_the_default():
    class Pool(layers.Layer):
        def call(self, x):
            return dlnative.ops.max_pool(x, 2)

    net, images = Sequential([Pool()]), np.ones((1, 4, 8, 2), "float32")
    assert net(images).shape == (1, 2, 4, 2)
    config.set_image_data_format("channels_first")
    assert net(images).shape == (1, 4, 4, 1)
