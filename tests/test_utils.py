"""Helpers of `dlnative.utils`."""

from __future__ import annotations

import numpy as np
import pytest
from own_layers import Scale

from dlnative import layers, utils
from dlnative.utils import nest


def test_to_categorical():
    labels = [0, 2, 1]
    np.testing.assert_array_equal(utils.to_categorical(labels), np.eye(3)[labels])
    assert utils.to_categorical(labels, 5).shape == (3, 5)
    assert utils.to_categorical(np.array([[0], [1]])).shape == (2, 2)
    assert utils.to_categorical(np.array([[0, 1], [1, 0]])).shape == (2, 2, 2)
    assert utils.to_categorical([], 3).shape == (0, 3)
    for bad, error in (([0, -1], ValueError), ([0, 3], ValueError), ([0.5], TypeError)):
        with pytest.raises(error):
            utils.to_categorical(bad, 3)
    with pytest.raises(ValueError, match="num_classes"):
        utils.to_categorical([])


def test_nest():
    structure = {"b": [1, (2, None)], "a": 3}
    assert nest.flatten(structure) == [3, 1, 2, None]
    doubled = nest.map_structure(lambda v: v and 2 * v, structure)
    assert doubled == {"b": [2, (4, None)], "a": 6}
    assert list(doubled) == ["b", "a"]
    assert nest.pack(structure, "wxyz") == {"b": ["x", ("y", "z")], "a": "w"}


def test_signatures():
    from functools import partial

    from dlnative.utils import signatures

    assert signatures.parameters(lambda x: x) == ("x",)
    assert signatures.parameters(Scale(1.0).call) == ("inputs",)
    assert signatures.parameters(partial(Scale, 1.0)) == ("kwargs",)
    assert "units" in signatures.constructor_parameters(layers.Dense)
    assert "dtype" in signatures.constructor_parameters(layers.Dense)
