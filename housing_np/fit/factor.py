"""The triangular factor of rows [1, X, y], summed over blocks: TSQR.

A block's factor is found in the cheapest way that is stable for it: Cholesky's, CholeskyQR2 or Householder's.

References
----------
Demmel, Grigori, Hoemmen, Langou, "Communication-optimal parallel and sequential QR and LU factorizations", SIAM Journal
on Scientific Computing 34 (2012): TSQR.
Yamamoto, Nakatsukasa, Yanagisawa, Fukaya, "Roundoff error analysis of the CholeskyQR2 algorithm", ETNA 44 (2015).
Björck, "Solving linear least squares problems by Gram-Schmidt orthogonalization", BIT 7 (1967).
Chan, Golub, LeVeque, "Algorithms for computing the sample variance", The American Statistician 37 (1983): shifts.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ..checks.arrays import Floats
from ..rows.threads import map_ahead, parallel_map, thread_count
from .doubled import Doubled

# By how much rounding errors may grow in a Gram matrix: the square of a condition number.
MAX_INFLATION, MAX_INFLATION_TWICE = 2**7, 2**36  # once; and in that of columns that are nearly orthogonal by then
LARGE_MEAN = 4  # in deviations: a column of a larger one is shifted
SIGNAL = 2**13  # by how much more in the residual
_NARROW = 16  # columns up to which BLAS uses one thread, for products of so many numbers at most
_ONE_THREAD = 1 << 18
_STRETCH = 1 << 20  # numbers that a thread is worth
_CHUNK, _CHUNK_ROWS = 1 << 19, 1 << 13  # numbers that stay in the cache, of so many rows at most
_NOTHING_LEFT = 2.0**-190  # of a column's square: rounding in double-double
_SAMPLE = 1024  # rows that tell where the means are


class Rows(NamedTuple):
    """Rows X (n, p) with targets y (n, k), of which each counts as many times as its weight (n,) says."""

    X: NDArray[Any]
    y: NDArray[Any]
    weight: Floats | None = None

    def at(self, part: "slice | NDArray[np.bool_]") -> "Rows":
        """Return some of the rows."""
        return Rows(self.X[part], self.y[part], None if self.weight is None else self.weight[part])

    def columns(self) -> Floats:
        """Return a copy of [X, y] in double precision."""
        return np.concatenate([self.X, self.y], axis=1, dtype=np.float64)

    def counted(self) -> "Rows":
        """Return the rows of a weight above 0, without weights where all are 1."""
        assert self.weight is not None
        some = self.weight > 0
        rows = self if some.all() else self.at(some)
        return Rows(rows.X, rows.y) if (self.weight[some] == 1).all() else rows

    @classmethod
    def joined(cls, parts: "Sequence[Rows]") -> "Rows":
        """Return the rows of all parts."""
        weights = [np.ones(len(part.X)) if part.weight is None else part.weight for part in parts]
        is_weighted = any(part.weight is not None for part in parts)
        X, y = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
        return cls(X, y, np.concatenate(weights) if is_weighted else None)


@dataclass(frozen=True, eq=False)
class Shifted:
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

    def scaled(self) -> tuple[Floats, NDArray[np.int64], int, Floats]:
        """Return the arguments of `solve` that tell the factor: columns of ordinary size, their units, the shift."""
        k = len(self.shift)
        size = np.maximum(np.abs(self.R[:, -k:]).max(axis=0), np.abs(self.shift))
        unit = np.frexp(size)[1].astype(np.int64)
        columns = np.concatenate([np.zeros(len(self.R) - k, np.int64), -unit])
        return np.ldexp(self.R, columns), unit, 0, self.shift

    def __add__(self, other: "Shifted") -> "Shifted":
        """Return the factor of the rows of both."""
        return Shifted(_householder([self.R, other.about(self.shift)]), self.shift)


def varying(rows: Rows, known: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Floats]:
    """Return which columns (p + k,) of rows, at least one, have more than one value; and the first row.

    A few rows settle most columns; those that are known to vary (p + k,), or (0,) for none, are not looked at.
    """
    first, p = rows.at(slice(1)).columns()[0], rows.X.shape[1]
    varies = known.copy() if len(known) else np.zeros(len(first), np.bool_)
    for part in (slice(64), slice(None, None, max(1, len(rows.X) // _SAMPLE))):
        if not varies.all():
            varies |= (rows.at(part).columns() != first).any(axis=0)
    for column in np.flatnonzero(~varies):
        values = rows.X[:, column] if column < p else rows.y[:, column - p]
        varies[column] = (values != first[column]).any()
    return varies, first


def shifted_factor(rows: Rows, fit_intercept: bool) -> Shifted:
    """Return the factor of rows, at least one; numbers in it that are not finite come of data that are not."""
    p, k = rows.X.shape[1], rows.y.shape[1]
    sample = rows.at(slice(None, None, max(1, len(rows.X) // max(_SAMPLE, 4 * (p + k)))))
    with np.errstate(all="ignore"):
        # A guess of the means; without an intercept they belong to the problem, and stay.
        columns = sample.columns() if fit_intercept else np.zeros((1, p + k))
        is_constant = (columns == columns[0]).all(axis=0)
        shift = np.where(is_constant, columns[0], columns.mean(axis=0))
        shift = np.where(np.isfinite(shift), shift, 0.0)
        if (np.abs(shift[:p]) <= np.where(is_constant[:p], 0.0, LARGE_MEAN * columns[:, :p].std(axis=0))).all():
            shift[:p] = 0.0  # the digits that this costs are few, and a copy costs more time
        block = _Block(rows, shift, fit_intercept)
        R = _cholesky_qr(block, _Block(sample, shift, fit_intercept))
        return Shifted(block.householder() if R is None else R, shift)


def doubled_factor(rows: Rows, fit_intercept: bool) -> tuple[Doubled, NDArray[np.int64], int, Floats]:
    """Return the arguments of `solve` that tell the factor of rows [1, A / 2**unit], in double-double."""
    columns = rows.columns()
    unit = np.frexp(np.abs(columns).max(axis=0))[1].astype(np.int64)
    ones = np.ones((len(columns), int(fit_intercept)))
    matrix, exponent = Doubled(np.concatenate([ones, np.ldexp(columns, -unit)], axis=1)), 0
    if rows.weight is not None:
        exponent = int(np.frexp(rows.weight.max())[1]) // 2
        matrix *= Doubled(np.ldexp(rows.weight, -2 * exponent)[:, np.newaxis]).sqrt()
    return _gram_schmidt(matrix), unit, exponent, np.zeros(len(unit))


def _gram_schmidt(matrix: Doubled) -> Doubled:
    """Return the factor of A (n, m): modified Gram-Schmidt, as accurate as Householder's (Björck 1967).

    Where only rounding is left of a column, its row is 0.
    """
    n, m = matrix.high.shape
    factor = Doubled(np.zeros((m, m)))
    squares = np.square(matrix.high).sum(axis=0)
    for i in range(m):
        column, others = matrix[:, :1], matrix[:, 1:]
        products = (column * matrix).sum()
        if products.high[0] > _NOTHING_LEFT * squares[i]:
            factor[i, i:] = products / products[:1].sqrt()
            others = others - column * (products[1:] / products[:1])
            n -= 1
        if not n:  # the rows have no further dimension
            break
        matrix = others
    return factor


class _Block:
    """Rows [1, X - shift, y - shift] times the roots of their weights, in chunks; without an intercept [X, y]."""

    def __init__(self, rows: Rows, shift: Floats, fit_intercept: bool) -> None:
        self.rows, self.shift = rows, shift
        self.features = slice(int(fit_intercept), int(fit_intercept) + rows.X.shape[1])
        self.width = int(fit_intercept) + len(shift)
        self.is_narrow = self.width <= _NARROW
        self.is_plain = not shift[: rows.X.shape[1]].any() and rows.weight is None
        self.size = max(256, min(_CHUNK // self.width, _CHUNK_ROWS))
        # Both operands of one shape: NumPy subtracts them faster.
        self.tiled = np.tile(shift[: rows.X.shape[1]], (min(self.size, len(rows.X)), 1))

    def is_shift(self, column: int) -> bool:
        """Return whether a column is 0 once it is shifted; the first may be that of ones, which never is."""
        rows, i = self.rows, column - self.features.start
        values = rows.X[:, i] if i < rows.X.shape[1] else rows.y[:, i - rows.X.shape[1]]
        return bool((values == self.shift[i]).all())

    def gram(self, inverse: Floats | None = None) -> Floats:
        """Return A'A of the rows A, or that of A times a matrix (m, m); it does not depend on the threads."""
        if inverse is None and self.is_plain:
            return np.asarray(sum(self._each(self._plain_gram, self.size)))
        size = min(self.size, _ONE_THREAD // self.width**2) if self.is_narrow and inverse is not None else self.size
        return np.asarray(sum(self._each(lambda starts: self._gram_of(self._chunks(starts), inverse), size)))

    def householder(self) -> Floats:
        """Return the factor by Householder's QR of the chunks."""
        return _householder(self._each(lambda starts: _householder(self._chunks(starts)), self.size))

    def _each(self, function: Callable[[range], Floats], size: int) -> list[Floats]:
        """Return what a function gives for the chunks' starts in each stretch; wide ones leave the threads to BLAS."""
        n = len(self.rows.X)
        step = max(1, _STRETCH // self.width // size) * size if self.is_narrow else n
        parts = [range(start, min(start + step, n), size) for start in range(0, n, step)]
        threads = thread_count(n * self.width, per_thread=_STRETCH)
        return parallel_map(function, parts, threads)

    def _chunks(self, starts: range) -> Iterator[Floats]:
        """Yield chunks, each valid until the next; while BLAS works on a wide one, the next is copied."""
        threads = 0 if self.is_narrow else 1
        rows = min(starts.step, starts.stop - starts.start)
        buffers = cycle([np.empty((rows, self.width)) for _ in range(2 * threads + 1)])
        fill = partial(self._fill, starts=starts)
        for _, chunk in map_ahead(fill, zip(starts, buffers, strict=False), threads):
            yield chunk

    def _chunk(self, start: int, starts: range) -> Rows:
        return self.rows.at(slice(start, min(start + starts.step, starts.stop)))

    def _fill(self, place: tuple[int, Floats], starts: range) -> Floats:
        start, buffer = place
        X, y, weight = self._chunk(start, starts)
        whole, p = buffer[: len(X)], X.shape[1]
        whole[:, : self.features.start] = 1.0
        np.subtract(X, self.tiled[: len(X)], out=whole[:, self.features])
        np.subtract(y, self.shift[p:], out=whole[:, self.features.stop :])
        if weight is not None:
            whole *= np.sqrt(weight)[:, np.newaxis]
        return whole

    def _plain_gram(self, starts: range) -> Floats:
        """Return A'A of a stretch whose features are multiplied as they are: a copy would cost a third of the time."""
        features, p = self.features, self.rows.X.shape[1]
        others = [*range(features.start), *range(features.stop, self.width)]
        gram = np.zeros((self.width, self.width))
        for start in starts:
            X, y, _ = self._chunk(start, starts)
            X = np.asarray(X, np.float64)  # other types have the same bits
            rest = np.ones((len(X), len(others)))
            np.subtract(y, self.shift[p:], out=rest[:, features.start :])
            cross = np.dot(rest.T, X)
            gram[features, features] += np.dot(X.T, X)
            gram[others, features] += cross
            gram[features, others] += cross.T
            gram[np.ix_(others, others)] += np.dot(rest.T, rest)
        return gram

    def _gram_of(self, chunks: Iterator[Floats], inverse: Floats | None) -> Floats:
        gram = np.zeros((self.width, self.width))
        for chunk in chunks:
            # np.dot lets other threads run, ``@`` does not.
            rows = chunk if inverse is None else np.dot(chunk, inverse)
            gram += np.dot(rows.T, rows)
        return gram


def _cholesky_qr(block: _Block, sample: _Block) -> Floats | None:
    """Return the factor by Cholesky's, or by CholeskyQR2 where that would lose digits; None where neither is safe.

    Where a sample of the rows shows dependence, its factor is the preconditioner, which saves a pass over the rows.
    """
    R, inverse = np.eye(block.width), cast(Floats | None, None)
    if block.rows.X.size > _STRETCH:
        found = _cholesky(sample.gram(), block.features)
        if found is not None and MAX_INFLATION < found[2] < MAX_INFLATION_TWICE:
            R, inverse, _ = found
    for _ in range(2):
        gram = block.gram(inverse)
        found = _cholesky(gram, block.features)
        if found is None or found[2] > MAX_INFLATION_TWICE:
            break
        R, inverse = np.dot(found[0], R), found[1] if inverse is None else np.dot(inverse, found[1])
        if found[2] <= MAX_INFLATION:
            zeros = np.flatnonzero(np.diag(gram) == 0)
            R[:, zeros] = 0.0
            # A square may be 0 where a number is not.
            return np.asarray(R) if all(block.is_shift(int(column)) for column in zeros) else None
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
        factor = np.asarray(np.linalg.cholesky(scaled), np.float64).T
        inverse = np.asarray(np.linalg.inv(factor), np.float64)
    except np.linalg.LinAlgError:
        return None
    inflation = np.square(inverse[features, : features.stop]).sum(axis=1)
    growth = max(inflation.max(), np.square(inverse[features.stop :]).sum(axis=1).max() / SIGNAL)
    return factor * scale, inverse / scale[:, np.newaxis], float(growth)


def _householder(parts: Iterable[Floats]) -> Floats:
    """Return the factor of all rows of the parts (n, m), of shape (m, m)."""
    R: Floats | None = None
    for part in parts:
        R = np.asarray(np.linalg.qr(part if R is None else np.concatenate([R, part]), mode="r"))
    assert R is not None
    missing = R.shape[1] - len(R)
    return np.pad(R, ((0, missing), (0, 0))) if missing else R
