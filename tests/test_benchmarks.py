"""The recorded run of the benchmarks is whole, and the README's tables are what it renders to."""

import json
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RUN = ROOT / "benchmarks" / "run.py"
RESULTS = ROOT / "benchmarks" / "results"
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"<!-- benchmarks: (\S+) -->\n(.*?)\n<!-- end -->", README, re.DOTALL)
SECTIONS = ["start", "fit", "predict", "digits", "quantization", "size"]
PICTURES = [
    f"{name}-{theme}.svg" for name in ("deviation", "fit", "residuals", "predicted") for theme in ("light", "dark")
]


@pytest.fixture(scope="module")
def record():
    return json.loads((RESULTS / "record.json").read_text(encoding="utf-8"))


def rendered(name):
    done = subprocess.run(
        [sys.executable, str(RUN), "--render", name], capture_output=True, encoding="utf-8", check=True
    )
    return done.stdout.strip()


def numbers(value):
    """Every number in a record."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from numbers(each)
    elif isinstance(value, float):
        yield value


def test_the_record_is_a_whole_run(record):
    assert record["format"] == 1
    assert record["quick"] is False
    assert list(record["sections"]) == SECTIONS
    assert record["machine"]["missing"] == []
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", record["machine"]["date"])
    assert {"Python", "numpy", "housing_np", "scikit-learn", "onnxruntime"} <= set(record["machine"]["versions"])


def test_the_record_is_of_finite_numbers_and_names_no_place(record):
    assert all(abs(number) < float("inf") for number in numbers(record))
    assert re.search(r'"[^"]*(/home|/root|/tmp|/work|\\\\Users)', json.dumps(record)) is None


def test_a_ratio_lies_within_its_range(record):
    fit, predict = record["sections"]["fit"], record["sections"]["predict"]
    ratios = [each["ratio"] for each in [*fit["shapes"], *fit["growth"], *predict["cases"]]]
    assert all(least <= middle <= most for each in ratios for middle, least, most in each.values())


@pytest.mark.parametrize("name", PICTURES)
def test_the_record_has_its_pictures(name):
    assert "<svg" in (RESULTS / name).read_text(encoding="utf-8")


def test_the_stored_tables_are_what_the_record_renders_to():
    assert (RESULTS / "record.md").read_text(encoding="utf-8").strip() == rendered("all")


@pytest.mark.parametrize(("name", "table"), SHOWN, ids=[name for name, _ in SHOWN])
def test_the_readme_shows_what_the_record_renders_to(name, table):
    assert table.strip() == rendered(name)


def test_an_unknown_table_is_refused():
    done = subprocess.run([sys.executable, str(RUN), "--render", "nothing"], capture_output=True, encoding="utf-8")
    assert done.returncode == 2
    assert "invalid choice: 'nothing'" in done.stderr


def least_squares(design, response):
    """The exact solution of the normal equations, in rational numbers."""
    columns = range(len(design[0]))
    rows = [
        [sum(row[i] * row[j] for row in design) for j in columns]
        + [sum(row[i] * y for row, y in zip(design, response, strict=True))]
        for i in columns
    ]
    for i in columns:
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for j in columns:
            if j != i:
                rows[j] = [a - rows[j][i] * b for a, b in zip(rows[j], rows[i], strict=True)]
    return [row[-1] for row in rows]


def test_the_certified_values_are_those_of_the_data(monkeypatch):
    monkeypatch.syspath_prepend(RUN.parent)
    from reference_sets import reference_sets

    for each in reference_sets():
        first = [[Fraction(repr(value)) for value in row] for row in each.X.tolist()]
        count = len(each.certified)
        polynomial = each.intercept and each.name != "Longley"
        design = [
            [row[0] ** k for k in range(count)] if polynomial else [Fraction(1)] * each.intercept + row for row in first
        ]
        exact = least_squares(design, [Fraction(repr(value)) for value in each.y.tolist()])
        assert [float(value) for value in exact] == pytest.approx(each.certified.tolist(), rel=1e-14), each.name
