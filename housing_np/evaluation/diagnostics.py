"""Regression diagnostics, summed over blocks of rows: curvature along the predictions, and influential rows.

References
----------
Ramsey, "Tests for specification errors in classical linear least-squares regression analysis", Journal of the Royal
Statistical Society B 31 (1969): RESET.
Belsley, Kuh, Welsch, "Regression Diagnostics", Wiley (1980): DFBETAS, variance inflation.
Velleman, Welsch, "Efficient computing of regression diagnostics", The American Statistician 35 (1981): leverage of
rows for one feature, partial leverage.
Fox, Monette, "Generalized collinearity diagnostics", Journal of the American Statistical Association 87 (1992).
"""

from dataclasses import dataclass
from functools import cached_property
from math import exp, inf, log1p, nan, sqrt
from typing import NamedTuple, Self

import numpy as np

from ..checks.arrays import Floats
from ..fit.linear import LinearRegression
from ..fit.solution import Solution
from ..rows.columns import Columns

_POWERS = 2  # of the predictions: the square and the cube
_HANDFUL = 5  # rows
_NOTABLE = 0.01  # a leverage; rows of a smaller one determine no weight
_EXACT = 1e-20  # 1 - R² of a fit whose residuals are rounding
_NO_ROOM = 1e-10  # of a vector of length 1 that is left once what depends on others is taken away


class Reset(NamedTuple):
    """Ramsey's RESET: whether squares and cubes of the predictions predict more."""

    f: float  # the F statistic
    p: float  # its p-value
    share: float  # the part of the sum of squared residuals that they remove


@dataclass
class Ends:
    """How many rows have the smallest target, and how many the largest.

    >>> Ends.of(np.array([1.0, 5.0, 5.0])) + Ends.of(np.array([2.0, 5.0]))
    Ends(low=1.0, high=5.0, at_low=1, at_high=3)
    """

    low: float = inf
    high: float = -inf
    at_low: int = 0
    at_high: int = 0

    @classmethod
    def of(cls, y: Floats) -> Self:
        """Return those of targets y (n,), n at least 1."""
        low, high = float(y.min()), float(y.max())
        return cls(low, high, int((y == low).sum()), int((y == high).sum()))

    def update(self, X: Floats, y: Floats) -> None:
        """Add a block of rows."""
        if len(y):
            self.__dict__ = (self + Ends.of(y)).__dict__

    def __add__(self, other: "Ends") -> "Ends":
        """Return those of the rows of both."""
        low, high = min(self.low, other.low), max(self.high, other.high)
        at_low = sum(each.at_low for each in (self, other) if each.low == low)
        return Ends(low, high, at_low, sum(each.at_high for each in (self, other) if each.high == high))


@dataclass
class Diagnostics:
    """Sums over the rows of a fit of one target.

    ``largest`` (5, p) has the largest partial leverages of each feature: the shares of single rows in determining its
    weight. ``dfbetas`` (p,) has by how many standard errors of its weight one row moves it at most. In both, a row
    with a leverage of at most 0.01 counts as 0, unless it moves a prediction by a standard error.
    """

    model: LinearRegression

    def __post_init__(self) -> None:
        p = self.model.n_features_in_
        self.largest, self.dfbetas = np.zeros((_HANDFUL, p)), np.zeros(p)
        # Products of the square and the cube with the basis, with a column of ones, each other and the residuals.
        self._products = np.zeros((p + 1 + _POWERS + 1, _POWERS))

    @property
    def _solution(self) -> Solution:
        return self.model.require_solution("diagnostics")

    @cached_property
    def _fitted(self) -> Floats:
        """The predictions (p,) less their mean in the basis, of deviation 1."""
        along = self._solution.factor @ (self._solution.norms * np.atleast_2d(self.model.coef_)[0])
        return np.asarray(along / np.linalg.norm(along) * sqrt(self._solution.rows))

    @cached_property
    def _variances(self) -> Floats:
        """The variances (p,) of the weights, of scaled columns and for residuals of deviation 1."""
        return np.asarray(np.square(self._solution.inverse).sum(axis=1))

    def update(self, basis: Floats, leverage: Floats, residual: Floats) -> None:
        """Add rows: in the basis of the solution (n, p), their leverages (n,) and residuals (n,)."""
        with np.errstate(all="ignore"):
            self._add_powers(basis, residual)
            self._add_influence(basis, leverage, residual)

    def _add_powers(self, basis: Floats, residual: Floats) -> None:
        solution, fitted = self._solution, basis @ self._fitted
        square = fitted * fitted
        powers = np.stack([square, square * fitted])
        one = float(solution.fit_intercept) / sqrt(solution.rows)
        scaled = residual / solution.residual_norm[0]
        products = powers @ basis, one * powers.sum(axis=1), powers @ powers.T, powers @ scaled
        self._products += np.column_stack(products).T

    def _add_influence(self, basis: Floats, leverage: Floats, residual: Floats) -> None:
        solution = self._solution
        centred, room = leverage - float(solution.fit_intercept) / solution.rows, 1 - leverage
        # The square of each externally studentized residual, over the room.
        square = np.square(residual / solution.residual_norm[0]) / room
        degrees = solution.rows - solution.rank - solution.fit_intercept - 1
        is_exact = not degrees > 0 or not solution.unexplained[0] > _EXACT
        moved = np.zeros(len(square)) if is_exact else square * degrees / (1 - square) / room
        moved[room < _NO_ROOM] = 0.0  # without such a row its feature has no weight to compare with
        some = (centred > _NOTABLE) | (centred * moved > 1)
        if some.any():
            weights = basis[some] @ solution.inverse.T
            shares = np.nan_to_num(np.square(weights) / self._variances)
            self.largest = np.sort(np.concatenate([self.largest, shares]), axis=0)[-_HANDFUL:]
            self.dfbetas = np.maximum(self.dfbetas, np.sqrt(shares * moved[some, np.newaxis]).max(axis=0))

    def __add__(self, other: "Diagnostics") -> "Diagnostics":
        """Return the sums of the rows of both."""
        total = Diagnostics(self.model)
        total.largest = np.sort(np.concatenate([self.largest, other.largest]), axis=0)[-_HANDFUL:]
        total.dfbetas = np.maximum(self.dfbetas, other.dfbetas)
        total._products = self._products + other._products
        return total

    def reset(self) -> Reset | None:
        """Return Ramsey's test; None if there are too few rows or predictions for it, or the fit is exact."""
        solution, powers = self._solution, _POWERS
        *_, target = np.split(self._products, [len(self._products) - 1])
        across, own = np.split(self._products[:-1], [len(self._products) - 1 - powers])
        degrees = solution.rows - solution.rank - solution.fit_intercept - powers
        if degrees <= 0 or not solution.unexplained[0] > _EXACT or not np.isfinite(self._products).all():
            return None
        # The powers less what the features tell of them, in units of themselves.
        scale = np.sqrt(np.diag(own))
        gram = (own - across.T @ across) / scale / scale[:, np.newaxis]
        if not np.linalg.eigvalsh(gram)[0] > _NO_ROOM:
            return None
        right = target[0] / scale
        share = float(right @ np.linalg.solve(gram, right))
        if not 0 <= share < 1:
            return None
        # Of two degrees of freedom above, the F distribution has a tail in closed form.
        return Reset(share / (1 - share) * degrees / powers, exp(degrees / 2 * log1p(-share)), share)


class Overlap(NamedTuple):
    """How far a feature repeats others."""

    # The factor by which they raise the variance of its weight, 1 for none. Of a category, Fox and Monette's
    # generalized factor per level, which does not depend on the baseline.
    inflation: float
    other: str  # the feature of another column that is most correlated with it; empty if there is none
    correlation: float  # with that feature


def overlaps(solution: Solution, columns: Columns) -> dict[str, Overlap]:
    """Return the overlap of each feature with the features of other columns; NaN where the rows do not determine it.

    >>> import numpy as np
    >>> X = np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 3.0], [3.0, 4.5]])
    >>> model = LinearRegression().fit(X, [1.0, 2.0, 4.0, 3.0], feature_names=["rooms", "doors"])
    >>> overlaps(model.require_solution("overlaps"), model.columns)["rooms"].other
    'doors'
    """
    names = columns.feature_names
    correlation, covariance = solution.factor.T @ solution.factor, solution.inverse @ solution.inverse.T
    is_known, found = solution.identified()[1:], dict[str, Overlap]()
    for own in columns.places.values():
        features, inflation = names[own], nan
        if is_known[own].all():
            inflation = np.linalg.det(correlation[own, own]) * np.linalg.det(covariance[own, own])
        others = correlation[own].copy()
        others[:, own] = 0.0
        for feature, row in zip(features, others, strict=True):
            other = int(np.argmax(np.abs(row)))
            has_other = row[other] != 0
            found[feature] = Overlap(
                float(inflation ** (1 / len(features))), names[other] if has_other else "", float(row[other])
            )
    return found


def tenths(predicted: Floats, residual: Floats) -> list[float]:
    """Return the mean residuals of rows: with the lowest tenth of the predictions, between, the highest tenth.

    >>> tenths(np.arange(10.0), np.array([3.0, *[-1.0] * 8, 5.0]))
    [3.0, -1.0, 5.0]
    """
    order, tenth = np.argsort(predicted, kind="stable"), len(predicted) // 10
    parts = np.split(residual[order], [tenth, len(order) - tenth])
    return [float(part.mean()) if len(part) else nan for part in parts]
