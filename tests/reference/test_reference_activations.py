"""Activations: numbers worked out to 17 digits in arbitrary precision, and values at the edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlnative import reference

INF, NAN = np.inf, np.nan

X = np.array([-5.0, -1.0, -0.5, 0.5, 1.0, 5.0])

VALUES: dict[str, tuple[str, dict[str, Any], list[float]]] = {
    "sigmoid": (
        "sigmoid",
        {},
        [
            0.0066928509242848556,
            0.26894142136999512,
            0.37754066879814544,
            0.62245933120185456,
            0.73105857863000488,
            0.99330714907571514,
        ],
    ),
    "silu": (
        "silu",
        {},
        [
            -0.033464254621424278,
            -0.26894142136999512,
            -0.18877033439907272,
            0.31122966560092728,
            0.73105857863000488,
            4.9665357453785757,
        ],
    ),
    "tanh": (
        "tanh",
        {},
        [
            -0.99990920426259513,
            -0.76159415595576489,
            -0.46211715726000976,
            0.46211715726000976,
            0.76159415595576489,
            0.99990920426259513,
        ],
    ),
    "softplus": (
        "softplus",
        {},
        [
            0.0067153484891180686,
            0.31326168751822283,
            0.47407698418010668,
            0.97407698418010668,
            1.3132616875182228,
            5.0067153484891181,
        ],
    ),
    "gelu": (
        "gelu",
        {},
        [
            -1.4332578593959696e-6,
            -0.15865525393145705,
            -0.15426876936299345,
            0.34573123063700655,
            0.84134474606854295,
            4.9999985667421406,
        ],
    ),
    "gelu, approximate": (
        "gelu",
        {"approximate": True},
        [
            -2.291796196629506e-7,
            -0.1588080093917233,
            -0.15428599017485608,
            0.34571400982514392,
            0.8411919906082767,
            4.9999997708203803,
        ],
    ),
    "elu": (
        "elu",
        {},
        [-0.99326205300091453, -0.63212055882855768, -0.39346934028736658, 0.5, 1.0, 5.0],
    ),
    "selu": (
        "selu",
        {},
        [
            -1.7462533606696201,
            -1.1113307378125628,
            -0.6917581878028714,
            0.52535049367774025,
            1.0507009873554805,
            5.2535049367774025,
        ],
    ),
    "exponential": (
        "exponential",
        {},
        [
            0.0067379469990854671,
            0.36787944117144232,
            0.60653065971263342,
            1.6487212707001281,
            2.7182818284590452,
            148.4131591025766,
        ],
    ),
    "softsign": ("softsign", {}, [-5 / 6, -0.5, -1 / 3, 1 / 3, 0.5, 5 / 6]),
    "hard_sigmoid": ("hard_sigmoid", {}, [0.0, 1 / 3, 2.5 / 6, 3.5 / 6, 2 / 3, 1.0]),
    "relu": ("relu", {}, [0.0, 0.0, 0.0, 0.5, 1.0, 5.0]),
    "leaky_relu": ("leaky_relu", {}, [-1.0, -0.2, -0.1, 0.5, 1.0, 5.0]),
    "linear": ("linear", {}, [-5.0, -1.0, -0.5, 0.5, 1.0, 5.0]),
    "step": ("step", {}, [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]),
}


@pytest.mark.parametrize(("name", "attributes", "expected"), VALUES.values(), ids=VALUES.keys())
def test_values(name: str, attributes: dict[str, Any], expected: list[float]) -> None:
    function = getattr(reference, name)
    # The tail of the normal distribution at -5 magnifies a rounding of its argument 25 times.
    np.testing.assert_allclose(function(X, **attributes), expected, rtol=1e-14)
    single = function(X.astype(np.float32), **attributes)
    np.testing.assert_allclose(single, expected, rtol=3e-7)


EDGES: list[tuple[str, dict[str, Any], list[float], list[float]]] = [
    ("linear", {}, [-INF, -0.0, INF, NAN], [-INF, 0, INF, NAN]),
    ("relu", {}, [-INF, -1, -0.0, 0.0, 1, INF, NAN], [0, 0, 0, 0, 1, INF, NAN]),
    ("relu", {"negative_slope": 0.5}, [-INF, -2, -0.0, 3, INF, NAN], [-INF, -1, 0, 3, INF, NAN]),
    ("relu", {"max_value": 6.0}, [-INF, -1, 3, 6, 7, INF, NAN], [0, 0, 3, 6, 6, 6, NAN]),
    ("relu", {"threshold": 1.0}, [-INF, 0.5, 1, 1.5, INF, NAN], [0, 0, 0, 1.5, INF, NAN]),
    ("relu", {"threshold": -1.0}, [-2, -1, -0.5, 0.5], [0, 0, -0.5, 0.5]),
    ("relu", {"threshold": -1.0, "max_value": 2.0}, [-2, -0.5, 0.5, 3], [0, 0, 0.5, 2]),
    (
        "relu",
        {"negative_slope": 0.5, "max_value": 2.0, "threshold": 1.0},
        [-INF, -1, 1, 1.5, 3, INF, NAN],
        [-INF, -1, 0, 1.5, 2, 2, NAN],
    ),
    ("leaky_relu", {}, [-INF, -1e4, -0.0, 0.0, 1e4, INF, NAN], [-INF, -2e3, 0, 0, 1e4, INF, NAN]),
    ("elu", {"alpha": 2.0}, [-INF, -1e4, -0.0, 1e4, INF, NAN], [-2, -2, 0, 1e4, INF, NAN]),
    ("selu", {}, [-INF, -0.0, INF, NAN], [-1.7580993408473768, 0, INF, NAN]),
    # -inf * 0 is NaN, as in Keras.
    ("gelu", {}, [-INF, -1e4, -0.0, 1e4, INF, NAN], [NAN, 0, 0, 1e4, INF, NAN]),
    (
        "gelu",
        {"approximate": True},
        [-INF, -1e4, -0.0, 1e4, INF, NAN],
        [NAN, 0, 0, 1e4, INF, NAN],
    ),
    ("silu", {}, [-INF, -1e4, -0.0, 1e4, INF, NAN], [NAN, 0, 0, 1e4, INF, NAN]),
    ("sigmoid", {}, [-INF, -1e4, -0.0, 0.0, 1e4, INF, NAN], [0, 0, 0.5, 0.5, 1, 1, NAN]),
    (
        "hard_sigmoid",
        {},
        [-INF, -4, -3, -1.5, -0.0, 1.5, 3, 4, INF, NAN],
        [0, 0, 0, 0.25, 0.5, 0.75, 1, 1, 1, NAN],
    ),
    ("tanh", {}, [-INF, -1e4, -0.0, 1e4, INF, NAN], [-1, -1, 0, 1, 1, NAN]),
    (
        "softplus",
        {},
        [-INF, -1e4, 0.0, 1e4, INF, NAN],
        [0, 0, 0.69314718055994531, 1e4, INF, NAN],
    ),
    # inf / inf is NaN, as in Keras.
    ("softsign", {}, [-INF, -3, -0.0, 3, NAN], [NAN, -0.75, 0, 0.75, NAN]),
    ("exponential", {}, [-INF, -1e4, -0.0, INF, NAN], [0, 0, 1, INF, NAN]),
    ("step", {}, [-INF, -1, -0.0, 0.0, 1e-30, INF, NAN], [0, 0, 0, 0, 1, 1, 0]),
]


@pytest.mark.parametrize(("name", "attributes", "x", "expected"), EDGES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_edges(
    name: str, attributes: dict[str, Any], x: list[float], expected: list[float], dtype: str
) -> None:
    with np.errstate(invalid="ignore"):
        y = getattr(reference, name)(np.array(x, dtype=dtype), **attributes)
    np.testing.assert_allclose(y, np.array(expected, dtype=dtype), rtol=3e-7)


# Gradients for dy = 1 at kinks and far out.
GRADIENT_EDGES: list[tuple[str, dict[str, Any], list[float], list[float]]] = [
    ("relu_backward", {}, [-0.0, 0.0, 1e-30], [0, 0, 1]),
    ("relu_backward", {"negative_slope": 0.25}, [-1, 0.0, 1], [0.25, 0.25, 1]),
    ("relu_backward", {"max_value": 6.0}, [-1, 0, 3, 6, 7], [0, 0, 1, 0, 0]),
    ("relu_backward", {"threshold": 1.0}, [0.5, 1, 1.5], [0, 0, 1]),
    ("leaky_relu_backward", {}, [-1, 0, 1], [0.2, 0.2, 1]),
    ("elu_backward", {"alpha": 2.0}, [-2, -0.0, 1e4], [0, 2, 1]),
    ("hard_sigmoid_backward", {}, [0, 0.5, 1], [0, 1 / 6, 0]),
    ("sigmoid_backward", {}, [0, 0.5, 1], [0, 0.25, 0]),
    ("tanh_backward", {}, [-1, 0, 1], [0, 1, 0]),
    ("softplus_backward", {}, [0, 1e4, INF], [0, 1, 1]),
    ("softsign_backward", {}, [-0.75, 0, 1], [0.0625, 1, 0]),
    ("gelu_backward", {}, [-1e4, 0, 1, 1e4], [0, 0.5, 1.0833154705876863, 1]),
    (
        "gelu_backward",
        {"approximate": True},
        [-1e4, 0, 1, 1e4],
        [0, 0.5, 1.0829640838457826, 1],
    ),
    ("silu_backward", {}, [-1e4, 0, 1, 1e4], [0, 0.5, 0.92767051187148673, 1]),
    ("step_backward", {}, [-1, 0, 1], [0, 0, 0]),
    ("linear_backward", {}, [-1, 0, 1], [1, 1, 1]),
    ("exponential_backward", {}, [0, 1, INF], [0, 1, INF]),
    ("selu_backward", {}, [-1.7580993408473768, 2], [0, 1.0507009873554805]),
]


@pytest.mark.parametrize(("name", "attributes", "saved", "expected"), GRADIENT_EDGES)
def test_gradient_edges(
    name: str, attributes: dict[str, Any], saved: list[float], expected: list[float]
) -> None:
    dx = getattr(reference, name)(np.ones(len(saved)), np.array(saved), **attributes)
    np.testing.assert_allclose(dx, expected, rtol=1e-15, atol=1e-15)


def test_relu_stops_an_infinite_cotangent() -> None:
    dx = reference.relu_backward(np.array([INF, INF]), np.array([0.0, 2.0]))
    np.testing.assert_array_equal(dx, [0.0, INF])


def test_linear_gradient_needs_nothing_saved() -> None:
    np.testing.assert_array_equal(reference.linear_backward(X), X)


def test_gelu_keeps_its_digits_far_below_zero() -> None:
    x = np.array([-10.0, -20.0])
    np.testing.assert_allclose(
        reference.gelu(x), [-7.6198530241605261e-23, -5.5072482372124674e-88], rtol=1e-12
    )
    approximate = reference.gelu(x[:1], approximate=True)
    np.testing.assert_allclose(approximate, [-1.204092348209806e-37], rtol=1e-12)
