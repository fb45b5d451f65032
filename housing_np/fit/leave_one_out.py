"""Predictions of each row by the model fitted to all other rows, in closed form from the leverages.

Source: Cook and Weisberg, "Residuals and Influence in Regression", 1982, section 2.2.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..checks.arrays import Floats, as_weights, refuse_nonfinite
from ..checks.sparse import is_sparse
from ..errors import HousingError, listed, quoted
from .products import refuse_nonfinite_rows

if TYPE_CHECKING:
    from .linear import LinearRegression

_CHUNK_ROWS = 4096
_NO_ROOM = 1e-10  # 1 - leverage, of a row that alone determines a coefficient
_LEAST_ROWS = 256
_PRODUCTS = 2**18  # of a chunk, above which BLAS starts threads that cost more than they save
_ROUNDING = 2.0**-20  # of the largest part of a vector: a smaller one is 0


def leave_one_out(
    model: "LinearRegression", X: ArrayLike, targets: Floats, sample_weight: ArrayLike | None = None
) -> Floats:
    """Return the prediction of each row; as `LinearRegression.leave_one_out`, for targets in float64."""
    rows = X.tocsr() if is_sparse(X) else model._rows(X)
    expected = (rows.shape[0], *model.coef_.shape[:-1])
    if targets.shape != expected:
        raise HousingError(f"y has shape {targets.shape}: expected {expected}")
    refuse_nonfinite(np.atleast_2d(targets.T).T, "y", model.target_names_)
    out, is_alone = left_out(model, rows, targets, as_weights(sample_weight, len(targets)))
    if is_alone.any():
        row = int(np.argmax(is_alone))
        names = determined_by(model, _dense(model, rows[row : row + 1]))
        of = f" ({listed(names, quoted)})" if names else ""
        raise HousingError(
            f"row {row} alone determines a coefficient{of}: leaving it out leaves no prediction for it; "
            "drop the row or the feature"
        )
    if not np.isfinite(out).all():
        raise HousingError("a prediction exceeds the range of double precision: rescale the columns")
    return out


def left_out(
    model: "LinearRegression",
    rows: Any,
    targets: Floats,
    weights: Floats | None = None,
    visit: Callable[[Floats, Floats, Floats], object] = lambda basis, leverage, residual: None,
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the predictions of rows by fits to all others, and which rows have none: those of leverage 1.

    `visit` is called with what is known of each chunk of rows: in the basis of the solution, leverages and residuals.
    """
    solution = model.require_solution("leverages")
    out, is_alone = np.empty_like(targets), np.empty(len(targets), np.bool_)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        step = max(_LEAST_ROWS, min(_CHUNK_ROWS, _PRODUCTS // rows.shape[1] ** 2))
        for start in range(0, len(targets), step):
            part = slice(start, start + step)
            block = _dense(model, rows[part])
            basis = solution.basis(block)
            leverage = solution.leverage(block, basis)
            room = 1 - (leverage if weights is None else leverage * weights[part])
            residual = solution.residual(block, targets[part], model.coef_)
            refuse_nonfinite_rows(residual, block, model.feature_names, start)
            out[part] = targets[part] - (residual.T / room).T
            is_alone[part] = room < _NO_ROOM
            visit(basis, leverage, residual)
    return out, is_alone


def _dense(model: "LinearRegression", rows: Any) -> Floats:
    return model._rows(rows.toarray()) if is_sparse(rows) else rows


def determined_by(model: "LinearRegression", rows: Floats) -> list[str]:
    """Return the features whose coefficients are not determined without one of these rows (m, p) of leverage 1.

    With the centred and scaled columns A and a row x of A, these are the parts of v = (A'A)⁺ x that are not 0:
    A v is the same in all other rows, so that these do not determine the coefficients in the direction v.
    """
    solution = model.require_solution("leverages")
    v = np.abs(solution.centred(rows) / solution.norms @ solution.inverse @ solution.inverse.T)
    is_determined = (v > _ROUNDING * v.max(axis=1, initial=0.0, keepdims=True)).any(axis=0)
    return [name for name, is_one in zip(model.feature_names, is_determined, strict=True) if is_one]
