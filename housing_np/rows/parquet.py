"""Rows of a Parquet file, by pyarrow."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import SEEK_END
from itertools import islice
from typing import Any, BinaryIO

import numpy as np

from ..checks.arrays import Floats
from ..checks.frames import arrow_array
from ..errors import TableError, counted, cut, extra, listed, quoted
from .cells import Cells
from .columns import Columns
from .parquet_pages import measured
from .rows import BLOCK_NUMBERS, SAMPLE_ROWS, OnError, Rows, TextColumnError, TooLargeError, check_names, checked
from .source import CHUNK_BYTES, Source

_AT_ONCE = 1 << 27  # bytes of pages of a row group that are in memory at the same time
_NUMBERS = 1 << 27  # of a row group: a hundred columns in the usual million rows
# A large file may take more: so many bytes in memory, and numbers, for each of its own.
_BYTES_PER_BYTE, _NUMBERS_PER_BYTE = 8, 128
# The part of a request that may be metadata, which take 250 times their size in memory where they claim most.
_FOOTER_PART = 16


def read(source: Source, on_error: OnError, most: int | None = None) -> Rows:
    """Return the rows of a Parquet file, whose pages of the wanted columns have at most so many bytes uncompressed."""
    with extra("parquet", f"{source.name}: Parquet needs pyarrow", TableError):
        import pyarrow
        import pyarrow.parquet
    broken = (pyarrow.ArrowException, OSError)
    try:
        # Without reading ahead, which would keep a whole row group until its end.
        options = {"pre_buffer": False, "buffer_size": CHUNK_BYTES, "page_checksum_verification": True}
        options |= {"thrift_container_size_limit": BLOCK_NUMBERS}
        content = source.file()
        _refuse_large_footer(source.name, content, most)
        file = pyarrow.parquet.ParquetFile(content, **options)
        schema = file.schema_arrow
        if texts := _texts(schema):
            # Each text once: a short file may repeat a long one in every row.
            file = pyarrow.parquet.ParquetFile(content, metadata=file.metadata, read_dictionary=texts, **options)
        names = schema.names
    except UnicodeDecodeError:
        raise TableError(f"{source.name}: the name of a column is not UTF-8; write the file again") from None
    except broken as error:
        raise TableError(f"{source.name}: {_reason(error, 'not a Parquet file')}") from None
    index = _index_columns(schema)
    columns = tuple(name for name in names if name not in index)
    check_names(source.name, columns)

    kinds = dict(zip(schema.names, schema.types, strict=True))
    others = {kind for kind in set(kinds.values()) if not _is_numeric(kind)}

    def blocks(wanted: Sequence[Cells]) -> Iterator[Floats]:
        names = [columns[i] for i in rows.positions([each.name for each in wanted])]
        for name, each in zip(names, wanted, strict=True):
            # Columns without a row may have no type.
            if not rows.is_empty() and each.levels is None and (kind := kinds[name]) in others:
                raise TextColumnError(
                    f"{source.name}: column {quoted(name)} holds {cut(str(kind))}; expected numbers", [name]
                )
        return read_batches(names, wanted)

    def sample() -> dict[str, list[Any]]:
        names = [name for name in columns if kinds[name] in others and not _is_nested(kinds[name])]
        found: dict[str, list[Any]] = {name: [[]] for name in columns if _is_nested(kinds[name])}
        batch = None
        if names and any(islice(_measured_groups(source, content, file.metadata, names, most), 1)):
            with reading(0):
                batch = next(file.iter_batches(SAMPLE_ROWS, columns=names), None)
        return found | {name: _values(batch, name) for name in names}

    @contextmanager
    def reading(start: int) -> Iterator[None]:
        try:
            yield
        except broken as error:
            raise TableError(f"{source.name}: {_reason(error, f'damaged after row {start}')}") from None

    def read_batches(names: list[str], wanted: Sequence[Cells]) -> Iterator[Floats]:
        step = max(1, BLOCK_NUMBERS // max(1, len(columns)))
        groups = _measured_groups(source, content, file.metadata, names, most)
        start, known, batches = 0, 0, None
        while True:
            while known <= start + step and (more := next(groups, None)) is not None:
                known += more
            with reading(start):
                batches = batches or file.iter_batches(step, columns=names)
                batch = next(batches, None)
            if batch is None:
                return
            parts = [_array(batch.column(name), each) for name, each in zip(names, wanted, strict=True)]
            yield from checked(source.name, start, parts, wanted, on_error)
            start += batch.num_rows

    hint = f" ({listed(index, quoted)} is an index of pandas: reset_index() makes it a column)" if index else ""
    rows = Rows(
        source.name,
        Columns(columns),
        blocks,
        sample,
        left_out=index,
        hint=hint,
        is_empty=lambda: not file.metadata.num_rows,
    )
    return rows


def _array(column: Any, cells: Cells) -> Any:
    """Return a column as an array, nulls masked; the levels of a category as objects of Python."""
    if cells.levels is None:
        return arrow_array(column)
    if not hasattr(column, "dictionary"):
        return np.fromiter(_plain(column), object)
    levels = np.fromiter([*_plain(column.dictionary), None], object)
    places: Any = np.from_dlpack(column.indices.fill_null(len(levels) - 1))
    return levels[places]


def _values(batch: Any, name: str) -> list[Any]:
    found = [] if batch is None else _plain(batch.column(name))
    # The type alone says that nothing in it is a number.
    return found if any(value is not None for value in found) else ["" for _ in found]


def _plain(column: Any) -> list[Any]:
    """Return the values of a column as objects of Python; dates beyond those of Python as text."""
    try:
        found: list[Any] = column.to_pylist()
    except (ValueError, OverflowError):
        found = column.cast("string").to_pylist()
    return found


def _refuse_large_footer(source: str, content: BinaryIO, most: int | None) -> None:
    """Raise TooLargeError for metadata that would take much more memory than the rows of a request may."""
    size = content.seek(0, SEEK_END)
    content.seek(max(0, size - 8))
    footer = int.from_bytes(content.read(4), "little")
    if most is not None and most // _FOOTER_PART < footer <= size:
        raise TooLargeError(f"{source}: {footer:,} bytes of metadata; expected at most {most // _FOOTER_PART:,}")


def _measured_groups(
    source: Source, content: BinaryIO, metadata: Any, names: Sequence[str], most: int | None
) -> Iterator[int]:
    """Yield the number of rows of each row group, once its pages are known to fit in memory."""
    size = 0 if source.compressed else content.seek(0, SEEK_END)
    wanted, total = set(names), 0
    chosen = [i for i in range(metadata.num_columns) if metadata.schema.column(i).path in wanted]
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        try:
            pages = measured(content, group, chosen)
        except TableError as error:
            raise TableError(f"{source.name}: row group {index}: {error}; write the file again") from None
        total += pages.size
        if most is not None and total > most:
            raise TooLargeError(f"{source.name}: more than {most:,} bytes uncompressed; send fewer rows at a time")
        if pages.at_once > max(_AT_ONCE, _BYTES_PER_BYTE * size):
            raise _too_large(source, index, f"pages of {pages.at_once >> 20:,} MiB at the same time")
        if group.num_rows * len(names) > max(_NUMBERS, _NUMBERS_PER_BYTE * size):
            raise _too_large(source, index, f"{group.num_rows:,} rows of {counted(len(names), 'column')}")
        yield group.num_rows


def _too_large(source: Source, index: int, what: str) -> TableError:
    advice = "write the file again in smaller row groups, such as row_group_size=100_000"
    return TableError(f"{source.name}: row group {index} has {what}; {advice}")


def _index_columns(schema: Any) -> dict[str, str]:
    """Return the columns that the pandas metadata of the file call its index, and why they are left out."""
    try:
        described = schema.pandas_metadata
    except (ValueError, RecursionError):  # invalid JSON
        return {}
    index = described.get("index_columns") if isinstance(described, dict) else None
    known = set(schema.names)
    found = (name for name in (index if isinstance(index, list) else []) if isinstance(name, str) and name in known)
    return dict.fromkeys(found, "the index that pandas wrote")


def _is_numeric(kind: Any) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    tests = (types.is_boolean, types.is_integer, types.is_floating, types.is_decimal, types.is_null)
    return any(test(kind) for test in tests)


def _texts(schema: Any) -> list[str]:
    """Return the columns of text."""
    from pyarrow import types

    tests = (types.is_string, types.is_binary, types.is_large_string, types.is_large_binary)
    return [name for name, kind in zip(schema.names, schema.types, strict=True) if any(test(kind) for test in tests)]


def _is_nested(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_nested(kind))


def _reason(error: Exception, damage: str) -> str:
    """Return what is wrong with a file, and what to do; a lack of memory or threads is not damage."""
    said = cut((str(error).splitlines() or ["cannot be read"])[0])
    if isinstance(error, MemoryError) or said.startswith("Unknown error: Failed to launch"):
        return f"cannot be read ({said}); give it more memory, or write the file again in smaller row groups"
    return f"{damage} ({said}); write the file again"
