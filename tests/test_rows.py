"""Rows in: every format, every refusal, wherever the chunks of a file are cut."""

import csv
import itertools
import json
import math
import sys
import tracemalloc
from io import BytesIO, StringIO, TextIOWrapper
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from housing_np import TableError, rows
from housing_np.rows import format_of, open_rows, stop


def stdin(content):
    content = content if isinstance(content, bytes) else content.encode()
    return mock.patch.object(sys, "stdin", TextIOWrapper(BytesIO(content)))


def read(content, names, format="csv", on_error=stop):
    """All rows from standard input, as lists."""
    with stdin(content), open_rows("-", format, on_error) as opened:
        blocks = list(opened.blocks(names))
    assert all(block.dtype == np.float64 and block.shape[1:] == (len(names),) for block in blocks)
    return [row for block in blocks for row in block.tolist()]


def read_file(path, names, **options):
    with open_rows(path, **options) as opened:
        return [row for block in opened.blocks(names) for row in block.tolist()]


def refusal(content, names=("x", "y"), format="csv"):
    with pytest.raises(TableError, match=r"^standard input: ") as caught:
        read(content, list(names), format)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message.removeprefix("standard input: ")


def events(content, names, format="csv"):
    """Rows and errors in the order in which they come."""
    seen = []
    try:
        with stdin(content), open_rows("-", format) as opened:
            for block in opened.blocks(names):
                seen += block.tolist()
    except TableError as error:
        seen.append(str(error).partition(": ")[2])
    return seen


PLAIN = [[1.0, 2.0], [3.0, 4.0]]
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
JSONS = {
    "objects": [{"x": 1, "y": 2}, {"y": 4, "x": 3, "z": "ignored"}],
    "split": {"dataframe_split": {"columns": ["y", "x"], "data": [[2, 1], [4, 3]]}},
    "split with index": {"dataframe_split": {"index": [0, 1], "columns": ["x", "y"], "data": PLAIN}},
    "records": {"dataframe_records": [{"x": 1, "y": 2}, {"x": 3, "y": 4}]},
    "instances": {"instances": [{"x": 1, "y": 2}, {"x": 3, "y": 4}]},
    "instances as lists": {"instances": PLAIN},
    "inputs as lists": {"inputs": PLAIN},
    "inputs as objects": {"inputs": [{"x": 1, "y": 2}, {"x": 3, "y": 4}]},
    "inputs as columns": {"inputs": {"y": [2, 4], "x": [1, 3]}},
    "lists": PLAIN,
}


@pytest.mark.parametrize("content", CSVS.values(), ids=CSVS)
def test_csv_is_read_however_it_is_written(content):
    assert read(content, ["x", "y"]) == PLAIN


@pytest.mark.parametrize("chunk", [1, 2, 7, 64])
@pytest.mark.parametrize("content", CSVS.values(), ids=CSVS)
def test_csv_is_read_wherever_its_chunks_are_cut(content, chunk, monkeypatch):
    monkeypatch.setattr(rows, "_CHUNK_BYTES", chunk)
    assert read(content, ["x", "y"]) == PLAIN


@pytest.mark.parametrize("chunk", [1, 2, 7, 64, 1 << 20])
@pytest.mark.parametrize("content", ["x\n1\n2\n", "x\n\n\n1\n\n2\n\n", "x\r\n\r\n1\r\n2", "\n\nx\n1\n2\n"])
def test_one_column_is_read_wherever_its_chunks_are_cut(content, chunk, monkeypatch):
    monkeypatch.setattr(rows, "_CHUNK_BYTES", chunk)
    assert read(content, ["x"]) == [[1.0], [2.0]]


@pytest.mark.parametrize("chunk", [1, 2, 7, 64, 1 << 20])
def test_json_lines_are_read_wherever_their_chunks_are_cut(chunk, monkeypatch):
    monkeypatch.setattr(rows, "_CHUNK_BYTES", chunk)
    content = '\ufeff\n{"x": 1, "y": 2, "größe": "5\\" \\n"}\r\n\n  \n{"y": 4, "note": "\\"", "x": 3}'
    assert read(content, ["x", "y"], "jsonl") == PLAIN


@pytest.mark.parametrize("document", JSONS.values(), ids=JSONS)
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "byte order mark"])
def test_json_is_read_in_every_layout(document, mark):
    assert read(mark + json.dumps(document), ["x", "y"], "json") == PLAIN


def test_a_single_json_object_of_inputs_is_one_row():
    assert read('{"inputs": {"x": 1, "y": 2}}', ["x", "y"], "json") == [[1.0, 2.0]]


def test_json_lines_may_be_lists():
    assert read("[1, 2]\n[3, 4]\n", ["x", "y"], "jsonl") == PLAIN


def test_a_name_may_hold_what_separates_columns_elsewhere():
    assert read("a;b\n1\n", ["a;b"]) == [[1.0]]


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_columns_keep_the_order_of_the_file(format):
    content = {"csv": "b,a\n1,2\n", "jsonl": '{"b": 1, "a": 2}\n'}[format]
    with stdin(content), open_rows("-", format) as opened:
        assert (opened.columns, opened.named) == (("b", "a"), True)


def test_a_quoted_name_keeps_its_commas_quotes_and_line_breaks():
    assert read('"a ""b"",\nc",d\n1,2\n', ['a "b",\nc']) == [[1.0]]


def test_a_header_without_rows_gives_no_rows():
    assert read("x,y\n", ["x", "y"]) == []


@pytest.mark.parametrize(
    ("path", "format"),
    [("a.csv", "csv"), ("A.JSON", "json"), ("a.jsonl", "jsonl"), ("a.ndjson", "jsonl"), ("a.npy", "npy"), ("a", None)],
)
def test_the_end_of_a_name_tells_the_format(path, format):
    assert format_of(path) == format


def test_a_name_that_says_nothing_is_csv(tmp_path):
    path = tmp_path / "rows.txt"
    path.write_text(CSVS["plain"])
    assert read_file(path, ["x", "y"]) == PLAIN


def test_a_format_that_is_given_is_stronger_than_the_name(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(json.dumps(JSONS["objects"]))
    assert read_file(path, ["x", "y"], format="json") == PLAIN


# Numbers


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
    def outcome():
        try:
            return [number.hex() for (number,) in read(content, ["x"])]
        except TableError as error:
            return str(error)

    content = "k,x\n" + "".join(f"0,{cell}\n" for cell in cells)
    fast = outcome()
    with mock.patch.object(rows, "_plain_block", return_value=None):
        assert outcome() == fast


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["json", "jsonl", "csv"]))
def test_formats_give_the_same_bits(number, format):
    content = {"json": f'[{{"x": {number!r}}}]', "jsonl": f'{{"x": {number!r}}}', "csv": f"x\n{number!r}"}[format]
    assert read(content, ["x"], format)[0][0].hex() == number.hex()


def test_more_rows_than_a_block_holds_are_all_read(monkeypatch):
    monkeypatch.setattr(rows, "_BLOCK_NUMBERS", 4)
    lines = [json.dumps({"x": i, "y": -i}) for i in range(11)]
    assert read("\n".join(lines), ["x", "y"], "jsonl") == [[i, -i] for i in range(11)]


@pytest.mark.parametrize(
    ("format", "first", "others"),
    [
        ("csv", "x,y\n1,2\n", "3,4\n"),
        ("csv", 'x,n,y\n1,"a\nb",2\n', "3,c,4\n"),
        ("jsonl", '{"x": 1, "y": 2}\n', '{"x": 3, "y": 4}\n'),
        ("jsonl", '{"x": 1, "y": 2, "note": "5\\""}\n', '{"x": 3, "y": 4}\n'),
    ],
)
def test_a_row_is_given_before_the_next_ones_have_come(format, first, others, monkeypatch):
    monkeypatch.setattr(rows, "_CHUNK_BYTES", 8)
    stream = BytesIO((first + others * 100).encode())
    with mock.patch.object(sys, "stdin", TextIOWrapper(stream)), open_rows("-", format) as opened:
        blocks = opened.blocks(["x", "y"])
        assert next(blocks).tolist() == [[1.0, 2.0]]
        assert stream.tell() <= len(first) + 16


# Bad rows, wherever the stream is cut


class Pieces:
    """A stream that gives what it holds in pieces of these sizes, over and over."""

    def __init__(self, content, sizes):
        self.stream, self.sizes = BytesIO(content), itertools.cycle(sizes)

    def read1(self, size):
        return self.stream.read(min(size, next(self.sizes)))


def outcome(stream, format, on_error, names=("x", "y")):
    """Rows, errors that were given to `on_error`, and the error that ended it."""
    seen, errors = [], []
    try:
        with (
            mock.patch.object(sys, "stdin", mock.Mock(buffer=stream)),
            open_rows("-", format, errors.append if on_error == "skip" else stop) as opened,
        ):
            for block in opened.blocks(names):
                seen += block.tolist()
    except TableError as error:
        return seen, list(map(str, errors)), str(error)
    return seen, list(map(str, errors)), None


CSV_TOKENS = [
    b'"',
    b'""',
    b",",
    b"1",
    b"3,4\n",
    b'5,"6"\n',
    b'"a\nb"',
    b"\n",
    b"\r\n",
    b"\r",
    b"\xff",
    b"\xc3\xa9",
    b" ",
]
JSON_TOKENS = [b'{"x": 1, "y": 2}\n', b"[3, 4]\n", b"{}", b"7", b"\n", b"\r\n", b"\xff", b'{"y": "\xc3\xa9"}', b" "]


@pytest.mark.parametrize(
    ("format", "tokens", "starts"),
    [("csv", CSV_TOKENS, [b"x,y\n", b'x,"y"\r\n', b""]), ("jsonl", JSON_TOKENS, [b'{"x": 1, "y": 2}\n', b""])],
    ids=["csv", "jsonl"],
)
@given(st.data(), st.sampled_from(["skip", "stop"]), st.sampled_from([16, 24, 1 << 20]))
@settings(max_examples=300)
def test_what_is_read_and_refused_does_not_depend_on_the_pieces_of_a_stream(
    format, tokens, starts, data, on_error, cap
):
    content = data.draw(st.sampled_from(starts)) + b"".join(data.draw(st.lists(st.sampled_from(tokens), max_size=20)))
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=1))
    with mock.patch.object(rows, "_LONGEST", cap), mock.patch.object(rows, "_CHUNK_BYTES", cap):
        expected = outcome(BytesIO(content), format, on_error)
        assert outcome(Pieces(content, sizes), format, on_error) == expected


@given(st.lists(st.text('ab", \n\r1é', max_size=4), max_size=6), st.sampled_from(["\n", "\r\n"]), st.integers(1, 9))
def test_every_note_that_csv_can_write_is_read_past(notes, end, piece):
    file = StringIO(newline="")
    writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator=end)
    writer.writerow(["x", "note", "y"])
    writer.writerows([i, note, -i] for i, note in enumerate(notes))
    with mock.patch.object(rows, "_CHUNK_BYTES", piece):
        assert read(file.getvalue(), ["x", "y"]) == [[i, -i] for i in range(len(notes))]


GOOD = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


def told(content, format="csv"):
    """What is told of each bad row of three that are good, where bad ones are skipped."""
    errors = []
    assert read(content, ["x", "y"], format, errors.append) == GOOD
    return [str(error).removeprefix("standard input: ") for error in errors]


@pytest.mark.parametrize(
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


@pytest.mark.parametrize(
    ("format", "content", "place"),
    [
        ("csv", b"n,x,y\na,1,2\n\xe9,9,9\na,3,4\na,5,6\n", "row 2 (line 3)"),
        ("csv", b'n,x,y\na,1,2\n"a\n\xe9\nb",9,9\na,3,4\na,5,6\n', "row 2 (line 4)"),
        ("csv", b"n,x,y\na,1,2\n\xe9,9\na,3,4\na,5,6\n", "row 2 (line 3)"),
        ("jsonl", b'{"x": 1, "y": 2}\n{"x": 9, "y": 9, "n": "\xe9"}\n[3, 4]\n[5, 6]\n', "line 2"),
        ("jsonl", b'{"x": 9, "y": 9, "n": "\xe9"}\n{"x": 1, "y": 2}\n[3, 4]\n[5, 6]\n', "line 1"),
    ],
)
def test_only_the_row_that_is_not_utf8_is_bad(format, content, place):
    assert told(content, format) == [f"{place}: not UTF-8 text; save the file as UTF-8"]


@pytest.mark.parametrize("first", ["{", "7", "{}", "[]", "null", '"x"'])
def test_json_lines_have_the_columns_of_the_first_line_that_is_a_row(first):
    (message,) = told(f'{first}\n{{"x": 1, "y": 2}}\n[3, 4]\n[5, 6]\n', "jsonl")
    assert message.startswith("line 1: ")


@pytest.mark.parametrize("first", ["7", "{}", "[]", "null"])
def test_json_has_the_columns_of_the_first_row_that_is_one(first):
    (message,) = told(f'[{first}, {{"x": 1, "y": 2}}, [3, 4], [5, 6]]', "json")
    assert message.startswith("row 1: ")


def test_json_lines_without_a_row_are_refused_where_bad_ones_are_skipped():
    with pytest.raises(TableError, match=r"no rows; expected one JSON object a line"):
        read("{\n7\n", ["x", "y"], "jsonl", lambda _: None)


# What never ends


@pytest.mark.parametrize(
    ("content", "limit", "message"),
    [
        ("n,x,y\na,1,2\n{},9,9\na,3,4\na,5,6", 15, "row 2 (line 3): longer than 15 bytes"),
        ('n,x,y\na,1,2\n"{},9,9\na,3,4\na,5,6', 15, "row 2 (line 3): longer than 15 bytes"),
        ('n,x,y\na,1,2\n"a,9,9\na,3,4\na,5,6', 15, "row 2 (line 3), column 'n': not CSV (record larger than 15 char"),
    ],
    ids=["line", "line with a quote", "record"],
)
@pytest.mark.parametrize("chunk", [1, 7, 15])
def test_what_is_too_long_is_one_bad_row(content, limit, message, chunk, monkeypatch):
    monkeypatch.setattr(rows, "_LONGEST", limit)
    monkeypatch.setattr(rows, "_CHUNK_BYTES", chunk)
    (got,) = told(content.format("é" * 6))
    assert got.startswith(message)


@pytest.mark.parametrize("chunk", [1, 7, 15])
def test_a_line_of_the_greatest_length_is_read(chunk, monkeypatch):
    monkeypatch.setattr(rows, "_LONGEST", 15)
    monkeypatch.setattr(rows, "_CHUNK_BYTES", chunk)
    assert read('n,x,y\n"123456789",1,2\n1ééééé,3,4\n', ["x", "y"]) == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize("line", ['a","', '","1","'], ids=["open to the end", "joined"])
def test_quotes_that_are_broken_on_every_line_take_no_more_time_than_others(line):
    # By the minute, if each line looked for its end through all the others.
    errors = []
    assert read("x,y\n1,2\n" + f"{line}\n" * 20_000, ["x", "y"], on_error=errors.append) == [[1.0, 2.0]]
    assert len(errors) >= 10_000


@pytest.mark.parametrize("before", ['1,"a\nb"\n', '1,"a"b\n'], ids=["whole", "broken"])
def test_the_length_of_a_record_is_its_own(before, monkeypatch):
    monkeypatch.setattr(rows, "_LONGEST", 15)
    errors = []
    assert read("x,n\n" + before * 3 + '2,"a\nb"\n', ["x"], on_error=errors.append)[-1] == [2.0]
    assert len(errors) == (0 if "\n" in before[:-1] else 3)


def test_a_json_line_that_is_too_long_is_one_bad_row(monkeypatch):
    monkeypatch.setattr(rows, "_LONGEST", 16)
    monkeypatch.setattr(rows, "_CHUNK_BYTES", 16)
    (message,) = told('{"x": 1, "y": 9}9\n{"x": 1, "y": 2}\n[3, 4]\n[5, 6]', "jsonl")
    assert message == "line 1: longer than 16 bytes; break it up or remove it"


@pytest.mark.parametrize("cell", ["9" * 140_000, '"' + "9" * 140_000 + '"', '"' + "9\n" * 70_000])
def test_a_field_that_is_longer_than_csv_takes_is_refused_on_every_path(cell):
    message = r"row 1 \(line 2\), column 'n': not CSV \(field larger than field limit \(131072\)\)"
    with pytest.raises(TableError, match=message):
        read(f"n,x\n{cell},1\n2,3\n", ["x"])


class Endless:
    """A stream that repeats itself, and counts what was taken of it."""

    def __init__(self, start, text):
        self.start, self.text, self.taken = start, text, 0

    def read1(self, size):
        data, self.start = self.start or self.text * (size // len(self.text)), b""
        self.taken += len(data)
        return data


@pytest.mark.parametrize("text", [b"1,2\n", b'a","\n'], ids=["a quote", "quotes that close and open"])
def test_a_quote_that_is_never_closed_does_not_take_the_stream(text):
    stream = Endless(b'x,y\n1,2\n3,a","\n', text)
    with (
        mock.patch.object(sys, "stdin", mock.Mock(buffer=stream)),
        pytest.raises(TableError, match=r"row 2 \(line 3\)"),
        open_rows("-") as opened,
    ):
        list(opened.blocks(["x"]))
    assert stream.taken < 4 << 20


def test_a_line_that_never_ends_does_not_take_the_memory():
    nines = (b"9" * (1 << 20) for _ in range(64))
    pieces = mock.Mock(read1=mock.Mock(side_effect=itertools.chain([b"x\n1\n"], nines, [b"\n2\n", b""])))
    tracemalloc.start()
    seen, errors, _ = outcome(pieces, "csv", "skip", ["x"])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (seen, errors) == (
        [[1.0], [2.0]],
        ["standard input: row 2 (line 3): longer than 1048576 bytes; break it up or remove it"],
    )
    assert peak < 8 << 20


# Refusals of text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"no names; expected a first line"),
        ("\ufeff", r"no names"),
        ("\n\n", r"no names"),
        ("x,z\n1,2\n", r"no column 'y'; the columns are: x, z"),
        ("x;y\n1;2\n", r"no column 'x'; the columns are: x;y \(expected commas between them, found semicolons\)"),
        ("x\ty\n1\t2\n", r"no column 'x'; .* \(expected commas between them, found tabs\)"),
        ("x;z,y\n1,2\n", r"no column 'x'; the columns are: x;z, y$"),
        ("x,y,x\n1,2,3\n", r"column 3 repeats the name 'x'"),
        ("x, x,y\n1,2,3\n", r"column 2 repeats the name 'x'"),
        ("x,,y\n1,2,3\n", r"column 2 has no name"),
        ("x,y\n1,2\n3\n", r"row 2 \(line 3\): 1 column, expected 2"),
        ("x,y\n1,2\n3,4,\n", r"row 2 \(line 3\): 3 columns, expected 2"),
        ("x,y\n1,2\n \n", r"row 2 \(line 3\): 1 column, expected 2"),
        ("x,y\n1,2\n\n3,abc\n", r"row 2 \(line 4\), column 'y': 'abc' is not a number"),
        ("x,y\n1,2\n,4\n", r"row 2 \(line 3\), column 'x': '' is not a number"),
        ("x,y\n1,2\n  ,4\n", r"row 2 \(line 3\), column 'x': '' is not a number"),
        ("x,y\n1,2\n1_000,4\n", r"row 2 \(line 3\), column 'x': '1_000' is not a number"),
        ("x,y\n1,2\n\u0661,4\n", r"row 2 \(line 3\), column 'x': '\u0661' is not a number"),
        ("x,y\n1,2\n3,4#5\n", r"row 2 \(line 3\), column 'y': '4#5' is not a number"),
        ("x,y\n1,2\n3\0,4\n", r"row 2 \(line 3\), column 'x': '3\\x00' is not a number"),
        ("x,y\n1,2\nnan,4\n", r"row 2 \(line 3\), column 'x': nan is not a finite number"),
        ("x,y\n1,2\n3,-inf\n", r"row 2 \(line 3\), column 'y': -inf is not a finite number"),
        ("x,y\n1,2\n3,1e999\n", r"row 2 \(line 3\), column 'y': inf is not a finite number"),
        ("x,y\ninf,2\n-inf,4\n", r"row 1 \(line 2\), column 'x': inf is not a finite number"),
        ('x,n,y\n1,"a\nb",2\nz,c,4\n', r"row 2 \(line 4\), column 'x': 'z' is not a number"),
        ("x,y\r1,2\r", r"line 1, column 2: not CSV \(new-line character"),
        (b"x,y\n1,2\n\xe9,4\n", r"row 2 \(line 3\): not UTF-8 text; save the file as UTF-8"),
        ("x,y\n1,2\n".encode("utf-16"), r"line 1: not UTF-8 text"),
        ('x,y\n1,"2\n3,4\n', r"row 1"),
        ('x,y,note\n1,2,"open\n3,4,b\n', r"quote"),
    ],
)
def test_bad_csv_is_refused_by_its_place(content, message):
    with pytest.raises(TableError, match=message):
        read(content, ["x", "y"])
    refusal(content)


@pytest.mark.parametrize("chunk", [1, 2, 7, 64])
def test_the_place_of_a_bad_cell_does_not_depend_on_chunks(chunk, monkeypatch):
    monkeypatch.setattr(rows, "_CHUNK_BYTES", chunk)
    content = 'x,n,y\n1,"a\nb",2\n\n3,c,4\n5,"d\n\n",oops\n'
    assert refusal(content).startswith("row 3 (line 8), column 'y': 'oops' is not a number")


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_only_the_first_line_may_have_a_byte_order_mark(chunk, monkeypatch):
    monkeypatch.setattr(rows, "_CHUNK_BYTES", chunk)
    assert refusal("\ufeffx,y\n\ufeff1,2\n").startswith("row 1 (line 2), column 'x': '\\ufeff1' is not a number")


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_the_line_that_is_not_utf8_does_not_depend_on_chunks(chunk, monkeypatch):
    monkeypatch.setattr(rows, "_CHUNK_BYTES", chunk)
    assert refusal(b"x,y\n1,2\n\n\xff,4\n").startswith("row 2 (line 4): not UTF-8")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"not JSON"),
        ('[{"x": 1', r"not JSON .*line 1 column 9"),
        ("[" * 100_000, r"not JSON .*recursion"),
        (b'[{"x": "\xe9"}]', r"not UTF-8 text"),
        ("3", r"expected a list of objects, or an object with 'dataframe_split'"),
        ('{"x": 1}', r"expected a list of objects"),
        ('{"dataframe_split": {"columns": ["x"]}}', r"expected a list of objects"),
        ("[]", r"no rows"),
        ("[{}]", r"no rows"),
        ('[{"x": 1}]', r"no column 'y'; the columns are: x"),
        ('[{"x": 1, "y": 2}, {"x": 3}]', r"row 2: no 'y'"),
        ('[{"x": 1, "y": 2}, 3]', r"row 2: expected an object, or a list of 2 numbers"),
        ('[{"x": 1, "y": 2}, [3]]', r"row 2: expected an object, or a list of 2 numbers"),
        ('[{"x": 1, "y": "2"}]', r"row 1, column 'y': \"2\" is not a number"),
        ('[{"x": 1, "y": null}]', r"row 1, column 'y': null is not a number"),
        ('[{"x": 1, "y": true}]', r"row 1, column 'y': true is not a number"),
        ('[{"x": 1, "y": [2]}]', r"row 1, column 'y': \[2\] is not a number"),
        ('[{"x": 1, "y": NaN}]', r"row 1, column 'y': nan is not a finite number"),
        ('[{"x": 1, "y": 1e999}]', r"row 1, column 'y': inf is not a finite number"),
        ('[{"x": 1, "y": 1' + "0" * 400 + "}]", r"row 1, column 'y': 10+ does not fit a 64-bit float"),
        ('{"dataframe_split": {"columns": ["x", "x"], "data": [[1, 2]]}}', r"column 2 repeats the name 'x'"),
        ('{"dataframe_split": {"columns": ["x", "y"], "data": [[1, 2], [3]]}}', r"row 2: expected .* list of 2"),
        ('{"inputs": {"x": [1, 2], "y": [3]}}', r"the lists in 'inputs' differ in length"),
        ('{"inputs": [[1, 2, 3]]}', r"3 columns without names; expected 2: x, y"),
    ],
)
def test_bad_json_is_refused_by_its_place(content, message):
    with pytest.raises(TableError, match=message):
        read(content, ["x", "y"], "json")
    refusal(content, format="json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"no rows; expected one JSON object a line"),
        ("\n \n", r"no rows"),
        ("{x\n", r"line 1: not JSON"),
        ('\n{"x": 1, "y": 2}\n\n{"x":\n', r"line 4: not JSON"),
        ('{"x": 1, "y": 2}\n' + "[" * 100_000, r"line 2: not JSON .*recursion"),
        ('{"x": 1, "y": 2}\n3\n', r"line 2: expected an object"),
        ('{"x": 1, "y": 2}\n\n{"x": 1, "y": "2"}\n', r"line 3, column 'y': \"2\" is not a number"),
        (b'{"x": 1, "y": 2}\n{"\xff": 1}\n', r"line 2: not UTF-8 text"),
    ],
)
def test_bad_json_lines_are_refused_by_their_line(content, message):
    with pytest.raises(TableError, match=message):
        read(content, ["x", "y"], "jsonl")
    refusal(content, format="jsonl")


@pytest.mark.parametrize("name", ["rows.csv", "rows.json", "rows.jsonl", "rows.npy", "rows"])
def test_a_missing_file_is_refused_by_name(name, tmp_path):
    with pytest.raises(TableError, match=rf"{name}: cannot be read \(No such file or directory\)"):
        read_file(tmp_path / name, ["x"])


def test_a_folder_is_refused_by_name(tmp_path):
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    with pytest.raises(TableError, match=r"folder\.csv: cannot be read"):
        read_file(folder, ["x"])


# Good rows before bad ones


@pytest.mark.parametrize(
    ("content", "format", "error"),
    [
        ("x\n1\n2\nz\n4\n", "csv", "row 3 (line 4), column 'x': 'z' is not a number"),
        ('{"x": 1}\n{"x": 2}\n{"x": "z"}\n{"x": 4}\n', "jsonl", "line 3, column 'x': \"z\" is not a number"),
        ('{"x": 1}\n{"x": 2}\nz\n{"x": 4}\n', "jsonl", "line 3: not JSON"),
        ('[{"x": 1}, {"x": 2}, {"x": "z"}, {"x": 4}]', "json", "row 3, column 'x': \"z\" is not a number"),
    ],
)
def test_rows_before_a_bad_one_come_before_its_error(content, format, error):
    *before, last = events(content, ["x"], format)
    assert before == [[1.0], [2.0]]
    assert last.startswith(error)


def test_npy_rows_before_a_bad_one_come_before_its_error(tmp_path):
    path, seen = tmp_path / "rows.npy", []
    np.save(path, np.array([[1.0], [2.0], [np.nan], [4.0]]))
    with open_rows(path) as opened, pytest.raises(TableError, match=r"row 3, column 'x0': nan is not a finite"):
        list(opened.blocks(["x"]))
    with open_rows(path) as opened, pytest.raises(TableError, match=r"row 3"):
        for block in opened.blocks(["x"]):
            seen += block.tolist()
    assert seen == [[1.0], [2.0]]


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("content", "format", "places"),
    [
        ("x,y\n1,2\nz,z\n3\n\n3,4\n5,nan\n", "csv", ["row 2 (line 3)", "row 3 (line 4)", "row 5 (line 7)"]),
        ("x,y\nz,z\n1,2\n3,4\n", "csv", ["row 1 (line 2)"]),
        ('{"x": 1, "y": 2}\n{"x": 1}\nz\n[3, 4]\n', "jsonl", ["line 2", "line 3"]),
        ('[{"x": 1, "y": 2}, 0, {"x": 3, "y": 4}, {"x": NaN, "y": NaN}]', "json", ["row 2", "row 4"]),
    ],
)
def test_bad_rows_alone_are_left_out_and_each_is_told_once(content, format, places, chunk, monkeypatch):
    monkeypatch.setattr(rows, "_CHUNK_BYTES", chunk)
    errors = []
    assert read(content, ["x", "y"], format, errors.append) == PLAIN
    assert [str(error).partition(": ")[2].partition(",")[0].partition(":")[0] for error in errors] == places


def test_a_bad_npy_row_is_told_once_whatever_number_of_its_cells_is_bad(tmp_path):
    path, errors = tmp_path / "rows.npy", []
    np.save(path, np.array([[1.0, 2.0], [np.nan, np.inf], [3.0, 4.0]]))
    with open_rows(path, on_error=errors.append) as opened:
        got = np.concatenate(list(opened.blocks(["x0", "x1"])))
    assert got.tolist() == PLAIN
    assert [str(error) for error in errors] == [mock.ANY]


@pytest.mark.parametrize("format", ["csv", "jsonl", "npy"])
def test_no_block_is_empty(format, tmp_path):
    path = tmp_path / f"rows.{format}"
    if format == "npy":
        np.save(path, np.full((3, 1), np.nan))
    else:
        path.write_text({"csv": "x\nz\n", "jsonl": '{"x": "z"}\n'}[format])
    with open_rows(path, on_error=lambda _: None) as opened:
        assert list(opened.blocks(["x0" if format == "npy" else "x"])) == []


# .npy


@pytest.mark.parametrize("kind", ["<f8", ">f8", "<f4", "f2", "i8", "u1", "i2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_of_any_real_type_and_order(kind, order, tmp_path):
    np.save(tmp_path / "rows.npy", np.array(PLAIN, kind, order=order))
    assert read_file(tmp_path / "rows.npy", ["x", "y"]) == PLAIN


def test_npy_without_names_has_x0_and_x1(tmp_path):
    np.save(tmp_path / "rows.npy", np.array(PLAIN))
    assert read_file(tmp_path / "rows.npy", ["x1", "x0"]) == [[2.0, 1.0], [4.0, 3.0]]


def test_npy_from_standard_input(tmp_path):
    file = BytesIO()
    np.save(file, np.array(PLAIN))
    assert read(file.getvalue(), ["x", "y"], "npy") == PLAIN


def test_npy_longer_than_a_block(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "_BLOCK_NUMBERS", 4)
    data = np.arange(22.0).reshape(11, 2)
    np.save(tmp_path / "rows.npy", data)
    assert read_file(tmp_path / "rows.npy", ["x0", "x1"]) == data.tolist()


def test_the_row_of_a_bad_npy_cell_is_counted_over_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "_BLOCK_NUMBERS", 4)
    data = np.arange(22.0).reshape(11, 2)
    data[7, 1] = np.inf
    np.save(tmp_path / "rows.npy", data)
    with pytest.raises(TableError, match=r"rows\.npy: row 8, column 'x1': inf is not a finite number"):
        read_file(tmp_path / "rows.npy", ["x0", "x1"])


def record(**fields):
    """Two rows of a structured array."""
    return np.array(list(zip(*(v for _, v in fields.values()), strict=True)), [(k, t) for k, (t, _) in fields.items()])


def test_structured_npy_has_names_and_ignores_text(tmp_path):
    np.save(tmp_path / "rows.npy", record(y=("f4", [2, 4]), note=("U3", ["a", "b"]), x=("i4", [1, 3])))
    assert read_file(tmp_path / "rows.npy", ["x", "y"]) == PLAIN


@pytest.mark.parametrize(
    "data",
    [
        np.array([1.0, 2.0]),
        np.array(1.0),
        np.ones((2, 2, 2)),
        np.ones((2, 2), complex),
        np.array([["1", "2"]]),
        np.ones((0, 2)),
        np.array([["2020-01-01"]], "datetime64[D]"),
        np.array([[1, 2]], object),
        record(x=("U3", ["a", "b"]), y=("f8", [1, 2])),
        record(x=("U3", ["1", "2"]), y=("f8", [1, 2])),
        record(x=("c16", [1, 2]), y=("f8", [1, 2])),
        record(x=("M8[s]", [1, 2]), y=("f8", [1, 2])),
        record(x=(("f8", 2), [(1, 2), (3, 4)]), y=("f8", [1, 2])),
        record(x=("f8", [1, 2]), y=("f8", [1, 2]))[0],
    ],
    ids=lambda data: f"{data.shape} {data.dtype}".replace(" ", ""),
)
def test_npy_of_anything_else_is_refused(data, tmp_path):
    np.save(tmp_path / "rows.npy", data, allow_pickle=True)
    with pytest.raises(TableError, match=r"rows\.npy: .*(number|shape|column)") as caught:
        read_file(tmp_path / "rows.npy", ["x", "y"])
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"x,y\n1,2\n", b"\x93NUMPY", b"\x93NUMPY\x01\x00v\x00{'descr': ((((", b"\x93NUMPY\x09\x00v\x00{}"],
)
def test_what_is_not_npy_is_refused(content, tmp_path):
    path = tmp_path / "rows.npy"
    path.write_bytes(content)
    with pytest.raises(TableError, match=r"rows\.npy: not a \.npy array of numbers"):
        read_file(path, ["x", "y"])


def test_npz_in_the_place_of_npy_is_refused(tmp_path):
    with (tmp_path / "rows.npy").open("wb") as file:
        np.savez(file, a=np.array(PLAIN))
    with pytest.raises(TableError, match=r"rows\.npy: not a \.npy array"):
        read_file(tmp_path / "rows.npy", ["x", "y"])


@pytest.mark.parametrize("content", [b"x,y\n1,2\n", None], ids=["text", "objects"])
def test_nobody_is_told_to_load_what_cannot_be_trusted(content, tmp_path):
    path = tmp_path / "rows.npy"
    np.save(path, np.array([[1, 2]], object), allow_pickle=True)
    if content:
        path.write_bytes(content)
    with pytest.raises(TableError) as caught:
        read_file(path, ["x", "y"])
    assert str(caught.value) == f"{path}: not a .npy array of numbers, or not whole; write one with numpy.save"


def test_npy_cut_short_is_refused(tmp_path):
    path = tmp_path / "rows.npy"
    np.save(path, np.array(PLAIN))
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(TableError, match=r"rows\.npy: not a \.npy array of numbers"):
        read_file(path, ["x", "y"])


def test_parquet_gives_the_numbers_of_its_columns(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"y": [2, 4], "note": ["a", "b"], "x": [1.0, 3.0]}), tmp_path / "rows.parquet")
    assert read_file(tmp_path / "rows.parquet", ["x", "y"]) == PLAIN


def test_nothing_that_is_read_is_other_than_finite():
    errors = []
    content = "x\n" + "\n".join(["1", "inf", "nan", "-inf", "1e400", "2"])
    assert all(math.isfinite(x) for (x,) in read(content, ["x"], on_error=errors.append))
    assert len(errors) == 4


@pytest.mark.parametrize("text", ["{", "{'descr': '<f8', 'fortran_order': False, 'shape': (9**30, 2), }", "((((", "\0"])
def test_a_damaged_npy_header_is_refused(text, tmp_path):
    header = text.encode() + b"\n"
    (tmp_path / "h.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with (
        pytest.raises(TableError, match="h.npy: not a .npy array of numbers, or not whole"),
        open_rows(tmp_path / "h.npy"),
    ):
        pass


@pytest.mark.parametrize("layout", ["plain", "named"])
def test_an_integer_that_float64_would_round_is_refused(layout, tmp_path):
    rows = np.array([[1, 2], [3, 2**53 + 1]])
    np.save(tmp_path / "i.npy", rows if layout == "plain" else np.rec.fromarrays(rows.T, names=["x0", "x1"]))
    with (
        open_rows(tmp_path / "i.npy") as opened,
        pytest.raises(TableError, match="row 2, column 'x1': 9007199254740992 is an integer of 2\\*\\*53 or more"),
    ):
        list(opened.blocks(["x0", "x1"]))


def test_a_damaged_parquet_page_is_refused(tmp_path):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "p.parquet"
    parquet.write_table(pyarrow.table({"a": np.random.default_rng(0).normal(size=5000)}), path, compression="gzip")
    content = bytearray(path.read_bytes())
    content[200:20000] = bytes(19800)
    path.write_bytes(content)
    with open_rows(path) as rows, pytest.raises(TableError, match="p.parquet: damaged after row 0"):
        list(rows.blocks(["a"]))


def test_a_stream_that_cannot_be_read_is_told_as_such(tmp_path, monkeypatch):
    class Broken(BytesIO):
        def read1(self, size=-1):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr("sys.stdin", mock.Mock(buffer=Broken()))
    with pytest.raises(TableError, match="standard input: cannot be read .Input/output error"), open_rows("-"):
        pass
