"""What a summary of rows keeps, counts and refuses."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from housing_np.errors import HousingError
from housing_np.fit.doubled import Doubled
from housing_np.fit.summary import FEW, Summary, require_determined

X, Y = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 5.0], [4.0, 2.0]]), np.array([1.0, 3.0, 6.0, 9.5])


def of(*blocks, **options):
    summary = Summary(**options)
    for block in blocks:
        summary.update(*block)
    return summary


def refused(message):
    return pytest.raises(HousingError, match=f"^{message}$")


@pytest.mark.parametrize("value", ["yes", 2, None, 0.0])
def test_fit_intercept_is_true_or_false(value):
    with refused(f"fit_intercept is {value!r}: expected True or False"):
        Summary(fit_intercept=value)


@pytest.mark.parametrize("value", [True, 1, np.True_, np.False_, 0])
def test_fit_intercept_is_kept_as_a_boolean(value):
    assert Summary(fit_intercept=value).fit_intercept is bool(value)


@pytest.mark.parametrize("name", ["feature_names", "target_names"])
def test_names_are_text(name):
    with pytest.raises(HousingError, match=f"^{name} is 5: expected a list of names"):
        Summary(**{name: 5})


def test_an_empty_summary_has_no_rows():
    summary = Summary()
    assert (summary.rows, summary.named, summary.one_target) == (0, False, True)
    for use in (summary.solve, summary.require_determined):
        with refused(r"there is no block to fit: give at least one \(X, y\)"):
            use()


def test_blocks_without_rows_determine_nothing():
    with refused(r"0 rows cannot determine 3 unknowns: give more rows or fewer features \(n_samples=0\)"):
        of((X[:0], Y[:0])).solve()


def test_targets_are_needed():
    with refused("the fit requires y to be passed, but the target y is None; give the true values"):
        of((X, None))


@pytest.mark.parametrize("shape", [(), (4, 0), (4, 1, 1)])
def test_targets_have_a_row_for_each_row(shape):
    text = str(shape).replace("(", r"\(").replace(")", r"\)")
    with refused(rf"y has shape {text}: expected \(n,\) or \(n, k\)"):
        of((X, np.zeros(shape)))


def test_as_many_targets_as_rows():
    with refused("X has 4 rows and y has 3: give one target row for each row"):
        of((X, Y[:3]))


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ((X[:, :1], Y), r"1 feature and y of shape \(n\)"),
        ((X, Y[:, None]), r"2 features and y of shape \(n, 1\)"),
    ],
)
def test_blocks_have_the_same_columns(block, text):
    with refused(rf"a block has {text}; the first block had 2 features and y of shape \(n\)"):
        of((X, Y), block)


def test_blocks_have_the_same_names():
    pd = pytest.importorskip("pandas")
    first, other = (pd.DataFrame(X, columns=names) for names in (["a", "b"], ["a", "c"]))
    target = pd.DataFrame({"t": Y})
    with refused(
        r"a block has 2 features and y of shape \(n, 1\), columns a, c, targets t; "
        r"the first block had 2 features and y of shape \(n, 1\), columns a, b, targets t"
    ):
        of((first, target), (other, target))


def test_columns_without_names_get_defaults():
    one, several = of((X, Y)), of((X, np.column_stack([Y, Y])))
    assert (one.feature_names, one.target_names, one.one_target, one.named) == (("x0", "x1"), ("y",), True, False)
    assert (several.target_names, several.one_target) == (("y0", "y1"), False)


def test_frames_name_their_columns():
    pd = pytest.importorskip("pandas")
    found = of((pd.DataFrame(X, columns=["a", "b"]), pd.Series(Y, name="t")))
    assert (found.feature_names, found.target_names, found.named) == (("a", "b"), ("t",), True)
    assert of((X, pd.DataFrame({"t": Y}))).target_names == ("t",)


def test_given_names_come_before_those_of_frames():
    pd = pytest.importorskip("pandas")
    block = (pd.DataFrame(X, columns=["a", "b"]), pd.DataFrame({"t": Y}))
    found = of(block, feature_names=["c", "d"], target_names=["u"])
    assert (found.feature_names, found.target_names) == (("c", "d"), ("u",))


def test_a_default_name_is_not_one_of_the_others():
    assert of((X, Y), feature_names=["y", "z"]).target_names == ("y_",)
    assert of((X, Y), target_names=["x1"]).feature_names == ("x0_", "x1_")


def test_a_feature_is_not_called_as_a_target():
    with pytest.raises(HousingError, match="^'y' names 2 features or targets"):
        of((X, Y), feature_names=["y", "z"], target_names=["y"])


def test_rows_are_counted_by_their_weights():
    summary = of((X, Y, [0.5, 0, 2, 1]), (X[:1], Y[:1]))
    assert summary.rows == 4.5
    assert type(of((X, Y)).rows) is int


def test_rows_of_no_weight_are_left_out_of_the_solution():
    bad = np.vstack([X, [[1e6, -1e6]]])
    found = of((bad, [*Y, 7.0], [1, 1, 1, 1, 0])).solve()
    assert_array_equal(found.coef, of((X, Y)).solve().coef)


def test_fewer_rows_than_unknowns_are_refused():
    with refused(r"2 rows cannot determine 3 unknowns: give more rows or fewer features \(n_samples=2\)"):
        of((X[:2], Y[:2])).require_determined()
    of((X[:2], Y[:2]), fit_intercept=False).require_determined()
    of((X[:3], Y[:3])).require_determined()


@pytest.mark.parametrize(("weight", "count"), [([1.0, 0.0, 1.0, 0.0], "2 rows"), ([0.5, 0.75, 0.5, 0.5], "2.25 rows")])
def test_weights_that_leave_too_few_rows_are_named(weight, count):
    with refused(f"{count} of a weight above zero cannot determine 3 unknowns: .* .n_samples=4."):
        of((X, Y, weight)).require_determined()


def test_one_row_is_named_in_the_singular():
    with refused(r"1 row cannot determine 2 unknowns: give more rows or fewer features \(n_samples=1\)"):
        require_determined(1, 2)


@pytest.mark.parametrize(
    ("block", "place"),
    [
        ((np.where(X == 5, np.nan, X), Y), "X: row 6, column 'x1': nan"),
        ((X, np.where(Y == 9.5, np.inf, Y)), "y: row 7, column 'y': inf"),
        ((np.where(X == 5, np.nan, X), Y, np.ones(4)), "X: row 6, column 'x1': nan"),
    ],
)
def test_what_is_not_finite_is_named_by_its_row_among_all(block, place):
    with pytest.raises(HousingError, match=f"^{place} is not a finite number"):
        of((X, Y), block)


def test_what_is_not_finite_counts_nothing_under_a_weight_of_0():
    found = of((np.where(X == 5, np.nan, X), Y, [1, 1, 0, 1])).solve()
    assert_array_equal(found.coef, of((X[[0, 1, 3]], Y[[0, 1, 3]])).solve().coef)


@pytest.mark.parametrize("place", ["X", "y"])
def test_an_integer_that_float64_would_round_is_named_by_its_row_among_all(place):
    block = {"X": np.array([[1], [2]]), "y": np.array([1, 2])}
    block[place][1] = 2**53 + 1
    with pytest.raises(HousingError, match=f"^{place}: row 3, column '{place.lower()}0?': 9007199254740993 is"):
        of((X[:2, :1], Y[:2]), (block["X"], block["y"]))


def test_sums_count_the_rows_of_both():
    left, right = of((X[:2], Y[:2], [1, 0])), of((X[2:], Y[2:]))
    total = left + right
    assert (total.rows, left.rows, right.rows) == (3, 1, 2)


def test_sums_name_the_rows_of_both_where_they_are_too_few():
    eye = np.eye(3)
    total = of((eye[:2], Y[:2], [1, 0])) + of((eye, Y[:3], [1, 1, 0]))
    with refused(r"3 rows of a weight above zero cannot determine 4 unknowns: .* \(n_samples=5\)"):
        total.require_determined()


@pytest.mark.parametrize("options", [{"fit_intercept": False}, {"feature_names": ["a", "b"]}])
def test_sums_of_other_columns_are_refused(options):
    with pytest.raises(HousingError, match=r"^cannot add up rows of different columns: \('x0', 'x1', 'y'\) and "):
        of((X, Y)) + of((X, Y), **options)


def test_a_column_that_varies_between_the_parts_of_a_sum_varies():
    found = (of((X[:2], Y[:2])) + of((X[2:], Y[2:]))).solve()
    assert_allclose(found.coef, of((X, Y)).solve().coef, rtol=1e-14)


@pytest.mark.parametrize(("p", "most"), [(1, FEW // 9), (300, 604)])
def test_few_rows_are_kept_and_more_are_summed_up(p, most):
    rows = np.random.default_rng(0).normal(size=(most + 1, p))
    kept, summed = (of((rows[:n], rows[:n, 0])) for n in (most, most + 1))
    cut = of((rows[:most], rows[:most, 0]), (rows[most:], rows[most:, 0]))
    both = kept + of((rows[most:], rows[most:, 0]))
    # What goes from a worker to the next: the rows, or a factor of p + 2 columns.
    bytes_of = [len(pickle.dumps(each)) for each in (kept, summed, cut, both)]
    assert bytes_of[0] > 8 * most * (p + 1)
    assert all(8 * (p + 2) ** 2 < each < 8 * (p + 2) ** 2 + 40 * (p + 100) for each in bytes_of[1:])


def test_rows_that_were_summed_up_and_rows_that_are_kept_are_one_table():
    rows = np.random.default_rng(0).normal(size=(FEW // 9 + 1, 1))
    target = 3 * rows[:, 0] + 1
    parts = of((rows, target)), of((X[:, :1], 3 * X[:, 0] + 1))
    for total in (parts[0] + parts[1], parts[1] + parts[0], parts[0] + parts[0]):
        assert_allclose([*total.solve().coef[0], *total.solve().intercept], [3, 1], rtol=1e-12)
    assert (parts[0] + parts[1]).solve().rows == FEW // 9 + 5


def test_a_large_block_that_is_not_finite_is_named_by_its_row_among_all():
    rows = np.zeros((FEW // 9 + 1, 1))
    rows[7] = np.inf
    with pytest.raises(HousingError, match="^X: row 11, column 'x0': inf is not a finite number"):
        of((X[:, :1], Y), (rows, np.zeros(len(rows))))


def test_a_large_block_whose_sums_are_beyond_float64_is_refused():
    rows = np.tile([[1.7e308], [-1.7e308]], (FEW // 9, 1))
    with refused("a column exceeds the range of double precision: rescale it"):
        of((rows, np.zeros(len(rows))))


def test_given_names_are_names():
    assert Summary(feature_names=["a", "b"]).named
    assert of((X, Y), feature_names=["a", "b"]).named


def test_a_target_that_is_no_number_is_named():
    with pytest.raises(HousingError, match="^y has dtype <U1: expected real numbers"):
        of((X, ["a"] * 4))


def test_a_column_varies_within_a_block_or_between_two():
    first, second = np.array([[7.0, 0.1], [7.0, 0.1]]), np.array([[8.0, 0.1], [8.0, 0.1]])
    in_blocks = of((first, Y[:2]), (second, Y[:2]))
    summed = of((first, Y[:2])) + of((second, Y[:2]))
    assert in_blocks._varies.tolist() == summed._varies.tolist() == [True, False, True]


def test_what_is_not_finite_is_named_beside_small_weights():
    with pytest.raises(HousingError, match="^X: row 2, column 'x1': nan"):
        of((np.where(X == 5, np.nan, X), Y, [0.5] * 4))


def test_a_first_row_of_weight_0_is_not_looked_at():
    assert of((np.where(X == 0, np.nan, X), Y, [0, 1, 1, 1])).rows == 3


def test_what_is_not_finite_is_named_by_its_row_among_all_of_three_blocks():
    with pytest.raises(HousingError, match="^X: row 10, column 'x1': nan"):
        of((X, Y), (X, Y), (np.where(X == 5, np.nan, X), Y))


def test_kept_blocks_whose_sums_are_beyond_float64_are_refused():
    rows = np.tile([[1.7e308], [-1.7e308]], (FEW // 18, 1))
    block = (rows, np.zeros(len(rows)))
    with refused("a column exceeds the range of double precision: rescale it"):
        of(block, block)


def test_a_row_that_is_kept_beside_a_sum_counts_in_the_solution():
    rows = np.random.default_rng(0).normal(size=(FEW // 9 + 1, 1))
    others, targets = np.array([[300.0]]), np.array([-500.0])
    found = of((rows, 3 * rows[:, 0] + 1), (others, targets)).solve()
    A, y = np.vstack([rows, others]), np.concatenate([3 * rows[:, 0] + 1, targets])
    expected = np.linalg.lstsq(np.column_stack([A, np.ones(len(A))]), y)[0]
    assert_allclose([found.coef[0, 0], found.intercept[0]], expected, rtol=1e-10)


@pytest.mark.parametrize(("n", "p", "is_doubled"), [(5000, 1, True), (FEW // 9, 1, True), (100, 60, False)])
def test_few_rows_are_factored_in_double_double(n, p, is_doubled):
    rows = np.random.default_rng(0).normal(size=(n, p))
    assert isinstance(of((rows, rows[:, 0])).solve().design, Doubled) == is_doubled
