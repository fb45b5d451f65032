"""Double-double arithmetic against rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from housing_np.fit.doubled import Doubled, product

HIGH = st.floats(2.0**-60, 2.0**60) | st.floats(-(2.0**60), -(2.0**-60))
NUMBERS = st.tuples(HIGH, st.integers(-(2**52), 2**52).map(lambda steps: steps * 2.0**-106))
THIRD = (1 / 3, 1 / 3 * 2.0**-54)
# Of the larger term, or of the result of a product: an operation loses no more.
ROUNDING = Fraction(2) ** -103


def doubled(numbers):
    high = np.array([high for high, _ in numbers])
    return Doubled(high, high * [share for _, share in numbers])


def rational(number):
    return [Fraction(high) + Fraction(low) for high, low in zip(number.high.ravel(), number.low.ravel(), strict=True)]


@given(NUMBERS, NUMBERS)
@example(THIRD, (-1 / 3, 0.0))
@example((1.0, 0.0), (-(1 + 2.0**-52), 2.0**-54))
def test_arithmetic_keeps_twice_the_digits(a, b):
    x, y = doubled([a]), doubled([b])
    (p,), (q,) = rational(x), rational(y)
    size = max(abs(p), abs(q))
    assert abs(rational(x + y)[0] - (p + q)) <= ROUNDING * size
    assert abs(rational(x - y)[0] - (p - q)) <= ROUNDING * size
    assert abs(rational(x * y)[0] / (p * q) - 1) <= ROUNDING
    assert abs(rational(x / y)[0] / (p / q) - 1) <= ROUNDING
    root = rational(Doubled(np.abs(x.high), np.sign(x.high) * x.low).sqrt())[0]
    assert abs(root * root / abs(p) - 1) <= 4 * ROUNDING


def test_a_sum_and_a_product_of_two_doubles_are_exact():
    a, b = np.random.default_rng(0).normal(size=(2, 500))
    x, y = Doubled(a), Doubled(b)
    assert rational(x + y) == [p + q for p, q in zip(rational(x), rational(y), strict=True)]
    assert rational(x * y) == [p * q for p, q in zip(rational(x), rational(y), strict=True)]


def test_the_root_of_0_is_0():
    root = Doubled(np.array([0.0, 4.0])).sqrt()
    assert (root.high.tolist(), root.low.tolist()) == ([0.0, 2.0], [0.0, 0.0])


@pytest.mark.parametrize("axis", [0, 1])
@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=40))
@example([((2.0**60, 0.0),) * 3, ((2.0**-60, 0.0),) * 3, ((-(2.0**60), 0.0),) * 3])
@example([(THIRD, THIRD, THIRD)] * 33)
@example([((2.0**-60 / 3, 2.0**-54 / 3),) * 3] * 33)
def test_a_sum_loses_no_more_than_the_rounding_of_its_largest_term(axis, rows):
    high = np.array([[high for high, _ in row] for row in rows])
    numbers = Doubled(high, high * [[share for _, share in row] for row in rows])
    exact = np.array(rational(numbers), object).reshape(high.shape).sum(axis=axis)
    error = np.abs(np.array(rational(numbers.sum(axis=axis)), object) - exact)
    limit = high.shape[axis] * ROUNDING * np.array([Fraction(v) for v in np.abs(high).max(axis=axis)], object)
    assert (error <= limit).all()


def test_a_sum_of_no_numbers_is_0():
    total = Doubled(np.zeros((0, 2))).sum()
    assert total.high.tolist() == total.low.tolist() == [0.0, 0.0]


def test_a_matrix_product_keeps_twice_the_digits():
    a, b = (np.random.default_rng(i).normal(size=shape) for i, shape in enumerate([(3, 5), (5, 2)]))
    exact = [sum(Fraction(p) * Fraction(q) for p, q in zip(row, column, strict=True)) for row in a for column in b.T]
    found = rational(product(Doubled(a), Doubled(b)))
    assert max(abs(f - e) for f, e in zip(found, exact, strict=True)) <= ROUNDING * 50


def test_parts_of_an_array_are_read_and_replaced_with_both_halves():
    numbers = doubled([THIRD, (2.0, 2.0**-54), (5.0, 0.0)])
    assert rational(numbers[1:]) == rational(numbers)[1:]
    numbers[0] = doubled([(7.0, 2.0**-54)])[0]
    numbers[1] = 9.0
    assert rational(numbers) == [7 + 7 * Fraction(2) ** -54, 9, 5]


@given(NUMBERS, st.integers(-100, 100))
def test_a_power_of_two_moves_both_halves(a, exponent):
    assert rational(doubled([a]).ldexp(exponent)) == [rational(doubled([a]))[0] * Fraction(2) ** exponent]
