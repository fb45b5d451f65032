"""Digits: how many decimals of NIST's certified coefficients each library gets right."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from measure import OURS, installed, progress
from reference_sets import ReferenceSet, reference_sets

# Certified to 15 digits: no more can be told.
MOST = 15.0
Fit = Callable[[np.ndarray, np.ndarray, bool], np.ndarray]


def measure(quick: bool) -> dict[str, Any]:
    """Correct decimal digits of the worst coefficient of each set, by library, and their mean over the sets."""
    digits: dict[str, dict[str, float]] = {}
    for name, fit in _libraries().items():
        progress(f"digits: {name}")
        digits[name] = {each.name: _worst(fit, each) for each in reference_sets()}
    return {"digits": digits, "mean": {name: float(np.mean(list(each.values()))) for name, each in digits.items()}}


def _worst(fit: Fit, each: ReferenceSet) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = fit(each.X, each.y, each.intercept)
    error = np.abs(found - each.certified) / np.abs(each.certified)
    return float(np.clip(-np.log10(np.maximum(error, 1e-300)), 0, MOST).min())


def _libraries() -> dict[str, Fit]:
    libraries: dict[str, Fit] = {}
    if installed("scikit-learn"):
        from sklearn import linear_model

        libraries["scikit-learn"] = lambda *data: _estimator(linear_model.LinearRegression, *data)
    if installed("statsmodels"):
        from statsmodels.api import OLS

        libraries["statsmodels"] = lambda X, y, intercept: OLS(y, _design(X, intercept)).fit().params
    libraries["lstsq"] = lambda X, y, intercept: np.linalg.lstsq(_design(X, intercept), y)[0]
    from housing_np import LinearRegression

    return libraries | {OURS: lambda *data: _estimator(LinearRegression, *data)}


def _estimator(kind: Any, X: np.ndarray, y: np.ndarray, intercept: bool) -> np.ndarray:
    model = kind(fit_intercept=intercept).fit(X, y)
    return np.append(model.intercept_, model.coef_) if intercept else model.coef_


def _design(X: np.ndarray, intercept: bool) -> np.ndarray:
    return np.column_stack([np.ones(len(X)), X]) if intercept else X
