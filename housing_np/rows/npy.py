"""Rows of an .npy array, plain or structured, read a block at a time: they may exceed the memory."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import SEEK_END, BytesIO
from itertools import chain, islice, repeat, takewhile
from math import prod
from tokenize import TokenError
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..checks.arrays import Floats
from ..errors import TableError, quoted
from .cells import Cells, as_level, renamed
from .columns import Columns, positional_names
from .formats import FORMATS
from .rows import BLOCK_NUMBERS, SAMPLE_ROWS, OnError, Rows, TextColumnError, check_width, checked
from .source import CHUNK_BYTES, MOST_HELD, Source

_MAGIC = FORMATS["npy"].magic
_LONGEST_HEADER = 10_000  # characters, the limit of NumPy's own reader
# What NumPy's reader raises, and what Python's parser and tokenizer raise below it.
_INVALID_HEADER = (
    ValueError,
    TypeError,
    LookupError,
    SyntaxError,
    TokenError,
    RecursionError,
    OverflowError,
    MemoryError,
)
_INVALID = "not a .npy array of numbers, or not whole; write one with numpy.save"
_LONGEST_ROW = 1 << 24  # bytes
_TRANSPOSED_BYTES = 1 << 24
_TOO_LONG = f"the header of the array has more than {_LONGEST_HEADER:,} characters; save fewer columns, or Parquet"


@dataclass(frozen=True)
class _Array:
    """An array in a file, whose numbers begin at a position; None for a file that is read in order."""

    name: str
    file: BinaryIO
    start: int | None
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_fortran: bool

    @property
    def row_bytes(self) -> int:
        return self.dtype.itemsize * prod(self.shape[1:])

    def blocks(self, step: int) -> Iterator[NDArray[Any]]:
        """Yield the rows in order, so many at a time."""
        n, *others = self.shape
        if self.is_fortran and others:
            yield from self._transposed(step)
            return
        for start in range(0, n, step):
            count = min(step, n - start)
            yield self._read(count * prod(others)).reshape(count, *others)
        _require_end(self.name, self.file)

    def _transposed(self, step: int) -> Iterator[NDArray[Any]]:
        """Yield the rows of columns that are each in one piece: many rows at once, or each would be read singly."""
        n, p = self.shape
        many = max(1, _TRANSPOSED_BYTES // self.row_bytes)
        many = max(many - many % step, step)
        for start in range(0, n, many):
            count = min(many, n - start)
            if count == n:
                part = self._read(n * p, 0).reshape(p, n).T
            else:
                part = np.stack([self._read(count, column * n + start) for column in range(p)], axis=1)
            yield from (np.ascontiguousarray(part[i : i + step]) for i in range(0, count, step))

    def _read(self, count: int, first: int | None = None) -> NDArray[Any]:
        """Return so many numbers from a place on, or the next ones."""
        size = count * self.dtype.itemsize
        if first is not None and self.start is not None:
            self.file.seek(self.start + first * self.dtype.itemsize)
        data = self.file.read(size)
        if len(data) < size:
            changed = "changed while it was read: it is shorter than it was; run again"
            raise TableError(f"{self.name}: {_INVALID if self.start is None else changed}")
        return np.frombuffer(data, self.dtype, count)


def read(source: Source, on_error: OnError) -> Rows:
    """Return the rows of an .npy array."""
    array = _open(source)
    names = array.dtype.names
    is_table = len(array.shape) == (1 if names else 2) and 0 not in array.shape[1:]
    if not is_table or not (names or array.dtype.kind in "biuf"):
        raise TableError(
            f"{source.name}: shape {array.shape} of {array.dtype}; expected rows and columns of real numbers"
        )
    if array.row_bytes > _LONGEST_ROW:
        raise TableError(f"{source.name}: {array.row_bytes:,} bytes in a row; expected at most {_LONGEST_ROW:,}")
    if not names:
        check_width(source.name, array.shape[1])
    columns = names or positional_names(array.shape[1])

    parts = array.blocks(max(1, min(BLOCK_NUMBERS // len(columns), 8 * BLOCK_NUMBERS // array.row_bytes)))
    first: list[NDArray[Any]] = []

    def blocks(wanted: Sequence[Cells]) -> Iterator[Floats]:
        chosen = rows.positions([each.name for each in wanted])
        wanted = renamed(wanted, {each.name: columns[i] for i, each in zip(chosen, wanted, strict=True)})
        for each in wanted:
            if names and each.levels is None and (kind := array.dtype[each.name]).kind not in "biuf":
                problem = f"column {quoted(each.name)} holds {kind}; expected real numbers"
                raise TextColumnError(f"{source.name}: {problem}", [each.name])
        return _blocks(source.name, chain(first, parts), columns, list(zip(chosen, wanted, strict=True)), on_error)

    def sample() -> dict[str, list[Any]]:
        texts = [name for name in names or () if array.dtype[name].kind in "SU"]
        first.extend(islice(parts, 1 if texts else 0))
        return {name: [as_level(each) for part in first for each in part[name][:SAMPLE_ROWS]] for name in texts}

    rows = Rows(source.name, Columns(columns, names is not None), blocks, sample, is_empty=lambda: not array.shape[0])
    return rows


def _open(source: Source) -> _Array:
    """Return the array of a source, whose header is valid and whose numbers are all there."""
    file = source.in_order()
    try:
        shape, is_fortran, dtype = read_header(file)
    except TableError as error:
        raise TableError(f"{source.name}: {error}") from None
    except _INVALID_HEADER:
        raise TableError(f"{source.name}: {_INVALID}") from None
    if dtype.hasobject:
        raise TableError(f"{source.name}: an .npy of Python objects; save numbers only, with array.astype(float)")
    size = prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or not dtype.itemsize:
        raise TableError(f"{source.name}: {_INVALID}")
    if is_fortran and not file.seekable():
        file = _held(source, file, size)
    if not file.seekable():
        return _Array(source.name, file, None, dtype, shape, False)
    start = file.tell()
    if start + size > file.seek(0, SEEK_END):
        raise TableError(f"{source.name}: {_INVALID}")
    file.seek(start + size)
    _require_end(source.name, file)
    file.seek(start)
    return _Array(source.name, file, start, dtype, shape, is_fortran)


def _held(source: Source, file: BinaryIO, size: int) -> BinaryIO:
    """Return the numbers of an array, which cannot be read in their order, in memory."""
    if source.compressed and size > MOST_HELD:
        raise source.too_large()
    sizes = chain(repeat(CHUNK_BYTES, min(size // CHUNK_BYTES, 1 << 40)), [size % CHUNK_BYTES])
    held = source.held(takewhile(bool, map(file.read, sizes)))
    _require_end(source.name, file)
    return held


def _require_end(source: str, file: BinaryIO) -> None:
    """Refuse another array behind the first, which NumPy leaves unread; gzip finds its checksum by this read."""
    if file.read(len(_MAGIC)) == _MAGIC:
        raise TableError(f"{source}: more than one array; save each in a file of its own")


def read_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return the shape, whether the order is Fortran's, and the type, from a header of any version of the format.

    Raises
    ------
    TableError
        For a header that is too long; the message lacks the source.
    ValueError, TypeError, LookupError, SyntaxError, TokenError, RecursionError, OverflowError, MemoryError
        For an invalid header.
    """
    major, _ = np.lib.format.read_magic(file)
    size = int.from_bytes(file.read(2 if major == 1 else 4), "little")
    content = file.read(min(size, _LONGEST_HEADER + 1))
    if len(content) > _LONGEST_HEADER:
        raise TableError(_TOO_LONG)
    if len(content) < size:
        raise TableError(_INVALID)
    # Version 3 differs from 2 only in its encoding, and NumPy has no public reader for it.
    text = content.decode("utf-8" if major == 3 else "latin-1")
    header = text.encode("latin-1", "backslashreplace")
    whole = BytesIO(len(header).to_bytes(4, "little") + header)
    return np.lib.format.read_array_header_2_0(whole, max_header_size=len(header))


def _blocks(
    source: str,
    parts: Iterable[NDArray[Any]],
    columns: tuple[str, ...],
    chosen: list[tuple[int, Cells]],
    on_error: OnError,
) -> Iterator[Floats]:
    places, wanted = [i for i, _ in chosen], [each for _, each in chosen]
    is_whole = places == list(range(len(columns)))
    is_plain = all(each.levels is None for each in wanted)
    start = 0
    for part in parts:
        block = part if is_whole or part.dtype.names else np.take(part, places, axis=1)
        if part.dtype == np.float64 and is_plain and np.isfinite(block).all():
            yield block
        else:
            fields = [part[columns[i]] if part.dtype.names else part[:, i] for i in places]
            yield from checked(source, start, fields, wanted, on_error)
        start += len(part)
