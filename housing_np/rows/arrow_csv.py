"""Numbers of CSV, read and written by pyarrow: faster, with the same digits."""

import numpy as np
import pyarrow
import pyarrow.csv

from ..checks.arrays import Floats
from .csv_dialect import Dialect
from .text import undecoded

# In this range pyarrow writes a number as Python does, unless it is whole.
_LEAST, _MOST = 1e-4, 1e9


def block(chunk: str, width: int, chosen: list[int], dialect: Dialect) -> Floats | None:
    """Parse the chosen columns of whole lines; return None if there is anything to unquote or refuse."""
    if '"' in chunk or chunk.startswith("\ufeff") or undecoded(chunk) or _may_have_longer(chunk, dialect.longest_field):
        return None
    names = [str(i) for i in range(width)]
    wanted = [names[i] for i in chosen]
    content = chunk.encode()
    try:
        table = pyarrow.csv.read_csv(
            pyarrow.BufferReader(content),
            pyarrow.csv.ReadOptions(column_names=names, block_size=len(content) + 1, use_threads=False),
            pyarrow.csv.ParseOptions(delimiter=dialect.between, quote_char=False),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(wanted, pyarrow.float64()),
                include_columns=wanted,
                null_values=[],
                decimal_point=dialect.decimal,
            ),
        )
    except MemoryError:
        raise
    except pyarrow.ArrowException:  # also if the system starts no more threads
        return None
    numbers = np.empty((len(chosen), table.num_rows))
    for column, name in zip(numbers, wanted, strict=True):
        # Not with to_numpy, which imports pandas.
        np.concatenate([np.from_dlpack(part) for part in table.column(name).chunks], out=column)
        # None for values that must be checked singly: not finite, or integers that may have been rounded.
        if not (np.abs(column) < 2.0**53).all():
            return None
    return numbers.T if table.num_rows else None


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
