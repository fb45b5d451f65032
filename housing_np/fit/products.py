"""Rows times weights, to the same last bit whichever rows stand beside one another."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..checks.arrays import Floats, refuse_nonfinite

# Above so many numbers BLAS is faster by more than its disadvantage: a row's last bit depends on the rows beside it.
_BLAS_SIZE = 1 << 20
_IN_ORDER_SIZE = 1 << 15  # numbers that stay in the cache


def dot_rows(X: Floats, coef: Floats, offset: Any) -> Floats:
    """Return X (n, p) times coef (p,) or (k, p), plus an offset () or (k,): shape (n,) or (n, k); infinite on overflow.

    Up to 2**20 numbers, a row's result is the same to the last bit whichever rows stand beside it, and on every
    processor: each product is rounded, and they are added from the first feature to the last, and the offset then. A
    program in another language that does so gives the same bits.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if X.size > _BLAS_SIZE:
            products = np.asarray(X @ coef.T)
        elif coef.ndim == 1:
            products = _dot_in_order(X, coef)
        else:
            products = np.stack([_dot_in_order(X, row) for row in coef], axis=1)
        # In place: new memory would cost as much as the products. Adding 0.0 makes an offset of -0.0 0.0: else the sign
        # of a prediction of 0 would depend on the number of rows.
        products += offset + 0.0
    return products


def _dot_in_order(X: Floats, coef: Floats) -> Floats:
    if len(X) == 1:  # numpy's sum of a single row would be in another order
        return np.asarray(np.add.accumulate(X[0] * coef)[-1:])
    rows = max(2, _IN_ORDER_SIZE // len(coef))
    if len(X) <= rows:
        return np.asarray(np.add.reduce(np.multiply(X.T, coef[:, None], order="C"), axis=0))
    return np.concatenate([_dot_in_order(X[start : start + rows], coef) for start in range(0, len(X), rows)])


def refuse_nonfinite_rows(predictions: Floats, rows: Floats, names: Sequence[str], first_row: int = 0) -> None:
    """Raise HousingError for rows with NaN or infinity: these reach every prediction, so checking it is enough."""
    if not np.isfinite(predictions).all():
        refuse_nonfinite(rows, "X", names, first_row)
