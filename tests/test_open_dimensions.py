"""Models whose inputs leave sizes open beside the batch: training, programs, errors, files."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import Input, Model, Sequential, layers, ops, saving
from dlnative.layers import calls
from dlnative.models import state as state_module


def values(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


@pytest.fixture
def builds(monkeypatch):
    """A list that grows with each step, and each call on arrays, that is compiled."""
    built = []

    def counting(module, name, word):
        original = getattr(module, name)

        def counted(*args, **kwargs):
            built.append(word(args))
            return original(*args, **kwargs)

        monkeypatch.setattr(module, name, counted)

    counting(state_module, "build_step", lambda args: args[0].kind)
    counting(calls, "_compile", lambda args: "call")
    return built


# --- what the models are --------------------------------------------------------------------------


def branches(k):
    """A fully convolutional net with branches, normalisation and layers that change sizes."""
    x = k.Input((None, None, 3))
    a = k.layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
    b = k.layers.Conv2D(4, 1)(x)
    y = k.layers.Concatenate()([a, b])
    y = k.layers.BatchNormalization()(y)
    y = k.layers.ReLU()(y)
    y = k.layers.MaxPooling2D(padding="same")(y)
    y = k.layers.DepthwiseConv2D(3, padding="same")(y)
    y = k.layers.ZeroPadding2D(1)(y)
    y = k.layers.Cropping2D(((1, 0), (0, 1)))(y)
    y = k.layers.GroupNormalization(2)(y)
    y = k.layers.Add()([y, k.layers.SeparableConv2D(8, 3, padding="same")(y)])
    y = k.layers.Conv2D(6, 3, strides=2)(y * 0.5)
    y = k.layers.GlobalAveragePooling2D()(y)
    return k.Model(x, k.layers.Dense(2)(y))


def line(k):
    x = k.Input((None, 3))
    y = k.layers.Conv1D(4, 3, padding="causal", activation="tanh")(x)
    y = k.layers.LayerNormalization()(y)
    y = k.layers.AveragePooling1D(2)(y)
    y = k.layers.Conv1D(5, 2, dilation_rate=2)(y)
    y = y - k.ops.mean(y, axis=1, keepdims=True)
    y = k.layers.Dense(4)(y)
    y = k.ops.concatenate([k.ops.max(y, axis=1), y[:, -1]], axis=-1)
    return k.Model(x, k.layers.Dense(2)(y))


def autoencoder(k):
    """Images of odd sizes become smaller and larger again."""
    x = k.Input((None, None, 3))
    y = k.layers.Conv2D(4, 3, strides=2, padding="same", activation="tanh")(x)
    y = k.layers.Conv2DTranspose(4, 3, strides=2, activation="tanh")(y)
    y = k.layers.Conv2D(4, 3, strides=2)(y)
    y = k.layers.UpSampling2D(2, interpolation="bilinear")(y)
    y = k.layers.UpSampling2D((1, 1))(y)
    y = k.layers.Conv2DTranspose(3, 2)(y)
    return k.Model(x, y)


def sequences(k):
    """Dense layers on sequences."""
    return k.Sequential(
        [
            k.Input((None, 3)),
            k.layers.Dense(4, activation="gelu"),
            k.layers.Reshape((-1, 2)),
            k.layers.PReLU(shared_axes=[1]),
            k.layers.Permute((2, 1)),
            k.layers.Permute((2, 1)),
            k.layers.GlobalMaxPooling1D(),
            k.layers.Dense(2),
        ]
    )


def nested(k):
    inner = k.Sequential([k.Input((None, None, 4)), k.layers.Conv2D(4, 3, activation="tanh")])
    x = k.Input((None, None, 3))
    y = inner(k.layers.Conv2D(4, 1)(x))
    y = inner(y)
    return k.Model(x, k.layers.Dense(2)(k.layers.GlobalAveragePooling2D()(y)))


MODELS = {  # how to make it, sizes of the data in turn
    "branches": (branches, [(9, 12), (14, 10), (9, 12)]),
    "line": (line, [(11,), (16,), (11,)]),
    "autoencoder": (autoencoder, [(9, 13), (11, 7), (9, 13)]),
    "sequences": (sequences, [(5,), (8,), (1,)]),
    "nested": (nested, [(7, 6), (5, 9), (7, 6)]),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODELS)
def test_training_on_sizes_in_turn_is_that_of_keras(keras, name):
    make, sizes = MODELS[name]
    ours, theirs = make(dlnative), make(keras)
    assert ours.output_shape == theirs.output_shape
    assert [t.shape for t in ours.outputs] == [t.shape for t in theirs.outputs]
    ours.set_weights([np.asarray(w) for w in theirs.get_weights()])
    ours.compile(dlnative.optimizers.SGD(0.02), "mse")
    theirs.compile(keras.optimizers.SGD(0.02), "mse")
    for number, size in enumerate(sizes):
        x = values(5, *size, 3, seed=number)
        outputs = theirs.predict(x, verbose=0)
        np.testing.assert_allclose(ours.predict(x, verbose=0), outputs, rtol=2e-3, atol=2e-4)
        y = values(*outputs.shape, seed=number + 7)
        options = {"batch_size": 2, "epochs": 2, "shuffle": False, "verbose": 0}
        expected = theirs.fit(x, y, **options).history["loss"]
        np.testing.assert_allclose(ours.fit(x, y, **options).history["loss"], expected, rtol=2e-4)
    for a, b in zip(ours.get_weights(), theirs.get_weights()):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_engines_agree(name):
    make, sizes = MODELS[name]
    model = make(dlnative)
    for size in sizes:
        x = values(3, *size, 3)
        with dlnative.engine("numpy"):
            expected = model.predict(x, verbose=0)
        np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(model(x), expected, rtol=1e-4, atol=1e-5)


# --- programs -------------------------------------------------------------------------------------


def run_all(model, x, y):
    model.fit(x, y, batch_size=2, verbose=0, validation_data=(x[:3], y[:3]))
    model.evaluate(x, y, batch_size=2, verbose=0)
    model.predict(x, batch_size=2, verbose=0)
    model.train_on_batch(x, y)
    model.test_on_batch(x, y)
    model.predict_on_batch(x)
    model(x)


class Subclassed(Model):
    def __init__(self):
        super().__init__()
        self.conv = layers.Conv2D(3, 3, padding="same")
        self.pool = layers.GlobalMaxPooling2D()
        self.head = layers.Dense(2)

    def call(self, x):
        y = self.conv(x)
        return self.head(self.pool(y - ops.mean(y, axis=(1, 2), keepdims=True)))


@pytest.mark.parametrize("make", [lambda: branches(dlnative), Subclassed], ids=["open", "own"])
def test_each_size_is_compiled_once(builds, make):
    model = make()
    model.compile("sgd", "mse")
    y = values(5, 2)
    sizes = [(8, 8), (12, 20), (9, 7), (20, 20), (8, 9)]
    for size in sizes:
        del builds[:]
        run_all(model, values(5, *size, 3), y)
        expected = ["call", *["predict"] * 3, *["test"] * 3, *["train"] * 3]
        assert sorted(builds) == expected
    del builds[:]
    for size in sizes:
        run_all(model, values(5, *size, 3), y)
    assert builds == []


def test_predict_takes_another_size_than_fit():
    model = branches(dlnative)
    model.compile("adam", "mse")
    model.fit(values(6, 9, 9, 3), values(6, 2), verbose=0)
    x = values(3, 31, 6, 3)
    np.testing.assert_allclose(model.predict(x, verbose=0), model(x), rtol=1e-5, atol=1e-6)


def test_labels_of_each_step_of_a_sequence():
    model = Sequential([Input((None, 3)), layers.Dense(2)])
    model.compile("sgd", "mse", metrics=["mae"])
    for length in (4, 7):
        x, y = values(6, length, 3), values(6, length, 2)
        model.fit(x, y, verbose=0)
        loss, _ = model.evaluate(x, y, verbose=0)
        assert loss == pytest.approx(np.mean((model(x) - y) ** 2), rel=1e-5)
    with pytest.raises(ValueError, match=r"expected labels of shape \(6, 4, 2\).*\(6, 5, 2\)"):
        model.fit(values(6, 4, 3), values(6, 5, 2), verbose=0)


# --- sizes at the edge ----------------------------------------------------------------------------


def test_sizes_of_one_and_of_hundreds_of_thousands():
    model = Sequential(
        [
            Input((None, 1)),
            layers.Conv1D(2, 3, padding="same"),
            layers.GlobalMaxPooling1D(),
        ]
    )
    for length in (1, 2, 200_000):
        assert model.predict(values(1, length, 1), verbose=0).shape == (1, 2)
    long = Sequential([Input((None, 1)), layers.Conv1D(2, 1024, strides=256)])
    assert long.output_shape == (None, None, 2)
    assert long.predict(values(1, 100_000, 1), verbose=0).shape == (1, 387, 2)


@pytest.mark.parametrize(
    "shape, words",
    [
        ((2, 0, 4), r"at least one value, received shape \(2, 0, 4\)"),
        ((0, 5, 4), r"at least one sample, received an empty array of shape \(0, 5, 4\)"),
        ((2, 2, 4), r"Conv1D 'conv'.*larger than the padded input: its length is 3.*is 2"),
        ((2, 5, 3), r"expected input 'x' of shape \(batch, None, 4\), received \(batch, 5, 3\)"),
        ((2, 5), r"expected input 'x' of shape \(batch, None, 4\), received \(batch, 5\)"),
    ],
)
def test_data_that_do_not_fit(shape, words):
    model = Sequential(
        [
            Input((None, 4), name="x"),
            layers.Conv1D(3, 3, name="conv"),
            layers.GlobalMaxPooling1D(),
        ]
    )
    model.compile("sgd", "mse")
    before = model.get_weights()
    for run in (
        lambda x: model.predict(x, verbose=0),
        lambda x: model.fit(x, np.zeros((len(x), 3)), verbose=0),
    ):
        with pytest.raises(ValueError, match=words):
            run(values(*shape))
    assert all(map(np.array_equal, before, model.get_weights()))


# --- what needs a size ----------------------------------------------------------------------------


class Widens(layers.Layer):
    """A Dense layer on a size that is computed of an open one."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(2, name="inner")

    def call(self, x):
        return self.dense(ops.reshape(x, (-1, x.shape[1] * 3)))


class HasWeight(layers.Layer):
    def build(self, input_shape):
        self.w = self.add_weight(shape=input_shape[1:], name="w")

    def call(self, x):
        return x * self.w


def flat(inputs):
    return layers.Dense(2, name="head")(layers.Flatten(name="flat")(inputs))


AXIS = r"the size of axis {} of its input must be known, as its weights have that size, received "
NEEDS = [
    (flat, (None, 3), "Dense 'head': " + AXIS.format(-1) + ".*GlobalAveragePooling1D"),
    (flat, (None, None, 3), "(?s)Dense 'head': .*Flatten 'flat' *.batch, None"),
    (layers.Dense(2, name="d"), (None,), "Dense 'd': " + AXIS.format(-1)),
    (layers.Conv1D(2, 2, name="c"), (4, None), "Conv1D 'c': " + AXIS.format(-1)),
    (layers.Conv2D(2, 2, name="c"), (4, 4, None), "Conv2D 'c': " + AXIS.format(-1)),
    (layers.Conv2DTranspose(2, 2, name="c"), (4, 4, None), "Conv2DTranspose 'c': the size"),
    (layers.DepthwiseConv2D(2, name="c"), (4, 4, None), "DepthwiseConv2D 'c': the size"),
    (layers.SeparableConv2D(2, 2, name="c"), (4, 4, None), "SeparableConv2D 'c': the size"),
    (layers.BatchNormalization(name="n"), (4, None), "BatchNormalization 'n': the size of axis -1"),
    (layers.BatchNormalization(axis=1, name="n"), (None, 3), "'n': the size of axis 1 "),
    (layers.LayerNormalization(name="n"), (4, None), "LayerNormalization 'n': the size of axis 2 "),
    (layers.LayerNormalization(axis=[1, 2], name="n"), (None, 3), "'n': the size of axis 1 "),
    (layers.GroupNormalization(2, name="n"), (4, None), "GroupNormalization 'n': the size of axis"),
    (layers.PReLU(name="p"), (None, 3), r"PReLU 'p': the size of axis 1 .*shared_axes=\[1\]"),
    (Widens(name="w"), (None, 3), r"(?s)Dense 'inner': the size of axis -1 .*Widens 'w'"),
    (HasWeight(name="w"), (None, 3), r"HasWeight 'w': cannot make the weight 'w' of .*None, 3"),
]


@pytest.mark.parametrize("number", range(len(NEEDS)))
def test_what_needs_a_size_says_so_when_the_model_is_made(number):
    layer, shape, words = NEEDS[number]
    with pytest.raises(ValueError, match=words):
        Model(x := Input(shape), layer(x))
    if isinstance(layer, layers.Layer):
        assert not layer.built and not layer.weights
        with pytest.raises(ValueError, match=words):
            Sequential([Input(shape), layer])
        outer = Sequential([layers.Identity(), layer])
        with pytest.raises(ValueError, match=words):
            outer.build((None, *shape))


def test_layer_normalization_without_weights_takes_an_open_axis():
    layer = layers.LayerNormalization(center=False, scale=False, epsilon=0.0)
    model = Model(x := Input((None,)), layer(x))
    for size in (3, 8):
        y = model.predict(values(4, size), verbose=0)
        np.testing.assert_allclose(y.std(axis=1), 1.0, rtol=1e-4)


# --- a fixed batch size ---------------------------------------------------------------------------


def fixed():
    model = Sequential(
        [
            Input(batch_shape=(8, None, 3), name="x"),
            layers.Dense(4),
            layers.GlobalMaxPooling1D(),
        ],
        name="m",
    )
    model.compile("sgd", "mse")
    return model


def test_a_fixed_batch_size_is_the_default():
    model = fixed()
    assert model.output_shape == (8, 4)
    x, y = values(2400, 2, 3), values(2400, 4)
    sizes = []
    report = dlnative.callbacks.LambdaCallback(on_train_batch_end=lambda b, logs: sizes.append(b))
    model.fit(x, y, verbose=0, callbacks=[report])
    assert len(sizes) == 300
    assert model.predict(x, verbose=0).shape == (2400, 4)
    assert model.predict(x[:8], verbose=0).shape == (8, 4)
    model.evaluate(x, y, verbose=0)
    model.fit(x[:16], y[:16], verbose=0, validation_split=0.5)
    assert layers.Dense(2)(Input((3,), batch_size=4)).shape == (4, 2)


REFUSED = {
    "fit": lambda m, x, y: m.fit(x, y, verbose=0),
    "validation": lambda m, x, y: m.fit(
        values(8, 5, 3), values(8, 4), validation_data=(x, y), verbose=0
    ),
    "evaluate": lambda m, x, y: m.evaluate(x, y, verbose=0),
    "predict": lambda m, x, y: m.predict(x, verbose=0),
    "train_on_batch": lambda m, x, y: m.train_on_batch(x, y),
    "predict_on_batch": lambda m, x, y: m.predict_on_batch(x),
    "call": lambda m, x, y: m(x),
}


@pytest.mark.parametrize("rows", [3, 20])
@pytest.mark.parametrize("name", REFUSED)
def test_rows_that_the_fixed_batch_size_does_not_divide(name, rows):
    model = fixed()
    before = model.get_weights()
    words = (
        r"Sequential 'm': expected input 'x' of shape \(8, None, 3\), received .*Pass 8 rows"
        if name in ("train_on_batch", "predict_on_batch", "call")
        else rf"'m': the batch size of its Input is 8, but the last .* {rows % 8} of {rows} rows"
    )
    with pytest.raises(ValueError, match=words):
        REFUSED[name](model, values(rows, 5, 3), values(rows, 4))
    assert all(map(np.array_equal, before, model.get_weights()))
    assert int(model.optimizer.iterations) == 0


@pytest.mark.parametrize("run", ["fit", "evaluate", "predict"])
def test_another_batch_size_than_the_fixed_one(run):
    model = fixed()
    data = (values(16, 5, 3),) if run == "predict" else (values(16, 5, 3), values(16, 4))
    with pytest.raises(ValueError, match="expected batch_size=8, received 4 for 16 rows"):
        getattr(model, run)(*data, batch_size=4, verbose=0)


# --- what is said of a model ----------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_summary(name):
    model = MODELS[name][0](dlnative)
    lines = []
    model.summary(print_fn=lines.append, expand_nested=True, show_trainable=True)
    text = "\n".join(lines)
    assert "(None, None" in text and " ? |" in text
    assert f"Total params: {model.count_params():,} " in text


@pytest.mark.native
def test_memory_plan_and_profile():
    model = branches(dlnative)
    model.compile("adam", "mse")
    with pytest.raises(ValueError, match=r"open, \(None, None, None, 3\).*\(None, 32, 32, 3\)"):
        model.memory_plan(4)
    with pytest.raises(ValueError, match=r"'input.*' that are open, \(None, 9, None, 3\)"):
        model.memory_plan(4, input_shape=(None, 9, None, 3))
    for wrong in ((None, 9, 9, 4), (None, 9, 9), [(None, 9, 9, 3)] * 2):
        with pytest.raises(ValueError, match="expected input_shape like"):
            model.memory_plan(4, input_shape=wrong)
    small = model.memory_plan(4, input_shape=(None, 9, 9, 3))
    large = model.memory_plan(4, input_shape=(1, 18, 18, 3))
    assert small.arena_bytes < large.arena_bytes
    assert "train step of 4 rows" in str(large)
    x = values(4, 18, 18, 3)
    assert "conv2d" in str(model.profile(x, values(4, 2), batch_size=4, steps=1))
    fresh = branches(dlnative)
    fresh.compile("adam", "mse")
    fresh.train_on_batch(x, values(4, 2))
    assert fresh._trainer.programs.arenas.bytes == large.arena_bytes


@pytest.mark.parametrize("name", MODELS)
def test_copies_keep_open_sizes(name, tmp_path):
    make, sizes = MODELS[name]
    model = make(dlnative)
    saving.save(model, tmp_path)
    loaded = saving.load(tmp_path).model
    copy = type(model).from_config(model.get_config())
    clone = dlnative.models.clone_model(model)
    for other in (loaded, copy, clone):
        assert other.input_shape == model.input_shape
        assert other.output_shape == model.output_shape
        other.set_weights(model.get_weights())
        for size in sizes[:2]:
            x = values(2, *size, 3)
            np.testing.assert_array_equal(other.predict(x, verbose=0), model.predict(x, verbose=0))


def test_a_stack_that_is_built_with_open_sizes_keeps_them(tmp_path):
    model = Sequential([layers.Conv1D(3, 2), layers.GlobalMaxPooling1D(), layers.Dense(1)])
    model.build((None, None, 4))
    saving.save(model, tmp_path)
    loaded = saving.load(tmp_path).model
    assert loaded.input_shape == model.input_shape == (None, None, 4)
    assert loaded.get_build_config() == model.get_build_config()
    x = values(2, 7, 4)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras with NumPy 2
def test_a_stack_without_an_input_takes_what_its_layers_take(keras, builds, tmp_path):
    def make(k):
        kinds = k.layers
        return k.Sequential([kinds.Conv1D(3, 2), kinds.GlobalMaxPooling1D(), kinds.Dense(1)])

    model, theirs = make(dlnative), make(keras)
    theirs.build((None, 5, 4))
    for size in (5, 9, 5, 9):
        model.predict(values(2, size, 4), verbose=0)
    assert builds == ["predict"] * 2
    assert model.input_shape == theirs.input_shape
    model.set_weights([np.asarray(w) for w in theirs.get_weights()])
    saving.save(model, tmp_path)
    loaded = saving.load(tmp_path).model
    for other in (model, loaded, dlnative.models.clone_model(model)):
        other.set_weights(model.get_weights())
        for size in (9, 3):
            x = values(2, size, 4)
            expected = theirs.predict(x, verbose=0)
            np.testing.assert_allclose(other.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-6)
        with pytest.raises(ValueError, match="Conv1D 'conv1d.*' *does not fit .batch, 9, 3"):
            other.predict(values(2, 9, 3), verbose=0)
        with pytest.raises(ValueError, match=r"expected input .* received \(batch, 9\)"):
            other.predict(values(2, 9), verbose=0)
    reborn = keras.Sequential.from_config(model.get_config())
    assert reborn.input_shape == model.input_shape


class Doubles(layers.Layer):
    """Sizes of its result are computed; layers within are built while a size stands for another."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(2)

    def call(self, x):
        return ops.reshape(self.dense(x), (-1, x.shape[1] * 2, 1))


def test_a_layer_that_computes_with_sizes_notes_none_of_those_it_was_asked_with():
    model = Model(x := Input((None, 3)), Doubles()(x))
    assert model.output_shape == (None, None, 1)
    assert model.layers[1].dense.get_build_config() == {"input_shape": (None, None, 3)}
    for length in (4, 9):
        assert model.predict(values(2, length, 3), verbose=0).shape == (2, 2 * length, 1)


# --- augmentation ---------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
def test_augmentation_of_any_size():
    model = Sequential(
        [
            Input((None, None, 3)),
            layers.RandomFlip(seed=1),
            layers.RandomRotation(0.1, seed=2),
            layers.RandomZoom(0.2, seed=3),
            layers.RandomTranslation(0.1, 0.1, seed=4),
            layers.RandomContrast(0.2, seed=5),
            layers.RandomBrightness(0.2, value_range=(-9, 9), seed=6),
        ]
    )
    assert model.output_shape == (None, None, None, 3)
    fixed_size = Sequential(
        [Input((None, None, 3)), layers.RandomCrop(6, 5, seed=7), layers.Flatten()]
    )
    assert fixed_size.output_shape == (None, 90)
    for size in ((8, 9), (6, 13), (4, 4)):
        x = values(3, *size, 3)
        assert not np.array_equal(model(x, training=True), x)
        np.testing.assert_array_equal(model(x, training=False), x)
        closed = dlnative.models.clone_model(model, input_tensors=Input((*size, 3)))
        np.testing.assert_array_equal(
            closed.layers[0](x, training=True).shape, model.layers[0](x, training=True).shape
        )
        assert fixed_size.predict(x, verbose=0).shape == (3, 90)
    fixed_size.add(layers.Dense(1))
    fixed_size.compile("sgd", "mse")
    for size in ((8, 9), (6, 13), (4, 4)):
        fixed_size.fit(values(4, *size, 3), values(4, 1), verbose=0)
