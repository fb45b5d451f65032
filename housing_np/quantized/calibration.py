"""Statistics of calibration rows: the cost of a rounding error depends on them."""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from ..checks.arrays import Floats, as_matrix, as_number, pieces, reduce_rows, refuse_inexact, refuse_nonfinite
from ..checks.frames import names_of
from ..checks.objects import Shown
from ..checks.sparse import dense_blocks, is_sparse
from ..errors import HousingError, counted, listed


class Calibration(Shown):
    """Count, mean, covariance and range of rows, in the units of the features; calibrations add up.

    Parameters
    ----------
    covariance : bool
        Whether the covariance is computed. Only optimal rounding needs it, and it takes p² numbers.

    Attributes
    ----------
    rows : int
    mean : ndarray, shape (p,)
    covariance : ndarray, shape (p, p)
        Divided by the number of rows; not finite where a square is beyond float64, as then are `deviation` and `rms`.
    low, high : ndarray, shape (p,)
        The range that the scheme "integer" covers.
    deviation : ndarray, shape (p,)
        Standard deviation; 0 where it is no more than the rounding of the mean.
    rms : ndarray, shape (p,)
        Root of the mean of x²: the usual size of a feature.
    percentiles : tuple of two ndarrays of shape (p,), optional
        The 1st and the 99th percentile, if the figures come with them.

    Raises
    ------
    HousingError
        For every attribute but `rows` while there are no rows, and for a covariance that was not computed.

    Examples
    --------
    >>> halves = Calibration.of([[0.0], [2.0]]) + Calibration.of([[4.0]])
    >>> halves.rows, halves.mean
    (3, array([2.]))
    """

    def __init__(self, covariance: bool = True) -> None:
        self._moments: _Moments | None = None
        self._with_covariance = covariance
        self.names: tuple[str, ...] | None = None  # of a frame's columns; None for arrays

    @classmethod
    def of(cls, X: ArrayLike, percentile: float = 100.0, covariance: bool = True) -> Self:
        """Return the calibration of rows X (n, p); its range may leave out some values at each end.

        Parameters
        ----------
        X : array_like, shape (n, p)
        percentile : float
            More than 50, and at most 100: the range leaves out (100 − percentile) % of the values at each end.
        covariance : bool
            Whether the covariance is computed.

        Raises
        ------
        HousingError
            If there are no rows, X is not rows of finite numbers, or `percentile` is out of range.
        """
        percentile = as_number(percentile, "percentile")
        if not 50 < percentile <= 100:
            raise HousingError(f"percentile is {percentile:g}: expected more than 50, and at most 100")
        total = cls(covariance)
        total.update(X)
        known = total._known
        if percentile < 100:
            columns = (part for _, part in dense_blocks(X.T)) if is_sparse(X) else [as_matrix(X).T]
            at = [100 - percentile, percentile]
            with np.errstate(over="ignore", invalid="ignore"):
                ends = [np.percentile(part.astype(np.float64), at, axis=1) for part in columns]
                low, high = np.concatenate(ends, axis=1)
                spans = high - low
            if not np.isfinite(spans).all():
                raise HousingError("the range of a column is beyond float64: rescale it")
            total._moments = known._replace(low=low, high=high)
        return total

    @classmethod
    def of_figures(
        cls,
        rows: int,
        mean: Floats,
        deviation: Floats,
        low: Floats,
        high: Floats,
        percentiles: tuple[Floats, Floats] | None = None,
    ) -> Self:
        """Return a calibration with these figures, each of shape (p,), and without a covariance.

        >>> Calibration.of_figures(2, np.array([1.0]), np.array([1.0]), np.array([0.0]), np.array([2.0])).rms
        array([1.41421356])
        """
        total = cls(covariance=False)
        with np.errstate(over="ignore"):
            moments = _Moments(rows, mean, np.square(deviation), low, high, percentiles=percentiles)
        total._moments = moments
        return total

    def update(self, X: ArrayLike, y: ArrayLike | None = None) -> None:
        """Add a block of rows X (n, p); their targets y are ignored."""
        moments, names = self._moments, _same(self.names, names_of(X))
        for part, block in dense_blocks(X):
            rows = _finite_rows(block, part.start or 0)
            for piece in pieces(rows):
                moments = _total(moments, _Moments.of(rows[piece], self._with_covariance))
        self._moments, self.names = moments, names

    def __add__(self, other: Self) -> Self:
        """Return the calibration of the rows of both."""
        total = type(self)(self._with_covariance and other._with_covariance)
        total.names = _same(self.names, other.names)
        total._moments = _total(self._moments, other._moments)
        return total

    def _table(self) -> tuple[list[str], dict[str, Floats]]:
        """Return a row per feature, x0, x1, …: a calibration of arrays does not know their names."""
        if self._moments is None:
            return [], {}
        columns = {name: getattr(self, name) for name in ("mean", "deviation", "low", "high")}
        return [f"x{i}" for i in range(len(self.mean))], columns

    def _facts(self) -> list[str]:
        features = [] if self._moments is None else [counted(len(self.mean), "feature")]
        return [counted(self.rows, "row"), *features]

    @property
    def rows(self) -> int:
        return self._moments.rows if self._moments else 0

    @property
    def mean(self) -> Floats:
        return self._known.mean

    @property
    def covariance(self) -> Floats:
        if (covariance := self._known.covariance) is None:
            raise HousingError("the calibration has no covariance: make it of rows, as Calibration.of(X)")
        return covariance

    @property
    def low(self) -> Floats:
        return self._known.low

    @property
    def high(self) -> Floats:
        return self._known.high

    @property
    def deviation(self) -> Floats:
        deviation = np.sqrt(self._known.variance)
        return np.asarray(np.where(deviation > 2.0**-48 * np.abs(self.mean), deviation, 0.0))

    @property
    def rms(self) -> Floats:
        return np.asarray(np.hypot(self.deviation, self.mean))

    @property
    def percentiles(self) -> tuple[Floats, Floats] | None:
        return self._known.percentiles

    @property
    def _known(self) -> "_Moments":
        if self._moments is None:
            raise HousingError("X has no rows: calibration needs at least one")
        return self._moments


def _same(names: tuple[str, ...] | None, others: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return the known names of columns; refuse two tuples that differ."""
    if names is not None and others is not None and names != others:
        raise HousingError(f"rows with the columns {listed(others)} cannot be added to {listed(names)}")
    return others if names is None else names


class _Moments(NamedTuple):
    """The figures of at least one row."""

    rows: int
    mean: Floats
    variance: Floats
    low: Floats
    high: Floats
    covariance: Floats | None = None
    percentiles: tuple[Floats, Floats] | None = None  # they do not add up

    @classmethod
    def of(cls, X: Floats, with_covariance: bool) -> "_Moments":
        # Row by row, as X.mean(axis=0) adds them, and faster.
        mean = np.einsum("ij->j", X) / len(X)
        if not np.isfinite(mean).all():  # the sum is beyond float64, which the mean is not
            mean = np.einsum("ij->j", X / len(X))
        low, high = reduce_rows(np.minimum, X), reduce_rows(np.maximum, X)
        with np.errstate(over="ignore", invalid="ignore"):
            centred = X - mean
            # Never the diagonal of the covariance, whose last bits are others.
            variance = np.einsum("ij,ij->j", centred, centred) / len(X)
            covariance = centred.T @ centred / len(X) if with_covariance else None
            return cls(len(X), mean, variance, low, high, covariance)


def _total(a: _Moments | None, b: _Moments | None) -> _Moments | None:
    """Return the moments of the rows of both; None stands for no rows."""
    if a is None or b is None:
        return a or b
    if len(a.mean) != len(b.mean):
        raise HousingError(f"rows of {counted(len(b.mean), 'feature')} cannot be added to rows of {len(a.mean)}")
    rows = a.rows + b.rows
    first, second = a.rows / rows, b.rows / rows
    with np.errstate(over="ignore", invalid="ignore"):
        shift = b.mean - a.mean
        # Chan, Golub and LeVeque 1983: added up without cancellation.
        variance = a.variance * first + b.variance * second + np.square(shift) * (first * second)
        covariance = None
        if a.covariance is not None and b.covariance is not None:
            covariance = a.covariance * first + b.covariance * second + np.outer(shift, shift) * (first * second)
        mean = np.where(np.isfinite(shift), a.mean + shift * second, a.mean * first + b.mean * second)
    return _Moments(rows, mean, variance, np.minimum(a.low, b.low), np.maximum(a.high, b.high), covariance)


def _finite_rows(X: ArrayLike, first_row: int) -> Floats:
    given, names = as_matrix(X), names_of(X)
    refuse_inexact(given, "X", names or [f"x{i}" for i in range(given.shape[1])], first_row)
    rows = given.astype(np.float64, copy=False)
    refuse_nonfinite(rows, "X", names, first_row)
    return rows
