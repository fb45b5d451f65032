"""The command line with data as people have it: options, columns, dialects, bodies of servers, several files."""

import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cases import every
from running import ROOT, answer, assert_refused, environment, run, run_process, strict

import housing_np
from housing_np import LinearRegression, load, save
from housing_np.__main__ import COMMANDS, main

HOUSING = (
    "longitude",
    "latitude",
    "housing_median_age",
    "total_rooms",
    "total_bedrooms",
    "population",
    "households",
    "median_income",
    "median_house_value",
    "ocean_proximity",
)
TRAIN = ["--data", "housing.csv", "--target", "median_house_value"]


@pytest.fixture(scope="session")
def housing(tmp_path_factory):
    """The best-known file of this data, short: a column of text, and an empty cell in every twentieth row."""
    folder = tmp_path_factory.mktemp("housing")
    source = Path(ROOT, "data", "cal_housing.csv").read_text().splitlines()[1:2001]
    with (folder / "housing.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HOUSING)
        for i, line in enumerate(source):
            cells = line.split(",")
            if i % 20 == 7:
                cells[4] = ""
            writer.writerow([*cells, ["NEAR BAY", "<1H OCEAN", "INLAND"][i % 3]])
    return folder


@pytest.fixture
def xy(tmp_path):
    """A folder with a model of x and y, whose prediction is 10 x + y + 100, saved as model.npz."""
    model = LinearRegression.from_coefficients([10.0, 1.0], 100.0, ["x", "y"], ["z"])
    save(model, tmp_path / "model.npz")
    return tmp_path


def predicted(folder, *arguments, input=b""):
    done = run("predict", "model.npz", *arguments, cwd=folder, input=input)
    assert done.returncode == 0, done.stderr
    return done


# The best-known California file


def test_missing_cells_are_counted_with_the_ways_out(housing):
    done = run("train", *TRAIN, "--out", "none", cwd=housing)
    assert_refused(done, 2, "in 2,000 rows: total_bedrooms 100; say --missing mean to fill", "or --missing skip")


def test_the_file_is_trained_on_without_them(housing, tmp_path):
    arguments = [*TRAIN, "--ignore", "ocean_proximity", "--on-error", "skip", "--out", tmp_path]
    done = run("train", *arguments, "--json", cwd=housing)
    report = strict(done.stdout)
    assert done.returncode == 0
    assert (report["rows"], report["rows_skipped"]) == (1900, 100)
    assert (report["features"], report["left_out"]) == (list(HOUSING[:8]), ["ocean_proximity"])
    assert done.stderr.startswith("note: bad rows skipped: 100; the first: housing.csv: row 8 (line 9), column 'total_")
    # As NumPy fits the rows that are whole.
    lines = (housing / "housing.csv").read_text().splitlines()[1:]
    cells = [row for row in csv.reader(lines) if row[4]]
    table = np.array([row[:9] for row in cells], float)
    coef = np.linalg.lstsq(np.column_stack([np.ones(len(table)), table[:, :8]]), table[:, 8], rcond=None)[0]
    np.testing.assert_allclose(load(tmp_path / "float64.npz").coef_, coef[1:], rtol=1e-6)


def test_the_text_names_what_was_fitted_and_left_out(housing, tmp_path):
    names = "total_rooms,households"
    done = run("train", *TRAIN, "--features", names, "--features", "population", "--out", tmp_path, cwd=housing)
    assert "2,000 rows, 3 features, target median_house_value\nfeatures: total_rooms, households, pop" in done.stdout
    assert "left out: longitude, latitude" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    "command",
    [
        ["compare", *TRAIN, "--ignore", "ocean_proximity"],
        ["quantize", "float64.npz", "--data", "housing.csv", "--out", "out.npz"],
        ["explain", "float64.npz", "--data", "housing.csv"],
        ["explain", "float64.npz", "--data", "housing.csv", "--against", "float64.npz"],
    ],
    ids=lambda command: " ".join(command[:1] + command[-2:-1]),
)
def test_every_command_that_reads_rows_can_skip_the_bad_ones(command, housing, tmp_path):
    arguments = [*TRAIN, "--ignore", "ocean_proximity", "--on-error", "skip", "--out", tmp_path]
    run("train", *arguments, cwd=housing)
    (tmp_path / "housing.csv").write_text((housing / "housing.csv").read_text())
    refused = run(*command, cwd=tmp_path)
    assert_refused(refused, 2, "total_bedrooms")
    done = run(*command, "--on-error", "skip", cwd=tmp_path)
    assert (done.returncode, done.stderr.startswith("note: bad rows skipped: 100; ")) == (0, True)
    assert run(*command, "--on-error", "skip", "-q", cwd=tmp_path).stderr == ""


def test_a_name_with_a_comma_is_quoted_as_in_csv(tmp_path):
    (tmp_path / "t.csv").write_text('"rooms, or so",age,town,price\n1,2,x,3\n2,5,y,4\n7,1,z,6\n2,2,z,7\n')
    done = run(
        *("train", "--data", "t.csv", "--target", "price", "--features", '"rooms, or so", age', "--json"), cwd=tmp_path
    )
    assert strict(done.stdout)["features"] == ["rooms, or so", "age"]


@pytest.mark.parametrize("names", ["", ",", "a,,b", '"a'])
def test_names_that_are_none_are_refused(names, tmp_path):
    assert_refused(run("train", "--data", "t.csv", "--target", "z", "--ignore", names, cwd=tmp_path), 2, "--ignore")


def test_dependent_columns_are_named(tmp_path):
    rows = "".join(f"{i % 2},{1 - i % 2},{i * i % 7},{i * 3 % 11}\n" for i in range(40))
    (tmp_path / "t.csv").write_text("yes,no,size,price\n" + rows)
    done = run("train", "--data", "t.csv", "--target", "price", cwd=tmp_path)
    assert done.returncode == 0
    assert "'yes', 'no' depend on each other: drop 1 of them" in done.stderr


# The index that pandas wrote


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_the_index_that_to_csv_leaves_is_no_feature_and_not_needed_to_predict(name, tmp_path):
    rows = "".join(f"{i},{i * i % 7},{i * 3 % 11}\n" for i in range(40))
    (tmp_path / "t.csv").write_text(f"{name},size,price\n" + rows)
    done = run("train", "--data", "t.csv", "--target", "price", "--json", cwd=tmp_path)
    assert strict(done.stdout)["features"] == ["size"]
    assert "index=False" in done.stderr
    (tmp_path / "bare.csv").write_text("size\n3\n")
    assert run("predict", "models/float64.npz", "bare.csv", cwd=tmp_path).returncode == 0
    done = run("predict", "models/float64.npz", "t.csv", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.startswith("note: ignored columns: ")


# Answers


@pytest.mark.parametrize(
    ("arguments", "format"),
    [
        (["-o", "o.json"], "json"),
        (["-o", "o.jsonl"], "jsonl"),
        (["-o", "o.txt"], "csv"),
        (["-o", "o.json", "--format", "csv"], "csv"),
        (["--json", "-o", "o.csv"], "json"),
    ],
)
def test_the_format_of_the_answers_is_the_one_asked_for_or_that_of_the_output(arguments, format, xy):
    (xy / "rows.csv").write_text("x,y\n1,2\n")
    predicted(xy, "rows.csv", *arguments)
    expected = {"csv": "z\n112.0\n", "json": '{"predictions": [112.0]}\n', "jsonl": '{"z": 112.0}\n'}
    assert (xy / arguments[arguments.index("-o") + 1]).read_text() == expected[format]


def test_without_either_it_is_that_of_the_input(xy):
    (xy / "rows.jsonl.gz").write_bytes(gzip.compress(b'{"x": 1, "y": 2}\n'))
    assert predicted(xy, "rows.jsonl.gz").stdout == '{"z": 112.0}\n'


def test_several_files_and_patterns_are_answered_in_their_order(xy):
    for name, content in (("a.csv", "x,y\n1,2\n"), ("b.jsonl", "[3, 4]\n"), ("c-1.csv", "y;x\n6;5\n")):
        (xy / name).write_text(content)
    done = predicted(xy, "b.jsonl", "c-*.csv", "a.csv", "--format", "csv")
    assert done.stdout == "z\n134.0\n156.0\n112.0\n"
    assert done.stderr == "note: c-1.csv: columns are separated by semicolons\n"


def test_several_files_without_a_model_are_all_rows(xy):
    (xy / "a.csv").write_text("x,y\n1,2\n")
    done = run("predict", "a.csv", "a.csv", cwd=xy, env={"HOUSING_NP_MODEL": "model.npz"})
    assert done.stdout == "z\n112.0\n112.0\n"


def test_bad_rows_of_several_files_are_counted_together(xy):
    (xy / "a.csv").write_text("x,y\n1,2\n,\n")
    done = predicted(xy, "a.csv", "a.csv", "--on-error", "skip")
    assert done.stdout == "z\n112.0\n112.0\n"
    assert done.stderr.startswith("note: bad rows skipped: 2; the first: a.csv: row 2 (line 3)")


def test_a_request_of_the_open_inference_protocol_is_answered_in_its_form(xy):
    inputs = [
        {"name": name, "shape": [2], "datatype": "FP64", "data": data} for name, data in (("x", [1, 3]), ("y", [2, 4]))
    ]
    done = predicted(xy, "-", "--format", "json", input=json.dumps({"id": "7", "inputs": inputs}))
    assert strict(done.stdout) == {
        "model_name": "housing_np",
        "id": "7",
        "outputs": [{"name": "z", "shape": [2], "datatype": "FP64", "data": [112.0, 134.0]}],
    }


def test_rows_without_names_are_in_the_models_own_order(xy):
    assert predicted(xy, "-", "--no-header", input="1,2\n3,4\n").stdout == "z\n112.0\n134.0\n"


def test_the_dialect_is_said_by_options(xy):
    done = predicted(xy, "-", "--separator", "tab", "--decimal", ",", input="x\ty\n1,5\t2\n")
    assert done.stdout == "z\n117.0\n"


def test_all_columns_that_are_missing_are_named(xy):
    done = run("predict", "model.npz", "-", cwd=xy, input="X,a\n1,2\n")
    assert_refused(done, 2, "no column 'x', 'y'; the columns are: X, a; rename the columns")


# The command line


def test_options_stand_anywhere(xy):
    (xy / "rows.csv").write_text("x,y\n1,2\n")
    done = run("predict", "model.npz", "--format", "json", "rows.csv", cwd=xy)
    assert strict(done.stdout) == {"predictions": [112.0]}


@every("name", COMMANDS)
def test_every_help_has_an_example_the_exit_statuses_and_defaults(name, tmp_path):
    text = answer(name, "--help", cwd=tmp_path)
    assert f"example:\n  python -m housing_np {name} " in text
    assert "exit status:\n  0    done" in text
    options = text[text.index("options:") : text.index("example:")].split("\n  -")[2:]
    flags = ("-q", "--version", "-version")
    lacking = [each for each in options if not each.startswith(flags) and "default" not in " ".join(each.split())]
    assert [each for each in lacking if "(" in each or "{" in each] == []


@every("name", COMMANDS)
def test_every_command_tells_the_version(name, tmp_path):
    assert answer(name, "--version", cwd=tmp_path) == f"{housing_np.__version__}\n"


def test_the_console_script_is_the_package(tmp_path):
    script = Path(sys.executable).with_name("housing-np")
    if not script.exists():
        pytest.fail("the package is not installed as the README says: housing-np is missing")
    options = {"capture_output": True, "encoding": "utf-8", "cwd": tmp_path, "env": environment(), "check": False}
    assert subprocess.run([script, "--version"], **options).stdout == f"{housing_np.__version__}\n"
    assert subprocess.run([script, "predict", "--help"], **options).stdout.startswith("usage: housing-np predict ")
    done = subprocess.run([script, "predcit"], **options)
    assert_refused(done, 2, "no command 'predcit'; did you mean 'predict'?")


def test_usage_names_what_was_typed(tmp_path):
    assert run_process("train", "--help", cwd=tmp_path).stdout.startswith("usage: python -m housing_np.train ")


def test_only_the_command_that_runs_is_imported(tmp_path):
    code = (
        "import sys; from housing_np import __main__; from housing_np.command import cli; "
        "cli.run(__main__.main, ['predict', '--version']); "
        "print(*(name for name in sys.modules if name.startswith('housing_np')))"
    )
    options = {"capture_output": True, "encoding": "utf-8", "cwd": tmp_path, "env": environment(), "check": True}
    loaded = subprocess.run([sys.executable, "-c", code], **options).stdout.split()
    assert {f"housing_np.{name}" for name in COMMANDS} & set(loaded) == {"housing_np.predict"}


def test_no_control_character_of_a_file_reaches_the_terminal(xy):
    done = run("predict", "model.npz", "-", cwd=xy, input="x,y,\x1b[31mred\n1,\x1b[2J\n")
    done2 = run("predict", "model.npz", "-", cwd=xy, input="x,y,\x1b[31mred\n1,2,\x07\n")
    assert "\x1b" not in done.stderr + done2.stderr
    assert r"\x1b[31mred" in done2.stderr


def test_nothing_but_a_command_is_a_mistake():
    with pytest.raises(SystemExit, match="2"):
        main(["-q"])


@pytest.mark.parametrize("name", ["o.parquet", "o.npy", "o.csv.gz", "o.tsv"])
def test_a_name_that_promises_another_format_is_refused(name, xy):
    (xy / "rows.csv").write_text("x,y\n1,2\n")
    done = run("predict", "model.npz", "rows.csv", "-o", name, cwd=xy)
    assert_refused(done, 2, f"{name}: answers are written as CSV, JSON or JSON Lines")
    assert not (xy / name).exists()


def test_a_dash_is_standard_output(xy):
    (xy / "rows.csv").write_text("x,y\n1,2\n")
    assert predicted(xy, "rows.csv", "-o", "-").stdout == "z\n112.0\n"
    assert not (xy / "-").exists()


def test_a_range_is_read_as_the_rows_are(xy):
    (xy / "range-0.csv").write_text("1,5;2\n")
    (xy / "range-1.csv").write_text("2,5;3\n,\n")
    arguments = ["--range", "range-*.csv", "--no-header", "--decimal", ",", "--on-error", "skip"]
    done = predicted(xy, "-", *arguments, input="2,0;2,5\n9,0;2,5\n")
    assert done.stderr.endswith("note: rows outside the range that the model was trained on: 1 of 2\n")


def test_quiet_may_stand_before_the_command(xy, tmp_path):
    (tmp_path / "t.csv").write_text(",a,price\n" + "".join(f"{i},{i * i % 7},{i * 3 % 11}\n" for i in range(30)))
    done = subprocess.run(
        [sys.executable, "-m", "housing_np", "-q", "train", "--data", "t.csv", "--target", "price"],
        capture_output=True,
        encoding="utf-8",
        cwd=tmp_path,
        env=environment(),
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_names_that_a_terminal_would_obey_are_shown_and_not_obeyed(tmp_path):
    rows = "".join(f"{i * i % 7},{i % 3},{i * 3 % 11}\n" for i in range(30))
    (tmp_path / "t.csv").write_text("a\x1b[31m,b,price\n" + rows)
    arguments = ["--data", "t.csv", "--target", "price"]
    for command in (["compare"], ["train", "--max-deviation", "0"], ["train"]):
        done = run(*command, *arguments, cwd=tmp_path)
        assert "\x1b" not in done.stdout + done.stderr
        assert r"a\x1b[31m" in done.stdout + done.stderr or command[1:]


def test_the_number_of_skipped_rows_is_in_every_report(housing, tmp_path):
    arguments = [*TRAIN, "--ignore", "ocean_proximity", "--on-error", "skip"]
    run("train", *arguments, "--out", tmp_path, cwd=housing)
    compared = strict(run("compare", *arguments, "--json", cwd=housing).stdout)
    quantized = ["quantize", tmp_path / "float64.npz", "--data", "housing.csv", "--on-error", "skip"]
    report = strict(run(*quantized, "--out", tmp_path / "o.npz", "--json", cwd=housing).stdout)
    assert (compared["rows_skipped"], report["rows_skipped"]) == (100, 100)
