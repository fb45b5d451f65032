"""Statistics of a fitted model, and their table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..checks.arrays import Floats, as_number
from ..checks.display import columns, in_brackets
from ..errors import HousingError, counted, extra
from ..rows.columns import Columns
from .display import Table, grouped, r2_name

if TYPE_CHECKING:
    from .solution import Solution

_UNKNOWN = "–"


class Inference:
    """Statistics of a least-squares fit with independent errors of equal variance; its text is a table.

    Floatss over the unknowns have shape (q,), or (k, q) for several targets; `names` names them, the intercept first.

    Attributes
    ----------
    names : tuple of str
    coef, stderr, t, p, low, high : arrays
        Estimates, standard errors, t statistics, two-sided p-values and ends of the confidence intervals.
        The last three need scipy (the extra stats) and raise HousingError without it.
        All but the estimate are NaN where it is not identified.
    identified : array of bool (q,)
        Which unknowns the data determine. Where columns depend on each other, such as a column and its double, many
        values of the other unknowns predict the rows equally well. Identified unknowns have the statistics of the
        model without the dependent columns.
    fit_intercept : bool
    r2, adjusted_r2, residual_std : arrays (k,)
        Without an intercept, R² is uncentred: about zero, not about the mean as that of `score`. Adjusted R², standard
        errors and the residual standard deviation are NaN when there are no more rows than unknowns.
    nan_reason : str
        Why standard errors are NaN, and what to do: for example weights that add up to 1. Empty if they are not.
    rows, degrees_of_freedom : int, or float where rows have weights
        Rows are counted as often as their weights say.
    rank : int
        It counts the intercept.
    condition_number : float
        Of the design as it came, column of ones included: the largest singular value by the smallest.
    scaled_condition_number : float
        With columns centred (given an intercept) and scaled to norm 1: it bounds the digits that are lost.
    """

    fit_intercept: bool
    names: tuple[str, ...]
    target_names: tuple[str, ...]
    confidence: float
    coef: Floats
    stderr: Floats
    t: Floats
    r2: Floats
    adjusted_r2: Floats
    residual_std: Floats
    nan_reason: str
    rows: float
    degrees_of_freedom: float
    rank: int
    condition_number: float
    scaled_condition_number: float
    distinct: bool
    identified: npt.NDArray[np.bool_]

    def __init__(self, solution: "Solution", columns: Columns, target_names: Sequence[str], confidence: float) -> None:
        confidence = as_number(confidence, "confidence")
        if not 0 < confidence < 1:
            raise HousingError(f"confidence is {confidence:g}: expected a number between 0 and 1, such as 0.95")
        self.confidence, self.target_names = confidence, tuple(target_names)
        self.fit_intercept = bool(solution.fit_intercept)
        self._made_of, self._feature_names = columns, columns.feature_names
        self.names = ("intercept", *self._feature_names) if self.fit_intercept else self._feature_names
        self.rows, self.rank = solution.rows, solution.rank + solution.fit_intercept
        self.degrees_of_freedom = max(self.rows - self.rank, 0)
        skip = 0 if solution.fit_intercept else 1
        self.identified = solution.identified()[skip:]
        self.coef = np.column_stack([solution.intercept, solution.coef.T])[:, skip:]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            dof = np.float64(self.degrees_of_freedom)
            self.residual_std = solution.residual_norm / (np.sqrt(dof) if dof else np.nan)
            self.stderr = np.outer(self.residual_std, solution.unit_stderr()[skip:])
            self.t = self.coef / self.stderr
            self.r2 = 1 - solution.unexplained
            self.adjusted_r2 = 1 - solution.unexplained * (self.rows - solution.fit_intercept) / (dof or np.nan)
            self.scaled_condition_number = float(solution.singular_values[0] / solution.singular_values[-1])
        self.nan_reason = "" if self.degrees_of_freedom else _nan_reason(self.rows, self.rank, solution.count)
        self.condition_number = _condition_number(solution)
        self.distinct = solution.distinct
        if len(self.target_names) == 1:
            self.coef, self.stderr, self.t = self.coef[0], self.stderr[0], self.t[0]

    @property
    def p(self) -> Floats:
        """Two-sided p-values of the t statistics."""
        return np.asarray(2 * _student().sf(np.abs(self.t), self.degrees_of_freedom))

    @property
    def low(self) -> Floats:
        """Lower ends of the confidence intervals."""
        with np.errstate(over="ignore"):
            return np.asarray(self.coef - self._quantile() * self.stderr)

    @property
    def high(self) -> Floats:
        """Upper ends of the confidence intervals."""
        with np.errstate(over="ignore"):
            return np.asarray(self.coef + self._quantile() * self.stderr)

    def _quantile(self) -> float:
        return float(_student().ppf((1 + self.confidence) / 2, self.degrees_of_freedom))

    def __str__(self) -> str:
        return "\n\n".join(table.text() for table in self._tables())

    def __repr__(self) -> str:
        r2 = f"{r2_name(self.fit_intercept)} {np.mean(self.r2):.4f}"
        return in_brackets(self, [counted(self.rows, "row"), columns(self._feature_names, self.target_names), r2])

    def _repr_html_(self) -> str:
        """Return the tables for notebooks."""
        return "\n".join(table.html() for table in self._tables())

    def _tables(self) -> list[Table]:
        """Return the table of each target."""
        columns, missing = self._columns()
        degrees = f"{self.degrees_of_freedom} {'degree' if self.degrees_of_freedom == 1 else 'degrees'} of freedom"
        size = f"{self.rows} {'row' if self.rows == 1 else 'rows'}, {degrees}"
        values = np.stack([np.atleast_2d(column) for column in columns.values()], axis=-1)
        return [
            Table(
                f"least squares: {name}, {size}",
                list(columns),
                self._rows(values[i]),
                [*self._quality(i), *missing],
            )
            for i, name in enumerate(self.target_names)
        ]

    def _rows(self, values: Floats) -> list[list[str]]:
        """Return the rows of a table: the intercept, if there is one, and the features."""
        rows = [_cells(*row) for row in zip(self.names, values, self.identified, strict=True)]
        first, baseline = int(self.fit_intercept), ["0", *("" for _ in values[0][1:])]
        return rows[:first] + grouped(self._made_of, rows[first:], baseline)

    def _columns(self) -> tuple[dict[str, Floats], list[str]]:
        """Return the columns of the tables by their heads, and why any are missing."""
        columns = {"coefficient": self.coef, "std. error": self.stderr, "t": self.t}
        try:
            columns |= {"p": self.p, f"{100 * self.confidence:g}% from": self.low, "to": self.high}
        except HousingError as error:
            return columns, [str(error)]
        return columns, []

    def _quality(self, target: int) -> list[str]:
        """Return the lines about the fit as a whole."""
        lines = [
            f"{r2_name(self.fit_intercept)} {self.r2[target]:.6f}, adjusted {self.adjusted_r2[target]:.6f}; "
            f"residual standard deviation {self.residual_std[target]:.6g}",
            f"rank {self.rank} of {len(self.names)}; condition number {self.condition_number:.3g}, "
            f"{self.scaled_condition_number:.3g} with scaled columns",
        ]
        if self.nan_reason:
            lines.append(f"no standard errors: {self.nan_reason}")
        if not self.fit_intercept:
            lines.append("without an intercept R² is about zero; score gives it about the mean, which may be far lower")
        if not self.identified.all():
            lines.append(
                f"{_UNKNOWN} not identified: other coefficients predict the rows as well; "
                f"drop {len(self.names) - self.rank} of the features so marked"
            )
        if not self.distinct:
            lines.append("at this condition number, rounding of the data hides whether the rank is full or lower")
        return lines


def _cells(name: str, values: Floats, is_identified: np.bool_) -> list[str]:
    """Return the name of an unknown, its estimate and its statistics."""
    estimate, *statistics = (f"{value:.6g}" for value in values)
    return [name, estimate, *(statistics if is_identified else [_UNKNOWN for _ in statistics])]


def _nan_reason(rows: float, rank: int, count: int) -> str:
    if rows == count:
        return f"{counted(rows, 'row')} for {counted(rank, 'unknown')}; give more rows"
    return (
        f"weights count rows; these add up to {rows:g}, for {counted(rank, 'unknown')}; multiply them, so that they "
        "add up to the number of rows that they stand for, or give more rows"
    )


def _condition_number(solution: "Solution") -> float:
    """Return that of [1, X], whose R factor is that of the centred columns bordered by their means."""
    p = len(solution.norms)
    design = np.zeros((p + 1, p + 1))
    design[0, 0] = np.sqrt(solution.rows)
    with np.errstate(over="ignore", invalid="ignore"):
        design[0, 1:] = design[0, 0] * solution.mean
        design[1:, 1:] = solution.factor * solution.norms
    if not np.isfinite(design).all():
        return float("nan")
    if not solution.fit_intercept:
        design = design[1:, 1:]
    singular = np.linalg.svd(design, compute_uv=False)
    return float(singular[0] / singular[-1]) if singular[-1] else float("inf")


def _student() -> Any:
    with extra("stats", "p-values and intervals need scipy"):
        from scipy.stats import t
    return t
