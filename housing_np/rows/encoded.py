"""Data frames with a user's own columns as rows of features."""

from collections import Counter
from typing import Any

import numpy as np

from ..checks import frames
from ..checks.arrays import as_numbers, refuse_inexact
from ..errors import HousingError, TableError, listed
from .cells import Cells, as_level, cells_of
from .columns import Columns


def encoded(X: Any, columns: Columns) -> Any:
    """Return the rows of a frame with these columns as features (n, p); anything else as it is.

    A frame has the columns by name, in any order, among others.

    Raises
    ------
    HousingError
        For a level that the columns do not have, a missing cell without a fill, and what is no number.

    Examples
    --------
    >>> columns = Columns(("age", "sea"), levels={"sea": ("far", "near")})
    >>> encoded(np.array([(3.0, "near")], [("age", float), ("sea", "U4")]), columns)
    array([[3., 1.]])
    """
    if columns.is_plain or (isinstance(X, np.ndarray) and X.dtype.names is None):
        return X
    names = frames.names_of(X) if frames.is_frame(X) else None
    if names is None or (wanted := columns.as_in(Columns(names))).is_plain:
        return X
    if missing := [name for name in wanted.names if name not in names]:
        raise HousingError(f"X lacks the columns {listed(missing)}; found {listed(names)}")
    if twice := [name for name, count in Counter(names).items() if count > 1 and name in wanted.names]:
        raise HousingError(f"X has the column {twice[0]!r} twice; keep one of them")
    given = dict(zip(names, frames.columns_of(X), strict=True))
    cells = [_column(given[each.name], each) for each in cells_of(wanted)]
    return wanted.encode(np.column_stack(cells))


def _column(values: Any, cells: Cells) -> Any:
    """Return one column of a frame as the numbers that its cells stand for."""
    if cells.levels is not None:
        levels = map(as_level, _python_values(values))
        return np.array([_code(cells, row, level) for row, level in enumerate(levels)], np.float64)
    try:
        array = frames.column_array(values)
    except frames.NotNumbersError:
        return as_numbers(values, f"X: column {cells.name}")  # raises, and says where
    mask = np.ma.getmaskarray(array) if cells.takes_missing else np.zeros(len(array), np.bool_)
    array = np.ma.getdata(array) if mask.any() else array
    array = as_numbers(array, f"X: column {cells.name}")
    refuse_inexact(array[:, np.newaxis], "X", [cells.name])
    numbers = array.astype(np.float64)
    numbers[mask] = np.nan
    if not cells.takes_missing and np.isnan(numbers).any():
        row = int(np.argmax(np.isnan(numbers)))
        raise HousingError(f"X[{row}], column {cells.name!r}: the value is missing; fill it in or drop the row")
    return numbers


def _code(cells: Cells, row: int, level: str | None) -> float:
    try:
        return cells.of_level(level)
    except TableError as error:
        raise HousingError(f"X: row {row}{error}") from None


def _python_values(values: Any) -> Any:
    """Return the values of a column of pyarrow, of numpy or pandas, or of polars."""
    return next(getattr(values, name)() for name in ("to_pylist", "tolist", "to_list") if hasattr(values, name))
