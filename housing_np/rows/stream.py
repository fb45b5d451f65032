"""The rows of a user's files as blocks of features and targets, in memory or read again in each pass."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from ..checks.arrays import Floats
from ..checks.unchanged import Stamp, unchanged
from ..errors import TableError, counted, quoted, remedy
from . import Rows, Skipped, TextColumnError, open_rows, stop
from .cells import Cells, cells_of, renamed
from .chosen import left_out_notes, many_skipped, missing_error, no_row_error, same_value
from .columns import Columns
from .in_memory import Block, Table
from .rows import by_count, feature_parts
from .survey import Missing, Survey

_LONGEST_ADVICE = 400  # characters of the names in an advice


@dataclass
class Stream:
    """The rows of files as blocks (X, y): one block in memory, or read from the files in each iteration."""

    paths: tuple[str, ...]  # files with the same columns
    columns: Columns  # what the features are made of
    target_name: str
    left_out: tuple[str, ...] = ()  # all other columns
    notes: tuple[str, ...] = ()  # the dialect of the first file, the columns that are left out, and what is filled
    skip: bool = False  # whether bad rows are skipped, and counted in `skipped`; otherwise the first one raises
    reading: Mapping[str, Any] = field(default_factory=dict)  # the options of `open_rows`
    held: Block | None = None  # all cells and targets, if they are held in memory
    skipped: dict[str, Skipped] = field(default_factory=dict)  # by file
    # Missing cells are an error; or their rows are left out, and counted in `dropped`; or they are filled.
    missing: Missing = "stop"
    dropped: dict[str, Skipped] = field(default_factory=dict)  # by file
    filled: Mapping[str, int] = field(default_factory=dict)  # how many cells of each column are filled
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # how often each level of a category occurs
    # The columns of the first pass where bad rows are skipped, and how many levels each may have: a bad cell of one
    # that is left out since then makes its row a bad one in all passes.
    checked: Mapping[str, int] = field(default_factory=dict)
    source: str = ""  # the name of the first file in messages
    # Size and time of change of each file when it was first read. One that changed since then raises TableError.
    stamps: dict[str, Stamp | None] = field(default_factory=dict)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the features."""
        return self.columns.feature_names

    def __repr__(self) -> str:
        from ..checks.display import columns, in_brackets

        size = counted(len(self.paths), "file") if self.rows is None else f"{counted(self.rows, 'row')} in memory"
        return in_brackets(self, [size, columns(self.feature_names, [self.target_name])])

    @property
    def rows(self) -> int | None:
        """The number of rows in memory; None if they are in files."""
        return None if self.held is None else len(self.held[1])

    @classmethod
    def of(cls, table: Table) -> "Stream":
        """Return the rows of a table in memory."""
        return cls((), Columns(table.feature_names), table.target_name, held=(table.X, table.y))

    def __iter__(self) -> Iterator[Block]:
        if self.held is None:
            for path in self.paths:
                with self.open(path) as rows:
                    yield from self.blocks(rows)
        elif self.columns.is_plain:
            yield self.held
        else:
            cells, y = self.held
            for part in feature_parts(len(y), self.columns):
                yield self.columns.encode(cells[part]), y[part]

    @property
    def takes_missing(self) -> bool:
        """Whether missing cells are read as NaN; where bad rows are skipped, a missing cell makes one by default."""
        return not self.skip or self.missing != "stop"

    @contextmanager
    def open(self, path: str) -> Iterator[Rows]:
        """Open one file, and start its counts of bad rows and of rows with missing cells at 0."""
        skipped = self.skipped[path] = Skipped()
        self.dropped[path] = Skipped()
        on_error = skipped.add if self.skip else stop
        with unchanged(path, self.stamps), open_rows(path, on_error=on_error, wait=True, **self.reading) as rows:
            # Of the columns at least the target is known before the first file is read.
            yield rows.having(replace(self.columns, names=(*self.columns.names, self.target_name)))

    @contextmanager
    def open_first(self) -> Iterator[tuple[Self, Rows]]:
        """Open the first file with rows, which decides the columns; the returned stream begins there."""
        last = len(self.paths) - 1
        for i, path in enumerate(self.paths):
            with self.open(path) as rows:
                if i == last or not rows.is_empty():
                    yield replace(self, paths=self.paths[i:]), rows
                    return

    def blocks(self, rows: Rows) -> Iterator[Block]:
        """Yield the blocks of one open file."""
        wanted = [*cells_of(self.columns), Cells(self.target_name)]
        for each in wanted:
            each.takes_missing |= self.takes_missing
            each.most = len(each.levels or ())  # rows that are left out may have other levels, which are UNKNOWN
        for cells in self.cells(rows, wanted):
            # Copied once, so that the passes over them read contiguous memory.
            X, y = np.ascontiguousarray(cells[:, :-1]), np.ascontiguousarray(cells[:, -1])
            X, y = self.without_missing(rows.source, X, y)
            if not self.columns.is_plain and np.isinf(X).any():
                raise TableError(f"{rows.source}: other levels than in the pass before; leave the file as it is")
            for part in feature_parts(len(y), self.columns):
                yield self.columns.encode(X[part]), y[part]

    def without_missing(self, source: str, X: Floats, y: Floats) -> Block:
        """Return cells and targets without the rows that a missing one excludes, and count these by column."""
        names, absent = [self.target_name], np.isnan(y)[:, np.newaxis]
        if self.missing != "mean":  # which fills the others
            names, absent = [*self.columns.names, *names], np.column_stack([np.isnan(X), absent])
        if not absent.any():
            return X, y
        if self.missing == "stop":
            raise self._missing_error(source)
        excluded = absent.any(axis=1)
        counts = zip(names, absent.sum(axis=0).tolist(), strict=True)
        dropped = self.dropped.setdefault(source, Skipped())
        dropped.count += int(excluded.sum())
        dropped.columns.update({name: count for name, count in counts if count})
        return X[~excluded], y[~excluded]

    def _missing_error(self, source: str) -> TableError:
        """Return the error that counts the missing cells of all files."""
        names = (*self.columns.names, self.target_name)
        survey = self.surveyed(Survey([Cells(name, None, True) for name in names], "mean"))
        return missing_error(source, survey.absent(names), survey.rows, self.target_name)

    def surveyed(self, survey: Survey) -> Survey:
        """Return a survey with the cells of all files added."""
        for cells in self.cells_of_files(survey.cells):
            survey.update(cells)
        return survey

    def cells_of_files(self, wanted: Sequence[Cells]) -> Iterator[Floats]:
        """Yield the blocks of cells of all files, the target last."""
        for path in self.paths:
            with self.open(path) as rows:
                yield from self.cells(rows, wanted)

    def cells(self, rows: Rows, wanted: Sequence[Cells]) -> Iterator[Floats]:
        """Yield the blocks of cells of one open file, the target last."""
        expected = [*self.columns.names, self.target_name, *self.left_out]
        known = {*expected, *rows.layout.spelling(expected).values(), *rows.left_out}
        if rows.named and (other := [name for name in rows.columns if name not in known]):
            raise TableError(
                f"{rows.source}: column {quoted(other[0])} is not in the first file; all need the same columns"
            )
        others = self._checked_beside({each.name for each in wanted})
        try:
            both = [*others, *wanted]
            respelled = renamed(both, rows.layout.spelling([each.name for each in both]))
            yield from (block[:, len(others) :] for block in rows.read(respelled))
            for cells, read in zip(both, respelled, strict=True):
                cells.is_full |= read.is_full
        except TextColumnError as error:
            if self.target_name in error.columns:
                raise TableError(f"{error}; the target has to be a column of numbers") from None
            names = list(error.columns)
            advice = remedy("; leave out what is no number: {ignore} and their names", ignore=None)
            if len("".join(names)) <= _LONGEST_ADVICE:
                categories = remedy(", {categories} makes categories of it", categories=names)
                advice = remedy("; {ignore} leaves out what is no number", ignore=names) + categories
            raise TableError(f"{error}{advice}") from None

    def _checked_beside(self, names: Collection[str]) -> list[Cells]:
        """Return how the cells of other columns are read, for which a row may be bad."""
        others = self.checked.items() if self.skip else ()
        takes = self.takes_missing
        return [Cells(name, {} if most else None, takes, most) for name, most in others if name not in names]

    def all_notes(self, rows: int | None = None) -> list[str]:
        """Return notes for the user: dialect, columns that are left out or filled, and the bad rows so far.

        They say where bad rows are many beside these good ones.
        """
        skipped, dropped = self.all_skipped, self.all_dropped
        lines = [str(skipped)] if skipped.count else []
        if rows is not None and (many := many_skipped(skipped, rows + dropped.count, self.target_name)):
            lines.append(many)
        if dropped.count:
            lines.append(f"rows left out for missing cells: {dropped.count:,} ({by_count(dropped.columns)})")
        return [*self.notes, *lines]

    def leave_out_constant(self, low: Floats, high: Floats, asked: Sequence[str]) -> bool:
        """Leave out the columns of numbers that never vary, as a pass has found; return whether there are any.

        Those that the user names stay, and all do if there are no others.
        """
        if not self.columns.is_plain:  # a survey has left them out
            return False
        same = {name: value for name, value, top in zip(self.columns.names, low, high, strict=True) if value == top}
        constant = {name: same_value(value) for name, value in same.items() if name not in asked}
        if not constant or len(constant) == len(self.columns.names):
            return False
        self.columns = replace(self.columns, names=tuple(name for name in self.columns.names if name not in constant))
        self.left_out += tuple(constant)
        self.notes += tuple(left_out_notes(self.source, constant))
        return True

    def require_some_left(self, rows: int) -> None:
        """Raise TableError if no rows are left, because of missing cells."""
        dropped = self.all_dropped
        if dropped.count and not rows:
            raise no_row_error(self.source, dropped.columns, dropped.count, self.target_name)

    def table(self) -> Table:
        """Return the rows in memory as a table."""
        assert self.held is not None
        X = self.columns.encode(self.held[0])
        return Table(X, self.held[1], self.feature_names, self.target_name, self.columns)

    @property
    def all_dropped(self) -> Skipped:
        """The rows of all files that are left out for missing cells."""
        return sum(self.dropped.values(), Skipped())

    @property
    def all_skipped(self) -> Skipped:
        """The bad rows of all files."""
        return sum(self.skipped.values(), Skipped())
