"""Predict: one row and a million, float and uint8, against scikit-learn and ONNX Runtime, with equal threads."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from measure import OURS, agree, compared, installed, interleaved, timed

from housing_np import LinearRegression, QuantizedLinear, load_california

ROWS = 1_000_000
SEED = 0
Candidates = dict[str, Callable[[], Any]]
# A float32 sum of raw features, the largest in the thousands, keeps five digits; uint8 sums are exact.
FLOAT_TOLERANCE, FLOAT32_TOLERANCE = 1e-12, 1e-4


def measure(quick: bool) -> dict[str, Any]:
    """Return each case with one thread for both sides, and the large ones with all threads for both, too."""
    table = load_california()
    model = LinearRegression().fit(table.X, table.y)
    small = QuantizedLinear.from_linear(model, table.X, "integer")
    rng = np.random.default_rng(SEED)
    inputs = {
        "float": table.X[rng.integers(0, len(table.X), ROWS)],
        "uint8": rng.integers(0, 256, (ROWS, table.X.shape[1]), np.uint8),
    }
    cases = []
    # All threads first: those that are started while this one keeps to one processor would keep to it, too.
    for rows, threads in ((ROWS, "all each"), (ROWS, "one each"), (1, "one each")):
        for kind, X in inputs.items():
            with _threads(threads) as count:
                candidates = _floats(model, X[:rows], count) if kind == "float" else _integers(small, X[:rows], count)
                times = _times(candidates, rows, quick, f"predict {rows:,} {kind}, threads: {threads}")
            about = {"rows": rows, "kind": kind, "threads": threads, "bytes": X[:rows].nbytes + rows * 8}
            cases.append(about | compared(times))
    return {"cases": cases, "tolerance": {"float64": FLOAT_TOLERANCE, "float32": FLOAT32_TOLERANCE, "uint8": 0}}


def _times(candidates: Candidates, rows: int, quick: bool, doing: str) -> dict[str, list[float]]:
    calls = 2000 if rows == 1 else 1
    clocks = {name: lambda f=function: timed(f, calls) for name, function in candidates.items()}
    return interleaved(clocks, 1 if quick else 21, doing)


@contextmanager
def _threads(threads: str) -> Iterator[int]:
    """Give the number of ONNX Runtime's threads; for one, keep this thread to one processor, and BLAS to it."""
    can_limit = installed("threadpoolctl") and hasattr(os, "sched_setaffinity")
    if threads == "all each" or not can_limit:
        processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        yield processors if threads == "all each" else 1
        return
    from threadpoolctl import threadpool_limits

    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        with threadpool_limits(1):
            yield 1
    finally:
        os.sched_setaffinity(0, allowed)


def _floats(model: LinearRegression, X: np.ndarray, threads: int) -> Candidates:
    candidates: Candidates = {OURS: lambda: model.predict(X)}
    if installed("scikit-learn"):
        from sklearn import linear_model

        peer = linear_model.LinearRegression()
        peer.coef_, peer.intercept_ = model.coef_, model.intercept_
        candidates["scikit-learn"] = lambda: peer.predict(X)
        agree("predict, scikit-learn", model.predict(X), peer.predict(X), FLOAT_TOLERANCE)
    if installed("onnxruntime", "onnx"):
        from onnx_graphs import float_graph, session

        run, X32 = session(float_graph(model.coef_, float(model.intercept_)), threads).run, X.astype(np.float32)
        candidates["ONNX Runtime, MatMul + Add in float32"] = lambda: run(None, {"x": X32})
        agree("predict, ONNX Runtime", model.predict(X), run(None, {"x": X32})[0][:, 0], FLOAT32_TOLERANCE)
    return candidates


def _integers(model: QuantizedLinear, Xq: np.ndarray, threads: int) -> Candidates:
    candidates: Candidates = {OURS: lambda: model.predict_quantized(Xq)}
    if not installed("onnxruntime", "onnx"):
        return candidates
    from onnx_graphs import matmul_integer, qlinear_matmul, session

    weights, zero, scale = model.weights, np.asarray(model.affine.zero_point), float(model.affine.scale)
    sums = Xq.astype(np.int64) @ (weights.astype(np.int64) - int(zero))
    step = max(float(np.ptp(np.append(sums, 0))), 1.0) / 254
    offset = int(np.rint(-min(sums.min(), 0) / step))
    integer = session(matmul_integer(weights, zero), threads).run
    linear = session(qlinear_matmul(weights, zero, step, offset), threads).run
    candidates["ONNX Runtime, MatMulInteger"] = lambda: integer(None, {"x": Xq})
    candidates["ONNX Runtime, QLinearMatMul + DequantizeLinear"] = lambda: linear(None, {"x": Xq})

    ours = model.predict_quantized(Xq)
    agree("predict, MatMulInteger", ours, (integer(None, {"x": Xq})[0][:, 0] + model.bias) * scale, 0)
    # That output is in uint8: it can be half a step off, and a float32 quotient a little more.
    output = linear(None, {"x": Xq})[0][:, 0]
    assert np.abs(output - sums).max() <= 0.5001 * step, "QLinearMatMul is further off than half a step"
    return candidates
