"""The least-squares solution from a triangular factor, and what its statistics need.

References
----------
Björck, "Numerical Methods for Least Squares Problems", SIAM (1996): scaling, rank, refinement.
Lawson, Hanson, "Solving Least Squares Problems", Prentice-Hall (1974), chapter 23: weights that are not negative.
Ben-Israel, Cohen, "On iterative computation of generalized inverses", SIAM Journal on Numerical Analysis 3 (1966).
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks.arrays import Floats
from ..errors import HousingError, extra
from .doubled import Doubled, product

EPS = 2.0**-52
MAX_SUM_ROUNDING = 2.0**-33  # relative to the largest singular value; sums of any number of rows have no more
UNCLEAR_FACTOR = 10  # a singular value above its limit by at most this factor leaves the rank unclear
MAX_ROUNDING_SHARE = 2.0**-20  # of a vector of length 1; a larger part is never taken for rounding
NOISE_SHARE = 2.0**-80  # of a sum's terms; a smaller sum is only their rounding in double-double


@dataclass(frozen=True, eq=False, kw_only=True)
class Solution:
    """The least-squares solution for p features and k targets, and what its statistics need."""

    coef: Floats  # (p, k)
    intercept: Floats  # (k,)
    rows: float  # the sum of the rows' weights: their number, where they have none
    fit_intercept: bool
    rank: int  # without the intercept
    tolerance: float  # what rounding can make of a singular value that is 0
    distinct: bool  # False where full rank and deficiency cannot be told apart
    means: Doubled  # (p,), of the columns; 0 without an intercept
    target_means: Doubled  # (k,)
    norms: Floats  # (p,), of the columns after centring
    residual_norm: Floats  # (k,)
    total_norm: Floats  # (k,), of the (centred) targets
    # The factor R (p, p), where R'R is the Gram matrix of the centred and scaled columns; in double-double of few rows.
    design: Floats | Doubled
    rough_inverse: Floats  # (p, p), its pseudo-inverse, as far as double precision gives it
    count: int  # how many rows there are, those of weight 0 as well
    positive: bool  # whether no weight may be below 0: the statistics are those of the rows, not of these weights

    @property
    def mean(self) -> Floats:
        """The means of the columns (p,) in double precision."""
        return self.means.high

    def centred(self, X: Floats) -> Floats:
        """Return rows X (n, p) less the means: to all digits, which a leverage near 1 needs."""
        return np.asarray((X - self.means.high) - self.means.low)

    def residual(self, X: Floats, y: Floats, coef: Floats) -> Floats:
        """Return the residuals of targets y (n,) or (n, k), computed from the means."""
        high, low = self.target_means.high, self.target_means.low
        high, low = (high, low) if y.ndim > 1 else (high[0], low[0])
        return np.asarray(((y - high) - low) - self.centred(X) @ coef.T)

    @property
    def factor(self) -> Floats:
        """The design (p, p) in double precision."""
        return _high(self.design)

    @cached_property
    def inverse(self) -> Floats:
        """The pseudo-inverse (p, p) of the design, to all digits that the design has."""
        return _refined(self.design, self.rough_inverse)

    @cached_property
    def singular_values(self) -> Floats:
        """Of the design (p,) with columns centred (given an intercept) and divided by ``norms``."""
        return np.asarray(np.linalg.svd(self.factor, compute_uv=False))

    @property
    def unexplained(self) -> Floats:
        """1 − R² (k,) on the rows of the fit; NaN where the target is constant, or 0 without an intercept."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.square(self.residual_norm / self.total_norm))

    def basis(self, X: Floats) -> Floats:
        """Return rows X (n, p) in an orthonormal basis of the centred columns: Q of their QR decomposition."""
        return np.asarray(np.dot(self.centred(X), self.inverse / self.norms[:, None]))

    def leverage(self, X: Floats, basis: Floats | None = None) -> Floats:
        """Return the leverages (n,) of rows X (n, p): how much each row's own target counts in its prediction."""
        Q = self.basis(X) if basis is None else basis
        return np.asarray(np.einsum("ij,ij->i", Q, Q) + float(self.fit_intercept) / self.rows)

    def unit_stderr(self) -> Floats:
        """Return standard errors of [intercept, coefficients] (p + 1,) for residuals of standard deviation 1.

        NaN where the data do not determine the number.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            offset = np.square((self.mean / self.norms) @ self.inverse).sum()
            offset = 1 / self.rows + offset if self.fit_intercept else math.nan
            squares = np.concatenate([[offset], np.square(self.inverse).sum(axis=1)])
            squares = np.where(self.identified(), squares, math.nan)
            return np.asarray(np.sqrt(squares) / np.concatenate([[1.0], self.norms]))

    def dependent(self) -> npt.NDArray[np.bool_]:
        """Return which columns (p,) the data cannot tell apart: other weights of these predict the rows as well."""
        return ~self.identified()[1:]

    def identified(self) -> npt.NDArray[np.bool_]:
        """Return which of [intercept, coefficients] (p + 1,) the data determine: those on which all solutions agree.

        Two solutions differ by a v with A v = 0 in the centred columns A, and by -mean·v in the intercept.
        """
        p = len(self.norms)
        if self.rank == p:
            return np.ones(p + 1, np.bool_)
        _, values, right = np.linalg.svd(_rows_used(self.factor))
        null_space, kept = right[self.rank :], values[: self.rank]
        # A constant column has no norm: in units of itself it is a column of ones.
        one = 1 / math.sqrt(self.rows)
        with np.errstate(invalid="ignore"):  # of infinite means and norms nothing is known
            mean = np.divide(self.mean, self.norms, out=(self.mean != 0) * one, where=self.factor.any(axis=0))
        largest = np.abs(mean).max(initial=one)
        parts = np.column_stack([null_space @ mean / largest, null_space])
        # What rounding of the data leaves in the null space where there is no part in it.
        rounding = 8 * self.tolerance / kept.min(initial=1.0)
        return np.asarray(np.linalg.norm(parts, axis=0) <= min(MAX_ROUNDING_SHARE, rounding))


def solve(
    R: Any,
    unit: npt.NDArray[np.int64],
    exponent: int,
    shift: Floats,
    varies: npt.NDArray[np.bool_],
    p: int,
    rows: float,
    count: int,
    positive: bool = False,
) -> Solution:
    """Return the solution for p features.

    Parameters
    ----------
    R : (m, m) array, or Doubled
        The factor of rows [1, (A - shift) / 2**unit], or A / 2**unit without an intercept, divided by ``2**exponent``.
    unit, shift, varies : (p + k,) arrays
        ``varies`` says which columns are not constant; where there is an intercept, it alone stands for the others.
    p : int
    rows : int, or float
        The sum of their weights.
    count : int
        How many there are.
    positive : bool
        Whether no weight may be below 0.
    """
    fit_intercept = len(_high(R)) > len(unit)
    means = Doubled(np.zeros(len(unit)))
    length = 0.0
    if fit_intercept:
        length = float(_high(R)[0, 0])
        offset = R[0, 1:] / R[:1, 0]
        means = (offset if isinstance(offset, Doubled) else Doubled(offset)) + np.ldexp(shift, -unit)
        R = R[1:, 1:]
        R[:, ~varies] = 0.0
    norms = np.linalg.norm(_high(R), axis=0)
    scale = np.where(norms > 0, norms, 1.0)[:p]
    design: Any = R[:p, :p] / scale
    # How far rounding moves each scaled column: centring loses digits that the data do not have.
    noise = EPS * np.hypot(1.0, np.where(norms[:p] > 0, length * means.high[:p] / scale, 0.0))
    least = EPS * max(count, p)
    inverse, rank, tolerance, distinct = _pseudo_inverse(design, noise, least)
    inverse[norms[:p] == 0] = 0.0
    x, rest = _nonnegative(design, noise, least, R[:p, p:]) if positive else _solved(design, inverse, R[:p, p:])
    weights = x / scale[:, None]
    parts = means[:p, None] * weights
    intercept = _rounded(means[p:] - parts.sum(axis=0), np.abs(means.high[p:]) + np.abs(parts.high).sum(axis=0))
    with np.errstate(over="ignore"):
        coef = np.ldexp(_high(weights), unit[p:] - unit[:p, None])
        offset, norms = np.ldexp(intercept, unit[p:]), np.ldexp(norms, unit + exponent)
        residual = np.hypot(np.linalg.norm(_high(rest), axis=0), np.linalg.norm(_high(R)[p:, p:], axis=0))
    if not (np.isfinite(coef).all() and np.isfinite(offset).all()):
        raise HousingError("a coefficient exceeds the range of double precision: rescale the columns")
    return Solution(
        coef=coef,
        intercept=offset * float(fit_intercept),
        rows=int(rows) if float(rows).is_integer() and rows < 2**53 else rows,
        fit_intercept=fit_intercept,
        rank=rank,
        tolerance=tolerance,
        distinct=distinct,
        means=means[:p].ldexp(unit[:p]),
        target_means=means[p:].ldexp(unit[p:]),
        norms=np.where(norms > 0, norms, 1.0)[:p],
        residual_norm=np.ldexp(residual, unit[p:] + exponent),
        total_norm=norms[p:],
        design=design,
        rough_inverse=inverse,
        count=count,
        positive=positive,
    )


def _high(values: Floats | Doubled) -> Floats:
    """Return numbers in double precision."""
    return values.high if isinstance(values, Doubled) else values


def _rounded(values: Floats | Doubled, size: Floats) -> Floats:
    """Return sums of terms of this size; where no more is left of them than the rounding of double-double, it is 0."""
    return np.asarray(np.where(np.abs(_high(values)) <= NOISE_SHARE * size, 0.0, _high(values)))


def _pseudo_inverse(design: Floats | Doubled, noise: Floats, least: float) -> tuple[Floats, int, float, bool]:
    """Return the pseudo-inverse, the rank, the largest singular value that counts as 0, and whether the rank is clear.

    A singular value counts as 0 where errors of ``noise`` (p,) in the columns could make it of 0, or one of `least`.
    """
    factor = _high(design)
    inverse = np.full_like(factor, np.inf)
    if np.diag(factor).all():
        inverse = np.asarray(np.linalg.inv(factor), np.float64)
    if np.linalg.norm(inverse) * max(noise.sum(), least * math.sqrt(len(factor))) < 1 / UNCLEAR_FACTOR:
        return inverse, len(factor), 0.0, True
    used = _rows_used(factor)
    left, values, right = np.linalg.svd(used, full_matrices=False)
    limits = np.maximum(np.minimum(np.abs(right) @ noise, MAX_ROUNDING_SHARE), min(least, MAX_SUM_ROUNDING) * values[0])
    kept = values > limits
    # What depends exactly leaves nothing in double-double.
    is_open = np.where(kept, values <= UNCLEAR_FACTOR * limits, isinstance(design, Doubled) & (values > EPS * EPS))
    inverse = np.zeros_like(factor)
    inverse[:, : len(used)] = np.dot(right[kept].T / values[kept], left[:, kept].T)
    return inverse, int(kept.sum()), float(limits.max()), not is_open.any()


def _rows_used(factor: Floats) -> Floats:
    """Return the rows of a factor up to the last that is not 0: fewer than its columns where there were fewer rows."""
    used = np.flatnonzero(factor.any(axis=1))
    return factor[: used[-1] + 1] if len(used) else factor[:1]


def _refined(design: Floats | Doubled, inverse: Floats) -> Floats:
    """Return the inverse of a design in double-double to all digits of double precision.

    Newton's method, which squares the relative error, and converges to the pseudo-inverse (Ben-Israel and Cohen 1966).
    """
    if not isinstance(design, Doubled):
        return inverse
    best, last = Doubled(inverse), math.inf
    while True:
        step = np.dot(best.high, (Doubled(np.eye(len(inverse))) - product(design, best)).high)
        size = float(np.linalg.norm(step))
        if not size < last:
            break
        best, last = best + step, size
        if size <= 2.0**-30 * np.linalg.norm(best.high):
            break
    return np.asarray(best.high)


def _solved(design: Any, inverse: Floats, right: Any) -> tuple[Any, Any]:
    """Return x (p, k) of least norm that minimises right - design x, and that residual; by iterative refinement."""
    x, rest, first, last = right * 0.0, right, 0.0, math.inf
    while True:
        step = np.dot(inverse, _high(rest))
        size = float(np.linalg.norm(step))
        if not size < last:
            break
        x, first, last = x + step, max(first, size), size
        rest = _rest(design, x, right)
        if size <= 2.0**-48 * first:  # the next step would be as much smaller again
            break
    x[np.abs(_high(x)) <= NOISE_SHARE * np.dot(np.abs(inverse), np.abs(_high(right)))] = 0.0
    return x, rest


def _nonnegative(design: Any, noise: Floats, least: float, right: Any) -> tuple[Any, Any]:
    """Return x (p, k), none below 0, that minimises right - design x, and that residual.

    Lawson and Hanson's algorithm tells which are above 0; these are then those of ordinary least squares, as accurate.
    """
    with extra("stats", "positive=True needs scipy"):
        from scipy.optimize import nnls
    x = right * 0.0
    for target, column in enumerate(_high(right).T):
        # Of length 1: the limits of some versions of scipy are absolute.
        weights, _ = nnls(_high(design), column / (np.linalg.norm(column) or 1.0), maxiter=30 * len(column))
        part = design * (weights > 0).astype(np.float64)
        found, _ = _solved(part, _pseudo_inverse(part, noise, least)[0], right[:, target : target + 1])
        found[(weights[:, np.newaxis] == 0) | (_high(found) < 0)] = 0.0
        x[:, target : target + 1] = found
    return x, _rest(design, x, right)


def _rest(design: Any, x: Any, right: Any) -> Any:
    return right - (product(design, x) if isinstance(design, Doubled) else np.dot(design, x))
