"""A linear model: trained, quantized to uint8, and shipped in a few hundred bytes, in pure NumPy."""

from typing import TYPE_CHECKING

__version__ = "1.0.0"

# Type checkers take names from import statements alone, and imports at first use need a table: a test compares the two.
if TYPE_CHECKING:
    from .affine import Affine as Affine
    from .artifact import load as load
    from .artifact import save as save
    from .california import load_california as load_california
    from .errors import ArtifactError as ArtifactError
    from .errors import HousingError as HousingError
    from .errors import TableError as TableError
    from .export import export as export
    from .linear import LinearRegression as LinearRegression
    from .quantized import QuantizedLinear as QuantizedLinear
    from .table import Table as Table
    from .table import read_table as read_table
else:
    _HOMES = {
        "Affine": "affine",
        "ArtifactError": "errors",
        "HousingError": "errors",
        "LinearRegression": "linear",
        "QuantizedLinear": "quantized",
        "Table": "table",
        "TableError": "errors",
        "export": "export",
        "load": "artifact",
        "load_california": "california",
        "read_table": "table",
        "save": "artifact",
    }
    __all__ = list(_HOMES)

    def __getattr__(name):
        # Each public name is imported when it is first used: a command pays only for what it runs.
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(f".{_HOMES[name]}", __name__), name)

    def __dir__():
        return sorted([*globals(), *__all__])
