"""How far predictions are from the truth, or from another model's predictions."""

from math import sqrt
from typing import Self

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
    """R² and MSE of predictions for one target, and their deviation from a reference, over blocks of rows.

    Scores of other rows add up, in any order.

    Examples
    --------
    >>> score = Score.of([1.0, 2.0], [1.0, 2.0]) + Score.of([3.0], [4.0])
    >>> score.r2, round(score.mse, 4)
    (0.5, 0.3333)
    """

    def __init__(self) -> None:
        self.rows = 0
        self.largest_deviation = 0.0
        self._mean = self._total = self._unexplained = self._deviation = 0.0
        self._low, self._high = np.inf, -np.inf

    @classmethod
    def of(cls, y_true: ArrayLike, y_pred: ArrayLike, reference: ArrayLike | None = None) -> Self:
        """Of true values, predictions and the reference's predictions, all of shape (n,), in target units."""
        residual = _residuals(y_true, y_pred)
        true = np.asarray(y_true, np.float64)
        score = cls()
        score.rows, score._mean = len(true), float(true.mean())
        score._total, score._unexplained = float(np.sum((true - score._mean) ** 2)), float(np.sum(residual**2))
        score._low, score._high = float(true.min()), float(true.max())
        if reference is not None:
            deviation = np.abs(_residuals(reference, y_pred))
            score.largest_deviation, score._deviation = float(deviation.max()), float(np.sum(deviation**2))
        return score

    def __add__(self, other: "Score") -> "Score":
        """The score of the rows of both."""
        total, shift = Score(), other._mean - self._mean
        total.rows = self.rows + other.rows
        share = other.rows / total.rows if total.rows else 0.0
        # Chan, Golub and LeVeque 1983: sums of squares about the mean, merged without cancellation.
        total._total = self._total + other._total + shift * (shift * self.rows * share)
        total._mean = self._mean + shift * share
        total._unexplained = self._unexplained + other._unexplained
        total._deviation = self._deviation + other._deviation
        total.largest_deviation = max(self.largest_deviation, other.largest_deviation)
        total._low, total._high = min(self._low, other._low), max(self._high, other._high)
        return total

    @property
    def constant(self) -> bool:
        """Whether all true values are the same."""
        return self._low == self._high

    @property
    def mse(self) -> float:
        """Mean squared error, in squared target units."""
        return self._unexplained / self.rows

    @property
    def rms_deviation(self) -> float:
        """From the reference, in target units."""
        return sqrt(self._deviation / self.rows)

    @property
    def r2(self) -> float:
        """Coefficient of determination; for a constant target 1 if it is met exactly, else 0."""
        # As in r2_score: a mean that is rounded is not a difference.
        if self.constant:
            return float(self._unexplained == 0)
        return 1.0 - self._unexplained / self._total if self._total else float("nan")  # squares too small for float64
