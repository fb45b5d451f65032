"""Rows of an .npy array, plain or with names; a file is mapped: its rows may be more than memory holds."""

import warnings
from collections.abc import Iterator, Sequence
from io import SEEK_END
from math import prod
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from ..errors import TableError
from ..files import NOT_A_HEADER
from .rows import BLOCK_NUMBERS, OnError, Rows, TextColumnError, checked, positional_names, positions
from .source import Source


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
    data = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            file = source.file()
            _require_whole(file)
            if source.path:
                data = np.load(source.path, mmap_mode="r", allow_pickle=False)
            else:
                data = np.load(file, allow_pickle=False)
    except TableError:
        raise
    except (*NOT_A_HEADER, EOFError, OSError) as error:
        # numpy's reasons are not passed on: they advise to load what cannot be trusted.
        if "objects in dtype" in str(error) or "Object arrays" in str(error):
            problem = "an .npy of Python objects; save numbers only, with array.astype(float)"
    if not isinstance(data, np.ndarray):
        raise TableError(f"{source.name}: {problem}")
    return data


def _require_whole(file: BinaryIO) -> None:
    """Refuse what is shorter than it says, before memory is reserved for its header or its numbers."""
    is_old = np.lib.format.read_magic(file) == (1, 0)
    start = file.tell()
    length = int.from_bytes(file.read(2 if is_old else 4), "little")
    end = file.seek(0, SEEK_END)
    if length > end:
        raise EOFError
    file.seek(start)
    shape, _, dtype = (np.lib.format.read_array_header_1_0 if is_old else np.lib.format.read_array_header_2_0)(file)
    if file.tell() + prod(shape) * dtype.itemsize > end:
        raise EOFError
    file.seek(0)


def _refuse_text(source: str, data: NDArray[Any], names: Sequence[str]) -> None:
    for name in names if data.dtype.names else ():
        if data.dtype[name].kind not in "biuf":
            raise TextColumnError(f"{source}: column {name!r} holds {data.dtype[name]}; expected real numbers", [name])


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
