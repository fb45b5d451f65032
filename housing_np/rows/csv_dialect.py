"""Dialects of CSV: separator, decimal mark and header, given or detected."""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

from ..errors import TableError, quoted
from . import numbers, text

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
SEP_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # Excel writes it to name the separator
QUOTED = re.compile(r'"[^"]*"')
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


def is_json(line: str) -> bool:
    """Whether the first line of a file is JSON."""
    if not line.startswith(("[", "{")):
        return False
    import json

    try:
        json.loads(line.rstrip(","))
    except (ValueError, RecursionError):
        return bool(_JSON.match(line))
    return True


def detect(first_lines: Iterable[str], sep_line: re.Match[str] | None, dialect: Dialect) -> tuple[Dialect, list[str]]:
    """Return the dialect with the separator of the first line, and a note if it is not the comma."""
    if dialect.separator:
        return dialect, []
    # Quoted names may contain any separator, and line breaks.
    bare = next(filter(str.strip, QUOTED.sub("", "\n".join(islice(first_lines, 100))).split("\n")), "")
    found = [sep_line[1]] if sep_line else [mark for mark in SEPARATORS if mark in bare and mark != dialect.decimal]
    separator = found[0] if len(found) == 1 else ","
    notes = [] if separator == "," else [f"columns are separated by {SEPARATORS.get(separator, repr(separator))}"]
    return replace(dialect, separator=separator), notes


def missing_hint(columns: tuple[str, ...], dialect: Dialect) -> str:
    """Return the likely cause of a missing column, empty if none is likely."""
    if dialect.header and all(_is_number(name) for name in columns):
        return " (the first line holds numbers, not names: say --no-header)"
    for mark, kind in SEPARATORS.items():
        if mark != dialect.between and any(mark in name for name in columns):
            used = SEPARATORS.get(dialect.between, repr(dialect.between))
            return f" (separated by {used}; say --separator '{mark}' if it is {kind})"
    return ""


def _is_number(text: str) -> bool:
    try:
        numbers.of_text(text)
    except TableError:
        return False
    return True
