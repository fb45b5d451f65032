"""What type checkers say of a user's program; pyright, which is no Python package, says it in the CI workflow."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import typed_program
from running import ROOT

import housing_np

PROGRAM = Path(typed_program.__file__)


def test_the_program_does_what_its_types_say(tmp_path):
    assert typed_program.right(tmp_path).shape == (100,)


def test_mypy_finds_an_error_in_each_wrong_line_and_in_no_other(tmp_path):
    lines = PROGRAM.read_text(encoding="utf-8").splitlines()
    named = {n: found[1] for n, line in enumerate(lines, 1) if (found := re.search(r"# type: ignore\[(.+)\]", line))}
    assert len(named) > 10
    (tmp_path / "program.py").write_text("\n".join(line.partition("  # type: ignore")[0] for line in lines) + "\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", f"--config-file={ROOT}/setup.cfg", "program.py"],
        cwd=tmp_path,
        # With its cache of NumPy's types, it takes a tenth of the time.
        env={"MYPY_CACHE_DIR": f"{ROOT}/.mypy_cache"} | os.environ | {"MYPYPATH": ROOT},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.stderr == ""
    errors = re.findall(r"^(.+):(\d+): error: .*\[(.+)\]$", done.stdout, re.MULTILINE)
    assert {(file, int(line)): code for file, line, code in errors} == {("program.py", n): named[n] for n in named}


def test_type_checkers_see_the_public_names_where_they_are_imported_from():
    tree = ast.parse(Path(housing_np.__file__).read_text(encoding="utf-8"))
    seen = {
        alias.asname: f"housing_np.{node.module}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.level
        for alias in node.names
    }
    assert seen == {name: getattr(housing_np, name).__module__ for name in housing_np.__all__}
