"""Change one module in all the ways that mutmut knows, and show the changes that the tests of its room do not notice.

    python tests/mutants.py rows/npy distributed     # or: all

Ends with status 1 where fewer than 97 % of a module's mutants are killed, those of `equivalent_mutants.toml` left out.
"""

import argparse
import configparser
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
COPIED = ("housing_np", "data", "tests", "setup.cfg", "pyproject.toml")
ENOUGH = 0.97
# The tests of a room, where they are not those of the file that has the module's name.
ROOMS = {
    "command/answers": ["commands", "doors"],
    "errors": ["commands"],
    "fit/factor": ["least_squares", "linear", "threads"],
    "fit/solution": ["least_squares", "linear", "inference"],
    "fit/summary": ["least_squares", "linear", "inference", "frames"],
    "quantized/naive": ["compare"],
    "fit/passes": ["passes", "distributed"],
    "predict": ["commands", "doors"],
    "quantize": ["commands", "doors"],
    "quantized/from_float": ["quantized"],
    "quantized/model": ["quantized"],
    "quantized/schemes/integer": ["quantized"],
    "quantized/schemes/per_channel": ["quantized"],
    "quantized/schemes/per_tensor": ["quantized"],
    "quantized/schemes/scheme": ["quantized"],
    "checks/display": ["shown"],
    "checks/objects": ["shown"],
    "rows": ["rows"],
    "rows/arrow_csv": ["rows_csv"],
    "rows/rows": ["rows", "rows_csv", "rows_json", "rows_npy", "rows_parquet"],
    "rows/text": ["rows_csv", "rows_json", "rows_source"],
    "rows/table": ["table"],
    "rows/california": ["california"],
    "rows/threads": ["threads"],
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
    names = [path.relative_to(package).with_suffix("").as_posix() for path in sorted(package.rglob("*.py"))]
    return [name.removesuffix("/__init__") for name in names if name != "__init__"]


def path_of(module: str) -> str:
    """Return the path of a module in the project."""
    path = f"housing_np/{module}.py"
    return path if (ROOT / path).exists() else f"housing_np/{module}/__init__.py"


def tests_of(module: str) -> list[str]:
    """Return the files that have to notice what is wrong with a module: those of its room, and its own examples."""
    names = (module.replace("/", "_").strip("_"), module.rpartition("/")[2])
    room = ROOMS.get(module, [next((name for name in names if (ROOT / f"tests/test_{name}.py").exists()), names[-1])])
    return [*(f"tests/test_{name}.py" for name in room), path_of(module)]


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
    return subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False
    )


def _shown(folder: Path, name: str) -> Mutant:
    lines = _mutmut(folder, "show", name).stdout.splitlines()
    was, now = (_joined(line[1:] for line in lines if re.match(rf"{sign}(?!{sign})", line)) for sign in (r"\-", r"\+"))
    return Mutant(name, was, now)


def _joined(lines: Iterator[str]) -> str:
    return " ".join(line.strip() for line in lines)


def equivalent(module: str) -> set[tuple[str, str]]:
    """Return the changes of a module that change nothing that a test could see."""
    known = tomllib.loads((ROOT / "tests" / "equivalent_mutants.toml").read_text(encoding="utf-8"))
    return {(each["was"], each["now"]) for each in known.get(module, [])}


def report(module: str, jobs: int) -> bool:
    """Print what survives in a module; return whether few enough do."""
    with tempfile.TemporaryDirectory() as folder:
        count, alive = survivors(module, Path(folder), jobs)
    known = equivalent(module)
    unknown = [each for each in alive if (each.was, each.now) not in known]
    killable = count - (len(alive) - len(unknown))
    rate = 1 - len(unknown) / killable if killable else 1.0
    print(f"{module}: {count} mutants, {count - killable} equivalent, {len(unknown)} survive: {rate:.1%} killed")
    for each in unknown:
        print(f"  {each.name}\n  - {each.was}\n  + {each.now}")
    sys.stdout.flush()
    return rate >= ENOUGH


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
    part, parts = map(int, options.part.split("/"))
    enough = [report(module, options.jobs) for module in chosen[part - 1 :: parts]]
    return 0 if all(enough) else 1


if __name__ == "__main__":
    sys.exit(main())
