"""normalize, pad_sequences, split_dataset, standardize_dtype beside real Keras's."""

import numpy as np
import pytest

from dlnative import config, utils


@pytest.fixture(scope="module")
def judge():
    return pytest.importorskip("keras").utils


SEQUENCES = [
    [[1], [2, 3], [4, 5, 6]],
    [[], [1, 2]],
    [[[1, 2]], [[3, 4], [5, 6]]],
    [[1.5, 2.5]],
]


@pytest.mark.parametrize("sequences", SEQUENCES, ids=str)
@pytest.mark.parametrize("maxlen", [None, 1, 2, 5])
@pytest.mark.parametrize("padding", ["pre", "post"])
@pytest.mark.parametrize("truncating", ["pre", "post"])
def test_pad_sequences(judge, sequences, maxlen, padding, truncating):
    for dtype, value in (("int32", 0.0), ("float32", -1.5), (object, "x")):
        arguments = (maxlen, dtype, padding, truncating, value)
        ours = utils.pad_sequences(sequences, *arguments)
        theirs = judge.pad_sequences(sequences, *arguments)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sequences": 5}, "expected a list of sequences"),
        ({"sequences": [1, 2]}, "expected a sequence at 0, received 1"),
        ({"sequences": [[1]], "padding": "mid"}, "expected padding 'pre' or 'post'"),
        ({"sequences": [[1]], "truncating": "mid"}, "expected truncating 'pre' or 'post'"),
        ({"sequences": [[1]], "value": "x"}, "cannot fill an array of dtype int32"),
        ({"sequences": [[[1, 2]], [[1]]]}, "expected items of shape"),
    ],
)
def test_what_cannot_be_padded(judge, arguments, message):
    with pytest.raises(ValueError, match=message):
        utils.pad_sequences(**arguments)
    with pytest.raises(ValueError):  # noqa: PT011  its texts are its own
        judge.pad_sequences(**arguments)


def test_pad_sequences_of_none():
    assert utils.pad_sequences([]).shape == (0, 0)


@pytest.mark.parametrize("order", [1, 2, np.inf])
def test_normalize(judge, order):
    x = np.array([[3.0, -4.0], [0.0, 0.0], [1.0, 2.0]])
    for axis in (-1, 1):
        np.testing.assert_array_equal(
            utils.normalize(x, axis, order), judge.normalize(x, axis, order)
        )
    norms = np.linalg.norm(utils.normalize(x, 0, order), order, 0)
    np.testing.assert_allclose(norms, 1.0, rtol=1e-12)
    with pytest.raises(TypeError, match="expected numbers"):
        utils.normalize(np.array(["a"]))


@pytest.mark.parametrize(
    ("left", "right", "counts"),
    [
        (0.8, None, (8, 2)),
        (None, 3, (7, 3)),
        (0.25, 0.25, (2, 2)),
        (4, 4, (4, 4)),
        (9, None, (9, 1)),
        (0.5, 2, (5, 2)),
    ],
)
def test_split_dataset(left, right, counts):
    data = {"x": np.arange(20).reshape(10, 2), "y": np.arange(10)}
    first, second = utils.split_dataset(data, left, right)
    assert (len(first["y"]), len(second["y"])) == counts
    np.testing.assert_array_equal(first["x"], data["x"][: counts[0]])
    np.testing.assert_array_equal(second["y"], data["y"][10 - counts[1] :])
    one = utils.split_dataset(data, left, right, shuffle=True, seed=3)
    two = utils.split_dataset(data, left, right, shuffle=True, seed=3)
    np.testing.assert_array_equal(one[0]["y"], two[0]["y"])
    np.testing.assert_array_equal(one[0]["x"][:, 0], 2 * one[0]["y"])
    assert not set(one[0]["y"]) & set(one[1]["y"])
    utils.set_random_seed(5)
    drawn = utils.split_dataset(data, left, right, shuffle=True)
    utils.set_random_seed(5)
    np.testing.assert_array_equal(
        drawn[1]["y"], utils.split_dataset(data, left, right, shuffle=True)[1]["y"]
    )


@pytest.mark.parametrize(
    ("data", "sizes", "error"),
    [
        (np.ones(10), {}, ValueError),
        (np.ones(10), {"left_size": 0}, ValueError),
        (np.ones(10), {"left_size": 10}, ValueError),
        (np.ones(10), {"left_size": 1.0}, ValueError),
        (np.ones(10), {"left_size": 0.6, "right_size": 0.6}, ValueError),
        (np.ones(10), {"left_size": 8, "right_size": 3}, ValueError),
        (np.ones(10), {"left_size": "a"}, TypeError),
        (5, {"left_size": 0.5}, TypeError),
        ((np.ones(3), np.ones(4)), {"left_size": 1}, ValueError),
        (np.ones(1), {"left_size": 0.5}, ValueError),
        (np.ones(4), {"left_size": 1, "preferred_backend": "torch"}, ValueError),
    ],
)
def test_what_cannot_be_split(data, sizes, error):
    with pytest.raises(error, match="split_dataset"):
        utils.split_dataset(data, **sizes)


def test_standardize_dtype(judge):
    for dtype in (
        None,
        float,
        int,
        bool,
        "int",
        "uint8",
        np.int64,
        np.dtype("float64"),
        np.float32,
    ):
        assert utils.standardize_dtype(dtype) == judge.standardize_dtype(dtype), dtype
    for wrong in ("x", 5, object, [1]):
        with pytest.raises(ValueError, match="expected a dtype"):
            utils.standardize_dtype(wrong)
    assert utils.standardize_dtype(None) == config.floatx()
