"""Whatever a caller gives, an answer comes back or a HousingError of one line: at every public door, of odd values."""

import sys
from itertools import product

import numpy as np
import pytest
from cases import every

from housing_np import (
    Affine,
    HousingError,
    LinearRegression,
    QuantizedLinear,
    Table,
    TableError,
    load,
    load_california,
    read_table,
    save,
)
from housing_np.errors import Door, cut, listed, printable, quoted
from housing_np.evaluation.deviation import error_shares, guarantee
from housing_np.evaluation.scores import figures
from housing_np.fit.metrics import Score, r2_score
from housing_np.quantized.calibration import Calibration
from housing_np.quantized.rounding import search
from housing_np.rows import open_rows
from housing_np.rows.table import open_table

LONGEST = 4500  # two lists of 20 names of 80 characters, a path, and what is said of them
ROWS = np.array([[0.0, 1.0], [1.0, 3.0], [2.0, 2.0], [5.0, 1.0]])
TARGETS = [1.0, 4.0, 5.0, 2.0]
MODEL = LinearRegression().fit(ROWS, TARGETS)
CHANNEL, INTEGER = (QuantizedLinear.from_linear(MODEL, ROWS, scheme) for scheme in ("per-channel", "integer"))


class Shy:
    """What has no place among numbers."""


ODD = [
    *(None, True, 0, -1, 7, 2**60 + 1, 10**400, 10**5000, 0.5, np.nan, np.inf, np.float64(-np.inf), 1 + 2j),
    *("", "a", "\0", "\ud800", "a\nb", "z" * 100_000, b"a", memoryview(b"ab"), Shy(), Shy, len, LinearRegression()),
    *(
        [],
        (),
        {},
        {1, 2},
        {"a": 1},
        range(3),
        iter([1]),
        [[]],
        [[[]]],
        ["a", 1],
        [None],
        ["a", "a"],
        [["z" * 100_000, 1]],
    ),
    *([[1.0], [1.0, 2.0]], [[1, 2], [3, 4], [[5], 6]], [np.nan], [[np.nan, 1.0]], [[np.inf, 1.0]], [[10**5000, 1.0]]),
    *([1e308] * 4, [[1e308, -1e308]] * 4, [[1e200, 1.0], [1.0, 1e-200]] * 2, [[True, False]]),
    *(np.zeros((0, 2)), np.zeros((2, 0)), np.zeros((2, 2, 2)), np.zeros(()), np.full((4, 2), 3e38, np.float32)),
    *(
        np.zeros((2, 2), kind)
        for kind in ("datetime64[s]", "timedelta64[s]", "U3", "S3", "V3", "O", "c8", np.longdouble)
    ),
    *(np.zeros(2, [("a", kind), ("b", "f8")]) for kind in ("f8", "U3", "O")),
    *(np.zeros(2, [("a", "f8", (2,))]), np.ma.masked_all((4, 2)), np.array([[1, "x"]], object), np.ones((4, 2), ">f8")),
]


def quantized(model, **changes):
    """A model with other parts: what it predicts."""
    parts = {name: getattr(model, name) for name in type(model).__dataclass_fields__}
    return QuantizedLinear(**{**parts, **changes}).predict(ROWS)


def from_numbers(model, name, value):
    numbers = {**model.numbers(), name: value}
    return QuantizedLinear.from_numbers(model.scheme, numbers, model.feature_names, model.target_names_).predict(ROWS)


def from_coefficients(coef=(1.0, 2.0), intercept=0.0, features=("a", "b"), targets=("y",)):
    return LinearRegression.from_coefficients(coef, intercept, features, targets).predict(ROWS)


def fit(X=ROWS, y=TARGETS, weight=None, fit_intercept=True, **names):
    return LinearRegression(fit_intercept).fit(X, y, weight, **names).predict(ROWS)


def read(folder, **options):
    path = folder / "t.csv"
    path.write_text("a,b,y\n1,2,3\n2,3,5\n3,3,1\n")
    return read_table(**({"path": path, "target": "y"} | options))


DOORS = {
    "fit X": lambda x, _: fit(X=x),
    "fit y": lambda x, _: fit(y=x),
    "fit X and y": lambda x, _: fit(X=x, y=x),
    "fit sample_weight": lambda x, _: fit(weight=x),
    "fit feature_names": lambda x, _: fit(feature_names=x),
    "fit target_names": lambda x, _: fit(target_names=x),
    "fit_intercept": lambda x, _: fit(fit_intercept=x),
    "fit_blocks": lambda x, _: LinearRegression().fit_blocks(x),
    "fit_blocks, a block": lambda x, _: LinearRegression().fit_blocks([x]),
    "score X": lambda x, _: MODEL.score(x, TARGETS),
    "score y": lambda x, _: MODEL.score(ROWS, x),
    "score sample_weight": lambda x, _: MODEL.score(ROWS, TARGETS, x),
    "leave_one_out X": lambda x, _: MODEL.leave_one_out(x, TARGETS),
    "leave_one_out y": lambda x, _: MODEL.leave_one_out(ROWS, x),
    "leave_one_out sample_weight": lambda x, _: MODEL.leave_one_out(ROWS, TARGETS, x),
    "summary": lambda x, _: MODEL.summary(x),
    "from_coefficients coef": lambda x, _: from_coefficients(coef=x),
    "from_coefficients intercept": lambda x, _: from_coefficients(intercept=x),
    "from_coefficients feature_names": lambda x, _: from_coefficients(features=x),
    "from_coefficients target_names": lambda x, _: from_coefficients(targets=x),
    "Affine scale": lambda x, _: Affine(x, 0),
    "Affine zero_point": lambda x, _: Affine(1.0, x),
    "Affine scale along an axis": lambda x, _: Affine(x, [0, 0], axis=0),
    "Affine axis": lambda x, _: Affine([1.0, 1.0], [0, 0], axis=x),
    "Affine axis of ragged scales": lambda x, _: Affine([[1.0], [1.0, 2.0]], [0, 0], axis=x),
    "Affine bits": lambda x, _: Affine(1.0, 0, bits=x),
    "Affine.fit": lambda x, _: Affine.fit(x),
    "Affine.fit along an axis": lambda x, _: Affine.fit(x, axis=0),
    "Affine.fit axis": lambda x, _: Affine.fit(ROWS, axis=x),
    "Affine.fit bits": lambda x, _: Affine.fit(ROWS, bits=x),
    "quantize": lambda x, _: Affine(1.0, 0).quantize(x),
    "quantize along an axis": lambda x, _: Affine([1.0, 2.0], [0, 0], axis=0).quantize(x),
    "dequantize": lambda x, _: Affine(1.0, 0).dequantize(x),
    "from_linear model": lambda x, _: QuantizedLinear.from_linear(x, ROWS),
    **{
        f"from_linear X {scheme} {rounding}": (
            lambda x, _, how=(scheme, 8, rounding): QuantizedLinear.from_linear(MODEL, x, *how)
        )
        for scheme, rounding in product(("per-tensor", "per-channel", "integer"), ("nearest", "optimal"))
    },
    "from_linear scheme": lambda x, _: QuantizedLinear.from_linear(MODEL, ROWS, x),
    "from_linear bits": lambda x, _: QuantizedLinear.from_linear(MODEL, ROWS, bits=x),
    "from_linear rounding": lambda x, _: QuantizedLinear.from_linear(MODEL, ROWS, rounding=x),
    **{
        f"QuantizedLinear {model.scheme} {name}": lambda x, _, m=model, name=name: quantized(m, **{name: x})
        for model, name in product((CHANNEL, INTEGER), QuantizedLinear.__dataclass_fields__)
        if name != "proven"
    },
    **{
        f"from_numbers {model.scheme} {name}": lambda x, _, m=model, name=name: from_numbers(m, name, x)
        for model in (CHANNEL, INTEGER)
        for name in model.numbers()
    },
    **{
        f"predict {type(model).__name__} {i}": lambda x, _, m=model: m.predict(x)
        for i, model in enumerate((MODEL, CHANNEL, INTEGER))
    },
    "predict_quantized": lambda x, _: INTEGER.predict_quantized(x),
    "quantize_input": lambda x, _: INTEGER.quantize_input(x),
    "saturated": lambda x, _: INTEGER.saturated(x),
    "error_bound": lambda x, _: (CHANNEL.error_bound(x), INTEGER.error_bound(x)),
    "Calibration.of": lambda x, _: repr((Calibration.of(x), Calibration.of(x).rms)),
    "Calibration.of percentile": lambda x, _: Calibration.of(ROWS, x),
    "Score.of": lambda x, _: repr((Score.of(x, x, x).r2, Score.of(x, x, x).rms_deviation)),
    "Score.of y_pred": lambda x, _: Score.of([1.0, 2.0], x).mse,
    "Score.of sample_weight": lambda x, _: Score.of([1.0, 2.0], [1.0, 2.0], None, x),
    "r2_score": lambda x, _: r2_score(x, x),
    "search W": lambda x, _: search(x, np.eye(2), [1.0, 1.0], 2),
    "search H": lambda x, _: search([1.0, 2.0], x, [1.0, 1.0], 2),
    "search ratio": lambda x, _: search([1.0, 2.0], np.eye(2), x, 2),
    "search bits": lambda x, _: search([1.0, 2.0], np.eye(2), [1.0, 1.0], x),
    "Table": lambda x, _: repr(Table(x, x, x, x)),
    "Table X": lambda x, _: repr(Table(x, np.ones(4), ("a", "b"), "y")),
    "Table y": lambda x, _: repr(Table(ROWS, x, ("a", "b"), "y")),
    "Table feature_names": lambda x, _: repr(Table(ROWS, np.ones(4), x, "y")),
    "Table target_name": lambda x, _: repr(Table(ROWS, np.ones(4), ("a", "b"), x)),
    "load_california": lambda x, _: load_california(x),
    "load": lambda x, _: load(x),
    "save model": lambda x, folder: save(x, folder / "m.npz"),
    "save path": lambda x, folder: save(MODEL, folder / x if isinstance(x, str) else x),
    "read_table path": lambda x, folder: read(folder, path=x),
    "read_table target": lambda x, folder: read(folder, target=x),
    **{
        f"read_table {name}": lambda x, folder, name=name: read(folder, **{name: x})
        for name in ("features", "ignore", "format", "on_error", "separator", "decimal", "header")
    },
}


def told(door, *arguments):
    """What a door says of its arguments, if it refuses them; nothing else may come out of it."""
    try:
        door(*arguments)
    except HousingError as error:
        message = str(error)
        assert message.isprintable()
        assert len(message) < LONGEST
        return message
    return None


@every("name", DOORS)
@pytest.mark.filterwarnings("ignore::numpy.exceptions.RankWarning")
def test_an_odd_value_is_taken_or_refused_in_one_line(name, tmp_path):
    said = [told(DOORS[name], value, tmp_path) for value in ODD]
    assert any(said)


HUGE = (1e-308, 1e-160, 1.0, 1e160, 1e307)


def described(model, X, y, scheme):
    """All that can be asked of a model of such numbers, and of its quantized one."""
    told(lambda: (str(model.summary()), model.summary()._repr_html_()))
    told(lambda: (model.predict(X), model._repr_html_(), model.score(X, y)))
    told(lambda: model.leave_one_out(X, y))
    told(lambda: repr((Score.of(y, -y, y).r2, Score.of(y, -y, y, np.full(12, 0.5)).mse)))
    small = QuantizedLinear.from_linear(model, X, scheme, 2, "optimal")
    for rows in (X, np.full((1, 2), 1.7e308), np.full((1, 2), -1.7e308), np.zeros((1, 2))):
        small.error_bound(rows)
        small.predict(rows)
    assert small.coef_.shape == (2,)
    assert "<table>" in small._repr_html_()
    error_shares(small, model, Calibration.of(X) + Calibration.of(-X))
    guarantee(small, model, X)
    figures({"small": small}, model, [(X, y)])


@pytest.mark.matrix("scheme")
@pytest.mark.parametrize("scheme", ["per-tensor", "per-channel", "integer"])
@every("scale_x", HUGE)
@every("scale_y", HUGE)
def test_numpy_has_nothing_to_say_of_huge_and_tiny_numbers(scale_x, scale_y, scheme):
    base = np.random.default_rng(0).normal(size=(12, 2))
    X, y = base * scale_x, (base @ [1.0, 2.0] + 0.1 * base[:, 0] ** 2) * scale_y
    told(lambda: described(LinearRegression().fit(X, y), X, y, scheme))
    crossed = LinearRegression.from_coefficients([scale_y, -scale_y], scale_x, ["x0", "x1"], ["y"])
    told(described, crossed, X, y, scheme)


def test_a_prediction_that_overflows_by_its_intercept_is_infinite():
    model = LinearRegression.from_coefficients([1.0, 0.0], 1.7e308, ["a", "b"], ["y"])
    assert model.predict([[1.7e308, 0.0]]) == np.inf
    two = LinearRegression.from_coefficients([[1.0], [2.0]], [1.7e308, 0.0], ["a"], ["y", "z"])
    assert two.predict([[8e307]]).tolist() == [[np.inf, 1.6e308]]


# What messages quote


@every(
    ("value", "expected"),
    [
        ("NEAR BAY", "'NEAR BAY'"),
        ("a\nb", r"'a\nb'"),
        ("9" * 78, f"'{'9' * 78}'"),
        ("9" * 79, f"'{'9' * 78}…"),
        (np.float64(0.5), "0.5"),
        (np.str_("a"), "'a'"),
        (np.int64(2**53 + 1), "9007199254740993"),
        (10**5000, "<int, too large to be shown>"),
        ([10**5000], "<list, too large to be shown>"),
    ],
    ids=map(str, range(9)),
)
def test_a_value_is_quoted_as_python_writes_it_and_cut_to_eighty_characters(value, expected):
    assert quoted(value) == expected


def test_lists_that_nest_too_deep_for_python_are_quoted():
    nested = []
    for _ in range(100_000):
        nested = [nested]
    assert quoted(nested) == "<list, too large to be shown>"
    while nested:  # taken apart without recursion too
        nested = nested[0]


def test_twenty_names_are_listed_and_the_rest_is_counted():
    assert listed([f"x{i}" for i in range(20)]).endswith("x18, x19")
    assert listed([f"x{i}" for i in range(12_000)]).endswith("x18, x19, … (12,000 in all)")
    assert listed(["a" * 100, "b"]) == f"{'a' * 79}…, b"
    assert listed({"a": 1, "b": 2}.keys(), quoted) == "'a', 'b'"


def test_what_is_longer_than_a_line_is_cut():
    assert (cut("a" * 80), cut("a" * 81)) == ("a" * 80, "a" * 79 + "…")


@pytest.mark.parametrize(
    ("text", "line"), [("a\nb", "a b"), ("a\r\nb", "a  b"), ("\x1b[31m", r"\x1b[31m"), ("é…", "é…")]
)
def test_a_message_is_one_line_of_what_can_be_printed(text, line):
    assert printable(text) == line
    assert str(HousingError(text)) == line
    assert str(TableError(text)) == line


def test_a_cell_of_a_megabyte_is_no_message_of_one(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,y\n1,2\n" + "q" * 100_000 + ",3\n")
    with pytest.raises(TableError, match=r"column 'a': 'q{78}… is not a number; correct it") as caught:
        read_table(path, target="y")
    assert len(str(caught.value)) < 400


def test_many_columns_are_no_message_of_all_of_them(tmp_path):
    path = tmp_path / "t.csv"
    names = [f"column{i}" for i in range(3000)]
    path.write_text(",".join(names) + "\n" + ",".join(["word"] * 7 + ["1"] + ["word"] * 2992) + "\n")
    with pytest.raises(TableError, match=r"the columns are: column0, .*, column19, … \(3,000 in all\)"):
        read_table(path, target="price")
    with pytest.raises(TableError, match=r"'column4' \(it is 'word' in all rows\), … \(2,999 in all\)$") as caught:
        open_table(path, "column7", on_error="skip")
    assert len(str(caught.value)) < 1200
    (tmp_path / "a.csv").write_text(",".join(names) + "\n" + ",".join("1" * 3000) + "\n")
    with pytest.raises(TableError, match=r"leave out what is no number: ignore and their names$") as caught:
        open_table(tmp_path / "?.csv", "column7")
    assert len(str(caught.value)) < 1200
    with open_rows(path) as rows, pytest.raises(TableError, match=r"no column 'z0', .*'z19', … \(50 in all\)"):
        rows.blocks([f"z{i}" for i in range(50)])


def test_where_there_is_no_pip_an_extra_is_named_without_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pip", None)
    assert Door().install("plot") == "this installation lacks the extra plot; use one that has it"
