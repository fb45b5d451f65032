"""Data frames and columns of any library as arrays, column by column, exactly; none of the libraries is imported."""

from collections.abc import Sequence
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MISSING_TYPES = ("NAType", "NaTType")  # pandas' own


class NotNumbersError(TypeError):
    """A value is no number: its place in the column, and the value."""

    def __init__(self, row: int, value: object) -> None:
        super().__init__(row, value)
        self.row: int = row
        self.value: object = value


def names_of(values: Any) -> tuple[str, ...] | None:
    """Return the names of a frame's columns, of pandas, polars, pyarrow, or a structured array; None for an array."""
    if isinstance(values, np.ndarray):
        fields: tuple[str, ...] | None = values.dtype.names
        return fields
    names = getattr(values, "column_names", None)  # pyarrow, whose columns are the values
    if names is None:
        names = getattr(values, "columns", None)
    return None if names is None or callable(names) else tuple(str(name) for name in names)


def is_frame(values: Any) -> bool:
    """Whether `columns_of` can take its columns apart."""
    return isinstance(values, np.ndarray) or any(
        hasattr(values, name) for name in ("iloc", "get_columns", "column_names")
    )


def is_masked(values: Any) -> bool:
    """Whether an array has masked entries, in any of its fields."""
    if not isinstance(values, np.ma.MaskedArray):
        return False
    mask: Any = np.ma.getmaskarray(values)
    return any(mask[name].any() for name in mask.dtype.names) if mask.dtype.names else bool(mask.any())


def name_of(values: Any) -> str | None:
    """Return the name of a column: a series has one, and an array has none."""
    if not hasattr(values, "to_numpy") or names_of(values) is not None:
        return None
    name = getattr(values, "name", None)
    return None if name is None else str(name)


def columns_of(frame: Any) -> list[Any]:
    """Return the columns of a frame, as its library has them."""
    if isinstance(frame, np.ndarray):
        return [np.asarray(frame[name]) for name in frame.dtype.names or ()]
    if hasattr(frame, "column_names"):
        return [frame.column(i) for i in range(frame.num_columns)]
    if hasattr(frame, "get_columns"):
        return list(frame.get_columns())
    return [column for _, column in frame.items()]


def as_one_array(frame: Any) -> NDArray[Any] | None:
    """Return a frame whose columns have one type of numpy as an array, without a copy if it holds one; else None."""
    types = {str(kind): kind for kind in getattr(frame, "dtypes", ())}
    if len(types) == 1 and hasattr(frame, "iloc") and all(isinstance(kind, np.dtype) for kind in types.values()):
        return np.asarray(frame.to_numpy())
    return None


def column_array(column: Any) -> NDArray[Any]:
    """Return a column as numpy's array, missing values masked; objects in it only as Python's own numbers.

    Raises
    ------
    NotNumbersError
        For an object that is no number.
    """
    if isinstance(column, np.ndarray):
        array = column
    elif isinstance(getattr(column, "null_count", None), int) and hasattr(column, "type"):
        array = arrow_array(column)
    elif hasattr(column, "null_count") and column.null_count():
        # polars, whose numbers become float64 where one is null
        array = np.fromiter(column.to_list(), object)
    else:
        array = column.to_numpy()
    return of_objects(array) if array.dtype == object else array


def of_objects(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array of objects as one of Python's numbers, missing values masked."""
    mask = np.ma.getmaskarray(array).copy()
    numbers = np.zeros(array.shape, object)
    for index, value in enumerate(np.ma.getdata(array).flat):
        if value is None or type(value).__name__ in _MISSING_TYPES:
            mask.flat[index] = True
        elif not isinstance(value, Number | np.bool_ | np.number) or isinstance(value, complex | np.complexfloating):
            raise NotNumbersError(index, value)
        else:
            numbers.flat[index] = int(value) if isinstance(value, int | np.integer | np.bool_) else float(value)  # type: ignore[arg-type]
    return np.ma.array(numbers, mask=mask) if mask.any() else numbers


def arrow_array(column: Any) -> NDArray[Any]:
    """Return a column of pyarrow as numpy's array, nulls masked; without a mask where there are none."""
    from pyarrow import types

    is_plain = types.is_integer(column.type) or types.is_floating(column.type)
    if is_plain and not column.null_count and hasattr(column, "__dlpack__"):
        return np.from_dlpack(column)  # not by to_numpy, which imports pandas
    if types.is_dictionary(column.type):
        column = (
            column.dictionary_decode() if hasattr(column, "dictionary_decode") else column.cast(column.type.value_type)
        )
    if types.is_boolean(column.type):
        column = column.cast("uint8")
    if types.is_null(column.type):
        nothing: NDArray[Any] = np.ma.array(np.zeros(len(column)), mask=True)
        return nothing
    if types.is_decimal(column.type):
        # To the nearest double; integers are held to be exact.
        kind: Any = float if column.type.scale > 0 else int
        array = np.array([kind(value or 0) for value in column.to_pylist()], None if kind is float else object)
    else:
        array = (column.fill_null(0) if column.null_count and is_plain else column).to_numpy(zero_copy_only=False)
    if not column.null_count:
        return array
    masked: NDArray[Any] = np.ma.array(array, mask=np.asarray(column.is_null()))
    return masked


def place_of(index: int, shape: Sequence[int]) -> tuple[int, ...]:
    """Return where a number stands in an array of this shape, given its place among all of them."""
    return tuple(int(each) for each in np.unravel_index(index, tuple(shape)))
