"""Calibration: against NumPy on all rows at once, and as a sum that starts empty."""

import re

import numpy as np
import pytest
from cases import every
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from housing_np import HousingError
from housing_np.quantized.calibration import Calibration

ATTRIBUTES = ("mean", "covariance", "low", "high", "deviation", "rms")
X = np.random.default_rng(0).normal([0.0, 1e6, -5.0], [1.0, 1.0, 1e-3], (20, 3))


def assert_same(a, b):
    assert a.rows == b.rows
    for name in ATTRIBUTES:
        assert_array_equal(getattr(a, name), getattr(b, name), strict=True)


def of_blocks(blocks):
    total = Calibration()
    for block in blocks:
        total.update(block)
    return total


def test_rows_are_described_as_numpy_describes_them():
    found = Calibration.of(X)
    assert found.rows == 20
    assert_allclose(found.mean, X.mean(axis=0), rtol=1e-15)
    assert_allclose(found.covariance, np.cov(X.T, bias=True), rtol=1e-9, atol=1e-12)
    assert_array_equal(found.low, X.min(axis=0), strict=True)
    assert_array_equal(found.high, X.max(axis=0), strict=True)
    assert_allclose(found.deviation, X.std(axis=0), rtol=1e-9)
    assert_allclose(found.rms, np.sqrt(np.mean(X**2, axis=0)), rtol=1e-12)


@pytest.mark.parametrize("block", [1, 3, 7, 20])
def test_blocks_describe_all_rows(block):
    total = of_blocks(X[i : i + block] for i in range(0, 20, block))
    assert total.rows == 20
    assert_allclose(total.mean, X.mean(axis=0), rtol=1e-14)
    assert_allclose(total.covariance, np.cov(X.T, bias=True), rtol=1e-8, atol=1e-10)
    assert_array_equal(total.low, X.min(axis=0), strict=True)
    assert_array_equal(total.high, X.max(axis=0), strict=True)


@given(st.integers(0, 20), st.integers(0, 20))
def test_a_sum_describes_the_rows_of_both_and_changes_neither(first, second):
    first, second = sorted([first, second])
    a, b = of_blocks([X[:first]]), of_blocks([X[first:second]])
    total = a + b
    assert (a.rows, b.rows, total.rows) == (first, second - first, second)
    total.update(X[second:])
    assert (a.rows, b.rows, total.rows) == (first, second - first, 20)
    assert_allclose(total.mean, X.mean(axis=0), rtol=1e-14)
    assert_allclose(total.covariance, np.cov(X.T, bias=True), rtol=1e-8, atol=1e-10)


def test_an_empty_sum_is_neutral():
    known = Calibration.of(X)
    assert Calibration().rows == 0
    assert (Calibration() + Calibration()).rows == 0
    assert_same(Calibration() + known, known)
    assert_same(known + Calibration(), known)


def test_blocks_without_rows_change_nothing():
    total = Calibration.of(X)
    total.update(np.empty((0, 3)))
    assert_same(total, Calibration.of(X))


def test_targets_do_not_matter():
    total = Calibration()
    total.update(X, np.arange(20.0))
    assert_same(total, Calibration.of(X))


@every("name", ATTRIBUTES)
def test_no_rows_describe_nothing(name):
    with pytest.raises(HousingError, match="^X has no rows: calibration needs at least one$"):
        getattr(Calibration(), name)


def test_rows_are_needed():
    with pytest.raises(HousingError, match="^X has no rows: calibration needs at least one$"):
        Calibration.of(np.empty((0, 2)))


def test_rows_of_other_features_are_refused():
    total = Calibration.of(X)
    message = "^rows of 2 features cannot be added to rows of 3$"
    with pytest.raises(HousingError, match=message):
        total.update(np.ones((4, 2)))
    with pytest.raises(HousingError, match=message):
        total + Calibration.of(np.ones((4, 2)))
    assert_same(total, Calibration.of(X))


def test_a_deviation_that_is_the_rounding_of_the_mean_is_none():
    # The mean of ten times 0.1 is not 0.1 in float64.
    rows = np.full((10, 2), 0.1)
    assert np.all(rows.std(axis=0) > 0)
    assert_array_equal(Calibration.of(rows).deviation, [0.0, 0.0])


def test_a_percentile_is_linearly_interpolated():
    # Of 0, 1, ..., 100 the 98th is 98 and the 2nd is 2; of 0 and 10 the 75th is 7.5.
    found = Calibration.of(np.arange(101.0)[:, np.newaxis], percentile=98)
    assert_array_equal([found.low, found.high], [[2.0], [98.0]])
    found = Calibration.of([[0.0], [10.0]], percentile=75)
    assert_array_equal([found.low, found.high], [[2.5], [7.5]])


def test_a_percentile_changes_the_range_alone():
    whole, inner = Calibration.of(X), Calibration.of(X, percentile=90)
    assert inner.rows == whole.rows
    for name in ("mean", "covariance", "deviation", "rms"):
        assert_array_equal(getattr(inner, name), getattr(whole, name), strict=True)
    assert np.all(inner.low > whole.low) and np.all(inner.high < whole.high)


@pytest.mark.parametrize("percentile", [50, 0, -1, 100.1, np.nan])
def test_a_percentile_out_of_range_is_refused(percentile):
    with pytest.raises(HousingError, match=f"^percentile is {percentile}: expected more than 50, and at most 100$"):
        Calibration.of([[1.0]], percentile)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_by_position(bad):
    total = Calibration.of([[0.0, 0.0]])
    with pytest.raises(HousingError, match=rf"X\[1, 0\]: {bad} is not a finite number"):
        total.update([[1.0, 2.0], [bad, 3.0]])
    assert total.rows == 1


def test_masked_entries_are_refused():
    with pytest.raises(HousingError, match="X has masked entries"):
        Calibration.of(np.ma.masked_array([[1.0, 2.0]], [[False, True]]))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([1.0, 2.0], r"X has shape \(2,\): expected \(rows, features\)"),
        ([["a"]], "X has dtype <U1: expected real numbers"),
        ([[1.0], [1.0, 2.0]], "X is not an array of numbers"),
    ],
)
def test_what_is_not_rows_of_numbers_is_refused(rows, message):
    with pytest.raises(HousingError, match=message):
        Calibration.of(rows)


def test_integers_are_rows_of_numbers():
    assert_array_equal(Calibration.of([[1], [2]]).mean, [1.5], strict=True)


def test_a_mean_is_known_where_the_sum_is_beyond_float64():
    rows = Calibration.of([[1.5e308], [1e308], [1.7e308]])
    assert_allclose(rows.mean, [1.4e308])
    assert (rows.low, rows.high) == ([1e308], [1.7e308])


def test_the_mean_of_the_whole_range_of_float64_is_known():
    total = Calibration.of([[1.5e308]]) + Calibration.of([[-1.5e308], [-1.5e308]])
    assert_allclose(total.mean, [-0.5e308])


def test_squares_beyond_float64_are_infinite():
    rows = Calibration.of([[1e200, 1.0], [-1e200, 2.0]])
    assert rows.deviation.tolist() == [np.inf, 0.5]
    assert_allclose(rows.rms, [np.inf, np.sqrt(2.5)])
    assert rows.covariance[1, 1] == 0.25


@pytest.mark.parametrize("percentile", ["99", None, [99.0], np.nan, True])
def test_a_percentile_is_one_number(percentile):
    with pytest.raises(HousingError, match="^percentile (is|has) "):
        Calibration.of([[1.0], [2.0]], percentile)


def test_a_percentile_may_be_little_more_than_50():
    found = Calibration.of([[0.0], [100.0]], percentile=50.5)
    assert_allclose([found.low, found.high], [[49.5], [50.5]], rtol=1e-12)


@pytest.mark.parametrize(("ends", "percentile"), [([1.7e308, -1.7e308, 1.0], 90), ([-1.7e308] * 2 + [1.7e308] * 3, 75)])
def test_percentiles_beyond_float64_are_refused(ends, percentile):
    with pytest.raises(HousingError, match="^the range of a column is beyond float64: rescale it$"):
        Calibration.of([[end] for end in ends], percentile)


def test_it_is_shown_by_its_counts():
    assert repr(Calibration()) == "<Calibration: 0 rows>"
    assert repr(Calibration.of([[1.0]])) == "<Calibration: 1 row, 1 feature>"
    assert repr(Calibration.of(X)) == "<Calibration: 20 rows, 3 features>"


def test_it_is_a_table_in_a_notebook():
    html = Calibration.of([[1.0, -5.0], [3.0, -5.0]])._repr_html_()
    assert "<p>Calibration: 2 rows, 2 features</p>" in html
    assert re.findall(r"<th[^>]*>(.*?)</th>", html) == ["", "mean", "deviation", "low", "high", "x0", "x1"]
    assert re.findall(r"<td[^>]*>(.*?)</td>", html) == ["2", "1", "1", "3", "-5", "0", "-5", "-5"]
    assert "<p>Calibration: 0 rows</p>" in Calibration()._repr_html_()
    assert "<table" not in Calibration()._repr_html_()


def test_columns_of_frames_are_remembered_and_have_to_be_the_same():
    pd = pytest.importorskip("pandas")
    named, other = (Calibration.of(pd.DataFrame([[1.0, 2.0]], columns=names)) for names in (["a", "b"], ["b", "a"]))
    assert named.names == ("a", "b")
    assert (named + Calibration.of([[3.0, 4.0]])).names == ("a", "b")
    assert (Calibration() + named).names == ("a", "b")
    with pytest.raises(HousingError, match="^rows with the columns b, a cannot be added to a, b$"):
        named + other
    with pytest.raises(HousingError, match="^rows with the columns b, a cannot be added to a, b$"):
        named.update(pd.DataFrame([[1.0, 2.0]], columns=["b", "a"]))


def test_figures_alone_describe_rows_too():
    found = Calibration.of_figures(4, np.array([3.0, 0.0]), np.array([4.0, 1e200]), np.zeros(2), np.ones(2))
    assert (found.rows, found.mean.tolist(), found.low.tolist(), found.high.tolist()) == (4, [3, 0], [0, 0], [1, 1])
    assert (found.deviation[0], found.rms[0], found.deviation[1]) == (4.0, 5.0, np.inf)
    with pytest.raises(HousingError, match="^the calibration has no covariance: make it of rows"):
        found.covariance  # noqa: B018


def test_sums_weigh_each_part_by_its_rows():
    total = Calibration.of([[0.0], [2.0], [4.0]]) + Calibration.of([[10.0]])
    assert (total.mean.tolist(), total.covariance.tolist()) == ([4.0], [[14.0]])


def test_a_deviation_is_rounding_up_to_2_to_the_minus_48_of_the_mean():
    for deviation, expected in ((2.0**-48, 0.0), (2.0**-47, 2.0**-47)):
        figures = [np.array([value]) for value in (1.0, deviation, 0.0, 2.0)]
        assert Calibration.of_figures(9, *figures).deviation.tolist() == [expected]


def test_an_integer_that_float64_would_round_is_named():
    with pytest.raises(HousingError, match=r"X: row 1, column 'x0': 9007199254740993 is an integer beyond"):
        Calibration.of([[1], [2**53 + 1]])


def test_percentiles_are_kept_until_other_rows_are_added():
    ends = (np.array([1.0]), np.array([3.0]))
    figures = Calibration.of_figures(2, np.array([2.0]), np.array([1.0]), np.array([0.0]), np.array([4.0]), ends)
    assert (Calibration() + figures).percentiles == ends
    assert (figures + Calibration.of([[2.0]])).percentiles is None


def test_what_is_not_finite_in_a_frame_is_named_by_its_column():
    pd = pytest.importorskip("pandas")
    with pytest.raises(HousingError, match="^X: row 1, column 'b': nan is not a finite number"):
        Calibration.of(pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, np.nan]}))


def test_an_integer_that_float64_would_round_is_named_by_the_column_of_its_frame():
    pd = pytest.importorskip("pandas")
    with pytest.raises(HousingError, match="^X: row 0, column 'a': 9007199254740993 is an integer beyond"):
        Calibration.of(pd.DataFrame({"a": [2**53 + 1]}))


def test_the_mean_of_the_whole_range_is_known_beside_a_constant():
    total = Calibration.of([[1.5e308, 3.0]]) + Calibration.of([[-1.5e308, 3.0]])
    assert total.mean.tolist() == [0.0, 3.0]


def test_the_range_of_a_sum_is_that_of_both():
    total = Calibration.of([[1.0, 5.0]]) + Calibration.of([[2.0, 4.0]])
    assert (total.low.tolist(), total.high.tolist()) == ([1.0, 4.0], [2.0, 5.0])


def test_the_mean_of_a_constant_is_the_constant():
    # 0.7 / 6 + 0.7 · 5 / 6 is not 0.7 in float64.
    assert (Calibration.of([[0.7]]) + Calibration.of([[0.7]] * 5)).mean.tolist() == [0.7]
