"""The scheme "per-channel": one scale per feature, so that the rounding of each weighs the same in a prediction."""

from typing import TYPE_CHECKING

import numpy as np

from ...checks.arrays import Floats
from ...errors import HousingError, quoted
from ...fit.linear import LinearRegression
from ..affine import Affine, scale_and_zero_point
from .scheme import Exact, Field, QuantizationScheme, Rounded, fields_of, search

if TYPE_CHECKING:
    from ..calibration import Calibration


class PerChannel(QuantizationScheme):
    """Scales inverse to the features' deviations in the calibration rows."""

    name = "per-channel"
    fields = fields_of("feature", intercept=Field("<f8", "target"), center=Field("<f4", "feature"))

    def exact(self, model: LinearRegression, rows: "Calibration") -> Exact:
        """Return the float model and the rows; refuse a feature whose square is beyond float64."""
        exact = super().exact(model, rows)
        is_finite = np.isfinite(exact.deviation)
        if not is_finite.all():
            name = model.feature_names[int(np.argmin(is_finite))]
            raise HousingError(f"column {quoted(name)} is too large to square in float64: rescale it")
        return exact

    def affine(self, exact: Exact, bits: int) -> Affine:
        """Return scales and zero points for weights that are rounded to the nearest integers."""
        ratio, span = _equal_errors(exact)
        scale, _ = scale_and_zero_point(np.zeros_like(ratio), span * ratio, bits)
        low, _ = exact.ends()
        return Affine(scale, np.rint(-low / scale).astype(np.uint8), -1, bits)

    def optimal(self, exact: Exact, bits: int) -> Rounded:
        """Return the integers that change the predictions of the rows least, with their scales and zero points."""
        return search(exact, _equal_errors(exact)[0], bits, axis=-1)


def _equal_errors(exact: Exact) -> tuple[Floats, float]:
    """Return scales inverse to each feature's deviation, up to a factor; and the factor that covers each weight."""
    low, high = exact.ends()
    width, varies = high - low, exact.deviation > 0
    span = float(np.max(width * exact.deviation)) or 1.0
    # The weight of a feature that never varies gets a scale of its own.
    ratio = np.where(varies, 1.0 / np.where(varies, exact.deviation, 1.0), np.where(width > 0, width / span, 1.0))
    return ratio, span
