"""A linear model in uint8: from a float model, integer inference, and a bound on what the rounding can do."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .affine import Affine, scale_and_zero_point
from .errors import HousingError
from .linear import LinearRegression, dot_rows

SCHEMES = ("per-tensor", "per-channel", "integer")
ROUNDINGS = ("nearest", "optimal")
_UNIT_ROUNDOFF = 2.0**-53
# Numbers in a block: they stay in the cache, and are too few for OpenBLAS to share a product of one target out to
# threads, which gains little and stalls on a busy machine.
_BLOCK_SIZE = 1 << 18
_INT32_MAX = 2**31 - 1
_FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class Calibration:
    """What the rows that a model is used on look like, in the units of the features.

    Calibrations of other rows add up, in any order.

    Attributes
    ----------
    rows : int
    mean : ndarray, shape (p,)
    covariance : ndarray, shape (p, p)
        Divided by n.
    low, high : ndarray, shape (p,)
        The range that the integer scheme covers.
    """

    rows: int
    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def of(cls, X: ArrayLike, percentile: float = 100.0) -> Self:
        """From rows X (n, p); the range leaves out (100 − percentile) % of the values at each end.

        >>> Calibration.of([[0.0], [2.0], [4.0]]).mean
        array([2.])
        """
        if not 50 < percentile <= 100:
            raise HousingError(f"percentile is {percentile}: expected more than 50, and at most 100")
        X = _finite_rows(X)
        if not len(X):
            raise HousingError("X has no rows: calibration needs at least one")
        mean = X.mean(axis=0)
        centred = X - mean
        low, high = X.min(axis=0), X.max(axis=0)
        if percentile < 100:
            low, high = np.percentile(X, [100 - percentile, percentile], axis=0)
        return cls(len(X), mean, centred.T @ centred / len(X), low, high)

    @classmethod
    def of_blocks(cls, blocks: Iterable[ArrayLike]) -> Self:
        """From blocks of rows, each (n, p), in one pass; blocks without rows are skipped.

        >>> Calibration.of_blocks([[[0.0], [2.0]], [[4.0]]]).mean
        array([2.])
        """
        total = None
        for X in blocks:
            if len(rows := _rows(X)):
                total = cls.of(rows) if total is None else total + cls.of(rows)
        if total is None:
            raise HousingError("X has no rows: calibration needs at least one")
        return total

    def __add__(self, other: Self) -> Self:
        """What the rows of both look like."""
        rows, shift = self.rows + other.rows, other.mean - self.mean
        mine, theirs = self.rows / rows, other.rows / rows
        return replace(
            self,
            rows=rows,
            mean=self.mean + shift * theirs,
            # Chan, Golub and LeVeque 1983: merged without cancellation.
            covariance=self.covariance * mine + other.covariance * theirs + np.outer(shift, shift) * (mine * theirs),
            low=np.minimum(self.low, other.low),
            high=np.maximum(self.high, other.high),
        )

    @property
    def deviation(self) -> NDArray[np.float64]:
        """Standard deviation of each feature; 0 where it is no more than the rounding of the mean."""
        deviation = np.sqrt(np.diag(self.covariance))
        return np.asarray(np.where(deviation > 2.0**-48 * np.abs(self.mean), deviation, 0.0))

    @property
    def rms(self) -> NDArray[np.float64]:
        """Root of the mean of x², for each feature: its usual size."""
        return np.asarray(np.sqrt(self.deviation**2 + self.mean**2))


@dataclass(frozen=True, eq=False)
class QuantizedLinear:
    """A linear model whose weights are uint8, and in the scheme "integer" its inputs too.

    Attributes
    ----------
    scheme : {"per-tensor", "per-channel", "integer"}
        One scale for all weights, in the units of the raw features; one scale per feature, such that the rounding of
        each weighs the same in a prediction; or one scale for weights that take inputs in uint8.
    weights : ndarray of uint8, shape (p,) or (k, p)
    affine : Affine
        What the weights stand for; along the last axis for "per-channel".
    intercept : ndarray of float64, shape () or (k,)
        Refitted to the rounded weights, so that the mean prediction stays; a whole number of `affine.scale` for
        "integer", whose int32 `bias` it is.
    center : ndarray, shape (p,)
        Where the deviation from the float model is at most `slack`: near the mean of the calibration rows.
        Zeros for "per-tensor", which has no bytes for it; uint8 in the units of the quantized inputs for "integer".
    radius : float
        No weight is further than `radius` times its scale from the float weight.
    slack : ndarray of float32, shape () or (k,)
    feature_names_in_, target_names_ : tuple of str
    input_scale, input_offset : ndarray of float32 and float64, shape (p,), optional
        Only for "integer": x ≈ input_offset + input_scale · uint8.
    proven : bool, optional
        After optimal rounding: whether these integers are proven to be the best for their scale and zero point.
        Not saved.

    Raises
    ------
    HousingError
        If the int32 sum of the scheme "integer" could overflow.
    """

    scheme: str
    weights: NDArray[np.uint8]
    affine: Affine
    intercept: NDArray[np.float64]
    center: np.ndarray
    radius: np.float32
    slack: NDArray[np.float32]
    feature_names_in_: tuple[str, ...]
    target_names_: tuple[str, ...]
    input_scale: NDArray[np.float32] | None = None
    input_offset: NDArray[np.float64] | None = None
    proven: bool | None = None

    def __post_init__(self) -> None:
        if self.scheme == "integer" and self._largest_sum > _INT32_MAX:
            raise HousingError(
                f"the int32 sum of the scheme 'integer' could reach {self._largest_sum:.0f}: "
                "use the scheme 'per-channel', or features and targets centred on 0"
            )

    @classmethod
    def from_linear(
        cls,
        model: LinearRegression,
        X: ArrayLike | Calibration,
        scheme: str = "per-tensor",
        bits: int = 8,
        rounding: str = "nearest",
    ) -> Self:
        """Quantize a fitted float model.

        Parameters
        ----------
        model : LinearRegression
        X : array_like, shape (n, p), or Calibration
            Rows like those that the model will be used on: what a rounding error costs depends on them.
        scheme : {"per-tensor", "per-channel", "integer"}
        bits : int
            2 to 8.
        rounding : {"nearest", "optimal"}
            Which integers: the nearest to each weight, or those that change the predictions of the rows least,
            with the best scale and zero point that `rounding.search` finds for them.

        Returns
        -------
        QuantizedLinear

        Raises
        ------
        HousingError
            For an unknown scheme or rounding, other features than the model's, or weights beyond float32's range.

        Examples
        --------
        >>> X = [[0.0, 1.0], [1.0, 3.0], [2.0, 2.0]]
        >>> model = LinearRegression().fit(X, [1.0, 4.0, 5.0])
        >>> QuantizedLinear.from_linear(model, X, "per-channel").predict(X).round(2)
        array([1., 4., 5.])
        """
        if scheme not in SCHEMES:
            raise HousingError(f"scheme is {scheme!r}: expected one of {', '.join(SCHEMES)}")
        if rounding not in ROUNDINGS:
            raise HousingError(f"rounding is {rounding!r}: expected one of {', '.join(ROUNDINGS)}")
        rows = X if isinstance(X, Calibration) else Calibration.of(X)
        if len(rows.mean) != model.n_features_in_:
            raise HousingError(f"X has {len(rows.mean)} features, the model {model.n_features_in_}: they must be equal")
        inputs: dict[str, np.ndarray] = {}
        # What the weights multiply: the features, or the quantized inputs that they are folded with.
        coef, mean, covariance, origin = model.coef_, rows.mean, rows.covariance, np.asarray(model.intercept_)
        if scheme == "integer":
            step = _input_scale(rows)
            inputs = {"input_scale": step, "input_offset": rows.low}
            unit = step.astype(np.float64)
            coef, mean = coef * unit, (mean - rows.low) / unit
            covariance, origin = covariance / np.outer(unit, unit), origin + model.coef_ @ rows.low
        centers: dict[str, np.ndarray] = {
            "per-tensor": np.zeros(len(mean), np.float32),
            "per-channel": np.clip(mean, -_FLOAT32_MAX, _FLOAT32_MAX).astype(np.float32),
            "integer": np.clip(np.rint(mean), 0, 255).astype(np.uint8),
        }
        center = centers[scheme]
        deviation = rows.deviation if scheme == "per-channel" else None
        affine, weights, proven = _rounded(coef, covariance, deviation, bits, rounding)
        error = _values(affine, weights, scheme) - coef
        intercept = origin - error @ mean
        if scheme == "integer":
            with np.errstate(over="ignore"):
                intercept = np.rint(intercept / affine.scale) * affine.scale.astype(np.float64)
        radius = np.max(np.abs(error) / affine.scale) + 2.0**-40
        slack = np.abs(error @ center + (intercept - origin))
        # What rounding in float64 can hide from the two lines above.
        magnitude = (np.abs(coef) + np.abs(error)) @ np.abs(center) + np.abs(intercept) + np.abs(origin)
        slack += _rounding_error(len(mean)) * magnitude
        return cls(
            scheme,
            weights,
            affine,
            intercept,
            center,
            np.float32(_rounded_up(radius)),
            _rounded_up(slack),
            model.feature_names_in_,
            model.target_names_,
            **inputs,
            proven=proven,
        )

    @property
    def payload_bytes(self) -> int:
        """Bytes of the numbers that the model is made of, names and container left out."""
        return sum(array.nbytes for array in self.numbers().values())

    def numbers(self) -> dict[str, np.ndarray]:
        """The numbers that the model is made of, by name, as an artifact stores them."""
        numbers: dict[str, np.ndarray] = {
            "bits": np.array(self.affine.bits, np.uint8),
            "weights": self.weights,
            "scale": self.affine.scale,
            "zero_point": self.affine.zero_point,
            "radius": np.array(self.radius),
            "slack": self.slack,
        }
        if self.scheme == "integer":
            scale, offset = self._inputs()
            numbers |= {"bias": self.bias, "input_scale": scale, "input_offset": offset}
        else:
            numbers["intercept"] = self.intercept
        if self.scheme != "per-tensor":
            numbers["center"] = self.center
        return numbers

    @property
    def bias(self) -> NDArray[np.int32]:
        """The intercept of the scheme "integer", in units of `affine.scale`; shape () or (k,)."""
        return np.asarray(np.rint(self.intercept / self.affine.scale)).astype(np.int32)

    @cached_property
    def _folded(self) -> NDArray[np.float64]:
        """What the weights stand for: per unit of the features, or of the quantized inputs in the scheme "integer"."""
        return _values(self.affine, self.weights, self.scheme)

    @property
    def coef_(self) -> NDArray[np.float64]:
        """What the weights stand for, per unit of the raw features; shape (p,) or (k, p)."""
        return self._folded if self.input_scale is None else self._folded / self.input_scale

    @cached_property
    def _steps(self) -> NDArray[np.float64]:
        return self.weights.astype(np.float64) - self.affine.zero_point

    @property
    def _largest_sum(self) -> float:
        with np.errstate(over="ignore"):
            bias = np.abs(np.rint(self.intercept / self.affine.scale))
        return float(np.max(255 * np.abs(self._steps).sum(axis=-1) + bias))

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Predictions for rows X (n, p), in target units; shape (n,) or (n, k)."""
        if self.scheme == "integer":
            return self.predict_quantized(self.quantize_input(X))
        predictions = dot_rows(self._checked(X), self._folded)
        predictions += self.intercept
        return predictions

    def quantize_input(self, X: ArrayLike) -> NDArray[np.uint8]:
        """Rows X (n, p) as uint8, saturated to the calibrated range; only in the scheme "integer"."""
        return np.clip(self._input_steps(X), 0, 255).astype(np.uint8)

    def saturated(self, X: ArrayLike) -> NDArray[np.bool_]:
        """Which rows of X (n, p) lie outside the calibrated range; shape (n,), only in the scheme "integer"."""
        steps = self._input_steps(X)
        return np.asarray(np.any((steps < 0) | (steps > 255), axis=1))

    def _input_steps(self, X: ArrayLike) -> NDArray[np.float64]:
        scale, offset = self._inputs()
        with np.errstate(over="ignore"):
            return np.asarray(np.rint((_finite_rows(self._checked(X)) - offset) / scale))

    def _inputs(self) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        if self.input_scale is None or self.input_offset is None:
            raise HousingError(f"the scheme {self.scheme!r} takes inputs in float: only 'integer' quantizes them")
        return self.input_scale, self.input_offset

    def predict_quantized(self, Xq: ArrayLike) -> NDArray[np.float64]:
        """Predictions for rows of uint8, shape (n, p), by integer arithmetic and one last multiplication.

        Equal for every input to ``scale * (Xq.astype(int64) @ (weights − zero_point).T + bias)``.
        """
        Xq = np.asarray(Xq)
        if self.scheme != "integer" or Xq.dtype != np.uint8 or Xq.ndim != 2 or Xq.shape[1] != self.weights.shape[-1]:
            raise HousingError(
                f"Xq has shape {Xq.shape} of {Xq.dtype} in the scheme {self.scheme!r}: expected the scheme 'integer' "
                f"and uint8 rows of {self.weights.shape[-1]}, as quantize_input gives them"
            )
        steps, bias, scale = self._kernel
        out = np.empty((len(Xq), *self.intercept.shape))
        rows = _BLOCK_SIZE // (Xq.shape[1] + 1) + 1
        for start in range(0, len(Xq), rows):
            part = out[start : start + rows]
            # In the order in memory that the block has; only the last multiplication needs float64.
            part[...] = np.dot(Xq[start : start + rows].astype(steps.dtype), steps) + bias
            part *= scale
        return out

    @cached_property
    def _kernel(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Steps (p,) or (p, k), bias and scale, in the float type that is exact for every sum, and so is fast."""
        # Whole numbers are exact up to 2**24 in float32, and up to 2**53 in float64.
        dtype = np.float32 if self._largest_sum < 2**24 else np.float64
        return self._steps.T.astype(dtype), self.bias.astype(dtype), float(self.affine.scale)

    def error_bound(self, X: ArrayLike) -> NDArray[np.float64]:
        """Bound on |quantized − float| for each prediction of rows X (n, p); shape (n,) or (n, k), in target units.

        Notes
        -----
        With Δ the error of the weights, the deviation of a row x is Δ·(x − center) plus the deviation at the center:
        at most ``radius · Σ scale_j · |x_j − center_j| + slack``. In the scheme "integer" x is the quantized row, and
        what its rounding and saturation change is added. The rounding of float64 in both models is covered.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            bound = self._bound(_finite_rows(self._checked(X)))
        # Beyond float64 nothing is known.
        return np.where(np.isnan(bound), np.inf, bound)

    def _bound(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        reach = np.broadcast_to(float(self.radius) * self.affine.scale.astype(np.float64), self.weights.shape)
        center = self.center.astype(np.float64)
        magnitude = np.abs(self._folded) + reach
        known: np.ndarray = np.zeros((len(X), *self.intercept.shape))
        inputs = X
        if self.scheme == "integer":
            scale, offset = self._inputs()
            inputs = self.quantize_input(X).astype(np.float64)
            # In steps: what the quantized inputs leave out, by rounding and by saturation.
            left_out = (X - offset) / scale - inputs
            known = np.abs(left_out @ self._folded.T) + np.abs(left_out) @ reach.T
            lost = (np.abs(X / scale) + 2 * np.abs(offset / scale) + 510) @ magnitude.T
        else:
            lost = (np.abs(X) + np.abs(center)) @ magnitude.T
        bound = np.abs(inputs - center) @ reach.T + known + self.slack
        lost += np.abs(self.intercept) + self.slack
        return np.asarray((bound + _rounding_error(X.shape[1]) * lost) * (1 + _rounding_error(X.shape[1])))

    def _checked(self, X: ArrayLike) -> NDArray[np.float64]:
        X = _rows(X)
        if X.shape[1] != self.weights.shape[-1]:
            raise HousingError(f"X has {X.shape[1]} features, expected {self.weights.shape[-1]}")
        return X


def _rows(X: ArrayLike) -> NDArray[np.float64]:
    X = np.asarray(X)
    if X.dtype.kind not in "biuf" or X.ndim != 2:
        raise HousingError(f"X has shape {X.shape} of {X.dtype}: expected rows and columns of real numbers")
    return X.astype(np.float64, copy=False)


def _finite_rows(X: ArrayLike) -> NDArray[np.float64]:
    X = _rows(X)
    if not np.isfinite(X).all():
        i, j = np.argwhere(~np.isfinite(X))[0].tolist()
        raise HousingError(f"X[{i}, {j}] is {X[i, j]}: expected a finite number; drop the row or fill it in")
    return X


def _values(affine: Affine, weights: NDArray[np.uint8], scheme: str) -> NDArray[np.float64]:
    """What the weights stand for: with integer sums, the exact multiple of the scale; else rounded to float32."""
    if scheme != "integer":
        return affine.dequantize(weights).astype(np.float64)
    return (weights.astype(np.float64) - affine.zero_point) * affine.scale.astype(np.float64)


def _rounded(
    coef: np.ndarray, covariance: np.ndarray, deviation: np.ndarray | None, bits: int, rounding: str
) -> tuple[Affine, NDArray[np.uint8], bool | None]:
    """What the weights as integers stand for, these integers, and whether they are proven to be the best.

    With the deviation of each feature, one scale for each (per channel); without, one for all (per tensor).
    """
    low, high = (np.atleast_2d(f(coef, 0.0)) for f in (np.minimum, np.maximum))
    width = high.max(axis=0) - low.min(axis=0)
    per_channel = deviation is not None
    ratio, span = (np.ones_like(width), 1.0) if deviation is None else _evenly_weighted(width, deviation)
    if rounding == "optimal":
        # Imported here: prediction must not pay for it.
        from .rounding import search

        try:
            found = search(coef, covariance, ratio, bits, shared_zero_point=not per_channel)
        except (OverflowError, np.linalg.LinAlgError):
            raise HousingError(
                "the weights or the features are too large or too small to square: rescale them"
            ) from None
        q = np.ascontiguousarray(found.q)
        if per_channel:
            return Affine(found.scale, found.zero_point, -1, bits), q, found.proven
        return Affine(found.scale[0], found.zero_point[0], None, bits), q, found.proven
    if not per_channel:
        affine = Affine.fit(coef, bits=bits)
        return affine, affine.quantize(coef), None
    scale, _ = scale_and_zero_point(np.zeros_like(width), span * ratio, bits)
    zero_point = np.rint(-low.min(axis=0) / scale).astype(np.uint8)
    affine = Affine(scale, zero_point, -1, bits)
    return affine, affine.quantize(coef), None


def _evenly_weighted(width: np.ndarray, deviation: np.ndarray) -> tuple[np.ndarray, float]:
    """Scales, up to a factor, inverse to each feature's standard deviation; and the factor that covers each weight."""
    varies = deviation > 0
    span = float(np.max(width * deviation)) or 1.0
    # The weight of a feature that never varies gets a scale of its own.
    ratio = np.where(varies, 1.0 / np.where(varies, deviation, 1.0), np.where(width > 0, width / span, 1.0))
    return ratio, span


def _input_scale(rows: Calibration) -> NDArray[np.float32]:
    span = rows.high - rows.low
    with np.errstate(over="ignore"):
        scale = np.where(span > 0, np.maximum(span / 255, np.finfo(np.float32).smallest_normal), 1.0).astype(np.float32)
    if not np.isfinite(scale).all():
        raise HousingError(f"the range of a feature, {span.max():g}, is too wide for a float32 scale: rescale it")
    return scale


def _rounding_error(terms: int) -> float:
    """Relative error of a float64 sum of so many products, several times over (Higham 2002, section 3.1)."""
    return 8 * (terms + 4) * _UNIT_ROUNDOFF


def _rounded_up(x: ArrayLike) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return np.nextafter(np.asarray(x).astype(np.float32), np.float32(np.inf))
