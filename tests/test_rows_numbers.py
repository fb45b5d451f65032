"""A number from a cell, or advice that fits what stands there instead."""

from fractions import Fraction

import pytest
from cases import every
from hypothesis import example, given
from hypothesis import strategies as st

from housing_np import TableError
from housing_np.rows.numbers import is_words, of_integer, of_json, of_text


def refusal(function, *arguments):
    with pytest.raises(TableError, match=r"^: ") as caught:
        function(*arguments)
    return str(caught.value)


@every(
    ("cell", "advice"),
    [
        ("", "the cell is empty; fill it in"),
        *((cell, f"{cell!r} stands for a missing number; fill it in") for cell in ("NA", "N/A", "null", "NULL", "nan")),
        *((cell, f"{cell!r} stands for a missing number; fill it in") for cell in ("-", "NaN", "#N/A", "None")),
        ("152,5", "it has a decimal comma; say decimal=',' or write 152.5"),
        ("-0,25", "it has a decimal comma; say decimal=',' or write -0.25"),
        ("1,234", "it has a thousands separator; write 1234, or say decimal=',' if it is a decimal comma"),
        ("1,234,567.5", "it has a thousands separator; write 1234567.5"),
        ("1.234.567,5", "it has a thousands separator; write 1234567.5"),
        ("12 345,5", "it has a thousands separator; write 12345.5"),
        ("1'234", "it has a thousands separator; write 1234"),
        ("$3", "it has a currency sign; write 3"),
        ("3.50 €", "it has a currency sign; write 3.50"),
        ("$1,234.50", "it has a currency sign; write 1234.50"),
        ("1.234,50 €", "it has a currency sign; write 1234.50"),
        ("3%", "it has a percent sign; write 3 in every row"),
        ("no", "'no' is a truth value, not a number; write 0"),
        ("2024-01-31", "'2024-01-31' is a date, not a number"),
        ("31.01.2024", "is a date, not a number"),
        ("1/31/2024 10:30", "is a date, not a number"),
        ('"', "is a quote alone, not a number; remove it"),
        ("INLAND", "'INLAND' is not a number; correct it"),
        ("\u0661.\u0662", "'\u0661.\u0662' is not a number; correct it"),
        ("inf", "inf is not a finite number"),
        ("-1e999", "-inf is not a finite number"),
    ],
)
def test_advice_fits_what_stands_in_the_cell(cell, advice):
    assert advice in refusal(of_text, f" {cell} ")


@pytest.mark.parametrize(
    ("cell", "advice"),
    [
        ("1.5", "it has a decimal point, where the mark is a comma"),
        ("1.234,5", "it has a thousands separator; write 1234.5"),
        ("1.234", "it has a thousands separator; write 1234"),
    ],
)
def test_a_point_is_no_decimal_mark_where_the_comma_is(cell, advice):
    assert advice in refusal(of_text, cell, ",")


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=4))
def test_a_decimal_comma_reads_the_number_that_a_point_does(number):
    text = format(number, "f")
    assert of_text(text.replace(".", ","), ",").hex() == of_text(text).hex()


@given(st.integers(-(2**70), 2**70))
@example(2**53)
@example(2**53 + 1)
@example(-(2**53) - 1)
@example(2**53 + 2)
@example(2**64)
def test_an_integer_is_exact_or_refused_however_it_comes(integer):
    is_exact = Fraction(float(integer)) == integer
    for function, value in ((of_text, str(integer)), (of_json, integer), (of_integer, integer)):
        if is_exact:
            assert function(value) == integer
        else:
            assert f"{integer} is an integer beyond 2**53" in refusal(function, value)


def test_decimals_beyond_float64_are_the_nearest_double():
    assert of_text("9007199254740993.0") == 9007199254740992.0
    assert of_text("0.1000000000000000055511151231257827021181583404541015625") == 0.1


@every(
    ("value", "advice"),
    [
        (None, "null stands for a missing number; fill it in"),
        ("NA", '"NA" stands for a missing number'),
        ("2", '"2" is not a number but text; write it without quotes'),
        ([2], "[2] is not a number"),
        (10**400, "does not fit a 64-bit float"),
        (float("nan"), "nan is not a finite number"),
    ],
)
def test_advice_fits_the_value_of_json(value, advice):
    assert advice in refusal(of_json, value)


@pytest.mark.parametrize("cell", ["NEAR BAY", "a", "größe"])
def test_words_are_what_no_correction_makes_a_number(cell):
    assert is_words(cell)


@every("cell", ["", "NA", "1,5", "3 km", "$3", "TRUE", "inf", "1e5", "2024-01-01"])
def test_what_a_correction_makes_a_number_is_no_words(cell):
    assert not is_words(cell)


@pytest.mark.parametrize(("cell", "number"), [("true", 1.0), ("TRUE", 1.0), (" False ", 0.0)])
def test_a_truth_value_is_1_or_0(cell, number):
    assert of_text(cell) == number


def test_a_truth_value_of_json_is_1_or_0():
    assert (of_json(True), of_json(False)) == (1.0, 0.0)
