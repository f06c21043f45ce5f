"""Configurations: round trips, JSON, exchange with Keras, custom objects, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from own_layers import Scale

import dlnative
from dlnative import Input, Model, Sequential, layers, ops, utils
from dlnative.models import model_from_json
from dlnative.utils import nest, serialization


@pytest.fixture(autouse=True)
def clean_registry():
    """What a test registers is forgotten after it, and what other files have registered is not."""
    kept = [(d, dict(d)) for d in (utils.get_custom_objects(), serialization._registered_names)]
    yield
    for registry, before in kept:
        registry.clear()
        registry.update(before)


def values(*shape, seed=0):
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape).astype("float32")


@dlnative.utils.register_keras_serializable()
def _halved(x):
    return x / 2


LAYERS = [
    layers.Conv1D(4, 3, strides=2, padding="causal", name="c"),
    layers.Conv2D(4, (3, 5), padding="same", dilation_rate=2, activation="relu", name="c"),
    layers.DepthwiseConv1D(3, depth_multiplier=2, use_bias=False, name="c"),
    layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False, name="c"),
    layers.SeparableConv1D(4, 3, padding="same", name="c"),
    layers.SeparableConv2D(4, 3, padding="same", name="c"),
    layers.Conv1DTranspose(4, 3, strides=2, name="c"),
    layers.Conv2DTranspose(4, 3, strides=(2, 1), padding="same", name="c"),
    layers.BatchNormalization(momentum=0.9, epsilon=1e-5, scale=False, name="n"),
    layers.LayerNormalization(center=False, name="n"),
    layers.GroupNormalization(groups=2, epsilon=1e-4, name="n"),
    layers.RMSNormalization(axis=[1, -1], epsilon=1e-3, name="n"),
    layers.UnitNormalization(axis=[1, 2], name="n"),
    layers.SpectralNormalization(layers.Conv2D(2, 3, name="c"), power_iterations=2, name="s"),
    layers.Wrapper(layers.Dense(2, name="d"), name="w"),
    layers.Pipeline([layers.GaussianNoise(0.5, seed=1), layers.Dense(2, name="d")], name="p"),
    layers.Embedding(7, 3, "ones", "l2", "non_neg", activity_regularizer="l1", name="e"),
    layers.InputLayer((3, None), name="i", dtype="uint8"),
    layers.Dense(3, activation="relu", use_bias=False, kernel_regularizer="l2", name="d"),
    layers.Dense(3, activation=layers.LeakyReLU(0.1, name="l"), trainable=False, name="d"),
    layers.Dense(3, kernel_initializer=dlnative.initializers.HeNormal(seed=4), dtype="float64"),
    layers.Activation("softmax"),
    layers.Identity(),
    layers.ReLU(max_value=6, negative_slope=0.1, threshold=1),
    layers.LeakyReLU(0.2),
    layers.ELU(0.7),
    layers.PReLU(shared_axes=[1, 2]),
    layers.Softmax(axis=[1]),
    layers.Dropout(0.3, noise_shape=(None, 1), seed=8),
    layers.AlphaDropout(0.3, noise_shape=(None, 1), seed=8),
    layers.GaussianDropout(0.3, seed=8),
    layers.GaussianNoise(0.3, seed=8),
    layers.ActivityRegularization(0.25, l2=0.5),
    layers.Flatten(data_format="channels_first"),
    layers.Reshape((-1, 2)),
    layers.Permute((2, 1)),
    layers.Rescaling(0.5, offset=-1),
    layers.Rescaling([0.5, 2.0], offset=np.array([1.0, 2.0])),
    layers.Add(),
    layers.Subtract(),
    layers.Multiply(),
    layers.Average(),
    layers.Maximum(),
    layers.Minimum(),
    layers.Dot([1, 2], normalize=True),
    layers.Concatenate(axis=1),
    layers.AdaptiveAveragePooling1D(3),
    layers.AdaptiveAveragePooling2D((3, 2)),
    layers.AdaptiveMaxPooling1D(3),
    layers.AdaptiveMaxPooling2D(2),
    layers.OpLayer("sum", {"axis": (1, 2), "keepdims": True}),
    layers.MaxPooling1D(3, strides=2, padding="same"),
    layers.MaxPooling2D((3, 2), strides=1),
    layers.AveragePooling1D(2),
    layers.AveragePooling2D(2, strides=(1, 2), padding="same"),
    layers.GlobalMaxPooling1D(),
    layers.GlobalMaxPooling2D(keepdims=True),
    layers.GlobalAveragePooling1D(keepdims=True),
    layers.GlobalAveragePooling2D(),
    layers.ZeroPadding1D((1, 2)),
    layers.Cropping1D((1, 2)),
    layers.UpSampling1D(3),
    layers.RepeatVector(4),
    layers.ZeroPadding2D(((1, 2), (3, 4))),
    layers.Cropping2D((1, 2)),
    layers.UpSampling2D((2, 3), interpolation="bicubic"),
    layers.SpatialDropout1D(0.25, seed=5),
    layers.SpatialDropout2D(0.5, seed=6),
    layers.RandomFlip("vertical", seed=1),
    layers.RandomCrop(24, 20, seed=2, padding=4, padding_mode="reflect"),
    layers.RandomTranslation(0.2, (-0.1, 0.3), fill_mode="constant", fill_value=0.5, seed=3),
    layers.RandomRotation(0.1, interpolation="nearest", seed=4),
    layers.RandomZoom((-0.2, 0.3), seed=5),
    layers.RandomBrightness((-0.1, 0.2), value_range=(0, 1), seed=6),
    layers.RandomContrast((0.1, 0.2), value_range=(0, 1), seed=7),
    layers.AugMix((0, 1), 2, 1, 0.25, 0.5, False, "nearest", seed=23),
    layers.AutoContrast((0, 1)),
    layers.ContrastLimitedAdaptiveHistogramEqualization((0, 1), 2.0, (3, 2)),
    layers.CutMix((0.2, 0.5), seed=8),
    layers.Equalization((0, 1), bins=16),
    layers.MixUp(0.3, seed=9),
    layers.RandAugment((0, 1), 3, (0.25, 0.5), "nearest", 24, "channels_first"),
    layers.RandomColorJitter((0, 1), 0.25, (0.5, 0.25), None, [0.25, 0.5], 25),
    layers.RandomColorDegeneration(0.5, data_format="channels_first", seed=10),
    layers.RandomElasticTransform(0.5, (0.2, 0.3), "nearest", "wrap", 2.0, (0, 1), seed=11),
    layers.RandomErasing(0.5, (0.1, 0.2), (1, 2, 3), (0, 9), seed=12),
    layers.RandomGaussianBlur(0.5, (3, 5), 0.5, (0, 1), seed=13),
    layers.RandomGrayscale(0.25, seed=14),
    layers.RandomHue((0.25, 0.5), (0, 1), seed=15),
    layers.RandomInvert(0.5, (0, 1), seed=16),
    layers.RandomPerspective(0.5, 0.25, "nearest", 1.0, seed=17),
    layers.RandomPosterization((2, 5), seed=18),
    layers.RandomSaturation((0.25, 0.75), (0, 1), seed=19),
    layers.RandomSharpness(0.5, (0, 1), seed=20),
    layers.RandomShear(0.25, (0.25, 0.5), "nearest", "wrap", 1.0, seed=21),
    layers.Solarization(0.25, (0.25, 0.5), (0, 1), seed=22),
    layers.Lambda(_halved, output_shape=(3,)),
]


@pytest.mark.parametrize("number", range(len(LAYERS)))
def test_layer_round_trip(number):
    layer = LAYERS[number]
    record = json.loads(json.dumps(layers.serialize(layer)))
    again = layers.deserialize(record)
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()
    assert again.name == layer.name
    assert again.trainable == layer.trainable


def test_every_public_layer_is_tested():
    public = {getattr(layers, name) for name in layers.__all__}
    classes = {c for c in public if isinstance(c, type) and issubclass(c, layers.Layer)}
    assert classes - {type(layer) for layer in LAYERS} == {layers.Layer}


def test_built_layer_is_built_again():
    layer = layers.Dense(3)
    layer.build((None, 4))
    again = layers.deserialize(json.loads(json.dumps(layers.serialize(layer))))
    assert again.built
    assert [w.shape for w in again.weights] == [(4, 3), (3,)]
    add = layers.Add()
    add.build([(None, 3), (None, 3)])
    assert layers.deserialize(json.loads(json.dumps(layers.serialize(add)))).built


# --- models --------------------------------------------------------------------------------------


def stack():
    return Sequential(
        [
            Input((4,), name="in"),
            layers.Dense(8, activation="relu", name="hidden"),
            layers.Dropout(0.25, seed=3, name="drop"),
            layers.Dense(3, activation="softmax", name="out"),
        ],
        name="stack",
    )


def graph():
    a, b = Input((3,), name="a"), Input((3,), name="b")
    twin = layers.Dense(4, activation="tanh", name="twin")
    pile = Sequential([Input((4,)), layers.Dense(4, name="piled")], name="pile")
    inner_in = Input((4,), name="inner_in")
    inner = Model(inner_in, [layers.Dense(2, name="p")(inner_in), inner_in * 2.0], name="inner")
    deep = twin(layers.Dense(3, name="before")(a))
    joined = layers.Concatenate(name="joined")([deep, pile(twin(b))])
    p, q = inner(layers.Dense(4, name="narrow")(joined))
    total = ops.sum(1.0 - q * np.array([1.0, 2.0, 3.0, 4.0]), axis=-1, keepdims=True)
    return Model({"a": a, "b": b}, {"first": p, "second": [total, inner(deep)[0]]}, name="graph")


def data_for(model):
    if model.name == "stack":
        return values(5, 4)
    return {"a": values(5, 3, seed=1), "b": values(5, 3, seed=2)}


def same_results(one, other):
    x = data_for(one)
    with dlnative.engine("numpy"):
        mine, theirs = one(x), other(x)
    for m, t in zip(nest.flatten(mine), nest.flatten(theirs), strict=True):
        np.testing.assert_array_equal(m, t)


@pytest.mark.parametrize("make", [stack, graph], ids=["stack", "graph"])
def test_model_round_trip(make):
    model = make()
    config = json.loads(json.dumps(model.get_config()))
    for again in (
        type(model).from_config(config),
        model_from_json(model.to_json()),
        model_from_json(model.to_json(indent=2)),
    ):
        assert type(again) is type(model)
        assert again.to_json() == model.to_json()
        assert [v.path for v in again.weights] == [v.path for v in model.weights]
        again.set_weights(model.get_weights())
        same_results(model, again)


def test_unbuilt_stack_stays_unbuilt():
    model = Sequential([layers.Dense(3), layers.Dense(2)])
    again = model_from_json(model.to_json())
    assert not again.built
    model.build((None, 4))
    again = model_from_json(model.to_json())
    assert again.count_params() == model.count_params()


def test_frozen_layers_stay_frozen():
    model = graph()
    model.get_layer("twin").trainable = False
    again = model_from_json(model.to_json())
    assert not again.get_layer("twin").trainable
    assert len(again.trainable_weights) == len(model.trainable_weights)
    model.trainable = False
    assert model_from_json(model.to_json()).trainable_weights == []
    frozen = stack()
    frozen.trainable = False
    assert model_from_json(frozen.to_json()).trainable_weights == []


def test_configuration_does_not_change_the_model():
    model = graph()
    first = model.to_json()
    config = model.get_config()
    config["layers"].clear()
    assert model.to_json() == first
    given = json.loads(first)["config"]
    copy = json.loads(json.dumps(given))
    Model.from_config(given)
    assert given == copy


# --- exchange with Keras -------------------------------------------------------------------------


def for_both(k, what):
    if what == "stack":
        return k.Sequential(
            [
                k.Input((4,), name="in"),
                k.layers.Dense(8, activation="relu", kernel_initializer="he_normal"),
                k.layers.LeakyReLU(0.1),
                k.layers.Dense(3, kernel_regularizer=k.regularizers.L2(0.1)),
                k.layers.Softmax(),
            ],
            name="stack",
        )
    a, b = k.Input((3,), name="a"), k.Input((3,), name="b")
    twin = k.layers.Dense(4, activation="tanh", name="twin")
    pile = k.Sequential([k.Input((4,)), k.layers.Dense(4, name="piled")], name="pile")
    inner_in = k.Input((4,), name="inner_in")
    inner = k.Model(inner_in, k.layers.Dense(2, name="p")(inner_in), name="inner")
    deep = twin(k.layers.Dense(3, name="before")(a))
    joined = k.layers.Concatenate(name="joined")([deep, pile(twin(b))])
    end = inner(k.layers.Dense(4, name="narrow")(joined))
    return k.Model([a, b], [end, inner(deep)], name="graph")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras with NumPy 2
@pytest.mark.parametrize("what", ["stack", "graph"])
def test_models_travel_to_keras_and_back(keras, what):
    ours = for_both(dlnative, what)
    theirs = keras.models.model_from_json(ours.to_json())
    back = model_from_json(theirs.to_json())
    theirs.set_weights(ours.get_weights())
    back.set_weights(ours.get_weights())
    x = values(5, 4) if what == "stack" else [values(5, 3), values(5, 3, seed=1)]
    with dlnative.engine("numpy"):
        mine, again = ours(x), back(x)
    other = theirs(x)
    if what == "stack":
        mine, again, other = [mine], [again], [other]
    for m, a, o in zip(mine, again, other, strict=True):
        np.testing.assert_allclose(m, np.asarray(o), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(m, a)


def normalized(record):
    """A record of Keras without what only Keras writes."""
    if isinstance(record, dict):
        if record.get("class_name") == "DTypePolicy":
            return record["config"]["name"]
        skipped = ("quantization_config", "compile_config", "mask")
        record = {k: normalized(v) for k, v in record.items() if k not in skipped}
        if record.get("class_name") not in ("Dense", "Sequential"):
            record.pop("build_config", None)  # Keras builds layers without weights early
        if record.get("class_name") == "Functional":
            record["registered_name"] = None
        return record
    return [normalized(v) for v in record] if isinstance(record, (list, tuple)) else record


@pytest.mark.parametrize("what", ["stack", "graph"])
def test_json_is_that_of_keras(keras, what):
    dlnative.utils.clear_session()
    keras.utils.clear_session()
    ours = json.loads(for_both(dlnative, what).to_json())
    theirs = json.loads(for_both(keras, what).to_json())
    assert normalized(ours) == normalized(theirs)


# --- one's own classes and functions -------------------------------------------------------------


def cube(x):
    return x * x * x


def with_own_parts():
    return Sequential([Input((2,)), layers.Dense(2, activation=cube), Scale(3.0)])


def test_custom_objects_by_argument():
    text = with_own_parts().to_json()
    objects = {"Scale": Scale, "cube": cube}
    model = model_from_json(text, custom_objects=objects)
    assert model.layers[1].factor == 3.0
    assert model.layers[0].activation is cube
    with utils.custom_object_scope(objects):
        assert model_from_json(text).layers[1].factor == 3.0
    config = with_own_parts().get_config()
    assert Sequential.from_config(config, custom_objects=objects).layers[0].activation is cube
    with pytest.raises(ValueError, match=r"Cannot find .*register_keras_serializable"):
        model_from_json(text)


def test_custom_objects_by_registration():
    utils.register_keras_serializable("tests")(Scale)
    utils.register_keras_serializable("tests", name="third_power")(cube)
    model = with_own_parts()
    text = model.to_json()
    assert "tests>Scale" in text
    assert "tests>third_power" in text
    assert model_from_json(text).layers[1].factor == 3.0
    assert utils.get_registered_name(Scale) == "tests>Scale"
    assert utils.get_registered_object("tests>Scale") is Scale
    assert dlnative.activations.get("tests>third_power") is cube
    with pytest.raises(ValueError, match="no get_config"):
        utils.register_keras_serializable()(type("Bare", (), {}))


def test_registered_initializer_and_regularizer():
    @utils.register_keras_serializable("tests")
    class Sevens(dlnative.initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return np.full(shape, 7.0, dtype)

    layer = layers.Dense(2, kernel_initializer=Sevens())
    again = layers.deserialize(json.loads(json.dumps(layers.serialize(layer))))
    assert type(again.kernel_initializer) is Sevens


@pytest.mark.parametrize(
    "module", ["activations", "constraints", "initializers", "losses", "metrics", "regularizers"]
)
def test_registered_names_are_known_to_get(module):
    @utils.register_keras_serializable("tests")
    class Own:
        def get_config(self):
            return {}

        def __call__(self, *tensors):
            return tensors[0]

    get = getattr(dlnative, module).get
    assert type(get("tests>Own")) is type(get(Own)) is Own
    with utils.custom_object_scope({"mine": cube}):
        assert get("mine") is cube
    assert get(cube) is cube
    assert get(None) is (dlnative.activations.linear if module == "activations" else None)
    with pytest.raises(ValueError, match=r"Unknown \w+ 'tests>own'"):
        get("tests>own")
    with pytest.raises(TypeError, match=r"expected a name, .*, received 3 of type int"):
        get(3)


# --- what is refused -----------------------------------------------------------------------------


def test_lambdas_are_not_written():
    model = Sequential([Input((2,)), layers.Dense(2, activation=lambda x: x)])
    with pytest.raises(ValueError, match="named function"):
        model.to_json()


class Canary:
    """Something whose creation a configuration must not bring about."""

    made = 0

    def __init__(self, **kwargs):
        type(self).made += 1

    @classmethod
    def from_config(cls, config):
        return cls()


def record(**changes):
    return {"module": "keras.layers", "class_name": "Dense", "config": {"units": 2}, **changes}


@pytest.mark.parametrize(
    "bad",
    [
        record(module="os", class_name="system", config={"command": "echo"}),
        record(module="builtins", class_name="eval", config={}),
        record(module="builtins", class_name="function", config="eval"),
        record(module="builtins", class_name="function", config="exec"),
        record(module="subprocess", class_name="Popen", config={"args": "ls"}),
        record(module=__name__, class_name="Canary", config={}),
        record(module="numpy", class_name="ndarray", config={}),
        record(module="keras.models", class_name="model_from_json", config={}),
        record(module="keras.layers", class_name="__init__", config={}),
        record(module="keras.layers", class_name="np", config={}),
        record(module="dlnative.layers.core", class_name="np", config={}),
        record(module="keras", class_name="Trainer", config={}),
        record(class_name="__lambda__", config={"value": "4wAAAA"}),
        record(class_name="Desne"),
        record(config={"units": -1}),
        record(config={"units": 2, "activation": "rleu"}),
    ],
    ids=str,
)
def test_configurations_run_nothing_but_known_names(bad):
    with pytest.raises(ValueError):  # noqa: PT011  many different ones
        layers.deserialize(bad)
    assert Canary.made == 0


@pytest.mark.parametrize("name", ["eval", "exec", "open", "__import__", "print"])
def test_functions_are_found_among_known_names_only(name):
    for module in ("builtins", "os", "keras.activations", None):
        bad = record(module=module, class_name="function", config=name, registered_name=name)
        with pytest.raises(ValueError, match=name):
            utils.deserialize_keras_object(bad)
        with pytest.raises(ValueError, match=name):
            dlnative.activations.get(bad)


def test_bad_names_are_told_with_the_nearest():
    with pytest.raises(ValueError, match="'Desne'. Did you mean 'Dense'"):
        layers.deserialize(record(class_name="Desne"))
    with pytest.raises(ValueError, match="expected a layer's configuration"):
        layers.deserialize(record(module="keras.initializers", class_name="Zeros", config={}))
    with pytest.raises(TypeError, match="Expected a configuration"):
        layers.deserialize(object())
    with pytest.raises(ValueError, match="expected the configuration of a model"):
        model_from_json(json.dumps(record()))
    with pytest.raises(ValueError, match="Expecting"):
        model_from_json("{")
    code = {"class_name": "__lambda__", "config": {"value": ["4wAAAA==", None, None]}}
    for safe_mode in (True, False):
        with pytest.raises(ValueError, match="never run"):
            utils.deserialize_keras_object(code, safe_mode=safe_mode)
    with pytest.raises(TypeError, match="no get_config"):
        utils.serialize_keras_object(object())


def test_damaged_graphs_are_refused():
    config = json.loads(json.dumps(graph().get_config()))
    by_name = {entry["name"]: entry for entry in config["layers"]}
    joined = by_name["joined"]["inbound_nodes"][0]["args"][0]
    first = joined[0]["config"]

    def attempt():
        return Model.from_config(json.loads(json.dumps(config)))

    attempt()
    good = first["keras_history"]
    first["keras_history"] = ["nobody", 0, 0]
    with pytest.raises(ValueError, match="Unknown layer .*'nobody'"):
        attempt()
    first["keras_history"] = ["narrow", 0, 0]  # a cycle
    with pytest.raises(ValueError, match="not connected"):
        attempt()
    first["keras_history"] = ["twin", 7, 0]
    with pytest.raises(ValueError, match="not connected"):
        attempt()
    first["keras_history"] = good
    config["layers"].append(config["layers"][0])
    with pytest.raises(ValueError, match="not a layer of its own"):
        attempt()
    with pytest.raises(ValueError, match="'name' and 'layers'"):
        Sequential.from_config({"layers": []})


# --- plain values --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [None, 3, 2.5, "a", True, [1, [2.0]], {"a": [1], "b": None}, np.float32(2.5), (1, 2)]
)
def test_plain_values_round_trip(value):
    assert utils.deserialize_keras_object(utils.serialize_keras_object(value)) == value


def test_arrays_round_trip():
    array = np.arange(6, dtype="float32").reshape(2, 3)
    record = json.loads(json.dumps(utils.serialize_keras_object(array)))
    again = utils.deserialize_keras_object(record)
    np.testing.assert_array_equal(again, array)
    assert again.dtype == array.dtype
