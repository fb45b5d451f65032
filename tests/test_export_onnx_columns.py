"""A model of a user's columns in ONNX: an input for each, text for categories, NaN for what no level or fill knows."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from cases import every
from hypothesis import assume, example, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator
from running import run

from housing_np import HousingError, LinearRegression, QuantizedLinear, load, save
from housing_np.export import export
from housing_np.quantized.schemes import SCHEMES
from housing_np.rows.columns import Columns

ALL_SCHEMES = ("float64", *SCHEMES)
SEA = Columns(
    ("age", "sea", "rooms", "kind"),
    levels={"sea": ("far", "near", "(missing)"), "kind": ("flat", "house")},
    fills={"rooms": 4.5},
)
ROWS = {
    "age": [1.0, 2.0, 3.0, 4.0, 5.0],
    "sea": ["far", "near", "(missing)", "", "near"],
    "rooms": [3.0, np.nan, 7.0, np.nan, 1.25],
    "kind": ["house", "flat", "flat", "house", "house"],
}
CODES = [[1, 0, 3, 1], [2, 1, np.nan, 0], [3, 2, 7, 0], [4, np.nan, np.nan, 1], [5, 1, 1.25, 1]]
X = SEA.encode(np.array(CODES, np.float64))


def of_columns(columns, scheme, seed=0, targets=()):
    """A model of these columns, its weights drawn."""
    rng = np.random.default_rng(seed)
    names, encoded = columns.feature_names, encodings(columns)
    coef = rng.normal(size=(*targets, len(names)))
    outputs = [f"out of {i}" for i in range(targets[0] if targets else 1)]
    model = LinearRegression.from_coefficients(coef, rng.normal(size=targets), names, outputs, columns)
    return model if scheme == "float64" else QuantizedLinear.from_linear(model, encoded, scheme)


def codes(columns, rows=12):
    """Rows of cells: each level of each category, and for numbers from -2 to 9."""
    cells = [
        np.arange(rows) % len(columns.levels[name]) if name in columns.levels else np.arange(-2.0, rows - 2)
        for name in columns.names
    ]
    return np.column_stack(cells).astype(np.float64)


def encodings(columns):
    return columns.encode(codes(columns))


def texts(columns):
    """The rows of `codes` as a user has them, by the name of the column."""
    return {
        name: [columns.levels[name][int(code)] for code in cells] if name in columns.levels else cells.tolist()
        for name, cells in zip(columns.names, codes(columns).T, strict=True)
    }


def fed(rows, number=np.float64):
    """Rows as the inputs of a session."""
    return {
        name: np.array(cells, object if isinstance(cells[0], str) else number).reshape(-1, 1)
        for name, cells in rows.items()
    }


def opened(content):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def answers(content, rows, number=np.float64):
    return opened(content).run(None, fed(rows, number))[0]


def changed(name, cell):
    """Three good rows, with another cell in the second."""
    rows = {column: cells[:3] for column, cells in ROWS.items()}
    return {**rows, name: [rows[name][0], cell, rows[name][2]]}


# What is answered


@pytest.mark.parametrize("scheme", ALL_SCHEMES)
def test_answers_are_those_of_the_features_within_the_rounding_of_a_sum(scheme):
    model = of_columns(SEA, scheme)
    np.testing.assert_allclose(answers(export(model, "onnx"), ROWS)[:, 0], model.predict(X), rtol=1e-14, atol=1e-14)


def test_answers_in_integers_are_equal_to_the_last_bit():
    model = of_columns(SEA, "integer")
    assert_array_equal(answers(export(model, "onnx"), ROWS)[:, 0], model.predict(X), strict=True)


def test_an_answer_is_the_sum_of_the_weights_of_what_the_cells_are():
    features = ("age", "sea=near", "sea=(missing)", "rooms", "kind=house")
    model = LinearRegression.from_coefficients([1, 10, 100, 1000, 20], 7, features, ["y"], SEA)
    assert answers(export(model, "onnx"), ROWS).ravel().tolist() == [
        1 + 3000 + 20 + 7,
        2 + 10 + 4500 + 7,
        3 + 100 + 7000 + 7,
        4 + 100 + 4500 + 20 + 7,
        5 + 10 + 1250 + 20 + 7,
    ]


@pytest.mark.parametrize("scheme", ["float64", "integer"])
def test_onnx_s_own_reference_answers_the_same(scheme):
    content = export(of_columns(SEA, scheme), "onnx")
    (found,) = ReferenceEvaluator(onnx.load_from_string(content)).run(None, fed(ROWS))
    np.testing.assert_allclose(found, answers(content, ROWS), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("scheme", ALL_SCHEMES)
def test_several_targets_are_answered_in_a_row(scheme):
    model = of_columns(SEA, scheme, targets=(2,))
    np.testing.assert_allclose(answers(export(model, "onnx"), ROWS), model.predict(X), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("rows", [0, 1])
def test_no_row_and_one_row_are_rows_too(rows):
    content = export(of_columns(SEA, "integer"), "onnx")
    given = {name: values[:rows] for name, values in fed(ROWS).items()}
    assert_array_equal(opened(content).run(None, given)[0], answers(content, ROWS)[:rows], strict=True)


@every("scheme", ALL_SCHEMES)
@every("text", ["MARS", "NEAR", " near", "near ", "1", "NA"])
def test_text_that_is_no_level_is_answered_with_nan_and_other_rows_are_not(scheme, text):
    content = export(of_columns(SEA, scheme), "onnx")
    assert np.isnan(answers(content, changed("sea", text))[:, 0]).tolist() == [False, True, False]


@every("scheme", ALL_SCHEMES)
@every("text", ["", "(missing)"])
def test_missing_text_without_a_level_for_it_is_answered_with_nan(scheme, text):
    content = export(of_columns(SEA, scheme), "onnx")
    assert np.isnan(answers(content, changed("kind", text))[:, 0]).tolist() == [False, True, False]


@pytest.mark.parametrize("scheme", ALL_SCHEMES)
def test_a_missing_number_without_a_fill_is_answered_with_nan(scheme):
    content = export(of_columns(SEA, scheme), "onnx")
    assert np.isnan(answers(content, changed("age", np.nan))[:, 0]).tolist() == [False, True, False]


@pytest.mark.parametrize("scheme", ALL_SCHEMES)
def test_infinity_is_not_filled(scheme):
    content = export(of_columns(SEA, scheme), "onnx")
    assert np.isfinite(answers(content, changed("rooms", np.inf))[:, 0]).tolist() == [True, False, True]


@pytest.mark.parametrize("scheme", ALL_SCHEMES)
def test_an_unknown_level_of_weight_0_is_answered_with_nan(scheme):
    columns = Columns(("sea",), levels={"sea": ("far", "near")})
    model = LinearRegression.from_coefficients([0.0], 1.0, columns.feature_names, ["y"], columns)
    if scheme != "float64":
        model = QuantizedLinear.from_linear(model, [[0.0], [1.0]], scheme)
    np.testing.assert_array_equal(answers(export(model, "onnx"), {"sea": ["far", "MARS"]}), [[1.0], [np.nan]])


@pytest.mark.parametrize("scheme", ALL_SCHEMES)
def test_fills_alone_make_an_input_of_each_column(scheme):
    columns = Columns(("a", "b"), fills={"b": 0.1})
    model = of_columns(columns, scheme)
    content = export(model, "onnx")
    found = answers(content, {"a": [1.0, 2.0], "b": [np.nan, 3.0]})[:, 0]
    np.testing.assert_allclose(found, model.predict(np.array([[1.0, 0.1], [2.0, 3.0]])), rtol=1e-14)


def test_a_thousand_levels_are_told_apart():
    columns = Columns(("zip",), levels={"zip": tuple(map(str, range(94000, 95000)))})
    model = LinearRegression.from_coefficients(np.arange(1.0, 1000), 0.0, columns.feature_names, ["y"], columns)
    found = answers(export(model, "onnx"), {"zip": list(columns.levels["zip"])})
    assert_array_equal(found[:, 0], np.arange(1000.0))


# Inputs in float32


@pytest.mark.parametrize("scheme", ALL_SCHEMES)
def test_inputs_in_float32_are_answered_as_the_same_numbers_in_float64(scheme):
    model = of_columns(SEA, scheme)
    rows = {**ROWS, "age": [0.1, 0.7, 1.3, 2.9, 8.1]}
    narrow = {name: cells if isinstance(cells[0], str) else np.float32(cells).tolist() for name, cells in rows.items()}
    expected = answers(export(model, "onnx"), narrow)
    assert_array_equal(answers(export(model, "onnx", float32=True), rows, np.float32), expected, strict=True)


def test_a_fill_is_not_rounded_to_float32():
    columns = Columns(("a",), fills={"a": 0.1})
    model = LinearRegression.from_coefficients([1.0], 0.0, ["a"], ["y"], columns)
    assert answers(export(model, "onnx", float32=True), {"a": [np.nan]}, np.float32).tolist() == [[0.1]]


def test_float32_costs_no_more_than_is_told():
    model = of_columns(SEA, "integer")
    content = export(model, "onnx", float32=True)
    (bound,) = json.loads(opened(content).get_modelmeta().custom_metadata_map["float32_deviation"])
    assert np.all(np.abs(answers(content, ROWS, np.float32)[:, 0] - model.predict(X)) <= bound)


# What a session is told


@pytest.mark.parametrize(("float32", "number"), [(False, "tensor(double)"), (True, "tensor(float)")])
def test_each_column_is_an_input_by_its_name(float32, number):
    session = opened(export(of_columns(SEA, "integer"), "onnx", float32=float32))
    assert [(x.name, x.type, x.shape) for x in session.get_inputs()] == [
        ("age", number, ["batch", 1]),
        ("sea", "tensor(string)", ["batch", 1]),
        ("rooms", number, ["batch", 1]),
        ("kind", "tensor(string)", ["batch", 1]),
    ]
    assert [(y.name, y.type, y.shape) for y in session.get_outputs()] == [("variable", "tensor(double)", ["batch", 1])]


def test_the_metadata_has_columns_levels_and_fills():
    known = opened(export(of_columns(SEA, "per-channel"), "onnx")).get_modelmeta().custom_metadata_map
    assert {name: json.loads(known[name]) for name in ("columns", "levels", "fills", "features")} == {
        "columns": ["age", "sea", "rooms", "kind"],
        "levels": {"sea": ["far", "near", "(missing)"], "kind": ["flat", "house"]},
        "fills": {"rooms": 4.5},
        "features": ["age", "sea=near", "sea=(missing)", "rooms", "kind=house"],
    }


def test_each_input_tells_what_it_takes():
    made = onnx.load_from_string(export(of_columns(SEA, "per-channel"), "onnx"))
    assert {x.name: x.doc_string for x in made.graph.input} == {
        "age": "",
        "sea": 'one of ["far", "near", "(missing)"]; an empty text is (missing)',
        "rooms": "NaN stands for 4.5",
        "kind": 'one of ["flat", "house"]',
    }


@pytest.mark.parametrize("scheme", ALL_SCHEMES)
def test_a_model_of_plain_numbers_has_one_input(scheme):
    made = onnx.load_from_string(export(of_columns(Columns(("a", "b")), scheme), "onnx"))
    assert [x.name for x in made.graph.input] == ["X"]
    assert [each.domain for each in made.opset_import] == [""]
    assert {"columns", "levels", "fills"}.isdisjoint(each.key for each in made.metadata_props)


def test_equal_models_give_equal_bytes(tmp_path):
    model = of_columns(SEA, "integer")
    save(model, tmp_path / "model.npz")
    assert export(load(tmp_path / "model.npz"), "onnx") == export(model, "onnx")


def test_the_command_writes_the_same(tmp_path):
    model = of_columns(SEA, "integer")
    save(model, tmp_path / "model.npz")
    done = run("export", "model.npz", "-o", "price.onnx", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "price.onnx").read_bytes() == export(model, "onnx", name="price")


@pytest.mark.parametrize(
    ("scheme", "opset"), [("float64", 9), ("per-tensor", 10), ("per-channel", 13), ("integer", 11), ("float32", 9)]
)
def test_the_opset_is_that_of_the_scheme(scheme, opset):
    made = onnx.load_from_string(export(of_columns(SEA, scheme), "onnx"))
    assert {each.domain: each.version for each in made.opset_import} == {"": opset, "ai.onnx.ml": 2}


# Names


INSIDE = ["weights", "bias", "X", "variable", "features", "joined", "column_1", "position_0", "nan", "scale", "zero"]


@pytest.mark.parametrize("scheme", ALL_SCHEMES)
def test_columns_named_like_values_of_the_graph_are_told_apart(scheme):
    columns = Columns(
        (*INSIDE, *(f"{name}_" for name in INSIDE)), levels={"weights": ("a", "b"), "column_1": ("c", "d")}
    )
    model = of_columns(columns, scheme)
    content = export(model, "onnx")
    assert [y.name for y in opened(content).get_outputs()] == ["variable__"]
    np.testing.assert_allclose(
        answers(content, texts(columns))[:, 0], model.predict(encodings(columns)), rtol=1e-13, atol=1e-13
    )


STRANGE = [
    'a"b',
    "a'b",
    "*/",
    "</script>",
    "line\nbreak",
    "\u202eevil",
    "\\",
    "Ω",
    "{}",
    "%s",
    "a=b",
    "a,b",
    "int",
    " ",
]


@pytest.mark.parametrize("scheme", ALL_SCHEMES)
def test_strange_names_and_levels_do_no_harm(scheme):
    columns = Columns(tuple(STRANGE), levels={name: tuple(STRANGE) for name in STRANGE[::2]})
    model = of_columns(columns, scheme)
    content = export(model, "onnx", name="\u202e*/")
    made = onnx.load_from_string(content)
    assert [x.name for x in made.graph.input] == STRANGE
    assert all(x.doc_string.isascii() and x.doc_string.isprintable() for x in made.graph.input)
    assert all(each.value.isascii() and each.value.isprintable() for each in made.metadata_props)
    np.testing.assert_allclose(
        answers(content, texts(columns))[:, 0], model.predict(encodings(columns)), rtol=1e-13, atol=1e-13
    )


def test_names_that_other_converters_make_one_stay_apart():
    columns = Columns(("a b", "a_b", "a-b"), levels={"a b": ("x", "y"), "a-b": ("x y", "x_y")})
    model = of_columns(columns, "integer")
    assert_array_equal(answers(export(model, "onnx"), texts(columns))[:, 0], model.predict(encodings(columns)))


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)


@st.composite
def tables(draw):
    """Columns of any names and levels."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    levels = {name: tuple(draw(st.lists(NAMES, min_size=2, max_size=4, unique=True))) for name in names[::2]}
    columns = Columns(tuple(names), levels=levels, fills={name: draw(st.floats(-1e9, 1e9)) for name in names[1::4]})
    assume(len(set(columns.feature_names)) == len(columns.feature_names))
    return columns


@given(tables(), st.sampled_from(ALL_SCHEMES), st.integers(0, 2**32 - 1))
@example(Columns(("variable",), levels={"variable": ("variable", "x")}), "integer", 0)
def test_any_names_and_levels_are_answered_as_their_features(columns, scheme, seed):
    model = of_columns(columns, scheme, seed)
    found, expected = answers(export(model, "onnx"), texts(columns))[:, 0], model.predict(encodings(columns))
    if scheme == "integer":
        assert_array_equal(found, expected)
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)


def test_a_column_without_a_name_is_refused():
    columns = Columns(("",), levels={"": ("a", "b")})
    model = LinearRegression.from_coefficients([1.0], 0.0, columns.feature_names, ["y"], columns)
    with pytest.raises(HousingError, match=r"^a column has an empty name, which cannot name an input of ONNX: give it"):
        export(model, "onnx")


def test_text_is_utf_8_in_the_file():
    columns = Columns(("ß",), levels={"ß": ("ö", "\u202e")})
    made = onnx.load_from_string(export(of_columns(columns, "float64"), "onnx"))
    (encoder,) = (node for node in made.graph.node if node.op_type == "LabelEncoder")
    (keys,) = (each.strings for each in encoder.attribute if each.name == "keys_strings")
    assert [key.decode() for key in keys] == ["ö", "\u202e"]
    assert made.graph.input[0].type.tensor_type.elem_type == TensorProto.STRING
