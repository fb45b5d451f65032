"""A table of numbers: features, a target and their names, in memory or in a user's own files."""

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from ..checks.arrays import Floats, as_numbers, as_rows, refuse_inexact
from ..checks.names import as_name, as_names, require_option
from ..checks.paths import as_path, shown_path
from ..errors import HousingError, TableError, counted, cut, quoted
from . import Decimal, Format, Rows, Skipped, TextColumnError, open_rows, stop

Block = tuple[Floats, Floats]
OnError = Literal["stop", "skip"]

# Above so many numbers (128 MiB) a table stays in its files.
_MEMORY_NUMBERS = 1 << 24
_LONGEST_ADVICE = 400  # characters of names to be typed
# What pandas calls a column without a name: the index of the frame that was written.
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
        If the numbers or the names are none, or their shapes disagree.
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
        vars(self).update(X=X, y=y.astype(np.float64, copy=False), feature_names=names)

    def __iter__(self) -> Iterator[Block]:
        yield self.X, self.y

    def __repr__(self) -> str:
        from ..checks.display import in_brackets  # here, not above: predict must not pay for it

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
    """The rows of files that need not fit in memory: each iteration reads them anew, as blocks (X, y).

    Attributes
    ----------
    paths : tuple of str
        Files of the same columns.
    feature_names, target_name
        As those of a `Table`.
    left_out : tuple of str
        The columns that are neither.
    notes : tuple of str
        What was found of how the first file is written.
    skip : bool
        Whether bad rows are left out, and counted in `skipped`, by file; the first ends the iteration otherwise.
    reading : mapping
        The options of `open_rows`.
    held : tuple of blocks, optional
        All rows, where they are in memory.
    begun : iterator of blocks, optional
        What the first iteration gives instead, where the files are being read already.
    """

    paths: tuple[str, ...]
    feature_names: tuple[str, ...]
    target_name: str
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    skip: bool = False
    reading: Mapping[str, Any] = field(default_factory=dict)
    held: tuple[Block, ...] | None = None
    begun: Iterator[Block] | None = None
    skipped: dict[str, Skipped] = field(default_factory=dict)

    def __repr__(self) -> str:
        from ..checks.display import columns, in_brackets

        size = counted(len(self.paths), "file") if self.rows is None else f"{counted(self.rows, 'row')} in memory"
        return in_brackets(self, [size, columns(self.feature_names, [self.target_name])])

    @property
    def rows(self) -> int | None:
        """How many there are, where they are in memory."""
        return None if self.held is None else sum(len(y) for _, y in self.held)

    @classmethod
    def of(cls, table: Table) -> "Stream":
        """Return the rows of a table in memory."""
        return cls((), table.feature_names, table.target_name, held=tuple(table))

    def __iter__(self) -> Iterator[Block]:
        begun, self.begun = self.begun, None
        if self.held is not None or begun is not None:
            yield from self.held or begun or ()
            return
        for path in self.paths:
            with self.open(path) as rows:
                yield from self.blocks(rows)

    def open(self, path: str) -> AbstractContextManager[Rows]:
        """Open one file, and count anew the bad rows in it."""
        skipped = self.skipped[path] = Skipped()
        return open_rows(path, on_error=skipped.add if self.skip else stop, wait=True, **self.reading)

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
                # Copied apart once: what walks over them many times walks over whole lines of memory.
                yield np.ascontiguousarray(block[:, :-1]), np.ascontiguousarray(block[:, -1])
        except TextColumnError as error:
            if self.target_name in error.columns:
                raise
            text = in_csv(error.columns)
            text = text if len(text) <= _LONGEST_ADVICE else "and their names"
            raise TableError(f"{error}; leave out what is no number: --ignore {text}") from None

    def told(self) -> list[str]:
        """Return what its reader should know: how it is written, what is left out of it, the bad rows so far."""
        return [*self.notes, *[str(self.all_skipped)] * bool(self.all_skipped.count)]

    def table(self) -> Table:
        """Return the rows that are held in memory."""
        ((X, y),) = self.held or ()
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
    """Read a user's table: CSV with a header line, JSON, JSON Lines, Parquet, or .npy (columns x0, x1, … unless named).

    Parameters
    ----------
    path : str or Path
        A file, a pattern that files of the same columns match ("part-*.csv"), or "-" for standard input.
    target : str
        The column to predict.
    features : sequence of str, optional
        The columns to predict it from, in the wanted order; by default all others, in the order of the file, but for
        the index that pandas wrote.
    format : {"csv", "json", "jsonl", "npy", "parquet"}, optional
        By default what the first bytes say, or the name of the file ends with.
    ignore : sequence of str
        Columns that are no features.
    on_error : {"stop", "skip"}
        Whether a bad row is an error, or left out.
    separator : str, optional
        Of CSV. By default commas, or what else the first line has between its names.
    decimal : {".", ","}
        Of CSV, the mark before a number's decimals.
    header : bool
        Whether CSV begins with the names of its columns; they are x0, x1, … if not.

    Returns
    -------
    Table

    Raises
    ------
    TableError
        With the file, row and column: no such file, a folder, an empty one; a name that is missing or doubled; a row
        with too few or too many cells; a cell that is not a finite number; a target that is constant.

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
    """Return the rows of files; the arguments are those of `read_table`, and only the names of the columns are read."""
    stream = Stream(files(path), (), target, skip=on_error == "skip", reading=reading)
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
    """Return the rows of files, held in memory unless they are many; the arguments are those of `read_table`."""
    paths = files(path)
    stream = Stream(paths, (), target, skip=on_error == "skip", reading=reading)
    with ExitStack() as opened:
        rows = opened.enter_context(stream.open(paths[0]))
        stream = _with_columns(stream, rows, features, ignore)
        coming = chain(stream.blocks(rows), replace(stream, paths=paths[1:]))
        X, y, ends = _Growing(len(stream.feature_names)), _Growing(), [0]
        for part_X, part_y in coming:
            X.add(part_X)
            y.add(part_y)
            ends.append(y.rows)
            if y.rows * (len(stream.feature_names) + 1) > _MEMORY_NUMBERS and not in_memory:
                if not Path(paths[0]).is_file():  # what cannot be read twice: standard input, a pipe
                    raise TableError(f"{rows.source}: more than {_MEMORY_NUMBERS} numbers; give them in a file")
                return replace(stream, begun=_drained((X.whole(), y.whole()), ends, coming, opened.pop_all()))
    if not y.rows:
        raise _without_rows(rows.source, stream)
    values = y.whole()
    if y.rows > 1 and np.all(values == values[0]):
        raise TableError(
            f"{shown_path(path)}: the target {quoted(target)} is {values[0]} in all {y.rows} rows: nothing to predict"
        )
    return replace(stream, held=((X.whole(), values),))


class _Growing:
    """Rows of a shape that others are added to, in memory that grows where it is: what is large is not there twice."""

    def __init__(self, *shape: int) -> None:
        self.array: Floats = np.empty((0, *shape))
        self.rows = 0

    def add(self, part: Floats) -> None:
        end = self.rows + len(part)
        if end > len(self.array):
            self._resize(end + end // 8)
        self.array[self.rows : end] = part
        self.rows = end

    def whole(self) -> Floats:
        self._resize(self.rows)
        return self.array

    def _resize(self, rows: int) -> None:
        self.array.resize((rows, *self.array.shape[1:]), refcheck=False)


def _without_rows(source: str, stream: Stream) -> TableError:
    skipped = stream.all_skipped
    if not skipped.count:
        return TableError(f"{source}: no rows below the names of the columns; expected at least one")
    problem = skipped.first
    if Path(stream.paths[0]).is_file():
        try:  # read once more: where none is skipped, what is wrong with a whole column is told
            deque(replace(stream, skip=False, skipped={}), maxlen=0)
        except TableError as error:
            problem = error
    return TableError(f"{source}: no row is left, {skipped.count} were skipped: {problem}")


def _drained(held: Block, ends: list[int], coming: Iterator[Block], opened: ExitStack) -> Iterator[Block]:
    """Yield the blocks that were read, which have these ends, and those that come after them."""
    X, y = held
    with opened:
        for start, end in pairwise(ends):
            yield X[start:end], y[start:end]
        del X, y, held
        yield from coming


def files(path: str | Path) -> tuple[str, ...]:
    """Return the file of a path, or all that match a pattern, in the order of their names."""
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
    """Return the stream with the features that a file has, and what is left out of it."""
    target = as_name(stream.target_name, "target")
    features, ignore = as_names(features, "features"), as_names(ignore, "ignore")
    rows.require([name for name in ignore if name not in rows.left_out])
    if not features and target not in rows.columns:
        raise TableError(f"{rows.missing([target])}; name one of these")
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
    rows.require([*features, target])
    chosen = {target, *features}
    left_out = (*rows.left_out, *(name for name in rows.columns if name not in chosen))
    found = [f"{quoted(name)} is left out ({why})" for name, why in {**rows.left_out, **index}.items()]
    notes = tuple(f"{rows.source}: {note}" for note in (*rows.notes, *found))
    return replace(stream, feature_names=features, left_out=left_out, notes=notes)


def read_rows(features: Sequence[str], path: str | Path, skipped: Skipped | None = None, **reading: Any) -> Floats:
    """Return the rows of a file, or of all that match a pattern, in these columns; shape (n, len(features)).

    Bad rows are left out and counted in ``skipped`` where it is given. The other arguments are those of `open_rows`.

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
