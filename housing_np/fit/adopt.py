"""Fitted linear models of other libraries as models of this one."""

from copy import copy
from typing import Any

import numpy as np

from ..checks.arrays import Floats, as_numbers
from ..checks.names import apart_from
from ..errors import HousingError
from .linear import FittedLinear, LinearRegression
from .products import dot_rows

# A quadratic term grows with the size of a row against the linear ones, a root shrinks.
_PROBE_SIZES = (1e-3, 1.0, 30.0, 1e3, 1e6, 1e12)
_TOLERANCE = 1e-4  # relative to the size of the terms: predictions in float32 pass


def adopt(estimator: Any, expected: str = "a fitted linear regression") -> LinearRegression:
    """Return a fitted linear model with scikit-learn's attributes as a `LinearRegression`; itself if it is one.

    Parameters
    ----------
    estimator : object
        With `coef_`, `intercept_` and a `predict` that is linear in its features: LinearRegression, Ridge, Lasso,
        ElasticNet, HuberRegressor, …
    expected : str
        What was expected, for the message of an error.

    Raises
    ------
    HousingError
        For anything else: a model that is not fitted, a classifier, a quantized model.
    """
    if isinstance(estimator, LinearRegression):
        estimator.require_fitted()
        return estimator
    kind = type(estimator).__name__
    if not _is_fitted_linear(estimator):
        raise HousingError(f"expected {expected}, not {kind}{_remedy(estimator)}")
    model = _from_attributes(estimator)
    if not _predicts_like(model, estimator):
        raise HousingError(f"expected {expected}, not {kind}: its predictions are not linear in the features")
    return model


def _is_fitted_linear(estimator: Any) -> bool:
    if isinstance(estimator, type) or _is_quantized(estimator):
        return False
    return all(hasattr(estimator, name) for name in ("coef_", "intercept_", "predict"))


def _is_quantized(estimator: Any) -> bool:
    return hasattr(estimator, "payload_bytes") and not isinstance(estimator, type)


def _remedy(estimator: Any) -> str:
    """Return why an object has no coefficients, and what to do; empty if unknown."""
    if _is_quantized(estimator):
        return ", which is quantized already"
    if any(name.endswith("_") and not name.startswith("_") for name in getattr(estimator, "__dict__", ())):
        return " without coef_ and intercept_"
    return "; call its fit first" if hasattr(estimator, "fit") else ""


def _from_attributes(estimator: FittedLinear) -> LinearRegression:
    coef = as_numbers(estimator.coef_, "coef_").astype(np.float64)
    intercept = np.broadcast_to(np.squeeze(as_numbers(estimator.intercept_, "intercept_")), coef.shape[:-1])
    names = getattr(estimator, "feature_names_in_", None)
    features = [f"x{i}" for i in range(coef.shape[-1])] if names is None else [str(name) for name in names]
    targets = apart_from(features, ["y"] if coef.ndim == 1 or len(coef) == 1 else [f"y{i}" for i in range(len(coef))])
    model = LinearRegression.from_coefficients(coef, intercept, features, targets)
    model.fit_intercept = getattr(estimator, "fit_intercept", True) is not False
    model.positive = getattr(estimator, "positive", False) is True
    return model


def _predicts_like(model: LinearRegression, estimator: FittedLinear) -> bool:
    """Whether an estimator's own predictions are those of its coefficients."""
    probe = _probe(len(model.feature_names))
    nameless = copy(estimator)  # it would warn that the probe has no names
    getattr(nameless, "__dict__", {}).pop("feature_names_in_", None)
    with np.errstate(over="ignore", invalid="ignore"):
        theirs = np.asarray(nameless.predict(probe))
        if theirs.dtype.kind != "f" or theirs.size != len(probe) * len(model.target_names_):
            return False
        # Relative to the terms, not to their sum: terms that cancel leave a prediction without digits.
        size = dot_rows(np.abs(probe), np.abs(np.atleast_2d(model.coef_)), np.abs(np.atleast_1d(model.intercept_)))
        error = np.abs(theirs.reshape(size.shape) - model.predict(probe).reshape(size.shape))
        return bool(np.all((error <= _TOLERANCE * size) | ~np.isfinite(size)))


def _probe(features: int) -> Floats:
    """Return rows (m, p) that reveal a prediction that is not linear: 0, and rows of several sizes and signs."""
    rng = np.random.default_rng(0)
    rows = [np.zeros(features)]
    for size in _PROBE_SIZES:
        mixed, positive, negative = rng.standard_normal((3, features)) * size
        rows += [mixed, np.abs(positive), -np.abs(negative)]
    return np.array(rows)
