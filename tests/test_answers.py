"""Predictions out: numbers as text."""

import struct

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st


def near(number):
    """The numbers on both sides of one."""
    return [float(np.nextafter(number, -np.inf)), number, float(np.nextafter(number, np.inf))]


EDGES = [x for power in range(-6, 18) for x in near(float(f"1e{power}"))] + [0.0, -0.0, 5e-324, 1.7e308, float("inf")]
DRAWN = st.one_of(
    st.floats(allow_nan=False),
    st.floats(-1e6, 1e6),
    st.decimals(-(10**6), 10**6, places=4).map(float),
    st.binary(min_size=4, max_size=4).map(lambda four: float(struct.unpack("<i", four)[0]) / 1024),
)


@given(st.lists(st.tuples(DRAWN, DRAWN), min_size=1, max_size=50))
@example([(x, -x) for x in EDGES])
@example([(0.5, 0.25)])
@settings(max_examples=500)  # the texts of two writers, of which one is not ours
def test_pyarrow_writes_each_number_as_python_does(rows):
    csv_text = pytest.importorskip("housing_np.rows.arrow_csv").csv_text
    expected = "".join(",".join(map(repr, row)) + "\n" for row in rows)
    assert csv_text(np.array(rows)) == expected
    assert csv_text(np.array(rows)[:, :1]) == "".join(f"{first!r}\n" for first, _ in rows)
