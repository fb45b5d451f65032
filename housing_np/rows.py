"""Rows in: CSV, JSON, JSON Lines, .npy and Parquet, from a file or standard input, a block at a time."""

import csv
import json
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BufferedReader, BytesIO, StringIO
from itertools import chain, count, repeat
from math import isfinite
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .errors import TableError
from .files import NOT_A_HEADER

_CHUNK_BYTES = 1 << 20
# Small enough that a row's prediction does not depend on the rows beside it.
_BLOCK_NUMBERS = 1 << 18
# No line is longer, and no record of CSV that has several: what never ends must not fill the memory.
_LONGEST = 1 << 20
# What stands for a line that is longer: text with a surrogate that no decoding gives.
_TOO_LONG = "\ud800"
# A field of CSV that is whole, with the comma after it.
_FIELD = re.compile(r'(?:"[^"]*+(?:""[^"]*+)*+"|[^",\r\n][^,\r\n]*+)?,')
# What CSV is separated by where it is not by commas.
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}

Block = NDArray[np.float64]
OnError = Callable[[TableError], None]
Record = tuple[tuple[int, ...], Any]


def stop(error: TableError) -> None:
    """What is done at a bad row unless something else is asked for."""
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
    _read: Callable[[list[int]], Iterator[Block]]
    _note: str = ""

    def blocks(self, names: Sequence[str]) -> Iterator[Block]:
        """Blocks of float64, shape (rows, len(names)), all finite."""
        return self._read(self.positions(names))

    def missing(self, name: str) -> TableError:
        """What to say of a name that no column has."""
        return TableError(f"{self.source}: no column {name!r}; the columns are: {', '.join(self.columns)}{self._note}")

    def positions(self, names: Sequence[str]) -> list[int]:
        """Where these columns stand; a TableError names the first that is missing."""
        if not self.named and not set(names) <= set(self.columns):
            if len(names) != len(self.columns):
                raise TableError(
                    f"{self.source}: {_columns(len(self.columns))} without names; "
                    f"expected {len(names)}: {', '.join(names)}"
                )
            return list(range(len(names)))
        for name in names:
            if name not in self.columns:
                raise self.missing(name)
        return [self.columns.index(name) for name in names]


def _columns(number: int) -> str:
    return f"{number} column" + "s" * (number != 1)


@contextmanager
def open_rows(path: str | Path, format: str | None = None, on_error: OnError = stop) -> Iterator[Rows]:
    """Open a file of rows, or standard input for "-".

    Parameters
    ----------
    path : str or Path
        A file, or "-".
    format : {"csv", "json", "jsonl", "npy", "parquet"}, optional
        By default what the name of the file ends with, and CSV for any other name.
    on_error : callable, optional
        It is given the TableError of each bad row; if it returns, the row is left out. By default the error is raised.

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
        yield reader("standard input", cast(BufferedReader, sys.stdin.buffer), on_error)
        return
    with _refused(path):
        file = Path(path).open("rb")  # noqa: SIM115 - closed below, where its errors are not those of opening it
    with file:
        yield reader(str(path), file, on_error)


@contextmanager
def _refused(path: str | Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror}); give the path of a file of rows") from None


def expect(path: str | Path) -> None:
    """Refuse a path where there is nothing, as `open_rows` would, before anything is done for its rows."""
    with _refused(path):
        Path(path).stat()


def format_of(path: str | Path) -> str | None:
    """The format that the end of a file's name stands for; None for a name that says nothing.

    >>> format_of("rows.ndjson")
    'jsonl'
    """
    ending = Path(path).suffix.lower().removeprefix(".")
    return {"ndjson": "jsonl"}.get(ending, ending if ending in _READERS else None)


def _read_some(source: str, stream: BufferedReader) -> bytes:
    with _refused(source):
        return stream.read1(_CHUNK_BYTES)


def _read_all(source: str, stream: BufferedReader) -> bytes:
    with _refused(source):
        return stream.read()


def _chunks(source: str, stream: BufferedReader) -> Iterator[str]:
    """The text of whole lines, as soon as they have come: a slow pipe is answered row by row.

    Bytes that are not UTF-8 become surrogates; `_unreadable` tells them and `_TOO_LONG` from text.
    """
    encoding = "utf-8-sig"
    begun: list[bytes] = []
    size = 0
    # The last line ends too, whether or not the stream says so.
    for data in chain(iter(lambda: _read_some(source, stream), b""), [b"\n"]):
        first, end = data.find(b"\n"), data.rfind(b"\n") + 1
        if not end:
            size += len(data)
            if size <= _LONGEST:
                begun.append(data)
            continue
        # Only the first line can be too long: the others are within one chunk.
        is_long = size + first > _LONGEST
        whole = data[first:end] if is_long else b"".join([*begun, data[:end]])
        yield _TOO_LONG * is_long + whole.decode(encoding, "surrogateescape")
        encoding = "utf-8"
        begun, size = [data[end:]], len(data) - end


def _unreadable(text: str) -> TableError | None:
    """What is wrong with a text that `_chunks` could not read."""
    try:
        text.encode()
    except UnicodeEncodeError:
        if _TOO_LONG in text:
            return TableError(f": longer than {_LONGEST} bytes; break it up or remove it")
        return TableError(": not UTF-8 text; save the file as UTF-8")
    return None


def _lines(text: str) -> list[str]:
    return StringIO(text, newline="\n").readlines()


def _csv(source: str, stream: BufferedReader, on_error: OnError) -> Rows:
    # Each chunk, and whether it is the last.
    chunks = chain(zip(_chunks(source, stream), repeat(False)), [("", True)])
    header: list[str] = []
    text, line, last = "", 0, False
    while not header and not last:
        chunk, last = next(chunks)
        lines, done = _lines(text + chunk), 0
        for at, end, record in _csv_records(lines, (), last):
            if isinstance(record, TableError):
                raise TableError(f"{source}: line {line + at}{record}")
            header, done = record, end
            if header:
                break
        text, line = "".join(lines[done:]), line + done
    columns = tuple(map(str.strip, header))
    if not any(columns):
        raise TableError(f"{source}: no names; expected a first line with the names of the columns, then rows")
    _check_names(source, columns)
    found = [kind for mark, kind in _SEPARATORS.items() if len(columns) == 1 and mark in columns[0]]
    note = f" (expected commas between them, found {found[0]})" if found else ""
    if columns[0].startswith(("{", "[")):
        note = " (expected names and commas, found JSON: say so with --format jsonl or json)"
    read = partial(_csv_blocks, source, chain([(text, False)], chunks), line, columns, on_error)
    return Rows(source, columns, True, read, note)


def _check_names(source: str, columns: Sequence[str]) -> None:
    for position, name in enumerate(columns):
        if not name:
            raise TableError(f"{source}: column {position + 1} has no name; every column needs one, in the first line")
        if name in columns[:position]:
            raise TableError(f"{source}: column {position + 1} repeats the name {name!r}; names must be unique")


def _csv_records(
    lines: list[str], columns: tuple[str, ...], last: bool
) -> Iterator[tuple[int, int, list[str] | TableError]]:
    """Each record, or what is wrong with it, after the number of its line and the number of lines that are done.

    A record whose quotes are broken is its first line alone: a quote takes no good rows with it. A record that is not
    whole is left, unless these are the last lines.
    """
    start = end = size = alone = 0

    def feed() -> Iterator[str]:
        nonlocal end, size
        while end < len(lines):
            size += len(lines[end])
            if size > _LONGEST and end > start:
                raise csv.Error(f"record larger than {_LONGEST} characters")
            if start < alone and end > start:
                raise csv.Error("a quote is not closed")
            end += 1
            yield lines[end - 1]

    while start < len(lines):
        try:
            for record in csv.reader(feed(), strict=True):
                if record and columns and len(record) != len(columns):
                    joined = f" (lines joined by a quote: {end - start})" if end > start + 1 else ""
                    raise TableError(f": {_columns(len(record))}, expected {len(columns)}{joined}")
                for line, text in enumerate(lines[start:end], start=1):
                    if problem := _unreadable(text):
                        yield start + line, end, problem
                        break
                else:
                    yield end, end, record
                start, size = end, 0
        except csv.Error as error:
            if not last and "end of data" in str(error):
                return
            problem = _not_csv("".join(lines[start:end]), columns, str(error))
        except TableError as error:
            problem = error
        else:
            return
        yield start + 1, start + 1, _unreadable(lines[start]) or problem
        # The lines that it took are read one by one: each could take them all again.
        alone = max(alone, end - 1)
        start, size = start + 1, 0
        end = start


def _not_csv(text: str, columns: tuple[str, ...], reason: str) -> TableError:
    """What csv says of a record, with the column that it could not read."""
    column = at = 0
    while (field := _FIELD.match(text, at)) and len(field[0]) <= csv.field_size_limit():
        column, at = column + 1, field.end()
    name = repr(columns[column]) if column < len(columns) else column + 1
    reason = "a quote is not closed" if "end of data" in reason else reason.split(" - ")[0]
    return TableError(f", column {name}: not CSV ({reason}); correct its quotes or remove the line")


def _csv_blocks(
    source: str,
    chunks: Iterable[tuple[str, bool]],
    line: int,
    columns: tuple[str, ...],
    on_error: OnError,
    chosen: list[int],
) -> Iterator[Block]:
    def pick(record: list[str] | TableError) -> list[float]:
        if isinstance(record, TableError):
            raise record
        return [_text_number(record[i], columns[i]) for i in chosen]

    row, rest = 0, ""
    for chunk, last in chunks:
        text = rest + chunk
        block = _plain_block(text, len(columns), chosen)
        if block is not None:
            row, line, rest = row + len(block), line + text.count("\n"), ""
            yield block
            continue
        lines, done = _lines(text), 0
        records: list[Record] = []
        for at, end, record in _csv_records(lines, columns, last):
            done = end
            if record:
                row += 1
                records.append(((row, line + at), record))
        line, rest = line + done, "".join(lines[done:])
        yield from _assembled(source, "row {} (line {})", records, pick, on_error)


def _plain_block(text: str, width: int, chosen: list[int]) -> Block | None:
    """The block, at the speed of numpy's parser; None where there is anything to quote, to skip or to refuse."""
    if '"' in text or _unreadable(text):
        return None
    lines = _lines(text)
    if set(map(str.count, lines, repeat(","))) != {width - 1} or max(map(len, lines)) > csv.field_size_limit():
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


def _jsonl(source: str, stream: BufferedReader, on_error: OnError) -> Rows:
    # Chunk by chunk: a slow pipe is answered as it comes.
    chunks = _jsonl_records(_chunks(source, stream))
    for records in chunks:
        for first in records:
            try:
                head = _json_columns(_parsed(first[1]))
                if head is None:
                    raise TableError(": expected an object with a number for each name, or a list of numbers")
            except TableError as error:
                on_error(TableError(f"{source}: line {first[0][0]}{error}"))
                continue
            blocks = partial(_jsonl_blocks, source, chain([chain([first], records)], chunks), head[0], on_error)
            return Rows(source, *head, blocks)
    raise TableError(f"{source}: no rows; expected one JSON object a line")


def _jsonl_blocks(
    source: str, chunks: Iterable[Iterable[Record]], columns: tuple[str, ...], on_error: OnError, chosen: list[int]
) -> Iterator[Block]:
    pick = _picker(columns, chosen)
    for records in chunks:
        yield from _assembled(source, "line {}", records, lambda text: pick(_parsed(text)), on_error)


def _jsonl_records(chunks: Iterable[str]) -> Iterator[Iterator[Record]]:
    """The lines of each chunk that are not blank, with their numbers."""
    numbers = count(1)
    for text in chunks:
        yield iter([((number,), line) for line, number in zip(_lines(text), numbers, strict=False) if line.strip()])


def _parsed(text: str) -> Any:
    if problem := _unreadable(text):
        raise problem
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TableError(f": not JSON ({error})") from None


def _json(source: str, stream: BufferedReader, on_error: OnError) -> Rows:
    try:
        document = _parsed(_read_all(source, stream).decode("utf-8-sig", "surrogateescape"))
    except TableError as error:
        raise TableError(f"{source}{error}") from None
    names, rows = _json_rows(source, document)
    head = (names, True) if names is not None else next(filter(None, map(_json_columns, rows)), None)
    if head is None:
        raise TableError(f"{source}: no rows; expected objects with a number for each name, or lists of numbers")
    columns, named = head

    def read(chosen: list[int]) -> Iterator[Block]:
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


def _json_columns(row: Any) -> tuple[tuple[str, ...], bool] | None:
    """The names of the columns, as this row tells them, and whether they are more than positions."""
    match row:
        case dict() if row:
            return tuple(row), True
        case list() if row:
            return positional_names(len(row)), False
    return None


def positional_names(width: int) -> tuple[str, ...]:
    """The names of columns that have none.

    >>> positional_names(2)
    ('x0', 'x1')
    """
    return tuple(f"x{i}" for i in range(width))


def _npy(source: str, stream: BufferedReader, on_error: OnError) -> Rows:
    try:
        # Mapped where there is a file to map: the rows may be more than memory holds.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if source == "standard input":
                data = np.load(BytesIO(_read_all(source, stream)), allow_pickle=False)
            else:
                data = np.load(source, mmap_mode="r", allow_pickle=False)
    except (*NOT_A_HEADER, EOFError, OSError):
        data = None
    # numpy's reasons are not passed on: they advise to load what cannot be trusted.
    if not isinstance(data, np.ndarray):
        raise TableError(f"{source}: not a .npy array of numbers, or not whole; write one with numpy.save")
    names = data.dtype.names
    if data.ndim != (1 if names else 2) or 0 in data.shape or (not names and data.dtype.kind not in "biuf"):
        raise TableError(f"{source}: shape {data.shape} of {data.dtype}; expected rows and columns of real numbers")
    columns = names or positional_names(data.shape[1])
    return Rows(source, columns, names is not None, partial(_npy_blocks, source, data, columns, on_error))


def _npy_blocks(
    source: str, data: np.ndarray, names: tuple[str, ...], on_error: OnError, chosen: list[int]
) -> Iterator[Block]:
    for name in (names[i] for i in chosen if data.dtype.names):
        if data.dtype[name].kind not in "biuf":
            raise TableError(f"{source}: column {name!r} holds {data.dtype[name]}; expected real numbers")
    step = max(1, _BLOCK_NUMBERS // len(names))
    for start in range(0, len(data), step):
        part = data[start : start + step]
        columns = [part[names[i]] for i in chosen] if data.dtype.names else np.take(part, chosen, axis=1).T
        yield from _finite_rows(source, start, columns, [names[i] for i in chosen], on_error)


def _finite_rows(
    source: str, start: int, columns: np.ndarray | list[np.ndarray], names: list[str], on_error: OnError
) -> Iterator[Block]:
    """The rows of these columns that hold only numbers that float64 can; `start` rows stand before them."""
    block, begin = np.asarray(columns, np.float64).T, 0
    limits = [2.0**53 if each.dtype.kind in "iu" and each.dtype.itemsize == 8 else np.inf for each in columns]
    exact = np.isfinite(block) if min(limits) == np.inf else np.abs(block) < limits
    for row in dict.fromkeys((np.flatnonzero(~exact) // len(names)).tolist()):
        if begin < row:
            yield block[begin:row]
        begin, column = row + 1, int(np.argmin(exact[row]))
        where = f"row {start + row + 1}, column {names[column]!r}"
        problem = f"{block[row, column]} is not a finite number; fill it in or remove the row"
        if np.isfinite(block[row, column]):
            problem = f"{block[row, column]:.0f} is an integer of 2**53 or more, which float64 rounds; make it smaller"
        on_error(TableError(f"{source}: {where}: {problem}"))
    if begin < len(block):
        yield block[begin:]


def _parquet(source: str, stream: BufferedReader, on_error: OnError) -> Rows:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise TableError(f"{source}: Parquet needs pyarrow: pip install 'housing_np[parquet]'") from None
    try:
        file = pyarrow.parquet.ParquetFile(stream if stream.seekable() else BytesIO(_read_all(source, stream)))
    except (pyarrow.ArrowException, OSError) as error:
        raise TableError(f"{source}: not a Parquet file ({str(error).splitlines()[0]})") from None
    columns = tuple(file.schema_arrow.names)
    _check_names(source, columns)

    def read(chosen: list[int]) -> Iterator[Block]:
        names, start = [columns[i] for i in chosen], 0
        batches = file.iter_batches(max(1, _BLOCK_NUMBERS // len(columns)), columns=names)
        while True:
            try:
                batch = next(batches, None)
            except (pyarrow.ArrowException, OSError) as error:
                reason = (str(error).splitlines() or ["cannot be read"])[0]
                raise TableError(f"{source}: damaged after row {start} ({reason}); write the file again") from None
            if batch is None:
                return
            arrays = [batch.column(name).to_numpy(zero_copy_only=False) for name in names]
            for name, array in zip(names, arrays, strict=True):
                if array.dtype.kind not in "biuf":
                    kind = batch.schema.field(name).type
                    raise TableError(f"{source}: column {name!r} holds {kind}; expected numbers without nulls")
            yield from _finite_rows(source, start, arrays, names, on_error)
            start += batch.num_rows

    return Rows(source, columns, True, read)


_READERS: dict[str, Callable[[str, BufferedReader, OnError], Rows]] = {
    "csv": _csv,
    "json": _json,
    "jsonl": _jsonl,
    "npy": _npy,
    "parquet": _parquet,
}
