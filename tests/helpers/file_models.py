"""Models that either library can make, for files that the other one reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

MODELS: dict[str, tuple[Callable[[Any], Any], Any]] = {}  # name -> (maker, shapes of the inputs)
DRAWING = ("dropout", "augmentation")  # whose steps of training draw random numbers
# What Keras cannot read, whoever has written it, and what it has written so that nobody can.
NOT_BY_KERAS = ("a model in two models",)
NOT_OF_KERAS = ("a model in two models", "a layer in two models")


def _case(name: str, *shapes: tuple[int, ...]) -> Callable[[Any], Any]:
    def note(maker: Callable[[Any], Any]) -> Callable[[Any], Any]:
        MODELS[name] = maker, shapes
        return maker

    return note


def data(name: str, model: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """(x, y) of 12 rows for a model of `MODELS`."""
    x = [rng.normal(size=(12, *shape)).astype("float32") for shape in MODELS[name][1]]
    x = x[0] if len(x) == 1 else x
    outputs = model.predict(x, verbose=0)

    def like(output: Any) -> Any:
        if isinstance(output, dict):
            return {key: like(value) for key, value in output.items()}
        if isinstance(output, (list, tuple)):
            return [like(value) for value in output]
        return rng.normal(size=output.shape).astype("float32")

    return x, like(outputs)


@_case("dense", (4,))
def dense(lib: Any) -> Any:
    layers = lib.layers
    return lib.Sequential(
        [
            lib.Input((4,)),
            layers.Dense(5, activation="relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Dense(3, use_bias=False, kernel_constraint="non_neg"),
            layers.PReLU(),
            layers.LayerNormalization(),
        ],
        name="dense_model",
    )


@_case("not built before fit", (4,))
def late(lib: Any) -> Any:
    return lib.Sequential([lib.layers.Dense(5, activation="tanh"), lib.layers.Dense(2)])


@_case("dropout", (4,))
def dropout(lib: Any) -> Any:
    layers = lib.layers
    return lib.Sequential(
        [lib.Input((4,)), layers.Dense(6), layers.Dropout(0.5), layers.Dropout(0.2, seed=7)]
    )


@_case("channels first and norms", (5, 9))
def norms(lib: Any) -> Any:
    layers = lib.layers
    first = {"data_format": "channels_first"}
    return lib.Sequential(
        [
            lib.Input((5, 9)),
            layers.SeparableConv1D(4, 3, padding="same", **first),
            layers.BatchNormalization(axis=1, renorm=True, renorm_clipping={"rmax": 1.5}),
            layers.DepthwiseConv1D(2, depth_multiplier=2, **first),
            layers.RMSNormalization(),
            layers.Pipeline([layers.Dense(6), layers.BatchNormalization(), layers.Dense(4)]),
            layers.AdaptiveAveragePooling1D(3, **first),
            layers.UnitNormalization(axis=[1, 2]),
            layers.ActivityRegularization(l2=0.1),
            layers.Flatten(),
        ]
    )


@_case("images", (9, 8, 3))
def images(lib: Any) -> Any:
    layers = lib.layers
    return lib.Sequential(
        [
            lib.Input((9, 8, 3)),
            layers.Rescaling(0.5, offset=0.1),
            layers.ZeroPadding2D(1),
            layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.SeparableConv2D(5, 3, padding="same"),
            layers.GroupNormalization(5),
            layers.UpSampling2D(2),
            layers.Conv2DTranspose(2, 3, strides=2, padding="same"),
            layers.MaxPooling2D(2),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )


@_case("sequences", (10, 3))
def sequences(lib: Any) -> Any:
    layers = lib.layers
    x = lib.Input((10, 3))
    h = layers.Conv1D(4, 3, dilation_rate=2, padding="causal")(x)
    h = layers.Conv1DTranspose(3, 2, strides=2)(h)
    h = layers.AveragePooling1D(2)(h)
    h = layers.Permute((2, 1))(h)
    h = layers.Flatten()(h)
    h = layers.Reshape((5, -1))(h)
    return lib.Model(x, layers.GlobalMaxPooling1D()(layers.LeakyReLU(0.1)(h)))


@_case("augmentation", (8, 8, 3))
def augmentation(lib: Any) -> Any:
    layers = lib.layers
    x = lib.Input((8, 8, 3))
    h = layers.RandomFlip()(x)
    h = layers.RandomRotation(0.1)(h)
    h = layers.RandomZoom(0.1, seed=3)(h)
    h = layers.RandomTranslation(0.1, 0.1)(h)
    h = layers.RandomContrast(0.1)(h)
    h = layers.RandomBrightness(0.1, value_range=(0, 1))(h)
    h = layers.SpatialDropout2D(0.2)(h)
    h = layers.Conv2D(3, 3)(h)
    return lib.Model(x, layers.Dense(2)(layers.Flatten()(h)))


@_case("inputs and outputs", (4,), (3,))
def ends(lib: Any) -> Any:
    layers = lib.layers
    a, b = lib.Input((4,), name="first"), lib.Input((3,), name="second")
    h = layers.Concatenate()([layers.Dense(3)(a), b])
    return lib.Model(
        [a, b], {"one": layers.Dense(2, name="one")(h), "two": layers.Dense(1, name="two")(h)}
    )


@_case("shared layers", (6, 6, 2))
def shared(lib: Any) -> Any:
    layers = lib.layers
    x = lib.Input((6, 6, 2))
    conv, norm = layers.Conv2D(2, 3, padding="same"), layers.BatchNormalization()
    h = norm(conv(x))
    h = layers.Add()([h, x])
    h = layers.Multiply()([norm(conv(h)), h])
    return lib.Model(x, layers.Average()([layers.Flatten()(h), layers.Flatten()(x)]))


@_case("nested", (4,))
def nested(lib: Any) -> Any:
    layers = lib.layers
    y = lib.Input((4,))
    inner = lib.Model(y, layers.Dense(4, activation="relu")(y), name="inner")
    z = lib.Input((4,))
    stack = lib.Sequential([layers.Dense(4), lib.Model(z, layers.Dense(4)(z))], name="stack")
    x = lib.Input((4,))
    h = layers.Subtract()([stack(inner(x)), inner(stack(x))])
    return lib.Model(x, layers.Dense(2)(layers.Activation("gelu")(h)))


@_case("a model in two models", (4,))
def model_between(lib: Any) -> Any:
    layers = lib.layers
    y = lib.Input((4,))
    inner = lib.Model(y, layers.Dense(4, activation="relu")(y), name="inner")
    stack = lib.Sequential([layers.Dense(4), inner], name="stack")
    x = lib.Input((4,))
    return lib.Model(x, layers.Subtract()([stack(x), inner(x)]))


@_case("a layer in two models", (4,))
def between(lib: Any) -> Any:
    layers = lib.layers
    dense = layers.Dense(4, name="of_both")
    one = lib.Sequential([lib.Input((4,)), dense, layers.Dense(3)], name="one")
    two = lib.Sequential([lib.Input((4,)), layers.Dense(4), dense], name="two")
    x = lib.Input((4,))
    return lib.Model(x, [one(two(x)), layers.Softmax()(two(x))])


@_case("several inputs of a nested model", (4,), (4,))
def pairs(lib: Any) -> Any:
    layers = lib.layers
    a, b = lib.Input((4,), name="a"), lib.Input((4,), name="b")
    inner = lib.Model([a, b], [layers.Add()([a, b]), layers.Dense(2)(b)])
    x, y = lib.Input((4,), name="x"), lib.Input((4,), name="y")
    total, half = inner([y, x])
    again, _ = inner([x, total])
    return lib.Model([x, y], [layers.Dense(3)(again), half])


@_case("ops between layers", (4,), (4,))
def between_layers(lib: Any) -> Any:
    layers, ops = lib.layers, lib.ops
    x, y = lib.Input((4,)), lib.Input((4,))
    h = 2.0 - (layers.Dense(4)(x) + 1.0) * y
    h = ops.concatenate([ops.relu(h), y], axis=-1)
    h = (h - ops.mean(h, axis=[1], keepdims=True))[:, 0:3]
    h = ops.clip(ops.softmax(-h), 0.0, 0.4) ** 2
    k = h[..., None]
    k = ops.reshape(ops.matmul(k, ops.transpose(k, (0, 2, 1))), (-1, 9))
    k = ops.pad(ops.where(k > 0.01, k, 0.0), ((0, 0), (1, 1)))
    k = ops.einsum("bij->bj", lib.activations.gelu(ops.expand_dims(k, 1)))[:, 1] / 3
    k = ops.sum(ops.stack([k, k], axis=1) * np.array([[1.0, 2.0]], "float32"), axis=-1)
    a, b = ops.split(h[:, :2], 2, axis=1)
    return lib.Model(
        [x, y], [layers.Dense(2)(h), ops.maximum(a, b), layers.Dense(1)(ops.expand_dims(k, 1))]
    )


def classes(lib: Any) -> Any:
    """(a layer, a model with attributes, one with containers) of the user's, registered."""
    layers, register = lib.layers, lib.saving.register_keras_serializable

    @register("files")
    class Scale(layers.Layer):
        def __init__(self, start: float = 2.0, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.start = start
            self.inner = layers.Dense(3)

        def build(self, input_shape: Any) -> None:
            self.moving = self.add_weight(
                shape=(3,), initializer="ones", trainable=False, name="moving"
            )
            self.factor = self.add_weight(shape=(), initializer="ones", name="factor")
            self.inner.build(input_shape)

        def call(self, inputs: Any) -> Any:
            return self.inner(inputs) * self.factor * self.start + self.moving

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "start": self.start}

    @register("files")
    class Small(lib.Model):  # type: ignore[misc, name-defined]
        def __init__(self, units: int = 4, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.units = units
            self.first = layers.Dense(units)
            self.zoom = Scale(3.0)
            self._private = layers.Dense(units)
            self.norm = layers.BatchNormalization()

        def call(self, inputs: Any, training: Any = None) -> Any:
            h = self._private(self.first(inputs))
            return self.zoom(self.norm(h, training=training))

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "units": self.units}

    @register("files")
    class Blocks(lib.Model):  # type: ignore[misc, name-defined]
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.blocks = [layers.Dense(3), Scale(), layers.Dense(3)]
            self.pairs = [[layers.Dense(3)], (layers.Dense(3), layers.Dense(3))]
            self.by_name = {"u": layers.Dense(3), "a": layers.Dense(3)}
            self.small = Small()
            self.alias = self.blocks[2]
            self.output_layer = lib.Sequential([layers.Dense(2), layers.Dense(2)])

        def call(self, inputs: Any, training: Any = None) -> Any:
            h = inputs
            for block in [*self.blocks, *self.pairs[0], *self.pairs[1], *self.by_name.values()]:
                h = block(h)
            return self.output_layer(self.alias(self.small(h, training=training)))

    return Scale, Small, Blocks


@_case("a layer of the user's", (3,))
def own_layer(lib: Any) -> Any:
    scale, _, _ = classes(lib)
    return lib.Sequential([lib.Input((3,)), scale(1.5), lib.layers.Dense(2), scale()])


@_case("subclassed", (3,))
def subclassed(lib: Any) -> Any:
    return classes(lib)[1](5)


@_case("subclassed with containers", (3,))
def containers(lib: Any) -> Any:
    return classes(lib)[2]()
