"""Rows of JSON and JSON Lines: every layout, and every refusal by its place."""

import json

import pytest
from reading import PLAIN, read, refusal, told

from housing_np import TableError
from housing_np.rows import source
from housing_np.rows import text as lines_of

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


@pytest.mark.parametrize("chunk", [1, 2, 7, 64, 1 << 20])
def test_json_lines_are_read_wherever_their_chunks_are_cut(chunk, monkeypatch):
    monkeypatch.setattr(source, "CHUNK_BYTES", chunk)
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


def test_a_json_line_that_is_too_long_is_one_bad_row(monkeypatch):
    monkeypatch.setattr(lines_of, "LONGEST", 16)
    monkeypatch.setattr(source, "CHUNK_BYTES", 16)
    (message,) = told('{"x": 1, "y": 9}9\n{"x": 1, "y": 2}\n[3, 4]\n[5, 6]', "jsonl")
    assert message == "line 1: longer than 16 characters; break it up or remove it"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"not JSON"),
        ('[{"x": 1', r"not JSON .*line 1 column 9"),
        ("[" * 100_000, r"not JSON .*recursion"),
        (b'[{"x": "\xe9"}]', r"not UTF-8 text"),
        ("3", r"expected a list of rows, one object, or an object with 'instances'"),
        ('{"x": 1}', r"no column 'y'; the columns are: x"),
        ('{"x": {"y": [1]}, "z": 2}', r"expected a list of rows, one object"),
        ("[]", r"no rows"),
        ("[{}]", r"row 1: expected an object"),
        ("[3]", r"row 1: expected .*, found the number 3: wrap the numbers of a row in a list, \[\[3, …\]\]"),
        ('[{"x": 1}]', r"no column 'y'; the columns are: x"),
        ('[{"x": 1, "y": 2}, {"x": 3}]', r"row 2: no 'y'"),
        ('[{"x": 1, "y": 2}, 3]', r"row 2: expected an object, or a list of 2 numbers"),
        ('[{"x": 1, "y": 2}, [3]]', r"row 2: expected an object, or a list of 2 numbers"),
        ('[{"x": 1, "y": "2"}]', r"row 1, column 'y': \"2\" is not a number"),
        ('[{"x": 1, "y": null}]', r"row 1, column 'y': null stands for a missing number; fill it in"),
        ('[{"x": 1, "y": true}]', r"row 1, column 'y': true is a truth value, not a number; write 1"),
        ('[{"x": 1, "y": [2]}]', r"row 1, column 'y': \[2\] is not a number"),
        ('[{"x": 1, "y": NaN}]', r"row 1, column 'y': nan is not a finite number"),
        ('[{"x": 1, "y": 1e999}]', r"row 1, column 'y': inf is not a finite number"),
        ('[{"x": 1, "y": 1' + "0" * 400 + "}]", r"row 1, column 'y': 10+… does not fit a 64-bit float"),
        ('{"dataframe_split": {"columns": ["x", "x"], "data": [[1, 2]]}}', r"column 2 repeats the name 'x'"),
        ('{"dataframe_split": {"columns": ["x", "y"], "data": [[1, 2], [3]]}}', r"row 2: expected .* list of 2"),
        ('{"inputs": {"x": [1, 2], "y": [3]}}', r"the lists of its columns differ in length"),
        ('{"inputs": [[1, 2, 3]]}', r"row 1: expected an object, or a list of 2 numbers, found a list of 3: x, y"),
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
