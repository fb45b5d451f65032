"""scikit-learn's protocol: its own checks, and each of its tools beside its own LinearRegression."""

import pickle
import subprocess
import sys
from fractions import Fraction
from inspect import signature

import numpy as np
import pytest
from cases import every
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from running import environment

from housing_np import HousingError, LinearRegression
from housing_np.fit.metrics import r2_score
from housing_np.fit.summary import Summary

sklearn = pytest.importorskip("sklearn")
from sklearn import linear_model  # noqa: E402
from sklearn.base import clone, is_regressor  # noqa: E402
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor  # noqa: E402
from sklearn.ensemble import StackingRegressor  # noqa: E402
from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.feature_selection import SelectFromModel  # noqa: E402
from sklearn.inspection import permutation_importance  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score, cross_validate  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import PolynomialFeatures, StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import check_estimator  # noqa: E402

RNG = np.random.default_rng(5)
X = RNG.standard_normal((300, 4)) + [0, 1, 10, 100]
Y = X @ [1.0, -2.0, 0.5, 3.0] + RNG.standard_normal(300)
OURS, THEIRS = LinearRegression, linear_model.LinearRegression


@pytest.mark.filterwarnings("ignore::numpy.exceptions.RankWarning")  # some checks give fewer rows than features
@pytest.mark.parametrize("parameters", [{}, {"fit_intercept": False}, {"positive": True}], ids=str)
def test_scikit_learns_own_checks(parameters):
    check_estimator(LinearRegression(**parameters))


def test_nothing_imports_scikit_learn(tmp_path):
    code = (
        "import sys; from housing_np import LinearRegression as L; m = L().fit([[0.], [1.]], [1., 2.])\n"
        "m.predict([[3.]]), m.score([[0.], [1.]], [1., 2.]), repr(m), m.get_params(), m.set_params()\n"
        "try: L().predict([[1.]])\nexcept ValueError: pass\nprint({'sklearn', 'scipy'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", cwd=tmp_path, env=environment(), check=True
    )
    assert done.stdout == "set()\n"


# Tools


TOOLS = {
    "a pipeline": lambda model: make_pipeline(StandardScaler(), model).fit(X, Y).predict(X),
    "a pipeline of polynomials": lambda model: make_pipeline(PolynomialFeatures(2), model).fit(X, Y).predict(X),
    "columns": lambda model: (
        make_pipeline(ColumnTransformer([("scaled", StandardScaler(), [0, 1])], remainder="passthrough"), model)
        .fit(X, Y)
        .predict(X)
    ),
    "cross_val_score": lambda model: cross_val_score(model, X, Y, cv=4),
    "cross_val_predict": lambda model: cross_val_predict(model, X, Y, cv=4),
    "a grid search": lambda model: (
        GridSearchCV(model, {"fit_intercept": [True, False]}, cv=3).fit(X, Y).cv_results_["mean_test_score"]
    ),
    "a transformed target": lambda model: (
        TransformedTargetRegressor(model, func=np.cbrt, inverse_func=lambda y: y**3).fit(X, Y).predict(X)
    ),
    "permutations": lambda model: permutation_importance(model.fit(X, Y), X, Y, random_state=0).importances_mean,
    "stacking": lambda model: (
        StackingRegressor([("one", model), ("two", linear_model.Ridge())], model).fit(X, Y).predict(X)
    ),
    "weights in a pipeline": lambda model: (
        make_pipeline(StandardScaler(), model)
        .fit(X, Y, **{f"{type(model).__name__.lower()}__sample_weight": np.arange(300) % 3})
        .predict(X)
    ),
}


@every("tool", TOOLS.values(), ids=TOOLS)
@pytest.mark.filterwarnings("ignore::numpy.exceptions.RankWarning")
def test_every_tool_gives_what_it_gives_with_scikit_learns_model(tool):
    assert_allclose(tool(OURS()), tool(THEIRS()), rtol=1e-9)


def test_parameters_are_got_set_and_cloned():
    model = OURS(fit_intercept=False)
    assert model.get_params() == {**THEIRS().get_params(), "fit_intercept": False}
    assert [name for name in model.get_params() if name in THEIRS().get_params()] == [*signature(THEIRS).parameters]
    assert clone(model).fit_intercept is False
    assert model.set_params(fit_intercept=True).fit_intercept is True
    with pytest.raises(ValueError, match=r"Invalid parameter 'alpha' for estimator LinearRegression\(\)"):
        model.set_params(alpha=1)


def test_it_is_shown_by_what_is_not_the_default():
    assert (repr(OURS()), repr(OURS(False))) == ("LinearRegression()", "LinearRegression(fit_intercept=False)")
    assert repr(pickle.loads(pickle.dumps(OURS(n_jobs=2)))) == "LinearRegression(n_jobs=2)"


def test_it_is_a_regressor_that_is_fitted_or_not():
    assert is_regressor(OURS())
    with pytest.raises(NotFittedError, match="no coefficients yet: call fit first"):
        OURS().predict(X)
    with pytest.raises(HousingError, match="no coefficients yet"):
        OURS().score(X, Y)
    assert not hasattr(OURS(), "feature_names_in_")
    with pytest.raises(NotFittedError) as caught:
        OURS().predict(X)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_feature_names_are_as_scikit_learn_has_them():
    frame = pytest.importorskip("pandas").DataFrame(X, columns=list("abcd"))
    ours, theirs = OURS().fit(frame, Y).feature_names_in_, THEIRS().fit(frame, Y).feature_names_in_
    assert isinstance(ours, np.ndarray)
    assert ours.dtype == object
    assert_array_equal(ours, theirs)
    assert_array_equal(ours == frame.columns, [True] * 4)
    assert ours == ("a", "b", "c", "d")
    assert ours != ("a", "b")
    assert_array_equal(pickle.loads(pickle.dumps(ours)), theirs)


def test_features_without_names_have_none_as_in_scikit_learn():
    assert not hasattr(OURS().fit(X, Y), "feature_names_in_")
    frame = pytest.importorskip("pandas").DataFrame(X, columns=list("abcd"))
    assert not hasattr(OURS().fit(frame, Y).fit(X, Y), "feature_names_in_")
    SelectFromModel(OURS()).fit(X, Y).transform(X)  # warns where names are invented


# Metadata routing


def routed(model):
    return model.set_fit_request(sample_weight=True).set_score_request(sample_weight="counts")


ROUTES = {
    "a pipeline": lambda model: (
        make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model)
        .fit(X, Y, sample_weight=np.arange(300) % 3)
        .predict(X)
    ),
    "cross_validate": lambda model: cross_validate(
        model, X, Y, params={"sample_weight": np.arange(300) % 3, "counts": np.arange(300) % 7}
    )["test_score"],
    "a grid search": lambda model: (
        GridSearchCV(model, {"fit_intercept": [True, False]})
        .fit(X, Y, sample_weight=np.arange(300) % 3, counts=np.arange(300) % 7)
        .cv_results_["mean_test_score"]
    ),
}


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
def test_weights_are_routed_as_to_scikit_learns_model(route):
    with sklearn.config_context(enable_metadata_routing=True):
        assert_allclose(route(routed(OURS())), route(routed(THEIRS())), rtol=1e-9)


@pytest.mark.parametrize("method", ["set_fit_request", "set_score_request"])
def test_requests_are_those_of_scikit_learns_model(method):
    with sklearn.config_context(enable_metadata_routing=True):
        for request in (True, False, None, "counts"):
            ours, theirs = (getattr(kind(), method)(sample_weight=request) for kind in (OURS, THEIRS))
            assert str(clone(ours).get_metadata_routing()) == str(theirs.get_metadata_routing())
            assert str(getattr(ours, method)().get_metadata_routing()) == str(theirs.get_metadata_routing())
        with pytest.raises(ValueError, match="valid identifier or one of"):
            getattr(OURS(), method)(sample_weight=3)
    with pytest.raises(HousingError, match=r"enable it: sklearn.set_config\(enable_metadata_routing=True\)$"):
        getattr(OURS(), method)(sample_weight=True)


def test_weights_that_were_not_requested_are_an_error_that_names_the_request():
    with sklearn.config_context(enable_metadata_routing=True):
        messages = []
        for kind in (OURS, THEIRS):
            with pytest.raises(ValueError, match=r"LinearRegression\.set_fit_request") as caught:
                cross_validate(kind(), X, Y, params={"sample_weight": np.ones(300)})
            messages.append(str(caught.value))
    assert messages[0] == messages[1]


# Weights


def fitted(rows, targets, weights, fit_intercept=True, size=None):
    model, size = LinearRegression(fit_intercept), size or len(rows)
    return model.fit_blocks(
        [(rows[i : i + size], targets[i : i + size], weights[i : i + size]) for i in range(0, len(rows), size)]
    )


def unknowns(model):
    return np.append(model.coef_, model.intercept_)


@pytest.mark.parametrize("rows", [300, 20_000], ids=["exact", "fast"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_weights_are_those_of_scikit_learn(rows, fit_intercept):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((rows, 3)) + 5
    y, w = X @ [1.0, 2.0, 3.0] + rng.standard_normal(rows), rng.random(rows) * 10.0 ** rng.integers(-3, 4, rows)
    ours = LinearRegression(fit_intercept).fit(X, y, w)
    theirs = linear_model.LinearRegression(fit_intercept=fit_intercept).fit(X, y, w)
    assert_allclose(unknowns(ours), unknowns(theirs), rtol=1e-8)
    assert ours.score(X, y, w) == pytest.approx(theirs.score(X, y, w), rel=1e-12)
    assert_allclose(unknowns(fitted(X, y, w, fit_intercept, 777)), unknowns(ours), rtol=1e-12)


@pytest.mark.parametrize("rows", [300, 20_000], ids=["exact", "fast"])
def test_weights_of_0_and_1_are_rows_left_out_and_in_to_the_last_bit(rows):
    rng = np.random.default_rng(2)
    X = rng.standard_normal((rows, 3))
    y, w = X @ [1.0, 2.0, 3.0] + rng.standard_normal(rows), rng.integers(0, 2, rows)
    some = w == 1
    assert_array_equal(unknowns(LinearRegression().fit(X, y, w)), unknowns(LinearRegression().fit(X[some], y[some])))


@given(st.lists(st.integers(0, 5), min_size=12, max_size=12), st.integers(-8, 8), st.integers(0, 5))
def test_a_whole_weight_is_the_row_so_many_times_to_the_last_bit(weights, power, seed):
    rng = np.random.default_rng(seed)
    X = np.hstack([rng.standard_normal((4, 2)), 10.0**power * rng.standard_normal((4, 1))])
    X, y = np.vstack([X, rng.standard_normal((12, 3)) + 10.0**power]), rng.standard_normal(16)
    whole = np.array([1, 1, 1, 1, *weights])
    one = LinearRegression().fit(X, y, whole)
    other = LinearRegression().fit(np.repeat(X, whole, axis=0), np.repeat(y, whole))
    assert_array_equal(unknowns(one), unknowns(other))
    assert one.summary().rows == other.summary().rows
    assert_allclose(one.summary().stderr, other.summary().stderr, rtol=1e-12)


@given(st.lists(st.floats(1e-9, 1e9), min_size=8, max_size=8), st.integers(0, 3))
def test_weights_are_exact_as_the_rest(weights, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2, 8))
    model = LinearRegression().fit(x[:, None], y, weights)
    # Weighted least squares of a line, in rational numbers.
    w, a, b = ([Fraction(value) for value in values] for values in (weights, x.tolist(), y.tolist()))
    total = sum(w)
    mean_a = sum(i * j for i, j in zip(w, a, strict=True)) / total
    mean_b = sum(i * j for i, j in zip(w, b, strict=True)) / total
    cross = sum(i * (j - mean_a) * (k - mean_b) for i, j, k in zip(w, a, b, strict=True))
    slope = cross / sum(i * (j - mean_a) ** 2 for i, j in zip(w, a, strict=True))
    assert_allclose(model.coef_[0], float(slope), rtol=4e-16)
    assert_allclose(model.intercept_, float(mean_b - slope * mean_a), rtol=4e-16)


def test_the_factor_of_all_weights_does_not_matter():
    w = RNG.random(300)
    models = [LinearRegression().fit(X, Y, w * factor) for factor in (1.0, 2.0**-900, 2.0**900)]
    for model in models[1:]:
        assert_array_equal(unknowns(model), unknowns(models[0]))


def test_huge_weights_have_statistics_or_are_refused():
    one, other = (LinearRegression().fit(X, Y, np.full(300, w)).summary() for w in (1.0, 1e20))
    assert_allclose(other.coef, one.coef, rtol=1e-12)
    assert np.isfinite(other.stderr).all()
    with pytest.raises(HousingError, match="sample_weight adds up to more than float64 holds"):
        LinearRegression().fit(X, Y, np.full(300, 1e308))


def test_weighted_summaries_add_up_with_others():
    one, other = Summary(), Summary()
    one.update(X[:100], Y[:100])
    other.update(X[100:], Y[100:], np.full(200, 0.5))
    added = LinearRegression().set_solution(one + other)
    whole = LinearRegression().fit(X, Y, np.repeat([1.0, 0.5], [100, 200]))
    assert_array_equal(unknowns(added), unknowns(whole))
    assert (one + other).rows == 200


def test_statistics_of_weights_are_those_of_statsmodels():
    api = pytest.importorskip("statsmodels.api")
    w = RNG.integers(1, 4, 300)
    ours = LinearRegression().fit(X, Y, w).summary()
    theirs = api.GLM(Y, api.add_constant(X), freq_weights=w).fit()
    assert_allclose(ours.stderr, theirs.bse, rtol=1e-9)


@every(
    ("weights", "message"),
    [
        (np.ones(299), r"sample_weight has shape \(299,\): expected \(300,\), one for each row"),
        (np.ones((300, 1)), r"sample_weight has shape \(300, 1\)"),
        (np.append(np.ones(299), -1.0), r"sample_weight\[299\] is -1.0: expected 0 or more"),
        (np.append(np.ones(299), np.nan), r"sample_weight\[299\]: nan is not a finite number"),
        (["a"] * 300, r"sample_weight has dtype"),
        (np.zeros(300), r"0 rows of a weight above zero cannot determine 5 unknowns"),
    ],
)
def test_weights_that_are_none_are_refused(weights, message):
    with pytest.raises(HousingError, match=message):
        LinearRegression().fit(X, Y, weights)


def test_leave_one_out_of_a_weighted_fit_is_that_of_fits_to_the_others():
    w = RNG.random(300)
    model = LinearRegression().fit(X, Y, w)
    predicted = model.leave_one_out(X, Y, w)
    for row in (0, 17, 299):
        others = np.arange(300) != row
        expected = LinearRegression().fit(X[others], Y[others], w[others]).predict(X[[row]])
        assert_allclose(predicted[[row]], expected, rtol=1e-9)


def test_a_weighted_r2_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    w, predicted = RNG.random(300) * (np.arange(300) % 4), Y + RNG.standard_normal(300)
    assert r2_score(Y, predicted, w) == pytest.approx(metrics.r2_score(Y, predicted, sample_weight=w), rel=1e-13)
    two = np.stack([Y, Y**2], axis=1)
    other = two + RNG.standard_normal(two.shape)
    assert r2_score(two, other, w) == pytest.approx(metrics.r2_score(two, other, sample_weight=w), rel=1e-13)


def test_fewer_rows_than_unknowns_are_fitted_with_a_warning():
    with pytest.warns(np.exceptions.RankWarning, match="the features have rank 1, fewer than the 4 coefficients"):
        model = LinearRegression().fit(X[:2], Y[:2])
    assert_allclose(model.predict(X[:2]), Y[:2], rtol=1e-12)
