"""Users' files: tables, archives, standardisation, labels."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dlnative.data import (
    Columns,
    Standardizer,
    decode,
    encode,
    infer_task,
    learn_classes,
    read_csv,
    read_npz,
)

IRIS = "length,width,species\n5.1,3.5,setosa\n6.2,2.9,virginica\n5.9,3.0,virginica\n"


@pytest.fixture
def file(tmp_path):
    """Returns a function that writes a file and returns its path."""

    def write(content: str | bytes, name: str = "data.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


# --- tables ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        IRIS,
        IRIS.replace(",", ";"),
        IRIS.replace(",", "\t"),
        IRIS.replace("\n", "\r\n"),
        IRIS.rstrip("\n"),
        IRIS.replace("\n", "\n\n"),
        "\ufeff" + IRIS,
        IRIS.replace("setosa", '"setosa"').replace("5.1", " 5.1 "),
    ],
    ids=["comma", "semicolon", "tab", "crlf", "no-last-newline", "blank-lines", "bom", "quoted"],
)
def test_csv_dialects(file, content):
    table = read_csv(file(content))
    assert table.columns == Columns(["length", "width"], "species", 2, True)
    assert table.features.tolist() == [[5.1, 3.5], [6.2, 2.9], [5.9, 3.0]]
    assert table.features.dtype == np.float64
    assert table.targets.tolist() == ["setosa", "virginica", "virginica"]


def test_csv_without_header(file):
    table = read_csv(file("1,2,0\n3,4,1\n"))
    assert table.columns == Columns(["column 1", "column 2"], "column 3", 2, False)
    assert table.features.tolist() == [[1, 2], [3, 4]]
    assert table.targets.tolist() == ["0", "1"]
    names_last = read_csv(file("1,2,cat\n3,4,dog\n"), header=False)
    assert names_last.targets.tolist() == ["cat", "dog"]
    assert not names_last.columns.header


def test_csv_target_by_name_and_by_number(file):
    path = file("label,a,b\ncat,1,2\ndog,3,4\n")
    table = read_csv(path, target="label")
    assert table.columns == Columns(["a", "b"], "label", 0, True)
    assert table.features.tolist() == [[1, 2], [3, 4]]
    assert table.targets.tolist() == ["cat", "dog"]
    table = read_csv(file("7,1,2\n8,3,2\n"), target="1")
    assert table.targets.tolist() == ["7", "8"]
    assert table.features.tolist() == [[1, 2], [3, 2]]
    table = read_csv(file("7,1,2\n8,3,2\n"), target="2")
    assert table.targets.tolist() == ["1", "3"]


def test_csv_header_of_numbers_is_found_through_the_target(file):
    table = read_csv(file("label,0,1,2\n5,10,20,30\n"), target="label")
    assert table.columns.features == ["0", "1", "2"]
    assert table.features.tolist() == [[10, 20, 30]]


def test_csv_in_many_pieces(file):
    rows = np.arange(3 * 10_000).reshape(-1, 3)
    path = file("\n".join(",".join(map(str, row)) for row in rows))
    table = read_csv(path, header=False)
    np.testing.assert_array_equal(table.features, rows[:, :2])
    np.testing.assert_array_equal(table.lines, np.arange(1, 10_001))
    np.testing.assert_array_equal(table.targets.astype(int), rows[:, 2])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("a,b,c\n", "a header and no rows of data"),
        ("5\n6\n", "at least one feature column and a target column, received one"),
        (IRIS + "1,2\n", "line 5: expected 3 cells as in the first row, received 2"),
        (IRIS + "1,2,3,4\n", "line 5: expected 3 cells as in the first row, received 4"),
        (IRIS + "5.0,abc,setosa\n", "line 5, column 'width': expected a number, received 'abc'"),
        (IRIS + "5.0,,setosa\n", "line 5, column 'width': the value is missing"),
        (IRIS + "NA,1,setosa\n", "line 5, column 'length': the value is missing .'NA'"),
        (IRIS + "nan,1,setosa\n", "line 5, column 'length': the value is missing"),
        (IRIS + "inf,1,setosa\n", "line 5, column 'length': expected a finite number"),
        (IRIS + "1e999,1,setosa\n", "line 5, column 'length': expected a finite number"),
        (IRIS + "1,2,\n", "line 5, column 'species': the value is missing"),
        ("5.1,x,3\n1,2,3\n", "line 1: expected names of columns or only numbers, received 'x'"),
        ("a,a,b\n1,2,3\n", "line 1: two columns are called 'a'"),
        ("1;2,5;3\n", "line 1: expected names of columns or only numbers, received '2,5'"),
        ('a,b\n1,"2\n', "line 2: unexpected end of data"),
        (b"a,b\n1,\xff\xfe\n", "not a text file in UTF-8"),
        (b"PK\x03\x04\x00\x00\n\x01", "received one column|line contains NUL"),
    ],
)
def test_csv_errors_name_line_and_column(file, content, message):
    path = file(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_csv(path)
    assert str(path) in str(caught.value)


def test_csv_wrong_target(file):
    with pytest.raises(ValueError, match="no column 'specie'; did you mean 'species'"):
        read_csv(file(IRIS), target="specie")
    with pytest.raises(ValueError, match="no column 'zzz'; the columns are length, width, species"):
        read_csv(file(IRIS), target="zzz")
    with pytest.raises(ValueError, match="no column '9'"):
        read_csv(file("1,2\n3,4\n"), target="9")
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_csv("nowhere.csv")


def test_csv_read_again_by_name(file):
    columns = read_csv(file(IRIS)).columns
    path = file("species,comment,width,length\nsetosa,fine,3.5,5.1\n")
    table = read_csv(path, columns=columns)
    assert table.features.tolist() == [[5.1, 3.5]]
    assert table.targets.tolist() == ["setosa"]
    without = read_csv(file("width,length\n3.5,5.1\n"), columns=columns, with_target=False)
    assert without.features.tolist() == [[5.1, 3.5]]
    assert without.targets is None
    with pytest.raises(ValueError, match="expected a target column 'species'"):
        read_csv(file("width,length\n3.5,5.1\n"), columns=columns)
    with pytest.raises(ValueError, match="the model was trained on; missing: width"):
        read_csv(file("breadth,length\n3.5,5.1\n"), columns=columns)


def test_csv_read_again_by_position(file):
    columns = read_csv(file("label,a,b\n1,2,3\n"), target="label").columns
    with_target = read_csv(file("1,2,3\n4,5,6\n"), columns=columns)
    assert with_target.features.tolist() == [[2, 3], [5, 6]]
    assert with_target.targets.tolist() == ["1", "4"]
    without = read_csv(file("2,3\n5,6\n"), columns=columns, with_target=False)
    assert without.features.tolist() == [[2, 3], [5, 6]]
    with pytest.raises(ValueError, match="expected 2 columns of features.*received 4"):
        read_csv(file("1,2,3,4\n"), columns=columns)


def test_columns_survive_json():
    columns = Columns(["a", "b"], "c", 2, True)
    assert Columns(**json.loads(json.dumps(columns.get_config()))) == columns


# --- archives -------------------------------------------------------------------------------------


def test_npz_round_trip(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(6).reshape(3, 2), y=np.arange(3))
    assert [*read_npz(tmp_path / "a.npz")] == ["x", "y"]
    assert [*read_npz(tmp_path / "a.npz", ["y"])] == ["y"]


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04", b"\x93NUMPY\x01\x00"])
def test_npz_broken(file, content):
    path = file(content, "broken.npz")
    with pytest.raises(ValueError, match=r"broken\.npz: cannot read it as an \.npz archive"):
        read_npz(path)


def test_npz_errors(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(3), objects=np.array([{}], object))
    with pytest.raises(ValueError, match="expected an array 'y', received x, objects"):
        read_npz(tmp_path / "a.npz", ["x", "y"])
    with pytest.raises(ValueError, match="allow_pickle"):
        read_npz(tmp_path / "a.npz", ["objects"])
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_npz(tmp_path / "none.npz")
    np.save(tmp_path / "single.npy", np.arange(3))
    with pytest.raises(ValueError, match="cannot read it as an .npz archive"):
        read_npz(tmp_path / "single.npy")


# --- standardisation ------------------------------------------------------------------------------


def test_standardizer_against_hand_worked_numbers():
    standardizer = Standardizer.fit(np.array([[1.0, 7.0], [3.0, 7.0], [5.0, 7.0]]))
    np.testing.assert_allclose(standardizer.mean, [3, 7])
    np.testing.assert_allclose(standardizer.scale, [math.sqrt(8 / 3), 1])
    y = standardizer.apply(np.array([[3.0, 8.0]]))
    assert y.dtype == np.float32
    assert y.tolist() == [[0, 1]]


def test_standardizer_of_a_constant_that_is_not_exact():
    x = np.full((1000, 1), 0.1) * np.array([[1.0, 1e8]])
    assert Standardizer.fit(x).scale.tolist() == [1, 1]


@given(
    arrays.arrays(
        np.float64,
        arrays.array_shapes(min_dims=1, max_dims=3, max_side=6),
        elements=st.floats(-1e6, 1e6),
    )
)
def test_standardizer_round_trip(x):
    standardizer = Standardizer.fit(x)
    restored = Standardizer.from_config(json.loads(json.dumps(standardizer.get_config())))
    assert np.isfinite(restored.apply(x)).all()
    bound = 1e-6 * (np.abs(x - x.mean(axis=0)) + restored.scale)
    assert (np.abs(restored.invert((x - restored.mean) / restored.scale) - x) <= bound).all()


# --- labels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("targets", "task", "classes"),
    [
        (np.array(["b", "a", "b"]), "classification", ["a", "b"]),
        (np.array(["10", "9", "-1"] * 2), "classification", [-1, 9, 10]),
        (np.array(["1st", "2nd"]), "classification", ["1st", "2nd"]),
        (np.array([3, 1, 1], np.uint8), "classification", [1, 3]),
        (np.array([True, False]), "classification", [0, 1]),
        (np.array(["1.5", "2"]), "regression", None),
        (np.array([1.0, 2.0]), "regression", None),
    ],
)
def test_task_and_classes(targets, task, classes):
    assert infer_task(targets) == task
    if classes is None:
        return
    assert learn_classes(targets) == classes
    positions = encode(targets, classes, "source")
    assert positions.dtype == np.int32
    assert learn_classes(decode(positions, classes)) == classes
    np.testing.assert_array_equal(
        decode(positions, classes).astype(str),
        targets.astype(int if classes == [0, 1] else str).astype(str),
    )


def test_encode_integers_however_they_are_written():
    assert encode(np.array(["01", "+2", "1"]), [1, 2], "s").tolist() == [0, 1, 0]
    assert encode(np.array([2, 1]), [1, 2], "s").tolist() == [1, 0]


def test_encode_unknown_class():
    with pytest.raises(ValueError, match="file.csv: expected one of the 2 classes.*'wolf'"):
        encode(np.array(["cat", "wolf"]), ["cat", "dog"], "file.csv")
    with pytest.raises(ValueError, match=r"0, 1, 2, 3, 4, 5, 6, 7, \.\.\..*'12'"):
        encode(np.array(["12"]), [*range(10)], "file.csv")
