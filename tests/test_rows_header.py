"""The first line of CSV as R, NumPy, pandas and fixed-width files have it, and the same line among the rows."""

import sys
from io import BytesIO
from unittest import mock

import numpy as np
import pytest
from cases import every
from reading import Pieces, outcome, read, refusal
from running import assert_refused, run

from housing_np import LinearRegression, TableError, read_table, save
from housing_np.rows import open_rows

NAMES = ["rooms", "age"]
RIGHT = [[3.0, 10.0], [4.0, 5.0]]


pytestmark = [pytest.mark.matrix("engine"), pytest.mark.usefixtures("engine")]


@pytest.fixture
def homes(tmp_path):
    """A folder with a model of rooms and age, 100 + 40 rooms - age."""
    save(LinearRegression.from_coefficients([40, -1], 100, NAMES, ["price"]), tmp_path / "m.npz")
    return tmp_path


# Separators and names that are read

READ = {
    "np.savetxt": "# rooms age\n3.000e+00 1.000e+01\n4.000e+00 5.000e+00\n",
    "np.savetxt, no blank": "#rooms age\n3 10\n4 5\n",
    "np.savetxt, commas": "# rooms,age\n3,10\n4,5\n",
    "np.savetxt, tabs": "# rooms\tage\n3\t10\n4\t5\n",
    "savetxt, quoted": '"# rooms",age\n3,10\n4,5\n',
    "blanks": "rooms age\n3 10\n4 5\n",
    "fixed width": "   rooms   age\n       3    10\n       4     5\n",
    "fixed width, CRLF, no final newline": "rooms   age\r\n    3    10\r\n    4     5",
    "fixed width, blank lines": "\nrooms   age\n\n    3    10\n  \n    4     5\n\n",
    "one row": "rooms age\n3 10\n4 5\n",
    "R": '"rooms" "age"\n"1" 3 10\n"2" 4 5\n',
    "R, a part of the rows": '"rooms" "age"\n"17" 3 10\n"3" 4 5\n',
    "R, rows called by words": '"rooms" "sea" "age"\n"Mazda RX4" 3 "NEAR BAY" 10\n"b  c" 4 "INLAND" 5\n',
    "R, commas": '"rooms","age"\n"1",3,10\n"2",4,5\n',
    "tabs, all quoted": '"rooms"\t"age"\n"3"\t"10"\n"4"\t"5"\n',
    "R, semicolons": '"rooms";"age"\n"17";3;10\n"3";4;5\n',
    "R, without quotes": "rooms age\n1 3 10\n2 4 5\n",
    "R, tabs, without quotes": "rooms\tage\n1\t3\t10\n2\t4\t5\n",
    "pandas' to_string": "   rooms  age\n0      3   10\n1      4    5\n",
    "R, col.names=NA": '"" "rooms" "age"\n"1" 3 10\n"2" 4 5\n',
    "other order": "age rooms\n10 3\n5 4\n",
}


@every("piece", [1, 7, 1 << 20])
@every("content", READ.values(), ids=READ)
def test_what_leaves_no_doubt_is_read(content, piece):
    assert read(content, NAMES, piece=piece) == RIGHT


@pytest.mark.parametrize("names", ["# rooms age", '"rooms" "age"', '"rooms"\t"age"', '"" "rooms" "age"'])
def test_names_alone_are_no_rows(names):
    assert read(f"{names}\n", NAMES) == []


def test_numbers_of_savetxt_without_names_go_by_position():
    assert read("3.0e+00 1.0e+01\n4.0e+00 5.0e+00\n", NAMES, header=False) == RIGHT


def test_what_numpy_writes_is_read(homes):
    np.savetxt(homes / "a.txt", RIGHT, header="rooms age")
    done = run("predict", "m.npz", "a.txt", cwd=homes)
    assert done.stdout == "price\n210.0\n255.0\n"
    assert done.stderr == (
        "note: a.txt: columns are separated by blanks\n"
        "note: a.txt: the first column is called 'rooms', without the # before it\n"
    )


def test_the_names_of_rows_are_told_and_no_feature(homes):
    (homes / "r.txt").write_text(READ["R"])
    done = run("predict", "m.npz", "r.txt", cwd=homes)
    assert done.stdout == "price\n210.0\n255.0\n"
    assert "ignored columns: column 1 (the names of the rows)" in done.stderr
    (homes / "t.txt").write_text('"rooms" "price"\n"1" 3 10\n"2" 4 5\n"3" 7 1\n')
    table = read_table(homes / "t.txt", "price")
    assert (table.feature_names, table.X.tolist(), table.y.tolist()) == (("rooms",), [[3], [4], [7]], [10, 5, 1])


def test_blanks_and_decimal_commas():
    assert read("rooms age\n3,5 10\n4 5,5\n", NAMES, decimal=",") == [[3.5, 10], [4, 5.5]]


# What stays as it was

SAME = {
    "a name with a blank": ("median income\n3\n4\n", ["median income"], [[3], [4]]),
    "a name with a blank, beside others": ("median income,age\n3,1\n4,2\n", ["median income"], [[3], [4]]),
    "a column called #": ("#,age\n3,1\n4,2\n", ["#"], [[3], [4]]),
    "# in another name": ("age,# of rooms\n3,1\n4,2\n", ["# of rooms"], [[1], [2]]),
    "a line of one blank cell": ("x y\n3\n", ["x y"], [[3]]),
    "one row more than a name": ("1st\n3\n4\n", ["1st"], [[3], [4]]),
}


@every(("content", "names", "rows"), SAME.values(), ids=SAME)
def test_names_with_blanks_and_signs_stay(content, names, rows):
    assert read(content, names) == rows


# What is hinted at


@every(
    ("content", "hint"),
    [
        (
            "rooms   age\n    3    10\n    4\n",
            r"blanks are read if every line has equally many, or with separator=' '\)$",
        ),
        ('"rooms" "age"\n"1" 3 10\n"2" 4\n', r"line 1, .*; if blanks separate the columns, say separator=' '$"),
        ("rooms age\n3 10,1\n4 5,2\n", "blanks are read if every line has equally many"),
        ("rooms,age\n7,3,10\n9,4,5\n", r"row 1 \(line 2\): 3 columns, expected 2; are the first cells names of rows"),
        ("rooms,age\n1,3,10\n", "are the first cells names of rows"),
        ("rooms,age\n1,3,\n2,4,\n", "3 columns, expected 2; the line ends in a separator too many"),
        ('"rooms","age"\n"1",3,\n"2",4,\n', "the line ends in a separator too many"),
    ],
)
def test_what_leaves_a_doubt_is_hinted_at(content, hint):
    with pytest.raises(TableError, match=hint):
        read(content, NAMES)


def test_a_wide_row_further_down_is_not_taken_for_one_with_a_name():
    assert refusal("x,y\n1,2\n1,2,3\n").startswith("row 2 (line 3): 3 columns, expected 2 (on_error")


# The names again, among the rows

JOINED = {
    "plain": "x,y\n1,2\nx,y\n3,4\n",
    "byte order mark": "\ufeffx,y\n1,2\n\ufeffx,y\n3,4\n",
    "quoted": '"x","y"\n1,2\n"x","y"\n3,4\n',
    "blanks around": "x,y\n1,2\n x , y\n3,4\n",
    "np.savetxt": "# x y\n1 2\n# x y\n3 4\n",
    "pandas' index": ",x,y\n0,1,2\n,x,y\n0,3,4\n",
}


@every("content", JOINED.values(), ids=JOINED)
def test_the_names_again_are_called_so_and_can_be_skipped(content):
    message = "row 2 (line 3): the names of the columns again, as where files are joined; remove the line"
    assert refusal(content) == f"{message} (on_error='skip' leaves such rows out)"
    errors = []
    assert read(content, ["x", "y"], on_error=errors.append) == [[1, 2], [3, 4]]
    assert [str(error) for error in errors] == [f"standard input: {message}"]


@every("content", ["x,y\n1,2\ny,x\n3,4\n", "n,x,y\na,1,2\nx,n,y\n3,a,4\n", "x y\n1 2\ny x\n3 4\n"])
@every("on_error", ["stop", "skip"])
def test_the_names_in_another_order_end_the_reading(content, on_error):
    rows, errors, fatal = outcome(Pieces(content.encode(), [1 << 20]), "csv", on_error)
    assert (rows, errors) == ([[1, 2]], [])
    assert fatal == (
        "standard input: row 2 (line 3): the names of the columns again, in another order, as where files are joined: "
        "the rows below would be read under the wrong names; give each file by itself"
    )


@pytest.mark.parametrize(
    ("line", "message", "after"),
    [
        ("AGE , rooms", "names of other columns", []),
        ("age,beds", "names of other columns", []),
        ("rooms,beds", "names of other columns", []),
        ("Rooms,AGE", "the names of the columns again, as where", [[6, 7]]),
        ("5,4rooms,age", "a row and the names of the columns in one line, as where files are joined; break", [[6, 7]]),
        ("5,4age,rooms", "the names of the columns again, in another order", []),
        ("rooms,8", "column 'rooms': 'rooms' is not a number", [[6, 7]]),
        ("beds,sea", "column 'rooms': 'beds' is not a number", [[6, 7]]),
    ],
)
def test_rows_below_the_names_of_other_columns_are_not_read(line, message, after):
    content = f"rooms,age\n1,2\n{line}\n6,7\n".encode()
    rows, errors, ending = outcome(BytesIO(content), "csv", "skip", NAMES)
    assert rows == [[1, 2], *after]
    said = str(errors[0] if after else ending)
    assert said.startswith("standard input: row 2 (line 3)") and message in said


def test_names_twice_at_the_start():
    assert refusal("x,y\nx,y\n1,2\n").startswith("row 1 (line 2): the names of the columns again")


def test_the_names_of_levels_are_not_learnt_from_a_joined_file(tmp_path):
    rows = "".join(f"{sea},{i}\n" for i, sea in enumerate(["near", "far"] * 5))
    (tmp_path / "j.csv").write_text(f"sea,price\n{rows}sea,price\n{rows}")
    table = read_table(tmp_path / "j.csv", "price", on_error="skip")
    assert (table.feature_names, len(table.y)) == (("sea=near",), 20)


def test_names_where_none_were_expected():
    with pytest.raises(TableError, match=r"row 1 \(line 1\): the names of the columns, not a row; leave header=False"):
        read("x,y\n1,2\n", ["x", "y"], header=False)


def test_a_bad_row_that_holds_one_name_is_a_bad_row():
    assert refusal("x,y\n1,2\nx,4\n").startswith("row 2 (line 3), column 'x': 'x' is not a number")


def test_train_ends_at_names_in_another_order(homes):
    (homes / "j.csv").write_text("a,price\n1,2\n2,4\n3,7\nprice,a\n2,1\n4,2\n")
    done = run("train", "--data", "j.csv", "--target", "price", "--on-error", "skip", cwd=homes)
    assert_refused(done, 2, "j.csv: row 4 (line 5): the names of the columns again, in another order")


# Rows as they come


@pytest.mark.parametrize("names", [["x", "y"], ["median income", "y"]])
def test_a_row_is_answered_before_the_next_one_comes(names):
    head = ",".join(names) + "\n"
    stream = Pieces(f"{head}1,2\n3,4\n5,6\n".encode(), [len(head), 4, 4, 4])
    with mock.patch.object(sys, "stdin", mock.Mock(buffer=stream)), open_rows("-") as rows:
        assert next(rows.blocks(names)).tolist() == [[1, 2]]
        assert stream.stream.tell() == len(head) + 4


def test_one_blank_is_a_separator_that_can_be_said():
    errors = []
    assert read('"rooms" "age"\n"1" 3 10\n"2" 4\n"3" 4 5\n', NAMES, separator=" ", on_error=errors.append) == RIGHT
    assert read("rooms age\n3 10\n4\n", NAMES, separator=" ", on_error=errors.append) == [[3, 10]]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_row_that_lacks_a_cell_is_not_read_under_its_name(separator):
    errors = []
    text = '"rooms","age"\n"1",3,10\n"2",4\n"3",4,5\n'.replace(",", separator)
    assert read(text, NAMES, on_error=errors.append) == RIGHT
    assert [str(error) for error in errors] == ["standard input: row 2 (line 3): 2 columns, expected 3"]
