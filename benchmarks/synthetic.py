"""Made-up rows: standard normal columns of scales from 0.01 to 100, always the same ones."""

from collections.abc import Iterator

import numpy as np

SEED = 0
BLOCK = 100_000


def scales(columns: int) -> np.ndarray:
    """Return the standard deviation of each column."""
    return np.logspace(-2, 2, columns)


def blocks(rows: int, columns: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield X (n, columns) and y (n,): the sum of the columns before they are scaled, 3, and noise of deviation 1."""
    rng = np.random.default_rng(SEED)
    for start in range(0, rows, BLOCK):
        X = rng.standard_normal((min(BLOCK, rows - start), columns))
        yield X * scales(columns), X.sum(axis=1) + rng.standard_normal(len(X)) + 3
