"""Rows of CSV: records, which may span lines, and their numbers."""

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from copy import copy
from itertools import chain, islice, repeat
from operator import itemgetter
from typing import Any

import numpy as np

from ..checks.arrays import Floats
from ..errors import HousingError, TableError, extra
from . import numbers
from .cells import Cells
from .columns import Columns, positional_names
from .csv_dialect import QUOTED, SEP_LINE, Dialect, detect, is_json, missing_hint
from .csv_records import Cutter
from .rows import (
    BLOCK_NUMBERS,
    FIRST_ROWS,
    SAMPLE_ROWS,
    OnError,
    Record,
    Rows,
    assembled,
    bad_row,
    check_names,
    refuse_text,
    stop,
)
from .source import Source
from .text import chunks, lines, undecoded
from .threads import allowed_threads, map_ahead

_LARGE = 1 << 24  # bytes of a file from which the import of pyarrow pays
_PART = 1 << 16  # characters that are parsed at once if a whole chunk cannot be
_PLACE = "row {} (line {})"
_INDEX = "an index that pandas wrote? to_csv(index=False) writes none"
# A parser of whole lines, and how many threads to start for it.
_Parser = tuple[Callable[[str, int, "_Chosen", Dialect], Floats | None], int]
_Chosen = list[tuple[int, Cells]]  # the places of the wanted columns, and how their cells are read


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
    if is_json(first.strip()):
        problem = "expected CSV, found JSON: say so with --format jsonl or json, or by the end of its name"
        raise TableError(f"{source.name}: {problem}")
    sep_line = SEP_LINE.fullmatch(first.strip("\ufeff\r "))
    dialect, notes = detect(queue, sep_line, dialect)
    if sep_line:
        queue.popleft()
        blank += 1 + _skip_blank(source.name, coming, queue)
    cutter = Cutter(dialect, blank)
    if dialect.header:
        names = [name.strip() for name in _header(source.name, coming, cutter, queue)]
    else:
        names = list(positional_names(_usual_width(list(queue)[:100], dialect)))
    cutter.names = names
    places = [i for i, name in enumerate(names) if name]
    check_names(source.name, [name or (i,) for i, name in enumerate(names)])
    left_out = {f"column {i}": f"no name; {_INDEX}" for i, name in enumerate(names, start=1) if not name}

    def blocks(wanted: Sequence[Cells]) -> Iterator[Floats]:
        texts = chain(["\n".join([*queue, ""])] if queue else [], coming)
        found = [each.name for each in wanted]
        if not dialect.header and not set(found) <= set(names):
            # Rows without names have the wanted columns in their order; a row of another width is bad.
            cutter.names = found
            return _blocks(source.name, texts, cutter, list(enumerate(wanted)), parser, on_error)
        chosen = [places[i] for i in rows.positions(found)]
        return _blocks(source.name, texts, cutter, list(zip(chosen, wanted, strict=True)), parser, on_error)

    def sample() -> dict[str, list[Any]]:
        ahead = copy(cutter)
        ahead.begun = []
        found = _records(ahead, deque(queue), SAMPLE_ROWS)
        return {names[i]: [_value(record[i], dialect.decimal) for record in found] for i in places}

    def is_empty() -> bool:
        while not any(map(str.strip, queue)) and (text := next(coming, None)) is not None:
            queue.extend(lines(text))
        return not any(map(str.strip, queue))

    columns = tuple(filter(None, names))
    layout, hint = Columns(columns, dialect.header), missing_hint(columns, dialect)
    rows = Rows(source.name, layout, blocks, sample, False, left_out, tuple(notes), hint, is_empty=is_empty)
    return rows


def _skip_blank(source: str, coming: Iterator[str], queue: deque[str]) -> int:
    """Remove blank lines from the front of the queue; return how many there were."""
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


def _usual_width(first_lines: list[str], dialect: Dialect) -> int:
    """Return the number of columns that most lines have, the larger one of two that are equally frequent."""
    counts = Counter(QUOTED.sub("", line).count(dialect.between) + 1 for line in first_lines)
    return max(counts, key=lambda number: (counts[number], number))


def _header(source: str, coming: Iterator[str], cutter: Cutter, queue: deque[str]) -> list[str]:
    """Return the names in the first record; leave the lines after it in the queue."""
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


def _blocks(
    source: str,
    texts: Iterator[str],
    cutter: Cutter,
    chosen: _Chosen,
    parser: _Parser,
    on_error: OnError,
) -> Iterator[Floats]:
    row = 0
    decimal = cutter.dialect.decimal
    is_plain = all(each.is_plain for _, each in chosen)
    of_chosen = _getter([i for i, _ in chosen])
    numbers_only = [(i, each.name) for i, each in chosen if each.levels is None]

    def numbered(found: Iterable[tuple[int, list[str] | TableError]]) -> Iterator[Record]:
        nonlocal row
        for line, record in found:
            if record:
                row += 1
                yield (row, line), record

    def pick(record: list[str] | TableError) -> list[float]:
        if isinstance(record, TableError):
            raise record
        if is_plain and (found := numbers.of_plain(of_chosen(record), decimal)) is not None:
            return found
        try:
            return [each.of_text(record[i], decimal) for i, each in chosen]
        except TableError:
            if row == 1 and on_error is stop:
                first = [record, *_next_records(cutter, queue, (chunk for chunk, _ in coming))]
                refuse_text(
                    source, [[each[i] for i, _ in numbers_only] for each in first], [name for _, name in numbers_only]
                )
            raise

    def pick_some(some: Sequence[Cells], record: list[str] | TableError) -> list[float]:
        if isinstance(record, TableError):
            raise record
        return [each.of_text(record[i], decimal) for i, each in chosen if each in some]

    kept = bad_row([each for _, each in chosen], pick_some)
    queue: deque[str] = deque()
    # Closed, so that after an error no thread of it is left to the collector of garbage, which may run in that thread.
    with closing(_pieces(texts, parser, chosen, cutter)) as coming:
        for chunk, block in coming:
            if block is not None and not cutter.begun:
                row += len(block)
                cutter.line += chunk.count("\n")
                yield from (block[i : i + _rows_of(block)] for i in range(0, len(block), _rows_of(block)))
            else:
                queue.extend(lines(chunk))
                yield from assembled(source, _PLACE, numbered(cutter.cut(queue)), pick, on_error, kept)
    yield from assembled(source, _PLACE, numbered(cutter.end(queue)), pick, on_error, kept)


def _pieces(
    texts: Iterator[str], parser: _Parser, chosen: _Chosen, cutter: Cutter
) -> Generator[tuple[str, Floats | None]]:
    """Yield texts with their numbers, None for a text that must be cut into records; most of it is parsed at once."""
    parse, threads = parser
    how = (len(cutter.names), chosen, cutter.dialect)
    for chunk, block in map_ahead(lambda text: parse(text, *how), texts, threads):
        parts = [] if block is not None else _parts(chunk)
        if len(parts) > 1:
            yield from ((part, None if cutter.begun else _plain_block(part, *how)) for part in parts)
        else:
            yield chunk, block


def _parts(chunk: str) -> list[str]:
    """Return a chunk in parts of whole lines."""
    parts, start = [], 0
    while start < len(chunk):
        end = chunk.find("\n", min(start + _PART, len(chunk)) - 1) + 1
        parts.append(chunk[start:end])
        start = end
    return parts


def _getter(places: list[int]) -> Callable[[Sequence[str]], Sequence[str]]:
    """Return a function that takes the cells at these places from a record."""
    return itemgetter(*places) if len(places) > 1 else lambda record: [record[places[0]]]


def _value(text: str, decimal: str) -> float | str | None:
    """Return what a cell is: a number, text, or None where it is missing."""
    if text.strip().lower() in numbers.MISSING:
        return None
    try:
        return numbers.of_text(text, decimal)
    except TableError:
        return text


def _records(cutter: Cutter, queue: deque[str], most: int) -> list[list[str]]:
    """Return the first valid records of the lines."""
    return list(islice((each for _, each in cutter.cut(queue) if isinstance(each, list) and each), most))


def _next_records(cutter: Cutter, queue: deque[str], texts: Iterator[str]) -> list[list[str]]:
    """Return the valid records among the next ones, `FIRST_ROWS` at most."""
    found: list[list[str]] = []
    while len(found) < FIRST_ROWS:
        found += _records(cutter, queue, FIRST_ROWS)
        text = next(texts, None)
        if text is None:
            break
        queue.extend(lines(text))
    return found[:FIRST_ROWS]


def _rows_of(block: Floats) -> int:
    return max(1, BLOCK_NUMBERS // int(block.shape[1]))


def _parser(source: Source) -> _Parser:
    """Return the parser of whole lines: NumPy's, or for a large file pyarrow's in threads."""
    if source.path is None or source.path.stat().st_size < _LARGE:
        return _plain_block, 0
    try:
        with extra("parquet", "pyarrow reads large files"):
            from .arrow_csv import block
    except HousingError:
        return _plain_block, 0
    return block, allowed_threads()


def _plain_block(chunk: str, width: int, chosen: _Chosen, dialect: Dialect) -> Floats | None:
    """Parse whole lines with NumPy; return None if there is anything to unquote, skip or refuse."""
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
    block = _numbers(rows, chosen, dialect) if all(each.levels is None for _, each in chosen) else None
    return _by_column(rows, chosen, dialect) if block is None else block


def _numbers(rows: list[str], chosen: _Chosen, dialect: Dialect) -> Floats | None:
    if dialect.decimal != ".":
        if dialect.decimal == dialect.between or any("." in row for row in rows):
            return None
        rows = [row.replace(dialect.decimal, ".") for row in rows]
    places = [i for i, _ in chosen]
    try:
        block = np.loadtxt(rows, delimiter=dialect.between, usecols=places, comments=None, ndmin=2)
    except ValueError:
        return None
    # None for values that must be refused or checked singly: not finite, or integers that may have been rounded.
    return block if (np.abs(block) < 2.0**53).all() else None


def _by_column(rows: list[str], chosen: _Chosen, dialect: Dialect) -> Floats | None:
    """Parse lines column by column, with levels, truth values and missing cells; return None for a bad cell."""
    if all(each.is_plain for _, each in chosen):
        return None
    columns = list(zip(*(row.split(dialect.between) for row in rows), strict=True))
    try:
        return np.column_stack([each.of_texts(columns[i], dialect.decimal) for i, each in chosen])
    except TableError:
        return None
