"""Text in other encodings than UTF-8: said by --encoding, by a request's charset, and in the message."""

import gzip

import pytest
from cases import every
from reading import read, read_file
from running import assert_refused, run

from housing_np import LinearRegression, TableError, read_table, save
from housing_np.service.wanted import RefusedError, wanted

CP1252 = "Größe,age\n3,10\n4,5\n".encode("cp1252")
JSON = '[{"Größe": 3, "age": 10}]'


@pytest.fixture
def homes(tmp_path):
    """A folder with a model of Größe and age, 100 + 40 Größe - age, and the export of Excel."""
    save(LinearRegression.from_coefficients([40, -1], 100, ["Größe", "age"], ["price"]), tmp_path / "m.npz")
    (tmp_path / "rows.csv").write_bytes(CP1252)
    return tmp_path


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "windows-1252", "ISO-8859-1"])
def test_the_encoding_that_is_said_is_used(homes, encoding):
    assert read_file(homes / "rows.csv", ["Größe", "age"], encoding=encoding) == [[3, 10], [4, 5]]
    assert read(gzip.compress(CP1252), ["Größe"], encoding=encoding) == [[3], [4]]


@pytest.mark.parametrize("format", ["json", "jsonl"])
def test_json_has_an_encoding_too(format):
    assert read(JSON.encode("cp1252").strip(b"[]"), ["Größe"], format, encoding="cp1252") == [[3]]


@pytest.mark.parametrize("own", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_comes_before_what_is_said(own):
    assert read("Größe,age\n3,10\n".encode(own), ["Größe"], encoding="cp1252") == [[3]]


def test_utf16_without_its_mark_is_said():
    assert read("x,y\n1,2\n".encode("utf-16-le"), ["x", "y"], encoding="utf-16-le") == [[1, 2]]


@pytest.mark.parametrize("format", ["csv", "json", "jsonl"])
@pytest.mark.parametrize("name", ["utf-16", "UTF-32"])
def test_an_encoding_of_two_orders_needs_its_mark(name, format):
    content = ("x,y\n1,2\n" if format == "csv" else '{"x": 1}').encode(f"{name}-le")
    with pytest.raises(TableError, match=rf"utf-{name[-2:]} without a byte order mark; say encoding='utf-.*-le'"):
        read(content, ["x"], format, encoding=name)


def test_predict_and_train_take_the_encoding(homes):
    done = run("predict", "m.npz", "rows.csv", "--encoding", "cp1252", cwd=homes)
    assert done.stdout == "price\n210.0\n255.0\n"
    lines = "Größe,Preis\n1,10\n2,20\n3,31\n4,39\n"
    (homes / "t.csv").write_bytes(lines.encode("cp1252"))
    done = run("train", "--data", "t.csv", "--target", "Preis", "--encoding", "cp1252", "--out", "out", cwd=homes)
    assert done.returncode == 0
    assert read_table(homes / "t.csv", "Preis", encoding="cp1252").feature_names == ("Größe",)


def test_the_message_says_what_to_say(homes):
    done = run("predict", "m.npz", "rows.csv", cwd=homes)
    assert_refused(done, 2, "rows.csv: line 1: not UTF-8 text; save the file as UTF-8, or say --encoding cp1252")


def test_what_the_encoding_that_is_said_does_not_have_is_told_of_it():
    with pytest.raises(TableError, match=r"row 1 \(line 2\): not text in ascii; say the encoding"):
        read("x,y,n\n1,2,ß\n", ["x", "y"], encoding="ascii")


@every("encoding", ["ansi", "", "hex", "idna", "punycode", "unicode-escape", "rot13", "a\0b", 5])
def test_what_is_no_encoding_of_text_is_refused(encoding):
    with pytest.raises(TableError, match=r"the encoding .* is not known; expected one such as utf-8, cp1252"):
        read("x,y\n1,2\n", ["x"], encoding=encoding)


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [
        ("text/csv; charset=windows-1252", "windows-1252"),
        ('text/csv; header=absent; charset="ISO-8859-1"', "iso-8859-1"),
        ("application/json;charset=UTF-8", "utf-8"),
        ("text/csv", "utf-8"),
        ("text/csv; charset=", "utf-8"),
    ],
)
def test_the_charset_of_a_request_is_heeded(content_type, encoding):
    assert wanted(content_type, "", "", False).encoding == encoding


def test_an_unknown_charset_is_refused():
    with pytest.raises(RefusedError, match=r"charset: the encoding 'klingon' is not known") as caught:
        wanted("text/csv; charset=klingon", "", "", False)
    assert caught.value.status == 415
