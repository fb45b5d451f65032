"""A table of numbers: features, a target and their names, in memory or in a user's own files."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from .arrays import Floats
from .errors import TableError
from .rows import Rows, open_rows

Block = tuple[Floats, Floats]

# Above so many numbers (128 MiB) a table stays in its files.
_MEMORY_NUMBERS = 1 << 24


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of features with their target; an iteration gives one block, (X, y).

    Attributes
    ----------
    X : ndarray of float64, shape (n, p)
    y : ndarray of float64, shape (n,)
    feature_names : tuple of str, length p
    target_name : str
    """

    X: Floats
    y: Floats
    feature_names: tuple[str, ...]
    target_name: str

    def __iter__(self) -> Iterator[Block]:
        yield self.X, self.y


@dataclass
class Stream:
    """The rows of files that need not fit in memory: each iteration reads them anew, as blocks (X, y).

    Attributes
    ----------
    paths : tuple of str
        Files of the same columns.
    feature_names, target_name
        As those of a `Table`.
    ignored : tuple of str
        The columns that are neither.
    format : str, optional
        As that of `read_table`.
    begun : iterator of blocks, optional
        What the first iteration gives instead, where the files are being read already.
    """

    paths: tuple[str, ...]
    feature_names: tuple[str, ...]
    target_name: str
    ignored: tuple[str, ...] = ()
    format: str | None = None
    begun: Iterator[Block] | None = None

    def __iter__(self) -> Iterator[Block]:
        begun, self.begun = self.begun, None
        if begun is not None:
            yield from begun
            return
        for path in self.paths:
            with open_rows(path, self.format) as rows:
                yield from self.blocks(rows)

    def blocks(self, rows: Rows) -> Iterator[Block]:
        """Yield the blocks of one open file."""
        names = [*self.feature_names, self.target_name]
        known = {*names, *self.ignored}
        if rows.named and (other := [name for name in rows.columns if name not in known]):
            raise TableError(f"{rows.source}: column {other[0]!r} is not in the first file; all need the same columns")
        for block in rows.blocks(names):
            # Copied apart once: what walks over them many times walks over whole lines of memory.
            yield np.ascontiguousarray(block[:, :-1]), np.ascontiguousarray(block[:, -1])


def read_table(
    path: str | Path, target: str, features: Sequence[str] | None = None, format: str | None = None
) -> Table:
    """Read a user's table: CSV with a header line, JSON, JSON Lines, Parquet, or .npy (columns x0, x1, … unless named).

    Parameters
    ----------
    path : str or Path
        A file, a pattern that files of the same columns match ("part-*.csv"), or "-" for standard input.
    target : str
        The column to predict.
    features : sequence of str, optional
        The columns to predict it from, in the wanted order; by default all others, in the order of the file.
    format : {"csv", "json", "jsonl", "npy", "parquet"}, optional
        By default what the name of the file ends with.

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
    table = open_table(path, target, features, format, in_memory=True)
    assert isinstance(table, Table)
    return table


def open_stream(
    path: str | Path, target: str, features: Sequence[str] | None = None, format: str | None = None
) -> Stream:
    """As `read_table`, but only the names of the columns are read."""
    paths = _files(path)
    with open_rows(paths[0], format) as rows:
        return _stream(rows, paths, target, features, format)


def open_table(
    path: str | Path,
    target: str,
    features: Sequence[str] | None = None,
    format: str | None = None,
    in_memory: bool = False,
) -> Table | Stream:
    """As `read_table`, but a table that is large stays in its files, unless it has to be in memory."""
    paths = _files(path)
    with ExitStack() as opened:
        rows = opened.enter_context(open_rows(paths[0], format))
        stream = _stream(rows, paths, target, features, format)
        coming = chain(stream.blocks(rows), replace(stream, paths=paths[1:]))
        blocks: deque[Block] = deque()
        size = 0
        for X, y in coming:
            blocks.append((X, y))
            size += X.size + y.size
            if size > _MEMORY_NUMBERS and not in_memory:
                if not Path(paths[0]).is_file():  # what cannot be read twice: standard input, a pipe
                    raise TableError(f"{rows.source}: more than {_MEMORY_NUMBERS} numbers; give them in a file")
                return replace(stream, begun=_drained(blocks, coming, opened.pop_all()))
    if not blocks:
        raise TableError(f"{rows.source}: no rows below the names of the columns; expected at least one")
    X, y = map(np.concatenate, zip(*blocks, strict=True))
    if len(y) > 1 and np.all(y == y[0]):
        raise TableError(f"{path}: the target {target!r} is {y[0]} in all {len(y)} rows: nothing to predict")
    return Table(X, y, stream.feature_names, target)


def _drained(blocks: deque[Block], coming: Iterator[Block], opened: ExitStack) -> Iterator[Block]:
    """Yield the blocks that were read, each kept no longer than needed, and those that come after them."""
    with opened:
        while blocks:
            yield blocks.popleft()
        yield from coming


def _files(path: str | Path) -> tuple[str, ...]:
    """The file of a path, or all that match a pattern, in the order of their names."""
    path = Path(path)
    try:
        if set("*?[").isdisjoint(str(path)) or path.exists():
            return (str(path),)
        found = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    except (OSError, ValueError) as error:
        raise TableError(f"{path}: not a pattern of files ({error})") from None
    if not found:
        raise TableError(f"{path}: no file matches; give the path of a file, or a pattern such as 'part-*.csv'")
    return tuple(map(str, found))


def _stream(
    rows: Rows, paths: tuple[str, ...], target: str, features: Sequence[str] | None, format: str | None
) -> Stream:
    if not features and target not in rows.columns:
        raise TableError(f"{rows.missing(target)}; name one of these")
    others = tuple(name for name in rows.columns if name != target)
    features = tuple(features or others)
    if target in features:
        raise TableError(f"{rows.source}: {target!r} is the target: it cannot be a feature too")
    if not features:
        raise TableError(f"{rows.source}: no column beside the target {target!r}; expected at least one feature")
    rows.positions([*features, target])  # refuses a name that is missing
    chosen = set(features)
    return Stream(paths, features, target, tuple(name for name in others if name not in chosen), format)


def read_rows(features: Sequence[str], path: str | Path) -> Floats:
    """Return the rows of a file, or of all that match a pattern, in these columns; shape (n, len(features)).

    Raises
    ------
    TableError
        If a column is missing, or there are no rows.
    """
    blocks: list[Floats] = []
    for each in _files(path):
        with open_rows(each) as rows:
            blocks += rows.blocks(features)
    if not blocks:
        raise TableError(f"{path}: no rows; expected at least one")
    return np.concatenate(blocks)
