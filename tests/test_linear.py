"""LinearRegression against published values and exact arithmetic."""

import re
import subprocess
import sys
import warnings
from fractions import Fraction

import numpy as np
import pytest
from cases import every
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from reference_sets import reference_sets

from housing_np.errors import HousingError
from housing_np.fit.linear import LinearRegression
from housing_np.fit.products import dot_rows
from housing_np.fit.summary import Summary

SETS = {each.name: each for each in reference_sets()}
# Filip's powers of degree 10 are rounded before the fit sees them: no fit to them can be closer to the certified one.
CERTIFIED_DIGITS = {name: 1e-7 if name == "Filip" else 1e-13 for name in SETS}


def exact_fit(X, y):
    """Intercept and coefficients in rational arithmetic, by elimination in the normal equations."""
    rows = [[Fraction(1), *map(Fraction, map(float, row))] for row in X]
    targets = [Fraction(float(t)) for t in y]
    q = len(rows[0])
    system = [
        [sum(r[i] * r[j] for r in rows) for j in range(q)] + [sum(r[i] * t for r, t in zip(rows, targets, strict=True))]
        for i in range(q)
    ]
    for i in range(q):
        pivot = next(j for j in range(i, q) if system[j][i])
        system[i], system[pivot] = system[pivot], system[i]
        system[i] = [v / system[i][i] for v in system[i]]
        for j in range(q):
            if j != i:
                system[j] = [a - system[j][i] * b for a, b in zip(system[j], system[i], strict=True)]
    return np.array([float(row[-1]) for row in system])


def unknowns(model):
    return np.append(model.intercept_, model.coef_)


@every("name", SETS)
def test_coefficients_have_the_certified_digits(name):
    data = SETS[name]
    model = LinearRegression(data.intercept).fit(data.X, data.y)
    found = unknowns(model) if data.intercept else model.coef_
    assert_allclose(found, data.certified, rtol=CERTIFIED_DIGITS[name])


@every("name", SETS)
def test_standard_errors_have_the_certified_digits(name):
    data = SETS[name]
    summary = LinearRegression(data.intercept).fit(data.X, data.y).summary()
    assert_allclose(summary.stderr, data.stderr, rtol=CERTIFIED_DIGITS[name], atol=0 if data.stderr.any() else 1e-15)


def test_longley_residuals_have_the_certified_digits():
    summary = LinearRegression().fit(SETS["Longley"].X, SETS["Longley"].y).summary()
    assert_allclose(summary.residual_std, [304.854073561965], rtol=1e-13)
    assert_allclose(summary.r2, [0.995479004577296], rtol=1e-13)


def test_rounded_powers_of_degree_10_are_fitted_as_given():
    x = np.linspace(-9, -3, 82)
    X, y = x[:, None] ** np.arange(1, 11), np.sin(x)
    assert_allclose(unknowns(LinearRegression().fit(X, y)), exact_fit(X, y), rtol=1e-14)


@pytest.mark.matrix("noise")
@every("exponent", range(6, 14))
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_nearly_equal_columns_are_told_apart(exponent, noise):
    rng = np.random.default_rng(exponent)
    X = rng.normal(size=(30, 3))
    X[:, 2] = X[:, 0] + 10.0**-exponent * X[:, 2]
    y = X @ [1.0, 2.0, 3.0] + 3 + noise * rng.normal(size=30)
    assert_allclose(unknowns(LinearRegression().fit(X, y)), exact_fit(X, y), rtol=1e-14)


# What 106 bits leave beside a weight that is 1e17 times larger in scaled columns: the intercept of degree 15.
@pytest.mark.parametrize(("degree", "digits"), [(11, 14), (12, 14), (15, 11)])
def test_powers_of_integers_are_told_apart(degree, digits):
    X = np.arange(21.0)[:, None] ** np.arange(1, degree + 1)
    y = X.sum(axis=1) + 1
    assert_allclose(unknowns(LinearRegression().fit(X, y)), exact_fit(X, y), rtol=10.0**-digits)


def test_standard_errors_of_a_nearly_exact_fit():
    X = np.arange(10.0)[:, None]
    y = 2 * X[:, 0] + 1
    y[3] += 2.0**-30
    summary = LinearRegression().fit(X, y).summary()
    # a residual of size d in row 3 leaves d² (1 - h), h = 1/10 + 1.5²/82.5, over 8 degrees of freedom and 82.5
    assert_allclose(summary.stderr[1], 2.0**-30 * np.sqrt((0.9 - 2.25 / 82.5) / 8 / 82.5), rtol=1e-13)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_small_integers_are_fitted_exactly(data):
    n = data.draw(st.integers(4, 8))
    cell = st.integers(-1000, 1000)
    X = np.array(data.draw(st.lists(st.tuples(cell, cell), min_size=n, max_size=n)), dtype=float)
    y = np.array(data.draw(st.lists(cell, min_size=n, max_size=n)), dtype=float)
    if np.linalg.matrix_rank(np.column_stack([np.ones(n), X])) == 3:
        assert_allclose(unknowns(LinearRegression().fit(X, y)), exact_fit(X, y), rtol=1e-15, atol=1e-300)


@pytest.mark.parametrize("scale", [1e200, 1e-200, 2.0**-1020])
def test_extreme_scales_lose_nothing(scale):
    x = np.arange(8.0)
    X = np.column_stack([x * scale, x**2])
    model = LinearRegression().fit(X, 3 * x + x**2)
    assert_allclose(model.coef_ * [scale, 1.0], [3, 1], rtol=1e-14)


def test_a_coefficient_beyond_double_precision_is_an_error():
    with pytest.raises(HousingError, match="exceeds the range of double precision"):
        LinearRegression().fit(np.arange(5.0)[:, None] * 1e-200, np.arange(5.0) * 1e200)


def test_without_intercept():
    model = LinearRegression(fit_intercept=False).fit([[1.0], [2.0], [3.0]], [2.0, 3.0, 7.0])
    assert_allclose(model.coef_, [29 / 14], rtol=1e-15)
    assert model.intercept_ == 0.0


def test_several_targets_have_scikit_learns_shapes():
    model = LinearRegression().fit([[0.0], [1.0], [3.0]], [[1.0, 0.0], [3.0, -1.0], [7.0, -3.0]])
    assert_allclose(model.coef_, [[2.0], [-1.0]], strict=True)
    assert_allclose(model.intercept_, [1.0, 0.0], strict=True, atol=1e-15)
    assert model.target_names_ == ("y0", "y1")
    assert model.predict([[2.0]]).shape == (1, 2)


def test_score_is_r2_of_the_predictions():
    model = LinearRegression.from_coefficients([1.0], 0.0, ["x"], ["y"])
    # Residuals 0, 0, 2; deviations from the mean 5/3, 2/3, 7/3, whose squares add up to 78/9.
    assert model.score([[0.0], [1.0], [2.0]], [0.0, 1.0, 4.0]) == pytest.approx(1 - 4 / (78 / 9), rel=1e-14)
    # Once and twice, as if the last row were there twice: mean 9/4, squares 81/16, 25/16 and twice 49/16.
    weighted = model.score([[0.0], [1.0], [2.0]], [0.0, 1.0, 4.0], [1, 1, 2])
    assert weighted == pytest.approx(1 - 8 / ((81 + 25 + 98) / 16), rel=1e-14)


@pytest.mark.parametrize(("coef", "intercept", "size"), [([1.0], 0.0, 16), ([[1.0, 2.0, 3.0]] * 2, [0.0, 1.0], 64)])
def test_payload_is_eight_bytes_a_number(coef, intercept, size):
    names = [f"x{i}" for i in range(np.shape(coef)[-1])], [f"y{i}" for i in range(np.size(intercept))]
    assert LinearRegression.from_coefficients(coef, intercept, *names).payload_bytes == size


def rows_of(dtype, rng):
    return rng.integers(-50, 50, (6000, 4)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.int64, np.float16])
def test_other_types_are_computed_in_float64(dtype):
    rng = np.random.default_rng(1)
    X, y = rows_of(dtype, rng), rng.standard_normal(6000)
    assert_array_equal(LinearRegression().fit(X, y).coef_, LinearRegression().fit(X.astype(float), y).coef_)


@pytest.mark.parametrize("layout", ["F", "strided", "reversed"])
def test_layout_does_not_matter(layout):
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((9000, 5)), rng.standard_normal(9000)
    wide = np.repeat(X, 2, axis=1)
    same = {"F": np.asfortranarray(X), "strided": wide[:, ::2], "reversed": X[::-1][::-1]}[layout]
    assert_allclose(LinearRegression().fit(same, y).coef_, LinearRegression().fit(X, y).coef_, rtol=1e-12)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 12000), max_size=6), seed=st.integers(0, 99), mean=st.sampled_from([0, 1e3, 1e7]))
def test_blocks_of_any_cut_and_order_give_the_same_answer(cuts, seed, mean):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((12000, 3)) * [1e-3, 1, 1e4] + mean
    y = X @ [1e3, 1, 1e-4] + rng.standard_normal(12000)
    edges = [0, *sorted(cuts), 12000]
    blocks = [(X[a:b], y[a:b]) for a, b in zip(edges, edges[1:], strict=False)]
    rng.shuffle(blocks)
    assert_allclose(LinearRegression().fit_blocks(blocks).coef_, LinearRegression().fit(X, y).coef_, rtol=1e-12)


def test_duplicated_column_gives_the_solution_of_least_norm():
    x = np.arange(6.0)
    with pytest.warns(np.exceptions.RankWarning, match="rank 1, fewer than the 2 coefficients"):
        model = LinearRegression().fit(np.column_stack([x, x]), 4 * x + 1)
    assert_allclose(model.coef_, [2, 2], rtol=1e-14)
    assert_allclose(model.intercept_, 1, rtol=1e-13)
    assert model.rank_ == 1


def test_least_norm_is_in_units_of_scaled_columns():
    x = np.arange(6.0)
    with pytest.warns(np.exceptions.RankWarning, match="rank 1"):
        model = LinearRegression().fit(np.column_stack([x, 1e6 * x]), 4 * x)
    assert_allclose(model.coef_, [2, 2e-6], rtol=1e-14)


def test_sum_of_columns_rounded_is_deficient_and_said_to_be_uncertain():
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((2, 50))
    with pytest.warns(np.exceptions.RankWarning, match="rank 2"):
        model = LinearRegression().fit(np.column_stack([a, b, a + b]), a)
    pytest.importorskip("scipy")
    assert "hides whether the rank" in str(model.summary())


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9 / 3])
def test_constant_column_is_deficient(value):
    x = np.arange(5.0)
    with pytest.warns(np.exceptions.RankWarning, match="rank 1"):
        model = LinearRegression().fit(np.column_stack([x, np.full(5, value)]), 2 * x + 1)
    assert_allclose(model.coef_, [2, 0], rtol=1e-14)
    assert_allclose(model.predict([[10.0, value]]), [21], rtol=1e-14)


def test_bad_scaling_alone_keeps_the_rank():
    rng = np.random.default_rng(4)
    X = rng.standard_normal((40, 4)) * [1e-12, 1, 1e6, 1e12]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert LinearRegression().fit(X, rng.standard_normal(40)).rank_ == 4


def test_constant_target():
    model = LinearRegression().fit(np.arange(5.0)[:, None], np.full(5, 0.1))
    assert_array_equal(unknowns(model), [0.1, 0.0])


def test_as_many_rows_as_unknowns():
    model = LinearRegression().fit([[0.0], [2.0]], [1.0, 5.0])
    assert_array_equal(unknowns(model), [1.0, 2.0])
    assert np.isnan(model.summary().residual_std).all()


def test_leave_one_out_equals_refitting():
    rng = np.random.default_rng(5)
    X, y = rng.standard_normal((30, 3)), rng.standard_normal((30, 2))
    keep = ~np.eye(30, dtype=bool)
    expected = [LinearRegression().fit(X[k], y[k]).predict(X[~k])[0] for k in keep]
    assert_allclose(LinearRegression().fit(X, y).leave_one_out(X, y), expected, rtol=1e-11)


def test_leave_one_out_needs_every_row_to_be_predictable():
    with pytest.raises(HousingError, match="row 2 alone determines a coefficient"):
        rows, y = [[0.0], [0.0], [1.0], [0.0]], [1.0, 2.0, 3.0, 4.0]
        LinearRegression().fit(rows, y).leave_one_out(rows, y)


def test_leave_one_out_names_the_feature_that_a_row_alone_determines():
    rng = np.random.default_rng(6)
    rows, y = np.column_stack([rng.standard_normal((9, 2)) + 5, np.arange(9) == 4]), rng.standard_normal(9)
    model = LinearRegression().fit(rows, y, feature_names=["rooms", "age", "pool"])
    with pytest.raises(HousingError, match=r"row 4 alone determines a coefficient \('pool'\): leaving it out"):
        model.leave_one_out(rows, y)


def test_names_come_from_a_data_frame():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [0.0, 1, 2], "b": [1.0, 0, 3]})
    model = LinearRegression().fit(frame, pandas.Series([1.0, 2, 3], name="price"))
    assert model.feature_names_in_ == ("a", "b")
    assert model.target_names_ == ("price",)


GOOD = np.arange(6.0).reshape(3, 2) ** 2


def with_entry(value):
    X = np.arange(24.0).reshape(12, 2) ** 2
    X[7, 1] = value
    return X


@every(
    ("X", "y", "message"),
    [
        (with_entry(np.nan), np.arange(12), "row 7, column 'x1': nan is not a finite number"),
        (with_entry(-np.inf), np.arange(12), "row 7, column 'x1': -inf is not a finite number"),
        (GOOD, [1, np.inf, 2], "row 1, column 'y': inf is not a finite number"),
        (GOOD, [1, 2], "X has 3 rows and y has 2"),
        (GOOD.astype(complex), [1, 2, 3], "X has dtype complex128: expected real numbers"),
        (
            np.array([[1, "2"], [3, 4]], object),
            [1, 2],
            "X has dtype object: expected real numbers; X[0, 1] is '2', a str",
        ),
        (np.array([[1, 2], [None, 4]], object), [1, 2], "X[1, 0]: the value is missing; fill it in or drop the row"),
        (GOOD, ["a", "b", "c"], "y has dtype <U1: expected real numbers"),
        (GOOD[0], [1, 2], r"X has shape (2,): expected (rows, features)"),
        (GOOD[:, :0], [1, 2, 3], r"X has shape (3, 0): expected (rows, features)"),
        (GOOD, np.zeros((3, 1, 1)), r"y has shape (3, 1, 1): expected (n,) or (n, k)"),
        ([[1.0], [2.0, 3.0]], [1, 2], "X is not an array of numbers"),
        (np.array([[0], [2**53 + 1], [5]]), [1, 2, 3], "row 1, column 'x0': 9007199254740993 is an integer beyond"),
        (np.ma.masked_equal(GOOD, 4.0), [1, 2, 3], "X has masked entries"),
    ],
)
def test_bad_input_is_named(X, y, message):
    with pytest.raises(HousingError, match=re.escape(message)):
        LinearRegression().fit(X, y)


def test_nonfinite_number_in_a_large_block_is_named():
    X = np.random.default_rng(6).standard_normal((20000, 3))
    X[12345, 2] = np.nan
    with pytest.raises(HousingError, match="row 12345, column 'c': nan"):
        LinearRegression().fit(X, X[:, 0], feature_names=["a", "b", "c"])


def test_integer_at_the_limit_is_exact():
    X = np.array([[2**53], [2**53 - 1], [2**53 - 2]])
    assert_array_equal(LinearRegression().fit(X, [2, 1, 0]).coef_, [1.0])


def test_no_block_is_an_error():
    with pytest.raises(HousingError, match="no block to fit"):
        LinearRegression().fit_blocks([])


def test_blocks_without_rows_are_skipped():
    empty = (np.empty((0, 1)), np.empty(0))
    model = LinearRegression().fit_blocks([empty, ([[0.0], [2.0]], [1.0, 5.0]), empty])
    assert_array_equal(unknowns(model), [1.0, 2.0])


def test_only_empty_blocks_are_an_error():
    with pytest.raises(HousingError, match="0 rows cannot determine 2 unknowns"):
        LinearRegression().fit(np.empty((0, 1)), np.empty(0))


def test_block_with_other_columns_is_an_error():
    with pytest.raises(HousingError, match="a block has 1 feature .*; the first block had 2 features"):
        LinearRegression().fit_blocks([(GOOD, [1, 2, 3]), (GOOD[:, :1], [1, 2, 3])])


def test_block_with_columns_in_another_order_is_an_error():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(GOOD, columns=["a", "b"])
    with pytest.raises(HousingError, match="columns b, a; the first block had .* columns a, b"):
        LinearRegression().fit_blocks([(frame, [1, 2, 3]), (frame[["b", "a"]], [1, 2, 3])])


def test_predict_names_the_columns_it_needs():
    model = LinearRegression().fit(GOOD, [1, 2, 5], feature_names=["rooms", "age"])
    with pytest.raises(HousingError, match="X has 1 column, expected 2: rooms, age"):
        model.predict([[1.0]])


def test_predict_before_fit_is_an_error():
    with pytest.raises(HousingError, match="call fit first"):
        LinearRegression().predict([[1.0]])


def test_model_from_coefficients_predicts_and_has_no_statistics():
    model = LinearRegression.from_coefficients([2.0], 1.0, ["a"], ["y"])
    assert_array_equal(model.predict([[3.0]]), [7.0])
    with pytest.raises(HousingError, match="built from coefficients"):
        model.summary()


def test_a_model_with_an_intercept_of_0_is_fitted_again_with_an_intercept():
    model = LinearRegression.from_coefficients([2.0], 0.0, ["a"], ["y"])
    assert_array_equal(unknowns(model.fit([[0.0], [1.0]], [1.0, 3.0])), [1.0, 2.0])


def test_coefficients_that_do_not_fit_the_names_are_an_error():
    with pytest.raises(HousingError, match=r"coefficients of shape \(2,\) and intercept of shape \(\) do not fit 1"):
        LinearRegression.from_coefficients([2.0, 3.0], 1.0, ["a"], ["y"])


def test_predicting_does_not_import_the_solver():
    code = (
        "import sys; from housing_np.fit.linear import LinearRegression as L;"
        "L.from_coefficients([2.0], 1.0, ['a'], ['y']).predict([[1.0]]);"
        "print('housing_np.fit.summary' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"


def test_summary_equals_statsmodels():
    sm = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(7)
    X = rng.standard_normal((20000, 4)) * [1, 10, 100, 0.1] + [1, 2, 300, 4]
    y = X @ [1, 0.1, 0.01, 10] + rng.standard_normal(20000)
    ours, theirs = LinearRegression().fit(X, y).summary(), sm.OLS(y, sm.add_constant(X)).fit()
    assert_allclose(ours.coef, theirs.params, rtol=1e-10)
    assert_allclose(ours.stderr, theirs.bse, rtol=1e-10)
    assert_allclose(ours.t, theirs.tvalues, rtol=1e-10)
    assert_allclose(ours.p, theirs.pvalues, rtol=1e-9, atol=1e-300)
    assert_allclose(np.column_stack([ours.low, ours.high]), theirs.conf_int(), rtol=1e-10)
    assert_allclose([ours.r2[0], ours.adjusted_r2[0]], [theirs.rsquared, theirs.rsquared_adj], rtol=1e-10)
    assert_allclose(ours.residual_std, [np.sqrt(theirs.scale)], rtol=1e-10)
    assert_allclose(ours.condition_number, theirs.condition_number, rtol=1e-8)


def test_summary_without_intercept_equals_statsmodels():
    sm = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(8)
    X = rng.standard_normal((50, 2)) + 1
    y = X @ [1, 2] + rng.standard_normal(50)
    ours, theirs = LinearRegression(fit_intercept=False).fit(X, y).summary(), sm.OLS(y, X).fit()
    assert_allclose(ours.stderr, theirs.bse, rtol=1e-12)
    assert_allclose([ours.r2[0], ours.adjusted_r2[0]], [theirs.rsquared, theirs.rsquared_adj], rtol=1e-12)


def test_summary_prints_every_unknown():
    pytest.importorskip("scipy")
    table = str(LinearRegression().fit(SETS["Longley"].X, SETS["Longley"].y).summary())
    assert [line.split()[0] for line in table.splitlines()[2:9]] == ["intercept", *(f"x{i}" for i in range(6))]
    assert "rank 7 of 7" in table


def test_a_constant_column_is_named():
    X = np.column_stack([np.arange(5.0), np.full(5, 0.1)])
    with pytest.warns(np.exceptions.RankWarning, match="drop 'x1', which never varies"):
        LinearRegression().fit(X, np.arange(5.0))


def test_several_constant_columns_never_vary():
    X = np.column_stack([np.full(5, 2.0), np.arange(5.0), np.full(5, 0.1)])
    with pytest.warns(np.exceptions.RankWarning, match="drop 'x0', 'x2', which never vary$"):
        LinearRegression().fit(X, np.arange(5.0))


def test_one_coefficient_is_not_called_coefficients():
    with pytest.warns(np.exceptions.RankWarning, match="fewer than the 1 coefficient to determine"):
        LinearRegression().fit(np.ones((5, 1)), np.arange(5.0))


DEFICIENT = np.column_stack([np.arange(5.0), np.arange(5.0)])
BLOCKS = [(DEFICIENT[:3], np.arange(3.0)), (DEFICIENT[3:], np.arange(3.0, 5.0))]


class Own(LinearRegression):
    pass


@every(
    "fit",
    [
        lambda: LinearRegression().fit(DEFICIENT, np.arange(5.0)),
        lambda: LinearRegression().fit(DEFICIENT, np.arange(5.0), np.ones(5)),
        lambda: LinearRegression().fit_blocks(BLOCKS),
        lambda: LinearRegression().fit_blocks(block for block in BLOCKS),
        lambda: LinearRegression().set_solution(summary_of(BLOCKS)),
        lambda: Own().fit(DEFICIENT, np.arange(5.0)),
    ],
    ids=["fit", "weights", "blocks", "generated blocks", "a summary", "a class of its own"],
)
def test_a_warning_is_of_the_line_that_calls(fit):
    with pytest.warns(np.exceptions.RankWarning) as caught:
        fit()
    assert (caught[0].filename, caught[0].lineno) == (__file__, fit.__code__.co_firstlineno)


def summary_of(blocks):
    summary = Summary()
    for block in blocks:
        summary.update(*block)
    return summary


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ([[1, 0, 1, 0, 1], [0, 1, 0, 1, 0], [3, 1, 4, 1, 5]], "'x0', 'x1' depend on each other: drop 1 of them"),
        ([[3, 1, 4, 1, 5], [2, 7, 1, 8, 2], [5, 8, 5, 9, 7]], "'x0', 'x1', 'x2' depend on each other: drop 1 of them"),
        ([[3, 1, 4, 1, 5], [6, 2, 8, 2, 10], [9, 3, 12, 3, 15]], "'x0', 'x1', 'x2' depend on each other: drop 2"),
        ([[7, 7, 7, 7, 7], [3, 1, 4, 1, 5], [6, 2, 8, 2, 10]], "drop 'x0', which never varies; 'x1', 'x2' depend"),
    ],
    ids=["dummies", "a sum", "multiples", "and a constant"],
)
def test_columns_that_depend_on_each_other_are_named(columns, told):
    with pytest.warns(np.exceptions.RankWarning) as caught:
        LinearRegression().fit(np.array(columns, float).T, [1.0, 2.0, 4.0, 8.0, 16.0])
    assert told in str(caught[0].message)


def test_without_scipy_the_summary_is_what_needs_none(monkeypatch):
    summary = LinearRegression().fit(SETS["Longley"].X, SETS["Longley"].y).summary()
    whole = str(summary).splitlines()
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    lines = str(summary).splitlines()
    assert [line[:52].rstrip() for line in lines[:9]] == [line[:52].rstrip() for line in whole[:9]]
    assert lines[9:11] == whole[9:11]
    assert "pip install '.[stats]'" in lines[11]


@pytest.mark.matrix("order")
@pytest.mark.parametrize("order", ["C", "F"])
@every("shape", [(1, 1), (1, 8), (1, 200), (2, 1), (2, 8), (3, 200), (2, 5000), (5000, 9)])
def test_a_prediction_is_added_up_from_the_first_feature_to_the_last(shape, order):
    rng = np.random.default_rng(sum(shape))
    X = np.asarray(rng.normal(size=shape) * 10.0 ** rng.integers(-9, 9, shape[1]), order=order)
    coef, offset = rng.normal(size=(2, shape[1])), rng.normal(size=2)
    for row, sums in zip(X.tolist(), dot_rows(X, coef, offset).tolist(), strict=True):
        for weights, last, found in zip(coef.tolist(), offset.tolist(), sums, strict=True):
            expected = row[0] * weights[0]
            for x, weight in zip(row[1:], weights[1:], strict=True):
                expected += x * weight
            assert found == expected + last


@pytest.mark.parametrize("coef", [[2.0, 3.0], [[2.0, 3.0], [4.0, 5.0]]], ids=["one target", "two"])
def test_the_sign_of_a_prediction_of_0_does_not_depend_on_the_number_of_rows(coef):
    rows, coef = np.full((3, 2), -0.0), np.array(coef)
    offset = np.full(coef.shape[:-1], -0.0)
    one, many = dot_rows(rows[:1], coef, offset), dot_rows(rows, coef, offset)
    assert np.signbit(one).tolist() == np.signbit(many[:1]).tolist()


def test_an_intercept_of_minus_0_is_0():
    assert not np.signbit(LinearRegression.from_coefficients([2.0], -0.0, ["a"], ["y"]).intercept_)


SMALL = np.array([[0.0, 1.0], [1.0, 3.0], [2.0, 2.0], [5.0, 1.0]])


@every(
    ("X", "y", "message"),
    [
        (SMALL[:, :1], [1.0, 2.0, 3.0, 4.0], "X has 1 column, expected 2: x0, x1"),
        (SMALL[:, [0, 1, 1]], [1.0, 2.0, 3.0, 4.0], "X has 3 columns, expected 2: x0, x1"),
        (SMALL[:3], [1.0, 2.0, 3.0, 4.0], r"y has shape \(4,\): expected \(3,\)"),
        (SMALL, [[1.0, np.nan]] * 4, r"y has shape \(4, 2\): expected \(4,\)"),
        (SMALL, [[1, 2**53 + 1]] * 4, r"y has shape \(4, 2\): expected \(4,\)"),
        (SMALL, np.full((4, 1, 2), np.nan), r"y has shape \(4, 1, 2\): expected \(4,\)"),
        (SMALL, 3.0, r"y has shape \(\): expected \(4,\)"),
        (
            SMALL,
            [1e308, -1e308, 1e308, 1e308],
            "a prediction exceeds the range of double precision",
        ),
    ],
)
def test_leave_one_out_is_of_the_columns_and_rows_of_the_fit(X, y, message):
    model = LinearRegression().fit(SMALL, [1.0, 4.0, 5.0, 2.0])
    with pytest.raises(HousingError, match=message):
        model.leave_one_out(X, y)


@every(
    ("coef", "intercept", "message"),
    [
        ([[1.0], [1.0, 2.0]], 0.0, "coef is not an array of numbers"),
        (["1", "2"], 0.0, "coef has dtype <U1: expected real numbers"),
        ([1.0, 2.0], None, "intercept has dtype object: expected real numbers"),
        ([1, 2**53 + 1], 0, r"coef\[1\]: 9007199254740993 is an integer beyond 2\*\*53"),
        ([1, 2], 2**53 + 1, "intercept: 9007199254740993 is an integer beyond"),
        ([1.0, 2.0, 3.0], 0.0, r"coefficients of shape \(3,\) and intercept of shape \(\) do not fit 2 feature and 1"),
    ],
)
def test_coefficients_are_numbers_that_float64_holds(coef, intercept, message):
    with pytest.raises(HousingError, match=message):
        LinearRegression.from_coefficients(coef, intercept, ["a", "b"], ["y"])


@every("block", [None, 1.0, (), (SMALL,), (SMALL, 1, 2, 3), "ab", {"X": 1, "y": 2}, SMALL])
def test_a_block_that_is_no_block_is_refused(block):
    with pytest.raises(HousingError, match=r"a block is .*: expected \(X, y\) or \(X, y, sample_weight\)|y has shape"):
        LinearRegression().fit_blocks([block])


@pytest.mark.parametrize("blocks", [None, 1.0, np.array(1.0), LinearRegression])
def test_blocks_that_are_none_are_refused(blocks):
    with pytest.raises(HousingError, match=r"blocks is .*: expected an iterable of blocks \(X, y\)"):
        LinearRegression().fit_blocks(blocks)


@every("fit_intercept", ["yes", None, 2, 0.5, [True], np.array([True, False])])
def test_an_intercept_is_there_or_not(fit_intercept):
    with pytest.raises(HousingError, match=r"fit_intercept is .*: expected True or False"):
        LinearRegression(fit_intercept).fit(SMALL, [1.0, 4.0, 5.0, 2.0])


def test_who_writes_to_a_fitted_model_changes_its_predictions_and_not_its_statistics():
    model = LinearRegression().fit(SMALL, [[1.0, 2.0], [4.0, 0.0], [5.0, 1.0], [2.0, 2.0]])
    before, predicted = str(model.summary()), model.predict(SMALL)
    for array in (model.coef_, model.intercept_, model.singular_values_):
        array *= 2
    assert_array_equal(model.predict(SMALL), 2 * predicted)
    assert str(model.summary()) == before


class Named:
    """A linear model that warns of rows without names, as scikit-learn's do."""

    def __init__(self):
        self.coef_, self.intercept_, self.feature_names_in_ = np.array([1.0, 2.0]), 0.5, np.array(["a", "b"], object)

    def predict(self, X):
        if hasattr(self, "feature_names_in_"):
            warnings.warn("X does not have valid feature names", stacklevel=1)
        return X @ self.coef_ + self.intercept_


def test_the_filters_of_warnings_are_left_alone():
    filters = []

    class Watching(Named):
        def predict(self, X):
            filters.append(warnings.filters)
            return super().predict(X)

    theirs = Watching()
    model = LinearRegression.of(theirs)
    assert [each is warnings.filters for each in filters] == [True]
    assert model.feature_names == ("a", "b")
    assert list(theirs.feature_names_in_) == ["a", "b"]


class Predicting:
    """A model that says that it is linear, with one target or two, and predicts as it is told."""

    def __init__(self, predict, coef=(1.0, 2.0), intercept=0.5):
        self.coef_, self.intercept_, self.predict = np.array(coef), np.array(intercept), predict


LINE = np.array([1.0, 2.0])
TWO = np.array([LINE, -LINE])


@every(
    "theirs",
    [
        Predicting(lambda X: X @ LINE + 0.5 + 1e-6 * X[:, 0] ** 2),
        Predicting(lambda X: X @ LINE + 0.5 + 1e-6 * X[:, 0] * X[:, 1]),
        Predicting(lambda X: X @ LINE + 0.5 + 1e-6 * (X[:, 0] ** 2 - X[:, 1] ** 2)),
        Predicting(lambda X: X @ LINE + 0.5 + 1e-3 * np.sqrt(np.abs(X[:, 0]))),
        Predicting(lambda X: np.where(X[:, 1] < -10, 0.0, X @ LINE + 0.5)),
        Predicting(lambda X: np.clip(X @ LINE + 0.5, -1000, 1000)),
        Predicting(lambda X: 1e-9 * (X @ LINE + 0.5 + X[:, 0] ** 2), 1e-9 * LINE, 0.5e-9),
        Predicting(lambda X: X @ TWO.T + [0.0, 1e-6] * X[:, :1] ** 2, TWO, [0.0, 0.0]),
    ],
    ids=["square", "product", "saddle", "root", "step below 0", "clipped", "tiny", "second target"],
)
def test_a_model_that_is_nearly_linear_is_refused(theirs):
    with pytest.raises(HousingError, match="its predictions are not linear in the features"):
        LinearRegression.of(theirs)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e300])
def test_a_linear_model_of_any_scale_is_one(scale):
    theirs = Predicting(lambda X: X @ (scale * LINE) + 0.5, scale * LINE)
    assert_array_equal(LinearRegression.of(theirs).coef_, scale * LINE)


def test_a_linear_model_that_predicts_in_float32_is_one():
    coef = np.random.default_rng(0).normal(size=2000).astype(np.float32)
    theirs = Predicting(lambda X: X.astype(np.float32) @ coef + np.float32(0.5), coef)
    assert_array_equal(LinearRegression.of(theirs).coef_, coef)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_model_of_scikit_learn_keeps_whether_it_has_an_intercept(fit_intercept):
    linear = pytest.importorskip("sklearn.linear_model")
    theirs = linear.LinearRegression(fit_intercept=fit_intercept).fit(SMALL, [1.0, 4.0, 5.0, 2.0])
    assert LinearRegression.of(theirs).fit_intercept is fit_intercept
