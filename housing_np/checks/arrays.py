"""Numbers that come from outside: every check of them, once, in the same words everywhere.

Rows are counted from 0, as NumPy counts them.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import HousingError, NumbersError, counted, listed, quoted
from . import frames
from .names import composed

Floats = NDArray[np.float64]

_FLOAT64 = np.dtype(np.float64)
_PIECE_NUMBERS = 1 << 18
_CHUNK_NUMBERS = 1 << 17  # what is looked at in one go: a mapped file need not fit in memory


def as_numbers(values: Any, name: str) -> NDArray[Any]:
    """Return an array of booleans, integers, or floats no wider than float64; not copied if it is one already.

    Parameters
    ----------
    values : array_like
        An array, a nested sequence, or a series or frame of pandas, polars or pyarrow, which is read column by column.
    name : str
        What messages call it.

    Raises
    ------
    HousingError
        For anything else, with its place: what is missing or masked, no number, or an integer that float64 cannot hold
        among numbers of other types; for sparse matrices and Dask collections.
    """
    if type(values) is np.ndarray and _is_real(values.dtype):
        return values
    names = _names_of(values, name)
    if names is not None:
        return _of_frame(values, names, name)
    try:
        array = frames.column_array(values) if hasattr(values, "to_numpy") else np.asanyarray(values)
        if frames.is_masked(array) and array.dtype != object:
            raise HousingError(f"{name} has masked entries: fill them or drop their rows")
        if array.dtype == object:
            array = frames.of_objects(array)
    except frames.NotNumbersError as error:
        place = list(frames.place_of(error.row, np.shape(values)))
        raise NumbersError(
            f"{name} has dtype object: expected real numbers; {name}{place} {_is_a(error.value)}"
        ) from None
    except HousingError:
        raise
    except ValueError as error:
        raise HousingError(f"{name} is not an array of numbers: {error}") from None
    return _exact(_unmasked(array, name), values, name)


def _names_of(values: Any, name: str) -> tuple[str, ...] | None:
    """Return the names of a frame's columns, None for an array; refuse lazy and sparse data, and masked entries."""
    if hasattr(values, "__dask_graph__"):
        raise HousingError(
            f"{name} is a Dask collection: fit it with housing_np.distributed.fit, or give {name}.compute()"
        )
    if hasattr(values, "toarray") and hasattr(values, "nnz"):
        raise NumbersError(f"{name} is sparse: dense data is required; {name}.toarray() makes it dense")
    # A lazy frame would compute its names.
    is_lazy = hasattr(values, "collect") and not frames.is_frame(values)
    names = None if is_lazy else frames.names_of(values)
    if is_lazy or (names is not None and not frames.is_frame(values)):
        raise HousingError(f"{name} is a {type(values).__name__}: expected an array or a data frame; collect it first")
    parts = values if isinstance(values, list | tuple) else [values]
    if any(map(frames.is_masked, parts)):
        raise HousingError(f"{name} has masked entries: fill them or drop their rows")
    return names


def _of_frame(frame: Any, names: tuple[str, ...], name: str) -> NDArray[Any]:
    whole = frames.as_one_array(frame)
    if whole is not None and _is_real(whole.dtype):
        return whole
    arrays = []
    for column, values in zip(names, frames.columns_of(frame), strict=True):
        place = f"{name}: column {quoted(column)}"
        try:
            array = frames.column_array(values)
        except frames.NotNumbersError as error:
            raise NumbersError(f"{_place(name, [error.row, 0], [column])} {_is_a(error.value)}") from None
        if np.ma.is_masked(array):
            row = int(np.argmax(np.ma.getmaskarray(array)))
            raise HousingError(f"{_place(name, [row, 0], [column])}: the value is missing; fill it in or drop the row")
        if array.dtype != object and not _is_real(array.dtype):
            raise NumbersError(f"{place} has dtype {array.dtype}: expected real numbers; convert it to float64")
        arrays.append(array)
    if len({array.dtype for array in arrays}) > 1 or any(array.dtype == object for array in arrays):
        for column, array in zip(names, arrays, strict=True):
            refuse_inexact(array[:, np.newaxis], name, [column])
        arrays = [array.astype(np.float64) for array in arrays]
    return np.stack(arrays, axis=1) if arrays else np.empty((len(frame), 0))


def _unmasked(array: NDArray[Any], name: str) -> NDArray[Any]:
    if np.ma.is_masked(array):
        place = list(frames.place_of(int(np.argmax(np.ma.getmaskarray(array))), array.shape))
        what = f"{name} has dtype object: expected real numbers; " if array.dtype == object else ""
        raise HousingError(f"{what}{name}{place}: the value is missing; fill it in or drop the row")
    return np.asarray(array)


def _exact(array: NDArray[Any], values: Any, name: str) -> NDArray[Any]:
    """Return an array of numbers; those that numpy made of Python's integers and floats have to be exact."""
    mixed = isinstance(values, list | tuple) and array.dtype.kind == "f" and bool((np.abs(array) >= 2.0**53).any())
    if array.dtype == object or mixed:
        objects = frames.of_objects(np.asarray(values, object)) if mixed else array
        rounded = rounded_by_float64(objects)
        if rounded is not None and rounded.any():
            index = frames.place_of(int(np.argmax(rounded)), objects.shape)
            raise HousingError(f"{name}{list(index)}: {inexact_integer(objects[index])}")
        return objects.astype(np.float64)
    if not _is_real(array.dtype):
        what = "Complex data not supported: " if array.dtype.kind == "c" else ""
        raise NumbersError(f"{what}{name} has dtype {array.dtype}: expected real numbers; convert it to float64")
    return array


def _is_real(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "biuf" and dtype.itemsize <= 8


def _is_a(value: object) -> str:
    kind = type(value).__name__
    return f"is {quoted(value)}, a {kind}; an argument must be a number, not a string that looks like a number"


def as_matrix(values: Any) -> NDArray[Any]:
    """Return rows (n, p), p at least 1, as an array of numbers in their own type."""
    array = as_numbers(values, "X")
    require_matrix(array)
    return array


def require_matrix(array: Any) -> None:
    """Raise HousingError for another shape of rows than (n, p), p at least 1."""
    if array.ndim != 2 or not array.shape[1]:
        none = f"; 0 feature(s) (shape={array.shape}) while a minimum of 1 is required." if array.ndim == 2 else ""
        raise HousingError(
            f"X has shape {array.shape}: expected (rows, features); X.reshape(-1, 1) makes one feature, "
            f"X.reshape(1, -1) one row. Reshape your data{none}"
        )


def as_number(value: Any, name: str) -> float:
    """Return one real number."""
    array = as_numbers(value, name)
    if array.ndim:
        raise HousingError(f"{name} is {quoted(value)}: expected one number")
    return float(array)


def as_rows(values: Any, feature_names: Sequence[str], named: bool = True) -> Floats:
    """Return rows (n, p) in float64, with a column for each of these features; NaN and infinity pass.

    A frame's columns have to have these names, in this order, if the features are `named`; where they are called x0,
    x1, … for want of names, a frame goes by position, as an array does, unless it has these names in another order.

    Examples
    --------
    >>> as_rows([[1, 2]], ["rooms", "age"])
    array([[1., 2.]])
    """
    if type(values) is np.ndarray and values.dtype is _FLOAT64 and values.shape[1:] == (len(feature_names),):
        return values  # one row is answered in microseconds: not one call is spare
    array = as_matrix(values)
    if named or _is_other_order(values, feature_names):
        require_names(values, feature_names, "X")
    if array.shape[1] != len(feature_names):
        raise HousingError(
            f"X has {counted(array.shape[1], 'column')}, expected {len(feature_names)}: {listed(feature_names)} "
            f"(X has {array.shape[1]} features, but model is expecting {len(feature_names)} features as input)"
        )
    refuse_inexact(array, "X", feature_names)
    return array.astype(np.float64, copy=False)


def _is_other_order(values: Any, expected: Sequence[str]) -> bool:
    """Whether a frame has columns with these names, in another order."""
    names = frames.names_of(values)
    return names is not None and names != tuple(expected) and sorted(names) == sorted(expected)


def require_names(values: Any, expected: Sequence[str], name: str) -> None:
    """Refuse a frame whose columns have other names than these, or another order; an array has none."""
    names = frames.names_of(values)
    if names is None or names == tuple(expected) or [*map(composed, names)] == [*map(composed, expected)]:
        return
    said = "The feature names should match those that were passed during fit"
    if sorted(names) == sorted(expected):
        raise HousingError(
            f"{name}: {said}. Feature names must be in the same order as they were in fit: {listed(expected)}; "
            f"found {listed(names)}"
        )
    from .look_alikes import look_alike_hint  # imported here because most names are right

    known = set(names)
    hint = look_alike_hint([each for each in expected if each not in known], names)
    raise HousingError(f"{name}: {said}: {listed(expected)}; found {listed(names)}{hint}")


def as_weights(values: Any, rows: int) -> Floats | None:
    """Return weights (rows,) in float64, all finite and at least 0; None where there are none."""
    if values is None:
        return None
    given = as_numbers(values, "sample_weight")
    refuse_inexact(given, "sample_weight")
    weights = given.astype(np.float64, copy=False)
    if weights.ndim == 0:
        weights = np.full(rows, weights)
    if weights.shape != (rows,):
        raise HousingError(f"sample_weight has shape {weights.shape}: expected ({rows},), one for each row")
    refuse_nonfinite(weights, "sample_weight")
    with np.errstate(over="ignore"):
        is_finite = np.isfinite(weights.sum())
    if not is_finite:
        raise HousingError("sample_weight adds up to more than float64 holds: divide all weights by the largest")
    if (weights < 0).any():
        row = int(np.argmax(weights < 0))
        raise HousingError(f"sample_weight[{row}] is {weights[row]}: expected 0 or more; weight 0 leaves the row out")
    return weights


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array itself, which from now on cannot be written to."""
    array.flags.writeable = False
    return array


def refuse_nonfinite(array: NDArray[Any], name: str, columns: Sequence[str] | None = None, first_row: int = 0) -> None:
    """Refuse NaN and infinity in real numbers of any shape, naming the first.

    Rows (n, p) may have names of columns; ``first_row`` is how many rows stand before these.
    """

    def problem(value: Any) -> str:
        nan = f"; {name} contains NaN" if columns is not None and np.isnan(value) else ""
        return f"{value} is not a finite number; fill it in or drop the row{nan}"

    _refuse(array, name, columns, first_row, lambda part: ~np.isfinite(part), problem)


def refuse_inexact(array: NDArray[Any], name: str, columns: Sequence[str] | None = None, first_row: int = 0) -> None:
    """Refuse integers that float64 would round without a word, naming the first; the arguments as `refuse_nonfinite`.

    Raises
    ------
    HousingError
        For an integer beyond 2**53 that is not a multiple of a power of two that makes it fit.
    """
    _refuse(array, name, columns, first_row, rounded_by_float64, inexact_integer)


def _refuse(
    array: NDArray[Any],
    name: str,
    columns: Sequence[str] | None,
    first_row: int,
    find: Callable[[NDArray[Any]], NDArray[np.bool_] | None],
    problem: Callable[[Any], str],
) -> None:
    """Refuse the first number that is found, by its place; nothing more is looked at where None is found."""
    rows = np.atleast_1d(array)
    step = max(1, _CHUNK_NUMBERS * len(rows) // max(rows.size, 1))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        bad = find(part)
        if bad is None:
            return
        if bad.any():
            row, *others = np.argwhere(bad)[0].tolist()
            place = _place(name, [first_row + start + row, *others], columns) if array.ndim else name
            raise HousingError(f"{place}: {problem(part[row, *others])}")


def inexact_integer(value: object) -> str:
    """Return what is wrong with an integer that float64 would round, and what to do."""
    return f"{inexact(value)}; leave an identifier out, else give it as a decimal to round it"


def inexact(value: object) -> str:
    """Return what is wrong with an integer that float64 would round."""
    return f"{quoted(value)} is an integer beyond 2**53 that float64 cannot hold exactly"


def rounded_by_float64(integers: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Return which entries float64 cannot hold; None where the type alone rules it out.

    Examples
    --------
    >>> rounded_by_float64(np.array([2**53, 2**53 + 1, 2**60]))
    array([False,  True, False])
    """
    if integers.dtype == object:
        return np.array([_is_rounded(number) for number in integers.flat], np.bool_).reshape(integers.shape)
    if integers.dtype.kind not in "iu" or integers.dtype.itemsize < 8:
        return None
    # What is left of a number without its trailing zeros in binary must fit the 53 bits of a float64.
    lowest_bit = np.where(integers == 0, 1, integers & (~integers + 1))
    odd = integers // lowest_bit.astype(integers.dtype)
    return np.asarray((odd > 2**53) | ((odd < -(2**53)) if integers.dtype.kind == "i" else False))


def _is_rounded(number: Any) -> bool:
    """Whether float64 cannot hold one of Python's numbers; NaN and infinity are another matter."""
    try:
        return isinstance(number, int) and float(number) != number
    except OverflowError:
        return True


def pieces(rows: NDArray[Any]) -> Iterator[slice]:
    """Yield where to cut rows (n, p), n at least 1, so that what is computed of a piece stays in the cache.

    Examples
    --------
    >>> list(pieces(np.zeros((40_000, 8))))
    [slice(0, 32768, None), slice(32768, 65536, None)]
    """
    step = max(1, _PIECE_NUMBERS // rows.shape[1])
    return (slice(start, start + step) for start in range(0, len(rows), step))


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
    return f"{name}: row {index[0]}, column {quoted(columns[index[1]])}"
