"""What the report says that a model cannot do: diagnostics as statsmodels gives them, and the sentences on them."""

import re

import numpy as np
import pytest
from running import run, strict

from housing_np import LinearRegression
from housing_np.evaluation.diagnostics import Ends, overlaps
from housing_np.evaluation.leave_one_out import LeaveOneOut
from housing_np.fit.passes import total
from housing_np.rows.columns import Columns
from housing_np.store.report_limits import limits

api = pytest.importorskip("statsmodels.api")
TOLD = {
    "a cap": "If it is a cap",
    "a bend": "The residuals bend",
    "few rows": "depend on a handful",
    "dependence": "do not determine the weights",
    "overlap": "nearly repeat each other",
}


def blocks_of(X, y, size):
    return [(X[i : i + size], y[i : i + size]) for i in range(0, len(y), size)]


def diagnosed(X, y, size=7):
    """A fit to rows, and its diagnostics: the sum of those of two halves, each in many blocks."""
    model = LinearRegression().fit(X, y)
    blocks = blocks_of(np.asarray(X, float), np.asarray(y, float), size)
    half = len(blocks) // 2
    return model, (total(LeaveOneOut(model), blocks[:half]) + total(LeaveOneOut(model), blocks[half:])).diagnostics


@pytest.fixture(scope="module")
def rows():
    """Rows of a curve, with means that are not 0, a feature of a long tail, and one that repeats another."""
    rng = np.random.default_rng(5)
    X = rng.normal(1000, [1, 30, 0.1], size=(90, 3))
    X = np.column_stack([X, rng.standard_t(1.5, 90), X[:, 0] + rng.normal(scale=0.2, size=90)])
    return X, np.exp((X - X.mean(axis=0)) @ [0.4, 0.01, 3, 0.02, 0]) + rng.normal(scale=0.3, size=90)


@pytest.mark.parametrize("size", [1, 90])
def test_curvature_is_ramsey_s_reset(size, rows):
    X, y = rows
    expected = api.stats.diagnostic.linear_reset(api.OLS(y, api.add_constant(X)).fit(), 3, "fitted", use_f=True)
    reset = diagnosed(X, y, size)[1].reset()
    assert (reset.f, reset.p) == pytest.approx((expected.fvalue, expected.pvalue), rel=1e-8)
    assert reset.p < 1e-6


@pytest.mark.parametrize("size", [1, 90])
def test_influence_is_the_largest_dfbetas_and_the_five_largest_partial_leverages(size, rows):
    X, y = rows
    fit = api.OLS(y, api.add_constant(X)).fit()
    _, found = diagnosed(X, y, size)
    np.testing.assert_allclose(found.dfbetas, np.abs(fit.get_influence().dfbetas[:, 1:]).max(axis=0), rtol=1e-9)
    for i, got in enumerate(found.largest.T):
        others = api.add_constant(np.delete(X, i, axis=1))
        square = api.OLS(X[:, i], others).fit().resid ** 2
        np.testing.assert_allclose(got, np.sort(square / square.sum())[-5:], rtol=1e-8)


def test_rows_of_a_small_leverage_and_a_small_effect_count_as_0():
    rng = np.random.default_rng(0)
    X, noise = rng.uniform(size=(1000, 1)), rng.normal(size=1000)
    _, found = diagnosed(X, X[:, 0] + noise, 300)
    assert not found.largest.any() and not found.dfbetas.any()
    # A residual that is large enough has an effect at a small leverage.
    noise[500] = 300
    _, found = diagnosed(X, X[:, 0] + noise, 300)
    influence = api.OLS(X[:, 0] + noise, api.add_constant(X)).fit().get_influence()
    assert influence.hat_matrix_diag.max() < 0.01
    assert found.dfbetas == pytest.approx(np.abs(influence.dfbetas[:, 1:]).max(axis=0), rel=1e-9)


def test_inflation_is_statsmodels_variance_inflation_factor(rows):
    X, y = rows
    model = LinearRegression().fit(X, y)
    found = overlaps(model.require_solution(""), model.columns)
    factor = pytest.importorskip("statsmodels.stats.outliers_influence").variance_inflation_factor
    expected = [factor(api.add_constant(X), i) for i in range(1, 6)]
    assert [each.inflation for each in found.values()] == pytest.approx(expected, rel=1e-9)
    assert found["x0"][1:] == ("x4", pytest.approx(np.corrcoef(X[:, 0], X[:, 4])[0, 1], rel=1e-9))


def test_inflation_of_a_category_is_the_generalized_factor_whatever_its_baseline():
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 3, 80) * (rng.uniform(size=80) < 0.6)
    age, y, found = codes + rng.normal(scale=0.5, size=80), rng.normal(size=80), []
    for names, coded in (("abc", codes), ("cab", (codes + 1) % 3)):
        columns = Columns(("age", "sea"), levels={"sea": tuple(names)})
        X = columns.encode(np.column_stack([age, coded]))
        model = LinearRegression().fit(X, y, columns=columns)
        found.append(overlaps(model.require_solution(""), columns))
        # Fox and Monette 1992, equation 10, to the power of 1 over the number of dummies.
        R, det = np.corrcoef(X.T), np.linalg.det
        expected = (det(R[1:, 1:]) / det(R)) ** 0.5
        sea = [found[-1][f"sea={name}"] for name in names[1:]]
        assert [each.inflation for each in sea] == pytest.approx([expected, expected])
        assert {each.other for each in sea} == {"age"}  # and not the other level
    assert found[0]["sea=b"].inflation == pytest.approx(found[1]["sea=b"].inflation)
    assert found[0]["age"].inflation == pytest.approx(found[1]["age"].inflation)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_ends_are_counted_in_any_blocks(size):
    y = np.array([3.0, 1, 5, 5, 1, 2, 5, 4, 3, 1, 1])
    ends = total(Ends(), blocks_of(np.zeros((11, 1)), y, size))
    assert (ends.at_low, ends.at_high) == (4, 3)
    assert ends + Ends() == Ends() + ends == ends


def test_what_cannot_be_known_is_not():
    rng = np.random.default_rng(2)
    y = rng.normal(size=30)
    # Two values predicted, as many unknowns as rows, one degree of freedom, an exact fit, weights of 0.
    cases = [
        ((np.arange(30.0) % 2)[:, np.newaxis], y),
        (rng.normal(size=(4, 3)), y[:4]),
        (rng.normal(size=(5, 3)), y[:5]),
        (y[:, np.newaxis], 3 * y + 7),
        (np.array([[0.0], [1.0], [0.0], [1.0]]), np.array([1.0, 2.0, 2.0, 1.0])),
    ]
    with np.errstate(all="raise"):
        for X, targets in cases:
            _, found = diagnosed(X, targets, 2)
            assert found.reset() is None
            assert np.isfinite(found.dfbetas).all() and (found.largest.sum(axis=0) <= 1 + 1e-12).all()


def test_columns_that_are_constant_or_depend_on_others_in_any_place():
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(40, 2)), rng.normal(size=40)
    for place in range(3):
        for column, unknown in ((np.full(40, 7.0), 1), (X[:, 0] - 2 * X[:, 1] + 5, 3)):
            with pytest.warns(np.exceptions.RankWarning):
                model, found = diagnosed(np.insert(X, place, column, axis=1), y)
            inflation = [each.inflation for each in overlaps(model.require_solution(""), model.columns).values()]
            assert np.isnan(inflation).sum() == unknown and np.isfinite(found.largest).all()


def test_a_row_that_alone_determines_a_weight_has_no_dfbetas_and_the_share_that_others_leave_it():
    X, y = np.random.default_rng(4).normal(size=(2, 40))
    fit = api.OLS(y, api.add_constant(X)).fit()
    _, found = diagnosed(np.column_stack([X, np.arange(40) == 17]), y)
    assert found.largest[-1, 1] == pytest.approx(1 - fit.get_influence().hat_matrix_diag[17])
    assert found.dfbetas[1] < 1  # of the other rows


# The sentences


def told(folder, X, y, name="x"):
    """What the report of a training on these rows says, by the keys of TOLD."""
    names = [*(f"{name}{i}" for i in range(X.shape[1])), "y"]
    lines = [",".join(names), *(",".join(map(repr, row)) for row in np.column_stack([X, y]).tolist())]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    done = run("train", "--data", "rows.csv", "--target", "y", cwd=folder)
    assert done.returncode == 0, done.stderr
    lines = limits(strict((folder / "models" / "report.json").read_text()))
    return {key: line for key, start in TOLD.items() for line in lines if start in line}


def test_each_defect_of_the_bundled_data_is_told_with_its_number(models):
    page = "\n".join(limits(strict((models / "report.json").read_text())))
    assert "965 rows (4.7 %) have the largest MedHouseVal, 5.00001" in page
    assert "explain 9.6 % of what the model leaves unexplained (Ramsey's RESET: F 1,098, p < 0.001)" in page
    assert "0.24 in the lowest tenth of the predictions, −0.058 in the middle and 0.22 in the highest tenth" in page
    assert "AveOccup (98 %, 4.1)" in page
    assert "Latitude and Longitude (correlation −0.92, variance inflation 9.3 and 9)" in page
    assert page.count("correlation ") == 2  # each pair once
    # One row moves the weight of MedInc by 1.8 standard errors, which is 2 % of it.
    assert "smallest MedHouseVal" not in page and "HouseAge (" not in page and "MedInc (" not in page


def test_what_is_small_is_not_told(models):
    report = strict((models / "report.json").read_text())
    report["curvature"]["share"] = 0.009  # of 20,640 rows that is far from chance, and of no use
    report["data"]["rows"] = 99  # of which five are no handful
    for weight in report["coefficients"].values():
        weight |= {"dfbetas": 0.99, "variance_inflation": 4.99}
    report["target"]["rows_at_low"] = report["target"]["rows_at_high"] = 0
    page = "\n".join(limits(report))
    assert not any(start in page for start in TOLD.values())


def test_a_model_that_is_worse_than_the_mean_leaves_no_share_of_the_variance_above_the_whole(models):
    report = strict((models / "report.json").read_text())
    for name in ("leave_one_out", "leave_one_out_others"):
        report[name] = (report[name] or {"mae": 1.0}) | {"r2": -0.25}
    page = "\n".join(limits(report))
    assert "it is worse there than the mean of MedHouseVal (R² −0.25)" in page and "125 %" not in page


def test_rows_of_a_linear_model_have_no_defect(tmp_path):
    rng = np.random.default_rng(6)
    X = rng.normal(size=(300, 3))
    assert told(tmp_path, X, X @ [1, 2, 3] + rng.normal(size=300)) == {}


def test_each_defect_is_told_where_it_is_and_no_other(tmp_path):
    rng = np.random.default_rng(7)
    X, noise = rng.normal(size=(400, 3)), rng.normal(size=400)
    y = X @ [1.0, 1.0, 1.0] + noise
    assert list(told(tmp_path, X, X[:, 0] ** 2 + 2 * X[:, 0] + noise)) == ["a bend"]
    long = "a_feature_of_a_long_name_"
    lines = told(tmp_path, np.column_stack([X, X[:, 1] + 0.1 * noise]), y, long)
    assert list(lines) == ["overlap"]
    assert re.search(
        rf": {long}1 and {long}3 \(correlation 0.99, variance inflation \d+ and \d+\)\. ", lines["overlap"]
    )
    rare = np.column_stack([X, np.arange(400) % 100 == 99])
    assert "rows: x3 (99 %, 0." in told(tmp_path, rare, y)["few rows"]
    assert list(told(tmp_path, X, np.minimum(y, np.sort(y)[390]))) == ["a cap"]


def test_weights_that_the_rows_do_not_determine_are_named(tmp_path):
    X, y = np.random.default_rng(9).normal(size=(3, 50)).T, np.random.default_rng(10).normal(size=50)
    X[:, 2] = 3 * X[:, 1] + 1
    lines = told(tmp_path, X, y)
    assert "weights of x1, x2: these" in lines["dependence"] and "overlap" not in lines


@pytest.mark.parametrize(
    ("values", "is_told"),
    [
        (np.arange(400) % 2, False),  # two values are no cap
        (np.arange(400) % 50, False),  # counts, each as often as another
        (np.maximum(np.arange(400) - 40, 0), True),
        (np.minimum(np.arange(400), 397), False),  # too few
    ],
)
def test_a_cap_is_a_value_that_is_far_more_frequent_than_others(values, is_told, tmp_path):
    X = np.random.default_rng(8).normal(size=(400, 1))
    lines = told(tmp_path, X, values.astype(float))
    assert ("a cap" in lines) == is_told
    if is_told:
        assert "41 rows (10 %) have the smallest y, 0" in lines["a cap"] and "too high" in lines["a cap"]
