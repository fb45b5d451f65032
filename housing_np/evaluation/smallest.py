"""The ways to quantize a model, and which of them takes the fewest bytes within limits."""

from collections.abc import Mapping
from itertools import product
from math import inf, isnan
from typing import NamedTuple

from ..quantized.model import QuantizedLinear
from ..quantized.schemes import INTEGERS, ROUNDINGS, SCHEMES, Rounding, Scheme
from .gates import Gates
from .scores import Figures


class Way(NamedTuple):
    """A way to quantize a model; bits and rounding are None for weights that are no integers.

    >>> print(Way("integer", 4, "nearest"), Way("float32"), sep=", ")
    integer 4 bits nearest, float32
    """

    scheme: Scheme
    bits: int | None = None
    rounding: Rounding | None = None

    def __str__(self) -> str:
        return self.scheme if self.bits is None else f"{self.scheme} {self.bits} bits {self.rounding}"


def ways(scheme: Scheme | None = None, bits: int | None = None, rounding: Rounding | None = None) -> list[Way]:
    """Return all ways with this scheme, these bits and this rounding; None stands for every one.

    >>> len(ways()), len(ways("integer")), ways("float32"), ways(bits=2, rounding="nearest")[0].scheme
    (43, 14, [Way(scheme='float32', bits=None, rounding=None)], 'per-tensor')
    """
    roundings = ROUNDINGS if rounding is None else (rounding,)
    found = []
    for each in SCHEMES if scheme is None else (scheme,):
        if each in INTEGERS:
            found += [Way(each, *more) for more in product(range(2, 9) if bits is None else (bits,), roundings)]
        elif bits is None and rounding is None:
            found.append(Way(each))
    return found


def by_size(models: Mapping[Way, QuantizedLinear], measured: Mapping[Way, Figures]) -> list[Way]:
    """Return the ways by the bytes of the numbers, and of equal ones by the largest deviation."""
    return sorted(models, key=lambda way: (models[way].payload_bytes, _nan_last(measured[way].largest_deviation)))


def nearest(measured: Mapping[Way, Figures], gates: Gates) -> Way:
    """Return the way that comes nearest to the limits: by its largest deviation if that is limited, else by R²."""
    if gates.max_deviation is None:
        return min(measured, key=lambda way: _nan_last(-measured[way].r2))
    return min(measured, key=lambda way: _nan_last(measured[way].largest_deviation))


def _nan_last(value: float) -> float:
    return inf if isnan(value) else value
