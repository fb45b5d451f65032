"""The integers that round the weights of a linear model best, or nearly so, for given data.

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

from ..checks.arrays import Floats, as_numbers, refuse_nonfinite
from ..errors import HousingError
from .affine import as_bits

Integers = NDArray[np.int64]

_FINALISTS = 32
# Of each feature's variance: makes a singular H definite, and is far below what a float32 scale can resolve.
_RIDGE = 1e-12
_SMALLEST, _LARGEST = float(np.finfo(np.float32).smallest_normal), float(np.finfo(np.float32).max) / 256


class Rounded(NamedTuple):
    """Integers `q` of a scale and zero points, and their mean squared deviation `cost`, summed over targets.

    `proven` says that no other integers cost less with this scale and these zero points, not that no others are better.
    """

    scale: NDArray[np.float32]
    zero_point: NDArray[np.uint8]
    q: NDArray[np.uint8]
    cost: float
    proven: bool


def search(
    W: ArrayLike,
    H: ArrayLike,
    ratio: ArrayLike,
    bits: int = 8,
    shared_zero_point: bool = False,
    node_limit: int = 50_000,
) -> Rounded:
    """Find a good scale and zero point for the weights, and the best integers for them.

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
        Largest number of steps of the final enumeration, and of those before it taken together. When it runs out, the
        best integers so far are returned, unproven.

    Returns
    -------
    Rounded
        scale and zero_point of shape (p,), q of the shape of W. `proven` is up to 1e-12 of the cost that the errors
        would have in uncorrelated features.

    Raises
    ------
    HousingError
        If H is not positive semidefinite, the shapes disagree, or a number is not finite, or cannot be squared in
        float64.

    Notes
    -----
    1. Grids are tried with s = f · s₁, where s₁ is the smallest s at which the box covers all weights and 0, and f is
       1 or one of n values evenly spaced from 0.3 to 2 (n = 1024, less when k p² is large, at least 16). Zero points
       are those that centre the box on the weights, moved into [0, 2**bits − 1]; a shared one also by −2, −1, 1 and 2.
    2. On each, the weights go to the nearest integers or, where that costs less, to Babai's nearest plane (which is
       GPTQ: arXiv 2507.18553, 2508.01077). For these integers s is solved for, which doubles the grids.
    3. The 32 cheapest are finalists. Each is enumerated, depth first and the nearest candidate first (Schnorr and
       Euchner 1994; Agrell et al. 2002, "Closest point search in lattices"), pruned by the best of them so far.
    4. For the winner s is solved for once more, kept if that costs less, and its integers are enumerated.

    Examples
    --------
    >>> found = search([0.5, -1.5], [[1.0, 0.5], [0.5, 1.0]], ratio=[1.0, 1.0], bits=2)
    >>> found.q, found.scale, found.zero_point, found.proven
    (array([1, 0], dtype=uint8), array([0.5, 0.5], dtype=float32), array([0, 3], dtype=uint8), True)
    """
    weights, covariance, ratios = (_finite(each, name) for each, name in ((W, "W"), (H, "H"), (ratio, "ratio")))
    p = ratios.size
    is_fitting = weights.shape[-1:] == ratios.shape == (p,) and covariance.shape == (p, p)
    if not is_fitting or weights.ndim > 2 or not weights.size:
        shapes = f"{weights.shape}, {covariance.shape} and {ratios.shape}"
        raise HousingError(f"W, H and ratio have the shapes {shapes}: expected (p,) or (k, p), (p, p) and (p,)")
    if np.any(ratios <= 0):
        raise HousingError("ratio must be positive")
    try:
        with np.errstate(all="ignore"):  # overflow makes the cost infinite or NaN, which is refused below
            found = _search(_Problem(weights, covariance, ratios, as_bits(bits)), shared_zero_point, node_limit)
    except (OverflowError, np.linalg.LinAlgError):
        found = None
    if found is None or not np.isfinite(found.cost):
        raise HousingError("the weights or the features are too large or too small to square: rescale them")
    return found._replace(q=found.q.reshape(weights.shape))


def _finite(values: ArrayLike, name: str) -> Floats:
    array = as_numbers(values, name)
    refuse_nonfinite(array, name)
    return array.astype(np.float64)


def _search(problem: "_Problem", shared_zero_point: bool, node_limit: int) -> Rounded:
    grid, q = _best_finalist(problem, _grids(problem, shared_zero_point), node_limit)
    solved = problem.solved(q, grid)
    # Where features nearly cancel, rounding the solution to float32 can cost more than it saves.
    if problem.costs(q, solved).sum() < problem.costs(q, grid).sum():
        grid = solved
    q, cost, proven = problem.improve(q, grid, node_limit)
    scale, zero_point, integers = (problem.restore(x) for x in (problem.scale(grid), grid.zeros, q))
    return Rounded(scale, zero_point.astype(np.uint8), integers.astype(np.uint8), cost, proven)


class _Grid(NamedTuple):
    """Scale and zero points of one grid or of many: integers q stand for (q − zeros) · s · ratio.

    `s` has the shape (…), `zeros` (…, p).
    """

    s: Floats
    zeros: Integers

    def of(self, i: int) -> "_Grid":
        return _Grid(self.s[i, ...], self.zeros[i])


class _Problem:
    """The closest integers of k targets, which share one H: features in the order of their elimination.

    q has the shape (k, p) on one grid, and (…, k, p) on many.
    """

    def __init__(self, W: Floats, H: Floats, ratio: Floats, bits: int) -> None:
        self.order, self.U, self.d = _factor(H, ratio)
        self.W = np.atleast_2d(W)[:, self.order]
        self.ratio = ratio[self.order]
        self.largest = 2**bits - 1

    def scale(self, grid: _Grid) -> NDArray[np.float32]:
        """Return the scales as they are stored; shape (…, p)."""
        return np.asarray(np.clip(np.multiply.outer(grid.s, self.ratio), _SMALLEST, _LARGEST), np.float32)

    def values(self, q: Integers, grid: _Grid) -> Floats:
        """Return the weights that q stands for: a float32 product, as predictions use it."""
        steps = (q - grid.zeros[..., None, :]).astype(np.float32)
        return (steps * self.scale(grid)[..., None, :]).astype(np.float64)

    def costs(self, q: Integers, grid: _Grid) -> Floats:
        """Return the cost of each target; shape (…, k)."""
        return np.asarray(np.square((self.values(q, grid) - self.W) @ self.U.T) @ self.d)

    def nearest(self, grid: _Grid) -> Integers:
        """Round each weight to the nearest integer, saturated."""
        steps = np.rint(self.W / self.scale(grid)[..., None, :])
        return np.clip(steps + grid.zeros[..., None, :], 0, self.largest).astype(np.int64)

    def babai(self, grid: _Grid) -> Integers:
        """Round each feature in turn to the nearest integer, given the errors of those before it."""
        q = self.nearest(grid)
        scale, error = self.scale(grid).astype(np.float64)[..., None, :], np.zeros(q.shape)
        for i in reversed(range(q.shape[-1])):
            zero = grid.zeros[..., None, i]
            centre = self.W[:, i] - error[..., i + 1 :] @ self.U[i, i + 1 :]
            steps = np.clip(np.rint(centre / scale[..., i]), -zero, self.largest - zero)
            q[..., i] = steps + zero
            error[..., i] = steps * scale[..., i] - self.W[:, i]
        return q

    def start(self, grid: _Grid) -> Integers:
        """Return the cheaper of Babai's and the nearest integers, for each target."""
        babai, nearest = self.babai(grid), self.nearest(grid)
        cheaper = self.costs(babai, grid) < self.costs(nearest, grid)
        return np.where(cheaper[..., None], babai, nearest)

    def solved(self, q: Integers, grid: _Grid) -> _Grid:
        """Return the grid with the least squares s for these integers; the grid as it is if all of them stand for 0."""
        unit = ((q - grid.zeros[..., None, :]) * self.ratio) @ self.U.T
        inner = (unit * (self.W @ self.U.T) @ self.d).sum(axis=-1)
        square = (np.square(unit) @ self.d).sum(axis=-1)
        usable = (inner > 0) & (square > 0)
        return _Grid(np.where(usable, inner / np.where(usable, square, 1), grid.s), grid.zeros)

    def improve(self, q: Integers, grid: _Grid, node_limit: int, bound: float = np.inf) -> tuple[Integers, float, bool]:
        """Return the best integers on one grid, their cost, and whether that is proven; q if none beats the bound."""
        levels = self.values(np.arange(self.largest + 1)[:, None], grid).T
        q, costs, proven = q.copy(), self.costs(q, grid), True
        for t, w in enumerate(self.W):
            limit = float(min(costs[t], bound - costs[:t].sum()))
            found, complete = _enumerate(w, self.U, self.d, levels, limit, node_limit // len(self.W))
            q[t] = q[t] if found is None else found
            proven = proven and complete
            costs = self.costs(q, grid)
        return q, float(costs.sum()), proven

    def restore(self, x: np.ndarray) -> np.ndarray:
        """Return x with its features back in the caller's order."""
        return x[..., np.argsort(self.order)]


def _grids(problem: _Problem, shared_zero_point: bool) -> _Grid:
    """Return the grids that `search` tries: many, and as many with s solved for."""
    grids = _spaced(problem, shared_zero_point)
    solved = problem.solved(problem.start(grids), grids)
    return _Grid(np.append(grids.s, solved.s), np.concatenate([grids.zeros, solved.zeros]))


def _spaced(problem: _Problem, shared_zero_point: bool) -> _Grid:
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
    return _Grid(s, np.broadcast_to(np.clip(zeros, 0, problem.largest), (len(s), p)).astype(np.int64))


def _best_finalist(problem: _Problem, grids: _Grid, node_limit: int) -> tuple[_Grid, Integers]:
    """Return the grid on which the best integers cost least, and these integers."""
    start = problem.start(grids)
    ranks = np.argsort(problem.costs(start, grids).sum(axis=-1), kind="stable")
    best, best_q, least = ranks[0], start[ranks[0]], np.inf
    for i in _first_distinct(start - grids.zeros[:, None], ranks):
        q, cost, _ = problem.improve(start[i], grids.of(i), node_limit // _FINALISTS, least)
        if cost < least:
            best, best_q, least = i, q, cost
    return grids.of(best), best_q


def _first_distinct(steps: Integers, ranks: Integers) -> list[int]:
    """Return the first of `ranks`, at most 32, that have different steps: many scales round to the same ones."""
    chosen: dict[bytes, int] = {}
    for i in ranks:
        chosen.setdefault(steps[i].tobytes(), int(i))
        if len(chosen) == _FINALISTS:
            break
    return list(chosen.values())


def _factor(H: Floats, ratio: Floats) -> tuple[Integers, Floats, Floats]:
    """Return an order, U unit upper triangular and d ≥ 0 with H[order][:, order] = Uᵀ diag(d) U, up to the ridge."""
    spread = np.diag(H)
    sigma = np.sqrt(np.where(spread > 0, spread, 1))
    correlation = H / np.outer(sigma, sigma)
    order = _elimination_order(correlation, spread * np.square(ratio))
    R = np.linalg.cholesky(correlation[np.ix_(order, order)] + _RIDGE * np.eye(len(H))).T
    pivots, sigma = np.diag(R), sigma[order]
    return order, R / pivots[:, None] * (sigma / sigma[:, None]), np.square(pivots) * spread[order]


def _elimination_order(correlation: Floats, weight: Floats) -> Integers:
    """Return V-BLAST's order (Wolniansky et al. 1998), made from last to first: it prunes most.

    Next is the feature whose rounding costs most even after all that are left have adapted to it: weight_j / P_jj,
    where P is the inverse of what is left of the correlation matrix.
    """
    p = len(weight)
    # A ridge of this size keeps P accurate, and changes only the order.
    P = np.linalg.inv(correlation + 1e-6 * np.eye(p))
    order, left = np.zeros(p, np.int64), list(range(p))
    for i in reversed(range(p)):
        order[i] = j = left.pop(int(np.argmax((weight / np.diag(P))[left])))
        P -= np.outer(P[:, j] / P[j, j], P[j])
        P[j, j] = 1
    return order


def _nearest_first(levels: list[float], centre: float) -> Iterator[int]:
    """Yield the indices of sorted levels, the nearest to the centre first."""
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
    w: Floats, U: Floats, d: Floats, levels: Floats, bound: float, node_limit: int
) -> tuple[list[int] | None, bool]:
    """Return the cheapest index of each feature's level, None if none beats the bound; and whether all were tried.

    The last branch yields the untried levels of feature i = p − len(branches), nearest first to centre[i]: the value
    that would cost nothing, given the choices for the features after i. Those choices cost spent[i + 1].
    """
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
        if choice[i] < 0 or spent[i] >= bound:
            branches.pop()
        elif i == 0:
            best, bound = choice.copy(), spent[0]
            branches.pop()
        else:
            error[i] = values[i][choice[i]] - weights[i]
            centre[i - 1] = weights[i - 1] - sum(map(mul, rows[i - 1][i:], error[i:]))
            branches.append(_nearest_first(values[i - 1], centre[i - 1]))
    return best, not branches
