"""The first line of CSV: names, what they may be instead, and the same line again among the rows."""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice

from ..errors import TableError, quoted, remedy
from .csv_dialect import without_sign
from .rows import OtherOrderError
from .text import lines

_SAME = ": the names of the columns again, as where files are joined; remove the line"
_OTHER_ORDER = (
    ": the names of the columns again, in another order, as where files are joined: the rows below would be read under "
    "the wrong names; give each file by itself"
)


def look_ahead(coming: Iterator[str], queue: deque[str], count: int) -> None:
    """Add lines to the queue until it has so many that are not blank, or there are no more."""
    while sum(1 for line in islice(queue, 100) if line.strip()) < count and (text := next(coming, None)) is not None:
        queue.extend(lines(text))


def names_of(record: Sequence[str]) -> list[str]:
    """Return the names in a first line.

    >>> names_of(["# rooms", " age "])
    ['rooms', 'age']
    """
    names = [name.strip() for name in record]
    return [without_sign(names[0]), *names[1:]]


def notes_of(head: str, names: Sequence[str]) -> list[str]:
    """Return notes on names that may be something else."""
    if head.lstrip(' "').startswith("#") and not names[0].startswith("#"):
        return [f"the first column is called {quoted(names[0])}, without the # before it"]
    if list(names) == [str(i) for i in range(len(names))]:
        as_row = remedy("; {header} reads it as a row", header=False)
        return [f"the first line is taken for the names that pandas writes, 0, 1, …{as_row}"]
    return []


def refuse_names(record: Sequence[str], names: Sequence[str], header: bool) -> None:
    """Raise the error of a row with the names of the columns; no row after those in another order can be read."""
    first = names_of([record[0].lstrip("\ufeff")])
    if first[0] not in names:
        return
    found = first + names_of(["", *record[1:]])[1:]
    if found == list(names):
        names_first = remedy(": the names of the columns, not a row; leave {header} out", header=False)
        raise TableError(_SAME if header else names_first)
    if sorted(found) == sorted(names):
        raise OtherOrderError(_OTHER_ORDER)
