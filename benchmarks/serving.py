"""Serving: the same model, client and requests beside ``mlflow models serve`` and an application by hand."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from measure import agree, environment, progress

from housing_np import LinearRegression, load_california, save

# An interpreter that has mlflow and scikit-learn, where this one has not: mlflow pins much.
PEER_PYTHON = os.environ.get("HOUSING_NP_MLFLOW_PYTHON", sys.executable)
OURS, MLFLOW, FASTAPI = "housing_np", "mlflow models serve", "FastAPI, scikit-learn and pydantic"
MAKE = """
import numpy, mlflow.sklearn
from sklearn.linear_model import LinearRegression
rows = numpy.load("rows.npy")
mlflow.sklearn.save_model(LinearRegression().fit(rows[:, :-1], rows[:, -1]), "peer")
"""
# As one writes it by hand, with the checks that housing_np makes: eight finite numbers in each row.
APP = """
from typing import Annotated
import numpy
from fastapi import FastAPI
from pydantic import BaseModel, Field, FiniteFloat
from sklearn.linear_model import LinearRegression

class Rows(BaseModel):
    inputs: list[Annotated[list[FiniteFloat], Field(min_length=8, max_length=8)]]

class Predictions(BaseModel):
    predictions: list[float]

rows = numpy.load("rows.npy")
model = LinearRegression().fit(rows[:, :-1], rows[:, -1])
app = FastAPI()

@app.get("/ping")
async def ping() -> None:
    pass

@app.post("/invocations")
async def invocations(rows: Rows) -> Predictions:
    return Predictions(predictions=model.predict(numpy.array(rows.inputs)).tolist())
"""
_TURN = 20  # requests to a server before the next has its turn: what else the machine does is shared by all


def measure(quick: bool) -> dict[str, Any]:
    """Return start, memory and answers of all servers; none where mlflow is missing."""
    fastapi = next((each for each in (sys.executable, PEER_PYTHON) if _has(each, "fastapi, httptools, sklearn")), None)
    if not _has(PEER_PYTHON, "mlflow, sklearn"):
        return {"servers": []}
    commands = {
        OURS: [sys.executable, "-m", "housing_np.serve", "model.npz", "--quiet"],
        MLFLOW: [PEER_PYTHON, "-m", "mlflow", "models", "serve", "-m", "peer", "--env-manager", "local"],
    }
    if fastapi:
        commands[FASTAPI] = [fastapi, "-m", "uvicorn", "app:app", "--no-access-log"]
    with TemporaryDirectory() as name:
        folder = Path(name)
        table = load_california()
        save(LinearRegression().fit(table.X, table.y, feature_names=table.feature_names), folder / "model.npz")
        np.save(folder / "rows.npy", np.column_stack([table.X, table.y]))
        (folder / "app.py").write_text(APP)
        subprocess.run([PEER_PYTHON, "-c", MAKE], cwd=folder, check=True, capture_output=True)
        rounds = []
        for round in range(1 if quick else 5):
            progress(f"serving, round {round + 1}")
            rounds.append(_round(commands, folder, table.X, 100 if quick else 1000))
    return {"servers": [{"name": name, **_median([each[name] for each in rounds])} for name in commands]}


def _has(python: str, packages: str) -> bool:
    return not subprocess.run([python, "-c", f"import {packages}"], capture_output=True, check=False).returncode


def _round(commands: dict[str, list[str]], folder: Path, X: np.ndarray, requests: int) -> dict[str, dict[str, Any]]:
    """Return what is measured of each server, all of them running at the same time and asked in turn."""
    with ExitStack() as stack:
        running = {name: stack.enter_context(_running(name, each, folder)) for name, each in commands.items()}
        found: dict[str, dict[str, Any]] = {name: {"start": start} for name, (_, _, start) in running.items()}
        for what, body in {
            "ping": "",
            **{rows: json.dumps({"inputs": X[:rows].tolist()}) for rows in (1, 1000)},
        }.items():
            asks = {
                name: partial(_ask, HTTPConnection("127.0.0.1", port, timeout=60), body)
                for name, (port, *_) in running.items()
            }
            for name, seconds in _in_turn(asks, requests // 10 if what == 1000 else requests).items():
                found[name][f"rate {what}"] = len(seconds) / sum(seconds)
                found[name] |= {f"p{q} {what}": float(np.percentile(seconds, q)) for q in (50, 99)}
            if body:
                ours, *others = (np.array(json.loads(ask())["predictions"]) for ask in asks.values())
                for theirs in others:
                    agree(f"served predictions of {what} rows", ours, theirs, 1e-9)
        for name, (_, pid, _) in running.items():
            found[name]["memory"] = sum(map(_peak_mib, _tree(pid)))
        return found


def _in_turn(asks: dict[str, Callable[[], bytes]], requests: int) -> dict[str, list[float]]:
    """Return the seconds of each request, of one client that waits for its answer."""
    seconds: dict[str, list[float]] = {name: [] for name in asks}
    for turn in range(-1, max(1, requests // _TURN)):
        for name, ask in asks.items():
            for _ in range(_TURN):
                start = time.perf_counter()
                ask()
                if turn >= 0:  # the first turn wakes the server up
                    seconds[name].append(time.perf_counter() - start)
    return seconds


def _ask(client: HTTPConnection, body: str) -> bytes:
    method, path = ("POST", "/invocations") if body else ("GET", "/ping")
    client.request(method, path, body or None, {"Content-Type": "application/json"} if body else {})
    answer = client.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise SystemExit(f"status {answer.status}: {text[:200]!r}")
    return text


@contextmanager
def _running(server: str, command: list[str], folder: Path) -> Iterator[tuple[int, int, float]]:
    """Yield the port of a server, its process and the seconds until it answered."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    begun = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--port", str(port)],
        cwd=folder,
        env={**environment(), "PATH": f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}"},
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


def _tree(pid: int) -> list[int]:
    """Return a process and all below it."""
    children = [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]
    return [pid, *(each for child in children for each in _tree(child))]


def _peak_mib(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _median(rounds: list[dict[str, Any]]) -> dict[str, float]:
    return {key: float(np.median([each[key] for each in rounds])) for key in rounds[-1]}
