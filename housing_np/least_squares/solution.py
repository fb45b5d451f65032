"""The least-squares solution from a triangular factor, and what its statistics need.

References
----------
Björck, "Numerical Methods for Least Squares Problems", SIAM (1996): scaling, rank, refinement.
Ben-Israel, Cohen, "On iterative computation of generalized inverses", SIAM Journal on Numerical Analysis 3 (1966).
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..arrays import Floats
from ..errors import HousingError
from .doubled import Doubled

EPS = 2.0**-52
MOST_ROUNDING = 2.0**-33  # that the sums of any number of rows may have, relative to the largest
DOUBT = 10  # a singular value above what rounding makes of 0, and less than so many times it
NOTHING = 2.0**-20  # of a vector of length 1: a larger part is no rounding, whatever the singular values
STEPS = 12  # of refinement; each gains the digits that the condition number leaves
NO_DIGIT = 2.0**-80  # of a sum's terms: what is left of it is their rounding in double-double


@dataclass(frozen=True, eq=False, kw_only=True)
class Solution:
    """The least-squares solution for p features and k targets, and what its statistics need.

    Attributes
    ----------
    coef : (p, k) array
    intercept : (k,) array
    rows : int, or float
        The sum of the rows' weights: their number, where they have none.
    rank : int
        Without the intercept.
    tolerance : float
        What rounding can make of a singular value that is 0.
    distinct : bool
        False where full rank and deficiency cannot be told apart.
    mean, norms : (p,) arrays
        Of the columns; norms after centring. Means are 0 without an intercept.
    residual_norm, total_norm : (k,) arrays
        Of the residuals and of the (centred) targets.
    factor : (p, p) array
        R, upper triangular, with R'R the Gram matrix of the centred and scaled columns.
    inverse : (p, p) array
        Its pseudo-inverse.
    """

    coef: Floats
    intercept: Floats
    rows: float
    fit_intercept: bool
    rank: int
    tolerance: float
    distinct: bool
    mean: Floats
    norms: Floats
    residual_norm: Floats
    total_norm: Floats
    factor: Floats
    inverse: Floats

    @cached_property
    def singular_values(self) -> Floats:
        """Of the design (p,) with columns centred (given an intercept) and divided by ``norms``."""
        return np.asarray(np.linalg.svd(self.factor, compute_uv=False))

    @property
    def unexplained(self) -> Floats:
        """1 − R² (k,) on the rows of the fit; NaN where the target is constant, or 0 without an intercept."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.square(self.residual_norm / self.total_norm))

    def leverage(self, X: Floats) -> Floats:
        """Return the leverages (n,) of rows X (n, p): how much each row's own target counts in its prediction."""
        spread = np.dot(X - self.mean, self.inverse / self.norms[:, None])
        return np.asarray(np.einsum("ij,ij->i", spread, spread) + float(self.fit_intercept) / self.rows)

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
        _, values, right = np.linalg.svd(self.factor)
        null_space, kept = right[self.rank :], values[: self.rank]
        # A constant column has no norm: in units of itself it is a column of ones.
        one = 1 / math.sqrt(self.rows)
        with np.errstate(invalid="ignore"):  # of infinite means and norms nothing is known
            mean = np.divide(self.mean, self.norms, out=(self.mean != 0) * one, where=self.factor.any(axis=0))
        largest = np.abs(mean).max(initial=one)
        parts = np.column_stack([null_space @ mean / largest, null_space])
        # What rounding of the data leaves in the null space where there is no part in it.
        rounding = 8 * self.tolerance / kept.min(initial=1.0)
        return np.asarray(np.linalg.norm(parts, axis=0) <= min(NOTHING, rounding))


def solve(
    R: Doubled, unit: npt.NDArray[np.int64], shift: Floats, varies: npt.NDArray[np.bool_], p: int, rows: float, count: int
) -> Solution:
    """Return the solution for p features.

    Parameters
    ----------
    R : Doubled (m, m)
        The factor of rows [1, (A - shift) / 2**unit], or A / 2**unit without an intercept.
    unit, shift, varies : (p + k,) arrays
        ``varies`` says which columns are not constant; where there is an intercept, it alone stands for the others.
    p : int
    rows : int, or float
        The sum of their weights.
    count : int
        How many there are.
    """
    fit_intercept = len(R.high) > len(unit)
    means, ones = Doubled.of(np.zeros(len(unit))), 0.0
    if fit_intercept:
        ones = R.high[0, 0]
        means = (R.at(0, slice(1, None)) / R.at(0, slice(1))).plus(Doubled.of(np.ldexp(shift, -unit)))
        R = R.at(slice(1, None), slice(1, None))
        R.high[:, ~varies] = R.low[:, ~varies] = 0.0
    norms = np.linalg.norm(R.high, axis=0)
    scale = np.where(norms > 0, norms, 1.0)[:p]
    right = R.at(slice(p), slice(p, None))
    design = R.at(slice(p), slice(p)) / Doubled.of(np.tile(scale, (p, 1)))

    is_doubled = bool(R.low.any())
    # How far rounding moves each scaled column: of the data, whose digits centring loses, and of the factor.
    noise = EPS * np.hypot(1.0, ones * means.high[:p] / scale)
    inverse, rank, tolerance, distinct = _pseudo_inverse(design.high, noise, EPS * max(count, p), is_doubled)
    inverse = _refined(design, inverse) if is_doubled else inverse
    x, rest = _solved(design, inverse, right, is_doubled)
    weights = x / Doubled.of(np.tile(scale[:, None], x.high.shape[1]))
    parts = means.at(slice(p), None) * weights
    intercept = means.at(slice(p, None)) - parts.sum()
    size = np.abs(means.high[p:]) + np.abs(parts.high).sum(axis=0)
    with np.errstate(over="ignore"):
        coef = np.ldexp(weights.high, unit[p:] - unit[:p, None])
        offset = np.ldexp(np.where(np.abs(intercept.high) <= NO_DIGIT * size, 0.0, intercept.high), unit[p:])
        residual = np.hypot(np.linalg.norm(rest, axis=0), np.linalg.norm(R.high[p:, p:], axis=0))
        residual, norms = np.ldexp(residual, unit[p:]), np.ldexp(norms, unit)
    if not (np.isfinite(coef).all() and np.isfinite(offset).all()):
        raise HousingError("a coefficient exceeds the range of double precision: rescale the columns")
    return Solution(
        coef=coef,
        intercept=offset,
        rows=int(rows) if float(rows).is_integer() and rows < 2**53 else rows,
        fit_intercept=fit_intercept,
        rank=rank,
        tolerance=tolerance,
        distinct=distinct,
        mean=np.ldexp(means.high, unit)[:p],
        norms=np.where(norms > 0, norms, 1.0)[:p],
        residual_norm=residual,
        total_norm=norms[p:],
        factor=design.high,
        inverse=inverse,
    )


def _pseudo_inverse(factor: Floats, noise: Floats, least: float, is_doubled: bool) -> tuple[Floats, int, float, bool]:
    """Return the pseudo-inverse, the rank, the largest singular value that counts as 0, and if the rank is beyond doubt.

    A singular value counts as 0 where errors of ``noise`` (p,) in the columns could make it of 0, or one of `least`.
    """
    try:
        inverse = np.linalg.inv(factor)
        if np.linalg.norm(inverse) * max(noise.sum(), least * math.sqrt(len(factor))) < 1 / DOUBT:
            return inverse, len(factor), 0.0, True
    except np.linalg.LinAlgError:
        pass
    left, values, right = np.linalg.svd(factor)
    limits = np.maximum(np.minimum(np.abs(right) @ noise, NOTHING), min(least, MOST_ROUNDING) * values[0])
    kept = values > limits
    # What depends exactly leaves nothing in double-double.
    is_open = np.where(kept, values <= DOUBT * limits, is_doubled & (values > EPS * EPS))
    inverse = np.dot(right[kept].T / values[kept], left[:, kept].T)
    return inverse, int(kept.sum()), float(limits.max(initial=0.0, where=~kept)), not is_open.any()


def _refined(factor: Doubled, inverse: Floats) -> Floats:
    """Return the pseudo-inverse to all digits of double precision, by Newton's method (Ben-Israel and Cohen 1966)."""
    best, last = Doubled.of(inverse), math.inf
    identity = Doubled.of(np.eye(len(inverse)))
    for _ in range(STEPS):
        step = np.dot(best.high, (identity - _product(factor, best)).high)
        size = float(np.linalg.norm(step))
        if not size < last:
            break
        best, last = best.plus(Doubled.of(step)), size
    return best.high


def _solved(factor: Doubled, inverse: Floats, right: Doubled, is_doubled: bool) -> tuple[Doubled, Floats]:
    """Return x (p, k) of least norm that minimises the residual right - factor x, and that; iterative refinement."""
    if not is_doubled:
        x = np.dot(inverse, right.high)
        x += np.dot(inverse, right.high - np.dot(factor.high, x))
        return Doubled.of(x), right.high - np.dot(factor.high, x)
    x, rest, last = Doubled.of(np.zeros_like(right.high)), right, math.inf
    for _ in range(STEPS):
        step = np.dot(inverse, rest.high)
        size = float(np.linalg.norm(step))
        if not size < last:
            break
        x, last = x.plus(Doubled.of(step)), size
        rest = right - _product(factor, x)
    # What is no more than the rounding of the sum that it is of is 0.
    size = NO_DIGIT * np.dot(np.abs(inverse), np.abs(right.high))
    is_zero = np.abs(x.high) <= size
    x.high[is_zero] = x.low[is_zero] = 0.0
    return x, rest.high


def _product(a: Doubled, b: Doubled) -> Doubled:
    """Return the matrix product of a (n, m) and b (m, k)."""
    first = Doubled(a.high.T, a.low.T).at(slice(None), slice(None), None)
    return (first * b.at(slice(None), None)).sum()
