"""Fit: four shapes against the usual libraries; time and memory from 10^4 to 10^7 rows, in memory and mapped."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from select import select
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from measure import HERE, OURS, agree, compared, environment, installed, interleaved, progress
from synthetic import blocks, scales

SHAPES = ((20_640, 8), (1_000_000, 8), (200_000, 64), (50_000, 256))
QUICK_SHAPES = ((20_640, 8),)
GROWTH = (10_000, 100_000, 1_000_000, 10_000_000)
SOURCES = ("in memory", "mapped")
LIBRARIES = {"scikit-learn": "scikit-learn", "intelex": "scikit-learn-intelex", "lstsq": "numpy", OURS: "numpy"}
TOLERANCE = 1e-8


class Worker:
    """A library in a process of its own: it loads, fits and times itself when a line on a pipe says so."""

    def __init__(self, library: str, folder: Path) -> None:
        command = [sys.executable, "-W", "ignore", str(HERE / "fit_worker.py"), library, str(folder)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "encoding": "utf-8"}
        self.library = library
        self.process = subprocess.Popen(command, env=environment(folder), **pipes)
        self.peak_mib = 0.0

    def ask(self, question: str, watch_memory: bool = False) -> np.ndarray:
        """The numbers that it answers with."""
        assert self.process.stdin
        assert self.process.stdout
        print(question, file=self.process.stdin, flush=True)
        while watch_memory and not select([self.process.stdout], [], [], 0.002)[0]:
            self.peak_mib = max(self.peak_mib, self._anonymous_mib())
        if watch_memory:
            self.peak_mib = max(self.peak_mib, self._anonymous_mib())
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.library} ended at {question!r}")
        return np.array(answer.split(), float)

    def fit(self) -> float:
        return float(self.ask("fit")[0])

    def _anonymous_mib(self) -> float:
        """Memory that is the process's own: the pages of a mapped file are not."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon"):
                return int(line.split()[1]) / 1024
        return 0.0


def measure(quick: bool) -> dict[str, Any]:
    """Medians and ratios by shape, and by number of rows; all in the same interleaved rounds."""
    libraries = [name for name, package in LIBRARIES.items() if package == "numpy" or installed(package)]
    sizes = () if quick else GROWTH
    return {
        "shapes": [_shape(libraries, *shape, quick) for shape in (QUICK_SHAPES if quick else SHAPES)],
        "growth": [each for rows in sizes for each in _growth(libraries, rows)],
        "tolerance": TOLERANCE,
    }


def _shape(libraries: list[str], rows: int, columns: int, quick: bool) -> dict[str, Any]:
    with _data(rows, columns) as folder, _workers(libraries, folder, "in memory") as workers:
        times = _times(workers, 3 if quick else 7, f"fit {rows:,} x {columns}")
        return {"rows": rows, "columns": columns, "difference": _same_answers(workers, rows, columns)} | compared(times)


def _growth(libraries: list[str], rows: int) -> Iterator[dict[str, Any]]:
    with _data(rows, 8) as folder:
        for source in SOURCES:
            with _workers(libraries, folder, source) as workers:
                for worker in workers:
                    worker.ask("fit", watch_memory=Path("/proc/self/status").exists())
                times = _times(workers, 3 if rows > 1_000_000 else 5, f"fit {rows:,} rows {source}")
                peaks = {worker.library: worker.peak_mib for worker in workers if worker.peak_mib}
                yield {"rows": rows, "source": source, "bytes": rows * 9 * 8, "peak_mib": peaks} | compared(times)


def _times(workers: list[Worker], rounds: int, doing: str) -> dict[str, list[float]]:
    def fit(worker: Worker) -> float:
        # Fits that are short are repeated, and the median of them is a round's figure.
        first = worker.fit()
        return median([first, *(worker.fit() for _ in range(8 if first < 0.02 else 0))])

    return interleaved({worker.library: lambda worker=worker: fit(worker) for worker in workers}, rounds, doing)


@contextmanager
def _data(rows: int, columns: int) -> Iterator[Path]:
    """Give a folder with X.npy and y.npy."""
    progress(f"fit: writing {rows:,} x {columns}")
    with TemporaryDirectory() as name:
        folder, start = Path(name), 0
        X = np.lib.format.open_memmap(folder / "X.npy", "w+", np.float64, (rows, columns))
        y = np.lib.format.open_memmap(folder / "y.npy", "w+", np.float64, (rows,))
        for features, target in blocks(rows, columns):
            X[start : start + len(target)], y[start : start + len(target)] = features, target
            start += len(target)
        del X, y
        yield folder


@contextmanager
def _workers(libraries: list[str], folder: Path, source: str) -> Iterator[list[Worker]]:
    with ExitStack() as stack:
        workers = [Worker(library, folder) for library in libraries]
        for worker in workers:
            # Closing its pipe ends it.
            stack.enter_context(worker.process)
            worker.ask(f"load {source}")
        yield workers


def _same_answers(workers: list[Worker], rows: int, columns: int) -> float:
    """Every library's weights and intercept are ours, in units of the scaled columns."""
    units = np.append(1.0, scales(columns))
    answers = {worker.library: worker.ask("answer") * units for worker in workers}
    what = f"fit {rows:,} x {columns}"
    return max(agree(f"{what}, {name}", answers[OURS], each, TOLERANCE) for name, each in answers.items())
