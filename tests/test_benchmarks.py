"""What the pages say of speed and accuracy is what the recorded runs measured."""

import copy
import re
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGE = (RESULTS / "README.md").read_text(encoding="utf-8")
MODULES = ("fitting", "measure", "overview", "pages", "render", "run", "synthetic", "targets", "worth")
# Records may be older than the sections that were added since.
ALWAYS = {"start", "fit", "predict", "digits", "quantization", "size"}


@pytest.fixture(scope="module")
def bench():
    before = sys.path[:]
    sys.path.insert(0, str(ROOT / "benchmarks"))
    modules = {name: import_module(name) for name in MODULES}
    sys.path[:] = before
    return SimpleNamespace(**modules)


@pytest.fixture(scope="module")
def records(bench):
    return bench.pages.records_in(RESULTS)


@pytest.fixture
def two(records):
    """A record and one of another processor, whose fit took twice as long and which knows nothing of sizes."""
    record = next(iter(records.values()))
    other = copy.deepcopy(record)
    other["machine"]["processor"] = "Other(R) Processor"
    del other["sections"]["size"]
    for shape in other["sections"]["fit"]["shapes"]:
        shape["seconds"]["housing_np"] *= 2
    return {"One": record, "Other Processor": other}


def cells(table, start):
    """The cells of each line of a table that starts with these words."""
    return [line[2:-2].split(" | ") for line in table.splitlines() if line.startswith(f"| {start}")]


def test_the_readme_shows_the_overview_of_the_records(bench, records):
    assert re.findall(r"<!-- benchmarks: (\w+) -->", README) == ["machine", "overview"]
    assert bench.pages.filled(README, records) == README


def test_the_page_shows_all_tables_of_the_records(bench, records):
    assert bench.pages.page(records, RESULTS) + "\n" == PAGE


def test_every_record_is_of_a_whole_run_with_every_peer(bench, records):
    for record in records.values():
        assert not record["quick"]
        assert ALWAYS <= set(record["sections"]) <= set(bench.render.SECTIONS)
        assert record["machine"]["missing"] == []
        assert not any(section.get("machine", {}).get("missing") for section in record["sections"].values())


def test_every_record_says_where_and_when_and_so_does_the_readme(records):
    for name, record in records.items():
        assert {"date", "processor", "cores", "system", "versions"} <= set(record["machine"])
        assert f"Measured on {record['machine']['date']} on {name}, " in README


def test_what_each_record_was_measured_on_is_a_paragraph(bench, two):
    first, second, *_ = bench.pages.machine(two).split("\n\n")
    assert first.startswith("Measured on ") and "\n" not in first
    assert second.startswith("Measured on ") and "\n" not in second


def test_every_record_is_in_the_file_of_its_processor(bench, records):
    assert {bench.pages.slug(record) for record in records.values()} == {path.stem for path in RESULTS.glob("*.json")}


def test_every_section_is_measured_and_has_a_table(bench):
    assert list(bench.run.SECTIONS) == list(bench.render.SECTIONS)


def test_every_picture_is_shown_for_light_and_dark_pages():
    shown = set(re.findall(r'(?:src|srcset)="([\w-]+\.svg)"', PAGE))
    assert shown == {path.name for path in RESULTS.glob("*.svg")}
    assert {name.replace("-dark", "-light") for name in shown} == {name for name in shown if "-light" in name}
    assert set(re.findall(r"benchmarks/results/([\w-]+\.svg)", README)) <= shown


def test_a_record_takes_the_place_of_its_processor_s_and_no_other(bench, two, tmp_path):
    one, other = two.values()
    for record in (one, other, one | {"format": 2}):
        bench.pages.keep(record, tmp_path)
    kept = bench.pages.records_in(tmp_path)
    assert {name: record["format"] for name, record in kept.items()} == {
        bench.pages.processor(one): 2,
        "Other Processor": 1,
    }
    assert (tmp_path / "other-processor.json").exists()


def test_a_run_of_one_section_keeps_the_others_and_says_when_it_was(bench, two, tmp_path):
    one = next(iter(two.values()))
    bench.pages.keep(one, tmp_path)
    versions = one["machine"]["versions"] | {"numpy": "9.9", "new": "1"}
    machine = one["machine"] | {"date": "2030-01-02", "memory_bytes_per_second": 1e9, "versions": versions}
    bench.pages.keep(one | {"machine": machine, "sections": {"fit": one["sections"]["fit"]}}, tmp_path)
    (kept,) = bench.pages.records_in(tmp_path).values()
    assert kept | {"sections": one["sections"]} == one
    assert kept["sections"] == one["sections"] | {"fit": one["sections"]["fit"] | {"machine": machine}}
    said = bench.pages.machine({"One": kept})
    assert f"Measured on {one['machine']['date']} on " in said
    assert " Section fit: measured on 2030-01-02, memory read at 1 GB/s, numpy 9.9." in said
    # 72 MB at 1 GB/s, whatever the fit took.
    assert re.search(r"\| 1,000,000 × 8 \| [\d.]+ ms \| 72\.0 ms \|", bench.render.fit(kept))
    assert bench.render.predict(kept) == bench.render.predict(one)


def test_quick_runs_and_whole_ones_are_not_put_together(bench, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["run.py", "--quick", "--only", "fit", "--out", str(RESULTS)])
    with pytest.raises(SystemExit):
        bench.run.main()
    assert "all of them with --quick, or none" in capsys.readouterr().err


@pytest.fixture
def with_kinds(bench, records):
    """A record whose fit was measured for all kinds of columns, each ratio 3 for scikit-learn and 1 for intelex."""
    record = copy.deepcopy(next(iter(records.values())))
    ratio = {"scikit-learn": [3, 2, 4], "intelex": [1, 0.5, 2], "lstsq": [5, 5, 5]}
    record["sections"]["fit"]["shapes"] = [
        {"kind": kind, "rows": rows, "columns": columns, "seconds": {"housing_np": 0.1}, "ratio": copy.deepcopy(ratio)}
        for kind, (rows, columns) in bench.fitting._cells(quick=False)
    ]
    return record


def test_every_kind_of_columns_is_measured_and_a_quick_run_takes_the_smallest_shape(bench):
    cells, quick = (bench.fitting._cells(quick) for quick in (False, True))
    assert {kind for kind, _ in cells} == set(bench.synthetic.KINDS) >= {bench.targets.NORMAL, bench.targets.CORRELATED}
    assert len(cells) == 4 * 2 + 2 * 7
    assert {shape for _, shape in quick} == {(20_640, 8)}


def test_the_overview_shows_the_worst_kind_of_columns(bench, with_kinds):
    shapes = with_kinds["sections"]["fit"]["shapes"]
    worst = next(each for each in shapes if each["kind"] == "0/1 dummies")
    worst["ratio"]["intelex"][0] = 0.7
    shapes[-1]["ratio"]["scikit-learn"][0] = 1.4
    sklearn, intelex = cells(bench.overview.overview({"One": with_kinds}), "fit: ")
    assert sklearn[2:] == [
        "2.5× worst; 1.5× worst at correlation 0.999",
        "100 ms, 3.00× worst (normal, 20,640 × 8); 1.40× worst at correlation 0.999: missed",
    ]
    assert intelex[3] == (
        "100 ms, 0.70× worst (0/1 dummies, 200,000 × 64); 0.98× mean; 1.00× worst at correlation 0.999: missed"
    )
    table = bench.render.fit(with_kinds)
    assert cells(table, "0/1 dummies | 200,000 × 64")[0][5] == "0.70 (0.50–2.00)"
    assert cells(table, "mean |")[0][4:] == ["3.00", "0.98; 1×: missed", "5.00"]
    assert cells(table, "worst |")[0][4:] == ["3.00; 2.5×: met", "0.70; 0.7×: met", "5.00"]
    assert cells(table, "worst at")[0][4:] == ["1.40; 1.5×: missed", "1.00; 0.4×: met", "5.00"]


def test_a_record_without_kinds_of_columns_says_so_and_meets_no_target(bench, with_kinds):
    fit = with_kinds["sections"]["fit"]
    fit["shapes"] = [{name: each[name] for name in each if name != "kind"} for each in fit["shapes"][:4]]
    fit["shapes"][0]["ratio"]["intelex"][0] = 0.6
    sklearn, intelex = (line[3] for line in cells(bench.overview.overview({"One": with_kinds}), "fit: "))
    assert sklearn.endswith("(normal, 20,640 × 8); other kinds of columns not measured")
    assert intelex.endswith("× mean; other kinds of columns not measured: missed")
    assert "Other kinds of columns were not measured" in bench.render.fit(with_kinds)


def test_synthetic_columns_are_of_their_kind(bench):
    for kind in bench.synthetic.KINDS:
        (X, y), (again, _) = (next(bench.synthetic.blocks(20_000, 8, kind)) for _ in range(2))
        scale = bench.synthetic.scales(8, kind)
        np.testing.assert_array_equal(X, again)
        np.testing.assert_allclose(X.std(axis=0), scale, rtol=0.1)
        np.testing.assert_allclose(np.std(y - (X / scale).sum(axis=1)), 1, rtol=0.05)
    means = {kind: next(bench.synthetic.blocks(20_000, 8, kind))[0].mean(axis=0) for kind in bench.synthetic.KINDS}
    np.testing.assert_allclose(means["mean 50 or 200 deviations"] / np.logspace(-2, 2, 8), [50, 200] * 4, rtol=0.01)
    np.testing.assert_allclose(means["0/1 dummies"], np.linspace(0.05, 0.5, 8), atol=0.02)
    np.testing.assert_allclose(means["counts"], 3, rtol=0.02)
    for correlation in (0.9, 0.999):
        X, _ = next(bench.synthetic.blocks(20_000, 8, f"correlated {correlation}"))
        np.testing.assert_allclose(np.corrcoef(X.T)[np.triu_indices(8, 1)], correlation, atol=0.01)


def test_the_overview_has_a_column_for_each_processor_and_leaves_empty_what_was_not_measured(bench, two):
    table = bench.overview.overview(two)
    assert table.splitlines()[0] == "|  | peer | target | One | Other Processor |"
    assert [(line[3] == "", line[4] == "") for line in cells(table, "file of")] == [(False, True)] * 2
    one, other = cells(table, "fit: ")[0][3:]
    assert one != other and one.split(", ")[1:] == other.split(", ")[1:]


def test_the_page_shows_once_what_is_equal_on_several_processors(bench, two, tmp_path):
    page = bench.pages.page(two, tmp_path)
    assert page.count("**One, Other Processor**\n\n| set |") == 1 == page.count("| Longley |")
    assert page.count("| rows × features |") == 2
    assert "<picture>" not in page


def test_a_text_is_filled_where_it_asks_for_it(bench, two):
    text = "a\n<!-- benchmarks: overview -->\nold\n<!-- end -->\nb\n"
    new = f"a\n<!-- benchmarks: overview -->\n{bench.overview.overview(two)}\n<!-- end -->\nb\n"
    assert bench.pages.filled(text, two) == new


def test_a_ratio_is_the_peer_s_divided_by_ours_in_the_same_round(bench):
    assert bench.measure.ratios({"peer": [2.0, 9.0, 8.0], "housing_np": [1.0, 3.0, 2.0]}) == {"peer": [3.0, 2.0, 4.0]}


def test_rounds_are_interleaved_and_the_first_is_not_counted(bench):
    calls = []
    candidates = {name: lambda name=name: calls.append(name) or len(calls) for name in "ab"}
    assert bench.measure.interleaved(candidates, 2, "") == {"a": [3, 5], "b": [4, 6]}
    assert "".join(calls) == "ababab"


def test_a_run_ends_where_the_answers_differ(bench):
    ours = np.array([1.0, 4.0])
    assert bench.measure.agree("x", ours, ours + [0, 0.5], 0.2) == 0.125
    with pytest.raises(SystemExit, match=r"^x: the answers differ by 0\.12 of the largest, more than 0\.1$"):
        bench.measure.agree("x", ours, ours + [0, 0.5], 0.1)
    with pytest.raises(SystemExit, match="the answers differ by nan"):
        bench.measure.agree("x", ours, ours * np.nan, 0.1)


def test_uint8_pays_for_many_targets_and_not_for_nine_numbers(bench):
    """Bytes counted by the description of the file: weights; scale, zero point and center; the rest."""
    cases = bench.worth.measure(quick=True)["cases"]
    found = {(each["features"], each["targets"], each["kind"]): each for each in cases}
    for p, k in ((8, 1), (64, 10), (512, 10)):
        assert found[p, k, "float32"]["payload_bytes"] == 4 * k * (p + 1)
        assert found[p, k, "per-channel"]["payload_bytes"] == k * p + (4 + 1 + 4) * p + (1 + 4) + (4 + 8) * k
        assert found[p, k, "per-tensor"]["payload_bytes"] == k * p + 4 + 1 + (1 + 4) + (4 + 8) * k
        assert found[p, k, "per-channel"]["rms_deviation"] < 0.01 < 0.5 < found[p, k, "per-tensor"]["rms_deviation"]
    assert found[8, 1, "per-channel"]["payload_bytes"] > found[8, 1, "float64"]["payload_bytes"]
    assert found[512, 10, "per-channel"]["payload_bytes"] < found[512, 10, "float32"]["payload_bytes"] / 2
