"""Tables as people have them train in at most two commands, to the R² that scikit-learn's pipeline finds."""

import copy
import csv
import gzip
import importlib.util
import json
import pickle
import re
import shlex
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from cases import every
from running import run

from housing_np import HousingError, LinearRegression, QuantizedLinear, load, save
from housing_np.rows.columns import Columns
from housing_np.rows.table import read_table

pd = pytest.importorskip("pandas")
compose = pytest.importorskip("sklearn.compose")
impute = pytest.importorskip("sklearn.impute")
linear_model = pytest.importorskip("sklearn.linear_model")
pipeline = pytest.importorskip("sklearn.pipeline")
preprocessing = pytest.importorskip("sklearn.preprocessing")

ROOT = Path(__file__).parent.parent
ADVICE = re.compile(r"--(?:missing mean|(?:ignore|categories|decimal) (?:'[^']*'|\S+))")
MISSING = "(missing)"
CATEGORIES: dict[str, str] = {}


def package_file(package, *path):
    pytest.importorskip(package)
    return Path(importlib.util.find_spec(package).origin).parent.joinpath(*path)


def vega(name):
    return package_file("vega_datasets", "_data", name)


def penguins(name):
    return package_file("palmerpenguins", "data", name)


def draw(rows, seed=0):
    return np.random.default_rng(seed), rows


def priced(frame, rng, name="price"):
    """The frame with a target that depends on all of its columns."""
    codes = [pd.factorize(frame[each])[0] if frame[each].dtype == object else frame[each] for each in frame]
    total = sum(np.nan_to_num(np.asarray(each, float)) for each in codes)
    return frame.assign(**{name: np.round(total + rng.normal(size=len(frame)), 3)})


def text(rng, rows, levels):
    return pd.Series(rng.choice(levels, rows), dtype=object)


# Each returns a frame: what the file holds.


def california():
    """The best-known housing.csv: nearness to the sea by a rule, and 207 missing counts of bedrooms."""
    frame = pd.read_csv(ROOT / "data" / "cal_housing.csv")
    east = frame["longitude"] + 0.8 * (frame["latitude"] - 34)
    bay = frame["latitude"].between(37, 38.5) & (frame["longitude"] < -121.8)
    place = np.select([east > -118, bay, frame["households"] == 6], ["INLAND", "NEAR BAY", "ISLAND"], "<1H OCEAN")
    frame.loc[frame.index[::100][:207], "total_bedrooms"] = np.nan
    return frame.assign(ocean_proximity=place)


def kaggle():
    rng, n = np.random.default_rng(1), 545
    answers = ("mainroad", "guestroom", "basement", "hotwaterheating", "airconditioning", "prefarea")
    frame = pd.DataFrame({"area": rng.integers(1650, 16200, n), "bedrooms": rng.integers(1, 7, n)})
    frame = frame.assign(**{name: text(rng, n, ["yes", "no"]) for name in answers})
    frame["furnishingstatus"] = text(rng, n, ["furnished", "semi-furnished", "unfurnished"])
    return priced(frame, rng)


def diamonds():
    rng, n = np.random.default_rng(2), 900
    frame = pd.DataFrame({"carat": rng.integers(20, 300, n) / 100})
    frame["cut"] = text(rng, n, ["Fair", "Good", "Very Good", "Premium", "Ideal"])
    frame["color"], frame["clarity"] = text(rng, n, list("DEFGHIJ")), text(rng, n, ["I1", "SI2", "SI1", "VS2", "IF"])
    return priced(frame, rng)


def tips():
    rng, n = np.random.default_rng(3), 244
    frame = pd.DataFrame({"total_bill": rng.integers(300, 5000, n) / 100})
    frame = frame.assign(sex=text(rng, n, ["Male", "Female"]), smoker=text(rng, n, ["No", "Yes"]))
    frame = frame.assign(day=text(rng, n, ["Sun", "Sat", "Thur", "Fri"]), time=text(rng, n, ["Dinner", "Lunch"]))
    return priced(frame.assign(size=rng.integers(1, 7, n)), rng, "tip")


def salaries():
    rng, n = np.random.default_rng(4), 397
    frame = pd.DataFrame(
        {"rank": text(rng, n, ["Prof", "AsstProf", "AssocProf"]), "discipline": text(rng, n, ["A", "B"])}
    )
    frame = frame.assign(**{"yrs.since.phd": rng.integers(1, 56, n), "yrs.service": rng.integers(0, 60, n)})
    frame = priced(frame.assign(sex=text(rng, n, ["Male", "Female"])), rng, "salary")
    frame.index += 1  # as R's write.csv numbers the rows
    return frame


def movies():
    """As vega's movies.json: nulls in every column, and titles that are numbers."""
    rng, n = np.random.default_rng(5), 600
    titles = [int(i) if i % 50 == 0 else f"Film {i}" for i in range(n)]
    frame = pd.DataFrame({"Title": pd.Series(titles, dtype=object), "US_Gross": rng.integers(1, 900, n).astype(float)})
    frame["Release_Date"] = [f"{1 + i % 28} Jun {1990 + i % 20}" for i in range(n)]
    frame["MPAA_Rating"] = text(rng, n, ["R", "PG-13", "PG", "Not Rated"])
    frame["Running_Time_min"] = rng.integers(80, 200, n).astype(float)
    frame = priced(frame[["MPAA_Rating", "US_Gross", "Running_Time_min"]], rng, "IMDB_Rating").join(
        frame[["Title", "Release_Date"]]
    )
    for name in ("US_Gross", "MPAA_Rating", "Running_Time_min", "IMDB_Rating"):
        frame[name] = frame[name].mask(rng.random(n) < (0.7 if name == "Running_Time_min" else 0.05))
    return frame


def dummies():
    return pd.get_dummies(tips())


def zip_codes():
    rng, n = np.random.default_rng(6), 800
    zips = pd.Series(rng.choice([f"0{z}" for z in range(2101, 2150)], n), dtype=object)
    return priced(pd.DataFrame({"zip": zips, "rooms": rng.integers(1, 9, n)}), rng)


def amounts():
    frame = kaggle()
    return frame.assign(tax=[f"${value:,}" for value in 1000 + 37 * frame["area"]])


def dates():
    rng, n = np.random.default_rng(7), 300
    days = pd.date_range("2011-01-03", periods=n, freq="31h")
    frame = priced(pd.DataFrame({"rooms": rng.integers(1, 9, n)}), rng)
    forms = ["%Y-%m-%d", "%d/%m/%Y %H:%M", "%b %d, %Y", "%d-%b-%y", "%Y-%m-%dT%H:%M:%S"]
    return frame.assign(**{f"date{i}": days.strftime(form) for i, form in enumerate(forms)})


def quoted_levels():
    rng, n = np.random.default_rng(8), 300
    frame = pd.DataFrame({"kind": text(rng, n, ["a, b", 'say "x"', "two\nlines", "Größe", "=1+1", "x=y"])})
    return priced(frame.assign(**{"size, m²": rng.integers(1, 99, n)}), rng)


def alike_levels():
    rng, n = np.random.default_rng(9), 300
    return priced(pd.DataFrame({"kind": text(rng, n, ["North", "north", " North ", "NORTH\t"])}), rng)


def all_missing():
    return tips().assign(note=np.nan, place="here")


def truth_values():
    rng, n = np.random.default_rng(10), 300
    frame = pd.DataFrame({"sold": rng.random(n) < 0.4, "rooms": rng.integers(1, 9, n)})
    return priced(frame, rng)


def typed():
    rng, n = np.random.default_rng(11), 300
    frame = pd.DataFrame({"place": text(rng, n, ["sea", "hill"]), "rooms": rng.integers(1, 9, n)})
    frame = priced(frame.assign(sold=rng.random(n) < 0.3), rng)
    frame["place"] = frame["place"].mask(rng.random(n) < 0.1).astype("category")
    frame["rooms"] = frame["rooms"].astype("Int64").mask(rng.random(n) < 0.1)
    return frame.assign(seen=pd.date_range("2020-01-01", periods=n))


# Each writes a frame to a folder in some form.


def as_csv(**options):
    def write(frame, folder):
        path = folder / "table.csv"
        frame.to_csv(path, **({"index": False} | options))
        return path

    return write


def as_text(mark):
    """CSV with another mark for what is missing."""
    return as_csv(na_rep=mark)


def as_json(frame, folder):
    path = folder / "table.json"
    path.write_text(json.dumps(json.loads(frame.to_json(orient="records")), indent=1))
    return path


def as_json_lines(frame, folder):
    path = folder / "table.jsonl"
    frame.to_json(path, orient="records", lines=True)
    return path


def as_parquet(frame, folder):
    pytest.importorskip("pyarrow")
    path = folder / "table.parquet"
    frame.to_parquet(path)
    return path


def as_gzip(frame, folder):
    path = folder / "table.csv.gz"
    path.write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    return path


def _thirds(frame):
    rows = frame.sort_values(frame.select_dtypes(exclude="number").columns[0])
    ends = [0, len(rows) // 3, 2 * len(rows) // 3, len(rows)]
    return [rows[start:end] for start, end in zip(ends, ends[1:], strict=False)]


def as_parts(frame, folder):
    """Three files, sorted so that levels differ between them."""
    parts = _thirds(frame)
    for i, part in enumerate(parts):
        part.to_csv(folder / f"part-{i}.csv", index=False)
    return folder / "part-*.csv"


def in_quotes(frame, folder):
    path = folder / "table.csv"
    frame.to_csv(path, index=False, quoting=csv.QUOTE_ALL)
    return path


# Name: the target, the frame, how it is written, the options of the first command.
TABLES = {
    "housing.csv": ("median_house_value", california, as_csv(), []),
    "housing.csv, several files": ("median_house_value", california, as_parts, []),
    "Housing.csv": ("price", kaggle, as_csv(), []),
    "Housing.csv, quotes": ("price", kaggle, in_quotes, []),
    "diamonds": ("price", diamonds, as_csv(), []),
    "diamonds, index": ("price", diamonds, as_csv(index=True), []),
    "diamonds, json lines": ("price", diamonds, as_json_lines, []),
    "tips": ("tip", tips, as_csv(), []),
    "tips, gzip": ("tip", tips, as_gzip, []),
    "tips, BOM and CRLF": ("tip", tips, as_csv(encoding="utf-8-sig", lineterminator="\r\n"), []),
    "tips, UTF-16": ("tip", tips, as_csv(encoding="utf-16"), []),
    "tips, decimal commas": ("tip", tips, as_csv(sep=";", decimal=","), []),
    "Salaries": ("salary", salaries, as_csv(index=True), []),
    "movies": ("IMDB_Rating", movies, as_json, []),
    "movies, csv": ("IMDB_Rating", movies, as_text("?"), []),
    "movies, NA": ("IMDB_Rating", movies, as_text("N/A"), []),
    "dummies": ("tip", dummies, as_csv(), []),
    "dummies, index": ("tip", dummies, as_csv(index=True), []),
    "zip codes as text": ("price", zip_codes, as_parquet, []),
    "zip codes": ("price", zip_codes, as_csv(), ["--categories", "zip"]),
    "amounts": ("price", amounts, as_csv(), []),
    "dates": ("price", dates, as_csv(), []),
    "quoted levels": ("price", quoted_levels, as_csv(), []),
    "levels alike": ("price", alike_levels, as_csv(), []),
    "columns without use": ("tip", all_missing, as_csv(), []),
    "truth values": ("price", truth_values, as_csv(), []),
    "truth values, json": ("price", truth_values, as_json, []),
    "typed, parquet": ("price", typed, as_parquet, []),
    "typed, csv": ("price", typed, as_csv(), []),
}
REAL = {
    "airports.csv": "latitude",
    "anscombe.json": "Y",
    "barley.json": "yield",
    "burtin.json": "Penicillin",
    "cars.json": "Miles_per_Gallon",
    "crimea.json": "disease",
    "driving.json": "gas",
    "iowa-electricity.csv": "net_generation",
    "iris.json": "sepalLength",
    "la-riots.csv": "longitude",
    "ohlc.json": "close",
    "seattle-weather.csv": "temp_max",
    "stocks.csv": "price",
    "us-employment.csv": "nonfarm",
    "wheat.json": "wheat",
}
NAMES = [*TABLES, *REAL, "penguins.csv", "penguins-raw.csv"]
TEXT = {"zip": str}  # what pandas takes for numbers


@cache
def told(name):
    """The target, the path, the frame as pandas reads it, and the options of the first command."""
    import tempfile

    if name in TABLES:
        target, make, write, options = TABLES[name]
        frame = make()
        return target, write(frame, Path(tempfile.mkdtemp())), frame, options
    path = penguins(name) if name.startswith("penguins") else vega(name)
    target = {"penguins.csv": "body_mass_g", "penguins-raw.csv": "Body Mass (g)"}.get(name) or REAL[name]
    return target, path, pd.read_csv(path) if path.suffix == ".csv" else pd.DataFrame(json.loads(path.read_text())), []


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train a table once: what the commands printed, and the report."""

    @cache
    def train(name):
        target, path, _, options = told(name)
        folder = tmp_path_factory.mktemp("real")
        arguments = ["--data", path, "--target", target, *options]
        done = [run("train", *arguments, cwd=folder)]
        if done[0].returncode == 2 and (advice := ADVICE.search(done[0].stderr)):
            done.append(run("train", *arguments, *shlex.split(advice[0]), cwd=folder))
        report = folder / "models" / "report.json"
        return done, json.loads(report.read_text()) if report.exists() else None

    return train


@every("name", NAMES)
def test_a_table_trains_in_two_commands(name, trained):
    done, _ = trained(name)
    assert done[-1].returncode == 0, "\n".join(each.stderr for each in done)


def columns_of(report):
    """The columns that a report's features are made of."""
    levels = {f"{name}={level}": name for name, counts in report["data"]["categories"].items() for level in counts}
    return list(dict.fromkeys(levels.get(feature, feature) for feature in report["coefficients"]))


def pipeline_r2(frame, target, names, categories):
    rows = frame[frame[target].notna()]
    as_text = {
        name: rows[name].astype(object).where(rows[name].notna(), MISSING).astype(str).str.strip()
        for name in categories
    }
    numbers = [name for name in names if name not in categories]
    X = pd.DataFrame({name: rows[name].astype(float) for name in numbers} | as_text)
    model = pipeline.make_pipeline(
        compose.make_column_transformer(
            (preprocessing.OneHotEncoder(), list(categories)), (impute.SimpleImputer(), numbers)
        ),
        linear_model.LinearRegression(),
    )
    y = rows[target].astype(float)
    return model.fit(X, y).score(X, y)


@every("name", NAMES)
def test_r2_is_that_of_a_pipeline_of_scikit_learn(name, trained):
    target, _, frame, _ = told(name)
    report = trained(name)[1]
    expected = pipeline_r2(frame, target, columns_of(report), report["data"]["categories"])
    assert report["stages"]["float64"]["r2"] == pytest.approx(expected, abs=1e-6)


SEVERAL = ["housing.csv, several files", "movies, csv", "typed, parquet", "quoted levels", "diamonds, json lines"]


def coefficients(report):
    return {name: each["coefficient"] for name, each in report["coefficients"].items()}


def assert_as_in_memory(name, trained, folder, *options):
    target, path, _, given = told(name)
    missing = ["--missing", "mean"] if trained(name)[1]["data"]["filled"] else []
    done = run("train", "--data", path, "--target", target, *given, *missing, *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    report = json.loads((folder / "models" / "report.json").read_text())
    known = trained(name)[1]
    assert coefficients(report) == pytest.approx(coefficients(known), rel=1e-6, abs=1e-9)
    assert report["data"]["categories"] == known["data"]["categories"]
    assert report["data"]["left_out"] == known["data"]["left_out"]


@pytest.mark.parametrize("name", SEVERAL)
def test_a_table_larger_than_memory_gives_the_same_model(name, trained, tmp_path, monkeypatch):
    memory_numbers(monkeypatch, 100)
    assert_as_in_memory(name, trained, tmp_path)


@pytest.fixture(scope="module")
def scheduler():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        yield cluster.scheduler_address


@pytest.mark.timeout(120)
@pytest.mark.matrix("name")
@pytest.mark.parametrize("name", SEVERAL)
def test_a_cluster_gives_the_same_model(name, trained, tmp_path, scheduler):
    assert_as_in_memory(name, trained, tmp_path, "--dask", scheduler)


# Columns without use, in every place: what they hold, and whether they are left out.
DEGENERATE = {
    "a number that never varies": (lambda x, k: np.full(len(x), 7), True),
    "text that never varies": (lambda x, k: np.full(len(x), "same"), True),
    "a truth value that never varies": (lambda x, k: np.full(len(x), "True"), True),
    "empty cells": (lambda x, k: np.full(len(x), ""), True),
    "missing cells": (lambda x, k: np.full(len(x), "NA"), True),
    "dates": (lambda x, k: np.full(len(x), "2001-02-03"), True),
    "text of its own in each row": (lambda x, k: [f"row {i}" for i in range(len(x))], True),
    "the same number again": (lambda x, k: x, False),
    "a number that depends on another": (lambda x, k: 3 * x + 1, False),
    "the same category again": (lambda x, k: k, False),
    "the same category in other words": (lambda x, k: [f"is {each}" for each in k], False),
    "a number that depends on a category": (lambda x, k: (k == "a").astype(int), False),
    "a coarser category": (lambda x, k: np.where(k == "a", "a", "no a"), False),
}


@pytest.mark.matrix("position")
@pytest.mark.parametrize("position", range(4))
@every("name", DEGENERATE)
def test_a_column_without_use_changes_no_prediction(name, position, tmp_path):
    rng, n = np.random.default_rng(12), 40
    x, k = rng.integers(1, 99, n), rng.choice(["a", "b", "c"], n)
    y = np.round(2 * x + 10 * (k == "a") + rng.normal(size=n), 3)
    make, is_left_out = DEGENERATE[name]
    columns = [("x", x), ("k", k), ("y", y)]
    columns.insert(position, ("useless", make(x, k)))
    pd.DataFrame(dict(columns)).to_csv(tmp_path / "rows.csv", index=False)
    done = run("train", "--data", "rows.csv", "--target", "y", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    A = np.column_stack([np.ones(n), x, k == "a", k == "b"])
    fitted = A @ np.linalg.lstsq(A, y, rcond=None)[0]
    answers = run("predict", "models/float64.npz", "rows.csv", cwd=tmp_path)
    assert [float(line) for line in answers.stdout.split()[1:]] == pytest.approx(fitted, rel=1e-9)
    assert ("'useless' is left out" in done.stderr) == is_left_out


# In Python


@cache
def fitted(name):
    """The rows that count, as the user has them, the table, and a model of it."""
    target, path, frame, options = told(name)
    table = read_table(path, target, missing="mean", categories=options[1:])
    rows = frame[frame[target].notna()]
    return rows, table, LinearRegression().fit(table.X, table.y, columns=table.columns)


def as_polars(frame):
    return pytest.importorskip("polars").from_pandas(frame)


def as_arrow(frame):
    return pytest.importorskip("pyarrow").Table.from_pandas(frame)


FRAMES = {"pandas": lambda frame: frame, "reordered": lambda frame: frame[frame.columns[::-1]]}
FRAMES |= {"polars": as_polars, "pyarrow": as_arrow}


@every("kind", FRAMES)
@every("name", SEVERAL[1:])
def test_a_frame_with_the_columns_of_the_table_is_predicted_as_its_features(name, kind):
    rows, table, model = fitted(name)
    frame = FRAMES[kind](rows.drop(columns="Title", errors="ignore"))
    assert np.array_equal(model.predict(frame), model.predict(table.X))


SEA = Columns(("sea", "n"), levels={"sea": ("far", "near")})
BY_THE_SEA = LinearRegression.from_coefficients([100.0, 1.0], 0.0, SEA.feature_names, ["price"], SEA)


def test_a_frame_with_a_category_beside_its_features_is_read_by_the_category():
    frame = pd.DataFrame({"sea": ["near", "far"], "sea=near": [1.0, 0.0], "n": [3.0, 4.0]})
    assert BY_THE_SEA.predict(frame).tolist() == [103.0, 4.0]


def test_a_frame_with_a_column_twice_is_refused():
    frame = pd.DataFrame([["far", 3.0, "near"]], columns=["sea", "n", "sea"])
    with pytest.raises(HousingError, match="^X has the column 'sea' twice; keep one of them$"):
        BY_THE_SEA.predict(frame)


def saved(model, folder):
    save(model, folder / "model.npz")
    return load(folder / "model.npz")


COPIES = {
    "saved": saved,
    "pickled": lambda model, _: pickle.loads(pickle.dumps(model)),
    "copied": lambda model, _: copy.copy(model),
    "copied deeply": lambda model, _: copy.deepcopy(model),
}


@pytest.mark.matrix("scheme")
@pytest.mark.parametrize("scheme", [None, "per-tensor", "per-channel", "integer"])
@pytest.mark.parametrize("how", COPIES)
def test_a_copy_has_the_columns_of_the_model(how, scheme, tmp_path):
    rows, table, model = fitted("typed, parquet")
    model = model if scheme is None else QuantizedLinear.from_linear(model, table.X, scheme)
    other = COPIES[how](model, tmp_path)
    assert other.columns == table.columns
    assert np.array_equal(other.predict(rows), model.predict(table.X))


def test_a_clone_is_not_fitted_and_has_no_columns():
    clone = pytest.importorskip("sklearn.base").clone(fitted("typed, parquet")[2])
    assert not hasattr(clone, "coef_")
    assert clone.fit([[1.0], [2.0]], [1.0, 3.0]).columns.names == ("x0",)


def test_a_fit_without_columns_forgets_those_of_the_last():
    _, table, model = fitted("quoted levels")
    assert copy.copy(model).fit(table.X, table.y).columns.is_plain


# What is wrong with a table, what is said of it, and the advice that can be pasted, if there is any.


def rows_of(row, names="a,b,y", count=40):
    return f"{names}\n" + "".join(row(i) + "\n" for i in range(count))


def number(i):
    return i * i % 17


ADVISED = {
    "text in half of the cells": (
        rows_of(lambda i: f"{i if i % 2 else 'abc'},{i % 3},{number(i)}"),
        [],
        "column 'a' holds text in 50% of its first cells, such as 'abc'; write numbers in all, or --ignore a leaves",
    ),
    "amounts in half of the cells": (
        rows_of(lambda i: f"{i if i % 2 else '$1'},{i % 3},{number(i)}"),
        [],
        "column 'a' holds amounts in 50% of its first cells, such as '$1'; write numbers in all, or --ignore a leaves",
    ),
    "a cell in each row is missing": (
        rows_of(lambda i: f"{i if i % 3 else ''},{'' if i % 3 else 'q'},{number(i)}"),
        ["--missing", "skip"],
        "no row is left without missing cells: b 26, a 14; --missing mean fills them, or --ignore b does without",
    ),
    "a number in each row is missing": (
        rows_of(lambda i: f"{i if i % 3 else ''},{'' if i % 3 else i},{number(i)}"),
        ["--missing", "skip"],
        "no row is left without missing cells: b 26, a 14; --missing mean fills them, or --ignore b does without",
    ),
    "more than a thousand levels": (
        rows_of(lambda i: f"{i},v{i},{number(i)}", count=1100),
        ["--categories", "b"],
        "column 'b' has more than 1,000 levels, such as 'v",
    ),
    "numbers with more than a thousand levels": (
        rows_of(lambda i: f"{i},{i},{number(i)}", count=1100),
        ["--categories", "b"],
        "column 'b' has more than 1,000 levels, such as '",
    ),
    "more than thirty levels after the first rows": (
        rows_of(lambda i: f"{i},v{i % (20 if i < 1000 else 80)},{number(i)}", count=1200),
        ["--features", "a,b"],
        "column 'b' has more than 30 levels, such as 'v",
    ),
    "a category with too many levels for the rows": (
        rows_of(lambda i: f"{i},{i},{number(i)}"),
        ["--categories", "b"],
        "40 rows cannot determine 41 unknowns: give more rows or fewer features (n_samples=40); 'b' has 40 levels",
    ),
    "a column with the name of a level": (
        rows_of(lambda i: f"{'ppq'[i % 3]},{i},{number(i)}", "a,a=q,y"),
        [],
        "column 'a=q' has the name of a category's level; rename it, or leave it out: --ignore a=q",
    ),
    "two categories with a feature of one name": (
        rows_of(lambda i: f"{['p', 'p', 'b=c'][i % 3]},{'qqc'[i * i % 7 % 3]},{number(i)}", "a,a=b,y"),
        [],
        "columns 'a' and 'a=b' would both make the feature 'a=b=c'; rename one, or leave it out: --ignore a=b",
    ),
    "numbers with a sum beyond float64": (
        rows_of(lambda i: f"{i},{'' if i == 5 else f'{1 + i / 100}e307'},{number(i)}"),
        ["--missing", "mean"],
        "column 'b': the sum of its cells is too large; rescale the column, or leave it out: --ignore b",
    ),
    "decimal commas": (
        rows_of(lambda i: f"{i},5;{i % 3};{number(i)}", "a;b;y"),
        [],
        "'0,5' is not a number: it has a decimal comma; say --decimal , or write 0.5",
    ),
}


def memory_numbers(monkeypatch, most):
    monkeypatch.setattr("housing_np.rows.table._MEMORY_NUMBERS", most)


@pytest.mark.matrix("most")
@pytest.mark.parametrize("most", [1 << 24, 20], ids=["in memory", "in files"])
@every("name", ADVISED)
def test_advice_can_be_pasted_and_works(name, most, tmp_path, monkeypatch):
    memory_numbers(monkeypatch, most)
    content, options, message = ADVISED[name]
    (tmp_path / "rows.csv").write_text(content)
    arguments = ["--data", "rows.csv", "--target", "y", *options]
    done = run("train", *arguments, cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr
    followed = run("train", *arguments, *shlex.split(ADVICE.search(done.stderr)[0]), cwd=tmp_path)
    assert followed.returncode == 0, followed.stderr


REFUSED = {
    "a target of text": (
        rows_of(lambda i: f"{i},{i % 3},p{i % 4}"),
        "column 'y' holds text ('p0'), not numbers; the t",
    ),
    "a target of truth values": (
        rows_of(lambda i: f"{i},{i % 3},{'yes' if i % 2 else 'no'}"),
        "column 'y' holds truth values ('no'); write 1 and 0; the target has to be a column of numbers",
    ),
    "a target of amounts": (
        rows_of(lambda i: f'{i},{i % 3},"${i},000"'),
        "column 'y' holds amounts, such as '$0,000'; write plain numbers; the target has to be a column of numbers",
    ),
    "a target of dates": (
        rows_of(lambda i: f"{i},{i % 3},2001-01-{1 + i % 28:02}"),
        "column 'y' holds dates or times, such as '2001-01-01'; write a number, such as the days since a first day; t",
    ),
    "a target that is missing": (
        rows_of(lambda i: f"{i},q{i % 3},NA"),
        "the target 'y' is missing in all rows: nothing to learn from",
    ),
    "one row": (rows_of(lambda i: f"{i},{i},{i}", count=1), "1 row cannot determine 3 unknowns: give more rows or few"),
    "a target that is constant": (rows_of(lambda i: f"{i},{i % 3},7"), "nothing to predict"),
    "dates alone": (
        rows_of(lambda i: f"2001-01-{1 + i % 28:02},{i}", "a,y"),
        "no column is left to predict from: 'a' (dates or times, such as '2001-01-01'; write a number, such as the day",
    ),
    "columns without use alone": (
        rows_of(lambda i: f"same,,{i}"),
        "no column is left to predict from: 'a' (it is 'same' in all rows), 'b' (all of its cells are missing)",
    ),
}


@pytest.mark.matrix("most")
@pytest.mark.parametrize("most", [1 << 24, 20], ids=["in memory", "in files"])
@every("name", REFUSED)
def test_what_no_option_mends_gets_no_option_as_advice(name, most, tmp_path, monkeypatch):
    memory_numbers(monkeypatch, most)
    content, message = REFUSED[name]
    (tmp_path / "rows.csv").write_text(content)
    done = run("train", "--data", "rows.csv", "--target", "y", cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr and "--" not in done.stderr, done.stderr


def test_bad_rows_that_are_many_are_said_by_column(tmp_path):
    (tmp_path / "rows.csv").write_text(rows_of(lambda i: f"{i if i % 2 else 'NA'},{i % 3},{number(i)}"))
    done = run("train", "--data", "rows.csv", "--target", "y", "--on-error", "skip", cwd=tmp_path)
    assert "note: 20 of 40 rows are bad, more than a fifth; --ignore a does without" in done.stderr


def test_a_column_that_is_left_out_costs_no_rows(tmp_path):
    """Where the comment is there, the state never varies."""
    lines = rows_of(lambda i: f"{'late' if i < 4 else ''},{'q' if i < 4 else 'pq'[i % 2]},{number(i)}", "a,b,y")
    (tmp_path / "rows.csv").write_text(lines)
    done = run("train", "--data", "rows.csv", "--target", "y", "--missing", "skip", cwd=tmp_path)
    assert done.stdout.splitlines()[:2] == ["40 rows, 1 feature, target y", "categories: b (2 levels)"]
    assert done.stderr == "note: rows.csv: 'a' is left out (it is 'late' in all rows)\n"


@pytest.mark.parametrize("content", [str.encode, lambda text: gzip.compress(text.encode())], ids=["plain", "gzip"])
def test_standard_input_is_filled(content, tmp_path):
    given = content(rows_of(lambda i: f"{i if i % 5 else ''},{'pqr'[i % 3]},{number(i)}"))
    done = run("train", "--data", "-", "--target", "y", "--missing", "mean", cwd=tmp_path, input=given)
    assert done.returncode == 0 and "filled: a (8, with 20)" in done.stdout


LEFT_OUT_LEVELS = {
    "rows with a missing number": (lambda i: f"{'' if i % 3 == 2 else i},{'pqr'[i % 3]},{number(i)}", "skip", "stop"),
    "rows without a target": (lambda i: f"{i},{'pqr'[i % 3]},{'' if i % 3 == 2 else number(i)}", "mean", "stop"),
    "broken rows": (
        lambda i: f"{'x' if i % 3 == 2 and i > 3 else i},{'pq'[i % 2] if i <= 5 else 'pqr'[i % 3]},{i}",
        "stop",
        "skip",
    ),
}


@pytest.mark.timeout(120)
@pytest.mark.matrix("where")
@pytest.mark.parametrize("where", ["in memory", "in files", "on a cluster"])
@pytest.mark.parametrize("name", LEFT_OUT_LEVELS)
def test_a_level_of_rows_that_are_left_out_is_none(name, where, tmp_path, monkeypatch, request):
    row, missing, on_error = LEFT_OUT_LEVELS[name]
    memory_numbers(monkeypatch, 20 if where == "in files" else 1 << 24)
    for part in "ab":
        (tmp_path / f"{part}.csv").write_text(rows_of(row))
    cluster = ["--dask", request.getfixturevalue("scheduler")] if where == "on a cluster" else []
    arguments = ["--missing", missing] if missing != "stop" else ["--on-error", on_error]
    done = run("train", "--data", tmp_path / "?.csv", "--target", "y", *arguments, *cluster, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "models" / "report.json").read_text())["data"]
    assert list(report["categories"]["b"]) == ["p", "q"]
    assert report["rows"] == 80 - report["rows_missing"] - report["rows_skipped"]
    assert report["rows_missing"] + report["rows_skipped"] == (24 if on_error == "skip" else 26)
    assert " b " not in done.stderr


@pytest.mark.timeout(120)
@pytest.mark.matrix("where")
@pytest.mark.parametrize("where", ["in memory", "in files", "on a cluster"])
def test_all_rows_of_a_table_can_be_predicted_with_numbers_missing_beside_a_missing_target_alone(
    where, tmp_path, monkeypatch, request
):
    memory_numbers(monkeypatch, 20 if where == "in files" else 1 << 24)
    lines = rows_of(lambda i: f"{'' if i == 7 else i % 4},{'pq'[i % 2]},{'' if i == 7 else number(i)}")
    (tmp_path / "rows.csv").write_text(lines)
    cluster = ["--dask", request.getfixturevalue("scheduler")] if where == "on a cluster" else []
    arguments = ["--data", tmp_path / "rows.csv", "--target", "y", "--missing"]
    done = run("train", *arguments, "mean", *cluster, cwd=tmp_path)
    assert "\nfilled: a (0, with 1.462)\n" in done.stdout
    predicted = run("predict", "models/float64.npz", "rows.csv", cwd=tmp_path)
    assert (predicted.returncode, len(predicted.stdout.splitlines())) == (0, 41)
    done = run("train", *arguments, "skip", *cluster, cwd=tmp_path)
    assert (done.returncode, "filled" in done.stdout) == (0, False)


BROKEN = {
    "numbers": (lambda i: f"{'x' if i in (25, 30) else 7},{i * i % 11},{number(i)}", {}),
    "a category": (
        lambda i: f"{'x' if i in (25, 30) else 7},{'only' if i == 25 else 'pq'[i % 2]},{number(i)}",
        {"b": {"p": 19, "q": 19}},
    ),
}


@pytest.mark.timeout(120)
@pytest.mark.matrix("where")
@pytest.mark.parametrize("where", ["in memory", "in files", "on a cluster"])
@pytest.mark.parametrize("name", BROKEN)
def test_a_bad_row_is_one_in_all_passes(name, where, tmp_path, monkeypatch, request):
    row, categories = BROKEN[name]
    memory_numbers(monkeypatch, 20 if where == "in files" else 1 << 24)
    (tmp_path / "rows.csv").write_text(rows_of(row))
    cluster = ["--dask", request.getfixturevalue("scheduler")] if where == "on a cluster" else []
    done = run("train", "--data", "rows.csv", "--target", "y", "--on-error", "skip", *cluster, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "'a' is left out (it is 7 in all rows)" in done.stderr
    report = json.loads((tmp_path / "models" / "report.json").read_text())["data"]
    assert (report["rows"], report["rows_skipped"], report["categories"]) == (38, 2, categories)


FORMS = {
    "numbers": (["7", "8", "9", "7.0", "8.0", "9.0"], [5, 3, 2, 3, 2, 1], {"7": 8, "8": 5, "9": 3}),
    "truth values": (["true", "no", "TRUE", "?"], [2, 5, 4, 1], {"TRUE": 6, "no": 5, "(missing)": 1}),
    "another number of zeros": (["1.0", "1.00", "2", "+2"], [4, 3, 2, 1], {"1.0": 7, "2": 2, "+2": 1}),
}


@pytest.mark.timeout(120)
@pytest.mark.matrix("where")
@pytest.mark.parametrize("where", ["in memory", "in files", "on a cluster"])
@pytest.mark.parametrize("name", FORMS)
def test_a_value_in_two_forms_is_one_level(name, where, tmp_path, monkeypatch, request):
    texts, counts, expected = FORMS[name]
    memory_numbers(monkeypatch, 20 if where == "in files" else 1 << 24)
    cells = [text for text, count in zip(texts, counts, strict=True) for _ in range(count)]
    half = len(cells) // 2
    for part, some in (("a", cells[:half]), ("b", cells[half:])):
        lines = [f"{i * i % 7},{text},{number(i)}" for i, text in enumerate(some)]
        (tmp_path / f"{part}.csv").write_text("\n".join(["n,b,y", *lines]))
    cluster = ["--dask", request.getfixturevalue("scheduler")] if where == "on a cluster" else []
    arguments = ["--target", "y", "--categories", "b", "--missing", "mean"]
    done = run("train", "--data", tmp_path / "?.csv", *arguments, *cluster, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "models" / "report.json").read_text())["data"]
    assert report["categories"]["b"] == expected
    told = run("predict", tmp_path / "models" / "float64.npz", tmp_path / "a.csv", tmp_path / "b.csv", cwd=tmp_path)
    assert told.returncode == 0 and len(told.stdout.splitlines()) == len(cells) + 1


def test_numbers_only_in_rows_without_a_target_are_left_out(tmp_path):
    rows = rows_of(lambda i: f"{i},{'' if i % 4 else i * i},{number(i) if i % 4 else ''}")
    (tmp_path / "rows.csv").write_text(rows)
    done = run("train", "--data", "rows.csv", "--target", "y", "--missing", "mean", cwd=tmp_path)
    assert done.returncode == 0 and "'b' is left out (all of its cells are missing)" in done.stderr


@every("name", [" a ", "-x", "--", "a, b", "it's", 'say "a"', "$HOME", "a;b", "a b", "m²", "*", "#1", "~"])
def test_a_column_of_any_name_can_be_left_out_as_the_note_says(name, tmp_path):
    rows = [{name: i if i % 3 else None, "b": i % 5, "y": number(i)} for i in range(40)]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    arguments = ["--data", "rows.json", "--target", "y", "--missing", "mean"]
    advice = run("train", *arguments, cwd=tmp_path).stderr.partition("; ")[2].removesuffix(" does without\n")
    done = run("train", *arguments, *shlex.split(advice), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1] == "features: b"


@pytest.mark.timeout(120)
@pytest.mark.matrix("where")
@pytest.mark.parametrize("where", ["in memory", "in files", "on a cluster"])
def test_numbers_that_never_vary_are_left_out_wherever_the_rows_are(where, tmp_path, monkeypatch, request):
    memory_numbers(monkeypatch, 20 if where == "in files" else 1 << 24)
    (tmp_path / "rows.csv").write_text(rows_of(lambda i: f"7,{i},{i % 5},{number(i)}", "a,b,c,y"))
    cluster = ["--dask", request.getfixturevalue("scheduler")] if where == "on a cluster" else []
    done = run("train", "--data", tmp_path / "rows.csv", "--target", "y", *cluster, cwd=tmp_path)
    assert done.stderr == f"note: {tmp_path / 'rows.csv'}: 'a' is left out (it is 7 in all rows)\n"
    assert done.stdout.splitlines()[:3] == ["40 rows, 2 features, target y", "features: b, c", "left out: a"]
