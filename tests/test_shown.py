"""What objects say of themselves, on a terminal and in a notebook."""

import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from numpy.testing import assert_allclose

from housing_np import LinearRegression, QuantizedLinear, Table
from housing_np.checks.display import html_table
from housing_np.quantized.calibration import Calibration
from housing_np.quantized.schemes import INTEGERS, SCHEMES
from housing_np.rows.columns import Columns
from housing_np.rows.table import Stream


class Cells(HTMLParser):
    """The cells of the tables in HTML, row by row, and the paragraphs; tags that do not match are an error."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.paragraphs, self.open = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        {"tr": self.rows, "p": self.paragraphs}.get(tag, []).append([] if tag == "tr" else "")
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("th", "td"):
            self.rows[-1][-1] += data
        elif self.open and self.open[-1] == "p":
            self.paragraphs[-1] += data


def cells(thing):
    return Cells(thing._repr_html_())


@pytest.fixture(scope="module")
def quantized(california):
    return {each: QuantizedLinear.from_linear(california.model, california.table.X, each) for each in SCHEMES}


@pytest.fixture(scope="module")
def two_targets():
    X = np.arange(8.0).reshape(4, 2) ** 2
    return LinearRegression().fit(X, np.column_stack([X[:, 0], X[:, 1] + [1, 0, 0, 1]]))


# The bytes are those of docs/format.md, R² is scikit-learn's.
@pytest.mark.parametrize(
    ("scheme", "bits", "size"),
    [("per-tensor", 8, 30), ("per-channel", 8, 97), ("integer", 8, 130), ("float32", 32, 36)],
    ids=["tensor", "channel", "integer", "float32"],
)
def test_a_quantized_model_says_its_scheme_and_size(quantized, scheme, bits, size):
    assert repr(quantized[scheme]) == (
        f"<QuantizedLinear: {scheme}, {bits} bits, 8 features, target 'MedHouseVal', {size} bytes>"
    )


def test_statistics_say_rows_and_r2(california):
    assert repr(california.model.summary()) == ("<Inference: 20,640 rows, 8 features, target 'MedHouseVal', R² 0.6062>")


def test_a_table_says_rows_and_columns(california):
    assert repr(california.table) == "<Table: 20,640 rows, 8 features, target 'MedHouseVal'>"


def test_one_is_no_plural():
    assert repr(Table(np.ones((1, 1)), np.ones(1), ("a",), "b")) == "<Table: 1 row, 1 feature, target 'b'>"


def test_several_targets_are_counted(two_targets):
    assert repr(two_targets.summary()).startswith("<Inference: 4 rows, 2 features, 2 targets, R² ")


def test_a_stream_says_where_its_rows_are(california):
    stream = Stream(("a.csv", "b.csv"), Columns(("rooms",)), "price")
    assert repr(stream) == "<Stream: 2 files, 1 feature, target 'price'>"
    assert repr(Stream.of(california.table)) == ("<Stream: 20,640 rows in memory, 8 features, target 'MedHouseVal'>")


def test_a_calibration_says_its_rows(california):
    assert repr(Calibration.of(california.table.X)) == "<Calibration: 20,640 rows, 8 features>"
    assert repr(Calibration()) == "<Calibration: 0 rows>"


def test_a_line_break_in_a_name_does_not_break_the_line():
    assert "\n" not in repr(Table(np.ones((1, 1)), np.ones(1), ("a",), "b\nc"))


@pytest.mark.parametrize("scheme", INTEGERS)
def test_the_rows_of_a_quantized_model_multiply_to_its_weights(quantized, california, scheme):
    head, intercept, *rows = cells(quantized[scheme]).rows
    assert head == ["", "scale", "zero point", "uint8", "weight"]
    assert [name for name, *_ in rows] == list(california.table.feature_names)
    scale, zero, q, weight = np.array([each[1:] for each in rows], float).T
    assert_allclose(scale * (q - zero), weight, rtol=1e-5)
    assert_allclose(weight, quantized[scheme].coef_, rtol=1e-5)
    assert_allclose(float(intercept[-1]), quantized[scheme].intercept, rtol=1e-5)


def test_a_model_shows_its_coefficients_and_r2(california):
    shown = cells(california.model)
    assert shown.paragraphs == ["LinearRegression: 8 features, target 'MedHouseVal', 72 bytes, R² 0.6062"]
    assert shown.rows[0] == ["", "MedHouseVal"]
    assert shown.rows[2] == ["MedInc", "0.436693"]


def test_a_model_from_a_file_shows_no_r2():
    model = LinearRegression.from_coefficients([2.0], 1.0, ["a"], ["y"])
    assert cells(model).paragraphs == ["LinearRegression: 1 feature, target 'y', 16 bytes"]


def test_a_model_without_coefficients_says_so():
    assert cells(LinearRegression()).paragraphs == ["LinearRegression: not fitted yet"]


def test_each_target_has_a_column(two_targets):
    rows = np.arange(8.0).reshape(4, 2) ** 2
    assert cells(two_targets).rows[0] == ["", "y0", "y1"]
    small = cells(QuantizedLinear.from_linear(two_targets, rows))
    assert small.rows[0][3:] == ["y0: uint8", "y0: weight", "y1: uint8", "y1: weight"]
    assert len({len(row) for row in small.rows}) == 1


def test_statistics_show_what_their_text_shows(two_targets):
    summary = two_targets.summary()
    shown = cells(summary)
    words = [*shown.paragraphs, *(" ".join(row) for row in shown.rows)]
    lines = [" ".join(line.split()) for line in str(summary).splitlines() if line]
    assert sorted(each.strip() for each in words) == sorted(lines)


def test_a_table_shows_its_first_rows(california):
    shown = cells(california.table)
    assert shown.rows[0] == ["", "MedHouseVal", *california.table.feature_names]
    assert shown.rows[1][:3] == ["0", "4.526", "8.3252"]
    assert len(shown.rows) == 1 + 20
    assert shown.paragraphs[-1] == "shown: 20 of 20,640 rows, 9 of 9 columns"


def test_a_calibration_shows_what_it_knows_of_each_feature():
    shown = cells(Calibration.of([[0.0, 5.0], [2.0, 5.0]]))
    assert shown.rows == [
        ["", "mean", "deviation", "low", "high"],
        ["x0", "1", "1", "0", "2"],
        ["x1", "5", "0", "5", "5"],
    ]
    assert cells(Calibration()).rows == []


def test_of_many_columns_the_first_are_shown():
    shown = Cells(html_table("wide", ["row"], {f"c{i}": [i] for i in range(30)}))
    assert shown.rows[1] == ["row", *map(str, range(12))]
    assert shown.paragraphs == ["wide", "shown: 1 of 1 row, 12 of 30 columns"]


EVIL = "<script>&\"'"


def test_names_are_text_and_not_html():
    X = np.arange(6.0)[:, None]
    model = LinearRegression().fit(X, [0, 1, 2, 3, 4, 6], feature_names=[EVIL], target_names=[f"{EVIL}y"])
    table = Table(X, X[:, 0], (EVIL,), "y")
    for each in (model, model.summary(), QuantizedLinear.from_linear(model, X), table):
        assert "<script" not in each._repr_html_()
        assert any(EVIL in row for row in np.transpose(cells(each).rows).tolist() + cells(each).rows)


def test_colours_are_those_of_the_page(california):
    assert set(re.findall(r'style="([^"]*)"', california.model._repr_html_())) == {
        "text-align: left",
        "text-align: right",
    }


def test_nobody_pays_for_what_is_not_shown():
    code = (
        "import sys; from housing_np import QuantizedLinear, LinearRegression, load_california;"
        "t = load_california(); m = LinearRegression().fit(t.X, t.y);"
        "QuantizedLinear.from_linear(m, t.X).predict(t.X);"
        "print({'housing_np.checks.display'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"


# Categories

SEA = Columns(("age", "sea"), levels={"sea": ("far", "near", "(missing)")})
GROUPED = ["age", "sea", "  = far", "  = near", "  = (missing)"]


def by_the_sea(coef=(2.0, 30.0, 50.0)):
    return LinearRegression.from_coefficients(coef, 7.0, SEA.feature_names, ["price"], SEA)


def test_a_model_shows_a_category_s_levels_below_its_name_and_its_baseline_as_0():
    assert cells(by_the_sea()).rows[1:] == [
        ["intercept", "7"],
        *(list(row) for row in zip(GROUPED, ["2", "", "0", "30", "50"], strict=True)),
    ]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_quantized_model_shows_a_baseline_of_weight_0_and_no_integer(scheme):
    _, _, *rows = cells(QuantizedLinear.from_linear(by_the_sea(), np.eye(3), scheme)).rows
    assert [name for name, *_ in rows] == GROUPED
    assert rows[2] == ["  = far", *([] if scheme == "float32" else ["", "", ""]), "0"]


def test_several_targets_have_a_baseline_each():
    model = LinearRegression.from_coefficients(np.ones((2, 3)), [0, 0], SEA.feature_names, ["a", "b"], SEA)
    assert cells(model).rows[4] == ["  = far", "0", "0"]


def test_levels_in_a_notebook_are_text():
    columns = Columns(("<b>",), levels={"<b>": ("<script>", "&amp;")})
    model = LinearRegression.from_coefficients([1.0], 0.0, columns.feature_names, ["y"], columns)
    assert [name for name, *_ in cells(model).rows[2:]] == ["<b>", "  = <script>", "  = &amp;"]
