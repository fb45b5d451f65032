"""Columns of pyarrow as numbers, and a text in pieces of good and of other rows."""

from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow
from numpy.typing import NDArray

from ..checks.arrays import Floats
from ..errors import TableError
from .cells import Cells

Mask = NDArray[np.bool_]
# Texts with their numbers, None for one whose rows must be read singly.
Pieces = list[tuple[str, Floats | None]]


def in_pieces(content: bytes, ends: NDArray[np.intp], wrong: list[int], cells: Floats, is_bad: Mask) -> Pieces | None:
    """Return the text of good and of other records in turn, with the numbers of the good ones.

    Parameters
    ----------
    content : bytes
    ends : ndarray of int
        Where each record ends, behind its newline.
    wrong : list of int
        The records that have no cells; blank lines do not count.
    cells : ndarray (rows, columns)
        The numbers of all others.
    is_bad : ndarray of bool (rows,)
        Which of them are not good.
    """
    starts = np.append(0, ends[:-1])
    starts = starts[ends - starts > 1]  # without blank lines
    if len(starts) != len(cells) + len(wrong):
        return None
    bad = np.zeros(len(starts), np.bool_)
    bad[wrong] = True
    bad[~bad] = is_bad
    good = cells[~is_bad]
    firsts = np.append(0, np.flatnonzero(np.diff(bad)) + 1)
    cuts = [0, *starts[firsts[1:]].tolist(), len(content)]
    rows = np.append(0, np.cumsum(~bad))[[*firsts.tolist(), len(bad)]].tolist()
    return [
        (content[cuts[i] : cuts[i + 1]].decode(), None if is_one else good[rows[i] : rows[i + 1]])
        for i, is_one in enumerate(bad[firsts].tolist())
    ]


def floats(part: Any) -> Floats:
    if part.type == pyarrow.bool_():
        part = part.cast(pyarrow.float64())
    found: Any = np.from_dlpack(part.fill_null(np.nan) if part.null_count else part)
    return np.asarray(found, np.float64)


def fill(out: Floats, column: Any, cells: Cells) -> Mask:
    """Put a column's numbers into an array; return which of them must be read singly."""
    # Not with to_numpy, which imports pandas.
    np.concatenate([floats(part) for part in column.chunks], out=out)
    is_good = np.abs(out) < 2.0**53  # finite, and no integers that may have been rounded
    if cells.takes_missing and column.null_count:
        is_good |= np.concatenate([nulls(part) for part in column.chunks])
    return ~is_good


def nulls(part: Any) -> Mask:
    found: Any = np.from_dlpack(part.is_null().cast(pyarrow.uint8()))
    return np.asarray(found, np.bool_)


def codes(column: Any, cells: Cells, is_bad: Mask) -> Floats:
    """Return the positions of the levels in a column, which has each text once; -1 for a cell to be read singly.

    The levels that only bad rows have are not taken up.
    """
    places: Any = np.from_dlpack(column.indices)
    texts = [text if text is None else text.strip() for text in column.dictionary.to_pylist()]
    codes = np.full(len(texts), -1.0)
    for i in np.flatnonzero(np.bincount(places[~is_bad], minlength=len(texts))).tolist():
        with suppress(TableError):
            codes[i] = cells.of_level(texts[i])
    return np.asarray(codes[places])
