"""dlnative.ops that create, reshape, move, pick and sort: what the judged table does not see."""

import numpy as np
import pytest

import dlnative
from dlnative import ops


def values_of(function, *inputs):
    """What a function computes as a program, from arrays that are feeds of it."""
    return dlnative.vjp(function, *inputs)[0]


def whole(x):
    """A float feed as the index that it stands for."""
    return ops.cast(x, "int32")


X = np.arange(12, dtype="float32").reshape(3, 4)


UNCHANGED = {
    "copy": lambda x: ops.copy(x),
    "array": lambda x: ops.array(x),
    "reshape": lambda x: ops.reshape(x, (3, 4)),
    "squeeze": lambda x: ops.squeeze(x),
    "transpose": lambda x: ops.transpose(x, (0, 1)),
    "rot90": lambda x: ops.rot90(x, 4),
    "roll": lambda x: ops.roll(x, 4, 1),
    "pad": lambda x: ops.pad(x, 0, "edge"),
    "slice": lambda x: ops.slice(x, (0, 0), (3, 4)),
    "get_item": lambda x: ops.get_item(x, ...),
    "split": lambda x: ops.split(x, 1)[0],
}


@pytest.mark.parametrize("name", UNCHANGED)
def test_results_have_memory_of_their_own(name):
    x = X.copy()
    y = UNCHANGED[name](x)
    np.testing.assert_array_equal(y, X)
    y[...] = -1
    np.testing.assert_array_equal(x, X)
    variable = dlnative.Variable(X)
    y = UNCHANGED[name](variable)
    variable.assign(X + 1)
    np.testing.assert_array_equal(y, X)


def test_float64_numbers_keep_their_digits():
    assert ops.full((), 0.1, "float64") == 0.1
    assert ops.full((), 1e300, "float64") == 1e300
    assert ops.array([0.1, 1e300], "float64").tolist() == [0.1, 1e300]
    assert ops.full((), 2**53 + 1, "int64") == 2**53 + 1
    assert ops.pad(np.ones(1, "int64"), 1, constant_values=2**53 + 1)[0] == 2**53 + 1


def test_what_keras_documents_and_jax_refuses():
    x = X[0]
    np.testing.assert_array_equal(ops.pad(x, (2,)), np.pad(x, 2))
    np.testing.assert_array_equal(ops.pad(X, ((1,), (2,))), np.pad(X, ((1, 1), (2, 2))))
    np.testing.assert_array_equal(ops.pad(x, 2, "circular"), np.pad(x, 2, "wrap"))
    np.testing.assert_array_equal(ops.repeat(X, [1, 0, 2], 0), np.repeat(X, [1, 0, 2], 0))
    for ours, theirs in zip(ops.meshgrid(x, 1.0), np.meshgrid(x, np.float32(1))):
        np.testing.assert_array_equal(ours, theirs)


def test_indices_that_are_tensors():
    i = np.array([2.0, -1.0], "float32")
    np.testing.assert_array_equal(values_of(lambda i: ops.take(X, whole(i), 0), i), X[[2, -1]])
    np.testing.assert_array_equal(
        values_of(lambda x, i: ops.get_item(x, (whole(i), whole(i))), X, i), X[[2, -1], [2, -1]]
    )
    start = np.array([1.0, -2.0], "float32")
    np.testing.assert_array_equal(
        values_of(lambda x, s: ops.slice(x, whole(s), (2, 2)), X, start), X[1:3, 2:4]
    )
    updated = values_of(lambda x, s: ops.slice_update(x, whole(s), ops.zeros((1, 2))), X, start)
    expected = X.copy()
    expected[1, 2:4] = 0
    np.testing.assert_array_equal(updated, expected)
    np.testing.assert_array_equal(
        values_of(lambda x, s: ops.roll(x, whole(s[0]), 1), X, start), np.roll(X, 1, 1)
    )


OUT_OF_RANGE = {
    "take": lambda x, i: ops.take(x, whole(i), 0),
    "get_item, one axis of two": lambda x, i: ops.get_item(x, (whole(i) * 0, whole(i) + 1)),
    "get_item, which would fit the whole": lambda x, i: ops.get_item(
        x, (whole(i) - 3, whole(i) + 1)
    ),
    "slice": lambda x, i: ops.slice(x, [whole(i[0]) - 1, 0], (2, 4)),
    "slice before the start": lambda x, i: ops.slice(x, [whole(i[0]) - 7, 0], (2, 4)),
    "slice across the start": lambda x, i: ops.slice(x, [whole(i[0]) - 4, 0], (2, 4)),
    "slice_update": lambda x, i: ops.slice_update(x, [whole(i[0]) - 1, 0], ops.ones((2, 2))),
    "scatter": lambda x, i: ops.scatter(ops.stack([whole(i) * 0, whole(i)], -1), x[0, :1], (2, 3)),
    "scatter_update": lambda x, i: ops.scatter_update(x, ops.stack([whole(i), whole(i)], -1), 0.0),
}


@pytest.mark.parametrize("name", OUT_OF_RANGE)
def test_an_index_out_of_range_raises_when_the_program_runs(name):
    with pytest.raises((IndexError, ValueError)):
        values_of(OUT_OF_RANGE[name], X, np.array([3.0], "float32"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: ops.nonzero(x), "use where"),
        (lambda x: ops.unique(x), "give the size"),
        (lambda x: ops.bincount(whole(x)), "use segment_sum"),
        (lambda x: ops.segment_sum(x, whole(x[:, 0])), "give num_segments"),
        (lambda x: ops.repeat(x, whole(x[:, 0]), 0), "give repeats as ints"),
        (lambda x: ops.arange(x[0, 0]), "give numbers"),
        (lambda x: ops.hanning(whole(x[0, 0])), "as an int"),
    ],
)
def test_shapes_that_depend_on_values_are_refused_in_a_program(call, message):
    with pytest.raises(TypeError, match=message):
        values_of(call, X)


def test_unique_in_a_program():
    x = np.array([3.0, 1.0, 2.0, 1.0], "float32")
    y, inverse, counts = values_of(
        lambda x: ops.unique(x, return_inverse=True, return_counts=True, size=4, fill_value=9), x
    )
    np.testing.assert_array_equal(y, [1, 2, 3, 9])
    np.testing.assert_array_equal(inverse, [2, 0, 1, 0])
    np.testing.assert_array_equal(counts, [2, 1, 1, 0])


def test_segments_are_as_many_as_the_numbers_say():
    np.testing.assert_array_equal(ops.segment_sum(np.ones(3, "float32"), [0, 2, 2]), [1, 0, 2])
    assert ops.segment_sum(np.ones((0, 2), "float32"), np.zeros(0, "int32")).shape == (0, 2)


def test_a_result_of_as_many_bytes_is_not_written_over_an_operand():
    x = np.array([[0.0], [3.0], [1.0], [7.0]], "float32")
    same = values_of(lambda x: ops.equal(whole(x), np.arange(4, dtype="int32")), x)
    np.testing.assert_array_equal(same, x == np.arange(4))


def test_digitize_with_bins_that_are_tensors():
    x = np.array([0.5, 1.0, 2.5, 3.5], "float32")
    for bins in (np.array([1.0, 2.0, 3.0], "float32"), np.array([3.0, 2.0, 1.0], "float32")):
        np.testing.assert_array_equal(values_of(ops.digitize, x, bins), np.digitize(x, bins))
    with pytest.raises(ValueError, match="digitize: expected bins"):
        ops.digitize(x, [1.0, 3.0, 2.0])


def test_a_column_stack():
    x, y = np.arange(3, dtype="float32"), np.ones((3, 2), "float32")
    np.testing.assert_array_equal(ops.column_stack([x, y]), np.column_stack([x, y]))


def test_a_list_is_no_key():
    with pytest.raises(TypeError, match="get_item: expected a tuple or an array"):
        ops.get_item(X, [0, 1])


@pytest.mark.parametrize(
    ("pattern", "sizes", "message"),
    [
        ("a b", {}, "one '->'"),
        ("a b -> a", {}, "each name once"),
        ("a a -> a a", {}, "each name once"),
        ("a [b] -> a b", {}, "names and brackets"),
        ("a -> a", {}, "has 1 axes"),
        ("a (b c) -> a b c", {}, "all but one"),
        ("a (b c) -> a b c", {"b": 3}, "do not fit"),
        ("a (b c) -> a b c", {"b": 2, "c": 3}, "do not fit"),
        ("a b -> b a", {"a": 2}, "do not fit"),
        ("a b -> b a", {"z": 2}, "no axis 'z'"),
    ],
)
def test_patterns_that_do_not_fit(pattern, sizes, message):
    with pytest.raises(ValueError, match=message):
        ops.rearrange(X, pattern, **sizes)


def test_the_namespaces_have_the_ops():
    assert ops.numpy.exp is ops.exp
    assert dir(ops.linalg) == ["norm"]
    assert "take_along_axis" in dir(ops.numpy)
    with pytest.raises(AttributeError, match="relu"):
        ops.numpy.relu  # noqa: B018  of keras.ops, but not of NumPy
    for name in set(dir(ops.numpy)) & set(dir(ops)):
        assert getattr(ops.numpy, name) is getattr(ops, name)


def test_ops_as_layers_of_a_functional_model():
    x = dlnative.Input((3, 4))
    first, second = ops.split(ops.pad(x, ((0, 0), (1, 0), (0, 0)), "edge"), 2, axis=1)
    y = ops.concatenate([ops.flip(first, -1), ops.tile(second, (1, 2, 1))], axis=1)
    best, place = ops.top_k(ops.reshape(y, (-1, 24)), 3)
    model = dlnative.Model(x, [y, best, ops.take_along_axis(best, ops.argsort(place), -1)])
    assert [t.shape for t in model.outputs] == [(None, 6, 4), (None, 3), (None, 3)]

    data = np.random.default_rng(0).standard_normal((5, 3, 4)).astype("float32")
    padded = np.pad(data, ((0, 0), (1, 0), (0, 0)), "edge")
    expected = np.concatenate([padded[:, :2, ::-1], np.tile(padded[:, 2:], (1, 2, 1))], axis=1)
    results = model(data)
    np.testing.assert_array_equal(results[0], expected)
    np.testing.assert_array_equal(results[1], -np.sort(-expected.reshape(5, 24))[:, :3])
    order = np.argsort(np.argsort(-expected.reshape(5, 24), axis=1, kind="stable")[:, :3], axis=1)
    np.testing.assert_array_equal(results[2], np.take_along_axis(results[1], order, 1))
