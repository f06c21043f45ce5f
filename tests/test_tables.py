"""What a table is: where its names are, what its targets are for, and what is left undecided."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlnative.data import (
    Standardizer,
    UnclearTargets,
    encode,
    infer_task,
    learn_classes,
    read_csv,
)

ROWS = "5.1,3.5,1.4,setosa\n6.2,2.9,4.3,virginica\n5.9,3.0,5.1,virginica\n5.0,3.4,1.5,setosa\n"


@pytest.fixture
def file(tmp_path):
    """Returns a function that writes a file and returns its path."""

    def write(content: str) -> Path:
        path = tmp_path / "data.csv"
        path.write_bytes(content.encode())
        return path

    return write


# --- headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("length,width,depth,species\n" + ROWS, 1),
        ("\n\nlength,width,depth,species\n" + ROWS, 3),
        ("length,width,depth,0\n" + ROWS, 1),
        ("0,1,2,price\n5.1,3.5,1.4,10.5\n6.2,2.9,4.3,11\n", 1),  # a name above numbers only
        (ROWS, None),
        ("5,3,1,setosa\n" + ROWS, None),  # the class comes again
        ("0,0,1\n0,1,0\n1,0,0\n", None),  # two columns are not called 0
        ("7,1,2\n8,3,2\n9,1,1\n", None),
        ("2.5,1,3\n8,3,2\n", None),
        ("-1,7,3\n8.5,3,2\n7.5,1,2\n", None),
        ("9,7,3\n8,3.5,2\n", None),  # one row below shows nothing
    ],
)
def test_headers_that_are_certain(file, content, line):
    table = read_csv(file(content))
    assert table.header == line
    assert table.columns.header == (line is not None)
    data = [text for text in content.splitlines() if text][0 if line is None else 1 :]
    assert len(table.features) == len(data)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("0,1,2,species\n" + ROWS, "numbers, and 'species', which is no target in the rows below"),
        ("0,1,2,species\n" + ROWS + "0,1,2,species\n", "numbers, and 'species'"),
        ("0,1,2\n5.1,3.5,1\n6.2,2.9,0\n", "it counts"),
        ("0,1\n1,3\n2,5\n", "it counts"),
        ("1,2,3,0\n5,7,9,0\n6,7,9,1\n", "it counts"),
        ("1,2,3,class\n5,7,9,0\n", None),
        ("2019,2020,2021,7\n5,7,9,0\n6,7,9,1\n", "it counts"),
        ("2019,2010,7\n5.5,7.2,9\n6.5,7.9,1\n", "its numbers are of another kind"),
        ("400.5,402,404.5,406,408,y\n5.1,3,4,1.5,1,a\n3,2,1,4,7,b\n", "numbers, and 'y'"),
        ("400.5,402.5,404.5,406.5,500\n5.1,3,4,1.5,7\n3,2,1,4,8\n", "its numbers are of another"),
        ("a,1,2,species\n" + ROWS, "expected names of columns or only numbers, received 'a'"),
    ],
)
def test_headers_that_are_not_certain(file, content, reason):
    path = file(content)
    if reason is None:  # a name above numbers is a header
        assert read_csv(path).header == 1
    else:
        with pytest.raises(ValueError, match=f"data.csv: line 1: {reason}.*--header yes or") as e:
            read_csv(path)
        assert "header=True or header=False" in str(e.value)
    named = read_csv(path, header=True) if "\n0,1,2,species" not in content else None
    rows = len(content.splitlines())
    assert named is None or (named.header == 1 and len(named.features) == rows - 1)
    if "a,1" not in content:
        assert len(read_csv(path, header=False).features) == rows


def test_said_headers_are_taken(file):
    table = read_csv(file("0,1,2,species\n" + ROWS), header=True)
    assert table.columns.features == ["0", "1", "2"] and table.columns.target == "species"
    assert read_csv(file(ROWS), header=True).columns.target == "setosa"
    with pytest.raises(ValueError, match="line 1, column 'column 1': expected a number.*'length'"):
        read_csv(file("length,species\n1,a\n"), header=False)
    with pytest.raises(ValueError, match="line 3: the header of line 1 once more"):
        read_csv(file("a,b\n1,2\na,b\n"))
    with pytest.raises(ValueError, match="line 3: the header of line 1 once more"):
        read_csv(file("0,1,y\n3,4,5\n0,1,y\n"), header=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (",length,species\n0,5.1,a\n1,6.2,b\n", r"line 1: column 1 has no name.*index=False"),
        ("length,,species\n0,5.1,a\n1,6.2,b\n", r"line 1: column 2 has no name"),
        ("length,species,\n5.1,a,\n6.2,b,\n", r"line 1: column 3 has no name"),
        ("Unnamed: 0,length,species\n0,5.1,a\n", r"column 1 has no name \('Unnamed: 0'\)"),
        (",0,1,species\n0,5.1,3.5,a\n", "received '' among numbers"),
    ],
)
def test_columns_without_a_name_are_no_features(file, content, message):
    with pytest.raises(ValueError, match=message):
        read_csv(file(content))


def test_further_columns_of_a_later_file_need_no_name(file):
    columns = read_csv(file("a,b,y\n1,2,x\n3,4,z\n")).columns
    table = read_csv(file(",b,c,c,a\n0,2,9,9,1\n1,4,9,9,3\n"), columns=columns, with_target=False)
    assert table.features.tolist() == [[1, 2], [3, 4]]
    with pytest.raises(ValueError, match="line 1: two columns are called 'a'"):
        read_csv(file("a,a,b\n1,1,2\n"), columns=columns, with_target=False)


def test_later_files_are_read_as_the_first(file):
    named = read_csv(file("a,b,y\n1,2,x\n3,4,z\n")).columns
    assert read_csv(file("7,8\n"), columns=named, with_target=False).features.tolist() == [[7, 8]]
    with pytest.raises(ValueError, match="line 1: it counts.*--header yes or"):
        read_csv(file("0,1\n7.5,8\n"), columns=named, with_target=False)

    numbered = read_csv(file("0,1,species\n" + "1.5,2.5,x\n"), header=True).columns
    for text in ("0,1\n7,8\n", "1,0,species\n8,7,x\n"):
        if text.startswith("1"):
            with pytest.raises(ValueError, match="or numbers like them; --header yes"):
                read_csv(file(text), columns=numbered, with_target=False)
        found = read_csv(file(text), columns=numbered, with_target=False, header=True)
        assert found.features.tolist() == [[7, 8]]
    with pytest.raises(ValueError, match="as the names were that the model was trained on; --head"):
        read_csv(file("7,8\n"), columns=numbered, with_target=False)
    found = read_csv(file("7,8\n"), columns=numbered, with_target=False, header=False)
    assert found.features.tolist() == [[7, 8]]

    unnamed = read_csv(file(ROWS)).columns
    same = read_csv(file("0,1,2,setosa\n"), columns=unnamed)
    assert same.features.tolist() == [[0, 1, 2]] and same.targets.tolist() == ["setosa"]
    assert read_csv(file("a,b,c,d\n1,2,3,x\n"), columns=unnamed).features.tolist() == [[1, 2, 3]]
    with pytest.raises(ValueError, match="line 1: expected names of columns or only numbers"):
        read_csv(file("1,O,3,x\n1,2,3,x\n"), columns=unnamed)


def test_the_target_is_not_taken_from_a_feature(file):
    """A label in the first column, and a file without labels whose first column is a feature."""
    columns = read_csv(file("x,1,2\nz,3,4\nx,5,6\nz,1,1\n"), target="1").columns
    with pytest.raises(ValueError, match="expected a target column 'column 1'"):
        read_csv(file("7,8\n"), columns=columns)


# --- separators and numbers -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        '"a, in, all";b;y\n1;2;x\n',
        '"a; in";b;y\n1;2;x\n',
        '"a; in; all","b","y"\n1,2,x\n',
        "a, b and c\tb\ty\n1\t2\tx\n",
    ],
)
def test_separators_within_names_do_not_count(file, content):
    table = read_csv(file(content))
    assert table.features.tolist() == [[1, 2]] and table.targets.tolist() == ["x"]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("1_000", "expected a number, received '1_000' .numbers have a decimal point"),
        ("'1,5'", "expected a number, received '1,5' .numbers have a decimal point, no separators"),
        (
            "'1,234.5'",
            "expected a number, received '1,234.5' .numbers have a decimal point, no separators",
        ),
        ("$5", "expected a number, received '.5' .numbers have .* no unit"),
        ("\u0663", "expected a number, received '\u0663'"),
        ("\uff11\uff12", "expected a number"),
        ("0x1F", "expected a number, received '0x1F'"),
        ("1e400", "expected a finite number, received '1e400'"),
        ("-Infinity", "expected a finite number, received '-Infinity'"),
        ("9" * 400, "expected a finite number"),
        ("2020-01-02", "expected a number, received '2020-01-02'"),
    ],
)
def test_what_only_python_takes_for_a_number(file, cell, message):
    cell = cell.replace("'", '"')
    with pytest.raises(ValueError, match=f"line 2, column 'a': {message}"):
        read_csv(file(f"a,b,y\n{cell},2,x\n3,4,z\n"))
    table = read_csv(file(f"a,y\n1,{cell}\n2,3.5\n"))
    with pytest.raises(ValueError, match=f"line 2, column 'y': regression needs .*: {message}"):
        table.numeric_targets()


def test_numbers_of_every_notation(file):
    table = read_csv(file('a,b,y\n"+1.5",-.5,1e2\n 1E-3 ,5.,007\n'))
    assert table.features.tolist() == [[1.5, -0.5], [0.001, 5]]
    assert table.numeric_targets().tolist() == [100, 7]


def test_numbers_that_have_no_deviation():
    with pytest.raises(ValueError, match="as large as 1e\\+300 have no deviation"):
        Standardizer.fit(np.array([[1.0, 1e300], [2.0, -1e299]]))
    standardizer = Standardizer.fit(np.array([[1.0, 5.0], [2.0, 7.0]]))
    with pytest.raises(ValueError, match="sample 1 has 1e\\+60 where .* mean 6: too far"):
        standardizer.apply(np.array([[1.0, 2.0], [1.0, 1e60]]))


def test_a_table_may_be_wide(file):
    """Every column is looked up once; looking for each among all would take minutes."""
    count = 200_000
    names = [f"c{i}" for i in range(count)]
    text = f"{','.join(names)},y\n{'1,' * count}a\n{'2,' * count}b\n"
    table = read_csv(file(text))
    assert table.features.shape == (2, count)
    names.reverse()
    text = f"{','.join(names)}\n{','.join(map(str, range(count)))}\n"
    again = read_csv(file(text), columns=table.columns, with_target=False)
    np.testing.assert_array_equal(again.features[0], np.arange(count)[::-1])


# --- targets --------------------------------------------------------------------------------------


def cells(*values) -> np.ndarray:
    return np.array([str(value) for value in values])


@pytest.mark.parametrize(
    ("targets", "task"),
    [
        (cells(*range(20), *range(20)), "classification"),
        (np.array([*range(20)] * 2), "classification"),
        (cells("3", "1"), "classification"),
        (cells(*"abc", *"abc"), "classification"),
        (cells(*(f"breed-{letter}" for letter in "abcdefghijklmnopqrstuvwxyz" * 2)), "class"),
        (cells("1.5", "2", "3"), "regression"),
        (np.array([0.5, 1.0, 0.5, 1.0]), "regression"),
        (np.array([1.0, 2.0]), "regression"),
        (np.arange(100.0), "regression"),
        (np.array([True, False, True]), "classification"),
    ],
)
def test_targets_that_are_certain(targets, task):
    assert infer_task(targets).startswith(task)


@pytest.mark.parametrize(
    ("targets", "message", "row"),
    [
        (cells(*range(214), *range(214)), "214 different whole numbers in 428 targets", None),
        (np.arange(214).repeat(3), "214 different whole numbers in 642 targets", None),
        (cells(1, 3, 5), "3 different whole numbers in 3 targets", None),
        (cells("1,5", "2,5", "1,5", "2,5"), "'1,5' is not a number .numbers have a decimal", 0),
        (cells("x", "1.234,5", "x"), "'1.234,5' is not a number", 1),
        (cells("12%", "x", "12%"), "'12%' is not a number", 0),
        (cells("1_000", "2_000", "1_000"), "'1_000' is not a number", 0),
        (cells("1.5", "2", "x", "7"), "'x' among numbers", 2),
        (cells("x", "y", "1", "x"), "'1' among names", 2),
        (cells(*(f"2020-01-{d}" for d in range(1, 31)), *["2020-01-5"] * 60), "30 diff", None),
        (cells(*(f"{i} kg" for i in range(40))), "40 different ones in 40 targets", None),
        (cells(*(f"id{i}" for i in range(9))), "9 different ones in 9 targets .id0, id1", None),
        (cells(*"abcdefg"), "7 different ones in 7 targets", None),
        (cells("0.0", "1.0", "0.0", "1.0"), "written as decimals, could be classes or values", 0),
        (np.array([0.0, 1, 2, 0, 1, 2]), "3 different whole numbers in 6 targets, written", 0),
    ],
)  # fmt: skip
def test_targets_that_are_not_certain(targets, message, row):
    with pytest.raises(UnclearTargets, match=message) as caught:
        infer_task(targets)
    assert caught.value.row == row


def test_whole_numbers_are_the_same_class_however_they_are_written():
    assert learn_classes(np.array([2.0, 0.0, 2.0])) == [0, 2]
    assert learn_classes(cells("1.0", "01", "2e0")) == [1, 2]
    assert encode(np.array([2.0, 0.0]), [0, 2], "s").tolist() == [1, 0]
    assert encode(cells("2.0", "0", "+0"), [0, 2], "s").tolist() == [1, 0, 0]
    assert learn_classes(cells("1.0", "1.5")) == ["1.0", "1.5"]
    assert learn_classes(cells("9" * 30, "8" * 5000)) == ["8" * 5000, "9" * 30]
    with pytest.raises(ValueError, match="expected whole numbers or names as classes, .* 0.5"):
        learn_classes(np.array([0.0, 0.5]))
    with pytest.raises(ValueError, match="expected one of the 2 classes.*'1.5'"):
        encode(cells("1.5"), [1, 2], "s")
