"""Linear regression: scikit-learn's conventions on a one-pass least-squares solver."""

from collections.abc import Iterable, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from ..checks.arrays import as_numbers, as_rows, as_weights, refuse_inexact, refuse_nonfinite, require_names
from ..checks.names import apart_from, as_names, require_apart
from ..errors import HousingError, counted, listed, quoted, warn_caller
from .estimator import Estimator, Names
from .metrics import r2_score

if TYPE_CHECKING:
    from .inference import Inference
    from .solution import Solution
    from .summary import Summary

Array = npt.NDArray[np.float64]

CHUNK_ROWS = 4096
# Above so many numbers BLAS is worth its price: the last bit of a row then depends on the rows beside it.
_BLAS_SIZE = 1 << 20
_IN_ORDER_SIZE = 1 << 15  # numbers that stay in the cache
_NO_ROOM = 1e-10  # 1 - leverage, of a row that no other row says anything about
_ROUNDING = 2.0**-20  # of the largest part of a vector: a smaller one is 0
# A quadratic term grows with the size of a row against the linear ones, a root shrinks.
_PROBE_SIZES = (1e-3, 1.0, 30.0, 1e3, 1e6, 1e12)
_PROBE_TOLERANCE = 1e-4  # of the terms' size: predictions in float32 pass


def dot_rows(X: Array, coef: Array, offset: Any) -> Array:
    """X (n, p) times coef (p,) or (k, p), plus an offset () or (k,): shape (n,) or (n, k). What overflows is infinite.

    Up to 2**20 numbers, a row's result is the same to the last bit whichever rows stand beside it, and on every
    processor: each product is rounded, and they are added from the first feature to the last, and the offset then. A
    program in another language that does so gives the same bits.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if X.size > _BLAS_SIZE:
            products = np.asarray(X @ coef.T)
        elif coef.ndim == 1:
            products = _dot_in_order(X, coef)
        else:
            products = np.stack([_dot_in_order(X, row) for row in coef], axis=1)
        # In place: new memory would cost as much as the products. Adding 0.0 makes an offset of -0.0 0.0: else the sign
        # of a prediction of 0 would depend on the number of rows.
        products += offset + 0.0
    return products


def _dot_in_order(X: Array, coef: Array) -> Array:
    if len(X) == 1:  # numpy's sum of a single row would be in another order
        return np.asarray(np.add.accumulate(X[0] * coef)[-1:])
    rows = max(2, _IN_ORDER_SIZE // len(coef))
    if len(X) <= rows:
        return np.asarray(np.add.reduce(np.multiply(X.T, coef[:, None], order="C"), axis=0))
    return np.concatenate([_dot_in_order(X[start : start + rows], coef) for start in range(0, len(X), rows)])


def refuse_nonfinite_rows(predictions: Array, rows: Array, names: Sequence[str] | npt.NDArray[np.object_]) -> None:
    """Refuse rows with NaN or infinity: these reach every prediction, so that only one number a row is looked at."""
    if not np.isfinite(predictions).all():
        refuse_nonfinite(rows, "X", names)


class FittedLinear(Protocol):
    """A fitted linear model of any library, as scikit-learn's are."""

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
        The names of the features, which frames have to have in the same order. Without, as after a fit to arrays,
        frames go by position, as arrays do.
    feature_names, target_names_ : tuple of str
        The same as a tuple, x0, x1, … without names; and the names of the targets.

    Examples
    --------
    >>> model = LinearRegression().fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    >>> model.coef_, model.intercept_
    (array([2.]), 1.0)
    >>> model.predict([[10.0]])
    array([21.])
    """

    coef_: Array
    intercept_: float | Array
    rank_: int
    n_features_in_: int
    feature_names_in_: npt.NDArray[np.object_]
    target_names_: tuple[str, ...]
    _names: tuple[str, ...]
    _named: bool
    _solution: "Solution | None" = None
    scheme: None = None  # as a quantized model has one

    def __init__(self, fit_intercept: bool = True) -> None:
        self.fit_intercept = fit_intercept

    @classmethod
    def from_coefficients(
        cls,
        coef: npt.ArrayLike,
        intercept: npt.ArrayLike,
        feature_names: Sequence[str],
        target_names: Sequence[str],
    ) -> Self:
        """A model that predicts with the given numbers, as loaded from a file.

        Its `fit_intercept` is True, the default, whatever the intercept is: fitted again, it is fitted with one.

        Parameters
        ----------
        coef : (p,) or (k, p)
        intercept : scalar or (k,)
        feature_names, target_names : sequences of p and k str

        Raises
        ------
        HousingError
            When the shapes and the numbers of names disagree, a name is used twice, or what is given is no numbers.
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
        model._set_coefficients(weights.astype(np.float64), offset.astype(np.float64), features, targets)
        return model

    @classmethod
    def of(cls, estimator: Any, expected: str = "a fitted linear regression") -> "LinearRegression":
        """Return a fitted linear model of scikit-learn, or of its kind, as one of this class; itself if it is one.

        Parameters
        ----------
        estimator : object
            With `coef_`, `intercept_` and a `predict` that is linear in its features: LinearRegression, Ridge, Lasso,
            ElasticNet, HuberRegressor, …
        expected : str
            What messages say that is wanted.

        Raises
        ------
        HousingError
            For anything else: a model that is not fitted, a classifier, a quantized model.
        """
        kind = type(estimator).__name__
        if isinstance(estimator, LinearRegression):
            estimator.require_fitted()
            return estimator
        is_quantized = hasattr(estimator, "payload_bytes") and not isinstance(estimator, type)
        if (
            isinstance(estimator, type)
            or is_quantized
            or not all(hasattr(estimator, name) for name in ("coef_", "intercept_", "predict"))
        ):
            is_fitted = any(
                name.endswith("_") and not name.startswith("_") for name in getattr(estimator, "__dict__", ())
            )
            why = ", which is quantized already" * is_quantized or " without coef_ and intercept_" * is_fitted
            why = why or "; call its fit first" * hasattr(estimator, "fit")
            raise HousingError(f"expected {expected}, not {kind}{why}")
        coef = as_numbers(estimator.coef_, "coef_").astype(np.float64)
        intercept = np.broadcast_to(np.squeeze(as_numbers(estimator.intercept_, "intercept_")), coef.shape[:-1])
        names = getattr(estimator, "feature_names_in_", None)
        p, k = coef.shape[-1], 1 if coef.ndim == 1 else len(coef)
        features = [f"x{i}" for i in range(p)] if names is None else [str(name) for name in names]
        targets = apart_from(features, ["y"] if k == 1 else [f"y{i}" for i in range(k)])
        model = cls.from_coefficients(coef, intercept, features, targets)
        model.fit_intercept = getattr(estimator, "fit_intercept", True) is not False
        probe = _probe(p)
        nameless = copy(estimator)  # it would warn that the probe has no names
        getattr(nameless, "__dict__", {}).pop("feature_names_in_", None)
        with np.errstate(over="ignore", invalid="ignore"):
            theirs = np.asarray(nameless.predict(probe))
            is_linear = theirs.dtype.kind == "f" and theirs.size == len(probe) * k
            if is_linear:
                # Terms that cancel leave a prediction without digits: what an error is measured by is their size.
                size = dot_rows(np.abs(probe), np.abs(np.atleast_2d(coef)), np.abs(np.atleast_1d(intercept)))
                error = np.abs(theirs.reshape(size.shape) - model.predict(probe).reshape(size.shape))
                is_linear = bool(np.all((error <= _PROBE_TOLERANCE * size) | ~np.isfinite(size)))
        if not is_linear:
            raise HousingError(f"expected {expected}, not {kind}: its predictions are not linear in the features")
        return model

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        feature_names: Sequence[str] | npt.NDArray[np.object_] | None = None,
        target_names: Sequence[str] | npt.NDArray[np.object_] | None = None,
    ) -> Self:
        """Fit to n rows; the input is not copied, so memory-mapped arrays of any size will do.

        Parameters
        ----------
        X : (n, p)
            Real numbers; other types than float64 are computed in float64.
        y : (n,) or (n, k)
        sample_weight : (n,), optional
            How many times each row counts: at least 0, and not only whole numbers. A row of weight 0 is left out.
        feature_names, target_names : sequences of str, optional
            Default: the columns of a data frame, else x0, x1, ... and y (or y0, y1, ...).

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
        blocks = [(X, y)] if sample_weight is None else [(X, y, sample_weight)]
        return self.fit_blocks(blocks, feature_names=feature_names, target_names=target_names)

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
        from .summary import Summary  # here, not above: predict must not pay for it

        try:
            coming = iter(blocks)
        except TypeError:
            raise HousingError(f"blocks is {quoted(blocks)}: expected an iterable of blocks (X, y)") from None
        summary = Summary(fit_intercept=self.fit_intercept, feature_names=feature_names, target_names=target_names)
        for block in coming:
            if not isinstance(block, tuple | list) or len(block) not in (2, 3):
                raise HousingError(f"a block is {quoted(block)}: expected (X, y) or (X, y, sample_weight)")
            summary.update(*block)
        return self.set_solution(summary)

    def predict(self, X: npt.ArrayLike) -> Array:
        """Predictions for rows X (n, p): (n,), or (n, k) for several targets."""
        self.require_fitted()
        rows = as_rows(X, self._names, named=self._named)
        predictions = dot_rows(rows, self.coef_, self.intercept_)
        refuse_nonfinite_rows(predictions, rows, self._names)
        return predictions

    @property
    def singular_values_(self) -> Array:
        """Singular values (p,) of the design with its columns centred (given an intercept) and scaled to norm 1."""
        if self._solution is None:
            raise AttributeError("only a fitted model has singular values")
        return self._solution.singular_values.copy()

    @property
    def payload_bytes(self) -> int:
        """Bytes of the coefficients and intercepts."""
        return self.coef_.nbytes + np.asarray(self.intercept_).nbytes

    def score(self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> float:
        """Coefficient of determination R² of the predictions for X against y, averaged over the targets."""
        predictions = self.predict(X)
        return r2_score(as_targets(self, y), predictions, sample_weight)

    def leave_one_out(self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> Array:
        """Predictions of each row that the model was fitted to by the model fitted to all others, in the shape of y.

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
        self.require_fitted()
        if self._solution is None:
            raise HousingError("this model was built from coefficients: only a fitted model has leverages; fit it")
        rows, targets = as_rows(X, self._names, named=self._named), as_targets(self, y)
        if targets.shape != (len(rows), *self.coef_.shape[:-1]):
            raise HousingError(f"y has shape {targets.shape}: expected {(len(rows), *self.coef_.shape[:-1])}")
        refuse_nonfinite(np.atleast_2d(targets.T).T, "y", self.target_names_)
        out, is_alone = self._left_out(rows, targets, as_weights(sample_weight, len(rows)))
        if is_alone.any():
            row = int(np.argmax(is_alone))
            (whose,) = self._determined_by(rows[row : row + 1])
            named = [name for name, is_one in zip(self._names, whose, strict=True) if is_one]
            of = f" ({listed(named, quoted)})" if named else ""
            raise HousingError(
                f"row {row} alone determines a coefficient{of}: leaving it out leaves no prediction for it; "
                "drop the row or the feature"
            )
        if not np.isfinite(out).all():
            raise HousingError("a prediction exceeds the range of double precision: rescale the columns")
        return out

    def _left_out(
        self, rows: Array, targets: Array, weights: Array | None = None
    ) -> tuple[Array, npt.NDArray[np.bool_]]:
        """Return the predictions of rows by fits to all others, and which rows have none: of leverage 1."""
        assert self._solution is not None
        out, is_alone = np.empty_like(targets), np.empty(len(rows), np.bool_)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for start in range(0, len(rows), CHUNK_ROWS):
                part = slice(start, start + CHUNK_ROWS)
                leverage = self._solution.leverage(rows[part])
                room = 1 - (leverage if weights is None else leverage * weights[part])
                residual = targets[part] - self.predict(rows[part])
                out[part] = targets[part] - (residual.T / room).T
                is_alone[part] = room < _NO_ROOM
        return out, is_alone

    def _determined_by(self, rows: Array) -> npt.NDArray[np.bool_]:
        """Return, for rows (m, p) of leverage 1, which coefficients (m, p) are not determined without the row.

        With the centred and scaled columns A and a row x of A, these are the parts of v = (A'A)⁺ x that are not 0:
        A v is the same in all other rows, so that they cannot tell v from nothing.
        """
        solution = self._solution
        assert solution is not None
        v = np.abs((rows - solution.mean) / solution.norms @ solution.inverse @ solution.inverse.T)
        return np.asarray(v > _ROUNDING * v.max(axis=1, initial=0.0, keepdims=True))

    def summary(self, confidence: float = 0.95) -> "Inference":
        """Statistics of the fit; print it for a table.

        Parameters
        ----------
        confidence : float
            Of the intervals.

        Raises
        ------
        HousingError
            For a model that was not fitted to data, such as one loaded from a file.
        """
        self.require_fitted()
        if self._solution is None:
            raise HousingError("this model was built from coefficients: only a fitted model has statistics; fit it")
        from .inference import Inference  # here, not above: predict must not pay for it

        return Inference(self._solution, self.feature_names, self.target_names_, confidence)

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        from ..checks.display import columns, html_table, titled
        from .inference import r2_name  # here, not above: predict must not pay for it

        if not hasattr(self, "coef_"):
            return html_table(titled(self, ["not fitted yet"]), [], {})
        targets, intercept, coef = self.target_names_, np.atleast_1d(self.intercept_), np.atleast_2d(self.coef_)
        facts = [columns(self.feature_names, targets), counted(self.payload_bytes, "byte")]
        if self._solution is not None:
            name = r2_name(self._solution.fit_intercept)
            facts.append(f"{name} {1 - np.mean(self._solution.unexplained):.4f}")
        weights = {name: [offset, *row] for name, offset, row in zip(targets, intercept, coef, strict=True)}
        return html_table(titled(self, facts), ["intercept", *self.feature_names], weights)

    def set_solution(self, summary: "Summary", *, where: str = "", known: str = "") -> Self:
        """Fit from a finished summary of the rows.

        Parameters
        ----------
        summary : Summary
        where : str, optional
            What a RankWarning says of which rows they are, before all else.
        known : str, optional
            What `dependence` says of other rows of the same table: who knows it is not warned of it again.
        """
        solution = summary.solve()
        told = _dependence(solution, summary.feature_names)
        if told not in ("", known):
            warn_caller(where + told, np.exceptions.RankWarning)
        # Copies: who writes to the model does not change its statistics.
        coef, intercept = solution.coef.T.copy(), solution.intercept.copy()
        if summary.one_target:
            coef, intercept = coef[0], intercept[0]
        self._set_coefficients(coef, intercept, summary.feature_names, summary.target_names, summary.named)
        self.rank_, self._solution = solution.rank, solution
        return self

    @property
    def dependence(self) -> str:
        """Which features of the fit depend on each other, and what to do; empty where none do, or no fit is known."""
        return "" if self._solution is None else _dependence(self._solution, self._names)

    def _set_coefficients(
        self,
        coef: Array,
        intercept: Array,
        feature_names: Sequence[str],
        target_names: Sequence[str],
        named: bool = True,
    ) -> None:
        intercept = intercept + 0.0  # an intercept of -0.0 becomes 0.0, in files and exports too
        self.coef_, self.intercept_ = coef, float(intercept) if coef.ndim == 1 else intercept
        self._names, self._named, self.target_names_ = tuple(feature_names), named, tuple(target_names)
        vars(self).pop("feature_names_in_", None)
        if named:
            self.feature_names_in_ = Names.of(self._names)
        self.n_features_in_ = len(feature_names)


def _probe(features: int) -> Array:
    """Return rows (m, p) at which a prediction that is not linear shows it: 0, and rows of several sizes and signs."""
    rng = np.random.default_rng(0)
    rows = [np.zeros(features)]
    for size in _PROBE_SIZES:
        mixed, positive, negative = rng.standard_normal((3, features)) * size
        rows += [mixed, np.abs(positive), -np.abs(negative)]
    return np.array(rows)


def as_targets(model: Any, y: npt.ArrayLike) -> Array:
    """Return targets in float64, in the shape of a model's predictions; columns of a frame have to be the model's."""
    if len(model.target_names_) > 1:
        require_names(y, model.target_names_, "y")
    targets = as_numbers(y, "y")
    shape = (len(targets), *model.coef_.shape[:-1]) if targets.ndim else ()
    # One column is one target, whether or not it has an axis of its own.
    if targets.size == np.prod(shape):
        targets = targets.reshape(shape)
        refuse_inexact(np.atleast_2d(targets.T).T, "y", model.target_names_)
    return targets.astype(np.float64, copy=False)


def _dependence(solution: "Solution", names: Sequence[str]) -> str:
    """Return what to say of features that do not determine their coefficients, and of which; empty if all do."""
    if solution.rank == len(names):
        return ""
    varies = np.asarray(solution.factor.any(axis=0))
    constant = [name for name, does in zip(names, varies, strict=True) if not does]
    others = [name for name, is_one in zip(names, solution.dependent() & varies, strict=True) if is_one]
    advice = []
    if constant:
        advice.append(f"drop {listed(constant, quoted)}, which never {'varies' if len(constant) == 1 else 'vary'}")
    if others:
        number = len(names) - solution.rank - len(constant)
        advice.append(f"{listed(others, quoted)} depend on each other: drop {number} of them")
    return (
        f"the features have rank {solution.rank}, fewer than the {counted(len(names), 'coefficient')} to determine: "
        f"this is the solution of least norm in scaled units; {'; '.join(advice)}"
    )
