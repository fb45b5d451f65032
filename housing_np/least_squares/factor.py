"""The triangular factor of rows [1, X, y], summed over blocks: TSQR.

A block's factor is found in the cheapest way that is stable for it: Cholesky's, CholeskyQR2 or Householder's.

References
----------
Demmel, Grigori, Hoemmen, Langou, "Communication-optimal parallel and sequential QR and LU factorizations", SIAM Journal
on Scientific Computing 34 (2012): TSQR.
Yamamoto, Nakatsukasa, Yanagisawa, Fukaya, "Roundoff error analysis of the CholeskyQR2 algorithm", ETNA 44 (2015).
Chan, Golub, LeVeque, "Algorithms for computing the sample variance", The American Statistician 37 (1983): shifts.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats, refuse_nonfinite
from ..errors import HousingError
from ..threads import ahead, each, worth
from .doubled import Doubled, triangular_factor
from .solution import Solution, solve

FEW = 2**16  # rows * columns**2 up to which rows are kept, and their factor is found in double-double
LARGE_MEAN = 4  # deviations: a column of a larger mean is shifted, at the price of a copy
# What a Gram matrix loses of the digits of a weight, and of the residual: the square of a condition number.
MAX_INFLATION, MAX_SIGNAL = 2**8, 2**20
MAX_INFLATION_TWICE = 2**36  # what CholeskyQR2 can take; Householder's QR takes the rest
_NARROW = 16  # columns up to which BLAS uses one thread
_STRETCH = 1 << 20  # numbers that a thread is worth
_CHUNK = 1 << 19  # numbers that stay in the cache
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
    """Which columns have more than one value, and what their first ones are."""

    def __init__(self) -> None:
        self.first: Floats | None = None
        self.varies: NDArray[np.bool_] = np.zeros(0, np.bool_)

    def update(self, rows: Rows) -> None:
        """Add rows, at least one; a sample of them settles most columns."""
        first = rows.at(slice(1)).columns()[0]
        self._compare(first, first)
        self._compare(_sample(rows), first)
        p = rows.X.shape[1]
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
            self._refuse_nonfinite(rows, some, first_row)
            rows = rows if some.all() else rows.at(some)
            # As where there are none, to the last bit.
            rows = rows._replace(weight=None) if (rows.weight == 1).all() else rows
        if not len(rows.X):
            return
        self._varying.update(rows)
        self._weighted |= rows.weight is not None
        if self._few(len(rows.X)):
            self._refuse_nonfinite(rows, slice(None), first_row)
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
            R, unit = _doubled_factor(Rows.joined(self._kept), self.fit_intercept)
            return solve(R, unit, np.zeros(len(unit)), *given)
        R, shift = self._shifted
        return solve(Doubled.of(R), np.zeros(len(shift), np.int64), shift, *given)

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
            self._refuse_nonfinite(rows, slice(None), first_row)
            raise HousingError("a column exceeds the range of double precision: rescale it")
        self._shifted = part if self._shifted is None else self._shifted + part

    def _refuse_nonfinite(self, rows: Rows, some: "slice | NDArray[np.bool_]", first_row: int) -> None:
        for block, name, names in ((rows.X, "X", self.feature_names), (rows.y, "y", self.target_names)):
            if not np.isfinite(block[some]).all():
                bad = np.flatnonzero(~np.isfinite(block).all(axis=1) & np.isin(np.arange(len(block)), np.arange(len(block))[some]))[:1]
                refuse_nonfinite(block[bad], name, names, first_row + int(bad[0]))


def shifted_factor(rows: Rows, fit_intercept: bool) -> Shifted:
    """Return the factor of rows, at least one; sums that are not finite in it come of data that are not."""
    block = _Block(rows, _shift(rows, fit_intercept), fit_intercept)
    with np.errstate(all="ignore"):
        R = _gram_factor(block)
        return Shifted(_householder(block.chunks()) if R is None else R, block.shift)


class _Block:
    """Rows [1, X - shift, y - shift] times the roots of their weights, in chunks; without an intercept [X, y]."""

    def __init__(self, rows: Rows, shift: Floats, fit_intercept: bool) -> None:
        self.rows, self.shift = rows, shift
        (n, p), k = rows.X.shape, rows.y.shape[1]
        self.width = int(fit_intercept) + p + k
        self.features = slice(int(fit_intercept), int(fit_intercept) + p)
        self.others = [*range(self.features.start), *range(self.features.stop, self.width)]
        self.size = min(n, max(256, _CHUNK // p // 8 if self.width <= _NARROW else _CHUNK // p))
        # Both operands of one layout: NumPy subtracts them as flat arrays.
        self.copies = bool(shift[:p].any()) or rows.weight is not None or rows.X.dtype != np.float64
        self.tiled = np.tile(shift[:p], (self.size, 1)) if self.copies else None

    def parts(self) -> list[slice]:
        """Return stretches of rows for threads."""
        n = len(self.rows.X)
        step = max(1, _STRETCH // self.rows.X.shape[1] // self.size) * self.size if self.width <= _NARROW else n
        return [slice(start, min(start + step, n)) for start in range(0, n, step)]

    def chunk(self, part: slice) -> tuple[Floats, Floats]:
        """Return the features (n, p) and the other columns of a chunk."""
        X, y, weight = self.rows.at(part)
        p = X.shape[1]
        a = X if self.tiled is None else np.subtract(X, self.tiled[: len(X)])
        b = np.ones((len(X), len(self.others)))
        np.subtract(y, self.shift[p:], out=b[:, self.features.start :])
        if weight is not None:
            root = np.sqrt(weight)[:, np.newaxis]
            a, b = a * root, b * root
        return a, b  # type: ignore[return-value]

    def pairs(self, part: slice) -> Iterator[tuple[Floats, Floats]]:
        """Yield the chunks of a stretch of rows; where BLAS has threads, copies are made while it works."""
        starts = range(part.start, part.stop, self.size)
        slices = (slice(start, min(start + self.size, part.stop)) for start in starts)
        for _, pair in ahead(self.chunk, slices, int(self.copies and self.width > _NARROW)):
            yield pair

    def chunks(self) -> Iterator[Floats]:
        """Yield all rows, in the order of their columns."""
        for part in self.parts():
            for a, b in self.pairs(part):
                whole = np.empty((len(a), self.width))
                whole[:, self.features], whole[:, self.others] = a, b
                yield whole

    def gram(self, inverse: Floats | None = None) -> Floats:
        """Return A'A of the rows A, or that of A times a matrix (m, m)."""
        parts = self.parts()
        threads = worth(self.rows.X.size, each=_STRETCH)
        # In the order of the rows: the sum does not depend on the threads.
        return sum(each(lambda part: self._gram_of(part, inverse), parts, threads), np.zeros((self.width, self.width)))

    def _gram_of(self, part: slice, inverse: Floats | None) -> Floats:
        """Return the same of a stretch of rows; np.dot lets other threads run, ``@`` does not."""
        gram = np.zeros((self.width, self.width))
        for a, b in self.pairs(part):
            if inverse is not None:
                q = np.dot(a, inverse[self.features]) + np.dot(b, inverse[self.others])
                gram += np.dot(q.T, q)
                continue
            cross = np.dot(b.T, a)
            gram[self.features, self.features] += np.dot(a.T, a)
            gram[self.others, self.features] += cross
            gram[self.features, self.others] += cross.T
            gram[np.ix_(self.others, self.others)] += np.dot(b.T, b)
        return gram


def _doubled_factor(rows: Rows, fit_intercept: bool) -> tuple[Doubled, NDArray[np.int64]]:
    """Return the factor of rows [1, A / 2**unit] in double-double, and the units (p + k,) that make A at most 1."""
    columns = rows.columns()
    unit = np.frexp(np.abs(columns).max(axis=0))[1].astype(np.int64)
    ones = np.ones((len(columns), int(fit_intercept)))
    matrix, exponent = Doubled.of(np.concatenate([ones, np.ldexp(columns, -unit)], axis=1)), 0
    if rows.weight is not None:
        exponent = int(np.frexp(rows.weight.max())[1]) // 2
        matrix *= Doubled.of(np.ldexp(rows.weight, -2 * exponent)[:, np.newaxis]).sqrt()
    return triangular_factor(matrix).ldexp(exponent), unit


def _gram_factor(block: _Block) -> Floats | None:
    """Return the factor by Cholesky's or by CholeskyQR2; None where neither is safe."""
    gram = block.gram()
    norms = np.sqrt(np.diag(gram))
    if not np.isfinite(gram).all() or (norms[norms > 0] < 2.0**-450).any():
        return None
    found = _cholesky(gram)
    if found is None:
        return None
    R, inverse, inflation = found
    last = block.features.stop
    if inflation[:last].max() <= MAX_INFLATION and inflation[last:].max() <= MAX_SIGNAL:
        return R
    if inflation.max() > MAX_INFLATION_TWICE:
        return None
    second = _cholesky(block.gram(inverse))
    return None if second is None else np.dot(second[0], R)


def _cholesky(gram: Floats) -> tuple[Floats, Floats, Floats] | None:
    """Return R with R'R = gram, its inverse, and the variance inflation factors of the columns; None for no R.

    The factors are the diagonal of the inverse Gram matrix of columns scaled to norm 1. Columns of zeros stay zeros.
    """
    norms = np.sqrt(np.diag(gram))
    is_zero = norms == 0
    scale = np.where(is_zero, 1.0, norms)
    scaled = gram / scale / scale[:, np.newaxis]
    scaled[is_zero, is_zero] = 1.0
    try:
        factor = np.linalg.cholesky(scaled).T
        inverse = np.linalg.inv(factor)
    except np.linalg.LinAlgError:
        return None
    inflation = np.square(inverse).sum(axis=1)
    return factor * np.where(is_zero, 0.0, scale), inverse / scale[:, np.newaxis], inflation


def _householder(parts: Iterable[Floats]) -> Floats:
    """Return the factor of all rows of the parts (n, m), of shape (m, m)."""
    R: Floats | None = None
    for part in parts:
        R = np.linalg.qr(part if R is None else np.concatenate([R, part]), mode="r")
    assert R is not None
    missing = R.shape[1] - len(R)
    return np.pad(R, ((0, missing), (0, 0))) if missing else R


def _sample(rows: Rows) -> Floats:
    return rows.at(slice(None, None, max(1, len(rows.X) // _SAMPLE))).columns()


def _shift(rows: Rows, fit_intercept: bool) -> Floats:
    """Return a guess of the means that are large, else 0; without an intercept the means belong to the problem."""
    sample = _sample(rows)
    if not fit_intercept:
        return np.zeros(sample.shape[1])
    with np.errstate(all="ignore"):
        mean, deviation = sample.mean(axis=0), sample.std(axis=0)
        mean = np.where((sample == sample[0]).all(axis=0), sample[0], mean)
        return np.where(np.isfinite(mean) & (np.abs(mean) > LARGE_MEAN * deviation), mean, 0.0)
