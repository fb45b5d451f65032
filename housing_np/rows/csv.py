"""Rows of CSV: records, which may span lines, and their numbers."""

import csv
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, islice, repeat
from operator import itemgetter
from typing import Any

import numpy as np

from ..checks.arrays import Floats
from ..errors import TableError, quoted
from . import numbers, text
from .rows import (
    BLOCK_NUMBERS,
    FIRST_ROWS,
    OnError,
    Record,
    Rows,
    assembled,
    check_names,
    positional_names,
    positions,
    refuse_text,
    stop,
    width,
)
from .source import Source
from .text import chunks, lines, undecoded, unreadable
from .threads import allowed_threads, map_ahead

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SEP_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # what Excel writes to say it
_JSON = re.compile(r'[\[{]\s*(["\'{\[]|$|[\w ]+:)')
_QUOTED = re.compile(r'"[^"]*"')
_LARGE = 1 << 24  # bytes of a file that are worth the import of pyarrow
_PART = 1 << 16  # bytes that are parsed at once where a chunk cannot be
_PLACE = "row {} (line {})"
_INDEX = "an index that pandas wrote? to_csv(index=False) writes none"


# What parses whole lines, and in how many threads beside the caller's.
_Parser = tuple[Callable[[str, int, list[int], "Dialect"], Floats | None], int]


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
        if self.separator is not None and (
            not isinstance(self.separator, str) or len(self.separator) != 1 or self.separator in '"\r\n'
        ):
            raise TableError(f"the separator {quoted(self.separator)} is not one character; a tab is $'\\t' in a shell")
        if not isinstance(self.decimal, str) or self.decimal not in (".", ","):
            raise TableError(f"the decimal mark {quoted(self.decimal)} is neither '.' nor ','")
        if not isinstance(self.header, bool):
            raise TableError(f"header is {quoted(self.header)}: expected True or False")

    @property
    def longest_field(self) -> int:
        """How many characters a field, and a line, may have."""
        return int(min(csv.field_size_limit(), text.LONGEST))

    @property
    def between(self) -> str:
        """The separator of records."""
        return self.separator or ","

    @cached_property
    def field(self) -> str:
        """A pattern of one field, whole."""
        return rf'(?:"[^"]*+(?:""[^"]*+)*+"|(?!")[^{re.escape(self.between)}]*+)'

    @cached_property
    def plainly_quoted(self) -> re.Pattern[str]:
        """Whole lines whose quotes are around fields that need none."""
        mark = re.escape(self.between)
        plain = rf'[^"{mark}\n]'
        # Of empty quotes, a blank line would be left.
        return re.compile(rf'(?:(?:{plain}*+|"{plain}++")[{mark}\n])*+{plain}*+')

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
    parser = _parser(source)
    coming = chunks(source)
    queue: deque[str] = deque()
    blank = _skip_blank(source.name, coming, queue)
    first = queue[0]
    if "\0" in first:
        raise TableError(f"{source.name}: not text, or UTF-16 without its mark (it holds NUL); save it as UTF-8")
    if _is_json(first.strip()):
        told = "expected CSV, found JSON: say so with --format jsonl or json, or by the end of its name"
        raise TableError(f"{source.name}: {told}")
    sep_line = _SEP_LINE.fullmatch(first.strip("\ufeff\r "))
    dialect, notes = _found(queue, sep_line, dialect)
    if sep_line:
        queue.popleft()
        blank += 1 + _skip_blank(source.name, coming, queue)
    cutter = _Cutter(dialect, blank)
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
        texts = chain(["\n".join([*queue, ""])] if queue else [], coming)
        if not dialect.header and not set(wanted) <= set(names):
            # Rows without names hold the wanted columns, in their order: one of another width is bad, not the others.
            cutter.names = list(wanted)
            return _blocks(source.name, texts, cutter, list(range(len(wanted))), parser, on_error)
        chosen = [places[i] for i in positions(rows, wanted)]
        return _blocks(source.name, texts, cutter, chosen, parser, on_error)

    columns = tuple(filter(None, names))
    rows = Rows(source.name, columns, dialect.header, blocks, left_out, tuple(notes), _hint(columns, dialect))
    return rows


def _skip_blank(source: str, coming: Iterator[str], queue: deque[str]) -> int:
    """Take blank lines off the front until there is another; return how many they were."""
    skipped = 0
    while not queue or not queue[0].strip():
        if queue:
            queue.popleft()
            skipped += 1
        elif (text := next(coming, None)) is None:
            raise _no_names(source)
        else:
            queue.extend(lines(text))
    return skipped


def _no_names(source: str) -> TableError:
    return TableError(f"{source}: no names; expected a first line with the names of the columns, then rows")


def _header(source: str, coming: Iterator[str], cutter: "_Cutter", queue: deque[str]) -> list[str]:
    """Return the names in the first record, and leave the lines after it in the queue."""
    found = None
    while found is None:
        found = next((each for each in cutter.cut(queue) if each[1]), None)
        text = next(coming, None) if found is None else ""
        if text is None:
            found = next(cutter.end(queue), (0, []))
        elif text:
            queue.extend(lines(text))
    line, record = found
    if isinstance(record, TableError):
        raise TableError(f"{source}: line {line}{record}")
    if not any(map(str.strip, record)):
        raise _no_names(source)
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


def _found(queue: Iterable[str], told: re.Match[str] | None, dialect: Dialect) -> tuple[Dialect, list[str]]:
    """Return the dialect with the separator that the first line tells, and a note if it is not the usual one."""
    if dialect.separator:
        return dialect, []
    # Names may hold any mark, and line breaks, within quotes.
    bare = next(filter(str.strip, _QUOTED.sub("", "\n".join(islice(queue, 100))).split("\n")), "")
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

    def __init__(self, dialect: Dialect, line: int = 0) -> None:
        self.dialect = dialect
        self.names: list[str] = []  # of the columns, once they are known
        self.line = line  # that were taken
        self.alone = 0  # the last line that can take no others
        self.begun: list[str] = []  # of a record that is not whole
        self.size = 0
        self.longest_field = dialect.longest_field

    def cut(self, queue: deque[str]) -> Iterator[tuple[int, list[str] | TableError]]:
        """Yield each record that becomes whole, or what is wrong with it, and the number of its last line."""
        while queue:
            if not self.begun and (record := self._alone(queue[0])) is not None:
                queue.popleft()
                self.line += 1
                yield self.line, record
                continue
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

    def _alone(self, line: str) -> list[str] | None:
        """Return the record that a line is by itself; None where it is none, or anything is wrong with it."""
        if undecoded(line) or len(line) > text.LONGEST:
            return None
        if '"' in line or len(line) > self.longest_field:
            try:
                (record,) = csv.reader([line], delimiter=self.dialect.between, strict=True)
            except csv.Error:
                return None
        else:
            record = line.split(self.dialect.between) if line else []
        return None if record and self.names and len(record) != len(self.names) else record

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
            others = [f"'{mark}'" for mark in _SEPARATORS if mark != self.dialect.between and mark in "".join(taken)]
            if others:
                joined += f"; say --separator {others[0]} if that is what separates them"
            return TableError(f": {width(len(record))}, expected {len(self.names)}{joined}")
        return record

    def _not_csv(self, text: str, reason: str) -> TableError:
        """Return what csv says of a record, with the column that it could not read."""
        whole = re.compile(self.dialect.field + re.escape(self.dialect.between))
        column = at = 0
        while (field := whole.match(text, at)) and len(field[0]) <= csv.field_size_limit():
            column, at = column + 1, field.end()
        name = quoted(self.names[column]) if column < len(self.names) else column + 1
        return TableError(f", column {name}: not CSV ({reason}); correct its quotes or remove the line")


def _blocks(
    source: str,
    texts: Iterator[str],
    cutter: _Cutter,
    chosen: list[int],
    parser: _Parser,
    on_error: OnError,
) -> Iterator[Floats]:
    row = 0
    decimal = cutter.dialect.decimal
    of_chosen = _getter(chosen)

    def numbered(found: Iterable[tuple[int, list[str] | TableError]]) -> Iterator[Record]:
        nonlocal row
        for line, record in found:
            if record:
                row += 1
                yield (row, line), record

    def pick(record: list[str] | TableError) -> list[float]:
        if isinstance(record, TableError):
            raise record
        if (found := numbers.of_plain(of_chosen(record), decimal)) is not None:
            return found
        try:
            return [_number(record[i], cutter.names[i], decimal) for i in chosen]
        except TableError:
            if row == 1 and on_error is stop:
                first = [record, *_next_records(cutter, queue, (chunk for chunk, _ in coming))]
                refuse_text(source, [[each[i] for i in chosen] for each in first], [cutter.names[i] for i in chosen])
            raise

    queue: deque[str] = deque()
    coming = _pieces(texts, parser, chosen, cutter)
    for chunk, block in coming:
        if block is not None and not cutter.begun:
            row += len(block)
            cutter.line += chunk.count("\n")
            yield from (block[i : i + _rows_of(block)] for i in range(0, len(block), _rows_of(block)))
        else:
            queue.extend(lines(chunk))
            yield from assembled(source, _PLACE, numbered(cutter.cut(queue)), pick, on_error)
    yield from assembled(source, _PLACE, numbered(cutter.end(queue)), pick, on_error)


def _pieces(
    texts: Iterator[str], parser: _Parser, chosen: list[int], cutter: _Cutter
) -> Iterator[tuple[str, Floats | None]]:
    """Yield texts and what they hold; what is plain beside a few rows that are not is still parsed at once."""
    parse, threads = parser
    how = (len(cutter.names), chosen, cutter.dialect)
    for chunk, block in map_ahead(lambda text: parse(text, *how), texts, threads):
        parts = [] if block is not None else _parts(chunk)
        if len(parts) > 1:
            yield from ((part, None if cutter.begun else _plain_block(part, *how)) for part in parts)
        else:
            yield chunk, block


def _parts(chunk: str) -> list[str]:
    """Return whole lines in parts of a size, or a line each."""
    parts, start = [], 0
    while start < len(chunk):
        end = chunk.find("\n", min(start + _PART, len(chunk)) - 1) + 1
        parts.append(chunk[start:end])
        start = end
    return parts


def _getter(places: list[int]) -> Callable[[Sequence[str]], Sequence[str]]:
    """Return what takes the cells at these places out of a record."""
    return itemgetter(*places) if len(places) > 1 else lambda record: [record[places[0]]]


def _number(text: str, column: str, decimal: str) -> float:
    try:
        return numbers.of_text(text, decimal)
    except TableError as error:
        raise TableError(f", column {quoted(column)}{error}") from None


def _next_records(cutter: _Cutter, queue: deque[str], texts: Iterator[str]) -> list[list[str]]:
    """Return the records after a bad one that are whole, but not many."""
    found: list[list[str]] = []
    while len(found) < FIRST_ROWS:
        found += [each for _, each in islice(cutter.cut(queue), FIRST_ROWS) if isinstance(each, list) and each]
        text = next(texts, None)
        if text is None:
            break
        queue.extend(lines(text))
    return found[:FIRST_ROWS]


def _rows_of(block: Floats) -> int:
    return max(1, BLOCK_NUMBERS // int(block.shape[1]))


def _parser(source: Source) -> _Parser:
    """Return what parses whole lines of numbers: numpy's parser, or for a large file pyarrow's, in threads."""
    if source.path is None or source.path.stat().st_size < _LARGE:
        return _plain_block, 0
    try:
        from .arrow_csv import block
    except ImportError:
        return _plain_block, 0
    return block, allowed_threads()


def _plain_block(chunk: str, width: int, chosen: list[int], dialect: Dialect) -> Floats | None:
    """Return the block, at the speed of numpy's parser; None where there is anything to quote, skip or refuse."""
    if undecoded(chunk) or ('"' in chunk and not dialect.plainly_quoted.fullmatch(chunk)):
        return None
    rows = list(filter(None, lines(chunk.replace('"', ""))))
    if not rows:
        return np.empty((0, len(chosen)))
    separator = dialect.between
    if set(map(str.count, rows, repeat(separator))) != {width - 1} or max(map(len, rows)) > dialect.longest_field:
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
