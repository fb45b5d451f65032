"""The range of the rows that a model was trained on, and which rows are outside it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import Floats
from .calibration import Calibration
from .california import california_rows
from .errors import HousingError
from .quantized import Model, QuantizedLinear
from .rows import open_rows
from .table import files


def ranges_of(path: str, names: Sequence[str], of: Callable[[str], dict[str, Any]] = lambda name: {}) -> Calibration:
    """Return the calibration of the rows of all files that a pattern names; `of(name)` says how to read one."""
    seen = Calibration()
    for name in files(path):
        with open_rows(name, **of(name)) as rows:
            for block in rows.blocks(names):
                seen.update(block)
    return seen


def bundled(names: Sequence[str]) -> Calibration | None:
    """Return the calibration of the bundled rows, where they have these columns."""
    try:
        return Calibration.of(california_rows(names))
    except HousingError:
        return None


def outside(model: Model, seen: Calibration | None) -> Callable[[Floats], NDArray[np.bool_]]:
    """Return what tells which rows are outside the range of those seen, or of the model's own where it has one."""
    if seen is not None:
        low, high = seen.low, seen.high
        return lambda X: np.any((low > X) | (high < X), axis=1)
    if isinstance(model, QuantizedLinear) and model.scheme == "integer":
        return model.saturated
    return lambda X: np.zeros(0, np.bool_)
