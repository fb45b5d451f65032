"""Which integers a linear model's weights are rounded to: the provably best for the data, or nearly.

Moving the weights from w to ŵ, with the intercept refitted, moves the predictions by (ŵ − w)ᵀ H (ŵ − w) in mean
square, where H is the covariance of the features. Its minimum over ŵ = (q − zero_point) · scale is a closest vector
problem in a box. Inside this module features are reordered, H = Uᵀ diag(d) U with U unit upper triangular, and the
cost of an error e = ŵ − w is Σ d_i (U e)_i²: term i depends only on the features from i on, so they are chosen last
to first.
"""

from bisect import bisect_left
from collections.abc import Iterator
from operator import mul
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_FINALISTS = 32
# Of each feature's variance: makes a singular H definite, and is far below what a float32 scale can resolve.
_RIDGE = 1e-12
_SMALLEST, _LARGEST = float(np.finfo(np.float32).smallest_normal), float(np.finfo(np.float32).max) / 256


class Rounding(NamedTuple):
    """Integers `q`, their mean squared deviation `cost`, and whether no others in the box are proven to cost less."""

    q: NDArray[np.uint8]
    cost: float
    proven: bool


class ScaledRounding(NamedTuple):
    """A `Rounding` with the scale and zero point that were found for it; `proven` holds for these two only."""

    scale: NDArray[np.float32]
    zero_point: NDArray[np.uint8]
    q: NDArray[np.uint8]
    cost: float
    proven: bool


def closest(
    w: ArrayLike, H: ArrayLike, scale: ArrayLike, zero_point: ArrayLike, bits: int = 8, node_limit: int = 50_000
) -> Rounding:
    """The integers q that minimise (ŵ − w)ᵀ H (ŵ − w), with ŵ = (q − zero_point) · scale in float32.

    Depth-first enumeration, nearest candidate first (Schnorr and Euchner 1994; Agrell et al. 2002, "Closest point
    search in lattices"), from the better of the nearest integers and Babai's nearest plane (which is GPTQ:
    arXiv 2507.18553, 2508.01077). It never returns a worse point than these two.

    Parameters
    ----------
    w : array_like, shape (p,)
        The weights; finite.
    H : array_like, shape (p, p)
        Covariance of the features: symmetric, positive semidefinite, may be singular.
    scale : array_like of float32, shape () or (p,)
        Positive; the size of one step.
    zero_point : array_like of integers in [0, 2**bits − 1], shape () or (p,)
        The integers that stand for 0.
    bits : int
        2 to 8; q lies in [0, 2**bits − 1].
    node_limit : int
        Largest number of steps of the enumeration; when it runs out, the best point so far is returned, unproven.

    Returns
    -------
    Rounding
        q of shape (p,). `proven` is up to 1e-12 of the cost that the errors would have in uncorrelated features.

    Raises
    ------
    numpy.linalg.LinAlgError
        If H is not positive semidefinite.

    Examples
    --------
    Two nearly equal features: one weight is rounded up because the other is rounded down.

    >>> closest([0.5, 1.4], [[1.0, 0.9], [0.9, 1.0]], scale=1.0, zero_point=0, bits=2).q
    array([1, 1], dtype=uint8)
    """
    problem = _Problem(w, H, np.broadcast_to(np.asarray(scale, np.float32), np.shape(w)), bits)
    s, zeros = np.array(1.0), np.broadcast_to(np.asarray(zero_point, np.int64), np.shape(w))[problem.order]
    q, cost, proven = problem.improve(problem.start(s, zeros), s, zeros, node_limit)
    return Rounding(problem.restore(q)[0], cost, proven)


def search(
    W: ArrayLike,
    H: ArrayLike,
    ratio: ArrayLike,
    bits: int = 8,
    shared_zero_point: bool = False,
    node_limit: int = 50_000,
) -> ScaledRounding:
    """A good scale and zero point for the weights, and the best integers for them.

    Parameters
    ----------
    W : array_like, shape (p,) or (k, p)
        The weights of one target or of k, which share the scale and zero point of each feature; finite.
    H : array_like, shape (p, p)
        Covariance of the features: symmetric, positive semidefinite, may be singular.
    ratio : array_like, shape (p,)
        Positive, finite; scale = s · ratio. Ones: one scale. 1 / std(x): every feature's error weighs the same.
    bits : int
        2 to 8.
    shared_zero_point : bool
        One zero point for all features, or one for each.
    node_limit : int
        Largest number of steps of the final enumeration, and of those before it taken together.

    Returns
    -------
    ScaledRounding
        scale and zero_point of shape (p,), q of the shape of W, cost summed over targets. `proven` says that these
        integers are the best for this scale and zero point, not that no other scale is better.

    Notes
    -----
    The candidates are s = f · s₁, where s₁ is the smallest s at which the box covers all weights and 0, and f is 1 or
    one of n values evenly spaced from 0.3 to 2 (n = 1024, less when k p² is large, at least 16). Zero points are those
    that centre the box on the weights, moved into [0, 2**bits − 1]; a shared one also by −2, −1, 1 and 2. To each
    candidate is added the s that is the least squares solution for its integers. All are ranked by the better of
    Babai's and the nearest integers. The best 32 are enumerated, pruned by the best of them so far; the winner's s is
    solved for once more, kept if that costs less, and its integers are enumerated.

    Examples
    --------
    >>> found = search([0.5, -1.5], [[1.0, 0.5], [0.5, 1.0]], ratio=[1.0, 1.0], bits=2)
    >>> found.q, found.scale, found.zero_point, found.proven
    (array([1, 0], dtype=uint8), array([0.5, 0.5], dtype=float32), array([0, 3], dtype=uint8), True)
    """
    problem = _Problem(W, H, ratio, bits)
    s, zeros = _candidates(problem, shared_zero_point)
    s, zeros = np.append(s, problem.refit(problem.start(s, zeros), s, zeros)), np.concatenate([zeros, zeros])
    start = problem.start(s, zeros)
    ranks = np.argsort(problem.costs(start, s, zeros).sum(axis=-1), kind="stable")
    best, q, cost = ranks[0], start[ranks[0]], np.inf
    for i in _first_distinct(start - zeros[:, None], ranks):
        q_i, cost_i, _ = problem.improve(start[i], s[i], zeros[i], node_limit // _FINALISTS, cost)
        if cost_i < cost:
            best, q, cost = i, q_i, cost_i
    s, zeros = s[best, ...], zeros[best]
    refit = problem.refit(q, s, zeros)
    # Where features nearly cancel, rounding the solution to float32 can cost more than it saves.
    s = refit if problem.costs(q, refit, zeros).sum() < cost else s
    q, cost, proven = problem.improve(q, s, zeros, node_limit)
    q = problem.restore(q).reshape(np.shape(W))
    return ScaledRounding(problem.restore(problem.scale(s)), problem.restore(zeros), q, cost, proven)


class _Problem:
    """k closest vector problems with one H; features in the order of their elimination, `zeros` are zero points."""

    def __init__(self, W: ArrayLike, H: ArrayLike, ratio: ArrayLike, bits: int) -> None:
        ratio = np.asarray(ratio, np.float64)
        self.order, self.U, self.d = _factor(np.asarray(H, np.float64), ratio)
        self.W = np.atleast_2d(np.asarray(W, np.float64))[:, self.order]
        self.ratio = ratio[self.order]
        self.largest = 2**bits - 1

    def scale(self, s: Floats) -> NDArray[np.float32]:
        """The scales as they are stored; shape (…, p) for s of shape (…)."""
        return np.asarray(np.clip(np.multiply.outer(s, self.ratio), _SMALLEST, _LARGEST), np.float32)

    def values(self, q: Integers, s: Floats, zeros: Integers) -> Floats:
        """The weights that q, shape (…, k, p), stands for: a float32 product, as predictions use it."""
        steps = (q - zeros[..., None, :]).astype(np.float32)
        return (steps * self.scale(s)[..., None, :]).astype(np.float64)

    def costs(self, q: Integers, s: Floats, zeros: Integers) -> Floats:
        """The cost of each target; shape (…, k)."""
        return np.asarray(np.square((self.values(q, s, zeros) - self.W) @ self.U.T) @ self.d)

    def nearest(self, s: Floats, zeros: Integers) -> Integers:
        """Each weight to the nearest integer, saturated."""
        steps = np.rint(self.W / self.scale(s)[..., None, :])
        return np.clip(steps + zeros[..., None, :], 0, self.largest).astype(np.int64)

    def babai(self, s: Floats, zeros: Integers) -> Integers:
        """Each feature in turn to the nearest integer, given the errors of those before it; all candidates at once."""
        q = self.nearest(s, zeros)
        scale, error = self.scale(s).astype(np.float64)[..., None, :], np.zeros(q.shape)
        for i in reversed(range(q.shape[-1])):
            centre = self.W[:, i] - error[..., i + 1 :] @ self.U[i, i + 1 :]
            steps = np.clip(np.rint(centre / scale[..., i]), -zeros[..., None, i], self.largest - zeros[..., None, i])
            q[..., i] = steps + zeros[..., None, i]
            error[..., i] = steps * scale[..., i] - self.W[:, i]
        return q

    def start(self, s: Floats, zeros: Integers) -> Integers:
        """The better of Babai's and the nearest integers; shape (…, k, p)."""
        babai, nearest = self.babai(s, zeros), self.nearest(s, zeros)
        better = self.costs(babai, s, zeros) < self.costs(nearest, s, zeros)
        return np.where(better[..., None], babai, nearest)

    def refit(self, q: Integers, s: Floats, zeros: Integers) -> Floats:
        """The least squares s for these integers, or s itself where they stand for nothing of the weights."""
        unit = ((q - zeros[..., None, :]) * self.ratio) @ self.U.T
        inner = (unit * (self.W @ self.U.T) @ self.d).sum(axis=-1)
        square = (np.square(unit) @ self.d).sum(axis=-1)
        usable = (inner > 0) & (square > 0)
        return np.where(usable, inner / np.where(usable, square, 1), s)

    def improve(
        self, q: Integers, s: Floats, zeros: Integers, node_limit: int, bound: float = np.inf
    ) -> tuple[Integers, float, bool]:
        """Best integers for s and zeros, their cost, and whether that is proven; gives up on what cannot beat bound."""
        levels = self.values(np.arange(self.largest + 1)[:, None], s, zeros).T
        q, costs, proven = q.copy(), self.costs(q, s, zeros), True
        for t, w in enumerate(self.W):
            radius = float(min(costs[t], bound - costs[:t].sum()))
            found, complete = _enumerate(w, self.U, self.d, levels, radius, node_limit // len(self.W))
            q[t] = q[t] if found is None else found
            proven = proven and complete
            costs = self.costs(q, s, zeros)
        return q, float(costs.sum()), proven

    def restore(self, x: np.ndarray) -> np.ndarray:
        """x with its features back in the caller's order; integers as uint8."""
        x = x[..., np.argsort(self.order)]
        return x if x.dtype == np.float32 else x.astype(np.uint8)


def _factor(H: Floats, ratio: Floats) -> tuple[Integers, Floats, Floats]:
    """An order, U unit upper triangular and d ≥ 0 with H[order][:, order] = Uᵀ diag(d) U, up to the ridge."""
    spread = np.diag(H)
    sigma = np.sqrt(np.where(spread > 0, spread, 1))
    correlation = H / np.outer(sigma, sigma)
    order = _elimination_order(correlation, spread * np.square(ratio))
    R = np.linalg.cholesky(correlation[np.ix_(order, order)] + _RIDGE * np.eye(len(H))).T
    pivots, sigma = np.diag(R), sigma[order]
    return order, R / pivots[:, None] * (sigma / sigma[:, None]), np.square(pivots) * spread[order]


def _elimination_order(correlation: Floats, weight: Floats) -> Integers:
    """V-BLAST's order (Wolniansky et al. 1998), last to first: it prunes most.

    Next is the feature whose rounding costs most even after all that are left have adapted to it: weight_j / P_jj,
    where P is the inverse of what is left of the correlation matrix.
    """
    p = len(weight)
    # So large a ridge keeps P accurate, and only the order depends on it.
    P = np.linalg.inv(correlation + 1e-6 * np.eye(p))
    order, left = np.zeros(p, np.int64), list(range(p))
    for i in reversed(range(p)):
        order[i] = j = left.pop(int(np.argmax((weight / np.diag(P))[left])))
        P -= np.outer(P[:, j] / P[j, j], P[j])
        P[j, j] = 1
    return order


def _candidates(problem: _Problem, shared_zero_point: bool) -> tuple[Floats, Integers]:
    """The grid of s, shape (n,), and of zero points, shape (n, p), that `search` describes."""
    u = problem.W / problem.ratio
    k, p = u.shape
    offsets = np.arange(-2, 3) if shared_zero_point else np.zeros(1)
    u = u.reshape(-1, 1) if shared_zero_point else u
    low, high = u.min(axis=0), u.max(axis=0)
    smallest = (np.maximum(high, 0) - np.minimum(low, 0)).max() / problem.largest or 1.0
    count = np.clip(2**24 // (k * p * p * len(offsets)), 16, 1024)
    factors = np.append(1.0, np.linspace(0.3, 2, count))
    s = np.repeat(smallest * factors, len(offsets))
    zeros = np.rint(problem.largest / 2 - (low + high) / 2 / s[:, None]) + np.tile(offsets, len(factors))[:, None]
    return s, np.broadcast_to(np.clip(zeros, 0, problem.largest), (len(s), p)).astype(np.int64)


def _first_distinct(steps: Integers, ranks: Integers) -> list[int]:
    """The first of `ranks`, at most 32, that have different integers: many scales round to the same ones."""
    chosen: dict[bytes, int] = {}
    for i in ranks:
        chosen.setdefault(steps[i].tobytes(), int(i))
        if len(chosen) == _FINALISTS:
            break
    return list(chosen.values())


def _nearest_first(levels: list[float], centre: float) -> Iterator[int]:
    """Indices of increasing levels, by their distance from the centre."""
    above = bisect_left(levels, centre)
    below = above - 1
    while below >= 0 or above < len(levels):
        if below < 0 or (above < len(levels) and levels[above] - centre < centre - levels[below]):
            yield above
            above += 1
        else:
            yield below
            below -= 1


def _enumerate(
    w: Floats, U: Floats, d: Floats, levels: Floats, radius: float, node_limit: int
) -> tuple[list[int] | None, bool]:
    """Index of the level of each feature whose cost is least and below radius, if any; and whether all were tried."""
    # Lists: one number at a time, they are several times faster than arrays.
    rows, weights, pivots, values = U.tolist(), w.tolist(), d.tolist(), levels.tolist()
    p, best = len(weights), None
    centre, error, choice, spent = list(weights), [0.0] * p, [0] * p, [0.0] * (p + 1)
    branches = [_nearest_first(values[-1], centre[-1])]
    for _ in range(node_limit):
        if not branches:
            break
        i = p - len(branches)
        choice[i] = next(branches[-1], -1)
        spent[i] = spent[i + 1] + pivots[i] * (values[i][choice[i]] - centre[i]) ** 2
        if choice[i] < 0 or spent[i] >= radius:
            branches.pop()
        elif i == 0:
            best, radius = choice.copy(), spent[0]
            branches.pop()
        else:
            error[i] = values[i][choice[i]] - weights[i]
            centre[i - 1] = weights[i - 1] - sum(map(mul, rows[i - 1][i:], error[i:]))
            branches.append(_nearest_first(values[i - 1], centre[i - 1]))
    return best, not branches
