"""The names of features, targets and options, at every door."""

import re

import numpy as np
import pandas as pd
import pytest
from cases import every

from housing_np import HousingError, LinearRegression, QuantizedLinear, Table, read_table
from housing_np.checks.names import apart_from, as_name, as_names, require_apart, require_option

X = np.array([[0.0, 1.0], [1.0, 3.0], [2.0, 2.0], [5.0, 1.0]])
Y = np.array([[1.0, 2.0], [4.0, 0.0], [5.0, 1.0], [2.0, 2.0]])
TWICE = [
    (["a", "a"], ["y", "z"], "'a' names 2 features or targets: give each a name of its own"),
    (["a", "y"], ["y", "z"], "'y' names 2 features or targets"),
    (["a", "b"], ["z", "z"], "'z' names 2 features or targets"),
    (["a", "b"], ["y", "y_bound"], "'y_bound' is what the bound of 'y' is called: give it another name"),
    (["a", "y_bound"], ["y", "z"], "'y_bound' is what the bound of 'y' is called: give it another name"),
]


def quantized(features, targets):
    model = QuantizedLinear.from_linear(LinearRegression().fit(X, Y), X)
    parts = {name: getattr(model, name) for name in type(model).__dataclass_fields__}
    return QuantizedLinear(**{**parts, "feature_names_in_": features, "target_names_": targets})


DOORS = {
    "fit": lambda features, targets: LinearRegression().fit(X, Y, feature_names=features, target_names=targets),
    "fit to frames": lambda features, targets: LinearRegression().fit(
        pd.DataFrame(X, columns=features), pd.DataFrame(Y, columns=targets)
    ),
    "from_coefficients": lambda features, targets: LinearRegression.from_coefficients(
        np.ones((2, 2)), np.ones(2), features, targets
    ),
    "QuantizedLinear": quantized,
}


@pytest.mark.parametrize(("features", "targets", "message"), TWICE)
def test_names_that_cannot_be_told_apart_are_refused(features, targets, message):
    for name, door in DOORS.items():
        fitted = f"({message}|1 different names for 2 columns)"
        with pytest.raises(HousingError, match=fitted if name.startswith("fit") else message):
            door(features, targets)


@every("names", [[1, 2], ["a", None], ["a", b"b"], "ab", {"a", "b"}, 5, None, [["a"], ["b"]], np.zeros((2, 2))])
@every("which", ["features", "targets"])
def test_names_that_are_none_are_refused(names, which):
    arguments = [names, ["y", "z"]] if which == "features" else [["a", "b"], names]
    for door in ("fit", "from_coefficients", "QuantizedLinear"):
        if door == "fit" and names is None:
            continue
        with pytest.raises(HousingError, match="name"):
            DOORS[door](*arguments)


def test_a_fit_without_names_makes_them():
    model = DOORS["fit"](None, None)
    assert (model.feature_names, model.target_names_) == (("x0", "x1"), ("y0", "y1"))


@pytest.mark.parametrize("door", ["fit", "from_coefficients", "QuantizedLinear"])
def test_names_of_numpy_and_pandas_are_names(door):
    model = DOORS[door](np.array(["a", "b"]), pd.Index(["y", "z"]))
    assert (model.feature_names, model.target_names_) == (("a", "b"), ("y", "z"))
    assert {type(name) for name in (*model.feature_names, *model.target_names_)} == {str}


def test_a_target_without_a_name_is_called_what_no_feature_is():
    frame = pd.DataFrame(X, columns=["x", "y"])
    assert LinearRegression().fit(frame, Y[:, 0]).target_names_ == ("y_",)
    assert LinearRegression().fit(frame, Y).target_names_ == ("y0", "y1")
    bound = pd.DataFrame(X, columns=["x", "y_bound"])
    assert LinearRegression().fit(bound, Y[:, 0]).target_names_ == ("y_",)


def test_features_without_names_are_called_what_no_target_is():
    model = LinearRegression().fit(X, pd.Series(Y[:, 0], name="x0"))
    assert (model.feature_names, model.target_names_) == (("x0_", "x1_"), ("x0",))
    assert not hasattr(model, "feature_names_in_")


def test_a_linear_model_of_scikit_learn_whose_feature_is_called_y_is_quantized():
    from sklearn.linear_model import LinearRegression as Theirs

    frame = pd.DataFrame(X, columns=["x", "y"])
    model = QuantizedLinear.from_linear(Theirs().fit(frame, Y[:, 0]), frame)
    assert (model.feature_names, model.target_names_) == (("x", "y"), ("y_",))


def test_what_is_said_of_names_that_are_none():
    with pytest.raises(HousingError, match=re.escape("features[1] is 7: expected a name, as text")):
        as_names(["a", 7], "features")
    with pytest.raises(HousingError, match="features is 7: expected a list of names, as text"):
        as_names(7, "features")
    with pytest.raises(HousingError, match="target is None: expected a name, as text"):
        as_name(None, "target")


def test_names_are_apart_where_no_bound_meets_them():
    assert require_apart(["a", "a_bound", "z_bound"], ["y", "y_"]) is None
    assert apart_from(["y", "y__bound"], ["y"]) == ("y__",)
    assert apart_from(["a"], ["y0", "y1"]) == ("y0", "y1")


@every("value", ["c", "", "A", None, 1, [], np.array(["a", "b"]), ["a"]])
def test_an_option_that_is_none_is_refused_with_those_there_are(value):
    with pytest.raises(HousingError, match="^kind is .*: expected one of a, b$"):
        require_option(value, ("a", "b"), "kind")
    assert require_option("a", {"a": 1}, "kind") is None


@pytest.mark.parametrize("options", [{"target": 1}, {"features": [1]}, {"features": {"a"}}, {"ignore": 3}])
def test_names_of_a_file_are_text(options, tmp_path):
    (tmp_path / "t.csv").write_text("a,b,y\n1,2,3\n2,3,5\n")
    (name,) = options
    with pytest.raises(HousingError, match=rf"^{name}(\[0\])? is .*: expected a (list of names|name), as text$"):
        read_table(tmp_path / "t.csv", **({"target": "y"} | options))


def test_features_and_what_to_ignore_may_be_one_name_or_an_array(tmp_path):
    (tmp_path / "t.csv").write_text("ab,b,y\n1,2,3\n2,3,5\n")
    assert read_table(tmp_path / "t.csv", "y", "ab").feature_names == ("ab",)
    assert read_table(tmp_path / "t.csv", "y", np.array(["b"])).feature_names == ("b",)
    assert read_table(tmp_path / "t.csv", "y", ignore="ab").feature_names == ("b",)


@every(
    ("parts", "message"),
    [
        ((X, Y, ("a", "b"), "y"), r"y has shape \(4, 2\): expected \(4,\)"),
        ((X, Y[:3, 0], ("a", "b"), "y"), r"y has shape \(3,\): expected \(4,\)"),
        ((X, Y[:, 0], ("a",), "y"), "X has 2 columns, expected 1: a"),
        ((X[0], Y[:1, 0], ("a", "b"), "y"), r"X has shape \(2,\)"),
        ((X, [2**53 + 1] * 4, ("a", "b"), "y"), "9007199254740993 is an integer beyond"),
        ((X, Y[:, 0], ("a", "b"), 3), "target_name is 3: expected a name, as text"),
    ],
)
def test_a_table_is_made_of_rows_their_targets_and_their_names(parts, message):
    with pytest.raises(HousingError, match=message):
        Table(*parts)
