"""Leave-one-out figures of a fitted model, summed over blocks of rows."""

from collections.abc import Collection
from dataclasses import dataclass, field
from math import nan

import numpy as np

from ..checks.arrays import Floats, pieces
from ..errors import counted, listed, quoted
from ..fit.leave_one_out import determined_by, left_out
from ..fit.linear import LinearRegression
from ..fit.metrics import Score
from .diagnostics import Diagnostics


@dataclass
class LeaveOneOut:
    """The score of each row's prediction by the model fitted to all other rows, in closed form from the leverages."""

    model: LinearRegression
    others: Score = field(default_factory=Score)  # of the rows that have such a prediction
    alone: int = 0  # rows without one: each alone determines a weight
    features: frozenset[str] = frozenset()  # those with such a weight
    diagnostics: Diagnostics = field(init=False)  # what else follows from the leverages

    def __post_init__(self) -> None:
        self.diagnostics = Diagnostics(self.model)

    def update(self, X: Floats, y: Floats) -> None:
        """Add a block of rows that the model was fitted to."""
        for piece in pieces(X):
            predicted, is_alone = left_out(self.model, X[piece], y[piece], visit=self.diagnostics.update)
            self.others.update(y[piece][~is_alone], predicted[~is_alone])
            if is_alone.any():
                self.features |= set(determined_by(self.model, X[piece][is_alone]))
                self.alone += int(is_alone.sum())

    def __add__(self, other: "LeaveOneOut") -> "LeaveOneOut":
        """Return the score of the rows of both."""
        features = self.features | other.features
        total = LeaveOneOut(self.model, self.others + other.others, self.alone + other.alone, features)
        total.diagnostics = self.diagnostics + other.diagnostics
        return total

    @property
    def score(self) -> Score:
        """The score of all rows; NaN if a row has no prediction."""
        unknown = Score()
        unknown.update(np.zeros(self.alone), np.full(self.alone, nan))
        return self.others + unknown if self.alone else self.others


def rows_alone(rows: int, features: Collection[str]) -> str:
    """Describe rows without a leave-one-out prediction for a message: how many, and what they determine.

    >>> rows_alone(1, ["rooms"])
    "1 row that alone determines the weight of 'rooms'"
    """
    verb, what = "determines" if rows == 1 else "determine", "weight" if len(features) == 1 else "weights"
    return f"{counted(rows, 'row')} that alone {verb} the {what} of {listed(features, quoted)}"
