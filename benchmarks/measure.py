"""Clocks and scales: interleaved rounds, whole processes, the speed of memory, and the machine itself."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
OURS = "housing_np"
PEERS = (
    *("scikit-learn", "scikit-learn-intelex", "onnxruntime", "onnx", "statsmodels", "joblib", "matplotlib"),
    *("pandas", "polars", "pyarrow", "m2cgen", "emlearn"),
)


def progress(message: str) -> None:
    """One line on stderr that the next one replaces; nothing where nobody watches."""
    if sys.stderr.isatty():
        print(f"\r\033[K{message}", end="", file=sys.stderr, flush=True)


def installed(*packages: str) -> bool:
    """Whether all of these distributions are installed."""
    try:
        return all(version(package) for package in packages)
    except PackageNotFoundError:
        return False


def timed(function: Callable[[], Any], calls: int = 1) -> float:
    """Seconds of one call, as the mean of several."""
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return (time.perf_counter() - start) / calls


def interleaved(
    candidates: Mapping[str, Callable[[], Any]], rounds: int, doing: str, uncounted: int = 1
) -> dict[str, list[Any]]:
    """Return what each candidate reports, in rounds A B A B …; one round before them is not counted."""
    reports: dict[str, list[Any]] = {name: [] for name in candidates}
    for i in range(1 - uncounted, rounds + 1):
        for name, candidate in candidates.items():
            progress(f"{doing}, round {i} of {rounds}: {name}")
            # The threads of the candidate before spin for a while before they sleep.
            time.sleep(0.03)
            report = candidate()
            if i:
                reports[name].append(report)
    return reports


def compared(times: Mapping[str, list[float]]) -> dict[str, Any]:
    """Return the median seconds of each, and the ratios of the peers' to ours."""
    return {"seconds": medians(times), "ratio": ratios(times)}


def medians(values: Mapping[str, list[float]]) -> dict[str, float]:
    """Return the median of the rounds."""
    return {name: median(each) for name, each in values.items()}


def ratios(values: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """Return peer ÷ housing_np for each peer: median, least and most of the rounds."""
    peers = {name: each for name, each in values.items() if name != OURS}
    rounds = {name: [a / b for a, b in zip(each, values[OURS], strict=True)] for name, each in peers.items()}
    return {name: [median(each), min(each), max(each)] for name, each in rounds.items()}


def agree(what: str, ours: np.ndarray, peer: np.ndarray, tolerance: float) -> float:
    """Return the largest difference, in units of our largest number; end the run where the answers are not the same."""
    difference = float(np.max(np.abs(ours - peer)) / np.max(np.abs(ours)))
    if not difference <= tolerance:
        raise SystemExit(f"{what}: the answers differ by {difference:.2g} of the largest, more than {tolerance:g}")
    return difference


def accuracy(y: np.ndarray, expected: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Return R² and MSE against the true values, and the deviations from the float model's predictions."""
    mse, deviation = float(np.mean((predicted - y) ** 2)), predicted - expected
    largest, rms = float(np.abs(deviation).max()), float(np.sqrt(np.mean(deviation**2)))
    return {"r2": 1 - mse / float(np.var(y)), "mse": mse, "largest_deviation": largest, "rms_deviation": rms}


def environment() -> dict[str, str]:
    """For child processes: this checkout's package, with what is compiled kept, as once installed."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return kept | {"PYTHONPATH": os.pathsep.join(paths)}


def run_process(arguments: list[str], folder: Path) -> dict[str, Any]:
    """Run Python in a folder; wall seconds, peak MiB of resident memory, and what it printed."""
    # Launched by a bare interpreter: at first a child counts its parent's memory as its own.
    command = [sys.executable, "-I", "-S", str(HERE / "launch.py"), sys.executable, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, encoding="utf-8")
    if done.returncode:
        raise SystemExit(f"python {' '.join(arguments)}: {done.stderr}")
    return json.loads(done.stdout)


def memory_speed() -> float:
    """Bytes per second of the fastest of several passes that read 512 MiB."""
    x = np.ones(1 << 26)
    return x.nbytes / min(timed(lambda: np.dot(x, x)) for _ in range(9))


def machine() -> dict[str, Any]:
    """What a figure depends on: processor, cores, memory and its speed, system, versions, date."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "memory_bytes_per_second": memory_speed(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {"Python": platform.python_version(), "numpy": np.__version__, OURS: _own_version()}
        | {name: version(name) for name in PEERS if installed(name)},
        "missing": [name for name in PEERS if not installed(name)],
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError):
        return None


def _own_version() -> str:
    import housing_np

    return housing_np.__version__
