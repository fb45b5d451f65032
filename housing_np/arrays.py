"""Numbers that come from outside: every check of them, once, in the same words everywhere.

Rows are counted from 0, as NumPy counts them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import HousingError

Floats = npt.NDArray[np.float64]

_CHUNK_NUMBERS = 1 << 17  # what is looked at in one go: a mapped file need not fit in memory


def as_numbers(values: npt.ArrayLike, name: str) -> npt.NDArray[Any]:
    """Return an array of booleans, integers, or floats no wider than float64; not copied if it is one already.

    Raises
    ------
    HousingError
        For anything else, and for masked entries.
    """
    if np.ma.is_masked(values):
        raise HousingError(f"{name} has masked entries: fill them or drop their rows")
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise HousingError(f"{name} is not an array of numbers: {error}") from None
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise HousingError(f"{name} has dtype {array.dtype}: expected real numbers; convert it to float64")
    return array


def as_matrix(values: npt.ArrayLike, name: str = "X") -> npt.NDArray[Any]:
    """Return rows (n, p), p at least 1, as an array of numbers in their own type."""
    array = as_numbers(values, name)
    if array.ndim != 2 or not array.shape[1]:
        raise HousingError(
            f"{name} has shape {array.shape}: expected (rows, features); {name}.reshape(-1, 1) makes one feature, "
            f"{name}.reshape(1, -1) one row"
        )
    return array


def as_rows(values: npt.ArrayLike, feature_names: Sequence[str], name: str = "X") -> Floats:
    """Return rows (n, p) in float64, with a column for each of these features; NaN and infinity pass.

    Examples
    --------
    >>> as_rows([[1, 2]], ["rooms", "age"])
    array([[1., 2.]])
    """
    array = as_matrix(values, name)
    if array.shape[1] != len(feature_names):
        raise HousingError(
            f"{name} has {array.shape[1]} columns, expected {len(feature_names)}: {', '.join(feature_names)}"
        )
    return array.astype(np.float64, copy=False)


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the array itself, which from now on cannot be written to."""
    array.flags.writeable = False
    return array


def column_names(values: Any) -> tuple[str, ...] | None:
    """Return the names of a data frame's columns, of any library; None for an array."""
    columns = getattr(values, "columns", None)
    return None if columns is None else tuple(str(name) for name in columns)


def refuse_nonfinite(
    array: npt.NDArray[Any], name: str, columns: Sequence[str] | None = None, first_row: int = 0
) -> None:
    """Refuse NaN and infinity, naming the first.

    Parameters
    ----------
    array : ndarray
        Real numbers, of any shape.
    name : str
        What the message calls the array.
    columns : sequence of str, optional
        The names of the columns of rows (n, p).
    first_row : int
        How many rows stand before these.
    """
    rows = np.atleast_1d(array)
    step = max(1, _CHUNK_NUMBERS * len(rows) // max(rows.size, 1))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        if not np.isfinite(part).all():
            row, *others = np.argwhere(~np.isfinite(part))[0].tolist()
            place = _place(name, [first_row + start + row, *others], columns) if array.ndim else name
            value = part[row, *others]
            raise HousingError(f"{place}: {value} is not a finite number; fill it in or drop the row")


def refuse_inexact(array: npt.NDArray[Any], name: str, columns: Sequence[str], first_row: int = 0) -> None:
    """Refuse integers (n, p) that float64 would round without a word, naming the first.

    Raises
    ------
    HousingError
        For an integer beyond 2**53 that is not a multiple of a power of two that makes it fit.
    """
    step = max(1, _CHUNK_NUMBERS * len(array) // max(array.size, 1))
    for start in range(0, len(array), step):
        part = array[start : start + step]
        inexact = rounded_by_float64(part)
        if inexact is None:
            return
        if inexact.any():
            row, column = np.argwhere(inexact)[0].tolist()
            raise HousingError(
                f"{_place(name, [first_row + start + row, column], columns)}: {inexact_integer(part[row, column])}"
            )


def inexact_integer(value: object) -> str:
    """Return what is wrong with an integer that float64 would round, and what to do."""
    return (
        f"{value} is an integer beyond 2**53 that float64 cannot hold exactly; "
        "subtract an offset first, or give it as a decimal to round it"
    )


def rounded_by_float64(integers: npt.NDArray[Any]) -> npt.NDArray[np.bool_] | None:
    """Return which entries float64 cannot hold; None where the type alone rules it out.

    Examples
    --------
    >>> rounded_by_float64(np.array([2**53, 2**53 + 1, 2**60]))
    array([False,  True, False])
    """
    if integers.dtype == object:
        return np.array([float(integer) != integer for integer in integers.flat], np.bool_).reshape(integers.shape)
    if integers.dtype.kind not in "iu" or integers.dtype.itemsize < 8:
        return None
    # What is left of a number without its trailing zeros in binary must fit the 53 bits of a float64.
    lowest_bit = np.where(integers == 0, 1, integers & (~integers + 1))
    odd = integers // lowest_bit.astype(integers.dtype)
    return np.asarray((odd > 2**53) | ((odd < -(2**53)) if integers.dtype.kind == "i" else False))


def reduce_rows(ufunc: np.ufunc, rows: Floats) -> Floats:
    """Return `ufunc.reduce(rows, axis=0)` for rows (n, p), n at least 1: of p numbers in a row at a time NumPy is slow.

    Examples
    --------
    >>> reduce_rows(np.maximum, np.array([[1.0, 5.0], [3.0, 2.0]]))
    array([3., 5.])
    """
    n, p = rows.shape
    together = max(1, 512 // p)
    whole = n // together * together
    if not whole or not rows.flags.c_contiguous:
        return np.asarray(ufunc.reduce(rows, axis=0))
    first = ufunc.reduce(rows[:whole].reshape(-1, together * p), axis=0).reshape(together, p)
    return np.asarray(ufunc.reduce(np.concatenate([first, rows[whole:]]), axis=0))


def _place(name: str, index: Sequence[int], columns: Sequence[str] | None) -> str:
    if columns is None:
        return f"{name}{list(index)}"
    return f"{name}: row {index[0]}, column {columns[index[1]]!r}"
