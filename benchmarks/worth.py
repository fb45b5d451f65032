"""Where uint8 pays: bytes and deviations of float64 and each scheme, by features and targets."""

from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from measure import accuracy, progress
from synthetic import SEED, blocks, scales

from housing_np import LinearRegression, QuantizedLinear, save

FEATURES, TARGETS = (8, 64, 512), (1, 10)
ROWS, QUICK_ROWS = 5_000, 1_000
SCHEMES = ("float32", "per-tensor", "per-channel", "integer")


def measure(quick: bool) -> dict[str, Any]:
    """Return the cases, none of them timed; deviations are in standard deviations of the float predictions."""
    rows = QUICK_ROWS if quick else ROWS
    with TemporaryDirectory() as name:
        cases = [each for shape in product(FEATURES, TARGETS) for each in _shape(rows, *shape, Path(name))]
    return {"rows": rows, "cases": cases}


def _shape(rows: int, features: int, targets: int, folder: Path) -> list[dict[str, Any]]:
    progress(f"worth: {features} x {targets}")
    X, Y = _data(rows, features, targets)
    model = LinearRegression().fit(X, Y)
    expected = model.predict(X)
    small = {scheme: QuantizedLinear.from_linear(model, X, scheme) for scheme in SCHEMES}
    unit = expected.std(axis=0)
    return [
        {"features": features, "targets": targets, "kind": name}
        | {"payload_bytes": each.payload_bytes, "file_bytes": save(each, folder / f"{name}.npz")}
        | accuracy(Y / unit, expected / unit, each.predict(X) / unit)
        for name, each in {"float64": model, **small}.items()
    ]


def _data(rows: int, features: int, targets: int) -> tuple[np.ndarray, np.ndarray]:
    """Return X, and Y (n,) or (n, targets): random sums of its columns, and noise of half their deviation."""
    X = np.concatenate([X for X, _ in blocks(rows, features)])
    rng = np.random.default_rng(SEED)
    weights = rng.standard_normal((features, targets)) / np.sqrt(features)
    Y = X / scales(features) @ weights + 0.5 * rng.standard_normal((rows, targets))
    return X, Y[:, 0] if targets == 1 else Y
