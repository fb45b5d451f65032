"""What was aimed at, set before measuring. A ratio is the peer's time, or memory, divided by ours."""

from math import prod
from typing import Any

from cells import met

Record = dict[str, Any]
OURS = "housing_np"
ORIGINAL = "scikit-learn + joblib"
PANDAS, POLARS = "pandas + scikit-learn", "polars + scikit-learn"
FLOAT32, INTEGER = "ONNX Runtime, MatMul + Add in float32", "ONNX Runtime, MatMulInteger"
QLINEAR = "ONNX Runtime, QLinearMatMul + DequantizeLinear"

START = {"in all": 12, "predict": 10, "peak memory": 3}
# By rows, threads and peer. Older records know "default": all threads of numpy against one of ONNX Runtime.
PREDICT = {
    (1, "one each", FLOAT32): 1,
    (1_000_000, "all each", "scikit-learn"): 2,
    (1_000_000, "one each", INTEGER): 2,
    (1_000_000, "one each", QLINEAR): 3,
    (1_000_000, "all each", INTEGER): 1.5,
    (1, "default", FLOAT32): 1,
    (1_000_000, "default", "scikit-learn"): 2,
    (1_000_000, "default", INTEGER): 3,
    (1_000_000, "default", QLINEAR): 5,
}
TABLES = {
    ("train", "csv", PANDAS): 1.5,
    ("predict", "csv", PANDAS): 2.5,
    ("predict", "csv", POLARS): 1.3,
    ("train", "parquet", PANDAS): 2,
    ("predict", "parquet", PANDAS): 4,
    ("predict", "parquet", POLARS): 2,
}
TABLES_MEMORY = {("train", "csv", PANDAS): 2}
# R² that per-channel weights, best rounded, may lose at so many bits.
DROP = {8: 1.5e-5, 6: 1.6e-4, 5: 1.1e-3, 4: 3.3e-3, 3: 1.4e-2, 2: 3.2e-2}


def fit_ratios(record: Record, peer: str) -> tuple[float, float]:
    """Return the geometric mean over the shapes, and the least."""
    medians = [each["ratio"][peer][0] for each in record["sections"]["fit"]["shapes"]]
    return prod(medians) ** (1 / len(medians)), min(medians)


def fit(record: Record, peer: str) -> str:
    """Return a peer's target and whether it was met."""
    mean, least = fit_ratios(record, peer)
    verdicts = {
        "scikit-learn": f"4× at each: {met(least >= 4)}",
        "intelex": f"1× in the mean, 0.8× at each: {met(mean >= 1 and least >= 0.8)}",
    }
    return verdicts.get(peer, "")


def digits(name: str) -> int:
    """Return the digits wanted on a set; Filip's powers of degree 10 are rounded before any library sees them."""
    return 7 if name == "Filip" else 9


def mean_digits(record: Record) -> str:
    """Return the target of the mean and whether it was met."""
    others = [value for name, value in record["sections"]["digits"]["digits"][OURS].items() if name != "Filip"]
    return f"12.5 without Filip: {met(sum(others) / len(others) >= 12.5)}"
