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
# By library: every kind of text.
TEXTS = {"pandas": 2, "polars": 1.5}
TABLES_MEMORY = {("train", "csv", PANDAS): 2}
# Two kinds of columns: the only one in older records, and the one that has targets of its own.
NORMAL, CORRELATED = "normal", "correlated 0.999"
WORST, MEAN, WORST_CORRELATED = "worst", "mean", "worst at correlation 0.999"
# By peer and figure of `fit_ratios`.
FIT = {
    "scikit-learn": {WORST: 2.5, WORST_CORRELATED: 1.5},
    "intelex": {WORST: 0.7, MEAN: 1, WORST_CORRELATED: 0.4},
}
# R² that per-channel weights, best rounded, may lose at so many bits.
DROP = {8: 1.5e-5, 6: 1.6e-4, 5: 1.1e-3, 4: 3.3e-3, 3: 1.4e-2, 2: 3.2e-2}

# Of a server: start, memory, and requests of one row, each so many times better than the peer's.
MLFLOW = {"start": 5, "memory": 4, "1": 5}
FASTAPI = {"1": 1.5}
MOST_PINGS = 1.7  # that a row may take


def fit_cells(record: Record, correlated: bool) -> list[dict[str, Any]]:
    """Return the measurements of columns correlated 0.999, or of all other kinds."""
    return [each for each in record["sections"]["fit"]["shapes"] if (each.get("kind") == CORRELATED) == correlated]


def fit_ratios(record: Record, peer: str) -> dict[str, float]:
    """Return the worst ratio and the geometric mean but for columns correlated 0.999; and the worst of these."""
    usual, correlated = ([each["ratio"][peer][0] for each in fit_cells(record, which)] for which in (False, True))
    ratios = {WORST: min(usual), MEAN: prod(usual) ** (1 / len(usual))}
    return ratios | ({WORST_CORRELATED: min(correlated)} if correlated else {})


def digits(name: str) -> int:
    """Return the digits wanted on a set; Filip's powers of degree 10 are rounded before any library sees them."""
    return 7 if name == "Filip" else 9


def mean_digits(record: Record) -> str:
    """Return the target of the mean and whether it was met."""
    others = [value for name, value in record["sections"]["digits"]["digits"][OURS].items() if name != "Filip"]
    return f"12.5 without Filip: {met(sum(others) / len(others) >= 12.5)}"
