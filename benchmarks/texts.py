"""Text as people have it: train and predict from it, as whole processes, against the usual scripts."""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from measure import HERE, OURS, installed, progress
from tables import TOLERANCE, case

from housing_np import load_california

REPEATS = 25  # of the bundled rows
IGNORED = "note"
# The options of our commands for each file, and what the usual scripts have to know of it.
KINDS: dict[str, tuple[list[str], str]] = {
    "plain": ([], ""),
    "words": (["--ignore", IGNORED], ""),
    "quoted words": (["--ignore", IGNORED], ""),
    "missing, rows skipped": (["--on-error", "skip"], "skip"),
    "missing, left out": (["--missing", "skip"], "skip"),
    "missing, filled": (["--missing", "mean"], "mean"),
    "all quoted": ([], ""),
    "decimal commas": (["--decimal", ","], "commas"),
    "dates": (["--ignore", IGNORED], ""),
    "large integers": (["--ignore", IGNORED], ""),
    "JSON Lines": ([], ""),
}
QUICK = ("quoted words", "JSON Lines")
PREDICTED = ("--on-error", "--decimal")  # what predict takes of these options


def measure(quick: bool) -> dict[str, Any]:
    """Return seconds and peak memory of each command on each kind of text, in interleaved rounds."""
    peers = ("polars",) if quick else ("pandas", "polars")
    sides = [f"{name} + scikit-learn" for name in peers if installed(name, "scikit-learn", "joblib")]
    repeats, rounds = (1, 1) if quick else (REPEATS, 5)
    with TemporaryDirectory() as name:
        folder = Path(name)
        cases = []
        for kind in QUICK if quick else KINDS:
            file = _write(folder, kind, repeats)
            for command in ("train", "predict") if _is_predicted(kind) else ("train",):
                size = {"bytes": (folder / file).stat().st_size, "rows": 20_640 * repeats}
                arguments = {side: _arguments(side, command, kind, file) for side in (*sides, OURS)}
                measured = case(command, kind, arguments, rounds, folder)
                cases.append({"command": command, "kind": kind} | size | measured)
            (folder / file).unlink()
    return {"cases": cases, "tolerance": TOLERANCE}


def _is_predicted(kind: str) -> bool:
    """Whether predict reads such a file as train does."""
    return not KINDS[kind][0] or KINDS[kind][0][0] != "--missing"


def _write(folder: Path, kind: str, repeats: int) -> str:
    progress(f"texts: writing {kind}")
    table = load_california()
    X = np.tile(np.round(np.column_stack([table.X, table.y]), 6), (repeats, 1)).tolist()
    names = [*table.feature_names, "target"]
    name = "rows.jsonl" if kind == "JSON Lines" else "rows.csv"
    with (folder / name).open("w", newline="") as file:
        if kind == "JSON Lines":
            file.writelines(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in X)
            return name
        quoting = csv.QUOTE_ALL if kind == "all quoted" else csv.QUOTE_MINIMAL
        writer = csv.writer(file, delimiter=";" if kind == "decimal commas" else ",", quoting=quoting)
        writer.writerow([IGNORED, *names] if KINDS[kind][0][:1] == ["--ignore"] else names)
        writer.writerows(_rows(kind, X))
    return name


def _rows(kind: str, X: list[list[float]]) -> Iterable[list[Any]]:
    """Return the rows of a file of this kind."""
    notes = {
        "words": lambda i: f"word{i % 997} of it",
        "quoted words": lambda i: f"word{i % 997}, of it",
        "dates": lambda i: f"2012-{i % 12 + 1:02}-{i % 28 + 1:02}",
        "large integers": lambda i: 2**60 + i,
    }
    if kind in notes:
        return ([notes[kind](i), *row] for i, row in enumerate(X))
    if kind == "decimal commas":
        return ([repr(value).replace(".", ",") for value in row] for row in X)
    return _with_gaps(X) if kind.startswith("missing") else X


def _with_gaps(X: list[list[float]]) -> Iterator[list[Any]]:
    """Yield the rows, 1 % of them without their fifth cell."""
    for row, is_missing in zip(X, np.random.default_rng(0).random(len(X)) < 0.01, strict=True):
        yield [*row[:4], "", *row[5:]] if is_missing else row


def _arguments(side: str, command: str, kind: str, file: str) -> list[str]:
    options, how = KINDS[kind]
    if side != OURS:
        library = side.split()[0]
        return [str(HERE / "text_script.py"), library, command, file, f"{library}.joblib", f"{library}.csv", how]
    if command == "train":
        return ["-m", "housing_np.train", "--data", file, "--target", "target", *options]
    taken = options if options[:1] and options[0] in PREDICTED else []
    return ["-m", "housing_np.predict", "models/float64.npz", file, "--output", f"{OURS}.csv", *taken]
