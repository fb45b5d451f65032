"""What the pages show is what the commands and the code print, and what they point to is there."""

import ast
import doctest
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from housing_np import train
from housing_np.__main__ import COMMANDS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / ".github").glob("*.md"))]
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in PAGES}

FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
DECIMAL = re.compile(r"(?<![\w.])\d[\d,]*\.\d+(?:e[-+]?\d+)?(?!\.?\w)|\b\d{1,3}(?:,\d{3})+\b")


# What is not run: blocks that contain this, and why. Everything else is.
NOT_RUN = {
    "pip install": "needs an index of packages: .ci/run installs the package and its tests' extras",
    "docker ": "needs Docker: tests/test_container.py builds the image and runs it in these ways",
    "import mlflow": "needs MLflow, which no extra brings",
    "dvc repro": "needs DVC, which no extra brings; what it is to find is compared with what train writes",
    "from evidently": "needs evidently, which no extra brings, and its pandas<3",
}
# Commands that a system may lack: their blocks are run where they are there.
TOOLS = ("cc", "curl", "sha256sum")


def shown(*languages):
    """The fenced blocks in these languages, with the page that each is in."""
    return [(page, code) for page, text in TEXTS.items() for name, code in FENCED.findall(text) if name in languages]


def is_run(code):
    words = set(re.findall(r"[\w-]+", code))
    lacking = os.name != "posix" or any(tool in words and not shutil.which(tool) for tool in TOOLS)
    return not any(part in code for part in NOT_RUN) and (code.startswith(">>> ") or not lacking)


RUN = sorted({page for page, code in shown("sh", "console", "python") if is_run(code)})
LINKS = [
    (page, link)
    for page, text in TEXTS.items()
    for link in re.findall(r'(?:\]\(|srcset="|src=")([^)"#]+)[)"#]', text)
    if ":" not in link
]
PLACES = [
    (page, path, name, link)
    for page, text in TEXTS.items()
    for path, name, link in re.findall(r"\[`([\w/]+\.py):\s([\w.]+)`\]\(([^)]+)\)", text)
]


@pytest.fixture(scope="module")
def trained_folder(tmp_path_factory):
    """A folder as the README's first command leaves it."""
    folder = tmp_path_factory.mktemp("docs")
    assert train.main(["--out", str(folder / "models")]) == 0
    return folder


@pytest.fixture
def checkout(request, page, tmp_path):
    """A clean folder with the checkout's data; a page of docs/ begins where the README's first command ends."""
    folder = tmp_path / "checkout"
    if page == "README.md":
        folder.mkdir()
    else:
        shutil.copytree(request.getfixturevalue("trained_folder"), folder)
    shutil.copytree(ROOT / "data", folder / "data")
    return folder


def sizes_apart(text):
    """The text without its sizes in bytes, and the sizes: they change a little with zlib and with the last bits."""
    size = r" *(\d+)(?= B\b| bytes)"
    return re.sub(size, " N", text), [int(number) for number in re.findall(size, text)]


class Shell:
    """Runs the blocks of one page in a folder, in order; servers run until the page ends."""

    def __init__(self, folder, stack):
        self.folder, self.stack, self.names = folder, stack, {}
        self.port = str(free_port())
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        python_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self.environment = os.environ | {"PATH": path, "PYTHONPATH": python_path, "PYTHONUTF8": "1"}
        self.environment |= {"GITHUB_STEP_SUMMARY": "summary.md", "COLUMNS": "80"}
        self.environment.pop("HOUSING_NP_MODEL", None)

    def run(self, language, code):
        if not is_run(code):
            return
        code = code.replace("8080", self.port)
        if language == "sh" and "housing_np.serve" in code:
            self.stack.enter_context(self._served(code))
        elif language == "sh":
            self._output(code)
        elif language == "console":
            self._console(code)
        elif language == "python":
            self._session(code)
        elif language == "c":
            (self.folder / "main.c").write_text(code)

    def _output(self, command):
        shell = ["bash", "-euo", "pipefail", "-c", command]
        done = subprocess.run(
            shell, cwd=self.folder, env=self.environment, capture_output=True, encoding="utf-8", check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        return done.stdout

    def _console(self, code):
        for each in re.split(r"^\$ ", code, flags=re.MULTILINE)[1:]:
            command, output = re.fullmatch(r"((?:[^\n]*\\\n)*[^\n]*\n)(.*)", each, re.DOTALL).groups()
            (printed, printed_sizes), (there, sizes) = sizes_apart(self._output(command)), sizes_apart(output)
            assert printed.rstrip("\n") == there.rstrip("\n"), command
            assert printed_sizes == pytest.approx(sizes, abs=8)

    def _session(self, code):
        examples = doctest.DocTestParser().get_doctest(code, self.names, "page", "page", 0)
        runner, report = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE), []
        runner.run(examples, out=report.append, clear_globs=False)
        self.names.update(examples.globs)
        assert examples.examples and not report, "".join(report)

    @contextmanager
    def _served(self, command):
        server = subprocess.Popen(
            ["bash", "-c", f"exec {command}"], cwd=self.folder, env=self.environment, stderr=subprocess.PIPE
        )
        try:
            wait_for(server, int(self.port))
            yield
        finally:
            server.terminate()
            server.communicate(timeout=30)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def wait_for(server, port):
    """Return once something listens on a port; fail if the server ends before."""
    for _ in range(300):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert server.poll() is None, server.stderr.read()
        time.sleep(0.1)
    pytest.fail("the server does not answer")


@pytest.mark.parametrize("page", RUN)
def test_what_a_page_shows_is_run_in_order_and_prints_what_it_shows(page, checkout, monkeypatch):
    monkeypatch.chdir(checkout)
    with ExitStack() as stack:
        shell = Shell(checkout, stack)
        for language, code in FENCED.findall(TEXTS[page]):
            shell.run(language, code)


def test_a_page_whose_command_fails_is_noticed(tmp_path):
    with ExitStack() as stack, pytest.raises(AssertionError, match="No such file"):
        Shell(tmp_path, stack).run("sh", "python -m housing_np.predict none.npz rows.csv\n")


@pytest.mark.parametrize("part", NOT_RUN)
def test_what_is_not_run_is_on_a_page(part):
    assert any(part in code for _, code in shown("sh", "python"))


def test_commands_are_in_blocks_that_are_run():
    assert {name for text in TEXTS.values() for name, _ in FENCED.findall(text)} <= {
        *("sh", "console", "python", "c"),
        *("text", "yaml", "dockerfile"),  # formulas, layouts and files, which are not typed
    }
    assert [code for _, code in shown("text") if re.match(r"\$|python|import ", code)] == []


@pytest.fixture
def shell(tmp_path):
    shutil.copytree(ROOT / "data", tmp_path / "data")
    with ExitStack() as stack:
        yield Shell(tmp_path, stack)


def test_dvc_is_told_of_all_that_train_writes(shell):
    (text,) = [code for _, code in shown("yaml") if code.startswith("stages:")]
    shell.run("sh", re.search(r"cmd: (.*\n)", text)[1])
    outputs = text.partition("outs:")[2]
    written = {path.relative_to(shell.folder).as_posix() for path in shell.folder.glob("models/*")}
    assert sorted(re.findall(r"- (models/[\w.-]+)", outputs)) == sorted(written)


def test_the_pipeline_of_the_class_trains_keeps_its_report_and_has_the_actions_of_ours(shell):
    text = (ROOT / "docs" / "course" / "ci.yml").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 25
    shell.run("sh", re.search(r"run: venv/bin/(python .*\n)", text)[1])
    assert shell.folder.joinpath(re.search(r"path: (.*)", text)[1], "report.html").exists()
    ours = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"uses: .*", text)) <= set(re.findall(r"uses: .*", ours))


def test_every_link_leads_to_a_file():
    assert [(page, link) for page, link in LINKS if not (ROOT / page).parent.joinpath(link).exists()] == []


@pytest.mark.parametrize("path", ["README.md", "setup.cfg", "Dockerfile", ".github/SECURITY.md"])
def test_nothing_points_to_an_address_of_the_project(path):
    assert "github.com" not in (ROOT / path).read_text(encoding="utf-8")


NOTEBOOKS = ("docs/tutorial.ipynb", "docs/course/exercises.ipynb", "docs/course/solutions.ipynb")


@pytest.mark.parametrize("path", [*TEXTS, *NOTEBOOKS])
def test_no_page_installs_the_package_from_an_index(path):
    assert "housing_np[" not in (ROOT / path).read_text(encoding="utf-8")


def test_the_first_screen_of_the_readme_fits_a_terminal():
    first = TEXTS["README.md"].split("\n## ")[0].splitlines()
    assert [line for line in first if len(line) > 80] == []


def defined(body, prefix=""):
    """The names that statements define, those in classes with the class before them."""
    for each in body:
        if isinstance(each, ast.ClassDef | ast.FunctionDef):
            yield prefix + each.name
        if isinstance(each, ast.ClassDef):
            yield from defined(each.body, f"{prefix}{each.name}.")


def is_there(page, path, name, link):
    file = (ROOT / page).parent.joinpath(link)
    is_labelled = file.as_posix().endswith(f"housing_np/{path}")
    return is_labelled and name in set(defined(ast.parse(file.read_text(encoding="utf-8")).body))


def test_every_place_in_the_code_is_there():
    assert [place for place in PLACES if not is_there(*place)] == []


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
