"""The steps to a triangular factor, against NumPy's products and QR on the same rows."""

import numpy as np
import pytest
from cases import every
from numpy.testing import assert_allclose, assert_array_equal

from housing_np.fit.factor import (
    LARGE_MEAN,
    Rows,
    Shifted,
    _Block,
    _cholesky,
    _cholesky_qr,
    _householder,
    doubled_factor,
    shifted_factor,
    varying,
)

RNG = np.random.default_rng(0)
SMALL = Rows(np.array([[1, 2], [3, 4], [5, 6]]), np.array([[7.0], [8.0], [9.0]]), np.array([1.0, 0.0, 2.0]))


def rows_of(n, p, k=1, weighted=False, seed=0):
    rng = np.random.default_rng(seed)
    return Rows(rng.normal(size=(n, p)), rng.normal(size=(n, k)), rng.uniform(0.5, 2, n) if weighted else None)


def matrix(rows, shift, fit_intercept):
    """The rows that a block factors: [1, X - shift, y - shift] times the roots of the weights."""
    A = np.concatenate([rows.X, rows.y], axis=1) - shift
    A = np.column_stack([np.ones(len(A)), A]) if fit_intercept else A
    return A if rows.weight is None else A * np.sqrt(rows.weight)[:, None]


def assert_factor(R, A, rtol=1e-10):
    assert_array_equal(R, np.triu(R))
    norms = np.linalg.norm(A, axis=0)
    assert_allclose(R.T @ R / np.outer(norms, norms), A.T @ A / np.outer(norms, norms), atol=rtol)


def test_some_rows_keep_their_weights():
    found = SMALL.at(slice(1, None))
    assert [each.tolist() for each in found] == [[[3, 4], [5, 6]], [[8.0], [9.0]], [0.0, 2.0]]
    assert Rows(SMALL.X, SMALL.y).at(slice(1)).weight is None


def test_columns_are_those_of_both_in_double_precision():
    assert_array_equal(SMALL.columns(), [[1.0, 2, 7], [3, 4, 8], [5, 6, 9]], strict=True)


def test_rows_of_no_weight_do_not_count():
    found = SMALL.counted()
    assert [each.tolist() for each in found] == [[[1, 2], [5, 6]], [[7.0], [9.0]], [1.0, 2.0]]


@pytest.mark.parametrize(("weight", "count"), [([1.0, 1, 1], 3), ([1.0, 0, 1], 2)])
def test_weights_of_1_are_none(weight, count):
    found = SMALL._replace(weight=np.array(weight)).counted()
    assert (len(found.X), len(found.y), found.weight) == (count, count, None)


def test_rows_whose_weights_all_count_are_not_copied():
    rows = SMALL._replace(weight=np.array([1.0, 2.0, 3.0]))
    assert rows.counted() is rows


def test_rows_without_weights_count_once_beside_others():
    found = Rows.joined([SMALL, Rows(SMALL.X[:1], SMALL.y[:1])])
    assert found.weight.tolist() == [1.0, 0.0, 2.0, 1.0]
    assert (found.X.tolist(), found.y.tolist()) == ([[1, 2], [3, 4], [5, 6], [1, 2]], [[7.0], [8.0], [9.0], [7.0]])
    assert Rows.joined([Rows(SMALL.X, SMALL.y)] * 2).weight is None


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_sum_is_the_factor_of_the_rows_of_both(fit_intercept):
    parts = rows_of(30, 2), rows_of(20, 2, seed=1)
    shift = np.array([0.5, 0.0, 2.0]) * fit_intercept
    left, right = (
        Shifted(np.linalg.qr(matrix(rows, each, fit_intercept), mode="r"), each)
        for rows, each in zip(parts, (shift, 3 * shift), strict=True)
    )
    total = left + right
    assert_array_equal(total.shift, shift)
    assert_factor(total.R, matrix(Rows.joined(parts), shift, fit_intercept))
    assert left.about(shift) is left.R


def test_about_another_shift_only_the_sums_change():
    rows = rows_of(30, 2)
    shift, other = np.array([0.5, 0.0, 2.0]), np.array([-1.0, 3.0, 2.0])
    before = Shifted(np.linalg.qr(matrix(rows, shift, True), mode="r"), shift)
    kept = before.R.copy()
    found = before.about(other)
    assert_factor(found, matrix(rows, other, True))
    assert_array_equal(found[1:], kept[1:])
    assert_array_equal(before.R, kept)


@pytest.mark.parametrize("m", [2, 3])
def test_scaled_columns_are_of_ordinary_size(m):
    R = np.ldexp(np.triu(np.full((m, m), 0.75)), [0, *[40, -30][: m - 1]] if m == 3 else [40, -30])
    found, unit, exponent, shift = Shifted(R, np.array([0.0, 2.0**-28])).scaled()
    # 0.75 · 2⁴⁰ and 2⁻²⁸, which is more than 0.75 · 2⁻³⁰.
    assert (unit.tolist(), exponent, shift.tolist()) == ([40, -27], 0, [0.0, 2.0**-28])
    assert_array_equal(found, np.ldexp(R, [0, -40, 27] if m == 3 else [-40, 27]))


@pytest.mark.parametrize("place", [0, 1, 63, 64, 4999])
def test_one_other_value_in_any_row_varies(place):
    X, y = np.full((5000, 2), 0.1), np.full((5000, 2), 7.0)
    X[place, 1] += 1
    y[place, 0] += 1
    varies, first = varying(Rows(X, y), np.zeros(0, bool))
    assert varies.tolist() == [False, True, True, False]
    assert first.tolist() == [*X[0], *y[0]]


def test_a_column_that_is_known_to_vary_does_and_what_is_known_is_not_changed():
    known = np.array([True, False, False])
    assert varying(SMALL._replace(X=np.ones((3, 2))), known)[0].tolist() == [True, False, True]
    assert known.tolist() == [True, False, False]


SHIFT = np.array([0.5, -1.0, 0.0, 2.0])


@every("weighted", [False, True])
@every("fit_intercept", [True, False])
@every("shift", [SHIFT, SHIFT * [0, 0, 0, 1]])
@every("n", [50, 20_000])
def test_a_gram_matrix_is_that_of_the_shifted_rows(n, shift, fit_intercept, weighted):
    rows = rows_of(n, 3, weighted=weighted)
    block, A = _Block(rows, shift, fit_intercept), matrix(rows, shift, fit_intercept)
    inverse = np.triu(np.random.default_rng(1).normal(size=(A.shape[1],) * 2))
    size = np.trace(A.T @ A)
    assert_allclose(block.gram(), A.T @ A, atol=1e-13 * size)
    assert_allclose(block.gram(inverse), (A @ inverse).T @ (A @ inverse), atol=1e-11 * size)
    assert_factor(block.householder(), A)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shifted", [0.0, 1.0])
def test_a_gram_matrix_of_wide_rows_is_that_of_the_shifted_rows(weighted, shifted):
    rows, shift = rows_of(9000, 30, 2, weighted), shifted * np.arange(32.0)
    block, A = _Block(rows, shift, True), matrix(rows, shift, True)
    assert_allclose(block.gram(), A.T @ A, atol=1e-12 * np.trace(A.T @ A))
    assert_factor(block.householder(), A)


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_rows_of_other_types_are_multiplied_in_double_precision(dtype):
    rows = Rows(np.array([[2**30 + 1], [3]], dtype), np.array([[1.0], [2.0]]))
    expected = float(rows.X[0, 0]) ** 2 + 9
    assert _Block(rows, np.zeros(2), False).gram()[0, 0] == expected


def test_a_column_of_the_shift_alone_is_0_once_it_is_shifted():
    block = _Block(Rows(np.array([[0.5, 1], [0.5, 2]]), np.array([[2.0, 3], [2, 4]])), np.array([0.5, 1, 2, 3]), True)
    assert [block.is_shift(i) for i in range(1, 5)] == [True, False, True, False]


@pytest.mark.parametrize("scale", [1.0, 1e-100, 1e100])
def test_a_cholesky_factor_has_its_inverse_and_its_growth(scale):
    A = rows_of(50, 2).columns() * [1.0, scale, scale]
    R, inverse, growth = _cholesky(A.T @ A, slice(0, 2))
    assert_factor(R, A)
    assert_allclose(R @ inverse, np.eye(3), atol=1e-12)
    assert 1.0 <= growth < 1.2


def test_rounding_grows_by_the_variance_inflation_of_the_features():
    # Of a correlation r between two features it is 1 / (1 - r²); of a target 1 / (1 - R²), which counts 2⁻¹³ of it.
    gram = np.array([[4.0, 1.2, 0.0], [1.2, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert _cholesky(gram, slice(0, 2))[2] == pytest.approx(1 / (1 - 0.36))
    r = 1 - 1e-6
    target = np.array([[1.0, 0.0, r], [0.0, 1.0, 0.0], [r, 0.0, 1.0]])
    assert _cholesky(target, slice(0, 2))[2] == pytest.approx(1 / (1 - r * r) / 2**13, rel=1e-6)


def test_a_column_of_zeros_has_the_factor_of_the_identity():
    R, inverse, growth = _cholesky(np.diag([4.0, 0.0, 9.0]), slice(0, 2))
    assert_allclose(R, np.diag([2.0, 1.0, 3.0]))
    assert_allclose(inverse, np.diag([0.5, 1.0, 1 / 3]))
    assert growth == 1.0


@pytest.mark.parametrize(
    "gram",
    [
        np.diag([1.0, np.inf]),
        np.diag([1.0, np.nan]),
        np.diag([1.0, 2.0**-902]),
        np.array([[1.0, 2.0], [2.0, 1.0]]),
        np.ones((2, 2)),
    ],
)
def test_no_factor_is_better_than_an_unsafe_one(gram):
    assert _cholesky(gram, slice(0, 1)) is None


def test_a_norm_of_2_to_the_minus_450_is_safe():
    assert _cholesky(np.diag([1.0, 2.0**-900]), slice(0, 1)) is not None


def correlated(size):
    rows = rows_of(2000, 3)
    return rows._replace(X=rows.X[:, :1] + size * rows.X)


@pytest.mark.parametrize(("size", "is_safe"), [(1.0, True), (1e-2, True), (1e-4, True), (1e-8, False)])
def test_a_factor_by_cholesky_is_right_or_none(size, is_safe):
    rows = correlated(size)
    block = _Block(rows, np.zeros(4), True)
    R = _cholesky_qr(block, block)
    assert (R is not None) == is_safe
    if is_safe:
        assert_factor(R, matrix(rows, np.zeros(4), True), 1e-13)


@pytest.mark.parametrize("size", [1.0, 1e-2, 1e-4])
def test_a_sample_that_shows_dependence_saves_a_pass(monkeypatch, size):
    monkeypatch.setattr("housing_np.fit.factor._STRETCH", 5000)
    rows, counted, gram = correlated(size), [], _Block.gram
    monkeypatch.setattr(_Block, "gram", lambda self, *given: counted.append(self.rows is rows) or gram(self, *given))
    found = shifted_factor(rows, True)
    assert sum(counted) == 1
    assert_factor(found.R, matrix(rows, found.shift, True))


def test_a_column_that_is_its_shift_is_0_in_the_factor():
    rows = rows_of(2000, 3)
    rows.X[:, 1] = 0.1
    shift = np.array([0.0, 0.1, 0.0, 0.0])
    block = _Block(rows, shift, True)
    R = _cholesky_qr(block, block)
    assert not R[:, 2].any()
    assert_allclose(R.T @ R, matrix(rows, shift, True).T @ matrix(rows, shift, True), atol=1e-9)


def test_a_column_whose_squares_are_0_is_not_taken_for_0():
    rows = rows_of(2000, 3)
    rows.X[:, 1] = 1e-200
    block = _Block(rows, np.zeros(4), True)
    assert _cholesky_qr(block, block) is None


def test_a_householder_factor_of_fewer_rows_than_columns_ends_with_zeros():
    A = rows_of(3, 4).columns()
    R = _householder([A[:1], A[1:]])
    assert R.shape == (5, 5)
    assert not R[3:].any()
    assert_factor(R, A)


@pytest.mark.parametrize(("n", "step"), [(1000, 1), (3000, 2), (5000, 4)])
def test_the_means_are_guessed_from_about_a_thousand_rows(n, step):
    rows = rows_of(n, 2)
    assert_allclose(shifted_factor(rows, True).shift[2], rows.y[::step].mean(), rtol=1e-12)


@pytest.mark.parametrize(("mean", "is_shifted"), [(0.9 * LARGE_MEAN, False), (1.1 * LARGE_MEAN, True)])
def test_features_are_shifted_where_a_mean_is_large(mean, is_shifted):
    rows = rows_of(3000, 2)
    rows.X[:, 1] += mean
    found = shifted_factor(rows, True)
    assert (found.shift[:2] != 0).tolist() == [is_shifted] * 2
    if is_shifted:
        assert_allclose(found.shift[:2], [0.0, mean], atol=0.2)
    assert_allclose(found.shift[2], 0.0, atol=0.2)
    assert_factor(found.R, matrix(rows, found.shift, True))


def test_a_constant_is_shifted_by_itself():
    rows = rows_of(3000, 2)
    rows.X[:, 1] = 0.1
    found = shifted_factor(rows, True)
    assert found.shift[1] == 0.1
    assert not found.R[:, 2].any()


def test_without_an_intercept_nothing_is_shifted():
    rows = rows_of(3000, 2)._replace(X=rows_of(3000, 2).X + 100)
    found = shifted_factor(rows, False)
    assert found.shift.tolist() == [0.0, 0.0, 0.0]
    assert_factor(found.R, rows.columns())


def test_a_sample_that_is_not_finite_shifts_nothing():
    rows = rows_of(3000, 2)
    rows.X[0] = np.inf
    found = shifted_factor(rows, True)
    assert found.shift[:2].tolist() == [0.0, 0.0]
    assert not np.isfinite(found.R).all()


@every("fit_intercept", [True, False])
@every("weight", [None, [2.0, 0.5, 1.0, 3.0, 1.0], [2.0**600] * 5, [2.0**-601] * 5])
def test_a_factor_in_double_double_is_that_of_the_scaled_rows(weight, fit_intercept):
    rows = rows_of(5, 2)._replace(weight=None if weight is None else np.array(weight))
    rows.X[:, 1] *= 2.0**40
    R, unit, exponent, shift = doubled_factor(rows, fit_intercept)
    assert shift.tolist() == [0.0, 0.0, 0.0]
    largest = np.abs(rows.columns()).max(axis=0) / 2.0**unit
    assert ((largest >= 0.5) & (largest < 1)).all()
    columns = rows.columns() / 2.0**unit
    A = np.column_stack([np.ones(5), columns]) if fit_intercept else columns
    root = np.ones(5) if weight is None else np.sqrt(np.ldexp(rows.weight, -2 * exponent))
    assert_factor(R.high, A * root[:, None], 1e-14)
    assert 0.25 <= root.max() <= 4
    assert weight is not None or exponent == 0


def test_a_column_of_which_only_rounding_is_left_has_a_row_of_0():
    x = np.array([[0.1], [0.3], [0.7], [0.2]])
    R, *_ = doubled_factor(Rows(np.hstack([x, 2 * x]), x**2), True)
    assert not R.high[2].any()
    assert R.high[3, 3] != 0


def test_fewer_rows_than_columns_have_no_more_rows_in_double_double():
    R, *_ = doubled_factor(rows_of(2, 4), True)
    assert not R.high[2:].any()
    assert (np.diag(R.high)[:2] > 0).all()
