"""How good models are on rows with known targets, and how far they are from the float model."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite, isnan, nan
from typing import NamedTuple

from ..checks.arrays import Floats, pieces
from ..errors import HousingError, quoted
from ..fit.linear import LinearRegression
from ..fit.metrics import Score
from ..fit.passes import total
from ..quantized.model import Model
from ..rows.in_memory import Block


class Figures(NamedTuple):
    """The errors of a model on rows with known targets, and its deviation from the float model."""

    r2: float
    mse: float  # in squared target units
    largest_deviation: float  # from the predictions of the float model, in target units
    rms_deviation: float
    mae: float = nan  # in target units


def require_figures(figures: Figures, target_name: str) -> None:
    """Raise HousingError if R² or MSE exceeds float64."""
    if not (isfinite(figures.r2) and isfinite(figures.mse)):
        raise HousingError(f"{quoted(target_name)} is too large or too small to square in float64: rescale it")


class OutOfSample(NamedTuple):
    """R², MSE and MAE on rows that are not part of the fit; None where there are too few rows."""

    r2: float | None
    mse: float | None
    mae: float | None = None

    @classmethod
    def of(cls, score: Score | None) -> "OutOfSample":
        """Return the figures of a score; None for each if there is none."""
        if score is None or not score.rows or isnan(score.mse):
            return cls(None, None)
        # One row has no variance to explain.
        return cls(score.r2 if score.rows > 1 else None, score.mse, score.mae)


@dataclass
class Scores:
    """The scores of several models on the same rows, by name; deviations are from the reference.

    >>> from housing_np import load_california
    >>> table = load_california()
    >>> model = LinearRegression().fit(table.X, table.y)
    >>> round(total(Scores({"float64": model}, model), table).figures()["float64"].r2, 4)
    0.6062
    """

    models: Mapping[str, Model]
    reference: LinearRegression
    scores: dict[str, Score] = field(default_factory=dict)

    def update(self, X: Floats, y: Floats) -> None:
        """Add a block of rows."""
        if not self.models:
            return
        for piece in pieces(X):
            expected = self.reference.predict(X[piece])
            for name, model in self.models.items():
                predicted = expected if model is self.reference else model.predict(X[piece])
                self.scores.setdefault(name, Score()).update(y[piece], predicted, expected)

    def __add__(self, other: "Scores") -> "Scores":
        """Return the scores of the rows of both."""
        empty = Score()
        scores = {name: self.scores.get(name, empty) + other.scores.get(name, empty) for name in self.models}
        return Scores(self.models, self.reference, scores)

    def figures(self) -> dict[str, Figures]:
        """Return the figures of each model by its name."""
        return {
            name: Figures(score.r2, score.mse, score.largest_deviation, score.rms_deviation, score.mae)
            for name, score in self.scores.items()
        }


def figures(models: Mapping[str, Model], reference: LinearRegression, blocks: Iterable[Block]) -> dict[str, Figures]:
    """Return the figures of each model on blocks of rows (X, y), such as a table; deviations are from the reference."""
    return total(Scores(models, reference), blocks).figures()
