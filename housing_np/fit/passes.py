"""Passes over rows, in memory or in files.

A *sum* starts empty and is updated with blocks of rows; adding two gives the sum of the rows of both. Several sums of
the same rows combine into one, so that one pass computes all of them, however the rows are cut into blocks.
"""

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from itertools import repeat, takewhile
from operator import add
from typing import Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..checks.arrays import Floats, pieces
from ..rows.in_memory import Block
from ..rows.threads import map_ahead, parallel_map, thread_count

_STRETCH_SIZE = 1 << 20  # numbers a thread, below which starting it costs more than it saves


class Sum(Protocol):
    """A value that adds up over blocks of rows X (n, p) with targets y (n,)."""

    def update(self, X: Floats, y: Floats, /) -> None:
        """Add a block of rows."""

    def __add__(self, other: Self, /) -> Self:
        """Return the sum of the rows of both."""


S = TypeVar("S", bound=Sum)


class CombinedSums:
    """Several sums of the same rows as one sum; its attributes are the parts.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> from housing_np.quantized.calibration import Calibration
    >>> @dataclass
    ... class Both(CombinedSums):
    ...     all: Calibration
    ...     first: "FilteredSum"
    >>> both = Both(Calibration(), FilteredSum(Calibration(), lambda X, y: y == y[0]))
    >>> import numpy as np
    >>> both.update(np.array([[1.0], [3.0]]), np.array([0.0, 1.0]))
    >>> both.all.mean, both.first.sum.mean
    (array([2.]), array([1.]))
    """

    def update(self, X: Floats, y: Floats) -> None:
        """Add a block of rows to every part."""
        parts = list(vars(self).values())
        parallel_map(lambda part: part.update(X, y), parts, thread_count(X.size, per_thread=_STRETCH_SIZE))

    def __add__(self, other: Self) -> Self:
        """Return the sums of the rows of both."""
        return type(self)(*map(add, vars(self).values(), vars(other).values()))


class FilteredSum(Generic[S]):
    """The sum of the rows of each block for which `select(X, y)`, of shape (n,), is true."""

    def __init__(self, sum: S, select: Callable[[Floats, Floats], NDArray[np.bool_]]) -> None:
        self.sum = sum
        self.select: Callable[[Floats, Floats], NDArray[np.bool_]] = select

    def update(self, X: Floats, y: Floats) -> None:
        """Add the selected rows of a block."""
        chosen = self.select(X, y)
        for piece in pieces(X):
            self.sum.update(X[piece][chosen[piece]], y[piece][chosen[piece]])

    def __add__(self, other: "FilteredSum[S]") -> "FilteredSum[S]":
        """Return the sum of the selected rows of both."""
        return FilteredSum(self.sum + other.sum, self.select)


def total(empty: S, blocks: Iterable[Block]) -> S:
    """Return the sum of blocks of rows (X, y), starting with a copy of an empty sum.

    Examples
    --------
    >>> import numpy as np
    >>> from housing_np.quantized.calibration import Calibration
    >>> blocks = [(np.array([[0.0], [2.0]]), np.zeros(2)), (np.array([[4.0]]), np.zeros(1))]
    >>> total(Calibration(), blocks).mean
    array([2.])
    """
    result = deepcopy(empty)
    for X, y in _read_ahead(blocks):
        result.update(X, y)
    return result


def _read_ahead(blocks: Iterable[Block]) -> Iterator[Block]:
    """Yield the blocks; a thread reads the next one while the caller works on this one."""
    coming = map_ahead(lambda each: next(each, None), repeat(iter(blocks)), 1)
    yield from takewhile(lambda block: block is not None, (block for _, block in coming))
