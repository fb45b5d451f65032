"""Change one module in all the ways that mutmut knows, and show the changes that the tests of its room do not notice.

    python tests/mutants.py rows/npy distributed     # or: all

Ends with status 1 where a module's tests kill fewer mutants than `mutant_rates.toml` records, or where an entry of
`equivalent_mutants.toml`, whose mutants are left out of the count, matches no line of the module. A module that is not
recorded is only reported.
"""

import argparse
import ast
import configparser
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
COPIED = ("housing_np", "data", "tests", "setup.cfg", "pyproject.toml")
# The tests of a package, for its modules that have no file of tests of their name and are not in ROOMS.
PACKAGES = {
    "": ["commands", "doors"],
    "checks": ["arrays", "frames", "names", "paths"],
    "command": ["commands", "doors", "streams"],
    "distributed": ["distributed"],
    "evaluation": ["evaluation"],
    "export": ["export", "export_c", "export_page"],
    "fit": ["linear", "least_squares", "inference"],
    "quantized": ["quantized"],
    "rows": ["rows", "rows_source", "table"],
    "service": ["serve"],
    "store": ["artifact", "files", "report"],
}
# The tests of a module, where they are not those of the file that has its name.
ROOMS = {
    "command/arguments": ["cli", "commands", "doors", "streams"],
    "command/output": ["cli", "commands", "doors", "streams"],
    "command/progress": ["cli", "commands", "doors", "streams"],
    "command/cli": ["cli", "commands", "doors", "streams"],
    "evaluation/sample": ["evaluation", "report"],
    "evaluation/smallest": ["evaluation", "commands"],
    "fit/adopt": ["linear", "frames"],
    "fit/leave_one_out": ["linear", "evaluation", "sparse"],
    "checks/display": ["shown"],
    "command/answers": ["answers", "answers_beside", "commands"],
    "errors": ["errors", "commands"],
    "export/c_columns": ["export_c_columns"],
    "export/c_functions": ["export_c"],
    "export/c_text": ["export_c", "export_c_columns"],
    "export/fixed": ["export_c"],
    "export/onnx_graph": ["export_onnx", "export_onnx_columns"],
    "fit/factor": ["factor", "least_squares", "linear", "threads"],
    "fit/metrics": ["metrics", "linear", "quantized"],
    "fit/passes": ["passes", "distributed"],
    "fit/solution": ["solution", "least_squares", "linear", "inference", "positive"],
    "fit/summary": ["summary", "least_squares", "linear", "inference", "frames", "sparse", "positive"],
    "predict": ["answers_beside", "commands", "doors"],
    "quantize": ["commands", "doors"],
    "quantized/calibration": ["calibration", "sparse"],
    "quantized/display": ["shown"],
    "quantized/from_float": ["quantized"],
    "quantized/model": ["quantized"],
    "quantized/packing": ["artifact", "export_c"],
    "quantized/schemes/float32": ["schemes", "quantized"],
    "quantized/schemes/integer": ["schemes", "quantized"],
    "quantized/schemes/per_channel": ["schemes", "quantized"],
    "quantized/schemes/per_tensor": ["schemes", "quantized"],
    "quantized/schemes/scheme": ["schemes", "quantized"],
    "checks/objects": ["shown"],
    "quantized/naive": ["compare"],
    "rows": ["rows"],
    "rows/arrow_columns": ["rows_fast"],
    "rows/arrow_csv": ["rows_csv", "rows_fast"],
    "rows/arrow_json": ["rows_fast"],
    "rows/california": ["california"],
    "rows/copied": ["answers_beside"],
    "rows/numbered": ["answers_beside"],
    "rows/rows": ["rows", "rows_csv", "rows_json", "rows_npy", "rows_parquet"],
    "rows/table": ["table"],
    "rows/text": ["rows_csv", "rows_json", "rows_source"],
    "rows/threads": ["threads"],
    "service/connection": ["serve", "serve_limits"],
    "service/limits": ["serve", "serve_limits"],
    "service/metrics": ["serve"],
    "service/served": ["serve", "serve_workers"],
    "service/straight": ["serve_straight"],
    "service/wanted": ["serve_words", "encodings"],
    "service/workers": ["serve_workers"],
    "store/pictures": ["report", "compare"],
    "store/report_page": ["report"],
    "store/signals": ["streams", "files"],
    "train": ["commands", "doors"],
}
_SURVIVED, _NO_TEST = 0, 33  # mutmut's codes; every other one is a mutant that was noticed


class Mutant(NamedTuple):
    """One change: the lines that were there, and those in their place."""

    name: str
    was: str
    now: str


def modules() -> list[str]:
    """Return all modules that have code, as they are named on the command line."""
    package = ROOT / "housing_np"
    paths = [path for path in sorted(package.rglob("*.py")) if _has_code(path)]
    names = [path.relative_to(package).with_suffix("").as_posix() for path in paths]
    return [name.removesuffix("/__init__") for name in names if name != "__init__"]


def _has_code(path: Path) -> bool:
    return len(ast.parse(path.read_text(encoding="utf-8")).body) > 1  # more than its docstring


def path_of(module: str) -> str:
    """Return the path of a module in the project."""
    path = f"housing_np/{module}.py"
    return path if (ROOT / path).exists() else f"housing_np/{module}/__init__.py"


def tests_of(module: str) -> list[str]:
    """Return the files that have to notice what is wrong with a module: those of its room, and its own examples."""
    package, _, name = module.rpartition("/")
    own = [each for each in (f"{package}_{name}", name) if (ROOT / f"tests/test_{each}.py").exists()]
    chosen = ROOMS.get(module) or own[:1] or PACKAGES[package]
    return [*(f"tests/test_{each}.py" for each in chosen), path_of(module)]


def survivors(module: str, folder: Path, jobs: int) -> tuple[int, list[Mutant]]:
    """Return how many mutants a module has, and those that its tests do not notice."""
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    config = configparser.RawConfigParser()
    config.read(folder / "setup.cfg", encoding="utf-8")
    changes = {
        "only_mutate": path_of(module),
        "pytest_add_cli_args_test_selection": "\n" + "\n".join(tests_of(module)),
    }
    config["mutmut"].update(changes)
    with (folder / "setup.cfg").open("w", encoding="utf-8") as file:
        config.write(file)
    done = _mutmut(folder, "run", "--max-children", str(jobs))
    results = folder / "mutants" / f"{path_of(module)}.meta"
    codes = json.loads(results.read_text(encoding="utf-8"))["exit_code_by_key"] if results.exists() else {}
    if done.returncode or None in codes.values():
        sys.exit(f"{module}: mutmut ended before all mutants were tried\n{done.stdout[-3000:]}")
    return len(codes), [_shown(folder, name) for name, code in codes.items() if code in (_SURVIVED, _NO_TEST)]


def _mutmut(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mutmut", *arguments]
    # One draw of the matrix for all runs: mutmut asks for the cases that its first run had.
    environment = os.environ | {"HOUSING_NP_MATRIX_SEED": "0", "HOUSING_NP_PROFILE": "mutants"}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8"}
    return subprocess.run(command, cwd=folder, env=environment, check=False, **streams)


def _shown(folder: Path, name: str) -> Mutant:
    lines = _mutmut(folder, "show", name).stdout.splitlines()
    was, now = (_joined(line[1:] for line in lines if re.match(rf"{sign}(?!{sign})", line)) for sign in (r"\-", r"\+"))
    return Mutant(name, was, now)


def _joined(lines: Iterable[str]) -> str:
    return " ".join(line.strip() for line in lines)


def _table(name: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / "tests" / name).read_text(encoding="utf-8"))


def equivalent(module: str) -> set[tuple[str, str]]:
    """Return the changes of a module that change nothing that a test could see."""
    return {(each["was"], each["now"]) for each in _table("equivalent_mutants.toml").get(module, [])}


def stale() -> list[str]:
    """Return the entries of `equivalent_mutants.toml` that match no line of the code."""
    found = []
    for module, entries in _table("equivalent_mutants.toml").items():
        path = ROOT / path_of(module)
        text = _joined(path.read_text(encoding="utf-8").splitlines()) if path.exists() else ""
        found += [f"{module}: {each['was']}" for each in entries if each["was"] not in text]
    return found


def recorded() -> dict[str, float]:
    """Return the share of mutants that the tests of a module have to kill, by module."""
    return _table("mutant_rates.toml")


def report(module: str, jobs: int) -> bool:
    """Print what survives in a module; return whether as many are killed as is recorded."""
    with tempfile.TemporaryDirectory() as folder:
        count, alive = survivors(module, Path(folder), jobs)
    known = equivalent(module)
    unknown = [each for each in alive if (each.was, each.now) not in known]
    killable = count - (len(alive) - len(unknown))
    # Cut, not rounded, so that what is printed can be recorded.
    rate = math.floor(1000 * (1 - len(unknown) / killable)) / 1000 if killable else 1.0
    least = recorded().get(module, 0.0)
    print(f"{module}: {count} mutants, {count - killable} equivalent, {len(unknown)} survive: {rate:.1%} killed")
    print(f"  below what is recorded, {least:.1%}" if rate < least else f"  recorded: {least:.1%}")
    for each in unknown:
        print(f"  {each.name}\n  - {each.was}\n  + {each.now}")
    sys.stdout.flush()
    return rate >= least


def main() -> int:
    """Run for the modules that are named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="+", metavar="MODULE", help="a path in housing_np/ without .py, or all")
    parser.add_argument("--jobs", type=int, default=2, help="how many mutants are tried at once (default: 2)")
    parser.add_argument("--part", default="1/1", metavar="I/N", help="the I-th of N parts of all that are named")
    options = parser.parse_args()
    chosen = modules() if options.modules == ["all"] else options.modules
    if unknown := set(chosen) - set(modules()):
        parser.error(f"no module {', '.join(sorted(unknown))}; there are: {', '.join(modules())}")
    if found := stale():
        print("entries of equivalent_mutants.toml that match no line; remove them:", *found, sep="\n  ")
    part, parts = map(int, options.part.split("/"))
    enough = [report(module, options.jobs) for module in chosen[part - 1 :: parts]]
    return 0 if all(enough) and not found else 1


if __name__ == "__main__":
    sys.exit(main())
