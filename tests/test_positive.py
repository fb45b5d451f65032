"""Weights that are not below 0: beside scikit-learn's, and beside every choice of weights that stay 0."""

import sys
from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from housing_np import HousingError, LinearRegression

pytest.importorskip("scipy")


def problem(rows, seed=0, targets=3):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rows, 5)) @ rng.standard_normal((5, 5)) + [0, 1, 10, 100, -3]
    return X, X @ rng.standard_normal((5, targets)) + 5 * rng.standard_normal((rows, targets)), rng.random(rows)


def blocks(*arrays, size=50):
    return [tuple(array[i : i + size] for array in arrays) for i in range(0, len(arrays[0]), size)]


@pytest.mark.parametrize("rows", [300, 20_000], ids=["exact", "fast"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_weights_are_those_of_scikit_learn(rows, fit_intercept):
    linear_model = pytest.importorskip("sklearn.linear_model")
    X, Y, w = problem(rows)
    ours = LinearRegression(fit_intercept, positive=True).fit(X, Y, w)
    theirs = linear_model.LinearRegression(fit_intercept=fit_intercept, positive=True).fit(X, Y, w)
    assert 0 < np.count_nonzero(ours.coef_ == 0) < ours.coef_.size
    assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)
    assert_allclose(ours.coef_, theirs.coef_, rtol=1e-9)
    assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-8)
    assert ours.score(X, Y, w) == pytest.approx(theirs.score(X, Y, w), rel=1e-12)
    parts = LinearRegression(fit_intercept, positive=True).fit_blocks(blocks(X, Y, w))
    assert_allclose(parts.coef_, ours.coef_, rtol=1e-9, atol=1e-12)


def best_of_all_choices(X, y):
    """The weights of the best of all fits to some columns, with an intercept, that have no negative weight."""
    centred, target, best, least = X - X.mean(axis=0), y - y.mean(), np.zeros(X.shape[1]), np.inf
    for size in range(1, X.shape[1] + 1):
        for some in map(list, combinations(range(X.shape[1]), size)):
            weights, *_ = np.linalg.lstsq(centred[:, some], target)
            error = ((target - centred[:, some] @ weights) ** 2).sum()
            if error < least and (weights >= 0).all():
                best, least = np.zeros(X.shape[1]), error
                best[some] = weights
    return best


@pytest.mark.parametrize("offset", [0.0, 2.0**52])
@pytest.mark.parametrize("seed", range(5))
def test_no_other_weights_fit_better(seed, offset):
    X, Y, _ = problem(40, seed, targets=1)
    y = np.rint(3 * Y[:, 0] / Y.std()) + offset  # what varies may be small beside the mean
    model = LinearRegression(positive=True).fit(X, y)
    assert_allclose(model.coef_, best_of_all_choices(X, y - offset), rtol=1e-9)


def test_where_no_weight_would_be_negative_it_is_ordinary_least_squares_to_the_last_bit():
    X, Y, _ = problem(300)
    X = X * np.sign(LinearRegression().fit(X, Y[:, 0]).coef_)
    free, positive = (LinearRegression(positive=value).fit(X, Y[:, 0]) for value in (False, True))
    assert_array_equal(positive.coef_, free.coef_)
    assert positive.intercept_ == free.intercept_


def test_where_all_weights_would_be_negative_the_mean_is_left():
    model = LinearRegression(positive=True).fit([[0.0], [1.0], [2.0]], [6.0, 3.0, 0.0])
    assert (model.coef_.tolist(), model.intercept_) == ([0.0], 3.0)


@pytest.mark.parametrize("place", range(4))
def test_constant_and_doubled_columns_do_no_harm(place):
    X, Y, _ = problem(300, targets=1)
    free = LinearRegression(positive=True).fit(X, Y)
    constant = LinearRegression(positive=True)
    with pytest.warns(np.exceptions.RankWarning, match="one choice among several; drop"):
        constant.fit(np.insert(X, place, 7.0, axis=1), Y)
    assert_allclose(constant.coef_, np.insert(free.coef_, place, 0.0, axis=1), rtol=1e-9)
    doubled = np.insert(X, place, X[:, 2], axis=1)
    with pytest.warns(np.exceptions.RankWarning):
        model = LinearRegression(positive=True).fit(doubled, Y)
    assert (model.coef_ >= 0).all()
    assert_allclose(model.predict(doubled), free.predict(X), rtol=1e-9)


def test_it_has_no_statistics_and_no_leverages():
    X, Y, _ = problem(30)
    model = LinearRegression(positive=True).fit(X, Y)
    with pytest.raises(HousingError, match="a fit with positive=True has no statistics"):
        model.summary()
    with pytest.raises(HousingError, match="a fit with positive=True has no leverages"):
        model.leave_one_out(X, Y)
    r2 = 1 - ((Y - model.predict(X)) ** 2).sum(axis=0) / ((Y - Y.mean(axis=0)) ** 2).sum(axis=0)
    assert f"{r2.mean():.4f}" in model._repr_html_()


def test_what_is_neither_true_nor_false_is_refused():
    with pytest.raises(HousingError, match="positive is 'yes': expected True or False"):
        LinearRegression(positive="yes").fit([[0.0], [1.0]], [1.0, 2.0])


def test_an_adopted_model_keeps_it():
    linear_model = pytest.importorskip("sklearn.linear_model")
    X, Y, _ = problem(300)
    theirs = linear_model.LinearRegression(positive=True, fit_intercept=False).fit(X, Y)
    assert_allclose(LinearRegression.of(theirs).unfitted().fit(X, Y).coef_, theirs.coef_, rtol=1e-9)


def test_without_scipy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(HousingError, match=r"^positive=True needs scipy: .*pip install '\.\[stats\]'"):
        LinearRegression(positive=True).fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 4.0])
