"""What explain says of a model file, and whom it blames."""

import json
import shutil

import numpy as np
import pytest

from housing_np import ArtifactError, HousingError, LinearRegression, QuantizedLinear, load, save
from housing_np.explain import main
from housing_np.rows.columns import Columns


@pytest.fixture(scope="module")
def table(california):
    return california.table


@pytest.fixture(scope="module")
def model(models):
    return load(models / "float64.npz")


@pytest.fixture(scope="module")
def files(model, models, table, tmp_path_factory):
    """The float model and the report of its training, quantized models, and the weights of the original's cast."""
    folder = tmp_path_factory.mktemp("models")
    shutil.copy(models / "report.json", folder)
    low, high = model.coef_.min(), model.coef_.max()
    scale = (high - low) / 255
    truncated = ((model.coef_ - low) / scale).astype(np.uint8) * scale + low
    names = model.feature_names_in_, model.target_names_
    every = {
        "float": model,
        "truncated": LinearRegression.from_coefficients(truncated, model.intercept_, *names),
        **{scheme: QuantizedLinear.from_linear(model, table.X, scheme) for scheme in ("per-tensor", "integer")},
    }
    for name, each in every.items():
        save(each, folder / f"{name}.npz")
    return folder


@pytest.fixture
def explain(capsys, files):
    """Return what explain prints of a file there."""

    def explain(name, *arguments):
        assert main([str(files / f"{name}.npz"), *map(str, arguments)]) == 0
        return capsys.readouterr().out

    return explain


def test_the_original_s_scheme_fails_through_population(explain, files):
    text = explain("truncated", "--against", files / "float.npz")
    assert "Population does most of it" in text
    report = json.loads(explain("truncated", "--against", files / "float.npz", "--json"))
    assert report["shares"][0]["feature"] == "Population"


def test_an_effect_is_the_error_of_the_weight_times_the_rms_of_the_feature(explain, files, table):
    shares = json.loads(explain("per-tensor", "--against", files / "float.npz", "--json"))["shares"]
    rms = np.sqrt(np.mean(table.X**2, axis=0))
    for share in shares:
        size = rms[table.feature_names.index(share["feature"])]
        assert share["effect"] == pytest.approx(abs(share["weight"] - share["reference"]) * size, rel=1e-9)
    effects = [share["effect"] for share in shares]
    assert effects == sorted(effects, reverse=True)


def test_no_feature_is_blamed_where_no_weight_is_off(explain, files):
    text = explain("float", "--against", files / "float.npz")
    assert text.endswith("\nno error: the weights are those of the float model\n") and "most of it" not in text


def test_without_a_float_model_the_data_give_one(explain, files, tmp_path, table):
    rows = np.column_stack([table.X, table.y])
    names = ",".join([*table.feature_names, table.target_name])
    np.savetxt(tmp_path / "rows.csv", rows, "%.17g", ",", header=names, comments="")
    by_data = json.loads(explain("per-tensor", "--data", tmp_path / "rows.csv", "--json"))
    by_model = json.loads(explain("per-tensor", "--against", files / "float.npz", "--json"))
    assert [share["feature"] for share in by_data["shares"]] == [share["feature"] for share in by_model["shares"]]
    assert by_data["guarantee"] == pytest.approx(by_model["guarantee"], rel=1e-6)


def test_data_without_the_target_are_refused(files, tmp_path, table):
    (tmp_path / "rows.csv").write_text(",".join(table.feature_names) + "\n1,2,3,4,5,6,7,8\n")
    with pytest.raises(HousingError, match="rows.csv: the rows lack the target 'MedHouseVal'; add it as a column$"):
        main([str(files / "per-tensor.npz"), "--data", str(tmp_path / "rows.csv")])


def test_the_rows_weigh_the_error(explain, files, tmp_path, table):
    # Where nobody lives and nothing else varies, only the constant feature can be to blame.
    row = dict.fromkeys(table.feature_names, 0.0) | {"Latitude": 35.0}
    (tmp_path / "rows.json").write_text(json.dumps([row, row]))
    report = explain("truncated", "--against", files / "float.npz", "--data", tmp_path / "rows.json", "--json")
    assert [share["feature"] for share in json.loads(report)["shares"] if share["effect"]] == ["Latitude"]


def test_the_deviation_is_within_the_bound(explain, files):
    report = json.loads(explain("integer", "--against", files / "float.npz", "--json"))["guarantee"]
    assert 0 < report["median_deviation"] < report["median_bound"]
    assert report["largest_deviation"] < report["largest_bound"]


@pytest.mark.parametrize("name", ["float", "per-tensor", "integer"])
def test_the_bytes_are_those_of_the_file(name, explain, files):
    report = json.loads(explain(name, "--json"))
    assert report["file_bytes"] == (files / f"{name}.npz").stat().st_size
    assert f"{report['file_bytes']} bytes, {report['payload_bytes']} of numbers" in explain(name)


def test_every_number_of_the_file_is_shown(explain, model):
    numbers = json.loads(explain("integer", "--json"))["numbers"]
    assert set(numbers) >= {"bits", "weights", "scale", "zero_point", "bias", "input_scale", "input_offset"}
    lines = explain("integer").splitlines()
    assert [line.split()[0] for line in lines if line.split() and line.split()[0] in model.feature_names_in_] == list(
        model.feature_names_in_
    )


def test_several_targets_stand_side_by_side(tmp_path, capsys):
    X = np.arange(12.0).reshape(6, 2) ** 2
    save(LinearRegression().fit(X, np.column_stack([X[:, 0], 2 * X[:, 1]])), tmp_path / "two.npz")
    assert main([str(tmp_path / "two.npz")]) == 0
    assert "2 features to predict y0, y1" in capsys.readouterr().out


def test_a_quantized_reference_is_refused(files):
    with pytest.raises(HousingError, match="integer.npz is quantized: --against takes the float model"):
        main([str(files / "per-tensor.npz"), "--against", str(files / "integer.npz")])


def test_another_model_s_float_is_refused(files, tmp_path):
    save(LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0]), tmp_path / "other.npz")
    with pytest.raises(HousingError, match="other.npz has other features or targets than the model"):
        main([str(files / "per-tensor.npz"), "--against", str(tmp_path / "other.npz")])


def test_as_many_targets_as_features_are_not_mixed_up(tmp_path, capsys):
    model = LinearRegression.from_coefficients([[1, 2], [30, 40]], [100, 200], ["a", "b"], ["s", "t"])
    save(model, tmp_path / "two.npz")
    main([str(tmp_path / "two.npz")])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[-2:]] == [["a", "1", "30"], ["b", "2", "40"]]
    save(QuantizedLinear.from_linear(model, np.eye(2)), tmp_path / "small.npz")
    main([str(tmp_path / "small.npz")])
    assert "intercept: " in capsys.readouterr().out


def test_rows_are_no_model_file(tmp_path):
    (tmp_path / "rows.csv").write_text("x\n1\n")
    with pytest.raises(ArtifactError, match=r"rows\.csv is not a model file; give one that train wrote \(\.npz\)$"):
        main([str(tmp_path / "rows.csv")])


# Categories and fills

SEA = Columns(("age", "sea"), levels={"sea": ("far", "near")}, fills={"age": 30.5})


@pytest.fixture
def by_the_sea(tmp_path):
    """A folder with models of a category and a fill, float and quantized, and their rows in a user's columns."""
    cells = np.array([[10, 0], [20, 1], [np.nan, 1], [40, 0], [55, 1]])
    model = LinearRegression.from_coefficients([2.0, 30.0], 7.0, SEA.feature_names, ["price"], SEA)
    save(model, tmp_path / "float.npz")
    save(QuantizedLinear.from_linear(model, SEA.encode(cells), "integer"), tmp_path / "small.npz")
    lines = ["age,sea,price", "10,far,27", "20,near,77", ",near,98", "40,far,87", "55,near,147"]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_the_levels_of_a_category_are_below_its_name_and_its_baseline_is_0(by_the_sea, capsys):
    main([str(by_the_sea / "float.npz")])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[-4:]] == [["age", "2"], ["sea"], ["=", "far", "0"], ["=", "near", "30"]]


def test_the_baseline_of_a_quantized_model_has_no_integer(by_the_sea, capsys):
    main([str(by_the_sea / "small.npz")])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines if "far" in line] == [["=", "far", "0"]]


def test_fills_are_shown(by_the_sea, capsys):
    main([str(by_the_sea / "small.npz")])
    assert "\nfilled where missing: age with 30.5\n" in capsys.readouterr().out


def test_the_report_has_levels_and_fills(by_the_sea, capsys):
    main([str(by_the_sea / "small.npz"), "--json"])
    report = json.loads(capsys.readouterr().out)
    assert (report["levels"], report["fills"]) == ({"sea": ["far", "near"]}, {"age": 30.5})
    assert report["features"] == ["age", "sea=near"]


def test_the_report_of_plain_numbers_has_neither(explain):
    assert {"levels", "fills"}.isdisjoint(json.loads(explain("float", "--json")))


def test_rows_of_a_user_s_columns_weigh_the_error(by_the_sea, capsys):
    main(
        [
            str(by_the_sea / "small.npz"),
            "--against",
            str(by_the_sea / "float.npz"),
            "--data",
            str(by_the_sea / "rows.csv"),
            "--json",
        ]
    )
    shares = {share["feature"]: share for share in json.loads(capsys.readouterr().out)["shares"]}
    rms = np.sqrt(np.mean(np.square([10, 20, 30.5, 40, 55])))
    assert shares["age"]["effect"] == pytest.approx(abs(shares["age"]["weight"] - 2) * rms, rel=1e-9)
    assert shares["sea=near"]["effect"] == pytest.approx(abs(shares["sea=near"]["weight"] - 30) * 0.6**0.5, rel=1e-9)


def test_rows_of_a_user_s_columns_give_the_float_model(by_the_sea, capsys):
    main([str(by_the_sea / "small.npz"), "--data", str(by_the_sea / "rows.csv"), "--json"])
    shares = json.loads(capsys.readouterr().out)["shares"]
    assert {share["feature"]: round(share["reference"], 9) for share in shares} == {"age": 2.0, "sea=near": 30.0}


def test_bad_rows_of_a_user_s_columns_are_skipped(by_the_sea, capsys):
    with (by_the_sea / "rows.csv").open("a") as rows:
        rows.write("1,MARS,2\n")
    main([str(by_the_sea / "small.npz"), "--data", str(by_the_sea / "rows.csv"), "--on-error", "skip"])
    assert "note: bad rows skipped: 1" in capsys.readouterr().err


@pytest.mark.parametrize("feature", ["x" * 500, "a=b", "\x1b[31m", "sea=near, or far"])
def test_a_name_is_cut_and_commands_no_terminal(feature, tmp_path, capsys):
    model = LinearRegression.from_coefficients([1.0], 0.0, [feature], ["y"])
    save(model, tmp_path / "float.npz")
    save(QuantizedLinear.from_linear(model, [[1.0], [3.0]]), tmp_path / "small.npz")
    (tmp_path / "rows.json").write_text(json.dumps([{feature: 1.0}, {feature: 2.0}]))
    main([str(tmp_path / "small.npz"), "--against", str(tmp_path / "float.npz"), "--data", str(tmp_path / "rows.json")])
    _, *lines = capsys.readouterr().out.splitlines()  # the first has the path of the file
    assert all(len(line) <= 100 and line.isprintable() for line in lines)
