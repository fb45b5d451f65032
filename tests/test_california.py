"""The bundled table."""

import hashlib
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import housing_np
from housing_np import TableError, load_california
from housing_np.rows.california import FEATURES, california_rows

PACKAGE = Path(housing_np.__file__).parent
CSV = next(path for path in (PACKAGE / "data", PACKAGE.parent / "data") if path.is_dir()) / "cal_housing.csv"


@pytest.fixture(scope="module")
def table(california):
    return california.table


def test_the_bundled_file_is_that_of_statlib():
    digest = hashlib.sha256(CSV.read_bytes()).hexdigest()
    assert digest == "7bbf62a63120b1968850c6a618fb82def6cd948a7c3dda73900d57eed63d1ef9"


def test_california_has_20640_rows_of_8_features(table):
    assert (table.X.shape, table.y.shape) == ((20_640, 8), (20_640,))
    assert (table.X.dtype, table.y.dtype) == (np.float64, np.float64)


def test_california_has_the_names_of_scikit_learn(table):
    names = "MedInc HouseAge AveRooms AveBedrms Population AveOccup Latitude Longitude"
    assert table.feature_names == tuple(names.split())
    assert table.target_name == "MedHouseVal"


@pytest.mark.parametrize(
    ("row", "features", "target"),
    [
        # As scikit-learn's fetch_california_housing prints them.
        (0, [8.3252, 41.0, 6.98412698, 1.02380952, 322.0, 2.55555556, 37.88, -122.23], 4.526),
        (1, [8.3014, 21.0, 6.23813708, 0.97188049, 2401.0, 2.10984183, 37.86, -122.22], 3.585),
        (-1, [2.3886, 16.0, 5.25471698, 1.16226415, 1387.0, 2.61698113, 39.37, -121.24], 0.894),
    ],
)
def test_known_rows_of_california(row, features, target, table):
    np.testing.assert_allclose(table.X[row], features, rtol=0, atol=5e-9)
    assert table.y[row] == target


def test_every_number_of_california_is_rounded_once(table):
    lines = CSV.read_text().splitlines()[1:]
    for i in range(0, len(lines), 97):
        longitude, latitude, age, rooms, bedrooms, population, households, income, value = map(
            Fraction, lines[i].split(",")
        )
        exact = [
            income,
            age,
            rooms / households,
            bedrooms / households,
            population,
            population / households,
            latitude,
            longitude,
        ]
        assert table.X[i].tolist() == [float(number) for number in exact]
        assert table.y[i] == float(value / 100_000)


def test_california_equals_scikit_learns(table):
    datasets = pytest.importorskip("sklearn.datasets")
    try:
        theirs = datasets.fetch_california_housing(download_if_missing=False)
    except OSError:
        pytest.skip("scikit-learn has not downloaded it")
    np.testing.assert_array_equal(table.X, theirs.data, strict=True)
    np.testing.assert_array_equal(table.y, theirs.target, strict=True)


def test_california_does_not_depend_on_the_working_folder(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(load_california().X, table.X, strict=True)


@pytest.mark.parametrize("rows", [1, 5])
def test_the_first_rows_of_california_are_those_of_all(rows, table):
    first = load_california(rows)
    np.testing.assert_array_equal(first.X, table.X[:rows], strict=True)
    np.testing.assert_array_equal(first.y, table.y[:rows], strict=True)


def test_california_needs_no_network():
    code = (
        "import socket\n"
        "def refuse(*_): raise AssertionError('network')\n"
        "socket.socket.connect = socket.create_connection = refuse\n"
        "import housing_np; print(len(housing_np.load_california().y))"
    )
    environment = {"PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "20640\n"


def test_a_number_of_rows_below_one_is_refused():
    for rows in (0, -1, 1.5, True, "a", [1], -(2**70)):
        with pytest.raises(TableError, match=rf"rows is {re.escape(repr(rows))}: expected how many of the first rows"):
            load_california(rows)


def test_more_rows_than_there_are_are_all(california):
    assert len(load_california(10**30).y) == len(california.table.y)


def test_its_features_are_those_of_the_table(table):
    assert table.feature_names == FEATURES


def test_the_columns_that_a_model_needs_come_in_its_order(table):
    np.testing.assert_array_equal(california_rows(["Latitude", "MedInc"], 3), table.X[:3, [6, 0]], strict=True)


def test_a_column_that_it_does_not_have_is_named():
    with pytest.raises(TableError, match="the bundled rows have no 'rooms', which the model needs"):
        california_rows(["MedInc", "rooms"])
