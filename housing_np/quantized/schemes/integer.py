"""The scheme "integer": inputs are quantized too, and sums are int32 until one last multiplication."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...checks.arrays import Floats
from ...errors import HousingError
from ...fit.linear import LinearRegression
from ...fit.products import dot_rows
from ...rows.threads import parallel_map, thread_count
from ..affine import Affine
from .scheme import Exact, Field, QuantizationScheme, fields_of, finite_rows, with_rounding, wrong_inputs

if TYPE_CHECKING:
    from ..calibration import Calibration
    from ..model import QuantizedLinear

# Numbers in a block: they stay in the cache, and are too few for OpenBLAS to share a product of one target out to
# threads, which gains little and stalls on a busy machine.
_BLOCK_SIZE = 1 << 17
_STRETCH_SIZE = 1 << 21  # the fewest numbers that are worth a thread
_INT32_MAX = 2**31 - 1


class Integer(QuantizationScheme):
    """Inputs in uint8 over the range of the calibration rows; their scales and offsets are folded into the weights."""

    name = "integer"
    fields = fields_of(
        "model",
        bias=Field("<i4", "target"),
        center=Field("u1", "feature"),
        input_scale=Field("<f4", "feature"),
        input_offset=Field("<f8", "feature"),
    )

    def exact(self, model: LinearRegression, rows: "Calibration") -> Exact:
        """Return the float model and the rows in the units of the quantized inputs."""
        scale, offset = _input_scale(rows), rows.low
        step = scale.astype(np.float64)
        return Exact(
            model.coef_ * step,
            np.asarray(model.intercept_) + model.coef_ @ offset,
            (rows.mean - offset) / step,
            rows.deviation / step,
            lambda: rows.covariance / np.outer(step, step),
            scale,
            offset,
        )

    def fitted(self, affine: Affine, exact: Exact) -> Affine:
        """Return an affine map of the weights with which the sum fits int32: coarser beside a large bias."""
        room = max(_INT32_MAX - 255 * 255 * exact.coef.shape[-1], _INT32_MAX // 2)
        least = float(np.max(np.abs(exact.intercept))) / room
        if not affine.scale < least < np.inf:
            return affine
        scale = np.nextafter(np.float32(least), np.float32(np.inf))
        return Affine(scale, affine.zero_point, bits=affine.bits)

    def values(self, affine: Affine, weights: NDArray[Any]) -> Floats:
        """Return the numbers that the weights stand for: exact multiples of the scale, as in integer sums."""
        return (weights.astype(np.float64) - affine.zero_point) * affine.scale.astype(np.float64)

    def bias(self, intercept: Floats, affine: Affine) -> Floats:
        """Return the intercept in whole steps of the scale."""
        return np.asarray(np.rint(intercept / affine.scale))

    def intercept(self, bias: NDArray[Any], affine: Affine) -> Floats:
        """Return the intercept in target units, to add to the weighted sum of quantized inputs."""
        return np.asarray(bias * affine.scale.astype(np.float64))

    def center(self, mean: Floats) -> NDArray[Any]:
        """Return the quantized input next to the mean of the rows."""
        return np.clip(np.rint(mean), 0, 255).astype(np.uint8)

    def check(self, model: "QuantizedLinear") -> None:
        """Refuse input scales that are not positive, and sums that could overflow int32."""
        scale, _ = _inputs(model)
        if np.any(scale <= 0):
            raise HousingError("input_scale must be positive")
        if (largest := _largest_sum(model)) > _INT32_MAX:
            raise HousingError(
                f"the int32 sum of the scheme 'integer' could reach {largest:.12g}: "
                "use the scheme 'per-channel', or features and targets centred on 0"
            )

    def kernel(self, model: "QuantizedLinear") -> "_Kernel":
        """Return the integer arithmetic in the float type that is exact for every sum, and so is fast."""
        # Whole numbers are exact up to 2**24 in float32, and up to 2**53 in float64.
        dtype = np.float32 if _largest_sum(model) < 2**24 else np.float64
        return _Kernel(_steps(model).T.astype(dtype), model.bias.astype(dtype), float(model.affine.scale))

    def predict(self, model: "QuantizedLinear", X: ArrayLike) -> Floats:
        """Return predictions for rows X (n, p), in target units; shape (n,) or (n, k)."""
        return self.predict_quantized(model, model.quantize_input(X))

    def predict_quantized(self, model: "QuantizedLinear", Xq: np.ndarray) -> Floats:
        """Return predictions for rows Xq (n, p) of uint8."""
        features = model.weights.shape[-1]
        if Xq.dtype != np.uint8 or Xq.ndim != 2 or Xq.shape[1] != features:
            raise wrong_inputs(self.name, Xq, features)
        kernel: _Kernel = model._kernel
        return kernel.predict(Xq)

    def input_steps(self, model: "QuantizedLinear", X: ArrayLike) -> Floats:
        """Return rows X (n, p) rounded to whole steps from the input offsets, not saturated."""
        scale, offset = _inputs(model)
        # In place: new memory for each step would cost more than its arithmetic.
        with np.errstate(over="ignore"):
            steps = finite_rows(model, X) - offset
            steps /= scale
        return np.rint(steps, out=steps)

    def bound(self, model: "QuantizedLinear", X: Floats) -> Floats:
        """Return the bound of the weights' errors on the quantized rows, plus what rounding the inputs changes."""
        (scale, offset), values, reach = _inputs(model), model._values, self.reach(model)
        inputs = model.quantize_input(X).astype(np.float64)
        # What rounding and saturation take from the inputs, in steps.
        left_out = (X - offset) / scale - inputs
        moved = np.abs(dot_rows(left_out, values, 0.0)) + dot_rows(np.abs(left_out), reach, 0.0)
        bound = dot_rows(np.abs(inputs - model.center.astype(np.float64)), reach, 0.0) + moved + model.slack
        size = dot_rows(np.abs(X / scale) + 2 * np.abs(offset / scale) + 510, np.abs(values) + reach, 0.0)
        return with_rounding(model, bound, size)


class _Kernel(NamedTuple):
    """Steps (p,) or (p, k), bias () or (k,) and scale: a prediction is ``scale * (inputs @ steps + bias)``."""

    steps: np.ndarray
    bias: np.ndarray
    scale: float

    def predict(self, Xq: NDArray[np.uint8]) -> Floats:
        out = np.empty((len(Xq), *self.bias.shape))
        if Xq.size <= _BLOCK_SIZE:
            np.multiply(np.dot(Xq.astype(self.steps.dtype), self.steps) + self.bias, self.scale, out=out, dtype=float)
            return out
        rows = max(1, _STRETCH_SIZE // Xq.shape[1])
        parts = [slice(start, start + rows) for start in range(0, len(Xq), rows)]
        threads = thread_count(Xq.size, per_thread=_STRETCH_SIZE)
        parallel_map(lambda part: self._fill(out[part], Xq[part]), parts, threads)
        return out

    def _fill(self, out: Floats, Xq: NDArray[np.uint8]) -> None:
        """Write the predictions of many rows, block by block, through memory that stays in the cache."""
        steps, bias, scale = self
        rows = max(1, _BLOCK_SIZE // Xq.shape[1])
        inputs, sums = np.empty((rows, Xq.shape[1]), steps.dtype), np.empty((rows, *bias.shape), steps.dtype)
        for start in range(0, len(Xq), rows):
            part = out[start : start + rows]
            block, sum = inputs[: len(part)], sums[: len(part)]
            block[...] = Xq[start : start + rows]
            np.dot(block, steps, out=sum)
            sum += bias
            # Only the last multiplication needs float64.
            np.multiply(sum, scale, out=part, dtype=np.float64)


def _inputs(model: "QuantizedLinear") -> tuple[NDArray[np.float32], Floats]:
    assert model.input_scale is not None
    assert model.input_offset is not None
    return model.input_scale, model.input_offset


def _steps(model: "QuantizedLinear") -> Floats:
    return model.weights.astype(np.float64) - model.affine.zero_point


def _largest_sum(model: "QuantizedLinear") -> float:
    return float(np.max(255 * np.abs(_steps(model)).sum(axis=-1) + np.abs(model.bias.astype(np.float64))))


def _input_scale(rows: "Calibration") -> NDArray[np.float32]:
    span = rows.high - rows.low
    with np.errstate(over="ignore"):
        scale = np.where(span > 0, np.maximum(span / 255, np.finfo(np.float32).smallest_normal), 1.0).astype(np.float32)
    if not np.isfinite(scale).all():
        raise HousingError(f"the range of a feature, {span.max():g}, is too wide for a float32 scale: rescale it")
    return scale
