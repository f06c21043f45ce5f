"""Convolution: small images by hand, the definition element by element, and every gradient."""

from __future__ import annotations

import itertools
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from reference_gradcheck import assert_gradient

from dlnative import reference
from dlnative.graph import Tensor, table

# (spatial sizes, kernel size, strides, padding, dilation rate, groups)
GEOMETRIES: list[tuple[Any, ...]] = [
    ((4, 5), (3, 3), (1, 1), "valid", (1, 1), 1),
    ((4, 5), (3, 2), (1, 1), "same", (1, 1), 1),
    ((5, 6), (3, 3), (2, 2), "same", (1, 1), 2),
    ((6, 5), (2, 3), (3, 2), "same", (1, 1), 1),
    ((6, 7), (2, 3), (1, 1), "valid", (2, 3), 1),
    ((5, 5), (3, 2), (2, 1), "same", (2, 2), 2),
    ((4, 3), (2, 2), (2, 3), (1, 0, 2, 1), (1, 1), 1),
    ((3, 3), (1, 1), (2, 2), "same", (1, 1), 2),
    ((1, 2), (5, 5), (1, 1), "same", (1, 1), 1),
    ((7,), (3,), (2,), "same", (1,), 1),
    ((6,), (2,), (1,), (0, 3), (2,), 2),
]


def keywords(geometry: tuple[Any, ...]) -> dict[str, Any]:
    names = ("strides", "padding", "dilation_rate", "groups")
    return dict(zip(names, geometry[2:]))


def by_definition(x: Any, kernel: Any, geometry: tuple[Any, ...], pads: Any, places: Any) -> Any:
    """The sum of the docstring, one output element after the other."""
    _, size, strides, _, dilation, groups = geometry
    out = kernel.shape[-1]
    y = np.zeros((x.shape[0], *places, out))
    for b, *o, j in np.ndindex(y.shape):
        for t in np.ndindex(size):
            i = [o[a] * strides[a] + t[a] * dilation[a] - pads[2 * a] for a in range(len(size))]
            if any(not 0 <= i[a] < x.shape[a + 1] for a in range(len(size))):
                continue
            for c in range(kernel.shape[-2]):
                channel = j // (out // groups) * kernel.shape[-2] + c
                y[(b, *o, j)] += x[(b, *i, channel)] * kernel[(*t, c, j)]
    return y


def test_conv1d_by_hand() -> None:
    x = np.array([1.0, 2, 3, 4]).reshape(1, 4, 1)
    kernel = np.array([1.0, 10]).reshape(2, 1, 1)
    np.testing.assert_array_equal(reference.conv1d(x, kernel)[0, :, 0], [21, 32, 43])
    same = reference.conv1d(x, kernel, padding="same")  # the odd zero comes after
    np.testing.assert_array_equal(same[0, :, 0], [21, 32, 43, 4])
    strided = reference.conv1d(x, kernel, np.array([0.5]), strides=(2,), padding="same")
    np.testing.assert_array_equal(strided[0, :, 0], [21.5, 43.5])
    dilated = reference.conv1d(x, kernel, dilation_rate=(2,))
    np.testing.assert_array_equal(dilated[0, :, 0], [31, 42])
    before = reference.conv1d(x, kernel, padding=(1, 0))
    np.testing.assert_array_equal(before[0, :, 0], [10, 21, 32, 43])


def test_conv1d_transpose_by_hand() -> None:
    x = np.array([1.0, 2]).reshape(1, 2, 1)
    kernel = np.array([1.0, 10, 100]).reshape(3, 1, 1)

    def transpose(**attributes: Any) -> Any:
        return reference.conv1d_transpose(x, kernel, **attributes)[0, :, 0]

    np.testing.assert_array_equal(transpose(), [1, 12, 120, 200])
    np.testing.assert_array_equal(transpose(strides=(2,)), [1, 10, 102, 20, 200])
    np.testing.assert_array_equal(transpose(strides=(4,)), [1, 10, 100, 0, 2, 20, 200, 0])
    np.testing.assert_array_equal(transpose(padding="same"), [12, 120])
    np.testing.assert_array_equal(transpose(strides=(2,), padding="same"), [1, 10, 102, 20])
    np.testing.assert_array_equal(transpose(padding=(1, 2)), [12])
    extra = transpose(strides=(2,), padding="same", output_padding=(1,))
    np.testing.assert_array_equal(extra, [1, 10, 102, 20])
    none = transpose(strides=(2,), padding="same", output_padding=(0,))
    np.testing.assert_array_equal(none, [10, 102, 20])


def test_depthwise_by_hand() -> None:
    x = np.array([[1.0, 5], [2, 6]]).reshape(1, 1, 2, 2)
    kernel = np.array([[1.0, 2], [3, 4]]).reshape(1, 1, 2, 2)
    y = reference.depthwise_conv2d(x, kernel, np.array([0.0, 0, 0, 100]))
    np.testing.assert_array_equal(y[0, 0], [[1, 2, 15, 120], [2, 4, 18, 124]])


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_conv_is_its_definition(geometry: tuple[Any, ...]) -> None:
    rng = np.random.default_rng(1)
    sizes, window, strides, padding, dilation, groups = geometry
    x = rng.standard_normal((2, *sizes, 2 * groups))
    kernel = rng.standard_normal((*window, 2, 3 * groups))
    from dlnative.graph.window import slide

    places, pads = slide("conv", sizes, window, strides, padding, dilation)
    y = getattr(reference, f"conv{len(sizes)}d")(x, kernel, **keywords(geometry))
    expected = by_definition(x, kernel, geometry, pads, places)
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_conv_gradients(geometry: tuple[Any, ...]) -> None:
    rng = np.random.default_rng(2)
    sizes, window, groups = geometry[0], geometry[1], geometry[-1]
    op, attributes = f"conv{len(sizes)}d", keywords(geometry)
    x = rng.standard_normal((2, *sizes, 2 * groups))
    kernel = rng.standard_normal((*window, 2, 2 * groups))
    forward = getattr(reference, op)
    dy = rng.standard_normal(forward(x, kernel, **attributes).shape)
    dx = getattr(reference, f"{op}_backward_input")(dy, kernel, input_shape=x.shape, **attributes)
    assert_gradient(dx, lambda v: forward(v, kernel, **attributes), x, dy)
    dkernel, dbias = getattr(reference, f"{op}_backward_kernel")(
        x, dy, kernel_size=window, bias=True, **attributes
    )
    assert_gradient(dkernel, lambda v: forward(x, v, **attributes), kernel, dy)
    bias = rng.standard_normal(kernel.shape[-1])
    assert_gradient(dbias, lambda v: forward(x, kernel, v, **attributes), bias, dy)


@pytest.mark.parametrize("multiplier", [1, 3])
@pytest.mark.parametrize("geometry", [g for g in GEOMETRIES if len(g[0]) == 2])
def test_depthwise_gradients(geometry: tuple[Any, ...], multiplier: int) -> None:
    rng = np.random.default_rng(3)
    attributes = keywords(geometry)
    attributes.pop("groups")
    x = rng.standard_normal((2, *geometry[0], 2))
    kernel = rng.standard_normal((*geometry[1], 2, multiplier))

    def forward(image: Any, filters: Any) -> Any:
        return reference.depthwise_conv2d(image, filters, **attributes)

    dy = rng.standard_normal(forward(x, kernel).shape)
    dx = reference.depthwise_conv2d_backward_input(dy, kernel, input_shape=x.shape, **attributes)
    assert_gradient(dx, lambda v: forward(v, kernel), x, dy)
    dkernel, dbias = reference.depthwise_conv2d_backward_kernel(
        x, dy, kernel_size=geometry[1], bias=True, **attributes
    )
    assert_gradient(dkernel, lambda v: forward(x, v), kernel, dy)
    np.testing.assert_allclose(dbias, dy.sum((0, 1, 2)), rtol=1e-12)


def test_depthwise_is_a_grouped_convolution() -> None:
    rng = np.random.default_rng(4)
    x, kernel = rng.standard_normal((2, 5, 4, 3)), rng.standard_normal((3, 2, 3, 4))
    grouped = kernel.reshape(3, 2, 1, 12)
    np.testing.assert_allclose(
        reference.depthwise_conv2d(x, kernel, padding="same"),
        reference.conv2d(x, grouped, padding="same", groups=3),
        rtol=1e-12,
        atol=1e-12,
    )


TRANSPOSES = [
    (size, window, stride, padding, dilation, extra)
    for window, stride, padding, dilation in itertools.product(
        (1, 2, 3, 5), (1, 2, 3), ("valid", "same"), (1, 2)
    )
    if not (stride > 1 and dilation > 1)
    for size in (1, 4)
    for extra in (None, *range(stride))
    if padding == "valid" or not (size == 1 and extra == 0 and window * dilation % 2 == 0)
]


def transposed(window: int, stride: int, padding: str, dilation: int, extra: int | None) -> Any:
    return {
        "strides": (stride, stride),
        "padding": padding,
        "dilation_rate": (dilation, dilation),
        "output_padding": None if extra is None else (extra, extra),
    }


@pytest.mark.parametrize("size, window, stride, padding, dilation, extra", TRANSPOSES)
def test_transposed_gradients(
    size: int, window: int, stride: int, padding: str, dilation: int, extra: int | None
) -> None:
    """The rule's gradients, through the row of the op table, by finite differences."""
    rng = np.random.default_rng(5)
    attributes = transposed(window, stride, padding, dilation, extra)
    x, kernel = rng.standard_normal((1, size, 2, 1)), rng.standard_normal((window, window, 2, 1))

    def forward(image: Any, filters: Any) -> Any:
        return reference.conv2d_transpose(image, filters, **attributes)

    y = forward(x, kernel)
    dy = rng.standard_normal(y.shape)
    op = table["conv2d_transpose"]
    spec = op.infer(Tensor(x.shape, "float64"), Tensor(kernel.shape, "float64"), **attributes)
    assert spec.shape == y.shape
    from dlnative.graph.window import slide, slide_transposed

    sizes, pads = slide_transposed(
        "t", x.shape[1:-1], (window, window), **attributes_of(attributes)
    )
    assert sizes == y.shape[1:-1]
    geometry = {"strides": (stride, stride), "padding": pads, "dilation_rate": (dilation, dilation)}
    back = slide("c", sizes, (window, window), (stride, stride), pads, (dilation, dilation))
    assert back[0] == x.shape[1:-1]
    dx = reference.conv2d(dy, kernel, **geometry)
    assert_gradient(dx, lambda v: forward(v, kernel), x, dy)
    dkernel = reference.conv2d_backward_kernel(dy, x, kernel_size=(window, window), **geometry)
    assert_gradient(dkernel, lambda v: forward(x, v), kernel, dy)


def attributes_of(attributes: dict[str, Any]) -> dict[str, Any]:
    renamed = dict(attributes)
    renamed["dilation"] = renamed.pop("dilation_rate")
    return renamed


def test_epilogues() -> None:
    rng = np.random.default_rng(6)
    x, kernel, bias = (rng.standard_normal(s) for s in ((2, 4, 4, 2), (3, 3, 2, 3), (3,)))
    z = reference.conv2d(x, kernel) + bias
    np.testing.assert_array_equal(
        reference.conv2d(x, kernel, bias, activation="leaky_relu", negative_slope=0.3),
        reference.leaky_relu(z, negative_slope=0.3),
    )
    y, before = reference.conv2d(x, kernel, bias, activation="gelu", pre_activation=True)
    np.testing.assert_array_equal(before, z)
    np.testing.assert_array_equal(y, reference.gelu(z))
    dx = reference.conv2d_backward_input(z, kernel, input_shape=x.shape)
    np.testing.assert_array_equal(
        reference.conv2d_backward_input(z, kernel, x, input_shape=x.shape, activation="tanh"),
        reference.tanh_backward(dx, x),
    )
    for name in ("conv2d", "depthwise_conv2d", "conv2d_transpose"):
        with pytest.raises(ValueError, match="received 'swoosh'"):
            getattr(reference, name)(x, np.zeros((1, 1, 2, 2)), activation="swoosh")


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x: reference.conv2d(x, np.zeros((5, 1, 2, 1))), "a kernel that fits"),
        (lambda x: reference.conv2d(x, np.zeros((1, 1, 2, 1)), groups=3), "groups that divide"),
        (lambda x: reference.conv2d(x, np.zeros((1, 1, 3, 1))), "a kernel for 2 channels"),
        (lambda x: reference.conv2d(x, np.zeros((1, 1, 2, 1)), np.zeros(2)), "'bias' of shape"),
        (lambda x: reference.conv2d_transpose(x, np.zeros((1, 1, 2, 1))), "a kernel for 2"),
        (
            lambda x: reference.conv2d_transpose(x, np.zeros((1, 1, 2, 2)), padding=(2, 2, 0, 0)),
            "at least 1 pixel",
        ),
        (lambda x: reference.depthwise_conv2d(x, np.zeros((1, 1, 3, 1))), "'x' of shape"),
    ],
)
def test_bad_shapes(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(np.zeros((1, 4, 4, 2)))


@pytest.mark.parametrize("geometry", [g for g in GEOMETRIES if isinstance(g[3], str)])
def test_conv_against_keras(keras: ModuleType, geometry: tuple[Any, ...]) -> None:
    sizes, window, strides, padding, dilation, groups = geometry
    if max(strides) > 1 and max(dilation) > 1:
        pytest.skip("Keras refuses strides with dilation")
    rng = np.random.default_rng(7)
    x = rng.standard_normal((2, *sizes, 2 * groups))
    kernel = rng.standard_normal((*window, 2, 3 * groups))
    expected = keras.ops.conv(x, kernel, strides, padding, "channels_last", dilation)
    y = getattr(reference, f"conv{len(sizes)}d")(x, kernel, **keywords(geometry))
    np.testing.assert_allclose(y, np.asarray(expected), rtol=1e-10, atol=1e-10)
    if len(sizes) == 2 and strides[0] == strides[1]:
        kernel = rng.standard_normal((*window, 2 * groups, 2))
        expected = keras.ops.depthwise_conv(x, kernel, strides, padding, "channels_last", dilation)
        y = reference.depthwise_conv2d(
            x, kernel, strides=strides, padding=padding, dilation_rate=dilation
        )
        np.testing.assert_allclose(y, np.asarray(expected), rtol=1e-10, atol=1e-10)


def test_transpose_against_keras(keras: ModuleType) -> None:
    rng = np.random.default_rng(8)
    for size, window, stride, padding, dilation, extra in TRANSPOSES:
        x = rng.standard_normal((1, size, size + 1, 3))
        kernel = rng.standard_normal((window, window, 2, 3))
        attributes = transposed(window, stride, padding, dilation, extra)
        y = reference.conv2d_transpose(x, kernel, **attributes)
        expected = keras.ops.conv_transpose(
            x,
            kernel,
            strides=(stride, stride),
            padding=padding,
            output_padding=attributes["output_padding"],
            data_format="channels_last",
            dilation_rate=(dilation, dilation),
        )
        np.testing.assert_allclose(
            y, np.asarray(expected), rtol=1e-10, atol=1e-10, err_msg=str(attributes)
        )
