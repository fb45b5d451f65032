"""The bundled table and a user's own."""

import hashlib
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import housing_np
from housing_np import Table, TableError, load_california, read_table
from housing_np.table import CALIFORNIA_FEATURES, Stream, holdout_split, open_stream, open_table

PACKAGE = Path(housing_np.__file__).parent
CSV = next(path for path in (PACKAGE / "data", PACKAGE.parent / "data") if path.is_dir()) / "cal_housing.csv"


@pytest.fixture(scope="module")
def california():
    return load_california()


def test_the_bundled_file_is_that_of_statlib():
    digest = hashlib.sha256(CSV.read_bytes()).hexdigest()
    assert digest == "7bbf62a63120b1968850c6a618fb82def6cd948a7c3dda73900d57eed63d1ef9"


def test_california_has_20640_rows_of_8_features(california):
    assert (california.X.shape, california.y.shape) == ((20_640, 8), (20_640,))
    assert (california.X.dtype, california.y.dtype) == (np.float64, np.float64)


def test_california_has_the_names_of_scikit_learn(california):
    names = "MedInc HouseAge AveRooms AveBedrms Population AveOccup Latitude Longitude"
    assert california.feature_names == tuple(names.split())
    assert california.target_name == "MedHouseVal"


@pytest.mark.parametrize(
    ("row", "features", "target"),
    [
        # As scikit-learn's fetch_california_housing prints them.
        (0, [8.3252, 41.0, 6.98412698, 1.02380952, 322.0, 2.55555556, 37.88, -122.23], 4.526),
        (1, [8.3014, 21.0, 6.23813708, 0.97188049, 2401.0, 2.10984183, 37.86, -122.22], 3.585),
        (-1, [2.3886, 16.0, 5.25471698, 1.16226415, 1387.0, 2.61698113, 39.37, -121.24], 0.894),
    ],
)
def test_known_rows_of_california(row, features, target, california):
    np.testing.assert_allclose(california.X[row], features, rtol=0, atol=5e-9)
    assert california.y[row] == target


def test_every_number_of_california_is_rounded_once(california):
    lines = CSV.read_text().splitlines()[1:]
    for i in range(0, len(lines), 97):
        longitude, latitude, age, rooms, bedrooms, population, households, income, value = map(
            Fraction, lines[i].split(",")
        )
        exact = [
            income,
            age,
            rooms / households,
            bedrooms / households,
            population,
            population / households,
            latitude,
            longitude,
        ]
        assert california.X[i].tolist() == [float(number) for number in exact]
        assert california.y[i] == float(value / 100_000)


def test_california_equals_scikit_learns(california):
    datasets = pytest.importorskip("sklearn.datasets")
    try:
        theirs = datasets.fetch_california_housing(download_if_missing=False)
    except OSError:
        pytest.skip("scikit-learn has not downloaded it")
    np.testing.assert_array_equal(california.X, theirs.data, strict=True)
    np.testing.assert_array_equal(california.y, theirs.target, strict=True)


def test_california_does_not_depend_on_the_working_folder(california, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(load_california().X, california.X, strict=True)


@pytest.mark.parametrize("rows", [1, 5])
def test_the_first_rows_of_california_are_those_of_all(rows, california):
    first = load_california(rows)
    np.testing.assert_array_equal(first.X, california.X[:rows], strict=True)
    np.testing.assert_array_equal(first.y, california.y[:rows], strict=True)


def test_california_needs_no_network():
    code = (
        "import socket\n"
        "def refuse(*_): raise AssertionError('network')\n"
        "socket.socket.connect = socket.create_connection = refuse\n"
        "import housing_np; print(len(housing_np.load_california().y))"
    )
    environment = {"PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "20640\n"


# A user's own


@pytest.fixture
def write(tmp_path):
    def write(content, name="homes.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_features_are_all_other_columns_in_the_order_of_the_file(write):
    table = read_table(write("b,price,a\n1,5,2\n3,6,4\n"), target="price")
    assert isinstance(table, Table)
    assert (table.feature_names, table.target_name) == (("b", "a"), "price")
    np.testing.assert_array_equal(table.X, np.array([[1.0, 2.0], [3.0, 4.0]]), strict=True)
    np.testing.assert_array_equal(table.y, np.array([5.0, 6.0]), strict=True)


def test_features_that_are_named_come_in_the_order_of_the_names(write):
    table = read_table(write("b,price,note,a\n1,5,x,2\n3,6,y,4\n"), "price", features=["a", "b"])
    assert table.feature_names == ("a", "b")
    assert table.X.tolist() == [[2.0, 1.0], [4.0, 3.0]]


def test_a_single_row_is_a_table(write):
    table = read_table(write("a,price\n1,5"), "price")
    assert (table.X.tolist(), table.y.tolist()) == ([[1.0]], [5.0])


def test_npy_columns_are_x0_x1_and_so_on(tmp_path):
    np.save(tmp_path / "homes.npy", np.array([[1, 2, 5], [3, 4, 6]]))
    table = read_table(tmp_path / "homes.npy", "x2")
    assert (table.feature_names, table.y.tolist()) == (("x0", "x1"), [5.0, 6.0])


def test_a_target_that_unnamed_columns_do_not_have_is_refused_with_their_names(tmp_path):
    np.save(tmp_path / "homes.npy", np.ones((2, 3)))
    with pytest.raises(TableError, match=r"no column 'price'; the columns are: x0, x1, x2; name one of these$"):
        read_table(tmp_path / "homes.npy", "price")


def test_a_format_may_be_given(write):
    table = read_table(write('{"a": 1, "price": 5}\n{"a": 2, "price": 6}\n', "homes.txt"), "price", format="jsonl")
    assert table.y.tolist() == [5.0, 6.0]


def test_a_path_with_spaces_and_other_scripts(write):
    assert read_table(write("a,price\n1,5\n2,6\n", "my höuses 家.csv"), "price").y.tolist() == [5.0, 6.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"no names"),
        ("a,price\n", r"no rows below the names"),
        ("a,price\n\n\n", r"no rows below the names"),
        ("a,cost\n1,2\n", r"no column 'price'; the columns are: a, cost; name one of these"),
        (
            "a;price\n1;2\n",
            r"no column 'price'; the columns are: a;price \(expected commas between them, found semicol",
        ),
        ("a,price,price\n1,2,3\n", r"column 3 repeats the name 'price'"),
        ("price\n1\n2\n", r"no column beside the target 'price'"),
        ("a,price\n1,2\n3,2\n5,2\n", r"the target 'price' is 2\.0 in all 3 rows"),
        ("a,price\n1,2\n3,many\n", r"row 2 \(line 3\), column 'price': 'many' is not a number"),
        ("a,price\n1,2\nnan,3\n", r"row 2 \(line 3\), column 'a': nan is not a finite number"),
        ("a,price\n1,2\n3\n", r"row 2 \(line 3\): 1 column, expected 2"),
    ],
)
def test_a_bad_table_is_refused_in_one_line_by_its_file(content, message, write):
    with pytest.raises(TableError, match=rf"homes\.csv: {message}") as caught:
        read_table(write(content), "price")
    assert len(str(caught.value).splitlines()) == 1


def test_the_target_cannot_be_a_feature(write):
    with pytest.raises(TableError, match=r"homes\.csv: 'price' is the target: it cannot be a feature too"):
        read_table(write("a,price\n1,2\n3,4\n"), "price", ["a", "price"])


def test_a_feature_that_is_missing_is_named(write):
    with pytest.raises(TableError, match=r"homes\.csv: no column 'b'; the columns are: a, price"):
        read_table(write("a,price\n1,2\n3,4\n"), "price", ["a", "b"])


@pytest.mark.parametrize("name", ["nowhere.csv", "nowhere.npy", "nowhere.json"])
def test_no_such_file(name, tmp_path):
    with pytest.raises(TableError, match=rf"{name}: cannot be read \(No such file"):
        read_table(tmp_path / name, "price")


def test_a_folder_is_no_table(tmp_path):
    with pytest.raises(TableError, match=r"cannot be read"):
        read_table(tmp_path, "price")


# Held-out rows


@pytest.mark.parametrize(
    ("n", "train", "test"),
    [
        # sklearn.model_selection.train_test_split(range(n), test_size=0.2, random_state=42)
        (5, [4, 2, 0, 3], [1]),
        (10, [5, 0, 7, 2, 9, 4, 3, 6], [8, 1]),
    ],
)
def test_the_split_is_that_of_scikit_learn(n, train, test):
    got = holdout_split(n)
    assert (got[0].tolist(), got[1].tolist()) == (train, test)


@pytest.mark.parametrize("n", [2, 3, 7, 20_640])
def test_the_split_agrees_with_scikit_learn_itself(n):
    selection = pytest.importorskip("sklearn.model_selection")
    train, test = holdout_split(n)
    theirs = selection.train_test_split(np.arange(n), test_size=0.2, random_state=42)
    np.testing.assert_array_equal(train, theirs[0])
    np.testing.assert_array_equal(test, theirs[1])


@pytest.mark.parametrize(("n", "tested"), [(2, 1), (5, 1), (6, 2), (11, 3), (20_640, 4128)])
def test_the_split_takes_every_row_once(n, tested):
    train, test = holdout_split(n)
    assert len(test) == tested
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(n))


def test_california_features_are_those_of_the_table(california):
    assert california.feature_names == CALIFORNIA_FEATURES


@pytest.fixture
def parts(tmp_path):
    for i, text in enumerate(("a,b,price\n1,2,3\n", "price,a,b\n6,4,5\n", "b,price,a\n8,9,7\n")):
        (tmp_path / f"part-{i}.csv").write_text(text)
    return tmp_path


def test_files_that_match_a_pattern_are_one_table(parts):
    table = read_table(parts / "part-*.csv", "price")
    assert table.feature_names == ("a", "b")
    np.testing.assert_array_equal(table.X, [[1, 2], [4, 5], [7, 8]])
    np.testing.assert_array_equal(table.y, [3, 6, 9])


def test_a_relative_pattern_is_read_from_the_working_folder(parts, monkeypatch):
    monkeypatch.chdir(parts)
    assert len(read_table("part-[01].csv", "price").y) == 2


def test_a_file_whose_name_is_a_pattern_is_that_file(parts):
    (parts / "part-[01].csv").write_text("a,price\n1,2\n3,4\n")
    assert read_table(parts / "part-[01].csv", "price").feature_names == ("a",)


def test_a_pattern_that_nothing_matches_is_an_error(parts):
    with pytest.raises(TableError, match=r"none-\*.csv: no file matches"):
        read_table(parts / "none-*.csv", "price")


@pytest.mark.parametrize(("names", "message"), [("a,price", "no column 'b'"), ("a,b,c,price", "column 'c' is not in")])
def test_files_of_other_columns_are_an_error(parts, names, message):
    (parts / "part-1.csv").write_text(f"{names}\n{','.join('1' * len(names.split(',')))}\n")
    with pytest.raises(TableError, match=f"part-1.csv: {message}"):
        read_table(parts / "part-*.csv", "price")


def test_columns_that_are_not_asked_for_may_differ_where_the_first_file_has_them(parts):
    (parts / "part-1.csv").write_text("price,a,b\n6,4,5\n")
    assert read_table(parts / "part-*.csv", "price", ["b"]).X.tolist() == [[2], [5], [8]]


def test_a_stream_of_files_gives_the_rows_of_the_table(parts, monkeypatch):
    table = read_table(parts / "part-*.csv", "price")
    monkeypatch.setattr("housing_np.table._MEMORY_NUMBERS", 4)
    stream = open_table(parts / "part-*.csv", "price")
    assert isinstance(stream, Stream)
    for _ in range(2):
        X, y = map(np.concatenate, zip(*stream, strict=True))
        np.testing.assert_array_equal(X, table.X)
        np.testing.assert_array_equal(y, table.y)


def test_a_reduction_adds_up_the_files(parts):
    stream = open_stream(parts / "part-*.csv", "price")
    seen = []
    assert stream.reduce(lambda blocks: sum(y.sum() for _, y in blocks), lambda part: seen.append(part) or part) == 18
    assert [Path(part.paths[0]).name for part in seen] == ["part-0.csv", "part-1.csv", "part-2.csv"]


def test_a_reduction_leaves_out_files_without_rows(parts):
    (parts / "part-1.csv").write_text("a,b,price\n")
    stream = open_stream(parts / "part-*.csv", "price")
    assert stream.reduce(lambda blocks: max(y.max() for _, y in blocks)) == 12
    (parts / "none.csv").write_text("a,b,price\n")
    with pytest.raises(TableError, match="none.csv: no rows below the names of the columns"):
        open_stream(parts / "none.csv", "price").reduce(list)


@pytest.mark.parametrize("pattern", ["part-**.csv", "*" + "x" * 5000])
def test_what_is_no_pattern_is_an_error(pattern, parts):
    if pattern == "part-**.csv" and sys.version_info >= (3, 13):
        pytest.skip("a pattern since Python 3.13")
    # Newer Pythons find nothing where older ones refuse the name.
    with pytest.raises(TableError, match="not a pattern of files|no file matches"):
        read_table(parts / pattern, "price")
