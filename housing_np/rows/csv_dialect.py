"""Dialects of CSV: separator, decimal mark, and the names in the first line, given or detected."""

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

from ..errors import TableError, quoted, remedy
from . import numbers, text
from .rows import OtherOrderError

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
SEP_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # Excel writes it to name the separator
QUOTED = re.compile(r'"[^"]*"')
_NUMBER_SIGN = re.compile(r"^\s*#+\s*")
_BLANKS = re.compile(r'"[^"\n]*"| {2,}')
_JSON = re.compile(r'[\[{]\s*(["\'{\[]|$|[\w ]+:)')
_SAME = ": the names of the columns again, as where files are joined; remove the line"
_OTHER_ORDER = (
    ": the names of the columns again, in another order, as where files are joined: the rows below would be read under "
    "the wrong names; give each file by itself"
)
_OTHER_COLUMNS = (
    ": names of other columns, as where files are joined: the rows below would be read under the wrong names; give "
    "each file by itself"
)
_ONE_LINE = ": a row and the names of the columns in one line, as where files are joined; break the line between them"


@dataclass(frozen=True)
class Dialect:
    """The dialect of a CSV file."""

    separator: str | None = None  # one character; None: detected from the first line
    decimal: str = "."  # the decimal mark of numbers, or ","
    header: bool = True  # whether the first line has the names of the columns
    blanks: bool = False  # whether one or more blanks separate columns

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
        """The maximum length of a field and of a line, in characters."""
        return int(min(csv.field_size_limit(), text.LONGEST))

    @property
    def between(self) -> str:
        """The separator, or the usual one."""
        return self.separator or ","

    @cached_property
    def field(self) -> str:
        """The pattern of one whole field."""
        return rf'(?:"[^"]*+(?:""[^"]*+)*+"|(?!")[^{re.escape(self.between)}]*+)'

    @cached_property
    def plainly_quoted(self) -> re.Pattern[str]:
        """Matches whole lines in which no quoted field needs its quotes."""
        mark = re.escape(self.between)
        plain = rf'[^"{mark}\n]'
        # Not empty quotes: without them, a blank line would be left.
        return re.compile(rf'(?:(?:{plain}*+|"{plain}++")[{mark}\n])*+{plain}*+')

    @cached_property
    def opens(self) -> re.Pattern[str]:
        """Matches a line with an unclosed quote."""
        mark = re.escape(self.between)
        return re.compile(rf'(?:{self.field}[^{mark}]*+{mark})*+"[^"]*+(?:""[^"]*+)*+\Z')

    @cached_property
    def closes(self) -> re.Pattern[str]:
        """Matches the rest of a field that began on an earlier line, and the separator after it."""
        mark = re.escape(self.between)
        return re.compile(rf'[^"]*+(?:""[^"]*+)*+"[^{mark}]*+{mark}?')


def json_format(first_lines: Sequence[str]) -> str:
    """Return the format of a file with this line, or these two, "json" or "jsonl"; empty if the first is not JSON."""
    line, *others = first_lines
    if not line.startswith(("[", "{")):
        return ""
    import json

    try:
        json.loads(line.rstrip(","))
    except (ValueError, RecursionError):
        return "json" if _JSON.match(line) else ""
    return "jsonl" if others and not line.endswith(",") else "json"


def detect(first_lines: Sequence[str], sep_line: re.Match[str] | None, dialect: Dialect) -> tuple[Dialect, list[str]]:
    """Return the dialect with the separator of the first line, and a note if it is not the comma."""
    if dialect.separator:
        return dialect, []
    # Quoted names may contain any separator, and line breaks.
    bare = next(filter(str.strip, QUOTED.sub("_", "\n".join(first_lines)).split("\n")), "")
    found = [sep_line[1]] if sep_line else [mark for mark in SEPARATORS if mark in bare and mark != dialect.decimal]
    if not found and " " in first_lines[0].strip() and has_blanks(first_lines, dialect):
        return replace(dialect, separator=" ", blanks=True), ["columns are separated by blanks"]
    separator = found[0] if len(found) == 1 else ","
    notes = [] if separator == "," else [f"columns are separated by {SEPARATORS.get(separator, repr(separator))}"]
    return replace(dialect, separator=separator), notes


def has_blanks(first_lines: Sequence[str], dialect: Dialect) -> bool:
    """Whether blanks separate the columns: all lines have equally many, two at least, and no other separator.

    >>> has_blanks(["  rooms   age", "      3    10"], Dialect()), has_blanks(["house age", "3"], Dialect())
    (True, False)
    """
    if any(mark in QUOTED.sub("", line) for line in first_lines for mark in SEPARATORS if mark != dialect.decimal):
        return False
    head, *rows = [squeezed(line) for line in first_lines if line.strip()]
    if not rows:  # as NumPy and R write none, names are marked or quoted
        return len(_cells(head, " ")) > 1 and (head.startswith("#") or not QUOTED.sub("", head).strip())
    widths = {len(_cells(row, " ")) for row in rows}
    if len(widths) != 1 or max(widths) < 2:
        return False
    return widths == {len(_cells(head, " "))} or (dialect.header and has_row_names(head, rows, " "))


def squeezed(text: str) -> str:
    """Return lines with one blank between columns, and none at their ends or behind a number sign before them.

    >>> squeezed('  rooms   "near  bay" \\n')
    'rooms "near  bay"\\n'
    """
    one = _BLANKS.sub(lambda found: found[0] if found[0][0] == '"' else " ", text)
    whole = f"\n{one}\n".replace(" \n", "\n").replace("\n ", "\n").replace("\n# ", "\n#")
    return whole[1:-1]


def has_row_names(head: str, rows: Sequence[str], separator: str) -> bool:
    """Whether each row begins with its name, as R's `write.table` and pandas' `to_string` write them.

    Then the first line has one name fewer than the rows have cells. To be sure, the names of columns and of rows are
    quoted, or those of rows are counted from 0 or 1.

    >>> has_row_names("rooms", ["1,30", "2,40"], ","), has_row_names("rooms", ["3,30", "3,40"], ",")
    (True, False)
    """
    found, width = [_cells(row, separator) for row in rows], len(_cells(head, separator)) + 1
    whole = [cells for cells in found if len(cells) == width]  # others are bad rows
    if 2 * len(whole) <= len(found) or not all(cells[-1].strip() for cells in whole):
        return False
    names = [cells[0].strip() for cells in found if cells]
    start = int(names[0] == "1")
    is_counted = len(names) > 1 and names == [str(i) for i in range(start, start + len(names))]
    is_quoted = not QUOTED.sub("", head).strip(f"{separator} ") and all(row.startswith('"') for row in rows)
    return is_counted or is_quoted


def _cells(line: str, separator: str) -> list[str]:
    """Return the cells of one line; none if it is incomplete."""
    try:
        return next(csv.reader([line], delimiter=separator, strict=True), [])
    except csv.Error:
        return []


def look_ahead(coming: Iterator[str], queue: deque[str], count: int) -> None:
    """Add lines to the queue until it has so many that are not blank, or there are no more."""
    while sum(1 for line in islice(queue, 100) if line.strip()) < count and (chunk := next(coming, None)) is not None:
        queue.extend(text.lines(chunk))


def names_of(record: Sequence[str]) -> list[str]:
    """Return the names in a first line, without the number sign that `numpy.savetxt` writes before them.

    >>> names_of(["# rooms", " age "]), names_of(["#"])
    (['rooms', 'age'], ['#'])
    """
    first, *others = (name.strip() for name in record)
    return [_NUMBER_SIGN.sub("", first) or first, *others]


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
    found = names_of([record[0].lstrip("\ufeff"), *record[1:]])
    if found[0] not in names:
        return
    if found == list(names):
        names_first = remedy(": the names of the columns, not a row; leave {header} out", header=False)
        raise TableError(_SAME if header else names_first)
    if sorted(found) == sorted(names):
        raise OtherOrderError(_OTHER_ORDER)


def refuse_other_names(record: Sequence[str], cells: Sequence[str], names: Sequence[str]) -> None:
    """Raise the error of a line without numbers with the name of a column among these cells, which should be numbers.

    The rows below have other columns, unless all names are the same but for their case.
    """
    known = {name.casefold() for name in names if numbers.is_words(name)}
    if known.isdisjoint(cell.strip().casefold() for cell in cells):
        return
    if any(isinstance(numbers.value_of(cell), float) for cell in record):
        return
    if [name.casefold() for name in names_of(record)] == [name.casefold() for name in names]:
        raise TableError(_SAME)
    raise OtherOrderError(_OTHER_COLUMNS)


def joined_names(record: Sequence[str], names: Sequence[str]) -> TableError | None:
    """Return the error of a row that the names of the columns follow in its line; None for any other record."""
    found = [cell.strip() for cell in record[len(names) - 1 :]]
    first = set(names).difference(found[1:])
    if len(found) != len(names) or len(first) != 1 or not found[0].endswith(first.pop()):
        return None
    if found[1:] == list(names[1:]):
        return TableError(_ONE_LINE)
    return OtherOrderError(_OTHER_ORDER)


def missing_hint(columns: tuple[str, ...], dialect: Dialect) -> str:
    """Return the likely cause of a missing column, empty if none is likely."""
    found = [name for name in columns if isinstance(numbers.value_of(name), float)]
    # Beside numbers, the first row may have levels of categories; 2021 may well be a name, but hardly 37.88.
    if dialect.header and (len(found) == len(columns) or (2 * len(found) > len(columns) and "." in "".join(found))):
        if columns == tuple(map(str, range(len(columns)))):
            every = remedy(", or leave it out and say {header}, which reads every line as a row", header=False)
            return f" (pandas calls the columns of a frame without names so: write the names in the first line{every})"
        as_row = remedy(": say {header}, and it is read as a row", header=False)
        return f" (the first line holds numbers, not names{as_row})"
    if len(columns) == 1 and " " in columns[0]:
        always = remedy(", or with {separator}", separator=" ")
        return f" (columns separated by blanks are read if every line has equally many{always})"
    for mark, kind in SEPARATORS.items():
        if mark != dialect.between and any(mark in name for name in columns):
            used = SEPARATORS.get(dialect.between, repr(dialect.between))
            return f" (separated by {used}{remedy('; say {separator} if it is ', separator=mark)}{kind})"
    return ""
