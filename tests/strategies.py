"""What the tests draw from: arrays, linear models with rows, and the edge cases that every run must meet."""

import os

import numpy as np
from hypothesis import example, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from housing_np.errors import HousingError
from housing_np.fit.linear import LinearRegression
from housing_np.quantized.affine import Affine
from housing_np.quantized.model import QuantizedLinear
from housing_np.quantized.schemes import SCHEMES

ALL_ZERO = np.zeros((2, 3), np.float32)
CONSTANT = np.full((2, 3), 0.1, np.float32)
ALL_NEGATIVE = np.array([[-3.34, -1.0, -2.1], [-4.0, -1.3, -2.5]], np.float32)
ONE_ELEMENT = np.array([[7.0]], np.float32)
SUBNORMAL = np.array([[1e-45, -3e-42, 0.0], [5e-40, -1e-45, 1e-39]], np.float32)
HUGE = np.array([[-1e38, 1.5e38, 0.0], [1.0, -7e37, 1e-38]], np.float32)
EDGES = [ALL_ZERO, CONSTANT, ALL_NEGATIVE, ONE_ELEMENT, SUBNORMAL, HUGE]
EDGES += [edge.astype(np.float64) for edge in EDGES]

BITS = st.integers(2, 8)
LARGEST = 2.0**100


def drawn(examples, weekly):
    """Hypothesis's settings for so many examples; more in the weekly run of all combinations."""
    return settings(max_examples=weekly if os.environ.get("HOUSING_NP_MATRIX") == "1" else examples)


def examples(name, cases):
    """One hypothesis @example for each case of one argument."""

    def decorate(test):
        for case in cases:
            test = example(**{name: case})(test)
        return test

    return decorate


def _finite(dtype):
    return st.floats(-LARGEST, LARGEST, width=8 * np.dtype(dtype).itemsize)


def numbers(min_dims=1, max_dims=4, dtypes=(np.float32, np.float64)):
    """Arrays of 1 to 4 dimensions of length 1 to 5, with numbers up to 2**100."""
    shapes = array_shapes(min_dims=min_dims, max_dims=max_dims, max_side=5)
    return st.sampled_from(dtypes).flatmap(
        lambda dtype: arrays(dtype, shapes, elements=_finite(dtype), fill=st.nothing())
    )


SCALES = st.floats(2.0**-100, 2.0**100, width=32)


def affines(bits=BITS):
    """One scale from 2**-100 to 2**100, any zero point."""
    return bits.flatmap(lambda b: st.builds(Affine, SCALES, st.integers(0, 2**b - 1), st.none(), st.just(b)))


def linear(coef, intercept):
    """A float model with names x0, x1, … and y0, y1, …"""
    coef = np.asarray(coef, np.float64)
    targets = 1 if coef.ndim == 1 else len(coef)
    features = [f"x{i}" for i in range(coef.shape[-1])]
    return LinearRegression.from_coefficients(coef, intercept, features, [f"y{i}" for i in range(targets)])


def integer_model(weights, zero_point, bias, scale=1.0):
    """A model of the scheme "integer" with given integers; its inputs stand for themselves."""
    weights = np.asarray(weights, np.uint8)
    p, targets = weights.shape[-1], weights.shape[:-1]
    numbers = {
        "bits": np.uint8(8),
        "weights": weights,
        "scale": np.float32(scale),
        "zero_point": np.asarray(zero_point),
        "radius": np.float32(0.5),
        "slack": np.zeros(targets, np.float32),
        "bias": np.asarray(bias),
        "center": np.zeros(p, np.uint8),
        "input_scale": np.ones(p, np.float32),
        "input_offset": np.zeros(p),
    }
    features = tuple(f"x{i}" for i in range(p))
    return QuantizedLinear.from_numbers(
        "integer", numbers, features, tuple(f"y{i}" for i in range(len(weights) if targets else 1))
    )


@st.composite
def integer_models(draw, max_features=400):
    """Integers of the scheme "integer", up to 400 features and 3 targets: sums from 0 to beyond 2**24."""
    p = draw(st.integers(1, max_features))
    shape = draw(st.sampled_from([(p,), (1, p), (3, p)]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    low = draw(st.sampled_from([0, 200, 255]))
    bias = rng.integers(-(2**30), 2**30, shape[:-1]) if draw(st.booleans()) else np.zeros(shape[:-1])
    scale = draw(st.floats(2.0**-20, 2.0**20, width=32))
    return integer_model(rng.integers(low, 256, shape), draw(st.integers(0, 255)), bias, scale)


@st.composite
def quantizable(draw, schemes=SCHEMES, exponent=8):
    """(float model, calibration rows, scheme, bits): features and weights of 1e-8 to 1e8, 1 to 6 features, 1 to 3
    targets, 1 to 30 rows; some features constant, some weights zero."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, p = draw(st.integers(1, 30)), draw(st.integers(1, 6))
    shape = draw(st.sampled_from([(p,), (1, p), (3, p)]))
    unit = 10.0 ** rng.uniform(-exponent, exponent, p)
    X = unit * (
        rng.normal(size=(n, p)) * rng.integers(0, 2, p) + rng.normal(size=p) * draw(st.sampled_from([0, 1, 100]))
    )
    coef = rng.normal(size=shape) * 10.0 ** rng.uniform(-exponent, exponent, shape) * (rng.random(shape) > 0.2)
    model = linear(coef, rng.normal(size=shape[:-1]) * 10.0 ** rng.uniform(-3, 3))
    return model, X, draw(st.sampled_from(schemes)), draw(BITS)


def quantized(case):
    """The quantized model of (float model, rows, scheme, bits), or None where the int32 sum could overflow."""
    model, X, scheme, bits = case
    try:
        return QuantizedLinear.from_linear(model, X, scheme, bits)
    except HousingError as error:
        if "the int32 sum" in str(error):
            return None
        raise


def with_schemes(model, X):
    return [(model, np.asarray(X, np.float64), scheme, 8) for scheme in SCHEMES]


ONE_ROW = with_schemes(linear([1.5, -2.0], 3.0), [[4.0, 5.0]])
ONE_FEATURE = with_schemes(linear([0.25], -1.0), [[1.0], [2.0], [7.0]])
# The mean of ten times 0.1 is not 0.1 in float64.
CONSTANT_UP_TO_ROUNDING = with_schemes(linear([1.0, 3.0], 0.5), [[0.1, i] for i in range(10)])
CONSTANT_FEATURES = with_schemes(linear([1.0, 3.0], 0.5), [[2.0, 9.0], [2.0, 9.0], [2.0, 9.0]])
ZERO_WEIGHTS = with_schemes(linear([0.0, 0.0], 2.5), [[1.0, 2.0], [3.0, -4.0]])
NO_INTERCEPT = with_schemes(linear([2.0, -1.0], 0.0), [[1.0, 2.0], [3.0, -4.0], [0.0, 1.0]])
SEVERAL_TARGETS = with_schemes(linear([[2.0, -1.0], [0.0, 1e-4]], [1.0, -1.0]), [[1.0, 2e3], [3.0, -4e3], [0.0, 1e3]])
MODELS = [
    *ONE_ROW,
    *ONE_FEATURE,
    *CONSTANT_FEATURES,
    *CONSTANT_UP_TO_ROUNDING,
    *ZERO_WEIGHTS,
    *NO_INTERCEPT,
    *SEVERAL_TARGETS,
]
