"""What can be a path, at every door of the library and of the commands."""

import pytest
from cases import every
from running import assert_refused, run

from housing_np import ArtifactError, HousingError, LinearRegression, TableError, load, read_table, save
from housing_np.checks.paths import as_path, shown_path

MODEL = LinearRegression.from_coefficients([1.0, 2.0], 0.0, ["a", "b"], ["y"])
NONE = {
    "a\0b": r"'a\\x00b': no file can be called so \(it holds NUL\)",
    "\ud800": r"'\\ud800': no file can be called so \(it is no text that a file system can hold\)",
    b"a": "b'a': no file can be called so \\(it is a bytes, not a str or a Path\\)",
    7: "7: no file can be called so \\(it is a int, not a str or a Path\\)",
    None: "None: no file can be called so \\(it is a NoneType, not a str or a Path\\)",
}


@pytest.mark.parametrize(("path", "message"), NONE.items(), ids=map(ascii, NONE))
def test_what_no_file_can_be_called_is_refused_in_the_same_words_at_every_door(path, message):
    doors = {
        ArtifactError: [load, lambda path: save(MODEL, path)],
        TableError: [lambda path: read_table(path, target="y")],
        HousingError: [lambda path: as_path(path, HousingError)],
    }
    for kind, functions in doors.items():
        for function in functions:
            with pytest.raises(kind, match=f"^{message}; give the path of a file$"):
                function(path)


def test_bytes_that_are_no_text_may_be_in_the_name_of_a_file(tmp_path):
    path = tmp_path / "caf\udce9.npz"  # how Python spells the byte E9, which is no UTF-8
    save(MODEL, path)
    assert load(path).feature_names == ("a", "b")


def test_of_a_long_path_the_end_is_shown():
    assert shown_path("a" * 255) == "a" * 255
    assert shown_path("b" + "a" * 251 + ".npz") == "…" + "a" * 250 + ".npz"


@pytest.fixture
def folder(tmp_path):
    save(MODEL, tmp_path / "model.npz")
    (tmp_path / "t.csv").write_text("a,b,y\n1,2,3\n2,3,5\n3,3,1\n4,1,7\n")
    return tmp_path


COMMANDS = [
    ("predict", "?"),
    ("predict", "model.npz", "?"),
    ("predict", "model.npz", "t.csv", "--range", "?"),
    ("predict", "model.npz", "t.csv", "--output", "?"),
    ("train", "--data", "?", "--target", "y"),
    ("train", "--data", "t.csv", "--target", "y", "--out", "?"),
    ("train", "--data", "t.csv", "--target", "y", "--report", "?"),
    ("quantize", "?", "--out", "o.npz"),
    ("quantize", "model.npz", "--data", "t.csv", "--out", "?"),
    ("quantize", "model.npz", "--data", "?", "--out", "o.npz"),
    ("explain", "?"),
    ("explain", "model.npz", "--against", "?"),
    ("explain", "model.npz", "--data", "?"),
    ("compare", "--data", "?", "--target", "y"),
    ("compare", "--data", "t.csv", "--target", "y", "--plot", "?"),
]


@every("command", COMMANDS, ids=" ".join)
def test_a_url_is_told_to_be_none_at_every_door(command, folder):
    url = "https://example.org/x.npz?key=1"
    done = run(*(url if argument == "?" else argument for argument in command), cwd=folder)
    assert_refused(
        done, 3 if done.returncode == 3 else 2, f"{url}: a URL, and only files are read and written; download"
    )
    assert not list(folder.glob("https:*"))


@every("command", COMMANDS, ids=" ".join)
@pytest.mark.matrix("path")
@pytest.mark.parametrize("path", ["a\0b.npz", "\ud800.csv", "x" * 300 + ".npz", "y" * 100_000 + ".csv"], ids=range(4))
def test_a_path_that_no_file_can_have_ends_a_command_in_one_line(command, path, folder):
    done = run(*(path if argument == "?" else argument for argument in command), cwd=folder)
    assert_refused(done, 3 if done.returncode == 3 else 2, "error: ")
    assert len(done.stderr) < 700


@pytest.mark.parametrize("option", ["--format", "--separator", "--features", "--decimal"])
def test_an_argument_of_a_command_is_cut_too(option, folder):
    done = run("train", "--data", "t.csv", "--target", "y", option, "z" * 100_000, cwd=folder)
    assert_refused(done, 2, "zzz…" if option != "--format" else "--format")
    assert len(done.stderr) < 700
