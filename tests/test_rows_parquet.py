"""Rows of Parquet files, by pyarrow."""

from decimal import Decimal
from io import BytesIO
from unittest import mock

import numpy as np
import pytest
from cases import every
from reading import GOOD, PLAIN, measured, read_file

from housing_np import TableError
from housing_np.rows import TooLargeError, open_rows, parquet_pages
from housing_np.rows import parquet as parquet_rows


def test_parquet_gives_the_numbers_of_its_columns(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"y": [2, 4], "note": ["a", "b"], "x": [1.0, 3.0]}), tmp_path / "rows.parquet")
    assert read_file(tmp_path / "rows.parquet", ["x", "y"]) == PLAIN


def test_a_damaged_parquet_page_is_refused(tmp_path):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "p.parquet"
    parquet.write_table(pyarrow.table({"a": np.random.default_rng(0).normal(size=5000)}), path, compression="gzip")
    content = bytearray(path.read_bytes())
    content[200:20000] = bytes(19800)
    path.write_bytes(content)
    with open_rows(path) as rows, pytest.raises(TableError, match="p.parquet: damaged after row 0"):
        list(rows.blocks(["a"]))


def written(path, **columns):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    arrays = {name: pyarrow.array(values, kind) for name, (values, kind) in columns.items()}
    parquet.write_table(pyarrow.table(arrays), path)


def test_every_kind_of_number_is_one(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    half = Decimal("0.1")
    written(
        tmp_path / "rows.parquet",
        d=([half, Decimal("12345678901234567.1")], pyarrow.decimal128(18, 1)),
        e=(pyarrow.array([7, 8]).dictionary_encode(), None),
        b=([True, False], pyarrow.bool_()),
        f=([0.5, 1.5], pyarrow.float32()),
        u=([2**64 - 2**11, 1], pyarrow.uint64()),
    )
    expected = [[0.1, 7.0, 1.0, 0.5, 2.0**64 - 2**11], [12345678901234567.1, 8.0, 0.0, 1.5, 1.0]]
    assert read_file(tmp_path / "rows.parquet", list("debfu")) == expected


@every("kind", ["int64", "float64", "bool_", "decimal128", "null", "dictionary"])
def test_a_null_makes_its_row_a_bad_one_and_no_other(kind, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    one = True if kind == "bool_" else 1
    values = [one, None, one] if kind != "null" else [None] * 3
    types = {"decimal128": lambda: pyarrow.decimal128(9, 2), "dictionary": lambda: None}
    array = pyarrow.array(values, types.get(kind, lambda: getattr(pyarrow, kind)())())
    if kind == "dictionary":
        array = array.dictionary_encode()
    written(tmp_path / "rows.parquet", x=(array, None), y=([1.0, 2.0, 3.0], None))
    errors = []
    rows = read_file(tmp_path / "rows.parquet", ["y"], on_error=errors.append)
    assert (len(rows), errors) == (3, [])
    rows = read_file(tmp_path / "rows.parquet", ["x", "y"], on_error=errors.append)
    assert rows == ([] if kind == "null" else [[1.0, 1.0], [1.0, 3.0]])
    assert [str(error).partition(": ")[2] for error in errors][-1].endswith(
        "column 'x': the value is missing (null); fill it in"
    )


@pytest.mark.parametrize("beside", [0, None])
@pytest.mark.parametrize("kind", ["int64", "decimal"])
def test_an_integer_that_float64_would_round_is_refused(beside, kind, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    type = pyarrow.int64() if kind == "int64" else pyarrow.decimal128(38, 0)
    written(tmp_path / "rows.parquet", x=([1, 2**53 + 1, beside], type))
    with pytest.raises(TableError, match=r"row 2, column 'x': 9007199254740993 is an integer beyond 2\*\*53"):
        read_file(tmp_path / "rows.parquet", ["x"])


def test_the_index_that_pandas_wrote_is_no_column(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame({"x": [1.0, 3.0, 5.0], "y": [2.0, 4.0, 6.0]}, index=[0, 1, 5])
    frame.to_parquet(tmp_path / "rows.parquet")
    with open_rows(tmp_path / "rows.parquet") as rows:
        assert rows.columns == ("x", "y")
        assert list(rows.left_out) == ["__index_level_0__"]
        assert np.concatenate(list(rows.blocks(["x", "y"]))).tolist() == GOOD
    frame.set_index("x").to_parquet(tmp_path / "named.parquet")
    with open_rows(tmp_path / "named.parquet") as rows:
        assert rows.columns == ("y",)
        with pytest.raises(TableError, match=r"no column 'x'; .*'x' is an index of pandas: reset_index\(\)"):
            rows.blocks(["x"])


def test_a_column_of_text_is_told_by_what_it_holds(tmp_path):
    written(tmp_path / "rows.parquet", x=(["a"], None))
    with pytest.raises(TableError, match="column 'x' holds string; expected numbers"):
        read_file(tmp_path / "rows.parquet", ["x"])


def test_what_only_begins_like_parquet_is_refused(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 and so on")
    with pytest.raises(TableError, match="rows.parquet: not a Parquet file"):
        read_file(tmp_path / "rows.parquet", ["x"])


def test_a_name_that_is_no_utf_8_is_refused(tmp_path):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "p.parquet"
    parquet.write_table(pyarrow.table({"qz": [1.0, 2.0], "y": [1.0, 2.0]}), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"qz", b"\xff\xfe"))
    with pytest.raises(TableError, match=r"p\.parquet: the name of a column is not UTF-8; write the file again"):
        read_file(path, ["y"])


@every("metadata", ["3", "[1]", "{}", '{"index_columns": 3}', '{"index_columns": null}', "[" * 5000, "{", b"\xff\xfe"])
def test_metadata_of_pandas_that_are_none_tell_nothing(metadata, tmp_path):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"x": [1.0, 3.0], "y": [2.0, 4.0]}).replace_schema_metadata({"pandas": metadata})
    parquet.write_table(table, tmp_path / "p.parquet")
    assert read_file(tmp_path / "p.parquet", ["x", "y"]) == PLAIN


def test_a_page_that_does_not_fit_its_checksum_is_refused(tmp_path):
    path = tmp_path / "rows.parquet"
    values = np.arange(1000.0)
    options = {"compression": "none", "use_dictionary": False, "write_page_checksum": True}
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"x": values}), path, **options)
    content = bytearray(path.read_bytes())
    at = content.index(values[500:503].tobytes())
    content[at] ^= 1  # a number as good as any
    path.write_bytes(content)
    with pytest.raises(TableError, match=r"damaged after row 0 \(.*CRC checksum.*\); write the file again"):
        read_file(path, ["x"])


def test_an_index_of_many_columns_is_looked_up_and_not_searched_for():
    # By the minute for a file that claims a hundred thousand, if the names were listed anew for each.
    names = [f"x{i}" for i in range(100)]
    schema = mock.Mock(pandas_metadata={"index_columns": names[1:]})
    listed = mock.PropertyMock(return_value=names)
    type(schema).names = listed
    assert list(parquet_rows._index_columns(schema)) == names[1:]
    assert listed.call_count == 1


def in_one_page(path, rows, **options):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    options = {"use_dictionary": False, "compression": "brotli", "data_page_size": 1 << 30} | options
    table = pyarrow.table({name: np.zeros(rows) for name in ("x0", "x1")})
    parquet.write_table(table, path, row_group_size=rows, write_batch_size=rows, max_rows_per_page=1 << 30, **options)


def test_a_page_of_millions_of_zeros_is_refused_before_it_is_decoded(tmp_path):
    in_one_page(tmp_path / "rows.parquet", 1 << 24)
    in_one_page(tmp_path / "warm.parquet", 10)
    assert (tmp_path / "rows.parquet").stat().st_size < 3000
    mebibytes, told = measured(tmp_path / "rows.parquet", "parquet", tmp_path / "warm.parquet")
    advice = "write the file again in smaller row groups, such as row_group_size=100_000"
    assert told.partition(": ")[2] == f"row group 0 has pages of 256 MiB at the same time; {advice}"
    assert mebibytes < 8


def test_pages_as_large_as_their_file_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_rows, "_AT_ONCE", 1 << 10)
    monkeypatch.setattr(parquet_rows, "_NUMBERS", 1 << 4)
    in_one_page(tmp_path / "rows.parquet", 5000, compression="none")
    assert len(read_file(tmp_path / "rows.parquet", ["x0", "x1"])) == 5000


def test_a_row_group_of_more_numbers_than_its_file_explains_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_rows, "_NUMBERS", 1 << 12)
    monkeypatch.setattr(parquet_rows, "_NUMBERS_PER_BYTE", 1)
    in_one_page(tmp_path / "rows.parquet", 3000)
    with pytest.raises(TableError, match=r"row group 0 has 3,000 rows of 2 columns; write the file again in smaller"):
        read_file(tmp_path / "rows.parquet", ["x0", "x1"])
    with open_rows(tmp_path / "rows.parquet") as opened:
        assert sum(map(len, opened.blocks(["x0"]))) == 3000


def test_a_request_has_the_limit_of_its_body_for_all_its_pages(tmp_path):
    in_one_page(tmp_path / "rows.parquet", 1000)
    content = (tmp_path / "rows.parquet").read_bytes()
    with open_rows(BytesIO(content), most=20_000) as opened:
        assert sum(map(len, opened.blocks(["x0", "x1"]))) == 1000
    with (
        open_rows(BytesIO(content), most=16_000) as opened,
        pytest.raises(
            TooLargeError, match="the request: more than 16,000 bytes uncompressed; send fewer rows at a time"
        ),
    ):
        list(opened.blocks(["x0", "x1"]))


# A page of 8,000 bytes and its levels: the size in its header, as Thrift writes it.
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "size",
            1 << 30,
            r"row group 0: a page of 1,073,741,824 bytes claims to hold 1,000 values; write the file again",
        ),
        ("values", 999, r"row group 0: its pages hold 999 values, and its metadata 1,000; write the file again"),
        ("values", 1 << 30, r"row group 0: its pages hold 1,073,741,824 values, and its metadata 1,000"),
    ],
)
def test_a_page_that_says_other_than_the_metadata_is_refused(old, new, message, tmp_path):
    in_one_page(tmp_path / "rows.parquet", 1000, compression="none")
    content = (tmp_path / "rows.parquet").read_bytes()
    header, _ = parquet_pages._header(BytesIO(content), 4)
    start = {"size": b"\x15", "values": b"\x2c\x15"}[old]
    value = {"size": header[2], "values": header[5][1]}[old]
    place = content.index(start + varint(value), 4)
    damaged = content[:place] + start + varint(new) + content[place + len(start + varint(value)) :]
    with open_rows(BytesIO(damaged), "parquet") as opened, pytest.raises(TableError, match=message):
        list(opened.blocks(["x0", "x1"]))


def varint(value):
    """A positive number as Thrift writes it."""
    value, written = 2 * value, b""
    while value > 127:
        value, written = value >> 7, written + bytes([value & 127 | 128])
    return written + bytes([value])


@every("version", ["1.0", "2.0"])
@every("use_dictionary", [True, False])
@every("compression", ["none", "snappy", "zstd"])
def test_the_headers_of_pages_are_read_as_arrow_writes_them(version, use_dictionary, compression):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    values = [*range(2500), None] * 4
    content = BytesIO()
    options = {"data_page_version": version, "use_dictionary": use_dictionary, "compression": compression}
    parquet.write_table(pyarrow.table({"x": values}), content, max_rows_per_page=1000, **options)
    metadata = parquet.ParquetFile(content).metadata
    chunk = metadata.row_group(0).column(0)
    pages = list(parquet_pages._pages(content, chunk))
    assert [page.values for page in pages if page.is_dictionary] == [2500] * use_dictionary
    assert sum(page.values for page in pages if not page.is_dictionary) == len(values)
    headers = chunk.total_uncompressed_size - sum(page.size for page in pages)
    assert 0 < headers < 200 * len(pages)


@every("header", [b"", b"\x15", b"\xff" * 9, b"\x15\x02" * 40_000, b"\x1c" * 5000, b"\x18\xff\xff\xff\xff\x0f"])
def test_a_header_of_a_page_that_is_none_is_refused(header):
    with pytest.raises(TableError, match="the header of a page cannot be read"):
        parquet_pages._header(BytesIO(header), 0)


def test_an_index_of_pages_without_a_length_is_not_read_for_ever():
    # Kind 1 is an index, and -1 the length that a header without one has.
    chunk = mock.Mock(data_page_offset=4, dictionary_page_offset=None, total_compressed_size=99, num_values=9)
    with pytest.raises(TableError, match="a page of -1 bytes claims to hold"):
        list(parquet_pages._pages(BytesIO(b"PAR1\x15\x02\x00"), chunk))


def test_the_metadata_of_a_request_have_a_limit_of_their_own(tmp_path):
    pyarrow, parquet, content = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet"), BytesIO()
    parquet.write_table(pyarrow.table({"x": [1.0, 3.0], "y": [2.0, 4.0]}), content)
    size = int.from_bytes(content.getvalue()[-8:-4], "little")
    with open_rows(BytesIO(content.getvalue()), most=16 * size) as opened:
        assert np.concatenate(list(opened.blocks(["x", "y"]))).tolist() == PLAIN
    with (
        pytest.raises(TooLargeError, match=f"the request: {size:,} bytes of metadata; expected at most {size - 1:,}"),
        open_rows(BytesIO(content.getvalue()), most=16 * size - 1),
    ):
        pass


def test_more_column_chunks_than_a_block_holds_are_refused(tmp_path):
    pytest.importorskip("pyarrow")
    # A root, a column, and one row group with a list of 340,000 chunks of three bytes, as Thrift writes them.
    schema = b"\x15\x02\x19\x2c\x48\x01r\x15\x02\x00\x15\x0a\x25\x00\x18\x01x\x00\x16\x00"
    chunks = b"\x19\xfc" + varint(170_000) + b"\x26\x00\x00" * 340_000
    footer = schema + b"\x19\x1c" + chunks + b"\x16\x00\x16\x00\x00\x00"
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    with pytest.raises(TableError, match=r"rows\.parquet: not a Parquet file \(.*limit"):
        read_file(path, ["x"])
