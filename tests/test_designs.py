"""Degenerate columns in every place of a real table, through the whole command, against NumPy's least squares."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose
from running import run

from housing_np import load, load_california
from housing_np.evaluation.split import holdout_split

ROWS = 400
TABLE = load_california(ROWS)
HELD_OUT = holdout_split(ROWS)[1]


def level(rows):
    return np.isin(np.arange(ROWS), rows).astype(float)


COLUMNS = {
    "a year": np.full(ROWS, 1990.0),
    "zeros": np.zeros(ROWS),
    "a tenth": np.full(ROWS, 0.1),
    "doubled": 2 * TABLE.X[:, 2],
    "a sum": TABLE.X[:, 0] + TABLE.X[:, 6],
    "one row": level([7]),
    "in the held-out fifth alone": level(HELD_OUT[:3]),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_training_is_right_with_any_column_in_any_place(name, tmp_path):
    for place in range(9):
        assert_trained(name, place, tmp_path)


def assert_trained(name, place, tmp_path):
    X = np.insert(TABLE.X, place, COLUMNS[name], axis=1)
    names = [*np.insert(np.array(TABLE.feature_names, object), place, "more"), "price"]
    np.savetxt(tmp_path / "t.csv", np.column_stack([X, TABLE.y]), "%.17g", ",", header=",".join(names), comments="")
    done = run("train", "--data", "t.csv", "--target", "price", "--json", "--max-deviation", "10", cwd=tmp_path)
    assert done.returncode == 0, done.stderr

    centred = np.column_stack([np.ones(ROWS), (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-9)])
    expected = centred @ np.linalg.lstsq(centred, TABLE.y, rcond=1e-10)[0]
    model = load(tmp_path / "models/float64.npz")
    report = json.loads(done.stdout)
    # A column that never varies is no feature.
    assert report["left_out"] == (["more"] if np.ptp(COLUMNS[name]) == 0 else [])
    kept = [place for place, name in enumerate(names[:-1]) if name not in report["left_out"]]
    assert_allclose(model.predict(X[:, kept]), expected, atol=1e-9)

    assert [stage["r2"] > 0.5 for stage in report["stages"]] == [True] * 5
    assert 0.4 < report["held_out"]["r2"] < 0.9
