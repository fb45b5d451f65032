"""Numbers of CSV at the speed of pyarrow's parser, on all cores, to the same digits."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow
import pyarrow.csv

from ..arrays import Floats
from .text import longest_line, undecoded

if TYPE_CHECKING:
    from .csv import Dialect


def block(chunk: str, width: int, chosen: list[int], dialect: "Dialect") -> Floats | None:
    """Return the chosen columns of whole lines; None where there is anything to quote or to refuse."""
    if '"' in chunk or chunk.startswith("\ufeff") or undecoded(chunk) or longest_line(chunk) > dialect.longest_field:
        return None
    names = [str(i) for i in range(width)]
    wanted = [names[i] for i in chosen]
    content = chunk.encode()
    try:
        table = pyarrow.csv.read_csv(
            pyarrow.BufferReader(content),
            pyarrow.csv.ReadOptions(column_names=names, block_size=max(1 << 18, len(content) // 4)),
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
    numbers = np.empty((table.num_rows, len(chosen)))
    for i, name in enumerate(wanted):
        numbers[:, i] = table.column(name).to_numpy()
    # What is not finite is refused by the plain parser; integers beyond 2**53 may be rounded here.
    return numbers if len(numbers) and (np.abs(numbers) < 2.0**53).all() else None
