"""Rows of a Parquet file, by pyarrow."""

from collections.abc import Iterator, Sequence
from io import SEEK_END
from typing import Any, BinaryIO

from ..checks.arrays import Floats
from ..checks.frames import arrow_array
from ..errors import TableError, counted, cut, extra, listed, quoted
from .columns import Columns
from .parquet_pages import measured
from .rows import BLOCK_NUMBERS, OnError, Rows, TextColumnError, TooLargeError, check_names, checked
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
        names = schema.names
    except UnicodeDecodeError:
        raise TableError(f"{source.name}: the name of a column is not UTF-8; write the file again") from None
    except broken as error:
        raise TableError(f"{source.name}: {_reason(error, 'not a Parquet file')}") from None
    index = _index_columns(schema)
    columns = tuple(name for name in names if name not in index)
    check_names(source.name, columns)

    def blocks(wanted: Sequence[str]) -> Iterator[Floats]:
        names = [columns[i] for i in rows.positions(wanted)]
        kinds = dict(zip(schema.names, schema.types, strict=True))
        others = {kind for kind in set(kinds.values()) if not _is_numeric(kind)}
        for name in names:
            if (kind := kinds[name]) in others:
                raise TextColumnError(
                    f"{source.name}: column {quoted(name)} holds {cut(str(kind))}; expected numbers", [name]
                )
        return read_batches(names)

    def read_batches(names: list[str]) -> Iterator[Floats]:
        step = max(1, BLOCK_NUMBERS // max(1, len(columns)))
        groups = _measured_groups(source, content, file.metadata, names, most)
        start, known, batches = 0, 0, None
        while True:
            while known <= start + step and (more := next(groups, None)) is not None:
                known += more
            try:
                batches = batches or file.iter_batches(step, columns=names)
                batch = next(batches, None)
            except broken as error:
                raise TableError(f"{source.name}: {_reason(error, f'damaged after row {start}')}") from None
            if batch is None:
                return
            yield from checked(source.name, start, [arrow_array(batch.column(name)) for name in names], names, on_error)
            start += batch.num_rows

    hint = f" ({listed(index, quoted)} is an index of pandas: reset_index() makes it a column)" if index else ""
    rows = Rows(source.name, Columns(columns), blocks, index, hint=hint)
    return rows


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


def _reason(error: Exception, damage: str) -> str:
    """Return what is wrong with a file, and what to do; a lack of memory or threads is not damage."""
    said = cut((str(error).splitlines() or ["cannot be read"])[0])
    if isinstance(error, MemoryError) or said.startswith("Unknown error: Failed to launch"):
        return f"cannot be read ({said}); give it more memory, or write the file again in smaller row groups"
    return f"{damage} ({said}); write the file again"
