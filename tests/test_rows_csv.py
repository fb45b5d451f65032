"""Rows of CSV: however it is written, and every refusal by its place."""

import csv
import itertools
import math
import sys
import threading
import time
import tracemalloc
from io import BytesIO, StringIO
from unittest import mock

import numpy as np
import pytest
from cases import every
from hypothesis import example, given
from hypothesis import strategies as st
from reading import PLAIN, Endless, Pieces, outcome, read, refusal, stdin, told

from housing_np import TableError
from housing_np.rows import open_rows
from housing_np.rows.columns import Columns
from housing_np.rows.rows import BLOCK_NUMBERS

pytestmark = [pytest.mark.matrix("engine"), pytest.mark.usefixtures("engine")]


CSVS = {
    "plain": "x,y\n1,2\n3,4\n",
    "byte order mark": "\ufeffx,y\n1,2\n3,4\n",
    "byte order mark, quoted name": '\ufeff"x",y\n1,2\n3,4\n',
    "CRLF": "x,y\r\n1,2\r\n3,4\r\n",
    "no final newline": "x,y\n1,2\n3,4",
    "CRLF, no final newline": "x,y\r\n1,2\r\n3,4",
    "blank trailing lines": "x,y\n1,2\n3,4\n\n\n",
    "blank lines between": "x,y\n\n1,2\n\n\n3,4\n",
    "CRLF blank lines": "x,y\r\n\r\n1,2\r\n\r\n3,4\r\n\r\n",
    "blank lines first": "\n\nx,y\n1,2\n3,4\n",
    "spaces around names and numbers": " x , y \n 1 ,\t2\n3 , 4 \n",
    "exponents and signs": "x,y\n1e0,+2\n.3e1,4.E0\n",
    "quoted numbers": 'x,y\n"1","2"\n"3",4\n',
    "other order": "y,x\n2,1\n4,3\n",
    "text beside": "name,x,y\nfirst,1,2\nsecond,3,4\n",
    "not ASCII beside": "größe,x,y\nä,1,2\n日本,3,4\n",
    "empty cells beside": "name,x,y,note\n,1,2,\n,3,4,\n",
    "quotes, commas, line breaks beside": 'x,"a ""b"", c",y\n1,"one, ""two""\nthree",2\n3,"\r\n\n",4\n',
    "inch signs beside": 'x,pipe,y\n1,5",2\n3,6" and 7",4\n',
}


@pytest.mark.matrix(piece=1)
@pytest.mark.parametrize("piece", [1, 2, 7, 64, 1 << 20])
@every("content", CSVS.values(), ids=CSVS)
def test_csv_is_read_however_it_is_written_and_wherever_its_chunks_are_cut(content, piece):
    assert read(content, ["x", "y"], piece=piece) == PLAIN


@pytest.mark.matrix(piece=1)
@pytest.mark.parametrize("piece", [1, 2, 7, 64, 1 << 20])
@every("content", ["x\n1\n2\n", "x\n\n\n1\n\n2\n\n", "x\r\n\r\n1\r\n2", "\n\nx\n1\n2\n"])
def test_one_column_is_read_wherever_its_chunks_are_cut(content, piece):
    assert read(content, ["x"], piece=piece) == [[1.0], [2.0]]


def test_a_quoted_name_keeps_its_commas_quotes_and_line_breaks():
    assert read('"a ""b"",\nc",d\n1,2\n', ['a "b",\nc']) == [[1.0]]


def test_a_header_without_rows_gives_no_rows():
    assert read("x,y\n", ["x", "y"]) == []


@pytest.mark.matrix(engine="pyarrow")
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
@example([5e-324, -0.0, 1.7976931348623157e308, 2.2250738585072014e-308])
@example([1.7976931348623157e308, 1.7976931348623157e308])
def test_every_float_comes_back_to_the_last_bit(numbers):
    got = read("x\n" + "".join(f"{number!r}\n" for number in numbers), ["x"])
    assert [row[0].hex() for row in got] == [number.hex() for number in numbers]


CELLS = st.one_of(
    st.text("0123456789.eE+-_ \tinfNaxj\u00a0\u0661\0", max_size=8),
    st.floats().map(repr),
    st.integers().map(str),
    st.decimals(allow_nan=False).map(str),
)


@pytest.mark.matrix(engine="pyarrow")
@given(st.lists(CELLS, min_size=1, max_size=4))
@example(["1.00000000000000011102230246251565404"])
@example(["1", "\u00a02"])
@example(["1", "2\u3000"])
@example(["inf", "-inf"])
@example(["1e308", "1e308"])
@example(["0x10"])
@example(["1d5"])
@example(["1\x1f"])
def test_the_fast_path_agrees_with_the_plain_one(cells):
    def outcome(before):
        try:
            return [
                number.hex()
                for (number,) in read("k,cell\n" + "".join(f"{before},{cell}\n" for cell in cells), ["cell"])
            ]
        except TableError as error:
            return str(error)

    assert outcome('"a, ""b"""') == outcome("0")  # quotes with a comma in them are read row by row


@pytest.mark.matrix(engine="pyarrow")
@given(st.lists(st.text('ab", \n\r1é', max_size=4), max_size=6), st.sampled_from(["\n", "\r\n"]), st.integers(1, 9))
def test_every_note_that_csv_can_write_is_read_past(notes, end, piece):
    file = StringIO(newline="")
    writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator=end)
    writer.writerow(["x", "note", "y"])
    writer.writerows([i, note, -i] for i, note in enumerate(notes))
    assert read(file.getvalue(), ["x", "y"], piece=piece) == [[i, -i] for i in range(len(notes))]


@pytest.mark.matrix(engine="pyarrow")
@every(
    ("content", "places"),
    [
        ('x,y,n\n1,2,a\n9,9,"b\n3,4,c\n5,6,d\n', ["row 2 (line 3), column 'n': not CSV (a quote is not closed)"]),
        ('x,y,n\n1,2,a\n9,"9,b\n3,4,c\n5,6,d\n', ["row 2 (line 3), column 'y': not CSV (a quote is not closed)"]),
        ('x,y,n\n"9"9,9,b\n1,2,a\n3,4,c\n5,6,d\n', ["row 1 (line 2), column 'x': not CSV (',' expected after '\"')"]),
        ('x,y,n\n1,2,a\n9,9,"b\n3,4,"c"\n5,6,d\n', ["row 2 (line 3), column 'n': not CSV (',' expected after '\"')"]),
        ('x,y,n\n1,2,a\n3,4,"b\nb"\n9,9,"c\nd"d\n5,6,e\n', ["row 3 (line 5), column 'n'", "row 4 (line 6): 1 column"]),
        (
            'x,y,n\n1,2,a\n9,9,"b\n3,4,"c\nc"\n5,6,d\n',
            ["row 2 (line 3), column 'n': not CSV (',' expected after '\"')"],
        ),
        (
            'x,y,n\n1,2,a\n9,9,"b\n3,4,c\n9,9,",9\n5,6,d\n',
            [
                "row 2 (line 3): 4 columns, expected 3 (lines joined by a quote: 3)",
                "row 4 (line 5), column 'n'",
            ],
        ),
    ],
    ids=[
        "open",
        "open before the last column",
        "text after",
        "closed by another",
        "closed by one with a line break",
        "after line breaks",
        "two that are open",
    ],
)
def test_a_broken_quote_takes_no_good_row_with_it(content, places):
    messages = told(content)
    assert len(messages) == len(places)
    assert [message[: len(place)] for message, place in zip(messages, places, strict=True)] == places


LONGEST = 4 << 20  # characters of a line, and of a record


@pytest.mark.matrix(piece=1 << 18)
@every(
    ("content", "message"),
    [
        ("n,x,y\na,1,2\n{},9,9\na,3,4\na,5,6", "row 2 (line 3): longer than 4194304 characters"),
        ('n,x,y\na,1,2\n"{},9,9\na,3,4\na,5,6', "row 2 (line 3): longer than 4194304 characters"),
    ],
    ids=["line", "line with a quote"],
)
@pytest.mark.parametrize("piece", [1 << 18, LONGEST, (1 << 20) + 1])
def test_a_line_that_is_too_long_is_one_bad_row(content, message, piece):
    (got,) = told(content.format("é" * (LONGEST - 3)), piece=piece)
    assert got.startswith(message)


def test_a_record_that_is_too_long_is_one_bad_row():
    lines = 7_000
    errors = []
    seen = read('n,x,y\na,1,2\n"a,9,9\n' + f"{'a' * 600},3,4\n" * lines, ["x", "y"], on_error=errors.append)
    assert seen == [[1.0, 2.0], *[[3.0, 4.0]] * lines]
    assert [str(each).partition(";")[0] for each in errors] == [
        "standard input: row 2 (line 3), column 'n': not CSV (record larger than 4194304 characters)"
    ]


@pytest.mark.matrix(piece=1 << 18)
@pytest.mark.parametrize("piece", [1 << 18, LONGEST, (1 << 20) + 1])
def test_a_line_of_the_greatest_length_is_read(piece):
    notes = ["é" * 100_000] * 41
    names = ",".join(["x", "y", *(f"n{i}" for i in range(42))])
    lines = [f"1,2,{','.join(notes)},", f'3,4,"{notes[0]}",{",".join(notes[1:])},']
    lines = [line + "é" * (LONGEST - len(line)) for line in lines]
    assert read("\n".join([names, *lines]), ["x", "y"], piece=piece) == PLAIN


@pytest.mark.parametrize("line", ['a","', '","1","'], ids=["open to the end", "joined"])
def test_quotes_that_are_broken_on_every_line_take_no_more_time_than_others(line):
    # By the minute, if each line looked for its end through all the others.
    errors = []
    assert read("x,y\n1,2\n" + f"{line}\n" * 20_000, ["x", "y"], on_error=errors.append) == [[1.0, 2.0]]
    assert len(errors) >= 10_000


@pytest.mark.parametrize("before", ['1,"{}\n{}"\n', '1,"{}"{}\n'], ids=["whole", "broken"])
def test_the_length_of_a_record_is_its_own(before):
    half, errors = "a" * 60_000, []
    content = "x,n\n" + before.format(half, half) * 40 + '2,"a\nb"\n'
    assert len(content) > LONGEST
    assert read(content, ["x"], on_error=errors.append)[-1] == [2.0]
    assert len(errors) == (0 if "\n" in before[:-1] else 40)


@pytest.mark.parametrize("cell", ["9" * 140_000, '"' + "9" * 140_000 + '"', '"' + "9\n" * 70_000 + '"'])
def test_a_field_that_is_longer_than_csv_takes_is_refused_on_every_path(cell):
    message = r"row 1 \(line 2\), column 'n': not CSV \(field larger than field limit \(131072\)\)"
    with pytest.raises(TableError, match=message):
        read(f"n,x\n{cell},1\n2,3\n", ["x"])


@pytest.mark.parametrize("text", [b"1,2%s\n", b'a","%s\n'], ids=["a quote", "quotes that close and open"])
def test_a_quote_that_is_never_closed_does_not_take_the_stream(text):
    stream = Endless(b'x,y\n1,2\n3,a","\n', text % (b"9" * 1000))
    with (
        mock.patch.object(sys, "stdin", mock.Mock(buffer=stream)),
        pytest.raises(TableError, match=r"row 2 \(line 3\)"),
        open_rows("-") as opened,
    ):
        list(opened.blocks(["x"]))
    assert stream.taken < 4 * LONGEST


def test_a_line_that_never_ends_does_not_take_the_memory():
    nines = (b"9" * (1 << 20) for _ in range(64))
    pieces = mock.Mock(read1=mock.Mock(side_effect=itertools.chain([b"x\n1\n"], nines, [b"\n2\n", b""])))
    tracemalloc.start()
    seen, errors, _ = outcome(pieces, "csv", "skip", ["x"])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (seen, errors) == (
        [[1.0], [2.0]],
        ["standard input: row 2 (line 3): longer than 4194304 characters; break it up or remove it"],
    )
    assert peak < 8 * LONGEST


@every(
    ("content", "message"),
    [
        ("", r"no names; expected a first line"),
        ("\ufeff", r"no names"),
        ("\n\n", r"no names"),
        ("x,z\n1,2\n", r"no column 'y'; the columns are: x, z"),
        ("x;z,y\n1,2\n", r"no column 'x'; the columns are: x;z, y \(separated by commas; say separator=';'"),
        (
            "1,2\n3,4\n",
            r"no column 'x', 'y'; .*\(the first line holds numbers, not names: say header=False, and it "
            r"is read as a row\)",
        ),
        ("near,1.5,2\n3,4,5\n", r"no column 'x', 'y'; .*\(the first line holds numbers, not names"),
        ("area,2020,2021\n3,4,5\n", r"no column 'x', 'y'; the columns are: area, 2020, 2021; rename the columns$"),
        ("X ,Y\n3,4\n", r"no column 'x', 'y'; the columns are: X, Y; rename the columns$"),
        ("X ,y\n3,4\n", r"no column 'x'; the columns are: X, y \(did you mean 'X'\?\)$"),
        ("Income,y\n3,4\n", r"no column 'x'; the columns are: Income, y; rename the column$"),
        ("x,y,x\n1,2,3\n", r"column 3 repeats the name 'x'"),
        ("x, x,y\n1,2,3\n", r"column 2 repeats the name 'x'"),
        ("x,y\n1,2\n3\n", r"row 2 \(line 3\): 1 column, expected 2"),
        ("x,y\n1,2\n3,4,\n", r"row 2 \(line 3\): 3 columns, expected 2; the line ends in a separator too many"),
        ("x,y\n1,2\n \n", r"row 2 \(line 3\): 1 column, expected 2"),
        ("x,y\n1,2\n\n3,abc\n", r"row 2 \(line 4\), column 'y': 'abc' is not a number"),
        (
            "x,y\n1,2\n,4\n",
            r"row 2 \(line 3\), column 'x': the cell is empty; fill it in \(on_error='skip' leaves such rows out\)",
        ),
        ("x,y\n1,2\n  ,4\n", r"row 2 \(line 3\), column 'x': the cell is empty"),
        ("x,y\n1,2\n1_000,4\n", r"row 2 \(line 3\), column 'x': '1_000' is not a number"),
        ("x,y\n1,2\n\u0661,4\n", r"row 2 \(line 3\), column 'x': '\u0661' is not a number"),
        ("x,y\n1,2\n3,4#5\n", r"row 2 \(line 3\), column 'y': '4#5' is not a number"),
        ("x,y\n1,2\n3\0,4\n", r"row 2 \(line 3\), column 'x': '3\\x00' is not a number"),
        ("x,y\n1,2\nnan,4\n", r"row 2 \(line 3\), column 'x': 'nan' stands for a missing number"),
        ("x,y\n1,2\n3,-inf\n", r"row 2 \(line 3\), column 'y': -inf is not a finite number"),
        ("x,y\n1,2\n3,1e999\n", r"row 2 \(line 3\), column 'y': inf is not a finite number"),
        ("x,y\ninf,2\n-inf,4\n", r"row 1 \(line 2\), column 'x': inf is not a finite number"),
        ('x,n,y\n1,"a\nb",2\nz,c,4\n', r"row 2 \(line 4\), column 'x': 'z' is not a number"),
        (b"x,y\n1,2\n\xe9,4\n", r"row 2 \(line 3\): not UTF-8 text; save the file as UTF-8, or say encoding='cp1252'"),
        ('x,y\n1,"2\n3,4\n', r"row 1"),
        ('x,y,note\n1,2,"open\n3,4,b\n', r"quote"),
    ],
)
def test_bad_csv_is_refused_by_its_place(content, message):
    with pytest.raises(TableError, match=message):
        read(content, ["x", "y"])
    refusal(content)


@pytest.mark.matrix(piece=1)
@pytest.mark.parametrize("piece", [1, 2, 7, 64])
def test_the_place_of_a_bad_cell_does_not_depend_on_chunks(piece):
    content = 'x,n,y\n1,"a\nb",2\n\n3,c,4\n5,"d\n\n",oops\n'
    assert refusal(content, piece=piece).startswith("row 3 (line 8), column 'y': 'oops' is not a number")


@pytest.mark.matrix(piece=1)
@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_only_the_first_line_may_have_a_byte_order_mark(piece):
    assert refusal("\ufeffx,y\n\ufeff1,2\n", piece=piece).startswith(
        "row 1 (line 2), column 'x': '\\ufeff1' is not a number"
    )


@pytest.mark.matrix(piece=1)
@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_the_line_that_is_not_utf8_does_not_depend_on_chunks(piece):
    assert refusal(b"x,y\n1,2\n\n\xff,4\n", piece=piece).startswith("row 2 (line 4): not UTF-8")


@pytest.mark.matrix(engine="pyarrow")
def test_nothing_that_is_read_is_other_than_finite():
    errors = []
    content = "x\n" + "\n".join(["1", "inf", "nan", "-inf", "1e400", "2"])
    assert all(math.isfinite(x) for (x,) in read(content, ["x"], on_error=errors.append))
    assert len(errors) == 4


# How it is written


@pytest.mark.matrix(piece=1)
@every(
    ("content", "options", "note"),
    [
        ("x;y\n1;2\n3;4\n", {}, "semicolons"),
        ("x\ty\n1\t2\n3\t4\n", {}, "tabs"),
        ("x|y\n1|2\n3|4\n", {}, "bars"),
        ('"x";"y"\n"1";2\n3;"4"\n', {}, "semicolons"),
        ('"n, in m";x;y\n"a;b";1;2\n"""";3;4\n', {}, "semicolons"),
        ("sep=;\nx;y\n1;2\n3;4\n", {}, "semicolons"),
        ('"sep=|"\r\nx|y\r\n1|2\r\n3|4\r\n', {}, "bars"),
        ("sep=:\nx:y\n1:2\n3:4\n", {}, "':'"),
        ("sep=,\nx,y\n1,2\n3,4\n", {}, None),
        ("x:y\n1:2\n3:4\n", {"separator": ":"}, None),
        ("n;a,x,y\n9,1,2\n9,3,4\n", {}, None),
        ("n,a;x;y\n9;1;2\n9;3;4\n", {"separator": ";"}, None),
        ("x;y\n1,0;2,0\n3,0;0,4e1\n", {"decimal": ","}, "semicolons"),
        ('x,y\n"1,0",2\n3,"4,0"\n', {"decimal": ","}, None),
        ("n;x;y\n1.5;1,0;2,0\n2.5;3,0;4,0\n", {"decimal": ","}, "semicolons"),
        ("1,2\n3,4\n", {"header": False}, None),
        ("1;2\n3;4\n", {"header": False}, "semicolons"),
        ("1,0;2,0\n3,0;4,0\n", {"header": False, "decimal": ","}, "semicolons"),
    ],
)
@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_every_dialect_gives_the_same_rows(content, options, note, piece):
    assert read(content, ["x", "y"], piece=piece, **options) == PLAIN
    with stdin(content, piece), open_rows("-", **options) as opened:
        assert [note is not None and note in each for each in opened.notes] == [True] * (note is not None)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"separator": ";;"}, "is not one character"), ({"decimal": "'"}, "is neither '.' nor ','")],
)
def test_a_dialect_that_cannot_be_is_refused(options, message):
    with pytest.raises(TableError, match=message):
        read("x\n1\n", ["x"], **options)


@every(
    ("content", "format"),
    [
        ('{"x": 1, "y": 2}\n', "json"),
        ("{x: 1, y: 2}\n", "json"),
        ('[{"x": 1,\n"y": 2}]', "json"),
        ("[[1, 2],\n[3, 4]]", "json"),
        ("[\n[1, 2]]", "json"),
        ('{\n"x": 1}', "json"),
        ("[1, 2]\n\n[3, 4]", "jsonl"),
        ('{"x": 1}\n{"x": 2}\n', "jsonl"),
    ],
)
def test_json_that_is_taken_for_csv_is_told_so(content, format):
    assert refusal(content) == f"expected CSV, found JSON; say format='{format}'"


def test_names_in_brackets_are_no_json():
    assert read("[0-5],[6-10]\n1,2\n", ["[6-10]"]) == [[2.0]]


def test_columns_without_a_name_are_left_out_with_the_reason():
    with stdin(",x,y\n0,1,2\n1,3,4\n"), open_rows("-") as opened:
        assert opened.columns == ("x", "y")
        assert list(opened.left_out) == ["column 1"]
        assert "index=False" in opened.left_out["column 1"]
        assert np.concatenate(list(opened.blocks(["x", "y"]))).tolist() == PLAIN


def test_a_trailing_separator_in_every_line_is_a_column_without_a_name():
    assert read("x,y,\n1,2,\n3,4,\n", ["x", "y"]) == PLAIN


def test_text_from_the_first_row_on_is_one_message_about_the_columns():
    message = refusal("x,y\nNEAR BAY,north\nINLAND,south\n")
    assert message == "columns 'x', 'y' hold text ('NEAR BAY', 'north'), not numbers"


def test_text_further_down_is_a_bad_row():
    assert refusal("x,y\n1,2\nINLAND,4\n").startswith("row 2 (line 3), column 'x': 'INLAND' is not a number")


@pytest.mark.matrix(engine="pyarrow")
def test_a_row_is_skipped_for_what_is_in_it_and_not_for_its_place():
    for lines in itertools.permutations(["1,2\n", "3,4\n", "a,b\n", "9\n"]):
        content = "".join(lines)
        assert sorted(read("x,y\n" + content, ["x", "y"], on_error=lambda _: None)) == PLAIN, lines
        assert sorted(read(content, ["x", "y"], on_error=lambda _: None, header=False)) == PLAIN, lines


@pytest.mark.matrix(engine="pyarrow")
@every("cells", ["9007199254740993", "-9007199254740993", " 9007199254740993 "])
def test_an_integer_that_float64_would_round_is_refused(cells):
    message = refusal(f"x,y\n1,2\n3,{cells}\n")
    assert message.startswith(f"row 2 (line 3), column 'y': {cells.strip()} is an integer beyond 2**53")


def test_a_wide_table_takes_no_longer_for_each_of_its_columns():
    # By the minute, if each name were looked for among all the others.
    names = [f"c{i}" for i in range(50_000)]
    assert read(",".join(names) + "\n" + ",".join(["1"] * 50_000) + "\n", names) == [[1.0] * 50_000]


@pytest.mark.matrix(piece=1)
@every(
    ("cells", "told"),
    [
        (["<1H OCEAN", "INLAND"], "column 't' holds text ('<1H OCEAN'), not numbers"),
        (["B1", "12 Main St"], "column 't' holds text ('B1'), not numbers"),
        (["", "red"], "column 't' holds text ('red'), not numbers"),
        (["unknown", "2"], "row 1 (line 2), column 't': 'unknown' is not a number; correct it (on_error='skip'"),
        (["3 km", "4 km"], "row 1 (line 2), column 't': '3 km' is not a number"),
    ],
)
@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_a_column_of_text_is_told_by_its_first_rows_and_a_bad_cell_by_its_own(cells, told, piece):
    assert refusal("x,t\n" + "".join(f"1,{cell}\n" for cell in cells), ["x", "t"], piece=piece).startswith(told)


@pytest.mark.parametrize("first", ["1,2,3\n", "1\n"])
def test_rows_without_names_have_the_width_of_the_model_wherever_the_others_stand(first):
    assert read(first + "1,2\n3,4\n", ["x", "y"], header=False, on_error=lambda _: None) == PLAIN


def test_a_line_that_says_the_separator_may_come_before_the_rest_does():
    stream = Pieces(b"sep=\t\n1\t2\n3\t4\n", [6])
    with mock.patch.object(sys, "stdin", mock.Mock(buffer=stream)), open_rows("-", header=False) as opened:
        assert np.concatenate(list(opened.blocks(["x", "y"]))).tolist() == PLAIN
    assert refusal("sep=;\n").startswith("no names")


def test_a_name_with_a_line_break_hides_no_separator():
    assert read('"a\nx";y\n1;2\n', ["y"]) == [[2.0]]


def test_an_integer_with_thousands_of_zeros_is_read():
    assert read("x\n" + "0" * 5000 + "9007199254740992\n", ["x"]) == [[2.0**53]]


def test_utf16_without_its_mark_is_told_as_that():
    assert "UTF-16 without its mark" in refusal("x,y\n1,2\n".encode("utf-16-le"))


@pytest.mark.parametrize("engine", [None], indirect=True)
def test_a_large_file_is_the_same_with_and_without_pyarrow(tmp_path, monkeypatch):
    rows = np.random.default_rng(0).standard_normal((3000, 2)).tolist() * 50
    (tmp_path / "t.csv").write_text("\n".join(["x,y", *(f"{x!r},{y!r}" for x, y in rows), "5,6"]))
    assert (tmp_path / "t.csv").stat().st_size > 4 << 20
    for each in ("there", "missing"):
        if each == "missing":
            monkeypatch.setitem(sys.modules, "pyarrow", None)
            monkeypatch.delitem(sys.modules, "housing_np.rows.arrow_csv", raising=False)
        with open_rows(tmp_path / "t.csv") as opened:
            blocks = list(opened.blocks(["y", "x"]))
        assert len(blocks) > 1 and max(block.size for block in blocks) <= BLOCK_NUMBERS
        assert np.concatenate(blocks)[:, ::-1].tolist() == [*rows, [5.0, 6.0]]


@pytest.mark.parametrize("cell", ["-nan", "+nan", "nan(1)", "-NaN"])
def test_what_only_a_parser_calls_nan_is_no_missing_cell(cell):
    columns = Columns(("x", "y"), fills={"x": 5.0})
    with stdin(f"x,y\nNA,1\n{cell},2\n"), open_rows("-", "csv") as opened:
        blocks = opened.blocks(columns)
        with pytest.raises(TableError, match=r"row 2 \(line 3\), column 'x': '.*' is not a number"):
            list(blocks)


@pytest.mark.parametrize("engine", [None], indirect=True)
def test_an_error_ends_the_threads_that_read_ahead(tmp_path):
    pytest.importorskip("housing_np.rows.arrow_csv")
    some = "1.000000000000,2.000000000000\n" * 100_000
    (tmp_path / "t.csv").write_text(f"x,y\n{some}NA,1\n{some}")
    before = threading.active_count()
    with open_rows(tmp_path / "t.csv") as opened, pytest.raises(TableError, match="row 100001") as caught:
        list(opened.blocks(["x", "y"]))
    assert caught.tb is not None  # which keeps all frames
    deadline = time.monotonic() + 20
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


@pytest.mark.matrix(engine="pyarrow")
def test_very_many_columns_are_read_in_little_more_memory_than_they_take():
    names = [f"c{i}" for i in range(20_000)]
    read("x\n1\n", ["x"])  # what is imported is not counted
    line = ",".join(["0.8414709848078965"] * len(names))
    content = f"{','.join(names)}\n{line}\n{line}\n".encode()
    tracemalloc.start()
    seen, errors, _ = outcome(BytesIO(content), "csv", "stop", names)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(seen), errors) == (2, [])
    assert peak < 40 << 20
