"""Sparse rows of scipy: the same numbers as dense ones, and never all of them dense at once."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from housing_np import HousingError, LinearRegression, QuantizedLinear
from housing_np.quantized.calibration import Calibration

sparse = pytest.importorskip("scipy.sparse")

RNG = np.random.default_rng(3)
DENSE = RNG.standard_normal((400, 5)) * (RNG.random((400, 5)) < 0.4)
Y = DENSE @ np.arange(5) + RNG.standard_normal(400)
WEIGHT = RNG.integers(0, 3, 400)
FORMATS = ["csr_matrix", "csc_matrix", "coo_matrix", "csr_array", "csc_array", "coo_array", "lil_matrix"]


@pytest.fixture(scope="module", params=FORMATS)
def rows(request):
    return getattr(sparse, request.param)(DENSE)


@pytest.mark.parametrize("positive", [False, True])
def test_a_fit_is_that_to_the_dense_rows(rows, positive):
    ours, dense = (LinearRegression(positive=positive).fit(X, Y, WEIGHT) for X in (rows, DENSE))
    assert_array_equal(ours.coef_, dense.coef_)
    assert_array_equal(ours.predict(rows), dense.predict(DENSE))
    assert ours.score(rows, Y, WEIGHT) == dense.score(DENSE, Y, WEIGHT)
    if not positive:
        assert_array_equal(ours.summary().stderr, dense.summary().stderr)
        assert_array_equal(ours.leave_one_out(rows, Y, WEIGHT), dense.leave_one_out(DENSE, Y, WEIGHT))


@pytest.mark.parametrize("scheme", ["per-channel", "per-tensor", "integer"])
def test_a_quantized_model_is_that_of_the_dense_rows(rows, scheme):
    model = LinearRegression().fit(DENSE, Y)
    ours, dense = (QuantizedLinear.from_linear(model, X, scheme, rounding="optimal") for X in (rows, DENSE))
    assert_array_equal(ours.weights, dense.weights)
    methods = ["predict", "error_bound", *(["quantize_input", "saturated"] if scheme == "integer" else [])]
    if scheme == "integer":
        steps = dense.quantize_input(DENSE)
        assert_array_equal(ours.predict_quantized(type(rows)(steps)), dense.predict_quantized(steps))
    for method in methods:
        assert_array_equal(getattr(ours, method)(rows), getattr(dense, method)(DENSE))
    assert ours.score(rows, Y) == dense.score(DENSE, Y)


def test_a_calibration_leaves_out_the_same_values(rows):
    ours, dense = (Calibration.of(X, percentile=90) for X in (rows, DENSE))
    for figure in ("mean", "low", "high", "deviation", "covariance"):
        assert_allclose(getattr(ours, figure), getattr(dense, figure), rtol=1e-13)


# Many blocks

WIDE = sparse.random_array((100_000, 100), density=0.01, rng=np.random.default_rng(0), format="csr")
WIDE_Y = WIDE @ np.arange(100.0) + 1e-3 * RNG.standard_normal(100_000)


def peak(action):
    tracemalloc.start()
    try:
        return action(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_block_is_dense_at_a_time():
    X = WIDE.tocoo()
    model, memory = peak(lambda: LinearRegression().fit(X, WIDE_Y))
    quantized, more = peak(lambda: QuantizedLinear.from_linear(model, X))
    predictions, most = peak(lambda: (model.predict(X), quantized.predict(X), quantized.error_bound(X)))
    assert max(memory, more, most) < 8 * X.shape[0] * X.shape[1] / 2
    assert_allclose(model.coef_, np.arange(100), atol=1e-3)
    assert np.abs(predictions[0] - WIDE_Y).max() < 0.01
    assert (np.abs(predictions[0] - predictions[1]) <= predictions[2]).all()


@pytest.mark.parametrize(
    ("row", "value", "message"), [(24_999, np.nan, "contains NaN"), (12_345, np.inf, "inf is not a finite number")]
)
def test_a_bad_number_is_named_by_its_place_among_all_rows(row, value, message):
    model = LinearRegression.from_coefficients(np.ones(100), 0.0, [f"f{i}" for i in range(100)], ["y"])
    good, y = WIDE[:25_000], WIDE_Y[:25_000]
    X = good + sparse.csr_array(([value], ([row], [7])), good.shape)
    fitted = LinearRegression().fit(good, y, feature_names=model.feature_names)
    doors = [
        lambda: fitted.leave_one_out(X, y),
        lambda: LinearRegression().fit(X, y, feature_names=model.feature_names),
        lambda: model.predict(X),
        lambda: QuantizedLinear.from_linear(model, X),
        lambda: QuantizedLinear.from_linear(model, good).error_bound(X),
    ]
    for door in doors:
        with pytest.raises(HousingError, match=rf"^X: row {row}, column 'f7': .*{message}"):
            door()
    with pytest.raises(HousingError, match=rf"^X\[{row}, 7\]: .* is not a finite number"):
        Calibration.of(X)
    weight = (np.arange(len(y)) != row).astype(float)
    assert np.isfinite(LinearRegression().fit(X, y, weight).coef_).all()


def test_an_integer_that_float64_would_round_is_named_too():
    X = sparse.csr_array(np.arange(8).reshape(4, 2) * (2**53 + 1) // 3)
    with pytest.raises(HousingError, match="X: row 1, column 'x1': 9007199254740993 is an integer beyond"):
        LinearRegression().fit(X, np.arange(4))
    model = LinearRegression.from_coefficients([1.0, 1.0], 0.0, ["a", "b"], ["y"])
    with pytest.raises(HousingError, match="X: row 1, column 'b': 9007199254740993 is an integer beyond"):
        model.predict(X)


# What is refused, as of dense rows


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (sparse.csr_array((4, 0)), r"X has shape \(4, 0\): expected \(rows, features\)"),
        (sparse.csr_array((0, 3)), "0 rows cannot determine 4 unknowns"),
        (sparse.coo_array(np.ones(4)), r"X has shape \(4,\): expected \(rows, features\)"),
        (sparse.csr_array(np.ones((3, 3))), "X has 3 rows and y has 4"),
        (sparse.csr_array(1j * np.ones((4, 3))), "Complex data not supported: X has dtype complex128"),
    ],
)
def test_other_shapes_and_types_are_refused(X, message):
    with pytest.raises(HousingError, match=message):
        LinearRegression().fit(X, np.zeros(X.shape[0] and 4))


def test_a_model_takes_no_other_columns_and_no_rows_are_no_predictions():
    model = LinearRegression().fit(DENSE, Y)
    with pytest.raises(HousingError, match="X has 4 columns, expected 5"):
        model.predict(sparse.csr_array(DENSE[:, :4]))
    assert model.predict(sparse.csr_array((0, 5))).shape == (0,)
    for X in (sparse.coo_array(np.ones(5)), sparse.coo_array(np.ones((1, 1, 5)))):
        with pytest.raises(HousingError, match=r"X has shape .*: expected \(rows, features\)"):
            model.predict(X)


def test_targets_and_weights_are_dense():
    for arguments, name in (
        ((DENSE, sparse.csr_matrix(Y).T), "y"),
        ((DENSE, Y, sparse.csr_array(WEIGHT)), "sample_weight"),
    ):
        with pytest.raises(HousingError, match=f"{name} is sparse: dense data is required; {name}.toarray"):
            LinearRegression().fit(*arguments)


def test_a_pipeline_of_categories_is_that_of_scikit_learn():
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LinearRegression as Theirs
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    levels = RNG.choice(list("abcde"), (400, 2))
    with pytest.warns(np.exceptions.RankWarning, match="drop 2 of them"):
        ours = make_pipeline(OneHotEncoder(), LinearRegression()).fit(levels, Y)
    theirs = make_pipeline(OneHotEncoder(), Theirs(tol=1e-14)).fit(levels, Y)
    assert_allclose(ours.predict(levels), theirs.predict(levels), rtol=1e-9)
    assert ours.score(levels, Y) == pytest.approx(theirs.score(levels, Y), rel=1e-9)
    quantized = QuantizedLinear.from_linear(ours[-1], ours[:-1].transform(levels))
    assert_allclose(quantized.predict(ours[:-1].transform(levels)), ours.predict(levels), atol=0.01)
