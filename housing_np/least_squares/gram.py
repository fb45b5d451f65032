"""The Gram matrix of rows [1, X, y], at most (p + k + 1)^2 numbers, summed over blocks in two ways.

- *fast*: of shifted columns in double precision, by BLAS. Used only for blocks that leave the error proven small,
  whatever follows them.
- *exact*: in integers, for everything else. Squaring the condition number, the known defect of normal equations,
  then costs nothing: the integers hold every bit of the data.

Both the proof and the integers survive merging, so blocks can come in any order, cut anywhere, from any machine.

Reference: Chan, Golub, LeVeque, "Algorithms for computing the sample variance", The American Statistician 37 (1983):
shifts.
"""

from typing import Literal

import numpy as np

from ..arrays import refuse_nonfinite
from ..errors import HousingError
from ..threads import each, worth
from .exact_gram import ROWS_AT_ONCE, ExactGram
from .fixed_point import Floats
from .solution import EPS, Solution, centre, solve_exact, solve_fast

# Proven errors of the fast path, relative to all coefficients together: worst cases, so typical ones are 1e-14. A
# coefficient whose effect is a millionth of the others' has six digits less.
COEF_TOLERANCE = 1e-9
RESIDUAL_TOLERANCE = 1e-6
SMALL = 2**17  # rows * columns**2 below which exactness costs under a millisecond
_NARROW = 128  # columns up to which BLAS uses one thread
_STRETCH_SIZE = 1 << 21  # numbers that a thread is worth
FAST_ROWS = 4096  # a chunk's rounding errors are at most this many half-units


def require_determined(rows: float, unknowns: int, weighted: str = "", seen: int | None = None) -> None:
    """Refuse fewer rows than unknowns."""
    if rows < unknowns:
        raise HousingError(
            f"{rows} rows{weighted} cannot determine {unknowns} unknowns: give more rows or fewer features "
            f"(n_samples={rows if seen is None else seen})"
        )


class Gram:
    """The Gram matrix of rows [1, X, y], each of which may have a weight, summed over blocks.

    Parameters
    ----------
    feature_names, target_names : tuples of str
        Their lengths are p and k; errors name the columns by them.
    fit_intercept : bool

    Notes
    -----
    When the fast way is safe. Let G be the Gram matrix of n shifted rows [1, A], of whose columns A the sums are s,
    and u a bound on the relative error of a sum of products: half a unit in the last place for each of at most
    FAST_ROWS terms, for each chunk, and for the two factors' shifts and roots of weights. By Cauchy and Schwarz the
    computed G is off by at most u sqrt(G_ii G_jj), and s_i by u sqrt(n G_ii). With m columns, for the error E of the
    centred matrix G - s s'/n and any x, writing t_i for ``abs(s_i) / sqrt(n)``,

        ``abs(x'E x) <= u (sum abs(x_i) sqrt(G_ii))^2 + 2 u (sum abs(x_i) sqrt(G_ii)) (sum abs(x_i) t_i)``
        ``           <= u m sum x_i^2 G_ii + u sum x_i^2 G_ii + u m^2 sum x_i^2 t_i^2``
        ``           <= (m + 1) sum x_i^2 d_i``,  where ``d_i = u (G_ii + m t_i^2)``,

    by Cauchy and Schwarz again and 2 a b <= a^2 / m + m b^2. So where C - (m + 1) diag(d) / tolerance is positive
    definite (it has a Cholesky factor), C being the computed centred matrix, no error exceeds tolerance x'C x. Rows
    added later only add to x'C x what is itself a sum of squares; that the mean they are compared with is off by
    u sqrt(G_ii / n) moves it by u / tolerance times the above. Hence blocks that once were safe remain so, and what
    is proven for parts is proven for their sum.
    """

    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]
    fit_intercept: bool
    rows: float

    def __init__(self, feature_names: tuple[str, ...], target_names: tuple[str, ...], fit_intercept: bool) -> None:
        self.feature_names, self.target_names, self.fit_intercept = feature_names, target_names, fit_intercept
        self.rows = 0  # the sum of their weights
        self.seen: int = 0  # how many there were
        width = 1 + len(self.feature_names) + len(self.target_names)
        self._shift: Floats | None = None
        self._fast = np.zeros((width, width))
        self._chunks = 0
        self._slack = np.zeros(width - 1)  # bounds the error of fast Grams that were made exact
        self._exact: ExactGram | None = None
        self._exact_shifted = np.zeros((width, width))  # the exact part about the shift, rounded
        self._weighted = False

    def update(self, X: Floats, y: Floats, weight: Floats | None = None) -> None:
        """Add a block of rows, X (n, p) and y (n, k), of which each counts as many times as its weight (n,) says."""
        first_row, self.seen = self.seen, self.seen + len(X)
        if weight is not None:
            some = weight > 0
            for block, name, names in ((X, "X", self.feature_names), (y, "y", self.target_names)):
                # Named before rows are left out: their places would be others.
                bad = np.flatnonzero(some & ~np.isfinite(block).all(axis=1))[:1]
                refuse_nonfinite(block[bad], name, names, first_row + int(bad.sum()))
            X, y, weight = (X, y, weight) if some.all() else (X[some], y[some], weight[some])
            if (weight == 1).all():  # as where there are none, to the last bit
                weight = None
        if not len(X):
            return
        self._weighted |= weight is not None
        if self._shift is None:
            self._shift = _sample_mean(X, y, self.fit_intercept)
        if len(X) * len(self._fast) ** 2 < SMALL or not self._update_fast(X, y, weight, self._shift):
            self._update_exact(X, y, weight, first_row)
        self.rows += len(X) if weight is None else float(weight.sum())
        if self._chunks > FAST_ROWS:
            self._make_exact()

    def __add__(self, other: "Gram") -> "Gram":
        """Return the Gram matrix of the rows of both."""
        mine, theirs = (s.feature_names + s.target_names for s in (self, other))
        if mine != theirs or self.fit_intercept != other.fit_intercept:
            raise HousingError(f"cannot add up rows of different columns: {mine} and {theirs}")
        total = Gram(self.feature_names, self.target_names, self.fit_intercept)
        for part in (self, other):
            total._include(part)
        return total

    def solve(self) -> Solution:
        """Return the least-squares solution of all rows so far."""
        p = len(self.feature_names)
        if not self.rows:
            self.require_determined()
        if self._exact is None and self._shift is not None:
            return solve_fast(self._fast, self._shift, p, self.fit_intercept)
        self._make_exact()
        assert self._exact is not None
        return solve_exact(self._exact, p, self.fit_intercept)

    def require_determined(self) -> None:
        """Refuse fewer rows than unknowns."""
        weighted = " of a weight above zero" * (self._weighted or self.seen > self.rows)
        require_determined(self.rows, len(self.feature_names) + self.fit_intercept, weighted, self.seen)

    def _update_fast(self, X: Floats, y: Floats, weight: Floats | None, shift: Floats) -> bool:
        chunks = self._chunks + -(-len(X) // _chunk_rows(X.shape[1]))
        fast = self._fast + _shifted_gram(X, y, weight, shift)
        safe = self._is_safe(fast, chunks)
        if safe:
            self._fast, self._chunks = fast, chunks
        return safe

    def _update_exact(self, X: Floats, y: Floats, weight: Floats | None, first_row: int) -> None:
        refuse_nonfinite(X, "X", self.feature_names, first_row)
        refuse_nonfinite(y, "y", self.target_names, first_row)
        for start in range(0, len(X), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            self._add_exact(ExactGram.of(X[rows], y[rows], None if weight is None else weight[rows]))

    def _include(self, other: "Gram") -> None:
        """Add another's rows, as exact ones; the other stays as it is."""
        if self._shift is None:
            self._shift = other._shift
        self._slack = self._slack + other._errors(other._fast, other._chunks)
        for part in other._parts():
            self._add_exact(part)
        self.rows += other.rows
        self.seen += other.seen
        self._weighted |= other._weighted

    def _make_exact(self) -> None:
        """Move the fast part into the exact part; its error stays bounded by the slack."""
        if self._chunks:
            *_, fast = self._parts()
            self._slack = self._errors(self._fast, self._chunks)
            self._fast, self._chunks = np.zeros_like(self._fast), 0
            self._add_exact(fast)

    def _parts(self) -> list[ExactGram]:
        parts = [] if self._exact is None else [self._exact]
        if self._chunks and self._shift is not None:
            parts.append(ExactGram.of_shifted(self._fast, self._shift, self._weighted))
        return parts

    def _add_exact(self, part: ExactGram) -> None:
        assert self._shift is not None
        self._exact = part if self._exact is None else self._exact + part
        self._exact_shifted = self._exact.plus(-self._shift).to_float()

    def _errors(self, fast: Floats, chunks: int) -> Floats:
        """Return the d_i of the class's notes: of this fast part, and of those that were made exact."""
        unit = (FAST_ROWS + chunks + 6) * EPS / 2
        rows = fast[0, 0] or 1.0
        columns = len(self.feature_names) + 1
        return np.asarray(self._slack + unit * (np.diag(fast)[1:] + columns * fast[0, 1:] ** 2 / rows))

    def _is_safe(self, fast: Floats, chunks: int) -> bool:
        """Whether X's centred Gram is within COEF_TOLERANCE, and that of each [X, y_j] within RESIDUAL_TOLERANCE.

        The latter by the Schur complement: what X leaves of y_j, less the same errors, must be positive.
        """
        p = len(self.feature_names)
        if not np.isfinite(fast).all() or np.diag(fast).min() < 2.0**-900:
            return False
        centred = centre(fast + self._exact_shifted, self.fit_intercept)
        errors = (p + 2) * self._errors(fast, chunks)
        try:
            np.linalg.cholesky(centred[:p, :p] - np.diag(errors[:p] / COEF_TOLERANCE))
            margin = errors / RESIDUAL_TOLERANCE
            lower = np.linalg.cholesky(centred[:p, :p] - np.diag(margin[:p]))
        except np.linalg.LinAlgError:
            return False
        explained = np.square(np.linalg.solve(lower, centred[:p, p:])).sum(axis=0)
        return bool((np.diag(centred)[p:] - explained > margin[p:]).all())


def _sample_mean(X: Floats, y: Floats, fit_intercept: bool) -> Floats:
    """Return a shift near the column means; without an intercept the means belong to the problem and stay.

    Columns whose mean is no more than their deviation lose nothing without a shift: 0 saves a copy.
    """
    step = max(1, len(X) // 1024)
    head = np.concatenate([X[::step], y[::step]], axis=1, dtype=np.float64)
    with np.errstate(all="ignore"):
        mean, deviation = head.mean(axis=0) * float(fit_intercept), head.std(axis=0)
        return np.where(np.isfinite(mean) & (np.abs(mean) > deviation), mean, 0.0)


def _chunk_rows(features: int) -> int:
    """Return how many rows keep a buffer within the cache, and rounding errors within FAST_ROWS half-units."""
    return min(FAST_ROWS, max(256, 2**19 // features))


def _shifted_gram(X: Floats, y: Floats, weight: Floats | None, shift: Floats) -> Floats:
    """Return the Gram matrix of weighted rows [1, X - shift, y - shift] in double precision."""
    rows = max(1, _STRETCH_SIZE // X.shape[1] // FAST_ROWS) * FAST_ROWS
    parts = [slice(start, start + rows) for start in range(0, len(X), rows)]
    # BLAS itself shares out wide products.
    threads = worth(X.size, each=_STRETCH_SIZE) if X.shape[1] <= _NARROW else 1
    grams = each(
        lambda part: _gram_of(X[part], y[part], None if weight is None else weight[part], shift), parts, threads
    )
    # In the order of the rows: the sum does not depend on the threads.
    total = grams[0]
    for gram in grams[1:]:
        total += gram
    return total


def _gram_of(X: Floats, y: Floats, weight: Floats | None, shift: Floats) -> Floats:
    """Return the same of one part of the rows, chunk by chunk; np.dot lets other threads run, ``@`` does not."""
    n, p = X.shape
    size = min(n, _chunk_rows(p))
    order: Literal["F", "C"] = "F" if X.flags.f_contiguous else "C"
    is_plain = weight is None and not shift[:p].any() and X.dtype == np.float64
    tiled, buffer = (np.empty((0 if is_plain else size, p), order=order) for _ in range(2))
    tiled[:] = shift[:p]  # both operands of one layout: NumPy subtracts them as flat arrays
    rest = np.ones((size, 1 + y.shape[1]))
    inner, cross, outer = np.zeros((p, p)), np.zeros((1 + y.shape[1], p)), np.zeros((1 + y.shape[1],) * 2)
    with np.errstate(all="ignore"):
        for start in range(0, n, size):
            rows = X[start : start + size]
            a = rows if is_plain else np.subtract(rows, tiled[: len(rows)], out=buffer[: len(rows)])
            b = rest[: len(rows)]
            np.subtract(y[start : start + size], shift[p:], out=b[:, 1:])
            if weight is not None:
                root = np.sqrt(weight[start : start + size, np.newaxis])
                a *= root
                b[:, 1:] *= root
                b[:, :1] = root
            inner += np.dot(a.T, a)
            cross += np.dot(b.T, a)
            outer += np.dot(b.T, b)
    gram = np.empty((len(shift) + 1, len(shift) + 1))
    features, others = slice(1, p + 1), [0, *range(p + 1, len(gram))]
    gram[features, features] = inner
    gram[others, features], gram[features, others] = cross, cross.T
    gram[np.ix_(others, others)] = outer
    return gram
