"""Rows of an .npy array, plain or with names; a file is mapped: its rows may be more than memory holds."""

import re
from ast import literal_eval
from collections.abc import Iterator, Sequence
from contextlib import suppress
from math import prod
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from ..checks.arrays import Floats
from ..errors import TableError, quoted
from .rows import BLOCK_NUMBERS, OnError, Rows, TextColumnError, checked, positional_names, positions
from .source import Source
from .text import LONGEST

# Text, whole numbers, truth values and brackets: all that numpy writes into a header. Of these alone, Python's parser
# has nothing to warn of.
_ESCAPE = r"\\(?:[\\'\"abfnrtv]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})"
_TEXT = rf"""'(?:[^'\\\n]|{_ESCAPE})*+'|"(?:[^"\\\n]|{_ESCAPE})*+\""""
_LITERALS = re.compile(rf"(?:{_TEXT}|\d{{1,18}}(?![\w.])|True\b|False\b|[\[\](){{}},: ])*+\n?")
_TYPE = re.compile(r"[<>|](?:[biufcSUV]\d{1,9}|O\d?|[mM]8(?:\[\w+(?:/\d+)?\])?)", re.ASCII)
_NOT_A_HEADER = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    SyntaxError,
    OverflowError,
    RecursionError,
    MemoryError,
    OSError,
)


def read(source: Source, on_error: OnError) -> Rows:
    """Return the rows of an .npy array."""
    data = _loaded(source)
    names = data.dtype.names
    if data.ndim != (1 if names else 2) or 0 in data.shape or (not names and data.dtype.kind not in "biuf"):
        raise TableError(
            f"{source.name}: shape {data.shape} of {data.dtype}; expected rows and columns of real numbers"
        )
    columns = names or positional_names(data.shape[1])

    def blocks(wanted: Sequence[str]) -> Iterator[Floats]:
        chosen = positions(rows, wanted)
        _refuse_text(source.name, data, [columns[i] for i in chosen])
        return _blocks(source.name, data, columns, chosen, on_error)

    rows = Rows(source.name, columns, names is not None, blocks)
    return rows


def _loaded(source: Source) -> NDArray[Any]:
    problem = "not a .npy array of numbers, or not whole; write one with numpy.save"
    file = source.file()
    with suppress(*_NOT_A_HEADER):
        dtype, shape, order = _header(file)
        if dtype.hasobject:
            problem = "an .npy of Python objects; save numbers only, with array.astype(float)"
        elif (array := _array(source, file, dtype, shape, order)) is not None:
            return array
    raise TableError(f"{source.name}: {problem}")


def _array(
    source: Source, file: BinaryIO, dtype: np.dtype[Any], shape: tuple[int, ...], order: Literal["C", "F"]
) -> NDArray[Any] | None:
    """Return the array behind the header, that of a file mapped; None where there are fewer numbers than declared."""
    size = prod(shape) * dtype.itemsize
    if not size:
        return np.empty(shape, dtype)
    if source.path:
        is_whole = file.tell() + size <= source.path.stat().st_size
        return np.memmap(source.path, dtype, "r", file.tell(), shape, order) if is_whole else None
    data = file.read(size)
    return np.frombuffer(data, dtype).reshape(shape, order=order) if len(data) == size else None


def _header(file: BinaryIO) -> tuple[np.dtype[Any], tuple[int, ...], Literal["C", "F"]]:
    """Return the type, shape and order that a header declares, in any version of the format.

    numpy's own reader warns of old headers, and warnings belong to the whole process.

    Raises
    ------
    One of _NOT_A_HEADER
        If it is none that numpy writes.
    """
    magic, (major, _) = file.read(6), file.read(2)
    size = int.from_bytes(file.read(2 if major == 1 else 4), "little")
    if magic != b"\x93NUMPY" or major not in (1, 2, 3) or size > LONGEST:
        raise ValueError("not .npy")
    text = file.read(size).decode("utf-8" if major == 3 else "latin-1")
    if major < 3 and not _LITERALS.fullmatch(text):
        text = re.sub(r"(?<=\d)L(?=[,)])", "", text)  # Python 2 wrote it behind long integers
    if not _LITERALS.fullmatch(text):
        raise ValueError("not literals")
    found = literal_eval(text.strip())
    if found.keys() != {"descr", "fortran_order", "shape"} or not isinstance(found["shape"], tuple):
        raise ValueError("not the keys of a header")
    if {type(length) for length in found["shape"]} - {int} or not all(map(_TYPE.fullmatch, _types(found["descr"]))):
        raise ValueError("not the lengths or the types of an array")
    dtype = np.lib.format.descr_to_dtype(found["descr"])
    if not dtype.itemsize:
        raise ValueError("not an array of anything")
    return dtype, found["shape"], "F" if found["fortran_order"] else "C"


def _types(descr: Any) -> Iterator[str]:
    """Yield the types that a header declares, of fields within fields too."""
    if isinstance(descr, list):
        for field in descr:
            yield from _types(field[1])
    elif isinstance(descr, tuple):
        yield from _types(descr[0])
    else:
        yield descr


def _refuse_text(source: str, data: NDArray[Any], names: Sequence[str]) -> None:
    for name in names if data.dtype.names else ():
        if data.dtype[name].kind not in "biuf":
            raise TextColumnError(
                f"{source}: column {quoted(name)} holds {data.dtype[name]}; expected real numbers", [name]
            )


def _blocks(
    source: str, data: NDArray[Any], columns: tuple[str, ...], chosen: list[int], on_error: OnError
) -> Iterator[Floats]:
    step = max(1, BLOCK_NUMBERS // len(columns))
    names = [columns[i] for i in chosen]
    whole = chosen == list(range(len(columns)))
    for start in range(0, len(data), step):
        part = data[start : start + step]
        if data.dtype == np.float64:
            block = np.asarray(part) if whole else np.take(part, chosen, axis=1)
            if np.isfinite(block).all():
                yield block
                continue
        fields = [part[name] for name in names] if data.dtype.names else [part[:, i] for i in chosen]
        yield from checked(source, start, fields, names, on_error)
