"""Statistics of a fitted model, and their table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..checks.arrays import as_number
from ..errors import HousingError, counted, install_hint

if TYPE_CHECKING:
    from .solution import Solution

Array = npt.NDArray[np.float64]
_UNKNOWN = "–"


class Inference:
    """Statistics of a least-squares fit with independent errors of equal variance; its text is a table.

    Arrays over the unknowns have shape (q,), or (k, q) for several targets; `names` names them, the intercept first.

    Attributes
    ----------
    names : tuple of str
    coef, stderr, t, p, low, high : arrays
        Estimates, standard errors, t statistics, two-sided p-values and ends of the confidence intervals.
        The last three need scipy (the extra stats) and raise HousingError without it.
        All but the estimate are NaN where it is not identified.
    identified : array of bool (q,)
        Which unknowns the data determine. Where columns depend on each other, others come with a choice among many
        that predict the rows as well, such as two columns of which one is the other's double. Those that are
        identified have the statistics that they have in the model without the dependent columns.
    fit_intercept : bool
    r2, adjusted_r2, residual_std : arrays (k,)
        Without an intercept, R² is uncentred: about zero, not about the mean as that of `score`. Adjusted R², standard
        errors and the residual standard deviation are NaN when there are no more rows than unknowns.
    rows, degrees_of_freedom : int, or float where rows have weights
        Rows are counted as often as their weights say.
    rank : int
        It counts the intercept.
    condition_number : float
        Of the design as it came, column of ones included: the largest singular value by the smallest.
    scaled_condition_number : float
        With columns centred (given an intercept) and scaled to norm 1: what the digits depend on.
    """

    fit_intercept: bool
    names: tuple[str, ...]
    target_names: tuple[str, ...]
    confidence: float
    coef: Array
    stderr: Array
    t: Array
    r2: Array
    adjusted_r2: Array
    residual_std: Array
    rows: float
    degrees_of_freedom: float
    rank: int
    condition_number: float
    scaled_condition_number: float
    distinct: bool
    identified: npt.NDArray[np.bool_]

    def __init__(
        self, solution: "Solution", feature_names: Sequence[str], target_names: Sequence[str], confidence: float
    ) -> None:
        confidence = as_number(confidence, "confidence")
        if not 0 < confidence < 1:
            raise HousingError(f"confidence is {confidence:g}: expected a number between 0 and 1, such as 0.95")
        self.confidence, self.target_names = confidence, tuple(target_names)
        self.fit_intercept = bool(solution.fit_intercept)
        self._feature_names = tuple(feature_names)
        self.names = (*["intercept"] * solution.fit_intercept, *feature_names)
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
        self.condition_number = _condition_number(solution)
        self.distinct = solution.distinct
        if len(self.target_names) == 1:
            self.coef, self.stderr, self.t = self.coef[0], self.stderr[0], self.t[0]

    @property
    def p(self) -> Array:
        """Two-sided p-values of the t statistics."""
        return np.asarray(2 * _student().sf(np.abs(self.t), self.degrees_of_freedom))

    @property
    def low(self) -> Array:
        """Lower ends of the confidence intervals."""
        with np.errstate(over="ignore"):
            return np.asarray(self.coef - self._quantile() * self.stderr)

    @property
    def high(self) -> Array:
        """Upper ends of the confidence intervals."""
        with np.errstate(over="ignore"):
            return np.asarray(self.coef + self._quantile() * self.stderr)

    def _quantile(self) -> float:
        return float(_student().ppf((1 + self.confidence) / 2, self.degrees_of_freedom))

    def __str__(self) -> str:
        return "\n\n".join(map(_text, self._tables()))

    def __repr__(self) -> str:
        from ..checks.display import columns, in_brackets

        names = columns(self._feature_names, self.target_names)
        return in_brackets(
            self, [counted(self.rows, "row"), names, f"{r2_name(self.fit_intercept)} {np.mean(self.r2):.4f}"]
        )

    def _repr_html_(self) -> str:
        """Return the tables for notebooks."""
        return "\n".join(map(_html, self._tables()))

    def _tables(self) -> list["_Table"]:
        """Return the table of each target."""
        level = f"{100 * self.confidence:g}%"
        columns = {"coefficient": self.coef, "std. error": self.stderr, "t": self.t}
        missing = []
        try:
            columns |= {"p": self.p, f"{level} from": self.low, "to": self.high}
        except HousingError as error:
            missing = [str(error)]
        values = np.stack([np.atleast_2d(each) for each in columns.values()], axis=-1)
        degrees = f"{self.degrees_of_freedom} {'degree' if self.degrees_of_freedom == 1 else 'degrees'} of freedom"
        return [
            _Table(
                f"least squares: {name}, {self.rows} {'row' if self.rows == 1 else 'rows'}, {degrees}",
                list(columns),
                list(map(_cells, self.names, values[i], self.identified)),
                [*self._quality(i), *missing],
            )
            for i, name in enumerate(self.target_names)
        ]

    def _quality(self, target: int) -> list[str]:
        """Return what is to be said of the whole fit."""
        lines = [
            f"{r2_name(self.fit_intercept)} {self.r2[target]:.6f}, adjusted {self.adjusted_r2[target]:.6f}; "
            f"residual standard deviation {self.residual_std[target]:.6g}",
            f"rank {self.rank} of {len(self.names)}; condition number {self.condition_number:.3g}, "
            f"{self.scaled_condition_number:.3g} with scaled columns",
        ]
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


def r2_name(fit_intercept: bool) -> str:
    """Return what the R² of a fit is called: without an intercept it is another number, as in statsmodels."""
    return "R²" if fit_intercept else "R² (uncentred)"


class _Table(NamedTuple):
    """What is shown of one target: numbers below a title and heads, each row after its name, and lines below them."""

    title: str
    head: list[str]
    rows: list[list[str]]
    lines: list[str]


def _cells(name: str, values: Array, identified: np.bool_) -> list[str]:
    """Return the name of an unknown, its estimate and its statistics."""
    estimate, *statistics = (f"{value:.6g}" for value in values)
    return [name, estimate, *(statistics if identified else [_UNKNOWN] * len(statistics))]


def _text(table: _Table) -> str:
    width = max(len(name) for name, *_ in table.rows)
    rows = (
        f"{name:<{width}}" + "".join(f"{cell:>14}" for cell in cells)
        for name, *cells in [["", *table.head], *table.rows]
    )
    return "\n".join([table.title, *rows, *table.lines])


def _html(table: _Table) -> str:
    from ..checks.display import html_table

    names, *columns = zip(*table.rows, strict=True)
    return html_table(table.title, names, dict(zip(table.head, columns, strict=True)), table.lines)


def _condition_number(solution: "Solution") -> float:
    """Of [1, X], whose R factor is that of the centred columns bordered by their means."""
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
    try:
        from scipy.stats import t
    except ImportError:
        raise HousingError(f"p-values and intervals need scipy: {install_hint('stats')}") from None
    return t
