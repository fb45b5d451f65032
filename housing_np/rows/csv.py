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
from ..errors import TableError, remedy
from . import numbers
from .cells import Cells
from .columns import Columns, positional_names
from .copied import Copied
from .csv_dialect import (
    QUOTED,
    SEP_LINE,
    SEPARATORS,
    Dialect,
    detect,
    has_row_names,
    json_format,
    look_ahead,
    missing_hint,
    names_of,
    notes_of,
    refuse_names,
    refuse_other_names,
    squeezed,
)
from .csv_records import Cutter
from .rows import (
    BLOCK_NUMBERS,
    FIRST_ROWS,
    SAMPLE_ROWS,
    OnError,
    Picker,
    Piece,
    Record,
    Rows,
    bad_row,
    check_names,
    joined,
    refuse_text,
    stop,
)
from .source import Source
from .text import chunks, fast_parser, lines, undecoded
from .threads import allowed_threads, map_ahead

_LARGE = 1 << 22  # bytes of a file from which the import of pyarrow pays
_PART = 1 << 16  # characters that are parsed at once if a whole chunk cannot be
_PLACE = "row {} (line {})"
_ROW_NAMES = "; are the first cells names of rows, as R writes them? write.table(…, col.names=NA) names their column"
_INDEX = "an index that pandas wrote? to_csv(index=False) writes none"
# A parser of whole lines, and how many threads to start for it.
_Parser = tuple[Callable[[str, int, "_Chosen", Dialect], list[Piece] | None], int]
_Chosen = list[tuple[int, Cells]]  # the places of the wanted columns, and how their cells are read


def read(source: Source, on_error: OnError, **options: Any) -> Rows:
    """Return the rows of CSV; the options are those of a `Dialect`."""
    dialect = Dialect(**options)
    fast = fast_parser(source, "csv", _LARGE)
    coming = chunks(source)
    queue: deque[str] = deque()
    blank = _skip_blank(source.name, coming, queue)
    first = queue[0]
    if "\0" in first:
        raise TableError(
            f"{source.name}: not text, or UTF-16 without its mark (it holds NUL); save it as UTF-8"
            + remedy(", or say {encoding}", encoding="utf-16-le")
        )
    if first.lstrip().startswith(("[", "{")):
        look_ahead(coming, queue, 2)
    if found := json_format([line.strip() for line in islice(filter(str.strip, queue), 2)]):
        raise TableError(f"{source.name}: expected CSV, found JSON{remedy('; say {format}', format=found)}")
    sep_line = SEP_LINE.fullmatch(first.strip("\ufeff\r "))
    if not sep_line and dialect.separator is None and " " in first.strip() and SEPARATORS.keys().isdisjoint(first):
        look_ahead(coming, queue, 2)
        if all(" " in line.strip() for line in queue if line.strip()):
            look_ahead(coming, queue, 3)  # two rows tell whether they are counted
    dialect, notes = detect(list(islice(queue, 100)), sep_line, dialect)
    if sep_line:
        queue.popleft()
        blank += 1 + _skip_blank(source.name, coming, queue)
    if dialect.blanks:
        queue = deque(map(squeezed, queue))
        coming = map(squeezed, coming)
    head = queue[0]
    cutter = Cutter(dialect, blank, source.encoding)
    if dialect.header:
        names = names_of(_header(source.name, coming, cutter, queue))
        notes += notes_of(head, names)
    else:
        names = list(positional_names(_usual_width(list(queue)[:100], dialect)))
    cutter.names = names
    places = [i for i, name in enumerate(names) if name]
    check_names(source.name, [name or (i,) for i, name in enumerate(names)])
    left_out = {f"column {i}": f"no name; {_INDEX}" for i, name in enumerate(names, start=1) if not name}

    def settle() -> None:
        """Find out from the first rows whether they begin with a name that the first line lacks."""
        nonlocal names, places
        if dialect.header and not left_out and _have_row_names(head, cutter, coming, queue):
            names, places = ["", *names], [i + 1 for i in places]
            cutter.names, left_out["column 1"] = names, "the names of the rows"

    def blocks(wanted: Sequence[Cells]) -> Iterator[Floats]:
        found = [each.name for each in wanted]
        if not dialect.header and not set(found) <= set(names):
            # Rows without names have the wanted columns in their order; a row of another width is bad.
            cutter.names, chosen = found, list(enumerate(wanted))
        else:
            positions = rows.positions(found)
            settle()
            chosen = [(places[i], each) for i, each in zip(positions, wanted, strict=True)]
        texts = chain(["\n".join([*queue, ""])] if queue else [], coming)
        # A cell that is copied is read once, beside the numbers of its row.
        is_copied = any(isinstance(each, Copied) for each in wanted)
        parse, threads = (fast, allowed_threads()) if fast and not is_copied else (_plain, 0)
        blocks = _blocks(source.name, texts, cutter, chosen, (parse, threads), on_error)
        return joined(blocks, BLOCK_NUMBERS) if threads else blocks

    def sample() -> dict[str, list[Any]]:
        settle()
        ahead = copy(cutter)
        ahead.begun = []
        found = _records(ahead, deque(queue), SAMPLE_ROWS)
        return {names[i]: [numbers.value_of(record[i], dialect.decimal) for record in found] for i in places}

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


def _have_row_names(head: str, cutter: Cutter, coming: Iterator[str], queue: deque[str]) -> bool:
    """Whether each of the first rows begins with its name, which has no name of a column above it.

    If that is only likely, the error of such a row says so.
    """
    separator = cutter.dialect.between
    look_ahead(coming, queue, 1)
    line = next(filter(str.strip, queue), "")
    if QUOTED.sub("", line).count(separator) != len(cutter.names):
        return False
    look_ahead(coming, queue, 2)
    first = [each for each in islice(queue, 100) if each.strip()]
    cutter.wider = _ROW_NAMES
    return has_row_names(head, first, separator)


def _no_names(source: str) -> TableError:
    return TableError(f"{source}: no names; expected a first line with the names of the columns, then rows")


def _usual_width(first_lines: list[str], dialect: Dialect) -> int:
    """Return the number of columns that most lines have, the larger one of two that are equally frequent."""
    counts = Counter(QUOTED.sub("", line).count(dialect.between) + 1 for line in first_lines)
    return max(counts, key=lambda number: (counts[number], number))


def _header(source: str, coming: Iterator[str], cutter: Cutter, queue: deque[str]) -> list[str]:
    """Return the names in the first record; leave the lines after it in the queue."""
    head = queue[0]
    while (found := next((each for each in cutter.cut(queue) if each[1]), None)) is None:
        if (text := next(coming, None)) is None:
            found = next(cutter.end(queue), (0, []))
            break
        queue.extend(lines(text))
    line, record = found
    if isinstance(record, TableError):
        blanks = remedy("; if blanks separate the columns, say {separator}", separator=" ")
        hint = blanks if '" "' in head else ""
        raise TableError(f"{source}: line {line}{record}{hint}")
    if not any(map(str.strip, record)):
        raise _no_names(source)
    return record


def _blocks(
    source: str, texts: Iterator[str], cutter: Cutter, chosen: _Chosen, parser: _Parser, on_error: OnError
) -> Iterator[Floats]:
    row = 0
    decimal = cutter.dialect.decimal
    is_plain = all(each.is_plain for _, each in chosen)
    of_chosen = _getter([i for i, _ in chosen])
    numbers_only = {each.name: i for i, each in chosen if each.levels is None}

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
        refuse_names(record, cutter.names, cutter.dialect.header)
        try:
            return [each.of_text(record[i], decimal) for i, each in chosen]
        except TableError:
            refuse_other_names(record, [record[i] for i in numbers_only.values()], cutter.names)
            if row == 1 and on_error is stop:
                first = [record, *_next_records(cutter, queue, (piece.text for piece in coming))]
                refuse_text(source, [[each[i] for i in numbers_only.values()] for each in first], list(numbers_only))
            raise

    def pick_some(some: Sequence[Cells], record: list[str] | TableError) -> list[float]:
        if isinstance(record, TableError):
            raise record
        return [each.of_text(record[i], decimal) for i, each in chosen if each in some]

    def single_records(piece: Piece, count: int) -> Iterator[tuple[int, Record]]:
        nonlocal row
        first, line = row, cutter.line
        for at, before, text in piece.singly:
            row, cutter.line = first + at, line + before
            queue.extend(lines(text))
            (record,) = numbered(chain(cutter.cut(queue), cutter.end(queue)))
            yield at, record
        row, cutter.line = first + count, line + piece.text.count("\n")

    picker = Picker(source, _PLACE, pick, on_error, bad_row([each for _, each in chosen], pick_some))
    queue: deque[str] = deque()
    # Closed, so that after an error no thread of it is left to the collector of garbage, which may run in that thread.
    with closing(_pieces(texts, parser, chosen, cutter)) as coming:
        for piece in coming:
            # What a bad first row says depends on the rows after it.
            is_ending = bool(piece.singly) and not row and on_error is stop
            if piece.block is None or cutter.begun or is_ending:
                queue.extend(lines(piece.text))
                yield from picker.assembled(numbered(cutter.cut(queue)))
                continue
            step = max(1, BLOCK_NUMBERS // len(chosen))
            for block in picker.completed(piece.block, single_records(piece, len(piece.block))):
                yield from (block[i : i + step] for i in range(0, len(block), step))
    yield from picker.assembled(numbered(cutter.end(queue)))


def _pieces(texts: Iterator[str], parser: _Parser, chosen: _Chosen, cutter: Cutter) -> Generator[Piece]:
    """Yield the texts in pieces, most of them parsed at once."""
    parse, threads = parser
    how = (len(cutter.names), chosen, cutter.dialect)
    for chunk, found in map_ahead(lambda text: parse(text, *how), texts, threads):
        parts = [] if found is not None else _parts(chunk)
        if len(parts) > 1:
            yield from (Piece(part, None if cutter.begun else _plain_block(part, *how)) for part in parts)
        else:
            yield from found or [Piece(chunk)]


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


def _plain(chunk: str, width: int, chosen: _Chosen, dialect: Dialect) -> list[Piece] | None:
    block = _plain_block(chunk, width, chosen, dialect)
    return None if block is None else [Piece(chunk, block)]


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
    columns = list(zip(*(row.split(dialect.between) for row in rows), strict=True))
    try:
        return np.column_stack([each.of_texts(columns[i], dialect.decimal) for i, each in chosen])
    except TableError:
        return None
