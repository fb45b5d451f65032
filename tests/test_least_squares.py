"""The two paths of the summary: the fast one is used only where it is safe, the exact one is exact."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from housing_np.errors import HousingError
from housing_np.least_squares import Summary
from housing_np.least_squares.exact_gram import ExactGram
from housing_np.least_squares.gram import FAST_ROWS, _chunk_rows


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


def exact_gram(X, y, weight=None):
    """The Gram matrix of rows [1, X, y] as ExactGram holds it, in rational numbers."""
    gram = ExactGram.of(X, y, weight)
    exponents = gram.unit[:, None] + gram.unit + gram.step
    return [
        [each * Fraction(2) ** e for each, e in zip(*both, strict=True)]
        for both in zip(gram.integers, exponents.tolist(), strict=True)
    ]


def rational_gram(X, y, weight=None):
    """The same by its definition."""
    rows = [[Fraction(1), *map(Fraction, row)] for row in np.column_stack([X, y]).tolist()]
    weights = [1] * len(rows) if weight is None else list(map(Fraction, weight.tolist()))
    return [
        [sum(w * row[i] * row[j] for row, w in zip(rows, weights, strict=True)) for j in range(len(rows[0]))]
        for i in range(len(rows[0]))
    ]


def test_a_column_takes_as_many_slices_as_it_is_wide():
    # 2**320 + 1 needs all eight: the one is 160 bits below the largest entry.
    X = np.array([[2.0**160], [1.0]])
    assert exact_gram(X, np.zeros((2, 1)))[1][1] == 2**320 + 1


# All digits of a double, over as many powers of two as eight slices hold of a product.
WIDE = st.floats(2.0**-10, 2.0**20) | st.floats(-(2.0**20), -(2.0**-10))
ENTRIES = st.integers(-9, 9).map(float) | WIDE


@given(
    rows=st.lists(st.tuples(ENTRIES, ENTRIES, ENTRIES, st.floats(0.125, 1e6)), min_size=1, max_size=9),
    weighted=st.booleans(),
)
def test_the_exact_gram_matrix_is_that_of_rational_arithmetic(rows, weighted):
    *columns, weight = np.array(rows).T
    X, y = np.column_stack(columns[:2]), columns[2][:, None]
    given = (X, y, weight) if weighted else (X, y)
    assert exact_gram(*given) == rational_gram(*given)


def test_the_exact_gram_matrix_of_more_rows_than_are_summed_at_once():
    rng = np.random.default_rng(5)
    X, y = rng.integers(-99, 99, (5000, 2)) / 8, rng.integers(-99, 99, (5000, 1)) / 4
    assert exact_gram(X, y) == rational_gram(X, y)
    half = ExactGram.of(X[:3000], y[:3000]) + ExactGram.of(X[3000:] / 64, y[3000:] / 64)
    whole = rational_gram(np.concatenate([X[:3000], X[3000:] / 64]), np.concatenate([y[:3000], y[3000:] / 64]))
    assert_array_equal(half.to_float(), np.array(whole, dtype=float))


def test_an_offset_far_below_the_columns_is_not_lost():
    X, y = np.array([[1.0], [3.0]]), np.array([[5.0], [-7.0]])
    gram = ExactGram.of(X, y).plus(np.array([2.0**-300, 0.0]))
    exponent = gram.unit[1]
    # (1 + e)² + (3 + e)² = 10 + 8 e + 2 e², with e = 2**-300
    assert gram.integers[1, 1] * Fraction(2) ** int(2 * exponent) == 10 + 8 * Fraction(2) ** -300 + Fraction(2) ** -599


SCALES = [(1.0, 1.0), (2.0**300, 1.0), (2.0**-400, 1.0), (1.0, 2.0**-700), (1.0, 2.0**600)]


@pytest.mark.parametrize(("scale", "weights"), [*SCALES, *((scale, None) for scale, _ in SCALES[:3])])
def test_a_shifted_gram_matrix_is_that_about_zero(scale, weights):
    rng = np.random.default_rng(6)
    A, shift = rng.integers(-99, 99, (51, 3)) / 8.0 * scale, np.array([1000.25, -3.0, 0.0]) * scale
    weight = np.ones(51) if weights is None else rng.integers(1, 9, 51) * weights
    rows = np.column_stack([np.ones(51), A])
    gram = ExactGram.of_shifted((rows.T * weight) @ rows, shift, weights is not None)
    exact = np.array(rational_gram(A[:, :2] + shift[:2], A[:, 2:] + shift[2:], weight))
    assert_array_equal(gram.to_float(), exact.astype(float))
    finer = weight * 2.0**-40 if weights else None
    more = ExactGram.of(A[:, :2], A[:, 2:], finer) + gram
    assert_array_equal(more.to_float(), (exact + np.array(rational_gram(A[:, :2], A[:, 2:], finer))).astype(float))


@pytest.mark.parametrize("columns", [1, 8, 128, 1000, 2048])
def test_the_fast_path_s_buffer_stays_within_the_cache(columns):
    size = 8 * columns * _chunk_rows(columns)
    assert size <= 4 << 20
    assert _chunk_rows(columns) == FAST_ROWS or size > 2 << 20


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
