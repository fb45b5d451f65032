"""What the pages show is what the commands and the code print, and what they point to is there."""

import ast
import doctest
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from housing_np import train
from housing_np.__main__ import COMMANDS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / ".github").glob("*.md"))]
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in PAGES}

FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
DECIMAL = re.compile(r"(?<![\w.])\d[\d,]*\.\d+(?:e[-+]?\d+)?(?!\.?\w)|\b\d{1,3}(?:,\d{3})+\b")


def shown(*languages):
    """The fenced blocks in these languages, with the page that each is in."""
    return [(page, code) for page, text in TEXTS.items() for name, code in FENCED.findall(text) if name in languages]


CONSOLES = [
    (page, *code.removeprefix("$ python ").split("\n", 1))
    for page, code in shown("console")
    if code.startswith("$ python ")
]
SESSIONS = sorted({page for page, _ in shown("python")})
OURS = "https://github.com/housing-np/housing_np/blob/main/"
LINKS = [
    (page, link)
    for page, text in TEXTS.items()
    for link in re.findall(r'(?:\]\(|srcset="|src=")([^)"#]+)[)"#]', text)
    if link.startswith(OURS) or ":" not in link
]
PLACES = [
    (page, path, name, link)
    for page, text in TEXTS.items()
    for path, name, link in re.findall(r"\[`([\w/]+\.py):\s([\w.]+)`\]\(([^)]+)\)", text)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the models that the pages speak of."""
    folder = tmp_path_factory.mktemp("docs")
    assert train.main(["--out", str(folder / "models")]) == 0
    return folder


def sizes_apart(text):
    """The text without its sizes in bytes, and the sizes: they change a little with zlib and with the last bits."""
    size = r" *(\d+)(?= B\b| bytes)"
    return re.sub(size, " N", text), [int(number) for number in re.findall(size, text)]


def test_every_console_is_a_command_of_python():
    assert len(CONSOLES) == len(shown("console")) > 0


@pytest.mark.parametrize(("page", "command", "output"), CONSOLES, ids=[f"{page}: {each}" for page, each, _ in CONSOLES])
def test_a_command_prints_what_the_page_shows(page, command, output, folder):
    done = subprocess.run(
        [sys.executable, *shlex.split(command)],
        cwd=folder,
        env=os.environ | {"PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    (printed, printed_sizes), (there, sizes) = sizes_apart(done.stdout), sizes_apart(output)
    assert printed == there
    assert printed_sizes == pytest.approx(sizes, abs=8)


@pytest.mark.parametrize("page", SESSIONS)
def test_the_examples_of_a_page_print_what_it_shows(page, folder, monkeypatch):
    monkeypatch.chdir(folder)
    # Fences become blank lines, which end an example's output; the lines keep their numbers.
    code = re.sub(r"^```.*$", "", TEXTS[page], flags=re.MULTILINE)
    examples = doctest.DocTestParser().get_doctest(code, {}, page, page, 0)
    report = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(examples, out=report.append)
    assert examples.examples and not report, "".join(report)


def test_every_python_block_is_a_session():
    assert [(page, code) for page, code in shown("python") if not code.startswith(">>> ")] == []


@pytest.mark.parametrize(("page", "link"), LINKS, ids=[f"{page}: {link}" for page, link in LINKS])
def test_a_link_leads_to_a_file(page, link):
    start = ROOT if link.startswith(OURS) else (ROOT / page).parent
    assert start.joinpath(link.removeprefix(OURS)).exists()


def test_the_links_of_the_readme_work_where_packages_are_listed_too():
    links = [link for page, link in LINKS if page == "README.md"]
    assert links and [link for link in links if not link.startswith(OURS)] == []


def defined(body, prefix=""):
    """The names that statements define, those in classes with the class before them."""
    for each in body:
        if isinstance(each, ast.ClassDef | ast.FunctionDef):
            yield prefix + each.name
        if isinstance(each, ast.ClassDef):
            yield from defined(each.body, f"{prefix}{each.name}.")


@pytest.mark.parametrize(
    ("page", "path", "name", "link"), PLACES, ids=[f"{path}: {name}" for _, path, name, _ in PLACES]
)
def test_a_place_in_the_code_is_there(page, path, name, link):
    file = (ROOT / page).parent.joinpath(link)
    assert file.as_posix().endswith(f"housing_np/{path}")
    assert name in set(defined(ast.parse(file.read_text(encoding="utf-8")).body))


def test_the_theory_names_places_in_the_code():
    assert sum(page == "docs/theory.md" for page, *_ in PLACES) > 10


def numbers(text):
    """The decimal numbers of a text, and those with thousands set apart, as written."""
    return set(DECIMAL.findall(re.sub(r"(?:section|arXiv|Python|--[\w-]+)\s\d+\.\d+", "", text)))


@pytest.mark.parametrize("page", ["README.md", "docs/theory.md", "docs/comparison.md"])
def test_a_number_in_the_text_is_one_that_something_prints(page):
    prose = re.sub(r"<!-- benchmarks: .*?<!-- end -->", "", FENCED.sub("", TEXTS[page]), flags=re.DOTALL)
    tables = (ROOT / "benchmarks" / "results" / "README.md").read_text(encoding="utf-8")
    printed = "\n".join([tables, *(code for _, code in shown("console", "python"))])
    assert numbers(prose) - numbers(printed) == set()


def test_the_readme_is_read_in_one_sitting():
    assert len(TEXTS["README.md"].splitlines()) <= 200


def test_the_readme_begins_with_a_command_and_its_output():
    assert "$ python -m housing_np.train" in TEXTS["README.md"].splitlines()[:8]


def test_every_command_is_in_the_readme():
    assert [name for name in COMMANDS if f"`{name} " not in TEXTS["README.md"]] == []


def test_every_exit_status_is_in_the_readme():
    assert re.findall(r"\*\*(\d+)\*\*", TEXTS["README.md"]) == ["0", "1", "2", "3", "130", "143"]
