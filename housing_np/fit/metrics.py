"""Metrics of predictions against true values, and their deviation from another model's predictions."""

from copy import copy
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ..checks.arrays import Floats, as_numbers, as_weights, refuse_inexact, refuse_nonfinite, require_names
from ..checks.frames import names_of
from ..errors import HousingError


class Score:
    """R², errors and deviation of predictions, summed over blocks of rows.

    Every figure is over all targets: errors are pooled, R² is averaged. Rows are those of `update`; scores of other
    rows add up, in any order.

    Attributes
    ----------
    rows : int, or float
        The sum of the weights, where rows have any.
    largest_deviation : float
        From the reference, in target units.

    Notes
    -----
    Sums of squares about the mean are merged without cancellation: Chan, Golub and LeVeque, "Algorithms for computing
    the sample variance", The American Statistician 37 (1983).

    Examples
    --------
    >>> score = Score.of([1.0, 2.0], [1.0, 2.0]) + Score.of([3.0], [4.0])
    >>> score.r2, round(score.mse, 4)
    (0.5, 0.3333)
    """

    def __init__(self) -> None:
        self.rows: float = 0
        self.largest_deviation: float = 0.0
        self._mean: Floats = np.zeros(())
        self._total: Floats = np.zeros(())  # sum of squares about the mean
        self._unexplained: Floats = np.zeros(())
        self._absolute: Floats = np.zeros(())
        self._deviation: Floats = np.zeros(())
        self._low: Floats = np.array(np.inf)
        self._high: Floats = np.array(-np.inf)

    @classmethod
    def of(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        reference: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Return the score of one block; as `update`."""
        for name, values in (("y_pred", y_pred), ("reference", reference)):
            if values is not None:
                refuse_nonfinite(as_numbers(values, name), name)
        score = cls()
        score.update(y_true, y_pred, reference, sample_weight)
        return score

    def update(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        reference: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> None:
        """Add rows.

        Parameters
        ----------
        y_true, y_pred : array_like, shape (n,) or (n, k)
            True values and predictions, in target units.
        reference : array_like, the same shape, optional
            What another model predicts.
        sample_weight : array_like, shape (n,), optional
            How many times each row counts: at least 0. A row of weight 0 is left out.

        Raises
        ------
        HousingError
            If the shapes differ, or a number is not real, or a true value not finite.
        """
        weight = as_weights(sample_weight, len(np.atleast_1d(y_true)))
        if weight is not None and not weight.all():
            some = weight > 0
            y_true, y_pred = as_numbers(y_true, "y_true")[some], as_numbers(y_pred, "y_pred")[some]
            reference = None if reference is None else as_numbers(reference, "reference")[some]
            return self.update(y_true, y_pred, reference, weight[some])
        true, residual = _difference("y_true", y_true, "y_pred", y_pred)
        if not len(true):
            return None
        refuse_nonfinite(true, "y_true")
        block = Score()
        block.rows = len(true) if weight is None else float(weight.sum())
        with np.errstate(over="ignore", invalid="ignore"):
            block._mean = true.mean(axis=0) if weight is None else weight @ true / block.rows
            block._total = _sum_of_squares(true - block._mean, weight)
            block._unexplained = _sum_of_squares(residual, weight)
            block._absolute = _sum(np.abs(residual), weight)
        block._low, block._high = true.min(axis=0), true.max(axis=0)
        if reference is not None:
            _, deviation = _difference("reference", reference, "y_pred", y_pred)
            block.largest_deviation = float(np.abs(deviation).max())
            with np.errstate(over="ignore"):
                block._deviation = _sum_of_squares(deviation, weight)
        self._add(block)
        return None

    def __add__(self, other: "Score") -> "Score":
        """Return the score of the rows of both."""
        total = copy(self)
        total._add(other)
        return total

    def _add(self, other: "Score") -> None:
        """Add the rows of another score."""
        rows = self.rows + other.rows
        share = other.rows / rows if rows else 0.0
        with np.errstate(over="ignore", invalid="ignore"):
            shift = other._mean - self._mean
            self._total = self._total + other._total + shift * (shift * self.rows * share)
            self._mean = self._mean + shift * share
            self._unexplained = self._unexplained + other._unexplained
            self._absolute = self._absolute + other._absolute
            self._deviation = self._deviation + other._deviation
        self.rows = rows
        self.largest_deviation = float(np.maximum(self.largest_deviation, other.largest_deviation))
        self._low, self._high = np.minimum(self._low, other._low), np.maximum(self._high, other._high)

    def __repr__(self) -> str:
        facts = f"{self.rows:g} {'row' if self.rows == 1 else 'rows'}, R² {self.r2:.4f}" if self.rows else "no rows"
        return f"<Score: {facts}>"

    @property
    def mse(self) -> float:
        """Mean squared error, in squared target units; infinite where the squares are too large for float64."""
        with np.errstate(over="ignore"):
            return float(np.mean(self._unexplained / self._some_rows()))

    @property
    def mae(self) -> float:
        """Mean absolute error, in target units.

        >>> Score.of([1.0, 2.0], [1.0, 5.0]).mae
        1.5
        """
        return float(np.mean(self._absolute / self._some_rows()))

    @property
    def rms_deviation(self) -> float:
        """Root of the mean squared deviation from the reference, in target units; infinite as `mse`."""
        with np.errstate(over="ignore"):
            return float(np.sqrt(np.mean(self._deviation / self._some_rows())))

    @property
    def r2(self) -> float:
        """Coefficient of determination, 1 − Σ(y − ŷ)² / Σ(y − ȳ)², averaged over targets.

        For a constant target 1 if it is met exactly, else 0 (scikit-learn's convention); NaN where the squares are too
        small or too large for float64.
        """
        self._some_rows()
        # By its range: about a rounded mean, the sum of squares of a constant target is not 0.
        constant = self._low == self._high
        is_known = (self._total > 0) & np.isfinite(self._total) & np.isfinite(self._unexplained)
        with np.errstate(over="ignore"):
            ratio = np.divide(self._unexplained, self._total, out=np.full(is_known.shape, np.nan), where=is_known)
        return float(np.mean(np.where(constant, self._unexplained == 0, 1.0 - ratio)))

    def _some_rows(self) -> float:
        if not self.rows:
            raise HousingError("y_true has no rows: a metric needs at least one")
        return self.rows


def r2_score(y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Return the coefficient of determination R² of predictions, averaged over targets; see `Score`.

    Examples
    --------
    >>> r2_score([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    0.5
    """
    return Score.of(y_true, y_pred, None, sample_weight).r2


def as_targets(model: Any, y: ArrayLike) -> Floats:
    """Return targets in float64, in the shape of a model's predictions; columns of a frame must be the model's."""
    if len(model.target_names_) > 1:
        require_names(y, model.target_names_, "y")
    targets = as_numbers(y, "y")
    shape = (len(targets), *model.coef_.shape[:-1]) if targets.ndim else ()
    # One column is one target, whether or not it has an axis of its own.
    if targets.size == np.prod(shape):
        targets = targets.reshape(shape)
        refuse_inexact(np.atleast_2d(targets.T).T, "y", model.target_names_)
    return targets.astype(np.float64, copy=False)


def _sum_of_squares(values: Floats, weight: Floats | None) -> Floats:
    return _sum(np.square(values), weight)


def _sum(values: Floats, weight: Floats | None) -> Floats:
    return np.asarray(values.sum(axis=0) if weight is None else weight @ values)


def _difference(name: str, values: ArrayLike, other_name: str, others: ArrayLike) -> tuple[Floats, Floats]:
    """Return values in float64, and their difference from the others."""
    names = names_of(others)
    if names is not None:
        require_names(values, names, name)
    left, right = as_numbers(values, name), as_numbers(others, other_name)
    for array, which in ((left, name), (right, other_name)):
        refuse_inexact(array, which)
    if left.shape != right.shape or not left.ndim or 0 in left.shape[1:]:
        raise HousingError(
            f"{name} has shape {left.shape} and {other_name} {right.shape}: they must be equal, (n,) or (n, k)"
        )
    left = left.astype(np.float64, copy=False)
    with np.errstate(over="ignore", invalid="ignore"):
        return left, np.asarray(left - right)
