"""Many columns: no step takes p × p numbers but optimal rounding, which needs the covariance."""

import tracemalloc

import numpy as np
import pytest
from running import run

from housing_np import HousingError, LinearRegression, QuantizedLinear, save
from housing_np.quantized.calibration import Calibration
from housing_np.quantized.schemes import SCHEMES

P = 4000
SQUARE = 8 * P * P  # bytes of p × p numbers: 128 MB


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("wide"), np.random.default_rng(0)
    model = LinearRegression.from_coefficients(rng.normal(size=P), 1.0, [f"x{i}" for i in range(P)], ["y"])
    X = rng.normal(size=(20, P))
    np.save(folder / "rows.npy", X)
    save(model, folder / "float64.npz")
    for scheme in SCHEMES:
        save(QuantizedLinear.from_linear(model, X, scheme), folder / f"{scheme}.npz")
    return folder


def peak(action):
    tracemalloc.start()
    try:
        result = action()
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_nearest_integers_of_many_weights_take_no_covariance(scheme):
    rng = np.random.default_rng(0)
    model = LinearRegression.from_coefficients(rng.normal(size=P), 1.0, [f"x{i}" for i in range(P)], ["y"])
    X = rng.normal(size=(20, P))
    assert peak(lambda: QuantizedLinear.from_linear(model, X, scheme))[1] < SQUARE / 10


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "integer.npz", "rows.npy", "--range", "rows.npy", "-o", "answers.csv"),
        ("predict", "per-channel.npz", "rows.npy", "--range", "rows.npy", "--bounds", "-o", "answers.csv"),
        ("export.__main__", "integer.npz", "--force", "-o", "model.html", "--range", "rows.npy"),
        ("export.__main__", "per-channel.npz", "--force", "-o", "model.c", "--range", "rows.npy"),
        ("explain", "integer.npz", "--against", "float64.npz", "--data", "rows.npy", "--json"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_no_command_takes_the_square_of_the_columns(arguments, folder):
    done, taken = peak(lambda: run(*arguments, cwd=folder))
    assert (done.returncode, done.stderr) == (0, "")
    assert taken < SQUARE / 4


def test_optimal_rounding_says_that_it_needs_the_covariance():
    X = np.random.default_rng(0).normal(size=(20, 3))
    model = LinearRegression().fit(X, X[:, 0])
    ranges = Calibration.of(X, covariance=False)
    with pytest.raises(HousingError, match=r"^the calibration has no covariance: make it of rows, as Calibration\.of"):
        QuantizedLinear.from_linear(model, ranges, "per-channel", rounding="optimal")


def test_a_calibration_with_and_without_the_covariance_gives_the_same_model():
    X = np.random.default_rng(0).normal(size=(500, 7))
    model = LinearRegression().fit(X, X @ np.arange(7.0))
    for scheme in SCHEMES:
        one, other = (
            QuantizedLinear.from_linear(model, Calibration.of(X, covariance=each), scheme).numbers()
            for each in (True, False)
        )
        for name, values in one.items():
            np.testing.assert_array_equal(values, other[name], strict=True)
