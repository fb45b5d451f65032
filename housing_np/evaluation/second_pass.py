"""The second pass over rows: how good the models are, on all rows and on rows that are not part of the fit."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..fit.linear import LinearRegression
from ..fit.passes import CombinedSums, FilteredSum
from ..fit.summary import Summary
from ..quantized.model import Model
from .first_pass import FirstPass
from .leave_one_out import LeaveOneOut
from .scores import Scores
from .split import is_held_out

HELD_OUT = "held out"  # the name of the model that is fitted to the other four fifths
_FOUR_FIFTHS = "in the four fifths that the held-out figures are fitted to, "


@dataclass
class SecondPass(CombinedSums):
    """What a second pass over rows collects."""

    scores: Scores  # of the models on all rows
    leave_one_out: LeaveOneOut
    held_out: FilteredSum[Scores]  # of a model fitted to four fifths of the rows, on the other fifth

    @classmethod
    def of(cls, models: Mapping[str, Model], model: LinearRegression, first: FirstPass) -> "SecondPass":
        """Return the empty sum for the models made of one float model, after a first pass."""
        return cls(Scores(models, model), LeaveOneOut(model), held_out_scores(first.four_fifths.sum, model))


def held_out_scores(four_fifths: Summary, model: LinearRegression) -> FilteredSum[Scores]:
    """Return the empty sum of the scores on the held-out fifth, for a model like the given one fitted to the others.

    Without a model if these are fewer rows than unknowns. A RankWarning that the fit to all rows gave is not repeated.
    """
    other = model.unfitted()
    models: dict[str, Model] = {}
    if four_fifths.rows >= len(four_fifths.feature_names) + four_fifths.fit_intercept:
        models[HELD_OUT] = other.set_solution(four_fifths, model.columns, where=_FOUR_FIFTHS, known=model.dependence)
    return FilteredSum(Scores(models, other), is_held_out)
