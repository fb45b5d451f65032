"""The least-squares solution from a Gram matrix, in double precision or exactly, and what its statistics need.

Reference: Björck, "Numerical Methods for Least Squares Problems", SIAM (1996): scaling, rank, refinement.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..errors import HousingError
from .exact_gram import ExactGram
from .fixed_point import FixedPoint, Floats, Integers, ldexp

EPS = 2.0**-52
RANK_TOLERANCE = 2.0**-33  # no rounding of the data may call a larger singular value zero
STALLED_STEPS = 8  # steps of refinement without progress that end it
FIXED = 384  # fraction bits of the extended solution
NOTHING = 2.0**-20  # of a vector of length 1: a larger part is no rounding, whatever the singular values
RESOLVED = 128  # bits of the largest number that a refinement ends with
NOTHING_LEFT = 2.0**-320  # of the largest number: rounding error of FIXED bits
NEGLIGIBLE = 2.0**-200  # a pivot that is rounding error of FIXED bits; dropping it moves singular values by 1e-15


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """Normal equations G x = g in fixed point: ``gram`` (p, p) is G * 2**FIXED.

    ``factor`` is R with R'R = G for columns divided by ``scale``, in double precision: good enough to refine with.
    """

    gram: Integers
    scale: Floats
    factor: Floats
    tolerance: float

    def solve(self, right: Integers) -> Integers:
        """Return x (p, k) * 2**FIXED for g (p, k) * 2**FIXED, by refinement with exact residuals; minimum norm."""
        x = best = right * 0
        smallest, waited = math.inf, 0
        # A step may undo the error of the one before, at equal size: one without progress is not yet the end.
        while waited < STALLED_STEPS:
            residual = FixedPoint((right << FIXED) - self.gram @ x, -2 * FIXED).to_float() / self.scale[:, None]
            step = _pseudo_solve(self.factor, residual, self.tolerance) / self.scale[:, None]
            x = x + FixedPoint.of(step, -FIXED).integers
            size, waited = np.abs(step).max(initial=0.0), waited + 1
            if size < smallest / 2:
                best, smallest, waited = x, size, 0
            values = np.abs(FixedPoint(x, -FIXED).to_float())
            # All digits of a double are there, of the smallest too; what is 0 goes on until nothing is left of it.
            if size <= 2.0**-RESOLVED * values.max(initial=0.0) and (values[x != 0] >= 2.0**60 * size).all():
                break
        values = np.abs(FixedPoint(best, -FIXED).to_float())
        return np.where(values <= NOTHING_LEFT * values.max(initial=0.0), 0, best)


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
    singular_values : (p,) array
        Of the design with columns centred (given an intercept) and divided by ``norms``.
    tolerance : float
        Singular values below this fraction of the largest count as zero: what rounding of the data can make of 0.
    distinct : bool
        False where full rank and deficiency cannot be told apart.
    mean, norms : (p,) arrays
        Of the columns; norms after centring. Means are 0 without an intercept.
    residual_norm, total_norm : (k,) arrays
        Of the residuals and of the (centred) targets.
    factor : (p, p) array
        R, upper triangular, with R'R the Gram matrix of the centred and scaled columns.
    equations, scaled_mean, steps, step : optional
        The normal equations of the exact way; in their units the columns' means (p,), times 2**FIXED; and the weight,
        which is ``steps * 2**step``.
    """

    coef: Floats
    intercept: Floats
    rows: float
    fit_intercept: bool
    rank: int
    singular_values: Floats
    tolerance: float
    distinct: bool
    mean: Floats
    norms: Floats
    residual_norm: Floats
    total_norm: Floats
    factor: Floats
    equations: NormalEquations | None = None
    scaled_mean: Integers | None = None
    steps: int = 0
    step: int = 0

    @property
    def unexplained(self) -> Floats:
        """1 − R² (k,) on the rows of the fit; NaN where the target is constant, or 0 without an intercept."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.square(self.residual_norm / self.total_norm))

    def leverage(self, X: Floats) -> Floats:
        """Return the leverages (n,) of rows X (n, p): how much each row's own target counts in its prediction."""
        spread = np.dot(X - self.mean, self._inverse / self.norms[:, None])
        return np.asarray(np.einsum("ij,ij->i", spread, spread) + float(self.fit_intercept) / self.rows)

    def unit_stderr(self) -> Floats:
        """Return standard errors of [intercept, coefficients] (p + 1,) for residuals of standard deviation 1.

        NaN where the data do not determine the number.
        """
        if self.equations is None or self.scaled_mean is None:
            squares = np.square(self._inverse).sum(axis=1)
            offset = np.square((self.mean / self.norms) @ self._inverse).sum()
        else:
            identity = np.diag([1 << FIXED] * len(self.norms)).astype(object)
            columns = self.equations.solve(np.column_stack([identity, self.scaled_mean]))
            squares = FixedPoint(np.diag(columns), -FIXED).to_float() * self.equations.scale**2
            offset = ldexp(int(self.scaled_mean @ columns[:, -1]) * self.steps, -2 * FIXED - self.step)
        offset = 1 / self.rows + offset if self.fit_intercept else math.nan
        squares = np.where(self.identified(), np.concatenate([[offset], squares]), math.nan)
        with np.errstate(over="ignore"):
            return np.asarray(np.sqrt(squares) / np.concatenate([[1.0], self.norms]))

    def dependent(self) -> npt.NDArray[np.bool_]:
        """Return which columns (p,) the data cannot tell apart: other weights of these predict the rows as well."""
        return ~self.identified()[1:]

    def identified(self) -> npt.NDArray[np.bool_]:
        """Return which of [intercept, coefficients] (p + 1,) the data determine: those on which all solutions agree.

        Two solutions differ by a v with A v = 0 in the centred columns A, and by -mean·v in the intercept.
        """
        null_space = np.linalg.svd(self.factor)[2][self.rank :]
        # A constant column has no norm: in units of itself it is a column of ones.
        one = 1 / math.sqrt(self.rows)
        with np.errstate(invalid="ignore"):  # of infinite means and norms nothing is known
            mean = np.divide(self.mean, self.norms, out=(self.mean != 0) * one, where=self.factor.any(axis=0))
        largest = np.abs(mean).max(initial=one)
        parts = np.column_stack([null_space @ mean / largest, null_space])
        return np.asarray(np.linalg.norm(parts, axis=0) <= self._nothing)

    @property
    def _nothing(self) -> float:
        """Of a vector of length 1: what rounding of the data leaves in the null space where there is no part in it."""
        kept = self.singular_values[: self.rank]
        return float(min(NOTHING, 8 * self.tolerance * kept.max(initial=1.0) / kept.min(initial=1.0)))

    @cached_property
    def _inverse(self) -> Floats:
        return np.asarray(np.linalg.pinv(self.factor, rcond=self.tolerance), np.float64)


def centre(gram: Floats, fit_intercept: bool) -> Floats:
    """Return the Gram matrix of A, less the column means with an intercept, from that of [1, A]."""
    if not fit_intercept:
        return gram[1:, 1:]
    return np.asarray(gram[1:, 1:] - np.outer(gram[0, 1:], gram[0, 1:] / gram[0, 0]))


def solve_fast(gram: Floats, shift: Floats, p: int, fit_intercept: bool) -> Solution:
    """Return the solution from the Gram matrix of columns less ``shift``, in double precision."""
    rows = float(gram[0, 0])
    centred = centre(gram, fit_intercept)
    norms = np.sqrt(np.diag(centred))
    scaled = centred / np.outer(norms, norms)
    factor = np.linalg.cholesky(scaled[:p, :p]).T
    right = np.linalg.solve(factor.T, scaled[:p, p:])
    x, _, rank, singular = np.linalg.lstsq(factor, right, rcond=None)
    coef = x * norms[p:] / norms[:p, None]
    mean = (shift + gram[0, 1:] / rows) * float(fit_intercept)
    return Solution(
        coef=coef,
        intercept=mean[p:] - mean[:p] @ coef,
        rows=_whole(rows),
        fit_intercept=fit_intercept,
        rank=int(rank),
        singular_values=singular,
        tolerance=EPS * p,
        distinct=True,
        mean=mean[:p],
        norms=norms[:p],
        residual_norm=np.sqrt(1 - np.square(right).sum(axis=0)) * norms[p:],
        total_norm=norms[p:],
        factor=factor,
    )


def solve_exact(gram: ExactGram, p: int, fit_intercept: bool) -> Solution:
    """Return the solution from the exact Gram matrix, to the last digit of double precision.

    Columns are counted in units of ``2**exponent``, in which their norm is about 1; numbers "scaled" are in these
    units, all others in the user's. Norms are of columns multiplied by the square root of the weight until then, and
    weights are counted in steps.
    """
    steps = int(gram.integers[0, 0])
    rows = ldexp(steps, gram.step)
    products = FixedPoint(gram.integers[1:, 1:], gram.unit[1:, None] + gram.unit[1:])
    sums = FixedPoint(gram.integers[0, 1:], gram.unit[1:])
    divisor = steps if fit_intercept else 1  # centred products are taken times the weight, to stay in integers
    centred = products.integers * divisor - int(fit_intercept) * np.multiply.outer(sums.integers, sums.integers)
    constant = np.array([c == 0 for c in np.diag(centred)])
    exponent = FixedPoint(np.diag(centred), np.diag(products.exponent)).half_exponent()
    scaled = FixedPoint(centred, products.exponent).ldexp(-exponent[:, None] - exponent).at(-FIXED).integers
    scaled_sums = sums.ldexp(-exponent)

    norm = np.sqrt(FixedPoint(np.diag(scaled), -FIXED).to_float())
    scale = np.where(constant, 1.0, norm)[:p]
    uncentred = FixedPoint(np.diag(products.integers) * divisor, np.diag(products.exponent) - 2 * exponent)
    cancelled = np.sqrt(uncentred.to_float()[:p] / scale**2)  # digits that centring loses of rounded data
    rounding = EPS * p * float(cancelled.max(initial=1.0, where=~constant[:p]))
    tolerance = min(rounding, RANK_TOLERANCE)
    factor = _factor(scaled[:p, :p], scale)
    _, _, rank, values = np.linalg.lstsq(factor, np.zeros(p), rcond=tolerance)
    singular: Floats = np.asarray(values, np.float64)
    zeros = int((np.diag(factor) == 0).sum())
    distinct = rank == 0 or (rank == p - zeros and singular[rank - 1] > 10 * rounding * singular[0])

    equations = NormalEquations(scaled[:p, :p], scale, factor, tolerance)
    x = equations.solve(scaled[:p, p:])
    coef = FixedPoint(x, -FIXED).ldexp(exponent[p:] - exponent[:p, None]).to_float()
    explained_sums = FixedPoint(sums.integers[:p, None] * x, (gram.unit[1:] - exponent)[:p, None] - FIXED)
    own, parts = scaled_sums.at(-FIXED).integers[p:], explained_sums.at(-FIXED).integers
    intercepts = own - parts.sum(axis=0)
    # What is left of a difference is 0 where it is no more than the rounding of its parts.
    intercepts = np.where(abs(intercepts) <= (abs(own) + abs(parts).sum(axis=0)) // 2**RESOLVED, 0, intercepts)
    intercept = FixedPoint(intercepts // steps, exponent[p:] - FIXED).to_float() * float(fit_intercept)
    if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
        raise HousingError("a coefficient exceeds the range of double precision: rescale the columns")
    total = np.diag(scaled)[p:]
    explained = [int(b @ ((g << FIXED + 1) - equations.gram @ b)) for g, b in zip(scaled[:p, p:].T, x.T, strict=True)]
    residual = np.array([max((t << 2 * FIXED) - e, 0) for t, e in zip(total, explained, strict=True)], dtype=object)
    with np.errstate(over="ignore"):  # a norm beyond the range is infinite
        if fit_intercept:
            unscale = np.ldexp(1 / math.sqrt(rows), exponent + gram.step)
        else:
            unscale = np.ldexp(1.0, exponent + gram.step // 2)
    return Solution(
        coef=coef,
        intercept=intercept,
        rows=_whole(rows),
        fit_intercept=fit_intercept,
        rank=int(rank),
        singular_values=singular,
        tolerance=tolerance,
        distinct=bool(distinct),
        mean=sums.ldexp(gram.step).to_float()[:p] / rows * float(fit_intercept),
        norms=scale * unscale[:p],
        residual_norm=np.sqrt(FixedPoint(residual, -3 * FIXED).to_float()) * unscale[p:],
        total_norm=norm[p:] * unscale[p:],
        factor=factor,
        equations=equations,
        scaled_mean=scaled_sums.at(-FIXED).integers[:p] // steps,
        steps=steps,
        step=gram.step,
    )


def _whole(number: float) -> float:
    """Return a whole number as an integer."""
    return int(number) if number.is_integer() and number < 2**53 else number


def _pseudo_solve(factor: Floats, right: Floats, tolerance: float) -> Floats:
    """Return the minimum-norm solution of (R'R) x = right, by two least-squares problems with R."""
    half = np.linalg.lstsq(factor.T, right, rcond=tolerance)[0]
    return np.asarray(np.linalg.lstsq(factor, half, rcond=tolerance)[0])


def _factor(gram: Integers, scale: Floats) -> Floats:
    """Return R, upper triangular, with R'R = gram of columns divided by scale, accurate to double precision."""
    rounded = FixedPoint(gram, -FIXED).to_float() / np.outer(scale, scale)
    try:
        factor = np.linalg.cholesky(rounded).T
        if np.linalg.cond(factor) < 1e6:
            return np.asarray(factor)
    except np.linalg.LinAlgError:
        pass
    factor = np.zeros(gram.shape)
    rest = gram.copy()
    for i in range(len(gram)):
        row, pivot = rest[i, i:], rest[i, i]
        if ldexp(pivot, -FIXED) > NEGLIGIBLE:
            factor[i, i:] = FixedPoint(row, -FIXED).to_float() / math.sqrt(ldexp(pivot, -FIXED)) / scale[i:]
            rest[i:, i:] = rest[i:, i:] - np.multiply.outer(row, row) // pivot
    return factor
