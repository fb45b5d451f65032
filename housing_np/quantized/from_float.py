"""The numbers of a quantized model, made from a float model and calibration rows."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks.arrays import Floats, refuse_nonfinite
from ..checks.sparse import dense_blocks
from ..errors import HousingError, counted, listed, quoted
from ..fit.linear import LinearRegression
from .affine import Affine
from .calibration import Calibration
from .schemes import Rounding
from .schemes.scheme import Exact, QuantizationScheme, rounding_error


def parts_of(
    model: LinearRegression, rows: Calibration, scheme: QuantizationScheme, bits: int, rounding: Rounding
) -> dict[str, Any]:
    """Return the arguments of `QuantizedLinear`, by name, for a float model of finite numbers."""
    with np.errstate(all="ignore"):  # QuantizedLinear refuses numbers that became too large or too small
        exact = scheme.exact(model, rows)
        if not np.isfinite(exact.coef).all():
            raise HousingError("a weight times the step of its feature is beyond float64: rescale the features")
        return {
            **scheme.parts(exact, bits, rounding),
            "scheme": scheme.name,
            "feature_names_in_": model.feature_names,
            "target_names_": model.target_names_,
            "named": model._named,
            "encoding": model._columns,
        }


def integer_parts(scheme: QuantizationScheme, exact: Exact, bits: int, rounding: Rounding) -> dict[str, Any]:
    """Return the numbers of a model whose weights are integers, by the name of `QuantizedLinear`'s argument."""
    find = scheme.optimal if needs_covariance(rounding) else scheme.nearest
    affine, weights, proven = find(exact, bits)
    if (fitted := scheme.fitted(affine, exact)) is not affine:
        affine, weights, proven = fitted, fitted.quantize(exact.coef), None
    error = scheme.values(affine, weights) - exact.coef
    bias = scheme.bias(np.asarray(exact.intercept - error @ exact.mean), affine)
    center = scheme.center(exact.mean)
    return {
        "weights": weights,
        "affine": affine,
        "bias": bias,
        "center": center,
        "radius": _radius(error, affine),
        "slack": _slack(exact, error, scheme.intercept(bias, affine), center),
        "input_scale": exact.input_scale,
        "input_offset": exact.input_offset,
        "proven": proven,
    }


def calibration_for(model: LinearRegression, X: ArrayLike | Calibration, rounding: Rounding) -> Calibration:
    """Return the calibration of rows X (n, p) for a rounding; refuse other features than the model's."""
    if isinstance(X, Calibration):
        rows = X
    else:
        rows = Calibration(needs_covariance(rounding))
        for part, block in dense_blocks(X):
            given = model._rows(block)
            refuse_nonfinite(given, "X", model.feature_names, part.start or 0)
            rows.update(given)
    if model._named and rows.names not in (None, model.feature_names):
        raise HousingError(
            f"the calibration is of rows with the columns {listed(rows.names or ())}: the model has "
            f"{listed(model.feature_names)}"
        )
    if (count := len(rows.mean)) != model.n_features_in_:
        raise HousingError(f"the calibration has {counted(count, 'feature')}, the model {model.n_features_in_}")
    return rows


def needs_covariance(rounding: Rounding | None) -> bool:
    """Whether the covariance of the calibration rows is used."""
    return rounding == "optimal"


def finite_model(estimator: Any) -> LinearRegression:
    """Return a fitted linear model as a LinearRegression; refuse numbers that are not finite."""
    model = LinearRegression.of(estimator, "a fitted LinearRegression to quantize")
    numbers = np.column_stack([np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)])
    for target, column in np.argwhere(~np.isfinite(numbers))[:1].tolist():
        what = [*(f"the weight of {quoted(name)}" for name in model.feature_names), "the intercept"][column]
        place = f"{what} for {quoted(model.target_names_[target])}"
        raise HousingError(f"{place} is {numbers[target, column]} in the float model: fit it again, or correct it")
    return model


def _radius(error: Floats, affine: Affine) -> np.float32:
    return np.float32(_rounded_up(np.max(np.abs(error) / affine.aligned(affine.scale, error)) + 2.0**-40))


def _slack(exact: Exact, error: Floats, intercept: Floats, center: NDArray[Any]) -> NDArray[np.float32]:
    """Return a bound on the deviation at the center, for weights with this error and this intercept."""
    deviation = np.abs(error @ center + (intercept - exact.intercept))
    size = (np.abs(exact.coef) + np.abs(error)) @ np.abs(center) + np.abs(intercept) + np.abs(exact.intercept)
    # Rounding in float64 can hide so much of the deviation, and of the radius.
    return _rounded_up(deviation + rounding_error(len(exact.mean)) * size)


def _rounded_up(x: ArrayLike) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return np.asarray(np.nextafter(np.asarray(x).astype(np.float32), np.float32(np.inf)))
