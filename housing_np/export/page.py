"""One web page that holds a model and computes its predictions, without a network."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from ..checks.arrays import Floats
from ..errors import HousingError
from ..evaluation.ranges import is_truth_value, usual_range
from ..fit.linear import LinearRegression
from ..quantized.model import Model, QuantizedLinear, is_quantized
from ..quantized.packing import packed
from ..quantized.schemes import FIELDS
from ..rows.columns import Columns
from .facts import Facts


def page(model: Model, facts: Facts) -> str:
    """Return HTML, in ASCII, that needs no other file: sliders, fields and lists for the columns, and the predictions.

    Its script has a function ``predict(x)``, from an array of numbers, the features in the model's order, to an array
    of one number for each target: those that ``predict`` gives in Python, to the last bit. ``encode(cells)`` makes
    the features of a row of the user's columns, as `Columns.encode` does, with null for a missing cell.

    The sliders have the range of the facts; a number that was 0 or 1 in their ``rows`` has a checkbox; the page starts
    with their ``example``, and shows the float model ``against`` beside a quantized one. Raises HousingError if that is
    not the float model that the quantized one was made from.

    >>> line = LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
    >>> print(page(line, Facts.of(line, "line"))[:15])
    <!doctype html>
    """
    start = _start(model, facts)
    if is_quantized(model) and facts.against is not None:
        _check_against(model, facts.against, start)
    template = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
    template = re.sub(rf' *<p data-scheme="(?!{facts.scheme}").*?</p>\n', "", template, flags=re.DOTALL)
    for tag in ("style", "script"):
        template = template.replace(f"{tag.upper()}-HASHES", _hashes(template, tag))
    return template.replace("MODEL", _in_a_script(_data(model, facts, start)))


def _start(model: Model, facts: Facts) -> Floats:
    """Return the row that the page shows first; shape (p,)."""
    if facts.example is not None:
        row = facts.example
    elif is_quantized(model) and "center" in FIELDS[model.scheme]:
        row = model.center.astype(np.float64)
        if model.input_scale is not None and model.input_offset is not None:
            row = model.input_offset + model.input_scale * row
    elif facts.low is not None and facts.high is not None:
        row = facts.low / 2 + facts.high / 2
    else:
        row = np.zeros(len(facts.features))
    return np.asarray(row if facts.low is None else np.clip(row, facts.low, facts.high))


def _check_against(model: QuantizedLinear, against: LinearRegression, start: Floats) -> None:
    """Refuse a float model whose weights, or whose prediction at the start, are further away than the bound says."""
    wanted = "expected the float model that the quantized one was made from"
    if (against.feature_names, against.target_names_) != (model.feature_names, model.target_names_):
        raise HousingError(f"against has other features or targets than the model: {wanted}")
    step = 1.0 if model.input_scale is None else model.input_scale.astype(np.float64)
    row, away = start[np.newaxis], np.abs(against.coef_ * step - model._values)
    deviation = np.abs(model.predict(row) - against.predict(row))
    if np.any(away > model._rules.reach(model)) or np.any(deviation > model.error_bound(row)):
        raise HousingError(f"against is further from the model than its bound: {wanted}")


def _hashes(template: str, tag: str) -> str:
    """Return the elements with this tag as a content security policy lists them: no others do anything."""
    contents = re.findall(rf"<{tag}>(.*?)</{tag}>", template, re.DOTALL)
    return " ".join(f"'sha256-{b64encode(sha256(each.encode()).digest()).decode()}'" for each in contents)


def _in_a_script(data: Any) -> str:
    """Return JSON in ASCII that cannot end the script around it."""
    return json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _data(model: Model, facts: Facts, start: Floats) -> dict[str, Any]:
    return {
        "scheme": facts.scheme,
        "columns": _columns(model.columns, facts, start),
        "targets": [{"name": _visible(name), "unit": _unit(facts, name)} for name in facts.targets],
        "quantized": _quantized(model) if is_quantized(model) else None,
        "float": _float(facts.against if is_quantized(model) else model),
        "bytes": model.payload_bytes,
        "sha256": facts.sha256,
    }


def _columns(columns: Columns, facts: Facts, start: Floats) -> list[dict[str, Any]]:
    """Return what the page shows of each column: a category's levels, a truth value, or a number's range and fill."""
    found, numbers = [], _numbers(facts, start)
    is_truth = np.zeros(len(start), np.bool_) if facts.rows is None else is_truth_value(facts.rows)
    for name, features in columns.places.items():
        place = features.start
        if name in columns.levels:
            kind = {"levels": [*map(_visible, columns.levels[name])], "start": _level(start[features])}
        elif name in columns.fills:
            kind = numbers[place] | {"fill": columns.fills[name]}
        else:
            kind = {"truth": True, "start": round(start[place])} if is_truth[place] else numbers[place]
        found.append({"name": _visible(name), "unit": _unit(facts, name), **kind})
    return found


def _numbers(facts: Facts, start: Floats) -> list[dict[str, Any]]:
    """Return the figures of each feature: its range, the ends of its slider, its value at the start."""
    unknown = np.full(len(start), None)
    figures = {"low": unknown, "high": unknown, "start": start}
    if facts.low is not None and facts.high is not None:
        figures |= {"low": facts.low, "high": facts.high}
        if usual := usual_range(facts.low, facts.high, facts.rows):
            figures |= zip(("from", "to"), usual, strict=True)
    rows = zip(*(each.tolist() for each in figures.values()), strict=True)
    return [dict(zip(figures, row, strict=True)) for row in rows]


def _level(features: Floats) -> int:
    """Return the position of the level that most of some rows have, of its features' means; else 0."""
    return next((i for i, share in enumerate(features.tolist(), start=1) if share > 0.5), 0)


def _unit(facts: Facts, name: str) -> str:
    return _visible(facts.units.get(name, ""))


def _visible(name: str) -> str:
    """Return a name with escapes for the characters that cannot be seen, some of which reverse a line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _float(model: Model | None) -> dict[str, Any] | None:
    if model is None:
        return None
    return {"coef": np.atleast_2d(model.coef_).tolist(), "intercept": np.atleast_1d(model.intercept_).tolist()}


def _quantized(model: QuantizedLinear) -> dict[str, Any]:
    weights, affine = model.numbers()["weights"], model.affine
    content = packed(weights, model.bits) if weights.dtype == np.uint8 else weights
    inputs = {"inputScale": model.input_scale, "inputOffset": model.input_offset}
    return {
        "bits": model.bits,
        "packed": b64encode(content.tobytes()).decode(),
        "scale": np.atleast_1d(affine.scale).tolist(),
        "zeroPoint": np.atleast_1d(affine.zero_point).tolist(),
        "bias": np.atleast_1d(model.bias).tolist(),
        "center": model.center.tolist() if "center" in FIELDS[model.scheme] else [0.0],
        "radius": float(model.radius),
        "slack": np.atleast_1d(model.slack).tolist(),
        **{name: values.tolist() for name, values in inputs.items() if values is not None},
    }
