"""The first pass over rows: everything that needs no model, the sums of the fit included."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import HousingError, counted, quoted, remedy
from ..fit.linear import LinearRegression
from ..fit.passes import CombinedSums, FilteredSum
from ..fit.summary import Summary, require_determined
from ..quantized.calibration import Calibration
from ..rows.columns import Columns
from ..rows.table import Stream
from .diagnostics import Ends
from .sample import Head, Sample
from .split import is_fitted


class TargetCalibration(Calibration):
    """The calibration of the targets, as one column."""

    def update(self, X: ArrayLike, y: ArrayLike | None = None) -> None:
        """Add a block of targets y (n,); their rows do not matter."""
        super().update(np.asarray(y)[:, np.newaxis])


@dataclass
class FirstPass(CombinedSums):
    """What a first pass over rows collects."""

    all_rows: Summary  # for the fit to all rows
    four_fifths: FilteredSum[Summary]  # for the fit to all rows but the held-out fifth
    features: Calibration
    target: TargetCalibration
    ends: Ends
    head: Head
    sample: Sample

    @classmethod
    def of(cls, table: Stream, model: LinearRegression) -> "FirstPass":
        """Return the empty sum for a table's columns and a model that is to be fitted to them."""
        names = {"feature_names": table.feature_names, "target_names": (table.target_name,)}
        return cls(
            model.empty_summary(**names),
            FilteredSum(model.empty_summary(**names), is_fitted),
            Calibration(covariance=False),
            TargetCalibration(covariance=False),
            Ends(),
            Head(),
            Sample(),
        )

    def require_rows(self, table: Stream) -> None:
        """Raise HousingError for fewer rows than unknowns, if the rows are counted before they are summed."""
        if table.rows is not None:
            self._require_determined(table.rows, table.columns)

    def require_variance(self, columns: Columns | None = None) -> None:
        """Raise HousingError for no rows, fewer rows than unknowns, or a constant target.

        Categories of these columns are named where they are the reason.
        """
        rows, (name,) = self.all_rows.rows, self.all_rows.target_names
        if not rows:
            raise HousingError("no rows below the names of the columns in any of the files; expected at least one")
        if columns is not None:
            self._require_determined(int(rows), columns)
        self.all_rows.require_determined()
        if rows > 1 and self.target.low == self.target.high:
            raise HousingError(f"the target {quoted(name)} is the same in all {rows} rows: nothing to predict")

    def _require_determined(self, rows: int, columns: Columns) -> None:
        unknowns = len(columns.feature_names) + self.all_rows.fit_intercept
        require_determined(rows, unknowns, advice=_large_categories(columns, unknowns - rows))


def _large_categories(columns: Columns, surplus: int) -> str:
    """Return the largest categories that have this many features, as advice; empty if all together have fewer.

    >>> _large_categories(Columns(("zip", "sea"), levels={"zip": ("a", "b", "c"), "sea": ("far", "near")}), 2)
    "; 'zip' has 3 levels: ignore=['zip']"
    """
    found: list[str] = []
    for name in sorted(columns.levels, key=lambda name: -len(columns.levels[name])):
        if surplus > 0:
            found.append(name)
            surplus -= len(columns.levels[name]) - 1
    if surplus > 0 or not found or len(found) == len(columns.names):
        return ""
    levels = ", ".join(f"{quoted(name)} has {counted(len(columns.levels[name]), 'level')}" for name in found)
    return f"; {levels}{remedy(': {ignore}', ignore=found)}"
