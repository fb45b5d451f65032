"""The commands as their users run them: what they print, write and answer with."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from cases import every
from running import answer, assert_refused, command, environment, run, run_process, strict

import housing_np
from housing_np import LinearRegression, QuantizedLinear, load, load_california, save
from housing_np.__main__ import COMMANDS
from housing_np.quantized.schemes import SCHEMES

FILES = ["float64.npz", "uint8-integer.npz", "uint8-per-channel.npz", "uint8-per-tensor.npz", "float32.npz"]
SUMS = "models.sha256"
REPORT = "report.json"
posix = pytest.mark.skipif(os.name != "posix", reason="as POSIX systems do it")


def numbers(text):
    return [float(line) for line in text.splitlines()[1:]]


HEADER = "MedInc,HouseAge,AveRooms,AveBedrms,Population,AveOccup,Latitude,Longitude"
ROW = "8.3252,41,6.984126984126984,1.0238095238095237,322,2.5555555555555554,37.88,-122.23"
OBJECT = json.dumps(dict(zip(HEADER.split(","), map(float, ROW.split(",")), strict=True)))


# train


def test_train_prints_the_figures_of_the_original(trained):
    _, done = trained
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "20,640 rows, 8 features, target MedHouseVal"
    float_line = next(line.split() for line in lines if "float64.npz" in line)
    assert float_line[1:5] == ["0.6062", "0.5243", "0", "0"]
    assert lines[-9:-7] == ["leave-one-out R² 0.6033, MSE 0.5282", "held-out fifth R² 0.5758, MSE 0.5559"]
    assert [line.split()[2] for line in lines[-5:]] == ["4.132", "3.977", "3.677", "3.242", "2.414"]


def test_train_saves_its_models_their_sums_and_a_report(trained):
    folder, done = trained
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FILES, REPORT, SUMS])
    for path in folder.glob("*.npz"):
        line = next(line for line in done.stdout.splitlines() if path.name in line)
        assert line.split()[-2:] == [str(path.stat().st_size), "B"]


def test_the_uint8_models_are_small_and_good(trained):
    folder, done = trained
    size = {path.stem: path.stat().st_size for path in folder.glob("*.npz")}
    assert size["uint8-per-tensor"] <= 400
    assert size["uint8-per-tensor"] < size["float64"] < 697
    r2 = {Path(line.split()[0]).stem: float(line.split()[1]) for line in done.stdout.splitlines() if ".npz" in line}
    assert r2["uint8-per-tensor"] >= 0.6060
    assert r2["uint8-per-channel"] >= 0.6062


def test_train_prints_the_same_figures_as_json(trained, tmp_path):
    report = strict(answer("train", "--json", cwd=tmp_path))
    assert (report["rows"], report["target"], report["features"]) == (20_640, "MedHouseVal", HEADER.split(","))
    lines = {line.split()[0]: line.split() for line in trained[1].stdout.splitlines() if ".npz" in line}
    assert [stage["file"] for stage in report["stages"]] == [str(Path("models", name)) for name in lines]
    for stage in report["stages"]:
        shown = lines[Path(stage["file"]).name]
        assert shown[1] == f"{stage['r2']:.4f}"
        for cell, name, digits in zip(
            shown[2:5], ["mse", "largest_deviation", "rms_deviation"], (4, 3, 3), strict=True
        ):
            assert float(cell) == float(f"{stage[name]:.{digits}g}")
        assert shown[5::2] == [str(stage["payload_bytes"]), str(stage["file_bytes"])]
    assert report["held_out"] == pytest.approx({"r2": 0.5758, "mse": 0.5559, "mae": 0.5332}, abs=5e-5)
    assert [round(row["float64"], 2) for row in report["samples"]] == [4.13, 3.98, 3.68, 3.24, 2.41]
    assert [row["actual"] for row in report["samples"]] == [4.526, 3.585, 3.521, 3.413, 3.422]


def test_rows_in_several_files_of_which_the_first_has_one_are_shown_as_in_one(tmp_path):
    lines = [f"{i},{i * i},{3 * i + i % 3}\n" for i in range(1, 30)]
    (tmp_path / "whole.csv").write_text("a,b,price\n" + "".join(lines))
    for name, part in (("part-1", lines[:1]), ("part-2", lines[1:3]), ("part-3", lines[3:])):
        (tmp_path / f"{name}.csv").write_text("a,b,price\n" + "".join(part))
    whole, parts = (
        answer("train", "--data", data, "--target", "price", cwd=tmp_path) for data in ("whole.csv", "part-*.csv")
    )
    table = whole.splitlines()[-6:]
    assert table == parts.splitlines()[-6:]
    assert table[0].split()[:3] == ["row", "actual", "float64"]
    assert [line.split()[:2] for line in table[1:]] == [["1", "4"], ["2", "8"], ["3", "9"], ["4", "13"], ["5", "17"]]


def test_training_again_gives_equal_files(models, tmp_path):
    answer("train", "--out", "again", cwd=tmp_path)
    assert [(tmp_path / "again" / name).read_bytes() for name in FILES] == [(models / n).read_bytes() for n in FILES]


@pytest.mark.parametrize("source", ["file", "stdin"])
def test_train_on_a_users_table(source, tmp_path):
    random = np.random.default_rng(0)
    X = random.normal(size=(100, 2))
    y = 3 * X[:, 0] - 2 * X[:, 1] + 1
    content = "b,price,a\n" + "".join(f"{b!r},{p!r},{a!r}\n" for (a, b), p in zip(X.tolist(), y.tolist(), strict=True))
    (tmp_path / "homes.csv").write_text(content)
    data = {"file": "homes.csv", "stdin": "-"}[source]
    report = strict(answer("train", "--data", data, "--target", "price", "--json", cwd=tmp_path, input=content))
    assert (report["rows"], report["features"], report["target"]) == (100, ["b", "a"], "price")
    model = housing_np.load(tmp_path / "models" / "float64.npz")
    np.testing.assert_allclose(model.coef_, [-2.0, 3.0], rtol=1e-12)
    assert model.intercept_ == pytest.approx(1.0)


def test_one_feature_is_not_called_features(tmp_path):
    content = "a,price\n" + "".join(f"{i},{i * i}\n" for i in range(9))
    text = answer("train", "--data", "-", "--target", "price", cwd=tmp_path, input=content)
    assert text.splitlines()[0] == "9 rows, 1 feature, target price"


def test_train_on_fewer_rows_than_unknowns_is_refused(tmp_path):
    done = run("train", "--data", "-", "--target", "price", cwd=tmp_path, input="a,price\n1,2\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert "1 row cannot determine 2 unknowns" in done.stderr


@pytest.mark.parametrize("rows", [2, 3, 5])
def test_train_on_few_rows_says_only_what_is_so(rows, tmp_path):
    content = "a,price\n" + "".join(f"{i},{i * i}\n" for i in range(1, rows + 1))
    done = run("train", "--data", "-", "--target", "price", "--json", cwd=tmp_path, input=content)
    assert done.returncode == 0
    strict(done.stdout)
    assert all(line.startswith("note: ") for line in done.stderr.splitlines()), done.stderr


@pytest.mark.parametrize(("limit", "value"), [("--max-r2-drop", "1e-05"), ("--max-deviation", "0.3")])
def test_a_train_gate_that_fails_writes_nothing(limit, value, tmp_path):
    done = run("train", limit, value, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("uint8-per-tensor: ")
    assert f"over the limit {value}" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_train_gate_that_fails_says_for_each_model_which_limit_and_why(tmp_path):
    done = run("train", "--max-deviation", "0.1", "--max-r2-drop", "0.0001", "--json", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    guilty, end = "most of the error is in the weight of", "nothing is written"
    assert done.stderr.splitlines() == [
        f"uint8-per-tensor: R² drops by 0.000174, over the limit 0.0001; {guilty} HouseAge; {end}",
        f"uint8-per-tensor: the largest deviation is 0.555, over the limit 0.1; {guilty} HouseAge; {end}",
        f"uint8-per-channel: the largest deviation is 0.135, over the limit 0.1; {guilty} AveBedrms; {end}",
        f"uint8-integer: the largest deviation is 0.123, over the limit 0.1; {guilty} Latitude; {end}",
    ]


def test_a_train_gate_that_holds_changes_nothing(tmp_path):
    answer("train", "--max-r2-drop", "0.001", "--max-deviation", "1", cwd=tmp_path)
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == sorted([*FILES, REPORT, SUMS])


@every(
    ("arguments", "texts"),
    [
        (["--data", "homes.csv"], ["--data needs --target NAME;"]),
        (["--target", "price"], ["--target needs --data FILE;"]),
        (["--data", "homes.csv", "--target", "cost"], ["homes.csv", "no column 'cost'", "a, price"]),
        (["--data", "none.csv", "--target", "price"], ["none.csv", "cannot be read"]),
        (["--data", "constant.csv", "--target", "price"], ["constant.csv", "'price'", "nothing to predict"]),
        (["--data", "text.csv", "--target", "price"], ["text.csv: row 2 (line 3), column 'a': 'many'"]),
        (["--data", "-", "--target", "price"], ["standard input: no names"]),
        (["--max-deviation", "much"], ["invalid float value: 'much'"]),
        (["--bogus"], ["--bogus"]),
    ],
)
def test_train_refuses_a_users_mistake_in_one_line(arguments, texts, tmp_path):
    (tmp_path / "homes.csv").write_text("a,price\n1,2\n2,3\n4,4\n")
    (tmp_path / "constant.csv").write_text("a,price\n1,2\n2,2\n")
    (tmp_path / "text.csv").write_text("a,price\n1,2\nmany,2\n")
    assert_refused(run("train", *arguments, cwd=tmp_path), 2, *texts)
    assert not (tmp_path / "models").exists()


def test_a_warning_is_one_note(tmp_path):
    (tmp_path / "homes.csv").write_text("a,b,price\n" + "".join(f"{i},7,{i * i}\n" for i in range(20)))
    done = run("train", "--data", "homes.csv", "--target", "price", "--features", "a,b", cwd=tmp_path)
    assert done.returncode == 0
    assert [line[:40] for line in done.stderr.splitlines()] == ["note: the features have rank 1, fewer th"]
    assert "drop 'b', which never varies" in done.stderr


def homes(path, *columns):
    names = ",".join([*"abcdefgh"[: len(columns) - 1], "price"])
    np.savetxt(path, np.column_stack(columns), "%.17g", ",", header=names, comments="")
    return "--data", path, "--target", "price"


def test_a_scheme_that_does_not_fit_leaves_no_model_of_an_earlier_run(models, tmp_path):
    shutil.copytree(models, tmp_path / "models")
    x = np.arange(20.0)
    done = run("train", *homes(tmp_path / "wide.csv", x * 1e41, x**2), cwd=tmp_path)
    assert done.returncode == 0
    assert "no uint8 model of the scheme integer" in done.stderr
    assert {path.name for path in (tmp_path / "models").glob("*.npz")} == {*FILES} - {"uint8-integer.npz"}


@pytest.fixture
def wide(tmp_path):
    """Two features whose weights, 1 and 1e-4, are of like effect: one scale for both rounds one of them to 0."""
    a, b = np.random.default_rng(0).normal(size=(2, 200))
    return homes(tmp_path / "wide.csv", a, 1e5 * b + 1e6, a + 1e-4 * (1e5 * b))


def test_a_scheme_that_is_worse_than_the_mean_is_a_note_that_names_a_better_one(wide, tmp_path):
    done = run("train", *wide, cwd=tmp_path)
    assert done.returncode == 0
    (told,) = done.stderr.splitlines()
    assert re.fullmatch(
        r"note: uint8-per-tensor: R² is -\d.*, worse than the mean of the target; the float model has 1; "
        r"take uint8-(integer|per-channel), which has (1|0\.99\d*)",
        told,
    )


def test_quantize_names_the_option_that_does_better(wide, tmp_path):
    run("train", *wide, cwd=tmp_path)
    arguments = ["--scheme", "per-tensor", "--out", "q.npz", *wide[:2]]
    done = run("quantize", "models/float64.npz", *arguments, cwd=tmp_path)
    assert done.returncode == 0
    (told,) = done.stderr.splitlines()
    assert told.startswith("note: per-tensor: R² is -")
    assert re.search(r"; take --scheme (integer|per-channel), which has", told)


@pytest.mark.parametrize("limit", ["--max-r2-drop", "--max-deviation"])
def test_a_gate_without_a_uint8_model_to_judge_is_broken(limit, tmp_path):
    x = np.arange(20.0)
    done = run("train", *homes(tmp_path / "tiny.csv", x * 1e-100, x**2), limit, "1", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"no uint8 model to hold to {limit}: rescale the features and the target, or set no limit"
    )
    assert not (tmp_path / "models").exists()


def test_no_uint8_model_without_a_gate_is_no_failure(tmp_path):
    x = np.arange(20.0)
    assert run("train", *homes(tmp_path / "tiny.csv", x * 1e-100, x**2), cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("scale", [1e-300, 1e160])
def test_a_target_whose_squares_do_not_fit_is_refused(scale, tmp_path):
    x = np.arange(20.0)
    done = run("train", *homes(tmp_path / "homes.csv", x, x**2 * scale), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "error: 'price' is too large or too small to square in float64: rescale it"
    assert not (tmp_path / "models").exists()


def test_a_constant_target_in_more_rows_than_memory_takes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("housing_np.rows.table._MEMORY_NUMBERS", 1000)
    rows = np.random.default_rng(0).normal(size=(40_000, 4))
    rows[:, -1] = 5
    np.save(tmp_path / "big.npy", rows)
    done = run("train", "--data", "big.npy", "--target", "x3", cwd=tmp_path)
    assert_refused(done, 2, "the target 'x3' is the same in all 40000 rows")
    assert not (tmp_path / "models").exists()


def test_a_feature_of_huge_numbers_is_fitted(tmp_path):
    x = np.arange(20.0)
    done = run("train", *homes(tmp_path / "homes.csv", x * 1e300, x + 1), "--json", cwd=tmp_path)
    assert done.returncode == 0
    assert strict(done.stdout)["stages"][0]["r2"] == pytest.approx(1)


# quantize


@pytest.mark.parametrize("scheme", SCHEMES)
def test_quantize_makes_the_model_that_train_made(scheme, models, tmp_path):
    out = tmp_path / "new folder" / "q.npz"
    report = strict(
        answer("quantize", models / "float64.npz", "--scheme", scheme, "--out", out, "--json", cwd=tmp_path)
    )
    stage, bits = ("float32", 32) if scheme == "float32" else (f"uint8-{scheme}", 8)
    assert out.read_bytes() == (models / f"{stage}.npz").read_bytes()
    assert (report["scheme"], report["bits"], report["file_bytes"]) == (scheme, bits, out.stat().st_size)
    assert round(report["r2_float"], 4) == 0.6062


@pytest.mark.parametrize(("limit", "value"), [("--max-r2-drop", "0.0001"), ("--max-deviation", "0.01")])
def test_a_quantize_gate_that_fails_leaves_the_old_file(limit, value, models, tmp_path):
    (tmp_path / "q.npz").write_text("old")
    done = run("quantize", models / "float64.npz", "--out", "q.npz", "--bits", "4", limit, value, cwd=tmp_path)
    assert_refused(done, 1, "per-channel: ", f"over the limit {value}")
    assert done.stdout == ""
    assert (tmp_path / "q.npz").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_quantize_on_a_users_rows(tmp_path):
    (tmp_path / "homes.csv").write_text("price,a\n1,1\n2,2\n4,3\n")
    answer("train", "--data", "homes.csv", "--target", "price", cwd=tmp_path)
    text = answer("quantize", "models/float64.npz", "--data", "homes.csv", "--out", "q.npz", cwd=tmp_path)
    assert "scheme: per-channel" in text
    assert (tmp_path / "q.npz").exists()


@every(
    ("model", "arguments", "status", "texts"),
    [
        ("uint8-integer.npz", ["--out", "q.npz"], 2, ["uint8-integer.npz", "quantized already"]),
        ("float64.npz", [], 2, ["--out"]),
        ("float64.npz", ["--out", "q.npz", "--bits", "9"], 2, ["--bits"]),
        ("float64.npz", ["--out", "q.npz", "--scheme", "best"], 2, ["best", "per-channel"]),
        ("float64.npz", ["--out", "q.npz", "--data", "none.csv"], 2, ["none.csv"]),
        ("none.npz", ["--out", "q.npz"], 3, ["none.npz", "cannot be read", "make it with python -m housing_np.train"]),
        *(
            (
                "float64.npz",
                ["--out", "q.npz", "--percentile", "90", "--scheme", scheme],
                2,
                [f"--percentile is for --scheme integer, not {scheme}"],
            )
            for scheme in ("per-channel", "per-tensor")
        ),
        *(
            ("float64.npz", ["--out", "q.npz", "--scheme", "float32", *given], 2, ["--bits and --rounding are for"])
            for given in (["--bits", "4"], ["--rounding", "optimal"])
        ),
        ("float64.npz", ["--out", "q.npz", "--smallest"], 2, ["--smallest needs a limit: --max-deviation D"]),
    ],
)
def test_quantize_refuses_a_users_mistake_in_one_line(model, arguments, status, texts, models, tmp_path):
    assert_refused(run("quantize", models / model, *arguments, cwd=tmp_path), status, *texts)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("limit", "value"), [("--max-deviation", "0.4"), ("--max-r2-drop", "0.002")])
def test_the_smallest_model_is_that_of_the_fewest_bytes_that_holds(limit, value, models, tmp_path):
    arguments = ["quantize", models / "float64.npz", "--smallest", limit, value, "--scheme", "per-channel"]
    report = strict(answer(*arguments, "--out", "q.npz", "--json", "--quiet", cwd=tmp_path))
    table, model = load_california(), load(models / "float64.npz")
    expected, exact, r2 = [], model.predict(table.X), model.score(table.X, table.y)
    for bits in range(2, 9):
        for rounding in ("nearest", "optimal"):
            each = QuantizedLinear.from_linear(model, table.X, "per-channel", bits, rounding)
            deviation, drop = np.abs(each.predict(table.X) - exact).max(), r2 - each.score(table.X, table.y)
            if (deviation if limit == "--max-deviation" else drop) <= float(value):
                expected.append((each.payload_bytes, deviation, bits, rounding))
    tried = [(each["payload_bytes"], each["largest_deviation"]) for each in report["tried"]]
    assert len(tried) == 14 and tried == sorted(tried)
    assert sum(each["holds"] for each in report["tried"]) == len(expected)
    assert (report["bits"], report["rounding"]) == min(expected)[2:]
    assert load(tmp_path / "q.npz").affine.bits == report["bits"]


def test_a_smaller_file_than_that_of_the_fewest_numbers_is_named(models, tmp_path):
    done = run(
        *("quantize", models / "float64.npz", "--smallest", "--max-deviation", "0.6", "--out", "q.npz"), cwd=tmp_path
    )
    size = (models / "float32.npz").stat().st_size
    assert done.stderr.endswith(f"; the smallest file is that of float32, {size} bytes\n")
    assert (tmp_path / "q.npz").stat().st_size > size


def test_all_schemes_bits_and_roundings_are_tried_and_shown(models, tmp_path):
    text = answer(
        *("quantize", models / "float64.npz", "--smallest", "--max-deviation", "0.1", "--out", "q.npz"), cwd=tmp_path
    )
    table, facts = text.split("\n\n")
    # Three schemes, seven numbers of bits and two roundings; and float32, which here takes less than all that hold.
    assert len(table.splitlines()) == 2 + 3 * 7 * 2 + 1
    assert max(map(len, table.splitlines())) <= 80
    assert "scheme: float32\nbits: 32\n" in facts and "rounding" not in facts
    assert load(tmp_path / "q.npz").scheme == "float32"


@pytest.mark.parametrize("form", [["--json"], []])
def test_where_nothing_holds_the_table_and_the_nearest_are_shown(form, models, tmp_path):
    arguments = ["--smallest", "--max-deviation", "1e-9", "--max-r2-drop", "1", "--out", "q.npz"]
    done = run("quantize", models / "float64.npz", *arguments, *form, cwd=tmp_path)
    assert_refused(done, 1, "nothing holds; the nearest is float32: the largest deviation is ", "nothing is written")
    assert list(tmp_path.iterdir()) == []
    if form:
        report = strict(done.stdout)
        assert report["file"] is None and len(report["tried"]) == 43
        assert not any(each["holds"] for each in report["tried"])
    else:
        assert done.stdout.count(" no\n") == 43


def test_a_scheme_that_cannot_hold_a_model_is_left_out(tmp_path):
    x = np.arange(20.0)
    data = homes(tmp_path / "wide.csv", x * 1e41, x**2)
    run("train", *data, cwd=tmp_path)
    arguments = ["--smallest", "--max-deviation", "1e9", "--out", "q.npz", "--json", *data[:2]]
    done = run("quantize", "models/float64.npz", *arguments, cwd=tmp_path)
    assert "no model of the scheme integer: the range of a feature" in done.stderr
    assert {each["scheme"] for each in strict(done.stdout)["tried"]} == {"per-tensor", "per-channel", "float32"}


def test_a_limit_on_r2_that_nothing_could_break_is_refused(models, tmp_path):
    (tmp_path / "row.csv").write_text(f"{HEADER},MedHouseVal\n{ROW},4.5\n")
    arguments = ["--data", "row.csv", "--out", "q.npz", "--max-r2-drop", "0.001"]
    done = run("quantize", models / "float64.npz", *arguments, cwd=tmp_path)
    assert_refused(
        done, 2, "--max-r2-drop: 'MedHouseVal' is 4.5 in all of 1 row: R² cannot drop there", "--max-deviation"
    )
    assert not (tmp_path / "q.npz").exists()


def test_a_scheme_of_which_some_bits_cannot_hold_a_model_is_not_said_to_have_none(tmp_path):
    x = np.arange(20.0)
    data = homes(tmp_path / "steep.csv", x * 1e-39, x**2)
    run("train", *data, cwd=tmp_path)
    arguments = ["--smallest", "--max-deviation", "1e9", "--out", "q.npz", "--json", *data[:2], "--rounding", "nearest"]
    done = run("quantize", "models/float64.npz", *arguments, cwd=tmp_path)
    # The weight of 1.9e40, over 2**bits - 1 steps, has to have a scale below float32's 3.4e38.
    held = [each["bits"] for each in strict(done.stdout)["tried"] if each["scheme"] == "per-tensor"]
    assert held and 2 not in held
    assert "no model for per-tensor 2 bits nearest" in done.stderr and "of the scheme per-tensor" not in done.stderr


def test_quantize_takes_the_range_of_the_inputs_by_percentile(models, tmp_path):
    answer(
        *("quantize", models / "float64.npz", "--scheme", "integer", "--percentile", "99", "--out", "q.npz"),
        cwd=tmp_path,
    )
    X = load_california().X
    np.testing.assert_array_equal(load(tmp_path / "q.npz").input_offset, np.percentile(X, 1, axis=0))


# predict


def test_predict_without_input_shows_the_sample_predictions(models):
    lines = [line.split() for line in answer("predict", "models/float64.npz", cwd=models.parent).splitlines()]
    assert lines[0] == ["row", "MedHouseVal", "actual"]
    assert [round(float(line[1]), 2) for line in lines[1:]] == [4.13, 3.98, 3.68, 3.24, 2.41]
    assert [line[2] for line in lines[1:]] == ["4.5260", "3.5850", "3.5210", "3.4130", "3.4220"]


def test_the_default_model_is_the_one_in_the_folder_or_the_environment(models, tmp_path):
    expected = answer("predict", models / "uint8-per-channel.npz", cwd=tmp_path)
    assert answer("predict", cwd=models.parent) == expected
    assert answer("predict", cwd=tmp_path, env={"HOUSING_NP_MODEL": str(models / FILES[2])}) == expected


@pytest.mark.parametrize("model", FILES)
def test_every_format_gives_the_same_bits(model, models, rows):
    path = models / model
    done = housing_np.load(path).predict(load_california().X[::100][:200]).tolist()
    for name in ("rows.csv", "rows.npy", "plain.npy"):
        assert numbers(answer("predict", path, name, cwd=rows)) == done
    for name in ("rows.json", "split.json"):
        assert strict(answer("predict", path, name, cwd=rows)) == {"predictions": done}
    lines = answer("predict", path, "rows.jsonl", cwd=rows).splitlines()
    assert [json.loads(line) for line in lines] == [{"MedHouseVal": number} for number in done]


@pytest.mark.parametrize("format", ["csv", "json", "jsonl"])
def test_standard_input_gives_what_a_file_gives(format, models, rows):
    name = f"rows.{format}"
    expected = answer("predict", models / "float64.npz", name, cwd=rows)
    got = answer("predict", models / "float64.npz", "-", "--format", format, cwd=rows, input=(rows / name).read_bytes())
    assert got == expected


def test_json_is_the_format_json(models, rows):
    arguments = ["predict", models / "float64.npz", "rows.csv"]
    assert answer(*arguments, "--json", cwd=rows) == answer(*arguments, "--format", "json", cwd=rows)


def test_extra_columns_are_one_note_on_stderr(models, tmp_path):
    done = run(
        "predict", models / "float64.npz", "-", cwd=tmp_path, input=f"id,{HEADER},größe\nA1,{ROW},z\nA2,{ROW},z\n"
    )
    assert done.stderr == "note: ignored columns: id, größe\n"
    assert done.stdout.splitlines()[0] == "MedHouseVal"
    assert [round(number, 2) for number in numbers(done.stdout)] == [4.13, 4.13]


def test_rows_without_a_column_of_the_model_are_refused_by_its_name(models, tmp_path):
    done = run("predict", models / "float64.npz", "-", cwd=tmp_path, input="MedInc,HouseAge\n1,2\n")
    assert_refused(done, 2, "standard input: no column 'AveRooms'", "the columns are: MedInc, HouseAge")
    assert done.stdout == ""


def test_json_lines_that_are_taken_for_csv_are_told_so(models, rows, tmp_path):
    done = run("predict", models / "float64.npz", "-", input=(rows / "rows.jsonl").read_text(), cwd=tmp_path)
    assert_refused(done, 2, "expected CSV, found JSON; say --format jsonl, or end its name in .jsonl")


@pytest.mark.parametrize("arguments", [["float64.npz", "-", "--range", "-"], ["/dev/stdin", "-"], ["/dev/fd/0", "-"]])
def test_standard_input_cannot_be_two_things_at_once(arguments, models):
    done = run("predict", *arguments, input=f"{HEADER}\n{ROW}\n", cwd=models)
    assert_refused(done, 2, "of MODEL, INPUT and --range only one can be standard input")


@posix
@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_stream_that_the_caller_closed_is_no_traceback(closed, models, tmp_path):
    code = f"import os, sys; os.close({closed}); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    arguments = ["-m", "housing_np.predict", models / "float64.npz", "-"]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        input=f"{HEADER}\n{ROW}\n".encode() if closed else None,
        check=False,
        timeout=60,
    )
    assert b"Traceback" not in done.stderr
    assert done.returncode == (0 if closed else 2)


def test_a_model_after_the_rows_is_told_to_go_first(models, rows):
    done = run("predict", "rows.csv", models / "float64.npz", cwd=rows)
    said = f"error: {models / 'float64.npz'} is a model; give it first: predict MODEL.npz INPUT\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


def test_answers_into_a_folder_that_is_missing_say_to_make_it(models, rows):
    done = run("predict", models / "float64.npz", "rows.csv", "-o", "nodir/a.csv", cwd=rows)
    assert_refused(done, 2, "nodir/a.csv: cannot be written (No such file or directory); make the folder nodir first")


def test_a_folder_of_models_as_a_range_is_told_to_be_its_report(models, rows):
    done = run("predict", models / "float64.npz", "rows.csv", "--range", models, cwd=rows)
    assert_refused(done, 2, f"{models}: cannot be read (a folder); give the report in it: {models / REPORT}")


@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x03\x04"])
def test_a_bad_model_is_refused(content, rows, tmp_path):
    (tmp_path / "bad.npz").write_bytes(content)
    done = run("predict", "bad.npz", rows / "rows.csv", cwd=tmp_path)
    assert_refused(done, 3, "bad.npz: ")
    assert done.stdout == ""


@every(
    ("arguments", "status", "texts"),
    [
        (["--bogus"], 2, ["--bogus", "see --help"]),
        (["--form", "csv"], 2, ["--form"]),
        (["a.npz", "b.csv", "c.csv"], 2, ["b.csv: cannot be read"]),
        (["--format", "xml"], 2, ["xml"]),
        (["--on-error", "ask"], 2, ["ask"]),
        (["FLOAT", "none.csv"], 2, ["none.csv: cannot be read"]),
        (["FLOAT", "."], 2, [".: cannot be read"]),
        (["FLOAT", "--bounds"], 2, ["float64.npz is a float model"]),
        (["FLOAT", "--output", "none/out.csv"], 2, ["none/out.csv: cannot be written"]),
        (["none.npz"], 3, ["none.npz: cannot be read"]),
        ([], 3, ["uint8-per-channel.npz", "housing_np.train"]),
        (["none.csv"], 2, ["none.csv: cannot be read (No such file or directory)"]),
        (["none.npz", "none.csv"], 2, ["none.csv: cannot be read"]),
        (["none.npz", "-", "--range", "none.csv"], 2, ["none.csv: cannot be read"]),
    ],
)
def test_predict_refuses_a_users_mistake_in_one_line(arguments, status, texts, models, tmp_path):
    arguments = [str(models / "float64.npz") if argument == "FLOAT" else argument for argument in arguments]
    done = run("predict", *arguments, cwd=tmp_path)
    assert_refused(done, status, *texts)
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("format", "rows", "message", "answers"),
    [
        ("csv", [HEADER, ROW, ROW, ROW.replace("41", "old"), ROW], "row 3 (line 4), column 'HouseAge': 'old'", 3),
        ("jsonl", [OBJECT, OBJECT, OBJECT.replace("41.0", '"old"'), OBJECT], "line 3, column 'HouseAge': \"old\"", 2),
    ],
)
def test_what_was_answered_before_a_bad_row_is_whole(format, rows, message, answers, models, tmp_path):
    content = "\n".join(rows) + "\n"
    done = run("predict", models / "float64.npz", "-", "--format", format, cwd=tmp_path, input=content)
    assert_refused(done, 2, f"standard input: {message} is not a number")
    assert len(done.stdout.splitlines()) == answers
    assert done.stdout.endswith("\n")


def test_bad_rows_that_are_skipped_are_counted(models, tmp_path):
    content = f"{HEADER}\n{ROW}\n{ROW.replace('41', 'old')}\n1,2\n{ROW}\n"
    done = run("predict", models / "float64.npz", "-", "--on-error", "skip", cwd=tmp_path, input=content)
    assert done.returncode == 0
    assert [round(number, 2) for number in numbers(done.stdout)] == [4.13, 4.13]
    assert done.stderr == (
        "note: bad rows skipped: 2; the first: standard input: row 2 (line 3), column 'HouseAge': 'old' is not a "
        "number; correct it; by column: HouseAge 1\n"
    )


BAD_LINES = {
    "csv": {
        "a quote that is not closed": f'"{ROW}',
        "text after a quote": ROW.replace("41", '"41"x'),
        "a cell too few": "1,2",
        "text": ROW.replace("41", "old"),
        "overflow": ROW.replace("41", "1e999"),
        "not UTF-8": f"\udcff{ROW}",
        "too long": ROW.replace("41", "4" * 2_000_000),
    },
    "jsonl": {
        "not JSON": "{",
        "too deep": "[" * 100_000,
        "no object": "7",
        "text": OBJECT.replace("41.0", '"old"'),
        "overflow": OBJECT.replace("41.0", "1" + "0" * 400),
        "not UTF-8": OBJECT.replace("{", '{"\udcff": 1, '),
        "too long": OBJECT.replace("41.0", "4" * 2_000_000),
    },
}
EVERY = {f"{format}, {kind}": (format, bad) for format in BAD_LINES for kind, bad in BAD_LINES[format].items()}


def stream_of(format, *lines):
    head, row = {"csv": ([HEADER], ROW), "jsonl": ([], OBJECT)}[format]
    return "\n".join([*head, *(row if line is None else line for line in lines), ""]).encode("utf-8", "surrogateescape")


@every(("format", "bad"), EVERY.values(), ids=EVERY)
def test_no_bad_row_ends_a_run_that_skips(format, bad, models, tmp_path):
    arguments = ["predict", models / "float64.npz", "-", "--format", format, "--on-error", "skip"]
    good = answer(*arguments, cwd=tmp_path, input=stream_of(format, None, None, None))
    done = run(*arguments, cwd=tmp_path, input=stream_of(format, bad, None, bad, bad, None, None, bad))
    assert (done.returncode, done.stdout) == (0, good)
    assert done.stderr.startswith("note: bad rows skipped: 4; the first: standard input: ")


@every(("format", "bad"), EVERY.values(), ids=EVERY)
def test_every_bad_row_ends_a_run_that_stops_after_what_was_answered(format, bad, models, tmp_path):
    arguments = ["predict", models / "float64.npz", "-", "--format", format]
    good = answer(*arguments, cwd=tmp_path, input=stream_of(format, None, None))
    done = run(*arguments, cwd=tmp_path, input=stream_of(format, None, None, bad, None))
    assert_refused(done, 2, "standard input: ", "line 4" if format == "csv" else "line 3")
    assert done.stdout == good


def test_skipped_npy_rows_leave_no_blank_line(models, tmp_path):
    np.save(tmp_path / "rows.npy", np.full((3, 8), np.nan))
    done = run("predict", models / "float64.npz", "rows.npy", "--on-error", "skip", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "MedHouseVal\n")
    assert "bad rows skipped: 3;" in done.stderr


@pytest.mark.parametrize("old", [None, "old"])
def test_an_output_of_a_run_that_fails_is_not_written(old, models, tmp_path):
    if old:
        (tmp_path / "out.csv").write_text(old)
    content = f"{HEADER}\n" + f"{ROW}\n" * 30_000 + f"{ROW.replace('41', 'old')}\n"
    done = run("predict", models / "float64.npz", "-", "--output", "out.csv", cwd=tmp_path, input=content)
    assert_refused(done, 2, "row 30001 (line 30002)")
    assert done.stdout == ""
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == ({"out.csv": old} if old else {})


def test_an_output_holds_what_stdout_would(models, rows, tmp_path):
    (tmp_path / "out.csv").write_text("old")
    arguments = ["predict", models / "float64.npz", rows / "rows.csv"]
    assert answer(*arguments, "--output", "out.csv", cwd=tmp_path) == ""
    assert (tmp_path / "out.csv").read_bytes() == answer(*arguments, cwd=tmp_path).encode()
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("model", FILES[1:])
def test_the_float_prediction_is_within_the_bounds(model, models, rows):
    lines = answer("predict", models / model, "rows.csv", "--bounds", cwd=rows).splitlines()
    assert lines[0] == "MedHouseVal,MedHouseVal_bound"
    exact = numbers(answer("predict", models / "float64.npz", "rows.csv", cwd=rows))
    pairs = [tuple(map(float, line.split(","))) for line in lines[1:]]
    assert all(abs(got - true) <= bound for (got, bound), true in zip(pairs, exact, strict=True))
    document = strict(answer("predict", models / model, "rows.csv", "--bounds", "--json", cwd=rows))
    assert list(zip(document["predictions"], document["bounds"], strict=True)) == pairs


def test_bounds_of_several_targets_as_json(tmp_path):
    X = np.random.default_rng(0).normal(size=(50, 2))
    model = LinearRegression().fit(X, X @ [[1.0, 2.0], [3.0, 4.0]], feature_names=["p", "q"], target_names=["a", "b"])
    save(QuantizedLinear.from_linear(model, X), tmp_path / "two.npz")
    document = strict(answer("predict", "two.npz", "-", "--bounds", "--json", cwd=tmp_path, input="p,q\n1,2\n3,4\n"))
    assert np.shape(document["predictions"]) == np.shape(document["bounds"]) == (2, 2)


def test_rows_that_saturate_the_integer_model_are_counted(models, tmp_path):
    far = ROW.replace("8.3252", "1000")
    done = run("predict", models / FILES[1], "-", cwd=tmp_path, input=f"{HEADER}\n{ROW}\n{far}\n{far}\n")
    assert done.returncode == 0
    assert done.stderr == "note: rows outside the range that the model was trained on: 2 of 3\n"


def test_rows_outside_a_range_that_is_given_are_counted(models, rows, tmp_path):
    far = ROW.replace("8.3252", "1000")
    arguments = ["predict", models / "float64.npz", "-", "--range", rows / "rows.csv"]
    done = run(*arguments, cwd=tmp_path, input=f"{HEADER}\n{ROW}\n{far}\n")
    assert done.stderr == "note: rows outside the range that the model was trained on: 1 of 2\n"


def test_a_feature_whose_mean_has_moved_is_named_with_what_it_does(models, california, tmp_path):
    X = california.table.X[::20].copy()
    X[:, 0] *= 0.4
    np.savetxt(tmp_path / "in.csv", X, delimiter=",", header=HEADER, comments="", fmt="%.17g")
    report = models / "report.json"
    done = run("predict", models / "float64.npz", "in.csv", "--range", report, "-o", "o.csv", cwd=tmp_path)
    assert done.returncode == 0
    *_, told = done.stderr.splitlines()
    # 0.4 of the mean 3.87, and 0.437 for each that is missing.
    assert re.search(
        r"means that shifted more than chance would: MedInc 3\.871 → 1\.5\d+ \(moves predictions by -1\.0\d\)", told
    )


@pytest.mark.parametrize(("limit", "status"), [("0.5", 0), ("0.49", 1)])
def test_too_large_a_share_outside_the_range_is_a_gate(limit, status, models, tmp_path):
    far = ROW.replace("8.3252", "1000")
    arguments = ["predict", models / "float64.npz", "-", "--range", models / "report.json", "--fail-outside", limit]
    rows = f"{HEADER}\n{ROW}\n{far}\n"
    done = run(*arguments, "--output", "o.csv", cwd=tmp_path, input=rows)
    assert done.returncode == status
    assert (tmp_path / "o.csv").exists() == (status == 0)
    said = "50 % of the rows are outside the range, over the limit of 49 %"
    assert (f"{said}; o.csv is not written\n" in done.stderr) == (status == 1)
    done = run(*arguments, cwd=tmp_path, input=rows)
    assert (done.returncode, len(done.stdout.splitlines())) == (status, 3)
    assert (f"{said}\n" in done.stderr) == (status == 1)


@pytest.fixture(scope="module")
def lots(tmp_path_factory):
    """A model of lots and a level, and rows of later days: the same, larger lots, other levels, and few rows."""
    folder, rng = tmp_path_factory.mktemp("lots"), np.random.default_rng(0)
    for name, size, near, rows in (
        ("homes", 4900, 0.5, 300),
        ("same", 4900, 0.5, 300),
        ("larger", 6980, 0.5, 300),
        ("nearer", 4900, 0.8, 300),
        ("few", 6980, 0.8, 29),
    ):
        lots, is_near = rng.normal(size, 1000, rows).round(), rng.random(rows) < near
        prices = 3 * lots + 5000 * is_near + rng.normal(0, 99, rows)
        cells = zip(lots, np.where(is_near, "near", "far"), prices, strict=True)
        lines = [f"{lot:.0f},{level},{price:.0f}\n" for lot, level, price in cells]
        (folder / f"{name}.csv").write_text("lot,sea,price\n" + "".join(lines))
    assert run("train", "--data", "homes.csv", "--target", "price", "--out", ".", cwd=folder).returncode == 0
    return folder


@pytest.mark.parametrize(
    ("rows", "moved", "said"),
    [
        ("same", [], ""),
        (
            "larger",
            ["lot"],
            r"means that shifted more than chance would: lot 4\d+ → 69\d+ \(moves predictions by 6.*\)",
        ),
        ("nearer", ["sea=far", "sea=near"], r"shares of levels .*: sea=near 0\.4\d* → 0\.8\d* .*, sea=far .*"),
        ("few", [], "note: too few rows to tell whether a mean has shifted: it takes 30, here and in --range"),
    ],
)
def test_what_moved_is_a_gate(rows, moved, said, lots):
    arguments = ["predict", "float64.npz", f"{rows}.csv"]  # report.json is beside it
    assert run(*arguments, "--fail-outside", "0.2", cwd=lots).returncode == 0
    done = run(*arguments, "--fail-moved", "--output", "o.csv", cwd=lots)
    end = "; o.csv is not written" if moved else ""
    last = [line for line in done.stderr.splitlines() if "ignored" not in line and "outside" not in line]
    assert (done.returncode, len(last)) == (int(bool(moved)), int(bool(said)))
    assert not said or re.fullmatch(said + end, last[0])
    assert (lots / "o.csv").exists() == (not moved)
    (lots / "o.csv").unlink(missing_ok=True)
    done = run(*arguments, "--fail-moved", "--json", "--quiet", cwd=lots)
    told = json.loads(done.stdout)
    assert (done.returncode, sorted(each["feature"] for each in told["moved"])) == (int(bool(moved)), moved)
    assert len(told["predictions"]) == (29 if rows == "few" else 300)
    assert all(set(each) == {"feature", "was", "mean", "effect"} for each in told["moved"])


def test_no_row_may_be_outside_where_the_share_is_0(lots):
    (lots / "far.csv").write_text("lot,sea\n1e9,far\n")
    done = run("predict", "float64.npz", "far.csv", "--fail-outside", "0", cwd=lots)
    assert (done.returncode, "100 % of the rows are outside the range, over the limit of 0 %" in done.stderr) == (
        1,
        True,
    )


def test_a_gate_needs_a_range_and_a_share(models, tmp_path):
    for name in ("float64.npz", "uint8-integer.npz"):
        shutil.copy(models / name, tmp_path)
    done = run("predict", "uint8-integer.npz", "-", "--fail-moved", cwd=tmp_path, input="")
    assert_refused(done, 2, "--fail-moved needs --range FILE, as no report.json beside the model names it;")
    done = run("predict", "float64.npz", "-", "--fail-outside", "0", cwd=tmp_path, input="")
    assert_refused(done, 2, "--fail-outside needs --range FILE,")
    done = run("predict", "uint8-integer.npz", "--fail-outside", "0.1", cwd=tmp_path)
    assert_refused(done, 2, "--fail-outside needs INPUT;")
    done = run("predict", "float64.npz", "--fail-outside", "0.1", cwd=tmp_path)
    assert_refused(done, 2, "--fail-outside needs INPUT, and --range FILE,")
    for share in ("1.5", "nan", "many"):
        done = run("predict", models / "uint8-integer.npz", "-", "--fail-outside", share, cwd=tmp_path, input="")
        assert_refused(done, 2, "expected a number from 0 to 1")


def test_json_answers_are_json_whatever_the_rows(models, tmp_path):
    huge = ",".join(["1e308"] * 8)
    arguments = ["predict", models / FILES[1], "-", "--bounds", "--json"]
    done = run(*arguments, cwd=tmp_path, input=f"{HEADER}\n{huge}\n{huge}\n")
    assert done.returncode == 0
    assert "Warning" not in done.stderr
    answers = strict(done.stdout)
    # The bound is further than float64 reaches: JSON has no number for it.
    assert answers["bounds"] == [None, None]
    assert len(answers["predictions"]) == 2


# Pipes and signals


def test_a_closed_pipe_is_no_error(models, rows, tmp_path):
    (tmp_path / "many.csv").write_text(f"{HEADER}\n" + f"{ROW}\n" * 50_000)
    process = subprocess.Popen(
        command("predict", str(models / "float64.npz"), "many.csv"),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"MedHouseVal\n"
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == 0


@posix
def test_a_reader_that_leaves_a_named_pipe_is_no_error(models, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "many.csv").write_text(f"{HEADER}\n" + f"{ROW}\n" * 50_000)
    with subprocess.Popen(
        command("predict", str(models / "float64.npz"), "many.csv", "--output", "pipe"),
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
    ) as process:
        with (tmp_path / "pipe").open("rb") as reader:
            assert reader.readline() == b"MedHouseVal\n"
        assert process.stderr.read() == b""
        assert process.wait(60) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["many.csv", "pipe"]


@posix
@pytest.mark.parametrize("arguments", [["train"], ["predict"], ["predict", "--help"]], ids=" ".join)
def test_a_pipe_that_nobody_reads_is_no_error(arguments, models, tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    done = run_process(*arguments, cwd=tmp_path, stdout=writing, env={"HOUSING_NP_MODEL": str(models / FILES[0])})
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("arguments", [["predict"], ["predict", "--output", "/dev/full"]], ids=" ".join)
def test_a_full_disk_is_one_line(arguments, models, tmp_path):
    with Path("/dev/full").open("wb") as full:
        done = run_process(*arguments, cwd=tmp_path, stdout=full, env={"HOUSING_NP_MODEL": str(models / FILES[0])})
    assert_refused(done, 2, "No space left")


@pytest.fixture
def slow(models, tmp_path):
    """A predict that waits for rows, and is ended if a test waits for it in vain."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            command("predict", str(models / "float64.npz"), "-", *arguments),
            cwd=tmp_path,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        timer = threading.Timer(10, process.kill)
        timer.start()
        started.append((process, timer))
        return process

    yield start
    for process, timer in started:
        timer.cancel()
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_a_slow_pipe_is_answered_row_by_row(format, slow):
    process = slow("--format", format)
    if format == "csv":
        process.stdin.write(f"{HEADER}\n".encode())
        line = f"{ROW}\n"
    else:
        line = json.dumps(dict(zip(HEADER.split(","), map(float, ROW.split(",")), strict=True))) + "\n"
    process.stdin.write(line.encode())
    if format == "csv":
        assert process.stdout.readline() == b"MedHouseVal\n"
    first = process.stdout.readline()
    process.stdin.write(line.encode())
    assert process.stdout.readline() == first != b""
    process.stdin.close()
    assert process.wait(30) == 0
    assert process.stderr.read() == b""


@posix
def test_sigterm_stops_it(slow):
    process = slow()
    process.stdin.write(f"{HEADER}\n{ROW}\n".encode())
    assert process.stdout.readline() == b"MedHouseVal\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM
    assert process.stderr.read() == b""


@posix
def test_sigterm_leaves_no_file(slow, tmp_path):
    process = slow("--output", "out.csv")
    process.stdin.write(f"{HEADER}\n{ROW}\n".encode())
    deadline = time.monotonic() + 20
    while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(list(tmp_path.iterdir())) == 1
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


@posix
def test_an_interrupt_says_nothing(slow):
    process = slow()
    process.stdin.write(f"{HEADER}\n{ROW}\n".encode())
    assert process.stdout.readline() == b"MedHouseVal\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 128 + signal.SIGINT
    assert process.stderr.read() == b""


# Around them


def python(*arguments, cwd):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]], ids=["nothing", "--help", "-h"])
def test_the_package_lists_its_commands(arguments, tmp_path):
    done = python("-m", "housing_np", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    listed = lines[lines.index("commands:") : lines.index("example:")]
    assert [line.split()[0] for line in listed if line.startswith("    ") and line[4] != " "] == list(COMMANDS)
    assert {"train", "quantize", "predict"} <= set(COMMANDS)


def test_the_package_tells_its_version(tmp_path):
    assert python("-m", "housing_np", "--version", cwd=tmp_path).stdout == f"{housing_np.__version__}\n"


def test_the_package_refuses_other_commands(tmp_path):
    assert_refused(python("-m", "housing_np", "bake", cwd=tmp_path), 2, "no command 'bake'", *COMMANDS)


def test_the_package_runs_a_command_with_its_arguments(models, tmp_path):
    arguments = [str(models / "float64.npz"), "--json"]
    done = python("-m", "housing_np", "predict", *arguments, cwd=tmp_path)
    assert done.stdout == run_process("predict", *arguments, cwd=tmp_path).stdout


@every("name", COMMANDS)
def test_every_command_helps(name, tmp_path):
    assert answer(name, "--help", cwd=tmp_path).startswith(f"usage: python -m housing_np {name} ")


def test_importing_the_package_imports_nothing_heavy(tmp_path):
    code = "import sys; before = set(sys.modules); import housing_np; print(*set(sys.modules) - before)"
    loaded = python("-c", code, cwd=tmp_path).stdout.split()
    assert "housing_np" in loaded
    assert not {"numpy", "scipy", "argparse", "json", "csv"} & set(loaded)


def test_every_public_name_is_there():
    assert all(getattr(housing_np, name) for name in housing_np.__all__)
    assert set(housing_np.__all__) <= set(dir(housing_np))
    with pytest.raises(AttributeError, match="has no attribute 'bogus'"):
        _ = housing_np.bogus


def test_predict_does_not_import_what_trains(models, rows, tmp_path):
    code = (
        "import sys; from housing_np.predict import main\n"
        f"for model in {[str(models / model) for model in FILES]!r}:\n"
        f"    assert main([model, {str(rows / 'rows.csv')!r}, '--output', 'out.csv']) == 0\n"
        "print(*sys.modules)"
    )
    done = python("-c", code, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    loaded = done.stdout.split()
    assert "housing_np.predict" in loaded
    fitting = ("summary", "factor", "solution", "inference", "display", "adopt", "leave_one_out", "passes")
    others = ("evaluation.first_pass", "distributed", "train", "quantize", "compare", "explain")
    ours = {f"housing_np.{name}" for name in (*(f"fit.{name}" for name in fitting), *others)}
    assert not (ours | {"scipy", "matplotlib", "dask", "pyarrow", "pandas", "sklearn"}) & set(loaded)


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_pyarrow_reads_and_writes_without_pandas(format, models, rows, tmp_path):
    csv, parquet = (pytest.importorskip(f"pyarrow.{name}") for name in ("csv", "parquet"))
    head, lines = (rows / "rows.csv").read_text().split("\n", 1)
    (tmp_path / "rows.csv").write_text(f"{head}\n{lines * (1 + (4 << 20) // len(lines))}")  # from 4 MiB on
    parquet.write_table(csv.read_csv(tmp_path / "rows.csv"), tmp_path / "rows.parquet")
    source = f"rows.{format}"
    code = (
        "import sys; from housing_np import predict\n"
        f"predict.main([{str(models / 'float64.npz')!r}, {source!r}, '--output', 'out.csv'])\n"
        "print(*sys.modules)"
    )
    done = python("-c", code, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "housing_np.rows.arrow_csv" in done.stdout.split()
    assert "pandas" not in done.stdout.split()
    plain = run("predict", models / "float64.npz", "rows.csv", cwd=tmp_path)
    assert (tmp_path / "out.csv").read_text() == plain.stdout


@pytest.mark.matrix("env")
@pytest.mark.parametrize(
    "env",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
    ],
    ids=lambda env: ",".join(map("=".join, env.items())),
)
def test_the_locale_changes_nothing(env, models, tmp_path):
    train = ["train", *homes(tmp_path / "homes.csv", *np.random.default_rng(0).normal(size=(3, 50)))]
    said = run(*train, cwd=tmp_path).stdout
    assert "R²" in said
    assert run_process(*train, cwd=tmp_path, env=env).stdout == said
    model, rows = models / "float64.npz", f"größe,{HEADER}\n1,{ROW}\n"
    done = run_process("predict", model, "-", cwd=tmp_path, env=env, input=rows)
    assert (done.returncode, done.stderr) == (0, "note: ignored columns: größe\n")


def test_paths_with_spaces_and_other_scripts(rows, tmp_path):
    folder = tmp_path / "mein Haus 家"
    folder.mkdir()
    (folder / "häuser 1.csv").write_bytes((rows / "rows.csv").read_bytes())
    answer("train", "--out", folder / "modelle é", cwd=tmp_path)
    model = folder / "modelle é" / "float64.npz"
    answer("predict", model, folder / "häuser 1.csv", "--output", folder / "out 家.csv", cwd=tmp_path)
    assert len((folder / "out 家.csv").read_text().splitlines()) == 201


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text")
def test_a_path_that_is_not_text_is_refused_in_one_line(models, tmp_path):
    done = run_process("predict", models / "float64.npz", os.fsdecode(b"rows-\xff.csv"), cwd=tmp_path)
    assert_refused(done, 2, "cannot be read")


def test_a_name_that_is_not_text_does_not_stop_a_prediction(models, tmp_path):
    row = dict(zip(HEADER.split(","), map(float, ROW.split(",")), strict=True)) | {"\ud800": 1}
    done = run("predict", models / "float64.npz", "-", "--format", "jsonl", cwd=tmp_path, input=json.dumps(row))
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 1
    assert math.isclose(json.loads(done.stdout)["MedHouseVal"], 4.13, abs_tol=0.005)


def test_fewer_rows_than_unknowns_are_refused(tmp_path):
    names = [f"c{i}" for i in range(3001)]
    (tmp_path / "wide.csv").write_text(f"{','.join(names)}\n" + "\n".join(f"{i}" + ",1" * 3000 for i in range(3)))
    done = run("train", "--data", "wide.csv", "--target", "c0", cwd=tmp_path)
    assert_refused(done, 2, "3 rows cannot determine 3001 unknowns")
