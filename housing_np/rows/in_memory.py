"""A table of numbers in memory: features, a target and their names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..checks.arrays import Floats, as_numbers, as_rows, refuse_inexact
from ..checks.names import as_name, as_names
from ..checks.objects import Shown
from ..errors import HousingError, counted
from .columns import Columns, require_columns

Block = tuple[Floats, Floats]


@dataclass(frozen=True, eq=False, repr=False)
class Table(Shown):
    """Rows of features with their target; an iteration gives one block, (X, y).

    Attributes
    ----------
    X : ndarray of float64, shape (n, p)
    y : ndarray of float64, shape (n,)
    feature_names : tuple of str, length p
    target_name : str
    columns : Columns
        What the features are made of; by default plain numbers.

    Raises
    ------
    HousingError
        For values that are not numbers, names that are not text, or shapes that disagree.
    """

    X: Floats
    y: Floats
    feature_names: tuple[str, ...]
    target_name: str
    columns: Columns | None = None

    def __post_init__(self) -> None:
        names, y = as_names(self.feature_names, "feature_names"), as_numbers(self.y, "y")
        as_name(self.target_name, "target_name")
        X = as_rows(self.X, names)
        if y.shape != (len(X),):
            raise HousingError(f"y has shape {y.shape}: expected {(len(X),)}, one for each row of X")
        refuse_inexact(y, "y")
        object.__setattr__(self, "X", X)
        object.__setattr__(self, "y", y.astype(np.float64, copy=False))
        object.__setattr__(self, "feature_names", names)
        columns = Columns(names) if self.columns is None else require_columns(self.columns, names)
        object.__setattr__(self, "columns", columns)

    def __iter__(self) -> Iterator[Block]:
        yield self.X, self.y

    def _table(self) -> tuple[Sequence[int], dict[str, Floats]]:
        columns = {self.target_name: self.y, **dict(zip(self.feature_names, self.X.T, strict=True))}
        return range(len(self.y)), columns

    def _facts(self) -> list[str]:
        from ..checks.display import columns  # imported here because predict must start fast

        return [counted(len(self.y), "row"), columns(self.feature_names, [self.target_name])]
