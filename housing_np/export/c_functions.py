"""The functions of a model in C99, and the numbers that they need, by its scheme.

In the C of this file, @ stands for the model's name and an underscore: in capitals before a capital. # is the target.
"""

from typing import NamedTuple

import numpy as np

from ..quantized.model import Model, QuantizedLinear, is_quantized
from ..quantized.packing import packed
from ..quantized.schemes import FIELDS
from ..quantized.schemes.float32 import UNDERFLOW
from ..quantized.schemes.scheme import rounding_error
from .c_text import double, single, table
from .fixed import Fixed, sum_range

_ROW, _QUANTIZED_ROW = "const double x[@FEATURES]", "const uint8_t x[@FEATURES]"
_LENGTHS = {"weight": ("@TARGETS", "@FEATURES"), "target": ("@TARGETS",), "feature": ("@FEATURES",)}
_FLOAT32_MAX = float(np.finfo(np.float32).max)


class Function(NamedTuple):
    """A public function: its documentation, signature and body."""

    doc: str
    signature: str
    body: str


# A str is a private definition.
Part = str | Function


class Parts(NamedTuple):
    """The parts of a program: macros, functions of integers alone, functions of float64."""

    macros: list[str]
    whole: list[Part]
    real: list[Part]

    @classmethod
    def of(cls, model: Model) -> "Parts":
        """Return the parts of a model of any scheme."""
        if not is_quantized(model):
            return cls([], [], _floats(model))
        if model.scheme == "integer":
            return _integers(model)
        return cls([], [], _singles(model) if model.scheme == "float32" else _dequantized(model))


def _function(type: str, name: str, row: str, value: str, targets: int, doc: str, before: str = "") -> Function:
    """Return a function of a row, which returns the value of one target or fills an array with those of several."""
    if targets == 1:
        return Function(doc, f"{type} @{name}({row})", f"{before}    return {value.replace('#', '0')};\n")
    each = f"{name}[t] = {value.replace('#', 't')};"
    loop = f"{before}    for (int t = 0; t < @TARGETS; t++) {{\n        {each}\n    }}\n"
    return Function(doc, f"void @{name}({row}, {type} {name}[@TARGETS])", loop)


# gcc and clang know __FLT_EVAL_METHOD__ where FLT_EVAL_METHOD is unknown: in C++ before 2011.
_FLOAT64 = """\
#include <float.h>

#if DBL_MANT_DIG != 53 || defined(__FAST_MATH__) \\
    || (defined(FLT_EVAL_METHOD) && (FLT_EVAL_METHOD < 0 || FLT_EVAL_METHOD == 2)) \\
    || (defined(__FLT_EVAL_METHOD__) && (__FLT_EVAL_METHOD__ < 0 || __FLT_EVAL_METHOD__ == 2))
#error "Python's predictions take IEEE's float64: no -ffast-math; on 32-bit x86 -msse2 -mfpmath=sse"
#endif"""
_DOT = """\
static inline double @dot(const double *x, int t) {
    double sum = 0.0;
    for (int i = 0; i < @FEATURES; i++) {
        /* Volatile: the product is rounded, also where a processor could fuse it with the addition. */
        volatile double product = x[i] * WEIGHT;
        sum += product;
    }
    return sum;
}"""


def _floats(model: Model) -> list[Part]:
    return [
        _FLOAT64,
        table("@weights", model.coef_, *_LENGTHS["weight"]),
        table("@intercept", np.asarray(model.intercept_), *_LENGTHS["target"]),
        _DOT.replace("WEIGHT", "@weights[t][i]"),
        _predict(len(model.target_names_)),
    ]


def _predict(targets: int, intercept: str = "@intercept[#]") -> Function:
    doc = (
        "The prediction: Python's, to the last bit. Products are rounded, and added from the first feature to the last "
        "one, then the intercept. A feature that is not finite, which Python refuses, gives NaN or infinity."
    )
    return _function("double", "predict", _ROW, f"@dot(x, #) + {intercept}", targets, doc)


_BOUND_DOC = (
    "A bound on the distance from the float model's prediction, in units of the target, which covers the rounding of "
    "float64; infinite where nothing is known."
)
_ABS = """\
static inline double @abs(double x) {
    return x < 0.0 ? -x : x;
}"""
_UPPER = """\
/* Bound, and what rounding can hide of terms whose sizes add up to lost. */
static inline double @upper(double bound, double lost) {
    volatile double largest = DBL_MAX;
    bound = (bound + ROUNDING * lost) * (1.0 + ROUNDING);
    return bound >= 0.0 ? bound : 2.0 * largest;
}"""
_WEIGHT = """\
/* What a weight stands for: a product in float32. */
static inline double @weight(int t, int i) {
    float weight = (float)((int)INTEGER - (int)ZERO_POINT) * SCALE;
    return (double)weight;
}"""
# Needed only for scales so large that a weight can overflow float32.
_SATURATED_WEIGHT = _WEIGHT.replace(
    "    return", "    weight = weight > FLT_MAX ? FLT_MAX : weight < -FLT_MAX ? -FLT_MAX : weight;\n    return"
)
_BOUND = """\
static inline double @bound(const double *x, int t) {
    double bound = (double)@slack[t], lost = bound + @abs(@intercept[t]);
    for (int i = 0; i < @FEATURES; i++) {
        double center = CENTER, reach = RADIUS * (double)SCALE;
        bound += @abs(x[i] - center) * reach;
        lost += (@abs(x[i]) + @abs(center)) * (@abs(@weight(t, i)) + reach);
    }
    return @upper(bound, lost);
}"""
# A weight is no further from the float one than float32 rounds a number of its size.
_SINGLE_BOUND = """\
static inline double @bound(const double *x, int t) {
    double lost = @abs((double)@intercept[t]), bound = lost * RADIUS + UNDERFLOW;
    for (int i = 0; i < @FEATURES; i++) {
        double weight = @abs((double)@weights[t][i]), reach = weight * RADIUS + UNDERFLOW;
        bound += @abs(x[i]) * reach;
        lost += @abs(x[i]) * (weight + reach);
    }
    return @upper(bound, lost + bound);
}"""


def _singles(model: QuantizedLinear) -> list[Part]:
    """Return the parts for weights in float32."""
    private = [_DOT.replace("WEIGHT", "(double)@weights[t][i]"), _ABS, _UPPER, _SINGLE_BOUND]
    words = {"UNDERFLOW": double(UNDERFLOW)}
    return _real(model, _tables(model, "weights", "intercept"), private, words, "(double)@intercept[#]")


def _real(
    model: QuantizedLinear, tables: list[Part], private: list[str], words: dict[str, str], intercept: str
) -> list[Part]:
    """Return the parts for rows in float64: tables, private definitions in these words, prediction and bound."""
    words, targets = words | _bound_words(model), len(model.target_names_)
    bound = _function("double", "error_bound", _ROW, "@bound(x, #)", targets, _BOUND_DOC)
    return [_FLOAT64, *tables, *(_with(text, words) for text in private), _predict(targets, intercept), bound]


def _dequantized(model: QuantizedLinear) -> list[Part]:
    """Return the parts for uint8 weights that multiply features in float64."""
    affine, per_channel = model.affine, model.scheme == "per-channel"
    words = {
        "INTEGER": _integer(model),
        "ZERO_POINT": "@zero_point[i]" if per_channel else str(affine.zero_point),
        "SCALE": "@scale[i]" if per_channel else single(affine.scale.item()),
        "CENTER": "(double)@center[i]" if per_channel else "0.0",
    }
    weight = _SATURATED_WEIGHT if 255 * float(affine.scale.max()) > _FLOAT32_MAX else _WEIGHT
    private = [weight, _DOT.replace("WEIGHT", "@weight(t, i)"), _ABS, _UPPER, _BOUND]
    tables = [*_weights(model), *_tables(model, "scale", "zero_point", "intercept", "slack", "center")]
    return _real(model, tables, private, words, "@intercept[#]")


def _tables(model: QuantizedLinear, *names: str) -> list[Part]:
    """Return tables of these numbers, without those that the scheme does not store or stores once for a model."""
    numbers, fields = model.numbers(), FIELDS[model.scheme]
    of_many = [name for name in names if name in fields and fields[name].per != "model"]
    return [table(f"@{name}", numbers[name], *_LENGTHS[fields[name].per]) for name in of_many]


_UNPACKED = """\
/* A weight of BITS bits; they follow each other from the lowest bit of the first byte on. */
static inline uint8_t @unpacked(int t, int i) {
    uint32_t bit = BITSu * ((uint32_t)t * @FEATURES + (uint32_t)i);
    return (uint8_t)((BYTES >> (bit % 8)) & LARGESTu);
}"""
_BYTE, _TWO_BYTES = "(uint32_t)@weights[bit / 8]", "(@weights[bit / 8] | (uint32_t)@weights[bit / 8 + 1] << 8)"


def _integer(model: QuantizedLinear) -> str:
    """Return the expression of a weight's integer."""
    return "@weights[t][i]" if model.bits == 8 else "@unpacked(t, i)"


def _weights(model: QuantizedLinear) -> list[Part]:
    """Return the table of integer weights and, where they are packed, the function that takes one out of it."""
    bits = model.bits
    if bits == 8:
        return _tables(model, "weights")
    content, is_within_a_byte = packed(model.weights, bits), 8 % bits == 0
    if not is_within_a_byte:
        content = np.append(content, np.uint8(0))  # the second byte of the last weight
    words = {"BITS": str(bits), "BYTES": _BYTE if is_within_a_byte else _TWO_BYTES}
    return [
        table("@weights", content, str(content.size)),
        _with(_UNPACKED, words | {"LARGEST": str(model.affine.largest)}),
    ]


def _bound_words(model: QuantizedLinear) -> dict[str, str]:
    # Twice Python's, because C rounds differently, and rounding must not make the bound too small.
    return {"ROUNDING": double(2 * rounding_error(len(model.feature_names))), "RADIUS": double(float(model.radius))}


def _with(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(word, value)
    return text


_SUM = """\
static inline int32_t @add(const uint8_t *x, int t) {
    int32_t sum = @bias[t];
    for (int i = 0; i < @FEATURES; i++) {
        sum += (int32_t)x[i] * ((int32_t)INTEGER - @ZERO_POINT);
    }
    return sum;
}"""
# No negative number is shifted: C leaves that to the compiler.
_FIX = """\
static inline int32_t @fix(int32_t sum) {
    int64_t product = (int64_t)sum * MULTIPLIER + HALF;
    return (int32_t)((int64_t)((uint64_t)(product + ((int64_t)1 << 62)) >> SHIFT) - ((int64_t)1 << REST));
}"""
_SATURATION = """\
    int outside = 0;
    for (int i = 0; i < @FEATURES; i++) {
        double steps = (x[i] - @input_offset[i]) / (double)@input_scale[i];
        uint8_t whole = (uint8_t)(steps >= 255.0 ? 255 : steps > 0.0 ? (int)steps : 0);
        double rest = steps - (double)whole;
        int is_up = whole < 255 && (rest > 0.5 || (rest == 0.5 && whole % 2 == 1));
        quantized[i] = (uint8_t)(whole + is_up);
        outside += !(steps >= -0.5 && steps < 255.5);
    }
    return outside;
"""
_QUANTIZED = """\
    uint8_t quantized[@FEATURES];
    @quantize(x, quantized);
"""
_FINITE = """\
    double none = 0.0;
    for (int i = 0; i < @FEATURES; i++) {
        none += x[i] - x[i]; /* 0, or NaN where a feature is not finite */
    }
"""
_INTEGER_BOUND = """\
static inline double @bound(const double *x, const uint8_t *quantized, int t) {
    double bound = (double)@slack[t], lost = bound + @abs(@bias[t] * @SCALE);
    double moved = 0.0, reach = RADIUS * @SCALE;
    for (int i = 0; i < @FEATURES; i++) {
        double scale = (double)@input_scale[i], offset = @input_offset[i];
        double weight = ((int)INTEGER - @ZERO_POINT) * @SCALE;
        double left_out = (x[i] - offset) / scale - quantized[i];
        double size = @abs(x[i] / scale) + 2.0 * @abs(offset / scale) + 510.0;
        moved += left_out * weight;
        bound += (@abs((double)quantized[i] - @center[i]) + @abs(left_out)) * reach;
        lost += size * (@abs(weight) + reach);
    }
    return @upper(bound + @abs(moved), lost);
}"""


def _integers(model: QuantizedLinear) -> Parts:
    fixed, targets, (least, most) = Fixed.of(model), len(model.target_names_), sum_range(model)
    words = {
        "INTEGER": _integer(model),
        "MULTIPLIER": str(fixed.multiplier),
        "HALF": str(1 << fixed.shift >> 1),
        "SHIFT": str(fixed.shift),
        "REST": str(62 - fixed.shift),
    } | _bound_words(model)
    sum_doc = f"The exact sum of a row in uint8: prediction = sum * @SCALE. It lies between {least} and {most}."
    fixed_doc = (
        "The prediction in fixed point: prediction = fixed * @FIXED_SCALE, or fixed / 2^@FIXED_BITS, up to "
        "@FIXED_ERROR. Beside the sum it takes one product of 32 by 32 bits and a shift, and no float."
    )
    whole: list[Part] = [
        *_weights(model),
        *_tables(model, "bias"),
        _with(_SUM, words),
        _with(_FIX, words),
        _function("int32_t", "sum", _QUANTIZED_ROW, "@add(x, #)", targets, sum_doc),
        _function("int32_t", "predict_fixed", _QUANTIZED_ROW, "@fix(@add(x, #))", targets, fixed_doc),
    ]
    return Parts(_integer_macros(model, fixed), whole, _quantizing(model, words))


def _integer_macros(model: QuantizedLinear, fixed: Fixed) -> list[str]:
    return [
        f"#define @ZERO_POINT {model.affine.zero_point}",
        f"#define @SCALE {double(model.affine.scale.item())}",
        f"#define @FIXED_BITS {fixed.fraction_bits}",
        "/* 2 to the power of -@FIXED_BITS. */",
        f"#define @FIXED_SCALE {double(float(fixed.scale))}",
        "/* No fixed-point prediction is further than this from sum * @SCALE. */",
        f"#define @FIXED_ERROR {double(float(fixed.largest_error))}",
    ]


def _quantizing(model: QuantizedLinear, words: dict[str, str]) -> list[Part]:
    """Return the parts that take features in float64 to the integer sums, and these to predictions."""
    targets = len(model.target_names_)
    quantize_doc = (
        "Write a row in uint8, halves rounded to even, and return how many features lie outside the model's range: "
        "these are saturated. NaN counts among them, and becomes 0."
    )
    predict_doc = (
        "The prediction: Python's, to the last bit. A feature that is not finite, which Python refuses, gives NaN."
    )
    value = "@add(quantized, #) * @SCALE + none"
    return [
        # Without such a type, the functions of integers still compile.
        _FLOAT64.replace('sse"', 'sse; or define @NO_DOUBLE for the integers alone"'),
        *_tables(model, "input_scale", "input_offset", "center", "slack"),
        _ABS,
        _with(_UPPER, words),
        _with(_INTEGER_BOUND, words),
        Function(quantize_doc, f"int @quantize({_ROW}, uint8_t quantized[@FEATURES])", _SATURATION),
        _function("double", "predict", _ROW, value, targets, predict_doc, _QUANTIZED + _FINITE),
        _function("double", "error_bound", _ROW, "@bound(x, quantized, #)", targets, _BOUND_DOC, _QUANTIZED),
    ]
