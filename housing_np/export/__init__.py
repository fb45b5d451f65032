"""Models for other programs: in C, in ONNX, as a web page; each target has a module in here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

# The command starts in here: it catches signals before numpy is imported, and imports only the target that it needs.
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    units: Mapping[str, str] | None = None,
    against: LinearRegression | None = None,
    float32: bool = False,
) -> str | bytes:
    """Return a model in the form that another program reads.

    Parameters
    ----------
    model : LinearRegression or QuantizedLinear
    to : {"c", "onnx", "html"}
        One C99 header that needs no other file; an ONNX model (takes the extra onnx); or a web page that needs no
        network.
    name : str
        The name of the model there.
    X : array_like, shape (n, p), or Calibration, optional
        Rows like those that the model is used on, or a frame of its columns: the export tells their range. The default
        is the range that the scheme "integer" has of its own; other models have none.
    units : mapping of str to str, optional
        The units of features and targets, by their names.
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

    See Also
    --------
    to_c, to_onnx, to_html

    Examples
    --------
    >>> from housing_np import LinearRegression
    >>> line = LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
    >>> print(export(line, "c", name="line")[:2])
    /*
    """
    if to == "c":
        return to_c(model, name=name, X=X, units=units)
    if to == "onnx":
        return to_onnx(model, name=name, X=X, units=units, float32=float32)
    if to == "html":
        return to_html(model, name=name, X=X, units=units, against=against)
    from ..errors import HousingError, quoted

    raise HousingError(f"to is {quoted(to)}: expected one of {', '.join(get_args(Target))}")


def to_c(
    model: Model | FittedLinear,
    *,
    name: str = "model",
    X: ArrayLike | Calibration | None = None,
    units: Mapping[str, str] | None = None,
) -> str:
    """Return a model as one C99 header that needs no other file; the parameters are those of `export`.

    Examples
    --------
    >>> from housing_np import LinearRegression
    >>> line = LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
    >>> "double line_predict(const double x[LINE_FEATURES])" in to_c(line, name="line")
    True
    """
    from .c import header

    return header(*_known(model, name, X, units))


def to_onnx(
    model: Model | FittedLinear,
    *,
    name: str = "model",
    X: ArrayLike | Calibration | None = None,
    units: Mapping[str, str] | None = None,
    float32: bool = False,
) -> bytes:
    """Return a model as the content of an ONNX file; the parameters are those of `export`.

    Examples
    --------
    >>> from housing_np import LinearRegression
    >>> line = LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
    >>> len(to_onnx(line)) > 0
    True
    """
    from .onnx import graph

    return graph(*_known(model, name, X, units), float32=float32)


def to_html(
    model: Model | FittedLinear,
    *,
    name: str = "model",
    X: ArrayLike | Calibration | None = None,
    units: Mapping[str, str] | None = None,
    against: LinearRegression | None = None,
) -> str:
    """Return a model as a web page that needs no network; the parameters are those of `export`.

    Examples
    --------
    >>> from housing_np import LinearRegression
    >>> line = LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
    >>> print(to_html(line)[:15])
    <!doctype html>
    """
    from .page import page

    return page(*_known(model, name, X, units, against))


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    from .__main__ import main  # imported here because the functions do not need the command

    return main(arguments)


def _known(
    model: Model | FittedLinear,
    name: str,
    X: ArrayLike | Calibration | None,
    units: Mapping[str, str] | None,
    against: LinearRegression | None = None,
) -> tuple[Model, Facts]:
    """Return a model of this package, made from any fitted linear model, and what the caller tells of it."""
    from ..quantized.model import as_model
    from .facts import Facts

    ours = as_model(model, "a model to export")
    return ours, Facts.of(ours, name, X, against, units=units)
