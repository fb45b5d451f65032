"""The command that takes a model elsewhere: what it writes where, what it tells, and what it refuses."""

import io
import json
import os
import re
import select
import shutil
import subprocess
import sys
from hashlib import sha256

import numpy as np
import onnx
import pytest
from cases import every
from running import answer, assert_refused, environment, run, run_process, strict
from tools import compile

from housing_np import HousingError, LinearRegression, QuantizedLinear, load, save
from housing_np.export import __main__ as command
from housing_np.export import export, to_c, to_html, to_onnx
from housing_np.export.facts import Facts
from housing_np.rows.california import UNITS
from housing_np.rows.columns import Columns

CALIFORNIA = "from 0.4999 to 15.0001"


@pytest.fixture
def xy(tmp_path):
    """A folder with models of x and y: float, per-channel and integer."""
    model = LinearRegression.from_coefficients([10.0, 1.0], 100.0, ["x", "y"], ["z"])
    X = np.array([[0.0, 5.0], [1.0, 6.0], [255.0, 7.0]])
    save(model, tmp_path / "float64.npz")
    for scheme in ("per-channel", "integer"):
        save(QuantizedLinear.from_linear(model, X, scheme), tmp_path / f"{scheme}.npz")
    return tmp_path


def written(folder, *arguments, **options):
    """What the command writes into a folder: the text of each new file."""
    before = set(folder.iterdir())
    done = run("export", *arguments, cwd=folder, **options)
    assert done.returncode == 0, done.stderr
    return {path.name: path.read_text() for path in folder.iterdir() if path not in before}


# What is written where


def test_a_source_has_its_header_beside_it(xy):
    texts = written(xy, "integer.npz", "-o", "price.c")
    assert set(texts) == {"price.c", "price.h"}
    assert (
        '#include "price.h"' in texts["price.c"]
        and "int32_t price_sum(const uint8_t x[PRICE_FEATURES]);" in texts["price.h"]
    )


def test_a_header_alone_is_what_python_exports(xy):
    expected = export(load(xy / "integer.npz"), "c", name="price")
    assert written(xy, "integer.npz", "-o", "price.h") == {"price.h": expected}
    assert written(xy, "integer.npz", "--header-only", "--out", "price2.h")["price2.h"] == expected.replace(
        "price", "price2"
    ).replace("PRICE", "PRICE2")


@pytest.mark.parametrize("out", [[], ["-o", "-"]])
def test_without_a_file_the_text_goes_to_standard_output(out, xy):
    done = run("export", "integer.npz", "--to", "c", *out, cwd=xy)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == export(load(xy / "integer.npz"), "c")


def test_the_files_are_told_with_their_sizes(xy):
    done = run("export", "integer.npz", "-o", "price.c", "--golden", "3", cwd=xy)
    sizes = [(xy / name).stat().st_size for name in ("price.c", "price.h", "price_test.c")]
    assert done.stdout == "price.c: {} bytes\nprice.h: {} bytes\nprice_test.c: {} bytes\n".format(*sizes)


def test_the_report_is_json_too(xy):
    report = strict(answer("export", "integer.npz", "-o", "price.c", "--json", cwd=xy))
    assert report == {
        "to": "c",
        "scheme": "integer",
        "sha256": sha256((xy / "integer.npz").read_bytes()).hexdigest(),
        "files": {name: (xy / name).stat().st_size for name in ("price.c", "price.h")},
    }


def test_the_digest_is_that_of_the_bytes_of_the_file(xy):
    content = (xy / "integer.npz").read_bytes()
    assert sha256(content).hexdigest() in written(xy, "integer.npz", "-o", "price.h")["price.h"]
    assert Facts.of(load(xy / "integer.npz"), "model", content=b"other").sha256 == sha256(b"other").hexdigest()


def test_the_other_ways_to_run_it(xy):
    expected = run_process("export", "float64.npz", "--to", "c", cwd=xy)
    assert (expected.returncode, expected.stdout) == (0, export(load(xy / "float64.npz"), "c"))
    done = run_process("__main__", "export", "float64.npz", "--to", "c", cwd=xy)
    assert (done.returncode, done.stdout) == (0, expected.stdout)


def test_an_onnx_file_tells_the_name_and_the_digest(xy):
    assert run("export", "integer.npz", "-o", "price.onnx", cwd=xy).returncode == 0
    made = onnx.load(xy / "price.onnx")
    told = {each.key: each.value for each in made.metadata_props}
    assert (made.graph.name, told["scheme"]) == ("price", "integer")
    assert told["sha256"] == sha256((xy / "integer.npz").read_bytes()).hexdigest()


@pytest.mark.parametrize(("options", "type"), [([], onnx.TensorProto.DOUBLE), (["--float32"], onnx.TensorProto.FLOAT)])
def test_onnx_takes_float64_unless_float32_is_asked_for(options, type, xy):
    assert run("export", "integer.npz", "-o", "price.onnx", *options, cwd=xy).returncode == 0
    (given,) = onnx.load(xy / "price.onnx").graph.input
    assert given.type.tensor_type.elem_type == type


class Terminal(io.TextIOWrapper):
    def isatty(self):
        return True


@pytest.mark.skipif(os.name != "posix", reason="as POSIX systems do it")
def test_bytes_are_not_for_a_terminal(xy):
    ours, its = os.openpty()
    done = run_process("export", "integer.npz", "--to", "onnx", cwd=xy, stdout=its)
    assert select.select([ours], [], [], 0)[0] == []  # nothing was written
    os.close(ours)
    os.close(its)
    assert_refused(done, 2, "a binary file is nothing for a terminal: name a file with --out, or pipe")


def test_a_terminal_gets_nothing_that_it_would_obey(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal(io.BytesIO()))
    command._print("a\n\x1b[31mb\n")
    sys.stdout.flush()
    assert sys.stdout.buffer.getvalue() == b"a\n\\x1b[31mb\n"


# Ranges, and the float model


def test_the_range_is_the_integer_model_s_own(xy):
    text = written(xy, "integer.npz", "-o", "price.h")["price.h"]
    assert '"x", from 0 to 255: 0.0 + 1.0 * uint8 */' in text


def test_the_range_of_a_model_of_the_bundled_data_is_theirs(models):
    done = run("export", models / "float64.npz", "--to", "c", cwd=models)
    assert f'"MedInc" in 10,000 US dollars, {CALIFORNIA} */' in done.stdout


def test_other_models_have_none(xy):
    assert '/* "x" */' in written(xy, "float64.npz", "-o", "price.h")["price.h"]


def test_rows_give_the_range_and_the_bad_ones_are_counted(xy):
    (xy / "rows.csv").write_text("y;x\n1,5;2\nn;3\n-1;4\n")
    options = ["--range", "rows.csv", "--decimal", ",", "--on-error", "skip"]
    done = run("export", "per-channel.npz", "-o", "price.h", *options, cwd=xy)
    assert done.stderr.startswith("note: bad rows skipped: 1; the first: rows.csv: row 2 (line 3), column 'y': ")
    text = (xy / "price.h").read_text()
    assert '"x", from 2 to 4 */' in text and '"y", from -1 to 1.5 */' in text


def test_rows_come_on_standard_input_too(xy):
    done = run("export", "float64.npz", "--to", "c", "--range", "-", cwd=xy, input="x,y\n1,2\n3,4\n")
    assert '"x", from 1 to 3 */' in done.stdout


def page_data(folder, *arguments):
    """What the page that the command writes knows of the model."""
    done = run("export", *arguments, "--to", "html", cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(re.search(r"\{\"scheme\":.*\}", done.stdout)[0])


@pytest.mark.parametrize("against", [[], ["--against", "else/other.npz"]])
def test_a_page_shows_the_float_model_beside_the_file_or_the_one_that_is_given(against, xy):
    (xy / "else").mkdir()
    save(LinearRegression.from_coefficients([10.0, 1.0], 100.001, ["x", "y"], ["z"]), xy / "else" / "other.npz")
    shown = page_data(xy, "integer.npz", *against)["float"]
    assert shown == {"coef": [[10.0, 1.0]], "intercept": [100.001 if against else 100.0]}


def test_a_float_model_of_other_columns_beside_the_file_is_left_out_and_told(xy):
    save(LinearRegression.from_coefficients([1.0], 0.0, ["a"], ["b"]), xy / "float64.npz")
    assert page_data(xy, "integer.npz")["float"] is None
    done = run("export", "integer.npz", "--to", "html", cwd=xy)
    assert done.stderr.startswith("note: the page shows no float model beside this one: float64.npz has other features")


def test_a_page_of_a_file_has_its_columns(tmp_path):
    columns = Columns(("age", "sea"), levels={"sea": ("far", "(missing)")}, fills={"age": 30.0})
    save(LinearRegression.from_coefficients([1, 2], 0, columns.feature_names, ["y"], columns), tmp_path / "m.npz")
    assert page_data(tmp_path, "m.npz")["columns"] == [
        {"name": "age", "unit": "", "low": None, "high": None, "start": 0.0, "fill": 30.0},
        {"name": "sea", "unit": "", "levels": ["far", "(missing)"], "start": 0},
    ]


# What the report of a training tells


@pytest.fixture
def berlin(tmp_path):
    """A folder with a training on rents in Berlin, which have a feature called as one of California's."""
    rows = "".join(f"{people},{2 * people + people % 7}\n" for people in range(100, 200))
    (tmp_path / "rents.csv").write_text(f"Population,rent\n{rows}")
    answer("train", "--data", "rents.csv", "--target", "rent", cwd=tmp_path)
    return tmp_path


def test_names_tell_neither_units_nor_a_range(tmp_path):
    save(LinearRegression.from_coefficients([2.0], 0.0, ["Population"], ["MedHouseVal"]), tmp_path / "float64.npz")
    assert '/* "Population" */' in answer("export", "float64.npz", "--to", "c", cwd=tmp_path)
    (feature,) = page_data(tmp_path, "float64.npz")["columns"]
    assert feature == {"name": "Population", "unit": "", "low": None, "high": None, "start": 0.0}


@pytest.mark.parametrize("name", ["float64", "uint8-per-channel", "uint8-per-tensor", "uint8-integer"])
def test_the_range_is_that_of_the_rows_that_the_model_was_trained_on(name, berlin):
    text = answer("export", f"models/{name}.npz", "--to", "c", cwd=berlin)
    assert re.search(r'/\* "Population", from 100 to 199[: ]', text)
    (feature,) = page_data(berlin, f"models/{name}.npz")["columns"]
    assert (feature["unit"], feature["low"], round(feature["high"], 4)) == ("", 100.0, 199.0)


def test_the_report_of_the_bundled_data_tells_units_and_the_first_row(models, california):
    data = page_data(models, "uint8-per-channel.npz")
    assert [each["unit"] for each in (*data["columns"], *data["targets"])] == list(UNITS.values())
    assert [each["start"] for each in data["columns"]] == california.table.X[0].tolist()


def test_a_report_of_another_file_tells_nothing(berlin):
    save(LinearRegression.from_coefficients([2.0], 1.0, ["Population"], ["rent"]), berlin / "models" / "float64.npz")
    assert '/* "Population" */' in answer("export", "models/float64.npz", "--to", "c", cwd=berlin)


@pytest.mark.parametrize(
    "content", ["", "{", '{"housing_np_report": 1}', '{"housing_np_report": 1, "stages": 3}', '["housing_np_report"]']
)
def test_a_report_that_is_not_whole_tells_nothing(content, berlin):
    (berlin / "models" / "report.json").write_text(content)
    assert '/* "Population" */' in answer("export", "models/float64.npz", "--to", "c", cwd=berlin)


def test_a_report_of_another_version_tells_nothing(berlin):
    report = berlin / "models" / "report.json"
    report.write_text(report.read_text().replace('"housing_np_report": 1', '"housing_np_report": 2'))
    assert '/* "Population" */' in answer("export", "models/float64.npz", "--to", "c", cwd=berlin)


def test_rows_that_are_given_come_before_the_report(berlin):
    (berlin / "rows.csv").write_text("Population\n5\n6\n")
    text = answer("export", "models/float64.npz", "--to", "c", "--range", "rows.csv", cwd=berlin)
    assert '"Population", from 5 to 6 */' in text


def test_a_report_that_is_given_tells_the_range_of_a_model_elsewhere(berlin):
    shutil.copy(berlin / "models" / "float64.npz", berlin)
    text = answer("export", "float64.npz", "--to", "c", "--range", "models/report.json", cwd=berlin)
    assert '"Population", from 100 to 199 */' in text


def test_a_report_has_no_golden_rows(berlin):
    arguments = ["models/float64.npz", "-o", "rent.c", "--golden", "3", "--range", "models/report.json"]
    assert_refused(run("export", *arguments, cwd=berlin), 2, "--golden 3: models/report.json has 0 rows")


def test_a_unit_ends_no_comment():
    model = LinearRegression.from_coefficients([1.0], 0.0, ["x"], ["y"])
    assert r'"x" in *\/ m\u00b2 */' in export(model, "c", units={"x": "*/ m²"})


# Golden rows


def rows_of(text):
    found = text.split("rows[ROWS][PRICE_FEATURES] = {\n")[1].split("\n};")[0]
    return json.loads(f"[{found.replace('{', '[').replace('}', ']')}]")


def test_golden_rows_are_the_first_of_those_that_are_given(xy):
    (xy / "rows.csv").write_text("y,x\n1,2\n3,4\n5,6\n")
    texts = written(xy, "float64.npz", "-o", "price.c", "--golden", "2", "--range", "rows.csv")
    assert rows_of(texts["price_test.c"]) == [[2.0, 1.0], [4.0, 3.0]]


def test_golden_rows_are_the_bundled_ones(models, california, tmp_path):
    texts = written(tmp_path, models / "uint8-per-channel.npz", "-o", "price.c", "--golden", "5")
    assert rows_of(texts["price_test.c"]) == california.table.X[:5].tolist()


def test_golden_rows_of_an_integer_model_are_drawn_in_its_range_and_beyond(xy):
    rows = np.array(rows_of(written(xy, "integer.npz", "-o", "price.c", "--golden", "200")["price_test.c"]))
    assert rows.shape == (200, 2)
    for column, low, high in zip(rows.T, [0.0, 5.0], [255.0, 7.0], strict=True):
        tenth = (high - low) / 10
        assert low - tenth <= column.min() < low and high < column.max() <= high + tenth * 1.001
    again = written(xy, "integer.npz", "-o", "price2.c", "--golden", "200")["price2_test.c"]
    assert again.replace("price2", "price").replace("PRICE2", "PRICE") == (xy / "price_test.c").read_text()


@pytest.mark.parametrize("out", ["price.c", "price.h"])
def test_the_test_program_is_run_with_what_was_written(out, xy):
    files = [name for name in written(xy, "integer.npz", "-o", out, "--golden", "50") if name.endswith(".c")]
    assert compile("cc", "-std=c99", "-Wall", "-Werror", *files, "-o", "golden", cwd=xy).returncode == 0
    assert compile(str(xy / "golden"), cwd=xy).stdout == "50 of 50 rows are equal\n"


# What is refused


@pytest.mark.parametrize("there", ["price.c", "price.h", "price_test.c"])
def test_no_file_is_replaced_unless_it_is_asked_for(there, xy):
    (xy / there).write_text("mine")
    arguments = ["integer.npz", "-o", "price.c", "--golden", "2"]
    before = set(xy.iterdir())
    done = run("export", *arguments, cwd=xy)
    assert_refused(done, 2, f"{there}: is there already; give another name, or --force to replace it")
    assert (xy / there).read_text() == "mine" and set(xy.iterdir()) == before
    assert run("export", *arguments, "--force", cwd=xy).returncode == 0
    assert (xy / there).read_text() != "mine"


def test_where_one_file_cannot_be_written_none_is(xy):
    (xy / "price_test.c").mkdir()
    before = set(xy.iterdir())
    done = run("export", "integer.npz", "-o", "price.c", "--golden", "2", cwd=xy)
    assert_refused(
        done, 2, "price_test.c: cannot be written (Is a directory)" if sys.platform != "win32" else "price_test.c"
    )
    assert set(xy.iterdir()) == before


def test_a_folder_that_is_missing_is_named(xy):
    done = run("export", "integer.npz", "-o", "none/price.c", cwd=xy)
    assert_refused(done, 2, "price.c: cannot be written (No such file or directory); make the folder none first")


@every(
    ("arguments", "words"),
    [
        ([], "--to says what to make (c, onnx, html), or the end of --out (.c, .h, .onnx, .html)"),
        (["-o", "price.xyz"], "cannot tell the target from '.xyz'; give --to c, onnx or html"),
        (["--to", "c", "-o", "price"], "--out price does not fit --to c: end it in .c or .h"),
        (["--to", "onnx", "-o", "price.html"], "--out price.html does not fit --to onnx: end it in .onnx"),
        (["-o", "price.html", "--header-only"], "--header-only is for --to c, not html"),
        (["-o", "price.onnx", "--golden", "3"], "--golden is for --to c, not onnx"),
        (["-o", "price.c", "--float32"], "--float32 is for --to onnx, not c"),
        (["-o", "price.c", "--against", "float64.npz"], "--against is for --to html, not c"),
        (["-o", "price.c", "--header-only"], "--header-only writes one header: end --out in .h"),
        (["--to", "c", "--golden", "3"], "--golden writes a second file: name the first with --out"),
        (["--to", "c", "--json"], "--json tells what was written: name a file with --out"),
        (["-o", "price.c", "--golden", "0"], "'0' is no number of rows: expected 1 or more"),
        (["-o", 'a"b.c'], "no #include can name this file; give it a plain name"),
        (["-o", "a\nb.c"], "no #include can name this file; give it a plain name"),
        (["-o", "price.c", "--range", "none.csv"], "none.csv"),
        (["-o", "price.c", "--golden", "4", "--range", "rows.csv"], "--golden 4: rows.csv has 3 rows; ask for fewer"),
        (["-o", "price.c", "--range", "empty.csv"], "empty.csv: no rows"),
    ],
)
def test_a_mistake_is_one_line(arguments, words, xy):
    (xy / "rows.csv").write_text("x,y\n1,2\n3,4\n5,6\n")
    (xy / "empty.csv").write_text("x,y\n")
    before = set(xy.iterdir())
    done = run("export", "integer.npz", *arguments, cwd=xy)
    assert_refused(done, 2, words)
    assert set(xy.iterdir()) == before


def test_golden_rows_that_nobody_knows_have_to_be_given(xy):
    done = run("export", "per-channel.npz", "-o", "price.c", "--golden", "3", cwd=xy)
    assert_refused(done, 2, "--golden needs rows", "give some with --range FILE")


def test_more_golden_rows_than_there_are_bundled_ones_are_refused(models, tmp_path):
    done = run("export", models / "float64.npz", "-o", "price.c", "--golden", "20641", cwd=tmp_path)
    assert_refused(done, 2, "--golden 20641: the bundled data has 20640 rows")


def test_a_float_model_has_none_beside_it(xy):
    done = run("export", "float64.npz", "-o", "price.html", "--against", "float64.npz", cwd=xy)
    assert_refused(done, 2, "float64.npz is a float model: --against is for uint8 ones")


def test_a_missing_model_is_a_bad_artifact(xy):
    assert_refused(run("export", "none.npz", "-o", "price.c", cwd=xy), 3, "none.npz: cannot be read")
    (xy / "bad.npz").write_bytes(b"PK")
    assert_refused(run("export", "bad.npz", "-o", "price.c", cwd=xy), 3, "bad.npz: not a whole .npz file")


# From Python


def test_the_package_is_had_without_an_import_of_its_own():
    code = "import housing_np; print(housing_np.export.export.__name__, housing_np.distributed.fit.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    assert done.stdout == "export fit\n"


@pytest.mark.parametrize(("function", "to"), [(to_c, "c"), (to_onnx, "onnx"), (to_html, "html")])
def test_each_target_has_a_function_that_gives_what_export_gives(function, to, xy):
    model = load(xy / "integer.npz")
    options = {"name": "price", "X": [[0.0, 1.0], [5.0, 2.0]], "units": {"x": "m"}}
    assert function(model, **options) == export(model, to, **options)


def test_an_unknown_target_is_refused(xy):
    with pytest.raises(HousingError, match=r"^to is 'java': expected one of c, onnx, html$"):
        export(load(xy / "float64.npz"), "java")


def test_a_linear_model_of_another_library_is_exported(california):
    from sklearn.linear_model import Ridge

    model = Ridge().fit(california.table.X, california.table.y)
    assert "double model_predict(const double x[MODEL_FEATURES])" in export(model, "c")
    with pytest.raises(HousingError, match="expected a model to export, not int"):
        export(3, "c")


def test_names_that_were_changed_are_told_unless_it_is_quiet(tmp_path):
    save(LinearRegression.from_coefficients([1.0], 0.0, ["a b"], ["y"]), tmp_path / "model.npz")
    arguments = ["model.npz", "-o", "my-price.h"]
    assert run("export", *arguments, cwd=tmp_path).stderr.splitlines() == [
        'note: the functions of "my-price" begin with my_price_',
        'note: as constants of C, "a b" is MY_PRICE_FEATURE_a_b',
    ]
    assert run("export", *arguments, "--force", "--quiet", cwd=tmp_path).stderr == ""


# Categories and fills

SEA = Columns(("age", "sea"), levels={"sea": ("far", "near", "gone")}, fills={"age": 30.5})


@pytest.fixture
def by_the_sea(tmp_path):
    """A folder with a model of a category and a fill, and rows in a user's columns."""
    model = LinearRegression.from_coefficients([2.0, 30.0, 50.0], 7.0, SEA.feature_names, ["price"], SEA)
    save(model, tmp_path / "float64.npz")
    X = SEA.encode(np.array([[1, 0], [9, 1], [5, 2.0]]))
    save(QuantizedLinear.from_linear(model, X, "integer"), tmp_path / "integer.npz")
    (tmp_path / "rows.csv").write_text("sea,age\nfar,10\ngone,\nnear,50\n")
    return tmp_path


@pytest.mark.parametrize("to", ["c", "onnx", "html"])
def test_a_model_of_categories_is_exported_in_every_form(to, by_the_sea):
    done = run("export", "integer.npz", "-o", f"price.{to}", cwd=by_the_sea)
    assert (done.returncode, (by_the_sea / f"price.{to}").stat().st_size > 0) == (0, True)


def test_rows_of_a_user_s_columns_give_the_range_of_the_features(by_the_sea):
    assert run("export", "float64.npz", "-o", "price.onnx", "--range", "rows.csv", cwd=by_the_sea).returncode == 0
    known = {each.key: each.value for each in onnx.load(by_the_sea / "price.onnx").metadata_props}
    assert (json.loads(known["low"]), json.loads(known["high"])) == ([10.0, 0.0, 0.0], [50.0, 1.0, 1.0])


def test_a_frame_of_a_user_s_columns_gives_the_range_of_the_features(by_the_sea):
    frame = np.array([("far", 10.0), ("gone", np.nan), ("near", 50.0)], [("sea", "U4"), ("age", float)])
    model = load(by_the_sea / "float64.npz")
    assert run("export", "float64.npz", "-o", "price.onnx", "--range", "rows.csv", cwd=by_the_sea).returncode == 0
    assert export(model, "onnx", name="price", X=frame) == (by_the_sea / "price.onnx").read_bytes()


def test_golden_rows_that_are_drawn_have_one_level_of_each_category(by_the_sea):
    assert run("export", "integer.npz", "-o", "price.c", "--golden", "100", cwd=by_the_sea).returncode == 0
    found = re.findall(r"PRICE_LEVEL_sea_(\w+)\}", (by_the_sea / "price_test.c").read_text())
    assert (len(found), set(found)) == (100, {"far", "near", "gone"})
