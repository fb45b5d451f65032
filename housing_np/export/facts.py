"""What every export tells of a model beside its numbers."""

from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from ..checks.arrays import Floats
from ..fit.linear import LinearRegression
from ..quantized.calibration import Calibration
from ..quantized.model import Model, is_quantized
from ..rows.california import FEATURES, UNITS
from ..store.artifact import to_bytes


class Facts(NamedTuple):
    """What a reader of an exported model wants to know of it.

    Attributes
    ----------
    name : str
        What the model is called there.
    scheme : {"float64", "per-tensor", "per-channel", "integer"}
    features, targets : tuple of str
    units : mapping of str to str
        Of the features and targets whose unit is known: those of the bundled data.
    low, high : ndarray, shape (p,), optional
        The range of each feature in the rows that the model is for.
    sha256 : str
        Of the model's file, in hexadecimal.
    against : LinearRegression, optional
        The float model that a quantized one was made from.
    """

    name: str
    scheme: str
    features: tuple[str, ...]
    targets: tuple[str, ...]
    units: Mapping[str, str]
    low: Floats | None
    high: Floats | None
    sha256: str
    against: LinearRegression | None = None

    @classmethod
    def of(
        cls,
        model: Model,
        name: str,
        X: ArrayLike | Calibration | None = None,
        against: LinearRegression | None = None,
        content: bytes | None = None,
    ) -> Self:
        """Return the facts of a model; `content` is that of its file, by default as `save` would write it."""
        features, targets = model.feature_names, tuple(model.target_names_)
        low, high = _range(model, X)
        return cls(
            name=name,
            scheme=model.scheme or "float64",
            features=features,
            targets=targets,
            units=UNITS if set(features) <= set(FEATURES) else {},
            low=low,
            high=high,
            sha256=sha256(to_bytes(model) if content is None else content).hexdigest(),
            against=against,
        )


def _range(model: Model, X: ArrayLike | Calibration | None) -> tuple[Floats | None, Floats | None]:
    """Return the range of rows, else the one that the model was calibrated on, where it has one."""
    if X is not None:
        rows = X if isinstance(X, Calibration) else Calibration.of(X)
        return rows.low, rows.high
    if is_quantized(model) and model.input_scale is not None and model.input_offset is not None:
        return model.input_offset, model.input_offset + 255 * model.input_scale.astype(np.float64)
    return None, None
