"""The two paths of the summary: the fast one is used only where it is safe, the exact one is exact."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from housing_np.errors import HousingError
from housing_np.least_squares import Summary


def summary_of(X, y, cuts=(), fit_intercept=True):
    summary = Summary(fit_intercept=fit_intercept)
    edges = [0, *cuts, len(X)]
    for a, b in zip(edges, edges[1:], strict=False):
        summary.update(X[a:b], y[a:b, None])
    return summary


def normal(rows=20000, mean=0.0, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rows, 3)) + mean
    return X, X @ [1.0, 2.0, 3.0] + rng.standard_normal(rows)


def is_fast(summary):
    return summary.solve().equations is None


@pytest.mark.parametrize("mean", [0.0, 1e6])
def test_well_conditioned_data_take_the_fast_path(mean):
    assert is_fast(summary_of(*normal(mean=mean)))


def test_nearly_dependent_columns_take_the_exact_path():
    X, y = normal()
    X[:, 2] = X[:, 1] + 1e-6 * X[:, 2]
    assert not is_fast(summary_of(X, y))


def test_nearly_exact_fit_takes_the_exact_path():
    X, _ = normal()
    assert not is_fast(summary_of(X, X @ [1.0, 2.0, 3.0]))


def test_fast_and_exact_paths_agree():
    X, y = normal(mean=5.0)
    exact = Summary(feature_names=["a", "b", "c"], target_names=["y"])
    for start in range(0, len(X), 1000):  # each small enough to be done exactly
        exact.update(X[start : start + 1000], y[start : start + 1000, None])
    fast, slow = summary_of(X, y).solve(), exact.solve()
    assert slow.equations is not None
    assert_allclose(fast.coef, slow.coef, rtol=1e-13)
    assert_allclose(fast.intercept, slow.intercept, rtol=1e-12)
    assert_allclose(fast.residual_norm, slow.residual_norm, rtol=1e-12)
    assert_allclose(fast.unit_stderr(), slow.unit_stderr(), rtol=1e-12)
    assert_allclose(fast.singular_values, slow.singular_values, rtol=1e-12)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 400), max_size=5), seed=st.integers(0, 1000))
def test_exact_path_is_bitwise_independent_of_the_cuts(cuts, seed):
    X, y = normal(400, seed=seed)
    whole, cut = summary_of(X, y).solve(), summary_of(X, y, sorted(cuts)).solve()
    assert_array_equal(cut.coef, whole.coef)
    assert_array_equal(cut.intercept, whole.intercept)
    assert_array_equal(cut.residual_norm, whole.residual_norm)


@pytest.mark.parametrize("means", [(0.0, 0.0), (0.0, 1e8), (1e8, 0.0)])
def test_merging_equals_one_summary(means):
    parts = [normal(mean=m, seed=i) for i, m in enumerate(means)]
    merged = summary_of(*parts[0]) + summary_of(*parts[1])
    whole = summary_of(*(np.concatenate(a) for a in zip(*parts, strict=True)))
    assert_allclose(merged.solve().coef, whole.solve().coef, rtol=1e-12)
    assert merged.rows == 40000


def test_merging_leaves_the_other_summary_as_it_was():
    left, right = summary_of(*normal()), summary_of(*normal(seed=1))
    before = right.solve().coef
    _ = left + right
    assert is_fast(left)
    assert is_fast(right)
    assert_array_equal(right.solve().coef, before)


def test_merging_into_an_empty_summary():
    empty, part = Summary(feature_names=["x0", "x1", "x2"], target_names=["y"]), summary_of(*normal())
    for total in (empty + part, part + empty, Summary() + part):
        assert_array_equal(total.solve().coef, part.solve().coef)


def test_merging_other_columns_is_an_error():
    one, other = Summary(feature_names=["a"]), Summary(feature_names=["b"])
    for summary in (one, other):
        summary.update([[1.0]], [2.0])
    with pytest.raises(HousingError, match="cannot add up rows of different columns"):
        _ = one + other


def test_later_rows_do_not_undo_the_proof():
    X, y = normal()
    summary = summary_of(X, y)
    shifted = X * [1.0, 1.0, 1e-9] + [0.0, 0.0, 1e3]
    summary.update(shifted, y[:, None])
    reference = Summary(feature_names=["x0", "x1", "x2"], target_names=["y"])
    both, targets = np.concatenate([X, shifted]), np.concatenate([y, y])
    for start in range(0, len(both), 1000):
        reference.update(both[start : start + 1000], targets[start : start + 1000, None])
    assert_allclose(summary.solve().coef, reference.solve().coef, rtol=1e-10)


def test_wide_exponent_range_within_a_column():
    x = np.concatenate([[1e20], np.arange(1.0, 7.0)])
    solution = summary_of(x[:, None], 3 * np.arange(7.0), fit_intercept=False).solve()
    # sum x y / sum x²: 3 * (0 * 1e20 + sum i²) / (1e40 + 91)
    assert_allclose(solution.coef[0, 0], 3 * 91 / 1e40, rtol=1e-15)


def test_leverages_sum_to_the_number_of_unknowns():
    X, y = normal()
    assert_allclose(summary_of(X, y).solve().leverage(X).sum(), 4, rtol=1e-12)


def test_columns_near_the_end_of_the_range_are_refused_or_right():
    x = np.array([[1.5e308], [-1.5e308], [1e308], [0.5e308]])
    solution = summary_of(x, np.array([3.0, -3.0, 2.0, 1.0])).solve()
    # y = x / 0.5e308 in all rows.
    assert_allclose(solution.coef[0, 0], 2e-308, rtol=1e-12)


def test_a_coefficient_that_is_0_is_0():
    X = np.array([[0, 0], [0, 0], [0, 1], [1, 0]], float)
    solution = summary_of(X, np.array([0.0, 0.0, 0.0, 1.0])).solve()
    assert_array_equal(solution.coef[:, 0], [1.0, 0.0])
    assert_array_equal(solution.intercept, [0.0])
