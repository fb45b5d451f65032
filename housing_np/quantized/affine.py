"""Numbers to small unsigned integers and back, as ONNX QuantizeLinear and DequantizeLinear define it."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks.arrays import as_numbers, read_only, refuse_inexact, refuse_nonfinite
from ..checks.objects import Rebuilt
from ..errors import HousingError, quoted

_TINY, _MAX = np.finfo(np.float32).smallest_normal, np.finfo(np.float32).max
# The scale, x / scale and (q - zero_point) * scale are each rounded to float32: at most 3 * 256 * 2**-24 of a scale.
_ROUNDING = 2.0**-14


@dataclass(frozen=True, eq=False)
class Affine(Rebuilt):
    """q = saturate(round_half_even(x / scale) + zero_point), x ≈ (q − zero_point) · scale.

    Parameters
    ----------
    scale : array_like of float32, shape () or (c,)
        Size of one step, in the units of x; finite and positive.
    zero_point : array_like of uint8, the same shape
        The integer that stands for 0 exactly.
    axis : int, optional
        None for one scale (per tensor); else the axis of x that the c scales run along (per channel).
    bits : int
        2 to 8; integers run from 0 to 2**bits − 1 and are stored as uint8.

    Raises
    ------
    HousingError
        If the shapes differ, a scale is not finite and positive, or a zero point, `axis` or `bits` is no integer or out
        of range.

    Notes
    -----
    The arrays are read-only copies.
    https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html. Where ONNX's reference casts before it saturates,
    and so overflows, this saturates first.

    Examples
    --------
    >>> affine = Affine.fit([-1.0, 0.0, 3.0])
    >>> affine.quantize([-1.0, 0.0, 3.0])
    array([  0,  64, 255], dtype=uint8)
    >>> affine.dequantize([0, 64, 255])
    array([-1.0039216,  0.       ,  2.9960785], dtype=float32)
    """

    scale: NDArray[np.float32]
    zero_point: NDArray[np.uint8]
    axis: int | None = None
    bits: int = 8

    def __post_init__(self) -> None:
        object.__setattr__(self, "bits", as_bits(self.bits))
        object.__setattr__(self, "axis", _as_axis(self.axis))
        with np.errstate(over="ignore"):
            scale = as_numbers(self.scale, "scale").astype(np.float32)
        zero_point = as_numbers(self.zero_point, "zero_point")
        expected = 0 if self.axis is None else 1
        if scale.ndim != expected or zero_point.shape != scale.shape:
            raise HousingError(
                f"scale has shape {scale.shape} and zero_point {zero_point.shape}: with axis={self.axis} "
                f"both must have {expected} dimensions and the same length"
            )
        if not np.all(np.isfinite(scale) & (scale > 0)):
            raise HousingError("scale must be finite and positive in float32: rescale the values")
        if zero_point.dtype.kind not in "iu" or np.any((zero_point < 0) | (zero_point > self.largest)):
            raise HousingError(f"zero_point must be an integer from 0 to {self.largest} with bits={self.bits}")
        object.__setattr__(self, "scale", read_only(scale))
        object.__setattr__(self, "zero_point", read_only(zero_point.astype(np.uint8)))

    @classmethod
    def fit(cls, x: ArrayLike, axis: int | None = None, bits: int = 8) -> Self:
        """Choose scale and zero point so that the range of x, extended to contain 0, is covered.

        Parameters
        ----------
        x : array_like
            Finite numbers; float32 is computed in float32 (as ONNX DynamicQuantizeLinear does), the rest in float64.
        axis : int, optional
            None for one range over all of x, else one range for each index along this axis.
        bits : int
            2 to 8.

        Returns
        -------
        Affine
            A range of zero width gets scale 1 and zero point 0.

        Raises
        ------
        HousingError
            If x is empty or holds NaN or infinity, or its range does not fit float32.

        Examples
        --------
        >>> Affine.fit([[1.0, -1.0], [3.0, 2.0]], axis=1).zero_point
        array([ 0, 85], dtype=uint8)
        """
        bits, axis, x = as_bits(bits), _as_axis(axis), _numbers(x)
        if x.size == 0:
            raise HousingError("x is empty: a range needs at least one number")
        others = None if axis is None else tuple(i for i in range(x.ndim) if i != _position(x, axis))
        low = np.minimum(x.min(axis=others), x.dtype.type(0))
        high = np.maximum(x.max(axis=others), x.dtype.type(0))
        return cls(*scale_and_zero_point(low, high, bits), axis=axis, bits=bits)

    @property
    def largest(self) -> int:
        """The largest integer, 2**bits − 1."""
        return (1 << self.bits) - 1

    @property
    def max_error(self) -> NDArray[np.float64]:
        """Bound on |x − dequantize(quantize(x))| inside the range, rounding of float32 included; the shape of scale."""
        return self.scale.astype(np.float64) * (0.5 + _ROUNDING)

    def quantize(self, x: ArrayLike) -> NDArray[np.uint8]:
        """Round x to the nearest integers, ties to even, saturated to [0, 2**bits − 1].

        Parameters
        ----------
        x : array_like, any shape; along `axis` as long as `scale`
            Finite numbers; float32 is divided in float32, the rest in float64.

        Returns
        -------
        ndarray of uint8, the shape of x

        Raises
        ------
        HousingError
            If x holds NaN or infinity (named with its position), or does not fit the scales along `axis`.

        Examples
        --------
        >>> Affine(0.5, 10).quantize([-9.0, 0.25, 0.75, 1e9])
        array([  0,  10,  12, 255], dtype=uint8)
        """
        x = _numbers(x)
        with np.errstate(over="ignore"):
            steps = np.rint(x / self.aligned(self.scale, x)) + self.aligned(self.zero_point, x)
        # Saturated while still float: a cast of what does not fit uint8 would wrap around.
        return np.asarray(np.clip(steps, 0, self.largest), np.uint8)

    def dequantize(self, q: ArrayLike) -> NDArray[np.float32]:
        """Return the numbers that the integers stand for, (q − zero_point) · scale.

        Parameters
        ----------
        q : array_like of integers in [0, 2**bits − 1], any shape; along `axis` as long as `scale`

        Returns
        -------
        ndarray of float32, the shape of q

        Raises
        ------
        HousingError
            If q is not integer or out of range, or does not fit the scales along `axis`.

        Examples
        --------
        >>> Affine(0.5, 10).dequantize([3, 10])
        array([-3.5,  0. ], dtype=float32)
        """
        q = as_numbers(q, "q")
        if q.dtype.kind not in "iu" or np.any((q < 0) | (q > self.largest)):
            raise HousingError(f"q must be integers from 0 to {self.largest} with bits={self.bits}")
        # Widened first: in uint8, 3 - 10 is 249.
        steps = q.astype(np.int32) - self.aligned(self.zero_point, q)
        with np.errstate(over="ignore"):
            values = steps.astype(np.float32) * self.aligned(self.scale, q)
        return np.asarray(np.clip(values, -_MAX, _MAX))

    def aligned(self, parameter: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the parameter in a shape that broadcasts against x."""
        if self.axis is None:
            return parameter
        axis = _position(x, self.axis)
        if x.shape[axis] != parameter.size:
            raise HousingError(f"axis {self.axis} has length {x.shape[axis]}, expected {parameter.size}, one per scale")
        return parameter.reshape([-1 if i == axis else 1 for i in range(x.ndim)])


def scale_and_zero_point(low: np.ndarray, high: np.ndarray, bits: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return scale and zero point for ranges [low, high], each of which contains 0; any shape."""
    largest = low.dtype.type(2**bits - 1)
    with np.errstate(over="ignore"):
        width = high - low
        if not np.all(np.isfinite(width)):
            width = high.astype(np.float64) - low
        scale = np.asarray(width / largest).astype(np.float32)
    # Below float32's normal range a scale would lose its own digits.
    scale = np.where(width == 0, np.float32(1), np.maximum(scale, _TINY))
    zero_point = np.minimum(np.rint(-low / scale), largest)
    return scale, zero_point.astype(np.uint8)


def as_bits(bits: Any) -> int:
    """Return bits as an int; refuse anything but an integer from 2 to 8."""
    if not _is_integer(bits) or not 2 <= bits <= 8:
        raise HousingError(f"bits is {quoted(bits)}: expected an integer from 2 to 8")
    return int(bits)


def _as_axis(axis: Any) -> int | None:
    if axis is not None and not _is_integer(axis):
        raise HousingError(f"axis is {quoted(axis)}: expected None or an integer")
    return None if axis is None else int(axis)


def _is_integer(value: Any) -> bool:
    """Whether a value is an integer of Python or NumPy, or an array of shape () of one."""
    value = value[()] if isinstance(value, np.ndarray) else value
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _position(x: np.ndarray, axis: int) -> int:
    if not -x.ndim <= axis < x.ndim:
        raise HousingError(f"axis {quoted(axis)} does not exist in an array of {x.ndim} dimensions")
    return axis % x.ndim


def _numbers(x: ArrayLike) -> np.ndarray:
    """Return finite x, as float32 if it is that already, else as float64."""
    x = as_numbers(x, "x")
    refuse_nonfinite(x, "x")
    refuse_inexact(x, "x")
    return x if x.dtype == np.float32 else x.astype(np.float64)
