"""Rows of JSON Lines, and of JSON documents."""

import json
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, count, islice
from typing import Any

from ..checks.arrays import Floats
from ..errors import TableError, counted, listed, quoted, remedy
from .cells import Cells, is_missing
from .columns import Columns, positional_names
from .copied import Copied
from .json_forms import ENVELOPES, EXPECTED, Found, by_column, by_row, find_rows, row_names, unwrapped
from .rows import (
    BLOCK_NUMBERS,
    FIRST_ROWS,
    SAMPLE_ROWS,
    OnError,
    Picker,
    Record,
    Rows,
    bad_row,
    check_names,
    check_width,
    did_you_mean,
    joined,
    refuse_text,
    stop,
)
from .source import Source
from .text import chunks, decoded, fast_parser, lines, not_text, undecoded, unreadable
from .threads import allowed_threads, map_ahead

_SAMPLE = 100  # rows from which the columns are determined
_LARGE = 1 << 21  # bytes of JSON Lines from which the import of pyarrow pays
_LARGEST = 64 << 20  # bytes of a document


def _parsed(text: str) -> Any:
    """Return the value of a text of JSON; raise TableError for invalid JSON and for a repeated key."""
    closed = count(1)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        number, found = next(closed), dict(pairs)
        if len(found) < len(pairs):
            raise _repeated_key(Counter(key for key, _ in pairs).most_common(1)[0][0], text, number)
        return found

    try:
        return json.loads(text, object_pairs_hook=unique)
    except TableError:
        raise
    except (ValueError, RecursionError) as error:
        raise TableError(f": not JSON ({error}){_hint(text, str(error))}") from None


def _repeated_key(key: str, text: str, number: int) -> TableError:
    """Return the error for a repeated key in the object that ends with the closing brace of this number."""
    ends = [token.start() for token in re.finditer(r'"(?:[^"\\]|\\.)*+"|\}', text) if token[0] == "}"]
    place = max(text.rfind(json.dumps(key, ensure_ascii=False), 0, ends[number - 1]), 0)
    line = f" (line {text.count(chr(10), 0, place) + 1})" if "\n" in text.strip() else ""
    return TableError(f": the key {quoted(key)} stands twice in one object{line}; keep one of them")


def _line(text: str) -> Any:
    """Return the row in a line of JSON Lines."""
    if problem := unreadable(text):
        raise problem
    return _parsed(text)


def _hint(text: str, reason: str) -> str:
    """Return what to do about a text that is not the expected JSON."""
    first, _, rest = text.strip().partition("\n")
    if first and first[0] not in "[{" and (rest or re.search(r"[,;\t|]", first)):
        return remedy("; if it is CSV, say {format}", format="csv")
    is_joined = reason.startswith("Extra data")
    if is_joined and not rest and re.search(r"[}\]]\s*[{\[]", first):
        return "; write each row in a line of its own"
    if is_joined and (first in ("[", "{", "[{") or re.match(r"\[\s*[\[{]", first)):
        return "; if files are joined, give each by itself"
    if is_joined and rest and first[:1] in ("[", "{"):
        return remedy("; if it is an object a line, say {format}", format="jsonl")
    if re.match(r"[\[{\s]*[^\W\d]\w*\s*:", first):
        return "; names need double quotes"
    if first in ("[", "{", "[{") and not rest:
        return remedy("; if it is a document of several lines, say {format}", format="json")
    return ""


def read_lines(source: Source, on_error: OnError) -> Rows:
    """Return the rows of JSON Lines."""
    numbered = count(1)
    fast = fast_parser(source, "json", _LARGE)
    coming = chunks(source)
    first: list[Record] = []
    rows: list[Any] = []
    while not rows and len(first) < _SAMPLE and (text := next(coming, None)) is not None:
        *head, rest = text.split("\n", SAMPLE_ROWS)
        coming = chain([rest], coming) if rest else coming
        records = _records("\n".join([*head, ""]), numbered)
        new = islice(records, _SAMPLE - len(first))
        rows = [row for row in map(_row_or_none, (text for _, text in new)) if _is_row(row)]
        first += records
    if first and not rows:
        for (line,), text in first[:_SAMPLE]:
            on_error(TableError(f"{source.name}: line {line}{_problem(text)}"))
        among = f" among the first {_SAMPLE} lines" if len(first) >= _SAMPLE else ""
        raise TableError(f"{source.name}: no rows{among}; expected one JSON object a line")
    columns, named = _columns(source.name, rows)

    def blocks(wanted: Sequence[Cells]) -> Iterator[Floats]:
        ahead: list[Record] = []

        def first_rows() -> list[Any]:
            while len(first) + len(ahead) < FIRST_ROWS and (more := next(coming, None)) is not None:
                ahead.extend(_records(more, numbered))
            return [_row_or_none(text) for _, text in islice(chain(first, ahead), FIRST_ROWS)]

        length = None if named else len(columns)
        pick = _first_checked(source.name, first_rows, wanted, _picker(wanted, length), on_error)
        kept = bad_row(wanted, lambda some, text: _picker(some, length)(_line(text)))
        picker = Picker(source.name, "line {}", lambda text: pick(_line(text)), on_error, kept)
        yield from picker.assembled(map(place, first))
        # Lines that are counted, or hold a cell that is copied, are read one by one.
        is_plain = passed is None and not any(isinstance(each, Copied) for each in wanted)
        parser = fast if is_plain else None
        threads = allowed_threads() if parser else 0
        for text, piece in map_ahead(lambda text: parser(text, wanted) if parser else None, coming, threads):
            # A line of blanks is no row.
            if piece is None or not all(line.strip() for _, _, line in piece.singly):
                yield from picker.assembled(map(place, _records(text, numbered)))
                continue
            line = next(numbered)
            singly = ((at, ((line + before,), text.rstrip("\n"))) for at, before, text in piece.singly)
            yield from picker.completed(piece.block, singly)
            rest = text.count("\n") - 1
            next(islice(numbered, rest, rest), None)

    def joined_blocks(wanted: Sequence[Cells]) -> Iterator[Floats]:
        return joined(blocks(wanted), BLOCK_NUMBERS) if fast and passed is None else blocks(wanted)

    passed: deque[int] | None = None

    def numbers() -> Iterator[int]:
        nonlocal passed
        passed = deque()
        return iter(passed.popleft, None)

    def place(record: Record) -> Record:
        if passed is not None:
            passed.append(record[0][0])
        return record

    def sample() -> dict[str, list[Any]]:
        return _sample((_row_or_none(text) for _, text in first[:SAMPLE_ROWS]), columns)

    layout = Columns(columns, named)
    return Rows(source.name, layout, joined_blocks, sample, numbers=numbers, is_empty=lambda: not first)


def _sample(rows: Iterable[Any], columns: Sequence[str]) -> dict[str, list[Any]]:
    """Return the values of each column in these rows, None where one is missing."""
    rows = [unwrapped(row) for row in rows]
    found = [
        dict(zip(columns, row, strict=True)) if isinstance(row, list) and len(row) == len(columns) else row
        for row in rows
        if _is_row(row)
    ]
    objects = [row for row in found if isinstance(row, dict)]
    return {name: [None if is_missing(row.get(name)) else row[name] for row in objects] for name in columns}


def _records(text: str, numbered: Iterator[int]) -> list[Record]:
    """Return the lines of a text with their numbers, without blank ones."""
    return [((number,), line) for line, number in zip(lines(text), numbered, strict=False) if line.strip()]


def _row_or_none(text: str) -> Any:
    try:
        return _line(text)
    except TableError:
        return None


def _problem(text: str) -> TableError:
    """Return the error of a line that is not a row."""
    try:
        return TableError(f": {_not_row(_line(text), ())}")
    except TableError as error:
        return error


def _first_checked(
    source: str,
    first_rows: Callable[[], Sequence[Any]],
    wanted: Sequence[Cells],
    pick: Callable[[Any], list[float]],
    on_error: OnError,
) -> Callable[[Any], list[float]]:
    """Return the picker; if the first row is bad, it checks for columns of text."""
    is_first = on_error is stop

    def checked(row: Any) -> list[float]:
        nonlocal is_first
        try:
            return pick(row)
        except TableError:
            if is_first:
                names = [each.name for each in wanted if each.levels is None]
                cells = [[each.get(name) for name in names] for each in first_rows() if isinstance(each, dict)]
                refuse_text(source, cells, names)
            raise
        finally:
            is_first = False

    return checked


def read_document(source: Source, on_error: OnError) -> Rows:
    """Return the rows of a JSON document."""
    text = decoded(source, _LARGEST)
    try:
        if undecoded(text):
            raise TableError(f": {not_text(source.encoding)}")
        found = find_rows(_parsed(text))
    except TableError as error:
        raise TableError(f"{source.name}{error}") from None
    except RecursionError:
        raise TableError(f"{source.name}: nested too deep; {EXPECTED}") from None
    return _two_ways(source.name, found, on_error) if found.objects else _rows(source.name, found, on_error)


def _two_ways(source: str, found: Found, on_error: OnError) -> Rows:
    """Return the rows of objects in an object, which are rows or columns: the wanted names are those of columns."""
    levels = tuple(found.objects), row_names(found.objects)
    is_by_row = all(map(str.isdecimal, levels[0])) and not any(map(str.isdecimal, levels[1]))

    def read(is_by_row: bool) -> Rows:
        return _rows(source, (by_row if is_by_row else by_column)(found.objects), on_error)

    def having(wanted: Columns) -> Rows:
        lacking = [len(known.missing(wanted.as_in(known).names)) for known in map(Columns, levels)]
        if not any(lacking):
            raise TableError(
                f"{source}: {listed(wanted.names, quoted)} are keys of the outer object and of the inner ones: rows "
                'and columns cannot be told apart; write it with orient="records" or "split"'
            )
        if lacking[0] == lacking[1]:
            return read(is_by_row)
        return read(lacking[1] < lacking[0])

    return Rows(source, Columns(()), lambda wanted: iter(()), choose=having)


def _rows(source: str, found: Found, on_error: OnError) -> Rows:
    """Return the rows of a document in one of the known forms."""
    columns, named = (found.columns, True) if found.columns else _columns(source, filter(_is_row, found.rows))
    columns = tuple(name for name in columns if name not in found.index)
    if found.columns:
        check_names(source, columns)

    def blocks(wanted: Sequence[Cells]) -> Iterator[Floats]:
        known = set(columns).union(*(row for row in found.rows if isinstance(row, dict)))
        if columns and named and (lacking := [each.name for each in wanted if each.name not in known]):
            raise rows.missing(lacking)
        how = (None if named else len(columns), found.columns)
        pick = _first_checked(source, lambda: found.rows[:FIRST_ROWS], wanted, _picker(wanted, *how), on_error)
        kept = bad_row(wanted, lambda some, row: _picker(some, *how)(row))
        records = (((number,), row) for number, row in enumerate(found.rows, start=1))
        return Picker(source, "row {}", pick, on_error, kept).assembled(records)

    index = dict.fromkeys(found.index, "the index that pandas wrote")
    rows = Rows(
        source,
        Columns(columns, named),
        blocks,
        lambda: _sample(found.rows[:SAMPLE_ROWS], found.columns or columns),
        left_out=index,
        request=found.request,
        is_empty=lambda: not found.rows,
    )
    return rows


def _is_row(row: Any) -> bool:
    return isinstance(row, dict | list) and bool(row)


def _columns(source: str, rows: Iterable[Any]) -> tuple[tuple[str, ...], bool]:
    """Return the names of the columns of these rows, and whether the rows have names."""
    rows = [unwrapped(row) for row in rows]
    objects = [row for row in rows if isinstance(row, dict)]
    names = Counter(chain.from_iterable(objects))
    if names or not rows:
        # By majority: wherever they stand, rows with more names have extra values, and rows with fewer are bad.
        return tuple(name for name, number in names.items() if 2 * number >= len(objects)), True
    width = Counter(map(len, rows)).most_common(1)[0][0]
    check_width(source, width)
    return positional_names(width), False


def _picker(
    wanted: Sequence[Cells], length: int | None, declared: tuple[str, ...] = ()
) -> Callable[[Any], list[float]]:
    """Return a function that takes the wanted columns from a row: from an object by name, from a list by position.

    A list has the ``declared`` columns, or else all wanted ones in their order, or ``length`` columns x0, x1, ….
    """
    needed = [each for each in wanted if not isinstance(each, Copied)]
    names = [each.name for each in needed]
    columns = declared or positional_names(length or 0)
    if not set(names) <= set(columns):
        columns = tuple(names)
    places = {name: position for position, name in enumerate(columns)}
    chosen = [(places.get(each.name), each) for each in wanted]
    wraps = not {"features", "data"} & set(names)
    kind = "number" if all(each.levels is None for each in needed) else "cell"

    def pick(row: Any) -> list[float]:
        if wraps:
            row = unwrapped(row)
        if isinstance(row, list) and len(row) == len(columns):
            return [each.of_json(None if i is None else row[i]) for i, each in chosen]
        if not isinstance(row, dict) or not row:
            raise TableError(f": {_not_row(row, columns, kind)}")
        absent = [each for each in needed if each.name not in row]
        if lacking := [each.name for each in absent if not each.takes_missing or len(absent) == len(needed)]:
            if ENVELOPES & set(row):
                raise TableError(f": {_not_row(row, columns, kind)}")
            raise TableError(f": no {listed(lacking, quoted)}{did_you_mean(lacking, row)}")
        return [each.of_json(row.get(each.name)) for each in wanted]

    return pick


def _not_row(row: Any, columns: Sequence[str], kind: str = "number") -> str:
    expected = "expected an object or a list"
    if columns:
        expected = f"expected an object, or a list of {counted(len(columns), kind)}"
    if (isinstance(row, dict) and ENVELOPES & set(row)) or (isinstance(row, list) and any(map(_is_row, row))):
        return expected + remedy("; if it is a whole document, say {format}", format="json")
    if isinstance(row, list):
        return f"{expected}, found a list of {len(row)}{': ' if columns else ''}{listed(columns)}"
    if isinstance(row, int | float) and not isinstance(row, bool):
        return f"{expected}, found the number {quoted(row)}: wrap the numbers of a row in a list, [[{quoted(row)}, …]]"
    return f"{expected}, found {quoted(row)}"
