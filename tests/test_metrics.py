from fractions import Fraction

import numpy as np
import pytest
from cases import every
from hypothesis import given
from hypothesis import strategies as st

from housing_np import HousingError
from housing_np.fit.metrics import Score, r2_score

METRICS = [
    r2_score,
    lambda true, pred: Score.of(true, pred).mse,
    lambda true, pred: Score.of(true, pred, true).rms_deviation,
    lambda true, pred: Score.of(true, pred, true).largest_deviation,
]
PAIRS = st.lists(st.tuples(st.integers(-1000, 1000), st.integers(-1000, 1000)), min_size=2, max_size=20)


def exact_r2(true, pred):
    mean = Fraction(sum(true), len(true))
    total = sum((t - mean) ** 2 for t in true)
    unexplained = sum(Fraction(t - p) ** 2 for t, p in zip(true, pred, strict=True))
    if total == 0:
        return Fraction(unexplained == 0)
    return 1 - unexplained / total


def test_hand_values():
    # y = 3, -0.5, 2, 7 and 2.5, 0, 2, 8: the example in scikit-learn's documentation of each metric.
    true, pred = [3, -0.5, 2, 7], [2.5, 0.0, 2, 8]
    assert r2_score(true, pred) == pytest.approx(0.9486081370449679, rel=1e-15)
    assert Score.of(true, pred).mse == 0.375


def test_several_targets_are_averaged():
    # scikit-learn's documented example: r2_score(..., multioutput="uniform_average").
    true, pred = [[0.5, 1], [-1, 1], [7, -6]], [[0, 2], [-1, 2], [8, -5]]
    assert r2_score(true, pred) == pytest.approx(0.9368005266622779, rel=1e-15)
    assert Score.of(true, pred).mse == pytest.approx(0.7083333333333334, rel=1e-15)


@given(PAIRS)
def test_r2_equals_exact_arithmetic(pairs):
    true, pred = zip(*pairs, strict=True)
    expected = exact_r2(true, pred)
    assert r2_score(true, pred) == pytest.approx(float(expected), rel=1e-9, abs=1e-9)


@given(PAIRS)
def test_errors_equal_exact_arithmetic(pairs):
    true, pred = zip(*pairs, strict=True)
    distances = [abs(t - p) for t, p in pairs]
    squares = Fraction(sum(d * d for d in distances), len(pairs))
    assert Score.of(true, pred).mse == pytest.approx(float(squares), rel=1e-12)


@given(PAIRS, st.lists(st.integers(-1000, 1000), min_size=20, max_size=20))
def test_deviations_are_from_the_reference_alone(pairs, others):
    reference, pred = zip(*pairs, strict=True)
    distances = [abs(t - p) for t, p in pairs]
    score = Score.of(others[: len(pairs)], pred, reference)
    squares = Fraction(sum(d * d for d in distances), len(pairs))
    assert score.rms_deviation == pytest.approx(float(squares) ** 0.5, rel=1e-12)
    assert score.largest_deviation == max(distances)


def test_r2_of_a_perfect_prediction_is_one():
    assert r2_score([1, 2, 3], [1, 2, 3]) == 1.0


def test_r2_of_the_mean_is_zero():
    assert r2_score([1, 2, 3], [2, 2, 2]) == 0.0


def test_r2_can_be_negative():
    assert r2_score([1, 2, 3], [3, 2, 1]) == -3.0


@pytest.mark.parametrize("value", [0.0, 0.5, 0.1, 1e300, -3.3])
def test_constant_target_that_is_met_scores_one(value):
    assert r2_score([value] * 3, [value] * 3) == 1.0


@pytest.mark.parametrize("value", [0.0, 0.5, 0.1, -3.3])
def test_constant_target_that_is_missed_scores_zero(value):
    assert r2_score([value] * 3, [value, value, value + 1]) == 0.0


def test_one_constant_target_among_several():
    assert r2_score([[1, 4], [1, 5], [1, 6]], [[1, 4], [1, 5], [2, 6]]) == 0.5


def test_one_row():
    assert r2_score([2.0], [3.0]) == 0.0
    assert Score.of([2.0], [4.0]).mse == 4.0


@pytest.mark.parametrize("metric", METRICS)
def test_result_is_a_plain_float(metric):
    assert type(metric(np.float32([1, 2]), np.float32([1, 3]))) is float


def test_integers_do_not_wrap_around():
    assert Score.of([0], np.uint8([10]), np.uint8([3])).largest_deviation == 7.0


@pytest.mark.parametrize("metric", METRICS)
def test_different_shapes_are_refused(metric):
    with pytest.raises(HousingError, match=r"y_true has shape \(3,\) and y_pred \(3, 1\): they must be equal, "):
        metric([1, 2, 3], [[1], [2], [3]])


@pytest.mark.parametrize("metric", METRICS[:3])
def test_no_rows_are_refused(metric):
    with pytest.raises(HousingError, match="^y_true has no rows: a metric needs at least one$"):
        metric([], [])


def test_a_mask_is_no_number():
    with pytest.raises(HousingError, match="y_pred has masked entries"):
        r2_score([1.0, 2.0], np.ma.array([1.0, 5.0], mask=[False, True]))


def test_a_true_value_that_is_not_finite_is_named():
    with pytest.raises(HousingError, match=r"y_true\[1\]: nan is not a finite number"):
        r2_score([1.0, np.nan], [1.0, 2.0])


def test_an_empty_score_changes_nothing():
    score = Score.of([1.0, 2.0], [1.0, 3.0], [1.0, 2.5])
    for total in (score + Score(), Score() + score):
        assert vars(total) == vars(score)
    score.update([], [])
    assert score.rows == 2


def test_adding_changes_neither():
    left, right = Score.of([1.0, 2.0], [1.0, 3.0]), Score.of([5.0], [9.0])
    _ = left + right
    assert (left.rows, left.mse, right.rows, right.mse) == (2, 0.5, 1, 16.0)


@given(PAIRS, st.integers(1, 7))
def test_score_of_blocks_equals_the_whole(pairs, block):
    score = Score()
    for start in range(0, len(pairs), block):
        score += Score.of(*zip(*pairs[start : start + block], strict=True))
    true, pred = zip(*pairs, strict=True)
    assert score.rows == len(pairs)
    assert score.mse == pytest.approx(np.mean(np.subtract(true, pred) ** 2), rel=1e-12)
    assert score.r2 == pytest.approx(float(exact_r2(true, pred)), rel=1e-9, abs=1e-9)


@given(PAIRS, st.integers(1, 7))
def test_deviations_of_blocks_equal_those_of_the_whole(pairs, block):
    reference, pred = zip(*pairs, strict=True)
    score = Score()
    for start in range(0, len(pairs), block):
        score += Score.of(pred[start : start + block], pred[start : start + block], reference[start : start + block])
    distances = np.abs(np.subtract(reference, pred))
    assert score.rms_deviation == pytest.approx(np.sqrt(np.mean(distances**2)), rel=1e-12)
    assert score.largest_deviation == distances.max()


def test_score_far_from_zero_does_not_cancel():
    # Sums of squares about 0 would lose all digits of the deviations.
    score = Score()
    for value in (1e9 + 1, 1e9 + 2, 1e9 + 3):
        score += Score.of([value], [1e9 + 2])
    assert score.r2 == 0.0


@every("pred", [[0.5, 1.5, 7.0], [1.0, 2.0, 3.0]])
@every("true", [[1.0, 2.0, 3.0], [2.0, 2.0, 2.0], [[1.0, 2.0], [3.0, 2.0]]])
def test_equals_scikit_learn(true, pred):
    sklearn = pytest.importorskip("sklearn.metrics")
    if np.ndim(true) == 2:
        pred = [[1.0, 2.0], [2.5, 2.5]]
    assert r2_score(true, pred) == pytest.approx(sklearn.r2_score(true, pred), rel=1e-14)
    assert Score.of(true, pred).mse == pytest.approx(sklearn.mean_squared_error(true, pred), rel=1e-14)


@pytest.mark.parametrize("value", [0.1, -3.3])
def test_a_constant_target_in_blocks_scores_as_in_one(value):
    score = Score.of([value, value], [value, value]) + Score.of([value], [value + 1])
    assert score.r2 == r2_score([value] * 3, [value, value, value + 1]) == 0.0


def test_squares_beyond_float64_are_infinite_and_leave_r2_unknown():
    score = Score.of([1e200, -1e200, 0.0], [-1e200, 1e200, 0.0], [0.0, 0.0, 0.0])
    assert (score.mse, score.rms_deviation, score.largest_deviation) == (np.inf, np.inf, 1e200)
    assert np.isnan(score.r2)
    assert np.isnan((score + Score.of([1.0, 2.0], [1.0, 2.0])).r2)
    # The ratio would fit, but its numerator does not.
    assert np.isnan(r2_score([0.0, 1e150], [1e200, 0.0]))


def test_a_ratio_beyond_float64_is_infinite():
    assert r2_score([0.0, 1e-160], [1e150, -1e150]) == -np.inf


def test_a_constant_target_beyond_squares_is_met_or_not():
    assert r2_score([1e308] * 4, [1e308] * 4) == 1.0
    assert r2_score([1e308] * 4, [1e308, 1e308, 1e308, -1e308]) == 0.0


@pytest.mark.parametrize("values", [[[]], np.zeros((3, 0)), np.zeros((2, 3, 0))])
def test_no_target_is_no_target(values):
    with pytest.raises(HousingError, match=r"they must be equal, \(n,\) or \(n, k\)"):
        Score.of(values, values)


TRUE, PRED, OTHER = [1.0, 2.0, 4.0, 8.0], [1.5, 2.0, 3.0, 9.0], [1.0, 2.5, 3.0, 7.0]
WEIGHT = [0.5, 2.0, 3.0, 1.5]


def test_a_score_is_shown_with_its_rows():
    assert repr(Score.of([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])) == "<Score: 3 rows, R² 0.5000>"
    assert repr(Score.of([1.0], [1.0])) == "<Score: 1 row, R² 1.0000>"
    assert repr(Score.of([1.0, 2.0], [1.0, 2.0], None, [0.25, 2.5])) == "<Score: 2.75 rows, R² 1.0000>"
    assert repr(Score()) == "<Score: no rows>"


@pytest.mark.parametrize("columns", [1, 2])
def test_weighted_figures_are_those_of_scikit_learn(columns):
    sklearn = pytest.importorskip("sklearn.metrics")
    true, pred = (np.column_stack([values, values[::-1]])[:, :columns] for values in (TRUE, PRED))
    score = Score.of(true, pred, None, WEIGHT)
    given = {"sample_weight": WEIGHT}
    assert score.rows == 7.0
    assert score.mse == pytest.approx(sklearn.mean_squared_error(true, pred, **given), rel=1e-14)
    assert score.mae == pytest.approx(sklearn.mean_absolute_error(true, pred, **given), rel=1e-14)
    assert score.r2 == pytest.approx(sklearn.r2_score(true, pred, **given), rel=1e-14)
    assert r2_score(true, pred, WEIGHT) == score.r2


def test_weighted_deviations_are_from_the_reference():
    # (0.5 · 0.5² + 2 · 0.5² + 3 · 0² + 1.5 · 2²) / 7
    score = Score.of(TRUE, PRED, OTHER, WEIGHT)
    assert score.rms_deviation == pytest.approx((6.625 / 7) ** 0.5, rel=1e-14)
    assert score.largest_deviation == 2.0


def test_weighted_blocks_add_up_to_the_whole():
    whole, left = Score.of(TRUE, PRED, OTHER, WEIGHT), Score.of(TRUE[:1], PRED[:1], OTHER[:1], WEIGHT[:1])
    both = left + Score.of(TRUE[1:], PRED[1:], OTHER[1:], WEIGHT[1:])
    for name in ("rows", "r2", "mse", "mae", "rms_deviation", "largest_deviation"):
        assert getattr(both, name) == pytest.approx(getattr(whole, name), rel=1e-14), name


def test_a_row_of_weight_0_is_left_out_whatever_it_holds():
    score = Score.of([1e9, *TRUE], [-1e9, *PRED], [0.0, *OTHER], [0, 1, 1, 1, 1])
    expected = Score.of(TRUE, PRED, OTHER)
    for name in ("rows", "r2", "mse", "mae", "rms_deviation", "largest_deviation"):
        assert getattr(score, name) == pytest.approx(getattr(expected, name), rel=1e-14), name


def test_what_is_not_finite_is_named_by_its_argument():
    for arguments, place in [
        (([1.0, 2.0], [1.0, np.inf]), r"y_pred\[1\]: inf"),
        (([1.0, 2.0], [1.0, 2.0], [np.nan, 1.0]), r"reference\[0\]: nan"),
    ]:
        with pytest.raises(HousingError, match=f"^{place} is not a finite number"):
            Score.of(*arguments)


def test_a_reference_of_another_shape_is_refused():
    with pytest.raises(HousingError, match=r"^reference has shape \(1,\) and y_pred \(2,\): they must be equal"):
        Score.of([1.0, 2.0], [1.0, 2.0], [1.0])


def test_an_integer_that_float64_would_round_is_refused_in_each_argument():
    for place, name in enumerate(["y_true", "y_pred", "reference"]):
        arguments = [[1, 2], [1, 2], [1, 2]]
        arguments[place] = [1, 2**53 + 1]
        with pytest.raises(HousingError, match=rf"^{name}\[1\]: 9007199254740993 is an integer beyond"):
            Score.of(*arguments)


def test_frames_of_other_columns_are_not_compared():
    pd = pytest.importorskip("pandas")
    left, right = (pd.DataFrame([[1.0, 2.0], [3.0, 5.0]], columns=names) for names in (["a", "b"], ["b", "a"]))
    with pytest.raises(HousingError, match="y_true"):
        r2_score(left, right)


def test_means_whose_difference_overflows_add_up_without_a_warning():
    both = Score.of([1.5e308], [1.5e308]) + Score.of([-1.5e308], [-1.5e308])
    assert (both.rows, both.mse) == (2, 0.0)
    assert np.isnan(both.r2)


@every("weight", [None, [0.0, 1.0]])
@every("place", range(3))
def test_what_is_no_number_is_named_by_its_argument(place, weight):
    arguments = [[1.0, 2.0] for _ in range(3)]
    arguments[place] = ["a", "b"]
    name = ("y_true", "y_pred", "reference")[place]
    with pytest.raises(HousingError, match=f"^{name} has dtype <U1: expected real numbers"):
        Score().update(*arguments, weight)


def test_rows_of_weight_0_need_no_reference():
    assert Score.of([1.0, 2.0, 4.0], [9.0, 3.0, 6.0], None, [0, 1, 1]).mse == 2.5


def test_weights_count_beside_rows_of_weight_0():
    score = Score.of([1.0, 2.0, 4.0], [9.0, 3.0, 6.0], None, [0, 3, 1])
    assert (score.rows, score.mse) == (4.0, 1.75)


def test_a_true_value_that_is_infinite_as_the_prediction_is_named():
    with pytest.raises(HousingError, match=r"^y_true\[0\]: inf is not a finite number"):
        Score().update([np.inf], [np.inf])


def test_the_sum_of_no_rows_has_none():
    assert (Score() + Score()).rows == 0


def test_a_sum_whose_parts_are_beyond_float64_leaves_r2_unknown():
    values = [1.5e308, -1.5e308] * 8
    score = Score.of(values, values)
    assert (score.rows, score.mse) == (16, 0.0)
    assert np.isnan(score.r2)
