"""How far a quantized model is from the float model, and which feature's weight is to blame."""

from typing import NamedTuple

import numpy as np

from ..fit.linear import LinearRegression
from ..quantized.calibration import Calibration
from ..quantized.model import Model, QuantizedLinear


class Share(NamedTuple):
    """The effect of the error of one feature's weight on a prediction, in target units."""

    feature: str
    weight: float  # per unit of the feature
    reference: float
    effect: float  # |weight − reference| · rms(x)
    refitted: float  # what refitting the intercept does not remove: |weight − reference| · standard deviation of x


def error_shares(model: Model, reference: LinearRegression, rows: Calibration) -> list[Share]:
    """Return each feature's share of the deviation from the reference, largest effect first, for the worst target.

    >>> rows = Calibration.of([[1.0, 1000.0], [2.0, 3000.0]])
    >>> rounded = LinearRegression.from_coefficients([0.5, 0.0], 0.0, ["rooms", "people"], ["price"])
    >>> exact = LinearRegression.from_coefficients([0.4, 0.001], 0.0, ["rooms", "people"], ["price"])
    >>> error_shares(rounded, exact, rows)[0].feature
    'people'
    """
    weights, references = np.atleast_2d(model.coef_), np.atleast_2d(reference.coef_)
    with np.errstate(over="ignore", invalid="ignore"):
        errors = np.abs(weights - references)
        # An error of 0 has no effect, even if the feature is infinite in float64.
        effects, refitted = (np.where(errors == 0, 0.0, errors * size) for size in (rows.rms, rows.deviation))
    worst = int(np.argmax(effects.sum(axis=1)))
    columns = weights[worst], references[worst], effects[worst], refitted[worst]
    shares = map(Share, model.feature_names, *(column.tolist() for column in columns))
    return sorted(shares, key=lambda share: -share.effect)


class Guarantee(NamedTuple):
    """The deviation of a quantized model from the float one, and the bound that it guarantees; in target units."""

    median_deviation: float
    rms_deviation: float
    largest_deviation: float
    median_bound: float
    largest_bound: float


def guarantee(model: QuantizedLinear, reference: LinearRegression, X: np.ndarray) -> Guarantee:
    """Return deviations and bounds on rows X (n, p); infinite where they exceed float64."""
    with np.errstate(over="ignore", invalid="ignore"):
        deviation = np.abs(model.predict(X) - reference.predict(X))
        bound = model.error_bound(X)
        return Guarantee(
            float(np.median(deviation)),
            float(np.sqrt(np.mean(deviation**2))),
            float(deviation.max()),
            float(np.median(bound)),
            float(bound.max()),
        )
