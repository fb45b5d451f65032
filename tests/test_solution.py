"""A solution from the factors of small tables, against values computed by hand and in fractions."""

from fractions import Fraction

import numpy as np
import pytest
from cases import every
from numpy.testing import assert_allclose, assert_array_equal

from housing_np.errors import HousingError
from housing_np.fit.doubled import Doubled
from housing_np.fit.factor import Rows, doubled_factor, shifted_factor
from housing_np.fit.solution import _pseudo_inverse, _refined, _rounded, _rows_used, _solved, solve

# Means 2 and 5; Sxx = 14, Sxy = 25, Syy = 46; without an intercept Σx² = 30, Σxy = 65, Σy² = 146.
X, Y = np.array([[0.0], [1.0], [2.0], [5.0]]), np.array([[1.0], [3.0], [6.0], [10.0]])
FACTORS = {"double-double": doubled_factor, "double": lambda rows, intercept: shifted_factor(rows, intercept).scaled()}


def solution(X, y, factor="double-double", fit_intercept=True, weight=None, positive=False):
    varies = np.ptp(np.concatenate([X, y], axis=1), axis=0) > 0
    rows = len(X) if weight is None else float(np.sum(weight))
    weight = None if weight is None else np.asarray(weight, float)
    arguments = FACTORS[factor](Rows(X, y, weight), fit_intercept)
    return solve(*arguments, varies, X.shape[1], rows, len(X), positive)


@pytest.fixture(params=FACTORS)
def line(request):
    return solution(X, Y, request.param)


@pytest.fixture(params=FACTORS)
def ray(request):
    return solution(X, Y, request.param, fit_intercept=False)


def test_a_line(line):
    assert_allclose(line.coef, [[25 / 14]], rtol=1e-14)
    assert_allclose(line.intercept, [5 - 50 / 14], rtol=1e-14)
    assert (line.rows, line.rank, line.distinct, line.tolerance, line.fit_intercept) == (4, 1, True, 0.0, True)


def test_the_sums_of_a_line(line):
    assert_allclose([line.mean, line.target_means.high], [[2], [5]], rtol=1e-15)
    assert_allclose([line.norms, line.total_norm], np.sqrt([[14], [46]]), rtol=1e-14)
    assert_allclose(line.residual_norm, np.sqrt([46 - 625 / 14]), rtol=1e-13)
    assert_allclose(line.unexplained, [1 - 625 / 14 / 46], rtol=1e-12)


def test_the_statistics_of_a_line(line):
    assert_allclose(line.leverage(X), 1 / 4 + np.array([4, 1, 0, 9]) / 14, rtol=1e-14)
    assert_array_equal(line.leverage(X[:0], line.basis(X)), line.leverage(X))
    assert_allclose(line.unit_stderr(), np.sqrt([1 / 4 + 4 / 14, 1 / 14]), rtol=1e-14)
    assert_allclose(np.abs(line.factor), [[1]], rtol=1e-14)
    assert_allclose(line.singular_values, [1], rtol=1e-14)
    assert line.identified().tolist() == [True, True]
    assert line.dependent().tolist() == [False]


def test_a_ray(ray):
    assert_allclose(ray.coef, [[65 / 30]], rtol=1e-14)
    assert (ray.intercept.tolist(), ray.mean.tolist(), ray.target_means.high.tolist()) == ([0.0], [0.0], [0.0])
    assert_allclose([ray.norms, ray.total_norm], np.sqrt([[30], [146]]), rtol=1e-14)
    assert_allclose(ray.residual_norm, np.sqrt([146 - 65 * 65 / 30]), rtol=1e-13)


def test_the_statistics_of_a_ray(ray):
    assert_allclose(ray.leverage(X), X[:, 0] ** 2 / 30, rtol=1e-14, atol=1e-16)
    assert_allclose(ray.unit_stderr(), [np.nan, np.sqrt(1 / 30)], rtol=1e-14)


@pytest.mark.parametrize("factor", FACTORS)
def test_residuals_are_computed_from_the_means(factor):
    found = solution(X, Y, factor)
    expected = Y[:, 0] - (5 - 50 / 14) - X[:, 0] * 25 / 14
    assert_allclose(found.residual(X, Y, found.coef), expected[:, None], rtol=1e-12)
    assert_allclose(found.residual(X, Y[:, 0], found.coef[0]), expected, rtol=1e-12)


def test_the_mean_is_subtracted_to_all_digits():
    found = solution(np.array([[0.1], [0.2], [0.7]]), Y[:3])
    mean = sum(map(Fraction, [0.1, 0.2, 0.7])) / 3
    assert_allclose(found.centred(np.array([[mean]], float)), [[float(Fraction(float(mean)) - mean)]], rtol=1e-9)
    of_target = solution(X[:3], np.array([[0.1], [0.2], [0.7]]))
    residual = of_target.residual(X[1:2], np.array([[mean]], float), of_target.coef)
    assert_allclose(residual, [[float(Fraction(float(mean)) - mean)]], rtol=1e-9)


@pytest.mark.parametrize("factor", FACTORS)
def test_a_weight_counts_as_that_many_rows(factor):
    weighted = solution(X, Y, factor, weight=[1, 2, 1, 3])
    repeated = solution(np.repeat(X, [1, 2, 1, 3], axis=0), np.repeat(Y, [1, 2, 1, 3], axis=0), factor)
    for name in ("coef", "intercept", "rows", "norms", "residual_norm", "total_norm", "mean"):
        assert_allclose(getattr(weighted, name), getattr(repeated, name), rtol=1e-13)
    assert type(weighted.rows) is int
    assert solution(X, Y, factor, weight=[0.5, 1, 1, 1]).rows == 3.5
    kinds = {weight: type(solution(X, Y, factor, weight=[weight] * 4).rows) for weight in (2.0**50, 2.0**51)}
    assert kinds == {2.0**50: int, 2.0**51: float}  # their sums are 2**52 and 2**53


@every("factor", FACTORS)
@every(("x", "y"), [(0, 600), (-500, 0), (300, 300), (-300, 300)])
def test_columns_of_any_size_lose_nothing(factor, x, y):
    found = solution(np.ldexp(X, x), np.ldexp(Y, y), factor)
    assert_allclose(np.ldexp(found.coef, x - y), [[25 / 14]], rtol=1e-14)
    assert_allclose(np.ldexp(found.intercept, -y), [5 - 50 / 14], rtol=1e-14)
    assert_allclose(np.ldexp(found.norms, -x), np.sqrt([14]), rtol=1e-14)
    assert_allclose(np.ldexp(found.residual_norm, -y), np.sqrt([46 - 625 / 14]), rtol=1e-13)
    assert_allclose([np.ldexp(found.mean, -x), np.ldexp(found.target_means.high, -y)], [[2], [5]], rtol=1e-15)


def test_a_coefficient_beyond_float64_is_refused():
    message = "^a coefficient exceeds the range of double precision: rescale the columns$"
    with pytest.raises(HousingError, match=message):
        solution(np.ldexp(X, -600), np.ldexp(Y, 600))


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("place", [0, 1])
def test_a_constant_has_the_weight_0_and_the_norm_1(factor, place):
    found = solution(np.insert(X, place, 0.1, axis=1), Y, factor)
    assert_allclose(found.coef[1 - place], [25 / 14], rtol=1e-13)
    assert (found.coef[place, 0], found.norms[place], found.rank) == (0.0, 1.0, 1)
    assert found.identified().tolist() == [False, *[i != place for i in (0, 1)]]


@pytest.mark.parametrize("factor", FACTORS)
def test_of_two_equal_columns_each_has_half_the_weight(factor):
    found = solution(np.hstack([X, X]), Y, factor)
    assert_allclose(found.coef, [[25 / 28], [25 / 28]], rtol=1e-13)
    assert (found.rank, found.distinct) == (1, True)
    assert found.dependent().tolist() == [True, True]
    assert_allclose(found.unit_stderr(), [np.sqrt(1 / 4 + 4 / 14), np.nan, np.nan], rtol=1e-13)
    assert_allclose(found.leverage(np.hstack([X, X])), 1 / 4 + np.array([4, 1, 0, 9]) / 14, rtol=1e-13)


@pytest.mark.parametrize("factor", FACTORS)
def test_weights_of_any_size_identify_the_same(factor):
    x = np.array([[-1.0], [0.0], [0.0], [1.0]])
    pairs = (
        (np.hstack([X, 0 * X + 7]), [False, True, False]),
        (np.hstack([x, 2.0**-40 - x]), [False, False, False]),  # the mean of their sum is not 0
        (np.hstack([X, X]), [True, False, False]),
    )
    for weight in (2.0**-60, 1.0, 2.0**60):
        found = [solution(columns, Y, factor, weight=[weight] * 4).identified().tolist() for columns, _ in pairs]
        assert found == [expected for _, expected in pairs]


@pytest.mark.parametrize("factor", FACTORS)
def test_statistics_overflow_without_a_warning(factor):
    found = solution(X, Y, factor, weight=[2.0**-1040] * 4).unit_stderr()
    assert_allclose(np.ldexp(found[1], -520), 14**-0.5, rtol=1e-12)
    assert found[0] == np.inf  # it squares 2 * 2**520 / sqrt(14)


@pytest.mark.parametrize("factor", FACTORS)
def test_a_column_is_known_to_as_many_digits_as_centring_leaves(factor):
    for mean in (3.0, 2.0**20):
        column = mean + np.array([[-1.0], [0.0], [1.0]])
        found = solution(np.hstack([column, column]), Y[:3], factor)
        assert_allclose(found.tolerance, 2**0.5 * 2**-52 * np.hypot(1, 3**0.5 * mean / 2**0.5), rtol=1e-12)
        assert solution(0 * column + mean, Y[:3], factor).tolerance == 2**-52


def test_several_targets_are_solved_at_once():
    found = solution(X, np.hstack([Y, 3 * X + 1, 0 * X + 7]))
    assert_allclose(found.coef, [[25 / 14, 3, 0]], rtol=1e-13)
    assert_allclose(found.intercept, [5 - 50 / 14, 1, 7], rtol=1e-13)
    assert found.coef[0, 2] == 0.0
    assert_allclose(found.total_norm, np.sqrt([46, 126, 0]), rtol=1e-13)
    assert_allclose(found.residual_norm, [np.sqrt(46 - 625 / 14), 0, 0], atol=1e-14)


def test_of_a_constant_target_no_share_is_unexplained_or_explained():
    assert np.isnan(solution(X, 0 * X + 7).unexplained).all()


def test_an_intercept_that_is_only_rounding_is_0():
    assert solution(X, X).intercept.tolist() == [0.0]
    columns = np.float64(np.float32(np.arange(1, 13).reshape(6, 2) ** 3 / 7))  # whose sums are exact
    assert solution(columns, columns @ [[1.0], [1.0]]).intercept.tolist() == [0.0]


def test_what_is_rounding_of_one_targets_intercept_is_not_of_anothers():
    x, z = np.array([-1.0, 0, 0, 1]), np.array([0.0, 1, -1, 0])
    # On 1 + z / 2**30 the first has the weight 2**30; the second has none.
    found = solution(np.column_stack([x, 1 + z / 2**30]), np.column_stack([z, x + [0, 2.0**-60, 2.0**-60, 0]]))
    assert_allclose(found.coef, [[0, 1], [2.0**30, 0]], atol=1e-15)
    assert_allclose(found.intercept, [-(2.0**30), 2.0**-61], rtol=1e-14)


def test_what_is_at_most_rounding_of_its_terms_is_0():
    sums, size = np.array([2.0**-80, -(2.0**-80), 2.0**-79, -(2.0**-79)]), np.ones(4)
    assert _rounded(sums, size).tolist() == [0.0, 0.0, 2.0**-79, -(2.0**-79)]
    assert _rounded(Doubled(sums), 2 * size).tolist() == [0.0] * 4


def test_a_weight_that_is_only_rounding_is_0():
    # Of design x = [1 + rest, 1], x is [rest, 1], and the terms of `rest` are 1 and -1.
    design, inverse = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[1.0, -1.0], [0.0, 1.0]])
    for rest, left in ((2.0**-79, 0.0), (2.0**-78, 2.0**-78)):
        x, _ = _solved(Doubled(design), inverse, Doubled(np.ones((2, 1)), np.array([[rest], [0.0]])))
        assert x.high.tolist() == [[left], [1.0]]


def test_rows_behind_the_last_that_is_not_0_are_not_used():
    factor = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [0.0, 0.0, 4.0], [0.0, 0.0, 0.0]])
    assert_array_equal(_rows_used(factor), factor[:3])
    assert_array_equal(_rows_used(0 * factor), 0 * factor[:1])


HILBERT = [[Fraction(1, i + j + 1) for j in range(6)] for i in range(6)]


def test_an_inverse_is_refined_to_all_digits():
    upper = np.triu(np.array(HILBERT, float)) + np.eye(6) * 1e-3
    exact = inverse_of([[Fraction(v) for v in row] for row in upper])
    rough = np.linalg.inv(upper) * (1 + 1e-6)
    assert_allclose(_refined(Doubled(upper), rough), exact, rtol=1e-15)
    assert_allclose(_refined(Doubled(np.ldexp(upper, 20)), np.ldexp(rough, -20)), np.ldexp(exact, -20), rtol=1e-15)
    assert _refined(upper, rough) is rough


def test_refinement_that_does_not_converge_ends():
    one, three = np.eye(1), 3 * np.eye(1)
    assert _refined(Doubled(one), three).tolist() == [[-3.0]]  # the next step would be 12, after one of -6
    with np.errstate(over="ignore", invalid="ignore"):
        assert _refined(Doubled(one), 1e200 * one).tolist() == [[1e200]]
    assert [each.tolist() for each in _solved(one, 2 * one, one)] == [[[2.0]], [[-1.0]]]


def inverse_of(rows):
    """The inverse of an upper triangular matrix of fractions."""
    n = len(rows)
    found = [[Fraction(0)] * n for _ in range(n)]
    for j in range(n):
        for i in reversed(range(j + 1)):
            rest = Fraction(i == j) - sum(rows[i][k] * found[k][j] for k in range(i + 1, j + 1))
            found[i][j] = rest / rows[i][i]
    return np.array(found, float)


@pytest.mark.parametrize("kind", [np.asarray, Doubled])
def test_a_system_is_solved_by_refinement(kind):
    design = np.array([[1.0, 0.5], [0.0, 0.25]])
    for unit in (1.0, 2.0**-60):
        x, rest = _solved(kind(design), np.linalg.inv(design) * (1 + 1e-5), kind(np.array([[2.0], [1.0]]) * unit))
        x, rest = (each.high if kind is Doubled else each for each in (x, rest))
        assert_allclose(x / unit, [[0.0], [4.0]], atol=1e-15)
        assert_allclose(rest / unit, [[0.0], [0.0]], atol=1e-15)


@pytest.mark.parametrize(
    ("smallest", "rank", "distinct"),
    [(1.0, 2, True), (1e-9, 2, True), (1e-11, 2, False), (3e-12, 2, False), (1e-12, 1, True), (3e-13, 1, True)],
)
def test_a_singular_value_that_rounding_can_make_of_0_counts_as_0(smallest, rank, distinct):
    # A limit of 1e-12, and of ten times it for what is clear.
    design = np.diag([1.0, smallest])
    inverse, found, tolerance, is_clear = _pseudo_inverse(design, np.zeros(2), 1e-12)
    assert (found, is_clear) == (rank, distinct)
    assert_allclose(inverse, np.diag([1.0, 1 / smallest if rank == 2 else 0.0]), rtol=1e-12)
    assert tolerance == pytest.approx(0.0 if smallest > 1e-10 else 1e-12)


def test_rounding_of_a_column_is_a_limit_for_what_points_along_it():
    design = np.diag([1.0, 1e-9])
    assert _pseudo_inverse(design, np.array([1e-8, 0.0]), 0.0)[1:] == (2, 1e-8, True)
    assert _pseudo_inverse(design, np.array([0.0, 1e-8]), 0.0)[1:] == (1, 1e-8, True)


def test_no_part_is_taken_for_rounding_beyond_2_to_the_minus_20():
    assert _pseudo_inverse(np.diag([1.0, 9e-6]), np.array([0.0, 1.0]), 0.0)[1:] == (2, 2.0**-20, False)


def test_sums_of_many_rows_round_no_more_than_2_to_the_minus_33():
    assert _pseudo_inverse(np.diag([2.0, 1e-7]), np.zeros(2), 1.0)[1:3] == (2, 2.0**-32)


def test_in_double_double_what_depends_leaves_nothing():
    for smallest, clear in ((1e-40, [True, True]), (2.0**-104, [True, True]), (1e-20, [True, False])):
        design = np.diag([1.0, smallest])
        assert [_pseudo_inverse(kind(design), np.zeros(2), 1e-12)[3] for kind in (np.asarray, Doubled)] == clear


def test_each_target_has_its_own_residual():
    # Of the squares of y Sxy = 289 and Syy = 6049.
    found = solution(X, np.hstack([Y, Y**2]))
    assert_allclose(found.residual_norm, np.sqrt([46 - 25**2 / 14, 6049 - 289**2 / 14]), rtol=1e-12)


@pytest.mark.parametrize("slope", [0.0, 2.0**-70])
def test_a_weight_is_positive_however_small_it_is(slope):
    pytest.importorskip("scipy")
    x, y = np.array([[-1.0], [0.0], [0.0], [1.0]]), np.array([[-slope], [1.0], [-1.0], [slope]])
    assert_allclose(solution(x, y, positive=True).coef, [[slope]], rtol=1e-14)
