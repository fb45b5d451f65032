"""What is kept of the rows of a least-squares problem: the triangular factor of the rows [1, X, y]."""

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks.arrays import (
    Floats,
    as_matrix,
    as_numbers,
    as_weights,
    refuse_inexact,
    refuse_nonfinite,
    require_matrix,
)
from ..checks.frames import name_of, names_of
from ..checks.names import as_names, names_or_defaults, require_apart
from ..checks.sparse import dense_blocks, is_sparse
from ..errors import HousingError, counted, listed, quoted
from .factor import Rows, Shifted, doubled_factor, shifted_factor, varying
from .solution import Solution, solve

FEW = 2**17  # rows * columns**2 up to which rows are kept, and their factor is found in double-double
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
        The sum of their weights: their number, where they have none.
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
        self.fit_intercept = _as_bool(fit_intercept, "fit_intercept")
        # Empty until the first block tells them.
        self.feature_names: tuple[str, ...] = as_names(feature_names, "feature_names")
        self.named: bool = bool(self.feature_names)
        self.target_names: tuple[str, ...] = as_names(target_names, "target_names")
        self.one_target: bool = True
        self.rows: float = 0
        self._seen = 0  # rows, those of weight 0 as well
        self._shape: Shape | None = None
        self._kept: list[Rows] = []
        self._shifted: Shifted | None = None
        self._first: Floats | None = None  # row
        self._varies: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)

    def update(self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> None:
        """Add a block of rows.

        Parameters
        ----------
        X : array_like or sparse, shape (n, p)
            Real numbers; other types than float64 are computed in float64.
        y : array_like, shape (n,) or (n, k)
        sample_weight : array_like, shape (n,), optional
            How many times each row counts: at least 0, and not only whole numbers. A row of weight 0 is left out.

        Raises
        ------
        HousingError
            For other shapes or columns than those before, and for numbers that are not finite or not exact in float64.
        """
        # An error in the middle leaves the summary as it was.
        draft = copy(self)
        draft._update(X, y, sample_weight)
        self.__dict__ = draft.__dict__

    def _update(self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None) -> None:
        if y is None:
            raise HousingError("the fit requires y to be passed, but the target y is None; give the true values")
        features, targets = X.tocsr() if is_sparse(X) else as_matrix(X), as_numbers(y, "y")
        require_matrix(features)
        if targets.ndim not in (1, 2) or 0 in targets.shape[1:]:
            raise HousingError(f"y has shape {targets.shape}: expected (n,) or (n, k)")
        if features.shape[0] != len(targets):
            what = f"X has {counted(features.shape[0], 'row')} and y has {len(targets)}"
            raise HousingError(f"{what}: give one target row for each row")
        shape = (names_of(X), features.shape[1], targets.shape[1:], names_of(y))
        if self._shape is None:
            self._begin(shape, y)
        elif shape != self._shape:
            raise HousingError(f"a block has {_described(shape)}; the first block had {_described(self._shape)}")
        matrix = targets[:, np.newaxis] if targets.ndim == 1 else targets
        weight = as_weights(sample_weight, len(targets))
        for part, dense in dense_blocks(features, least=2 * self._width):
            rows = Rows(as_matrix(dense), matrix[part], None if weight is None else weight[part])
            for block, name, names in self._parts(rows):
                refuse_inexact(block, name, names, self._seen)
            self._add(rows, self._seen)
            self._seen += len(rows.X)

    def __add__(self, other: "Summary") -> "Summary":
        """Return the summary of the rows of both."""
        if other._shape is None or self._shape is None:
            return self if other._shape is None else other
        mine, theirs = (each.feature_names + each.target_names for each in (self, other))
        if mine != theirs or self.fit_intercept != other.fit_intercept:
            raise HousingError(f"cannot add up rows of different columns: {mine} and {theirs}")
        total = copy(self)
        total.rows, total._seen = self.rows + other.rows, self._seen + other._seen
        total._kept = self._kept + other._kept
        if other._first is not None:
            total._note_varying(other._varies, other._first)
        if other._shifted is not None:
            total._shifted = other._shifted if self._shifted is None else self._shifted + other._shifted
        total._fold(self._most_kept)
        return total

    def require_determined(self) -> None:
        """Refuse fewer rows than unknowns, of which many solutions fit all rows."""
        self._require_block()
        weighted = " of a weight above zero" if self._seen > self.rows or not float(self.rows).is_integer() else ""
        require_determined(self.rows, len(self.feature_names) + self.fit_intercept, weighted, self._seen)

    def solve(self, positive: bool = False) -> Solution:
        """Return the least-squares solution of all rows so far; of several, the one of least norm in scaled units.

        Parameters
        ----------
        positive : bool
            Whether the solution is the best of those without a weight below 0.
        """
        positive = _as_bool(positive, "positive")
        self._require_block()
        if not self.rows:
            self.require_determined()
        self._fold(FEW // self._width**2 if self._shifted is None else 0)
        given = self._varies, len(self.feature_names), self.rows, self._seen
        if self._shifted is None:
            return solve(*doubled_factor(Rows.joined(self._kept), self.fit_intercept), *given, positive)
        return solve(*self._shifted.scaled(), *given, positive)

    def _require_block(self) -> None:
        if self._shape is None:
            raise HousingError("there is no block to fit: give at least one (X, y)")

    def _begin(self, shape: Shape, y: Any) -> None:
        columns, features, targets, _ = shape
        self.named |= columns is not None
        self._shape, self.one_target = shape, not targets
        given = self.target_names or (names_of(y) if targets else as_names(name_of(y), "y")) or ()
        self.feature_names = names_or_defaults(self.feature_names or columns, [f"x{i}" for i in range(features)], given)
        defaults = [f"y{i}" for i in range(targets[0])] if targets else ["y"]
        self.target_names = names_or_defaults(given, defaults, self.feature_names)
        require_apart(self.feature_names, self.target_names)

    def _add(self, rows: Rows, first_row: int) -> None:
        if rows.weight is not None:
            self._refuse_nonfinite(rows, first_row)  # before rows are left out: their places would be others
            rows = rows.counted()
        if not len(rows.X):
            return
        self.rows += len(rows.X) if rows.weight is None else float(rows.weight.sum())
        self._note_varying(*varying(rows, self._varies))
        if len(rows.X) > self._most_kept:
            self._shifted = self._with(rows, first_row)
        else:
            self._refuse_nonfinite(rows, first_row)
            self._kept = [*self._kept, Rows.joined([rows])]  # a copy: who gave the block may write to it
            self._fold(self._most_kept)

    def _note_varying(self, varies: npt.NDArray[np.bool_], first: Floats) -> None:
        """Add which columns have more than one value in rows that start with these."""
        if self._first is None:
            self._first, self._varies = first, np.zeros(len(first), np.bool_)
        self._varies = self._varies | varies | (self._first != first)

    @property
    def _width(self) -> int:
        return int(self.fit_intercept) + len(self.feature_names) + len(self.target_names)

    @property
    def _most_kept(self) -> int:
        return max(FEW // self._width**2, 2 * self._width)

    def _fold(self, most: int) -> None:
        """Sum up the rows that are kept, where there are more of them."""
        if sum(len(rows.X) for rows in self._kept) > most:
            self._shifted, self._kept = self._with(Rows.joined(self._kept), 0), []

    def _with(self, rows: Rows, first_row: int) -> Shifted:
        """Return the factor of all rows so far and of these."""
        part = shifted_factor(rows, self.fit_intercept)
        if not np.isfinite(part.R).all():
            self._refuse_nonfinite(rows, first_row)
            raise HousingError("a column exceeds the range of double precision: rescale it")
        return part if self._shifted is None else self._shifted + part

    def _refuse_nonfinite(self, rows: Rows, first_row: int) -> None:
        for block, name, names in self._parts(rows):
            is_bad = ~np.isfinite(block).all(axis=1) & (True if rows.weight is None else rows.weight > 0)
            row = int(np.argmax(is_bad)) if is_bad.any() else len(block)
            refuse_nonfinite(block[row : row + 1], name, names, first_row + row)

    def _parts(self, rows: Rows) -> list[tuple[npt.NDArray[Any], str, tuple[str, ...]]]:
        return [(rows.X, "X", self.feature_names), (rows.y, "y", self.target_names)]


def require_determined(rows: float, unknowns: int, weighted: str = "", seen: int | None = None) -> None:
    """Refuse fewer rows than unknowns."""
    if rows < unknowns:
        raise HousingError(
            f"{counted(rows, 'row')}{weighted} cannot determine {unknowns} unknowns: give more rows or fewer features "
            f"(n_samples={rows if seen is None else seen})"
        )


def _as_bool(value: object, name: str) -> bool:
    if not isinstance(value, bool | np.bool_ | int) or value not in (0, 1):
        raise HousingError(f"{name} is {quoted(value)}: expected True or False")
    return bool(value)


def _described(shape: Shape) -> str:
    columns, features, targets, names = shape
    text = f"{counted(features, 'feature')} and y of shape ({', '.join(['n', *map(str, targets)])})"
    text += f", columns {listed(columns)}" if columns else ""
    return text + (f", targets {listed(names)}" if names else "")
