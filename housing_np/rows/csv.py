"""Rows of CSV: records, which may span lines, and their numbers."""

import csv
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, repeat
from typing import Any

import numpy as np

from ..arrays import Floats
from ..errors import TableError
from . import numbers, text
from .rows import (
    OnError,
    Record,
    Rows,
    TextColumnError,
    assembled,
    check_names,
    positional_names,
    positions,
    stop,
    width,
)
from .source import Source
from .text import chunks, lines, undecoded, unreadable

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SEP_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # what Excel writes to say it
_JSON = re.compile(r'[\[{]\s*(["{\[]|$|[\w ]+:)')
_QUOTED = re.compile(r'"[^"]*"')
_PLACE = "row {} (line {})"
_INDEX = "an index that pandas wrote? to_csv(index=False) writes none"


@dataclass(frozen=True)
class Dialect:
    """How CSV is written.

    Attributes
    ----------
    separator : str, optional
        One character. By default commas, or what else the first line has between its names.
    decimal : {".", ","}
        The mark before the decimals of a number.
    header : bool
        Whether the first line holds the names of the columns.
    """

    separator: str | None = None
    decimal: str = "."
    header: bool = True

    def __post_init__(self) -> None:
        if self.separator is not None and (len(self.separator) != 1 or self.separator in '"\r\n'):
            raise TableError(f"the separator {self.separator!r} is not one character; a tab is $'\\t' in a shell")
        if self.decimal not in (".", ","):
            raise TableError(f"the decimal mark {self.decimal!r} is neither '.' nor ','")

    @property
    def between(self) -> str:
        """The separator of records."""
        return self.separator or ","

    @cached_property
    def field(self) -> str:
        """A pattern of one field, whole."""
        return rf'(?:"[^"]*+(?:""[^"]*+)*+"|(?!")[^{re.escape(self.between)}]*+)'

    @cached_property
    def opens(self) -> re.Pattern[str]:
        """What a line is that ends within quotes."""
        mark = re.escape(self.between)
        return re.compile(rf'(?:{self.field}[^{mark}]*+{mark})*+"[^"]*+(?:""[^"]*+)*+\Z')

    @cached_property
    def closes(self) -> re.Pattern[str]:
        """The rest of a field that began on a line before, with the separator after it."""
        mark = re.escape(self.between)
        return re.compile(rf'[^"]*+(?:""[^"]*+)*+"[^{mark}]*+{mark}?')


def read(source: Source, on_error: OnError, **options: Any) -> Rows:
    """Return the rows of CSV; the options are those of a `Dialect`."""
    dialect = Dialect(**options)
    coming = chunks(source)
    queue: deque[str] = deque()
    while not any(map(str.strip, queue)):
        queue.extend(_more(source.name, coming))
    first = next(filter(str.strip, queue)).strip()
    if _is_json(first):
        told = "expected CSV, found JSON: say so with --format jsonl or json, or by the end of its name"
        raise TableError(f"{source.name}: {told}")
    dialect, notes = _found(first, dialect)
    cutter = _Cutter(dialect)
    if _SEP_LINE.fullmatch(first):
        next(cutter.cut(queue))
    if dialect.header:
        names = [name.strip() for name in _header(source.name, coming, cutter, queue)]
    else:
        counts = Counter(_QUOTED.sub("", line).count(dialect.between) + 1 for line in list(queue)[:100])
        names = list(positional_names(max(counts, key=lambda number: (counts[number], number))))
    cutter.names = names
    places = [i for i, name in enumerate(names) if name]
    check_names(source.name, [name or (i,) for i, name in enumerate(names)])
    left_out = {f"column {i}": f"no name; {_INDEX}" for i, name in enumerate(names, start=1) if not name}

    def blocks(wanted: Sequence[str]) -> Iterator[Floats]:
        chosen = [places[i] for i in positions(rows, wanted)]
        return _blocks(source.name, chain(["\n".join([*queue, ""])] if queue else [], coming), cutter, chosen, on_error)

    columns = tuple(filter(None, names))
    rows = Rows(source.name, columns, dialect.header, blocks, left_out, tuple(notes), _hint(columns, dialect))
    return rows


def _more(source: str, coming: Iterator[str]) -> list[str]:
    text = next(coming, None)
    if text is None:
        raise TableError(f"{source}: no names; expected a first line with the names of the columns, then rows")
    return lines(text)


def _header(source: str, coming: Iterator[str], cutter: "_Cutter", queue: deque[str]) -> list[str]:
    """Return the names in the first record, and leave the lines after it in the queue."""
    while True:
        found = next((each for each in cutter.cut(queue) if each[1]), None)
        if found is None:
            text = next(coming, None)
            if text is None:
                found = next(cutter.end(queue), None)
            else:
                queue.extend(lines(text))
                continue
        if found is None or not any(map(str.strip, found[1] if isinstance(found[1], list) else ["?"])):
            raise TableError(f"{source}: no names; expected a first line with the names of the columns, then rows")
        line, record = found
        if isinstance(record, TableError):
            raise TableError(f"{source}: line {line}{record}")
        return record


def _is_json(line: str) -> bool:
    if not line.startswith(("[", "{")):
        return False
    import json

    try:
        json.loads(line.rstrip(","))
    except (ValueError, RecursionError):
        return bool(_JSON.match(line))
    return True


def _found(first: str, dialect: Dialect) -> tuple[Dialect, list[str]]:
    """Return the dialect with the separator that the first line tells, and a note if it is not the usual one."""
    if dialect.separator:
        return dialect, []
    told = _SEP_LINE.fullmatch(first)
    bare = _QUOTED.sub("", first)
    found = [told[1]] if told else [mark for mark in _SEPARATORS if mark in bare and mark != dialect.decimal]
    separator = found[0] if len(found) == 1 else ","
    notes = [] if separator == "," else [f"columns are separated by {_SEPARATORS.get(separator, repr(separator))}"]
    return replace(dialect, separator=separator), notes


def _hint(columns: tuple[str, ...], dialect: Dialect) -> str:
    """Return what may be the cause where a column is missing."""
    if dialect.header and all(_is_number(name) for name in columns):
        return " (the first line holds numbers, not names: say --no-header)"
    for mark, kind in _SEPARATORS.items():
        if mark != dialect.between and any(mark in name for name in columns):
            used = _SEPARATORS.get(dialect.between, repr(dialect.between))
            return f" (separated by {used}; say --separator '{mark}' if it is {kind})"
    return ""


def _is_number(text: str) -> bool:
    try:
        numbers.of_text(text)
    except TableError:
        return False
    return True


class _Cutter:
    """Cuts lines into records; one within quotes may span several.

    A record whose quotes are broken is its first line alone: a quote takes no good rows with it. The lines that it
    took are cut again one by one, since each could take them all again.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.names: list[str] = []  # of the columns, once they are known
        self.line = 0  # that were taken
        self.alone = 0  # the last line that can take no others
        self.begun: list[str] = []  # of a record that is not whole
        self.size = 0

    def cut(self, queue: deque[str]) -> Iterator[tuple[int, list[str] | TableError]]:
        """Yield each record that becomes whole, or what is wrong with it, and the number of its last line."""
        while queue:
            inside = self._ends_inside(queue[0])
            self.begun.append(queue.popleft())
            self.line += 1
            self.size += len(self.begun[-1]) + 1
            may_join = self.line - len(self.begun) >= self.alone and self.size <= text.LONGEST
            if not inside:
                yield self._closed(queue, "")
            elif not may_join:
                too_large = len(self.begun) > 1 and self.size > text.LONGEST
                reason = f"record larger than {text.LONGEST} characters" if too_large else "a quote is not closed"
                yield self._closed(queue, reason)

    def end(self, queue: deque[str]) -> Iterator[tuple[int, list[str] | TableError]]:
        """Yield what is left when no more lines come."""
        while self.begun:
            yield self._closed(queue, "a quote is not closed")
            yield from self.cut(queue)

    def _ends_inside(self, line: str) -> bool:
        if '"' not in line:
            return bool(self.begun)
        if self.begun:
            end = self.dialect.closes.match(line)
            if end is None:
                return True
            line = line[end.end() :]
        return self.dialect.opens.match(line) is not None

    def _closed(self, queue: deque[str], reason: str) -> tuple[int, list[str] | TableError]:
        taken, self.begun, self.size = self.begun, [], 0
        if len(taken) == 1 and (problem := unreadable(taken[0])):
            return self.line, problem
        record = self._parsed(taken, reason)
        if isinstance(record, TableError) and len(taken) > 1:
            queue.extendleft(reversed(taken[1:]))
            self.alone = max(self.alone, self.line - 1)
            self.line -= len(taken) - 1
            taken = taken[:1]
        for line, each in enumerate(taken, start=self.line - len(taken) + 1):
            if problem := unreadable(each):
                return line, problem
        return self.line, record

    def _parsed(self, taken: list[str], reason: str) -> list[str] | TableError:
        try:
            (record,) = csv.reader(["\n".join(taken)], delimiter=self.dialect.between, strict=True)
        except csv.Error as error:
            return self._not_csv("\n".join(taken), reason or str(error).split(" - ")[0])
        if record and self.names and len(record) != len(self.names):
            joined = f" (lines joined by a quote: {len(taken)})" if len(taken) > 1 else ""
            if len(record) == len(self.names) + 1 and not record[-1].strip():
                joined = "; the line ends in a separator too many"
            return TableError(f": {width(len(record))}, expected {len(self.names)}{joined}")
        return record

    def _not_csv(self, text: str, reason: str) -> TableError:
        """Return what csv says of a record, with the column that it could not read."""
        whole = re.compile(self.dialect.field + re.escape(self.dialect.between))
        column = at = 0
        while (field := whole.match(text, at)) and len(field[0]) <= csv.field_size_limit():
            column, at = column + 1, field.end()
        name = repr(self.names[column]) if column < len(self.names) else column + 1
        return TableError(f", column {name}: not CSV ({reason}); correct its quotes or remove the line")


def _blocks(
    source: str, texts: Iterable[str], cutter: _Cutter, chosen: list[int], on_error: OnError
) -> Iterator[Floats]:
    row = 0

    def numbered(found: Iterable[tuple[int, list[str] | TableError]]) -> Iterator[Record]:
        nonlocal row
        for line, record in found:
            if record:
                row += 1
                yield (row, line), record

    def pick(record: list[str] | TableError) -> list[float]:
        if isinstance(record, TableError):
            raise record
        if row == 1 and on_error is stop:
            _refuse_text(source, record, cutter.names, chosen)
        return [_number(record[i], cutter.names[i], cutter.dialect.decimal) for i in chosen]

    queue: deque[str] = deque()
    for chunk in texts:
        block = None if cutter.begun else _plain_block(chunk, len(cutter.names), chosen, cutter.dialect)
        if block is not None:
            row += len(block)
            cutter.line += chunk.count("\n")
            yield block
            continue
        queue.extend(lines(chunk))
        yield from assembled(source, _PLACE, numbered(cutter.cut(queue)), pick, on_error)
    yield from assembled(source, _PLACE, numbered(cutter.end(queue)), pick, on_error)


def _number(text: str, column: str, decimal: str) -> float:
    try:
        return numbers.of_text(text, decimal)
    except TableError as error:
        raise TableError(f", column {column!r}{error}") from None


def _refuse_text(source: str, record: list[str], names: list[str], chosen: list[int]) -> None:
    """Refuse columns that hold text in the first row, all at once: no other row will be better."""
    words = {names[i]: numbers.shown(record[i].strip()) for i in chosen if numbers.is_words(record[i])}
    if words:
        which = f"column{'s' * (len(words) > 1)} {', '.join(map(repr, words))}"
        raise TextColumnError(
            f"{source}: {which} hold{'s' * (len(words) == 1)} text ({', '.join(words.values())}), not numbers",
            list(words),
        )


def _plain_block(chunk: str, width: int, chosen: list[int], dialect: Dialect) -> Floats | None:
    """Return the block, at the speed of numpy's parser; None where there is anything to quote, skip or refuse."""
    if '"' in chunk or undecoded(chunk):
        return None
    rows = lines(chunk)
    separator = dialect.between
    if set(map(str.count, rows, repeat(separator))) != {width - 1} or max(map(len, rows)) > min(
        csv.field_size_limit(), text.LONGEST
    ):
        return None
    if not any(map(str.strip, rows)):
        return None
    if dialect.decimal != ".":
        if dialect.decimal == separator or "." in chunk:
            return None
        rows = [row.replace(dialect.decimal, ".") for row in rows]
    try:
        block = np.loadtxt(rows, delimiter=separator, usecols=chosen, comments=None, ndmin=2)
    except ValueError:
        return None
    # What is not finite is refused below; integers beyond 2**53 may be rounded here.
    return block if (np.abs(block) < 2.0**53).all() else None
