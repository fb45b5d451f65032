"""Numbers of CSV, read and written by pyarrow: faster, with the same digits."""

from typing import Any

import numpy as np
import pyarrow
import pyarrow.csv

from ..checks.arrays import Floats
from ..errors import TableError
from .cells import Cells
from .csv_dialect import Dialect
from .numbers import MISSING
from .text import undecoded

# In this range pyarrow writes a number as Python does, unless it is whole.
_LEAST, _MOST = 1e-4, 1e9
_NULLS = sorted({word for each in MISSING for word in (each, each.upper(), each.capitalize(), each.title())} | {"NaN"})


def block(chunk: str, width: int, chosen: list[tuple[int, Cells]], dialect: Dialect) -> Floats | None:
    """Parse the chosen columns of whole lines; return None if there is anything to unquote or refuse."""
    if '"' in chunk or chunk.startswith("\ufeff") or undecoded(chunk) or _may_have_longer(chunk, dialect.longest_field):
        return None
    names = [str(i) for i in range(width)]
    wanted = {names[i]: each for i, each in chosen}
    if len(wanted) < len(chosen):  # a feature is copied too
        parts = [block(chunk, width, part, dialect) for part in (chosen[:-1], chosen[-1:])]
        return None if parts[0] is None or parts[1] is None else np.hstack([parts[0], parts[1]])
    truths = _truths(chunk, chosen, dialect)
    content = chunk.encode()
    try:
        table = pyarrow.csv.read_csv(
            pyarrow.BufferReader(content),
            pyarrow.csv.ReadOptions(column_names=names, block_size=len(content) + 1, use_threads=False),
            pyarrow.csv.ParseOptions(delimiter=dialect.between, quote_char=False),
            pyarrow.csv.ConvertOptions(
                column_types={name: _type(each, name in truths) for name, each in wanted.items()},
                include_columns=list(wanted),
                null_values=_NULLS if any(each.takes_missing for each in wanted.values()) else [],
                true_values=["true", "True", "TRUE"],
                false_values=["false", "False", "FALSE"],
                decimal_point=dialect.decimal,
            ),
        )
    except MemoryError:
        raise
    except pyarrow.ArrowException:  # also if the system starts no more threads
        return None
    numbers = np.empty((len(chosen), table.num_rows))
    for out, (name, each) in zip(numbers, wanted.items(), strict=True):
        if not _fill(out, table.column(name), each):
            return None
    return numbers.T if table.num_rows else None


def _truths(chunk: str, chosen: list[tuple[int, Cells]], dialect: Dialect) -> set[str]:
    """Return the columns of numbers whose first cell is a truth value."""
    first = chunk[: chunk.find("\n")].split(dialect.between)
    return {
        str(i)
        for i, each in chosen
        if each.levels is None and i < len(first) and first[i].strip().lower() in ("true", "false")
    }


def _type(cells: Cells, is_truth: bool) -> Any:
    if cells.levels is not None:
        return pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    return pyarrow.bool_() if is_truth else pyarrow.float64()


def _fill(out: Floats, column: Any, cells: Cells) -> bool:
    """Put a column's numbers into an array; return False where a cell must be checked singly."""
    if cells.levels is not None:
        try:
            parts = [_codes(part, cells) for part in column.chunks]
        except TableError:
            return False
    else:
        if column.null_count and not cells.takes_missing:
            return False
        parts = [_floats(part) for part in column.chunks]
    # Not with to_numpy, which imports pandas.
    np.concatenate(parts, out=out)
    if cells.levels is not None:
        return True
    # False for values that must be checked singly: not finite, integers that may have been rounded, -nan, which is no
    # word for what is missing.
    is_missing = np.isnan(out)
    is_good = (np.abs(out) < 2.0**53) | is_missing
    return bool(is_good.all()) and np.count_nonzero(is_missing) == column.null_count


def _floats(part: Any) -> Floats:
    if part.type == pyarrow.bool_():
        part = part.cast(pyarrow.float64())
    found: Any = np.from_dlpack(part.fill_null(np.nan) if part.null_count else part)
    return np.asarray(found, np.float64)


def _codes(part: Any, cells: Cells) -> Floats:
    """Return the positions of the levels in one part of a column, which has each text once."""
    places: Any = np.from_dlpack(part.indices)
    return cells.of_dictionary(part.dictionary.to_pylist(), places)


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
