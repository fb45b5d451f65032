"""Numbers from outside: what is taken, what is refused, and in which words."""

import tracemalloc

import numpy as np
import pytest
from cases import every
from hypothesis import example, given
from hypothesis import strategies as st

from housing_np import HousingError
from housing_np.checks.arrays import (
    as_matrix,
    as_numbers,
    as_rows,
    reduce_rows,
    refuse_inexact,
    refuse_nonfinite,
    rounded_by_float64,
)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a", "b"], "X has dtype <U1: expected real numbers; convert it to float64"),
        ([1 + 2j], "X has dtype complex128: expected real numbers"),
        (np.array([1, None]), "X has dtype object: expected real numbers"),
        ([[1, 2], [3]], "X is not an array of numbers: "),
        (np.ma.array([1.0, 2.0], mask=[0, 1]), "X has masked entries: fill them or drop their rows"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(values, message):
    with pytest.raises(HousingError, match=message):
        as_numbers(values, "X")


def test_long_double_is_refused_where_float64_does_not_hold_its_numbers():
    wide = np.longdouble([1])
    if np.finfo(np.longdouble).nmant > np.finfo(np.float64).nmant:
        with pytest.raises(HousingError, match="X has dtype (float|longdouble)[0-9]*: expected real numbers"):
            as_numbers(wide, "X")
    else:  # 8 bytes, as on Windows and on Apple's processors
        assert as_numbers(wide, "X").tolist() == [1.0]


@every("dtype", ["bool", "i1", "u8", "f2", ">f8", "f4"])
def test_real_numbers_keep_their_type(dtype):
    assert as_numbers(np.zeros(3, dtype), "X").dtype == dtype


def test_an_array_is_not_copied():
    X = np.ones((3, 2))
    assert as_matrix(X) is X
    assert np.shares_memory(as_rows(X, ["a", "b"]), X)


@pytest.mark.parametrize("shape", [(), (3,), (3, 0), (2, 3, 4)])
def test_what_is_no_matrix_says_how_to_make_one(shape):
    with pytest.raises(HousingError, match=r"X has shape .*: expected \(rows, features\); X\.reshape\(-1, 1\) makes"):
        as_matrix(np.zeros(shape))


def test_another_number_of_columns_names_those_that_are_expected():
    with pytest.raises(HousingError, match="X has 3 columns, expected 2: rooms, age"):
        as_rows(np.zeros((1, 3)), ["rooms", "age"])


@every("value", [np.nan, np.inf, -np.inf])
@every(("row", "column"), [(0, 0), (70_000, 1), (99_999, 0)])
def test_a_number_that_is_not_finite_is_named_by_row_and_column(value, row, column):
    X = np.zeros((100_000, 2))
    X[row, column] = X[-1, 1] = value
    name = ["rooms", "age"][column]
    with pytest.raises(HousingError, match=f"X: row {row + 7}, column '{name}': {value} is not a finite number; fill"):
        refuse_nonfinite(X, "X", ["rooms", "age"], first_row=7)


@pytest.mark.parametrize(("shape", "index"), [((), []), ((4,), [3]), ((2, 3, 4), [1, 0, 2])])
def test_in_an_array_without_columns_it_is_named_by_index(shape, index):
    x = np.zeros(shape)
    x[tuple(index)] = np.nan
    with pytest.raises(HousingError, match=r"nan is not a finite number") as caught:
        refuse_nonfinite(x, "x")
    assert str(caught.value).startswith(f"x{index or ''}: ")


INTEGERS = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(INTEGERS, min_size=1))
@example([0, 2**53, 2**53 + 1, 2**60, 2**63 - 1, -(2**63), -(2**53) - 1])
def test_an_integer_is_refused_only_if_float64_rounds_it(integers):
    rounded = rounded_by_float64(np.array(integers, np.int64))
    assert rounded.tolist() == [int(float(i)) != i for i in integers]


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1))
@example([2**64 - 1, 2**63, 2**64 - 2048])
def test_an_unsigned_integer_too(integers):
    rounded = rounded_by_float64(np.array(integers, np.uint64))
    assert rounded.tolist() == [int(float(i)) != i for i in integers]


def test_a_rounded_integer_is_named():
    X = np.array([[1, 2], [2**53 + 1, 3]])
    message = f"X: row 11, column 'id': {2**53 + 1} is an integer beyond 2\\*\\*53 that .*; leave an identifier out"
    with pytest.raises(HousingError, match=message):
        refuse_inexact(X, "X", ["id", "age"], first_row=10)


@every("order", ["C", "F"])
@every(("n", "p"), [(1, 1), (3, 2), (64, 8), (1000, 8), (1001, 7), (5, 600)])
def test_rows_are_reduced_as_numpy_does(n, p, order):
    rows = np.asarray(np.random.default_rng(n).integers(-9, 9, (n, p)), np.float64, order=order)
    for ufunc in (np.minimum, np.maximum, np.add):
        np.testing.assert_array_equal(reduce_rows(ufunc, rows), ufunc.reduce(rows, axis=0), strict=True)


def test_what_is_refused_in_a_large_array_takes_little_memory_to_find():
    X = np.zeros((200_000, 8))
    X[199_999, 7] = np.nan
    tracemalloc.start()
    with pytest.raises(HousingError, match="row 199999"):
        refuse_nonfinite(X, "X", [f"x{i}" for i in range(8)])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20
