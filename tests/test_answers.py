"""Predictions out: numbers as text."""

import numpy as np
import pytest


def near(number):
    """The numbers on both sides of one."""
    return [float(np.nextafter(number, -np.inf)), number, float(np.nextafter(number, np.inf))]


EDGES = [x for power in range(-6, 18) for x in near(float(f"1e{power}"))] + [0.0, -0.0, 5e-324, 1.7e308, float("inf")]


def drawn(seed, size=400):
    """Blocks of numbers: of any bits, up to a million, with four decimals, with ten binary places, and all."""
    rng = np.random.default_rng(seed)
    any_bits = rng.integers(0, 2**64, size, np.uint64).view(np.float64)
    kinds = [
        np.where(np.isnan(any_bits), np.inf, any_bits),
        rng.uniform(-1e6, 1e6, size),
        rng.integers(-(10**10), 10**10, size) / 1e4,
        rng.integers(-(2**31), 2**31, size) / 1024,
    ]
    return [*kinds, rng.choice(np.concatenate(kinds), size), rng.choice(np.concatenate(kinds), 2)]


def assert_written_as_python_does(rows):
    csv_text = pytest.importorskip("housing_np.rows.arrow_csv").csv_text
    expected = "".join(",".join(map(repr, row)) + "\n" for row in rows.tolist())
    assert csv_text(rows) == expected
    assert csv_text(rows[:, :1]) == "".join(f"{first!r}\n" for first, _ in rows.tolist())


@pytest.mark.parametrize("rows", [[(x, -x) for x in EDGES], [(0.5, 0.25)]], ids=["edges", "halves"])
def test_pyarrow_writes_numbers_at_the_edges_as_python_does(rows):
    assert_written_as_python_does(np.array(rows))


def test_pyarrow_writes_each_number_as_python_does():
    for block in (block for seed in range(30) for block in drawn(seed)):
        assert_written_as_python_does(block.reshape(-1, 2))
