"""What a model is worth: on all rows, on rows that the fit has not seen, and against the float model."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from math import isfinite, isnan
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import numpy as np

from .calibration import Calibration
from .errors import HousingError
from .linear import LinearRegression, summarize
from .metrics import Score
from .quantized import Model, QuantizedLinear
from .table import Block, holdout_split

if TYPE_CHECKING:
    from .solver import Summary

T = TypeVar("T")


class Figures(NamedTuple):
    """A model on rows with known targets, and how far it is from a float model.

    Attributes
    ----------
    r2 : float
    mse : float
        In squared target units.
    largest_deviation, rms_deviation : float
        From the predictions of the float model, in target units.
    """

    r2: float
    mse: float
    largest_deviation: float
    rms_deviation: float


class Scores(dict[str, Score]):
    """The scores of several models on the same rows, by name; those of other rows add up."""

    def __add__(self, other: "Scores") -> "Scores":
        return Scores({name: score + other[name] for name, score in self.items()})

    def figures(self) -> dict[str, Figures]:
        """By name, what they say."""
        return {
            name: Figures(score.r2, score.mse, score.largest_deviation, score.rms_deviation)
            for name, score in self.items()
        }


def scores(models: Mapping[str, Model], reference: LinearRegression, blocks: Iterable[Block]) -> Scores:
    """The scores of each model on blocks of rows (X, y); deviations are from the reference."""
    total = Scores({name: Score() for name in models})
    for X, y in blocks:
        expected = reference.predict(X)
        total += Scores({name: Score.of(y, model.predict(X), expected) for name, model in models.items()})
    return total


def figures(models: Mapping[str, Model], reference: LinearRegression, blocks: Iterable[Block]) -> dict[str, Figures]:
    """The figures of each model on blocks of rows (X, y), such as a table; deviations are from the reference.

    Examples
    --------
    >>> from housing_np.table import load_california
    >>> table = load_california()
    >>> model = LinearRegression().fit(table.X, table.y)
    >>> round(figures({"float64": model}, model, table)["float64"].r2, 4)
    0.6062
    """
    return scores(models, reference, blocks).figures()


def require_variance(score: Score, target_name: str) -> None:
    """Refuse a target in which there is nothing to predict, or whose squares do not fit float64."""
    if score.constant:
        raise HousingError(f"the target {target_name!r} is the same in all {score.rows} rows: nothing to predict")
    if not (isfinite(score.r2) and isfinite(score.mse)):
        raise HousingError(f"{target_name!r} is too large or too small to square in float64: rescale it")


def calibration(blocks: Iterable[Block]) -> Calibration:
    """Return what the rows of blocks (X, y) look like."""
    total = Calibration()
    for X, y in blocks:
        total.update(X, y)
    return total


class Unseen(NamedTuple):
    """R² and MSE on rows that the fit has not seen; None where there are too few rows to tell."""

    r2: float | None
    mse: float | None


class Reduce(Protocol):
    """What gives a function the blocks of rows, be it all at once or in parts whose results it adds up."""

    def __call__(self, function: Callable[[Iterable[Block]], T], /) -> T: ...


def leave_one_out(model: LinearRegression, reduce: Reduce) -> Unseen:
    """Each row predicted by the model fitted to all others, in closed form from the leverages."""
    score = reduce(partial(_left_out, model))
    return Unseen(None, None) if isnan(score.mse) else Unseen(score.r2, score.mse)


def _left_out(model: LinearRegression, blocks: Iterable[Block]) -> Score:
    total = Score()
    for X, y in blocks:
        try:
            total += Score.of(y, model.leave_one_out(X, y))
        except HousingError:  # a row that alone determines a coefficient cannot be predicted without it
            total += Score.of(y, np.full_like(y, np.nan))
    return total


def held_out(reduce: Reduce, feature_names: Sequence[str] | None = None) -> Unseen:
    """The fifth that `holdout_split` sets aside of each block, predicted by a fit to the other rows."""
    others = reduce(partial(_summarize_others, feature_names))
    if others.rows < len(others.feature_names) + others.fit_intercept:
        return Unseen(None, None)
    score = reduce(partial(_tested, LinearRegression().set_solution(others)))
    # One row has no variance to explain.
    return Unseen(score.r2 if score.rows > 1 else None, score.mse)


def _summarize_others(feature_names: Sequence[str] | None, blocks: Iterable[Block]) -> "Summary":
    others = ((X[train], y[train]) for X, y in blocks for train, _ in [holdout_split(len(y))])
    return summarize(others, feature_names=feature_names)


def _tested(model: LinearRegression, blocks: Iterable[Block]) -> Score:
    tests = ((X[test], y[test]) for X, y in blocks for _, test in [holdout_split(len(y))])
    return sum((Score.of(y, model.predict(X)) for X, y in tests), Score())


class Share(NamedTuple):
    """What the error of one feature's weight does to a prediction.

    Attributes
    ----------
    feature : str
    weight, reference : float
        In target units per unit of the feature.
    effect : float
        |weight − reference| · rms(x), in target units.
    refitted : float
        What is left of it once the intercept is refitted: |weight − reference| · standard deviation of x.
    """

    feature: str
    weight: float
    reference: float
    effect: float
    refitted: float


def error_shares(model: Model, reference: LinearRegression, rows: Calibration) -> list[Share]:
    """Which feature is to blame for a deviation from the reference: the largest effect first; of the worst target.

    Examples
    --------
    >>> rows = Calibration.of([[1.0, 1000.0], [2.0, 3000.0]])
    >>> rounded = LinearRegression.from_coefficients([0.5, 0.0], 0.0, ["rooms", "people"], ["price"])
    >>> exact = LinearRegression.from_coefficients([0.4, 0.001], 0.0, ["rooms", "people"], ["price"])
    >>> error_shares(rounded, exact, rows)[0].feature
    'people'
    """
    weights, references = np.atleast_2d(model.coef_), np.atleast_2d(reference.coef_)
    errors = np.abs(weights - references)
    worst = int(np.argmax((errors * rows.rms).sum(axis=1)))
    columns = weights[worst], references[worst], errors[worst] * rows.rms, errors[worst] * rows.deviation
    shares = map(Share, model.feature_names_in_, *(column.tolist() for column in columns))
    return sorted(shares, key=lambda share: -share.effect)


class Limits(NamedTuple):
    """What a caller allows a quantized model to lose; None for no limit."""

    max_r2_drop: float | None = None
    max_deviation: float | None = None

    def broken(self, name: str, quantized: Figures, reference: Figures, shares: list[Share]) -> list[str]:
        """One line for each limit that is broken: by how much, and because of which feature.

        >>> shares = [Share("rooms", 0.5, 0.4, 0.25, 0.1)]
        >>> Limits(max_deviation=0.1).broken("uint8", Figures(0.5, 1, 0.25, 0.1), Figures(0.5, 1, 0, 0), shares)
        ['uint8: the largest deviation is 0.25, over the limit 0.1; most of the error is in the weight of rooms']
        """
        worst = max(shares, key=lambda share: share.refitted)
        because = f"most of the error is in the weight of {worst.feature}"
        drop = reference.r2 - quantized.r2
        lines = []
        if self.max_r2_drop is not None and not drop <= self.max_r2_drop:
            lines.append(f"{name}: R² drops by {drop:.3g}, over the limit {self.max_r2_drop:g}; {because}")
        if self.max_deviation is not None and not quantized.largest_deviation <= self.max_deviation:
            deviation = f"{quantized.largest_deviation:.3g}"
            lines.append(
                f"{name}: the largest deviation is {deviation}, over the limit {self.max_deviation:g}; {because}"
            )
        return lines


class Guarantee(NamedTuple):
    """How far a quantized model is from the float one, and how far it says that it can be; in target units."""

    median_deviation: float
    rms_deviation: float
    largest_deviation: float
    median_bound: float
    largest_bound: float


def guarantee(model: QuantizedLinear, reference: LinearRegression, X: np.ndarray) -> Guarantee:
    """Deviations and bounds on rows X (n, p)."""
    deviation = np.abs(model.predict(X) - reference.predict(X))
    bound = model.error_bound(X)
    return Guarantee(
        float(np.median(deviation)),
        float(np.sqrt(np.mean(deviation**2))),
        float(deviation.max()),
        float(np.median(bound)),
        float(bound.max()),
    )
