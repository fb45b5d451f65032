"""Data frames and arrays of every library, at every door of the Python API."""

import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from cases import every

from housing_np import Affine, HousingError, LinearRegression, QuantizedLinear, save
from housing_np.checks.arrays import as_numbers
from housing_np.fit.metrics import Score
from housing_np.quantized.calibration import Calibration

X = np.array([[1.0, 0.0], [2.0, 1.0], [3.0, 5.0], [4.0, 2.0]])
Y = np.array([1.0, 4.0, 9.0, 3.0])


def pandas(**options):
    return pytest.importorskip("pandas").DataFrame({"a": X[:, 0], "b": X[:, 1]}, **options)


def pandas_nullable():
    return pytest.importorskip("pandas").DataFrame({"a": X[:, 0], "b": X[:, 1]}).astype({"a": "Float64", "b": "Int64"})


def pandas_arrow():
    return pytest.importorskip("pandas").DataFrame({"a": X[:, 0], "b": X[:, 1]}).astype("double[pyarrow]")


def pandas_categorical():
    return pytest.importorskip("pandas").DataFrame({"a": X[:, 0], "b": X[:, 1]}).astype({"b": "category"})


def polars():
    return pytest.importorskip("polars").DataFrame({"a": X[:, 0], "b": X[:, 1].astype(int)})


def arrow_table():
    return pytest.importorskip("pyarrow").table({"a": X[:, 0], "b": X[:, 1].astype(np.int8)})


def arrow_batch():
    return pytest.importorskip("pyarrow").record_batch({"a": X[:, 0], "b": X[:, 1]})


def structured():
    return np.rec.fromarrays(X.T, names=["a", "b"])


FRAMES = [pandas, pandas_nullable, pandas_arrow, pandas_categorical, polars, arrow_table, arrow_batch, structured]
ARRAYS = {
    "big-endian": X.astype(">f8"),
    "float16": X.astype(np.float16),
    "Fortran": np.asfortranarray(X),
    "strided": np.repeat(X, 2, axis=0)[::2],
    "objects": X.astype(object),
    "lists": X.tolist(),
    "decimals": [[Decimal(a), Fraction(b)] for a, b in X.tolist()],
}


def doors(model):
    """Every public function that takes rows, by name, for a float model of the columns a and b."""
    small = QuantizedLinear.from_linear(model, X, "integer")
    return {
        "fit": lambda rows: LinearRegression().fit(rows, Y),
        "fit_blocks": lambda rows: LinearRegression().fit_blocks([(rows, Y)]),
        "predict": model.predict,
        "score": lambda rows: model.score(rows, Y),
        "leave_one_out": lambda rows: model.leave_one_out(rows, Y),
        "from_linear": lambda rows: QuantizedLinear.from_linear(model, rows),
        "quantized predict": small.predict,
        "quantize_input": small.quantize_input,
        "saturated": small.saturated,
        "error_bound": small.error_bound,
        "Calibration": Calibration.of,
        "Affine.fit": lambda rows: Affine.fit(rows, axis=-1),
        "Score": lambda rows: Score.of(rows, X),
    }


@pytest.fixture(scope="module")
def model():
    return LinearRegression().fit(X, Y, feature_names=["a", "b"])


@every("make", FRAMES)
def test_every_frame_gives_the_model_that_the_array_does(make):
    model, expected = LinearRegression().fit(make(), Y), LinearRegression().fit(X, Y)
    assert list(model.feature_names_in_) == ["a", "b"]
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    np.testing.assert_array_equal(model.predict(make()), expected.predict(X))


@every("values", ARRAYS.values(), ids=ARRAYS)
def test_every_array_of_numbers_is_taken(values, model):
    np.testing.assert_array_equal(as_numbers(values, "X").astype(float), X)
    np.testing.assert_array_equal(model.predict(values), model.predict(X))


def test_a_read_only_array_is_taken(model):
    rows = X.copy()
    rows.flags.writeable = False
    np.testing.assert_array_equal(model.predict(rows), model.predict(X))


DOORS = [
    "predict",
    "score",
    "leave_one_out",
    "from_linear",
    "quantized predict",
    "quantize_input",
    "saturated",
    "error_bound",
]


def unlike(message, arguments, model, names):
    """The doors that do not refuse what they are given with this message, each with what it says."""
    said = {}
    for door in names:
        try:
            said[door] = str(doors(model)[door](arguments))
        except HousingError as error:
            said[door] = None if re.search(message, str(error)) else str(error)
    return {door: text for door, text in said.items() if text is not None}


@every("make", FRAMES)
def test_columns_in_another_order_are_never_other_numbers(make, model):
    frame = make()
    if isinstance(frame, np.ndarray):
        swapped = np.rec.fromarrays(X.T[::-1], names=["b", "a"])
    elif hasattr(frame, "select"):
        swapped = frame.select(["b", "a"])
    else:
        swapped = frame[["b", "a"]]
    assert unlike(r"same order as they were in fit: a, b; found b, a", swapped, model, DOORS) == {}


@every("door", DOORS)
def test_columns_of_other_names_are_refused_with_both_sides(door, model):
    frame = pandas().rename(columns={"b": "c"})
    with pytest.raises(HousingError, match=r"should match those that were passed during fit: a, b; found a, c"):
        doors(model)[door](frame)


def test_blocks_of_frames_have_to_have_the_same_columns():
    with pytest.raises(HousingError, match=r"columns b, a; the first block had .*columns a, b"):
        LinearRegression().fit_blocks([(pandas(), Y), (pandas()[["b", "a"]], Y)])


def test_a_model_without_names_takes_frames_by_position():
    model = LinearRegression().fit(X, Y)
    np.testing.assert_array_equal(model.predict(pandas()), model.predict(X))


MISSING = {
    "NaN": lambda: pandas().mask(pandas() == 5.0),
    "nullable": lambda: pandas_nullable().mask(pandas() == 5.0),
    "arrow-backed": lambda: pandas_arrow().mask(pandas() == 5.0),
    "polars": lambda: pytest.importorskip("polars").DataFrame({"a": X[:, 0], "b": [0, 1, None, 2]}),
    "polars, boolean": lambda: pytest.importorskip("polars").DataFrame({"a": X[:, 0], "b": [True, False, None, True]}),
    "pyarrow": lambda: pytest.importorskip("pyarrow").table({"a": X[:, 0], "b": [0, 1, None, 2]}),
}


@every("make", MISSING.values(), ids=MISSING)
def test_a_missing_value_is_named_at_every_door(make, model):
    message = r"row 2, column 'b': (nan is not|the value is missing)"
    assert unlike(message, make(), model, ["fit", "fit_blocks", *DOORS, "Calibration"]) == {}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ma.masked_equal(X, 5.0), "has masked entries"),
        (X.astype(complex), "Complex data not supported"),
        (np.array([[1, "x"]] * 4, object), "'x', a str"),
        (np.array([[1, "x"]] * 4), "has dtype"),
        (np.array([["2020-01-01"] * 2] * 4, "M8[D]"), "has dtype"),
    ],
    ids=["masked", "complex", "objects", "strings", "dates"],
)
def test_what_is_no_number_is_refused_at_every_door(values, message, model):
    names = ["fit", "fit_blocks", *DOORS, "Calibration", "Affine.fit", "Score"]
    assert unlike(message, values, model, names) == {}


def test_dask_collections_are_sent_to_distributed():
    array = pytest.importorskip("dask.array").from_array(X)
    with pytest.raises(HousingError, match=r"X is a Dask collection: fit it with housing_np.distributed.fit"):
        LinearRegression().fit(array, Y)
    with pytest.raises(HousingError, match=r"y is a Dask collection"):
        LinearRegression().fit(X, array[:, 0])


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_the_name_of_a_target_is_that_of_its_series(library):
    series = pytest.importorskip(library).Series(name="price", **{{"pandas": "data", "polars": "values"}[library]: Y})
    assert LinearRegression().fit(X, series).target_names_ == ("price",)
    frame = pytest.importorskip(library).DataFrame({"price": Y})
    assert LinearRegression().fit(X, frame).target_names_ == ("price",)


class Named(np.ndarray):
    name = "of the array, not of the target"


def test_the_name_of_anything_else_is_no_targets_name():
    assert LinearRegression().fit(X, Y.view(Named)).target_names_ == ("y",)


def test_mixed_columns_are_converted_one_by_one():
    frame = pytest.importorskip("pandas").DataFrame({"a": [0.5, 1.5], "b": [True, False], "c": np.uint64([2**60, 1])})
    np.testing.assert_array_equal(as_numbers(frame, "X"), [[0.5, 1, 2.0**60], [1.5, 0, 1]])


def test_an_integer_beside_floats_is_exact_or_refused():
    frame = pytest.importorskip("pandas").DataFrame({"a": [0.5, 1.5], "b": [1, 2**53 + 1]})
    with pytest.raises(HousingError, match=r"X: row 1, column 'b': 9007199254740993 is an integer beyond"):
        as_numbers(frame, "X")
    with pytest.raises(HousingError, match=r"X\[1, 1\]: 9007199254740993 is an integer beyond"):
        as_numbers([[0.5, 1], [1.5, 2**53 + 1]], "X")
    with pytest.raises(HousingError, match=r"X\[0\]: \d+ is an integer beyond"):
        as_numbers([2**70 + 1], "X")
    np.testing.assert_array_equal(as_numbers([2**70, 0.5], "X"), [2.0**70, 0.5])


def test_a_column_of_text_is_named():
    frame = pytest.importorskip("pandas").DataFrame({"a": [1.0, 2.0], "town": ["x", "y"]})
    with pytest.raises(HousingError, match=r"X: row 0, column 'town' is 'x', a str"):
        as_numbers(frame, "X")


# scikit-learn's models


def estimators():
    linear = pytest.importorskip("sklearn.linear_model")
    names = (
        "LinearRegression",
        "Ridge",
        "Lasso",
        "ElasticNet",
        "HuberRegressor",
        "Lars",
        "BayesianRidge",
        "SGDRegressor",
    )
    return [getattr(linear, name)() for name in names]


@every("estimator", estimators(), ids=lambda estimator: type(estimator).__name__)
def test_fitted_linear_models_of_scikit_learn_are_quantized_and_saved(estimator, tmp_path):
    rows = np.random.default_rng(0).standard_normal((200, 2))
    frame = pytest.importorskip("pandas").DataFrame(rows, columns=["a", "b"])
    estimator.fit(frame, rows @ [1.0, 2.0] + 3)
    small = QuantizedLinear.from_linear(estimator, rows)
    assert small.feature_names_in_ == ("a", "b")
    deviation = np.abs(small.predict(rows) - estimator.predict(frame))
    assert (deviation <= small.error_bound(rows)).all()
    assert save(estimator, tmp_path / "m.npz") > 0


def test_several_targets_of_scikit_learn_are_taken():
    estimator = pytest.importorskip("sklearn.linear_model").Ridge().fit(X, np.stack([Y, -Y], axis=1))
    np.testing.assert_allclose(LinearRegression.of(estimator).predict(X), estimator.predict(X), rtol=1e-12)


@pytest.mark.parametrize("name", ["LogisticRegression", "PoissonRegressor", "RidgeClassifier"])
def test_what_is_not_linear_in_its_predictions_is_refused(name, tmp_path):
    estimator = getattr(pytest.importorskip("sklearn.linear_model"), name)().fit(X, [0, 1, 1, 0])
    with pytest.raises(HousingError, match=f"not {name}: its predictions are not linear"):
        QuantizedLinear.from_linear(estimator, X)
    with pytest.raises(HousingError, match=f"not {name}: its predictions are not linear"):
        save(estimator, tmp_path / "m.npz")


def test_unfitted_and_quantized_models_are_refused_in_one_line(model):
    linear = pytest.importorskip("sklearn.linear_model")
    with pytest.raises(HousingError, match="not Ridge; call its fit first$"):
        QuantizedLinear.from_linear(linear.Ridge(), X)
    with pytest.raises(HousingError, match="not QuantizedLinear"):
        QuantizedLinear.from_linear(QuantizedLinear.from_linear(model, X), X)


# What the names of one side say of the other's


def frame(names, values=X):
    return pytest.importorskip("pandas").DataFrame(values, columns=list(names))


@pytest.mark.parametrize("names", [["x1", "x0"], ["a", "b"]])
def test_a_frame_whose_columns_really_are_called_x0_and_x1_is_matched_by_name(names):
    model = LinearRegression().fit(frame(["x0", "x1"]), Y)
    small = QuantizedLinear.from_linear(model, X)
    for predict in (model.predict, small.predict):
        with pytest.raises(HousingError, match="should match those that were passed during fit|same order"):
            predict(frame(names))


def test_targets_of_frames_are_matched_by_name():
    targets = frame(["p", "q"], np.stack([Y, -Y], axis=1))
    model = LinearRegression().fit(X, targets)
    with pytest.raises(HousingError, match=r"y: .*same order as they were in fit: p, q; found q, p"):
        model.score(X, targets[["q", "p"]])
    with pytest.raises(HousingError, match=r"y: .*passed during fit: p, q; found p, z"):
        model.leave_one_out(X, targets.rename(columns={"q": "z"}))
    with pytest.raises(HousingError, match=r"targets q, p; the first block had .*targets p, q"):
        LinearRegression().fit_blocks([(X, targets), (X, targets[["q", "p"]])])
    with pytest.raises(HousingError, match=r"y_true: .*same order"):
        Score.of(targets, targets[["q", "p"]])


def test_calibrations_of_other_columns_do_not_add_up_or_fit_the_model(model):
    with pytest.raises(HousingError, match="columns b, a cannot be added to a, b"):
        Calibration.of(frame("ab")) + Calibration.of(frame("ba"))
    with pytest.raises(HousingError, match="rows with the columns b, a: the model has a, b"):
        QuantizedLinear.from_linear(model, Calibration.of(frame("ba")))
    small = QuantizedLinear.from_linear(model, Calibration.of(frame("ab")), "integer")
    with pytest.raises(HousingError, match="same order"):
        small.predict_quantized(frame("ba", small.quantize_input(X)))


def test_a_target_that_is_missing_is_named(model):
    targets = Y.copy()
    targets[2] = np.nan
    with pytest.raises(HousingError, match=r"y: row 2, column 'y': nan is not a finite number"):
        model.leave_one_out(X, targets)
    for arguments in ((Y, targets), (targets, Y), (Y, Y, targets)):
        with pytest.raises(HousingError, match=r"\[2\]: nan is not a finite number"):
            Score.of(*arguments)


RECORDS = np.ma.array(np.array([(1.0, 2.0)], "f8,f8"), mask=[(False, True)])


@pytest.mark.parametrize("values", [list(np.ma.masked_equal(X, 5.0)), RECORDS], ids=["list", "records"])
def test_masks_are_seen_within_lists_and_records(values, model):
    with pytest.raises(HousingError, match="masked entries"):
        model.predict(values)


HUGE = np.array([[1, 2], [2**53 + 1, 3]])


@every(
    "door",
    [
        lambda model: model.predict(HUGE),
        lambda model: LinearRegression().fit(HUGE, [1, 2]),
        lambda model: Calibration.of(HUGE),
        lambda model: QuantizedLinear.from_linear(model, X).error_bound(HUGE),
        lambda model: Score.of(HUGE, HUGE),
        lambda model: Affine.fit(HUGE),
        lambda model: LinearRegression().fit(X, Y, HUGE[:, 0].repeat(2)),
    ],
)
def test_an_integer_that_float64_would_round_is_refused_at_every_door(door, model):
    with pytest.raises(HousingError, match="9007199254740993 is an integer beyond"):
        door(model)


@pytest.mark.parametrize("names", [np.array(["p", "q"]), np.array(["p", "q"], object), ("p", "q")])
def test_names_may_come_as_any_sequence(names):
    assert LinearRegression().fit(X, Y, feature_names=names).feature_names == ("p", "q")
    assert LinearRegression().fit(X, Y, target_names="price").target_names_ == ("price",)
    with pytest.raises(HousingError, match="1 different names for 2 columns: 'pq'"):
        LinearRegression().fit(X, Y, feature_names="pq")


def test_nan_among_objects_is_no_integer():
    with pytest.raises(HousingError, match=r"nan is not a finite number"):
        LinearRegression().fit(np.array([[1, float("nan")], [2, 3]], object), [1, 2])


def test_a_row_is_named_by_its_place_among_those_that_have_no_weight():
    rows = X.copy()
    rows[2, 1] = np.nan
    with pytest.raises(HousingError, match="row 2, column 'x1'"):
        LinearRegression().fit(rows, Y, [0, 0, 1, 1])
    LinearRegression().fit(rows[[0, 1, 3, 3]], Y, [1, 1, 1, 0])


def test_a_lazy_frame_is_to_be_collected():
    lazy = pytest.importorskip("polars").LazyFrame({"a": [1.0]})
    with pytest.raises(HousingError, match="X is a LazyFrame: expected an array or a data frame; collect it first"):
        LinearRegression().fit(lazy, [1.0])


@pytest.mark.parametrize("name", ["LogisticRegression", "RidgeClassifier"])
def test_classifiers_of_several_classes_are_refused(name):
    estimator = getattr(pytest.importorskip("sklearn.linear_model"), name)().fit(X, [0.0, 1.0, 2.0, 1.0])
    with pytest.raises(HousingError, match=f"not {name}: its predictions are not linear"):
        LinearRegression.of(estimator)


def test_one_column_of_targets_is_one_target(model):
    column = frame(["t"], Y[:, None])
    assert model.score(X, column) == model.score(X, Y)
    two = LinearRegression().fit(X, column)
    assert two.score(X, Y) == pytest.approx(two.score(X, column))
