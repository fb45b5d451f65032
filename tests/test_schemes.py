"""The arithmetic of each scheme, against values computed by hand."""

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from cases import every
from numpy.testing import assert_array_equal
from strategies import integer_model, linear

from housing_np import Affine, HousingError
from housing_np.quantized.calibration import Calibration
from housing_np.quantized.model import QuantizedLinear
from housing_np.quantized.schemes import BY_NAME
from housing_np.quantized.schemes.integer import Integer
from housing_np.quantized.schemes.per_channel import PerChannel
from housing_np.quantized.schemes.per_tensor import PerTensor
from housing_np.quantized.schemes.scheme import Exact, Field, fields_of, rounding_error, with_rounding

INT32_MAX = 2**31 - 1
FLOAT32_MAX = float(np.finfo(np.float32).max)
EVERY = ["bits", "weights", "scale", "zero_point", "radius", "slack"]


def calibration(mean, deviation, low, high):
    return Calibration.of_figures(9, *(np.array(each, float) for each in (mean, deviation, low, high)))


def exact(coef, intercept=0.0, deviation=None):
    coef = np.array(coef, float)
    p = coef.shape[-1]
    deviation = np.ones(p) if deviation is None else np.array(deviation, float)
    return Exact(coef, np.asarray(intercept, float), np.zeros(p), deviation, lambda: np.diag(np.square(deviation)))


def float_model(scheme="per-channel", **changes):
    """Weights 2 · (4, -3) and the intercept 1, for rows about (10, 20)."""
    per_feature = scheme == "per-channel"
    numbers = {
        "bits": np.uint8(8),
        "weights": np.uint8([14, 7]),
        "scale": np.float32([2, 2]) if per_feature else np.float32(2),
        "zero_point": np.uint8([10, 10]) if per_feature else np.uint8(10),
        "radius": np.float32(0.5),
        "slack": np.float32(0.25),
        "intercept": np.float64(1),
        "center": np.float32([10, 20]),
    }
    return QuantizedLinear.from_numbers(scheme, {**numbers, **changes}, ("a", "b"), ("y",))


@pytest.mark.parametrize(
    ("per", "shape", "axis"), [("model", (), None), ("target", (3,), 0), ("feature", (2,), -1), ("weight", (3, 2), 0)]
)
def test_what_a_number_is_stored_for_gives_its_shape_and_axis(per, shape, axis):
    field = Field("<f4", per)
    assert (field.shape((3, 2)), field.axis((3, 2))) == (shape, axis)


def test_numbers_of_one_target_have_no_axis():
    assert (Field("<f4", "target").shape((2,)), Field("<f4", "target").axis((2,))) == ((), None)


def test_numbers_are_stored_as_a_copy_that_nobody_writes_to():
    given = np.array([0.5, 2.0])
    stored = Field("<f4", "feature").stored(given, "scale", (2,))
    given[0] = 7.0
    assert_array_equal(stored, np.float32([0.5, 2.0]), strict=True)
    assert not stored.flags.writeable


@pytest.mark.parametrize("name", ["radius", "slack"])
def test_a_bound_may_be_infinite_and_not_unknown(name):
    assert Field("<f4", "model").stored(np.inf, name, (2,)) == np.inf
    with pytest.raises(HousingError, match=f"^{name} holds a number that is not finite"):
        Field("<f4", "model").stored(np.nan, name, (2,))


@every(
    ("kind", "values", "message"),
    [
        ("<f4", [1.0], r"scale has shape \(1,\): expected \(2,\)"),
        ("<f4", ["a", "b"], "scale has dtype <U1: expected real numbers.*"),
        ("<f4", [1.0, np.inf], "scale holds a number that is not finite: rescale the features or targets"),
        ("<f8", [0, 2**53 + 1], r"scale\[1\]: 9007199254740993 is an integer beyond.*"),
        ("<f4", [1.0, 0.1], "scale holds a number that float32 does not: give it as float32"),
        ("<f4", [1.0, 1e300], "scale holds a number that float32 does not: give it as float32"),
        ("u1", [1.0, 1e300], "scale holds a number that uint8 does not: give it as uint8"),
        (">i4", [1.0, 0.5], "scale holds a number that int32 does not: give it as int32"),
    ],
)
def test_numbers_that_a_field_does_not_hold_are_refused(kind, values, message):
    with pytest.raises(HousingError, match=f"^{message}$"):
        Field(kind, "feature").stored(values, "scale", (2,))


def test_fields_come_in_the_order_of_the_file():
    found = fields_of("feature", intercept=Field("<f8", "target"))
    assert list(found) == [*EVERY, "intercept"]
    assert list(found.values()) == [
        ("u1", "model"),
        ("u1", "weight"),
        ("<f4", "feature"),
        ("u1", "feature"),
        ("<f4", "model"),
        ("<f4", "target"),
        ("<f8", "target"),
    ]
    assert list(BY_NAME["integer"].fields) == [*EVERY, "bias", "center", "input_scale", "input_offset"]


def test_the_ends_of_weights_contain_0():
    low, high = exact([[1.0, -2.0, 5.0], [3.0, -1.0, -4.0]]).ends()
    assert (low.tolist(), high.tolist()) == ([0.0, -2.0, -4.0], [3.0, 0.0, 5.0])


def test_the_float_model_and_the_rows_are_taken_as_they_are():
    rows = calibration([1.0, 2.0], [3.0, 4.0], [0.0, 0.0], [9.0, 9.0])
    found = PerTensor().exact(linear([2.0, -1.0], 5.0), rows)
    assert [each.tolist() for each in found[:4]] == [[2.0, -1.0], 5.0, [1.0, 2.0], [3.0, 4.0]]
    assert found[5:] == (None, None)


def test_one_scale_covers_all_weights():
    affine = PerTensor().affine(exact([[-1.0, 2.0], [0.5, 0.0]]), 4)
    assert (affine.scale, affine.zero_point, affine.axis, affine.bits) == (np.float32(3 / 15), 5, None, 4)


def test_the_best_integers_of_one_scale_have_it_alone():
    affine, q, proven = PerTensor().optimal(exact([1.0, -2.0]), 2)
    assert (affine.scale.shape, affine.zero_point.shape, affine.axis, affine.bits, proven) == ((), (), None, 2, True)
    assert affine.dequantize(q).tolist() == [1.0, -2.0]
    assert q.flags.c_contiguous


def test_the_best_integers_of_one_feature_are_exact():
    affine, q, _ = PerTensor().optimal(exact([2.0]), 2)
    assert affine.dequantize(q).tolist() == [2.0]


def test_the_best_integers_per_channel_have_scales_inverse_to_the_deviations():
    affine, q, proven = PerChannel().optimal(exact([1.0, -2.0], deviation=[2.0, 1.0]), 3)
    assert (affine.axis, affine.bits, proven) == (-1, 3, True)
    assert affine.scale[1] == pytest.approx(2 * affine.scale[0])
    assert affine.zero_point[0] != affine.zero_point[1]
    assert affine.dequantize(q) == pytest.approx([1.0, -2.0])


def test_covariances_that_are_not_known_are_refused():
    unknown = exact([1.0, 2.0])._replace(covariance=lambda: np.full((2, 2), np.nan))
    with pytest.raises(HousingError, match="^the features are too large or too small to square: rescale them$"):
        PerTensor().optimal(unknown, 8)


def test_the_base_takes_weights_and_intercept_as_they_are():
    scheme, affine = PerTensor(), Affine(0.1, 10)
    assert scheme.fitted(affine, exact([1.0])) is affine
    assert_array_equal(scheme.values(affine, np.uint8([10, 11])), [0.0, float(np.float32(0.1))], strict=True)
    assert scheme.bias(np.array(0.3), affine) == scheme.intercept(np.array(0.3), affine) == 0.3


def test_a_center_is_stored_in_float32_or_is_0():
    mean = np.array([1e300, -1e300, 1.5])
    assert_array_equal(PerChannel().center(mean), np.float32([FLOAT32_MAX, -FLOAT32_MAX, 1.5]), strict=True)
    assert_array_equal(PerTensor().center(mean), np.zeros(3, np.float32), strict=True)
    assert_array_equal(Integer().center(np.array([-3.0, 1.5, 300.0])), np.uint8([0, 2, 255]), strict=True)


@pytest.mark.parametrize("name", ["input_scale", "input_offset"])
def test_a_scheme_of_floats_has_no_scales_of_inputs(name):
    model = SimpleNamespace(input_scale=None, input_offset=None, center=np.zeros(2))
    BY_NAME["per-tensor"].check(model)
    setattr(model, name, np.ones(2))
    with pytest.raises(
        HousingError, match="^input_scale and input_offset are for the scheme 'integer', not 'per-tensor'$"
    ):
        BY_NAME["per-tensor"].check(model)


def test_only_a_scheme_that_stores_a_center_has_one():
    model = SimpleNamespace(input_scale=None, input_offset=None, center=np.ones(2))
    BY_NAME["per-channel"].check(model)
    with pytest.raises(HousingError, match="^center must be 0 in the scheme 'per-tensor'$"):
        BY_NAME["per-tensor"].check(model)


def test_predictions_are_weights_times_rows_plus_the_intercept():
    # 8 · 1 - 6 · 2 + 1
    assert float_model().predict([[1.0, 2.0]]).tolist() == [-3.0]


def test_the_bias_of_one_target_is_a_float_of_python():
    values, bias = BY_NAME["per-channel"].kernel(float_model())
    assert (values.tolist(), type(bias), bias) == ([8.0, -6.0], float, 1.0)


def test_a_row_that_is_not_finite_is_named():
    with pytest.raises(HousingError, match="^X: row 1, column 'a'"):
        float_model().predict([[1.0, 2.0], [np.nan, 0.0]])


def test_columns_of_a_frame_have_to_be_the_models():
    pd = pytest.importorskip("pandas")
    assert float_model().predict(pd.DataFrame({"b": [2.0], "a": [1.0]})[["a", "b"]]).tolist() == [-3.0]
    with pytest.raises(HousingError, match="column|feature"):
        float_model().predict(pd.DataFrame({"c": [1.0], "d": [2.0]}))


def test_a_model_of_made_up_names_takes_the_columns_of_any_frame():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"c": [1.0], "d": [2.0]})
    assert replace(float_model(), named=False).predict(frame).tolist() == [-3.0]
    assert replace(integer_model([1, 2], 0, 0), named=False).predict(frame).tolist() == [5.0]


def test_rows_of_quantized_inputs_are_for_the_scheme_of_integers():
    text = r"Xq has shape \(1, 2\) of float64 in the scheme '{}': expected the scheme 'integer' and uint8 rows of 2, "
    text += "as quantize_input gives them"
    for name, model in (("per-channel", float_model()), ("integer", integer_model([1, 2], 0, 0))):
        with pytest.raises(HousingError, match=f"^{text.format(name)}$"):
            model.predict_quantized(np.ones((1, 2)))


@pytest.mark.parametrize("Xq", [np.ones(2, np.uint8), np.ones((1, 3), np.uint8), np.ones((1, 2), np.int8)])
def test_quantized_inputs_are_rows_of_uint8(Xq):
    with pytest.raises(HousingError, match="^Xq has shape"):
        integer_model([1, 2], 0, 0).predict_quantized(Xq)


def test_inputs_of_floats_are_not_quantized():
    message = "the scheme 'per-channel' takes inputs in float: only 'integer' quantizes them"
    with pytest.raises(HousingError, match=f"^{message}$"):
        float_model().quantize_input([[1.0, 2.0]])


def test_the_bound_is_the_distance_from_the_center_times_the_reach_plus_the_slack():
    # |13 - 10| · 0.5 · 2 + |18 - 20| · 0.5 · 2 + 0.25, and what float64 rounds.
    (bound,) = float_model().error_bound([[13.0, 18.0]])
    assert 5.25 < bound < 5.25 * (1 + 1e-6)


def test_the_bound_about_0_is_that_of_the_raw_features():
    (bound,) = float_model("per-tensor").error_bound([[13.0, -18.0]])
    assert 31.25 < bound < 31.25 * (1 + 1e-6)


def test_rounding_of_a_sum_grows_with_its_terms():
    assert rounding_error(6) == 80 * 2.0**-53


def test_a_bound_covers_the_rounding_of_everything_that_is_added():
    model = SimpleNamespace(weights=np.zeros((1, 6)), intercept=np.array([-(2.0**52)]), slack=np.array([2.0**51]))
    found = with_rounding(model, np.array([3.0]), np.array([2.0**53]))
    # 3 + 80 · 2⁻⁵³ · (2⁵³ + 2⁵² + 2⁵¹), times 1 + 80 · 2⁻⁵³
    assert found.tolist() == [143.0 * (1 + 80 * 2.0**-53)]


def test_the_size_of_what_is_rounded_is_that_of_rows_center_and_weights():
    big = float_model(center=np.float32([0, -(2.0**60)]), slack=np.float32(0))
    # At the center itself: (0 + (2⁶⁰ + 2⁶⁰) · (6 + 1)) + 1, times 8 · (2 + 4) · 2⁻⁵³
    (bound,) = big.error_bound([[0.0, -(2.0**60)]])
    assert bound == pytest.approx(14 * 2.0**60 * 48 * 2.0**-53, rel=1e-12)


def test_per_channel_scales_weigh_the_same_in_a_prediction():
    # The widest is 3 · 2: scale · deviation = 6 / 15 for each feature that varies; a constant has 4 / 15 of its own.
    affine = PerChannel().affine(exact([[3.0, -1.0, 4.0], [0.0, 2.0, 0.0]], deviation=[2.0, 0.5, 0.0]), 4)
    assert affine.scale == pytest.approx([0.2, 0.8, 4 / 15], rel=1e-6)
    assert affine.zero_point.tolist() == [0, 1, 0]
    assert (affine.axis, affine.bits) == (-1, 4)


def test_per_channel_scales_of_weights_that_are_0():
    affine = PerChannel().affine(exact([0.0, 0.0], deviation=[2.0, 0.0]), 8)
    assert affine.scale == pytest.approx([0.5 / 255, 1 / 255], rel=1e-6)


def test_a_feature_whose_square_is_beyond_float64_is_named():
    rows = calibration([0.0, 0.0], [1.0, 1e200], [0.0, 0.0], [1.0, 1e200])
    with pytest.raises(HousingError, match="^column 'x1' is too large to square in float64: rescale it$"):
        PerChannel().exact(linear([1.0, 1.0], 0.0), rows)


def test_the_integer_scheme_takes_the_model_in_units_of_its_inputs():
    rows = calibration([2.0, 4.0], [1.0, 4.0], [1.0, -2.0], [1.0 + 255, -2.0 + 510])
    found = Integer().exact(linear([2.0, -1.0], 5.0), rows)
    assert (found.input_scale.tolist(), found.input_offset.tolist()) == ([1.0, 2.0], [1.0, -2.0])
    assert found.coef.tolist() == [2.0, -2.0]
    assert found.intercept == 5.0 + 2.0 * 1.0 + 2.0
    assert (found.mean.tolist(), found.deviation.tolist()) == ([1.0, 3.0], [1.0, 2.0])


def test_a_covariance_is_in_units_of_both_inputs():
    rows = Calibration.of([[0.0, 0.0], [255.0, 510.0]])
    assert Integer().exact(linear([1.0, 1.0], 0.0), rows).covariance().tolist() == [[127.5**2] * 2] * 2


@pytest.mark.parametrize(
    ("low", "high", "scale"),
    [(3.0, 3.0, 1.0), (1.0, 2.0, np.float32(1 / 255)), (0.0, 1e-300, np.finfo(np.float32).smallest_normal)],
)
def test_the_scale_of_an_input_is_its_range_over_255(low, high, scale):
    found = Integer().exact(linear([1.0], 0.0), calibration([low], [0.0], [low], [high]))
    assert_array_equal(found.input_scale, np.array([scale], np.float32), strict=True)


def test_a_range_of_an_input_beyond_float32_is_refused():
    rows = calibration([0.0, 0.0], [1.0, 1.0], [0.0, 0.0], [1.0, 1e300])
    message = r"the range of a feature, 1e\+300, is too wide for a float32 scale: rescale it"
    with pytest.raises(HousingError, match=f"^{message}$"):
        Integer().exact(linear([1.0, 1.0], 0.0), rows)


@pytest.mark.parametrize(("p", "room"), [(2, INT32_MAX - 2 * 65025), (30_000, INT32_MAX // 2)])
def test_beside_a_large_intercept_the_scale_is_as_coarse_as_int32_needs(p, room):
    affine, small = Affine(2.0, 7, bits=5), exact([[0.0], [0.0]])._replace(coef=np.zeros((2, p)))
    assert Integer().fitted(affine, small._replace(intercept=np.array([0.0, -2.0 * room]))) is affine
    coarse = Integer().fitted(affine, small._replace(intercept=np.array([1.0, -3.0 * room])))
    assert (coarse.scale, coarse.zero_point, coarse.bits) == (np.nextafter(np.float32(3), np.float32(4)), 7, 5)


def test_an_infinite_intercept_does_not_change_the_scale():
    affine = Affine(2.0, 7)
    assert Integer().fitted(affine, exact([1.0], np.inf)) is affine


def test_integer_weights_are_exact_multiples_of_the_scale():
    affine = Affine(0.1, 10)
    assert_array_equal(
        Integer().values(affine, np.uint8([7, 13])), np.array([-3, 3]) * float(np.float32(0.1)), strict=True
    )


def test_an_integer_bias_is_in_whole_steps():
    affine = Affine(0.5, 0)
    assert Integer().bias(np.array([1.2, -0.8]), affine).tolist() == [2.0, -2.0]
    assert Integer().intercept(np.int32([3, -2]), Affine(0.1, 0)).tolist() == [
        3 * float(np.float32(0.1)),
        -2 * float(np.float32(0.1)),
    ]


def test_the_scale_of_an_input_is_positive():
    model = SimpleNamespace(input_scale=np.float32([1, 0]), input_offset=np.zeros(2))
    with pytest.raises(HousingError, match="^input_scale must be positive$"):
        Integer().check(model)


def test_a_sum_beyond_int32_is_refused():
    integer_model([1], 0, INT32_MAX - 255)
    message = "the int32 sum of the scheme 'integer' could reach 2147483648: "
    message += "use the scheme 'per-channel', or features and targets centred on 0"
    with pytest.raises(HousingError, match=f"^{message}$"):
        integer_model([1], 0, INT32_MAX - 254)


def test_the_sum_of_each_target_has_to_fit_int32():
    assert integer_model([[1], [1]], 0, [INT32_MAX - 255, 0]).bias.tolist() == [INT32_MAX - 255, 0]


@pytest.mark.parametrize(("bias", "dtype"), [(2**24 - 256, np.float32), (2**24 - 255, np.float64)])
def test_sums_are_in_the_smallest_float_that_holds_them(bias, dtype):
    # 255 · |9 - 10| and the bias
    steps, stored, scale = Integer().kernel(integer_model([9], 10, -bias, 0.5))
    assert_array_equal(steps, np.array([-1], dtype), strict=True)
    assert_array_equal(stored, np.array(-bias, dtype), strict=True)
    assert scale == 0.5


def with_inputs(scale, offset):
    model = integer_model([12, 5], 10, 3)
    numbers = model.numbers() | {"input_scale": np.float32(scale), "input_offset": np.float64(offset)}
    return QuantizedLinear.from_numbers("integer", numbers, ("a", "b"), ("y",))


def test_inputs_are_steps_from_their_offset_and_saturate():
    model = with_inputs([2, 0.5], [10, -1])
    assert Integer().input_steps(model, [[15.1, -1.0], [0.0, 200.0]]).tolist() == [[3.0, 0.0], [-5.0, 402.0]]
    assert_array_equal(model.quantize_input([[15.1, -1.0], [0.0, 200.0]]), np.uint8([[3, 0], [0, 255]]), strict=True)


def test_inputs_beyond_float64_saturate():
    assert with_inputs([1, 1], [-1e308, 0]).quantize_input([[1.7e308, 0.0]]).tolist() == [[255, 0]]


def test_rows_are_not_changed_by_their_steps():
    X = np.array([[15.0, 3.0]])
    Integer().input_steps(with_inputs([2, 0.5], [10, -1]), X)
    assert X.tolist() == [[15.0, 3.0]]


def test_an_input_that_is_not_finite_is_named():
    with pytest.raises(HousingError, match="^X: row 1, column 'b'"):
        Integer().input_steps(with_inputs([2, 0.5], [10, -1]), [[1.0, 2.0], [1.0, np.nan]])


def test_the_bound_of_integers_covers_the_rounding_of_the_inputs():
    # Weights 2 and -5, each ± 0.5, center 0, slack 0. The inputs are (15.5 - 10) / 2 = 2.75 → 3 and 0.25 / 0.5 → 0:
    # 3 · 0.5 + |-0.25 · 2 - 0.5 · 5| + (0.25 + 0.5) · 0.5
    (bound,) = with_inputs([2, 0.5], [10, -1]).error_bound([[15.5, -0.75]])
    assert 4.875 < bound < 4.875 * (1 + 1e-9)


def test_the_bound_of_integers_is_about_their_center():
    numbers = with_inputs([2, 0.5], [10, -1]).numbers() | {"center": np.uint8([5, 1]), "slack": np.float32(0.25)}
    model = QuantizedLinear.from_numbers("integer", numbers, ("a", "b"), ("y",))
    # |3 - 5| · 0.5 + |0 - 1| · 0.5 + 0.25
    (bound,) = model.error_bound([[16.0, -1.0]])
    assert 1.75 < bound < 1.75 * (1 + 1e-9)


def test_the_size_of_what_integers_round_is_that_of_inputs_and_offsets():
    model = with_inputs([2, 0.5], [2.0**60, 0.0])
    # 8 · (2 + 4) · 2⁻⁵³ of ((2⁵⁹ + 2 · 2⁵⁹ + 510) · 2.5 + 510 · 5.5) + 3; the inputs are 0.
    (bound,) = model.error_bound([[2.0**60, 0.0]])
    assert bound == pytest.approx(3 * 2.0**59 * 2.5 * 48 * 2.0**-53, rel=1e-6)
    (bound,) = with_inputs([2, 0.5], [0.0, 0.0]).error_bound([[0.0, 0.0]])
    assert bound == pytest.approx((510 * 8 + 3) * 48 * 2.0**-53, rel=1e-6, abs=0)


@pytest.mark.parametrize("size", [2**17, 2**17 + 1, 2**21 + 2**17 + 5])
def test_rows_in_blocks_are_predicted_as_one(size):
    Xq = np.arange(size).astype(np.uint8)[:, None]
    assert_array_equal(integer_model([14], 10, 3, 0.5).predict_quantized(Xq), 0.5 * (4.0 * Xq[:, 0] + 3), strict=True)


def test_several_targets_in_blocks_are_predicted_as_one():
    Xq = np.arange(2**18).astype(np.uint8).reshape(-1, 2)
    found = integer_model([[14, 10], [10, 7]], 10, [3, -1], 0.5).predict_quantized(Xq)
    assert_array_equal(found, 0.5 * (Xq @ np.array([[4.0, 0.0], [0.0, -3.0]]) + [3, -1]), strict=True)


def in_float32(coef, intercept):
    return QuantizedLinear.from_linear(linear(coef, intercept), np.zeros((1, np.shape(coef)[-1])), "float32")


def test_float32_rounds_weights_and_intercept_to_nearest():
    model = in_float32([[0.1, 1.0], [1 + 2.0**-24, -0.0]], [1 / 3, -7.0])
    assert_array_equal(model.weights, np.float32([[0.1, 1.0], [1.0, 0.0]]), strict=True)
    assert_array_equal(model.bias, np.float32([1 / 3, -7.0]), strict=True)
    assert model.payload_bytes == 4 * 6
    # In float64, from the first feature to the last, then the intercept.
    weight = float(np.float32(0.1))
    assert model.predict([[3.0, 0.5]]).tolist() == [[weight * 3.0 + 0.5 + float(np.float32(1 / 3)), 3.0 - 7.0]]


@pytest.mark.parametrize(("coef", "intercept"), [([1e39], 0.0), ([1.0], -1e39)])
def test_numbers_beyond_float32_are_refused_by_what_they_are(coef, intercept):
    what = "weight" if intercept == 0 else "intercept"
    with pytest.raises(HousingError, match=f"^the {what} of a target is beyond float32: rescale it$"):
        in_float32(coef, intercept)


# Powers of two, halfway between two floats, at the ends of float32, and what underflows.
EXTREMES = [1 + 2.0**-24, 2 - 2.0**-24, -(1 + 3 * 2.0**-24), 0.1, FLOAT32_MAX * (1 + 2.0**-26), 2.0**-126 * 1.3]
EXTREMES += [2.0**-149 * 1.5, -(2.0**-150), 2.0**-151, 1e-300, 5e-324, 0.0]


@pytest.mark.parametrize("w", EXTREMES)
@pytest.mark.parametrize("place", ["weight", "intercept"])
def test_the_bound_of_float32_covers_the_exact_change_and_little_more(w, place):
    model = in_float32([w], 0.0) if place == "weight" else in_float32([0.0], w)
    x = 1.0 if place == "weight" else 0.0
    stored = model.weights[0] if place == "weight" else model.bias
    (bound,) = map(Fraction, model.error_bound([[x]]).tolist())
    moved = abs(Fraction(w) - Fraction(float(stored)))
    # Half a step of float32 is at most 2**-24 of a number; what float64 rounds is far below that.
    share = Fraction(float(abs(stored))) / 2**24
    assert moved <= bound <= share * (1 + Fraction(1, 10**6)) + Fraction(1, 2**146)


def test_the_bound_of_float32_is_that_share_of_each_weight_times_feature():
    (bound,) = in_float32([4.0, -0.5], 2.0).error_bound([[3.0, -8.0]])
    # 4 · 3 + 0.5 · 8 + 2
    assert bound == pytest.approx(18 * 2.0**-24, rel=1e-6)


def test_a_model_of_float32_is_no_other_once_it_is_rounded_again():
    once = in_float32([0.1, 3.0], 1 / 3)
    again = in_float32(once.coef_, once.intercept_)
    assert once.numbers().keys() == {"weights", "intercept"}
    assert all(np.array_equal(each, again.numbers()[name]) for name, each in once.numbers().items())
