"""Rows of every format: what all readers have in common, wherever a stream is cut."""

import json
import sys
from io import BytesIO
from pathlib import Path
from typing import get_args
from unittest import mock

import numpy as np
import pytest
from cases import every
from hypothesis import given
from hypothesis import strategies as st
from reading import PLAIN, Pieces, events, outcome, read, read_file, stdin, told
from strategies import drawn

from housing_np import TableError
from housing_np.rows import FORMATS, Format, format_of, open_rows
from housing_np.rows.columns import Columns
from housing_np.rows.formats import titles
from housing_np.rows.numbered import numbered
from housing_np.rows.rows import BLOCK_NUMBERS
from housing_np.rows.table import open_table

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_columns_keep_the_order_of_the_file(format):
    content = {"csv": "b,a\n1,2\n", "jsonl": '{"b": 1, "a": 2}\n'}[format]
    with stdin(content), open_rows("-", format) as opened:
        assert (opened.columns, opened.named) == (("b", "a"), True)


@every(
    ("path", "format"),
    [("a.csv", "csv"), ("A.JSON", "json"), ("a.jsonl", "jsonl"), ("a.ndjson", "jsonl"), ("a.npy", "npy"), ("a", None)],
)
def test_the_end_of_a_name_tells_the_format(path, format):
    assert format_of(path) == format


def test_every_format_has_a_reader_and_a_name_that_the_type_knows():
    assert tuple(FORMATS) == get_args(Format)
    assert all(callable(each.load()) for each in FORMATS.values())


@pytest.mark.parametrize("what", ["endings", "media_types"])
def test_no_two_formats_share_an_ending_or_a_media_type(what):
    found = [each for format in FORMATS.values() for each in getattr(format, what)]
    assert len(set(found)) == len(found)


def page(name):
    return " ".join((ROOT / name).read_text().replace("`", "").split())


def test_the_readme_lists_all_formats():
    assert f"Rows come in {titles()} (" in page("README.md")


def test_the_page_of_the_server_lists_the_media_type_of_every_format():
    missing = [each.name for each in FORMATS.values() if each.media_types[0] not in page("docs/serving.md")]
    assert missing == []


def test_the_page_of_the_server_lists_the_formats_without_answers():
    others = " or ".join(each.title for each in FORMATS.values() if not each.answer_type)
    assert f"Requests in {others} are answered in JSON" in page("docs/serving.md")


def test_a_name_that_says_nothing_is_csv(tmp_path):
    path = tmp_path / "rows.txt"
    path.write_text("x,y\n1,2\n3,4\n")
    assert read_file(path, ["x", "y"]) == PLAIN


def test_a_format_that_is_given_is_stronger_than_the_name(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text('[{"x": 1, "y": 2}, {"x": 3, "y": 4}]')
    assert read_file(path, ["x", "y"], format="json") == PLAIN


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["json", "jsonl", "csv"]))
def test_formats_give_the_same_bits(number, format):
    content = {"json": f'[{{"x": {number!r}}}]', "jsonl": f'{{"x": {number!r}}}', "csv": f"x\n{number!r}"}[format]
    assert read(content, ["x"], format)[0][0].hex() == number.hex()


def test_more_rows_than_a_block_holds_are_all_read():
    names = [f"x{i}" for i in range(1000)]
    lines = [json.dumps([i] * 1000) for i in range(600)]
    with stdin("\n".join(lines)), open_rows("-", "jsonl") as opened:
        blocks = list(opened.blocks(names))
    assert len(blocks) > 1 and max(block.size for block in blocks) <= BLOCK_NUMBERS
    assert [row[0] for block in blocks for row in block.tolist()] == list(range(600))


@pytest.mark.parametrize(
    ("format", "first", "others"),
    [
        ("csv", "x,y\n1,2\n", "3,4\n"),
        ("csv", 'x,n,y\n1,"a\nb",2\n', "3,c,4\n"),
        ("jsonl", '{"x": 1, "y": 2}\n', '{"x": 3, "y": 4}\n'),
        ("jsonl", '{"x": 1, "y": 2, "note": "5\\""}\n', '{"x": 3, "y": 4}\n'),
    ],
)
def test_a_row_is_given_before_the_next_ones_have_come(format, first, others):
    pieces = Pieces((first + others * 100).encode(), [8])
    with mock.patch.object(sys, "stdin", mock.Mock(buffer=pieces)), open_rows("-", format) as opened:
        blocks = opened.blocks(["x", "y"])
        assert next(blocks).tolist() == [[1.0, 2.0]]
        assert pieces.stream.tell() <= len(first) + 16


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
@given(st.data(), st.sampled_from(["skip", "stop"]))
@drawn(100, weekly=1000)
def test_what_is_read_and_refused_does_not_depend_on_the_pieces_of_a_stream(format, tokens, starts, data, on_error):
    content = data.draw(st.sampled_from(starts)) + b"".join(data.draw(st.lists(st.sampled_from(tokens), max_size=20)))
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=1))
    expected = outcome(BytesIO(content), format, on_error)
    assert outcome(Pieces(content, sizes), format, on_error) == expected


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
    advice = "save the file as UTF-8, or say encoding='cp1252' if Excel wrote it"
    assert told(content, format) == [f"{place}: not UTF-8 text; {advice}"]


def test_a_format_that_there_is_not_is_refused(tmp_path):
    with pytest.raises(TableError, match=r"^format is 'xls': expected one of csv, json, jsonl, npy, parquet$"):
        read_file(tmp_path / "rows.xls", ["x"], format="xls")


@pytest.mark.parametrize("name", ["rows.csv", "rows.json", "rows.jsonl", "rows.npy", "rows"])
def test_a_missing_file_is_refused_by_name(name, tmp_path):
    with pytest.raises(TableError, match=rf"{name}: cannot be read \(No such file or directory\)"):
        read_file(tmp_path / name, ["x"])


def test_a_folder_is_refused_by_name(tmp_path):
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    with pytest.raises(TableError, match=r"folder\.csv: cannot be read \(a folder\); give a file in it$"):
        read_file(folder, ["x"])


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


@every("piece", [1, 7, 1 << 20])
@every(
    ("content", "format", "places"),
    [
        ("x,y\n1,2\nz,z\n3\n\n3,4\n5,nan\n", "csv", ["row 2 (line 3)", "row 3 (line 4)", "row 5 (line 7)"]),
        ("x,y\nz,z\n1,2\n3,4\n", "csv", ["row 1 (line 2)"]),
        ('{"x": 1, "y": 2}\n{"x": 1}\nz\n[3, 4]\n', "jsonl", ["line 2", "line 3"]),
        ('[{"x": 1, "y": 2}, 0, {"x": 3, "y": 4}, {"x": NaN, "y": NaN}]', "json", ["row 2", "row 4"]),
    ],
)
def test_bad_rows_alone_are_left_out_and_each_is_told_once(content, format, places, piece):
    errors = []
    assert read(content, ["x", "y"], format, errors.append, piece) == PLAIN
    assert [str(error).partition(": ")[2].partition(",")[0].partition(":")[0] for error in errors] == places


@pytest.mark.parametrize("format", ["csv", "jsonl", "npy"])
def test_no_block_is_empty(format, tmp_path):
    path = tmp_path / f"rows.{format}"
    if format == "npy":
        np.save(path, np.full((3, 1), np.nan))
    else:
        path.write_text({"csv": "x\nz\n", "jsonl": '{"x": "z"}\n'}[format])
    with open_rows(path, on_error=lambda _: None) as opened:
        assert list(opened.blocks(["x0" if format == "npy" else "x"])) == []


def test_a_stream_that_cannot_be_read_is_told_as_such(monkeypatch):
    class Broken(BytesIO):
        def read1(self, size=-1):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr("sys.stdin", mock.Mock(buffer=Broken()))
    with pytest.raises(TableError, match="standard input: cannot be read .Input/output error"), open_rows("-"):
        pass


LEVELS = Columns(("k",), levels={"k": tuple(map(str, range(1000)))})
OF_LEVELS = "k,y\n" + "".join(f"{i % 1000},{i}\n" for i in range(2000))


def test_a_block_of_features_is_no_larger_than_one_of_cells():
    with stdin(OF_LEVELS), open_rows("-", "csv") as opened:
        blocks = list(opened.blocks(LEVELS))
    assert max(block.size for block in blocks) <= BLOCK_NUMBERS
    assert np.concatenate(blocks).tolist() == np.tile(np.eye(1000)[:, 1:], (2, 1)).tolist()


def test_a_block_of_numbered_features_is_no_larger_and_stays_in_step():
    with stdin(OF_LEVELS), open_rows("-", "csv") as opened:
        blocks = list(numbered(opened, LEVELS, "y"))
    assert max(block.X.size for block in blocks) <= BLOCK_NUMBERS
    assert [number for block in blocks for number in block.numbers] == list(range(1, 2001))
    assert [cell for block in blocks for cell in block.copied] == list(map(str, range(2000)))


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_block_of_features_to_train_on_is_no_larger(in_memory, tmp_path):
    (tmp_path / "t.csv").write_text(OF_LEVELS)
    blocks = list(open_table(tmp_path / "t.csv", "y", categories=["k"], in_memory=in_memory))
    assert max(X.size for X, _ in blocks) <= BLOCK_NUMBERS
    assert np.concatenate([y for _, y in blocks]).tolist() == list(range(2000))
