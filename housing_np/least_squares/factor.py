"""The triangular factor of rows [1, X, y], summed over blocks: TSQR.

A block's factor is found in the cheapest way that is stable for it: Cholesky's, CholeskyQR2 or Householder's.

References
----------
Demmel, Grigori, Hoemmen, Langou, "Communication-optimal parallel and sequential QR and LU factorizations", SIAM Journal
on Scientific Computing 34 (2012): TSQR.
Yamamoto, Nakatsukasa, Yanagisawa, Fukaya, "Roundoff error analysis of the CholeskyQR2 algorithm", ETNA 44 (2015).
Chan, Golub, LeVeque, "Algorithms for computing the sample variance", The American Statistician 37 (1983): shifts.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import cycle
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, refuse_nonfinite
from ..errors import HousingError
from ..threads import ahead, each, worth
from .doubled import Doubled, triangular_factor
from .solution import Solution, solve

FEW = 2**16  # rows * columns**2 up to which rows are kept, and their factor is found in double-double
# By how much rounding errors may grow in a Gram matrix: the square of a condition number.
MAX_INFLATION, MAX_INFLATION_TWICE = 2**7, 2**36  # once; and in that of columns that are nearly orthogonal by then
SIGNAL = 2**13  # by how much more in the residual
_NARROW = 16  # columns up to which BLAS uses one thread, for products of so many numbers at most
_ONE_THREAD = 1 << 18
_STRETCH = 1 << 20  # numbers that a thread is worth
_CHUNK, _CHUNK_ROWS = 1 << 19, 1 << 13  # numbers that stay in the cache, of so many rows at most
_SAMPLE = 1024  # rows that tell where the means are


def require_determined(rows: float, unknowns: int, weighted: str = "", seen: int | None = None) -> None:
    """Refuse fewer rows than unknowns."""
    if rows < unknowns:
        raise HousingError(
            f"{rows} rows{weighted} cannot determine {unknowns} unknowns: give more rows or fewer features "
            f"(n_samples={rows if seen is None else seen})"
        )


class Rows(NamedTuple):
    """Rows X (n, p) with targets y (n, k), of which each counts as many times as its weight (n,) says."""

    X: NDArray[np.generic]
    y: NDArray[np.generic]
    weight: Floats | None = None

    def at(self, part: "slice | NDArray[np.bool_]") -> "Rows":
        """Return some of the rows."""
        return Rows(self.X[part], self.y[part], None if self.weight is None else self.weight[part])

    def columns(self) -> Floats:
        """Return a copy of [X, y] in double precision."""
        return np.concatenate([self.X, self.y], axis=1, dtype=np.float64)

    @classmethod
    def joined(cls, parts: "list[Rows]") -> "Rows":
        """Return the rows of all parts."""
        weight = None
        if any(part.weight is not None for part in parts):
            weight = np.concatenate([np.ones(len(part.X)) if part.weight is None else part.weight for part in parts])
        return cls(*(np.concatenate([part[i] for part in parts]) for i in (0, 1)), weight)  # type: ignore[arg-type]


class Shifted(NamedTuple):
    """The factor R (m, m) of rows [1, A - shift], or of A without an intercept: two of them add up."""

    R: Floats
    shift: Floats

    def about(self, shift: Floats) -> Floats:
        """Return the factor about another shift: only the row of the sums changes."""
        if (shift == self.shift).all():
            return self.R
        R = self.R.copy()
        R[0, 1:] += R[0, 0] * (self.shift - shift)
        return R

    def __add__(self, other: "Shifted") -> "Shifted":
        """Return the factor of the rows of both."""
        return Shifted(_householder([self.R, other.about(self.shift)]), self.shift)


class Varying:
    """Which columns have more than one value, and what their first ones are; a few rows settle most columns."""

    def __init__(self) -> None:
        self.first: Floats | None = None
        self.varies: NDArray[np.bool_] = np.zeros(0, np.bool_)

    def update(self, rows: Rows) -> None:
        """Add rows, at least one."""
        first, p = rows.at(slice(1)).columns()[0], rows.X.shape[1]
        self._compare(first, first)
        for part in (slice(64), slice(None, None, max(1, len(rows.X) // _SAMPLE))):
            if not self.varies.all():
                self._compare(rows.at(part).columns(), first)
        for column in np.flatnonzero(~self.varies):
            values = rows.X[:, column] if column < p else rows.y[:, column - p]
            self.varies[column] = (values != first[column]).any()

    def __add__(self, other: "Varying") -> "Varying":
        """Return the same of the rows of both."""
        total = Varying()
        for part in (self, other):
            if part.first is not None:
                total._compare(part.first, part.first)
                total.varies |= part.varies
        return total

    def _compare(self, values: Floats, first: Floats) -> None:
        if self.first is None:
            self.first, self.varies = first, np.zeros(len(first), np.bool_)
        self.varies |= (np.atleast_2d(values) != self.first).any(axis=0)


class Factor:
    """The triangular factor of rows [1, X, y], each of which may have a weight, summed over blocks.

    Few rows are kept as they are: their factor is found in double-double when they are solved.

    Parameters
    ----------
    feature_names, target_names : tuples of str
        Their lengths are p and k; errors name the columns by them.
    fit_intercept : bool

    Attributes
    ----------
    rows : int, or float
        The sum of their weights.
    seen : int
        How many there were.
    """

    def __init__(self, feature_names: tuple[str, ...], target_names: tuple[str, ...], fit_intercept: bool) -> None:
        self.feature_names, self.target_names, self.fit_intercept = feature_names, target_names, fit_intercept
        self.rows: float = 0
        self.seen = 0
        self._weighted = False
        self._kept: list[Rows] = []
        self._shifted: Shifted | None = None
        self._varying = Varying()

    def update(self, X: NDArray[Any], y: NDArray[Any], weight: Floats | None = None) -> None:
        """Add a block of rows, X (n, p) and y (n, k), of which each counts as many times as its weight (n,) says."""
        rows, first_row = Rows(X, y, weight), self.seen
        self.seen += len(X)
        if weight is not None:
            some = weight > 0
            # Named before rows are left out: their places would be others.
            self._refuse_nonfinite(rows, first_row)
            rows = rows if some.all() else rows.at(some)
            # As where there are none, to the last bit.
            rows = rows._replace(weight=None) if (rows.weight == 1).all() else rows
        if not len(rows.X):
            return
        self._varying.update(rows)
        self._weighted |= rows.weight is not None
        if self._few(len(rows.X)):
            self._refuse_nonfinite(rows, first_row)
            # A copy: who gave the block may write to it.
            self._kept.append(Rows.joined([rows]))
            self._fold()
        else:
            self._add(rows, first_row)
        self.rows += len(rows.X) if rows.weight is None else float(rows.weight.sum())

    def __add__(self, other: "Factor") -> "Factor":
        """Return the factor of the rows of both."""
        mine, theirs = (s.feature_names + s.target_names for s in (self, other))
        if mine != theirs or self.fit_intercept != other.fit_intercept:
            raise HousingError(f"cannot add up rows of different columns: {mine} and {theirs}")
        total = Factor(self.feature_names, self.target_names, self.fit_intercept)
        for part in (self, other):
            total.rows += part.rows
            total.seen += part.seen
            total._weighted |= part._weighted
            total._kept += part._kept
            total._varying += part._varying
            if part._shifted is not None:
                total._shifted = part._shifted if total._shifted is None else total._shifted + part._shifted
        total._fold()
        return total

    def solve(self) -> Solution:
        """Return the least-squares solution of all rows so far."""
        if not self.rows:
            self.require_determined()
        self._fold(FEW // self._width**2 if self._shifted is None else 0)
        given = self._varying.varies, len(self.feature_names), self.rows, self.seen
        if self._shifted is None:
            doubled, unit = _doubled_factor(Rows.joined(self._kept), self.fit_intercept)
            return solve(doubled, unit, np.zeros(len(unit)), *given)
        R, shift = self._shifted
        return solve(R.copy(), np.zeros(len(shift), np.int64), shift, *given)

    def require_determined(self) -> None:
        """Refuse fewer rows than unknowns."""
        weighted = " of a weight above zero" * (self._weighted or self.seen > self.rows)
        require_determined(self.rows, len(self.feature_names) + self.fit_intercept, weighted, self.seen)

    @property
    def _width(self) -> int:
        return int(self.fit_intercept) + len(self.feature_names) + len(self.target_names)

    def _few(self, rows: int) -> bool:
        return rows <= max(FEW // self._width**2, 2 * self._width)

    def _fold(self, most: int | None = None) -> None:
        """Sum up the rows that are kept, where they are more than a few."""
        count = sum(len(rows.X) for rows in self._kept)
        if count and (not self._few(count) if most is None else count > most):
            self._add(Rows.joined(self._kept), 0)
            self._kept = []

    def _add(self, rows: Rows, first_row: int) -> None:
        part = shifted_factor(rows, self.fit_intercept)
        if not np.isfinite(part.R).all():
            self._refuse_nonfinite(rows, first_row)
            raise HousingError("a column exceeds the range of double precision: rescale it")
        self._shifted = part if self._shifted is None else self._shifted + part

    def _refuse_nonfinite(self, rows: Rows, first_row: int) -> None:
        for block, name, names in ((rows.X, "X", self.feature_names), (rows.y, "y", self.target_names)):
            is_bad = ~np.isfinite(block).all(axis=1)
            if rows.weight is not None:
                is_bad &= rows.weight > 0
            if is_bad.any():
                row = int(np.argmax(is_bad))
                refuse_nonfinite(block[row : row + 1], name, names, first_row + row)


def shifted_factor(rows: Rows, fit_intercept: bool) -> Shifted:
    """Return the factor of rows, at least one; numbers in it that are not finite come of data that are not."""
    p, k = rows.X.shape[1], rows.y.shape[1]
    sample = rows.at(slice(None, None, max(1, len(rows.X) // max(_SAMPLE, 4 * (p + k)))))
    with np.errstate(all="ignore"):
        # A guess of the means; without an intercept they belong to the problem, and stay.
        columns = sample.columns() if fit_intercept else np.zeros((1, p + k))
        shift = np.where((columns == columns[0]).all(axis=0), columns[0], columns.mean(axis=0))
        shift = np.where(np.isfinite(shift), shift, 0.0)
        block = _Block(rows, shift, fit_intercept)
        R = _cholesky_qr(block, _Block(sample, shift, fit_intercept))
        return Shifted(block.householder() if R is None else R, shift)


class _Block:
    """Rows [1, X - shift, y - shift] times the roots of their weights, in chunks; without an intercept [X, y]."""

    def __init__(self, rows: Rows, shift: Floats, fit_intercept: bool) -> None:
        self.rows, self.shift = rows, shift
        self.features = slice(int(fit_intercept), int(fit_intercept) + rows.X.shape[1])
        self.width = int(fit_intercept) + len(shift)
        self.is_narrow = self.width <= _NARROW
        self.size = max(256, min(_CHUNK // self.width, _CHUNK_ROWS))
        # Both operands of one shape: NumPy subtracts them faster.
        self.tiled = np.tile(shift[: rows.X.shape[1]], (min(self.size, len(rows.X)), 1))

    def gram(self, inverse: Floats | None = None) -> Floats:
        """Return A'A of the rows A, or that of A times a matrix (m, m)."""
        # In the order of the rows: the sum does not depend on the threads. Only products of one thread run beside others.
        size = min(self.size, _ONE_THREAD // self.width**2) if self.is_narrow and inverse is not None else self.size
        return np.asarray(sum(self._each(lambda chunks: self._gram_of(chunks, inverse), size)))

    def householder(self) -> Floats:
        """Return the factor by Householder's QR of the chunks."""
        return _householder(self._each(_householder, self.size))

    def _each(self, function: Callable[[Iterator[Floats]], Floats], size: int) -> list[Floats]:
        """Return what a function gives for the chunks of each stretch of rows; BLAS has its own threads for wide ones."""
        n = len(self.rows.X)
        step = max(1, _STRETCH // self.width // size) * size if self.is_narrow else n
        parts = [range(start, min(start + step, n), size) for start in range(0, n, step)]
        return each(lambda part: function(self._chunks(part)), parts, worth(n * self.width, each=_STRETCH))

    def _chunks(self, starts: range) -> Iterator[Floats]:
        """Yield chunks, each valid until the next; while BLAS works on a wide one, the next is copied."""
        threads = 0 if self.is_narrow else 1
        rows = min(starts.step, starts.stop - starts.start)
        buffers = cycle([np.empty((rows, self.width)) for _ in range(2 * threads + 1)])
        fill = partial(self._fill, starts=starts)
        for _, chunk in ahead(fill, zip(starts, buffers, strict=False), threads):
            yield chunk

    def _fill(self, place: tuple[int, Floats], starts: range) -> Floats:
        start, buffer = place
        X, y, weight = self.rows.at(slice(start, min(start + starts.step, starts.stop)))
        whole, p = buffer[: len(X)], X.shape[1]
        whole[:, : self.features.start] = 1.0
        np.subtract(X, self.tiled[: len(X)], out=whole[:, self.features])
        np.subtract(y, self.shift[p:], out=whole[:, self.features.stop :])
        if weight is not None:
            whole *= np.sqrt(weight)[:, np.newaxis]
        return whole

    def _gram_of(self, chunks: Iterator[Floats], inverse: Floats | None) -> Floats:
        gram = np.zeros((self.width, self.width))
        for chunk in chunks:
            # np.dot lets other threads run, ``@`` does not.
            rows = chunk if inverse is None else np.dot(chunk, inverse)
            gram += np.dot(rows.T, rows)
        return gram


def _doubled_factor(rows: Rows, fit_intercept: bool) -> tuple[Doubled, NDArray[np.int64]]:
    """Return the factor of rows [1, A / 2**unit] in double-double, and the units (p + k,) that make A at most 1."""
    columns = rows.columns()
    unit = np.frexp(np.abs(columns).max(axis=0))[1].astype(np.int64)
    ones = np.ones((len(columns), int(fit_intercept)))
    matrix, exponent = Doubled(np.concatenate([ones, np.ldexp(columns, -unit)], axis=1)), 0
    if rows.weight is not None:
        exponent = int(np.frexp(rows.weight.max())[1]) // 2
        matrix *= Doubled(np.ldexp(rows.weight, -2 * exponent)[:, np.newaxis]).sqrt()
    return triangular_factor(matrix).ldexp(exponent), unit


def _cholesky_qr(block: _Block, sample: _Block) -> Floats | None:
    """Return the factor by Cholesky's, or by CholeskyQR2 where that would lose digits; None where neither is safe.

    Where a sample of the rows shows dependence, its factor is the preconditioner, which saves a pass over the rows.
    """
    R, inverse = np.eye(block.width), np.eye(block.width)
    if block.rows.X.size > _STRETCH:
        found = _cholesky(sample.gram(), block.features)
        if found is not None and MAX_INFLATION < found[2] < MAX_INFLATION_TWICE:
            R, inverse, _ = found
    for _ in range(2):
        gram = block.gram(None if inverse.trace() == len(inverse) else inverse)
        found = _cholesky(gram, block.features)
        if found is None:
            break
        R, inverse = np.dot(found[0], R), np.dot(inverse, found[1])
        if found[2] <= MAX_INFLATION:
            R[:, np.diag(gram) == 0] = 0.0
            return R
        if found[2] > MAX_INFLATION_TWICE:
            break
    return None


def _cholesky(gram: Floats, features: slice) -> tuple[Floats, Floats, float] | None:
    """Return R with R'R = gram, its inverse, and by how much rounding errors grow; None where there is no such R.

    They grow by the variance inflation factors, the diagonal of the inverse Gram matrix of columns scaled to norm 1;
    that of a target, 1 / (1 - R²), concerns its residual alone. Of a column of zeros R has that of the identity matrix.
    """
    norms = np.sqrt(np.diag(gram))
    if not np.isfinite(gram).all() or (norms[norms > 0] < 2.0**-450).any():
        return None
    scale = np.where(norms > 0, norms, 1.0)
    scaled = gram / scale / scale[:, np.newaxis]
    np.fill_diagonal(scaled, 1.0)
    try:
        factor = np.linalg.cholesky(scaled).T
        inverse = np.linalg.inv(factor)
    except np.linalg.LinAlgError:
        return None
    inflation = np.square(inverse).sum(axis=1)
    growth = max(inflation[features].max(), inflation[features.stop :].max() / SIGNAL)
    return factor * scale, inverse / scale[:, np.newaxis], float(growth)


def _householder(parts: Iterable[Floats]) -> Floats:
    """Return the factor of all rows of the parts (n, m), of shape (m, m)."""
    R: Floats | None = None
    for part in parts:
        R = np.linalg.qr(part if R is None else np.concatenate([R, part]), mode="r")
    assert R is not None
    missing = R.shape[1] - len(R)
    return np.pad(R, ((0, missing), (0, 0))) if missing else R
