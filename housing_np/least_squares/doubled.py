"""Arrays in double-double arithmetic: a number is the unevaluated sum of two doubles, 106 bits.

References
----------
Dekker, "A floating-point technique for extending the available precision", Numerische Mathematik 18 (1971).
Rump, Ogita, Oishi, "Accurate floating-point summation part I", SIAM Journal on Scientific Computing 31 (2008).
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..arrays import Floats


class Doubled(NamedTuple):
    """An array of numbers ``high + low``, where ``low`` is at most half a unit in the last place of ``high``.

    Examples
    --------
    >>> third = Doubled.of([1.0]) / Doubled.of([3.0])
    >>> third.high * 3 - 1, (third * Doubled.of([3.0]) - Doubled.of([1.0])).high
    (array([0.]), array([0.]))
    >>> third.low * 2**54  # 1/3 in binary is a little more than its nearest double
    array([0.33333333])
    """

    high: Floats
    low: Floats

    @classmethod
    def of(cls, values: npt.ArrayLike) -> "Doubled":
        """Return numbers in double precision as they are."""
        high = np.asarray(values, np.float64)
        return cls(high, np.zeros_like(high))

    def at(self, *index: Any) -> "Doubled":
        """Return the part of the array at an index."""
        return Doubled(self.high[index], self.low[index])

    def plus(self, other: "Doubled") -> "Doubled":
        """Return the sum, to 106 bits of the larger term."""
        total = self.high + other.high
        virtual = total - self.high
        error = (self.high - (total - virtual)) + (other.high - virtual)
        return _normalized(total, error + (self.low + other.low))

    def __sub__(self, other: "Doubled") -> "Doubled":
        return self.plus(Doubled(-other.high, -other.low))

    def __mul__(self, other: "Doubled") -> "Doubled":  # type: ignore[override]
        product = self.high * other.high
        (a, b), (c, d) = _halves(self.high), _halves(other.high)
        error = b * d - (((product - a * c) - b * c) - a * d)
        return _normalized(product, error + (self.high * other.low + self.low * other.high))

    def __truediv__(self, other: "Doubled") -> "Doubled":
        quotient = self.high / other.high
        rest = self - other * Doubled.of(quotient)
        return _normalized(quotient, rest.high / other.high)

    def sqrt(self) -> "Doubled":
        """Return the square roots of positive numbers."""
        root = np.sqrt(self.high)
        rest = self - Doubled.of(root) * Doubled.of(root)
        return _normalized(root, rest.high / (2 * root))

    def sum(self) -> "Doubled":
        """Return the sum along the first axis: the upper bits of all terms add up without rounding, then the lower."""
        bits = len(self.high).bit_length() + 1
        largest = np.abs(self.high).max(axis=0, initial=0.0)
        unit = np.ldexp(1.0, np.frexp(largest)[1] + bits)
        upper = (self.high + unit) - unit
        rest = self.high - upper
        unit = np.ldexp(unit, bits - 52)
        middle = (rest + unit) - unit
        total = Doubled.of(upper.sum(axis=0)).plus(Doubled.of(middle.sum(axis=0)))
        return _normalized(total.high, total.low + ((rest - middle).sum(axis=0) + self.low.sum(axis=0)))

    def ldexp(self, exponent: npt.ArrayLike) -> "Doubled":
        """Return the numbers times ``2**exponent``."""
        return Doubled(np.ldexp(self.high, exponent), np.ldexp(self.low, exponent))


def triangular_factor(matrix: Doubled) -> Doubled:
    """Return R (m, m), upper triangular, with R'R = A'A for A (n, m): modified Gram-Schmidt in double-double.

    R is as accurate as Householder's (Björck, "Solving linear least squares problems by Gram-Schmidt
    orthogonalization", BIT 7, 1967). Where a column is exactly a sum of those before it, its row is 0.
    """
    m = matrix.high.shape[1]
    factor = Doubled.of(np.zeros((m, m)))
    for i in range(m):
        column = matrix.at(slice(None), slice(1))
        products = (column * matrix).sum()
        matrix = matrix.at(slice(None), slice(1, None))
        if products.high[0] > 0:
            square, others = products.at(slice(1)), products.at(slice(1, None))
            matrix = matrix - column * (others / square)
            factor.high[i, i:], factor.low[i, i:] = products / square.sqrt()
    return factor


def _normalized(high: Floats, low: Floats) -> Doubled:
    total = high + low
    return Doubled(total, low - (total - high))


def _halves(values: Floats) -> tuple[Floats, Floats]:
    """Return two halves of each mantissa, of at most 26 bits (Veltkamp)."""
    large = values * (2.0**27 + 1)
    high = large - (large - values)
    return high, values - high
