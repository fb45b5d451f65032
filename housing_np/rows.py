"""Rows in: CSV, JSON, JSON Lines, .npy and Parquet, from a file or standard input, a block at a time."""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, BytesIO, StringIO
from itertools import chain, repeat
from math import isfinite
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .errors import TableError

_CHUNK_BYTES = 1 << 20
# Small enough that a row's prediction does not depend on the rows beside it.
_BLOCK_NUMBERS = 1 << 18
# Never part of UTF-8: for formats in which a line break always ends a record.
_NO_QUOTE = b"\xff"

Block = NDArray[np.float64]
OnError = Callable[[TableError], None]
Record = tuple[tuple[int, ...], Any]


def _stop(error: TableError) -> None:
    raise error


@dataclass(frozen=True)
class Rows:
    """Rows that can be read once, in order.

    Attributes
    ----------
    source : str
        The name that messages use.
    columns : tuple of str
        The names of the columns; x0, x1, … where the source has none.
    named : bool
        False where the source has no names: columns are then matched by position.
    """

    source: str
    columns: tuple[str, ...]
    named: bool
    _read: Callable[[list[int], OnError], Iterator[Block]]

    def blocks(self, names: Sequence[str], on_error: OnError = _stop) -> Iterator[Block]:
        """Blocks of float64, shape (rows, len(names)), all finite.

        `on_error` is given the TableError of each bad row; if it returns, the row is left out.
        """
        return self._read(self.positions(names), on_error)

    def positions(self, names: Sequence[str]) -> list[int]:
        """Where these columns stand; a TableError names the first that is missing."""
        if not self.named and not set(names) <= set(self.columns):
            if len(names) != len(self.columns):
                raise TableError(
                    f"{self.source}: {len(self.columns)} columns without names; "
                    f"expected {len(names)}: {', '.join(names)}"
                )
            return list(range(len(names)))
        for name in names:
            if name not in self.columns:
                raise TableError(f"{self.source}: no column {name!r}; the columns are: {', '.join(self.columns)}")
        return [self.columns.index(name) for name in names]


@contextmanager
def open_rows(path: str | Path, format: str | None = None) -> Iterator[Rows]:
    """Open a file of rows, or standard input for "-".

    Parameters
    ----------
    path : str or Path
        A file, or "-".
    format : {"csv", "json", "jsonl", "npy", "parquet"}, optional
        By default what the name of the file ends with, and CSV for any other name.

    Raises
    ------
    TableError
        If there is no such file, it is a folder, it is empty, or its columns are unnamed or doubled.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "rows.csv")
    ...     _ = path.write_text("rooms,price\\n3,1.5\\n4,2\\n")
    ...     with open_rows(path) as rows:
    ...         print(rows.columns, [block.tolist() for block in rows.blocks(["price"])])
    ('rooms', 'price') [[[1.5], [2.0]]]
    """
    reader = _READERS[format or format_of(path) or "csv"]
    if str(path) == "-":
        yield reader("standard input", cast(BufferedReader, sys.stdin.buffer))
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - closed below, where its errors are not those of opening it
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror}); give the path of a file of rows") from None
    with file:
        yield reader(str(path), file)


def format_of(path: str | Path) -> str | None:
    """The format that the end of a file's name stands for; None for a name that says nothing.

    >>> format_of("rows.ndjson")
    'jsonl'
    """
    ending = Path(path).suffix.lower().removeprefix(".")
    return {"ndjson": "jsonl"}.get(ending, ending if ending in _READERS else None)


def _chunks(source: str, stream: BufferedReader, quote: bytes) -> Iterator[list[str]]:
    """Lists of lines that hold whole records, as soon as they have come: a slow pipe is answered row by row."""
    pending: list[bytes] = []
    line, odd = 1, 0
    while data := stream.read1(_CHUNK_BYTES):
        whole = data[: data.rfind(b"\n") + 1]
        if not whole or (odd + whole.count(quote)) % 2:
            pending.append(data)
            odd = (odd + data.count(quote)) % 2
            continue
        lines = _decoded(source, b"".join([*pending, whole]), line)
        line += len(lines)
        yield lines
        pending = [data[len(whole) :]]
        odd = pending[0].count(quote) % 2
    if text := b"".join(pending):
        yield _decoded(source, text, line)


def _decoded(source: str, text: bytes, line: int) -> list[str]:
    try:
        return StringIO(text.decode("utf-8-sig" if line == 1 else "utf-8"), newline="\n").readlines()
    except UnicodeDecodeError as error:
        line += text.count(b"\n", 0, error.start)
        raise TableError(f"{source}: line {line}: not UTF-8 text; save the file as UTF-8") from None


def _csv(source: str, stream: BufferedReader) -> Rows:
    chunks = _chunks(source, stream, b'"')
    first: list[str] = []
    # Blank lines may come before the names, and in a chunk of their own.
    while not any(map(str.strip, first)) and (chunk := next(chunks, None)):
        first += chunk
    line, header = next((record for record in _csv_records(source, first, 0)), (1, []))
    columns = tuple(name.strip() for name in header)
    if not any(columns):
        raise TableError(f"{source}: no names; expected a first line with the names of the columns, then rows")
    _check_names(source, columns)

    def read(chosen: list[int], on_error: OnError) -> Iterator[Block]:
        return _csv_blocks(source, chain([first[line:]], chunks), line, columns, chosen, on_error)

    return Rows(source, columns, True, read)


def _check_names(source: str, columns: Sequence[str]) -> None:
    for position, name in enumerate(columns):
        if not name:
            raise TableError(f"{source}: column {position + 1} has no name; every column needs one, in the first line")
        if name in columns[:position]:
            raise TableError(f"{source}: column {position + 1} repeats the name {name!r}; names must be unique")


def _csv_records(source: str, lines: Iterable[str], line: int, row: int = 0) -> Iterator[tuple[int, list[str]]]:
    """The records that are not blank, each with the number of its last line; `row` of them stand before."""
    reader = csv.reader(lines, strict=True)
    try:
        for record in reader:
            if record:
                row += 1
                yield line + reader.line_num, record
    except csv.Error as error:
        where = f"row {row + 1}, line {line + reader.line_num}"
        reason = "a quote is not closed" if "end of data" in str(error) else str(error).split(" - ")[0]
        raise TableError(f"{source}: {where}: not CSV ({reason})") from None


def _csv_blocks(
    source: str,
    chunks: Iterable[list[str]],
    line: int,
    columns: tuple[str, ...],
    chosen: list[int],
    on_error: OnError,
) -> Iterator[Block]:
    def pick(record: list[str]) -> list[float]:
        if len(record) != len(columns):
            raise TableError(f": {len(record)} columns, expected {len(columns)}")
        return [_text_number(record[i], columns[i]) for i in chosen]

    row = 0
    for lines in chunks:
        block = _plain_block(lines, len(columns), chosen)
        if block is not None:
            row += len(block)
            yield block
        else:
            records = [
                ((row + i, at), record)
                for i, (at, record) in enumerate(_csv_records(source, lines, line, row), start=1)
            ]
            row += len(records)
            yield from _assembled(source, "row {} (line {})", records, pick, on_error)
        line += len(lines)


def _plain_block(lines: list[str], width: int, chosen: list[int]) -> Block | None:
    """The block, at the speed of numpy's parser; None where there is anything to quote, to skip or to refuse."""
    if set(map(str.count, lines, repeat(","))) != {width - 1} or any(map(str.__contains__, lines, repeat('"'))):
        return None
    if not any(map(str.strip, lines)):
        return None
    try:
        block = np.loadtxt(lines, delimiter=",", usecols=chosen, comments=None, ndmin=2)
    except ValueError:
        return None
    return block if np.isfinite(block).all() else None


def _assembled(
    source: str, place: str, records: Iterable[Record], pick: Callable[[Any], list[float]], on_error: OnError
) -> Iterator[Block]:
    """Blocks of the numbers that `pick` finds in each record; the rows before a bad one come before its error."""
    values: list[list[float]] = []
    for where, record in records:
        try:
            values.append(pick(record))
        except TableError as error:
            if values:
                yield np.array(values)
            values = []
            on_error(TableError(f"{source}: {place.format(*where)}{error}"))
        if sum(map(len, values[:1])) * len(values) >= _BLOCK_NUMBERS:
            yield np.array(values)
            values = []
    if values:
        yield np.array(values)


def _text_number(text: str, column: str) -> float:
    text = text.strip()
    try:
        # float() takes 1_000 and the digits of other scripts; a table of numbers that holds them is a mistake.
        value = float(text) if text.isascii() and "_" not in text else None
    except ValueError:
        value = None
    if value is None:
        raise TableError(f", column {column!r}: {text!r} is not a number; fill it in or remove the row")
    return _finite(value, column)


def _finite(value: float, column: str) -> float:
    if not isfinite(value):
        raise TableError(f", column {column!r}: {value} is not a finite number; fill it in or remove the row")
    return value


def _json_number(value: Any, column: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TableError(f", column {column!r}: {json.dumps(value)} is not a number")
    try:
        return _finite(float(value), column)
    except OverflowError:
        raise TableError(f", column {column!r}: {value} does not fit a 64-bit float") from None


def _picker(columns: Sequence[str], chosen: list[int]) -> Callable[[Any], list[float]]:
    """What finds the chosen columns in a JSON row: an object by name, a list by position."""

    def pick(record: Any) -> list[float]:
        if isinstance(record, list) and len(record) == len(columns):
            return [_json_number(record[i], columns[i]) for i in chosen]
        if not isinstance(record, dict):
            raise TableError(f": expected an object, or a list of {len(columns)} numbers")
        for i in chosen:
            if columns[i] not in record:
                raise TableError(f": no {columns[i]!r}")
        return [_json_number(record[columns[i]], columns[i]) for i in chosen]

    return pick


def _jsonl(source: str, stream: BufferedReader) -> Rows:
    groups = _jsonl_records(_chunks(source, stream, _NO_QUOTE))
    first = next(groups, None)
    if first is None:
        raise TableError(f"{source}: empty; expected one JSON object a line")
    ((line,), text) = first[0]
    try:
        head = _parsed(text)
    except TableError as error:
        raise TableError(f"{source}: line {line}{error}") from None
    columns, named = _json_columns(source, [head])

    def read(chosen: list[int], on_error: OnError) -> Iterator[Block]:
        pick = _picker(columns, chosen)
        # Chunk by chunk: a slow pipe is answered as it comes.
        for records in chain([first], groups):
            yield from _assembled(source, "line {}", records, lambda text: pick(_parsed(text)), on_error)

    return Rows(source, columns, named, read)


def _jsonl_records(chunks: Iterable[list[str]]) -> Iterator[list[tuple[tuple[int], str]]]:
    """The lines of each chunk that are not blank, with their numbers; no chunk is empty."""
    line = 0
    for lines in chunks:
        records = [((number,), text) for number, text in enumerate(lines, line + 1) if text.strip()]
        line += len(lines)
        if records:
            yield records


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TableError(f": not JSON ({error})") from None


def _json(source: str, stream: BufferedReader) -> Rows:
    try:
        document = _parsed(stream.read().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise TableError(f"{source}: not UTF-8 text; save the file as UTF-8") from None
    except TableError as error:
        raise TableError(f"{source}{error}") from None
    columns, rows = _json_rows(source, document)
    named = True
    if columns is None:
        columns, named = _json_columns(source, rows)

    def read(chosen: list[int], on_error: OnError) -> Iterator[Block]:
        records = (((number,), row) for number, row in enumerate(rows, start=1))
        return _assembled(source, "row {}", records, _picker(columns, chosen), on_error)

    return Rows(source, columns, named, read)


def _json_rows(source: str, document: Any) -> tuple[tuple[str, ...] | None, list[Any]]:
    """The rows of a document, and the names of its columns where they stand apart from the rows."""
    match document:
        case list():
            return None, document
        case {"dataframe_split": {"columns": list(columns), "data": list(data)}}:
            _check_names(source, names := [str(column) for column in columns])
            return tuple(names), data
        case {"dataframe_records": list(data)} | {"instances": list(data)} | {"inputs": list(data)}:
            return None, data
        case {"inputs": dict(columns)} if all(isinstance(column, list) for column in columns.values()):
            if len({len(column) for column in columns.values()}) > 1:
                raise TableError(f"{source}: the lists in 'inputs' differ in length")
            return tuple(columns), [list(row) for row in zip(*columns.values(), strict=True)]
        case {"inputs": dict(row)}:
            return None, [row]
    raise TableError(
        f"{source}: expected a list of objects, or an object with 'dataframe_split' (columns, data), "
        "'dataframe_records', 'instances' or 'inputs'"
    )


def _json_columns(source: str, rows: list[Any]) -> tuple[tuple[str, ...], bool]:
    """The names of the columns, from the first row, and whether they are more than positions."""
    match rows:
        case [dict(row), *_] if row:
            return tuple(row), True
        case [list(row), *_] if row:
            return positional_names(len(row)), False
    raise TableError(f"{source}: no rows; expected objects with a number for each name, or lists of numbers")


def positional_names(width: int) -> tuple[str, ...]:
    """The names of columns that have none.

    >>> positional_names(2)
    ('x0', 'x1')
    """
    return tuple(f"x{i}" for i in range(width))


def _npy(source: str, stream: BufferedReader) -> Rows:
    try:
        # Mapped where there is a file to map: the rows may be more than memory holds.
        if source == "standard input":
            data = np.load(BytesIO(stream.read()), allow_pickle=False)
        else:
            data = np.load(source, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise TableError(f"{source}: not a .npy array of numbers ({error})") from None
    if not isinstance(data, np.ndarray):
        raise TableError(f"{source}: not a .npy array of numbers (a zip archive)")
    names = data.dtype.names
    if data.ndim != (1 if names else 2) or 0 in data.shape or (not names and data.dtype.kind not in "biuf"):
        raise TableError(f"{source}: shape {data.shape} of {data.dtype}; expected rows and columns of real numbers")
    columns = names or positional_names(data.shape[1])
    return Rows(source, columns, names is not None, lambda *args: _npy_blocks(source, data, columns, *args))


def _npy_blocks(
    source: str, data: np.ndarray, names: tuple[str, ...], chosen: list[int], on_error: OnError
) -> Iterator[Block]:
    for name in (names[i] for i in chosen if data.dtype.names):
        if data.dtype[name].kind not in "biuf":
            raise TableError(f"{source}: column {name!r} holds {data.dtype[name]}; expected real numbers")
    step = max(1, _BLOCK_NUMBERS // len(names))
    for start in range(0, len(data), step):
        part = data[start : start + step]
        columns = [part[names[i]] if data.dtype.names else part[:, i] for i in chosen]
        yield from _finite_rows(source, start, columns, [names[i] for i in chosen], on_error)


def _finite_rows(
    source: str, start: int, columns: list[np.ndarray], names: list[str], on_error: OnError
) -> Iterator[Block]:
    """The rows of these columns that hold only finite numbers; `start` rows stand before them."""
    block = np.stack(columns, axis=1).astype(np.float64)
    finite, begin = np.isfinite(block), 0
    for row in np.flatnonzero(~finite.all(axis=1)).tolist():
        if begin < row:
            yield block[begin:row]
        begin, column = row + 1, int(np.argmin(finite[row]))
        where = f"row {start + row + 1}, column {names[column]!r}"
        problem = f"{block[row, column]} is not a finite number; fill it in or remove the row"
        on_error(TableError(f"{source}: {where}: {problem}"))
    if begin < len(block):
        yield block[begin:]


def _parquet(source: str, stream: BufferedReader) -> Rows:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise TableError(f"{source}: Parquet needs pyarrow: pip install 'housing_np[parquet]'") from None
    try:
        file = pyarrow.parquet.ParquetFile(stream if stream.seekable() else BytesIO(stream.read()))
    except (pyarrow.ArrowException, OSError) as error:
        raise TableError(f"{source}: not a Parquet file ({str(error).splitlines()[0]})") from None
    columns = tuple(file.schema_arrow.names)
    _check_names(source, columns)

    def read(chosen: list[int], on_error: OnError) -> Iterator[Block]:
        names, start = [columns[i] for i in chosen], 0
        for batch in file.iter_batches(max(1, _BLOCK_NUMBERS // len(columns)), columns=names):
            arrays = [batch.column(name).to_numpy(zero_copy_only=False) for name in names]
            for name, array in zip(names, arrays, strict=True):
                if array.dtype.kind not in "biuf":
                    kind = batch.schema.field(name).type
                    raise TableError(f"{source}: column {name!r} holds {kind}; expected numbers without nulls")
            yield from _finite_rows(source, start, arrays, names, on_error)
            start += batch.num_rows

    return Rows(source, columns, True, read)


_READERS: dict[str, Callable[[str, BufferedReader], Rows]] = {
    "csv": _csv,
    "json": _json,
    "jsonl": _jsonl,
    "npy": _npy,
    "parquet": _parquet,
}
