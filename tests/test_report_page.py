"""The page of a report as it is seen: in any width and scheme of colors, on paper, and read aloud.

HOUSING_NP_REQUIRE_TOOLS=1 makes a missing browser a failure.
"""

import re

import browser as headless
import numpy as np
import pytest
from running import answer, run
from tools import tool

from housing_np.store.report_text import number

WIDTH = "document.documentElement.scrollWidth"
BACKGROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if not headless.path():
        tool("chromium")
    browser = headless.Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The page of the bundled data, and that of a table with long names, categories and numbers of any size."""
    folder, rng = tmp_path_factory.mktemp("pages"), np.random.default_rng(0)
    answer("train", "--report", "bundled.html", cwd=folder)
    names = ["a_name_without_a_place_to_break_" * 3, "many words " * 12, "tiny", "<b>--></svg>&amp;", "price" * 20]
    X = rng.normal(size=(200, 3)) * [1e7, 1, 1e-9]
    levels = rng.choice(["far", "near by the sea " * 6], 200)
    y = X @ [1e-3, 500, 1e12] + 1e6 + rng.normal(size=200)
    rows = (
        ",".join([*map(repr, x), level, repr(target)])
        for x, level, target in zip(X.tolist(), levels, y.tolist(), strict=True)
    )
    (folder / "rows.csv").write_text("\n".join([",".join(names), *rows]) + "\n")
    run("train", "--data", "rows.csv", "--target", names[-1], "--report", "long.html", "--out", "long", cwd=folder)
    return {name: folder / f"{name}.html" for name in ("bundled", "long")}


@pytest.mark.parametrize("name", ["bundled", "long"])
def test_the_page_scrolls_down_alone_on_a_phone_on_a_desk_and_on_paper(name, browser, pages):
    for width, media in ((375, "screen"), (1280, "screen"), (718, "print")):  # A4 with margins of 10 mm
        browser.look(width, 900)
        browser.ask("Emulation.setEmulatedMedia", media=media)
        browser.open(pages[name].as_uri())
        assert browser.run(WIDTH) <= width, (width, media)
    assert browser.told("Runtime.exceptionThrown", "Log.entryAdded") == []
    assert len(browser.told("Network.requestWillBeSent")) == 1  # the page itself


def test_the_page_is_light_or_dark_as_the_reader_is_and_light_on_paper(browser, pages):
    seen = {}
    for media, scheme in (("screen", "light"), ("screen", "dark"), ("print", "dark")):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.ask("Emulation.setEmulatedMedia", media=media, features=features)
        browser.open(pages["bundled"].as_uri())
        text = browser.run("getComputedStyle(document.querySelector('svg text')).fill")
        seen[media, scheme] = browser.run(BACKGROUND), text
    assert seen["screen", "light"] == seen["print", "dark"] == ("rgb(255, 255, 255)", "rgb(31, 35, 40)")
    # What is written in a picture is as light on the dark page.
    assert seen["screen", "dark"] == ("rgb(13, 17, 23)", "rgb(230, 237, 243)")


def test_pictures_and_tables_have_names_and_each_table_scrolls_by_keyboard(browser, pages):
    browser.look(375, 900)
    browser.open(pages["bundled"].as_uri())
    nodes = [node for node in browser.ask("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]]
    named = {role: [n["name"]["value"] for n in nodes if n["role"]["value"] == role] for role in ("image", "region")}
    assert len(named["image"]) == 4 and all(len(name) > 60 for name in named["image"])
    assert named["region"] == ["How good it is", "The models", "What each feature contributes", "The data"]
    tables = "[...document.querySelectorAll('.table')]"
    assert browser.run(f"{tables}.every((each) => each.tabIndex === 0 && each.clientWidth <= 343)")
    assert browser.run(f"{tables}.some((each) => each.scrollWidth > each.clientWidth)")


def test_numbers_are_written_as_people_write_them(pages):
    for page in pages.values():
        text = re.sub(r"<(style|svg).*?</\1>|<[^>]*>|[0-9a-f]{64}", " ", page.read_text(), flags=re.DOTALL)
        assert re.findall(r"\d+e[+-]?\d+|(?<![\w-])-\d|(?<![\d.])\d{5,}", text) == []
    assert "<td>35,682</td>" in pages["bundled"].read_text() and "−3.976 × 10⁻⁶" in pages["bundled"].read_text()


def test_the_page_stays_small_and_has_no_markup_of_names(pages):
    assert all(page.stat().st_size < 250_000 for page in pages.values())
    assert "<b>" not in pages["long"].read_text()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (float("nan"), "–"),
        (-0.5, "−0.5"),
        (99_999.6, "100,000"),
        (123_456_789.0, "123,456,789"),
        (2.5e9, "2.5 × 10⁹"),
        (0.00012346, "0.0001235"),
        (-1e-300, "−1 × 10⁻³⁰⁰"),
    ],
)
def test_a_number_has_four_digits_or_all_before_the_point(value, text):
    assert number(value) == text
