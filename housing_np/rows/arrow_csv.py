"""Numbers of CSV, read and written by pyarrow: faster, with the same digits."""

import re
from typing import Any

import numpy as np
import pyarrow
import pyarrow.csv
from numpy.typing import NDArray

from ..checks.arrays import Floats
from ..errors import TableError
from . import numbers
from .arrow_columns import Mask, codes, fill, piece
from .cells import UNKNOWN, Cells
from .csv_dialect import Dialect
from .rows import Piece
from .text import undecoded

_Chosen = list[tuple[int, Cells]]

# In this range pyarrow writes a number as Python does, unless it is whole.
_LEAST, _MOST = 1e-4, 1e9
_NULLS = sorted(
    {word for each in numbers.MISSING for word in (each, each.upper(), each.capitalize(), each.title())} | {"NaN"}
)
_PART = 1 << 12  # characters that are not halved if they hold a broken quote
_FAILED = re.compile(r"In CSV column #(\d+):")
_QUOTE, _NEWLINE = b'"\n'


class Parser:
    """Parses whole lines, as `housing_np.rows.csv` takes them apart: the good rows of a text at once.

    A column in which pyarrow cannot read a cell is read as text from then on, and its cells one by one where needed.
    """

    def __init__(self) -> None:
        self._as_text: set[int] = set()

    def __call__(self, chunk: str, width: int, chosen: _Chosen, dialect: Dialect) -> list[Piece] | None:
        """Return the text in pieces; None if no part of it can be parsed."""
        if chunk.startswith("\ufeff") or not dialect.between.isascii():
            return None
        found = None
        if not undecoded(chunk) and not _may_have_longer(chunk, dialect.longest_field):
            found = self._parsed(chunk, width, chosen, dialect)
        half = chunk.find("\n", len(chunk) // 2) + 1
        if found is not None:
            return [found]
        if len(chunk) <= _PART or half in (0, len(chunk)):
            return None
        parts = [(part, self(part, width, chosen, dialect)) for part in (chunk[:half], chunk[half:])]
        if all(pieces is None for _, pieces in parts):
            return None
        return [each for part, pieces in parts for each in pieces or [Piece(part)]]

    def _parsed(self, chunk: str, width: int, chosen: _Chosen, dialect: Dialect) -> Piece | None:
        """Return a text with its numbers; None if it must be halved, or cut into records."""
        content = chunk.encode()
        ends = None
        if '"' in chunk:
            ends = _record_ends(content, dialect)
            if ends is None:
                return None
        before = len(self._as_text)
        table, wrong = self._table(content, width, chosen, dialect)
        if table is None or not table.num_rows:
            return None
        cells, is_bad = self._numbers(table, chosen, dialect)
        if len(self._as_text) > before and is_bad.any():
            return self._parsed(chunk, width, chosen, dialect)
        if not wrong and not is_bad.any():
            return Piece(chunk, cells)
        ends = _record_ends(content, dialect) if ends is None else ends
        return None if ends is None else piece(chunk, content, ends, wrong, cells, is_bad)

    def _table(self, content: bytes, width: int, chosen: _Chosen, dialect: Dialect) -> tuple[Any, list[int]]:
        """Return the chosen columns as pyarrow has them, and the places of the records of another width."""
        wrong: list[int] = []

        def leave_out(row: Any) -> str:
            wrong.append(row.number - 1)
            return "skip"

        names = [str(i) for i in range(width)]
        truths = _truths(content, chosen, dialect)
        while True:
            wrong.clear()
            try:
                return pyarrow.csv.read_csv(
                    pyarrow.BufferReader(content),
                    pyarrow.csv.ReadOptions(column_names=names, block_size=len(content) + 1, use_threads=False),
                    pyarrow.csv.ParseOptions(
                        delimiter=dialect.between,
                        quote_char='"' if b'"' in content else False,
                        invalid_row_handler=leave_out,
                    ),
                    pyarrow.csv.ConvertOptions(
                        column_types={str(i): self._type(i, each, i in truths) for i, each in chosen},
                        include_columns=[str(i) for i, _ in chosen],
                        null_values=_NULLS,
                        true_values=["true", "True", "TRUE"],
                        false_values=["false", "False", "FALSE"],
                        decimal_point=dialect.decimal,
                    ),
                ), wrong
            except MemoryError:
                raise
            except pyarrow.ArrowException as error:  # also if the system starts no more threads
                failed = _FAILED.match(str(error))
                if failed is None or int(failed[1]) in self._as_text:
                    return None, wrong
                self._as_text.add(int(failed[1]))

    def _type(self, place: int, cells: Cells, is_truth: bool) -> Any:
        if cells.levels is not None:
            return pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
        if place in self._as_text:
            return pyarrow.string()
        return pyarrow.bool_() if is_truth else pyarrow.float64()

    def _numbers(self, table: Any, chosen: _Chosen, dialect: Dialect) -> tuple[Floats, Mask]:
        """Return the cells of all rows as numbers, and which rows must be read singly."""
        cells = np.empty((len(chosen), table.num_rows))
        is_bad = np.zeros(table.num_rows, np.bool_)
        in_order = sorted(enumerate(chosen), key=lambda each: each[1][1].levels is not None)
        for at, (place, each) in in_order:
            column = table.column(str(place))
            if each.levels is not None:
                cells[at] = codes(column.combine_chunks(), each, is_bad)
                is_bad |= cells[at] == -1
            elif column.type == pyarrow.string():
                cells[at] = _each(column.to_pylist(), each, dialect.decimal)
                is_bad |= cells[at] == UNKNOWN
            else:
                is_bad |= self._fill(cells[at], column, place, each)
        return cells.T, is_bad

    def _fill(self, out: Floats, column: Any, place: int, cells: Cells) -> Mask:
        """Put a column's numbers into an array; return which of them must be read singly."""
        is_bad = fill(out, column, cells)
        nulls = 0 if cells.takes_missing else column.null_count
        if np.count_nonzero(is_bad) > nulls:
            self._as_text.add(place)
        return is_bad


def _record_ends(content: bytes, dialect: Dialect) -> NDArray[np.intp] | None:
    """Return where each record ends, behind its newline; None unless each quote opens or closes a whole field."""
    text = np.frombuffer(content, np.uint8)
    newlines = np.flatnonzero(text == _NEWLINE)
    marks = np.flatnonzero(text == _QUOTE)
    if len(marks):
        if len(marks) % 2:
            return None
        # A doubled quote closes, and opens again. What is before the first character is the last newline.
        around = np.concatenate([text[marks[::2] - 1], text[marks[1::2] + 1]])
        if not np.all((around == ord(dialect.between)) | (around == _NEWLINE) | (around == _QUOTE)):
            return None
        newlines = newlines[np.searchsorted(marks, newlines) % 2 == 0]
    ends = newlines + 1
    longest = int(np.diff(ends, prepend=0).max())
    return None if longest > dialect.longest_field else ends


def _truths(content: bytes, chosen: _Chosen, dialect: Dialect) -> set[int]:
    """Return the columns of numbers whose first cell is a truth value."""
    first = content[: content.find(b"\n")].decode().split(dialect.between)
    return {
        i
        for i, each in chosen
        if each.levels is None and i < len(first) and first[i].strip(' "').lower() in ("true", "false")
    }


def _each(texts: list[str], cells: Cells, decimal: str) -> list[float]:
    """Return the numbers in cells of text, those next to a bad one singly; `UNKNOWN` for a bad one."""
    found = numbers.of_plain(texts, decimal)
    if found is not None:
        return found
    if len(texts) > 8:
        half = len(texts) // 2
        return _each(texts[:half], cells, decimal) + _each(texts[half:], cells, decimal)
    return [_number(text, cells, decimal) for text in texts]


def _number(text: str, cells: Cells, decimal: str) -> float:
    try:
        return cells.of_text(text, decimal)
    except TableError:
        return UNKNOWN


def _may_have_longer(chunk: str, length: int) -> bool:
    """Whether a line of the chunk may be longer: then half of that length is without a line break somewhere."""
    half = max(1, length // 2)
    return any(chunk.find("\n", start, start + half) < 0 for start in range(0, len(chunk) - half, half))


def csv_text(block: Floats) -> str:
    """Return lines of CSV with each number as Python's repr writes it."""
    out = pyarrow.BufferOutputStream()
    # Not with pyarrow.array, which imports pandas.
    buffers = [[None, pyarrow.py_buffer(column)] for column in np.ascontiguousarray(block.T)]
    columns = [pyarrow.Array.from_buffers(pyarrow.float64(), len(block), each) for each in buffers]
    table = pyarrow.table(columns, [str(i) for i in range(len(columns))])
    pyarrow.csv.write_csv(table, out, pyarrow.csv.WriteOptions(include_header=False, quoting_style="none"))
    text: str = out.getvalue().to_pybytes().decode()
    size = np.abs(block)
    is_same = ((size >= _LEAST) & (size < _MOST) & (block != np.rint(block))).all(axis=1)
    if is_same.all():
        return text
    lines = text.split("\n")
    for i in np.flatnonzero(~is_same).tolist():
        lines[i] = ",".join(map(repr, block[i].tolist()))
    return "\n".join(lines)
