"""Ordinary least squares, in scikit-learn's conventions."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .metrics import r2_score
from .rows import positional_names

# Above so many numbers BLAS is worth its price: the last bit of a row then depends on the rows beside it.
_BLAS_SIZE = 1 << 20


def dot_rows(X: np.ndarray, coef: np.ndarray) -> np.ndarray:
    """X (n, p) times coef (p,) or (k, p): shape (n,) or (n, k).

    Up to 2**20 numbers, a row's result is the same to the last bit whichever rows stand beside it, so that rows give
    the same predictions one by one, in blocks, and all at once.
    """
    if X.size > _BLAS_SIZE:
        return np.asarray(X @ coef.T)
    X = np.ascontiguousarray(X)
    if coef.ndim == 1:
        return np.asarray(np.einsum("ij,j->i", X, coef))
    return np.stack([np.einsum("ij,j->i", X, row) for row in coef], axis=1)


class LinearRegression:
    """placeholder until the solver in depth comes."""

    def __init__(self, fit_intercept: bool = True) -> None:
        self.fit_intercept = fit_intercept

    @classmethod
    def from_coefficients(cls, coef, intercept, feature_names, target_names) -> Self:
        model = cls()
        model._set(coef, intercept, feature_names, target_names)
        return model

    def _set(self, coef, intercept, feature_names, target_names):
        self.coef_ = np.asarray(coef, np.float64)
        self.intercept_ = float(intercept) if self.coef_.ndim == 1 else np.asarray(intercept, np.float64)
        self.n_features_in_ = self.coef_.shape[-1]
        self.feature_names_in_ = tuple(feature_names or positional_names(self.n_features_in_))
        k = 1 if self.coef_.ndim == 1 else len(self.coef_)
        self.target_names_ = tuple(target_names or (["y"] if k == 1 else [f"y{i}" for i in range(k)]))

    def fit(self, X, y, *, feature_names=None, target_names=None) -> Self:
        # Imported here: prediction must not pay for the solver.
        from .solver import solve

        X, y = np.asarray(X, np.float64), np.asarray(y, np.float64)
        coef, intercept, self.rank_, self.singular_values_ = solve(X, y.reshape(len(y), -1), self.fit_intercept)
        self._set(
            coef[0] if y.ndim == 1 else coef, intercept[0] if y.ndim == 1 else intercept, feature_names, target_names
        )
        return self

    def fit_blocks(self, blocks, *, feature_names=None, target_names=None):
        bl = list(blocks)
        return self.fit(
            np.concatenate([b[0] for b in bl]),
            np.concatenate([b[1] for b in bl]),
            feature_names=feature_names,
            target_names=target_names,
        )

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        return dot_rows(np.asarray(X, np.float64), self.coef_) + self.intercept_

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        return r2_score(y, self.predict(X))

    def leave_one_out(self, X, y):
        A = np.column_stack([np.ones(len(X)), X - X.mean(0)])
        A /= np.sqrt((A**2).sum(0))
        Q, _ = np.linalg.qr(A)
        h = (Q**2).sum(1)
        return y - (y - self.predict(X)) / (1 - h)

    @property
    def payload_bytes(self) -> int:
        return self.coef_.nbytes + np.asarray(self.intercept_).nbytes
