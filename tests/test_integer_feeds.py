"""Data for integer inputs: what the dtype of an input does not have raises, wherever it is fed."""

from __future__ import annotations

import numpy as np
import pytest
from small_training import assert_same

import dlnative
from dlnative import layers

pytestmark = pytest.mark.filterwarnings("ignore:The .* ran out of data:UserWarning")


def embedding(dtype="int32", **options):
    dlnative.utils.set_random_seed(3)
    model = dlnative.Sequential(
        [
            dlnative.Input((2,), dtype=dtype),
            layers.Embedding(5, 3),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse", **options)
    return model


X = np.array([[0, 1], [4, 2], [3, 3], [1, 0]] * 2)
Y = np.linspace(-1, 1, 8).reshape(8, 1).astype("float32")


@pytest.mark.parametrize("options", [{}, {"run_eagerly": True}], ids=["compiled", "eager"])
@pytest.mark.parametrize("given", ["float16", "float32", "float64", "uint64", "int8"])
def test_fit_takes_any_numbers_for_class_numbers(engine, given, options):
    """Floats lose their fractions, as in Keras."""
    if given == "float16" and options:
        pytest.skip("one of both is enough")
    expected, model = embedding(), embedding(**options)
    expected.fit(X.astype("int32"), Y, epochs=2, verbose=0)
    x = X.astype(given)
    model.fit(x + 0.75 if x.dtype.kind == "f" else x, Y, epochs=2, verbose=0)
    assert_same(expected.get_weights(), model.get_weights())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e9, -3e9, 1e20, 2.0**31])
def test_fit_names_the_sample_of_a_float(engine, value):
    model = embedding()
    before = model.get_weights()
    x = X.astype("float32")
    x[6, 1] = value
    message = r"^x: sample 6 has the value \S+ in column 1, which int32 does not have: expected "
    with pytest.raises(ValueError, match=message + r"-2147483648 to 2147483647.*dtype='int64'"):
        model.fit(x, Y, batch_size=2, verbose=0)
    assert_same(before, model.get_weights())
    assert model.optimizer.iterations == 0
