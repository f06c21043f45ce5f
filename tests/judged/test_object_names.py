"""Every name of Keras beside `ops` that object_names.tsv promises is there, with its arguments."""

from __future__ import annotations

import pytest
from object_names import DIFFERS, arguments, find_object, object_names

import dlnative


@pytest.fixture(scope="module")
def keras():
    return pytest.importorskip("keras")


@pytest.mark.parametrize("name", object_names())
def test_the_name_is_there(name):
    assert find_object(dlnative, name) is not None


@pytest.mark.parametrize("name", object_names())
def test_its_arguments_are_those_of_keras(keras, name):
    try:
        theirs = arguments(find_object(keras, name))
    except AttributeError:
        pytest.skip("newer than the Keras that is installed")
    ours = arguments(find_object(dlnative, name))
    if name in DIFFERS:
        assert ours != theirs, "it does not differ: take it out of DIFFERS"
    else:
        assert ours == theirs
        assert list(ours or ()) == list(theirs or ())
