"""Inputs of functional models: that lead nowhere, optional ones, and keys that are no input."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import dlnative
from dlnative import Input, Model, layers, ops

A, B = np.ones((6, 3), "float32"), np.full((6, 2), 2.0, "float32")
Y = np.zeros((6, 1), "float32")


def test_an_input_that_leads_nowhere(keras):
    def make(library):
        a, b = library.Input((3,), name="a"), library.Input((2,), name="b")
        return library.Model([a, b], library.layers.Dense(1, name="d")(a), name="m")

    model, theirs = make(dlnative), make(keras)
    assert [layer.name for layer in model.layers] == [layer.name for layer in theirs.layers]
    assert model.get_config()["input_layers"] == theirs.get_config()["input_layers"]
    model.compile("sgd", "mse")
    model.fit([A, B], Y, verbose=0)
    np.testing.assert_array_equal(model.predict({"a": A, "b": B}, verbose=0), model([A, B * 7]))
    again = Model.from_config(model.get_config())
    assert [t.name for t in again.inputs] == ["a", "b"]
    with pytest.raises(ValueError, match="expected 2 inputs"):
        model.predict(A, verbose=0)


def joined():
    a, b = Input((3,), name="a"), Input((2,), name="b")
    return Model({"a": a, "b": b}, layers.Dense(1)(layers.Concatenate()([a, b])))


def test_keys_that_are_no_input_are_told_once():
    model = joined()
    model.compile("sgd", "mse")
    data = {"a": A, "b": B, "extra": A}
    with pytest.warns(UserWarning, match=r"the data have 'extra', which is no input.*a, b"):
        model.fit(data, Y, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(
            model.predict(data, verbose=0), model.predict({"a": A, "b": B}, verbose=0)
        )


def test_a_key_that_is_missing_and_another_one_too_many():
    with pytest.raises(ValueError, match="Unknown input .*'bb'. Did you mean 'b'"):
        joined().predict({"a": A, "bb": B}, verbose=0)


class Adds(layers.Layer):
    def call(self, x, more=None):
        return x if more is None else x + ops.sum(more, axis=1, keepdims=True)


def with_optional(library, layer):
    a, o = library.Input((3,), name="a"), library.Input((2,), name="o", optional=True)
    return library.Model([a, o], library.layers.Dense(1)(layer()(a, o)))


def test_an_optional_input_as_keras(keras):
    class TheirAdds(keras.layers.Layer):
        def call(self, x, more=None):
            return x if more is None else x + keras.ops.sum(more, axis=1, keepdims=True)

    ours, theirs = with_optional(dlnative, Adds), with_optional(keras, TheirAdds)
    theirs.set_weights(ours.get_weights())
    for model in (ours, theirs):
        model.compile("sgd", "mse")
    for more in (B, None, B):
        options = {"verbose": 0, "shuffle": False, "batch_size": 2}
        losses = [m.fit([A, more], Y, **options).history["loss"] for m in (ours, theirs)]
        np.testing.assert_allclose(*losses, rtol=1e-5)
        mine, other = (m.predict([A, more], verbose=0) for m in (ours, theirs))
        np.testing.assert_allclose(mine, other, rtol=1e-5)
        np.testing.assert_allclose(
            ours.evaluate([A, more], Y, verbose=0), theirs.evaluate([A, more], Y, verbose=0), 1e-5
        )
    np.testing.assert_array_equal(ours([A, None]), ours.predict([A, None], verbose=0))


def test_an_optional_input_in_batches_and_configurations():
    model = with_optional(dlnative, Adds)
    model.compile("sgd", "mse")
    model.fit((([A[:2], None], Y[:2]) for _ in range(3)), steps_per_epoch=3, verbose=0)
    model.train_on_batch([A, None], Y)
    model.fit({"a": A, "o": None}, Y, validation_split=0.5, verbose=0)
    assert model.layers[1].get_config()["optional"] is True


def test_none_for_an_input_that_is_not_optional():
    model = joined()
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"expected input 'b', received None.*optional=True"):
        model.fit({"a": A, "b": None}, Y, verbose=0)
    with pytest.raises(TypeError, match="optional True or False, received 3"):
        Input((2,), optional=3)
