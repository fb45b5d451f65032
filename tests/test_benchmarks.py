"""What the README says of speed and accuracy is what the recorded run measured."""

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def render():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import render

    sys.path.pop(0)
    return render


@pytest.fixture(scope="module")
def record():
    return json.loads((RESULTS / "record.json").read_text(encoding="utf-8"))


def test_the_readme_s_tables_are_the_record_s(render, record):
    assert len(re.findall("<!-- benchmarks: ", README)) >= 6
    assert render.filled(README, record) == README


def test_the_whole_record_is_beside_it_as_text(render, record):
    assert (RESULTS / "README.md").read_text(encoding="utf-8") == render.whole(record) + "\n"


def test_the_record_is_of_a_whole_run_with_every_peer(render, record):
    assert not record["quick"]
    assert set(record["sections"]) == set(render.OF_SECTION)
    assert record["machine"]["missing"] == []


def test_the_record_says_where_and_when(render, record):
    assert {"date", "processor", "cores", "system", "versions"} <= set(record["machine"])
    assert record["machine"]["date"] in README


def test_every_picture_of_the_readme_is_there_for_light_and_dark_pages():
    shown = set(re.findall(r"benchmarks/results/([\w-]+\.svg)", README))
    assert shown == {path.name for path in RESULTS.glob("*.svg")}
    assert {name.replace("-dark", "-light") for name in shown if "-dark" in name} == {n for n in shown if "-light" in n}


def test_a_table_goes_where_the_text_asks_for_it(render, record):
    text = "a\n<!-- benchmarks: size -->\nold\n<!-- end -->\nb\n"
    assert render.filled(text, record) == f"a\n<!-- benchmarks: size -->\n{render.size(record)}\n<!-- end -->\nb\n"
