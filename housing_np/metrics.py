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
    total = np.sum((true - true.mean(axis=0)) ** 2, axis=0)
    constant = total == 0
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
