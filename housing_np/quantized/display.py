"""The numbers of a quantized model as a table for notebooks."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..fit.display import grouped

if TYPE_CHECKING:
    from .model import QuantizedLinear


def notebook_table(model: "QuantizedLinear") -> tuple[list[str], dict[str, list[Any]]]:
    """Return the names of the rows, and the columns by their heads.

    The bias is in target units, and scales are per unit of the raw features. A baseline has the weight 0.
    """
    columns = _columns(model)
    first, *rows = zip(["intercept", *model.feature_names], *columns.values(), strict=True)
    baseline = [0.0 if head.endswith("weight") else "" for head in columns]
    names, *cells = zip(first, *grouped(model.columns, rows, baseline), strict=True)
    return list(names), {head: list(column) for head, column in zip(columns, cells, strict=True)}


def _columns(model: "QuantizedLinear") -> dict[str, list[Any]]:
    """Return the cells of the intercept and of each feature."""
    affine, shape, several = model.affine, model.weights.shape, len(model.target_names_) > 1
    with np.errstate(over="ignore"):
        scale = affine.aligned(affine.scale, model.weights) / (1.0 if model.input_scale is None else model.input_scale)
    scales = np.atleast_2d(np.broadcast_to(scale, shape))
    zeros = np.atleast_2d(np.broadcast_to(affine.aligned(affine.zero_point, model.weights), shape))
    intercepts = np.atleast_1d(model.intercept)
    weights, coef = np.atleast_2d(model.weights), np.atleast_2d(model.coef_)
    columns: dict[str, list[Any]] = {}
    for i, target in enumerate(model.target_names_):
        of = f"{target}: " if several else ""
        if scale_field := model._rules.fields.get("scale"):
            of_scale = of if scale_field.per == "target" else ""
            columns |= {f"{of_scale}scale": ["", *scales[i]], f"{of_scale}zero point": ["", *zeros[i]]}
            columns[f"{of}uint8"] = ["", *weights[i]]
        columns[f"{of}weight"] = [intercepts[i], *coef[i]]
    return columns
