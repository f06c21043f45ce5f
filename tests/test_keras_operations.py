"""Ops between the layers of functional models in the form of Keras."""

from __future__ import annotations

import importlib
import inspect

import numpy as np
import pytest

import dlnative
from dlnative import ops
from dlnative.models import keras_operations
from dlnative.ops.public import FUNCTIONS

OPERATIONS = keras_operations.operations()


def names(function):
    return [name for name in inspect.signature(function).parameters if name not in ("self", "name")]


@pytest.mark.parametrize("op", sorted(OPERATIONS))
def test_the_table(keras, op):
    """Keras has such a class: its constructor takes the options, its call the others, in order."""
    known = OPERATIONS[op]
    cls = getattr(importlib.import_module(known.module), known.name, None)
    if cls is None:
        pytest.skip("newer than the Keras that is installed")
    assert names(cls.__init__) == list(known.options)
    others = [name for name in names(FUNCTIONS[op]) if name not in known.options]
    assert names(cls.call) == others


KEYS = [
    3,
    slice(1, None),
    (slice(None), 2),
    (slice(None), slice(None, None, 2)),
    (Ellipsis, 1),
    (slice(None), None, 0),
]


@pytest.mark.parametrize("key", KEYS, ids=map(str, KEYS))
def test_keys(keras, rng, key):
    """x[key] is read by either library."""
    x = rng.normal(size=(5, 4, 3)).astype("float32")
    for library, other in ((dlnative, keras), (keras, dlnative), (dlnative, dlnative)):
        inputs = library.Input(batch_shape=(5, 4, 3))
        alone = library is keras and isinstance(key, slice)  # which it does not take
        model = library.Model(inputs, inputs[(key,) if alone else key])
        record = library.saving.serialize_keras_object(model)
        read = other.saving.deserialize_keras_object(record)
        np.testing.assert_array_equal(np.asarray(read(x)), x[key])


def test_keys_with_arrays():
    """Keras does not take them, so they stay in the form of this package."""
    x = dlnative.Input((4, 3))
    model = dlnative.Model(x, x[:, [0, 2]])
    assert config(model)[0][1] == "OpLayer"
    values = np.arange(24.0, dtype="float32").reshape(2, 4, 3)
    read = dlnative.Model.from_config(model.get_config())
    np.testing.assert_array_equal(read(values), values[:, [0, 2]])


def config(model):
    return [
        (each["module"], each["class_name"], each["config"])
        for each in model.get_config()["layers"]
        if each["class_name"] != "InputLayer"
    ]


def test_forms():
    """Options that were not given are written, too; what Keras has no class for stays as it is."""
    dlnative.utils.clear_session()  # names are counted in each process
    x = dlnative.Input((4,))
    assert config(dlnative.Model(x, ops.mean(x, axis=1))) == [
        ("keras.src.ops.numpy", "Mean", {"name": "mean", "axis": 1, "keepdims": False})
    ]
    h = ops.rearrange(x, "b (i j) -> b j i", i=2)
    (found,) = config(dlnative.Model(x, h))
    assert found[:2] == ("dlnative.layers", "OpLayer")
    row = dlnative.layers.OpLayer("sum", {"axis": (1,), "keepdims": True})(x)
    assert config(dlnative.Model(x, row))[0][:2] == ("dlnative.layers", "OpLayer")


def test_configurations_of_before():
    """An OpLayer in the form that this package had first."""
    x = dlnative.Input((4,))
    model = dlnative.Model(x, ops.mean(x + 1.0, axis=1))
    record = model.get_config()
    add, mean = record["layers"][1:]
    add.update(module="dlnative.layers", class_name="OpLayer", registered_name=None)
    add["config"] = {"name": add["name"], "op": "add", "attributes": {}}
    mean.update(module="dlnative.layers", class_name="OpLayer", registered_name=None)
    mean["config"] = {"name": mean["name"], "op": "mean"}
    mean["inbound_nodes"][0]["kwargs"] = {"axis": 1}
    read = dlnative.Model.from_config(record)
    values = np.arange(8.0, dtype="float32").reshape(2, 4)
    np.testing.assert_array_equal(read(values), model(values))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"class_name": "Rfft2"}, "op keras.src.ops.numpy.Rfft2 of Keras is not available"),
        ({"module": "keras.src.ops.os"}, "keras.src.ops.os.Mean"),
        ({"class_name": ["Mean"]}, "not available"),
    ],
)
def test_unknown_ops(change, message):
    x = dlnative.Input((4,))
    record = dlnative.Model(x, ops.mean(x, axis=1)).get_config()
    record["layers"][1].update(change)
    with pytest.raises(ValueError, match=message):
        dlnative.Model.from_config(record)
