"""Models of `common/models.py` in the Keras API, for Keras and for dlnative alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from common.models import ADAM_EPSILON, Model
from common.shapes import parameters
from workers.base import Spec, Unsupported
from workers.data import Array, dataset, initial_weights


def build(api: Any, model: Model) -> Any:
    """Builds the model with `api`, which is `keras` or `dlnative`: Sequential where it is one."""
    inputs = api.Input(tuple(model["input"]))
    if all(layer["kind"] != "residual" for layer in model["layers"]):
        made = [made for layer in model["layers"] for made in make(api, layer)]
        return api.Sequential([inputs, *made])
    return api.Model(inputs, connect(api, model["layers"], inputs))


def connect(api: Any, layers: Iterable[dict[str, Any]], x: Any) -> Any:
    """Applies layers in turn to a symbolic tensor."""
    for layer in layers:
        if layer["kind"] == "residual":
            x = [connect(api, layer[branch], x) for branch in ("body", "shortcut")]
        elif layer["kind"] == "enlarge":
            zeros = layer["filters"] - x.shape[-1]
            pixels = x[:, :: layer["strides"], :: layer["strides"], :]
            x = api.ops.pad(pixels, ((0, 0), (0, 0), (0, 0), (0, zeros)))
            continue
        for made in make(api, layer):
            x = made(x)
    return x


def make(api: Any, layer: dict[str, Any]) -> list[Any]:
    """Returns the layers for one description; those of a block's branches are not among them."""
    kind, layers = layer["kind"], api.layers
    activation = layer.get("activation", "linear")
    after = [] if activation == "linear" else [layers.Activation(activation)]
    if kind == "dense":
        return [layers.Dense(layer["units"], activation=activation)]
    if kind == "conv":
        options = {name: layer[name] for name in ("strides", "padding")}
        options |= {"activation": activation, "use_bias": layer["bias"]}
        return [layers.Conv2D(layer["filters"], layer["kernel"], **options)]
    if kind in ("max_pool", "average_pool"):
        maker = layers.MaxPooling2D if kind == "max_pool" else layers.AveragePooling2D
        return [maker(layer["size"], strides=layer["strides"], padding=layer["padding"])]
    if kind == "global_average":
        return [layers.GlobalAveragePooling2D()]
    if kind == "flatten":
        return [layers.Flatten()]
    if kind == "batch_norm":
        options = {name: layer[name] for name in ("momentum", "epsilon")}
        return [layers.BatchNormalization(**options), *after]
    if kind == "residual":
        return [layers.Add(), *after]
    if kind == "activation":
        return after
    raise Unsupported(f"layer {kind}")


def order_variables(model: Model, variables: Sequence[Any]) -> list[Any]:
    """Returns a model's variables in the order of its description.

    Variables of the same role and shape keep their order, but those of a layer with "shortcut" in
    its name come after those of the layers whose names begin alike: libraries differ in which
    branch of a block they list first.

    Raises:
        ValueError: The model does not have the parameters of the description.
    """
    blocks: dict[str, int] = {}

    def position(variable: Any) -> tuple[int, bool]:
        block = re.sub(r"_(shortcut|\d+)_\w+$", "", variable.path.split("/")[0])
        return blocks.setdefault(block, len(blocks)), "shortcut" in variable.path

    groups: dict[tuple[str, tuple[int, ...]], list[Any]] = {}
    for variable in sorted(variables, key=position):
        role = variable.path.split("/")[-1]
        groups.setdefault((role, tuple(variable.shape)), []).append(variable)
    try:
        ordered = [groups[p.role, p.shape].pop(0) for p in parameters(model)]
    except (KeyError, IndexError) as error:
        raise ValueError(f"{model['name']}: a parameter of the description is missing") from error
    rest = [key for key, group in groups.items() if group]
    if rest:
        raise ValueError(f"{model['name']}: the description lacks {rest[0][0]} of {rest[0][1]}")
    return ordered


def compile_model(api: Any, model: Any, spec: Spec, **options: Any) -> None:
    """Compiles the model with the optimizer and loss of a training spec."""
    if spec["optimizer"] == "adam":
        optimizer = api.optimizers.Adam(spec["learning_rate"], epsilon=ADAM_EPSILON)
    else:
        optimizer = api.optimizers.SGD(spec["learning_rate"], momentum=spec["momentum"])
    if spec["model"]["loss"] == "sparse_softmax_cross_entropy":
        loss = api.losses.SparseCategoricalCrossentropy(from_logits=True)
    else:
        loss = api.losses.BinaryCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss, **options)


class KerasTrainer:
    """`fit`, `train_on_batch` and `predict` on NumPy arrays.

    Args:
        api: `keras` or `dlnative`.
        spec: The training run.
        variant: "many steps a call", "XLA", "no XLA", or any other name for `fit` as it comes.
        model: The model, else one is built.
    """

    def __init__(self, api: Any, spec: Spec, variant: str, model: Any = None) -> None:
        self.batch = spec["batch"]
        self.variant = variant
        self.x, self.y = dataset(spec)
        self.first_x = self.x[: self.batch].copy()
        self.first_y = self.y[: self.batch].copy()
        self.row = self.x[:1].copy()
        self.initial = initial_weights(spec["model"])
        self.model = build(api, spec["model"]) if model is None else model
        self.weights = order_variables(spec["model"], self.model.weights)
        options: dict[str, Any] = {}
        if variant == "many steps a call":
            options["steps_per_execution"] = spec["samples"] // self.batch
        elif variant.endswith("XLA"):
            options["jit_compile"] = variant == "XLA"
        compile_model(api, self.model, spec, **options)
        self.restore()

    def restore(self) -> None:
        for variable, value in zip(self.weights, self.initial, strict=True):
            variable.assign(value)

    def fit(self, epochs: int, shuffle: bool) -> float:
        history = self.model.fit(
            self.x,
            self.y,
            batch_size=self.batch,
            epochs=epochs,
            shuffle=shuffle,
            verbose=0,
        )
        return float(history.history["loss"][-1])

    def train_on_batch(self) -> object:
        return self.model.train_on_batch(self.first_x, self.first_y)

    def predict(self) -> object:
        if self.variant == "predict_on_batch":
            return np.asarray(self.model.predict_on_batch(self.row))
        return self.model.predict(self.row, verbose=0)


class KerasPredictor:
    """`predict_on_batch`, or `predict` with all images as one batch."""

    def __init__(self, api: Any, spec: Spec, variant: str, model: Any = None) -> None:
        self.x = dataset(spec)[0]
        self.whole = variant == "predict"
        self.model = build(api, spec["model"]) if model is None else model
        variables = order_variables(spec["model"], self.model.weights)
        weights = initial_weights(spec["model"], spec["moving"])
        for variable, value in zip(variables, weights, strict=True):
            variable.assign(value)

    def predict(self) -> Array:
        if self.whole:
            result = self.model.predict(self.x, batch_size=len(self.x), verbose=0)
        else:
            result = self.model.predict_on_batch(self.x)
        return np.asarray(result)
