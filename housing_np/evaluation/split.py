"""Rows to fit on and rows to test on, drawn as scikit-learn draws them."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..checks.arrays import Floats


def holdout_split(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which of n rows, at least 2, to fit on, and which fifth to test on.

    As ``sklearn.model_selection.train_test_split(test_size=0.2, random_state=42)`` draws them.

    >>> holdout_split(5)
    (array([4, 2, 0, 3]), array([1]))
    """
    count = int(np.ceil(0.2 * n))
    order = np.random.RandomState(42).permutation(n)
    return order[count:], order[:count]


def is_held_out(X: Floats, y: Floats) -> NDArray[np.bool_]:
    """Return which rows of a block (n,) are in its held-out fifth."""
    return _held_out_of(len(y))


def is_fitted(X: Floats, y: Floats) -> NDArray[np.bool_]:
    """Return which rows of a block (n,) are in the other four fifths."""
    return ~_held_out_of(len(y))


@lru_cache(4)  # blocks have few different lengths
def _held_out_of(rows: int) -> NDArray[np.bool_]:
    mask = np.zeros(rows, np.bool_)
    mask[holdout_split(rows)[1]] = True
    return mask
