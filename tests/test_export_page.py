"""The web page computes what Python computes, shows it to everyone, and asks for nothing from anywhere.

HOUSING_NP_REQUIRE_TOOLS=1 makes a missing browser a failure.
"""

import json
import os

import browser as headless
import numpy as np
import pytest
from cases import every
from hypothesis import assume, given, reject
from hypothesis import strategies as st
from strategies import CONSTANT_FEATURES, SEVERAL_TARGETS, drawn, examples, integer_model, linear, quantizable

from housing_np import HousingError, LinearRegression, QuantizedLinear, load
from housing_np.export import export
from housing_np.export.facts import Facts
from housing_np.export.page import page
from housing_np.quantized.calibration import Calibration
from housing_np.quantized.schemes import SCHEMES
from housing_np.rows.california import UNITS, california_rows
from housing_np.rows.columns import Columns

KINDS = ("float64", *SCHEMES)
# The input that has the focus: its kind, its outline, and whether it is seen.
FOCUSED = """(({ activeElement: it }) => {
  const { x, y, width, height } = it.getBoundingClientRect();
  const onTop = document.elementFromPoint(x + width / 2, y + height / 2);
  return [it.type ?? it.tagName, getComputedStyle(it).outlineStyle, it === onTop];
})(document)"""
# What a browser writes to its console, and what is thrown.
COMPLAINTS = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
SIZES = {"wide": (1200, 900), "narrow": (320, 640)}
HOSTILE = (
    "</script><script>hacked = 1</script>",
    "<!--<script>",
    "]]><img src=x onerror=hacked=1>",
    "\"'`;hacked=1;//\\",
    "MODEL SCRIPT-HASHES ${hacked=1}",
    "\u202egnp.exe\u2066 line\u2028paragraph\u2029\r\n\t\x1b[31m",
    "\u05de\u05d7\u05d9\u05e8",
)


# A category, a truth value, and a number with a fill.
COLUMNS = Columns(
    ("age", "sea", "pool", "beds"),
    levels={"sea": ("far", "near", "(missing)", "on an island")},
    fills={"beds": 537.875},
)
CELLS = np.array(
    [[41.0, 1, 1, 900.5], [2.5, 0, 0, np.nan], [17.0, np.nan, 1, 3.0], [52.0, 3, 0, 80.0], [9.0, 0, 0, 77.0]]
)


def made(model, against=None, X=None, name="model", units=None, example=None):
    return page(model, Facts.of(model, name, X, against, units=units)._replace(example=example))


def kind_of(kind, model, X, bits=8):
    return model if kind == "float64" else QuantizedLinear.from_linear(model, X, kind, bits)


def with_columns(columns, X, kind="float64"):
    """A model of these columns, whose coefficients have all their digits."""
    rng = np.random.default_rng(0)
    coef = rng.normal(size=X.shape[1]) * 100
    model = LinearRegression.from_coefficients(coef, 1 / 3, columns.feature_names, ["price"], columns)
    return kind_of(kind, model, X)


class Reader:
    """Someone who opens pages in a browser."""

    def __init__(self, browser, file):
        self.browser, self.file = browser, file

    def open(self, text, size="wide", **features):
        self.file.write_text(text, encoding="utf-8")
        self.browser.look(*SIZES[size], **features)
        self.browser.open(self.file.as_uri())
        return self

    def answers(self, function, rows):
        """What a function of the page gives for rows, to the last bit; shape (n, k)."""
        call = f"{json.dumps(np.asarray(rows).tolist())}.map((x) => {function}(x)).flat()"
        texts = self.browser.run(f"{call}.map((value) => Object.is(value, -0) ? '-0' : String(value))")
        return np.array([*map(float, texts)]).reshape(len(rows), -1)

    def texts(self, selector):
        """What can be seen of these elements."""
        shown = f"[...document.querySelectorAll({selector!r})].filter((each) => each.checkVisibility())"
        return self.browser.run(f"{shown}.map((each) => each.innerText)")

    def numbers(self, selector):
        return [float(text.replace("\N{MINUS SIGN}", "-")) for text in self.texts(selector)]

    def values(self):
        return self.browser.run("[...document.querySelectorAll('[type=number]')].map((each) => each.valueAsNumber)")

    def nodes(self, role):
        """What a screen reader is told of the elements of this role."""
        nodes = self.browser.ask("Accessibility.getFullAXTree")["nodes"]
        return [node for node in nodes if not node["ignored"] and node["role"]["value"] == role]


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    if not headless.path():
        missing = "there is no Chromium on PATH that takes pipes"
        if os.environ.get("HOUSING_NP_REQUIRE_TOOLS") == "1":
            pytest.fail(f"{missing}, and HOUSING_NP_REQUIRE_TOOLS=1")
        pytest.skip(missing)
    folder = tmp_path_factory.mktemp("browser")
    browser = headless.Browser(folder / "profile")
    yield Reader(browser, folder / "page.html")
    browser.close()


@pytest.fixture(scope="module")
def pages(california):
    """A model of each kind, and its page."""
    model, X = california.model, california.table.X
    models = {kind: kind_of(kind, model, X) for kind in KINDS}
    return {kind: (each, made(each, model, X, units=UNITS, example=X[0])) for kind, each in models.items()}


def assert_same_bits(there, expected):
    expected = np.asarray(expected, np.float64).reshape(there.shape)
    np.testing.assert_array_equal(there.view(np.uint64), expected.view(np.uint64))


def edge_rows(X, rng):
    """Rows at the ends of the range and far beyond them, halfway between two steps, and as large as there are."""
    low, high = X.min(axis=0), X.max(axis=0)
    scale = ((high - low) / 255).astype(np.float32)
    halves = low + scale * (rng.integers(0, 255, (40, X.shape[1])) + 0.5)
    beyond = X[:40] * 10.0 ** rng.uniform(-8, 8, (40, X.shape[1])) * rng.choice([-1, 1], (40, X.shape[1]))
    ends = [low, high, high + scale / 2, low - scale / 2, 0 * low, -0.0 * low]
    return np.vstack([ends, halves, beyond, X[:4] * 1e250, X[:4] * 1e304])


@pytest.mark.parametrize("scheme", ["per-tensor", "per-channel"])
def test_an_intercept_of_minus_zero_makes_no_minus_zero(scheme, reader):
    numbers = kind_of(scheme, *CONSTANT_FEATURES[0][:2]).numbers() | {"intercept": np.array(-0.0)}
    model = QuantizedLinear.from_numbers(scheme, numbers, ("x0", "x1"), ("y0",))
    rows = np.array([[-0.0, -0.0], [0.0, 0.0]])
    reader.open(made(model))
    assert_same_bits(reader.answers("predict", rows), [0.0, 0.0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_rows_are_those_of_python_to_the_last_bit(kind, pages, reader, california):
    (model, text), X, rng = pages[kind], california.table.X, np.random.default_rng(0)
    rows = np.vstack([edge_rows(X, rng), X[rng.choice(len(X), 906, replace=False)]])
    assert len(rows) == 1000
    reader.open(text)
    assert_same_bits(reader.answers("predict", rows), model.predict(rows))
    assert_same_bits(reader.answers("predictFloat", rows), california.model.predict(rows))


@pytest.mark.parametrize("kind", SCHEMES)
def test_the_bound_is_that_of_python_or_above_it_by_the_rounding_of_a_sum(kind, pages, reader, california):
    (model, text), X = pages[kind], california.table.X
    rows = np.vstack([edge_rows(X, np.random.default_rng(0)), X[::200]])
    there, expected = reader.open(text).answers("errorBound", rows)[:, 0], model.error_bound(rows)
    assert (there >= expected).all()
    # Of float32's bound, which is small, a part that can be seen is for the rounding of float64.
    np.testing.assert_allclose(there, expected, rtol=1e-6 if kind == "float32" else 1e-9)


@drawn(8, weekly=200)  # each is a page
@examples("case", [*CONSTANT_FEATURES, *SEVERAL_TARGETS])
@given(case=quantizable(schemes=KINDS))
def test_every_model_is_that_of_python_and_begins_inside_its_range(reader, case):
    against, X, kind, bits = case
    try:
        model = kind_of(kind, against, X, bits)
    except HousingError as error:
        if "the int32 sum" not in str(error):
            raise
        reject()
    rows = np.vstack([X, -3 * X, X * 1e100])
    reader.open(made(model, against, X))
    assert_same_bits(reader.answers("predict", rows), model.predict(rows))
    assert_same_bits(reader.answers("predictFloat", rows), against.predict(rows))
    assert reader.texts(".warning") == []
    assert reader.browser.told(*COMPLAINTS) == []
    if kind != "float64":
        bounds, expected = reader.answers("errorBound", rows), model.error_bound(rows).reshape(len(rows), -1)
        # Where next to nothing but rounding is left of it, the page's is up to twice as large.
        assert (expected <= bounds).all() and (bounds <= 2.001 * expected).all()


def test_where_nothing_is_known_the_bound_is_infinite_and_not_shown(reader):
    X = [[1e-30, 1.0], [2e-30, 2.0]]
    model = QuantizedLinear.from_linear(linear([0.0, 1.0], 0.0), X, "integer")
    assert reader.open(made(model)).answers("errorBound", [[1e300, 1.0]]) == model.error_bound([[1e300, 1.0]]) == np.inf
    reader.browser.type("#value0", "1e300")
    assert reader.texts("dd.bound") == ["\N{EN DASH}"]


def test_halves_are_rounded_to_the_even_step_and_what_is_beyond_is_saturated(reader):
    steps = [-0.5, 0.5, 1.5, 2.5, 2.5 + 2**-50, 253.5, 254.5, 255.5, 1e300]
    there = reader.open(made(integer_model([1], 0, 0))).answers("predict", [[step] for step in steps])
    assert there[:, 0].tolist() == [0, 0, 2, 2, 3, 254, 254, 255, 255]


def test_integer_sums_are_exact_up_to_the_largest_int32(reader):
    bias = 2**31 - 1 - 255 * 255 * 20
    model = integer_model([[255] * 20, [0] * 20], 0, [bias, -(2**31 - 1)], scale=0.1)
    answers = reader.open(made(model)).answers("predict", [[255.0] * 20])
    assert answers.tolist() == [[(2**31 - 1) * float(np.float32(0.1)), -(2**31 - 1) * float(np.float32(0.1))]]


def test_a_weight_beyond_float32_is_its_largest_number(reader):
    numbers = {"bits": 8, "weights": [[0, 255]], "scale": np.float32(3e38), "zero_point": 128, "radius": 0.5}
    numbers |= {"slack": np.zeros(1, np.float32), "intercept": np.zeros(1)}
    arrays = {name: np.asarray(each, np.uint8 if name == "weights" else None) for name, each in numbers.items()}
    model = QuantizedLinear.from_numbers("per-tensor", arrays, ("a", "b"), ("y",))
    largest = float(np.finfo(np.float32).max)
    answers = reader.open(made(model)).answers("predict", [[1.0, 0.0], [0.0, 1.0]])
    assert answers.tolist() == [[-largest], [largest]]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_shown_is_what_the_models_predict(kind, pages, reader, california):
    (model, text) = pages[kind]
    reader.open(text)
    row = np.array([reader.values()])
    shown, predicted = reader.numbers("dd"), [model.predict(row)[0]]
    if kind != "float64":
        reference = california.model.predict(row)[0]
        predicted += [reference, predicted[0] - reference, model.error_bound(row)[0]]
        assert shown[3] >= predicted[3]
    # Of the bound, three digits are shown, and as many decimals of the others.
    np.testing.assert_allclose(shown, predicted, atol=1e-6 if kind == "float64" else predicted[3] / 100)
    assert len(set(shown)) == len(shown)


def test_it_begins_with_the_example_that_it_is_given(pages, reader, california):
    np.testing.assert_allclose(reader.open(pages["integer"][1]).values(), california.table.X[0], rtol=2e-3)


def test_it_begins_inside_a_range_in_which_the_example_is_not(california, reader):
    X = np.vstack([california.table.X[0] + 1, california.table.X[0] + 2])
    reader.open(made(california.model, X=X, example=california.table.X[0]))
    np.testing.assert_allclose(reader.values(), X[0], rtol=1e-3)
    assert reader.texts(".warning") == []


def test_a_model_of_other_data_begins_near_the_mean_of_its_rows(reader):
    X = np.array([[1.0, -5.0], [2.0, -6.0], [9.0, -7.0]])
    for scheme in ("per-channel", "integer"):
        model = QuantizedLinear.from_linear(linear([1.0, 2.0], 3.0), X, scheme)
        np.testing.assert_allclose(reader.open(made(model, X=X)).values(), [4.0, -6.0], atol=0.02)


def test_keys_move_a_slider_and_with_it_the_field_and_the_predictions(pages, reader, california):
    model, text = pages["integer"]
    reader.open(text)
    seen = [reader.numbers("dd")]
    reader.browser.run("document.querySelector('[type=range]').focus()")
    for key, expected in (
        ("ArrowRight", 8.4),
        ("ArrowRight", 8.5),
        ("ArrowLeft", 8.4),
        ("End", 15.0001),
        ("Home", 0.4999),
    ):
        reader.browser.press(key)
        seen.append(reader.numbers("dd"))
        assert reader.values()[0] == expected
        assert reader.texts(".warning") == []
        np.testing.assert_allclose(
            seen[-1][:2], [m.predict([reader.values()])[0] for m in (model, california.model)], atol=6e-4
        )
    assert len(set(map(tuple, seen))) == 5


def test_a_slider_follows_the_mouse_and_the_field(pages, reader):
    reader.open(pages["integer"][1])
    slider = "document.querySelector('[type=range]')"
    x, y = reader.browser.run(
        f"(({{ x, y, width, height }}) => [x + width / 2, y + height / 2])({slider}.getBoundingClientRect())"
    )
    for kind in ("mousePressed", "mouseReleased"):
        reader.browser.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    assert reader.values()[0] in (7.7, 7.8)
    reader.browser.type("#value0", "3.25")
    assert reader.browser.run(f"{slider}.valueAsNumber") == 3.25


def test_a_value_outside_the_range_is_computed_and_warned_of(pages, reader, california):
    model, text = pages["integer"]
    reader.open(text).browser.type("#value0", "20")
    assert reader.texts(".warning") == [
        "Outside the range that the model is for: \u2068MedInc\u2069.",
        "Outside 0.4999 to 15.0001: the model takes it as 15.0001.",
    ]
    row = [reader.values()]
    assert row[0][0] == 20
    np.testing.assert_allclose(
        reader.numbers("dd")[:2], [m.predict(row)[0] for m in (model, california.model)], atol=0.01
    )


def test_no_row_that_the_model_was_calibrated_on_is_warned_of(pages, reader, california):
    reader.open(pages["integer"][1])
    for row in (california.table.X.min(axis=0), california.table.X.max(axis=0)):
        for j, value in enumerate(row.tolist()):
            reader.browser.type(f"#value{j}", repr(value))
        assert reader.values() == row.tolist()
        assert reader.texts(".warning") == []


def test_what_is_no_number_has_no_prediction_until_it_is_one(pages, reader):
    reader.open(pages["per-channel"][1]).browser.type("#value4", "")
    assert reader.texts(".warning") == ["Without a number: \u2068Population\u2069.", "Enter a number."]
    assert set(reader.texts("dd")) == {"\N{EN DASH}"}
    reader.browser.type("#value4", "322")
    assert reader.texts(".warning") == []
    assert len(reader.numbers("dd")) == 4


def test_the_values_can_be_reset(pages, reader):
    reader.open(pages["per-channel"][1])
    first = reader.values(), reader.texts("dd")
    reader.browser.type("#value0", "20")
    reader.browser.run("document.querySelector('#restart').click()")
    assert (reader.values(), reader.texts("dd"), reader.texts(".warning")) == (*first, [])


@pytest.mark.parametrize("kind", KINDS)
def test_the_steps_of_the_computation_end_at_the_prediction(kind, pages, reader):
    model, text = pages[kind]
    reader.open(text).browser.run("document.querySelector('summary').click()")
    reader.browser.run("new Promise(requestAnimationFrame)")
    cells = reader.numbers("td:last-child")
    assert len(cells) == 8 + (4 if kind == "integer" else 2)
    assert cells[-1] == model.predict([reader.values()])[0]
    if kind == "integer":
        assert sum(cells[:9]) == cells[9] and cells[9] * cells[10] == cells[11]
    else:
        assert sum(cells[:9]) == pytest.approx(cells[9], abs=1e-3)
    assert len(reader.texts("[data-scheme]")) == 1


def test_a_range_of_no_rows_has_fields_without_sliders_and_no_warning(california, reader):
    text = made(california.model)
    reader.open(text).browser.type("#value0", "1e9")
    assert reader.texts("[type=range]") == [] and len(reader.texts("[type=number]")) == 8
    assert reader.texts(".warning") == []
    assert reader.texts("dt") == ["float model"]


def test_a_quantized_model_alone_shows_its_bound(pages, reader):
    reader.open(made(pages["integer"][0]))
    assert reader.texts("dt") == ["uint8 model", "bound"]


def test_a_float_model_beside_it_is_the_one_that_it_was_made_from(california):
    model, X = california.model, california.table.X
    quantized = QuantizedLinear.from_linear(model, X)
    other = LinearRegression.from_coefficients(
        model.coef_ * 1.1, model.intercept_, model.feature_names, model.target_names_
    )
    with pytest.raises(
        HousingError, match=r"^against is further from the model than its bound: expected the float model"
    ):
        made(quantized, other)
    renamed = LinearRegression.from_coefficients(
        model.coef_, model.intercept_, model.feature_names[::-1], model.target_names_
    )
    with pytest.raises(
        HousingError, match=r"^against has other features or targets than the model: expected the float"
    ):
        made(quantized, renamed)


def test_names_are_shown_and_do_nothing_else(reader):
    X = np.arange(3.0 * len(HOSTILE)).reshape(3, -1) ** 2
    against = LinearRegression.from_coefficients(
        np.ones((2, len(HOSTILE))), [1.0, 2.0], HOSTILE, [f"{HOSTILE[0]} 2", f"{HOSTILE[5]} 2"]
    )
    model = QuantizedLinear.from_linear(against, X, "integer")
    text = made(model, against)
    assert text.isascii() and text.lower().count("</script") == 3 and text.count("<!--") == 0
    reader.open(text).browser.type("#value5", "1e6")
    seen = reader.texts("label")
    assert seen[:5] + seen[6:] == [" ".join(name.split()) for name in HOSTILE[:5] + HOSTILE[6:]]
    assert seen[5] == r"\u202egnp.exe\u2066 line\u2028paragraph\u2029\r\n\t\x1b[31m"
    assert reader.texts("h2 bdi") == [f"{HOSTILE[0]} 2", f"{seen[5]} 2"]
    assert reader.browser.run("typeof hacked") == "undefined"
    assert reader.browser.told(*COMPLAINTS) == []
    assert_same_bits(reader.answers("predict", X), model.predict(X))


def test_a_page_asks_for_nothing_and_could_not(pages, reader):
    reader.open(pages["integer"][1])
    assert [each["request"]["url"] for each in reader.browser.told("Network.requestWillBeSent")] == [
        reader.file.as_uri()
    ]
    assert reader.browser.told(*COMPLAINTS) == []
    blocked = (
        "new Promise((then) => document.addEventListener('securitypolicyviolation', (e) => then(e.effectiveDirective)))"
    )
    attempts = {
        "fetch('http://example.org/').catch(() => 0)": "connect-src",
        "append('img', { src: 'http://example.org/' })": "img-src",
        "append('script', { text: 'hacked = 1' })": "script-src-elem",
        "append('style', { textContent: '* { display: none }' })": "style-src-elem",
    }
    reader.browser.run("append = (tag, what) => document.body.append(Object.assign(document.createElement(tag), what))")
    for attempt, directive in attempts.items():
        assert reader.browser.run(f"{{ const seen = {blocked}; {attempt}; seen }}") == directive


def test_the_page_of_the_bundled_model_has_less_than_30_kilobytes(pages):
    assert max(len(text.encode()) for _, text in pages.values()) < 30_000


def test_the_title_is_the_target(pages, reader):
    assert reader.open(pages["integer"][1]).browser.run("document.title") == "MedHouseVal"


def test_a_screen_reader_is_told_what_each_input_is_and_in_what_unit(pages, reader, california):
    reader.open(pages["integer"][1])
    for role in ("spinbutton", "slider"):
        nodes = reader.nodes(role)
        assert [node["name"]["value"] for node in nodes] == list(california.table.feature_names)
        assert [node["description"]["value"] for node in nodes] == [
            UNITS[name] for name in california.table.feature_names
        ]
    reader.browser.type("#value0", "20")
    assert "Outside 0.4999 to 15.0001" in reader.nodes("spinbutton")[0]["description"]["value"]


def test_a_screen_reader_is_told_the_prediction_once_a_value_stays(pages, reader):
    reader.open(pages["integer"][1])
    reader.browser.run(
        "said = []; new MutationObserver(() => said.push(spoken.textContent)).observe(spoken, { childList: true })"
    )
    reader.browser.run("document.querySelector('[type=range]').focus()")
    for _ in range(5):
        reader.browser.press("ArrowRight")
    reader.browser.run("new Promise((then) => setTimeout(then, 900))")
    assert reader.browser.run("said") == [f"\u2068MedHouseVal\u2069: {reader.texts('.value')[0]}. "]
    (status,) = reader.nodes("status")
    assert {each["name"]: each["value"]["value"] for each in status["properties"]}["live"] == "polite"


@pytest.mark.parametrize("size", SIZES)
def test_the_tab_key_reaches_every_input_and_its_focus_is_seen(size, pages, reader):
    reader.open(pages["integer"][1], size)
    reached = []
    for shift in [False] * 18 + [True] * 17:
        reader.browser.press("Tab", shift)
        reached.append(reader.browser.run(FOCUSED))
    kinds = [each[0] for each in reached]
    assert kinds[:18] == [*["number", "range"] * 8, "button", "SUMMARY"] and kinds[18:] == kinds[16::-1]
    assert {tuple(each[1:]) for each in reached} == {("solid", True)}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_wider_than_a_narrow_screen(kind, pages, reader):
    reader.open(pages[kind][1], "narrow").browser.run("document.querySelector('details').open = true")
    reader.browser.type("#value0", "-1e300")
    assert reader.browser.run("document.documentElement.scrollWidth") == 320


def test_long_names_and_numbers_are_not_wider_than_a_narrow_screen(reader):
    X = np.array([[1e-9, 1e15], [2e-9, 3e15], [5e-9, 2e15]])
    against = LinearRegression.from_coefficients(
        [[1e9, 1e-15], [1e12, 7.0]], [0.5, 1e-3], ["a" * 200, "b" * 40], ["y" * 99, "z"]
    )
    reader.open(made(QuantizedLinear.from_linear(against, X), against, X), "narrow")
    reader.browser.run("document.querySelector('details').open = true")
    assert reader.browser.run("document.documentElement.scrollWidth") == 320


CONTRASTS = """
(() => {
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => numbers(color).slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (it) => {
    const color = getComputedStyle(it).backgroundColor;
    return numbers(color)[3] === 0 ? ground(it.parentElement) : color;
  };
  const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const all = [...document.body.querySelectorAll("*")].filter((it) => it.checkVisibility());
  const has_text = (it) => [...it.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
  const texts = all.filter((it) => ["INPUT", "SELECT"].includes(it.tagName) || has_text(it));
  return {
    text: texts.map((it) => ratio(getComputedStyle(it).color, ground(it))),
    edges: all.filter((it) => it.matches("[type=number], select, button"))
      .map((it) => ratio(getComputedStyle(it).borderTopColor, ground(it))),
  };
})()
"""


# The least ratios of WCAG 2.2, level AA: 1.4.3 for text, 1.4.11 for the edges of what is operated.
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_edges_stand_out_from_their_ground(scheme, pages, reader):
    reader.open(pages["integer"][1], prefers_color_scheme=scheme)
    reader.browser.run("document.querySelector('details').open = true")
    reader.browser.type("#value0", "20")
    contrasts = reader.browser.run(CONTRASTS)
    assert len(contrasts["text"]) > 60 and min(contrasts["text"]) >= 4.5
    assert len(contrasts["edges"]) == 9 and min(contrasts["edges"]) >= 3
    is_dark = reader.browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(19, 22, 26)"
    assert is_dark == (scheme == "dark")


def test_nothing_moves_for_those_who_want_no_motion(pages, reader):
    lasts = "parseFloat(getComputedStyle(document.querySelector('.gauge i')).transitionDuration)"
    assert reader.open(pages["integer"][1]).browser.run(lasts) > 0
    assert reader.open(pages["integer"][1], prefers_reduced_motion="reduce").browser.run(lasts) == 0


@pytest.fixture(scope="module")
def houses():
    """A model of columns of all kinds, in each kind of numbers, and its page."""
    X = COLUMNS.encode(CELLS)
    models = {kind: with_columns(COLUMNS, X, kind) for kind in KINDS}
    units = {"age": "years", "sea": "as seen from it"}
    return {kind: (each, made(each, X=X, units=units)) for kind, each in models.items()}


def nulls(cells):
    return [[None if np.isnan(cell) else cell for cell in row] for row in cells.tolist()]


def answers_of_cells(reader, function, cells):
    call = f"{json.dumps(nulls(cells))}.map((cells) => {function}(cells)).flat().map(String)"
    return np.array([*map(float, reader.browser.run(call))]).reshape(len(cells), -1)


def assert_predicts_in_the_page(reader, model, row):
    """What the page predicts for what is chosen in it is what Python predicts for a row of cells."""
    there = float(reader.browser.run("String(predict(x)[0])"))
    assert_same_bits(np.array([there]), model.predict(model.columns.encode(np.array([row], np.float64))))


def chosen(reader):
    """What the lists and checkboxes show."""
    lists = "[...document.querySelectorAll('select')].map((each) => each.selectedOptions[0].text)"
    boxes = "[...document.querySelectorAll('[type=checkbox]')].map((each) => each.checked)"
    return reader.browser.run(f"[...{lists}, ...{boxes}]")


def levels_of(reader, selector):
    return reader.browser.run(f"[...document.querySelector({selector!r}).options].map((each) => each.text)")


def focus(reader, selector):
    reader.browser.run(f"document.querySelector({selector!r}).focus()")


def test_cells_are_encoded_as_python_encodes_them(houses, reader):
    reader.open(houses["float64"][1])
    assert_same_bits(answers_of_cells(reader, "encode", CELLS), COLUMNS.encode(CELLS))


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_of_cells_are_those_of_python_to_the_last_bit(kind, houses, reader):
    model, text = houses[kind]
    rng = np.random.default_rng(1)
    cells = np.column_stack(
        [rng.normal(30, 20, 300), rng.integers(0, 4, 300), rng.integers(0, 2, 300), rng.normal(500, 300, 300)]
    )
    cells[::7, 1] = cells[::5, 3] = np.nan
    reader.open(text)
    there = answers_of_cells(reader, "((cells) => predict(encode(cells)))", cells)
    assert_same_bits(there, model.predict(COLUMNS.encode(cells)))


@pytest.mark.parametrize("cell", ["4", "-1", "0.5", "NaN"])
def test_a_position_without_a_level_has_no_features(cell, houses, reader):
    reader.open(houses["integer"][1])
    assert reader.browser.run(f"String(encode([41, {cell}, 1, 3]))") == "41,NaN,NaN,NaN,1,3"


@every("kind", KINDS)
@every("cells", ["[41, 4, 1, 3]", "[null, 1, 1, 3]"])
def test_what_has_no_features_has_no_prediction(kind, cells, houses, reader):
    reader.open(houses[kind][1])
    assert reader.browser.run(f"String(predict(encode({cells})))") == "NaN"


def test_a_missing_cell_without_a_fill_or_a_level_has_no_features(reader):
    columns = Columns(("age", "sea"), levels={"sea": ("far", "near")})
    reader.open(made(with_columns(columns, np.eye(2))))
    assert reader.browser.run("String(encode([null, null]))") == "NaN,NaN"


@pytest.mark.parametrize("kind", KINDS)
def test_each_level_that_keys_choose_gives_the_prediction_of_python(kind, houses, reader):
    model, text = houses[kind]
    reader.open(text).browser.type("#value0", "41")
    reader.browser.type("#value3", "3.25")
    reader.browser.run("document.querySelector('#value2').checked || document.querySelector('#value2').click()")
    focus(reader, "select")
    reader.browser.press("Home")
    for level in range(4):
        assert_predicts_in_the_page(reader, model, [41.0, level, 1.0, 3.25])
        reader.browser.press("ArrowDown")


def test_a_list_has_all_levels_with_the_baseline_first_and_missing_cells_as_unknown(houses, reader):
    reader.open(houses["integer"][1])
    assert levels_of(reader, "select") == ["far", "near", "unknown", "on an island"]


def test_a_level_called_unknown_is_told_from_missing_cells(reader):
    columns = Columns(("sea",), levels={"sea": ("unknown", "(missing)")})
    reader.open(made(with_columns(columns, np.ones((1, 1)))))
    assert levels_of(reader, "select") == ["unknown", "(missing)"]


def test_the_page_begins_with_the_baseline(houses, reader):
    assert chosen(reader.open(houses["per-channel"][1]))[0] == "far"


@pytest.mark.parametrize(("row", "level"), [(0, "near"), (1, "far"), (2, "unknown"), (3, "on an island")])
def test_the_page_begins_with_the_level_of_its_example(row, level, houses, reader):
    reader.open(made(houses["integer"][0], X=COLUMNS.encode(CELLS), example=COLUMNS.encode(CELLS)[row]))
    assert chosen(reader)[0] == level


@pytest.mark.parametrize("kind", KINDS)
def test_a_truth_value_is_a_checkbox_that_the_space_bar_turns(kind, houses, reader):
    model, text = houses[kind]
    reader.open(text).browser.type("#value0", "41")
    reader.browser.type("#value3", "3.25")
    focus(reader, "#value2")
    for value in (1.0, 0.0):
        reader.browser.press("Space")
        assert chosen(reader)[1] == bool(value)
        assert_predicts_in_the_page(reader, model, [41.0, 0, value, 3.25])


@pytest.mark.parametrize("values", [[0.0, 0.5, 1.0], [0.0, 1.0, 2.0], [1.0, 1.0, 1.0]])
def test_a_number_with_other_values_than_0_and_1_is_no_truth_value(values, reader):
    X = np.array(values)[:, np.newaxis]
    reader.open(made(linear([2.0], 1.0), X=X))
    assert len(reader.texts("[type=number]")) == 1 and reader.texts("[type=checkbox]") == []


def test_a_number_that_may_be_unknown_is_no_truth_value(reader):
    columns = Columns(("pool",), fills={"pool": 1.0})
    reader.open(made(with_columns(columns, np.array([[0.0], [1.0]])), X=[[0.0], [1.0]]))
    assert len(reader.texts("[type=number]")) == 1 and len(reader.texts("[type=checkbox]")) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_number_is_its_fill(kind, houses, reader):
    model, text = houses[kind]
    reader.open(text).browser.type("#value0", "41")
    reader.browser.run("document.querySelector('#value2').checked && document.querySelector('#value2').click()")
    focus(reader, ".unknown input")
    reader.browser.press("Space")
    assert reader.values()[1] is None
    assert_predicts_in_the_page(reader, model, [41.0, 0, 0, 537.875])
    assert reader.texts(".warning") == []


def test_the_choice_of_an_unknown_number_tells_the_fill(houses, reader):
    assert reader.open(houses["integer"][1]).texts(".unknown") == ["unknown, taken as 537.88"]


def test_a_number_comes_back_when_it_is_unknown_no_more(houses, reader):
    reader.open(houses["integer"][1]).browser.type("#value3", "12.5")
    focus(reader, ".unknown input")
    reader.browser.press("Space")
    reader.browser.press("Space")
    assert reader.values()[1] == 12.5 and chosen(reader)[2] is False


def test_the_last_number_comes_back_to_an_empty_field(houses, reader):
    reader.open(houses["integer"][1]).browser.type("#value3", "12.5")
    reader.browser.type("#value3", "")
    focus(reader, ".unknown input")
    reader.browser.press("Space")
    assert reader.values()[1] == 12.5


def test_an_empty_field_of_a_number_with_a_fill_is_unknown_until_a_number_is_typed(houses, reader):
    reader.open(houses["integer"][1]).browser.type("#value3", "")
    assert chosen(reader)[2] is True and reader.texts(".warning") == []
    reader.browser.type("#value3", "7")
    assert chosen(reader)[2] is False


def test_a_slider_ends_what_is_unknown(houses, reader):
    reader.open(houses["integer"][1]).browser.type("#value3", "")
    reader.browser.run("document.querySelectorAll('[type=range]')[1].focus()")
    reader.browser.press("Home")
    assert reader.values()[1] == 3 and chosen(reader)[2] is False


def test_what_is_no_number_is_not_unknown(houses, reader):
    reader.open(houses["integer"][1]).browser.type("#value3", "e")
    assert chosen(reader)[2] is False
    assert reader.texts(".warning") == ["Without a number: \u2068beds\u2069.", "Enter a number."]


def test_an_empty_field_of_a_number_without_a_fill_has_no_prediction(houses, reader):
    reader.open(houses["integer"][1]).browser.type("#value0", "")
    assert reader.texts(".warning") == ["Without a number: \u2068age\u2069.", "Enter a number."]


def test_columns_can_be_reset(houses, reader):
    reader.open(houses["integer"][1])
    first = reader.values(), chosen(reader)
    reader.browser.type("#value3", "")
    reader.browser.run("document.querySelector('#value2').click()")
    focus(reader, "select")
    reader.browser.press("End")
    assert chosen(reader) != first[1]
    reader.browser.run("document.querySelector('#restart').click()")
    assert (reader.values(), chosen(reader)) == first


def test_the_steps_name_the_features_that_columns_are_made_of(houses, reader):
    reader.open(houses["integer"][1]).browser.run("document.querySelector('details').open = true")
    reader.browser.run("new Promise(requestAnimationFrame)")
    names = ["age", "sea=near", "sea=(missing)", "sea=on an island", "pool", "beds"]
    assert reader.texts("tbody th") == names
    assert len(reader.texts("#encoding")) == 1


def test_a_page_of_numbers_alone_says_nothing_of_lists_and_unknown_numbers(pages, reader):
    reader.open(pages["integer"][1]).browser.run("document.querySelector('details').open = true")
    assert reader.texts("#encoding") == reader.texts("select") == reader.texts("[type=checkbox]") == []
    assert reader.texts("#about")[0].endswith(
        "Move a slider or type a number: this page computes by itself, and sends nothing."
    )


def test_the_page_says_what_can_be_done_with_its_columns(houses, reader):
    assert reader.open(houses["float64"][1]).texts("#about") == [
        "A linear model of 6 features, made of 4 columns. "
        "Set the values: this page computes by itself, and sends nothing."
    ]


def percentiles_of(X, ends):
    """What a report tells of rows: their figures, and two percentiles."""
    rows = Calibration.of(X)
    return Calibration.of_figures(rows.rows, rows.mean, rows.deviation, rows.low, rows.high, ends)


@pytest.mark.parametrize("kind", ["float64", "integer"])
def test_sliders_go_from_the_1st_to_the_99th_percentile_that_a_report_tells(kind, reader):
    X = np.array([[0.69], [2.5], [3.0], [1243.0]])
    model = kind_of(kind, linear([2.0], 1.0), X)
    rows = percentiles_of(X, (np.array([1.5]), np.array([5.25])))
    reader.open(page(model, Facts.of(model, "model", X)._replace(rows=rows)))
    focus(reader, "[type=range]")
    for key, expected in (("Home", 1.5), ("ArrowRight", 1.51), ("End", 5.25)):
        reader.browser.press(key)
        assert reader.values() == [expected]
    assert reader.texts(".ends span") == ["1.5", "5.25"]


def test_a_value_beyond_the_slider_is_outside_only_beyond_the_range(reader):
    X = np.array([[0.69], [2.5], [3.0], [1243.0]])
    rows = percentiles_of(X, (np.array([1.5]), np.array([5.25])))
    model = linear([2.0], 1.0)
    reader.open(page(model, Facts.of(model, "model", X)._replace(rows=rows))).browser.type("#value0", "1000")
    assert reader.texts(".warning") == [] and reader.numbers(".value") == [2001]
    reader.browser.type("#value0", "1300")
    assert reader.texts(".warning")[1] == "Outside 0.69 to 1243."


def test_rows_of_the_user_s_own_columns_give_the_range(reader):
    columns = Columns(("age", "sea"), levels={"sea": ("far", "near")})
    rows = np.array([(3.0, "near"), (8.0, "far")], [("age", float), ("sea", "U4")])
    reader.open(export(with_columns(columns, np.eye(2)), "html", X=rows))
    assert reader.texts(".ends span") == ["3", "8"]


def test_the_page_of_a_file_has_the_percentiles_of_its_report(reader, models):
    path = models / "uint8-integer.npz"
    model = load(str(path))
    reader.open(page(model, Facts.of_file(str(path), model, path.read_bytes(), "model")))
    ends = reader.numbers(".ends span")[10:12]
    occupancy = california_rows(model.feature_names)[:, 5]
    np.testing.assert_allclose(ends, np.percentile(occupancy, [1, 99]), atol=1e-4)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)


@st.composite
def columns_and_cells(draw):
    """Columns of all kinds with any names and levels, and some rows of cells."""
    names = draw(st.lists(TEXTS, min_size=1, max_size=4, unique=True))
    levels, fills, cells = {}, {}, []
    for name in names:
        if draw(st.booleans()):
            levels[name] = tuple(draw(st.lists(TEXTS | st.just("(missing)"), min_size=2, max_size=5, unique=True)))
            values = st.sampled_from(range(len(levels[name])))
            is_filled = "(missing)" in levels[name]
        else:
            fills |= {name: draw(st.floats(-1e6, 1e6))} if draw(st.booleans()) else {}
            values, is_filled = st.floats(-1e6, 1e6), name in fills
        values |= st.just(np.nan) if is_filled else st.nothing()
        cells.append(draw(st.lists(values, min_size=3, max_size=3)))
    columns = Columns(tuple(names), levels=levels, fills=fills)
    assume(len(set(columns.feature_names)) == len(columns.feature_names))
    return columns, np.array(cells, np.float64).T


@drawn(10, weekly=100)
@given(case=columns_and_cells(), kind=st.sampled_from(KINDS))
def test_all_names_and_levels_are_predicted_as_in_python(reader, case, kind):
    columns, cells = case
    X = columns.encode(cells)
    try:
        model = with_columns(columns, X, kind)
    except HousingError:  # numbers so small that no scheme holds the model
        reject()
    reader.open(made(model, X=X))
    there = answers_of_cells(reader, "((cells) => predict(encode(cells)))", cells)
    assert_same_bits(there, model.predict(X))
    assert reader.browser.told(*COMPLAINTS) == [] and reader.texts(".warning") == []


def test_names_and_levels_do_no_harm(reader):
    levels = ("</select><script>hacked = 1</script>", "</option>", "a=b", "a,b", *HOSTILE, "&lt;b&gt;", "__proto__")
    names = (HOSTILE[0], "x=</label>", HOSTILE[5])
    columns = Columns(names, levels={names[0]: levels, names[1]: levels[::-1]}, fills={names[2]: 0.1})
    cells = np.array([[i, (i + 3) % len(levels), np.nan if i % 2 else i] for i in range(len(levels))], np.float64)
    model = with_columns(columns, columns.encode(cells), "integer")
    text = made(model, X=columns.encode(cells))
    assert text.isascii() and text.lower().count("</script") == 3 and text.lower().count("</select") == 1
    reader.open(text).browser.run("document.querySelector('details').open = true")
    there = answers_of_cells(reader, "((cells) => predict(encode(cells)))", cells)
    assert_same_bits(there, model.predict(columns.encode(cells)))
    shown = levels_of(reader, "select")
    assert shown[:4] == list(levels[:4]) and shown[-2:] == ["&lt;b&gt;", "__proto__"]
    assert shown[9] == r"\u202egnp.exe\u2066 line\u2028paragraph\u2029\r\n\t\x1b[31m"
    assert reader.browser.run("typeof hacked") == "undefined"
    assert reader.browser.told(*COMPLAINTS) == []


def test_a_screen_reader_is_told_what_each_list_and_checkbox_is(houses, reader):
    reader.open(houses["integer"][1])
    (sea,) = reader.nodes("combobox")
    assert (sea["name"]["value"], sea["value"]["value"]) == ("sea", "far")
    assert sea["description"]["value"] == "as seen from it"
    names = [node["name"]["value"] for node in reader.nodes("checkbox")]
    assert names == ["pool", "beds unknown, taken as 537.88"]


@pytest.mark.parametrize("size", SIZES)
def test_the_tab_key_reaches_lists_and_checkboxes_and_their_focus_is_seen(size, houses, reader):
    reader.open(houses["integer"][1], size)
    reached = []
    for _ in range(8):
        reader.browser.press("Tab")
        reached.append(reader.browser.run(FOCUSED))
    kinds = ["number", "range", "select-one", "checkbox", "number", "range", "checkbox", "button"]
    assert reached == [[kind, "solid", True] for kind in kinds]


def test_long_levels_are_not_wider_than_a_narrow_screen(reader):
    columns = Columns(("sea", "a" * 90), levels={"sea": ("w" * 300, "near")}, fills={"a" * 90: 1e300 / 3})
    reader.open(made(with_columns(columns, np.eye(2)), X=np.eye(2)), "narrow")
    assert reader.browser.run("document.documentElement.scrollWidth") == 320


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_lists_and_what_is_beside_checkboxes_stand_out_from_their_ground(scheme, houses, reader):
    reader.open(houses["integer"][1], prefers_color_scheme=scheme)
    contrasts = reader.browser.run(CONTRASTS)
    assert min(contrasts["text"]) >= 4.5
    assert len(contrasts["edges"]) == 4 and min(contrasts["edges"]) >= 3
