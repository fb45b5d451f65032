"""What is kept of the rows of a least-squares problem; names and shapes are checked here, factor.py does the sums."""

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from ..arrays import as_matrix, as_numbers, as_weights, refuse_inexact
from ..errors import HousingError, listed, quoted
from ..frames import name_of, names_of
from ..names import apart_from, as_names, require_apart
from .factor import Factor
from .solution import Solution

Shape = tuple[tuple[str, ...] | None, int, tuple[int, ...], tuple[str, ...] | None]


class Summary:
    """One-pass summary of rows: it starts empty, takes blocks in any cutting, and those of other rows add up.

    Parameters
    ----------
    fit_intercept : bool
    feature_names, target_names : sequences of str, optional
        Default: the columns of the first block's data frames, else x0, x1, … and y (or y0, y1, …).

    Attributes
    ----------
    named : bool
        Whether the features' names were given, and are not x0, x1, … for want of names.
    rows : int, or float
    one_target : bool
        Whether y came without a second axis: the coefficients then have none either.

    Examples
    --------
    >>> left, right = Summary(), Summary()
    >>> left.update([[0.0], [1.0]], [1.0, 3.0])
    >>> right.update([[2.0]], [5.0])
    >>> solution = (left + right).solve()
    >>> solution.coef, solution.intercept
    (array([[2.]]), array([1.]))
    """

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        feature_names: Sequence[str] | npt.NDArray[np.object_] | None = None,
        target_names: Sequence[str] | npt.NDArray[np.object_] | None = None,
    ) -> None:
        if not isinstance(fit_intercept, bool | np.bool_ | int) or fit_intercept not in (0, 1):
            raise HousingError(f"fit_intercept is {quoted(fit_intercept)}: expected True or False")
        self.fit_intercept = bool(fit_intercept)
        self.feature_names: tuple[str, ...] = as_names(
            feature_names, "feature_names"
        )  # empty until the first block tells them
        self.named: bool = bool(self.feature_names)
        self.target_names: tuple[str, ...] = as_names(target_names, "target_names")
        self.one_target: bool = True
        self._shape: Shape | None = None
        self._factor: Factor | None = None

    @property
    def rows(self) -> float:
        """The sum of the weights of the rows: their number, where they have none."""
        return 0 if self._factor is None else self._factor.rows

    def update(self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> None:
        """Add a block of rows.

        Parameters
        ----------
        X : array_like, shape (n, p)
            Real numbers; other types than float64 are computed in float64.
        y : array_like, shape (n,) or (n, k)
        sample_weight : array_like, shape (n,), optional
            How many times each row counts: at least 0, and not only whole numbers. A row of weight 0 is left out.

        Raises
        ------
        HousingError
            For other shapes or columns than those before, and for numbers that are not finite or not exact in float64.
        """
        if y is None:
            raise HousingError("the fit requires y to be passed, but the target y is None; give the true values")
        rows, targets = as_matrix(X), as_numbers(y, "y")
        if targets.ndim not in (1, 2) or 0 in targets.shape[1:]:
            raise HousingError(f"y has shape {targets.shape}: expected (n,) or (n, k)")
        if len(rows) != len(targets):
            raise HousingError(f"X has {len(rows)} rows and y has {len(targets)}: give one target row for each row")
        shape = (names_of(X), rows.shape[1], targets.shape[1:], names_of(y))
        if self._shape is None:
            self._begin(shape, y)
        elif shape != self._shape:
            raise HousingError(f"a block has {_described(shape)}; the first block had {_described(self._shape)}")
        assert self._factor is not None
        matrix = targets[:, np.newaxis] if targets.ndim == 1 else targets
        refuse_inexact(rows, "X", self.feature_names, self._factor.seen)
        refuse_inexact(matrix, "y", self.target_names, self._factor.seen)
        self._factor.update(rows, matrix, as_weights(sample_weight, len(rows)))

    def __add__(self, other: "Summary") -> "Summary":
        """Return the summary of the rows of both."""
        if other._factor is None or self._factor is None:
            return self if other._factor is None else other
        total = copy(self)
        total._factor = self._factor + other._factor
        return total

    def require_determined(self) -> None:
        """Refuse fewer rows than unknowns, of which many solutions fit all rows."""
        self._some_rows().require_determined()

    def solve(self) -> Solution:
        """Return the least-squares solution of all rows so far; of several, the one of least norm in scaled units."""
        return self._some_rows().solve()

    def _some_rows(self) -> Factor:
        if self._factor is None:
            raise HousingError("there is no block to fit: give at least one (X, y)")
        return self._factor

    def _begin(self, shape: Shape, y: Any) -> None:
        columns, features, targets, _ = shape
        self.named |= columns is not None
        count = targets[0] if targets else 1
        self._shape, self.one_target = shape, not targets
        given = self.target_names or (names_of(y) if targets else as_names(name_of(y), "y")) or ()
        self.feature_names = _named(self.feature_names or columns, [f"x{i}" for i in range(features)], given)
        defaults = [f"y{i}" for i in range(count)] if targets else ["y"]
        self.target_names = _named(given, defaults, self.feature_names)
        require_apart(self.feature_names, self.target_names)
        self._factor = Factor(self.feature_names, self.target_names, self.fit_intercept)


def _named(given: Sequence[str] | None, defaults: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    """Return the names that were given, or else the defaults, apart from the names of the others."""
    names, count = tuple(given or apart_from(others, defaults)), len(defaults)
    if len(names) != count or len(set(names)) != count:
        raise HousingError(f"{len(set(names))} different names for {count} columns: {listed(names, quoted)}")
    return names


def _described(shape: Shape) -> str:
    columns, features, targets, names = shape
    text = f"{features} features and y of shape ({', '.join(['n', *map(str, targets)])})"
    text += f", columns {listed(columns)}" if columns else ""
    return text + (f", targets {listed(names)}" if names else "")
