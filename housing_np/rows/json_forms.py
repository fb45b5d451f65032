"""The forms of JSON documents: as data frames write them, and as servers of models take them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from ..errors import TableError, counted, cut, listed, quoted
from .rows import Request

ENVELOPES = {"instances", "inputs", "input_data", "dataframe_split", "dataframe_records"}
EXPECTED = (
    "expected a list of rows, one object, or an object with 'instances', 'inputs', 'input_data', "
    "'dataframe_split' (columns, data) or 'dataframe_records'"
)
_Objects = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Found:
    """The rows of a document."""

    rows: list[Any]  # objects or lists, not checked yet
    columns: tuple[str, ...] = ()  # the names of the columns if they stand apart from the rows
    request: Request = field(default_factory=Request)
    index: tuple[str, ...] = ()  # the columns that are the index of a data frame
    # Instead of rows: objects in an object, which are rows or columns as the wanted names decide.
    objects: _Objects = field(default_factory=dict)


def find_rows(document: Any) -> Found:
    """Return the rows of a document in any of the known forms."""
    match document:
        case list(rows) | {"dataframe_records": list(rows)}:
            return Found(rows)
        case {"instances": list(rows)}:
            return Found([*map(_instance, rows)])
        case {"inputs": [{"name": str(_), "shape": _}, *_] | [{"name": str(_), "datatype": _}, *_]}:
            return _tensors(document)
        case {"inputs": list(rows)} | {"input_data": list(rows)} | {"Inputs": [dict() | list(), *_] as rows}:
            return Found(rows)
        case {"schema": {"fields": list(_), "primaryKey": list(index)}, "data": list(rows)}:
            return Found(rows, index=tuple(str(name) for name in index))
        case {"schema": {"fields": list(_)}, "data": list(rows)}:
            return Found(rows)
        case {"columns": list(names), "data": list(rows)}:
            return Found(rows, tuple(map(str, names)))
        case {"dataframe_split": dict(inner)} | {"input_data": dict(inner)} if inner:
            return find_rows(inner)
        case {"inputs": dict(inner)} | {"instances": dict(inner)} if inner:
            return find_rows(inner)
        case dict(row) if ENVELOPES & set(row):
            raise TableError(f": {EXPECTED}")
        case dict(row) if isinstance(unwrapped(row), list):
            return Found([row])
        case {"Inputs": dict(inner)} if inner:
            return _named_input(inner)
        case {"data": [dict() | list(), *_] | [] as rows, **others} if _are_parameters(others):
            return Found(rows)
        case {"data": dict(inner), **others} if _are_parameters(others) and _has_columns(inner):
            return find_rows(inner)
        case dict(row) if not all(isinstance(value, dict | list) for value in row.values()):
            return Found([row])
        case dict(objects) if objects and all(isinstance(each, dict) for each in objects.values()):
            return Found([], objects=objects)
        case dict(columns) if columns and all(isinstance(each, list) for each in columns.values()):
            return _of_lists(columns)
    raise TableError(f": {EXPECTED}")


def _named_input(inner: dict[str, Any]) -> Found:
    """Return the rows of Azure's "Inputs": those of the only input, whatever it is called, or a data frame."""
    match [*inner.values()]:
        case [[] | [dict() | list(), *_] as rows]:
            return Found(rows)
        case [{"ColumnNames": list(names), "Values": list(rows)}]:
            return Found(rows, tuple(map(str, names)))
    return find_rows(inner)


def _are_parameters(others: Mapping[Any, Any]) -> bool:
    """Whether all that stands beside Azure's "data" asks for what is done anyway."""
    return not others.keys() - {"method", "GlobalParameters"} and others.get("method", "predict") == "predict"


def _has_columns(inner: dict[str, Any]) -> bool:
    """Whether the values of an object hold others, as those of a data frame do."""
    return any(isinstance(value, list | dict) for value in inner.values())


def _of_lists(columns: Mapping[str, list[Any]]) -> Found:
    """Return the rows of columns; their values may stand in lists of one, as TensorFlow Serving has it."""
    if len(set(map(len, columns.values()))) > 1:
        raise TableError(": the lists of its columns differ in length; each row needs a number in each of them")
    values = (map(_alone, each) for each in columns.values())
    return Found([list(row) for row in zip(*values, strict=True)], tuple(columns))


def _instance(row: Any) -> Any:
    """Return a row with its values out of lists of one; one of SageMaker's as it is."""
    if not isinstance(row, dict) or isinstance(unwrapped(row), list):
        return row
    return {name: _alone(value) for name, value in row.items()}


def _alone(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def row_names(objects: _Objects) -> tuple[str, ...]:
    """Return the keys in objects, each once."""
    return tuple(dict.fromkeys(chain.from_iterable(objects.values())))


def by_row(objects: _Objects) -> Found:
    """Return the rows of objects that are rows, as pandas writes them with orient="index"."""
    return Found([*objects.values()], row_names(objects))


def by_column(objects: _Objects) -> Found:
    """Return the rows of objects that are columns, with the names of the rows as keys: pandas' default."""
    rows: dict[str, dict[str, Any]] = {}
    for name, cells in objects.items():
        for row, value in cells.items():
            rows.setdefault(row, {})[name] = value
    return Found([*rows.values()], tuple(objects))


def _tensors(document: dict[str, Any]) -> Found:
    """Return the rows of an Open Inference Protocol request: one tensor of rows, or one for each feature.

    Source: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md
    """
    columns: dict[str, list[Any]] = {}
    shapes: set[tuple[int, ...]] = set()
    for tensor in document["inputs"]:
        match tensor:
            case {"name": str(name), "shape": list(shape), "datatype": str(datatype), "data": list(data)}:
                pass
            case _:
                raise TableError(": an input needs 'name', 'shape', 'datatype' and 'data'")
        values = _flat(data)
        if datatype not in _DATATYPES and len(document["inputs"]) == 1 and not _is_text_column(datatype, shape):
            raise TableError(
                f": input {quoted(name)} has datatype {cut(datatype)}; expected one of {', '.join(_DATATYPES)}"
            )
        if not _is_shape_of(shape, len(values)):
            found = counted(len(values), "number")
            raise TableError(f": input {quoted(name)} has shape {quoted(shape)} and {found}; they have to agree")
        if name in columns:
            raise TableError(f": the name {quoted(name)} stands twice in 'inputs'; names must be unique")
        columns[name] = [int(value) if datatype == "BOOL" and isinstance(value, bool) else value for value in values]
        shapes.add(tuple(shape))
    request = Request("v2", str(document.get("id", "")), _outputs(document.get("outputs", [])))
    if len(columns) == 1 and len(shape) == 2 and (shape[1] or not shape[0]):
        (values,) = columns.values()
        p = max(shape[1], 1)
        return Found([values[i : i + p] for i in range(0, len(values), p)], (), request)
    if len({shape[:1] for shape in shapes}) > 1 or any(set(shape[1:]) - {1} or not shape for shape in shapes):
        found = listed([*map(list, sorted(shapes))])
        raise TableError(
            f": 'inputs' have the shapes {found}; expected one tensor [rows, features], or [rows] for each"
        )
    return Found([list(row) for row in zip(*columns.values(), strict=True)], tuple(columns), request)


def _outputs(outputs: Any) -> tuple[str, ...]:
    """Return the names of the outputs that a request wants."""
    match outputs:
        case [*each] if all(isinstance(output, dict) and isinstance(output.get("name"), str) for output in each):
            return tuple(output["name"] for output in each)
    raise TableError(": 'outputs' is no list of objects with a 'name'; leave it out for all outputs")


_DATATYPES = (
    "BOOL",
    *(f"{kind}{bits}" for kind in ("UINT", "INT") for bits in (8, 16, 32, 64)),
    "FP16",
    "FP32",
    "FP64",
)


def _is_text_column(datatype: str, shape: list[Any]) -> bool:
    """Whether a tensor is that of one category."""
    return datatype == "BYTES" and len(shape) in (1, 2) and shape[1:] in ([], [1])


def _is_shape_of(shape: list[Any], count: int) -> bool:
    """Whether a shape has so many numbers; their product is not computed beyond that."""
    if not all(type(size) is int and size >= 0 for size in shape):
        return False
    if 0 in shape:
        return count == 0
    product = 1
    for size in shape:
        if product > count:
            break
        product *= size
    return product == count


def _flat(data: list[Any]) -> list[Any]:
    """Return the numbers in nested lists, each of which is looked at once."""
    values: list[Any] = []
    open_lists = [iter(data)]
    while open_lists:
        for value in open_lists[-1]:
            if isinstance(value, list):
                open_lists.append(iter(value))
                break
            values.append(value)
        else:
            open_lists.pop()
    return values


def unwrapped(row: Any) -> Any:
    """Return the numbers of a row in SageMaker's form, any other row as it is."""
    match row:
        case {"features": list(values)} | {"data": {"features": {"values": list(values)}}}:
            return values
    return row
