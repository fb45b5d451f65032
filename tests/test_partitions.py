"""Folders called name=value are columns, in every format, for training and prediction."""

import json

import numpy as np
import pytest
from cases import every
from reading import read_file
from running import assert_refused, run

from housing_np import LinearRegression, TableError, load, read_table, save
from housing_np.rows import open_rows
from housing_np.rows.columns import Columns
from housing_np.rows.partitions import partitions_of

ROWS = {2020: [(3.0, 10.0), (4.0, 5.0)], 2021: [(1.0, 2.0), (7.0, 7.0), (6.0, 1.0)]}
ALL = [[rooms, age, year] for year, rows in ROWS.items() for rooms, age in rows]


def written(folder, format, header=True):
    """Write the rows of each year into its folder, with their price, 100 + 40 rooms - age + year."""
    for year, rows in ROWS.items():
        whole = [(rooms, age, 100 + 40 * rooms - age + year) for rooms, age in rows]
        path = folder / f"year={year}" / f"part.{format}"
        path.parent.mkdir()
        records = [dict(zip(("rooms", "age", "price"), row, strict=True)) for row in whole]
        if format == "csv":
            lines = ["rooms,age,price"] * header + [",".join(map(str, row)) for row in whole]
            path.write_text("\n".join([*lines, ""]))
        elif format == "json":
            path.write_text(json.dumps(records))
        elif format == "jsonl":
            path.write_text("\n".join(map(json.dumps, records)))
        elif format == "npy":
            np.save(path, np.array(whole, [(name, float) for name in ("rooms", "age", "price")]))
        else:
            pyarrow = pytest.importorskip("pyarrow")
            pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(records), path)
    return str(folder / "*" / f"part.{format}")


@pytest.mark.parametrize("format", ["csv", "json", "jsonl", "npy", "parquet"])
def test_the_year_of_a_folder_is_a_column_in_every_format(format, tmp_path):
    table = read_table(written(tmp_path, format), "price")
    assert table.feature_names == ("rooms", "age", "year")
    assert table.X.tolist() == ALL
    assert read_file(tmp_path / "year=2021" / f"part.{format}", ["year", "age"]) == [[2021, 2], [2021, 7], [2021, 1]]
    assert read_file(tmp_path / "year=2020" / f"part.{format}", ["year"]) == [[2020], [2020]]


def test_it_is_what_pyarrow_and_polars_read(tmp_path):
    pattern = written(tmp_path, "parquet")
    dataset = pytest.importorskip("pyarrow.parquet").read_table(tmp_path)
    assert sorted(dataset.column_names) == ["age", "price", "rooms", "year"]
    X = read_table(pattern, "price").X
    assert sorted(X[:, 2]) == sorted(map(int, dataset.column("year").to_pylist()))
    polars = pytest.importorskip("polars")
    frame = polars.scan_parquet(tmp_path, hive_partitioning=True).select("rooms", "age", "year").collect()
    assert sorted(map(list, frame.rows())) == sorted(X.tolist())


def test_train_and_predict_take_it_and_ignore_leaves_it_out(tmp_path):
    (tmp_path / "data").mkdir()
    written(tmp_path / "data", "csv")
    train = ["train", "--data", "data/*/*.csv", "--target", "price"]
    assert run(*train, "--out", "with", cwd=tmp_path).returncode == 0
    assert load(tmp_path / "with" / "float64.npz").feature_names == ("rooms", "age", "year")
    done = run("predict", "with/float64.npz", "data/*/*.csv", cwd=tmp_path)
    found = [float(line) for line in done.stdout.splitlines()[1:]]
    assert found == pytest.approx([100 + 40 * rooms - age + year for rooms, age, year in ALL])
    assert run(*train, "--ignore", "year", "--out", "without", cwd=tmp_path).returncode == 0
    assert load(tmp_path / "without" / "float64.npz").feature_names == ("rooms", "age")
    done = run("predict", "without/float64.npz", "data/*/*.csv", cwd=tmp_path)
    assert "note: ignored columns: price, year" in done.stderr


def test_rows_without_names_have_it_beside_their_positions(tmp_path):
    written(tmp_path, "csv", header=False)
    save(LinearRegression.from_coefficients([40, -1, 1], 100, ["rooms", "age", "year"], ["z"]), tmp_path / "m.npz")
    (tmp_path / "year=2021" / "x.csv").write_text("1,2\n")
    done = run("predict", "m.npz", "year=2021/x.csv", "--no-header", cwd=tmp_path)
    assert done.stdout == "z\n2159.0\n"
    assert read_table(tmp_path / "*" / "part.csv", "x2", header=False).feature_names == ("x0", "x1", "year")


def test_gzip_and_a_bad_row(tmp_path):
    (tmp_path / "year=2021").mkdir()
    (tmp_path / "year=2021" / "a.csv").write_text("rooms\n3\nx\n5\n")
    errors = []
    assert read_file(tmp_path / "year=2021" / "a.csv", ["year", "rooms"], on_error=errors.append) == [
        [2021, 3],
        [2021, 5],
    ]
    assert len(errors) == 1


def test_words_are_a_category_and_what_hive_calls_missing_is_missing(tmp_path):
    for place, value in (("near", 1), ("far%20away", 2), ("__HIVE_DEFAULT_PARTITION__", 3)):
        (tmp_path / f"sea={place}").mkdir()
        (tmp_path / f"sea={place}" / "a.csv").write_text(f"rooms,price\n{value},{value}\n{value + 1},7\n")
    table = read_table(tmp_path / "*" / "a.csv", "price", missing="mean")
    assert dict(table.columns.levels) == {"sea": ("(missing)", "far away", "near")}
    assert table.X[:, table.feature_names.index("sea=near")].tolist() == [0, 0, 0, 0, 1, 1]
    with pytest.raises(TableError, match="missing cells, in 6 rows: sea 2"):
        read_table(tmp_path / "*" / "a.csv", "price")


def test_numbers_among_words_are_words(tmp_path):
    for code in ("12", "A3"):
        (tmp_path / f"code={code}").mkdir()
        (tmp_path / f"code={code}" / "a.csv").write_text(f"rooms,price\n1,{len(code)}\n5,4\n")
    assert read_table(tmp_path / "*" / "a.csv", "price").columns.levels["code"] == ("12", "A3")


def test_zip_codes_keep_their_zeros_as_categories(tmp_path):
    for code in ("01", "02"):
        (tmp_path / f"zip={code}").mkdir()
        (tmp_path / f"zip={code}" / "a.csv").write_text(f"rooms,price\n1,{code}\n5,4\n")
    table = read_table(tmp_path / "*" / "a.csv", "price", categories=["zip"])
    assert table.columns.levels["zip"] == ("01", "02")


def test_the_folder_comes_before_a_column_of_its_name(tmp_path):
    (tmp_path / "year=2021").mkdir()
    (tmp_path / "year=2021" / "a.csv").write_text("year,rooms\n1,3\n")
    assert read_file(tmp_path / "year=2021" / "a.csv", ["rooms", "year"]) == [[3, 2021]]


def test_a_level_that_the_model_does_not_know_is_a_bad_row(tmp_path):
    (tmp_path / "sea=deep").mkdir()
    path = tmp_path / "sea=deep" / "a.csv"
    path.write_text("age\n3\n4\n")
    columns = Columns(("age", "sea"), levels={"sea": ("far", "near")})
    with open_rows(path) as rows, pytest.raises(TableError, match="a.csv: each row: sea is 'deep', none of the 2"):
        list(rows.blocks(columns))
    errors = []
    with open_rows(path, on_error=errors.append) as rows:
        assert list(rows.blocks(columns)) == []
    assert len(errors) == 2


def test_it_is_told_and_copied_with_the_rows_of_its_files(tmp_path):
    """Rows that the file and the folder make bad count once; parts without rows, and frames of objects, have it too."""
    parts = {
        "sea=near/a.csv": "rooms\n3\n",
        "sea=far/a.json": '{"rooms": {"0": 4}}',
        "sea=far/b.json": '{"0": {"rooms": 5}}',
        "sea=far/c.json": "[]",
        "sea=near/d.jsonl": "",
        "sea=MARS/e.csv": "rooms\n3\nx\n",
    }
    for name, text in parts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    columns = Columns(("rooms", "sea"), levels={"sea": ("far", "near")})
    model = LinearRegression().fit(np.array([(3.0, 1), (4, 0), (5, 1)]), [130, 140, 150], columns=columns)
    save(model, tmp_path / "m.npz")
    done = run("predict", "m.npz", *parts, "--rows", "--id", "sea", "--on-error", "empty", "--json", cwd=tmp_path)
    assert json.loads(done.stdout) == {
        "rows": [1, 1, 1, 1, 2],
        "ids": ["near", "far", "far", "MARS", "MARS"],
        "predictions": [pytest.approx(130), pytest.approx(140), pytest.approx(150), None, None],
    }
    assert "bad rows answered empty: 2;" in done.stderr and done.stderr.strip().endswith("by column: rooms 1, sea 1")
    assert run("predict", "m.npz", "sea=MARS/e.csv", "--on-error", "skip", cwd=tmp_path).stdout == "y\n"


def test_all_files_need_the_same_folders(tmp_path):
    for name in ("year=2020", "month=2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.csv").write_text("rooms,price\n1,2\n3,5\n")
    with pytest.raises(TableError, match="column 'year' is not in the first file"):
        read_table(tmp_path / "*" / "a.csv", "price")


def test_one_file_alone_has_it_in_all_rows(tmp_path):
    (tmp_path / "year=2020").mkdir()
    (tmp_path / "year=2020" / "a.csv").write_text("rooms,price\n1,2\n3,5\n")
    done = run("train", "--data", "year=2020/a.csv", "--target", "price", "--out", "o", cwd=tmp_path)
    assert "'year' is left out (it is 2020 in all rows)" in done.stderr
    assert_refused(
        run("train", "--data", "year=2020/a.csv", "--target", "price", "--ignore", "month", cwd=tmp_path),
        2,
        "no column 'month'; the columns are: rooms, price, year",
    )


@every(
    ("path", "columns"),
    [
        ("a=1.csv", {}),
        ("=1/a.csv", {}),
        ("a=/a.csv", {"a": ""}),
        ("a=1=2/a.csv", {"a": "1=2"}),
        ("/x/a=1/b=2/c.csv", {"a": "1", "b": "2"}),
        ("a=1/a=2/c.csv", {"a": "2"}),
        ("a%3Db=c%2Fd/c.csv", {"a=b": "c/d"}),
        ("-", {}),
    ],
)
def test_what_the_folders_say(path, columns):
    assert partitions_of(path) == columns
