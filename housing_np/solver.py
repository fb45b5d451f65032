"""Least squares on scaled columns."""

import warnings

import numpy as np


def solve(X: np.ndarray, y: np.ndarray, fit_intercept: bool) -> tuple[np.ndarray, np.ndarray, int, np.ndarray]:
    """Coefficients (k, p), intercepts (k,), rank and singular values of the scaled columns."""
    mean = X.mean(axis=0) if fit_intercept else np.zeros(X.shape[1])
    target_mean = y.mean(axis=0) if fit_intercept else np.zeros(y.shape[1])
    centred = X - mean
    scale = np.sqrt(np.sum(centred**2, axis=0))
    scale[scale == 0] = 1.0
    solution, _, rank, singular_values = np.linalg.lstsq(centred / scale, y - target_mean)
    if rank < X.shape[1]:
        warnings.warn(f"rank {rank} of {X.shape[1]} features", np.exceptions.RankWarning, stacklevel=3)
    coef = (solution / scale[:, np.newaxis]).T
    return coef, target_mean - coef @ mean, int(rank), singular_values
