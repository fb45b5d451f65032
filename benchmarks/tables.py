"""Tables in files: train and predict from CSV and from Parquet, as whole processes, against the usual scripts."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from measure import HERE, OURS, agree, compared, installed, interleaved, medians, progress, ratios, run_process
from synthetic import blocks

from housing_np import load

COLUMNS = 8
TOLERANCE = 1e-9


def measure(quick: bool) -> dict[str, Any]:
    """Return seconds and peak memory of each command on each format, in interleaved rounds."""
    sides = [f"{name} + scikit-learn" for name in ("pandas", "polars") if installed(name, "scikit-learn", "joblib")]
    rows, rounds = (20_000, 1) if quick else (1_000_000, 5)
    with TemporaryDirectory() as name:
        folder = Path(name)
        formats = _write(folder, rows)
        cases = [
            {"command": command, "format": format, "rows": rows, "bytes": (folder / f"rows.{format}").stat().st_size}
            | case(
                command,
                format,
                {side: _arguments(side, command, f"rows.{format}") for side in (*sides, OURS)},
                rounds,
                folder,
            )
            for format in formats
            for command in ("train", "predict")
        ]
    return {"cases": cases, "tolerance": TOLERANCE}


def _write(folder: Path, rows: int) -> list[str]:
    """Write the rows as CSV, seven digits each, and what that CSV holds as Parquet."""
    progress(f"tables: writing {rows:,} rows")
    with (folder / "rows.csv").open("w") as file:
        file.write(",".join([*(f"x{i}" for i in range(COLUMNS)), "target"]) + "\n")
        for X, y in blocks(rows, COLUMNS):
            np.savetxt(file, np.column_stack([X, y]), "%.7g", ",")
    if not installed("pyarrow"):
        return ["csv"]
    from pyarrow import csv, parquet

    parquet.write_table(csv.read_csv(folder / "rows.csv"), folder / "rows.parquet")
    return ["csv", "parquet"]


def case(command: str, kind: str, arguments: dict[str, list[str]], rounds: int, folder: Path) -> dict[str, Any]:
    """Return seconds and peak memory of a command on one kind of file, from the arguments of each side."""
    sides, what = list(arguments), f"{command} from {kind}"
    runs: dict[str, Callable[[], Any]] = {side: partial(run_process, arguments[side], folder) for side in sides}
    reports = interleaved(runs, rounds, what, uncounted=int(rounds > 1))
    answers = {side: answer(side, command, folder) for side in sides}
    difference = max(agree(f"{what}, {side}", answers[OURS], answers[side], TOLERANCE) for side in sides)
    seconds, peaks = (
        {side: [each[measured] for each in reports[side]] for side in sides} for measured in ("seconds", "peak_mib")
    )
    return compared(seconds) | {
        "peak_mib": medians(peaks),
        "memory_ratio": ratios(peaks),
        "difference": difference,
    }


def _arguments(side: str, command: str, source: str) -> list[str]:
    if side != OURS:
        library = side.split()[0]
        return [str(HERE / "table_script.py"), library, command, source, f"{library}.joblib", f"{library}.csv"]
    if command == "train":
        return ["-m", "housing_np.train", "--data", source, "--target", "target"]
    return ["-m", "housing_np.predict", "models/float64.npz", source, "--output", f"{OURS}.csv"]


def answer(side: str, command: str, folder: Path) -> np.ndarray:
    """Return the weights and the intercept, or the predictions, that a side has written."""
    library = side.split()[0]
    if command == "predict":
        return np.loadtxt(folder / f"{library}.csv", skiprows=1)
    if side == OURS:
        model = load(folder / "models" / "float64.npz")
    else:
        import joblib

        model = joblib.load(folder / f"{library}.joblib")
    return np.append(model.coef_, model.intercept_)
