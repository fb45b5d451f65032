"""Synthetic rows, always the same ones, with the kinds of columns that people have."""

from collections.abc import Callable, Iterator

import numpy as np

SEED = 0
BLOCK = 100_000
Scales = Callable[[int], np.ndarray]
Draw = Callable[[np.random.Generator, int, np.ndarray], np.ndarray]


def scales(columns: int, kind: str = "normal") -> np.ndarray:
    """Return the standard deviation of each column."""
    return KINDS[kind][0](columns)


def blocks(rows: int, columns: int, kind: str = "normal") -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield X (n, columns) and y (n,): the sum of the columns in units of their scales, 3, and noise of deviation 1."""
    rng = np.random.default_rng(SEED)
    scale = scales(columns, kind)
    for start in range(0, rows, BLOCK):
        X = KINDS[kind][1](rng, min(BLOCK, rows - start), scale)
        yield X, (X / scale).sum(axis=1) + rng.standard_normal(len(X)) + 3


def _spread(columns: int) -> np.ndarray:
    return np.logspace(-2, 2, columns)


def _lognormal(columns: int) -> np.ndarray:
    return np.random.default_rng(SEED).lognormal(size=columns)


def _equal(scale: float) -> Scales:
    return lambda columns: np.full(columns, scale)


def _share(columns: int) -> np.ndarray:
    """Return the share of ones in each dummy column."""
    return np.linspace(0.05, 0.5, columns)


def _normal(*means: float) -> Draw:
    """Draw normal columns whose means, in standard deviations, are these in turn."""
    return lambda rng, rows, scale: (rng.standard_normal((rows, len(scale))) + np.resize(means, len(scale))) * scale


def _correlated(correlation: float) -> Draw:
    """Draw normal columns of which any two have this correlation."""

    def draw(rng: np.random.Generator, rows: int, scale: np.ndarray) -> np.ndarray:
        common, own = rng.standard_normal((rows, 1)), rng.standard_normal((rows, len(scale)))
        return (correlation**0.5 * common + (1 - correlation) ** 0.5 * own) * scale

    return draw


def _dummies(rng: np.random.Generator, rows: int, scale: np.ndarray) -> np.ndarray:
    return (rng.random((rows, len(scale))) < _share(len(scale))).astype(float)


# The scales of each kind of columns, and how a block of them is drawn.
KINDS: dict[str, tuple[Scales, Draw]] = {
    "normal": (_spread, _normal(0)),
    "normal + 1 deviation": (_spread, _normal(1)),
    "lognormal scales + 3": (_lognormal, _normal(3)),
    "mean 50 or 200 deviations": (_spread, _normal(50, 200)),
    "0/1 dummies": (lambda columns: np.sqrt(_share(columns) * (1 - _share(columns))), _dummies),
    "counts": (_equal(3**0.5), lambda rng, rows, scale: rng.poisson(3, (rows, len(scale))).astype(float)),
    "skewed": (
        _equal((np.e**2 - np.e) ** 0.5),
        lambda rng, rows, scale: np.exp(rng.standard_normal((rows, len(scale)))),
    ),
    "correlated 0.9": (_equal(1), _correlated(0.9)),
    "correlated 0.999": (_equal(1), _correlated(0.999)),
}
