"""The tutorial is a notebook that runs, and shows what running it gives."""

import itertools
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from test_docs import numbers

DOCS = Path(__file__).parent.parent / "docs"
TUTORIAL = DOCS / "tutorial.ipynb"


def read():
    return nbformat.read(TUTORIAL, as_version=4)


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
    NotebookClient(fresh, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert texts(fresh) == texts(stored)
    assert list(tmp_path.iterdir()) == []


def test_its_cells_were_run_once_from_top_to_bottom(stored):
    counts = [cell.execution_count for cell in stored.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))


def test_it_has_a_picture_and_is_small(stored):
    assert sum(each is True for cell in texts(stored) for each in cell) == 1
    assert TUTORIAL.stat().st_size < 80_000


def test_it_holds_nothing_of_the_machine_that_ran_it(stored):
    assert set(stored.metadata) == {"kernelspec", "language_info"}
    assert all(not cell.metadata for cell in stored.cells)
    assert not re.search(r" at 0x|/tmp|/home", TUTORIAL.read_text(encoding="utf-8"))


def test_its_links_lead_to_files(stored):
    links = [link for cell in stored.cells for link in re.findall(r"\]\(([^)#:]+)\)", cell.source)]
    assert links and [link for link in links if not DOCS.joinpath(link).exists()] == []


def test_a_number_in_its_text_is_one_that_it_prints(stored):
    prose = "\n".join(cell.source for cell in stored.cells if cell.cell_type == "markdown")
    printed = "\n".join(str(each) for cell in texts(stored) for each in cell)
    assert numbers(prose) - numbers(printed) == set()
