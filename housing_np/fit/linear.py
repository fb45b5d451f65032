"""Linear regression: scikit-learn's conventions on a one-pass least-squares solver."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from ..checks.arrays import Floats, as_numbers, as_rows, refuse_inexact
from ..checks.names import as_names, require_apart
from ..checks.sparse import by_rows
from ..errors import HousingError, quoted, warn_caller
from ..rows.columns import Columns, positional_names, require_columns
from ..rows.encoded import encoded
from .estimator import Estimator, Names
from .metrics import as_targets, r2_score
from .products import dot_rows, refuse_nonfinite_rows

if TYPE_CHECKING:
    from .inference import Inference
    from .solution import Solution
    from .summary import Summary


class FittedLinear(Protocol):
    """A fitted linear model of any library, with scikit-learn's attributes."""

    coef_: Any
    intercept_: Any

    def predict(self, X: Any, /) -> Any:
        """Return predictions for rows."""


class LinearRegression(Estimator):
    """Ordinary least squares, for one target or several.

    Parameters
    ----------
    fit_intercept : bool
        Whether the model has a constant term.
    copy_X, tol, n_jobs
        Taken as scikit-learn takes them, and without effect.
    positive : bool
        Whether no weight may be below 0; the intercept may. It needs scipy (the extra stats).

    Attributes
    ----------
    coef_ : (p,) array, or (k, p) for y of shape (n, k)
        In the units of the features.
    intercept_ : float, or (k,) array
    rank_ : int
        Of the design, intercept not counted.
    singular_values_ : (p,) array
        Of the design with its columns centred (given an intercept) and scaled to norm 1.
    n_features_in_ : int
    feature_names_in_ : (p,) array of objects
        The names of the features, which frames must have in the same order. Absent after a fit to arrays: frames are
        then used by position, as arrays are.
    feature_names, target_names_ : tuple of str
        The same as a tuple, x0, x1, … without names; and the names of the targets.
    columns : Columns
        What the features are made of: the columns of the user's table, with categories and fills if there are any.

    Examples
    --------
    >>> model = LinearRegression().fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    >>> model.coef_, model.intercept_
    (array([2.]), 1.0)
    >>> model.predict([[10.0]])
    array([21.])
    """

    coef_: Floats
    intercept_: float | Floats
    rank_: int
    n_features_in_: int
    feature_names_in_: npt.NDArray[np.object_]
    target_names_: tuple[str, ...]
    _names: tuple[str, ...]
    _named: bool
    _columns: Columns | None = None
    _solution: "Solution | None" = None
    scheme: None = None  # as a quantized model has one

    def __init__(
        self,
        fit_intercept: bool = True,
        *,
        copy_X: bool = True,
        tol: float = 1e-6,
        n_jobs: int | None = None,
        positive: bool = False,
    ) -> None:
        self.fit_intercept, self.positive = fit_intercept, positive
        self.copy_X, self.tol, self.n_jobs = copy_X, tol, n_jobs

    @classmethod
    def from_coefficients(
        cls,
        coef: npt.ArrayLike,
        intercept: npt.ArrayLike,
        feature_names: Sequence[str],
        target_names: Sequence[str],
        columns: Columns | None = None,
    ) -> Self:
        """Return a model with the given coefficients, as loaded from a file.

        Its `fit_intercept` is True, the default, whatever the intercept is: fitted again, it is fitted with one.

        Parameters
        ----------
        coef : (p,) or (k, p)
        intercept : scalar or (k,)
        feature_names, target_names : sequences of p and k str
            Features called x0, x1, … are those of an array: frames go by position.
        columns : Columns, optional
            What the features are made of; its `feature_names` are these.

        Raises
        ------
        HousingError
            When the shapes and the numbers of names disagree, a name is used twice, or a value is not a number.
        """
        features, targets = as_names(feature_names, "feature_names"), as_names(target_names, "target_names")
        require_apart(features, targets)
        weights, offset = as_numbers(coef, "coef"), as_numbers(intercept, "intercept")
        refuse_inexact(weights, "coef")
        refuse_inexact(offset, "intercept")
        k, p = len(targets), len(features)
        if weights.shape not in ((p,), (k, p)) or offset.shape != weights.shape[:-1] or (weights.ndim == 1 and k != 1):
            raise HousingError(
                f"coefficients of shape {weights.shape} and intercept of shape {offset.shape} do not fit "
                f"{p} feature and {k} target names"
            )
        model = cls()
        named = features != positional_names(p)
        model._set_coefficients(weights.astype(np.float64), offset.astype(np.float64), features, targets, named)
        model.feature_names_in_ = Names.of(features)
        model._set_columns(columns)
        return model

    @classmethod
    def of(cls, estimator: Any, expected: str = "a fitted linear regression") -> "LinearRegression":
        """Return a fitted linear model of scikit-learn, or of its kind, as one of this class; see `adopt`."""
        from .adopt import adopt  # imported here because predict must start fast

        return adopt(estimator, expected)

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        feature_names: Sequence[str] | npt.NDArray[np.object_] | None = None,
        target_names: Sequence[str] | npt.NDArray[np.object_] | None = None,
        columns: Columns | None = None,
    ) -> Self:
        """Fit to n rows; the input is not copied, so memory-mapped arrays of any size will do.

        Parameters
        ----------
        X : (n, p)
            Real numbers; other types than float64 are computed in float64. Sparse rows of scipy are made dense a block
            at a time.
        y : (n,) or (n, k)
        sample_weight : (n,), optional
            How many times each row counts: at least 0, and not only whole numbers. A row of weight 0 is left out.
        feature_names, target_names : sequences of str, optional
            Default: the columns of a data frame, else x0, x1, ... and y (or y0, y1, ...).
        columns : Columns, optional
            What the features are made of, such as the `columns` of `read_table`: `predict` then takes frames with the
            columns of the user's table too. A frame X with these columns is encoded here.

        Raises
        ------
        HousingError
            For numbers that are not finite or not exact in float64, mismatched lengths, or no rows.

        Warns
        -----
        numpy.exceptions.RankWarning
            When the features depend linearly on each other, as they do where there are fewer rows than unknowns; of all
            solutions this is then the one of least norm in units of the scaled columns.
        """
        if columns is not None:
            X, feature_names = encoded(X, columns), columns.feature_names
        blocks = [(X, y)] if sample_weight is None else [(X, y, sample_weight)]
        self.fit_blocks(blocks, feature_names=feature_names, target_names=target_names)
        self._set_columns(columns)
        return self

    def fit_blocks(
        self,
        blocks: Iterable[tuple[npt.ArrayLike, ...]],
        *,
        feature_names: Sequence[str] | npt.NDArray[np.object_] | None = None,
        target_names: Sequence[str] | npt.NDArray[np.object_] | None = None,
    ) -> Self:
        """Fit to blocks of rows, each read once.

        Order and size of the blocks change the answer only by rounding: a few κ·u, with u = 2**-53 and κ the condition
        number of the columns, centred (given an intercept) and scaled to norm 1; more if κ and the residuals are large.

        Parameters
        ----------
        blocks : iterable of (X, y) or (X, y, sample_weight)
            As for `fit`. Blocks without rows are skipped.
        feature_names, target_names : sequences of str, optional

        Raises
        ------
        HousingError
            As for `fit`, and when the blocks' columns differ or there is no block.

        Examples
        --------
        >>> halves = [([[0.0], [1.0]], [1.0, 3.0]), ([[2.0]], [5.0])]
        >>> LinearRegression().fit_blocks(halves).coef_
        array([2.])
        """
        try:
            coming = iter(blocks)
        except TypeError:
            raise HousingError(f"blocks is {quoted(blocks)}: expected an iterable of blocks (X, y)") from None
        summary = self.empty_summary(feature_names=feature_names, target_names=target_names)
        for block in coming:
            if not isinstance(block, tuple | list) or len(block) not in (2, 3):
                raise HousingError(f"a block is {quoted(block)}: expected (X, y) or (X, y, sample_weight)")
            summary.update(*block)
        return self.set_solution(summary)

    def empty_summary(
        self,
        *,
        feature_names: Sequence[str] | npt.NDArray[np.object_] | None = None,
        target_names: Sequence[str] | npt.NDArray[np.object_] | None = None,
    ) -> "Summary":
        """Return the summary of no rows, for `set_solution` to fit this model from once rows are added to it."""
        from .summary import Summary  # imported here because predict must start fast

        return Summary(fit_intercept=self.fit_intercept, feature_names=feature_names, target_names=target_names)

    @by_rows
    def predict(self, X: npt.ArrayLike) -> Floats:
        """Return predictions for rows X (n, p): (n,), or (n, k) for several targets."""
        self.require_fitted()
        rows = self._rows(X)
        predictions = dot_rows(rows, self.coef_, self.intercept_)
        refuse_nonfinite_rows(predictions, rows, self._names)
        return predictions

    def _rows(self, X: npt.ArrayLike) -> Floats:
        if self._columns is not None:
            X = encoded(X, self._columns)
        return as_rows(X, self._names, named=self._named)

    @property
    def columns(self) -> Columns:
        """What the features are made of."""
        return self._columns or Columns(self._names, self._named)

    @property
    def singular_values_(self) -> Floats:
        """Singular values (p,) of the design with its columns centred (given an intercept) and scaled to norm 1."""
        if self._solution is None:
            raise AttributeError("only a fitted model has singular values")
        return self._solution.singular_values.copy()

    @property
    def payload_bytes(self) -> int:
        """Bytes of the coefficients and intercepts."""
        return self.coef_.nbytes + np.asarray(self.intercept_).nbytes

    def score(self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> float:
        """Return the coefficient of determination R² of the predictions for X against y, averaged over the targets."""
        predictions = self.predict(X)
        return r2_score(as_targets(self, y), predictions, sample_weight)

    def leave_one_out(self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> Floats:
        """Return the prediction of each row of the fit by the model fitted to all others, in the shape of y.

        In closed form from the leverages h of the fit: y - (y - prediction) / (1 - h)
        (Cook and Weisberg, "Residuals and Influence in Regression", 1982, section 2.2). Rows have the weights that they
        had in the fit; each is left out whole.

        Raises
        ------
        HousingError
            For a row that alone determines a coefficient: without it there is no prediction. For other columns than the
            model's, and where a prediction is beyond float64.

        Examples
        --------
        >>> X, y = [[0.0], [1.0], [2.0]], [0.0, 1.0, 5.0]
        >>> LinearRegression().fit(X, y).leave_one_out(X, y).round(12)
        array([-3. ,  2.5,  2. ])
        """
        from .leave_one_out import leave_one_out  # imported here because predict must start fast

        self.require_solution("leverages")
        return leave_one_out(self, X, as_targets(self, y), sample_weight)

    def summary(self, confidence: float = 0.95) -> "Inference":
        """Return the statistics of the fit; print them for a table.

        Parameters
        ----------
        confidence : float
            Of the intervals.

        Raises
        ------
        HousingError
            For a model that was not fitted to data, such as one loaded from a file, or was fitted with `positive`.
        """
        from .inference import Inference  # imported here because predict must start fast

        return Inference(self.require_solution("statistics"), self.columns, self.target_names_, confidence)

    def require_solution(self, what: str) -> "Solution":
        """Return the solution of the fit; raise HousingError for a model without `what`."""
        self.require_fitted()
        if self._solution is None:
            raise HousingError(f"this model was built from coefficients: only a fitted model has {what}; fit it")
        if self._solution.positive:
            raise HousingError(f"a fit with positive=True has no {what}; positive=False has, as no weight is held at 0")
        return self._solution

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        from .display import model_html  # imported here because predict must start fast

        return model_html(self, self._solution)

    def set_solution(
        self, summary: "Summary", columns: Columns | None = None, *, where: str = "", known: str = ""
    ) -> Self:
        """Fit from a finished summary of the rows.

        Parameters
        ----------
        summary : Summary
            Begun as `empty_summary`.
        columns : Columns, optional
            What the features are made of.
        where : str, optional
            Which rows these are: the beginning of a RankWarning's text.
        known : str, optional
            The `dependence` of a fit to other rows of the same table: the same warning is not given again.
        """
        solution = summary.solve(self.positive)
        note = _dependence_note(solution, columns or Columns(summary.feature_names))
        if note not in ("", known):
            warn_caller(where + note, np.exceptions.RankWarning)
        # Copies: a user may write to the model's arrays, which must not change its statistics.
        coef, intercept = solution.coef.T.copy(), solution.intercept.copy()
        if summary.one_target:
            coef, intercept = coef[0], intercept[0]
        self._set_coefficients(coef, intercept, summary.feature_names, summary.target_names, summary.named)
        self.rank_, self._solution = solution.rank, solution
        self._set_columns(columns)
        return self

    @property
    def dependence(self) -> str:
        """Which features of the fit depend on each other, and what to do; empty if none do, or no fit is known."""
        return "" if self._solution is None else _dependence_note(self._solution, self.columns)

    def _set_coefficients(
        self,
        coef: Floats,
        intercept: Floats,
        feature_names: Sequence[str],
        target_names: Sequence[str],
        named: bool = True,
    ) -> None:
        intercept = intercept + 0.0  # an intercept of -0.0 becomes 0.0, in files and exports too
        self.coef_, self.intercept_ = coef, float(intercept) if coef.ndim == 1 else intercept
        self._names, self._named, self.target_names_ = tuple(feature_names), named, tuple(target_names)
        self._columns = None
        vars(self).pop("feature_names_in_", None)
        if named:
            self.feature_names_in_ = Names.of(self._names)
        self.n_features_in_ = len(feature_names)

    def _set_columns(self, columns: Columns | None) -> None:
        """Keep what the features are made of, if that is more than plain numbers."""
        if columns is not None and not columns.is_plain:
            self._columns = require_columns(columns, self._names)


def _dependence_note(solution: "Solution", columns: Columns) -> str:
    if solution.rank == len(columns.feature_names):
        return ""
    from .display import dependence_note  # imported here because most fits need no note

    return dependence_note(solution, columns)
