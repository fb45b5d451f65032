"""Sparse rows of scipy, made dense a block at a time; scipy is not imported."""

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any, TypeGuard, TypeVar

import numpy as np

from .arrays import refuse_inexact, refuse_nonfinite, require_matrix, rounded_by_float64

_BLOCK_NUMBERS = 1 << 20
Method = TypeVar("Method", bound=Callable[..., Any])


def is_sparse(values: Any) -> TypeGuard[Any]:
    """Whether it is a sparse matrix or array of scipy."""
    module = sys.modules.get("scipy.sparse")  # without it there can be none
    return module is not None and bool(module.issparse(values))


def dense_blocks(rows: Any, least: int = 1) -> Iterator[tuple[slice, Any]]:
    """Yield blocks of sparse rows (n, p) as dense arrays, and where they stand; other rows whole, as they are.

    Parameters
    ----------
    rows : array_like, or sparse
    least : int
        Rows of a block, but for the last; more if these have few columns.
    """
    if not is_sparse(rows):
        yield slice(None), rows
        return
    require_matrix(rows)
    rows = rows.tocsr()
    step = max(least, _BLOCK_NUMBERS // rows.shape[1])
    for start in range(0, max(1, rows.shape[0]), step):
        part = slice(start, start + step)
        yield part, rows[part].toarray()


def by_rows(method: Method) -> Method:
    """Let a method of a model, which takes rows (n, p) and returns an array for each, take sparse ones too."""

    @wraps(method)
    def wrapped(self: Any, X: Any) -> Any:
        if type(X) is np.ndarray or not is_sparse(X):
            return method(self, X)
        require_matrix(X)
        X = X.tocsr()
        _refuse(X, self.feature_names)
        return np.concatenate([method(self, block) for _, block in dense_blocks(X)])

    return wrapped  # type: ignore[return-value]


def _refuse(rows: Any, names: Sequence[str]) -> None:
    """Refuse NaN, infinity and integers that float64 would round by their places among all rows, not in a block."""
    bad = ~np.isfinite(rows.data) if rows.dtype.kind == "f" else rounded_by_float64(rows.data)
    if bad is not None and bad.any() and rows.shape[1:] == (len(names),):
        row = int(np.searchsorted(rows.indptr, np.argmax(bad), side="right")) - 1
        block = rows[row : row + 1].toarray()
        refuse_inexact(block, "X", names, row)
        refuse_nonfinite(block, "X", names, row)
