"""How far predictions are from the truth, or from another model's predictions."""

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from .errors import HousingError


def _residuals(y_true: ArrayLike, y_pred: ArrayLike) -> np.ndarray:
    true, pred = np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)
    if true.shape != pred.shape:
        raise HousingError(f"y_true has shape {true.shape} and y_pred {pred.shape}: they must be equal")
    if true.size == 0:
        raise HousingError("y_true is empty: a metric needs at least one row")
    return true - pred


def r2_score(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Coefficient of determination, 1 − Σ(y − ŷ)² / Σ(y − ȳ)², averaged over targets.

    Parameters
    ----------
    y_true, y_pred : array_like, shape (n,) or (n, k)
        Any unit, the same for both.

    Returns
    -------
    float
        1 for a perfect prediction; for a constant target 1 if it is met exactly, else 0 (scikit-learn's convention).

    Raises
    ------
    HousingError
        If the shapes differ or there are no rows.

    Examples
    --------
    >>> r2_score([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    0.5
    """
    residual = _residuals(y_true, y_pred)
    true = np.asarray(y_true, np.float64)
    unexplained = np.sum(residual**2, axis=0)
    # A mean that is rounded is not a difference: a constant target has none.
    constant = np.all(true == true[0], axis=0)
    total = np.sum((true - true.mean(axis=0)) ** 2, axis=0)
    ratio = unexplained / np.where(constant, 1.0, total)
    return float(np.mean(np.where(constant, unexplained == 0, 1.0 - ratio)))


def mean_squared_error(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Mean of (y − ŷ)², in squared target units.

    >>> mean_squared_error([1.0, 2.0], [1.0, 4.0])
    2.0
    """
    return float(np.mean(_residuals(y_true, y_pred) ** 2))


def mean_absolute_error(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Mean of |y − ŷ|, in target units.

    >>> mean_absolute_error([1.0, 2.0], [1.0, 4.0])
    1.0
    """
    return float(np.mean(np.abs(_residuals(y_true, y_pred))))


def largest_deviation(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Largest |y − ŷ|, in target units.

    >>> largest_deviation([1.0, 2.0], [1.0, 4.0])
    2.0
    """
    return float(np.max(np.abs(_residuals(y_true, y_pred))))


def rms_deviation(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Root of the mean of (y − ŷ)², in target units.

    >>> rms_deviation([1.0, 2.0], [1.0, 4.0]) == 2.0**0.5
    True
    """
    return sqrt(mean_squared_error(y_true, y_pred))


class Score:
    """R² and MSE of predictions that come in blocks of rows, for one target.

    Examples
    --------
    >>> score = Score()
    >>> score.add([1.0, 2.0], [1.0, 2.0])
    >>> score.add([3.0], [4.0])
    >>> score.r2, round(score.mse, 4)
    (0.5, 0.3333)
    """

    def __init__(self) -> None:
        self.rows = 0
        self._mean = self._total = self._unexplained = 0.0
        self._low, self._high = np.inf, -np.inf

    def add(self, y_true: ArrayLike, y_pred: ArrayLike) -> None:
        """Take in a block of true values and predictions, both of shape (n,)."""
        residual = _residuals(y_true, y_pred)
        true = np.asarray(y_true, np.float64)
        rows, mean = self.rows + len(true), float(true.mean())
        # Chan, Golub and LeVeque 1983: sums of squares about the mean, merged without cancellation.
        shift = mean - self._mean
        self._total += float(np.sum((true - mean) ** 2)) + shift**2 * self.rows * len(true) / rows
        self._mean += shift * len(true) / rows
        self._unexplained += float(np.sum(residual**2))
        self._low, self._high = min(self._low, float(true.min())), max(self._high, float(true.max()))
        self.rows = rows

    @property
    def mse(self) -> float:
        """Mean squared error, in squared target units."""
        return self._unexplained / self.rows

    @property
    def r2(self) -> float:
        """Coefficient of determination; for a constant target 1 if it is met exactly, else 0."""
        # As in r2_score: a mean that is rounded is not a difference.
        if self._low == self._high:
            return float(self._unexplained == 0)
        return 1.0 - self._unexplained / self._total
