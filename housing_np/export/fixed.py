"""Integer sums to fixed-point numbers, by a multiplier and a shift: what a processor without floats predicts."""

from fractions import Fraction
from math import frexp
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..quantized.model import QuantizedLinear

_INT32_MAX = 2**31 - 1


class Fixed(NamedTuple):
    """fixed = round(sum · multiplier / 2**shift), halves rounded up, and prediction ≈ fixed / 2**fraction_bits.

    Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference", 2018
    (arXiv 1712.05877), section 2.2. There the scale of the result is given, and the multiplier rounded; here it is the
    power of two that leaves nothing to round but the result.

    >>> fixed = Fixed.of_scale(0.75, 1000)
    >>> fixed.fraction_bits, fixed([1000, -3]) / 2.0**fixed.fraction_bits
    (21, array([750.  ,  -2.25]))
    """

    multiplier: int  # from 2**30 to 2**31 − 1: the digits of the model's scale, exact because it has 24 of them
    shift: int  # from 0 to 31
    fraction_bits: int  # as many as int32 has room for; negative where predictions are larger than int32

    @classmethod
    def of(cls, model: QuantizedLinear) -> Self:
        """Return the fixed point of a model of the scheme "integer"."""
        return cls.of_scale(float(model.affine.scale), int(np.abs(sum_range(model)).max()))

    @classmethod
    def of_scale(cls, scale: float, largest_sum: int) -> Self:
        """Return the fixed point of prediction = scale · sum, for a float32 scale and sums up to `largest_sum`."""
        digits, exponent = frexp(scale)
        multiplier = int(digits * 2**31)
        shift = max(0, (largest_sum * multiplier // _INT32_MAX).bit_length() - 1)
        while largest_sum * multiplier + (1 << shift >> 1) >> shift > _INT32_MAX:
            shift += 1
        return cls(multiplier, shift, 31 - exponent - shift)

    @property
    def scale(self) -> Fraction:
        """The value of 1: 2**−fraction_bits, in units of the target."""
        return 1 / Fraction(2) ** self.fraction_bits

    @property
    def largest_error(self) -> Fraction:
        """Bound on the distance from scale · sum, in units of the target."""
        return self.scale / 2 if self.shift else Fraction(0)

    def __call__(self, sums: ArrayLike) -> NDArray[np.int32]:
        """Return the fixed-point number of each sum."""
        product = np.asarray(sums, np.int64) * self.multiplier
        return (product + (1 << self.shift >> 1) >> self.shift).astype(np.int32)


def sum_range(model: QuantizedLinear) -> NDArray[np.int64]:
    """Return the least and the largest sum that uint8 inputs can give, over all targets; shape (2,)."""
    steps = model.weights.astype(np.int64) - int(model.affine.zero_point)
    ends = [
        (255 * part.sum(axis=-1) + model.bias.astype(np.int64)) for part in (np.minimum(steps, 0), np.maximum(steps, 0))
    ]
    return np.array([ends[0].min(), ends[1].max()])


def sums(model: QuantizedLinear, Xq: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return the integer sums of rows of uint8 (n, p), bias included; shape (n,) or (n, k)."""
    steps = model.weights.astype(np.int64) - int(model.affine.zero_point)
    return np.asarray(Xq.astype(np.int64) @ steps.T + model.bias, np.int32)
