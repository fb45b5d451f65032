"""Rows of JSON and JSON Lines: every layout, and every refusal by its place."""

import itertools
import json
import sys
import time
from unittest import mock

import pytest
from cases import every
from reading import PLAIN, Endless, read, refusal, stdin, told

from housing_np import TableError
from housing_np.rows import json_forms, open_rows
from housing_np.rows.json_forms import find_rows

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


@every("piece", [1, 2, 7, 64, 1 << 20])
def test_json_lines_are_read_wherever_their_chunks_are_cut(piece):
    content = '\ufeff\n{"x": 1, "y": 2, "größe": "5\\" \\n"}\r\n\n  \n{"y": 4, "note": "\\"", "x": 3}'
    assert read(content, ["x", "y"], "jsonl", piece=piece) == PLAIN


@every("document", JSONS.values(), ids=JSONS)
@every("mark", ["", "\ufeff"], ids=["", "byte order mark"])
def test_json_is_read_in_every_layout(document, mark):
    assert read(mark + json.dumps(document), ["x", "y"], "json") == PLAIN


def test_a_single_json_object_of_inputs_is_one_row():
    assert read('{"inputs": {"x": 1, "y": 2}}', ["x", "y"], "json") == [[1.0, 2.0]]


def test_json_lines_may_be_lists():
    assert read("[1, 2]\n[3, 4]\n", ["x", "y"], "jsonl") == PLAIN


@every("first", ["{", "7", "{}", "[]", "null", '"x"'])
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


def test_a_json_line_that_is_too_long_is_one_bad_row():
    spaces = " " * ((4 << 20) - len('{"x": 1, "y": 9}'))
    (message,) = told(f'{{"x": 1, "y": 9{spaces}}}9\n{{"x": 1, "y": 2{spaces}}}\n[3, 4]\n[5, 6]', "jsonl")
    assert message == "line 1: longer than 4194304 characters; break it up or remove it"


@every(
    ("content", "message"),
    [
        ("", r"not JSON"),
        ('[{"x": 1', r"not JSON .*line 1 column 9"),
        ("[" * 100_000, r"not JSON .*recursion"),
        (b'[{"x": "\xe9"}]', r"not UTF-8 text; save the file as UTF-8, or say encoding='cp1252'"),
        ('[{"x": 1}]\n[{"x": 2}]\n', r"Extra data: line 2.*; if files are joined, give each by itself$"),
        ("[1, 2]\n[3, 4]\n", r"Extra data: line 2.*; if it is an object a line, say format='jsonl'"),
        ('{"x": 1}{"x": 2}\n', r"Extra data: line 1.*; write each row in a line of its own$"),
        ("3", r"expected a list of rows, one object, or an object with 'instances'"),
        ('{"x": 1}', r"no column 'y'; the columns are: x"),
        ("{}", r"expected a list of rows, one object"),
        ('{"instances": null}', r"expected a list of rows, one object"),
        ('{"x": [1], "y": 2}', r"row 1, column 'x': \[1\] is not a number"),
        ("[{}]", r"row 1: expected an object"),
        ("[3]", r"row 1: expected .*, found the number 3: wrap the numbers of a row in a list, \[\[3, …\]\]"),
        ('[{"x": 1}]', r"no column 'y'; the columns are: x"),
        ('[{"x": 1, "y": 2}, {"x": 3}]', r"row 2: no 'y'"),
        ('[{"x": 1, "y": 2}, 3]', r"row 2: expected an object, or a list of 2 numbers"),
        ('[{"x": 1, "y": 2}, [3]]', r"row 2: expected an object, or a list of 2 numbers"),
        ('[{"x": 1, "y": "2"}]', r"row 1, column 'y': \"2\" is not a number"),
        ('[{"x": 1, "y": null}]', r"row 1, column 'y': null stands for a missing number; fill it in"),
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


@every(
    ("content", "message"),
    [
        ("{x\n", r"line 1: not JSON"),
        ('\n{"x": 1, "y": 2}\n\n{"x":\n', r"line 4: not JSON"),
        ('{"x": 1, "y": 2}\n' + "[" * 100_000, r"line 2: not JSON .*recursion"),
        ('{"x": 1, "y": 2}\n3\n', r"line 2: expected an object"),
        ('{"x": 1, "y": 2}\n{"x": 1, "y": 2}{"x": 3, "y": 4}\n', r"line 2: .*; write each row in a line of its own \("),
        ('{"x": 1, "y": 2}\n\n{"x": 1, "y": "2"}\n', r"line 3, column 'y': \"2\" is not a number"),
        (b'{"x": 1, "y": 2}\n{"\xff": 1}\n', r"line 2: not UTF-8 text"),
    ],
)
def test_bad_json_lines_are_refused_by_their_line(content, message):
    with pytest.raises(TableError, match=message):
        read(content, ["x", "y"], "jsonl")
    refusal(content, format="jsonl")


# Bodies of servers and of data frames


BODIES = {
    "V2, a tensor of rows": {"inputs": [{"name": "in", "shape": [2, 2], "datatype": "FP64", "data": [1, 2, 3, 4]}]},
    "V2, nested data": {"inputs": [{"name": "in", "shape": [2, 2], "datatype": "INT64", "data": PLAIN}]},
    "V2, a tensor a feature": {
        "id": "7",
        "inputs": [
            {"name": "y", "shape": [2], "datatype": "FP32", "data": [2, 4]},
            {"name": "x", "shape": [2, 1], "datatype": "FP64", "data": [1, 3]},
        ],
    },
    "pandas' split": {"columns": ["y", "x"], "index": [0, 1], "data": [[2, 1], [4, 3]]},
    "pandas' columns": {"x": {"0": 1, "1": 3}, "y": {"0": 2, "1": 4}},
    "pandas' table": {
        "schema": {"fields": [{"name": "index"}, {"name": "x"}, {"name": "y"}], "primaryKey": ["index"]},
        "data": [{"index": 0, "x": 1, "y": 2}, {"index": 1, "x": 3, "y": 4}],
    },
    "pandas' lists": {"x": [1, 3], "y": [2, 4]},
    "Azure, split": {"input_data": {"columns": ["x", "y"], "index": [0, 1], "data": PLAIN}},
    "Azure, lists": {"input_data": PLAIN},
    "Azure, objects": {"input_data": [{"x": 1, "y": 2}, {"x": 3, "y": 4}]},
    "pandas' rows": {"0": {"x": 1, "y": 2}, "1": {"x": 3, "y": 4}},
    "V2, and a text": {
        "inputs": [
            {"name": "x", "shape": [2], "datatype": "FP32", "data": [1, 3]},
            {"name": "town", "shape": [2], "datatype": "BYTES", "data": ["a", "b"]},
            {"name": "y", "shape": [2], "datatype": "FP64", "data": [2, 4]},
        ]
    },
    "SageMaker": {"instances": [{"features": [1, 2]}, {"features": [3, 4]}]},
    "SageMaker, nested": {"instances": [{"data": {"features": {"values": row}}} for row in PLAIN]},
}


@every("document", BODIES.values(), ids=BODIES)
def test_bodies_of_servers_and_data_frames_are_read(document):
    assert read(json.dumps(document), ["x", "y"], "json") == PLAIN


def test_the_index_of_pandas_table_is_no_column():
    with stdin(json.dumps(BODIES["pandas' table"])), open_rows("-", "json") as opened:
        assert (opened.columns, list(opened.left_out)) == (("x", "y"), ["index"])


def test_a_bare_object_is_one_row():
    for body in (
        '{"y": 2, "x": 1}',
        '{"y": 2, "x": 1, "n": [1]}',
        '{"instances": {"x": 1, "y": 2}}',
        '{"features": [1, 2]}',
    ):
        assert read(body, ["x", "y"], "json") == [[1.0, 2.0]]


def test_lines_of_sagemaker_are_rows():
    assert read('{"features": [1, 2]}\n{"features": [3, 4]}\n', ["x", "y"], "jsonl") == PLAIN


def test_a_feature_may_be_called_features():
    assert read('[{"features": 1, "data": 2}]', ["features", "data"], "json") == [[1.0, 2.0]]


def test_a_request_of_the_protocol_is_known_by_its_form():
    with stdin(json.dumps(BODIES["V2, a tensor a feature"])), open_rows("-", "json") as opened:
        assert opened.request == ("v2", "7", ())


@every(
    ("tensor", "message"),
    [
        ({"shape": [2, 3]}, r"input 'in' has shape \[2, 3\] and 4 numbers"),
        ({"datatype": "BYTES"}, r"input 'in' has datatype BYTES; expected one of BOOL"),
        ({"data": [1, 2, 3, "4"]}, r"row 2, column 'y': \"4\" is not a number but text"),
        ({"shape": [-2, -2]}, r"shape \[-2, -2\]"),
        ({"shape": [2, 2, 1]}, r"expected one tensor \[rows, features\]"),
        ({"data": None}, r"an input needs 'name', 'shape', 'datatype' and 'data'"),
    ],
)
def test_a_tensor_that_is_not_one_is_refused(tensor, message):
    whole = {"name": "in", "shape": [2, 2], "datatype": "FP64", "data": [1, 2, 3, 4], **tensor}
    with pytest.raises(TableError, match=message):
        read(json.dumps({"inputs": [whole]}), ["x", "y"], "json")


@pytest.mark.parametrize("shape", [[3], [3, 1]])
def test_a_tensor_of_text_is_a_column(shape):
    tensor = {"name": "sea", "shape": shape, "datatype": "BYTES", "data": ["far", "", "a, b"]}
    assert find_rows({"inputs": [tensor]}).rows == [["far"], [""], ["a, b"]]


def test_a_tensor_of_text_beside_others_stays_text():
    inputs = [
        {"name": "sea", "shape": [2, 1], "datatype": "BYTES", "data": [["1"], ["near"]]},
        {"name": "age", "shape": [2], "datatype": "FP64", "data": [41, 2]},
    ]
    found = find_rows({"inputs": inputs})
    assert (found.columns, found.rows) == (("sea", "age"), [["1", 41], ["near", 2]])


@pytest.mark.parametrize("bad", ['{"x": 3, "y": 4, "x": 5}', '{"x": 3, "y": 4, "z": [{"x": 1, "x": 2}]}'])
def test_a_line_with_a_doubled_key_is_a_bad_row(bad):
    content = f'{{"x": 1, "y": 2}}\n{bad}\n'
    assert refusal(content, format="jsonl").startswith("line 2: the key 'x' stands twice in one object")
    errors = []
    assert read(content, ["x", "y"], "jsonl", errors.append) == [[1.0, 2.0]]
    assert len(errors) == 1


def test_the_line_of_a_doubled_key_is_told():
    assert "(line 4)" in refusal('[\n{"x": 1,\n"y": 2,\n"x": 3\n}]', format="json")


@every(
    ("content", "key"),
    [
        ('{"instances": [[1, 2]], "instances": [[3, 4]]}', "instances"),
        ('{"x": 1, "y": 2, "x": 3}', "x"),
        ('{"dataframe_split": {"columns": ["x"], "data": [[1]], "data": [[2]]}}', "data"),
        ('{"x": {"0": 1, "0": 2}, "y": {"0": 3}}', "0"),
        ('[{"x": 1, "y": 2},\n{"x": 3, "y": 4,\n"x": 5}]', "x"),
        ('[{"x": 1, "y": 2, "z": {"x": 1}}, {"x": 3, "x": 3, "y": 4}]', "x"),
        ('[{"x": 1, "y": 2}, {"x": 3, "y": 4, "z": {"x": 1, "x": 2}}]', "x"),
    ],
)
def test_a_document_with_a_doubled_key_is_refused(content, key):
    assert f"the key {key!r} stands twice" in refusal(content, format="json")


def test_a_doubled_key_in_the_only_line_is_named():
    assert refusal('{"x": 1, "y": 2, "x": 3}\n', format="jsonl").startswith("line 1: the key 'x' stands twice")


@pytest.mark.parametrize("format", ["json", "jsonl"])
def test_a_row_is_skipped_for_what_is_in_it_and_not_for_its_place(format):
    rows = ['{"x": 1, "y": 2}', '{"x": 3, "y": 4, "z": 5}', '{"x": 9}', '{"x": 9, "y": null}']
    for order in itertools.permutations(rows):
        content = "\n".join(order) if format == "jsonl" else f"[{','.join(order)}]"
        assert sorted(read(content, ["x", "y"], format, lambda _: None)) == PLAIN, order


@every(
    ("content", "format", "hint"),
    [
        ("x,y\n1,2\n", "json", "if it is CSV, say format='csv'"),
        ('"x","y"\n1,2\n', "json", "if it is CSV"),
        ("x,y\n1,2\n", "jsonl", "if it is CSV"),
        ('{"x": 1, "y": 2}\n{"x": 3, "y": 4}\n', "json", "say format='jsonl'"),
        ('[\n{"x": 1, "y": 2}\n]', "jsonl", "say format='json'"),
        ('{"instances": [[1, 2]]}', "jsonl", "say format='json'"),
        ("{x: 1, y: 2}", "json", "names need double quotes"),
    ],
)
def test_another_format_is_told_as_that(content, format, hint):
    assert hint in refusal(content, format=format)


def test_the_numbers_of_a_row_have_to_be_wrapped():
    assert "wrap the numbers of a row in a list" in refusal('{"instances": [3, 10]}', format="json")


def test_names_that_are_near_are_suggested():
    assert refusal('[{"X": 1, "y": 2}]', format="json").endswith("(did you mean 'X'?)")
    assert "did you mean" not in refusal('[{"X": 1, "why": 2}]', format="json")


@every("place", [0, 1, 150])
@every("format", ["json", "jsonl"])
def test_the_columns_are_those_that_most_rows_have(format, place):
    lines = ['{"x": 1, "y": 2}'] * 200
    for odd in ('{"x": 1}', '{"q": 1}', '{"x": 1, "y": 2, "z": 3}'):
        lines[place] = odd
        content = "\n".join(lines) if format == "jsonl" else f"[{','.join(lines)}]"
        with stdin(content), open_rows("-", format) as opened:
            assert opened.columns == ("x", "y")


@pytest.mark.parametrize("format", ["json", "jsonl"])
def test_a_column_of_text_is_told_as_that(format):
    rows = ['{"x": null, "y": 2, "t": ""}', '{"x": 1, "y": 2, "t": "<1H OCEAN"}', '{"x": 1, "y": 2, "t": "INLAND"}']
    content = "\n".join(rows) if format == "jsonl" else f"[{','.join(rows)}]"
    assert refusal(content, ["x", "t"], format) == "column 't' holds text ('<1H OCEAN'), not numbers"


def nested(depth, kind):
    return {"lists": "[" * depth + "]" * depth, "objects": '{"a":' * depth + "1" + "}" * depth}[kind]


@pytest.mark.parametrize("kind", ["lists", "objects"])
@pytest.mark.parametrize("form", ["{}", '{{"x": {}, "y": 1}}'])
def test_a_row_that_nests_deep_is_a_bad_row_whatever_its_depth(kind, form):
    # How deep Python goes depends on who calls: so every depth around its limit.
    for depth in (*range(850, 1000), 100_000):
        bad = form.format(nested(depth, kind))
        content = '{"x": 1, "y": 2}\n' + bad + '\n{"x": 3, "y": 4}\n'
        errors = []
        assert read(content, ["x", "y"], "jsonl", errors.append) == PLAIN
        (error,) = map(str, errors)
        assert error.startswith("standard input: line 2")
        assert len(error) < 300


@pytest.mark.parametrize("key", ["inputs", "dataframe_split", "instances"])
def test_a_document_that_nests_deep_is_refused_whatever_its_depth(key):
    for depth in (*range(300, 1000, 9), 100_000):
        content = f'{{"{key}": ' * depth + '{"columns": ["x", "y"], "data": [[1, 2], [3, 4]]}' + "}" * depth
        try:
            assert read(content, ["x", "y"], "json") == PLAIN
        except TableError as error:
            assert len(str(error)) < 300  # noqa: PT017


def test_a_document_that_is_too_large_to_be_read_whole_is_refused_before_it_is():
    stream = Endless(b"[", b"[1.0, 2.0],\n")
    with (
        mock.patch.object(sys, "stdin", mock.Mock(buffer=stream)),
        pytest.raises(TableError, match="larger than 64 MiB, and a JSON document is read whole.*; write JSON Lines"),
        open_rows("-", "json"),
    ):
        pass
    assert stream.taken < 68 << 20


def test_lines_that_are_no_rows_are_told_once_before_the_first_that_is_one():
    errors = []
    assert read("7\n" * 99 + '{"x": 1}\n', ["x"], "jsonl", errors.append, piece=1) == [[1.0]]
    assert len(errors) == 99


def test_a_stream_without_a_row_does_not_fill_the_memory():
    stream = mock.Mock(read1=mock.Mock(side_effect=[*[b"7\n" * 1000] * 20, b""]))
    message = "no rows among the first 100 lines; expected one JSON object a line"
    with (
        mock.patch.object(sys, "stdin", mock.Mock(buffer=stream)),
        pytest.raises(TableError, match=message),
        open_rows("-", "jsonl", lambda _: None),
    ):
        pass
    assert stream.read1.call_count == 1


def tensors(*inputs):
    return json.dumps({"inputs": [{"name": name, "datatype": "FP64", **each} for name, each in inputs]})


def test_nested_data_of_a_tensor_are_in_order():
    body = tensors(("in", {"shape": [2, 2], "data": [1, [2, [[3]], []], [[[4]]]]}))
    assert read(body, ["x", "y"], "json") == PLAIN


def test_each_list_of_nested_data_is_looked_at_once():
    deep = json.loads("[" * 900 + "1" + "]" * 900)
    start = time.process_time()
    assert json_forms._flat([1] * 500_000 + deep) == [1] * 500_001
    assert time.process_time() - start < 1  # a minute, if all were looked at for each level


@pytest.mark.parametrize("shape", [["9" * 4290] * 240, ["9" * 19] * 50_000])
@pytest.mark.parametrize("first", [1, 0])
def test_sizes_of_many_digits_are_not_multiplied(shape, first):
    sizes = ",".join([str(first), *shape])
    body = f'{{"inputs": [{{"name": "x", "datatype": "FP64", "shape": [{sizes}], "data": [{1 if first else ""}]}}]}}'
    start = time.process_time()
    refusal(body, ["x"], "json")
    assert time.process_time() - start < 1


@pytest.mark.parametrize("format", ["json", "jsonl"])
def test_a_list_of_more_numbers_than_a_block_holds_is_refused(format):
    content = "[" + "1," * 300_000 + "1]"
    message = "300,001 columns; expected at most 262,144"
    assert refusal(content if format == "jsonl" else f"[{content}]", ["x"], format) == message
