"""Data frames of pandas and polars as data: what they hold, and what they must not hold."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from small_training import assert_same, classes, compiled, mlp, trained, weights_of

import dlnative
from dlnative.models.arrays import as_array, as_structure

NAMES = ["a", "b", "c", "d"]


@pytest.fixture(params=["pandas", "polars"])
def library(request):
    return pytest.importorskip(request.param)


def test_a_frame_trains_as_its_array(library, rng):
    x, y = classes(rng)
    x[:, 1] = x[:, 1] > 0
    x[:, 2] = np.round(x[:, 2] * 10)
    kinds = ["float32", "bool", "int8", "float64"]
    frame = library.DataFrame({name: x[:, i].astype(kinds[i]) for i, name in enumerate(NAMES)})
    expected = trained(x, y, epochs=2)
    assert_same(trained(frame, y, epochs=2), expected)
    assert_same(trained(frame, library.Series(y), epochs=2), expected)
    assert_same(trained(frame, library.DataFrame({"y": y}), epochs=2), expected)


def test_a_frame_is_of_the_dtype_that_holds_its_columns(library):
    frame = library.DataFrame({"a": [True, False], "b": np.array([1, 2], "int16")})
    array = as_array(frame, "x")
    assert array.dtype == np.int16
    assert array.tolist() == [[1, 1], [0, 2]]
    assert as_array(frame[["a"]], "x").dtype == bool


def test_a_series_is_a_column_of_inputs(library):
    series = library.Series([1.0, 2.0])
    assert as_structure(series, "x").shape == (2, 1)
    assert as_structure({"a": series}, "x")["a"].shape == (2, 1)
    assert as_array(series, "y").shape == (2,)


def test_columns_as_inputs_of_a_model(library, rng):
    x, y = classes(rng, 20, 2)
    results = []
    for data in (
        {"p": x[:, :1], "q": x[:, 1:]},
        {"p": library.Series(x[:, 0]), "q": library.Series(x[:, 1])},
    ):
        dlnative.utils.set_random_seed(5)
        inputs = {name: dlnative.Input((1,), name=name) for name in "pq"}
        outputs = dlnative.layers.Concatenate()([inputs["p"], inputs["q"]])
        outputs = dlnative.layers.Dense(3, activation="softmax")(outputs)
        model = dlnative.Model(inputs, outputs)
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.fit(data, y, verbose=0)
        results.append(model.get_weights())
    assert_same(*results)


def missing(library, values, dtype):
    """A Series with a missing value of a nullable dtype."""
    if library.__name__ == "pandas":
        return library.Series(values, dtype=dtype)
    return library.Series(values)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [([1, None, 3], "Int64"), ([True, None, False], "boolean"), ([1.5, None, 2.5], "Float32")],
)
def test_missing_values_are_nan(library, values, dtype):
    frame = library.DataFrame({"a": [1, 2, 3], "b": missing(library, values, dtype)})
    array = as_array(frame, "x")
    assert array.dtype.kind == "f"
    expected = [np.nan if v is None else float(v) for v in values]
    np.testing.assert_array_equal(array[:, 1], expected)
    np.testing.assert_array_equal(array[:, 0], [1, 2, 3])
    model = mlp(inputs=2)
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = model.get_weights()
    with pytest.raises(ValueError, match="x: sample 1 has the value nan in column 1"):
        model.fit(frame, np.array([0, 1, 2]), verbose=0)
    assert_same(model.get_weights(), before)


def test_columns_that_are_no_numbers(library):
    frame = library.DataFrame({"size": [1.0, 2.0], "town": ["Bonn", "Kiel"]})
    with pytest.raises(
        TypeError, match=r"x: column 'town': expected numbers, received dtype [Ss]tr"
    ):
        compiled(inputs=2).fit(frame, np.array([0, 1]), verbose=0)
    with pytest.raises(TypeError, match=r"y: expected numbers, received dtype [Ss]tr"):
        compiled(inputs=2).fit(np.ones((2, 2)), frame["town"], verbose=0)


def test_columns_of_pandas_that_are_no_numbers():
    pandas = pytest.importorskip("pandas")
    for column, dtype in [
        (pandas.Categorical(["u", "v"]), "category"),
        (pandas.to_datetime(["2020-01-01", "2021-01-01"]), "datetime64"),
        (np.array([1, "a"], dtype=object), "object"),
    ]:
        frame = pandas.DataFrame({"a": [1.0, 2.0], "b": column})
        with pytest.raises(TypeError, match=f"x: column 'b': expected numbers, .* dtype {dtype}"):
            as_array(frame, "x")


def test_names_that_are_there_twice():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([[1, 2.5], [3, 4.5]], columns=["a", "a"])
    assert as_array(frame, "x").tolist() == [[1, 2.5], [3, 4.5]]


def test_lazy_frames_and_sparse_matrices():
    polars = pytest.importorskip("polars")
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(TypeError, match=r"x: expected a DataFrame, received a LazyFrame\. Give"):
        as_array(polars.DataFrame({"a": [1]}).lazy(), "x")
    for matrix in (sparse.csr_matrix((3, 4)), sparse.coo_array((3, 4))):
        with pytest.raises(TypeError, match=r"received a sparse c.*\. Give `\.toarray\(\)`"):
            compiled().fit(matrix, np.zeros(3, int), verbose=0)


def test_a_frame_without_rows_or_columns(library):
    with pytest.raises(ValueError, match="x: expected at least one sample"):
        as_array(library.DataFrame({"a": np.empty(0)}), "x")
    with pytest.raises(ValueError, match=r"x: expected (at least one sample|samples with)"):
        as_array(library.DataFrame(), "x")


def test_neither_library_is_imported():
    code = (
        "import sys, numpy as np, dlnative\n"
        "m = dlnative.Sequential([dlnative.Input((2,)), dlnative.layers.Dense(1)])\n"
        "m.compile('sgd', 'mse')\n"
        "m.fit(np.ones((4, 2)), [1.0, 2, 3, 4], verbose=0)\n"
        "print([n for n in ('pandas', 'polars', 'scipy', 'torch') if n in sys.modules])\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert output.strip() == "[]"


def test_frames_as_keras(keras, rng):
    """The same weights as Keras after two epochs, with a frame, a Series and weights."""
    pandas = pytest.importorskip("pandas")
    x, y = classes(rng, 21)
    frame = pandas.DataFrame(x, columns=NAMES)
    weights = pandas.Series(rng.uniform(0, 2, 21).astype("float32"))
    results = []
    ours, theirs = mlp(), mlp(keras)
    theirs.set_weights(ours.get_weights())
    for model in (ours, theirs):
        model.compile("adam", "sparse_categorical_crossentropy")
        options = {"shuffle": False, "verbose": 0, "epochs": 2, "batch_size": 8}
        model.fit(frame, pandas.Series(y), sample_weight=weights.to_numpy(), **options)
        results.append(weights_of(model))
        results[-1].append(model.predict(frame, verbose=0))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


def test_torch_tensors(rng):
    torch = pytest.importorskip("torch")
    x, y = classes(rng, 12)
    tensor = torch.tensor(x, requires_grad=True)
    assert_same(trained(tensor, torch.tensor(y)), trained(x, y))
