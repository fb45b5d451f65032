"""What commands know of a model file: what the report beside it says, if it has the SHA-256 of that very file."""

import json
import shutil
import subprocess
from hashlib import sha256

import numpy as np
import pytest
from running import answer, assert_refused, command, environment, run, strict

from housing_np import LinearRegression, load, save
from housing_np.rows.california import UNITS
from housing_np.store.report_file import report_beside, training_of

ROWS = "a,price\n1,1\n2,2\n4,3\n7,9\n8,1\n"


@pytest.fixture
def bundled(models, tmp_path):
    """A copy of the models and the report of a training on the bundled data."""
    shutil.copytree(models, tmp_path / "models")
    return tmp_path / "models"


@pytest.fixture
def own(tmp_path):
    """The folder of a training on rows of a user."""
    (tmp_path / "homes.csv").write_text(ROWS)
    answer("train", "--data", "homes.csv", "--target", "price", cwd=tmp_path)
    return tmp_path


def digest(path):
    return sha256(path.read_bytes()).hexdigest()


def verified(folder):
    """The files of which models.sha256 has the sum, all of which are right."""
    lines = [line.split("  ") for line in (folder / "models.sha256").read_text().splitlines()]
    assert [digest(folder / name) for _, name in lines] == [found for found, _ in lines]
    return [name for _, name in lines]


# What the report tells


def test_the_report_of_the_bundled_data_tells_units_and_ranges(bundled, california):
    training = training_of(bundled / "uint8-integer.npz", california.table.feature_names)
    assert (training.is_bundled, training.units) == (True, UNITS)
    assert training.ranges.low.tolist() == california.table.X.min(axis=0).tolist()
    assert training.ranges.high.tolist() == california.table.X.max(axis=0).tolist()


def test_the_report_of_other_data_tells_ranges_alone(own):
    training = training_of(own / "models" / "float64.npz", ["a"])
    assert (training.is_bundled, training.units) == (False, {})
    assert (training.ranges.low.tolist(), training.ranges.high.tolist()) == ([1.0], [8.0])


def test_the_report_tells_the_1st_and_the_99th_percentile(bundled, california):
    training = training_of(bundled / "uint8-integer.npz", california.table.feature_names)
    np.testing.assert_allclose(training.ranges.percentiles, np.percentile(california.table.X, [1, 99], axis=0))


def changed_report(folder, **figures):
    """What a report tells with other figures of its feature a; without those that are None."""
    path = folder / "models" / "report.json"
    report = json.loads(path.read_text())
    report["features"]["a"] = {
        key: value for key, value in (report["features"]["a"] | figures).items() if value is not None
    }
    path.write_text(json.dumps(report))
    return training_of(folder / "models" / "float64.npz", ["a"])


def test_a_report_without_percentiles_tells_the_rest(own):
    ranges = changed_report(own, percentile_1=None, percentile_99=None).ranges
    assert (ranges.percentiles, ranges.low.tolist()) == (None, [1.0])


@pytest.mark.parametrize("figures", [{"percentile_1": 0.5}, {"percentile_99": 9.0}, {"percentile_1": 8.0}])
def test_percentiles_that_are_out_of_range_are_not_told(figures, own):
    assert changed_report(own, **figures).ranges.percentiles is None


def test_a_file_that_was_changed_has_no_report(bundled):
    shutil.copy(bundled / "uint8-integer.npz", bundled / "renamed.npz")
    assert report_beside(bundled / "renamed.npz") is not None
    (bundled / "renamed.npz").write_bytes((bundled / "renamed.npz").read_bytes() + b"\0")
    assert report_beside(bundled / "renamed.npz") is None


@pytest.mark.parametrize("key", ["features", "options", "units", "data", "stages"])
def test_a_report_without_a_part_tells_nothing(key, bundled, california):
    report = strict((bundled / "report.json").read_text())
    del report[key]
    (bundled / "report.json").write_text(json.dumps(report))
    assert training_of(bundled / "float64.npz", california.table.feature_names) is None


# Without a report, commands ask for rows


@pytest.fixture
def alone(bundled, tmp_path):
    """A folder with a model of the bundled columns, and no report."""
    folder = tmp_path / "alone"
    folder.mkdir()
    shutil.copy(bundled / "float64.npz", folder)
    return folder


def test_predict_asks_for_rows(alone):
    done = run("predict", "float64.npz", cwd=alone)
    assert_refused(done, 2, "float64.npz: no rows to predict; give INPUT, a file of rows, or - for stdin")
    assert done.stdout == ""


def test_predict_asks_for_rows_of_a_model_of_other_data(own):
    assert_refused(run("predict", cwd=own), 2, "models/uint8-per-channel.npz: no rows to predict; give INPUT")


def test_explain_asks_for_rows(alone):
    done = run("explain", "float64.npz", "--against", "float64.npz", cwd=alone)
    assert_refused(done, 2, "give the rows that it was trained on", "to weigh the error with: --data FILE")


def test_explain_takes_the_report_beside_the_float_model(alone):
    assert "no error: the weights are" in answer(
        "explain", "float64.npz", "--against", "../models/float64.npz", cwd=alone
    )


def test_quantize_asks_for_rows(alone):
    done = run("quantize", "float64.npz", "--out", "q.npz", cwd=alone)
    assert_refused(done, 2, "give the rows that it was trained on", "to calibrate on: --data FILE")
    assert [path.name for path in alone.iterdir()] == ["float64.npz"]


# What quantize adds


def test_a_model_that_is_quantized_is_added_to_the_report(bundled):
    before = strict((bundled / "report.json").read_text())
    printed = strict(answer("quantize", "float64.npz", "--bits", "6", "--out", "small.npz", "--json", cwd=bundled))
    after = strict((bundled / "report.json").read_text())
    added = after["stages"].pop("small")
    assert after == before
    assert added["sha256"] == digest(bundled / "small.npz")
    assert {key: added[key] for key in ("r2", "mae", "file_bytes")} == {
        key: printed[key] for key in ("r2", "mae", "file_bytes")
    }
    assert verified(bundled)[-2:] == ["report.json", "small.npz"]
    assert answer("predict", "small.npz", cwd=bundled).startswith("row  MedHouseVal")


def test_the_model_of_a_training_made_again_leaves_its_report_as_it_was(bundled):
    before = {path.name: path.read_bytes() for path in bundled.iterdir()}
    answer("quantize", "float64.npz", "--out", "uint8-per-channel.npz", cwd=bundled)
    assert {path.name: path.read_bytes() for path in bundled.iterdir()} == before


def test_a_model_that_is_quantized_twice_gives_equal_bytes(own):
    arguments = ["quantize", "models/float64.npz", "--data", "homes.csv", "--out", "models/q.npz"]
    answer(*arguments, cwd=own)
    first = (own / "models" / "report.json").read_bytes()
    answer(*arguments, cwd=own)
    assert (own / "models" / "report.json").read_bytes() == first


def test_a_model_that_goes_elsewhere_leaves_the_report_as_it_was(bundled, tmp_path):
    before = (bundled / "report.json").read_bytes()
    answer("quantize", bundled / "float64.npz", "--out", "q.npz", cwd=tmp_path)
    assert (bundled / "report.json").read_bytes() == before


def test_a_report_that_does_not_name_the_float_model_is_left_alone(bundled, tmp_path):
    model = load(bundled / "float64.npz")
    save(LinearRegression.from_coefficients(2 * model.coef_, 0.0, model.feature_names, ["y"]), bundled / "float64.npz")
    names = ",".join([*model.feature_names, "y"])
    (tmp_path / "rows.csv").write_text(f"{names}\n1,2,3,4,5,6,7,8,9\n2,3,4,5,6,7,8,9,1\n")
    before = (bundled / "report.json").read_bytes()
    answer("quantize", "models/float64.npz", "--data", "rows.csv", "--out", "models/q.npz", cwd=tmp_path)
    assert (bundled / "report.json").read_bytes() == before


def test_without_models_sha256_none_is_made(bundled):
    (bundled / "models.sha256").unlink()
    answer("quantize", "float64.npz", "--out", "small.npz", cwd=bundled)
    assert not (bundled / "models.sha256").exists()


def test_models_that_are_quantized_at_the_same_time_are_all_added(own):
    processes = [
        subprocess.Popen(
            command("quantize", "models/float64.npz", "--data", "homes.csv", "--bits", str(bits))
            + ["--out", f"models/q{bits}.npz"],
            cwd=own,
            env=environment(),
            stdout=subprocess.DEVNULL,
        )
        for bits in (3, 4, 5, 6)
    ]
    assert [process.wait(60) for process in processes] == [0] * 4
    stages = strict((own / "models" / "report.json").read_text())["stages"]
    assert {f"q{bits}" for bits in (3, 4, 5, 6)} <= set(stages)
    assert {f"q{bits}.npz" for bits in (3, 4, 5, 6)} <= set(verified(own / "models"))


def test_quantize_prints_words(bundled):
    lines = answer("quantize", "float64.npz", "--out", "small.npz", cwd=bundled).splitlines()
    assert lines[:5] == [
        "file: small.npz",
        "scheme: per-channel",
        "bits: 8",
        "rounding: nearest",
        "bad rows skipped: 0",
    ]
    assert not any("_" in line or "None" in line for line in lines)


@pytest.mark.parametrize(("rounding", "expected"), [("nearest", []), ("optimal", ["yes"])])
def test_only_optimal_rounding_is_proven(rounding, expected, bundled):
    text = answer("quantize", "float64.npz", "--rounding", rounding, "--out", "small.npz", cwd=bundled)
    assert [line.split(": ")[1] for line in text.splitlines() if line.startswith("proven")] == expected
