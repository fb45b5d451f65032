"""Rows with their numbers, and with the bad ones in their place, so that answers can stand beside rows."""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..checks.arrays import Floats
from ..errors import TableError, quoted
from .cells import cells_of
from .columns import Columns
from .copied import Copied, Copy
from .rows import Rows, feature_parts


class Numbered(NamedTuple):
    """A block of n rows."""

    X: Floats  # (good rows, features)
    is_good: NDArray[np.bool_]  # (n,), False for the bad rows, if on_error keeps them
    numbers: list[int]  # (n,), from 1, as the messages of errors count rows
    copied: list[Copy]  # (n,), the cells of the column to copy; empty without one


def numbered(rows: Rows, columns: Columns, copy: str | None = None) -> Iterator[Numbered]:
    """Return the rows of a model's columns in blocks, numbered, with the cells of one more column.

    The numbers are right if on_error keeps bad rows, or raises.

    Raises
    ------
    TableError
        If a column is missing.
    """
    wanted = columns.as_in(rows.layout)
    copied = [Copied(name) for name in rows.layout.spelled([] if copy is None else [copy])]
    if copied and rows.columns:  # none where there are no rows
        rows.require(wanted.names)
        _require_named(rows, wanted, copied[0].name)
    numbers = rows.numbers()
    blocks = rows.read([*cells_of(wanted), *copied])
    return (
        _block(wanted, cells[part], numbers, copied) for cells in blocks for part in feature_parts(len(cells), wanted)
    )


def _require_named(rows: Rows, wanted: Columns, copy: str) -> None:
    """Raise TableError where the column to copy cannot be found by its name."""
    if not rows.named and rows.layout.missing([*wanted.names, copy]):
        raise TableError(f"{rows.source}: the rows have no names; {quoted(copy)} is copied from rows with names only")
    rows.require([copy], "; name one of these")


def _block(wanted: Columns, cells: Floats, numbers: Iterator[int], copied: list[Copied]) -> Numbered:
    values = [value for each in copied for value in each.taken(cells[:, -1])]
    cells = cells[:, : len(wanted.names)]
    is_good: NDArray[np.bool_] = ~np.any(np.isinf(cells), axis=1)
    return Numbered(wanted.encode(cells[is_good]), is_good, list(islice(numbers, len(cells))), values)
