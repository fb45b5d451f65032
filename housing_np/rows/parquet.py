"""Rows of a Parquet file, by pyarrow."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..checks.arrays import Floats
from ..checks.frames import arrow_array
from ..errors import TableError, cut, install_hint, listed, quoted
from .cells import Cells
from .columns import Columns
from .rows import BLOCK_NUMBERS, SAMPLE_ROWS, OnError, Rows, TextColumnError, check_names, checked
from .source import CHUNK_BYTES, Source


def read(source: Source, on_error: OnError) -> Rows:
    """Return the rows of a Parquet file."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise TableError(f"{source.name}: Parquet needs pyarrow: {install_hint('parquet')}") from None
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

    kinds = dict(zip(schema.names, schema.types, strict=True))
    others = {kind for kind in set(kinds.values()) if not _is_numeric(kind)}

    def blocks(wanted: Sequence[Cells]) -> Iterator[Floats]:
        names = [columns[i] for i in rows.positions([each.name for each in wanted])]
        for name, each in zip(names, wanted, strict=True):
            if each.levels is None and (kind := kinds[name]) in others:
                raise TextColumnError(
                    f"{source.name}: column {quoted(name)} holds {cut(str(kind))}; expected numbers", [name]
                )
        return read_batches(names, wanted)

    def sample() -> dict[str, list[Any]]:
        names = [name for name in columns if kinds[name] in others]
        with reading(0):
            batch = next(file.iter_batches(SAMPLE_ROWS, columns=names), None) if names else None
        return {name: _values(batch, name) for name in names}

    @contextmanager
    def reading(start: int) -> Iterator[None]:
        try:
            yield
        except broken as error:
            raise TableError(f"{source.name}: {_reason(error, f'damaged after row {start}')}") from None

    def read_batches(names: list[str], wanted: Sequence[Cells]) -> Iterator[Floats]:
        start = 0
        batches = file.iter_batches(max(1, BLOCK_NUMBERS // max(1, len(columns))), columns=names)
        while True:
            with reading(start):
                batch = next(batches, None)
            if batch is None:
                return
            parts = [_array(batch.column(name), each) for name, each in zip(names, wanted, strict=True)]
            yield from checked(source.name, start, parts, wanted, on_error)
            start += batch.num_rows

    hint = f" ({listed(index, quoted)} is an index of pandas: reset_index() makes it a column)" if index else ""
    rows = Rows(source.name, Columns(columns), blocks, sample, left_out=index, hint=hint)
    return rows


def _array(column: Any, cells: Cells) -> Any:
    """Return a column as an array, nulls masked; the levels of a category as objects of Python."""
    if cells.levels is None:
        return arrow_array(column)
    return np.array([*_plain(column), None], object)[:-1]


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
