"""The base of all schemes: what a scheme stores, and how a model of it is made, predicts and is bounded."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...checks.arrays import Floats, as_numbers, as_rows, read_only, refuse_inexact, refuse_nonfinite
from ...errors import HousingError
from ...fit.linear import LinearRegression
from ...fit.products import dot_rows, refuse_nonfinite_rows
from ...rows.encoded import encoded
from ..affine import Affine

if TYPE_CHECKING:
    from ..calibration import Calibration
    from ..model import QuantizedLinear
    from . import Rounding

_UNIT_ROUNDOFF = 2.0**-53
_FLOAT32_MAX = float(np.finfo(np.float32).max)

Per = Literal["model", "target", "feature", "weight"]
Rounded = tuple[Affine, NDArray[np.uint8], bool | None]  # the last: whether the integers are proven to be the best


class Field(NamedTuple):
    """Numbers that a model stores: their little-endian type, and whether there is one per model, target, …"""

    type: str
    per: Per

    def shape(self, weights: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape in a model whose weights have the shape (p,) or (k, p)."""
        return {"model": (), "target": weights[:-1], "feature": weights[-1:], "weight": weights}[self.per]

    def axis(self, weights: tuple[int, ...]) -> int | None:
        """Return the axis of the weights that the numbers run along; None for a single number."""
        if not self.shape(weights):
            return None
        return -1 if self.per == "feature" else 0

    def stored(self, values: Any, name: str, weights: tuple[int, ...]) -> NDArray[Any]:
        """Return a read-only copy in the type of the file; refuse numbers that this type does not hold exactly."""
        array, kind, shape = as_numbers(values, name), np.dtype(self.type).newbyteorder("="), self.shape(weights)
        if array.shape != shape:
            raise HousingError(f"{name} has shape {array.shape}: expected {shape}")
        # A bound may be infinite: then nothing is known.
        if not (np.isfinite(array).all() or (name in ("radius", "slack") and not np.isnan(array).any())):
            raise HousingError(f"{name} holds a number that is not finite: rescale the features or targets")
        refuse_inexact(array, name)
        with np.errstate(over="ignore", invalid="ignore"):
            stored = array.astype(kind)
        if not np.array_equal(stored, array):
            raise HousingError(f"{name} holds a number that {kind} does not: give it as {kind}")
        return read_only(stored)


def fields_of(scales: Per, **others: Field) -> dict[str, Field]:
    """Return the fields of a scheme of integer weights in the order of its file; ``scales`` is what has a scale each.

    The others, which are either `intercept` or `bias` and what else there is, come after those of every such scheme.
    """
    return {
        "bits": Field("u1", "model"),
        "weights": Field("u1", "weight"),
        "scale": Field("<f4", scales),
        "zero_point": Field("u1", scales),
        "radius": Field("<f4", "model"),
        "slack": Field("<f4", "target"),
        **others,
    }


class Exact(NamedTuple):
    """A float model and its calibration rows, in the units of what the weights multiply.

    These are the features, or quantized inputs: feature = input_offset + input_scale · input.
    """

    coef: Floats  # (p,) or (k, p)
    intercept: Floats  # () or (k,)
    mean: Floats  # (p,), like all that follows
    deviation: Floats
    covariance: Callable[[], Floats]  # (p, p), called by optimal rounding alone: it is large
    input_scale: NDArray[np.float32] | None = None
    input_offset: Floats | None = None

    def ends(self) -> tuple[Floats, Floats]:
        """Return the smallest and the largest weight of each feature over all targets and 0; shape (p,) each."""
        coef = np.atleast_2d(self.coef)
        return np.minimum(coef, 0.0).min(axis=0), np.maximum(coef, 0.0).max(axis=0)


class QuantizationScheme:
    """A way to store a linear model in few bytes.

    The methods here are those of uint8 weights with one scale that multiply features in float64; a scheme overrides the
    methods in which it differs.
    """

    name: ClassVar[str]
    fields: ClassVar[dict[str, Field]]  # what a model stores, in the order of its file

    def exact(self, model: LinearRegression, rows: "Calibration") -> Exact:
        """Return the float model and the rows in the units of what the weights multiply."""
        return Exact(model.coef_, np.asarray(model.intercept_), rows.mean, rows.deviation, lambda: rows.covariance)

    def assumed(self, numbers: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a model has beside these numbers, which it stores."""
        return {} if "center" in self.fields else {"center": np.zeros(np.shape(numbers["weights"])[-1:], np.float32)}

    def parts(self, exact: Exact, bits: int, rounding: "Rounding") -> dict[str, Any]:
        """Return the arguments of `QuantizedLinear` that are numbers, by name."""
        from ..from_float import integer_parts  # imported here because predict must start fast

        return integer_parts(self, exact, bits, rounding)

    def affine(self, exact: Exact, bits: int) -> Affine:
        """Return scale and zero point for weights that are rounded to the nearest integers."""
        return Affine.fit(exact.coef, bits=bits)

    def nearest(self, exact: Exact, bits: int) -> Rounded:
        """Return the integers that are nearest to the weights, with their scale and zero point."""
        affine = self.affine(exact, bits)
        return affine, affine.quantize(exact.coef), None

    def optimal(self, exact: Exact, bits: int) -> Rounded:
        """Return the integers that change the predictions of the rows least, with their scale and zero point."""
        return search(exact, np.ones_like(exact.mean), bits, axis=None)

    def fitted(self, affine: Affine, exact: Exact) -> Affine:
        """Return an affine map of the weights whose numbers fit what the scheme computes with; the same if they do."""
        return affine

    def values(self, affine: Affine, weights: NDArray[Any]) -> Floats:
        """Return the numbers that the weights stand for."""
        return affine.dequantize(weights).astype(np.float64)

    def bias(self, intercept: Floats, affine: Affine) -> Floats:
        """Return the bias, as the scheme stores it, for an intercept in target units."""
        return intercept

    def intercept(self, bias: NDArray[Any], affine: Affine) -> Floats:
        """Return the intercept in target units."""
        return np.asarray(bias, np.float64)

    def center(self, mean: Floats) -> NDArray[Any]:
        """Return the mean of the rows in the type of `QuantizedLinear.center`; zeros if the scheme stores no center."""
        if "center" not in self.fields:
            return np.zeros(len(mean), np.float32)
        return np.clip(mean, -_FLOAT32_MAX, _FLOAT32_MAX).astype(np.float32)

    def check(self, model: "QuantizedLinear") -> None:
        """Refuse a model whose numbers do not fit the scheme; types and shapes are checked before."""
        if model.input_scale is not None or model.input_offset is not None:
            raise HousingError(f"input_scale and input_offset are for the scheme 'integer', not {self.name!r}")
        if "center" not in self.fields and np.any(model.center):
            raise HousingError(f"center must be 0 in the scheme {self.name!r}")

    def kernel(self, model: "QuantizedLinear") -> Any:
        """Return what every prediction needs; it is computed once per model."""
        # Python's float is added faster than numpy's.
        return model._values, model.bias if model.bias.ndim else float(model.bias)

    def predict(self, model: "QuantizedLinear", X: ArrayLike) -> Floats:
        """Return predictions for rows X (n, p), in target units; shape (n,) or (n, k)."""
        rows = rows_of(model, X)
        predictions = dot_rows(rows, *model._kernel)
        refuse_nonfinite_rows(predictions, rows, model.feature_names_in_)
        return predictions

    def predict_quantized(self, model: "QuantizedLinear", Xq: np.ndarray) -> Floats:
        """Return predictions for rows Xq (n, p) of uint8; only if the scheme quantizes inputs."""
        raise wrong_inputs(self.name, Xq, model.weights.shape[-1])

    def input_steps(self, model: "QuantizedLinear", X: ArrayLike) -> Floats:
        """Return rows X (n, p) rounded to whole steps of the inputs; only if the scheme quantizes inputs."""
        raise HousingError(f"the scheme {self.name!r} takes inputs in float: only 'integer' quantizes them")

    def reach(self, model: "QuantizedLinear") -> Floats:
        """Return the largest error of each weight, in the units of `values`; shape (p,) or (k, p)."""
        scale = model.affine.aligned(model.affine.scale, model.weights).astype(np.float64)
        return np.broadcast_to(float(model.radius) * scale, model.weights.shape)

    def bound(self, model: "QuantizedLinear", X: Floats) -> Floats:
        """Return a bound on |quantized − float| for each prediction of finite rows X (n, p)."""
        reach, center = self.reach(model), model.center.astype(np.float64)
        bound = dot_rows(np.abs(X - center), reach, model.slack)
        return with_rounding(model, bound, dot_rows(np.abs(X) + np.abs(center), np.abs(model._values) + reach, 0.0))


def search(exact: Exact, ratio: Floats, bits: int, axis: int | None) -> Rounded:
    """Return what `rounding.search` finds with one scale and zero point for each index along an axis, or one in all."""
    from ..rounding import search as search_grids  # imported here because predict must start fast

    covariance = exact.covariance()
    if not np.isfinite(covariance).all():
        raise HousingError("the features are too large or too small to square: rescale them")
    found = search_grids(exact.coef, covariance, ratio, bits, shared_zero_point=axis is None)
    scale, zero_point = (found.scale[0], found.zero_point[0]) if axis is None else (found.scale, found.zero_point)
    return Affine(scale, zero_point, axis, bits), np.ascontiguousarray(found.q), found.proven


def rows_of(model: "QuantizedLinear", X: ArrayLike) -> Floats:
    """Return rows X (n, p) in float64, or those of a frame with the user's columns; refuse other columns."""
    if model.encoding is not None:
        X = encoded(X, model.encoding)
    return as_rows(X, model.feature_names_in_, named=model.named)


def finite_rows(model: "QuantizedLinear", X: ArrayLike) -> Floats:
    """Return rows X (n, p) in float64; refuse other columns than the model's, NaN and infinity."""
    rows = rows_of(model, X)
    refuse_nonfinite(rows, "X", model.feature_names_in_)
    return rows


def wrong_inputs(scheme: str, Xq: np.ndarray, features: int) -> HousingError:
    """Return the error for rows that `predict_quantized` does not take."""
    return HousingError(
        f"Xq has shape {Xq.shape} of {Xq.dtype} in the scheme {scheme!r}: expected the scheme 'integer' "
        f"and uint8 rows of {features}, as quantize_input gives them"
    )


def with_rounding(model: "QuantizedLinear", bound: Floats, size: Floats) -> Floats:
    """Return a bound that covers the rounding of float64 too, in sums whose terms have this total size."""
    error = rounding_error(model.weights.shape[-1])
    size = size + (np.abs(model.intercept) + model.slack)
    return np.asarray((bound + error * size) * (1 + error))


def rounding_error(terms: int) -> float:
    """Return the relative error of a float64 sum of so many products, several times over (Higham 2002, section 3.1)."""
    return 8 * (terms + 4) * _UNIT_ROUNDOFF
