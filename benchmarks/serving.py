"""Serving: the same model, client and requests beside ``mlflow models serve``."""

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from measure import agree, environment, progress

from housing_np import LinearRegression, load_california, save

# An interpreter that has mlflow and scikit-learn, where this one has not: mlflow pins much.
PEER_PYTHON = os.environ.get("HOUSING_NP_MLFLOW_PYTHON", sys.executable)
OURS, PEER = "housing_np", "mlflow models serve"
MAKE = """
import sys, numpy, mlflow.sklearn
from sklearn.linear_model import LinearRegression
rows = numpy.load(sys.argv[1])
mlflow.sklearn.save_model(LinearRegression().fit(rows[:, :-1], rows[:, -1]), sys.argv[2])
"""


def measure(quick: bool) -> dict[str, Any]:
    """Return start, memory and answers of both servers; none where mlflow is missing."""
    if subprocess.run([PEER_PYTHON, "-c", "import mlflow, sklearn"], capture_output=True, check=False).returncode:
        return {"servers": []}
    with TemporaryDirectory() as name:
        folder = Path(name)
        table = load_california()
        save(LinearRegression().fit(table.X, table.y, feature_names=table.feature_names), folder / "model.npz")
        np.save(folder / "rows.npy", np.column_stack([table.X, table.y]))
        subprocess.run([PEER_PYTHON, "-c", MAKE, "rows.npy", "peer"], cwd=folder, check=True, capture_output=True)
        found: dict[str, list[dict[str, Any]]] = {OURS: [], PEER: []}
        for round in range(1 if quick else 5):
            for server in found:
                progress(f"serving, round {round + 1}, {server}")
                found[server].append(_served(server, folder, table.X, 50 if quick else 1000))
        _same(found)
    return {"servers": [{"name": name, **_median(rounds)} for name, rounds in found.items()]}


def _served(server: str, folder: Path, X: np.ndarray, requests: int) -> dict[str, Any]:
    with _running(server, folder) as (port, pid, start):
        result: dict[str, Any] = {"start": start}
        for rows in (1, 1000):
            result[f"answer {rows}"], seconds = _asked(port, X[:rows], requests if rows == 1 else requests // 10)
            seconds.sort()
            result[f"rate {rows}"] = len(seconds) / sum(seconds)
            result[f"p50 {rows}"], result[f"p99 {rows}"] = seconds[len(seconds) // 2], seconds[len(seconds) * 99 // 100]
        result["memory"] = sum(map(_peak_mib, _tree(pid)))
        return result


@contextmanager
def _running(server: str, folder: Path) -> Any:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ours = [sys.executable, "-m", "housing_np.serve", "model.npz", "--quiet"]
    theirs = [PEER_PYTHON, "-m", "mlflow", "models", "serve", "-m", "peer", "--env-manager", "local"]
    begun = time.perf_counter()
    process = subprocess.Popen(
        [*(ours if server == OURS else theirs), "--port", str(port)],
        cwd=folder,
        env={**environment(), "PATH": f"{Path(PEER_PYTHON).parent}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not _lives(port):
            if process.poll() is not None or time.perf_counter() - begun > 120:
                raise SystemExit(f"{server} does not start")
            time.sleep(0.005)
        yield port, process.pid, time.perf_counter() - begun
    finally:
        os.killpg(process.pid, 15)
        process.wait()


def _lives(port: int) -> bool:
    client = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        client.request("GET", "/ping")
        return client.getresponse().status == 200
    except OSError:
        return False
    finally:
        client.close()


def _asked(port: int, X: np.ndarray, requests: int) -> tuple[list[float], list[float]]:
    """Return the answer to some rows, and the seconds of each request of one client that waits for its answer."""
    body = json.dumps({"inputs": X.tolist()}).encode()
    client = HTTPConnection("127.0.0.1", port, timeout=60)
    seconds = []
    for asked in range(requests + 20):
        start = time.perf_counter()
        client.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        answer = client.getresponse()
        text = answer.read()
        if asked >= 20:  # the first ones wake the server up
            seconds.append(time.perf_counter() - start)
        if answer.status != 200:
            raise SystemExit(f"status {answer.status}: {text[:200]!r}")
    return json.loads(text)["predictions"], seconds


def _tree(pid: int) -> list[int]:
    """Return a process and all below it."""
    children = [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]
    return [pid, *(each for child in children for each in _tree(child))]


def _peak_mib(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _same(found: dict[str, list[dict[str, Any]]]) -> None:
    for rows in (1, 1000):
        ours, theirs = (np.array(found[server][0].pop(f"answer {rows}")) for server in (OURS, PEER))
        agree(f"served predictions of {rows} rows", ours, theirs, 1e-9)


def _median(rounds: list[dict[str, Any]]) -> dict[str, float]:
    return {key: float(np.median([each[key] for each in rounds])) for key in rounds[-1] if not key.startswith("answer")}
