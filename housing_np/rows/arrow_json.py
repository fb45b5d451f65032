"""Numbers of JSON Lines, read by pyarrow."""

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow
import pyarrow.json

from ..checks.arrays import Floats
from .arrow_columns import Mask, codes, fill, floats, piece
from .cells import Cells
from .rows import Piece
from .text import LONGEST, undecoded

_NUMBER = r"[-+.0-9eE]++"  # pyarrow refuses what is no number
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_VALUE = rf"(?:{_STRING}|{_NUMBER}|true|false|null)"
_MEMBER = re.compile(rf"({_STRING}): ?({_VALUE})(?:, ?|(?=\}}$))")


class _Form(NamedTuple):
    """What lines with the keys of one line in its order are: their pattern, and the types of their columns."""

    lines: re.Pattern[str]
    wanted: Any
    schema: Any  # of all columns


class Parser:
    """Parses whole lines with the keys of the first one in its order, and with flat values of the same types.

    Lines with other keys or values are left to be read singly. pyarrow gets nothing but objects, one in each line: it
    ends the process at others. It knows a repeated key only in a column that has a type.
    """

    def __init__(self) -> None:
        self._known: _Form | None = None
        self._are_alike = True

    def __call__(self, text: str, wanted: Sequence[Cells]) -> Piece | None:
        """Return the text with its numbers; None if it cannot be parsed."""
        form = self._form(text[: text.find("\n")], wanted)
        if form is None or undecoded(text) or len(text) > LONGEST:
            return None
        wrong: list[int] = []
        content = text.encode()
        table = self._alike(content, form) if self._are_alike else None
        if table is None:
            self._are_alike = False
            alike, wrong = _matched(form.lines, text)
            table = _table(alike.encode(), form.wanted, "ignore") if alike else None
            if table is None or table.num_rows != alike.count("\n"):
                return None
        cells, is_bad = _numbers(table, wanted)
        if not wrong and not is_bad.any():
            return Piece(text, cells)
        ends = np.flatnonzero(np.frombuffer(content, np.uint8) == ord("\n")) + 1
        return piece(text, content, ends, wrong, cells, is_bad)

    def _form(self, line: str, wanted: Sequence[Cells]) -> _Form | None:
        """Return the form of lines like this one, or else like an earlier one."""
        known = self._known
        if known is None or not known.lines.fullmatch(f"{line}\n"):
            known = self._known = _form(line, wanted) or known
        return known

    def _alike(self, content: bytes, form: _Form) -> Any:
        """Return the columns of lines of this form, whatever the order of their keys; None if any line has another."""
        lines = content.count(b"\n")
        # Between values, these characters can only end one object and start the next: no line has two.
        if not content.startswith(b"{") or not content.endswith(b"}\n") or content.count(b"}\n{") != lines - 1:
            return None
        table = _table(content, form.schema, "error")
        if table is None or table.num_rows != lines:
            return None
        others = (table.column(name) for name in form.schema.names if form.wanted.get_field_index(name) < 0)
        # pyarrow takes Inf for a number.
        return table if all(map(_is_json, others)) else None


def _form(line: str, wanted: Sequence[Cells]) -> _Form | None:
    if not re.fullmatch(rf"\{{(?:{_MEMBER.pattern})+\}}", line):
        return None
    members = _MEMBER.findall(line)
    try:
        names = [json.loads(key) for key, _ in members]
    except ValueError:
        return None
    cells = {each.name: each for each in wanted}
    if len(set(names)) < len(names) or not set(names) >= set(cells):
        return None
    kinds = [_kind(cells.get(name), value) for name, (_, value) in zip(names, members, strict=True)]
    pattern = ", ?".join(f"{re.escape(key)}: ?{kind}" for (key, _), (kind, _) in zip(members, kinds, strict=True))
    fields = {name: (name, type) for name, (_, type) in zip(names, kinds, strict=True)}
    return _Form(
        re.compile(rf"(?:\{{{pattern}\}}\n)*+"),
        pyarrow.schema([fields[name] for name in cells]),
        pyarrow.schema(list(fields.values())),
    )


def _kind(cells: Cells | None, value: str) -> tuple[str, Any]:
    """Return the pattern and the type of a column's values, of which this is the first."""
    if cells is None:
        return _VALUE, pyarrow.string() if value[0] == '"' else _kind(Cells(""), value)[1]
    if cells.levels is not None:
        return rf"(?:{_STRING}|null)", pyarrow.string()
    if value in ("true", "false"):
        return "(?:true|false|null)", pyarrow.bool_()
    return rf"(?:{_NUMBER}|null)", pyarrow.float64()


def _matched(lines: re.Pattern[str], text: str) -> tuple[str, list[int]]:
    """Return the lines that match, and the places of the others among those that are not empty; "" if one is blank."""
    alike, wrong = [], []
    number = start = 0
    while start < len(text):
        found = lines.match(text, start)
        assert found is not None
        alike.append(found[0])
        number += found[0].count("\n")
        start = found.end()
        end = text.find("\n", start) + 1
        if end - start > 1:
            if not text[start:end].strip():  # no record, but a line that `piece` counts
                return "", []
            wrong.append(number)
            number += 1
        start = end or len(text)
    return "".join(alike), wrong


def _table(content: bytes, schema: Any, unexpected: str) -> Any:
    try:
        return pyarrow.json.read_json(
            pyarrow.BufferReader(content),
            pyarrow.json.ReadOptions(use_threads=False, block_size=len(content) + 1),
            pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior=unexpected),
        )
    except MemoryError:
        raise
    except pyarrow.ArrowException:  # also if the system starts no more threads
        return None


def _is_json(column: Any) -> bool:
    return column.type != pyarrow.float64() or all(not np.isinf(floats(part)).any() for part in column.chunks)


def _numbers(table: Any, wanted: Sequence[Cells]) -> tuple[Floats, Mask]:
    """Return the cells of all rows as numbers, and which rows must be read singly."""
    cells = np.full((len(wanted), table.num_rows), np.nan)
    is_bad = np.zeros(table.num_rows, np.bool_)
    for at, each in enumerate(wanted):
        column = table.column(each.name)
        if each.levels is None:
            is_bad |= fill(cells[at], column, each)
    for at, each in enumerate(wanted):
        if each.levels is not None:
            column = table.column(each.name).combine_chunks()
            cells[at] = codes(column.dictionary_encode("encode"), each, is_bad)
            is_bad |= cells[at] == -1
    # A row without any of the columns is an error.
    is_bad |= np.isnan(cells).all(axis=0)
    return cells.T, is_bad
