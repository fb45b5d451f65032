"""Text and tables about fitted models."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..checks.display import columns, html_table, titled
from ..errors import counted, listed, printable, quoted
from ..rows.columns import Columns

if TYPE_CHECKING:
    from .linear import LinearRegression
    from .solution import Solution

_LEVEL = "  = "  # before the name of a level, below that of its category


class Table(NamedTuple):
    """A table of text: a title, the heads of the columns, the rows, each after its name, and lines below them."""

    title: str
    heads: list[str]
    rows: list[list[str]]
    lines: list[str]

    def text(self) -> str:
        """Return the table for a terminal."""
        shown = [[printable(name), *cells] for name, *cells in self.rows]
        width = max(len(name) for name, *_ in shown)
        rows = [
            (f"{name:<{width}}" + "".join(f"{cell:>14}" for cell in cells)).rstrip()
            for name, *cells in [["", *self.heads], *shown]
        ]
        return "\n".join([self.title, *rows, *self.lines])

    def html(self) -> str:
        """Return the table for a notebook."""
        names, *cells = zip(*self.rows, strict=True)
        return html_table(self.title, names, dict(zip(self.heads, cells, strict=True)), self.lines)


def grouped(columns: Columns, rows: Sequence[Sequence[Any]], baseline: Sequence[Any]) -> list[list[Any]]:
    """Return the rows of a table of features with the levels of each category below its name, the baseline too.

    Parameters
    ----------
    columns : Columns
        What the features are made of.
    rows : sequence of sequences
        The name and the cells of each feature.
    baseline : sequence
        The cells of a baseline.

    Examples
    --------
    >>> grouped(Columns(("sea",), levels={"sea": ("far", "near")}), [["sea=near", 1.5]], [0.0])
    [['sea', ''], ['  = far', 0.0], ['  = near', 1.5]]
    """
    left, found = iter(rows), []
    for name in columns.names:
        if name not in columns.levels:
            found.append([*next(left)])
            continue
        first, *others = columns.levels[name]
        found += [[name, *("" for _ in baseline)], [f"{_LEVEL}{first}", *baseline]]
        found += [[f"{_LEVEL}{level}", *next(left)[1:]] for level in others]
    return found


def r2_name(fit_intercept: bool) -> str:
    """Return the name of the R² of a fit: without an intercept it is another number, as in statsmodels."""
    return "R²" if fit_intercept else "R² (uncentred)"


def model_html(model: "LinearRegression", solution: "Solution | None") -> str:
    """Return a model's coefficients, and the R² of its fit if known, as an HTML table for notebooks."""
    if not hasattr(model, "coef_"):
        return html_table(titled(model, ["not fitted yet"]), [], {})
    facts = [columns(model.feature_names, model.target_names_), counted(model.payload_bytes, "byte")]
    if solution is not None:
        facts.append(f"{r2_name(solution.fit_intercept)} {1 - np.mean(solution.unexplained):.4f}")
    rows = [list(row) for row in zip(model.feature_names, *np.atleast_2d(model.coef_), strict=True)]
    rows = grouped(model.columns, rows, [0.0 for _ in model.target_names_])
    names, *weights = zip(["intercept", *np.atleast_1d(model.intercept_)], *rows, strict=True)
    return html_table(titled(model, facts), names, dict(zip(model.target_names_, weights, strict=True)))


def dependence_note(solution: "Solution", columns: Columns) -> str:
    """Return which features do not determine their coefficients, and what to do, for a fit of less than full rank."""
    names, varies = columns.feature_names, np.asarray(solution.factor.any(axis=0))
    still = [name for name, does in zip(names, varies, strict=True) if not does]
    constant = [name for name in still if name in columns.names]
    absent = [name for name in still if name not in columns.names]
    others = [name for name, is_one in zip(names, solution.dependent() & varies, strict=True) if is_one]
    advice = []
    if constant:
        advice.append(f"drop {listed(constant, quoted)}, which never {'varies' if len(constant) == 1 else 'vary'}")
    if absent:
        advice.append(f"no row has {listed(absent, quoted)}")
    if others:
        # A level is not dropped alone.
        owners = [name for name in columns.names if not set(others).isdisjoint(columns.features_of(name))]
        number = len(names) - solution.rank - len(still) if set(others) == set(owners) else "one"
        advice.append(f"{listed(owners, quoted)} depend on each other: drop {number} of them")
    which = "of one choice among several" if solution.positive else "of least norm in scaled units"
    return (
        f"the features have rank {solution.rank}, fewer than the {counted(len(names), 'coefficient')} to determine: "
        f"this is the solution {which}; {'; '.join(advice)}"
    )
