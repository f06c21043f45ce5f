"""The rows of the convolutions: gradient rules, costs, and what they say to bad input."""

import numpy as np
import pytest

from dlnative import reference
from dlnative.graph import Graph, apply, table
from dlnative.ops import rows as ops


def gradients(op, inputs, attributes, dy_shape, rng):
    """The gradient rule's results for a random cotangent, and the cotangent, by the oracle."""
    from dlnative.engines.numpy import NumpyFunction

    graph = Graph()
    feeds = [graph.feed(v.shape, "float64") for v in inputs]
    y = apply(op, *feeds, **attributes)
    dy = graph.feed(y.shape, "float64")
    assert y.shape == dy_shape
    outputs = table[op].gradient(y.node, dy, needs=[True] * len(inputs))
    cotangent = rng.standard_normal(dy_shape)
    return NumpyFunction(graph, outputs)(*inputs, cotangent), cotangent


RULES = [
    (
        "conv2d",
        ((1, 5, 4, 2), (3, 2, 1, 4), (4,)),
        {"strides": (2, 1), "padding": "same", "groups": 2},
    ),
    ("conv1d", ((2, 6, 2), (3, 2, 3), (3,)), {"dilation_rate": (2,), "padding": (2, 1)}),
    (
        "conv2d_backward_input",
        ((1, 3, 2, 3), (3, 3, 2, 3)),
        {"input_shape": (1, 5, 4, 2), "strides": (2, 2), "padding": "same"},
    ),
    (
        "conv2d_backward_kernel",
        ((1, 4, 5, 2), (1, 2, 3, 3)),
        {"kernel_size": (2, 3), "strides": (2, 2), "padding": "same"},
    ),
    (
        "conv2d_transpose",
        ((1, 3, 2, 2), (2, 3, 3, 2), (3,)),
        {"strides": (3, 2), "padding": "same", "output_padding": (2, 1)},
    ),
    ("conv1d_transpose", ((1, 3, 2), (2, 3, 2), (3,)), {"strides": (3,)}),
    (
        "depthwise_conv2d",
        ((1, 4, 5, 2), (3, 3, 2, 2), (4,)),
        {"strides": (2, 2), "padding": "same"},
    ),
    (
        "depthwise_conv2d_backward_input",
        ((1, 2, 3, 4), (3, 3, 2, 2)),
        {"input_shape": (1, 4, 5, 2), "strides": (2, 2), "padding": "same"},
    ),
    (
        "depthwise_conv2d_backward_kernel",
        ((1, 4, 5, 2), (1, 2, 3, 4)),
        {"kernel_size": (3, 3), "strides": (2, 2), "padding": "same"},
    ),
]


@pytest.mark.parametrize("op, shapes, attributes", RULES)
def test_gradient_rules(rng, op, shapes, attributes):
    """What the table's rules emit, run by the oracle, against finite differences of the oracle."""
    inputs = [rng.standard_normal(s) for s in shapes]
    forward = getattr(reference, op)
    found, dy = gradients(op, inputs, attributes, forward(*inputs, **attributes).shape, rng)
    for i, (value, gradient) in enumerate(zip(inputs, found)):
        assert gradient.shape == value.shape
        direction = rng.standard_normal(value.shape)
        up, down = list(inputs), list(inputs)
        up[i], down[i] = value + direction / 2, value - direction / 2  # linear in each input
        change = np.vdot(dy, forward(*up, **attributes) - forward(*down, **attributes))
        assert np.isclose(change, np.vdot(gradient, direction), rtol=1e-10)


def test_flops():
    graph = Graph()
    x, kernel = graph.feed((2, 8, 8, 6), "float32"), graph.feed((3, 3, 3, 10), "float32")
    y = apply("conv2d", x, kernel, padding="same", groups=2)
    products = 2 * 64 * 10 * 9 * 3
    assert table["conv2d"].flops(y.node) == 2 * products
    dx = apply("conv2d_backward_input", y, kernel, input_shape=x.shape, padding="same", groups=2)
    assert table["conv2d_backward_input"].flops(dx.node) == 2 * products
    dk = apply("conv2d_backward_kernel", x, y, kernel_size=(3, 3), padding="same", groups=2)
    assert dk.shape == kernel.shape
    assert table["conv2d_backward_kernel"].flops(dk.node) == 2 * products


def image(*shape):
    return np.zeros((1, *shape))


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: ops.conv2d(image(4, 4, 3), np.zeros((5, 3, 3, 8))),
            "its height is 5, the input's is 4",
        ),
        (
            lambda: ops.conv2d(
                image(4, 4, 3), np.zeros((3, 3, 3, 8)), padding=(0, 0, 1, 0), dilation_rate=(1, 3)
            ),
            r"width is 3 \(dilated to 7\), the input's is 4 \(5 with padding\)",
        ),
        (lambda: ops.conv1d(image(2, 3), np.zeros((3, 3, 8))), "its length is 3, the input's is 2"),
        (
            lambda: ops.conv2d(image(4, 4, 3), np.zeros((1, 1, 3, 8)), groups=2),
            "groups=2 do not divide the 3 input channels",
        ),
        (
            lambda: ops.conv2d(image(4, 4, 4), np.zeros((1, 1, 2, 7)), groups=2),
            "groups=2 do not divide the 7 output channels",
        ),
        (
            lambda: ops.conv2d(image(4, 4, 4), np.zeros((1, 1, 4, 8)), groups=2),
            "expected input with 8 channels to match the kernel's 4 in 2 groups, received 4",
        ),
        (
            lambda: ops.conv2d(image(4, 4, 4), np.zeros((1, 1, 4, 8)), groups=0),
            "'groups' to be an integer of at least 1",
        ),
        (lambda: ops.conv2d(image(4, 4), np.zeros((1, 1, 4, 8))), "expected 'x' of shape"),
        (lambda: ops.conv2d(image(4, 4, 4), np.zeros((1, 4, 8))), "expected a kernel of shape"),
        (lambda: ops.conv2d(image(4, 4, 4), np.zeros((0, 1, 4, 8))), "without empty axes"),
        (lambda: ops.conv2d(image(0, 4, 4), np.zeros((1, 1, 4, 8))), "a height of at least 1"),
        (
            lambda: ops.conv2d(image(4, 4, 4), np.zeros((1, 1, 4, 8)), np.zeros(4)),
            r"expected a bias of shape \(8,\), received \(4,\)",
        ),
        (
            lambda: ops.conv2d(image(4, 4, 4), np.zeros((1, 1, 4, 8)), strides=2),
            "'strides' to be a tuple",
        ),
        (
            lambda: ops.conv2d(image(4, 4, 4), np.zeros((1, 1, 4, 8)), padding=(1, 1)),
            "'padding' to be a tuple of 4 integers",
        ),
        (
            lambda: ops.conv2d(image(4, 4, 4), np.zeros((1, 1, 4, 8)), padding="causal"),
            "expected padding 'valid', 'same'",
        ),
        (
            lambda: ops.conv2d(image(4, 4, 4), np.zeros((1, 1, 4, 8)), activation="swoosh"),
            "unknown activation 'swoosh'",
        ),
        (
            lambda: ops.conv2d_backward_input(
                image(4, 4, 8), np.zeros((1, 1, 4, 8)), input_shape=(1, 5, 4, 4)
            ),
            r"expected dy of shape \(1, 5, 4, 8\), received \(1, 4, 4, 8\)",
        ),
        (
            lambda: ops.conv2d_backward_input(image(4, 4, 8), np.zeros((1, 1, 4, 8))),
            "expected input_shape",
        ),
        (
            lambda: ops.conv2d_backward_kernel(image(4, 4, 3), image(3, 4, 2), kernel_size=(1, 1)),
            "expected dy of shape",
        ),
        (
            lambda: ops.conv2d_transpose(image(4, 4, 3), np.zeros((3, 3, 3, 8))),
            "expected input with 8 channels",
        ),
        (
            lambda: ops.conv2d_transpose(
                image(4, 4, 3), np.zeros((3, 3, 8, 3)), output_padding=(1, 0)
            ),
            "output_padding to be smaller than the strides",
        ),
        (
            lambda: ops.conv2d_transpose(
                image(1, 1, 3), np.zeros((2, 2, 8, 3)), padding="same", output_padding=(0, 0)
            ),
            "the output's height would be 0",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_unknown_arguments():
    with pytest.raises(TypeError, match="unexpected argument 'stride'"):
        ops.conv2d(image(4, 4, 4), np.zeros((1, 1, 4, 8)), stride=(2, 2))
