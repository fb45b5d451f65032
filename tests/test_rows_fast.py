"""Large files: pyarrow's parsers give the numbers, the errors and their places that reading row by row gives."""

import json
from unittest import mock

import damage
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from housing_np import TableError
from housing_np.rows import csv as csv_rows
from housing_np.rows import json as json_rows
from housing_np.rows import open_rows, source, stop
from housing_np.rows.cells import Cells
from housing_np.rows.csv_dialect import Dialect

arrow_csv = pytest.importorskip("housing_np.rows.arrow_csv")
arrow_json = pytest.importorskip("housing_np.rows.arrow_json")
READERS = {"csv": (csv_rows, arrow_csv.Parser), "jsonl": (json_rows, arrow_json.Parser)}


def nothing(*_):
    return None


def read(path, format, parser, is_skipped, takes_missing, levels, chunk):
    """What becomes of a file: its rows, the errors of bad ones, the error that ends it, and the levels that it has."""
    rows, errors, end, cells = [], [], None, []
    module = READERS[format][0]
    with (
        mock.patch.object(module, "fast_parser", return_value=parser),
        mock.patch.object(module, "allowed_threads", return_value=1),
        mock.patch.object(arrow_csv, "_PART", 8),
        mock.patch.object(source, "CHUNK_BYTES", chunk),
    ):
        try:
            with open_rows(path, format, errors.append if is_skipped else stop) as opened:
                cells = [
                    Cells(name, {} if name in levels else None, takes_missing, 1000 if name in levels else 0)
                    for name in opened.columns
                    if name != "ignored"
                ]
                for block in opened.read(cells):
                    rows += named(block, cells)
        except TableError as error:
            end = str(error)
    return rows, [(str(error), error.column) for error in errors], end, [each.is_full for each in cells]


def named(block, cells):
    """Return rows with the names of levels, whose positions depend on the order of reading."""
    levels = [each.levels and {float(position): name for name, position in each.levels.items()} for each in cells]
    return [
        [
            repr(value) if known is None else known.get(value, repr(value))
            for value, known in zip(row, levels, strict=True)
        ]
        for row in block.tolist()
    ]


def agree(path, format, *how):
    for chunk in (1 << 20, 16):
        plain = read(path, format, nothing, *how, chunk)
        assert read(path, format, READERS[format][1](), *how, chunk) == plain


HOW = (st.booleans(), st.booleans(), st.sampled_from([(), ("b",)]))
CELLS = st.one_of(
    st.sampled_from(
        [
            "1",
            "2.5",
            "",
            " 3 ",
            "NA",
            "true",
            "False",
            "x",
            "9007199254740993",
            "9007199254740992",
            "-inf",
            "-nan",
            "+4",
        ]
        + [
            "1e400",
            '"5"',
            '"6, 7"',
            '"say ""8"""',
            '"9\n10"',
            '""',
            '"',
            'a"b',
            '"a"b',
            " ",
            "\x0b7",
            "1_0",
            "nAn",
            '" 2"',
        ]
    ),
    st.floats(allow_nan=False).map(repr),
    st.text('",\n 1é', max_size=5),
)
LINES = st.one_of(
    st.lists(CELLS, min_size=3, max_size=3).map(",".join),
    st.lists(CELLS, max_size=4).map(",".join),
    st.just("1,2,3"),
    st.just('4,5,"far, away"'),
)


@given(st.lists(LINES, max_size=12), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans(), *HOW)
@example(['1,2,"a', 'b",3', "4,5,6"], "\n", True, False, True, False, ())
@example(["1,2,3", "1,2,x", "1,2", "4,9007199254740993,6"], "\n", True, False, False, False, ())
@example(["1,x,3", "1,y,3", "1,z,3", "q,w,3"], "\n", True, False, True, False, ("b",))
def test_csv_of_any_kind(tmp_path_factory, lines, end, ends, marked, is_skipped, takes_missing, levels):
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    text = "\n".join(["a,b,ignored", *lines]) + "\n" * ends
    path.write_bytes((("\ufeff" if marked else "") + text).replace("\n", end).encode())
    agree(path, "csv", is_skipped, takes_missing, levels)


VALUES = st.one_of(
    st.sampled_from([1, 2.5, None, True, False, "x", " y ", "NA", 2**53 + 1, 2**53, [1], {"c": 1}, "é\n", '"', -0.0]),
    st.floats(),
)
OBJECTS = st.one_of(
    st.tuples(VALUES, VALUES, VALUES).map(lambda row: json.dumps(dict(zip("ab", row, strict=False), ignored=row[2]))),
    st.dictionaries(st.sampled_from(["a", "b", "c", "ignored", "features"]), VALUES).map(json.dumps),
    st.just('{"a":1,"b":"near","ignored":"x"}'),
    st.just('{"a": 1, "b": 2, "ignored": null}'),
    st.sampled_from(
        ["null", "", "  ", "[1, 2, 3]", '{"a":1,"a":2,"b":3,"ignored":1}', '{"a":1,"b":3,"ignored":1,"ignored":2}']
        + ['{"a":1,"b":2,"ignored":01}', '{"a":Inf,"b":2,"ignored":1}', '{"a":1,"b":2,"ignored":Inf}', '{"a":1,"b":2}']
        + ['{"a":1,"b":2,"ignored":3}{"a":1,"b":2,"ignored":3}', '{"a":1,"b":2', "x", '{"\\u0061":1,"b":2,"ignored":3}']
    ),
)


@given(st.lists(OBJECTS, max_size=12), st.sampled_from(["\n", "\r\n"]), st.booleans(), *HOW)
@example(['{"a":1,"b":2,"ignored":3}', '{"a":1,"b":', '2,"ignored":3}'], "\n", True, False, False, ())
@example(['{"a":null,"b":2,"ignored":3}', '{"a":1,"b":2,"ignored":"x"}'], "\n", True, False, True, ())
@example(['{"a":1,"b":2,"ignored":3}', '{"a":1,"b":2,"ignored":NaN}', "null"], "\n", True, False, True, ())
@example(['{"a":1,"b":"near","ignored":"x"}', "  "], "\n", True, False, False, ("b",))
@example(['{"a":1,"b":2,"ignored":3}', '{"a":1,"b":2,"ignored":3}', "  ", "x"], "\n", True, True, False, ())
def test_json_lines_of_any_kind(tmp_path_factory, lines, end, ends, is_skipped, takes_missing, levels):
    path = tmp_path_factory.mktemp("jsonl") / "t.jsonl"
    path.write_bytes((end.join(['{"a": 1, "b": 2, "ignored": 3}', *lines]) + end * ends).encode())
    with mock.patch.object(json_rows, "SAMPLE_ROWS", 1):
        agree(path, "jsonl", is_skipped, takes_missing, levels)


@pytest.mark.parametrize("format", READERS)
@pytest.mark.parametrize("is_skipped", [False, True], ids=["stop", "skip"])
def test_a_damaged_file(format, is_skipped, tmp_path):
    path = tmp_path / "t"
    for case in range(60):
        path.write_bytes(damage.damaged(format, 0, case)[0])
        with mock.patch.object(json_rows, "SAMPLE_ROWS", 1):
            agree(path, format, is_skipped, bool(case % 2), ())


def test_only_bad_rows_of_a_text_are_left_to_be_read_singly():
    text = '1,"2"\n\n3,NA\n"5\n","6"\n7\n8,9\n'
    cells = list(enumerate(map(Cells, "ab")))
    parse = arrow_csv.Parser()
    (piece,) = parse(text, 2, cells, Dialect())
    assert piece.singly == [(1, 2, "3,NA\n"), (3, 5, "7\n")]
    assert piece.block[[0, 2, 4]].tolist() == [[1, 2], [5, 6], [8, 9]]
    # Each line of a bad record may be a record.
    assert parse(text.replace("5\n", "x\n"), 2, cells, Dialect()) is None
