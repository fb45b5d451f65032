"""The Gram matrix without any rounding, in integers.

References
----------
Ozaki, Ogita, Oishi, Rump, "Error-free transformations of matrix multiplication by using fast routines of matrix
multiplication", Numerical Algorithms 59 (2012): the slices.
"""

from dataclasses import dataclass

import numpy as np

from .fixed_point import Exponents, FixedPoint, Floats, Integers, lshift

EXACT_ROWS = 2048
SLICE_BITS = 21  # 2 * 21 bits a product + 11 for the sum of 2048 of them fit the 53 bits of a double
SLICES = 8  # 168 bits below a column's largest entry; ordinary data end after three slices
ROWS_AT_ONCE = 64 * EXACT_ROWS  # so many partial sums stay within 63 bits


@dataclass(frozen=True, eq=False)
class ExactGram:
    """The Gram matrix of weighted rows [1, A]: entry (i, j) is ``integers[i, j] * 2**(unit[i] + unit[j] + step)``.

    The ones have unit 0, so that the first row holds sums in steps of the weights. Without weights ``step`` is 0, and
    these are plain counts and sums; else it is even.
    """

    integers: Integers
    unit: Exponents
    step: int = 0

    @classmethod
    def of(cls, X: Floats, y: Floats, weight: Floats | None = None) -> "ExactGram":
        """Return the Gram matrix of at most ROWS_AT_ONCE rows [1, X, y], of which each counts `weight` (n,) times.

        Columns are cut into slices of so few bits that BLAS neither rounds a product nor a sum (Ozaki et al., 2012).
        """
        ends = [np.abs(f(block, axis=0).astype(np.float64)) for f in (np.max, np.min) for block in (X, y)]
        peak = np.maximum(np.concatenate(ends[:2]), np.concatenate(ends[2:]))
        top = np.frexp(np.concatenate([[1.0], peak]))[1].astype(np.int64)
        top_weight = 0 if weight is None else int(np.frexp(weight.max())[1])
        top_weight += top_weight % 2
        levels: dict[int, Exponents] = {}
        for start in range(0, len(X), EXACT_ROWS):
            rows = slice(start, start + EXACT_ROWS)
            whole = np.ldexp(np.column_stack([np.ones(len(X[rows])), X[rows], y[rows]]), -top)
            slices = _slices(whole)
            if weight is None:
                for i, left in enumerate(slices):
                    for j, right in enumerate(slices[i:], i):
                        part = (left.T @ right).astype(np.int64)
                        levels[i + j] = levels.get(i + j, 0) + (part if i == j else part + part.T)
                continue
            for product in _products(whole, np.ldexp(weight[rows], -top_weight)):
                for j, right in enumerate(_slices(product)):
                    for i, left in enumerate(slices):
                        levels[i + j] = levels.get(i + j, 0) + (left.T @ right).astype(np.int64)
        gram = np.zeros((len(top), len(top)), dtype=object)
        for i, part in levels.items():
            gram += lshift(part.astype(object), SLICE_BITS * (2 * SLICES - 2 - i))
        unit, step = top - SLICES * SLICE_BITS, 0
        if weight is not None:
            step = top_weight - SLICES * SLICE_BITS
            gram = lshift(gram, SLICE_BITS * SLICES)
        unit_of_ones, unit[0] = unit[0], 0
        gram[0] = lshift(gram[0], unit_of_ones)
        gram[:, 0] = lshift(gram[:, 0], unit_of_ones)
        return cls(gram, unit, step)

    @classmethod
    def of_shifted(cls, gram: Floats, shift: Floats, weighted: bool = False) -> "ExactGram":
        """Return the Gram matrix about zero, given that of columns less ``shift`` in double precision."""
        size = np.frexp(np.diag(gram))[1].astype(np.int64)
        unit = (size - size[0]) // 2 - 128  # of the columns, whatever the weights
        unit[0] = 0
        step = int(size[0]) // 2 * 2 - 256 if weighted else 0
        return cls(FixedPoint.of(gram, unit[:, None] + unit + step).integers, unit, step).plus(shift)

    def __add__(self, other: "ExactGram") -> "ExactGram":
        """Return the Gram matrix of the rows of both."""
        unit, step = np.minimum(self.unit, other.unit), min(self.step, other.step)
        return ExactGram(self._at(unit, step) + other._at(unit, step), unit, step)

    def plus(self, offset: Floats) -> "ExactGram":
        """Return the Gram matrix of [1, A + offset]."""
        unit = self.unit.copy()
        unit[1:] = np.minimum(unit[1:], np.frexp(offset)[1] - 53)
        gram, shift = self._at(unit, self.step), FixedPoint.of(offset, unit[1:]).integers
        gram[:, 1:] += np.multiply.outer(gram[:, 0], shift)
        gram[1:] += np.multiply.outer(shift, gram[0])
        return ExactGram(gram, unit, self.step)

    def to_float(self) -> Floats:
        """Return the matrix in double precision."""
        return FixedPoint(self.integers, self.unit[:, None] + self.unit + self.step).to_float()

    def _at(self, unit: Exponents, step: int) -> Integers:
        extra = self.unit - unit
        return lshift(self.integers, extra[:, None] + extra + (self.step - step))


def _products(rows: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Return the products of rows (n, m) and weights (n,), both at most 1, and what rounding left of them, exactly.

    Source: Dekker, "A floating-point technique for extending the available precision", Numerische Mathematik 18 (1971).
    """
    weight = weight[:, np.newaxis]
    product = rows * weight
    (a, b), (c, d) = _halves(rows), _halves(weight)
    return product, b * d - (((product - a * c) - b * c) - a * d)


def _halves(x: Floats) -> tuple[Floats, Floats]:
    """Return two halves of each mantissa, of at most 26 bits (Veltkamp)."""
    large = x * (2.0**27 + 1)
    high = large - (large - x)
    return high, x - high


def _slices(rest: Floats) -> list[Floats]:
    """Return integers q with rest = sum of q[i] * 2**(-SLICE_BITS * (i + 1)), for |rest| <= 1."""
    slices: list[Floats] = []
    while len(slices) < SLICES and rest.any():
        rest = rest * 2.0**SLICE_BITS
        slices.append(np.rint(rest))
        rest -= slices[-1]
    return slices
