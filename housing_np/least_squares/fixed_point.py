"""Numbers in fixed point: integers of any length times powers of two, so that sums and products lose nothing."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.object_]  # of Python's int: NumPy's portable extended precision
Exponents = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FixedPoint:
    """An array of numbers ``integers * 2**exponent``; exact but for `of` and `at`, which round down.

    Attributes
    ----------
    integers : array of int
    exponent : int or array of int
        One for all numbers, or of a shape that broadcasts to theirs.

    Examples
    --------
    >>> tenth = FixedPoint.of(np.array([0.1]), -60)
    >>> FixedPoint(tenth.integers * 10 - 2**60, -60).to_float() * 2**54  # 0.1 in binary is a little more than 1/10
    array([1.])
    """

    integers: Integers
    exponent: Exponents | int

    @classmethod
    def of(cls, values: Floats, exponent: npt.ArrayLike) -> "FixedPoint":
        """Return finite numbers, rounded down to multiples of ``2**exponent``."""
        return cls(np.asarray(_integer_each(values, exponent), object), np.asarray(exponent, np.int64))

    def at(self, exponent: npt.ArrayLike) -> "FixedPoint":
        """Return the same numbers with other exponents, rounded down where these are coarser."""
        return FixedPoint(lshift(self.integers, np.subtract(self.exponent, exponent)), np.asarray(exponent, np.int64))

    def ldexp(self, exponent: npt.ArrayLike) -> "FixedPoint":
        """Return the numbers times ``2**exponent``."""
        return FixedPoint(self.integers, np.add(self.exponent, exponent))

    def to_float(self) -> Floats:
        """Return the numbers in double precision, infinite beyond its range."""
        with np.errstate(over="ignore"):
            return np.asarray(_float_each(self.integers, self.exponent), np.float64)

    def half_exponent(self) -> Exponents:
        """Return e such that each number is 0 or from 2**(2e - 1) to 2**(2e + 1): 2**e is near its square root."""
        bits = np.array([int(integer).bit_length() for integer in self.integers], np.int64)
        return np.asarray((bits + self.exponent) // 2)


def lshift(values: Integers, bits: npt.ArrayLike) -> Integers:
    """Return ``values << bits``, to the right (rounding down) where bits are negative."""
    return np.asarray(_lshift_each(values, bits), dtype=object)


def ldexp(value: int, exponent: int) -> float:
    """Return ``value * 2**exponent`` for an integer of any length, infinite beyond the range of a double."""
    excess = max(value.bit_length() - 64, 0)
    try:
        return math.ldexp(value >> excess, exponent + excess)
    except OverflowError:
        return math.inf if value > 0 else -math.inf  # an integer so long is no float that could have a sign


def _integer(value: float, exponent: int) -> int:
    mantissa, power = math.frexp(value)
    return _lshift(int(mantissa * 2**53), power - 53 - exponent)


def _lshift(value: int, bits: int) -> int:
    return value << bits if bits >= 0 else value >> -bits


_float_each = np.frompyfunc(ldexp, 2, 1)
_integer_each = np.frompyfunc(_integer, 2, 1)
_lshift_each = np.frompyfunc(_lshift, 2, 1)
