"""Some of the rows, kept for what needs them all at once: the first, and a random sample."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..checks.arrays import Floats

SAMPLES = 5
SAMPLE_SIZE = 1 << 18  # numbers, 2 MiB


@dataclass
class Head:
    """The first `SAMPLES` rows."""

    X: Floats = field(default_factory=lambda: np.empty((0, 0)))
    y: Floats = field(default_factory=lambda: np.empty(0))

    def update(self, X: Floats, y: Floats) -> None:
        """Add a block of rows."""
        head = self + Head(X[:SAMPLES], y[:SAMPLES])
        self.X, self.y = head.X, head.y

    def __add__(self, other: "Head") -> "Head":
        """Return the first rows of both."""
        if not len(self.y) or not len(other.y):
            return self if len(self.y) else other
        return Head(np.concatenate([self.X, other.X])[:SAMPLES], np.concatenate([self.y, other.y])[:SAMPLES])


@dataclass
class Sample:
    """A random sample of the rows, the same for equal blocks; all rows if they are at most `SAMPLE_SIZE` numbers.

    Each row gets a random key, and the rows with the smallest keys are kept.
    """

    keys: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    X: Floats = field(default_factory=lambda: np.empty((0, 0)))
    y: Floats = field(default_factory=lambda: np.empty(0))
    rows: int = 0  # how many the sample is drawn from

    def update(self, X: Floats, y: Floats) -> None:
        """Add a block of rows."""
        if len(X):
            # The content is a part of the seed: else files of equal length would all give the same row numbers.
            seed = [self.rows, *X[0].view(np.uint32)]
            keys = np.random.default_rng(seed).random(len(X), np.float32)
            sample = self + Sample(keys, X, y, len(X))
            self.keys, self.X, self.y, self.rows = sample.keys, sample.X, sample.y, sample.rows

    def __add__(self, other: "Sample") -> "Sample":
        """Return a sample of the rows of both."""
        a, b = self.least(), other.least()
        if not a.rows or not b.rows:
            return a if a.rows else b
        keys, X, y = np.concatenate([a.keys, b.keys]), np.concatenate([a.X, b.X]), np.concatenate([a.y, b.y])
        return Sample(keys, X, y, a.rows + b.rows).least()

    def least(self, rows: int | None = None) -> "Sample":
        """Return a sample of at most `rows` of these rows, in their order; default: what `SAMPLE_SIZE` allows."""
        rows = max(SAMPLE_SIZE // (self.X.shape[1] + 1), 1) if rows is None else rows
        if len(self.keys) <= rows:
            return self
        kept = np.sort(np.argpartition(self.keys, rows - 1)[:rows])
        return Sample(self.keys[kept], self.X[kept], self.y[kept], self.rows)
