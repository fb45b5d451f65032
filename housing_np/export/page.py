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
from ..fit.linear import LinearRegression
from ..quantized.model import Model, QuantizedLinear, is_quantized
from .facts import Facts


def page(model: Model, facts: Facts) -> str:
    """Return HTML, in ASCII, that needs no other file: sliders and fields for the features, and the predictions.

    Its script has a function ``predict(x)``, from an array of numbers in the model's order to an array of one number
    for each target: those that ``predict`` gives in Python, to the last bit.

    Parameters
    ----------
    model : LinearRegression or QuantizedLinear
    facts : Facts
        The sliders have their range; the page starts with ``example``, and shows the float model ``against`` beside a
        quantized one.

    Raises
    ------
    HousingError
        If ``against`` is not the float model that the quantized one was made from.

    Examples
    --------
    >>> line = LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
    >>> print(page(line, Facts.of(line, "line"))[:15])
    <!doctype html>
    """
    start = _start(model, facts)
    if is_quantized(model) and facts.against is not None:
        _check_against(model, facts.against, start)
    template = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
    for tag in ("style", "script"):
        template = template.replace(f"{tag.upper()}-HASHES", _hashes(template, tag))
    return template.replace("MODEL", _in_a_script(_data(model, facts, start)))


def _start(model: Model, facts: Facts) -> Floats:
    """Return the row that the page shows first; shape (p,)."""
    if facts.example is not None:
        row = facts.example
    elif is_quantized(model) and model.scheme != "per-tensor":
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
    if np.any(away > model._reach) or np.any(deviation > model.error_bound(row)):
        raise HousingError(f"against is further from the model than its bound: {wanted}")


def _hashes(template: str, tag: str) -> str:
    """Return the elements with this tag as a content security policy lists them: no others do anything."""
    contents = re.findall(rf"<{tag}>(.*?)</{tag}>", template, re.DOTALL)
    return " ".join(f"'sha256-{b64encode(sha256(each.encode()).digest()).decode()}'" for each in contents)


def _in_a_script(data: Any) -> str:
    """Return JSON in ASCII that cannot end the script around it."""
    return json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _data(model: Model, facts: Facts, start: Floats) -> dict[str, Any]:
    unknown = [None] * len(start)
    low, high = (unknown if end is None else end.tolist() for end in (facts.low, facts.high))
    return {
        "scheme": facts.scheme,
        "features": [
            {"name": _visible(name), "unit": _unit(facts, name), "low": a, "high": b, "start": c}
            for name, a, b, c in zip(facts.features, low, high, start.tolist(), strict=True)
        ],
        "targets": [{"name": _visible(name), "unit": _unit(facts, name)} for name in facts.targets],
        "quantized": _quantized(model) if is_quantized(model) else None,
        "float": _float(facts.against if is_quantized(model) else model),
        "bytes": model.payload_bytes,
        "sha256": facts.sha256,
    }


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
    p, affine = model.weights.shape[-1], model.affine
    inputs = {"inputScale": model.input_scale, "inputOffset": model.input_offset}
    return {
        "bits": affine.bits,
        "weights": np.atleast_2d(model.weights).tolist(),
        "scale": np.broadcast_to(affine.scale, p).tolist(),
        "zeroPoint": np.broadcast_to(affine.zero_point, p).tolist(),
        "bias": np.atleast_1d(model.bias).tolist(),
        "center": model.center.tolist(),
        "radius": float(model.radius),
        "slack": np.atleast_1d(model.slack).tolist(),
        **{name: values.tolist() for name, values in inputs.items() if values is not None},
    }
