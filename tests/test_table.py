"""A user's own tables, in memory and in files."""

import sys

import numpy as np
import pytest
from cases import every

from housing_np import Table, TableError, read_table
from housing_np.rows.columns import Columns
from housing_np.rows.table import open_table


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


@every(
    ("content", "message"),
    [
        ("", r"no names"),
        ("a,price\n", r"no rows below the names"),
        ("a,price\n\n\n", r"no rows below the names"),
        ("a,cost\n1,2\n", r"no column 'price'; the columns are: a, cost; name one of these"),
        ("a,price,price\n1,2,3\n", r"column 3 repeats the name 'price'"),
        ("price\n1\n2\n", r"no column beside the target 'price'"),
        ("a,price\n1,2\n3,2\n5,2\n", r"the target 'price' is 2\.0 in all 3 rows"),
        ("a,price\n1,2\n3,many\n", r"row 2 \(line 3\), column 'price': 'many' is not a number"),
        ("a,price\n1,2\nnan,3\n", r"missing cells, in 2 rows: a 1; say missing='mean' to fill .* or missing='skip'"),
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


def test_a_target_that_alone_is_missing_is_called_target(write):
    with pytest.raises(TableError, match=r"homes\.csv: the rows lack the target 'price'; add it as a column$"):
        read_table(write("a,cost\n1,2\n3,4\n"), "price", ["a"])


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


def test_a_stream_of_files_gives_the_rows_of_the_table(parts):
    table = read_table(parts / "part-*.csv", "price")
    stream = open_table(parts / "part-*.csv", "price", in_memory=False)
    for _ in range(3):
        X, y = map(np.concatenate, zip(*stream, strict=True))
        np.testing.assert_array_equal(X, table.X)
        np.testing.assert_array_equal(y, table.y)


@pytest.mark.parametrize("pattern", ["part-**.csv", "*" + "x" * 5000])
def test_what_is_no_pattern_is_an_error(pattern, parts):
    if pattern == "part-**.csv" and sys.version_info >= (3, 13):
        pytest.skip("a pattern since Python 3.13")
    # Newer Pythons find nothing where older ones refuse the name.
    with pytest.raises(TableError, match="not a pattern of files|no file matches"):
        read_table(parts / pattern, "price")


def test_columns_that_are_ignored_are_no_features(write):
    table = read_table(write("a,b,price,town\n1,2,5,x\n3,4,6,y\n"), "price", ignore=["town", "b"])
    assert (table.feature_names, table.X.tolist()) == (("a",), [[1.0], [3.0]])


@every(
    ("options", "message"),
    [
        ({"ignore": ["city"]}, r"no column 'city'; the columns are: a, price, town; name some of these$"),
        ({"ignore": ["Town"]}, r"no column 'Town'; .*did you mean 'town'"),
        ({"features": ["a", "town"], "ignore": ["town"]}, r"'town' is to be ignored: it cannot be a feature too"),
        ({"features": ["a", "price"]}, r"'price' is the target: it cannot be a feature too"),
        ({"features": ["a", "a"]}, r"a feature is named twice in a,a"),
        ({"features": ["b", "c"]}, r"no column 'b', 'c'; the columns are"),
        ({"features": ["town", "towns"]}, r"no column 'towns'; the columns are: a, price, town; rename the column$"),
        ({"ignore": ["a", "town"]}, r"no column beside the target 'price'"),
    ],
)
def test_columns_that_cannot_be_chosen_are_refused(options, message, write):
    with pytest.raises(TableError, match=message):
        read_table(write("a,price,town\n1,5,x\n3,6,y\n"), "price", **options)


def test_a_column_is_named_in_the_advice_as_python_needs_it(write):
    rows = "".join(f"{i},{i}\nabout {i},{i}\n" for i in range(10))
    with pytest.raises(TableError, match=r"or ignore=\['day, or date'\] leaves it out"):
        read_table(write(f'"day, or date",price\n{rows}'), "price")


def test_dates_alone_leave_nothing_to_predict_from(write):
    with pytest.raises(TableError, match=r"no column is left to predict from: 'day' \(dates or times, such as .*\)$"):
        read_table(write("day,price\n2001-01-01,1\n2001-01-02,2\n"), "price")


def test_a_target_of_text_is_not_to_be_left_out(write):
    with pytest.raises(
        TableError, match=r"column 'price' holds text \('x'\), not numbers; the target has to be a column of numbers"
    ):
        read_table(write("a,price\n1,x\n2,y\n"), "price")


def test_bad_rows_are_left_out_and_counted_once_however_often_the_rows_are_read(write):
    stream = open_table(write("a,price\n1,5\n,6\n3,7\nx,8\n"), "price", on_error="skip")
    for _ in range(2):
        assert [y.tolist() for _, y in stream] == [[5.0, 7.0]]
    assert stream.all_skipped.count == 2
    assert "row 2 (line 3), column 'a': the cell is empty" in str(stream.all_skipped)


def test_bad_rows_of_files_that_stay_there_are_counted_once(write):
    write("a,price\n1,5\n,6\n3,7\n", "part-0.csv")
    path = write("a,price\nx,1\n4,8\n", "part-1.csv")
    stream = open_table(path.with_name("part-*.csv"), "price", on_error="skip", in_memory=False)
    for _ in range(2):
        assert [value for _, y in stream for value in y.tolist()] == [5.0, 7.0, 8.0]
    assert stream.all_skipped.count == 2


def test_a_table_of_bad_rows_alone_is_refused_with_the_first(write):
    with pytest.raises(
        TableError, match=r"no row is left, 2 were skipped: .*column 'price' holds text .*a column of numbers$"
    ):
        read_table(write("a,price\n1,x\n2,y\n"), "price", on_error="skip")


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "Unnamed: 0.1"])
def test_the_index_that_pandas_wrote_is_no_feature(name, write):
    stream = open_table(write(f"{name},a,price\n0,1,5\n1,3,6\n"), "price")
    assert stream.feature_names == ("a",)
    assert len(stream.notes) == 1
    assert "index=False" in stream.notes[0]


def test_an_index_that_is_asked_for_is_a_feature(write):
    table = read_table(write("Unnamed: 0,a,price\n0,1,5\n1,3,6\n"), "price", features=["Unnamed: 0", "a"])
    assert table.X.tolist() == [[0.0, 1.0], [1.0, 3.0]]


def test_a_dialect_is_that_of_all_passes_and_files(write):
    write("1,5;5,5\n2,5;6,5\n", "part-0.csv")
    path = write("3,5;7,5\n", "part-1.csv")
    stream = open_table(path.with_name("part-*.csv"), "x1", decimal=",", header=False, in_memory=False)
    for _ in range(2):
        assert [value for X, _ in stream for value in X[:, 0].tolist()] == [1.5, 2.5, 3.5]


def test_read_table_takes_the_dialect(write):
    table = read_table(write("a:price\n1,5:5\n2,5:6\n"), "price", separator=":", decimal=",")
    assert table.X.tolist() == [[1.5], [2.5]]


@pytest.mark.parametrize("features", [None, ("x0",)])
def test_a_wide_table_takes_no_longer_for_each_name_that_is_ignored(features, write):
    # By the minute, if each name were looked for among all the others.
    names = [f"x{i}" for i in range(30_000)]
    path = write(",".join(names) + "\n" + "".join(",".join([str(i)] * len(names)) + "\n" for i in range(2)))
    assert read_table(path, names[-1], features, ignore=names[1:-1]).feature_names == ("x0",)


@pytest.mark.parametrize(
    ("columns", "wanted", "expected"),
    [
        (Columns(("a", "b", "c")), ["c", "a"], [2, 0]),
        (Columns(("a", "b")), ["a", "d"], None),
        (Columns(("x0", "x1"), named=False), ["x1"], [1]),
        (Columns(("x0", "x1"), named=False), ["a", "b"], [0, 1]),
        (Columns(("x0", "x1"), named=False), ["a"], None),
    ],
)
def test_columns_are_found_by_name_and_those_without_names_by_position_too(columns, wanted, expected):
    assert columns.positions(wanted) == expected


@pytest.mark.parametrize(
    ("name", "content"), [("homes.csv", "a,price\n1,5\n2,6\n"), ("homes.json", "[[1, 5], [2, 6]]")]
)
def test_a_stream_knows_whether_its_names_are_the_users(name, content, write):
    stream = open_table(write(content, name), "price" if name == "homes.csv" else "x1")
    assert stream.columns == (Columns(("a",)) if name == "homes.csv" else Columns(("x0",), named=False))


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_missing_level_makes_a_bad_row_of_an_array_too(in_memory, tmp_path):
    rows = [("a", 1.0), ("", 9.0), ("b", 2.0), ("a", 3.0), ("b", 5.0)]
    np.save(tmp_path / "t.npy", np.array(rows, [("k", "U1"), ("y", float)]))
    stream = open_table(tmp_path / "t.npy", "y", on_error="skip", in_memory=in_memory)
    assert [y for _, block in stream for y in block] == [1, 2, 3, 5]
    assert (stream.columns.levels, stream.all_skipped.count) == ({"k": ("a", "b")}, 1)


def test_too_many_levels_below_the_first_rows_of_an_array_leave_its_column_out(tmp_path):
    rows = [(f"L{i % (2 if i < 2000 else 40)}", i % 7, i % 11) for i in range(4000)]
    np.save(tmp_path / "t.npy", np.array(rows, [("k", "U3"), ("x", float), ("y", float)]))
    stream = open_table(tmp_path / "t.npy", "y")
    assert (stream.columns.names, stream.left_out) == (("x",), ("k",))


@pytest.mark.parametrize(
    ("place", "row", "options"),
    [
        (5, "x,3,", {"missing": "skip"}),
        (1100, "x,3,", {"missing": "mean"}),
        (1100, "x,,7", {"missing": "skip"}),
        (1100, "x,3?,7", {"on_error": "skip"}),
    ],
)
def test_a_level_of_a_row_that_is_left_out_does_not_count(place, row, options, tmp_path):
    """A category has at most 30 levels."""
    rows = [f"t{i % 30},{i % 7},{40 * (i % 7) + i % 30}" for i in range(1200)]
    path = tmp_path / "t.csv"
    for more, levels in ((row, 30), ("x,3,7", None)):
        path.write_text("\n".join(["town,rooms,price", *rows[:place], more, *rows[place:], ""]))
        found = read_table(path, "price", **options).columns.levels.get("town")
        assert (found and len(found)) == levels
