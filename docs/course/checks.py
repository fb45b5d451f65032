"""Checks of the class: an answer is right, wrong, with a hint, or not done yet."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from housing_np import LinearRegression, load_california


class Check(NamedTuple):
    """What an answer should be, or a figure of it; a hint; and how a figure is shown."""

    expected: Any
    hint: str
    figure: Callable[[Any], Any] = lambda answer: answer
    shown: str = ""


def check(**answers: Any) -> None:
    """Print for each answer whether it is right; numbers need three correct digits."""
    for name, answer in answers.items():
        expected, hint, figure, shown = CHECKS[name]
        is_right, result = False, ""
        if answer is ...:
            print(f"{name}: not done yet")
            continue
        try:
            found = figure(answer)
            is_right, result = _is_same(found, expected), shown.format(found)
        except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError):
            pass  # an answer of another kind is a wrong one
        print(f"{name}: right{result}" if is_right else f"{name}: wrong{result}. Hint: {hint}")


def run(command: str) -> None:
    """Run ``housing-np …``, and print what a terminal would show, of many lines the first ones."""
    _run(command)


def write_colleagues_rows(path: str) -> None:
    """Write some rows of the census, with one column in another unit."""
    table = load_california()
    rows = table.X[::40] * np.where(np.array(table.feature_names) == "MedInc", 10_000, 1)
    np.savetxt(path, rows, "%.8g", ",", header=",".join(table.feature_names), comments="")


def _is_same(found: Any, expected: Any) -> bool:
    if isinstance(expected, str | bool | tuple):
        return bool(found == expected)
    return np.shape(found) == np.shape(expected) and np.allclose(found, expected, rtol=1e-3, atol=0)


def _call(command: str | list[str]) -> subprocess.CompletedProcess[str]:
    shell = isinstance(command, str)
    return subprocess.run(command, shell=shell, capture_output=True, encoding="utf-8", check=False)


def _run(command: str) -> subprocess.CompletedProcess[str]:
    words = shlex.split(command.removeprefix("housing-np"))
    return _shown(command, _call([sys.executable, "-m", "housing_np", *words]))


def _shown(command: str, done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    lines, notes = done.stdout.splitlines(), done.stderr.splitlines()[-6:]
    more = [f"… and {len(lines) - 12} more lines"] if len(lines) > 12 else []
    print("\n".join([f"$ {command}", *lines[:12], *more, *notes, f"(status {done.returncode})"]))
    return done


def _is_done(*commands: str) -> bool:
    return all(_shown(command, _call(command)).returncode == 0 for command in commands)


def _remove(*paths: str) -> None:
    """Remove what an earlier answer wrote."""
    for path in paths:
        Path(path).unlink(missing_ok=True)


def _r2(weights: Any) -> float:
    """Return R² on the census of these weights, with the intercept of the fit."""
    table = load_california()
    predictions = table.X @ np.asarray(weights, dtype=float) + LinearRegression().fit(table.X, table.y).intercept_
    return float(1 - np.mean((table.y - predictions) ** 2) / np.var(table.y))


def _damage(content: bytes) -> tuple[int, int]:
    """Return how many bytes of the model's file are changed, and the status of predict."""
    whole = Path("models/uint8-per-channel.npz").read_bytes()
    Path("damaged.npz").write_bytes(content)
    changed = sum(a != b for a, b in zip(content, whole, strict=True))
    return changed, _run("housing-np predict damaged.npz colleague.csv").returncode


def _gate(command: str) -> tuple[int, bool]:
    """Return the status, and whether answers are written."""
    _remove("answers.csv")
    return _run(command).returncode, Path("answers.csv").exists()


def _columns(command: str) -> tuple[list[str], list[str]]:
    """Train; return the names of the categories, and of the columns whose gaps are filled."""
    _remove("own/report.json")
    _run(command)
    data = json.loads(Path("own/report.json").read_text(encoding="utf-8"))["data"]
    return sorted(data["categories"]), sorted(data["filled"])


def _is_near(command: str) -> bool:
    """Return whether the first flat's rent is within 20 of 50 + 9.5 · 50 + 1.5 · 70 + 180."""
    return abs(float(_run(command).stdout.splitlines()[1].split(",")[0]) - 810) < 20


def _is_equal_in_c(command: str) -> bool:
    """Export, and compare C with Python where there is a compiler."""
    _remove("flats.c", "flats.h", "flats_test.c")
    is_written = _run(command).returncode == 0 and Path("flats_test.c").exists()
    if not is_written or os.name != "posix" or not shutil.which("cc"):
        return is_written
    return _is_done("cc -std=c99 flats.c flats_test.c -o flats_test", "./flats_test")


def _is_in_container(command: str) -> bool:
    """Build the image and let it predict, where there is one of this package."""
    is_build = command.split() == ["docker", "build", "--tag", "flats", "own"]
    if not is_build or not shutil.which("docker") or _call(["docker", "image", "inspect", "housing-np"]).returncode:
        return is_build
    return _is_done(command, "docker run --rm -i flats predict - < new.csv")


CENSUS = [-36.9419, 0.436693, 0.00943578, -0.107322, 0.645066, -3.97639e-06, -0.00378654, -0.421314, -0.434514]
R2 = ", R² {:.4f}"

CHECKS = {
    "slope": Check(1.5, "Σ(x − x̄)(y − ȳ) is 21; divide it by Σ(x − x̄)²."),
    "intercept": Check(0.5, "the line goes through the means: ȳ = intercept + slope · x̄."),
    "weights": Check(CENSUS, "nine numbers, the intercept first: is the column of ones in A?"),
    "r2": Check(0.606233, "score(X, y) of the fitted model returns R²."),
    "scale": Check(0.02, "255 steps from −2 to 3.1."),
    "zero_point": Check(100, "how many steps is 0 above −2? A whole number."),
    "q": Check(125, "0.5 / scale + zero_point."),
    "saturated": Check(255, "what is out of range becomes the nearest integer in it; nothing wraps around."),
    "back": Check(0.34, "0.333 is 16.65 steps: which integer is stored, and what does it stand for?"),
    "worst": Check(0.01, "the middle between two neighbours is the worst case."),
    "positive_scale": Check(0.008, "0 has to be one of the 256 values: the range becomes 0 to 2.04."),
    "positive_zero_point": Check(0, "which integer stands for 0, if the range begins there?"),
    "one_scale": Check(0.59957, "round w / step to whole numbers, and multiply by the step.", _r2, R2),
    "no_zero_point": Check(-5.41291, "round the steps above the smallest weight; it stands for q = 0.", _r2, R2),
    "truncated": Check(-18.0787, "the same with np.floor instead of np.rint.", _r2, R2),
    "r2_of_deviations": Check(-18.0787, "1 − (MSE of the fit + mean of the squared deviations) / variance of y."),
    "culprit": Check("Population", "an error does harm times the size of its feature: which feature has thousands?"),
    "moved": Check(4.87542, "error of that weight, times np.sqrt(np.mean(column ** 2))."),
    "ranged": Check(
        True, "add --range models/report.json.", lambda command: "means that shifted" in _run(command).stderr
    ),
    "column": Check("MedInc", "which name does the note about means give?"),
    "factor": Check(10_000, "the mean is now in dollars, and was in what?"),
    "gated": Check(
        (1, False),
        "--fail-outside takes a share such as 0.01, --output the file that is not written.",
        _gate,
    ),
    "damaged": Check((1, 3), "all bytes but one as they were, and not one of the first 26, zip's own.", _damage),
    "status": Check(3, "the number that predict ended with."),
    "noticed_by": Check("models.sha256", "which file in models has a checksum of each of the others?"),
    "smallest": Check(("per-tensor", 8), "of those with a deviation of at most 0.6, the fewest bytes.", tuple),
    "promised": Check(("per-channel", 7), "the same with bound instead of deviation.", tuple),
    "float32_bytes": Check(36, "32 bits are how many bytes? And there is an intercept."),
    "trained": Check(
        (["heating", "zip"], ["heating", "year"]), "--missing mean, --categories zip, --out own.", _columns
    ),
    "predicted": Check(True, "predict, a model in own, new.csv.", _is_near),
    "in_c": Check(True, "export, a model in own, -o flats.c, --golden 100, --range flats.csv.", _is_equal_in_c),
    "in_container": Check(True, "docker build --tag flats, and the folder.", _is_in_container),
}
