"""Numbers of any size and kind as arguments and data: right, or refused, never another number."""

from __future__ import annotations

import math

import numpy as np
import pytest

import dlnative
from dlnative import Input, Sequential, _core, initializers, layers, losses, reference
from dlnative.models.arrays import check_finite
from dlnative.ops import rows as ops

X = np.array([[-1.0, 2.0]], dtype="float32")
LARGE = [2**31, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**100, -(2**63), -(2**63) - 1, -(2**80)]
KINDS = [3, np.int64(3), np.uint8(3), np.float32(0.5), np.float16(0.5), np.float64(0.25)]


@pytest.mark.parametrize("alpha", [*LARGE, *KINDS])
def test_attributes_are_the_numbers_that_were_given(alpha):
    expected = reference.elu(X.astype("float64"), alpha=float(alpha))
    for function in (lambda x: ops.elu(x, alpha=alpha), layers.ELU(alpha=alpha)):
        np.testing.assert_allclose(function(X), expected, rtol=1e-6)


@pytest.mark.parametrize("scale", [*LARGE, *KINDS])
def test_scales(scale):
    np.testing.assert_allclose(ops.rescale(X, scale=scale), X * float(scale), rtol=1e-6)


def test_integers_that_are_too_large():
    with pytest.raises(ValueError, match="elu: expected 'alpha' to be a finite number"):
        ops.elu(X, alpha=10**400)
    for name in ("op_id", "seed", "step"):
        with pytest.raises(ValueError, match=f"dropout: expected '{name}' to be an integer of 64"):
            ops.dropout(X, 0.5, **{name: 2**64})


@pytest.mark.parametrize("value", ["1", 1j, object(), {}, np.array([1.0, 2.0])])
def test_what_is_no_number(value):
    with pytest.raises((TypeError, ValueError), match="alpha"):
        ops.elu(X, alpha=value)
    with pytest.raises(TypeError, match="ELU 'elu.*': expected alpha to be a number"):
        layers.ELU(alpha=value)


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1, 2**63, 2**64 - 1])
def test_seeds_use_all_64_bits(seed):
    x = np.ones((1, 64), dtype="float32")
    got = ops.dropout(x, 0.5, seed=seed, op_id=0, step=0)
    expected = reference.dropout(x, rate=0.5, seed=seed, op_id=0, step=0)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 10**400, np.float32("nan")])
def test_numbers_that_are_not_finite(value):
    for make in (
        lambda: layers.ELU(alpha=value),
        lambda: initializers.RandomNormal(stddev=value),
        lambda: initializers.RandomNormal(mean=value),
        lambda: initializers.TruncatedNormal(stddev=value),
        lambda: initializers.RandomUniform(maxval=value),
        lambda: initializers.RandomUniform(minval=value),
        lambda: initializers.VarianceScaling(scale=value),
        lambda: initializers.Orthogonal(gain=value),
        lambda: network().compile("sgd", "mse", loss_weights=value),
    ):
        with pytest.raises(ValueError, match="finite"):
            make()


def test_loss_weights_of_numpy():
    model = network()
    model.compile("sgd", "mse", loss_weights=np.float32(0.5))
    weighted = model.evaluate(X, [[1.0]], verbose=0)
    model.compile("sgd", "mse")
    assert weighted == pytest.approx(0.5 * model.evaluate(X, [[1.0]], verbose=0), rel=1e-6)


def network(units=1, **options):
    return Sequential([Input((2,), **options), layers.Dense(units)])


# --- dtypes of inputs -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64", "bool"])
def test_whole_numbers_go_through_a_model_as_they_are(dtype):
    limits = [False, True] if dtype == "bool" else [np.iinfo(dtype).min, np.iinfo(dtype).max]
    x = np.array([limits], dtype=dtype)
    model = Sequential([Input((2,), dtype=dtype), layers.Identity()])
    y = model.predict(x, verbose=0)
    np.testing.assert_array_equal(y, x)
    assert y.dtype == ("int32" if dtype in ("int8", "int16") else dtype)


# --- data that the model's dtype cannot hold ------------------------------------------------------

LIMIT = float(np.finfo("float32").max)


@pytest.mark.parametrize("value", [1e39, -1e300, LIMIT * (1 + 2**-24)])
@pytest.mark.parametrize("where", ["x", "y", "sample_weight", "validation_x", "validation_y"])
def test_data_that_become_infinite(value, where):
    model = network()
    model.compile("sgd", "mse")
    data = {"x": np.ones((6, 2)), "y": np.ones((6, 1)), "sample_weight": np.ones(6)}
    validation = {"x": np.ones((6, 2)), "y": np.ones((6, 1))}
    name = where.removeprefix("validation_")
    (validation if name != where else data)[name][3] = value
    before = model.get_weights()
    with pytest.raises(ValueError, match=rf"{where}: sample 3 .*infinite in float32.*float64"):
        model.fit(**data, validation_data=tuple(validation.values()), verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_the_largest_values_pass():
    for value in (LIMIT, -LIMIT, LIMIT * (1 + 2**-26)):
        check_finite("x", np.array([[value], [1.0]]), "float32")
    check_finite("x", np.full((3, 2), 1e300), "float64")
    check_finite("x", np.full((3, 2), 6e4, dtype="float16"), "float32")
    check_finite("x", np.full((3, 2), LIMIT, dtype="float32"), "float32")  # whose sum is infinite
    for bad in (math.nan, math.inf, -math.inf):
        for dtype in ("float16", "float32", "float64"):
            with pytest.raises(ValueError, match=f"sample 1 has the value {bad}. Clean"):
                check_finite("x", np.array([[0.0], [bad]], dtype=dtype), "float32")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_search_for_nan_sees_every_place(isa, rng, dtype):
    for size in (0, 1, 3, 16, 17, 63, 64, 65, 200):
        x = np.full(size, np.finfo(dtype).max, dtype)
        assert _core.all_finite(x)
        for place in range(size):
            for bad in (np.nan, np.inf, -np.inf):
                x[place] = bad
                assert not _core.all_finite(x)
            x[place] = -np.finfo(dtype).tiny / 4
        assert _core.all_finite(x)


def test_the_search_for_nan_takes_floats_that_lie_together():
    with pytest.raises(ValueError, match="all_finite: expected float32 or float64"):
        _core.all_finite(np.zeros(3, "int32"))
    with pytest.raises(ValueError, match="contiguous"):
        _core.all_finite(np.zeros((4, 4), "float32")[:, ::2])
    bytes_ = np.zeros(41, "uint8")
    for x in (bytes_[1:].view("float32"), np.asfortranarray(np.zeros((3, 5), "float32"))[::2]):
        check_finite("x", x.reshape(-1, 5), "float32")
        x[1:] = np.nan
        with pytest.raises(ValueError, match="sample [01] has the value nan"):
            check_finite("x", x.reshape(-1, 5), "float32")


# --- labels and weights of classes ----------------------------------------------------------------


def through_ops(y_true, y_pred):
    return losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)


BAD_LABELS = {
    "too large": ([0, 1, 3], r"class numbers in \[0, 3\) for 3 outputs, received 3 in sample 2"),
    "negative": ([0, -1, 1], "received -1 in sample 1"),
    "fraction": ([0.0, 1.5, 1.0], "whole class numbers, received 1.5 in sample 1"),
}


@pytest.mark.parametrize("name", BAD_LABELS)
@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", through_ops])
def test_gradients_of_class_numbers_out_of_range(name, loss):
    labels, message = BAD_LABELS[name]
    x, y = np.ones((3, 2)), np.array(labels)
    if loss is through_ops:  # a function's labels are floats, as in Keras, and may be anything
        assert np.isnan(dlnative.value_and_grad(network(3), loss)(x, y)[0])
        return
    with pytest.raises(ValueError, match=message):
        dlnative.value_and_grad(network(3), loss)(x, y)
    with pytest.raises(ValueError, match=message):
        dlnative.gradcheck(network(3), x, y, loss)


def test_class_numbers_may_be_floats_as_in_fit():
    function = dlnative.value_and_grad(network(3), "sparse_categorical_crossentropy")
    x = np.array([[0.1, 0.2], [0.3, -0.1]])
    assert function(x, np.array([2.0, 0.0]))[0] == function(x, np.array([2, 0]))[0]


def test_labels_of_binary_crossentropy():
    with pytest.raises(ValueError, match=r"values in \[0, 1\] for binary .*received 2"):
        dlnative.value_and_grad(network(), "binary_crossentropy")(X, np.array([[2.0]]))


def test_gradcheck_does_not_pass_over_nan():
    x = np.array([[np.nan, 1.0]])
    assert dlnative.gradcheck(network(), x, np.zeros((1, 1)), "mse").max_error == math.inf


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({3: 2.0}, r"there is no class 3; expected class numbers in \[0, 3\)"),
        ({-1: 2.0}, "there is no class -1"),
        ({0: math.nan}, "the weight of class 0 to be finite, received nan"),
        ({1: math.inf}, "the weight of class 1 to be finite, received inf"),
    ],
)
def test_class_weights(weights, message):
    model = network(3)
    model.compile("sgd", "sparse_categorical_crossentropy")
    for call in (
        lambda: model.fit(np.ones((3, 2)), [0, 1, 2], class_weight=weights, verbose=0),
        lambda: model.train_on_batch(np.ones((3, 2)), np.arange(3), class_weight=weights),
    ):
        with pytest.raises(ValueError, match=message):
            call()
