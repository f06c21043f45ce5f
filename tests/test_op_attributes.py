"""Attributes of ops: one rule per name, and errors before anything is allocated."""

from __future__ import annotations

import re

import numpy as np
import pytest
from op_cases import CASES, Draw

import dlnative
from dlnative.graph.attributes import RULES
from dlnative.ops import rows as ops

X = np.arange(6, dtype="float32").reshape(1, 2, 3, 1)
ROWS = np.arange(6, dtype="float32").reshape(2, 3)


@pytest.mark.parametrize("name", sorted(CASES))
def test_every_attribute_has_a_rule(name):
    for variant in range(4):
        _, attributes = CASES[name](Draw(np.random.default_rng(0), "float32", variant))
        assert set(attributes) <= set(RULES)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ops.rescale(ROWS, scale=float("nan")), "'scale' to be a finite number, received"),
        (lambda: ops.rescale(ROWS, scale=True), "'scale' to be a finite number, received True"),
        (lambda: ops.elu(ROWS, alpha=10**400), "'alpha' to be a finite number"),
        (lambda: ops.leaky_relu(ROWS, negative_slope=-1), "finite number of at least 0, received"),
        (lambda: ops.softmax(ROWS, axis=2**70), "'axis' to be an axis or a tuple of axes"),
        (lambda: ops.argmax(ROWS, axis=None), "argmax: axis None is out of range"),
        (lambda: ops.sum(ROWS, keepdims=1), "'keepdims' to be True or False, received 1"),
        (lambda: ops.dropout(ROWS, 0.5, seed=2**64), "'seed' to be an integer of 64 bits"),
        (lambda: ops.dropout(ROWS, 0.5, seed=1.5), "'seed' to be an integer of 64 bits"),
        (lambda: ops.group_norm(ROWS, groups=0), "'groups' to be an integer of at least 1"),
        (lambda: ops.max_pool2d(X, pool_size=(2, 0)), "'pool_size' to be a tuple of integers of"),
        (lambda: ops.max_pool2d(X, pool_size=(2, 2**31)), "at least 1 and at most 2147483647"),
        (lambda: ops.zero_pad2d(X, padding=(2**62, 0, 0, 0)), "'padding' to be a tuple of int"),
        (lambda: ops.zero_pad2d(X, padding=(2**31 - 1,) * 4), "is too large"),
        (
            lambda: ops.reshape(ROWS, shape=(-1, -6)),
            "'shape' to be a tuple of integers of at least",
        ),
        (lambda: ops.broadcast_to(ROWS[:0], shape=(2**61, 0, 3)), "is too large"),
        (
            lambda: ops.conv2d_backward_input(
                X, np.ones((1, 1, 1, 1)), input_shape=(None, 2, 3, 1)
            ),
            "'input_shape' without open sizes",
        ),
        (lambda: ops.random_crop(X, height=0.5, width=1), "'height' to be an integer of at least"),
        (lambda: ops.random_affine(X, rotation=(0, np.inf)), "'rotation' to be two finite numbers"),
        (lambda: ops.random_affine(X, rotation=(0, 1e7)), "order between -1e"),
        (lambda: ops.random_affine(X, height_zoom=(0, 1)), "order above 0 and up to"),
        (lambda: ops.random_affine(X, width_shift=(0, 1e6), height_zoom=(1, 1e5)), "pixels away"),
        (lambda: ops.random_flip(X, mode=1), "'mode' to be a string"),
        (lambda: ops.random_flip(X, samples=(-1,)), "'samples' to be numbers of samples"),
        (lambda: ops.global_norm(), "at least one gradient"),
        (lambda: ops.mean_squared_error(ROWS[:, :0], ROWS[:, :0]), "at least one class or output"),
        (lambda: ops.binary_accuracy(ROWS[:, :0], ROWS[:, :0]), "at least one class or output"),
        (
            lambda: ops.conv2d_backward_kernel(X, X[..., :0], kernel_size=(1, 1)),
            "x and dy with at least one channel",
        ),
        (lambda: ops.dense_backward_input(ROWS, np.eye(3), ROWS), "with an activation and only"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_options_that_no_op_has():
    for call in (
        lambda: ops.dense(ROWS, np.eye(3), alpha=1.0),
        lambda: ops.max_pool2d(X, pool_size=(1, 1), alpha=1.0),
        lambda: ops.sgd(ROWS, None, ROWS, np.array([0.1]), np.array([0]), rho=0.5),
    ):
        with pytest.raises(TypeError, match="unexpected"):
            call()


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ({"scale": np.float32(0.5), "offset": np.int64(1)}, {"scale": 0.5, "offset": 1.0}),
        ({"scale": 2**63}, {"scale": 2.0**63}),
        ({"scale": -(2**63) - 1}, {"scale": -(2.0**63)}),
    ],
)
def test_numbers_of_any_kind_are_the_same_number(given, plain, engine):
    np.testing.assert_array_equal(ops.rescale(ROWS, **given), ops.rescale(ROWS, **plain))


@pytest.fixture(params=["native", "numpy"])
def engine(request):
    with dlnative.config.engine(request.param):
        yield request.param


def test_sizes_may_be_lists_and_integers_of_numpy(engine):
    expected = ops.max_pool2d(X, pool_size=(2, 2), strides=(1, 1))
    result = ops.max_pool2d(X, pool_size=[np.int32(2), 2], strides=np.array([1, 1]))
    np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(ops.sum(ROWS, axis=[0]), ROWS.sum(axis=0))
