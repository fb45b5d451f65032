"""Statistics of a fit: a coefficient that the data do not determine has none, the others keep theirs."""

from fractions import Fraction

import numpy as np
import pytest
from cases import every
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from housing_np import LinearRegression
from housing_np.rows.columns import Columns


def summary_of(X, y, fit_intercept=True, **names):
    with pytest.warns(np.exceptions.RankWarning):
        return LinearRegression(fit_intercept).fit(X, y, **names).summary()


def normal(n=60, p=3, seed=0):
    return np.random.default_rng(seed).standard_normal((n, p))


YES = (normal()[:, 0] > 0).astype(float)
CELSIUS = np.round(20 + 10 * normal()[:, 0], 1)
COUNT = np.round(np.exp(10 + 2 * normal()[:, 0]))
OTHER = normal(seed=1)[:, 0]


@every(
    ("columns", "fit_intercept", "identified"),
    [
        ([YES, 1 - YES, OTHER], True, [False, False, False, True]),
        ([YES, 1 - YES, np.ones(60), OTHER], False, [False, False, False, True]),
        ([COUNT, 3 * COUNT, OTHER], True, [True, False, False, True]),
        ([COUNT, COUNT - 1, OTHER], True, [False, False, False, True]),
        ([CELSIUS, CELSIUS + 273.15, OTHER], True, [False, False, False, True]),
        ([OTHER, CELSIUS, OTHER + CELSIUS], True, [True, False, False, False]),
        ([YES, YES + 1e-7 * OTHER, OTHER], True, [True, False, False, False]),
        ([1e300 * OTHER, 1e300 * OTHER, YES], True, [True, False, False, True]),
        ([OTHER, np.full(60, 0.1)], True, [False, True, False]),
        ([OTHER, np.full(60, 1e-300)], True, [False, True, False]),
        ([OTHER, np.zeros(60)], True, [True, True, False]),
        ([np.full(60, 2.0), np.full(60, 3.0)], True, [False, False, False]),
    ],
    ids=[
        "dummies",
        "dummies and a column of ones",
        "a multiple",
        "a count and one less",
        "another zero",
        "a sum",
        "a small part",
        "beyond squares",
        "a constant",
        "a tiny constant",
        "zeros",
        "nothing varies",
    ],
)
def test_what_depends_on_others_is_not_identified(columns, fit_intercept, identified):
    summary = summary_of(np.column_stack(columns), normal(seed=2)[:, 0], fit_intercept)
    assert summary.identified.tolist() == identified
    for each in (summary.stderr, summary.t, summary.p, summary.low, summary.high):
        assert_array_equal(np.isnan(each), np.logical_not(identified))
    assert np.isfinite(summary.coef).all()


@pytest.mark.parametrize("n", [60, 40_000])
def test_what_is_identified_has_the_statistics_of_the_model_without_the_dependent_column(n):
    sm = pytest.importorskip("statsmodels.api")
    X = normal(n) * [1, 10, 1] + [3, 1990, 0]
    y = X @ [1, 0.1, 2] + normal(n, seed=1)[:, 0]
    summary = summary_of(np.column_stack([X, 2 * X[:, 0]]), y)
    without = sm.OLS(y, sm.add_constant(X)).fit()
    kept = [0, 2, 3]
    assert summary.identified.tolist() == [True, False, True, True, False]
    assert_allclose(summary.coef[kept], without.params[kept], rtol=1e-10)
    assert_allclose(summary.stderr[kept], without.bse[kept], rtol=1e-11)
    assert_allclose(summary.t[kept], without.tvalues[kept], rtol=1e-10)
    assert_allclose(summary.p[kept], without.pvalues[kept], rtol=1e-9, atol=1e-300)
    assert_allclose(np.column_stack([summary.low, summary.high])[kept], without.conf_int()[kept], rtol=1e-10)
    assert_allclose([summary.r2[0], summary.adjusted_r2[0]], [without.rsquared, without.rsquared_adj], rtol=1e-12)


def test_the_digits_do_not_suffer_from_a_dependent_column():
    x = np.arange(21.0)
    powers, y = x[:, None] ** np.arange(1, 9), np.sin(x)
    whole, summary = LinearRegression().fit(powers, y).summary(), summary_of(np.column_stack([powers, powers[:, 3]]), y)
    kept = [0, 1, 2, 3, 5, 6, 7, 8]
    assert_allclose(summary.stderr[kept], whole.stderr[kept], rtol=1e-12)


@pytest.mark.parametrize("n", [60, 40_000])
def test_independent_columns_are_all_identified(n):
    assert LinearRegression().fit(normal(n), normal(n, seed=1)[:, 0]).summary().identified.all()


def determined(A):
    """Which unknowns of A x = b have one solution, by elimination in rational arithmetic."""
    rows, pivots = [[Fraction(int(v)) for v in row] for row in A], []
    for column in range(len(A[0])):
        r = len(pivots)
        pivot = next((row for row in rows[r:] if row[column]), None)
        if pivot is not None:
            others = [row for row in rows if row is not pivot]
            rows = [[a - row[column] / pivot[column] * b for a, b in zip(row, pivot, strict=True)] for row in others]
            rows.insert(r, pivot)
            pivots.append(column)
    free = set(range(len(A[0]))) - set(pivots)
    alone = {c for row, c in zip(rows, pivots, strict=False) if not any(row[f] for f in free)}
    return [column in alone for column in range(len(A[0]))]


@pytest.mark.parametrize(
    ("X", "weight", "reason"),
    [
        (
            normal(),
            np.full(60, 1 / 60),
            "weights count rows; these add up to 1, for 4 unknowns; multiply them, so that",
        ),
        (
            normal(),
            np.full(60, 4 / 60),
            "weights count rows; these add up to 4, for 4 unknowns; multiply them, so that",
        ),
        (
            normal(),
            np.arange(60) < 4,  # a mask counts rows already
            "weights count rows; these add up to 4, for 4 unknowns; multiply them, so that they add up to the number "
            "of rows that they stand for, or give more rows",
        ),
        (normal(4), None, "4 rows for 4 unknowns; give more rows"),
        (normal(), np.full(60, 4.5 / 60), ""),
        (normal(), None, ""),
    ],
)
def test_standard_errors_that_are_nan_say_why(X, weight, reason):
    summary = LinearRegression().fit(X, X[:, 0] + normal(len(X), seed=1)[:, 0], weight).summary()
    assert (summary.nan_reason.startswith(reason), bool(summary.nan_reason)) == (True, bool(reason))
    assert np.isnan(summary.stderr).all() == bool(reason)
    for text in (str(summary), summary._repr_html_()):
        assert (f"no standard errors: {reason}" in text) == bool(reason)


@st.composite
def dependent_columns(draw):
    whole = st.integers(-3, 3)
    rank, n, p = draw(st.integers(1, 3)), draw(st.integers(5, 8)), draw(st.integers(2, 4))
    base = draw(st.lists(st.lists(whole, min_size=rank, max_size=rank), min_size=n, max_size=n))
    mix = draw(st.lists(st.lists(whole, min_size=p, max_size=p), min_size=rank, max_size=rank))
    return np.array(base) @ mix + draw(st.lists(st.sampled_from([0, 1, 10]), min_size=p, max_size=p))


@pytest.mark.filterwarnings("ignore::numpy.exceptions.RankWarning")
@given(X=dependent_columns(), fit_intercept=st.booleans())
def test_whole_numbers_are_judged_as_rational_arithmetic_does(X, fit_intercept):
    design = np.column_stack([np.ones(len(X)), X]) if fit_intercept else X
    y = np.sin(np.arange(len(X)))
    summary = LinearRegression(fit_intercept).fit(X, y).summary()
    assert summary.identified.tolist() == determined(design)
    degrees = len(X) - np.linalg.matrix_rank(design)
    if degrees:
        residual = y - design @ np.linalg.lstsq(design, y)[0]
        spread = np.square(np.linalg.pinv(design, rcond=1e-10)).sum(axis=1)
        expected = np.where(summary.identified, np.sqrt(residual @ residual / degrees * spread), np.nan)
        assert_allclose(summary.stderr, expected, rtol=1e-5)


def test_the_table_marks_what_is_not_identified_and_says_what_the_mark_means():
    X = np.column_stack([YES, 1 - YES, OTHER])
    lines = str(summary_of(X, OTHER + CELSIUS, feature_names=["yes", "no", "other"])).splitlines()
    assert [line.split()[2:] for line in lines[2:5]] == [["–"] * 5] * 3
    assert "–" not in lines[5]
    assert (
        lines[-1] == "– not identified: other coefficients predict the rows as well; drop 1 of the features so marked"
    )


def test_a_table_without_marks_does_not_speak_of_them():
    assert "identified" not in str(LinearRegression().fit(normal(), OTHER).summary())


# Of 9, 10 and 11 the fit of one weight to ones is 10: R² about zero is 1 - (1 + 0 + 1) / (81 + 100 + 121).
ABOUT_ZERO = 1 - 2 / 302


@pytest.fixture
def without_intercept():
    return LinearRegression(fit_intercept=False).fit(np.ones((3, 1)), [9.0, 10.0, 11.0])


@pytest.mark.parametrize(
    "show",
    [
        lambda model: str(model.summary()),
        lambda model: repr(model.summary()),
        lambda model: model.summary()._repr_html_(),
        lambda model: model._repr_html_(),
    ],
    ids=["text", "repr", "HTML", "HTML of the model"],
)
def test_without_an_intercept_r2_is_called_uncentred(show, without_intercept):
    shown = show(without_intercept)
    assert f"R² (uncentred) {ABOUT_ZERO:.4f}" in shown.replace(f"{ABOUT_ZERO:.6f}", f"{ABOUT_ZERO:.4f}")


@pytest.mark.parametrize("show", ["__str__", "_repr_html_"])
def test_without_an_intercept_it_is_said_that_score_is_about_the_mean(show, without_intercept):
    shown = getattr(without_intercept.summary(), show)()
    assert "without an intercept R² is about zero; score gives it about the mean, which may be far lower" in shown


def test_with_an_intercept_r2_is_not_called_uncentred():
    assert "centred" not in str(LinearRegression().fit(normal(), OTHER).summary())


def test_one_degree_of_freedom_is_not_called_degrees():
    title = str(LinearRegression().fit([[0.0], [1.0], [3.0]], [0.0, 1.0, 2.0]).summary()).splitlines()[0]
    assert title == "least squares: y, 3 rows, 1 degree of freedom"


def by_the_sea(columns, fit_intercept=True):
    cells = np.array([[1, 0], [2, 1], [3, 0], [5, 1], [8, 2], [9, 2.0]])
    model = LinearRegression(fit_intercept=fit_intercept)
    return model.fit(columns.encode(cells), [1, 5, 3, 9, 4, 8], columns=columns).summary()


SEA = Columns(("age", "sea"), levels={"sea": ("far", "near", "gone")})


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_table_has_the_levels_of_a_category_below_its_name_and_its_baseline_as_0(fit_intercept):
    lines = str(by_the_sea(SEA, fit_intercept)).splitlines()[2 + fit_intercept :]
    assert [line.split()[:2] for line in lines[1:5]] == [["sea"], ["=", "far"], ["=", "near"], ["=", "gone"]]
    assert (lines[1], lines[2].split()) == ("sea", ["=", "far", "0"])


def test_the_statistics_are_those_of_the_features():
    summary = by_the_sea(SEA)
    assert summary.names == ("intercept", "age", "sea=near", "sea=gone")
    line = next(line for line in str(summary).splitlines() if line.startswith("  = near"))
    assert line.split()[2:5] == [f"{each[2]:.6g}" for each in (summary.coef, summary.stderr, summary.t)]


def test_a_level_breaks_no_line_and_commands_no_terminal():
    columns = Columns(("age", "sea"), levels={"sea": ("a\nb", "\x1b[31m", "\u202e")})
    assert all(line.isprintable() for line in str(by_the_sea(columns)).splitlines())
