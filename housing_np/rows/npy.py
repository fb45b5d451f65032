"""Rows of an .npy array, plain or structured, read a block at a time: they may exceed the memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import SEEK_CUR, SEEK_END, BytesIO
from math import prod
from tokenize import TokenError
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..checks.arrays import Floats
from ..errors import TableError, quoted
from .cells import Cells, as_level
from .columns import Columns, positional_names
from .rows import BLOCK_NUMBERS, SAMPLE_ROWS, OnError, Rows, TextColumnError, checked
from .source import Source

_LONGEST_HEADER = 10_000  # characters, the limit of NumPy's own reader
# What NumPy's reader raises, and what Python's parser and tokenizer raise below it.
_INVALID_HEADER = (ValueError, TypeError, LookupError, SyntaxError, TokenError, RecursionError, OverflowError)
_INVALID = "not a .npy array of numbers, or not whole; write one with numpy.save"
_TOO_LONG = f"the header of the array has more than {_LONGEST_HEADER:,} characters; save fewer columns, or Parquet"


@dataclass(frozen=True)
class _Array:
    """An array in a file, whose numbers begin at a position."""

    file: BinaryIO
    start: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_fortran: bool

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Return rows from start to stop, at most to the last one."""
        n, *others = self.shape
        count = min(stop, n) - start
        if not self.is_fortran:
            return self._read(start * prod(others), count * prod(others)).reshape(count, *others)
        return np.stack([self._read(column * n + start, count) for column in range(prod(others))], axis=1)

    def _read(self, first: int, count: int) -> NDArray[Any]:
        self.file.seek(self.start + first * self.dtype.itemsize)
        return np.frombuffer(self.file.read(count * self.dtype.itemsize), self.dtype, count)


def read(source: Source, on_error: OnError) -> Rows:
    """Return the rows of an .npy array."""
    array = _open(source)
    names = array.dtype.names
    is_table = len(array.shape) == (1 if names else 2) and 0 not in array.shape
    if not is_table or not (names or array.dtype.kind in "biuf"):
        raise TableError(
            f"{source.name}: shape {array.shape} of {array.dtype}; expected rows and columns of real numbers"
        )
    columns = names or positional_names(array.shape[1])

    def blocks(wanted: Sequence[Cells]) -> Iterator[Floats]:
        chosen = rows.positions([each.name for each in wanted])
        wanted = [replace(each, name=columns[i]) for i, each in zip(chosen, wanted, strict=True)]
        _refuse_text(source.name, array.dtype, [each.name for each in wanted if each.levels is None])
        return _blocks(source.name, array, columns, list(zip(chosen, wanted, strict=True)), on_error)

    def sample() -> dict[str, list[Any]]:
        first = array.rows(0, SAMPLE_ROWS)
        return {
            name: [as_level(each) for each in first[name]] for name in names or () if array.dtype[name].kind in "SU"
        }

    rows = Rows(source.name, Columns(columns, names is not None), blocks, sample)
    return rows


def _open(source: Source) -> _Array:
    """Return the array of a source, whose header is valid and whose numbers are all there."""
    file = source.file()
    try:
        shape, is_fortran, dtype = read_header(file)
    except TableError as error:
        raise TableError(f"{source.name}: {error}") from None
    except _INVALID_HEADER:
        raise TableError(f"{source.name}: {_INVALID}") from None
    if dtype.hasobject:
        raise TableError(f"{source.name}: an .npy of Python objects; save numbers only, with array.astype(float)")
    start, size = file.tell(), prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or not dtype.itemsize or start + size > file.seek(0, SEEK_END):
        raise TableError(f"{source.name}: {_INVALID}")
    return _Array(file, start, dtype, shape, is_fortran)


def read_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return the shape, whether the order is Fortran's, and the type, from a header of any version of the format.

    Raises
    ------
    TableError
        For a header that is too long; the message lacks the source.
    ValueError, TypeError, LookupError, SyntaxError, TokenError, RecursionError, OverflowError
        For an invalid header.
    """
    major, _ = np.lib.format.read_magic(file)
    size = int.from_bytes(file.read(2 if major == 1 else 4), "little")
    if size > _LONGEST_HEADER:
        is_there = file.seek(size, SEEK_CUR) <= file.seek(0, SEEK_END)
        raise TableError(_TOO_LONG if is_there else _INVALID)
    # Version 3 differs from 2 only in its encoding, and NumPy has no public reader for it.
    text = file.read(size).decode("utf-8" if major == 3 else "latin-1")
    header = text.encode("latin-1", "backslashreplace")
    whole = BytesIO(len(header).to_bytes(4, "little") + header)
    return np.lib.format.read_array_header_2_0(whole, max_header_size=len(header))


def _refuse_text(source: str, dtype: np.dtype[Any], names: Sequence[str]) -> None:
    for name in names:
        if name in (dtype.names or ()) and dtype[name].kind not in "biuf":
            raise TextColumnError(f"{source}: column {quoted(name)} holds {dtype[name]}; expected real numbers", [name])


def _blocks(
    source: str, array: _Array, columns: tuple[str, ...], chosen: list[tuple[int, Cells]], on_error: OnError
) -> Iterator[Floats]:
    step = max(1, BLOCK_NUMBERS // len(columns))
    places, wanted = [i for i, _ in chosen], [each for _, each in chosen]
    is_whole = places == list(range(len(columns)))
    is_plain = all(each.levels is None for each in wanted)
    for start in range(0, array.shape[0], step):
        part = array.rows(start, start + step)
        if array.dtype == np.float64 and is_plain:
            block = part if is_whole else np.take(part, places, axis=1)
            if np.isfinite(block).all():
                yield block
                continue
        fields = [part[columns[i]] if array.dtype.names else part[:, i] for i in places]
        yield from checked(source, start, fields, wanted, on_error)
