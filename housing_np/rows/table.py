"""A table of numbers: features, a target and their names, in memory or in a user's own files."""

import re
from array import array
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from ..checks.arrays import Floats, as_numbers, as_rows, refuse_inexact
from ..checks.names import as_name, as_names, require_option
from ..checks.paths import as_path, shown_path
from ..checks.unchanged import Stamp, unchanged
from ..errors import HousingError, TableError, counted, cut, quoted
from . import Decimal, Format, Rows, Skipped, TextColumnError, open_rows, stop
from .columns import Columns

Block = tuple[Floats, Floats]
OnError = Literal["stop", "skip"]

# A table with more numbers (128 MiB) stays in its files.
_MEMORY_NUMBERS = 1 << 24
_LONGEST_ADVICE = 400  # characters of the names in an advice
# The name that pandas gives to a column without one: the index of a frame that was written.
_UNNAMED = re.compile(r"Unnamed: \d+(\.\d+)*")
_INDEX = "the index that pandas wrote; to_csv(index=False) writes none"


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of features with their target; an iteration gives one block, (X, y).

    Attributes
    ----------
    X : ndarray of float64, shape (n, p)
    y : ndarray of float64, shape (n,)
    feature_names : tuple of str, length p
    target_name : str

    Raises
    ------
    HousingError
        For values that are not numbers, names that are not text, or shapes that disagree.
    """

    X: Floats
    y: Floats
    feature_names: tuple[str, ...]
    target_name: str

    def __post_init__(self) -> None:
        names, y = as_names(self.feature_names, "feature_names"), as_numbers(self.y, "y")
        as_name(self.target_name, "target_name")
        X = as_rows(self.X, names)
        if y.shape != (len(X),):
            raise HousingError(f"y has shape {y.shape}: expected {(len(X),)}, one for each row of X")
        refuse_inexact(y, "y")
        object.__setattr__(self, "X", X)
        object.__setattr__(self, "y", y.astype(np.float64, copy=False))
        object.__setattr__(self, "feature_names", names)

    def __iter__(self) -> Iterator[Block]:
        yield self.X, self.y

    def __repr__(self) -> str:
        from ..checks.display import in_brackets  # imported here because predict must start fast

        return in_brackets(self, self._facts())

    def _repr_html_(self) -> str:
        """Return the first rows for notebooks."""
        from ..checks.display import html_table, titled

        columns = {self.target_name: self.y, **dict(zip(self.feature_names, self.X.T, strict=True))}
        return html_table(titled(self, self._facts()), range(len(self.y)), columns)

    def _facts(self) -> list[str]:
        from ..checks.display import columns

        return [counted(len(self.y), "row"), columns(self.feature_names, [self.target_name])]


@dataclass
class Stream:
    """The rows of files as blocks (X, y): one block in memory, or read from the files in each iteration.

    Attributes
    ----------
    paths : tuple of str
        Files with the same columns.
    columns : Columns
        The features.
    target_name : str
    left_out : tuple of str
        All other columns.
    notes : tuple of str
        The detected dialect of the first file, and the columns that are left out.
    skip : bool
        Whether bad rows are skipped, and counted in `skipped` by file; otherwise the first one raises.
    reading : mapping
        The options of `open_rows`.
    held : block, optional
        All rows, if they are held in memory.
    stamps : dict
        Size and time of change of each file when it was first read. One that changed since then raises TableError.
    """

    paths: tuple[str, ...]
    columns: Columns
    target_name: str
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    skip: bool = False
    reading: Mapping[str, Any] = field(default_factory=dict)
    held: Block | None = None
    skipped: dict[str, Skipped] = field(default_factory=dict)
    stamps: dict[str, Stamp | None] = field(default_factory=dict)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the features."""
        return self.columns.names

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
        if self.held is not None:
            yield self.held
            return
        for path in self.paths:
            with self.open(path) as rows:
                yield from self.blocks(rows)

    @contextmanager
    def open(self, path: str) -> Iterator[Rows]:
        """Open one file, and start its count of bad rows at 0."""
        skipped = self.skipped[path] = Skipped()
        on_error = skipped.add if self.skip else stop
        with unchanged(path, self.stamps), open_rows(path, on_error=on_error, wait=True, **self.reading) as rows:
            yield rows

    def blocks(self, rows: Rows) -> Iterator[Block]:
        """Yield the blocks of one open file."""
        names = [*self.feature_names, self.target_name]
        known = {*names, *self.left_out, *rows.left_out}
        if rows.named and (other := [name for name in rows.columns if name not in known]):
            raise TableError(
                f"{rows.source}: column {quoted(other[0])} is not in the first file; all need the same columns"
            )
        try:
            for block in rows.blocks(names):
                # Copied once, so that the passes over them read contiguous memory.
                yield np.ascontiguousarray(block[:, :-1]), np.ascontiguousarray(block[:, -1])
        except TextColumnError as error:
            if self.target_name in error.columns:
                raise
            text = in_csv(error.columns)
            text = text if len(text) <= _LONGEST_ADVICE else "and their names"
            raise TableError(f"{error}; leave out what is no number: --ignore {text}") from None

    def told(self) -> list[str]:
        """Return notes for the user: the dialect, the columns that are left out, the bad rows so far."""
        skipped = self.all_skipped
        return [*self.notes, str(skipped)] if skipped.count else list(self.notes)

    def table(self) -> Table:
        """Return the rows in memory as a table."""
        ((X, y),) = self
        return Table(X, y, self.feature_names, self.target_name)

    @property
    def all_skipped(self) -> Skipped:
        """The bad rows of all files."""
        return sum(self.skipped.values(), Skipped())


def in_csv(names: Sequence[str]) -> str:
    """Return names as a line of CSV."""
    return ",".join('"' + name.replace('"', '""') + '"' if set(name) & set('",\n') else name for name in names)


def read_table(
    path: str | Path,
    target: str,
    features: Sequence[str] | None = None,
    format: Format | None = None,
    *,
    ignore: Sequence[str] = (),
    on_error: OnError = "stop",
    separator: str | None = None,
    decimal: Decimal = ".",
    header: bool = True,
) -> Table:
    """Read a user's table in any format of rows; columns without names are called x0, x1, ….

    Parameters
    ----------
    path : str or Path
        A file, a pattern of files with the same columns ("part-*.csv"), or "-" for standard input.
    target : str
        The column to predict.
    features : sequence of str, optional
        The columns to predict it from, in this order; by default all others in the order of the file, except an index
        that pandas wrote.
    format : str, optional
        A key of `housing_np.rows.FORMATS`, by default from the magic bytes or the extension of the file.
    ignore : sequence of str
        Columns that are not features.
    on_error : {"stop", "skip"}
        Whether a bad row raises or is skipped.
    separator : str, optional
        The separator of CSV. By default detected from the first line; commas if unsure.
    decimal : {".", ","}
        The decimal mark of CSV.
    header : bool
        Whether the first line of CSV has the names of the columns.

    Returns
    -------
    Table

    Raises
    ------
    TableError
        With the file, row and column: for a missing file, a folder, an empty file; a missing or repeated name; a row
        with too few or too many cells; a cell that is not a finite number; a constant target.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "homes.csv")
    ...     _ = path.write_text("rooms,price\\n3,1.5\\n4,2\\n")
    ...     read_table(path, target="price").feature_names
    ('rooms',)
    """
    require_option(on_error, get_args(OnError), "on_error", TableError)
    reading = {"format": format, "separator": separator, "decimal": decimal, "header": header}
    stream = open_table(path, target, features, ignore, on_error, in_memory=True, **reading)
    return stream.table()


def open_stream(
    path: str | Path,
    target: str,
    features: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    on_error: OnError = "stop",
    **reading: Any,
) -> Stream:
    """Return the rows of files, of which only the names are read now; the arguments are those of `read_table`."""
    stream = Stream(files(path), Columns(()), target, skip=on_error == "skip", reading=reading)
    with stream.open(stream.paths[0]) as rows:
        return _with_columns(stream, rows, features, ignore)


def open_table(
    path: str | Path,
    target: str,
    features: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    on_error: OnError = "stop",
    *,
    in_memory: bool = False,
    **reading: Any,
) -> Stream:
    """Return the rows of files, in memory unless they are many; the arguments are those of `read_table`."""
    paths = files(path)
    stream = Stream(paths, Columns(()), target, skip=on_error == "skip", reading=reading)
    with stream.open(paths[0]) as rows:
        stream = _with_columns(stream, rows, features, ignore)
        # Grown in place, so that many rows are not in memory twice.
        X, y, p = array("d"), array("d"), len(stream.feature_names)
        for part_X, part_y in chain(stream.blocks(rows), replace(stream, paths=paths[1:])):
            X.frombytes(part_X.data.cast("B"))
            y.frombytes(part_y.data.cast("B"))
            if len(X) + len(y) > _MEMORY_NUMBERS and not in_memory:
                if not Path(paths[0]).is_file():  # standard input or a pipe, which cannot be read twice
                    raise TableError(f"{rows.source}: more than {_MEMORY_NUMBERS} numbers; give them in a file")
                return stream
    if not y:
        raise _without_rows(rows.source, stream)
    values = np.frombuffer(y)
    if len(y) > 1 and np.all(values == values[0]):
        raise TableError(
            f"{shown_path(path)}: the target {quoted(target)} is {values[0]} in all {len(y)} rows: nothing to predict"
        )
    return replace(stream, held=(np.frombuffer(X).reshape(-1, p), values))


def _without_rows(source: str, stream: Stream) -> TableError:
    skipped = stream.all_skipped
    if not skipped.count:
        return TableError(f"{source}: no rows below the names of the columns; expected at least one")
    problem = skipped.first
    if Path(stream.paths[0]).is_file():
        try:  # read again without skipping, for the error about a whole column
            deque(replace(stream, skip=False, skipped={}), maxlen=0)
        except TableError as error:
            problem = error
    return TableError(f"{source}: no row is left, {skipped.count} were skipped: {problem}")


def files(path: str | Path) -> tuple[str, ...]:
    """Return the file of a path, or all files that match a pattern, in the order of their names."""
    path = as_path(path, TableError)
    try:
        if set("*?[").isdisjoint(str(path)) or path.exists():
            return (str(path),)
        found = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    except (OSError, ValueError) as error:
        raise TableError(f"{shown_path(path)}: not a pattern of files ({error})") from None
    if not found:
        raise TableError(
            f"{shown_path(path)}: no file matches; give the path of a file, or a pattern such as 'part-*.csv'"
        )
    return tuple(map(str, found))


def _with_columns(stream: Stream, rows: Rows, features: Sequence[str] | None, ignore: Sequence[str]) -> Stream:
    """Return the stream with its features, chosen from the columns of its first file."""
    target = as_name(stream.target_name, "target")
    features, ignore = as_names(features, "features"), as_names(ignore, "ignore")
    rows.require([name for name in ignore if name not in rows.left_out], "; name some of these")
    if not features and target not in rows.columns:
        raise rows.missing([target], "; name one of these")
    index = {name: _INDEX for name in rows.columns if _UNNAMED.fullmatch(name) and name != target and not features}
    others = {target, *ignore}
    features = features or tuple(name for name in rows.columns if name not in others and name not in index)
    if both := [name for name in features if name in others]:
        what = "the target" if both[0] == target else "to be ignored"
        raise TableError(f"{rows.source}: {quoted(both[0])} is {what}: it cannot be a feature too")
    if not features:
        raise TableError(f"{rows.source}: no column beside the target {quoted(target)}; expected at least one feature")
    if len(set(features)) < len(features):
        raise TableError(f"{rows.source}: a feature is named twice in {cut(in_csv(features))}; name each once")
    _require(rows, features, target)
    chosen = {target, *features}
    left_out = (*rows.left_out, *(name for name in rows.columns if name not in chosen))
    ignored = [f"{quoted(name)} is left out ({why})" for name, why in {**rows.left_out, **index}.items()]
    notes = tuple(f"{rows.source}: {note}" for note in (*rows.notes, *ignored))
    return replace(stream, columns=Columns(features, rows.named), left_out=left_out, notes=notes)


def _require(rows: Rows, features: Sequence[str], target: str) -> None:
    """Raise a TableError for missing columns; a target that alone is missing is called target."""
    if rows.named and rows.layout.missing([*features, target]) == [target]:
        raise TableError(f"{rows.source}: the rows lack the target {quoted(target)}; add it as a column")
    rows.require([*features, target])


def read_rows(features: Sequence[str], path: str | Path, skipped: Skipped | None = None, **reading: Any) -> Floats:
    """Return these columns of a file, or of all files that match a pattern; shape (n, len(features)).

    Bad rows are skipped and counted in ``skipped`` if it is given. The other arguments are those of `open_rows`.

    Raises
    ------
    TableError
        If a column is missing, or there are no rows.
    """
    blocks: list[Floats] = []
    for each in files(path):
        with open_rows(each, on_error=stop if skipped is None else skipped.add, **reading) as rows:
            blocks += rows.blocks(features)
    if not blocks:
        if skipped and skipped.count:
            raise TableError(
                f"{shown_path(path)}: no row is left, {skipped.count} were skipped; the first: {skipped.first}"
            )
        raise TableError(f"{shown_path(path)}: no rows; expected at least one")
    return np.concatenate(blocks)
