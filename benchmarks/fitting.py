"""Fit: kinds of columns and shapes against the usual libraries; time and memory from 10^4 to 10^7 rows."""

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
from synthetic import KINDS, blocks, scales
from targets import CORRELATED, NORMAL

WIDE_SHAPES = ((200_000, 64), (50_000, 256))
SHAPES = ((20_640, 8), (1_000_000, 8), *WIDE_SHAPES)
FAR = "mean 50 or 200 deviations"
QUICK_KINDS = (NORMAL, FAR, CORRELATED)
GROWTH = (10_000, 100_000, 1_000_000, 10_000_000)
SOURCES = ("in memory", "mapped")
LIBRARIES = {"scikit-learn": "scikit-learn", "intelex": "scikit-learn-intelex", "lstsq": "numpy", OURS: "numpy"}
TOLERANCE = 1e-8
# intelex does not centre columns before it multiplies them: their means cost it digits.
FAR_TOLERANCE = 1e-6


class Worker:
    """A library in a process of its own: it loads, fits and times itself when a line on a pipe says so."""

    def __init__(self, library: str, folder: Path) -> None:
        command = [sys.executable, "-W", "ignore", str(HERE / "fit_worker.py"), library, str(folder)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "encoding": "utf-8"}
        self.library = library
        self.process = subprocess.Popen(command, env=environment(), **pipes)
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
    """Medians and ratios by kind of columns and shape, and by number of rows; all in the same interleaved rounds."""
    libraries = [name for name, package in LIBRARIES.items() if package == "numpy" or installed(package)]
    sizes = () if quick else GROWTH
    return {
        "shapes": [_shape(libraries, kind, *shape, quick) for kind, shape in _cells(quick)],
        "growth": [each for rows in sizes for each in _growth(libraries, rows)],
        "tolerance": TOLERANCE,
    }


def _cells(quick: bool) -> list[tuple[str, tuple[int, int]]]:
    """Return the kinds of columns and the shapes to measure: every shape of the easiest and the hardest kind."""
    if quick:
        return [(kind, SHAPES[0]) for kind in QUICK_KINDS]
    return [(kind, shape) for kind in KINDS for shape in (SHAPES if kind in (NORMAL, CORRELATED) else WIDE_SHAPES)]


def _shape(libraries: list[str], kind: str, rows: int, columns: int, quick: bool) -> dict[str, Any]:
    what = f"fit {rows:,} x {columns}, {kind}"
    with _data(rows, columns, kind) as folder, _workers(libraries, folder, "in memory") as workers:
        times = _times(workers, 1 if quick else 7, what)
        difference = _same_answers(workers, folder, kind, what)
        return {"kind": kind, "rows": rows, "columns": columns, "difference": difference} | compared(times)


def _growth(libraries: list[str], rows: int) -> Iterator[dict[str, Any]]:
    with _data(rows, 8, NORMAL) as folder:
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
def _data(rows: int, columns: int, kind: str) -> Iterator[Path]:
    """Give a folder with X.npy and y.npy."""
    progress(f"fit: writing {rows:,} x {columns}, {kind}")
    with TemporaryDirectory() as name:
        folder, start = Path(name), 0
        X = np.lib.format.open_memmap(folder / "X.npy", "w+", np.float64, (rows, columns))
        y = np.lib.format.open_memmap(folder / "y.npy", "w+", np.float64, (rows,))
        for features, target in blocks(rows, columns, kind):
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


def _same_answers(workers: list[Worker], folder: Path, kind: str, what: str) -> float:
    """Every library's weights and prediction at the mean are ours, in units of the scaled columns."""
    X, y = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in "Xy")
    mean, scale = X.mean(axis=0), scales(X.shape[1], kind)

    def centred(answer: np.ndarray) -> np.ndarray:
        # The intercept itself is the prediction at 0, which may be hundreds of deviations away from all rows.
        return np.append(answer[0] + mean @ answer[1:] - y.mean(), answer[1:] * scale)

    answers = {worker.library: centred(worker.ask("answer")) for worker in workers}
    tolerance = FAR_TOLERANCE if kind == FAR else TOLERANCE
    return max(agree(f"{what}, {name}", answers[OURS], each, tolerance) for name, each in answers.items())
