"""Records of CSV, cut from lines."""

import csv
import re
from collections import deque
from collections.abc import Iterator

from ..errors import TableError, counted, quoted, remedy
from . import text
from .csv_dialect import SEPARATORS, Dialect, joined_names
from .source import UTF8
from .text import undecoded, unreadable


class Cutter:
    """Cuts lines into records; a record with quotes may span several lines.

    A broken quote invalidates only its own line: the lines after it are cut again, each on its own, because each could
    otherwise join all the others again.
    """

    def __init__(self, dialect: Dialect, line: int = 0, encoding: str = UTF8) -> None:
        self.dialect = dialect
        self.encoding = encoding
        self.names: list[str] = []  # of the columns, once they are known
        self.wider = ""  # the likely cause of a row with one cell too many
        self.line = line  # the number of lines cut so far
        self.alone = 0  # up to this line, a line is not joined with the next
        self.begun: list[str] = []  # the lines of an incomplete record
        self.size = 0  # of these lines, in characters
        self.longest_field = dialect.longest_field

    def cut(self, queue: deque[str]) -> Iterator[tuple[int, list[str] | TableError]]:
        """Yield each complete record, or the error in it, after the number of its last line."""
        while queue:
            if not self.begun and (record := self._one_line(queue[0])) is not None:
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
        """Yield the records of the lines that are left at the end of the file."""
        while self.begun:
            yield self._closed(queue, "a quote is not closed")
            yield from self.cut(queue)

    def _one_line(self, line: str) -> list[str] | None:
        """Parse one line; return None if it is incomplete or invalid."""
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
        """Whether a quote is still open at the end of this line."""
        if '"' not in line:
            return bool(self.begun)
        if self.begun:
            end = self.dialect.closes.match(line)
            if end is None:
                return True
            line = line[end.end() :]
        return self.dialect.opens.match(line) is not None

    def _closed(self, queue: deque[str], reason: str) -> tuple[int, list[str] | TableError]:
        """Return the record of the lines so far; if it is invalid, put all lines but the first back."""
        taken, self.begun, self.size = self.begun, [], 0
        if len(taken) == 1 and (problem := unreadable(taken[0], self.encoding)):
            return self.line, problem
        record = self._parsed(taken, reason)
        if isinstance(record, TableError) and len(taken) > 1:
            queue.extendleft(reversed(taken[1:]))
            self.alone = max(self.alone, self.line - 1)
            self.line -= len(taken) - 1
            taken = taken[:1]
        for line, each in enumerate(taken, start=self.line - len(taken) + 1):
            if problem := unreadable(each, self.encoding):
                return line, problem
        return self.line, record

    def _parsed(self, taken: list[str], reason: str) -> list[str] | TableError:
        try:
            (record,) = csv.reader(["\n".join(taken)], delimiter=self.dialect.between, strict=True)
        except csv.Error as error:
            return self._not_csv("\n".join(taken), reason or str(error).split(" - ")[0])
        if record and self.names and len(record) != len(self.names):
            if problem := joined_names(record, self.names):
                return problem
            joined = f" (lines joined by a quote: {len(taken)})" if len(taken) > 1 else ""
            if len(record) == len(self.names) + 1 and not record[-1].strip():
                joined = "; the line ends in a separator too many"
            elif len(record) == len(self.names) + 1:
                joined += self.wider
            others = [mark for mark in SEPARATORS if mark != self.dialect.between and mark in "".join(taken)]
            if others:
                joined += remedy("; say {separator} if that is what separates them", separator=others[0])
            return TableError(f": {counted(len(record), 'column')}, expected {len(self.names)}{joined}")
        return record

    def _not_csv(self, text: str, reason: str) -> TableError:
        """Return the error of the csv module for a record, with the column that it could not read."""
        whole = re.compile(self.dialect.field + re.escape(self.dialect.between))
        column = at = 0
        while (field := whole.match(text, at)) and len(field[0]) <= csv.field_size_limit():
            column, at = column + 1, field.end()
        name = quoted(self.names[column]) if column < len(self.names) else column + 1
        return TableError(f", column {name}: not CSV ({reason}); correct its quotes or remove the line")
