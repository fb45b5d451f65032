"""Rows against those that a model was trained on."""

import json

import numpy as np
import pytest
from cases import every
from scipy.stats import binom, chi2_contingency, norm
from strategies import integer_model

from housing_np import LinearRegression, QuantizedLinear
from housing_np.errors import HousingError
from housing_np.evaluation.ranges import (
    Drift,
    Shift,
    drift_note,
    is_truth_value,
    known_range,
    outside,
    own_range,
    usual_range,
)
from housing_np.quantized.calibration import Calibration
from housing_np.rows.columns import Columns
from housing_np.store.report_file import ranges_of

NAMES = ("rooms", "age")
MODEL = LinearRegression.from_coefficients([2.0, -1.0], 0.0, NAMES, ["price"])


def moved(seen, X, model=MODEL, size=7):
    result = Drift(model, seen)
    for i in range(0, len(X), size):
        result.update(X[i : i + size])
    return result


def rows_of(mean, n=100):
    """Rows with these means and the deviation 1."""
    return np.asarray(mean) + np.where(np.arange(n) % 2, 1.0, -1.0)[:, None]


def of_both(figures):
    return dict.fromkeys(NAMES, figures)


def of_report(tmp_path, **changes):
    feature = {"low": 0.0, "high": 4.0, "mean": 1.0, "deviation": 0.5}
    report = {"data": {"rows": 50}, "features": dict.fromkeys(("age", "rooms"), feature), "housing_np_report": 1}
    path = tmp_path / "r.json"
    path.write_text(json.dumps(report | changes))
    return str(path)


def test_the_ranges_of_a_report_are_its_figures_in_any_order_of_keys(tmp_path):
    seen = ranges_of(of_report(tmp_path), NAMES)
    assert (seen.rows, seen.mean.tolist(), seen.deviation.tolist()) == (50, [1.0, 1.0], [0.5, 0.5])
    assert (seen.low.tolist(), seen.high.tolist()) == ([0.0, 0.0], [4.0, 4.0])


def test_the_report_of_a_training_says_what_its_rows_say(models, california):
    names = california.table.feature_names
    got, expected = ranges_of(str(models / "report.json"), names), Calibration.of(california.table.X)
    for figure in ("rows", "mean", "deviation", "low", "high"):
        np.testing.assert_allclose(getattr(got, figure), getattr(expected, figure), rtol=1e-9)


def test_rows_in_json_are_rows(tmp_path):
    (tmp_path / "rows.json").write_text('[{"rooms": 1, "age": 2}, {"rooms": 3, "age": 2}]')
    assert ranges_of(str(tmp_path / "rows.json"), NAMES).high.tolist() == [3.0, 2.0]


def test_a_report_without_a_feature_is_refused(tmp_path):
    with pytest.raises(HousingError, match="has no feature 'floors', which the model needs"):
        ranges_of(of_report(tmp_path), ["rooms", "floors"])


@every(
    "changes",
    [
        {"data": {}},
        {"data": {"rows": 0}},
        {"features": {"rooms": {}, "age": {}}},
        {"features": []},
        {"features": of_both({"low": 2.0, "high": 1.0, "mean": 1.0, "deviation": 1.0})},
        {"features": of_both({"low": None, "high": 1.0, "mean": 1.0, "deviation": 1.0})},
        {"features": of_both({"low": "a", "high": 1.0, "mean": 1.0, "deviation": 1.0})},
        {"housing_np_report": 2},
    ],
    ids=str,
)
def test_a_report_that_is_not_whole_is_refused(tmp_path, changes):
    with pytest.raises(HousingError, match=r"r\.json: (not a whole report|the report has no feature)"):
        ranges_of(of_report(tmp_path, **changes), NAMES)


def test_a_report_that_is_cut_is_refused(tmp_path):
    path = tmp_path / "r.json"
    path.write_text('{"housing_np_report": 1, "data": {')
    with pytest.raises(HousingError, match="not a whole report"):
        ranges_of(str(path), NAMES)


@pytest.mark.parametrize(("factor", "expected"), [(0.99, []), (1.01, ["rooms"])])
def test_a_mean_has_moved_beyond_the_quantile_of_bonferroni(factor, expected):
    seen = Calibration.of(rows_of([0.0, 5.0], 400))
    least = norm.isf(0.001 / 2 / 2) * np.sqrt(1 / 100 + 1 / 400)
    for sign in (1, -1):
        found = moved(seen, rows_of([sign * factor * least, 5.0])).shifts()
        assert [shift.feature for shift in found] == expected


def test_a_shift_moves_predictions_by_the_weight_times_it():
    seen = Calibration.of(rows_of([0.0, 5.0]))
    found = moved(seen, rows_of([1.0, 8.0])).shifts()
    assert [each.feature for each in found] == ["age", "rooms"]
    assert [tuple(each)[1:] for each in found] == [pytest.approx((5.0, 8.0, -3.0)), pytest.approx((0.0, 1.0, 2.0))]


def test_of_several_targets_the_effect_is_the_largest():
    model = LinearRegression.from_coefficients([[1.0, 0.0], [-3.0, 0.0]], [0.0, 0.0], NAMES, ["p", "q"])
    (shift,) = moved(Calibration.of(rows_of([0.0, 0.0])), rows_of([2.0, 0.0]), model).shifts()
    assert shift.effect == pytest.approx(-6.0)


@pytest.mark.parametrize(("rows", "seen_rows"), [(29, 100), (100, 29)])
def test_of_fewer_than_thirty_rows_nothing_is_said(rows, seen_rows):
    seen = Calibration.of(np.zeros((seen_rows, 2)) + [[0.0, 1.0]])
    assert moved(seen, np.full((rows, 2), 9.0)).shifts() == []
    assert moved(Calibration.of(np.ones((30, 2))), np.full((30, 2), 9.0)).shifts() != []


def test_a_constant_has_not_moved_by_rounding():
    X = np.full((1000, 2), 0.1)
    assert moved(Calibration.of(X), X, size=3).shifts() == []


def test_the_same_rows_have_not_moved(california):
    model, X = california.model, california.table.X
    assert moved(Calibration.of(X), X, model, size=1000).shifts() == []


def test_income_in_another_unit_is_inside_the_range_and_is_told(california):
    model, X = california.model, california.table.X.copy()
    seen = Calibration.of(X)
    X[:, 0] *= 0.4
    result = moved(seen, X[X[:, 0] >= seen.low[0]], model, size=1000)
    assert result.outside == 0
    assert result.shifts()[0].feature == "MedInc"


def test_without_rows_seen_nothing_is_outside_and_nothing_moved():
    result = moved(None, np.full((50, 2), 1e9))
    assert (result.rows, result.outside, result.share, result.shifts()) == (50, 0, 0.0, [])


def test_the_share_outside_is_of_the_rows():
    assert (
        moved(Calibration.of([[0.0, 0.0], [1.0, 1.0]]), np.array([[0.5, 0.5], [0.5, 2], [0, 1], [1, 1]])).share == 0.25
    )
    assert Drift(MODEL, None).share == 0.0


def test_rows_outside_are_counted_over_all_blocks():
    X = np.array([[2.0, 0.0], [0.0, 2.0], [0.5, 0.5], [-1.0, 0.0], [1.0, 0.0]])
    assert moved(Calibration.of([[0.0, 0.0], [1.0, 1.0]]), X, size=3).outside == 3


def test_the_largest_effect_comes_first():
    found = moved(Calibration.of(rows_of([0.0, 5.0])), rows_of([4.0, 8.0])).shifts()
    assert [(each.feature, each.effect) for each in found] == [
        ("rooms", pytest.approx(8.0)),
        ("age", pytest.approx(-3)),
    ]


def test_many_shifts_are_cut():
    effect = "0 → 1 (moves predictions by 1)"
    four = f"means that shifted more than chance would: x0 {effect}, x1 {effect}, x2 {effect}, x3 {effect}"
    shifts = [Shift(f"x{i}", 0.0, 1.0, 1.0) for i in range(9)]
    assert drift_note(shifts) == f"{four}, … and 5 more"
    assert drift_note(shifts[:4]) == four


def test_a_model_of_integers_has_a_range_of_its_own():
    # Its inputs are uint8 with the scale 1 and the offset 0.
    assert [end.tolist() for end in own_range(integer_model([1, 2], 0, 0))] == [[0.0, 0.0], [255.0, 255.0]]
    low, high = own_range(QuantizedLinear.from_linear(MODEL, [[0.0, 1.0], [510.0, 52.0]], "integer"))
    assert (low.tolist(), high.tolist()) == ([0.0, 1.0], pytest.approx([510.0, 52.0], rel=1e-6))
    assert own_range(MODEL) is None
    assert own_range(QuantizedLinear.from_linear(MODEL, [[0.0, 1.0], [2.0, 5.0]])) is None


def test_the_callers_rows_come_first_then_the_models_own_range_then_the_report():
    given, reported = Calibration.of([[1.0]]), Calibration.of([[2.0]])
    assert known_range(MODEL, given, reported) is given
    assert known_range(integer_model([1], 0, 0), given, reported) is given
    assert known_range(MODEL, None, reported) is reported
    assert known_range(integer_model([1], 0, 0), None, reported) is None


def test_rows_outside_the_models_own_range_are_counted():
    result = moved(None, np.array([[-40.0], [0.0], [255.0], [300.0], [10.0]]), integer_model([1], 0, 0))
    assert (result.rows, result.outside) == (5, 2)


def test_without_any_range_no_row_is_marked():
    np.testing.assert_array_equal(outside(MODEL, None)(np.ones((3, 2))), np.zeros(0, np.bool_), strict=True)


def test_a_block_without_rows_changes_nothing():
    result = moved(Calibration.of([[0.0, 0.0]]), np.array([[1.0, 2.0]]))
    result.update(np.empty((0, 2)))
    assert (result.rows, result.outside, result.mean.tolist()) == (1, 1, [1.0, 2.0])


def of_one(values, mean, deviation=0.0, weight=1.0):
    """The shifts of a feature after rows with these values, one a block; 30 rows had this mean."""
    model = LinearRegression.from_coefficients([weight], 0.0, ["x"], ["y"])
    figures = [np.array([figure]) for figure in (mean, deviation, 0.0, 2.0)]
    return moved(Calibration.of_figures(30, *figures), np.array(values)[:, None], model, size=1).shifts()


@pytest.mark.parametrize(("shift", "count"), [(2.0**-40, 0), (2.0**-40 + 2.0**-50, 1)])
def test_a_shift_of_2_to_the_minus_40_of_the_mean_is_rounding(shift, count):
    assert len(of_one([1.0 + shift] * 30, mean=1.0)) == count


def test_a_shift_beyond_float64_is_infinite():
    (shift,) = of_one([1.5e308] * 30, mean=-1.5e308)
    assert shift.effect == np.inf


def test_the_effect_of_an_infinite_shift_without_weight_is_unknown():
    (shift,) = of_one([1.5e308] * 30, mean=-1.5e308, weight=0.0)
    assert np.isnan(shift.effect)


def test_a_mean_beyond_float64_is_no_error():
    result = Drift(MODEL, Calibration.of([[0.0, 0.0]]))
    for _ in range(2):
        result.update(np.full((2, 2), 1.5e308))
    assert (result.rows, result.outside) == (4, 4)


# The usual range, and truth values


def usual(first, last, low=0.0, high=100.0):
    """The usual range of a feature whose report has these percentiles."""
    ends = (np.array([first]), np.array([last]))
    rows = Calibration.of_figures(9, np.array([1.0]), np.array([1.0]), np.array([0.0]), np.array([100.0]), ends)
    return [end.tolist() for end in usual_range(np.array([low]), np.array([high]), rows)]


def test_the_usual_range_is_that_of_the_percentiles():
    assert usual(1.5, 5.25) == [[1.5], [5.25]]


def test_the_usual_range_is_not_beyond_the_range():
    assert usual(1.5, 5.25, low=2.0, high=4.0) == [[2.0], [4.0]]


def test_a_feature_that_hardly_ever_varies_has_its_whole_range():
    assert usual(0.0, 0.0) == [[0.0], [100.0]]


@pytest.mark.parametrize("rows", [None, Calibration.of([[0.0], [1.0]])])
def test_without_percentiles_no_usual_range_is_known(rows):
    assert usual_range(np.zeros(1), np.ones(1), rows) is None


@every(
    ("values", "expected"),
    [
        ([0, 1], True),
        ([0, 1, 1, 1], True),
        ([0] * 9999 + [1], True),
        ([0, 1] * 5000 + [0.5], False),
        ([0, 1] * 5000 + [1e-5], False),
        ([0, 0], False),
        ([1, 1], False),
        ([-1, 1], False),
        ([0, 2], False),
        ([0, 1e300], False),
    ],
)
def test_a_truth_value_is_0_or_1(values, expected):
    rows = Calibration()
    for block in np.array_split(np.array(values, np.float64)[:, np.newaxis], 3):
        rows += Calibration.of(block) if len(block) else Calibration()
    assert is_truth_value(rows).tolist() == [expected]


# Shares of levels

COLUMNS = Columns(("age", "sea"), levels={"sea": ("far", "near", "in it")})
OF_LEVELS = LinearRegression.from_coefficients([1.0, 10.0, 100.0], 0.0, COLUMNS.feature_names, ["price"], COLUMNS)


def rows_at_sea(far, near, inside):
    """Rows of age 0 and 2 in turn, so many with each level."""
    cells = np.repeat([0.0, 1.0, 2.0], [far, near, inside])
    return COLUMNS.encode(np.column_stack([2.0 * (np.arange(len(cells)) % 2), cells]))


def test_shares_that_moved_are_named_with_that_of_the_baseline():
    found = moved(Calibration.of(rows_at_sea(100, 50, 50)), rows_at_sea(20, 130, 50), OF_LEVELS, size=200).shifts()
    shown = {each.feature: [round(value, 9) for value in each[1:]] for each in found}
    # The baseline has no weight: what it moves is what all levels of its category move.
    assert shown == {"sea=near": [0.25, 0.65, 4.0], "sea=far": [0.5, 0.1, 4.0]}


def test_a_baseline_that_is_gone_has_the_share_0():
    found = moved(Calibration.of(rows_at_sea(100, 50, 50)), rows_at_sea(0, 70, 30), OF_LEVELS, size=100).shifts()
    assert next(each.mean for each in found if each.feature == "sea=far") == 0.0


def test_a_baseline_that_is_all_has_the_share_1():
    found = moved(Calibration.of(rows_at_sea(100, 50, 50)), rows_at_sea(100, 0, 0), OF_LEVELS, size=100).shifts()
    assert next(each.mean for each in found if each.feature == "sea=far") == 1.0


def test_levels_that_are_shared_as_before_are_not_named():
    assert moved(Calibration.of(rows_at_sea(100, 50, 50)), rows_at_sea(50, 25, 25), OF_LEVELS, size=100).shifts() == []


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_rare_level_has_moved_where_chance_has_fewer_such_rows(count):
    new = rows_at_sea(75 - count, 25, count)
    found = moved(Calibration.of(rows_at_sea(15_000, 4_995, 5)), new, OF_LEVELS, size=100).shifts()
    is_chance = binom.sf(count - 1, 100, 5 / 20_000) > 0.001 / 4  # of three levels and a number
    assert [each.feature for each in found] == ([] if is_chance else ["sea=in it"])


def test_levels_are_told_apart_from_numbers():
    assert Drift(OF_LEVELS, None).levels == {"sea=far", "sea=near", "sea=in it"}


def test_a_note_says_what_has_moved():
    shifts = [Shift("sea=far", 0.5, 0.25, 1.0), Shift("age", 1.0, 2.0, 1.0)]
    assert drift_note(shifts, {"sea=far"}) == (
        "means and shares of levels that shifted more than chance would: sea=far 0.5 → 0.25 (moves predictions by 1), "
        "age 1 → 2 (moves predictions by 1)"
    )


def test_rows_of_a_level_that_is_not_known_are_outside():
    result = moved(Calibration.of([[0.0, 0.0]]), np.zeros((3, 2)))
    result.update_unknown(1)
    assert (result.rows, result.outside, result.share) == (3, 1, 0.25)


def test_without_a_range_nothing_is_outside_it():
    result = moved(None, np.zeros((3, 2)))
    result.update_unknown(1)
    assert (result.outside, result.share) == (0, 0.0)


@pytest.mark.parametrize(("far", "names"), [(64, ["sea=far"]), (66, [])])
def test_the_share_of_a_baseline_is_tested_by_the_likelihood_ratio(far, names):
    rest = (200 - far) // 2
    test = chi2_contingency([[100, 100], [far, 200 - far]], correction=False, lambda_="log-likelihood")
    assert (test.pvalue < 0.001 / 4) == bool(names)  # of three levels and a number
    found = moved(Calibration.of(rows_at_sea(100, 50, 50)), rows_at_sea(far, rest, rest), OF_LEVELS, size=200).shifts()
    assert [each.feature for each in found] == names
