"""Predict: one row and a million, float and uint8, against scikit-learn and ONNX Runtime."""

from collections.abc import Callable
from contextlib import nullcontext
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
    """Each case with the numpy that a user has, and the large ones with one thread for both sides."""
    table = load_california()
    model = LinearRegression().fit(table.X, table.y)
    small = QuantizedLinear.from_linear(model, table.X, "integer")
    rng = np.random.default_rng(SEED)
    X = table.X[rng.integers(0, len(table.X), ROWS)]
    Xq = rng.integers(0, 256, (ROWS, X.shape[1]), np.uint8)
    cases = []
    for rows in (1, ROWS):
        for kind, candidates in (("float", _floats(model, X[:rows])), ("uint8", _integers(small, Xq[:rows]))):
            read = X[:rows].nbytes if kind == "float" else Xq[:rows].nbytes
            for threads in ("default",) if rows == 1 else ("default", "one"):
                with nullcontext() if threads == "default" else _one_thread():
                    times = _times(candidates, rows, quick, f"predict {rows:,} {kind}, {threads} threads")
                cases.append(
                    {"rows": rows, "kind": kind, "threads": threads, "bytes": read + rows * 8} | compared(times)
                )
    return {"cases": cases, "tolerance": {"float64": FLOAT_TOLERANCE, "float32": FLOAT32_TOLERANCE, "uint8": 0}}


def _times(candidates: Candidates, rows: int, quick: bool, doing: str) -> dict[str, list[float]]:
    calls = 2000 if rows == 1 else 1
    clocks = {name: lambda f=function: timed(f, calls) for name, function in candidates.items()}
    return interleaved(clocks, 3 if quick else 21, doing)


def _one_thread() -> Any:
    if not installed("threadpoolctl"):
        return nullcontext()
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)


def _floats(model: LinearRegression, X: np.ndarray) -> Candidates:
    candidates: Candidates = {OURS: lambda: model.predict(X)}
    if installed("scikit-learn"):
        from sklearn import linear_model

        peer = linear_model.LinearRegression()
        peer.coef_, peer.intercept_ = model.coef_, model.intercept_
        candidates["scikit-learn"] = lambda: peer.predict(X)
        agree("predict, scikit-learn", model.predict(X), peer.predict(X), FLOAT_TOLERANCE)
    if installed("onnxruntime") and installed("onnx"):
        from onnx_graphs import float_graph, session

        run, X32 = session(float_graph(model.coef_, float(model.intercept_))).run, X.astype(np.float32)
        candidates["ONNX Runtime, MatMul + Add in float32"] = lambda: run(None, {"x": X32})
        agree("predict, ONNX Runtime", model.predict(X), run(None, {"x": X32})[0][:, 0], FLOAT32_TOLERANCE)
    return candidates


def _integers(model: QuantizedLinear, Xq: np.ndarray) -> Candidates:
    candidates: Candidates = {OURS: lambda: model.predict_quantized(Xq)}
    if not (installed("onnxruntime") and installed("onnx")):
        return candidates
    from onnx_graphs import matmul_integer, qlinear_matmul, session

    weights, zero, scale = model.weights, np.asarray(model.affine.zero_point), float(model.affine.scale)
    sums = Xq.astype(np.int64) @ (weights.astype(np.int64) - int(zero))
    step = max(float(np.ptp(np.append(sums, 0))), 1.0) / 254
    offset = int(np.rint(-min(sums.min(), 0) / step))
    integer = session(matmul_integer(weights, zero)).run
    linear = session(qlinear_matmul(weights, zero, step, offset)).run
    candidates["ONNX Runtime, MatMulInteger"] = lambda: integer(None, {"x": Xq})
    candidates["ONNX Runtime, QLinearMatMul + DequantizeLinear"] = lambda: linear(None, {"x": Xq})

    ours = model.predict_quantized(Xq)
    agree("predict, MatMulInteger", ours, (integer(None, {"x": Xq})[0][:, 0] + model.bias) * scale, 0)
    # That output is in uint8: it can be half a step off, and a float32 quotient a little more.
    output = linear(None, {"x": Xq})[0][:, 0]
    assert np.abs(output - sums).max() <= 0.5001 * step, "QLinearMatMul is further off than half a step"
    return candidates
