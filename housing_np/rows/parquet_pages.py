"""The pages of Parquet, looked at before they are decoded: a page of a few bytes may hold any number of values.

Source: https://github.com/apache/parquet-format, src/main/thrift/parquet.thrift
"""

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

from ..errors import TableError

_LONGEST_HEADER = 1 << 16  # bytes
_VALUE = 64  # bytes that a value takes in a page at most: 32 of a decimal, its length, its levels
_NO_VALUES = 1 << 12  # bytes of a page without values: what its encoding says of itself
_DATA, _DICTIONARY, _DATA_V2 = 0, 2, 3
_HEADERS = {_DATA: 5, _DICTIONARY: 7, _DATA_V2: 8}  # fields of a page's header

# Types of Thrift's compact protocol.
_I32, _STRUCT = 5, 12


class Page(NamedTuple):
    """What the header of a page says."""

    is_dictionary: bool
    size: int  # bytes, without compression
    values: int


class Group(NamedTuple):
    """What the pages of some columns of a row group hold, in bytes without compression."""

    size: int  # of all pages
    at_once: int  # of the dictionaries, and of the largest page of each column: in memory at the same time


def measured(file: BinaryIO, group: Any, columns: Sequence[int]) -> Group:
    """Return what the pages of these columns hold; raise TableError, without the source, for pages that disagree."""
    total = at_once = 0
    for column in columns:
        pages = list(_pages(file, group.column(column)))
        values = sum(page.values for page in pages if not page.is_dictionary)
        if values != group.num_rows:
            raise TableError(f"its pages hold {values:,} values, and its metadata {group.num_rows:,}")
        total += sum(page.size for page in pages)
        at_once += sum(page.size for page in pages if page.is_dictionary)
        at_once += max((page.size for page in pages if not page.is_dictionary), default=0)
    return Group(total, at_once)


def _pages(file: BinaryIO, chunk: Any) -> Iterator[Page]:
    """Yield the pages of a column chunk, as far as Arrow reads them."""
    starts = [chunk.data_page_offset, chunk.dictionary_page_offset or 0]
    at = min(start for start in starts if start > 0 or start == starts[0])
    end, seen = at + chunk.total_compressed_size, 0
    is_text = chunk.physical_type == "BYTE_ARRAY"  # of any length
    while seen < chunk.num_values and at < end:
        header, at = _header(file, at)
        kind, size, length = (header.get(field, -1) for field in (1, 2, 3))
        is_index = kind not in _HEADERS
        values = 0 if is_index else header.get(_HEADERS[kind], {}).get(1, -1)
        if min(size, length, values) < 0 or (not is_text and size > _NO_VALUES + _VALUE * values):
            raise TableError(f"a page of {size:,} bytes claims to hold {values:,} values")
        at += length
        if is_index:
            continue
        seen += values if kind != _DICTIONARY else 0
        yield Page(kind == _DICTIONARY, size, values)


def _header(file: BinaryIO, at: int) -> tuple[dict[int, Any], int]:
    """Return the fields of the header at a position, and where it ends."""
    size = 1 << 7
    while size <= _LONGEST_HEADER:
        file.seek(at)
        data = file.read(size)
        try:
            fields, length = _struct(data, 0)
            if length <= len(data):
                return fields, at + length
        except (IndexError, RecursionError):
            pass
        size = size << 3 if len(data) == size else _LONGEST_HEADER + 1
    raise TableError("the header of a page cannot be read")


def _struct(data: bytes, at: int) -> tuple[dict[int, Any], int]:
    """Return the 32-bit integers and the structures in a structure, and where it ends."""
    fields: dict[int, Any] = {}
    field = 0
    while head := data[at]:
        at += 1
        if not head >> 4:
            field, at = _integer(data, at)
        field, kind = field + (head >> 4), head & 15
        value, at = _value(data, at, kind)
        if kind in (_I32, _STRUCT):
            fields[field] = value
    return fields, at + 1


def _value(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    """Return a value, None if it is of no interest, and where it ends."""
    if kind == _STRUCT:
        return _struct(data, at)
    if kind in (1, 2):  # truth values
        return None, at
    if kind in _SIZES:
        return None, at + _SIZES[kind]
    if kind in (4, _I32, 6):
        return _integer(data, at)
    if kind == 8:  # bytes
        size, at = _varint(data, at)
        return None, at + size
    raise IndexError  # lists, which no header of a page has


_SIZES = {3: 1, 7: 8, 13: 16}


def _integer(data: bytes, at: int) -> tuple[int, int]:
    """Return a signed integer of 32 bits, and where it ends."""
    value, at = _varint(data, at)
    value &= 0xFFFFFFFF
    return (value >> 1) ^ -(value & 1), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise IndexError
