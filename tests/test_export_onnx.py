"""A model in ONNX answers as predict does: to the last bit where all is integer, else within the rounding of a sum."""

import json
import sys
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from cases import every
from hypothesis import assume, example, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from strategies import MODELS, examples, integer_model, integer_models, linear, quantizable, quantized

from housing_np import HousingError, LinearRegression, QuantizedLinear, load, save
from housing_np.export import export
from housing_np.quantized.affine import Affine
from housing_np.quantized.schemes import SCHEMES
from housing_np.rows.california import UNITS

ALL_SCHEMES = ("float64", *SCHEMES)
RUNTIME_ERRORS = (
    onnxruntime.capi.onnxruntime_pybind11_state.Fail,
    onnxruntime.capi.onnxruntime_pybind11_state.InvalidGraph,
    onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented,
)


@pytest.fixture(scope="session")
def exported(california):
    """A model of each scheme, fitted to the bundled data, and its graph."""
    table, model = california
    models = {"float64": model} | {scheme: QuantizedLinear.from_linear(model, table.X, scheme) for scheme in SCHEMES}
    return {scheme: (each, export(each, "onnx")) for scheme, each in models.items()}


def opened(content):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def answers(content, X):
    """What ONNX Runtime answers to rows in the type that the graph takes."""
    session = opened(content)
    kind = {"tensor(double)": np.float64, "tensor(float)": np.float32}[session.get_inputs()[0].type]
    return session.run(["variable"], {"X": np.asarray(X, kind)})[0]


def told(content):
    return opened(content).get_modelmeta()


def inside(content, name, kind, X):
    """What a value within the graph becomes for rows X."""
    model = onnx.load_from_string(content)
    model.graph.output.append(helper.make_tensor_value_info(name, kind, None))
    return opened(model.SerializeToString()).run([name], {"X": X})[0]


def columns(predictions):
    """Predictions of one target as a column, of several as they are."""
    return predictions[:, np.newaxis] if predictions.ndim == 1 else predictions


def rounding(model, X):
    """How far two sums of the same products may lie apart in float64, each at most (p + 2) 2**-53 of all sizes away.

    Higham, Accuracy and Stability of Numerical Algorithms (2002), section 3.1.
    """
    weights = np.atleast_2d(model.coef_)
    intercept = model.intercept if isinstance(model, QuantizedLinear) else model.intercept_
    return (X.shape[1] + 2) * 2.0**-52 * (np.abs(X) @ np.abs(weights).T + np.abs(intercept))


def beyond(rows):
    """Rows in the range of these, at its ends and beyond."""
    return np.vstack([rows, 3 * rows, -rows, rows.min(axis=0), rows.max(axis=0), np.zeros(rows.shape[1])])


@pytest.mark.parametrize("scheme", ["float64", "per-tensor", "per-channel", "float32"])
def test_answers_to_all_bundled_rows_are_within_the_rounding_of_a_sum(exported, california, scheme):
    model, content = exported[scheme]
    X = california.table.X
    assert np.all(np.abs(answers(content, X) - columns(model.predict(X))) <= rounding(model, X))


def test_answers_in_integers_to_all_bundled_rows_are_equal_to_the_last_bit(exported, california):
    model, content = exported["integer"]
    X = california.table.X
    assert_array_equal(answers(content, X), columns(model.predict(X)), strict=True)


def test_onnx_s_own_reference_answers_the_same_in_integers(exported, california):
    model, content = exported["integer"]
    X = california.table.X
    (found,) = ReferenceEvaluator(onnx.load_from_string(content)).run(None, {"X": X})
    assert_array_equal(found, columns(model.predict(X)), strict=True)


@pytest.mark.parametrize("scheme", ["per-tensor", "per-channel", "float32"])
def test_dequantized_weights_are_equal_to_the_last_bit(exported, california, scheme):
    model, content = exported[scheme]
    weights = inside(content, "weights", TensorProto.DOUBLE, california.table.X[:1])
    assert_array_equal(weights, model.coef_[np.newaxis], strict=True)


def test_inputs_and_sums_are_the_same_integers(exported, california):
    model, content = exported["integer"]
    X = california.table.X
    inputs = model.quantize_input(X)
    assert_array_equal(inside(content, "inputs", TensorProto.UINT8, X), inputs, strict=True)
    sums = inputs.astype(np.int64) @ (model.weights.astype(np.int64) - int(model.affine.zero_point)) + model.bias
    assert_array_equal(inside(content, "sums", TensorProto.INT32, X)[:, 0], sums)


@given(quantizable(schemes=["integer"]))
@examples("case", [case for case in MODELS if case[2] == "integer"])
def test_any_model_in_integers_answers_the_same_to_the_last_bit(case):
    model, X = quantized(case), beyond(case[1])
    assume(model is not None)
    content = export(model, "onnx")
    assert_array_equal(answers(content, X), columns(model.predict(X)), strict=True)
    (found,) = ReferenceEvaluator(onnx.load_from_string(content)).run(None, {"X": X})
    assert_array_equal(found, columns(model.predict(X)), strict=True)


@given(integer_models(), st.integers(0, 2**32 - 1))
@example(integer_model([255, 255, 0], 128, 2**31 - 1 - 255 * 382), 0)
@example(integer_model([[0] * 300, [255] * 300], 255, [-(2**30), 2**30]), 0)
def test_any_integers_add_up_to_the_same_sum(model, seed):
    p = model.weights.shape[-1]
    X = np.vstack([np.full(p, 255.0), np.random.default_rng(seed).uniform(-9, 264, (5, p))])
    assert_array_equal(answers(export(model, "onnx"), X), columns(model.predict(X)), strict=True)


@pytest.mark.parametrize("zero_point", [0, 128, 255])
def test_the_sums_of_pairs_are_not_saturated(zero_point):
    model = integer_model(np.full((2, 8), 255 - zero_point), zero_point, [0, 0])
    assert_array_equal(
        answers(export(model, "onnx"), np.full((1, 8), 255.0)), [[255 * 8 * (255.0 - 2 * zero_point)] * 2]
    )


@given(quantizable(schemes=["per-tensor", "per-channel", "float32"]))
@examples("case", [case for case in MODELS if case[2] != "integer"])
def test_any_other_model_has_equal_weights_and_answers_within_the_rounding_of_a_sum(case):
    model, X = quantized(case), beyond(case[1])
    content = export(model, "onnx")
    assert_array_equal(inside(content, "weights", TensorProto.DOUBLE, X), np.atleast_2d(model.coef_), strict=True)
    assert np.all(np.abs(answers(content, X) - columns(model.predict(X))) <= rounding(model, X))


@given(quantizable(exponent=100))
@examples("case", MODELS)
def test_any_float_model_answers_within_the_rounding_of_a_sum(case):
    model, X = case[0], beyond(case[1])
    assert np.all(np.abs(answers(export(model, "onnx"), X) - columns(model.predict(X))) <= rounding(model, X))


@every("scheme", ALL_SCHEMES)
@every("rows", [0, 1])
def test_no_row_and_one_row_are_rows_too(exported, california, scheme, rows):
    model, content = exported[scheme]
    X = california.table.X[:rows]
    np.testing.assert_allclose(answers(content, X), columns(model.predict(X)), rtol=1e-13, strict=True)


@pytest.mark.matrix("bad")
@every("float32", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@every("scheme", ALL_SCHEMES)
def test_a_row_with_nan_or_infinity_has_no_number_for_an_answer_and_others_have(
    exported, california, scheme, bad, float32
):
    model, _ = exported[scheme]
    X = california.table.X[:3].copy()
    X[1, 4] = bad
    assert np.isfinite(answers(export(model, "onnx", float32=float32), X)[:, 0]).tolist() == [True, False, True]


@pytest.mark.parametrize("scheme", ALL_SCHEMES)
def test_inputs_in_float32_are_answered_as_the_same_numbers_in_float64(exported, california, scheme):
    model, content = exported[scheme]
    X = california.table.X.astype(np.float32)
    narrow = export(model, "onnx", float32=True)
    assert opened(narrow).get_inputs()[0].type == "tensor(float)"
    assert_array_equal(answers(narrow, X), answers(content, X.astype(np.float64)), strict=True)


@given(quantizable(), st.integers(0, 2**32 - 1))
@example((linear([1.0], 0.0), np.array([[0.0], [255.0]]), "integer", 8), 0)
@example((linear([1.0], -1e8), np.array([[1e8], [1e8 + 10]]), "integer", 8), 0)  # float32 has two numbers there
@example((linear([1e-9], 1.0), np.array([[0.0], [1.0]]), "per-tensor", 8), 0)  # float64 rounds more than float32
def test_rounding_inputs_to_float32_costs_no_more_than_is_told(case, seed):
    model, rows = case[:2]
    small = quantized(case)
    assume(small is not None)
    low, high = rows.min(axis=0), rows.max(axis=0)
    steps = np.random.default_rng(seed).integers(0, 256, (40, len(low))) + 0.5
    # Where a step ends, the least change carries an input over.
    X = np.clip(low + steps * ((high - low) / 255), low, high)
    for each in (model, small):
        content = export(each, "onnx", X=rows, float32=True)
        bound = json.loads(told(content).custom_metadata_map["float32_deviation"])
        assert np.all(np.abs(answers(content, X) - columns(each.predict(X))) <= bound)


def test_what_is_told_of_float32_is_what_it_can_cost():
    model = linear([3.0, -1.0], 0.0)
    X = np.array([[1 + 2.0**-24, 2 + 2.0**-23]])  # halfway between two numbers in float32
    content = export(model, "onnx", X=X, float32=True)
    (bound,) = json.loads(told(content).custom_metadata_map["float32_deviation"])
    assert bound == pytest.approx(3 * 2.0**-24 + 2.0**-23, rel=1e-6)
    assert answers(content, X) - model.predict(X) == -3 * 2.0**-24 + 2.0**-23


def test_what_is_told_of_float32_is_a_step_in_integers():
    model = integer_model([3, 1], 2, 0, scale=0.5)
    X = np.array([[1.5 - 2.0**-40, 7.0]])  # a little less than where 2 begins, in float64
    content = export(model, "onnx", float32=True)
    (bound,) = json.loads(told(content).custom_metadata_map["float32_deviation"])
    assert answers(content, X) - model.predict(X) == 0.5
    assert bound == pytest.approx(2 * 0.5, rel=1e-6)


@pytest.mark.parametrize("scheme", ["float64", "per-tensor", "per-channel", "float32"])
def test_without_a_range_the_file_tells_the_rule_for_float32(exported, scheme):
    model, content = exported[scheme]
    meta = told(export(model, "onnx", float32=True))
    assert {"low", "high", "float32_deviation"}.isdisjoint(meta.custom_metadata_map)
    assert meta.description.endswith("2**-24 of each weight times feature.")
    assert "to float32" not in told(content).description


def test_a_range_beyond_float32_is_refused():
    with pytest.raises(HousingError, match=r"^the range of 'x1' goes beyond float32: take inputs in float64$"):
        export(linear([1.0, 2.0], 0.0), "onnx", X=[[0.0, 3.5e38]], float32=True)


def test_a_bound_beyond_float64_is_not_told():
    content = export(linear([1e300], 0.0), "onnx", X=[[1e38]], float32=True)
    assert "float32_deviation" not in told(content).custom_metadata_map


@pytest.mark.parametrize("scheme", ALL_SCHEMES)
def test_onnx_runtime_reads_back_what_the_model_is(exported, california, scheme):
    model, _ = exported[scheme]
    X = california.table.X
    session = opened(export(model, "onnx", name="price", X=X, units=UNITS))
    meta = session.get_modelmeta()
    known = dict(meta.custom_metadata_map)
    assert (meta.producer_name, meta.graph_name, known.pop("scheme")) == ("housing_np", "price", scheme)
    assert known.pop("sha256") in meta.description
    assert {name: json.loads(text) for name, text in known.items()} == {
        "features": list(model.feature_names),
        "targets": list(model.target_names_),
        "units": UNITS,
        "low": X.min(axis=0).tolist(),
        "high": X.max(axis=0).tolist(),
    }
    (x,), (y,) = session.get_inputs(), session.get_outputs()
    assert (x.name, x.type, x.shape) == ("X", "tensor(double)", ["batch", 8])
    assert (y.name, y.type, y.shape) == ("variable", "tensor(double)", ["batch", 1])


@pytest.mark.parametrize("scheme", ALL_SCHEMES)
def test_equal_models_give_equal_bytes(exported, scheme, tmp_path):
    model, content = exported[scheme]
    save(model, tmp_path / "model.npz")
    assert export(load(tmp_path / "model.npz"), "onnx") == content


@pytest.mark.parametrize(
    ("scheme", "versions"),
    [("float64", (9, 4)), ("per-tensor", (10, 5)), ("per-channel", (13, 7)), ("integer", (11, 6)), ("float32", (9, 4))],
)
def test_an_opset_lower_would_not_do(exported, scheme, versions):
    model = onnx.load_from_string(exported[scheme][1])
    assert (model.opset_import[0].version, model.ir_version) == versions
    model.opset_import[0].version -= 1
    model.ir_version = helper.find_min_ir_version_for(model.opset_import)
    with pytest.raises((onnx.checker.ValidationError, *RUNTIME_ERRORS), match=r"weights|DequantizeLinear|axis|Round"):
        onnx.checker.check_model(model, full_check=True)
        opened(model.SerializeToString())


STRANGE = ['a"b', "a'b", "*/", "</script>", "line\nbreak", "\u202eevil", "\\", "Ω", "{}", "%s"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_strange_names_come_back_and_do_no_harm(scheme, tmp_path):
    coef = np.arange(1.0, len(STRANGE) + 1)
    model = LinearRegression.from_coefficients(coef, 0.5, STRANGE, ["𝕪\r\n"])
    X = np.eye(len(STRANGE))
    small = QuantizedLinear.from_linear(model, X, scheme)
    content = export(small, "onnx", name="\udcff\u202e*/")
    known = told(content).custom_metadata_map
    assert (json.loads(known["features"]), json.loads(known["targets"])) == (STRANGE, ["𝕪\r\n"])
    assert all(text.isascii() and text.isprintable() for text in known.values())
    np.testing.assert_allclose(answers(content, X)[:, 0], small.predict(X), rtol=1e-13)


def test_a_name_that_is_empty_is_a_model_s():
    assert told(export(linear([1.0], 0.0), "onnx", name="")).graph_name == "model"


def test_without_the_package_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(HousingError, match=r"^ONNX takes the package onnx: .*pip install '\.\[onnx\]'$"):
        export(linear([1.0], 0.0), "onnx")


def test_sums_that_may_overflow_are_refused():
    most = (2**31 - 1) // 255**2
    X = np.zeros((1, most))
    assert answers(export(integer_model(np.ones(most), 1, 7), "onnx"), X).tolist() == [[7.0]]
    with pytest.raises(HousingError, match=rf"^the model has {most + 1} features: .*; use the scheme 'per-channel'$"):
        export(integer_model(np.ones(most + 1), 1, 7), "onnx")


def test_a_weight_at_the_end_of_float32_is_refused():
    given = QuantizedLinear.from_linear(linear([1.0], 0.0), [[1.0]], "per-tensor")
    largest = np.finfo(np.float32).max
    model = replace(given, affine=Affine(largest / 254.5, 0), weights=np.array([254], np.uint8))
    assert np.isfinite(answers(export(model, "onnx"), [[1.0]])).all()
    with pytest.raises(HousingError, match=r"^a weight ends where float32 does, .*: rescale the features$"):
        export(replace(model, weights=np.array([255], np.uint8)), "onnx")
