"""What the cells of a table are, found in one pass: the levels of categories, what is missing, what never varies."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from operator import add
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..checks.arrays import Floats
from .cells import Cells

Missing = Literal["stop", "skip", "mean"]


@dataclass
class Figures:
    """The figures of the cells in some rows, for each column.

    Attributes
    ----------
    rows : int
    missing : ndarray of int
        How many cells are missing.
    low, high, mean : ndarray of float64
        Of the others.
    levels : list of Counter
        How often each level occurs; empty for a column of numbers.
    """

    rows: int
    missing: NDArray[np.intp]
    low: Floats
    high: Floats
    mean: Floats
    levels: list[Counter[str]]

    @classmethod
    def of(cls, block: Floats, cells: Sequence[Cells]) -> "Figures":
        """Return the figures of a block of cells, read as these say."""
        is_missing = np.isnan(block)
        missing = is_missing.sum(axis=0)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = np.where(is_missing, 0, block).sum(axis=0) / np.maximum(len(block) - missing, 1)
        low, high = (f.reduce(block, axis=0, initial=edge) for f, edge in ((np.fmin, np.inf), (np.fmax, -np.inf)))
        levels = [_counted(each, column) for each, column in zip(cells, block.T, strict=True)]
        return cls(len(block), missing, low, high, mean, levels)

    def __add__(self, other: "Figures") -> "Figures":
        """Return the figures of the rows of both."""
        known, more = self.rows - self.missing, other.rows - other.missing
        with np.errstate(over="ignore", invalid="ignore"):
            mean = self.mean + (other.mean - self.mean) * (more / np.maximum(known + more, 1))
        low, high = np.fmin(self.low, other.low), np.fmax(self.high, other.high)
        levels = list(map(add, self.levels, other.levels))
        return Figures(self.rows + other.rows, self.missing + other.missing, low, high, mean, levels)


class Survey:
    """A sum over blocks of cells, whose last column is the target.

    Parameters
    ----------
    cells : sequence of Cells
        How the cells of the blocks are read, the target last.
    missing : {"stop", "skip", "mean"}
        With "skip", rows with a missing cell do not count; rows without a target never do.

    Attributes
    ----------
    missing : ndarray of int
        How many cells of each column are missing, in all rows.
    kept : Figures
        Of the rows that count.
    """

    def __init__(self, cells: Sequence[Cells], missing: Missing) -> None:
        self.cells = list(cells)
        self.policy: Missing = missing
        self.rows = 0
        self.missing: NDArray[np.intp] = np.zeros(len(cells), np.intp)
        self.kept = Figures.of(np.empty((0, len(cells))), self.cells)

    def update(self, block: Floats) -> None:
        """Add a block of cells."""
        self.rows += len(block)
        is_missing = np.isnan(block)
        self.missing = self.missing + is_missing.sum(axis=0)
        excluded = is_missing.any(axis=1) if self.policy == "skip" else is_missing[:, -1]
        self.kept = self.kept + Figures.of(block[~excluded] if excluded.any() else block, self.cells)

    def __add__(self, other: "Survey") -> "Survey":
        """Return the survey of the rows of both."""
        both = Survey([replace(each) for each in self.cells], self.policy)
        both.rows, both.missing = self.rows + other.rows, self.missing + other.missing
        both.kept = self.kept + other.kept
        for each, a, b in zip(both.cells, self.cells, other.cells, strict=True):
            each.is_full = a.is_full or b.is_full
        return both

    def absent(self, columns: Collection[str]) -> dict[str, int]:
        """Return how many cells are missing, by those of these columns that lack any."""
        counts = zip(self.cells, self.missing.tolist(), strict=True)
        return {each.name: count for each, count in counts if count and each.name in columns}


def _counted(cells: Cells, column: Floats) -> Counter[str]:
    """Return how often each level occurs in a column."""
    if cells.levels is None:
        return Counter()
    counts = np.bincount(column[np.isfinite(column)].astype(np.intp), minlength=len(cells.levels))
    return Counter({level: count for level, count in zip(cells.levels, counts.tolist(), strict=True) if count})
