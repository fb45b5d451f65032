import importlib
from fractions import Fraction

import numpy as np
import pytest
from cases import every
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from strategies import ALL_NEGATIVE, ALL_ZERO, CONSTANT, EDGES, HUGE, SUBNORMAL, affines, examples, numbers

from housing_np import Affine, HousingError
from housing_np.quantized.affine import scale_and_zero_point

FLOAT32_MAX = float(np.finfo(np.float32).max)

# The examples of https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html and onnx__DequantizeLinear.html.
QUANTIZE_AXIS = np.array(
    [
        [
            [[-162, 10], [-100, 232], [-20, -50]],
            [[-76, 0], [0, 252], [32, -44]],
            [[245, -485], [-960, -270], [-375, -470]],
        ]
    ],
    np.float32,
)
QUANTIZED_AXIS = np.array(
    [[[[3, 89], [34, 200], [74, 59]], [[5, 24], [24, 87], [32, 13]], [[245, 99], [4, 142], [121, 102]]]], np.uint8
)
# The node tests of onnx.backend.test that run here, and with how many bits.
NODE_TESTS = {
    "test_quantizelinear": 8,
    "test_quantizelinear_axis": 8,
    "test_quantizelinear_uint4": 4,
    "test_quantizelinear_uint2": 2,
    "test_dequantizelinear": 8,
    "test_dequantizelinear_axis": 8,
    "test_dequantizelinear_uint4": 4,
    "test_dequantizelinear_uint2": 2,
    "test_dynamicquantizelinear": 8,
    "test_dynamicquantizelinear_max_adjusted": 8,
    "test_dynamicquantizelinear_min_adjusted": 8,
}
_SIGNED, _WIDE = "integers are unsigned here", "at most 8 bits here"
_FLOATS, _BLOCKS = "floats of few bits are not integers", "one scale per tensor or per index of one axis here"
OUT_OF_SCOPE = {
    "test_quantizelinear_int16": _SIGNED,
    "test_quantizelinear_int4": _SIGNED,
    "test_quantizelinear_int2": _SIGNED,
    "test_quantizelinear_uint16": _WIDE,
    "test_quantizelinear_e4m3fn": _FLOATS,
    "test_quantizelinear_e5m2": _FLOATS,
    "test_quantizelinear_float4e2m1": _FLOATS,
    "test_quantizelinear_blocked_asymmetric": _BLOCKS,
    "test_quantizelinear_blocked_symmetric": _BLOCKS,
    "test_dequantizelinear_int16": _SIGNED,
    "test_dequantizelinear_int4": _SIGNED,
    "test_dequantizelinear_int2": _SIGNED,
    "test_dequantizelinear_uint16": _WIDE,
    "test_dequantizelinear_e4m3fn": _FLOATS,
    "test_dequantizelinear_e4m3fn_float16": _FLOATS,
    "test_dequantizelinear_e4m3fn_zero_point": _FLOATS,
    "test_dequantizelinear_e5m2": _FLOATS,
    "test_dequantizelinear_float4e2m1": _FLOATS,
    "test_dequantizelinear_blocked": _BLOCKS,
}


def exact(x):
    return Fraction(float(x))


def round_trip(affine, x):
    return affine.dequantize(affine.quantize(x))


def test_onnx_quantizelinear():
    q = Affine(2.0, 128).quantize(np.float32([0, 2, 3, 1000, -254, -1000]))
    assert_array_equal(q, np.uint8([128, 129, 130, 255, 1, 0]), strict=True)


@pytest.mark.parametrize("axis", [1, -3])
def test_onnx_quantizelinear_axis(axis):
    q = Affine(np.float32([2, 4, 5]), np.uint8([84, 24, 196]), axis).quantize(QUANTIZE_AXIS)
    assert_array_equal(q, QUANTIZED_AXIS, strict=True)


def test_onnx_dequantizelinear():
    x = Affine(2.0, 128).dequantize(np.uint8([0, 3, 128, 255]))
    assert_array_equal(x, np.float32([-256, -250, 0, 254]), strict=True)


@pytest.mark.parametrize("axis", [1, -3])
def test_onnx_dequantizelinear_axis(axis):
    x = Affine(np.float32([2, 4, 5]), np.uint8([84, 24, 196]), axis).dequantize(QUANTIZED_AXIS)
    assert_array_equal(x, QUANTIZE_AXIS, strict=True)


@pytest.mark.parametrize(
    ("x", "scale", "zero_point", "q"),
    [
        ([0, 2, -3, -2.5, 1.34, 0.5], 0.0196078438, 153, [153, 255, 0, 26, 221, 179]),
        ([-1.0, -2.1, -1.3, -2.5, -3.34, -4.0], 0.0156862754, 255, [191, 121, 172, 96, 42, 0]),
        ([1, 2.1, 1.3, 2.5, 3.34, 4.0, 1.5, 2.6], 0.0156862754, 0, [64, 134, 83, 159, 213, 255, 96, 166]),
    ],
)
def test_onnx_dynamicquantizelinear(x, scale, zero_point, q):
    affine = Affine.fit(np.float32(x))
    assert_array_equal(affine.scale, np.array(scale, np.float32), strict=True)
    assert_array_equal(affine.zero_point, np.array(zero_point, np.uint8), strict=True)
    assert_array_equal(affine.quantize(np.float32(x)), np.uint8(q), strict=True)


@examples("x", EDGES)
@given(x=numbers())
def test_round_trip_is_within_max_error(x):
    for bits in range(2, 9):
        affine = Affine.fit(x, bits=bits)
        for value, back in zip(x.ravel(), round_trip(affine, x).ravel(), strict=True):
            assert abs(exact(value) - exact(back)) <= exact(affine.max_error)


@pytest.mark.parametrize(
    "x",
    [
        np.array([-11.249319791213708, 510.3100523468764]),
        np.array([-0.7655220775854051, 129.37323111193348]),
        np.float32([-0.18780572712421417, 31.739166259765625]),
        np.float32([-7.2055344581604, 517.7691040039062]),
    ],
)
def test_max_error_covers_a_saturated_tie_under_a_scale_that_was_rounded_down(x):
    affine = Affine.fit(x)
    for value, back in zip(x, round_trip(affine, x), strict=True):
        assert abs(exact(value) - exact(back)) <= exact(affine.max_error)


@given(affines(), st.data())
def test_max_error_holds_for_any_number_between_the_ends(affine, data):
    low, high = affine.dequantize([0, affine.largest])
    x = data.draw(st.floats(float(low), float(high)))
    assert abs(exact(x) - exact(round_trip(affine, x))) <= exact(affine.max_error)


def test_max_error_is_not_more_than_it_has_to_be():
    assert Affine(1.0, 0).max_error < 0.5001


def test_max_error_has_the_shape_of_scale():
    assert Affine([1.0, 2.0], [0, 0], axis=0).max_error.shape == (2,)


@examples("x", EDGES)
@given(x=numbers())
def test_zero_is_exact(x):
    affine = Affine.fit(x)
    assert_array_equal(round_trip(affine, np.zeros(())), np.zeros((), np.float32), strict=True)


@examples("x", EDGES)
@given(x=numbers())
def test_fit_covers_the_ends_of_the_range(x):
    affine = Affine.fit(x)
    low, high = affine.dequantize([0, 255])
    slack = exact(affine.max_error)
    assert exact(low) - slack <= min(exact(x.min()), 0)
    assert exact(high) + slack >= max(exact(x.max()), 0)


@examples("x", EDGES)
@given(x=numbers())
def test_scale_is_the_width_of_the_range_over_255(x):
    width = max(exact(x.max()), 0) - min(exact(x.min()), 0)
    assume(width / 255 >= Fraction(2) ** -126)
    assert float(exact(Affine.fit(x).scale) / (width / 255)) == pytest.approx(1, rel=2e-7)


@given(affines(), st.data())
def test_numbers_outside_the_range_saturate(affine, data):
    low, high = (float(end) for end in affine.dequantize([0, affine.largest]))
    beyond = st.floats(0, 1e300)
    x = [low - data.draw(beyond), high + data.draw(beyond)]
    assert_array_equal(affine.quantize(x), np.uint8([0, affine.largest]), strict=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_overflows_a_cast_saturates(dtype):
    x = np.array([-3e38, -(2.0**33), 2.0**31, 2.0**32 + 1, 3e38], dtype)
    assert_array_equal(Affine(1e-30, 7).quantize(x), np.uint8([0, 0, 255, 255, 255]), strict=True)


@given(affines(), numbers(max_dims=1))
def test_quantize_is_monotone(affine, x):
    q = affine.quantize(np.sort(x)).astype(int)
    assert np.all(np.diff(q) >= 0)


@given(affines())
def test_quantize_undoes_dequantize(affine):
    q = np.arange(affine.largest + 1, dtype=np.uint8)
    assert_array_equal(affine.quantize(affine.dequantize(q)), q, strict=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ties_round_to_even(dtype):
    x = np.array([-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5], dtype)
    assert_array_equal(Affine(1.0, 100).quantize(x), np.uint8([96, 98, 98, 100, 100, 102, 102, 104]), strict=True)


def test_the_tie_is_broken_before_the_zero_point_is_added():
    assert Affine(1.0, 1).quantize(0.5) == 1
    assert Affine(1.0, 1).quantize(1.5) == 3


@given(affines(st.just(8)), st.floats(-(2.0**100), 2.0**100, width=32))
def test_float32_is_divided_in_float32(affine, x):
    # A quotient of float32 that is rounded to float64 first rounds to the same float32: 53 >= 2 * 24 + 2 bits.
    with np.errstate(over="ignore"):
        quotient = float(np.float32(x / float(affine.scale)))
    expected = min(max(round(min(max(quotient, -1e6), 1e6)) + int(affine.zero_point), 0), 255)
    assert_array_equal(affine.quantize(np.float32(x)), np.array(expected, np.uint8), strict=True)


@given(affines(st.just(8)), st.floats(-1e30, 1e30))
def test_float64_is_divided_in_float64(affine, x):
    expected = min(max(round(x / float(affine.scale)) + int(affine.zero_point), 0), 255)
    assert_array_equal(affine.quantize(x), np.array(expected, np.uint8), strict=True)


def test_float32_and_float64_can_differ():
    # Just above the tie 2.5, which is all that float32 can tell.
    x, affine = 2.5 * (1 + 2.0**-30), Affine(1.0, 0)
    assert affine.quantize(x) == 3
    assert affine.quantize(np.float32(x)) == 2


def test_the_zero_point_is_subtracted_in_more_than_8_bits():
    # uint8: 3 - 10 is 249.
    assert_array_equal(Affine(1.0, 10).dequantize(np.uint8([3])), np.float32([-7]), strict=True)


@given(affines())
def test_dequantize_is_the_exact_product_rounded_to_float32(affine):
    q = np.arange(affine.largest + 1, dtype=np.uint8)
    steps = [(int(i) - int(affine.zero_point)) * exact(affine.scale) for i in q]
    assert_array_equal(affine.dequantize(q), np.array([np.float32(float(s)) for s in steps]), strict=True)


@examples("x", EDGES)
@given(x=numbers())
def test_per_channel_equals_per_tensor_on_each_slice(x):
    for axis in range(-x.ndim, x.ndim):
        channels = Affine.fit(x, axis=axis)
        q = channels.quantize(x)
        back = channels.dequantize(q)
        for i in range(x.shape[axis]):
            one = Affine.fit(x.take(i, axis))
            assert channels.scale[i] == one.scale
            assert channels.zero_point[i] == one.zero_point
            assert_array_equal(q.take(i, axis), one.quantize(x.take(i, axis)), strict=True)
            assert_array_equal(back.take(i, axis), one.dequantize(q.take(i, axis)), strict=True)


@every("bits", range(2, 9))
def test_bits_set_the_largest_integer(bits):
    affine = Affine.fit([-1.0, 2.0], bits=bits)
    assert affine.largest == 2**bits - 1
    assert_array_equal(affine.quantize([-5.0, 5.0]), np.uint8([0, 2**bits - 1]), strict=True)


@pytest.mark.parametrize("bits", [np.int64(8), np.uint8(8)])
def test_bits_may_be_a_numpy_integer(bits):
    assert Affine.fit([0.0, 255.0], bits=bits).largest == 255


def test_bits_may_be_an_array_of_one_integer():
    assert Affine.fit([0.0, 15.0], bits=np.array(4)).largest == 15


def test_bits_and_axis_are_stored_as_integers_of_python():
    affine = Affine([1.0], [0], axis=np.int64(0), bits=np.int64(8))
    assert (type(affine.bits), type(affine.axis)) == (int, int)


@pytest.mark.parametrize("dtype", [np.uint8, np.float16])
def test_the_scale_of_small_numbers_is_not_computed_in_their_type(dtype):
    # 200 / 255 in uint8 would be a float16.
    assert Affine.fit(np.array([0, 200], dtype)).scale == np.float32(200 / 255)


def test_scales_are_float32():
    scale, _ = scale_and_zero_point(np.array(0.0), np.array(1.0), 8)
    assert_array_equal(scale, np.array(1 / 255, np.float32), strict=True)


@pytest.mark.parametrize("x", [ALL_ZERO, np.zeros(3), np.zeros(()), [-0.0], [0]])
def test_zero_range_has_scale_one_and_zero_point_zero(x):
    affine = Affine.fit(x)
    assert_array_equal(affine.scale, np.array(1, np.float32), strict=True)
    assert_array_equal(affine.zero_point, np.array(0, np.uint8), strict=True)


def test_one_channel_of_zeros_among_others():
    assert_array_equal(Affine.fit([[0.0, 0.0], [0.0, 255.0]], axis=0).scale, np.float32([1, 1]), strict=True)


def test_a_constant_above_zero_is_the_largest_integer():
    affine = Affine.fit(CONSTANT)
    assert affine.zero_point == 0
    assert_array_equal(affine.quantize(CONSTANT), np.full((2, 3), 255, np.uint8), strict=True)


def test_all_negative_has_its_zero_at_the_top():
    assert Affine.fit(ALL_NEGATIVE).zero_point == 255


@pytest.mark.parametrize("x", [SUBNORMAL, SUBNORMAL.astype(np.float64), [5e-324], [-1e-300, 1e-310]])
def test_a_range_below_float32_has_a_normal_scale(x):
    assert Affine.fit(x).scale == np.finfo(np.float32).smallest_normal


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_huge_range_is_covered(dtype):
    x = HUGE.astype(dtype)
    affine = Affine.fit(x)
    assert np.abs(affine.dequantize(affine.quantize(x)).astype(float) - x).max() <= affine.max_error


@pytest.mark.parametrize(
    ("x", "bits"),
    [
        (np.float32([FLOAT32_MAX]), 7),
        (np.float32([-FLOAT32_MAX, FLOAT32_MAX]), 8),
        (np.array([-FLOAT32_MAX, FLOAT32_MAX]), 8),
        (np.array([1e40]), 8),
    ],
)
def test_a_range_at_the_end_of_float32_saturates_there(x, bits):
    affine = Affine.fit(x, bits=bits)
    values = affine.dequantize([0, affine.largest])
    assert np.isfinite(values).all()
    # The end that is not 0 is as near as one step, or the largest number there is.
    end = min(float(np.abs(x).max()), float(FLOAT32_MAX))
    assert abs(float(np.abs(values).max()) - end) <= affine.scale


@pytest.mark.parametrize("x", [[1e308, -1e308], [1e42], [-1e300]])
def test_a_range_whose_scale_is_infinite_is_refused(x):
    with pytest.raises(HousingError, match="^scale must be finite and positive in float32: rescale the values$"):
        Affine.fit(x)


@every("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.matrix("dtype")
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@every("use", [Affine.fit, Affine(1.0, 0).quantize])
def test_what_is_not_finite_is_refused_by_name_and_position(use, dtype, bad):
    x = np.ones((2, 3), dtype)
    x[1, 2] = bad
    with pytest.raises(HousingError, match=rf"^x\[1, 2\]: {bad} is not a finite number; fill it in or drop the row$"):
        use(x)


@every("x", [["a"], [1j], [None], np.array(["2020"], "M8[Y]")])
@every("use", [Affine.fit, Affine(1.0, 0).quantize])
def test_what_is_not_a_real_number_is_refused(use, x):
    with pytest.raises(HousingError, match=r"x has dtype .*: expected real numbers"):
        use(x)


def test_nothing_to_fit_is_refused():
    with pytest.raises(HousingError, match="^x is empty: a range needs at least one number$"):
        Affine.fit(np.empty((0, 3)))


@pytest.mark.parametrize("shape", [(0,), (2, 0), ()])
def test_shapes_are_kept(shape):
    affine = Affine(1.0, 3)
    assert_array_equal(affine.quantize(np.zeros(shape)), np.full(shape, 3, np.uint8), strict=True)
    assert_array_equal(affine.dequantize(np.full(shape, 3, np.uint8)), np.zeros(shape, np.float32), strict=True)


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint64, np.float16])
def test_other_numbers_are_computed_in_float64(dtype):
    assert_array_equal(Affine(1.0, 3).quantize(np.array([0, 1], dtype)), np.uint8([3, 4]), strict=True)


def test_input_is_not_changed():
    x, scale = np.float32([1, 2]), np.float32([1, 1])
    affine = Affine(scale, np.uint8([0, 0]), axis=0)
    scale[0] = 5
    affine.quantize(x)
    assert affine.scale[0] == 1
    assert_array_equal(x, np.float32([1, 2]), strict=True)


@every("bits", [1, 9, 0, -8, "8", None, 2.5, 8.0])
def test_bits_out_of_range_are_refused(bits):
    for make in (lambda: Affine(1.0, 0, bits=bits), lambda: Affine.fit([1.0], bits=bits)):
        with pytest.raises(HousingError, match=f"bits is {bits!r}: expected an integer from 2 to 8"):
            make()


@every("scale", [0.0, -1.0, np.nan, np.inf, 1e-60, 1e60])
def test_a_scale_that_is_not_finite_and_positive_is_refused(scale):
    with pytest.raises(HousingError, match="^scale must be finite and positive in float32: rescale the values$"):
        Affine(scale, 0)


@pytest.mark.parametrize(("zero_point", "bits"), [(-1, 8), (256, 8), (16, 4), (0.0, 8)])
def test_a_zero_point_out_of_range_is_refused(zero_point, bits):
    largest = 2**bits - 1
    with pytest.raises(HousingError, match=f"zero_point must be an integer from 0 to {largest} with bits={bits}"):
        Affine(1.0, zero_point, bits=bits)


@pytest.mark.parametrize(
    ("scale", "zero_point", "axis"), [([1.0], [0], None), (1.0, 0, 0), ([1.0, 2.0], [0], 0), ([[1.0]], [[0]], 0)]
)
def test_shapes_that_do_not_agree_are_refused(scale, zero_point, axis):
    with pytest.raises(HousingError, match=r"scale has shape .* and zero_point .*: with axis="):
        Affine(scale, zero_point, axis)


@pytest.mark.parametrize("q", [[256], [-1], [1.0], [True]])
def test_what_is_not_a_quantized_integer_is_refused(q):
    with pytest.raises(HousingError, match="q must be integers from 0 to 255 with bits=8"):
        Affine(1.0, 0).dequantize(q)


def test_an_integer_of_more_bits_is_refused():
    with pytest.raises(HousingError, match="q must be integers from 0 to 15 with bits=4"):
        Affine(1.0, 0, bits=4).dequantize([16])


@pytest.mark.parametrize("axis", [2, -3])
def test_an_axis_that_does_not_exist_is_refused(axis):
    with pytest.raises(HousingError, match=f"axis {axis} does not exist in an array of 2 dimensions"):
        Affine.fit(np.ones((2, 3)), axis=axis)
    with pytest.raises(HousingError, match=f"axis {axis} does not exist in an array of 2 dimensions"):
        Affine([1.0, 1.0], [0, 0], axis).quantize(np.ones((2, 2)))


@pytest.mark.parametrize("axis", ["0", 0.0, True])
def test_an_axis_that_is_no_integer_is_refused(axis):
    with pytest.raises(HousingError, match=f"^axis is {axis!r}: expected None or an integer$"):
        Affine.fit([[1.0]], axis=axis)


@pytest.mark.parametrize(
    ("use", "name"),
    [
        (lambda bad: Affine(bad, 0), "scale"),
        (lambda bad: Affine(1.0, bad), "zero_point"),
        (lambda bad: Affine(1.0, 0).dequantize(bad), "q"),
    ],
)
def test_what_is_no_number_is_named_by_its_argument(use, name):
    with pytest.raises(HousingError, match=f"^{name} has dtype <U1: expected real numbers"):
        use(["a"])


def test_an_integer_that_float64_would_round_is_refused():
    with pytest.raises(HousingError, match=r"^x\[1\]: 9007199254740993 is an integer beyond"):
        Affine.fit([0, 2**53 + 1])


def test_an_axis_of_another_length_is_refused():
    affine = Affine([1.0, 1.0], [0, 0], axis=1)
    with pytest.raises(HousingError, match="axis 1 has length 3, expected 2, one per scale"):
        affine.quantize(np.ones((2, 3)))
    with pytest.raises(HousingError, match="axis 1 has length 1, expected 2, one per scale"):
        affine.dequantize(np.ones((2, 1), np.uint8))


def reference(operator, *inputs, **attributes):
    """What onnx.reference computes for one node."""
    helper = importlib.import_module("onnx.helper")
    evaluator = importlib.import_module("onnx.reference").ReferenceEvaluator
    names = [f"i{i}" for i in range(len(inputs))]
    outputs = ["y", "scale", "zero_point"] if operator == "DynamicQuantizeLinear" else ["y"]
    node = helper.make_node(operator, names, outputs, **attributes)
    return evaluator(node).run(None, dict(zip(names, inputs, strict=True)))


@examples("x", [edge for edge in EDGES if edge.dtype == np.float32])
@given(x=numbers(min_dims=2, dtypes=[np.float32]))
def test_quantize_and_dequantize_equal_the_onnx_reference(x):
    pytest.importorskip("onnx")
    for axis in (None, 0, -1):
        affine = Affine.fit(x, axis=axis)
        attributes = {} if axis is None else {"axis": axis % x.ndim}
        parameters = affine.scale, affine.zero_point
        q = affine.quantize(x)
        assert_array_equal(q, reference("QuantizeLinear", x, *parameters, **attributes)[0], strict=True)
        back = reference("DequantizeLinear", q, *parameters, **attributes)[0]
        assert_array_equal(affine.dequantize(q).view(np.uint32), back.view(np.uint32), strict=True)


@given(affines(st.just(8)), numbers(max_dims=1, dtypes=[np.float32]))
def test_quantize_equals_the_onnx_reference_outside_the_range(affine, x):
    pytest.importorskip("onnx")
    with np.errstate(over="ignore"):
        # The reference casts to int32 before it saturates.
        x = x[np.abs(x / affine.scale) < 2**30]
    expected = reference("QuantizeLinear", x, affine.scale, affine.zero_point)[0]
    assert_array_equal(affine.quantize(x), expected, strict=True)


@examples("x", [ALL_NEGATIVE, HUGE])
@given(x=numbers(dtypes=[np.float32]))
def test_fit_equals_the_onnx_reference(x):
    pytest.importorskip("onnx")
    # The reference leaves a zero range with scale 1 / 255 and lets the scale of a tiny one lose its digits.
    assume(np.abs(x).max() > 1e-35)
    affine = Affine.fit(x)
    q, scale, zero_point = reference("DynamicQuantizeLinear", x)
    assert_array_equal(affine.scale, scale, strict=True)
    assert_array_equal(affine.zero_point, zero_point, strict=True)
    assert_array_equal(affine.quantize(x), q, strict=True)


@pytest.fixture(scope="module")
def node_tests():
    """Inputs, outputs and attributes of the node tests that onnx ships, as arrays."""
    onnx = pytest.importorskip("onnx")
    node = importlib.import_module("onnx.backend.test.case.node")
    for name in ("quantizelinear", "dequantizelinear", "dynamicquantizelinear"):
        importlib.import_module(f"onnx.backend.test.case.node.{name}")

    def array(value):
        return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)

    cases = {}
    for case in node._NodeTestCases:
        first = case.model.graph.node[0]
        if "quantizelinear" in case.name and not case.name.endswith("_expanded"):
            inputs, outputs = case.data_sets[0]
            cases[case.name] = [[array(v) for v in inputs], [array(v) for v in outputs], first]
    return cases


def test_every_onnx_node_test_is_run_or_out_of_scope_with_a_reason(node_tests):
    assert set(node_tests) <= set(NODE_TESTS) | set(OUT_OF_SCOPE)
    assert set(NODE_TESTS) <= set(node_tests)


@every("name", NODE_TESTS)
def test_onnx_node_test(node_tests, name):
    (x, *parameters), expected, node = node_tests[name]
    if node.op_type == "DynamicQuantizeLinear":
        affine = Affine.fit(x)
        parameters = affine.scale, affine.zero_point
        assert_array_equal(affine.quantize(x), expected[0], strict=True)
        assert_array_equal(affine.scale, expected[1], strict=True)
        assert_array_equal(affine.zero_point, expected[2], strict=True)
        return
    scale, zero_point = parameters
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1) if scale.ndim else None
    affine = Affine(scale, zero_point.astype(np.uint8).reshape(scale.shape), axis, NODE_TESTS[name])
    if node.op_type == "QuantizeLinear":
        assert_array_equal(affine.quantize(x), expected[0].astype(np.uint8), strict=True)
    else:
        assert_array_equal(affine.dequantize(x.astype(np.uint8)), expected[0], strict=True)
