"""Dialects of CSV: separator, decimal mark and header, given or detected."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ..errors import TableError, quoted, remedy
from . import numbers, text

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
SEP_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # Excel writes it to name the separator
QUOTED = re.compile(r'"[^"]*"')
_NUMBER_SIGN = re.compile(r"^\s*#+\s*")
_BLANKS = re.compile(r'"[^"\n]*"| {2,}')
_JSON = re.compile(r'[\[{]\s*(["\'{\[]|$|[\w ]+:)')


@dataclass(frozen=True)
class Dialect:
    """The dialect of a CSV file.

    Attributes
    ----------
    separator : str, optional
        One character. None: detected from the first line.
    decimal : {".", ","}
        The decimal mark of numbers.
    header : bool
        Whether the first line has the names of the columns.
    blanks : bool
        Whether one or more blanks separate columns.
    """

    separator: str | None = None
    decimal: str = "."
    header: bool = True
    blanks: bool = False

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
    bare = next(filter(str.strip, QUOTED.sub("", "\n".join(first_lines)).split("\n")), "")
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


def without_sign(name: str) -> str:
    """Return the first of some names without the number sign that `numpy.savetxt` writes before them.

    >>> without_sign("# rooms"), without_sign("#")
    ('rooms', '#')
    """
    return _NUMBER_SIGN.sub("", name) or name


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


def missing_hint(columns: tuple[str, ...], dialect: Dialect) -> str:
    """Return the likely cause of a missing column, empty if none is likely."""
    if dialect.header and all(_is_number(name) for name in columns):
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


def _is_number(text: str) -> bool:
    try:
        numbers.of_text(text)
    except TableError:
        return False
    return True
