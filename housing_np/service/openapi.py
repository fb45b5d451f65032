"""The OpenAPI document of a server: its routes, and the rows of its model."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from .. import __version__
from ..quantized.model import Model
from ..rows.columns import MISSING, Columns
from .served import Served
from .settings import Settings
from .wanted import ANSWERS, TYPES

_NUMBER = {"type": "number"}


def document(served: Served) -> dict[str, Any]:
    """Return the document, OpenAPI 3.1."""
    model, name, settings = served.model, served.name, served.settings
    of_model = f"/v2/models/{quote(name)}"
    pages = {
        "/": ("The page of the model", "text/html"),
        "/ping": ("Whether the server lives, as MLflow and SageMaker ask", "text/plain"),
        "/health": ("Whether the server lives", "text/plain"),
        "/version": ("The version of housing_np", "text/plain"),
        "/metrics": ("The counters, for Prometheus", "text/plain"),
        "/openapi.json": ("This document", "application/json"),
        "/v2": ("The server, in the form of the Open Inference Protocol", "application/json"),
        "/v2/health/live": ("Whether the server lives", "application/json"),
        "/v2/health/ready": ("Whether the server answers", "application/json"),
        of_model: ("The model's columns", "application/json"),
        f"{of_model}/ready": ("Whether the model answers", "application/json"),
    }
    paths: dict[str, Any] = {
        path: {"get": {"summary": summary, "responses": {"200": _content(summary, {type: {}})}}}
        for path, (summary, type) in pages.items()
    }
    rows = "Rows in; predictions out, in the caller's form"
    answers: dict[str, Any] = {kind: {} for kind in dict.fromkeys(each.split(";")[0] for each in ANSWERS.values())}
    answers["application/json"] = {"schema": _predictions(model)}
    paths["/invocations"] = {"post": _posted(rows, _bodies(model), answers, model, settings, "message")}
    tensors = {"application/json": {"schema": _tensors(output_tensors(model), "outputs")}}
    bodies = _bodies(model) | {"application/json": {"schema": _tensors(input_tensors(model), "inputs")}}
    paths[f"{of_model}/infer"] = {
        "post": _posted("The same in the protocol's own form", bodies, tensors, model, settings, "error")
    }
    about = {"title": f"housing_np: {name}", "version": __version__}
    return {"openapi": "3.1.0", "info": about, "paths": paths}


def input_tensors(model: Model) -> list[dict[str, Any]]:
    """Return the inputs of a model in the form of the Open Inference Protocol: a tensor a column."""
    levels = model.columns.levels
    return [_tensor(name, "BYTES" if name in levels else "FP64") for name in model.columns.names]


def output_tensors(model: Model) -> list[dict[str, Any]]:
    """Return the outputs of a model in the form of the Open Inference Protocol: a tensor a target."""
    return [_tensor(name, "FP64") for name in model.target_names_]


def _tensor(name: str, datatype: str) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [-1]}


def _posted(
    summary: str, bodies: dict[str, Any], answers: dict[str, Any], model: Model, settings: Settings, error: str
) -> dict[str, Any]:
    line = {
        "application/json": {
            "schema": {"type": "object", "properties": {error: {"type": "string"}}, "required": [error]}
        }
    }
    refusals = {
        "400": "A bad row or body: what is wrong, and where",
        "408": f"More than {settings.timeout:g} seconds",
        "413": f"More than {settings.max_body} bytes or {settings.max_rows} rows, or more than an answer may hold",
        "415": "Another type of body",
        "421": "Another Host than the server's",
        "500": "An error of the server itself",
        "503": "Busy: try again",
    }
    bounds = {
        "name": "bounds",
        "in": "query",
        "description": "Whether to add the largest possible distance of each prediction from the float model's",
        "schema": {"type": "boolean", "default": False},
    }
    return {
        "summary": summary,
        "parameters": [] if model.scheme is None else [bounds],
        "requestBody": {"required": True, "content": bodies},
        "responses": {"200": _content("Predictions", answers)}
        | {status: _content(text, line) for status, text in refusals.items()},
    }


def _content(description: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": content}


def _bodies(model: Model) -> dict[str, Any]:
    columns = model.columns
    names, cell = list(columns.names), _NUMBER if columns.is_plain else {"type": ["number", "string", "null"]}
    cells = {name: _cell(columns, name) for name in names}
    row: dict[str, Any] = {"type": "object", "properties": cells, "required": names}
    values: dict[str, Any] = {"type": "array", "items": cell, "minItems": len(names), "maxItems": len(names)}
    if not columns.is_plain:
        example = _example(columns)
        row["examples"] = [example]
        values |= {"prefixItems": [*cells.values()], "examples": [[*example.values()]]}
    rows = {"type": "array", "items": {"anyOf": [row, values]}, "minItems": 1}
    split = {
        "type": "object",
        "properties": {
            "columns": {"type": "array", "items": {"type": "string"}},
            "data": {"type": "array", "items": {"type": "array", "items": cell}},
        },
        "required": ["columns", "data"],
    }
    envelopes = {"dataframe_split": split, "dataframe_records": rows, "instances": rows, "inputs": rows}
    wrapped = [{"type": "object", "properties": {key: each}, "required": [key]} for key, each in envelopes.items()]
    documents = {"schema": {"anyOf": [rows, row, *wrapped, _tensors(input_tensors(model), "inputs")]}}
    return {kind: documents if format == "json" else {} for kind, format in TYPES.items()}


def _cell(columns: Columns, name: str) -> dict[str, Any]:
    """Return the schema of a cell: a number or one of the levels, null if the model takes a missing one."""
    if name not in columns.levels:
        return {"type": ["number", "null"]} if name in columns.fills else _NUMBER
    levels = columns.levels[name]
    if MISSING not in levels:
        return {"type": "string", "enum": [*levels]}
    return {"type": ["string", "null"], "enum": [*levels, None]}


def _example(columns: Columns) -> dict[str, Any]:
    """Return a row: the baseline of each category, and each fill."""
    return {
        name: columns.levels[name][0] if name in columns.levels else columns.fills.get(name, 0.0)
        for name in columns.names
    }


def _predictions(model: Model) -> dict[str, Any]:
    k = len(model.target_names_)
    of_row = _NUMBER if k == 1 else {"type": "array", "items": _NUMBER, "minItems": k, "maxItems": k}
    lists = {name: {"type": "array", "items": of_row} for name in ("predictions", "bounds")}
    return {"type": "object", "properties": lists, "required": ["predictions"]}


def _tensors(tensors: Sequence[Mapping[str, Any]], key: str) -> dict[str, Any]:
    tensor = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "examples": [each["name"] for each in tensors]},
            "shape": {"type": "array", "items": {"type": "integer"}},
            "datatype": {"type": "string", "examples": [*dict.fromkeys(each["datatype"] for each in tensors)]},
            "data": {"type": "array"},
        },
        "required": ["name", "shape", "datatype", "data"],
    }
    return {
        "type": "object",
        "properties": {"id": {"type": "string"}, key: {"type": "array", "items": tensor}},
        "required": [key],
    }
