"""A linear model: trained, quantized to uint8, and shipped in a few hundred bytes, in pure NumPy."""

from typing import TYPE_CHECKING

__version__ = "1.0.0"

# Type checkers take names from import statements alone, and imports at first use need a table: a test compares the two.
if TYPE_CHECKING:
    from . import distributed as distributed
    from . import export as export
    from .errors import ArtifactError as ArtifactError
    from .errors import HousingError as HousingError
    from .errors import TableError as TableError
    from .fit.linear import LinearRegression as LinearRegression
    from .quantized.affine import Affine as Affine
    from .quantized.model import QuantizedLinear as QuantizedLinear
    from .rows.california import load_california as load_california
    from .rows.in_memory import Table as Table
    from .rows.table import read_table as read_table
    from .store.artifact import load as load
    from .store.artifact import save as save
else:
    _HOMES = {
        "Affine": "quantized.affine",
        "ArtifactError": "errors",
        "HousingError": "errors",
        "LinearRegression": "fit.linear",
        "QuantizedLinear": "quantized.model",
        "Table": "rows.in_memory",
        "TableError": "errors",
        "load": "store.artifact",
        "load_california": "rows.california",
        "read_table": "rows.table",
        "save": "store.artifact",
    }
    _PACKAGES = ("distributed", "export")
    __all__ = list(_HOMES)

    def __getattr__(name):
        # Each public name is imported when it is first used: a command pays only for what it runs.
        if name not in _HOMES and name not in _PACKAGES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        if name in _PACKAGES:
            return import_module(f".{name}", __name__)
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)

    def __dir__():
        return sorted({*globals(), *__all__, *_PACKAGES})
