"""Arrays in double-double arithmetic: a number is the unevaluated sum of two doubles, 106 bits.

References
----------
Dekker, "A floating-point technique for extending the available precision", Numerische Mathematik 18 (1971).
Rump, Ogita, Oishi, "Accurate floating-point summation part I", SIAM Journal on Scientific Computing 31 (2008).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks.arrays import Floats


class Doubled:
    """An array of numbers ``high + low``, where ``low`` is at most half a unit in the last place of ``high``.

    It is written as an array of NumPy's is: ``+ - * /``, indices, ``sum(axis=0)``.

    Examples
    --------
    >>> third = Doubled(np.array([1.0])) / np.array([3.0])
    >>> third.high * 3 - 1, (third * np.array([3.0]) - np.array([1.0])).high
    (array([0.]), array([0.]))
    >>> third.low * 2**54  # 1/3 in binary is a little more than its nearest double
    array([0.33333333])
    """

    __slots__ = ("high", "low")

    def __init__(self, high: Floats, low: Floats | None = None) -> None:
        self.high, self.low = high, np.zeros_like(high) if low is None else low

    def __getitem__(self, index: Any) -> "Doubled":
        return Doubled(self.high[index], self.low[index])

    def __setitem__(self, index: Any, values: "Doubled | Floats | float") -> None:
        self.high[index], self.low[index] = (values.high, values.low) if isinstance(values, Doubled) else (values, 0.0)

    def __add__(self, other: "Doubled | Floats") -> "Doubled":
        other = _doubled(other)
        total = self.high + other.high
        virtual = total - self.high
        error = (self.high - (total - virtual)) + (other.high - virtual)
        return _normalized(total, error + (self.low + other.low))

    def __sub__(self, other: "Doubled | Floats") -> "Doubled":
        other = _doubled(other)
        return self + Doubled(-other.high, -other.low)

    def __mul__(self, other: "Doubled | Floats") -> "Doubled":
        other = _doubled(other)
        product = self.high * other.high
        (a, b), (c, d) = _halves(self.high), _halves(other.high)
        error = b * d - (((product - a * c) - b * c) - a * d)
        return _normalized(product, error + (self.high * other.low + self.low * other.high))

    def __truediv__(self, other: "Doubled | Floats") -> "Doubled":
        other = _doubled(other)
        quotient = self.high / other.high
        return _normalized(quotient, (self - other * quotient).high / other.high)

    def sqrt(self) -> "Doubled":
        """Return the square roots of numbers that are not negative."""
        root = np.sqrt(self.high)
        return _normalized(root, (self - Doubled(root) * root).high / np.where(root > 0, 2 * root, 1.0))

    def sum(self, axis: int = 0) -> "Doubled":
        """Return the sum along an axis: the upper bits of all terms add up without rounding, then the lower ones."""
        bits = self.high.shape[axis].bit_length() + 1
        largest = np.abs(self.high).max(axis=axis, initial=0.0, keepdims=True)
        unit = np.ldexp(1.0, np.frexp(largest)[1] + bits)
        upper = (self.high + unit) - unit
        rest = self.high - upper
        unit = np.ldexp(unit, bits - 52)
        middle = (rest + unit) - unit
        total = Doubled(upper.sum(axis=axis)) + middle.sum(axis=axis)
        return _normalized(total.high, total.low + ((rest - middle).sum(axis=axis) + self.low.sum(axis=axis)))

    def ldexp(self, exponent: npt.ArrayLike) -> "Doubled":
        """Return the numbers times ``2**exponent``."""
        return Doubled(np.ldexp(self.high, exponent), np.ldexp(self.low, exponent))


def product(a: Doubled, b: Doubled) -> Doubled:
    """Return the matrix product of a (n, m) and b (m, k)."""
    return (a[:, :, None] * b[None]).sum(axis=1)


def _doubled(values: "Doubled | Floats") -> Doubled:
    return values if isinstance(values, Doubled) else Doubled(values)


def _normalized(high: Floats, low: Floats) -> Doubled:
    total = high + low
    return Doubled(total, low - (total - high))


def _halves(values: Floats) -> tuple[Floats, Floats]:
    """Return two halves of each mantissa, of at most 26 bits (Veltkamp)."""
    large = values * (2.0**27 + 1)
    high = large - (large - values)
    return high, values - high
