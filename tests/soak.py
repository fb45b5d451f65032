"""Ask a server for ten minutes with honest and hostile clients at once.

    python tests/soak.py
    python tests/soak.py --seconds 60

Honest clients check every answer. The status is 1 if an answer is wrong, the 99th percentile of their waits is above
200 ms, or the memory of the last minute is more than a tenth above that of the second. On a machine that others use
too, waits are theirs.
"""

import argparse
import contextlib
import gzip
import json
import multiprocessing
import os
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from io import BytesIO
from pathlib import Path

import numpy as np
from server import Server, served

from housing_np import LinearRegression, QuantizedLinear, save

MOST_WAIT = 0.2  # seconds, of 99 in 100 honest requests
MOST_GROWTH = 0.1  # of memory, from the second minute to the last
WINDOW = 60  # seconds, of which the median counts: what a large body takes comes and goes
MAX_BODY = 4 << 20
TIMEOUT = 5
HONEST, HOSTILE = 4, 12  # clients
HEAD = b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
LENGTH = b"Content-Length: %d\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
_LARGE = b"[" + b"[1,2,3]," * (MAX_BODY // 8 - 2) + b"[1,2,3]]"

Address = tuple[str, int]


def _model() -> QuantizedLinear:
    r = np.random.default_rng(0)
    X = r.normal(size=(500, 3)) * [1.0, 30.0, 1e-3]
    return QuantizedLinear.from_linear(LinearRegression().fit(X, X @ [1.0, 0.1, 200.0]), X)


# Honest clients


def _questions(model: QuantizedLinear) -> list[tuple[str, bytes, dict[str, str], bytes]]:
    """Return paths, bodies, their headers and their answers."""
    found = []
    for rows in (1, 1, 1, 20, 1000):
        X = np.random.default_rng(rows).normal(size=(rows, 3))
        predictions = model.predict(X).tolist()
        named = [dict(zip(model.feature_names, row, strict=True)) for row in X.tolist()]
        lines = "".join(",".join(map(repr, row)) + "\n" for row in X.tolist())
        array = BytesIO()
        np.save(array, X)
        as_json = (json.dumps({"predictions": predictions}) + "\n").encode()
        as_csv = "".join(f"{value!r}\n" for value in predictions).encode()
        split = {"dataframe_split": {"columns": model.feature_names, "data": X.tolist()}}
        tensor = {"name": "rows", "shape": [rows, 3], "datatype": "FP64", "data": X.tolist()}
        output = {"name": "y", "shape": [rows], "datatype": "FP64", "data": predictions}
        as_tensors = (json.dumps({"model_name": "model", "outputs": [output]}) + "\n").encode()
        is_json, is_unnamed = {"Content-Type": "application/json"}, {"Content-Type": "text/csv; header=absent"}
        found += [
            *(("/invocations", json.dumps(each).encode(), is_json, as_json) for each in (X.tolist(), named, split)),
            ("/v2/models/model/infer", json.dumps({"inputs": [tensor]}).encode(), {}, as_tensors),
            ("/invocations", lines.encode(), is_unnamed, as_csv),
            ("/invocations", f"x0,x1,x2\n{lines}".encode(), {"Content-Type": "text/csv"}, b"y\n" + as_csv),
            ("/invocations", array.getvalue(), {"Content-Type": "application/x-npy"}, as_json),
            ("/invocations", gzip.compress(lines.encode()), is_unnamed, as_csv),
        ]
    return found


class Honest(threading.Thread):
    """A client that asks, checks the answer and waits a little."""

    def __init__(self, address: Address, seed: int, end: float) -> None:
        super().__init__(daemon=True)
        self.address, self.end, self.random = address, end, random.Random(seed)
        self.waits: list[float] = []
        self.outcomes: Counter[str] = Counter()

    def run(self) -> None:
        """Ask until the time is up."""
        questions = _questions(_model())
        while time.monotonic() < self.end:
            *question, expected = self.random.choice(questions)
            start = time.monotonic()
            self.outcomes[self._outcome(*question, expected)] += 1
            self.waits.append(time.monotonic() - start)
            time.sleep(0.01)

    def _outcome(self, path: str, body: bytes, headers: dict[str, str], expected: bytes) -> str:
        try:
            with contextlib.closing(HTTPConnection(*self.address, timeout=60)) as client:
                client.request("POST", path, body, headers)
                response = client.getresponse()
                content = response.read()
        except (OSError, HTTPException) as error:
            return f"wrong: {type(error).__name__}"
        if response.status != 200:
            is_told_to_wait = response.status == 503 and response.headers["Retry-After"] and len(body) > 16 << 10
            return "busy" if is_told_to_wait else f"wrong: {response.status} {content[:100]!r} for {headers}"
        return "right" if content == expected else f"wrong: {content[:100]!r} for {expected[:100]!r}"


# Hostile clients


def _flood(client: socket.socket, piece: bytes, seconds: float) -> None:
    """Send the same bytes again and again, and read nothing."""
    end = time.monotonic() + seconds
    client.settimeout(0.2)
    while time.monotonic() < end:
        try:
            client.send(piece)
        except TimeoutError:
            continue
        time.sleep(0.001)


def _ask(client: socket.socket, body: bytes, headers: bytes = b"") -> None:
    client.sendall(HEAD + headers + LENGTH % len(body) + body)
    client.settimeout(2 * TIMEOUT)
    client.recv(1 << 16)


def _never_read(client: socket.socket) -> None:
    client.sendall((HEAD + LENGTH % 800_000 + b"[" + b"[1,2,3]," * 99_998 + b"[1,2,3]]"[:7]) * 3)
    time.sleep(2 * TIMEOUT)


def _many(client: socket.socket) -> None:
    with contextlib.ExitStack() as opened:
        for _ in range(200):
            opened.enter_context(socket.create_connection(client.getpeername(), timeout=5))
        time.sleep(1)


def _npy(header: str) -> bytes:
    return b"\x93NUMPY\x02\x00" + len(header).to_bytes(4, "little") + header.encode()


_NESTED = b'{"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP64", "data": ['
ATTACKS: dict[str, Callable[[socket.socket], object]] = {
    "trailers": lambda c: _flood(c, b"A: b\r\n" * 1000, 2),
    "pipeline": lambda c: _flood(c, GET * 100, 5),
    "slow head": lambda c: _flood(c, b"A", 2 * TIMEOUT),
    "slow body": lambda c: (c.sendall(HEAD + LENGTH % MAX_BODY), _flood(c, b" ", 2 * TIMEOUT)),
    "half a large body": lambda c: (c.sendall(HEAD + LENGTH % MAX_BODY + b" " * (MAX_BODY - 9)), time.sleep(TIMEOUT)),
    "large body": lambda c: _ask(c, _LARGE),
    "large body, gone": lambda c: c.sendall(HEAD + LENGTH % len(_LARGE) + _LARGE),
    "never read": _never_read,
    "gzip bomb": lambda c: _ask(c, gzip.compress(b" " * (64 << 20)), b"Content-Encoding: gzip\r\n"),
    "many gzip parts": lambda c: _ask(c, gzip.compress(b"") * 20_000),
    "deep lists": lambda c: _ask(c, b"[" * 30_000),
    "deep tensors": lambda c: _ask(c, _NESTED + b"1," * 8000 + b"[" * 900 + b"1" + b"]" * 900 + b"]}]}"),
    "many digits": lambda c: _ask(c, _NESTED.replace(b"[1, 3]", b"[" + b"9" * 4000 + b"]") + b"1]}]}"),
    "long header": lambda c: _ask(c, _npy("{}," * 300_000)),
    "large shape": lambda c: _ask(c, _npy("{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999, 3)}\n")),
    "no HTTP": lambda c: (c.sendall(random.randbytes(4096)), c.recv(1 << 16)),
    "another host": lambda c: (c.sendall(GET.replace(b"localhost", b"evil.example")), c.recv(1 << 16)),
    "many connections": _many,
}


def attack(address: Address, seed: int, end: float) -> None:
    """Attack in ways that chance chooses, until the time is up."""
    r = random.Random(seed)
    while time.monotonic() < end:
        way = ATTACKS[r.choice(list(ATTACKS))]
        with contextlib.suppress(OSError), socket.create_connection(address, timeout=5) as client:
            if way is ATTACKS["trailers"]:
                client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n")
            way(client)
        time.sleep(0.05)


def _attacks(address: Address, seed: int, end: float) -> None:
    os.nice(10)  # the machine may be the bottleneck, not the server
    threads = [threading.Thread(target=attack, args=(address, 100 * seed + i, end)) for i in range(HOSTILE // 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# Both


def soak(server: Server, seconds: float, seed: int) -> tuple[Counter[str], list[float], list[float]]:
    """Return what became of honest requests, how long they waited, and the server's memory each second, in MiB."""
    end = time.monotonic() + seconds
    context = multiprocessing.get_context("spawn")
    hostile = [context.Process(target=_attacks, args=(server.address, seed + i, end), daemon=True) for i in range(2)]
    honest = [Honest(server.address, seed + i, end) for i in range(HONEST)]
    for each in (*hostile, *honest):
        each.start()
    memory = []
    while time.monotonic() < end:
        time.sleep(1)
        memory.append(server.memory("VmRSS"))
    for client in honest:
        client.join()
    for process in hostile:
        process.kill()
        process.join()
    outcomes: Counter[str] = sum((client.outcomes for client in honest), Counter())
    return outcomes, [wait for client in honest for wait in client.waits], memory


def main() -> int:
    """Print what was seen; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0, help="(default: 600)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        save(_model(), Path(folder, "model.npz"))
        limits = ("--timeout", TIMEOUT, "--max-body", MAX_BODY, "--max-connections", 200 * (HOSTILE + 1))
        with served("model.npz", *limits, cwd=folder, says=None) as server:
            outcomes, waits, memory = soak(server, options.seconds, options.seed)
            peak = server.memory()
    p50, p99 = np.percentile(waits, [50, 99])
    first, last = np.median(memory[60 : 60 + WINDOW] or memory), np.median(memory[-WINDOW:])
    growth = last / first - 1
    wrong = sum(count for outcome, count in outcomes.items() if outcome.startswith("wrong"))
    print("\n".join(f"{count:9,} {outcome}" for outcome, count in outcomes.most_common()))
    print(f"waits: p50 {1000 * p50:.0f} ms, p99 {1000 * p99:.0f} ms, longest {1000 * max(waits):.0f} ms")
    course = ", ".join(f"{each:.0f}" for each in memory[:: max(1, len(memory) // 10)])
    print(f"memory: {course} MiB, peak {peak:.0f}; second minute {first:.0f}, last {last:.0f}: {growth:+.0%}")
    return 1 if wrong or p99 > MOST_WAIT or growth > MOST_GROWTH else 0


if __name__ == "__main__":
    sys.exit(main())
