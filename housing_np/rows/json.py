"""Rows of JSON: an object or a list a line, or a document, as data frames write it and servers of models take it."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count, islice
from math import prod
from typing import Any

from ..checks.arrays import Floats
from ..errors import TableError, counted, cut, listed, quoted
from . import numbers
from .rows import (
    FIRST_ROWS,
    OnError,
    Record,
    Rows,
    assembled,
    check_names,
    nearest,
    positional_names,
    refuse_text,
    stop,
)
from .source import Source
from .text import chunks, decoded, lines, undecoded, unreadable

_EXPECTED = (
    "expected a list of rows, one object, or an object with 'instances', 'inputs', 'input_data', "
    "'dataframe_split' (columns, data) or 'dataframe_records'"
)
_ENVELOPES = {"instances", "inputs", "input_data", "dataframe_split", "dataframe_records"}
_SAMPLE = 100  # rows that tell the columns
_LARGEST = 64 << 20  # bytes of a document


@dataclass(frozen=True)
class _Doubled:
    """An object in which a key stands twice: it is no row, for the last one would win in silence."""

    key: str
    closed: int  # how many objects ended with it

    def problem(self, text: str) -> TableError:
        """Return what to say of it, given the text that it is in."""
        ends = [token.start() for token in re.finditer(r'"(?:[^"\\]|\\.)*+"|\}', text) if token[0] == "}"]
        place = max(text.rfind(json.dumps(self.key, ensure_ascii=False), 0, ends[self.closed - 1]), 0)
        line = f" (line {text.count(chr(10), 0, place) + 1})" if "\n" in text.strip() else ""
        return TableError(f": the key {quoted(self.key)} stands twice in one object{line}; keep one of them")


def _parsed(text: str) -> tuple[Any, list[_Doubled]]:
    """Return what a text of JSON holds, and the objects in it that hold a key twice, from the innermost."""
    closed, doubled = count(1), []

    def make(pairs: list[tuple[str, Any]]) -> Any:
        number, found = next(closed), dict(pairs)
        if len(found) < len(pairs):
            doubled.append(_Doubled(Counter(key for key, _ in pairs).most_common(1)[0][0], number))
            return doubled[-1]
        return found

    try:
        return json.loads(text, object_pairs_hook=make), doubled
    except (ValueError, RecursionError) as error:
        raise TableError(f": not JSON ({error}){_hint(text, str(error))}") from None


def _line(text: str) -> Any:
    """Return the row in a line of JSON Lines."""
    if problem := unreadable(text):
        raise problem
    row, doubled = _parsed(text)
    if doubled:
        raise doubled[0].problem(text)
    return row


def _doubled_in(value: Any) -> _Doubled | None:
    if isinstance(value, _Doubled):
        return value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next(filter(None, map(_doubled_in, inner)), None)


def _hint(text: str, reason: str) -> str:
    """Return what a text is that is no JSON, or not as much of it as was expected."""
    first, _, rest = text.strip().partition("\n")
    if first and first[0] not in "[{" and (rest or re.search(r"[,;\t|]", first)):
        return "; if it is CSV, say --format csv, or end its name in .csv"
    if reason.startswith("Extra data") and first[:1] == "{":
        return "; if it is an object a line, say --format jsonl, or end its name in .jsonl"
    if re.match(r"[\[{\s]*[^\W\d]\w*\s*:", first):
        return "; names need double quotes"
    if first in ("[", "{", "[{") and not rest:
        return "; if it is a document of several lines, say --format json, or end its name in .json"
    return ""


def read_lines(source: Source, on_error: OnError) -> Rows:
    """Return the rows of JSON Lines."""
    numbered = count(1)
    coming = (_records(text, numbered) for text in chunks(source))
    first: list[Record] = []
    rows: list[Any] = []
    while not rows and len(first) < _SAMPLE and (records := next(coming, None)) is not None:
        new = islice(records, _SAMPLE - len(first))
        rows = [row for row in map(_row_or_none, (text for _, text in new)) if _is_row(row)]
        first += records
    if not rows:
        for (line,), text in first[:_SAMPLE]:
            on_error(TableError(f"{source.name}: line {line}{_problem(text)}"))
        among = f" among the first {_SAMPLE} lines" * (len(first) >= _SAMPLE)
        raise TableError(f"{source.name}: no rows{among}; expected one JSON object a line")
    columns, named = _columns(rows)

    def blocks(wanted: Sequence[str]) -> Iterator[Floats]:
        ahead: list[Record] = []

        def first_rows() -> list[Any]:
            while len(first) + len(ahead) < FIRST_ROWS and (more := next(coming, None)) is not None:
                ahead.extend(more)
            return [_row_or_none(text) for _, text in islice(chain(first, ahead), FIRST_ROWS)]

        pick = _picker(wanted, None if named else len(columns))
        pick = _first_checked(source.name, first_rows, wanted, pick, on_error)
        for records in chain([first], coming):
            yield from assembled(source.name, "line {}", records, lambda text: pick(_line(text)), on_error)

    return Rows(source.name, columns, named, blocks)


def _records(text: str, numbered: Iterator[int]) -> list[Record]:
    """Return the lines of a text that are not blank, with their numbers."""
    return [((number,), line) for line, number in zip(lines(text), numbered, strict=False) if line.strip()]


def _row_or_none(text: str) -> Any:
    try:
        return _line(text)
    except TableError:
        return None


def _problem(text: str) -> TableError:
    """Return what is wrong with a line that is no row."""
    try:
        return TableError(f": {_not_row(_line(text), ())}")
    except TableError as error:
        return error


def _first_checked(
    source: str,
    first_rows: Callable[[], Sequence[Any]],
    wanted: Sequence[str],
    pick: Callable[[Any], list[float]],
    on_error: OnError,
) -> Callable[[Any], list[float]]:
    """Return the picker, which tells of a column of text where the first row is bad for it."""
    is_first = on_error is stop

    def checked(row: Any) -> list[float]:
        nonlocal is_first
        try:
            return pick(row)
        except TableError:
            if is_first:
                cells = [[each.get(name) for name in wanted] for each in first_rows() if isinstance(each, dict)]
                refuse_text(source, cells, wanted)
            raise
        finally:
            is_first = False

    return checked


def read_document(source: Source, on_error: OnError) -> Rows:
    """Return the rows of a JSON document."""
    text = decoded(source, _LARGEST)
    try:
        if undecoded(text):
            raise TableError(": not UTF-8 text; save the file as UTF-8")
        document, doubled = _parsed(text)
        found = _found(document)
        if doubled and not any(map(_doubled_in, found.rows)):
            raise doubled[-1].problem(text)
    except TableError as error:
        if isinstance(error, _NoRowsError) and doubled:
            error = doubled[-1].problem(text)
        raise TableError(f"{source.name}{error}") from None
    except RecursionError:
        raise TableError(f"{source.name}: nested too deep; {_EXPECTED}") from None
    columns, named = (found.columns, True) if found.columns else _columns(filter(_is_row, found.rows))
    columns = tuple(name for name in columns if name not in found.index)
    if found.columns:
        check_names(source.name, columns)

    def blocks(wanted: Sequence[str]) -> Iterator[Floats]:
        known = set(columns).union(*(row for row in found.rows if isinstance(row, dict)))
        if columns and named and (lacking := [name for name in wanted if name not in known]):
            raise rows.missing(lacking)
        pick = _picker(wanted, None if named else len(columns), found.columns)
        pick = _first_checked(source.name, lambda: found.rows[:FIRST_ROWS], wanted, pick, on_error)

        def read(row: Any) -> list[float]:
            if doubled and (bad := _doubled_in(row)):
                raise bad.problem(text)
            return pick(row)

        records = (((number,), row) for number, row in enumerate(found.rows, start=1))
        return assembled(source.name, "row {}", records, read, on_error)

    if not found.rows:
        raise TableError(f"{source.name}: no rows; expected objects with a number for each name, or lists of numbers")
    index = dict.fromkeys(found.index, "the index that pandas wrote")
    rows = Rows(source.name, columns, named, blocks, index, protocol=found.protocol, request_id=found.request_id)
    return rows


class _NoRowsError(TableError):
    """A document is of no form that holds rows."""


@dataclass(frozen=True)
class _Found:
    """The rows of a document; the names of its columns where they stand apart from the rows, and of its index."""

    rows: list[Any]
    columns: tuple[str, ...] = ()
    protocol: str = ""
    request_id: str = ""
    index: tuple[str, ...] = ()


def _found(document: Any) -> _Found:
    match document:
        case list(rows) | {"dataframe_records": list(rows)} | {"instances": list(rows)}:
            return _Found(rows)
        case {"inputs": [{"name": str(_), "shape": _}, *_] | [{"name": str(_), "datatype": _}, *_]}:
            return _tensors(document)
        case {"inputs": list(rows)} | {"input_data": list(rows)}:
            return _Found(rows)
        case {"schema": {"fields": list(_), "primaryKey": list(index)}, "data": list(rows)}:
            return _Found(rows, index=tuple(str(name) for name in index))
        case {"schema": {"fields": list(_)}, "data": list(rows)}:
            return _Found(rows)
        case {"columns": list(names), "data": list(rows)}:
            return _Found(rows, tuple(map(str, names)))
        case {"dataframe_split": dict(inner)} | {"input_data": dict(inner)} if inner:
            return _found(inner)
        case {"inputs": dict(inner)} | {"instances": dict(inner)} if inner:
            return _found(inner)
        case dict(row) if _ENVELOPES & set(row):
            raise _NoRowsError(f": {_EXPECTED}")
        case dict(row) if isinstance(_unwrapped(row), list):
            return _Found([row])
        case dict(row) if not all(isinstance(value, dict | list | _Doubled) for value in row.values()):
            return _Found([row])
        case dict(by_row) if by_row and _are_rows(by_row):
            return _Found(list(by_row.values()))
        case dict(columns) if columns and _are_alike(columns.values()):
            # Each column is a list, or an object by the names of the rows.
            lists = [list(each.values()) if isinstance(each, dict) else each for each in columns.values()]
            return _Found([list(row) for row in zip(*lists, strict=True)], tuple(columns))
        case dict(columns) if columns and all(isinstance(each, list) for each in columns.values()):
            raise TableError(": the lists of its columns differ in length; each row needs a number in each of them")
    raise _NoRowsError(f": {_EXPECTED}")


def _are_rows(document: dict[str, Any]) -> bool:
    """Whether these are objects by the number of their row, as pandas writes them with orient="index"."""
    inner = [key for row in document.values() if isinstance(row, dict) for key in row]
    return all(map(str.isdecimal, document)) and bool(inner) and not any(map(str.isdecimal, inner))


def _are_alike(columns: Iterable[Any]) -> bool:
    """Whether all are lists of one length, or all objects with the same keys in the same order."""
    first, *others = (list(each) if isinstance(each, dict) else each for each in columns)
    if not isinstance(first, list):
        return False
    objects = [isinstance(each, dict) for each in columns]
    same = all(each == first if objects[0] else isinstance(each, list) and len(each) == len(first) for each in others)
    return same and len(set(objects)) == 1


def _tensors(document: dict[str, Any]) -> _Found:
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
        if datatype not in _DATATYPES and len(document["inputs"]) == 1:
            raise TableError(
                f": input {quoted(name)} has datatype {cut(datatype)}; expected one of {', '.join(_DATATYPES)}"
            )
        if not all(type(size) is int and size >= 0 for size in shape) or prod(shape) != len(values):
            found = counted(len(values), "number")
            raise TableError(f": input {quoted(name)} has shape {quoted(shape)} and {found}; they have to agree")
        if name in columns:
            raise TableError(f": the name {quoted(name)} stands twice in 'inputs'; names must be unique")
        columns[name] = [int(value) if datatype == "BOOL" and isinstance(value, bool) else value for value in values]
        shapes.add(tuple(shape))
    request_id = str(document.get("id", ""))
    if len(columns) == 1 and len(shape) == 2:
        (values,) = columns.values()
        p = shape[1]
        return _Found([values[i : i + p] for i in range(0, len(values), p)], (), "v2", request_id)
    if len({shape[:1] for shape in shapes}) > 1 or any(prod(shape[1:]) != 1 or not shape for shape in shapes):
        found = listed([*map(list, sorted(shapes))])
        raise TableError(
            f": 'inputs' have the shapes {found}; expected one tensor [rows, features], or [rows] for each"
        )
    return _Found([list(row) for row in zip(*columns.values(), strict=True)], tuple(columns), "v2", request_id)


_DATATYPES = (
    "BOOL",
    *(f"{kind}{bits}" for kind in ("UINT", "INT") for bits in (8, 16, 32, 64)),
    "FP16",
    "FP32",
    "FP64",
)


def _flat(data: list[Any]) -> list[Any]:
    while any(isinstance(each, list) for each in data):
        data = [value for each in data for value in (each if isinstance(each, list) else [each])]
    return data


def _unwrapped(row: Any) -> Any:
    """Return the list within what SageMaker wraps each row in."""
    match row:
        case {"features": list(values)} | {"data": {"features": {"values": list(values)}}}:
            return values
    return row


def _is_row(row: Any) -> bool:
    return isinstance(row, dict | list) and bool(row)


def _columns(rows: Iterable[Any]) -> tuple[tuple[str, ...], bool]:
    """Return the names of the columns that these rows tell, and whether they are more than positions."""
    rows = [_unwrapped(row) for row in rows]
    objects = [row for row in rows if isinstance(row, dict)]
    names = Counter(chain.from_iterable(objects))
    if names or not rows:
        # What a few rows hold beside is no column, and what a few rows lack makes them bad: wherever they stand.
        return tuple(name for name, number in names.items() if 2 * number >= len(objects)), True
    return positional_names(Counter(map(len, rows)).most_common(1)[0][0]), False


def _picker(wanted: Sequence[str], length: int | None, declared: tuple[str, ...] = ()) -> Callable[[Any], list[float]]:
    """Return what finds the wanted columns in a row: in an object by name, in a list by position.

    Lists have ``declared`` columns; or else all wanted ones in their order, or ``length`` columns x0, x1, ….
    """
    columns = declared or positional_names(length or 0)
    if not set(wanted) <= set(columns):
        columns = tuple(wanted)
    places = {name: position for position, name in enumerate(columns)}
    chosen = [places[name] for name in wanted]
    wraps = not {"features", "data"} & set(wanted)

    def pick(row: Any) -> list[float]:
        if wraps:
            row = _unwrapped(row)
        if isinstance(row, list) and len(row) == len(columns):
            return [_number(row[i], columns[i]) for i in chosen]
        if not isinstance(row, dict) or not row:
            raise TableError(f": {_not_row(row, columns)}")
        if lacking := [name for name in wanted if name not in row]:
            if _ENVELOPES & set(row):
                raise TableError(f": {_not_row(row, columns)}")
            near = nearest(lacking[0], row)
            raise TableError(f": no {listed(lacking, quoted)}{f' (did you mean {quoted(near)}?)' if near else ''}")
        return [_number(row[name], name) for name in wanted]

    return pick


def _not_row(row: Any, columns: Sequence[str]) -> str:
    expected = "expected an object or a list"
    if columns:
        expected = f"expected an object, or a list of {counted(len(columns), 'number')}"
    if (isinstance(row, dict) and _ENVELOPES & set(row)) or (isinstance(row, list) and any(map(_is_row, row))):
        return f"{expected}; if it is a whole document, say --format json, or end its name in .json"
    if isinstance(row, list):
        return f"{expected}, found a list of {len(row)}{': ' * bool(columns)}{listed(columns)}"
    if isinstance(row, int | float) and not isinstance(row, bool):
        return f"{expected}, found the number {quoted(row)}: wrap the numbers of a row in a list, [[{quoted(row)}, …]]"
    return f"{expected}, found {quoted(row)}"


def _number(value: Any, column: str) -> float:
    try:
        return numbers.of_json(value)
    except TableError as error:
        raise TableError(f", column {quoted(column)}{error}") from None
