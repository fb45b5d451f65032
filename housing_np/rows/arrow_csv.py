"""Numbers of CSV, read and written by pyarrow: faster, and to the same digits."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow
import pyarrow.csv

from ..checks.arrays import Floats
from .text import undecoded

if TYPE_CHECKING:
    from .csv import Dialect


# Where it writes a number as Python does, but for whole ones.
_LEAST, _MOST = 1e-4, 1e9


def block(chunk: str, width: int, chosen: list[int], dialect: "Dialect") -> Floats | None:
    """Return the chosen columns of whole lines; None where there is anything to quote or to refuse."""
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
    except pyarrow.ArrowException:  # also where the system starts no more threads
        return None
    numbers = np.empty((len(chosen), table.num_rows))
    for column, name in zip(numbers, wanted, strict=True):
        # Not by to_numpy, which imports pandas.
        np.concatenate([np.from_dlpack(part) for part in table.column(name).chunks], out=column)
        # What is not finite is refused by the plain parser; integers beyond 2**53 may be rounded here.
        if not (np.abs(column) < 2.0**53).all():
            return None
    return numbers.T if table.num_rows else None


def _may_have_longer(chunk: str, length: int) -> bool:
    """Whether a line of the chunk may be longer: one that is leaves half of that length without a line break."""
    half = max(1, length // 2)
    return any(chunk.find("\n", start, start + half) < 0 for start in range(0, len(chunk) - half, half))


def written(block: Floats) -> str:
    """Return lines of CSV, each number the shortest text that reads back as it, as Python writes it."""
    out = pyarrow.BufferOutputStream()
    # Not by pyarrow.array, which imports pandas.
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
