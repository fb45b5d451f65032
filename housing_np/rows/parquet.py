"""Rows of a Parquet file, by pyarrow."""

from collections.abc import Iterator, Sequence
from typing import Any

from ..checks.arrays import Floats
from ..checks.frames import arrow_array
from ..errors import TableError, cut, extra, listed, quoted
from .columns import Columns
from .rows import BLOCK_NUMBERS, OnError, Rows, TextColumnError, check_names, checked
from .source import CHUNK_BYTES, Source


def read(source: Source, on_error: OnError) -> Rows:
    """Return the rows of a Parquet file."""
    with extra("parquet", f"{source.name}: Parquet needs pyarrow", TableError):
        import pyarrow
        import pyarrow.parquet
    broken = (pyarrow.ArrowException, OSError)
    try:
        # Without reading ahead, which would keep a whole row group until its end.
        options = {"pre_buffer": False, "buffer_size": CHUNK_BYTES, "page_checksum_verification": True}
        file = pyarrow.parquet.ParquetFile(source.file(), **options)
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
        start = 0
        batches = file.iter_batches(max(1, BLOCK_NUMBERS // max(1, len(columns))), columns=names)
        while True:
            try:
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
