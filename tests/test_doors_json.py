"""JSON as clients send it, no rows at all, and rows piped in: at the command line and over HTTP."""

import gzip
import io
import json
import os
import pty
import subprocess

import numpy as np
import pytest
import requests
from cases import every
from running import assert_refused, command, environment, run, run_process
from server import served

from housing_np import LinearRegression, save
from housing_np.rows import open_rows
from housing_np.rows.columns import Columns

AZURE = [[3, 10], [4, 5]]
OBJECTS = [{"rooms": 3, "age": 10}, {"age": 5, "rooms": 4}]
BOTH = [210.0, 255.0]  # 40 rooms - age + 100


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with models of rooms and age, and of two columns that pandas calls 0 and 1."""
    folder = tmp_path_factory.mktemp("doors")
    for file, names in (("model.npz", ("rooms", "age")), ("numbered.npz", ("0", "1"))):
        save(LinearRegression.from_coefficients([40.0, -1.0], 100.0, names, ["price"]), folder / file)
    columns = Columns(("rooms", "sea"), levels={"sea": ("far", "near")}, fills={"rooms": 3.0})
    model = LinearRegression.from_coefficients([40.0, 5.0], 100.0, columns.feature_names, ["price"], columns)
    save(model, folder / "sea.npz")
    return folder


@pytest.fixture(scope="module")
def url(folder):
    with served(folder / "model.npz", cwd=folder) as server:
        yield server.url


def asked(url, content, kind="application/json", path="/invocations"):
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return requests.post(f"{url}{path}", data=data, headers={"Content-Type": kind}, timeout=30)


def predicted(folder, content, model="model.npz"):
    (folder / "body.json").write_text(json.dumps(content))
    return run("predict", model, "body.json", cwd=folder)


BODIES = {
    "by row, names of text": {"h1": OBJECTS[0], "h2": OBJECTS[1]},
    "by column, names of text": {"rooms": {"h1": 3, "h2": 4}, "age": {"h1": 10, "h2": 5}},
    "by row, dates": {"2024-01-01T00:00:00.000": OBJECTS[0], "2024-01-02T00:00:00.000": OBJECTS[1]},
    "by column, dates": {
        "rooms": {"1704067200000": 3, "1704153600001": 4},
        "age": {"1704067200000": 10, "1704153600001": 5},
    },
    "by row, negative": {"-1": OBJECTS[0], "-2": OBJECTS[1]},
    "by column, negative": {"age": {"-1": 10, "-2": 5}, "rooms": {"-1": 3, "-2": 4}},
    "by row, floats": {"0.5": OBJECTS[0], "1.5": OBJECTS[1]},
    "by column, floats": {"rooms": {"0.5": 3, "1.5": 4}, "age": {"0.5": 10, "1.5": 5}},
    "by row, digits": {"0": OBJECTS[0], "1": OBJECTS[1]},
    "by column, digits": {"rooms": {"0": 3, "1": 4}, "age": {"0": 10, "1": 5}},
    "by column, the rows in another order": {"rooms": {"a": 3, "b": 4}, "age": {"b": 5, "a": 10}},
    "by column, one more": {"id": {"a": 1, "b": 2}, "rooms": {"a": 3, "b": 4}, "age": {"a": 10, "b": 5}},
    "rows called like a column": {"rooms": OBJECTS[0], "b": OBJECTS[1]},
    "an empty name of a row": {"": OBJECTS[0], "b": OBJECTS[1]},
    "within inputs": {"inputs": {"h1": OBJECTS[0], "h2": OBJECTS[1]}},
    "Azure, data": {"data": AZURE},
    "Azure, data of objects, and a method": {"data": OBJECTS, "method": "predict"},
    "Azure, Inputs and GlobalParameters": {"Inputs": {"data": AZURE}, "GlobalParameters": 0.0},
    "Azure, Inputs by another name": {"Inputs": {"input1": OBJECTS}},
    "Azure, Inputs of lists": {"Inputs": {"WebServiceInput0": AZURE}, "GlobalParameters": {}},
    "Azure, Inputs as a table": {"Inputs": {"input1": {"ColumnNames": ["age", "rooms"], "Values": [[10, 3], [5, 4]]}}},
    "Azure, Inputs as columns": {"Inputs": {"rooms": [3, 4], "age": [10, 5]}},
    "Azure, input_data": {"input_data": {"data": AZURE}},
    "Azure, data as pandas splits it": {
        "data": {"columns": ["age", "rooms"], "index": [0, 1], "data": [[10, 3], [5, 4]]}
    },
    "Azure, data as columns": {"data": {"rooms": [3, 4], "age": [10, 5]}, "method": "predict"},
    "Azure, Inputs by column": {"Inputs": {"data": {"rooms": {"0": 3, "1": 4}, "age": {"0": 10, "1": 5}}}},
    "Azure, Inputs without a name": {"Inputs": OBJECTS},
    "TensorFlow, columns (n, 1)": {
        "signature_name": "serving_default",
        "inputs": {"rooms": [[3], [4]], "age": [[10], [5]]},
    },
    "TensorFlow, columns of both shapes": {"inputs": {"rooms": [[3], [4]], "age": [10, 5]}},
    "TensorFlow, rows of lists of one": {"instances": [{"rooms": [3], "age": [10]}, {"rooms": 4, "age": [5]}]},
}


@every("content", BODIES.values(), ids=BODIES)
def test_a_body_is_read_as_its_client_means_it(content, folder, url):
    done = predicted(folder, content)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"predictions": BOTH}
    answer = asked(url, content)
    assert (answer.status_code, answer.json()) == (200, {"predictions": BOTH})


REFUSED = {
    "names at both levels": ({"rooms": {"rooms": 3, "age": 4}, "age": {"rooms": 10, "age": 5}}, "cannot be told apart"),
    "names at no level": ({"a": {"b": 1}}, "no column 'rooms', 'age'; the columns are: a"),
    "a name in another case": ({"h1": {"rooms": 1, "Age": 2}}, "did you mean 'Age'?"),
    "a column that lacks a row": ({"rooms": {"a": 3, "b": 4}, "age": {"a": 10}}, "row 2: no 'age'"),
    "objects and lists": ({"rooms": {"a": 3}, "age": [10]}, "expected a list of rows, one object"),
    "another method": ({"data": AZURE, "method": "predict_proba"}, "no column 'rooms', 'age'"),
    "lists of two": (
        {"inputs": {"rooms": [[3, 4]], "age": [[10, 5]]}},
        "column 'rooms': [3, 4] is not a number",
    ),
    "lists of one in plain objects": ([{"rooms": [3], "age": [10]}], "row 1, column 'rooms': [3] is not a number"),
    "rows without features": (
        {"inputs": [{"name": "a", "shape": [2, 0], "datatype": "FP64", "data": []}]},
        "expected one tensor [rows, features]",
    ),
}


@every(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_a_body_in_doubt_is_refused(content, message, folder, url):
    assert_refused(predicted(folder, content), 2, message)
    answer = asked(url, content)
    assert answer.status_code == 400
    assert message in answer.text.replace('\\"', '"')


def test_a_frame_without_names_is_not_transposed_in_silence(folder):
    frame = {"0": {"0": 3, "1": 10}, "1": {"0": 4, "1": 5}}
    message = "'0', '1' are keys of the outer object and of the inner ones: rows and columns cannot be told apart"
    assert_refused(predicted(folder, frame, "numbered.npz"), 2, message)
    assert_refused(predicted(folder, frame | {"2": {"0": 1, "1": 2}}, "numbered.npz"), 2, message)


@pytest.mark.parametrize(
    "content",
    [{"7": {"0": 3, "1": 10}, "8": {"0": 4, "1": 5}}, {"0": {"7": 3, "8": 4}, "1": {"7": 10, "8": 5}}],
    ids=["by row", "by column"],
)
def test_digits_are_names_like_others(content, folder):
    assert json.loads(predicted(folder, content, "numbered.npz").stdout) == {"predictions": BOTH}


@pytest.mark.parametrize(
    "content",
    [
        {"h1": {"rooms": 3, "sea": "near"}, "h2": {"rooms": None, "sea": "far"}},
        {"rooms": {"h1": 3, "h2": None}, "sea": {"h1": "near", "h2": "far"}},
        {"h1": {"rooms": 3, "sea=near": 1}, "h2": {"rooms": 3, "sea=near": 0}},
        {"rooms": {"h1": 3, "h2": 3}, "sea=near": {"h1": True, "h2": False}},
        {"dataframe_split": {"columns": ["rooms", "sea=near"], "data": [[3, True], [3, False]]}},
    ],
    ids=["by row", "by column", "encoded by row", "encoded by column", "encoded, of true and false"],
)
def test_categories_are_found_at_either_level_raw_or_encoded(content, folder):
    done = predicted(folder, content, "sea.npz")
    assert (json.loads(done.stdout), done.stderr) == ({"predictions": [225.0, 220.0]}, "")


def test_what_is_ignored_is_a_column_and_not_a_row(folder):
    done = predicted(folder, BODIES["by column, one more"])
    assert done.stderr == "note: ignored columns: id\n"


@pytest.mark.parametrize("n", [3, 30])
@pytest.mark.parametrize("is_by_row", [True, False], ids=["by row", "by column"])
def test_training_takes_the_level_that_has_the_target(is_by_row, n, tmp_path):
    rows = {f"h{i}": {"a": i, "b": i * i, "price": 2 * i + 3 * i * i + 1} for i in range(n)}
    columns = {name: {key: row[name] for key, row in rows.items()} for name in ("a", "b", "price")}
    (tmp_path / "t.json").write_text(json.dumps(rows if is_by_row else columns))
    done = run("train", "--data", "t.json", "--target", "price", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (tmp_path / "one.json").write_text('{"x": {"a": 2, "b": 10}}')
    answer = run("predict", "models/float64.npz", "one.json", cwd=tmp_path)
    assert json.loads(answer.stdout)["predictions"] == pytest.approx([35.0])


def test_training_on_a_target_at_both_levels_is_refused(tmp_path):
    (tmp_path / "t.json").write_text(json.dumps({str(i): {"0": i, "1": i * i} for i in range(40)}))
    done = run("train", "--data", "t.json", "--target", "1", cwd=tmp_path)
    assert_refused(done, 2, "'1' are keys of the outer object and of the inner ones")


def test_many_columns_of_one_row_each_take_linear_time():
    objects = {f"c{i}": {f"r{i}": 1} for i in range(20_000)}
    with open_rows(io.BytesIO(json.dumps(objects).encode()), "json", lambda _: None) as rows:
        assert [*rows.blocks(["c0", "c1"])] == []


# No rows

NONE = {
    "a list": ([], "application/json", "none.json"),
    "instances": ({"instances": []}, "application/json", "none.json"),
    "inputs": ({"inputs": []}, "application/json", "none.json"),
    "records": ({"dataframe_records": []}, "application/json", "none.json"),
    "split": ({"columns": ["rooms", "age"], "data": []}, "application/json", "none.json"),
    "MLflow's split": ({"dataframe_split": {"columns": ["rooms", "age"], "data": []}}, "application/json", "none.json"),
    "pandas' columns": ({"rooms": {}, "age": {}}, "application/json", "none.json"),
    "lists": ({"rooms": [], "age": []}, "application/json", "none.json"),
    "Azure": ({"data": []}, "application/json", "none.json"),
    "Azure, Inputs": ({"Inputs": {"input1": []}}, "application/json", "none.json"),
    "JSON Lines": (b"", "application/x-ndjson", "none.jsonl"),
    "blank JSON Lines": (b"\n \n", "application/x-ndjson", "none.jsonl"),
    "CSV": (b"rooms,age\n", "text/csv", "none.csv"),
}


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def parquet():
    import pyarrow
    import pyarrow.parquet

    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"rooms": pyarrow.nulls(0), "age": pyarrow.array([], "f8")}), file)
    return file.getvalue()


NONE |= {
    ".npy": (npy(np.empty((0, 2))), "application/x-npy", "none.npy"),
    ".npy with names": (npy(np.empty(0, [("age", "f8"), ("rooms", "i4")])), "application/x-npy", "none.npy"),
    "Parquet": (parquet(), "application/vnd.apache.parquet", "none.parquet"),
}


@every(("content", "kind", "file"), NONE.values(), ids=NONE)
def test_no_rows_in_no_rows_out(content, kind, file, folder, url):
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    (folder / file).write_bytes(data)
    done = run("predict", "model.npz", file, "--format", "csv", cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "price\n", "")
    done = run("predict", "model.npz", file, "--json", cwd=folder)
    assert (done.returncode, json.loads(done.stdout)) == (0, {"predictions": []})
    answer = requests.post(
        f"{url}/invocations", data=data, headers={"Content-Type": kind, "Accept": "application/json"}, timeout=30
    )
    assert (answer.status_code, answer.json()) == (200, {"predictions": []})


@pytest.mark.parametrize(
    "inputs",
    [
        [{"name": "in", "shape": [0, 2], "datatype": "FP64", "data": []}],
        [{"name": name, "shape": [0], "datatype": "FP64", "data": []} for name in ("rooms", "age")],
        [{"name": name, "shape": [0, 1], "datatype": "FP64", "data": []} for name in ("rooms", "age")],
    ],
    ids=["one tensor", "a tensor each", "a tensor (0, 1) each"],
)
def test_a_tensor_without_rows_has_an_answer_without_rows(inputs, folder, url):
    expected = {"name": "price", "shape": [0], "datatype": "FP64", "data": []}
    assert json.loads(predicted(folder, {"inputs": inputs}).stdout)["outputs"] == [expected]
    assert asked(url, {"inputs": inputs}).json()["outputs"] == [expected]


def test_no_rows_of_other_columns_are_refused(folder, url):
    for content in ({"columns": ["rooms"], "data": []}, {"rooms": {}}, {"rooms": []}):
        assert_refused(predicted(folder, content), 2, "no column 'age'")
        assert asked(url, content).status_code == 400


@every("empty", ["[]", '{"columns": ["rooms", "age", "price"], "data": []}', ""])
@every("place", [0, 1, 2])
def test_an_empty_part_ends_neither_training_nor_prediction(place, empty, tmp_path):
    order = [*range(2)]
    order.insert(place, None)
    for number, part in enumerate(order):
        rows = [{"rooms": i, "age": i * i, "price": 40 * i - i * i + 100} for i in range(9) if i % 2 == part]
        (tmp_path / f"part-{number}.json").write_text(empty if part is None else json.dumps(rows))
    done = run("train", "--data", "part-*.json", "--target", "price", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == 9
    answer = run("predict", "models/float64.npz", "part-*.json", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    expected = [40 * i - i * i + 100 for part in (0, 1) for i in range(9) if i % 2 == part]
    assert json.loads(answer.stdout)["predictions"] == pytest.approx(expected)


@every("place", [0, 1, 2])
@every("empty", ["rooms,sea,price\n", "rooms,sea,price\n\n", ""], ids=["names", "blank", "nothing"])
def test_an_empty_part_of_csv_does_not_decide_the_columns(place, empty, tmp_path):
    parts = ["rooms,sea,price\n" + "".join(f"{i},{'near' if i % 3 else 'far'},{i + i % 3}\n" for i in range(20))] * 2
    parts.insert(place, empty)
    for number, part in enumerate(parts):
        (tmp_path / f"part-{number}.csv").write_text(part)
    done = run("train", "--data", "part-*.csv", "--target", "price", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == 40
    # Weighed with its own parts.
    assert run("explain", "models/float64.npz", "--data", "part-*.csv", cwd=tmp_path).returncode == 0


def test_parts_without_a_row_may_be_named_by_the_shell(folder):
    """A shell puts names in the place of its pattern; what is left of a part, packed or not, may be a line end."""
    parts = {
        "none": b"",
        "line": b"\n",
        "mark": b"\xef\xbb\xbf",
        "packed": gzip.compress(b"\r\n"),
        "names": b"age,rooms\n",
    }
    for name, content in parts.items():
        (folder / f"{name}.csv").write_bytes(content)
    (folder / "rows.csv").write_text("rooms,age\n3,10\n")
    done = run("predict", "model.npz", *(f"{name}.csv" for name in parts), "rows.csv", "none.csv", cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "price\n210.0\n", "")
    assert_refused(run("predict", "model.npz", "none.csv", "line.csv", cwd=folder), 2, "none.csv: no names")


def test_parts_that_are_all_empty_do_not_train(tmp_path):
    for number in range(2):
        (tmp_path / f"part-{number}.json").write_text("[]")
    done = run("train", "--data", "part-*.json", "--target", "price", cwd=tmp_path)
    assert_refused(done, 2, "no rows; expected at least one")


# Rows on standard input without INPUT

NOTHING = "nothing came on standard input; docker run needs -i"


def test_rows_that_are_piped_in_are_read(folder):
    done = run_process("predict", "model.npz", "--json", cwd=folder, input="rooms,age\n3,10\n4,5\n")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"predictions": BOTH})


def test_rows_of_a_redirected_file_are_read(folder):
    (folder / "rows.csv").write_text("rooms,age\n3,10\n4,5\n")
    with (folder / "rows.csv").open("rb") as file:
        done = subprocess.run(
            command("predict", "model.npz"), cwd=folder, env=environment(), stdin=file, capture_output=True, check=False
        )
    assert (done.returncode, done.stdout) == (0, b"price\n210.0\n255.0\n")


def test_the_default_model_answers_rows_that_are_piped_in(models, rows):
    environ = {"HOUSING_NP_MODEL": str(models / "float64.npz")}
    given = (rows / "rows.csv").read_text()
    done = run_process("predict", cwd=rows, input=given, env=environ)
    assert done.stdout == run("predict", models / "float64.npz", "rows.csv", cwd=rows).stdout


@pytest.mark.parametrize("kind", ["pipe", "file"])
@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_nothing_on_standard_input_is_told(kind, format, folder):
    (folder / "empty").write_bytes(b"")
    with (folder / "empty").open("rb") as file:
        given = {"input": b""} if kind == "pipe" else {"stdin": file}
        done = subprocess.run(
            command("predict", "model.npz", "--format", format, "-o", "out.csv"),
            cwd=folder, env=environment(), capture_output=True, check=False, **given,
        )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr.decode()) == (2, b"", f"error: {NOTHING}\n")
    assert not (folder / "out.csv").exists()


def test_without_rows_the_bundled_ones_are_shown_with_a_note(models):
    done = run_process("predict", models / "float64.npz", cwd=models, input="")
    assert (done.returncode, done.stdout) == (0, run("predict", models / "float64.npz", cwd=models).stdout)
    assert done.stderr == f"note: {NOTHING}; these are the first bundled rows\n"


def test_without_rows_a_program_gets_no_answers(models):
    assert_refused(run_process("predict", models / "float64.npz", "--json", cwd=models, input=""), 2, NOTHING)


def test_a_terminal_and_the_null_device_are_not_read(models):
    expected = run("predict", models / "float64.npz", cwd=models).stdout
    assert expected.startswith("row")
    ours, theirs = pty.openpty()
    for stdin in (subprocess.DEVNULL, theirs):
        done = subprocess.run(
            command("predict", models / "float64.npz"),
            cwd=models, env=environment(), stdin=stdin, capture_output=True, check=False, text=True, timeout=60,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, expected)
    os.close(ours)
    os.close(theirs)


def test_a_program_is_told_that_its_answers_are_those_of_the_bundled_rows(models):
    done = run("predict", models / "float64.npz", "--json", cwd=models)
    assert (done.returncode, len(json.loads(done.stdout)["predictions"])) == (0, 5)
    assert (
        done.stderr == "note: no INPUT, and nothing on standard input (docker run needs -i): the first bundled rows\n"
    )


def test_named_rows_come_before_those_on_standard_input(folder):
    (folder / "rows.csv").write_text("rooms,age\n3,10\n")
    done = run_process("predict", "model.npz", "rows.csv", cwd=folder, input="rooms,age\n4,5\n")
    assert done.stdout == "price\n210.0\n"


def test_a_range_on_standard_input_is_not_rows_to_predict(models, rows):
    done = run_process(
        "predict", models / "float64.npz", "--range", "-", cwd=rows, input=(rows / "rows.csv").read_text()
    )
    assert done.stdout == run("predict", models / "float64.npz", cwd=rows).stdout


def test_rows_of_a_slow_pipe_are_answered_as_they_come(folder):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command("predict", "model.npz"), cwd=folder, env=environment(), **pipes) as process:
        process.stdin.write(b"rooms,age\n3,10\n")
        process.stdin.flush()
        assert [process.stdout.readline() for _ in range(2)] == [b"price\n", b"210.0\n"]
        process.stdin.close()
        assert process.wait(60) == 0


# Other doors


@pytest.mark.parametrize(("file", "format"), [("a.json", "json"), ("a.jsonl", "jsonl"), ("a.csv", "csv")])
def test_the_bundled_rows_are_written_in_the_format_of_the_name(file, format, models, tmp_path):
    expected = run("predict", models / "float64.npz", "--format", format, cwd=tmp_path).stdout
    assert run("predict", models / "float64.npz", "-o", file, cwd=tmp_path).returncode == 0
    assert (tmp_path / file).read_text() == expected


def test_the_bundled_rows_are_a_table_in_a_file_of_text(models, tmp_path):
    run("predict", models / "float64.npz", "-o", "a.txt", cwd=tmp_path)
    assert (tmp_path / "a.txt").read_text() == run("predict", models / "float64.npz", cwd=tmp_path).stdout


def test_a_file_without_its_option_is_named(tmp_path):
    for arguments, hint in (
        (["rows.csv"], "rows.csv; did you mean --data rows.csv?"),
        (["my rows*.csv"], "my rows*.csv; did you mean --data 'my rows*.csv'?"),
        (["-"], "-; did you mean --data -?"),
        (["a.csv", "b.csv"], "a.csv b.csv; --data takes one file, or a pattern of files in quotes, such as"),
        (["--data", "a.csv", "b.csv"], "b.csv; --data takes one file, or a pattern of files in quotes, such as"),
    ):
        done = run("train", *arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert f"unrecognized arguments: {hint}" in done.stderr
    assert "did you mean" not in run("train", "--rows", "rows.csv", cwd=tmp_path).stderr
    assert "did you mean" not in run("train", "a.npz", cwd=tmp_path).stderr
    assert "b.npz; did you mean --against b.npz?" in run("explain", "a.npz", "b.npz", cwd=tmp_path).stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "model.npz", "body.json", "--id", "rooms", "--id=age"),
        ("train", "--data", "a.csv", "--target", "y", "--data", "b.csv"),
        ("compare", "--data", "a.csv", "--target", "y", "--target", "z"),
        ("quantize", "model.npz", "--data", "a.csv", "--data", "b.csv", "--out", "o.npz"),
        ("explain", "model.npz", "--data", "a.csv", "--data", "b.csv"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_would_replace_the_first_without_a_word_is_refused(arguments, folder):
    done = run(*arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "given twice; it takes one; see --help" in done.stderr


def test_a_model_of_other_rows_is_not_explained_by_the_bundled_ones(tmp_path):
    for name in ("a.npz", "b.npz"):
        save(LinearRegression.from_coefficients([40.0], 100.0, ["carat"], ["price"]), tmp_path / name)
    done = run("explain", "a.npz", "--against", "b.npz", cwd=tmp_path)
    assert_refused(done, 2, "to weigh the error with: --data FILE")
