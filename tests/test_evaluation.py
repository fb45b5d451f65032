"""What the models are worth: the figures of the project that this one replaces, and honest ones."""

import warnings
from math import nan
from types import SimpleNamespace

import numpy as np
import pytest
from cases import every

from housing_np import HousingError, LinearRegression, QuantizedLinear, Table
from housing_np.evaluation.deviation import Share, error_shares, guarantee
from housing_np.evaluation.first_pass import FirstPass
from housing_np.evaluation.gates import Gates, losses
from housing_np.evaluation.sample import Head
from housing_np.evaluation.scores import Figures, OutOfSample, Scores, figures, require_figures
from housing_np.evaluation.second_pass import HELD_OUT, SecondPass, held_out_scores
from housing_np.evaluation.smallest import Way, by_size, nearest, ways
from housing_np.evaluation.split import holdout_split
from housing_np.fit.metrics import Score
from housing_np.fit.passes import total
from housing_np.quantized.calibration import Calibration
from housing_np.quantized.schemes import INTEGERS, SCHEMES
from housing_np.rows.table import Stream

# scikit-learn's LinearRegression on fetch_california_housing, as its issues and notebooks print it.
COEFFICIENTS = {
    "MedInc": 0.436693293,
    "HouseAge": 0.00943577803,
    "AveRooms": -0.107322041,
    "AveBedrms": 0.645065694,
    "Population": -3.97638942e-06,
    "AveOccup": -0.00378654265,
    "Latitude": -0.421314378,
    "Longitude": -0.434513755,
}


@pytest.fixture(scope="module")
def model(california):
    return california.model


def r2_score(true, predicted):
    """The formula, in one piece."""
    true, predicted = np.asarray(true), np.asarray(predicted)
    return 1 - np.sum((true - predicted) ** 2) / np.sum((true - true.mean()) ** 2)


def mean_squared_error(true, predicted):
    return np.mean((np.asarray(true) - predicted) ** 2)


def first_pass(table, blocks=None, model=None):
    return total(FirstPass.of(table, model or LinearRegression()), table if blocks is None else blocks)


def second_pass(table, blocks=None, model=None):
    """The second pass for the float model that the first fits to all of a table, given in these blocks."""
    blocks = [(table.X, table.y)] if blocks is None else blocks
    model = model or LinearRegression()
    first = first_pass(table, blocks, model)
    model.set_solution(first.all_rows)
    return total(SecondPass.of({"float64": model}, model, first), blocks)


def leave_one_out(table):
    return OutOfSample.of(second_pass(table).leave_one_out.score)


def held_out(table, blocks=None):
    return OutOfSample.of(second_pass(table, blocks).held_out.sum.scores.get(HELD_OUT))


def small(n, p=2, seed=0):
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, p))
    return Table(X, X.sum(axis=1) + random.normal(size=n), tuple(f"x{i}" for i in range(p)), "y")


def test_the_model_is_a_linear_regression_of_eight_features(model):
    assert isinstance(model, LinearRegression)
    assert model.coef_.shape == (8,)
    assert model.rank_ == 8


def test_the_coefficients_are_those_of_scikit_learn(model):
    np.testing.assert_allclose(model.coef_, list(COEFFICIENTS.values()), rtol=5e-9)
    assert model.feature_names_in_ == tuple(COEFFICIENTS)


def test_the_intercept_is_that_of_scikit_learn(model):
    assert model.intercept_ == pytest.approx(-36.9419202, rel=5e-9)


def test_the_figures_on_all_rows_are_those_of_the_original(model, california):
    got = figures({"float64": model}, model, california.table)["float64"]
    assert (round(got.r2, 4), round(got.mse, 4)) == (0.6062, 0.5243)
    assert (got.largest_deviation, got.rms_deviation) == (0.0, 0.0)


def test_the_first_predictions_are_those_of_the_original(model, california):
    assert model.predict(california.table.X[:5]).round(2).tolist() == [4.13, 3.98, 3.68, 3.24, 2.41]


def test_the_figures_of_the_held_out_fifth(california):
    got = held_out(california.table)
    assert (round(got.r2, 4), round(got.mse, 4)) == (0.5758, 0.5559)


def test_the_deviation_is_from_the_reference_and_r2_from_the_truth():
    table = Table(np.array([[0.0], [1.0], [2.0]]), np.array([0.0, 1.0, 2.0]), ("x",), "y")
    reference = LinearRegression.from_coefficients([1.0], 0.0, ["x"], ["y"])
    other = LinearRegression.from_coefficients([2.0], 0.0, ["x"], ["y"])
    got = figures({"reference": reference, "other": other}, reference, table)
    assert got["reference"] == (1.0, 0.0, 0.0, 0.0, 0.0)
    # Residuals 0, 1, 2 against a total sum of squares of 2.
    assert got["other"] == pytest.approx((1 - 5 / 2, 5 / 3, 2.0, (5 / 3) ** 0.5, 1.0))


@pytest.mark.parametrize("size", [1, 7, 100])
def test_the_figures_do_not_depend_on_blocks(size):
    table = small(100)
    model = LinearRegression().fit(table.X, table.y)
    quantized = QuantizedLinear.from_linear(model, table.X, "per-tensor", bits=3)
    blocks = [(table.X[i : i + size], table.y[i : i + size]) for i in range(0, 100, size)]
    got = figures({"uint8": quantized}, model, blocks)["uint8"]
    predicted, expected = quantized.predict(table.X), model.predict(table.X)
    assert got.r2 == pytest.approx(r2_score(table.y, predicted), rel=1e-12)
    assert got.mse == pytest.approx(mean_squared_error(table.y, predicted), rel=1e-12)
    assert got.largest_deviation == np.abs(predicted - expected).max() > 0
    assert got.rms_deviation == pytest.approx(np.sqrt(np.mean((predicted - expected) ** 2)), rel=1e-12)


def lossy(table):
    """A float model of a table, and a quantized one that is not as good."""
    model = LinearRegression().fit(table.X, table.y)
    return model, QuantizedLinear.from_linear(model, table.X, "per-tensor", bits=3)


def test_scores_of_parts_add_up_and_go_on():
    table = small(100)
    model, quantized = lossy(table)
    empty = Scores({"float64": model, "uint8": quantized}, model)
    parts = [(table.X[a:b], table.y[a:b]) for a, b in ((0, 0), (0, 30), (30, 70), (70, 100))]
    nothing, first, second = (total(empty, [part] if len(part[1]) else []) for part in parts[:3])
    both = nothing + first + second + nothing
    both.update(*parts[3])
    whole = total(empty, table).figures()
    for name, got in both.figures().items():
        assert got == pytest.approx(whole[name], rel=1e-12, abs=1e-15)
    assert list(both.figures()) == ["float64", "uint8"]


def test_second_passes_over_parts_add_up_and_go_on():
    table = small(100)
    blocks = [(table.X[a:b], table.y[a:b]) for a, b in ((0, 30), (30, 70), (70, 100))]
    first = first_pass(table, blocks)
    empty = SecondPass.of({}, LinearRegression().set_solution(first.all_rows), first)
    both = total(empty, blocks[:1]) + total(empty, blocks[1:2])
    both.update(*blocks[2])
    whole = total(empty, blocks)
    assert both.leave_one_out.score.mse == pytest.approx(whole.leave_one_out.score.mse, rel=1e-12)
    held = [each.held_out.sum.scores[HELD_OUT].mse for each in (both, whole)]
    assert held[0] == pytest.approx(held[1], rel=1e-12)


def test_nothing_held_out_adds_up_to_nothing():
    first = first_pass(small(2, p=1))
    empty = held_out_scores(first.four_fifths.sum, LinearRegression().set_solution(first.all_rows))
    assert (empty + empty).sum.scores == {}


def test_a_guarantee_is_of_deviations_and_bounds():
    table = small(101)
    model, quantized = lossy(table)
    deviation = np.abs(quantized.predict(table.X) - model.predict(table.X))
    bound = quantized.error_bound(table.X)
    expected = [np.median(deviation), np.mean(deviation**2) ** 0.5, max(deviation), np.median(bound), max(bound)]
    assert guarantee(quantized, model, table.X) == pytest.approx(expected, rel=1e-12)


def test_leave_one_out_equals_the_refits(california):
    rows = np.arange(0, 20_640, 500)
    table = Table(
        california.table.X[rows], california.table.y[rows], california.table.feature_names, california.table.target_name
    )
    predicted = [
        LinearRegression().fit(np.delete(table.X, i, axis=0), np.delete(table.y, i)).predict(table.X[i : i + 1]).item()
        for i in range(len(rows))
    ]
    got = leave_one_out(table)
    assert got.r2 == pytest.approx(r2_score(table.y, predicted), rel=1e-9)
    assert got.mse == pytest.approx(mean_squared_error(table.y, predicted), rel=1e-9)


def test_leave_one_out_on_all_rows(california):
    got = leave_one_out(california.table)
    assert (round(got.r2, 4), round(got.mse, 4)) == (0.6033, 0.5282)


def test_leave_one_out_is_unknown_where_a_row_alone_sets_a_coefficient():
    table = Table(np.array([[0.0], [0.0], [0.0], [1.0]]), np.array([1.0, 2.0, 3.0, 4.0]), ("x",), "y")
    assert leave_one_out(table) == (None, None, None)


def with_rare(rows=2982, at=(17,)):
    """A table with features that are 1 in one row each: that row alone says what they weigh."""
    table = small(rows)
    X = np.column_stack([table.X * [1, 1000] + [5, 1990], np.zeros((rows, len(at)))])
    for column, row in enumerate(at):
        X[row, 2 + column] = 1.0
    return Table(X, table.y, ("x", "year", "rare", "scarce")[: 2 + len(at)], "y")


def without(table, rows):
    """The same table without these rows, and the columns that are 0 in all others."""
    X, y = np.delete(table.X, rows, axis=0), np.delete(table.y, rows)
    return Table(X[:, :2], y, table.feature_names[:2], "y")


@pytest.mark.filterwarnings("ignore::numpy.exceptions.RankWarning")  # of the four fifths
@pytest.mark.parametrize("at", [(0,), (17,), (2981,), (17, 2000)])
def test_leave_one_out_is_that_of_the_other_rows_where_rows_alone_set_a_coefficient(at):
    table = with_rare(at=at)
    # A row with a weight of its own is fitted whatever the others are: these are fitted as without it.
    got, expected = OutOfSample.of(second_pass(table).leave_one_out.others), leave_one_out(without(table, at))
    assert got == pytest.approx(expected, rel=1e-9)


@pytest.mark.filterwarnings("ignore::numpy.exceptions.RankWarning")  # of the four fifths
@pytest.mark.parametrize("size", [100, 1000, 2982])
def test_the_features_that_rows_alone_determine_are_named_whatever_the_blocks(size):
    table = with_rare(at=(17, 2000))
    blocks = [(table.X[i : i + size], table.y[i : i + size]) for i in range(0, 2982, size)]
    left_out = second_pass(table, blocks).leave_one_out
    assert (left_out.alone, left_out.features) == (2, {"rare", "scarce"})


def test_rows_alone_in_other_parts_add_up():
    table = with_rare(at=(17, 2000))
    first = first_pass(table)
    empty = SecondPass.of({}, LinearRegression().set_solution(first.all_rows), first)
    parts = [total(empty, [(table.X[part], table.y[part])]) for part in (slice(1500), slice(1500, None))]
    both = (parts[0] + parts[1]).leave_one_out
    assert (both.alone, both.features) == (2, {"rare", "scarce"})


@pytest.mark.filterwarnings("ignore::numpy.exceptions.RankWarning")
def test_a_row_alone_is_told_from_columns_that_depend_on_each_other():
    table = with_rare()
    doubled = Table(np.column_stack([table.X, 2 * table.X[:, 0]]), table.y, (*table.feature_names, "double"), "y")
    left_out = second_pass(doubled).leave_one_out
    assert (left_out.alone, left_out.features) == (1, {"rare"})
    assert OutOfSample.of(left_out.others) == pytest.approx(leave_one_out(without(table, (17,))), rel=1e-9)


@pytest.mark.filterwarnings("ignore::numpy.exceptions.RankWarning")
def test_columns_that_depend_on_each_other_leave_leave_one_out_as_it_is():
    table = small(50)
    doubled = Table(np.column_stack([table.X, table.X[:, 0]]), table.y, (*table.feature_names, "same"), "y")
    assert leave_one_out(doubled) == pytest.approx(leave_one_out(table), rel=1e-9)


def test_leave_one_out_is_unknown_for_as_many_rows_as_coefficients():
    table = Table(np.array([[0.0], [1.0]]), np.array([1.0, 4.0]), ("x",), "y")
    assert leave_one_out(table) == (None, None, None)


def rare(rows, held_out_only):
    """A table with a column that is 1 in a row of the held-out fifth alone, or in none."""
    X = np.column_stack([small(rows).X[:, 0], np.zeros(rows)])
    if held_out_only:
        X[holdout_split(rows)[1][0], 1] = 1.0
    return Table(X, small(rows).y, ("x", "rare"), "y")


def rank_notes(table):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        second_pass(table)
    return [str(each.message) for each in caught]


def test_a_note_on_the_rank_of_the_four_fifths_says_so():
    (told,) = rank_notes(rare(20, held_out_only=True))
    assert told.startswith("in the four fifths that the held-out figures are fitted to, the features have rank 1,")


def test_a_note_on_the_rank_of_all_rows_is_not_said_again_of_the_four_fifths():
    (told,) = rank_notes(rare(20, held_out_only=False))
    assert told.startswith("the features have rank 1,")


@every("sizes", [[3], [4], [11], [50], [50, 7], [1, 20]])
def test_held_out_is_a_fit_to_the_other_rows_of_each_block(sizes):
    blocks = [small(n, p=1, seed=n) for n in sizes]
    X, y = np.concatenate([block.X for block in blocks]), np.concatenate([block.y for block in blocks])
    X = np.column_stack([np.ones(len(y)), X])
    starts = np.cumsum([0, *sizes])
    train, test = (
        np.concatenate([start + holdout_split(n)[i] for start, n in zip(starts, sizes, strict=False)]) for i in (0, 1)
    )
    whole = Table(np.concatenate([b.X for b in blocks]), np.concatenate([b.y for b in blocks]), ("x0",), "y")
    got = held_out(whole, [(block.X, block.y) for block in blocks])
    predicted = X[test] @ np.linalg.lstsq(X[train], y[train])[0]
    assert got.mse == pytest.approx(mean_squared_error(y[test], predicted), rel=1e-9)
    if len(test) > 1:
        assert got.r2 == pytest.approx(r2_score(y[test], predicted), rel=1e-9)


def test_held_out_is_unknown_for_fewer_rows_than_coefficients():
    assert held_out(small(2, p=1)) == (None, None, None)


def test_the_r2_of_a_single_held_out_row_is_unknown():
    assert held_out(small(5, p=1)).r2 is None


LOSSLESS, LOSSY = Figures(0.6, 0.5, 0.0, 0.0), Figures(0.5, 0.6, 0.25, 0.1)
SHARES = [Share("rooms", 0.5, 0.4, 0.25, 0.1)]


@every(
    ("gates", "lines"),
    [
        (Gates(), []),
        (Gates(max_r2_drop=0.2, max_deviation=0.3), []),
        (Gates(max_deviation=0.25), []),
        (Gates(max_r2_drop=0.05), ["m: R² drops by 0.1, "]),
        (Gates(max_deviation=0.2), ["m: the largest deviation is 0.25, "]),
        (Gates(max_r2_drop=0.0, max_deviation=0.0), ["m: R² drops", "m: the largest deviation"]),
        (Gates(max_r2_drop=float("nan"), max_deviation=float("nan")), ["m: R² drops", "m: the largest deviation"]),
    ],
)
def test_each_broken_limit_is_told_in_one_line(gates, lines):
    broken = gates.failures("m", LOSSY, LOSSLESS, SHARES)
    assert len(broken) == len(lines)
    assert all(line.startswith(start) for line, start in zip(broken, lines, strict=True))


def test_a_drop_that_is_the_limit_does_not_break_it():
    assert Gates(0.25).failures("m", Figures(0.5, 1, 0, 0), Figures(0.75, 1, 0, 0), SHARES) == []
    assert len(Gates(0.2499).failures("m", Figures(0.5, 1, 0, 0), Figures(0.75, 1, 0, 0), SHARES)) == 1


def test_the_feature_that_is_to_blame_is_the_one_whose_error_is_left_by_the_intercept():
    shares = [Share("age", 1, 0, 9.0, 0.1), Share("people", 1, 0, 8.0, 0.3), Share("rooms", 1, 0, 7.0, 0.2)]
    for order in (shares, shares[::-1]):
        (line,) = Gates(max_deviation=0.0).failures("m", LOSSY, LOSSLESS, order)
        assert (
            line == "m: the largest deviation is 0.25, over the limit 0; "
            "most of the error is in the weight of people; nothing is written"
        )


def test_shares_are_of_the_target_whose_error_is_largest():
    rows = Calibration.of([[1.0, 10.0], [3.0, 30.0]])  # rms √5 and √500, deviations 1 and 10
    names = (["a", "b"], ["y", "z", "w"])
    exact = LinearRegression.from_coefficients([[1.0, 2.0], [3.0, -4.0], [5.0, 6.0]], [0, 0, 0], *names)
    rounded = LinearRegression.from_coefficients([[1.5, 2.01], [3.5, -4.25], [6.0, 6.0]], [0, 0, 0], *names)
    # Effects: y 0.5 √5 + 0.01 √500, z 0.5 √5 + 0.25 √500, w √5.
    assert error_shares(rounded, exact, rows) == [
        pytest.approx(("b", -4.25, -4.0, 0.25 * 500**0.5, 2.5)),
        pytest.approx(("a", 3.5, 3.0, 0.5 * 5**0.5, 0.5)),
    ]


def r2s(*values):
    return {f"m{i}": Figures(value, 1.0, 0.0, 0.0) for i, value in enumerate(values)}


@pytest.mark.parametrize(
    ("values", "named"),
    [((0.95, 0.901), []), ((0.95, 0.89), ["m1"]), ((-0.01, -138.0, 0.95), ["m0", "m1"]), ((np.nan, 0.95), ["m0"])],
)
def test_models_that_lose_more_than_a_twentieth_are_named(values, named):
    lines = losses(r2s(*values), Figures(0.95, 1.0, 0.0, 0.0))
    assert [line.split(":")[0] for line in lines] == named


def test_the_best_of_the_others_is_what_to_take():
    (line,) = losses(r2s(0.5, 0.93, 0.94), Figures(0.95, 1.0, 0.0, 0.0))
    assert line == "m0: R² is 0.5, 0.45 less than the float model's 0.95; take m2, which has 0.94"


def test_float32_is_what_to_take_where_no_uint8_model_will_do():
    (line,) = losses(r2s(0.5), LOSSLESS, {"float32": LOSSLESS, "bad": Figures(0.2, 1.0, 0.0, 0.0)})
    assert line.endswith(f"; take float32, which has {LOSSLESS.r2:g}")
    (line,) = losses(r2s(0.5), LOSSLESS, {"float32": LOSSLESS, "good": LOSSLESS._replace(r2=LOSSLESS.r2 - 0.01)})
    assert "; take good, which has" in line


def test_where_all_lose_the_float_model_is_what_to_take():
    lines = losses(r2s(0.5, -0.6), Figures(0.95, 1.0, 0.0, 0.0))
    assert all(line.endswith("; no scheme loses less than 0.05: take the float model") for line in lines)


def test_a_model_that_gains_breaks_no_limit():
    assert Gates(0.0, 0.0).failures("m", Figures(0.7, 0.4, 0.0, 0.0), LOSSLESS, SHARES) == []


def test_a_figure_that_is_not_a_number_breaks_every_limit():
    nan = float("nan")
    assert len(Gates(1.0, 1.0).failures("m", Figures(nan, nan, nan, nan), LOSSLESS, SHARES)) == 2


def test_squares_that_do_not_fit_are_not_a_number():
    # (1e-300)² is 0 in float64, and so is the variance.
    assert np.isnan(Score.of([0.0, 1e-300], [0.0, 0.0]).r2)


@pytest.mark.parametrize(
    ("n", "train", "test"),
    [
        # sklearn.model_selection.train_test_split(range(n), test_size=0.2, random_state=42)
        (5, [4, 2, 0, 3], [1]),
        (10, [5, 0, 7, 2, 9, 4, 3, 6], [8, 1]),
    ],
)
def test_the_split_is_that_of_scikit_learn(n, train, test):
    got = holdout_split(n)
    assert (got[0].tolist(), got[1].tolist()) == (train, test)


@pytest.mark.parametrize("n", [2, 3, 7, 20_640])
def test_the_split_agrees_with_scikit_learn_itself(n):
    selection = pytest.importorskip("sklearn.model_selection")
    train, test = holdout_split(n)
    theirs = selection.train_test_split(np.arange(n), test_size=0.2, random_state=42)
    np.testing.assert_array_equal(train, theirs[0])
    np.testing.assert_array_equal(test, theirs[1])


@pytest.mark.parametrize(("n", "tested"), [(2, 1), (5, 1), (6, 2), (11, 3), (20_640, 4128)])
def test_the_split_takes_every_row_once(n, tested):
    train, test = holdout_split(n)
    assert len(test) == tested
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(n))


# Two passes


class Counted:
    """Blocks that count how often each is read."""

    def __init__(self, table, size):
        starts = range(0, len(table.y), size)
        self.blocks = [(table.X[i : i + size], table.y[i : i + size]) for i in starts]
        self.read = [0] * len(self.blocks)

    def __iter__(self):
        for i, block in enumerate(self.blocks):
            self.read[i] += 1
            yield block


@pytest.mark.parametrize("size", [7, 30, 100])
def test_all_is_known_after_two_readings_of_each_block(size):
    table = small(100)
    blocks = Counted(table, size)
    got = second_pass(table, blocks)
    assert set(blocks.read) == {2}
    assert got.scores.scores["float64"].rows == 100
    assert got.leave_one_out.score.rows == 100


def test_a_constant_target_is_refused_after_the_first_pass():
    table = Table(np.arange(8.0).reshape(4, 2), np.full(4, 0.1), ("a", "b"), "price")
    with pytest.raises(HousingError, match="the target 'price' is the same in all 4 rows: nothing to predict"):
        first_pass(table).require_variance()


@pytest.mark.parametrize("targets", [[[1.0, 1.0], [2.0]], [[2.0], [1.0, 1.0]], [[], [1.0], [], [2.0], [1.0]]])
def test_a_target_that_varies_between_blocks_alone_is_one(targets):
    table = Table(np.arange(6.0).reshape(3, 2), np.concatenate(targets), ("a", "b"), "price")
    ends = np.cumsum([len(y) for y in targets])
    blocks = [(table.X[end - len(y) : end], np.array(y)) for end, y in zip(ends, targets, strict=True)]
    first_pass(table, blocks).require_variance()


def test_fewer_rows_than_unknowns_are_refused_before_they_are_summed():
    stream = Stream.of(small(3, p=3))
    with pytest.raises(HousingError, match="^3 rows cannot determine 4 unknowns: give more rows or fewer features"):
        FirstPass.of(stream, LinearRegression()).require_rows(stream)


def test_without_an_intercept_there_is_an_unknown_less():
    stream = Stream.of(small(3, p=3))
    FirstPass.of(stream, LinearRegression(fit_intercept=False)).require_rows(stream)


def test_the_held_out_fifth_is_of_a_model_with_the_same_parameters():
    table = small(50)
    train, test = holdout_split(50)
    coef = np.linalg.lstsq(table.X[train], table.y[train])[0]
    got = second_pass(table, model=LinearRegression(fit_intercept=False)).held_out.sum.scores[HELD_OUT]
    assert got.mse == pytest.approx(mean_squared_error(table.y[test], table.X[test] @ coef), rel=1e-9)


def test_a_constant_target_in_two_rows_is_refused():
    table = Table(np.array([[1.0], [2.0]]), np.full(2, 0.1), ("a",), "price")
    with pytest.raises(HousingError, match="the target 'price' is the same in all 2 rows: nothing to predict"):
        first_pass(table).require_variance()


def test_a_first_pass_has_the_names_of_the_table():
    first = FirstPass.of(Table(np.ones((1, 2)), np.ones(1), ("a", "b"), "price"), LinearRegression())
    for summary in (first.all_rows, first.four_fifths.sum):
        assert (summary.feature_names, summary.target_names) == (("a", "b"), ("price",))


@pytest.mark.parametrize("bad", [Figures(np.nan, 1, 0, 0), Figures(1, np.inf, 0, 0), Figures(-np.inf, np.inf, 0, 0)])
def test_figures_that_do_not_fit_are_refused(bad):
    require_figures(LOSSY, "price")
    with pytest.raises(HousingError, match="^'price' is too large or too small to square in float64: rescale it$"):
        require_figures(bad, "price")


def test_the_r2_of_two_rows_is_known_and_that_of_one_is_not():
    assert OutOfSample.of(Score.of([1.0, 3.0], [1.0, 2.0])) == (0.5, 0.5, 0.5)
    assert OutOfSample.of(Score.of([1.0], [3.0])) == (None, 4.0, 2.0)


def test_no_more_rows_change_nothing_of_the_first():
    head = Head(np.ones((2, 1)), np.ones(2))
    for both in (head + Head(), Head() + head):
        assert both is head


def test_no_rows_at_all_are_refused():
    table = Table(np.empty((0, 2)), np.empty(0), ("a", "b"), "price")
    with pytest.raises(HousingError, match="^no rows below the names of the columns in any of the files; expected"):
        first_pass(table).require_variance()


@pytest.mark.parametrize("sizes", [[1, 2, 9], [5, 7], [0, 3, 0, 20]])
def test_the_first_rows_are_those_of_all_blocks(sizes):
    table = small(sum(sizes))
    ends = np.cumsum(sizes)
    blocks = [(table.X[end - size : end], table.y[end - size : end]) for end, size in zip(ends, sizes, strict=True)]
    head = first_pass(table, blocks).head
    np.testing.assert_array_equal(head.X, table.X[:5])
    np.testing.assert_array_equal(head.y, table.y[:5])


# The smallest model that holds


def test_the_nearest_to_a_limit_is_judged_by_what_is_limited_and_never_without_a_number():
    far, low, lost = Way("integer", 8, "nearest"), Way("per-tensor", 2, "optimal"), Way("float32")
    measured = {
        lost: Figures(nan, 1, nan, 1),
        far: Figures(0.9, 1, 3.0, 1),
        low: Figures(0.5, 1, 2.0, 1),
    }
    assert nearest(measured, Gates(max_deviation=1.0)) == low
    assert nearest(measured, Gates(max_deviation=1.0, max_r2_drop=0.01)) == low
    assert nearest(measured, Gates(max_r2_drop=0.01)) == far


def test_fewer_bytes_come_first_and_of_equal_ones_the_smaller_deviation():
    sizes = {Way("integer", 4, "nearest"): 9, Way("integer", 4, "optimal"): 9, Way("float32"): 8, Way("per-tensor"): 9}
    deviations = [0.5, 0.25, 7.0, nan]
    measured = {way: Figures(1, 0, value, 0) for way, value in zip(sizes, deviations, strict=True)}
    models = {way: SimpleNamespace(payload_bytes=size) for way, size in sizes.items()}
    assert [measured[way].largest_deviation for way in by_size(models, measured)][:3] == [7.0, 0.25, 0.5]


@pytest.mark.parametrize(("bits", "rounding", "count"), [(None, None, 43), (3, None, 6), (None, "optimal", 21)])
def test_every_scheme_is_tried_with_all_that_it_has(bits, rounding, count):
    found = ways(None, bits, rounding)
    assert len(set(found)) == len(found) == count
    assert {way.scheme for way in found} == set(INTEGERS if bits or rounding else SCHEMES)
