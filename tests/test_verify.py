"""`dlnative.verify`: each op of a step beside the oracle, and the compiled step beside its ops."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import layers, ops
from dlnative.engines import eager
from dlnative.engines.native import NativeFunction
from dlnative.engines.verified import Disagreement

pytestmark = pytest.mark.native

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 6)).astype("float32")
Y = RNG.integers(0, 3, 20).astype("int32")
IMAGES = RNG.normal(size=(12, 16, 16, 3)).astype("float32")
OF_IMAGES = RNG.integers(0, 3, 12).astype("int32")
LOSS = "sparse_categorical_crossentropy"


def sequential(shape, *stack, optimizer="adam", loss=LOSS, **options):
    model = dlnative.Sequential([layers.Input(shape), *stack])
    model.compile(optimizer, loss, metrics=["accuracy"] if loss == LOSS else ["mae"], **options)
    return model


def dense(**options):
    return sequential(
        (6,),
        layers.Dense(16, "relu", name="hidden"),
        layers.Dropout(0.2, name="drop"),
        layers.Dense(3, "softmax", name="last"),
        **options,
    )


def images():
    return sequential(
        (16, 16, 3),
        layers.Conv2D(8, 3, padding="same", name="conv"),
        layers.BatchNormalization(name="norm"),
        layers.Activation("relu", name="relu"),
        layers.MaxPooling2D(2, name="pool"),
        layers.DepthwiseConv2D(3, activation="relu", name="depthwise"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(3, "softmax", name="last"),
    )


def augmented():
    return sequential(
        (16, 16, 3),
        layers.RandomFlip(),
        layers.RandomRotation(0.1),
        layers.RandomZoom(0.1),
        layers.RandomTranslation(0.1, 0.1),
        layers.RandomContrast(0.2),
        layers.RandomBrightness(0.1),
        layers.Conv2D(16, 3, name="conv"),
        layers.LayerNormalization(),
        layers.AveragePooling2D(2),
        layers.Conv2DTranspose(8, 3, strides=2),
        layers.GroupNormalization(4),
        layers.GlobalMaxPooling2D(),
        layers.Dense(3, "softmax"),
    )


def frozen():
    """Batch normalization with constant statistics through which gradients go."""
    norm = layers.BatchNormalization(name="norm", scale=False)
    norm.trainable = False
    stack = layers.Conv2D(4, 3), norm, layers.Flatten(), layers.Dense(3, "softmax")
    return sequential((16, 16, 3), *stack)


def residual():
    model = dlnative.applications.resnet20(input_shape=(16, 16, 3), classes=3)
    model.compile("adam", LOSS)
    return model


SGD, Adam = dlnative.optimizers.SGD, dlnative.optimizers.Adam
DENSE = {
    "dense": dense,
    "float64": lambda: sequential(
        (6,), layers.Dense(9, "gelu", dtype="float64"), layers.Dense(3, "softmax", dtype="float64")
    ),
    "momentum, clipped": lambda: dense(
        optimizer=SGD(0.1, momentum=0.9, nesterov=True, global_clipnorm=1.0)
    ),
    "accumulation": lambda: dense(optimizer=Adam(gradient_accumulation_steps=2)),
    "EMA": lambda: dense(optimizer=Adam(use_ema=True, ema_overwrite_frequency=2)),
    "op by op": lambda: dense(run_eagerly=True),
    **{
        name: (lambda name=name: dense(optimizer=name))
        for name in ("rmsprop", "adamw", "lion", "muon", "ftrl")
    },
    **{
        f"{loss}, {activation}": (
            lambda loss=loss, activation=activation: sequential(
                (6,), layers.Dense(8, activation), layers.Dense(1, "sigmoid"), loss=loss
            )
        )
        for loss, activation in (
            ("mse", "tanh"),
            ("mae", "silu"),
            ("huber", "elu"),
            ("binary_crossentropy", "softplus"),
            ("log_cosh", "mish"),
        )
    },
}
CASES = {
    **{name: (make, X, Y) for name, make in DENSE.items()},
    **{m.__name__: (m, IMAGES, OF_IMAGES) for m in (images, augmented, frozen, residual)},
}


def everything(model, x, y):
    """All doors through which steps run."""
    y = y if model.loss == LOSS else (y == 1).astype("float32")[:, None]
    weights = np.linspace(0.5, 1.5, len(x))
    model.fit(x, y, batch_size=8, epochs=2, verbose=0, sample_weight=weights)
    model.fit(x, y, batch_size=8, verbose=0, on_nonfinite="skip")
    model.evaluate(x, y, batch_size=8, verbose=0)
    model.predict(x, batch_size=8, verbose=0)
    for _ in range(2):
        model.train_on_batch(x[:8], y[:8])
        model.test_on_batch(x[:8], y[:8])
        model.predict_on_batch(x[:8])
    model.fit(((x[i : i + 4], y[i : i + 4]) for i in (0, 4)), steps_per_epoch=2, verbose=0)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_what_is_right_is_passed_and_is_the_same_training(case, threads):
    before = dlnative.config.num_threads()
    dlnative.config.set_num_threads(threads)
    weights = []
    make, x, y = CASES[case]
    try:
        for verified in (True, False):
            dlnative.utils.set_random_seed(4)
            model = make()
            if verified:
                with dlnative.verify():
                    everything(model, x, y)
            else:
                everything(model, x, y)
            weights.append(model.get_weights())
    finally:
        dlnative.config.set_num_threads(before)
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture
def plant(monkeypatch):
    """plant(op, layer call): from the n-th call on the kernel of an op gives a wrong element."""

    def planted(name, output=0, change=lambda a: a * 1.01 + 0.01):
        execute = eager.native()

        def wrong(op, inputs, outputs, *rest):
            execute(op, inputs, outputs, *rest)
            if op == name:
                outputs[output].reshape(-1)[-1] = change(outputs[output].reshape(-1)[-1])

        monkeypatch.setattr(eager, "native", lambda: wrong)

    return planted


FAULTS = {  # op: (model, data, labels, layer)
    "dense": (dense, X, Y, "hidden"),
    "dropout": (dense, X, Y, "drop"),
    "sparse_softmax_cross_entropy_with_gradient": (dense, X, Y, None),
    "dense_backward_kernel": (dense, X, Y, "last"),
    "adam": (dense, X, Y, "kernel"),
    "conv2d": (images, IMAGES, OF_IMAGES, "conv"),
    "batch_norm_training": (images, IMAGES, OF_IMAGES, "norm"),
    "max_pool2d": (images, IMAGES, OF_IMAGES, "pool"),
    "batch_norm_training_backward": (images, IMAGES, OF_IMAGES, "norm"),
    "depthwise_conv2d": (images, IMAGES, OF_IMAGES, "depthwise"),
}


@pytest.mark.parametrize("op", FAULTS)
def test_a_wrong_kernel_is_named_and_nothing_is_written(op, plant):
    make, x, y, layer = FAULTS[op]
    model = make()
    model.train_on_batch(x[:8], y[:8])  # slots are there
    before = model.get_weights()
    assert op in [node.op.name for node in steps_of(model)]
    plant(op)
    with dlnative.verify(), pytest.raises(Disagreement) as caught:
        model.fit(x, y, batch_size=8, verbose=0)
    assert caught.value.op == op
    assert layer is None or layer in (caught.value.layer or "").split("/")
    assert f"op '{op}'" in str(caught.value) and "the bound is" in str(caught.value)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    model.fit(x, y, batch_size=8, verbose=0)  # outside of the block nobody looks


def steps_of(model):
    """The nodes of the programs that a model has."""
    entries = model._trainer.programs._entries.values()
    return [node for found in entries for step, _ in found for node in step.built.plan.instructions]


@pytest.mark.parametrize(
    "way", ["evaluate", "predict", "predict_on_batch", "test_on_batch", "train_on_batch"]
)
def test_every_way_is_looked_at(way, plant):
    model = dense()
    model.train_on_batch(X[:8], Y[:8])
    model.predict_on_batch(X[:8])  # a call that is kept ready
    plant("dense")
    given = (X[:8],) if way.startswith("predict") else (X[:8], Y[:8])
    options = {} if way.endswith("batch") else {"verbose": 0}
    getattr(model, way)(*given, **options)
    with dlnative.verify(), pytest.raises(Disagreement, match="op 'dense' of 'hidden'"):
        getattr(model, way)(*given, **options)
    getattr(model, way)(*given, **options)


def test_the_first_of_several_is_named(plant):
    plant("dense")
    model = dense()
    model.layers[0].name = "first"
    with dlnative.verify(), pytest.raises(Disagreement) as caught:
        model.predict(X, verbose=0)
    assert caught.value.layer == "first" and caught.value.output == 0
    assert caught.value.index[-1] == 15
    assert abs(caught.value.native - caught.value.oracle) > caught.value.bound


class Own(dlnative.Model):
    def __init__(self, asks):
        super().__init__()
        self.inner = dlnative.Sequential([layers.Dense(4, "tanh", name="deep")], name="inner")
        self.asks = asks

    def call(self, x):
        return ops.exp(self.inner(x))

    def train_step(self, data):
        x, _ = data

        def loss_of_batch():
            return ops.mean(ops.square(self(x)))

        loss, grads = dlnative.value_and_grad(loss_of_batch, self.trainable_variables)()
        if self.asks:
            float(loss)
        self.optimizer.apply(grads, self.trainable_variables)
        return {"loss": loss}


@pytest.mark.filterwarnings("ignore:Own.train_step needs the value")
@pytest.mark.parametrize("asks", [False, True])
def test_steps_of_ones_own_and_nested_models(asks, plant):
    model = Own(asks)
    model.compile("sgd")
    with dlnative.verify():
        model.fit(X, Y, verbose=0)
        plant("dense")
        with pytest.raises(Disagreement, match=r"op 'dense' of '[\w/]*inner/deep'"):
            model.fit(X, Y, verbose=0)


def test_a_fault_of_the_compiled_step_alone(monkeypatch):
    """One that no op has when it is computed by itself, such as a wrong place in memory."""
    model = dense(optimizer="sgd")
    model.train_on_batch(X[:8], Y[:8])
    run = NativeFunction.run

    def spoiled(self, *given):
        done = run(self, *given)
        model.layers[0].kernel.array[2, 3] += 1e-6
        return done

    with dlnative.verify():
        model.fit(X, Y, batch_size=20, verbose=0)
    monkeypatch.setattr(NativeFunction, "run", spoiled)
    with dlnative.verify(), pytest.raises(Disagreement) as caught:
        model.fit(X, Y, batch_size=20, verbose=0)
    assert caught.value.index == (2, 3) and caught.value.layer.endswith("hidden/kernel")
    assert "the compiled step has another value for variable" in str(caught.value)


def test_values_that_are_not_finite_are_left_to_the_doctor():
    x = X.copy()
    x[3] = np.inf
    model = dense()
    given = {"batch_size": 8, "shuffle": False, "check_finite": False, "verbose": 0}
    for policy in ("skip", "warn"):
        with dlnative.verify(), pytest.warns(RuntimeWarning, match="batch 1 of epoch 1"):
            model.fit(x, Y, on_nonfinite=policy, **given)


def test_lbfgs(plant):
    model = sequential((6,), layers.Dense(3, name="only"), optimizer="lbfgs", loss="mse")
    y = X[:, :3]
    with dlnative.verify():
        model.fit(X, y, batch_size=20, epochs=3, verbose=0)
        plant("dense")
        with pytest.raises(Disagreement, match="of 'only'"):
            model.fit(X, y, batch_size=20, verbose=0)


def test_the_numpy_engine_looks_at_the_native_ops(plant):
    with dlnative.engine("numpy"):
        model = dense()
        with dlnative.verify():
            model.fit(X, Y, verbose=0)
            plant("dense")
            with pytest.raises(Disagreement):
                model.fit(X, Y, verbose=0)


def test_functions_of_the_users_are_run_and_not_compared():
    def twice(x):
        backward = lambda dy, a: 2.0 * dy  # noqa: E731
        return dlnative.numpy_function(lambda a: 2.0 * a, x, backward=backward)

    model = sequential((6,), layers.Dense(4), layers.Lambda(twice), layers.Dense(3, "softmax"))
    with dlnative.verify():
        model.fit(X, Y, verbose=0)
        model.predict(X, verbose=0)


def test_what_plans_leave_out_is_absent():
    """Normalisations with constant statistics, with and without residual, scale and centre."""
    for options in ({}, {"scale": False}, {"center": False}, {"scale": False, "center": False}):
        model = dlnative.Sequential(
            [
                dlnative.Input((10,)),
                layers.Dense(6, activation="relu"),
                layers.BatchNormalization(**options),
                layers.LayerNormalization(**options),
                layers.Dropout(0.5),
                layers.Dense(2, activation="softmax"),
            ]
        )
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        x, y = np.ones((9, 10), "float32"), np.zeros(9, "int32")
        with dlnative.verify():
            model.evaluate(x, y, verbose=0)
            model.fit(x, y, sample_weight=np.ones(9), epochs=1, verbose=0)
            model.predict(x, verbose=0)


def test_kernels_of_convolutions_outside_of_convolutions():
    """Their shape alone makes no product that Winograd's algorithm may compute."""
    model = dlnative.Sequential(
        [
            dlnative.Input((8, 8, 1)),
            layers.SpectralNormalization(layers.Conv2D(4, 3)),
            layers.Flatten(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    optimizer = dlnative.optimizers.Adam(clipnorm=1.0, use_ema=True, ema_overwrite_frequency=2)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    x, y = np.random.default_rng(0).random((9, 8, 8, 1)), np.zeros(9, "int32")
    with dlnative.verify():
        model.fit(x, y, epochs=2, batch_size=3, verbose=0)
