"""A linear model: trained, quantized to uint8, and shipped in a few hundred bytes, in pure NumPy."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .affine import Affine
    from .artifact import load, save
    from .california import load_california
    from .errors import ArtifactError, HousingError, TableError
    from .linear import LinearRegression
    from .quantized import QuantizedLinear
    from .table import Table, read_table

__version__ = "1.0.0"

_HOMES = {
    "Affine": "affine",
    "ArtifactError": "errors",
    "HousingError": "errors",
    "LinearRegression": "linear",
    "QuantizedLinear": "quantized",
    "Table": "table",
    "TableError": "errors",
    "load": "artifact",
    "load_california": "california",
    "read_table": "table",
    "save": "artifact",
}
__all__ = [
    "Affine",
    "ArtifactError",
    "HousingError",
    "LinearRegression",
    "QuantizedLinear",
    "Table",
    "TableError",
    "load",
    "load_california",
    "read_table",
    "save",
]


def __getattr__(name: str) -> Any:
    # Each public name is imported when it is first used: a command pays only for what it runs.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
