"""The model files that commands find by themselves: the default one, and the float model of a quantized one."""

import os
from pathlib import Path

from ..checks.paths import shown_path
from ..errors import ArtifactError, HousingError
from ..fit.linear import LinearRegression
from ..quantized.model import Model
from ..store.artifact import load

DEFAULT_MODEL = "models/uint8-per-channel.npz"
_FLOAT = "float64.npz"


def default_model() -> str:
    """Return the path of the model that a command uses if the user names none."""
    path = os.environ.get("HOUSING_NP_MODEL") or DEFAULT_MODEL
    if not Path(path).exists():
        raise ArtifactError(
            f"{shown_path(path)}: no such model; make it with python -m housing_np.train, or name a MODEL.npz"
        )
    return path


def float_model(path: str | Path, model: Model) -> LinearRegression:
    """Return the float model in a file, which must have the columns of another model."""
    reference = load(path)
    if not isinstance(reference, LinearRegression):
        raise HousingError(f"{shown_path(path)} is quantized: --against takes the float model")
    if (reference.feature_names, reference.target_names_) != (model.feature_names, model.target_names_):
        raise HousingError(
            f"{shown_path(path)} has other features or targets than the model; give the one that it was made from"
        )
    return reference


def float_model_beside(path: str | Path) -> Path:
    """Return where the float model of a quantized one is looked for."""
    return Path(path).with_name(_FLOAT)
