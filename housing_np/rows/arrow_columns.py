"""Columns of pyarrow as numbers, and a text in pieces of good and of other rows."""

from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow
from numpy.typing import NDArray

from ..checks.arrays import Floats
from ..errors import TableError
from .cells import Cells
from .rows import Piece

Mask = NDArray[np.bool_]


def piece(
    text: str, content: bytes, ends: NDArray[np.intp], wrong: list[int], cells: Floats, is_bad: Mask
) -> Piece | None:
    """Return a text with the numbers of its good records, and with the text of the others.

    Parameters
    ----------
    text : str
    content : bytes
        The text in UTF-8.
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
    is_blank = ends - starts == 1
    starts, ends = starts[~is_blank], ends[~is_blank]
    if len(starts) != len(cells) + len(wrong):
        return None
    if wrong:
        has_cells = np.ones(len(starts), np.bool_)
        has_cells[wrong] = False
        block, is_single = np.zeros((len(starts), cells.shape[1])), ~has_cells
        block[has_cells], is_single[has_cells] = cells, is_bad
    else:
        block, is_single = cells, is_bad
    singly = np.flatnonzero(is_single)
    starts, ends = starts[singly], ends[singly]
    newlines = np.flatnonzero(np.frombuffer(content, np.uint8) == ord("\n"))
    lines = np.searchsorted(newlines, starts)
    # Of a bad record over several lines, each line may be a record.
    if not np.array_equal(newlines[lines] + 1, ends):
        return None
    places = zip(*(each.tolist() for each in (singly, lines, starts, ends)), strict=True)
    return Piece(text, block, [(at, line, content[start:end].decode()) for at, line, start, end in places])


def floats(part: Any) -> Floats:
    """Return numbers or truth values as an array, with NaN for a null."""
    if part.type == pyarrow.bool_():
        part = part.cast(pyarrow.float64())
    # Not with fill_null, to_numpy or pyarrow.array, which import pandas.
    data = pyarrow.Array.from_buffers(part.type, len(part), [None, part.buffers()[1]], offset=part.offset)
    found: Any = np.from_dlpack(data)
    return np.where(nulls(part), np.nan, found) if part.null_count else np.asarray(found, np.float64)


def fill(out: Floats, column: Any, cells: Cells) -> Mask:
    """Put a column's numbers into an array; return which of them must be read singly."""
    np.concatenate([floats(part) for part in column.chunks], out=out)
    is_good = np.abs(out) < 2.0**53  # finite, and no integers that may have been rounded
    if cells.takes_missing and column.null_count:
        is_good |= np.concatenate([nulls(part) for part in column.chunks])
    return ~is_good


def nulls(part: Any) -> Mask:
    """Return which entries are null, without pyarrow.compute, whose import takes long."""
    bits = part.buffers()[0]
    if bits is None:
        return np.zeros(len(part), np.bool_)
    is_valid: NDArray[np.uint8] = np.unpackbits(
        np.frombuffer(bits, np.uint8), count=part.offset + len(part), bitorder="little"
    )
    return np.equal(is_valid[part.offset :], 0)


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
