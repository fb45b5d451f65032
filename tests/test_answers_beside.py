"""Answers that stay beside their rows: row numbers, a column that is copied, empty answers to bad rows; categories."""

import json
import subprocess
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from cases import every
from running import answer, assert_refused, command, environment, run, strict

from housing_np import LinearRegression, QuantizedLinear, save
from housing_np.rows.columns import Columns

COLUMNS = Columns(
    ("income", "age", "sea", "view"),
    levels={"sea": ("far", "near", "in it"), "view": ("no", "yes", "(missing)")},
    fills={"age": 30.0},
)
# price = 2 income + age + {near: 100, in it: 200} + {yes: 10, (missing): 20}
MODEL = LinearRegression.from_coefficients([2.0, 1, 100, 200, 10, 20], 0.0, COLUMNS.feature_names, ["price"], COLUMNS)
NAMES = ["id", *COLUMNS.names]
CELLS = [
    ["A 1", 3, 20, "near", "yes"],  # 6 + 20 + 100 + 10
    [7, 4, None, "far", None],  # 8 + 30 + 20
    ['x, "y"', 5, 10, "MARS", "no"],
    [None, None, 10, "far", "no"],
    ["é", 1, 1, "in it", "no"],  # 2 + 1 + 200
]
PRICES = [136.0, 58.0, None, None, 203.0]
UNKNOWN = "sea is 'MARS', none of the 3 that the model knows: far, near, in it"


def csv_text(rows=CELLS, names=NAMES):
    texts = [[json.dumps(cell).replace('\\"', '""') if cell == 'x, "y"' else cell for cell in row] for row in rows]
    lines = [",".join("" if cell is None else str(cell) for cell in row) for row in texts]
    return "".join(f"{line}\n" for line in [",".join(names), *lines])


def objects(rows=CELLS, names=NAMES):
    return [dict(zip(names, row, strict=True)) for row in rows]


def tensors(rows):
    columns = list(zip(*rows, strict=True))
    kinds = ["BYTES", "FP64", "FP64", "BYTES", "BYTES"]
    named = zip(NAMES, kinds, columns, strict=True)
    return {"inputs": [{"name": n, "shape": [len(rows)], "datatype": k, "data": list(c)} for n, k, c in named]}


def write(path, rows=CELLS, names=NAMES):
    """Write rows in the format of the path's ending."""
    match path.name.partition(".")[2]:
        case "csv":
            path.write_text(csv_text(rows, names), encoding="utf-8")
        case "jsonl":
            path.write_text("".join(f"{json.dumps(row)}\n" for row in objects(rows, names)))
        case "json":
            path.write_text(json.dumps(objects(rows, names)))
        case "split.json":
            path.write_text(json.dumps({"columns": names, "data": rows}))
        case "npy":
            kinds = zip(names, ["U9", float, float, "U9", "U9"], strict=True)
            cells = [
                tuple("" if v is None and i in (0, 4) else np.nan if v is None else v for i, v in enumerate(row))
                for row in rows
            ]
            np.save(path, np.array(cells, list(kinds)))
        case "parquet":
            pyarrow = pytest.importorskip("pyarrow")
            texts = [{**row, "id": row["id"] if row["id"] is None else str(row["id"])} for row in objects(rows, names)]
            pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(texts), path)
    return path.name


ENDINGS = ["csv", "jsonl", "json", "split.json", "npy", "parquet"]


@pytest.fixture
def folder(tmp_path):
    save(MODEL, tmp_path / "m.npz")
    return tmp_path


@pytest.fixture
def predict(folder):
    return partial(run, "predict", "m.npz", cwd=folder)


# Rows, ids and empty answers


@pytest.mark.parametrize(("file", "content"), [("rows.json", "[]"), ("rows.jsonl", "\n"), ("rows.csv", csv_text([]))])
def test_no_rows_have_no_copies(file, content, predict, folder):
    (folder / file).write_text(content)
    done = predict(file, "--rows", "--id", "id", "--format", "csv")
    assert (done.returncode, done.stdout, done.stderr) == (0, "row,id,price\n", "")


@every("ending", ENDINGS)
def test_a_bad_row_has_an_empty_answer_in_every_format(ending, predict, folder):
    done = predict(write(folder / f"rows.{ending}"), "--on-error", "empty", "--rows", "--id", "id", "--format", "jsonl")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["row"], row["price"]) for row in answers] == list(zip([1, 2, 3, 4, 5], PRICES, strict=True))
    assert [str(row["id"] or "") for row in answers] == ["A 1", "7", 'x, "y"', "", "é"]
    assert done.returncode == 0
    assert done.stderr.startswith("note: bad rows answered empty: 2; the first: ")


def test_a_csv_of_answers_has_empty_cells(predict, folder):
    done = predict(write(folder / "rows.csv"), "--on-error", "empty", "--rows", "--id", "id")
    assert done.stdout == 'row,id,price\n1,A 1,136.0\n2,7,58.0\n3,"x, ""y""",\n4,,\n5,é,203.0\n'


def test_an_empty_answer_alone_is_no_blank_line(predict, folder):
    done = predict(write(folder / "rows.csv"), "--on-error", "empty")
    assert done.stdout == 'price\n136.0\n58.0\n""\n""\n203.0\n'


def test_skipped_rows_leave_their_numbers_out(predict, folder):
    done = predict(write(folder / "rows.csv"), "--on-error", "skip", "--rows")
    assert done.stdout == "row,price\n1,136.0\n2,58.0\n5,203.0\n"
    assert "note: bad rows skipped: 2; the first: rows.csv: row 3 (line 4): " in done.stderr


def test_json_has_lists_beside_the_predictions(predict, folder):
    done = predict(write(folder / "rows.csv"), "--on-error", "empty", "--rows", "--id", "id", "--json")
    ids = ["A 1", "7", 'x, "y"', "", "é"]
    assert strict(done.stdout) == {"rows": [1, 2, 3, 4, 5], "ids": ids, "predictions": PRICES}


def test_a_number_of_json_lines_is_that_of_the_line(predict, folder):
    good = json.dumps(objects()[0])
    (folder / "rows.jsonl").write_text(f"\n{good}\nno json\n\n{good}\n")
    done = predict("rows.jsonl", "--on-error", "empty", "--rows", "--id", "id", "--format", "csv")
    assert done.stdout == "row,id,price\n2,A 1,136.0\n3,,\n5,A 1,136.0\n"
    assert "rows.jsonl: line 3: " in done.stderr


def test_a_row_of_another_length_is_empty_too(predict):
    done = predict(
        "-", "--on-error", "empty", "--rows", "--id", "id", input=csv_text()[: -len("é,1,1,in it,no\n")] + "e,1\n"
    )
    assert done.stdout.endswith("\n4,,\n5,,\n")


def test_a_number_in_json_is_copied_as_a_number(predict, folder):
    rows = [[cell, 3, 20, "near", "yes"] for cell in (7, 2**60 + 1, 1.5, "007", True)]
    done = predict(write(folder / "rows.jsonl", rows), "--id", "id")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [7, 2**60 + 1, 1.5, "007", "true"]


def test_several_inputs_are_numbered_each(predict, folder):
    names = [write(folder / f"rows.{ending}") for ending in ("csv", "jsonl", "npy")]
    done = predict(*names, "--rows", "--id", "id", "--on-error", "skip")
    three = "1,A 1,136.0\n2,7,58.0\n5,é,203.0\n"
    assert done.stdout == "row,id,price\n" + 3 * three


def test_bounds_of_a_bad_row_are_empty(folder):
    cells = np.array([[3, 20, 1, 1], [4, np.nan, 0, np.nan], [1, 1, 2, 0], [9, 50, 2, 1]])
    small = QuantizedLinear.from_linear(MODEL, COLUMNS.encode(cells), "integer")
    save(small, folder / "i.npz")
    done = run("predict", "i.npz", write(folder / "rows.csv"), "--bounds", "--rows", "--on-error", "empty", cwd=folder)
    head, *lines = done.stdout.splitlines()
    assert head == "row,price,price_bound"
    assert lines[2:4] == ["3,,", "4,,"]
    X = COLUMNS.encode(cells[:3])
    found = [float(line.split(",")[1]) for line in (lines[0], lines[1], lines[4])]
    assert found == small.predict(X).tolist()


@every("width", [6, 70], ids=["numpy", "pyarrow, from 4 MiB on"])
def test_a_large_file_is_copied_from_in_its_order(width, predict, folder):
    pytest.importorskip("pyarrow")
    rows = [[f"r{i:0{width}}", i % 7, 1, ("far", "near", "in it")[i % 3], "no"] for i in range(60_000)]
    file = write(folder / "rows.csv", rows)
    assert ((folder / file).stat().st_size > 4 << 20) == (width == 70)
    prices = [2.0 * (i % 7) + 1 + 100 * (i % 3) for i in range(len(rows))]
    for copied in ("id", "sea", "income"):
        places = [row[NAMES.index(copied)] for row in rows]
        expected = [f"{i + 1},{place},{price}" for i, (place, price) in enumerate(zip(places, prices, strict=True))]
        assert predict(file, "--rows", "--id", copied, "-q").stdout.splitlines()[1:] == expected


def test_a_pipe_is_answered_row_by_row_beside_its_rows(folder):
    head, *lines = csv_text([CELLS[0], CELLS[3], CELLS[4]]).encode().splitlines(keepends=True)
    arguments = command("predict", "m.npz", "-", "--rows", "--id", "id", "--on-error", "empty", "-q")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0}
    with subprocess.Popen(arguments, cwd=folder, env=environment(), **pipes) as process:
        timer = threading.Timer(20, process.kill)
        timer.start()
        answers = []
        process.stdin.write(head)
        for line in lines:
            process.stdin.write(line)
            answers += [process.stdout.readline() for _ in range(1 if answers else 2)]
        timer.cancel()
    assert answers == [b"row,id,price\n", b"1,A 1,136.0\n", b"2,,\n", "3,é,203.0\n".encode()]


def test_names_of_answers_stay_and_a_copy_is_marked(predict, folder):
    names = ["price", *COLUMNS.names]
    done = predict(write(folder / "rows.jsonl", CELLS[:1], names), "--id", "price")
    assert done.stdout == '{"price_": "A 1", "price": 136.0}\n'


def test_tensors_have_the_number_and_the_copy(predict, folder):
    (folder / "v2.json").write_text(json.dumps(tensors(CELLS)))
    done = predict("v2.json", "--on-error", "empty", "--rows", "--id", "id")
    outputs = [(each["name"], each["datatype"], each["data"]) for each in strict(done.stdout)["outputs"]]
    ids = ["A 1", "7", 'x, "y"', None, "é"]
    expected = [("row", "INT64", [1, 2, 3, 4, 5]), ("id", "BYTES", ids), ("price", "FP64", PRICES)]
    assert outputs == expected


def test_half_a_pair_of_utf16_is_written(predict):
    line = json.dumps(objects()[0] | {"id": "\ud800"})
    assert predict("-", "--id", "id", "--format", "jsonl", input=line).stdout == '{"id": "?", "price": 136.0}\n'


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rows.csv", "--id", "ID"], "rows.csv: no column 'ID'; the columns are: id, income, age, sea, view (did you"),
        (["lists.json", "--id", "id"], "lists.json: the rows have no names; 'id' is copied from rows with names only"),
        (["--id", "id"], "--id needs INPUT"),
    ],
)
def test_a_column_to_copy_that_is_not_there(arguments, said, predict, folder):
    write(folder / "rows.csv")
    (folder / "lists.json").write_text(json.dumps([row[1:] for row in CELLS[:2]]))
    assert_refused(predict(*arguments), 2, said)


def test_the_bundled_rows_have_numbers(models):
    found = strict(answer("predict", models / "float64.npz", "--rows", "--json", "--quiet", cwd=models))
    assert found["rows"] == [1, 2, 3, 4, 5]


def test_no_bad_row_no_difference(predict, folder):
    name = write(folder / "rows.csv", [CELLS[0], CELLS[4]])
    assert predict(name, "--on-error", "empty").stdout == predict(name).stdout == "price\n136.0\n203.0\n"


# Categories


@every("ending", ENDINGS)
def test_a_level_that_the_model_does_not_know_is_named(ending, predict, folder):
    done = predict(write(folder / f"rows.{ending}"), "-q")
    assert_refused(done, 2, f"{UNKNOWN} (--on-error skip leaves such rows out)")


@pytest.mark.parametrize("ending", ["csv", "jsonl", "json", "split.json", "parquet"])
def test_a_missing_level_is_a_bad_row(ending, predict, folder):
    done = predict(write(folder / f"rows.{ending}", [CELLS[0], ["b", 1, 1, None, "no"]]), "-q")
    assert_refused(done, 2, "2", "column 'sea': the cell is empty; fill it in")


ENCODED = ["income", "age", "sea=near", "sea=in it", "view=yes", "view=(missing)"]
MIXED = ["income", "age", "sea=near", "sea=in it", "view"]


@every("ending", ["csv", "jsonl", "json", "split.json", "parquet"])
@every(
    ("names", "cells"),
    [(ENCODED, [[3, 20, 1, 0, 1, 0], [1, 1, 0, 1, 0, 0]]), (MIXED, [[3, 20, 1, 0, "yes"], [1, 1, 0, 1, "no"]])],
    ids=["encoded", "mixed"],
)
def test_rows_that_are_encoded_are_taken(names, cells, ending, predict, folder):
    rows = [[f"r{i}", *row] for i, row in enumerate(cells)]
    done = predict(write(folder / f"rows.{ending}", rows, ["id", *names]), "--id", "id", "--format", "csv")
    assert (done.stdout, done.stderr) == ("id,price\nr0,136.0\nr1,203.0\n", "")


@pytest.mark.parametrize(
    "row", [[3, 20, "near", "yes"], [3, 20, 1, 0, 1, 0]], ids=["as many cells as columns", "as many as features"]
)
def test_rows_without_names_are_taken_by_position(row, predict):
    line = ",".join(map(str, row))
    assert predict("-", "--no-header", input=f"{line}\n").stdout == "price\n136.0\n"
    assert predict("-", "--json", "--format", "json", input=json.dumps([row])).stdout == '{"predictions": [136.0]}\n'


# Drift


def drifting(path, shares, rows=200, unknown=0):
    """Write rows of which a level has so many, and some of an unknown one."""
    levels = [level for level, share in zip(("far", "near", "in it"), shares, strict=True) for _ in range(share)]
    cells = [["a", 1, 1, level, "no"] for level in (levels * rows)[:rows]] + [["u", 1, 1, "MARS", "no"]] * unknown
    return write(path, cells)


def test_shares_of_levels_that_shifted_are_named_the_baseline_too(predict, folder):
    then = drifting(folder / "then.csv", (3, 3, 4))
    now = drifting(folder / "now.csv", (6, 3, 1))
    done = predict(now, "--range", then, "--id", "id")
    assert done.stderr == (
        "note: shares of levels that shifted more than chance would: sea=in it 0.4 → 0.1 (moves predictions by -60), "
        "sea=far 0.3 → 0.6 (moves predictions by -60)\n"
    )


@pytest.mark.parametrize("way", ["skip", "empty"])
@pytest.mark.parametrize(("limit", "status"), [("0.04", 1), ("0.05", 0)])
def test_an_unknown_level_is_outside(way, limit, status, predict, folder):
    then, now = drifting(folder / "then.csv", (3, 3, 4)), drifting(folder / "now.csv", (3, 3, 4), 190, unknown=10)
    done = predict(now, "--range", then, "--on-error", way, "--fail-outside", limit)
    assert done.returncode == status
    assert "note: rows outside the range that the model was trained on: 10 of 200\n" in done.stderr


def test_without_a_range_no_row_is_outside(predict, folder):
    assert "outside" not in predict(write(folder / "rows.csv"), "--on-error", "skip").stderr


# Other commands


@pytest.fixture(scope="module")
def penguins(tmp_path_factory):
    """Rows of penguins in three formats, and models of them."""
    pandas, found = pytest.importorskip("pandas"), pytest.importorskip("palmerpenguins")
    folder = tmp_path_factory.mktemp("penguins")
    table = pandas.read_csv(Path(found.__file__).parent / "data" / "penguins.csv").dropna(subset="body_mass_g")
    table.to_csv(folder / "rows.csv", index=False)
    table.to_json(folder / "rows.jsonl", orient="records", lines=True)
    table.to_parquet(folder / "rows.parquet", index=False)
    arguments = ["--data", "rows.csv", "--target", "body_mass_g", "--missing", "mean", "--out", "."]
    assert run("train", *arguments, cwd=folder).returncode == 0
    return folder


@pytest.mark.parametrize("command", ["quantize", "export"])
def test_commands_make_the_same_of_each_format(command, penguins):
    contents = set()
    for ending in ("csv", "jsonl", "parquet"):
        name = f"rows.{ending}"
        if command == "quantize":
            made = ["--data", name, "--scheme", "integer", "-o", f"q-{ending}.npz"]
        else:
            made = ["--range", name, "-o", f"{ending}/page.html"]
            (penguins / ending).mkdir()
        assert run(command, "float64.npz", *made, cwd=penguins).returncode == 0
        contents.add((penguins / made[-1]).read_bytes())
    assert len(contents) == 1


def test_explain_says_the_same_of_each_format(penguins):
    found = [
        answer("explain", "uint8-integer.npz", "--against", "float64.npz", "--data", f"rows.{ending}", cwd=penguins)
        for ending in ("csv", "jsonl", "parquet")
    ]
    assert "= Adelie" in found[0]
    assert found == found[:1] * 3
