import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
from cases import every
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from strategies import (
    BITS,
    CONSTANT_FEATURES,
    CONSTANT_UP_TO_ROUNDING,
    MODELS,
    NO_INTERCEPT,
    SEVERAL_TARGETS,
    ZERO_WEIGHTS,
    examples,
    integer_model,
    integer_models,
    linear,
    quantizable,
    quantized,
    with_schemes,
)

from housing_np import Affine, HousingError, LinearRegression, QuantizedLinear
from housing_np.fit.metrics import Score
from housing_np.quantized.calibration import Calibration
from housing_np.quantized.schemes import BY_NAME, INTEGERS, ROUNDINGS, SCHEMES

FLOATS = ("per-tensor", "per-channel")


def int64_reference(model, Xq):
    """The formula in the docstring of `predict_quantized`, in int64."""
    steps = model.weights.astype(np.int64) - int(model.affine.zero_point)
    sums = Xq.astype(np.int64) @ steps.T + model.bias.astype(np.int64)
    return sums.astype(np.float64) * float(model.affine.scale)


@pytest.fixture(scope="module", params=SCHEMES)
def on_california(request, california):
    table, model = california
    return table, model, QuantizedLinear.from_linear(model, table.X, request.param)


def far_rows(X, rng):
    """The rows themselves, rows around them, and rows far outside of them."""
    wild = rng.normal(size=X.shape) * 10.0 ** rng.uniform(-3, 6, X.shape)
    return np.concatenate([X, X * wild, -1e3 * X, np.zeros((1, X.shape[1])), wild])


@examples("case", MODELS)
@given(case=quantizable())
def test_error_bound_is_never_broken(case):
    model, X, _, _ = case
    small = quantized(case)
    assume(small is not None)
    X = far_rows(X, np.random.default_rng(0))
    deviation = np.abs(small.predict(X) - model.predict(X))
    bound = small.error_bound(X)
    assert bound.shape == deviation.shape
    assert np.all(deviation <= bound)


@given(case=quantizable(exponent=0))
def test_error_bound_is_finite_and_shrinks_to_the_slack_at_the_center(case):
    small = quantized(case)
    assume(small is not None and case[2] in FLOATS)
    bound = small.error_bound(small.center[np.newaxis].astype(float))
    magnitude = np.abs(case[0].coef_).sum() * np.abs(case[1]).max() + np.abs(case[0].intercept_).max()
    assert np.all(bound <= small.slack + 1e-9 * (1 + magnitude))


def test_error_bound_covers_the_rounding_of_float64():
    # Weights that are exact in uint8: what is left is the order of the sums.
    model = linear([1.0, 255.0, 128.0], 1e9)
    X = np.array([[0.1, 0.2, 0.3], [1e8, -1e8, 0.7]])
    for scheme in FLOATS:
        small = QuantizedLinear.from_linear(model, X, scheme)
        assert np.all(np.abs(small.predict(X) - model.predict(X)) <= small.error_bound(X))


def test_error_bound_holds_on_california(on_california):
    table, model, small = on_california
    X = np.concatenate([table.X, 10 * table.X, -table.X])
    assert np.all(np.abs(small.predict(X) - model.predict(X)) <= small.error_bound(X))


def test_error_bound_covers_what_float64_loses_far_from_zero():
    # Features and an intercept of 1e9 that cancel: the float model itself is off by 1e-7.
    rng = np.random.default_rng(0)
    for _ in range(50):
        weight = rng.normal()
        X = 1e9 + rng.random((20, 1))
        model = linear([weight], -weight * 1e9)
        small = QuantizedLinear.from_linear(model, X, "integer")
        assert np.all(np.abs(small.predict(X) - model.predict(X)) <= small.error_bound(X))


@pytest.mark.parametrize(("scheme", "ratio"), [("per-channel", 10), ("integer", 4)])
def test_error_bound_is_of_the_size_of_the_deviation(california, scheme, ratio):
    table, model = california
    small = QuantizedLinear.from_linear(model, table.X, scheme)
    deviation = np.abs(small.predict(table.X) - model.predict(table.X))
    assert np.median(small.error_bound(table.X)) <= ratio * np.median(deviation)


@pytest.mark.parametrize(("scheme", "r2"), [("per-tensor", 0.6060), ("per-channel", 0.6062)])
def test_r2_on_california(california, scheme, r2):
    table, model = california
    small = QuantizedLinear.from_linear(model, table.X, scheme)
    assert small.score(table.X, table.y) >= r2


@pytest.mark.parametrize("scheme", SCHEMES)
def test_score_is_scikit_learns_r2_of_the_predictions(california, scheme):
    from sklearn.metrics import r2_score

    table, model = california
    small, weights = QuantizedLinear.from_linear(model, table.X, scheme), np.arange(len(table.y)) % 3
    expected = r2_score(table.y, small.predict(table.X), sample_weight=weights)
    assert small.score(table.X, table.y, weights) == pytest.approx(expected, rel=1e-12)


def test_score_averages_r2_over_the_targets():
    # Weights that 8 bits hold exactly; the second target's mean is predicted, R² = 0.
    small = QuantizedLinear.from_linear(linear([[1.0], [0.0]], [0.0, 1.0]), [[0.0], [2.0]], "per-tensor")
    assert small.score([[0.0], [2.0]], [[0.0, 0.0], [2.0, 2.0]]) == pytest.approx(0.5, abs=1e-6)


def test_score_takes_a_target_with_an_axis_of_its_own():
    small = QuantizedLinear.from_linear(linear([1.0], 0.0), [[0.0], [2.0]], "per-tensor")
    assert small.score([[0.0], [2.0]], [[0.0], [2.0]]) == small.score([[0.0], [2.0]], [0.0, 2.0])


def test_score_refuses_targets_of_another_length():
    small = QuantizedLinear.from_linear(linear([1.0], 0.0), [[0.0], [2.0]])
    with pytest.raises(HousingError, match=r"y_true has shape \(1,\) and y_pred \(2,\)"):
        small.score([[0.0], [2.0]], [1.0])


@pytest.mark.parametrize("scheme", FLOATS)
def test_intercept_is_the_prediction_where_all_features_are_0(scheme):
    small = QuantizedLinear.from_linear(linear([2.0, -1.0], 5.0), [[3.0, 4.0], [6.0, 1.0]], scheme)
    assert small.intercept_ == small.predict([[0.0, 0.0]])[0]


def test_intercept_of_the_integer_scheme_is_in_units_of_the_raw_features():
    # Inputs from 10 to 265 have steps of 1; weights of 1 and steps of 1/255 are exact: x - 10 is folded into the bias.
    small = QuantizedLinear.from_linear(linear([1.0], 3.0), [[10.0], [265.0]], "integer")
    assert small.intercept_ == pytest.approx(3.0, abs=1 / 255)
    assert small.intercept == pytest.approx(13.0, abs=1 / 255)


def test_intercepts_of_several_targets_are_an_array():
    small = QuantizedLinear.from_linear(linear([[1.0], [2.0]], [3.0, 4.0]), [[0.0], [1.0]], "integer")
    assert_allclose(small.intercept_, [3.0, 4.0], atol=0.01)


def test_type_checkers_know_every_scheme():
    assert tuple(BY_NAME) == SCHEMES


def test_integer_r2_drop_on_california(california):
    table, model = california
    small = QuantizedLinear.from_linear(model, table.X, "integer")
    assert model.score(table.X, table.y) - small.score(table.X, table.y) <= 0.002


@pytest.mark.parametrize(("scheme", "rms"), [("per-tensor", 0.02), ("per-channel", 0.004), ("integer", 0.05)])
def test_rms_deviation_on_california(california, scheme, rms):
    table, model = california
    small = QuantizedLinear.from_linear(model, table.X, scheme)
    assert Score.of(table.y, small.predict(table.X), model.predict(table.X)).rms_deviation <= rms


@pytest.mark.parametrize("scheme", SCHEMES)
def test_mean_prediction_is_kept(california, scheme):
    table, model = california
    small = QuantizedLinear.from_linear(model, table.X, scheme)
    # The integer scheme rounds its bias to a whole number of steps, and each input to a whole number; float32 the
    # intercept of -37 to a multiple of 2**-18.
    tolerance = {"integer": 3e-3, "float32": 2.0**-18}.get(scheme, 1e-9)
    assert abs(small.predict(table.X).mean() - model.predict(table.X).mean()) <= tolerance


@examples("case", [case for case in MODELS if case[2] in FLOATS])
@given(case=quantizable(FLOATS, exponent=2))
def test_mean_prediction_is_kept_whatever_the_bits(case):
    model, X, _, _ = case
    expected = model.predict(X).mean(axis=0)
    magnitude = np.abs(model.coef_).sum() * np.abs(X).max() + np.abs(model.intercept_).max()
    assert_allclose(quantized(case).predict(X).mean(axis=0), expected, atol=1e-11 * magnitude, rtol=0)


@pytest.mark.parametrize("case", NO_INTERCEPT)
def test_a_model_without_intercept_gets_the_one_that_keeps_its_mean(case):
    _, X, scheme, _ = case
    fitted = LinearRegression(fit_intercept=False).fit(X, X @ [2.0, -1.0])
    assert fitted.intercept_ == 0
    small = QuantizedLinear.from_linear(fitted, X, scheme)
    # A weight of 2 and one of -1, times half a step of an input each.
    tolerance = small.affine.scale + small.input_scale @ [1.0, 0.5] if scheme == "integer" else 1e-12
    assert abs(small.predict(X).mean() - fitted.predict(X).mean()) <= tolerance


@pytest.mark.parametrize("case", CONSTANT_FEATURES)
def test_constant_features_lose_nothing(case):
    model, X, scheme, _ = case
    small = quantized(case)
    tolerance = small.affine.scale if scheme == "integer" else 1e-12
    assert_allclose(small.predict(X), model.predict(X), atol=tolerance, rtol=0)


@pytest.mark.parametrize("case", CONSTANT_UP_TO_ROUNDING)
def test_a_feature_that_is_constant_up_to_rounding_keeps_its_weight(case):
    small = quantized(case)
    assert small.coef_[0] == pytest.approx(1.0, abs=0.02)
    assert np.all(small.error_bound(case[1]) <= 0.2)


@pytest.mark.parametrize("case", ZERO_WEIGHTS)
def test_zero_weights_predict_the_intercept(case):
    small = quantized(case)
    assert small.weights.tolist() == [0, 0]
    # An intercept that is no whole number of steps: in the integer scheme a zero range has scale 1.
    assert_allclose(small.predict(case[1]), [2.5, 2.5], atol=0.5 if case[2] == "integer" else 0, rtol=0)


def test_a_zero_weight_stays_zero():
    model = linear([1.0, 0.0, -3.7], 0.0)
    for scheme in SCHEMES:
        assert QuantizedLinear.from_linear(model, np.eye(3), scheme).coef_[1] == 0


@examples("case", MODELS)
@given(case=quantizable(exponent=3))
def test_shapes_and_types_are_those_of_the_float_model(case):
    model, X, _, _ = case
    small = quantized(case)
    assume(small is not None)
    assert small.predict(X).shape == model.predict(X).shape
    assert small.predict(X).dtype == np.float64
    assert small.weights.shape == model.coef_.shape
    assert small.weights.dtype == (np.float32 if case[2] == "float32" else np.uint8)
    assert small.coef_.shape == model.coef_.shape
    assert small.feature_names_in_ == model.feature_names_in_
    assert small.target_names_ == model.target_names_


@given(case=quantizable(INTEGERS, exponent=3))
def test_no_weight_is_further_than_radius(case):
    model, _, scheme, _ = case
    small = quantized(case)
    assume(small is not None)
    unit = small.input_scale.astype(float) if scheme == "integer" else 1.0
    reach = float(small.radius) * small.affine.scale.astype(float)
    # What the integers stand for in integer arithmetic; float32 rounds it in the other schemes.
    exact = (small.weights.astype(float) - small.affine.zero_point) * small.affine.scale.astype(float)
    rounded = exact if scheme == "integer" else small.affine.dequantize(small.weights)
    assert np.all(np.abs(rounded - model.coef_ * unit) <= reach)


@given(case=quantizable(INTEGERS, exponent=3))
def test_radius_is_half_a_step_for_the_nearest_integers(case):
    small = quantized(case)
    assume(small is not None)
    assert small.radius <= 0.5 + 2.0**-15


@pytest.mark.parametrize("scheme", INTEGERS)
def test_weights_fit_the_bits(scheme):
    model, rows = linear([-3.0, 1e-3, 2.0, 0.5], 1.0), np.random.default_rng(0).normal(size=(20, 4))
    smalls = [QuantizedLinear.from_linear(model, rows, scheme, bits) for bits in range(2, 9)]
    assert [small.affine.bits for small in smalls] == list(range(2, 9))
    assert [int(small.weights.max()).bit_length() for small in smalls] == list(range(2, 9))
    # Four weights of 2 to 8 bits take 8 to 32 bits.
    assert [small.payload_bytes - smalls[0].payload_bytes for small in smalls] == [0, 1, 1, 2, 2, 3, 3]


def test_more_bits_are_closer_on_california(california):
    table, model = california
    expected = model.predict(table.X)
    deviations = [
        np.std(QuantizedLinear.from_linear(model, table.X, "per-channel", bits).predict(table.X) - expected)
        for bits in (2, 4, 6, 8)
    ]
    assert deviations == sorted(deviations, reverse=True)


def test_per_channel_scales_are_inverse_to_the_spread_of_the_features():
    X = np.random.default_rng(0).normal(size=(50, 3)) * [1e-3, 1.0, 1e4]
    small = QuantizedLinear.from_linear(linear([1e3, 1.0, 1e-4], 0.0), X, "per-channel")
    assert_allclose(small.affine.scale * X.std(axis=0) / (small.affine.scale[0] * X[:, 0].std()), [1, 1, 1], rtol=1e-6)


def test_one_scale_for_all_weights_in_the_other_schemes():
    for scheme in ("per-tensor", "integer"):
        assert QuantizedLinear.from_linear(*SEVERAL_TARGETS[0][:2], scheme).affine.scale.shape == ()


@pytest.mark.parametrize("case", SEVERAL_TARGETS)
def test_several_targets_are_close(case):
    model, X, _, _ = case
    expected = model.predict(X)
    assert_allclose(quantized(case).predict(X), expected, atol=0.003 * np.abs(expected).max(), rtol=0)


@given(integer_models(), st.data())
def test_predict_quantized_equals_int64_for_every_input(model, data):
    p = model.weights.shape[-1]
    Xq = data.draw(arrays(np.uint8, (3, p), elements=st.integers(0, 255)))
    Xq = np.concatenate([Xq, np.full((1, p), 255, np.uint8), np.zeros((1, p), np.uint8)])
    assert_array_equal(model.predict_quantized(Xq), int64_reference(model, Xq), strict=True)


@every("p", [1, 257, 258, 259, 300, 400])
@every("targets", [None, 1, 3])
def test_predict_quantized_is_exact_below_and_above_what_float32_holds(p, targets):
    # 255 * 255 * 258 is the last sum below 2**24.
    shape = (p,) if targets is None else (targets, p)
    weights = np.full(shape, 255)
    weights[..., ::7] = 254
    model = integer_model(weights, 0, np.ones(shape[:-1]))
    Xq = np.full((4, p), 255, np.uint8)
    Xq[1:] = np.random.default_rng(p).integers(0, 256, (3, p))
    assert_array_equal(model.predict_quantized(Xq), int64_reference(model, Xq), strict=True)


@pytest.mark.parametrize(
    "layout", [np.ascontiguousarray, np.asfortranarray, np.flip, lambda Xq: Xq.repeat(2, 1)[:, ::2]]
)
def test_predict_quantized_is_exact_over_several_blocks_of_rows(layout):
    model = integer_model(np.arange(5) * 50, 100, 7, 0.1)
    Xq = layout(np.random.default_rng(0).integers(0, 256, (100_000, 5)).astype(np.uint8))
    assert_array_equal(model.predict_quantized(Xq), int64_reference(model, Xq), strict=True)


def test_predict_quantized_of_rows_wider_than_a_block():
    model = integer_model(np.tile([101, 99], 150_000), 100, 7)
    Xq = np.random.default_rng(0).integers(0, 256, (3, 300_000)).astype(np.uint8)
    assert_array_equal(model.predict_quantized(Xq), int64_reference(model, Xq), strict=True)


@pytest.mark.parametrize("bias", [2**24 - 1 - 255 * 203, 2**24 - 255 * 203, 255 * 203 - 2**24])
def test_predict_quantized_is_exact_for_a_bias_at_what_float32_holds(bias):
    model = integer_model([200, 3], 0, bias, 0.1)
    Xq = np.uint8([[255, 255], [254, 255], [0, 1], [0, 0]])
    assert_array_equal(model.predict_quantized(Xq), int64_reference(model, Xq), strict=True)


def test_predict_quantized_of_a_bias_near_int32():
    model = integer_model([200, 3], 0, 2**31 - 1 - 255 * 203)
    Xq = np.uint8([[255, 255], [0, 1]])
    assert_array_equal(model.predict_quantized(Xq), [2.0**31 - 1, 2.0**31 - 1 - 255 * 203 + 3], strict=True)


def test_onnx_matmulinteger():
    # The node test test_matmulinteger: A (4, 3) of zero point 12 times B (3, 2) of zero point 0. The inputs' zero
    # point goes into the bias here, −12 · Σ B; with scale 1 the prediction is the int32 sum.
    A = np.uint8([[11, 7, 3], [10, 6, 2], [9, 5, 1], [8, 4, 0]])
    B = np.uint8([[1, 4], [2, 5], [3, 6]])
    model = integer_model(B.T, 0, -12 * B.sum(axis=0, dtype=int))
    expected = np.array([[-38.0, -83.0], [-44.0, -98.0], [-50.0, -113.0], [-56.0, -128.0]])
    assert_array_equal(model.predict_quantized(A), expected, strict=True)


@given(integer_models(max_features=40), st.integers(0, 2**32 - 1), st.integers(0, 255))
def test_predict_quantized_equals_the_onnx_reference(model, seed, input_zero_point):
    pytest.importorskip("onnx")
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    node = helper.make_node("MatMulInteger", ["a", "b", "az", "bz"], ["y"])
    Xq = np.random.default_rng(seed).integers(0, 256, (4, model.weights.shape[-1])).astype(np.uint8)
    weights, zero_point = np.atleast_2d(model.weights), model.affine.zero_point
    inputs = {"a": Xq, "b": weights.T, "az": np.uint8([input_zero_point]), "bz": zero_point.reshape(1)}
    (expected,) = ReferenceEvaluator(node).run(None, inputs)
    bias = -input_zero_point * (weights.astype(int) - int(zero_point)).sum(axis=1)
    folded = integer_model(weights, zero_point, bias)
    assert_array_equal(folded.predict_quantized(Xq), expected.astype(np.float64), strict=True)


@given(case=quantizable(["integer"]))
def test_calibration_rows_never_saturate(case):
    small = quantized(case)
    assume(small is not None)
    assert not small.saturated(case[1]).any()


@given(case=quantizable(["integer"], exponent=3))
def test_an_input_is_off_by_half_a_step_at_most(case):
    small = quantized(case)
    assume(small is not None)
    back = small.input_offset + small.quantize_input(case[1]) * small.input_scale.astype(float)
    assert np.all(np.abs(back - case[1]) <= 0.5001 * small.input_scale + 1e-12 * np.abs(case[1]))


def test_rows_outside_the_calibrated_range_are_counted():
    X = np.array([[0.0, 10.0], [255.0, 20.0]])
    small = QuantizedLinear.from_linear(linear([1.0, 1.0], 0.0), X, "integer")
    rows = [[0.0, 10.0], [255.0, 20.0], [-1.0, 15.0], [256.0, 15.0], [100.0, 9.9], [100.0, 20.1], [-0.4, 20.0]]
    assert_array_equal(small.saturated(rows), [False, False, True, True, True, True, False], strict=True)


def test_inputs_outside_the_calibrated_range_saturate():
    X = np.array([[0.0, 10.0], [255.0, 20.0]])
    small = QuantizedLinear.from_linear(linear([1.0, 1.0], 0.0), X, "integer")
    assert_array_equal(small.quantize_input([[-1e9, 15.1], [1e300, 10.0]]), np.uint8([[0, 130], [255, 0]]), strict=True)


def test_integer_predict_is_predict_quantized_of_the_quantized_input(california):
    table, model = california
    small = QuantizedLinear.from_linear(model, table.X, "integer")
    assert_array_equal(small.predict(table.X), int64_reference(small, small.quantize_input(table.X)), strict=True)


def test_integer_intercept_is_a_whole_number_of_steps(california):
    table, model = california
    small = QuantizedLinear.from_linear(model, table.X, "integer")
    assert small.bias.dtype == np.int32
    assert small.bias * small.affine.scale.astype(float) == small.intercept


@pytest.mark.parametrize(("steps", "bias"), [(0.7, 1), (-0.7, -1), (0.3, 0), (-0.3, 0)])
def test_integer_bias_is_the_nearest_number_of_steps(steps, bias):
    # One step of the weight is 1 / 255, and the lowest input is 0.
    small = QuantizedLinear.from_linear(linear([1.0], steps / 255), [[0.0], [255.0]], "integer")
    assert_array_equal(small.bias, np.array(bias, np.int32), strict=True)


@every("sign", [1, -1])
@every("intercept", [1e5, 1e9, 1e15])
def test_beside_a_large_bias_the_steps_are_coarser_and_the_bound_holds(sign, intercept):
    # Each step of the weight would be 1 / 255, and an intercept of 1e9 is 2.55e11 of them: int32 holds 2.1e9.
    X = np.arange(256.0)[:, None]
    model = linear([1.0], sign * intercept)
    small = QuantizedLinear.from_linear(model, X, "integer")
    deviation = np.abs(small.predict(X) - model.predict(X))
    assert (deviation <= small.error_bound(X)).all()
    assert deviation.max() <= 255 * max(1 / 255, intercept / 2**30)


def test_the_largest_sum_that_int32_holds_is_accepted():
    bias = 2**31 - 1 - 255 * 255
    assert integer_model([255], 0, bias).bias == bias
    with pytest.raises(HousingError, match="the int32 sum of the scheme 'integer' could reach 2147483648"):
        integer_model([255], 0, bias + 1)


def test_negative_steps_count_towards_the_overflow():
    with pytest.raises(HousingError, match="the int32 sum of the scheme 'integer' could reach"):
        integer_model([0, 255], 128, -(2**31 - 1) + 1000)


@pytest.mark.matrix(p=3)
@pytest.mark.parametrize("p", [1, 2, 3, 8, 13])
@every("targets", [None, 3])
@every("scheme", SCHEMES)
def test_a_row_is_predicted_the_same_whatever_stands_beside_it(scheme, targets, p):
    rng = np.random.default_rng(p)
    X = rng.normal(size=(67, p)) * 10.0 ** rng.uniform(-2, 2, p)
    shape = (p,) if targets is None else (targets, p)
    small = QuantizedLinear.from_linear(linear(rng.normal(size=shape), np.zeros(shape[:-1])), X, scheme)
    together = small.predict(X)
    assert_array_equal(np.concatenate([small.predict(row[np.newaxis]) for row in X]), together, strict=True)
    assert_array_equal(small.predict(X[::-2]), together[::-2], strict=True)
    assert_array_equal(small.predict(np.asfortranarray(X)), together, strict=True)
    assert_array_equal(small.predict(X[1:]), together[1:], strict=True)


def assert_same_bits(found, expected):
    """Also of the sign of 0."""
    assert_array_equal(np.asarray(found).view(np.uint64), np.asarray(expected).view(np.uint64), strict=True)


NEGATIVE_ZERO = [
    (model, np.vstack([X, -0.0 * X, 0.0 * X]), scheme, bits)
    for coef in ([0.0, 1.0], [-0.0, -1.0], [[1.0, 0.0], [-1.0, -0.0]])
    for model, X, scheme, bits in with_schemes(linear(coef, np.full(np.shape(coef)[:-1], -0.0)), [[-1.0, 0.0], [0, -2]])
]


@examples("case", [*MODELS, *NEGATIVE_ZERO])
@given(case=quantizable())
def test_any_row_alone_has_the_bits_that_it_has_among_others(case):
    model, X, _, _ = case
    small = quantized(case)
    assume(small is not None)
    X = far_rows(X, np.random.default_rng(1))
    for answers in (model.predict, small.predict, small.error_bound):
        assert_same_bits(np.concatenate([answers(X[i : i + 1]) for i in range(len(X))]), answers(X))


@pytest.mark.parametrize("scheme", FLOATS)
@pytest.mark.parametrize("rows", [1, 2])
def test_an_intercept_of_minus_zero_in_a_file_makes_no_minus_zero(rows, scheme):
    numbers = QuantizedLinear.from_linear(*NO_INTERCEPT[0][:2], scheme).numbers() | {"intercept": np.array(-0.0)}
    small = QuantizedLinear.from_numbers(scheme, numbers, ("x0", "x1"), ("y0",))
    assert_same_bits(small.predict(np.tile([[0.0, 0.0]], (rows, 1))), np.zeros(rows))
    assert_same_bits(small.predict(np.tile([[-0.0, 0.0]], (rows, 1))), np.zeros(rows))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_rows_give_no_predictions(scheme):
    small = QuantizedLinear.from_linear(*SEVERAL_TARGETS[0][:2], scheme)
    assert_array_equal(small.predict(np.empty((0, 2))), np.empty((0, 2)), strict=True)
    assert small.error_bound(np.empty((0, 2))).shape == (0, 2)


def test_payload_is_the_bytes_of_the_numbers(california):
    table, model = california
    sizes = {s: QuantizedLinear.from_linear(model, table.X, s).payload_bytes for s in SCHEMES}
    # bits, weights, scale, zero point, radius, slack, intercept; and center, with a scale and zero point per feature.
    assert sizes["per-tensor"] == 1 + 8 + 4 + 1 + 4 + 4 + 8
    assert sizes["per-channel"] == 1 + 8 + 8 * 4 + 8 + 4 + 4 + 8 + 8 * 4
    # bias instead of intercept; center in uint8, a scale and an offset per feature.
    assert sizes["integer"] == 1 + 8 + 4 + 1 + 4 + 4 + 4 + 8 + 8 * 4 + 8 * 8
    assert sizes["float32"] == 4 * (8 + 1)


@given(case=quantizable(exponent=3))
def test_calibration_is_enough(case):
    model, X, scheme, bits = case
    whole = quantized(case)
    assume(whole is not None)
    summary = QuantizedLinear.from_linear(model, Calibration.of(X), scheme, bits)
    for name, array in whole.numbers().items():
        assert_array_equal(summary.numbers()[name], array, strict=True)


def test_a_percentile_leaves_out_the_outliers():
    X = np.append(np.arange(100.0), 1e6)[:, np.newaxis]
    small = QuantizedLinear.from_linear(linear([1.0], 0.0), Calibration.of(X, percentile=99), "integer")
    assert_array_equal(small.saturated([[0.0], [1.0], [99.0], [1e6]]), [True, False, False, True], strict=True)


@every(
    ("X", "message"),
    [
        ([1.0, 2.0], r"X has shape \(2,\): expected \(rows, features\)"),
        (3.0, r"X has shape \(\): expected \(rows, features\)"),
        ([[[1.0]]], r"X has shape \(1, 1, 1\): expected \(rows, features\)"),
        ([["a", "b"]], "X has dtype <U1: expected real numbers"),
        ([[1j, 2]], "X has dtype complex128: expected real numbers"),
        ([[None, None]], "X has dtype object: expected real numbers"),
        ([[1.0, 2.0], [3.0]], "X is not an array of numbers"),
        (np.ma.masked_array([[1.0, 2.0]], [[False, True]]), "X has masked entries"),
        (np.ones((4, 3)), "X has 3 columns, expected 2: x0, x1"),
        ([[1.0, 2.0], [np.nan, 3.0]], "X: row 1, column 'x0': nan is not a finite number"),
        ([[1.0, 2.0], [3.0, np.inf]], "X: row 1, column 'x1': inf is not a finite number"),
    ],
)
def test_what_is_not_rows_of_finite_numbers_is_refused_at_every_door(X, message):
    model, rows, _, _ = NO_INTERCEPT[0]
    small = {scheme: QuantizedLinear.from_linear(model, rows, scheme) for scheme in SCHEMES}
    doors = [small["integer"].quantize_input, small["integer"].saturated]
    for scheme in SCHEMES:
        doors += [small[scheme].predict, small[scheme].error_bound]
        doors.append(lambda X, scheme=scheme: QuantizedLinear.from_linear(model, X, scheme))
    for door in doors:
        with pytest.raises(HousingError, match=message):
            door(X)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_calibration_of_other_features_is_refused(scheme):
    with pytest.raises(HousingError, match="the calibration has 3 features, the model 2"):
        QuantizedLinear.from_linear(NO_INTERCEPT[0][0], Calibration.of(np.ones((4, 3))), scheme)


@pytest.mark.matrix("bad")
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rows", [5, 1 << 20])
@pytest.mark.parametrize("scheme", FLOATS)
def test_what_is_not_finite_is_found_under_a_weight_of_zero(scheme, rows, bad):
    # Up to 2**20 numbers are multiplied row by row, more by BLAS.
    small = QuantizedLinear.from_linear(linear([1.0, 0.0], 0.0), [[1.0, 2.0], [3.0, 5.0]], scheme)
    assert small.coef_[1] == 0
    X = np.ones((rows, 2))
    X[rows - 1, 1] = bad
    with pytest.raises(HousingError, match=f"X: row {rows - 1}, column 'x1': {bad} is not a finite number"):
        small.predict(X)


@pytest.mark.parametrize("scheme", FLOATS)
def test_finite_rows_are_predicted_however_large(scheme):
    small = QuantizedLinear.from_linear(linear([1.0, 0.0], 0.0), [[1.0, 2.0], [3.0, 5.0]], scheme)
    assert_allclose(small.predict([[1e300, 0.0], [-1e300, 0.0]]), [1e300, -1e300], rtol=1e-2)
    assert_array_equal(small.predict([[1.79e308, 0.0], [1.0, 0.0]])[:1] > 1e308, [True])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_calibration_rows_are_refused(scheme):
    with pytest.raises(HousingError, match="X has no rows: calibration needs at least one"):
        QuantizedLinear.from_linear(NO_INTERCEPT[0][0], np.empty((0, 2)), scheme)


@pytest.mark.parametrize(
    "Xq", [np.ones((2, 2)), np.ones((2, 2), np.int64), np.ones((2, 3), np.uint8), np.ones(2, np.uint8)]
)
def test_other_than_uint8_rows_are_refused(Xq):
    message = r"Xq has shape .* of .* in the scheme 'integer': expected the scheme 'integer' and uint8 rows of 2"
    with pytest.raises(HousingError, match=message):
        integer_model([1, 2], 0, 0).predict_quantized(Xq)


@pytest.mark.parametrize("scheme", FLOATS)
def test_only_the_integer_scheme_quantizes_inputs(scheme):
    small = QuantizedLinear.from_linear(*NO_INTERCEPT[0][:2], scheme)
    with pytest.raises(HousingError, match=f"the scheme '{scheme}' takes inputs in float: only 'integer' quantizes"):
        small.quantize_input([[1.0, 2.0]])
    with pytest.raises(HousingError, match=f"the scheme '{scheme}' takes inputs in float: only 'integer' quantizes"):
        small.saturated([[1.0, 2.0]])
    with pytest.raises(HousingError, match=f"in the scheme '{scheme}': expected the scheme 'integer'"):
        small.predict_quantized(np.uint8([[1, 2]]))


def test_unknown_options_are_refused():
    model, X, _, _ = NO_INTERCEPT[0]
    with pytest.raises(HousingError, match="scheme is 'int4': expected one of per-tensor, per-channel, integer"):
        QuantizedLinear.from_linear(model, X, "int4")
    with pytest.raises(HousingError, match="rounding is 'up': expected one of nearest, optimal"):
        QuantizedLinear.from_linear(model, X, rounding="up")
    with pytest.raises(HousingError, match="bits is 9: expected an integer from 2 to 8"):
        QuantizedLinear.from_linear(model, X, bits=9)


@every("coef", [[1e60], [-1e45]])
@every("scheme", SCHEMES)
def test_weights_beyond_float32_are_refused(scheme, coef):
    with pytest.raises(HousingError, match="float32"):
        QuantizedLinear.from_linear(linear(coef, 0.0), [[1.0], [2.0]], scheme)


@every("unit", [1e-50, 1e-40, 1e50])
@every("scheme", SCHEMES)
def test_features_beyond_float32_are_bounded_or_refused(scheme, unit):
    X = np.array([[1.0, 1.0], [2.0, 3.0], [3.0, 2.0]]) * [1.0, unit]
    model = linear([1.0, 1.0], 0.5)
    try:
        small = QuantizedLinear.from_linear(model, X, scheme)
    except HousingError as error:
        assert "float32" in str(error)  # noqa: PT017
    else:
        assert np.all(np.abs(small.predict(X) - model.predict(X)) <= small.error_bound(X))


@given(BITS, st.integers(0, 2**32 - 1))
def test_per_channel_with_one_feature_is_exact_at_the_ends(bits, seed):
    weight = np.random.default_rng(seed).normal()
    small = QuantizedLinear.from_linear(linear([weight], 0.0), [[1.0], [2.0]], "per-channel", bits)
    assert small.coef_[0] == pytest.approx(weight, rel=1e-6)


def test_several_targets_per_target_scale_is_affine_with_axis_0():
    weights = np.array([[1e-3, -2e-3], [50.0, 100.0]])
    affine = Affine.fit(weights, axis=0)
    assert np.all(np.abs(affine.dequantize(affine.quantize(weights)) - weights) <= affine.max_error[:, np.newaxis])


ROWS = np.array([[0.0, 1.0], [1.0, 3.0], [2.0, 2.0], [5.0, 1.0]])


def parts(scheme):
    """What a model of two features is made of, by name."""
    model = QuantizedLinear.from_linear(LinearRegression().fit(ROWS, [1.0, 4.0, 5.0, 2.0]), ROWS, scheme)
    return {name: getattr(model, name) for name in QuantizedLinear.__dataclass_fields__}


@every(
    ("scheme", "changes", "message"),
    [
        ("per-channel", {"weights": [0.5, 1.0]}, "q must be integers from 0 to 255"),
        ("per-channel", {"weights": [1, 2, 3]}, "axis -1 has length 3, expected 2, one per scale"),
        ("per-tensor", {"weights": np.zeros((1, 1, 2), int)}, r"weights have shape \(1, 1, 2\)"),
        ("per-tensor", {"weights": np.zeros((2, 0), int)}, r"weights have shape \(2, 0\)"),
        ("per-channel", {"affine": None}, "affine is None: expected Affine"),
        ("per-channel", {"affine": Affine(1.0, 0)}, "affine has axis None: the scheme 'per-channel' has one scale for"),
        (
            "per-tensor",
            {"affine": Affine([1.0, 1.0], [0, 0], -1)},
            "affine has axis -1: the scheme .per-tensor. has",
        ),
        ("per-channel", {"named": "yes"}, "named is 'yes': expected bool"),
        ("per-channel", {"scheme": "int4"}, "scheme is 'int4': expected one of per-tensor, per-channel, integer"),
        ("per-channel", {"bias": [1.0]}, r"bias has shape \(1,\): expected \(\)"),
        ("per-channel", {"bias": np.nan}, "bias holds a number that is not finite: rescale the features or targets"),
        ("per-channel", {"bias": 2**53 + 1}, "bias: 9007199254740993 is an integer beyond 2"),
        ("integer", {"bias": 0.5}, "bias holds a number that int32 does not: give it as int32"),
        ("per-channel", {"center": [0.1, 1.0]}, "center holds a number that float32 does not: give it as float32"),
        ("per-tensor", {"center": np.float32([0, 1])}, "center must be 0 in the scheme 'per-tensor'"),
        ("integer", {"center": [1, 256]}, "center holds a number that uint8 does not: give it as uint8"),
        ("integer", {"center": [-1, 2]}, "center holds a number that uint8 does not"),
        ("per-channel", {"slack": 1e300}, "slack holds a number that float32 does not"),
        ("per-channel", {"slack": np.nan}, "slack holds a number that is not finite"),
        ("per-channel", {"radius": 0.1}, "radius holds a number that float32 does not"),
        ("integer", {"input_scale": [np.inf, 1.0]}, "input_scale holds a number that is not finite"),
        ("integer", {"input_scale": None}, "input_scale has dtype object"),
        ("per-channel", {"input_scale": [1.0, 1.0]}, "input_scale and input_offset are for the scheme 'integer', not"),
        ("per-tensor", {"input_offset": [1.0, 1.0]}, "input_scale and input_offset are for the scheme 'integer', not"),
        ("float32", {"weights": [0.1, 1.0]}, "weights holds a number that float32 does not: give it as float32"),
        ("float32", {"bias": 0.1}, "bias holds a number that float32 does not: give it as float32"),
        ("float32", {"affine": Affine(2.0, 0)}, "scale is 2.0: expected 1.0 in the scheme 'float32'"),
        ("float32", {"slack": np.float32(0)}, "slack is 0.0: expected .* in the scheme 'float32'"),
        ("per-channel", {"feature_names_in_": ["a"]}, "feature_names_in_ has 1 name, expected 2: a"),
        ("per-channel", {"target_names_": ["y", "z"]}, "target_names_ has 2 names, expected 1: y, z"),
    ],
)
def test_a_model_is_made_of_what_fits_it_exactly(scheme, changes, message):
    with pytest.raises(HousingError, match=message):
        QuantizedLinear(**{**parts(scheme), **changes})


@pytest.mark.parametrize("scheme", SCHEMES)
def test_plain_lists_make_the_same_model(scheme):
    plain = {name: part.tolist() if isinstance(part, np.ndarray) else part for name, part in parts(scheme).items()}
    model, expected = QuantizedLinear(**plain), QuantizedLinear(**parts(scheme))
    for name, value in vars(expected).items():
        if isinstance(value, np.ndarray):
            assert_array_equal(getattr(model, name), value, strict=True)
    assert type(model.radius) is np.float32


def test_an_infinite_bound_is_a_bound():
    model = QuantizedLinear(**{**parts("per-channel"), "slack": np.float32(np.inf)})
    assert model.error_bound(ROWS).tolist() == [np.inf] * 4


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_numbers_of_a_model_have_to_be_all_there(scheme):
    model = QuantizedLinear(**parts(scheme))
    for name in model.numbers():
        others = {key: value for key, value in model.numbers().items() if key != name}
        with pytest.raises(HousingError, match=f"the numbers lack {name}$"):
            QuantizedLinear.from_numbers(scheme, others, ("a", "b"), ("y",))


@every("scheme", SCHEMES)
@every("copied", [lambda x: x, copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_no_array_of_a_model_or_of_its_copy_can_be_written(scheme, copied):
    model = QuantizedLinear(**parts(scheme))
    expected = model.predict(ROWS)  # so that what is cached would be copied too
    other = copied(model)
    assert_array_equal(other.predict(ROWS), expected)
    assert_array_equal(other.error_bound(ROWS), model.error_bound(ROWS))
    held = {name: getattr(other, name) for name in ("weights", "bias", "center", "slack", "_values")}
    held |= {"scale": other.affine.scale, "zero_point": other.affine.zero_point}
    held |= {name: getattr(other, name) for name in ("input_scale", "input_offset") if scheme == "integer"}
    assert [name for name, array in held.items() if array.flags.writeable] == []


@every(
    ("coef", "intercept", "place"),
    [
        ([1.0, np.nan], 0.0, "the weight of 'b' for 'y' is nan"),
        ([-np.inf, 1.0], 0.0, "the weight of 'a' for 'y' is -inf"),
        ([1.0, 1.0], np.nan, "the intercept for 'y' is nan"),
        ([[1.0, 1.0], [1.0, np.inf]], [0.0, 0.0], "the weight of 'b' for 'z' is inf"),
        ([[1.0, 1.0], [1.0, 1.0]], [0.0, np.inf], "the intercept for 'z' is inf"),
    ],
)
@pytest.mark.matrix("rounding")
@every("scheme", SCHEMES)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_a_float_model_of_no_finite_numbers_is_not_quantized(coef, intercept, place, scheme, rounding):
    model = LinearRegression.from_coefficients(coef, intercept, ["a", "b"], ["y", "z"][: np.ndim(coef)])
    for X in (ROWS, Calibration.of(ROWS)):
        with pytest.raises(HousingError, match=f"{place} in the float model: fit it again, or correct it"):
            QuantizedLinear.from_linear(model, X, scheme, rounding=rounding)


def test_a_linear_model_of_scikit_learn_of_no_finite_numbers_is_not_quantized():
    from sklearn.linear_model import LinearRegression as Theirs

    theirs = Theirs().fit(ROWS, [1.0, 4.0, 5.0, 2.0])
    theirs.coef_[1] = np.nan
    with pytest.raises(HousingError, match="the weight of 'x1' for 'y' is nan in the float model"):
        QuantizedLinear.from_linear(theirs, ROWS)


@pytest.mark.parametrize(
    ("scheme", "rounding", "message"),
    [
        ("per-channel", "nearest", "column 'x1' is too large to square in float64: rescale it"),
        ("per-channel", "optimal", "column 'x1' is too large to square in float64: rescale it"),
        ("per-tensor", "optimal", "the features are too large or too small to square: rescale them"),
        ("integer", "nearest", "the range of a feature, .* is too wide for a float32 scale: rescale it"),
    ],
)
def test_a_feature_too_large_to_square_is_refused_where_squares_are_needed(scheme, rounding, message):
    X = ROWS * [1.0, 1e200]
    model = LinearRegression().fit(X, [1.0, 4.0, 5.0, 2.0])
    with pytest.raises(HousingError, match=message):
        QuantizedLinear.from_linear(model, X, scheme, rounding=rounding)


@pytest.mark.parametrize("scheme", ["per-tensor", "per-channel"])
def test_the_sign_of_a_prediction_of_0_does_not_depend_on_the_number_of_rows(scheme):
    float_model = LinearRegression.from_coefficients([2.0, 3.0], 0.0, ["a", "b"], ["y"])
    model = replace(QuantizedLinear.from_linear(float_model, [[0.0, 1.0], [1.0, -1.0]], scheme), bias=-0.0)
    rows = np.full((3, 2), -0.0)
    assert np.signbit(model.predict(rows[:1])).tolist() == np.signbit(model.predict(rows)[:1]).tolist()
