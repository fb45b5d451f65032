"""Least squares from a mergeable one-pass summary of the rows.

The summary of rows [1, X, y] is their Gram matrix, at most (p + k + 1)^2 numbers. It has two parts:

- *fast*: the Gram matrix of shifted columns in double precision, by BLAS. Used only for blocks that leave
  the error proven small, whatever follows them.
- *exact*: an error-free Gram matrix in integers, for everything else. Squaring the condition number, the known
  defect of normal equations, then costs nothing: the integers hold every bit of the data.

Both the proof and the integers survive merging, so blocks can come in any order, cut anywhere, from any machine.

References
----------
Chan, Golub, LeVeque, "Algorithms for computing the sample variance", The American Statistician 37 (1983): shifts.
Ozaki, Ogita, Oishi, Rump, "Error-free transformations of matrix multiplication by using fast routines of matrix
multiplication", Numerical Algorithms 59 (2012): the slices.
Björck, "Numerical Methods for Least Squares Problems", SIAM (1996): scaling, rank, refinement.
"""

import math
from copy import copy
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..errors import HousingError

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.object_]  # of Python's int: NumPy's portable extended precision

EPS = 2.0**-52
# Proven errors of the fast path, relative to all coefficients together: worst cases, so typical ones are 1e-14. A
# coefficient whose effect is a millionth of the others' has six digits less.
COEF_TOLERANCE = 1e-9
RESIDUAL_TOLERANCE = 1e-6
SMALL = 2**17  # rows * columns**2 below which exactness costs under a millisecond
FAST_ROWS = 4096  # a chunk's rounding errors are at most this many half-units
EXACT_ROWS = 2048
SLICE_BITS = 21  # 2 * 21 bits a product + 11 for the sum of 2048 of them fit the 53 bits of a double
SLICES = 8  # 168 bits below a column's largest entry; ordinary data end after three slices
RANK_TOLERANCE = 2.0**-33  # no rounding of the data may call a larger singular value zero
PATIENCE = 8  # steps of refinement without progress that end it
FIXED = 384  # fraction bits of the extended solution
NEGLIGIBLE = 2.0**-200  # a pivot that is rounding error of FIXED bits; dropping it moves singular values by 1e-15


def _ldexp(value: int, exponent: int) -> float:
    excess = max(value.bit_length() - 64, 0)
    try:
        return math.ldexp(value >> excess, exponent + excess)
    except OverflowError:
        return math.copysign(math.inf, value)


def _fixed(value: float, bits: int) -> int:
    mantissa, exponent = math.frexp(value)
    return _lshift(int(mantissa * 2**53), exponent - 53 + bits)


def _lshift(value: int, bits: int) -> int:
    return value << bits if bits >= 0 else value >> -bits


_ldexp_each = np.frompyfunc(_ldexp, 2, 1)
_fixed_each = np.frompyfunc(_fixed, 2, 1)
_lshift_each = np.frompyfunc(_lshift, 2, 1)


def to_double(values: Integers, exponents: npt.ArrayLike) -> Array:
    """``values * 2**exponents`` in double precision, infinite beyond its range."""
    with np.errstate(over="ignore"):
        return np.asarray(_ldexp_each(values, exponents), dtype=np.float64)


def to_fixed(values: Array, bits: npt.ArrayLike) -> Integers:
    """``values * 2**bits`` rounded down to integers."""
    return np.asarray(_fixed_each(values, bits), dtype=object)


def lshift(values: Integers, bits: npt.ArrayLike) -> Integers:
    """``values << bits``, to the right where bits are negative."""
    return np.asarray(_lshift_each(values, bits), dtype=object)


@dataclass(frozen=True)
class FixedProblem:
    """Normal equations G x = g in fixed point: ``gram`` (p, p) is G * 2**FIXED.

    ``factor`` is R with R'R = G for columns divided by ``scale``, in double precision: good enough to refine with.
    """

    gram: Integers
    scale: Array
    factor: Array
    tolerance: float

    def solve(self, right: Integers) -> Integers:
        """x (p, k) * 2**FIXED for g (p, k) * 2**FIXED, by refinement with exact residuals; minimum norm."""
        x = best = right * 0
        smallest, waited = math.inf, 0
        # A step may undo the error of the one before, at equal size: one without progress is not yet the end.
        while waited < PATIENCE:
            residual = to_double((right << FIXED) - self.gram @ x, -2 * FIXED) / self.scale[:, None]
            step = _pseudo_solve(self.factor, residual, self.tolerance) / self.scale[:, None]
            x = x + to_fixed(step, FIXED)
            size, waited = np.abs(step).max(initial=0.0), waited + 1
            if size < smallest / 2:
                best, smallest, waited = x, size, 0
            if size <= 2.0**-128 * np.abs(to_double(x, -FIXED)).max(initial=0.0):
                break
        return np.asarray(best, dtype=object)


@dataclass(frozen=True)
class Solution:
    """The least-squares solution for p features and k targets, and what its statistics need.

    Attributes
    ----------
    coef : (p, k) array
    intercept : (k,) array
    rows, rank : int
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
    """

    coef: Array
    intercept: Array
    rows: int
    fit_intercept: bool
    rank: int
    singular_values: Array
    tolerance: float
    distinct: bool
    mean: Array
    norms: Array
    residual_norm: Array
    total_norm: Array
    factor: Array
    fixed: FixedProblem | None = None
    fixed_mean: Integers | None = None

    def leverage(self, X: Array) -> Array:
        """Leverages (n,) of rows X (n, p): how much each row's own target counts in its prediction."""
        inverse = np.linalg.pinv(self.factor, rcond=self.tolerance)
        squares = np.square(((X - self.mean) / self.norms) @ inverse).sum(axis=1)
        return np.asarray(squares + float(self.fit_intercept) / self.rows)

    def unit_stderr(self) -> Array:
        """Standard errors of [intercept, coefficients] (p + 1,) for residuals of standard deviation 1."""
        if self.fixed is None or self.fixed_mean is None:
            inverse = np.linalg.pinv(self.factor, rcond=self.tolerance)
            scaled, offset = np.square(inverse).sum(axis=1), np.square((self.mean / self.norms) @ inverse).sum()
        else:
            identity = np.diag([1 << FIXED] * len(self.norms)).astype(object)
            right = np.column_stack([identity, self.fixed_mean])
            exact = self.fixed.solve(right)
            scaled = to_double(np.diag(exact), -FIXED) * self.fixed.scale**2
            offset = self.rows * _ldexp(int(self.fixed_mean @ exact[:, -1]), -2 * FIXED)
        intercept = math.sqrt(1 / self.rows + offset) if self.fit_intercept else math.nan
        return np.concatenate([[intercept], np.sqrt(scaled) / self.norms])


def _pseudo_solve(factor: Array, right: Array, tolerance: float) -> Array:
    """Minimum-norm solution of (R'R) x = right, by two least-squares problems with R."""
    half = np.linalg.lstsq(factor.T, right, rcond=tolerance)[0]
    return np.asarray(np.linalg.lstsq(factor, half, rcond=tolerance)[0])


class Gram:
    """The Gram matrix of rows [1, X, y], summed over blocks.

    Parameters
    ----------
    feature_names, target_names : tuples of str
        Their lengths are p and k; errors name the columns by them.
    fit_intercept : bool
    """

    def __init__(self, feature_names: tuple[str, ...], target_names: tuple[str, ...], fit_intercept: bool) -> None:
        self.feature_names, self.target_names, self.fit_intercept = feature_names, target_names, fit_intercept
        self.rows = 0
        width = 1 + len(self.feature_names) + len(self.target_names)
        self._shift: Array | None = None
        self._fast = np.zeros((width, width))
        self._chunks = 0
        self._slack = np.zeros(width - 1)  # bounds the error of fast Grams that were made exact
        self._gram: Integers | None = None
        self._unit = np.zeros(width, dtype=np.int64)
        self._gram_shifted = np.zeros((width, width))  # the exact part about the shift, rounded

    def update(self, X: Array, y: Array) -> None:
        """Add a block of rows, X (n, p) and y (n, k)."""
        if not len(X):
            return
        if self._shift is None:
            self._shift = _sample_mean(X, y, self.fit_intercept)
        if len(X) * len(self._fast) ** 2 < SMALL or not self._update_fast(X, y, self._shift):
            self._update_exact(X, y)
        self.rows += len(X)
        if self._chunks > FAST_ROWS:
            self._make_exact()

    def __add__(self, other: "Gram") -> "Gram":
        """Return the Gram matrix of the rows of both."""
        mine, theirs = (s.feature_names + s.target_names for s in (self, other))
        if mine != theirs or self.fit_intercept != other.fit_intercept:
            raise HousingError(f"cannot add up rows of different columns: {mine} and {theirs}")
        total = copy(self)
        total._merge(other)
        return total

    def _merge(self, other: "Gram") -> None:
        if not other.rows:
            return
        if self._shift is None:
            self._shift = other._shift
        self._make_exact()
        other = copy(other)  # making it exact leaves the caller's summary alone
        other._make_exact()
        assert other._gram is not None
        self._add(other._gram, other._unit)
        self._slack = self._slack + other._slack
        self.rows += other.rows
        self._gram_shifted = self._about_shift()

    def solve(self) -> Solution:
        """Return the least-squares solution of all rows so far."""
        unknowns = len(self.feature_names) + self.fit_intercept
        if self.rows < unknowns:
            raise HousingError(
                f"{self.rows} rows cannot determine {unknowns} unknowns: give more rows or fewer features"
            )
        if self._gram is None:
            return self._solve_fast()
        self._make_exact()
        return _solve_exact(self._gram, self._unit, len(self.feature_names), self.fit_intercept)

    def _update_fast(self, X: Array, y: Array, shift: Array) -> bool:
        chunks = self._chunks + -(-len(X) // _chunk_rows(X.shape[1]))
        fast = self._fast + _shifted_gram(X, y, shift)
        safe = self._is_safe(fast, chunks)
        if safe:
            self._fast, self._chunks = fast, chunks
        return safe

    def _update_exact(self, X: Array, y: Array) -> None:
        self._refuse_nonfinite(X, y)
        for start in range(0, len(X), 64 * EXACT_ROWS):  # so many partial sums stay within 63 bits
            rows = slice(start, start + 64 * EXACT_ROWS)
            self._add(*_exact_gram(X[rows], y[rows]))
        self._gram_shifted = self._about_shift()

    def _solve_fast(self) -> Solution:
        p = len(self.feature_names)
        centred = _centre(self._fast, self.fit_intercept)
        norms = np.sqrt(np.diag(centred))
        scaled = centred / np.outer(norms, norms)
        factor = np.linalg.cholesky(scaled[:p, :p]).T
        right = np.linalg.solve(factor.T, scaled[:p, p:])
        x, _, rank, singular = np.linalg.lstsq(factor, right, rcond=None)
        coef = x * norms[p:] / norms[:p, None]
        assert self._shift is not None
        mean = (self._shift + self._fast[0, 1:] / self.rows) * float(self.fit_intercept)
        residual = np.sqrt(1 - np.square(right).sum(axis=0)) * norms[p:]
        return Solution(
            coef, mean[p:] - mean[:p] @ coef, self.rows, self.fit_intercept, int(rank), singular, EPS * p, True,
            mean[:p], norms[:p], residual, norms[p:], factor,
        )  # fmt: skip

    def _errors(self, fast: Array, chunks: int) -> Array:
        """d such that the error of the centred Gram, as a quadratic form, is at most (p + 2) sum d_i x_i^2."""
        unit = (FAST_ROWS + chunks + 2) * EPS / 2
        rows = max(fast[0, 0], 1.0)
        spread = np.diag(fast)[1:] + len(self.feature_names) * fast[0, 1:] ** 2 / rows
        return np.asarray(self._slack + unit * spread)

    def _is_safe(self, fast: Array, chunks: int) -> bool:
        """Whether error <= tolerance * Gram in the order of quadratic forms: of X for the coefficients, and of
        [X, y_j] for the residuals of each target. Sums keep the order: rows added later or elsewhere cannot undo it.
        """
        p = len(self.feature_names)
        if not np.isfinite(fast).all() or np.diag(fast).min() < 2.0**-900:
            return False
        centred = _centre(fast + self._gram_shifted, self.fit_intercept)
        errors = (p + 2) * self._errors(fast, chunks)
        try:
            np.linalg.cholesky(centred[:p, :p] - np.diag(errors[:p] / COEF_TOLERANCE))
            margin = errors / RESIDUAL_TOLERANCE
            lower = np.linalg.cholesky(centred[:p, :p] - np.diag(margin[:p]))
        except np.linalg.LinAlgError:
            return False
        explained = np.square(np.linalg.solve(lower, centred[:p, p:])).sum(axis=0)
        return bool((np.diag(centred)[p:] - explained > margin[p:]).all())

    def _refuse_nonfinite(self, X: Array, y: Array) -> None:
        for names, block in ((self.feature_names, X), (self.target_names, y)):
            for start in range(0, len(block), FAST_ROWS):
                bad = np.argwhere(~np.isfinite(block[start : start + FAST_ROWS]))
                if len(bad):
                    row, column = start + int(bad[0, 0]), int(bad[0, 1])
                    raise HousingError(
                        f"row {self.rows + row}, column {names[column]!r}: {block[row, column]} is not a finite "
                        "number; drop the row or fill the value in"
                    )

    def _add(self, gram: Integers, unit: npt.NDArray[np.int64]) -> None:
        if self._gram is None:
            self._gram, self._unit = gram, unit
            return
        common = np.minimum(self._unit, unit)
        mine, theirs = self._unit - common, unit - common
        self._gram = lshift(self._gram, mine[:, None] + mine) + lshift(gram, theirs[:, None] + theirs)
        self._unit = common

    def _make_exact(self) -> None:
        """Move the fast part into the exact part; its error stays bounded by the slack."""
        if self._chunks:
            assert self._shift is not None
            self._slack = self._errors(self._fast, self._chunks)
            self._add(*_unshifted_gram(self._fast, self._shift))
            self._fast, self._chunks = np.zeros_like(self._fast), 0
            self._gram_shifted = self._about_shift()

    def _about_shift(self) -> Array:
        assert self._gram is not None and self._shift is not None
        return to_double(*_rebase(self._gram, self._unit, -self._shift))


def _centre(gram: Array, fit_intercept: bool) -> Array:
    """Gram matrix of [1, A] to that of A, less the column means with an intercept."""
    if not fit_intercept:
        return gram[1:, 1:]
    return np.asarray(gram[1:, 1:] - np.outer(gram[0, 1:], gram[0, 1:] / gram[0, 0]))


def _sample_mean(X: Array, y: Array, fit_intercept: bool) -> Array:
    """Shift near the column means; without an intercept the means belong to the problem and stay."""
    step = max(1, len(X) // 1024)
    head = np.concatenate([X[::step], y[::step]], axis=1, dtype=np.float64)
    with np.errstate(all="ignore"):
        mean = head.mean(axis=0) * float(fit_intercept)
    return np.where(np.isfinite(mean), mean, 0.0)


def _chunk_rows(features: int) -> int:
    """Rows that keep a buffer within 4 MiB, and rounding errors within FAST_ROWS half-units."""
    return min(FAST_ROWS, max(256, 2**19 // features))


def _shifted_gram(X: Array, y: Array, shift: Array) -> Array:
    """Gram matrix of [1, X - shift, y - shift] in double precision."""
    n, p = X.shape
    size = min(n, _chunk_rows(p))
    order: Literal["F", "C"] = "F" if X.flags.f_contiguous else "C"
    tiled = np.empty((size, p), order=order)
    tiled[:] = shift[:p]  # both operands of one layout: NumPy subtracts them as flat arrays
    buffer, rest = np.empty((size, p), order=order), np.ones((size, 1 + y.shape[1]))
    inner, cross, outer = np.zeros((p, p)), np.zeros((1 + y.shape[1], p)), np.zeros((1 + y.shape[1],) * 2)
    with np.errstate(all="ignore"):
        for start in range(0, n, size):
            rows = X[start : start + size]
            a = np.subtract(rows, tiled[: len(rows)], out=buffer[: len(rows)])
            b = rest[: len(rows)]
            np.subtract(y[start : start + size], shift[p:], out=b[:, 1:])
            inner += a.T @ a
            cross += b.T @ a
            outer += b.T @ b
    gram = np.empty((len(shift) + 1, len(shift) + 1))
    features, others = slice(1, p + 1), [0, *range(p + 1, len(gram))]
    gram[features, features] = inner
    gram[others, features], gram[features, others] = cross, cross.T
    gram[np.ix_(others, others)] = outer
    return gram


def _exact_gram(X: Array, y: Array) -> tuple[Integers, npt.NDArray[np.int64]]:
    """Gram matrix of [1, X, y] as integers times 2**(unit_i + unit_j).

    Columns are cut into slices of so few bits that BLAS neither rounds a product nor a sum (Ozaki et al., 2012).
    """
    ends = [np.abs(f(block, axis=0).astype(np.float64)) for f in (np.max, np.min) for block in (X, y)]
    peak = np.maximum(np.concatenate(ends[:2]), np.concatenate(ends[2:]))
    top = np.frexp(np.concatenate([[1.0], peak]))[1].astype(np.int64)
    levels: dict[int, npt.NDArray[np.int64]] = {}
    for start in range(0, len(X), EXACT_ROWS):
        rows = slice(start, start + EXACT_ROWS)
        slices = _slices(np.ldexp(np.column_stack([np.ones(len(X[rows])), X[rows], y[rows]]), -top))
        for i, left in enumerate(slices):
            for j, right in enumerate(slices[i:], i):
                part = (left.T @ right).astype(np.int64)
                levels[i + j] = levels.get(i + j, 0) + (part if i == j else part + part.T)
    gram = np.zeros((len(top), len(top)), dtype=object)
    for i, part in levels.items():
        gram += lshift(part.astype(object), SLICE_BITS * (2 * SLICES - 2 - i))
    unit = top - SLICES * SLICE_BITS
    unit_shift, unit[0] = unit[0], 0  # the ones have unit 1, so that gram[0] holds plain counts and sums
    gram[0] = lshift(gram[0], unit_shift)
    gram[:, 0] = lshift(gram[:, 0], unit_shift)
    return gram, unit


def _slices(rest: Array) -> list[Array]:
    """Integers q with rest = sum of q[i] * 2**(-SLICE_BITS * (i + 1)), for |rest| <= 1."""
    slices: list[Array] = []
    while len(slices) < SLICES and rest.any():
        rest = rest * 2.0**SLICE_BITS
        slices.append(np.rint(rest))
        rest -= slices[-1]
    return slices


def _unshifted_gram(gram: Array, shift: Array) -> tuple[Integers, npt.NDArray[np.int64]]:
    """The Gram matrix of shifted columns as integers about zero."""
    unit = np.frexp(np.diag(gram))[1].astype(np.int64) // 2 - 128
    unit[0] = 0
    return _rebase(to_fixed(gram, -(unit[:, None] + unit)), unit, shift)


def _rebase(gram: Integers, unit: npt.NDArray[np.int64], offset: Array) -> tuple[Integers, npt.NDArray[np.int64]]:
    """Gram matrix of [1, A] to that of [1, A + offset], exactly."""
    fine = unit.copy()
    fine[1:] = np.minimum(unit[1:], np.frexp(offset)[1] - 53)
    extra = unit - fine
    gram = lshift(gram, extra[:, None] + extra)
    step = to_fixed(offset, -fine[1:])
    gram[:, 1:] += np.multiply.outer(gram[:, 0], step)
    gram[1:] += np.multiply.outer(step, gram[0])
    return gram, fine


def _solve_exact(gram: Integers, unit: npt.NDArray[np.int64], p: int, fit_intercept: bool) -> Solution:
    rows, sums = int(gram[0, 0]), gram[0, 1:]
    centred, divisor = gram[1:, 1:].copy(), 1
    if fit_intercept:  # times the number of rows, to stay in integers
        centred, divisor = centred * rows - np.multiply.outer(sums, sums), rows
    constant = np.array([c == 0 for c in np.diag(centred)])
    half = np.array([int(c).bit_length() // 2 for c in np.diag(centred)])
    scaled = lshift(centred, FIXED - half[:, None] - half)
    exponent = half + unit[1:]  # a column is 2**exponent times that of the scaled problem, whose norm is in [1, 2)

    scale = np.where(constant, 1.0, np.sqrt(to_double(np.diag(scaled), -FIXED)))[:p]
    squares = to_double(np.diag(gram)[1:] * divisor, -2 * half)[:p]
    rounding = EPS * p * float(np.sqrt(squares / scale**2).max(initial=1.0, where=~constant[:p]))
    tolerance = min(rounding, RANK_TOLERANCE)
    factor = _factor(scaled[:p, :p], scale)
    _, _, rank, values = np.linalg.lstsq(factor, np.zeros(p), rcond=tolerance)
    singular: Array = np.asarray(values, np.float64)
    zeros = int((np.diag(factor) == 0).sum())
    distinct = rank == 0 or (rank == p - zeros and singular[rank - 1] > 10 * rounding * singular[0])

    problem = FixedProblem(scaled[:p, :p], scale, factor, tolerance)
    x = problem.solve(scaled[:p, p:])
    coef = to_double(x, exponent[p:] - exponent[:p, None] - FIXED)
    totals = lshift(sums[p:], FIXED - half[p:]) - lshift(sums[:p, None] * x, -half[:p, None]).sum(axis=0)
    intercept = to_double(totals // rows, exponent[p:] - FIXED) * float(fit_intercept)
    if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
        raise HousingError("a coefficient exceeds the range of double precision: rescale the columns")
    total = np.diag(scaled)[p:]
    explained = [int(b @ ((g << FIXED + 1) - problem.gram @ b)) for g, b in zip(scaled[:p, p:].T, x.T, strict=True)]
    residual = np.array([max((t << 2 * FIXED) - e, 0) for t, e in zip(total, explained, strict=True)], dtype=object)
    unscale = np.ldexp(1 / math.sqrt(divisor), exponent)
    return Solution(
        coef, intercept, rows, fit_intercept, int(rank), singular, tolerance, bool(distinct),
        to_double(sums[:p], unit[1 : p + 1]) / rows * float(fit_intercept), scale * unscale[:p],
        np.sqrt(to_double(residual, -3 * FIXED)) * unscale[p:], np.sqrt(to_double(total, -FIXED)) * unscale[p:],
        factor, problem, lshift(sums[:p], FIXED - half[:p]) // rows,
    )  # fmt: skip


def _factor(gram: Integers, scale: Array) -> Array:
    """Upper triangular R with R'R = gram of columns divided by scale, accurate to double precision."""
    rounded = to_double(gram, -FIXED) / np.outer(scale, scale)
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
        if _ldexp(pivot, -FIXED) > NEGLIGIBLE:
            factor[i, i:] = to_double(row, -FIXED) / math.sqrt(_ldexp(pivot, -FIXED)) / scale[i:]
            rest[i:, i:] = rest[i:, i:] - np.multiply.outer(row, row) // pivot
    return factor
