"""The scheme "float32": weights and intercept rounded to float32, and nothing beside them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...checks.arrays import Floats
from ...errors import HousingError
from ..affine import Affine
from .scheme import Exact, Field, QuantizationScheme

if TYPE_CHECKING:
    from ..model import QuantizedLinear
    from . import Rounding

# No number above float32's underflow is further from its float32 than this share of it (Higham 2002, theorem 2.3) …
_UNIT_ROUNDOFF = np.float32(2.0**-24)
# … and none below it by more.
UNDERFLOW = 2.0**-149
# Float32 numbers stand for themselves.
_IDENTITY: dict[str, Any] = {"bits": 8, "scale": 1.0, "zero_point": 0}


class Float32(QuantizationScheme):
    """Four bytes for each weight and intercept; how far they are from the float ones follows from their size."""

    name = "float32"
    fields: ClassVar = {"weights": Field("<f4", "weight"), "intercept": Field("<f4", "target")}

    def assumed(self, numbers: Mapping[str, Any]) -> dict[str, Any]:
        """Return the identity, and the bound that follows from the rounding of float32."""
        with np.errstate(under="ignore"):
            slack = np.abs(np.asarray(numbers["intercept"], np.float32)) * _UNIT_ROUNDOFF + np.float32(UNDERFLOW)
        return {**super().assumed(numbers), **_IDENTITY, "radius": _UNIT_ROUNDOFF, "slack": slack}

    def parts(self, exact: Exact, bits: int, rounding: "Rounding") -> dict[str, Any]:
        """Return the weights and the intercept in float32; bits and rounding are those of integers, and not used."""
        numbers = {"weights": exact.coef.astype(np.float32), "intercept": exact.intercept.astype(np.float32)}
        for name, array in numbers.items():
            if not np.isfinite(array).all():
                raise HousingError(f"the {name.removesuffix('s')} of a target is beyond float32: rescale it")
        assumed = self.assumed(numbers)
        affine = Affine(**{name: assumed.pop(name) for name in _IDENTITY})
        return {**assumed, "weights": numbers["weights"], "affine": affine, "bias": numbers["intercept"]}

    def values(self, affine: Affine, weights: NDArray[Any]) -> Floats:
        """Return the weights in float64."""
        return weights.astype(np.float64)

    def reach(self, model: "QuantizedLinear") -> Floats:
        """Return the largest error of each weight: what float32 rounds off a number of its size."""
        return np.abs(model._values) * float(model.radius) + UNDERFLOW

    def check(self, model: "QuantizedLinear") -> None:
        """Refuse a model whose bias is no float32, or whose bound or affine map of the weights is not float32's."""
        super().check(model)
        self.fields["intercept"].stored(model.bias, "bias", model.weights.shape)
        expected = self.assumed({"weights": model.weights, "intercept": model.bias})
        for name in ("scale", "zero_point", "radius", "slack"):
            found = getattr(model if name in ("radius", "slack") else model.affine, name)
            if not np.array_equal(found, expected[name]):
                raise HousingError(f"{name} is {found}: expected {expected[name]} in the scheme 'float32'")
