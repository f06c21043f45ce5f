"""A Variable answers as its array does, as in Keras."""

from __future__ import annotations

import copy
import operator

import numpy as np
import pytest

import dlnative
from dlnative.variables import Variable

VALUES = np.array([[1.0, -2.0], [0.5, 3.0]], dtype="float32")
OTHERS = {
    "number": 2,
    "fraction": 0.5,
    "scalar": np.float32(1.5),
    "row": np.array([1.0, 2.0], dtype="float32"),
    "double": np.array([[1.0, 2.0], [2.0, 4.0]]),
}
ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul")
BINARY = (*ARITHMETIC, "eq", "ne", "lt", "le", "gt", "ge")


@pytest.fixture
def variable():
    return Variable(VALUES, name="w")


def outcome(function, *arguments):
    """What a call gives, or the type of what it raises."""
    try:
        with np.errstate(all="ignore"):
            value = function(*arguments)
    except (TypeError, ValueError) as error:
        return type(error)
    return value


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("name", BINARY)
def test_operators_are_those_of_the_array(name, other, variable):
    function, value = getattr(operator, name), OTHERS[other]
    for got, expected in (
        (outcome(function, variable, value), outcome(function, VALUES, value)),
        (outcome(function, value, variable), outcome(function, value, VALUES)),
    ):
        assert type(got) is type(expected)
        # Powers are within one unit in the last place.
        tolerance = np.finfo("float32").eps if name == "pow" else 0.0
        if isinstance(got, np.ndarray):
            np.testing.assert_allclose(got, expected, rtol=tolerance, atol=0)
        assert getattr(got, "dtype", None) == getattr(expected, "dtype", None)


def test_operators_promote_as_tensors_do():
    whole = Variable(np.array([1, 2, 3]), dtype="int32", name="n")
    assert (whole * np.float32(0.5)).dtype == "float32"
    assert (np.ones(3, "float32") * whole).dtype == "float32"
    assert (whole / 2).dtype == "float32"
    assert (whole + 1).dtype == "int32"
    assert (whole + np.ones(3, "int64")).dtype == "int64"
    np.testing.assert_array_equal(whole // 2, [0, 1, 1])


def test_two_variables(variable):
    other = Variable(VALUES.T, name="v")
    np.testing.assert_array_equal(variable @ other, VALUES @ VALUES.T)
    np.testing.assert_array_equal(variable == other, [[True, False], [False, True]])
    np.testing.assert_array_equal(variable - other, VALUES - VALUES.T)


def test_unary_and_conversions(variable):
    np.testing.assert_array_equal(-variable, -VALUES)
    np.testing.assert_array_equal(+variable, VALUES)
    np.testing.assert_array_equal(abs(variable), abs(VALUES))
    np.testing.assert_array_equal(round(variable, 0), VALUES.round())
    np.testing.assert_array_equal(round(Variable([1.26, 2.0]), 1), np.float32([1.3, 2.0]))
    np.testing.assert_array_equal(divmod(variable, 2), divmod(VALUES, 2))
    np.testing.assert_array_equal(divmod(7, variable), divmod(7, VALUES))
    np.testing.assert_array_equal(np.exp(variable), np.exp(VALUES))
    flags = Variable(np.array([True, False]), name="flags")
    np.testing.assert_array_equal(~flags, [False, True])
    np.testing.assert_array_equal(flags & np.array([True, True]), [True, False])
    np.testing.assert_array_equal(np.array([False, False]) | flags, [True, False])


def test_containers(variable):
    assert len(variable) == 2
    assert 3.0 in variable
    assert 4.0 not in variable
    np.testing.assert_array_equal(list(variable), VALUES)
    np.testing.assert_array_equal(variable[1], VALUES[1])
    np.testing.assert_array_equal(variable[:, 0], VALUES[:, 0])
    np.testing.assert_array_equal(variable[variable > 0], VALUES[VALUES > 0])


def test_numbers():
    one = Variable(2.5, dtype="float32", name="one")
    assert (float(one), int(one), complex(one)) == (2.5, 2, 2.5 + 0j)
    assert f"{one:.2f} {one}" == "2.50 2.5"
    assert list(range(Variable(3, dtype="int64"))) == [0, 1, 2]
    with pytest.raises(TypeError, match="index|integer"):
        operator.index(one)
    for convert in (float, int, complex):
        with pytest.raises(TypeError, match=r"shape \(\) for a number, received \(1,\)"):
            convert(Variable([1.0]))


def test_it_has_no_truth_value(variable):
    with pytest.raises(TypeError, match="Variable 'w' has no truth value.*is not None"):
        bool(variable)


def test_the_hash_is_the_identity(variable):
    other = copy.deepcopy(variable)
    assert {variable: 1, other: 2}[other] == 2
    assert len({variable, other}) == 2


def test_results_are_no_way_into_the_memory(variable):
    with pytest.raises(ValueError, match="read-only"):
        variable[0][0] = 9.0
    with pytest.raises(TypeError, match="item assignment"):
        variable[0] = 9.0
    np.testing.assert_array_equal(variable.numpy(), VALUES)


def test_numbers_of_an_optimizer():
    optimizer = dlnative.optimizers.SGD(0.25)
    assert optimizer.learning_rate == 0.25
    assert optimizer.learning_rate * 2 == 0.5
    assert 1 / optimizer.learning_rate == 4.0
    assert optimizer.learning_rate in (0.1, 0.25)
    assert optimizer.iterations < 1
    optimizer.learning_rate *= 0.5
    assert float(optimizer.learning_rate) == 0.125
    assert optimizer.learning_rate**2 == 0.015625
    assert f"{optimizer.learning_rate:.1e} {optimizer.iterations}" == "1.2e-01 0"


@pytest.mark.slow
def test_keras_variables_answer_so(keras):
    theirs, ours = keras.Variable(VALUES), Variable(VALUES)
    for name in BINARY:
        for other in OTHERS.values():
            function = getattr(operator, name)
            for arguments in ((0, 1), (1, 0)):
                pair = [(v, other) for v in (theirs, ours)]
                a, b = (outcome(function, *(p[i] for i in arguments)) for p in pair)
                if not isinstance(b, type):
                    np.testing.assert_allclose(np.asarray(a), b, rtol=1e-6)
    for value in (theirs, ours):
        with pytest.raises(TypeError):
            bool(value)


@pytest.mark.parametrize(
    "value", [1, 1.0, [1, 2], [1.0], True, np.float64(1), np.ones(2, "int32"), np.ones(2, "uint8")]
)
def test_the_dtype_of_values_is_that_of_keras(value):
    keras = pytest.importorskip("keras")
    assert Variable(value).dtype == keras.Variable(value).dtype


def test_a_variable_of_an_initializer():
    assert Variable(np.ones(2)).dtype == "float64"
    zeros = Variable("zeros", (2, 3), dtype="int32", trainable=False, name="count")
    assert (zeros.shape, zeros.dtype, zeros.trainable) == ((2, 3), "int32", False)
    ramp = Variable(lambda shape, dtype: np.arange(shape[0], dtype=dtype), (3,))
    np.testing.assert_array_equal(ramp.value, np.arange(3, dtype="float32"))
    assert Variable(dlnative.initializers.Constant(2.0), shape=[2]).numpy().tolist() == [2.0, 2.0]
    names = {Variable(0).name, Variable(0).name}
    assert len(names) == 2
    for arguments, options, message in [
        (("zeros",), {}, "an initializer needs a shape"),
        (([1.0],), {"shape": (3,)}, r"expected values of shape \(3,\), received \(1,\)"),
        (("zeroes", (1,)), {}, "zeros"),
        ((0,), {"name": "a/b"}, "a name without '/'"),
        ((0,), {"aggregation": "max"}, "aggregation"),
        ((0,), {"dtype": "float8"}, "dtype"),
    ]:
        with pytest.raises(ValueError, match=message):
            Variable(*arguments, **options)
