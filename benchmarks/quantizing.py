"""Quantization: our schemes at 8 to 2 bits, the usual casts, and ONNX Runtime's quantizers, on the bundled data."""

import json
import logging
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from measure import accuracy, agree, installed, progress, run_process

from housing_np import LinearRegression, QuantizedLinear, load_california, save

SCHEMES = ("per-tensor", "per-channel", "integer")
ROUNDINGS = ("nearest", "optimal")
BITS = (8, 7, 6, 5, 4, 3, 2)
ONNX_TOLERANCE = 1e-4


def measure(quick: bool) -> dict[str, Any]:
    """Return R², MSE, deviations and bytes of every scheme; nothing here is timed."""
    table = load_california()
    names = {"feature_names": table.feature_names, "target_names": (table.target_name,)}
    model = LinearRegression().fit(table.X, table.y, **names)
    # The usual casts, the original's among them, are the command's own.
    with TemporaryDirectory() as name:
        folder = Path(name)
        shown = json.loads(run_process(["-m", "housing_np.compare", "--json"], folder)["output"])["schemes"]
        usual = [each | {"kind": "usual"} for each in shown if each["scheme"] == "float64" or each["why"]]
        peers = _onnx_runtime(model, table.X, table.y, folder) if installed("onnxruntime", "onnx") else []
        ours = [_ours(model, table, *choice, folder) for choice in product(SCHEMES, ROUNDINGS, BITS)]
    return {"schemes": [*usual, *peers, *ours], "tolerance": ONNX_TOLERANCE}


def _ours(model: LinearRegression, table: Any, way: str, rounding: str, bits: int, folder: Path) -> dict[str, Any]:
    name = f"{way}, {bits} bits, {rounding}"
    progress(f"quantization: {name}")
    small = QuantizedLinear.from_linear(model, table.X, way, bits, rounding)
    save(small, folder / "small.npz")
    bytes_ = {"payload_bytes": small.payload_bytes, "file_bytes": (folder / "small.npz").stat().st_size}
    labels = {"kind": "ours", "scheme": name, "way": way, "bits": bits, "rounding": rounding}
    return labels | accuracy(table.y, model.predict(table.X), small.predict(table.X)) | bytes_


def _onnx_runtime(model: LinearRegression, X: np.ndarray, y: np.ndarray, folder: Path) -> list[dict[str, Any]]:
    """Quantize static and dynamic, features raw and standardised; the bytes of standardising are not counted."""
    mean, deviation = X.mean(axis=0), X.std(axis=0)
    settings = {
        "raw features": (X, model.coef_, float(model.intercept_)),
        "standardised": ((X - mean) / deviation, model.coef_ * deviation, float(model.intercept_ + model.coef_ @ mean)),
    }
    return [
        _quantized_by_onnx_runtime(f"ONNX Runtime, {way}, {units}", way, *settings[units], y, folder)
        for way, units in product(("static", "dynamic"), settings)
    ]


def _quantized_by_onnx_runtime(
    name: str, way: str, X: np.ndarray, coef: np.ndarray, intercept: float, y: np.ndarray, folder: Path
) -> dict[str, Any]:
    import onnx
    from onnx_graphs import float_graph, session
    from onnxruntime.quantization import QuantType, quantize_dynamic, quantize_static

    progress(f"quantization: {name}")
    # It advises at every call to prepare larger graphs first.
    logging.disable(logging.WARNING)
    source, result, rows = folder / "float.onnx", folder / "quantized.onnx", {"x": X.astype(np.float32)}
    onnx.save(float_graph(coef, intercept), source)
    types = {"weight_type": QuantType.QUInt8}
    if way == "static":
        quantize_static(source, result, _Calibration([rows]), activation_type=QuantType.QUInt8, **types)
    else:
        quantize_dynamic(source, result, **types)
    expected = X @ coef + intercept
    agree(f"{name}, before it is quantized", expected, session(str(source)).run(None, rows)[0][:, 0], ONNX_TOLERANCE)
    predicted = session(str(result)).run(None, rows)[0][:, 0].astype(np.float64)
    return accuracy(y, expected, predicted) | {
        "kind": "ONNX Runtime",
        "scheme": name,
        "payload_bytes": sum(onnx.numpy_helper.to_array(each).nbytes for each in onnx.load(result).graph.initializer),
        "file_bytes": result.stat().st_size,
    }


class _Calibration:
    """Rows for quantize_static: one batch after the other, then None."""

    def __init__(self, batches: list[dict[str, np.ndarray]]) -> None:
        self._batches = iter(batches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._batches, None)
