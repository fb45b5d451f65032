"""The best rounding: against brute force wherever that is possible, against plain rounding where it is not."""

import itertools
from typing import NamedTuple

import numpy as np
import pytest
from cases import every
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from housing_np import HousingError
from housing_np.quantized.rounding import _factor, _Grid, _Problem, _spaced, search

ROUNDED = 1e-11  # of Σ H_jj e_j², the size of what cancels in a cost


def dequantize(q, scale, zero_point):
    return ((np.asarray(q, np.int64) - np.asarray(zero_point, np.int64)).astype(np.float32) * scale).astype(float)


def costs(q, w, H, scale, zero_point):
    error = dequantize(q, np.asarray(scale, np.float32), zero_point) - w
    return np.einsum("...i,ij,...j", error, H, error), np.square(error) @ np.diag(H)


def nearest(w, scale, zero_point, bits):
    return np.clip(np.rint(w / np.asarray(scale, np.float32)) + zero_point, 0, 2**bits - 1)


def babai(w, H, scale, zero_point, bits):
    """The textbook's nearest plane, from H alone.

    In V-BLAST's order, next is the weight whose rounding costs most when all that are left adapt to it. It goes to the
    integer nearest to its place at the least cost that the errors so far allow, were those that are left real numbers.
    """
    q, error = np.zeros(len(w)), np.zeros(len(w))
    left, done = list(range(len(w))), []
    while left:
        inverse = np.linalg.inv(H[np.ix_(left, left)])
        place = w[left] - inverse @ H[np.ix_(left, done)] @ error[done]
        next_ = int(np.argmax(np.square(scale[left]) / np.diag(inverse)))
        j = left.pop(next_)
        q[j] = np.clip(np.rint(place[next_] / scale[j]) + zero_point[j], 0, 2**bits - 1)
        error[j] = (q[j] - zero_point[j]) * scale[j] - w[j]
        done.append(j)
    return q


class Found(NamedTuple):
    q: np.ndarray
    cost: float
    proven: bool


def closest(w, H, scale, zero_point, bits, node_limit=50_000):
    """The integers that `search` would end with on this grid."""
    problem = _Problem(w, H, scale, bits)
    grid = _Grid(np.array(1.0), np.asarray(zero_point)[problem.order])
    q, cost, proven = problem.improve(problem.start(grid), grid, node_limit)
    return Found(problem.restore(q)[0], cost, proven)


def assert_best(found, w, H, scale, zero_point, bits):
    box = np.array(list(itertools.product(range(2**bits), repeat=len(w))))
    every, sizes = costs(box, w, H, scale, zero_point)
    cost, size = costs(found.q, w, H, scale, zero_point)
    tolerance = ROUNDED * max(size, sizes[np.argmin(every)])
    assert found.proven
    assert cost <= every.min() + tolerance
    assert_allclose(found.cost, cost, rtol=1e-9, atol=tolerance)


@st.composite
def problems(draw, least=1, most=4):
    """w, H, scale, zero_point, bits; H has any rank, features and scales differ by up to 12 orders of magnitude."""
    p, bits = draw(st.integers(least, most)), draw(st.integers(2, 3))
    numbers = st.integers(-4, 4) | st.floats(-4, 4, allow_subnormal=False)
    A = np.array(draw(st.lists(st.lists(numbers, min_size=p, max_size=p), min_size=1, max_size=5)), float)
    units = 10.0 ** np.array(draw(st.lists(st.integers(-6, 6), min_size=p, max_size=p)))
    scale = np.float32(draw(st.floats(0.1, 4))) / units * draw(st.sampled_from([1.0, 1e-3, 1e3]))
    steps = np.array(
        draw(st.lists(st.integers(-9, 9) | st.floats(-9, 9).map(lambda x: round(x, 6)), min_size=p, max_size=p))
    )
    zero_point = np.array(draw(st.lists(st.integers(0, 2**bits - 1), min_size=p, max_size=p)))
    A = A * units
    A[np.abs(A) < 1e-12] = 0
    return steps * scale, A.T @ A / len(A), scale.astype(np.float32), zero_point, bits


def case(w, H, scale=1.0, zero_point=0, bits=2):
    p = len(w)
    return np.array(w, float), np.array(H, float), np.full(p, scale, np.float32), np.full(p, zero_point), bits


EDGES = {
    "one feature": case([1.7], [[2.0]]),
    "all weights zero": case([0, 0, 0], np.eye(3), zero_point=2),
    "constant feature": case([0.4, 1.4, 5], [[1, 0, 0.5], [0, 0, 0], [0.5, 0, 1]]),
    "all constant": case([0.4, 1.4], np.zeros((2, 2))),
    "duplicated feature": case([0.4, 1.4, 0.3], [[1, 1, 0.5], [1, 1, 0.5], [0.5, 0.5, 1]], zero_point=1),
    "opposite feature": case([0.4, 0.4], [[1, -1], [-1, 1]]),
    "outside the box": case([9, -9, 0.5], [[1, 0.9, 0.3], [0.9, 1, 0.2], [0.3, 0.2, 1]]),
    "ties": case([0.5, 1.5, 2.5], np.eye(3)),
    "float32 is not decimal": case([0.15, 0.25], [[1, 0.5], [0.5, 1]], scale=0.1, zero_point=1),
}


@settings(max_examples=300)  # the only proof that the enumeration skips nothing
@given(problems())
def test_closest_equals_brute_force(problem):
    w, H, scale, zero_point, bits = problem
    found = closest(w, H, scale, zero_point, bits)
    assert found.q.shape == w.shape and found.q.min() >= 0 and found.q.max() < 2**bits
    assert_best(found, w, H, scale, zero_point, bits)


@every("problem", EDGES.values(), ids=EDGES.keys())
def test_closest_equals_brute_force_at_edges(problem):
    w, H, scale, zero_point, bits = problem
    assert_best(closest(w, H, scale, zero_point, bits), w, H, scale, zero_point, bits)


@given(st.integers(2, 24), st.integers(2, 8), st.integers(0, 300), st.integers(0, 2**32 - 1))
@example(40, 8, 0, 1)
def test_node_limit_leaves_a_valid_point_no_worse_than_babai_and_nearest(p, bits, node_limit, seed):
    w, H, scale, zero_point = wide_problem(p, bits, seed)
    found = closest(w, H, scale, zero_point, bits, node_limit)
    cost, size = costs(found.q, w, H, scale, zero_point)
    assert found.q.min() >= 0 and found.q.max() < 2**bits
    assert_allclose(found.cost, cost, rtol=1e-9, atol=ROUNDED * size)
    for q in (nearest(w, scale, zero_point, bits), babai(w, H, scale, zero_point, bits)):
        plain, plain_size = costs(q, w, H, scale, zero_point)
        assert cost <= plain + ROUNDED * plain_size


def wide_problem(p, bits, seed):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(2 * p, p)) @ (np.eye(p) + 0.3 * rng.normal(size=(p, p)))
    w, H = rng.normal(size=p), A.T @ A / (2 * p)
    return w, H, np.full(p, 5 / 2**bits, np.float32), np.full(p, 2 ** (bits - 1))


def test_node_limit_decides_what_is_proven():
    w, H, scale, zero_point = wide_problem(8, 6, seed=0)
    none, few, all_ = (closest(w, H, scale, zero_point, 6, limit) for limit in (0, 20, 50_000))
    assert (none.proven, few.proven, all_.proven) == (False, False, True)
    assert all_.cost < none.cost
    assert all_.cost <= few.cost <= none.cost


def test_more_nodes_do_not_cost_more_and_the_proven_point_is_a_local_optimum():
    w, H, scale, zero_point = wide_problem(14, 4, seed=3)
    found = closest(w, H, scale, zero_point, 4, 10**6)
    assert found.proven
    moves = np.clip(found.q + np.array(list(itertools.product([-1, 0, 1], repeat=5))) @ np.eye(14)[3:8], 0, 15)
    assert found.cost <= costs(moves, w, H, scale, zero_point)[0].min() * (1 + 1e-9)


@given(problems(), st.booleans())
@example(case([0, 1, 1], [[0, 0, 0], [0, 4, -4.00034357], [0, -4.00034357, 4.00068717]]), False)
def test_search_is_best_for_its_scale_and_no_worse_than_plain_rounding(problem, shared):
    w, H, _, _, bits = problem
    spread = np.sqrt(np.diag(H))
    ratio = 1 / np.where(spread > 0, spread, 1)
    found = search(w, H, ratio, bits, shared)
    assert (found.scale.dtype, found.zero_point.dtype, found.q.dtype) == (np.float32, np.uint8, np.uint8)
    assert found.q.max() < 2**bits and found.zero_point.max() < 2**bits and np.all(found.scale > 0)
    assert not shared or len(set(found.zero_point)) == 1
    assert_best(found, w, H, found.scale, found.zero_point, bits)
    u = w / ratio
    width = u.max(initial=0) - u.min(initial=0) or 1.0
    scale = (width / (2**bits - 1) * ratio).astype(np.float32)
    zero_point = np.rint(-u.min(initial=0) / width * (2**bits - 1))
    plain, size = costs(nearest(w, scale, zero_point, bits), w, H, scale, zero_point)
    assert found.cost <= plain * (1 + 1e-5) + ROUNDED * size


@every("shared", [False, True])
@every("problem", EDGES.values(), ids=EDGES.keys())
def test_search_at_edges(problem, shared):
    w, H, scale, _, bits = problem
    found = search(w, H, scale, bits, shared)
    assert_best(found, w, H, found.scale, found.zero_point, bits)


def test_search_of_zero_weights_is_exact():
    found = search(np.zeros(3), np.eye(3), np.ones(3))
    assert found.cost == 0 and found.proven
    assert_array_equal(found.q, found.zero_point, strict=True)
    assert_array_equal(found.scale, np.ones(3, np.float32), strict=True)


def targets(seed, k=3, p=6):
    rng = np.random.default_rng(seed)
    W, A = rng.normal(size=(k, p)), rng.normal(size=(50, p)) @ rng.normal(size=(p, p))
    return W, A.T @ A / 50


@every("seed", range(6))
def test_targets_share_a_scale_and_are_each_the_closest(seed):
    W, H = targets(seed)
    ratio = 1 / np.sqrt(np.diag(H))
    found = search(W, H, ratio, 4)
    assert found.q.shape == (3, 6) and found.scale.shape == found.zero_point.shape == (6,) and found.proven
    alone = [closest(w, H, found.scale, found.zero_point, 4) for w in W]
    assert_array_equal(found.q, [a.q for a in alone])
    assert_allclose(found.cost, sum(a.cost for a in alone), rtol=1e-9)
    assert_allclose(found.scale / ratio, found.scale[0] / ratio[0], rtol=1e-6)


@every("seed", range(6))
def test_a_bound_prunes_only_what_cannot_beat_it(seed):
    problem = _Problem(*targets(seed), np.ones(6), 4)
    grid = _Grid(np.array(0.2), np.full(6, 8))
    start = problem.nearest(grid)
    q, cost, proven = problem.improve(start, grid, 50_000)
    bounded, bounded_cost, _ = problem.improve(start, grid, 50_000, cost * 1.001)
    assert proven and cost < problem.costs(start, grid).sum()
    assert_array_equal(bounded, q)
    assert problem.improve(start, grid, 50_000, 0.0)[1] == problem.costs(start, grid).sum()
    assert_allclose(bounded_cost, cost, rtol=1e-12)


def test_each_of_many_grids_is_solved_for_as_it_is_alone():
    problem = _Problem(*targets(0), np.ones(6), 4)
    grids = _Grid(np.array([0.2, 0.5]), np.array([[8] * 6, [3] * 6]))
    q = problem.nearest(grids)
    alone = [problem.solved(q[i], grids.of(i)).s for i in range(2)]
    assert_allclose(problem.solved(q, grids).s, alone, rtol=1e-12)


def test_a_shared_zero_point_is_tried_up_to_2_beside_the_centre():
    # The weights from -1 to 2 in 15 steps of 0.2 have their 0 at 5.
    grids = _spaced(_Problem(np.array([2.0, -1.0]), np.eye(2), np.ones(2), 4), True)
    assert_allclose(grids.s[:5], 0.2)
    assert grids.zeros[:5].tolist() == [[zero] * 2 for zero in (3, 4, 5, 6, 7)]


@pytest.mark.parametrize(("p", "shared", "count"), [(2, False, 1024), (64, True, 819), (1200, False, 16)])
def test_fewer_grids_are_tried_for_more_weights(p, shared, count):
    grids = _spaced(Wide(np.ones((1, p))), shared)
    assert len(grids.s) == (count + 1) * (5 if shared else 1)


class Wide(NamedTuple):
    """As much of a problem as `_spaced` reads: the factor of so many features would take long."""

    W: np.ndarray
    ratio: float = 1.0
    largest: int = 255


def test_proven_means_every_target():
    w, H, scale, _ = wide_problem(14, 4, seed=3)
    assert not search([w, 0 * w], H, scale, 4, node_limit=100).proven


def test_the_scale_is_solved_for_and_not_only_taken_from_the_grid():
    found = search(0.0137 * np.array([3, -5, 8, 2]), np.eye(4), np.ones(4), 4)
    assert found.cost < 1e-15


def test_the_search_is_far_better_than_the_nearest_plane_on_the_best_of_many_scales():
    # Without its finalists, or without solving for the scale, the search does not get below 0.69 of it.
    w, H, _, _ = wide_problem(16, 4, seed=0)
    ratio = 1 / np.sqrt(np.diag(H))
    u, plain = w / ratio, []
    for step in np.geomspace(0.3, 1.2, 24) * np.ptp(u) / 15:
        scale, zero_point = (step * ratio).astype(np.float32), np.full(16, np.clip(np.rint(-u.min() / step), 0, 15))
        plain.append(costs(babai(w, H, scale, zero_point, 4), w, H, scale, zero_point)[0])
    assert search(w, H, ratio, 4, shared_zero_point=True).cost < 0.6 * min(plain)


def best_of_all(w, H, bits):
    """The least cost over every scale above 0, every shared zero point and all integers."""
    steps = np.array(list(itertools.product(range(2**bits), repeat=len(w))))
    steps = np.concatenate([steps - zero_point for zero_point in range(2**bits)])
    inner, square = steps @ H @ w, np.einsum("ij,jk,ik->i", steps, H, steps)
    usable = (inner > 0) & (square > 0)
    # The best scale of given steps is inner / square, and its cost w'Hw - inner² / square.
    return w @ H @ w - np.max(np.square(inner[usable]) / square[usable], initial=0)


def test_the_search_finds_the_best_of_all_scales_nearly_always():
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(60):
        p, bits = rng.integers(2, 5), rng.integers(2, 4)
        A = rng.normal(size=(10, p)) @ (np.eye(p) + 0.3 * rng.normal(size=(p, p)))
        w, H = rng.normal(size=p), A.T @ A / 10
        ratios.append(search(w, H, np.ones(p), bits, shared_zero_point=True).cost / best_of_all(w, H, bits))
    assert min(ratios) >= 1 - 1e-5
    print(sorted(ratios)[-20:])
    assert np.mean(np.array(ratios) < 1 + 1e-5) >= 0.8


def test_a_zero_point_for_each_feature_pays():
    rng = np.random.default_rng(8)
    own, shared = [], []
    for _ in range(10):
        w, H = rng.normal(size=6), np.diag(rng.uniform(1, 2, size=6))
        own.append(search(w, H, np.ones(6), 6).cost)
        shared.append(search(w, H, np.ones(6), 6, shared_zero_point=True).cost)
    assert np.mean(own) < np.mean(shared) / 2


def test_search_is_deterministic():
    w, H, scale, _ = wide_problem(20, 4, seed=2)
    first, second = (search(w, H, scale, 4, node_limit=500) for _ in range(2))
    assert not first.proven
    for a, b in zip(first, second, strict=True):
        assert_array_equal(a, b, strict=True)


@pytest.mark.parametrize(("p", "k"), [(64, 1), (256, 1), (64, 64)])
def test_search_of_wide_models_ends_at_the_limit_and_is_still_better_than_the_nearest_integers(p, k):
    # All nodes of 64 weights of 8 bits would take longer than the world is old.
    w, H, scale, _ = wide_problem(p, 8, seed=1)
    found = search(
        w if k == 1 else np.outer(np.linspace(-1, 1, k), w), H, scale, 8, shared_zero_point=True, node_limit=1000
    )
    assert not found.proven
    plain = nearest(w, found.scale, found.zero_point, 8)
    assert k > 1 or found.cost < costs(plain, w, H, found.scale, found.zero_point)[0]


# Largest R² drop by number of bits: standardised with one zero point and with one for each feature, then one scale.
DROPS = {
    8: (1.5e-5, 1e-6, 1e-4, 5e-5), 6: (1.6e-4, 5e-5, 5e-3, 1.3e-3), 5: (1.1e-3, 1.3e-4, 1.2e-2, 4.3e-3),
    4: (3.3e-3, 1.3e-3, 1.3e-2, 1.3e-2), 3: (1.4e-2, 3.3e-3, 1.9e-2, 1.3e-2), 2: (3.2e-2, 1.4e-2, 2.8e-2, 1.9e-2),
}  # fmt: skip


@every("bits", DROPS)
def test_r2_drop_on_california_housing(california, bits):
    X, y = california.table.X, california.table.y
    w, H, std, variance = california.model.coef_, np.cov(X.T, bias=True), X.std(axis=0), y.var()
    for (ratio, shared), drop in zip(itertools.product([1 / std, np.ones(8)], [True, False]), DROPS[bits], strict=True):
        found = search(w, H, ratio, bits, shared)
        # w is the least squares solution, so that its mean squared error rises by the cost exactly.
        cost, _ = costs(found.q, w, H, found.scale, found.zero_point)
        assert found.proven
        assert_allclose(found.cost, cost, rtol=1e-6)
        assert cost / variance <= drop


@given(problems(most=4))
@example(EDGES["duplicated feature"])
@example(EDGES["constant feature"])
def test_factor_is_the_matrix_in_another_order(problem):
    _, H, scale, _, _ = problem
    order, U, d = _factor(H, scale.astype(float))
    sigma = np.sqrt(np.diag(H))
    assert sorted(order) == list(range(len(H))) and np.all(d >= 0)
    assert_array_equal(U, np.triu(U))
    assert_array_equal(np.diag(U), np.ones(len(H)))
    size = np.outer(sigma, sigma)[np.ix_(order, order)]
    assert np.all(np.abs(U.T * d @ U - H[np.ix_(order, order)]) <= 2e-12 * size)  # the ridge is 1e-12


def test_order_is_by_what_remains_when_the_others_have_adapted():
    rng = np.random.default_rng(4)
    A = rng.normal(size=(30, 6)) @ rng.normal(size=(6, 6))
    H, ratio = A.T @ A, 10 ** rng.uniform(-1, 1, size=6)
    order, left = list(_factor(H, ratio)[0]), list(range(6))
    for j in reversed(order):
        alone = np.square(ratio[left]) / np.diag(np.linalg.inv(H[np.ix_(left, left)]))
        assert left[np.argmax(alone)] == j
        left.remove(j)


SHAPES = r"W, H and ratio have the shapes \(1,\), \(2, 2\) and \(2,\): expected \(p,\) or \(k, p\), \(p, p\) and \(p,\)"
TOO_LARGE = "the weights or the features are too large or too small to square: rescale them"


@every(
    ("changes", "message"),
    [
        ({"W": [1.0]}, f"^{SHAPES}$"),
        ({"W": [[[1.0, 2.0]]]}, "W, H and ratio have the shapes"),
        ({"W": [[], []]}, "W, H and ratio have the shapes"),
        ({"H": np.eye(3)}, "W, H and ratio have the shapes"),
        ({"ratio": [[1.0, 1.0]]}, "W, H and ratio have the shapes"),
        ({"W": [1.0, np.nan]}, r"^W\[1\]: nan is not a finite number"),
        ({"H": [[1.0, np.inf], [np.inf, 1.0]]}, r"^H\[0, 1\]: inf is not a finite number"),
        ({"ratio": [1.0, np.nan]}, r"^ratio\[1\]: nan is not a finite number"),
        ({"ratio": ["a", "b"]}, "^ratio has dtype <U1: expected real numbers"),
        ({"W": [1.0, "a"]}, "^W has dtype <U32: expected real numbers"),
        ({"ratio": [1.0, 0.0]}, "^ratio must be positive$"),
        ({"bits": 9}, "bits is 9: expected an integer from 2 to 8"),
        ({"bits": np.nan}, "bits is nan: expected an integer from 2 to 8"),
        ({"W": [1e200, 1.0]}, f"^{TOO_LARGE}$"),
        ({"H": [[1.0, 2.0], [2.0, 1.0]]}, f"^{TOO_LARGE}$"),
    ],
)
def test_what_cannot_be_searched_is_refused(changes, message):
    with pytest.raises(HousingError, match=message):
        search(**({"W": [1.0, 2.0], "H": np.eye(2), "ratio": [1.0, 1.0], "bits": 4} | changes))
