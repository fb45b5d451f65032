"""The tutorial is a notebook that runs, and shows what running it gives; those of the class say what is right."""

import importlib.util
import itertools
import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from test_docs import numbers

DOCS = Path(__file__).parent.parent / "docs"
TUTORIAL, COURSE = DOCS / "tutorial.ipynb", DOCS / "course"
EXERCISES, SOLUTIONS = COURSE / "exercises.ipynb", COURSE / "solutions.ipynb"


def read(path=TUTORIAL):
    return nbformat.read(path, as_version=4)


def execute(notebook, folder):
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()


def module(name):
    """A module of the class, which is no package."""
    found = importlib.util.spec_from_file_location(name, COURSE / f"{name}.py")
    loaded = importlib.util.module_from_spec(found)
    found.loader.exec_module(loaded)
    return loaded


def texts(notebook):
    """What each cell of code shows: text, or the table that a notebook prefers to it; a picture by its kind."""
    return [joined(map(shown, cell.outputs)) for cell in notebook.cells if cell.cell_type == "code"]


def joined(outputs):
    """Return what is shown, with texts that follow each other as one: how often a kernel sends them is chance."""
    groups = itertools.groupby(outputs, lambda each: each is True)
    return [True if is_picture else "".join(group) for is_picture, group in groups]


def shown(output):
    data = output.get("data", {})
    return output.get("text") or ("image/png" in data) or data.get("text/html") or data["text/plain"]


@pytest.fixture(scope="module")
def stored():
    return read()


def test_running_it_gives_what_it_shows(stored, tmp_path):
    fresh = read()
    for cell in fresh.cells:
        cell.pop("outputs", None)
    execute(fresh, tmp_path)
    assert texts(fresh) == texts(stored)
    assert list(tmp_path.iterdir()) == []


def test_its_cells_were_run_once_from_top_to_bottom(stored):
    counts = [cell.execution_count for cell in stored.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


def test_it_has_a_picture_and_is_small(stored):
    assert sum(each is True for cell in texts(stored) for each in cell) == 1
    assert TUTORIAL.stat().st_size < 80_000


@pytest.mark.parametrize("path", [TUTORIAL, EXERCISES, SOLUTIONS], ids=lambda path: path.stem)
def test_it_holds_nothing_of_the_machine_that_ran_it_and_its_links_lead_to_files(path):
    notebook = read(path)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert all(not cell.metadata for cell in notebook.cells)
    assert not re.search(r" at 0x|/tmp|/home", path.read_text(encoding="utf-8"))
    links = [link for cell in notebook.cells for link in re.findall(r"\]\(([^)#:]+)[)#]", cell.source)]
    assert links and [link for link in links if not path.parent.joinpath(link).exists()] == []


def test_a_number_in_its_text_is_one_that_it_prints(stored):
    prose = "\n".join(cell.source for cell in stored.cells if cell.cell_type == "markdown")
    printed = "\n".join(str(each) for cell in texts(stored) for each in cell)
    assert numbers(prose) - numbers(printed) == set()


# What a learner may think, for each answer of the class.
WRONG = {
    "slope": "21 / 13",
    "intercept": "1.5 * 3 - 5",
    "weights": "np.linalg.lstsq(X, y)[0]",
    "r2": "LinearRegression(fit_intercept=False).fit(X, y).score(X, y)",
    "scale": "5.1 / 256",
    "zero_point": "128",
    "q": "25",
    "saturated": "(300 - 256)",
    "back": "0.333",
    "worst": "0.02",
    "positive_scale": "(2.04 - 0.51) / 255",
    "positive_zero_point": "-85",
    "one_scale": "np.floor(w / step) * step",
    "no_zero_point": "np.rint(w / step) * step",
    "truncated": "low + np.rint((w - low) / step) * step",
    "r2_of_deviations": "1 - np.mean((X @ (truncated - w)) ** 2) / np.var(y)",
    "culprit": "table.feature_names[np.argmax(np.abs(truncated - w))]",
    "moved": "np.abs(truncated - w)[4] * X[:, 4].std()",
    "ranged": '"housing-np predict models/float64.npz colleague.csv"',
    "column": '"Longitude"',
    "factor": "1_000",
    "gated": '"housing-np predict models/float64.npz colleague.csv --range models/report.json --output answers.csv"',
    "damaged": "content[:-1]",
    "status": "1",
    "noticed_by": '"float64.npz"',
    "smallest": '("per-channel", 7)',
    "promised": '("per-tensor", 8)',
    "float32_bytes": "8 * 4",
    "trained": '"housing-np train --data flats.csv --target rent --missing mean --out own"',
    "predicted": '"housing-np predict own/uint8-per-channel.npz flats.csv"',
    "in_c": '"housing-np export own/uint8-integer.npz -o flats.c"',
    "in_container": '"docker run flats"',
}


@pytest.fixture
def course(tmp_path):
    return shutil.copytree(COURSE, tmp_path / "course")


def said(notebook, names):
    """What is said of each answer, in order: all lines that begin with its name."""
    output = "\n".join(each for cell in texts(notebook) for each in cell if each is not True)
    return {name: re.findall(rf"^{name}: (.*)$", output, re.MULTILINE) for name in names}


def test_the_learners_notebook_is_the_solutions_without_answers():
    assert json.loads(EXERCISES.read_text("utf-8")) == module("blank").blanked(json.loads(SOLUTIONS.read_text("utf-8")))
    answers = re.findall(r"^(\w+) = (.*)  # answer$", "\n".join(cell.source for cell in read(EXERCISES).cells), re.M)
    assert answers == [(name, "...") for name in module("checks").CHECKS]


def test_the_learners_notebook_runs_unfilled_and_says_what_is_not_done_yet(course):
    notebook = read(EXERCISES)
    execute(notebook, course)
    assert said(notebook, WRONG) == {name: ["not done yet"] for name in WRONG}
    copied, ours = ({path.name for path in folder.iterdir()} - {"__pycache__"} for folder in (course, COURSE))
    assert copied == ours


def test_each_wrong_answer_gets_its_hint_and_the_solution_is_right_after_it(course):
    notebook, answer, checks = read(SOLUTIONS), module("blank").ANSWER, module("checks").CHECKS
    assert set(WRONG) == set(checks)
    for cell in [cell for cell in notebook.cells if answer.search(cell.source)]:
        wrong = answer.sub(lambda found: f"{found[1]} = {WRONG[found[1]]}", cell.source)
        notebook.cells.insert(notebook.cells.index(cell), nbformat.v4.new_code_cell(wrong))
    execute(notebook, course)
    for name, (wrong, right) in said(notebook, WRONG).items():
        assert wrong.startswith("wrong") and wrong.endswith(f"Hint: {checks[name].hint}"), name
        assert right.startswith("right"), name


@pytest.mark.parametrize("answer", [None, "", [], float("nan"), {"x": 1}], ids=str)
def test_an_answer_of_another_kind_is_wrong(answer, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    checks = module("checks")
    # An earlier answer was right.
    Path("own").mkdir()
    left = {"categories": ["heating", "zip"], "filled": ["heating", "year"]}
    Path("own/report.json").write_text(json.dumps({"data": left}))
    checks.check(**dict.fromkeys(checks.CHECKS, answer))
    assert re.findall(r"^(\w+): wrong", capsys.readouterr().out, re.M) == list(checks.CHECKS)


def test_the_class_takes_ninety_minutes():
    timetable = re.findall(r"^\| (\d+) \| (.*?) \|", (COURSE / "README.md").read_text(encoding="utf-8"), re.M)
    exercises = re.findall(
        r"^## (\d\. .*) \((\d+) minutes\)", "\n".join(cell.source for cell in read(EXERCISES).cells), re.M
    )
    assert sum(int(minutes) for minutes, _ in timetable) == 90
    assert [(minutes, name) for name, minutes in exercises] == timetable[1:-1]


def test_its_container_is_that_of_the_page():
    (dockerfile,) = re.findall(
        r'dockerfile = """\\\n(.*?)"""', "\n".join(cell.source for cell in read(SOLUTIONS).cells), re.S
    )
    assert f"```dockerfile\n{dockerfile}```" in (DOCS / "container.md").read_text(encoding="utf-8")
