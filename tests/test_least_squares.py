"""Least squares on any design: each way to a triangular factor, sums of factors, and rank, against LAPACK."""

import pickle
import warnings
from fractions import Fraction

import numpy as np
import pytest
from cases import every
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from housing_np import LinearRegression, QuantizedLinear
from housing_np.errors import HousingError
from housing_np.fit.factor import Rows, shifted_factor
from housing_np.fit.summary import Summary


def summary_of(X, y, cuts=(), fit_intercept=True):
    summary = Summary(fit_intercept=fit_intercept)
    edges = [0, *cuts, len(X)]
    for a, b in zip(edges, edges[1:], strict=False):
        summary.update(X[a:b], y[a:b, None])
    return summary


def normal(rows=20000, mean=0.0, seed=0, columns=3):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rows, columns)) + mean
    return X, X @ np.arange(1.0, columns + 1) + rng.standard_normal(rows)


def correlated(size, rows=20000, columns=3):
    X, y = normal(rows, columns=columns)
    return X[:, :1] + size * X, y


def lstsq(X, y, weight=None, fit_intercept=True, rcond=1e-12):
    """Predictions of LAPACK's solution of least norm, from columns that are centred and scaled before."""
    root = np.ones(len(X)) if weight is None else np.sqrt(weight)
    A = np.asarray(X, float)
    if fit_intercept:
        A = A - np.average(A, axis=0, weights=root**2)
        A[:, np.ptp(np.asarray(X)[root > 0], axis=0) == 0] = 0
    norms = np.linalg.norm(A * root[:, None], axis=0)
    A = A / np.where(norms > 0, norms, 1)
    if fit_intercept:
        A = np.column_stack([np.ones(len(A)), A])
    found = np.linalg.lstsq(A * root[:, None], (y.T * root).T, rcond=rcond)[0]
    return A @ found


# Rows, columns and dependence that lead to each way: by Cholesky, a preconditioner, a second pass, Householder.
WAYS = {
    "Cholesky": normal(),
    "Cholesky, wide": normal(9000, 2.0, columns=40),
    "Cholesky, a large mean": normal(mean=1e6),
    "CholeskyQR2": correlated(1e-3),
    "a preconditioner": correlated(1e-3, 400_000),
    "a preconditioner, wide": correlated(1e-3, 40_000, 40),
    "Householder": correlated(1e-8),
    "Householder, wide": correlated(1e-8, 9000, 40),
    "fewer rows than columns": normal(30, columns=70),
}
# Two ways of LAPACK's differ by as much at a condition number of 1e8.
TOLERANCE = {name: 1e-5 if name.startswith("Householder") else 1e-10 for name in WAYS}


@every("fit_intercept", [True, False])
@every("name", WAYS)
def test_each_way_gives_the_factor_of_householder(name, fit_intercept):
    X, y = WAYS[name]
    found = shifted_factor(Rows(X, y[:, None]), fit_intercept)
    columns = np.column_stack([X, y]) - found.shift
    expected = np.linalg.qr(np.column_stack([np.ones(len(X)), columns]) if fit_intercept else columns, mode="r")
    norms = np.linalg.norm(expected, axis=0)
    # The sign of a row is free.
    assert_allclose(np.abs(found.R[: len(expected)]) / norms, np.abs(expected) / norms, atol=TOLERANCE[name])
    assert not found.R[len(expected) :].any()


@pytest.mark.matrix("layout")
@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray])
@every("name", WAYS)
def test_each_way_gives_lapack_s_predictions(name, layout):
    X, y = WAYS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.RankWarning)
        model = LinearRegression().fit(layout(X), y)
    assert_allclose(model.predict(X), lstsq(X, y), atol=TOLERANCE[name] * np.std(y), rtol=1e-14)


def test_a_rare_column_that_the_sample_misses_is_fitted():
    X, y = correlated(1e-3, 400_000)
    X[12_345, 1] += 1.0
    X = np.column_stack([X, np.arange(400_000) == 12_346, np.arange(400_000) == 12_347])
    assert_allclose(LinearRegression().fit(X, y).predict(X), lstsq(X, y), atol=1e-9 * np.std(y))


# A column that never varies in the middle, from an issue: its weight was -1.66e36.
SMALL = np.array([[1, 0, 0, 0], [0] * 4, [0] * 4, [0, 0, 1, 1], [0] * 4, [0, 0, 1, 0], [0] * 4], float)
SMALL_Y = np.array([5.5, 5.6, 5.2, 6.7, 6.3, 7.0, 6.9])


@pytest.mark.filterwarnings("ignore::numpy.exceptions.RankWarning")
@every("value", [0.0, 1.0, 1990.0, 0.1, 1e9 / 3, -1e-300])
@every("copies", [1, 3000])
def test_a_column_that_never_varies_has_weight_0_in_any_place(value, copies):
    others, y = np.tile(SMALL[:, [0, 2, 3]], (copies, 1)), np.tile(SMALL_Y, copies)
    without = LinearRegression().fit(others, y)
    for place in range(4):
        model = LinearRegression().fit(np.insert(others, place, value, axis=1), y)
        assert model.coef_[place] == 0.0
        assert_allclose(np.delete(model.coef_, place), without.coef_, rtol=1e-12)


@pytest.mark.filterwarnings("ignore::numpy.exceptions.RankWarning")
@pytest.mark.parametrize("rows", [3, 40_000])
def test_what_varies_between_blocks_alone_varies(rows):
    X = np.column_stack([np.arange(2.0 * rows), np.repeat([7.0, 8.0], rows)])
    y = X @ [1.0, 100.0]
    blocks = [(X[:rows], y[:rows]), (X[rows:], y[rows:])]
    assert_allclose(LinearRegression().fit_blocks(blocks).coef_, [1, 100], rtol=1e-9)
    left, right = Summary(), Summary()
    left.update(*blocks[0])
    right.update(*blocks[1])
    assert_allclose((left + right).solve().coef[:, 0], [1, 100], rtol=1e-9)


KINDS = ("constant", "zero", "doubled", "sum", "rare", "dummy", "count", "skewed", "moved")


@st.composite
def designs(draw):
    """Rows and targets whose columns are of every kind that tables have, in any place."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, p = draw(st.integers(3, 60) | st.integers(60, 3000)), draw(st.integers(1, 9))
    columns = []
    for kind in draw(st.lists(st.sampled_from(KINDS), min_size=p, max_size=p)):
        column = {
            "constant": lambda: np.full(n, rng.choice([1.0, 1990.0, 0.1, 1e5 / 3])),
            "zero": lambda: np.zeros(n),
            "doubled": lambda: rng.choice([1.0, 2.0, -3.5]) * (columns[-1] if columns else np.ones(n)),
            "sum": lambda: sum(columns, np.zeros(n)),
            "rare": lambda: (np.arange(n) == rng.integers(n)).astype(float),
            "dummy": lambda: (rng.random(n) < rng.choice([0.05, 0.5])).astype(float),
            "count": lambda: rng.poisson(3, n).astype(float),
            "skewed": lambda: np.exp(rng.standard_normal(n)),
            "moved": lambda: rng.standard_normal(n) * 10.0 ** rng.integers(-3, 4) + rng.choice([0, 1, 1e3]),
        }[kind]()
        columns.append(column)
    X = np.column_stack(columns)[:, rng.permutation(p)]
    targets = draw(st.sampled_from([1, 3]))
    deviation = X.std(axis=0)
    y = (X - X.mean(axis=0)) / np.where(deviation > 0, deviation, 1) @ rng.standard_normal((p, targets))
    y += rng.standard_normal((n, targets)) + rng.choice([0, 5, 100])
    weight = rng.choice([0.5, 1, 3], n) if draw(st.booleans()) else None
    X = np.asfortranarray(X) if draw(st.booleans()) else X
    return X, y if targets > 1 else y[:, 0], weight, draw(st.booleans())


@pytest.mark.filterwarnings("ignore::numpy.exceptions.RankWarning")
@settings(max_examples=100, deadline=None)
@given(designs())
@example((SMALL, SMALL_Y, None, True))
@example((np.tile(SMALL, (3000, 1)), np.tile(SMALL_Y, 3000), None, True))
@example((SMALL, np.column_stack([SMALL_Y] * 3), np.arange(1.0, 8.0), False))
def test_any_design_is_fitted_as_lapack_does_and_every_scheme_holds_its_bound(design):
    X, y, weight, fit_intercept = design
    model = LinearRegression(fit_intercept).fit(X, y, weight)
    predicted = model.predict(X)
    # A sum with 33,333 is rounded by 1e-11 of what it varies by.
    assert_allclose(predicted, lstsq(X, y, weight, fit_intercept, 1e-9), atol=1e-5 * np.std(y), rtol=0)
    for scheme in ("per-channel", "per-tensor", "integer"):
        small = QuantizedLinear.from_linear(model, X, scheme)
        assert (np.abs(small.predict(X) - predicted) <= small.error_bound(X)).all()


@pytest.mark.parametrize("exponent", [-700, -300, 0, 300, 600])
def test_the_unit_of_weights_changes_nothing(exponent):
    X, y = normal(60)
    weight = np.random.default_rng(1).integers(1, 9, 60) / 8
    expected = LinearRegression().fit(X, y, weight)
    found = LinearRegression().fit(X, y, np.ldexp(weight, exponent))
    assert_allclose(found.coef_, expected.coef_, rtol=1e-15)
    assert_allclose(found.intercept_, expected.intercept_, rtol=1e-15)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 400), max_size=5), seed=st.integers(0, 1000))
def test_the_factor_of_few_rows_does_not_depend_on_the_cuts(cuts, seed):
    X, y = normal(400, seed=seed)
    whole, cut = summary_of(X, y).solve(), summary_of(X, y, sorted(cuts)).solve()
    assert_array_equal(cut.coef, whole.coef)
    assert_array_equal(cut.intercept, whole.intercept)


def test_rows_that_came_one_by_one_are_summed_up():
    X, y = normal(3000, 5.0, columns=8)
    summary = summary_of(X, y, range(1, 3000))
    assert_allclose(summary.solve().coef, summary_of(X, y).solve().coef, rtol=1e-11)
    assert len(pickle.dumps(summary)) < 1000 * 9 * 8  # and not 3000 rows of 9 numbers


def test_who_writes_to_a_block_afterwards_changes_nothing():
    X, y = normal(50)
    summary, expected = Summary(), summary_of(X, y).solve().coef
    block = X.copy()
    summary.update(block, y)
    block[:] = 0
    assert_array_equal(summary.solve().coef, expected)


@pytest.mark.parametrize("scale", [1e200, 1e-200, 1e-300])
def test_many_rows_of_extreme_size_lose_nothing(scale):
    X, y = normal()
    assert_allclose(LinearRegression().fit(X * scale, y).predict(X * scale), lstsq(X, y), atol=1e-12)


def test_many_rows_whose_range_is_beyond_double_precision_are_refused():
    X, y = normal()
    with pytest.raises(HousingError, match="a column exceeds the range of double precision: rescale it"):
        LinearRegression().fit(X * 3e307, y)


@pytest.mark.parametrize("size", [1e-9, 1e-12])
@pytest.mark.parametrize("n", [60, 40_000])
def test_columns_that_differ_by_more_than_rounding_are_told_apart_of_few_rows(size, n):
    X, _ = normal(n)
    X[:, 2] = X[:, 1] + size * X[:, 2]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rank = LinearRegression().fit(X, X[:, 0]).rank_
    # Of many rows the rounding of their sums hides a difference of 1e-12; what is said is what is done.
    assert rank == (3 if n == 60 or size > 1e-10 else 2)
    assert bool(caught) == (rank < 3)


@pytest.mark.filterwarnings("ignore::numpy.exceptions.RankWarning")
@pytest.mark.parametrize("n", [60, 40_000])
def test_full_rank_beside_a_large_mean_is_full_rank(n):
    # Dates beside columns that are nearly equal: the rounding of the dates is no reason to merge the others.
    X, y = normal(n)
    X[:, 1] = X[:, 0] + 1e-5 * X[:, 1]
    X[:, 2] = 1.7e9 + X[:, 2].round(3)
    assert LinearRegression().fit(X, y).rank_ == 3


@pytest.mark.parametrize("means", [(0.0, 0.0), (0.0, 1e8), (1e8, 0.0)])
def test_merging_equals_one_summary(means):
    parts = [normal(mean=m, seed=i) for i, m in enumerate(means)]
    merged = summary_of(*parts[0]) + summary_of(*parts[1])
    whole = summary_of(*(np.concatenate(a) for a in zip(*parts, strict=True)))
    # Where the blocks have different means, these are most of what the columns have in common: κ is 1e8.
    assert_allclose(merged.solve().coef, whole.solve().coef, rtol=1e-12 if means[0] == means[1] else 1e-6)
    assert merged.rows == 40000


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


def partly_bad(n):
    rows = np.column_stack([np.ones(n), np.full(n, 4.0)])
    rows[-1, 0] = np.nan
    return rows


@pytest.mark.filterwarnings("ignore::numpy.exceptions.RankWarning")
@pytest.mark.parametrize("n", [5, 40_000])
def test_a_refused_block_leaves_the_summary_as_it_was(n):
    X, y = normal(50, columns=2)
    X[:, 1] = 3.0
    summary, expected = summary_of(X, y), summary_of(X, y).solve()
    with pytest.raises(HousingError, match=f"row {50 + n - 1}, column 'x0': nan"):
        summary.update(partly_bad(n), np.zeros((n, 1)))
    found = summary.solve()
    assert summary.rows == 50
    assert_array_equal(found.unit_stderr(), expected.unit_stderr())
    assert found.coef[1, 0] == 0.0


def test_a_refused_first_block_fixes_no_columns():
    summary = Summary()
    with pytest.raises(HousingError, match="nan"):
        summary.update(partly_bad(5), np.zeros(5))
    summary.update(*normal(50, columns=4))
    assert summary.feature_names == ("x0", "x1", "x2", "x3")


def test_a_large_mean_costs_leave_one_out_no_digits():
    t = 1.7e9 + np.array([0.0, 1, 2, 3, 4, 5, 6, 7, 20_000])
    y = np.array([0.0, 1, 2, 3, 4, 5, 6, 8, 20_010.5])
    # The line through the first eight rows, in fractions.
    x = [Fraction(int(v)) for v in t]
    mx, my = sum(x[:-1]) / 8, sum(map(Fraction, y[:-1])) / 8
    slope = sum((a - mx) * (Fraction(b) - my) for a, b in zip(x[:-1], y[:-1], strict=True))
    slope /= sum((a - mx) ** 2 for a in x[:-1])
    found = LinearRegression().fit(t[:, None], y).leave_one_out(t[:, None], y)[-1]
    assert_allclose(found, float(my + slope * (x[-1] - mx)), rtol=1e-9)


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_sums_beyond_the_range_warn_of_nothing_in_any_thread(size):
    X = np.random.default_rng(0).choice([-1.0, 1.0], (300_000, 8)) * size
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_allclose(LinearRegression().fit(X, X[:, 0]).coef_, np.eye(8)[0], atol=1e-12)


@pytest.mark.filterwarnings("ignore::numpy.exceptions.RankWarning")
@every("n", [60, 9000])
@every("exponent", [-100, 50, 150, 300])
def test_the_unit_of_weights_does_not_change_the_rank_beside_a_constant(n, exponent):
    a, _ = normal(n, columns=8)
    X = np.column_stack([np.full(n, 0.1), a, a[:, 0] * 2, a[:, 0] + 1e-5 * np.sin(np.arange(n))])
    y = 1e5 * (X[:, 10] - X[:, 1]) + a[:, 7]
    model = LinearRegression().fit(X, y, np.full(n, 10.0**exponent))
    assert model.rank_ == 9
    assert_allclose(model.predict(X), y, atol=1e-6)


@pytest.mark.parametrize(
    "weight", [[1e300, 1, 1, 1, 1e-300, 1e-308], [1e304] * 6, [5e-324] * 6, [1e300, 1e-20, 1e-15, 1e-300, 1e-10, 1]]
)
def test_weights_of_any_size_are_right(weight):
    x, y = np.arange(6.0)[:, None], np.array([1, 3, 5.5, 7, 9, 11])
    relative = np.array(weight) / max(weight)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = LinearRegression().fit(x, y, weight)
    # Of weights so far apart, the rows of the largest decide, and of what these leave open the next ones.
    order = np.argsort(-relative, kind="stable")[:2]
    if relative.min() == 1:
        assert_allclose(model.coef_, np.polyfit(x[:, 0], y, 1)[:1], rtol=1e-13)
    else:
        assert_allclose(model.predict(x[order[:1]]), y[order[:1]], rtol=1e-13)


@pytest.mark.parametrize("value", [1e307, 1.7e308])
def test_a_constant_at_the_end_of_the_range_is_a_constant(value):
    X, y = normal(30_000, columns=2)
    X[:, 0] = value
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", np.exceptions.RankWarning)
        assert LinearRegression().fit(X, y).coef_[0] == 0.0
