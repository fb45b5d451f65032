"""Models taken elsewhere: to C, to ONNX, to a web page; each target is a file in here."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, get_args

# The command begins in here: a signal is caught before numpy is imported, and so are the targets where they are used.
if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from ..fit.linear import FittedLinear, LinearRegression
    from ..quantized.calibration import Calibration
    from ..quantized.model import Model
    from .facts import Facts

Target = Literal["c", "onnx", "html"]


def export(
    model: Model | FittedLinear,
    to: Target,
    *,
    name: str = "model",
    X: ArrayLike | Calibration | None = None,
    against: LinearRegression | None = None,
    float32: bool = False,
) -> str | bytes:
    """Return a model in the form in which another program takes it.

    Parameters
    ----------
    model : LinearRegression or QuantizedLinear
    to : {"c", "onnx", "html"}
        One C99 header that needs no other file; an ONNX model (takes the extra onnx); or a web page
        that needs no network.
    name : str
        What the model is called there.
    X : array_like, shape (n, p), or Calibration, optional
        Rows like those that the model is used on: their range is told. By default that of the scheme "integer".
    against : LinearRegression, optional
        The float model that a quantized one was made from: the page shows both.
    float32 : bool
        Whether an ONNX model takes its inputs in float32.

    Returns
    -------
    str or bytes
        Bytes for "onnx".

    Raises
    ------
    HousingError
        For an unknown target, or a model that the target cannot hold.

    Examples
    --------
    >>> from housing_np import LinearRegression
    >>> line = LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
    >>> print(export(line, "c", name="line")[:2])
    /*
    """
    from ..fit.linear import LinearRegression
    from ..quantized.model import QuantizedLinear
    from .facts import Facts

    if not isinstance(model, QuantizedLinear):
        model = LinearRegression.of(model, "a model to export")
    return exported(model, Facts.of(model, name, X, against), to, float32=float32)


def exported(model: Model, facts: Facts, to: Target, *, float32: bool = False) -> str | bytes:
    """Return what `export` does, with facts that are known already."""
    if to == "c":
        from .c import header

        return header(model, facts)
    if to == "onnx":
        from .onnx import graph

        return graph(model, facts, float32=float32)
    if to == "html":
        from .page import page

        return page(model, facts)
    from ..errors import HousingError, quoted

    raise HousingError(f"to is {quoted(to)}: expected one of {', '.join(get_args(Target))}")


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    from .__main__ import main  # here, not above: the library pays for no command

    return main(arguments)


class _Callable(ModuleType):
    """Python gives a package's name to its submodule once that is imported: `housing_np.export` is a function too."""

    def __call__(self, *arguments: Any, **options: Any) -> str | bytes:
        return export(*arguments, **options)


sys.modules[__name__].__class__ = _Callable
