"""TrainingState, pickles and copies: a model goes on as the one it was taken from."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

import dlnative
from dlnative import Input, Model, Sequential, layers, metrics, ops, optimizers, random
from dlnative.models.training_state import TrainingState

X = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
Y = (X.sum(1) > 0).astype("int32")


def net():
    return Sequential(
        [
            Input((4,)),
            layers.Dense(8, "relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Dropout(0.4),
            layers.GaussianNoise(0.1) if hasattr(layers, "GaussianNoise") else layers.Identity(),
            layers.Dense(2, "softmax"),
        ]
    )


class Pair(Model):
    """Two optimizers, a metric among the attributes, and draws by a SeedGenerator."""

    def __init__(self):
        super().__init__()
        self.first, self.second = layers.Dense(4, "tanh"), layers.Dense(2)
        self.seeds = random.SeedGenerator(5)
        self.drop = layers.Dropout(0.3)
        self.mean = metrics.Mean(name="mean")

    def build(self, shape):
        self.first.build(shape)
        self.second.build((None, 4))
        self.built = True

    def call(self, x, training=None):
        return self.second(self.drop(self.first(x), training=training))

    def compile(self, one, two):
        super().compile()
        self.one, self.two = one, two

    def train_step(self, data):
        x, y = data
        noise = random.normal(ops.shape(x), seed=self.seeds)
        for optimizer, part in ((self.one, self.first), (self.two, self.second)):

            def loss_of_batch():
                pred = self(x + 0.1 * noise, training=True)
                return dlnative.ops.mean(
                    dlnative.losses.sparse_categorical_crossentropy(y, pred, from_logits=True)
                )

            variables = part.trainable_variables
            loss, grads = dlnative.value_and_grad(loss_of_batch, variables)()
            optimizer.apply(grads, variables)
            self.mean.update_state(loss)
        return {"mean": self.mean.result()}


def default(optimizer):
    model = net()
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def own():
    model = Pair()
    model.build((None, 4))
    model.compile(optimizers.Adam(0.01), optimizers.Lion(0.001))
    return model


def mostly_second(y_pred):
    return ops.mean(y_pred[:, 0]) - 0.3


def constrained():
    model = net()
    model.compile(
        "sgd",
        "sparse_categorical_crossentropy",
        inequality=mostly_second,
        constraint_period=2,
    )
    return model


MODELS = {
    **{
        name: (lambda name=name: default(name))
        for name in ("sgd", "adam", "nadam", "muon", "ftrl", "lamb", "adafactor", "lbfgs")
    },
    "momentum with EMA": lambda: default(
        optimizers.SGD(0.1, momentum=0.9, use_ema=True, ema_overwrite_frequency=3)
    ),
    "accumulation": lambda: default(optimizers.Adam(gradient_accumulation_steps=3)),
    "schedule": lambda: default(
        optimizers.AdamW(optimizers.schedules.CosineDecay(0.01, 20), clipnorm=1.0)
    ),
    "own steps": own,
    "constraints": constrained,
}


def fitted(model, epochs=2):
    size = len(X) if getattr(model.optimizer, "full_batch", False) else 7
    return model.fit(X, Y, batch_size=size, epochs=epochs, verbose=0).history


def same(a, b):
    for first, second in zip(a.weights, b.weights, strict=True):
        np.testing.assert_array_equal(first.numpy(), second.numpy(), err_msg=first.path)


def by_state(model, make):
    other = make()
    TrainingState.of(model).put_back(other)
    return other


WAYS = {
    "pickle": lambda model, make: pickle.loads(pickle.dumps(model)),
    "deepcopy": lambda model, make: copy.deepcopy(model),
    "state": by_state,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", MODELS)
def test_goes_on_as_the_other(case, way):
    dlnative.utils.set_random_seed(11)
    model = MODELS[case]()
    fitted(model)
    other = WAYS[way](model, MODELS[case])
    same(model, other)
    histories = [fitted(each) for each in (model, other)]
    assert histories[0] == histories[1]
    same(model, other)


def test_the_global_stream_belongs_to_it():
    dlnative.utils.set_random_seed(3)
    model = default("sgd")
    fitted(model)
    state = TrainingState.of(model)
    first = layers.Dense(3, kernel_initializer="normal")
    first.build((None, 2))
    state.put_back(model)
    second = layers.Dense(3, kernel_initializer="normal")
    second.build((None, 2))
    np.testing.assert_array_equal(first.kernel.numpy(), second.kernel.numpy())


def test_it_is_a_copy_of_plain_values():
    model = default("adam")
    fitted(model)
    state = TrainingState.of(model)
    json.dumps(state.values)
    before = {name: array.copy() for name, array in state.arrays.items()}
    fitted(model)
    for name, array in state.arrays.items():
        np.testing.assert_array_equal(array, before[name])
    kinds = {name.partition("/")[0] for name in before}
    assert kinds == {"weights", "optimizer", "metrics", "training"}


def test_a_state_of_another_model():
    model = default("adam")
    fitted(model)
    state = TrainingState.of(model)
    other = Sequential([Input((4,)), layers.Dense(2)])
    other.compile("adam", "mse")
    before = other.get_weights()
    with pytest.raises(ValueError, match="not one of model .*the model lacks weights"):
        state.put_back(other)
    for a, b in zip(other.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    wider = default("adam")
    state.arrays["weights/0/kernel"] = np.zeros((4, 9), "float32")
    with pytest.raises(ValueError, match=r"expected weights/0/kernel of shape \(4, 8\)"):
        state.put_back(wider)
