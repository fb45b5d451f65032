"""Names that are spelled in another way: composed or not, numbered by pandas, with look-alikes or a number sign."""

from unicodedata import normalize

import numpy as np
import pytest
from cases import every
from reading import read, read_file, stdin
from running import run

from housing_np import HousingError, LinearRegression, QuantizedLinear, TableError, load, read_table, save
from housing_np.checks.look_alikes import look_alike
from housing_np.rows import open_rows
from housing_np.rows.columns import Columns

NFC, NFD = (normalize(form, "Größe") for form in ("NFC", "NFD"))
X = np.array([[3.0, 10.0], [4.0, 5.0], [1.0, 2.0], [7.0, 7.0]])
RIGHT = [210.0, 255.0, 138.0, 373.0]


def model_of(*names):
    return LinearRegression.from_coefficients([40, -1], 100, names, ["price"])


# Composed and decomposed names


@every(("of_model", "of_file"), [(NFC, NFD), (NFD, NFC)])
@every(
    ("format", "text"),
    [
        ("csv", "{},age\n3,10\n4,5\n"),
        ("json", '[{{"{0}": 3, "age": 10}}, {{"{0}": 4, "age": 5}}]'),
        ("jsonl", '{{"{0}": 3, "age": 10}}\n{{"{0}": 4, "age": 5}}\n'),
    ],
)
def test_names_are_compared_as_composed(of_model, of_file, format, text):
    assert read(text.format(of_file), [of_model, "age"], format) == [[3, 10], [4, 5]]


def test_parquet_and_npy_have_names_too(tmp_path):
    with pytest.warns(UserWarning, match="format 3.0"):
        np.save(tmp_path / "a.npy", np.array([(3.0, 10.0)], [(NFD, float), ("age", float)]))
    assert read_file(tmp_path / "a.npy", [NFC, "age"]) == [[3, 10]]
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(pyarrow.table({NFD: [3], "age": [10]}), tmp_path / "a.parquet")
    assert read_file(tmp_path / "a.parquet", [NFC, "age"]) == [[3, 10]]


def test_frames_in_memory_are_compared_so_too():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=[NFD, "age"])
    assert model_of(NFC, "age").predict(frame).tolist() == RIGHT


def test_a_category_with_another_spelling_is_the_same():
    columns = Columns((NFC, "age"), levels={NFC: ("far", "near")}, fills={"age": 30.0})
    rows = f"age,{NFD}\n3,near\n,far\n"
    with stdin(rows), open_rows("-") as opened:
        assert np.concatenate(list(opened.blocks(columns))).tolist() == [[1, 3], [0, 30]]


def test_options_of_train_are_compared_so_too(tmp_path):
    (tmp_path / "t.csv").write_text(f"{NFD},age,Preis_{NFD}\n1,2,3\n2,5,7\n4,1,9\n")
    table = read_table(tmp_path / "t.csv", f"Preis_{NFC}", features=[NFC])
    assert (table.X.tolist(), table.y.tolist()) == ([[1], [2], [4]], [3, 7, 9])
    assert read_table(tmp_path / "t.csv", f"Preis_{NFC}", ignore=[NFC]).feature_names == ("age",)


def test_files_with_several_spellings_are_one_table(tmp_path):
    for i, name in enumerate((NFC, NFD)):
        (tmp_path / f"p{i}.csv").write_text(f"{name},sea,price\n{i + 1},near,{i + 3}\n{i + 5},far,9\n")
    table = read_table(tmp_path / "p*.csv", "price")
    assert table.X[:, 0].tolist() == [1, 5, 2, 6]


def test_the_column_to_copy_is_compared_so_too(tmp_path):
    (tmp_path / "a.csv").write_text(f"{NFD},age\n3,10\n")
    save(model_of(NFC, "age"), tmp_path / "m.npz")
    done = run("predict", "m.npz", "a.csv", "--id", NFC, cwd=tmp_path)
    assert (done.stdout, done.stderr) == (f"{NFC},price\n3,210.0\n", "")


def test_two_spellings_in_one_file_are_two_columns():
    assert read(f"{NFC},{NFD}\n1,2\n", [NFD, NFC]) == [[2, 1]]


# Look-alikes and invisible characters


@every(
    ("wanted", "found", "hint"),
    [
        ("rooms", "r\u043eoms", "did you mean 'r\u043eoms'? character 2 of it is U+043E, not U+006F"),
        ("age", "\u0430g\u0435", "did you mean '\u0430g\u0435'? character 1 of it is U+0430, not U+0061"),
        ("age", "age\u200b", r"did you mean 'age\u200b'? character 4 of it is U+200B"),
        ("age", "a\u00adge", r"did you mean 'a\xadge'? character 2 of it is U+00AD, not U+0067"),
        ("a b", "a\u00a0b", r"did you mean 'a\xa0b'? character 2 of it is U+00A0, not U+0020"),
        ("a-b", "a\u2013b", "did you mean 'a\u2013b'? character 2 of it is U+2013, not U+002D"),
        ("age\u200b", "age", r"did you mean 'age'? character 4 of 'age\u200b' is U+200B"),
        ("age", "Age", "did you mean 'Age'?)"),
        ("Straße", "Strasse", "did you mean 'Strasse'?)"),
    ],
)
def test_what_looks_alike_is_shown_by_code_points(wanted, found, hint):
    with pytest.raises(TableError) as caught:
        read(f"{found},y\n1,2\n", [wanted, "y"])
    assert hint in str(caught.value)


def test_a_frame_in_memory_is_told_so_too():
    frame = np.array([(3.0, 10.0)], [("r\u043eoms", float), ("age", float)])
    with pytest.raises(HousingError, match=r"did you mean 'r.oms'\? character 2 of it is U\+043E, not U\+006F"):
        model_of("rooms", "age").predict(frame)


def test_a_level_that_looks_like_a_known_one_is_told_so_too():
    columns = Columns(("sea",), levels={"sea": ("far", NFC)})
    with stdin(f"sea\n{NFD}\n"), open_rows("-") as opened, pytest.raises(TableError) as caught:
        list(opened.blocks(columns))
    assert f"did you mean '{NFC}'? character 3 of it is U+00F6, not U+006F" in str(caught.value)


def test_of_several_missing_names_one_that_looks_alike_is_shown():
    with pytest.raises(TableError, match=r"did you mean 'r.oms'\? character 2 of it is U\+043E"):
        read("r\u043eoms,b\n1,2\n", ["age", "rooms"])


def test_other_words_do_not_look_alike():
    assert look_alike("rooms", ["age", "room", "ROOMS"]) is None


# The number sign


def test_a_model_of_a_name_with_its_number_sign_still_takes_the_file():
    assert read("# of rooms,age\n3,10\n", ["# of rooms", "age"]) == [[3, 10]]
    with stdin("# of rooms,age\n3,10\n"), open_rows("-") as opened:
        assert opened.columns == ("of rooms", "age")


# The names that pandas writes for a frame without names

NUMBERED = "0,1\n3,10\n4,5\n"


@pytest.fixture
def homes(tmp_path):
    save(model_of("rooms", "age"), tmp_path / "named.npz")
    save(model_of("x0", "x1"), tmp_path / "array.npz")
    save(model_of("0", "1"), tmp_path / "numbered.npz")
    (tmp_path / "one.csv").write_text(NUMBERED)
    return tmp_path


@pytest.mark.parametrize("model", ["array.npz", "numbered.npz"])
def test_a_first_line_of_numbers_from_0_is_no_row(homes, model):
    done = run("predict", model, "one.csv", cwd=homes)
    assert done.stdout == "price\n210.0\n255.0\n"
    assert done.stderr == (
        "note: one.csv: the first line is taken for the names that pandas writes, 0, 1, …; --no-header reads it as a "
        "row\n"
    )


def test_the_hint_says_what_it_does(homes):
    done = run("predict", "named.npz", "one.csv", cwd=homes)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no column 'rooms', 'age'; the columns are: 0, 1 (pandas calls the columns of a frame" in done.stderr
    assert "or leave it out and say --no-header, which reads every line as a row)" in done.stderr
    (homes / "values.csv").write_text("3,10\n4,5\n")
    done = run("predict", "named.npz", "values.csv", cwd=homes)
    assert "(the first line holds numbers, not names: say --no-header, and it is read as a row)" in done.stderr


@pytest.mark.parametrize("header", ["1,0", "0,2", "1,2", "0,1,2"])
def test_other_numbers_do_not_go_by_position(homes, header):
    (homes / "one.csv").write_text(f"{header}\n{','.join('3' * len(header.split(',')))}\n")
    assert run("predict", "array.npz", "one.csv", cwd=homes).returncode == 2


def test_json_and_parquet_of_a_frame_without_names_go_by_position(homes):
    assert read('[{"0": 3, "1": 10}]', ["x0", "x1"], "json") == [[3, 10]]
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(pyarrow.table({"0": [3], "1": [10]}), homes / "a.parquet")
    assert read_file(homes / "a.parquet", ["x0", "x1"]) == [[3, 10]]


@every("names", [[0, 1], ["x0", "x1"], ["rooms", "age"]])
@every("scheme", [None, "per-channel", "integer"])
@every("maker", ["housing_np", "sklearn.linear_model"])
def test_a_saved_model_of_an_array_takes_the_frames_that_it_took(names, scheme, maker, tmp_path):
    pd = pytest.importorskip("pandas")
    model = LinearRegression.of(pytest.importorskip(maker).LinearRegression().fit(X, RIGHT))
    model = model if scheme is None else QuantizedLinear.from_linear(model, pd.DataFrame(X, columns=names), scheme)
    frame = pd.DataFrame(X, columns=names)
    assert model.predict(frame).tolist() == model.predict(X).tolist()
    save(model, tmp_path / "m.npz")
    assert load(tmp_path / "m.npz").predict(frame).tolist() == model.predict(frame).tolist()


@pytest.mark.parametrize("is_loaded", [False, True])
def test_a_frame_with_its_names_in_another_order_is_refused(is_loaded, tmp_path):
    pd = pytest.importorskip("pandas")
    model = LinearRegression().fit(X, RIGHT)
    save(model, tmp_path / "m.npz")
    model = load(tmp_path / "m.npz") if is_loaded else model
    with pytest.raises(HousingError, match="must be in the same order"):
        model.predict(pd.DataFrame(X, columns=["x1", "x0"]))


def test_a_saved_model_of_names_refuses_other_names(tmp_path):
    pd = pytest.importorskip("pandas")
    save(model_of("rooms", "age"), tmp_path / "m.npz")
    with pytest.raises(HousingError, match="feature names should match"):
        load(tmp_path / "m.npz").predict(pd.DataFrame(X))


# Identifiers


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("csv", "tweet id,age\n1234567890123456789,3\n"),
        ("jsonl", '{"tweet id": 1234567890123456789, "age": 3}\n'),
        ("json", '[{"tweet id": 1234567890123456789, "age": 3}]'),
    ],
)
def test_identifiers_of_19_digits_lead_to_ignore(format, text):
    with pytest.raises(TableError) as caught:
        read(text, ["tweet id", "age"], format)
    assert "column 'tweet id': 1234567890123456789 is an integer beyond 2**53" in str(caught.value)
    assert "; train with ignore=['tweet id'] if it is an identifier, else give it as a decimal" in str(caught.value)


def test_the_advice_on_identifiers_works(tmp_path):
    rows = "".join(f"{1234567890123456789 + i},{i},{i * i}\n" for i in range(9))
    (tmp_path / "t.csv").write_text(f"id,age,price\n{rows}")
    train = ["train", "--data", "t.csv", "--target", "price", "--out", "o"]
    done = run(*train, cwd=tmp_path)
    assert (done.returncode, "--ignore id if it is an identifier" in done.stderr) == (2, True)
    assert run(*train, "--ignore", "id", cwd=tmp_path).returncode == 0
