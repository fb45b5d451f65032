"""The record of a training, and its page."""

import json
import re
import sys
from hashlib import sha256
from html.parser import HTMLParser

import numpy as np
import pytest
from cases import every
from running import answer, assert_refused, run, strict
from sklearn.metrics import mean_absolute_error

from housing_np import load
from housing_np.evaluation.sample import SAMPLE_SIZE, Sample
from housing_np.fit.passes import total
from housing_np.rows.california import bundled_file
from housing_np.store.report import Sums
from housing_np.store.report_page import markdown


@pytest.fixture
def report(models):
    return strict((models / "report.json").read_text())


@pytest.fixture
def homes(tmp_path):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(60, 2))
    rows = np.column_stack([X, X @ [2.0, -1.0] + rng.normal(size=60)])
    lines = [",".join(map(repr, row)) for row in rows.tolist()]
    (tmp_path / "homes.csv").write_text("\n".join(["rooms,age,price", *lines]) + "\n")
    return tmp_path


def train(folder, *arguments, data="homes.csv"):
    return answer("train", "--data", data, "--target", "price", *arguments, cwd=folder)


def test_it_says_of_each_feature_what_numpy_says(report, california):
    X = california.table.X
    assert list(report["features"]) == list(california.table.feature_names)
    for x, got in zip(X.T, report["features"].values(), strict=True):
        expected = [x.min(), x.max(), x.mean(), x.std(), *np.percentile(x, [1, 25, 50, 75, 99])]
        assert list(got.values()) == pytest.approx(expected, rel=1e-9)


def test_it_says_of_the_target_what_numpy_says(report, california):
    y = california.table.y
    expected = [y.min(), y.max(), y.mean(), y.std(), *np.percentile(y, [1, 25, 50, 75, 99])]
    name, *got, at_low, at_high, values = report["target"].values()
    assert (name, got) == ("MedHouseVal", pytest.approx(expected, rel=1e-9))
    assert (at_low, at_high, values) == ((y == y.min()).sum(), (y == y.max()).sum(), len(np.unique(y)))


def test_the_mean_absolute_error_is_scikit_learn_s(report, california, models):
    X, y = california.table.X, california.table.y
    for name, stage in report["stages"].items():
        predicted = load(models / f"{name}.npz").predict(X)
        assert stage["mae"] == pytest.approx(mean_absolute_error(y, predicted), rel=1e-9)


def test_it_has_the_sums_of_the_models_and_of_the_data(report, models):
    for name, stage in report["stages"].items():
        content = (models / f"{name}.npz").read_bytes()
        assert (stage["file_bytes"], stage["sha256"]) == (len(content), sha256(content).hexdigest())
    assert report["data"]["sha256"] == {"cal_housing.csv": sha256(bundled_file().read_bytes()).hexdigest()}


def test_it_has_the_standard_errors_of_the_summary(report, california):
    fit = california.model.summary()
    got = [report["intercept"], *report["coefficients"].values()]
    assert [each["standard_error"] for each in got] == pytest.approx(fit.stderr.tolist(), rel=1e-9)
    assert [each["coefficient"] for each in got] == pytest.approx(fit.coef.tolist(), rel=1e-9)


def test_the_median_bound_is_that_of_the_rows(report, california, models):
    for name, stage in report["stages"].items():
        if name != "float64":
            bounds = load(models / f"{name}.npz").error_bound(california.table.X)
            assert stage["median_bound"] == pytest.approx(np.median(bounds), rel=1e-9)


def test_its_figures_are_those_that_train_prints(homes):
    printed = json.loads(train(homes, "--json"))
    report = strict((homes / "models" / "report.json").read_text())
    for stage in printed["stages"]:
        same = set(stage) & set(report["stages"][stage["stage"]])
        assert len(same) > 5
        assert {key: stage[key] for key in same} == {key: report["stages"][stage["stage"]][key] for key in same}
    assert report["leave_one_out"] == printed["leave_one_out"]


def test_equal_inputs_give_equal_bytes_wherever_they_go(homes):
    for out in ("a", "b"):
        train(homes, "--out", out, "--report", f"{out}.html")
    assert (homes / "a" / "report.json").read_bytes() == (homes / "b" / "report.json").read_bytes()
    assert (homes / "a.html").read_bytes() == (homes / "b.html").read_bytes()


def test_it_counts_skipped_rows_and_names_what_is_left_out(homes):
    with (homes / "homes.csv").open("a") as file:
        file.write(",1,3\n")
    run("train", "--data", "homes.csv", "--target", "price", "--ignore", "age", "--on-error", "skip", cwd=homes)
    report = strict((homes / "models" / "report.json").read_text())
    assert report["data"]["left_out"] == ["age"]
    assert report["options"]["ignore"] == ["age"]
    assert (report["data"]["rows"], report["data"]["rows_skipped"]) == (60, 1)


def test_standard_input_has_no_sum(homes):
    run("train", "--data", "-", "--target", "price", cwd=homes, input=(homes / "homes.csv").read_bytes())
    assert strict((homes / "models" / "report.json").read_text())["data"]["sha256"] == {"-": None}


def test_sums_are_of_regular_files_alone(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-4
    paths = [tmp_path / "a", tmp_path, tmp_path / "none", "-"]
    assert list(Sums(paths).found({}).values()) == [known, None, None, None]


class Sources(HTMLParser):
    """What a page would load, and the tags in it."""

    def __init__(self):
        super().__init__()
        self.loaded, self.tags = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.loaded += [
            value for name, value in attributes if name.split(":")[-1] in ("href", "src") and value[0] != "#"
        ]


def test_the_page_has_four_pictures_and_loads_nothing(homes):
    train(homes, "--report", "a.html")
    page = (homes / "a.html").read_text()
    found = Sources()
    found.feed(page)
    assert found.tags.count("svg") == 4
    assert found.loaded == [] and "script" not in found.tags
    assert "$" not in page  # no formula that is not set
    assert "url(http" not in page and "@import" not in page
    ids = re.findall(r'<clipPath id="([^"]+)"', page)
    assert len(ids) == len(set(ids)) > 0


def test_names_are_text_in_the_page(homes):
    text = (homes / "homes.csv").read_text().replace("rooms", "<b>$x_{$|y")
    (homes / "homes.csv").write_text(text)
    for name in ("a.html", "a.md"):
        train(homes, "--report", name)
    assert "<b>" not in (homes / "a.html").read_text()
    assert r"\<b\>\$x\_\{\$\|y" in (homes / "a.md").read_text()


@every(
    ("name", "marked"),
    [
        ("https://example.com/x", r"https\://example.com/x"),
        ("HTTP://example.com", r"HTTP\://example.com"),
        ("a ftp://example.com", r"a ftp\://example.com"),
        ("www.example.com", r"www\.example.com"),
        ("WWW.example.com", r"WWW\.example.com"),
        ("me@example.com", r"me\@<!-- -->example.com"),
    ],
)
def test_an_address_in_a_name_is_no_link_in_markdown(name, marked, report):
    # As cmark-gfm 0.29 reads it: escapes end what it takes for an address, but for the @ of mail.
    report["target"]["name"] = name
    page = markdown(report)
    assert f"It predicts {marked} from 8 features" in page
    assert f"| {marked} |" in page
    assert name not in page


def test_markdown_has_the_sections_of_a_model_card(report):
    report["target"]["name"] = "MedHouseVal"
    page = markdown(report)
    titles = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert titles[:2] == ["What it is for", "What it cannot do"]
    assert "These weights may be positive or negative (within two standard errors): Population." in page
    assert "| leave-one-out | 0.6033 | 0.5282 |" in page
    for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        assert len({len(line.split(" | ")) for line in table.splitlines()}) == 1


@pytest.fixture
def pools(homes):
    """The same homes, of which the fourth alone has a pool."""
    head, *lines = (homes / "homes.csv").read_text().splitlines()
    rows = [f"{line},{int(i == 3)}" for i, line in enumerate(lines)]
    (homes / "pools.csv").write_text("\n".join([f"{head},pool", *rows]) + "\n")
    (homes / "others.csv").write_text("\n".join([head, *lines[:3], *lines[4:]]) + "\n")
    return homes


def figures(folder, data, key="leave_one_out"):
    return strict(train(folder, "--json", data=data))[key]


def test_leave_one_out_gives_the_figures_of_the_rows_that_are_not_alone(pools):
    got, expected = figures(pools, "pools.csv", "leave_one_out_others"), figures(pools, "others.csv")
    assert {key: got[key] for key in expected} == pytest.approx(expected, rel=1e-9)


def test_leave_one_out_names_the_features_that_rows_alone_determine(pools):
    got = figures(pools, "pools.csv", "leave_one_out_others")
    assert (got["rows_alone"], got["features_alone"]) == (1, ["pool"])


def test_leave_one_out_of_rows_of_which_none_is_alone_has_no_others(homes):
    assert figures(homes, "homes.csv", "leave_one_out_others") is None


def test_the_text_says_which_row_leave_one_out_is_without_and_why(pools):
    text, mse = " ".join(train(pools, data="pools.csv").split()), figures(pools, "others.csv")["mse"]
    assert f"MSE {mse:.4g} without 1 row that alone determines the weight of 'pool' held-out fifth R²" in text


def test_the_page_says_which_row_leave_one_out_is_without_and_why(pools):
    train(pools, "--report", "a.md", data="pools.csv")
    page, mse = (pools / "a.md").read_text(), figures(pools, "others.csv")["mse"]
    assert "Leave-one-out is without 1 row that alone determines the weight of 'pool'" in page
    assert f" | {mse:.4g} | " in next(line for line in page.splitlines() if line.startswith("| leave-one-out |"))


def test_leave_one_out_of_as_many_rows_as_unknowns_says_that_they_are_too_few(tmp_path):
    (tmp_path / "homes.csv").write_text("rooms,price\n1,2\n3,5\n")
    assert "leave-one-out too few rows\nheld-out fifth too few rows" in train(tmp_path)


def test_a_page_in_html_needs_matplotlib_before_anything_is_fitted(homes, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    done = run("train", "--data", "none.csv", "--target", "price", "--report", "a.html", cwd=homes)
    assert_refused(done, 2, "pip install '.[plot]'")


def test_a_page_of_another_kind_is_refused(homes):
    done = run("train", "--data", "none.csv", "--target", "price", "--report", "a.pdf", cwd=homes)
    assert_refused(done, 2, "a.pdf: a report is a page in HTML or Markdown")


def test_a_page_that_cannot_be_written_leaves_no_models(homes):
    (homes / "file").touch()
    done = run("train", "--data", "homes.csv", "--target", "price", "--report", "file/a.md", cwd=homes)
    assert_refused(done, 3, "cannot be written")
    assert not list((homes / "models").glob("*"))


def blocks_of(rows, size):
    X = np.arange(rows * 3.0).reshape(rows, 3)
    return [(X[i : i + size], X[i : i + size, 0]) for i in range(0, rows, size)]


def test_a_sample_of_few_rows_is_all_of_them():
    sample = total(Sample(), blocks_of(100, 30))
    np.testing.assert_array_equal(sample.X, np.arange(300.0).reshape(100, 3))


def test_a_sample_of_many_rows_is_bounded_in_order_and_spread_evenly():
    rows = 1_000_000
    sample = total(Sample(), blocks_of(rows, 100_000))
    assert sample.X.size + sample.y.size <= SAMPLE_SIZE < sample.X.size * 1.4
    assert np.all(np.diff(sample.y) > 0)
    # The mean of so many of the numbers 0 … 1 has the deviation 0.29 / √65,536.
    assert np.mean(sample.y) / (3 * rows) == pytest.approx(0.5, abs=5 * 0.29 / np.sqrt(len(sample.y)))
    small = sample.least(100)
    assert len(small.y) == 100 and set(small.y) <= set(sample.y)


def test_two_samples_add_up_to_one_of_the_rows_of_both():
    blocks = blocks_of(400_000, 100_000)
    both = total(Sample(), blocks[:1]) + total(Sample(), blocks[1:])
    whole = total(Sample(), blocks)
    assert both.rows == whole.rows == 400_000
    assert len(both.y) == len(whole.y)
    assert np.sum(both.y < 300_000) / len(both.y) == pytest.approx(0.25, abs=0.01)
