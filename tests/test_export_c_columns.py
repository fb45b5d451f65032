"""A model of a user's own columns in C: cells to features as in Python, whatever the names, and unknown ones told."""

import ctypes
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from running import run
from strategies import drawn as some_examples
from test_export_c import C99, among_others, same_bits
from tools import SANITIZERS, STRICT, Library, compile, run_program, write

from housing_np import HousingError, LinearRegression, QuantizedLinear, load, save
from housing_np.export import export
from housing_np.export.c import header, renamed
from housing_np.export.c_text import fields, literal
from housing_np.export.facts import Facts
from housing_np.export.golden import cells_of, program
from housing_np.quantized.schemes import SCHEMES
from housing_np.rows.columns import MISSING, Columns

ALL_SCHEMES = ("float64", *SCHEMES)
SEA = Columns(
    ("age", "sea", "rooms", "kind"),
    levels={"sea": ("far", "near", MISSING), "kind": ("flat", "house")},
    fills={"rooms": 4.5},
)
INT_MIN, INT_MAX = -(2**31), 2**31 - 1
# What ends a comment or a string, is an escape, a keyword or a macro, turns text around, or meets another name.
HOSTILE = [
    *("a*/b", "/*", "//", "??/", "??=", "end\\", "\\"),
    *("\\u0041", "line\nbreak", "\r\n", '"', '");', "'", "%d", "#error no"),
    *("\u202ex", "\u2066", "\u2028", "é", "価格", "😀", "\x7f", "\x01", "="),
    *("a=b", "a,b", ";", "{", "§", "¶", "{}", "0", "1"),
    *("a b", "a_b", "a-b", "A_B", "_", "__x", "1st"),
    *("x1st", "007", "@", "@SCALE", "# t", "$HOME", "`id`", "x" * 300),
    *("int", "class", "double", "enum", "NULL", "EOF", "I"),
    *("errno", "linux", "true", "not_eq", "_Bool", "DBL_MAX", "INT_MAX"),
    *("UINT8_MAX", "row", "x", "unknown", "text", "texts"),
    *("level", "count", "value", "MODEL_FEATURES", "MODEL_H", "MODEL_SCALE"),
    *("model_row", "LEVEL_a", "UNKNOWN_a", "main", "cells"),
    *("printf", "uint8_t", "static_assert", "Size", "size_t"),
]  # fmt: skip


def of_columns(columns, scheme="float64", targets=(), seed=0):
    """A model of these columns, its weights drawn."""
    rng, names = np.random.default_rng(seed), columns.feature_names
    outputs = [f"y{i}" for i in range(targets[0] if targets else 1)]
    coef = rng.normal(size=(*targets, len(names)))
    model = LinearRegression.from_coefficients(coef, rng.normal(size=targets), names, outputs, columns)
    return model if scheme == "float64" else QuantizedLinear.from_linear(model, drawn(columns, 200)[1], scheme)


def drawn(columns, rows, seed=1):
    """Rows of cells, and the same encoded; each column with a fill has missing ones."""
    rng = np.random.default_rng(seed)
    cells = np.empty((rows, len(columns.names)))
    for i, name in enumerate(columns.names):
        levels = len(columns.levels.get(name, ()))
        cells[:, i] = rng.integers(levels, size=rows) if levels else rng.normal(3, 2, rows)
        if name in columns.fills:
            cells[rng.random(rows) < 0.3, i] = np.nan
    return cells, columns.encode(cells)


class Encoder(Library):
    """The functions of a model of a user's columns in C."""

    def __init__(self, model, folder):
        super().__init__(model, folder)
        self.columns = model.columns
        types = [ctypes.c_int if name in self.columns.levels else ctypes.c_double for name in self.columns.names]
        members = [(f"f{i}", type) for i, type in enumerate(types)]
        self.struct = type("Row", (ctypes.Structure,), {"_fields_": members})

    def encode(self, rows):
        """The features of rows, and how many columns of each are told."""
        X, told = np.full((len(rows), len(self.columns.feature_names)), 77.0), []
        for row, out in zip(rows, X, strict=True):
            given = [int(v) if n in self.columns.levels else v for n, v in zip(self.columns.names, row, strict=True)]
            told.append(
                self.functions.model_encode(ctypes.byref(self.struct(*given)), ctypes.c_void_p(out.ctypes.data))
            )
        return X, told

    def find(self, field, text):
        function = getattr(self.functions, f"model_find_{field}")
        return function(None if text is None else ctypes.c_char_p(text.encode()))


def write_tested(model, folder, X):
    """The model in C and a test of rows."""
    facts = write(model, folder)
    (folder / "model_test.c").write_text(program(model, facts, "model.h", X), encoding="ascii")
    return [folder / "model.c", folder / "model_test.c"]


# Cells to features and predictions


@pytest.mark.matrix("compiler")
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("scheme", ALL_SCHEMES)
def test_predictions_of_cells_are_python_s_under_the_sanitizers(scheme, compiler, tmp_path):
    files = write_tested(of_columns(SEA, scheme), tmp_path, drawn(SEA, 500)[1])
    assert (tmp_path / "model_test.c").read_text().count("NAN") > 100
    done = run_program(compiler, *C99, *SANITIZERS, *files, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "500 of 500 rows are equal\n", "")


@pytest.mark.matrix("standard", "compiler")
@pytest.mark.parametrize("standard", ["c++98", "c++20"])
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("scheme", ["per-channel", "integer"])
def test_it_is_c_plus_plus_too_and_a_header_alone(scheme, compiler, standard, tmp_path):
    model, flags = of_columns(SEA, scheme, (2,)), ["-x", "c++", f"-std={standard}", *STRICT]
    files = write_tested(model, tmp_path, drawn(SEA, 50)[1])
    for sources in (files, files[1:]):
        done = run_program(compiler, *flags, *sources, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, "50 of 50 rows are equal\n")
        (tmp_path / "model.h").write_text(header(model, Facts.of(model, "model")))


@pytest.mark.parametrize("scheme", ALL_SCHEMES)
def test_features_of_cells_are_python_s_and_so_is_what_follows(scheme, tmp_path):
    model, (cells, X) = of_columns(SEA, scheme), drawn(SEA, 300)
    library = Encoder(model, tmp_path)
    found, told = library.encode(cells)
    same_bits(found, X)
    assert told == [0] * 300
    same_bits(library.predict(found), among_others(model, X))
    if scheme != "float64":
        bound, expected = library.error_bound(found), model.error_bound(X)
        assert np.all((expected <= bound) & (bound <= 2 * expected))
    if scheme == "integer":
        np.testing.assert_array_equal(library.quantize(found)[0], model.quantize_input(X))


def test_a_cell_is_the_features_that_the_columns_say(tmp_path):
    found, _ = Encoder(of_columns(SEA), tmp_path).encode([[1.0, 0, 2.0, 1], [2.0, 1, np.nan, 0], [3.0, 2, -0.0, 0]])
    assert found.tolist() == [[1, 0, 0, 2, 1], [2, 1, 0, 4.5, 0], [3, 0, 1, 0, 0]]
    assert np.signbit(found[2, 3])


@pytest.mark.parametrize("scheme", ALL_SCHEMES)
def test_a_level_out_of_range_is_told_and_gives_no_prediction(scheme, tmp_path):
    library = Encoder(of_columns(SEA, scheme), tmp_path)
    found, told = library.encode([[1.0, level, 2.0, 1] for level in (-1, 3, INT_MIN, INT_MAX)])
    np.testing.assert_array_equal(found, [[1, np.nan, np.nan, 2, 1]] * 4)
    assert told == [1] * 4 and np.isnan(library.predict(found)).all()
    if scheme != "float64":
        assert library.error_bound(found).tolist() == [np.inf] * 4


def test_each_column_that_cannot_be_used_counts_and_only_nan_is_filled(tmp_path):
    rows = [[np.nan, 9, np.inf, -1], [np.inf, 0, np.nan, 0], [1e308, 0, -np.inf, 2], [-1e308, 1, 5e-324, 1]]
    found, told = Encoder(of_columns(SEA), tmp_path).encode(rows)
    nan = np.nan
    np.testing.assert_array_equal(
        found,
        [[nan, nan, nan, np.inf, nan], [np.inf, 0, 0, 4.5, 0], [1e308, 0, 0, -np.inf, nan], [-1e308, 1, 0, 5e-324, 1]],
    )
    assert told == [4, 1, 2, 0]


@pytest.mark.matrix("compiler")
@pytest.mark.parametrize("columns", [
    Columns(("a", "b"), fills={"b": -0.0}),
    Columns(("a",), levels={"a": ("0", "1")}),
    Columns(("a",), levels={"a": tuple(map(str, range(1000)))}),
    Columns(("a", "b"), levels={"a": (MISSING, "1"), "b": ("1", "2", "3")}),
], ids=["fills", "one", "many", "categories"])  # fmt: skip
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_columns_of_one_kind_compile_and_agree(columns, compiler, tmp_path):
    files = write_tested(of_columns(columns, "per-channel"), tmp_path, drawn(columns, 30)[1])
    done = run_program(compiler, *C99, *files, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "30 of 30 rows are equal\n")


def test_plain_columns_have_neither_struct_nor_encode():
    model = LinearRegression.from_coefficients([1.0, 2.0], 0.0, ["a", "b"], ["y"], Columns(("a", "b")))
    text = export(model, "c")
    assert text == export(LinearRegression.from_coefficients([1.0, 2.0], 0.0, ["a", "b"], ["y"]), "c")
    assert "struct" not in text and "encode" not in text


# Integers alone


def test_in_uint8_the_header_tells_what_a_level_is(tmp_path):
    # A level that no row had, and one that all rows had: their scales are 1.
    columns = Columns(("sea", "all", "none"), levels=dict.fromkeys(("sea", "all", "none"), ("off", "on")))
    float_model = LinearRegression.from_coefficients([1.0, 2.0, 3.0], 0.0, columns.feature_names, ["y"], columns)
    model = QuantizedLinear.from_linear(float_model, [[0.0, 1.0, 0.0], [1.0, 1.0, 0.0]], "integer")
    expected = model.quantize_input([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]).T.tolist()
    text = export(model, "c")
    assert re.findall(r"1 for its level, else 0; in uint8 (\d+), else (\d+) \*/", text) == [
        (str(one), str(zero)) for one, zero in expected
    ]
    assert expected[0] == [255, 0]
    X = columns.encode(np.array([[a, b, c] for a in (0.0, 1) for b in (0.0, 1) for c in (0.0, 1)]))
    np.testing.assert_array_equal(Encoder(model, tmp_path).quantize(X)[0], model.quantize_input(X))


def test_levels_are_found_without_floats_on_a_cortex_m0(tmp_path):
    files = write_tested(of_columns(SEA, "integer"), tmp_path, drawn(SEA, 5)[1])
    flags = ["-DMODEL_NO_DOUBLE", *C99, "-ffast-math"]
    done = run_program("cc", *flags, *files, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "5 of 5 rows are equal\n")
    cortex = [*flags, "-Os", "-mcpu=cortex-m0", "-mthumb", "-c", "-ffunction-sections", "-fdata-sections"]
    done = compile("arm-none-eabi-gcc", *cortex, "model.c", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    needed = compile("arm-none-eabi-nm", "--undefined-only", "model.o", cwd=tmp_path).stdout
    assert needed.split() == ["U", "__aeabi_lmul"]
    done = compile("arm-none-eabi-gcc", *C99, "-Os", "-mcpu=cortex-m0", "-mthumb", "-c", "model.c", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


# Texts to levels


def test_a_text_is_found_as_the_level_that_it_names(tmp_path):
    library = Encoder(of_columns(SEA), tmp_path)
    assert [library.find("sea", each) for each in ("far", "near", MISSING, "", None)] == [0, 1, 2, 2, 2]
    assert [library.find("sea", each) for each in ("nea", "nearr", "Near", " near", "house", "n")] == [-1] * 6
    assert [library.find("kind", each) for each in ("flat", "house", "", None)] == [0, 1, -1, -1]


def test_a_text_that_no_string_of_c_holds_is_not_found(tmp_path):
    longest = "é" * 2047 + "x"
    columns = Columns(("a",), levels={"a": ("z", "on", longest, longest + "x")})
    library = Encoder(of_columns(columns), tmp_path)
    assert [library.find("a", each) for each in ("z", "on", longest, longest + "x")] == [0, 1, 2, -1]


def test_a_string_is_plain_ascii():
    assert literal("NEAR BAY") == '"NEAR BAY"'
    assert literal('a"\\??/*@7é1') == r'"a\042\134\077\077/\052\1007\303\2511"'


# What the header tells


def test_the_header_tells_levels_fills_units_and_ranges():
    X = drawn(SEA, 20)[1]
    X[0, [0, 3]], X[1:, [0, 3]] = (1.0, 2.0), (50.0, 7.5)
    text = export(of_columns(SEA, "per-tensor"), "c", X=X, units={"age": "years"})
    for line in (
        'MODEL_FEATURE_age = 0, /* "age" in years, from 1 to 50 */',
        'MODEL_FEATURE_sea_near = 1, /* "sea=near": 1 for its level, else 0 */',
        'MODEL_LEVEL_sea_far = 0, /* "far", the baseline */',
        'MODEL_LEVEL_sea_missing = 2 /* "(missing)", for a missing cell */',
        "MODEL_UNKNOWN_sea = -1, /* none of them: its features are NaN */",
        'double age; /* "age" in years, from 1 to 50 */',
        'enum model_level_sea sea; /* "sea", one of 3 levels */',
        'double rooms; /* "rooms", from 2 to 7.5; NaN, for a missing cell, counts as 4.5 */',
        'enum model_level_kind kind; /* "kind", one of 2 levels */',
        "int model_encode(const struct model_row *row, double x[MODEL_FEATURES])",
        "enum model_level_sea model_find_sea(const char *text)",
    ):
        assert f"{line}\n" in text.replace(" {\n", "\n"), line
    assert "from 0 to 1" not in text


def test_the_range_may_come_as_a_frame_of_the_user_s_columns():
    frame = pd.DataFrame({"kind": ["flat", "house"], "age": [2, 8], "sea": ["near", None], "rooms": [None, 9.0]})
    text = export(of_columns(SEA), "c", X=frame)
    assert 'double age; /* "age", from 2 to 8 */' in text and '"rooms", from 4.5 to 9; NaN' in text


def test_equal_models_give_equal_text_also_through_a_file(tmp_path):
    other = Columns(SEA.names, levels=dict(reversed(SEA.levels.items())), fills=dict(SEA.fills))
    model = of_columns(SEA, "integer")
    save(model, tmp_path / "model.npz")
    X = drawn(SEA, 9)[1]
    texts = [
        (header(each, facts), program(each, facts, "model.h", X))
        for each in (model, of_columns(other, "integer"), load(tmp_path / "model.npz"))
        for facts in [Facts.of(each, "model")]
    ]
    assert texts[0] == texts[1] == texts[2]


def test_changed_names_are_told_once_each():
    columns = Columns(("a b", "int", "ok"), levels={"int": ("x", "<1H", MISSING), "ok": ("yes", "no")})
    assert renamed(Facts.of(of_columns(columns), "model")) == [
        'as constants of C, "a b" is MODEL_FEATURE_a_b',
        'as fields of C\'s struct, "a b" is a_b, "int" is int_',
        'as levels in C, "int=<1H" is MODEL_LEVEL_int_1H',
    ]
    assert renamed(Facts.of(of_columns(SEA), "model")) == []


# Names


def hostile(names, levels):
    """Columns of these names: numbers, fills and categories of these levels in turn."""
    of_levels = {name: tuple(levels) for name in names[::3]}
    return Columns(tuple(names), levels=of_levels, fills=dict.fromkeys(names[1::3], 0.5))


def check_whole(columns, folder, compilers):
    """Each name is a field, each level a constant, and rows and texts give what they shall under these compilers."""
    model = of_columns(columns, "integer")
    facts = Facts.of(model, "model")
    text = header(model, facts)
    assert text.isascii() and all(c.isprintable() or c == "\n" for c in text)
    assert text.count("/*") == text.count("*/") and "??" not in text
    constants = re.findall(r"^    (MODEL_LEVEL_\w+) = \d+,? /\*", text, flags=re.MULTILINE)
    assert len(set(constants)) == len(constants) == sum(map(len, columns.levels.values()))
    files = write_tested(model, folder, drawn(columns, 20)[1])
    for compiler in compilers:
        flags = ["-x", "c++", "-std=c++98", *STRICT] if "++" in compiler else [*C99, "-trigraphs"]
        done = run_program(compiler, *flags, *files, cwd=folder)
        assert (done.returncode, done.stdout) == (0, "20 of 20 rows are equal\n")
    return model


@pytest.mark.parametrize("compiler", ["gcc", "clang", "g++", "clang++"])
def test_no_name_does_harm(compiler, tmp_path):
    check_whole(hostile(HOSTILE, HOSTILE), tmp_path, [compiler])


def test_a_program_may_take_other_headers_first(tmp_path):
    model = of_columns(hostile(HOSTILE, HOSTILE), "integer")
    (tmp_path / "model.h").write_text(header(model, Facts.of(model, "model")))
    names = ("complex", "errno", "float", "iso646", "limits", "math", "signal", "stdbool", "stdint", "stdio", "string")
    before = "".join(f"#include <{name}.h>\n" for name in names)
    (tmp_path / "main.c").write_text(f'{before}#include "model.h"\nint main(void) {{ return 0; }}\n')
    assert run_program("cc", "-std=gnu99", *STRICT, "main.c", cwd=tmp_path).returncode == 0


def test_each_hostile_level_is_found_by_its_text(tmp_path):
    library = Encoder(of_columns(Columns(("a",), levels={"a": tuple(HOSTILE)})), tmp_path)
    assert [library.find("a", each) for each in HOSTILE] == list(range(len(HOSTILE)))


NAMES = st.lists(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
    min_size=3, max_size=40, unique=True,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where hypothesis's models are compiled."""
    return tmp_path_factory.mktemp("c")


@some_examples(3, weekly=20)  # each is compiled twice
@given(names=NAMES, levels=NAMES)
@example(names=["a", "a_b", "a-b"], levels=["b_c", "c", "b-c"])
@example(names=["§", "¶", "°"], levels=["§", "¶", "°"])
def test_whatever_the_names_the_program_is_whole(names, levels, folder):
    columns = hostile(names, levels)
    if len(set(columns.feature_names)) < len(columns.feature_names):
        return
    try:
        check_whole(columns, folder, ["gcc", "clang"])
    except HousingError:  # two names of one normal form, as a file refuses them
        return


def test_two_categories_that_meet_in_one_constant_stay_apart():
    columns = Columns(("a", "a_b"), levels={"a": ("b_c", "x"), "a_b": ("c", "§")})
    text = export(of_columns(columns), "c")
    assert re.findall(r"(MODEL_LEVEL_\w+) = (\d)", text) == [
        ("MODEL_LEVEL_a_b_c", "0"),
        ("MODEL_LEVEL_a_x", "1"),
        ("MODEL_LEVEL_a_b_c_2", "0"),
        ("MODEL_LEVEL_a_b_1", "1"),
    ]


def test_a_name_without_letters_and_digits_has_its_number():
    text = export(of_columns(Columns(("b", "§"), levels={"§": ("¶", "on", "°")})), "c")
    assert re.findall(r"(MODEL_LEVEL_\w+) = \d", text) == ["MODEL_LEVEL_x1_0", "MODEL_LEVEL_x1_on", "MODEL_LEVEL_x1_2"]
    assert 'enum model_level_x1 x1; /* "\\u00a7", one of 3 levels */' in text


def test_a_field_is_no_keyword_no_macro_and_no_other_field():
    names = ["age", "int", "int_", "a b", "a_b", "1st", "§", "P_SCALE", "DBL_MAX", "errno", "near"]
    assert fields(names, "P_") == [
        *("age", "int_2", "int_", "a_b_2", "a_b", "x1st", "x6", "P_SCALE_", "DBL_MAX_", "errno_", "near_"),
    ]  # fmt: skip


# The test program and the command


def test_the_test_program_tells_a_wrong_encoding(tmp_path):
    write_tested(of_columns(SEA), tmp_path, drawn(SEA, 40)[1])
    source = (tmp_path / "model.c").read_text()
    for right, wrong in (("level == i ? 1.0", "level == i ? 2.0"), ("row->rooms : 4.5", "row->rooms : 4.0")):
        assert right in source
        (tmp_path / "wrong.c").write_text(source.replace(right, wrong))
        done = run_program("cc", "-std=c99", "wrong.c", "model_test.c", cwd=tmp_path)
        assert done.returncode == 1 and "40 of" not in done.stdout


def test_each_fill_is_in_the_test_program_even_if_no_row_has_it(tmp_path):
    model, X = of_columns(SEA), SEA.encode(np.array([[1.0, 0, 2.0, 0], [2.0, 1, 3.0, 1]]))
    text = program(model, Facts.of(model, "model"), "model.h", X)
    assert "{1.0, MODEL_LEVEL_sea_far, (double)NAN, MODEL_LEVEL_kind_flat}" in text
    assert "{2.0, MODEL_LEVEL_sea_near, 3.0, MODEL_LEVEL_kind_house}" in text


def test_cells_are_had_back_from_features():
    cells, X = drawn(SEA, 100)
    np.testing.assert_array_equal(cells_of(SEA, X), cells)


@pytest.mark.parametrize("features", [[1.0, 1.0], [0.5, 0.0], [0.5, 1.0], [-1.0, 0.0], [2.0, 0.0]])
def test_features_of_no_level_are_refused_for_a_test(features):
    X = np.array([[1.0, 0, 1, 2.0, 1], [1.0, *features, 2.0, 1]])
    with pytest.raises(
        HousingError, match="^row 2 of the test has no level of 'sea': expected one 1 among the features"
    ):
        cells_of(SEA, X)


@pytest.fixture
def saved(tmp_path):
    """A folder with models of SEA, and rows as a user has them."""
    for scheme in ("float64", "integer"):
        save(of_columns(SEA, scheme), tmp_path / f"{scheme}.npz")
    (tmp_path / "rows.csv").write_text("kind,rooms,sea,age\nflat,NA,near,3\nhouse,7,,5\nhouse,1,far,4\n")
    return tmp_path


@pytest.mark.parametrize(("scheme", "options"), [("float64", ["--range", "rows.csv"]), ("integer", [])])
def test_the_command_writes_a_test_of_the_user_s_rows_or_of_drawn_ones(scheme, options, saved):
    done = run("export", f"{scheme}.npz", "-o", "price.c", "--golden", "3", *options, cwd=saved)
    assert (done.returncode, done.stderr) == (0, "")
    done = run_program("cc", *C99, "price.c", "price_test.c", cwd=saved)
    assert (done.returncode, done.stdout) == (0, "3 of 3 rows are equal\n")
    if options:
        text = (saved / "price_test.c").read_text()
        assert "{3.0, PRICE_LEVEL_sea_near, (double)NAN, PRICE_LEVEL_kind_flat}" in text
        assert "{5.0, PRICE_LEVEL_sea_missing, 7.0, PRICE_LEVEL_kind_house}" in text
        assert 'double age; /* "age", from 3 to 5 */' in (saved / "price.h").read_text()


@pytest.mark.matrix("compiler")
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_from_a_table_of_text_and_missing_cells_to_equal_predictions(compiler, tmp_path):
    levels = ['"say ""x"""', '"a, b"', "*/ int y; /*", '"two\nlines"', "\u202eé", "while"]
    cells = (f"{levels[i % 7 % 6]},{'NA' if i % 9 == 0 else i * i % 31},{i},{(i * 7 + i % 7) / 4}" for i in range(90))
    (tmp_path / "rows.csv").write_text("int,a=b,size,price\n" + "\n".join(cells) + "\n", encoding="utf-8")
    done = run("train", "--data", "rows.csv", "--target", "price", "--missing", "mean", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for scheme in ("float64", "uint8-per-tensor", "uint8-per-channel", "uint8-integer"):
        options = ["--golden", "90", "--range", "rows.csv", "--force"]
        done = run("export", f"models/{scheme}.npz", "-o", "price.c", *options, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        done = run_program(compiler, *C99, "price.c", "price_test.c", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, "90 of 90 rows are equal\n")
