"""Rows that can be read once, whatever their format, and what is done with those that are bad."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks.arrays import Floats, inexact_integer, rounded_by_float64
from ..errors import TableError, counted, listed, quoted
from .numbers import text_columns

# Small enough that a row's prediction does not depend on the rows beside it.
BLOCK_NUMBERS = 1 << 18
# So many rows tell a column of text from a bad cell.
FIRST_ROWS = 20

OnError = Callable[[TableError], None]
Record = tuple[tuple[int, ...], Any]


SKIP_HINT = " (--on-error skip leaves such rows out)"


def stop(error: TableError) -> None:
    """Raise the error of a bad row, with the way out: what is done unless something else is asked for."""
    raise TableError(f"{error}{SKIP_HINT}")


@dataclass
class Skipped:
    """Bad rows that were left out: how many, and what was wrong with the first."""

    count: int = 0
    first: TableError | None = None

    def add(self, error: TableError) -> None:
        """Count a bad row."""
        self.count += 1
        self.first = self.first or error

    def __add__(self, other: "Skipped") -> "Skipped":
        """Return the count of both."""
        return Skipped(self.count + other.count, self.first or other.first)

    def __str__(self) -> str:
        return f"bad rows skipped: {self.count}; the first: {self.first}"


class TextColumnError(TableError):
    """Columns hold text from their first row on: no row can be read, unless they are left out."""

    def __init__(self, message: str, columns: Sequence[str]) -> None:
        super().__init__(message)
        self.columns: tuple[str, ...] = tuple(columns)


def refuse_text(source: str, rows: Sequence[Sequence[Any]], names: Sequence[str]) -> None:
    """Refuse columns that hold text in the first rows, all at once: no other row will be better."""
    words = text_columns(rows, names)
    if words:
        which = f"column{'s' * (len(words) > 1)} {listed(words, quoted)}"
        held = f"hold{'s' * (len(words) == 1)} text ({listed(words.values(), quoted)}), not numbers"
        raise TextColumnError(f"{source}: {which} {held}", list(words))


@dataclass(frozen=True)
class Rows:
    """Rows that can be read once, in order.

    Attributes
    ----------
    source : str
        The name that messages use.
    columns : tuple of str
        The names of the columns; x0, x1, … where the source has none.
    named : bool
        False where the source has no names: columns are then matched by position.
    left_out : mapping of str to str
        What is no column of the table though it looks like one, and why: the index that pandas wrote.
    notes : tuple of str
        What was found of how the source is written.
    hint : str
        What may be the cause where a column is missing.
    protocol, request_id : str
        Those of a server's request that the rows came in: its answer has a form of its own. Empty for a file of rows.
    """

    source: str
    columns: tuple[str, ...]
    named: bool
    read: Callable[[Sequence[str]], Iterator[Floats]]
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    hint: str = ""
    protocol: str = ""
    request_id: str = ""

    def blocks(self, names: Sequence[str]) -> Iterator[Floats]:
        """Return an iterator of blocks (rows, len(names)), all finite; a TableError names all that are missing."""
        return self.read(names)

    def require(self, names: Sequence[str]) -> None:
        """Raise a TableError that names all columns that are missing."""
        positions(self, names)

    def missing(self, names: Sequence[str]) -> TableError:
        """Return what to say of names that no column has."""
        near = nearest(names[0], self.columns)
        text = f"no column {listed(names, quoted)}; the columns are: {listed(self.columns)}"
        return TableError(f"{self.source}: {text}{f' (did you mean {quoted(near)}?)' if near else ''}{self.hint}")


def positions(rows: Rows, names: Sequence[str]) -> list[int]:
    """Return where these columns stand."""
    known = {name: position for position, name in enumerate(rows.columns)}
    lacking = [name for name in names if name not in known]
    if not lacking:
        return [known[name] for name in names]
    if rows.named:
        raise rows.missing(lacking)
    if len(names) != len(rows.columns):
        raise TableError(
            f"{rows.source}: {counted(len(known), 'column')} without names; expected {len(names)}: {listed(names)}"
        )
    return list(range(len(names)))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like this one, if there is one that may be meant.

    >>> nearest("Income", ["income", "age"])
    'income'
    """
    from difflib import get_close_matches

    folded = {each.strip().lower(): each for each in reversed(list(known))}
    close = get_close_matches(name.strip().lower(), folded, n=1)
    return folded[close[0]] if close else None


def positional_names(width: int) -> tuple[str, ...]:
    """Return the names of columns that have none.

    >>> positional_names(2)
    ('x0', 'x1')
    """
    return tuple(f"x{i}" for i in range(width))


def check_names(source: str, columns: Sequence[Any]) -> None:
    """Refuse a name that is empty, or that an earlier column has."""
    seen: set[Any] = set()
    for position, name in enumerate(columns, start=1):
        if not name:
            raise TableError(f"{source}: column {position} has no name; every column needs one")
        if name in seen:
            raise TableError(f"{source}: column {position} repeats the name {quoted(name)}; names must be unique")
        seen.add(name)


def assembled(
    source: str, place: str, records: Iterable[Record], pick: Callable[[Any], list[float]], on_error: OnError
) -> Iterator[Floats]:
    """Yield blocks of the numbers that `pick` finds in each record; the rows before one that ends it come first."""
    values = array("d")
    width = 1
    for where, record in records:
        try:
            row = pick(record)
        except TextColumnError:
            raise
        except (TableError, RecursionError) as error:
            problem = error if isinstance(error, TableError) else ": nested too deep; flatten it"
            try:
                on_error(TableError(f"{source}: {place.format(*where)}{problem}"))
            except TableError:
                if values:
                    yield np.array(values).reshape(-1, width)
                raise
            continue
        values.extend(row)
        width = len(row)
        if len(values) >= BLOCK_NUMBERS:
            yield np.array(values).reshape(-1, width)
            values = array("d")
    if values:
        yield np.array(values).reshape(-1, width)


def checked(
    source: str, start: int, columns: Sequence[NDArray[Any]], names: Sequence[str], on_error: OnError
) -> Iterator[Floats]:
    """Yield the rows of these columns (n,) that hold only numbers that float64 can; `start` rows stand before them.

    Masked entries are missing ones. The rows before one that ends it come before its error.
    """
    block = np.column_stack([np.ma.filled(column, 0) for column in columns]).astype(np.float64, copy=False)
    bad = ~np.isfinite(block)
    for i, column in enumerate(columns):
        rounded = rounded_by_float64(np.ma.filled(column, 0))
        if rounded is not None:
            bad[:, i] |= rounded
        if np.ma.is_masked(column):
            bad[:, i] |= np.ma.getmaskarray(column)
    good: NDArray[np.bool_] = ~np.any(bad, axis=1)
    for row in np.flatnonzero(~good).tolist():
        worst = int(np.argmax(bad[row]))
        problem = _problem(columns[worst][row])
        try:
            on_error(TableError(f"{source}: row {start + row + 1}, column {quoted(names[worst])}: {problem}"))
        except TableError:
            if good[:row].any():
                yield block[:row][good[:row]]
            raise
    if good.any():
        yield block if good.all() else block[good]


def _problem(value: Any) -> str:
    if value is np.ma.masked:
        return "the value is missing (null); fill it in"
    if isinstance(value, int | np.integer):
        return inexact_integer(value)
    return f"{value} is not a finite number; fill it in"
