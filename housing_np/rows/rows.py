"""Rows of any format, read once, and the treatment of bad rows."""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..checks.arrays import Floats
from ..errors import TableError, counted, cut, listed, quoted, remedy
from .cells import UNKNOWN, Cells, UnknownLevelError, cells_of
from .columns import Columns, as_columns
from .copied import Copied
from .numbers import text_columns

# Small enough that a row's prediction does not depend on the other rows of its block.
BLOCK_NUMBERS = 1 << 18
# The number of rows that tell a column of text from a bad cell.
FIRST_ROWS = 20
_MOST_NAMED = 100  # columns in one message
# The number of rows that tell what a column holds.
SAMPLE_ROWS = 1000
# The number of names that are searched for one that is similar: a comparison takes long.
_COMPARED = 1000

OnError = Callable[[TableError], bool | None]
Record = tuple[tuple[int, ...], Any]


def stop(error: TableError) -> None:
    """Raise the error of a bad row, with the hint that it can be skipped: the default."""
    raise error.after("", remedy(" ({on_error} leaves such rows out)", on_error="skip"))


@dataclass
class Skipped:
    """The number of bad rows, the error of the first, and how many of them are due to each column.

    ``unknown`` is how many of them have a level that the model does not know.
    """

    count: int = 0
    first: TableError | None = None
    columns: Counter[str] = field(default_factory=Counter)
    unknown: int = 0

    def keep(self, error: TableError) -> bool:
        """Count a bad row, which stays in its place among the others as a row of `UNKNOWN`."""
        self.add(error)
        return True

    def add(self, error: TableError) -> None:
        """Count a bad row."""
        self.count += 1
        self.unknown += isinstance(error, UnknownLevelError)
        self.first = self.first or error
        if error.column:
            self.columns[error.column] += 1

    def __add__(self, other: "Skipped") -> "Skipped":
        """Return the count of both."""
        unknown = self.unknown + other.unknown
        return Skipped(self.count + other.count, self.first or other.first, self.columns + other.columns, unknown)

    def __str__(self) -> str:
        return self.note("skipped")

    def note(self, what: str) -> str:
        """Return what was done to how many bad rows, as a note for the user."""
        by_column = f"; by column: {by_count(self.columns)}" if self.columns else ""
        return f"bad rows {what}: {self.count}; the first: {self.first}{by_column}"


def by_count(counts: Mapping[str, int]) -> str:
    """Return columns with their counts as a message lists them, the largest first.

    >>> by_count({"rooms": 1, "age": 207})
    'age 207, rooms 1'
    """
    most = sorted(counts, key=lambda name: (-counts[name], name))
    more = f", … ({len(most):,} columns)" if len(most) > _MOST_NAMED else ""
    return ", ".join(f"{cut(name)} {counts[name]:,}" for name in most[:_MOST_NAMED]) + more


class TextColumnError(TableError):
    """Columns that contain text from their first row on, so that no row can be read with them."""

    def __init__(self, message: str, columns: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.columns: tuple[str, ...] = tuple(columns)


class OtherOrderError(TableError):
    """The names of the columns again, in another order: no row after them can be read."""


class TooLargeError(TableError):
    """Rows that are more than the caller takes."""


def refuse_text(source: str, rows: Sequence[Sequence[Any]], names: Sequence[str]) -> None:
    """Raise TextColumnError for the columns that contain text in all of the first rows."""
    words = text_columns(rows, names)
    if words:
        form = "columns {} hold" if len(words) > 1 else "column {} holds"
        problem = f"{form.format(listed(words, quoted))} text ({listed(words.values(), quoted)}), not numbers"
        raise TextColumnError(f"{source}: {problem}", list(words))


def feature_parts(rows: int, columns: Columns) -> Iterator[slice]:
    """Yield where to cut a block of cells, whose features may be a thousand times as many.

    >>> list(feature_parts(3, Columns(("age",))))
    [slice(0, 3, None)]
    """
    step = rows if columns.is_plain else max(1, BLOCK_NUMBERS // len(columns.feature_names))
    return (slice(start, start + step) for start in range(0, max(1, rows), max(1, step)))


class Request(NamedTuple):
    """The form of a request to a server, which is answered in the same form; all empty for a file of rows."""

    protocol: str = ""  # "v2" for the Open Inference Protocol
    id: str = ""
    outputs: tuple[str, ...] = ()  # the names of the wanted ones; empty for all


@dataclass(frozen=True)
class Rows:
    """Rows that can be read once, in order."""

    source: str  # the name of the source in messages
    layout: Columns
    read: Callable[[Sequence[Cells]], Iterator[Floats]]  # the wanted columns, in numbers as `Cells` has them
    sample: Callable[[], dict[str, list[Any]]] = dict  # first values of columns that may hold more than numbers
    has_types: bool = True  # whether the format tells numbers from text that looks like one
    left_out: Mapping[str, str] = field(default_factory=dict)  # columns that are not part of the table, and why
    notes: tuple[str, ...] = ()  # the detected dialect
    hint: str = ""  # the likely cause of a missing column
    request: Request = field(default_factory=Request)
    # Called before the rows are read: their numbers from 1, or those of lines; in step if on_error leaves none out.
    numbers: Callable[[], Iterator[int]] = lambda: count(1)
    is_empty: Callable[[], bool] = bool  # may have to wait for the first row
    # The rows that have the wanted columns, where a document can be read in two ways; these have none then.
    choose: Callable[[Columns], "Rows"] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns; x0, x1, … if the source has none."""
        return self.layout.names

    @property
    def named(self) -> bool:
        """Whether the source has names; if not, columns are matched by position."""
        return self.layout.named

    def blocks(self, columns: Columns | Sequence[str]) -> Iterator[Floats]:
        """Return an iterator of blocks (rows, features), all finite; a TableError names all columns that are missing.

        Categories are encoded; rows in which they are encoded already are taken as well.
        """
        rows = self.having(columns)
        wanted = as_columns(columns).as_in(rows.layout)
        blocks = rows.read(cells_of(wanted))
        full = (block for block in blocks if len(block))  # all of its rows may be bad ones
        return (wanted.encode(block[part]) for block in full for part in feature_parts(len(block), wanted))

    def having(self, columns: Columns | Sequence[str]) -> "Rows":
        """Return these rows, read so that they have the wanted columns; a TableError tells if there is a doubt."""
        return self.choose(as_columns(columns)) if self.choose else self

    def require(self, names: Sequence[str], advice: str = "") -> None:
        """Raise a TableError that names all columns that are missing."""
        self.positions(names, advice)

    def positions(self, names: Sequence[str], advice: str = "") -> list[int]:
        """Return the positions of columns; raise a TableError that names all that are missing."""
        found = self.layout.positions(names)
        if found is not None:
            return found
        if self.named:
            raise self.missing(self.layout.missing(names), advice, names)
        count = counted(len(self.columns), "column")
        raise TableError(f"{self.source}: {count} without names; expected {len(names)}: {listed(names)}")

    def missing(self, names: Sequence[str], advice: str = "", wanted: Sequence[str] = ()) -> TableError:
        """Return the error for those of the wanted names that no column has; by default it advises to rename."""
        text = f"no column {listed(names, quoted)}; the columns are: {listed(self.columns)}"
        taken = set(wanted)
        cause = did_you_mean(names, [name for name in self.columns if name not in taken]) + self.hint
        advice = advice or ("" if cause else f"; rename the column{'s' if len(names) > 1 else ''}")
        return TableError(f"{self.source}: {text}{cause}{advice}")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to this one, None if none is similar.

    >>> nearest("Income", ["income", "age"])
    'income'
    """
    from difflib import get_close_matches

    wanted, folded = name.strip().lower(), {each.strip().lower(): each for each in reversed(list(known))}
    near = [wanted] if wanted in folded else list(folded)[-_COMPARED:]
    close = get_close_matches(wanted, near, n=1)
    return folded[close[0]] if close else None


def did_you_mean(names: Sequence[str], known: Iterable[str]) -> str:
    """Return the hint at the known name that looks like a missing one, or is most similar to the only missing one.

    >>> did_you_mean(["Income"], ["income", "age"]), did_you_mean(["Income", "Age"], ["income", "age"])
    (" (did you mean 'income'?)", '')
    """
    known = list(known)
    if not all(map(str.isascii, (*names, *known))):
        from ..checks.look_alikes import look_alike_hint  # imported here because most names need it not

        if hint := look_alike_hint(names, known):
            return hint
    near = nearest(names[0], known) if len(names) == 1 else None
    return f" (did you mean {quoted(near)}?)" if near else ""


def check_width(source: str, width: int) -> None:
    """Raise TableError for more columns than a block holds in one row."""
    if width > BLOCK_NUMBERS:
        raise TableError(f"{source}: {counted(width, 'column')}; expected at most {BLOCK_NUMBERS:,}")


def check_names(source: str, columns: Sequence[Any]) -> None:
    """Raise TableError for too many columns, and for an empty or a repeated name."""
    check_width(source, len(columns))
    seen: set[Any] = set()
    for position, name in enumerate(columns, start=1):
        if not name:
            raise TableError(f"{source}: column {position} has no name; every column needs one")
        if name in seen:
            raise TableError(f"{source}: column {position} repeats the name {quoted(name)}; names must be unique")
        seen.add(name)


class Piece(NamedTuple):
    """Whole lines of a file, and their rows as numbers."""

    text: str
    block: Floats | None = None  # (rows, columns); None if all lines must be read singly
    # The rows of the block that must be read singly: their position, the number of lines before them, and their text.
    singly: Sequence[tuple[int, int, str]] = ()


class Picker(NamedTuple):
    """Reads records singly."""

    source: str  # what an error says first
    place: str  # the form of a record's place in an error
    pick: Callable[[Any], list[float]]  # finds the numbers of a record
    on_error: OnError  # is called for a bad record, and returns True if it is kept
    kept: Callable[[Any], list[float]]  # returns the row of a bad record that is kept

    def row(self, where: tuple[int, ...], record: Any) -> list[float] | None:
        """Return the numbers of a record, None if it is bad and left out; raise if it ends the reading."""
        try:
            return self.pick(record)
        except TextColumnError:
            raise
        except (TableError, RecursionError) as error:
            problem = error if isinstance(error, TableError) else TableError(": nested too deep; flatten it")
            located = problem.after(f"{self.source}: {self.place.format(*where)}")
            if isinstance(error, OtherOrderError):
                raise located from None
            return self.kept(record) if self.on_error(located) else None

    def assembled(self, records: Iterable[Record]) -> Iterator[Floats]:
        """Yield blocks of the rows of records; rows before a fatal error are yielded first."""
        values = array("d")
        width = 1
        for where, record in records:
            try:
                row = self.row(where, record)
            except TableError:
                if values:
                    yield np.array(values).reshape(-1, width)
                raise
            if row is not None:
                values.extend(row)
                width = len(row)
            if len(values) >= BLOCK_NUMBERS:
                yield np.array(values).reshape(-1, width)
                values = array("d")
        if values:
            yield np.array(values).reshape(-1, width)

    def completed(self, block: Floats, records: Iterable[tuple[int, Record]]) -> Iterator[Floats]:
        """Yield a block with the rows of records at their positions; rows before a fatal error are yielded first."""
        is_good = np.ones(len(block), np.bool_)
        for at, (where, record) in records:
            try:
                row = self.row(where, record)
            except TableError:
                yield block[:at][is_good[:at]]
                raise
            if row is None:
                is_good[at] = False
            else:
                block[at] = row
        yield block if is_good.all() else block[is_good]


def bad_row(
    wanted: Sequence[Cells], pick: Callable[[Sequence[Cells], Any], list[float]]
) -> Callable[[Any], list[float]]:
    """Return the function that makes a row of `UNKNOWN` of a bad record, with the cell that is copied if there is one.

    ``pick`` finds the cells of some columns in a record.
    """
    copied = [each for each in wanted if isinstance(each, Copied)]

    def kept(record: Any) -> list[float]:
        try:
            found = pick(copied, record) if copied else []
        except (TableError, RecursionError):
            found = [np.nan]
        return [UNKNOWN] * (len(wanted) - len(copied)) + found

    return kept


def joined(blocks: Iterable[Floats], most: int) -> Iterator[Floats]:
    """Yield the same rows in fewer blocks, of so many numbers at most; those before an error first."""
    held: list[Floats] = []
    size = 0
    try:
        for block in blocks:
            if size + block.size > most and held:
                yield held[0] if len(held) == 1 else np.concatenate(held)
                held, size = [], 0
            held.append(block)
            size += block.size
    except TableError:
        if held:
            yield np.concatenate(held)
        raise
    if held:
        yield np.concatenate(held)


def checked(
    source: str, start: int, columns: Sequence[NDArray[Any]], wanted: Sequence[Cells], on_error: OnError
) -> Iterator[Floats]:
    """Yield the rows of these columns (n,) that are all good, in numbers; rows before a fatal error first.

    Masked entries are missing values. ``start`` is the number of rows before these, for messages. A bad row is one of
    `UNKNOWN`, but for the cell that is copied, where on_error returns True.
    """
    found = [each.of_array(column) for each, column in zip(wanted, columns, strict=True)]
    block, bad = (np.column_stack(parts) for parts in zip(*found, strict=True))
    good: NDArray[np.bool_] = ~np.any(bad, axis=1)
    is_copied = np.array([isinstance(each, Copied) for each in wanted])
    for row in np.flatnonzero(~good).tolist():
        worst = int(np.argmax(bad[row]))
        problem = wanted[worst].problem(columns[worst][row])
        try:
            good[row] = bool(on_error(problem.after(f"{source}: row {start + row + 1}")))
        except TableError:
            if good[:row].any():
                yield block[:row][good[:row]]
            raise
        block[row, ~is_copied] = UNKNOWN
    if good.any():
        yield block if good.all() else block[good]
